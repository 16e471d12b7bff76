"""Stripe's error envelope: ``{"error": {"type": …, "code": …, "message": …, "param": …}}``.

Sources: https://docs.stripe.com/api/errors (types and statuses), https://docs.stripe.com/error-codes
(codes), https://docs.stripe.com/error-low-level (429, 409 and 5xx).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A request that Stripe answers with an error.

    ``started`` tells whether the endpoint had begun to execute. Stripe keeps the answer under the
    request's idempotency key only from then on (https://docs.stripe.com/api/idempotent_requests):
    a refused parameter may be corrected under the same key, a declined card may not.
    """

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        started: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message
        self.code = code
        self.param = param
        self.details = dict(details or {})
        self.headers = dict(headers or {})
        self.started = started

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON body, with the absent members left out as Stripe does."""
        error: dict[str, Any] = {"type": self.error_type, "message": self.message}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = "https://stripe.com/docs/error-codes/" + self.code.replace("_", "-")
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error | self.details}


def invalid_request(message: str, *, param: str | None = None, code: str | None = None, **details: Any) -> ApiError:
    """400: the endpoint refuses what is asked, given the state of its objects."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, details=details)


def invalid_parameter(message: str, param: str, code: str | None = None) -> ApiError:
    """400: a parameter is not of its declared form; the endpoint never started."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, started=False)


def no_such(kind: str, object_id: str, param: str, *, in_path: bool = False) -> ApiError:
    """``resource_missing``: 404 when the id stands in the URL, 400 when it is a parameter."""
    message = f"No such {kind}: '{object_id}'"
    status = 404 if in_path else 400
    return ApiError(status, "invalid_request_error", message, code="resource_missing", param=param)


def card_error(message: str, code: str, **details: Any) -> ApiError:
    """402: the parameters were valid, but the card could not be charged or saved."""
    return ApiError(402, "card_error", message, code=code, details=details)
