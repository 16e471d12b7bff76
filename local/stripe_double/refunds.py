"""Refunds of captured charges (https://docs.stripe.com/api/refunds, https://docs.stripe.com/refunds).

A card refund answers ``succeeded`` at once; with the test cards for it, it is ``pending`` first or fails
later (https://docs.stripe.com/testing#refunds).
"""

from __future__ import annotations

from local.stripe_double import balance_transactions, payment_methods
from local.stripe_double.currencies import major_units
from local.stripe_double.errors import invalid_request
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import (
    Choice,
    Integer,
    Metadata,
    Text,
    list_fields,
    merge_metadata,
    object_fields,
)
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject
from local.stripe_double.test_cards import RefundBehaviour

COMPLETE = "refund.complete"
FAIL = "refund.fail"
OUTCOME_AFTER_SECONDS = 3600
"""When a pending refund completes, or a failing one fails, on the double's clock."""


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    """Refund a charge, in whole or in part.

    The sum of refunds never exceeds the charge; the processing fee is not given back
    (https://docs.stripe.com/refunds#refund-fees).
    """
    charge = _charge_to_refund(sandbox, call)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise invalid_request(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = call.get("amount", left)
    if amount > left:
        currency = charge["currency"]
        raise invalid_request(
            f"Refund amount ({major_units(amount, currency)} {currency}) is greater than unrefunded amount on charge "
            f"({major_units(left, currency)} {currency})",
            param="amount",
        )
    return _refund(sandbox, charge, amount, call)


def _charge_to_refund(sandbox: Sandbox, call: Call) -> StripeObject:
    if ("charge" in call.params) == ("payment_intent" in call.params):
        raise invalid_request(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    if "charge" in call.params:
        charge = sandbox.find("charge", call.params["charge"], "charge")
        if charge["status"] != "succeeded" or not charge["captured"]:
            raise invalid_request(
                f"Charge {charge['id']} is not captured and can't be refunded."
                if charge["status"] == "succeeded"
                else f"Charge {charge['id']} failed and can't be refunded.",
                param="charge",
            )
        return charge
    intent = sandbox.find("payment_intent", call.params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise invalid_request(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return sandbox.find("charge", intent["latest_charge"], "charge")


def _refund(sandbox: Sandbox, charge: StripeObject, amount: int, call: Call) -> StripeObject:
    method = sandbox.find("payment_method", charge["payment_method"], "payment_method")
    behaviour = payment_methods.card_of(sandbox, method).refund
    pending = behaviour is RefundBehaviour.PENDING_FIRST
    refund: StripeObject = {
        "id": sandbox.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": merge_metadata({}, call.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "reason": call.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    transaction = balance_transactions.add_transaction(sandbox, refund, "refund", -amount, description="REFUND FOR CHARGE")
    refund["balance_transaction"] = transaction["id"]
    before = snapshot(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    sandbox.add(refund)
    sandbox.emit("refund.created", refund)
    sandbox.emit("charge.refunded", charge, before)
    due_at = sandbox.now() + OUTCOME_AFTER_SECONDS
    if pending:
        sandbox.schedule(due_at, COMPLETE, refund["id"])
    if behaviour is RefundBehaviour.FAILS_LATER:
        sandbox.schedule(due_at, FAIL, refund["id"])
    return refund


def complete(sandbox: Sandbox, refund_id: str) -> None:
    """A pending refund reaches the card."""
    refund = sandbox.find("refund", refund_id, "refund")
    before = snapshot(refund)
    refund["status"] = "succeeded"
    _emit_updated(sandbox, refund, before)


def fail(sandbox: Sandbox, refund_id: str) -> None:
    """The bank sends a refund back: the money returns to the balance and the charge's refunded amount falls.

    Source: https://docs.stripe.com/refunds#failed-refunds.
    """
    refund = sandbox.find("refund", refund_id, "refund")
    before = snapshot(refund)
    transaction = balance_transactions.add_transaction(
        sandbox, refund, "refund_failure", refund["amount"], description="REFUND FAILURE"
    )
    refund |= {
        "status": "failed",
        "failure_reason": "expired_or_canceled_card",
        "failure_balance_transaction": transaction["id"],
    }
    charge = sandbox.find("charge", refund["charge"], "charge")
    charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
    _emit_updated(sandbox, refund, before)
    sandbox.emit("refund.failed", refund)


def _emit_updated(sandbox: Sandbox, refund: StripeObject, before: StripeObject) -> None:
    sandbox.changes += 1
    sandbox.emit("refund.updated", refund, before)
    sandbox.emit("charge.refund.updated", refund, before)


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("refund", call.path["refund"], "refund", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    """Only the metadata of a refund can be changed."""
    refund = retrieve(sandbox, call)
    before = snapshot(refund)
    if "metadata" in call.params:
        refund["metadata"] = merge_metadata(refund["metadata"], call.params["metadata"])
    if refund != before:
        _emit_updated(sandbox, refund, before)
    return refund


def cancel(sandbox: Sandbox, call: Call) -> StripeObject:
    """Card refunds can't be canceled: only those that wait for bank details of the customer can."""
    refund = retrieve(sandbox, call)
    raise invalid_request(
        f"Refund {refund['id']} can't be canceled. Only refunds with a status of requires_action can be canceled.",
        param="refund",
    )


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("charge", "payment_intent")
    found = [refund for refund in sandbox.store.newest_first("refund") if wanted.items() <= refund.items()]
    return page(found, call.params, "/v1/refunds")


OPERATIONS = (
    Operation(
        "POST",
        "/v1/refunds",
        object_fields(
            amount=Integer(minimum=1),
            charge=Text(),
            metadata=Metadata(),
            payment_intent=Text(),
            reason=Choice(("duplicate", "fraudulent", "requested_by_customer")),
        ),
        create,
    ),
    Operation("GET", "/v1/refunds", list_fields(charge=Text(), payment_intent=Text()), list_all),
    Operation("GET", "/v1/refunds/{refund}", object_fields(), retrieve),
    Operation("POST", "/v1/refunds/{refund}", object_fields(metadata=Metadata()), update),
    Operation("POST", "/v1/refunds/{refund}/cancel", object_fields(), cancel),
)
