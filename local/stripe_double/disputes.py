"""Disputes: a customer takes a payment back through the bank (https://docs.stripe.com/api/disputes).

A card dispute takes the money and a fee at once and waits for evidence; an inquiry takes nothing yet. A dispute of a bank
debit is lost as soon as it comes (https://docs.stripe.com/payments/sepa-debit, https://docs.stripe.com/payments/ach-direct-debit).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from local.stripe_double import balance_transactions, mandates
from local.stripe_double.bank_accounts import SCHEMES
from local.stripe_double.clock import DAY_SECONDS
from local.stripe_double.errors import ApiError, invalid_request
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import Boolean, Metadata, Shape, Text, fields, list_fields, merge_metadata, object_fields
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject

LAPSE = "dispute.lapse"
EVIDENCE_DAYS = 14
"""How long a dispute waits for evidence; networks give 7 to 21 days (https://docs.stripe.com/disputes/how-disputes-work)."""
INQUIRY_DAYS = 120
"""After so long without escalation an inquiry closes by itself."""

REASONS = (
    "bank_cannot_process",
    "check_returned",
    "credit_not_processed",
    "customer_initiated",
    "debit_not_authorized",
    "duplicate",
    "fraudulent",
    "general",
    "incorrect_account_details",
    "insufficient_funds",
    "noncompliant",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)

_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1", "product_unacceptable": "13.3", "duplicate": "12.6.1"}
"""Visa's codes for some reasons."""
_UNDER_REVIEW = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}
_OPEN = {*_UNDER_REVIEW, *_UNDER_REVIEW.values()}
_TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)
_FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)


class Outcome(StrEnum):
    """What becomes of an open dispute."""

    WON = "won"
    LOST = "lost"
    WARNING_CLOSED = "warning_closed"
    """An inquiry ends without a dispute."""
    ESCALATED = "escalated"
    """An inquiry becomes a dispute: now the money is taken."""


_EVIDENCE_DECIDES = {
    "winning_evidence": (Outcome.WON, Outcome.WARNING_CLOSED),
    "losing_evidence": (Outcome.LOST, Outcome.WARNING_CLOSED),
    "escalate_inquiry_evidence": (None, Outcome.ESCALATED),
}
"""Texts that decide a test dispute, and what they make of a dispute and of an inquiry (https://docs.stripe.com/testing#disputes)."""


def open_on(
    sandbox: Sandbox,
    charge: StripeObject,
    reason: str,
    *,
    amount: int | None = None,
    inquiry: bool = False,
) -> StripeObject:
    """The customer disputes a charge; without an amount, all that was captured."""
    _check_disputable(charge, amount)
    scheme = SCHEMES.get(charge["payment_method_details"]["type"])
    inquiry = inquiry and scheme is None
    dispute = sandbox.add(_new_dispute(sandbox, charge, reason, amount or charge["amount_captured"], inquiry))
    charge["disputed"] = True
    if scheme is not None:
        dispute["status"] = "lost"
        _withdraw(sandbox, dispute)
        sandbox.emit("charge.dispute.created", dispute)
        sandbox.emit("charge.dispute.funds_withdrawn", dispute)
        sandbox.emit("charge.dispute.closed", dispute)
        if scheme.dispute_ends_mandate:
            mandates.end(sandbox, sandbox.find("payment_method", charge["payment_method"], "payment_method"))
        return dispute
    if not inquiry:
        _withdraw(sandbox, dispute)
    sandbox.emit("charge.dispute.created", dispute)
    if not inquiry:
        sandbox.emit("charge.dispute.funds_withdrawn", dispute)
    wait_days = INQUIRY_DAYS if inquiry else EVIDENCE_DAYS
    sandbox.schedule(dispute["created"] + wait_days * DAY_SECONDS, LAPSE, dispute["id"])
    return dispute


def _check_disputable(charge: StripeObject, amount: int | None) -> None:
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid_request(f"Charge {charge['id']} took no money; there is nothing to dispute.")
    if charge["disputed"]:
        raise invalid_request(f"Charge {charge['id']} is disputed already.")
    if amount is not None and not 0 < amount <= charge["amount_captured"]:
        raise invalid_request(f"A dispute of {charge['id']} is of 1 to {charge['amount_captured']} minor units.")


