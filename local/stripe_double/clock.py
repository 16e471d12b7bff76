"""The double's time: real, moved by hand, or taken from another clock over HTTP.

``created`` and every deadline (session expiry, authorisation expiry) follow this clock. Webhook
signatures do not: receivers compare their timestamp with the wall clock.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime
from typing import Protocol

logger = logging.getLogger(__name__)

DAY_SECONDS = 86_400
_REMOTE_TIMEOUT_SECONDS = 2.0
_REMOTE_CACHE_SECONDS = 0.25


class Clock(Protocol):
    """Seconds since 1970, UTC."""

    def now(self) -> int: ...

    def moved_by(self) -> int:
        """Seconds that this clock runs ahead of the real one; saved with the state."""
        ...

    def move_by(self, seconds: int) -> None: ...


class LocalClock:
    """The machine's clock plus an offset, or a fixed instant while frozen."""

    def __init__(self, offset_seconds: int = 0) -> None:
        self._offset_seconds = offset_seconds
        self._frozen_at: int | None = None

    def now(self) -> int:
        if self._frozen_at is not None:
            return self._frozen_at
        return int(time.time()) + self._offset_seconds

    def moved_by(self) -> int:
        return self._offset_seconds

    def move_by(self, seconds: int) -> None:
        self._offset_seconds += seconds
        if self._frozen_at is not None:
            self._frozen_at += seconds

    def freeze(self, instant: int) -> None:
        """Stand still at an instant until it is moved or released."""
        self._offset_seconds = instant - int(time.time())
        self._frozen_at = instant

    def release(self) -> None:
        """Follow the machine's clock again, without any offset."""
        self._offset_seconds = 0
        self._frozen_at = None


class RemoteClock:
    """Another service's clock: ``GET url`` answers ``{"now": …}`` or a bare value.

    The value is Unix seconds or an RFC 3339 time. While the service can't be reached the last known
    difference to the machine's clock is used, and a warning is logged.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._offset_seconds = 0
        self._asked_at = float("-inf")

    def now(self) -> int:
        with self._lock:
            if time.monotonic() - self._asked_at > _REMOTE_CACHE_SECONDS:
                self._refresh()
            return int(time.time()) + self._offset_seconds

    def moved_by(self) -> int:
        return 0

    def move_by(self, seconds: int) -> None:
        raise ValueError(f"The clock is read from {self._url}; move it there by {seconds} s.")

    def _refresh(self) -> None:
        self._asked_at = time.monotonic()
        try:
            with urllib.request.urlopen(self._url, timeout=_REMOTE_TIMEOUT_SECONDS) as answer:  # noqa: S310 (the operator's own URL)
                instant = parse_instant(answer.read().decode())
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            logger.warning("The clock at %s can't be read (%s); keeping the last offset.", self._url, error)
            return
        self._offset_seconds = instant - int(time.time())


def parse_instant(text: str) -> int:
    """Unix seconds from ``1767225600``, ``"2026-01-01T00:00:00Z"`` or ``{"now": either}``."""
    text = text.strip()
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(value, dict):
        value = value.get("now")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"not a time: {text[:80]}")
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(f"a time needs its offset: {value[:80]}")
        return int(moment.timestamp())
    return int(value)
