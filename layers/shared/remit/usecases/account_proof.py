"""The proof of one account: everything stored of it goes in, in the order of its keys, and what does not fit comes out.

Entries are not kept: only sums by document, so that the memory needed grows with the documents of an account and not with
what was ever posted.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from remit.domain.accounts import Account
from remit.domain.audit import EXPECTATIONS, Difference, Expectation, Explained, Unreadable, What
from remit.domain.invoices import Invoice
from remit.domain.journal import CUSTOMER_ACCOUNTS, GENESIS, Balance, JournalEntry, Side, entry_hash
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order

type Sums = Counter[tuple[str, Side]]
"""Minor units by account of the chart (up to its colon) and side."""

_WITH_THE_INVOICE = ("number", "currency", "issued_on", "total_minor")
"""What an open item repeats of its invoice."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a balance stands in its chain; it moves with every entry."""

    currency: str
    sequence: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class _Document:
    """What is kept of a document with an expectation."""

    expectation: Expectation
    currency: str
    id: str
    stored: dict[str, Any]
    state: Any


class _Postings:
    """Debits and credits, in all and by the document that they are about."""

    def __init__(self) -> None:
        self.total: Sums = Counter()
        self.by_document: defaultdict[str, Sums] = defaultdict(Counter)

    def post(self, entry: JournalEntry) -> None:
        for posting in entry.draft.postings:
            place = (posting.account.partition(":")[0], posting.side)
            self.total[place] += posting.amount_minor
            if posting.document_id:
                self.by_document[posting.document_id][place] += posting.amount_minor

    def add(self, other: "_Postings") -> None:
        self.total.update(other.total)
        for document, sums in other.by_document.items():
            self.by_document[document].update(sums)


class _Chain:
    """The entries of one currency, walked in their order beside the balance that they must explain."""

    def __init__(self, account_id: str, currency: str, balance: Balance | None) -> None:
        self._account_id, self._currency, self._balance = account_id, currency, balance
        self._id = f"{account_id}.{currency}"
        self._sequence, self._last_hash = 0, GENESIS
        self._hash_at_balance: str | None = None
        self._beyond, self._count_beyond = _Postings(), 0
        self._faults: list[Difference] = []
        self.postings = _Postings()

    def walk(self, entry: JournalEntry) -> None:
        skipped = entry.sequence - self._sequence - 1
        if skipped > 0:
            self._faults.append(self._missing(self._sequence + 1, skipped))
        if entry.hash != (right := entry_hash(entry.draft, entry.sequence, entry.previous_hash)):
            text = f"Entry {entry.sequence} was changed after it was written."
            self._faults.append(self._difference(What.ENTRY_CHANGED, entry.id, entry.hash, right, text))
        elif skipped <= 0 and entry.previous_hash != self._last_hash:
            text = f"Entry {entry.sequence} does not follow the entry before it, of which one was replaced."
            self._faults.append(self._difference(What.ENTRY_UNLINKED, entry.id, entry.previous_hash, self._last_hash, text))
        if self._balance is not None and entry.sequence > self._balance.sequence:
            self._beyond.post(entry)
            self._count_beyond += 1
        else:
            self.postings.post(entry)
            self._hash_at_balance = entry.hash
        self._sequence, self._last_hash = entry.sequence, entry.hash

    def close(self) -> list[Difference]:
        """What is wrong with the chain and its balance. Comes before `postings` are compared with documents."""
        balance = self._balance
        if balance is None:
            text = f"There are entries up to number {self._sequence}, and no balance."
            return [*self._faults, self._difference(What.BALANCE_MISSING, self._id, None, self._sequence, text)]
        if self._sequence == 0 and balance.sequence:
            text = f"The balance stands at entry {balance.sequence}, and there are no entries."
            return [self._difference(What.BALANCE_UNEXPLAINED, self._id, balance.sequence, 0, text)]
        return [*self._faults, *self._tail(balance), *self._figures(balance)]

    def _tail(self, balance: Balance) -> Iterator[Difference]:
        """The end of the chain is where the balance says it is. Where hashes agree, it is the number that is wrong."""
        if balance.sequence != self._sequence and balance.last_hash == self._last_hash:
            self.postings.add(self._beyond)
            yield self._figure("sequence", balance.sequence, self._sequence)
        elif balance.sequence > self._sequence:
            yield self._missing(self._sequence + 1, balance.sequence - self._sequence)
        else:
            if self._count_beyond:
                first = f"{self._id}.{balance.sequence + 1}"
                text = f"The balance stands at entry {balance.sequence}, and entries go on to {self._sequence}."
                yield self._difference(What.ENTRIES_EXTRA, first, self._count_beyond, 0, text)
            if self._hash_at_balance is not None and balance.last_hash != self._hash_at_balance:
                yield self._figure("last_hash", balance.last_hash, self._hash_at_balance)

    def _figures(self, balance: Balance) -> Iterator[Difference]:
        for account, grows_on in CUSTOMER_ACCOUNTS.items():
            name = f"{account}_minor"
            stored, expected = getattr(balance, name), _amount(self.postings.total, Explained(name, account, grows_on))
            if stored != expected:
                yield self._figure(name, stored, expected)

    def _missing(self, first: int, count: int) -> Difference:
        which = f"Entry {first} is" if count == 1 else f"Entries {first} to {first + count - 1} are"
        return self._difference(What.ENTRIES_MISSING, f"{self._id}.{first}", 0, count, f"{which} missing.")

    def _figure(self, name: str, stored: int | str, expected: int | str) -> Difference:
        text = f"The balance has {name} {stored}, its entries say {expected}."
        return self._difference(name, self._id, stored, expected, text)

    def _difference(self, what: str, id: str, stored: int | str | None, expected: int | str | None, sentence: str) -> Difference:
        return Difference(self._account_id, self._currency, what, id, stored, expected, sentence)


