"""Find payments of an account: what is outstanding and what has cleared (P5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment, PaymentState, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.loading import need, need_account
from remit.usecases.ports import Books, Journal, account_ref, invoice_ref, open_item_ref

MAX_PAGES = 10
"""So many pages are looked through for one that is asked for; a page may come back short, with a cursor to go on."""


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """What to look for; None: anything."""

    status: PaymentStatus | None = None
    state: PaymentState | None = None
    method: Method | None = None

    def fits(self, payment: Payment) -> bool:
        return (
            self.status in (None, payment.status)
            and self.state in (None, payment.state)
            and self.method in (None, payment.method)
        )


def find_payments(
    account_id: str, wanted: PaymentFilter, cursor: str | None, limit: int, books: Books, journal: Journal
) -> tuple[list[Payment], str | None]:
    """Newest first, at most `limit`, and where to go on; None when that was all."""
    need_account(books.load(account_ref(account_id)), account_id)
    found: list[Payment] = []
    for _ in range(MAX_PAGES):
        page, more = journal.newest(Payment, account_id, cursor, limit)
        for payment in page:
            if wanted.fits(payment):
                found.append(payment)
                if len(found) == limit:
                    return found, payment.id if payment is not page[-1] or more else None
        cursor = more
        if cursor is None:
            break
    return found, cursor


def invoices_of(payment: Payment, books: Books) -> Sequence[tuple[Invoice, OpenItem]]:
    """The invoices that a payment paid or was meant for, with what is open on each."""
    named = dict.fromkeys(share.invoice_id for share in (*payment.allocations, *payment.intended))
    if not named:
        return ()
    refs = [(invoice_ref(payment.account_id, id), open_item_ref(payment.account_id, id)) for id in named]
    loaded = books.load(*(ref for pair in refs for ref in pair))
    return tuple((need(loaded, invoice), need(loaded, item)) for invoice, item in refs)
