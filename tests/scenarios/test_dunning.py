"""Step 5 of the main job: one invoice is not paid, time goes by, and the customer hears of it, once a tier."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.scenarios.world import Clock, Customer, Dunning, Firm, Mailbox, World, at_once, line

type ACustomer = Callable[..., Customer]


@pytest.fixture
def a_debtor(firm: Firm, a_customer: ACustomer) -> ACustomer:
    """Customers that are dunned, of a firm that duns."""
    firm.switches_on("dunning")
    return lambda **more: a_customer(**more)


class TestTheTiers:
    def test_each_of_three_tiers_is_said_once(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, mailbox: Mailbox, world: World
    ) -> None:
        """D5, D7, D11"""
        customer = a_debtor()
        invoice = customer.is_invoiced(term="on_receipt")
        said: list[list[str]] = []
        for days_past_due in (2, 3, 13, 14, 29, 30, 45):
            clock.moves_to(invoice.due_date + timedelta(days=days_past_due))
            dunning.runs()
            said.append(dunning.notices_of(customer)[::-1])
        one, two, three = "dunning_tier_1", "dunning_tier_2", "dunning_tier_3"
        assert said == [[], *[[one]] * 2, *[[one, two]] * 2, *[[one, two, three]] * 2]
        mails = mailbox.of(customer)
        assert len(mails) == 3
        assert len({mail.subject for mail in mails}) == 3, "each tier has its own letter"
        for mail in mails:
            assert invoice.number in mail.text
            assert "EUR 121.00" in mail.text
            world.told.add(mail.pay_link.rpartition("/")[2])
        assert {message["status"] for message in customer.messages} == {"sent"}

    def test_a_missed_month_catches_up_once(self, a_debtor: ACustomer, clock: Clock, dunning: Dunning) -> None:
        """D7: state decides, not "exactly N days"; no burst."""
        customer = a_debtor()
        customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=20)
        dunning.runs()
        dunning.runs()
        assert dunning.notices_of(customer) == ["dunning_tier_2"]

    def test_one_notice_lists_all_that_is_overdue_by_the_age_of_the_oldest(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, mailbox: Mailbox
    ) -> None:
        """D5"""
        customer = a_debtor()
        oldest = customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=10)
        younger = customer.is_invoiced(line("Chair", 20_000), term="on_receipt")
        not_due = customer.is_invoiced(term="net30")
        clock.moves_by(days=4)
        dunning.runs()
        (mail,) = mailbox.of(customer)
        assert dunning.notices_of(customer) == ["dunning_tier_2"]
        assert oldest.number in mail.text
        assert younger.number in mail.text
        assert not_due.number not in mail.text
        assert "EUR 363.00" in mail.text

    def test_several_runs_side_by_side_send_it_once(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, mailbox: Mailbox
    ) -> None:
        """D5, D7: once, whatever runs at the same time."""
        customers = [a_debtor() for _ in range(3)]
        for customer in customers:
            customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=5)
        dunning.runs_at_once(3)
        assert [dunning.notices_of(customer) for customer in customers] == [["dunning_tier_1"]] * 3
        assert [len(mailbox.of(customer)) for customer in customers] == [1] * 3


class TestWhoIsLeftAlone:
    def test_who_has_paid_or_holds_enough_credit_meanwhile(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, mailbox: Mailbox
    ) -> None:
        """D7: what is owed is read at the moment of sending, net of credits."""
        paid, credited, short = a_debtor(), a_debtor(), a_debtor()
        invoices = {customer.id: customer.is_invoiced(term="on_receipt") for customer in (paid, credited, short)}
        clock.moves_by(days=5)
        paid.pays_by_bank(12_100, {invoices[paid.id]: 12_100})
        credited.gets_goodwill(12_100)
        short.pays_by_bank(12_000)
        dunning.runs()
        assert dunning.notices_of(paid) == dunning.notices_of(credited) == []
        (mail,) = mailbox.of(short)
        assert "EUR 1.00" in mail.text, "it asks for what is left"

    def test_an_account_that_is_switched_off_and_nothing_of_the_past_when_it_is_switched_on(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning
    ) -> None:
        """D1, D6: on and off per account."""
        customer = a_debtor()
        invoice = customer.is_invoiced(term="on_receipt")
        customer.changes(switches={"dunning": False})
        clock.moves_by(days=5)
        dunning.runs()
        customer.changes(switches={"dunning": True})
        dunning.runs()
        assert dunning.notices_of(customer) == [], "tier 1 was reached before it was switched on"
        clock.moves_to(invoice.due_date + timedelta(days=14))
        dunning.runs()
        assert dunning.notices_of(customer) == ["dunning_tier_2"]

    def test_everybody_while_the_firms_switch_is_off(
        self, firm: Firm, a_customer: ACustomer, clock: Clock, dunning: Dunning
    ) -> None:
        """D1: off by default, and nothing for the past when it goes on."""
        customer = a_customer()
        invoice = customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=5)
        dunning.runs()
        firm.switches_on("dunning")
        dunning.runs()
        assert dunning.notices_of(customer) == []
        clock.moves_to(invoice.due_date + timedelta(days=14))
        dunning.runs()
        assert dunning.notices_of(customer) == ["dunning_tier_2"]


class TestRemindersAndWhatPeopleDecide:
    def test_a_customer_from_the_first_reminder_to_the_last_notice(
        self, firm: Firm, a_customer: ACustomer, clock: Clock, dunning: Dunning, mailbox: Mailbox, world: World
    ) -> None:
        """D4, D5, D6, D8: reminders at −7, 0 and +3, then tiers, a pause and the day after it, a promise that is broken, and a
        notice by hand; each message names the policy and the revision it was sent by."""
        firm.switches_on("dunning", "reminders")
        policy = dunning.policy_is("with_reminders", tiers=(5, 14, 30), reminders=(-7, 0, 3))
        customer = a_customer()
        customer.changes(dunning_policy_id="with_reminders")
        due = customer.is_invoiced(term="net30").due_date

        def on(days: int) -> list[str]:
            clock.moves_to(due + timedelta(days=days))
            before = len(dunning.letters_to(customer))
            dunning.runs()
            return dunning.letters_to(customer)[before:]

        assert [on(days) for days in (-8, -7, -1, 0)] == [[], ["reminder_upcoming"], [], ["reminder_upcoming"]]
        assert [on(days) for days in (3, 4, 5)] == [["reminder_overdue"], [], ["dunning_tier_1"]]
        assert all("EUR 121.00" in mail.text for mail in mailbox.of(customer))
        first = customer.messages[-1]
        assert (first["policy_id"], first["policy_revision"]) == ("with_reminders", policy["revision"])

        until = (due + timedelta(days=15)).isoformat()
        stands = world.api.put(f"{customer.path}/dunning-pause", {"until": until, "reason": "Their bookkeeper is away"})
        assert (stands["paused_until"], stands["today"]["why"]) == (until, "paused")
        assert [on(days) for days in (14, 15, 16, 17)] == [[], [], ["dunning_tier_2"], []]

        by = (due + timedelta(days=20)).isoformat()
        promise = world.api.post(f"{customer.path}/promises", {"amount_minor": 12_100, "by": by, "note": "By phone"})
        assert (promise["state"], promise["overdue_minor"]) == ("open", 12_100)
        assert [on(days) for days in (20, 21)] == [[], ["dunning_tier_2"]]
        assert world.api.get(f"{customer.path}/dunning")["promises"][0]["state"] == "broken"

        clock.moves_to(due + timedelta(days=30))
        key = f"by-hand-{customer.id}"
        answers = [world.api.request("POST", f"{customer.path}/dunning-notices", key=key) for _ in range(2)]
        assert [(answer.status, answer.json["template"]) for answer in answers] == [(201, "dunning_tier_3")] * 2
        assert on(31) == [], "the tier was said by hand"
        assert len(mailbox.of(customer)) == len(dunning.letters_to(customer)) == 7
        noted = [row["change"]["note"] for row in world.api.get(f"{customer.path}/timeline")["events"] if row["change"]]
        assert {"By phone", "Their bookkeeper is away"} <= set(noted)
        customer.proves()

    def test_what_cannot_be_says_what_can(self, a_debtor: ACustomer, clock: Clock, world: World) -> None:
        """D6, D8: refusals with their facts."""
        customer = a_debtor()
        invoice = customer.is_invoiced(term="on_receipt")
        tomorrow = (invoice.due_date + timedelta(days=1)).isoformat()

        def refusal(path: str, body: object = None, method: str = "POST") -> tuple[int, str]:
            answer = world.api.request(method, f"{customer.path}/{path}", body)
            return answer.status, answer.code

        assert refusal("promises", {"amount_minor": 1, "by": tomorrow}) == (409, "nothing_overdue")
        clock.moves_by(days=1)
        answer = world.api.request("POST", f"{customer.path}/promises", {"amount_minor": 12_101, "by": tomorrow})
        assert (answer.code, answer.json["overdue_minor"]) == ("promise_exceeds_overdue", 12_100)
        answer = world.api.request("POST", f"{customer.path}/dunning-notices")
        third_day = (invoice.due_date + timedelta(days=3)).isoformat()
        assert (answer.code, answer.json["first_tier_on"]) == ("below_first_tier", third_day)
        pause = {"until": invoice.due_date.isoformat(), "reason": "too late"}
        assert refusal("dunning-pause", pause, "PUT") == (409, "pause_out_of_range")
        assert refusal("promises/EUR/withdrawal", {}) == (404, "promise_not_found")
        answer = world.api.request("PATCH", customer.path, {"dunning_policy_id": "nobodys"})
        assert (answer.status, answer.code) == (422, "unknown_dunning_policy")
        answer = world.api.request("PUT", "/dunning-policies/x", {"tiers": [{"from_days": 3, "template": "love_letter"}]})
        assert (answer.status, answer.code) == (422, "unknown_template")

    def test_a_changed_policy_reaches_everybody_who_owes_and_its_revisions_stay(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, world: World
    ) -> None:
        """D5: the next run sweeps; nobody waits for the day that the old policy would have called for."""
        customer = a_debtor()
        customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=4)
        dunning.runs()
        clock.moves_by(days=2)
        changed = dunning.policy_is("standard", tiers=(3, 6, 30))
        try:
            dunning.runs()
            assert dunning.letters_to(customer) == ["dunning_tier_1", "dunning_tier_2"]
        finally:
            dunning.policy_is("standard")
        revisions = world.api.get("/dunning-policies/standard/revisions")["revisions"]
        assert [each["policy"]["revision"] for each in revisions[:2]] == [changed["revision"] + 1, changed["revision"]]
        assert revisions[1]["policy"]["tiers"][1]["from_days"] == 6


class TestRuns:
    def test_a_paced_run_says_what_came_of_it(self, a_debtor: ACustomer, clock: Clock, dunning: Dunning) -> None:
        """D7: messages per second; counts of what was looked at and sent."""
        customers = [a_debtor() for _ in range(3)]
        for customer in customers:
            customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=5)
        run = dunning.runs_and_counts(messages_per_second=20)
        assert (run["state"], run["counts"]["failed"]) == ("done", 0)
        assert run["counts"]["notices"] >= 3
        assert [dunning.notices_of(customer) for customer in customers] == [["dunning_tier_1"]] * 3

    def test_a_run_that_is_stopped_leaves_the_rest_due(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, world: World
    ) -> None:
        """D7"""
        customers = [a_debtor() for _ in range(12)]
        for customer in customers:
            customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=5)
        run_id = world.api.post("/dunning-runs", {"messages_per_second": 1}, expect=202)["id"]
        stopped = world.api.request("DELETE", f"/dunning-runs/{run_id}")
        assert (stopped.status, stopped.json["state"]) == (200, "stopped")
        again = world.api.request("DELETE", f"/dunning-runs/{run_id}")
        assert (again.status, again.json["state"]) == (200, "stopped")
        assert run_id in {run["id"] for run in world.api.get("/dunning-runs")["runs"]}
        dunning.runs()
        assert [dunning.notices_of(customer) for customer in customers] == [["dunning_tier_1"]] * 12


class TestWhatGoesWrong:
    def test_an_address_that_mail_refuses_stops_nobody_else(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, mailbox: Mailbox
    ) -> None:
        """D5, D11: it is kept as failed, and why."""
        unreachable, reachable = a_debtor(email="zwäluwstaart@zwaluwstaart.example"), a_debtor()
        for customer in (unreachable, reachable):
            customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=5)
        dunning.runs()
        (message,) = unreachable.messages
        assert (message["status"], message["sent_at"]) == ("failed", None)
        assert "address" in message["failure"]
        assert dunning.notices_of(reachable) == ["dunning_tier_1"]
        assert len(mailbox.of(reachable)) == 1

    def test_poison_rests_with_the_dead_letters_and_its_account_has_its_notice_when_mended(
        self, a_debtor: ACustomer, clock: Clock, dunning: Dunning, world: World
    ) -> None:
        """O1: a dead-letter queue for every asynchronous path; D7: the next run looks again."""
        poisoned, healthy = a_debtor(), a_debtor()
        for customer in (poisoned, healthy):
            customer.is_invoiced(term="on_receipt")
        clock.moves_by(days=5)
        dead_letters = world.queue("DunningDeadLettersUrl")
        dead_letters.is_emptied()
        with world.without(f"A#{poisoned.id}", "A"):
            dunning.runs()
        letters = [json.loads(body) for body in dead_letters.receives()]
        assert [(letter["account_id"], letter["error"]) for letter in letters] == [(poisoned.id, "NotFoundError")]
        assert dunning.notices_of(healthy) == ["dunning_tier_1"]
        dunning.runs()
        assert dunning.notices_of(poisoned) == ["dunning_tier_1"]

    def test_a_run_may_be_asked_for_twice_with_one_key(self, world: World, firm: Firm) -> None:
        """I2 for runs."""
        key = "dunning-" + world.clock.now.isoformat()
        answers = at_once(*[lambda: world.api.request("POST", "/dunning-runs", key=key)] * 2)
        assert {answer.status for answer in answers} == {202}
        assert len({answer.json["id"] for answer in answers}) == 1
