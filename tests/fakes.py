"""Fakes of what the use cases need from the world, with the same promises as the real adapters, in memory.

`FakeBooks` is the ledger's store: `Books`, `Journal` and `Agenda` in one. It keeps things in the very form in which
the table does (mapped to records and serialised), so that nothing stored is shared with its caller, and what comes
back has been through the same conversions. Its conditions, the order in which they speak, its limits, and what an
index shows of an item are those of DynamoDB.

`Trouble` is how things go wrong: lost races, throttles, lost replies, and machines that die before or after a step.
All fakes of one scene share one, so that a test can let the n-th step fail, whatever it is.
"""

import base64
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import msgspec

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.mapping import from_record, key_of, to_record
from remit.adapters.dynamodb.readable import readable
from remit.adapters.dynamodb.records import AgendaIndex, GuardRecord, ListingIndex, OpenIndex, Record
from remit.domain.accounts import Account, SavedMethod
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.dunning import DueReminder, Notice
from remit.domain.errors import ConflictError, GatewayFailedError, InvalidError, RemitError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.journal import Balance, JournalEntry
from remit.domain.mail_templates import MailTemplate
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.payments import GatewayReport, Payment, PaymentStatus
from remit.domain.plans import Plan
from remit.domain.refunds import Refund, RefundReport, RefundStatus
from remit.domain.summaries import OpenInvoices, RecentTransactions, SummarySchedule
from remit.domain.terms import Method
from remit.usecases import idempotency
from remit.usecases.guards import AlreadyExistsError, GuardTakenError
from remit.usecases.ports import AgendaKind, Changes, CheckoutPage, DueThing, Letter, Loaded, Payer, PaymentName, Ref, RetryPlan

type Key = tuple[str, str]
type Raw = dict[str, Any]
"""An item as DynamoDB has it: attribute name → {type: value}. Never changed once it is stored."""

MAX_CHANGES = 100
PAGE_ITEMS = 3
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

    Steps are named `load`, `commit`, `send`, and after what is asked of the gateway: `checkout`, `charge`, `capture`, `refund`…
    A plan without a name counts all but loads.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        """Every step taken, in order, whether it went well or not."""
        self.turn: Callable[[str], object] | None = None
        """Called before each step with its name: where a machine stops that moves only when it is let."""
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
        if self.turn:
            self.turn(name)
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


_LAST = "\U0010ffff"
"""Sorts after every character of a key."""

type _Position = tuple[str, Key]
"""Where an index has an item: by the index's sort key, then by the item's own key."""


class _Table:
    """Items by key, and by partition of each index; all of them kept in order, so that a query costs what it returns."""

    def __init__(self) -> None:
        self.partitions: dict[str, dict[str, Raw]] = {}
        self._sorted: dict[str, list[str]] = {}
        self._indexes: dict[Key, list[_Position]] = {}
        self.before: dict[Key, Raw | None] | None = None
        """While something looks at how the table was: what has been written since, as it was before."""

    def get(self, key: Key) -> Raw | None:
        return self.partitions.get(key[0], {}).get(key[1])

    def put(self, raw: Raw) -> None:
        key = (raw["PK"]["S"], raw["SK"]["S"])
        old = self._replaced(key)
        partition = self.partitions.setdefault(key[0], {})
        if old is None:
            insort(self._sorted.setdefault(key[0], []), key[1])
        partition[key[1]] = raw
        for place, position in _places(raw):
            insort(self._indexes.setdefault(place, []), (position, key))

    def delete(self, key: Key) -> None:
        if self._replaced(key) is not None:
            del self.partitions[key[0]][key[1]]
            self._sorted[key[0]].remove(key[1])

    def _replaced(self, key: Key) -> Raw | None:
        """Take the item that is about to go out of the indexes, and remember it."""
        old = self.get(key)
        if self.before is not None:
            self.before.setdefault(key, old)
        for place, position in _places(old or {}):
            positions = self._indexes[place]
            del positions[bisect_left(positions, (position, key))]
        return old

    def query(self, partition: str, first: str, last: str) -> list[Raw]:
        """The items of a partition whose sort keys lie between the two, both included, in their order."""
        found, order = self.partitions.get(partition, {}), self._sorted.get(partition, [])
        return [found[sk] for sk in order[bisect_left(order, first) : bisect_right(order, last)]]

    def query_index(self, index: str, partition: str, first: str = "", last: str = "") -> list[Raw]:
        """The items in a partition of an index, in its order, cut down to what it projects.

        From sort key `first` to those that start with `last`, both included.
        """
        found = self.positions((index, partition), first, last)
        return _shown(index, (self.partitions[key[0]][key[1]] for _, key in found))

    def positions(self, place: Key, first: str, last: str) -> list[_Position]:
        found = self._indexes.get(place, [])
        return found[bisect_left(found, (first,)) : bisect_right(found, (f"{last}{_LAST}",))]


