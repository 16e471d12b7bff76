"""Void an invoice that nothing was paid or credited on (I3, I6)."""

from dataclasses import replace

from remit.domain import posting_rules
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.journal import Balance, TopUpState
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.usecases.change_invoice import change_invoice
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import need
from remit.usecases.ports import Books, Clock, entry_ref, open_item_ref, payment_ref


def void_invoice(
    account_id: str,
    invoice_id: str,
    reason: str,
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """Take the invoice back by the exact reverse of the entry that issued it, which the new one names. The number stays.

    Deposits that it deducted can be deducted again (I10). `RuleError` `invoice_not_voidable` with what was paid, credited
    and could be credited instead; `payment_under_way` while the customer may be paying it.
    """

    def act(operation: Operation, invoice: Invoice) -> None:
        item = operation.item(invoice_id)
        voided = item.void()
        require_no_attempt(books, item)
        issued_by = entry_ref(account_id, invoice.currency, item.entries[0])
        deposits = [open_item_ref(account_id, deduction.invoice_id) for deduction in invoice.priced.deductions]
        loaded = books.load(issued_by, *deposits)
        issued = need(loaded, issued_by)
        operation.hold(*(need(loaded, deposit) for deposit in deposits))
        for deposit in deposits:
            operation.change(replace(operation.item(deposit.id), deducted_on=None))
        operation.change(voided)
        operation.balance = _without_top_up(operation.balance, invoice_id)
        operation.post(posting_rules.invoice_voided, invoice, issued.draft, issued.sequence)

    return change_invoice(account_id, invoice_id, reason, act, request, firm, books, clock)


def require_no_attempt(books: Books, item: OpenItem) -> None:
    """`RuleError` `payment_under_way` while the payer may still complete a payment of the invoice (P4)."""
    if item.payment_attempt is None:
        return
    ref = payment_ref(item.account_id, item.payment_attempt)
    attempt = books.load(ref).get(ref)
    if attempt is not None and attempt.is_under_way:
        raise RuleError(
            "payment_under_way",
            f"A payment of invoice {item.number} is under way.",
            payment_id=attempt.id,
            status=str(attempt.status),
            expires_at=attempt.expires_at.isoformat() if attempt.expires_at else None,
        )


def _without_top_up(balance: Balance, invoice_id: str) -> Balance:
    """A top-up that was waiting for this invoice waits no more (W2)."""
    state: TopUpState = balance.top_up
    return replace(balance, top_up=replace(state, pending_invoice=None)) if state.pending_invoice == invoice_id else balance
