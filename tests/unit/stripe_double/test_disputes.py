"""Disputes: the money goes, and comes back only when the bank says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stripe_double.controls import ControlError
from local.stripe_double.disputes import Outcome
from local.stripe_double.errors import ApiError
from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver

DAY = 86_400


def pay(client: stripe.StripeClient, card: str = "pm_card_visa", **other: Any) -> Any:
    params: Any = {
        "amount": 10_000,
        "currency": "eur",
        "confirm": True,
        "payment_method": card,
        "payment_method_types": ["card"],
    }
    return client.v1.payment_intents.create({**params, **other})


def dispute_of(client: stripe.StripeClient, intent: Any) -> Any:
    return client.v1.disputes.list({"payment_intent": intent.id, "expand": ["data.charge"]}).data[0]


@pytest.mark.parametrize(
    ("card", "reason"),
    [("pm_card_createDispute", "fraudulent"), ("pm_card_createDisputeProductNotReceived", "product_not_received")],
)
def test_a_disputed_payment_is_taken_back_with_a_fee(
    client: stripe.StripeClient, double: Double, receiver: Receiver, card: str, reason: str
) -> None:
    dispute = dispute_of(client, pay(client, card))
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", reason, 10_000)
    assert (dispute.is_charge_refundable, dispute.charge.disputed) == (False, True)
    taken = dispute.balance_transactions[0]
    assert (taken.amount, taken.fee, taken.net) == (-10_000, 1_500, -11_500)
    assert (taken.type, taken.reporting_category) == ("adjustment", "dispute")
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]


def test_a_won_dispute_gives_the_amount_back_but_not_the_fee(
    client: stripe.StripeClient, double: Double, receiver: Receiver
) -> None:
    dispute = dispute_of(client, pay(client, "pm_card_createDispute"))
    submitted = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert (submitted.status, submitted.evidence_details.submission_count) == ("under_review", 1)
    won = client.v1.disputes.retrieve(dispute.id)
    assert (won.status, won.is_charge_refundable) == ("won", True)
    assert [item.net for item in won.balance_transactions] == [-11_500, 10_000]
    assert double.control.flush()
    assert receiver.types[-3:] == [
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


def test_a_dispute_is_lost_by_the_bank_by_acceptance_or_by_silence(
    client: stripe.StripeClient, double: Double, receiver: Receiver
) -> None:
    judged, accepted, forgotten = (dispute_of(client, pay(client, "pm_card_createDispute")) for _ in range(3))
    client.v1.disputes.update(judged.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
    client.v1.disputes.close(accepted.id)
    double.control.advance_clock(14 * DAY)
    for dispute in (judged, accepted, forgotten):
        lost = client.v1.disputes.retrieve(dispute.id)
        assert (lost.status, len(lost.balance_transactions)) == ("lost", 1)
        with pytest.raises(stripe.InvalidRequestError, match="already closed"):
            client.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "Ada"}})
    assert double.control.flush()
    assert receiver.types.count("charge.dispute.closed") == 3


def test_evidence_can_be_staged_and_is_submitted_once(client: stripe.StripeClient, double: Double) -> None:
    dispute = dispute_of(client, pay(client, "pm_card_createDispute"))
    staged = client.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "Ada"}, "submit": False})
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    assert client.v1.disputes.update(dispute.id, {"submit": True}).status == "under_review"
    with pytest.raises(stripe.InvalidRequestError, match="submitted"):
        client.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "Eve"}})
    assert client.v1.disputes.update(dispute.id, {"metadata": {"case": "7"}}).metadata["case"] == "7"
    double.control.advance_clock(90 * DAY)
    assert client.v1.disputes.retrieve(dispute.id).status == "under_review"
    assert double.control.decide_dispute(dispute.id, "won")["status"] == "won"


def test_an_inquiry_takes_nothing_and_lets_the_payment_be_refunded(
    client: stripe.StripeClient, double: Double, receiver: Receiver
) -> None:
    intent = pay(client, "pm_card_createDisputeInquiry")
    inquiry = dispute_of(client, intent)
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1}).status == "succeeded"
    double.control.advance_clock(120 * DAY)
    assert client.v1.disputes.retrieve(inquiry.id).status == "warning_closed"
    assert double.control.flush()
    disputes = [kind for kind in receiver.types if "dispute" in kind]
    assert disputes == ["charge.dispute.created", "charge.dispute.closed"]


def test_an_escalated_inquiry_takes_the_money_then(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    inquiry = dispute_of(client, pay(client, "pm_card_createDisputeInquiry"))
    client.v1.disputes.update(inquiry.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}})
    escalated = client.v1.disputes.retrieve(inquiry.id)
    assert (escalated.status, escalated.payment_method_details.card.case_type) == ("needs_response", "chargeback")
    assert [item.amount for item in escalated.balance_transactions] == [-10_000]
    double.control.advance_clock(14 * DAY)
    assert client.v1.disputes.retrieve(inquiry.id).status == "lost"
    assert double.control.flush()
    assert [kind.rpartition(".")[2] for kind in receiver.types if "dispute" in kind] == [
        "created",
        "updated",
        "updated",
        "funds_withdrawn",
        "closed",
    ]


def test_any_charge_can_be_disputed_in_part_and_only_once(client: stripe.StripeClient, double: Double) -> None:
    intent = pay(client)
    dispute = double.control.open_dispute(intent.latest_charge, amount=4_000, reason="duplicate")
    assert (dispute["amount"], dispute["balance_transactions"][0]["net"]) == (4_000, -5_500)
    with pytest.raises(stripe.InvalidRequestError, match="charged back") as caught:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1})
    assert caught.value.code == "charge_disputed"
    double.control.decide_dispute(dispute["id"], "won")
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 10_000


def test_what_took_no_money_cannot_be_disputed_and_outcomes_fit_the_kind(client: stripe.StripeClient, double: Double) -> None:
    held, paid = pay(client, capture_method="manual"), pay(client, "pm_card_createDispute")
    dispute = dispute_of(client, paid)
    for refused in (
        lambda: double.control.open_dispute(held.latest_charge),
        lambda: double.control.open_dispute(paid.latest_charge),
        lambda: double.control.open_dispute(pay(client).latest_charge, amount=10_001),
        lambda: double.control.decide_dispute(dispute.id, "escalated"),
    ):
        with pytest.raises(Exception, match=r"took no money|disputed already|minor units|can't be escalated"):
            refused()
    with pytest.raises(ControlError, match="reason must be one of"):
        double.control.open_dispute(held.latest_charge, reason="bad mood")
    with pytest.raises(ControlError, match="outcome must be one of"):
        double.control.decide_dispute(dispute.id, "drawn")


def test_a_disputing_card_disputes_an_authorisation_only_when_it_is_captured(client: stripe.StripeClient) -> None:
    intent = pay(client, "pm_card_createDispute", capture_method="manual")
    assert client.v1.disputes.list().data == []
    client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 6_000})
    assert dispute_of(client, intent).amount == 6_000


def refund_all(client: stripe.StripeClient, double: Double, charge_id: str) -> None:
    client.v1.refunds.create({"charge": charge_id})


def refund_some(client: stripe.StripeClient, double: Double, charge_id: str) -> None:
    client.v1.refunds.create({"charge": charge_id, "amount": 1_700})


def send_a_refund_back(client: stripe.StripeClient, double: Double, charge_id: str) -> None:
    for refund in client.v1.refunds.list({"charge": charge_id, "limit": 1}).data:
        double.control.fail_refund(refund.id)


def dispute_it(client: stripe.StripeClient, double: Double, charge_id: str) -> None:
    double.control.open_dispute(charge_id, amount=3_000)


def inquire(client: stripe.StripeClient, double: Double, charge_id: str) -> None:
    double.control.open_dispute(charge_id, inquiry=True)


def decide(outcome: str) -> Callable[[stripe.StripeClient, Double, str], None]:
    def step(client: stripe.StripeClient, double: Double, charge_id: str) -> None:
        for dispute in client.v1.disputes.list({"charge": charge_id}).data:
            double.control.decide_dispute(dispute.id, outcome)

    step.__name__ = f"decide_{outcome}"
    return step


STEPS = (refund_all, refund_some, send_a_refund_back, dispute_it, inquire, *map(decide, Outcome))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=8))
def test_whatever_happens_the_balance_is_what_the_objects_say(
    client: stripe.StripeClient, double: Double, steps: list[Callable[[stripe.StripeClient, Double, str], None]]
) -> None:
    """Refunds and disputes in any order, refused ones among them: the balance holds what charge, refunds and disputes say."""
    charge_id = pay(client).latest_charge
    for step in steps:
        with contextlib.suppress(ApiError, stripe.InvalidRequestError):
            step(client, double, charge_id)
    charge = client.v1.charges.retrieve(charge_id)
    refunds = client.v1.refunds.list({"charge": charge_id, "limit": 100}).data
    disputes = client.v1.disputes.list({"charge": charge_id}).data
    refunded = sum(refund.amount for refund in refunds if refund.status != "failed")
    withdrawn = [dispute for dispute in disputes if dispute.balance_transactions]
    lost = sum(dispute.amount for dispute in withdrawn if dispute.status != "won")
    sources = {charge_id, *(item.id for item in (*refunds, *disputes))}
    moved = [item for item in client.v1.balance_transactions.list({"limit": 100}).data if item.source in sources]
    assert charge.amount_refunded == refunded <= charge.amount
    assert len(disputes) <= 1
    assert sum(item.amount for item in moved) == charge.amount - refunded - lost
    assert sum(item.fee for item in moved) == 320 + 1_500 * len(withdrawn)


def test_the_balance_adds_up_to_what_all_objects_say(client: stripe.StripeClient, double: Double) -> None:
    """Each cent on the balance has a source: payments less fees, refunds, disputes and their fees."""
    refunded, lost, won = pay(client), pay(client), pay(client)
    client.v1.refunds.create({"payment_intent": refunded.id, "amount": 2_500})
    double.control.open_dispute(lost.latest_charge)
    double.control.decide_dispute(double.control.open_dispute(won.latest_charge)["id"], "won")
    moved = client.v1.balance_transactions.list({"limit": 100}).data
    by_category: dict[str, list[tuple[int, int]]] = {}
    for item in moved:
        assert item.net == item.amount - item.fee
        by_category.setdefault(item.reporting_category, []).append((item.amount, item.fee))
    assert by_category == {
        "charge": [(10_000, 320)] * 3,
        "refund": [(-2_500, 0)],
        "dispute": [(-10_000, 1_500)] * 2,
        "dispute_reversal": [(10_000, 0)],
    }
    sources = {str(item.source)[:3] for item in moved}
    assert sources == {"ch_", "re_", "du_"}
