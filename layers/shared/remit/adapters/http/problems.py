"""One table from error families to HTTP, and RFC 9457 problem details.

Plain data only, so that the webhook function, which has no use for a router, answers in the same words.
"""

from http import HTTPStatus
from typing import Any

from remit.domain.errors import RemitError

CONTENT_TYPE = "application/problem+json"

STATUS: dict[str, tuple[HTTPStatus, str]] = {
    "invalid": (HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request"),
    "not_found": (HTTPStatus.NOT_FOUND, "Not found"),
    "forbidden": (HTTPStatus.FORBIDDEN, "Forbidden"),
    "rule": (HTTPStatus.CONFLICT, "Rule broken"),
    "conflict": (HTTPStatus.CONFLICT, "Changed meanwhile"),
    "key_reused": (HTTPStatus.UNPROCESSABLE_ENTITY, "Idempotency-Key reused"),
    "transient": (HTTPStatus.SERVICE_UNAVAILABLE, "Try again later"),
    "broken": (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error"),
}
"""Error family → (status, title)."""


def problem(
    status: HTTPStatus, code: str, title: str, detail: str, correlation_id: str, facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The members of a problem; `facts` say what would have been allowed and never replace the standard ones."""
    return (facts or {}) | {
        "type": f"urn:remit:problem:{code}",
        "title": title,
        "status": int(status),
        "code": code,
        "detail": detail,
        "correlation_id": correlation_id,
    }


def problem_of(error: RemitError, correlation_id: str) -> dict[str, Any]:
    """The problem for one of our own errors. What is broken inside is not told in detail."""
    if error.family == "broken":
        return internal_problem(correlation_id)
    status, title = STATUS[error.family]
    return problem(status, error.code, title, error.detail, correlation_id, error.facts)


def internal_problem(correlation_id: str) -> dict[str, Any]:
    """Something that nobody foresaw; the log has it under the correlation id."""
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Internal error",
        "This is our fault. Tell us the correlation id if it happens again.",
        correlation_id,
    )
