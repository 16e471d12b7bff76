"""Pricing, quotes, and what cannot be billed (I4, T6)."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError
from remit.domain.money import MAX_MINOR
from remit.domain.orders import MAX_LINES, LineRequest, price, quote
from tests.support import strategies
from tests.support.builders import NET30, NO_CARDS, ON_RECEIPT, TODAY, firm, line


@given(st.lists(strategies.lines, min_size=1, max_size=10), st.booleans())
def test_I4_the_lines_are_what_the_totals_are_made_of(lines: list[LineRequest], inclusive: bool) -> None:
    priced = price(lines, "EUR", firm(), prices_include_tax=inclusive)
    listed = sum(each.amount_minor for each in priced.lines)
    assert listed == (priced.totals.gross_minor if inclusive else priced.totals.net_minor)


def test_a_line_is_its_quantity_times_its_price_rounded_half_up() -> None:
    (priced,) = price([line(333, quantity="1.5")], "EUR", firm(), prices_include_tax=False).lines
    assert priced.amount_minor == 500  # 499.5


def test_T6_a_quote_lists_every_term_with_its_exact_schedule() -> None:
    offers = quote(price([line(10000)], "EUR", firm(), prices_include_tax=False), firm(), TODAY).offers
    assert [offer.term for offer in offers] == [ON_RECEIPT, NET30, NO_CARDS]
    assert [part.amount_minor for offer in offers for part in offer.parts] == [12100] * 3
    assert [(offer.parts[0].due_date - TODAY).days for offer in offers] == [0, 30, 14]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "no_lines"),
        ([line()] * (MAX_LINES + 1), "too_many_lines"),
        ([line(code="VAT99")], "unknown_tax_code"),
        ([line(-1)], "bad_line"),
        ([line(quantity="0")], "bad_line"),
        ([line(quantity="-1")], "bad_line"),
        ([line(MAX_MINOR, quantity="2")], "amount_too_large"),
        ([line(MAX_MINOR, quantity="999999999.999999")], "amount_too_large"),
        ([line(MAX_MINOR, "ZERO"), line(1, "ZERO")], "amount_too_large"),
        ([line(MAX_MINOR)], "amount_too_large"),  # the tax carries it over
    ],
)
def test_what_cannot_be_billed_is_refused(lines: list[LineRequest], code: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        price(lines, "EUR", firm(), prices_include_tax=False)
    assert refusal.value.code == code


def test_the_largest_order_is_still_exact() -> None:
    totals = price([line(MAX_MINOR)], "EUR", firm(), prices_include_tax=True).totals
    assert totals.gross_minor == MAX_MINOR
    assert totals.net_minor == (MAX_MINOR * 100 * 2 + 121) // (121 * 2)


def test_L8_an_unknown_currency_is_refused() -> None:
    with pytest.raises(InvalidError) as refusal:
        price([line()], "EURO", firm(), prices_include_tax=False)
    assert refusal.value.code == "unknown_currency"


def test_T6_a_priced_order_keeps_the_rate_it_was_priced_at() -> None:
    priced = price([line()], "EUR", firm(), prices_include_tax=False)
    codes = {"VAT21": replace(priced.lines[0].tax_code, rate=Decimal(25))}
    assert firm(tax_codes=codes).tax_code("VAT21").rate == 25
    assert priced.lines[0].tax_code.rate == 21
    assert priced.totals.tax_minor == 2100
