"""Checkout sessions on a hosted page: to pay, or to save a payment method (https://docs.stripe.com/api/checkout/sessions)."""

from __future__ import annotations

from typing import Any

from local.stripe_double import debits, mandates, payment_intents, payment_methods, payments, setup_intents
from local.stripe_double.addresses import full_address
from local.stripe_double.currencies import (
    AMOUNT_MIN,
    amount_too_small,
    check_charge_amount,
    known_currency,
)
from local.stripe_double.customers import new_customer
from local.stripe_double.errors import invalid_request
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Choice,
    Integer,
    ListOf,
    Metadata,
    Text,
    fields,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject

EXPIRE = "checkout.session.expire"
LIFETIME_MIN_SECONDS = 30 * 60
LIFETIME_MAX_SECONDS = 24 * 3600


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    """Open a session.

    It expires after 24 hours, or at ``expires_at``, which lies between 30 minutes and 24 hours ahead. In payment mode its
    payment intent is made when the customer first tries to pay; in setup mode its setup intent is there at once.
    """
    _check_customer(sandbox, call)
    _check_mode(call)
    open_session = _open_for_setup if call.params["mode"] == "setup" else _open_for_payment
    session = open_session(sandbox, sandbox.new_id("cs_test"), call)
    sandbox.schedule(session["expires_at"], EXPIRE, session["id"])
    return session


