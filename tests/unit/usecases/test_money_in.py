"""Payments received by hand, their allocation, and credits (P1, P2, T3, C1–C3)."""

from datetime import timedelta

import pytest

from remit.domain.credits import TaxOption
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.open_items import InvoiceStatus
from remit.domain.payments import Allocation
from remit.domain.terms import Method
from tests.fakes import Fault
from tests.support.builders import NOW, TODAY, Office
from tests.support.refusals import refused


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


# Receiving


def test_P1_money_received_is_cash_and_what_is_not_allocated_is_credit(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    answer = office.receive(account_id, 15000, allocations=[Allocation(invoice_id, 12100)], value_date=TODAY - timedelta(days=2))
    payment = office.payment(account_id, answer.body["id"])
    assert (payment.unapplied_minor, payment.allocations) == (2900, (Allocation(invoice_id, 12100),))
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    balance = office.balance(account_id)
    assert (balance.receivable_minor, balance.credit_minor, balance.balance_minor) == (0, 2900, -2900)
    entry = office.entries(account_id)[-1]
    assert (entry.draft.effective_on, entry.draft.recorded_at) == (TODAY - timedelta(days=2), NOW)
    assert office.differences(account_id) == ()


def test_P2_without_a_choice_nothing_is_allocated(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    office.receive(account_id, 12100)
    assert office.item(account_id, invoice_id).open_minor == 12100
    assert office.balance(account_id).credit_minor == 12100


def test_P2_oldest_first_pays_the_oldest_due_and_part_of_the_next(office: Office, account_id: str) -> None:
    younger = office.invoice(account_id, 10000, term="net30")
    older = office.invoice(account_id, 5000, term="on_receipt")
    office.receive(account_id, 10000, oldest_first=True)
    assert office.item(account_id, older).open_minor == 0
    assert office.item(account_id, younger).open_minor == 12100 - (10000 - 6050)
    assert office.differences(account_id) == ()


def test_P2_oldest_first_leaves_other_currencies_alone(office: Office, account_id: str) -> None:
    dollars = office.invoice(account_id, 10000, currency="USD", term="on_receipt")
    office.receive(account_id, 20000, oldest_first=True, currency="EUR")
    assert office.item(account_id, dollars).open_minor == 12100
    assert office.balance(account_id, "EUR").credit_minor == 20000


def test_P2_oldest_first_pays_40_invoices_and_keeps_the_rest(office: Office, account_id: str) -> None:
    invoices = [office.invoice(account_id, 100) for _ in range(42)]
    office.receive(account_id, 42 * 121, oldest_first=True)
    open_minor = [office.item(account_id, invoice_id).open_minor for invoice_id in invoices]
    assert open_minor == [0] * 40 + [121] * 2
    assert office.balance(account_id).credit_minor == 2 * 121
    assert office.differences(account_id) == ()


def test_P2_oldest_first_believes_the_ledger_and_not_an_index_that_lags(office: Office, account_id: str) -> None:
    """The index still shows the first invoice as open, though it was paid a moment ago."""
    first, second = office.invoice(account_id, 10000), office.invoice(account_id, 10000)
    with office.books.lagging():
        office.receive(account_id, 12100, allocations=[Allocation(first, 12100)])
        office.receive(account_id, 12100, oldest_first=True)
    assert office.item(account_id, second).open_minor == 0
    assert office.balance(account_id).receivable_minor == 0
    assert office.differences(account_id) == ()


def test_T3_oldest_first_passes_over_invoices_that_the_method_may_not_pay(office: Office, account_id: str) -> None:
    transfer_only = office.invoice(account_id, 10000, term="no_cards")
    any_method = office.invoice(account_id, 10000, term="net30")
    office.receive(account_id, 20000, oldest_first=True, method=Method.CARD_TERMINAL)
    assert office.item(account_id, transfer_only).open_minor == 12100
    assert office.item(account_id, any_method).open_minor == 0
    assert office.balance(account_id).credit_minor == 7900


def test_P2_two_payments_at_once_never_pay_the_same_open_amount(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    office.trouble.meanwhile(lambda: office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)]))
    with pytest.raises(RuleError, match="allocation_exceeds_open"):
        office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)])
    assert office.item(account_id, invoice_id).open_minor == 0
    assert len(office.entries(account_id)) == 2
    assert office.differences(account_id) == ()


