"""Setup intents: save a payment method for later without charging it (https://docs.stripe.com/api/setup_intents)."""

from __future__ import annotations

from typing import Any

from local.stripe_double import mandates, payment_methods, payments
from local.stripe_double.errors import ApiError, invalid_request
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Boolean,
    Choice,
    ListOf,
    Metadata,
    Text,
    fields,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject
from local.stripe_double.test_cards import Authentication

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    if "customer" in call.params:
        sandbox.find_live("customer", call.params["customer"], "customer")
    types = payment_methods.offered_types(call.params, None)
    method = None
    if "payment_method" in call.params:
        method = payment_methods.resolve(sandbox, call.params["payment_method"])
        payment_methods.check_usable(sandbox, method, call.get("customer"))
        payment_methods.check_offered(types, method, "SetupIntent")
    elif call.get("confirm"):
        raise _missing_payment_method()
    intent = new_intent(sandbox, types, call.params)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        if call.get("confirm"):
            _confirm(sandbox, intent, method, call)
    return intent


def new_intent(sandbox: Sandbox, types: list[str], params: dict[str, Any]) -> StripeObject:
    """Add an intent that waits for a payment method to save, and emit ``setup_intent.created``."""
    intent_id = sandbox.new_id("seti")
    secret = sandbox.new_id("secret")
    automatic = {"allow_redirects": "always", "enabled": True} | params.get("automatic_payment_methods", {})
    intent: StripeObject = {
        "id": intent_id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": None if "payment_method_types" in params else automatic,
        "cancellation_reason": None,
        "client_secret": f"{intent_id}_{secret}",
        "created": sandbox.now(),
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "mandate": None,
        "metadata": merge_metadata({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": _type_options(types),
        "payment_method_types": types,
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }
    sandbox.add(intent)
    sandbox.emit("setup_intent.created", intent)
    return intent


def _type_options(types: list[str]) -> dict[str, Any]:
    options = payment_methods.type_options(types)
    if "card" in options:
        del options["card"]["installments"]
    return options


def _confirm(sandbox: Sandbox, intent: StripeObject, method: StripeObject, call: Call) -> None:
    if "mandate_data" in call.params and payment_methods.is_debit(method):
        mandates.accept(sandbox, method, call.params["mandate_data"]["customer_acceptance"])
    confirm_with(sandbox, intent, method, call.get("return_url"))


def confirm_with(sandbox: Sandbox, intent: StripeObject, method: StripeObject, return_url: str | None) -> None:
    """Try to save a payment method: ``succeeded``, or ``requires_action``; a declining card raises its card error."""
    payment_methods.check_usable(sandbox, method, intent["customer"])
    payment_methods.check_offered(intent["payment_method_types"], method, "SetupIntent")
    sandbox.changes += 1
    intent |= {"payment_method": method["id"], "next_action": None}
    if payment_methods.is_debit(method):
        intent["mandate"] = mandates.require(sandbox, intent, method)["id"]
        _finish(sandbox, intent, method)
        return
    card = payment_methods.card_of(sandbox, method)
    if card.authentication in (Authentication.ALWAYS, Authentication.UNLESS_SET_UP):
        _add_attempt(sandbox, intent, method, "requires_action")
        intent["status"] = "requires_action"
        intent["next_action"] = payments.authentication_action(sandbox, intent["id"], return_url)
        sandbox.emit("setup_intent.requires_action", intent)
        return
    _finish(sandbox, intent, method)


def authenticate(sandbox: Sandbox, intent: StripeObject, *, succeeds: bool) -> None:
    """The customer answers the issuer's 3-D Secure challenge."""
    if intent["status"] != "requires_action":
        raise invalid_request(
            f"This SetupIntent's status is {intent['status']}; there is nothing to authenticate.",
            code="setup_intent_unexpected_state",
        )
    sandbox.changes += 1
    intent["next_action"] = None
    method = sandbox.find("payment_method", intent["payment_method"], "payment_method")
    if succeeds:
        sandbox.hidden(method["id"])["set_up"] = True
        _finish(sandbox, intent, method)
        return
    error = invalid_request(
        "The latest attempt to set up the payment method has failed because authentication failed.",
        code="setup_intent_authentication_failure",
        payment_method=snapshot(method),
    )
    _fail(sandbox, intent, method, error)


def _finish(sandbox: Sandbox, intent: StripeObject, method: StripeObject) -> None:
    """Save the payment method to the intent's customer; a declining card fails here."""
    if refusal := payment_methods.refusal_to_save(sandbox, method):
        error = payment_methods.declined(refusal, payment_method=snapshot(method))
        _fail(sandbox, intent, method, error)
    if intent["customer"] is not None:
        customer = sandbox.find_live("customer", intent["customer"], "customer")
        payment_methods.attach_to(sandbox, method, customer)
    _add_attempt(sandbox, intent, method, "succeeded")
    intent |= {"status": "succeeded", "last_setup_error": None}
    sandbox.emit("setup_intent.succeeded", intent)


def _fail(sandbox: Sandbox, intent: StripeObject, method: StripeObject, error: ApiError) -> None:
    last_error = error.body("")["error"]
    del last_error["request_log_url"]
    _add_attempt(sandbox, intent, method, "failed", last_error)
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_setup_error": last_error,
    }
    sandbox.emit("setup_intent.setup_failed", intent)
    error.details["setup_intent"] = snapshot(intent)
    raise error


def _add_attempt(
    sandbox: Sandbox,
    intent: StripeObject,
    method: StripeObject,
    status: str,
    error: dict[str, Any] | None = None,
) -> None:
    attempt = sandbox.add(
        {
            "id": sandbox.new_id("setatt"),
            "object": "setup_attempt",
            "application": None,
            "created": sandbox.now(),
            "customer": intent["customer"],
            "customer_account": None,
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": _attempt_details(method),
            "setup_error": error,
            "setup_intent": intent["id"],
            "status": status,
            "usage": intent["usage"],
        }
    )
    intent["latest_attempt"] = attempt["id"]


def _attempt_details(method: StripeObject) -> dict[str, Any]:
    kind = method["type"]
    if payment_methods.is_debit(method):
        return {kind: {}, "type": kind}
    card = method["card"]
    shown = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    details = {name: card[name] for name in shown} | {
        "checks": dict(card["checks"]),
        "network": card["brand"],
        "three_d_secure": None,
        "wallet": None,
    }
    return {"card": details, "type": "card"}


def confirm(sandbox: Sandbox, call: Call) -> StripeObject:
    intent = retrieve(sandbox, call)
    if intent["status"] not in _OPEN:
        raise invalid_request(
            f"You cannot confirm this SetupIntent because it has already {_past(intent['status'])}.",
            code="setup_intent_unexpected_state",
            setup_intent=snapshot(intent),
        )
    method_id = call.get("payment_method") or intent["payment_method"]
    if method_id is None:
        raise _missing_payment_method()
    method = payment_methods.resolve(sandbox, method_id)
    _confirm(sandbox, intent, method, call)
    return intent


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("setup_intent", call.path["intent"], "intent", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    intent = retrieve(sandbox, call)
    intent |= call.given("description")
    if "metadata" in call.params:
        intent["metadata"] = merge_metadata(intent["metadata"], call.params["metadata"])
    sandbox.changes += 1
    return intent


def cancel(sandbox: Sandbox, call: Call) -> StripeObject:
    intent = retrieve(sandbox, call)
    if sandbox.hidden(intent["id"]).get("session"):
        raise invalid_request("You cannot cancel the SetupIntent of a Checkout Session. Expire the Checkout Session instead.")
    cancel_intent(sandbox, intent, call.get("cancellation_reason"))
    return intent


def cancel_intent(sandbox: Sandbox, intent: StripeObject, reason: str | None) -> None:
    if intent["status"] not in _OPEN:
        raise invalid_request(
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. Only a SetupIntent "
            f"with one of the following statuses may be canceled: {', '.join(_OPEN)}.",
            code="setup_intent_unexpected_state",
            setup_intent=snapshot(intent),
        )
    intent |= {
        "status": "canceled",
        "cancellation_reason": reason,
        "next_action": None,
    }
    sandbox.changes += 1
    sandbox.emit("setup_intent.canceled", intent)


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("customer", "payment_method")
    found = [intent for intent in sandbox.store.newest_first("setup_intent") if wanted.items() <= intent.items()]
    return page(found, call.params, "/v1/setup_intents")


def _past(status: str) -> str:
    return "been canceled" if status == "canceled" else status


def _missing_payment_method() -> ApiError:
    return invalid_request(
        "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a "
        "payment method and then confirm it again.",
        code="setup_intent_unexpected_state",
    )


_AUTOMATIC = fields("enabled", enabled=Boolean(), allow_redirects=Choice(("always", "never")))

OPERATIONS = (
    Operation(
        "POST",
        "/v1/setup_intents",
        object_fields(
            automatic_payment_methods=_AUTOMATIC,
            confirm=Boolean(),
            customer=Text(),
            description=Text(1000),
            metadata=Metadata(),
            payment_method=Text(),
            mandate_data=mandates.MANDATE_DATA,
            payment_method_types=ListOf(Choice(payment_methods.TYPES)),
            return_url=Text(),
            usage=Choice(("off_session", "on_session")),
        ),
        create,
    ),
    Operation("GET", "/v1/setup_intents", list_fields(customer=Text(), payment_method=Text()), list_all),
    Operation("GET", "/v1/setup_intents/{intent}", object_fields(client_secret=Text()), retrieve),
    Operation(
        "POST",
        "/v1/setup_intents/{intent}",
        object_fields(description=Text(1000), metadata=Metadata()),
        update,
    ),
    Operation(
        "POST",
        "/v1/setup_intents/{intent}/confirm",
        object_fields(mandate_data=mandates.MANDATE_DATA, payment_method=Text(), return_url=Text()),
        confirm,
    ),
    Operation(
        "POST",
        "/v1/setup_intents/{intent}/cancel",
        object_fields(cancellation_reason=Choice(("abandoned", "duplicate", "requested_by_customer"))),
        cancel,
    ),
)
