"""Payment methods: cards and bank accounts that can be charged (https://docs.stripe.com/api/payment_methods).

``pm_card_visa``, ``pm_success_de`` and their kin are names for test cards and bank accounts. Using one makes a new payment
method each time, as in Stripe's test mode.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from local.stripe_double import test_cards
from local.stripe_double.addresses import BILLING_DETAILS, billing_details
from local.stripe_double.bank_accounts import (
    ACCOUNTS,
    ACH_ROUTING_NUMBER,
    SCHEMES,
    TestBankAccount,
    account_numbered,
    invalid_account,
)
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

_US_BANK_ACCOUNT = fields(
    "account_holder_type account_number routing_number",
    account_holder_type=Choice(("company", "individual")),
    account_number=Text(),
    account_type=Choice(("checking", "savings")),
    routing_number=Text(),
)

TYPES = ("card", *SCHEMES)
"""The types of payment methods that the double knows."""


def resolve(sandbox: Sandbox, method_id: str, param: str = "payment_method") -> StripeObject:
    """A payment method by id, or a new one for the name of a test card or bank account."""
    if is_test_name(method_id):
        return new_by_name(sandbox, method_id)
    return sandbox.find("payment_method", method_id, param)


def is_test_name(name: str) -> bool:
    return name in ACCOUNTS or test_cards.card_named(name) is not None


def new_by_name(sandbox: Sandbox, name: str, billing: dict[str, Any] | None = None, **details: Any) -> StripeObject:
    """A new payment method for a test card or bank account; ``resource_missing`` for other names."""
    if name in ACCOUNTS:
        return new_account(sandbox, ACCOUNTS[name], billing)
    if card := test_cards.card_named(name):
        return new_card(sandbox, card, billing, **details)
    raise no_such("PaymentMethod", name, "payment_method")


def is_debit(method: StripeObject) -> bool:
    return method["type"] in SCHEMES


def card_of(sandbox: Sandbox, method: StripeObject) -> TestCard:
    """The test card that a payment method is, with the decline that was planned for it."""
    hidden = sandbox.hidden(method["id"])
    card = test_cards.CARDS[hidden["card"]]
    if planned := hidden.get("decline_code"):
        return replace(card, decline=test_cards.DECLINES[planned], authentication=test_cards.Authentication.NEVER)
    return card


def account_of(sandbox: Sandbox, method: StripeObject) -> TestBankAccount:
    return ACCOUNTS[sandbox.hidden(method["id"])["account"]]


def behave_as(sandbox: Sandbox, method: StripeObject, name: str) -> None:
    """Let a payment method act like another test card or account of its type from now on: things change after saving."""
    hidden = sandbox.hidden(method["id"])
    sandbox.changes += 1
    card, account = test_cards.card_named(name), ACCOUNTS.get(name)
    if method["type"] == "card" and card is not None:
        hidden["card"] = card.name
        hidden.pop("decline_code", None)
    elif account is not None and account.scheme.kind == method["type"]:
        hidden["account"] = name
    else:
        raise no_such(f"test {method['type']}", name, "as")


def decline_with(sandbox: Sandbox, method: StripeObject, decline_code: str) -> None:
    """Let a saved card be declined for this reason from now on."""
    if method["type"] != "card" or decline_code not in test_cards.DECLINES:
        raise no_such("decline of a card", decline_code, "decline_code")
    sandbox.changes += 1
    sandbox.hidden(method["id"])["decline_code"] = decline_code


def offered_types(params: dict[str, Any], currency: str | None, *, manual_capture: bool = False) -> list[str]:
    """The types that a customer may pay with: the given ones, else what the Dashboard has switched on.

    Bank debits are in one currency each and can't be authorised first.
    """
    fitting = ["card", *(kind for kind, scheme in SCHEMES.items() if scheme.currency == currency and not manual_capture)]
    given: list[str] | None = params.get("payment_method_types")
    if given is None:
        return fitting
    if any(kind in SCHEMES and currency not in (None, SCHEMES[kind].currency) for kind in given):
        raise invalid_request(
            f"The currency provided ({currency}) is invalid for one or more payment method types: {', '.join(given)}.",
            param="currency",
        )
    if manual_capture and any(kind in SCHEMES for kind in given):
        raise invalid_request(
            f"The following payment method types can't be used with manual capture: {', '.join(SCHEMES)}.",
            param="payment_method_types",
        )
    return given


def type_options(types: list[str]) -> dict[str, Any]:
    """``payment_method_options`` of an intent, as they are unless others were asked for."""
    card = {"installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    options = {"card": card, "sepa_debit": {}, "us_bank_account": {"verification_method": "automatic"}}
    return {kind: options[kind] for kind in types}


def check_offered(types: list[str], method: StripeObject, intent_kind: str = "PaymentIntent") -> None:
    """Refuse a payment method of a type that an intent does not take."""
    if method["type"] not in types:
        raise invalid_request(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {intent_kind}. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(types)}.",
            param="payment_method",
        )


def save_or_use_up(sandbox: Sandbox, intent: StripeObject, method: StripeObject) -> None:
    """A payment method that pays is saved when that was asked for; otherwise it can't be used again."""
    if method["customer"] is not None:
        return
    if intent["customer"] is not None and intent["setup_future_usage"] is not None:
        customer = sandbox.find_live("customer", intent["customer"], "customer")
        attach_to(sandbox, method, customer)
    else:
        sandbox.hidden(method["id"])["used_up"] = True


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


