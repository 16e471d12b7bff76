"""Webhook deliveries in the background (https://docs.stripe.com/webhooks#behaviors).

An event is sent until the endpoint answers 2xx, with growing pauses, a bounded number of times. One worker sends
one event after the other, so that a chosen order arrives in that order; more workers let deliveries overlap as
Stripe's do. Pauses are in real time, whatever the double's clock says.
"""

from __future__ import annotations

import http.client
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit

from local.stripe_double.signatures import signature_header

logger = logging.getLogger(__name__)

ATTEMPTS_KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Pause before try ``n + 1``: ``first_pause_seconds * 2 ** (n - 1)``, at most ``pause_seconds_max``."""

    attempts_max: int = 8
    first_pause_seconds: float = 0.25
    pause_seconds_max: float = 30.0
    timeout_seconds: float = 30.0

    def pause(self, attempt: int) -> float:
        return min(self.pause_seconds_max, self.first_pause_seconds * 2.0 ** (attempt - 1))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go. Two secrets sign side by side, as while one is rolled.

    ``signature_age_seconds`` signs with an old timestamp, to see stale deliveries refused.
    """

    url: str | None = None
    secrets: tuple[str, ...] = ()
    signature_age_seconds: int = 0


class Order(StrEnum):
    """In which order held deliveries are released."""

    CREATED = "created"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way; ``not_before`` is on the monotonic clock."""

    event_id: str
    attempt: int = 1
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one try. ``status`` is ``None`` when no answer came, or when it was dropped."""

    event_id: str
    attempt: int
    at: int
    url: str | None
    status: int | None
    error: str | None
    will_retry: bool

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True)
class _Plans:
    """What is to happen to the next events."""

    duplicate_next: int = 0
    duplicate_copies: int = 1
    delay_next: int = 0
    delay_seconds: float = 0.0
    drop_next: int = 0


@dataclass(slots=True)
class _Queue:
    waiting: list[Delivery] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)
    sending: int = 0
    holding: bool = False
    attempts: list[Attempt] = field(default_factory=list)


