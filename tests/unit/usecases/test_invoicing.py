"""Quotes, orders, invoices and their numbers (T6, I2–I5, L1–L4)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.terms import Due, DueRule, PaymentTerm
from remit.usecases.place_order import OrderWish, quote_order
from remit.usecases.ports import series_ref
from remit.usecases.prove_numbers import NumberProof, prove_numbers
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import NET30, NOW, TODAY, Office, firm, line
from tests.support.refusals import refused


def numbers(office: Office) -> list[str]:
    return sorted(invoice.number for invoice in office.books.all(Invoice))


# Quotes and orders


def test_T6_a_quote_stores_nothing(office: Office) -> None:
    account_id = office.open_account()
    before = office.books.state()
    found = quote_order(OrderWish(account_id, [line(10000)]), office.firm, office.books, office.clock)
    assert found.priced.totals.gross_minor == 12100
    assert [offer.term.id for offer in found.offers] == ["on_receipt", "net30", "no_cards"]
    assert office.books.state() == before


def test_T6_what_was_ordered_is_what_is_billed_whatever_the_firm_changes_meanwhile(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id, line(10000), term="net30")
    net30 = PaymentTerm.single("net30", "Net 7", Due(DueRule.NET_DAYS, 7))
    vat = replace(office.firm.tax_codes["VAT21"], rate=office.firm.tax_codes["VAT9"].rate)
    office.firm = firm(terms={"net30": net30}, tax_codes={"VAT21": vat})
    office.issue(account_id, order_id)
    (invoice,) = office.books.all(Invoice)
    assert (invoice.total_minor, invoice.term, invoice.parts[0].due_date) == (12100, NET30, TODAY + timedelta(days=30))


def test_T6_an_order_takes_the_accounts_term_and_currency_unless_it_names_others(office: Office) -> None:
    account_id = office.open_account(default_currency="USD")
    own = office.order(account_id, office.place_order(account_id))
    named = office.order(account_id, office.place_order(account_id, term="on_receipt", currency="JPY"))
    assert (own.term.id, own.priced.currency) == ("net30", "USD")
    assert (named.term.id, named.priced.currency) == ("on_receipt", "JPY")


@pytest.mark.parametrize(
    ("term", "currency", "code", "wanted"),
    [
        ("net999", None, "VAT21", "unknown_payment_term"),
        (None, "XXX", "VAT21", "unknown_currency"),
        (None, None, "VAT99", "unknown_tax_code"),
    ],
)
def test_T6_an_order_of_what_does_not_exist_is_refused(
    office: Office, term: str | None, currency: str | None, code: str, wanted: str
) -> None:
    account_id = office.open_account()
    with refused(office.books, wanted, InvalidError):
        office.place_order(account_id, line(100, code), term=term, currency=currency)


def test_T6_an_order_without_any_term_is_refused(office: Office) -> None:
    account_id = office.open_account(default_term_id=None)
    with refused(office.books, "no_payment_term", InvalidError):
        office.place_order(account_id)


def test_nothing_is_ordered_for_an_unknown_account(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        office.place_order("acc_none")
    with refused(office.books, "account_not_found", NotFoundError):
        quote_order(OrderWish("acc_none", [line()]), office.firm, office.books, office.clock)


# Issuing


def test_I1_an_invoice_is_issued_with_number_entry_balance_and_open_item(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, 10000)
    invoice, item, balance = (
        office.document(account_id, invoice_id),
        office.item(account_id, invoice_id),
        office.balance(account_id),
    )
    (entry,) = office.entries(account_id)
    assert invoice.number == "INV-2026-000001"
    assert (item.open_minor, item.entries) == (12100, (1,))
    assert (balance.receivable_minor, balance.sequence, balance.last_hash) == (12100, 1, entry.hash)
    assert (entry.draft.effective_on, entry.draft.order_id) == (invoice.issued_on, invoice.order_id)
    assert office.books.read(series_ref("INV-2026")) == NumberSeries("INV-2026", 1, TODAY)
    assert office.differences(account_id) == ()


def test_L4_the_whole_invoice_is_one_transaction(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id)
    office.trouble.steps.clear()
    office.issue(account_id, order_id)
    assert office.trouble.steps == ["load", "commit"]


def test_I2_an_order_invoiced_with_different_keys_has_one_invoice(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id)
    first = office.issue(account_id, order_id, "key-a")
    second = office.issue(account_id, order_id, "key-b")
    assert first.body["invoice"]["number"] == second.body["invoice"]["number"]
    assert numbers(office) == ["INV-2026-000001"]
    assert office.balance(account_id).receivable_minor == 12100
    assert len(office.entries(account_id)) == 1


def test_I2_an_order_invoiced_by_two_at_the_same_moment_has_one_invoice(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id)
    office.trouble.meanwhile(lambda: office.issue(account_id, order_id, "the-other"))
    answer = office.issue(account_id, order_id, "mine")
    assert answer.body["invoice"]["number"] == "INV-2026-000001"
    assert numbers(office) == ["INV-2026-000001"]
    assert office.differences(account_id) == ()


def test_I2_the_answer_for_an_invoice_that_exists_shows_it_as_it_is_now(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id)
    office.issue(account_id, order_id)
    office.receive(account_id, 100, oldest_first=True)
    assert office.issue(account_id, order_id).body["open_item"]["open_minor"] == 12000


def test_I3_two_accounts_that_race_for_a_number_get_two(office: Office) -> None:
    first, second = office.open_account(), office.open_account()
    other = office.place_order(second)
    mine = office.place_order(first)
    office.trouble.meanwhile(lambda: office.issue(second, other))
    office.issue(first, mine)
    assert numbers(office) == ["INV-2026-000001", "INV-2026-000002"]
    assert prove_numbers("INV-2026", office.books, office.books).gaps == ()


def test_I3_a_stale_first_read_costs_an_attempt_and_no_number(office: Office, pauses: list[float]) -> None:
    """The replica that is read first has not seen the last three invoices, nor this order."""
    account_id = office.open_account()
    with office.books.lagging():
        for _ in range(3):
            office.invoice(account_id)
        order_id = office.place_order(account_id)
        office.trouble.steps.clear()
        answer = office.issue(account_id, order_id)
    assert answer.body["invoice"]["number"] == "INV-2026-000004"
    assert office.trouble.steps == ["load", "load", "commit"]  # not found, not believed, found
    assert office.balance(account_id).receivable_minor == 4 * 12100
    assert office.differences(account_id) == ()


def test_I3_a_first_read_with_a_stale_balance_and_counter_is_proved_wrong_by_the_write(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id)
    with office.books.lagging():
        office.invoice(account_id)
        office.trouble.steps.clear()
        office.issue(account_id, order_id)
    assert office.trouble.steps == ["load", "commit", "load", "commit"]
    assert numbers(office) == ["INV-2026-000001", "INV-2026-000002"]


def test_I3_a_stale_counter_does_not_hide_that_the_order_is_invoiced(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id)
    with office.books.lagging():
        first = office.issue(account_id, order_id)
        second = office.issue(account_id, order_id)
    assert second.body["invoice"]["id"] == first.body["invoice"]["id"]
    assert numbers(office) == ["INV-2026-000001"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("failing", range(1, 4))
def test_I3_whatever_fails_the_numbers_have_no_gap(office: Office, fault: Fault, failing: int) -> None:
    account_id = office.open_account()
    orders = [office.place_order(account_id) for _ in range(4)]
    office.trouble.strike(fault, on="commit", at=failing)
    for order_id in orders:
        try:
            office.issue(account_id, order_id, f"key-{order_id}")
        except MachineDiedError:
            office.issue(account_id, order_id, f"key-{order_id}")
    assert prove_numbers("INV-2026", office.books, office.books) == NumberProof("INV-2026", 4, 4, ())
    assert office.differences(account_id) == ()


def test_I3_numbers_stay_chronological_when_a_machine_is_behind_midnight(office: Office) -> None:
    account_id = office.open_account()
    office.clock.set(datetime(2026, 3, 2, 23, 30, tzinfo=UTC))  # 3 March in Utrecht
    office.invoice(account_id)
    office.clock.set(datetime(2026, 3, 2, 22, 30, tzinfo=UTC))  # another machine's 2 March
    office.invoice(account_id)
    assert [invoice.issued_on for invoice in office.books.all(Invoice)] == [date(2026, 3, 3)] * 2


def test_I3_the_new_year_starts_a_new_series_in_the_firms_zone(office: Office) -> None:
    account_id = office.open_account()
    office.clock.set(datetime(2026, 12, 31, 22, 59, tzinfo=UTC))
    office.invoice(account_id)
    office.clock.set(datetime(2026, 12, 31, 23, 1, tzinfo=UTC))
    office.invoice(account_id)
    assert numbers(office) == ["INV-2026-000001", "INV-2027-000001"]
    assert office.books.series() == ["INV-2026", "INV-2027"]


def test_L8_currencies_of_one_account_stand_side_by_side(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, 10000)
    office.invoice(account_id, 10000, currency="JPY")
    assert (office.balance(account_id, "EUR").receivable_minor, office.balance(account_id, "JPY").receivable_minor) == (
        12100,
        12100,
    )
    assert [entry.sequence for entry in office.entries(account_id, "JPY")] == [1]
    assert numbers(office) == ["INV-2026-000001", "INV-2026-000002"]
    assert office.differences(account_id) == ()


def test_D5_an_invoice_puts_its_account_on_the_agenda_for_the_day_after_its_due_date(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    assert office.balance(account_id).look_again_on == TODAY + timedelta(days=31)
    office.invoice(account_id, term="on_receipt")
    assert office.balance(account_id).look_again_on == TODAY + timedelta(days=1)
    office.invoice(account_id, term="net30")
    assert office.balance(account_id).look_again_on == TODAY + timedelta(days=1)


def test_an_order_of_nothing_is_not_invoiced(office: Office) -> None:
    account_id = office.open_account()
    order_id = office.place_order(account_id, line(0))
    with refused(office.books, "nothing_to_bill", RuleError):
        office.issue(account_id, order_id)


def test_what_does_not_exist_is_not_invoiced(office: Office) -> None:
    account_id, other = office.open_account(), office.open_account()
    order_id = office.place_order(other)
    for account, order in ((account_id, "ord_none"), ("acc_none", order_id), (account_id, order_id)):
        with refused(office.books, "account_not_found" if account == "acc_none" else "order_not_found", NotFoundError):
            office.issue(account, order)


def test_a_number_series_of_years_ago_does_not_matter_to_this_years(office: Office) -> None:
    account_id = office.open_account()
    office.books.commit([NumberSeries("INV-2025", 1, NOW.date() - timedelta(days=200))])
    office.invoice(account_id)
    assert numbers(office) == ["INV-2026-000001"]
