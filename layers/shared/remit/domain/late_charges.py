"""Late fees and interest: what paying late costs, as rules and as arithmetic (D9).

*Interest* is simple: it never bears interest itself. It runs from the day after the due date to the day of payment, on what
is overdue on each day; a part payment lowers that from the day after its value date. *A late fee* is charged once for a part
that is late. Both follow Directive 2011/7/EU: statutory interest (article 5: a rate that changes on 1 January and 1 July) and
a fixed compensation for recovery costs (article 6: EUR 40). What was overdue on which day is `arrears`' to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from remit.domain.errors import InvalidError
from remit.domain.money import exponent

MAX_RATES = 100
MAX_GRACE_DAYS = 365
MAX_PERCENT = 1000
"""A rate above this a year is a slip of the keyboard."""


class DayCount(StrEnum):
    """Over how many days a year's interest is spread. `ACTUAL_ACTUAL`: a day of a leap year is 1/366 of its year, any other
    1/365."""

    ACTUAL_365 = "actual_365"
    ACTUAL_360 = "actual_360"
    ACTUAL_ACTUAL = "actual_actual"

    def year_days(self, year: int) -> int:
        if self is DayCount.ACTUAL_ACTUAL:
            return (date(year + 1, 1, 1) - date(year, 1, 1)).days
        return 360 if self is DayCount.ACTUAL_360 else 365


@dataclass(frozen=True, slots=True)
class Rate:
    """`annual_percent` holds from the day `since` on, until a later rate does."""

    since: date
    annual_percent: Decimal


@dataclass(frozen=True, slots=True)
class InterestRule:
    """How interest is reckoned: rates in rising order of their day (none holds before the first), the day count, and how many
    days after the due date bear none yet (`grace_days`; the days after them do).

    `minimum`: per currency, how much is worth an invoice of its own. Less is not asked for by itself: it waits until the days
    have brought so much, goes with a late fee, or is let go when the invoice is paid. Who charges by hand gets it all the same.
    """

    rates: tuple[Rate, ...]
    day_count: DayCount = DayCount.ACTUAL_365
    grace_days: int = 0
    minimum: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        days = [rate.since for rate in self.rates]
        if not 1 <= len(days) <= MAX_RATES or days != sorted(set(days)):
            raise InvalidError("bad_late_charges", f"Interest has 1 to {MAX_RATES} rates, each from a later day than the last.")
        if any(not 0 <= rate.annual_percent <= MAX_PERCENT for rate in self.rates):
            raise InvalidError("bad_late_charges", f"An interest rate is 0 to {MAX_PERCENT} percent a year.")
        if not 0 <= self.grace_days <= MAX_GRACE_DAYS:
            raise InvalidError("bad_late_charges", f"There are 0 to {MAX_GRACE_DAYS} days of grace.")
        for currency, amount in self.minimum.items():
            exponent(currency)
            if amount <= 0:
                raise InvalidError("bad_late_charges", "The least interest that is asked for is above zero.", currency=currency)


@dataclass(frozen=True, slots=True)
class LateFee:
    """What a late part costs once: a `fixed` amount in minor units per currency, and `percent` of what is overdue of it, at
    least `minimum` (per currency). A currency that is not named has neither.

    >>> LateFee({"EUR": 4000}).of(100_000, "EUR"), LateFee(percent=Decimal(1), minimum={"EUR": 500}).of(12_345, "EUR")
    (4000, 500)
    """

    fixed: Mapping[str, int] = field(default_factory=dict)
    percent: Decimal = Decimal(0)
    minimum: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for currency, amount in (*self.fixed.items(), *self.minimum.items()):
            exponent(currency)
            if amount <= 0:
                raise InvalidError("bad_late_charges", "A late fee is above zero.", currency=currency)
        if not 0 <= self.percent <= 100 or not (self.fixed or self.percent):
            raise InvalidError("bad_late_charges", "A late fee is a fixed amount, up to 100 percent, or both.")
        if self.minimum and not self.percent:
            raise InvalidError("bad_late_charges", "A minimum goes with a percentage.")

    def of(self, overdue_minor: int, currency: str) -> int:
        """The fee on a part of which so much is overdue, half up."""
        share = half_up(Fraction(overdue_minor, 100) * Fraction(self.percent))
        return self.fixed.get(currency, 0) + (max(share, self.minimum.get(currency, 0)) if self.percent else 0)


@dataclass(frozen=True, slots=True)
class LateChargeRules:
    """What a dunning policy charges, and from which of its tiers on: a part is charged when it is as late as that tier
    begins."""

    fee: LateFee | None = None
    interest: InterestRule | None = None
    fee_from_tier: int = 1
    interest_from_tier: int = 1

    def __post_init__(self) -> None:
        if self.fee is None and self.interest is None:
            raise InvalidError("bad_late_charges", "Late charges are a fee, interest, or both.")
        if min(self.fee_from_tier, self.interest_from_tier) < 1:
            raise InvalidError("bad_late_charges", "Tiers are numbered from 1.")

    @property
    def first_tier(self) -> int:
        """Before this tier nothing is charged."""
        tiers = [tier for what, tier in ((self.fee, self.fee_from_tier), (self.interest, self.interest_from_tier)) if what]
        return min(tiers)

    @property
    def highest_tier(self) -> int:
        """The last tier that is named; a policy has at least so many."""
        return max(self.fee_from_tier, self.interest_from_tier)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days, the first and the last included, on each of which `base_minor` was overdue."""

    first: date
    through: date
    base_minor: int


