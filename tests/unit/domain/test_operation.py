"""An operation: its entries say exactly what happened to its documents, and nothing moves without one (L1, L4, T5)."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain import posting_rules
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption, new_credit
from remit.domain.errors import LedgerBrokenError, RuleError
from remit.domain.journal import Balance, JournalEntry, Posting, Side
from remit.domain.money import Money
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import OrderKind, on_terms, price
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.posting_rules import Circumstances
from remit.domain.terms import DiscountTax, Due, DueRule, EarlyDiscount, PaymentTerm, TermPart
from tests.support.builders import CLERK, NOW, TODAY, attempt, firm, issued, line, open_item, order
from tests.support.ledger import amounts_by_document

WHY = Circumstances(TODAY, NOW, CLERK)


def operation(**figures: int) -> Operation:
    amounts: dict[str, Any] = {f"{name}_minor": amount for name, amount in figures.items()}
    return Operation(Balance("acc_1", "EUR", **amounts), WHY)


def received(amount: int, **changes: Any) -> Payment:
    return attempt(amount, status=PaymentStatus.SUCCEEDED, value_date=TODAY, unapplied_minor=amount, **changes)


def goodwill(amount: int, id: str = "crd_1", *, refundable: bool = False) -> Credit:
    terms = CreditTerms(CreditKind.GOODWILL, "sorry", is_refundable=refundable)
    return new_credit(id, "acc_1", Money(amount, "EUR"), TaxOption.WAIVED, None, terms, TODAY, NOW)


def posted(entry: JournalEntry, account: str, side: Side) -> int:
    return sum(p.amount_minor for p in entry.draft.postings if p.account == account and p.side is side)


# Entries and documents


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=5), st.integers(0, 20_000), st.data())
def test_L1_entries_equal_what_happened_to_the_invoices_and_the_lots(open_: list[int], rest: int, data: st.DataObject) -> None:
    """Pay some invoices, take some of it back, pay again with a credit: after every entry the journal says what is open."""
    done = operation()
    journal: list[JournalEntry] = []
    for number, amount in enumerate(open_):
        invoice, item, _ = issued(replace(order(line(amount, "ZERO"), id=f"ord_{number}")))
        done.create(item)
        journal.append(done.post(posting_rules.invoice_issued, invoice, None))
    shares = [data.draw(st.integers(0, amount)) for amount in open_]
    paid = [Allocation(f"inv_{number}", share) for number, share in enumerate(shares) if share]
    payment = received(sum(shares) + rest + 1)
    done.create(payment)
    done.pay_from(payment.id, paid, TODAY)
    journal.append(done.post(posting_rules.payment_received, payment))
    back = [replace(a, amount_minor=data.draw(st.integers(1, a.amount_minor))) for a in paid if data.draw(st.booleans())]
    if back:
        done.unallocate(payment.id, back)
        journal.append(done.post(posting_rules.allocation_reversed, payment, journal[-1].sequence))

    known = amounts_by_document(journal)
    for number in range(len(open_)):
        item = done.item(f"inv_{number}")
        assert known[("receivable", item.invoice_id)] == item.open_minor
        assert sum(settlement.amount_minor for settlement in item.settlements) == item.total_minor - item.open_minor
        assert item.entries == tuple(e.sequence for e in journal if item.invoice_id in e.draft.documents.get("invoice", ()))
    assert known[("credit", payment.id)] == done.lot(payment.id).available_minor
    assert done.balance.receivable_minor == sum(done.item(f"inv_{number}").open_minor for number in range(len(open_)))
    assert done.balance.credit_minor == done.lot(payment.id).available_minor
    changes = done.changes()
    balance = next(change for change in changes if isinstance(change, Balance))
    assert balance.lots == (payment.id,)
    assert [change for change in changes if isinstance(change, JournalEntry)] == journal


def test_L1_a_movement_that_no_entry_explains_is_refused() -> None:
    done = operation(receivable=12_100)
    done.hold(open_item("inv_1", 12_100))
    done.change(done.item("inv_1").settle(1, "pay_1"))
    with pytest.raises(LedgerBrokenError, match="unposted_movement"):
        done.changes()
    with pytest.raises(LedgerBrokenError, match="unposted_movement"):
        done.post_plain(posting_rules.credit_issued, goodwill(100))


def test_L4_what_was_only_looked_at_is_not_written() -> None:
    done = operation(receivable=200)
    done.hold(open_item("inv_1", 100), open_item("inv_2", 100), goodwill(100))
    payment = received(100)
    done.create(payment)
    done.pay_from(payment.id, [Allocation("inv_1", 100)], TODAY)
    done.post(posting_rules.payment_received, payment)
    written = {change.invoice_id for change in done.changes() if isinstance(change, OpenItem)}
    assert written == {"inv_1"}
    assert not any(isinstance(change, Credit) for change in done.changes())


def test_I1_an_entry_says_which_statuses_it_changed() -> None:
    invoice, item, _ = issued()
    done = operation()
    done.create(item)
    first = done.post(posting_rules.invoice_issued, invoice, None)
    payment = received(12_100)
    done.create(payment)
    done.pay_from(payment.id, [Allocation(item.invoice_id, 100)], TODAY)
    second = done.post(posting_rules.payment_received, payment)
    done.pay_from(payment.id, [Allocation(item.invoice_id, 50)], TODAY)
    third = done.post(posting_rules.payment_allocated, payment)
    assert first.draft.statuses == {item.invoice_id: ("", "issued")}
    assert second.draft.statuses == {item.invoice_id: ("issued", "part_paid")}
    assert third.draft.statuses == {}


def test_P2_more_than_is_there_is_refused_and_nothing_is_posted() -> None:
    done = operation(receivable=12_100)
    done.hold(open_item("inv_1", 12_100))
    payment = received(100)
    done.create(payment)
    with pytest.raises(RuleError, match="allocation_exceeds_payment"):
        done.pay_from(payment.id, [Allocation("inv_1", 101)], TODAY)
    assert done.entries == []


# Early payment

TWO_PERCENT = Decimal(2)


def on_discount(mode: DiscountTax, percent: Decimal = TWO_PERCENT) -> PaymentTerm:
    due = Due(DueRule.NET_DAYS, 30)
    return PaymentTerm("2/10", "2/10 net 30", (TermPart(due),), discount=EarlyDiscount(percent, 10, mode))


def paid_on(mode: DiscountTax, day: date, amount: int | None = None) -> tuple[JournalEntry, OpenItem]:
    """The entry of paying EUR 100 + 21 % on a day: with what settles it then, or with `amount`."""
    of, term = order(line(10_000)), on_discount(mode)
    invoice, item, _ = issued(replace(of, priced=on_terms(of.priced, term), term=term))
    done = operation()
    done.create(item)
    done.post(posting_rules.invoice_issued, invoice, None)
    payment = received(amount or item.payable_on(day))
    done.create(payment)
    done.pay_from(payment.id, [Allocation(item.invoice_id, payment.amount_minor)], day)
    return done.post(posting_rules.payment_received, payment), done.item(item.invoice_id)


@pytest.mark.parametrize(
    ("mode", "early", "late"),
    [
        (DiscountTax.ALWAYS, 11_858, 12_058),
        (DiscountTax.ON_EARLY_PAYMENT, 11_858, 12_100),
        (DiscountTax.NEVER, 11_900, 12_100),
    ],
)
def test_T5_EUR_100_at_21_percent_with_2_percent_for_early_payment(mode: DiscountTax, early: int, late: int) -> None:
    entry, item = paid_on(mode, TODAY + timedelta(days=10))
    assert posted(entry, "cash:stripe", Side.DEBIT) == early
    assert posted(entry, "receivable", Side.CREDIT) == late
    assert posted(entry, "discounts", Side.DEBIT) == 200
    assert posted(entry, "tax:VAT21", Side.DEBIT) == (42 if mode is DiscountTax.ON_EARLY_PAYMENT else 0)
    assert item.status is InvoiceStatus.PAID

    entry, item = paid_on(mode, TODAY + timedelta(days=11))
    assert posted(entry, "cash:stripe", Side.DEBIT) == late
    assert (posted(entry, "discounts", Side.DEBIT), item.status) == (0, InvoiceStatus.PAID)


@pytest.mark.parametrize("keeps_discount", [False, True])
@pytest.mark.parametrize("mode", DiscountTax)
def test_T5_a_payment_that_is_returned_takes_its_discount_with_it(mode: DiscountTax, keeps_discount: bool) -> None:
    """P8: a returned debit asks for the full price again; a refund of the firm's own will does not."""
    _, paid = paid_on(mode, TODAY)
    amount = paid.settled_by("pay_1")
    done = operation(receivable=0)
    payment = replace(received(amount), unapplied_minor=0, allocations=(Allocation(paid.invoice_id, amount),))
    done.hold(paid, payment)
    done.reopen(payment.id, payment.allocations, keeps_discount=keeps_discount)
    entry = done.post(posting_rules.payment_reverted, payment, 0)
    assert done.item(paid.invoice_id).open_minor == (amount if keeps_discount else paid.total_minor)
    assert posted(entry, "discounts", Side.CREDIT) == (0 if keeps_discount else 200)
    assert done.item(paid.invoice_id).payable_on(TODAY) == amount


