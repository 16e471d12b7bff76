"""Ask for a month's export (Q4)."""

from remit.domain.exports import Export
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Ids


def request_export(period: str, request: Request[Export], books: Books, clock: Clock, ids: Ids) -> Answer:
    """Record that the month `YYYY-MM` is to be exported; the state machine does it."""
    now = clock.now()
    export = Export(ids.new("exp"), period, request.actor, now)

    def decide(consistent: bool) -> tuple[Changes, Export]:
        return [export], export

    return once(books, request, now, decide)
