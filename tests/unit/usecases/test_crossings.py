"""What one operation has to know of another that came in between: refunds of money that went back, discounts after credits,
pages whose time is over."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from remit.domain.errors import NotFoundError, RuleError
from remit.domain.money import Money
from remit.domain.open_items import InvoiceStatus
from remit.domain.payments import DisputeStatus, PaymentStatus, Transaction
from remit.domain.refunds import RefundStatus
from remit.domain.terms import Method
from remit.usecases.payment_attempts import Pick
from remit.usecases.ports import AgendaKind
from remit.usecases.withdraw_from_wallet import WithdrawalWish, withdraw_from_wallet
from tests.support import payments, refunding, wallet
from tests.support.builders import Office, plain, report_on
from tests.support.refusals import refused


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


def bounced_with_refund_waiting(office: Office, account_id: str) -> tuple[str, str]:
    """A check of 100.00, 30.00 of it refunded above the limit and so not gone yet, that bounces: payment and refund ids."""
    refunding.with_money_rules(office, refund_limits={"EUR": 1000})
    payment_id = str(office.receive(account_id, 10000, method=Method.CHECK).body["id"])
    waiting = refunding.refund_receipt(office, account_id, payment_id, 3000)
    assert waiting.status is RefundStatus.AWAITING_APPROVAL
    payments.reverse(office, account_id, payment_id)
    assert refunding.chart(office, account_id) == {"bad_debt": 3000, "refunds_in_transit": -3000}
    return payment_id, waiting.id


def test_R7_a_canceled_refund_of_a_bounced_check_gives_nobody_credit(office: Office, account_id: str) -> None:
    """P8: the money never came, so what the refund had reserved makes good the loss."""
    payment_id, refund_id = bounced_with_refund_waiting(office, account_id)
    refunding.call_off(office, account_id, refund_id)
    assert office.payment(account_id, payment_id).unapplied_minor == 0
    assert refunding.chart(office, account_id) == {}
    assert office.differences(account_id) == ()


def test_R7_what_a_bounced_check_had_refunded_is_asked_back_and_is_no_credit(office: Office, account_id: str) -> None:
    payment_id, refund_id = bounced_with_refund_waiting(office, account_id)
    refunding.approve(office, account_id, refund_id)
    refunding.reverse(office, account_id, refund_id)
    assert office.payment(account_id, payment_id).unapplied_minor == 0
    assert refunding.chart(office, account_id) == {"cash:check": -3000, "receivable": 3000}
    assert office.payment(account_id, payment_id).entries[-1] == office.balance(account_id).sequence
    assert office.differences(account_id) == ()


@pytest.mark.parametrize("order", list(permutations(("opened", "refund failed", "lost"))), ids="; ".join)
def test_G3_P9_a_refund_that_fails_beside_a_lost_dispute_is_nobodys_credit(
    office: Office, account_id: str, order: Sequence[str]
) -> None:
    """R6: 121.00 paid, 50.00 of it refunded and paid anew, then the dispute takes all of the first payment: what the refund did
    not take makes good what was lost, whatever is heard first. When the debit then comes back, nothing is left for it to take."""
    payment_id = refunding.card_paid(office, account_id, office.invoice(account_id))
    payment = office.payment(account_id, payment_id)
    waiting = refunding.refund_receipt(office, account_id, payment_id, 5000)
    office.receive(account_id, 5000, oldest_first=True)
    reports = {
        "opened": lambda: office.gateway_says(payments.dispute_on(payment, DisputeStatus.OPEN), "evt_opened"),
        "refund failed": lambda: refunding.gateway_says(office, waiting, RefundStatus.FAILED, "evt_refund_failed"),
        "lost": lambda: office.gateway_says(payments.dispute_on(payment, DisputeStatus.LOST, 70), "evt_lost"),
    }
    for each in order:
        reports[each]()
    expected = {"receivable": 7100, "credit": 0, "bad_debt": 0, "disputes": 0, "held": 0}
    assert {name: refunding.chart(office, account_id).get(name, 0) for name in expected} == expected
    assert office.payment(account_id, payment_id).unapplied_minor == 0
    for word in ("capture", "failure"):
        at = payment.created_at + timedelta(seconds=30 if word == "capture" else 200)
        said = report_on(payment, None, 200, transaction=Transaction(at, word, "ch_1", 12100), gateway_ids=["ch_1"])
        office.gateway_says(said, f"evt_{word}")
    assert office.payment(account_id, payment_id).status is PaymentStatus.REVERTED
    assert {name: refunding.chart(office, account_id).get(name, 0) for name in expected} == expected
    payments.proves(office, account_id)


def test_R6_R7_what_was_paid_for_a_refund_that_came_to_nothing_stays_the_customers(office: Office, account_id: str) -> None:
    """P8: a refund that an invoice asks back, which the customer pays; then the gateway says that the refund had failed, and the
    payment itself goes back. What goes back is the first payment; what they paid for the refund is still theirs."""
    payment = payments.checkout(office, account_id, Pick(office.invoice(account_id)))
    payment_id, paid = payment.id, payment.amount_minor
    office.receive(account_id, paid, oldest_first=True)
    office.gateway_says(report_on(payment, PaymentStatus.SUCCEEDED, 5, gateway_ids=[f"pi_{payment_id}"]), "evt_paid")
    assert office.payment(account_id, payment_id).unapplied_minor == paid, "it was paid twice"
    refund = refunding.refund_receipt(office, account_id, payment_id, paid)
    refunding.gateway_says(office, refund, RefundStatus.SUCCEEDED, "evt_refunded")
    refunding.reverse(office, account_id, refund.id)
    office.receive(account_id, paid, oldest_first=True)
    refunding.gateway_says(office, refund, RefundStatus.FAILED, "evt_refund_failed")
    assert office.balance(account_id).credit_minor == 2 * paid
    for word in ("capture", "failure"):
        at = payment.created_at + timedelta(seconds=30 if word == "capture" else 200)
        said = report_on(payment, None, 200, transaction=Transaction(at, word, "ch_1", paid), gateway_ids=["ch_1"])
        office.gateway_says(said, f"evt_{word}")
    chart = refunding.chart(office, account_id)
    assert (chart["credit"], chart.get("bad_debt", 0), chart.get("receivable", 0)) == (-paid, 0, 0)
    payments.proves(office, account_id)


def test_G3_a_refund_in_the_dashboard_waits_until_its_payment_is_booked(office: Office, account_id: str) -> None:
    """Booked before, it would be a loss, and the customer would keep what came back as credit."""
    payment = payments.checkout(office, account_id, Pick(office.invoice(account_id)))
    with refused(office.books, "payment_not_arrived", NotFoundError):
        refunding.dashboard_refund(office, payment, 2100, RefundStatus.SUCCEEDED, "evt_1")


def test_L6_a_refund_that_failed_before_it_was_heard_of_is_no_difference(office: Office, account_id: str) -> None:
    payment = office.payment(account_id, refunding.card_paid(office, account_id, office.invoice(account_id)))
    refunding.dashboard_refund(office, payment, 2100, RefundStatus.FAILED, "evt_1")
    assert office.differences(account_id) == ()


def test_L6_a_credit_note_that_its_invoice_takes_all_of_is_no_difference(office: Office, account_id: str) -> None:
    refunding.credit_note(office, account_id, office.invoice(account_id))
    assert office.differences(account_id) == ()


def test_W3_a_withdrawal_names_both_its_entries(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=5000)
    wish = WithdrawalWish(account_id, Money(2000, "EUR"), Method.BANK_TRANSFER, "asked for it")
    answer = withdraw_from_wallet(wish, office.request(None, plain(wish)), office.firm, office.books, office.clock, office.ids)
    last = office.balance(account_id).sequence
    assert refunding.refund(office, account_id, answer.body["id"]).entries == (last - 1, last)


# Pages whose time is over


def test_P4_a_page_paid_in_its_last_minute_is_not_paid_again(office: Office, account_id: str) -> None:
    """Its event is late. Our clock says that the page is over; the gateway, that it was paid."""
    invoice_id = office.invoice(account_id)
    first = payments.checkout(office, account_id, Pick(invoice_id))
    office.gateway.completed.add(first.id)
    office.gateway.charged[first.id] = PaymentStatus.SUCCEEDED
    office.clock.advance(days=2)
    with pytest.raises(RuleError, match="payment_under_way"):
        payments.checkout(office, account_id, Pick(invoice_id))
    assert office.payment(account_id, first.id).status is PaymentStatus.SUCCEEDED
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert list(office.gateway.pages) == [first.id]


def test_P4_a_page_that_nobody_paid_is_closed_before_another_one_is_opened(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id)
    first = payments.checkout(office, account_id, Pick(invoice_id))
    office.clock.advance(days=2)
    second = payments.checkout(office, account_id, Pick(invoice_id))
    assert office.gateway.closed == [first.id]
    assert office.payment(account_id, first.id).status is PaymentStatus.CANCELED
    assert second.id != first.id


def test_P4_the_gateway_is_asked_about_every_page_whose_time_is_over(office: Office, account_id: str) -> None:
    page = payments.checkout(office, account_id, Pick(office.invoice(account_id)))
    assert page.expires_at
    office.clock.set(page.expires_at + timedelta(hours=1))
    assert payments.due(office, AgendaKind.OUTCOME) == [page.id]
    assert payments.resolve(office, page).payment.status is PaymentStatus.CANCELED
    assert payments.due(office, AgendaKind.OUTCOME) == []


def test_P4_a_page_that_was_given_up_while_it_opened_is_closed_again(office: Office, account_id: str) -> None:
    """Somebody pays a part of the invoice just while the page for all of it is being made: nobody is sent to that one."""
    invoice_id = office.invoice(account_id)
    office.trouble.meanwhile(lambda: payments.checkout(office, account_id, Pick(invoice_id, 2100)), on="checkout")
    with pytest.raises(RuleError, match="attempt_canceled"):
        payments.checkout(office, account_id, Pick(invoice_id))
    (closed,) = office.gateway.closed
    assert office.payment(account_id, closed).amount_minor == 12100
