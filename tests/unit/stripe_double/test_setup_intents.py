"""Saving cards for later, and charging them off-session."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver

CARD: dict[str, Any] = {"payment_method_types": ["card"]}


def test_a_set_up_card_is_attached_to_the_customer(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    customer = client.v1.customers.create({})
    intent = client.v1.setup_intents.create({"customer": customer.id, "confirm": True, "payment_method": "pm_card_visa", **CARD})
    assert (intent.status, intent.usage) == ("succeeded", "off_session")
    assert client.v1.customers.payment_methods.list(customer.id).data[0].id == intent.payment_method
    assert double.control.flush()
    assert receiver.types[1:] == ["setup_intent.created", "payment_method.attached", "setup_intent.succeeded"]


def test_a_card_authenticated_at_setup_can_be_charged_off_session(client: stripe.StripeClient, double: Double) -> None:
    customer = client.v1.customers.create({})
    intent = client.v1.setup_intents.create(
        {"customer": customer.id, "confirm": True, "payment_method": "pm_card_authenticationRequiredOnSetup", **CARD}
    )
    assert intent.status == "requires_action"
    double.control.authenticate(intent.id)
    method = client.v1.setup_intents.retrieve(intent.id).payment_method
    assert method is not None

    paid = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": str(method),
            "off_session": True,
            "confirm": True,
            **CARD,
        }
    )
    assert paid.status == "succeeded"


@pytest.mark.parametrize("card", ["pm_card_chargeDeclined", "pm_card_chargeDeclinedExpiredCard"])
def test_a_declining_card_cannot_be_saved(client: stripe.StripeClient, double: Double, receiver: Receiver, card: str) -> None:
    customer = client.v1.customers.create({})
    with pytest.raises(stripe.CardError) as caught:
        client.v1.setup_intents.create({"customer": customer.id, "confirm": True, "payment_method": card, **CARD})
    assert caught.value.error.setup_intent.status == "requires_payment_method"
    with pytest.raises(stripe.CardError):
        client.v1.payment_methods.attach(card, {"customer": customer.id})
    assert client.v1.customers.payment_methods.list(customer.id).data == []
    assert double.control.flush()
    assert receiver.types[-1] == "setup_intent.setup_failed"


def test_a_finished_setup_cannot_be_confirmed_or_canceled(client: stripe.StripeClient) -> None:
    intent = client.v1.setup_intents.create({"confirm": True, "payment_method": "pm_card_visa", **CARD})
    for forbidden in (
        lambda: client.v1.setup_intents.cancel(intent.id),
        lambda: client.v1.setup_intents.confirm(intent.id),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            forbidden()
        assert caught.value.code == "setup_intent_unexpected_state"


def test_a_detached_card_cannot_be_used_again(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.customers.payment_methods.list(customer.id).data[0]
    client.v1.payment_methods.detach(method.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(method.id, {"customer": customer.id})


def test_real_and_mistyped_card_numbers_are_refused(client: stripe.StripeClient) -> None:
    def create(number: str) -> None:
        client.v1.payment_methods.create({"type": "card", "card": {"number": number, "exp_month": 1, "exp_year": 2030}})

    with pytest.raises(stripe.CardError) as caught:
        create("4111111111111111")  # passes the check digit, but is no test card of Stripe's
    assert caught.value.error.decline_code == "test_mode_live_card"
    with pytest.raises(stripe.CardError) as caught:
        create("4242424242424241")
    assert caught.value.code == "incorrect_number"
