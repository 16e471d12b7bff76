"""Refunds: never more than was captured, and not always for good."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stripe_double.controls import ControlError
from local.stripe_double.errors import ApiError
from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver


def paid(client: stripe.StripeClient, amount: int = 1_000, card: str = "pm_card_visa", **other: Any) -> Any:
    params: Any = {
        "amount": amount,
        "currency": "eur",
        "confirm": True,
        "payment_method": card,
        "payment_method_types": ["card"],
    }
    return client.v1.payment_intents.create({**params, **other})


def test_a_refund_lowers_the_balance_and_keeps_the_fee(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    intent = paid(client)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 400, "expand": ["balance_transaction", "charge"]})
    assert refund.status == "succeeded"
    assert (refund.balance_transaction.net, refund.balance_transaction.fee) == (-400, 0)
    assert (refund.charge.amount_refunded, refund.charge.refunded) == (400, False)
    assert double.control.flush()
    assert receiver.types[-2:] == ["refund.created", "charge.refunded"]
    assert receiver.events[-1]["data"]["previous_attributes"] == {"amount_refunded": 0}


def test_without_an_amount_all_that_is_left_is_refunded(client: stripe.StripeClient) -> None:
    intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 1})
    assert client.v1.refunds.create({"charge": intent.latest_charge}).amount == 999
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_refunds_never_exceed_the_charge(client: stripe.StripeClient, amounts: list[int]) -> None:
    intent = paid(client)
    refunded = 0
    for amount in amounts:
        if refunded + amount <= 1_000:
            client.v1.refunds.create({"payment_intent": intent.id, "amount": amount})
            refunded += amount
        else:
            with pytest.raises(stripe.InvalidRequestError):
                client.v1.refunds.create({"payment_intent": intent.id, "amount": amount})
    charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert charge.amount_refunded == refunded
    assert charge.refunds is not None
    assert sum(refund.amount for refund in charge.refunds.data) == refunded


def test_a_partial_capture_can_be_refunded_up_to_what_was_captured(client: stripe.StripeClient) -> None:
    intent = paid(client, capture_method="manual")
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        client.v1.refunds.create({"payment_intent": intent.id})
    client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 600})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 601})
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 600


def test_a_refund_can_fail_after_it_succeeded(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    intent = paid(client, card="pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"

    double.control.advance_clock(3_600)

    failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction", "charge"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert failed.failure_balance_transaction.amount == 1_000
    assert failed.charge.amount_refunded == 0
    assert double.control.flush()
    assert receiver.types[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]


def test_a_refund_can_be_pending_first(client: stripe.StripeClient, double: Double) -> None:
    refund = client.v1.refunds.create({"payment_intent": paid(client, card="pm_card_pendingRefund").id})
    assert refund.status == "pending"
    double.control.advance_clock(3_600)
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_failed_charge_cannot_be_refunded(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        paid(client, card="pm_card_chargeDeclined")
    with pytest.raises(stripe.InvalidRequestError, match="failed"):
        client.v1.refunds.create({"charge": caught.value.error.charge})


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_pendingRefund"])
def test_any_refund_can_be_sent_back_by_the_bank_days_later(
    client: stripe.StripeClient, double: Double, receiver: Receiver, card: str
) -> None:
    intent = paid(client, card=card)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 300, "metadata": {"credit": "C-1"}})
    double.control.advance_clock(86_400)
    failed = double.control.fail_refund(refund.id, "lost_or_stolen_card")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
    moved = client.v1.balance_transactions.list({"source": refund.id}).data
    assert [item.net for item in moved] == [300, -300]
    with pytest.raises(ApiError, match="can't fail"):
        double.control.fail_refund(refund.id)
    with pytest.raises(ControlError, match="reason must be one of"):
        double.control.fail_refund(refund.id, "bad luck")
    assert double.control.flush()
    assert receiver.types[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    assert receiver.events[-1]["data"]["object"]["metadata"] == {"credit": "C-1"}


def test_a_refund_that_failed_while_pending_does_not_complete(client: stripe.StripeClient, double: Double) -> None:
    refund = client.v1.refunds.create({"payment_intent": paid(client, card="pm_card_pendingRefund").id})
    double.control.fail_refund(refund.id)
    double.control.advance_clock(3_600)
    assert client.v1.refunds.retrieve(refund.id).status == "failed"


def test_a_repeated_refund_is_made_once(client: stripe.StripeClient) -> None:
    intent = paid(client)
    first, again = (
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 300}, {"idempotency_key": "refund-1"}) for _ in range(2)
    )
    assert first.id == again.id
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 300
