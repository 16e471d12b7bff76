"""Amounts, rounding, and shares that add up (L8, T2)."""

from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError
from remit.domain.money import EXPONENTS, MAX_MINOR, Money, decimal_text, exponent, round_half_up, split
from tests.support.strategies import currencies

weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)


@given(st.integers(0, 10**12), weights)
def test_T2_shares_sum_to_the_total_exactly(total: int, parts: list[int]) -> None:
    assert sum(split(total, parts)) == total


@given(st.integers(0, MAX_MINOR), st.lists(st.integers(0, MAX_MINOR), min_size=1, max_size=6).filter(any))
@example(MAX_MINOR, [MAX_MINOR - 1, 1, MAX_MINOR])
@example(MAX_MINOR - 1, [10**14 + 1, 3 * 10**14 + 7, 6 * 10**14 - 8])
def test_T2_shares_of_the_largest_amounts_sum_and_none_is_off_by_a_unit(total: int, parts: list[int]) -> None:
    shares = split(total, parts)
    assert sum(shares) == total
    exact = [Fraction(total * part, sum(parts)) for part in parts]
    assert all(abs(share - wanted) < 1 for share, wanted in zip(shares, exact, strict=True))


@given(st.integers(0, 10**9), weights)
def test_T2_the_largest_remainders_get_the_units_left_over_and_ties_go_to_the_earlier(total: int, parts: list[int]) -> None:
    """The method of the largest remainder, once more in exact fractions."""
    exact = [Fraction(total * part, sum(parts)) for part in parts]
    expected = [floor(share) for share in exact]
    order = sorted(range(len(parts)), key=lambda i: (-(exact[i] - floor(exact[i])), i))
    for i in order[: total - sum(expected)]:
        expected[i] += 1
    assert split(total, parts) == tuple(expected)


@given(st.integers(1, 10**6), st.integers(1, 50))
def test_T2_equal_shares_differ_by_a_unit_at_most_and_the_earlier_are_larger(total: int, count: int) -> None:
    shares = split(total, [1] * count)
    assert max(shares) - min(shares) <= 1
    assert list(shares) == sorted(shares, reverse=True)


@given(st.integers(0, 10**9), weights)
def test_T2_who_has_no_weight_gets_nothing(total: int, parts: list[int]) -> None:
    assert all(share == 0 for share, part in zip(split(total, parts), parts, strict=True) if part == 0)


def test_T2_percentages_may_be_fractions() -> None:
    assert split(10001, [Decimal("33.3"), Decimal("66.7")]) == (3330, 6671)


@pytest.mark.parametrize(("total", "parts"), [(100, []), (100, [0, 0]), (100, [1, -1]), (100, [2, -1]), (-1, [1])])
def test_a_split_that_means_nothing_is_refused(total: int, parts: list[int]) -> None:
    with pytest.raises(InvalidError) as refusal:
        split(total, parts)
    assert refusal.value.code == "bad_split"


@given(st.decimals(-(10**15), 10**15, places=6))
def test_I4_halves_are_rounded_away_from_zero(value: Decimal) -> None:
    exact = Fraction(value)
    size = floor(abs(exact) + Fraction(1, 2))
    assert round_half_up(value) == (size if exact >= 0 else -size)


def test_rounding_does_not_depend_on_the_callers_decimal_context() -> None:
    with localcontext(rounding=ROUND_DOWN):
        assert round_half_up(Decimal("0.5")) == 1


@given(st.integers(-MAX_MINOR, MAX_MINOR), currencies)
def test_an_amount_as_text_reads_back_as_the_same_amount(amount: int, currency: str) -> None:
    text = decimal_text(amount, currency)
    assert Decimal(text).scaleb(EXPONENTS[currency]) == amount
    assert len(text.partition(".")[2]) == exponent(currency)


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("EUR", 2), ("USD", 2), ("KWD", 3), ("ISK", 0), ("TND", 3)])
def test_minor_units_follow_ISO_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("code", ["eur", "EURO", "XTS", "XAU", "", "DEM", "BTC"])
def test_L8_what_ISO_4217_does_not_list_is_no_currency(code: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        Money(1, code)
    assert refusal.value.code == "unknown_currency"


def test_L8_two_currencies_are_never_added() -> None:
    for operation in (Money.__add__, Money.__sub__):
        with pytest.raises(InvalidError) as refusal:
            operation(Money(100, "EUR"), Money(100, "USD"))
        assert refusal.value.code == "currency_mismatch"


@given(st.integers(-(10**14), 10**14), st.integers(-(10**14), 10**14))
def test_money_of_one_currency_adds_and_subtracts(first: int, second: int) -> None:
    assert Money(first, "EUR") + Money(second, "EUR") == Money(first + second, "EUR")
    assert Money(first, "EUR") - Money(second, "EUR") == Money(first - second, "EUR")


@pytest.mark.parametrize("amount", [1.0, Decimal(1), "1", True, None])
def test_an_amount_is_a_whole_number_and_nothing_else(amount: object) -> None:
    with pytest.raises(InvalidError) as refusal:
        Money(amount, "EUR")  # type: ignore[arg-type]
    assert refusal.value.code == "amount_not_integer"


@pytest.mark.parametrize("amount", [MAX_MINOR + 1, -MAX_MINOR - 1])
def test_no_amount_exceeds_what_JSON_holds_exactly(amount: int) -> None:
    assert MAX_MINOR < 2**53
    with pytest.raises(InvalidError) as refusal:
        Money(amount, "EUR")
    assert refusal.value.code == "amount_too_large"


def test_money_is_printed_with_its_currency() -> None:
    assert str(Money(-1205, "EUR")) == "EUR -12.05"
