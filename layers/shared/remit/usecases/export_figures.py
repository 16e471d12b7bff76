"""The figures of an export: one month of the journal, summed once for all formats, in one pass.

Every figure in a file comes from here or straight from an entry or a document.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from remit.domain.errors import InvalidError, LedgerBrokenError
from remit.domain.journal import CUSTOMER_ACCOUNTS, EntryKind, JournalEntry, Side, effect
from remit.domain.money import decimal_text

_PERIOD = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)

_DOCUMENT_OF = {
    EntryKind.INVOICE_ISSUED: ("invoice", Side.DEBIT),
    EntryKind.PAYMENT_RECEIVED: ("payment", Side.DEBIT),
    EntryKind.WALLET_TOPPED_UP: ("payment", Side.DEBIT),
    EntryKind.CREDIT_ISSUED: ("credit", Side.CREDIT),
    EntryKind.CREDIT_NOTE_ISSUED: ("credit_note", Side.DEBIT),
    EntryKind.REFUND_REQUESTED: ("refund", Side.CREDIT),
}
"""The entries that come with a document of their own: its role in `documents`, and the side on which the postings about it
sum to its amount (what an invoice asks for, what a payment brought, what a credit, credit note or refund is worth)."""

DOCUMENT_ROLES = sorted({role for role, _ in _DOCUMENT_OF.values()})


class Period(NamedTuple):
    """A calendar month of effective dates.

    >>> period = Period.parse("2026-12")
    >>> str(period), period.first_day, period.last_day, str(period.previous)
    ('2026-12', datetime.date(2026, 12, 1), datetime.date(2026, 12, 31), '2026-11')
    """

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Period":
        found = _PERIOD.fullmatch(text)
        if found is None or found[1] == "0000":
            raise InvalidError("bad_period", "A period is a month such as 2026-11.")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, day: date) -> "Period":
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        return self.day_after - timedelta(days=1)

    @property
    def day_after(self) -> date:
        """The first day that does not belong to the period any more."""
        return date(self.year + self.month // 12, self.month % 12 + 1, 1)

    @property
    def previous(self) -> "Period":
        return Period.of(self.first_day - timedelta(days=1))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


class LedgerAccount(NamedTuple):
    """One line of the trial balance: an account of the chart in one currency, of a customer (`owner`) or the firm's ("")."""

    currency: str
    account: str
    owner: str


@dataclass(slots=True)
class Movement:
    """A ledger account over the period, in minor units. Balances are signed, debit positive: a receivable of 12100
    and revenue of −10000."""

    opening_minor: int = 0
    debits_minor: int = 0
    credits_minor: int = 0

    @property
    def closing_minor(self) -> int:
        return self.opening_minor + self.debits_minor - self.credits_minor


@dataclass(slots=True)
class _Chain:
    """What was read of one account and currency: up to the period's end (`through`), and in all."""

    entries_through: int = 0
    receivable_through_minor: int = 0
    entries: int = 0
    receivable_minor: int = 0
    last_sequence: int = 0

    def add(self, entry: JournalEntry, *, through: bool) -> None:
        receivable = effect(entry.draft).get("receivable", 0)
        self.entries += 1
        self.receivable_minor += receivable
        self.last_sequence = max(self.last_sequence, entry.sequence)
        if through:
            self.entries_through += 1
            self.receivable_through_minor += receivable


@dataclass(slots=True)
class _Documents:
    """How many documents of a kind were exported in a currency, and what they sum to."""

    count: int = 0
    total_minor: int = 0


