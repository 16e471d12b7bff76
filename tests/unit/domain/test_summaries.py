"""When account summaries run, and what they say (D3). The table of daylight saving is the decision, and its test."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.adapters.cron import CronsimCron
from remit.domain.accounts import PaymentMode
from remit.domain.errors import InvalidError, LedgerBrokenError
from remit.domain.journal import Balance
from remit.domain.summaries import (
    MAX_ROWS,
    SHOWN_RUNS,
    Saying,
    SummaryContent,
    SummaryEnrolment,
    SummarySchedule,
    Told,
    instant_of,
    message_id,
    on_the_wall,
    open_invoices,
    statement,
    turn_of,
)
from remit.usecases.summary_slots import last_slot, next_runs, next_slot
from tests.support.builders import NOW, TODAY, open_item

CRON = CronsimCron()
AMSTERDAM, NEW_YORK, LORD_HOWE = "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"


def local(instant: datetime, zone: str) -> str:
    """`29 03:00+02:00`: the day, what the clock shows, and the offset, which tells the first showing from the second."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%:z")


# Daylight saving


@dataclass(frozen=True)
class Change:
    """The runs of an expression around a change of the clocks, from the noon before on."""

    what: str
    cron: str
    zone: str
    day: date
    runs: tuple[str, ...]


SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
CHANGES = [
    Change("a time that is not skipped", "30 4 * * *", AMSTERDAM, SPRING, ("29 04:30+02:00", "30 04:30+02:00")),
    Change("a skipped time runs when the clock jumps", "30 2 * * *", AMSTERDAM, SPRING, ("29 03:00+02:00", "30 02:30+02:00")),
    Change("also at the edge of the gap", "0 2 * * *", AMSTERDAM, SPRING, ("29 03:00+02:00", "30 02:00+02:00")),
    Change("a skipped time and the one after it are one", "0 2,3 * * *", AMSTERDAM, SPRING, ("29 03:00+02:00", "30 02:00+02:00")),
    Change("every hour", "0 * * * *", AMSTERDAM, SPRING, tuple(
        [f"28 {hour}:00+01:00" for hour in range(13, 24)]
        + ["29 00:00+01:00", "29 01:00+01:00", "29 03:00+02:00", "29 04:00+02:00"])),
    Change("every hour, half past: the skipped one at the jump", "30 0-4 * * *", AMSTERDAM, SPRING, (
        "29 00:30+01:00", "29 01:30+01:00", "29 03:00+02:00", "29 03:30+02:00", "29 04:30+02:00")),
    Change("a wildcard does not lose the skipped one", "30 */2 29 3 *", AMSTERDAM, SPRING, (
        "29 00:30+01:00", "29 03:00+02:00", "29 04:30+02:00", "29 06:30+02:00")),
    Change("a repeated time runs the first time", "30 2 * * *", AMSTERDAM, AUTUMN, ("25 02:30+02:00", "26 02:30+01:00")),
    Change("every hour: the repeated hour once", "0 0-4 * * *", AMSTERDAM, AUTUMN, (
        "25 00:00+02:00", "25 01:00+02:00", "25 02:00+02:00", "25 03:00+01:00", "25 04:00+01:00")),
    Change("with a wildcard as well", "15 */1 25 10 *", AMSTERDAM, AUTUMN, (
        "25 00:15+02:00", "25 01:15+02:00", "25 02:15+02:00", "25 03:15+01:00")),
    Change("New York, skipped", "30 2 * * *", NEW_YORK, date(2026, 3, 8), ("08 03:00-04:00", "09 02:30-04:00")),
    Change("New York, repeated", "30 1 * * *", NEW_YORK, date(2026, 11, 1), ("01 01:30-04:00", "02 01:30-05:00")),
    Change("Lord Howe skips half an hour", "15 2 * * *", LORD_HOWE, date(2026, 10, 4), ("04 02:30+11:00", "05 02:15+11:00")),
    Change("… and no more than that", "45 2 * * *", LORD_HOWE, date(2026, 10, 4), ("04 02:45+11:00", "05 02:45+11:00")),
    Change("Lord Howe repeats half an hour", "45 1 * * *", LORD_HOWE, date(2026, 4, 5), ("05 01:45+11:00", "06 01:45+10:30")),
    Change("… and no more than that", "15 1 * * *", LORD_HOWE, date(2026, 4, 5), ("05 01:15+11:00", "06 01:15+10:30")),
    Change("a zone without changes", "30 2 * * *", "UTC", SPRING, ("29 02:30+00:00", "30 02:30+00:00")),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.zone} {change.what}")
