"""Lists, newest first, paged by cursor (https://docs.stripe.com/api/pagination)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local.stripe_double.errors import invalid_request, no_such
from local.stripe_double.store import StripeObject

_LIMIT_DEFAULT = 10
_COMPARE = {
    "gt": int.__gt__,
    "gte": int.__ge__,
    "lt": int.__lt__,
    "lte": int.__le__,
}


def page(items: Iterable[StripeObject], params: dict[str, Any], url: str) -> StripeObject:
    """One page of a list whose items come newest first.

    ``starting_after`` goes on behind an object; ``ending_before`` gives the page in front of one, in the
    same order. ``has_more`` tells whether there is more in the direction of travel.
    """
    after, before = params.get("starting_after"), params.get("ending_before")
    if after is not None and before is not None:
        raise invalid_request("Received both starting_after and ending_before parameters. Please pass in only one.")
    limit = params.get("limit", _LIMIT_DEFAULT)
    matching = [item for item in items if _created_within(item, params.get("created"))]
    if before is not None:
        preceding = matching[: _position(matching, before, "ending_before")]
        chosen, has_more = preceding[-limit:], len(preceding) > limit
    else:
        start = 0 if after is None else _position(matching, after, "starting_after") + 1
        chosen, has_more = matching[start : start + limit], len(matching) > start + limit
    return {"object": "list", "data": chosen, "has_more": has_more, "url": url}


def _position(items: list[StripeObject], object_id: str, param: str) -> int:
    for index, item in enumerate(items):
        if item["id"] == object_id:
            return index
    raise no_such("object", object_id, param)


def _created_within(item: StripeObject, bounds: int | dict[str, int] | None) -> bool:
    if bounds is None:
        return True
    created: int = item["created"]
    if isinstance(bounds, int):
        return created == bounds
    return all(_COMPARE[name](created, bound) for name, bound in bounds.items())
