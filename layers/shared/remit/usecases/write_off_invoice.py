"""Write off what will not be paid (I9)."""

from remit.domain import posting_rules
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.operation import Operation
from remit.usecases.change_invoice import change_invoice
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.ports import Books, Clock


def write_off_invoice(
    account_id: str,
    invoice_id: str,
    reason: str,
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """All that is open becomes a loss, and the invoice uncollectible. A payment for it later recovers the loss.

    `RuleError` `invoice_settled` or `invoice_void` when nothing is open.
    """

    def act(operation: Operation, invoice: Invoice) -> None:
        written_off = operation.item(invoice_id).write_off()
        operation.change(written_off)
        operation.post(posting_rules.invoice_written_off, written_off)

    return change_invoice(account_id, invoice_id, reason, act, request, firm, books, clock)
