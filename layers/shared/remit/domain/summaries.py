"""Account summaries: when a customer is told how the account stands, and what the summary says (D3).

A cron expression gives times on a clock on the wall; `runs_after` turns them into instants. Daylight saving repeats and skips
times: **every time on the wall runs exactly once**. One that is skipped runs at the moment at which the clock was put forward
(several skipped ones, together, once); one that is repeated runs the first time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from remit.domain.accounts import PaymentMode
from remit.domain.errors import LedgerBrokenError
from remit.domain.journal import Balance, EntryKind, JournalEntry, effect
from remit.domain.open_items import OpenItem
from remit.domain.terms import Part

MAX_ROWS = 25
"""Lines of a summary; of the rest it says how many they are. Its totals are of all."""

SHOWN_RUNS = 10
"""How many of a schedule's next runs are shown."""

SETTLES = timedelta(minutes=1)
"""After so long no request is under way that has read a schedule as it was before, and the index knows all its enrolments
(no function behind the API lives that long)."""


class SummaryContent(StrEnum):
    """`OPEN_INVOICES`: what is owed (postpaid alone). `RECENT_TRANSACTIONS`: what happened since the last slot."""

    OPEN_INVOICES = "open_invoices"
    RECENT_TRANSACTIONS = "recent_transactions"


@dataclass(frozen=True, slots=True)
class SummarySchedule:
    """When summaries of one kind are sent to the accounts enrolled: five-field `cron` on the clocks of `time_zone` (IANA).

    `plan` counts the changes of when it runs, `planned_at` is that of the last; enrolments planned by an earlier one are
    planned anew from `replan_at` on, which is None when that is done. A schedule that was removed stays for its messages.
    """

    id: str
    name: str
    cron: str
    time_zone: str
    content: SummaryContent
    created_at: datetime
    planned_at: datetime
    enabled: bool = True
    plan: int = 1
    replan_at: datetime | None = None
    removed_at: datetime | None = None
    version: int = 0

    @property
    def runs(self) -> bool:
        return self.enabled and self.removed_at is None

    @property
    def times(self) -> tuple[str, str, bool, datetime | None]:
        """What decides when it runs."""
        return self.cron, self.time_zone, self.enabled, self.removed_at

    def changed(self, wanted: "SummarySchedule", now: datetime) -> "SummarySchedule":
        """As `wanted` has it (name, expression, zone, content, whether it runs). Other times of running are a new plan, which
        counts from `now`, so that nothing is sent for the past."""
        changed = replace(
            self,
            name=wanted.name,
            cron=wanted.cron,
            time_zone=wanted.time_zone,
            content=wanted.content,
            enabled=wanted.enabled,
            removed_at=wanted.removed_at,
        )
        if changed.times == self.times:
            return changed
        return replace(changed, plan=self.plan + 1, planned_at=now, replan_at=now + SETTLES)


@dataclass(frozen=True, slots=True)
class Told:
    """How far an account has been told of one currency: the number of the last entry, and the balance after it."""

    sequence: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Saying:
    """A summary that is being sent, kept before the mail goes out, so that a repeat says the same."""

    slot: datetime
    up_to: Mapping[str, Told]


@dataclass(frozen=True, slots=True)
class SummaryEnrolment:
    """That an account gets the summaries of a schedule.

    `plan`: by which plan of the schedule `next_slot` was found; None: it has none. `told`: by currency, what earlier slots
    covered, from the enrolment on. An account that was withdrawn has no slot.
    """

    account_id: str
    schedule_id: str
    enrolled_at: datetime
    plan: int
    next_slot: datetime | None
    told: Mapping[str, Told] = field(default_factory=dict)
    saying: Saying | None = None
    withdrawn_at: datetime | None = None
    version: int = 0

    def told_of(self, currency: str) -> Told:
        """What is new in a currency begins behind this; with its first entry in one that was never told of."""
        return self.told.get(currency, Told(0, 0))

    def planned(self, schedule: SummarySchedule, next_slot: datetime | None) -> "SummaryEnrolment":
        """By the schedule's present plan; an enrolment in a schedule that was removed is over."""
        return replace(self, plan=schedule.plan, next_slot=next_slot, withdrawn_at=self.withdrawn_at or schedule.removed_at)

    def moved_on(
        self, acted_on: "SummaryEnrolment", slot: datetime, told: Mapping[str, Told], next_slot: datetime | None
    ) -> "SummaryEnrolment":
        """After the slot: nothing of it is told again. `acted_on` is the enrolment as it was when that was decided: where it
        was planned anew or moved on meanwhile, that stands."""
        is_same = (self.plan, self.next_slot) == (acted_on.plan, acted_on.next_slot)
        known = {currency: each for currency, each in told.items() if each.sequence >= self.told_of(currency).sequence}
        return replace(
            self,
            told={**self.told, **known},
            saying=None if self.saying and self.saying.slot == slot else self.saying,
            next_slot=next_slot if is_same else self.next_slot,
        )


