"""Prove that a number series of invoices or credit notes has no gap (I3)."""

from dataclasses import dataclass
from itertools import islice

from remit.domain.invoices import number_text
from remit.usecases.idempotency import pause
from remit.usecases.ports import Books, Journal, batch_ref, series_ref

LOOKS = 4
"""How often a gap is looked at before it is believed."""


@dataclass(frozen=True, slots=True)
class NumberProof:
    """`count` documents were found among the numbers 1…`last`, spoiled numbers included; `pending` numbers belong to batches
    that are being finished. `gaps` names what is wrong, empty when each of the others is there once and in order."""

    series: str
    last: int
    count: int
    gaps: tuple[str, ...]
    pending: int = 0


def prove_numbers(series: str, books: Books, journal: Journal) -> NumberProof:
    """Walk the series in one query: each number follows the one before, and the last is the counter's.

    A series that was never used is complete; one that has documents must have its counter. The batches are read before
    the documents: so a number that a batch writes meanwhile is found or pending, never missed. The counter is read from
    the table, the numbers from an index that follows it: so only a gap that is still there after `LOOKS` looks is one.
    """
    counter = books.load(series_ref(series)).get(series_ref(series))
    for look in range(LOOKS):
        if look:
            pause(look)
        proof = _look(series, counter.last if counter else None, books, journal)
        if not proof.gaps:
            break
    return proof


def _look(series: str, last: int | None, books: Books, journal: Journal) -> NumberProof:
    if last is None:
        unnumbered = (f"{number} stands in a series that has no counter" for number in journal.document_numbers(series))
        return NumberProof(series, 0, 0, tuple(islice(unnumbered, 1)))
    pending = _pending(series, books, journal)
    gaps: list[str] = []
    count = position = still_pending = 0

    def skip_to(number: int, found: str) -> None:
        nonlocal still_pending
        missing = [each for each in range(position + 1, number) if each not in pending]
        still_pending += number - position - 1 - len(missing)
        if missing:
            gaps.append(f"{found} follows {number_text(series, position)}, without {_listed(series, missing)}")

    for number in journal.document_numbers(series):
        found = int(number.rpartition("-")[2])
        if found > last:
            break  # issued after the counter was read
        count += 1
        if found <= position:
            gaps.append(f"{number} stands after {number_text(series, position)}")
            continue
        skip_to(found, number)
        position = found
    if position < last:
        skip_to(last + 1, f"the counter at {last}")
    return NumberProof(series, last, count, tuple(gaps), still_pending)


def _pending(series: str, books: Books, journal: Journal) -> set[int]:
    """The numbers that batches have taken and not settled yet."""
    refs = [batch_ref(batch_id) for batch_id in journal.unfinished_batches()]
    loaded = books.load(*refs) if refs else None
    found = [batch for ref in refs if loaded and (batch := loaded.get(ref))]
    return {number for batch in found if batch.series == series and not batch.finished_at for number in batch.numbers}


def _listed(series: str, numbers: list[int]) -> str:
    """`INV-2026-000003`, or the first and last of many."""
    first, last = number_text(series, numbers[0]), number_text(series, numbers[-1])
    return first if len(numbers) == 1 else f"{len(numbers)} from {first} to {last}"
