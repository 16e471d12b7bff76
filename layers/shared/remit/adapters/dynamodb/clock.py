"""The clock offset of a test stack, kept in the table so that all functions agree."""

from datetime import timedelta

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import connection, reading
from remit.adapters.dynamodb.records import ClockRecord, Record
from remit.domain.errors import RuleError


def stored_offset() -> timedelta:
    """How far this stack's clock is ahead of the machine's; zero until it is first moved."""
    connection()
    with reading():
        found = list(Record.batch_get([keys.CLOCK], consistent_read=True))
    return timedelta(seconds=found[0].offset_seconds) if found and isinstance(found[0], ClockRecord) else timedelta()


def move_to(offset: timedelta) -> None:
    """Set the offset; `RuleError` if that would turn the clock back, which no ledger survives."""
    current = stored_offset()
    if offset < current:
        raise RuleError("clock_moves_forward", "The clock only moves forward.")
    ClockRecord(*keys.CLOCK, offset_seconds=int(offset.total_seconds())).save()
