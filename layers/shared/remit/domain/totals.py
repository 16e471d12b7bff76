"""The firm's totals as sums over journal entries (ledger guarantee 6, Q1, V4).

Everything here only adds: what an entry adds to the totals (`moves`) does not depend on any other entry, so the totals
of a set of entries are the same in whatever order, and in whatever portions, they are counted. That each entry counts
once is the business of `ChainMark`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

from remit.domain.errors import LedgerBrokenError
from remit.domain.journal import GENESIS, EntryDraft, JournalEntry, Side


class TotalsKind(StrEnum):
    LEDGER = "ledger"
    """Debits and credits per account of the chart, by month of effective date (`2026-11`)."""
    STANDING = "standing"
    """How things stand, without a period: invoices by status, receivable by quarter of due date, entries counted."""
    DUE = "due"
    """Receivable by due date, by quarter (`2026Q4`)."""


@dataclass(frozen=True, slots=True)
class TotalsKey:
    """One portion of the totals. `shard` is the account's, so that not all customers share one."""

    kind: TotalsKind
    currency: str
    period: str
    shard: int


type Amounts = Mapping[str, int]
"""Figures by name, in minor units of the key's currency, or counts. Figures that come to zero are left out."""

ENTRIES = "entries"
UNSCHEDULED = "unscheduled"
_STATUS = "status:"
_QUARTER = "quarter:"


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of one key in one generation: a rebuild writes a new generation beside the one that is read.

    Names in `amounts`: `debit:<account>` and `credit:<account>` (ledger), `entries`, `status:<status>`,
    `quarter:<quarter>` and `unscheduled` (standing), `<month>-<day>` (due).
    """

    generation: int
    key: TotalsKey
    amounts: Amounts = field(default_factory=dict)
    version: int = 0

    def add(self, amounts: Amounts) -> "Totals":
        return replace(self, amounts=added(self.amounts, amounts))


@dataclass(frozen=True, slots=True)
class TotalsGenerations:
    """Which generation is read (`current`), and which one is being built beside it, if any. Numbers are never used again."""

    current: int = 1
    building: int | None = None
    newest: int = 1
    version: int = 0

    @property
    def live(self) -> tuple[int, ...]:
        """The generations that every entry is counted in."""
        return (self.current,) if self.building is None else (self.current, self.building)

    def is_over(self, generation: int) -> bool:
        """Whether it is known that nobody counts in this generation any more; one that is newer than all known here may live."""
        return generation <= self.newest and generation not in self.live

    def begin(self) -> "TotalsGenerations":
        """Start a generation from nothing; one that was begun before and not finished is given up."""
        return replace(self, building=self.newest + 1, newest=self.newest + 1)

    def finish(self, *, adopt: bool) -> "TotalsGenerations":
        """The building is over; with `adopt`, what was built is what is read from now on."""
        return replace(self, current=self.building if adopt and self.building else self.current, building=None)


@dataclass(frozen=True, slots=True)
class Reached:
    """The last entry of a chain that a generation counted."""

    generation: int
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class ChainMark:
    """How far the entries of one account and currency are counted, in each generation.

    Written in one transaction with the totals: an entry at or below the mark is in them, and one above it is not.
    """

    account_id: str
    currency: str
    reached: tuple[Reached, ...] = ()
    version: int = 0

    def last(self, generation: int) -> Reached:
        """The last entry counted; number 0 for none."""
        found = (each for each in self.reached if each.generation == generation)
        return next(found, Reached(generation, 0, GENESIS))

    def reach(self, generation: int, entry: JournalEntry, generations: TotalsGenerations) -> "ChainMark":
        """The mark after `entry`, which must be the next; generations that are over are forgotten.

        `LedgerBrokenError` when it is not the next, or does not follow the last one by its hash (L7).
        """
        last = self.last(generation)
        if (entry.sequence, entry.previous_hash) != (last.sequence + 1, last.hash):
            raise LedgerBrokenError("chain_broken", f"Entry {entry.id} does not follow entry {last.sequence} that was counted.")
        others = (each for each in self.reached if each.generation != generation and not generations.is_over(each.generation))
        return replace(self, reached=(*others, Reached(generation, entry.sequence, entry.hash)))


def added(amounts: Amounts, more: Amounts) -> dict[str, int]:
    """Both together; what comes to zero is left out."""
    names = dict.fromkeys([*amounts, *more])
    return {name: total for name in names if (total := amounts.get(name, 0) + more.get(name, 0))}


def quarter(day: date) -> str:
    """`2026Q4`: sorts by time."""
    return f"{day.year:04d}Q{(day.month + 2) // 3}"


def moves(draft: EntryDraft, shard: int) -> dict[TotalsKey, dict[str, int]]:
    """What one entry adds to the totals of its account's shard.

    An invoice of EUR 121.00, issued on 2 March and due on 1 April: in the ledger of 2026-03 debit:receivable 12100,
    credit:revenue:services 10000, credit:tax:VAT21 2100; standing entries 1, status:issued 1, quarter:2026Q2 12100; due in
    2026Q2 on 04-01 12100.
    """
    ledger = TotalsKey(TotalsKind.LEDGER, draft.currency, f"{draft.effective_on:%Y-%m}", shard)
    standing = TotalsKey(TotalsKind.STANDING, draft.currency, "", shard)
    found: dict[TotalsKey, dict[str, int]] = {ledger: {}, standing: {ENTRIES: 1}}

    def add(key: TotalsKey, name: str, amount: int) -> None:
        figures = found.setdefault(key, {})
        figures[name] = figures.get(name, 0) + amount

    for before, after in draft.statuses.values():
        if before:
            add(standing, _STATUS + before, -1)
        add(standing, _STATUS + after, 1)
    for posting in draft.postings:
        add(ledger, f"{posting.side}:{posting.account}", posting.amount_minor)
        if posting.account == "receivable":
            signed = posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
            due = posting.due_date
            add(standing, _QUARTER + quarter(due) if due else UNSCHEDULED, signed)
            if due:
                add(TotalsKey(TotalsKind.DUE, draft.currency, quarter(due), shard), f"{due:%m-%d}", signed)
    return found


def sum_of(totals: Iterable[Totals]) -> dict[str, int]:
    """The figures of all shards together. They are of one currency and one period, or the sum would mean nothing (L8)."""
    total: dict[str, int] = {}
    for each in totals:
        total = added(total, each.amounts)
    return total


def accounts_of(figures: Amounts) -> dict[str, tuple[int, int]]:
    """Account of the chart → (debits, credits), from ledger figures, in the order of names."""
    found: dict[str, list[int]] = {}
    for name, amount in figures.items():
        side, _, account = name.partition(":")
        found.setdefault(account, [0, 0])[0 if side == Side.DEBIT else 1] += amount
    return {account: (debits, credits) for account, (debits, credits) in sorted(found.items())}


def statuses_of(figures: Amounts) -> dict[str, int]:
    """Status → how many invoices, from standing figures."""
    return {name.removeprefix(_STATUS): count for name, count in sorted(figures.items()) if name.startswith(_STATUS)}


BUCKETS = (30, 60, 90)
"""The last days overdue of the buckets 1–30, 31–60 and 61–90; what is older is in the last one (Q1)."""


@dataclass(frozen=True, slots=True)
class Ageing:
    """What is owed in one currency now, by its age on `as_of`; a part is overdue from the day after its due date (T7).

    `overdue_minor` has a figure for each of `BUCKETS` and one for all that is older. What waits for a delivery is
    unscheduled: never due.
    """

    currency: str
    as_of: date
    unscheduled_minor: int
    current_minor: int
    overdue_minor: tuple[int, int, int, int]

    @property
    def receivable_minor(self) -> int:
        return self.unscheduled_minor + self.current_minor + sum(self.overdue_minor)


def quarters_by_day(as_of: date) -> tuple[str, str]:
    """The first and the last quarter whose days must be known to age what is owed on `as_of`; they are two at most."""
    return quarter(as_of - timedelta(days=BUCKETS[-1])), quarter(as_of)


def age(currency: str, as_of: date, standing: Amounts, due: Iterable[Totals]) -> Ageing:
    """What is owed by its age, from the standing figures and the days of `quarters_by_day`.

    Quarters before those are older than all buckets, quarters after them are current, whatever the day.
    """
    first, last = quarters_by_day(as_of)
    buckets = [0] * (len(BUCKETS) + 2)
    for name, amount in standing.items():
        if not name.startswith(_QUARTER):
            continue
        if (period := name.removeprefix(_QUARTER)) < first:
            buckets[-1] += amount
        elif period > last:
            buckets[0] += amount
    for totals in due:
        year = totals.key.period[:4]
        for day, amount in totals.amounts.items():
            buckets[_bucket((as_of - date.fromisoformat(f"{year}-{day}")).days)] += amount
    current, *overdue = buckets
    return Ageing(currency, as_of, standing.get(UNSCHEDULED, 0), current, (overdue[0], overdue[1], overdue[2], overdue[3]))


def _bucket(days_overdue: int) -> int:
    """0 for current, then 1 to 4."""
    return 0 if days_overdue <= 0 else 1 + sum(days_overdue > last for last in BUCKETS)
