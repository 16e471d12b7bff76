"""What an office does with account summaries, as functions over an `Office`."""

from typing import Any

from remit.adapters.cron import CronsimCron
from remit.domain.automations import Automation
from remit.domain.messages import Message
from remit.domain.summaries import SummaryContent, SummaryEnrolment, SummarySchedule
from remit.usecases.ports import AgendaKind, summary_enrolment_ref, summary_schedule_ref
from remit.usecases.summarise_account import SummaryOutcome, summarise_account
from remit.usecases.summary_enrolments import enrol_account, plan_enrolments, withdraw_account
from remit.usecases.summary_schedules import (
    ScheduleWish,
    change_summary_schedule,
    create_summary_schedule,
    remove_summary_schedule,
)
from tests.support.builders import LONG_AGO, Office, firm

CRON = CronsimCron()
OPEN, RECENT = SummaryContent.OPEN_INVOICES, SummaryContent.RECENT_TRANSACTIONS


def summary_office() -> Office:
    """A firm that has wanted summaries for long."""
    return Office(firm=firm(switches={Automation.SUMMARIES: LONG_AGO}))


def wish(cron: str = "0 8 * * *", content: SummaryContent = OPEN, **more: Any) -> ScheduleWish:
    """Every morning at eight in Amsterdam, unless said otherwise."""
    return ScheduleWish(**{"name": "Summary", "cron": cron, "time_zone": "Europe/Amsterdam", "content": content} | more)


def create(office: Office, wanted: ScheduleWish | None = None, key: str | None = None) -> str:
    wanted = wanted or wish()
    ask: Any = office.request(key, wanted.cron)
    return str(create_summary_schedule(wanted, ask, office.books, CRON, office.clock, office.ids).body["id"])


def change(office: Office, schedule_id: str, wanted: ScheduleWish) -> SummarySchedule:
    return change_summary_schedule(schedule_id, wanted, office.books, CRON, office.clock)


def remove(office: Office, schedule_id: str) -> None:
    remove_summary_schedule(schedule_id, office.books, office.clock)


def enrol(office: Office, account_id: str, schedule_id: str) -> SummaryEnrolment:
    return enrol_account(account_id, schedule_id, office.books, office.books, CRON, office.clock)


def withdraw(office: Office, account_id: str, schedule_id: str) -> None:
    withdraw_account(account_id, schedule_id, office.books, office.clock)


def summarise(office: Office, account_id: str, schedule_id: str) -> SummaryOutcome:
    return summarise_account(
        account_id, schedule_id, office.firm, office.books, office.books, CRON, office.letters, office.mailer, office.clock
    )


def plan(office: Office, schedule_id: str, limit: int = 2) -> int:
    """Plan all enrolments of a schedule anew as the state machine does, page by page; how many were changed."""
    plan, cursor, changed = None, None, 0
    while True:
        done = plan_enrolments(schedule_id, plan, cursor, office.books, office.books, CRON, limit)
        plan, cursor, changed = done.plan, done.cursor, changed + done.changed
        if cursor is None:
            return changed


def run(office: Office) -> list[SummaryOutcome]:
    """What the schedule does every quarter of an hour: plan anew what changed, then look at every enrolment that is due."""
    now = office.clock.now().isoformat()
    for due in office.books.due(AgendaKind.SUMMARY_SCHEDULE, now, None, 10**6)[0]:
        plan(office, due.id)
    if Automation.SUMMARIES not in office.firm.switches:
        return []
    enrolled, _ = office.books.due(AgendaKind.SUMMARY, now, None, 10**6)
    return [summarise(office, due.account_id, due.id) for due in enrolled]


def enrolment(office: Office, account_id: str, schedule_id: str) -> SummaryEnrolment:
    return office.books.read(summary_enrolment_ref(account_id, schedule_id))


def schedule(office: Office, schedule_id: str) -> SummarySchedule:
    return office.books.read(summary_schedule_ref(schedule_id))


def told(office: Office) -> list[Message]:
    """The messages of summaries, in the order in which they were written."""
    found = [message for message in office.books.all(Message) if message.template.startswith("account_summary")]
    return sorted(found, key=lambda message: (message.claimed_at, message.id))
