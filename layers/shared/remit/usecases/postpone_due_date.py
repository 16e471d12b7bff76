"""Move the due date of a part of an invoice (P6)."""

from datetime import date

from remit.domain import posting_rules
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.operation import Operation
from remit.usecases.change_invoice import change_invoice
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.ports import Books, Clock


def postpone_due_date(
    account_id: str,
    invoice_id: str,
    part: int,
    new_due_date: date,
    reason: str,
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """Part number `part` (from 1) is owed on another day. The old date, who moved it and why stay with the open item, and an
    entry says so; the discount's date stays where it was, and dunning looks again.

    `RuleError`: `no_such_part`, `part_not_due` (settled, or waiting for its delivery), `bad_due_date`.
    """
    now = clock.now()

    def act(operation: Operation, invoice: Invoice) -> None:
        item = operation.item(invoice_id)
        moved = item.postpone(part, new_due_date, request.actor, reason, now, firm.today(now))
        operation.change(moved)
        operation.post(posting_rules.due_date_moved, moved)

    return change_invoice(account_id, invoice_id, reason, act, request, firm, books, clock)
