"""`ExportSource` over the listing and open indexes."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from operator import attrgetter

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal, connection, reading
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.dynamodb.mapping import from_record
from remit.adapters.dynamodb.records import ListingIndex, OpenItemRecord, Record
from remit.domain.accounts import AccountChange
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.journal import JournalEntry
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.usecases.export_figures import Period
from remit.usecases.ports import Clock
from remit.usecases.receive_payment import OLDEST_VALUE_DATE


class DynamoExportSource:
    """See `usecases.export_period.ExportSource` for the promises. One instance serves one export."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._journal = DynamoJournal()

    def months_before(self, month: str) -> Sequence[str]:
        """Probes each month since the first that an entry can lie in: a value date goes back so far, and no further."""
        accounts, _ = self._journal.accounts(None, 1)
        if not accounts:
            return []
        first = (accounts[0].created_at - OLDEST_VALUE_DATE).date()
        return [each for each in _months(f"{first:%Y-%m}", month) if each != month and self._has_entries(each)]

    def months_after(self, month: str) -> Sequence[str]:
        today = fresh_firm(DynamoBooks()).today(self._clock.now())
        return [each for each in _months(month, f"{today:%Y-%m}") if each != month and self._has_entries(each)]

    def entries(self, month: str) -> Iterator[JournalEntry]:
        return (entry for record in self._month("entry", month) if isinstance(entry := from_record(record), JournalEntry))

    def chain(self, account_id: str, currency: str) -> Iterator[JournalEntry]:
        return self._journal.entries(account_id, currency)

    def open_amounts(self, currencies: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        connection()
        with reading():
            for currency in currencies:
                for shard in range(keys.SHARDS):
                    for record in Record.open_index.query(keys.open_partition(currency, shard)):
                        if isinstance(record, OpenItemRecord):
                            yield keys.account_id_of(record.pk), currency, record.open_minor

    def invoices(self, month: str) -> Iterator[Invoice]:
        return (document for document in self._numbered(month) if isinstance(document, Invoice))

    def credit_notes(self, month: str) -> Iterator[CreditNote]:
        return (document for document in self._numbered(month) if isinstance(document, CreditNote))

    def _numbered(self, month: str) -> Iterator[object]:
        """Walks the part of each number series that lies in the month."""
        connection()
        in_month = ListingIndex.list_sk.startswith(f"{month}-")
        with reading():
            runs = [Record.listing_index.query(keys.document_series(name), in_month) for name in self._journal.series()]
            yield from (from_record(record) for record in heapq.merge(*runs, key=attrgetter("list_sk")))

    def payments(self, month: str) -> Iterator[Payment]:
        return (payment for record in self._month("payment", month) if isinstance(payment := from_record(record), Payment))

    def credits(self, month: str) -> Iterator[Credit]:
        return (credit for record in self._month("credit", month) if isinstance(credit := from_record(record), Credit))

    def refunds(self, month: str) -> Iterator[Refund]:
        period = Period.parse(month)
        first, last = period.first_day - timedelta(days=1), period.day_after
        months = (f"{day:%Y-%m}" for day in (first, period.first_day, last))
        listed = chain.from_iterable(self._month("refund", each) for each in months)
        refunds = (refund for record in listed if isinstance(refund := from_record(record), Refund))
        return (refund for refund in refunds if first <= refund.requested_on <= last)

    def account_names(self, account_ids: Sequence[str], on: date) -> Mapping[str, str]:
        firm = fresh_firm(DynamoBooks())
        names: dict[str, str] = {}
        for account_id in account_ids:
            for change in self._changes(account_id):
                named = change.after.get("name")
                if named and (account_id not in names or firm.today(change.changed_at) <= on):
                    names[account_id] = named
        return names

    def _changes(self, account_id: str) -> Iterator[AccountChange]:
        prefix = keys.PREFIX["AccountChange"]
        with reading():
            for record in Record.query(keys.account_partition(account_id), Record.sk.startswith(prefix)):
                yield from_record(record)

    def _month(self, kind: str, month: str) -> Iterator[Record]:
        """A month's items of one kind in the order of their sort keys, merged from all shards."""
        connection()
        with reading():
            shards = [Record.listing_index.query(keys.month_listing(kind, month, n)) for n in range(keys.SHARDS)]
            yield from heapq.merge(*shards, key=attrgetter("list_sk"))

    def _has_entries(self, month: str) -> bool:
        with reading():
            return any(
                True
                for shard in range(keys.SHARDS)
                for _ in Record.listing_index.query(keys.month_listing("entry", month, shard), limit=1)
            )


def _months(first: str, last: str) -> Iterator[str]:
    """`2026-11`, `2026-12`, `2027-01`: both ends included."""
    year, month = (int(part) for part in first.split("-"))
    while (text := f"{year:04d}-{month:02d}") <= last:
        yield text
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
