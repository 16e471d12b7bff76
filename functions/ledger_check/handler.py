"""Task of statemachines/ledger_check.asl.yaml: prove a page of accounts, and at the end all number series."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.replay_account import replay_account

PAGE = 25

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"cursor"?, "accounts"?, "differences"?} → the same, advanced; `cursor` is null after the last page.

    Each difference is logged, counted in the metric `LedgerDifferences` (an alarm watches it), and summed up.
    """
    accounts, cursor = journal.accounts(event.get("cursor"), PAGE)
    found = [f"{account.id}: {each.sentence}" for account in accounts for each in replay_account(account.id, journal).differences]
    if cursor is None:
        found += [f"{series}: {gap}" for series in journal.series() for gap in prove_numbers(series, books, journal).gaps]
    for difference in found:
        logger.error("ledger difference", extra={"difference": difference})
    metrics.add_metric("LedgerDifferences", MetricUnit.Count, len(found))
    return {
        "cursor": cursor,
        "accounts": event.get("accounts", 0) + len(accounts),
        "differences": event.get("differences", 0) + len(found),
    }
