"""Whether an account is written to now, and how: reminders and past-due notices (D4–D8, D10).

One pure function, `decide`, of the account's situation, its policy and the date. State decides, not "exactly N days":
what a missed day should have said is said once, as it fits today, never in a burst.

Two kinds of letter. A *reminder* (D4) is about a part of an invoice and hangs on a day counted from its due date, before or
after. A *notice* (D5) is about all that is overdue, in tiers by the age of the oldest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from remit.domain.actor import Actor
from remit.domain.errors import InvalidError, RuleError
from remit.domain.late_charges import LateChargeRules
from remit.domain.terms import Part

MAX_TIERS = 10
MAX_REMINDERS = 20
LAST_DAY = 3650
"""How far from the due date a step may lie, and how far ahead a pause may end, in days."""
LONGEST_PROMISE = 90
"""How many days ahead a promise to pay may lie (D8)."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A step of dunning: reached when the oldest open part is `from_days` past due; `template` names its letter."""

    number: int
    from_days: int
    template: str


@dataclass(frozen=True, slots=True)
class Reminder:
    """Remind of a part `offset_days` after its due date: -7 a week before, 0 on the day, 3 three days after (D4)."""

    offset_days: int
    template: str


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """How a firm reminds. `revision` counts the changes of the policy `id`; a message names both. Revision 0 is the policy that
    Remit comes with, before anybody has set one.

    Tiers in rising order: by default a friendly notice after 3 days, a firm one after 14, a last one after 30. Reminders in
    rising order of their offset, none by default. `late_charges`: the fee and the interest that being late costs (D9).
    """

    tiers: tuple[Tier, ...] = (Tier(1, 3, "dunning_tier_1"), Tier(2, 14, "dunning_tier_2"), Tier(3, 30, "dunning_tier_3"))
    reminders: tuple[Reminder, ...] = ()
    id: str = "standard"
    revision: int = 0
    late_charges: LateChargeRules | None = None

    def __post_init__(self) -> None:
        days = [tier.from_days for tier in self.tiers]
        numbers = [tier.number for tier in self.tiers]
        if not 1 <= len(days) <= MAX_TIERS or days != sorted(set(days)) or numbers != list(range(1, len(days) + 1)):
            raise InvalidError(
                "bad_dunning_policy", f"There are 1 to {MAX_TIERS} tiers, numbered 1, 2, 3…, each later than the last."
            )
        offsets = [reminder.offset_days for reminder in self.reminders]
        if len(offsets) > MAX_REMINDERS or offsets != sorted(set(offsets)):
            raise InvalidError("bad_dunning_policy", f"There are at most {MAX_REMINDERS} reminders, each later than the last.")
        if days[0] < 1 or any(abs(day) > LAST_DAY for day in (*days, *offsets)):
            raise InvalidError(
                "bad_dunning_policy", f"Tiers start at least a day past due, and no step is over {LAST_DAY} days from it."
            )
        if self.late_charges and self.late_charges.highest_tier > len(self.tiers):
            raise InvalidError("bad_dunning_policy", "Late charges begin with one of the tiers.", tiers=len(self.tiers))

    def tier_at(self, days_overdue: int) -> Tier | None:
        """The highest tier reached after `days_overdue` days; None before the first."""
        reached = [tier for tier in self.tiers if tier.from_days <= days_overdue]
        return reached[-1] if reached else None

    @property
    def first_look_days(self) -> int:
        """When an account deserves attention first, in days after a due date: by default the day after it."""
        return min(1, *(reminder.offset_days for reminder in self.reminders)) if self.reminders else 1


@dataclass(frozen=True, slots=True)
class PolicyRevision:
    """One line of a policy's history, written once: how it was from `set_at` on, and who decided so."""

    policy: DunningPolicy
    actor: Actor
    set_at: datetime


