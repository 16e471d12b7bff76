"""The firm's totals, as they follow from what its customers do."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.scenarios.test_export import all_accounts
from tests.scenarios.world import Clock, Customer, StateMachine, World, eventually, line

type ACustomer = Callable[..., Customer]


def month_of(world: World, clock: Clock) -> Counter[str]:
    """Debits less credits by account of the chart, of this month, in euro."""
    accounts = world.api.get("/totals", month=f"{clock.today:%Y-%m}", currency="EUR")["accounts"]
    return Counter({each["account"]: each["debit_minor"] - each["credit_minor"] for each in accounts})


def ages(world: World, as_of: Any) -> dict[str, int]:
    """What is owed in euro, by age on a day."""
    found = world.api.get("/totals/ageing", as_of=f"{as_of}", currency="EUR")
    return dict(next(iter(found["currencies"]), {}))


def statuses(world: World) -> Counter[str]:
    """How many invoices in euro are in each status."""
    currencies = world.api.get("/totals/statuses")["currencies"]
    return Counter(next((each["statuses"] for each in currencies if each["currency"] == "EUR"), {}))


def settled(world: World) -> int:
    """What all customers owe in euro, once the totals say the same: they follow by a moment."""
    owed = sum(
        balance["receivable_minor"]
        for account in all_accounts(world)
        for balance in world.api.get(f"/accounts/{account}/balances")["balances"]
        if balance["currency"] == "EUR"
    )
    eventually(lambda: ages(world, "2026-12-31").get("receivable_minor", 0) == owed, f"totals of {owed}")
    return owed


def test_V4_Q1_a_sale_and_a_payment_move_the_totals_of_the_month(a_customer: ACustomer, world: World, clock: Clock) -> None:
    owed = settled(world)
    before, count = month_of(world, clock), statuses(world)
    customer = a_customer()
    invoice = customer.is_invoiced(line("A day's work", 10_000, category="services"))
    customer.pays_by_bank(15_000, {invoice: 10_000})
    assert settled(world) == owed + 2_100
    moved = Counter(month_of(world, clock))
    moved.subtract(before)
    assert {account: amount for account, amount in moved.items() if amount} == {
        "receivable": 2_100,
        "revenue:services": -10_000,
        "tax:VAT21": -2_100,
        "cash:bank_transfer": 15_000,
        "credit": -5_000,
    }
    assert statuses(world) - count == {"part_paid": 1}


def test_Q1_what_is_owed_ages_by_the_day_that_is_asked_for(a_customer: ACustomer, world: World) -> None:
    settled(world)
    invoice = a_customer().is_invoiced(term="on_receipt")
    settled(world)
    for days, bucket in ((1, "overdue_1_30_minor"), (31, "overdue_31_60_minor"), (91, "overdue_91_plus_minor")):
        on_time, late = (ages(world, invoice.due_date + timedelta(days=days + more)) for more in (-1, 0))
        assert late[bucket] - on_time[bucket] >= invoice.total_minor
        assert late["receivable_minor"] == on_time["receivable_minor"]


def test_L6_counting_all_entries_anew_gives_the_same_totals(a_customer: ACustomer, world: World, clock: Clock) -> None:
    """As a check, and to replace them; the firm works on."""
    a_customer().is_invoiced()
    settled(world)
    before = (month_of(world, clock), statuses(world), ages(world, clock.today))
    machine = StateMachine(world, "TotalsRebuildArn")
    for given in ({}, {"replace": True}):
        end = machine.runs(given)
        assert end["status"] == "SUCCEEDED", end
        output = json.loads(end["output"])
        assert (output["differences"], output["accounts"]) == (0, len(list(all_accounts(world))))
        assert (month_of(world, clock), statuses(world), ages(world, clock.today)) == before
    invoice = a_customer().is_invoiced()
    assert settled(world) >= invoice.total_minor


def test_O1_totals_are_for_those_who_may_read_reports(world: World) -> None:
    assert world.reader.request("GET", "/totals/statuses").status == 200
    assert world.anonymous.request("GET", "/totals/statuses").status == 401
