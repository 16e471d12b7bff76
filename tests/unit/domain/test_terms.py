"""Payment terms, schedules and deliveries (T1–T4, T7)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError, RuleError
from remit.domain.terms import (
    LAST_DUE_DATE,
    ChargeKind,
    Collect,
    Due,
    DueRule,
    EarlyDiscount,
    Method,
    Occasion,
    Part,
    PartStatus,
    PaymentTerm,
    TermPart,
    deliver,
    schedule,
)
from tests.support.builders import NET30, ON_RECEIPT
from tests.support.strategies import amounts, dates, terms

TODAY = date(2026, 1, 31)
dues = st.one_of(
    st.just(Due(DueRule.ON_RECEIPT)),
    st.builds(Due, st.just(DueRule.NET_DAYS), st.integers(1, 730)),
    st.builds(Due, st.sampled_from([DueRule.END_OF_MONTH, DueRule.AFTER_SALE, DueRule.AFTER_DELIVERY]), st.integers(0, 730)),
    st.builds(Due, st.just(DueRule.FIXED_DATE), st.just(0), dates),
)
percents = st.decimals(Decimal("0.01"), Decimal(100), places=2)


def sold(day: date) -> Occasion:
    return Occasion(day, day)


def term_of(parts: list[TermPart], collect: dict[ChargeKind, Collect] | None = None) -> PaymentTerm:
    return PaymentTerm("t", "T", tuple(parts), tuple(Method), "EUR", collect=collect or {})


@st.composite
def instalments(draw: st.DrawFn) -> PaymentTerm:
    """Several percentages, perhaps fixed amounts, and the rest."""
    weights = draw(st.lists(st.integers(1, 30), max_size=3))
    fixed = draw(st.lists(st.integers(1, 1000), max_size=2))
    parts = [TermPart(draw(dues), percent=Decimal(weight)) for weight in weights]
    parts += [TermPart(draw(dues), fixed_minor=amount) for amount in fixed]
    parts.insert(draw(st.integers(0, len(parts))), TermPart(draw(dues)))
    collect = draw(st.dictionaries(st.sampled_from(ChargeKind), st.sampled_from(Collect)))
    return term_of(parts, collect)


@given(
    terms | instalments(), st.integers(20_000, 10**12), dates, st.dictionaries(st.sampled_from(ChargeKind), st.integers(0, 900))
)
def test_T2_the_parts_sum_to_the_total_and_nothing_is_due_before_it_is_issued(
    term: PaymentTerm, total: int, day: date, charges: dict[ChargeKind, int]
) -> None:
    parts = schedule(term, total, sold(day), charges)
    assert sum(part.amount_minor for part in parts) == total
    assert all(part.open_minor == part.amount_minor > 0 for part in parts)
    assert all(part.due_date is None or part.due_date >= day for part in parts)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=24), amounts)
def test_T2_no_part_is_off_by_a_whole_unit(weights: list[int], total: int) -> None:
    whole = sum(weights)
    shares = [Decimal(weight * 100) / whole for weight in weights[:-1]]
    term = term_of([*(TermPart(Due(DueRule.ON_RECEIPT), percent=share) for share in shares), TermPart(Due(DueRule.ON_RECEIPT))])
    exact = [total * share / 100 for share in shares]
    amounts_found = [part.amount_minor for part in schedule(term, total, sold(TODAY))]
    if len(amounts_found) == len(weights):
        assert all(abs(found - wanted) < 1 for found, wanted in zip(amounts_found, exact, strict=False))


@pytest.mark.parametrize(
    ("due", "on"),
    [
        (Due(DueRule.ON_RECEIPT), date(2026, 1, 31)),
        (Due(DueRule.NET_DAYS, 30), date(2026, 3, 2)),
        (Due(DueRule.END_OF_MONTH, 15), date(2026, 2, 15)),
        (Due(DueRule.FIXED_DATE, on=date(2026, 6, 1)), date(2026, 6, 1)),
        (Due(DueRule.FIXED_DATE, on=date(2025, 6, 1)), date(2026, 1, 31)),  # never before the issue
        (Due(DueRule.AFTER_SALE, 20), date(2026, 2, 9)),
        (Due(DueRule.AFTER_DELIVERY, 14), None),
    ],
)
def test_T1_each_rule_counts_from_its_own_day(due: Due, on: date | None) -> None:
    (part,) = schedule(PaymentTerm.single("t", "T", due), 100, Occasion(date(2026, 1, 31), date(2026, 1, 20)))
    assert part.due_date == on


@given(st.integers(1, 730), dates)
def test_T7_net_n_is_due_n_days_after_issue(days: int, day: date) -> None:
    term = PaymentTerm.single("net", "Net", Due(DueRule.NET_DAYS, days))
    assert [part.due_date for part in schedule(term, 100, sold(day))] == [day + timedelta(days=days)]


def test_T7_net_30_is_overdue_from_the_day_after() -> None:
    (part,) = schedule(NET30, 12100, sold(date(2026, 1, 31)))
    assert part.due_date == date(2026, 3, 2)
    assert (part.status(date(2026, 3, 2)), part.days_overdue(date(2026, 3, 2))) == (PartStatus.OPEN, 0)
    assert (part.status(date(2026, 3, 3)), part.days_overdue(date(2026, 3, 3))) == (PartStatus.OVERDUE, 1)


def test_T7_a_leap_day_counts_as_a_day() -> None:
    assert schedule(NET30, 1, sold(date(2028, 2, 1)))[0].due_date == date(2028, 3, 2)


def test_a_paid_or_unscheduled_part_is_never_overdue() -> None:
    assert Part(date(2026, 1, 1), 100, 0).status(date(2030, 1, 1)) is PartStatus.SETTLED
    assert Part(None, 100, 100, 14).status(date(2999, 1, 1)) is PartStatus.UNSCHEDULED


# Charges (T4)


@pytest.mark.parametrize(
    ("collect", "amounts_due"),
    [
        (Collect.FIRST, [(TODAY, 3500), (TODAY + timedelta(days=30), 7000)]),
        (Collect.LAST, [(TODAY, 3000), (TODAY + timedelta(days=30), 7500)]),
        (Collect.PRO_RATA, [(TODAY, 3150), (TODAY + timedelta(days=30), 7350)]),
        (Collect.ON_DELIVERY, [(TODAY, 3000), (TODAY + timedelta(days=30), 7000), (None, 500)]),
    ],
)
def test_T4_a_charge_is_collected_when_the_term_says(collect: Collect, amounts_due: list[tuple[date | None, int]]) -> None:
    parts = [TermPart(Due(DueRule.ON_RECEIPT), percent=Decimal(30)), TermPart(Due(DueRule.NET_DAYS, 30))]
    term = term_of(parts, {ChargeKind.SHIPPING: collect})
    found = schedule(term, 10500, sold(TODAY), {ChargeKind.SHIPPING: 500})
    assert [(part.due_date, part.amount_minor) for part in found] == amounts_due


def test_T1_fixed_amounts_above_the_total_do_not_fit() -> None:
    term = term_of([TermPart(Due(DueRule.ON_RECEIPT), fixed_minor=101), TermPart(Due(DueRule.NET_DAYS, 30))])
    with pytest.raises(RuleError) as refusal:
        schedule(term, 100, sold(TODAY))
    assert (refusal.value.code, refusal.value.facts["total_minor"]) == ("term_does_not_fit", 100)


# Deliveries (T2)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), amounts, st.data())
def test_T2_partial_deliveries_schedule_everything_exactly_and_lose_nothing_that_was_paid(
    percents_delivered: list[int], total: int, data: st.DataObject
) -> None:
    paid = data.draw(st.integers(0, total))
    parts: tuple[Part, ...] = (Part(None, total, total - paid, 14),)
    already = Decimal(0)
    for percent in [Decimal(each) for each in percents_delivered]:
        step = min(percent, 100 - already)
        if step:
            parts = deliver(parts, step, already, TODAY, TODAY)
            already += step
    if already < 100:
        parts = deliver(parts, 100 - already, already, TODAY, TODAY)
    assert sum(part.amount_minor for part in parts) == total
    assert sum(part.open_minor for part in parts) == total - paid
    assert all(0 <= part.open_minor <= part.amount_minor for part in parts)
    assert all(part.due_date == TODAY + timedelta(days=14) for part in parts)


@pytest.mark.parametrize(("percent", "already"), [(0, 0), (-1, 0), (101, 0), (51, 50), (1, 100)])
def test_T2_no_more_is_delivered_than_was_ordered(percent: int, already: int) -> None:
    with pytest.raises(RuleError) as refusal:
        deliver([Part(None, 100, 100, 0)], Decimal(percent), Decimal(already), TODAY)
    assert refusal.value.code == "delivery_exceeds_order"
    assert refusal.value.facts["open_percent"] == str(100 - already)


# What makes no sense (T1)

RECEIPT, NET = Due(DueRule.ON_RECEIPT), Due(DueRule.NET_DAYS, 30)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Due(DueRule.NET_DAYS, 0),
        lambda: Due(DueRule.NET_DAYS, 731),
        lambda: Due(DueRule.NET_DAYS, -1),
        lambda: Due(DueRule.ON_RECEIPT, 1),
        lambda: Due(DueRule.FIXED_DATE),
        lambda: Due(DueRule.FIXED_DATE, on=LAST_DUE_DATE + timedelta(days=1)),
        lambda: Due(DueRule.NET_DAYS, 1, date(2026, 1, 1)),
        lambda: TermPart(RECEIPT, percent=Decimal(0)),
        lambda: TermPart(RECEIPT, percent=Decimal("100.01")),
        lambda: TermPart(RECEIPT, fixed_minor=0),
        lambda: TermPart(RECEIPT, percent=Decimal(1), fixed_minor=1),
        lambda: PaymentTerm("t", "T", (), tuple(Method)),
        lambda: PaymentTerm("t", "T", (TermPart(RECEIPT),), ()),
        lambda: PaymentTerm("t", "T", (TermPart(RECEIPT), TermPart(NET)), tuple(Method)),
        lambda: PaymentTerm("t", "T", (TermPart(RECEIPT, percent=Decimal(99)),), tuple(Method)),
        lambda: PaymentTerm("t", "T", (TermPart(RECEIPT, fixed_minor=5), TermPart(NET)), tuple(Method)),  # of which currency?
        lambda: PaymentTerm(
            "t",
            "T",
            (TermPart(RECEIPT, percent=Decimal(50)), TermPart(NET)),
            tuple(Method),
            discount=EarlyDiscount(Decimal(2), 10),
        ),  # T5: not combined with instalments
        lambda: EarlyDiscount(Decimal(100), 10),
    ],
)
def test_T1_a_term_that_makes_no_sense_is_refused(make: object) -> None:
    with pytest.raises(InvalidError) as refusal:
        make()  # type: ignore[operator]
    assert refusal.value.code == "bad_payment_term"


def test_T1_on_receipt_is_due_on_the_day_of_issue() -> None:
    assert schedule(ON_RECEIPT, 100, sold(TODAY)) == (Part(TODAY, 100, 100),)
