"""When an invoice that is collected by itself is charged, when again, and when not any more (S4, S5, P3).

`next_step` is the whole rule, as a function of what was tried so far. How that is read off payments:
`collection_attempts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from remit.domain.errors import InvalidError

MAX_RETRIES = 8
"""Card networks count tries: Visa allows 15 in 30 days (https://docs.stripe.com/declines/card#retrying-issuer-declines). A
debit may be presented twice more (Nacha Operating Rules, 2.12.4); whoever collects by debit sets so many."""

MAX_DAYS = 60


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """On which days after the due date a charge that was declined is tried again.

    `after_days` (3, 5, 7), due on 1 April: 4, 6 and 8 April, then it is given up. Between a failure and the next try lie
    the distances 3, 2 and 2 days, also when the first charge was late or a debit came back after weeks: what was missed is
    not made up for. Empty: a failed charge is not tried again.
    """

    after_days: tuple[int, ...] = (3, 5, 7)

    def __post_init__(self) -> None:
        days = self.after_days
        is_rising = all(before < after for before, after in zip((0, *days), days, strict=False))
        if not is_rising or len(days) > MAX_RETRIES or max(days, default=0) > MAX_DAYS:
            raise InvalidError(
                "bad_collection_retries",
                f"Retries are on rising days from 1 to {MAX_DAYS} after the due date, at most {MAX_RETRIES} of them.",
                max_retries=MAX_RETRIES,
                max_days=MAX_DAYS,
            )

    def wait_after(self, number: int) -> timedelta | None:
        """How long to wait after try `number` (from 1) has failed; None: it was the last.

        >>> [RetryPolicy((3, 5, 7)).wait_after(number).days for number in (1, 2, 3)], RetryPolicy((3,)).wait_after(2)
        ([3, 2, 2], None)
        """
        if not 1 <= number <= len(self.after_days):
            return None
        return timedelta(days=self.after_days[number - 1] - (0, *self.after_days)[number - 1])


class Outcome(StrEnum):
    """What an attempt came to. `DECLINED` may go through later; `HARD_DECLINE` never will from that method;
    `AUTHENTICATION_REQUIRED`: the payer has to confirm it; `CANCELED`: by somebody, on purpose; `NOT_CHARGED`: the gateway
    never came to know it, as in an outage, which says nothing of the payer."""

    UNDER_WAY = "under_way"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    HARD_DECLINE = "hard_decline"
    AUTHENTICATION_REQUIRED = "authentication_required"
    CANCELED = "canceled"
    NOT_CHARGED = "not_charged"


NOT_CHARGED_AGAIN_AFTER = timedelta(days=1)
"""When a charge that the gateway never came to know is made again. It uses up no try."""

PAYER_MUST_ACT = (Outcome.HARD_DECLINE, Outcome.AUTHENTICATION_REQUIRED)


class MethodStanding(StrEnum):
    """The method to be charged now, beside those that were tried for the invoice: the one of the last attempt or of none, one
    that has not been tried, or one that was declined for good."""

    SAME = "same"
    OTHER = "other"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was tried so far. `number`: how often for this due date, without what never reached the gateway. `last` and
    `ended_on` are of the last attempt, which may have been for an earlier due date; None when there was none."""

    number: int = 0
    last: Outcome | None = None
    ended_on: date | None = None
    method: MethodStanding = MethodStanding.SAME


class Action(StrEnum):
    CHARGE = "charge"
    WAIT = "wait"
    STOP = "stop"


class Why(StrEnum):
    """Why it is charged, waited for, or given up."""

    NOT_DUE = "not_due"
    DUE = "due"
    RETRY = "retry"
    RETRY_LATER = "retry_later"
    NEW_METHOD = "new_method"
    UNDER_WAY = "payment_under_way"
    HARD_DECLINE = "hard_decline"
    AUTHENTICATION_REQUIRED = "authentication_required"
    RETRIES_EXHAUSTED = "retries_exhausted"
    PAID_BEFORE = "paid_before"
    CANCELED = "canceled"
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do; with `WAIT`, until when at the latest."""

    action: Action
    why: Why
    on: date | None = None


_ENDED: Mapping[Outcome, Why] = {
    Outcome.AUTHENTICATION_REQUIRED: Why.AUTHENTICATION_REQUIRED,
    Outcome.SUCCEEDED: Why.PAID_BEFORE,
    Outcome.CANCELED: Why.CANCELED,
}
"""After these an amount that is due is not charged again by itself: money that came and was given back, too, was somebody's
decision."""


def next_step(attempts: Attempts, policy: RetryPolicy, due_on: date, today: date) -> Step:
    """Charge now, wait until a day, or give up; and why.

    Attempts with the policy (3, 5, 7), due on 1 April. What is not said: by the same method, and the attempt ended on the day
    it was made.

    | attempts so far | today | step |
    |---|---|---|
    | none | 31 March | wait until 1 April: not due |
    | none | 1 April | charge: due |
    | none, the schedule stood still | 20 April | charge: due |
    | 1, declined on 1 April | 1 April | wait until 4 April: retry later |
    | 1, declined on 1 April | 4 April | charge: retry |
    | 2, declined on 4 April | 5 April | wait until 6 April: retry later |
    | 1, made late and declined on 20 April | 20 April | wait until 23 April: retry later |
    | 1, a debit that came back on 9 April | 9 April | wait until 12 April: retry later |
    | 4, declined on 8 April | 30 April | stop: retries exhausted |
    | 1, of unknown outcome or being processed | 4 April | wait until 5 April: payment under way |
    | 1, hard decline | 4 April | stop: hard decline |
    | 1, hard decline; the default is another method now | 2 April | charge: new method |
    | 4, hard decline; the default is another method now | 9 April | charge: new method |
    | none for this due date, hard decline for the one before | 1 April | stop: hard decline |
    | 2, declined; the default is the one again that had a hard decline | 9 April | stop: hard decline |
    | 1, authentication required | 4 April | stop: authentication required |
    | 1, authentication required; the default is another method now | 2 April | charge: new method |
    | none for this due date, authentication required for the one before | 1 April | charge: due |
    | 1, succeeded, and the amount is open again | 4 April | stop: paid before |
    | 1, canceled by somebody | 4 April | stop: canceled |
    | none; a charge of 1 April never reached the gateway | 1 April | wait until 2 April: retry later |
    | none; a charge of 1 April never reached the gateway | 2 April | charge: retry |
    | 3, declined; a charge of 8 April never reached the gateway | 9 April | charge: retry |
    | 1, hard decline; a charge of 2 April to another method never reached the gateway | 3 April | charge: retry |
    """
    if today < due_on:
        return Step(Action.WAIT, Why.NOT_DUE, due_on)
    if attempts.last is Outcome.UNDER_WAY:
        return Step(Action.WAIT, Why.UNDER_WAY, today + timedelta(days=1))
    if attempts.method is MethodStanding.DECLINED:
        return Step(Action.STOP, Why.HARD_DECLINE)
    if attempts.last in PAYER_MUST_ACT and attempts.method is MethodStanding.OTHER:
        return Step(Action.CHARGE, Why.NEW_METHOD)
    if attempts.last is Outcome.NOT_CHARGED and attempts.ended_on is not None:
        return _retry(attempts.ended_on + NOT_CHARGED_AGAIN_AFTER, today)
    if attempts.number == 0 or attempts.last is None:
        return Step(Action.CHARGE, Why.DUE)
    if why := _ENDED.get(attempts.last):
        return Step(Action.STOP, why)
    wait = policy.wait_after(attempts.number)
    if wait is None or attempts.ended_on is None:
        return Step(Action.STOP, Why.RETRIES_EXHAUSTED)
    return _retry(attempts.ended_on + wait, today)


def _retry(retry_on: date, today: date) -> Step:
    return Step(Action.CHARGE, Why.RETRY) if retry_on <= today else Step(Action.WAIT, Why.RETRY_LATER, retry_on)
