"""The double-entry journal: postings, entries, the chain and balances (L1–L8).

A balance is never set; it moves only by posting an entry, and every entry carries the hash of the one
before it. So the entries of an account and currency explain its balance to the cent, and a changed or
missing one is found.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from remit.domain.actor import Actor
from remit.domain.dunning import DunningState
from remit.domain.errors import LedgerBrokenError

GENESIS = "0" * 64
"""`previous_hash` of the first entry of a chain."""


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class EntryKind(StrEnum):
    """The operations that post, in the words of the events they become."""

    INVOICE_ISSUED = "invoice_issued"
    INVOICE_VOIDED = "invoice_voided"
    INVOICE_WRITTEN_OFF = "invoice_written_off"
    DUE_DATE_MOVED = "due_date_moved"
    PAYMENT_RECEIVED = "payment_received"
    PAYMENT_ALLOCATED = "payment_allocated"
    PAYMENT_REVERTED = "payment_reverted"
    ALLOCATION_REVERSED = "allocation_reversed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    CREDIT_ISSUED = "credit_issued"
    CREDIT_NOTE_ISSUED = "credit_note_issued"
    CREDIT_APPLIED = "credit_applied"
    CREDIT_EXPIRED = "credit_expired"
    REFUND_REQUESTED = "refund_requested"
    REFUND_SUCCEEDED = "refund_succeeded"
    REFUND_RETURNED = "refund_returned"
    WALLET_TOPPED_UP = "wallet_topped_up"
    WALLET_CHARGED = "wallet_charged"


CUSTOMER_ACCOUNTS: dict[str, Side] = {
    "receivable": Side.DEBIT,
    "credit": Side.CREDIT,
    "wallet": Side.CREDIT,
    "granted": Side.CREDIT,
    "held": Side.CREDIT,
}
"""The accounts of the chart kept per customer, with the side on which each one grows.

`wallet` is prepaid with money, `granted` prepaid balance that was given; `held` is the customer's money in dispute."""

CASH_SIDE = ("cash:", "refunds_in_transit", "disputes", "gateway_fees", "held")
"""The accounts of the Cashflow view of an account (A2), by what their names start with; all others are Income, except
the customer's own."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry: `amount_minor` (> 0) on a side of `account`, a name of the chart such as
    `receivable` or `revenue:services`. `document_id` names the invoice, payment or credit it is about. On
    `receivable`, `due_date` is that of the part (None: unscheduled), so that the age of what is owed on any past
    day follows from the entries alone."""

    account: str
    side: Side
    amount_minor: int
    document_id: str | None = None
    due_date: date | None = None


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry as a posting rule makes it: everything but its place in the chain.

    `effective_on` is the business date (firm's zone); `documents` maps a role (`invoice`, `payment`,
    `credit`, `credit_note`, `refund`, `gateway`) to ids. `reverses` is the number of the entry that this one takes back,
    in the same chain (L2). `statuses` says of every invoice whose status it changes: from what ("" for a new one) to
    what. Raises `LedgerBrokenError` unless debits equal credits (L1).
    """

    kind: EntryKind
    account_id: str
    currency: str
    effective_on: date
    recorded_at: datetime
    actor: Actor
    postings: tuple[Posting, ...]
    documents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    order_id: str | None = None
    reason: str | None = None
    reverses: int | None = None
    statuses: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.postings or any(posting.amount_minor <= 0 for posting in self.postings):
            raise LedgerBrokenError("bad_posting", f"{self.kind}: postings are there and above zero.")
        debits = sum(p.amount_minor for p in self.postings if p.side is Side.DEBIT)
        credits = sum(p.amount_minor for p in self.postings if p.side is Side.CREDIT)
        if debits != credits:
            raise LedgerBrokenError("unbalanced_entry", f"{self.kind}: debits {debits} and credits {credits} differ.")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A posted entry: number `sequence` (1, 2, 3…) of its account and currency, linked to the one before."""

    draft: EntryDraft
    sequence: int
    previous_hash: str
    hash: str

    @property
    def id(self) -> str:
        """`<account>.<currency>.<sequence>`: readable, unique, and enough to find the entry."""
        return f"{self.draft.account_id}.{self.draft.currency}.{self.sequence}"


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the one text that a hash is taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def draft_facts(draft: EntryDraft) -> dict[str, Any]:
    """The entry's immutable facts as plain data: what is stored, hashed, exported and sent as an event."""
    facts: dict[str, Any] = {
        "kind": draft.kind.value,
        "effective_on": draft.effective_on.isoformat(),
        "recorded_at": draft.recorded_at.isoformat(),
        "actor": [draft.actor.id, draft.actor.channel.value],
        "postings": [_posting_facts(posting) for posting in draft.postings],
        "documents": {role: list(ids) for role, ids in draft.documents.items()},
        "order_id": draft.order_id,
        "reason": draft.reason,
    }
    if draft.reverses is not None:
        facts["reverses"] = draft.reverses
    if draft.statuses:
        facts["statuses"] = {id: list(change) for id, change in draft.statuses.items()}
    return facts


