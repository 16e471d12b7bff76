"""When a schedule of EventBridge Scheduler fires, by its expression in a time zone.

A `cron` that falls into the hour that is skipped in spring does not fire on that day, one in the hour that comes twice in autumn
fires once; a `rate` counts hours, whatever clocks show (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_WEEKDAYS = re.compile(r"[?*]|(?:SUN|MON|TUE|WED|THU|FRI|SAT|[1-7,-])+(?:#[1-5])?")


def times(expression: str, zone: ZoneInfo, begin: datetime, *, at_least: timedelta = timedelta()) -> Iterator[datetime]:
    """The instants from `begin` on, in UTC, without end. A `rate` faster than `at_least` is slowed down to it."""
    if rate := _RATE.fullmatch(expression):
        return _every(max(timedelta(**{f"{rate[2]}s": int(rate[1])}), at_least), begin)
    if cron := _CRON.fullmatch(expression):
        return _at(crontab(*cron.groups()), zone, begin)
    raise ValueError(f"{expression!r} is neither a rate nor a cron expression")


def crontab(minute: str, hour: str, day: str, month: str, weekday: str, year: str) -> str:
    """The five fields of crontab(5) for EventBridge's six: `?` is any day, and weekdays are 1–7 from Sunday instead of 0–6."""
    if year != "*":
        raise ValueError("a schedule of certain years is not known here")
    if not _WEEKDAYS.fullmatch(weekday):
        raise ValueError(f"the weekday {weekday!r} is not known here")
    days, _, nth = weekday.partition("#")
    shifted = re.sub(r"[1-7]", lambda found: str(int(found[0]) - 1), days) + (f"#{nth}" if nth else "")
    return " ".join((minute, hour, "*" if day == "?" else day, month, "*" if weekday == "?" else shifted))


def _every(step: timedelta, begin: datetime) -> Iterator[datetime]:
    at = begin
    while True:
        yield at
        at += step


def _at(fields: str, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """Counted on the wall clock without a zone, so that it is ours to say what becomes of hours that are skipped or repeated."""
    local = begin.astimezone(zone).replace(tzinfo=None) - timedelta(minutes=1)
    for wall in CronSim(fields, local):
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        exists = instant.astimezone(zone).replace(tzinfo=None) == wall
        if exists and instant >= begin:
            yield instant
