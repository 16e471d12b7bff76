"""D9: what being late costs, as arithmetic: the reference figures, rates that change, leap years, rounding once."""

import itertools
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain.dunning import DunningPolicy, OpenPart, Situation, decide
from remit.domain.errors import InvalidError
from remit.domain.late_charges import (
    DayCount,
    Interest,
    InterestRule,
    LateChargeRules,
    LateFee,
    Rate,
    Stretch,
    interest,
)
from remit.domain.terms import Part

DAY = timedelta(days=1)
STATUTORY = InterestRule((Rate(date(2020, 1, 1), Decimal("10.15")),))
DUE = date(2026, 3, 1)


def at(percent: str, since: date = date(2020, 1, 1), **more: object) -> InterestRule:
    return InterestRule((Rate(since, Decimal(percent)),), **more)  # type: ignore[arg-type]


def late(paid: date, base_minor: int = 100_000, due: date = DUE) -> list[Stretch]:
    return [Stretch(due + DAY, paid, base_minor)]


@pytest.mark.parametrize(("day_count", "expected"), [(DayCount.ACTUAL_365, 1279), (DayCount.ACTUAL_360, 1297)])
def test_D9_the_reference_figures_due_1_march_paid_16_april(day_count: DayCount, expected: int) -> None:
    found = interest(late(date(2026, 4, 16)), at("10.15", day_count=day_count))
    assert found.amount_minor == expected
    (period,) = found.periods
    assert (period.first, period.through, period.days) == (date(2026, 3, 2), date(2026, 4, 16), 46)
    assert (period.base_minor, period.annual_percent, period.share_minor) == (100_000, Decimal("10.15"), expected)


def test_D9_a_rate_that_changes_on_1_july_divides_the_period() -> None:
    rule = InterestRule((Rate(date(2026, 1, 1), Decimal("10.15")), Rate(date(2026, 7, 1), Decimal("9.9"))))
    found = interest([Stretch(date(2026, 6, 1), date(2026, 7, 31), 100_000)], rule)
    assert [(p.first, p.through, p.days, p.annual_percent) for p in found.periods] == [
        (date(2026, 6, 1), date(2026, 6, 30), 30, Decimal("10.15")),
        (date(2026, 7, 1), date(2026, 7, 31), 31, Decimal("9.9")),
    ]
    # 834.2466 + 840.8219 cents
    assert (found.amount_minor, [p.share_minor for p in found.periods]) == (1675, [834, 841])


def test_D9_actual_actual_spreads_a_leap_year_over_366_days() -> None:
    over_new_year = [Stretch(date(2027, 12, 1), date(2028, 1, 31), 1_000_000)]
    found = interest(over_new_year, at("12", day_count=DayCount.ACTUAL_ACTUAL))
    assert [(p.days, p.year_days) for p in found.periods] == [(31, 365), (31, 366)]
    assert found.amount_minor == round(1_000_000 * 0.12 * 31 / 365 + 1_000_000 * 0.12 * 31 / 366)
    leap_day = interest([Stretch(date(2028, 2, 28), date(2028, 3, 1), 36_600)], at("100", day_count=DayCount.ACTUAL_ACTUAL))
    assert leap_day.amount_minor == 300, "28 and 29 February and 1 March"


def test_D9_days_before_the_first_rate_bear_none() -> None:
    found = interest(late(date(2026, 4, 16)), at("10.15", since=date(2026, 4, 16)))
    assert [period.days for period in found.periods] == [1]


def test_D9_a_part_payment_lowers_the_base_and_the_whole_is_rounded_once() -> None:
    paid_half = [Stretch(date(2026, 3, 2), date(2026, 3, 20), 100_000), Stretch(date(2026, 3, 21), date(2026, 4, 16), 50_000)]
    found = interest(paid_half, STATUTORY)
    # 528.3562 + 375.4110 cents
    assert (found.amount_minor, [(p.days, p.share_minor) for p in found.periods]) == (904, [(19, 528), (27, 376)])


