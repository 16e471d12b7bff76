"""Prove an account from its entries alone (L6, L7)."""

from dataclasses import dataclass

from remit.domain.accounts import Account
from remit.domain.audit import Difference, Unreadable
from remit.domain.errors import ConflictError, NotFoundError
from remit.domain.journal import Balance
from remit.usecases.account_proof import AccountProof, Head
from remit.usecases.ports import Journal

ATTEMPTS = 5
"""How often an account is read again because something was posted to it while differences were found."""


@dataclass(frozen=True, slots=True)
class Replay:
    """`differences` is empty when all is proved. `series` names the number series of the account's invoices."""

    account_id: str
    entries: int
    documents: int
    differences: tuple[Difference, ...]
    series: tuple[str, ...]


def replay_account(account_id: str, journal: Journal) -> Replay:
    """Read everything stored of the account, recompute what its entries say, and compare, both ways round.

    It is read in pages, between which others may post: differences count only if every balance stands afterwards where it
    stood before. `NotFoundError` for an unknown account; `ConflictError` if it never came to rest.
    """
    for _ in range(ATTEMPTS):
        proof = AccountProof(account_id)
        for thing in journal.everything(account_id):
            proof.add(thing)
        if proof.is_empty:
            raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
        differences = proof.differences()
        if not differences or _heads(account_id, journal) == proof.heads:
            return Replay(account_id, proof.entries, proof.documents, differences, tuple(sorted(proof.series)))
    raise ConflictError("account_busy", "Entries kept coming while the account was proved. Try again.", id=account_id)


def _heads(account_id: str, journal: Journal) -> frozenset[Head]:
    """Where the balances stand now. They come first of all that is stored, so this reads one page."""
    proof = AccountProof(account_id)
    for thing in journal.everything(account_id):
        if not isinstance(thing, Account | Balance | Unreadable):
            break
        proof.add(thing)
    return proof.heads
