"""How the automatic collection of an invoice stands: every attempt, and when the next is or why there is none (S4)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from remit.domain.collection import Action, Outcome, Why
from remit.domain.collection_attempts import outcome_of, reason_of
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.usecases.collect_invoice import LOOK_AGAIN, SKIPPED, last_attempt, step_for
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Clock, Journal, account_ref

PAGE = 100

FOR_GOOD = (Why.HARD_DECLINE, Why.SWITCHED_OFF)
"""These stop what falls due later, too."""


@dataclass(frozen=True, slots=True)
class CollectionAttempt:
    """One automatic charge: number `number` for the due date `due_on`; `reason` is why it failed, in the gateway's words."""

    payment_id: str
    number: int
    due_on: date
    made_at: datetime
    method_label: str
    amount_minor: int
    outcome: Outcome
    reason: str | None
    retry_on: date | None


@dataclass(frozen=True, slots=True)
class CollectionStanding:
    """`next_on`: when the method is charged next, as things stand; None: not any more by itself. `why` says why so."""

    next_on: date | None
    why: str
    attempts: tuple[CollectionAttempt, ...]


def attempt_of(payment: Payment) -> CollectionAttempt | None:
    """A payment as an attempt of automatic collection; None when somebody made it."""
    if payment.collected is None:
        return None
    collected = payment.collected
    return CollectionAttempt(
        payment_id=payment.id,
        number=collected.number,
        due_on=collected.due_on,
        made_at=payment.created_at,
        method_label=collected.method_label,
        amount_minor=payment.amount_minor,
        outcome=outcome_of(payment),
        reason=reason_of(payment),
        retry_on=collected.retry_on,
    )


def read_collection(item: OpenItem, firm: Firm, books: Books, journal: Journal, clock: Clock) -> CollectionStanding | None:
    """None for an invoice that is not collected by itself. Nothing beside the invoice is read before the first attempt."""
    if item.collect_on is None and item.collection is None:
        return None
    attempts = tuple(filter(None, map(attempt_of, collection_payments(item, journal))))
    next_on, why = _next(item, firm, books, clock)
    return CollectionStanding(next_on, why, attempts)


def collection_payments(item: OpenItem, journal: Journal) -> list[Payment]:
    """The payments that were attempts to collect the invoice, oldest first: found among those made since it was issued."""
    if item.collection is None or item.collection.payment_id is None:
        return []
    earliest = item.issued_on - timedelta(days=1)  # the firm's day may begin before that of UTC
    found: list[Payment] = []
    cursor: str | None = None
    while True:
        page, cursor = journal.newest(Payment, item.account_id, cursor, PAGE)
        made_since = [payment for payment in page if payment.created_at.date() >= earliest]
        found += [payment for payment in made_since if _is_attempt_at(payment, item.invoice_id)]
        if cursor is None or len(made_since) < len(page):
            return found[::-1]


def _is_attempt_at(payment: Payment, invoice_id: str) -> bool:
    return payment.collected is not None and any(share.invoice_id == invoice_id for share in payment.intended)


def _next(item: OpenItem, firm: Firm, books: Books, clock: Clock) -> tuple[date | None, str]:
    """The day of the next charge by what is known now, and why it is that day or none."""
    if item.is_void or not item.open_minor:
        return None, "settled"
    today = firm.today(clock.now())
    due_on, next_due_on = item.last_due_by(today), item.next_due_after(today)
    if due_on is None:
        return next_due_on, "not_due"
    account = need_account(books.load(account_ref(item.account_id)), item.account_id)
    try:
        step = step_for(account, item, last_attempt(item, books), due_on, firm, today)
    except RuleError as refusal:
        result = SKIPPED[refusal.code]
        return (item.collect_on if result in LOOK_AGAIN else next_due_on), str(result)
    if step.action is Action.STOP:
        return (None if step.why in FOR_GOOD else next_due_on), str(step.why)
    days = [day for day in (step.on or max(today, item.collect_on or today), next_due_on) if day]
    return min(days), str(step.why)
