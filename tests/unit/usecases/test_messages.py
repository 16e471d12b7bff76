"""One message a fact, sent once (D1, D2, D7, D11)."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from remit.domain.automations import Automation
from remit.domain.errors import ConflictError, NotFoundError, RuleError, TransientError
from remit.domain.messages import Message, MessageStatus
from remit.domain.payments import Allocation
from remit.usecases.notify import send_invoice, send_receipt
from remit.usecases.ports import Letter, message_ref
from remit.usecases.send_message import LEASE, send_once
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import ALL_ON, NOW, Office, firm
from tests.support.refusals import refused


@pytest.fixture
def office() -> Office:
    """An office whose firm wants everything sent."""
    return Office(firm=firm(switches=ALL_ON))


def letter() -> Letter:
    return Letter("test", "test-1", "A subject", "<p>html</p>", "text", {"amount_minor": 100})


def send(office: Office, account_id: str, write: Callable[[], Letter] = letter) -> Message:
    return send_once("msg_1", office.account(account_id), write, office.books, office.mailer, office.clock)


def stored(office: Office, account_id: str, id: str = "msg_1") -> Message:
    return office.books.read(message_ref(account_id, id))


# send_once


def test_D11_what_was_sent_is_kept_with_what_it_was_made_of(office: Office) -> None:
    account_id = office.open_account()
    sent = send(office, account_id)
    assert replace(stored(office, account_id), version=0) == replace(sent, version=0)
    assert (sent.status, sent.sent_at, sent.provider_id, sent.to) == (
        MessageStatus.SENT,
        NOW,
        "provider-1",
        "ap@blooming.example",
    )
    assert (sent.template, sent.template_version, sent.subject, sent.html, sent.text) == (
        "test",
        "test-1",
        "A subject",
        "<p>html</p>",
        "text",
    )


def test_D2_a_repeat_sends_nothing_and_writes_nothing(office: Office) -> None:
    account_id = office.open_account()
    send(office, account_id)
    before = office.books.state()
    office.clock.advance(days=99)
    send(office, account_id)
    assert len(office.mailer.sent) == 1
    assert office.books.state() == before


def test_D2_two_machines_at_once_send_one_mail(office: Office) -> None:
    account_id = office.open_account()
    office.trouble.meanwhile(lambda: send(office, account_id))
    assert send(office, account_id).status is MessageStatus.SENT
    assert len(office.mailer.sent) == 1


def test_D2_while_one_machine_is_at_it_the_others_wait(office: Office) -> None:
    account_id = office.open_account()
    waiting: list[str] = []

    def other_machine() -> None:
        with pytest.raises(TransientError) as refusal:
            send(office, account_id)
        waiting.append(refusal.value.code)

    office.trouble.meanwhile(other_machine, on="send")
    send(office, account_id)
    assert waiting == ["message_being_sent"]
    assert len(office.mailer.sent) == 1


@pytest.mark.parametrize(("fault", "mails"), [(Fault.CRASH_BEFORE, 1), (Fault.CRASH_AFTER, 2)])
def test_D2_a_machine_that_died_while_sending_is_waited_for_as_long_as_it_might_live(
    office: Office, fault: Fault, mails: int
) -> None:
    """After the claim has expired the mail goes out (again: a notice twice is better than one never sent)."""
    account_id = office.open_account()
    office.trouble.strike(fault, on="send")
    with pytest.raises(MachineDiedError):
        send(office, account_id)
    office.clock.advance(seconds=LEASE.total_seconds() - 1)
    with refused(office.books, "message_being_sent", TransientError):
        send(office, account_id)
    office.clock.advance(seconds=1)
    assert send(office, account_id).status is MessageStatus.SENT
    assert len(office.mailer.sent) == mails


def test_D2_a_crash_after_the_mark_sends_nothing_again(office: Office) -> None:
    account_id = office.open_account()
    office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=2)
    with pytest.raises(MachineDiedError):
        send(office, account_id)
    office.clock.advance(days=1)
    send(office, account_id)
    assert len(office.mailer.sent) == 1


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
def test_D2_what_was_handed_over_is_marked_whatever_meets_the_mark(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    office.trouble.strike(fault, on="commit", at=2)
    assert send(office, account_id).status is MessageStatus.SENT
    assert (office.trouble.pending, stored(office, account_id).status) == (0, MessageStatus.SENT)
    office.clock.advance(days=1)
    send(office, account_id)
    assert len(office.mailer.sent) == 1


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
def test_D2_a_claim_is_given_back_whatever_meets_that(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    office.trouble.strike(Fault.THROTTLE, on="send")
    office.trouble.strike(fault, on="commit", at=2)
    with pytest.raises(TransientError):
        send(office, account_id)
    assert office.trouble.pending == 0
    assert send(office, account_id).status is MessageStatus.SENT, "at once"
    assert len(office.mailer.sent) == 1


def test_D2_a_machine_that_is_too_late_does_not_mark_what_another_has_claimed(office: Office) -> None:
    account_id = office.open_account()

    def somebody_takes_over() -> None:
        office.clock.advance(seconds=LEASE.total_seconds())
        known = stored(office, account_id)
        office.books.commit([replace(known, claimed_at=office.clock.now())])

    office.trouble.meanwhile(somebody_takes_over, at=2)
    with pytest.raises(ConflictError):
        send(office, account_id)
    assert stored(office, account_id).status is MessageStatus.SENDING


def test_D2_of_two_machines_that_take_over_an_expired_claim_one_sends(office: Office) -> None:
    account_id = office.open_account()
    office.trouble.strike(Fault.CRASH_BEFORE, on="send")
    with pytest.raises(MachineDiedError):
        send(office, account_id)
    office.clock.advance(hours=1)
    office.trouble.meanwhile(lambda: send(office, account_id), at=2)
    with pytest.raises(ConflictError):
        send(office, account_id)
    assert len(office.mailer.sent) == 1


def test_D2_a_mail_service_that_is_busy_gives_the_claim_back_at_once(office: Office) -> None:
    account_id = office.open_account()
    office.trouble.strike(Fault.THROTTLE, on="send")
    with pytest.raises(TransientError):
        send(office, account_id)
    office.clock.advance(seconds=2)
    assert send(office, account_id).status is MessageStatus.SENT
    assert len(office.mailer.sent) == 1


def test_D11_an_address_that_is_refused_ends_the_message_and_says_why(office: Office) -> None:
    account_id = office.open_account(email="nobody@nowhere.example")
    office.mailer.refused["nobody@nowhere.example"] = RuleError("mail_refused", "No such mailbox.")
    failed = send(office, account_id)
    assert (failed.status, failed.failure, failed.sent_at) == (MessageStatus.FAILED, "No such mailbox.", None)
    office.mailer.refused.clear()
    assert send(office, account_id).status is MessageStatus.FAILED
    assert office.mailer.sent == []


def test_a_letter_that_cannot_be_written_claims_nothing(office: Office) -> None:
    """A bad template must not leave a claim behind (N4)."""
    account_id = office.open_account()

    def broken() -> Letter:
        raise ZeroDivisionError

    before = office.books.state()
    with pytest.raises(ZeroDivisionError):
        send(office, account_id, write=broken)
    assert office.books.state() == before


# New invoices and receipts


def tell_invoice(office: Office, account_id: str, invoice_id: str) -> Message | None:
    return send_invoice(account_id, invoice_id, office.firm, office.books, office.letters, office.mailer, office.clock)


def tell_receipt(office: Office, account_id: str, payment_id: str) -> Message | None:
    return send_receipt(account_id, payment_id, office.firm, office.books, office.letters, office.mailer, office.clock)


def test_D2_a_new_invoice_is_sent_once(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    for _ in range(3):  # the bus delivers at least once
        tell_invoice(office, account_id, invoice_id)
    (mail,) = office.mailer.sent
    assert (mail.to, mail.message_id) == ("ap@blooming.example", f"msg_invoice_{invoice_id}")


def test_D2_two_invoices_are_two_mails(office: Office) -> None:
    account_id = office.open_account()
    for _ in range(2):
        tell_invoice(office, account_id, office.invoice(account_id))
    assert len(office.mailer.sent) == 2


def test_D1_nothing_is_sent_unless_somebody_turned_it_on() -> None:
    office = Office()
    account_id = office.open_account()
    assert tell_invoice(office, account_id, office.invoice(account_id)) is None
    assert tell_receipt(office, account_id, office.receive(account_id, 100).body["id"]) is None
    assert office.mailer.sent == []
    assert office.books.all(Message) == []


def test_D1_an_account_may_not_want_it(office: Office) -> None:
    account_id = office.open_account(send_invoices=False)
    assert tell_invoice(office, account_id, office.invoice(account_id)) is None
    assert office.mailer.sent == []


@pytest.mark.parametrize("who", ["firm", "account"])
def test_D1_what_was_issued_before_the_switch_went_on_is_not_sent(office: Office, who: str) -> None:
    account_id = office.open_account(send_invoices=who != "account")
    before = office.invoice(account_id)
    office.clock.advance(hours=1)
    if who == "firm":
        office.firm = firm(switches={Automation.SEND_INVOICES: office.clock.now()})
    else:
        office.change_account(account_id, send_invoices=True)
    assert tell_invoice(office, account_id, before) is None
    assert tell_invoice(office, account_id, office.invoice(account_id)) is not None
    assert len(office.mailer.sent) == 1


def test_D1_receipts_count_from_the_firms_switch(office: Office) -> None:
    account_id = office.open_account()
    before = office.receive(account_id, 100).body["id"]
    since = office.clock.advance(hours=1)
    office.firm = firm(switches={Automation.SEND_RECEIPTS: since})
    assert tell_receipt(office, account_id, before) is None
    assert tell_receipt(office, account_id, office.receive(account_id, 100).body["id"]) is not None


def test_a_receipt_is_sent_once_and_shows_the_invoices_it_went_to(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    payment_id = office.receive(account_id, 15000, allocations=[Allocation(invoice_id, 12100)]).body["id"]
    tell_receipt(office, account_id, payment_id)
    message = tell_receipt(office, account_id, payment_id)
    assert message is not None
    assert json.loads(message.text) == {"amount_minor": 15000, "invoices": {"INV-2026-000001": 0}}
    assert len(office.mailer.sent) == 1


def test_nobody_is_told_of_what_is_not_there(office: Office) -> None:
    account_id = office.open_account()
    with refused(office.books, "invoice_not_found", NotFoundError):
        tell_invoice(office, account_id, "inv_none")
    with refused(office.books, "payment_not_found", NotFoundError):
        tell_receipt(office, account_id, "pay_none")
    with refused(office.books, "account_not_found", NotFoundError):
        tell_receipt(office, "acc_none", "pay_none")
