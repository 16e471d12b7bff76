"""The figures of an account, each of them a sum over its entries (A2, L5).

The two views of one account are sums like any other: *Income* is what it was billed, less what was taken back, without
money moving; *Cashflow* is the money that came in, less what went out or is withheld. Every entry balances, so what it
does to the customer's own accounts is what it does to the rest, and

    balance = receivable − credit − wallet − granted = income − cashflow

holds after each entry (A2).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from remit.domain.journal import CASH_SIDE, EntryDraft, Posting, Side


class Figure(StrEnum):
    """The figures of an account that can be explained.

    `BALANCE` = receivable − credit − wallet − granted; `PREPAID` = wallet + granted: what the wallet holds, paid for or
    given. `INCOME` and `CASHFLOW` are the two views of the account.
    """

    BALANCE = "balance"
    RECEIVABLE = "receivable"
    CREDIT = "credit"
    WALLET = "wallet"
    GRANTED = "granted"
    PREPAID = "prepaid"
    HELD = "held"
    INCOME = "income"
    CASHFLOW = "cashflow"


_OWN = ("receivable", "credit", "wallet", "granted")
"""The customer's own accounts of the chart. What is `held` is cash that the gateway withholds."""


def _is_cash(posting: Posting) -> bool:
    return posting.account.startswith(CASH_SIDE)


def _is_income(posting: Posting) -> bool:
    return not (posting.account in _OWN or _is_cash(posting))


_SUMS: Mapping[Figure, tuple[Callable[[Posting], bool], Side]] = {
    Figure.BALANCE: (lambda posting: posting.account in _OWN, Side.DEBIT),
    Figure.RECEIVABLE: (lambda posting: posting.account == "receivable", Side.DEBIT),
    Figure.CREDIT: (lambda posting: posting.account == "credit", Side.CREDIT),
    Figure.WALLET: (lambda posting: posting.account == "wallet", Side.CREDIT),
    Figure.GRANTED: (lambda posting: posting.account == "granted", Side.CREDIT),
    Figure.PREPAID: (lambda posting: posting.account in ("wallet", "granted"), Side.CREDIT),
    Figure.HELD: (lambda posting: posting.account == "held", Side.CREDIT),
    Figure.INCOME: (_is_income, Side.CREDIT),
    Figure.CASHFLOW: (_is_cash, Side.DEBIT),
}
"""Figure → which postings it sums, and the side on which it grows."""


def change_of(draft: EntryDraft, figure: Figure, document_id: str | None = None) -> int:
    """By how much an entry moves a figure, in minor units; with `document_id` only by its postings about that document.

    EUR 121.00 paid by bank within a 2 % discount, 118.58: cashflow +11858, income −242, balance −12100.
    """
    belongs, grows_on = _SUMS[figure]
    return sum(
        posting.amount_minor if posting.side is grows_on else -posting.amount_minor
        for posting in draft.postings
        if belongs(posting) and document_id in (None, posting.document_id)
    )
