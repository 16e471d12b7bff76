"""Doing a thing once, whatever is repeated.

A `Guard` stands for one outside fact: an Idempotency-Key, a gateway event. It is written in the operation's
own transaction together with the answer, so there is no moment at which the money has moved and the guard
is missing. A repeat finds it and returns the first answer; the same key with another body is refused.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from remit.domain.actor import Actor
from remit.domain.errors import ConflictError, IdempotencyKeyReusedError, LedgerBrokenError, RemitError, TransientError
from remit.usecases.guards import Guard, GuardTakenError
from remit.usecases.ports import Books, Changes, guard_ref

ATTEMPTS = 12
"""Optimistic writes are tried this often; with the pauses below that is over 20 s of contention on one number series."""

TORN_READS = 4
"""Reads of several things are of no one moment, so what they say together may look broken while somebody else writes. It is
read again this often before it counts as broken."""

KEY_LIFETIME = timedelta(days=30)
"""How long a repeat of an Idempotency-Key is recognised. Gateway events stay for good."""


@dataclass(frozen=True, slots=True)
class Request[T]:
    """One request to do something once: who asks, the fact that guards it, and how its result is answered.

    `present` turns the use case's result into plain JSON data; that answer is stored with the guard.
    """

    actor: Actor
    kind: str
    value: str
    fingerprint: str
    present: Callable[[T], Any]
    lifetime: timedelta | None = KEY_LIFETIME

    def guard(self, result: T, now: datetime) -> Guard:
        expires = now + self.lifetime if self.lifetime else None
        return Guard(self.kind, self.value, self.fingerprint, self.present(result), now, expires)

    def first(self, books: Books) -> Guard | None:
        """How it was answered before; None if it was not."""
        ref = guard_ref(self.kind, self.value)
        return books.load(ref).get(ref)

    def answer_again(self, first: Guard) -> "Answer":
        if first.fingerprint != self.fingerprint:
            raise IdempotencyKeyReusedError(self.value)
        return Answer(first.answer, replayed=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told; `replayed` when it was told so before."""

    body: Any
    replayed: bool = False


def pause(attempt: int) -> None:
    """Wait before attempt number `attempt + 1`: full jitter up to 50 ms doubling to 4 s.

    The clock is real on purpose: this is contention between machines, not business time.
    """
    time.sleep(random.uniform(0, min(4.0, 0.05 * 2**attempt)))


def persist[T](books: Books, decide: Callable[[], tuple[Changes, T]], *, wait: Callable[[int], None] = pause) -> T:
    """Write what `decide` wants, which reads and decides anew after each lost race; nothing to write is no failure.

    For what is harmless when repeated, because deciding again finds it done; what is not needs `once`.
    """
    for attempt in range(ATTEMPTS):
        try:
            changes, result = decide()
        except LedgerBrokenError:
            if attempt == TORN_READS:
                raise
            wait(attempt)
            continue
        if not changes:
            return result
        try:
            books.commit(changes)
        except (ConflictError, TransientError):
            if attempt == ATTEMPTS - 1:
                raise
            wait(attempt)
        else:
            return result
    raise AssertionError("unreachable: the last attempt returns or raises")


def once[T](
    books: Books,
    request: Request[T],
    now: datetime,
    decide: Callable[[bool], tuple[Changes, T]],
    *,
    guess: bool = False,
    wait: Callable[[int], None] = pause,
) -> Answer:
    """Run `decide` and commit what it wants, exactly once for `request`.

    `decide(consistent)` reads, applies the rules and returns the changes with the result; it is called anew
    after each lost race. With `guess`, the first call may read without consistency, at half the price: the
    write's conditions prove the guess, and a refusal is believed only when it was read consistently.

    A refusal also counts only if the request was not carried out before: the invoice that a repeated payment
    wants to pay is paid *because* of the first.
    """
    for attempt in range(ATTEMPTS):
        consistent = attempt > 0 or not guess
        try:
            changes, result = decide(consistent)
            guard = request.guard(result, now)
            books.commit([*changes, guard])
            return Answer(guard.answer)
        except GuardTakenError as taken:
            return request.answer_again(taken.guard)
        except (ConflictError, TransientError):
            if attempt == ATTEMPTS - 1:
                raise
            wait(attempt)
        except LedgerBrokenError:
            if attempt == TORN_READS:
                raise
            wait(attempt)
        except RemitError:
            if not consistent:
                continue
            first = request.first(books)
            if first is None:
                raise
            return request.answer_again(first)
    raise AssertionError("unreachable: the last attempt returns or raises")
