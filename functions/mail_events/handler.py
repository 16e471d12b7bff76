"""Default event bus → messages: what SES says became of them (D11).

Events come late, twice and in any order; the message merges them. They carry addresses: nothing of them is logged but our ids.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.email.ses_events import report_of
from remit.domain.messages import UNREACHABLE
from remit.usecases.report_mail import report_mail

logger = Logger()
metrics = Metrics()
books = DynamoBooks()


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """One event. Hard bounces and complaints are counted in `MailProblems`, which an alarm watches."""
    report = report_of(event)
    message = report_mail(report, books, deployed_clock()) if report else None
    is_problem = report is not None and message is not None and report.event.kind in UNREACHABLE
    metrics.add_metric("MailProblems", MetricUnit.Count, 1 if is_problem else 0)
    told = {"message_id": message.id, "delivery": message.delivery} if message else {"message_id": None}
    logger.info("mail reported", extra={"event": event["detail-type"], **told})
