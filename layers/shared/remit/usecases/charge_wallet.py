"""Charge usage to a customer's wallet (W1, A5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.domain import posting_rules
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.orders import LineRequest, price
from remit.domain.posting_rules import Circumstances
from remit.domain.wallet import WalletCharge, draw, wallet_limit
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import account_and_balance
from remit.usecases.ports import Books, Changes, Clock, Ids


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used. `currency` None means the account's own."""

    account_id: str
    description: str
    lines: Sequence[LineRequest]
    currency: str | None = None
    prices_include_tax: bool = False


def charge_wallet(usage: Usage, request: Request[WalletCharge], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Price and tax the usage, and take it from the wallet: what was given first, then what was paid for.

    `NotFoundError` for an unknown account, `InvalidError` for lines that cannot be billed, `RuleError` `wallet_too_low` when
    the wallet would fall below −limit, and `nothing_to_charge` for a total of zero.
    """
    now = clock.now()
    charge_id = ids.new("chg")

    def decide(consistent: bool) -> tuple[Changes, WalletCharge]:
        account, balance = account_and_balance(books, usage.account_id, usage.currency, firm)
        priced = price(usage.lines, balance.currency, firm, prices_include_tax=usage.prices_include_tax)
        today = firm.today(now)
        charge = WalletCharge(charge_id, account.id, priced, today, now, usage.description)
        if charge.amount_minor == 0:
            raise RuleError("nothing_to_charge", "The total is zero, so there is nothing to charge.")
        drawn = draw(balance, charge.amount_minor, wallet_limit(account, balance.currency, today))
        operation = Operation(balance, Circumstances(today, now, request.actor, usage.description))
        operation.create(charge)
        operation.post_plain(posting_rules.wallet_charged, charge, drawn)
        return operation.changes(), operation.get(WalletCharge, charge_id)

    return once(books, request, now, decide)
