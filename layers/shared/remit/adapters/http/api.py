"""The edge of every HTTP function: validation, actors, idempotency keys, and errors as problem details.

A handler makes one `Api`, declares its routes on `api.app`, and passes events to `api.handle`.
"""

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoSuchRouteError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestUnsupportedContentType, RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Header

from remit.adapters.http.problems import CONTENT_TYPE, internal_problem, problem, problem_of
from remit.contract.common import Problem
from remit.domain.actor import Actor, Channel
from remit.domain.errors import ForbiddenError, RemitError
from remit.domain.journal import canonical
from remit.usecases.idempotency import Answer, Request

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Names this request: sent again with the same body it answers as the first time.",
    ),
]

PROBLEMS: dict[int, Any] = {
    status: {
        "description": description,
        "content": {"application/problem+json": {"model": Problem}},
    }
    for status, description in {
        400: "Malformed request",
        403: "Forbidden",
        404: "Not found",
        409: "A rule of billing forbids it, or it changed meanwhile",
        415: "The body is not sent as JSON",
        422: "Invalid values",
        500: "Our fault",
        503: "Try again later",
    }.items()
}
"""What any operation may answer beside its success; for the OpenAPI description."""


def responses(status: int, description: str) -> dict[int, Any]:
    """The `responses` of an operation: its success and all problems."""
    return {status: {"description": description}} | PROBLEMS


class Api:
    """A resolver with the project's error handling; `tag` groups its operations in the OpenAPI description."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.logger = Logger()
        self.app = APIGatewayHttpResolver(enable_validation=True)
        self.app.exception_handler(RemitError)(self._refuse)
        self.app.exception_handler(RequestValidationError)(self._refuse_shape)
        self.app.exception_handler(RequestUnsupportedContentType)(self._refuse_type)
        self.app.exception_handler(RecursionError)(self._refuse_depth)
        self.app.exception_handler(Exception)(self._fail)
        self.app.not_found(self._no_route)

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one API Gateway event (payload version 2.0)."""
        correlation_id = event.get("requestContext", {}).get("requestId", "")
        self.logger.set_correlation_id(correlation_id)
        if refusal := self._refusal_of_body(event, correlation_id):
            return {"statusCode": refusal["status"], "headers": {"Content-Type": CONTENT_TYPE}, "body": json.dumps(refusal)}
        return self.app.resolve(event, context)

    def _refusal_of_body(self, event: dict[str, Any], correlation_id: str) -> dict[str, Any] | None:
        """The problem with a body that the resolver would take for what it is not: a form's fields, or a list of one."""
        body = event.get("body")
        if not body:
            return None
        if not _says_json(event.get("headers") or {}):
            return self._not_json(correlation_id)
        if not event.get("isBase64Encoded") and body.lstrip().startswith("[") and _is_json(body):
            self.logger.info("refused", extra={"code": "invalid_request", "family": "shape"})
            detail = "The body is a JSON object, not a list."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "Invalid request", detail, correlation_id)
        return None

    @property
    def correlation_id(self) -> str:
        return str(self.app.current_event.request_context.request_id)

    @property
    def actor(self) -> Actor:
        """Who calls, from the verified token: a user's subject or an app client's id."""
        authorizer = self.app.current_event.raw_event.get("requestContext", {}).get("authorizer", {})
        claims = authorizer.get("jwt", {}).get("claims", {})
        subject = claims.get("sub") or claims.get("client_id")
        if not subject:
            raise ForbiddenError("no_identity", "The token names nobody.")
        return Actor(subject, Channel.API)

    def request[T](self, key: str, present: Callable[[T], Any]) -> Request[T]:
        """This call as something to do once: the key, and a fingerprint of method, path and body."""
        event = self.app.current_event
        body = canonical(json.loads(event.body)) if event.body else ""
        text = "\n".join((event.http_method, event.path, body))
        return Request(self.actor, "idempotency", key, hashlib.sha256(text.encode()).hexdigest(), present)

    def created(self, answer: Answer, status: HTTPStatus = HTTPStatus.CREATED) -> Response[Any]:
        """The answer of a use case that did something once; a repeat is marked as such."""
        headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
        return Response(int(status), "application/json", answer.body, headers)

    def _refuse(self, error: RemitError) -> Response[str]:
        level = self.logger.error if error.family == "broken" else self.logger.info
        level("refused", extra={"code": error.code, "family": error.family})
        return _respond(problem_of(error, self.correlation_id))

    def _refuse_shape(self, error: RequestValidationError) -> Response[str]:
        """What is wrong and where; never what was sent, which may be somebody's data."""
        faults = [
            {"pointer": "/" + "/".join(str(step) for step in fault["loc"]), "fault": fault["msg"]} for fault in error.errors()
        ]
        malformed = any(fault["type"] == "json_invalid" for fault in error.errors())
        status = HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY
        code = "malformed_json" if malformed else "invalid_request"
        self.logger.info("refused", extra={"code": code, "family": "shape"})
        detail = "The body is not JSON." if malformed else "Some values are missing, unknown or out of range."
        return _respond(problem(status, code, "Invalid request", detail, self.correlation_id, {"errors": faults[:20]}))

    def _refuse_type(self, _error: RequestUnsupportedContentType) -> Response[str]:
        return _respond(self._not_json(self.correlation_id))

    def _not_json(self, correlation_id: str) -> dict[str, Any]:
        self.logger.info("refused", extra={"code": "not_json", "family": "shape"})
        detail = "Send application/json."
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "Invalid request", detail, correlation_id)

    def _refuse_depth(self, _error: RecursionError) -> Response[str]:
        """Only a body can nest that deep: nothing of ours does."""
        self.logger.info("refused", extra={"code": "malformed_json", "family": "shape"})
        detail = "The body nests too deep."
        return _respond(problem(HTTPStatus.BAD_REQUEST, "malformed_json", "Invalid request", detail, self.correlation_id))

    def _fail(self, error: Exception) -> Response[str]:
        self.logger.exception("unexpected failure", exc_info=error)
        return _respond(internal_problem(self.correlation_id))

    def _no_route(self, _error: NoSuchRouteError) -> Response[str]:
        detail = "There is nothing at this address."
        return _respond(problem(HTTPStatus.NOT_FOUND, "no_such_route", "Not found", detail, self.correlation_id))


def _says_json(headers: dict[str, str]) -> bool:
    """Whether the body is called JSON; nothing said counts as JSON."""
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return content_type.partition(";")[0].strip() in ("", "application/json")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _respond(members: dict[str, Any]) -> Response[str]:
    headers = {"Retry-After": "2"} if members["status"] == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(members["status"], CONTENT_TYPE, json.dumps(members, default=str), headers)
