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
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.ids import UlidIds
from remit.adapters.s3.export_store import S3ExportStore
from remit.contract.exports import DunningRunView, ExportView, NewExportBody, RecurringPaymentRunView
from remit.usecases.export_period import download_links
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.ports import Changes, export_ref
from remit.usecases.request_export import request_export

api = Api("Operations")
books = DynamoBooks()
state_machines = boto3.client("stepfunctions")


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
    summary="Look for overdue accounts now",
    description="What the schedule does every day. Safe at any time: nobody is told the same thing twice.",
    tags=[api.tag],
    status_code=202,
    responses=responses(202, "The run"),
)
def create_dunning_run(idempotency_key: IdempotencyKey) -> Response[DunningRunView]:
    return _run(idempotency_key, "dun", "DUNNING_STATE_MACHINE_ARN")


@api.app.post(
    "/recurring-payment-runs",
    summary="Bill due subscriptions and collect due invoices now",
    description="What the schedule does every hour. Safe at any time: no period is billed twice, and nothing charged twice.",
    tags=[api.tag],
    status_code=202,
    responses=responses(202, "The run"),
)
def create_recurring_payment_run(idempotency_key: IdempotencyKey) -> Response[RecurringPaymentRunView]:
    return _run(idempotency_key, "rcr", "RECURRING_PAYMENTS_STATE_MACHINE_ARN")


def _run(idempotency_key: str, prefix: str, machine: str) -> Response[Any]:
    """Start an execution that is named after the request: a repeat starts it or finds it started."""

    def decide(consistent: bool) -> tuple[Changes, dict[str, str]]:
        return [], {"id": run_id}

    clock = deployed_clock()
    run_id = UlidIds(clock).new(prefix)
    request: Request[dict[str, str]] = api.request(idempotency_key, lambda run: run)
    answer: Answer = once(books, request, clock.now(), decide)
    _start(os.environ[machine], answer.body["id"], {})
    return api.created(answer, HTTPStatus.ACCEPTED)


def _start(machine: str, name: str, work: dict[str, Any]) -> None:
    try:
        state_machines.start_execution(stateMachineArn=machine, name=name, input=json.dumps(work))
    except state_machines.exceptions.ExecutionAlreadyExists:
        api.logger.info("execution exists already", extra={"execution": name})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