def test_P2_two_payments_at_once_both_stand_when_there_is_room_for_both(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    office.trouble.meanwhile(lambda: office.receive(account_id, 5000, oldest_first=True))
    office.receive(account_id, 5000, oldest_first=True)
    assert office.item(account_id, invoice_id).open_minor == 2100
    assert office.differences(account_id) == ()


@pytest.mark.parametrize(
    ("minor", "days", "code"),
    [
        (0, 0, "amount_not_positive"),
        (-1, 0, "amount_not_positive"),
        (100, 1, "value_date_in_future"),
        (100, -367, "value_date_too_old"),
    ],
)
def test_P1_a_payment_that_makes_no_sense_is_refused(office: Office, account_id: str, minor: int, days: int, code: str) -> None:
    with refused(office.books, code, InvalidError):
        office.receive(account_id, minor, value_date=TODAY + timedelta(days=days))


def test_P1_a_value_date_may_lie_a_year_back_and_be_today_in_the_firms_zone(office: Office, account_id: str) -> None:
    office.receive(account_id, 100, value_date=TODAY - timedelta(days=366))
    office.clock.set(NOW.replace(hour=23, minute=30))  # tomorrow in Utrecht
    office.receive(account_id, 100, value_date=TODAY + timedelta(days=1))
    assert office.balance(account_id).credit_minor == 200


def test_P2_more_than_is_open_or_than_there_is_is_refused(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    with refused(office.books, "allocation_exceeds_open", RuleError):
        office.receive(account_id, 20000, allocations=[Allocation(invoice_id, 12101)])
    with refused(office.books, "allocation_exceeds_payment", RuleError):
        office.receive(account_id, 100, allocations=[Allocation(invoice_id, 101)])


@pytest.mark.parametrize(("minor", "code"), [(0, "amount_not_positive"), (-5, "amount_not_positive")])
def test_P2_an_allocation_is_above_zero(office: Office, account_id: str, minor: int, code: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    with refused(office.books, code, InvalidError):
        office.receive(account_id, 100, allocations=[Allocation(invoice_id, minor)])


def test_P2_an_invoice_is_named_once(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    with refused(office.books, "duplicate_allocation", InvalidError):
        office.receive(account_id, 100, allocations=[Allocation(invoice_id, 50), Allocation(invoice_id, 50)])


def test_T3_a_method_that_the_invoices_term_refuses_does_not_pay_it(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000, term="no_cards")
    with refused(office.books, "method_not_allowed", RuleError):
        office.receive(account_id, 100, allocations=[Allocation(invoice_id, 100)], method=Method.CASH)
    office.receive(account_id, 100, allocations=[Allocation(invoice_id, 100)], method=Method.BANK_TRANSFER)


def test_L8_euros_do_not_pay_dollars(office: Office, account_id: str) -> None:
    dollars = office.invoice(account_id, 10000, currency="USD")
    with refused(office.books, "currency_mismatch", InvalidError):
        office.receive(account_id, 12100, allocations=[Allocation(dollars, 12100)], currency="EUR")


def test_another_accounts_invoice_is_not_found(office: Office, account_id: str) -> None:
    theirs = office.invoice(office.open_account(), 10000)
    with refused(office.books, "invoice_not_found", NotFoundError):
        office.receive(account_id, 12100, allocations=[Allocation(theirs, 12100)])
    with refused(office.books, "account_not_found", NotFoundError):
        office.receive("acc_none", 12100)
    with refused(office.books, "account_not_found", NotFoundError):
        office.receive("acc_none", 12100, oldest_first=True)


# Allocating later


def test_P2_what_was_unapplied_pays_an_invoice_later(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 15000).body["id"]
    invoice_id = office.invoice(account_id, 10000)
    office.clock.advance(days=3)
    office.allocate(account_id, payment_id, Allocation(invoice_id, 12100))
    payment, balance = office.payment(account_id, payment_id), office.balance(account_id)
    assert (payment.unapplied_minor, payment.entries) == (2900, (1, 3))
    assert (balance.receivable_minor, balance.credit_minor) == (0, 2900)
    assert office.item(account_id, invoice_id).entries == (2, 3)
    assert office.differences(account_id) == ()


def test_P2_up_to_40_invoices_are_allocated_in_one_write(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 100_000).body["id"]
    invoices = [office.invoice(account_id, 100) for _ in range(41)]
    office.trouble.steps.clear()
    office.allocate(account_id, payment_id, *(Allocation(id, 121) for id in invoices[:40]))
    assert office.trouble.steps == ["load", "commit"]
    assert office.balance(account_id).receivable_minor == 121
    assert office.differences(account_id) == ()


def test_P2_41_invoices_at_once_are_refused(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 100_000).body["id"]
    invoices = [office.invoice(account_id, 100) for _ in range(41)]
    with refused(office.books, "too_many_allocations", InvalidError):
        office.allocate(account_id, payment_id, *(Allocation(id, 121) for id in invoices))


def test_P2_no_more_is_allocated_than_is_unapplied(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 1000).body["id"]
    invoice_id = office.invoice(account_id, 10000)
    with refused(office.books, "allocation_exceeds_payment", RuleError):
        office.allocate(account_id, payment_id, Allocation(invoice_id, 1001))


def test_P2_two_who_allocate_the_same_rest_at_once_do_not_both_get_it(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 12100).body["id"]
    first, second = office.invoice(account_id, 10000), office.invoice(account_id, 10000)
    office.trouble.meanwhile(lambda: office.allocate(account_id, payment_id, Allocation(first, 12100)))
    with pytest.raises(RuleError, match="allocation_exceeds_payment"):
        office.allocate(account_id, payment_id, Allocation(second, 12100))
    assert office.item(account_id, second).open_minor == 12100
    assert office.balance(account_id).credit_minor == 0
    assert office.differences(account_id) == ()


def test_P2_what_cannot_be_allocated_is_refused(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 50000).body["id"]
    invoice_id = office.invoice(account_id, 10000)
    dollars = office.invoice(account_id, 10000, currency="USD")
    theirs = office.invoice(office.open_account(), 10000)
    transfer_only = office.invoice(account_id, 10000, term="no_cards")
    cash = office.receive(account_id, 50000, method=Method.CASH).body["id"]
    with refused(office.books, "no_allocations", InvalidError):
        office.allocate(account_id, payment_id)
    with refused(office.books, "currency_mismatch", InvalidError):
        office.allocate(account_id, payment_id, Allocation(dollars, 100))
    with refused(office.books, "currency_mismatch", InvalidError):
        office.allocate(account_id, payment_id, Allocation(dollars, 100), currency="USD")
    with refused(office.books, "invoice_not_found", NotFoundError):
        office.allocate(account_id, payment_id, Allocation(theirs, 100))
    with refused(office.books, "payment_not_found", NotFoundError):
        office.allocate(account_id, "pay_none", Allocation(invoice_id, 100))
    with refused(office.books, "method_not_allowed", RuleError):
        office.allocate(account_id, cash, Allocation(transfer_only, 100))
    with refused(office.books, "allocation_exceeds_open", RuleError):
        office.allocate(account_id, payment_id, Allocation(invoice_id, 12101))


def test_P4_a_payment_that_has_not_arrived_has_nothing_to_allocate(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    pending, _ = office.checkout(account_id, invoice_id)
    with refused(office.books, "allocation_exceeds_payment", RuleError):
        office.allocate(account_id, pending.id, Allocation(invoice_id, 1))


# Credits


@pytest.mark.parametrize(
    ("option", "code", "gross", "tax"),
    [
        (TaxOption.INCLUDED, "VAT21", 1210, 210),
        (TaxOption.NOT_INCLUDED, "VAT21", 1464, 254),
        (TaxOption.WAIVED, None, 1210, 0),
        (TaxOption.INCLUDED, "ZERO", 1210, 0),
    ],
)
def test_C2_a_credit_is_posted_by_its_tax_option(
    office: Office, account_id: str, option: TaxOption, code: str | None, gross: int, tax: int
) -> None:
    credit = office.credit(account_id, office.goodwill(account_id, 1210, option, code).body["id"])
    assert (credit.gross_minor, credit.tax_minor, credit.open_minor, credit.entries) == (gross, tax, gross, (1,))
    (entry,) = office.entries(account_id)
    debits = {posting.account: posting.amount_minor for posting in entry.draft.postings if posting.side.value == "debit"}
    assert debits == {"goodwill": gross - tax} | ({"tax:VAT21": tax} if tax else {})
    assert entry.draft.reason == "sorry for the delay"
    assert office.differences(account_id) == ()


def test_C3_a_credit_lowers_the_balance_and_is_applied_to_nothing_by_itself(office: Office, account_id: str) -> None:
    office.goodwill(account_id, 5000)
    assert office.balance(account_id).balance_minor == -5000
    invoice_id = office.invoice(account_id, 10000)
    assert office.item(account_id, invoice_id).open_minor == 12100
    assert office.balance(account_id).balance_minor == 7100


@pytest.mark.parametrize(
    ("minor", "option", "code", "refusal"),
    [
        (0, TaxOption.WAIVED, None, "amount_not_positive"),
        (100, TaxOption.WAIVED, "VAT21", "tax_code_not_wanted"),
        (100, TaxOption.INCLUDED, None, "tax_code_missing"),
        (100, TaxOption.INCLUDED, "VAT99", "unknown_tax_code"),
        (10**15, TaxOption.NOT_INCLUDED, "VAT21", "amount_too_large"),
    ],
)
def test_C2_a_credit_that_contradicts_itself_is_refused(
    office: Office, account_id: str, minor: int, option: TaxOption, code: str | None, refusal: str
) -> None:
    with refused(office.books, refusal, InvalidError):
        office.goodwill(account_id, minor, option, code)


def test_a_credit_for_nobody_is_refused(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        office.goodwill("acc_none", 100)


def test_a_credit_and_a_payment_at_once_are_two_entries_in_a_row(office: Office, account_id: str) -> None:
    office.trouble.meanwhile(lambda: office.receive(account_id, 700))
    office.goodwill(account_id, 300)
    assert [entry.sequence for entry in office.entries(account_id)] == [1, 2]
    assert office.balance(account_id).credit_minor == 1000
    assert office.differences(account_id) == ()


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE])
def test_a_throttled_read_is_tried_again_too(office: Office, account_id: str, fault: Fault) -> None:
    office.trouble.strike(fault, on="load")
    office.goodwill(account_id, 300)
    assert office.balance(account_id).credit_minor == 300
