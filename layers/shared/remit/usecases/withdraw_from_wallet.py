"""Give a customer paid balance of the wallet back (W3)."""

from dataclasses import dataclass

from remit.domain import posting_rules
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.money import Money
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund
from remit.domain.terms import Method
from remit.domain.wallet import withdrawal
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import account_and_balance
from remit.usecases.ports import Books, Changes, Clock, Ids


@dataclass(frozen=True, slots=True)
class WithdrawalWish:
    """How much of the paid balance is paid out, by which manual method, and why."""

    account_id: str
    amount: Money
    method: Method
    reason: str


def withdraw_from_wallet(
    wish: WithdrawalWish, request: Request[Refund], firm: Firm, books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Record that paid balance was paid out: requested and succeeded in one, since a person hands the money over.

    `NotFoundError` for an unknown account, `InvalidError` for a method that is not manual, `RuleError` for more than was
    paid for, and for more than one person may give back alone.
    """
    now = clock.now()
    refund_id = ids.new("rfd")

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        _, balance = account_and_balance(books, wish.account_id, wish.amount.currency, firm)
        day = firm.gateway_day(now)
        refund = withdrawal(refund_id, balance, wish.amount.amount_minor, wish.method, wish.reason, request.actor, day, now)
        require_one_person_may(refund, firm)
        operation = Operation(balance, Circumstances(firm.today(now), now, request.actor, wish.reason))
        operation.create(refund)
        operation.post(posting_rules.refund_requested, refund)
        operation.change(operation.get(Refund, refund_id))  # the second entry is about it too
        operation.post_plain(posting_rules.refund_succeeded, refund)
        return operation.changes(), operation.get(Refund, refund_id)

    return once(books, request, now, decide)


def require_one_person_may(refund: Refund, firm: Firm) -> None:
    """`RuleError` `withdrawal_above_limit` for more than the firm lets one person give back alone (R10)."""
    limit = firm.money.refund_limits.get(refund.currency)
    if limit is not None and refund.amount_minor > limit:
        raise RuleError(
            "withdrawal_above_limit",
            f"One person may give back {limit} alone, not {refund.amount_minor}.",
            limit_minor=limit,
        )
