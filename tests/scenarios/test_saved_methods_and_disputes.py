"""A customer saves a card, is charged without being there, and disputes; over HTTP, with the gateway's own events."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.scenarios.world import Answer, Clock, Customer, Invoice, Payment, RecurringPayments, TheGateway, World, eventually

type ACustomer = Callable[..., Customer]

A_WHILE = timedelta(minutes=40)
"""So that the first look is within the hour in which a charge that the gateway does not know is asked for again."""


def saves(customer: Customer, method: str = "pm_card_visa") -> dict[str, Any]:
    """The customer saves a method on the gateway's page; the method, once we were told of it."""
    api, the_gateway = customer.world.api, customer.world.the_gateway
    known = len(api.get(f"{customer.path}/payment-methods")["methods"])
    page = api.post(f"{customer.path}/payment-methods/setup", {"return_url": "https://shop.example/account"})
    session = urlsplit(page["setup_url"]).path.rsplit("/", 1)[-1]
    the_gateway.control(f"checkout/sessions/{session}/pay", {"card": method})

    def told() -> list[dict[str, Any]] | None:
        methods: list[dict[str, Any]] = api.get(f"{customer.path}/payment-methods")["methods"]
        return methods if len(methods) > known else None

    return (eventually(told, "the method being saved") or [{}])[-1]


def charge(invoice: Invoice, **more: Any) -> Answer:
    return invoice.customer.world.api.request("POST", f"{invoice.path}/charges", more)


def charged(invoice: Invoice, **more: Any) -> Payment:
    answer = charge(invoice, **more)
    assert answer.status == 201, answer.text
    return Payment(invoice.customer, answer.json)


def act(payment: Payment, action: str, body: dict[str, Any] | None = None) -> Answer:
    return payment.customer.world.api.request("POST", f"{payment.customer.path}/payments/{payment.id}/{action}", body or {})


def agenda_runs(world: World) -> dict[str, Any]:
    """What the schedule starts every quarter of an hour."""
    name = world.stack.physical_id("AgendaFunction")
    answer = world.stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "errorMessage" not in found, found
    return found


def becomes(payment: Payment, status: str) -> Payment:
    eventually(lambda: payment.now().status == status, f"{payment.id} being {status}")
    return payment.now()


