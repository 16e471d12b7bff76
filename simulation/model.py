"""What the simulator knows of the books: built from what was really stored, one transaction after the other.

It is a second, much simpler bookkeeper. It keeps every stored thing in its newest version, and per account and currency
a subledger that is added up from the entries alone. Operations choose from it whom to bill and what to pay; invariants
compare what is stored with what the entries say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from remit.domain.accounts import Account, AccountChange, Note
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import Invoice, SpoiledNumber
from remit.domain.journal import GENESIS, Balance, EntryKind, JournalEntry, Side, effect
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.domain.summaries import SummaryEnrolment
from remit.domain.totals import ChainMark
from remit.usecases.guards import Guard


@dataclass(frozen=True, slots=True)
class Holding:
    """`field` of a stored thing is what the entries say of it in `account` of the chart: the side `grows_on` less the other."""

    account: str
    field: str
    grows_on: Side = Side.CREDIT


HOLDINGS: dict[type[Any], tuple[Holding, ...]] = {
    OpenItem: (
        Holding("receivable", "open_minor", Side.DEBIT),
        Holding("bad_debt", "recoverable_minor", Side.DEBIT),
        Holding("top_ups", "top_up_minor"),
    ),
    Payment: (
        Holding("credit", "unapplied_minor"),
        Holding("held", "held_minor"),
        Holding("wallet", "wallet_minor"),
        Holding("cash", "cash_minor", Side.DEBIT),
    ),
    Credit: (Holding("credit", "open_minor"),),
    Refund: (Holding("refunds_in_transit", "in_transit_minor"),),
}
"""What each class of stored things holds. A new kind of document is a new row."""

SUMMED = ("receivable", "credit", "held")
"""The customer's accounts that are nothing but what documents hold; a wallet is used without saying whose money it was."""


@dataclass(frozen=True, slots=True)
class Write:
    """One item written: the thing, read back from its stored form, and whether nothing lay in its place before."""

    thing: Any
    created: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one commit wrote; `needs_guard`: whether an entry in it must come with the request that asked for it."""

    writes: tuple[Write, ...]
    needs_guard: bool = True

    def all[T](self, type: type[T]) -> list[T]:
        return [write.thing for write in self.writes if isinstance(write.thing, type)]


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed on an invoice by `due_date` rose, or below zero fell, by an entry that is effective on a day; `payments`:
    those whose money it was, if it was money."""

    effective_on: date
    due_date: date | None
    amount_minor: int
    payments: tuple[str, ...] = ()