class Courier:
    """Queues events and sends them.

    ``render`` gives an event's payload (``None`` when it is gone), ``settled`` is told when an event was delivered or
    given up. Both are called without the courier's lock, because they take the double's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        policy: RetryPolicy,
        render: Callable[[str], bytes | None],
        settled: Callable[[str], None],
        workers: int = 1,
    ) -> None:
        self._endpoint = endpoint
        self._policy = policy
        self._render = render
        self._settled = settled
        self._condition = threading.Condition()
        self._queue = _Queue()
        self._plans = _Plans()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"courier-{number}", daemon=True) for number in range(workers)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the deliveries that are being sent; what waits stays pending in the store."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(timeout=self._policy.timeout_seconds)

    @property
    def endpoint(self) -> Endpoint:
        with self._condition:
            return self._endpoint

    @property
    def has_endpoint(self) -> bool:
        return self.endpoint.url is not None

    def set_endpoint(self, endpoint: Endpoint) -> None:
        with self._condition:
            self._endpoint = endpoint
            self._condition.notify_all()

    def enqueue(self, event_id: str) -> None:
        """A new event: apply what is planned for the next ones, then queue it."""
        with self._condition:
            if self._endpoint.url is None:
                return
            delivery = Delivery(event_id)
            if self._plans.drop_next > 0:
                self._plans.drop_next -= 1
                self._record(delivery, None, "dropped on demand", will_retry=False)
                return
            if self._plans.delay_next > 0:
                self._plans.delay_next -= 1
                delivery = replace(delivery, not_before=time.monotonic() + self._plans.delay_seconds)
            copies = 1
            if self._plans.duplicate_next > 0:
                self._plans.duplicate_next -= 1
                copies += self._plans.duplicate_copies
            place = self._queue.held if self._queue.holding else self._queue.waiting
            place.extend([delivery] * copies)
            self._condition.notify_all()

    def hold(self) -> None:
        """Keep new events back until :meth:`release`."""
        with self._condition:
            self._queue.holding = True

    def release(
        self,
        order: Order = Order.CREATED,
        *,
        seed: int = 0,
        event_ids: Sequence[str] | None = None,
        keep_holding: bool = False,
    ) -> list[str]:
        """Send held deliveries in an order, or only the named events in the order of their names.

        Answers the ids in the order in which they are sent. Raises ``KeyError`` for an event that is not held.
        """
        with self._condition:
            held = list(self._queue.held)
            if event_ids is not None:
                chosen = [_first_of(held, event_id) for event_id in event_ids]
            elif order is Order.SHUFFLED:
                chosen = random.Random(seed).sample(held, len(held))  # noqa: S311 (an order, not a secret)
            else:
                chosen = held[::-1] if order is Order.REVERSED else held
            for delivery in chosen:
                self._queue.held.remove(delivery)
            self._queue.waiting.extend(chosen)
            self._queue.holding = keep_holding
            self._condition.notify_all()
            return [delivery.event_id for delivery in chosen]

    def duplicate(self, next_events: int, copies: int = 1) -> None:
        """Send each of the next events ``copies`` more times."""
        with self._condition:
            self._plans.duplicate_next, self._plans.duplicate_copies = next_events, copies

    def delay(self, next_events: int, seconds: float) -> None:
        """Send the next events only after a pause, so that later ones overtake them."""
        with self._condition:
            self._plans.delay_next, self._plans.delay_seconds = next_events, seconds

    def drop(self, next_events: int) -> None:
        """Never send the next events; they can still be listed, or redelivered by hand."""
        with self._condition:
            self._plans.drop_next = next_events

    def redeliver(self, event_id: str) -> None:
        """Send an event again, at once, whatever became of it before."""
        with self._condition:
            self._queue.waiting.append(Delivery(event_id))
            self._condition.notify_all()

    def resume(self, event_ids: Sequence[str]) -> None:
        """Queue events that a previous run left pending."""
        with self._condition:
            self._queue.waiting.extend(Delivery(event_id) for event_id in event_ids)
            self._condition.notify_all()

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """Wait until nothing is queued or being sent; held deliveries don't count. False on time-out."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._queue.waiting and not self._queue.sending, timeout_seconds)

    def reset(self) -> None:
        """Forget queued and held deliveries, attempts and plans."""
        with self._condition:
            sending = self._queue.sending
            self._queue = _Queue(sending=sending)
            self._plans = _Plans()
            self._condition.notify_all()

    def attempts(self) -> list[Attempt]:
        with self._condition:
            return list(self._queue.attempts)

    def held(self) -> list[str]:
        with self._condition:
            return [delivery.event_id for delivery in self._queue.held]

    def waiting(self) -> list[str]:
        with self._condition:
            return [delivery.event_id for delivery in self._queue.waiting]

    def _work(self) -> None:
        while True:
            delivery = self._next()
            if delivery is None:
                return
            try:
                self._deliver(delivery)
            finally:
                with self._condition:
                    self._queue.sending -= 1
                    self._condition.notify_all()

    def _next(self) -> Delivery | None:
        """Wait for a delivery whose time has come, first come first served."""
        with self._condition:
            while not self._stopping:
                now = time.monotonic()
                ready = [item for item in self._queue.waiting if item.not_before <= now]
                if ready:
                    self._queue.waiting.remove(ready[0])
                    self._queue.sending += 1
                    return ready[0]
                pauses = [item.not_before - now for item in self._queue.waiting]
                self._condition.wait(min(pauses) if pauses else None)
        return None

    def _deliver(self, delivery: Delivery) -> None:
        payload = self._render(delivery.event_id)
        endpoint = self.endpoint
        if payload is None or endpoint.url is None:
            return
        status, error = self._post(endpoint, endpoint.url, payload)
        delivered = status is not None and 200 <= status < 300
        will_retry = not delivered and delivery.attempt < self._policy.attempts_max
        if not will_retry:
            self._settled(delivery.event_id)
        with self._condition:
            self._record(delivery, status, error, will_retry=will_retry)
            if will_retry:
                pause = self._policy.pause(delivery.attempt)
                again = Delivery(delivery.event_id, delivery.attempt + 1, time.monotonic() + pause)
                self._queue.waiting.append(again)

    def _post(self, endpoint: Endpoint, url: str, payload: bytes) -> tuple[int | None, str | None]:
        parts = urlsplit(url)
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = connect(parts.netloc, timeout=self._policy.timeout_seconds)
        timestamp = int(time.time()) - endpoint.signature_age_seconds
        headers = {
            "Accept": "*/*; q=0.5, application/xml",
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature_header(payload, endpoint.secrets, timestamp),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, payload, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            logger.info("Delivery to %s failed: %s", url, error)
            return None, f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        return answer.status, None

    def _record(self, delivery: Delivery, status: int | None, error: str | None, *, will_retry: bool) -> None:
        attempts = self._queue.attempts
        attempts.append(
            Attempt(
                delivery.event_id,
                delivery.attempt,
                int(time.time()),
                self._endpoint.url,
                status,
                error,
                will_retry,
            )
        )
        del attempts[:-ATTEMPTS_KEPT_MAX]


def _first_of(held: Sequence[Delivery], event_id: str) -> Delivery:
    for delivery in held:
        if delivery.event_id == event_id:
            return delivery
    raise KeyError(event_id)
