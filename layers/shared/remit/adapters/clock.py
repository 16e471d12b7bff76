"""The one clock (O3). A stack deployed with `ClockMode=test` keeps an offset in the table, which only it can move."""

import os
from datetime import UTC, datetime, timedelta

from remit.usecases.ports import Clock


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class OffsetClock:
    """The machine's time plus an offset that is read once per invocation."""

    def __init__(self, offset: timedelta) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset


def deployed_clock() -> Clock:
    """The clock that this function must use: the machine's, unless the stack was deployed for tests."""
    if os.environ.get("CLOCK_MODE", "real") != "test":
        return SystemClock()
    from remit.adapters.dynamodb.clock import stored_offset  # real stacks never load or read this

    return OffsetClock(stored_offset())
