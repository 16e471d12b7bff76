"""Idempotency keys (https://docs.stripe.com/api/idempotent_requests).

The first answer of a key is replayed for the same request, whether it succeeded or failed, once the endpoint
began to execute. Other parameters under the key are refused, and so is a second request while the first still runs.
Keys may be used again when they are at least 24 hours old.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

from local.stripe_double.errors import ApiError

KEY_LENGTH_MAX = 255
KEPT_SECONDS = 24 * 3600


def fingerprint(method: str, path: str, body: str) -> str:
    """What must be the same for a key to be used again."""
    parameters = sorted(parse_qsl(body, keep_blank_values=True))
    return hashlib.sha256(repr((method, path, parameters)).encode()).hexdigest()


def other_parameters(key: str) -> ApiError:
    """400: the key was first used for another request."""
    return ApiError(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
        f"using a key other than '{key}' if you meant to execute a different request.",
        started=False,
    )


def in_use(key: str) -> ApiError:
    """409: a request with the key is still running; the Stripe libraries retry it."""
    return ApiError(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Stripe Account and Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {key}. Please try again later.",
        code="idempotency_key_in_use",
        headers={"Stripe-Should-Retry": "true"},
        started=False,
    )


class RunningKeys:
    """Keys whose request is being served right now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[str] = set()

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """Hold a key for the time of a request, or refuse a concurrent one."""
        with self._lock:
            if key in self._running:
                raise in_use(key)
            self._running.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(key)
