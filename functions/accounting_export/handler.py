"""The steps of the accounting export's state machine: `prepare`, `write_files`, `publish`, and `record_failure`.

One Lambda function each, so that every step has only the rights and the memory it needs. They pass on a small JSON
document that begins as the execution's input:

    {"period": "2026-11", "export_id": "exp_01jdx", "requested_by": {"id": "user-1", "channel": "api"}}

or, from the monthly schedule, as `{"period": "previous"}`. Errors keep their class names, by which the state machine
decides what to retry.
"""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.accounting.formats import FORMATS
from remit.adapters.caught_errors import told
from remit.adapters.clock import deployed_clock
from remit.adapters.s3.export_store import S3ExportStore
from remit.domain.actor import Actor, Channel
from remit.domain.errors import InvalidError
from remit.usecases import export_period
from remit.usecases.export_files import ExportStore, WrittenFile
from remit.usecases.export_period import ExportSource, Written
from remit.usecases.ports import Books

logger = Logger()
metrics = Metrics()

SCHEDULE = Actor("monthly-export", Channel.SCHEDULE)


def books() -> Books:
    from remit.adapters.dynamodb.books import DynamoBooks  # pynamodb is loaded by the steps that use it

    return DynamoBooks()


def source() -> ExportSource:
    from remit.adapters.dynamodb.export_source import DynamoExportSource

    return DynamoExportSource(deployed_clock())


@cache
def store() -> ExportStore:
    return S3ExportStore(os.environ["BUCKET_NAME"])


@logger.inject_lambda_context
def prepare(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Resolve the period and find or create the export: `{"period", "export_id", "requested_by"}`."""
    period, export_id = event.get("period"), event.get("export_id")
    if not isinstance(period, str) or not isinstance(export_id, str | None):
        raise InvalidError("bad_export_request", "An export names its period, and may name its export_id.")
    export = export_period.prepare(period, export_id, _actor(event.get("requested_by")), books(), deployed_clock())
    logger.info("export prepared", extra={"export_id": export.id, "period": export.period})
    actor = {"id": export.requested_by.id, "channel": str(export.requested_by.channel)}
    return {"period": export.period, "export_id": export.id, "requested_by": actor}


@logger.inject_lambda_context
@metrics.log_metrics
def write_files(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write and tie the files; adds `files` and `control_totals` to the document."""
    export = export_period.require_export(event["export_id"], books())
    written = export_period.write_files(export, source(), store(), FORMATS)
    entries = sum(totals["entries"] for totals in written.control_totals["currencies"].values())
    metrics.add_metric("EntriesExported", MetricUnit.Count, entries)
    logger.info("export written", extra={"export_id": export.id, "entries": entries, "files": len(written.files)})
    return {**event, "files": [file.facts() for file in written.files], "control_totals": written.control_totals}


@logger.inject_lambda_context
def publish(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Verify what is stored and mark the export as done; adds `manifest`, the key of the file that names all others."""
    written = Written(tuple(WrittenFile(**file) for file in event["files"]), event["control_totals"])
    export = export_period.require_export(event["export_id"], books())
    done = export_period.publish(export, written, books(), store(), deployed_clock())
    logger.info("export published", extra={"export_id": done.id})
    return {**event, "manifest": (done.files or {})[export_period.MANIFEST]}


@logger.inject_lambda_context
def record_failure(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Say on the export why it failed, from the `error` that the state machine caught."""
    failure = told(event["error"])
    logger.error("export failed", extra={"export_id": event.get("export_id"), "failure": failure})
    if export_id := event.get("export_id"):
        export_period.record_failure(export_id, failure, books(), deployed_clock())
    return event


def _actor(requested_by: Any) -> Actor:
    if requested_by is None:
        return SCHEDULE
    try:
        return Actor(str(requested_by["id"]), Channel(requested_by["channel"]))
    except (KeyError, TypeError, ValueError):
        raise InvalidError("bad_actor", "requested_by has an id and a known channel.") from None
