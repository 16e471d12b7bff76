"""Refunds at Stripe: made once, and their events in the words of the domain (R4, R6, G3).

A refund answers `succeeded` or `pending`, and may fail days after it succeeded; what becomes of it comes as an event.
Sources: https://docs.stripe.com/api/refunds, https://docs.stripe.com/refunds#failed-refunds
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from remit.domain.errors import InvalidError, RuleError
from remit.domain.payments import Payment
from remit.domain.refunds import Refund, RefundReport, RefundStatus, dashboard_refund_id
from remit.usecases.ports import PaymentName

if TYPE_CHECKING:  # the events' function reads events alone, and loads no SDK for it
    import stripe

type StripeObject = dict[str, Any]

HANDLED_TYPES = frozenset({"refund.created", "refund.updated", "refund.failed"})
"""The event types to subscribe a webhook endpoint to, beside those of payments."""

_STATUS = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}


def make_refund(client: "stripe.StripeClient", refund: Refund, payment: Payment, *, asked_before: bool) -> RefundReport:
    """See `usecases.ports.PaymentGateway.refund`. The refund's id is the idempotency key.

    Stripe forgets a key after a day, so one that was asked for before is looked for first, by our id in its metadata.
    """
    intent = _intent_of(payment)
    found = _made_before(client, intent, refund.id) if asked_before else None
    if found is None:
        metadata = {"remit_refund_id": refund.id, "remit_payment_id": payment.id, "remit_account_id": payment.account_id}
        asked: Any = {"payment_intent": intent, "amount": refund.amount_minor, "metadata": metadata}
        found = client.v1.refunds.create(asked, {"idempotency_key": refund.id}).to_dict()
    return _report(found, refund.account_id, payment.id, refund.id, _instant(found["created"]))


def _intent_of(payment: Payment) -> str:
    for id in payment.gateway_ids:
        if id.startswith("pi_"):
            return id
    raise RuleError("payment_not_at_gateway", f"The gateway knows nothing of payment {payment.id}.", payment_id=payment.id)


def _made_before(client: "stripe.StripeClient", intent: str, refund_id: str) -> StripeObject | None:
    for each in client.v1.refunds.list({"payment_intent": intent, "limit": 100}).auto_paging_iter():
        made: StripeObject = each.to_dict()
        if (made["metadata"] or {}).get("remit_refund_id") == refund_id:
            return made
    return None


def is_of_refund(event: StripeObject) -> bool:
    """Whether the event tells of a refund; what a charge says of its refunds is told by theirs."""
    return event.get("type") in HANDLED_TYPES


def refund_report_of(event: StripeObject, payment_of: Callable[[str], PaymentName | None]) -> RefundReport | None:
    """What a refund's event says; None when its payment is none of ours.

    A refund that somebody made in Stripe's dashboard does not say whose it is: `payment_of` finds its payment, and its id
    is derived from Stripe's, so that it is booked once. `InvalidError` when an event lacks what every one of its type has.
    """
    try:
        refund: StripeObject = event["data"]["object"]
        metadata = refund.get("metadata") or {}
        occurred_at = _instant(event["created"])
        if "remit_refund_id" in metadata:
            account_id, payment_id = metadata["remit_account_id"], metadata["remit_payment_id"]
            return _report(refund, account_id, payment_id, metadata["remit_refund_id"], occurred_at)
        owner = payment_of(refund["payment_intent"]) if refund.get("payment_intent") else None
        if owner is None:
            return None
        id = dashboard_refund_id(refund["id"])
        return replace(_report(refund, owner.account_id, owner.payment_id, id, occurred_at), is_ours=False)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidError("unreadable_event", f"Event {event.get('id')} lacks {error}.") from error


def _report(refund: StripeObject, account_id: str, payment_id: str, refund_id: str, occurred_at: datetime) -> RefundReport:
    return RefundReport(
        refund_id=refund_id,
        account_id=account_id,
        payment_id=payment_id,
        status=_STATUS[refund["status"]],
        amount_minor=int(refund["amount"]),
        currency=refund["currency"].upper(),
        occurred_at=occurred_at,
        gateway_id=refund["id"],
        failure=refund.get("failure_reason"),
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
