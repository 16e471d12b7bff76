"""DynamoDB stream → the firm's totals: every new journal entry is counted once, whatever the stream repeats or loses."""

from typing import Any

from aws_lambda_powertools import Logger

from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.mapping import from_record
from remit.adapters.dynamodb.records import Record
from remit.adapters.dynamodb.totals import DynamoTotals
from remit.domain.journal import JournalEntry
from remit.usecases.project_entries import Projector

logger = Logger()
projector = Projector(DynamoBooks(), DynamoJournal(), DynamoTotals())


def handler(event: dict[str, Any], context: Any) -> None:
    """Count a batch. What fails is delivered again, in halves: what was counted before the failure stays so and is skipped."""
    entries = [entry for record in event["Records"] if (entry := entry_of(record))]
    projector.project(entries)
    logger.info("entries counted", extra={"count": len(entries)})


def entry_of(record: dict[str, Any]) -> JournalEntry | None:
    """The journal entry that a stream record says was written; None for anything else."""
    if record["eventName"] != "INSERT":
        return None
    thing = record["dynamodb"]["NewImage"]
    return from_record(Record.from_raw_data(thing)) if thing["type"]["S"] == "entry" else None
