"""Refunds: from a receipt, from available credit, on hold, at the gateway, approved, canceled, reversed (R1–R8, R10)."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import permutations

import pytest

from remit.domain.errors import NotFoundError, RemitError, RuleError, TransientError
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation
from remit.domain.refunds import RefundFrom, RefundStatus
from remit.domain.terms import Method
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import CLERK, Office
from tests.support.refunding import (
    apply,
    approve,
    call_off,
    cancel,
    card_paid,
    chart,
    credit_note,
    dashboard_refund,
    gateway_says,
    give,
    last_postings,
    next_day,
    proved,
    refund,
    refund_available,
    refund_receipt,
    reverse,
    submit_due,
    with_money_rules,
)
from tests.support.refusals import refused

SUCCEEDED, FAILED, PENDING = RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.PENDING


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


def facts_of(action: Callable[[], object]) -> dict[str, object]:
    """What a refusal says would have been allowed."""
    with pytest.raises(RemitError) as refusal:
        action()
    return refusal.value.facts


def paid_by_card(office: Office, account_id: str) -> tuple[str, str]:
    """(invoice, payment): one of 121.00, paid."""
    invoice_id = office.invoice(account_id)
    return invoice_id, card_paid(office, account_id, invoice_id)


# From a receipt


def test_R8_refunding_a_receipt_opens_its_invoice_again(office: Office, account_id: str) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 2100)
    assert (office.item(account_id, invoice_id).open_minor, made.status) == (2100, RefundStatus.ON_HOLD)
    assert last_postings(office, account_id) == {("receivable", "debit"): 2100, ("refunds_in_transit", "credit"): 2100}
    assert office.payment(account_id, payment_id).refunded_minor == 2100
    proved(office, account_id)


def test_R8_what_is_unapplied_goes_first_then_the_invoice_paid_last(office: Office, account_id: str) -> None:
    first, second = office.invoice(account_id), office.invoice(account_id)
    chosen = [Allocation(first, 12100), Allocation(second, 12100)]
    payment_id = office.receive(account_id, 25000, allocations=chosen).body["id"]
    made = refund_receipt(office, account_id, payment_id, 1000)
    assert [(source.account, source.amount_minor) for source in made.sources] == [
        (RefundFrom.CREDIT, 800),
        (RefundFrom.RECEIVABLE, 200),
    ]
    assert (office.item(account_id, first).open_minor, office.item(account_id, second).open_minor) == (0, 200)
    proved(office, account_id)


def test_R1_money_that_is_paid_out_by_hand_has_gone_at_once(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 5000).body["id"]
    made = refund_receipt(office, account_id, payment_id, 5000, method=Method.CASH)
    assert made.status is SUCCEEDED
    assert chart(office, account_id) == {"cash:bank_transfer": 5000, "cash:cash": -5000}
    (shown,) = [t for t in office.payment(account_id, payment_id).transactions if t.type == "refund"]
    assert (shown.id, shown.amount_minor) == (made.id, 5000)
    proved(office, account_id)


@pytest.mark.parametrize("method", [Method.CARD, Method.CARD_TERMINAL, Method.BANK_DEBIT])
def test_R4_a_card_payment_is_refunded_to_its_card_alone(office: Office, account_id: str, method: Method) -> None:
    payment_id = office.receive(account_id, 5000, method=method).body["id"]
    with refused(office.books, "method_not_allowed", RuleError):
        refund_receipt(office, account_id, payment_id, 100, method=Method.BANK_TRANSFER)
    facts = facts_of(lambda: refund_receipt(office, account_id, payment_id, 100, method=Method.CASH))
    assert facts == {"allowed_methods": [str(method)]}
    assert refund_receipt(office, account_id, payment_id, 100).method is method


def test_R4_other_money_is_never_refunded_to_a_card(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 5000).body["id"]
    with refused(office.books, "method_not_allowed", RuleError):
        refund_receipt(office, account_id, payment_id, 100, method=Method.CARD)


def test_R2_refunds_of_a_payment_never_exceed_what_it_captured(office: Office, account_id: str) -> None:
    _, payment_id = paid_by_card(office, account_id)
    refund_receipt(office, account_id, payment_id, 12000)
    facts = facts_of(lambda: refund_receipt(office, account_id, payment_id, 101))
    assert (facts["refundable_minor"], facts["captured_minor"], facts["refunded_minor"]) == (100, 12100, 12000)
    with refused(office.books, "refund_exceeds_captured", RuleError):
        refund_receipt(office, account_id, payment_id, 101)
    refund_receipt(office, account_id, payment_id, 100)
    proved(office, account_id)


@pytest.mark.parametrize("minor", [6051, 12100])
def test_R2_two_refunds_at_once_never_exceed_what_was_captured(office: Office, account_id: str, minor: int) -> None:
    _, payment_id = paid_by_card(office, account_id)
    office.trouble.meanwhile(lambda: refund_receipt(office, account_id, payment_id, minor))
    with pytest.raises(RuleError, match="refund_exceeds_captured"):
        refund_receipt(office, account_id, payment_id, minor)
    assert office.payment(account_id, payment_id).refunded_minor == minor
    proved(office, account_id)


def test_R2_a_refund_between_two_reads_of_another_breaks_nothing(office: Office, account_id: str) -> None:
    """The payment was read before it, and the invoice that it had paid afterwards: together they are of no one moment."""
    _, payment_id = paid_by_card(office, account_id)
    office.trouble.meanwhile(lambda: refund_receipt(office, account_id, payment_id, 10000), on="load", at=2)
    with pytest.raises(RuleError, match="refund_exceeds_captured"):
        refund_receipt(office, account_id, payment_id, 5000)
    assert office.payment(account_id, payment_id).refunded_minor == 10000
    proved(office, account_id)


def test_R2_a_payment_that_has_not_arrived_has_nothing_to_refund(office: Office, account_id: str) -> None:
    pending, _ = office.checkout(account_id, office.invoice(account_id))
    with refused(office.books, "refund_exceeds_captured", RuleError):
        refund_receipt(office, account_id, pending.id, 1)
    with refused(office.books, "payment_not_found", NotFoundError):
        refund_receipt(office, account_id, "pay_none", 1)


# From available credit


def test_R5_a_refund_at_balance_zero_is_impossible(office: Office, account_id: str) -> None:
    with refused(office.books, "no_available_credit", RuleError):
        refund_available(office, account_id, 1)
    assert facts_of(lambda: refund_available(office, account_id, 1)) == {"balance_minor": 0, "refundable_minor": 0}


def test_R5_what_is_owed_elsewhere_is_no_available_credit(office: Office, account_id: str) -> None:
    office.receive(account_id, 12100)
    office.invoice(account_id)
    with refused(office.books, "no_available_credit", RuleError):
        refund_available(office, account_id, 1)


def test_R4_available_credit_is_refunded_up_to_what_the_balance_is_below_zero(office: Office, account_id: str) -> None:
    office.receive(account_id, 15000)
    office.invoice(account_id)
    facts = facts_of(lambda: refund_available(office, account_id, 2901))
    assert facts == {"balance_minor": -2900, "refundable_minor": 2900}
    made = refund_available(office, account_id, 2900)
    assert made.status is SUCCEEDED
    assert office.balance(account_id).balance_minor == 0
    with refused(office.books, "no_available_credit", RuleError):
        refund_available(office, account_id, 1)
    proved(office, account_id)


@pytest.mark.parametrize("method", [Method.CARD, Method.CARD_TERMINAL, Method.BANK_DEBIT])
def test_R4_available_credit_is_never_refunded_to_a_card(office: Office, account_id: str, method: Method) -> None:
    office.receive(account_id, 5000)
    with refused(office.books, "method_not_allowed", RuleError):
        refund_available(office, account_id, 100, method)


def test_C1_goodwill_is_not_refundable_unless_it_says_so(office: Office, account_id: str) -> None:
    give(office, account_id, 5000)
    facts = facts_of(lambda: refund_available(office, account_id, 1))
    assert facts == {"balance_minor": -5000, "refundable_minor": 0}
    with refused(office.books, "refund_exceeds_credit", RuleError):
        refund_available(office, account_id, 1)
    credit = give(office, account_id, 700, is_refundable=True)
    made = refund_available(office, account_id, 700)
    assert [source.document_id for source in made.sources] == [credit.id]
    proved(office, account_id)


def test_C1_goodwill_does_not_become_money_by_way_of_a_canceled_purchase(office: Office, account_id: str) -> None:
    credit = give(office, account_id, 12100)
    invoice_id = office.invoice(account_id)
    apply(office, account_id, credit.id, Allocation(invoice_id, 12100))
    credit_note(office, account_id, invoice_id)
    assert office.balance(account_id).balance_minor == -12100
    with refused(office.books, "refund_exceeds_credit", RuleError):
        refund_available(office, account_id, 1)


def test_R2_what_goes_out_of_a_payments_unapplied_part_counts_on_it(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    payment_id = office.receive(account_id, 13000, allocations=[Allocation(invoice_id, 12100)]).body["id"]
    refund_available(office, account_id, 900)
    assert office.payment(account_id, payment_id).refunded_minor == 900
    facts = facts_of(lambda: refund_receipt(office, account_id, payment_id, 12101))
    assert facts["refundable_minor"] == 12100
    proved(office, account_id)


# On hold, and at the gateway


def test_R7_a_card_refund_waits_for_the_end_of_the_gateways_day(office: Office, account_id: str) -> None:
    with_money_rules(office, gateway_time_zone="America/Los_Angeles")
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    assert made.submit_at == datetime(2026, 3, 3, 8, tzinfo=UTC)
    office.clock.set(datetime(2026, 3, 3, 7, 59, tzinfo=UTC))
    assert submit_due(office) == []
    office.clock.set(datetime(2026, 3, 3, 8, tzinfo=UTC))
    assert [each.status for each in submit_due(office)] == [SUCCEEDED]
    assert chart(office, account_id)["receivable"] == 12100
    assert "refunds_in_transit" not in chart(office, account_id)
    proved(office, account_id)


def test_R7_a_firm_that_holds_nothing_gives_it_to_the_processor_at_once(office: Office, account_id: str) -> None:
    with_money_rules(office, hold_refunds=False)
    _, payment_id = paid_by_card(office, account_id)
    refund_receipt(office, account_id, payment_id, 12100)
    assert [each.status for each in submit_due(office)] == [SUCCEEDED]


def test_R7_a_refund_is_canceled_on_its_day_and_puts_everything_back(office: Office, account_id: str) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    before = chart(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    assert call_off(office, account_id, made.id).status is RefundStatus.CANCELED
    assert chart(office, account_id) == before
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert office.payment(account_id, payment_id).refunded_minor == 0
    with refused(office.books, "refund_not_cancelable", RuleError):
        call_off(office, account_id, made.id)
    next_day(office)
    assert submit_due(office) == []
    proved(office, account_id)


def test_R7_the_day_after_or_once_the_processor_has_it_it_is_too_late(office: Office, account_id: str) -> None:
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    next_day(office)
    with refused(office.books, "refund_not_cancelable", RuleError):
        call_off(office, account_id, made.id)
    office.gateway.refunds_are = PENDING
    submit_due(office)
    facts = facts_of(lambda: call_off(office, account_id, made.id))
    assert facts == {"status": "pending", "cancelable_on": "2026-03-02"}


def test_R7_canceling_while_it_is_handed_over_either_cancels_or_hands_over(office: Office, account_id: str) -> None:
    with_money_rules(office, hold_refunds=False)
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    office.trouble.meanwhile(lambda: call_off(office, account_id, made.id))
    assert [each.status for each in submit_due(office)] == [RefundStatus.CANCELED]
    assert office.gateway.refunds == {}
    proved(office, account_id)


@pytest.mark.parametrize(
    ("fault", "on"),
    [(Fault.LOST_REPLY, "refund"), (Fault.CRASH_AFTER, "refund"), (Fault.CRASH_BEFORE, "refund"), (Fault.THROTTLE, "refund")]
    + [(fault, "commit") for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)],
)
@pytest.mark.parametrize("step", [1, 2])
def test_R6_whatever_crashes_the_processor_is_asked_again_and_refunds_once(
    office: Office, account_id: str, fault: Fault, on: str, step: int
) -> None:
    if on == "refund" and step == 2:
        step = 1
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    next_day(office)
    office.trouble.strike(fault, on=on, at=step)
    try:
        submit_due(office)
    except MachineDiedError:
        assert fault in (Fault.CRASH_AFTER, Fault.CRASH_BEFORE)
    assert office.trouble.pending == 0
    for _ in range(3):
        office.clock.advance(minutes=10)
        submit_due(office)
    assert refund(office, account_id, made.id).status is SUCCEEDED
    assert len(office.gateway.refunds) == 1
    kinds = [str(entry.draft.kind) for entry in office.entries(account_id)]
    assert kinds.count("refund_succeeded") == 1
    proved(office, account_id)


def test_R6_a_lost_event_of_a_pending_refund_is_asked_for(office: Office, account_id: str) -> None:
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    next_day(office)
    office.gateway.refunds_are = PENDING
    assert [each.status for each in submit_due(office)] == [PENDING]
    assert submit_due(office) == []
    office.gateway.refunds.clear()
    office.gateway.refunds_are = SUCCEEDED
    next_day(office)
    next_day(office)
    submit_due(office)
    assert refund(office, account_id, made.id).status is SUCCEEDED
    proved(office, account_id)


def test_R6_a_refund_that_the_processor_refuses_has_failed_and_is_back(office: Office, account_id: str) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    before = chart(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    next_day(office)
    office.trouble.strike(RuleError("gateway_refused", "charge_disputed"), on="refund")
    (failed,) = submit_due(office)
    assert (failed.status, failed.failure) == (FAILED, "gateway_refused")
    assert chart(office, account_id) == before
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert made.id == failed.id
    proved(office, account_id)


def test_R6_a_refund_that_fails_days_after_it_succeeded_is_put_back(office: Office, account_id: str) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    before = chart(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    next_day(office)
    submit_due(office)
    office.receive(account_id, 100, allocations=[Allocation(invoice_id, 100)])
    office.clock.advance(days=5)
    gateway_says(office, made, FAILED, "evt_failed")
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert office.payment(account_id, payment_id).unapplied_minor == 100
    assert chart(office, account_id) == before | {"cash:bank_transfer": 100, "credit": -100}
    (shown,) = [t for t in office.payment(account_id, payment_id).transactions if t.type == "refund"]
    assert shown.note == "expired_or_canceled_card"
    gateway_says(office, made, FAILED, "evt_failed_again")
    proved(office, account_id)


@pytest.mark.parametrize("order", list(permutations([PENDING, SUCCEEDED, FAILED])), ids=lambda order: "-".join(order))
def test_R6_G3_every_order_of_a_refunds_events_gives_one_ledger(
    office: Office, account_id: str, order: tuple[RefundStatus, ...]
) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    before = chart(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    office.gateway.refunds_are = PENDING
    next_day(office)
    submit_due(office)
    at = {PENDING: 1, SUCCEEDED: 2, FAILED: 3}
    for status in (*order, *order):
        gateway_says(office, made, status, f"evt_{status}", at[status])
    assert chart(office, account_id) == before
    known = refund(office, account_id, made.id)
    assert (known.status, known.failure) == (FAILED, "expired_or_canceled_card")
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert len([t for t in office.payment(account_id, payment_id).transactions if t.type == "refund"]) == 1
    proved(office, account_id)


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
def test_R6_an_event_counts_once_whatever_is_lost(office: Office, account_id: str, fault: Fault) -> None:
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    office.gateway.refunds_are = PENDING
    next_day(office)
    submit_due(office)
    office.trouble.strike(fault, on="commit")
    gateway_says(office, made, SUCCEEDED, "evt_1")
    gateway_says(office, made, SUCCEEDED, "evt_1")
    assert chart(office, account_id) == {"receivable": 12100, "revenue:services": -10000, "tax:VAT21": -2100}
    proved(office, account_id)


def test_G3_an_event_of_an_unknown_refund_of_ours_is_refused_and_comes_again(office: Office, account_id: str) -> None:
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 100)
    office.books.erase(made)
    with refused(office.books, "refund_not_found", NotFoundError):
        gateway_says(office, made, SUCCEEDED, "evt_1")


# Made in the gateway's dashboard


def test_R8_a_refund_of_the_dashboard_is_booked_as_one_of_its_receipt(office: Office, account_id: str) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    payment = office.payment(account_id, payment_id)
    made = dashboard_refund(office, payment, 2100, SUCCEEDED, "evt_1")
    dashboard_refund(office, payment, 2100, SUCCEEDED, "evt_2")
    assert (made.status, made.gateway_id, made.payment_id) == (SUCCEEDED, "re_dashboard", payment_id)
    assert office.item(account_id, invoice_id).open_minor == 2100
    assert chart(office, account_id)["cash:stripe"] == 10000
    dashboard_refund(office, payment, 2100, FAILED, "evt_3")
    assert office.item(account_id, invoice_id).open_minor == 0
    proved(office, account_id)


@pytest.mark.parametrize("order", list(permutations([PENDING, SUCCEEDED, FAILED])), ids=lambda order: "-".join(order))
def test_G3_every_order_of_a_dashboard_refunds_events_gives_one_ledger(
    office: Office, account_id: str, order: tuple[RefundStatus, ...]
) -> None:
    _, payment_id = paid_by_card(office, account_id)
    before = chart(office, account_id)
    for number, status in enumerate(order):
        dashboard_refund(office, office.payment(account_id, payment_id), 2100, status, f"evt_{number}")
    assert chart(office, account_id) == before
    proved(office, account_id)


def test_R2_a_dashboard_refund_of_what_the_customer_has_nowhere_any_more_is_a_loss(office: Office, account_id: str) -> None:
    """Our own refund waits, and somebody refunds the same in the dashboard: the gateway then refuses ours."""
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    dashboard_refund(office, office.payment(account_id, payment_id), 12100, SUCCEEDED, "evt_1")
    assert chart(office, account_id)["bad_debt"] == 12100
    next_day(office)
    office.trouble.strike(RuleError("gateway_refused", "charge_already_refunded"), on="refund")
    submit_due(office)
    assert refund(office, account_id, made.id).status is FAILED
    assert "cash:stripe" not in chart(office, account_id)
    proved(office, account_id)


# A second person


def test_R10_a_refund_above_the_limit_waits_with_its_money_reserved(office: Office, account_id: str) -> None:
    with_money_rules(office, refund_limits={"EUR": 5000})
    office.receive(account_id, 12000)
    assert refund_available(office, account_id, 5000).status is SUCCEEDED
    made = refund_available(office, account_id, 5001)
    assert made.status is RefundStatus.AWAITING_APPROVAL
    assert office.balance(account_id).balance_minor == -1999
    with refused(office.books, "second_person_required"):
        approve(office, account_id, made.id, CLERK)
    approved = approve(office, account_id, made.id)
    assert (approved.status, approved.approved_by and approved.approved_by.id) == (SUCCEEDED, "manager-1")
    with refused(office.books, "refund_not_waiting"):
        approve(office, account_id, made.id)
    proved(office, account_id)


def test_R10_a_rejected_refund_is_canceled_on_any_day_and_puts_everything_back(office: Office, account_id: str) -> None:
    with_money_rules(office, refund_limits={"EUR": 0})
    office.receive(account_id, 12000)
    made = refund_available(office, account_id, 1)
    office.clock.advance(days=9)
    assert call_off(office, account_id, made.id).status is RefundStatus.CANCELED
    assert office.balance(account_id).balance_minor == -12000
    proved(office, account_id)


def test_R10_R7_an_approved_card_refund_is_on_hold_for_the_rest_of_that_day(office: Office, account_id: str) -> None:
    with_money_rules(office, refund_limits={"EUR": 5000})
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 12100)
    assert made.submit_at is None
    office.clock.advance(days=3)
    assert submit_due(office) == []
    approved = approve(office, account_id, made.id)
    assert (approved.status, approved.submit_at) == (RefundStatus.ON_HOLD, datetime(2026, 3, 6, tzinfo=UTC))
    assert call_off(office, account_id, made.id).status is RefundStatus.CANCELED
    proved(office, account_id)


def test_R10_a_currency_without_a_limit_waits_for_nobody(office: Office, account_id: str) -> None:
    with_money_rules(office, refund_limits={"USD": 0})
    office.receive(account_id, 12000)
    assert refund_available(office, account_id, 12000).status is SUCCEEDED


# Reversal


def test_R7_a_processed_refund_is_reversed_by_an_invoice_that_asks_for_money(office: Office, account_id: str) -> None:
    payment_id = office.receive(account_id, 12000).body["id"]
    made = refund_available(office, account_id, 12000)
    reverse(office, account_id, made.id, "paid out to the wrong person")
    reversal = office.document(account_id, refund(office, account_id, made.id).reversed_by or "")
    assert (reversal.total_minor, reversal.kind, reversal.reverses) == (12000, OrderKind.REFUND_REVERSAL, made.id)
    assert reversal.priced.totals.tax_minor == 0
    assert office.payment(account_id, payment_id).unapplied_minor == 12000
    assert office.payment(account_id, payment_id).refunded_minor == 12000
    assert last_postings(office, account_id) == {("receivable", "debit"): 12000, ("credit", "credit"): 12000}
    credit = give(office, account_id, 500)
    with refused(office.books, "invoice_needs_money", RuleError):
        apply(office, account_id, credit.id, Allocation(reversal.id, 500))
    with refused(office.books, "refund_reversed", RuleError):
        reverse(office, account_id, made.id)
    proved(office, account_id)


def test_R7_a_refund_that_opened_an_invoice_or_is_not_processed_is_not_reversed(office: Office, account_id: str) -> None:
    invoice_id, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 100)
    assert facts_of(lambda: reverse(office, account_id, made.id)) == {"status": "on_hold"}
    next_day(office)
    submit_due(office)
    with refused(office.books, "refund_opened_invoice", RuleError):
        reverse(office, account_id, made.id)
    assert facts_of(lambda: reverse(office, account_id, made.id)) == {"invoice_ids": [invoice_id]}


@pytest.mark.parametrize("paid_back", [0, 5000, 12100])
def test_R6_R7_a_reversed_refund_that_then_fails_pays_the_invoice_that_asked_for_it(
    office: Office, account_id: str, paid_back: int
) -> None:
    """The credit is there again by then, so the money that came back settles the reversal, and the rest is credit."""
    invoice_id, _ = paid_by_card(office, account_id)
    refund_id = str(cancel(office, account_id, invoice_id).body["refunds"][0]["id"])
    next_day(office)
    submit_due(office)
    reverse(office, account_id, refund_id)
    made = refund(office, account_id, refund_id)
    if paid_back:
        office.receive(account_id, paid_back, allocations=[Allocation(made.reversed_by or "", paid_back)])
    gateway_says(office, made, FAILED, "evt_failed", 60)
    assert office.item(account_id, made.reversed_by or "").open_minor == 0
    assert office.balance(account_id).balance_minor == -12100 - paid_back
    assert chart(office, account_id)["cash:stripe"] == 12100
    proved(office, account_id)


def test_a_refund_of_nobodys_is_not_found(office: Office, account_id: str) -> None:
    for action in (call_off, approve, reverse):
        with pytest.raises(NotFoundError, match="refund_not_found"):
            action(office, account_id, "ref_none")


def test_R6_a_processor_that_never_answers_leaves_the_refund_pending(office: Office, account_id: str) -> None:
    _, payment_id = paid_by_card(office, account_id)
    refund_receipt(office, account_id, payment_id, 100)
    for _ in range(4):
        next_day(office)
        office.trouble.strike(TransientError("gateway_unavailable", "no answer"), on="refund")
        assert [each.status for each in submit_due(office)] == [PENDING]


# Once, whatever is lost


def _receipt(office: Office, account_id: str) -> Callable[[], object]:
    _, payment_id = paid_by_card(office, account_id)
    return lambda: refund_receipt(office, account_id, payment_id, 5000, key="same")


def _available(office: Office, account_id: str) -> Callable[[], object]:
    office.receive(account_id, 5000)
    return lambda: refund_available(office, account_id, 5000, key="same")


def _called_off(office: Office, account_id: str) -> Callable[[], object]:
    _, payment_id = paid_by_card(office, account_id)
    made = refund_receipt(office, account_id, payment_id, 5000)
    return lambda: call_off(office, account_id, made.id, key="same")


def _approved(office: Office, account_id: str) -> Callable[[], object]:
    with_money_rules(office, refund_limits={"EUR": 0})
    office.receive(account_id, 5000)
    made = refund_available(office, account_id, 5000)
    return lambda: approve(office, account_id, made.id, key="same")


def _reversed(office: Office, account_id: str) -> Callable[[], object]:
    office.receive(account_id, 5000)
    made = refund_available(office, account_id, 5000)
    return lambda: reverse(office, account_id, made.id, key="same")


@pytest.mark.parametrize("prepare", [_receipt, _available, _called_off, _approved, _reversed])
@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY, Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_L4_each_request_is_done_once_whatever_is_lost(
    office: Office, account_id: str, prepare: Callable[[Office, str], Callable[[], object]], fault: Fault
) -> None:
    calm = Office()
    prepare(calm, calm.open_account())()
    expected = [entry.draft.postings for entry in calm.entries(account_id)]
    do = prepare(office, account_id)
    office.trouble.strike(fault, on="commit")
    with suppress(MachineDiedError):
        do()
    assert office.trouble.pending == 0
    do()
    before = office.books.state()
    do()
    assert office.books.state() == before
    assert [[p.amount_minor for p in entry.draft.postings] for entry in office.entries(account_id)] == [
        [p.amount_minor for p in postings] for postings in expected
    ]
    proved(office, account_id)
