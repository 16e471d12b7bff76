"""Payment intents (https://docs.stripe.com/api/payment_intents)."""

from __future__ import annotations

from typing import Any

from local.stripe_double import mandates, payment_methods, payments, searches
from local.stripe_double.currencies import check_charge_amount, known_currency
from local.stripe_double.errors import ApiError, invalid_request
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Boolean,
    Choice,
    Either,
    Integer,
    ListOf,
    Metadata,
    Shape,
    Text,
    fields,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject

CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
_ONLY_WITH_CONFIRM = ("mandate_data", "off_session", "return_url")
_ALWAYS_CHANGEABLE = {"description", "expand", "metadata"}


def new_intent(sandbox: Sandbox, amount: int, currency: str, params: dict[str, Any]) -> StripeObject:
    """Add an intent that waits for a payment method, and emit ``payment_intent.created``."""
    intent_id = sandbox.new_id("pi")
    secret = sandbox.new_id("secret")
    types = _types(params, currency)
    intent: StripeObject = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": _automatic_payment_methods(params),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_{secret}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": sandbox.now(),
        "currency": currency,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": merge_metadata({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": payment_methods.type_options(types),
        "payment_method_types": types,
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    sandbox.add(intent)
    sandbox.emit("payment_intent.created", intent)
    return intent


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    """Add an intent and, with ``confirm``, pay it at once."""
    currency = known_currency(call.params["currency"])
    check_charge_amount(call.params["amount"], currency)
    _check_creation(sandbox, call)
    types = _types(call.params, currency)
    method = None
    if "payment_method" in call.params:
        method = payment_methods.resolve(sandbox, call.params["payment_method"])
        payment_methods.check_usable(sandbox, method, call.get("customer"))
        payment_methods.check_offered(types, method)
    intent = new_intent(sandbox, call.params["amount"], currency, call.params)
    if method is not None:
        _offer(intent, method)
        if call.get("confirm"):
            _confirm(sandbox, intent, method, call)
    return intent


def _types(params: dict[str, Any], currency: str) -> list[str]:
    return payment_methods.offered_types(params, currency, manual_capture=params.get("capture_method") == "manual")


def _check_creation(sandbox: Sandbox, call: Call) -> None:
    """Refuse combinations before anything is made: Stripe leaves no intent behind then."""
    if "automatic_payment_methods" in call.params and "payment_method_types" in call.params:
        raise invalid_request("You may only specify one of these parameters: automatic_payment_methods, payment_method_types.")
    if "customer" in call.params:
        sandbox.find_live("customer", call.params["customer"], "customer")
    if call.get("confirm"):
        if "payment_method" not in call.params:
            raise _missing_payment_method()
        _require_return_url(_automatic_payment_methods(call.params), call)
        return
    for name in _ONLY_WITH_CONFIRM:
        if name in call.params:
            raise invalid_request(f"You can only pass {name} when confirm is true.", param=name)


def _automatic_payment_methods(params: dict[str, Any]) -> dict[str, Any] | None:
    """On unless the types are named (https://docs.stripe.com/api/payment_intents/create)."""
    if "payment_method_types" in params:
        return None
    given: dict[str, Any] = params.get("automatic_payment_methods", {})
    return {"allow_redirects": "always", "enabled": True} | given


def _offer(intent: StripeObject, method: StripeObject) -> None:
    intent |= {"payment_method": method["id"], "status": "requires_confirmation"}


def _confirm(sandbox: Sandbox, intent: StripeObject, method: StripeObject, call: Call) -> None:
    if "mandate_data" in call.params and payment_methods.is_debit(method):
        mandates.accept(sandbox, method, call.params["mandate_data"]["customer_acceptance"])
    payments.confirm(
        sandbox,
        intent,
        method,
        off_session=bool(call.get("off_session", False)),
        return_url=call.get("return_url"),
    )


def _require_return_url(automatic: dict[str, Any] | None, call: Call) -> None:
    """Dashboard-managed methods may redirect, so Stripe wants to know where to.

    It is the error that integrations meet most often when they confirm on the server
    (https://docs.stripe.com/payments/accept-a-payment-deferred); off-session payments can't redirect.
    """
    if automatic is None or not automatic["enabled"] or automatic["allow_redirects"] == "never":
        return
    if "return_url" in call.params or call.get("off_session"):
        return
    raise invalid_request(
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
        "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't "
        "want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
    )


