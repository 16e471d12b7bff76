"""Subscriptions: their periods tile time, and changes share them out to the day (S1–S3)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.credit_notes import credit_lines
from remit.domain.credits import TaxOption
from remit.domain.errors import InvalidError, RemitError, RuleError
from remit.domain.money import round_half_up
from remit.domain.open_items import CreditedLine, OpenItem
from remit.domain.orders import LineRequest
from remit.domain.plans import Billing, Interval, Plan, Unit
from remit.domain.subscriptions import (
    Period,
    Subscription,
    SubscriptionStatus,
    When,
    new_subscription,
    order_id_of,
)
from tests.support.builders import CLERK, NOW, issued, line, order
from tests.support.subscribing import MONTHLY, YEARLY, agreed, days, offer, subscription
from tests.unit.domain.test_plans import intervals

anchors = st.dates(date(2020, 1, 1), date(2060, 12, 31))
billings = st.sampled_from(Billing)
JAN_31 = date(2027, 1, 31)


def refused(code: str) -> Any:
    return pytest.raises(RemitError, match=f"^{code}:")


def billed_until(made: Subscription, today: date) -> Subscription:
    """After a run on that day."""
    plan = Plan("basic", "Basic", "EUR", MONTHLY, Billing.IN_ADVANCE, NOW)
    while made.due_on is not None and made.due_on <= today:
        made = made.billed(plan)
    return made


# Periods


@given(anchors, intervals, billings)
def test_S1_periods_tile_time_without_gap_or_overlap(anchor: date, interval: Interval, billing: Billing) -> None:
    made = subscription(anchor, agreed(interval=interval, billing=billing))
    periods = [made.counted(number) for number in range(1, 40)]
    assert periods[0].starts_on == anchor
    for before, after in pairwise(periods):
        assert before.ends_before == after.starts_on
        assert before.days == before.whole_days > 0


def test_S1_a_subscription_from_january_31_is_billed_on_the_last_days_of_months() -> None:
    made = subscription(JAN_31)
    assert [days(made.counted(number)) for number in (1, 2, 3)] == [
        ("2027-01-31", "2027-02-28"),
        ("2027-02-28", "2027-03-31"),
        ("2027-03-31", "2027-04-30"),
    ]


def test_S1_a_period_is_due_when_its_day_begins_where_the_customer_is() -> None:
    made = replace(subscription(JAN_31), time_zone="Asia/Tokyo")
    assert made.due_at == datetime(2027, 1, 30, 15, tzinfo=UTC)
    in_arrears = subscription(JAN_31, agreed(billing=Billing.IN_ARREARS))
    assert in_arrears.due_at == datetime(2027, 2, 27, 23, tzinfo=UTC)


def test_S1_a_fixed_number_of_periods_ends_by_itself_and_the_last_is_the_final_one() -> None:
    made = subscription(JAN_31, periods=3)
    assert [made.is_final(number) for number in (1, 2, 3)] == [False, False, True]
    assert [made.named(number).is_first for number in (1, 2)] == [True, False]
    assert made.status_on(date(2027, 4, 29)) is SubscriptionStatus.ACTIVE
    assert made.status_on(date(2027, 4, 30)) is SubscriptionStatus.ENDED
    assert billed_until(made, date(2027, 12, 31)).due_on is None
    with refused("subscription_over"):
        made.change(agreed(2), When.NOW, date(2027, 4, 30))


@pytest.mark.parametrize(
    ("anchor", "periods", "code"),
    [(date(2025, 1, 1), None, "bad_anchor"), (date(2037, 1, 1), None, "bad_anchor"), (None, 0, "bad_periods")],
)
def test_S1_a_subscription_begins_and_ends_within_reason(anchor: date | None, periods: int | None, code: str) -> None:
    with pytest.raises(InvalidError, match=code):
        new_subscription("sub_1", "acc_1", "EUR", "UTC", agreed(), anchor, periods, NOW)
    with pytest.raises(InvalidError, match="bad_quantity"):
        agreed(0)


@given(st.text("abc", min_size=1, max_size=6), st.integers(1, 10**4), anchors)
def test_S2_the_order_of_a_period_has_one_id_in_the_form_of_any_other(sub: str, number: int, day: date) -> None:
    period = Period(number, day, day + timedelta(days=30), 30, agreed())
    id = order_id_of(sub, period)
    assert id == order_id_of(sub, replace(period, ends_before=day))
    assert len(id) == 30
    assert set(id[4:]) <= set("0123456789abcdefghijklmnopqrstuvwxyz")
    assert id != order_id_of(sub, replace(period, number=number + 1))
    assert id < order_id_of(sub, replace(period, starts_on=day + timedelta(days=1)))


# Prices


def test_S1_a_line_names_its_period() -> None:
    (only,) = subscription(JAN_31, agreed(3)).counted(1).lines(offer(1000))
    assert (only.description, only.quantity, only.unit_price_minor) == ("services at 1000, 2027-01-31 to 2027-02-27", 3, 1000)


def test_S3_a_part_of_a_period_costs_its_share_of_the_days() -> None:
    """18 of 28 days of 100.00 and of 0.03."""
    period = Period(2, date(2027, 2, 11), date(2027, 3, 1), 28, agreed())
    lines = period.lines(offer(lines=[line(10000), line(3)]))
    assert [found.unit_price_minor for found in lines] == [6429, 2]
    assert lines[0].description == "services at 10000, 2027-02-11 to 2027-02-28 (18 of 28 days)"


def billed_order(lines: list[LineRequest]) -> tuple[Any, OpenItem]:
    invoice, item, _ = issued(order(*lines))
    return invoice, item


prices = st.lists(st.builds(line, st.integers(0, 10**7), st.sampled_from(["VAT21", "VAT9", "ZERO"])), min_size=1, max_size=5)


@given(prices, st.integers(1, 366), st.data())
def test_S3_what_was_used_and_what_is_credited_are_what_was_billed_and_never_more(
    lines: list[LineRequest], length: int, data: st.DataObject
) -> None:
    """C6, to the minor unit, also when something was credited by hand before; on the first day all of it comes back."""
    invoice, item = billed_order(lines)
    starts = date(2027, 3, 1)
    period = Period(1, starts, starts + timedelta(days=length), length, agreed())
    today = starts + timedelta(days=data.draw(st.integers(0, length - 1)))
    shares = invoice.priced.shares()
    by_hand = [data.draw(st.integers(0, share.net_minor)) for share in shares]
    credited = tuple(CreditedLine(n, net, 0) for n, net in enumerate(by_hand, 1) if net)
    for known in (item, replace(item, credited=credited)):
        unused = {credit.line: credit.amount_minor for credit in period.unused(invoice, known, today)}
        left = {line.line: line.net_minor for line in known.credited}
        for number, share in enumerate(shares, 1):
            exact = share.gross_minor * (period.ends_before - today).days / length
            amount = unused.get(number) or 0
            assert 0 <= amount <= share.gross_minor - left.get(number, 0)
            if number not in left:
                assert abs(amount - exact) <= 0.5
                assert today > starts or amount == share.gross_minor
        wishes = period.unused(invoice, known, today)
        if wishes:
            made = credit_lines(invoice, known, wishes, TaxOption.INCLUDED)
            assert [each.gross_minor for each in made] == [wish.amount_minor for wish in wishes]


@given(st.integers(0, 10**9), st.integers(1, 400), st.data())
def test_S3_a_period_that_is_cut_again_and_again_never_costs_more_than_its_rounding(
    minor: int, length: int, data: st.DataObject
) -> None:
    """The parts of a period, each half up, sum to its price within half a minor unit a part."""
    cuts = sorted(data.draw(st.sets(st.integers(1, length), max_size=5)) | {0, length})
    begins = date(2027, 1, 1)
    parts = [
        Period(n, begins + timedelta(days=a), begins + timedelta(days=b), length, agreed())
        for n, (a, b) in enumerate(pairwise(cuts), 1)
    ]
    amounts = [round_half_up(each.quantity * each.unit_price_minor) for part in parts for each in part.lines(offer(minor))]
    assert abs(sum(amounts) - minor) <= len(parts) / 2
    assert parts[0].days < length or amounts == [minor]


# Changes


@given(anchors, intervals, billings, st.lists(st.integers(0, 40), min_size=1, max_size=6), st.data())
def test_S3_however_it_is_changed_its_periods_tile_time_and_keep_their_numbers(
    anchor: date, interval: Interval, billing: Billing, steps: list[int], data: st.DataObject
) -> None:
    """Several changes in one period, on its first and its last day, up and down, now and at its end."""
    made, today, quantity = subscription(anchor, agreed(interval=interval, billing=billing)), anchor, 1
    for step in steps:
        today += timedelta(days=step)
        made, quantity = billed_until(made, today), quantity + 1
        before = [made.counted(number) for number in range(1, made.next_period)]
        when = data.draw(st.sampled_from(When))
        other = data.draw(st.booleans())
        made = made.change(agreed(quantity, YEARLY if other else interval, billing), when, today)
        after = [made.counted(number) for number in range(1, made.next_period)]
        assert [period.starts_on for period in after] == [period.starts_on for period in before]
    periods = [made.counted(number) for number in range(1, made.next_period + 12)]
    for before_, after_ in pairwise(periods):
        assert before_.ends_before == after_.starts_on
        assert 0 <= before_.days <= before_.whole_days
    current = made.under_way(today)
    assert current is not None
    assert current.starts_on <= today < current.ends_before


def test_S3_a_change_now_cuts_the_period_and_keeps_the_anchor() -> None:
    made = billed_until(subscription(JAN_31), JAN_31)
    changed = made.change(agreed(5), When.NOW, date(2027, 2, 10))
    assert [days(changed.counted(number)) for number in (1, 2, 3, 4)] == [
        ("2027-01-31", "2027-02-10"),
        ("2027-02-10", "2027-02-28"),
        ("2027-02-28", "2027-03-31"),
        ("2027-03-31", "2027-04-30"),
    ]
    assert [changed.counted(number).agreed.quantity for number in (1, 2, 3)] == [1, 5, 5]
    assert changed.counted(2).whole_days == 28
    assert changed.due_on == date(2027, 2, 10)


def test_S3_a_change_on_the_first_day_leaves_nothing_of_the_period_and_on_the_last_day_one_day() -> None:
    made = billed_until(subscription(JAN_31), JAN_31)
    assert made.change(agreed(2), When.NOW, JAN_31).counted(1).days == 0
    assert made.change(agreed(2), When.NOW, date(2027, 2, 27)).counted(2).days == 1


def test_S3_another_interval_now_begins_a_whole_period_today() -> None:
    made = billed_until(subscription(JAN_31), JAN_31).change(agreed(interval=YEARLY), When.NOW, date(2027, 2, 10))
    assert [days(made.counted(number)) for number in (1, 2, 3)] == [
        ("2027-01-31", "2027-02-10"),
        ("2027-02-10", "2028-02-10"),
        ("2028-02-10", "2029-02-10"),
    ]


def test_S3_a_change_at_the_periods_end_waits_and_a_later_word_replaces_it() -> None:
    made = billed_until(subscription(JAN_31), JAN_31)
    planned = made.change(agreed(5), When.PERIOD_END, date(2027, 2, 10))
    phase = planned.planned(date(2027, 2, 10))
    assert phase is not None
    assert (phase.first, phase.starts_on, phase.agreed.quantity) == (2, date(2027, 2, 28), 5)
    assert [planned.counted(number).agreed.quantity for number in (1, 2)] == [1, 5]
    again = planned.change(agreed(7), When.NOW, date(2027, 2, 11))
    assert [again.counted(number).agreed.quantity for number in (1, 2, 3)] == [1, 7, 7]
    assert planned.change(agreed(1), When.NOW, date(2027, 2, 11)) == made


def test_S3_a_fixed_number_of_periods_is_counted_on_after_a_change() -> None:
    """A period that was cut in two is still one of them."""
    made = billed_until(subscription(JAN_31, periods=2), JAN_31).change(agreed(2), When.NOW, date(2027, 2, 10))
    assert made.is_final(3)
    assert days(made.counted(3)) == ("2027-02-28", "2027-03-31")


def test_S3_what_cannot_be_changed_says_why() -> None:
    today = date(2027, 2, 10)
    made = billed_until(subscription(JAN_31, periods=1), JAN_31)
    with refused("nothing_changes"):
        made.change(agreed(), When.NOW, today)
    with refused("subscription_ending"):
        made.change(agreed(2), When.PERIOD_END, today)
    with refused("billing_differs"):
        made.change(agreed(billing=Billing.IN_ARREARS), When.NOW, today)
    with pytest.raises(RuleError) as behind:
        subscription(JAN_31).change(agreed(2), When.NOW, today)
    assert (behind.value.code, behind.value.facts) == ("subscription_behind", {"period": 1, "refusal": None})


def test_S3_before_its_first_period_a_change_is_of_all_of_it() -> None:
    made = subscription(JAN_31)
    for when in When:
        changed = made.change(agreed(4, YEARLY), when, date(2027, 1, 1))
        assert days(changed.counted(1)) == ("2027-01-31", "2028-01-31")
        assert changed.counted(1).agreed.quantity == 4


# Pauses


@given(anchors, intervals, billings, st.integers(0, 500), st.integers(0, 500))
def test_S3_nothing_is_billed_for_a_pause_and_everything_before_and_after(
    anchor: date, interval: Interval, billing: Billing, lasts: int, later: int
) -> None:
    today = anchor + timedelta(days=lasts)
    made = billed_until(subscription(anchor, agreed(interval=interval, billing=billing)), today)
    paused = billed_until(made.pause(today, today), today + timedelta(days=10_000))
    assert paused.due_on is None
    held = paused.counted(paused.next_period)
    assert held.starts_on >= today
    back = today + timedelta(days=later)
    resumed = paused.resume(back)
    if back <= held.starts_on:
        assert replace(resumed, held_from=paused.held_from) == paused
    else:
        assert resumed.counted(paused.next_period).starts_on == back
    assert resumed.counted(paused.next_period).days == resumed.counted(paused.next_period).whole_days
    assert held.number == 1 or resumed.counted(held.number - 1).ends_before == held.starts_on


def test_S3_a_period_that_has_begun_is_served_and_those_after_a_pause_are_held() -> None:
    made = billed_until(subscription(JAN_31), JAN_31)
    paused = made.pause(date(2027, 2, 10), date(2027, 2, 10))
    assert paused.status_on(date(2027, 2, 27)) is SubscriptionStatus.ACTIVE
    assert paused.status_on(date(2027, 2, 28)) is SubscriptionStatus.PAUSED
    assert paused.due_on is None
    resumed = paused.resume(date(2027, 5, 5))
    assert days(resumed.counted(2)) == ("2027-05-05", "2027-06-05")
    assert resumed.due_on == date(2027, 5, 5)
    later = made.pause(date(2027, 3, 30), date(2027, 2, 10))
    assert later.held_from == 3


def test_S3_a_fixed_number_of_periods_waits_for_the_end_of_a_pause() -> None:
    made = billed_until(subscription(JAN_31, periods=3), JAN_31).pause(date(2027, 2, 10), date(2027, 2, 10))
    assert made.status_on(date(2029, 1, 1)) is SubscriptionStatus.PAUSED
    resumed = made.resume(date(2029, 1, 1))
    assert (resumed.status_on(date(2029, 1, 1)), resumed.is_final(3)) == (SubscriptionStatus.ACTIVE, True)
    assert days(resumed.counted(3)) == ("2029-02-01", "2029-03-01")


def test_S3_pauses_that_make_no_sense_are_refused() -> None:
    made = billed_until(subscription(JAN_31, periods=1), JAN_31)
    with refused("subscription_ending"):
        made.pause(date(2027, 2, 10), date(2027, 2, 10))
    with refused("bad_pause"):
        made.pause(date(2027, 2, 9), date(2027, 2, 10))
    with refused("subscription_not_paused"):
        made.resume(date(2027, 2, 10))
    paused = billed_until(subscription(JAN_31), JAN_31).pause(date(2027, 2, 10), date(2027, 2, 10))
    with refused("subscription_paused"):
        paused.pause(date(2027, 2, 10), date(2027, 2, 10))
    with refused("subscription_paused"):
        paused.change(agreed(2), When.NOW, date(2027, 3, 1))


# Cancellations


def canceled(made: Subscription, when: When, today: date) -> Subscription:
    return made.cancel(when, CLERK, "moved away", today, NOW)


def test_S3_canceled_at_the_periods_end_it_is_served_to_it_and_nothing_more_is_billed() -> None:
    made = canceled(billed_until(subscription(JAN_31), JAN_31), When.PERIOD_END, date(2027, 2, 10))
    assert made.status_on(date(2027, 2, 27)) is SubscriptionStatus.ACTIVE
    assert made.status_on(date(2027, 2, 28)) is SubscriptionStatus.CANCELED
    assert made.due_on is None
    assert made.is_final(1)


@pytest.mark.parametrize("today", [JAN_31, date(2027, 2, 10), date(2027, 2, 27)])
def test_S3_canceled_now_it_ends_today(today: date) -> None:
    made = canceled(billed_until(subscription(JAN_31), JAN_31), When.NOW, today)
    assert made.status_on(today) is SubscriptionStatus.CANCELED
    assert made.due_on is None
    assert made.counted(1).ends_before == today
    with refused("subscription_over"):
        canceled(made, When.NOW, today)


def test_S3_in_arrears_the_days_up_to_the_cancellation_are_billed() -> None:
    made = subscription(JAN_31, agreed(billing=Billing.IN_ARREARS))
    now = canceled(made, When.NOW, date(2027, 2, 14))
    assert now.due_on == date(2027, 2, 14)
    (only,) = now.counted(1).lines(offer(2800))
    assert only.unit_price_minor == 1400
    assert now.is_final(1)
    at_end = canceled(made, When.PERIOD_END, date(2027, 2, 14))
    assert at_end.due_on == date(2027, 2, 28)


def test_S3_a_period_in_advance_that_was_never_billed_is_given_up() -> None:
    made = canceled(subscription(JAN_31), When.NOW, date(2027, 2, 10))
    assert made.due_on is None
    before = canceled(subscription(JAN_31), When.PERIOD_END, date(2027, 1, 10))
    assert (before.due_on, before.status_on(date(2027, 1, 10))) == (None, SubscriptionStatus.CANCELED)


def test_S1_intervals_of_every_unit_have_periods() -> None:
    assert [days(subscription(JAN_31, agreed(interval=Interval(1, unit))).counted(2))[0] for unit in Unit] == [
        "2027-02-01",
        "2027-02-07",
        "2027-02-28",
        "2028-01-31",
    ]