@pytest.mark.parametrize("short_by", [1, 100])
def test_T5_an_early_payment_that_does_not_cover_the_rest_takes_no_discount(short_by: int) -> None:
    entry, item = paid_on(DiscountTax.ON_EARLY_PAYMENT, TODAY, 11_858 - short_by)
    assert posted(entry, "discounts", Side.DEBIT) == 0
    assert item.open_minor == 12_100 - 11_858 + short_by


@given(
    st.integers(0, 10**9), st.decimals(Decimal("0.01"), Decimal("99.99"), places=2), st.sampled_from(DiscountTax), st.booleans()
)
def test_T5_the_discount_is_never_more_than_the_invoice_and_lowers_the_tax_as_its_mode_says(
    minor: int, percent: Decimal, mode: DiscountTax, inclusive: bool
) -> None:
    priced = on_terms(price([line(minor)], "EUR", firm(), prices_include_tax=inclusive), on_discount(mode, percent))
    assert priced.discount is not None
    assert 0 <= priced.discount.gross_minor <= priced.totals.gross_minor
    if mode is not DiscountTax.ON_EARLY_PAYMENT:
        assert priced.discount.taxes == ()
    if mode is DiscountTax.ON_EARLY_PAYMENT and not inclusive:
        always = on_terms(price([line(minor)], "EUR", firm(), prices_include_tax=False), on_discount(DiscountTax.ALWAYS, percent))
        tax_left = priced.totals.tax_minor - sum(tax for _, tax in priced.discount.taxes)
        assert abs(tax_left - always.totals.tax_minor) <= 1


