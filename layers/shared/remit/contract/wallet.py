"""The prepaid wallet as the API speaks of it."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from remit.contract.common import ActorView, Body, Currency, Flag, Id, Page, PositiveMinor, ShortText, View
from remit.contract.invoices import LineBody, LineView, TotalsView, lines_of
from remit.domain.accounts import Account, PaymentMode
from remit.domain.journal import Balance
from remit.domain.money import Money
from remit.domain.orders import MAX_LINES, LineRequest
from remit.domain.refunds import RefundStatus
from remit.domain.terms import Method
from remit.domain.wallet import WalletCharge, wallet_limit, withdrawable
from remit.usecases.charge_wallet import Usage
from remit.usecases.withdraw_from_wallet import WithdrawalWish


class TopUpBody(Body):
    """A top-up invoice, due at once; what is paid of it reaches the wallet."""

    amount_minor: PositiveMinor
    currency: Currency

    def to_domain(self) -> Money:
        return Money(self.amount_minor, self.currency)


class UsageBody(Body):
    """What was used, priced and taxed like an order. `currency`: the account's own, unless named."""

    description: ShortText
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MAX_LINES)]
    currency: Currency | None = None
    prices_include_tax: Flag = False

    def to_domain(self, account_id: str) -> Usage:
        lines = [LineRequest(**line.model_dump()) for line in self.lines]
        return Usage(account_id, self.description, lines, self.currency, self.prices_include_tax)


class WithdrawalBody(Body):
    """Paid balance that a person pays out by a manual method."""

    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    reason: ShortText

    def to_domain(self, account_id: str) -> WithdrawalWish:
        return WithdrawalWish(account_id, Money(self.amount_minor, self.currency), self.method, self.reason)


class AutomaticTopUpBody(Body):
    """Turn the automatic top-up on again where it stopped, and look at the wallet now."""

    currency: Currency


class WalletChargeView(View):
    id: Id
    account_id: Id
    description: str
    charged_on: date
    charged_at: datetime
    totals: TotalsView
    lines: list[LineView]
    entries: list[str] = Field(description="Ids of its journal entries")

    @classmethod
    def of(cls, charge: WalletCharge) -> "WalletChargeView":
        return cls(
            id=charge.id,
            account_id=charge.account_id,
            description=charge.description,
            charged_on=charge.charged_on,
            charged_at=charge.charged_at,
            totals=TotalsView.of(charge.priced),
            lines=lines_of(charge.priced),
            entries=[f"{charge.account_id}.{charge.priced.currency}.{sequence}" for sequence in charge.entries],
        )


class WalletChargesPage(Page):
    charges: list[WalletChargeView]


class WithdrawalView(View):
    id: Id
    account_id: Id
    currency: str
    amount_minor: int
    method: Method
    status: RefundStatus
    reason: str
    requested_at: datetime
    requested_by: ActorView


class AutomaticTopUpStateView(View):
    """Where the automatic top-up stands: its last invoice, what it asked for on `day`, and why it stopped, if it did."""

    last_invoice: str | None
    day: date | None
    day_minor: int
    stopped: str | None

    @classmethod
    def of(cls, balance: Balance) -> "AutomaticTopUpStateView":
        state = balance.top_up
        return cls(last_invoice=state.pending_invoice, day=state.day, day_minor=state.day_minor, stopped=state.stopped)


class WalletView(View):
    """The wallet in one currency: what it can be charged is `available_minor` = paid + given + limit, and never below 0."""

    currency: str
    mode: PaymentMode = Field(description="The account's payment mode today")
    paid_minor: int = Field(description="Below zero when usage has drawn on the limit")
    given_minor: int
    pending_minor: int = Field(description="What top-up invoices still ask for")
    limit_minor: int = Field(description="How far below zero the wallet may be charged")
    available_minor: int
    withdrawable_minor: int
    automatic_top_up: AutomaticTopUpStateView

    @classmethod
    def of(cls, account: Account, balance: Balance, pending_minor: int, today: date) -> "WalletView":
        limit = wallet_limit(account, balance.currency, today)
        return cls(
            currency=balance.currency,
            mode=account.mode_on(today),
            paid_minor=balance.wallet_minor,
            given_minor=balance.granted_minor,
            pending_minor=pending_minor,
            limit_minor=limit,
            available_minor=max(0, balance.prepaid_minor + limit),
            withdrawable_minor=withdrawable(balance),
            automatic_top_up=AutomaticTopUpStateView.of(balance),
        )
