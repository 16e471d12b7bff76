"""The API under ``/v1``: who may call, which operation, its parameters, its answer."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.stripe_double import (
    balance_transactions,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    mandates,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
)
from local.stripe_double import idempotency as keys
from local.stripe_double.engine import Engine
from local.stripe_double.errors import ApiError
from local.stripe_double.expansion import expanded
from local.stripe_double.faults import (
    ConnectionResetOnDemandError,
    FaultKind,
    error_before,
    server_error,
)
from local.stripe_double.form import Raw, parse_form
from local.stripe_double.operations import Call, Operation
from local.stripe_double.sandbox import API_VERSION, RequestContext, Sandbox
from local.stripe_double.store import SavedAnswer, StripeObject

OPERATIONS: tuple[Operation, ...] = (
    *balance_transactions.OPERATIONS,
    *charges.OPERATIONS,
    *checkout_sessions.OPERATIONS,
    *customers.OPERATIONS,
    *disputes.OPERATIONS,
    *events.OPERATIONS,
    *mandates.OPERATIONS,
    *payment_intents.OPERATIONS,
    *payment_methods.OPERATIONS,
    *refunds.OPERATIONS,
    *setup_intents.OPERATIONS,
)
"""Every operation that the double knows."""

_TEST_KEYS = ("sk_test_", "rk_test_")


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; header names are in lower case."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer with Stripe's headers."""

    status: int
    body: StripeObject
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """Serves API requests on an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def serve(self, request: Request) -> Answer:
        """The answer to a request. Raises :class:`ConnectionResetOnDemandError` when a fault asks for it."""
        request_id = f"req_{secrets.token_hex(7)}"
        try:
            answer = self._serve(request, request_id)
        except ApiError as error:
            answer = Answer(error.status, error.body(request_id), error.headers)
        key = request.headers.get("idempotency-key")
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if key and request.method == "POST":
            headers["Idempotency-Key"] = key
        return Answer(answer.status, answer.body, headers | answer.headers)

    def _serve(self, request: Request, request_id: str) -> Answer:
        _check_caller(request)
        operation, path = _operation_of(request)
        fault = self._engine.faults.take(request.method, request.path)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is None:
            answer = self._meet(fault, operation, path, request, RequestContext(request_id))
        else:
            if len(key) > keys.KEY_LENGTH_MAX:
                raise ApiError(
                    400,
                    "idempotency_error",
                    f"Idempotency keys can be at most {keys.KEY_LENGTH_MAX} characters.",
                    started=False,
                )
            with self._engine.running_keys.claim(key):
                answer = self._meet(fault, operation, path, request, RequestContext(request_id, key))
        if fault is FaultKind.RESET_AFTER:
            raise ConnectionResetOnDemandError
        if fault is FaultKind.HOLD_AFTER:
            self._engine.faults.hold()
        return answer

    def _meet(
        self,
        fault: FaultKind | None,
        operation: Operation,
        path: dict[str, str],
        request: Request,
        context: RequestContext,
    ) -> Answer:
        """Run the operation, unless a fault comes before it."""
        if fault is FaultKind.RESET_BEFORE:
            raise ConnectionResetOnDemandError
        if fault is FaultKind.HOLD_BEFORE:
            self._engine.faults.hold()
        error = error_before(fault, context.idempotency_key)
        if error is not None and not error.started:
            raise error
        with self._engine.transaction(context) as sandbox:
            if replayed := _kept_answer(sandbox, request, context):
                return replayed
            return _execute(sandbox, operation, path, request, context, fault)


def _execute(
    sandbox: Sandbox,
    operation: Operation,
    path: dict[str, str],
    request: Request,
    context: RequestContext,
    fault: FaultKind | None,
) -> Answer:
    """Run an operation and keep its answer under its key, if it has one and if it began."""
    headers: dict[str, str] = {}
    try:
        params = operation.parameters.parse(_parameters(request), "")
        if fault is FaultKind.SERVER_ERROR:
            raise server_error()
        result = operation.handle(sandbox, Call(path, params))
        body = expanded(result, params.get("expand", []), sandbox.store)
        status = 200
        if fault is FaultKind.SERVER_ERROR_AFTER:
            raise server_error()
    except ApiError as error:
        if not error.started:
            raise
        status, body, headers = error.status, error.body(context.request_id or ""), error.headers
    if context.idempotency_key is not None and context.request_id is not None:
        mark = keys.fingerprint(request.method, request.path, request.body)
        sandbox.store.answers[context.idempotency_key] = SavedAnswer(mark, context.request_id, status, body, sandbox.now())
        sandbox.changes += 1
    return Answer(status, body, headers)


def _kept_answer(sandbox: Sandbox, request: Request, context: RequestContext) -> Answer | None:
    """The first answer of the request's key, for the same request within its 24 hours."""
    key = context.idempotency_key
    if key is None or key not in sandbox.store.answers:
        return None
    saved = sandbox.store.answers[key]
    if sandbox.now() - saved.created >= keys.KEPT_SECONDS:
        del sandbox.store.answers[key]
        return None
    if saved.fingerprint != keys.fingerprint(request.method, request.path, request.body):
        raise keys.other_parameters(key)
    headers = {"Idempotent-Replayed": "true", "Original-Request": saved.request_id}
    if saved.status >= 500:
        headers["Stripe-Should-Retry"] = "false"
    return Answer(saved.status, saved.body, headers)


def _check_caller(request: Request) -> None:
    """Only test keys: a live key has no business in a double, and is refused without being shown."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials.strip()
    if scheme.lower() == "basic":
        try:
            key = b64decode(credentials, validate=True).decode().partition(":")[0]
        except ValueError:
            key = ""
    if not key:
        raise ApiError(
            401,
            "invalid_request_error",
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
            started=False,
        )
    if not key.startswith(_TEST_KEYS):
        raise ApiError(
            401,
            "invalid_request_error",
            f"Invalid API Key provided: {key[:3]}{'*' * 8}. This is a double of Stripe; it takes keys that begin with "
            f"{' or '.join(_TEST_KEYS)}.",
            started=False,
        )
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise ApiError(
            400,
            "invalid_request_error",
            f"Invalid Stripe API version: {version}. This double speaks {API_VERSION}.",
            started=False,
        )


def _operation_of(request: Request) -> tuple[Operation, dict[str, str]]:
    for operation in OPERATIONS:
        match = operation.pattern.fullmatch(request.path)
        if match and operation.method == request.method:
            return operation, match.groupdict()
    raise ApiError(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs or we can "
        "help at https://support.stripe.com/.",
        started=False,
    )


def _parameters(request: Request) -> dict[str, Raw]:
    if request.method == "GET" or not request.body:
        return parse_form(request.query)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise ApiError(
            400,
            "invalid_request_error",
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded).",
            started=False,
        )
    return parse_form(request.body)


def encode(body: StripeObject) -> bytes:
    """JSON as Stripe sends it: indented by two."""
    return json.dumps(body, indent=2).encode()
