"""How a payment intent moves from one status to the next.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle. The order of events is that of a real card
payment: ``charge.succeeded`` before ``payment_intent.succeeded``, ``charge.updated`` after the answer.
"""

from __future__ import annotations

from typing import Any

from local.stripe_double import charges, debits, disputes, payment_methods
from local.stripe_double.errors import ApiError, invalid_request
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject
from local.stripe_double.test_cards import (
    AUTHENTICATION_REQUIRED,
    Authentication,
    Decline,
    TestCard,
)

EXPIRE_AUTHORIZATION = "payment_intent.expire_authorization"
CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
)
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def confirm(
    sandbox: Sandbox,
    intent: StripeObject,
    method: StripeObject,
    *,
    off_session: bool = False,
    return_url: str | None = None,
) -> None:
    """Try to pay an intent with a payment method.

    Leaves the intent ``succeeded``, ``requires_capture`` or ``requires_action``, a bank debit ``processing``; a decline
    leaves it ``requires_payment_method`` and raises the card error of the answer.
    """
    if intent["status"] not in CONFIRMABLE:
        raise cannot_confirm(intent)
    payment_methods.check_usable(sandbox, method, intent["customer"])
    payment_methods.check_offered(intent["payment_method_types"], method)
    sandbox.changes += 1
    intent["payment_method"] = method["id"]
    intent["next_action"] = None
    if payment_methods.is_debit(method):
        debits.start(sandbox, intent, method)
        return
    card = payment_methods.card_of(sandbox, method)
    if needs_authentication(sandbox, method, off_session):
        if off_session:
            _decline(sandbox, intent, method, AUTHENTICATION_REQUIRED)
        _ask_for_authentication(sandbox, intent, return_url)
        return
    _charge(sandbox, intent, method, card, authenticated=False)


def authenticate(sandbox: Sandbox, intent: StripeObject, *, succeeds: bool) -> None:
    """The customer answers the issuer's 3-D Secure challenge of an intent in ``requires_action``."""
    if intent["status"] != "requires_action":
        raise invalid_request(
            f"This PaymentIntent's status is {intent['status']}; there is nothing to authenticate.",
            code="payment_intent_unexpected_state",
        )
    sandbox.changes += 1
    intent["next_action"] = None
    method = sandbox.find("payment_method", intent["payment_method"], "payment_method")
    if succeeds:
        sandbox.hidden(method["id"])["set_up"] = intent["setup_future_usage"] == "off_session"
        card = payment_methods.card_of(sandbox, method)
        _charge(sandbox, intent, method, card, authenticated=True)
        return
    # A failed authentication never reaches the issuer: there is no charge.
    error = invalid_request(
        "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
        "PaymentMethod to attempt to fulfill this PaymentIntent again.",
        code="payment_intent_authentication_failure",
        payment_method=snapshot(method),
    )
    _fail(sandbox, intent, error)


def needs_authentication(sandbox: Sandbox, method: StripeObject, off_session: bool) -> bool:
    """Whether the issuer wants the cardholder to take part in this payment."""
    rule = payment_methods.card_of(sandbox, method).authentication
    if rule is Authentication.UNLESS_SET_UP:
        return not sandbox.hidden(method["id"]).get("set_up", False)
    if rule is Authentication.ON_SESSION_ONLY:
        return not off_session
    return rule is Authentication.ALWAYS


def capture(sandbox: Sandbox, intent: StripeObject, amount: int | None) -> None:
    """Take an authorised amount, or less; what is left is released (https://docs.stripe.com/api/payment_intents/capture)."""
    if intent["status"] != "requires_capture":
        raise invalid_request(
            f"This PaymentIntent could not be captured because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be captured: requires_capture.",
            code="payment_intent_unexpected_state",
            payment_intent=snapshot(intent),
        )
    amount = intent["amount_capturable"] if amount is None else amount
    if amount > intent["amount_capturable"]:
        raise invalid_request(
            f"The amount to capture ({amount}) is greater than the capturable amount of this PaymentIntent "
            f"({intent['amount_capturable']}).",
            param="amount_to_capture",
            code="amount_too_large",
        )
    charge = sandbox.find("charge", intent["latest_charge"], "charge")
    charge |= {
        "captured": True,
        "amount_captured": amount,
        # Stripe shows the released remainder as refunded.
        "amount_refunded": charge["amount"] - amount,
    }
    charge["payment_method_details"]["card"].pop("capture_before", None)
    intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    sandbox.changes += 1
    _settle(sandbox, intent, charge)
    _dispute_later(sandbox, charge)
    sandbox.emit("charge.captured", charge)
    sandbox.emit("payment_intent.succeeded", intent)


