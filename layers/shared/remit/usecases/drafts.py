"""Draft orders change until they are invoiced, and nobody bills what they were before (I1).

Issuing reads the order without consistency (`once` with `guess`) and does not write it: what proves that the order was
read as it is now is the balance, which every change of a draft writes, with the order's new version.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from remit.domain.errors import ConflictError, RuleError
from remit.domain.invoices import invoice_id_for
from remit.domain.journal import Balance, DraftChange
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order

REMEMBERED = timedelta(hours=1)
"""How long a change of a draft stays on the balance: far longer than any replica of the table is behind."""


def draft_changed(balance: Balance, order: Order, now: datetime) -> Balance:
    """The balance with the change of `order` (as it is about to be written) noted."""
    others = (change for change in forgotten(balance, now).draft_changes if change.order_id != order.id)
    return replace(balance, draft_changes=(*others, DraftChange(order.id, order.version + 1, now)))


def forgotten(balance: Balance, now: datetime) -> Balance:
    """The balance without the changes that every reader has seen by now."""
    return replace(
        balance, draft_changes=tuple(change for change in balance.draft_changes if now - change.changed_at < REMEMBERED)
    )


def is_latest(order: Order, balance: Balance) -> bool:
    """Whether the balance knows no later version of the order than the one that was read."""
    return not any(change.order_id == order.id and change.version > order.version for change in balance.draft_changes)


def require_latest(order: Order, balance: Balance) -> None:
    """`ConflictError` when the balance knows a later version of the order than the one that was read."""
    if not is_latest(order, balance):
        raise ConflictError("changed_meanwhile", "The order was changed at the same moment. Read it again.")


def require_not_invoiced(order: Order, item: OpenItem | None) -> None:
    """`RuleError` `order_canceled` or `order_invoiced` (with the invoice) for what is no draft any more."""
    order.require_draft()
    if item is not None:
        raise RuleError(
            "order_invoiced",
            f"The order is invoiced as {item.number}, and an invoice does not change. Void it or credit what is wrong.",
            order_id=order.id,
            invoice_id=invoice_id_for(order.id),
            number=item.number,
            status=str(item.status),
        )
