"""Take in what the gateway says of a refund, ours or one made in its own dashboard (R6, G3)."""

from dataclasses import replace

from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund, RefundFrom, RefundReport, RefundSource, RefundStatus, from_receipt
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, Ref, balance_ref, open_item_ref, payment_ref, refund_ref
from remit.usecases.refund_payment import refund_through
from remit.usecases.refunding import give_back, hold_all, refs_of, reserve, succeed

BY_GATEWAY = "Refunded in the gateway's dashboard"


def apply_refund_report(report: RefundReport, request: Request[Refund], firm: Firm, books: Books, clock: Clock) -> Answer:
    """Merge the report, and post what follows: the money has gone, or it is back where it came from.

    A refund may fail days after it succeeded (R6). Reports may come twice, late and in any order: what is posted depends on
    where the refund stood, and failed outranks all, so the balances come out the same. `NotFoundError` when a refund of
    ours is not known (yet).
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        ref = refund_ref(report.account_id, report.refund_id)
        found = books.load(ref)
        known = need(found, ref) if report.is_ours else found.get(ref)
        why = Circumstances(firm.today(report.occurred_at), now, request.actor)
        if known is None:
            return _book(report, why, firm, books)
        merged = known.with_report(report)
        if merged == known:
            return [], known
        gone = merged.status is RefundStatus.SUCCEEDED and known.status is not RefundStatus.SUCCEEDED
        back = merged.has_returned and not known.has_returned
        if not (gone or back):
            return [merged], merged
        refs = refs_of(known)
        loaded = books.load(balance_ref(known.account_id, known.currency), *refs)
        operation = Operation(balance_or_new(loaded, known.account_id, known.currency), replace(why, reason=merged.failure))
        operation.hold(known)
        hold_all(operation, loaded, refs)
        operation.change(merged)
        if gone:
            succeed(operation, merged.id)
        else:
            give_back(operation, merged.id, had_succeeded=known.status is RefundStatus.SUCCEEDED)
        return operation.changes(), operation.get(Refund, merged.id)

    return once(books, request, now, decide)


def _book(report: RefundReport, why: Circumstances, firm: Firm, books: Books) -> tuple[Changes, Refund]:
    """A refund made without us is a fact: its payment's receipt was refunded (R8). What that has not left is a loss."""
    ref = payment_ref(report.account_id, report.payment_id)
    payment = need(books.load(ref), ref)
    if payment.captured_minor == 0:
        raise NotFoundError("payment_not_arrived", "The refunded payment is not booked yet.", id=payment.id)
    items: list[Ref[object]] = [open_item_ref(payment.account_id, each.invoice_id) for each in payment.allocations]
    loaded = books.load(balance_ref(payment.account_id, payment.currency), *items)
    balance = balance_or_new(loaded, payment.account_id, payment.currency)
    operation = Operation(balance, replace(why, reason=BY_GATEWAY))
    operation.hold(payment)
    hold_all(operation, loaded, items)
    if report.status in (RefundStatus.FAILED, RefundStatus.CANCELED):
        unmade = refund_through(report.refund_id, payment, payment.method, report.amount_minor, (), operation, firm)
        operation.create(_as_reported(unmade, report))
        return operation.changes(), operation.get(Refund, report.refund_id)
    sources = from_receipt(payment, report.amount_minor, balance.wallet_minor)
    lost = report.amount_minor - sum(source.amount_minor for source in sources)
    if lost:
        sources = (*sources, RefundSource(RefundFrom.LOSS, payment.id, lost))
    refund = refund_through(report.refund_id, payment, payment.method, report.amount_minor, sources, operation, firm)
    reserve(operation, _as_reported(refund, report), is_made=True)
    if report.status is RefundStatus.SUCCEEDED:
        succeed(operation, refund.id)
    return operation.changes(), operation.get(Refund, refund.id)


def _as_reported(refund: Refund, report: RefundReport) -> Refund:
    return replace(
        refund,
        status=report.status,
        gateway_id=report.gateway_id,
        reported_at=report.occurred_at,
        failure=report.failure,
    )