def test_D3_a_time_that_daylight_saving_skips_or_repeats_runs_once(change: Change) -> None:
    noon_before = datetime(change.day.year, change.day.month, change.day.day, 12, tzinfo=ZoneInfo(change.zone)) - timedelta(
        days=1
    )
    runs = next_runs(change.cron, change.zone, CRON, noon_before.astimezone(UTC), len(change.runs))
    assert tuple(local(run, change.zone) for run in runs) == change.runs


def test_D3_in_the_repeated_hour_the_next_run_is_not_one_that_is_over() -> None:
    second_half_past_two = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10, shown for the second time
    (run,) = next_runs("30 2 * * *", AMSTERDAM, CRON, second_half_past_two, 1)
    assert local(run, AMSTERDAM) == "26 02:30+01:00"


def test_D3_a_whole_day_may_be_skipped() -> None:
    """Samoa went over the date line: 30 December 2011 did not exist there."""
    before = datetime(2011, 12, 29, 12, tzinfo=ZoneInfo("Pacific/Apia")).astimezone(UTC)
    runs = next_runs("0 8 * * *", "Pacific/Apia", CRON, before, 3)
    assert [local(run, "Pacific/Apia") for run in runs] == ["31 00:00+14:00", "31 08:00+14:00", "01 08:00+14:00"]


