"""When a customer is reminded, and how firmly: the specification by example (D1, D4–D8, D10).

The firm's policy is the default one: a friendly letter from the 3rd day past due, a firm one from the 14th, a last
one from the 30th. Days are counted from the due date of the oldest invoice part that is still open: an invoice due on
1 March is 3 days past due on 4 March.

Each example says who owes what (`A EUR 100 due 1 Mar`), what was said before, what day it is, and what happens:
which tier's letter is sent, if any, why, and on which day the account is looked at again.
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.dunning import (
    DunningPolicy,
    DunningState,
    OpenPart,
    Promise,
    Reminder,
    Situation,
    Tier,
    decide,
    said_after,
)
from remit.domain.errors import InvalidError
from remit.domain.terms import Part

POLICY = DunningPolicy()


def mar(day: int) -> date:
    """The n-th of March 2026; 32 is 1 April."""
    return date(2026, 3, 1) + timedelta(days=day - 1)


def owes(name: str, due: date, open_minor: int = 10000, currency: str = "EUR") -> OpenPart:
    return OpenPart(f"inv_{name}", name, currency, due - timedelta(days=30), Part(due, 10000, open_minor))


A = owes("A", mar(1))  # 3 days past due on 4 March, 14 on 15 March, 30 on 31 March
B = owes("B", mar(20))  # 3 days past due on 23 March, 14 on 3 April, 30 on 19 April
USD = owes("U", mar(10), currency="USD")
PAID = owes("P", mar(1), open_minor=0)
NEVER = DunningState()
LONG_AGO = date(2020, 1, 1)
UNTIL_20 = Promise(10000, mar(20), mar(10), 10000)
HALF_UNTIL_20 = Promise(5000, mar(20), mar(10), 10000)


def said(tier: int, oldest_due: date, on: date) -> DunningState:
    return DunningState(tier, oldest_due, on)


# What was said of A, each on its day.
FIRST, SECOND, LAST = said(1, mar(1), mar(4)), said(2, mar(1), mar(15)), said(3, mar(1), mar(31))


@dataclass(frozen=True)
class Example:
    """`tier` None: nothing is sent. `lists`: the invoices in the letter; `asks`: per currency, what it asks for."""

    rule: str
    today: date
    items: tuple[OpenPart, ...]
    tier: int | None
    why: str
    again: date | None
    said: DunningState = NEVER
    credit: dict[str, int] = field(default_factory=dict)
    since: date | None = LONG_AGO
    paused_until: date | None = None
    promise: Promise | None = None
    lists: str | None = None
    asks: dict[str, int] | None = None


# fmt: off
EXAMPLES = [
    # Not yet
    Example("nothing is open: nothing to do, ever",              mar(4), (), None, "not_overdue", None),
    Example("a paid invoice is not looked at",                   mar(40), (PAID,), None, "not_overdue", None),
    Example("before the due date: look again the day after it",  mar(1) - timedelta(9), (A,), None, "not_overdue", mar(2)),
    Example("on the due date itself nothing is overdue (T7)",    mar(1), (A,), None, "not_overdue", mar(2)),
    Example("below the first tier: wait for it",                 mar(2), (A,), None, "below_first_tier", mar(4)),
    Example("the day before the first tier",                     mar(3), (A,), None, "below_first_tier", mar(4)),

    # Each tier once
    Example("the first tier on its day",                         mar(4), (A,), 1, "notice", mar(15), lists="A"),
    Example("the second tier on its day",                        mar(15), (A,), 2, "notice", mar(31), said=FIRST),
    Example("the third and last: then there is no more to say",  mar(31), (A,), 3, "notice", None, said=SECOND),
    Example("a tier is said once: wait for the next",            mar(5), (A,), None, "already_notified", mar(15), said=FIRST),
    Example("after the last tier nothing is said again",         mar(99), (A,), None, "already_notified", None, said=LAST),
    Example("on the same day nothing is said twice",             mar(4), (A,), None, "already_notified", mar(15), said=FIRST),

    # State decides, not "exactly N days" (D7)
    Example("a missed day catches up",                           mar(6), (A,), 1, "notice", mar(15)),
    Example("missed weeks catch up with one letter, the one that fits today",
                                                                 mar(20), (A,), 2, "notice", mar(31)),
    Example("missed months too",                                 mar(90), (A,), 3, "notice", None),
    Example("a run that was late by a tier skips that tier",     mar(40), (A,), 3, "notice", None, said=FIRST),

    # One letter about all that is overdue, by the age of the oldest (D5)
    Example("one letter lists all that is overdue, oldest first",
            mar(24), (B, A), 2, "notice", mar(31), said=FIRST, lists="AB", asks={"EUR": 20000}),
    Example("what is not yet overdue is not listed; its day is kept in mind",
            mar(15), (B, A), 2, "notice", mar(21), said=FIRST, lists="A", asks={"EUR": 10000}),
    Example("the oldest was paid: a younger takes over, at its own tier",
            mar(23), (PAID, B), 1, "notice", mar(34), said=SECOND, lists="B"),
    Example("the oldest was paid and the younger is below the first tier",
            mar(22), (PAID, B), None, "below_first_tier", mar(23), said=SECOND),
    Example("a younger one takes over on a day that had a letter: not before tomorrow",
            mar(31), (B,), None, "already_notified", mar(32), said=LAST),
    Example("and tomorrow it is said",
            mar(32), (B,), 1, "notice", mar(34), said=LAST, lists="B"),
    Example("a second invoice due on the same day is the same episode",
            mar(5), (owes("A2", mar(1)),), None, "already_notified", mar(15), said=FIRST),

    # Who has paid is not reminded, though nobody allocated the payment yet (D7)
    Example("unapplied credit covers all that is overdue: look again tomorrow",
            mar(4), (A,), None, "not_owing", mar(5), credit={"EUR": 10000}),
    Example("more credit than is owed is no reason to write either",
            mar(4), (A,), None, "not_owing", mar(5), credit={"EUR": 99999}),
    Example("credit covers a part: the letter asks for the rest",
            mar(4), (A,), 1, "notice", mar(15), credit={"EUR": 9999}, asks={"EUR": 1}),
    Example("credit is set off against what is overdue, not against what is due later",
            mar(15), (A, B), None, "not_owing", mar(16), credit={"EUR": 10000}),

    # Currencies side by side, never added (L8)
    Example("two currencies in one letter, each with its own sum",
            mar(15), (USD, A), 2, "notice", mar(31), lists="AU", asks={"EUR": 10000, "USD": 10000}),
    Example("credit in one currency pays nothing in another",
            mar(15), (USD, A), 2, "notice", mar(31), credit={"USD": 4000}, lists="AU", asks={"EUR": 10000, "USD": 6000}),
    Example("a currency that is covered is left out, and its age with it; its credit may be used elsewhere tomorrow",
            mar(15), (USD, A), 1, "notice", mar(16), credit={"EUR": 10000}, lists="U", asks={"USD": 10000}),

    # Switched on later: nothing is sent for the past (D1)
    Example("a tier reached before dunning was switched on stays unsaid",
            mar(10), (A,), None, "before_switched_on", mar(15), since=mar(5)),
    Example("a tier reached on the very day is said",            mar(4), (A,), 1, "notice", mar(15), since=mar(4)),
    Example("the next tier is said",                             mar(15), (A,), 2, "notice", mar(31), since=mar(5)),
    Example("an account beyond the last tier stays silent",      mar(60), (A,), None, "before_switched_on", None, since=mar(50)),
    Example("…but a younger invoice is kept in mind",
            mar(40), (A, owes("C", mar(60))), None, "before_switched_on", mar(61), since=mar(35)),
    Example("switched off: not said, but kept in mind",          mar(4), (A,), None, "switched_off", mar(15), since=None),

    # Paused until a date (D6)
    Example("silent through that day",
            mar(15), (A,), None, "paused", mar(21), said=FIRST, paused_until=mar(20)),
    Example("and on its last day",
            mar(20), (A,), None, "paused", mar(21), said=FIRST, paused_until=mar(20)),
    Example("the day after, one notice at the tier of that day",
            mar(21), (A,), 2, "notice", mar(31), said=FIRST, paused_until=mar(20)),
    Example("also at the tier that was said before the pause",
            mar(11), (A,), 1, "notice", mar(15), said=FIRST, paused_until=mar(10)),
    Example("once",
            mar(12), (A,), None, "already_notified", mar(15), said=said(1, mar(1), mar(11)), paused_until=mar(10)),
    Example("nothing is owed: no pause to keep in mind",
            mar(15), (PAID,), None, "not_overdue", None, paused_until=mar(20)),

    # A promise to pay (D8)
    Example("silent while it may be kept",
            mar(15), (A,), None, "promised", mar(21), said=FIRST, promise=UNTIL_20),
    Example("broken: one notice the day after, at the tier of that day",
            mar(21), (A,), 2, "notice", mar(31), said=FIRST, promise=UNTIL_20),
    Example("broken within a tier: that tier again",
            mar(13), (A,), 1, "notice", mar(15), said=FIRST, promise=Promise(10000, mar(12), mar(10), 10000)),
    Example("paid less than promised: broken",
            mar(21), (owes("A", mar(1), 6000),), 2, "notice", mar(31), said=FIRST, promise=HALF_UNTIL_20),
    Example("kept: what is left of the debt is dunned as if none had been given",
            mar(13), (owes("A", mar(1), 5000),), None, "already_notified", mar(15), said=FIRST,
            promise=HALF_UNTIL_20),
    Example("money that nobody has allocated keeps it too",
            mar(15), (A,), 2, "notice", mar(31), said=FIRST, promise=HALF_UNTIL_20,
            credit={"EUR": 5000}, asks={"EUR": 5000}),
    Example("it silences its own currency only",
            mar(15), (USD, A), 1, "notice", mar(21), said=FIRST, promise=UNTIL_20, lists="U"),
]
# fmt: on


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.rule)
def test_D5_dunning_by_example(example: Example) -> None:
    situation = Situation(
        example.items,
        example.said,
        example.credit,
        example.since,
        paused_until=example.paused_until,
        promises={"EUR": example.promise} if example.promise else {},
    )
    decision = decide(situation, POLICY, example.today)
    notice = decision.notice
    assert (decision.why, notice.tier.number if notice else None) == (example.why, example.tier)
    assert decision.look_again_on == example.again
    if example.lists is not None:
        assert notice is not None
        assert "".join(item.number for item in notice.parts) == example.lists
    if example.asks is not None:
        assert notice is not None
        assert notice.net_minor == example.asks


items = st.lists(
    st.builds(owes, st.text("ABCDEFG", min_size=1, max_size=2), st.dates(mar(1), mar(60)), st.integers(0, 10000),
              st.sampled_from(["EUR", "USD"])),
    max_size=5,
)  # fmt: skip
days = st.dates(mar(1), mar(120))


@given(items, st.dictionaries(st.sampled_from(["EUR", "USD"]), st.integers(0, 20000)), days)
def test_D7_nobody_is_asked_for_more_than_is_overdue_net_of_credit(
    owed: list[OpenPart], credit: dict[str, int], today: date
) -> None:
    notice = decide(Situation(owed, NEVER, credit, date.min), POLICY, today).notice
    if notice is None:
        return
    assert all(item.part.is_overdue(today) for item in notice.parts)
    for currency, net in notice.net_minor.items():
        overdue = sum(item.part.open_minor for item in owed if item.currency == currency and item.part.is_overdue(today))
        assert 0 < net == overdue - credit.get(currency, 0)
    assert notice.oldest_due == min(item.part.due_date for item in notice.parts)


@given(items, days, st.integers(1, 200))
def test_D7_an_account_run_daily_gets_each_tier_at_most_once_and_never_two_letters_a_day(
    owed: list[OpenPart], first: date, length: int
) -> None:
    state, sent = NEVER, []
    for today in (first + timedelta(days=n) for n in range(length)):
        for _ in range(2):  # a run that is repeated
            situation = Situation(owed, state, notices_since=date.min)
            decision = decide(situation, POLICY, today)
            if notice := decision.notice:
                sent.append((today, notice.oldest_due, notice.tier.number))
            state = said_after(situation, decision, POLICY, today)
    assert len({day for day, _, _ in sent}) == len(sent)
    assert len({(oldest, tier) for _, oldest, tier in sent}) == len(sent)


promises = st.none() | st.builds(
    lambda made, days, amount: Promise(amount, made + timedelta(days=days), made, 20000),
    days,
    st.integers(0, 20),
    st.integers(1, 20000),
)
policies = st.builds(
    lambda offsets: replace(POLICY, reminders=tuple(Reminder(day, f"r{day}") for day in sorted(offsets))),
    st.sets(st.integers(-20, 20), max_size=4),
)


@given(items, days, policies, st.none() | days, promises)
def test_D7_looking_only_on_the_days_that_decide_names_sends_what_looking_daily_sends(
    owed: list[OpenPart], first: date, policy: DunningPolicy, paused_until: date | None, promise: Promise | None
) -> None:
    """The agenda may be trusted: between two dates on it nothing would have been sent."""

    def letters(days: list[date], *, agenda: bool) -> list[tuple[date, str]]:
        state, sent, next_on = NEVER, [], first
        for today in days:
            if agenda and (next_on is None or today < next_on):
                continue
            situation = Situation(owed, state, {}, first, first, paused_until, {"EUR": promise} if promise else {})
            decision = decide(situation, policy, today)
            next_on = decision.look_again_on  # type: ignore[assignment]
            sent += [(today, decision.notice.tier.template)] if decision.notice else []
            sent += [(today, due.reminder.template) for due in decision.reminders]
            state = said_after(situation, decision, policy, today)
        return sent

    calendar = [first + timedelta(days=n) for n in range(150)]
    assert letters(calendar, agenda=True) == letters(calendar, agenda=False)


@given(items, days, policies, st.none() | days, promises)
def test_the_next_look_lies_in_the_future(
    owed: list[OpenPart], today: date, policy: DunningPolicy, paused_until: date | None, promise: Promise | None
) -> None:
    situation = Situation(owed, NEVER, {}, mar(1), mar(1), paused_until, {"EUR": promise} if promise else {})
    again = decide(situation, policy, today).look_again_on
    assert again is None or again > today


@given(items, policies, st.lists(days, min_size=1, max_size=30))
def test_D4_of_each_part_each_reminder_is_sent_at_most_once_and_never_two_on_a_day(
    owed: list[OpenPart], policy: DunningPolicy, looks: list[date]
) -> None:
    state, sent = NEVER, []
    for today in sorted(looks):
        situation = Situation(owed, state, reminders_since=mar(1))
        decision = decide(situation, policy, today)
        sent += [(today, id(part), due.reminder.offset_days) for due in decision.reminders for part in due.parts]
        state = said_after(situation, decision, policy, today)
    assert len({(part, offset) for _, part, offset in sent}) == len(sent)
    assert len({(day, part) for day, part, _ in sent}) == len(sent)


# Reminders (D4): a week before the due date, on it, and three and ten days after.

REMINDING = DunningPolicy(reminders=tuple(Reminder(days, f"reminder_{days}") for days in (-7, 0, 3, 10)))


@dataclass(frozen=True)
class Reminding:
    """`reminders`: offset → the invoices in the letter. `through`: up to which day was looked after before."""

    rule: str
    today: date
    items: tuple[OpenPart, ...]
    reminders: dict[int, str]
    again: date | None
    through: date | None = None
    since: date | None = LONG_AGO
    credit: dict[str, int] = field(default_factory=dict)
    notices_since: date | None = None
    paused_until: date | None = None


JUST_ISSUED = OpenPart("inv_J", "J", "EUR", mar(15), Part(mar(20), 10000, 10000))  # its -7 would be on 13 March

# fmt: off
REMINDERS = [
    Reminding("a week before the due date",             mar(13), (B,), {-7: "B"}, mar(20)),
    Reminding("on the due date",                        mar(20), (B,), {0: "B"}, mar(21), through=mar(13)),
    Reminding("after it",                               mar(23), (B,), {3: "B"}, mar(30), through=mar(20)),
    Reminding("once",                                   mar(13), (B,), {}, mar(20), through=mar(13)),
    Reminding("before its time: look again then",       mar(1), (B,), {}, mar(13)),
    Reminding("a missed day catches up",                mar(15), (B,), {-7: "B"}, mar(20), through=mar(12)),
    Reminding("missed weeks catch up with the latest",  mar(24), (B,), {3: "B"}, mar(30), through=mar(10)),
    Reminding("what announces the due date is not sent after it",
              mar(22), (B,), {}, mar(23), through=mar(19)),
    Reminding("the invoice itself speaks for the days up to its issue",
              mar(15), (JUST_ISSUED,), {}, mar(20)),
    Reminding("nothing for the time before they were switched on (D1)",
              mar(15), (B,), {}, mar(20), since=mar(14)),
    Reminding("switched off: neither sent nor planned", mar(13), (B,), {}, mar(21), since=None),
    Reminding("a paid part is not reminded of",         mar(4), (PAID,), {}, None),
    Reminding("who has credit for all of it is not reminded (D7)",
              mar(13), (B,), {}, mar(20), credit={"EUR": 10000}),
    Reminding("parts of one day in one letter, of another in another",
              mar(13), (B, owes("B2", mar(20)), owes("C", mar(10))), {-7: "BB2", 3: "C"}, mar(20), through=mar(12)),
    Reminding("what a notice lists in the same run is not reminded of besides",
              mar(23), (B,), {}, mar(30), through=mar(20), notices_since=mar(1)),
    Reminding("in a pause nothing is said",             mar(20), (B,), {}, mar(23), through=mar(13), paused_until=mar(22)),
    Reminding("after it the latest, once",              mar(24), (B,), {3: "B"}, mar(30), through=mar(13), paused_until=mar(23)),
]
# fmt: on


@pytest.mark.parametrize("example", REMINDERS, ids=lambda example: example.rule)
def test_D4_reminders_by_example(example: Reminding) -> None:
    said = DunningState(reminded_through=example.through)
    situation = Situation(example.items, said, example.credit, example.notices_since, example.since, example.paused_until)
    decision = decide(situation, REMINDING, example.today)
    sent = {due.reminder.offset_days: "".join(part.number for part in due.parts) for due in decision.reminders}
    assert sent == example.reminders
    assert decision.look_again_on == example.again


@pytest.mark.parametrize("offsets", [(3, 0), (1, 1), (-4000,), tuple(range(21))])
def test_D4_a_policy_whose_reminders_do_not_rise_is_refused(offsets: tuple[int, ...]) -> None:
    with pytest.raises(InvalidError, match="bad_dunning_policy"):
        DunningPolicy(reminders=tuple(Reminder(offset, "r") for offset in offsets))


@pytest.mark.parametrize(("offsets", "first"), [((), 1), ((3, 10), 1), ((0,), 0), ((-7, 0), -7)])
def test_D4_the_first_look_is_at_the_first_reminder_or_the_day_after_the_due_date(offsets: tuple[int, ...], first: int) -> None:
    assert DunningPolicy(reminders=tuple(Reminder(offset, "r") for offset in offsets)).first_look_days == first


@pytest.mark.parametrize(
    "tiers",
    [
        (),
        (Tier(1, 0, "a"),),
        (Tier(2, 3, "a"),),
        (Tier(1, 3, "a"), Tier(2, 3, "b")),
        (Tier(1, 14, "a"), Tier(2, 3, "b")),
        (Tier(1, 3, "a"), Tier(3, 14, "b")),
    ],
)
def test_D5_a_policy_whose_tiers_do_not_rise_is_refused(tiers: tuple[Tier, ...]) -> None:
    with pytest.raises(InvalidError, match="bad_dunning_policy"):
        DunningPolicy(tiers)


def test_D5_there_are_three_tiers_unless_the_firm_says_otherwise() -> None:
    assert [(tier.number, tier.from_days) for tier in POLICY.tiers] == [(1, 3), (2, 14), (3, 30)]
    assert len({tier.template for tier in POLICY.tiers}) == 3
