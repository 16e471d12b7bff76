"""Webhooks: signed, retried, and in whatever order and number a test asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from local.stripe_double.controls import ControlError
from local.stripe_double.server import Double, running_double
from local.stripe_double.signatures import signature_header
from tests.unit.stripe_double.conftest import FAST_RETRIES, SECRET
from tests.unit.stripe_double.receiver import Receiver

KNOWN_HASH = "475b630172e40df145f496e5c48fc3bceccc53ce5b348b36618ba17ee97894c3"


def add_customers(client: stripe.StripeClient, count: int) -> None:
    for number in range(count):
        client.v1.customers.create({"name": f"C{number}"})


def names(receiver: Receiver) -> list[str]:
    return [event["data"]["object"]["name"] for event in receiver.events]


def test_events_are_signed_as_stripe_signs(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    customer = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "new-ada"})
    assert double.control.flush()
    payload, signature = receiver.deliveries[0]

    event = stripe.Webhook.construct_event(payload, signature, SECRET)

    assert (event.type, event.api_version) == ("customer.created", stripe.api_version)
    assert event.data.object.id == customer.id
    assert event.to_dict()["request"]["idempotency_key"] == "new-ada"
    for forged in (payload.replace(b"Ada", b"Eve"), payload + b" "):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(forged, signature, SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, signature, "whsec_other")


def test_the_signature_is_the_documented_hash() -> None:
    # printf '1767225600.{}' | openssl dgst -sha256 -hmac whsec_known
    header = signature_header(b"{}", ["whsec_known"], 1_767_225_600)
    assert header == "t=1767225600,v1=" + KNOWN_HASH


def test_while_a_secret_is_rolled_both_verify(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    double.control.set_endpoint(secrets=["whsec_new", SECRET])
    add_customers(client, 1)
    assert double.control.flush()
    for secret in ("whsec_new", SECRET):
        stripe.Webhook.construct_event(*receiver.deliveries[0], secret)


def test_a_stale_signature_is_refused_by_the_sdk(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    double.control.set_endpoint(signature_age_seconds=301)
    add_customers(client, 1)
    assert double.control.flush()
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.Webhook.construct_event(*receiver.deliveries[0], SECRET)


def test_a_delivery_is_retried_until_it_is_taken(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    receiver.statuses = [500, 302]
    add_customers(client, 1)
    assert double.control.flush()
    attempts = double.control.deliveries()["attempts"]
    assert [(attempt["status"], attempt["will_retry"]) for attempt in attempts] == [(500, True), (302, True), (200, False)]
    assert len(set(receiver.ids)) == 1
    assert client.v1.events.list().data[0].pending_webhooks == 0


def test_a_delivery_is_given_up_after_the_last_try(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    receiver.statuses = [503] * FAST_RETRIES.attempts_max
    add_customers(client, 1)
    assert double.control.flush()
    attempts = double.control.deliveries()["attempts"]
    assert [attempt["attempt"] for attempt in attempts] == [1, 2, 3, 4]
    assert not attempts[-1]["will_retry"]


def test_an_unreachable_endpoint_is_an_attempt_with_an_error(client: stripe.StripeClient, double: Double) -> None:
    double.control.set_endpoint(url="http://127.0.0.1:1/nobody")
    add_customers(client, 1)
    assert double.control.flush()
    attempt = double.control.deliveries()["attempts"][0]
    assert attempt["status"] is None
    assert "refused" in attempt["error"]


def test_held_deliveries_are_released_in_any_order(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    def arriving(**release: Any) -> list[str]:
        receiver.deliveries.clear()
        double.control.hold_deliveries()
        add_customers(client, 5)
        released = double.control.release_deliveries(**release)
        assert double.control.flush()
        assert receiver.ids == released
        return names(receiver)

    in_order = ["C0", "C1", "C2", "C3", "C4"]
    assert arriving() == in_order
    assert arriving(order="reversed") == in_order[::-1]
    shuffled = arriving(order="shuffled", seed=7)
    assert shuffled == arriving(order="shuffled", seed=7) != in_order
    assert sorted(shuffled) == in_order


def test_chosen_events_are_released_alone(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    double.control.hold_deliveries()
    add_customers(client, 3)
    ids = [event["id"] for event in double.control.events("customer.created")]
    assert double.control.deliveries()["held"] == ids
    double.control.release_deliveries(event_ids=[ids[2], ids[0]], keep_holding=True)
    assert double.control.flush()
    assert names(receiver) == ["C2", "C0"]
    assert double.control.deliveries()["held"] == [ids[1]]
    with pytest.raises(ControlError, match="not held"):
        double.control.release_deliveries(event_ids=[ids[2]])
    with pytest.raises(ControlError, match="order must be"):
        double.control.release_deliveries("upwards")


def test_deliveries_are_duplicated(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    double.control.duplicate_deliveries(2, copies=2)
    add_customers(client, 3)
    assert double.control.flush()
    assert names(receiver) == ["C0", "C0", "C0", "C1", "C1", "C1", "C2"]
    assert len(set(receiver.ids)) == 3


def test_a_delayed_delivery_is_overtaken(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    double.control.delay_deliveries(1, 0.5)
    add_customers(client, 2)
    assert double.control.flush()
    assert names(receiver) == ["C1", "C0"]


def test_a_dropped_delivery_can_be_listed_and_redelivered(
    client: stripe.StripeClient, double: Double, receiver: Receiver
) -> None:
    double.control.drop_deliveries(1)
    add_customers(client, 2)
    assert double.control.flush()
    assert names(receiver) == ["C1"]
    lost = client.v1.events.list({"type": "customer.*"}).data[1]
    double.control.redeliver(lost.id)
    assert double.control.flush()
    assert names(receiver) == ["C1", "C0"]


def test_events_are_listed_by_type(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    client.v1.customers.update(customer.id, {"name": "Ada"})
    assert [event.type for event in client.v1.events.list().data] == ["customer.updated", "customer.created"]
    assert [event.type for event in client.v1.events.list({"types": ["customer.updated"]}).data] == ["customer.updated"]
    assert client.v1.events.list({"type": "charge.*"}).data == []


def test_without_an_endpoint_nothing_is_sent() -> None:
    with running_double() as double:
        client = stripe.StripeClient("sk_test_1", base_addresses={"api": double.url})
        client.v1.customers.create({})
        assert double.control.flush()
        assert double.control.deliveries() == {"attempts": [], "waiting": [], "held": []}
        assert client.v1.events.list().data[0].pending_webhooks == 0


def test_many_workers_deliver_everything_once(client: stripe.StripeClient, receiver: Receiver) -> None:
    with running_double(webhook_url=receiver.url, webhook_secret=SECRET, delivery_workers=4) as double:
        add_customers(stripe.StripeClient("sk_test_1", base_addresses={"api": double.url}), 20)
        assert double.control.flush()
        assert len(set(receiver.ids)) == len(receiver.ids) == 20
    assert json.loads(receiver.deliveries[0][0])["object"] == "event"
