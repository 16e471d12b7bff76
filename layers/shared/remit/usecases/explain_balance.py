"""Why this balance? The entries that a figure is made of, over any days (L5), and the two views of an account (A2)."""

from dataclasses import dataclass
from datetime import date

from remit.domain.errors import InvalidError
from remit.domain.figures import Figure, change_of
from remit.domain.journal import JournalEntry
from remit.usecases.ports import Journal


@dataclass(frozen=True, slots=True)
class ExplainedEntry:
    """One entry's part: `change_minor` (signed), and the figure after it."""

    entry: JournalEntry
    change_minor: int
    running_minor: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """`amount_minor` is the figure at the end; `opening_minor` what it was before the first day asked for, from which its
    entries lead there. `next_after` continues a long list."""

    amount_minor: int
    opening_minor: int
    entries: tuple[ExplainedEntry, ...]
    next_after: int | None


def explain_balance(
    account_id: str,
    currency: str,
    figure: Figure,
    journal: Journal,
    *,
    since: date | None = None,
    as_of: date | None = None,
    document_id: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> Explanation:
    """The figure as of the end of `as_of` (by effective date; None: all that is recorded), and its entries from `since` on.

    With `document_id`, the figure of one document alone: `receivable` of an invoice is what is open on it, `credit` of a
    payment what is unapplied. Entries that do not move the figure are left out. The list holds up to `limit` entries with
    a sequence above `after`; amounts and running totals always count from the first. `InvalidError` when the days are the
    wrong way round.
    """
    if since and as_of and since > as_of:
        raise InvalidError("bad_period", "A period ends on its first day or later.", first=since.isoformat())
    changes = [
        (entry, change)
        for entry in journal.entries(account_id, currency)
        if (as_of is None or entry.draft.effective_on <= as_of) and (change := change_of(entry.draft, figure, document_id))
    ]
    # What is recorded later may be effective earlier, so the opening figure is known only when all has been read.
    opening = sum(change for entry, change in changes if since and entry.draft.effective_on < since)
    running = opening
    following: list[ExplainedEntry] = []
    for entry, change in changes:
        if since and entry.draft.effective_on < since:
            continue
        running += change
        if entry.sequence > after:
            following.append(ExplainedEntry(entry, change, running))
    shown = tuple(following[:limit])
    return Explanation(running, opening, shown, shown[-1].entry.sequence if len(following) > limit else None)
