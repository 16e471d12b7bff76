"""Moments at which calendars are difficult, and jumps to just before, onto and just after them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo


def _midnights(after: datetime) -> list[datetime]:
    """The next 400 local midnights: each as the wall clock has it, so that days of 23 and 25 hours are as they are."""
    first = after.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return [(first.replace(tzinfo=None) + timedelta(days=n)).replace(tzinfo=after.tzinfo) for n in range(1, 401)]


def month_end(after: datetime) -> datetime | None:
    return next(day for day in _midnights(after) if day.day == 1)


def year_end(after: datetime) -> datetime | None:
    return next(day for day in _midnights(after) if (day.month, day.day) == (1, 1))


def leap_day(after: datetime) -> datetime | None:
    """The next 29 February, if it is within a year or so."""
    return next((day for day in _midnights(after) if (day.month, day.day) == (2, 29)), None)


def daylight_saving(after: datetime) -> datetime | None:
    """Three in the morning after a night on which the offset changes; None in a zone that keeps its own all year."""
    days = _midnights(after)
    changed = (day for day, following in pairwise(days) if day.utcoffset() != following.utcoffset())
    day = next(changed, None)
    return day.replace(hour=3) if day else None


MOMENTS: tuple[Callable[[datetime], datetime | None], ...] = (
    month_end,
    month_end,
    month_end,
    daylight_saving,
    year_end,
    leap_day,
)
"""The likelier the more often it is named."""


def jump(random: Random, now: datetime, time_zone: str) -> datetime:
    """From `now` to within three seconds of the next such moment in the zone, as an instant in UTC, never backwards."""
    moment = random.choice(MOMENTS)(now.astimezone(ZoneInfo(time_zone))) or now
    return max(now, moment.astimezone(UTC) + timedelta(seconds=random.uniform(-3, 3)))
