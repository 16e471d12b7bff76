"""Whether an account gets a past-due notice now, and which (D5, D7, D10).

One pure function, `decide`, of the account's state, the policy and the date. State decides, not "exactly N
days": a missed day catches up with one notice at the tier that fits today, never a burst.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from remit.domain.errors import InvalidError
from remit.domain.terms import Part


@dataclass(frozen=True, slots=True)
class Tier:
    """A step of dunning: reached when the oldest open part is `from_days` past due; `template` names its letter."""

    number: int
    from_days: int
    template: str


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """Tiers in rising order. By default a friendly reminder after 3 days, a firm one after 14, a last after 30."""

    tiers: tuple[Tier, ...] = (Tier(1, 3, "dunning_tier_1"), Tier(2, 14, "dunning_tier_2"), Tier(3, 30, "dunning_tier_3"))

    def __post_init__(self) -> None:
        days = [tier.from_days for tier in self.tiers]
        numbers = [tier.number for tier in self.tiers]
        if not self.tiers or days != sorted(set(days)) or days[0] < 1 or numbers != list(range(1, len(days) + 1)):
            raise InvalidError(
                "bad_dunning_policy", "Tiers are numbered 1, 2, 3… and start at least a day past due, each later than the last."
            )

    def tier_at(self, days_overdue: int) -> Tier | None:
        """The highest tier reached after `days_overdue` days; None before the first."""
        reached = [tier for tier in self.tiers if tier.from_days <= days_overdue]
        return reached[-1] if reached else None


@dataclass(frozen=True, slots=True)
class OverdueItem:
    """An open, undisputed invoice part as the run found it. Amounts in minor units of `currency`."""

    invoice_id: str
    number: str
    currency: str
    part: Part

    @property
    def due_date(self) -> date:
        """Only scheduled parts are looked at: what waits for a delivery is never overdue (T2)."""
        return self.part.due_date or date.max


@dataclass(frozen=True, slots=True)
class DunningState:
    """What was already said: the last notice's tier and date, and which part was the oldest then."""

    tier: int = 0
    oldest_due: date | None = None
    notified_on: date | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Send `tier`'s letter, listing `items` (all that is overdue, oldest first); `net_minor`, per currency, is asked for."""

    tier: Tier
    items: tuple[OverdueItem, ...]
    net_minor: dict[str, int]
    oldest_due: date


@dataclass(frozen=True, slots=True)
class Decision:
    """`notice` to send now, if any; `look_again_on`: when this account next deserves attention, if ever;
    `why`: one word for the record: `not_owing`, `not_overdue`, `below_first_tier`, `before_switched_on`,
    `already_notified`, `notice`."""

    notice: Notice | None
    look_again_on: date | None
    why: str


def decide(
    items: Sequence[OverdueItem],
    available_credit: dict[str, int],
    state: DunningState,
    policy: DunningPolicy,
    today: date,
    not_before: date | None = None,
) -> Decision:
    """The dunning decision for one account.

    `items`: all its open parts, overdue or not, of all currencies. `available_credit`: unapplied credit per
    currency, set off against what is overdue there: a currency that nets to nothing is left out, for a
    customer who has paid is not reminded because nobody has allocated the payment yet.

    The tier follows the age of the oldest overdue part. A tier is said once for an episode: when the part
    that was oldest is paid and a younger one takes its place, the tier falls back and may be said again for
    that one, but never on a day that already had a notice. A tier reached before `not_before` (the day on which
    dunning was switched on) is past and stays unsaid (D1); the next one is said.
    """
    items = [item for item in items if item.part.due_date is not None]
    upcoming = [item.due_date + timedelta(days=1) for item in items if item.part.open_minor and not item.part.is_overdue(today)]
    next_overdue = min(upcoming, default=None)
    overdue = sorted((item for item in items if item.part.is_overdue(today)), key=lambda i: (i.due_date, i.number))
    if not overdue:
        return Decision(None, next_overdue, "not_overdue")

    owed: dict[str, int] = {}
    for item in overdue:
        owed[item.currency] = owed.get(item.currency, 0) + item.part.open_minor
    net = {currency: amount - available_credit.get(currency, 0) for currency, amount in owed.items()}
    net = {currency: amount for currency, amount in net.items() if amount > 0}
    if len(net) < len(owed):
        # Look again tomorrow: credit may be refunded or used elsewhere, and that need not touch this agenda.
        next_overdue = today + timedelta(days=1)
    overdue = [item for item in overdue if item.currency in net]
    if not overdue:
        return Decision(None, next_overdue, "not_owing")

    oldest = overdue[0]
    tier = policy.tier_at(oldest.part.days_overdue(today))
    if tier is None:
        return Decision(
            None, _earliest(oldest.due_date + timedelta(days=policy.tiers[0].from_days), next_overdue), "below_first_tier"
        )

    later = [t for t in policy.tiers if t.number > tier.number]
    next_tier_on = oldest.due_date + timedelta(days=later[0].from_days) if later else None
    if not_before is not None and oldest.due_date + timedelta(days=tier.from_days) < not_before:
        return Decision(None, _earliest(next_tier_on, next_overdue), "before_switched_on")
    said = state.tier if state.oldest_due == oldest.due_date else 0
    if said >= tier.number or state.notified_on == today:
        tomorrow = today + timedelta(days=1) if said < tier.number else None
        return Decision(None, _earliest(next_tier_on, next_overdue, tomorrow), "already_notified")
    return Decision(Notice(tier, tuple(overdue), net, oldest.due_date), _earliest(next_tier_on, next_overdue), "notice")


def _earliest(*days: date | None) -> date | None:
    return min((day for day in days if day is not None), default=None)
