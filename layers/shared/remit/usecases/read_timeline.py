"""All that happened on an account, newest first (A6)."""

import base64
import binascii
import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from remit.domain.accounts import AccountChange, Note
from remit.domain.actor import Actor
from remit.domain.errors import InvalidError, NotFoundError
from remit.domain.journal import JournalEntry
from remit.domain.messages import Message
from remit.domain.payments import Payment
from remit.domain.subscriptions import SubscriptionEvent
from remit.usecases.collect_invoice import AGENDA as COLLECTION
from remit.usecases.ports import Journal, place_of

type Told = AccountChange | Note | Message | SubscriptionEvent
"""What the timeline tells of, each thing once, beside entries and payments."""

_TOLD: tuple[type[Told], ...] = (AccountChange, Note, Message, SubscriptionEvent)

type Event = JournalEntry | Told | Payment
"""What a line of the timeline tells of: documents and money are entries. A payment is told of as the attempt of an automatic
collection, whatever it came to."""


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One event: when it was recorded, by whom."""

    at: datetime
    actor: Actor
    event: Event


def read_timeline(account_id: str, journal: Journal, cursor: str | None, limit: int) -> tuple[list[TimelineRow], str | None]:
    """The next `limit` events, newest first, and where to go on.

    The entries of each currency, the payments and the things of each other class are a stream each, read in its own order and
    merged by time; of each no more is read than one page can show. The cursor holds a place for every stream that has been
    shown of, so what is written meanwhile shifts nothing. `NotFoundError` for an unknown account, `InvalidError` for
    a cursor that no page had.
    """
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    places = _places(cursor)
    streams = [
        _entries(account_id, balance.currency, journal, places.get(balance.currency), limit + 1) for balance in balances
    ] + [_things(type_, account_id, journal, places.get(type_.__name__), limit + 1) for type_ in _TOLD]
    streams.append(_payments(account_id, journal, places.get(Payment.__name__), limit + 1))
    merged = heapq.merge(*streams, key=lambda placed: placed[0].at, reverse=True)
    shown: list[TimelineRow] = []
    for row, stream, place in merged:
        is_told = not isinstance(row.event, Payment) or row.event.collected is not None
        if is_told and len(shown) == limit:
            return shown, _cursor(places)
        if is_told:
            shown.append(row)
        places[stream] = place
    return shown, None


type _Placed = tuple[TimelineRow, str, str]
"""A row, the name of its stream, and its place there."""


def _entries(account_id: str, currency: str, journal: Journal, place: str | None, limit: int) -> Iterable[_Placed]:
    before = int(place) if place else None
    for entry in journal.entries(account_id, currency, before=before, newest_first=True, limit=limit):
        yield TimelineRow(entry.draft.recorded_at, entry.draft.actor, entry), currency, str(entry.sequence)


def _things(type_: type[Told], account_id: str, journal: Journal, place: str | None, limit: int) -> Iterable[_Placed]:
    for thing in journal.newest(type_, account_id, place, limit)[0]:
        yield TimelineRow(_told_at(thing), thing.actor, thing), type_.__name__, place_of(thing)


def _payments(account_id: str, journal: Journal, place: str | None, limit: int) -> Iterator[_Placed]:
    """All of them, a page at a time as far as the merge comes: what is no attempt is passed over, and its entry told of."""
    while True:
        page, more = journal.newest(Payment, account_id, place, limit)
        for payment in page:
            yield (TimelineRow(payment.created_at, COLLECTION, payment), Payment.__name__, payment.id)
        if more is None:
            return
        place = more


def _told_at(thing: Told) -> datetime:
    if isinstance(thing, AccountChange):
        return thing.changed_at
    if isinstance(thing, SubscriptionEvent):
        return thing.happened_at
    return thing.written_at if isinstance(thing, Note) else thing.claimed_at


_PLACE = re.compile(r"[A-Z]{3}\.[0-9]{1,10}|(AccountChange|Note|Message|SubscriptionEvent|Payment)\.[A-Za-z0-9_.~-]{1,200}")


def _cursor(places: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(places, separators=(",", ":")).encode()).decode().rstrip("=")


def _places(cursor: str | None) -> dict[str, str]:
    """The places in a cursor, which came from outside: a stream's name and a place, each a string."""
    if cursor is None:
        return {}
    try:
        places = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if all(_PLACE.fullmatch(f"{stream}.{place}") for stream, place in places.items()):
            return dict(places)
    except (binascii.Error, ValueError, AttributeError):
        pass
    raise InvalidError("bad_cursor", "Pass the cursor that the page before had, or none.")
