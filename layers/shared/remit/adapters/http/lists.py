"""Lists with filters: pages of what matches, newest first."""

from collections.abc import Callable
from typing import Protocol

from remit.usecases.ports import Journal

PAGES = 10
"""Pages read for one answer at most; a list that matches rarely goes on from there with its cursor."""


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def matching[T: _Named](
    journal: Journal, type: type[T], account_id: str, wanted: Callable[[T], bool], cursor: str | None, limit: int
) -> tuple[list[T], str | None]:
    """The next `limit` things of an account for which `wanted` holds, and where to go on; fewer when they are far apart."""
    found: list[T] = []
    for _ in range(PAGES):
        page, cursor = journal.newest(type, account_id, cursor, limit)
        for thing in filter(wanted, page):
            found.append(thing)
            if len(found) == limit:
                return found, cursor if thing is page[-1] else thing.id
        if cursor is None:
            break
    return found, cursor
