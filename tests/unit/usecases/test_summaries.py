"""Account summaries from day to day: one per slot and account, nobody forgotten, whatever dies on the way (D1, D3)."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from remit.domain.automations import Automation
from remit.domain.errors import ConflictError, InvalidError, NotFoundError, RuleError, TransientError
from remit.domain.messages import Message, MessageStatus
from remit.domain.payments import Allocation
from remit.domain.summaries import SummaryContent, Told
from remit.usecases.ports import AgendaKind
from remit.usecases.send_message import LEASE
from tests.fakes import Fault, MachineDiedError
from tests.support import payments as pay
from tests.support import summaries as s
from tests.support.builders import NOW, Office, firm
from tests.support.refusals import refused
from tests.support.wallet import prepaid_account

EIGHT = datetime(2026, 3, 3, 7, tzinfo=UTC)
"""The first slot of a schedule of every morning, which the tests set up the day before."""
DAY = timedelta(days=1)


@pytest.fixture
def office() -> Office:
    return s.summary_office()


def enrolled(office: Office, *, content: SummaryContent = s.OPEN, cron: str = "0 8 * * *") -> tuple[str, str]:
    """A customer with an open invoice of 121.00, enrolled in a schedule of every morning."""
    account_id = office.open_account()
    schedule_id = s.create(office, s.wish(cron, content))
    office.invoice(account_id)
    s.enrol(office, account_id, schedule_id)
    return account_id, schedule_id


def days(office: Office, number: int) -> list[int]:
    """Run at eight and again a quarter past, for so many days; the number of mails on each."""
    mails = []
    for day in range(number):
        before = len(office.mailer.sent)
        for minutes in (0, 15):
            office.clock.set(EIGHT + day * DAY + timedelta(minutes=minutes))
            s.run(office)
        mails.append(len(office.mailer.sent) - before)
    return mails


# Slots


def test_D3_an_account_is_told_once_a_slot(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    assert days(office, 3) == [1, 1, 1]
    slots = [message.id.removeprefix(f"msg_summary_{schedule_id}_{account_id}_") for message in s.told(office)]
    assert slots == ["20260303T0700Z", "20260304T0700Z", "20260305T0700Z"]
    assert s.enrolment(office, account_id, schedule_id).next_slot == EIGHT + 3 * DAY
    assert office.differences(account_id) == ()


def test_D3_before_the_slot_nobody_is_looked_at(office: Office) -> None:
    enrolled(office)
    office.clock.set(EIGHT - timedelta(seconds=1))
    assert s.run(office) == []


def test_D3_looking_too_early_says_and_writes_nothing(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    before = office.books.state()
    assert s.summarise(office, account_id, schedule_id).why == "not_due"
    assert office.books.state() == before


@pytest.mark.parametrize("slept", [1, 7, 40])
def test_D3_a_stack_that_slept_tells_the_latest_slot_only(office: Office, slept: int) -> None:
    enrolled(office)
    office.clock.set(EIGHT + slept * DAY + timedelta(hours=1))
    (outcome,) = s.run(office)
    assert (outcome.why, outcome.slot) == ("sent", EIGHT + slept * DAY - (timedelta(hours=1) if slept == 40 else timedelta(0)))
    assert s.run(office) == []
    assert len(office.mailer.sent) == 1


def test_D3_over_a_weekend_of_daylight_saving_there_is_one_mail_a_day(office: Office) -> None:
    enrolled(office, cron="30 2 * * *")
    office.clock.set(datetime(2026, 3, 28, 0, tzinfo=UTC))
    before, sent = len(office.mailer.sent), []
    for _ in range(4 * 24 * 3):
        office.clock.advance(minutes=15)
        s.run(office)
        if len(office.mailer.sent) > before:
            sent.append(office.clock.now().isoformat())
            before = len(office.mailer.sent)
    assert sent[1:] == [  # the first is the one that was missed before
        "2026-03-28T01:30:00+00:00",
        "2026-03-29T01:00:00+00:00",  # 02:30 is skipped, at 03:00 it is over
        "2026-03-30T00:30:00+00:00",
    ]


# Switches (D1)


def test_D1_with_the_firms_switch_off_nothing_is_sent_and_later_nothing_for_the_past(office: Office) -> None:
    enrolled(office)
    office.firm = firm()
    assert days(office, 3) == [0, 0, 0]
    office.firm = firm(switches={Automation.SUMMARIES: EIGHT + 2 * DAY + timedelta(hours=1)})
    office.clock.set(EIGHT + 2 * DAY + timedelta(hours=2))
    (outcome,) = s.run(office)
    assert (outcome.why, outcome.slot) == ("before_switched_on", EIGHT + 2 * DAY)
    office.clock.set(EIGHT + 3 * DAY)
    assert [outcome.why for outcome in s.run(office)] == ["sent"]


def test_D1_an_account_that_switches_summaries_off_gets_none_and_later_nothing_of_before(office: Office) -> None:
    account_id, _ = enrolled(office, content=s.RECENT)
    office.change_account(account_id, summaries=False)
    assert days(office, 2) == [0, 0]
    office.invoice(account_id, 1000)
    office.change_account(account_id, summaries=True)
    office.clock.set(EIGHT + 2 * DAY)
    assert [outcome.why for outcome in s.run(office)] == ["sent"]
    (message,) = s.told(office)
    assert json.loads(message.text)["told"] == {"EUR": [12100, 1210, 13310]}, "since the last slot, told or not"


def test_D1_an_account_that_is_not_enrolled_gets_none(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id)
    schedule_id = s.create(office)
    assert days(office, 2) == [0, 0]
    with refused(office.books, "summary_enrolment_not_found", NotFoundError):
        s.summarise(office, account_id, schedule_id)


# What is said


def test_D3_open_invoices_are_those_of_now(office: Office) -> None:
    account_id, _ = enrolled(office)
    first = office.books.open_items(account_id)[0]
    office.invoice(account_id, 1000, currency="USD")
    office.receive(account_id, first.open_minor, oldest_first=True)
    office.receive(account_id, 777)
    days(office, 1)
    (message,) = s.told(office)
    assert json.loads(message.text)["totals"] == {"EUR": 0, "USD": 1210}
    assert message.about == tuple(item.invoice_id for item in office.books.open_items(account_id))


def test_D3_nothing_open_is_no_mail(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    office.receive(account_id, 12100, oldest_first=True)
    office.clock.set(EIGHT)
    assert [outcome.why for outcome in s.run(office)] == ["nothing_to_say"]
    assert office.mailer.sent == []
    assert s.enrolment(office, account_id, schedule_id).next_slot == EIGHT + DAY


def test_D3_an_index_that_has_not_caught_up_is_not_believed(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    office.clock.set(EIGHT)
    with office.books.lagging():
        office.receive(account_id, 12000, oldest_first=True)
        with refused(office.books, "index_behind", TransientError):
            s.summarise(office, account_id, schedule_id)
    assert s.summarise(office, account_id, schedule_id).why == "sent"
    assert json.loads(s.told(office)[0].text)["totals"] == {"EUR": 100}


def test_D3_recent_transactions_lead_from_one_balance_to_the_next(office: Office) -> None:
    """L5: each amount is an entry's, and the balances are the ledger's."""
    account_id, _ = enrolled(office, content=s.RECENT)  # the invoice was there before the enrolment
    payment = office.receive(account_id, 5000, oldest_first=True)
    office.invoice(account_id, 1000)
    office.goodwill(account_id, 300)
    assert days(office, 2) == [1, 0], "nothing happened the next day"
    (message,) = s.told(office)
    assert json.loads(message.text)["told"] == {"EUR": [12100, -5000, 1210, -300, 8010]}
    assert office.balance(account_id).balance_minor == 8010
    pay.reverse(office, account_id, payment.body["id"])
    office.invoice(account_id, 1000, currency="USD")
    office.clock.set(EIGHT + 2 * DAY)
    s.run(office)
    assert json.loads(s.told(office)[1].text)["told"] == {"EUR": [8010, 5000, 13010], "USD": [0, 1210, 1210]}
    assert office.differences(account_id) == ()


def test_D3_money_that_only_found_its_invoice_is_nothing_that_happened(office: Office) -> None:
    account_id, _ = enrolled(office, content=s.RECENT)
    payment_id = office.receive(account_id, 12100).body["id"]
    assert days(office, 1) == [1]
    item = office.books.open_items(account_id)[0]
    office.allocate(account_id, payment_id, Allocation(item.invoice_id, 12100))
    office.clock.set(EIGHT + DAY)
    assert [outcome.why for outcome in s.run(office)] == ["nothing_to_say"]


def test_D3_transactions_go_by_what_the_customer_knows_them_by(office: Office) -> None:
    account_id, _ = enrolled(office, content=s.RECENT)
    office.invoice(account_id, 1000)
    days(office, 1)
    (message,) = s.told(office)
    assert json.loads(message.text)["numbers"] == ["INV-2026-000002"]
    assert message.about == tuple(item.invoice_id for item in office.books.open_items(account_id)[1:])


def test_D3_prepaid_accounts_get_transactions_and_no_open_invoices(office: Office) -> None:
    account_id = prepaid_account(office)
    recent, owed = s.create(office, s.wish(content=s.RECENT)), s.create(office)
    for schedule_id in (recent, owed):
        s.enrol(office, account_id, schedule_id)
    office.receive(account_id, 1000)
    office.clock.set(EIGHT)
    assert {outcome.schedule_id: outcome.why for outcome in s.run(office)} == {recent: "sent", owed: "nothing_to_say"}


def test_D11_a_summary_that_the_provider_refuses_is_kept_as_failed_and_the_slot_is_over(office: Office) -> None:
    enrolled(office)
    office.mailer.refused["ap@blooming.example"] = RuleError("mail_refused", "No such mailbox.")
    office.clock.set(EIGHT)
    assert [outcome.why for outcome in s.run(office)] == ["failed"]
    assert s.run(office) == []
    assert [message.status for message in office.books.all(Message)] == [MessageStatus.FAILED]


# Enrolling


def test_D3_enrolling_twice_is_once_and_again_begins_anew(office: Office) -> None:
    account_id, schedule_id = enrolled(office, content=s.RECENT)
    known = s.enrolment(office, account_id, schedule_id)
    before = office.books.state()
    assert s.enrol(office, account_id, schedule_id) == known
    assert office.books.state() == before
    s.withdraw(office, account_id, schedule_id)
    before = office.books.state()
    s.withdraw(office, account_id, schedule_id)
    assert office.books.state() == before
    assert days(office, 2) == [0, 0]
    office.invoice(account_id, 1000)
    again = s.enrol(office, account_id, schedule_id)
    assert (again.told, again.next_slot) == ({"EUR": Told(2, 13310)}, EIGHT + 2 * DAY)


def test_D3_only_accounts_and_schedules_that_exist_are_enrolled(office: Office) -> None:
    account_id, schedule_id = office.open_account(), s.create(office)
    with refused(office.books, "account_not_found", NotFoundError):
        s.enrol(office, "acc_none", schedule_id)
    with refused(office.books, "summary_schedule_not_found", NotFoundError):
        s.enrol(office, account_id, "sch_none")


# Schedules


def test_D3_a_schedule_is_created_once_for_its_key(office: Office) -> None:
    assert s.create(office, key="k") == s.create(office, key="k")
    assert len(office.books.summary_schedules()) == 1


@pytest.mark.parametrize(
    ("cron", "code"), [("0 8 30 2 *", "cron_never_comes"), ("*/5 * * * *", "cron_too_frequent"), ("x", "bad_cron_expression")]
)
def test_D3_a_schedule_that_makes_no_sense_is_refused(office: Office, cron: str, code: str) -> None:
    with refused(office.books, code, InvalidError):
        s.create(office, s.wish(cron))
    schedule_id = s.create(office)
    with refused(office.books, code, InvalidError):
        s.change(office, schedule_id, s.wish(cron))


def test_D3_the_same_again_changes_nothing_and_another_name_plans_nothing(office: Office) -> None:
    _, schedule_id = enrolled(office)
    before = office.books.state()
    s.change(office, schedule_id, s.wish())
    assert office.books.state() == before
    s.change(office, schedule_id, s.wish(name="Morning mail", content=s.RECENT))
    assert s.schedule(office, schedule_id).replan_at is None
    assert office.books.due(AgendaKind.SUMMARY_SCHEDULE, "9999", None, 10) == ([], None)


def many(office: Office, number: int = 5) -> tuple[list[str], str]:
    schedule_id = s.create(office)
    accounts = [office.open_account(email=f"c{n}@x.example") for n in range(number)]
    for account_id in accounts:
        office.invoice(account_id)
        s.enrol(office, account_id, schedule_id)
    return accounts, schedule_id


def test_D3_a_changed_schedule_moves_everybody_and_sends_nothing_for_the_past(office: Office) -> None:
    accounts, schedule_id = many(office)
    s.change(office, schedule_id, s.wish("0 7 * * *"))
    assert s.run(office) == [], "not before every request that knew the old one is over"
    office.clock.advance(minutes=1)
    assert s.run(office) == []
    assert {s.enrolment(office, each, schedule_id).next_slot for each in accounts} == {EIGHT - timedelta(hours=1)}
    assert s.schedule(office, schedule_id).replan_at is None
    assert s.plan(office, schedule_id) == 0, "planned once, it is not written again"
    office.clock.set(EIGHT - timedelta(hours=1))
    assert len(s.run(office)) == len(accounts)


def test_D3_a_slot_between_the_change_and_the_planning_is_not_lost(office: Office) -> None:
    """The clock is at 10:00 when it is changed; planning comes two hours late."""
    _, schedule_id = many(office, 1)
    s.change(office, schedule_id, s.wish("0 11 * * *"))
    office.clock.advance(hours=2)
    (outcome,) = s.run(office)
    assert (outcome.why, outcome.slot) == ("sent", NOW + timedelta(hours=1))


def test_D3_an_enrolment_found_due_by_an_older_plan_plans_itself_anew(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    office.clock.set(EIGHT)
    s.change(office, schedule_id, s.wish("0 9 * * *"))
    assert s.summarise(office, account_id, schedule_id).why == "planned_anew"
    assert office.mailer.sent == []
    assert s.enrolment(office, account_id, schedule_id).next_slot == EIGHT + timedelta(hours=1)


def test_D3_a_disabled_schedule_leaves_the_agenda_until_it_is_enabled(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    s.change(office, schedule_id, s.wish(enabled=False))
    assert days(office, 3) == [0, 0, 0]
    assert office.books.due(AgendaKind.SUMMARY, "9999", None, 10) == ([], None)
    s.change(office, schedule_id, s.wish())
    office.clock.advance(minutes=1)
    s.run(office)
    assert s.enrolment(office, account_id, schedule_id).next_slot == EIGHT + 3 * DAY


def test_D3_a_removed_schedule_is_gone_with_its_enrolments(office: Office) -> None:
    account_id, schedule_id = enrolled(office)
    s.remove(office, schedule_id)
    assert office.books.summary_schedules() == []
    deeds: list[Callable[[], object]] = [
        lambda: s.enrol(office, account_id, schedule_id),
        lambda: s.change(office, schedule_id, s.wish()),
    ]
    for deed in deeds:
        with refused(office.books, "summary_schedule_not_found", NotFoundError):
            deed()
    assert days(office, 2) == [0, 0]
    assert s.enrolment(office, account_id, schedule_id).withdrawn_at is not None
    assert office.books.enrolled_accounts(schedule_id, None, 10) == ([], None)


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.CONFLICT, Fault.THROTTLE])
@pytest.mark.parametrize("deed", ["enrol", "withdraw", "change", "remove"])
def test_D3_a_lost_reply_or_a_lost_race_is_no_failure(office: Office, deed: str, fault: Fault) -> None:
    account_id, schedule_id = enrolled(office)
    other = s.create(office)
    deeds: dict[str, Callable[[], object]] = {
        "enrol": lambda: s.enrol(office, account_id, other),
        "withdraw": lambda: s.withdraw(office, account_id, schedule_id),
        "change": lambda: s.change(office, schedule_id, s.wish("0 9 * * *")),
        "remove": lambda: s.remove(office, schedule_id),
    }
    office.trouble.strike(fault, on="commit")
    deeds[deed]()
    assert office.trouble.pending == 0
    assert s.schedule(office, schedule_id).plan == (2 if deed in ("change", "remove") else 1)
    before = office.books.state()
    deeds[deed]()
    assert office.books.state() == before, "and again it changes nothing"


def test_D3_a_schedule_changed_while_it_is_planned_is_planned_from_the_start(office: Office) -> None:
    accounts, schedule_id = many(office)
    s.change(office, schedule_id, s.wish("0 7 * * *"))
    office.clock.advance(minutes=1)
    office.trouble.meanwhile(lambda: s.change(office, schedule_id, s.wish("0 6 * * *")), at=3)
    s.plan(office, schedule_id)
    office.clock.advance(minutes=2)
    s.run(office)
    assert {s.enrolment(office, each, schedule_id).next_slot for each in accounts} == {EIGHT - timedelta(hours=2)}


def settle(office: Office) -> None:
    """Run until it goes through, as the state machine's retries and its next runs do."""
    while True:
        try:
            s.run(office)
        except (MachineDiedError, TransientError, ConflictError):
            office.clock.advance(seconds=LEASE.total_seconds())
        else:
            return


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(1, 7))
def test_D3_planning_anew_is_finished_wherever_it_was_interrupted(step: int, fault: Fault) -> None:
    office = s.summary_office()
    accounts, schedule_id = many(office)
    s.change(office, schedule_id, s.wish("0 7 * * *"))
    office.clock.advance(minutes=1)
    office.trouble.strike(fault, at=step, on="commit")
    settle(office)
    assert office.trouble.pending == 0
    assert {s.enrolment(office, each, schedule_id).next_slot for each in accounts} == {EIGHT - timedelta(hours=1)}
    assert s.schedule(office, schedule_id).replan_at is None
    assert office.mailer.sent == []


