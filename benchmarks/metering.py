"""What operations cost in DynamoDB's request units: as the store reports it, and computed anew by AWS's rules.

The store's own figures come from `ReturnConsumedCapacity=INDEXES`. The second computation works from the items
themselves, so that a wrong figure of the local engine does not pass for a saving. It follows

- https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html (sizes of items),
- https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html (request units),
- https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html (what an index write costs).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

type Item = Mapping[str, Mapping[str, Any]]

WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1024, 4096
EVENTUAL, CONSISTENT = 0.5, 1.0


@dataclass
class Cost:
    """Write and read request units (table and indexes) and calls. `parts` says where the write units went."""

    wru: float = 0
    rru: float = 0
    calls: int = 0
    parts: dict[str, float] = field(default_factory=dict)

    def add_writes(self, part: str, units: float) -> None:
        if units:
            self.wru += units
            self.parts[part] = self.parts.get(part, 0) + units


def number_bytes(text: str) -> int:
    """A number takes a byte for every two significant digits, and one; a negative one a byte more."""
    digits = text.lstrip("-").strip("0")
    return 1 + (len(digits) + 1) // 2 + text.startswith("-")


def item_bytes(item: Item) -> int:
    """Names and values; Remit stores strings, whole numbers and binaries only."""
    size = 0
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        length = {"S": lambda v: len(v.encode()), "N": number_bytes, "B": len}[kind](value)
        size += len(name.encode()) + length
    return size


def write_units(size_bytes: int) -> int:
    return max(1, -(-size_bytes // WRITE_UNIT_BYTES))


def read_units(size_bytes: int, price: float) -> float:
    return price * max(1, -(-size_bytes // READ_UNIT_BYTES))


class Index:
    """A global secondary index as the template defines it."""

    def __init__(self, definition: Mapping[str, Any], table_keys: Iterable[str]) -> None:
        self.name: str = definition["IndexName"]
        self._keys = [key["AttributeName"] for key in definition["KeySchema"]]
        self._projected = {*self._keys, *table_keys, *definition["Projection"].get("NonKeyAttributes", ())}

    def view(self, item: Item | None) -> Item | None:
        """The item as the index holds it; None when it lacks a key of the index and so is not in it."""
        if item is None or any(key not in item for key in self._keys):
            return None
        return {name: value for name, value in item.items() if name in self._projected}

    def write_units(self, old: Item | None, new: Item | None) -> int:
        """1 KB steps: for an entry added, removed or changed in place; both for one that moves to another key."""
        before, after = self.view(old), self.view(new)
        if before == after:
            return 0
        if before is None or after is None:
            return write_units(item_bytes(before or after or {}))
        if any(before[key] != after[key] for key in self._keys):
            return write_units(item_bytes(before)) + write_units(item_bytes(after))
        return write_units(max(item_bytes(before), item_bytes(after)))


class Meter:
    """Hooks on a botocore client that add up what its calls cost, both ways."""

    def __init__(self, store: Any, table: str, properties: Mapping[str, Any]) -> None:
        """`store`: another client, with which written items are looked at before they change."""
        self._store, self._table = store, table
        keys = [key["AttributeName"] for key in properties["KeySchema"]]
        self._keys = keys
        self._indexes = [Index(definition, keys) for definition in properties["GlobalSecondaryIndexes"]]
        self.reported, self.computed = Cost(), Cost()

    def before(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"
        context["remit_params"] = params
        context["remit_old"] = {id(item): self._stored(item) for item, _ in _puts(model.name, params)}

    def after(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if "Error" in parsed:
            raise AssertionError(f"{model.name} failed while it was measured: {parsed['Error']}")
        params = context["remit_params"]
        self.reported.calls += 1
        self.computed.calls += 1
        puts = list(_puts(model.name, params))
        for item, factor in puts:
            self._compute_write(context["remit_old"][id(item)], item, factor)
        if not puts:
            self.computed.rru += _read_cost(model.name, params, parsed, self._table)
        self._add_reported(parsed["ConsumedCapacity"], writes=bool(puts))

    def _stored(self, item: Item) -> Item | None:
        key = {name: item[name] for name in self._keys}
        found: Item | None = self._store.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return found

    def _compute_write(self, old: Item | None, new: Item, factor: int) -> None:
        size = max(item_bytes(new), item_bytes(old) if old else 0)
        self.computed.add_writes(new["type"]["S"], factor * write_units(size))
        for index in self._indexes:
            self.computed.add_writes(f"index {index.name}", index.write_units(old, new))

    def _add_reported(self, consumed: Any, *, writes: bool) -> None:
        for entry in consumed if isinstance(consumed, list) else [consumed]:
            if writes:
                self.reported.add_writes("all", entry["CapacityUnits"])
            else:
                self.reported.rru += entry["CapacityUnits"]


def _puts(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[Item, int]]:
    """The items that a call writes, each with its price: a transaction pays double."""
    if operation == "PutItem":
        yield params["Item"], 1
    elif operation == "TransactWriteItems":
        for action in params["TransactItems"]:
            yield action["Put"]["Item"], 2


def _read_cost(operation: str, params: Mapping[str, Any], parsed: Mapping[str, Any], table: str) -> float:
    if operation == "Query":
        price = CONSISTENT if params.get("ConsistentRead") else EVENTUAL
        return read_units(sum(map(item_bytes, parsed["Items"])), price)
    if operation == "BatchGetItem":
        asked, found = params["RequestItems"][table], parsed["Responses"].get(table, [])
        price = CONSISTENT if asked.get("ConsistentRead") else EVENTUAL
        missing = len(asked["Keys"]) - len(found)
        return sum(read_units(item_bytes(item), price) for item in found) + missing * price
    raise AssertionError(f"the price of {operation} is not known here")


@contextmanager
def metered(client: Any, store: Any, table: str, properties: Mapping[str, Any]) -> Iterator[Meter]:
    """Count what `client` does inside."""
    meter, events = Meter(store, table, properties), client.meta.events
    events.register("before-parameter-build.dynamodb.*", meter.before)
    events.register("after-call.dynamodb.*", meter.after)
    try:
        yield meter
    finally:
        events.unregister("before-parameter-build.dynamodb.*", meter.before)
        events.unregister("after-call.dynamodb.*", meter.after)
