"""The firm's totals, read from their projections: a moment behind the ledger, at a price that no history raises (Q1, V4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from remit.domain.totals import (
    Ageing,
    Totals,
    TotalsKind,
    accounts_of,
    age,
    quarters_by_day,
    statuses_of,
    sum_of,
)
from remit.usecases.ports import Books, TotalsStore
from remit.usecases.project_entries import generations_of


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """Debits and credits per account of the chart, of all entries effective in one month, in one currency."""

    month: str
    currency: str
    accounts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """How many invoices of one currency are in each status; one that never occurs is not named."""

    currency: str
    statuses: Mapping[str, int]


def month_totals(month: str, currency: str, books: Books, store: TotalsStore) -> MonthTotals:
    """The totals of a month such as `2026-11`; without accounts when nothing was posted."""
    generation = generations_of(books, consistent=False).current
    found = store.of_periods(generation, TotalsKind.LEDGER, currency, month, month)
    return MonthTotals(month, currency, accounts_of(sum_of(found)))


def status_counts(books: Books, store: TotalsStore) -> list[StatusCounts]:
    """Invoices by status, a line per currency."""
    standing = _by_currency(store.standing(generations_of(books, consistent=False).current))
    return [StatusCounts(currency, statuses_of(sum_of(found))) for currency, found in standing.items()]


def ageing(as_of: date, currency: str | None, books: Books, store: TotalsStore) -> list[Ageing]:
    """What is owed now by its age on `as_of`, of one currency or a line for each."""
    generation = generations_of(books, consistent=False).current
    first, last = quarters_by_day(as_of)
    return [
        age(each, as_of, sum_of(found), store.of_periods(generation, TotalsKind.DUE, each, first, last))
        for each, found in _by_currency(store.standing(generation, currency)).items()
    ]


def _by_currency(standing: Sequence[Totals]) -> dict[str, list[Totals]]:
    found: dict[str, list[Totals]] = {}
    for totals in sorted(standing, key=lambda totals: (totals.key.currency, totals.key.shard)):
        found.setdefault(totals.key.currency, []).append(totals)
    return found
