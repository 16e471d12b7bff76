"""Every operation and event of the double conforms to Stripe's own OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double.api import OPERATIONS
from local.stripe_double.sandbox import API_VERSION
from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver
from tests.unit.stripe_double.specification import Judge, component, description, problems

EVENT_TYPES = {
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.expired",
    "charge.failed",
    "charge.pending",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.created",
    "customer.deleted",
    "customer.updated",
    "mandate.updated",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.canceled",
    "setup_intent.created",
    "setup_intent.requires_action",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
}
NEVER_ACCEPTED = {("POST", "/v1/refunds/{refund}/cancel")}  # a card refund can't be canceled
CARD_ONLY = {"payment_method_types": ["card"]}


def test_the_description_is_of_the_version_that_the_double_and_the_sdk_speak() -> None:
    assert description()["info"]["version"] == API_VERSION == stripe.api_version


def test_the_judge_refuses_invented_and_missing_members() -> None:
    refund = {"id": "re_1", "object": "refund", "amount": 1, "created": 1, "currency": "eur"}
    assert problems(refund, component("refund")) is None
    assert problems(refund | {"colour": "red"}, component("refund")) is not None
    assert problems(refund | {"amount": 1.5}, component("refund")) is not None
    del refund["amount"]
    assert problems(refund, component("refund")) is not None


def test_every_operation_and_event_conforms(
    client: stripe.StripeClient, double: Double, judge: Judge, receiver: Receiver, new_session: Callable[..., Any]
) -> None:
    customer = tour_of_customers(client)
    tour_of_payment_intents(client, double, customer)
    tour_of_setup_intents(client, double, customer)
    tour_of_sessions(client, double, new_session)
    tour_of_refunds(client, double)
    tour_of_setup_sessions(client, double, customer)
    tour_of_debits(client, double, customer, new_session)
    tour_of_disputes(client, double)
    tour_of_payment_methods(client, customer)
    client.v1.customers.delete(customer)
    client.v1.customers.retrieve(customer)
    event = client.v1.events.list({"limit": 3}).data[0]
    client.v1.events.retrieve(event.id)

    assert double.control.flush()
    for delivered in receiver.events:
        judge.check_event(delivered)
    accepted = {(method.upper(), path) for method, path in judge.accepted}
    assert accepted | NEVER_ACCEPTED == {(operation.method, operation.path) for operation in OPERATIONS}
    assert ("post", "/v1/refunds/{refund}/cancel") in judge.refused
    assert set(judge.events_checked) == EVENT_TYPES


def tour_of_customers(client: stripe.StripeClient) -> str:
    customer = client.v1.customers.create(
        {
            "name": "Ada Example",
            "email": "ada@example.com",
            "address": {"line1": "1 Main St", "city": "Ghent", "country": "BE"},
            "metadata": {"account": "A-1"},
        }
    )
    client.v1.customers.update(customer.id, {"phone": "+32 9 000 00 00", "metadata": {"account": "A-2"}})
    client.v1.customers.list({"email": "ada@example.com", "limit": 1})
    return customer.id


def tour_of_payment_methods(client: stripe.StripeClient, customer: str) -> None:
    card: Any = {"number": "4242424242424242", "exp_month": 8, "exp_year": 2030, "cvc": "314"}
    method = client.v1.payment_methods.create({"type": "card", "card": card})
    client.v1.payment_methods.attach(method.id, {"customer": customer})
    client.v1.payment_methods.update(method.id, {"card": {"exp_year": 2031}})
    client.v1.payment_methods.retrieve(method.id, {"expand": ["customer"]})
    client.v1.payment_methods.list({"customer": customer, "type": "card"})
    client.v1.customers.payment_methods.list(customer)
    client.v1.payment_methods.detach(method.id)


def tour_of_payment_intents(client: stripe.StripeClient, double: Double, customer: str) -> None:
    intents = client.v1.payment_intents
    intent = intents.create({"amount": 5_000, "currency": "usd", "customer": customer, **CARD_ONLY})
    intents.update(intent.id, {"description": "Order 7", "metadata": {"order": "7"}})
    with pytest.raises(stripe.CardError):
        intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    intents.retrieve(intent.id, {"expand": ["latest_charge", "customer"]})
    paid = intents.confirm(
        intent.id,
        {
            "payment_method": "pm_card_visa",
            "setup_future_usage": "off_session",
            "expand": ["latest_charge.balance_transaction", "payment_method.customer"],
        },
    )
    charge = client.v1.charges.retrieve(paid.latest_charge.id, {"expand": ["balance_transaction.source", "refunds"]})
    client.v1.charges.update(charge.id, {"metadata": {"seen": "yes"}})
    client.v1.charges.list({"payment_intent": intent.id})
    client.v1.balance_transactions.retrieve(charge.balance_transaction.id)
    client.v1.balance_transactions.list({"type": "charge", "expand": ["data.source"]})
    held: Any = {"amount": 900, "currency": "eur", "capture_method": "manual", "confirm": True, **CARD_ONLY}
    for_capture = intents.create({**held, "payment_method": "pm_card_visa"})
    intents.capture(for_capture.id, {"amount_to_capture": 800})
    for_expiry = intents.create({**held, "payment_method": "pm_card_mastercard"})
    asked = intents.create(
        {**held, "payment_method": "pm_card_authenticationRequired", "return_url": "https://firm.example/back"}
    )
    double.control.authenticate(asked.id, succeeds=True)
    intents.cancel(asked.id, {"cancellation_reason": "abandoned"})
    double.control.advance_clock(8 * 86_400)
    assert intents.retrieve(for_expiry.id).status == "canceled"
    intents.list({"customer": customer})
    found = intents.search({"query": "metadata['order']:'7' AND status:'succeeded'", "expand": ["data.latest_charge"]})
    assert [item.id for item in found.data] == [intent.id]


def tour_of_setup_intents(client: stripe.StripeClient, double: Double, customer: str) -> None:
    intents = client.v1.setup_intents
    intent = intents.create({"customer": customer, **CARD_ONLY})
    intents.update(intent.id, {"metadata": {"for": "dunning"}})
    with pytest.raises(stripe.CardError):
        intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired"})
    double.control.authenticate(intent.id, succeeds=False)
    intents.confirm(intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_attempt.payment_method"]})
    intents.retrieve(intent.id, {"expand": ["customer", "payment_method"]})
    intents.list({"customer": customer})
    intents.cancel(intents.create({"usage": "on_session"}).id, {"cancellation_reason": "abandoned"})


def tour_of_sessions(client: stripe.StripeClient, double: Double, new_session: Callable[..., Any]) -> None:
    sessions = client.v1.checkout.sessions
    session = new_session(customer_creation="always", customer_email="ada@example.com", expand=["line_items"])
    sessions.update(session.id, {"metadata": {"invoice": "2026-0001"}})
    double.control.pay_session(session.id, "pm_card_chargeDeclinedInsufficientFunds")
    double.control.pay_session(session.id)
    sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge", "line_items", "customer"]})
    sessions.line_items.list(session.id, {"limit": 5})
    sessions.list({"status": "complete"})
    abandoned = new_session()
    double.control.pay_session(abandoned.id, "pm_card_chargeDeclined")
    sessions.expire(abandoned.id)


def tour_of_setup_sessions(client: stripe.StripeClient, double: Double, customer: str) -> None:
    sessions = client.v1.checkout.sessions
    params: Any = {
        "mode": "setup",
        "customer": customer,
        "payment_method_types": ["card", "sepa_debit", "us_bank_account"],
        "setup_intent_data": {"metadata": {"account": "A-1"}},
        "success_url": "https://firm.example/saved",
    }
    for method in ("pm_card_visa", "pm_success_de", "pm_usBankAccount_success"):
        session = sessions.create(params)
        double.control.pay_session(session.id, method)
        expand: Any = {"expand": ["setup_intent.mandate", "setup_intent.latest_attempt", "setup_intent.payment_method"]}
        saved = sessions.retrieve(session.id, expand).setup_intent
        assert saved.payment_method.type == saved.latest_attempt.payment_method_details.type
        if saved.mandate is not None:
            client.v1.mandates.retrieve(saved.mandate.id, {"expand": ["payment_method"]})
    sessions.expire(sessions.create(params).id)


def tour_of_debits(client: stripe.StripeClient, double: Double, customer: str, new_session: Callable[..., Any]) -> None:
    for method in ("pm_success_de", "pm_failed_de"):
        session = new_session(payment_method_types=["card", "sepa_debit"])
        double.control.pay_session(session.id, method)
    accepted: Any = {"customer_acceptance": {"type": "online", "online": {"ip_address": "127.0.0.1", "user_agent": "test"}}}
    intents = client.v1.payment_intents
    debit: Any = {"amount": 5_000, "currency": "usd", "confirm": True, "customer": customer, "mandate_data": accepted}
    for method in ("pm_usBankAccount_dispute", "pm_usBankAccount_insufficientFunds"):
        intents.create({**debit, "payment_method": method, "payment_method_types": ["us_bank_account"]})
    stuck = intents.create(
        {**debit, "payment_method": "pm_usBankAccount_processing", "payment_method_types": ["us_bank_account"]}
    )
    intents.cancel(stuck.id)
    double.control.advance_clock(6 * 86_400)
    paid = client.v1.checkout.sessions.list({"status": "complete", "limit": 2}).data[1]
    refund = client.v1.refunds.create({"payment_intent": str(paid.payment_intent)})
    assert refund.status == "pending"
    iban: Any = {"type": "sepa_debit", "sepa_debit": {"iban": "DE89 3704 0044 0532 0130 00"}}
    client.v1.payment_methods.create({**iban, "billing_details": {"name": "Ada", "email": "ada@example.com"}})
    client.v1.balance_transactions.list({"limit": 50, "expand": ["data.source"]})


def tour_of_disputes(client: stripe.StripeClient, double: Double) -> None:
    cards = ("createDispute", "createDisputeProductNotReceived", "createDisputeInquiry")
    for card in cards:
        pay: Any = {"amount": 700, "currency": "eur", "confirm": True, "payment_method": f"pm_card_{card}", **CARD_ONLY}
        client.v1.payment_intents.create(pay)
    disputes = client.v1.disputes
    inquiry, not_received, fraudulent = disputes.list({"limit": 3, "expand": ["data.charge", "data.payment_intent"]}).data
    evidence: Any = {"customer_name": "Ada Example", "uncategorized_text": "winning_evidence"}
    disputes.update(fraudulent.id, {"evidence": evidence, "metadata": {"case": "7"}})
    assert disputes.retrieve(fraudulent.id).status == "won"
    disputes.close(not_received.id)
    double.control.decide_dispute(inquiry.id, "escalated")


def tour_of_refunds(client: stripe.StripeClient, double: Double) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 700, "currency": "eur", "confirm": True, "payment_method": "pm_card_refundFail", **CARD_ONLY}
    )
    refund = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer", "expand": ["charge"]}
    )
    client.v1.refunds.update(refund.id, {"metadata": {"credit": "C-1"}})
    double.control.advance_clock(3_600)
    client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction", "balance_transaction"]})
    client.v1.refunds.list({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError, match="can't be canceled"):
        client.v1.refunds.cancel(refund.id)
