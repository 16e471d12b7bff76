"""Issuing: numbers in order and without gaps, frozen facts (I2, I3, I5)."""

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError
from remit.domain.invoices import NumberSeries, ReservedNumber, invoice_id_for, issue, series_name
from tests.support.builders import NET30, NOW, ON_RECEIPT, account, firm, issued, line, order
from tests.support.strategies import dates


@given(st.lists(dates, min_size=1, max_size=20))
def test_I3_numbers_are_gapless_and_chronological_whatever_the_clocks_say(days: list[date]) -> None:
    series, given_out = NumberSeries("INV-2026"), []
    for day in days:
        series, number, issued_on = series.next(day)
        given_out.append((number, issued_on))
        assert issued_on >= day
    assert [number for number, _ in given_out] == [f"INV-2026-{n:06d}" for n in range(1, len(days) + 1)]
    assert [on for _, on in given_out] == sorted(on for _, on in given_out)


def test_I3_a_block_of_numbers_is_one_step_of_the_counter() -> None:
    """However many numbers are taken, it may be written only while it is stored as it was loaded."""
    counter = NumberSeries("INV-2026", 7, date(2026, 3, 2), version=4)
    block = counter.advanced(300, date(2026, 3, 1))
    assert (block.last, block.last_issued_on, block.version) == (307, date(2026, 3, 2), 4)
    assert ReservedNumber("INV-2026", 8, date(2026, 3, 2)).next(date(2026, 4, 1))[1:] == ("INV-2026-000008", date(2026, 3, 2))


def test_I3_each_year_has_its_own_series() -> None:
    assert series_name("INV", date(2026, 12, 31)) == "INV-2026"
    assert series_name("INV", date(2027, 1, 1)) == "INV-2027"


def test_I3_numbers_above_a_million_still_count_up() -> None:
    assert issued(last=999_999)[0].number == "INV-2026-1000000"


def test_I2_the_invoices_id_follows_from_its_order() -> None:
    assert invoice_id_for("ord_01jdx") == "inv_01jdx"


def test_I5_an_invoice_says_all_that_it_was_issued_with_and_cannot_be_changed() -> None:
    invoice, _, _ = issued(order(line(10000), term=NET30))
    assert (invoice.seller.name, invoice.buyer.name, invoice.number) == ("Remit BV", "Blooming Ltd", "INV-2026-000001")
    assert (invoice.priced.totals.gross_minor, invoice.term, invoice.template_version) == (12100, NET30, "invoice-1")
    for field in fields(invoice):
        with pytest.raises(FrozenInstanceError):
            setattr(invoice, field.name, None)


def test_I5_dates_are_those_of_the_firms_time_zone() -> None:
    """Half past eleven at night in UTC is the next day in Utrecht, and the next year on New Year's Eve."""
    invoice, item, _ = issued(now=datetime(2026, 12, 30, 23, 30, tzinfo=UTC))
    assert (invoice.issued_on, item.issued_on) == (date(2026, 12, 31), date(2026, 12, 31))
    assert firm().today(datetime(2026, 12, 31, 23, 30, tzinfo=UTC)) == date(2027, 1, 1)


def test_the_open_item_starts_with_all_that_the_invoice_asks_for() -> None:
    invoice, item, _ = issue(order(term=ON_RECEIPT), account(), firm(), NumberSeries("INV-2026"), NOW)
    assert item.open_minor == item.total_minor == invoice.total_minor == sum(part.open_minor for part in item.parts)
    assert item.methods == invoice.term.methods
    assert item.entries == ()


def test_I3_credit_notes_have_a_series_of_their_own() -> None:
    assert series_name(firm().credit_note_prefix, date(2026, 12, 31)) == "CN-2026"
    with pytest.raises(InvalidError, match="same_number_series"):
        firm(invoice_prefix="X", credit_note_prefix="X")
