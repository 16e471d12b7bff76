"""Tell the customer of what happened: the invoice, the receipt (D1, D2)."""

from remit.domain.automations import Automation
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.messages import Message
from remit.usecases.loading import need, need_account
from remit.usecases.ports import (
    Books,
    Clock,
    Letters,
    Mailer,
    account_ref,
    invoice_ref,
    open_item_ref,
    payment_ref,
)
from remit.usecases.send_message import send_once


def send_invoice(
    account_id: str, invoice_id: str, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """E-mail a new invoice with its pay link, once; None when the firm or the account does not want that.

    Invoices issued before either switch was turned on are not sent (D1).
    """
    loaded = books.load(account_ref(account_id), invoice_ref(account_id, invoice_id), open_item_ref(account_id, invoice_id))
    account = need_account(loaded, account_id)
    invoice = need(loaded, invoice_ref(account_id, invoice_id))
    item = need(loaded, open_item_ref(account_id, invoice_id))
    since = firm.switched_on(Automation.SEND_INVOICES, account)
    if since is None or invoice.issued_at < since:
        return None
    return send_once(
        f"msg_invoice_{invoice.id}",
        account,
        lambda: letters.invoice(firm, account, invoice, item, clock.now()),
        books,
        mailer,
        clock,
        about=(invoice.id,),
    )


def send_receipt(
    account_id: str, payment_id: str, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """E-mail a receipt for a payment that arrived, once; None when the firm or the account does not want that."""
    loaded = books.load(account_ref(account_id), payment_ref(account_id, payment_id))
    account = need_account(loaded, account_id)
    payment = need(loaded, payment_ref(account_id, payment_id))
    since = firm.switched_on(Automation.SEND_RECEIPTS, account)
    # The gateway tells whole seconds by a clock of its own: a payment that began here after the switch came after it.
    arrived = max(payment.created_at, payment.reported_at or payment.created_at)
    if since is None or arrived < since:
        return None
    refs = [open_item_ref(account_id, allocation.invoice_id) for allocation in payment.allocations]
    settled = books.load(*refs) if refs else loaded
    invoices = [item for ref in refs if (item := settled.get(ref))]
    if len(invoices) != len(refs):
        raise NotFoundError("invoice_not_found", "The payment names an invoice that is not there.", id=payment_id)
    return send_once(
        f"msg_receipt_{payment.id}",
        account,
        lambda: letters.receipt(firm, account, payment, invoices, clock.now()),
        books,
        mailer,
        clock,
        about=(payment.id, *(item.invoice_id for item in invoices)),
    )
