"""Event bus → automatic top-up: a wallet that was charged, and top-ups that came to nothing (W2).

The bus delivers at least once. The balance knows what was asked for, so a second delivery asks for nothing.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.ids import UlidIds
from remit.usecases.top_up_automatically import WalletEvent, top_up_automatically

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Look at the wallet of one event.

    A top-up that has stopped is counted in the metric `AutoTopUpStopped` (an alarm watches it) each time that usage finds
    it so: it is not forgotten before somebody turns it on again.
    """
    detail, clock = event["detail"], deployed_clock()
    payments = detail.get("documents", {}).get("payment", [detail.get("payment_id")])
    wallet = WalletEvent(detail["account_id"], detail["currency"], payments[0])
    outcome = top_up_automatically(wallet, fresh_firm(books), books, journal, clock, UlidIds(clock))
    metrics.add_metric("AutoTopUpStopped", MetricUnit.Count, 1 if outcome.stopped else 0)
    logger.info("wallet looked at", extra={"event_id": detail["id"], "invoice_id": outcome.invoice_id, "why": outcome.stopped})
