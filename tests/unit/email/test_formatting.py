"""Amounts, dates and names as customers read them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.email.formatting import GERMAN, clean, counted, date_text, isolate, listed, money_text, number_text, words_of
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


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123_456, "EUR", "1.234,56\xa0€"),
        (5, "EUR", "0,05\xa0€"),
        (-15_000, "EUR", "−150,00\xa0€"),
        (123_456_789, "EUR", "1.234.567,89\xa0€"),
        (48_000, "JPY", "48.000\xa0JPY"),
        (1_234_567, "KWD", "1.234,567\xa0KWD"),
        (99, "USD", "0,99\xa0USD"),
    ],
)
def test_N3_amounts_in_german(minor: int, currency: str, text: str) -> None:
    """As Unicode's CLDR has it for `de`: point for thousands, comma for decimals, a no-break space and the currency."""
    assert money_text(minor, currency, GERMAN) == text


def test_N3_dates_quantities_and_lists_in_german() -> None:
    assert date_text(date(2026, 11, 23), GERMAN) == "23. November 2026"
    assert [date_text(date(2026, month, 1), GERMAN)[3:-5] for month in range(1, 13)] == [
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ]
    assert [number_text(Decimal(number), GERMAN) for number in ("2.50", "1E+3", "1234.5", "0")] == [
        "2,5",
        "1.000",
        "1.234,5",
        "0",
    ]
    assert listed(["a", "b", "c"], GERMAN) == "a, b und c"
    assert (counted(1, "day", GERMAN), counted(1_200, "day", GERMAN)) == ("1 Tag", "1.200 Tagen")


@pytest.mark.parametrize(
    ("tag", "language"), [("de", "de"), ("de-AT", "de"), ("DE-ch", "de"), ("nl", "en"), ("", "en"), ("en-US", "en")]
)
def test_N3_the_nearest_language_is_chosen(tag: str, language: str) -> None:
    assert words_of(tag).language == language


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