def new_account(
    sandbox: Sandbox, account: TestBankAccount, billing: dict[str, Any] | None = None, **details: Any
) -> StripeObject:
    """Add a bank account that belongs to no customer yet, verified as on a page of Stripe's."""
    kind = account.scheme.kind
    fingerprint = hashlib.sha256(account.number.encode()).hexdigest()[:16]
    members: dict[str, dict[str, Any]] = {
        "sepa_debit": {
            "bank_code": account.number[4:12],
            "branch_code": "",
            "country": account.country,
            "fingerprint": fingerprint,
            "generated_from": {"charge": None, "setup_attempt": None},
            "last4": account.last4,
        },
        "us_bank_account": {
            "account_holder_type": details.get("account_holder_type", "individual"),
            "account_type": details.get("account_type", "checking"),
            "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": None,
            "fingerprint": fingerprint,
            "last4": account.last4,
            "networks": {"preferred": "ach", "supported": ["ach"]},
            "routing_number": ACH_ROUTING_NUMBER,
            "status_details": {},
        },
    }
    method: StripeObject = {
        "id": sandbox.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": details.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(billing),
        "created": sandbox.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": details.get("metadata", {}),
        kind: members[kind],
        "type": kind,
    }
    return sandbox.add(method, account=account.token)


def refusal_to_save(sandbox: Sandbox, method: StripeObject) -> Decline | None:
    """Why the issuer refuses to save a card, if it does."""
    if is_debit(method):
        return None
    card = card_of(sandbox, method)
    return None if card.attachable else card.decline


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
    if refusal := refusal_to_save(sandbox, method):
        raise declined(refusal)
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
    """Make a card or bank account from a test number or token; real numbers are refused."""
    kind = call.params["type"]
    if kind not in call.params:
        raise invalid_request(f"Missing required param: {kind}.", param=kind, code="parameter_missing")
    details = call.given("allow_redisplay") | {"metadata": merge_metadata({}, call.get("metadata"))}
    return _MAKERS[kind](sandbox, call.params[kind], call.get("billing_details"), details)


def _make_card(sandbox: Sandbox, given: dict[str, Any], billing: dict[str, Any] | None, details: dict[str, Any]) -> StripeObject:
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
    details |= {name: given[name] for name in ("cvc", "exp_month", "exp_year") if name in given}
    return new_card(sandbox, card, billing, **details)


def _make_sepa(sandbox: Sandbox, given: dict[str, Any], billing: dict[str, Any] | None, details: dict[str, Any]) -> StripeObject:
    account = account_numbered(given["iban"], "sepa_debit[iban]")
    for name in ("name", "email"):
        if not (billing or {}).get(name):
            param = f"billing_details[{name}]"
            raise invalid_request(f"Missing required param: {param}.", param=param, code="parameter_missing")
    return new_account(sandbox, account, billing, **details)


def _make_ach(sandbox: Sandbox, given: dict[str, Any], billing: dict[str, Any] | None, details: dict[str, Any]) -> StripeObject:
    account = account_numbered(given["account_number"], "us_bank_account[account_number]")
    if given["routing_number"] != ACH_ROUTING_NUMBER:
        raise invalid_account("us_bank_account[routing_number]")
    holder = {name: given[name] for name in ("account_holder_type", "account_type") if name in given}
    return new_account(sandbox, account, billing, **details, **holder)


_MAKERS = {"card": _make_card, "sepa_debit": _make_sepa, "us_bank_account": _make_ach}


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
    if "card" in call.params:
        if is_debit(method):
            raise invalid_request("You can't update the card of a bank account.", param="card")
        method["card"] |= call.params["card"]
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
    return is_test_name(call.path["payment_method"])


def _in_path(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("payment_method", call.path["payment_method"], "payment_method", in_path=True)


_ALLOW_REDISPLAY = Choice(("always", "limited", "unspecified"))

OPERATIONS = (
    Operation(
        "POST",
        "/v1/payment_methods",
        object_fields(
            "type",
            type=Choice(TYPES),
            card=_CARD,
            sepa_debit=fields("iban", iban=Text()),
            us_bank_account=_US_BANK_ACCOUNT,
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
