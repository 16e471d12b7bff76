"""Cancel an order that is not invoiced yet (I1)."""

from dataclasses import replace

from remit.domain.invoices import invoice_id_for
from remit.domain.orders import Order
from remit.usecases.drafts import draft_changed, require_not_invoiced
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.issue_invoice import unbilled
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, open_item_ref, order_ref


def cancel_order(account_id: str, order_id: str, request: Request[Order], books: Books, clock: Clock) -> Answer:
    """Give the order up: what it had as unbilled is free again (A5), and it is never invoiced.

    `NotFoundError` for an unknown order; `RuleError` `order_invoiced`, or `order_canceled` when it was canceled before.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Order]:
        order_at, item_at = order_ref(account_id, order_id), open_item_ref(account_id, invoice_id_for(order_id))
        loaded = books.load(order_at, item_at)
        order = need(loaded, order_at)
        require_not_invoiced(order, loaded.get(item_at))
        currency = order.priced.currency
        balance = balance_or_new(books.load(balance_ref(account_id, currency)), account_id, currency)
        canceled = replace(order, canceled_at=now)
        released = unbilled(balance, -order.priced.payable_minor)
        return [canceled, draft_changed(released, canceled, now)], replace(canceled, version=canceled.version + 1)

    return once(books, request, now, decide)
