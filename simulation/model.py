"""What the simulator knows of the books: built from what was really stored, one transaction after the other.

It is a second, much simpler bookkeeper. It keeps every stored thing in its newest version, and per account and currency
a subledger that is added up from the entries alone. Operations choose from it whom to bill and what to pay; invariants
compare what is stored with what the entries say.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from remit.domain.accounts import Account, AccountChange
from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.journal import GENESIS, Balance, JournalEntry, effect
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import Payment
from remit.usecases.guards import Guard

LOTS: dict[type, tuple[str, str]] = {
    OpenItem: ("receivable", "open_minor"),
    Payment: ("credit", "unapplied_minor"),
    Credit: ("credit", "open_minor"),
}
"""What each stored thing still holds: the customer account of the chart that it is a part of, and the field with the
amount. The parts of one account of the chart sum up to the balance's figure. A new kind of lot is a new row."""


@dataclass(frozen=True, slots=True)
class Write:
    """One item written: the thing, read back from its stored form, and whether nothing lay in its place before."""

    thing: Any
    created: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one commit wrote, and under which request (None: a commit that needs no guard)."""

    writes: tuple[Write, ...]

    def all[T](self, type: type[T]) -> list[T]:
        return [write.thing for write in self.writes if isinstance(write.thing, type)]


@dataclass(slots=True)
class Subledger:
    """One account in one currency, added up from its entries.

    `amounts` is what each document holds by (account of the chart, document), `touched_by` the entries that name it,
    `moves` what every entry did to the customer's figures and on which business date.
    """

    account_id: str
    currency: str
    sequence: int = 0
    last_hash: str = GENESIS
    figures: dict[str, int] = field(default_factory=dict)
    amounts: dict[tuple[str, str], int] = field(default_factory=dict)
    touched_by: dict[str, list[int]] = field(default_factory=dict)
    moves: list[tuple[date, dict[str, int]]] = field(default_factory=list)

    def post(self, entry: JournalEntry) -> None:
        moved = effect(entry.draft)
        for account, change in moved.items():
            self.figures[account] = self.figures.get(account, 0) + change
        self.moves.append((entry.draft.effective_on, moved))
        for posting in entry.draft.postings:
            if posting.document_id is None:
                continue
            touched = self.touched_by.setdefault(posting.document_id, [])
            if touched[-1:] != [entry.sequence]:
                touched.append(entry.sequence)
            key = (posting.account, posting.document_id)
            sign = 1 if (posting.side.value == "debit") == (posting.account == "receivable") else -1
            self.amounts[key] = self.amounts.get(key, 0) + sign * posting.amount_minor
        self.sequence, self.last_hash = entry.sequence, entry.hash

    def figure(self, account: str) -> int:
        return self.figures.get(account, 0)


@dataclass(slots=True)
class Customer:
    """One customer's account and all that is stored of it, in the newest version, by class and id."""

    id: str
    things: dict[type, dict[str, Any]] = field(default_factory=dict)
    subledgers: dict[str, Subledger] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        account: Account = self.things[Account][self.id]
        return account

    @property
    def balances(self) -> dict[str, Balance]:
        return self.things.get(Balance, {})

    def all[T](self, type: type[T]) -> list[T]:
        return list(self.things.get(type, {}).values())

    def get[T](self, type: type[T], id: str) -> T | None:
        found: T | None = self.things.get(type, {}).get(id)
        return found

    def subledger(self, currency: str) -> Subledger:
        if currency not in self.subledgers:
            self.subledgers[currency] = Subledger(self.id, currency)
        return self.subledgers[currency]

    def lots(self, currency: str) -> Iterator[tuple[str, str, int]]:
        """What is open in a currency, as (account of the chart, document, amount)."""
        for kind, (account, name) in LOTS.items():
            for id, thing in self.things.get(kind, {}).items():
                if thing.currency == currency:
                    yield account, id, getattr(thing, name)


@dataclass(slots=True)
class Series:
    """A number series as its invoices show it."""

    last: int = 0
    last_issued_on: date = date.min


@dataclass(slots=True)
class Model:
    """All customers, number series and requests that the books have seen."""

    customers: dict[str, Customer] = field(default_factory=dict)
    invoiced_orders: dict[str, str] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    guards: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    entries: int = 0

    def apply(self, transaction: Transaction) -> None:
        for write in transaction.writes:
            self._take(write.thing)

    def _take(self, thing: Any) -> None:
        match thing:
            case JournalEntry():
                self.customer(thing.draft.account_id).subledger(thing.draft.currency).post(thing)
                self.entries += 1
            case Guard():
                self.guards[thing.kind, thing.value] = thing.expires_at
            case Invoice():
                self.invoiced_orders[thing.order_id] = thing.id
                number = int(thing.number.rpartition("-")[2])
                self.series[thing.series] = Series(number, thing.issued_on)
            case Account():
                self._keep(thing.id, thing.id, thing)
            case Balance():
                self._keep(thing.account_id, thing.currency, thing)
            case OpenItem():
                self._keep(thing.account_id, thing.invoice_id, thing)
            case AccountChange():
                pass
            case _ if hasattr(thing, "account_id"):
                self._keep(thing.account_id, thing.id, thing)

    def _keep(self, account_id: str, id: str, thing: Any) -> None:
        self.customer(account_id).things.setdefault(type(thing), {})[id] = thing

    def customer(self, account_id: str) -> Customer:
        if account_id not in self.customers:
            self.customers[account_id] = Customer(account_id)
        return self.customers[account_id]

    def forget_expired(self, now: datetime) -> None:
        """Requests whose guards the store has let go of."""
        self.guards = {key: expires for key, expires in self.guards.items() if expires is None or expires > now}

    def orders_to_invoice(self, customer: Customer) -> list[Order]:
        return [order for order in customer.all(Order) if order.id not in self.invoiced_orders]


def open_items(customer: Customer, currency: str | None = None) -> list[OpenItem]:
    return [item for item in customer.all(OpenItem) if item.open_minor and currency in (None, item.currency)]


def touched(transaction: Transaction) -> Iterable[tuple[str, str]]:
    """(account, currency) of all that the transaction wrote, each once, in order of writing."""
    found: dict[tuple[str, str], None] = {}
    for write in transaction.writes:
        thing = write.thing.draft if isinstance(write.thing, JournalEntry) else write.thing
        if hasattr(thing, "account_id") and hasattr(thing, "currency"):
            found[thing.account_id, thing.currency] = None
    return found
