"""Keep a customer's wallet topped up (W2)."""

from dataclasses import dataclass, replace

from remit.domain.accounts import Account, PaymentMode
from remit.domain.actor import Actor, Channel
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import NumberSeries, invoice_id_for, series_name
from remit.domain.journal import Balance, TopUpState
from remit.domain.money import Money
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.posting_rules import Circumstances
from remit.domain.wallet import top_up_due
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.loading import account_and_balance, proved_open_items
from remit.usecases.ports import Books, Changes, Clock, Ids, Journal, open_item_ref, payment_ref, series_ref
from remit.usecases.read_wallet import pending_top_ups
from remit.usecases.top_up_wallet import top_up

AUTOMATION = Actor("auto_top_up", Channel.SCHEDULE)


@dataclass(frozen=True, slots=True)
class TopUpOutcome:
    """What came of looking at a wallet: the invoice made, or why it stands `stopped`, or neither."""

    account_id: str
    currency: str
    invoice_id: str | None = None
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class WalletEvent:
    """Why the wallet is looked at: it was charged, or (`payment_id`) a payment came to nothing."""

    account_id: str
    currency: str
    payment_id: str | None = None


def top_up_automatically(event: WalletEvent, firm: Firm, books: Books, journal: Journal, clock: Clock, ids: Ids) -> TopUpOutcome:
    """Ask for a top-up if the wallet has fallen to its threshold, what is pending counted in.

    The balance says what is pending, and carries the lock: an event that comes twice, or two at once, find the invoice of
    the first. It stops, until somebody turns it on again, when the day's cap forbids more, when the invoice that was
    pending is void or given up or its payment failed, and when no saved method could pay the next one:
    that one is still issued, for the customer to pay by hand. `TransientError` while the index of open items is behind.
    """
    order_id = ids.new("ord")

    def decide() -> tuple[Changes, TopUpOutcome]:
        account, balance = account_and_balance(books, event.account_id, event.currency, firm)
        return _decide(account, balance, event, order_id, firm, books, journal, clock)

    return persist(books, decide)


def restart_top_up(account_id: str, currency: str, request: Request[Balance], firm: Firm, books: Books, clock: Clock) -> Answer:
    """A person turns the automatic top-up on again: why it stopped is forgotten, and so is an invoice that came to nothing."""

    def decide(consistent: bool) -> tuple[Changes, Balance]:
        _, balance = account_and_balance(books, account_id, currency, firm)
        state = balance.top_up
        item = _pending(balance, books)
        pending = state.pending_invoice if item and item.status in _WAITING else None
        restarted = replace(balance, top_up=replace(state, stopped=None, pending_invoice=pending))
        return ([] if restarted == balance else [restarted]), restarted

    return once(books, request, clock.now(), decide)


_WAITING = (InvoiceStatus.ISSUED, InvoiceStatus.PART_PAID)


def _decide(
    account: Account,
    balance: Balance,
    event: WalletEvent,
    order_id: str,
    firm: Firm,
    books: Books,
    journal: Journal,
    clock: Clock,
) -> tuple[Changes, TopUpOutcome]:
    now = clock.now()
    today = firm.today(now)
    nothing = TopUpOutcome(account.id, balance.currency)
    wanted, state = account.payment.auto_top_up, balance.top_up
    if wanted is None or wanted.currency != balance.currency or account.mode_on(today) is not PaymentMode.PREPAID:
        return [], nothing
    if state.stopped:
        return [], replace(nothing, stopped=state.stopped)
    item = _pending(balance, books)
    if failure := _failure(item, event, books):
        return _stop(balance, failure)
    if item and item.open_minor:
        return [], nothing
    try:
        due_minor = top_up_due(balance, wanted, _pending_minor(balance, journal), today)
    except RuleError as refusal:
        return _stop(balance, refusal.code)
    if not due_minor:
        return [], nothing
    can_collect = bool(account.payment.saved_methods)
    stopped = None if can_collect else "no_saved_method"
    so_far = state.day_minor if state.day == today else 0
    asked = TopUpState(invoice_id_for(order_id), today, so_far + due_minor, stopped)
    series = series_ref(series_name(firm.invoice_prefix, today))
    counter = books.load(series).get(series) or NumberSeries(series.id)
    why = Circumstances(today, now, AUTOMATION)
    amount = Money(due_minor, balance.currency)
    changes, issued = top_up(account, replace(balance, top_up=asked), amount, order_id, why, firm, counter, collect=can_collect)
    return changes, replace(nothing, invoice_id=issued.invoice.id, stopped=stopped)


def _stop(balance: Balance, reason: str) -> tuple[Changes, TopUpOutcome]:
    stopped = replace(balance, top_up=replace(balance.top_up, stopped=reason))
    return [stopped], TopUpOutcome(balance.account_id, balance.currency, stopped=reason)


def _pending(balance: Balance, books: Books) -> OpenItem | None:
    invoice_id = balance.top_up.pending_invoice
    if invoice_id is None:
        return None
    ref = open_item_ref(balance.account_id, invoice_id)
    return books.load(ref).get(ref)


_CAME_TO_NOTHING = {InvoiceStatus.VOID: "top_up_voided", InvoiceStatus.UNCOLLECTIBLE: "top_up_written_off"}


def _failure(item: OpenItem | None, event: WalletEvent, books: Books) -> str | None:
    """Why the pending top-up will not come, if so. A customer's own try at the gateway's page that failed is no reason."""
    if item is None:
        return None
    if item.status in _CAME_TO_NOTHING:
        return _CAME_TO_NOTHING[item.status]
    if event.payment_id is None:
        return None
    ref = payment_ref(event.account_id, event.payment_id)
    payment: Payment | None = books.load(ref).get(ref)
    if payment is None or payment.saved_method is None or item.invoice_id not in [each.invoice_id for each in payment.intended]:
        return None
    return "top_up_failed" if payment.status in (PaymentStatus.FAILED, PaymentStatus.REVERTED) else None


def _pending_minor(balance: Balance, journal: Journal) -> int:
    """What top-up invoices, also those made by hand, still ask for."""
    return pending_top_ups(proved_open_items(balance, journal))