class AccountProof:
    """Takes everything stored of an account with `add`, balances before entries; then `differences` says what is wrong."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._chains: dict[str, _Chain] = {}
        self._heads: set[Head] = set()
        self._documents: list[_Document] = []
        self._invoices: dict[str, dict[str, Any]] = {}
        self._items: dict[str, dict[str, Any]] = {}
        self._orders: set[str] = set()
        self._unreadable: dict[str, Difference] = {}
        self._faults: list[Difference] = []
        self._has_account = False
        self._things = 0
        self.entries = 0
        self.series: set[str] = set()
        """The number series of the invoices seen."""

    @property
    def documents(self) -> int:
        return len(self._documents)

    @property
    def heads(self) -> frozenset[Head]:
        """Where the balances stood when they were read."""
        return frozenset(self._heads)

    @property
    def is_empty(self) -> bool:
        return self._things == 0

    def add(self, thing: Any) -> None:
        self._things += 1
        if reader := _READERS.get(type(thing)):
            reader(self, thing)
        if expectation := EXPECTATIONS.get(type(thing)):
            self._documents.append(_kept(thing, expectation))

    def differences(self) -> tuple[Difference, ...]:
        """Everything that is wrong. What cannot be read is named once, and not again as missing."""
        found = [*self._faults, *self._without_account(), *self._of_chains(), *self._of_documents(), *self._of_links()]
        return (*self._unreadable.values(), *(each for each in found if each.id not in self._unreadable))

    # What comes in

    def _account(self, _: Account) -> None:
        self._has_account = True

    def _balance(self, balance: Balance) -> None:
        self._heads.add(Head(balance.currency, balance.sequence, balance.last_hash))
        self._chains[balance.currency] = _Chain(self._account_id, balance.currency, balance)

    def _entry(self, entry: JournalEntry) -> None:
        currency = entry.draft.currency
        self.entries += 1
        self._chains.setdefault(currency, _Chain(self._account_id, currency, None)).walk(entry)

    def _invoice(self, invoice: Invoice) -> None:
        self.series.add(invoice.series)
        self._invoices[invoice.id] = _facts(invoice) | {"order_id": invoice.order_id}

    def _item(self, item: OpenItem) -> None:
        self._items[item.invoice_id] = _facts(item)
        parts = sum(part.open_minor for part in item.parts)
        if parts != item.open_minor:
            text = f"The parts of {item.invoice_id} have {parts} open, together they should have {item.open_minor}."
            self._faults.append(self._difference(item.currency, "parts", item.invoice_id, parts, item.open_minor, text))

    def _order(self, order: Order) -> None:
        self._orders.add(order.id)

    def _broken(self, broken: Unreadable) -> None:
        text = f"What is stored as {broken.id} cannot be read: {broken.why}"
        self._unreadable[broken.id] = self._difference(broken.currency, What.UNREADABLE, broken.id, None, None, text)

    # What comes out

    def _without_account(self) -> Iterator[Difference]:
        if not self._has_account:
            text = f"There is no account {self._account_id}."
            yield self._difference(None, What.ACCOUNT_MISSING, self._account_id, None, self._account_id, text)

    def _of_chains(self) -> Iterator[Difference]:
        for _, chain in sorted(self._chains.items()):
            yield from chain.close()

    def _of_documents(self) -> Iterator[Difference]:
        """Compares each document with the postings about it, and then what is posted about no stored document."""
        seen: set[tuple[str, str]] = set()
        for document in self._documents:
            seen.add((document.currency, document.id))
            chain = self._chains.get(document.currency)
            yield from self._of_document(document, chain.postings.by_document.get(document.id) if chain else None)
        for currency, chain in sorted(self._chains.items()):
            for id, sums in sorted(chain.postings.by_document.items()):
                if (currency, id) not in seen:
                    text = f"Entries are about {id}, which is not stored."
                    yield self._difference(currency, What.DOCUMENT_MISSING, id, None, _owned(sums), text)

    def _of_document(self, document: _Document, sums: Sums | None) -> Iterator[Difference]:
        field, wanted = document.expectation.posted_when or (None, ())
        posted = field is None or document.state in wanted
        main, *others = document.expectation.figures
        if sums is None and posted:
            stored = document.stored[main.figure]
            if document.expectation.unless_zero and not stored:
                return
            text = f"{document.id} has {main.figure} {stored}, and no entry is about it."
            yield self._difference(document.currency, What.DOCUMENT_UNEXPLAINED, document.id, stored, None, text)
            return
        if sums is not None and not posted and field is not None:
            text = f"{document.id} is {document.state}, and entries are about it: it is {wanted[0]}."
            yield self._difference(document.currency, field, document.id, str(document.state), str(wanted[0]), text)
            return  # its figures follow from its status
        for explained in [main, *others] if sums is not None else [main]:
            stored, expected = document.stored[explained.figure], _amount(sums or Counter(), explained)
            if stored != expected:
                text = f"{document.id} has {explained.figure} {stored}, its entries say {expected}."
                yield self._difference(document.currency, explained.figure, document.id, stored, expected, text)

    def _of_links(self) -> Iterator[Difference]:
        """Order → invoice → open item: each names the other, and they agree."""
        for id, item in self._items.items():
            invoice = self._invoices.get(id)
            if invoice is None:
                text = f"{item['number']} is owed, and the invoice {id} is not stored."
                yield self._difference(item["currency"], What.INVOICE_MISSING, id, None, item["number"], text)
                continue
            for name in _WITH_THE_INVOICE:
                if item[name] != invoice[name]:
                    text = f"The open item of {id} has {name} {item[name]}, the invoice {invoice[name]}."
                    yield self._difference(invoice["currency"], name, id, item[name], invoice[name], text)
        for id, invoice in self._invoices.items():
            currency, order_id = invoice["currency"], invoice["order_id"]
            if id not in self._items:
                text = f"The invoice {invoice['number']} is stored, and its open item {id} is not."
                yield self._difference(currency, What.OPEN_ITEM_MISSING, id, None, invoice["total_minor"], text)
            if order_id not in self._orders:
                text = f"The invoice {id} names the order {order_id}, which is not stored."
                yield self._difference(currency, What.ORDER_MISSING, order_id, None, id, text)

    def _difference(
        self, currency: str | None, what: str, id: str, stored: int | str | None, expected: int | str | None, sentence: str
    ) -> Difference:
        return Difference(self._account_id, currency, what, id, stored, expected, sentence)


_READERS: dict[type, Callable[[AccountProof, Any], None]] = {
    Account: AccountProof._account,
    Balance: AccountProof._balance,
    JournalEntry: AccountProof._entry,
    Invoice: AccountProof._invoice,
    OpenItem: AccountProof._item,
    Order: AccountProof._order,
    Unreadable: AccountProof._broken,
}
"""Class → what is taken from it. Of what is not here, only documents with an expectation count."""


def _kept(thing: Any, expectation: Expectation) -> _Document:
    stored = {explained.figure: getattr(thing, explained.figure) for explained in expectation.figures}
    state = getattr(thing, expectation.posted_when[0]) if expectation.posted_when else None
    return _Document(expectation, thing.currency, getattr(thing, expectation.id), stored, state)


def _facts(thing: Invoice | OpenItem) -> dict[str, Any]:
    found = {name: getattr(thing, name) for name in _WITH_THE_INVOICE}
    return found | {"issued_on": thing.issued_on.isoformat()}


def _amount(sums: Sums, explained: Explained) -> int:
    other = Side.CREDIT if explained.grows_on is Side.DEBIT else Side.DEBIT
    return sums[(explained.account, explained.grows_on)] - sums[(explained.account, other)]


def _owned(sums: Sums) -> int:
    """What the postings about one document leave in the customer's own accounts."""
    return sum(_amount(sums, Explained("", account, grows_on)) for account, grows_on in CUSTOMER_ACCOUNTS.items())
