"""Everything that the double remembers, in memory, with an optional JSON file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

type StripeObject = dict[str, Any]

_FILE_FORMAT = 1


class StateFileError(Exception):
    """The state file can't be read by this version."""


@dataclass(slots=True)
class Job:
    """Something that happens by itself when the clock reaches ``due_at`` (a session expires, say)."""

    due_at: int
    action: str
    object_id: str


@dataclass(slots=True)
class SavedAnswer:
    """The answer kept under an idempotency key."""

    fingerprint: str
    request_id: str
    status: int
    body: StripeObject
    created: int


@dataclass(slots=True)
class Store:
    """Objects by kind and id in order of creation, and what Stripe knows but does not show.

    ``objects["charge"]["ch_1"]`` is the public object; ``hidden["ch_1"]`` holds what only the double
    needs (which test card a payment method is, which session an intent belongs to).
    """

    seed: str = field(default_factory=lambda: secrets.token_hex(8))
    sequence: int = 0
    clock_offset_seconds: int = 0
    objects: dict[str, dict[str, StripeObject]] = field(default_factory=dict)
    hidden: dict[str, StripeObject] = field(default_factory=dict)
    answers: dict[str, SavedAnswer] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)

    def of_kind(self, kind: str) -> dict[str, StripeObject]:
        return self.objects.setdefault(kind, {})

    def newest_first(self, kind: str) -> Iterator[StripeObject]:
        return reversed(self.of_kind(kind).values())

    def add(self, item: StripeObject, **hidden: Any) -> StripeObject:
        self.of_kind(item["object"])[item["id"]] = item
        if hidden:
            self.hidden[item["id"]] = hidden
        return item

    def clear(self) -> None:
        """Forget all objects, answers and jobs; ids stay unique because the sequence goes on."""
        self.clock_offset_seconds = 0
        self.objects.clear()
        self.hidden.clear()
        self.answers.clear()
        self.jobs.clear()


def load(path: Path) -> Store:
    """The store saved at a path, or a new one when there is no file yet."""
    if not path.exists():
        return Store()
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StateFileError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(saved, dict) or saved.pop("format", None) != _FILE_FORMAT:
        raise StateFileError(f"{path} is not a state file of this version; remove it to start afresh.")
    saved["answers"] = {key: SavedAnswer(**answer) for key, answer in saved["answers"].items()}
    saved["jobs"] = [Job(**job) for job in saved["jobs"]]
    return Store(**saved)


def save(store: Store, path: Path) -> None:
    """Write the whole store beside the file, then rename: a reader never sees half of it."""
    scratch = path.with_name(path.name + ".tmp")
    with scratch.open("w", encoding="utf-8") as out:
        json.dump({"format": _FILE_FORMAT, **asdict(store)}, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(scratch, path)
