"""`TotalsStore` over the one table: a few small items, found by the keys of their partitions."""

from collections.abc import Sequence

from pynamodb.expressions.condition import Condition

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import connection, reading
from remit.adapters.dynamodb.mapping import from_record
from remit.adapters.dynamodb.records import Record, TotalsRecord
from remit.domain.totals import Totals, TotalsKind

_PERIODIC = (TotalsKind.LEDGER, TotalsKind.DUE)


class DynamoTotals:
    """See `usecases.ports.TotalsStore` for the promises."""

    def shard_of(self, account_id: str) -> int:
        return keys.shard(account_id)

    def standing(self, generation: int, currency: str | None = None) -> Sequence[Totals]:
        within = Record.sk.startswith(keys.standing_prefix(currency)) if currency else None
        return [from_record(record) for record in _query(keys.standing_partition(generation), within)]

    def of_periods(self, generation: int, kind: TotalsKind, currency: str, first: str, last: str) -> Sequence[Totals]:
        partition = keys.period_partition(generation, kind, currency)
        within = Record.sk.between(keys.first_shard(first), keys.last_shard(last))
        return [from_record(record) for record in _query(partition, within)]

    def drop(self, generation: int) -> None:
        """The standing ones go last: they name the currencies, so that what a crash leaves is found again."""
        standing = _query(keys.standing_partition(generation))
        currencies = sorted({from_record(record).key.currency for record in standing})
        partitions = [keys.period_partition(generation, kind, currency) for kind in _PERIODIC for currency in currencies]
        for records in (*map(_query, partitions), standing):
            with reading(), Record.batch_write() as batch:
                for record in records:
                    batch.delete(record)


def _query(partition: str, within: Condition | None = None) -> list[TotalsRecord]:
    connection()
    with reading():
        return [record for record in Record.query(partition, within) if isinstance(record, TotalsRecord)]
