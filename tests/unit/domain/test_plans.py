"""Plans, their versions, and the intervals that periods are counted by (S1)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError
from remit.domain.plans import MAX_COUNT, AppliesTo, Billing, Interval, Plan, Unit
from tests.support.builders import CLERK, NOW, line
from tests.support.subscribing import MONTHLY, offer

intervals = st.sampled_from(Unit).flatmap(lambda unit: st.builds(Interval, st.integers(1, MAX_COUNT[unit]), st.just(unit)))


@pytest.mark.parametrize(
    ("anchor", "interval", "expected"),
    [
        ("2027-01-31", Interval(1, Unit.MONTH), ["2027-02-28", "2027-03-31", "2027-04-30"]),
        ("2028-01-31", Interval(1, Unit.MONTH), ["2028-02-29", "2028-03-31", "2028-04-30"]),
        ("2027-11-30", Interval(3, Unit.MONTH), ["2028-02-29", "2028-05-30", "2028-08-30"]),
        ("2028-02-29", Interval(1, Unit.YEAR), ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2026-12-30", Interval(2, Unit.WEEK), ["2027-01-13", "2027-01-27"]),
        ("2028-02-28", Interval(1, Unit.DAY), ["2028-02-29", "2028-03-01"]),
    ],
)
def test_S1_periods_are_counted_from_the_anchor_and_clamped_to_the_months_last_day(
    anchor: str, interval: Interval, expected: list[str]
) -> None:
    begins = date.fromisoformat(anchor)
    assert [interval.after(begins, times).isoformat() for times in range(1, len(expected) + 1)] == expected


@given(st.dates(date(2020, 1, 1), date(2099, 12, 31)), intervals, st.integers(0, 40))
def test_S1_each_interval_ends_later_than_the_one_before(anchor: date, interval: Interval, times: int) -> None:
    assert interval.after(anchor, 0) == anchor
    assert interval.after(anchor, times) < interval.after(anchor, times + 1)


@pytest.mark.parametrize(("count", "unit"), [(0, Unit.MONTH), (61, Unit.MONTH), (11, Unit.YEAR), (-1, Unit.DAY)])
def test_S1_an_interval_has_a_sensible_length(count: int, unit: Unit) -> None:
    with pytest.raises(InvalidError, match="bad_interval"):
        Interval(count, unit)


def test_S1_each_change_says_for_whom_it_is() -> None:
    plan = Plan("basic", "Basic", "EUR", MONTHLY, Billing.IN_ADVANCE, NOW)
    plan, second = plan.revise(offer(200, "Basic 2"), AppliesTo.NEW, CLERK, NOW)
    assert (plan.newest, plan.for_renewals, plan.name, second.number) == (2, 1, "Basic 2", 2)
    plan, third = plan.revise(offer(300), AppliesTo.RENEWALS, CLERK, NOW)
    plan, fourth = plan.revise(offer(400), AppliesTo.NEW, CLERK, NOW)
    assert (plan.newest, plan.for_renewals, third.number, fourth.number) == (4, 3, 3, 4)
    assert [plan.version_after(number) for number in (1, 2, 3, 4)] == [3, 3, 3, 4]


def test_S1_a_plan_needs_lines_and_prices_that_can_be_billed() -> None:
    with pytest.raises(InvalidError, match="bad_line"):
        offer(lines=[line(-1)])
    with pytest.raises(InvalidError, match="bad_plan_lines"):
        offer(lines=[line(1)] * 51)
    with pytest.raises(InvalidError, match="unknown_currency"):
        Plan("basic", "Basic", "XXX", MONTHLY, Billing.IN_ADVANCE, NOW)
