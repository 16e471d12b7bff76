"""Revert a payment received by hand that came to nothing: a bounced check, a transfer called back (P8)."""

from dataclasses import dataclass, replace
from datetime import date

from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.payments import Payment, PaymentStatus, Transaction
from remit.domain.posting_rules import Circumstances
from remit.domain.terms import Method
from remit.usecases.apply_gateway_report import post_reversal, touched_items
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, payment_ref

BY_HAND = frozenset(map(str, Method))
"""Where the money of payments recorded by hand went: an account of cash per method, none of a gateway."""


@dataclass(frozen=True, slots=True)
class Reversal:
    """`on` is the day on which the money was gone again."""

    account_id: str
    payment_id: str
    on: date
    reason: str


def reverse_payment(wish: Reversal, request: Request[Payment], firm: Firm, books: Books, clock: Clock) -> Answer:
    """What the payment had paid is open again, and what was unapplied or in the wallet is gone; one entry.

    `RuleError`: `payment_not_reversible` unless it has succeeded; `reversed_by_gateway` for a gateway's payment, which only the
    gateway takes back. `InvalidError` for a day before the money came, or to come.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        ref = payment_ref(wish.account_id, wish.payment_id)
        known = need(books.load(ref), ref)
        _require_reversible(known, wish, firm.today(now))
        loaded = books.load(balance_ref(wish.account_id, known.currency))
        why = Circumstances(wish.on, now, request.actor, wish.reason)
        operation = Operation(balance_or_new(loaded, wish.account_id, known.currency), why)
        operation.hold(known, *touched_items(known, loaded, books).values())
        gone = Transaction(now, "reversal", known.id, known.amount_minor, wish.reason)
        operation.change(replace(known, transactions=tuple(sorted((*known.transactions, gone)))))
        post_reversal(operation, known.id)
        return operation.changes(), operation.get(Payment, known.id)

    return once(books, request, now, decide)


def _require_reversible(payment: Payment, wish: Reversal, today: date) -> None:
    if payment.cash_account not in BY_HAND:
        raise RuleError(
            "reversed_by_gateway",
            "The gateway says when a payment of it goes back. Refund the payment to give money back.",
            refundable_minor=payment.refundable_minor,
        )
    if payment.status is not PaymentStatus.SUCCEEDED:
        raise RuleError(
            "payment_not_reversible", f"The payment is {payment.status}; there is nothing to revert.", status=str(payment.status)
        )
    if payment.value_date and not payment.value_date <= wish.on <= today:
        raise InvalidError(
            "bad_reversal_date",
            "Money goes back between the day it came and today.",
            earliest=payment.value_date.isoformat(),
            latest=today.isoformat(),
        )
