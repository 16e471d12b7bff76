"""Issue the invoice of an order (I2–I5)."""

from dataclasses import dataclass, replace
from typing import Any

from remit.domain import posting_rules
from remit.domain.accounts import Account, PaymentMode
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, ReservedNumber, invoice_id_for, issue, series_name
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import Order
from remit.domain.payments import Allocation
from remit.domain.posting_rules import Circumstances, Reversible
from remit.domain.wallet import draw, wallet_limit
from remit.usecases.apply_credit import apply_lots
from remit.usecases.drafts import forgotten, require_latest
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Ref,
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

    Reads: account, order, balance and number counter in one request, at first without consistency: the conditions on
    balance and counter prove them, and the balance proves the order, whose changes it knows (`drafts`).
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, IssuedInvoice]:
        invoice_id = invoice_id_for(order_id)
        series = series_ref(series_name(firm.invoice_prefix, firm.today(now)))
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
        order.require_draft()
        require_something_to_bill(order)

        currency = order.priced.currency
        more: list[Ref[Any]] = [open_item_ref(account_id, deduction.invoice_id) for deduction in order.priced.deductions]
        if currency != firm.default_currency:
            more += [balance_ref(account_id, currency), series]
        if more:
            loaded = books.load(*more, balance_ref(account_id, currency), series, consistent=consistent)
        why = Circumstances(firm.today(now), now, request.actor)
        balance = balance_or_new(loaded, account_id, currency)
        require_latest(order, balance)
        operation = Operation(unbilled(forgotten(balance, now), -order.priced.payable_minor), why)
        operation.hold(*(need(loaded, open_item_ref(account_id, d.invoice_id)) for d in order.priced.deductions))
        invoice, advanced = bill(operation, order, account, firm, loaded.get(series) or NumberSeries(series.id), None)
        if account.apply_credits:
            apply_lots(operation, account_id, invoice.id, firm, books, consistent=consistent)
        return [*operation.changes(), invoice, advanced], IssuedInvoice(invoice, operation.item(invoice.id))

    return once(books, request, now, decide, guess=True)


def bill[S: (NumberSeries, ReservedNumber)](
    operation: Operation, order: Order, account: Account, firm: Firm, series: S, reverses: Reversible | None
) -> tuple[Invoice, S]:
    """Number the order's invoice and post it, within an operation that may do more; a prepaid account pays it from its
    wallet at once (A4). Deposits that it deducts are marked, so that each is deducted once (I10)."""
    invoice, item, advanced = issue(order, account, firm, series, operation.why.recorded_at)
    for deduction in order.priced.deductions:
        operation.change(operation.item(deduction.invoice_id).deduct(invoice.id))
    if account.payment.collect_automatically and item.mode is PaymentMode.POSTPAID:
        item = replace(item, collect_on=item.next_due)
    operation.create(item)
    known = operation.balance.dunning
    state = replace(known, first_look_days=firm.first_look_days(account), charges_interest=firm.charges_interest(account))
    operation.balance = replace(operation.balance, dunning=state)
    dated = replace(operation.why, effective_on=invoice.issued_on)
    operation.post(posting_rules.invoice_issued, invoice, reverses, why=dated)
    if item.mode is PaymentMode.PREPAID and item.open_minor:
        limit = wallet_limit(account, item.currency, invoice.issued_on)
        drawn = draw(operation.balance, item.open_minor, limit)
        operation.settle(WALLET, [Allocation(item.invoice_id, item.open_minor)], invoice.issued_on)
        operation.post(posting_rules.invoice_paid_from_wallet, item, drawn, why=dated)
    return invoice, advanced


WALLET = "wallet"
"""What settles an invoice when neither a payment nor a credit does: the prepaid balance."""


def unbilled(balance: Balance, by_minor: int) -> Balance:
    """The balance with what is ordered and not invoiced moved; never below zero (A5)."""
    return replace(balance, unbilled_minor=max(0, balance.unbilled_minor + by_minor))


def require_something_to_bill(order: Order) -> None:
    if order.priced.totals.gross_minor == 0:
        raise RuleError("nothing_to_bill", "The order's total is zero, so there is nothing to invoice.", order_id=order.id)
