"""HTTP: what a proposed dunning policy would have done, for one account at once and for all in a file."""

import json
import os
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId
from remit.adapters.ids import UlidIds
from remit.adapters.s3.export_store import S3ExportStore
from remit.contract.dunning_trials import AccountTrialView, PolicyTrialBody, PolicyTrialView
from remit.usecases.try_policy import try_policy
from remit.usecases.try_policy_on_all import download_links, need_trial, request_trial

api = Api("Dunning trials")
books = DynamoBooks()
journal = DynamoJournal()
state_machines = boto3.client("stepfunctions")


@cache
def store() -> S3ExportStore:
    """One client for as long as the function is warm."""
    return S3ExportStore(os.environ["BUCKET_NAME"])


@api.app.post(
    "/accounts/<account_id>/dunning-policy-trials",
    summary="Try a dunning policy on an account's past",
    description="What was known on each day decides what would have been sent; what is known now decides what of it would have "
    "been wrong. Changes and sends nothing, and stores nothing.",
    tags=[api.tag],
    responses=responses(200, "The letters that it would have sent"),
)
def try_on_account(
    account_id: AccountId, body: Annotated[PolicyTrialBody, Body()], idempotency_key: IdempotencyKey | None = None
) -> AccountTrialView:
    firm, terms = current_firm(books), body.to_domain()
    terms.require_past(firm.today(deployed_clock().now()))
    return AccountTrialView.of(try_policy(account_id, terms, firm, books, journal))


@api.app.post(
    "/dunning-policy-trials",
    summary="Try a dunning policy on the past of all accounts",
    description="Changes and sends nothing. Read it again until it is done.",
    tags=[api.tag],
    status_code=202,
    responses=responses(202, "The trial, running"),
)
def create(body: Annotated[PolicyTrialBody, Body()], idempotency_key: IdempotencyKey) -> Response[PolicyTrialView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, PolicyTrialView.plain)
    answer = request_trial(body.to_domain(), request, current_firm(books), books, clock, UlidIds(clock))
    # The execution is named after the trial: a repeat, after a crash between the two, starts it or finds it started.
    trial_id = answer.body["id"]
    try:
        state_machines.start_execution(
            stateMachineArn=os.environ["POLICY_TRIAL_STATE_MACHINE_ARN"], name=trial_id, input=json.dumps({"trial_id": trial_id})
        )
    except state_machines.exceptions.ExecutionAlreadyExists:
        api.logger.info("execution exists already", extra={"execution": trial_id})
    return api.created(answer, HTTPStatus.ACCEPTED)


@api.app.get(
    "/dunning-policy-trials/<trial_id>",
    summary="Read a trial of a dunning policy",
    tags=[api.tag],
    responses=responses(200, "With its summary and addresses once done"),
)
def read(trial_id: Annotated[str, Path(pattern=r"^ptr_[0-9a-z]{1,64}$")]) -> PolicyTrialView:
    trial = need_trial(trial_id, books)
    return PolicyTrialView.of(trial, download_links(trial, store()))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