# ---- When -----------------------------------------------------------------------------------------------------------------


def on_the_wall(instant: datetime, time_zone: str) -> datetime:
    """What a clock in the zone shows at an instant, without a zone."""
    return instant.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)


def instant_of(wall: datetime, time_zone: str) -> datetime:
    """When a time on the wall comes, in UTC: the first time that it is shown, or the moment at which it is skipped."""
    zone = ZoneInfo(time_zone)
    while on_the_wall(wall.replace(tzinfo=zone).astimezone(UTC), time_zone) != wall:
        wall += timedelta(minutes=1)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def runs_after(walls: Iterable[datetime], time_zone: str, after: datetime) -> Iterator[datetime]:
    """The instants of times on the wall (in their order, from that of `after` on), each later than the one before."""
    last = after
    for wall in walls:
        at = instant_of(wall, time_zone)
        if at > last:
            yield at
            last = at


def last_run(walls: Iterable[datetime], time_zone: str, until: datetime) -> datetime | None:
    """The latest instant up to `until` of times on the wall, which come latest first, from a day later on."""
    return next((at for wall in walls if (at := instant_of(wall, time_zone)) <= until), None)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether an account is told now, and for which slot; `why` is one word for the record: `due`, or `withdrawn`, `not_due`,
    `switched_off`, `before_switched_on`. A turn with a slot that is not told is over all the same."""

    slot: datetime | None
    why: str

    @property
    def is_told(self) -> bool:
        return self.why == "due"


def turn_of(enrolment: SummaryEnrolment, last: datetime | None, since: datetime | None, now: datetime) -> Turn:
    """The decision for one enrolment at `now`, planned by its schedule's present plan.

    `last` is the schedule's latest run up to now: of several that were missed, only that one is told. A summary that was
    begun is finished first. `since`: when summaries were switched on for the account, None while they are off; a slot before
    is not told (D1).
    """
    if enrolment.withdrawn_at:
        return Turn(None, "withdrawn")
    if enrolment.next_slot is None or enrolment.next_slot > now:
        return Turn(None, "not_due")
    slot = enrolment.saying.slot if enrolment.saying else max(enrolment.next_slot, last or enrolment.next_slot)
    if since is None:
        return Turn(slot, "switched_off")
    return Turn(slot, "before_switched_on" if slot < since else "due")


def message_id(enrolment: SummaryEnrolment, slot: datetime) -> str:
    """One message for each schedule, slot and account."""
    return f"msg_summary_{enrolment.schedule_id}_{enrolment.account_id}_{slot.astimezone(UTC):%Y%m%dT%H%MZ}"


# ---- What is said: open invoices ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenRow:
    """An open part of an invoice. `disputed`: it is not asked for until the dispute is over."""

    invoice_id: str
    number: str
    currency: str
    part: Part
    disputed: bool
    overdue: bool


@dataclass(frozen=True, slots=True)
class OpenTotal:
    """All that is open in one currency, in minor units: `overdue_minor` and `disputed_minor` are shares of `open_minor`;
    `credit_minor` is what the account has unapplied."""

    currency: str
    open_minor: int
    overdue_minor: int
    disputed_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True)
class OpenInvoices:
    """The summary of what is owed: the first rows by due date, how many more there are, a total for each currency."""

    as_of: date
    rows: tuple[OpenRow, ...]
    more: int
    totals: tuple[OpenTotal, ...]


def open_invoices(items: Iterable[OpenItem], balances: Sequence[Balance], today: date) -> OpenInvoices | None:
    """What the account owes on its postpaid invoices; None when that is nothing."""
    rows = sorted(
        (_open_row(item, part, today) for item in items if item.mode is PaymentMode.POSTPAID for part in item.parts),
        key=lambda row: (row.part.due_date or date.max, row.number),
    )
    rows = [row for row in rows if row.part.open_minor]
    if not rows:
        return None
    credit = {balance.currency: balance.credit_minor for balance in balances}
    currencies = sorted({row.currency for row in rows} | {currency for currency, minor in credit.items() if minor})
    totals = tuple(_open_total(currency, rows, credit.get(currency, 0)) for currency in currencies)
    return OpenInvoices(today, tuple(rows[:MAX_ROWS]), max(0, len(rows) - MAX_ROWS), totals)


def _open_row(item: OpenItem, part: Part, today: date) -> OpenRow:
    disputed = bool(item.disputed_by)
    return OpenRow(item.invoice_id, item.number, item.currency, part, disputed, part.is_overdue(today) and not disputed)


def _open_total(currency: str, rows: Sequence[OpenRow], credit_minor: int) -> OpenTotal:
    own = [row for row in rows if row.currency == currency]
    return OpenTotal(
        currency,
        open_minor=sum(row.part.open_minor for row in own),
        overdue_minor=sum(row.part.open_minor for row in own if row.overdue),
        disputed_minor=sum(row.part.open_minor for row in own if row.disputed),
        credit_minor=credit_minor,
    )


# ---- What is said: recent transactions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transaction:
    """An entry as the customer reads it: `amount_minor` is by how much it moved what the account owes (below zero: it owes
    less). `documents`: role → ids, as on the entry."""

    kind: EntryKind
    on: date
    amount_minor: int
    documents: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened in one currency: opening + all transactions = closing. `earlier` are so many before those listed, which
    moved the balance by `earlier_minor` together."""

    currency: str
    opening_minor: int
    transactions: tuple[Transaction, ...]
    closing_minor: int
    earlier: int = 0
    earlier_minor: int = 0


