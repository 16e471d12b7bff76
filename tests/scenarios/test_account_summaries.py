"""Customers are told how they stand, on the firm's schedules, also over a weekend on which the clocks change (D3)."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.scenarios.world import Clock, Customer, Firm, Mailbox, StateMachine, World

type ACustomer = Callable[..., Customer]

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def summaries(world: World, firm: Firm) -> StateMachine:
    firm.switches_on("summaries")
    return StateMachine(world, "AccountSummariesArn")


def schedule(world: World, cron: str = "0 8 * * *", content: str = "open_invoices", zone: str = "Europe/Amsterdam") -> Any:
    wish = {"name": f"{content} at {cron}", "cron": cron, "time_zone": zone, "content": content}
    return world.api.post("/summary-schedules", wish)


def enrol(world: World, customer: Customer, scheduled: Any) -> Any:
    return world.api.put(f"{customer.path}/summary-schedules/{scheduled['id']}", None)


def weekend_of_the_next_change(today: date) -> date:
    """The Saturday before the next Sunday on which the clocks change."""
    day = today + timedelta(days=2)
    while _noon(day).utcoffset() == _noon(day + timedelta(days=1)).utcoffset():
        day += timedelta(days=1)
    return day


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), AMSTERDAM)


def runs(summaries: StateMachine) -> None:
    assert summaries.runs()["status"] == "SUCCEEDED"


class TestWhatIsSent:
    def test_open_invoices_with_links_to_pay_them(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        """D3, D11"""
        customer, nobody = a_customer(), a_customer()
        scheduled = schedule(world)
        for each in (customer, nobody):
            enrol(world, each, scheduled)
        invoice = customer.is_invoiced(term="on_receipt")
        customer.gets_goodwill(1_000)
        clock.moves_by(days=1)
        runs(summaries)
        (mail,) = mailbox.of(customer)
        world.told.add(mail.pay_link.rpartition("/")[2])
        assert invoice.number in mail.text
        assert "Open in EUR: EUR 121.00" in mail.text
        assert "Your credit, not used yet: EUR 10.00" in mail.text
        assert mailbox.of(nobody) == [], "nothing open, nothing to say"
        runs(summaries)
        assert len(mailbox.of(customer)) == 1, "once a slot"
        (message,) = customer.messages
        assert (message["template"], message["status"]) == ("account_summary_open", "sent")

    def test_recent_transactions_from_one_balance_to_the_next(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        customer = a_customer()
        customer.is_invoiced()
        enrol(world, customer, schedule(world, content="recent_transactions"))
        invoice = customer.is_invoiced()
        customer.pays_by_bank(5_000, {invoice: 5_000})
        clock.moves_by(days=1)
        runs(summaries)
        (mail,) = mailbox.of(customer)
        for line in ("Balance before, in EUR: EUR 121.00", f"Invoice {invoice.number}: EUR 121.00", "EUR 192.00"):
            assert line in mail.text
        clock.moves_by(days=1)
        runs(summaries)
        assert len(mailbox.of(customer)) == 1, "nothing happened since"


class TestWhen:
    def test_one_mail_a_day_over_a_weekend_on_which_the_clocks_change(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        """D3: half past two is skipped in spring and repeated in autumn."""
        saturday = weekend_of_the_next_change(clock.today)
        clock.moves_to(saturday)
        customer = a_customer()
        customer.is_invoiced()
        scheduled = schedule(world, "30 2 * * *")
        enrol(world, customer, scheduled)
        planned = [datetime.fromisoformat(run["at"]) for run in scheduled["next_runs"][:3]]
        got: list[int] = []
        for run in planned:
            clock.moves_to(run - timedelta(minutes=1))
            runs(summaries)
            clock.moves_to(run)
            runs(summaries)
            clock.moves_to(run + timedelta(hours=1, minutes=5))  # a repeated half past two is over now, too
            runs(summaries)
            got.append(len(mailbox.of(customer)))
        assert got == [1, 2, 3]
        assert len({run.astimezone(AMSTERDAM).date() for run in planned}) == 3
        world.api.delete(f"{customer.path}/summary-schedules/{scheduled['id']}")

    def test_a_stack_that_slept_a_week_sends_one(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        customer = a_customer()
        customer.is_invoiced()
        enrol(world, customer, schedule(world))
        clock.moves_by(days=7)
        runs(summaries)
        runs(summaries)
        assert len(mailbox.of(customer)) == 1

    def test_a_changed_schedule_moves_its_customers_and_sends_nothing_for_the_past(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        customers = [a_customer() for _ in range(3)]
        scheduled = schedule(world, "0 8 1 1 *")
        for customer in customers:
            customer.is_invoiced()
            enrol(world, customer, scheduled)
        wish = {name: scheduled[name] for name in ("name", "time_zone", "content")} | {"cron": "0 8 * * *"}
        path = f"/summary-schedules/{scheduled['id']}"
        assert world.api.put(path, wish)["is_being_planned"]
        clock.moves_to(clock.now + timedelta(minutes=2))
        runs(summaries)
        assert not world.api.get(path)["is_being_planned"]
        assert [mailbox.of(customer) for customer in customers] == [[], [], []]
        clock.moves_by(days=1)
        runs(summaries)
        assert [len(mailbox.of(customer)) for customer in customers] == [1, 1, 1]


class TestWhoIsLeftAlone:
    def test_an_account_that_is_withdrawn_or_switched_off(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        """D1"""
        scheduled = schedule(world)
        off, withdrawn = a_customer(), a_customer()
        for customer in (off, withdrawn):
            customer.is_invoiced()
            enrol(world, customer, scheduled)
        off.changes(switches={"summaries": False})
        ended = world.api.delete(f"{withdrawn.path}/summary-schedules/{scheduled['id']}")
        assert ended["next_slot"] is None
        clock.moves_by(days=1)
        runs(summaries)
        assert mailbox.of(off) == mailbox.of(withdrawn) == []

    def test_one_account_in_trouble_rests_with_the_dead_letters_and_stops_no_other(
        self, world: World, a_customer: ACustomer, clock: Clock, summaries: StateMachine, mailbox: Mailbox
    ) -> None:
        """O1"""
        scheduled = schedule(world)
        poisoned, healthy = a_customer(), a_customer()
        for customer in (poisoned, healthy):
            customer.is_invoiced()
            enrol(world, customer, scheduled)
        clock.moves_by(days=1)
        dead_letters = world.queue("SummaryDeadLettersUrl")
        dead_letters.is_emptied()
        with world.without(f"A#{poisoned.id}", "A"):
            runs(summaries)
        assert [poisoned.id in body for body in dead_letters.receives()] == [True]
        assert len(mailbox.of(healthy)) == 1
        runs(summaries)
        assert len(mailbox.of(poisoned)) == 1
