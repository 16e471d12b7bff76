"""Credit notes and canceled purchases (C1, C2, C5, C6, R1–R3, R9, I9, T5)."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from remit.domain.credits import CreditKind, TaxOption
from remit.domain.errors import InvalidError, NotFoundError, RemitError, RuleError
from remit.domain.open_items import InvoiceStatus
from remit.domain.operation import Operation
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation, Dispute, DisputeStatus, PaymentStatus
from remit.domain.posting_rules import Circumstances, invoice_written_off
from remit.domain.refunds import RefundStatus
from remit.domain.terms import DiscountTax, Due, DueRule, EarlyDiscount, Method, PaymentTerm, TermPart
from remit.usecases.cancel_purchase import RefundChoice
from remit.usecases.place_order import OrderWish, place_order
from remit.usecases.ports import credit_note_ref
from remit.usecases.prove_numbers import prove_numbers
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import CLERK, NOW, TODAY, Office, line, plain, report_on
from tests.support.refunding import (
    apply,
    cancel,
    card_paid,
    chart,
    credit_note,
    give,
    last_postings,
    lines,
    next_day,
    proved,
    refund,
    refund_receipt,
    reverse,
    submit_due,
    with_money_rules,
)
from tests.support.refusals import refused

HALVES = PaymentTerm(
    "halves",
    "Half now, half in 30 days",
    (TermPart(Due(DueRule.ON_RECEIPT), percent=Decimal(50)), TermPart(Due(DueRule.NET_DAYS, 30))),
)
EARLY = replace(
    PaymentTerm.single("early", "2/10 net 30", Due(DueRule.NET_DAYS, 30)),
    discount=EarlyDiscount(Decimal(2), 10, DiscountTax.ON_EARLY_PAYMENT),
)


@pytest.fixture
def office() -> Office:
    office = Office()
    office.firm = replace(office.firm, terms={**office.firm.terms, "halves": HALVES, "early": EARLY})
    return office


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


def facts_of(action: Callable[[], object]) -> dict[str, object]:
    with pytest.raises(RemitError) as refusal:
        action()
    return refusal.value.facts


def two_lines(office: Office, account_id: str, term: str | None = None) -> str:
    """An invoice of 121.00 for services and 10.90 for goods."""
    order_id = office.place_order(account_id, line(10000), line(1000, "VAT9", category="goods"), term=term)
    return str(office.issue(account_id, order_id).body["invoice"]["id"])


def paid(office: Office, account_id: str, invoice_id: str, *minors: int) -> list[str]:
    """The ids of bank transfers of these amounts for the invoice."""
    return [office.receive(account_id, minor, allocations=[Allocation(invoice_id, minor)]).body["id"] for minor in minors]


# Credit notes


def test_C1_a_credit_note_lowers_its_own_invoice_first_and_the_rest_is_credit(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    paid(office, account_id, invoice_id, 10100)
    note = credit_note(office, account_id, invoice_id, (1, 6050), rma="RMA-7")
    assert (note.number, note.gross_minor, note.tax_minor, note.applied_minor) == ("CN-2026-000001", 6050, 1050, 2000)
    assert (note.invoice_id, note.invoice_number, note.rma) == (invoice_id, "INV-2026-000001", "RMA-7")
    assert last_postings(office, account_id) == {
        ("revenue:services", "debit"): 5000,
        ("tax:VAT21", "debit"): 1050,
        ("receivable", "credit"): 2000,
        ("credit", "credit"): 4050,
    }
    credit = office.credit(account_id, note.credit_id)
    assert (credit.kind, credit.open_minor, credit.is_refundable) == (CreditKind.CREDIT_MEMO, 4050, True)
    item = office.item(account_id, invoice_id)
    assert (item.status, item.credit_notes, item.credited_minor) == (InvoiceStatus.PAID, (note.id,), 6050)
    proved(office, account_id)


@pytest.mark.parametrize(
    ("option", "amount", "net", "tax"),
    [
        (TaxOption.INCLUDED, 6050, 5000, 1050),
        (TaxOption.NOT_INCLUDED, 5000, 5000, 1050),
        (TaxOption.WAIVED, 5000, 5000, 0),
    ],
)
def test_C2_the_amount_of_a_line_means_what_the_tax_option_says(
    office: Office, account_id: str, option: TaxOption, amount: int, net: int, tax: int
) -> None:
    note = credit_note(office, account_id, office.invoice(account_id), (1, amount), option=option)
    assert (note.net_minor, note.tax_minor) == (net, tax)
    proved(office, account_id)


def test_C6_a_line_is_never_credited_above_its_amount(office: Office, account_id: str) -> None:
    invoice_id = two_lines(office, account_id)
    credit_note(office, account_id, invoice_id, (1, 12000))
    facts = facts_of(lambda: credit_note(office, account_id, invoice_id, (1, 101)))
    assert facts == {"line": 1, "creditable_minor": 100, "creditable_net_minor": 83}
    with refused(office.books, "credit_exceeds_line", RuleError):
        credit_note(office, account_id, invoice_id, (1, 101))
    note = credit_note(office, account_id, invoice_id)
    assert [(each.line, each.gross_minor) for each in note.lines] == [(1, 100), (2, 1090)]
    with refused(office.books, "nothing_to_credit", RuleError):
        credit_note(office, account_id, invoice_id)
    assert chart(office, account_id) == {}
    proved(office, account_id)


def test_C6_two_credit_notes_at_once_never_exceed_the_line(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    office.trouble.meanwhile(lambda: credit_note(office, account_id, invoice_id, (1, 7000)))
    with pytest.raises(RuleError, match="credit_exceeds_line"):
        credit_note(office, account_id, invoice_id, (1, 7000))
    assert office.item(account_id, invoice_id).credited_minor == 7000
    proved(office, account_id)


def test_C6_credit_notes_have_a_gapless_series_of_their_own(office: Office, account_id: str) -> None:
    for fault in (Fault.CONFLICT, Fault.LOST_REPLY, Fault.THROTTLE):
        office.trouble.strike(fault, on="commit", at=3)
        credit_note(office, account_id, office.invoice(account_id))
    proof = prove_numbers("CN-2026", office.books, office.books)
    assert (proof.count, proof.gaps) == (3, ())
    assert prove_numbers("INV-2026", office.books, office.books).gaps == ()


def test_C6_what_makes_no_sense_is_refused(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    refusals: tuple[tuple[tuple[Any, ...], str], ...] = (
        ((2,), "no_such_line"),
        ((1, 1), "duplicate_line"),
        (((1, 0),), "amount_not_positive"),
    )
    for wishes, code in refusals:
        with refused(office.books, code, InvalidError):
            credit_note(office, account_id, invoice_id, *wishes)
    with refused(office.books, "invoice_not_found", NotFoundError):
        credit_note(office, account_id, "inv_none", 1)


def test_C5_an_invoice_in_instalments_is_not_lowered_unless_the_firm_says_so(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, term="halves")
    note = credit_note(office, account_id, invoice_id, (1, 6050))
    assert (note.applied_minor, office.item(account_id, invoice_id).open_minor) == (0, 12100)
    assert office.credit(account_id, note.credit_id).open_minor == 6050
    with_money_rules(office, credits_pay_instalments=True)
    assert credit_note(office, account_id, invoice_id, (1, 6050)).applied_minor == 6050
    proved(office, account_id)


def test_I9_a_credit_note_for_a_written_off_invoice_lowers_the_loss(office: Office, account_id: str) -> None:
    """Nobody ever paid it, so nobody gains a credit."""
    invoice_id = office.invoice(account_id)
    operation = Operation(office.balance(account_id), Circumstances(TODAY, NOW, CLERK))
    item = office.item(account_id, invoice_id)
    operation.hold(item)
    operation.change(item.write_off())
    operation.post(invoice_written_off, item)
    office.books.commit(operation.changes())
    note = credit_note(office, account_id, invoice_id)
    assert note.applied_minor == 12100
    assert office.balance(account_id).balance_minor == 0
    assert chart(office, account_id) == {}
    proved(office, account_id)


def test_T5_what_an_early_payment_saved_is_not_credited(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, term="early")
    paid(office, account_id, invoice_id, 11858)
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    done = cancel(office, account_id, invoice_id).body
    assert [made["amount_minor"] for made in done["refunds"]] == [11858]
    assert office.balance(account_id).balance_minor == 0
    assert chart(office, account_id) == {"discounts": 200, "revenue:services": -200}
    proved(office, account_id)


def test_T5_a_credit_note_is_no_early_payment(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, term="early")
    paid(office, account_id, invoice_id, 10000)
    for amount in range(1890, 1900):
        before = office.item(account_id, invoice_id).open_minor
        credit_note(office, account_id, invoice_id, (1, amount // 100))
        assert office.item(account_id, invoice_id).open_minor == before - amount // 100
    proved(office, account_id)


@pytest.mark.parametrize("kind", ["void", "reversal", "deposit"])
def test_C1_what_a_credit_note_cannot_correct_is_refused(office: Office, account_id: str, kind: str) -> None:
    if kind == "reversal":
        credit = give(office, account_id, 500)
        reverse(office, account_id, credit.id)
        invoice_id, code = office.credit(account_id, credit.id).reversed_by or "", "reversal_not_creditable"
    else:
        wish = OrderWish(account_id, (line(1000),), kind=OrderKind.DEPOSIT)
        placed = place_order(wish, office.request(None, plain(wish)), office.firm, office.books, office.clock, office.ids)
        invoice_id = str(office.issue(account_id, placed.body["id"]).body["invoice"]["id"])
        item = office.item(account_id, invoice_id)
        marked = replace(item, deducted_on="inv_final") if kind == "deposit" else replace(item, is_void=True)
        office.books.overwrite(marked)
        code = "deposit_deducted" if kind == "deposit" else "invoice_void"
    with refused(office.books, code, RuleError):
        credit_note(office, account_id, invoice_id, 1)


def test_I10_a_credited_deposit_gives_back_what_was_not_earned_yet(office: Office, account_id: str) -> None:
    wish = OrderWish(account_id, (line(1000),), kind=OrderKind.DEPOSIT)
    placed = place_order(wish, office.request(None, plain(wish)), office.firm, office.books, office.clock, office.ids)
    invoice_id = str(office.issue(account_id, placed.body["id"]).body["invoice"]["id"])
    credit_note(office, account_id, invoice_id)
    assert last_postings(office, account_id)["deposits", "debit"] == 1000
    assert chart(office, account_id) == {}


def test_L8_an_invoice_in_another_currency_is_credited_in_its_own(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, currency="USD")
    note = credit_note(office, account_id, invoice_id, (1, 1210))
    assert note.currency == "USD"
    assert office.balance(account_id, "USD").receivable_minor == 10890
    assert office.differences(account_id) == ()


# Canceling a purchase


def test_R3_the_suggested_refund_is_exactly_the_credit(office: Office, account_id: str) -> None:
    invoice_id = two_lines(office, account_id)
    payment_id = card_paid(office, account_id, invoice_id)
    done = cancel(office, account_id, invoice_id, items=lines(2)).body
    (made,) = done["refunds"]
    assert (made["amount_minor"], made["payment_id"], made["status"]) == (1090, payment_id, "on_hold")
    assert (done["credit"]["open_minor"], made["credit_note_id"]) == (0, done["note"]["id"])
    next_day(office)
    submit_due(office)
    assert chart(office, account_id) == {"cash:stripe": 12100, "revenue:services": -10000, "tax:VAT21": -2100}
    proved(office, account_id)


def test_R3_an_unpaid_purchase_is_canceled_without_a_refund(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    done = cancel(office, account_id, invoice_id).body
    assert (done["refunds"], done["credit"]["open_minor"]) == ([], 0)
    assert office.item(account_id, invoice_id).open_minor == 0
    assert chart(office, account_id) == {}
    proved(office, account_id)


def test_R3_nothing_or_an_amount_may_be_refunded(office: Office, account_id: str) -> None:
    invoice_id = two_lines(office, account_id)
    paid(office, account_id, invoice_id, 13190)
    assert cancel(office, account_id, invoice_id, RefundChoice.NONE, items=lines((1, 100))).body["refunds"] == []
    done = cancel(office, account_id, invoice_id, 400, items=lines((1, 1000))).body
    assert [made["amount_minor"] for made in done["refunds"]] == [400]
    assert office.balance(account_id).balance_minor == -700
    proved(office, account_id)


def test_R2_R3_a_refund_goes_back_over_the_payments_that_settled_it_the_latest_first(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    first, second, third = paid(office, account_id, invoice_id, 4000, 5000, 3100)
    refund_receipt(office, account_id, third, 1100)
    office.receive(account_id, 1100, allocations=[Allocation(invoice_id, 1100)])
    done = cancel(office, account_id, invoice_id, items=lines((1, 7000))).body
    spread = [(made["payment_id"], made["amount_minor"]) for made in done["refunds"]]
    assert spread[1:] == [(third, 2000), (second, 3900)]
    assert spread[0][1] == 1100
    assert office.payment(account_id, first).refunded_minor == 0
    proved(office, account_id)


def test_R2_R3_more_than_the_credit_or_than_payments_have_left_is_refused_with_what_is_refundable(
    office: Office, account_id: str
) -> None:
    invoice_id = office.invoice(account_id)
    (payment_id,) = paid(office, account_id, invoice_id, 10000)
    credit = give(office, account_id, 2100)
    office.clock.advance(minutes=1)
    facts = facts_of(lambda: cancel(office, account_id, invoice_id, 10001))
    assert facts == {"refundable_minor": 10000, "credit_minor": 10000, "captured_left_minor": 10000}
    with refused(office.books, "refund_exceeds_refundable", RuleError):
        cancel(office, account_id, invoice_id, 10001)
    assert office.payment(account_id, payment_id).refunded_minor == 0
    assert credit.open_minor == 2100


def test_R3_what_a_credit_paid_is_credit_again_and_no_money(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 2100)
    invoice_id = office.invoice(account_id)
    apply(office, account_id, credit.id, Allocation(invoice_id, 2100))
    paid(office, account_id, invoice_id, 10000)
    done = cancel(office, account_id, invoice_id).body
    assert [made["amount_minor"] for made in done["refunds"]] == [10000]
    assert (done["credit"]["open_minor"], done["credit"]["is_refundable"]) == (2100, False)
    proved(office, account_id)


def test_P9_what_is_in_dispute_is_not_refunded(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, PaymentStatus.SUCCEEDED, 5), "evt_1")
    dispute = Dispute("dp_1", DisputeStatus.OPEN, 5000, 1500, NOW)
    office.gateway_says(replace(report_on(payment, None, 9), dispute=dispute), "evt_2")
    facts = facts_of(lambda: refund_receipt(office, account_id, payment.id, 7101))
    assert (facts["refundable_minor"], facts["disputed_minor"]) == (7100, 5000)
    done = cancel(office, account_id, invoice_id).body
    assert [made["amount_minor"] for made in done["refunds"]] == [7100]
    assert done["credit"]["open_minor"] == 5000
    proved(office, account_id)


def test_R4_a_canceled_purchase_paid_by_card_is_refunded_to_it(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    card_paid(office, account_id, invoice_id)
    with refused(office.books, "method_not_allowed", RuleError):
        cancel(office, account_id, invoice_id, method=Method.CASH)


def test_R10_a_refund_split_over_payments_waits_when_its_sum_is_above_the_limit(office: Office, account_id: str) -> None:
    with_money_rules(office, refund_limits={"EUR": 10000})
    invoice_id = office.invoice(account_id)
    paid(office, account_id, invoice_id, 6000, 6100)
    done = cancel(office, account_id, invoice_id).body
    assert [made["status"] for made in done["refunds"]] == ["awaiting_approval"] * 2
    proved(office, account_id)


def test_R6_a_failed_refund_of_a_canceled_purchase_is_credit_again(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    card_paid(office, account_id, invoice_id)
    done = cancel(office, account_id, invoice_id).body
    next_day(office)
    office.trouble.strike(RuleError("gateway_refused", "no"), on="refund")
    submit_due(office)
    made = refund(office, account_id, done["refunds"][0]["id"])
    assert made.status is RefundStatus.FAILED
    assert office.credit(account_id, done["credit"]["id"]).open_minor == 12100
    assert office.item(account_id, invoice_id).open_minor == 0
    proved(office, account_id)


# Transfer


def test_R9_the_credit_of_a_canceled_purchase_pays_the_new_one(office: Office, account_id: str) -> None:
    old = office.invoice(account_id)
    paid(office, account_id, old, 12100)
    new = office.invoice(account_id, 8000)
    done = cancel(office, account_id, old, RefundChoice.NONE, transfer_to=new).body
    assert (done["transferred_to"]["open_minor"], done["credit"]["open_minor"], done["refunds"]) == (0, 12100 - 9680, [])
    assert office.item(account_id, new).status is InvoiceStatus.PAID
    proved(office, account_id)


def test_R9_a_transfer_that_makes_no_sense_is_refused(office: Office, account_id: str) -> None:
    old, new = office.invoice(account_id), office.invoice(account_id)
    dollars, halves = office.invoice(account_id, currency="USD"), office.invoice(account_id, term="halves")
    with refused(office.books, "nothing_to_transfer", RuleError):
        cancel(office, account_id, old, RefundChoice.NONE, transfer_to=new)
    paid(office, account_id, old, 12100)
    with refused(office.books, "transfer_without_refund", InvalidError):
        cancel(office, account_id, old, 100, transfer_to=new)
    with refused(office.books, "transfer_to_itself", InvalidError):
        cancel(office, account_id, old, RefundChoice.NONE, transfer_to=old)
    with refused(office.books, "currency_mismatch", InvalidError):
        cancel(office, account_id, old, RefundChoice.NONE, transfer_to=dollars)
    with refused(office.books, "invoice_in_instalments", RuleError):
        cancel(office, account_id, old, RefundChoice.NONE, transfer_to=halves)
    paid(office, account_id, new, 12100)
    with refused(office.books, "invoice_settled", RuleError):
        cancel(office, account_id, old, RefundChoice.NONE, transfer_to=new)


# All or nothing, and once


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
def test_L4_a_cancellation_happens_once_whatever_is_lost(office: Office, account_id: str, fault: Fault) -> None:
    invoice_id = office.invoice(account_id)
    paid(office, account_id, invoice_id, 12100)
    office.trouble.strike(fault, on="commit")
    first = cancel(office, account_id, invoice_id, key="same")
    before = office.books.state()
    assert cancel(office, account_id, invoice_id, key="same").body == first.body
    assert office.books.state() == before
    assert [str(entry.draft.kind) for entry in office.entries(account_id)][2:] == [
        "credit_note_issued",
        "refund_requested",
        "refund_succeeded",
    ]
    proved(office, account_id)


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_L4_a_machine_that_dies_leaves_all_of_a_cancellation_or_nothing(office: Office, account_id: str, fault: Fault) -> None:
    invoice_id = office.invoice(account_id)
    paid(office, account_id, invoice_id, 12100)
    before = office.books.state()
    office.trouble.strike(fault, on="commit")
    with pytest.raises(MachineDiedError):
        cancel(office, account_id, invoice_id, key="same")
    assert (office.books.state() == before) is (fault is Fault.CRASH_BEFORE)
    done = cancel(office, account_id, invoice_id, key="same").body
    assert office.books.read(credit_note_ref(account_id, done["note"]["id"])).gross_minor == 12100
    assert prove_numbers("CN-2026", office.books, office.books).gaps == ()
    assert chart(office, account_id) == {}
    proved(office, account_id)
