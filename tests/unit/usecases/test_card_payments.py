"""Checkout at the gateway, and its reports in any order (P3, P4, P5, G3, G4)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import GatewayFailedError, LedgerBrokenError, NotFoundError, RuleError, TransientError
from remit.domain.journal import EntryKind
from remit.domain.payments import Allocation, GatewayReport, Payment, PaymentStatus, Transaction
from remit.usecases.payment_attempts import Pick
from tests.fakes import Fault, MachineDiedError
from tests.support import payments
from tests.support.builders import NOW, TODAY, Office, report_on
from tests.support.refusals import refused

PENDING, PROCESSING, FAILED = PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.FAILED
CANCELED, SUCCEEDED = PaymentStatus.CANCELED, PaymentStatus.SUCCEEDED


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


@pytest.fixture
def invoice_id(office: Office, account_id: str) -> str:
    return office.invoice(account_id, 10000)


# Checkout


def test_P3_a_checkout_asks_for_all_that_is_open_and_the_attempt_is_kept(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.receive(account_id, 100, oldest_first=True)
    payment, _ = office.checkout(account_id, invoice_id)
    assert office.payment(account_id, payment.id) == replace(payment, version=2)
    assert (payment.amount_minor, payment.status, payment.intended) == (12000, PENDING, (Allocation(invoice_id, 12000),))
    assert payment.checkout_url == f"https://pay.example/{payment.id}"
    assert office.item(account_id, invoice_id).payment_attempt == payment.id
    assert len(office.entries(account_id)) == 2, "an attempt posts nothing"


def test_P4_the_attempt_is_stored_before_the_gateway_is_called(office: Office, account_id: str, invoice_id: str) -> None:
    seen: list[Payment] = []
    office.trouble.meanwhile(lambda: seen.extend(office.books.all(Payment)), on="checkout")
    payment, _ = office.checkout(account_id, invoice_id)
    assert [(attempt.id, attempt.status) for attempt in seen] == [(payment.id, PENDING)]


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize("key", ["same", "another"])
def test_P4_whatever_dies_on_the_way_asking_again_finds_one_attempt_and_one_page(
    office: Office, account_id: str, invoice_id: str, step: int, fault: Fault, key: str
) -> None:
    """The steps are: the attempt is stored, the gateway is called, the page is remembered."""
    office.trouble.strike(fault, at=step)
    with pytest.raises(MachineDiedError):
        office.checkout(account_id, invoice_id, "same")
    office.clock.advance(minutes=10)
    payment, _ = office.checkout(account_id, invoice_id, key)
    assert [attempt.id for attempt in office.books.all(Payment)] == [payment.id]
    assert list(office.gateway.pages) == [payment.id]
    assert payment.checkout_url == office.gateway.pages[payment.id].url
    assert office.payment(account_id, payment.id).checkout_url == payment.checkout_url


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.LOST_REPLY])
def test_P4_a_gateway_that_does_not_answer_leaves_the_attempt_to_be_found_again(
    office: Office, account_id: str, invoice_id: str, fault: Fault
) -> None:
    office.trouble.strike(fault, on="checkout")
    with pytest.raises(TransientError):
        office.checkout(account_id, invoice_id, "same")
    (attempt,) = office.books.all(Payment)
    payment, _ = office.checkout(account_id, invoice_id, "same")
    assert payment.id == attempt.id
    assert len(office.gateway.pages) == 1


def test_P4_a_gateway_that_refuses_says_why(office: Office, account_id: str, invoice_id: str) -> None:
    office.trouble.strike(RuleError("gateway_refused", "Amount too small."), on="checkout")
    with pytest.raises(RuleError, match="gateway_refused"):
        office.checkout(account_id, invoice_id)
    assert office.balance(account_id).receivable_minor == 12100


def test_P4_a_gateway_that_will_never_answer_this_attempt_makes_room_for_another(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.trouble.strike(GatewayFailedError("gateway_failed", "500"), on="checkout")
    with pytest.raises(GatewayFailedError):
        office.checkout(account_id, invoice_id, "same")
    (given_up,) = office.books.all(Payment)
    assert (given_up.status, given_up.failure) == (CANCELED, "gateway_failed")
    with refused(office.books, "attempt_canceled", RuleError):
        office.checkout(account_id, invoice_id, "same")
    payment, _ = office.checkout(account_id, invoice_id, "another")
    assert payment.id != given_up.id
    assert payment.checkout_url


def test_P4_money_that_arrives_for_an_attempt_given_up_is_booked_all_the_same(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.trouble.strike(GatewayFailedError("gateway_failed", "500"), on="checkout")
    with pytest.raises(GatewayFailedError):
        office.checkout(account_id, invoice_id)
    (given_up,) = office.books.all(Payment)
    office.gateway_says(report_on(given_up, SUCCEEDED, 60), "evt_1")
    assert office.item(account_id, invoice_id).open_minor == 0
    assert office.differences(account_id) == ()


def test_P4_two_tabs_are_sent_to_one_page(office: Office, account_id: str, invoice_id: str) -> None:
    first, _ = office.checkout(account_id, invoice_id)
    second, _ = office.checkout(account_id, invoice_id)
    assert second.checkout_url == first.checkout_url
    assert office.gateway.calls == [first.id]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_P4_two_tabs_at_the_same_moment_are_sent_to_one_page(office: Office, account_id: str, invoice_id: str, step: int) -> None:
    tabs: list[Payment] = []
    name, at = [("commit", 1), ("checkout", 1), ("commit", 2)][step - 1]
    office.trouble.meanwhile(lambda: tabs.append(office.checkout(account_id, invoice_id)[0]), on=name, at=at)
    tabs.append(office.checkout(account_id, invoice_id)[0])
    assert len({tab.checkout_url for tab in tabs}) == len(office.gateway.pages) == 1
    assert len(office.books.all(Payment)) == 1


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
def test_P4_nobody_is_sent_to_a_page_that_could_not_be_closed(
    office: Office, account_id: str, invoice_id: str, fault: Fault
) -> None:
    """Whatever meets the page while it is noted: who gets its address may pay there, so that an attempt for another amount
    closes it first, and not both are paid."""
    office.trouble.strike(fault, on="commit", at=2)
    sent_to: list[Payment] = []
    with suppress(TransientError):
        sent_to.append(payments.checkout(office, account_id, Pick(invoice_id, 5000)))
    assert office.trouble.pending == 0
    for first in sent_to:
        assert office.payment(account_id, first.id).checkout_url == first.checkout_url
    second, _ = office.checkout(account_id, invoice_id)
    assert office.payment(account_id, second.id).amount_minor == second.amount_minor != 5000
    assert {first.id for first in sent_to} <= set(office.gateway.closed)


def test_P4_money_under_way_blocks_a_second_payment(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, PROCESSING, 5), "evt_1")
    office.clock.advance(days=5)
    with refused(office.books, "payment_under_way", RuleError):
        office.checkout(account_id, invoice_id)


def test_P4_a_declined_card_may_be_tried_again_on_the_same_page(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, FAILED, 5, failure="card_declined"), "evt_1")
    again, _ = office.checkout(account_id, invoice_id)
    assert again.id == payment.id


@pytest.mark.parametrize("end", ["expired", "canceled"])
def test_P4_an_attempt_that_is_over_makes_room_for_a_new_one(office: Office, account_id: str, invoice_id: str, end: str) -> None:
    first, _ = office.checkout(account_id, invoice_id)
    if end == "canceled":
        office.gateway_says(report_on(first, CANCELED, 5), "evt_1")
    else:
        office.clock.advance(hours=25)
    second, _ = office.checkout(account_id, invoice_id)
    assert second.id != first.id
    assert office.item(account_id, invoice_id).payment_attempt == second.id


def test_P4_an_attempt_for_another_amount_than_is_open_now_is_not_offered(
    office: Office, account_id: str, invoice_id: str
) -> None:
    first, _ = office.checkout(account_id, invoice_id)
    office.receive(account_id, 2100, oldest_first=True)
    second, _ = office.checkout(account_id, invoice_id)
    assert (second.id != first.id, second.amount_minor) == (True, 10000)


def test_what_cannot_be_paid_by_card_is_refused(office: Office, account_id: str, invoice_id: str) -> None:
    transfer_only = office.invoice(account_id, 10000, term="no_cards")
    with refused(office.books, "method_not_allowed", RuleError):
        office.checkout(account_id, transfer_only)
    office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)])
    with refused(office.books, "invoice_settled", RuleError):
        office.checkout(account_id, invoice_id)
    with refused(office.books, "invoice_not_found", NotFoundError):
        office.checkout(account_id, "inv_none")
    stranger = office.open_account()
    with refused(office.books, "invoice_not_found", NotFoundError):
        office.checkout(stranger, invoice_id)
    assert office.gateway.calls == []


# The gateway's reports


def charge(payment: Payment, id: str = "ch_1") -> Transaction:
    return Transaction(payment.created_at + timedelta(seconds=3), "capture", id, payment.amount_minor)


def story(payment: Payment) -> list[tuple[str, GatewayReport]]:
    """All that the gateway sends of a payment that is declined once and then succeeds."""
    return [
        ("evt_failed", report_on(payment, FAILED, 1, failure="card_declined", gateway_ids=["pi_1"])),
        ("evt_processing", report_on(payment, PROCESSING, 2, gateway_ids=["pi_1"])),
        ("evt_succeeded", report_on(payment, SUCCEEDED, 3, gateway_ids=["pi_1"])),
        ("evt_charge", report_on(payment, None, 3, transaction=charge(payment), gateway_ids=["ch_1", "pi_1"])),
        ("evt_completed", report_on(payment, None, 4, gateway_ids=["cs_1", "pi_1"])),
        ("evt_expired", report_on(payment, CANCELED, 99, gateway_ids=["cs_1"])),
    ]


def started() -> tuple[Office, str, str, Payment]:
    """An office with a checkout under way: account, invoice, attempt."""
    office = Office()
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, 10000)
    payment, _ = office.checkout(account_id, invoice_id)
    return office, account_id, invoice_id, payment


def ledger(office: Office, account_id: str) -> list[Any]:
    """What the books say in the end: postings, balance, documents; not how often an item was rewritten."""
    balance = replace(office.balance(account_id), version=0)
    payments = [replace(payment, version=0) for payment in office.books.all(Payment)]
    return [
        [entry.draft.postings for entry in office.entries(account_id)],
        balance.receivable_minor,
        balance.credit_minor,
        payments,
    ]


def test_G3_a_success_posts_the_money_and_settles_the_invoice(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.clock.advance(hours=2)
    office.gateway_says(report_on(payment, SUCCEEDED, 60, gateway_ids=["pi_1"]), "evt_1")
    stored = office.payment(account_id, payment.id)
    assert (stored.status, stored.value_date, stored.unapplied_minor) == (SUCCEEDED, TODAY, 0)
    assert office.item(account_id, invoice_id).open_minor == 0
    entry = office.entries(account_id)[-1]
    assert entry.draft.kind is EntryKind.PAYMENT_RECEIVED
    assert (entry.draft.effective_on, entry.draft.recorded_at) == (TODAY, NOW + timedelta(hours=2))
    assert entry.draft.documents["gateway"] == ("pi_1",)
    assert office.differences(account_id) == ()


def test_G3_every_order_of_a_payments_events_gives_one_ledger() -> None:
    ends = set()
    for order in permutations(range(5)):
        office, account_id, _, payment = started()
        events = [event for event in story(payment) if event[0] != "evt_completed"]
        for n in order:
            event_id, report = events[n]
            office.gateway_says(report, event_id)
        assert office.differences(account_id) == ()
        ends.add(repr(ledger(office, account_id)))
    assert len(ends) == 1


@given(st.data())
def test_G3_events_repeated_in_any_order_with_a_payment_by_hand_between_give_one_ledger(data: st.DataObject) -> None:
    """The money of both is there in the end, once each, and what the invoice did not need is credit."""
    office, account_id, invoice_id, payment = started()
    events = story(payment)
    deliveries = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=6))))
    by_hand_at = data.draw(st.integers(0, len(deliveries)))
    for n, (event_id, report) in enumerate(deliveries):
        if n == by_hand_at:
            office.receive(account_id, 5000, oldest_first=True)
        office.gateway_says(report, event_id)
    if by_hand_at == len(deliveries):
        office.receive(account_id, 5000, oldest_first=True)
    balance = office.balance(account_id)
    assert (balance.receivable_minor, balance.credit_minor) == (0, 5000)
    assert office.item(account_id, invoice_id).open_minor == 0
    assert len(office.entries(account_id)) == 3
    assert office.payment(account_id, payment.id).status is SUCCEEDED
    assert office.differences(account_id) == ()


def test_G3_the_same_event_again_changes_nothing(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    report = report_on(payment, SUCCEEDED, 60)
    assert not office.gateway_says(report, "evt_1").replayed
    before = office.books.state()
    assert office.gateway_says(report, "evt_1").replayed
    assert office.books.state() == before


def test_G3_another_event_about_the_same_success_posts_nothing_more(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, SUCCEEDED, 60), "evt_1")
    office.gateway_says(report_on(payment, SUCCEEDED, 60), "evt_2")
    assert len(office.entries(account_id)) == 2


def test_P4_a_late_success_for_a_settled_invoice_is_unapplied_credit(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.receive(account_id, 12100, oldest_first=True)
    office.clock.advance(days=3)
    office.gateway_says(report_on(payment, SUCCEEDED, 3 * 86400), "evt_1")
    assert office.payment(account_id, payment.id).unapplied_minor == 12100
    assert office.balance(account_id).balance_minor == -12100
    assert office.differences(account_id) == ()


def test_P4_a_success_after_the_attempt_was_canceled_counts_all_the_same(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, CANCELED, 60), "evt_1")
    office.gateway_says(report_on(payment, SUCCEEDED, 30), "evt_2")
    assert office.item(account_id, invoice_id).open_minor == 0


def test_P4_both_of_two_pages_paid_are_both_booked(office: Office, account_id: str, invoice_id: str) -> None:
    """A page for 121.00 stays open in one tab while 21.00 came by bank and a page for 100.00 was paid in another."""
    first, _ = office.checkout(account_id, invoice_id)
    office.receive(account_id, 2100, oldest_first=True)
    second, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(second, SUCCEEDED, 60), "evt_2")
    office.gateway_says(report_on(first, SUCCEEDED, 90), "evt_1")
    assert office.balance(account_id).balance_minor == -12100
    assert office.payment(account_id, first.id).unapplied_minor == 12100
    assert office.differences(account_id) == ()


def test_P4_what_arrives_is_booked_as_it_arrived_though_it_is_not_what_was_asked(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, SUCCEEDED, 60, amount_minor=10000), "evt_1")
    assert office.payment(account_id, payment.id).amount_minor == 10000
    assert office.item(account_id, invoice_id).open_minor == 2100
    assert office.differences(account_id) == ()


@pytest.mark.parametrize("failing", range(1, 7))
@pytest.mark.parametrize("fault", Fault)
def test_G4_whatever_fails_an_event_is_taken_in_once(failing: int, fault: Fault) -> None:
    """Each event is delivered until it is taken in, as the queue does."""
    office, account_id, invoice_id, payment = started()
    office.trouble.strike(fault, on="commit", at=failing)
    for event_id, report in story(payment):
        taken = False
        while not taken:
            try:
                office.gateway_says(report, event_id)
                taken = True
            except (MachineDiedError, TransientError):
                continue
    assert len(office.entries(account_id)) == 2
    assert office.item(account_id, invoice_id).open_minor == 0
    assert office.differences(account_id) == ()


def during(name: str) -> Callable[[Office, str, str], object]:
    deeds: dict[str, Callable[[Office, str, str], object]] = {
        "a payment by hand": lambda office, account_id, _: office.receive(account_id, 5000, oldest_first=True),
        "another invoice": lambda office, account_id, _: office.invoice(account_id),
        "a credit": lambda office, account_id, _: office.goodwill(account_id, 100),
    }
    return deeds[name]


@pytest.mark.parametrize("deed", ["a payment by hand", "another invoice", "a credit"])
def test_G3_what_happens_at_the_same_moment_is_booked_beside_the_payment(deed: str) -> None:
    office, account_id, invoice_id, payment = started()
    office.trouble.meanwhile(lambda: during(deed)(office, account_id, invoice_id))
    office.gateway_says(report_on(payment, SUCCEEDED, 60), "evt_1")
    assert [entry.sequence for entry in office.entries(account_id)] == [1, 2, 3]
    assert office.item(account_id, invoice_id).open_minor == 0
    assert office.differences(account_id) == ()


def test_G4_an_event_of_a_payment_that_is_not_known_yet_is_refused_to_come_again(office: Office, account_id: str) -> None:
    stranger = report_on(started()[3], SUCCEEDED, 1)
    with refused(office.books, "payment_not_found", NotFoundError):
        office.gateway_says(replace(stranger, payment_id="pay_none"), "evt_1")


def test_L8_money_in_another_currency_than_asked_for_is_an_alarm(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    with refused(office.books, "gateway_currency_differs", LedgerBrokenError):
        office.gateway_says(replace(report_on(payment, SUCCEEDED, 1), currency="USD"), "evt_1")


def test_P5_an_event_without_a_say_adds_what_it_knows(office: Office, account_id: str, invoice_id: str) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, None, 3, transaction=charge(payment), gateway_ids=["ch_1"]), "evt_1")
    stored = office.payment(account_id, payment.id)
    assert (stored.status, stored.transactions) == (PENDING, (charge(payment),))
    assert "ch_1" in stored.gateway_ids
