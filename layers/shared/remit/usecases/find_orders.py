"""Orders with how they stand: drafts, invoiced, canceled (I1, I11)."""

from dataclasses import dataclass

from remit.domain.invoices import invoice_id_for
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order, OrderStatus
from remit.usecases.loading import need
from remit.usecases.paging import filtered
from remit.usecases.ports import Books, Journal, open_item_ref, order_ref


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """An order, how it stands, and the open item of its invoice once there is one."""

    order: Order
    status: OrderStatus
    open_item: OpenItem | None = None

    @property
    def invoice_id(self) -> str | None:
        return self.open_item.invoice_id if self.open_item else None


def read_order(account_id: str, order_id: str, books: Books) -> StandingOrder:
    """`NotFoundError` for an unknown order."""
    loaded = books.load(order_ref(account_id, order_id), open_item_ref(account_id, invoice_id_for(order_id)))
    order = need(loaded, order_ref(account_id, order_id))
    return standing(order, loaded.get(open_item_ref(account_id, invoice_id_for(order_id))))


def find_orders(
    account_id: str, status: OrderStatus | None, cursor: str | None, limit: int, books: Books, journal: Journal
) -> tuple[list[StandingOrder], str | None]:
    """An account's orders, newest first, of one status or all."""

    def page(cursor: str | None, limit: int) -> tuple[list[StandingOrder], str | None]:
        orders, more = journal.newest(Order, account_id, cursor, limit)
        refs = {order.id: open_item_ref(account_id, invoice_id_for(order.id)) for order in orders}
        loaded = books.load(*refs.values()) if refs else None
        return [standing(order, loaded.get(refs[order.id]) if loaded else None) for order in orders], more

    return filtered(page, lambda found: status in (None, found.status), lambda found: found.order.id, cursor, limit)


def standing(order: Order, item: OpenItem | None) -> StandingOrder:
    if item is not None:
        return StandingOrder(order, OrderStatus.INVOICED, item)
    return StandingOrder(order, OrderStatus.CANCELED if order.canceled_at else OrderStatus.DRAFT)