# Recoveries and top-ups


def test_I9_a_payment_for_what_was_written_off_recovers_it_and_its_return_takes_that_back() -> None:
    done = operation()
    done.hold(open_item("inv_1", 500).write_off())
    payment = received(800)
    done.create(payment)
    done.pay_from(payment.id, [Allocation("inv_1", 500)], TODAY)
    entry = done.post(posting_rules.payment_received, payment)
    assert (posted(entry, "bad_debt", Side.CREDIT), posted(entry, "credit", Side.CREDIT)) == (500, 300)
    assert done.item("inv_1").status is InvoiceStatus.PAID
    done.reopen(payment.id, [Allocation("inv_1", 500)])
    done.change(done.get(Payment, payment.id).take(300))
    back = done.post(posting_rules.payment_reverted, payment, 300)
    assert posted(back, "bad_debt", Side.DEBIT) == 500
    assert done.item("inv_1").recoverable_minor == 500
    assert done.changes()


def top_up(amount: int) -> OpenItem:
    return replace(open_item("inv_1", amount), kind=OrderKind.TOP_UP, top_up_minor=amount)


@given(st.integers(2, 10_000), st.data())
def test_W1_a_top_up_reaches_the_wallet_as_it_is_paid(amount: int, data: st.DataObject) -> None:
    done = operation(receivable=amount)
    done.hold(top_up(amount))
    payment = received(amount)
    done.create(payment)
    first = data.draw(st.integers(1, amount - 1))
    done.pay_from(payment.id, [Allocation("inv_1", first)], TODAY)
    done.post(posting_rules.payment_received, payment)
    assert done.balance.wallet_minor == first
    done.pay_from(payment.id, [Allocation("inv_1", amount - first)], TODAY)
    done.post(posting_rules.payment_allocated, payment)
    assert (done.balance.wallet_minor, done.item("inv_1").top_up_minor, done.balance.credit_minor) == (amount, 0, 0)


