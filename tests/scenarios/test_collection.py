"""Invoices are charged to the saved card when due, again when it was declined, and the customer learns of it (S4, S5)."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from tests.scenarios.test_saved_methods_and_disputes import saves
from tests.scenarios.world import SAMPLE_FIRM, Clock, Customer, Firm, Invoice, RecurringPayments, TheGateway, World, eventually

type ACustomer = Callable[..., Customer]

HALVES = {
    "id": "halves",
    "name": "Half in ten days, half four days later",
    "parts": [
        {"due": {"rule": "net_days", "days": 10}, "percent": "50"},
        {"due": {"rule": "net_days", "days": 14}, "percent": "50"},
    ],
}


@pytest.fixture
def firm_with_halves(firm: Firm) -> None:
    firm.is_set_up(terms=[*SAMPLE_FIRM["terms"], HALVES], collection_retries=[2, 5])
    firm.forgets_its_settings_in("InvoicingFunction")


def pays_by_itself(customer: Customer, method: str = "pm_card_visa") -> dict[str, Any]:
    """The customer saves a method and agrees that it is charged."""
    saved = saves(customer, method)
    customer.changes(collect_automatically=True)
    return saved


def declines(the_gateway: TheGateway, saved: dict[str, Any], code: str) -> None:
    the_gateway.control(f"payment_methods/{saved['id']}", {"decline_code": code})


def on_each_day_until(last: date, recurring_payments: RecurringPayments, clock: Clock) -> None:
    while clock.today < last:
        clock.moves_by(1)
        recurring_payments.runs()


def tried(invoice: Invoice) -> list[tuple[str, int, int, str, str | None]]:
    """The attempts as the invoice shows them: day, number, amount, outcome and reason."""
    found = invoice.now()["collection"]["attempts"]
    return [(a["made_at"][:10], a["number"], a["amount_minor"], a["outcome"], a["reason"]) for a in found]


@pytest.mark.usefixtures("firm_with_halves")
def test_a_declined_card_is_tried_again_on_the_firms_days_and_then_works(
    world: World,
    a_customer: ACustomer,
    clock: Clock,
    the_gateway: TheGateway,
    recurring_payments: RecurringPayments,
) -> None:
    """S4, S5, P3: two parts, 60.50 each; the second falls due while the first is being tried."""
    with world.listens_to_the_bus() as heard:
        customer = a_customer()
        saved = pays_by_itself(customer)
        declines(the_gateway, saved, "insufficient_funds")
        invoice = customer.is_invoiced(term="halves")
        first, second = (date.fromisoformat(part["due_date"]) for part in invoice.facts["parts"])
        assert invoice.now()["collection"] == {"next_on": first.isoformat(), "why": "not_due", "attempts": []}
        on_each_day_until(first + timedelta(days=3), recurring_payments, clock)
        collection = invoice.now()["collection"]
        assert (collection["next_on"], collection["why"]) == (second.isoformat(), "retry_later")
        the_gateway.control(f"payment_methods/{saved['id']}", {"behaves_as": "pm_card_visa"})
        on_each_day_until(second + timedelta(days=1), recurring_payments, clock)
        assert tried(invoice) == [
            (first.isoformat(), 1, 6_050, "declined", "insufficient_funds"),
            ((first + timedelta(days=2)).isoformat(), 2, 6_050, "declined", "insufficient_funds"),
            (second.isoformat(), 1, 12_100, "succeeded", None),
        ]
        assert invoice.status == "paid"
        failures = eventually(
            lambda: (
                len(found := [e["detail"] for e in heard.about(customer.id) if e["detail-type"] == "PaymentFailed"]) >= 2
                and found
            ),
            "both failures on the bus",
        )
    told = [(f["attempt"], f["next_attempt_on"], f["payer_must_act"], f["invoice_ids"]) for f in failures]
    assert told == [
        (1, (first + timedelta(days=2)).isoformat(), None, [invoice.id]),
        (2, second.isoformat(), None, [invoice.id]),
    ]
    line = world.api.get(f"{customer.path}/timeline", limit=100)["events"]
    assert [e["collection_attempt"]["number"] for e in line if e["type"] == "collection_attempt"] == [1, 2, 1]
    customer.proves()


def test_a_stolen_card_is_not_charged_again_but_a_new_one_is(
    world: World,
    a_customer: ACustomer,
    clock: Clock,
    the_gateway: TheGateway,
    recurring_payments: RecurringPayments,
) -> None:
    """S4: and once."""
    customer = a_customer()
    declines(the_gateway, pays_by_itself(customer), "stolen_card")
    invoice = customer.is_invoiced()
    clock.moves_to(invoice.due_date)
    on_each_day_until(invoice.due_date + timedelta(days=9), recurring_payments, clock)
    collection = invoice.now()["collection"]
    assert (collection["next_on"], collection["why"]) == (None, "hard_decline")
    assert [outcome for *_, outcome, _ in tried(invoice)] == ["hard_decline"]
    new = saves(customer, "pm_card_mastercard")
    world.api.put(f"{customer.path}/payment-methods/{new['id']}/default", {})
    recurring_payments.runs()
    recurring_payments.runs()
    assert [outcome for *_, outcome, _ in tried(invoice)] == ["hard_decline", "succeeded"]
    assert invoice.status == "paid"
    customer.proves()


def test_a_bank_that_wants_its_customer_leaves_the_pay_link(
    a_customer: ACustomer, clock: Clock, the_gateway: TheGateway, recurring_payments: RecurringPayments
) -> None:
    """S4, P3"""
    customer = a_customer()
    declines(the_gateway, pays_by_itself(customer), "authentication_required")
    invoice = customer.is_invoiced()
    clock.moves_to(invoice.due_date)
    on_each_day_until(invoice.due_date + timedelta(days=5), recurring_payments, clock)
    assert invoice.now()["collection"]["why"] == "authentication_required"
    assert [outcome for *_, outcome, _ in tried(invoice)] == ["authentication_required"]
    invoice.pays_by_card()
    invoice.becomes_paid()
    assert invoice.now()["collection"]["why"] == "settled"
    customer.proves()
