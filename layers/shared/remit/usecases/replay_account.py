"""Prove an account from its entries alone (L6, L7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

from remit.domain.errors import NotFoundError
from remit.domain.journal import Balance, JournalEntry, amounts_by_document, replay
from remit.usecases.ports import Books, Journal, Ref, credit_ref, open_item_ref, payment_ref

_FIGURES = ("receivable_minor", "credit_minor", "wallet_minor", "granted_minor", "held_minor", "sequence", "last_hash")
_BY_DOCUMENT = ("receivable", "credit")
"""The customer's accounts that are kept by invoice and by lot; the others are one figure each."""


@dataclass(frozen=True, slots=True)
class Replay:
    """`differences` says in a sentence each what the entries do not explain; empty when all is proved."""

    account_id: str
    entries: int
    documents: int
    differences: tuple[str, ...]


def replay_account(account_id: str, books: Books, journal: Journal) -> Replay:
    """Recompute every balance and the open amount of every document of the account, and compare.

    Entries written while this runs are left out by reading only up to the balance's own sequence.
    `NotFoundError` for an unknown account.
    """
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    differences: list[str] = []
    count = documents = 0
    for balance in balances:
        entries = [entry for entry in journal.entries(account_id, balance.currency) if entry.sequence <= balance.sequence]
        count += len(entries)
        differences += _compare_balance(balance, entries)
        expected = {key: amount for key, amount in amounts_by_document(entries).items() if key[0] in _BY_DOCUMENT}
        documents += len(expected)
        differences += _compare_documents(account_id, balance, expected, books, journal)
    return Replay(account_id, count, documents, tuple(differences))


def _compare_balance(balance: Balance, entries: Sequence[JournalEntry]) -> list[str]:
    replayed, faults = replay(balance.account_id, balance.currency, entries)
    return [f"{balance.currency}: {fault}" for fault in faults] + [
        f"{balance.currency}: {figure} is {getattr(balance, figure)}, its entries say {getattr(replayed, figure)}"
        for figure in _FIGURES
        if getattr(balance, figure) != getattr(replayed, figure)
    ]


def _compare_documents(
    account_id: str, balance: Balance, expected: dict[tuple[str, str], int], books: Books, journal: Journal
) -> Iterator[str]:
    """Compare in requests of 100. A difference counts only if no newer entry came meanwhile."""
    for chunk in batched(sorted(expected), 100, strict=False):
        refs = {(account, document): _document_ref(account_id, account, document) for account, document in chunk}
        loaded = books.load(*refs.values())
        for key, ref in refs.items():
            stored = loaded.get(ref)
            amount = getattr(stored, "unapplied_minor", getattr(stored, "open_minor", None))
            if amount != expected[key] and not _moved_on(account_id, balance, journal):
                yield f"{balance.currency}: {key[1]} has {amount} open, its entries say {expected[key]}"


def _moved_on(account_id: str, balance: Balance, journal: Journal) -> bool:
    return next(iter(journal.entries(account_id, balance.currency, after=balance.sequence, limit=1)), None) is not None


def _document_ref(account_id: str, account: str, document: str) -> Ref[object]:
    """Receivable is open on invoices; credit lies in the lot that brought it: a payment or a credit."""
    if account == "receivable":
        return open_item_ref(account_id, document)
    return payment_ref(account_id, document) if document.startswith("pay_") else credit_ref(account_id, document)
