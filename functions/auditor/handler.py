"""Tasks of statemachines/auditor.asl.yaml: `list_accounts`, `audit_accounts` for each batch of them, and `report`.

One Lambda function each, so that every step has only the rights that it needs. What they write is in
`usecases/audit_ledger.py`; they pass on a small JSON document that begins as `{"audit_id": "<the execution's name>"}`.
"""

import os
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.s3.export_store import S3ExportStore
from remit.usecases import audit_ledger
from remit.usecases.account_manifest import Listed
from remit.usecases.audit_ledger import Totals
from remit.usecases.export_files import FileStore

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()


@cache
def store() -> FileStore:
    return S3ExportStore(os.environ["BUCKET_NAME"])


@logger.inject_lambda_context
def list_accounts(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"audit_id"} → the same with `manifest` (its key), `accounts` and `parts`."""
    listed = audit_ledger.list_accounts(event["audit_id"], journal, store())
    logger.info("accounts listed", extra={"audit_id": event["audit_id"], "accounts": listed.accounts})
    return {"audit_id": event["audit_id"], **asdict(listed)}


@logger.inject_lambda_context
def audit_accounts(event: dict[str, Any], context: Any) -> dict[str, int]:
    """{"BatchInput": {"audit_id"}, "Items": [a line of the manifest, …]} → how much was proved of it."""
    audit_id, totals = event["BatchInput"]["audit_id"], Totals()
    for item in event["Items"]:
        totals = totals.plus(audit_ledger.audit_part(audit_id, item["part"], item["account_ids"], journal, store()))
    return {"accounts": totals.accounts, "differences": totals.differences}


@logger.inject_lambda_context
@metrics.log_metrics
def report(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What `list_accounts` answered → what the report says; `report` is its key, `cause` a sentence for the execution.

    The metrics `AccountsAudited` and `LedgerDifferences` (an alarm watches it) are counted here, once an audit, and
    also when there is nothing to complain of: silence would look the same as an audit that never ran.
    """
    listed = Listed(event["manifest"], event["accounts"], event["parts"])
    found = audit_ledger.write_report(event["audit_id"], listed, books, journal, store(), deployed_clock().now())
    key = audit_ledger.folder_of(event["audit_id"]) + audit_ledger.REPORT
    metrics.add_metric("AccountsAudited", MetricUnit.Count, found["accounts"])
    metrics.add_metric("LedgerDifferences", MetricUnit.Count, found["differences"])
    if found["differences"]:
        logger.error("ledger differences", extra={"report": key, "differences": found["differences_by_kind"]})
    counts = {name: found[name] for name in ("audit_id", "accounts", "entries", "documents", "differences")}
    return {
        **counts,
        "report": key,
        "cause": f"{found['differences']} differences, listed in {found['files'][audit_ledger.DIFFERENCES]}",
    }
