"""The firm's totals in tests: the store over `FakeBooks`, the stream's deliveries, and what the totals ought to be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from remit.adapters.dynamodb import keys
from remit.domain.journal import Balance, JournalEntry
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation
from remit.domain.totals import Totals, TotalsKey, TotalsKind, added, moves
from remit.usecases.project_entries import Projector
from tests.fakes import FakeBooks
from tests.support.builders import Office


class FakeTotals:
    """`TotalsStore` over the same memory as the ledger. See `remit.usecases.ports` for the promises."""

    def __init__(self, books: FakeBooks) -> None:
        self._books = books

    def shard_of(self, account_id: str) -> int:
        return keys.shard(account_id)

    def standing(self, generation: int, currency: str | None = None) -> Sequence[Totals]:
        return [
            each
            for each in self._of(generation)
            if each.key.kind is TotalsKind.STANDING and currency in (None, each.key.currency)
        ]

    def of_periods(self, generation: int, kind: TotalsKind, currency: str, first: str, last: str) -> Sequence[Totals]:
        return [
            each
            for each in self._of(generation)
            if (each.key.kind, each.key.currency) == (kind, currency) and first <= each.key.period <= last
        ]

    def drop(self, generation: int) -> None:
        for totals in self._of(generation):
            self._books.erase(totals)

    def _of(self, generation: int) -> list[Totals]:
        return [each for each in self._books.all(Totals) if each.generation == generation]


def projector(books: FakeBooks) -> Projector:
    """One that loses no time between attempts."""
    return Projector(books, books, FakeTotals(books), wait=lambda _attempt: None)


def counted(entries: Iterable[JournalEntry]) -> dict[TotalsKey, dict[str, int]]:
    """What the totals of these entries are, by simply adding up."""
    found: dict[TotalsKey, dict[str, int]] = {}
    for entry in entries:
        for key, amounts in moves(entry.draft, keys.shard(entry.draft.account_id)).items():
            found[key] = added(found.get(key, {}), amounts)
    return found


def stored(books: FakeBooks, generation: int = 1) -> dict[TotalsKey, dict[str, int]]:
    """What the totals of a generation are in the books."""
    return {each.key: dict(each.amounts) for each in books.all(Totals) if each.generation == generation}


def tampered(books: FakeBooks, name: str, by: int) -> None:
    """A figure is changed behind everybody's back."""
    victim = next(each for each in books.all(Totals) if name in each.amounts)
    books.overwrite(replace(victim, amounts={**victim.amounts, name: victim.amounts[name] + by}))


@dataclass
class Past:
    """What a firm did: its entries in the order of their writing, and the chains that they belong to."""

    office: Office
    entries: list[JournalEntry]
    accounts: list[str]

    @property
    def books(self) -> FakeBooks:
        return self.office.books

    def items(self, currency: str) -> list[OpenItem]:
        return [item for item in self.books.all(OpenItem) if item.currency == currency]

    def ledger_alone(self) -> FakeBooks:
        """The same ledger, of which nothing is counted yet."""
        fresh = Office().books
        for thing in (*self.books.all(Balance), *self.entries, *(self.office.account(each) for each in self.accounts)):
            fresh.overwrite(thing)
        return fresh


def busy_firm() -> Past:
    """Seven customers in two currencies, invoices paid late, early, in part and not at all, and goodwill."""
    office = Office()
    accounts = [office.open_account() for _ in range(7)]
    for number, account in enumerate(accounts):
        first, second = office.invoice(account, 10000 + number), office.invoice(account, 500, term="on_receipt")
        office.invoice(account, 700, currency="USD")
        office.clock.advance(days=17)
        office.receive(account, 12100, oldest_first=True)
        payment = office.receive(account, 5000).body["id"]
        item = office.item(account, second)
        if item.open_minor:
            office.allocate(account, payment, Allocation(second, min(item.open_minor, 5000)))
        assert office.item(account, first).entries
    entries = [entry for account in accounts for currency in ("EUR", "USD") for entry in office.entries(account, currency)]
    return Past(office, sorted(entries, key=lambda entry: entry.draft.recorded_at), accounts)