def confirm(sandbox: Sandbox, call: Call) -> StripeObject:
    intent = retrieve(sandbox, call)
    if "payment_method" in call.params:
        method = payment_methods.resolve(sandbox, call.params["payment_method"])
    elif intent["payment_method"] is not None:
        method = sandbox.find("payment_method", intent["payment_method"], "payment_method")
    elif intent["status"] in payments.CONFIRMABLE:
        raise _missing_payment_method()
    else:
        raise payments.cannot_confirm(intent)
    if intent["status"] in payments.CONFIRMABLE:
        _require_return_url(intent["automatic_payment_methods"], call)
    if "setup_future_usage" in call.params:
        intent["setup_future_usage"] = call.params["setup_future_usage"]
    if "receipt_email" in call.params:
        intent["receipt_email"] = call.params["receipt_email"]
    _confirm(sandbox, intent, method, call)
    return intent


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("payment_intent", call.path["intent"], "intent", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    """Change an intent; once it is paid or canceled only its description and metadata."""
    intent = retrieve(sandbox, call)
    frozen = call.params.keys() - _ALWAYS_CHANGEABLE
    if frozen and intent["status"] not in payments.CONFIRMABLE:
        raise invalid_request(
            f"This PaymentIntent's {sorted(frozen)[0]} could not be updated because it has a status of "
            f"{intent['status']}. You may only update the {sorted(frozen)[0]} of a PaymentIntent with one of the "
            f"following statuses: {', '.join(payments.CONFIRMABLE)}.",
            param=sorted(frozen)[0],
            code="payment_intent_unexpected_state",
            payment_intent=snapshot(intent),
        )
    amount = call.get("amount", intent["amount"])
    currency = known_currency(call.get("currency", intent["currency"]))
    check_charge_amount(amount, currency)
    if call.get("customer") is not None:
        sandbox.find_live("customer", call.params["customer"], "customer")
    intent |= call.given("customer", "description", "receipt_email", "setup_future_usage", "capture_method")
    intent |= {"amount": amount, "currency": currency}
    if "metadata" in call.params:
        intent["metadata"] = merge_metadata(intent["metadata"], call.params["metadata"])
    if "payment_method" in call.params:
        method = payment_methods.resolve(sandbox, call.params["payment_method"])
        payment_methods.check_usable(sandbox, method, intent["customer"])
        payment_methods.check_offered(intent["payment_method_types"], method)
        _offer(intent, method)
    sandbox.changes += 1
    return intent


def capture(sandbox: Sandbox, call: Call) -> StripeObject:
    intent = retrieve(sandbox, call)
    if "metadata" in call.params:
        intent["metadata"] = merge_metadata(intent["metadata"], call.params["metadata"])
    payments.capture(sandbox, intent, call.get("amount_to_capture"))
    return intent


def cancel(sandbox: Sandbox, call: Call) -> StripeObject:
    intent = retrieve(sandbox, call)
    if sandbox.hidden(intent["id"]).get("session"):
        raise invalid_request("You cannot cancel the PaymentIntent of a Checkout Session. Expire the Checkout Session instead.")
    payments.cancel(sandbox, intent, call.get("cancellation_reason"))
    return intent


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("customer")
    found = [intent for intent in sandbox.store.newest_first("payment_intent") if wanted.items() <= intent.items()]
    return page(found, call.params, "/v1/payment_intents")


def search(sandbox: Sandbox, call: Call) -> StripeObject:
    """Payment intents that a query finds, newest first; ``page`` is the id that the page before ended with."""
    found = searches.search(list(sandbox.store.newest_first("payment_intent")), call.params["query"])
    start = next((index + 1 for index, intent in enumerate(found) if intent["id"] == call.get("page")), 0)
    end = start + call.get("limit", 10)
    has_more = len(found) > end
    return {
        "object": "search_result",
        "data": found[start:end],
        "has_more": has_more,
        "next_page": found[end - 1]["id"] if has_more else None,
        "url": "/v1/payment_intents/search",
    }


def _missing_payment_method() -> ApiError:
    return invalid_request(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
        "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
        "method or ConfirmationToken.",
        code="payment_intent_unexpected_state",
    )


_OFF_SESSION = Either(Boolean(), Choice(("one_off", "recurring")))
_FUTURE_USAGE = Choice(("off_session", "on_session"))
_AUTOMATIC = fields("enabled", enabled=Boolean(), allow_redirects=Choice(("always", "never")))
_CHANGEABLE: dict[str, Shape] = {
    "customer": Text(),
    "description": Text(1000, unset=True),
    "metadata": Metadata(),
    "payment_method": Text(),
    "receipt_email": Text(unset=True),
    "setup_future_usage": _FUTURE_USAGE,
    "capture_method": Choice(CAPTURE_METHODS),
}

OPERATIONS = (
    Operation(
        "POST",
        "/v1/payment_intents",
        object_fields(
            "amount currency",
            amount=Integer(minimum=1),
            automatic_payment_methods=_AUTOMATIC,
            confirm=Boolean(),
            confirmation_method=Choice(("automatic", "manual")),
            currency=Text(3),
            off_session=_OFF_SESSION,
            mandate_data=mandates.MANDATE_DATA,
            payment_method_types=ListOf(Choice(payment_methods.TYPES)),
            return_url=Text(),
            **_CHANGEABLE,
        ),
        create,
    ),
    Operation("GET", "/v1/payment_intents", list_fields(customer=Text()), list_all),
    Operation(
        "GET",
        "/v1/payment_intents/search",
        object_fields("query", limit=Integer(1, 100), page=Text(), query=Text()),
        search,
    ),
    Operation("GET", "/v1/payment_intents/{intent}", object_fields(client_secret=Text()), retrieve),
    Operation(
        "POST",
        "/v1/payment_intents/{intent}",
        object_fields(amount=Integer(minimum=1), currency=Text(3), **_CHANGEABLE),
        update,
    ),
    Operation(
        "POST",
        "/v1/payment_intents/{intent}/confirm",
        object_fields(
            mandate_data=mandates.MANDATE_DATA,
            off_session=_OFF_SESSION,
            payment_method=Text(),
            receipt_email=Text(unset=True),
            return_url=Text(),
            setup_future_usage=_FUTURE_USAGE,
        ),
        confirm,
    ),
    Operation(
        "POST",
        "/v1/payment_intents/{intent}/capture",
        object_fields(amount_to_capture=Integer(minimum=1), metadata=Metadata()),
        capture,
    ),
    Operation(
        "POST",
        "/v1/payment_intents/{intent}/cancel",
        object_fields(cancellation_reason=Choice(("duplicate", "fraudulent", "requested_by_customer", "abandoned"))),
        cancel,
    ),
)
