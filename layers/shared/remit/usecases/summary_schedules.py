"""Set schedules of account summaries up, change and remove them (D3)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from remit.domain.errors import NotFoundError
from remit.domain.summaries import SummaryContent, SummarySchedule
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.ports import Books, Changes, Clock, Cron, Ids, Loaded, summary_schedule_ref


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """What the firm chooses about a schedule."""

    name: str
    cron: str
    time_zone: str
    content: SummaryContent
    enabled: bool = True


def need_schedule(loaded: Loaded, schedule_id: str) -> SummarySchedule:
    """The schedule, or `NotFoundError`: also of one that was removed."""
    schedule = loaded.get(summary_schedule_ref(schedule_id))
    if schedule is None or schedule.removed_at:
        raise _not_found(schedule_id)
    return schedule


def _not_found(schedule_id: str) -> NotFoundError:
    return NotFoundError("summary_schedule_not_found", "There is no such schedule of summaries.", id=schedule_id)


def create_summary_schedule(
    wish: ScheduleWish, request: Request[SummarySchedule], books: Books, cron: Cron, clock: Clock, ids: Ids
) -> Answer:
    """A new schedule, in which no account is enrolled yet. `InvalidError` for an expression that `Cron.require` refuses."""
    now = clock.now()
    schedule_id = ids.new("sch")

    def decide(consistent: bool) -> tuple[Changes, SummarySchedule]:
        cron.require(wish.cron)
        schedule = SummarySchedule(
            schedule_id, wish.name, wish.cron, wish.time_zone, wish.content, now, planned_at=now, enabled=wish.enabled
        )
        return [schedule], schedule

    return once(books, request, now, decide)


def change_summary_schedule(schedule_id: str, wish: ScheduleWish, books: Books, cron: Cron, clock: Clock) -> SummarySchedule:
    """Replace what the firm chose; the same again writes nothing.

    Where it changes when the schedule runs, the enrolments are planned anew within the next runs of the agenda; nothing is sent
    for slots before the change.
    """
    cron.require(wish.cron)

    def wanted(known: SummarySchedule) -> SummarySchedule:
        if known.removed_at:
            raise _not_found(schedule_id)
        return replace(
            known, name=wish.name, cron=wish.cron, time_zone=wish.time_zone, content=wish.content, enabled=wish.enabled
        )

    return _change(schedule_id, wanted, books, clock)


def remove_summary_schedule(schedule_id: str, books: Books, clock: Clock) -> SummarySchedule:
    """End the schedule and all its enrolments; once removed it stays so."""

    def removed(known: SummarySchedule) -> SummarySchedule:
        return known if known.removed_at else replace(known, removed_at=clock.now())

    return _change(schedule_id, removed, books, clock)


def _change(
    schedule_id: str, wanted: Callable[[SummarySchedule], SummarySchedule], books: Books, clock: Clock
) -> SummarySchedule:
    ref = summary_schedule_ref(schedule_id)

    def decide() -> tuple[Changes, SummarySchedule]:
        known = books.load(ref).get(ref)
        if known is None:
            raise _not_found(schedule_id)
        changed = known.changed(wanted(known), clock.now())
        return ([] if changed == known else [changed]), changed

    return persist(books, decide)