@dataclass(frozen=True, slots=True)
class SubPeriod:
    """Days with one base and one rate: `base × percent / 100 × days / year_days`, and `share_minor` of the rounded whole."""

    first: date
    through: date
    base_minor: int
    annual_percent: Decimal
    year_days: int
    share_minor: int = 0

    @property
    def days(self) -> int:
        return (self.through - self.first).days + 1

    def exact_on(self, base_minor: int, days: int) -> Fraction:
        """The interest on a base for some days at this rate, in minor units."""
        return Fraction(base_minor * days, 100 * self.year_days) * Fraction(self.annual_percent)

    @property
    def exact(self) -> Fraction:
        return self.exact_on(self.base_minor, self.days)


@dataclass(frozen=True, slots=True)
class Interest:
    """`amount_minor`, rounded once, is the sum of the shares of its sub-periods."""

    amount_minor: int
    periods: tuple[SubPeriod, ...]


@dataclass(frozen=True, slots=True)
class PartFee:
    """The fee for the part that was due on `due_date`."""

    due_date: date
    amount_minor: int


@dataclass(frozen=True, slots=True)
class LateCharge:
    """What one charge asks for, frozen on its invoice: the late invoice, the interest by sub-periods, the fees by part.

    `less_minor` is what earlier charges had asked too much, because money with an earlier value date was recorded after
    them: it is taken off the interest, never more than there is.
    """

    invoice_id: str
    number: str
    currency: str
    periods: tuple[SubPeriod, ...] = ()
    fees: tuple[PartFee, ...] = ()
    less_minor: int = 0

    @property
    def interest_minor(self) -> int:
        return sum(period.share_minor for period in self.periods) - self.less_minor

    @property
    def fee_minor(self) -> int:
        return sum(fee.amount_minor for fee in self.fees)

    @property
    def total_minor(self) -> int:
        return self.interest_minor + self.fee_minor

    @property
    def through(self) -> date | None:
        """The last day that bears interest here."""
        return max((period.through for period in self.periods), default=None)


def interest(stretches: Iterable[Stretch], rule: InterestRule) -> Interest:
    """Simple interest on what was overdue, reckoned in exact fractions and rounded half up once.

    A stretch is divided where the rate changes, and by year where the day count asks for it. EUR 1,000.00 at 10.15 % over 46
    days is 12.79 at /365 and 12.97 at /360:

    >>> late = [Stretch(date(2026, 3, 2), date(2026, 4, 16), 100_000)]
    >>> interest(late, InterestRule((Rate(date(2026, 1, 1), Decimal("10.15")),))).amount_minor
    1279
    """
    periods = [period for stretch in stretches for period in _sub_periods(stretch, rule)]
    amount = rounded(periods)
    shares = _shares(amount, [period.exact for period in periods])
    return Interest(amount, tuple(replace(period, share_minor=share) for period, share in zip(periods, shares, strict=True)))


def rounded(periods: Iterable[SubPeriod]) -> int:
    """The interest of all of them together, half up."""
    return half_up(sum((period.exact for period in periods), Fraction(0)))


def _sub_periods(stretch: Stretch, rule: InterestRule) -> Iterator[SubPeriod]:
    """The stretch in pieces of one rate; days without a rate, or with one of zero, bear nothing."""
    borders = {rate.since for rate in rule.rates}
    if rule.day_count is DayCount.ACTUAL_ACTUAL:
        borders |= {date(year, 1, 1) for year in range(stretch.first.year + 1, stretch.through.year + 1)}
    starts = [stretch.first, *sorted(day for day in borders if stretch.first < day <= stretch.through)]
    ends = [*(start - timedelta(days=1) for start in starts[1:]), stretch.through]
    for first, through in zip(starts, ends, strict=True):
        percent = next((rate.annual_percent for rate in reversed(rule.rates) if rate.since <= first), Decimal(0))
        if percent and stretch.base_minor > 0 and first <= through:
            yield SubPeriod(first, through, stretch.base_minor, percent, rule.day_count.year_days(first.year))


def half_up(value: Fraction) -> int:
    """The nearest integer of what is not negative, halves up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _shares(total_minor: int, exact: Sequence[Fraction]) -> list[int]:
    """`total_minor`, the rounded sum of `exact`, by largest remainder; ties to the earlier share."""
    shares = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[: total_minor - sum(shares)]:
        shares[place] += 1
    return shares
