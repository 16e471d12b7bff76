"""Payment intents through the real SDK: paying, declining, authenticating, capturing, canceling."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver

PAY_NOW: dict[str, Any] = {
    "amount": 12_100,
    "currency": "eur",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "payment_method_types": ["card"],
}


def test_a_card_payment_succeeds_and_is_settled_after_the_answer(
    client: stripe.StripeClient, double: Double, receiver: Receiver
) -> None:
    intent = client.v1.payment_intents.create({**PAY_NOW, "metadata": {"invoice": "7"}, "expand": ["latest_charge"]})

    assert (intent.status, intent.amount_received) == ("succeeded", 12_100)
    assert intent.latest_charge.balance_transaction is None  # asynchronous capture is the default
    charge = client.v1.charges.retrieve(intent.latest_charge.id, {"expand": ["balance_transaction"]})
    # 2.9 % of 121.00 is 3.509, and 0.30: 3.81
    assert (charge.balance_transaction.fee, charge.balance_transaction.net) == (381, 11_719)
    assert charge.metadata.to_dict() == {"invoice": "7"}
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    assert receiver.events[3]["data"]["previous_attributes"] == {"balance_transaction": None}


def test_synchronous_capture_shows_the_balance_transaction_at_once(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {**PAY_NOW, "capture_method": "automatic", "expand": ["latest_charge.balance_transaction"]}
    )
    assert intent.latest_charge.balance_transaction.amount == 12_100


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ],
)
def test_a_declined_card_is_a_card_error_and_leaves_the_intent_open(
    client: stripe.StripeClient, double: Double, receiver: Receiver, card: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.create({**PAY_NOW, "payment_method": card})

    error = caught.value
    assert error.http_status == 402
    assert (error.code, error.error.decline_code) == (code, decline_code)
    intent_id = error.error.payment_intent.id
    intent = client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.decline_code == decline_code
    assert (intent.latest_charge.status, intent.latest_charge.failure_code) == ("failed", code)

    paid = client.v1.payment_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]


def test_authentication_redirects_the_customer_and_then_pays(client: stripe.StripeClient, double: Double) -> None:
    asked: Any = {"payment_method": "pm_card_authenticationRequired", "return_url": "https://firm.example/back"}
    intent = client.v1.payment_intents.create({**PAY_NOW, **asked})
    assert intent.status == "requires_action"
    assert intent.next_action.redirect_to_url.url == f"{double.url}/authenticate/{intent.id}"

    double.control.authenticate(intent.id, succeeds=True)

    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert paid.status == "succeeded"
    assert paid.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"


def test_a_failed_authentication_makes_no_charge(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    intent = client.v1.payment_intents.create({**PAY_NOW, "payment_method": "pm_card_authenticationRequired"})
    double.control.authenticate(intent.id, succeeds=False)

    failed = client.v1.payment_intents.retrieve(intent.id)
    assert (failed.status, failed.latest_charge) == ("requires_payment_method", None)
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    assert double.control.flush()
    assert receiver.types[-1] == "payment_intent.payment_failed"


def test_authentication_is_not_possible_off_session(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    method = client.v1.payment_methods.attach("pm_card_authenticationRequired", {"customer": customer.id})
    off_session: Any = {"customer": customer.id, "payment_method": method.id, "off_session": True}

    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.create({**PAY_NOW, **off_session})

    assert caught.value.code == "authentication_required"
    intent = client.v1.payment_intents.retrieve(caught.value.error.payment_intent.id)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error.payment_method.id == method.id


def test_a_saved_card_can_be_declined_later(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"payment_method": "pm_card_chargeCustomerFail"})
    method = client.v1.customers.payment_methods.list(customer.id).data[0]
    with pytest.raises(stripe.CardError, match="declined"):
        client.v1.payment_intents.create({**PAY_NOW, "customer": customer.id, "payment_method": method.id, "off_session": True})


def test_future_usage_saves_the_card_to_the_customer(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    first = client.v1.payment_intents.create({**PAY_NOW, "customer": customer.id, "setup_future_usage": "off_session"})
    again = client.v1.payment_intents.create(
        {**PAY_NOW, "customer": customer.id, "payment_method": first.payment_method, "off_session": True}
    )
    assert again.status == "succeeded"


def test_a_card_that_was_not_saved_cannot_be_used_again(client: stripe.StripeClient) -> None:
    first = client.v1.payment_intents.create({**PAY_NOW})
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_intents.create({**PAY_NOW, "payment_method": first.payment_method})


def test_another_customers_card_is_refused(client: stripe.StripeClient) -> None:
    owner, other = client.v1.customers.create({}), client.v1.customers.create({})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})
    with pytest.raises(stripe.InvalidRequestError, match="does not belong"):
        client.v1.payment_intents.create({**PAY_NOW, "customer": other.id, "payment_method": method.id})


def test_part_of_an_authorisation_is_captured_and_the_rest_released(
    client: stripe.StripeClient, double: Double, receiver: Receiver
) -> None:
    intent = client.v1.payment_intents.create({**PAY_NOW, "capture_method": "manual"})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 12_100, 0)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 12_101})
    assert caught.value.code == "amount_too_large"

    captured = client.v1.payment_intents.capture(
        intent.id, {"amount_to_capture": 10_000, "expand": ["latest_charge.balance_transaction"]}
    )

    assert (captured.status, captured.amount_capturable, captured.amount_received) == ("succeeded", 0, 10_000)
    assert captured.latest_charge.balance_transaction.amount == 10_000
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]


def test_an_authorisation_expires_after_seven_days(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    intent = client.v1.payment_intents.create({**PAY_NOW, "capture_method": "manual"})
    double.control.advance_clock(7 * 86_400)

    expired = client.v1.payment_intents.retrieve(intent.id)
    assert (expired.status, expired.cancellation_reason) == ("canceled", "expired")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    assert double.control.flush()
    assert receiver.types[-2:] == ["charge.expired", "payment_intent.canceled"]


def test_only_open_intents_can_be_canceled_confirmed_or_changed(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    paid = intents.create({**PAY_NOW})
    for forbidden in (
        lambda: intents.cancel(paid.id),
        lambda: intents.confirm(paid.id, {"payment_method": "pm_card_visa"}),
        lambda: intents.update(paid.id, {"amount": 1}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            forbidden()
        assert caught.value.code == "payment_intent_unexpected_state"
    assert intents.update(paid.id, {"metadata": {"late": "yes"}}).metadata["late"] == "yes"

    open_intent = intents.create({"amount": 100, "currency": "eur"})
    assert intents.cancel(open_intent.id, {"cancellation_reason": "duplicate"}).status == "canceled"


def test_confirming_on_the_server_needs_a_return_url_unless_redirects_are_excluded(
    client: stripe.StripeClient,
) -> None:
    without: Any = {name: value for name, value in PAY_NOW.items() if name != "payment_method_types"}
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.payment_intents.create(without)
    never: Any = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    assert client.v1.payment_intents.create({**without, **never}).status == "succeeded"


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "eur", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (100_000_000, "eur", "amount_too_large"),
        (0, "eur", "parameter_invalid_integer"),
        (-5, "eur", "parameter_invalid_integer"),
        ("10.5", "eur", "parameter_invalid_integer"),
        ("ten", "eur", "parameter_invalid_integer"),
    ],
)
def test_amounts_that_stripe_does_not_charge_are_refused(
    client: stripe.StripeClient, amount: Any, currency: str, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.create({"amount": amount, "currency": currency})
    assert (caught.value.code, caught.value.param) == (code, "amount")


@pytest.mark.parametrize(("amount", "currency"), [(50, "eur"), (50, "jpy"), (99_999_999, "usd"), (1_230, "kwd")])
def test_amounts_at_the_limits_are_taken(client: stripe.StripeClient, amount: int, currency: str) -> None:
    assert client.v1.payment_intents.create({"amount": amount, "currency": currency}).amount == amount


@pytest.mark.parametrize(("amount", "currency", "words"), [(100, "zzz", "Invalid currency"), (1_234, "kwd", "divisible")])
def test_currencies_are_checked(client: stripe.StripeClient, amount: int, currency: str, words: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=words):
        client.v1.payment_intents.create({"amount": amount, "currency": currency})
