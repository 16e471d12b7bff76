"""Ask for a month's export (Q4)."""

from remit.domain.exports import Export
from remit.domain.firm import Firm
from remit.usecases.export_period import resolve_period
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Ids


def request_export(period: str, request: Request[Export], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Record that the month `YYYY-MM` is to be exported; the state machine does it.

    `RuleError` for a month that has not begun.
    """
    now = clock.now()
    month = str(resolve_period(period, firm.today(now)))
    export = Export(ids.new("exp"), month, request.actor, now)

    def decide(consistent: bool) -> tuple[Changes, Export]:
        return [export], export

    return once(books, request, now, decide)
