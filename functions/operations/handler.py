"""HTTP: start by hand what schedules start otherwise, and fetch what came of it."""

import json
import os
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from remit.adapters.clock import deployed_clock
from remit.adapters.dunning_runs import DunningRuns
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import Limit
from remit.adapters.ids import UlidIds
from remit.adapters.s3.export_store import S3ExportStore
from remit.contract.dunning import (
    DunningRunBody,
    DunningRunCountsView,
    DunningRunsView,
    DunningRunView,
    RunCountsView,
    StartedRunView,
)
from remit.contract.exports import ExportView, NewExportBody
from remit.usecases.export_period import download_links
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.ports import Changes, export_ref
from remit.usecases.request_export import request_export

api = Api("Operations")
books = DynamoBooks()
state_machines = boto3.client("stepfunctions")


RunId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$")]


def runs() -> DunningRuns:
    return DunningRuns(state_machines, os.environ["DUNNING_STATE_MACHINE_ARN"])


@cache
def store() -> S3ExportStore:
    """One client for as long as the function is warm."""
    return S3ExportStore(os.environ["BUCKET_NAME"])


@api.app.post(
    "/exports",
    summary="Export a month for the accountants",
    tags=[api.tag],
    status_code=202,
    responses=responses(202, "The export, running"),
)
def create_export(body: Annotated[NewExportBody, Body()], idempotency_key: IdempotencyKey) -> Response[ExportView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, ExportView.plain)
    answer = request_export(body.period, request, current_firm(books), books, clock, UlidIds(clock))
    # The execution is named after the export: a repeat, after a crash between the two, starts it or finds it started.
    work = {"export_id": answer.body["id"], "period": answer.body["period"]}
    _start(os.environ["EXPORT_STATE_MACHINE_ARN"], answer.body["id"], work)
    return api.created(answer, HTTPStatus.ACCEPTED)


@api.app.get(
    "/exports/<export_id>", summary="Read an export", tags=[api.tag], responses=responses(200, "With addresses once done")
)
def read_export(export_id: Annotated[str, Path(pattern=r"^exp_[0-9a-z_-]{1,64}$")]) -> ExportView:
    export = need(books.load(export_ref(export_id)), export_ref(export_id))
    urls = download_links(export, store())
    return ExportView.model_validate(export).model_copy(update={"urls": urls})


@api.app.post(
    "/dunning-runs",
    summary="Look for accounts to remind now",
    description="What the schedule does every day. Safe at any time: nobody is told the same thing twice. `messages_per_second` "
    "slows it down; the firm's `mail_rate` does unless it is named.",
    tags=[api.tag],
    status_code=202,
    responses=responses(202, "The run"),
)
def create_dunning_run(
    idempotency_key: IdempotencyKey, body: Annotated[DunningRunBody | None, Body()] = None
) -> Response[StartedRunView]:
    answer = _new_run(idempotency_key, "dun")
    runs().start(answer.body["id"], body.messages_per_second if body else None)
    return api.created(answer, HTTPStatus.ACCEPTED)


@api.app.post(
    "/recurring-payment-runs",
    summary="Bill due subscriptions and collect due invoices now",
    description="What the schedule does every hour. Safe at any time: no period is billed twice, and nothing charged twice.",
    tags=[api.tag],
    status_code=202,
    responses=responses(202, "The run"),
)
def create_recurring_payment_run(idempotency_key: IdempotencyKey) -> Response[StartedRunView]:
    answer = _new_run(idempotency_key, "rcr")
    _start(os.environ["RECURRING_PAYMENTS_STATE_MACHINE_ARN"], answer.body["id"], {})
    return api.created(answer, HTTPStatus.ACCEPTED)


def _new_run(idempotency_key: str, prefix: str) -> Answer:
    """A run is named after its request: a repeat starts it or finds it started."""

    def decide(consistent: bool) -> tuple[Changes, dict[str, str]]:
        return [], {"id": run_id}

    clock = deployed_clock()
    run_id = UlidIds(clock).new(prefix)
    request: Request[dict[str, str]] = api.request(idempotency_key, lambda run: run)
    return once(books, request, clock.now(), decide)


@api.app.get("/dunning-runs", summary="The last dunning runs", tags=[api.tag], responses=responses(200, "Newest first"))
def list_dunning_runs(limit: Limit = 20) -> DunningRunsView:
    return DunningRunsView(runs=[DunningRunView.model_validate(run) for run in runs().latest(limit)])


@api.app.get(
    "/dunning-runs/<run_id>",
    summary="How a dunning run stands, and what came of it",
    tags=[api.tag],
    responses=responses(200, "The run with its counts"),
)
def read_dunning_run(run_id: RunId) -> DunningRunCountsView:
    run, counts = runs().read(run_id), runs().counts(run_id)
    shown = DunningRunView.model_validate(run).model_dump()
    return DunningRunCountsView(**shown, counts=RunCountsView.model_validate(counts) if counts else None)


@api.app.delete(
    "/dunning-runs/<run_id>",
    summary="Stop a dunning run",
    description="Between two accounts: what it has not dealt with is still due, and the next run takes it. Stopping one that "
    "is stopped does nothing.",
    tags=[api.tag],
    responses=responses(200, "The run"),
)
def stop_dunning_run(run_id: RunId) -> DunningRunView:
    return DunningRunView.model_validate(runs().stop(run_id))


def _start(machine: str, name: str, work: dict[str, Any]) -> None:
    try:
        state_machines.start_execution(stateMachineArn=machine, name=name, input=json.dumps(work))
    except state_machines.exceptions.ExecutionAlreadyExists:
        api.logger.info("execution exists already", extra={"execution": name})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
