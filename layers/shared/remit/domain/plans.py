"""Plans: what is sold by the period, and at which price (S1).

A plan's interval, currency and time of billing are its own for good. What it is called, its lines and prices and its payment
term are those of a *version*, which never changes: a new price is a new version, and each version says for whom it is.
"""

import calendar
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from remit.domain.actor import Actor
from remit.domain.errors import InvalidError
from remit.domain.money import exponent
from remit.domain.orders import LineRequest

MAX_PLAN_LINES = 50


class Unit(StrEnum):
    """What an interval counts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


MAX_COUNT: Mapping[Unit, int] = {Unit.DAY: 366, Unit.WEEK: 104, Unit.MONTH: 60, Unit.YEAR: 10}
"""The longest interval of each unit."""


def _add_days(anchor: date, days: int) -> date:
    return anchor + timedelta(days=days)


def _add_months(anchor: date, months: int) -> date:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor.day, last))


_AFTER: Mapping[Unit, Callable[[date, int], date]] = {
    Unit.DAY: _add_days,
    Unit.WEEK: lambda anchor, weeks: _add_days(anchor, 7 * weeks),
    Unit.MONTH: _add_months,
    Unit.YEAR: lambda anchor, years: _add_months(anchor, 12 * years),
}


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a period is: `count` days, weeks, months or years."""

    count: int
    unit: Unit

    def __post_init__(self) -> None:
        most = MAX_COUNT[self.unit]
        if not 1 <= self.count <= most:
            raise InvalidError("bad_interval", f"A period has 1 to {most} {self.unit}s.", unit=str(self.unit), most=most)

    def after(self, anchor: date, times: int) -> date:
        """The day `times` intervals after the anchor, on the last day of a month that is too short.

        It is always counted from the anchor, so a short month shortens no other:

        >>> monthly = Interval(1, Unit.MONTH)
        >>> [monthly.after(date(2028, 1, 31), times).isoformat() for times in (1, 2, 3)]
        ['2028-02-29', '2028-03-31', '2028-04-30']
        >>> Interval(1, Unit.YEAR).after(date(2028, 2, 29), 4)
        datetime.date(2032, 2, 29)
        """
        return _AFTER[self.unit](anchor, times * self.count)


class Billing(StrEnum):
    """When a period is billed: on its first day, or when it is over."""

    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


class AppliesTo(StrEnum):
    """For whom a version is: `NEW` for subscriptions that take the plan from now on, `RENEWALS` for all, those that exist from
    their next period on."""

    NEW = "new"
    RENEWALS = "renewals"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a version of a plan says: its name, the lines of one period for a quantity of one, and the payment term of its
    invoices (None: the account's default)."""

    name: str
    lines: tuple[LineRequest, ...]
    prices_include_tax: bool = False
    term_id: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.lines) <= MAX_PLAN_LINES:
            raise InvalidError("bad_plan_lines", f"A plan has 1 to {MAX_PLAN_LINES} lines.", most=MAX_PLAN_LINES)
        if any(line.quantity <= 0 or line.unit_price_minor < 0 for line in self.lines):
            raise InvalidError("bad_line", "A line needs a quantity above 0 and a price that is not negative.")


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """An offer as it was made, for good. Versions of a plan are numbered 1, 2, 3…"""

    plan_id: str
    number: int
    offer: Offer
    applies_to: AppliesTo
    created_at: datetime
    created_by: Actor


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with what all its versions share. `newest` is the number of the version that new subscriptions take,
    `for_renewals` of that which every subscription moves up to at its next period. `name` is the newest's."""

    id: str
    name: str
    currency: str
    interval: Interval
    billing: Billing
    created_at: datetime
    newest: int = 1
    for_renewals: int = 1
    version: int = 0

    def __post_init__(self) -> None:
        exponent(self.currency)

    def revise(self, offer: Offer, applies_to: AppliesTo, actor: Actor, now: datetime) -> tuple["Plan", PlanVersion]:
        """The plan with another version, and that version."""
        number = self.newest + 1
        for_renewals = number if applies_to is AppliesTo.RENEWALS else self.for_renewals
        revised = replace(self, name=offer.name, newest=number, for_renewals=for_renewals)
        return revised, PlanVersion(self.id, number, offer, applies_to, now, actor)

    def version_after(self, number: int) -> int:
        """The version that a subscription on version `number` has in its next period.

        Version 2 is for new subscriptions and 3 for renewals: one on version 1 or 2 moves to 3, one that took 4 stays.
        """
        return max(number, self.for_renewals)


def line_requests(lines: Sequence[LineRequest], quantity: int) -> tuple[LineRequest, ...]:
    """The lines of a whole period for a quantity."""
    return tuple(replace(line, quantity=line.quantity * quantity) for line in lines)
