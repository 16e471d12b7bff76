"""Idempotency keys, also under threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from local.stripe_double.server import Double
from tests.unit.stripe_double.specification import Judge, JudgingClient

PAYMENT: dict[str, Any] = {
    "amount": 500,
    "currency": "eur",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "payment_method_types": ["card"],
}


def client_of(double: Double, judge: Judge, **options: Any) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1", base_addresses={"api": double.url}, http_client=JudgingClient(judge), **options)


def test_the_same_key_and_parameters_replay_the_first_answer(client: stripe.StripeClient, http_client: JudgingClient) -> None:
    first = client.v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "pay-7"})
    request_id = http_client.last_headers["Request-Id"]
    second = client.v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "pay-7"})
    assert second.to_dict() == first.to_dict()
    assert http_client.last_headers["Idempotent-Replayed"] == "true"
    assert http_client.last_headers["Original-Request"] == request_id
    assert len(client.v1.charges.list().data) == 1


def test_a_key_is_refused_for_other_parameters_or_another_endpoint(client: stripe.StripeClient) -> None:
    client.v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.v1.payment_intents.create({**PAYMENT, "amount": 501}, {"idempotency_key": "k"})
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({}, {"idempotency_key": "k"})


def test_a_decline_is_replayed_too(client: stripe.StripeClient) -> None:
    ids = set()
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            client.v1.payment_intents.create({**PAYMENT, "payment_method": "pm_card_chargeDeclined"}, {"idempotency_key": "d"})
        ids.add(caught.value.error.charge)
    assert len(ids) == len(client.v1.charges.list().data) == 1


def test_a_refused_parameter_does_not_use_up_the_key(client: stripe.StripeClient) -> None:
    bad: Any = {**PAYMENT, "colour": "red"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(bad, {"idempotency_key": "k"})
    assert client.v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "k"}).status == "succeeded"


def test_a_key_is_forgotten_after_24_hours(client: stripe.StripeClient, double: Double) -> None:
    first = client.v1.customers.create({}, {"idempotency_key": "k"})
    double.control.advance_clock(24 * 3600)
    assert client.v1.customers.create({}, {"idempotency_key": "k"}).id != first.id


def test_a_long_key_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.IdempotencyError, match="255"):
        client.v1.customers.create({}, {"idempotency_key": "k" * 256})


def test_a_key_that_is_in_use_is_a_conflict(client: stripe.StripeClient, double: Double, judge: Judge) -> None:
    double.control.plan_fault("hold_before", path="/v1/payment_intents")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(client.v1.payment_intents.create, {**PAYMENT}, {"idempotency_key": "k"})
        assert double.control.wait_until_held()
        with pytest.raises(stripe.APIError) as caught:
            client_of(double, judge).v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "k"})
        assert caught.value.http_status == 409
        assert caught.value.json_body["error"]["code"] == "idempotency_key_in_use"
        double.control.release_requests()
        first = running.result()
    again = client.v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "k"})
    assert again.id == first.id


def test_eight_threads_with_one_key_charge_once(double: Double, judge: Judge) -> None:
    barrier = threading.Barrier(8)

    def pay(_: int) -> str | int:
        client = client_of(double, judge)
        barrier.wait()
        try:
            return client.v1.payment_intents.create({**PAYMENT}, {"idempotency_key": "once"}).id
        except stripe.APIError as error:
            return error.http_status or 0

    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(pay, range(8)))
    assert len(outcomes - {409}) == 1
    assert len(client_of(double, judge).v1.charges.list().data) == 1


def test_eight_threads_with_own_keys_charge_eight_times(double: Double, judge: Judge) -> None:
    def pay(number: int) -> str:
        return client_of(double, judge).v1.payment_intents.create({**PAYMENT}, {"idempotency_key": f"k{number}"}).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(pay, range(8)))) == 8
    assert len(client_of(double, judge).v1.charges.list({"limit": 100}).data) == 8
