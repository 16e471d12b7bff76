"""Payment terms: due rules, shares, charges, deliveries (T1, T2, T3, T4, T5, T7)."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError, RuleError
from remit.domain.money import split
from remit.domain.terms import (
    MAX_PARTS,
    CardFee,
    ChargeKind,
    Collect,
    DiscountTax,
    Due,
    DueRule,
    EarlyDiscount,
    Method,
    Occasion,
    Part,
    PaymentTerm,
    TermPart,
    deliver,
    due_date,
    schedule,
)
from tests.support.builders import NET30, ON_RECEIPT
from tests.support.strategies import amounts, dates, terms

NOW_DUE, LATER = Due(DueRule.ON_RECEIPT), Due(DueRule.NET_DAYS, 30)
DELIVERED = Due(DueRule.AFTER_DELIVERY, 14)


def on(day: date, sold: date | None = None) -> Occasion:
    return Occasion(day, sold or day)


def term(*parts: TermPart, **more: object) -> PaymentTerm:
    return PaymentTerm("t", "T", parts, **more)  # type: ignore[arg-type]


# Due dates


@given(dates)
def test_T1_on_receipt_is_due_on_the_day_of_issue(day: date) -> None:
    assert schedule(ON_RECEIPT, 100, on(day)) == (Part(day, 100, 100),)


@given(st.integers(1, 730), dates)
def test_T7_net_n_is_due_n_days_after_issue(days: int, day: date) -> None:
    assert due_date(Due(DueRule.NET_DAYS, days), on(day)) == day + timedelta(days=days)


@pytest.mark.parametrize(
    ("issued", "days", "due"),
    [
        (date(2028, 2, 3), 0, date(2028, 2, 29)),  # a leap year
        (date(2028, 2, 29), 1, date(2028, 3, 1)),
        (date(2026, 2, 28), 0, date(2026, 2, 28)),
        (date(2100, 2, 1), 0, date(2100, 2, 28)),  # no leap year, being a century
        (date(2026, 12, 31), 30, date(2027, 1, 30)),
        (date(2026, 4, 30), 31, date(2026, 5, 31)),
    ],
)
def test_T1_end_of_month_counts_from_the_months_last_day(issued: date, days: int, due: date) -> None:
    assert due_date(Due(DueRule.END_OF_MONTH, days), on(issued)) == due


@given(dates, st.integers(0, 730))
def test_T1_end_of_month_is_the_same_for_all_days_of_a_month(day: date, days: int) -> None:
    due = Due(DueRule.END_OF_MONTH, days)
    found = due_date(due, on(day))
    assert found == due_date(due, on(day.replace(day=1)))
    assert found is not None
    assert (found - timedelta(days=days) + timedelta(days=1)).day == 1


@given(dates, dates)
def test_T1_a_fixed_date_that_has_passed_is_the_day_of_issue(fixed: date, issued: date) -> None:
    assert due_date(Due(DueRule.FIXED_DATE, on=fixed), on(issued)) == max(fixed, issued)


@given(dates, st.integers(0, 400), st.integers(0, 730))
def test_T1_after_sale_counts_from_the_order_and_never_ends_before_the_issue(sold: date, wait: int, days: int) -> None:
    issued = sold + timedelta(days=wait)
    assert due_date(Due(DueRule.AFTER_SALE, days), on(issued, sold)) == max(sold + timedelta(days=days), issued)


@given(dates, st.integers(0, 730))
def test_T2_after_delivery_waits(day: date, days: int) -> None:
    (part,) = schedule(term(TermPart(Due(DueRule.AFTER_DELIVERY, days))), 100, on(day))
    assert (part.due_date, part.days_after_delivery) == (None, days)
    assert not part.is_overdue(date.max)
    assert part.days_overdue(date.max) == 0


def test_T7_net_30_is_overdue_from_the_day_after() -> None:
    (part,) = schedule(NET30, 12100, on(date(2026, 1, 31)))
    assert part.due_date == date(2026, 3, 2)
    assert not part.is_overdue(date(2026, 3, 2))
    assert part.days_overdue(date(2026, 3, 2)) == 0
    assert part.is_overdue(date(2026, 3, 3))
    assert part.days_overdue(date(2026, 3, 3)) == 1


def test_T7_a_leap_day_counts_as_a_day() -> None:
    assert schedule(NET30, 1, on(date(2028, 2, 1)))[0].due_date == date(2028, 3, 2)


def test_a_paid_part_is_never_overdue() -> None:
    part = Part(date(2026, 1, 1), 100, 0)
    assert not part.is_overdue(date(2030, 1, 1))
    assert part.days_overdue(date(2030, 1, 1)) == 0


# Shares


@given(terms, amounts, dates, st.dictionaries(st.sampled_from(ChargeKind), st.integers(0, 10**6)))
def test_T2_the_parts_sum_to_the_total_and_nothing_is_due_before_it_is_issued(
    term: PaymentTerm, goods: int, day: date, charges: dict[ChargeKind, int]
) -> None:
    total = goods + sum(charges.values())
    try:
        parts = schedule(term, total, on(day), charges)
    except RuleError as refusal:
        assert refusal.code == "term_does_not_fit"  # noqa: PT017
        assert any(part.fixed_minor for part in term.parts)
        return
    assert sum(part.amount_minor for part in parts) == total
    assert all(0 < part.amount_minor == part.open_minor for part in parts)
    assert all(part.due_date is None or part.due_date >= day for part in parts)
    assert all((part.due_date is None) == (part.days_after_delivery is not None) for part in parts)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=MAX_PARTS), amounts)
def test_T2_no_part_is_a_unit_off_its_exact_share(weights: list[int], total: int) -> None:
    hundredths = [share for share in split(10_000, weights) if share]
    parts = [TermPart(LATER, percent=Decimal(share) / 100) for share in hundredths]
    found = schedule(term(*parts), total, on(date(2026, 1, 1)))
    exact = [Decimal(total) * share / 10_000 for share in hundredths]
    padded = [part.amount_minor for part in found] if len(found) == len(exact) else None
    assert padded is None or all(abs(amount - share) < 1 for amount, share in zip(padded, exact, strict=True))


def test_T2_a_deposit_and_the_rest_as_the_docstring_says() -> None:
    first = term(TermPart(NOW_DUE, percent=Decimal(30)), TermPart(LATER))
    parts = schedule(first, 10_501, on(date(2026, 1, 1)), {ChargeKind.SHIPPING: 500})
    assert [part.amount_minor for part in parts] == [3_500, 7_001]


def test_T2_fixed_amounts_are_taken_out_of_the_rest() -> None:
    found = term(TermPart(NOW_DUE, fixed_minor=2_500), TermPart(LATER, percent=Decimal(50)), TermPart(DELIVERED), currency="EUR")
    parts = schedule(found, 10_000, on(date(2026, 1, 1)))
    assert [part.amount_minor for part in parts] == [2_500, 5_000, 2_500]


def test_T2_a_term_whose_fixed_amounts_exceed_the_total_does_not_fit() -> None:
    wanted = term(TermPart(NOW_DUE, fixed_minor=2_500), TermPart(LATER), currency="EUR")
    with pytest.raises(RuleError) as refusal:
        schedule(wanted, 2_499, on(date(2026, 1, 1)))
    assert (refusal.value.code, refusal.value.facts) == ("term_does_not_fit", {"term_id": "t", "total_minor": 2_499})
    assert [part.amount_minor for part in schedule(wanted, 2_500, on(date(2026, 1, 1)))] == [2_500]


def test_a_total_of_nothing_is_one_part_of_nothing() -> None:
    assert [
        part.amount_minor for part in schedule(term(TermPart(NOW_DUE, percent=Decimal(50)), TermPart(LATER)), 0, on(date.min))
    ] == [0]


# Charges


@pytest.mark.parametrize(
    ("collect", "amounts"),
    [
        (Collect.FIRST, [3_500, 7_000]),
        (Collect.LAST, [3_000, 7_500]),
        (Collect.PRO_RATA, [3_150, 7_350]),
        (Collect.ON_DELIVERY, [3_000, 7_000, 500]),
    ],
)
def test_T4_a_charge_comes_with_the_part_that_the_term_names(collect: Collect, amounts: list[int]) -> None:
    parts = (TermPart(NOW_DUE, percent=Decimal(30)), TermPart(LATER))
    wanted = term(*parts, collect={ChargeKind.SHIPPING: collect})
    found = schedule(wanted, 10_500, on(date(2026, 1, 1)), {ChargeKind.SHIPPING: 500})
    assert [part.amount_minor for part in found] == amounts
    assert (found[-1].due_date is None) == (collect is Collect.ON_DELIVERY)


def test_T4_a_charge_on_delivery_joins_the_part_that_waits_for_it() -> None:
    wanted = term(TermPart(NOW_DUE, percent=Decimal(30)), TermPart(DELIVERED), collect={ChargeKind.OTHER: Collect.ON_DELIVERY})
    found = schedule(wanted, 10_500, on(date(2026, 1, 1)), {ChargeKind.OTHER: 500})
    assert [(part.amount_minor, part.days_after_delivery) for part in found] == [(3_000, None), (7_500, 14)]


def test_T4_a_charge_that_the_term_does_not_name_comes_first() -> None:
    wanted = term(TermPart(NOW_DUE, percent=Decimal(50)), TermPart(LATER))
    assert schedule(wanted, 300, on(date(2026, 1, 1)), {ChargeKind.OTHER: 100})[0].amount_minor == 200


@pytest.mark.parametrize(("percent", "fixed", "fee"), [("1.5", 25, 207), ("0", 25, 25), ("1", 0, 121), ("0.01", 0, 1)])
def test_T4_a_card_fee_is_a_share_of_what_is_paid_and_a_fixed_amount(percent: str, fixed: int, fee: int) -> None:
    assert CardFee("VAT21", Decimal(percent), fixed).net_minor(12_100) == fee


# Deliveries


@given(amounts, st.lists(st.integers(1, 100), min_size=1, max_size=8), st.data())
def test_T2_deliveries_cumulate_to_the_whole(total: int, weights: list[int], data: st.DataObject) -> None:
    paid = data.draw(st.integers(0, total))
    parts: tuple[Part, ...] = (Part(date(2026, 1, 1), 7, 7), Part(None, total, total - paid, 14))
    already = Decimal(0)
    for number, percent in enumerate(split(100, weights)):
        if percent:
            parts = deliver(parts, Decimal(percent), already, date(2026, 5, 1) + timedelta(days=number))
            already += percent
        assert sum(part.amount_minor for part in parts) == total + 7
        assert sum(part.open_minor for part in parts) == total - paid + 7
        assert all(0 <= part.open_minor <= part.amount_minor for part in parts)
        delivered = sum(part.amount_minor for part in parts[1:] if part.due_date)
        assert abs(delivered - Decimal(total) * already / 100) <= number + 1
    assert all(part.due_date for part in parts)


def test_T2_money_paid_ahead_lies_on_what_is_delivered_first() -> None:
    first, rest = deliver([Part(None, 100, 70, 14)], Decimal(40), Decimal(0), date(2026, 5, 1))
    assert (first.due_date, first.amount_minor, first.open_minor) == (date(2026, 5, 15), 40, 10)
    assert (rest.due_date, rest.amount_minor, rest.open_minor, rest.days_after_delivery) == (None, 60, 60, 14)


@pytest.mark.parametrize(("percent", "already"), [("0", "0"), ("-1", "0"), ("100.01", "0"), ("40.01", "60"), ("1", "100")])
def test_T2_no_more_is_delivered_than_was_ordered(percent: str, already: str) -> None:
    with pytest.raises(RuleError) as refusal:
        deliver([Part(None, 100, 100, 14)], Decimal(percent), Decimal(already), date(2026, 5, 1))
    assert refusal.value.facts == {"open_percent": str(100 - Decimal(already))}


# What makes no sense

HALF, REST = TermPart(NOW_DUE, percent=Decimal(50)), TermPart(LATER)
WRONG: dict[str, Callable[[], object]] = {
    "net of no days": lambda: Due(DueRule.NET_DAYS, 0),
    "more than two years": lambda: Due(DueRule.NET_DAYS, 731),
    "negative days": lambda: Due(DueRule.NET_DAYS, -1),
    "on receipt after a day": lambda: Due(DueRule.ON_RECEIPT, 1),
    "a fixed date and days": lambda: Due(DueRule.FIXED_DATE, 1, date(2026, 1, 1)),
    "a fixed date without one": lambda: Due(DueRule.FIXED_DATE),
    "a date for net terms": lambda: Due(DueRule.NET_DAYS, 1, date(2026, 1, 1)),
    "percent and amount": lambda: TermPart(LATER, percent=Decimal(1), fixed_minor=1),
    "no percent": lambda: TermPart(LATER, percent=Decimal(0)),
    "more than all": lambda: TermPart(LATER, percent=Decimal("100.01")),
    "no amount": lambda: TermPart(LATER, fixed_minor=0),
    "no parts": lambda: term(),
    "too many parts": lambda: term(*[TermPart(LATER, fixed_minor=1)] * MAX_PARTS, REST, currency="EUR"),
    "two rests": lambda: term(REST, REST),
    "half of it": lambda: term(HALF),
    "one and a half": lambda: term(HALF, HALF, HALF),
    "a rest of nothing": lambda: term(HALF, HALF, REST),
    "fixed amounts without a rest": lambda: term(HALF, HALF, TermPart(LATER, fixed_minor=1), currency="EUR"),
    "fixed amounts in no currency": lambda: term(TermPart(LATER, fixed_minor=1), REST),
    "a fixed fee in no currency": lambda: term(REST, card_fee=CardFee("VAT21", fixed_minor=25)),
    "no methods": lambda: term(REST, methods=()),
    "a discount on instalments": lambda: term(HALF, REST, discount=EarlyDiscount(Decimal(2), 10)),
    "a discount that waits": lambda: term(TermPart(DELIVERED), discount=EarlyDiscount(Decimal(2), 10)),
    "a discount of nothing": lambda: EarlyDiscount(Decimal(0), 10),
    "a discount of everything": lambda: EarlyDiscount(Decimal(100), 10, DiscountTax.NEVER),
    "a discount for more than a year": lambda: EarlyDiscount(Decimal(2), 366),
    "no fee": lambda: CardFee("VAT21"),
    "a usurious fee": lambda: CardFee("VAT21", Decimal("20.01")),
    "a negative fee": lambda: CardFee("VAT21", Decimal(1), -1),
}


@pytest.mark.parametrize("what", WRONG)
def test_T1_a_term_that_makes_no_sense_is_refused(what: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        WRONG[what]()
    assert refusal.value.code == "bad_payment_term"


@given(terms)
def test_T1_a_term_with_fixed_amounts_fits_its_own_currency_only(term: PaymentTerm) -> None:
    assume(term.currency is not None)
    assert term.fits(str(term.currency))
    assert not term.fits("another")


def test_T3_all_methods_are_allowed_unless_the_term_says_which() -> None:
    assert term(REST).methods == tuple(Method)
