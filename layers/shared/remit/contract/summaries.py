"""Schedules of account summaries as the API speaks of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from remit.contract.accounts import TimeZone
from remit.contract.common import Body, Flag, ShortText, View
from remit.domain.summaries import SummaryContent, SummaryEnrolment, SummarySchedule
from remit.usecases.summary_schedules import ScheduleWish

CronExpression = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        description="Minute, hour, day of the month, month, day of the week; at most once an hour. `L` is the month's last day.",
        examples=["0 8 1 * *"],
    ),
]


class SummaryScheduleBody(Body):
    """When, and what about: what is open (to postpaid accounts), or what happened since the last time."""

    name: ShortText
    cron: CronExpression
    time_zone: TimeZone
    content: SummaryContent
    enabled: Flag = True

    def to_wish(self) -> ScheduleWish:
        return ScheduleWish(**self.model_dump())


class SlotsPreviewBody(Body):
    """An expression that is not stored."""

    cron: CronExpression
    time_zone: TimeZone


class RunView(View):
    """When a schedule runs: the instant, and what the clocks of its zone show then."""

    at: datetime
    local: datetime

    @classmethod
    def of(cls, at: datetime, time_zone: str) -> "RunView":
        return cls(at=at, local=at.astimezone(ZoneInfo(time_zone)))


class SlotsPreviewView(View):
    next_runs: list[RunView]

    @classmethod
    def of(cls, runs: Sequence[datetime], time_zone: str) -> "SlotsPreviewView":
        return cls(next_runs=[RunView.of(run, time_zone) for run in runs])


class SummaryScheduleView(View):
    id: str
    name: str
    cron: str
    time_zone: str
    content: SummaryContent
    enabled: bool
    created_at: datetime
    removed_at: datetime | None
    is_being_planned: bool = Field(description="Changed a moment ago: not every account enrolled has its new slot yet")

    @classmethod
    def of(cls, schedule: SummarySchedule) -> "SummaryScheduleView":
        plain = {name: getattr(schedule, name) for name in cls.model_fields if hasattr(schedule, name)}
        return cls.model_validate(plain | {"is_being_planned": schedule.replan_at is not None})


class SummaryScheduleDetailsView(SummaryScheduleView):
    next_runs: list[RunView] = Field(description="The next ten; none while it does not run")

    @classmethod
    def with_runs(cls, schedule: SummarySchedule, runs: Sequence[datetime]) -> "SummaryScheduleDetailsView":
        plain = SummaryScheduleView.of(schedule).model_dump()
        return cls.model_validate(plain | {"next_runs": [RunView.of(run, schedule.time_zone) for run in runs]})


class SummarySchedulesView(View):
    schedules: list[SummaryScheduleView]


class SummaryEnrolmentView(View):
    """`next_slot` is when the account is told next, null while the schedule does not run."""

    schedule_id: str
    enrolled_at: datetime
    next_slot: datetime | None
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, enrolment: SummaryEnrolment) -> "SummaryEnrolmentView":
        return cls.model_validate(enrolment)


class SummaryEnrolmentsView(View):
    enrolments: list[SummaryEnrolmentView]
