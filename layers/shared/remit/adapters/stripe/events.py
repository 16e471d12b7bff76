"""Stripe's events in the words of the domain (G3): one table from event type to report.

Stripe sends several events for one payment, in any order. Only the payment intent's own events, and the
expiry of its checkout session, say how the payment stands; a charge adds a transaction, a completed session
its id. So the instant at which money counts as received is that of one event, whatever else comes first.
Source: https://docs.stripe.com/api/events/types
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from remit.domain.errors import InvalidError
from remit.domain.payments import GatewayReport, PaymentStatus, Transaction

type StripeObject = dict[str, Any]


def report_of(event: StripeObject) -> GatewayReport | None:
    """What the event says of one of our payments; None if it is none of ours, or says nothing that we book.

    `InvalidError` when an event of ours lacks what every event of its type has.
    """
    read = _READERS.get(event.get("type", ""))
    thing: StripeObject = event.get("data", {}).get("object", {})
    metadata = thing.get("metadata") or {}
    if read is None or "remit_payment_id" not in metadata:
        return None
    try:
        said = read(thing)
        return GatewayReport(
            payment_id=metadata["remit_payment_id"],
            account_id=metadata["remit_account_id"],
            invoice_ids=tuple(filter(None, metadata.get("remit_invoice_ids", "").split(","))),
            occurred_at=_instant(event["created"]),
            **said,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidError("unreadable_event", f"Event {event.get('id')} lacks {error}.") from error


def _intent(status: PaymentStatus) -> Callable[[StripeObject], dict[str, Any]]:
    def read(intent: StripeObject) -> dict[str, Any]:
        failure = (intent.get("last_payment_error") or {}).get("code") if status is PaymentStatus.FAILED else None
        succeeded = status is PaymentStatus.SUCCEEDED
        return {
            "status": status,
            "amount_minor": int(intent["amount_received"] if succeeded else intent["amount"]),
            "currency": intent["currency"].upper(),
            "gateway_ids": (intent["id"],),
            "failure": failure,
        }

    return read


def _charge(charge: StripeObject) -> dict[str, Any]:
    failed = charge["status"] == "failed"
    amount = int(charge["amount"])
    transaction = Transaction(
        _instant(charge["created"]), "failure" if failed else "capture", charge["id"], amount, charge.get("failure_code")
    )
    ids = (charge["id"], charge["payment_intent"]) if charge.get("payment_intent") else (charge["id"],)
    return {
        "status": None,
        "amount_minor": amount,
        "currency": charge["currency"].upper(),
        "gateway_ids": ids,
        "transaction": transaction,
    }


def _session(status: PaymentStatus | None) -> Callable[[StripeObject], dict[str, Any]]:
    def read(session: StripeObject) -> dict[str, Any]:
        ids = (session["id"], session["payment_intent"]) if session.get("payment_intent") else (session["id"],)
        return {
            "status": status,
            "amount_minor": int(session["amount_total"]),
            "currency": session["currency"].upper(),
            "gateway_ids": ids,
        }

    return read


_READERS: dict[str, Callable[[StripeObject], dict[str, Any]]] = {
    "payment_intent.processing": _intent(PaymentStatus.PROCESSING),
    "payment_intent.payment_failed": _intent(PaymentStatus.FAILED),
    "payment_intent.canceled": _intent(PaymentStatus.CANCELED),
    "payment_intent.succeeded": _intent(PaymentStatus.SUCCEEDED),
    "charge.succeeded": _charge,
    "charge.failed": _charge,
    "checkout.session.completed": _session(None),
    "checkout.session.expired": _session(PaymentStatus.CANCELED),
}

HANDLED_TYPES = frozenset(_READERS)
"""The event types to subscribe a webhook endpoint to."""


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
