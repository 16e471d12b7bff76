"""Lists with a filter that the store does not know: pages are read on until one is full."""

from collections.abc import Callable
from typing import Protocol

from remit.usecases.ports import Journal

_PAGE = 100
_MOST_PAGES = 20
"""A request reads so many pages at most; a list that is longer goes on with its cursor, however little was found."""


def filtered[T](
    page: Callable[[str | None, int], tuple[list[T], str | None]],
    keep: Callable[[T], bool],
    cursor_of: Callable[[T], str],
    cursor: str | None,
    limit: int,
) -> tuple[list[T], str | None]:
    """Up to `limit` things of `page(cursor, limit)` that `keep` wants, and where to go on: None at the end.

    `cursor_of` is the cursor that goes on after a thing.
    """
    found: list[T] = []
    for number in range(_MOST_PAGES):
        # The first page is often enough; only a filter that leaves much out is worth larger ones.
        things, cursor = page(cursor, limit if number == 0 else _PAGE)
        for place, thing in enumerate(things):
            if keep(thing):
                found.append(thing)
            if len(found) == limit:
                is_last = place == len(things) - 1
                return found, cursor if is_last else cursor_of(thing)
        if cursor is None:
            return found, None
    return found, cursor


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def newest_matching[T: _Named](
    journal: Journal, type: type[T], account_id: str, keep: Callable[[T], bool], cursor: str | None, limit: int
) -> tuple[list[T], str | None]:
    """`filtered` over what an account has of one type, newest first."""

    def page(cursor: str | None, limit: int) -> tuple[list[T], str | None]:
        return journal.newest(type, account_id, cursor, limit)

    return filtered(page, keep, lambda thing: thing.id, cursor, limit)
