"""What one operation has to know of another that came in between: refunds of money that went back, discounts after credits,
pages whose time is over."""

from datetime import timedelta

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


def test_P8_P9_a_debit_that_comes_back_after_its_lost_dispute_leaves_no_credit(office: Office, account_id: str) -> None:
    """A refund that failed while the dispute was open put money back beside what was held: that makes good the loss."""
    payment_id = refunding.card_paid(office, account_id, office.invoice(account_id))
    payment = office.payment(account_id, payment_id)
    waiting = refunding.refund_receipt(office, account_id, payment_id, 5000)
    office.receive(account_id, 5000, oldest_first=True)
    office.gateway_says(payments.dispute_on(payment, DisputeStatus.OPEN), "evt_opened")
    refunding.gateway_says(office, waiting, RefundStatus.FAILED, "evt_refund_failed")
    office.gateway_says(payments.dispute_on(payment, DisputeStatus.LOST, 70), "evt_lost")
    assert office.payment(account_id, payment_id).unapplied_minor == 5000
    lost = refunding.chart(office, account_id)
    for word in ("capture", "failure"):
        at = payment.created_at + timedelta(seconds=30 if word == "capture" else 200)
        said = report_on(payment, None, 200, transaction=Transaction(at, word, "ch_1", 12100), gateway_ids=["ch_1"])
        office.gateway_says(said, f"evt_{word}")
    after = office.payment(account_id, payment_id)
    assert (after.status, after.unapplied_minor) == (PaymentStatus.REVERTED, 0)
    assert (lost["credit"], lost["bad_debt"]) == (-5000, 5000)
    assert {"credit", "bad_debt"}.isdisjoint(refunding.chart(office, account_id))
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
