"""Tell the customer of what happened, once for each fact, and of nothing that happened before it was wanted (D1, D2, N3)."""

from datetime import datetime

from remit.domain.accounts import Account
from remit.domain.automations import Automation
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.messages import Message
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.loading import need, need_account
from remit.usecases.ports import (
    Books,
    Clock,
    Letters,
    Mailer,
    RetryPlan,
    account_ref,
    credit_note_ref,
    credit_ref,
    invoice_ref,
    open_item_ref,
    payment_ref,
    refund_ref,
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


def send_payment_failed(
    account_id: str, payment_id: str, plan: RetryPlan, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """Tell of a payment that failed or was returned, once each, with links to pay what is still open of it (S4, P8).

    None when nobody wants it, when the payer saw it fail on the page where they were paying, and when all that it was for is
    settled meanwhile: there is nothing to act upon.
    """
    loaded = books.load(account_ref(account_id), payment_ref(account_id, payment_id))
    account = need_account(loaded, account_id)
    payment = need(loaded, payment_ref(account_id, payment_id))
    since = firm.switched_on(Automation.TELL_PAYMENT_FAILED, account)
    failed_at = max(payment.created_at, payment.returned_at or payment.reported_at or payment.created_at)
    if since is None or failed_at < since or not _happened_unseen(payment):
        return None
    invoice_ids = dict.fromkeys(allocation.invoice_id for allocation in (*payment.intended, *payment.allocations))
    refs = [open_item_ref(account_id, invoice_id) for invoice_id in invoice_ids]
    found = books.load(*refs) if refs else loaded
    items = [item for ref in refs if (item := found.get(ref)) and item.open_minor]
    if refs and not items:
        return None
    fact = "returned" if payment.status is PaymentStatus.REVERTED else "failed"
    return send_once(
        f"msg_payment_{fact}_{payment.id}",
        account,
        lambda: letters.payment_failed(firm, account, payment, items, plan, clock.now()),
        books,
        mailer,
        clock,
        about=(payment.id, *(item.invoice_id for item in items)),
    )


def _happened_unseen(payment: Payment) -> bool:
    """Whether the payer was not there: a saved method, a debit that the bank refused days later, money taken back."""
    return payment.saved_method is not None or payment.method is Method.BANK_DEBIT or payment.status is PaymentStatus.REVERTED


def send_card_expiring(
    account_id: str, method_id: str, expires: str, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """Tell of a saved card that expires soon, once for each card and month; None when nobody wants it or it is no longer kept."""
    account = need_account(books.load(account_ref(account_id)), account_id)
    method = next((saved for saved in account.payment.saved_methods if saved.id == method_id), None)
    if firm.switched_on(Automation.TELL_CARD_EXPIRING, account) is None or method is None or method.expires != expires:
        return None
    return send_once(
        f"msg_card_expiring_{method.id}_{expires}",
        account,
        lambda: letters.card_expiring(firm, account, method),
        books,
        mailer,
        clock,
    )


def send_refund_made(
    account_id: str, refund_id: str, at: datetime, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """Tell of money that was given back at `at`, once; None when the firm or the account does not want that."""
    loaded = books.load(account_ref(account_id), refund_ref(account_id, refund_id))
    account = need_account(loaded, account_id)
    refund = need(loaded, refund_ref(account_id, refund_id))
    if not _wanted(Automation.TELL_REFUND, firm, account, at):
        return None
    return send_once(
        f"msg_refund_{refund.id}",
        account,
        lambda: letters.refund_made(firm, account, refund, firm.today(at)),
        books,
        mailer,
        clock,
        about=tuple(filter(None, (refund.id, refund.payment_id))),
    )


def send_credit_issued(
    account_id: str, credit_id: str, at: datetime, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """Tell of a credit that was given at `at`, once; None when the firm or the account does not want that."""
    loaded = books.load(account_ref(account_id), credit_ref(account_id, credit_id))
    account = need_account(loaded, account_id)
    credit = need(loaded, credit_ref(account_id, credit_id))
    if not _wanted(Automation.TELL_CREDIT, firm, account, at):
        return None
    return send_once(
        f"msg_credit_{credit.id}",
        account,
        lambda: letters.credit_issued(firm, account, credit),
        books,
        mailer,
        clock,
        about=(credit.id,),
    )


def send_credit_note(
    account_id: str, credit_note_id: str, at: datetime, firm: Firm, books: Books, letters: Letters, mailer: Mailer, clock: Clock
) -> Message | None:
    """Tell of a credit note that was issued at `at`, once; None when the firm or the account does not want that."""
    loaded = books.load(account_ref(account_id), credit_note_ref(account_id, credit_note_id))
    account = need_account(loaded, account_id)
    note = need(loaded, credit_note_ref(account_id, credit_note_id))
    if not _wanted(Automation.TELL_CREDIT, firm, account, at):
        return None
    return send_once(
        f"msg_credit_note_{note.id}",
        account,
        lambda: letters.credit_note_issued(firm, account, note),
        books,
        mailer,
        clock,
        about=(note.id, note.invoice_id),
    )


def _wanted(automation: Automation, firm: Firm, account: Account, at: datetime) -> bool:
    since = firm.switched_on(automation, account)
    return since is not None and at >= since
