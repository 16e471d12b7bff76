"""When a customer is reminded, and how firmly: the specification by example (D1, D5, D7, D10).

The firm's policy is the default one: a friendly letter from the 3rd day past due, a firm one from the 14th, a last
one from the 30th. Days are counted from the due date of the oldest invoice part that is still open: an invoice due on
1 March is 3 days past due on 4 March.

Each example says who owes what (`A EUR 100 due 1 Mar`), what was said before, what day it is, and what happens:
which tier's letter is sent, if any, why, and on which day the account is looked at again.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain.dunning import DunningPolicy, DunningState, OverdueItem, Tier, decide
from remit.domain.errors import InvalidError
from remit.domain.terms import Part

POLICY = DunningPolicy()


def mar(day: int) -> date:
    """The n-th of March 2026; 32 is 1 April."""
    return date(2026, 3, 1) + timedelta(days=day - 1)


def owes(name: str, due: date, open_minor: int = 10000, currency: str = "EUR") -> OverdueItem:
    return OverdueItem(f"inv_{name}", name, currency, Part(due, 10000, open_minor))


A = owes("A", mar(1))  # 3 days past due on 4 March, 14 on 15 March, 30 on 31 March
B = owes("B", mar(20))  # 3 days past due on 23 March, 14 on 3 April, 30 on 19 April
USD = owes("U", mar(10), currency="USD")
PAID = owes("P", mar(1), open_minor=0)
NEVER = DunningState()


def said(tier: int, oldest_due: date, on: date) -> DunningState:
    return DunningState(tier, oldest_due, on)


# What was said of A, each on its day.
FIRST, SECOND, LAST = said(1, mar(1), mar(4)), said(2, mar(1), mar(15)), said(3, mar(1), mar(31))


@dataclass(frozen=True)
class Example:
    """`tier` None: nothing is sent. `lists`: the invoices in the letter; `asks`: per currency, what it asks for."""

    rule: str
    today: date
    items: tuple[OverdueItem, ...]
    tier: int | None
    why: str
    again: date | None
    said: DunningState = NEVER
    credit: dict[str, int] = field(default_factory=dict)
    since: date | None = None
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
]
# fmt: on


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.rule)
def test_D5_dunning_by_example(example: Example) -> None:
    decision = decide(example.items, example.credit, example.said, POLICY, example.today, example.since)
    notice = decision.notice
    assert (decision.why, notice.tier.number if notice else None) == (example.why, example.tier)
    assert decision.look_again_on == example.again
    if example.lists is not None:
        assert notice is not None
        assert "".join(item.number for item in notice.items) == example.lists
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
    owed: list[OverdueItem], credit: dict[str, int], today: date
) -> None:
    notice = decide(owed, credit, NEVER, POLICY, today).notice
    if notice is None:
        return
    assert all(item.part.is_overdue(today) for item in notice.items)
    for currency, net in notice.net_minor.items():
        overdue = sum(item.part.open_minor for item in owed if item.currency == currency and item.part.is_overdue(today))
        assert 0 < net == overdue - credit.get(currency, 0)
    assert notice.oldest_due == min(item.part.due_date for item in notice.items)


@given(items, days, st.integers(1, 200))
def test_D7_an_account_run_daily_gets_each_tier_at_most_once_and_never_two_letters_a_day(
    owed: list[OverdueItem], first: date, length: int
) -> None:
    state, sent = NEVER, []
    for today in (first + timedelta(days=n) for n in range(length)):
        for _ in range(2):  # a run that is repeated
            notice = decide(owed, {}, state, POLICY, today).notice
            if notice:
                sent.append((today, notice.oldest_due, notice.tier.number))
                state = DunningState(notice.tier.number, notice.oldest_due, today)
    assert len({day for day, _, _ in sent}) == len(sent)
    assert len({(oldest, tier) for _, oldest, tier in sent}) == len(sent)


@given(items, days)
def test_D7_looking_only_on_the_days_that_decide_names_sends_what_looking_daily_sends(
    owed: list[OverdueItem], first: date
) -> None:
    """The agenda may be trusted: between two dates on it nothing would have been sent."""

    def letters(days: list[date], *, agenda: bool) -> list[tuple[date, int]]:
        state, sent, next_on = NEVER, [], first
        for today in days:
            if agenda and (next_on is None or today < next_on):
                continue
            decision = decide(owed, {}, state, POLICY, today)
            next_on = decision.look_again_on  # type: ignore[assignment]
            if decision.notice:
                sent.append((today, decision.notice.tier.number))
                state = DunningState(decision.notice.tier.number, decision.notice.oldest_due, today)
        return sent

    calendar = [first + timedelta(days=n) for n in range(150)]
    assert letters(calendar, agenda=True) == letters(calendar, agenda=False)


@given(items, days)
def test_the_next_look_lies_in_the_future(owed: list[OverdueItem], today: date) -> None:
    again = decide(owed, {}, NEVER, POLICY, today).look_again_on
    assume(again is not None)
    assert again is not None
    assert again > today


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
