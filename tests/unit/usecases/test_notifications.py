"""What customers are told of beside invoices and receipts: once each, and nothing of the past (N3, D1, S4)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from remit.domain.accounts import SavedMethod
from remit.domain.automations import Automation
from remit.domain.messages import Message, MessageStatus
from remit.domain.payments import Allocation, PaymentStatus
from remit.domain.terms import Method
from remit.usecases import notify
from remit.usecases.ports import RetryPlan, payment_ref
from tests.support.builders import ALL_ON, NOW, Office, attempt, firm

PLAN = RetryPlan(next_attempt_on=date(2026, 3, 5))


@pytest.fixture
def office() -> Office:
    """An office whose firm wants everything told."""
    return Office(firm=firm(switches=ALL_ON))


def tell(office: Office, how: Callable[..., Message | None], account_id: str, *facts: Any) -> Message | None:
    return how(account_id, *facts, office.firm, office.books, office.letters, office.mailer, office.clock)


def failed(office: Office, account_id: str, invoice_id: str, **changes: Any) -> str:
    """A saved card that was charged without the payer, and declined."""
    item = office.item(account_id, invoice_id)
    payment = attempt(
        item.open_minor,
        account_id=account_id,
        status=PaymentStatus.FAILED,
        created_at=office.clock.now(),
        intended=(Allocation(invoice_id, item.open_minor),),
        **{"saved_method": "pm_1"} | changes,
    )
    office.books.overwrite(payment)
    return payment.id


def saved_card(office: Office, account_id: str, expires: str = "2026-04") -> None:
    account = office.account(account_id)
    method = SavedMethod("pm_1", "stripe", Method.CARD, "visa 4242", NOW, expires)
    office.books.overwrite(replace(account, payment=account.payment.with_method(method)))


def test_S4_a_failed_collection_is_told_once_with_what_is_open_and_what_follows(office: Office) -> None:
    account_id = office.open_account()
    payment_id = failed(office, account_id, office.invoice(account_id))
    for _ in range(3):
        message = tell(office, notify.send_payment_failed, account_id, payment_id, PLAN)
    assert message is not None
    assert message.id == f"msg_payment_failed_{payment_id}"
    assert json.loads(message.text) == {
        "open": {"INV-2026-000001": 12100},
        "next_attempt_on": "2026-03-05",
        "must_act": False,
    }
    assert len(office.mailer.sent) == 1


def test_S4_nobody_is_told_of_what_they_saw_on_the_page(office: Office) -> None:
    account_id = office.open_account()
    payment_id = failed(office, account_id, office.invoice(account_id), saved_method=None)
    assert tell(office, notify.send_payment_failed, account_id, payment_id, PLAN) is None
    assert office.mailer.sent == []


def test_P8_a_debit_that_is_refused_later_is_told(office: Office) -> None:
    account_id = office.open_account()
    payment_id = failed(office, account_id, office.invoice(account_id), saved_method=None, method=Method.BANK_DEBIT)
    assert tell(office, notify.send_payment_failed, account_id, payment_id, RetryPlan()) is not None


def test_P8_failed_and_returned_are_two_facts(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    payment_id = failed(office, account_id, invoice_id)
    tell(office, notify.send_payment_failed, account_id, payment_id, PLAN)
    returned = office.books.read(payment_ref(account_id, payment_id))
    office.books.overwrite(replace(returned, status=PaymentStatus.REVERTED))
    message = tell(office, notify.send_payment_failed, account_id, payment_id, RetryPlan())
    assert message is not None
    assert message.id == f"msg_payment_returned_{payment_id}"


def test_D7_nothing_is_told_of_a_failure_when_the_invoice_is_paid_meanwhile(office: Office) -> None:
    account_id = office.open_account()
    payment_id = failed(office, account_id, office.invoice(account_id))
    office.receive(account_id, 12100, oldest_first=True)
    assert tell(office, notify.send_payment_failed, account_id, payment_id, PLAN) is None


def test_N3_an_expiring_card_is_told_once_a_card_and_month(office: Office) -> None:
    account_id = office.open_account()
    saved_card(office, account_id)
    for _ in range(2):
        tell(office, notify.send_card_expiring, account_id, "pm_1", "2026-04")
    assert [mail.message_id for mail in office.mailer.sent] == ["msg_card_expiring_pm_1_2026-04"]


@pytest.mark.parametrize(("method_id", "expires"), [("pm_2", "2026-04"), ("pm_1", "2026-03")])
def test_N3_a_card_that_was_replaced_is_not_written_about(office: Office, method_id: str, expires: str) -> None:
    account_id = office.open_account()
    saved_card(office, account_id)
    assert tell(office, notify.send_card_expiring, account_id, method_id, expires) is None


def test_N3_a_credit_is_told_once(office: Office) -> None:
    account_id = office.open_account()
    credit_id = office.goodwill(account_id, 5000).body["id"]
    for _ in range(2):
        message = tell(office, notify.send_credit_issued, account_id, credit_id, office.clock.now())
    assert message is not None
    assert (message.about, json.loads(message.text)) == ((credit_id,), {"amount_minor": 5000})
    assert len(office.mailer.sent) == 1


type Setup = Callable[[Office, str], tuple[Callable[..., Message | None], tuple[Any, ...]]]


def a_failure(office: Office, account_id: str) -> tuple[Callable[..., Message | None], tuple[Any, ...]]:
    return notify.send_payment_failed, (failed(office, account_id, office.invoice(account_id)), PLAN)


def a_credit(office: Office, account_id: str) -> tuple[Callable[..., Message | None], tuple[Any, ...]]:
    return notify.send_credit_issued, (office.goodwill(account_id, 100).body["id"], office.clock.now())


@pytest.mark.parametrize(
    ("automation", "happens"), [(Automation.TELL_PAYMENT_FAILED, a_failure), (Automation.TELL_CREDIT, a_credit)]
)
@pytest.mark.parametrize("who", ["firm", "account"])
def test_D1_each_has_its_own_switch_and_nothing_is_told_of_before_it_was_on(
    automation: Automation, happens: Setup, who: str
) -> None:
    others = {each: since for each, since in ALL_ON.items() if each is not automation}
    office = Office(firm=firm(switches=others if who == "firm" else ALL_ON))
    account_id = office.open_account()
    if who == "account":
        office.change_account(account_id, **{automation: False})
    how, facts = happens(office, account_id)
    assert tell(office, how, account_id, *facts) is None
    now = office.clock.advance(hours=1)
    if who == "firm":
        office.firm = firm(switches=others | {automation: now})
    else:
        office.change_account(account_id, **{automation: True})
    assert tell(office, how, account_id, *facts) is None, "it happened before"
    assert office.mailer.sent == []


def test_D1_a_card_is_not_written_about_unless_somebody_turned_it_on() -> None:
    office = Office()
    account_id = office.open_account()
    saved_card(office, account_id)
    assert tell(office, notify.send_card_expiring, account_id, "pm_1", "2026-04") is None


def test_nothing_here_moves_money(office: Office) -> None:
    account_id = office.open_account()
    how, facts = a_failure(office, account_id)
    tell(office, how, account_id, *facts)
    assert office.differences(account_id) == ()
    assert [message.status for message in office.books.all(Message)] == [MessageStatus.SENT]
