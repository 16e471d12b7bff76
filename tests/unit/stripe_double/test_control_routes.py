"""Control calls over HTTP, as scripts and other languages make them; and the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe

from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver

PROJECT = Path(__file__).parents[3]


def control(url: str, call: str, body: Any = None) -> tuple[int, Any]:
    """``control(url, "POST /_control/reset")``: status and JSON answer."""
    method, _, path = call.partition(" ")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, method=method)  # noqa: S310 (http to the double)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_every_call_is_listed(double: Double) -> None:
    calls = control(double.url, "GET /_control")[1]["calls"]
    assert len(calls) == 26
    assert "POST /_control/checkout/sessions/{id}/pay" in calls


def test_deliveries_are_driven_over_http(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    ok = (200, {"ok": True})
    assert control(double.url, "POST /_control/deliveries/hold") == ok
    assert control(double.url, "POST /_control/deliveries/duplicate", {"next": 1, "copies": 1}) == ok
    assert control(double.url, "POST /_control/deliveries/delay", {"next": 1, "seconds": 0.01}) == ok
    for name in ("first", "second"):
        client.v1.customers.create({"name": name})
    first, second = (event["id"] for event in control(double.url, "GET /_control/events")[1]["events"])
    assert control(double.url, "GET /_control/deliveries")[1]["held"] == [first, first, second]
    released = control(double.url, "POST /_control/deliveries/release", {"event_ids": [second, first, first]})
    assert released == (200, {"released": [second, first, first]})
    assert control(double.url, "POST /_control/deliveries/flush", {"timeout_seconds": 5}) == (200, {"empty": True})
    assert control(double.url, "POST /_control/deliveries/redeliver", {"event_id": second}) == ok
    assert control(double.url, "POST /_control/deliveries/drop", {"next": 1}) == ok
    client.v1.customers.create({"name": "third"})
    assert control(double.url, "POST /_control/deliveries/flush") == (200, {"empty": True})
    assert receiver.ids == [second, first, first, second]


def test_a_script_plays_the_customer(double: Double, new_session: Callable[..., Any]) -> None:
    session = new_session()
    pay = f"POST /_control/checkout/sessions/{session.id}/pay"
    assert control(double.url, pay, {"card": "pm_card_chargeDeclined"})[1]["outcome"] == "declined"
    asked = control(double.url, pay, {"card": "pm_card_authenticationRequired"})[1]
    assert asked["outcome"] == "requires_action"
    intent = asked["payment_intent"]["id"]
    status, paid = control(double.url, f"POST /_control/payment_intents/{intent}/authenticate", {"succeeds": True})
    assert (status, paid["status"]) == (200, "succeeded")
    assert control(double.url, pay)[0] == 400  # it is paid already
    assert control(double.url, "POST /_control/checkout/sessions/cs_none/pay")[0] == 404
    assert len(control(double.url, "GET /_control/test_methods")[1]["test_methods"]) > 60


def test_a_script_plays_the_bank(client: stripe.StripeClient, double: Double) -> None:
    customer = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.payment_methods.list({"customer": customer.id}).data[0].id
    pay: Any = {"amount": 500, "currency": "eur", "confirm": True, "customer": customer.id, "payment_method": method}
    paid = client.v1.payment_intents.create({**pay, "off_session": True})
    refund = client.v1.refunds.create({"payment_intent": paid.id, "amount": 100})
    assert control(double.url, f"POST /_control/refunds/{refund.id}/fail", {"reason": "declined"})[1]["status"] == "failed"
    dispute = f"POST /_control/charges/{paid.latest_charge}/dispute"
    status, opened = control(double.url, dispute, {"amount": 300, "reason": "duplicate", "inquiry": True})
    assert (status, opened["status"]) == (200, "warning_needs_response")
    assert control(double.url, dispute)[0] == 400  # it is disputed already
    decide = f"POST /_control/disputes/{opened['id']}/decide"
    assert control(double.url, decide, {"outcome": "escalated"})[1]["status"] == "needs_response"
    assert control(double.url, decide, {"outcome": "lost"})[1]["status"] == "lost"
    change = f"POST /_control/payment_methods/{method}"
    assert control(double.url, change, {"decline_code": "do_not_honor"})[0] == 200
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.create({**pay, "off_session": True})


def test_setups_faults_endpoint_and_clock_over_http(client: stripe.StripeClient, double: Double) -> None:
    intent = client.v1.setup_intents.create(
        {"confirm": True, "payment_method": "pm_card_authenticationRequired", "payment_method_types": ["card"]}
    )
    answer = control(double.url, f"POST /_control/setup_intents/{intent.id}/authenticate")
    assert answer[1]["status"] == "succeeded"
    planned = control(double.url, "POST /_control/faults", {"kind": "rate_limit", "next": 2, "path": "/v1/refunds"})
    assert planned[1] == control(double.url, "GET /_control/faults")[1]
    assert control(double.url, "POST /_control/faults/clear")[0] == 200
    assert control(double.url, "POST /_control/faults/release")[0] == 200
    rolled = control(double.url, "POST /_control/endpoint", {"secrets": ["whsec_a", "whsec_b"]})
    assert rolled[1]["secrets"] == ["whsec_a", "whsec_b"]
    assert control(double.url, "POST /_control/clock", {"now": "2027-01-01T00:00:00Z"}) == (200, {"now": 1_798_761_600})
    assert control(double.url, "POST /_control/clock", {"advance_seconds": 60}) == (200, {"now": 1_798_761_660})
    assert control(double.url, "GET /_control/clock") == (200, {"now": 1_798_761_660})
    assert control(double.url, "POST /_control/clock", {"real": True})[0] == 200
    assert control(double.url, "POST /_control/reset") == (200, {"ok": True})


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("POST /_control/nonsense", None, 404),
        ("GET /_control/reset", None, 404),
        ("POST /_control/deliveries/release", {"order": "upwards"}, 400),
        ("POST /_control/deliveries/release", {"event_ids": ["evt_none"]}, 400),
        ("POST /_control/deliveries/duplicate", {"nxt": 1}, 400),
        ("POST /_control/deliveries/drop", {"next": "two"}, 400),
        ("POST /_control/deliveries/drop", {"next": -1}, 400),
        ("POST /_control/deliveries/redeliver", {}, 400),
        ("POST /_control/deliveries/redeliver", {"event_id": "evt_none"}, 404),
        ("POST /_control/endpoint", {"secrets": []}, 400),
        ("POST /_control/faults", {"kind": "earthquake"}, 400),
        ("POST /_control/charges/ch_none/dispute", None, 404),
        ("POST /_control/charges/ch_none/dispute", {"reason": "mood"}, 400),
        ("POST /_control/disputes/du_none/decide", {"outcome": "won"}, 404),
        ("POST /_control/refunds/re_none/fail", None, 404),
        ("POST /_control/payment_methods/pm_none", {"behaves_as": "pm_card_visa"}, 404),
        ("POST /_control/clock", {}, 400),
        ("POST /_control/clock", {"now": "tomorrow"}, 400),
        ("POST /_control/clock", {"advance_seconds": -1}, 400),
        ("POST /_control/deliveries/flush", ["a list"], 400),
    ],
)
def test_mistaken_calls_are_told(double: Double, call: str, body: Any, status: int) -> None:
    answered, answer = control(double.url, call, body)
    assert answered == status
    assert isinstance(answer["error"], str)


def test_the_command_line_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.stripe_double", "--port", "0", "--state", str(tmp_path / "s.json")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("Stripe double: ").strip()
        client = stripe.StripeClient("sk_test_1", base_addresses={"api": url})
        assert client.v1.customers.create({"name": "Ada"}).name == "Ada"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert "Ada" in (tmp_path / "s.json").read_text()


def test_the_command_line_tells_when_the_port_is_taken(double: Double) -> None:
    port = double.url.rpartition(":")[2]
    command = [sys.executable, "-m", "local.stripe_double", "--port", port]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    assert f"Can't listen on 127.0.0.1:{port}" in done.stderr
