"""Find out what became of a payment that the gateway was asked for (P4, P7)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from remit.domain.actor import Actor, Channel
from remit.domain.collection_attempts import ended_at, with_retry
from remit.domain.errors import RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.payments import Ending, Payment, PaymentStatus
from remit.usecases.apply_gateway_report import note_answer, touched_items
from remit.usecases.charge_saved_method import ask_gateway
from remit.usecases.idempotency import persist
from remit.usecases.loading import need
from remit.usecases.payment_attempts import LOOK_UP_AFTER, close_page
from remit.usecases.ports import Books, Changes, Clock, PaymentGateway, open_item_ref, payment_ref

AGENDA = Actor("payment_outcomes", Channel.SCHEDULE)

ASK_AGAIN_UNTIL = timedelta(hours=1)
"""So long an attempt that the gateway does not know is given to it again, under the same key. What it does not know
then was never charged: its search shows a payment within that time, even in an outage (https://docs.stripe.com/search)."""

GIVE_UP_AFTER = timedelta(hours=24)
"""So long a gateway that does not answer is asked. Then somebody has to look: the attempt stays, and blocks."""

GIVE_UP_CAPTURE_AFTER = timedelta(days=9)
"""No authorisation lives that long (https://docs.stripe.com/payments/place-a-hold-on-a-payment-method)."""

MAX_PAUSE = timedelta(hours=4)


class Outcome(StrEnum):
    """What came of asking. `UNKNOWN` for good needs a person."""

    KNOWN = "known"
    ASK_LATER = "ask_later"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resolution:
    outcome: Outcome
    payment: Payment


def resolve_outcome(
    account_id: str, payment_id: str, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock
) -> Resolution:
    """Ask the gateway about one payment; safe at any time and any number of times.

    What the gateway knows is taken in. What it does not know is asked for again while an invoice still needs it, and is
    at an end after an hour. An interrupted capture is asked for again: it was wanted, and its key makes it one.
    """
    ref = payment_ref(account_id, payment_id)
    payment = need(books.load(ref), ref)
    if not _waits(payment) or payment.look_up_at is None:
        return Resolution(Outcome.KNOWN, payment)
    try:
        payment = ask_about(payment, firm, books, gateway, clock)
    except TransientError:
        return _later(payment, books, clock)
    return _later(payment, books, clock) if _waits(payment) else Resolution(Outcome.KNOWN, payment)


def _waits(payment: Payment) -> bool:
    """For the outcome of a charge, of a capture, or of a page whose time is over."""
    capturing = payment.status is PaymentStatus.AUTHORIZED and payment.capture_minor is not None
    return payment.is_outcome_unknown or capturing or payment.is_on_page


def ask_about(payment: Payment, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock) -> Payment:
    """The payment as the gateway knows it now; `TransientError` when it does not answer."""
    now = clock.now()
    if payment.is_on_page and payment.is_page_over(now):
        return close_page(payment, Ending.EXPIRED, AGENDA, firm, books, gateway, clock)
    report = gateway.look_up(payment, now)
    if report is not None and report.status is not PaymentStatus.PENDING:
        payment = note_answer(report, AGENDA, firm, books, clock)
    if payment.status is PaymentStatus.AUTHORIZED and payment.capture_minor is not None:
        try:
            return note_answer(gateway.capture(payment, now), AGENDA, firm, books, clock)
        except RuleError:
            return capture_given_up(payment, books)
    if not payment.is_outcome_unknown:
        return payment
    if now - payment.created_at >= ASK_AGAIN_UNTIL:
        return _never_charged(payment, firm, books)
    return ask_gateway(payment, AGENDA, firm, books, gateway, clock) if _is_wanted(payment, books) else payment


def _never_charged(payment: Payment, firm: Firm, books: Books) -> Payment:
    """Note that the gateway never came to know the charge, unless it was heard of meanwhile. One of an automatic collection is
    made again, so that its invoice is looked at then."""

    def decide() -> tuple[Changes, Payment]:
        ref = payment_ref(payment.account_id, payment.id)
        refs = [open_item_ref(payment.account_id, share.invoice_id) for share in payment.intended]
        loaded = books.load(ref, *refs)
        known = need(loaded, ref)
        ended = known.end(Ending.NOT_CHARGED)
        if ended == known:
            return [], known
        ended = with_retry(ended, firm.collection_retries, firm.today(ended_at(ended)))
        retry_on = ended.collected.retry_on if ended.collected else None
        if retry_on is None:
            return [ended], ended
        items = touched_items(ended, loaded, books).values()
        return [ended, *(item.collected_by(retry_on) for item in items if item.open_minor)], ended

    return persist(books, decide)


def _is_wanted(payment: Payment, books: Books) -> bool:
    """Whether the invoices still need all of it: nobody is charged late for what was paid otherwise meanwhile."""
    refs = [open_item_ref(payment.account_id, share.invoice_id) for share in payment.intended]
    items = touched_items(payment, books.load(*refs), books)
    return all(
        share.invoice_id in items and items[share.invoice_id].open_minor >= share.amount_minor for share in payment.intended
    )


def _later(payment: Payment, books: Books, clock: Clock) -> Resolution:
    """Ask again after as long as it has been waited already; after a day not any more."""
    now = clock.now()
    waited = now - max(payment.created_at, payment.expires_at or payment.created_at)
    give_up = waited >= (GIVE_UP_AFTER if payment.capture_minor is None else GIVE_UP_CAPTURE_AFTER)

    def decide() -> tuple[Changes, Payment]:
        ref = payment_ref(payment.account_id, payment.id)
        known = need(books.load(ref), ref)
        if known.look_up_at is None:
            return [], known
        moved = replace(known, look_up_at=None if give_up else now + min(max(waited, LOOK_UP_AFTER), MAX_PAUSE))
        return [moved], moved

    moved = persist(books, decide)
    outcome = Outcome.UNKNOWN if give_up else Outcome.ASK_LATER
    return Resolution(outcome, moved)


def capture_given_up(payment: Payment, books: Books) -> Payment:
    """The gateway refused to capture: the authorisation stands as it did."""

    def decide() -> tuple[Changes, Payment]:
        ref = payment_ref(payment.account_id, payment.id)
        known = need(books.load(ref), ref)
        if known.status is not PaymentStatus.AUTHORIZED or known.capture_minor is None:
            return [], known
        free = replace(known, capture_minor=None, look_up_at=None)
        return [free], free

    return persist(books, decide)
