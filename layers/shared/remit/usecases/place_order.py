"""Quote an order, and place it with the chosen term (T6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.domain.accounts import Account
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.orders import LineRequest, Order, Quote, price, quote
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref


@dataclass(frozen=True, slots=True)
class OrderWish:
    """What to buy. `currency` None means the account's own; `term_id` None the account's default term."""

    account_id: str
    lines: Sequence[LineRequest]
    currency: str | None = None
    prices_include_tax: bool = False
    term_id: str | None = None
    reference: str | None = None


def quote_order(wish: OrderWish, firm: Firm, books: Books, clock: Clock) -> Quote:
    """Price the order and list every term with its exact schedule; stores nothing."""
    account = need_account(books.load(account_ref(wish.account_id)), wish.account_id)
    priced = price(wish.lines, wish.currency or account.default_currency, firm, prices_include_tax=wish.prices_include_tax)
    return quote(priced, firm, firm.today(clock.now()))


def place_order(wish: OrderWish, request: Request[Order], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Freeze the priced lines and the chosen term as an order.

    `InvalidError` for an unknown term, tax code or currency, and when neither the order nor the account names a term.
    """
    now = clock.now()
    order_id = ids.new("ord")

    def decide(consistent: bool) -> tuple[Changes, Order]:
        account = need_account(books.load(account_ref(wish.account_id)), wish.account_id)
        priced = price(wish.lines, wish.currency or account.default_currency, firm, prices_include_tax=wish.prices_include_tax)
        term = firm.term(_chosen_term(wish, account))
        order = Order(order_id, account.id, priced, term, now, wish.reference)
        return [order], order

    return once(books, request, now, decide)


def _chosen_term(wish: OrderWish, account: Account) -> str:
    chosen = wish.term_id or account.default_term_id
    if chosen is None:
        raise InvalidError("no_payment_term", "Choose a payment term: the account has no default.")
    return chosen