@given(st.integers(1, 10_000), st.data())
def test_W1_a_returned_top_up_leaves_the_wallet_as_far_as_it_is_there_and_is_not_given_twice(
    amount: int, data: st.DataObject
) -> None:
    done = operation(receivable=amount)
    done.hold(top_up(amount))
    payment = received(amount)
    done.create(payment)
    done.pay_from(payment.id, [Allocation("inv_1", amount)], TODAY)
    done.post(posting_rules.payment_received, payment)
    used = data.draw(st.integers(0, amount))
    done.balance = replace(done.balance, wallet_minor=amount - used)  # usage charged meanwhile
    done.reopen(payment.id, [Allocation("inv_1", amount)])
    done.post(posting_rules.payment_reverted, payment, 0)
    assert (done.balance.wallet_minor, done.item("inv_1").open_minor) == (0, amount)
    again = received(amount, id="pay_2")
    done.create(again)
    done.pay_from("pay_2", [Allocation("inv_1", amount)], TODAY)
    done.post(posting_rules.payment_received, again)
    assert done.balance.wallet_minor == amount - used, "what was used already is paid now, and not in the wallet"


@pytest.mark.parametrize(("refundable", "account"), [(False, "granted"), (True, "wallet")])
def test_W3_a_top_up_paid_with_a_gift_cannot_be_withdrawn(refundable: bool, account: str) -> None:
    done = operation(receivable=500, credit=500)
    done.hold(top_up(500), goodwill(500, refundable=refundable))
    done.pay_from("crd_1", [Allocation("inv_1", 500)], TODAY)
    done.post(posting_rules.credit_applied, done.get(Credit, "crd_1"))
    assert {name: getattr(done.balance, f"{name}_minor") for name in ("granted", "wallet")} == {
        "granted": 0,
        "wallet": 0,
        account: 500,
    }


# The balance's lots and its place in the agenda


def test_lots_are_kept_oldest_first_and_only_while_something_is_left() -> None:
    done = Operation(Balance("acc_1", "EUR", receivable_minor=100, credit_minor=300, lots=("crd_1", "crd_2")), WHY)
    done.hold(goodwill(100), open_item("inv_1", 100))
    done.create(goodwill(50, "crd_3"))
    done.pay_from("crd_1", [Allocation("inv_1", 100)], TODAY)
    done.post(posting_rules.credit_applied, done.get(Credit, "crd_1"))
    assert done.changes()[-1].lots == ("crd_2", "crd_3")


@pytest.mark.parametrize(
    ("planned", "due", "look_again"),
    [(None, 10, 11), (30, 10, 11), (5, 10, 5)],
)
def test_D5_a_new_invoice_is_looked_at_the_day_after_it_is_due_unless_that_is_planned_earlier(
    planned: int | None, due: int, look_again: int
) -> None:
    plan = TODAY + timedelta(days=planned) if planned else None
    done = Operation(Balance("acc_1", "EUR", look_again_on=plan), WHY)
    invoice, item, _ = issued()
    item = replace(item, parts=tuple(replace(part, due_date=TODAY + timedelta(days=due)) for part in item.parts))
    done.create(item)
    done.post(posting_rules.invoice_issued, invoice, None)
    assert done.changes()[-1].look_again_on == TODAY + timedelta(days=look_again)


def test_L1_postings_on_the_receivable_carry_the_due_dates_of_the_parts() -> None:
    invoice, item, _ = issued()
    done = operation()
    done.create(item)
    entry = done.post(posting_rules.invoice_issued, invoice, None)
    assert entry.draft.postings[0] == Posting("receivable", Side.DEBIT, 12_100, invoice.id, TODAY + timedelta(days=30))
