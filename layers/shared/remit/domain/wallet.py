"""The prepaid wallet: what is charged to it, and how far (A4, A5, W1–W3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from remit.domain.accounts import Account, AutoTopUp, PaymentMode
from remit.domain.errors import RuleError
from remit.domain.journal import Balance
from remit.domain.orders import PricedLines


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


def limit_of(limits: Mapping[str, int], currency: str) -> int:
    return limits.get(currency, 0)


def require_credit(account: Account, balance: Balance, amount_minor: int, today: date) -> None:
    """`RuleError` when a new charge would exceed what the account may owe (A5).

    Postpaid: open + unbilled + the charge ≤ limit, where one is set. Prepaid: the charge ≤ wallet + limit.
    """
    if account.mode_on(today) is PaymentMode.PREPAID:
        draw(balance, amount_minor, limit_of(account.credit_limits, balance.currency))
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
