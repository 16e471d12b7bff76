"""Refunds of captured charges (https://docs.stripe.com/api/refunds, https://docs.stripe.com/refunds).

A card refund answers ``succeeded`` at once; with the test cards for it, it is ``pending`` first or fails
later (https://docs.stripe.com/testing#refunds). A refund of a bank debit is ``pending`` for days.
"""

from __future__ import annotations

from local.stripe_double import balance_transactions, disputes, payment_methods
from local.stripe_double.clock import DAY_SECONDS
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
"""When a pending refund to a card completes, or a failing one fails, on the double's clock."""
FAILURE_REASONS = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
)
_TO_CARD = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}


def create(sandbox: Sandbox, call: Call) -> StripeObject:
    """Refund a charge, in whole or in part.

    The sum of refunds never exceeds the charge; the processing fee is not given back
    (https://docs.stripe.com/refunds#refund-fees).
    """
    charge = _charge_to_refund(sandbox, call)
    disputes.check_refundable(sandbox, charge)
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
    behaviour, due_at = _behaviour(sandbox, charge)
    pending = behaviour is RefundBehaviour.PENDING_FIRST
    is_card = charge["payment_method_details"]["type"] == "card"
    refund: StripeObject = {
        "id": sandbox.new_id("re" if is_card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "metadata": merge_metadata({}, call.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "reason": call.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    if is_card:
        refund["destination_details"] = {"card": dict(_TO_CARD), "type": "card"}
    if pending:
        refund["pending_reason"] = "processing"
    kind = "refund" if is_card else "payment_refund"
    transaction = balance_transactions.add_transaction(sandbox, refund, kind, -amount, description="REFUND FOR CHARGE")
    refund["balance_transaction"] = transaction["id"]
    before = snapshot(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    sandbox.add(refund)
    sandbox.emit("refund.created", refund)
    sandbox.emit("charge.refunded", charge, before)
    if pending:
        sandbox.schedule(due_at, COMPLETE, refund["id"])
    if behaviour is RefundBehaviour.FAILS_LATER:
        sandbox.schedule(due_at, FAIL, refund["id"])
    return refund


def _behaviour(sandbox: Sandbox, charge: StripeObject) -> tuple[RefundBehaviour, int]:
    """How a refund of the charge ends, and when. Refunds to bank accounts are transfers, which take days."""
    method = sandbox.find("payment_method", charge["payment_method"], "payment_method")
    if payment_methods.is_debit(method):
        days = payment_methods.account_of(sandbox, method).scheme.refund_after_days
        return RefundBehaviour.PENDING_FIRST, sandbox.now() + days * DAY_SECONDS
    return payment_methods.card_of(sandbox, method).refund, sandbox.now() + OUTCOME_AFTER_SECONDS


def complete(sandbox: Sandbox, refund_id: str) -> None:
    """A pending refund reaches the customer, unless the bank has taken the payment back meanwhile."""
    refund = sandbox.find("refund", refund_id, "refund")
    if refund["status"] != "pending":
        return
    if disputes.is_charged_back(sandbox, sandbox.find("charge", refund["charge"], "charge")):
        fail(sandbox, refund, "charge_for_pending_refund_disputed")
        return
    before = snapshot(refund)
    refund.pop("pending_reason", None)
    refund["status"] = "succeeded"
    _emit_updated(sandbox, refund, before)


def fail_when_due(sandbox: Sandbox, refund_id: str) -> None:
    refund = sandbox.find("refund", refund_id, "refund")
    if refund["status"] == "succeeded":
        fail(sandbox, refund, "expired_or_canceled_card")


def fail(sandbox: Sandbox, refund: StripeObject, reason: str) -> None:
    """The bank sends a refund back: the money returns to the balance and the charge's refunded amount falls.

    Source: https://docs.stripe.com/refunds#failed-refunds.
    """
    if refund["status"] not in ("pending", "succeeded"):
        raise invalid_request(f"Refund {refund['id']} has a status of {refund['status']}; it can't fail.")
    before = snapshot(refund)
    transaction = balance_transactions.add_transaction(
        sandbox, refund, "refund_failure", refund["amount"], description="REFUND FAILURE"
    )
    refund |= {
        "status": "failed",
        "failure_reason": reason,
        "failure_balance_transaction": transaction["id"],
    }
    refund.pop("pending_reason", None)
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
