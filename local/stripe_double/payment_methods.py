"""Payment methods: cards that can be charged (https://docs.stripe.com/api/payment_methods).

``pm_card_visa`` and its kin are names for test cards. Using one makes a new payment method each time, as
in Stripe's test mode.
"""

from __future__ import annotations

import hashlib
from typing import Any

from local.stripe_double import test_cards
from local.stripe_double.addresses import BILLING_DETAILS, billing_details
from local.stripe_double.errors import ApiError, card_error, invalid_request, no_such
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Choice,
    Integer,
    Metadata,
    Text,
    fields,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject
from local.stripe_double.test_cards import Decline, TestCard

_CARD = fields(number=Text(), token=Text(), cvc=Text(4), exp_month=Integer(1, 12), exp_year=Integer(2000, 2100))


def resolve(sandbox: Sandbox, method_id: str, param: str = "payment_method") -> StripeObject:
    """A payment method by id, or a new one for a test card's name."""
    if card := test_cards.card_named(method_id):
        return new_card(sandbox, card)
    return sandbox.find("payment_method", method_id, param)


def card_of(sandbox: Sandbox, method: StripeObject) -> TestCard:
    return test_cards.CARDS[sandbox.hidden(method["id"])["card"]]


def new_card(sandbox: Sandbox, card: TestCard, billing: dict[str, Any] | None = None, **details: Any) -> StripeObject:
    """Add a card payment method that belongs to no customer yet."""
    method: StripeObject = {
        "id": sandbox.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": details.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(billing),
        "card": {
            "brand": card.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass" if details.get("cvc") else None,
            },
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": details.get("exp_month", 12),
            "exp_year": details.get("exp_year", 2034),
            "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": sandbox.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": details.get("metadata", {}),
        "type": "card",
    }
    return sandbox.add(method, card=card.name)


def declined(decline: Decline, **details: Any) -> ApiError:
    """The 402 of a decline, with the issuer's reason and Stripe's advice on retrying."""
    known = {
        "advice_code": decline.advice_code,
        "network_decline_code": decline.network_decline_code,
        "decline_code": decline.decline_code,
    }
    details |= {name: value for name, value in known.items() if value is not None}
    return card_error(decline.message, decline.code, **details)


def methods_of(sandbox: Sandbox, customer_id: str, kind: str | None = None) -> list[StripeObject]:
    return [
        method
        for method in sandbox.store.newest_first("payment_method")
        if method["customer"] == customer_id and kind in (None, method["type"])
    ]


def of_customer(sandbox: Sandbox, method_id: str, customer_id: str) -> StripeObject:
    """A payment method that is attached to a customer."""
    method = resolve(sandbox, method_id)
    if method["customer"] != customer_id:
        raise invalid_request(
            f"The customer does not have a payment method with the ID {method_id}. The payment method must be "
            "attached to the customer.",
            param="payment_method",
            code="resource_missing",
        )
    return method


def check_usable(sandbox: Sandbox, method: StripeObject, customer_id: str | None) -> None:
    """Refuse a payment method that was used up, or that is another customer's.

    A payment method that was charged without a customer, or was detached, can't be used again
    (https://docs.stripe.com/payments/payment-methods#unattached).
    """
    if method["customer"] is not None and method["customer"] != customer_id:
        if customer_id is None:
            message = (
                f"The payment method {method['id']} is attached to a Customer. You must also pass the customer "
                f"({method['customer']}) to use it."
            )
        else:
            message = "The provided PaymentMethod does not belong to the customer that was passed."
        raise invalid_request(message, param="payment_method")
    if sandbox.hidden(method["id"]).get("used_up"):
        raise invalid_request(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
            "with a connected account without Customer attachment, or was detached from a Customer. It may not be "
            "used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
            param="payment_method",
        )


def attach_to(sandbox: Sandbox, method: StripeObject, customer: StripeObject) -> None:
    """Save a payment method to a customer; the issuers of declining test cards refuse it."""
    if method["customer"] == customer["id"]:
        return
    check_usable(sandbox, method, customer["id"])
    card = card_of(sandbox, method)
    if not card.attachable and card.decline is not None:
        raise declined(card.decline)
    sandbox.changes += 1
    method["customer"] = customer["id"]
    sandbox.emit("payment_method.attached", method)


