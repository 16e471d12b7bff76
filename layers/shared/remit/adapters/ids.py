"""Ids that are unique and sort by time: ULIDs, by the python-ulid library, in lower case behind a prefix."""

from ulid import ULID

from remit.usecases.ports import Clock


class UlidIds:
    """The time in an id is the system clock's (O3), so that ids sort as things happened for the business."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self, prefix: str) -> str:
        return f"{prefix}_{str(ULID.from_datetime(self._clock.now())).lower()}"
