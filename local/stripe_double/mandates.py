"""Mandates: a customer's permission to debit a bank account (https://docs.stripe.com/api/mandates)."""

from __future__ import annotations

from typing import Any

from local.stripe_double.errors import invalid_request
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import Choice, Integer, Nested, Text, fields, object_fields
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject

_PAGE_VISIT = {"ip_address": "127.0.0.1", "user_agent": "stripe-double"}


def accept(sandbox: Sandbox, method: StripeObject, acceptance: dict[str, Any] | None = None) -> StripeObject:
    """The customer accepts a mandate: on a page of the double, or elsewhere, as ``mandate_data`` tells.

    It becomes the payment method's mandate, for this and all later debits.
    """
    given = {"type": "online", "online": _PAGE_VISIT} | (acceptance or {})
    kind = method["type"]
    mandate_id = sandbox.new_id("mandate")
    details: dict[str, dict[str, Any]] = {
        "sepa_debit": {"reference": mandate_id[-16:].upper(), "url": f"{sandbox.base_url}/mandates/{mandate_id}"},
        "us_bank_account": {},
    }
    sandbox.hidden(method["id"])["mandate"] = mandate_id
    return sandbox.add(
        {
            "id": mandate_id,
            "object": "mandate",
            "customer_acceptance": {"accepted_at": sandbox.now()} | given,
            "livemode": False,
            "multi_use": {},
            "payment_method": method["id"],
            "payment_method_details": {kind: details[kind], "type": kind},
            "status": "active",
            "type": "multi_use",
        }
    )


def active_of(sandbox: Sandbox, method: StripeObject) -> StripeObject | None:
    """The mandate under which a bank account may be debited, if there is one."""
    mandate_id = sandbox.hidden(method["id"]).get("mandate")
    if mandate_id is None:
        return None
    mandate = sandbox.find("mandate", mandate_id, "mandate")
    return mandate if mandate["status"] == "active" else None


def require(sandbox: Sandbox, intent: StripeObject, method: StripeObject) -> StripeObject:
    """The active mandate; without one the payment or setup intent waits to be confirmed again, with ``mandate_data``."""
    mandate = active_of(sandbox, method)
    if mandate is None:
        intent["status"] = "requires_confirmation"
        kind = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        error = invalid_request(
            f"This {kind} requires a mandate, but no existing mandate was found. Collect mandate acceptance from the "
            "customer and try again, providing acceptance data in the mandate_data parameter.",
        )
        error.details[intent["object"]] = snapshot(intent)
        raise error
    return mandate


def end(sandbox: Sandbox, method: StripeObject) -> None:
    """A dispute takes the permission back; the next debit needs a new one."""
    mandate = active_of(sandbox, method)
    if mandate is not None:
        before = snapshot(mandate)
        mandate["status"] = "inactive"
        sandbox.changes += 1
        sandbox.emit("mandate.updated", mandate, before)


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("mandate", call.path["mandate"], "mandate", in_path=True)


MANDATE_DATA = fields(
    "customer_acceptance",
    customer_acceptance=fields(
        "type",
        accepted_at=Integer(),
        offline=Nested({}),
        online=fields("ip_address user_agent", ip_address=Text(), user_agent=Text()),
        type=Choice(("offline", "online")),
    ),
)
"""``mandate_data`` of a confirmation on the server (https://docs.stripe.com/api/payment_intents/confirm)."""

OPERATIONS = (Operation("GET", "/v1/mandates/{mandate}", object_fields(), retrieve),)
