"""A policy on an account's past, fact by fact: what was known then decides, what really was so judges (O4)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import AccountChange
from remit.domain.actor import Actor, Channel
from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy, Promise, Reminder, Tier
from remit.domain.dunning_trials import (
    Credited,
    Disputed,
    Fact,
    Opened,
    Paused,
    PostpaidInvoice,
    Promised,
    Switched,
    TrialLetter,
    TrialTerms,
    Wrong,
    facts_of_change,
    invoices_at_stake,
    try_policy,
)

CLERK = Actor("clerk-1", Channel.API)
POLICY = DunningPolicy(
    (Tier(1, 1, "first"), Tier(2, 7, "second")), (Reminder(-3, "upcoming"), Reminder(0, "today"), Reminder(4, "late"))
)
LAST = 40


def day(number: int) -> date:
    return date(2026, 3, 1) + timedelta(days=number)


TERMS = TrialTerms(POLICY, day(0), day(LAST), time(7))
INVOICES = {f"inv_{name}": PostpaidInvoice(name, day(-30)) for name in "ABC"}


def fact(number: int, what: Any, *, heard: int | None = None) -> Fact:
    """Something that took effect on a day, and was recorded at five in the morning of that day or another one."""
    recorded = datetime.combine(day(number if heard is None else heard), time(5), UTC)
    return Fact(recorded, day(number), what)


def owed(name: str, due: int, amount: int = 10000, currency: str = "EUR") -> Opened:
    return Opened(f"inv_{name}", currency, day(due), amount)


def tried(*facts: Fact, terms: TrialTerms = TERMS) -> tuple[TrialLetter, ...]:
    return try_policy(facts, INVOICES, terms, UTC)


def told(letters: tuple[TrialLetter, ...]) -> dict[int, tuple[str, tuple[Wrong, ...]]]:
    return {(letter.on - day(0)).days: (letter.step, letter.wrong) for letter in letters if letter.tier}


ISSUED = fact(-30, owed("A", 0))


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (fact(5, owed("A", 0, -10000), heard=9), (Wrong.ALREADY_PAID,)),
        (fact(5, owed("A", 0, -4000), heard=9), (Wrong.OVERSTATED,)),
        (fact(5, Credited("EUR", 10000), heard=9), (Wrong.ALREADY_PAID,)),
        (fact(5, Credited("EUR", 4000, is_prepaid=True), heard=9), (Wrong.OVERSTATED,)),
        (fact(5, Credited("USD", 10000), heard=9), ()),
        (fact(5, Disputed("inv_A", "pay_1", begins=True), heard=9), (Wrong.DISPUTED,)),
        (fact(5, Disputed("inv_B", "pay_1", begins=True), heard=9), ()),
        (fact(5, Paused(day(7)), heard=9), (Wrong.PAUSED,)),
        (fact(5, Paused(day(6)), heard=9), ()),
        (fact(5, Promised({"EUR": Promise(10000, day(7), day(5), 10000)}), heard=9), (Wrong.PROMISED,)),
        (fact(5, Promised({"EUR": Promise(10000, day(6), day(5), 10000)}), heard=9), ()),
        (fact(8, owed("A", 0, -10000), heard=9), ()),
    ],
)
def test_O4_what_is_heard_of_late_judges_the_letter_that_it_would_have_prevented(
    later: Fact, expected: tuple[Wrong, ...]
) -> None:
    letters = tried(ISSUED, later)
    assert told(letters)[1] == ("tier 1", ())
    assert told(letters)[7] == ("tier 2", expected)


def test_O4_a_dispute_that_ended_before_the_letter_is_no_reason() -> None:
    begun, ended = Disputed("inv_A", "pay_1", begins=True), Disputed("inv_A", "pay_1", begins=False)
    letters = tried(ISSUED, fact(3, begun, heard=9), fact(6, ended, heard=9))
    assert told(letters)[7] == ("tier 2", ())


def test_O4_an_invoice_is_disputed_as_long_as_any_of_its_payments_is() -> None:
    facts = [fact(-1, Disputed("inv_A", payment, begins=True)) for payment in ("pay_1", "pay_2")]
    facts += [fact(on, Disputed("inv_A", payment, begins=False)) for on, payment in ((10, "pay_1"), (20, "pay_2"))]
    assert told(tried(ISSUED, *facts)) == {20: ("tier 2", ())}


def test_O4_a_letter_in_two_currencies_of_which_one_is_paid_is_overstated_in_that_one() -> None:
    other = fact(-30, owed("B", 0, 7000, "USD"))
    letter = next(each for each in tried(ISSUED, other, fact(5, owed("B", 0, -7000, "USD"), heard=9)) if each.tier == 2)
    assert letter.asked_minor == {"EUR": 10000, "USD": 7000}
    assert (letter.wrong, letter.overstated_minor) == ((Wrong.OVERSTATED,), {"USD": 7000})


def test_O4_what_the_account_turned_off_is_not_sent_while_it_is_off() -> None:
    off, on = (fact(number, Switched(Automation.DUNNING, wanted)) for number, wanted in ((-1, False), (3, True)))
    assert told(tried(ISSUED, off, on)) == {7: ("tier 2", ())}


def change(after: Mapping[str, Any]) -> AccountChange:
    return AccountChange("acc_1", 1, datetime(2026, 3, 5, 23, 30, tzinfo=UTC), CLERK, {}, dict(after))


def test_O4_the_account_history_says_of_pauses_promises_and_switches() -> None:
    """As it is stored: plain data."""
    promise = {"amount_minor": 5000, "by": "2026-03-20", "made_on": "2026-03-05", "overdue_minor": 9000}
    after = {"dunning_paused_until": "2026-03-10", "promises": {"EUR": promise}, "dunning": False, "name": "New"}
    found = list(facts_of_change(change(after), UTC))
    assert [each.what for each in found] == [
        Paused(date(2026, 3, 10)),
        Promised({"EUR": Promise(5000, date(2026, 3, 20), date(2026, 3, 5), 9000)}),
        Switched(Automation.DUNNING, on=False),
    ]
    assert {each.effective_on for each in found} == {date(2026, 3, 5)}
    assert [each.what for each in facts_of_change(change({"dunning_paused_until": None}), UTC)] == [Paused(None)]


def test_only_invoices_that_are_open_at_the_beginning_or_move_later_are_at_stake() -> None:
    facts = [
        fact(-9, owed("A", 0)), fact(-9, owed("B", 0)), fact(-5, owed("B", 0, -10000)), fact(3, owed("C", 9)),
    ]  # fmt: skip
    assert invoices_at_stake(facts, datetime.combine(day(0), time(7), UTC)) == {"inv_A", "inv_C"}


# For any past

numbers = st.integers(-20, LAST)
amounts = st.sampled_from([1000, 5000, 10000])
currencies = st.sampled_from(["EUR", "USD"])


@st.composite
def stories(draw: st.DrawFn, *, late: bool) -> list[Fact]:
    """Invoices with what happens to them; with `late`, some of it is heard of days after it took effect."""

    def happens(number: int, what: Any) -> Fact:
        return fact(number, what, heard=number + (draw(st.integers(0, 9)) if late else 0))

    facts: list[Fact] = []
    for name in "ABC":
        issued, currency, total = draw(numbers), draw(currencies), draw(amounts)
        due = issued + draw(st.integers(0, 10))
        facts.append(fact(issued, owed(name, due, total, currency)))
        if draw(st.booleans()):
            paid = draw(st.integers(issued, LAST + 9))
            facts.append(happens(paid, owed(name, due, -draw(st.integers(1, total)), currency)))
        if draw(st.booleans()):
            begun = draw(st.integers(issued, LAST + 9))
            facts.append(happens(begun, Disputed(f"inv_{name}", f"pay_{name}", begins=True)))
    credits_ = draw(st.lists(st.builds(Credited, currencies, amounts, st.booleans()), max_size=2))
    facts += [happens(draw(numbers), credit) for credit in credits_]
    if draw(st.booleans()):
        paused = draw(numbers)
        facts.append(fact(paused, Paused(day(paused + draw(st.integers(0, 10))))))
    if draw(st.booleans()):
        made = draw(numbers)
        promise = Promise(draw(amounts), day(made + draw(st.integers(0, 10))), day(made), 10000)
        facts.append(fact(made, Promised({draw(currencies): promise})))
    if draw(st.booleans()):
        facts.append(
            fact(draw(numbers), Switched(draw(st.sampled_from([Automation.DUNNING, Automation.REMINDERS])), draw(st.booleans())))
        )
    return facts


@given(stories(late=False))
def test_O4_nothing_is_wrong_where_everything_is_recorded_on_its_day_before_the_run(facts: list[Fact]) -> None:
    assert [letter for letter in tried(*facts) if letter.wrong or letter.overstated_minor] == []


@given(stories(late=True), st.integers(0, LAST))
def test_O4_what_is_heard_of_later_changes_no_letter_but_what_is_said_of_it(facts: list[Fact], last: int) -> None:
    terms = replace(TERMS, last=day(last))
    heard = [each for each in facts if each.recorded_at < terms.run_on(day(last), UTC)]
    then = [replace(letter, wrong=(), overstated_minor={}) for letter in tried(*heard, terms=terms)]
    assert [replace(letter, wrong=(), overstated_minor={}) for letter in tried(*facts, terms=terms)] == then


@given(stories(late=True))
def test_O4_a_verdict_fits_its_amounts(facts: list[Fact]) -> None:
    for letter in tried(*facts):
        assert all(0 < amount <= letter.asked_minor[currency] for currency, amount in letter.overstated_minor.items())
        if Wrong.ALREADY_PAID in letter.wrong:
            assert letter.overstated_minor == letter.asked_minor
            assert Wrong.OVERSTATED not in letter.wrong
        assert (Wrong.OVERSTATED in letter.wrong) <= bool(letter.overstated_minor)
        assert bool(letter.overstated_minor) <= bool(letter.wrong)


@given(stories(late=True), st.integers(0, LAST))
def test_O4_a_shorter_period_is_the_beginning_of_a_longer_one(facts: list[Fact], last: int) -> None:
    whole = tried(*facts)
    assert tried(*facts, terms=replace(TERMS, last=day(last))) == tuple(letter for letter in whole if letter.on <= day(last))
