"""Dunning from day to day: nobody forgotten, nothing sent twice, whatever dies on the way (D1, D5, D7, D10)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from remit.domain.automations import Automation
from remit.domain.errors import ConflictError, NotFoundError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.messages import Message, MessageStatus
from remit.domain.payments import Allocation, DisputeStatus
from remit.usecases.payment_attempts import Pick
from remit.usecases.send_message import LEASE
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import LONG_AGO, NOW, Office, firm
from tests.support.payments import charge, dispute_on, saves
from tests.support.refusals import refused


def dunning_firm(**changes: object) -> Firm:
    return firm(switches={Automation.DUNNING: LONG_AGO}, **changes)


@pytest.fixture
def office() -> Office:
    return Office(firm=dunning_firm())


def run_days(office: Office, count: int) -> dict[int, list[str]]:
    """Run the schedule once a day at nine: day → the templates sent on it."""
    sent: dict[int, list[str]] = {}
    for _ in range(count):
        before = len(office.mailer.sent)
        office.run_dunning()
        day = (office.clock.now() - NOW).days
        new = [mail.subject.partition(":")[0] for mail in office.mailer.sent[before:]]
        if new:
            sent[day] = new
        office.clock.advance(days=1)
    return sent


TIERS = {3: ["dunning_tier_1"], 14: ["dunning_tier_2"], 30: ["dunning_tier_3"]}
"""What an invoice due on day 0 and never paid brings about."""


# From day to day


def test_D5_an_unpaid_invoice_brings_each_tier_once_on_its_day(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    assert run_days(office, 120) == TIERS
    assert [message.status for message in office.books.all(Message)] == [MessageStatus.SENT] * 3


def test_D5_who_is_not_due_is_not_even_looked_at(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    looked_at = []
    for day in range(40):
        looked_at += [(day, outcome.why) for outcome in office.run_dunning()]
        office.clock.advance(days=1)
    assert looked_at == [(1, "below_first_tier"), (3, "notice"), (14, "notice"), (30, "notice")]


def test_D7_who_pays_hears_no_more_and_leaves_the_agenda(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    assert run_days(office, 10) == {3: ["dunning_tier_1"]}
    office.receive(account_id, 12100, oldest_first=True)
    assert run_days(office, 60) == {}
    assert office.balance(account_id).look_again_on is None


def test_D7_who_paid_but_was_not_allocated_hears_nothing_until_the_credit_is_used_elsewhere(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    payment_id = office.receive(account_id, 12100).body["id"]
    assert run_days(office, 5) == {}
    later = office.invoice(account_id, term="net30")
    office.allocate(account_id, payment_id, Allocation(later, 12100))
    assert run_days(office, 1) == {5: ["dunning_tier_1"]}


def test_D5_the_oldest_is_paid_and_a_younger_invoice_has_its_own_tiers(office: Office) -> None:
    account_id = office.open_account()
    first = office.invoice(account_id, term="on_receipt")
    assert run_days(office, 10) == {3: ["dunning_tier_1"]}
    office.invoice(account_id, term="on_receipt")  # due on day 10
    assert run_days(office, 10) == {14: ["dunning_tier_2"]}
    office.receive(account_id, 12100, allocations=[Allocation(first, 12100)])
    assert run_days(office, 40) == {20: ["dunning_tier_1"], 24: ["dunning_tier_2"], 40: ["dunning_tier_3"]}


def test_D5_one_notice_lists_all_that_is_overdue_in_every_currency(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, 10000, term="on_receipt")
    office.invoice(account_id, 20000, term="on_receipt", currency="USD")
    office.invoice(account_id, 30000, term="net30")
    assert run_days(office, 30) == {3: ["dunning_tier_1"], 14: ["dunning_tier_2"]}
    first = min(office.books.all(Message), key=lambda message: message.claimed_at)
    assert json.loads(first.text) == {
        "overdue": ["INV-2026-000001", "INV-2026-000002"],
        "net_minor": {"EUR": 12100, "USD": 24200},
    }


@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_D5_after_the_last_notice_a_younger_invoice_is_not_forgotten_once_the_older_is_paid(
    office: Office, currency: str
) -> None:
    account_id = office.open_account()
    first = office.invoice(account_id, term="on_receipt")
    run_days(office, 10)
    office.invoice(account_id, term="on_receipt", currency=currency)  # due on day 10
    run_days(office, 50)
    office.receive(account_id, 12100, allocations=[Allocation(first, 12100)])
    assert run_days(office, 30) == {60: ["dunning_tier_3"]}


def test_D5_a_currency_whose_credit_is_used_elsewhere_is_not_forgotten(office: Office) -> None:
    account_id = office.open_account()
    credit = office.receive(account_id, 12100).body["id"]
    office.invoice(account_id, term="on_receipt")
    run_days(office, 10)
    office.invoice(account_id, term="on_receipt", currency="USD")  # due on day 10
    assert run_days(office, 40) == {13: ["dunning_tier_1"], 24: ["dunning_tier_2"], 40: ["dunning_tier_3"]}
    office.allocate(account_id, credit, Allocation(office.invoice(account_id, term="net30"), 12100))
    assert run_days(office, 1) == {50: ["dunning_tier_3"]}
    newest = max(office.books.all(Message), key=lambda message: message.claimed_at)
    assert json.loads(newest.text)["net_minor"] == {"EUR": 12100, "USD": 12100}


@pytest.mark.parametrize("missed", [1, 5, 20])
def test_D7_missed_days_catch_up_with_one_notice_at_the_tier_of_today(office: Office, missed: int) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=3 + missed)
    expected = "dunning_tier_1" if 3 + missed < 14 else "dunning_tier_2"
    assert run_days(office, 1) == {3 + missed: [expected]}


def test_D7_a_run_that_is_repeated_or_runs_twice_sends_nothing_more(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=3)
    for _ in range(3):
        office.dun(account_id)
        office.run_dunning()
    assert len(office.mailer.sent) == 1


def test_D7_many_accounts_each_get_their_own(office: Office) -> None:
    accounts = [office.open_account(email=f"c{n}@x.example") for n in range(12)]
    for account_id in accounts:
        office.invoice(account_id, term="on_receipt")
    run_days(office, 5)
    assert sorted(mail.to for mail in office.mailer.sent) == sorted(f"c{n}@x.example" for n in range(12))


def test_D7_days_are_the_firms(office: Office) -> None:
    """On the third day past due, at half past eleven at night in UTC, it is the fourth in Utrecht."""
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.set(datetime(2026, 3, 4, 22, 30, tzinfo=UTC))
    assert office.dun(account_id).why == "below_first_tier"
    office.clock.set(datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    assert office.dun(account_id).why == "notice"


# Switches


def test_D1_nothing_is_sent_while_the_firms_switch_is_off() -> None:
    office = Office(firm=firm())
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=5)
    assert (office.dun(account_id).why, office.dun(account_id).message_id) == ("switched_off", None)
    assert office.mailer.sent == []


def test_D1_the_firms_switch_sends_nothing_for_the_past(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=10)
    office.firm = firm(switches={Automation.DUNNING: office.clock.now()})
    assert run_days(office, 40) == {14: ["dunning_tier_2"], 30: ["dunning_tier_3"]}


def test_D1_an_account_that_is_switched_off_is_silent_and_later_hears_nothing_of_the_past(office: Office) -> None:
    account_id = office.open_account(dunning=False)
    office.invoice(account_id, term="on_receipt")
    assert run_days(office, 10) == {}
    office.change_account(account_id, dunning=True)
    assert run_days(office, 40) == {14: ["dunning_tier_2"], 30: ["dunning_tier_3"]}


def test_D1_an_account_that_was_silent_beyond_the_last_tier_stays_silent_until_a_new_invoice(office: Office) -> None:
    account_id = office.open_account(dunning=False)
    old = office.invoice(account_id, term="on_receipt")
    assert run_days(office, 40) == {}
    office.change_account(account_id, dunning=True)
    assert run_days(office, 20) == {}
    office.receive(account_id, 12100, allocations=[Allocation(old, 12100)])
    office.invoice(account_id, term="on_receipt")  # due on day 60
    assert run_days(office, 10) == {63: ["dunning_tier_1"]}


# Trouble


def test_D7_an_index_that_has_not_caught_up_is_not_believed(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=3)
    with office.books.lagging():
        office.receive(account_id, 12000, oldest_first=True)
        with refused(office.books, "index_behind", TransientError):
            office.dun(account_id)
    office.dun(account_id)
    (message,) = office.books.all(Message)
    assert json.loads(message.text)["net_minor"] == {"EUR": 100}


def test_an_unknown_account_is_not_dunned(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        office.dun("acc_none")


def deliver(office: Office) -> None:
    """Run the schedule of one day until it goes through, as its state machine's retries and its next runs do."""
    while True:
        try:
            office.run_dunning()
        except (MachineDiedError, TransientError, ConflictError):
            office.clock.advance(seconds=LEASE.total_seconds())
        else:
            return