@pytest.mark.parametrize(("base", "expected"), [(100_000, 1279), (1_000_000, 12792), (1, 0)])
def test_D9_yen_and_fils_are_minor_units_like_any_other(base: int, expected: int) -> None:
    """JPY 100,000 bears JPY 1,279; KWD 1,000.000 bears KWD 12.792."""
    assert interest(late(date(2026, 4, 16), base), STATUTORY).amount_minor == expected


def test_D9_half_a_unit_is_rounded_up() -> None:
    assert interest([Stretch(DUE, DUE, 365)], at("50")).amount_minor == 1
    assert interest([Stretch(DUE, DUE, 364)], at("50")).amount_minor == 0


# For all inputs

bases = st.integers(0, 10**15)
days = st.dates(date(2020, 1, 1), date(2035, 12, 31))
percents = st.decimals(0, 100, places=4)
counts = st.sampled_from(DayCount)


@st.composite
def rules(draw: st.DrawFn) -> InterestRule:
    since = sorted(draw(st.sets(days, min_size=1, max_size=5)))
    return InterestRule(tuple(Rate(day, draw(percents)) for day in since), draw(counts))


@st.composite
def periods(draw: st.DrawFn) -> list[Stretch]:
    """Consecutive days with bases that change."""
    turns = sorted(draw(st.sets(days, min_size=2, max_size=6)))
    return [Stretch(a, b - DAY, draw(bases)) for a, b in itertools.pairwise(turns)]


def exact(found: Interest) -> Fraction:
    return sum((period.exact for period in found.periods), Fraction(0))


@given(periods(), rules())
def test_D9_the_shares_sum_to_the_amount_and_none_is_off_by_a_whole_unit(stretches: list[Stretch], rule: InterestRule) -> None:
    found = interest(stretches, rule)
    assert sum(period.share_minor for period in found.periods) == found.amount_minor
    assert abs(exact(found) - found.amount_minor) <= Fraction(1, 2)
    assert all(abs(period.exact - period.share_minor) < 1 for period in found.periods)


@given(periods(), rules(), st.lists(days, max_size=4))
def test_D9_charging_in_pieces_counts_each_day_once_and_is_off_by_at_most_a_unit_a_charge(
    stretches: list[Stretch], rule: InterestRule, cuts: list[date]
) -> None:
    whole = interest(stretches, rule)
    borders = sorted({stretches[0].first, stretches[-1].through + DAY, *cuts})
    pieces = [
        interest(
            [
                Stretch(max(each.first, first), min(each.through, last), each.base_minor)
                for each in stretches
                if max(each.first, first) <= min(each.through, last)
            ],
            rule,
        )
        for first, end in itertools.pairwise(borders)
        for last in [end - DAY]
    ]
    assert sum(map(exact, pieces)) == exact(whole)
    assert sum(p.days for piece in pieces for p in piece.periods) == sum(p.days for p in whole.periods)
    assert abs(sum(piece.amount_minor for piece in pieces) - whole.amount_minor) <= len(pieces)


@given(days, st.integers(1, 2000), st.integers(0, 2000), bases, bases, rules())
def test_D9_more_days_or_a_higher_base_never_cost_less(
    first: date, length: int, more: int, base: int, extra: int, rule: InterestRule
) -> None:
    shorter = interest([Stretch(first, first + length * DAY, base)], rule).amount_minor
    assert interest([Stretch(first, first + (length + more) * DAY, base)], rule).amount_minor >= shorter
    assert interest([Stretch(first, first + length * DAY, base + extra)], rule).amount_minor >= shorter


@given(rules(), bases)
def test_D9_nothing_overdue_costs_nothing(rule: InterestRule, base: int) -> None:
    assert interest([], rule) == Interest(0, ())
    assert interest([Stretch(DUE, DUE + DAY, 0)], rule).amount_minor == 0
    assume(base)
    assert interest([Stretch(DUE, DUE - DAY, base)], rule).amount_minor == 0


