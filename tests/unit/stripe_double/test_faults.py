"""Faults on demand, as the SDK meets them."""

from __future__ import annotations

from collections.abc import Callable
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


def capture(client: stripe.StripeClient, held: str) -> Any:
    return client.v1.payment_intents.capture(held, {"amount_to_capture": 300}, {"idempotency_key": "f"})


def cancel(client: stripe.StripeClient, held: str) -> Any:
    return client.v1.payment_intents.cancel(held, {}, {"idempotency_key": "f"})


def charge_off_session(client: stripe.StripeClient, held: str) -> Any:
    customer = client.v1.customers.list({"limit": 1}).data[0].id
    saved = client.v1.payment_methods.list({"customer": customer}).data[0].id
    off_session: Any = {"customer": customer, "payment_method": saved, "off_session": True}
    return client.v1.payment_intents.create({**PAYMENT, **off_session}, {"idempotency_key": "f"})


def open_setup_session(client: stripe.StripeClient, held: str) -> Any:
    params: Any = {"mode": "setup", "currency": "eur", "success_url": "https://firm.example/saved"}
    return client.v1.checkout.sessions.create(params, {"idempotency_key": "f"})


def refund(client: stripe.StripeClient, held: str) -> Any:
    paid = client.v1.charges.list({"limit": 1}).data[0]
    return client.v1.refunds.create({"charge": paid.id, "amount": 100}, {"idempotency_key": "f"})


def accept_dispute(client: stripe.StripeClient, held: str) -> Any:
    return client.v1.disputes.close(client.v1.disputes.list().data[0].id, {}, {"idempotency_key": "f"})


def attach(client: stripe.StripeClient, held: str) -> Any:
    customer = client.v1.customers.list({"limit": 1}).data[0].id
    return client.v1.payment_methods.attach("pm_success_de", {"customer": customer}, {"idempotency_key": "f"})


MUTATIONS = (capture, cancel, charge_off_session, open_setup_session, refund, accept_dispute, attach)


@pytest.fixture
def held(client: stripe.StripeClient) -> str:
    """An authorisation, beside a saved card, a disputed payment and a plain one."""
    client.v1.customers.create({"payment_method": "pm_card_visa"})
    intent = client.v1.payment_intents.create({**PAYMENT, "capture_method": "manual"})
    client.v1.payment_intents.create({**PAYMENT, "payment_method": "pm_card_createDispute"})
    client.v1.payment_intents.create({**PAYMENT})
    return intent.id


@pytest.mark.parametrize("mutate", MUTATIONS)
@pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout", "reset_before"])
def test_every_operation_can_fail_without_effect_and_be_repeated(
    client: stripe.StripeClient, double: Double, held: str, mutate: Callable[..., Any], kind: str
) -> None:
    events = len(double.control.events())
    double.control.plan_fault(kind, method="POST")
    with pytest.raises(stripe.StripeError):
        mutate(client, held)
    assert len(double.control.events()) == events
    mutate(client, held)


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_every_operation_can_lose_its_answer_after_the_effect(
    client: stripe.StripeClient, double: Double, held: str, mutate: Callable[..., Any]
) -> None:
    double.control.plan_fault("reset_after", method="POST")
    with pytest.raises(stripe.APIConnectionError):
        mutate(client, held)
    events = len(double.control.events())
    mutate(client, held)
    assert len(double.control.events()) == events, "the repeat is answered from the key"


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_every_operation_can_have_its_effect_and_answer_500_for_good(
    client: stripe.StripeClient, double: Double, held: str, mutate: Callable[..., Any]
) -> None:
    before = len(double.control.events())
    double.control.plan_fault("server_error_after", method="POST")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            mutate(client, held)
    assert len(double.control.events()) > before


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
