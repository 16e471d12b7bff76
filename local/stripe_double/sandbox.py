"""The account that the double plays: its objects, its clock, its events and what is yet to happen."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.stripe_double.clock import Clock
from local.stripe_double.errors import no_such
from local.stripe_double.store import Job, Store, StripeObject

API_VERSION = "2026-05-27.dahlia"

_ID_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 24


class EventSink(Protocol):
    """Where emitted events go: the courier of webhooks."""

    @property
    def has_endpoint(self) -> bool: ...

    def enqueue(self, event_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The API request that is being served; events that it causes name it."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True)
class Sandbox:
    """What operations work on. Callers hold the server's lock: one request changes it at a time."""

    store: Store
    clock: Clock
    sink: EventSink
    base_url: str
    business_name: str = "Sample firm"
    request: RequestContext = field(default_factory=RequestContext)
    changes: int = 0
    _deferred: list[Callable[[], object]] = field(default_factory=list)

    def now(self) -> int:
        return self.clock.now()

    def new_id(self, prefix: str) -> str:
        """The next id: unique over restarts, and the same for the same seed and history."""
        self.store.sequence += 1
        self.changes += 1
        digest = hashlib.sha256(f"{self.store.seed}:{self.store.sequence}".encode()).digest()
        number = int.from_bytes(digest)
        letters = []
        for _ in range(_ID_LENGTH):
            number, index = divmod(number, len(_ID_ALPHABET))
            letters.append(_ID_ALPHABET[index])
        return f"{prefix}_{''.join(letters)}"

    def add(self, item: StripeObject, **hidden: Any) -> StripeObject:
        self.changes += 1
        return self.store.add(item, **hidden)

    def find(self, kind: str, object_id: str, param: str, *, in_path: bool = False) -> StripeObject:
        """The object of an id, or Stripe's ``resource_missing``."""
        item = self.store.of_kind(kind).get(object_id)
        if item is None:
            raise no_such(kind.replace(".", "_"), object_id, param, in_path=in_path)
        return item

    def find_live(self, kind: str, object_id: str, param: str) -> StripeObject:
        """An object for use by another one: a deleted customer counts as missing."""
        item = self.find(kind, object_id, param)
        if item.get("deleted"):
            raise no_such(kind, object_id, param)
        return item

    def hidden(self, object_id: str) -> StripeObject:
        return self.store.hidden.setdefault(object_id, {})

    def emit(self, event_type: str, item: StripeObject, before: StripeObject | None = None) -> None:
        """Record an event with the object as it is now, and hand it to the courier.

        ``before`` is the object before an update; what differs becomes ``previous_attributes``
        (https://docs.stripe.com/api/events/object).
        """
        data: dict[str, Any] = {"object": copy.deepcopy(item)}
        if before is not None:
            data["previous_attributes"] = _previous_attributes(before, item)
        event: StripeObject = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1 if self.sink.has_endpoint else 0,
            "request": {
                "id": self.request.request_id,
                "idempotency_key": self.request.idempotency_key,
            },
            "type": event_type,
        }
        self.add(event)
        self.sink.enqueue(event["id"])

    def defer(self, action: Callable[[], object]) -> None:
        """Do something right after the request was answered, such as settling an asynchronous capture."""
        self._deferred.append(action)

    def run_deferred(self) -> None:
        while self._deferred:
            self._deferred.pop(0)()

    def schedule(self, due_at: int, action: str, object_id: str) -> None:
        """Have a job done when the clock reaches ``due_at``; it survives a restart."""
        self.changes += 1
        self.store.jobs.append(Job(due_at, action, object_id))

    def take_due_job(self) -> Job | None:
        """The earliest job that is due, taken off the list."""
        if not self.store.jobs:
            return None
        now = self.now()
        due = [job for job in self.store.jobs if job.due_at <= now]
        if not due:
            return None
        earliest = min(due, key=lambda job: job.due_at)
        self.store.jobs.remove(earliest)
        self.changes += 1
        return earliest


def snapshot(item: StripeObject) -> StripeObject:
    """A copy to compare with later, for :meth:`Sandbox.emit`."""
    return copy.deepcopy(item)


def _previous_attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    previous: dict[str, Any] = {}
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if key == "metadata" and isinstance(old, dict) and isinstance(new, dict):
            previous[key] = _previous_attributes(old, new)
        else:
            previous[key] = copy.deepcopy(old)
    return dict(sorted(previous.items()))
