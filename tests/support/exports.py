"""What the accounting export reads, over the tests' store in memory."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from remit.adapters.dynamodb import keys
from remit.domain.accounts import AccountChange
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.journal import JournalEntry
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.usecases.export_figures import Period
from tests.fakes import FakeBooks


class FakeExportSource:
    """`ExportSource` over `FakeBooks`. See `remit.usecases.export_period` for the promises."""

    def __init__(self, books: FakeBooks, firm: Firm) -> None:
        self._books = books
        self._firm = firm

    def months_before(self, month: str) -> Sequence[str]:
        return [each for each in self._months() if each < month]

    def months_after(self, month: str) -> Sequence[str]:
        return [each for each in self._months() if each > month]

    def _months(self) -> list[str]:
        return sorted({f"{entry.draft.effective_on:%Y-%m}" for entry in self._books.all(JournalEntry)})

    def entries(self, month: str) -> Iterator[JournalEntry]:
        def place(entry: JournalEntry) -> tuple[date, str, str, int]:
            return entry.draft.effective_on, entry.draft.account_id, entry.draft.currency, entry.sequence

        return iter(sorted(self._month("entry", month), key=place))

    def chain(self, account_id: str, currency: str) -> Iterator[JournalEntry]:
        return self._books.entries(account_id, currency)

    def open_amounts(self, currencies: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        for item in self._books.all(OpenItem):
            if item.open_minor and item.currency in currencies:
                yield item.account_id, item.currency, item.open_minor

    def invoices(self, month: str) -> Iterator[Invoice]:
        return (document for document in self._numbered(month) if isinstance(document, Invoice))

    def credit_notes(self, month: str) -> Iterator[CreditNote]:
        return (document for document in self._numbered(month) if isinstance(document, CreditNote))

    def _numbered(self, month: str) -> Iterator[Any]:
        runs = [self._books.listed(keys.document_series(name)) for name in self._books.series()]
        documents = heapq.merge(*runs, key=lambda document: (document.issued_on, document.number))
        return (document for document in documents if f"{document.issued_on:%Y-%m}" == month)

    def payments(self, month: str) -> Iterator[Payment]:
        found: list[Payment] = self._month("payment", month)
        return iter(sorted(found, key=lambda payment: (payment.value_date, payment.account_id, payment.id)))

    def credits(self, month: str) -> Iterator[Credit]:
        found: list[Credit] = self._month("credit", month)
        return iter(sorted(found, key=lambda credit: (credit.issued_on, credit.account_id, credit.id)))

    def refunds(self, month: str) -> Iterator[Refund]:
        period = Period.parse(month)
        first, last = period.first_day - timedelta(days=1), period.day_after
        found = [refund for refund in self._books.all(Refund) if first <= refund.requested_on <= last]
        return iter(sorted(found, key=lambda refund: (refund.requested_on, refund.account_id, refund.id)))

    def account_names(self, account_ids: Sequence[str], on: date) -> Mapping[str, str]:
        wanted, names = set(account_ids), dict[str, str]()
        for change in self._books.all(AccountChange):
            named = change.after.get("name")
            known = names.get(change.account_id)
            if change.account_id in wanted and named and (known is None or self._firm.today(change.changed_at) <= on):
                names[change.account_id] = named
        return names

    def _month(self, kind: str, month: str) -> list[Any]:
        return [thing for shard in range(keys.SHARDS) for thing in self._books.listed(keys.month_listing(kind, month, shard))]
