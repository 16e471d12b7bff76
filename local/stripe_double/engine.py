"""The running account: one lock around the sandbox, saved after each change, with time passing by itself."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from local.stripe_double import jobs, store
from local.stripe_double.clock import Clock
from local.stripe_double.courier import Courier, Endpoint, RetryPolicy
from local.stripe_double.faults import Faults
from local.stripe_double.idempotency import RunningKeys
from local.stripe_double.sandbox import RequestContext, Sandbox

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0


class Engine:
    """Everything behind the HTTP server."""

    def __init__(
        self,
        clock: Clock,
        endpoint: Endpoint,
        *,
        base_url: str,
        business_name: str,
        state_path: Path | None = None,
        policy: RetryPolicy | None = None,
        delivery_workers: int = 1,
    ) -> None:
        self._lock = threading.RLock()
        self._state_path = state_path
        self.faults = Faults()
        self.running_keys = RunningKeys()
        self.courier = Courier(endpoint, policy or RetryPolicy(), self._render, self._settled, delivery_workers)
        saved = store.load(state_path) if state_path else store.Store()
        if saved.clock_offset_seconds:
            clock.move_by(saved.clock_offset_seconds)
        self._sandbox = Sandbox(saved, clock, self.courier, base_url, business_name)
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="ticker", daemon=True)

    @property
    def clock(self) -> Clock:
        return self._sandbox.clock

    def start(self) -> None:
        pending = [event_id for event_id, event in self._sandbox.store.of_kind("event").items() if event["pending_webhooks"]]
        self.courier.resume(pending)
        self.courier.start()
        self._ticker.start()

    def stop(self) -> None:
        self._stopping.set()
        self.faults.clear()
        self.courier.stop()
        self._ticker.join()

    @contextmanager
    def transaction(self, request: RequestContext | None = None) -> Iterator[Sandbox]:
        """Work on the sandbox alone: due jobs run first, deferred work last, then the state is saved.

        Deliveries start when the lock is free, so a webhook never shows a state that is not saved.
        """
        with self._lock:
            sandbox = self._sandbox
            changes = sandbox.changes
            jobs.run_due_jobs(sandbox)
            sandbox.run_deferred()
            sandbox.request = request or RequestContext()
            try:
                yield sandbox
            finally:
                sandbox.run_deferred()
                sandbox.request = RequestContext()
                if sandbox.changes != changes:
                    self._save()

    def reset(self) -> None:
        """Forget everything but the endpoint; the clock runs as the machine's again."""
        with self._lock:
            self.faults.clear()
            self.courier.reset()
            moved = self.clock.moved_by()
            if moved:
                self.clock.move_by(-moved)
            self._sandbox.store.clear()
            self._save()

    def set_endpoint(self, **changes: object) -> Endpoint:
        endpoint = replace(self.courier.endpoint, **changes)  # type: ignore[arg-type]
        self.courier.set_endpoint(endpoint)
        return endpoint

    def _save(self) -> None:
        if self._state_path is not None:
            self._sandbox.store.clock_offset_seconds = self.clock.moved_by()
            store.save(self._sandbox.store, self._state_path)

    def _render(self, event_id: str) -> bytes | None:
        with self._lock:
            event = self._sandbox.store.of_kind("event").get(event_id)
            return None if event is None else json.dumps(event, indent=2).encode()

    def _settled(self, event_id: str) -> None:
        with self._lock:
            event = self._sandbox.store.of_kind("event").get(event_id)
            if event is not None and event["pending_webhooks"]:
                event["pending_webhooks"] = 0
                self._save()

    def _tick(self) -> None:
        """Let time-driven things happen although no request comes in."""
        while not self._stopping.wait(TICK_SECONDS):
            with self.transaction():
                pass