@dataclass(frozen=True, slots=True)
class OpenPart:
    """An open, undisputed, scheduled part of a postpaid invoice as the run found it. Amounts in minor units of `currency`.

    A late charge (D9) is asked for from the day of its issue, together with what was late; it never decides the tier, so that
    a fee that stays unpaid does not bring about notices of its own.
    """

    invoice_id: str
    number: str
    currency: str
    issued_on: date
    part: Part
    is_late_charge: bool = False

    def is_owed(self, today: date) -> bool:
        """Whether a notice of that day lists it."""
        return self.part.is_overdue(today) or (self.is_late_charge and self.due_date <= today)

    @property
    def due_date(self) -> date:
        """Only scheduled parts are looked at: what waits for a delivery is never overdue (T2)."""
        return self.part.due_date or date.max


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise to pay (D8): `amount_minor` by the end of `by`, given on `made_on`, when `overdue_minor` was overdue.

    Kept when what was overdue then has fallen by that amount; broken when it has not by the end of `by`.
    """

    amount_minor: int
    by: date
    made_on: date
    overdue_minor: int

    def __post_init__(self) -> None:
        if self.amount_minor <= 0 or self.by < self.made_on:
            raise InvalidError("bad_promise", "A promise is of an amount above 0, by today or a later day.")

    def is_kept(self, overdue_minor: int) -> bool:
        """`overdue_minor`: what is left, net of credit, of the parts that were overdue on `made_on`."""
        return self.overdue_minor - overdue_minor >= self.amount_minor


@dataclass(frozen=True, slots=True)
class DunningState:
    """What was already said: the last notice's tier and date, and which part was the oldest then; up to which day
    reminders were looked after. `first_look_days`: `DunningPolicy.first_look_days` of the account's policy, kept with the
    balance so that a new due date finds its place in the agenda without the policy; so is `charges_interest`, so that what is
    paid late does (D9)."""

    tier: int = 0
    oldest_due: date | None = None
    notified_on: date | None = None
    reminded_through: date | None = None
    first_look_days: int = 1
    charges_interest: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """An account as a run finds it, everything that a decision needs beside the policy and the date.

    `parts`: all its open parts, overdue or not, of all currencies, without those in dispute and those of prepaid invoices.
    `available_credit`: unapplied credit per currency. `notices_since` and `reminders_since`: since when both the firm and
    the account want them; None: they do not, so none are sent, but the account is kept in mind. `paused_until`: silent
    through that day (D6). `promises`: per currency.
    """

    parts: Sequence[OpenPart]
    said: DunningState = DunningState()
    available_credit: Mapping[str, int] = field(default_factory=dict)
    notices_since: date | None = None
    reminders_since: date | None = None
    paused_until: date | None = None
    promises: Mapping[str, Promise] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Send `tier`'s letter, listing `parts` (all that is overdue, oldest first, and then late charges); `net_minor`, per
    currency, is asked for.

    `after_silence`: the first day after the last pause or broken promise, since which the tier counts as not yet said.
    """

    tier: Tier
    parts: tuple[OpenPart, ...]
    net_minor: dict[str, int]
    after_silence: date | None = None

    @property
    def oldest_due(self) -> date:
        return self.parts[0].due_date


