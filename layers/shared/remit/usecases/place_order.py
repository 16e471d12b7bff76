"""Quote an order, and place it with the chosen term (T6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from remit.domain.accounts import Account
from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import Firm
from remit.domain.orders import (
    MAX_DEPOSITS,
    Deduction,
    LineRequest,
    Order,
    OrderKind,
    PricedLines,
    Quote,
    SubscriptionPeriod,
    deducting,
    on_terms,
    parts_of,
    price,
    quote,
)
from remit.domain.terms import Method, Occasion, PaymentTerm
from remit.domain.wallet import require_credit
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.issue_invoice import unbilled
from remit.usecases.loading import account_and_balance, need, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref, invoice_ref, open_item_ref


@dataclass(frozen=True, slots=True)
class OrderWish:
    """What to buy. `currency` None means the account's own; `term_id` None the account's default term. `deposits` are paid
    deposit invoices to deduct (I10)."""

    account_id: str
    lines: Sequence[LineRequest]
    currency: str | None = None
    prices_include_tax: bool = False
    term_id: str | None = None
    reference: str | None = None
    kind: OrderKind = OrderKind.PRODUCTS
    subscription: SubscriptionPeriod | None = None
    deposits: Sequence[str] = ()
    note: str | None = None


def quote_order(wish: OrderWish, firm: Firm, books: Books, clock: Clock) -> Quote:
    """Price the order and list every term with its exact schedule; stores nothing."""
    account = need_account(books.load(account_ref(wish.account_id)), wish.account_id)
    priced = _priced(wish, account, firm, books)
    return quote(priced, firm, firm.today(clock.now()), account.methods)


def place_order(wish: OrderWish, request: Request[Order], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Freeze the priced lines and the chosen term as an order, and count it as unbilled (A5).

    `InvalidError` for an unknown term, tax code or currency, and when neither the order nor the account names a term;
    `RuleError` `credit_limit_exceeded` or `wallet_too_low` when the account may not owe so much, `term_not_allowed` when the
    term does not fit.
    """
    now = clock.now()
    order_id = ids.new("ord")

    def decide(consistent: bool) -> tuple[Changes, Order]:
        account, balance = account_and_balance(books, wish.account_id, wish.currency, firm)
        priced, term, methods = agreed(wish, account, firm, books, now)
        require_credit(account, balance, priced.payable_minor, firm.today(now))
        order = Order(
            order_id,
            account.id,
            priced,
            term,
            now,
            wish.reference,
            wish.kind,
            methods,
            wish.subscription,
            note=wish.note,
        )
        return [order, unbilled(balance, priced.payable_minor)], order

    return once(books, request, now, decide)


def agreed(
    wish: OrderWish, account: Account, firm: Firm, books: Books, now: datetime
) -> tuple[PricedLines, PaymentTerm, tuple[Method, ...]]:
    """What an order freezes: the lines as billed under the chosen term, the term, and how it may be paid."""
    term = firm.term(_chosen_term(wish, account))
    priced = on_terms(_priced(wish, account, firm, books), term)
    methods = allowed_methods(term, account, priced)
    parts_of(priced, term, Occasion(firm.today(now), firm.today(now)))  # refuses a term that does not fit the total
    return priced, term, methods


def allowed_methods(term: PaymentTerm, account: Account, priced: PricedLines) -> tuple[Method, ...]:
    """How an order on this term may be paid by this account (T3); `RuleError` when it may not have the term at all."""
    methods = tuple(method for method in term.methods if method in account.methods)
    if not methods or not term.fits(priced.currency):
        raise RuleError(
            "term_not_allowed",
            f"Term {term.id} does not fit: it is for {term.currency or 'any currency'} and {', '.join(term.methods)}.",
            currency=term.currency,
            methods=[str(method) for method in term.methods],
            account_methods=[str(method) for method in account.methods],
        )
    return methods


def _priced(wish: OrderWish, account: Account, firm: Firm, books: Books) -> PricedLines:
    if wish.kind in (OrderKind.CREDIT_REVERSAL, OrderKind.REFUND_REVERSAL, OrderKind.TOP_UP, OrderKind.LATE_CHARGE):
        raise InvalidError("bad_order_kind", f"A {wish.kind} is not ordered; it has a request of its own.")
    currency = wish.currency or account.default_currency
    priced = price(wish.lines, currency, firm, prices_include_tax=wish.prices_include_tax)
    return deducting(priced, _deductions(wish, currency, books)) if wish.deposits else priced


def _deductions(wish: OrderWish, currency: str, books: Books) -> list[Deduction]:
    """What deducting the deposits takes off; `RuleError` unless each is a deposit, paid in full and not deducted yet (I10)."""
    if wish.kind is OrderKind.DEPOSIT:
        raise InvalidError("bad_order_kind", "A deposit is deducted from a sale, not from another deposit.")
    if len(set(wish.deposits)) != len(wish.deposits):
        raise InvalidError("duplicate_deposit", "Each deposit is named once.")
    if len(wish.deposits) > MAX_DEPOSITS:
        raise InvalidError("too_many_deposits", f"An order deducts at most {MAX_DEPOSITS} deposits.", max=MAX_DEPOSITS)
    refs = [(invoice_ref(wish.account_id, deposit), open_item_ref(wish.account_id, deposit)) for deposit in wish.deposits]
    loaded = books.load(*(ref for pair in refs for ref in pair))
    found: list[Deduction] = []
    for document, open_item in refs:
        invoice, item = need(loaded, document), need(loaded, open_item)
        if invoice.currency != currency:
            raise InvalidError("currency_mismatch", f"Deposit {invoice.number} is in {invoice.currency}, not {currency}.")
        item.require_deductible()
        found.append(Deduction(invoice.id, invoice.number, invoice.priced.totals.subtotals))
    return found


def _chosen_term(wish: OrderWish, account: Account) -> str:
    chosen = wish.term_id or account.default_term_id
    if chosen is None:
        raise InvalidError("no_payment_term", "Choose a payment term: the account has no default.")
    return chosen
