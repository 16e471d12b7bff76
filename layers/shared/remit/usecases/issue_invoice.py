"""Issue the invoice of an order (I2–I5)."""

from dataclasses import dataclass, replace
from datetime import timedelta

from remit.domain import posting_rules
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, OpenItem, invoice_id_for, issue, series_name
from remit.domain.orders import Order
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    account_ref,
    balance_ref,
    invoice_ref,
    open_item_ref,
    order_ref,
    series_ref,
)


@dataclass(frozen=True, slots=True)
class IssuedInvoice:
    """The document and what is open on it."""

    invoice: Invoice
    open_item: OpenItem


def issue_invoice(
    account_id: str, order_id: str, request: Request[IssuedInvoice], firm: Firm, books: Books, clock: Clock
) -> Answer:
    """Give the order its one invoice: number, document, open item, entry, balance and guard in one transaction.

    An order that was invoiced already answers with that invoice, whoever asks again (I2). `NotFoundError` for
    an unknown account or order; `RuleError` when there is nothing to bill.

    Reads: account, order, balance and number counter in one request, at first without consistency, since
    account and order are immutable enough and the conditions on balance and counter prove the rest.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, IssuedInvoice]:
        invoice_id = invoice_id_for(order_id)
        series = series_ref(series_name(firm, firm.today(now)))
        refs = [
            account_ref(account_id),
            order_ref(account_id, order_id),
            balance_ref(account_id, firm.default_currency),
            series,
        ]
        if consistent:
            refs += [invoice_ref(account_id, invoice_id), open_item_ref(account_id, invoice_id)]
        loaded = books.load(*refs, consistent=consistent)

        account = need_account(loaded, account_id)
        order = need(loaded, order_ref(account_id, order_id))
        issued, item = loaded.get(invoice_ref(account_id, invoice_id)), loaded.get(open_item_ref(account_id, invoice_id))
        if issued and item:
            return [], IssuedInvoice(issued, item)
        _require_something_to_bill(order)

        currency = order.priced.currency
        if currency != firm.default_currency:
            loaded = books.load(balance_ref(account_id, currency), series, consistent=consistent)
        balance = balance_or_new(loaded, account_id, currency)
        invoice, item, advanced = issue(order, account, firm, loaded.get(series) or NumberSeries(series.id), now)
        why = Circumstances(invoice.issued_on, now, request.actor)
        entry, balance = balance.post(posting_rules.invoice_issued(invoice, why))
        item = replace(item, entries=(entry.sequence,))
        overdue_from = min(part.due_date for part in item.parts) + timedelta(days=1)
        balance = replace(balance, look_again_on=min(balance.look_again_on or overdue_from, overdue_from))
        return [invoice, item, entry, balance, advanced], IssuedInvoice(invoice, item)

    return once(books, request, now, decide, guess=True)


def _require_something_to_bill(order: Order) -> None:
    if order.priced.totals.gross_minor == 0:
        raise RuleError("nothing_to_bill", "The order's total is zero, so there is nothing to invoice.")
