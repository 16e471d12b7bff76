"""Count all entries anew, compare with the totals that are read, and replace those on demand (ledger guarantee 6).

A rebuild is a generation of totals of its own, built page by page while the firm works on: from its beginning on,
entries that come in are counted in both generations. It can stop and go on at any page, and what is read changes
in one write at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass

from remit.domain.errors import RuleError
from remit.domain.totals import Totals, TotalsKey, TotalsKind
from remit.usecases.idempotency import pause
from remit.usecases.ports import Books, Journal, TotalsStore
from remit.usecases.project_entries import Projector, generations_of

LOOKS = 5
"""How often a difference is looked at. One that is only there because an entry came in between two reads changes or goes."""

_FIRST, _LAST = "", "~"


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that all entries counted anew do not confirm."""

    key: TotalsKey
    name: str
    read: int
    rebuilt: int

    @property
    def gap(self) -> int:
        return self.read - self.rebuilt

    def __str__(self) -> str:
        where = " ".join(part for part in (self.key.kind, self.key.currency, self.key.period, f"shard {self.key.shard}") if part)
        return f"{where}: {self.name} is {self.read}, its entries say {self.rebuilt}"


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The generation that is read, and the one that is built beside it."""

    read: int
    built: int


def begin(books: Books, store: TotalsStore) -> Rebuild:
    """Start a new generation; one that was begun before and not finished is given up.

    What earlier rebuilds left when they died before the end is deleted: rebuilds are few, and an empty generation costs a query.
    """
    after = generations_of(books).begin()
    books.commit([after])
    for generation in range(1, after.newest):
        if after.is_over(generation):
            store.drop(generation)
    return Rebuild(after.current, after.newest)


def rebuild_page(cursor: str | None, limit: int, books: Books, journal: Journal, projector: Projector) -> tuple[int, str | None]:
    """Count all entries of a page of accounts; returns how many accounts it had, and where to go on.

    What the generation that is read has not counted yet is caught up with on the way: a lost delivery is no difference.
    """
    accounts, more = journal.accounts(cursor, limit)
    for account in accounts:
        projector.catch_up(journal.account_with_balances(account.id)[1])
    return len(accounts), more


def compare(rebuild: Rebuild, store: TotalsStore, wait: Callable[[int], None] = pause) -> tuple[Difference, ...]:
    """Figures that differ between the two generations, by the same amount in each look."""
    lasting = _look(rebuild, store)
    for look in range(LOOKS - 1):
        if not lasting:
            break
        wait(look)
        again = _look(rebuild, store)
        lasting = {place: each for place, each in again.items() if place in lasting and each.gap == lasting[place].gap}
    return tuple(lasting.values())


def finish(rebuild: Rebuild, books: Books, store: TotalsStore, *, replace: bool) -> None:
    """End the rebuild; with `replace`, what was built is read from now on. The other generation is deleted. Safe to repeat.

    `RuleError` `rebuild_superseded` when another one was begun meanwhile.
    """
    generations = generations_of(books)
    if generations.building == rebuild.built:
        books.commit([generations.finish(adopt=replace)])
    elif generations.building is not None or generations.newest != rebuild.built:
        raise RuleError("rebuild_superseded", "Another rebuild of the totals was begun meanwhile.")
    store.drop(rebuild.read if replace else rebuild.built)


def _look(rebuild: Rebuild, store: TotalsStore) -> dict[tuple[TotalsKey, str], Difference]:
    read, built = everything(rebuild.read, store), everything(rebuild.built, store)
    found: dict[tuple[TotalsKey, str], Difference] = {}
    for key in read | built:
        ours, theirs = _figures(read, key), _figures(built, key)
        for name in ours | theirs:
            if ours.get(name, 0) != theirs.get(name, 0):
                found[key, name] = Difference(key, name, ours.get(name, 0), theirs.get(name, 0))
    return found


def _figures(totals: dict[TotalsKey, Totals], key: TotalsKey) -> dict[str, int]:
    return dict(totals[key].amounts) if key in totals else {}


def everything(generation: int, store: TotalsStore) -> dict[TotalsKey, Totals]:
    """All totals of a generation."""
    standing = store.standing(generation)
    periodic = (
        totals
        for currency in sorted({each.key.currency for each in standing})
        for kind in (TotalsKind.LEDGER, TotalsKind.DUE)
        for totals in store.of_periods(generation, kind, currency, _FIRST, _LAST)
    )
    return {each.key: each for each in (*standing, *periodic)}
