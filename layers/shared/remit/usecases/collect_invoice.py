"""Charge an invoice to the account's default method on its due date (P3, S5)."""

from dataclasses import dataclass, replace
from datetime import date

from remit.domain.accounts import Account
from remit.domain.actor import Actor, Channel
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.journal import canonical
from remit.domain.open_items import Collection, CollectionResult, OpenItem
from remit.domain.payments import Payment
from remit.usecases.charge_saved_method import ChargeWish, charge_saved_method
from remit.usecases.idempotency import Request, persist
from remit.usecases.loading import need, need_account
from remit.usecases.payment_attempts import Pick
from remit.usecases.ports import Books, Changes, Clock, Ids, PaymentGateway, account_ref, open_item_ref

AGENDA = Actor("collection", Channel.SCHEDULE)

SKIPPED = {
    "no_saved_method": CollectionResult.NO_METHOD,
    "method_not_allowed": CollectionResult.METHOD_NOT_ALLOWED,
    "invoice_disputed": CollectionResult.DISPUTED,
    "payment_under_way": CollectionResult.UNDER_WAY,
}
"""Refusals that a collection skips for, and leaves a note of; any other is a fault."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of it; None: there was nothing to collect (any more)."""

    result: CollectionResult | None
    payment: Payment | None = None


def collect_invoice(
    account_id: str, invoice_id: str, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock, ids: Ids
) -> Collected:
    """Charge what is due by today, once for each due date, whatever runs twice.

    What was paid, voided or written off is left alone. Who has no method, or whose invoice is in dispute, is skipped: the
    invoice says why, and falls to dunning like any other. A failed charge is not tried again by itself.
    """
    loaded = books.load(account_ref(account_id), open_item_ref(account_id, invoice_id))
    account, item = need_account(loaded, account_id), need(loaded, open_item_ref(account_id, invoice_id))
    today = firm.today(clock.now())
    if item.collect_on is None or item.collect_on > today:
        return Collected(None)
    due = _due_now(item, today)
    if not due or item.is_void:
        _move_on(item, None, today, books, clock)
        return Collected(None)
    if not account.payment.collect_automatically:
        return _skip(item, CollectionResult.SWITCHED_OFF, today, books, clock)
    try:
        payment = _charge(account, item, due, firm, books, gateway, clock, ids)
    except RuleError as refusal:
        if refusal.code not in SKIPPED:
            raise
        return _skip(item, SKIPPED[refusal.code], today, books, clock)
    return Collected(CollectionResult.STARTED, payment)


def _due_now(item: OpenItem, today: date) -> int:
    """What is due by today, and no more than settles the invoice (T5)."""
    return min(item.due_on(today), item.payable_on(today))


def _charge(
    account: Account, item: OpenItem, due_minor: int, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock, ids: Ids
) -> Payment:
    fact = f"{item.invoice_id}/{item.collect_on}"
    request: Request[Payment] = Request(AGENDA, "collection", fact, canonical(fact), lambda payment: {"id": payment.id}, None)
    wish = ChargeWish(account.id, [Pick(item.invoice_id, due_minor)], collected_on=True)
    return charge_saved_method(wish, request, firm, books, gateway, clock, ids)[0]


def _skip(item: OpenItem, result: CollectionResult, today: date, books: Books, clock: Clock) -> Collected:
    _move_on(item, Collection(clock.now(), result), today, books, clock)
    return Collected(result)


def _move_on(item: OpenItem, note: Collection | None, today: date, books: Books, clock: Clock) -> None:
    """Wait for the next part's due date, if there is one."""
    planned = item.collect_on

    def decide() -> tuple[Changes, None]:
        ref = open_item_ref(item.account_id, item.invoice_id)
        known = need(books.load(ref), ref)
        if known.collect_on != planned:
            return [], None
        return [replace(known, collect_on=known.next_due_after(today), collection=note or known.collection)], None

    persist(books, decide)
