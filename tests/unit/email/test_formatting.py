"""Amounts, dates and names as customers read them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.email.formatting import clean, counted, date_text, isolate, listed, money_text, number_text
from remit.domain.money import EXPONENTS, MAX_MINOR


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (121_000, "EUR", "EUR 1,210.00"),
        (5, "USD", "USD 0.05"),
        (48_000, "JPY", "JPY 48,000"),
        (0, "JPY", "JPY 0"),
        (1_234_567, "KWD", "KWD 1,234.567"),
        (5, "KWD", "KWD 0.005"),
        (-15_000, "EUR", "EUR −150.00"),
        (-1, "EUR", "EUR −0.01"),
    ],
)
def test_amounts_have_the_digits_of_their_currency(minor: int, currency: str, text: str) -> None:
    assert money_text(minor, currency) == text


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(sorted(EXPONENTS)))
def test_no_digit_of_an_amount_is_lost_or_invented(minor: int, currency: str) -> None:
    code, _, figure = money_text(minor, currency).partition(" ")
    plain = figure.replace(",", "").replace("−", "-")
    assert code == currency
    assert Decimal(plain).scaleb(EXPONENTS[currency]) == minor


def test_dates_read_the_same_everywhere() -> None:
    assert date_text(date(2026, 3, 2)) == "2 March 2026"
    assert date_text(date(2026, 12, 31)) == "31 December 2026"


@pytest.mark.parametrize(
    ("quantity", "text"), [("1", "1"), ("2.50", "2.5"), ("1000", "1,000"), ("1E+3", "1,000"), ("0.125", "0.125"), ("0", "0")]
)
def test_quantities_have_no_idle_zeros(quantity: str, text: str) -> None:
    assert number_text(Decimal(quantity)) == text


def test_lists_and_counts_read_as_english() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (counted(1, "day"), counted(0, "day"), counted(1_200, "line")) == ("1 day", "0 days", "1,200 lines")


@given(st.text())
def test_clean_text_is_one_line_that_utf_8_can_carry(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == clean(cleaned)
    assert len(cleaned.splitlines()) <= 1
    assert not set(cleaned) & set("\r\n\x00\u2028\u202e\u2066")
    cleaned.encode()


def test_names_keep_their_letters_and_emoji() -> None:
    for name in ("Zoë Ångström", "株式会社サンプル", "شركة النور", "👩\u200d💻 Coding & Co"):
        assert clean(name) == name


def test_right_to_left_names_are_fenced_and_others_left_alone() -> None:
    assert isolate("שלום") == "\u2068שלום\u2069"
    assert isolate("Northwind") == "Northwind"
