"""One line of time per invoice (I8), and the lists that lead to it (I1, I11)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from remit.domain.errors import NotFoundError
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import OrderKind, SubscriptionPeriod
from remit.domain.payments import Allocation, PaymentStatus, Transaction
from remit.usecases.find_invoices import InvoiceFilter, Show, find_invoices
from remit.usecases.invoice_timeline import EventKind
from remit.usecases.notify import send_invoice, send_receipt
from tests.support.builders import ALL_ON, TODAY, Office, line, report_on
from tests.support.invoicing import THIRDS, TWO_TEN, deliver, invoice, postpone, timeline, wish, with_terms, write_off
from tests.support.refusals import refused


def test_I8_a_timeline_tells_of_entries_money_messages_and_moved_dates(office: Office) -> None:
    office.firm = replace(office.firm, switches=ALL_ON)
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    other = office.invoice(account_id, term="on_receipt")
    send_invoice(account_id, invoice_id, office.firm, office.books, office.letters, office.mailer, office.clock)
    office.clock.advance(days=10)
    office.dun(account_id)
    office.clock.advance(hours=1)
    today = office.firm.today(office.clock.now())
    postpone(office, account_id, invoice_id, today + timedelta(days=9))
    office.clock.advance(hours=1)
    attempt, _ = office.checkout(account_id, invoice_id)
    capture = Transaction(attempt.created_at + timedelta(seconds=9), "capture", "ch_1", 12100)
    office.gateway_says(report_on(attempt, PaymentStatus.SUCCEEDED, 9, transaction=capture), "evt_1")
    office.clock.advance(hours=1)
    send_receipt(account_id, attempt.id, office.firm, office.books, office.letters, office.mailer, office.clock)
    found = timeline(office, account_id, invoice_id)
    assert [(event.kind, event.what) for event in found.past] == [
        (EventKind.ENTRY, "invoice_issued"),
        (EventKind.MESSAGE, "invoice_issued"),
        (EventKind.MESSAGE, "dunning_tier_1"),
        (EventKind.ENTRY, "due_date_moved"),
        (EventKind.POSTPONEMENT, f"part 1: {TODAY} to {today + timedelta(days=9)}"),
        (EventKind.ENTRY, "payment_received"),
        (EventKind.TRANSACTION, "capture"),
        (EventKind.MESSAGE, "payment_received"),
    ]
    amounts = [event.amount_minor for event in found.past if event.kind is EventKind.ENTRY]
    assert amounts == [12100, 0, -12100]
    assert [event.actor.id for event in found.past if event.actor] == ["clerk-1", "clerk-1", "clerk-1", "stripe"]
    assert attempt.id in found.past[5].documents
    assert found.future == ()
    messages = [event.what for event in timeline(office, account_id, other).past if event.kind is EventKind.MESSAGE]
    assert messages == ["dunning_tier_1"], "a notice is about every invoice that it lists, a receipt about what was paid"


def test_I8_the_future_has_due_dates_discount_and_collection(office: Office) -> None:
    with_terms(office, THIRDS, TWO_TEN)
    account_id = office.open_account()
    parts = invoice(office, wish(account_id, term_id="thirds"))
    assert [(event.on, event.kind, event.amount_minor) for event in timeline(office, account_id, parts).future] == [
        (TODAY, EventKind.PART_DUE, 3630),
        (TODAY + timedelta(days=60), EventKind.PART_DUE, 3630),
        (None, EventKind.AWAITING_DELIVERY, 4840),
    ]
    deliver(office, account_id, parts, 100, TODAY)
    assert [event.on for event in timeline(office, account_id, parts).future] == [
        TODAY,
        TODAY + timedelta(days=14),
        TODAY + timedelta(days=60),
    ]
    early = invoice(office, wish(account_id, term_id="two_ten"))
    assert [(event.on, event.kind, event.amount_minor) for event in timeline(office, account_id, early).future] == [
        (TODAY + timedelta(days=10), EventKind.DISCOUNT_ENDS, 11858),
        (TODAY + timedelta(days=30), EventKind.PART_DUE, 12100),
    ]


def test_S5_a_planned_collection_stands_ahead_and_moves_with_the_due_date(office: Office) -> None:
    account_id = office.open_account()
    account = office.account(account_id)
    office.books.overwrite(replace(account, payment=replace(account.payment, collect_automatically=True)))
    invoice_id = office.invoice(account_id)
    postpone(office, account_id, invoice_id, TODAY + timedelta(days=45))
    future = timeline(office, account_id, invoice_id).future
    assert {(event.kind, event.on) for event in future} == {
        (EventKind.PART_DUE, TODAY + timedelta(days=45)),
        (EventKind.COLLECTION, TODAY + timedelta(days=45)),
    }


def test_an_unknown_invoice_has_no_timeline(office: Office) -> None:
    account_id = office.open_account()
    with refused(office.books, "invoice_not_found", NotFoundError):
        timeline(office, account_id, "inv_none")


# Lists


def listed(office: Office, account_id: str, show: Show, wanted: InvoiceFilter | None = None, limit: int = 2) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    today = office.firm.today(office.clock.now())
    while True:
        page, cursor = find_invoices(
            account_id, show, wanted or InvoiceFilter(), cursor, limit, today, office.books, office.books
        )
        assert len(page) <= limit
        found += [item.invoice_id for item in page]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_I1_invoices_are_listed_with_filters_and_cursors(office: Office, limit: int) -> None:
    with_terms(office, THIRDS)
    account_id = office.open_account()
    net30 = invoice(office, wish(account_id, term_id="net30"))
    on_receipt = invoice(office, wish(account_id, term_id="on_receipt"))
    dollars = invoice(office, wish(account_id, currency="USD", term_id="on_receipt"))
    period = SubscriptionPeriod("sub_7", 1)
    subscribed = invoice(office, wish(account_id, kind=OrderKind.SUBSCRIPTION, subscription=period, term_id="net30"))
    lost = invoice(office, wish(account_id, line(100)))
    write_off(office, account_id, lost)
    paid = invoice(office, wish(account_id))
    office.receive(account_id, 12100, allocations=[Allocation(paid, 12100)])
    office.clock.advance(days=5)
    everything = [paid, lost, subscribed, dollars, on_receipt, net30]
    assert listed(office, account_id, Show.ALL, limit=limit) == everything
    assert listed(office, account_id, Show.OPEN, limit=limit) == [on_receipt, dollars, net30, subscribed]
    assert listed(office, account_id, Show.OVERDUE, limit=limit) == [on_receipt, dollars]
    assert listed(office, account_id, Show.OVERDUE, InvoiceFilter(currency="USD"), limit) == [dollars]
    assert listed(office, account_id, Show.ALL, InvoiceFilter(status=InvoiceStatus.UNCOLLECTIBLE), limit) == [lost]
    assert listed(office, account_id, Show.ALL, InvoiceFilter(subscription_id="sub_7"), limit) == [subscribed]
    assert listed(office, account_id, Show.ALL, InvoiceFilter(kind=OrderKind.SUBSCRIPTION), limit) == [subscribed]
    assert listed(office, account_id, Show.ALL, InvoiceFilter(currency="JPY"), limit) == []


def test_what_is_settled_between_two_pages_moves_nothing(office: Office) -> None:
    account_id = office.open_account()
    ids = [office.invoice(account_id) for _ in range(4)]
    first, cursor = find_invoices(account_id, Show.OPEN, InvoiceFilter(), None, 2, TODAY, office.books, office.books)
    office.receive(account_id, 12100, allocations=[Allocation(ids[1], 12100)])
    rest, _ = find_invoices(account_id, Show.OPEN, InvoiceFilter(), cursor, 2, TODAY, office.books, office.books)
    assert [item.invoice_id for item in (*first, *rest)] == ids
