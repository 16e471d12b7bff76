"""Schedule: finish the batches of invoices that were interrupted, so that no number stays without its document (I3)."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.usecases.issue_batch import finish_batch
from remit.usecases.ports import AgendaKind

GRACE = timedelta(minutes=2)
"""A younger batch is most likely being finished by the request that began it, which lives no longer."""

logger = Logger()
books = DynamoBooks()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{} → {"finished": ids}. Whatever fails is tried again with the next run, as it stays in the agenda."""
    clock = deployed_clock()
    until = (clock.now() - GRACE).isoformat()
    due, _ = DynamoAgenda().due(AgendaKind.INVOICE_BATCH, until, None, 100)
    firm = fresh_firm(books) if due else None
    finished = [finish_batch(thing.id, firm, books, clock).id for thing in due] if firm else []
    logger.info("batches finished", extra={"batches": finished})
    return {"finished": finished}
