"""The attempts of automatic collections, which are payments that say so (`Payment.collected`), as `next_step` needs them (S4).

What an attempt came to is read off its payment, so that nothing is stored twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from remit.domain.collection import NOT_CHARGED_AGAIN_AFTER, PAYER_MUST_ACT, Attempts, MethodStanding, Outcome, RetryPolicy
from remit.domain.open_items import OpenItem
from remit.domain.payments import AUTHENTICATION_REQUIRED, DisputeStatus, Ending, Payment, PaymentStatus, Transaction
from remit.domain.terms import Method

_OUTCOME: Mapping[PaymentStatus, Outcome] = {
    PaymentStatus.PENDING: Outcome.UNDER_WAY,
    PaymentStatus.PROCESSING: Outcome.UNDER_WAY,
    PaymentStatus.AUTHORIZED: Outcome.UNDER_WAY,
    PaymentStatus.REQUIRES_ACTION: Outcome.AUTHENTICATION_REQUIRED,
    PaymentStatus.FAILED: Outcome.DECLINED,
    PaymentStatus.CANCELED: Outcome.CANCELED,
    PaymentStatus.SUCCEEDED: Outcome.SUCCEEDED,
    PaymentStatus.REVERTED: Outcome.DECLINED,
}


def outcome_of(attempt: Payment) -> Outcome:
    """What the attempt came to, by all that the gateway has said of it. A debit that came back is a failed attempt, with the
    reason it carries."""
    if returned := _returned(attempt):
        return Outcome.DECLINED if returned.is_soft else Outcome.HARD_DECLINE
    if attempt.status is PaymentStatus.FAILED and attempt.failure == AUTHENTICATION_REQUIRED:
        return Outcome.AUTHENTICATION_REQUIRED
    if attempt.status is PaymentStatus.FAILED and (attempt.is_hard_failure or any(each.is_hard for each in _failures(attempt))):
        return Outcome.HARD_DECLINE
    if attempt.status is PaymentStatus.CANCELED and attempt.failure == Ending.NOT_CHARGED:
        return Outcome.DECLINED if _failures(attempt) else Outcome.NOT_CHARGED
    return _OUTCOME[attempt.status]


def reason_of(attempt: Payment) -> str | None:
    """Why it failed, in the gateway's words: of a debit, only its charge tells the bank's reason."""
    if returned := _returned(attempt):
        return returned.reason
    told = [each.note for each in _failures(attempt) if attempt.method is Method.BANK_DEBIT and each.note]
    return told[-1] if told else attempt.failure


def _failures(attempt: Payment) -> list[Transaction]:
    return [each for each in attempt.transactions if each.type == "failure"]


def ended_at(attempt: Payment) -> datetime:
    """When its outcome was known: what the wait for the next one counts from."""
    returned = _returned(attempt)
    return returned.at if returned else attempt.reported_at or attempt.created_at


@dataclass(frozen=True, slots=True)
class _Return:
    """That a debit came back after it had brought the money: when, why, and whether it may be tried again."""

    at: datetime
    reason: str | None
    is_soft: bool


def _returned(attempt: Payment) -> _Return | None:
    """The gateway tells it as the failure of a charge that was captured, or as a dispute that is lost at once. A card's lost
    dispute is none: its holder objected, and that is no failed charge."""
    if back := attempt.returned_by:
        return _Return(back.occurred_at, back.note, not back.is_hard)
    lost = [dispute for dispute in attempt.disputes if dispute.status is DisputeStatus.LOST]
    if attempt.method is not Method.BANK_DEBIT or not lost:
        return None
    last = max(lost, key=lambda dispute: dispute.reported_at)
    return _Return(last.reported_at, last.reason, last.is_soft)


def attempts_so_far(item: OpenItem, last: Payment | None, ended_on: date | None, due_on: date, method_id: str) -> Attempts:
    """What was tried for the invoice, for a due date and a method."""
    if last is None:
        return Attempts()
    _, made = counted_for(item, due_on)
    tries = made - not_charged_for(item, last, due_on)
    return Attempts(tries, outcome_of(last), ended_on, _standing(method_id, last, declined_for_good(item, last)))


def counted_for(item: OpenItem, due_on: date) -> tuple[date, int]:
    """For which due date an attempt counts, and how many were made for it. A due date before the one that was tried for counts
    with it: what is due by the later is charged together."""
    noted = item.collection
    if noted is None or noted.due_on is None or due_on > noted.due_on:
        return due_on, 0
    return noted.due_on, noted.attempts


def not_charged_for(item: OpenItem, last: Payment | None, due_on: date) -> int:
    """How many of the attempts that count for a due date never reached the gateway."""
    _, made = counted_for(item, due_on)
    if item.collection is None or last is None or not made:
        return 0
    return item.collection.not_charged + (outcome_of(last) is Outcome.NOT_CHARGED)


def declined_for_good(item: OpenItem, last: Payment | None) -> tuple[str, ...]:
    """The methods that must not be charged for this invoice any more."""
    known = item.collection.declined if item.collection else ()
    if last is None or last.saved_method is None or outcome_of(last) is not Outcome.HARD_DECLINE:
        return known
    return tuple(dict.fromkeys((*known, last.saved_method)))


def _standing(method_id: str, last: Payment, declined: tuple[str, ...]) -> MethodStanding:
    if method_id in declined:
        return MethodStanding.DECLINED
    return MethodStanding.SAME if method_id == last.saved_method else MethodStanding.OTHER


def with_retry(attempt: Payment, policy: RetryPolicy, ended_on: date) -> Payment:
    """The attempt of a collection with how it failed and the day on which it is tried again, as things stand; other
    payments as they are.

    It depends on what is known of the payment alone, not on the order in which it was told (G3). What fails shortly before
    the next part is due is charged together with it.
    """
    collected = attempt.collected
    if collected is None:
        return attempt
    outcome = outcome_of(attempt)
    days: list[date] = []
    if outcome is Outcome.NOT_CHARGED:
        days.append(ended_on + NOT_CHARGED_AGAIN_AFTER)
    if outcome is Outcome.DECLINED and (wait := policy.wait_after(collected.tries)):
        days.append(ended_on + wait)
    if outcome in (Outcome.DECLINED, Outcome.AUTHENTICATION_REQUIRED) and collected.next_due_on:
        days.append(max(ended_on, collected.next_due_on))
    failed_as = outcome if outcome in (Outcome.DECLINED, *PAYER_MUST_ACT) else None
    return replace(attempt, collected=replace(collected, retry_on=min(days, default=None), failed_as=failed_as))