def cancel(sandbox: Sandbox, intent: StripeObject, reason: str | None) -> None:
    """Cancel an intent; an authorised amount is released (https://docs.stripe.com/api/payment_intents/cancel)."""
    if intent["status"] not in CANCELABLE and not debits.can_cancel(sandbox, intent):
        raise invalid_request(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
            code="payment_intent_unexpected_state",
            payment_intent=snapshot(intent),
        )
    if intent["status"] == "processing":
        debits.cancel(sandbox, intent)
    if intent["status"] == "requires_capture":
        charge = sandbox.find("charge", intent["latest_charge"], "charge")
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        sandbox.emit("charge.expired" if reason == "expired" else "charge.refunded", charge)
    intent |= {
        "status": "canceled",
        "canceled_at": sandbox.now(),
        "cancellation_reason": reason,
        "amount_capturable": 0,
        "next_action": None,
    }
    sandbox.changes += 1
    sandbox.emit("payment_intent.canceled", intent)


def expire_authorization(sandbox: Sandbox, intent_id: str) -> None:
    """Release an authorisation that was not captured in time."""
    intent = sandbox.find("payment_intent", intent_id, "payment_intent")
    if intent["status"] == "requires_capture":
        cancel(sandbox, intent, "expired")


def _charge(
    sandbox: Sandbox,
    intent: StripeObject,
    method: StripeObject,
    card: TestCard,
    *,
    authenticated: bool,
) -> None:
    if card.decline is not None:
        _decline(sandbox, intent, method, card.decline, authenticated=authenticated)
    payment_methods.save_or_use_up(sandbox, intent, method)
    manual = intent["capture_method"] == "manual"
    charge = charges.add_charge(sandbox, intent, method, captured=not manual, authenticated=authenticated)
    intent |= {"latest_charge": charge["id"], "last_payment_error": None}
    if manual:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        due_at = sandbox.now() + charges.AUTHORIZATION_SECONDS
        sandbox.schedule(due_at, EXPIRE_AUTHORIZATION, intent["id"])
        sandbox.emit("charge.succeeded", charge)
        sandbox.emit("payment_intent.amount_capturable_updated", intent)
        return
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    _settle(sandbox, intent, charge)
    _dispute_later(sandbox, charge)
    sandbox.emit("charge.succeeded", charge)
    sandbox.emit("payment_intent.succeeded", intent)


def _settle(sandbox: Sandbox, intent: StripeObject, charge: StripeObject) -> None:
    if intent["capture_method"] == "automatic_async":
        charges.settle_later(sandbox, charge)
    else:
        charges.settle(sandbox, charge)


def _dispute_later(sandbox: Sandbox, charge: StripeObject) -> None:
    """Some test cards dispute what was taken from them, right after the answer."""
    method = sandbox.find("payment_method", charge["payment_method"], "payment_method")
    if planned := payment_methods.card_of(sandbox, method).dispute:
        sandbox.defer(lambda: disputes.open_on(sandbox, charge, planned.reason, inquiry=planned.inquiry))


def _ask_for_authentication(sandbox: Sandbox, intent: StripeObject, return_url: str | None) -> None:
    intent["status"] = "requires_action"
    intent["next_action"] = authentication_action(sandbox, intent["id"], return_url)
    sandbox.emit("payment_intent.requires_action", intent)


def authentication_action(sandbox: Sandbox, intent_id: str, return_url: str | None) -> dict[str, Any]:
    """``next_action``: a page of the double when the customer can come back, a blob for Stripe.js otherwise."""
    if return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    page_url = f"{sandbox.base_url}/authenticate/{intent_id}"
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": return_url, "url": page_url},
    }


def _decline(
    sandbox: Sandbox,
    intent: StripeObject,
    method: StripeObject,
    decline: Decline,
    *,
    authenticated: bool = False,
) -> None:
    charge = charges.add_charge(sandbox, intent, method, captured=False, decline=decline, authenticated=authenticated)
    charge["payment_method_details"]["card"].pop("capture_before", None)
    intent["latest_charge"] = charge["id"]
    sandbox.emit("charge.failed", charge)
    error = payment_methods.declined(decline, charge=charge["id"], payment_method=snapshot(method))
    _fail(sandbox, intent, error)


def _fail(sandbox: Sandbox, intent: StripeObject, error: ApiError) -> None:
    """Leave the intent open for another payment method, and raise the error with the intent inside."""
    charges.attempt_failed(sandbox, intent, error)
    error.details["payment_intent"] = snapshot(intent)
    raise error


def cannot_confirm(intent: StripeObject) -> ApiError:
    """The refusal to confirm an intent that is paid or canceled."""
    reasons = {
        "succeeded": "it has already succeeded after being previously confirmed",
        "requires_capture": "it has already succeeded after being previously confirmed",
    }
    reason = reasons.get(intent["status"], f"it has a status of {intent['status']}")
    return invalid_request(
        f"You cannot confirm this PaymentIntent because {reason}.",
        code="payment_intent_unexpected_state",
        payment_intent=snapshot(intent),
    )
