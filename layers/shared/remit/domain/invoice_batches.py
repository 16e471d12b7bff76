"""Many orders invoiced with one block of numbers (I2, I3).

The block is taken from the series in one write, together with the batch, which says for good which number is whose. Each
order is then invoiced in a transaction of its own. Whatever fails, the batch is finished later, by whoever comes: every
number ends as the invoice of its order or, when that cannot be invoiced any more, as a `SpoiledNumber`.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime

from remit.domain.actor import Actor
from remit.domain.invoices import NumberSeries, ReservedNumber, number_text

MAX_BATCH = 300
"""Orders in one batch: what one request finishes in its time. For more, send more batches, also at the same time."""


@dataclass(frozen=True, slots=True)
class BatchLine:
    """What becomes of one order.

    `reserved`: the number in the series that it was given, None when it could not be invoiced from the start. `number`: of
    its invoice, once there is one; another than the reserved one when somebody had invoiced it otherwise. `refusal`: the
    code of why there is none, with `detail`.
    """

    account_id: str
    order_id: str
    reserved: int | None = None
    number: str | None = None
    refusal: str | None = None
    detail: str | None = None

    @property
    def is_settled(self) -> bool:
        return self.number is not None or self.refusal is not None

    def invoiced(self, number: str) -> "BatchLine":
        return replace(self, number=number)

    def refused(self, code: str, detail: str) -> "BatchLine":
        return replace(self, refusal=code, detail=detail)


@dataclass(frozen=True, slots=True)
class InvoiceBatch:
    """A batch with its block of `series`: all its invoices are dated `issued_on`, whenever they are written."""

    id: str
    series: str
    issued_on: date
    reserved_at: datetime
    actor: Actor
    lines: tuple[BatchLine, ...]
    finished_at: datetime | None = None
    version: int = 0

    @property
    def numbers(self) -> range:
        """The numbers of the series that it took."""
        reserved = [line.reserved for line in self.lines if line.reserved is not None]
        return range(min(reserved), max(reserved) + 1) if reserved else range(0)

    def spoiled_number(self, line: BatchLine) -> str | None:
        """The number that was taken for the line and never became its invoice; None while that is not settled."""
        if line.reserved is None or not line.is_settled:
            return None
        taken = number_text(self.series, line.reserved)
        return taken if taken != line.number else None

    def number_of(self, line: BatchLine) -> ReservedNumber:
        return ReservedNumber(self.series, line.reserved or 0, self.issued_on)


def reserve(
    id: str, lines: tuple[BatchLine, ...], series: NumberSeries, today: date, now: datetime, actor: Actor
) -> tuple[InvoiceBatch, NumberSeries]:
    """Give every line that is not settled yet the next number, in the order given; the batch and the counter after it.

    The counter stays where it is when there is nothing to number.
    """
    waiting = [place for place, line in enumerate(lines) if not line.is_settled]
    advanced = series.advanced(len(waiting), today) if waiting else series
    numbered = list(lines)
    for offset, place in enumerate(waiting, 1):
        numbered[place] = replace(lines[place], reserved=series.last + offset)
    issued_on = advanced.last_issued_on if waiting and advanced.last_issued_on else today
    finished_at = None if waiting else now
    return InvoiceBatch(id, series.name, issued_on, now, actor, tuple(numbered), finished_at), advanced
