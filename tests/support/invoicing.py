"""What an `Office` does with orders and invoices: one line a deed. Each call has its own key unless one is named."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import invoice_id_for
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest, Order
from remit.domain.terms import Due, DueRule, EarlyDiscount, PaymentTerm, TermPart
from remit.usecases.cancel_order import cancel_order
from remit.usecases.idempotency import Answer, Request
from remit.usecases.invoice_timeline import Timeline, invoice_timeline
from remit.usecases.issue_batch import finish_batch, issue_batch
from remit.usecases.place_order import OrderWish, place_order
from remit.usecases.postpone_due_date import postpone_due_date
from remit.usecases.report_delivery import report_delivery
from remit.usecases.revise_order import revise_order
from remit.usecases.void_invoice import void_invoice
from remit.usecases.write_off_invoice import write_off_invoice
from tests.support.builders import Office, line, plain

THIRDS = PaymentTerm(
    "thirds",
    "30 % now, 40 % on delivery, the rest in 60 days",
    (
        TermPart(Due(DueRule.ON_RECEIPT), percent=Decimal(30)),
        TermPart(Due(DueRule.AFTER_DELIVERY, 14), percent=Decimal(40)),
        TermPart(Due(DueRule.NET_DAYS, 60)),
    ),
)
ON_DELIVERY = PaymentTerm.single("on_delivery", "14 days after delivery", Due(DueRule.AFTER_DELIVERY, 14))
TWO_TEN = replace(PaymentTerm.single("two_ten", "2/10 net 30", Due(DueRule.NET_DAYS, 30)), discount=EarlyDiscount(Decimal(2), 10))


def with_terms(office: Office, *terms: PaymentTerm) -> Office:
    """The office of a firm that has these terms as well."""
    office.firm = replace(office.firm, terms=dict(office.firm.terms) | {term.id: term for term in terms})
    return office


def wish(account_id: str, *lines: LineRequest, **what: Any) -> OrderWish:
    return OrderWish(account_id, lines or (line(),), **what)


def order(office: Office, wanted: OrderWish, key: str | None = None) -> str:
    ask: Request[Order] = office.request(key, plain(wanted))
    return str(place_order(wanted, ask, office.firm, office.books, office.clock, office.ids).body["id"])


def invoice(office: Office, wanted: OrderWish) -> str:
    """An order as wished and its invoice; the invoice's id."""
    order_id = order(office, wanted)
    office.issue(wanted.account_id, order_id)
    return invoice_id_for(order_id)


def revise(office: Office, order_id: str, wanted: OrderWish, version: int = 1) -> Order:
    return revise_order(order_id, version, wanted, office.firm, office.books, office.clock)


def cancel(office: Office, account_id: str, order_id: str, key: str | None = None) -> Answer:
    return cancel_order(account_id, order_id, office.request(key, order_id), office.books, office.clock)


def void(office: Office, account_id: str, invoice_id: str, key: str | None = None) -> Answer:
    ask = office.request(key, invoice_id)
    return void_invoice(account_id, invoice_id, "wrong customer", ask, office.firm, office.books, office.clock)


def write_off(office: Office, account_id: str, invoice_id: str, key: str | None = None) -> Answer:
    ask = office.request(key, invoice_id)
    return write_off_invoice(account_id, invoice_id, "insolvent", ask, office.firm, office.books, office.clock)


def postpone(office: Office, account_id: str, invoice_id: str, until: date, part: int = 1, key: str | None = None) -> Answer:
    ask = office.request(key, [invoice_id, part, until.isoformat()])
    return postpone_due_date(account_id, invoice_id, part, until, "agreed by phone", ask, office.firm, office.books, office.clock)


def deliver(office: Office, account_id: str, invoice_id: str, percent: int | str, on: date, key: str | None = None) -> Answer:
    ask = office.request(key, [invoice_id, str(percent), on.isoformat()])
    return report_delivery(account_id, invoice_id, Decimal(percent), on, ask, office.firm, office.books, office.clock)


def batch(office: Office, orders: Sequence[tuple[str, str]], key: str | None = None) -> InvoiceBatch:
    ask: Request[InvoiceBatch] = office.request(key, plain(orders), lambda batch: {"id": batch.id})
    return issue_batch(orders, ask, office.firm, office.books, office.books, office.clock, office.ids)[0]


def finish(office: Office, batch_id: str) -> InvoiceBatch:
    return finish_batch(batch_id, office.firm, office.books, office.clock)


def timeline(office: Office, account_id: str, invoice_id: str) -> Timeline:
    return invoice_timeline(account_id, invoice_id, office.firm, office.books, office.books, office.clock)


def assert_sound(office: Office, account_id: str, currency: str = "EUR") -> None:
    """The books explain themselves: replay, Σ open = receivable, Σ lots = credit."""
    assert office.differences(account_id) == ()
    items, _ = office.books.newest(OpenItem, account_id, None, 10**6)
    balance = office.balance(account_id, currency)
    assert sum(item.open_minor for item in items if item.currency == currency) == balance.receivable_minor
    assert all(item.open_minor == sum(part.open_minor for part in item.parts) for item in items)
