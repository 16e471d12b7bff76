"""When a customer is reminded, and how firmly: the examples hold, and what must hold for all (D1, D4–D8, D10)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.dunning import (
    DunningPolicy,
    OpenPart,
    Promise,
    Reminder,
    Situation,
    Tier,
    decide,
    said_after,
)
from remit.domain.errors import InvalidError
from tests.support.dunning_examples import EXAMPLES, NEVER, POLICY, REMINDERS, Example, Reminding, mar, owes


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.rule)
def test_D5_dunning_by_example(example: Example) -> None:
    decision = example.decision()
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


@pytest.mark.parametrize("example", REMINDERS, ids=lambda example: example.rule)
def test_D4_reminders_by_example(example: Reminding) -> None:
    decision = example.decision()
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
