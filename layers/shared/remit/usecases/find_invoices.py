"""Invoices of an account: one of them, its draft, and lists with filters (I1, I11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.invoices import NumberSeries, issue, order_id_for, series_name
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.orders import OrderKind
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import need_account
from remit.usecases.paging import filtered
from remit.usecases.ports import Books, Clock, Journal, account_ref, invoice_ref, open_item_ref, order_ref


class Show(StrEnum):
    """Which invoices a list has: `OPEN` and `OVERDUE` are ordered by due date, oldest first; `ALL`, newest first."""

    OPEN = "open"
    OVERDUE = "overdue"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """What an invoice in the list must be; None: anything."""

    status: InvoiceStatus | None = None
    currency: str | None = None
    subscription_id: str | None = None
    kind: OrderKind | None = None

    def wants(self, item: OpenItem) -> bool:
        subscription_id = item.subscription.subscription_id if item.subscription else None
        return (
            self.status in (None, item.status)
            and self.currency in (None, item.currency)
            and self.subscription_id in (None, subscription_id)
            and self.kind in (None, item.kind)
        )


def find_invoices(
    account_id: str,
    show: Show,
    wanted: InvoiceFilter,
    cursor: str | None,
    limit: int,
    today: date,
    books: Books,
    journal: Journal,
) -> tuple[list[OpenItem], str | None]:
    """A page of the account's invoices, and where to go on. `NotFoundError` for an unknown account.

    Lists of what is open come from an index, which follows the ledger with a moment's delay.
    """
    need_account(books.load(account_ref(account_id)), account_id)
    if show is Show.ALL:
        return filtered(
            lambda cursor, limit: journal.newest(OpenItem, account_id, cursor, limit),
            wanted.wants,
            lambda item: item.invoice_id,
            cursor,
            limit,
        )
    found = [
        item
        for item in journal.open_items(account_id, wanted.currency)
        if wanted.wants(item) and (show is Show.OPEN or item.is_overdue(today))
    ]
    return _page(found, cursor, limit)


def _page(items: Sequence[OpenItem], cursor: str | None, limit: int) -> tuple[list[OpenItem], str | None]:
    """By place in the order, so that an invoice which is settled between two pages moves nothing."""
    after = sorted((item for item in items if cursor is None or _place(item) > cursor), key=_place)
    return after[:limit], _place(after[limit - 1]) if len(after) > limit else None


def _place(item: OpenItem) -> str:
    """What is due on no day yet comes last."""
    due = item.next_due.isoformat() if item.next_due else "9999"
    return f"{due}_{item.number}"


def read_invoice(account_id: str, invoice_id: str, books: Books) -> IssuedInvoice | None:
    """The issued invoice; None when there is none of that id."""
    loaded = books.load(invoice_ref(account_id, invoice_id), open_item_ref(account_id, invoice_id))
    invoice, item = loaded.get(invoice_ref(account_id, invoice_id)), loaded.get(open_item_ref(account_id, invoice_id))
    return IssuedInvoice(invoice, item) if invoice and item else None


def preview_invoice(account_id: str, invoice_id: str, firm: Firm, books: Books, clock: Clock) -> IssuedInvoice:
    """The invoice that a draft order would become if it were issued today. It has no number: what stands in its place is
    nobody's. `NotFoundError` when no order of the account becomes this invoice, any more."""
    order_at = order_ref(account_id, order_id_for(invoice_id))
    loaded = books.load(account_ref(account_id), order_at)
    account, order = need_account(loaded, account_id), loaded.get(order_at)
    if order is None or order.canceled_at is not None:
        raise NotFoundError("invoice_not_found", "There is no such invoice.", id=invoice_id)
    now = clock.now()
    nobodys = NumberSeries(series_name(firm.invoice_prefix, firm.today(now)))
    invoice, item, _ = issue(order, account, firm, nobodys, now)
    return IssuedInvoice(invoice, item)