def steps_of_a_notice() -> list[str]:
    office = Office(firm=dunning_firm())
    scene(office)
    office.trouble.steps.clear()
    office.run_dunning()
    return [step for step in office.trouble.steps if step != "load"]


def scene(office: Office) -> list[str]:
    """Two customers, one of them with two currencies, all due for the first tier today."""
    accounts = [office.open_account(email=f"c{n}@x.example") for n in range(2)]
    for account_id in accounts:
        office.invoice(account_id, term="on_receipt")
    office.invoice(accounts[0], term="on_receipt", currency="USD")
    office.clock.advance(days=3)
    return accounts


STEPS = steps_of_a_notice()


def test_the_steps_of_a_notice_are_claim_send_mark_and_move_on_each_balance() -> None:
    one, two = ["commit", "send", "commit", "commit"], ["commit", "send", "commit", "commit", "commit"]
    assert STEPS in (one + two, two + one)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
def test_D7_whatever_fails_wherever_everybody_is_told_once(step: int, fault: Fault) -> None:
    """The one documented window: a machine that dies, or loses the reply, between handing a mail over and marking it."""
    office = Office(firm=dunning_firm())
    accounts = scene(office)
    office.trouble.strike(fault, at=step)
    deliver(office)
    to = sorted(mail.to for mail in office.mailer.sent)
    handed_over_unmarked = STEPS[step - 1] == "send" and fault in (Fault.CRASH_AFTER, Fault.LOST_REPLY)
    died_before_mark = step > 1 and STEPS[step - 2] == "send" and fault is Fault.CRASH_BEFORE
    assert sorted(set(to)) == ["c0@x.example", "c1@x.example"]
    assert len(to) == 2 + (handed_over_unmarked or died_before_mark)
    for account_id in accounts:
        assert office.balance(account_id).dunning.tier == 1
        assert office.differences(account_id) == ()
    # and the story goes on as if nothing had happened
    office.clock.set(NOW + timedelta(days=4))
    before = len(office.mailer.sent)
    run_days(office, 30)
    assert sorted(mail.subject.partition(":")[0] for mail in office.mailer.sent[before:]) == [
        "dunning_tier_2", "dunning_tier_2", "dunning_tier_3", "dunning_tier_3",
    ]  # fmt: skip