ZONES = st.sampled_from(
    [AMSTERDAM, NEW_YORK, LORD_HOWE, "UTC", "America/St_Johns", "Asia/Kathmandu", "Africa/Cairo", "Pacific/Apia"]
)
INSTANTS = st.integers(0, 10 * 365 * 24 * 60).map(lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions that a schedule may have."""
    hours = st.one_of(
        st.just("*"), st.builds("*/{}".format, st.integers(1, 12)), st.builds("{}".format, st.integers(0, 23)),
        st.lists(st.integers(0, 23), min_size=1, max_size=4).map(lambda found: ",".join(map(str, found))),
    )  # fmt: skip
    days = st.sampled_from(["*", "1", "L", "LW", "*/2", "1,15", "29"])
    weekdays = st.sampled_from(["*", "1", "MON-FRI", "1#1", "5L", "0,6"])
    months = st.sampled_from(["*", "*/3", "3,10", "JAN-JUN", "2"])
    return f"{draw(st.integers(0, 59))} {draw(hours)} {draw(days)} {draw(months)} {draw(weekdays)}"


@given(expressions(), ZONES, INSTANTS)
def test_D3_runs_rise_and_no_two_are_of_one_time_on_the_wall(cron: str, zone: str, after: datetime) -> None:
    runs = next_runs(cron, zone, CRON, after, 25)
    assert all(a < b for a, b in pairwise([after, *runs]))
    walls = [on_the_wall(run, zone) for run in runs]
    assert len(set(walls)) == len(walls)
    assert runs[:SHOWN_RUNS] == next_runs(cron, zone, CRON, after), "the ten that are shown are those that run"
    one_by_one, at = [], after
    for _ in runs[:SHOWN_RUNS]:
        at = next_runs(cron, zone, CRON, at, 1)[0]
        one_by_one.append(at)
    assert one_by_one == runs[:SHOWN_RUNS], "and so are those found one after another"


@given(expressions(), ZONES, INSTANTS)
def test_D3_every_time_on_the_wall_runs_exactly_once(cron: str, zone: str, after: datetime) -> None:
    walls = list(islice(CRON.after(cron, on_the_wall(after, zone)), 30))
    due = {instant_of(wall, zone) for wall in walls}
    runs = set(next_runs(cron, zone, CRON, after, 31))
    assert {at for at in due if at > after} <= runs
    for wall in walls:
        shown = on_the_wall(instant_of(wall, zone), zone)
        assert shown >= wall, "never before its time"
        assert shown == wall or shown - wall <= timedelta(days=1), "and when it is skipped, as soon as it is over"


@given(expressions(), ZONES, INSTANTS)
def test_D3_times_that_are_neither_skipped_nor_repeated_are_the_librarys(cron: str, zone: str, after: datetime) -> None:
    """Fixed minutes and hours: the library follows Debian's cron, and so do we. Its own rule for wildcards is another one."""
    minute, hour, *_ = cron.split()
    assume("*" not in minute + hour)
    theirs = CronSim(cron, after.astimezone(ZoneInfo(zone)))
    wanted: list[datetime] = []
    for run in islice(theirs, 12):
        if (at := run.astimezone(UTC)) > max([after, *wanted]):  # in a repeated hour theirs goes back
            wanted.append(at)
    assert next_runs(cron, zone, CRON, after, len(wanted)) == wanted


@given(expressions(), ZONES, INSTANTS)
def test_D3_the_last_slot_is_the_one_before_the_next(cron: str, zone: str, after: datetime) -> None:
    schedule = replace(SCHEDULE, cron=cron, time_zone=zone, planned_at=after)
    first, second = next_runs(cron, zone, CRON, after, 2)
    assert last_slot(schedule, CRON, first) == first
    assert last_slot(schedule, CRON, second - timedelta(seconds=1)) == first
    assert next_slot(schedule, CRON, first) == second


# What is no schedule


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("0 8 30 2 *", "cron_never_comes"),
        ("0 8 31 4,6 *", "cron_never_comes"),
        ("0 8 31 2 */2", "cron_never_comes"),
        ("*/30 * * * *", "cron_too_frequent"),
        ("* * * * *", "cron_too_frequent"),
        ("0,59 8 1 * *", "cron_too_frequent"),
        ("0-1 8 * * *", "cron_too_frequent"),
        ("0 8 * *", "bad_cron_expression"),
        ("0 0 8 * * *", "bad_cron_expression"),
        ("@daily", "bad_cron_expression"),
        ("", "bad_cron_expression"),
        ("61 8 * * *", "bad_cron_expression"),
        ("0 24 * * *", "bad_cron_expression"),
        ("0 8 32 * *", "bad_cron_expression"),
        ("0 8 * 13 *", "bad_cron_expression"),
        ("0 8 * * 8", "bad_cron_expression"),
        ("0 8 * * MON#6", "bad_cron_expression"),
        ("0 8/0 * * *", "bad_cron_expression"),
        ("0 8 * * ?", "bad_cron_expression"),
        ("n 8 * * *", "bad_cron_expression"),
    ],
)
def test_D3_expressions_that_never_come_or_come_too_often_are_refused(expression: str, code: str) -> None:
    with pytest.raises(InvalidError, match=code):
        CRON.require(expression)


@given(expressions())
def test_D3_what_may_be_a_schedule_is_taken(cron: str) -> None:
    CRON.require(cron)


@given(st.text(alphabet="0123456789*/-,#L W@MONsun²\u0660", max_size=30).map(lambda text: f"0 {text}") | st.text(max_size=20))
def test_D3_whatever_is_written_is_taken_or_refused(text: str) -> None:
    if refusal_of(text) is None:
        assert len(next_runs(text, AMSTERDAM, CRON, NOW, 1)) == 1


