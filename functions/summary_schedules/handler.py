"""HTTP: when account summaries are sent, and to whom."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from remit.adapters.clock import deployed_clock
from remit.adapters.cron import CronsimCron
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId
from remit.adapters.ids import UlidIds
from remit.contract.common import Id
from remit.contract.summaries import (
    SlotsPreviewBody,
    SlotsPreviewView,
    SummaryEnrolmentsView,
    SummaryEnrolmentView,
    SummaryScheduleBody,
    SummaryScheduleDetailsView,
    SummarySchedulesView,
    SummaryScheduleView,
)
from remit.domain.summaries import SummaryEnrolment, SummarySchedule
from remit.usecases.loading import need_account
from remit.usecases.ports import account_ref, summary_schedule_ref
from remit.usecases.summary_enrolments import enrol_account, withdraw_account
from remit.usecases.summary_schedules import (
    change_summary_schedule,
    create_summary_schedule,
    need_schedule,
    remove_summary_schedule,
)
from remit.usecases.summary_slots import next_runs

MOST_SCHEDULES = 100
"""Of one account that are listed."""

api = Api("Account summaries")
books = DynamoBooks()
journal = DynamoJournal()
cron = CronsimCron()

ScheduleId = Annotated[Id, Path()]


def details(schedule: SummarySchedule) -> SummaryScheduleDetailsView:
    now = deployed_clock().now()
    runs = next_runs(schedule.cron, schedule.time_zone, cron, now) if schedule.runs else []
    return SummaryScheduleDetailsView.with_runs(schedule, runs)


def present(schedule: SummarySchedule) -> Any:
    return details(schedule).model_dump(mode="json")


@api.app.post(
    "/summary-schedules",
    summary="Set a schedule of account summaries up",
    description="Nobody is enrolled in it yet. Nothing is sent unless the firm's switch `summaries` is on, and the account's.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The schedule with its next runs"),
)
def create(body: Annotated[SummaryScheduleBody, Body()], idempotency_key: IdempotencyKey) -> Response[SummaryScheduleDetailsView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, present)
    return api.created(create_summary_schedule(body.to_wish(), request, books, cron, clock, UlidIds(clock)))


@api.app.get(
    "/summary-schedules",
    summary="List the schedules of account summaries",
    tags=[api.tag],
    responses=responses(200, "Oldest first"),
)
def index() -> SummarySchedulesView:
    return SummarySchedulesView(schedules=[SummaryScheduleView.of(each) for each in journal.summary_schedules()])


@api.app.post(
    "/summary-schedules/previews",
    summary="Show when a schedule would run",
    description="A time that daylight saving skips runs when the clock is put forward; one that it repeats, the first time.",
    tags=[api.tag],
    responses=responses(200, "The next ten runs"),
)
def preview(body: Annotated[SlotsPreviewBody, Body()], idempotency_key: IdempotencyKey | None = None) -> SlotsPreviewView:
    cron.require(body.cron)
    return SlotsPreviewView.of(next_runs(body.cron, body.time_zone, cron, deployed_clock().now()), body.time_zone)


@api.app.get(
    "/summary-schedules/<schedule_id>",
    summary="Read a schedule with its next ten runs",
    tags=[api.tag],
    responses=responses(200, "The schedule"),
)
def show(schedule_id: ScheduleId) -> SummaryScheduleDetailsView:
    return details(need_schedule(books.load(summary_schedule_ref(schedule_id)), schedule_id))


@api.app.put(
    "/summary-schedules/<schedule_id>",
    summary="Change a schedule",
    description="Replaces it; the same again changes nothing. Other times count from now on: nothing is sent for earlier ones.",
    tags=[api.tag],
    responses=responses(200, "The schedule with its next runs"),
)
def change(schedule_id: ScheduleId, body: Annotated[SummaryScheduleBody, Body()]) -> SummaryScheduleDetailsView:
    return details(change_summary_schedule(schedule_id, body.to_wish(), books, cron, deployed_clock()))


@api.app.delete(
    "/summary-schedules/<schedule_id>",
    summary="Remove a schedule",
    description="No account gets its summaries any more; what was sent is kept.",
    tags=[api.tag],
    responses=responses(200, "The schedule as it ended"),
)
def remove(schedule_id: ScheduleId) -> SummaryScheduleView:
    return SummaryScheduleView.of(remove_summary_schedule(schedule_id, books, deployed_clock()))


@api.app.get(
    "/accounts/<account_id>/summary-schedules",
    summary="List the summaries that an account gets",
    tags=[api.tag],
    responses=responses(200, "Its enrolments, newest schedule first"),
)
def enrolments(account_id: AccountId) -> SummaryEnrolmentsView:
    need_account(books.load(account_ref(account_id)), account_id)
    found, _ = journal.newest(SummaryEnrolment, account_id, None, MOST_SCHEDULES)
    return SummaryEnrolmentsView(enrolments=[SummaryEnrolmentView.of(each) for each in found if each.withdrawn_at is None])


@api.app.put(
    "/accounts/<account_id>/summary-schedules/<schedule_id>",
    summary="Enrol an account",
    description="It gets the summaries from the schedule's next run on; sent again it changes nothing.",
    tags=[api.tag],
    responses=responses(200, "The enrolment"),
)
def enrol(account_id: AccountId, schedule_id: ScheduleId) -> SummaryEnrolmentView:
    return SummaryEnrolmentView.of(enrol_account(account_id, schedule_id, books, journal, cron, deployed_clock()))


@api.app.delete(
    "/accounts/<account_id>/summary-schedules/<schedule_id>",
    summary="Withdraw an account",
    tags=[api.tag],
    description="It gets no more of these summaries.",
    responses=responses(200, "The enrolment as it ended"),
)
def withdraw(account_id: AccountId, schedule_id: ScheduleId) -> SummaryEnrolmentView:
    return SummaryEnrolmentView.of(withdraw_account(account_id, schedule_id, books, deployed_clock()))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