def detach_from_customer(sandbox: Sandbox, method: StripeObject) -> None:
    before = snapshot(method)
    sandbox.changes += 1
    method["customer"] = None
    sandbox.hidden(method["id"])["used_up"] = True
    sandbox.emit("payment_method.detached", method, before)


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    """Make a card from a test number or a test token; real numbers are refused."""
    given = call.params["card"]
    if "token" in given:
        card = test_cards.card_named(given["token"])
        if card is None:
            raise no_such("token", given["token"], "card[token]")
    elif {"number", "exp_month", "exp_year"} <= given.keys():
        card = test_cards.card_numbered(given["number"])
    else:
        missing = sorted({"number", "exp_month", "exp_year"} - given.keys())[0]
        raise invalid_request(
            f"Missing required param: card[{missing}].",
            param=f"card[{missing}]",
            code="parameter_missing",
        )
    details = {name: given[name] for name in ("cvc", "exp_month", "exp_year") if name in given}
    details |= call.given("allow_redisplay")
    details["metadata"] = merge_metadata({}, call.get("metadata"))
    return new_card(sandbox, card, call.get("billing_details"), **details)


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return resolve(sandbox, call.path["payment_method"]) if _is_name(call) else _in_path(sandbox, call)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    """Change billing details, metadata or the expiry of a saved card."""
    method = _in_path(sandbox, call)
    if method["customer"] is None:
        raise invalid_request("You must save this PaymentMethod to a customer before you can update it.")
    before = snapshot(method)
    if "billing_details" in call.params:
        method["billing_details"] = billing_details(method["billing_details"] | call.params["billing_details"])
    if "metadata" in call.params:
        method["metadata"] = merge_metadata(method["metadata"], call.params["metadata"])
    method["card"] |= call.get("card", {})
    method |= call.given("allow_redisplay")
    if method != before:
        sandbox.changes += 1
        sandbox.emit("payment_method.updated", method, before)
    return method


def attach(sandbox: Sandbox, call: Call) -> StripeObject:
    customer = sandbox.find_live("customer", call.params["customer"], "customer")
    method = resolve(sandbox, call.path["payment_method"]) if _is_name(call) else _in_path(sandbox, call)
    attach_to(sandbox, method, customer)
    return method


def detach(sandbox: Sandbox, call: Call) -> StripeObject:
    method = _in_path(sandbox, call)
    if method["customer"] is None:
        raise invalid_request("The payment method you provided is not attached to a customer so detachment is impossible.")
    detach_from_customer(sandbox, method)
    return method


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    """Payment methods of a customer; Stripe lists none without one."""
    customer_id = call.get("customer")
    if customer_id is not None:
        sandbox.find("customer", customer_id, "customer")
    methods = methods_of(sandbox, customer_id, call.get("type")) if customer_id else []
    return page(methods, call.params, "/v1/payment_methods")


def _is_name(call: Call) -> bool:
    return call.path["payment_method"].startswith("pm_card_")


def _in_path(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("payment_method", call.path["payment_method"], "payment_method", in_path=True)


_ALLOW_REDISPLAY = Choice(("always", "limited", "unspecified"))

OPERATIONS = (
    Operation(
        "POST",
        "/v1/payment_methods",
        object_fields(
            "type card",
            type=Choice(("card",)),
            card=_CARD,
            billing_details=BILLING_DETAILS,
            allow_redisplay=_ALLOW_REDISPLAY,
            metadata=Metadata(),
        ),
        create,
    ),
    Operation("GET", "/v1/payment_methods", list_fields(customer=Text(), type=Text()), list_all),
    Operation("GET", "/v1/payment_methods/{payment_method}", object_fields(), retrieve),
    Operation(
        "POST",
        "/v1/payment_methods/{payment_method}",
        object_fields(
            card=fields(exp_month=Integer(1, 12), exp_year=Integer(2000, 2100)),
            billing_details=BILLING_DETAILS,
            allow_redisplay=_ALLOW_REDISPLAY,
            metadata=Metadata(),
        ),
        update,
    ),
    Operation(
        "POST",
        "/v1/payment_methods/{payment_method}/attach",
        object_fields("customer", customer=Text()),
        attach,
    ),
    Operation("POST", "/v1/payment_methods/{payment_method}/detach", object_fields(), detach),
)
