"""Reading what must be there, and as it is now."""

from collections.abc import Sequence

from remit.domain.accounts import Account
from remit.domain.errors import NotFoundError, TransientError
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.usecases.ports import Books, Journal, Loaded, Ref, account_ref, balance_ref

_CALLED = {
    "OpenItem": "invoice",
    "CreditNote": "credit note",
    "WalletCharge": "wallet charge",
    "InvoiceBatch": "batch",
    "PlanVersion": "plan version",
    "MailTemplate": "template version",
    "PolicyTrial": "policy trial",
}
"""What callers know a class by, where it is not its name."""


def need[T](loaded: Loaded, ref: Ref[T]) -> T:
    """The thing, or `NotFoundError` with a code such as `invoice_not_found`.

    Everything is looked up within its own account, so another account's invoice is simply not found.
    """
    found = loaded.get(ref)
    if found is None:
        name = _CALLED.get(ref.type.__name__, ref.type.__name__.lower())
        raise NotFoundError(f"{name.replace(' ', '_')}_not_found", f"There is no such {name}.", id=ref.id or ref.owner)
    return found


def need_account(loaded: Loaded, account_id: str) -> Account:
    return need(loaded, account_ref(account_id))


def account_and_balance(books: Books, account_id: str, currency: str | None, firm: Firm) -> tuple[Account, Balance]:
    """The account, and its balance in a currency (None: the account's own): one request, but for an account whose own is not
    the firm's."""
    guess = currency or firm.default_currency
    loaded = books.load(account_ref(account_id), balance_ref(account_id, guess))
    account = need_account(loaded, account_id)
    wanted = currency or account.default_currency
    if wanted != guess:
        loaded = books.load(balance_ref(account_id, wanted))
    return account, balance_or_new(loaded, account_id, wanted)


def balance_or_new(loaded: Loaded, account_id: str, currency: str) -> Balance:
    """The balance, or the zero that an account's first entry in a currency starts from."""
    return loaded.get(balance_ref(account_id, currency)) or Balance(account_id, currency)


def proved_open_items(balance: Balance, journal: Journal) -> Sequence[OpenItem]:
    """The open items of an account in one currency, from the index, proved current by the ledger: Σ open = receivable (L6).

    `TransientError` (`index_behind`) while the index has not caught up with it.
    """
    if balance.receivable_minor == 0:
        return ()
    items = journal.open_items(balance.account_id, balance.currency)
    if sum(item.open_minor for item in items) != balance.receivable_minor:
        raise TransientError("index_behind", "The index of open items has not caught up with the ledger.")
    return items
