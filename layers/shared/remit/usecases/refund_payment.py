"""Give money of a received payment back (R1, R2, R8)."""

from dataclasses import dataclass

from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.payments import Payment
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import (
    Refund,
    RefundSource,
    RefundStatus,
    from_receipt,
    method_back,
    pays_out_through,
    refundable_of_receipt,
)
from remit.domain.terms import Method
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, Ids, balance_ref, open_item_ref, payment_ref
from remit.usecases.refunding import hold_all, request_refund


@dataclass(frozen=True, slots=True)
class RefundWish:
    """`method` None: the way the money came."""

    account_id: str
    payment_id: str
    amount_minor: int
    reason: str
    method: Method | None = None


def refund_payment(wish: RefundWish, request: Request[Refund], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Refund a receipt without canceling anything: what is unapplied of it goes first, then what it had paid is open again (R8).

    Σ refunds of a payment never exceed what it captured, whoever refunds at the same moment: each one is a new version of the
    payment (R2). `RuleError` `refund_exceeds_captured` with what is refundable: less than was captured while a dispute
    withholds money, after other refunds, or when its money pays nothing any more.
    """
    now = clock.now()
    refund_id = ids.new("ref")

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        found = books.load(payment_ref(wish.account_id, wish.payment_id))
        payment = need(found, payment_ref(wish.account_id, wish.payment_id))
        items = [open_item_ref(wish.account_id, allocation.invoice_id) for allocation in payment.allocations]
        loaded = books.load(balance_ref(wish.account_id, payment.currency), *items)
        balance = balance_or_new(loaded, wish.account_id, payment.currency)
        _require_refundable(payment, wish.amount_minor, balance.wallet_minor)
        sources = from_receipt(payment, wish.amount_minor, balance.wallet_minor)
        operation = Operation(balance, Circumstances(firm.today(now), now, request.actor, wish.reason))
        operation.hold(payment)
        hold_all(operation, loaded, items)
        method = method_back(payment, wish.method)
        refund = refund_through(refund_id, payment, method, wish.amount_minor, sources, operation, firm)
        refund = request_refund(operation, refund, firm, of_total_minor=wish.amount_minor)
        return operation.changes(), refund

    return once(books, request, now, decide)


def _require_refundable(payment: Payment, amount_minor: int, wallet_minor: int) -> None:
    refundable = refundable_of_receipt(payment, wallet_minor)
    if amount_minor > refundable:
        raise RuleError(
            "refund_exceeds_captured",
            f"Of payment {payment.id}, {refundable} can still be refunded, not {amount_minor}.",
            payment_id=payment.id,
            refundable_minor=refundable,
            captured_minor=payment.captured_minor,
            refunded_minor=payment.refunded_minor,
            disputed_minor=payment.disputed_minor,
        )


def refund_through(
    refund_id: str,
    payment: Payment,
    method: Method,
    amount_minor: int,
    sources: tuple[RefundSource, ...],
    operation: Operation,
    firm: Firm,
    credit_note_id: str | None = None,
) -> Refund:
    """A refund of a payment's money, before it is requested."""
    why = operation.why
    return Refund(
        id=refund_id,
        account_id=payment.account_id,
        currency=payment.currency,
        amount_minor=amount_minor,
        method=method,
        cash_account=pays_out_through(payment, method),
        sources=sources,
        status=RefundStatus.ON_HOLD,
        requested_on=firm.gateway_day(why.recorded_at),
        requested_at=why.recorded_at,
        requested_by=why.actor,
        reason=why.reason or "",
        payment_id=payment.id,
        credit_note_id=credit_note_id,
    )
