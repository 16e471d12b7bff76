"""Tasks of statemachines/policy_trial.asl.yaml: `list_accounts`, `try_accounts` for each batch of them, `summarize`, and
`record_failure`.

One Lambda function each, so that every step has only the rights that it needs. What they write is in
`usecases/try_policy_on_all.py`; they pass on a small JSON document that begins as `{"trial_id": "ptr_01jdx"}`.
"""

import os
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from remit.adapters.caught_errors import told
from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.dynamodb.readable import DAMAGED
from remit.adapters.s3.export_store import S3ExportStore
from remit.usecases import try_policy_on_all
from remit.usecases.account_manifest import Listed
from remit.usecases.export_files import FileStore

logger = Logger()
books = DynamoBooks()
journal = DynamoJournal()


@cache
def store() -> FileStore:
    return S3ExportStore(os.environ["BUCKET_NAME"])


@logger.inject_lambda_context
def list_accounts(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"trial_id"} → the same with `manifest` (its key), `accounts` and `parts`."""
    trial = try_policy_on_all.need_trial(event["trial_id"], books)
    listed = try_policy_on_all.list_accounts(trial.id, journal, store())
    logger.info("accounts listed", extra={"trial_id": trial.id, "accounts": listed.accounts})
    return {"trial_id": trial.id, **asdict(listed)}


@logger.inject_lambda_context
def try_accounts(event: dict[str, Any], context: Any) -> dict[str, int]:
    """{"BatchInput": {"trial_id"}, "Items": [a line of the manifest, …]} → how many letters that makes."""
    trial = try_policy_on_all.need_trial(event["BatchInput"]["trial_id"], books)
    firm = fresh_firm(books)
    letters = [
        try_policy_on_all.try_part(trial, item["part"], item["account_ids"], firm, books, journal, store(), DAMAGED)
        for item in event["Items"]
    ]
    return {"letters": sum(letters)}


@logger.inject_lambda_context
def summarize(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What `list_accounts` answered → the trial's counts, which are now stored with it."""
    listed = Listed(event["manifest"], event["accounts"], event["parts"])
    summary = try_policy_on_all.write_summary(event["trial_id"], listed, books, store(), deployed_clock())
    counts = {name: summary[name] for name in ("accounts", "accounts_failed", "letters", "wrong")}
    logger.info("trial done", extra={"trial_id": event["trial_id"], **counts})
    return {"trial_id": event["trial_id"], **counts}


@logger.inject_lambda_context
def record_failure(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Say on the trial why it failed, from the `error` that the state machine caught."""
    failure = told(event["error"])
    logger.error("trial failed", extra={"trial_id": event["trial_id"], "failure": failure})
    try_policy_on_all.record_failure(event["trial_id"], failure, books, deployed_clock())
    return event
