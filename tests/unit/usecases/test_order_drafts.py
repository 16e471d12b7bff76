"""Orders are drafts until they are invoiced (I1, A5, T6)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.adapters.dynamodb.mapping import to_record
from remit.domain.errors import InvalidError, NotFoundError, RemitError, RuleError
from remit.domain.invoices import invoice_id_for
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import Order, OrderKind, OrderStatus, SubscriptionPeriod
from remit.usecases.drafts import REMEMBERED
from remit.usecases.find_invoices import preview_invoice, read_invoice
from remit.usecases.find_orders import find_orders, read_order
from remit.usecases.place_order import quote_order
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import NOW, TODAY, Office, line
from tests.support.invoicing import THIRDS, TWO_TEN, assert_sound, cancel, invoice, order, revise, wish, with_terms
from tests.support.refusals import refused


def unbilled(office: Office, account_id: str) -> int:
    return office.balance(account_id).unbilled_minor


# Revising


def test_I1_a_draft_is_revised_and_what_is_unbilled_moves_with_it(office: Office) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id, line(10000)))
    assert unbilled(office, account_id) == 12100
    revised = revise(office, order_id, wish(account_id, line(20000), term_id="on_receipt", reference="PO-2"))
    assert (revised.priced.payable_minor, revised.term.id, revised.reference) == (24200, "on_receipt", "PO-2")
    assert (revised.version, revised.revised_at) == (2, NOW)
    assert unbilled(office, account_id) == 24200
    assert office.order(account_id, order_id) == revised
    office.issue(account_id, order_id)
    assert office.item(account_id, invoice_id_for(order_id)).total_minor == 24200
    assert unbilled(office, account_id) == 0
    assert_sound(office, account_id)


def test_I1_the_same_revision_again_changes_nothing(office: Office) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    revise(office, order_id, wish(account_id, line(20000)))
    before = office.books.state()
    office.clock.advance(hours=1)
    assert revise(office, order_id, wish(account_id, line(20000))).version == 2
    assert office.books.state() == before


def test_I1_a_revision_of_what_somebody_else_revised_is_refused(office: Office) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    revise(office, order_id, wish(account_id, line(20000)))
    with pytest.raises(RuleError) as refusal:
        revise(office, order_id, wish(account_id, line(30000)), version=1)
    assert (refusal.value.code, refusal.value.facts["version"]) == ("order_changed", 2)


def test_I1_an_order_in_another_currency_is_another_order(office: Office) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    with refused(office.books, "currency_mismatch", InvalidError):
        revise(office, order_id, wish(account_id, currency="USD"))


def test_A5_a_revision_counts_against_the_limit_without_what_it_replaces(office: Office) -> None:
    account_id = office.open_account(credit_limits={"EUR": 20000})
    order_id = order(office, wish(account_id, line(10000)))
    revise(office, order_id, wish(account_id, line(16000)))  # 193.60 alone, 314.60 with what it replaces
    with pytest.raises(RuleError) as refusal:
        revise(office, order_id, wish(account_id, line(17000)), version=2)
    assert refusal.value.code == "credit_limit_exceeded"
    assert refusal.value.facts == {"limit_minor": 20000, "owed_minor": 0, "available_minor": 20000}


@pytest.mark.parametrize("do", ["revise", "cancel"])
def test_I1_what_is_invoiced_is_no_draft_any_more(office: Office, do: str) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    office.issue(account_id, order_id)
    with pytest.raises(RuleError) as refusal:
        revise(office, order_id, wish(account_id, line(1))) if do == "revise" else cancel(office, account_id, order_id)
    assert refusal.value.code == "order_invoiced"
    assert refusal.value.facts["invoice_id"] == invoice_id_for(order_id)
    assert refusal.value.facts["number"] == "INV-2026-000001"


def test_what_does_not_exist_is_neither_revised_nor_canceled(office: Office) -> None:
    account_id, other = office.open_account(), office.open_account()
    order_id = order(office, wish(other))
    with refused(office.books, "order_not_found", NotFoundError):
        revise(office, order_id, wish(account_id))
    with refused(office.books, "order_not_found", NotFoundError):
        cancel(office, account_id, order_id)


# Canceling


def test_I1_a_canceled_order_frees_what_was_unbilled_and_is_never_invoiced(office: Office) -> None:
    account_id = office.open_account()
    order_id, kept = order(office, wish(account_id)), order(office, wish(account_id, line(5000)))
    cancel(office, account_id, order_id)
    assert unbilled(office, account_id) == 6050
    for act in (
        lambda: office.issue(account_id, order_id),
        lambda: cancel(office, account_id, order_id),
        lambda: revise(office, order_id, wish(account_id, line(1)), version=2),
    ):
        with refused(office.books, "order_canceled", RuleError):
            act()
    office.issue(account_id, kept)
    assert office.document(account_id, invoice_id_for(kept)).number == "INV-2026-000001"
    assert_sound(office, account_id)


@pytest.mark.parametrize("fault", Fault)
def test_L4_a_cancellation_happens_once_whatever_fails(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    order(office, wish(account_id))
    office.trouble.strike(fault, on="commit")
    try:
        cancel(office, account_id, order_id, "same")
    except MachineDiedError:
        cancel(office, account_id, order_id, "same")
    assert office.trouble.pending == 0
    assert unbilled(office, account_id) == 12100


@pytest.mark.parametrize("fault", Fault)
def test_L4_a_revision_happens_once_whatever_fails(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    office.trouble.strike(fault, on="commit")
    try:
        revise(office, order_id, wish(account_id, line(20000)))
    except MachineDiedError:
        revise(office, order_id, wish(account_id, line(20000)))
    assert (unbilled(office, account_id), office.order(account_id, order_id).version) == (24200, 2)


# Changing and issuing at once


@pytest.mark.parametrize("lag", ["order", "nothing"])
def test_I1_the_order_is_billed_as_it_was_revised_though_the_reader_was_behind(office: Office, lag: str) -> None:
    """The first read is not consistent; the balance it may have read in time betrays an order that it did not."""
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    old = office.order(account_id, order_id)
    revise(office, order_id, wish(account_id, line(20000)))
    if lag == "order":
        with office.books.lagging(_raw(old)):
            office.issue(account_id, order_id)
    else:
        office.issue(account_id, order_id)
    assert office.document(account_id, invoice_id_for(order_id)).total_minor == 24200


def _raw(order: Order) -> dict[str, Any]:
    """As it was stored at first."""
    raw: dict[str, Any] = to_record(replace(order, version=0)).serialize()
    return raw


@pytest.mark.parametrize("meanwhile", ["revise", "cancel"])
def test_I1_an_order_that_changes_while_it_is_issued_is_billed_as_it_is(office: Office, meanwhile: str) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    if meanwhile == "revise":
        office.trouble.meanwhile(lambda: revise(office, order_id, wish(account_id, line(20000))))
        office.issue(account_id, order_id)
        assert office.document(account_id, invoice_id_for(order_id)).total_minor == 24200
    else:
        office.trouble.meanwhile(lambda: cancel(office, account_id, order_id))
        with pytest.raises(RuleError) as refusal:
            office.issue(account_id, order_id)
        assert refusal.value.code == "order_canceled"
        assert read_invoice(account_id, invoice_id_for(order_id), office.books) is None
    assert unbilled(office, account_id) == 0


def test_I1_an_order_that_is_issued_while_it_is_revised_stays_as_it_was_issued(office: Office) -> None:
    account_id = office.open_account()
    order_id = order(office, wish(account_id))
    office.trouble.meanwhile(lambda: office.issue(account_id, order_id))
    with pytest.raises(RuleError) as refusal:
        revise(office, order_id, wish(account_id, line(20000)))
    assert refusal.value.code == "order_invoiced"
    assert office.order(account_id, order_id).priced.payable_minor == 12100


def test_the_balance_forgets_changes_that_everybody_has_seen(office: Office) -> None:
    account_id = office.open_account()
    first, second = order(office, wish(account_id)), order(office, wish(account_id))
    revise(office, first, wish(account_id, line(1)))
    office.clock.advance(seconds=REMEMBERED.total_seconds())
    revise(office, second, wish(account_id, line(1)))
    assert [change.order_id for change in office.balance(account_id).draft_changes] == [second]


# Reading


def test_I1_orders_are_listed_by_how_they_stand(office: Office) -> None:
    account_id = office.open_account()
    ids = [order(office, wish(account_id, line(100 + n))) for n in range(7)]
    office.issue(account_id, ids[1])
    cancel(office, account_id, ids[2])

    def listed(status: OrderStatus | None, limit: int = 3) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page, cursor = find_orders(account_id, status, cursor, limit, office.books, office.books)
            found += [each.order.id for each in page]
            if cursor is None:
                return found

    assert listed(None) == ids[::-1]
    assert listed(OrderStatus.DRAFT) == [ids[n] for n in (6, 5, 4, 3, 0)]
    assert listed(OrderStatus.DRAFT, limit=1) == [ids[n] for n in (6, 5, 4, 3, 0)]
    assert listed(OrderStatus.INVOICED) == [ids[1]]
    assert listed(OrderStatus.CANCELED) == [ids[2]]
    assert read_order(account_id, ids[1], office.books).invoice_id == invoice_id_for(ids[1])


def test_I1_the_draft_of_an_invoice_is_what_it_would_be_today(office: Office) -> None:
    with_terms(office, THIRDS)
    account_id = office.open_account()
    order_id = order(office, wish(account_id, term_id="thirds"))
    before = office.books.state()
    office.clock.advance(days=3)
    preview = preview_invoice(account_id, invoice_id_for(order_id), office.firm, office.books, office.clock)
    assert [(part.due_date, part.amount_minor) for part in preview.invoice.parts] == [
        (TODAY + timedelta(days=3), 3630),
        (None, 4840),
        (TODAY + timedelta(days=63), 3630),
    ]
    assert preview.open_item.status is InvoiceStatus.ISSUED
    assert office.books.state() == before
    cancel(office, account_id, order_id)
    with refused(office.books, "invoice_not_found", NotFoundError):
        preview_invoice(account_id, invoice_id_for(order_id), office.firm, office.books, office.clock)


def test_I11_an_order_carries_its_kind_subscription_and_note_to_the_invoice(office: Office) -> None:
    account_id = office.open_account()
    period = SubscriptionPeriod("sub_1", 3, is_final=True)
    wanted = wish(account_id, kind=OrderKind.SUBSCRIPTION, subscription=period, note="Thank you", reference="PO-1")
    invoice_id = invoice(office, wanted)
    document, item = office.document(account_id, invoice_id), office.item(account_id, invoice_id)
    assert (document.kind, document.subscription, document.note, document.reference) == (
        OrderKind.SUBSCRIPTION,
        period,
        "Thank you",
        "PO-1",
    )
    assert (item.kind, item.subscription) == (OrderKind.SUBSCRIPTION, period)


@pytest.mark.parametrize("kind", [OrderKind.TOP_UP, OrderKind.CREDIT_REVERSAL, OrderKind.REFUND_REVERSAL, OrderKind.LATE_CHARGE])
def test_what_the_system_alone_makes_is_not_ordered(office: Office, kind: OrderKind) -> None:
    account_id = office.open_account()
    with refused(office.books, "bad_order_kind", InvalidError):
        order(office, wish(account_id, kind=kind))


def test_T6_a_quote_offers_terms_with_methods_parts_and_discount(office: Office) -> None:
    with_terms(office, THIRDS, TWO_TEN)
    account_id = office.open_account()
    offers = {offer.term.id: offer for offer in quote_order(wish(account_id), office.firm, office.books, office.clock).offers}
    assert [part.due_date for part in offers["thirds"].parts] == [TODAY, None, TODAY + timedelta(days=60)]
    discount = offers["two_ten"].priced.discount
    assert discount is not None
    assert (discount.gross_minor, discount.net_minor) == (242, 200)
    assert offers["no_cards"].methods == office.firm.terms["no_cards"].methods


def test_A5_the_refusals_of_limits_say_what_is_left(office: Office) -> None:
    account_id = office.open_account(credit_limits={"EUR": 20000})
    order(office, wish(account_id))
    with pytest.raises(RemitError) as refusal:
        order(office, wish(account_id))
    assert (refusal.value.code, refusal.value.facts["available_minor"]) == ("credit_limit_exceeded", 7900)