class _Past:
    """A table as it was when this began to look, whatever is written since: what a lagging index shows."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._before: dict[Key, Raw | None] = {}
        table.before = self._before

    def get(self, key: Key) -> Raw | None:
        return self._before[key] if key in self._before else self._table.get(key)

    def show(self, raw: Raw) -> None:
        """Let this older version of an item be what is seen."""
        self._before[raw["PK"]["S"], raw["SK"]["S"]] = raw

    def query(self, partition: str, first: str, last: str) -> list[Raw]:
        now = {raw["SK"]["S"] for raw in self._table.query(partition, first, last)}
        then = {sk for pk, sk in self._before if pk == partition and first <= sk <= last}
        return [raw for sk in sorted(now | then) if (raw := self.get((partition, sk))) is not None]

    def query_index(self, index: str, partition: str, first: str = "", last: str = "") -> list[Raw]:
        place = (index, partition)
        rows = [each for each in self._table.positions(place, first, last) if each[1] not in self._before]
        for key, old in self._before.items():
            rows += [(at, key) for where, at in _places(old or {}) if where == place and first <= at <= f"{last}{_LAST}"]
        return _shown(index, (raw for _, key in sorted(rows) if (raw := self.get(key)) is not None))


def _places(raw: Raw) -> Iterator[tuple[Key, str]]:
    for index, (pk, sk, _) in _INDEXES.items():
        if pk in raw and sk in raw:
            yield (index, raw[pk]["S"]), raw[sk]["S"]


def _shown(index: str, rows: Iterable[Raw]) -> list[Raw]:
    """The rows cut down to what the index projects. PynamoDB asks for the type, which an index must therefore show."""
    pk, sk, projected = _INDEXES[index]
    names = ("PK", "SK", pk, sk, *projected)
    return [{name: row[name] for name in names if name in row} for row in rows] if "type" in projected else []


class FakeBooks:
    """`Books`, `Journal` and `Agenda` in memory. See `remit.usecases.ports` for the promises."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        self.trouble = trouble or Trouble()
        self._table = _Table()
        self._behind: _Past | None = None
        self._stream: list[tuple[str, Raw, Raw | None]] = []

    # Books

    def load(self, *refs: Ref[Any], consistent: bool = True) -> Loaded:
        table = self._table if consistent else self._indexed
        with self.trouble.step("load"):
            found = {ref: raw for ref in refs if (raw := table.get(key_of(ref))) is not None}
            return Loaded({ref: thing_of(raw) for ref, raw in found.items()})

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
                    raise GuardTakenError(thing_of(stored))
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
            of_account = keys.open_of_account(account_id)
            mine = self._indexed.query_index(keys.OPEN_INDEX, partition, of_account, of_account)
            items += [thing_of(raw) for raw in mine[:limit]]
        return sorted(items, key=lambda item: (item.next_due or item.issued_on, item.number))

    def entries(
        self,
        account_id: str,
        currency: str,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[JournalEntry]:
        first, last = keys.entry(account_id, currency, after + 1)[1], keys.entry(account_id, currency, (before or 10**10) - 1)[1]
        found = self._table.query(keys.account_partition(account_id), first, last)
        for raw in (found[::-1] if newest_first else found)[:limit]:
            yield thing_of(raw)

    def account_with_balances(self, account_id: str, *, consistent: bool = True) -> tuple[Account | None, Sequence[Balance]]:
        first, last = keys.account(account_id)[1], keys.balance(account_id, "~")[1]
        table = self._table if consistent else self._indexed
        things = [thing_of(raw) for raw in table.query(keys.account_partition(account_id), first, last)]
        account = next((thing for thing in things if isinstance(thing, Account)), None)
        return account, [thing for thing in things if isinstance(thing, Balance)]

    def accounts(self, cursor: str | None, limit: int) -> tuple[list[Account], str | None]:
        listed = self._indexed.query_index(keys.LISTING_INDEX, keys.account_listing("")[0])
        found = [raw for raw in listed if raw["list_sk"]["S"] > (cursor or "")][:limit]
        return [thing_of(raw) for raw in found], found[-1]["list_sk"]["S"] if len(found) == limit else None

    def account_ids(self) -> Iterator[str]:
        return (raw["list_sk"]["S"] for raw in self._indexed.query_index(keys.LISTING_INDEX, keys.account_listing("")[0]))

    def plans(self, cursor: str | None, limit: int) -> tuple[list[Plan], str | None]:
        listed = self._indexed.query_index(keys.LISTING_INDEX, keys.plan_listing("")[0])
        found = [raw for raw in listed if raw["list_sk"]["S"] > (cursor or "")][:limit]
        return [thing_of(raw) for raw in found], found[-1]["list_sk"]["S"] if len(found) == limit else None

    def everything(self, account_id: str) -> Iterator[Any]:
        """In pages, each of which is a `load`: others may write between two of them."""
        after = ""
        while True:
            with self.trouble.step("load"):
                found = self._table.query(keys.account_partition(account_id), after, "~")
                page = [raw for raw in found if raw["SK"]["S"] != after][:PAGE_ITEMS]
            yield from (readable(Record.from_raw_data(raw)) for raw in page)
            if len(page) < PAGE_ITEMS:
                return
            after = page[-1]["SK"]["S"]

    def newest[T](self, type: type[T], account_id: str, cursor: str | None, limit: int) -> tuple[list[T], str | None]:
        if issubclass(type, Message):
            return self._newest_messages(account_id, cursor, limit)
        prefix = keys.PREFIX[type.__name__]
        below = f"{prefix}{cursor or '~'}"
        found = self._table.query(keys.account_partition(account_id), prefix, below)[::-1]
        found = [raw for raw in found if raw["SK"]["S"] != below][:limit]
        more = found[-1]["SK"]["S"].removeprefix(prefix) if len(found) == limit else None
        return [thing_of(raw) for raw in found], more

    def versions(self, key: str, cursor: str | None, limit: int) -> tuple[list[MailTemplate], str | None]:
        found = self._table.query(keys.mail_template_partition(key), "", cursor or _LAST)[::-1]
        rows = [raw for raw in found if raw["SK"]["S"] != cursor][:limit]
        return [thing_of(raw) for raw in rows], rows[-1]["SK"]["S"] if len(rows) == limit else None

    def _newest_messages(self, account_id: str, cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
        listed = self._indexed.query_index(keys.LISTING_INDEX, keys.message_partition(account_id))[::-1]
        rows = [raw for raw in listed if cursor is None or raw["list_sk"]["S"] < cursor][:limit]
        found = [self._table.get((raw["PK"]["S"], raw["SK"]["S"])) for raw in rows]
        return [thing_of(raw) for raw in found if raw], rows[-1]["list_sk"]["S"] if len(rows) == limit else None

    def listed(self, partition: str) -> list[Any]:
        """The things in a partition of the listing index, in its order."""
        return [thing_of(raw) for raw in self._indexed.query_index(keys.LISTING_INDEX, partition)]

    def series(self) -> Sequence[str]:
        return [raw["list_sk"]["S"] for raw in self._indexed.query_index(keys.LISTING_INDEX, keys.series_listing("")[0])]

    def document_numbers(self, series: str) -> Iterator[str]:
        for raw in self._indexed.query_index(keys.LISTING_INDEX, keys.document_series(series)):
            yield keys.number_of(raw["list_sk"]["S"])

    def invoiced_accounts(self, series: str) -> Iterator[str]:
        for raw in self._indexed.query_index(keys.LISTING_INDEX, keys.document_series(series)):
            if keys.is_of_account(raw["PK"]["S"]):
                yield keys.account_id_of(raw["PK"]["S"])

    def unfinished_batches(self) -> Sequence[str]:
        rows = self._indexed.query_index(keys.AGENDA_INDEX, keys.agenda(AgendaKind.INVOICE_BATCH, keys.shard("")))
        return [keys.id_of(raw["SK"]["S"]) for raw in rows]

    def summary_schedules(self) -> Sequence[SummarySchedule]:
        rows = self._indexed.query_index(keys.LISTING_INDEX, keys.summary_schedule_listing("")[0])
        return [thing_of(raw) for raw in rows]

    def enrolled_accounts(self, schedule_id: str, cursor: str | None, limit: int) -> tuple[list[str], str | None]:
        listed = self._indexed.query_index(keys.LISTING_INDEX, keys.enrolled_in(schedule_id))
        found = [raw["list_sk"]["S"] for raw in listed if raw["list_sk"]["S"] > (cursor or "")][:limit]
        return found, found[-1] if len(found) == limit else None

    # Agenda

    def due(self, kind: AgendaKind, until: str, cursor: str | None, limit: int) -> tuple[list[DueThing], str | None]:
        first, behind = keys.agenda_place_of(cursor) if cursor else (0, None)
        due: list[DueThing] = []
        for shard in range(first, keys.SHARDS):
            for raw in self._indexed.query_index(keys.AGENDA_INDEX, keys.agenda(kind, shard), last=until):
                at, pk, sk = (raw[name]["S"] for name in ("agenda_at", "PK", "SK"))
                if behind and (at, pk, sk) <= behind:
                    continue
                due.append(DueThing(*keys.owner_and_id(pk, sk)))
                if len(due) == limit:
                    return due, keys.agenda_place(shard, at, pk, sk)
            behind = None
        return due, None

    # For tests

    @property
    def _indexed(self) -> _Table | _Past:
        """What the indexes and reads without consistency see."""
        return self._behind or self._table

    @property
    def is_lagging(self) -> bool:
        return self._behind is not None

    @contextmanager
    def lagging(self, *older: Raw) -> Iterator[None]:
        """Inside, indexes and reads without consistency stay as they are now, whatever is written; of `older` items they
        even show these versions."""
        self._behind = _Past(self._table)
        for raw in older:
            self._behind.show(raw)
        try:
            yield
        finally:
            self._behind = self._table.before = None

    def read[T](self, ref: Ref[T]) -> T:
        """The thing as it is stored; it must be there. Takes no step, so no trouble strikes."""
        raw = self._table.get(key_of(ref))
        if raw is None:
            raise LookupError(f"{ref} is not stored")
        return cast(T, thing_of(raw))

    def all[T](self, type: type[T]) -> list[T]:
        """Everything of one class, in the order of keys."""
        raws = (raw for pk in sorted(self._table.partitions) for _, raw in sorted(self._table.partitions[pk].items()))
        wanted = (raw for raw in raws if issubclass(_CLASSES.get(raw["type"]["S"], type), type))
        return [thing for thing in map(thing_of, wanted) if isinstance(thing, type)]

    def overwrite(self, thing: Any) -> None:
        """Put a thing in its place against all rules, as no code of ours would: the tamperer's hand."""
        record = to_record(thing)
        old = self._table.get((record.pk, record.sk))
        if old is not None and any(each.name == "version" for each in fields(thing)):
            record.version = int(old["version"]["N"])
        self._table.put(cast(Raw, record.serialize()))

    def put_raw(self, raw: Raw) -> None:
        """Put an item in its place as it is, unseen by the stream."""
        self._table.put(raw)

    def body_of(self, thing: Any) -> Any:
        """The JSON body of a stored thing, as data."""
        record = to_record(thing)
        return msgspec.json.decode(self._table.partitions[record.pk][record.sk]["body"]["S"])

    def overwrite_body(self, thing: Any, body: Any) -> None:
        """Put another JSON body into a stored thing, whether or not such a thing can be."""
        record = to_record(thing)
        raw = self._table.partitions[record.pk][record.sk]
        self._table.put(raw | {"body": {"S": msgspec.json.encode(body).decode()}})

    def damage(self, thing: Any) -> None:
        """Garble what a stored thing holds beside its key and its index."""
        record = to_record(thing)
        raw = self._table.partitions[record.pk][record.sk]
        garbled = {"body": {"S": "{"}, "deflated": {"B": b"?"}, "dunning": {"S": "{"}}
        self._table.put(raw | {name: value for name, value in garbled.items() if name in raw})

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


_CLASSES: dict[str, type] = {}
"""Type of an item → the class of what is stored in it, as far as any was looked at: a type holds one class."""


def thing_of(raw: Raw) -> Any:
    """The domain object in a stored item, made anew: nothing stored is shared with whoever reads it."""
    thing = from_record(Record.from_raw_data(raw))
    _CLASSES[raw["type"]["S"]] = type(thing)
    return thing


def _wire(raw: Raw) -> Raw:
    """Bytes are base64 in an event."""
    return {name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else dict(value) for name, value in raw.items()}


@contextmanager
def no_waiting(meanwhile: Callable[[], object] = lambda: None) -> Iterator[list[float]]:
    """Inside, the pauses between attempts are noted, in seconds, instead of waited for; `meanwhile` is what happens in them.

    Every retry loop of the use cases pauses through `idempotency.pause`, whose `time.sleep` is their one place of real
    time. Whatever runs over these fakes takes it away here.
    """
    noted: list[float] = []

    def sleep(seconds: float) -> None:
        noted.append(seconds)
        meanwhile()

    with patch.object(idempotency, "time", SimpleNamespace(sleep=sleep)):
        yield noted


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
    closed: list[str] = field(default_factory=list)
    completed: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    outcomes: dict[str, tuple[PaymentStatus, str | None, bool]] = field(default_factory=dict)
    charged: dict[str, PaymentStatus] = field(default_factory=dict)
    failures: dict[str, tuple[str | None, bool]] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    names: dict[str, PaymentName] = field(default_factory=dict)
    refunds: dict[str, RefundReport] = field(default_factory=dict)
    refunds_are: RefundStatus = RefundStatus.SUCCEEDED
    _asked: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def start_checkout(self, payment: Payment, description: str, payer: Payer, return_url: str) -> CheckoutPage:
        self.calls.append(payment.id)
        with self.trouble.step("checkout"):
            asked = (payment.amount_minor, payment.currency, payment.intended, description, payer, return_url)
            if self._asked.setdefault(payment.id, asked) != asked:
                raise GatewayFailedError("gateway_failed", "The payment gateway failed. Try again.")
            page = CheckoutPage(
                f"https://pay.example/{payment.id}", f"cs_{payment.id}", self.clock.now().replace(microsecond=0) + self.lifetime
            )
            return self.pages.setdefault(payment.id, page)

    # Pages and methods

    def expire_checkout(self, payment: Payment) -> bool:
        with self.trouble.step("expire"):
            if payment.id in self.completed:
                return False
            self.closed.append(payment.id)
            return True

    def create_customer(self, account: Account) -> str:
        with self.trouble.step("customer"):
            return f"cus_{account.id}"

    def start_setup(self, setup_id: str, account_id: str, customer_id: str, currency: str, return_url: str) -> CheckoutPage:
        with self.trouble.step("setup"):
            page = CheckoutPage(f"https://pay.example/{setup_id}", f"cs_{setup_id}", self.clock.now() + self.lifetime)
            return self.pages.setdefault(setup_id, page)

    def saved_method(self, method_id: str, saved_at: datetime) -> SavedMethod | None:
        with self.trouble.step("method"):
            if method_id in self.forgotten:
                return None
            kind = Method.BANK_DEBIT if "debit" in method_id else Method.CARD
            return SavedMethod(method_id, self.name, kind, "visa 4242", saved_at, "2030-01")

    def forget_method(self, method_id: str) -> None:
        with self.trouble.step("forget"):
            self.forgotten.add(method_id)

    # Charges: what a method brings is planned in `outcomes`; the same key again gets the same answer.

    def charge(self, payment: Payment, customer_id: str, description: str, now: datetime) -> GatewayReport:
        self.calls.append(payment.id)
        with self.trouble.step("charge"):
            status, failure, hard = self.outcomes.get(payment.saved_method or "", (PaymentStatus.SUCCEEDED, None, False))
            if status is PaymentStatus.SUCCEEDED and payment.capture_later:
                status = PaymentStatus.AUTHORIZED
            self.charged.setdefault(payment.id, status)
            self.failures.setdefault(payment.id, (failure, hard))
            return self._report(payment, now)

    def look_up(self, payment: Payment, now: datetime) -> GatewayReport | None:
        with self.trouble.step("look_up"):
            return self._report(payment, now) if payment.id in self.charged else None

    def capture(self, payment: Payment, now: datetime) -> GatewayReport:
        with self.trouble.step("capture"):
            if self.charged[payment.id] is PaymentStatus.CANCELED:
                raise RuleError("gateway_refused", "The authorisation has expired.")
            self.charged[payment.id] = PaymentStatus.SUCCEEDED
            self.captured[payment.id] = payment.capture_minor or payment.amount_minor
            return self._report(payment, now)

    def cancel(self, payment: Payment, now: datetime) -> GatewayReport:
        with self.trouble.step("cancel"):
            self.charged[payment.id] = PaymentStatus.CANCELED
            return self._report(payment, now)

    def payment_of(self, transaction_id: str) -> PaymentName | None:
        with self.trouble.step("payment_of"):
            return self.names.get(transaction_id)

    def _report(self, payment: Payment, now: datetime) -> GatewayReport:
        status = self.charged[payment.id]
        failure, hard = self.failures.get(payment.id, (None, False)) if status is PaymentStatus.FAILED else (None, False)
        return GatewayReport(
            payment_id=payment.id,
            account_id=payment.account_id,
            status=status,
            amount_minor=self.captured.get(payment.id, payment.amount_minor),
            currency=payment.currency,
            occurred_at=now,
            invoice_ids=tuple(allocation.invoice_id for allocation in payment.intended),
            gateway_ids=(f"pi_{payment.id}",),
            failure=failure,
            is_hard_failure=hard,
            authorized_until=payment.created_at + timedelta(days=7) if status is PaymentStatus.AUTHORIZED else None,
        )

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


@dataclass(frozen=True, slots=True)
class Mail:
    """What was handed over to the mail provider."""

    to: str
    subject: str
    text: str
    message_id: str
    html: str = ""


@dataclass
class FakeMailer:
    """A `Mailer` that keeps what it was given. Addresses in `refused` are refused for good."""

    trouble: Trouble = field(default_factory=Trouble)
    sent: list[Mail] = field(default_factory=list)
    refused: dict[str, RemitError] = field(default_factory=dict)

    def send(self, to: str, subject: str, html: str, text: str, message_id: str, account_id: str) -> str:
        if to in self.refused:
            raise self.refused[to]
        with self.trouble.step("send"):
            self.sent.append(Mail(to, subject, text, message_id, html))
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
        overdue = [item.number for item in notice.parts]
        return self._letter(notice.tier.template, {"overdue": overdue, "net_minor": dict(notice.net_minor)})

    def reminder(self, firm: Firm, account: Account, due: DueReminder, now: datetime) -> Letter:
        parts = {part.number: part.part.open_minor for part in due.parts}
        return self._letter(due.reminder.template, {"offset_days": due.reminder.offset_days, "parts": parts})

    def summary(self, firm: Firm, account: Account, summary: OpenInvoices | RecentTransactions, now: datetime) -> Letter:
        if isinstance(summary, OpenInvoices):
            totals = {total.currency: total.open_minor for total in summary.totals}
            return self._letter("account_summary_open", {"open": [row.number for row in summary.rows], "totals": totals})
        told = {
            each.currency: [each.opening_minor, *(row.amount_minor for row in each.transactions), each.closing_minor]
            for each in summary.statements
        }
        return self._letter("account_summary_transactions", {"told": told, "numbers": sorted(summary.numbers.values())})

    def payment_failed(
        self, firm: Firm, account: Account, payment: Payment, items: Sequence[OpenItem], plan: RetryPlan, now: datetime
    ) -> Letter:
        open_minor = {item.number: item.open_minor for item in items}
        next_on = plan.next_attempt_on.isoformat() if plan.next_attempt_on else None
        return self._letter("payment_failed", {"open": open_minor, "next_attempt_on": next_on, "must_act": plan.must_act})

    def card_expiring(self, firm: Firm, account: Account, method: SavedMethod) -> Letter:
        return self._letter("card_expiring", {"card": method.label, "expires": method.expires})

    def refund_made(self, firm: Firm, account: Account, refund: Refund, made_on: date) -> Letter:
        return self._letter("refund_made", {"amount_minor": refund.amount_minor, "made_on": made_on.isoformat()})

    def credit_issued(self, firm: Firm, account: Account, credit: Credit) -> Letter:
        return self._letter("credit_issued", {"amount_minor": credit.gross_minor})

    def credit_note_issued(self, firm: Firm, account: Account, note: CreditNote) -> Letter:
        return self._letter("credit_issued", {"number": note.number, "amount_minor": note.gross_minor})

    def _letter(self, template: str, model: dict[str, Any]) -> Letter:
        self.written.append(template)
        text = msgspec.json.encode(model).decode()
        return Letter(template, f"{template}-1", f"{template}: {text}", f"<p>{text}</p>", text, model)
