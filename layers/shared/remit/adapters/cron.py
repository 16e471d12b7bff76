"""Cron expressions, read by the library `cronsim`, as times on a clock on the wall."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from cronsim import CronSim, CronSimError

from remit.domain.errors import InvalidError

_FIELDS = 5
_DAY, _MONTH = 2, 3
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - on the wall there is no zone


class CronsimCron:
    """The `Cron` of Remit. The library sees times without a zone, so that of its rules for daylight saving none applies:
    ours are in `domain.summaries`."""

    def require(self, expression: str) -> None:
        fields = expression.split()
        if len(fields) != _FIELDS:
            raise InvalidError("bad_cron_expression", "A cron expression has five fields.", fields=len(fields))
        parsed = _parsed(fields)
        if parsed is None:
            # The library refuses a day that no month named has in the words of one that makes no sense.
            if _parsed([*fields[:_MONTH], "*", fields[-1]]) and _parsed([*fields[:_DAY], "1", *fields[_MONTH:]]):
                raise _never_comes()
            raise InvalidError(
                "bad_cron_expression",
                "This is no cron expression: minute, hour, day of the month, month, day of the week.",
                example="0 8 1 * *",
            )
        if len(parsed.minutes) > 1:
            raise InvalidError(
                "cron_too_frequent", "A summary is sent at most once an hour: name one minute.", minutes=len(parsed.minutes)
            )
        if not list(islice(parsed, 1)):
            raise _never_comes()

    def after(self, expression: str, wall: datetime) -> Iterator[datetime]:
        return CronSim(expression, wall)

    def before(self, expression: str, wall: datetime) -> Iterator[datetime]:
        return CronSim(expression, wall, reverse=True)


def _parsed(fields: list[str]) -> CronSim | None:
    try:
        return CronSim(" ".join(fields), _SOME_DAY)
    except CronSimError:
        return None


def _never_comes() -> InvalidError:
    return InvalidError("cron_never_comes", "There is no such day.", example="0 8 L * *")
