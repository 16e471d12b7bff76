"""Subscriptions over HTTP, with the clock of the stack: a year of billing, changes to the day, pauses and cancellations."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from tests.scenarios.world import Clock, Customer, RecurringPayments, World, line

type ACustomer = Callable[..., Customer]


@dataclass
class Subscription:
    """A customer's subscription, as the API shows it."""

    customer: Customer
    id: str

    @property
    def path(self) -> str:
        return f"{self.customer.path}/subscriptions/{self.id}"

    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = self.customer.world.api.get(self.path)
        return found

    @property
    def invoices(self) -> list[dict[str, Any]]:
        """Its invoices in full, oldest period first."""
        api = self.customer.world.api
        found = [api.get(f"{self.customer.path}/invoices/{item['invoice_id']}") for item in self.now()["invoices"]]
        return found[::-1]

    def post(self, action: str, body: dict[str, Any], expect: int = 201) -> dict[str, Any]:
        found: dict[str, Any] = self.customer.world.api.post(f"{self.path}/{action}", body, expect=expect)
        return found


def a_plan(world: World, price_minor: int, **more: Any) -> str:
    plan_id = f"plan-{uuid4().hex[:12]}"
    hosting = line("Hosting", price_minor, category="subscriptions")
    body = {"id": plan_id, "name": "Hosting", "currency": "EUR", "interval": {"unit": "month"}, "lines": [hosting]}
    world.api.post("/plans", body | {"term_id": "net30"} | more)
    return plan_id


def subscribes(customer: Customer, plan_id: str, **more: Any) -> Subscription:
    made = customer.world.api.post(f"{customer.path}/subscriptions", {"plan_id": plan_id} | more)
    return Subscription(customer, made["id"])


def next_january(clock: Clock, day: int) -> date:
    """That day of the next January that is still to come."""
    coming = date(clock.today.year, 1, day)
    return coming if coming > clock.today else coming.replace(year=coming.year + 1)


