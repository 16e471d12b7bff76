"""D9: two runs of dunning meet on one account that is about to be charged: each charge is made once, and whichever of the two
sends the notice lists them all."""

import json
from datetime import date, timedelta

import pytest

from remit.domain.messages import Message
from tests.support import late
from tests.support.builders import NOW, Office
from tests.support.invoicing import assert_sound, void
from tests.support.machines import Machine

CHARGED = [(389, 4000)] * 2
"""Interest of 14 days and the fee, for each of the two late invoices."""

NUMBERS = [f"INV-2026-{number:06}" for number in range(1, 5)]
"""Of the two invoices and their charges."""

STEPS = range(11)
"""A run's own: two loads and a commit for each charge, then the claim of the notice, its mail, its mark, the agenda."""

MOMENTS = (0, 2, 3, 5, 6, 7, 8, 9)
"""So many steps on, it has just read or just written something that a run beside it may change or see."""


@pytest.fixture
def office() -> Office:
    return late.charging()


@pytest.fixture
def account_id(office: Office) -> str:
    """It owes two invoices of 1000.00, and is due for the tier that charges."""
    account_id = office.open_account()
    for _ in range(2):
        late.bill(office, account_id)
    office.clock.set(NOW + timedelta(days=14))
    return account_id


def run_on(office: Office, account_id: str) -> Machine:
    """A run that has found the account due, has read what it owes, and stands before it charges."""
    return Machine(office.trouble, lambda: office.dun(account_id))


def assert_charged_and_told_once(office: Office, account_id: str, mails: int = 1) -> None:
    """Whoever failed is run again when a claim has expired. One notice, with the charges; and the next tier comes on its day."""
    notice = {"overdue": NUMBERS, "net_minor": {"EUR": 208_778}}
    office.clock.advance(minutes=20)
    office.run_dunning()
    assert late.amounts(office, account_id) == CHARGED
    assert [json.loads(mail.text) for mail in office.mailer.sent] == [notice] * mails
    assert [json.loads(message.text) for message in office.books.all(Message)] == [notice]
    assert_sound(office, account_id)
    sent: dict[int, str] = {}
    while (day := (looks_again(office, account_id) - office.firm.today(NOW)).days) <= 30:
        office.clock.set(NOW + timedelta(days=day))
        office.run_dunning()
        for mail in office.mailer.sent[mails + len(sent) :]:
            sent[day] = mail.subject.partition(":")[0]
    assert sent == {30: "dunning_tier_3"}


def looks_again(office: Office, account_id: str) -> date:
    """The day that the account has in the agenda, which is one to come."""
    day = office.balance(account_id).look_again_on
    assert day
    assert day > office.firm.today(office.clock.now())
    return day


def test_D9_a_run_alone_takes_the_steps_that_are_crossed_here(office: Office, account_id: str) -> None:
    before = len(office.trouble.steps)
    office.dun(account_id)
    charge = ["load", "load", "commit"]
    assert office.trouble.steps[before:] == [*charge, *charge, "commit", "send", "commit", "commit"]
    assert len(office.trouble.steps) - before == STEPS[-1]
    assert_charged_and_told_once(office, account_id)


def test_D9_a_run_that_loses_the_race_for_the_charge_lists_it(office: Office, account_id: str) -> None:
    """The second run has decided on the very charges that the first one makes, and writes them too late."""
    first, second = run_on(office, account_id), run_on(office, account_id)
    second.go_until("commit")
    first.go_until("commit", times=3)  # its claim: both charges are made
    assert late.amounts(office, account_id) == CHARGED
    second.finish()
    assert len(office.mailer.sent) == 1
    first.finish()
    assert (first.failed, second.failed) == (False, False)
    assert_charged_and_told_once(office, account_id)


def test_D9_a_run_that_finds_the_charge_made_lists_it(office: Office, account_id: str) -> None:
    """The second run had read what is owed before the first charged, and looks at the invoices after it."""
    first, second = run_on(office, account_id), run_on(office, account_id)
    first.go_until("commit", times=3)
    second.finish()
    assert len(office.mailer.sent) == 1
    first.finish()
    assert_charged_and_told_once(office, account_id)


def test_D9_what_a_run_charged_before_it_died_is_listed_by_the_one_beside_it(office: Office, account_id: str) -> None:
    """Dead before it had claimed the notice; the other had read what is owed before that, and loses the race for a charge."""
    first, second = run_on(office, account_id), run_on(office, account_id)
    second.go_until("commit")
    first.go_until("commit", times=3)
    first.die()
    second.finish()
    assert not second.failed
    assert_charged_and_told_once(office, account_id)


@pytest.mark.parametrize("read", MOMENTS[:5])
@pytest.mark.parametrize("done", STEPS)
def test_D9_wherever_a_run_dies_beside_another_each_charge_is_made_once_and_listed(
    office: Office, account_id: str, done: int, read: int
) -> None:
    """`done`: the steps of the one that dies; `read`: those that the other took before. A mail that was handed over but not
    marked goes once more, with the same words: providers know no key against that."""
    first, second = run_on(office, account_id), run_on(office, account_id)
    second.go(read)
    first.go(done)
    unmarked = done > 0 and office.trouble.steps[-1] == "send"
    first.die()
    second.finish()
    assert_charged_and_told_once(office, account_id, mails=1 + unmarked)


@pytest.mark.parametrize("theirs", MOMENTS)
@pytest.mark.parametrize("ours", STEPS)
def test_D9_wherever_two_runs_cross_each_charge_is_made_once_and_listed(
    office: Office, account_id: str, ours: int, theirs: int
) -> None:
    first, second = run_on(office, account_id), run_on(office, account_id)
    first.go(ours)
    second.go(theirs)
    first.finish()
    second.finish()
    assert_charged_and_told_once(office, account_id)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("ahead", range(5))
def test_D9_two_runs_in_step_make_each_charge_once_and_list_it(office: Office, account_id: str, ahead: int, stride: int) -> None:
    first, second = run_on(office, account_id), run_on(office, account_id)
    first.go(ahead)
    while first.next_step or second.next_step:
        second.go(stride)
        first.go(stride)
    assert_charged_and_told_once(office, account_id)


def test_D9_a_charge_that_is_waived_is_no_reason_to_decide_for_ever(office: Office, account_id: str) -> None:
    """It stands with its invoice, and is not among what is owed, however often that is read again."""
    office.dun(account_id)
    for charge in late.charges(office, account_id):
        void(office, account_id, charge.id)
    office.clock.set(NOW + timedelta(days=30))
    office.run_dunning()
    newest = max(office.books.all(Message), key=lambda message: message.claimed_at)
    assert newest.template == "dunning_tier_3"
    assert json.loads(newest.text)["net_minor"] == {"EUR": 200_000 + 2 * 445}
    assert_sound(office, account_id)
