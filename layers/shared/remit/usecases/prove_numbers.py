"""Prove that a number series has no gap (I3)."""

from dataclasses import dataclass
from itertools import islice

from remit.usecases.idempotency import pause
from remit.usecases.ports import Books, Journal, series_ref

LOOKS = 4
"""How often a series with a gap is looked at, over about a third of a second: indexes follow the table within a moment."""


@dataclass(frozen=True, slots=True)
class NumberProof:
    """`count` numbers were found; `gaps` names what is wrong, empty when 1…`last` is complete and in order."""

    series: str
    last: int
    count: int
    gaps: tuple[str, ...]


def prove_numbers(series: str, books: Books, journal: Journal) -> NumberProof:
    """Walk the series in one query: each number follows the one before, and the last is the counter's.

    A series that was never used is complete; one that has invoices must have its counter. The counter is read from the
    table, the numbers from an index that follows it: so only a gap that is still there after `LOOKS` looks is one.
    """
    counter = books.load(series_ref(series)).get(series_ref(series))
    for look in range(LOOKS):
        if look:
            pause(look)
        proof = _look(series, counter.last if counter else None, journal)
        if not proof.gaps:
            break
    return proof


def _look(series: str, last: int | None, journal: Journal) -> NumberProof:
    numbers = journal.document_numbers(series)
    if last is None:
        return NumberProof(
            series, 0, 0, tuple(f"{number} stands in a series that has no counter" for number in islice(numbers, 1))
        )
    gaps: list[str] = []
    count = 0
    for number in numbers:
        count += 1
        found = int(number.rpartition("-")[2])
        if found > last:
            break  # issued after the counter was read
        if found != count:
            gaps.append(f"{number} stands where {series}-{count:06d} should")
            count = found
    if count < last:
        gaps.append(f"the counter is at {last}, the last invoice is {count}")
    return NumberProof(series, last, count, tuple(gaps))