def refusal_of(expression: str) -> InvalidError | None:
    """Whatever else it raises goes through."""
    try:
        CRON.require(expression)
    except InvalidError as refusal:
        return refusal
    return None


# Whose turn it is


SCHEDULE = SummarySchedule("sch_1", "Monthly", "0 8 1 * *", AMSTERDAM, SummaryContent.OPEN_INVOICES, NOW, planned_at=NOW)
SLOT = datetime(2026, 4, 1, 6, tzinfo=UTC)
ENROLMENT = SummaryEnrolment("acc_1", "sch_1", NOW, 1, SLOT)
HOUR, MONTH = timedelta(hours=1), timedelta(days=30)


@dataclass(frozen=True)
class Example:
    """An enrolment at an instant, and whose turn it is."""

    what: str
    now: datetime
    slot: datetime | None
    why: str
    enrolment: SummaryEnrolment = ENROLMENT
    last: datetime | None = None
    since: datetime | None = NOW


EXAMPLES = [
    Example("before its slot", SLOT - HOUR, None, "not_due"),
    Example("at its slot", SLOT, SLOT, "due", last=SLOT),
    Example("late: still for its slot", SLOT + HOUR, SLOT, "due", last=SLOT),
    Example("of several missed slots only the latest", SLOT + 3 * MONTH, SLOT + 2 * MONTH, "due", last=SLOT + 2 * MONTH),
    Example("what was begun is finished first", SLOT + 3 * MONTH, SLOT, "due", last=SLOT + 2 * MONTH,
            enrolment=replace(ENROLMENT, saying=Saying(SLOT, {}))),
    Example("switched off: the slot goes by", SLOT, SLOT, "switched_off", last=SLOT, since=None),
    Example("switched on after the slot: nothing for the past", SLOT + HOUR, SLOT, "before_switched_on", last=SLOT,
            since=SLOT + timedelta(minutes=1)),
    Example("switched on at the very slot", SLOT, SLOT, "due", last=SLOT, since=SLOT),
    Example("switched on between two missed slots", SLOT + 2 * MONTH, SLOT + MONTH, "due", last=SLOT + MONTH, since=SLOT + HOUR),
    Example("a schedule that does not run", SLOT, None, "not_due", enrolment=replace(ENROLMENT, next_slot=None), last=SLOT),
    Example("withdrawn", SLOT, None, "withdrawn", enrolment=replace(ENROLMENT, next_slot=None, withdrawn_at=NOW), last=SLOT),
]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.what)
def test_D3_a_turn_by_example(example: Example) -> None:
    turn = turn_of(example.enrolment, example.last, example.since, example.now)
    assert (turn.slot, turn.why, turn.is_told) == (example.slot, example.why, example.why == "due")


def test_D3_a_message_is_named_by_schedule_account_and_slot() -> None:
    assert message_id(ENROLMENT, SLOT) == "msg_summary_sch_1_acc_1_20260401T0600Z"


def test_D3_another_name_or_content_is_no_new_plan() -> None:
    changed = SCHEDULE.changed(replace(SCHEDULE, name="Weekly", content=SummaryContent.RECENT_TRANSACTIONS), SLOT)
    assert (changed.name, changed.content) == ("Weekly", SummaryContent.RECENT_TRANSACTIONS)
    assert (changed.plan, changed.planned_at, changed.replan_at) == (1, NOW, None)


def test_D3_a_schedule_that_does_not_run_can_be_removed() -> None:
    off = replace(SCHEDULE, enabled=False)
    removed = off.changed(replace(off, removed_at=SLOT), SLOT)
    assert (removed.removed_at, removed.plan) == (SLOT, 2)