def _check_mode(call: Call) -> None:
    """Refuse parameters that belong to the other mode."""
    mode = call.params["mode"]
    for name in _ONLY_IN_MODE["payment" if mode == "setup" else "setup"]:
        if name in call.params:
            raise invalid_request(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    needed = {"payment": ("line_items",), "setup": () if "payment_method_types" in call.params else ("currency",)}
    for name in needed[mode]:
        if name not in call.params:
            raise invalid_request(f"Missing required param: {name}.", param=name, code="parameter_missing")


def _open_for_payment(sandbox: Sandbox, session_id: str, call: Call) -> StripeObject:
    items = [_line_item(sandbox, index, given) for index, given in enumerate(call.params["line_items"])]
    currency = items[0]["currency"]
    if any(item["currency"] != currency for item in items):
        raise invalid_request("All line items of a Checkout Session must have the same currency.")
    total = sum(item["amount_total"] for item in items)
    if total < AMOUNT_MIN.get(currency, 1):
        raise amount_too_small("The Checkout Session's total amount due must add up to at least", currency)
    check_charge_amount(total, currency, "line_items")
    data = call.get("payment_intent_data", {})
    manual = data.get("capture_method") == "manual"
    types = payment_methods.offered_types(call.params, currency, manual_capture=manual)
    session = _new_session(sandbox, session_id, call, currency, types) | {
        "amount_subtotal": total,
        "amount_total": total,
        "invoice_creation": {"enabled": False, "invoice_data": dict(_NO_INVOICE)},
        "payment_method_collection": "if_required",
        "payment_status": "unpaid",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }
    return sandbox.add(session, line_items=items, payment_intent_data=data)


def _open_for_setup(sandbox: Sandbox, session_id: str, call: Call) -> StripeObject:
    currency = known_currency(call.params["currency"]) if "currency" in call.params else None
    types = payment_methods.offered_types(call.params, currency)
    session = sandbox.add(_new_session(sandbox, session_id, call, currency, types), line_items=[])
    data = call.get("setup_intent_data", {}) | call.given("customer") | {"payment_method_types": types}
    intent = setup_intents.new_intent(sandbox, types, data)
    session["setup_intent"] = intent["id"]
    sandbox.hidden(intent["id"])["session"] = session_id
    return session


def _check_customer(sandbox: Sandbox, call: Call) -> None:
    if "customer" in call.params and "customer_email" in call.params:
        raise invalid_request("You may only specify one of these parameters: customer, customer_email.")
    if "customer" in call.params and "customer_creation" in call.params:
        raise invalid_request("You may only specify one of these parameters: customer, customer_creation.")
    if "customer" in call.params:
        sandbox.find_live("customer", call.params["customer"], "customer")


def _expires_at(sandbox: Sandbox, call: Call) -> int:
    now = sandbox.now()
    expires_at: int = call.get("expires_at", now + LIFETIME_MAX_SECONDS)
    if expires_at < now + LIFETIME_MIN_SECONDS:
        raise invalid_request(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            param="expires_at",
        )
    if expires_at > now + LIFETIME_MAX_SECONDS:
        raise invalid_request(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return expires_at


def _line_item(sandbox: Sandbox, index: int, given: dict[str, Any]) -> StripeObject:
    data = given["price_data"]
    param = f"line_items[{index}][price_data]"
    currency = known_currency(data["currency"], f"{param}[currency]")
    amount = data["unit_amount"] * given["quantity"]
    product_data = data["product_data"]
    return {
        "id": sandbox.new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": currency,
        "description": product_data["name"],
        "metadata": merge_metadata({}, given.get("metadata")),
        "price": {
            "id": sandbox.new_id("price"),
            "object": "price",
            "active": False,  # inline prices can't be used again
            "billing_scheme": "per_unit",
            "created": sandbox.now(),
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": sandbox.new_id("prod"),
            "recurring": None,
            "tax_behavior": data.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": data["unit_amount"],
            "unit_amount_decimal": str(data["unit_amount"]),
        },
        "quantity": given["quantity"],
    }


def _new_session(sandbox: Sandbox, session_id: str, call: Call, currency: str | None, types: list[str]) -> StripeObject:
    """A session as setup mode leaves it: with no amounts."""
    customer_id = call.get("customer")
    email = call.get("customer_email")
    return {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": None,
        "amount_total": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": call.get("cancel_url"),
        "client_reference_id": call.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": sandbox.now(),
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer_id,
        "customer_account": None,
        "customer_creation": None if customer_id else call.get("customer_creation", "if_required"),
        "customer_details": _customer_details(email, None) if email else None,
        "customer_email": email,
        "discounts": [],
        "excluded_payment_method_types": [],
        "expires_at": _expires_at(sandbox, call),
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": call.get("locale"),
        "managed_payments": {"enabled": False},
        "metadata": merge_metadata({}, call.get("metadata")),
        "mode": call.params["mode"],
        "name_collection": {
            "business": {"enabled": False, "optional": False},
            "individual": {"enabled": False, "optional": False},
        },
        "optional_items": [],
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {kind: dict(_TYPE_OPTIONS[kind]) for kind in types},
        "payment_method_types": types,
        "payment_status": "no_payment_required",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": call.get("submit_type"),
        "subscription": None,
        "success_url": call.params["success_url"],
        "total_details": None,
        "ui_mode": "hosted_page",
        "url": f"{sandbox.base_url}/c/pay/{session_id}",
        "wallet_options": None,
    }


def _customer_details(email: str | None, name: str | None) -> dict[str, Any]:
    return {
        "address": full_address(None),
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def submit(sandbox: Sandbox, session: StripeObject, method: StripeObject) -> StripeObject:
    """The customer submits a card or bank account on the page of an open session; answers the session's intent.

    The first attempt to pay makes the payment intent and later ones go on with it: a declined card leaves the
    session open. Raises the card error of a decline. Submitting a bank account accepts its mandate.
    """
    payment_methods.check_offered(session["payment_method_types"], method, "Checkout Session")
    details = method["billing_details"]
    email = details["email"] or session["customer_email"]
    session["customer_details"] = _customer_details(email, details["name"])
    if payment_methods.is_debit(method):
        mandates.accept(sandbox, method)
    return_url = f"{sandbox.base_url}/c/pay/{session['id']}"
    intent = intent_of(sandbox, session) or _new_payment_intent(sandbox, session)
    if intent["object"] == "setup_intent":
        setup_intents.confirm_with(sandbox, intent, method, return_url)
    else:
        payments.confirm(sandbox, intent, method, return_url=return_url)
    if intent["status"] != "requires_action":
        complete(sandbox, session)
    return intent


def check_open(session: StripeObject, verb: str) -> None:
    if session["status"] != "open":
        raise invalid_request(
            f'Only Checkout Sessions with a status in ["open"] can be {verb}. This Checkout Session has a status of '
            f"{session['status']}."
        )


def intent_of(sandbox: Sandbox, session: StripeObject) -> StripeObject | None:
    """The setup or payment intent of a session; before the first attempt to pay there is none."""
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    return sandbox.find(kind, session[kind], kind) if session[kind] is not None else None


def _new_payment_intent(sandbox: Sandbox, session: StripeObject) -> StripeObject:
    data = sandbox.hidden(session["id"])["payment_intent_data"]
    params = {"payment_method_types": session["payment_method_types"]} | data
    wants_customer = session["customer_creation"] == "always" or "setup_future_usage" in data
    if session["customer"] is None and wants_customer:
        created = new_customer(sandbox, {"email": session["customer_email"]})
        session["customer"] = created["id"]
    if session["customer"] is not None:
        params["customer"] = session["customer"]
    intent = payment_intents.new_intent(sandbox, session["amount_total"], session["currency"], params)
    session["payment_intent"] = intent["id"]
    sandbox.hidden(intent["id"])["session"] = session["id"]
    return intent


def complete(sandbox: Sandbox, session: StripeObject) -> None:
    """The session's intent was paid, authorised, set up, or a bank debit was sent.

    ``payment_status`` stays ``unpaid`` for an authorisation and a debit, because no funds came yet.
    """
    session |= {"status": "complete", "url": None}
    intent = intent_of(sandbox, session)
    if session["mode"] == "payment" and intent is not None and intent["status"] == "succeeded":
        session["payment_status"] = "paid"
    sandbox.changes += 1
    sandbox.emit("checkout.session.completed", session)


def settle_debit(sandbox: Sandbox, intent_id: str) -> None:
    """A bank debit is paid or fails, with or without a session (https://docs.stripe.com/payments/checkout/fulfillment)."""
    intent = sandbox.find("payment_intent", intent_id, "intent")
    if intent["status"] != "processing":
        return
    debits.settle(sandbox, intent)
    session_id = sandbox.hidden(intent_id).get("session")
    if session_id is None:
        return
    session = sandbox.find("checkout.session", session_id, "session")
    if intent["status"] == "succeeded":
        session["payment_status"] = "paid"
        sandbox.emit("checkout.session.async_payment_succeeded", session)
    else:
        sandbox.emit("checkout.session.async_payment_failed", session)


def expire(sandbox: Sandbox, call: Call) -> StripeObject:
    session = retrieve(sandbox, call)
    check_open(session, "expired")
    _expire(sandbox, session)
    return session


def expire_when_due(sandbox: Sandbox, session_id: str) -> None:
    """The clock reached ``expires_at``."""
    session = sandbox.find("checkout.session", session_id, "session")
    if session["status"] == "open":
        _expire(sandbox, session)


def _expire(sandbox: Sandbox, session: StripeObject) -> None:
    session |= {"status": "expired", "url": None}
    sandbox.changes += 1
    sandbox.emit("checkout.session.expired", session)
    intent = intent_of(sandbox, session)
    if intent is not None and intent["object"] == "setup_intent":
        setup_intents.cancel_intent(sandbox, intent, "abandoned")
    elif intent is not None:
        payments.cancel(sandbox, intent, "automatic")


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("checkout.session", call.path["session"], "session", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    session = retrieve(sandbox, call)
    if "metadata" in call.params:
        session["metadata"] = merge_metadata(session["metadata"], call.params["metadata"])
        sandbox.changes += 1
    return session


def list_line_items(sandbox: Sandbox, call: Call) -> StripeObject:
    session = retrieve(sandbox, call)
    items = sandbox.hidden(session["id"])["line_items"]
    return page(items, call.params, f"/v1/checkout/sessions/{session['id']}/line_items")


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("customer", "payment_intent", "status")
    found = [session for session in sandbox.store.newest_first("checkout.session") if wanted.items() <= session.items()]
    return page(found, call.params, "/v1/checkout/sessions")


_ONLY_IN_MODE = {
    "payment": ("line_items", "payment_intent_data", "submit_type"),
    "setup": ("currency", "setup_intent_data"),
}
_TYPE_OPTIONS: dict[str, dict[str, Any]] = {
    "card": {"request_three_d_secure": "automatic"},
    "sepa_debit": {},
    "us_bank_account": {"verification_method": "automatic"},
}
_NO_INVOICE: dict[str, Any] = {
    "account_tax_ids": None,
    "custom_fields": None,
    "description": None,
    "footer": None,
    "issuer": None,
    "metadata": {},
    "rendering_options": None,
}
_PRODUCT_DATA = fields("name", name=Text(), description=Text(), metadata=Metadata())
_PRICE_DATA = fields(
    "currency product_data unit_amount",
    currency=Text(3),
    product_data=_PRODUCT_DATA,
    tax_behavior=Choice(("exclusive", "inclusive", "unspecified")),
    unit_amount=Integer(minimum=0),
)
_LINE_ITEM = fields("price_data quantity", price_data=_PRICE_DATA, quantity=Integer(1, 999_999), metadata=Metadata())
_PAYMENT_INTENT_DATA = fields(
    capture_method=Choice(payment_intents.CAPTURE_METHODS),
    description=Text(1000),
    metadata=Metadata(),
    receipt_email=Text(),
    setup_future_usage=Choice(("off_session", "on_session")),
)

OPERATIONS = (
    Operation(
        "POST",
        "/v1/checkout/sessions",
        object_fields(
            "mode success_url",
            cancel_url=Text(),
            client_reference_id=Text(200),
            customer=Text(),
            customer_creation=Choice(("always", "if_required")),
            customer_email=Text(800),
            expires_at=Integer(),
            line_items=ListOf(_LINE_ITEM),
            locale=Text(16),
            metadata=Metadata(),
            currency=Text(3),
            mode=Choice(("payment", "setup")),
            payment_intent_data=_PAYMENT_INTENT_DATA,
            payment_method_types=ListOf(Choice(payment_methods.TYPES)),
            setup_intent_data=fields(description=Text(1000), metadata=Metadata()),
            submit_type=Choice(("auto", "book", "donate", "pay", "subscribe")),
            success_url=Text(),
            ui_mode=Choice(("hosted_page",)),
        ),
        create,
    ),
    Operation(
        "GET",
        "/v1/checkout/sessions",
        list_fields(
            customer=Text(),
            payment_intent=Text(),
            status=Choice(("complete", "expired", "open")),
        ),
        list_all,
    ),
    Operation("GET", "/v1/checkout/sessions/{session}", object_fields(), retrieve),
    Operation("POST", "/v1/checkout/sessions/{session}", object_fields(metadata=Metadata()), update),
    Operation("POST", "/v1/checkout/sessions/{session}/expire", object_fields(), expire),
    Operation(
        "GET",
        "/v1/checkout/sessions/{session}/line_items",
        object_fields(limit=Integer(1, 100), starting_after=Text(), ending_before=Text()),
        list_line_items,
    ),
)