@dataclass(frozen=True, slots=True)
class DueReminder:
    """Send `reminder`'s letter, listing `parts` whose day it is, oldest first."""

    reminder: Reminder
    parts: tuple[OpenPart, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """`notice` and `reminders` to send now, if any; `look_again_on`: when this account next deserves attention, if ever;
    `why`: one word for the record of what the notice came to: `not_overdue`, `not_owing`, `promised`, `paused`,
    `below_first_tier`, `before_switched_on`, `already_notified`, `switched_off`, `notice`."""

    notice: Notice | None
    reminders: tuple[DueReminder, ...]
    look_again_on: date | None
    why: str


def decide(situation: Situation, policy: DunningPolicy, today: date) -> Decision:
    """The decision for one account on a day.

    The tier follows the age of the oldest overdue part. A tier is said once for an episode: when the part that was oldest is
    paid and a younger one takes its place, the tier falls back and may be said again for that one, but never on a day that
    already had a notice. A tier reached before `notices_since` is past and stays unsaid (D1); the next one is said. After a
    pause, and after a promise that was broken, the tier of that day is said, also if it was said before (D6, D8).

    Unapplied credit is set off against what is overdue: a currency that nets to nothing is left out, for a customer who has
    paid is not reminded because nobody has allocated the payment yet (D7). A currency with an open promise is left out.

    Reminders: of each part the latest one whose day has come since the last look. One that announces the due date is not
    sent after it, none for a day on or before the issue of its invoice or before `reminders_since`, and none of what the
    notice of the same run lists.

    >>> part = OpenPart("inv_1", "INV-1", "EUR", date(2026, 2, 1), Part(date(2026, 3, 1), 10000, 10000))
    >>> decide(Situation([part], notices_since=date(2026, 1, 1)), DunningPolicy(), date(2026, 3, 15)).notice.tier.number
    2
    """
    parts = sorted((part for part in situation.parts if _is_open(part)), key=lambda part: (part.due_date, part.number))
    if parts and situation.paused_until and today <= situation.paused_until:
        return Decision(None, (), situation.paused_until + timedelta(days=1), "paused")
    silent = _promised(parts, situation, today)
    parts = [part for part in parts if part.currency not in silent]
    notice, notice_again, why = _notice(parts, situation, policy, today)
    listed = notice.parts if notice and situation.notices_since else ()
    reminders, next_reminder = _reminders(parts, listed, situation, policy, today)
    # A promise may be kept on any day, by money that need not touch this agenda; then dunning goes on.
    again = _earliest(notice_again, next_reminder, today + timedelta(days=1) if silent else None)
    if silent and not parts:
        why = "promised"
    if notice and situation.notices_since is None:
        notice, why = None, "switched_off"
    return Decision(notice, reminders, again, why)


def said_after(situation: Situation, decision: Decision, policy: DunningPolicy, today: date) -> DunningState:
    """What has been said once the decision was carried out."""
    said = replace(situation.said, first_look_days=policy.first_look_days if situation.reminders_since else 1)
    if decision.why != "paused" and situation.reminders_since and policy.reminders:
        said = replace(said, reminded_through=today)
    return said_by(decision.notice, said, today) if decision.notice else said


def said_by(notice: Notice, said: DunningState, today: date) -> DunningState:
    """What has been said once the notice was sent."""
    return replace(said, tier=notice.tier.number, oldest_due=notice.oldest_due, notified_on=today)


def _is_open(part: OpenPart) -> bool:
    return part.part.open_minor > 0 and part.part.due_date is not None


# Promises


class PromiseState(StrEnum):
    """What has become of a promise to pay."""

    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"


def promise_state(promise: Promise, currency: str, situation: Situation, today: date) -> PromiseState:
    """Kept as soon as enough was paid, also late; broken from the day after on."""
    if promise.is_kept(overdue_minor(situation.parts, situation.available_credit, currency, promise.made_on)):
        return PromiseState.KEPT
    return PromiseState.OPEN if today <= promise.by else PromiseState.BROKEN


def make_promise(situation: Situation, currency: str, amount_minor: int, by: date, today: date) -> Promise:
    """A new promise of a customer (D8): of no more than is overdue net of credit, for a day from today on.

    `RuleError` `nothing_overdue`, `promise_exceeds_overdue` or `promise_out_of_range`, whose facts say what would be allowed.
    """
    latest = today + timedelta(days=LONGEST_PROMISE)
    if not today <= by <= latest:
        facts = {"earliest": today.isoformat(), "latest": latest.isoformat()}
        raise RuleError("promise_out_of_range", f"A promise is for today or one of the next {LONGEST_PROMISE} days.", **facts)
    overdue = overdue_minor(situation.parts, situation.available_credit, currency, today)
    if not overdue:
        raise _nothing_overdue(situation, today)
    if amount_minor > overdue:
        detail = "More is promised than is overdue, net of credit."
        raise RuleError("promise_exceeds_overdue", detail, currency=currency, overdue_minor=overdue)
    return Promise(amount_minor, by, today, overdue)


def _nothing_overdue(situation: Situation, today: date) -> RuleError:
    """Nothing is overdue that credit does not cover; `overdue_minor`: in which currencies there is something."""
    _, net = owing(situation.parts, situation.available_credit, today)
    return RuleError("nothing_overdue", "Nothing is overdue, net of credit, that a reminder could ask for.", overdue_minor=net)


def _promised(parts: Sequence[OpenPart], situation: Situation, today: date) -> dict[str, Promise]:
    """The promises, by currency, that are neither kept nor broken."""
    return {
        currency: promise
        for currency, promise in situation.promises.items()
        if today <= promise.by
        and not promise.is_kept(overdue_minor(parts, situation.available_credit, currency, promise.made_on))
        and any(part.currency == currency for part in parts)
    }


def overdue_minor(parts: Iterable[OpenPart], available_credit: Mapping[str, int], currency: str, on: date) -> int:
    """What is open, net of credit, of the parts in a currency that were overdue on a day."""
    owed = sum(part.part.open_minor for part in parts if part.currency == currency and part.part.is_overdue(on))
    return max(0, owed - available_credit.get(currency, 0))


# Notices


def _notice(
    parts: Sequence[OpenPart], situation: Situation, policy: DunningPolicy, today: date
) -> tuple[Notice | None, date | None, str]:
    """The notice that is due, when to look for the next, and why."""
    next_overdue = _earliest(*(part.due_date + timedelta(days=1) for part in parts if not part.part.is_overdue(today)))
    if not any(part.part.is_overdue(today) and not part.is_late_charge for part in parts):
        return None, next_overdue, "not_overdue"
    overdue, net = owing(parts, situation.available_credit, today)
    if len(net) < len({part.currency for part in parts if part.is_owed(today)}):
        # Look again tomorrow: credit may be refunded or used elsewhere, and that need not touch this agenda.
        next_overdue = today + timedelta(days=1)
    aging = [part for part in overdue if not part.is_late_charge]
    if not aging:
        return None, next_overdue, "not_owing"

    oldest = aging[0]
    tier = policy.tier_at(oldest.part.days_overdue(today))
    if tier is None:
        first = oldest.due_date + timedelta(days=policy.tiers[0].from_days)
        return None, _earliest(first, next_overdue), "below_first_tier"
    later = policy.tiers[tier.number :]
    next_tier_on = oldest.due_date + timedelta(days=later[0].from_days) if later else None
    since = situation.notices_since
    silence_ended = _silence_ended(parts, situation, today)
    reached_on = max(oldest.due_date + timedelta(days=tier.from_days), silence_ended or date.min)
    if since is not None and reached_on < since:
        return None, _earliest(next_tier_on, next_overdue), "before_switched_on"
    said = _said_tier(situation.said, oldest, silence_ended)
    if said >= tier.number or situation.said.notified_on == today:
        tomorrow = today + timedelta(days=1) if said < tier.number else None
        return None, _earliest(next_tier_on, next_overdue, tomorrow), "already_notified"
    return Notice(tier, _listed(overdue), net, silence_ended), _earliest(next_tier_on, next_overdue), "notice"


def _listed(overdue: Sequence[OpenPart]) -> tuple[OpenPart, ...]:
    """Late charges come last: they follow from the others, and have no age that counts."""
    return tuple(sorted(overdue, key=lambda part: part.is_late_charge))


def notice_by_hand(situation: Situation, policy: DunningPolicy, today: date) -> Notice:
    """The notice that fits today, whether or not it was said before (D8): a person asked for it, so neither a pause, a promise
    nor a switch holds it back.

    `RuleError` `nothing_overdue` or `below_first_tier`, with the day from which there would be one.
    """
    parts = sorted((part for part in situation.parts if _is_open(part)), key=lambda part: (part.due_date, part.number))
    overdue, net = owing(parts, situation.available_credit, today)
    oldest = next((part for part in overdue if not part.is_late_charge), None)
    if oldest is None:
        raise _nothing_overdue(situation, today)
    tier = policy.tier_at(oldest.part.days_overdue(today))
    if tier is None:
        first_on = oldest.due_date + timedelta(days=policy.tiers[0].from_days)
        detail = "What is overdue has not reached the first tier yet."
        raise RuleError("below_first_tier", detail, first_tier_on=first_on.isoformat())
    return Notice(tier, _listed(overdue), net)


def owing(parts: Iterable[OpenPart], available_credit: Mapping[str, int], today: date) -> tuple[list[OpenPart], dict[str, int]]:
    """The overdue parts of the currencies in which more is overdue than credit covers, and how much more, per currency."""
    overdue = [part for part in parts if part.is_owed(today)]
    owed: dict[str, int] = {}
    for part in overdue:
        owed[part.currency] = owed.get(part.currency, 0) + part.part.open_minor
    net = {currency: amount - available_credit.get(currency, 0) for currency, amount in owed.items()}
    net = {currency: amount for currency, amount in net.items() if amount > 0}
    return [part for part in overdue if part.currency in net], net


def _silence_ended(parts: Sequence[OpenPart], situation: Situation, today: date) -> date | None:
    """The first day after the last pause that is over or promise that was broken, if any."""
    broken = [
        promise.by
        for currency, promise in situation.promises.items()
        if not promise.is_kept(overdue_minor(parts, situation.available_credit, currency, promise.made_on))
    ]
    over = [end + timedelta(days=1) for end in (situation.paused_until, *broken) if end and end < today]
    return max(over, default=None)


def _said_tier(said: DunningState, oldest: OpenPart, silence_ended: date | None) -> int:
    """The tier that was said of this episode; what was said before a silence counts no more."""
    if said.oldest_due != oldest.due_date:
        return 0
    if silence_ended and said.notified_on and said.notified_on < silence_ended:
        return 0
    return said.tier


# Reminders


def _reminders(
    parts: Sequence[OpenPart], listed: Sequence[OpenPart], situation: Situation, policy: DunningPolicy, today: date
) -> tuple[tuple[DueReminder, ...], date | None]:
    """The reminders that are due, in rising order of their offset, and when the next one is; none while they are off."""
    if situation.reminders_since is None:
        return (), None
    covered = {
        currency
        for currency, credit in situation.available_credit.items()
        if credit >= sum(part.part.open_minor for part in parts if part.currency == currency)
    }
    found: dict[Reminder, list[OpenPart]] = {}
    upcoming: list[date] = []
    for part in parts:
        days = list(_reminder_days(part, policy))
        upcoming += [day for day, _ in days if day > today]
        due = [reminder for day, reminder in days if day <= today and _is_news(day, situation)]
        if not due or part in listed or part.currency in covered:
            continue
        if due[-1].offset_days > 0 or not part.part.is_overdue(today):
            found.setdefault(due[-1], []).append(part)
    chosen = sorted(found.items(), key=lambda pair: pair[0].offset_days)
    return tuple(DueReminder(reminder, tuple(about)) for reminder, about in chosen), _earliest(*upcoming)


def _reminder_days(part: OpenPart, policy: DunningPolicy) -> Iterator[tuple[date, Reminder]]:
    """The days on which a part is reminded of, in order; its invoice itself speaks for the days up to its issue."""
    for reminder in policy.reminders:
        day = part.due_date + timedelta(days=reminder.offset_days)
        if day > part.issued_on:
            yield day, reminder


def _is_news(day: date, situation: Situation) -> bool:
    """Whether a reminder of that day was neither looked after nor due before reminders were switched on (D1)."""
    through = situation.said.reminded_through
    return (through is None or day > through) and day >= (situation.reminders_since or date.max)


def _earliest(*days: date | None) -> date | None:
    return min((day for day in days if day is not None), default=None)
