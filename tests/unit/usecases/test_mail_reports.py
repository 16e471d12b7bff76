"""What became of messages, and addresses that are written to no more (D11)."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import AccountChange
from remit.domain.messages import MAIL_PROVIDER, UNREACHABLE, DeliveryEvent, DeliveryKind, Message, MessageStatus
from remit.usecases.ports import Letter, message_ref
from remit.usecases.read_timeline import read_timeline
from remit.usecases.report_mail import MailReport, report_mail
from remit.usecases.send_message import send_once
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import NOW, Office


@pytest.fixture
def office() -> Office:
    return Office()


def send(office: Office, account_id: str, message_id: str = "msg_1") -> Message:
    letter = Letter("test", "test-1", "A subject", "<p>html</p>", "text", {})
    return send_once(message_id, office.account(account_id), lambda: letter, office.books, office.mailer, office.clock)


def event(kind: DeliveryKind, minutes: int = 0, reason: str | None = None) -> DeliveryEvent:
    return DeliveryEvent(kind, NOW + timedelta(minutes=minutes), reason)


def report(office: Office, account_id: str, told: DeliveryEvent, message_id: str = "msg_1") -> Message | None:
    return report_mail(MailReport(account_id, message_id, told, "ses-1", NOW), office.books, office.clock)


def stored(office: Office, account_id: str, message_id: str = "msg_1") -> Message:
    return office.books.read(message_ref(account_id, message_id))


def test_D11_a_delivery_stands_on_the_message(office: Office) -> None:
    account_id = office.open_account()
    send(office, account_id)
    assert stored(office, account_id).delivery is None
    report(office, account_id, event(DeliveryKind.DELAYED, reason="MailboxFull"))
    report(office, account_id, event(DeliveryKind.DELIVERED, 1))
    message = stored(office, account_id)
    assert message.delivery is DeliveryKind.DELIVERED
    assert [(each.kind, each.reason) for each in message.deliveries] == [
        (DeliveryKind.DELAYED, "MailboxFull"),
        (DeliveryKind.DELIVERED, None),
    ]


EVENTS = [
    event(DeliveryKind.DELAYED, 1, "General"),
    event(DeliveryKind.DELIVERED, 2),
    event(DeliveryKind.DELIVERED, 3),
    event(DeliveryKind.SOFT_BOUNCE, 4, "General"),
    event(DeliveryKind.COMPLAINED, 5, "abuse"),
]


@given(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_D11_reports_give_one_result_in_any_order_and_however_often(told: list[DeliveryEvent], random: object) -> None:
    shuffled: list[DeliveryEvent] = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merged([*told, *told]) == merged(shuffled)
    assert merged(told).delivery == max((each.kind for each in told), key=list(DeliveryKind).index)


def merged(told: Sequence[DeliveryEvent]) -> Message:
    message = Message("msg_1", "acc_1", "t", "t-1", "a@b.example", "s", MessageStatus.SENT, NOW)
    for each in told:
        message = message.with_delivery(each, "ses-1", NOW)
    return message


def test_D11_every_order_of_the_reports_and_the_mark_leaves_one_message(office: Office) -> None:
    """A report may be faster than the mark that the message was sent."""
    told = [event(DeliveryKind.DELIVERED, 1), event(DeliveryKind.COMPLAINED, 2)]
    for early in range(3):
        account_id = office.open_account()
        ahead, behind = told[:early], told[early:]
        office.trouble.meanwhile(
            lambda account_id=account_id, ahead=ahead: [report(office, account_id, e) for e in ahead], on="send"
        )
        send(office, account_id)
        for each in behind:
            report(office, account_id, each)
        message = stored(office, account_id)
        assert (message.status, message.deliveries) == (MessageStatus.SENT, tuple(told)), early
    assert len(office.mailer.sent) == 3


def test_D2_a_report_proves_that_a_message_went_whose_sender_died(office: Office) -> None:
    """It is then not sent again, which without a report it would be."""
    account_id = office.open_account()
    office.trouble.strike(Fault.CRASH_AFTER, on="send")
    with pytest.raises(MachineDiedError):
        send(office, account_id)
    report(office, account_id, event(DeliveryKind.DELIVERED))
    office.clock.advance(hours=1)
    assert send(office, account_id).status is MessageStatus.SENT
    assert (stored(office, account_id).provider_id, stored(office, account_id).sent_at) == ("ses-1", NOW)
    assert len(office.mailer.sent) == 1


def test_D2_a_lost_answer_of_the_provider_is_answered_by_its_report(office: Office) -> None:
    account_id = office.open_account()
    office.trouble.strike(Fault.LOST_REPLY, on="send")
    office.trouble.meanwhile(lambda: report(office, account_id, event(DeliveryKind.DELIVERED)), on="commit", at=2)
    assert send(office, account_id).status is MessageStatus.SENT


def test_D11_what_was_handed_over_first_is_what_a_retry_sends(office: Office) -> None:
    """Whatever the templates and figures have become in the meantime."""
    account_id = office.open_account()
    office.trouble.strike(Fault.CRASH_BEFORE, on="send")
    with pytest.raises(MachineDiedError):
        send(office, account_id)
    office.clock.advance(hours=1)
    changed = Letter("test", "test-2", "Another", "<p>other</p>", "other", {})
    send_once("msg_1", office.account(account_id), lambda: changed, office.books, office.mailer, office.clock)
    (mail,) = office.mailer.sent
    assert (mail.subject, mail.html, mail.text) == ("A subject", "<p>html</p>", "text")
    assert stored(office, account_id).template_version == "test-1"


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_D11_after_a_hard_bounce_or_a_complaint_nothing_more_is_sent_to_that_address(office: Office, kind: DeliveryKind) -> None:
    account_id = office.open_account()
    send(office, account_id)
    report(office, account_id, event(kind, reason="General"))
    account = office.account(account_id)
    assert account.unreachable is not None
    assert (account.unreachable.address, account.unreachable.kind, account.unreachable.message_id) == (
        "ap@blooming.example",
        kind,
        "msg_1",
    )
    kept = send(office, account_id, "msg_2")
    assert (kept.status, kept.failure, kept.sent_at) == (MessageStatus.SUPPRESSED, f"address: {kind}", None)
    assert send(office, account_id, "msg_2").status is MessageStatus.SUPPRESSED
    assert len(office.mailer.sent) == 1
    assert stored(office, account_id, "msg_2").html == "<p>html</p>"


@pytest.mark.parametrize("kind", [DeliveryKind.DELAYED, DeliveryKind.SOFT_BOUNCE, DeliveryKind.REJECTED, DeliveryKind.DELIVERED])
def test_D11_what_may_pass_closes_no_address(office: Office, kind: DeliveryKind) -> None:
    account_id = office.open_account()
    send(office, account_id)
    report(office, account_id, event(kind))
    assert office.account(account_id).mail_problem is None


def test_D11_a_closed_address_is_in_the_timeline_and_the_history(office: Office) -> None:
    account_id = office.open_account()
    office.clock.advance(minutes=1)
    send(office, account_id)
    office.clock.advance(minutes=1)
    report(office, account_id, event(DeliveryKind.HARD_BOUNCE))
    (change,) = office.books.newest(AccountChange, account_id, None, 1)[0]
    assert (change.actor, list(change.after)) == (MAIL_PROVIDER, ["mail_problem"])
    rows, _ = read_timeline(account_id, office.books, None, 10)
    assert [type(row.event).__name__ for row in rows][:2] == ["AccountChange", "Message"]


def test_D11_another_address_or_an_operator_opens_the_account_again(office: Office) -> None:
    account_id = office.open_account()
    send(office, account_id)
    bounce = event(DeliveryKind.HARD_BOUNCE)
    report(office, account_id, bounce)
    office.change_account(account_id, email="new@blooming.example")
    assert send(office, account_id, "msg_2").status is MessageStatus.SENT
    office.change_account(account_id, email="ap@blooming.example")
    assert send(office, account_id, "msg_3").status is MessageStatus.SUPPRESSED
    office.change_account(account_id, mail_problem=None)
    assert send(office, account_id, "msg_4").status is MessageStatus.SENT
    report(office, account_id, bounce)  # the same report again
    assert office.account(account_id).unreachable is None


def test_D11_a_bounce_of_an_address_that_was_changed_meanwhile_closes_nothing(office: Office) -> None:
    account_id = office.open_account()
    send(office, account_id)
    office.change_account(account_id, email="new@blooming.example")
    report(office, account_id, event(DeliveryKind.HARD_BOUNCE))
    assert office.account(account_id).mail_problem is None
    assert stored(office, account_id).delivery is DeliveryKind.HARD_BOUNCE


def test_a_report_of_a_message_that_is_not_there_does_nothing(office: Office) -> None:
    account_id = office.open_account()
    before = office.books.state()
    assert report(office, account_id, event(DeliveryKind.DELIVERED)) is None
    assert report(office, "acc_none", event(DeliveryKind.DELIVERED)) is None
    assert office.books.state() == before


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_D11_a_crash_while_a_report_is_taken_in_loses_and_doubles_nothing(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    send(office, account_id)
    office.trouble.strike(fault, on="commit")
    with pytest.raises(MachineDiedError):
        report(office, account_id, event(DeliveryKind.COMPLAINED))
    report(office, account_id, event(DeliveryKind.COMPLAINED))
    assert office.account(account_id).unreachable is not None
    assert len(office.books.newest(AccountChange, account_id, None, 9)[0]) == 2  # opened, closed
    assert office.differences(account_id) == ()


def test_D11_many_reports_at_once_are_all_kept(office: Office) -> None:
    for order in permutations([DeliveryKind.DELIVERED, DeliveryKind.SOFT_BOUNCE, DeliveryKind.COMPLAINED]):
        account_id = office.open_account()
        send(office, account_id)
        first, second, third = (event(kind) for kind in order)
        office.trouble.meanwhile(
            lambda a=account_id, second=second, third=third: (report(office, a, second), report(office, a, third)), on="commit"
        )
        report(office, account_id, first)
        assert len(stored(office, account_id).deliveries) == 3
