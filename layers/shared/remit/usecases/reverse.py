"""Take a credit or a processed refund back by an invoice (C4, R7)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from remit.domain.accounts import Account
from remit.domain.credits import Credit
from remit.domain.firm import Firm
from remit.domain.invoices import NumberSeries, series_name
from remit.domain.operation import Operation
from remit.domain.payments import Payment
from remit.domain.posting_rules import Circumstances, Reversible
from remit.domain.refunds import Refund, RefundFrom
from remit.domain.reversals import reversal_invoice_id, reversal_order
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.issue_invoice import IssuedInvoice, bill
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Ref,
    account_ref,
    balance_ref,
    credit_note_ref,
    credit_ref,
    refund_ref,
    series_ref,
)
from remit.usecases.refunding import as_kept, hold_all, refs_of


def reverse_credit(
    account_id: str, credit_id: str, note: str, request: Request[IssuedInvoice], firm: Firm, books: Books, clock: Clock
) -> Answer:
    """Issue an invoice of the credit's whole amount, with the very net and tax that it had reversed (C4).

    What is left of the credit stays, and may pay that invoice. `RuleError` `credit_reversed` for a second time.
    """

    def reverse(loaded: Credit, operation: Operation) -> Reversible:
        operation.hold(loaded)
        operation.change(loaded.reverse(reversal_invoice_id(credit_id)))
        if loaded.credit_note_id is None:
            return loaded
        ref = credit_note_ref(account_id, loaded.credit_note_id)
        return need(books.load(ref), ref)

    return _reverse(account_id, credit_ref(account_id, credit_id), note, request, firm, books, clock, reverse)


def reverse_refund(
    account_id: str, refund_id: str, note: str, request: Request[IssuedInvoice], firm: Firm, books: Books, clock: Clock
) -> Answer:
    """Issue an invoice that asks for the refunded money; the credit that the refund had consumed is there again (R7).

    `RuleError` when the refund is not processed, was reversed before, or opened an invoice again, which asks already.
    """

    def reverse(loaded: Refund, operation: Operation) -> Reversible:
        reversed_ = loaded.reverse(reversal_invoice_id(refund_id))
        refs = refs_of(loaded)
        operation.hold(loaded)
        if refs:
            hold_all(operation, books.load(*refs), refs)
        operation.change(reversed_)
        sources = as_kept(loaded.sources, loaded, operation)
        for source in sources:
            if source.account is RefundFrom.CREDIT:
                operation.change(operation.lot(source.document_id).put_back(source.amount_minor))
            elif source.account is RefundFrom.WALLET and loaded.payment_id:
                payment = operation.get(Payment, loaded.payment_id)
                operation.change(replace(payment, wallet_minor=payment.wallet_minor + source.amount_minor))
            elif source.account is RefundFrom.LOSS:
                operation.change(operation.get(Payment, source.document_id))  # the entry is about it
        return replace(loaded, sources=sources)

    return _reverse(account_id, refund_ref(account_id, refund_id), note, request, firm, books, clock, reverse)


def _reverse[T: Credit | Refund](
    account_id: str,
    ref: Ref[T],
    note: str,
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
    reverse: Callable[[T, Operation], Reversible],
) -> Answer:
    """Bill what `reverse` takes back of the thing, in one transaction with it."""
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, IssuedInvoice]:
        series = series_ref(series_name(firm.invoice_prefix, firm.today(now)))
        loaded = books.load(ref, account_ref(account_id), balance_ref(account_id, firm.default_currency), series)
        thing = need(loaded, ref)
        account: Account = need_account(loaded, account_id)
        own = loaded
        if thing.currency != firm.default_currency:
            own = books.load(balance_ref(account_id, thing.currency))
        why = Circumstances(firm.today(now), now, request.actor, note)
        operation = Operation(balance_or_new(own, account_id, thing.currency), why)
        reversible = reverse(thing, operation)
        order = reversal_order(reversible, thing.id, note, account, firm, now)
        invoice, advanced = bill(operation, order, account, firm, loaded.get(series) or NumberSeries(series.id), reversible)
        changes: list[Any] = [*operation.changes(), order, invoice, advanced]
        return changes, IssuedInvoice(invoice, operation.item(invoice.id))

    return once(books, request, now, decide)
