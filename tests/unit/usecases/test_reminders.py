"""Reminders before and after due dates: each once, crash or not (D4, D7, D10, D11)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from remit.domain.accounts import PaymentMode
from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy, Reminder, Tier
from remit.domain.errors import ConflictError, TransientError
from remit.domain.messages import MessageStatus
from remit.usecases.dun_account import NO_DAY_KNOWN
from remit.usecases.send_message import LEASE
from tests.fakes import Fault, MachineDiedError
from tests.support import dunning as dun
from tests.support.builders import TODAY, Office
from tests.support.dunning import OVERDUE, UPCOMING

NET30 = 30  # the day on which an invoice of day 0 is due


@pytest.fixture
def office() -> Office:
    return dun.open_office(-7, 0, 3)


def test_D4_reminders_go_out_before_on_and_after_the_due_date(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    # The first notice lists the invoice on the day of the reminder after it, which is then not sent besides.
    assert dun.run_days(office, 40) == {NET30 - 7: [UPCOMING], NET30: [UPCOMING], NET30 + 3: ["dunning_tier_1"]}
    assert office.differences(account_id) == ()


def test_D4_who_is_not_due_is_not_looked_at_with_reminders_either(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    looked_at = []
    for day in range(40):
        if dun.runs(office).counts.looked_at:
            looked_at.append(day)
        office.clock.advance(days=1)
    assert looked_at == [NET30 - 7, NET30, NET30 + 1, NET30 + 3]


def test_D1_D4_reminders_alone_are_sent_with_notices_off() -> None:
    office = dun.open_office(-7, 0, 3)
    dun.switches(office, Automation.REMINDERS)
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    assert dun.run_days(office, 50) == {NET30 - 7: [UPCOMING], NET30: [UPCOMING], NET30 + 3: [OVERDUE]}


def test_D10_only_postpaid_invoices_are_reminded_of(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    prepaid = office.open_account()
    item = office.item(prepaid, office.invoice(prepaid, term="net30"))
    office.books.overwrite(replace(item, mode=PaymentMode.PREPAID))
    dun.run_days(office, 40)
    assert {message.account_id for message in dun.messages(office)} == {account_id}


def test_D4_parts_of_one_day_come_in_one_letter_and_name_the_policy(office: Office) -> None:
    account_id = office.open_account()
    first, second = (office.invoice(account_id, term="net30") for _ in range(2))
    dun.at(office, NET30 - 7)
    assert dun.runs(office).counts.reminders == 1
    (message,) = dun.messages(office)
    assert message.about == (first, second)
    assert (message.policy_id, message.policy_revision, message.template_version) == ("standard", 1, "reminder_upcoming-1")
    assert message.id == f"msg_reminder_{first}_{(TODAY + timedelta(days=30)).isoformat()}_-7"


def test_D4_a_missed_week_catches_up_with_the_latest_and_announces_nothing_that_has_passed(office: Office) -> None:
    early, late = office.open_account(), office.open_account()
    for account_id, minor in ((early, 10000), (late, 20000)):
        office.invoice(account_id, minor, term="net30")
    dun.at(office, NET30 - 4)
    office.dun(early)
    dun.at(office, NET30 + 1)
    office.dun(late)
    assert [(message.account_id, message.template) for message in dun.messages(office)] == [(early, UPCOMING)]


def test_who_owes_but_whom_no_day_calls_for_keeps_a_place_in_the_agenda(office: Office) -> None:
    """A later policy with another tier must find everybody."""
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    dun.run_days(office, 40)
    assert office.balance(account_id).look_again_on == NO_DAY_KNOWN
    dun.sets_policy(office, four_tiers())
    assert dun.run_days(office, 30) == {60: ["dunning_tier_3"]}


def four_tiers() -> DunningPolicy:
    policy = dun.reminding()
    return replace(policy, tiers=(*policy.tiers, Tier(4, 60, "dunning_tier_3")))


# Trouble


def scene() -> tuple[Office, list[str]]:
    """Two customers for whom a reminder is due today; one owes in two currencies and is due for a notice too."""
    office = dun.open_office(-7, 0, 3)
    accounts = [office.open_account(email=f"c{n}@x.example") for n in range(2)]
    office.invoice(accounts[0], term="on_receipt")
    office.invoice(accounts[0], term="net30", currency="USD")
    office.invoice(accounts[1], term="net30")
    dun.at(office, NET30 - 7)
    return office, accounts


def steps_of_a_run() -> list[str]:
    office, _ = scene()
    office.trouble.steps.clear()
    office.run_dunning()
    return [step for step in office.trouble.steps if step != "load"]


STEPS = steps_of_a_run()
EXPECTED = [("c0@x.example", "dunning_tier_2"), ("c0@x.example", UPCOMING), ("c1@x.example", UPCOMING)]


def test_the_steps_are_claim_send_and_mark_for_each_letter_then_move_on_each_balance() -> None:
    letter = ["commit", "send", "commit"]
    assert sorted(STEPS) == sorted([*letter * 3, "commit", "commit", "commit"])


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
def test_D4_D7_whatever_fails_wherever_every_letter_is_sent_once(step: int, fault: Fault) -> None:
    """The one documented window: a machine that dies, or loses the reply, between handing a mail over and marking it."""
    office, accounts = scene()
    office.trouble.strike(fault, at=step)
    for _ in range(10):
        try:
            office.run_dunning()
        except (MachineDiedError, TransientError, ConflictError):
            office.clock.advance(seconds=LEASE.total_seconds())
        else:
            break
    sent = sorted((mail.to, mail.subject.partition(":")[0]) for mail in office.mailer.sent)
    handed_over_unmarked = STEPS[step - 1] == "send" and fault in (Fault.CRASH_AFTER, Fault.LOST_REPLY)
    died_before_mark = step > 1 and STEPS[step - 2] == "send" and fault is Fault.CRASH_BEFORE
    assert sorted(set(sent)) == EXPECTED
    assert len(sent) == len(EXPECTED) + (handed_over_unmarked or died_before_mark)
    assert {message.status for message in dun.messages(office)} == {MessageStatus.SENT}
    for account_id in accounts:
        assert office.differences(account_id) == ()
    before = len(office.mailer.sent)
    office.run_dunning()
    assert len(office.mailer.sent) == before


def test_D4_a_crash_before_moving_on_and_a_day_later_nothing_is_repeated(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    dun.at(office, NET30 - 7)
    office.trouble.strike(Fault.CRASH_BEFORE, on="commit", at=3)
    with pytest.raises(MachineDiedError):
        dun.runs(office)
    office.clock.advance(days=1)
    assert dun.runs(office).counts.reminders == 1, "it is found again, as sent"
    assert len(office.mailer.sent) == 1


def test_D4_two_runs_at_once_send_each_reminder_once(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    dun.at(office, NET30 - 7)
    office.trouble.meanwhile(lambda: office.dun(account_id), on="commit", at=1)
    office.dun(account_id)
    assert len(office.mailer.sent) == 1
    assert office.balance(account_id).dunning.reminded_through == office.firm.today(office.clock.now())
    assert office.balance(account_id).look_again_on == date(2026, 4, 1)


def test_D4_a_reminder_may_name_any_letter_that_asks_to_be_paid(office: Office) -> None:
    dun.sets_policy(office, replace(dun.reminding(), reminders=(Reminder(-10, "dunning_tier_1"), Reminder(-5, OVERDUE))))
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    assert dun.run_days(office, 29) == {20: ["dunning_tier_1"], 25: [OVERDUE]}
