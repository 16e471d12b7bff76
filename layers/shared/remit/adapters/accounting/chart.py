"""Remit's accounts as account names of plain-text accounting, valid in beancount and in hledger alike.

| chart | ledger account |
|---|---|
| `receivable` of a customer | `Assets:Receivable:Acc-01jdx…` |
| `credit`, `wallet`, `granted`, `held` of a customer | `Liabilities:Credit:Acc-01jdx…`, … |
| `cash:bank_transfer` | `Assets:Cash:Bank-transfer` |
| `revenue:services` | `Income:Services` |
| `tax:VAT21` | `Liabilities:Tax:VAT21` |
| `deposits`, `top_ups`, `refunds_in_transit` | `Liabilities:Deposits`, `Liabilities:Top-ups`, `Liabilities:Refunds-in-transit` |
| `late_fees` | `Income:Late-payment:Charges` |
| `disputes` | `Assets:Disputes` |
| `goodwill`, `discounts`, `bad_debt`, `gateway_fees` | `Expenses:Goodwill`, `Expenses:Discounts`, … |

Deposits and top-ups are owed to customers until they are earned; money in a dispute is claimed back from the gateway.

A name depends on nothing but the account itself: the same in every export, whatever else is in it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from remit.domain.errors import LedgerBrokenError
from remit.usecases.export_figures import LedgerAccount, Movement

_ROOTS = {
    "receivable": "Assets:Receivable",
    "credit": "Liabilities:Credit",
    "wallet": "Liabilities:Wallet",
    "granted": "Liabilities:Granted",
    "held": "Liabilities:Held",
    "cash": "Assets:Cash",
    "tax": "Liabilities:Tax",
    "revenue": "Income",
    "deposits": "Liabilities:Deposits",
    "top_ups": "Liabilities:Top-ups",
    "refunds_in_transit": "Liabilities:Refunds-in-transit",
    "late_fees": "Income:Late-payment:Charges",
    "disputes": "Assets:Disputes",
    "goodwill": "Expenses:Goodwill",
    "discounts": "Expenses:Discounts",
    "bad_debt": "Expenses:Bad-debt",
    "gateway_fees": "Expenses:Gateway-fees",
}
OPENING_EQUITY = "Equity:Opening-Balances"
BALANCE_SHEET = ("Assets:", "Liabilities:")
"""Roots of the accounts that carry their balance into the next period."""

_LOWER = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_UPPER = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*")


@lru_cache(maxsize=65_536)
def ledger_name(account: LedgerAccount) -> str:
    """The account's name in the ledger files; `LedgerBrokenError` for one that is not mapped: it is never guessed (X3)."""
    kind, _, detail = account.account.partition(":")
    root = _ROOTS.get(kind)
    if root is None:
        raise LedgerBrokenError("unmapped_account", f"{account.account} has no place in the exported chart.")
    return ":".join([root, *(component(part) for part in (detail, account.owner) if part)])


def component(text: str) -> str:
    """One part of an account's name. Two different texts never share one.

    Lower-case ids and categories are capitalised and upper-case codes stay; anything else keeps what is readable
    of it and gets a part of its hash after `--`, which the others never contain.

    >>> component("acc_01jdx"), component("bank_transfer"), component("VAT21")
    ('Acc-01jdx', 'Bank-transfer', 'VAT21')
    >>> component("gift cards: 5 €")
    'Gift-cards-5--757fa79240fc'
    """
    if _LOWER.fullmatch(text):
        return (text[0].upper() + text[1:]).replace("_", "-")
    # "V1" is what "v1" became above, so it must not stay as it is.
    if _UPPER.fullmatch(text) and not _LOWER.fullmatch(text[0].lower() + text[1:]):
        return text.replace("_", "-")
    readable = re.sub(r"[^0-9A-Za-z]+", "-", text).strip("-")[:40].strip("-") or "X"
    return f"{readable[0].upper()}{readable[1:]}--{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"


def opening_lines(opening: Mapping[LedgerAccount, Movement]) -> Iterator[tuple[str, str, int]]:
    """(ledger account, currency, amount) of the opening transaction: what the balance sheet brings forward.

    What was earned before the period stands against it as equity, one line a currency. After an unpaid invoice of
    EUR 121.00 (VAT 21.00): receivable 12100, VAT −2100, equity −10000.
    """
    equity_minor: dict[str, int] = {}
    for account, movement in opening.items():
        name = ledger_name(account)
        if name.startswith(BALANCE_SHEET) and movement.opening_minor:
            yield name, account.currency, movement.opening_minor
            equity_minor[account.currency] = equity_minor.get(account.currency, 0) - movement.opening_minor
    for currency, amount_minor in sorted(equity_minor.items()):
        if amount_minor:
            yield OPENING_EQUITY, currency, amount_minor


def closing_lines(movements: Mapping[LedgerAccount, Movement]) -> Iterator[tuple[str, str, int]]:
    """(ledger account, currency, balance) of every balance-sheet account that the files mention."""
    for account, movement in movements.items():
        name = ledger_name(account)
        if name.startswith(BALANCE_SHEET) and (movement.opening_minor or movement.debits_minor or movement.credits_minor):
            yield name, account.currency, movement.closing_minor