@pytest.mark.parametrize(
    "wanted",
    [
        replace(SCHEDULE, cron="0 9 1 * *"),
        replace(SCHEDULE, time_zone=NEW_YORK),
        replace(SCHEDULE, enabled=False),
        replace(SCHEDULE, removed_at=SLOT),
    ],
)
def test_D3_other_times_are_a_new_plan_that_begins_now(wanted: SummarySchedule) -> None:
    changed = SCHEDULE.changed(wanted, SLOT)
    assert (changed.plan, changed.planned_at, changed.replan_at) == (2, SLOT, SLOT + timedelta(minutes=1))
    slot = next_slot(changed, CRON, NOW)
    assert (slot is not None and slot > SLOT) if changed.runs else slot is None


# What is said


def test_D3_open_invoices_by_due_date_with_a_total_for_each_currency() -> None:
    """L8: currencies are never added."""
    items = [
        open_item("inv_1", 12100, TODAY + timedelta(days=9)),
        replace(open_item("inv_2", 5000, TODAY - timedelta(days=1)), disputed_by=("pay_1",)),
        open_item("inv_3", 700, TODAY - timedelta(days=1)),
        open_item("inv_4", 900, TODAY, currency="USD"),
    ]
    balances = [Balance("acc_1", "EUR", credit_minor=50), Balance("acc_1", "GBP", credit_minor=5), Balance("acc_1", "USD")]
    summary = open_invoices(items, balances, TODAY)
    assert summary is not None
    assert [(row.invoice_id, row.overdue, row.disputed) for row in summary.rows] == [
        ("inv_2", False, True), ("inv_3", True, False), ("inv_4", False, False), ("inv_1", False, False),
    ]  # fmt: skip
    totals = {total.currency: total for total in summary.totals}
    assert (totals["EUR"].open_minor, totals["EUR"].overdue_minor, totals["EUR"].disputed_minor) == (17800, 700, 5000)
    assert (totals["EUR"].credit_minor, totals["GBP"].credit_minor, totals["USD"].open_minor) == (50, 5, 900)


def test_D3_a_long_list_says_how_many_more_and_totals_them_all() -> None:
    summary = open_invoices([open_item(f"inv_{n}", 100) for n in range(MAX_ROWS + 7)], [], TODAY)
    assert summary is not None
    assert (len(summary.rows), summary.more, summary.totals[0].open_minor) == (MAX_ROWS, 7, 100 * (MAX_ROWS + 7))


def test_D3_nothing_open_is_nothing_to_say() -> None:
    prepaid = replace(open_item("inv_1"), mode=PaymentMode.PREPAID)
    assert open_invoices([], [Balance("acc_1", "EUR", credit_minor=100)], TODAY) is None
    assert open_invoices([prepaid], [], TODAY) is None


def test_D3_entries_that_do_not_explain_the_balance_are_not_told() -> None:
    with pytest.raises(LedgerBrokenError, match="summary_does_not_tie"):
        statement("EUR", Told(0, 0), Told(1, 100), iter(()))


@pytest.mark.parametrize(
    "meanwhile",
    [
        replace(ENROLMENT, next_slot=SLOT + HOUR, plan=2),  # planned anew
        replace(ENROLMENT, next_slot=None, withdrawn_at=SLOT),
        replace(ENROLMENT, next_slot=SLOT + MONTH),  # moved on by another machine
    ],
)
def test_D3_what_was_decided_meanwhile_stands_when_a_slot_is_over(meanwhile: SummaryEnrolment) -> None:
    moved = meanwhile.moved_on(ENROLMENT, SLOT, {"EUR": Told(3, 100)}, SLOT + 2 * MONTH)
    assert moved == replace(meanwhile, told={"EUR": Told(3, 100)})


def test_D3_what_has_been_told_never_goes_back() -> None:
    ahead = replace(ENROLMENT, told={"EUR": Told(9, 5)}, saying=Saying(SLOT + MONTH, {}))
    moved = ahead.moved_on(ENROLMENT, SLOT, {"EUR": Told(3, 100), "USD": Told(1, 7)}, SLOT + MONTH)
    assert moved == replace(ahead, told={"EUR": Told(9, 5), "USD": Told(1, 7)}, next_slot=SLOT + MONTH)
