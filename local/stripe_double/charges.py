"""Charges: single attempts to move money, made by payment intents (https://docs.stripe.com/api/charges)."""

from __future__ import annotations

from typing import Any

from local.stripe_double import balance_transactions
from local.stripe_double.errors import ApiError
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Metadata,
    Text,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject
from local.stripe_double.test_cards import Decline

AUTHORIZATION_SECONDS = 7 * 86_400
"""How long a card authorisation can be captured (https://docs.stripe.com/payments/place-a-hold-on-a-payment-method)."""

_AUTHORIZED = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "risk_score": 20,
    "seller_message": "Payment complete.",
    "type": "authorized",
}
_NOT_ASSESSED = {name: value for name, value in _AUTHORIZED.items() if name != "risk_score"} | {"risk_level": "not_assessed"}


def add_charge(
    sandbox: Sandbox,
    intent: StripeObject,
    method: StripeObject,
    *,
    captured: bool,
    decline: Decline | None = None,
    authenticated: bool = False,
    mandate_id: str | None = None,
) -> StripeObject:
    """Add the charge of one attempt of a payment intent: authorised, captured, declined, or a debit that is pending."""
    is_card = method["type"] == "card"
    details = _card_details(sandbox, intent, method, captured, authenticated) if is_card else _debit_details(method, mandate_id)
    return sandbox.add(
        {
            "id": sandbox.new_id("ch" if is_card else "py"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if captured else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": snapshot(method["billing_details"]),
            "calculated_statement_descriptor": sandbox.business_name.upper()[:22],
            "captured": captured,
            "created": sandbox.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": decline.message if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": _outcome(decline, is_card=is_card),
            "paid": is_card and decline is None,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": details,
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "failed" if decline else "succeeded" if is_card else "pending",
            "transfer_data": None,
            "transfer_group": None,
        }
    )


def _outcome(decline: Decline | None, *, is_card: bool) -> dict[str, Any]:
    if decline is None:
        return dict(_AUTHORIZED if is_card else _NOT_ASSESSED)
    if decline.blocked_by_stripe:
        return _AUTHORIZED | {
            "network_status": "not_sent_to_network",
            "reason": "highest_risk_level",
            "risk_level": "highest",
            "risk_score": 80,
            "seller_message": "Stripe blocked this payment as too risky.",
            "type": "blocked",
        }
    return _AUTHORIZED | {
        "advice_code": decline.advice_code,
        "network_decline_code": decline.network_decline_code,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _card_details(
    sandbox: Sandbox,
    intent: StripeObject,
    method: StripeObject,
    captured: bool,
    authenticated: bool,
) -> dict[str, Any]:
    card = method["card"]
    details: dict[str, Any] = {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "brand": card["brand"],
        "checks": dict(card["checks"]),
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": card["regulated_status"],
        "three_d_secure": _AUTHENTICATED if authenticated else None,
        "wallet": None,
    }
    if not captured:
        details["capture_before"] = sandbox.now() + AUTHORIZATION_SECONDS
    return {"card": details, "type": "card"}


def _debit_details(method: StripeObject, mandate_id: str | None) -> dict[str, Any]:
    """The account that is debited, with the mandate that allows it."""
    kind = method["type"]
    shown = {
        "sepa_debit": ("bank_code", "branch_code", "country", "fingerprint", "last4"),
        "us_bank_account": ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number"),
    }
    details = {name: method[kind][name] for name in shown[kind]} | {"mandate": mandate_id}
    if kind == "us_bank_account":
        details["payment_reference"] = None
    return {kind: details, "type": kind}


_AUTHENTICATED = {
    "authentication_flow": "challenge",
    "electronic_commerce_indicator": "05",
    "exemption_indicator": None,
    "result": "authenticated",
    "result_reason": None,
    "transaction_id": None,
    "version": "2.2.0",
}


def settle(sandbox: Sandbox, charge: StripeObject, available_on: int | None = None) -> None:
    """Book a captured charge on the balance, with its fee."""
    amount, method_type = charge["amount_captured"], charge["payment_method_details"]["type"]
    fee = balance_transactions.processing_fee(amount, charge["currency"], method_type)
    kind = "charge" if method_type == "card" else "payment"
    transaction = balance_transactions.add_transaction(sandbox, charge, kind, amount, fee, charge["description"], available_on)
    charge["balance_transaction"] = transaction["id"]


def attempt_failed(sandbox: Sandbox, intent: StripeObject, error: ApiError) -> None:
    """Leave an intent open for another payment method, with the error of the attempt that failed."""
    last_error = error.body("")["error"]
    del last_error["request_log_url"]
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": last_error,
    }
    sandbox.emit("payment_intent.payment_failed", intent)


def settle_later(sandbox: Sandbox, charge: StripeObject) -> None:
    """Book a charge after the answer was given, and tell by ``charge.updated``.

    With ``capture_method=automatic_async``, the default, ``balance_transaction`` is null in the answer and in
    ``charge.succeeded`` (https://docs.stripe.com/payments/payment-intents/asynchronous-capture).
    """

    def settle_now() -> None:
        before = snapshot(charge)
        settle(sandbox, charge)
        sandbox.emit("charge.updated", charge, before)

    sandbox.defer(settle_now)


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("charge", call.path["charge"], "id", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    charge = retrieve(sandbox, call)
    before = snapshot(charge)
    charge |= call.given("description", "receipt_email")
    if "metadata" in call.params:
        charge["metadata"] = merge_metadata(charge["metadata"], call.params["metadata"])
    if charge != before:
        sandbox.changes += 1
        sandbox.emit("charge.updated", charge, before)
    return charge


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("customer", "payment_intent")
    found = [charge for charge in sandbox.store.newest_first("charge") if wanted.items() <= charge.items()]
    return page(found, call.params, "/v1/charges")


OPERATIONS = (
    Operation("GET", "/v1/charges", list_fields(customer=Text(), payment_intent=Text()), list_all),
    Operation("GET", "/v1/charges/{charge}", object_fields(), retrieve),
    Operation(
        "POST",
        "/v1/charges/{charge}",
        object_fields(description=Text(unset=True), metadata=Metadata(), receipt_email=Text(unset=True)),
        update,
    ),
)
