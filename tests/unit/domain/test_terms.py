"""Payment terms and schedules (T1, T2, T3, T7)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError
from remit.domain.terms import Due, DueRule, Method, Part, PaymentTerm, schedule
from tests.support.builders import NET30, ON_RECEIPT
from tests.support.strategies import amounts, dates, terms


@given(terms, amounts, dates)
def test_T2_the_parts_sum_to_the_total_and_nothing_is_due_before_it_is_issued(term: PaymentTerm, total: int, day: date) -> None:
    parts = schedule(term, total, day)
    assert sum(part.amount_minor for part in parts) == total
    assert all(part.open_minor == part.amount_minor and part.due_date >= day for part in parts)


@given(dates)
def test_T1_on_receipt_is_due_on_the_day_of_issue(day: date) -> None:
    assert schedule(ON_RECEIPT, 100, day) == (Part(day, 100, 100),)


@given(st.integers(1, 365), dates)
def test_T7_net_n_is_due_n_days_after_issue(days: int, day: date) -> None:
    term = PaymentTerm.single("net", "Net", Due(DueRule.NET_DAYS, days))
    assert [part.due_date for part in schedule(term, 100, day)] == [day + timedelta(days=days)]


def test_T7_net_30_is_overdue_from_the_day_after() -> None:
    (part,) = schedule(NET30, 12100, date(2026, 1, 31))
    assert part.due_date == date(2026, 3, 2)
    assert not part.is_overdue(date(2026, 3, 2))
    assert part.days_overdue(date(2026, 3, 2)) == 0
    assert part.is_overdue(date(2026, 3, 3))
    assert part.days_overdue(date(2026, 3, 3)) == 1


def test_T7_a_leap_day_counts_as_a_day() -> None:
    assert schedule(NET30, 1, date(2028, 2, 1))[0].due_date == date(2028, 3, 2)


def test_a_paid_part_is_never_overdue() -> None:
    part = Part(date(2026, 1, 1), 100, 0)
    assert not part.is_overdue(date(2030, 1, 1))
    assert part.days_overdue(date(2030, 1, 1)) == 0


@pytest.mark.parametrize(
    ("due", "days", "methods"),
    [
        (DueRule.NET_DAYS, 0, tuple(Method)),
        (DueRule.NET_DAYS, 366, tuple(Method)),
        (DueRule.NET_DAYS, -1, tuple(Method)),
        (DueRule.ON_RECEIPT, 1, tuple(Method)),
        (DueRule.ON_RECEIPT, 0, ()),
    ],
)
def test_T1_a_term_that_makes_no_sense_is_refused(due: DueRule, days: int, methods: tuple[Method, ...]) -> None:
    with pytest.raises(InvalidError) as refusal:
        PaymentTerm("t", "T", due, days, methods)
    assert refusal.value.code == "bad_payment_term"
