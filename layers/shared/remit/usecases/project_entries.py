"""Count journal entries in the firm's totals, each exactly once, however they are delivered (ledger guarantee 6).

The stream only says that a chain went on. How far it is counted stands in its mark, which moves in one transaction
with the totals; entries below it are skipped, and those missing above it are read from the journal, where they
are numbered 1, 2, 3… So nothing depends on the stream being complete, in order, or free of repeats.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched

from remit.domain.errors import ConflictError, LedgerBrokenError, TransientError
from remit.domain.journal import Balance, JournalEntry
from remit.domain.totals import ChainMark, Totals, TotalsGenerations, TotalsKey, added, moves
from remit.usecases.idempotency import ATTEMPTS, pause
from remit.usecases.ports import Books, Journal, TotalsStore, chain_mark_ref, totals_generations_ref, totals_ref

MAX_ITEMS = 100
"""Marks and totals that one transaction may hold."""

MAX_CHAINS = 80
"""Chains that one transaction takes on: their marks leave room for the totals."""

MAX_ENTRIES = 400
"""Entries that are counted in one transaction at most, so that a chain that was never counted is no burden at once."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The entries of an account and currency, to be counted up to number `last`; `given` are those at hand."""

    account_id: str
    currency: str
    last: int
    given: Mapping[int, JournalEntry] = field(default_factory=dict)


def generations_of(books: Books, *, consistent: bool = True) -> TotalsGenerations:
    """Which generations there are; the first one, before anything was written."""
    ref = totals_generations_ref()
    return books.load(ref, consistent=consistent).get(ref) or TotalsGenerations()


class Projector:
    """Moves marks and totals forward, in as few transactions as their limit allows.

    `wait` is how a lost race is paused after. Raises what still fails after `ATTEMPTS`: all that was committed
    until then stays counted, and the same again goes on from there. `LedgerBrokenError` for a chain that is broken.
    """

    def __init__(self, books: Books, journal: Journal, store: TotalsStore, wait: Callable[[int], None] = pause) -> None:
        self._books, self._journal, self._store, self._wait = books, journal, store, wait

    def project(self, entries: Iterable[JournalEntry]) -> None:
        """Count these entries and whatever of their chains comes before them and is not counted yet."""
        given: dict[tuple[str, str], dict[int, JournalEntry]] = {}
        for entry in entries:
            given.setdefault((entry.draft.account_id, entry.draft.currency), {})[entry.sequence] = entry
        self._count([Chain(account, currency, max(found), found) for (account, currency), found in given.items()])

    def catch_up(self, balances: Iterable[Balance]) -> None:
        """Count all entries up to these balances' own."""
        self._count([Chain(balance.account_id, balance.currency, balance.sequence) for balance in balances])

    def _count(self, chains: Sequence[Chain]) -> None:
        if not chains:
            return
        generations = generations_of(self._books)
        by_shard: dict[int, list[Chain]] = {}
        for chain in chains:
            by_shard.setdefault(self._store.shard_of(chain.account_id), []).append(chain)
        for generation in generations.live:
            for shard, found in sorted(by_shard.items()):
                for some in batched(found, MAX_CHAINS, strict=False):
                    left: Sequence[Chain] = some
                    while left:
                        left = self._persist(left, generation, shard, generations)

    def _persist(self, chains: Sequence[Chain], generation: int, shard: int, generations: TotalsGenerations) -> Sequence[Chain]:
        """One step, tried anew after each lost race and each answer that was lost."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return self._step(chains, generation, shard, generations)
            except (ConflictError, TransientError):
                self._wait(attempt)
        return self._step(chains, generation, shard, generations)

    def _step(self, chains: Sequence[Chain], generation: int, shard: int, generations: TotalsGenerations) -> Sequence[Chain]:
        """Count as much as one transaction holds; returns the chains that have more to count."""
        refs = [chain_mark_ref(chain.account_id, chain.currency) for chain in chains]
        loaded = self._books.load(*refs)
        portion = _Portion(generation, shard, generations)
        left: list[Chain] = []
        for chain, ref in zip(chains, refs, strict=True):
            mark = loaded.get(ref) or ChainMark(chain.account_id, chain.currency)
            if portion.take(mark, self._uncounted(chain, mark.last(generation).sequence)) < chain.last:
                left.append(chain)
        if portion.marks:
            self._books.commit([*portion.marks, *self._totals(portion)])
        elif left:
            raise LedgerBrokenError("entry_missing", f"The journal of {left[0].account_id} ends before entry {left[0].last}.")
        return left

    def _uncounted(self, chain: Chain, counted: int) -> Iterator[JournalEntry]:
        """The entries after `counted`, up to the chain's last or as many as fit: those given, if none is missing among them."""
        numbers = range(counted + 1, min(chain.last, counted + MAX_ENTRIES) + 1)
        if all(number in chain.given for number in numbers):
            return (chain.given[number] for number in numbers)
        return self._journal.entries(chain.account_id, chain.currency, after=counted, limit=len(numbers))

    def _totals(self, portion: "_Portion") -> list[Totals]:
        refs = {key: totals_ref(portion.generation, key) for key in portion.sums}
        loaded = self._books.load(*refs.values())
        found = {key: loaded.get(ref) or Totals(portion.generation, key) for key, ref in refs.items()}
        return [found[key].add(amounts) for key, amounts in portion.sums.items()]


class _Portion:
    """What one transaction will hold: marks that moved, and sums to add."""

    def __init__(self, generation: int, shard: int, generations: TotalsGenerations) -> None:
        self.generation, self._shard, self._generations = generation, shard, generations
        self.marks: list[ChainMark] = []
        self.sums: dict[TotalsKey, dict[str, int]] = {}
        self._entries = 0

    def take(self, mark: ChainMark, entries: Iterator[JournalEntry]) -> int:
        """Count `entries` as far as there is room; the number of the last one of their chain that is counted then."""
        moved = mark
        for entry in entries:
            more = moves(entry.draft, self._shard)
            items = len(self.marks) + 1 + len(self.sums.keys() | more.keys())
            if self._entries and (items > MAX_ITEMS or self._entries == MAX_ENTRIES):
                break
            moved = moved.reach(self.generation, entry, self._generations)
            self.sums |= {key: added(self.sums.get(key, {}), amounts) for key, amounts in more.items()}
            self._entries += 1
        if moved is not mark:
            self.marks.append(moved)
        return moved.last(self.generation).sequence