def _posting_facts(posting: Posting) -> list[Any]:
    facts = [posting.account, posting.side.value[0], posting.amount_minor, posting.document_id]
    return [*facts, posting.due_date.isoformat()] if posting.due_date else facts


def entry_hash(draft: EntryDraft, sequence: int, previous_hash: str) -> str:
    """SHA-256 over the place in the chain and the facts, as lower-case hex."""
    text = canonical([draft.account_id, draft.currency, sequence, previous_hash, draft_facts(draft)])
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TopUpState:
    """Where automatic top-up stands (W2): the invoice that is pending, and what was asked for on `day` so far.

    `stopped` says why it does not go on, until somebody turns it on again.
    """

    pending_invoice: str | None = None
    day: date | None = None
    day_minor: int = 0
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class DraftChange:
    """That a draft order was revised or canceled, and which version of it is the latest since."""

    order_id: str
    version: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """What one account owes and holds in one currency, in minor units, after entry number `sequence`.

    `sequence` is also the optimistic lock of the account and currency: two operations at once cannot both
    write entry n + 1. `wallet_minor` alone may be below zero, down to the account's limit (W1).

    What may change without an entry: `unbilled_minor` is what was ordered and not invoiced yet (A5); `look_again_on`
    and `dunning` are the date on which dunning next looks at this account, and what it last said; `top_up` is the
    wallet's automatic top-up. `lots` are the payments and credits with something unapplied, oldest first. `draft_changes`:
    orders that changed a moment ago, so that a reader of an older version of one is found out by the balance.
    """

    account_id: str
    currency: str
    receivable_minor: int = 0
    credit_minor: int = 0
    wallet_minor: int = 0
    held_minor: int = 0
    granted_minor: int = 0
    unbilled_minor: int = 0
    lots: tuple[str, ...] = ()
    sequence: int = 0
    last_hash: str = GENESIS
    look_again_on: date | None = None
    dunning: DunningState = field(default_factory=DunningState)
    top_up: TopUpState = field(default_factory=TopUpState)
    draft_changes: tuple[DraftChange, ...] = ()
    version: int = 0

    @property
    def balance_minor(self) -> int:
        """What the customer owes on the whole: receivable − credit − wallet. Negative: available credit (A2)."""
        return self.receivable_minor - self.credit_minor - self.wallet_minor - self.granted_minor

    @property
    def prepaid_minor(self) -> int:
        """What the wallet holds, paid for or given."""
        return self.wallet_minor + self.granted_minor

    def post(self, draft: EntryDraft) -> tuple[JournalEntry, "Balance"]:
        """Append `draft` to the chain and move the figures by its postings."""
        if (draft.account_id, draft.currency) != (self.account_id, self.currency):
            raise LedgerBrokenError("wrong_chain", f"{draft.kind} is for another account or currency.")
        sequence = self.sequence + 1
        entry = JournalEntry(draft, sequence, self.last_hash, entry_hash(draft, sequence, self.last_hash))
        moved = {f"{account}_minor": getattr(self, f"{account}_minor") + change for account, change in effect(draft).items()}
        if any(amount < 0 for figure, amount in moved.items() if figure != "wallet_minor"):
            raise LedgerBrokenError("negative_balance", f"{draft.kind} would leave a customer account below zero.", **moved)
        return entry, replace(self, **moved, sequence=sequence, last_hash=entry.hash)


def effect(draft: EntryDraft, document_id: str | None = None) -> dict[str, int]:
    """How the entry moves the customer's own accounts, signed by the side on which each grows; or only those that are about
    one document.

    A card payment of 121.00 for an invoice: `{"receivable": -12100}`.
    """
    moves: dict[str, int] = {}
    for posting in draft.postings:
        grows_on = CUSTOMER_ACCOUNTS.get(posting.account)
        if grows_on is not None and document_id in (None, posting.document_id):
            sign = 1 if posting.side is grows_on else -1
            moves[posting.account] = moves.get(posting.account, 0) + sign * posting.amount_minor
    return moves
