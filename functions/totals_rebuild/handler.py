"""Task of statemachines/totals_rebuild.asl.yaml: count all entries anew, page by page, and compare."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.totals import DynamoTotals
from remit.usecases.project_entries import Projector
from remit.usecases.rebuild_totals import Rebuild, begin, compare, finish, rebuild_page

PAGE = 50
SHOWN = 20
"""How many differences the answer spells out; the log has all of them."""

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()
totals = DynamoTotals()
projector = Projector(books, journal, totals)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{} or {"replace": true} → that, with the `step` to do next: `count` (a page of accounts), `compare`, `finish`, `done`.

    `differences` counts the figures that the entries do not confirm; the metric `TotalsDifferences` too (an alarm watches it).
    """
    state: dict[str, Any] = {"step": "begin", "replace": False, "differences": 0} | event
    return state | STEPS[state["step"]](state)


def _begin(event: dict[str, Any]) -> dict[str, Any]:
    rebuild = begin(books, totals)
    return {"step": "count", "read": rebuild.read, "built": rebuild.built, "cursor": None, "accounts": 0}


def _count(event: dict[str, Any]) -> dict[str, Any]:
    accounts, cursor = rebuild_page(event["cursor"], PAGE, books, journal, projector)
    return {"step": "count" if cursor else "compare", "cursor": cursor, "accounts": event["accounts"] + accounts}


def _compare(event: dict[str, Any]) -> dict[str, Any]:
    found = compare(_rebuild(event), totals)
    for difference in found:
        logger.error("totals difference", extra={"difference": str(difference)})
    metrics.add_metric("TotalsDifferences", MetricUnit.Count, len(found))
    metrics.flush_metrics()
    return {"step": "finish", "differences": len(found), "first": [str(each) for each in found[:SHOWN]]}


def _finish(event: dict[str, Any]) -> dict[str, Any]:
    finish(_rebuild(event), books, totals, replace=event["replace"])
    return {"step": "done"}


def _rebuild(event: dict[str, Any]) -> Rebuild:
    return Rebuild(event["read"], event["built"])


STEPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "begin": _begin,
    "count": _count,
    "compare": _compare,
    "finish": _finish,
}
