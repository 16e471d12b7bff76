"""Give money back for available credit (R1, R4, R5)."""

from dataclasses import dataclass

from remit.domain.firm import Firm
from remit.domain.money import Money
from remit.domain.operation import Lot, Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import (
    Refund,
    RefundStatus,
    from_lots,
    refundable_of_lot,
    require_available_credit,
    require_manual,
)
from remit.domain.terms import Method
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref, balance_ref, lot_ref
from remit.usecases.refunding import request_refund

MAX_LOTS = 80
"""Lots that one refund may consume, in one atomic write."""


@dataclass(frozen=True, slots=True)
class CreditRefundWish:
    """How much to pay out by which method."""

    account_id: str
    amount: Money
    method: Method
    reason: str


def refund_credit(wish: CreditRefundWish, request: Request[Refund], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Pay out available credit by hand, oldest refundable lots first.

    `RuleError` `method_not_allowed` for a card (R4), `no_available_credit` at a balance of 0 or more (R5), and
    `refund_exceeds_credit` for more than −balance or than what is refundable of it, each with what would be allowed.
    """
    now = clock.now()
    refund_id = ids.new("ref")
    require_manual(wish.method)

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        currency, wanted = wish.amount.currency, wish.amount.amount_minor
        loaded = books.load(account_ref(wish.account_id), balance_ref(wish.account_id, currency))
        account = need_account(loaded, wish.account_id)
        balance = balance_or_new(loaded, account.id, currency)
        refs = [lot_ref(account.id, lot) for lot in balance.lots[:MAX_LOTS]]
        found = books.load(*refs) if refs else loaded
        lots: list[Lot] = [need(found, ref) for ref in refs]
        today = firm.today(now)
        require_available_credit(wanted, balance.balance_minor, sum(refundable_of_lot(lot, today) for lot in lots))
        refund = Refund(
            id=refund_id,
            account_id=account.id,
            currency=currency,
            amount_minor=wanted,
            method=wish.method,
            cash_account=str(wish.method),
            sources=from_lots(lots, wanted, today),
            status=RefundStatus.ON_HOLD,
            requested_on=firm.gateway_day(now),
            requested_at=now,
            requested_by=request.actor,
            reason=wish.reason,
        )
        operation = Operation(balance, Circumstances(today, now, request.actor, wish.reason))
        operation.hold(*lots)
        refund = request_refund(operation, refund, firm, of_total_minor=wanted)
        return operation.changes(), refund

    return once(books, request, now, decide)