class TestSavedMethods:
    def test_a_card_is_saved_charged_and_given_up(self, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """A3, P3, G3: the answer and the events of one charge are one entry."""
        customer = a_customer()
        saved = saves(customer)
        assert (saved["label"], saved["is_default"], saved["method"]) == ("visa 4242", True, "card")
        invoice = customer.is_invoiced()
        payment = charged(invoice)
        assert (payment.status, invoice.open_minor) == ("succeeded", 0)
        the_gateway.has_delivered_everything()
        eventually(lambda: [t["type"] for t in payment.now().facts["transactions"]] == ["capture"], "its transaction")
        assert len(customer.entries()) == 2
        api = customer.world.api
        gone = api.request("DELETE", f"{customer.path}/payment-methods/{saved['id']}")
        assert (gone.status, gone.json["methods"]) == (200, [])
        refused = charge(customer.is_invoiced())
        assert (refused.status, refused.code) == (409, "no_saved_method")
        customer.proves()

    def test_a_checkout_may_save_the_card_too(self, a_customer: ACustomer) -> None:
        """A3"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        api = customer.world.api
        page = api.post(f"{invoice.path}/checkout", {"save_method": True})
        session = urlsplit(page["checkout_url"]).path.rsplit("/", 1)[-1]
        customer.world.the_gateway.control(f"checkout/sessions/{session}/pay", {"card": "pm_card_visa"})
        invoice.becomes_paid()
        eventually(lambda: api.get(f"{customer.path}/payment-methods")["methods"], "the method being saved")
        assert charged(customer.is_invoiced()).status == "succeeded"

    def test_a_card_that_declines_or_wants_its_holder_leaves_the_pay_link(self, a_customer: ACustomer) -> None:
        """P3, S4"""
        customer = a_customer()
        saved = saves(customer)
        invoice = customer.is_invoiced()
        control = customer.world.the_gateway.control
        for decline, hard in (("insufficient_funds", False), ("lost_card", True), ("authentication_required", True)):
            control(f"payment_methods/{saved['id']}", {"decline_code": decline})
            failed = charged(invoice).facts
            assert (failed["status"], failed["failure"], failed["is_hard_failure"]) == ("failed", decline, hard)
        invoice.pays_by_card()
        invoice.becomes_paid()
        customer.proves()

    @pytest.mark.parametrize("fault", ["reset_after", "server_error_after", "rate_limit", "server_error"])
    def test_an_unknown_outcome_blocks_until_the_agenda_knows(
        self, world: World, a_customer: ACustomer, clock: Clock, the_gateway: TheGateway, fault: str
    ) -> None:
        """P4"""
        customer = a_customer()
        saves(customer)
        invoice = customer.is_invoiced()
        the_gateway.holds_deliveries()
        the_gateway.fails(fault, 3, "/v1/payment_intents")
        payment = charged(invoice)
        the_gateway.behaves()
        if payment.status == "pending":
            the_gateway.holds_deliveries()
            assert charge(invoice).code == "payment_under_way"
        for _ in range(3):
            clock.moves_to(clock.now.replace(microsecond=0) + A_WHILE)
            agenda_runs(world)
        the_gateway.behaves()
        if payment.now().status == "canceled":  # Stripe had failed for good before anything was done
            assert (fault, payment.now().facts["failure"]) == ("server_error", "not_charged")
            payment = charged(invoice)
        becomes(payment, "succeeded")
        assert (invoice.open_minor, len(customer.entries())) == (0, 2)
        customer.proves()

    def test_invoices_are_collected_on_their_due_dates(
        self, world: World, a_customer: ACustomer, clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        """P3: once, whatever runs twice."""
        customer = a_customer()
        saves(customer)
        world.api.patch(customer.path, {"collect_automatically": True})
        invoice = customer.is_invoiced()
        recurring_payments.runs()
        assert invoice.open_minor == 12_100
        clock.moves_to(invoice.due_date)
        recurring_payments.runs_at_once(2)
        assert (invoice.open_minor, len(customer.payments)) == (0, 1)
        customer.proves()


class TestAuthorisations:
    def test_a_part_is_captured_and_another_is_released(self, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """P7, P5"""
        customer = a_customer()
        saves(customer)
        first, second = customer.is_invoiced(), customer.is_invoiced()
        payment = charged(first, capture_later=True)
        assert (payment.status, first.open_minor) == ("authorized", 12_100)
        captured = act(payment, "captures", {"amount_minor": 9_000})
        assert (captured.status, captured.json["status"], captured.json["amount_minor"]) == (201, "succeeded", 9_000)
        assert first.open_minor == 3_100
        the_gateway.has_delivered_everything()
        types = ["authorization", "capture"]
        eventually(lambda: [t["type"] for t in payment.now().facts["transactions"]] == types, "both transactions")
        released = act(charged(second, capture_later=True), "cancellation")
        assert (released.status, released.json["status"]) == (201, "canceled")
        customer.proves()


class TestMoneyThatGoesBack:
    def test_a_dispute_is_lost_and_the_invoice_is_open_again(self, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """P9"""
        customer = a_customer()
        saves(customer)
        invoice = customer.is_invoiced()
        payment = charged(invoice)
        the_gateway.has_delivered_everything()
        (charge_id,) = [t["id"] for t in eventually(lambda: payment.now().facts["transactions"], "its transaction")]
        dispute = the_gateway.control(f"charges/{charge_id}/dispute", {})
        eventually(lambda: payment.now().facts["disputed_minor"] == 12_100, "the dispute")
        assert invoice.open_minor == 0
        the_gateway.control(f"disputes/{dispute['id']}/decide", {"outcome": "lost"})
        eventually(lambda: invoice.open_minor == 12_100, "the invoice being open again")
        kinds = [entry["kind"] for entry in customer.entries()]
        assert kinds == ["invoice_issued", "payment_received", "dispute_opened", "dispute_lost"]
        assert payment.now().facts["disputes"][0]["status"] == "lost"
        customer.proves()

    def test_a_check_bounces_and_a_transfer_is_moved(self, world: World, a_customer: ACustomer, clock: Clock) -> None:
        """P2, P5, P8"""
        customer = a_customer()
        wrong, right = customer.is_invoiced(), customer.is_invoiced()
        payment = customer.pays_by_bank(12_100, {wrong: 12_100})
        body = {
            "currency": "EUR",
            "from": [{"invoice_id": wrong.id, "amount_minor": 12_100}],
            "to": [{"invoice_id": right.id, "amount_minor": 12_100}],
        }
        assert act(payment, "reallocations", body).status == 201
        assert (wrong.open_minor, right.open_minor) == (12_100, 0)
        shown = world.api.get(f"{customer.path}/payments/{payment.id}", expand="invoices")
        assert [(paid["number"], paid["open_minor"]) for paid in shown["invoices"]] == [(right.number, 0)]
        reverted = act(payment, "reversal", {"on": clock.today.isoformat(), "reason": "Called back by the bank"})
        assert (reverted.status, reverted.json["status"], reverted.json["state"]) == (201, "reverted", "failed")
        assert right.open_minor == 12_100
        assert world.api.get(f"{customer.path}/payments", state="cleared")["payments"] == []
        assert len(world.api.get(f"{customer.path}/payments", state="failed")["payments"]) == 1
        customer.proves()
