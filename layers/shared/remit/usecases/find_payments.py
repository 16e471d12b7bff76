"""Find payments of an account: what is outstanding and what has cleared (P5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment, PaymentState, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.loading import need, need_account
from remit.usecases.paging import newest_matching
from remit.usecases.ports import Books, Journal, account_ref, invoice_ref, open_item_ref


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
    return newest_matching(journal, Payment, account_id, wanted.fits, cursor, limit)


def invoices_of(payment: Payment, books: Books) -> Sequence[tuple[Invoice, OpenItem]]:
    """The invoices that a payment paid or was meant for, with what is open on each."""
    named = dict.fromkeys(share.invoice_id for share in (*payment.allocations, *payment.intended))
    if not named:
        return ()
    refs = [(invoice_ref(payment.account_id, id), open_item_ref(payment.account_id, id)) for id in named]
    loaded = books.load(*(ref for pair in refs for ref in pair))
    return tuple((need(loaded, invoice), need(loaded, item)) for invoice, item in refs)
