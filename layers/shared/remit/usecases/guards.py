"""Guards: what is written beside an operation so that it cannot happen twice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from remit.domain.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Guard:
    """`kind` and `value` name the fact; `fingerprint` is a hash of what was asked; `answer` what was answered."""

    kind: str
    value: str
    fingerprint: str
    answer: Any
    recorded_at: datetime
    expires_at: datetime | None = None


class GuardTakenError(Exception):
    """The fact was already dealt with; `guard` says how."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(f"{guard.kind} {guard.value} was seen before")
        self.guard = guard


class AlreadyExistsError(ConflictError):
    """Something that is written once is there already; `existing` is its class's name and id."""

    def __init__(self, what: str, id: str) -> None:
        super().__init__("already_exists", f"{what} {id} exists already.", id=id)
        self.what, self.id = what, id
