"""How fast Remit is on this machine, as ratios within one run: `make bench`. Nothing is asserted.

Reads are left out: the local engine answers a query by looking at the whole table, so their time says nothing of AWS.

Absolute times differ from machine to machine and from minute to minute; a ratio to a known piece of work that was done
in the same run says more. Each figure is the least of a few repetitions, which is what noise disturbs least.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.budgets import Bench, bench_on
from local.stack import CREDENTIALS, ROOT, running_engine
from tests.integration.ledger import TABLE
from tests.integration.office import TEN_LINES

REPETITIONS = 3
OPERATIONS = 50
ROUNDS = OPERATIONS * REPETITIONS
HANDLER_ENVIRONMENT = {
    **CREDENTIALS,
    "PATH": os.environ["PATH"],
    "POWERTOOLS_TRACE_DISABLED": "1",
    "POWERTOOLS_SERVICE_NAME": "remit",
    "POWERTOOLS_METRICS_NAMESPACE": "Remit",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as bytecode:
        show("Cold import, CPU relative to `import boto3`", imports(bytecode))
    with running_engine(name=f"bench-{os.getpid()}", say=lambda _: None) as engine, bench_on(engine) as bench:
        show("Use cases on the engine, time relative to a bare TransactWriteItems of the same shape", use_cases(bench))


def show(title: str, lines: Iterator[tuple[str, float, str]]) -> None:
    print(title)
    for name, ratio, note in lines:
        print(f"  {name:<48} {ratio:>6.2f}   {note}", flush=True)


# ---- Imports --------------------------------------------------------------------------------------------------------


def imports(bytecode: str) -> Iterator[tuple[str, float, str]]:
    """Each handler in a fresh interpreter with valid bytecode, as on Lambda."""
    boto3_s = import_cpu_s("import boto3", ROOT, bytecode)
    yield "boto3", 1.0, f"{boto3_s * 1000:.0f} ms"
    for handler in sorted((ROOT / "functions").glob("*/handler.py")):
        cpu_s = import_cpu_s("import handler", handler.parent, bytecode)
        yield handler.parent.name, cpu_s / boto3_s, f"{cpu_s * 1000:.0f} ms"


def import_cpu_s(statement: str, folder: Path, bytecode: str) -> float:
    """CPU seconds of the statement beyond those of an interpreter that does nothing."""
    environment = HANDLER_ENVIRONMENT | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "layers" / "shared")]),
        "PYTHONPYCACHEPREFIX": bytecode,
    }
    return child_cpu_s(statement, environment) - idle_cpu_s()


@cache
def idle_cpu_s() -> float:
    return child_cpu_s("pass", HANDLER_ENVIRONMENT)


def child_cpu_s(statement: str, environment: dict[str, str]) -> float:
    spent = []
    for _ in range(REPETITIONS + 1):  # the first one compiles
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


# ---- Use cases ------------------------------------------------------------------------------------------------------


def use_cases(bench: Bench) -> Iterator[tuple[str, float, str]]:
    office, old = bench.office, bench.old.account_id
    new = office.account()
    orders = {account: iter([office.order(account, TEN_LINES) for _ in range(ROUNDS)]) for account in (new, old)}
    recorded = recorded_write(bench, lambda: office.issue(new, office.order(new, TEN_LINES)))

    bare_s = seconds_each(lambda: bench.store.transact_write_items(TransactItems=elsewhere(recorded, str(time.monotonic_ns()))))
    yield f"bare write of {len(recorded)} items", 1.0, f"{1 / bare_s:.0f} per second"
    figures = {
        "issue an invoice of 10 lines": lambda: office.issue(new, next(orders[new])),
        "… with 1,000 invoices behind it": lambda: office.issue(old, next(orders[old])),
        "payment by hand": lambda: office.receive(new, 1_000),
        "credit": lambda: office.credit(new),
    }
    spent: dict[str, float] = {}
    for name, act in figures.items():
        spent[name] = seconds_each(act)
        yield name, spent[name] / bare_s, f"{1 / spent[name]:.0f} per second"
    first, behind = (spent[name] for name in list(figures)[:2])
    yield "issuing with 1,000 behind, relative to few", behind / first, ""


def recorded_write(bench: Bench, act: Callable[[], Any]) -> list[dict[str, Any]]:
    """The items of the last transaction that `act` writes."""
    writes: list[list[dict[str, Any]]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        writes.append([action["Put"]["Item"] for action in params["TransactItems"]])

    event = "before-parameter-build.dynamodb.TransactWriteItems"
    bench.client.meta.events.register(event, note)
    act()
    bench.client.meta.events.unregister(event, note)
    return writes[-1]


def elsewhere(items: Sequence[dict[str, Any]], partition: str) -> list[dict[str, Any]]:
    """The same items under keys that nobody has, on condition that this is so."""
    moved = [item | {"PK": {"S": f"Z#{partition}"}, "SK": {"S": f"{number}"}} for number, item in enumerate(items)]
    absent = "attribute_not_exists(PK)"
    return [{"Put": {"TableName": TABLE, "Item": item, "ConditionExpression": absent}} for item in moved]


def seconds_each(act: Callable[[], Any]) -> float:
    rounds = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        for _ in range(OPERATIONS):
            act()
        rounds.append((time.perf_counter() - started) / OPERATIONS)
    return min(rounds)


if __name__ == "__main__":
    main()
