"""`Books` and `Journal` over the one DynamoDB table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import TableConnection
from pynamodb.exceptions import PutError, PynamoDBException, TransactWriteError
from pynamodb.transactions import TransactWrite

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.mapping import from_record, key_of, to_record
from remit.adapters.dynamodb.readable import readable
from remit.adapters.dynamodb.records import (
    AgendaIndex,
    GuardRecord,
    ListingIndex,
    OpenIndex,
    OpenItemRecord,
    Record,
)
from remit.domain.accounts import Account
from remit.domain.errors import ConflictError, InvalidError, TransientError
from remit.domain.journal import Balance, JournalEntry
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.plans import Plan
from remit.domain.summaries import SummarySchedule
from remit.usecases.guards import AlreadyExistsError, GuardTakenError
from remit.usecases.ports import AgendaKind, Changes, DueThing, Loaded, Ref

_BUSY = {
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_MAX_ITEMS_PER_TRANSACTION = 100


def connection() -> TableConnection:
    """The one connection that all record classes share. Made on the base class, so that the others inherit it."""
    return Record._get_connection()


class DynamoBooks:
    """The ledger's store. See `usecases.ports.Books` for the promises."""

    def load(self, *refs: Ref[Any], consistent: bool = True) -> Loaded:
        connection()
        by_key = {key_of(ref): ref for ref in refs}
        with reading():
            records = list(Record.batch_get(list(by_key), consistent_read=consistent))
        return Loaded({by_key[(record.pk, record.sk)]: from_record(record) for record in records})

    def commit(self, changes: Changes) -> None:
        connection()
        if len(changes) > _MAX_ITEMS_PER_TRANSACTION:
            raise InvalidError("too_much_at_once", f"One operation writes at most {_MAX_ITEMS_PER_TRANSACTION} items.")
        written = [to_record(change) for change in changes]
        if len(written) == 1:
            self._put(written[0])
        else:
            self._transact(written)

    def _put(self, record: Record) -> None:
        try:
            record.save(condition=_condition(record))
        except PutError as error:
            if _code(error) == "ConditionalCheckFailedException":
                raise _lost(record, None) from error
            raise translate(error) from error

    def _transact(self, written: Sequence[Record]) -> None:
        try:
            with TransactWrite(connection=connection().connection) as transaction:
                for record in written:
                    transaction.save(record, condition=_condition(record), return_values="ALL_OLD")
        except TransactWriteError as error:
            # Puts only, so the reasons stand in the order of the puts. The guard speaks before all others: if it
            # is taken, whatever else failed is only a consequence of the first time.
            failed = [
                (record, reason)
                for record, reason in zip(written, error.cancellation_reasons, strict=False)
                if reason and reason.code == "ConditionalCheckFailed"
            ]
            for record, reason in sorted(failed, key=lambda pair: not isinstance(pair[0], GuardRecord)):
                raise _lost(record, reason.raw_item if reason else None) from error
            raise translate(error) from error


