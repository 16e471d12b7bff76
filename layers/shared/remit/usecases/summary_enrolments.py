"""Enrol accounts in schedules of summaries, withdraw them, and plan them anew when a schedule runs otherwise (D3)."""

from dataclasses import dataclass, replace

from remit.domain.errors import NotFoundError
from remit.domain.summaries import SummaryEnrolment, SummarySchedule, told_now
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, Cron, Journal, summary_enrolment_ref, summary_schedule_ref
from remit.usecases.summary_schedules import need_schedule
from remit.usecases.summary_slots import next_slot

PAGE = 100
"""Enrolments planned anew in one go."""


def enrol_account(
    account_id: str, schedule_id: str, books: Books, journal: Journal, cron: Cron, clock: Clock
) -> SummaryEnrolment:
    """The account gets the summaries of the schedule from its next slot on; one that gets them already is left as it is.

    `NotFoundError` for an unknown account or schedule. What was posted before is not told of as recent.
    """
    schedule_place, place = summary_schedule_ref(schedule_id), summary_enrolment_ref(account_id, schedule_id)

    def decide() -> tuple[Changes, SummaryEnrolment]:
        loaded = books.load(schedule_place, place)
        schedule, known = need_schedule(loaded, schedule_id), loaded.get(place)
        if known and known.withdrawn_at is None:
            return [], known
        account, balances = journal.account_with_balances(account_id)
        if account is None:
            raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
        now = clock.now()
        enrolment = SummaryEnrolment(
            account_id,
            schedule_id,
            enrolled_at=now,
            plan=schedule.plan,
            next_slot=next_slot(schedule, cron, now),
            told=told_now(balances),
            version=known.version if known else 0,
        )
        return [enrolment], enrolment

    return persist(books, decide)


def withdraw_account(account_id: str, schedule_id: str, books: Books, clock: Clock) -> SummaryEnrolment:
    """The account gets no more summaries of the schedule; once withdrawn it stays so. `NotFoundError` if it never got any."""
    place = summary_enrolment_ref(account_id, schedule_id)

    def decide() -> tuple[Changes, SummaryEnrolment]:
        known = books.load(place).get(place)
        if known is None:
            raise NotFoundError("summary_enrolment_not_found", "The account is not enrolled in it.", id=schedule_id)
        if known.withdrawn_at:
            return [], known
        withdrawn = replace(known, next_slot=None, saying=None, withdrawn_at=clock.now())
        return [withdrawn], withdrawn

    return persist(books, decide)


@dataclass(frozen=True, slots=True)
class Planned:
    """How far planning anew has come: by which plan, and where to go on; without a cursor it is done."""

    plan: int
    cursor: str | None
    changed: int


def plan_enrolments(
    schedule_id: str, plan: int | None, cursor: str | None, books: Books, journal: Journal, cron: Cron, limit: int = PAGE
) -> Planned:
    """Plan a page of a schedule's enrolments by its present plan; after the last page the schedule leaves the agenda.

    Safe to repeat: what is planned already is not written. When the schedule was changed since `plan`, it begins again.
    """
    ref = summary_schedule_ref(schedule_id)
    schedule = books.load(ref).get(ref)
    if schedule is None:
        raise NotFoundError("summary_schedule_not_found", "There is no such schedule of summaries.", id=schedule_id)
    accounts, more = journal.enrolled_accounts(schedule_id, cursor if plan == schedule.plan else None, limit)
    changed = sum(plan_enrolment(account_id, schedule, books, cron) for account_id in accounts)
    if more is None and schedule.replan_at:
        books.commit([replace(schedule, replan_at=None)])
    return Planned(schedule.plan, more, changed)


def plan_enrolment(account_id: str, schedule: SummarySchedule, books: Books, cron: Cron) -> bool:
    """Plan one enrolment by the schedule's present plan: its next slot is the first since the change. False when it was so."""
    place = summary_enrolment_ref(account_id, schedule.id)

    def decide() -> tuple[Changes, bool]:
        known = books.load(place).get(place)
        if known is None or known.withdrawn_at or known.plan >= schedule.plan:
            return [], False
        slot = next_slot(schedule, cron, max(schedule.planned_at, known.enrolled_at))
        return [known.planned(schedule, slot)], True

    return persist(books, decide)