# Trouble


def scene(office: Office) -> list[str]:
    """Two customers who are both due for what is open, and one of them for what happened, at eight."""
    accounts = [office.open_account(email=f"c{n}@x.example") for n in range(2)]
    owed, recent = s.create(office), s.create(office, s.wish(content=s.RECENT))
    for account_id in accounts:
        s.enrol(office, account_id, owed)
    s.enrol(office, accounts[0], recent)
    for account_id in accounts:
        office.invoice(account_id)
    office.clock.set(EIGHT)
    return accounts


def steps_of_a_run() -> list[str]:
    office = s.summary_office()
    scene(office)
    office.trouble.steps.clear()
    s.run(office)
    return [step for step in office.trouble.steps if step != "load"]


STEPS = steps_of_a_run()


def test_D3_the_steps_of_a_summary_are_claim_send_mark_and_move_on() -> None:
    """Of recent transactions it is kept first how far they go."""
    owed = ["commit", "send", "commit", "commit"]
    assert len(STEPS) == len(owed) * 3 + 1
    assert STEPS.count("send") == 3


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
def test_D3_whatever_fails_wherever_everybody_is_told_once(step: int, fault: Fault) -> None:
    """The one documented window: a machine that dies, or loses the reply, between handing a mail over and marking it."""
    office = s.summary_office()
    accounts = scene(office)
    office.trouble.strike(fault, at=step)
    settle(office)
    handed_over_unmarked = STEPS[step - 1] == "send" and fault in (Fault.CRASH_AFTER, Fault.LOST_REPLY)
    died_before_mark = step > 1 and STEPS[step - 2] == "send" and fault is Fault.CRASH_BEFORE
    assert len(s.told(office)) == 3
    assert {message.status for message in s.told(office)} == {MessageStatus.SENT}
    assert len(office.mailer.sent) == 3 + (handed_over_unmarked or died_before_mark)
    for account_id in accounts:
        assert office.differences(account_id) == ()
    # and the story goes on as if nothing had happened
    before = len(office.mailer.sent)
    office.receive(accounts[0], 100, oldest_first=True)
    office.clock.set(EIGHT + DAY)
    assert sorted(outcome.why for outcome in s.run(office)) == ["sent"] * 3
    assert len(office.mailer.sent) == before + 3
    recent = [message for message in s.told(office) if message.template == "account_summary_transactions"]
    assert [json.loads(message.text)["told"]["EUR"] for message in recent] == [[0, 12100, 12100], [12100, -100, 12000]]


