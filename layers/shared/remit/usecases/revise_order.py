"""Revise an order that is not invoiced yet (I1, T6)."""

from dataclasses import replace
from datetime import datetime

from remit.domain.errors import ConflictError, InvalidError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.invoices import invoice_id_for
from remit.domain.orders import Order
from remit.domain.wallet import require_credit
from remit.usecases.drafts import draft_changed, require_not_invoiced
from remit.usecases.idempotency import ATTEMPTS, pause
from remit.usecases.issue_invoice import unbilled
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.place_order import OrderWish, agreed
from remit.usecases.ports import Books, Changes, Clock, account_ref, balance_ref, open_item_ref, order_ref


def revise_order(order_id: str, version: int, wish: OrderWish, firm: Firm, books: Books, clock: Clock) -> Order:
    """Replace what is ordered: priced, taxed and given terms anew, with what is unbilled moved along (A5).

    `version` is the one that the caller saw. An order that is already as wished stays as it is, so the same request
    again is harmless. `RuleError` `order_changed` when somebody else revised it since, `order_canceled`,
    `order_invoiced`, and all that placing an order refuses; `InvalidError` for another currency.
    """
    now = clock.now()
    for attempt in range(ATTEMPTS):
        changes, order = _decide(order_id, version, wish, firm, books, now)
        try:
            if changes:
                books.commit(changes)
        except (ConflictError, TransientError):
            if attempt == ATTEMPTS - 1:
                raise
            pause(attempt)
        else:
            return replace(order, version=order.version + 1) if changes else order
    raise AssertionError("unreachable: the last attempt returns or raises")


def _decide(order_id: str, version: int, wish: OrderWish, firm: Firm, books: Books, now: datetime) -> tuple[Changes, Order]:
    order_at, item_at = order_ref(wish.account_id, order_id), open_item_ref(wish.account_id, invoice_id_for(order_id))
    loaded = books.load(account_ref(wish.account_id), order_at, item_at)
    account = need_account(loaded, wish.account_id)
    order = need(loaded, order_at)
    require_not_invoiced(order, loaded.get(item_at))
    currency = order.priced.currency
    if (wish.currency or currency) != currency:
        raise InvalidError("currency_mismatch", f"The order is in {currency}. Place a new one in {wish.currency}.")
    priced, term, methods = agreed(replace(wish, currency=currency), account, firm, books, now)
    revised = replace(
        order,
        priced=priced,
        term=term,
        methods=methods,
        reference=wish.reference,
        kind=wish.kind,
        subscription=wish.subscription,
        note=wish.note,
        revised_at=now,
    )
    if replace(revised, revised_at=order.revised_at) == order:
        return [], order
    if version != order.version:
        raise RuleError("order_changed", "The order was revised since you read it.", order_id=order.id, version=order.version)
    balance_at = books.load(balance_ref(account.id, currency))
    released = unbilled(balance_or_new(balance_at, account.id, currency), -order.priced.payable_minor)
    require_credit(account, released, priced.payable_minor, firm.today(now))
    return [revised, draft_changed(unbilled(released, priced.payable_minor), revised, now)], revised
