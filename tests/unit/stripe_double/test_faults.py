"""Faults on demand, as the SDK meets them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from local.stripe_double.controls import ControlError
from local.stripe_double.server import Double
from tests.unit.stripe_double.specification import JudgingClient

PAYMENT: dict[str, Any] = {
    "amount": 500,
    "currency": "eur",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "payment_method_types": ["card"],
}
KEY: Any = {"idempotency_key": "pay-1"}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("rate_limit", 429, "rate_limit"), ("lock_timeout", 429, "lock_timeout"), ("key_in_use", 409, "idempotency_key_in_use")],
)
def test_a_passing_fault_has_no_effect_and_the_key_works_afterwards(
    client: stripe.StripeClient, double: Double, kind: str, status: int, code: str
) -> None:
    double.control.plan_fault(kind)
    with pytest.raises(stripe.StripeError) as caught:
        client.v1.payment_intents.create({**PAYMENT}, KEY)
    assert (caught.value.http_status, caught.value.json_body["error"]["code"]) == (status, code)
    assert client.v1.charges.list().data == []
    assert client.v1.payment_intents.create({**PAYMENT}, KEY).status == "succeeded"


@pytest.mark.parametrize(("kind", "charges"), [("server_error", 0), ("server_error_after", 1)])
def test_a_server_error_is_kept_under_its_key(
    client: stripe.StripeClient, double: Double, http_client: JudgingClient, kind: str, charges: int
) -> None:
    double.control.plan_fault(kind)
    for replayed in (None, "true"):
        with pytest.raises(stripe.APIError) as caught:
            client.v1.payment_intents.create({**PAYMENT}, KEY)
        assert caught.value.http_status == 500
        assert http_client.last_headers.get("Idempotent-Replayed") == replayed
        assert http_client.last_headers["Stripe-Should-Retry"] == "false"
    assert len(client.v1.charges.list().data) == charges


@pytest.mark.parametrize(("kind", "charges"), [("reset_before", 0), ("reset_after", 1)])
def test_a_broken_connection_leaves_the_outcome_unknown_and_the_key_tells(
    client: stripe.StripeClient, double: Double, kind: str, charges: int
) -> None:
    double.control.plan_fault(kind, method="POST", path="/v1/payment_intents")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create({**PAYMENT}, KEY)
    assert len(client.v1.charges.list().data) == charges
    assert client.v1.payment_intents.create({**PAYMENT}, KEY).status == "succeeded"
    assert len(client.v1.charges.list().data) == 1


def test_a_caller_that_times_out_finds_its_payment_made(client: stripe.StripeClient, double: Double) -> None:
    impatient = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": double.url}, http_client=stripe.RequestsClient(timeout=0.2)
    )
    double.control.plan_fault("hold_after")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(impatient.v1.payment_intents.create, {**PAYMENT}, KEY)
        assert double.control.wait_until_held()
        with pytest.raises(stripe.APIConnectionError):
            running.result()
    double.control.release_requests()
    assert len(client.v1.charges.list().data) == 1


def test_faults_meet_only_the_requests_they_are_for(client: stripe.StripeClient, double: Double) -> None:
    double.control.plan_fault("rate_limit", next_requests=2, method="post", path="/v1/refunds*")
    client.v1.customers.create({})
    client.v1.refunds.list()
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.refunds.create({"charge": "ch_none"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"charge": "ch_none"})
    assert double.control.faults() == []


def test_planned_faults_can_be_listed_and_dropped(client: stripe.StripeClient, double: Double) -> None:
    double.control.plan_fault("server_error", 3)
    assert [fault["remaining"] for fault in double.control.faults()] == [3]
    double.control.clear_faults()
    client.v1.customers.create({})
    with pytest.raises(ControlError, match="kind must be one of"):
        double.control.plan_fault("earthquake")
