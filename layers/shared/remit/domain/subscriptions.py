"""Subscriptions: which periods there are, what each is billed for, and what changes them (S1–S3).

Periods are numbered 1, 2, 3… A *phase* says how they lie from one of them on: the plan and quantity, and the anchor from which
they are counted. A change that takes effect at once cuts the period under way in two: the first part ends, and the rest is
the next period, billed for its share of the days. So there is one invoice for each period, whatever happens (S2).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from remit.domain.actor import Actor
from remit.domain.credit_notes import LineCredit, creditable_shares, left_on_line
from remit.domain.errors import InvalidError, RuleError
from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest, SubscriptionPeriod
from remit.domain.plans import Billing, Interval, Offer, Plan, line_requests

MAX_QUANTITY = 1_000_000
MAX_DAYS_AHEAD = 3660
"""How far ahead a subscription may begin or be paused."""
MAX_DAYS_BACK = 366
"""How far back one may begin: all periods since then are billed."""


class SubscriptionStatus(StrEnum):
    """How a subscription stands on a day. Computed, never stored: `CANCELED` by somebody, `ENDED` by its number of periods."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELED = "canceled"
    ENDED = "ended"


OVER = (SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED)


class When(StrEnum):
    """When a change or a cancellation takes effect."""

    NOW = "now"
    PERIOD_END = "period_end"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What is subscribed to: `plan_version` is the version that was taken, which renewals may move up."""

    plan_id: str
    plan_version: int
    quantity: int
    interval: Interval
    billing: Billing

    def __post_init__(self) -> None:
        if not 1 <= self.quantity <= MAX_QUANTITY:
            raise InvalidError("bad_quantity", f"A quantity is 1 to {MAX_QUANTITY}.", most=MAX_QUANTITY)

    def billed_at(self, plan: Plan) -> int:
        """The version of the plan at which the next period is billed. A version for renewals is for periods that begin after it
        was made: one billed in arrears has begun before."""
        return plan.version_after(self.plan_version) if self.billing is Billing.IN_ADVANCE else self.plan_version


@dataclass(frozen=True, slots=True)
class Phase:
    """How periods lie from number `first` on, until the next phase.

    They are counted from `anchor`, where period `origin` begins. `starts_on` is the first day of the first of them: later than
    counted where it is the rest of a period that was cut.
    """

    first: int
    starts_on: date
    anchor: date
    origin: int
    agreed: Agreed

    def counted(self, number: int) -> tuple[date, date]:
        """First day of a period, and the day after its last, as the interval gives them."""
        interval, place = self.agreed.interval, number - self.origin
        return interval.after(self.anchor, place), interval.after(self.anchor, place + 1)


@dataclass(frozen=True, slots=True)
class Period:
    """A period from `starts_on` up to the day before `ends_before`, of `whole_days` were it not cut."""

    number: int
    starts_on: date
    ends_before: date
    whole_days: int
    agreed: Agreed

    @property
    def days(self) -> int:
        return (self.ends_before - self.starts_on).days

    @property
    def bill_on(self) -> date:
        """The first day on which it is billed."""
        return self.starts_on if self.agreed.billing is Billing.IN_ADVANCE else self.ends_before

    def lines(self, offer: Offer) -> tuple[LineRequest, ...]:
        """What it is billed for: each line names the period. A cut period has its days' share of each line, half up.

        18 of 28 days of 100.00: 64.29.
        """
        last_day = date.fromordinal(self.ends_before.toordinal() - 1)
        named = f"{self.starts_on.isoformat()} to {last_day.isoformat()}"
        lines = line_requests(offer.lines, self.agreed.quantity)
        if self.days == self.whole_days:
            return tuple(replace(line, description=f"{line.description}, {named}") for line in lines)
        share = Fraction(self.days, self.whole_days)
        named = f"{named} ({self.days} of {self.whole_days} days)"
        return tuple(
            replace(
                line,
                description=f"{line.description}, {named}",
                quantity=Decimal(1),
                unit_price_minor=half_up(Fraction(line.quantity) * line.unit_price_minor * share),
            )
            for line in lines
        )

    def unused(self, invoice: Invoice, item: OpenItem, today: date) -> tuple[LineCredit, ...]:
        """What of its invoice, billed in advance, is for `today` and later: of every line its share of the days, half up, so
        that what was used is exactly the rest of it. Never more than is left to credit (C6).

        On the first day that is all of it; what was credited otherwise before is not credited again.
        """
        credited = {line.line: line for line in item.credited}
        share = Fraction((self.ends_before - max(today, self.starts_on)).days, self.days)
        found: list[LineCredit] = []
        for number, whole in enumerate(creditable_shares(invoice, item), start=1):
            left = left_on_line(whole, credited.get(number)).gross_minor
            if amount := min(left, half_up(whole.gross_minor * share)):
                found.append(LineCredit(number, amount))
        return tuple(found)


def half_up(amount: Fraction) -> int:
    """The nearest whole number to an amount that is not negative, halves up.

    >>> half_up(Fraction(5, 2)), half_up(Fraction(18, 28) * 10000)
    (3, 6429)
    """
    return floor(amount + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a period could not be billed, last time it was tried."""

    period: int
    code: str
    detail: str
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`effective_on`: the first day without the subscription."""

    effective_on: date
    canceled_at: datetime
    actor: Actor
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A customer's subscription.

    Its days are those of `time_zone`: the account's when it was made, else the firm's. `next_period` is the first that is not
    billed (or passed, where it costs nothing). `stop_before`: there is no period from this number on. `held_from`: periods
    from this number on wait for the end of a pause. `retry_on`: not tried again before that day.
    """

    id: str
    account_id: str
    currency: str
    time_zone: str
    created_at: datetime
    phases: tuple[Phase, ...]
    next_period: int = 1
    stop_before: int | None = None
    held_from: int | None = None
    cancellation: Cancellation | None = None
    last_refusal: Refusal | None = None
    retry_on: date | None = None
    version: int = 0

    # Its periods

    def day_of(self, now: datetime) -> date:
        """The day that it is at an instant where the customer is."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def phase_of(self, number: int) -> Phase:
        return next(phase for phase in reversed(self.phases) if phase.first <= number)

    def counted(self, number: int) -> Period:
        """The period of that number as it lies, whether it comes to be or not. The one pure function of all periods."""
        phase = self.phase_of(number)
        starts, ends = phase.counted(number)
        whole_days = (ends - starts).days
        if number == phase.first:
            starts = phase.starts_on
        following = next((other for other in self.phases if other.first == number + 1), None)
        if following is not None:
            ends = min(ends, following.starts_on)
        if self.cancellation is not None:
            ends = max(starts, min(ends, self.cancellation.effective_on))
        return Period(number, starts, ends, whole_days, phase.agreed)

    def period(self, number: int) -> Period | None:
        """The period of that number; None when there is none, or when it waits for the end of a pause."""
        if self.stop_before is not None and number >= self.stop_before:
            return None
        return None if self.held_from is not None and number >= self.held_from else self.counted(number)

    def upcoming(self, most: int) -> tuple[Period, ...]:
        """The next periods that are to be billed, those missed among them; at most so many."""
        found = (self.period(number) for number in range(self.next_period, self.next_period + most))
        return tuple(period for period in found if period is not None)

    def under_way(self, today: date) -> Period | None:
        """The period that `today` lies in; None before the first, after the last and in a pause."""
        for period in self._periods():
            if period.starts_on <= today < period.ends_before:
                return period
            if period.starts_on > today:
                return None
        return None

    def _periods(self) -> Iterator[Period]:
        """Those from the last one billed on, without end if there is none."""
        number = max(1, self.next_period - 1)
        while (period := self.period(number)) is not None:
            yield period
            number += 1

    @property
    def due_on(self) -> date | None:
        """When the next period is billed, or tried again; None when there is none to come."""
        period = self.period(self.next_period)
        return max(period.bill_on, self.retry_on or date.min) if period else None

    @property
    def due_at(self) -> datetime | None:
        """The beginning of that day where the customer is, as an instant."""
        on = self.due_on
        return datetime.combine(on, time.min, ZoneInfo(self.time_zone)).astimezone(UTC) if on else None

    def is_final(self, number: int) -> bool:
        return self.stop_before == number + 1

    def named(self, number: int) -> SubscriptionPeriod:
        """The period as its order and invoice name it: the first and the final one have credits of their own (C1)."""
        return SubscriptionPeriod(self.id, number, is_first=number == 1, is_final=self.is_final(number))

    def status_on(self, today: date) -> SubscriptionStatus:
        if self.cancellation is not None and today >= self.cancellation.effective_on:
            return SubscriptionStatus.CANCELED
        if self.held_from is not None:  # its periods that are left come after the pause, whenever that ends
            return SubscriptionStatus.PAUSED if today >= self.counted(self.held_from).starts_on else SubscriptionStatus.ACTIVE
        if self.stop_before is not None and today >= self.counted(self.stop_before - 1).ends_before:
            return SubscriptionStatus.ENDED
        return SubscriptionStatus.ACTIVE

    # Renewals

    def billed(self, plan: Plan) -> "Subscription":
        """The next period was billed by its plan. In arrears, that is when the one after it begins, and takes its version."""
        agreed = self.phase_of(self.next_period).agreed
        taking = self.phase_of(self.next_period + (agreed.billing is Billing.IN_ARREARS))
        if taking.agreed.plan_id == plan.id:
            newer = replace(taking.agreed, plan_version=plan.version_after(taking.agreed.plan_version))
            phases = tuple(replace(each, agreed=newer) if each is taking else each for each in self.phases)
        else:
            phases = self.phases
        return replace(self, phases=phases, next_period=self.next_period + 1, last_refusal=None, retry_on=None)

    def refused(self, error: RuleError | InvalidError, now: datetime) -> "Subscription":
        """The next period could not be billed: it is tried again tomorrow."""
        tomorrow = date.fromordinal(self.day_of(now).toordinal() + 1)
        return replace(self, last_refusal=Refusal(self.next_period, error.code, error.detail, now), retry_on=tomorrow)

    # Changes

    def require_going_on(self, today: date) -> None:
        """`RuleError` `subscription_over` once it was canceled or has ended."""
        status = self.status_on(today)
        if status in OVER:
            raise RuleError("subscription_over", f"The subscription is {status}. Subscribe anew.", status=str(status))

    def change(self, agreed: Agreed, when: When, today: date) -> "Subscription":
        """Another plan or quantity, in place of any change that was planned before.

        `NOW`: the period under way ends, and its rest is the next one; with another interval, a whole period begins today and is
        the new anchor. `PERIOD_END`: from the next period on. Before the first period both mean all of it. What is left of a
        fixed number of periods is counted on. `RuleError` `subscription_paused` in a pause, `subscription_behind` when a period
        that has begun is not billed, `billing_differs` for a change at once between advance and arrears, `nothing_changes`.
        """
        self.require_going_on(today)
        current = self.under_way(today)
        if current is None and self.status_on(today) is SubscriptionStatus.PAUSED:
            raise RuleError("subscription_paused", "The subscription is paused. Resume it first.")
        if current is None:
            return self._changed_from(self.next_period, agreed)
        if current.agreed == agreed:
            return self._unplanned(current, today)
        if when is When.PERIOD_END:
            return self._changed_from(current.number + 1, agreed)
        return self._changed_now(current, agreed, today)

    def _unplanned(self, current: Period, today: date) -> "Subscription":
        """What is agreed now stays."""
        if self.planned(today) is None:
            raise RuleError("nothing_changes", "This is what is subscribed to already.")
        return replace(self, phases=tuple(phase for phase in self.phases if phase.first <= current.number))

    def _changed_from(self, number: int, agreed: Agreed) -> "Subscription":
        """Keeps the anchor as long as the interval stays."""
        if self.stop_before is not None and number >= self.stop_before:
            raise RuleError("subscription_ending", "There is no period after this one that could be changed.")
        kept = tuple(phase for phase in self.phases if phase.first < number)
        before = replace(self, phases=kept) if kept else self
        last, starts_on = before.phase_of(number), before.counted(number).starts_on
        same = last.agreed.interval == agreed.interval
        anchor, origin = (last.anchor, last.origin) if same else (starts_on, number)
        return replace(self, phases=(*kept, Phase(number, starts_on, anchor, origin, agreed)))

    def _changed_now(self, current: Period, agreed: Agreed, today: date) -> "Subscription":
        if agreed.billing is not current.agreed.billing:
            raise RuleError(
                "billing_differs",
                f"The period under way is billed {current.agreed.billing}, the new plan {agreed.billing}. Change at its end.",
                possible=str(When.PERIOD_END),
            )
        self.require_up_to_date(current)
        kept = tuple(phase for phase in self.phases if phase.first <= current.number)
        last, first = kept[-1], current.number + 1
        same = last.agreed.interval == agreed.interval
        anchor, origin = (last.anchor, last.origin + 1) if same else (today, first)
        return replace(
            self,
            phases=(*kept, Phase(first, today, anchor, origin, agreed)),
            stop_before=self.stop_before + 1 if self.stop_before else None,
            held_from=self.held_from + 1 if self.held_from else None,
        )

    def require_up_to_date(self, current: Period) -> None:
        """`RuleError` `subscription_behind` while a period is due and not billed."""
        in_advance = current.agreed.billing is Billing.IN_ADVANCE
        if self.next_period < current.number + in_advance:
            refusal = self.last_refusal.code if self.last_refusal else None
            raise RuleError(
                "subscription_behind",
                f"Period {self.next_period} is due and not billed yet.",
                period=self.next_period,
                refusal=refusal,
            )

    def planned(self, today: date) -> Phase | None:
        """The change that waits for the end of the period under way."""
        waiting = (phase for phase in self.phases[1:] if phase.first >= self.next_period and phase.starts_on > today)
        return next(waiting, None)

    def pause(self, from_on: date, today: date) -> "Subscription":
        """No period that begins on `from_on` or later is billed until it is resumed; one that has begun is served to its end.

        `RuleError` `subscription_paused` when it is paused already, `subscription_ending` when no such period is left.
        """
        self.require_going_on(today)
        if self.held_from is not None:
            raise RuleError("subscription_paused", "The subscription is paused already.", held_from=self.held_from)
        if from_on < today or (from_on - today).days > MAX_DAYS_AHEAD:
            raise InvalidError("bad_pause", "A pause begins today or later, within ten years.", earliest=today.isoformat())
        number = self.next_period
        while (period := self.period(number)) is not None and period.starts_on < from_on:
            number += 1
        if period is None:
            raise RuleError("subscription_ending", "No period begins then any more, so there is nothing to pause.")
        return replace(self, held_from=number)

    def resume(self, today: date) -> "Subscription":
        """Periods are billed again. Where one was left out, the next begins today and is the new anchor; nothing is billed for
        the time of the pause, and no period is cut. `RuleError` `subscription_not_paused`."""
        self.require_going_on(today)
        if self.held_from is None:
            raise RuleError("subscription_not_paused", "The subscription is not paused.")
        waiting = self.counted(self.held_from)
        if waiting.starts_on >= today:
            return replace(self, held_from=None)
        kept = tuple(phase for phase in self.phases if phase.first < waiting.number)
        anew = Phase(waiting.number, today, today, waiting.number, waiting.agreed)
        return replace(self, phases=(*kept, anew), held_from=None)

    def cancel(self, when: When, actor: Actor, reason: str | None, today: date, now: datetime) -> "Subscription":
        """End it with the period under way, or now.

        Now, a period in advance that has begun and was never billed is given up; one in arrears is billed for its days up to
        today. Where no period is under way, both mean now.
        """
        self.require_going_on(today)
        current = self.under_way(today)
        at_end = when is When.PERIOD_END and current is not None
        effective_on = current.ends_before if current and at_end else today
        stop = current.number + 1 if current else self.held_from or self.next_period
        if not at_end and self.counted(self.next_period).agreed.billing is Billing.IN_ADVANCE:
            stop = min(stop, self.next_period)
        return replace(
            self,
            phases=tuple(phase for phase in self.phases if phase.first < max(2, stop)),
            stop_before=stop,
            held_from=None,
            cancellation=Cancellation(effective_on, now, actor, reason),
        )


def new_subscription(
    id: str,
    account_id: str,
    currency: str,
    time_zone: str,
    agreed: Agreed,
    anchor: date | None,
    periods: int | None,
    now: datetime,
) -> Subscription:
    """A subscription from its anchor (today unless named) on, for a fixed number of periods or until it is canceled."""
    today = now.astimezone(ZoneInfo(time_zone)).date()
    anchor = anchor or today
    if not -MAX_DAYS_BACK <= (anchor - today).days <= MAX_DAYS_AHEAD:
        raise InvalidError("bad_anchor", "A subscription begins a year ago at the earliest, and within ten years.")
    if periods is not None and not 1 <= periods <= 10_000:
        raise InvalidError("bad_periods", "A fixed number of periods is 1 to 10000.")
    phase = Phase(1, anchor, anchor, 1, agreed)
    return Subscription(id, account_id, currency, time_zone, now, (phase,), stop_before=periods + 1 if periods else None)


def order_id_of(subscription_id: str, period: Period) -> str:
    """The id of the one order of a period: derived, so that it is billed once (S2). It has the form of any other, and sorts by
    the day on which the period is billed."""
    seconds = datetime.combine(period.bill_on, time.min, UTC).timestamp()
    digest = hashlib.sha256(f"{subscription_id}/{period.number}".encode()).digest()
    return f"ord_{_base32(int(seconds * 1000), 10)}{_base32(int.from_bytes(digest), 16)}"


_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, digits: int) -> str:
    """The last `digits` digits of a number in the alphabet of ULIDs."""
    return "".join(_CROCKFORD[(number >> 5 * place) & 31] for place in reversed(range(digits)))


class SubscriptionEventKind(StrEnum):
    """What the account's timeline tells of a subscription beside its invoices."""

    STARTED = "subscription_started"
    CHANGED = "subscription_changed"
    CHANGE_PLANNED = "subscription_change_planned"
    PAUSED = "subscription_paused"
    RESUMED = "subscription_resumed"
    CANCELED = "subscription_canceled"
    REFUSED = "subscription_renewal_refused"


@dataclass(frozen=True, slots=True)
class SubscriptionEvent:
    """Something that happened to a subscription, for good."""

    id: str
    account_id: str
    subscription_id: str
    kind: SubscriptionEventKind
    happened_at: datetime
    actor: Actor
    facts: dict[str, Any] = field(default_factory=dict)
