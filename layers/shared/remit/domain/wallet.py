"""The prepaid wallet: what is charged to it, and how far (A4, A5, W1–W3)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from remit.domain.accounts import Account, AutoTopUp, PaymentMode
from remit.domain.actor import Actor
from remit.domain.errors import InvalidError, RuleError
from remit.domain.journal import Balance
from remit.domain.money import Money
from remit.domain.orders import NOT_A_SUPPLY, Line, Order, OrderKind, PricedLines, priced_lines
from remit.domain.refunds import Refund, RefundFrom, RefundSource, RefundStatus
from remit.domain.terms import Due, DueRule, Method, PaymentTerm


@dataclass(frozen=True, slots=True)
class WalletCharge:
    """Usage that was taken from the wallet, priced and taxed like an order; immutable (W1)."""

    id: str
    account_id: str
    priced: PricedLines
    charged_on: date
    charged_at: datetime
    description: str
    entries: tuple[int, ...] = ()

    @property
    def currency(self) -> str:
        return self.priced.currency

    @property
    def net_minor(self) -> int:
        return self.priced.totals.net_minor

    @property
    def amount_minor(self) -> int:
        return self.priced.totals.gross_minor


@dataclass(frozen=True, slots=True)
class Draw:
    """What a charge takes from the wallet: balance that was given first, so that what was paid stays withdrawable."""

    granted_minor: int
    wallet_minor: int


def draw(balance: Balance, amount_minor: int, limit_minor: int) -> Draw:
    """How the wallet pays `amount_minor`; `RuleError` when it would fall below −limit (W1, A5).

    Given 5.00, paid 10.00, limit 3.00: a charge of 17.00 takes 5.00 and 12.00 and leaves −2.00; 18.01 is refused.
    """
    available = balance.prepaid_minor + limit_minor
    if amount_minor > available:
        raise RuleError(
            "wallet_too_low",
            f"The wallet can be charged {max(0, available)}, not {amount_minor}.",
            available_minor=max(0, available),
            wallet_minor=balance.prepaid_minor,
            limit_minor=limit_minor,
        )
    granted = min(balance.granted_minor, amount_minor)
    return Draw(granted, amount_minor - granted)


def withdrawable(balance: Balance) -> int:
    """What the customer may take back: the paid balance, not what was given and not the limit (W3)."""
    return max(0, balance.wallet_minor)


BY_HAND = (Method.BANK_TRANSFER, Method.CASH, Method.CHECK, Method.OTHER)
"""How a withdrawal is paid out: by a person, so never back to a card (R4)."""


def withdrawal(
    refund_id: str, balance: Balance, amount_minor: int, method: Method, reason: str, actor: Actor, day: date, now: datetime
) -> Refund:
    """Paid balance to be given back by hand; `RuleError` for more than is `withdrawable` (W3).

    Paid 12.00, given 5.00, limit 10.00: 12.00 can be withdrawn.
    """
    if method not in BY_HAND:
        raise InvalidError(
            "method_not_manual", f"A withdrawal is not paid out by {method}.", methods=[str(each) for each in BY_HAND]
        )
    most = withdrawable(balance)
    if amount_minor > most:
        raise RuleError(
            "withdrawal_exceeds_paid_balance",
            f"{most} of the wallet was paid for and can be withdrawn, not {amount_minor}.",
            withdrawable_minor=most,
            given_minor=balance.granted_minor,
        )
    return Refund(
        id=refund_id,
        account_id=balance.account_id,
        currency=balance.currency,
        amount_minor=amount_minor,
        method=method,
        cash_account=str(method),
        sources=(RefundSource(RefundFrom.WALLET, refund_id, amount_minor),),
        status=RefundStatus.ON_HOLD,
        requested_on=day,
        requested_at=now,
        requested_by=actor,
        reason=reason,
    )


def wallet_limit(account: Account, currency: str, day: date) -> int:
    """How far below zero the wallet may be charged on a day: the credit limit of a prepaid account. That of a postpaid one is
    about what it owes on invoices, so its wallet gives what is in it and no more (A5)."""
    return account.credit_limits.get(currency, 0) if account.mode_on(day) is PaymentMode.PREPAID else 0


def require_credit(account: Account, balance: Balance, amount_minor: int, today: date) -> None:
    """`RuleError` when an order for `amount_minor` would exceed what the account may owe (A5).

    Postpaid: open + unbilled + the order ≤ limit, where one is set. Prepaid: unbilled + the order ≤ wallet + limit. So
    orders that wait for their invoice count, and no two are accepted for the same balance. Of a prepaid account's wallet they
    hold nothing back, though: usage may be charged first, and then it is the invoice that is refused until the
    wallet is topped up.
    """
    if account.mode_on(today) is PaymentMode.PREPAID:
        _require_prepaid(balance, amount_minor, wallet_limit(account, balance.currency, today))
        return
    limit = account.credit_limits.get(balance.currency)
    owed = balance.receivable_minor + balance.unbilled_minor
    if limit is not None and owed + amount_minor > limit:
        raise RuleError(
            "credit_limit_exceeded",
            f"The account may owe {limit} and owes {owed}; {amount_minor} more is too much.",
            limit_minor=limit,
            owed_minor=owed,
            available_minor=max(0, limit - owed),
        )


def _require_prepaid(balance: Balance, amount_minor: int, limit_minor: int) -> None:
    available = max(0, balance.prepaid_minor + limit_minor - balance.unbilled_minor)
    if amount_minor > available:
        raise RuleError(
            "wallet_too_low",
            f"The wallet can pay for {available} beside what is ordered already, not {amount_minor}.",
            available_minor=available,
            wallet_minor=balance.prepaid_minor,
            limit_minor=limit_minor,
            unbilled_minor=balance.unbilled_minor,
        )


TOP_UP_TERM = PaymentTerm.single("top_up", "Due on receipt", Due(DueRule.ON_RECEIPT))
"""Top-ups are asked for at once, in one part and without a discount, whatever the firm's terms are."""


def top_up_order(order_id: str, account: Account, amount: Money, now: datetime) -> Order:
    """An order of prepaid balance: one line, outside the scope of tax until it is used (W1)."""
    line = Line("Prepaid balance", Decimal(1), amount.amount_minor, amount.amount_minor, NOT_A_SUPPLY, "top_up")
    priced = priced_lines([line], amount.currency, prices_include_tax=False)
    return Order(order_id, account.id, priced, TOP_UP_TERM, now, kind=OrderKind.TOP_UP, methods=account.methods)


def top_up_due(balance: Balance, wanted: AutoTopUp, pending_minor: int, today: date) -> int:
    """How much to top up now: a whole multiple of the amount that lifts the wallet above the threshold; 0 for nothing (W2).

    `pending_minor` is what is asked for and not paid yet. `RuleError` `top_up_cap_reached` when the day's cap forbids it.

    Threshold 10.00, amount 20.00, wallet −35.00: 60.00 (three times the amount leaves 25.00).
    """
    covered = balance.prepaid_minor + pending_minor
    if covered > wanted.threshold_minor:
        return 0
    times = (wanted.threshold_minor - covered) // wanted.amount_minor + 1
    due = times * wanted.amount_minor
    so_far = balance.top_up.day_minor if balance.top_up.day == today else 0
    if so_far + due > wanted.daily_cap_minor:
        raise RuleError(
            "top_up_cap_reached",
            f"{so_far} of {wanted.daily_cap_minor} was topped up today; {due} more is above the cap.",
            daily_cap_minor=wanted.daily_cap_minor,
            topped_up_minor=so_far,
        )
    return due