# Fees and rules


def test_D9_a_fee_is_fixed_or_a_share_with_a_minimum_per_currency() -> None:
    directive = LateFee({"EUR": 4000, "JPY": 6000, "KWD": 12_500})
    assert [directive.of(100, currency) for currency in ("EUR", "JPY", "KWD", "USD")] == [4000, 6000, 12_500, 0]
    share = LateFee({"EUR": 1000}, Decimal("1.5"), {"EUR": 500})
    assert [share.of(100_000, "EUR"), share.of(100, "EUR"), share.of(100, "USD")] == [2500, 1500, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LateFee(),
        lambda: LateFee({"EUR": 0}),
        lambda: LateFee({"EURO": 1}),
        lambda: LateFee({"EUR": 1}, minimum={"EUR": 1}),
        lambda: LateFee(percent=Decimal(101)),
        lambda: LateChargeRules(),
        lambda: InterestRule(()),
        lambda: InterestRule((Rate(DUE, Decimal(1)), Rate(DUE, Decimal(2)))),
        lambda: at("-1"),
        lambda: at("1", grace_days=-1),
        lambda: at("1", minimum={"EUR": 0}),
        lambda: at("1", minimum={"EURO": 1}),
        lambda: DunningPolicy(late_charges=LateChargeRules(LateFee({"EUR": 1}), fee_from_tier=4)),
        lambda: DunningPolicy(late_charges=LateChargeRules(LateFee({"EUR": 1}), interest_from_tier=0)),
    ],
)
def test_D9_rules_that_contradict_themselves_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidError):
        wrong()  # type: ignore[operator]


# In dunning


def open_part(invoice_id: str, due: date, minor: int = 10_000, *, is_charge: bool = False) -> OpenPart:
    return OpenPart(invoice_id, invoice_id, "EUR", due, Part(due, minor, minor), is_charge)


def notice_on(day: date, *parts: OpenPart, credit: int = 0) -> tuple[str, list[str], int]:
    """Why, what the notice lists, and what it asks for."""
    decision = decide(Situation(parts, available_credit={"EUR": credit}, notices_since=date(2020, 1, 1)), DunningPolicy(), day)
    notice = decision.notice
    return decision.why, [part.invoice_id for part in notice.parts] if notice else [], notice.net_minor["EUR"] if notice else 0


def test_D5_D9_a_notice_lists_late_charges_from_the_day_of_their_issue_behind_what_is_late() -> None:
    late_invoice, charge = open_part("late", DUE), open_part("charge", DUE + 14 * DAY, 4389, is_charge=True)
    assert notice_on(DUE + 14 * DAY, charge, late_invoice) == ("notice", ["late", "charge"], 14_389)
    assert notice_on(DUE + 14 * DAY, charge, late_invoice, credit=4389) == ("notice", ["late", "charge"], 10_000)
    younger = open_part("younger", DUE + 20 * DAY)
    assert notice_on(DUE + 24 * DAY, charge, younger) == ("notice", ["younger", "charge"], 14_389)


def test_D5_D9_a_late_charge_alone_brings_no_notice_and_never_decides_the_tier() -> None:
    charge, younger = open_part("charge", DUE, 4389, is_charge=True), open_part("younger", DUE + 28 * DAY)
    assert notice_on(DUE + 99 * DAY, charge) == ("not_overdue", [], 0)
    assert notice_on(DUE + 30 * DAY, charge, younger) == ("below_first_tier", [], 0)
    situation = Situation([charge, younger], notices_since=date(2020, 1, 1))
    decision = decide(situation, DunningPolicy(), DUE + 31 * DAY)
    assert decision.notice
    assert decision.notice.tier.number == 1
    assert decision.notice.oldest_due == DUE + 28 * DAY
