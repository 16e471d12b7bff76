"""Tax per category, exact (I4; EN 16931-1 BR-CO-10, BR-CO-14, BR-CO-15, BR-CO-17, BR-S-08)."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from math import floor
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError
from remit.domain.tax import TaxCode, TaxedAmount, TaxKind, net_of, tax_on, taxed_totals
from tests.support.builders import EXEMPT, REVERSE, VAT9, VAT21, ZERO
from tests.support.strategies import amounts, rates

VAT4 = TaxCode("VAT4", TaxKind.STANDARD, Decimal(4))
ODD = TaxCode("ODD", TaxKind.STANDARD, Decimal("6.875"))

line_amounts = st.lists(
    st.builds(
        TaxedAmount,
        st.integers(0, 10**10),
        st.sampled_from([VAT21, VAT9, VAT4, ODD, ZERO, REVERSE, EXEMPT]),
        st.sampled_from(["services", "products", "shipping"]),
    ),
    min_size=1,
    max_size=20,
)


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def oracle(lines: list[TaxedAmount], *, inclusive: bool) -> dict[TaxCode, tuple[int, int]]:
    """EN 16931 in exact fractions, line by line from the standard: code → (taxable, tax)."""
    sums: dict[TaxCode, int] = defaultdict(int)
    for line in lines:
        sums[line.tax_code] += line.amount_minor
    result = {}
    for code, total in sums.items():
        rate = Fraction(code.rate)
        if inclusive:
            net = half_up(Fraction(total) / (1 + rate / 100))
            result[code] = net, total - net
        else:
            result[code] = total, half_up(total * rate / 100)
    return result


@given(line_amounts, st.booleans())
@example([TaxedAmount(299, VAT4, "products")], True)
@example([TaxedAmount(50, VAT21, "a"), TaxedAmount(50, VAT21, "b"), TaxedAmount(50, VAT21, "c")], False)
def test_I4_tax_per_category_is_what_EN_16931_computes(lines: list[TaxedAmount], inclusive: bool) -> None:
    totals = taxed_totals(lines, prices_include_tax=inclusive)
    computed = {subtotal.tax_code: (subtotal.taxable_minor, subtotal.tax_minor) for subtotal in totals.subtotals}
    assert computed == oracle(lines, inclusive=inclusive)


@given(line_amounts, st.booleans())
def test_I4_totals_add_up_exactly(lines: list[TaxedAmount], inclusive: bool) -> None:
    totals = taxed_totals(lines, prices_include_tax=inclusive)
    assert totals.net_minor == sum(subtotal.taxable_minor for subtotal in totals.subtotals)
    assert totals.tax_minor == sum(subtotal.tax_minor for subtotal in totals.subtotals)
    assert totals.net_minor + totals.tax_minor == totals.gross_minor
    assert (totals.gross_minor if inclusive else totals.net_minor) == sum(line.amount_minor for line in lines)


@given(line_amounts, st.booleans())
def test_I4_revenue_by_category_sums_to_the_net_and_none_is_negative(lines: list[TaxedAmount], inclusive: bool) -> None:
    totals = taxed_totals(lines, prices_include_tax=inclusive)
    assert sum(totals.net_by_category.values()) == totals.net_minor
    assert set(totals.net_by_category) == {line.category for line in lines}
    assert min(totals.net_by_category.values()) >= 0


@given(line_amounts)
def test_I4_without_tax_in_the_prices_revenue_is_what_the_lines_say(lines: list[TaxedAmount]) -> None:
    expected: dict[str, int] = defaultdict(int)
    for line in lines:
        expected[line.category] += line.amount_minor
    assert taxed_totals(lines, prices_include_tax=False).net_by_category == expected


@given(line_amounts, st.randoms(use_true_random=False), st.booleans())
def test_I4_totals_do_not_depend_on_the_order_of_the_codes(lines: list[TaxedAmount], random: Random, inclusive: bool) -> None:
    shuffled = sorted(lines, key=lambda line: line.tax_code.code)
    random.shuffle(shuffled)
    first, second = (taxed_totals(each, prices_include_tax=inclusive) for each in (lines, shuffled))
    assert first.subtotals == second.subtotals
    assert first.gross_minor == second.gross_minor


@given(amounts, rates)
def test_I4_net_and_tax_never_change_a_gross(gross: int, rate: Decimal) -> None:
    code = TaxCode("T", TaxKind.STANDARD, rate)
    net = net_of(gross, code)
    assert 0 <= net <= gross
    assert abs(net + tax_on(net, code) - gross) <= 1


def test_I4_299_with_4_percent_inside_is_288_and_11() -> None:
    totals = taxed_totals([TaxedAmount(299, VAT4, "products")], prices_include_tax=True)
    assert (totals.net_minor, totals.tax_minor, totals.gross_minor) == (288, 11, 299)


def test_I4_tax_is_rounded_once_per_category_and_not_per_line() -> None:
    """Three lines of 0.50 at 21 %: a line alone would round 0.105 up to 0.11, three times; the category says 0.32."""
    lines = [TaxedAmount(50, VAT21, "products")] * 3
    assert taxed_totals(lines, prices_include_tax=False).tax_minor == 32
    assert 3 * tax_on(50, VAT21) == 33


def test_I4_halves_go_up() -> None:
    assert tax_on(250, VAT21) == 53  # 52.5
    assert tax_on(249, VAT21) == 52  # 52.29


@pytest.mark.parametrize("code", [ZERO, REVERSE, EXEMPT])
@pytest.mark.parametrize("inclusive", [True, False])
def test_I4_zero_exempt_and_reverse_charge_have_no_tax_but_their_own_subtotal(code: TaxCode, inclusive: bool) -> None:
    totals = taxed_totals([TaxedAmount(1000, code, "x"), TaxedAmount(1000, VAT21, "x")], prices_include_tax=inclusive)
    subtotal = next(subtotal for subtotal in totals.subtotals if subtotal.tax_code == code)
    assert (subtotal.taxable_minor, subtotal.tax_minor) == (1000, 0)


def test_an_order_of_nothing_has_totals_of_zero() -> None:
    totals = taxed_totals([TaxedAmount(0, VAT21, "gifts")], prices_include_tax=True)
    assert (totals.net_minor, totals.tax_minor, totals.gross_minor, dict(totals.net_by_category)) == (0, 0, 0, {"gifts": 0})


@pytest.mark.parametrize(
    ("kind", "rate", "reason"),
    [
        (TaxKind.STANDARD, "0", None),
        (TaxKind.STANDARD, "-1", None),
        (TaxKind.STANDARD, "100.01", None),
        (TaxKind.ZERO, "1", None),
        (TaxKind.EXEMPT, "0", None),
        (TaxKind.EXEMPT, "21", "a reason"),
        (TaxKind.REVERSE_CHARGE, "0", ""),
    ],
)
def test_I4_a_code_that_contradicts_itself_or_does_not_say_why_is_refused(kind: TaxKind, rate: str, reason: str | None) -> None:
    with pytest.raises(InvalidError) as refusal:
        TaxCode("T", kind, Decimal(rate), reason)
    assert refusal.value.code == "bad_tax_code"