def _new_dispute(sandbox: Sandbox, charge: StripeObject, reason: str, amount: int, inquiry: bool) -> StripeObject:
    details = charge["payment_method_details"]
    is_card = details["type"] == "card"
    dispute: StripeObject = {
        "id": sandbox.new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys((*_TEXTS, *_FILES)) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": sandbox.now() + EVIDENCE_DAYS * DAY_SECONDS if is_card else None,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    if is_card:
        dispute["payment_method_details"] = {
            "card": {
                "brand": details["card"]["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network_reason_code": _NETWORK_REASONS.get(reason),
            },
            "type": "card",
        }
    return dispute


def _withdraw(sandbox: Sandbox, dispute: StripeObject) -> None:
    charge = sandbox.find("charge", dispute["charge"], "charge")
    fee = balance_transactions.dispute_fee(dispute["currency"], charge["payment_method_details"]["type"])
    _book(sandbox, dispute, "dispute", -dispute["amount"], fee, f"Chargeback withdrawal for {charge['id']}")


def _book(sandbox: Sandbox, dispute: StripeObject, kind: str, amount: int, fee: int, description: str) -> None:
    transaction = balance_transactions.add_transaction(sandbox, dispute, kind, amount, fee, description)
    dispute["balance_transactions"].append(snapshot(transaction))


def check_refundable(sandbox: Sandbox, charge: StripeObject) -> None:
    """Refuse to refund what the customer's bank has taken back."""
    if is_charged_back(sandbox, charge):
        raise invalid_request(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")


def is_charged_back(sandbox: Sandbox, charge: StripeObject) -> bool:
    disputes = sandbox.store.of_kind("dispute").values()
    return any(dispute["charge"] == charge["id"] and not dispute["is_charge_refundable"] for dispute in disputes)


def decide(sandbox: Sandbox, dispute: StripeObject, outcome: Outcome) -> None:
    """The bank decides an open dispute, or an inquiry ends or escalates."""
    if dispute["status"] not in _OPEN:
        raise _closed_already()
    if dispute["status"].startswith("warning") != (outcome in (Outcome.WARNING_CLOSED, Outcome.ESCALATED)):
        raise invalid_request(f"A dispute with a status of {dispute['status']} can't be {outcome}.")
    sandbox.changes += 1
    if outcome is Outcome.ESCALATED:
        _escalate(sandbox, dispute)
        return
    before = snapshot(dispute)
    dispute |= {"status": str(outcome), "is_charge_refundable": outcome is not Outcome.LOST}
    if outcome is Outcome.WON:
        # The fee is not given back, whatever the outcome.
        description = f"Chargeback reversal for {dispute['charge']}"
        _book(sandbox, dispute, "dispute_reversal", dispute["amount"], 0, description)
    sandbox.emit("charge.dispute.closed", dispute, before)
    if outcome is Outcome.WON:
        sandbox.emit("charge.dispute.funds_reinstated", dispute)


def _escalate(sandbox: Sandbox, dispute: StripeObject) -> None:
    before = snapshot(dispute)
    due_by = sandbox.now() + EVIDENCE_DAYS * DAY_SECONDS
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    dispute["evidence_details"]["due_by"] = due_by
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    _withdraw(sandbox, dispute)
    sandbox.emit("charge.dispute.updated", dispute, before)
    sandbox.emit("charge.dispute.funds_withdrawn", dispute)
    sandbox.schedule(due_by, LAPSE, dispute["id"])


def lapse(sandbox: Sandbox, dispute_id: str) -> None:
    """Nobody answered in time: a dispute is lost, an inquiry comes to nothing."""
    dispute = sandbox.find("dispute", dispute_id, "dispute")
    if dispute["status"].startswith("warning") and sandbox.now() >= dispute["created"] + INQUIRY_DAYS * DAY_SECONDS:
        decide(sandbox, dispute, Outcome.WARNING_CLOSED)
    elif dispute["status"] == "needs_response" and sandbox.now() >= dispute["evidence_details"]["due_by"]:
        dispute["evidence_details"]["past_due"] = True
        decide(sandbox, dispute, Outcome.LOST)


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("dispute", call.path["dispute"], "dispute", in_path=True)


def update(sandbox: Sandbox, call: Call) -> StripeObject:
    """Add evidence and, unless ``submit`` is false, hand it to the bank; that can be done once."""
    dispute = retrieve(sandbox, call)
    before = snapshot(dispute)
    if "metadata" in call.params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], call.params["metadata"])
    if "evidence" in call.params or call.get("submit"):
        _take_evidence(dispute, call)
    if dispute != before:
        sandbox.changes += 1
        sandbox.emit("charge.dispute.updated", dispute, before)
    if dispute["status"] != before["status"]:
        sandbox.defer(lambda: _decide_by_evidence(sandbox, dispute))
    return dispute


def _take_evidence(dispute: StripeObject, call: Call) -> None:
    if dispute["status"] not in _UNDER_REVIEW:
        raise _closed_already()
    dispute["evidence"] |= call.get("evidence", {})
    dispute["evidence_details"]["has_evidence"] = any(dispute["evidence"].values())
    if call.get("submit", True):
        dispute["status"] = _UNDER_REVIEW[dispute["status"]]
        dispute["evidence_details"]["submission_count"] += 1


def _decide_by_evidence(sandbox: Sandbox, dispute: StripeObject) -> None:
    of_dispute, of_inquiry = _EVIDENCE_DECIDES.get(dispute["evidence"]["uncategorized_text"], (None, None))
    outcome = of_inquiry if dispute["status"] == "warning_under_review" else of_dispute
    if outcome is not None:
        decide(sandbox, dispute, outcome)


def close(sandbox: Sandbox, call: Call) -> StripeObject:
    """Accept a dispute as lost; that can't be undone."""
    dispute = retrieve(sandbox, call)
    is_inquiry = dispute["status"].startswith("warning")
    decide(sandbox, dispute, Outcome.WARNING_CLOSED if is_inquiry else Outcome.LOST)
    return dispute


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("charge", "payment_intent")
    found = [dispute for dispute in sandbox.store.newest_first("dispute") if wanted.items() <= dispute.items()]
    return page(found, call.params, "/v1/disputes")


def _closed_already() -> ApiError:
    return invalid_request("This dispute is already closed, or its evidence was submitted.")


_EVIDENCE: dict[str, Shape] = dict.fromkeys(_TEXTS, Text(20_000, unset=True))
_PARAMETERS: dict[str, Any] = {"evidence": fields(**_EVIDENCE), "metadata": Metadata(), "submit": Boolean()}

OPERATIONS = (
    Operation("GET", "/v1/disputes", list_fields(charge=Text(), payment_intent=Text()), list_all),
    Operation("GET", "/v1/disputes/{dispute}", object_fields(), retrieve),
    Operation("POST", "/v1/disputes/{dispute}", object_fields(**_PARAMETERS), update),
    Operation("POST", "/v1/disputes/{dispute}/close", object_fields(), close),
)
