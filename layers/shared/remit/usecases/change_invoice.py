"""What the operations on one issued invoice have in common: load it, move its open item, post, answer (L1)."""

from collections.abc import Callable

from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, invoice_ref, open_item_ref


def change_invoice(
    account_id: str,
    invoice_id: str,
    reason: str | None,
    act: Callable[[Operation, Invoice], None],
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """Let `act` change what is open on the invoice, within an operation that holds its open item.

    The document itself is only read: nothing writes it a second time (I5). `NotFoundError` for an unknown invoice.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, IssuedInvoice]:
        loaded = books.load(invoice_ref(account_id, invoice_id), open_item_ref(account_id, invoice_id))
        invoice = need(loaded, invoice_ref(account_id, invoice_id))
        item = need(loaded, open_item_ref(account_id, invoice_id))
        balance = balance_or_new(books.load(balance_ref(account_id, invoice.currency)), account_id, invoice.currency)
        operation = Operation(balance, Circumstances(firm.today(now), now, request.actor, reason))
        operation.hold(item)
        act(operation, invoice)
        return operation.changes(), IssuedInvoice(invoice, operation.item(invoice_id))

    return once(books, request, now, decide)
