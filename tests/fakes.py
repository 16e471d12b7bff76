"""Fakes of what the use cases need from the world, with the same promises as the real adapters, in memory.

`FakeBooks` is the ledger's store: `Books`, `Journal` and `Agenda` in one. It keeps things in the very form in which
the table does (mapped to records and serialised), so that nothing stored is shared with its caller, and what comes
back has been through the same conversions. Its conditions, the order in which they speak, its limits, and what an
index shows of an item are those of DynamoDB.

`Trouble` is how things go wrong: lost races, throttles, lost replies, and machines that die before or after a step.
All fakes of one scene share one, so that a test can let the n-th step fail, whatever it is.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

import msgspec

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.mapping import from_record, key_of, to_record
from remit.adapters.dynamodb.records import AgendaIndex, GuardRecord, ListingIndex, OpenIndex, Record
from remit.domain.accounts import Account
from remit.domain.dunning import Notice
from remit.domain.errors import ConflictError, GatewayFailedError, InvalidError, RemitError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.journal import Balance, JournalEntry
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.domain.refunds import Refund, RefundReport, RefundStatus
from remit.usecases.guards import AlreadyExistsError, GuardTakenError
from remit.usecases.ports import AgendaKind, Changes, CheckoutPage, DueThing, Letter, Loaded, PaymentName, Ref

type Key = tuple[str, str]
type Raw = dict[str, Any]
"""An item as DynamoDB has it: attribute name → {type: value}. Never changed once it is stored."""

MAX_CHANGES = 100
MAX_ITEM_BYTES = 400 * 1024


class MachineDiedError(BaseException):
    """The process is gone; nothing after it ran. No `except Exception` catches it, as nothing catches a power cut."""


class Fault(StrEnum):
    """What may happen at a step (a commit, a mail handed over, a call of the gateway)."""

    CONFLICT = "conflict"  # somebody else was faster; nothing was done
    THROTTLE = "throttle"  # refused for now; nothing was done
    LOST_REPLY = "lost_reply"  # it was done, but the answer did not arrive
    CRASH_BEFORE = "crash_before"  # the machine died, and nothing was done
    CRASH_AFTER = "crash_after"  # it was done, then the machine died


@dataclass
class _Planned:
    on: str | None
    left: int
    what: Fault | Exception | Callable[[], object]


class Trouble:
    """Faults planned by the number of the step at which they strike; steps are counted from the planning on.

    Steps are named `load`, `commit`, `send`, `checkout` and `refund`. A plan without a name counts all but loads.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        """Every step taken, in order, whether it went well or not."""
        self._planned: list[_Planned] = []
        self._aside = False

    def strike(self, fault: Fault | Exception, *, on: str | None = None, at: int = 1) -> None:
        """Let `fault` strike at the `at`-th step named `on` from now. An exception is raised before anything is done."""
        self._planned.append(_Planned(on, at, fault))

    def meanwhile(self, action: Callable[[], object], *, on: str = "commit", at: int = 1) -> None:
        """Run `action` just before the `at`-th step named `on`: what another machine does at that moment."""
        self._planned.append(_Planned(on, at, action))

    @property
    def pending(self) -> int:
        """How many planned faults have not struck yet; a test of a fault wants none."""
        return len(self._planned)

    def clear(self) -> None:
        self._planned.clear()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Around what is done at a step: raises before or after it, as planned."""
        if self._aside:
            yield
            return
        self.steps.append(name)
        faults = [self._fire(planned) for planned in self._due(name)]
        for fault in faults:
            _strike_before(fault)
        yield
        for fault in faults:
            _strike_after(fault)

    def _due(self, name: str) -> list[_Planned]:
        counted = [planned for planned in self._planned if planned.on == name or (planned.on is None and name != "load")]
        for planned in counted:
            planned.left -= 1
        due = [planned for planned in counted if planned.left == 0]
        self._planned = [planned for planned in self._planned if planned not in due]
        return due

    def _fire(self, planned: _Planned) -> Fault | Exception | None:
        if isinstance(planned.what, Fault | Exception):
            return planned.what
        self._aside = True  # what others do meanwhile is none of this machine's steps
        try:
            planned.what()
        finally:
            self._aside = False
        return None


def _strike_before(fault: Fault | Exception | None) -> None:
    if isinstance(fault, Exception):
        raise fault
    if fault is Fault.CONFLICT:
        raise ConflictError("changed_meanwhile", "Somebody else changed this at the same moment. Read it again.")
    if fault is Fault.THROTTLE:
        raise TransientError("store_busy", "This could not be taken now. Try again.")
    if fault is Fault.CRASH_BEFORE:
        raise MachineDiedError


def _strike_after(fault: Fault | Exception | None) -> None:
    if fault is Fault.LOST_REPLY:
        raise TransientError("store_busy", "The answer was lost.")
    if fault is Fault.CRASH_AFTER:
        raise MachineDiedError


_INDEXES = {
    keys.AGENDA_INDEX: ("agenda_pk", "agenda_at", tuple(AgendaIndex.Meta.projection.non_key_attributes)),
    keys.OPEN_INDEX: ("open_pk", "open_sk", tuple(OpenIndex.Meta.projection.non_key_attributes)),
    keys.LISTING_INDEX: ("list_pk", "list_sk", tuple(ListingIndex.Meta.projection.non_key_attributes)),
}
"""Index → its key attributes and what it projects beside keys."""


class _Table:
    """Items by key, and by partition of each index."""

    def __init__(self) -> None:
        self.partitions: dict[str, dict[str, Raw]] = {}
        self._indexes: dict[Key, dict[Key, str]] = {}

    def get(self, key: Key) -> Raw | None:
        return self.partitions.get(key[0], {}).get(key[1])

    def put(self, raw: Raw) -> None:
        key = (raw["PK"]["S"], raw["SK"]["S"])
        self.delete(key)
        self.partitions.setdefault(key[0], {})[key[1]] = raw
        for place, position in self._places(raw):
            self._indexes.setdefault(place, {})[key] = position

    def delete(self, key: Key) -> None:
        old = self.partitions.get(key[0], {}).pop(key[1], None)
        for place, _ in self._places(old or {}):
            del self._indexes[place][key]

    def query(self, partition: str, first: str, last: str) -> list[Raw]:
        """The items of a partition whose sort keys lie between the two, both included, in their order."""
        found = self.partitions.get(partition, {})
        return [found[sk] for sk in sorted(found) if first <= sk <= last]

    def query_index(self, index: str, partition: str) -> list[Raw]:
        """The items in a partition of an index, in its order, cut down to what it projects."""
        pk, sk, projected = _INDEXES[index]
        names = {"PK", "SK", pk, sk, *projected}
        found = self._indexes.get((index, partition), {})
        rows = [self.partitions[key[0]][key[1]] for _, key in sorted((position, key) for key, position in found.items())]
        shown = [{name: value for name, value in row.items() if name in names} for row in rows]
        return [row for row in shown if "type" in row]  # PynamoDB asks for the type, which an index must therefore show

    def copy(self) -> "_Table":
        twin = _Table()
        twin.partitions = {pk: dict(items) for pk, items in self.partitions.items()}
        twin._indexes = {place: dict(found) for place, found in self._indexes.items()}
        return twin

    @staticmethod
    def _places(raw: Raw) -> Iterator[tuple[Key, str]]:
        for index, (pk, sk, _) in _INDEXES.items():
            if pk in raw and sk in raw:
                yield (index, raw[pk]["S"]), raw[sk]["S"]


class FakeBooks:
    """`Books`, `Journal` and `Agenda` in memory. See `remit.usecases.ports` for the promises."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        self.trouble = trouble or Trouble()
        self._table = _Table()
        self._behind: _Table | None = None
        self._stream: list[tuple[str, Raw, Raw | None]] = []

    # Books

    def load(self, *refs: Ref[Any], consistent: bool = True) -> Loaded:
        table = self._table if consistent else self._indexed
        with self.trouble.step("load"):
            found = {ref: raw for ref in refs if (raw := table.get(key_of(ref))) is not None}
            return Loaded({ref: _thing(raw) for ref, raw in found.items()})

    def commit(self, changes: Changes) -> None:
        if len(changes) > MAX_CHANGES:
            raise InvalidError("too_much_at_once", f"One operation writes at most {MAX_CHANGES} items.")
        records = [to_record(change) for change in changes]
        if len({(record.pk, record.sk) for record in records}) != len(records) or not records:
            raise ValueError("a transaction writes something, and each item once")
        raws = [cast(Raw, record.serialize()) for record in records]
        if any(item_bytes(raw) > MAX_ITEM_BYTES for raw in raws):
            raise InvalidError("document_too_large", "The document exceeds what the ledger stores in one piece (400 KB).")
        with self.trouble.step("commit"):
            self._check(records, changes)
            for raw in raws:
                self._write(raw)

    def _check(self, records: Sequence[Record], changes: Changes) -> None:
        """Every condition; a guard that is taken speaks first, then the others in their order."""
        guards_first = sorted(zip(records, changes, strict=True), key=lambda pair: not isinstance(pair[0], GuardRecord))
        for record, change in guards_first:
            stored = self._table.get((record.pk, record.sk))
            if record.version in (None, 1):
                if stored is not None and isinstance(record, GuardRecord):
                    raise GuardTakenError(_thing(stored))
                if stored is not None:
                    raise AlreadyExistsError(type(change).__name__, record.sk.partition("#")[2] or record.pk.partition("#")[2])
            elif stored is None or int(stored["version"]["N"]) != record.version - 1:
                raise ConflictError("changed_meanwhile", "Somebody else changed this at the same moment. Read it again.")

    def _write(self, raw: Raw) -> None:
        old = self._table.get((raw["PK"]["S"], raw["SK"]["S"]))
        self._table.put(raw)
        self._stream.append(("MODIFY" if old else "INSERT", raw, old))

    # Journal

    def open_items(self, account_id: str, currency: str | None = None, *, limit: int | None = None) -> Sequence[OpenItem]:
        currencies = [currency] if currency else [balance.currency for balance in self.account_with_balances(account_id)[1]]
        items: list[OpenItem] = []
        for each in currencies:
            partition = keys.open_partition(each, keys.shard(account_id))
            mine = [
                raw
                for raw in self._indexed.query_index(keys.OPEN_INDEX, partition)
                if raw["open_sk"]["S"].startswith(keys.open_of_account(account_id))
            ]
            items += [_thing(raw) for raw in mine[:limit]]
        return sorted(items, key=lambda item: (item.next_due or item.issued_on, item.number))

    def entries(
        self, account_id: str, currency: str, *, after: int = 0, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[JournalEntry]:
        first, last = keys.entry(account_id, currency, after + 1)[1], keys.entry(account_id, currency, 10**10 - 1)[1]
        found = self._table.query(keys.account_partition(account_id), first, last)
        for raw in (found[::-1] if newest_first else found)[:limit]:
            yield _thing(raw)

    def account_with_balances(self, account_id: str) -> tuple[Account | None, Sequence[Balance]]:
        first, last = keys.account(account_id)[1], keys.balance(account_id, "~")[1]
        things = [_thing(raw) for raw in self._table.query(keys.account_partition(account_id), first, last)]
        account = next((thing for thing in things if isinstance(thing, Account)), None)
        return account, [thing for thing in things if isinstance(thing, Balance)]

    def accounts(self, cursor: str | None, limit: int) -> tuple[list[Account], str | None]:
        listed = self._indexed.query_index(keys.LISTING_INDEX, keys.account_listing("")[0])
        found = [raw for raw in listed if raw["list_sk"]["S"] > (cursor or "")][:limit]
        return [_thing(raw) for raw in found], found[-1]["list_sk"]["S"] if len(found) == limit else None

    def newest[T](self, type: type[T], account_id: str, cursor: str | None, limit: int) -> tuple[list[T], str | None]:
        prefix = keys.PREFIX[type.__name__]
        below = f"{prefix}{cursor or '~'}"
        found = self._table.query(keys.account_partition(account_id), prefix, below)[::-1]
        found = [raw for raw in found if raw["SK"]["S"] != below][:limit]
        more = found[-1]["SK"]["S"].removeprefix(prefix) if len(found) == limit else None
        return [_thing(raw) for raw in found], more

    def series(self) -> Sequence[str]:
        return [raw["list_sk"]["S"] for raw in self._indexed.query_index(keys.LISTING_INDEX, keys.series_listing("")[0])]

    def document_numbers(self, series: str) -> Iterator[str]:
        for raw in self._indexed.query_index(keys.LISTING_INDEX, keys.document_series(series)):
            yield keys.number_of(raw["list_sk"]["S"])

    # Agenda

    def due(self, kind: AgendaKind, until: str, cursor: str | None, limit: int) -> tuple[list[DueThing], str | None]:
        due: list[DueThing] = []
        for shard in range(int(cursor or 0), keys.SHARDS):
            rows = self._indexed.query_index(keys.AGENDA_INDEX, keys.agenda(kind, shard))
            due += [
                DueThing(keys.account_id_of(raw["PK"]["S"]), keys.id_of(raw["SK"]["S"]))
                for raw in rows
                if raw["agenda_at"]["S"] <= until
            ]
            if len(due) >= limit and shard + 1 < keys.SHARDS:
                return due, str(shard + 1)
        return due, None

    # For tests

    @property
    def _indexed(self) -> _Table:
        """What the indexes and reads without consistency see."""
        return self._behind or self._table

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Inside, indexes and reads without consistency stay as they are now, whatever is written."""
        self._behind = self._table.copy()
        try:
            yield
        finally:
            self._behind = None

    def read[T](self, ref: Ref[T]) -> T:
        """The thing as it is stored; it must be there. Takes no step, so no trouble strikes."""
        raw = self._table.get(key_of(ref))
        if raw is None:
            raise LookupError(f"{ref} is not stored")
        return cast(T, _thing(raw))

    def all[T](self, type: type[T]) -> list[T]:
        """Everything of one class, in the order of keys."""
        raws = (raw for pk in sorted(self._table.partitions) for _, raw in sorted(self._table.partitions[pk].items()))
        return [thing for thing in map(_thing, raws) if isinstance(thing, type)]

    def overwrite(self, thing: Any) -> None:
        """Put a thing in its place against all rules, as no code of ours would: the tamperer's hand."""
        record = to_record(thing)
        old = self._table.get((record.pk, record.sk))
        if old is not None and any(each.name == "version" for each in fields(thing)):
            record.version = int(old["version"]["N"])
        self._table.put(cast(Raw, record.serialize()))

    def erase(self, thing: Any) -> None:
        """Delete a thing against all rules."""
        record = to_record(thing)
        self._table.delete((record.pk, record.sk))

    def expire_guards(self, now: datetime) -> None:
        """What the table's time-to-live does, sooner or later."""
        for pk, items in list(self._table.partitions.items()):
            for sk, raw in list(items.items()):
                if "expires_at" in raw and int(raw["expires_at"]["N"]) <= now.timestamp():
                    self._table.delete((pk, sk))

    def state(self) -> dict[Key, Raw]:
        """All that is stored, to compare before and after."""
        return {(pk, sk): raw for pk, items in self._table.partitions.items() for sk, raw in items.items()}

    def stream_records(self, after: int = 0) -> list[dict[str, Any]]:
        """The table's stream from the `after`-th write on, as Lambda hands it over."""
        return [
            {
                "eventName": name,
                "eventSource": "aws:dynamodb",
                "dynamodb": {"SequenceNumber": str(number), "NewImage": _wire(new)} | ({"OldImage": _wire(old)} if old else {}),
            }
            for number, (name, new, old) in enumerate(self._stream[after:], after + 1)
        ]


def _thing(raw: Raw) -> Any:
    return from_record(Record.from_raw_data(raw))


def _wire(raw: Raw) -> Raw:
    """Bytes are base64 in an event."""
    return {name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else dict(value) for name, value in raw.items()}


def item_bytes(raw: Mapping[str, Any]) -> int:
    """What an item counts for at DynamoDB: names and values in UTF-8, numbers about two digits a byte."""
    total = 0
    for name, typed in raw.items():
        ((kind, value),) = typed.items()
        total += len(name.encode())
        if kind == "N":
            total += (len(value.lstrip("-")) + 1) // 2 + 1
        else:
            total += len(value) if isinstance(value, bytes) else len(str(value).encode())
    return total


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    instant: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def set(self, instant: datetime) -> None:
        self.instant = instant

    def advance(self, **by: float) -> datetime:
        """Move by `days=`, `hours=`, `minutes=`…"""
        self.instant += timedelta(**by)
        return self.instant


@dataclass
class FakeIds:
    """Ids that count up, in the shape of real ones: unique, and sorted as they were made."""

    made: int = 0

    def new(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_{self.made:026d}"


@dataclass
class FakeGateway:
    """A `PaymentGateway` that keeps a page per payment and, like Stripe, refuses the same key with another request."""

    clock: FakeClock
    trouble: Trouble = field(default_factory=Trouble)
    name: str = "stripe"
    lifetime: timedelta = timedelta(hours=24)
    pages: dict[str, CheckoutPage] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refunds: dict[str, RefundReport] = field(default_factory=dict)
    refunds_are: RefundStatus = RefundStatus.SUCCEEDED
    _asked: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def start_checkout(self, payment: Payment, description: str, email: str, return_url: str) -> CheckoutPage:
        self.calls.append(payment.id)
        with self.trouble.step("checkout"):
            asked = (payment.amount_minor, payment.currency, payment.intended, description, email, return_url)
            if self._asked.setdefault(payment.id, asked) != asked:
                raise GatewayFailedError("gateway_failed", "The payment gateway failed. Try again.")
            page = CheckoutPage(
                f"https://pay.example/{payment.id}", f"cs_{payment.id}", self.clock.now().replace(microsecond=0) + self.lifetime
            )
            return self.pages.setdefault(payment.id, page)

    def refund(self, refund: Refund, payment: Payment, *, asked_before: bool) -> RefundReport:
        """Gives back at once, unless `refunds_are` says otherwise; Σ refunds of a payment never exceed its amount."""
        with self.trouble.step("refund"):
            if refund.id not in self.refunds:
                given = sum(made.amount_minor for made in self.refunds.values() if made.payment_id == payment.id)
                if given + refund.amount_minor > payment.amount_minor:
                    raise RuleError("gateway_refused", "The payment gateway refused: charge_already_refunded.")
                self.refunds[refund.id] = RefundReport(
                    refund_id=refund.id,
                    account_id=refund.account_id,
                    payment_id=payment.id,
                    status=self.refunds_are,
                    amount_minor=refund.amount_minor,
                    currency=refund.currency,
                    occurred_at=self.clock.now(),
                    gateway_id=f"re_{refund.id}",
                )
            return self.refunds[refund.id]

    def payment_of(self, transaction_id: str) -> PaymentName | None:
        return None


@dataclass(frozen=True, slots=True)
class Mail:
    """What was handed over to the mail provider."""

    to: str
    subject: str
    text: str
    message_id: str


@dataclass
class FakeMailer:
    """A `Mailer` that keeps what it was given. Addresses in `refused` are refused for good."""

    trouble: Trouble = field(default_factory=Trouble)
    sent: list[Mail] = field(default_factory=list)
    refused: dict[str, RemitError] = field(default_factory=dict)

    def send(self, to: str, subject: str, html: str, text: str, message_id: str) -> str:
        if to in self.refused:
            raise self.refused[to]
        with self.trouble.step("send"):
            self.sent.append(Mail(to, subject, text, message_id))
            return f"provider-{len(self.sent)}"


@dataclass
class FakeLetters:
    """`Letters` of one line each; the model says what the real ones would print."""

    written: list[str] = field(default_factory=list)

    def invoice(self, firm: Firm, account: Account, invoice: Invoice, item: OpenItem, now: datetime) -> Letter:
        return self._letter("invoice_issued", {"number": invoice.number, "open_minor": item.open_minor})

    def receipt(self, firm: Firm, account: Account, payment: Payment, invoices: Sequence[OpenItem], now: datetime) -> Letter:
        paid = {item.number: item.open_minor for item in invoices}
        return self._letter("payment_received", {"amount_minor": payment.amount_minor, "invoices": paid})

    def dunning(self, firm: Firm, account: Account, notice: Notice, now: datetime) -> Letter:
        overdue = [item.number for item in notice.items]
        return self._letter(notice.tier.template, {"overdue": overdue, "net_minor": dict(notice.net_minor)})

    def _letter(self, template: str, model: dict[str, Any]) -> Letter:
        self.written.append(template)
        text = msgspec.json.encode(model).decode()
        return Letter(template, f"{template}-1", f"{template}: {text}", f"<p>{text}</p>", text, model)
