"""Customers (https://docs.stripe.com/api/customers)."""

from __future__ import annotations

from typing import Any

from local.stripe_double import payment_methods
from local.stripe_double.addresses import ADDRESS, full_address
from local.stripe_double.errors import no_such
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Choice,
    ListOf,
    Metadata,
    Nested,
    Shape,
    Text,
    fields,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject

_FIELDS: dict[str, Shape] = {
    "address": ADDRESS,
    "description": Text(350, unset=True),
    "email": Text(512, unset=True),
    "invoice_settings": fields(default_payment_method=Text(unset=True)),
    "metadata": Metadata(),
    "name": Text(256, unset=True),
    "phone": Text(20, unset=True),
    "preferred_locales": ListOf(Text(16)),
    "tax_exempt": Choice(("none", "exempt", "reverse")),
}


def new_customer(sandbox: Sandbox, params: dict[str, Any]) -> StripeObject:
    """Add a customer and emit ``customer.created``."""
    customer_id = sandbox.new_id("cus")
    customer: StripeObject = {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": sandbox.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": customer_id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _apply(sandbox, customer, params)
    sandbox.add(customer)
    sandbox.emit("customer.created", customer)
    return customer


def _apply(sandbox: Sandbox, customer: StripeObject, params: dict[str, Any]) -> None:
    for name in ("description", "email", "name", "phone", "preferred_locales", "tax_exempt"):
        if name in params:
            customer[name] = params[name]
    if "address" in params:
        address = params["address"]
        customer["address"] = full_address(address) if address else None
    if "metadata" in params:
        customer["metadata"] = merge_metadata(customer["metadata"], params["metadata"])
    if "invoice_settings" in params:
        method_id = params["invoice_settings"].get("default_payment_method")
        if method_id is not None:
            payment_methods.of_customer(sandbox, method_id, customer["id"])
        customer["invoice_settings"] |= {"default_payment_method": method_id}


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    customer = new_customer(sandbox, call.params)
    if method_id := call.get("payment_method"):
        method = payment_methods.resolve(sandbox, method_id)
        payment_methods.attach_to(sandbox, method, customer)
    return customer


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    """A deleted customer is still answered, as ``{"id": …, "object": "customer", "deleted": true}``."""
    return sandbox.find("customer", call.path["customer"], "customer", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    customer = _live_in_path(sandbox, call)
    before = snapshot(customer)
    _apply(sandbox, customer, call.params)
    if customer != before:
        sandbox.changes += 1
        sandbox.emit("customer.updated", customer, before)
    return customer


def delete(sandbox: Sandbox, call: Call) -> StripeObject:
    """Delete a customer; its payment methods are detached and can't be used again."""
    customer = _live_in_path(sandbox, call)
    for method in payment_methods.methods_of(sandbox, customer["id"]):
        payment_methods.detach_from_customer(sandbox, method)
    sandbox.emit("customer.deleted", customer)
    tombstone = {"id": customer["id"], "object": "customer", "deleted": True}
    return sandbox.add(tombstone)


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    email = call.get("email")
    found = [
        customer
        for customer in sandbox.store.newest_first("customer")
        if not customer.get("deleted") and (email is None or customer["email"] == email)
    ]
    return page(found, call.params, "/v1/customers")


def list_payment_methods(sandbox: Sandbox, call: Call) -> StripeObject:
    customer = _live_in_path(sandbox, call)
    methods = payment_methods.methods_of(sandbox, customer["id"], call.get("type"))
    return page(methods, call.params, f"/v1/customers/{customer['id']}/payment_methods")


def _live_in_path(sandbox: Sandbox, call: Call) -> StripeObject:
    customer = retrieve(sandbox, call)
    if customer.get("deleted"):
        raise no_such("customer", customer["id"], "id", in_path=True)
    return customer


OPERATIONS = (
    Operation("POST", "/v1/customers", object_fields(payment_method=Text(), **_FIELDS), create),
    Operation("GET", "/v1/customers", list_fields(email=Text(512)), list_all),
    Operation("GET", "/v1/customers/{customer}", object_fields(), retrieve),
    Operation("POST", "/v1/customers/{customer}", object_fields(**_FIELDS), update),
    Operation("DELETE", "/v1/customers/{customer}", Nested({}), delete),
    Operation(
        "GET",
        "/v1/customers/{customer}/payment_methods",
        list_fields(type=Text()),
        list_payment_methods,
    ),
)
