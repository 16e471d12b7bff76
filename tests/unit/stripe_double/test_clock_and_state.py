"""Time and memory: the clock moves on demand, the state survives a restart."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from local.stripe_double.clock import LocalClock, RemoteClock, parse_instant
from local.stripe_double.controls import ControlError
from local.stripe_double.server import Double, running_double
from local.stripe_double.store import StateFileError
from tests.unit.stripe_double.conftest import SECRET
from tests.unit.stripe_double.receiver import Receiver

NEW_YEAR = 1_798_761_600
PRICE: Any = {"currency": "eur", "unit_amount": 12_100, "product_data": {"name": "Invoice 2026-0001"}}


def client_of(double: Double) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1", base_addresses={"api": double.url})


def test_created_follows_the_clock(client: stripe.StripeClient, double: Double) -> None:
    double.control.set_clock(NEW_YEAR)
    assert client.v1.customers.create({}).created == NEW_YEAR
    double.control.advance_clock(86_400)
    assert client.v1.customers.create({}).created == NEW_YEAR + 86_400
    assert abs(double.control.release_clock() - time.time()) < 5
    with pytest.raises(ControlError):
        double.control.advance_clock(-1)


def test_signatures_stay_on_the_wall_clock(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    double.control.advance_clock(90 * 86_400)
    client.v1.customers.create({})
    assert double.control.flush()
    stripe.Webhook.construct_event(*receiver.deliveries[0], SECRET)


def test_funds_become_available_after_two_days(client: stripe.StripeClient, double: Double) -> None:
    client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "eur",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
        }
    )
    assert client.v1.balance_transactions.list().data[0].status == "pending"
    double.control.advance_clock(2 * 86_400)
    assert client.v1.balance_transactions.list().data[0].status == "available"


@pytest.mark.parametrize(
    "text",
    ["1798761600", '"2027-01-01T00:00:00Z"', "2027-01-01T01:00:00+01:00", '{"now": 1798761600}', '{"now": "2027-01-01T00:00Z"}'],
)
def test_a_remote_clock_is_read_in_several_forms(text: str) -> None:
    assert parse_instant(text) == NEW_YEAR


@pytest.mark.parametrize("text", ["", "tomorrow", "true", "[]", '{"time": 1}', '"2027-01-01T00:00:00"'])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|isoformat|offset"):
        parse_instant(text)


def test_a_remote_clock_is_followed_and_cannot_be_moved_here() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = json.dumps({"now": NEW_YEAR}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    clock = RemoteClock(f"http://127.0.0.1:{server.server_address[1]}/now")
    try:
        with running_double(clock=clock) as double:
            assert abs(client_of(double).v1.customers.create({}).created - NEW_YEAR) <= 1
            with pytest.raises(ControlError, match="move it there"):
                double.control.advance_clock(1)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_unreachable_remote_clock_falls_back_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    assert abs(RemoteClock("http://127.0.0.1:1/now").now() - time.time()) < 5
    assert "can't be read" in caplog.text


def test_the_state_survives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    path = tmp_path / "stripe.json"
    with running_double(webhook_url=receiver.url, webhook_secret=SECRET, state=path) as double:
        double.control.hold_deliveries()
        double.control.advance_clock(3_600)
        before = client_of(double).v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    assert receiver.deliveries == []
    assert not list(tmp_path.glob("*.tmp"))

    with running_double(webhook_url=receiver.url, webhook_secret=SECRET, state=path) as double:
        client = client_of(double)
        assert client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"}).id == before.id
        assert client.v1.customers.create({}).id != before.id
        assert double.control.now() - time.time() > 3_500
        assert double.control.flush()
    assert receiver.types == ["customer.created"] * 2  # what was held is sent after the restart

    with running_double(webhook_url=receiver.url, webhook_secret=SECRET, state=path) as double:
        assert double.control.flush()
    assert len(receiver.deliveries) == 2


def test_a_debit_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "stripe.json"
    with running_double(state=path) as double:
        client = client_of(double)
        session = client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price_data": PRICE, "quantity": 1}],
                "payment_method_types": ["sepa_debit"],
                "success_url": "https://firm.example/paid",
            }
        )
        assert double.control.pay_session(session.id, "pm_disputed_de")["outcome"] == "processing"

    with running_double(state=path) as double:
        double.control.advance_clock(5 * 86_400)
        client = client_of(double)
        assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
        assert [dispute.status for dispute in client.v1.disputes.list().data] == ["lost"]


def test_a_broken_state_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "stripe.json"
    for text in ("{", "[]", '{"format": 0}'):
        path.write_text(text)
        with pytest.raises(StateFileError), running_double(state=path):
            pass


def test_reset_forgets_everything_but_the_endpoint(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    client.v1.customers.create({"name": "Old"}, {"idempotency_key": "k"})
    double.control.plan_fault("server_error")
    double.control.advance_clock(86_400)
    assert double.control.flush()
    double.control.reset()
    assert client.v1.customers.list().data == []
    assert abs(double.control.now() - time.time()) < 5
    client.v1.customers.create({"name": "New"}, {"idempotency_key": "k"})
    assert double.control.flush()
    assert len(receiver.deliveries) == 2


def test_a_frozen_clock_stands_still() -> None:
    clock = LocalClock()
    clock.freeze(NEW_YEAR)
    assert clock.now() == clock.now() == NEW_YEAR