@pytest.mark.parametrize("at", range(1, 4))
@pytest.mark.parametrize("day", [3, 14, 30])
@pytest.mark.parametrize("deed", ["invoice", "payment", "credit"])
def test_D7_what_is_posted_while_a_notice_goes_out_is_kept_and_dunned_in_its_time(day: int, at: int, deed: str) -> None:
    """A new invoice that is issued in the very moment of the last notice must not fall off the agenda."""
    office = Office(firm=dunning_firm())
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    run_days(office, day)
    deeds = {
        "invoice": lambda: office.invoice(account_id, term="on_receipt"),
        "payment": lambda: office.receive(account_id, 100, oldest_first=True),
        "credit": lambda: office.goodwill(account_id, 100),
    }
    office.trouble.meanwhile(deeds[deed], on="commit", at=at)
    office.run_dunning()
    assert office.trouble.pending == 0
    office.clock.advance(days=1)
    rest = run_days(office, 60)
    due_again = [tier for due, tier in TIERS.items() if due > day]
    assert [sent for _, sent in rest.items()][: len(due_again)] == due_again
    if deed == "invoice":
        older = office.books.open_items(account_id, "EUR")[0]
        office.receive(account_id, older.open_minor, allocations=[Allocation(older.invoice_id, older.open_minor)])
        assert run_days(office, 5), "the younger invoice is dunned once the older is paid"
    assert office.differences(account_id) == ()


def test_D11_a_letter_that_the_provider_refuses_is_kept_as_failed_and_counts_as_said(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.mailer.refused["ap@blooming.example"] = RuleError("mail_refused", "No such mailbox.")
    assert run_days(office, 20) == {}
    assert [message.status for message in office.books.all(Message)] == [MessageStatus.FAILED] * 2


def test_D7_a_notice_that_crashed_is_not_repeated_for_another_reason_the_same_day(office: Office) -> None:
    """The letter went out, the machine died before the account was moved on: the next run only moves it on."""
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=3)
    office.trouble.strike(Fault.CRASH_BEFORE, on="commit", at=3)
    with pytest.raises(MachineDiedError):
        office.run_dunning()
    office.clock.advance(days=1)
    outcome = office.dun(account_id)
    assert (outcome.why, outcome.tier) == ("notice", 1)
    assert len(office.mailer.sent) == 1
    assert office.balance(account_id).dunning.tier == 1


@pytest.mark.parametrize(("verdict", "asked"), [(DisputeStatus.WON, 7100), (DisputeStatus.LOST, 12100)])
def test_D7_P9_what_is_still_open_of_an_invoice_is_asked_for_once_its_dispute_is_decided(
    office: Office, verdict: DisputeStatus, asked: int
) -> None:
    account_id = office.open_account()
    saves(office, account_id)
    invoice_id = office.invoice(account_id, term="on_receipt")
    payment = charge(office, account_id, Pick(invoice_id, 5000))
    office.gateway_says(dispute_on(payment, DisputeStatus.OPEN), "evt_1")
    assert run_days(office, 10) == {}, "nothing is said of what is in dispute"
    office.gateway_says(dispute_on(payment, verdict, seconds=10 * 86_400), "evt_2")
    assert run_days(office, 30) == {10: ["dunning_tier_1"], 14: ["dunning_tier_2"], 30: ["dunning_tier_3"]}
    assert json.loads(office.mailer.sent[-1].text)["net_minor"] == {"EUR": asked}
    assert office.differences(account_id) == ()
