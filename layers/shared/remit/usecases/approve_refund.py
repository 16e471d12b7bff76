"""A second person approves a refund above the firm's limit (R10)."""

from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, Ref, balance_ref, payment_ref, refund_ref
from remit.usecases.refunding import hold_all, release


def approve_refund(account_id: str, refund_id: str, request: Request[Refund], firm: Firm, books: Books, clock: Clock) -> Answer:
    """Let the refund go, as if it were asked for now. Rejecting it is canceling it.

    `RuleError` `second_person_required` for whoever asked for it, `refund_not_waiting` when nobody has to approve it.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        waiting = need(books.load(refund_ref(account_id, refund_id)), refund_ref(account_id, refund_id))
        approved = waiting.approve(request.actor, firm.gateway_day(now), None)
        payment: list[Ref[object]] = [payment_ref(account_id, waiting.payment_id)] if waiting.payment_id else []
        loaded = books.load(balance_ref(account_id, waiting.currency), *payment)
        why = Circumstances(firm.today(now), now, request.actor, waiting.reason)
        operation = Operation(balance_or_new(loaded, account_id, waiting.currency), why)
        operation.hold(waiting)
        hold_all(operation, loaded, payment)
        operation.change(approved)
        release(operation, refund_id, firm)
        return operation.changes(), operation.get(Refund, refund_id)

    return once(books, request, now, decide)
