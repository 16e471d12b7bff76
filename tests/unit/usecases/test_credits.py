"""Credits: what they may pay, how they expire, and how they are taken back (C1–C5, C7)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from remit.domain.credits import CreditKind, TaxOption
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import OrderKind, SubscriptionPeriod
from remit.domain.payments import Allocation
from remit.domain.terms import DiscountTax, Due, DueRule, EarlyDiscount, Method, PaymentTerm, TermPart
from remit.usecases.place_order import OrderWish, place_order
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import TODAY, Office, line, plain
from tests.support.refunding import apply, credit_note, expire_all, give, last_postings, proved, reverse, with_money_rules
from tests.support.refusals import refused

HALVES = PaymentTerm(
    "halves",
    "Half now, half in 30 days",
    (TermPart(Due(DueRule.ON_RECEIPT), percent=Decimal(50)), TermPart(Due(DueRule.NET_DAYS, 30))),
)


@pytest.fixture
def office() -> Office:
    office = Office()
    office.firm = replace(office.firm, terms={**office.firm.terms, "halves": HALVES})
    return office


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


def subscribed(office: Office, account_id: str, period: SubscriptionPeriod) -> str:
    wish = OrderWish(account_id, (line(10000),), kind=OrderKind.SUBSCRIPTION, subscription=period)
    placed = place_order(wish, office.request(None, plain(wish)), office.firm, office.books, office.clock, office.ids)
    return str(office.issue(account_id, placed.body["id"]).body["invoice"]["id"])


# Applying what was chosen


def test_C5_a_chosen_credit_pays_invoices_in_one_entry(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 15000)
    first, second = office.invoice(account_id), office.invoice(account_id)
    apply(office, account_id, credit.id, Allocation(first, 12100), Allocation(second, 2000))
    assert office.item(account_id, first).status is InvoiceStatus.PAID
    assert office.item(account_id, second).open_minor == 10100
    assert office.credit(account_id, credit.id).open_minor == 900
    assert last_postings(office, account_id) == {("credit", "debit"): 14100, ("receivable", "credit"): 14100}
    proved(office, account_id)


def test_C1_goodwill_pays_only_orders_placed_after_it(office: Office, account_id: str) -> None:
    before = office.invoice(account_id)
    office.clock.advance(minutes=1)
    credit = give(office, account_id, 5000)
    with refused(office.books, "credit_not_for_this_invoice", RuleError):
        apply(office, account_id, credit.id, Allocation(before, 5000))
    after = office.invoice(account_id)
    apply(office, account_id, credit.id, Allocation(after, 5000))
    assert office.item(account_id, after).open_minor == 7100
    proved(office, account_id)


@pytest.mark.parametrize(("kind", "pays"), [(CreditKind.FIRST_PAYMENT, 0), (CreditKind.LAST_PAYMENT, 2)])
def test_C1_first_and_last_payment_credits_pay_that_invoice_of_their_subscription_alone(
    office: Office, account_id: str, kind: CreditKind, pays: int
) -> None:
    credit = give(office, account_id, 5000, kind, subscription_id="sub_42")
    periods = [SubscriptionPeriod("sub_42", n, is_first=n == 0, is_final=n == 2) for n in range(3)]
    other = SubscriptionPeriod("sub_43", 0, is_first=True, is_final=True)
    invoices = [subscribed(office, account_id, period) for period in [*periods, other]]
    for number, invoice_id in enumerate(invoices):
        if number != pays:
            with refused(office.books, "credit_not_for_this_invoice", RuleError):
                apply(office, account_id, credit.id, Allocation(invoice_id, 5000))
    apply(office, account_id, credit.id, Allocation(invoices[pays], 5000))
    assert office.item(account_id, invoices[pays]).open_minor == 7100
    proved(office, account_id)


def test_C5_a_credit_does_not_pay_instalments_unless_the_firm_says_so(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 5000)
    invoice_id = office.invoice(account_id, term="halves")
    with refused(office.books, "invoice_in_instalments", RuleError):
        apply(office, account_id, credit.id, Allocation(invoice_id, 5000))
    with_money_rules(office, credits_pay_instalments=True)
    apply(office, account_id, credit.id, Allocation(invoice_id, 5000))
    assert office.item(account_id, invoice_id).open_minor == 7100
    proved(office, account_id)


def test_C5_forty_invoices_are_paid_in_one_write_and_not_forty_one(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 50 * 121)
    invoices = [office.invoice(account_id, 100) for _ in range(41)]
    with refused(office.books, "too_many_allocations", InvalidError):
        apply(office, account_id, credit.id, *(Allocation(invoice, 121) for invoice in invoices))
    apply(office, account_id, credit.id, *(Allocation(invoice, 121) for invoice in invoices[:40]))
    assert office.balance(account_id).receivable_minor == 121
    proved(office, account_id)


def test_C5_what_a_credit_cannot_pay_is_refused(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 50000)
    invoice_id, dollars = office.invoice(account_id), office.invoice(account_id, currency="USD")
    theirs = office.invoice(office.open_account())
    with refused(office.books, "no_allocations", InvalidError):
        apply(office, account_id, credit.id)
    with refused(office.books, "currency_mismatch", InvalidError):
        apply(office, account_id, credit.id, Allocation(dollars, 100))
    with refused(office.books, "currency_mismatch", InvalidError):
        apply(office, account_id, credit.id, Allocation(dollars, 100), currency="USD")
    with refused(office.books, "invoice_not_found", NotFoundError):
        apply(office, account_id, credit.id, Allocation(theirs, 100))
    with refused(office.books, "credit_not_found", NotFoundError):
        apply(office, account_id, "crd_none", Allocation(invoice_id, 100))
    with refused(office.books, "allocation_exceeds_open", RuleError):
        apply(office, account_id, credit.id, Allocation(invoice_id, 12101))
    with refused(office.books, "allocation_exceeds_payment", RuleError):
        apply(office, account_id, credit.id, Allocation(invoice_id, 50001))


def test_C5_two_who_use_the_same_credit_at_once_use_it_once(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 5000)
    first, second = office.invoice(account_id), office.invoice(account_id)
    office.trouble.meanwhile(lambda: apply(office, account_id, credit.id, Allocation(first, 5000)))
    with pytest.raises(RuleError, match="allocation_exceeds_payment"):
        apply(office, account_id, credit.id, Allocation(second, 5000))
    assert office.credit(account_id, credit.id).open_minor == 0
    proved(office, account_id)


def test_T5_a_credit_that_pays_early_earns_the_discount_like_money(office: Office, account_id: str) -> None:
    early = replace(
        PaymentTerm.single("early", "2/10 net 30", Due(DueRule.NET_DAYS, 30)),
        discount=EarlyDiscount(Decimal(2), 10, DiscountTax.ON_EARLY_PAYMENT),
    )
    office.firm = replace(office.firm, terms={**office.firm.terms, "early": early})
    credit = give(office, account_id, 12100)
    invoice_id = office.invoice(account_id, term="early")
    apply(office, account_id, credit.id, Allocation(invoice_id, 12100))
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert office.credit(account_id, credit.id).open_minor == 242
    proved(office, account_id)


# By themselves


def test_C3_credits_pay_new_invoices_by_themselves_only_where_the_account_says_so(office: Office, account_id: str) -> None:
    expired = give(office, account_id, 300, expires_on=TODAY)
    first = give(office, account_id, 1000)
    not_for_this = give(office, account_id, 700, CreditKind.FIRST_PAYMENT, subscription_id="sub_1")
    payment_id = office.receive(account_id, 5000).body["id"]
    last = give(office, account_id, 20000)
    office.clock.advance(days=1)
    assert office.item(account_id, office.invoice(account_id)).open_minor == 12100
    office.change_account(account_id, apply_credits=True)
    item = office.item(account_id, office.invoice(account_id))
    assert item.status is InvoiceStatus.PAID
    assert [(s.source_id, s.amount_minor) for s in item.settlements] == [(first.id, 1000), (payment_id, 5000), (last.id, 6100)]
    assert office.credit(account_id, expired.id).open_minor == 300
    assert office.credit(account_id, not_for_this.id).open_minor == 700
    assert office.credit(account_id, last.id).open_minor == 13900
    proved(office, account_id)


def test_C3_an_account_that_does_not_want_it_pays_nothing_for_it(office: Office, account_id: str) -> None:
    give(office, account_id, 1000)
    office.trouble.steps.clear()
    office.invoice(account_id)
    assert office.trouble.steps.count("load") == 2  # the order's, and the invoice's


def test_C3_C5_instalments_and_refused_methods_stay_open_by_themselves_too(office: Office, account_id: str) -> None:
    office.change_account(account_id, apply_credits=True)
    give(office, account_id, 1000)
    office.receive(account_id, 1000, method=Method.CASH)
    assert office.item(account_id, office.invoice(account_id, term="halves")).open_minor == 11100
    assert office.item(account_id, office.invoice(account_id, term="no_cards")).open_minor == 11100
    proved(office, account_id)


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.LOST_REPLY])
def test_C3_a_lost_race_or_reply_applies_a_credit_once(office: Office, account_id: str, fault: Fault) -> None:
    office.change_account(account_id, apply_credits=True)
    credit = give(office, account_id, 1000)
    order_id = office.place_order(account_id)
    office.trouble.strike(fault, on="commit")
    office.issue(account_id, order_id)
    assert office.credit(account_id, credit.id).open_minor == 0
    assert office.balance(account_id).receivable_minor == 11100
    proved(office, account_id)


# Expiry


def test_C7_what_is_unused_after_the_last_day_is_the_firms_again_with_its_tax(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 1210, option=TaxOption.INCLUDED, code="VAT21", expires_on=TODAY + timedelta(days=1))
    invoice_id = office.invoice(account_id)
    apply(office, account_id, credit.id, Allocation(invoice_id, 605))
    office.clock.advance(days=1)
    assert expire_all(office) == []
    office.clock.advance(days=1)
    with refused(office.books, "credit_expired", RuleError):
        apply(office, account_id, credit.id, Allocation(invoice_id, 1))
    (expired,) = expire_all(office)
    assert (expired.open_minor, expired.expired_minor) == (0, 605)
    assert last_postings(office, account_id) == {
        ("credit", "debit"): 605,
        ("goodwill", "credit"): 500,
        ("tax:VAT21", "credit"): 105,
    }
    assert expire_all(office) == []
    proved(office, account_id)


def test_C7_an_expiry_that_is_interrupted_happens_once(office: Office, account_id: str) -> None:
    give(office, account_id, 1000, expires_on=TODAY)
    office.clock.advance(days=1)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit")
    with pytest.raises(MachineDiedError):
        expire_all(office)
    assert expire_all(office) == []
    assert [str(entry.draft.kind) for entry in office.entries(account_id)] == ["credit_issued", "credit_expired"]
    proved(office, account_id)


def test_C7_a_credit_used_at_the_moment_of_its_expiry_is_used_or_expires(office: Office, account_id: str) -> None:
    give(office, account_id, 1000, expires_on=TODAY)
    office.clock.advance(days=1)
    office.trouble.meanwhile(lambda: office.receive(account_id, 5), on="commit")
    (expired,) = expire_all(office)
    assert expired.expired_minor == 1000
    proved(office, account_id)


def test_C7_a_credit_that_two_machines_expire_between_the_reads_of_one_expires_once(office: Office, account_id: str) -> None:
    """The credit as it was before and the balance as it is after look broken together; read again, there is nothing to do."""
    give(office, account_id, 1000, expires_on=TODAY)
    office.clock.advance(days=1)
    office.trouble.meanwhile(lambda: expire_all(office), on="load", at=2)
    (expired,) = expire_all(office)
    assert (expired.open_minor, expired.expired_minor) == (0, 1000)
    assert [str(entry.draft.kind) for entry in office.entries(account_id)] == ["credit_issued", "credit_expired"]
    proved(office, account_id)


# Reversal


@pytest.mark.parametrize(
    ("minor", "option", "code"),
    [
        (1210, TaxOption.INCLUDED, "VAT21"),
        (299, TaxOption.INCLUDED, "VAT9"),
        (1000, TaxOption.NOT_INCLUDED, "VAT21"),
        (777, TaxOption.WAIVED, None),
        (500, TaxOption.INCLUDED, "ZERO"),
    ],
)
def test_C4_a_credit_is_reversed_by_an_invoice_of_the_same_amount_with_the_same_tax(
    office: Office, account_id: str, minor: int, option: TaxOption, code: str | None
) -> None:
    credit = give(office, account_id, minor, option=option, code=code)
    reverse(office, account_id, credit.id, "given to the wrong customer")
    reversed_ = office.credit(account_id, credit.id)
    assert reversed_.reversed_by is not None
    invoice = office.document(account_id, reversed_.reversed_by)
    assert (invoice.total_minor, invoice.priced.totals.tax_minor) == (credit.gross_minor, credit.tax_minor)
    assert (invoice.kind, invoice.reverses, invoice.note) == (OrderKind.CREDIT_REVERSAL, credit.id, "given to the wrong customer")
    assert sum(share.gross_minor for share in invoice.priced.shares()) == credit.gross_minor
    postings = last_postings(office, account_id)
    assert postings["goodwill", "credit"] == credit.gross_minor - credit.tax_minor
    assert office.order(account_id, invoice.order_id).reverses == credit.id
    assert office.entries(account_id)[-1].draft.documents["credit"] == (credit.id,)
    assert office.balance(account_id).balance_minor == 0
    proved(office, account_id)


def test_C4_a_credit_memo_is_reversed_line_by_line(office: Office, account_id: str) -> None:
    order_id = office.place_order(account_id, line(333), line(333, category="goods"), line(334, "VAT9"), line(50, "ZERO"))
    invoice_id = str(office.issue(account_id, order_id).body["invoice"]["id"])
    item = office.item(account_id, invoice_id)
    office.receive(account_id, item.total_minor, allocations=[Allocation(invoice_id, item.total_minor)])
    note = credit_note(office, account_id, invoice_id, 1, (2, 100), 3)
    taken = last_postings(office, account_id)
    reverse(office, account_id, note.credit_id)
    given = last_postings(office, account_id)
    assert {account: minor for (account, side), minor in taken.items() if side == "debit"} == {
        account: minor for (account, side), minor in given.items() if side == "credit"
    }
    assert given["receivable", "debit"] == note.gross_minor
    proved(office, account_id)


def test_C4_what_is_left_of_a_credit_may_pay_the_invoice_that_reverses_it(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 700, CreditKind.FIRST_PAYMENT, subscription_id="sub_1")
    reverse(office, account_id, credit.id)
    invoice_id = office.credit(account_id, credit.id).reversed_by or ""
    apply(office, account_id, credit.id, Allocation(invoice_id, 700))
    assert office.balance(account_id).credit_minor == office.balance(account_id).receivable_minor == 0
    proved(office, account_id)


def test_C4_a_credit_is_reversed_once_and_never_when_part_of_it_expired(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 700)
    reverse(office, account_id, credit.id)
    with refused(office.books, "credit_reversed", RuleError):
        reverse(office, account_id, credit.id)
    lapsed = give(office, account_id, 700, expires_on=TODAY)
    office.clock.advance(days=1)
    expire_all(office)
    with refused(office.books, "credit_expired", RuleError):
        reverse(office, account_id, lapsed.id)


def test_C4_two_who_reverse_at_once_make_one_invoice(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 700)
    office.trouble.meanwhile(lambda: reverse(office, account_id, credit.id))
    with pytest.raises(RuleError, match="credit_reversed"):
        reverse(office, account_id, credit.id)
    assert office.balance(account_id).receivable_minor == 700
    proved(office, account_id)


def test_C4_canceling_a_credit_is_refused_and_says_to_reverse_it(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 700)
    with pytest.raises(RuleError, match=r"credit_not_cancelable.*Reverse"):
        credit.cancel()
