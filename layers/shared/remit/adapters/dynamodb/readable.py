"""Reading what may be damaged: for an audit, which must name what is broken and go on."""

import zlib
from typing import Any

import msgspec

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.mapping import from_record
from remit.adapters.dynamodb.records import BalanceRecord, EntryRecord, Record
from remit.domain.audit import Unreadable
from remit.domain.errors import LedgerBrokenError

DAMAGED = (LedgerBrokenError, msgspec.MsgspecError, zlib.error, LookupError, TypeError, ValueError)
"""What mapping raises when a body is no JSON, lacks a field, or holds what no such thing can be."""


def readable(record: Record) -> Any:
    """The domain object of a record, or `Unreadable` with the id that the object would have."""
    try:
        return from_record(record)
    except DAMAGED as error:
        return Unreadable(record.currency, _id(record), f"{type(error).__name__}: {error}")


def _id(record: Record) -> str:
    account_id = keys.account_id_of(record.pk)
    if isinstance(record, EntryRecord):
        return f"{account_id}.{record.currency}.{record.sequence}"
    if isinstance(record, BalanceRecord):
        return f"{account_id}.{record.currency}"
    return str(record.sk).partition("#")[2] or account_id
