"""When a schedule of summaries runs, by its cron expression (D3)."""

from datetime import datetime, timedelta
from itertools import islice

from remit.domain.summaries import SHOWN_RUNS, SummarySchedule, last_run, on_the_wall, runs_after
from remit.usecases.ports import Cron

_LONGEST_REPETITION = timedelta(days=1)
"""So far ahead of a clock on the wall may be what it showed before it was put back."""


def next_runs(expression: str, time_zone: str, cron: Cron, after: datetime, count: int = SHOWN_RUNS) -> list[datetime]:
    """The first `count` runs later than `after`, in UTC; fewer only where there are no more in fifty years."""
    walls = cron.after(expression, on_the_wall(after, time_zone))
    return list(islice(runs_after(walls, time_zone, after), count))


def next_slot(schedule: SummarySchedule, cron: Cron, after: datetime) -> datetime | None:
    """The first slot later than `after` and than the schedule's present plan; None while it does not run."""
    if not schedule.runs:
        return None
    later = max(after, schedule.planned_at)
    return next(iter(next_runs(schedule.cron, schedule.time_zone, cron, later, 1)), None)


def last_slot(schedule: SummarySchedule, cron: Cron, until: datetime) -> datetime | None:
    """The latest slot up to `until`, whether or not anybody was planned for it."""
    ahead = on_the_wall(until, schedule.time_zone) + _LONGEST_REPETITION
    return last_run(cron.before(schedule.cron, ahead), schedule.time_zone, until)
