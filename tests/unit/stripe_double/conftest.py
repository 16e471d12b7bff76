"""A double, a webhook endpoint and the real SDK, with every exchange checked against Stripe's description."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from local.stripe_double.courier import RetryPolicy
from local.stripe_double.server import Double, running_double
from tests.unit.stripe_double.receiver import Receiver, running_receiver
from tests.unit.stripe_double.specification import Judge, JudgingClient

SECRET = "whsec_of_the_tests"
FAST_RETRIES = RetryPolicy(attempts_max=4, first_pause_seconds=0.01, timeout_seconds=5)


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def receiver(judge: Judge) -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running
        for event in running.events:
            judge.check_event(event)


@pytest.fixture
def double(receiver: Receiver) -> Iterator[Double]:
    with running_double(webhook_url=receiver.url, webhook_secret=SECRET, retry=FAST_RETRIES) as running:
        yield running


@pytest.fixture
def http_client(judge: Judge) -> JudgingClient:
    return JudgingClient(judge)


@pytest.fixture
def client(double: Double, http_client: JudgingClient) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_tests", base_addresses={"api": double.url}, http_client=http_client)


@pytest.fixture
def new_session(client: stripe.StripeClient) -> Callable[..., Any]:
    """Open a Checkout session for EUR 121.00, with other parameters as given."""

    def create(**other: Any) -> Any:
        price = {"currency": "eur", "unit_amount": 12_100, "product_data": {"name": "Invoice 2026-0001"}}
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "https://firm.example/paid?session={CHECKOUT_SESSION_ID}",
        }
        return client.v1.checkout.sessions.create(params | other)

    return create