@dataclass(slots=True)
class Subledger:
    """One account in one currency, added up from its entries.

    `amounts` is what each document holds by (account of the chart up to its colon, document), debits less credits;
    `touched_by` the entries that name it, `due` what is owed on each (invoice, due date) and `owed` how it came to that,
    `statuses` where each invoice stands, and `moves` what every entry did to the customer's figures and on which business date.
    """

    account_id: str
    currency: str
    sequence: int = 0
    last_hash: str = GENESIS
    figures: dict[str, int] = field(default_factory=dict)
    amounts: dict[tuple[str, str], int] = field(default_factory=dict)
    touched_by: dict[str, list[int]] = field(default_factory=dict)
    due: dict[str, dict[date | None, int]] = field(default_factory=dict)
    owed: dict[str, list[Owed]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
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
            key = (posting.account.partition(":")[0], posting.document_id)
            change = posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
            self.amounts[key] = self.amounts.get(key, 0) + change
            if posting.account == "receivable":
                owed = self.due.setdefault(posting.document_id, {})
                owed[posting.due_date] = owed.get(posting.due_date, 0) + change
                self.owed.setdefault(posting.document_id, []).append(_owed(entry, posting.due_date, change))
        self.statuses |= {invoice_id: after for invoice_id, (_, after) in entry.draft.statuses.items()}
        self.sequence, self.last_hash = entry.sequence, entry.hash

    def figure(self, account: str) -> int:
        return self.figures.get(account, 0)

    def held_by(self, document_id: str, holding: Holding) -> int:
        """What the entries say that a document holds."""
        amount = self.amounts.get((holding.account, document_id), 0)
        return amount if holding.grows_on is Side.DEBIT else -amount


def _owed(entry: JournalEntry, due_date: date | None, amount_minor: int) -> Owed:
    """What is credited was never owed; an allocation, or the reversal of one, is as old as the money (D9)."""
    draft = entry.draft
    if draft.kind is EntryKind.CREDIT_NOTE_ISSUED:
        return Owed(date.min, due_date, amount_minor)
    of_money = draft.kind in (EntryKind.PAYMENT_ALLOCATED, EntryKind.ALLOCATION_REVERSED)
    return Owed(draft.effective_on, due_date, amount_minor, tuple(draft.documents.get("payment", ())) if of_money else ())


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

    def of[T](self, type: type[T], currency: str) -> Iterator[tuple[str, T]]:
        """Everything of a class in one currency, by id."""
        for id, thing in self.things.get(type, {}).items():
            if thing.currency == currency:
                yield id, thing

    def overdue_minor(self, invoice_id: str, currency: str, day: date, grace_days: int = 0) -> int:
        """What of an invoice was overdue on a day: open at the end of the day before, by value dates, and due by then."""
        late = total = 0
        for owed in self.subledger(currency).owed.get(invoice_id, ()):
            if self._counts_from(owed) < day:
                total += owed.amount_minor
                is_late = owed.due_date is not None and (day - owed.due_date).days > grace_days
                late += owed.amount_minor if is_late else 0
        return max(0, min(late, total))

    def _counts_from(self, owed: Owed) -> date:
        paid = [payment.value_date for id in owed.payments if (payment := self.get(Payment, id)) and payment.value_date]
        return min(paid, default=owed.effective_on)

    def holdings(self, currency: str) -> Iterator[tuple[Holding, str, int]]:
        """What every document holds, as (of which account, document, amount)."""
        for kind, holdings in HOLDINGS.items():
            for id, thing in self.of(kind, currency):
                for holding in holdings:
                    yield holding, id, getattr(thing, holding.field)


@dataclass(slots=True)
class Series:
    """A number series as its documents show it. `reserved`: numbers that a batch took and not used yet, with the date that
    their invoices bear."""

    last: int = 0
    last_issued_on: date = date.min
    reserved: dict[int, date] = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """All customers, number series and requests that the books have seen."""

    customers: dict[str, Customer] = field(default_factory=dict)
    invoiced_orders: dict[str, str] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    batches: dict[str, InvoiceBatch] = field(default_factory=dict)
    guards: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    firm_accounts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(Account of the chart, currency) → debits less credits, over all customers."""
    entries: int = 0

    def apply(self, transaction: Transaction) -> None:
        for write in transaction.writes:
            self._take(write.thing)

    def _take(self, thing: Any) -> None:
        take = _TAKEN.get(type(thing))
        if take:
            take(self, thing)
        elif isinstance(thing, Account) or (hasattr(thing, "account_id") and type(thing) not in _NOT_KEPT):
            owner = thing.id if isinstance(thing, Account) else thing.account_id
            self.customer(owner).things.setdefault(type(thing), {})[_id(thing)] = thing

    def _entry(self, entry: JournalEntry) -> None:
        self.customer(entry.draft.account_id).subledger(entry.draft.currency).post(entry)
        self.entries += 1
        for posting in entry.draft.postings:
            change = posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
            self.firm_accounts[posting.account, entry.draft.currency] += change

    def _guard(self, guard: Guard) -> None:
        self.guards[guard.kind, guard.value] = guard.expires_at

    def _document(self, document: Invoice | CreditNote) -> None:
        self.customer(document.account_id).things.setdefault(type(document), {})[document.id] = document
        self._number_used(document.series, int(document.number.rpartition("-")[2]), document.issued_on)
        if isinstance(document, Invoice):
            self.invoiced_orders[document.order_id] = document.id

    def _spoiled(self, spoiled: SpoiledNumber) -> None:
        self._number_used(spoiled.series, spoiled.number, spoiled.issued_on)

    def _reserve(self, batch: InvoiceBatch) -> None:
        known = self.batches.get(batch.id)
        self.batches[batch.id] = batch
        if known is None and batch.numbers:
            series = self.series.setdefault(batch.series, Series())
            series.reserved |= dict.fromkeys(batch.numbers, batch.issued_on)
            series.last, series.last_issued_on = batch.numbers[-1], batch.issued_on

    def _number_used(self, name: str, number: int, issued_on: date) -> None:
        series = self.series.setdefault(name, Series())
        if series.reserved.pop(number, None) is None:
            series.last, series.last_issued_on = number, issued_on

    def customer(self, account_id: str) -> Customer:
        if account_id not in self.customers:
            self.customers[account_id] = Customer(account_id)
        return self.customers[account_id]

    def forget_expired(self, now: datetime) -> None:
        """Requests whose guards the store has let go of."""
        self.guards = {key: expires for key, expires in self.guards.items() if expires is None or expires > now}

    def orders_to_invoice(self, customer: Customer) -> list[Order]:
        return [order for order in customer.all(Order) if order.id not in self.invoiced_orders and not order.canceled_at]


_TAKEN: dict[type, Callable[[Model, Any], None]] = {
    JournalEntry: Model._entry,
    Guard: Model._guard,
    Invoice: Model._document,
    CreditNote: Model._document,
    SpoiledNumber: Model._spoiled,
    InvoiceBatch: Model._reserve,
}
"""How things are taken in that are more than kept in their newest version."""

_NOT_KEPT = (AccountChange, Note)


_KNOWN_BY = {Balance: "currency", ChainMark: "currency", OpenItem: "invoice_id", SummaryEnrolment: "schedule_id"}
"""What tells a thing from others of its class that the customer has, where that is not its `id`."""


def _id(thing: Any) -> str:
    found: str = getattr(thing, _KNOWN_BY.get(type(thing), "id"))
    return found


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
