"""Charge an invoice to the account's default method when it is due, and again when that was declined (P3, S4, S5)."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from remit.domain.accounts import Account
from remit.domain.actor import Actor, Channel
from remit.domain.collection import NOT_CHARGED_AGAIN_AFTER, Action, Outcome, Step, Why, next_step
from remit.domain.collection_attempts import (
    attempts_so_far,
    counted_for,
    declined_for_good,
    ended_at,
    not_charged_for,
    outcome_of,
)
from remit.domain.errors import RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.journal import canonical
from remit.domain.open_items import Collection, CollectionResult, OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases.apply_gateway_report import note_answer
from remit.usecases.charge_saved_method import ChargeWish, PlannedAttempt, charge_saved_method
from remit.usecases.idempotency import Request, persist
from remit.usecases.loading import need, need_account
from remit.usecases.payment_attempts import Pick
from remit.usecases.ports import Books, Changes, Clock, Ids, PaymentGateway, account_ref, open_item_ref, payment_ref

AGENDA = Actor("collection", Channel.SCHEDULE)

SKIPPED = {
    "no_saved_method": CollectionResult.NO_METHOD,
    "method_not_allowed": CollectionResult.METHOD_NOT_ALLOWED,
    "invoice_disputed": CollectionResult.DISPUTED,
    "payment_under_way": CollectionResult.UNDER_WAY,
}
"""Refusals that a collection skips for, and leaves a note of; any other is a fault."""

OVERTAKEN = frozenset({"collection_overtaken", "invoice_settled", "invoice_void", "allocation_exceeds_open"})
"""Refusals of a charge that was decided on what is not so any more: the next run decides anew."""

LOOK_AGAIN = {CollectionResult.UNDER_WAY: timedelta(days=1), CollectionResult.DISPUTED: timedelta(days=7)}
"""What passes by itself is looked at again after so long; everything else has to be changed by somebody, and that brings the
invoice back."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of it; `result` None: there was nothing to collect now. `look_again_on`: when there may be."""

    result: CollectionResult | None
    payment: Payment | None = None
    look_again_on: date | None = None


def collect_invoice(
    account_id: str, invoice_id: str, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock, ids: Ids
) -> Collected:
    """Charge what is due by today as `next_step` says, one attempt at a time, each once, whatever runs twice.

    What was paid, voided or written off is left alone. What cannot be charged is skipped: the invoice says why, and falls to
    dunning like any other. A charge is of exactly the invoice that it was decided on (`PlannedAttempt.item_version`): what
    changes meanwhile is left to the next run.
    """
    loaded = books.load(account_ref(account_id), open_item_ref(account_id, invoice_id))
    account, item = need_account(loaded, account_id), need(loaded, open_item_ref(account_id, invoice_id))
    today = firm.today(clock.now())
    if item.collect_on is None or item.collect_on > today:
        return Collected(None, look_again_on=item.collect_on)
    due_on = item.last_due_by(today)
    if due_on is None or item.is_void:
        return _look_again(item, None, item.next_due_after(today), books)
    try:
        last = last_attempt(item, books)
        step = step_for(account, item, last, due_on, firm, today)
        if step.action is not Action.CHARGE:
            return _held_back(item, step, today, books, clock)
        if last and (later := _asked_once_more(item, last, firm, books, gateway, clock)):
            return later
        payment = _charge(account, item, last, due_on, firm, books, gateway, clock, ids)
    except RuleError as refusal:
        if refusal.code in OVERTAKEN:
            return Collected(None, look_again_on=today)
        if refusal.code not in SKIPPED:
            raise
        return _skip(item, SKIPPED[refusal.code], today, books, clock)
    return Collected(CollectionResult.STARTED, payment)


def last_attempt(item: OpenItem, books: Books) -> Payment | None:
    """The payment of the last attempt to collect the invoice."""
    if item.collection is None or item.collection.payment_id is None:
        return None
    ref = payment_ref(item.account_id, item.collection.payment_id)
    return need(books.load(ref), ref)


def step_for(account: Account, item: OpenItem, last: Payment | None, due_on: date, firm: Firm, today: date) -> Step:
    """What to do about what is due on `due_on`; `RuleError` while something else than the attempts is in the way."""
    if not account.payment.collect_automatically:
        return Step(Action.STOP, Why.SWITCHED_OFF)
    item.require_undisputed()
    method = account.payment.method()
    ended_on = firm.today(ended_at(last)) if last else None
    return next_step(attempts_so_far(item, last, ended_on, due_on, method.id), firm.collection_retries, due_on, today)


def _asked_once_more(
    item: OpenItem, last: Payment, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock
) -> Collected | None:
    """Before another charge takes the place of one that the gateway did not know, it is asked about that once more. What it
    knows of it now is taken in, and the next run decides on that; while it does not answer, nothing is charged at all."""
    if outcome_of(last) is not Outcome.NOT_CHARGED:
        return None
    today = firm.today(clock.now())
    try:
        report = gateway.look_up(last, clock.now())
    except TransientError:
        return _look_again(item, None, today + NOT_CHARGED_AGAIN_AFTER, books)
    if report is None or report.status is PaymentStatus.PENDING:
        return None
    note_answer(report, AGENDA, firm, books, clock)
    return Collected(None, look_again_on=today)


def _charge(
    account: Account,
    item: OpenItem,
    last: Payment | None,
    due_on: date,
    firm: Firm,
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
    ids: Ids,
) -> Payment:
    """Attempt number n for a due date, under a guard of its own: two runs at once make one."""
    today = firm.today(clock.now())
    counted_on, made = counted_for(item, due_on)
    declined, not_charged = declined_for_good(item, last), not_charged_for(item, last, due_on)
    attempt = PlannedAttempt(counted_on, made + 1, item.version, declined, not_charged)
    fact = f"{item.invoice_id}/{counted_on}/{made + 1}"
    request: Request[Payment] = Request(AGENDA, "collection", fact, canonical(fact), lambda payment: {"id": payment.id}, None)
    due_minor = min(item.due_on(today), item.payable_on(today))
    method_id = account.payment.method().id
    wish = ChargeWish(account.id, [Pick(item.invoice_id, due_minor)], method_id, collection=attempt)
    return charge_saved_method(wish, request, firm, books, gateway, clock, ids)[0]


def _held_back(item: OpenItem, step: Step, today: date, books: Books, clock: Clock) -> Collected:
    """Nothing is charged now. A wait changes nothing but the day; a stop, and a charge that is under way, leave a note."""
    if step.action is Action.WAIT and step.why is not Why.UNDER_WAY:
        return _look_again(item, None, step.on, books)
    return _skip(item, CollectionResult(step.why), today, books, clock)


def _skip(item: OpenItem, result: CollectionResult, today: date, books: Books, clock: Clock) -> Collected:
    noted = item.collection
    note = replace(noted, at=clock.now(), result=result) if noted else Collection(clock.now(), result)
    pause = LOOK_AGAIN.get(result)
    return _look_again(item, note, today + pause if pause else item.next_due_after(today), books)


def _look_again(item: OpenItem, note: Collection | None, on: date | None, books: Books) -> Collected:
    """Move on in the agenda, unless somebody changed the invoice since it was looked at: then it is looked at again."""

    def decide() -> tuple[Changes, Collected]:
        ref = open_item_ref(item.account_id, item.invoice_id)
        known = need(books.load(ref), ref)
        told = Collected(note.result if note else None, look_again_on=on)
        if known.version != item.version:
            return [], told
        return [replace(known, collect_on=on, collection=note or known.collection)], told

    return persist(books, decide)
