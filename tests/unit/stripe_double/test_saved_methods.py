"""Payment methods that are saved on a hosted page, and charged later without the customer."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from local.stripe_double.controls import ControlError
from local.stripe_double.errors import ApiError
from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver
from tests.unit.stripe_double.test_checkout import Outline, browse


@pytest.fixture
def customer(client: stripe.StripeClient) -> str:
    return client.v1.customers.create({"name": "Ada Example"}).id


def setup_session(client: stripe.StripeClient, customer: str, **other: Any) -> Any:
    params: Any = {
        "mode": "setup",
        "customer": customer,
        "currency": "eur",
        "setup_intent_data": {"metadata": {"account": "A-1"}},
        "success_url": "https://firm.example/saved?session={CHECKOUT_SESSION_ID}",
    }
    return client.v1.checkout.sessions.create({**params, **other})


def charge(client: stripe.StripeClient, customer: str, method: str, **other: Any) -> Any:
    params: Any = {
        "amount": 5_000,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "off_session": True,
        "confirm": True,
    }
    return client.v1.payment_intents.create({**params, **other})


@pytest.mark.parametrize(("name", "kind"), [("pm_card_visa", "card"), ("pm_success_de", "sepa_debit")])
def test_a_setup_session_saves_a_method_that_can_be_charged_later(
    client: stripe.StripeClient, double: Double, receiver: Receiver, customer: str, name: str, kind: str
) -> None:
    session = setup_session(client, customer, metadata={"for": "autopay"})
    assert (session.payment_status, session.amount_total, session.payment_intent) == ("no_payment_required", None, None)

    done = double.control.pay_session(session.id, name)

    assert (done["outcome"], done["payment_intent"]) == ("succeeded", None)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"
    method = client.v1.payment_methods.list({"customer": customer}).data[0]
    assert (method.type, method.id) == (kind, done["setup_intent"]["payment_method"])
    paid = charge(client, customer, method.id)
    assert paid.status == ("succeeded" if kind == "card" else "processing")
    assert double.control.flush()
    assert receiver.types[1:5] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]
    succeeded, completed = (event["data"]["object"] for event in receiver.events[3:5])
    assert succeeded["metadata"] == {"account": "A-1"}
    assert (completed["metadata"], completed["setup_intent"]) == ({"for": "autopay"}, succeeded["id"])
    assert (succeeded["mandate"] is None) == (kind == "card")


def test_a_card_that_declines_leaves_the_setup_session_open(
    client: stripe.StripeClient, double: Double, receiver: Receiver, customer: str
) -> None:
    session = setup_session(client, customer)
    declined = double.control.pay_session(session.id, "pm_card_chargeDeclined")
    assert (declined["outcome"], declined["session"]["status"]) == ("declined", "open")
    asked = double.control.pay_session(session.id, "pm_card_authenticationRequiredOnSetup")
    assert asked["outcome"] == "requires_action"
    double.control.authenticate(asked["setup_intent"]["id"])
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"
    assert double.control.flush()
    assert receiver.types[2:] == [
        "setup_intent.setup_failed",
        "setup_intent.requires_action",
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]
    saved = client.v1.payment_methods.list({"customer": customer}).data[0]
    assert charge(client, customer, saved.id).status == "succeeded"


def test_an_expired_setup_session_ends_its_intent(client: stripe.StripeClient, double: Double, customer: str) -> None:
    session = setup_session(client, customer)
    with pytest.raises(stripe.InvalidRequestError, match="Expire the Checkout Session"):
        client.v1.setup_intents.cancel(session.setup_intent)
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    assert client.v1.setup_intents.retrieve(session.setup_intent).status == "canceled"
    with pytest.raises(ApiError, match="status of expired"):
        double.control.pay_session(session.id)


@pytest.mark.parametrize(
    ("other", "param"),
    [
        ({"currency": None}, "currency"),
        ({"payment_intent_data": {"description": "no"}}, "payment_intent_data"),
        ({"mode": "payment", "currency": None, "setup_intent_data": None}, "line_items"),
        ({"mode": "payment", "currency": None}, "setup_intent_data"),
        ({"payment_method_types": ["us_bank_account"]}, "currency"),
    ],
)
def test_a_session_takes_only_what_belongs_to_its_mode(
    client: stripe.StripeClient, customer: str, other: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        setup_session(client, customer, **other)
    assert caught.value.param == param


def test_the_page_saves_cards_and_bank_accounts(client: stripe.StripeClient, customer: str) -> None:
    session = setup_session(client, customer)
    outline = Outline(browse(session.url)[2])
    options = {option["value"] for option in outline.all("option")}
    assert {"visa", "pm_success_de"} < options
    assert "pm_usBankAccount_success" not in options
    assert {label["for"] for label in outline.all("label")} == {"card", "email", "name"}
    form = {"card": "chargeDeclined", "email": "ada@example.com", "name": "Ada Example"}
    status, _, page = browse(session.url, form)
    assert status == 402
    assert 'role="alert"' in page
    status, location, _ = browse(session.url, form | {"card": "pm_success_de"})
    assert (status, location) == (303, f"https://firm.example/saved?session={session.id}")
    assert "Saved" in browse(session.url)[2]


def test_paying_can_save_the_card_for_later(client: stripe.StripeClient, double: Double, customer: str, new_session: Any) -> None:
    data = {"setup_future_usage": "off_session", "capture_method": "manual"}
    session = new_session(customer=customer, payment_intent_data=data)
    assert session.payment_method_types == ["card"], "a debit can't be authorised first"
    assert double.control.pay_session(session.id)["outcome"] == "requires_capture"
    saved = client.v1.payment_methods.list({"customer": customer}).data[0]
    assert charge(client, customer, saved.id).status == "succeeded"


@pytest.mark.parametrize(
    ("decline_code", "code", "advice"),
    [
        ("lost_card", "card_declined", "do_not_try_again"),
        ("stolen_card", "card_declined", "do_not_try_again"),
        ("do_not_honor", "card_declined", "try_again_later"),
        ("insufficient_funds", "card_declined", "try_again_later"),
        ("processing_error", "processing_error", "try_again_later"),
        ("authentication_required", "authentication_required", None),
    ],
)
def test_a_saved_card_can_come_to_be_declined(
    client: stripe.StripeClient,
    double: Double,
    receiver: Receiver,
    customer: str,
    decline_code: str,
    code: str,
    advice: str | None,
) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    double.control.change_payment_method(method.id, decline_code=decline_code)
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer, method.id)
    error = caught.value.error
    assert (caught.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    assert error.to_dict().get("advice_code") == advice
    assert (error.payment_intent.status, error.payment_method.id) == ("requires_payment_method", method.id)
    assert double.control.flush()
    assert receiver.types[-3:] == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    double.control.change_payment_method(method.id, behaves_as="pm_card_visa")
    again = client.v1.payment_intents.confirm(error.payment_intent.id, {"payment_method": method.id, "off_session": True})
    assert again.status == "succeeded"


def test_a_saved_account_can_come_to_fail(client: stripe.StripeClient, double: Double, customer: str) -> None:
    method = double.control.pay_session(setup_session(client, customer).id, "pm_success_de")["setup_intent"]["payment_method"]
    double.control.change_payment_method(method, behaves_as="pm_insufficientFunds_de")
    intent = charge(client, customer, method)
    double.control.advance_clock(5 * 86_400)
    failed = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert failed.latest_charge.failure_code == "insufficient_funds"


def test_a_method_changes_only_into_another_of_its_type(client: stripe.StripeClient, double: Double, customer: str) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    for changes in ({"behaves_as": "pm_success_de"}, {"behaves_as": "pm_card_nonsense"}, {"decline_code": "bad_mood"}):
        with pytest.raises(ApiError, match="No such"):
            double.control.change_payment_method(method, **changes)
    with pytest.raises(ControlError, match="one of"):
        double.control.change_payment_method(method)


def test_a_search_finds_intents_by_metadata(client: stripe.StripeClient, customer: str) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    first, second, other = (
        charge(client, customer, method, amount=amount, metadata={"payment": payment, "note": "5 AND 6"})
        for amount, payment in ((500, "p1"), (900, "p1"), (900, "p2"))
    )

    def found(query: str) -> list[str]:
        return [item.id for item in client.v1.payment_intents.search({"query": query}).data]

    assert found('metadata["payment"]:"p1"') == [second.id, first.id]
    assert found("metadata['payment']:'p1' AND amount>500") == [second.id]
    assert found("amount<=500 OR metadata['payment']:'p2'") == [other.id, first.id]
    assert found(f"customer:'{customer}' AND -metadata['payment']:'p1'") == [other.id]
    assert found("metadata['note']:'5 AND 6' AND status:'canceled'") == []
    assert found("metadata['missing']:null AND currency:'eur'") == [other.id, second.id, first.id]
    page = client.v1.payment_intents.search({"query": "status:'succeeded'", "limit": 2})
    assert (page.has_more, page.next_page) == (True, second.id)
    rest = client.v1.payment_intents.search({"query": "status:'succeeded'", "limit": 2, "page": second.id})
    assert ([item.id for item in rest.data], rest.has_more) == ([first.id], False)


@pytest.mark.parametrize(
    "query", ["nonsense", "description:'x'", "status>'a'", "status:'a' AND amount>1 OR amount<9", "status:", "amount:'x'"]
)
def test_an_unreadable_search_is_refused(client: stripe.StripeClient, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.search({"query": query})
    assert caught.value.param == "query"