@pytest.mark.parametrize("step", range(1, 6))
def test_D3_what_is_posted_while_a_summary_goes_out_is_told_in_the_next(step: int) -> None:
    """Also when the machine dies there, and what it had begun to say is said by another."""
    office = s.summary_office()
    account_id, _ = enrolled(office, content=s.RECENT)
    office.invoice(account_id, 1000)
    office.clock.set(EIGHT)
    office.trouble.meanwhile(lambda: office.receive(account_id, 100, oldest_first=True), on="commit", at=min(step, 4))
    office.trouble.strike(Fault.CRASH_BEFORE, at=step)
    settle(office)
    assert json.loads(s.told(office)[0].text)["told"]["EUR"][0] == 12100
    office.clock.set(EIGHT + DAY)
    s.run(office)
    amounts = [amount for message in s.told(office) for amount in json.loads(message.text)["told"]["EUR"][1:-1]]
    assert sorted(amounts) == [-100, 1210], "each once"
    assert json.loads(s.told(office)[-1].text)["told"]["EUR"][-1] == office.balance(account_id).balance_minor == 13210


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("content", [s.OPEN, s.RECENT])
def test_D3_two_machines_at_once_send_one_mail(content: SummaryContent, at: int) -> None:
    office = s.summary_office()
    account_id, schedule_id = enrolled(office, content=content)
    office.invoice(account_id, 1000)
    office.clock.set(EIGHT)

    def other() -> None:
        with suppress(TransientError, ConflictError):  # the first one is at it
            s.summarise(office, account_id, schedule_id)

    office.trouble.meanwhile(other, on="commit", at=at)
    settle(office)
    assert len(office.mailer.sent) == len(s.told(office)) == 1
    assert s.enrolment(office, account_id, schedule_id).next_slot == EIGHT + DAY


@pytest.mark.parametrize("at", range(1, 4))
def test_D3_a_withdrawal_while_a_summary_goes_out_stands(office: Office, at: int) -> None:
    account_id, schedule_id = enrolled(office)
    office.clock.set(EIGHT)
    office.trouble.meanwhile(lambda: s.withdraw(office, account_id, schedule_id), on="commit", at=at)
    settle(office)
    known = s.enrolment(office, account_id, schedule_id)
    assert (known.next_slot, known.withdrawn_at) == (None, EIGHT)
