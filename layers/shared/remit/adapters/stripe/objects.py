"""Stripe's objects in the words of the domain, whether they came in an event or in an answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from remit.adapters.stripe.declines import SOFT_RETURNS, is_hard
from remit.domain.payments import Dispute, DisputeStatus, GatewayReport, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.ports import PaymentName

type StripeObject = dict[str, Any]

MAX_INVOICES_NAMED = 16
"""A value of metadata holds 500 characters (https://docs.stripe.com/metadata): so many invoice ids. The attempt knows all."""

INTENT_STATUS: Mapping[str, PaymentStatus] = {
    "requires_payment_method": PaymentStatus.PENDING,
    "requires_confirmation": PaymentStatus.PENDING,
    "requires_action": PaymentStatus.REQUIRES_ACTION,
    "processing": PaymentStatus.PROCESSING,
    "requires_capture": PaymentStatus.AUTHORIZED,
    "succeeded": PaymentStatus.SUCCEEDED,
    "canceled": PaymentStatus.CANCELED,
}
"""Status of a payment intent → ours (https://docs.stripe.com/payments/paymentintents/lifecycle)."""

DEBIT_OF_CURRENCY: Mapping[str, str] = {"EUR": "sepa_debit", "USD": "us_bank_account"}
"""Currency → Stripe's type of bank debit in it."""

METHOD_OF_TYPE: Mapping[str, Method] = {
    "card": Method.CARD,
    "sepa_debit": Method.BANK_DEBIT,
    "us_bank_account": Method.BANK_DEBIT,
}
"""Stripe's type of payment method → ours; others are not charged later."""


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def names(metadata: Mapping[str, str]) -> PaymentName:
    """Which payment of ours the metadata is of; `KeyError` when it is none."""
    return PaymentName(
        payment_id=metadata["remit_payment_id"],
        account_id=metadata["remit_account_id"],
        invoice_ids=tuple(filter(None, metadata.get("remit_invoice_ids", "").split(","))),
    )


def intent_status(intent: StripeObject) -> PaymentStatus:
    """How the intent stands. One that waits for a method again has failed, unless nothing was tried yet."""
    status = INTENT_STATUS[intent["status"]]
    return PaymentStatus.FAILED if status is PaymentStatus.PENDING and intent.get("last_payment_error") else status


def intent_report(intent: StripeObject, status: PaymentStatus, occurred_at: datetime) -> GatewayReport:
    """What a payment intent says of its payment. A failure is told by the issuer's own reason where there is one."""
    name = names(intent["metadata"])
    error = (intent.get("last_payment_error") or {}) if status is PaymentStatus.FAILED else {}
    failure = error.get("decline_code") or error.get("code")
    amount = intent["amount_received"] if status is PaymentStatus.SUCCEEDED else intent["amount"]
    return GatewayReport(
        payment_id=name.payment_id,
        account_id=name.account_id,
        status=status,
        amount_minor=int(amount),
        currency=intent["currency"].upper(),
        occurred_at=occurred_at,
        invoice_ids=name.invoice_ids,
        gateway_ids=(intent["id"],),
        failure=failure,
        is_hard_failure=is_hard(failure, error.get("advice_code")),
        authorized_until=capture_before(intent.get("latest_charge")),
    )


def capture_before(charge: Any) -> datetime | None:
    """Until when the charge of an authorisation can be captured; unknown where only its id is given."""
    if not isinstance(charge, dict):
        return None
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    return instant(card["capture_before"]) if card.get("capture_before") else None


def dispute_of(thing: StripeObject, occurred_at: datetime) -> Dispute:
    """A dispute counts as one when money was withdrawn for it; before that, and when none ever is, the bank only asks.

    Stripe's fee is left out when it is in another currency than the payment: amounts of two currencies are never added.
    """
    withdrawn = [each for each in thing.get("balance_transactions") or [] if each["amount"] < 0]
    decided = {"won": DisputeStatus.WON, "lost": DisputeStatus.LOST}.get(thing["status"], DisputeStatus.OPEN)
    asked = DisputeStatus.INQUIRY_CLOSED if thing["status"] in ("warning_closed", "won", "lost") else DisputeStatus.INQUIRY
    fees = [each["fee"] for each in withdrawn if each["currency"] == thing["currency"]]
    return Dispute(
        id=thing["id"],
        status=decided if withdrawn else asked,
        amount_minor=int(thing["amount"]),
        fee_minor=sum(fees),
        reported_at=occurred_at,
        reason=thing.get("reason"),
        opened_at=instant(thing["created"]),
        is_soft=thing.get("reason") in SOFT_RETURNS,
    )