@dataclass(slots=True)
class Tally:
    """The sums of one export. An entry *belongs* to it if it was recorded by `cutoff`; what came later counts only
    towards what is owed now.

    Memory grows with the customers and the documents of the month (some 200 bytes each), not with entries.
    """

    period: Period
    cutoff: datetime
    movements: dict[LedgerAccount, Movement] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    documents: dict[str, dict[str, _Documents]] = field(default_factory=dict)
    _chains: dict[tuple[str, str], _Chain] = field(default_factory=dict)
    _expected: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def add_before(self, entry: JournalEntry) -> None:
        """An entry of an earlier month: it goes into the opening balances."""
        if self._chained(entry):
            for movement, signed_minor in self._moves(entry):
                movement.opening_minor += signed_minor

    def add(self, entry: JournalEntry) -> bool:
        """An entry of the period; False if it was recorded too late to belong to this export."""
        if Period.of(entry.draft.effective_on) != self.period:
            raise LedgerBrokenError("wrong_period", f"Entry {entry.id} is not effective in {self.period}.")
        if not self._chained(entry):
            return False
        for movement, signed_minor in self._moves(entry):
            if signed_minor > 0:
                movement.debits_minor += signed_minor
            else:
                movement.credits_minor -= signed_minor
        self.entries[entry.draft.currency] = self.entries.get(entry.draft.currency, 0) + 1
        if entry.draft.kind in _DOCUMENT_OF:
            self._expect_document(entry, *_DOCUMENT_OF[entry.draft.kind])
        return True

    def _expect_document(self, entry: JournalEntry, role: str, side: Side) -> None:
        document_id = entry.draft.documents[role][0]
        about = [p for p in entry.draft.postings if p.document_id == document_id and p.side is side]
        self._expected[(role, document_id)] = entry.draft.currency, sum(posting.amount_minor for posting in about)

    def add_after(self, entry: JournalEntry) -> None:
        """An entry of a later month: it only explains what is owed now."""
        self._chain(entry).add(entry, through=False)

    def add_document(self, role: str, document_id: str, currency: str, amount_minor: int) -> bool:
        """A document of the period; False if its entry is not in this export, so that neither is the document.

        `LedgerBrokenError` if document and entry say different amounts.
        """
        expected = self._expected.pop((role, document_id), None)
        if expected is None:
            return False
        if expected != (currency, amount_minor):
            raise differ(f"{role} {document_id} and its entry differ", document_id=document_id)
        documents = self.documents.setdefault(currency, {}).setdefault(role, _Documents())
        documents.count += 1
        documents.total_minor += amount_minor
        return True

    def require_all_documents(self) -> None:
        """`LedgerBrokenError` if an entry's document was not found."""
        if self._expected:
            missing = sorted(document_id for _, document_id in self._expected)
            raise differ(f"{len(missing)} documents are missing", documents=missing[:10])

    @property
    def currencies(self) -> list[str]:
        """All currencies that any entry read so far is in, sorted."""
        return sorted({currency for _, currency in self._chains})

    def unexplained(self, open_minor: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
        """The (account, currency) pairs whose entries have a gap, or do not sum to what is open now."""
        doubtful = [
            key
            for key, chain_read in self._chains.items()
            if chain_read.entries != chain_read.last_sequence or chain_read.receivable_minor != open_minor.get(key, 0)
        ]
        return sorted(doubtful + [key for key in open_minor if key not in self._chains])

    def agrees_with(self, account_id: str, currency: str, entries: Iterable[JournalEntry]) -> bool:
        """Whether the account's full chain says the same of the time up to the period's end as what was exported."""
        full = _Chain()
        for entry in entries:
            belongs = entry.draft.effective_on <= self.period.last_day and entry.draft.recorded_at <= self.cutoff
            full.add(entry, through=belongs)
        read = self._chains.get((account_id, currency), _Chain())
        through = (full.entries_through, full.receivable_through_minor)
        return full.entries == full.last_sequence and through == (read.entries_through, read.receivable_through_minor)

    def _chained(self, entry: JournalEntry) -> bool:
        belongs = entry.draft.recorded_at <= self.cutoff
        self._chain(entry).add(entry, through=belongs)
        return belongs

    def _chain(self, entry: JournalEntry) -> _Chain:
        return self._chains.setdefault((entry.draft.account_id, entry.draft.currency), _Chain())

    def _moves(self, entry: JournalEntry) -> Iterator[tuple[Movement, int]]:
        for posting in entry.draft.postings:
            movement = self.movements.setdefault(ledger_account(entry, posting.account), Movement())
            yield movement, posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor


def ledger_account(entry: JournalEntry, account: str) -> LedgerAccount:
    """Where a posting of `entry` to `account` is kept: per customer, or for the firm."""
    return LedgerAccount(entry.draft.currency, account, entry.draft.account_id if account in CUSTOMER_ACCOUNTS else "")


def control_totals(tally: Tally) -> dict[str, Any]:
    """The figures that a person compares with the accounting program: per currency and account of the chart.

    Amounts are text with the currency's digits; balances are signed, debit positive, counted from the first entry
    ever (the year is not closed). For one unpaid invoice of EUR 121.00: `accounts.receivable.closing` is `"121.00"`,
    `accounts["tax:VAT21"].closing` is `"-21.00"`, and `debits` and `credits` are `"121.00"`.
    """
    by_currency: dict[str, dict[str, Movement]] = {}
    for key, movement in tally.movements.items():
        total = by_currency.setdefault(key.currency, {}).setdefault(key.account, Movement())
        total.opening_minor += movement.opening_minor
        total.debits_minor += movement.debits_minor
        total.credits_minor += movement.credits_minor
    return {
        "period": str(tally.period),
        "currencies": {currency: _totals_of(tally, currency, by_currency[currency]) for currency in sorted(by_currency)},
    }


def _totals_of(tally: Tally, currency: str, accounts: Mapping[str, Movement]) -> dict[str, Any]:
    def text(amount_minor: int) -> str:
        return decimal_text(amount_minor, currency)

    debits = sum(movement.debits_minor for movement in accounts.values())
    credits = sum(movement.credits_minor for movement in accounts.values())
    if debits != credits or sum(movement.opening_minor for movement in accounts.values()) != 0:
        raise differ(f"debits and credits in {currency} differ", currency=currency)
    documents = tally.documents.get(currency, {})
    return {
        "entries": tally.entries.get(currency, 0),
        "debits": text(debits),
        "credits": text(credits),
        "documents": {
            role: {"count": found.count, "total": text(found.total_minor)}
            for role in DOCUMENT_ROLES
            for found in [documents.get(role, _Documents())]
        },
        "accounts": {
            name: {
                "opening": text(movement.opening_minor),
                "debits": text(movement.debits_minor),
                "credits": text(movement.credits_minor),
                "closing": text(movement.closing_minor),
            }
            for name, movement in sorted(accounts.items())
        },
    }


def differ(what: str, **facts: Any) -> LedgerBrokenError:
    """The error that says so; `what` completes its sentence."""
    return LedgerBrokenError("control_totals_differ", f"The export does not tie to the ledger: {what}.", **facts)
