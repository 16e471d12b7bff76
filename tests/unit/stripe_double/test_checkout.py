"""Checkout sessions, paid by control call and on the hosted page."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver


def browse(url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, target of a redirect and text of a page."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc, timeout=5)
    if form is None:
        connection.request("GET", target.path)
    else:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", target.path, urlencode(form), headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    return answer.status, answer.headers.get("Location", ""), page


class Outline(HTMLParser):
    """What an assistive reader needs: language, title, headings, labelled fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


PAY = {"card": "visa", "email": "ada@example.com", "name": "Ada Example"}


def test_a_paid_session_is_complete_and_its_events_come_in_order(
    client: stripe.StripeClient, double: Double, receiver: Receiver, new_session: Callable[..., Any]
) -> None:
    session = new_session(
        client_reference_id="A-1",
        metadata={"invoice": "7"},
        payment_intent_data={"metadata": {"invoice": "7"}, "description": "Invoice 7"},
    )
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)

    paid = double.control.pay_session(session.id)

    assert paid["outcome"] == "succeeded"
    session = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent", "line_items"]})
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert session.payment_intent.metadata.to_dict() == {"invoice": "7"}
    assert session.line_items.data[0].amount_total == session.amount_total == 12_100
    assert session.customer_details.email == "customer@example.com"
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]
    completed = receiver.events[3]["data"]["object"]
    assert (completed["client_reference_id"], completed["metadata"]) == ("A-1", {"invoice": "7"})


def test_after_a_decline_the_same_intent_is_paid_by_another_card(
    client: stripe.StripeClient, double: Double, receiver: Receiver, new_session: Callable[..., Any]
) -> None:
    session = new_session()
    declined = double.control.pay_session(session.id, "pm_card_chargeDeclinedInsufficientFunds")
    assert (declined["outcome"], declined["error"]["decline_code"]) == ("declined", "insufficient_funds")
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"

    paid = double.control.pay_session(session.id)

    assert paid["payment_intent"]["id"] == declined["payment_intent"]["id"]
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]


def test_a_session_expires_by_the_clock(
    client: stripe.StripeClient, double: Double, receiver: Receiver, new_session: Callable[..., Any]
) -> None:
    session = new_session(expires_at=double.control.now() + 1_805)
    double.control.advance_clock(1_800)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    double.control.advance_clock(10)
    assert double.control.flush()
    assert receiver.types == ["checkout.session.expired"]
    assert browse(session.url)[0] == 410
    with pytest.raises(stripe.InvalidRequestError, match='status in \\["open"\\]'):
        client.v1.checkout.sessions.expire(session.id)


@pytest.mark.parametrize("ahead", [1_700, 86_500])
def test_a_session_lives_for_30_minutes_to_24_hours(double: Double, new_session: Callable[..., Any], ahead: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(expires_at=double.control.now() + ahead)
    assert caught.value.param == "expires_at"


def test_a_session_below_the_least_amount_is_refused(new_session: Callable[..., Any]) -> None:
    price = {"currency": "eur", "unit_amount": 7, "product_data": {"name": "Sweet"}}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(line_items=[{"price_data": price, "quantity": 2}])
    assert caught.value.code == "amount_too_small"


def test_an_authorised_session_is_complete_but_unpaid(
    client: stripe.StripeClient, double: Double, new_session: Callable[..., Any]
) -> None:
    session = new_session(payment_intent_data={"capture_method": "manual"})
    assert double.control.pay_session(session.id)["outcome"] == "requires_capture"
    session = client.v1.checkout.sessions.retrieve(session.id)
    assert (session.status, session.payment_status) == ("complete", "unpaid")


def test_the_intent_of_a_session_is_ended_by_expiring_the_session(
    client: stripe.StripeClient, double: Double, new_session: Callable[..., Any]
) -> None:
    session = new_session()
    intent = double.control.pay_session(session.id, "pm_card_chargeDeclined")["payment_intent"]
    with pytest.raises(stripe.InvalidRequestError, match="Expire the Checkout Session"):
        client.v1.payment_intents.cancel(intent["id"])
    client.v1.checkout.sessions.expire(session.id)
    assert client.v1.payment_intents.retrieve(intent["id"]).status == "canceled"


def test_the_page_is_plain_and_labelled(new_session: Callable[..., Any]) -> None:
    price = {"currency": "eur", "unit_amount": 500, "product_data": {"name": "<b>Tea & cake</b>"}}
    status, _, page = browse(new_session(line_items=[{"price_data": price, "quantity": 2}]).url)
    outline = Outline(page)
    labelled = {label["for"] for label in outline.all("label")}
    fields = {field["id"] for name in ("select", "input") for field in outline.all(name)}
    assert status == 200
    assert outline.all("html")[0]["lang"] == "en"
    assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
    assert fields == labelled == {"card", "email", "name"}
    assert not outline.all("script")
    assert "10.00 EUR" in page
    assert "&lt;b&gt;Tea &amp; cake&lt;/b&gt;" in page


def test_paying_on_the_page_leads_to_the_success_url(new_session: Callable[..., Any]) -> None:
    session = new_session()
    status, location, _ = browse(session.url, PAY)
    assert (status, location) == (303, f"https://firm.example/paid?session={session.id}")
    assert "Thank you" in browse(session.url)[2]
    assert browse(session.url, PAY)[0] == 200  # a second submit pays nothing


def test_a_decline_on_the_page_is_told_and_can_be_retried(new_session: Callable[..., Any]) -> None:
    session = new_session()
    status, _, page = browse(session.url, PAY | {"card": "chargeDeclinedInsufficientFunds"})
    assert status == 402
    assert 'role="alert"' in page
    assert "insufficient funds" in page
    assert browse(session.url, PAY)[0] == 303


def test_authentication_on_the_page(double: Double, client: stripe.StripeClient, new_session: Callable[..., Any]) -> None:
    session = new_session()
    _, location, _ = browse(session.url, PAY | {"card": "authenticationRequired"})
    assert location.startswith("/authenticate/pi_")
    assert "Confirm your payment" in browse(double.url + location)[2]
    _, back, _ = browse(double.url + location, {"outcome": "fail"})
    assert back == f"/c/pay/{session.id}"
    assert "failed authentication" in browse(session.url)[2]

    _, location, _ = browse(session.url, PAY | {"card": "authenticationRequired"})
    _, success, _ = browse(double.url + location, {"outcome": "succeed"})
    assert success == f"https://firm.example/paid?session={session.id}"
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_the_issuers_page_returns_to_the_return_url(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "eur",
            "confirm": True,
            "payment_method": "pm_card_authenticationRequired",
            "return_url": "https://firm.example/back?order=7",
        }
    )
    _, location, _ = browse(intent.next_action.redirect_to_url.url, {"outcome": "succeed"})
    assert location.startswith(f"https://firm.example/back?order=7&payment_intent={intent.id}&")
    assert location.endswith("redirect_status=succeeded")


def test_unknown_pages_are_not_found(double: Double) -> None:
    for path in ("/", "/c/pay/cs_test_none", "/authenticate/pi_none"):
        assert browse(double.url + path)[0] == 404
    assert browse(double.url + "/c/pay/cs_test_none", PAY)[0] == 404
