"""Why this balance? The entries that a figure is made of, as of any date (L5)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from remit.domain.journal import JournalEntry, effect
from remit.usecases.ports import Journal


class Figure(StrEnum):
    """The figures of an account that can be explained. `BALANCE` = receivable − credit − wallet − granted (A2)."""

    BALANCE = "balance"
    RECEIVABLE = "receivable"
    CREDIT = "credit"
    WALLET = "wallet"
    GRANTED = "granted"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class ExplainedEntry:
    """One entry's part: `change_minor` (signed), and the figure after it."""

    entry: JournalEntry
    change_minor: int
    running_minor: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """`amount_minor` is the sum of all the changes up to `as_of`; `next_after` continues a long list."""

    amount_minor: int
    entries: tuple[ExplainedEntry, ...]
    next_after: int | None


def explain_balance(
    account_id: str,
    currency: str,
    figure: Figure,
    journal: Journal,
    *,
    as_of: date | None = None,
    after: int = 0,
    limit: int = 100,
) -> Explanation:
    """The figure as of the end of `as_of` (by effective date; None: all that is recorded), and its entries.

    Entries that do not move the figure are left out. The list holds up to `limit` entries with a sequence
    above `after`; amount and running totals always count from the first.
    """
    total = 0
    shown: list[ExplainedEntry] = []
    more = False
    for entry in journal.entries(account_id, currency):
        if as_of is not None and entry.draft.effective_on > as_of:
            continue
        change = _change(entry, figure)
        if change == 0:
            continue
        total += change
        if entry.sequence > after:
            if len(shown) < limit:
                shown.append(ExplainedEntry(entry, change, total))
            else:
                more = True
    return Explanation(total, tuple(shown), shown[-1].entry.sequence if more else None)


def _change(entry: JournalEntry, figure: Figure) -> int:
    moved = effect(entry.draft)
    if figure is Figure.BALANCE:
        return moved.get("receivable", 0) - moved.get("credit", 0) - moved.get("wallet", 0) - moved.get("granted", 0)
    return moved.get(figure.value, 0)
