"""Stripe's events in the words of the domain (G3): one table from event type to what it tells.

Stripe sends several events for one payment, in any order. Only the payment intent's own events, and the
expiry of its checkout session, say how the payment stands; a charge adds a transaction, a completed session
its id. So the instant at which money counts as received is that of one event, whatever else comes first.
Source: https://docs.stripe.com/api/events/types
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from remit.adapters.stripe.declines import is_hard
from remit.adapters.stripe.objects import StripeObject, capture_before, dispute_of, instant, intent_report, names
from remit.domain.errors import InvalidError
from remit.domain.payments import GatewayReport, PaymentStatus, Transaction
from remit.usecases.ports import PaymentName
from remit.usecases.saved_methods import MethodReport


@dataclass(frozen=True, slots=True)
class DisputeReport:
    """What an event says of a dispute. It does not name our payment: `intent_id` is the gateway's, which does."""

    intent_id: str
    report: Callable[[PaymentName], GatewayReport]


def report_of(event: StripeObject) -> GatewayReport | None:
    """What the event says of one of our payments; None if it is none of ours, or says nothing that we book.

    `InvalidError` when an event of ours lacks what every event of its type has.
    """
    read = _READERS.get(event.get("type", ""))
    thing = _thing(event)
    if read is None or "remit_payment_id" not in (thing.get("metadata") or {}):
        return None
    return _read(event, lambda: read(thing, instant(event["created"])))


def dispute_report_of(event: StripeObject) -> DisputeReport | None:
    """What the event says of a dispute, on whosever payment it may be."""
    if event.get("type") not in DISPUTE_TYPES or not _thing(event).get("payment_intent"):
        return None
    return _read(event, lambda: _dispute(_thing(event), instant(event["created"])))


def method_of(event: StripeObject) -> MethodReport | None:
    """The method that a customer of ours saved, on a page for that or while paying."""
    thing = _thing(event)
    metadata = thing.get("metadata") or {}
    agreed = event.get("type") in _SAVING_TYPES or thing.get("setup_future_usage") == "off_session"
    if event.get("type") not in _SAVING_TYPES | _PAYING_TYPES or not agreed or "remit_account_id" not in metadata:
        return None
    return _read(
        event,
        lambda: MethodReport(metadata["remit_account_id"], thing["payment_method"], thing["customer"], instant(event["created"])),
    )


def is_of_interest(event: StripeObject) -> bool:
    """Whether there is anything in the event for us; `InvalidError` when it should have been and cannot be read."""
    return any(read(event) is not None for read in (report_of, dispute_report_of, method_of))


def _thing(event: StripeObject) -> StripeObject:
    thing: StripeObject = event.get("data", {}).get("object", {})
    return thing


def _read[T](event: StripeObject, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidError("unreadable_event", f"Event {event.get('id')} lacks {error}.") from error


def _intent(status: PaymentStatus) -> Callable[[StripeObject, datetime], GatewayReport]:
    return lambda intent, occurred_at: intent_report(intent, status, occurred_at)


def _charge(type: str) -> Callable[[StripeObject, datetime], GatewayReport]:
    def read(charge: StripeObject, occurred_at: datetime) -> GatewayReport:
        # A charge that is not captured yet has only been authorised.
        happened = "authorization" if type == "capture" and not charge["captured"] else type
        captured = type == "capture" and charge["captured"]
        amount = int(charge["amount_captured"] if captured else charge["amount"])
        at = instant(charge["created"]) if happened == "authorization" else occurred_at
        failure = charge.get("failure_code")
        transaction = Transaction(at, happened, charge["id"], amount, failure, is_hard=is_hard(failure))
        return _about(
            charge,
            None,
            amount,
            occurred_at,
            transaction=transaction,
            authorized_until=capture_before(charge),
        )

    return read


def _session(status: PaymentStatus | None) -> Callable[[StripeObject, datetime], GatewayReport]:
    def read(session: StripeObject, occurred_at: datetime) -> GatewayReport:
        return _about(session, status, int(session["amount_total"]), occurred_at)

    return read


def _about(
    thing: StripeObject, status: PaymentStatus | None, amount_minor: int, occurred_at: datetime, **more: Any
) -> GatewayReport:
    """A report by something of a payment intent's: a charge of it, or the session it belongs to."""
    name = names(thing["metadata"])
    return GatewayReport(
        payment_id=name.payment_id,
        account_id=name.account_id,
        status=status,
        amount_minor=amount_minor,
        currency=thing["currency"].upper(),
        occurred_at=occurred_at,
        invoice_ids=name.invoice_ids,
        gateway_ids=(thing["id"], thing["payment_intent"]) if thing.get("payment_intent") else (thing["id"],),
        **more,
    )


def _dispute(thing: StripeObject, occurred_at: datetime) -> DisputeReport:
    dispute = dispute_of(thing, occurred_at)
    opened = dispute.opened_at or occurred_at
    transaction = Transaction(opened, "dispute", dispute.id, dispute.amount_minor, dispute.reason)
    currency = thing["currency"].upper()

    def report(name: PaymentName) -> GatewayReport:
        return GatewayReport(
            payment_id=name.payment_id,
            account_id=name.account_id,
            status=None,
            amount_minor=dispute.amount_minor,
            currency=currency,
            occurred_at=occurred_at,
            invoice_ids=name.invoice_ids,
            transaction=transaction,
            dispute=dispute,
        )

    return DisputeReport(thing["payment_intent"], report)


_READERS: dict[str, Callable[[StripeObject, datetime], GatewayReport]] = {
    "payment_intent.requires_action": _intent(PaymentStatus.REQUIRES_ACTION),
    "payment_intent.processing": _intent(PaymentStatus.PROCESSING),
    "payment_intent.amount_capturable_updated": _intent(PaymentStatus.AUTHORIZED),
    "payment_intent.payment_failed": _intent(PaymentStatus.FAILED),
    "payment_intent.canceled": _intent(PaymentStatus.CANCELED),
    "payment_intent.succeeded": _intent(PaymentStatus.SUCCEEDED),
    "charge.succeeded": _charge("capture"),
    "charge.captured": _charge("capture"),
    "charge.failed": _charge("failure"),
    "checkout.session.completed": _session(None),
    "checkout.session.expired": _session(PaymentStatus.CANCELED),
}

DISPUTE_TYPES = frozenset(
    f"charge.dispute.{what}" for what in ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")
)

_SAVING_TYPES = frozenset({"setup_intent.succeeded"})
_PAYING_TYPES = frozenset({"payment_intent.processing", "payment_intent.amount_capturable_updated", "payment_intent.succeeded"})

HANDLED_TYPES = frozenset(_READERS) | DISPUTE_TYPES | _SAVING_TYPES
"""The event types to subscribe a webhook endpoint to."""