class DynamoJournal:
    """Reads over many items. See `usecases.ports.Journal`."""

    def open_items(self, account_id: str, currency: str | None = None, *, limit: int | None = None) -> Sequence[OpenItem]:
        currencies = [currency] if currency else [balance.currency for balance in self.account_with_balances(account_id)[1]]
        items: list[OpenItem] = []
        with reading():
            for each in currencies:
                items += [
                    from_record(record)
                    for record in Record.open_index.query(
                        keys.open_partition(each, keys.shard(account_id)),
                        OpenIndex.open_sk.startswith(keys.open_of_account(account_id)),
                        limit=limit,
                    )
                    if isinstance(record, OpenItemRecord)
                ]
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
        connection()
        if before is not None and before <= after + 1:
            return
        first = keys.entry(account_id, currency, after + 1)[1]
        last = keys.entry(account_id, currency, (before or 10**10) - 1)[1]
        with reading():
            found = Record.query(
                keys.account_partition(account_id),
                Record.sk.between(first, last),
                consistent_read=True,
                scan_index_forward=not newest_first,
                limit=limit,
            )
            for record in islice(found, limit):
                yield from_record(record)

    def account_with_balances(self, account_id: str, *, consistent: bool = True) -> tuple[Account | None, Sequence[Balance]]:
        connection()
        first, last = keys.account(account_id)[1], keys.balance(account_id, "~")[1]
        with reading():
            found = Record.query(keys.account_partition(account_id), Record.sk.between(first, last), consistent_read=consistent)
            things = [from_record(record) for record in found]
        account = next((thing for thing in things if isinstance(thing, Account)), None)
        return account, [thing for thing in things if isinstance(thing, Balance)]

    def accounts(self, cursor: str | None, limit: int) -> tuple[list[Account], str | None]:
        connection()
        partition = keys.account_listing("")[0]
        after = ListingIndex.list_sk > cursor if cursor else None
        with reading():
            found = list(Record.listing_index.query(partition, after, limit=limit))
        return [from_record(record) for record in found], found[-1].list_sk if len(found) == limit else None

    def account_ids(self) -> Iterator[str]:
        connection()
        with reading():
            for record in Record.listing_index.query(keys.account_listing("")[0], attributes_to_get=["type", "list_sk"]):
                yield record.list_sk

    def plans(self, cursor: str | None, limit: int) -> tuple[list[Plan], str | None]:
        connection()
        after = ListingIndex.list_sk > cursor if cursor else None
        with reading():
            found = list(Record.listing_index.query(keys.plan_listing("")[0], after, limit=limit))[:limit]
        return [from_record(record) for record in found], found[-1].list_sk if len(found) == limit else None

    def everything(self, account_id: str) -> Iterator[Any]:
        connection()
        with reading():
            for record in Record.query(keys.account_partition(account_id), consistent_read=True):
                yield readable(record)

    def newest[T](self, type: type[T], account_id: str, cursor: str | None, limit: int) -> tuple[list[T], str | None]:
        """`cursor` is the id of the last one shown: ids sort by time. For messages it is the last one's place in the listing."""
        connection()
        if issubclass(type, Message):
            return self._newest_messages(account_id, cursor, limit)
        prefix = keys.PREFIX[type.__name__]
        below = f"{prefix}{cursor}" if cursor else f"{prefix}~"
        with reading():
            found = list(
                Record.query(
                    keys.account_partition(account_id),
                    Record.sk.between(prefix, below),
                    scan_index_forward=False,
                    limit=limit + (1 if cursor else 0),
                    consistent_read=True,
                )
            )
        found = [record for record in found if record.sk != below][:limit]
        more = found[-1].sk.removeprefix(prefix) if len(found) == limit else None
        return [from_record(record) for record in found], more

    def _newest_messages(self, account_id: str, cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
        partition = keys.message_partition(account_id)
        before = ListingIndex.list_sk < cursor if cursor else None
        with reading():
            listed = list(Record.listing_index.query(partition, before, scan_index_forward=False, limit=limit))[:limit]
            wanted = [(record.pk, record.sk) for record in listed]
            found = {(record.pk, record.sk): from_record(record) for record in Record.batch_get(wanted, consistent_read=True)}
        return [found[key] for key in wanted if key in found], listed[-1].list_sk if len(listed) == limit else None

    def series(self) -> Sequence[str]:
        connection()
        with reading():
            return [record.list_sk for record in Record.listing_index.query(keys.series_listing("")[0])]

    def document_numbers(self, series: str) -> Iterator[str]:
        connection()
        with reading():
            for record in Record.listing_index.query(keys.document_series(series)):
                yield keys.number_of(record.list_sk)

    def invoiced_accounts(self, series: str) -> Iterator[str]:
        connection()
        with reading():
            for record in Record.listing_index.query(keys.document_series(series), attributes_to_get=["type", "PK"]):
                if keys.is_of_account(record.pk):
                    yield keys.account_id_of(record.pk)

    def unfinished_batches(self) -> Sequence[str]:
        connection()
        with reading():
            return [
                keys.id_of(record.sk)
                for record in Record.agenda_index.query(keys.agenda(AgendaKind.INVOICE_BATCH, keys.shard("")))
            ]

    def summary_schedules(self) -> Sequence[SummarySchedule]:
        connection()
        with reading():
            return [from_record(record) for record in Record.listing_index.query(keys.summary_schedule_listing("")[0])]

    def enrolled_accounts(self, schedule_id: str, cursor: str | None, limit: int) -> tuple[list[str], str | None]:
        connection()
        after = ListingIndex.list_sk > cursor if cursor else None
        with reading():
            rows = Record.listing_index.query(
                keys.enrolled_in(schedule_id), after, limit=limit, attributes_to_get=["type", "list_sk"]
            )
            found = [record.list_sk for record in rows]
        return found, found[-1] if len(found) == limit else None


class DynamoAgenda:
    """The agenda index. See `usecases.ports.Agenda`."""

    def due(self, kind: AgendaKind, until: str, cursor: str | None, limit: int) -> tuple[list[DueThing], str | None]:
        """`cursor` is the place of the last thing returned: what is moved on meanwhile shifts nothing."""
        connection()
        first, behind = keys.agenda_place_of(cursor) if cursor else (0, None)
        due: list[DueThing] = []
        with reading():
            for shard in range(first, keys.SHARDS):
                partition = keys.agenda(kind, shard)
                found = Record.agenda_index.query(
                    partition,
                    AgendaIndex.agenda_at <= until,
                    limit=limit - len(due),
                    last_evaluated_key=_agenda_key(partition, *behind) if behind else None,
                )
                for record in found:
                    due.append(DueThing(*keys.owner_and_id(record.pk, record.sk)))
                    if len(due) == limit:
                        return due, keys.agenda_place(shard, record.agenda_at, record.pk, record.sk)
                behind = None
        return due, None


def _agenda_key(partition: str, at: str, pk: str, sk: str) -> dict[str, dict[str, str]]:
    """The key behind which a query of the agenda goes on."""
    return {"agenda_pk": {"S": partition}, "agenda_at": {"S": at}, "PK": {"S": pk}, "SK": {"S": sk}}


def _condition(record: Record) -> Any:
    """A first version, and what is written once, must not exist; a later version must follow the one before."""
    if record.version in (None, 1):
        return Record.pk.does_not_exist()
    return Record.version == record.version - 1


def _lost(record: Record, raw: dict[str, Any] | None) -> Exception:
    """Why the condition on `record` failed, as the use cases know it."""
    if isinstance(record, GuardRecord) and (stored := Record.from_raw_data(raw) if raw else _read(record)):
        return GuardTakenError(from_record(stored))
    if record.version in (None, 1):
        id = str(record.sk).partition("#")[2] or str(record.pk).partition("#")[2]
        return AlreadyExistsError(type(record).__name__.removesuffix("Record"), id)
    return ConflictError("changed_meanwhile", "Somebody else changed this at the same moment. Read it again.")


def _read(record: Record) -> Record | None:
    """The record as it is stored now; a guard may have expired between a failed condition and this look."""
    with reading():
        return next(iter(Record.batch_get([(record.pk, record.sk)], consistent_read=True)), None)


def _code(error: Exception) -> str | None:
    """The store's error code; None when there was no answer. PynamoDB's own property fails then, on a lost reply."""
    return getattr(error, "cause_response_code", None)


@contextmanager
def reading() -> Iterator[None]:
    """Turns what the store raises while reading into the project's errors."""
    try:
        yield
    except (PynamoDBException, ClientError, BotoCoreError) as error:
        raise translate(error) from error


def translate(error: Exception) -> Exception:
    """A store's error as one of ours: busy or lost → `TransientError`, too large → `InvalidError`, else unchanged."""
    reasons = [reason for reason in getattr(error, "cancellation_reasons", ()) if reason]
    codes = {_code(error), *(reason.code for reason in reasons)}
    message = str(getattr(error, "cause_response_message", None) or error)
    message = " ".join([message, *(reason.message or "" for reason in reasons)])
    cause = getattr(error, "cause", error)
    if codes & _BUSY or isinstance(cause, BotoCoreError):
        return TransientError("store_busy", "The ledger could not take this now. Try again.")
    if "Item size" in message or "too large" in message.lower():
        return InvalidError("document_too_large", "The document exceeds what the ledger stores in one piece (400 KB).")
    return error
