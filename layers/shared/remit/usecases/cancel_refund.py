"""Cancel a refund before the processor has it, or reject one that waits for approval (R7, R10)."""

from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, refund_ref
from remit.usecases.refunding import give_back, hold_all, refs_of


def cancel_refund(
    account_id: str, refund_id: str, reason: str | None, request: Request[Refund], firm: Firm, books: Books, clock: Clock
) -> Answer:
    """Put back what the refund had reserved.

    `RuleError` `refund_not_cancelable` when the processor has taken it or its day is over in the gateway's zone. A race with
    handing it over is decided by the refund's version: one of the two finds it changed.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        known = need(books.load(refund_ref(account_id, refund_id)), refund_ref(account_id, refund_id))
        canceled = known.cancel(firm.gateway_day(now))
        refs = refs_of(known)
        loaded = books.load(balance_ref(account_id, known.currency), *refs)
        why = Circumstances(firm.today(now), now, request.actor, reason or known.reason)
        operation = Operation(balance_or_new(loaded, account_id, known.currency), why)
        operation.hold(known)
        hold_all(operation, loaded, refs)
        operation.change(canceled)
        give_back(operation, refund_id, had_succeeded=False)
        return operation.changes(), operation.get(Refund, refund_id)

    return once(books, request, now, decide)
