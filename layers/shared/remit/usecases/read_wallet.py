"""What is in a customer's wallet, and on its way there (W1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.domain.accounts import Account
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.orders import OrderKind
from remit.usecases.loading import account_and_balance
from remit.usecases.ports import Books, Journal


@dataclass(frozen=True, slots=True)
class Wallet:
    """The balance of the wallet's currency, and what top-up invoices still ask for."""

    account: Account
    balance: Balance
    pending_minor: int


def read_wallet(account_id: str, currency: str | None, firm: Firm, books: Books, journal: Journal) -> Wallet:
    """The wallet in one currency (None: the account's own). `NotFoundError` for an unknown account."""
    account, balance = account_and_balance(books, account_id, currency, firm)
    items = journal.open_items(account_id, balance.currency) if balance.receivable_minor else ()
    return Wallet(account, balance, pending_top_ups(items))


def pending_top_ups(items: Sequence[OpenItem]) -> int:
    """What the top-up invoices among open items still ask for, made by hand or not."""
    return sum(item.open_minor for item in items if item.kind is OrderKind.TOP_UP)
