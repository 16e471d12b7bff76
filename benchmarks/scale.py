"""What a dunning run costs by how many accounts there are: `python -m benchmarks.scale`, part of `make bench`.

The cost follows what is due, never how many accounts there are. The run is the state machine's own, over its real functions. The
store is the tests', in memory, which counts what each request would cost by AWS's rules; at the smallest size the same run is
done on the local engine too, over the real adapters, and must cost the same. A hundred
thousand accounts would take the engine most of an hour, since it looks at its whole table for each query.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.metering import CONSISTENT, EVENTUAL, Cost, Index, item_bytes, metered, read_units, write_units
from local.stack import Stack, running_engine
from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.dynamodb.mapping import key_of
from remit.domain.automations import Automation
from remit.usecases.ports import Changes, Loaded, Ref
from simulation.deployment import Deployment, environment
from simulation.state_machines.machine import Status
from tests.fakes import FakeBooks, Trouble
from tests.integration.ledger import TABLE, adapters_on
from tests.integration.state import write_all
from tests.integration.table import recreate_table, table_properties
from tests.support.builders import LONG_AGO, Office, firm

SIZES = (1_000, 10_000, 100_000)
DUE_OF_100 = 1
DAYS_OVERDUE = 5
"""Past the first tier's day."""

type Raw = dict[str, Any]


# ---- A store that counts -----------------------------------------------------------------------------------------------


