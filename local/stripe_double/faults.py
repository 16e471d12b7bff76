"""Faults on demand, for the requests that are to meet them.

Sources: https://docs.stripe.com/rate-limits (429 and object lock timeouts), https://docs.stripe.com/error-low-level.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from local.stripe_double import idempotency
from local.stripe_double.errors import ApiError

_HOLD_SECONDS_MAX = 120


class FaultKind(StrEnum):
    """What goes wrong, and whether the request has its effect."""

    RATE_LIMIT = "rate_limit"
    """429 ``rate_limit``; nothing happened, the key may be used again."""
    LOCK_TIMEOUT = "lock_timeout"
    """429 ``lock_timeout``; another request holds the object. Nothing happened."""
    KEY_IN_USE = "key_in_use"
    """409 ``idempotency_key_in_use``; nothing happened by this request."""
    SERVER_ERROR = "server_error"
    """500 before the effect; kept under the key, as Stripe keeps it."""
    SERVER_ERROR_AFTER = "server_error_after"
    """500 after the effect; a retry under the same key is answered 500 again."""
    RESET_BEFORE = "reset_before"
    """The connection breaks before anything happened."""
    RESET_AFTER = "reset_after"
    """The connection breaks after the effect; a retry under the same key gets the kept answer."""
    HOLD_BEFORE = "hold_before"
    """The request waits, without effect yet and with its key in use, until it is released."""
    HOLD_AFTER = "hold_after"
    """The request waits after its effect until it is released: the caller times out."""


class ConnectionResetOnDemandError(Exception):
    """The connection is to be broken instead of answered."""


@dataclass(slots=True)
class Fault:
    """A fault for the next ``remaining`` requests that match.

    ``path`` may hold wildcards (``/v1/payment_intents*``).
    """

    kind: FaultKind
    remaining: int = 1
    method: str = "*"
    path: str = "*"

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and fnmatch.fnmatchcase(path, self.path)


class Faults:
    """The faults that are planned, taken by requests in the order of planning."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._planned: list[Fault] = []
        self._holding = 0
        self._releases = 0

    def plan(self, fault: Fault) -> None:
        with self._condition:
            self._planned.append(fault)

    def clear(self) -> None:
        """Drop what is planned and let held requests go."""
        with self._condition:
            self._planned.clear()
        self.release_held()

    def planned(self) -> list[Mapping[str, Any]]:
        with self._condition:
            return [asdict(fault) for fault in self._planned]

    def take(self, method: str, path: str) -> FaultKind | None:
        """The fault that a request meets, counted down."""
        with self._condition:
            for fault in self._planned:
                if fault.matches(method, path):
                    fault.remaining -= 1
                    if fault.remaining <= 0:
                        self._planned.remove(fault)
                    return fault.kind
        return None

    def hold(self) -> None:
        """Wait until held requests are released."""
        with self._condition:
            self._holding += 1
            self._condition.notify_all()
            release = self._releases
            self._condition.wait_for(lambda: self._releases > release, _HOLD_SECONDS_MAX)
            self._holding -= 1

    def wait_until_held(self, count: int = 1, timeout_seconds: float = 10.0) -> bool:
        """Wait until requests are being held; for tests that need two at the same time."""
        with self._condition:
            return self._condition.wait_for(lambda: self._holding >= count, timeout_seconds)

    def release_held(self) -> None:
        with self._condition:
            self._releases += 1
            self._condition.notify_all()


def error_before(kind: FaultKind | None, key: str | None) -> ApiError | None:
    """The error that a request is answered with in place of its effect."""
    if kind is FaultKind.RATE_LIMIT:
        return ApiError(
            429,
            "invalid_request_error",
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            code="rate_limit",
            headers={"Stripe-Rate-Limited-Reason": "global-rate"},
            started=False,
        )
    if kind is FaultKind.LOCK_TIMEOUT:
        return ApiError(
            429,
            "invalid_request_error",
            "This object cannot be accessed right now because another API request or Stripe process is currently "
            "accessing it. If you see this error intermittently, retry the request.",
            code="lock_timeout",
            headers={"Stripe-Should-Retry": "true"},
            started=False,
        )
    if kind is FaultKind.KEY_IN_USE:
        return idempotency.in_use(key or "")
    if kind is FaultKind.SERVER_ERROR:
        return server_error()
    return None


def server_error() -> ApiError:
    """500, which Stripe asks its libraries not to retry: the key would replay it."""
    return ApiError(
        500,
        "api_error",
        "An unknown error occurred. Please try again later.",
        headers={"Stripe-Should-Retry": "false"},
    )