def last_day(year: int, month: int) -> date:
    return date.fromordinal(date(year + month // 12, month % 12 + 1, 1).toordinal() - 1)


@pytest.fixture
def a_subscription(
    world: World, a_customer: ACustomer, clock: Clock, recurring_payments: RecurringPayments
) -> Callable[..., Subscription]:
    """Subscriptions to a plan of 100.00 a month that begin on the 1st of a 30-day month, whose first period is billed."""

    def begun(**more: Any) -> Subscription:
        coming = next(day for month in range(1, 13) if (day := _month_after(clock.today, month)).month in (4, 6, 9, 11))
        clock.moves_to(coming)
        made = subscribes(a_customer(), a_plan(world, 10_000), **more)
        recurring_payments.runs()
        return made

    return begun


def _month_after(today: date, months: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
    return date(year, month + 1, 1)


class TestRenewals:
    def test_S1_S2_a_year_from_january_31_with_a_month_that_was_missed(
        self, world: World, a_customer: ACustomer, clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        """C1, I11: twelve periods, one invoice each; the first and the last are paid by the credits for them."""
        january = next_january(clock, 31)
        clock.moves_to(january)
        customer = a_customer()
        subscription = subscribes(customer, a_plan(world, 10_000), periods=12)
        for kind in ("first_payment", "last_payment"):
            credit = {"kind": kind, "amount_minor": 2_100, "currency": "EUR", "tax_option": "waived", "reason": "Welcome"}
            world.api.post(f"{customer.path}/credits", credit | {"subscription_id": subscription.id})
        recurring_payments.runs()
        for month in (2, 3, 5, 6, 7, 8, 9, 10, 11, 12):
            clock.moves_to(last_day(january.year, month))
            recurring_payments.runs()
        invoices = subscription.invoices
        assert [invoice["subscription"]["period"] for invoice in invoices] == list(range(1, 13))
        assert {invoice["totals"]["gross_minor"] for invoice in invoices} == {12_100}
        assert [invoice["open_minor"] for invoice in invoices] == [10_000, *[12_100] * 10, 10_000]
        begins = [last_day(january.year, month).isoformat() for month in range(1, 13)]
        assert [text[-24:-14] for text in (invoice["lines"][0]["description"] for invoice in invoices)] == begins
        missed, caught_up = invoices[3], invoices[4]
        assert missed["issued_on"] == caught_up["issued_on"] == last_day(january.year, 5).isoformat()
        listed = world.api.get(f"{customer.path}/invoices", subscription_id=subscription.id, limit=100)["invoices"]
        assert {item["invoice_id"] for item in listed} == {invoice["id"] for invoice in invoices}
        shown = subscription.now()
        assert (shown["next_bill_on"], shown["periods_left"], shown["upcoming"]) == (None, 0, [])
        customer.proves()

    def test_S2_runs_at_once_bill_a_period_once(
        self, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        subscription = a_subscription()
        clock.moves_by(days=31)
        recurring_payments.runs_at_once(2)
        assert [invoice["subscription"]["period"] for invoice in subscription.invoices] == [1, 2]
        subscription.customer.proves()

    def test_S2_who_may_not_owe_more_is_told_and_stops_no_other(
        self, world: World, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        refused = a_subscription()
        other = subscribes(world.a_customer(), a_plan(world, 5_000))
        refused.customer.changes(credit_limits={"EUR": 12_100})
        clock.moves_by(days=31)
        recurring_payments.runs()
        shown = refused.now()
        assert (shown["last_refusal"]["code"], shown["last_refusal"]["period"]) == ("credit_limit_exceeded", 2)
        assert len(other.invoices) == 2
        told = world.api.get(f"{refused.customer.path}/timeline")["events"][0]
        assert (told["type"], told["subscription"]["kind"]) == ("subscription", "subscription_renewal_refused")
        refused.customer.changes(credit_limits={})
        clock.moves_by(days=1)
        recurring_payments.runs()
        assert (len(refused.invoices), refused.now()["last_refusal"]) == (2, None)

    def test_S2_one_that_fails_is_kept_aside_and_stops_no_other(
        self, world: World, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        """O1: an operator sees it, and the next run takes it."""
        broken = a_subscription()
        other = subscribes(world.a_customer(), a_plan(world, 5_000))
        clock.moves_by(days=31)
        queue = world.queue("RecurringPaymentsDeadLettersUrl")
        queue.is_emptied()
        with world.without(f"A#{broken.customer.id}", "A"):
            recurring_payments.runs()
        (letter,) = [json.loads(text) for text in queue.receives()]
        assert (letter["task"], letter["id"], letter["error"]) == ("renew", broken.id, "NotFoundError")
        assert (len(other.invoices), len(broken.invoices)) == (2, 1)
        recurring_payments.runs()
        assert len(broken.invoices) == 2


class TestChanges:
    def test_S3_an_upgrade_in_the_middle_of_a_period(
        self, world: World, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        """On the 11th, 20 of 30 days are left: 80.67 of 121.00 is credited, and 161.33 of 242.00 billed."""
        subscription = a_subscription()
        customer = subscription.customer
        customer.pays_by_bank(12_100, "oldest_first")
        clock.moves_by(days=10)
        wish = {"plan_id": a_plan(world, 20_000)}
        told = subscription.post("quotes", wish, expect=200)
        done = subscription.post("changes", wish)
        assert {name: done[name] for name in told} == told
        assert (done["credited_minor"], done["credited"][0]["tax_minor"]) == (8_067, 1_400)
        assert (done["billed"]["net_minor"], done["billed"]["gross_minor"]) == (13_333, 16_133)
        assert (done["open_minor"], done["credit_minor"]) == (16_133 - 8_067, 0)
        invoice = world.api.get(f"{customer.path}/invoices/{done['invoice_id']}")
        assert (invoice["subscription"]["subscription_id"], invoice["open_minor"]) == (subscription.id, 8_066)
        clock.moves_by(days=20)
        recurring_payments.runs()
        assert [each["totals"]["gross_minor"] for each in subscription.invoices] == [12_100, 16_133, 24_200]
        customer.proves()

    def test_S3_a_new_price_is_for_renewals_and_a_smaller_quantity_waits_for_the_end(
        self, world: World, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        subscription = a_subscription(quantity=3)
        plan_id = subscription.now()["agreed"]["plan_id"]
        dearer = {"name": "Hosting", "lines": [line("Hosting", 11_000)], "term_id": "net30", "applies_to": "renewals"}
        assert world.api.post(f"/plans/{plan_id}/versions", dearer)["number"] == 2
        planned = subscription.post("changes", {"quantity": 2, "when": "period_end"})
        assert (planned["billed"], planned["subscription"]["planned"]["agreed"]["quantity"]) == (None, 2)
        clock.moves_by(days=31)
        recurring_payments.runs()
        assert [invoice["totals"]["net_minor"] for invoice in subscription.invoices] == [30_000, 22_000]
        assert [version["number"] for version in world.api.get(f"/plans/{plan_id}")["versions"]] == [2, 1]

    def test_S3_a_pause_costs_nothing_and_it_begins_anew_after_it(
        self, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        subscription = a_subscription()
        clock.moves_by(days=3)
        assert subscription.post("pause", {})["status"] == "active"
        clock.moves_by(days=50)
        recurring_payments.runs()
        shown = subscription.now()
        assert (shown["status"], shown["next_bill_on"], len(shown["invoices"])) == ("paused", None, 1)
        resumed = subscription.post("resumption", {})
        assert (resumed["status"], resumed["anchor"]) == ("active", clock.today.isoformat())
        recurring_payments.runs()
        second = subscription.invoices[1]
        assert second["lines"][0]["description"].startswith(f"Hosting, {clock.today.isoformat()} to ")
        subscription.customer.proves()

    def test_S3_canceled_now_with_a_credit_or_at_the_end_without(
        self, world: World, a_subscription: Callable[..., Subscription], clock: Clock, recurring_payments: RecurringPayments
    ) -> None:
        now = a_subscription()
        customer = now.customer
        at_end = subscribes(customer, a_plan(world, 5_000))
        recurring_payments.runs()
        clock.moves_by(days=15)
        ended = now.post("cancellation", {"when": "now", "credit_unused": True, "reason": "Moved away"})
        assert (ended["subscription"]["status"], ended["credit_note"]["gross_minor"]) == ("canceled", 6_050)
        assert now.invoices[0]["open_minor"] == 6_050
        waiting = at_end.post("cancellation", {})
        assert (waiting["subscription"]["status"], waiting["credit_note"]) == ("active", None)
        clock.moves_by(days=40)
        recurring_payments.runs()
        assert (at_end.now()["status"], len(at_end.invoices), len(now.invoices)) == ("canceled", 1, 1)
        again = world.api.request("POST", f"{now.path}/cancellation", {})
        assert (again.status, again.code) == (409, "subscription_over")
        listed = world.api.get(f"{customer.path}/subscriptions", status="canceled")["subscriptions"]
        assert {found["id"] for found in listed} == {now.id, at_end.id}
        customer.proves()