class MeteredBooks(FakeBooks):
    """Books in memory that add up what their requests would cost, by AWS's rules, while `is_counting`."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        super().__init__(trouble)
        self._table = CountedTable(self._table, self)
        self.is_counting = False
        self.cost = Cost()
        self.price_of_writes = 1

    def reads(self, sizes: Sequence[int], price: float) -> None:
        """One request: a query counts all that it finds as one size, which is why it is given as one."""
        if self.is_counting:
            self.cost.calls += 1
            self.cost.rru += sum(read_units(size, price) for size in sizes)

    def load(self, *refs: Ref[Any], consistent: bool = True) -> Loaded:
        found = (self._table.get(key_of(ref)) for ref in refs)
        self.reads([item_bytes(raw) if raw else 0 for raw in found], CONSISTENT if consistent else EVENTUAL)
        return super().load(*refs, consistent=consistent)

    def commit(self, changes: Changes) -> None:
        self.cost.calls += self.is_counting
        self.price_of_writes = 2 if len(changes) > 1 else 1  # a transaction pays double
        super().commit(changes)


class CountedTable:
    """The fake's table, of which every query and put is counted."""

    def __init__(self, table: Any, books: MeteredBooks) -> None:
        self._table = table
        self._books = books
        properties = table_properties()
        self._indexes = [Index(each, ("PK", "SK")) for each in properties["GlobalSecondaryIndexes"]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def query(self, partition: str, first: str, last: str) -> list[Raw]:
        found: list[Raw] = self._table.query(partition, first, last)
        self._books.reads([sum(map(item_bytes, found))], CONSISTENT)
        return found

    def query_index(self, index: str, partition: str, first: str = "", last: str = "") -> list[Raw]:
        found: list[Raw] = self._table.query_index(index, partition, first, last)
        self._books.reads([sum(map(item_bytes, found))], EVENTUAL)
        return found

    def put(self, raw: Raw) -> None:
        if self._books.is_counting:
            old, cost = self._table.get((raw["PK"]["S"], raw["SK"]["S"])), self._books.cost
            size = max(item_bytes(raw), item_bytes(old) if old else 0)
            cost.add_writes(raw["type"]["S"], self._books.price_of_writes * write_units(size))
            for index in self._indexes:
                cost.add_writes(f"index {index.name}", index.write_units(old, raw))
        self._table.put(raw)


# ---- So many accounts --------------------------------------------------------------------------------------------------


def firm_of(accounts: int, due: int) -> Office:
    """An office with so many accounts, each with an open invoice, of which so many are overdue."""
    office = Office(firm=firm(switches={Automation.DUNNING: LONG_AGO}))
    office.books = MeteredBooks(office.trouble)
    office.books.commit([office.firm])
    for _ in range(due):
        office.invoice(office.open_account(), term="on_receipt")
    office.clock.advance(days=DAYS_OVERDUE)
    if accounts > due:
        like = office.open_account()
        office.invoice(like)
        for raw in copies(office.books, like, accounts - due - 1):
            office.books.put_raw(raw)
    return office


def copies(books: FakeBooks, account_id: str, count: int) -> Iterator[Raw]:
    """All items of an account, for as many other accounts: what no run looks at need not be made by its operations."""
    items = [raw for (pk, _), raw in books.state().items() if keys.account_id_of(pk) == account_id]
    for number in range(count):
        other = f"acc_9{number:025d}"
        for raw in items:
            yield {name: _moved(name, typed, account_id, other) for name, typed in raw.items()}


def _moved(name: str, typed: dict[str, Any], account_id: str, other: str) -> dict[str, Any]:
    ((kind, value),) = typed.items()
    if kind != "S":
        return typed
    if name in ("agenda_pk", "open_pk", "list_pk") and value.rpartition("#")[2] == str(keys.shard(account_id)):
        value = f"{value.rpartition('#')[0]}#{keys.shard(other)}"
    return {"S": value.replace(account_id, other)}


# ---- The run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the dunning machine cost. `transitions`: what Step Functions charges for."""

    accounts: int
    due: int
    cost: Cost
    transitions: int

    def line(self, where: str) -> str:
        cost, due = self.cost, self.due
        figures = (cost.wru, cost.rru, cost.calls, self.transitions)
        each = " ".join(f"{figure / due:>8.2f}" for figure in figures) if due else ""
        return f"  {self.accounts:>9,} {due:>6,} " + " ".join(f"{figure:>9,.6g}" for figure in figures) + f"   {each}   {where}"


def run_over(office: Office) -> tuple[int, int]:
    """(notices, transitions) of one dunning run; the firm's settings are read from the store, as functions do."""
    stack = Deployment(office)
    stack.module("dunning").fresh_firm = fresh_firm
    ended = stack.execute("Dunning", {})
    if ended.status is not Status.SUCCEEDED or stack.dead_letters:
        raise AssertionError(f"the run failed: {ended.error} {stack.dead_letters}")
    return len(office.mailer.sent), len(ended.steps)


def in_memory(accounts: int, due: int) -> Run:
    """A run over so many accounts, counted."""
    office = firm_of(accounts, due)
    office.books.is_counting = True
    notices, transitions = run_over(office)
    office.books.is_counting = False
    _expect(notices, due)
    return Run(accounts, due, office.books.cost, transitions)


def on_engine(engine: Stack, accounts: int, due: int) -> Run:
    """The same on the local engine, over the real adapters; the store says what it cost, and by AWS's rules it is the same."""
    office, store = firm_of(accounts, due), engine.client("dynamodb")
    recreate_table(store, TABLE)
    write_all(store, [{"PutRequest": {"Item": raw}} for raw in office.books.state().values()])
    office.books = _Everything()
    with adapters_on(engine) as client, metered(client, store, TABLE, table_properties()) as meter:
        notices, transitions = run_over(office)
    _expect(notices, due)
    if (meter.reported.wru, meter.reported.rru) != (meter.computed.wru, meter.computed.rru):
        raise AssertionError(f"the store reports {meter.reported}, AWS's rules say {meter.computed}")
    return Run(accounts, due, meter.reported, transitions)


class _Everything(DynamoBooks, DynamoJournal, DynamoAgenda):
    """The adapters in one, as the fake is."""


def _expect(notices: int, due: int) -> None:
    if notices != due:
        raise AssertionError(f"{notices} notices to {due} accounts that are due")


@contextmanager
def _timed(lines: list[str]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    lines.append(f"{time.perf_counter() - began:.0f} s with making it")


def show(sizes: Sequence[int] = SIZES) -> None:
    """The table. `AssertionError` when store and rules disagree, or somebody who is due was left out."""
    print(f"A dunning run, {DUE_OF_100} % due: WRU, RRU, requests and state transitions; all, and by account due")
    names = ("WRU", "RRU", "requests", "states")
    print(
        f"  {'accounts':>9} {'due':>6} " + " ".join(f"{each:>9}" for each in names) + "   " + " ".join(f"{n:>8}" for n in names)
    )
    due = sizes[0] * DUE_OF_100 // 100
    with environment(), running_engine(name=f"scale-{os.getpid()}", say=lambda _: None) as engine:
        lived = on_engine(engine, sizes[0], due)
    print(lived.line("on the local engine"), flush=True)
    with environment():
        for accounts in sizes:
            took: list[str] = []
            with _timed(took):
                run = in_memory(accounts, accounts * DUE_OF_100 // 100)
            print(run.line(f"in memory, {took[0]}"), flush=True)
            if accounts == sizes[0] and _figures(run) != _figures(lived):
                raise AssertionError(f"in memory {run}, on the engine {lived}")
        print(in_memory(sizes[1], due).line(f"in memory, with as few due as among {sizes[0]:,}"))


def _figures(run: Run) -> tuple[float, float, int]:
    return run.cost.wru, run.cost.rru, run.cost.calls


def main() -> int:
    show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