@dataclass(frozen=True, slots=True)
class RecentTransactions:
    """The summary of what happened, by currency. `numbers`: document id → what the customer knows it by."""

    as_of: date
    statements: tuple[Statement, ...]
    numbers: Mapping[str, str] = field(default_factory=dict)


def told_now(balances: Iterable[Balance]) -> dict[str, Told]:
    """All that has been posted so far, by currency."""
    return {balance.currency: Told(balance.sequence, balance.balance_minor) for balance in balances}


def statement(currency: str, before: Told, up_to: Told, entries: Iterable[JournalEntry]) -> Statement | None:
    """What `entries`, those behind `before` up to `up_to`, did to the account; None when they moved nothing.

    Where payments or credits only found their invoice, nothing moves. `LedgerBrokenError` when they do not lead from one
    balance to the other.
    """
    moved = [each for entry in entries if (each := _transaction(entry)).amount_minor]
    if before.balance_minor + sum(each.amount_minor for each in moved) != up_to.balance_minor:
        raise LedgerBrokenError(
            "summary_does_not_tie", f"The entries up to {up_to.sequence} do not explain the balance.", currency=currency
        )
    if not moved:
        return None
    earlier, listed = moved[:-MAX_ROWS], tuple(moved[-MAX_ROWS:])
    earlier_minor = sum(each.amount_minor for each in earlier)
    return Statement(currency, before.balance_minor, listed, up_to.balance_minor, len(earlier), earlier_minor)


def _transaction(entry: JournalEntry) -> Transaction:
    moves: Counter[str] = Counter(effect(entry.draft))
    amount_minor = moves["receivable"] - moves["credit"] - moves["wallet"] - moves["granted"]
    return Transaction(entry.draft.kind, entry.draft.effective_on, amount_minor, entry.draft.documents)
