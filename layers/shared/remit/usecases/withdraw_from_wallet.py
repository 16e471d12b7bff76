"""Give a customer paid balance of the wallet back (W3)."""

from dataclasses import dataclass

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
from remit.usecases.refunding import request_refund


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
    """Pay paid balance out by hand: requested and succeeded in one, unless it is more than one person may give back alone;
    then the money is reserved until a second person approves (R10).

    `NotFoundError` for an unknown account, `InvalidError` for a method that is not manual, `RuleError` for more than was
    paid for.
    """
    now = clock.now()
    refund_id = ids.new("ref")

    def decide(consistent: bool) -> tuple[Changes, Refund]:
        _, balance = account_and_balance(books, wish.account_id, wish.amount.currency, firm)
        day = firm.gateway_day(now)
        refund = withdrawal(refund_id, balance, wish.amount.amount_minor, wish.method, wish.reason, request.actor, day, now)
        operation = Operation(balance, Circumstances(firm.today(now), now, request.actor, wish.reason))
        made = request_refund(operation, refund, firm, of_total_minor=refund.amount_minor)
        return operation.changes(), made

    return once(books, request, now, decide)
