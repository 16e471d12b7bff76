"""Every debit and credit: balanced, above zero, and nothing made or lost (L1, L3, L8)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain import posting_rules
from remit.domain.credits import TaxOption, goodwill
from remit.domain.errors import LedgerBrokenError
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.journal import CUSTOMER_ACCOUNTS, EntryDraft, EntryKind, Posting, Side, effect
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Payment
from remit.domain.posting_rules import Circumstances
from remit.domain.tax import TaxCode
from tests.support import strategies
from tests.support.builders import CLERK, NOW, TODAY, VAT21, attempt, issued, line, order

WHY = Circumstances(TODAY, NOW, CLERK, "because")

allocation_lists = st.lists(strategies.allocations, max_size=5, unique_by=lambda allocation: allocation.invoice_id)


def side(draft: EntryDraft, wanted: Side) -> dict[str, int]:
    """What one side of the entry says, by account."""
    found: dict[str, int] = {}
    for posting in draft.postings:
        if posting.side is wanted:
            found[posting.account] = found.get(posting.account, 0) + posting.amount_minor
    return found


def assert_sound(draft: EntryDraft) -> None:
    debits, credits = side(draft, Side.DEBIT), side(draft, Side.CREDIT)
    assert sum(debits.values()) == sum(credits.values())
    assert all(posting.amount_minor > 0 for posting in draft.postings)
    known = {*CUSTOMER_ACCOUNTS, "goodwill"}
    assert all(p.account in known or p.account.startswith(("revenue:", "tax:", "cash:")) for p in draft.postings)
    assert (draft.effective_on, draft.recorded_at, draft.actor) == (TODAY, NOW, CLERK)
    # What is the customer's names the document it is about, without which no replay could explain a document (L6).
    assert all(posting.document_id for posting in draft.postings if posting.account in CUSTOMER_ACCOUNTS)


@given(strategies.invoices())
def test_L1_an_issued_invoice_is_balanced_and_its_gross_is_owed(issued: tuple[Invoice, OpenItem, NumberSeries]) -> None:
    invoice = issued[0]
    assume(invoice.total_minor > 0)
    draft = posting_rules.invoice_issued(invoice, WHY)
    assert_sound(draft)
    assert effect(draft) == {"receivable": invoice.total_minor}
    credits = side(draft, Side.CREDIT)
    assert sum(amount for name, amount in credits.items() if name.startswith("revenue:")) == invoice.priced.totals.net_minor
    assert sum(amount for name, amount in credits.items() if name.startswith("tax:")) == invoice.priced.totals.tax_minor
    assert (draft.currency, draft.order_id, draft.documents) == (invoice.currency, invoice.order_id, {"invoice": (invoice.id,)})


@given(strategies.payments, allocation_lists, st.integers(0, 10**12))
def test_L1_a_payment_is_balanced_and_all_of_it_is_the_customers(
    payment: Payment, allocations: list[Allocation], rest: int
) -> None:
    allocated = sum(allocation.amount_minor for allocation in allocations)
    assume(allocated + rest > 0)
    payment = replace(payment, amount_minor=allocated + rest)
    draft = posting_rules.payment_received(payment, allocations, WHY)
    assert_sound(draft)
    moved = effect(draft)
    assert -moved.get("receivable", 0) + moved.get("credit", 0) == payment.amount_minor
    assert moved.get("credit", 0) == rest
    assert side(draft, Side.DEBIT) == {f"cash:{payment.cash_account}": payment.amount_minor}
    assert draft.documents["payment"] == (payment.id,)
    assert draft.documents.get("invoice", ()) == tuple(allocation.invoice_id for allocation in allocations)


@given(strategies.payments, allocation_lists.filter(bool))
def test_L1_a_later_allocation_moves_credit_to_receivable_and_no_money(payment: Payment, allocations: list[Allocation]) -> None:
    draft = posting_rules.payment_allocated(payment, allocations, WHY)
    assert_sound(draft)
    total = sum(allocation.amount_minor for allocation in allocations)
    assert effect(draft) == {"credit": -total, "receivable": -total}
    assert {posting.account for posting in draft.postings} == {"credit", "receivable"}


@given(strategies.amounts, st.sampled_from(TaxOption), strategies.tax_codes)
def test_L1_a_goodwill_credit_is_balanced_and_the_customer_gains_the_gross(amount: int, option: TaxOption, code: TaxCode) -> None:
    given_code = None if option is TaxOption.WAIVED else code
    credit = goodwill("crd_1", "acc_1", Money(amount, "EUR"), option, given_code, "sorry", TODAY, NOW)
    draft = posting_rules.credit_issued(credit, WHY)
    assert_sound(draft)
    assert effect(draft) == {"credit": credit.gross_minor}
    assert draft.reason == "because"


def test_the_worked_examples_of_the_rules() -> None:
    """The amounts that the docstrings of `posting_rules` name."""
    invoice, _, _ = issued(order(line(10000, category="services")))
    draft = posting_rules.invoice_issued(invoice, WHY)
    assert side(draft, Side.DEBIT) == {"receivable": 12100}
    assert side(draft, Side.CREDIT) == {"revenue:services": 10000, "tax:VAT21": 2100}

    paid = posting_rules.payment_received(attempt(15000, cash_account="bank_transfer"), [Allocation("inv_1", 12100)], WHY)
    assert side(paid, Side.DEBIT) == {"cash:bank_transfer": 15000}
    assert side(paid, Side.CREDIT) == {"receivable": 12100, "credit": 2900}

    credit = goodwill("crd_1", "acc_1", Money(1210, "EUR"), TaxOption.INCLUDED, VAT21, "sorry", TODAY, NOW)
    given_back = posting_rules.credit_issued(credit, WHY)
    assert side(given_back, Side.DEBIT) == {"goodwill": 1000, "tax:VAT21": 210}
    assert side(given_back, Side.CREDIT) == {"credit": 1210}


def test_a_zero_rate_and_a_payment_without_rest_leave_no_empty_postings() -> None:
    invoice, _, _ = issued(order(line(10000, "ZERO")))
    assert {posting.account for posting in posting_rules.invoice_issued(invoice, WHY).postings} == {
        "receivable",
        "revenue:services",
    }
    paid = posting_rules.payment_received(attempt(12100), [Allocation("inv_1", 12100)], WHY)
    assert {posting.account for posting in paid.postings} == {"cash:stripe", "receivable"}


def test_P5_an_entry_names_the_gateways_transactions() -> None:
    payment = attempt(gateway_ids=("ch_1", "pi_1"))
    assert posting_rules.payment_received(payment, [], WHY).documents["gateway"] == ("ch_1", "pi_1")


@pytest.mark.parametrize(
    "postings",
    [
        [],
        [Posting("receivable", Side.DEBIT, 100)],
        [Posting("receivable", Side.DEBIT, 100), Posting("revenue:sales", Side.CREDIT, 99)],
        [Posting("receivable", Side.DEBIT, 0), Posting("revenue:sales", Side.CREDIT, 0)],
        [Posting("receivable", Side.DEBIT, -1), Posting("revenue:sales", Side.CREDIT, -1)],
    ],
)
def test_L1_no_entry_is_unbalanced_empty_or_negative(postings: Sequence[Posting]) -> None:
    with pytest.raises(LedgerBrokenError):
        EntryDraft(EntryKind.INVOICE_ISSUED, "acc_1", "EUR", TODAY, NOW, CLERK, tuple(postings))
