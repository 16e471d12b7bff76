"""A year by the clock: through leap days and daylight saving, the same for the same seed, whatever schedules miss (O3)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from remit.domain.errors import TransientError
from simulation.deployment import triggers
from simulation.gateway import Intent
from simulation.world import InvariantError
from simulation.year.__main__ import failure
from simulation.year.outcome import documents, dunning, late_charges, mail, unexplained
from simulation.year.schedules import crontab, times
from simulation.year.year import Year

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SPRING: dict[str, Any] = {"begin": date(2028, 2, 1), "end": date(2028, 3, 31)}
"""The leap day, and both zones' changes of clocks: New York's on 12 March, Amsterdam's on the 26th."""

AUTUMN: dict[str, Any] = {"begin": date(2028, 10, 27), "end": date(2028, 11, 6)}


def year(seed: int = 1, **span: Any) -> tuple[Year, list[str]]:
    lines: list[str] = []
    run = Year(seed, say=lines.append, **span)
    run.run()
    return run, lines


def happened(run: tuple[Year, list[str]], what: str) -> list[str]:
    """When something of the calendar happened where the firm is, and what follows the words: `03-03 07:00 tier_1`."""
    day, found = "", []
    for line in run[1]:
        day = line[5:10].strip() or day
        time, _, text = line[16:].partition("  ")
        if text.startswith(what):
            found.append(f"{day} {time} {text.removeprefix(what).split('  ')[0].strip()}")
    return found


@pytest.fixture(scope="module")
def spring() -> tuple[Year, list[str]]:
    return year(**SPRING)


# Schedules


def fired(expression: str, begin: datetime, count: int, zone: ZoneInfo = AMSTERDAM, **how: Any) -> list[str]:
    return [f"{at.astimezone(zone):%m-%d %H:%M}" for at in islice(times(expression, zone, begin, **how), count)]


def test_a_schedule_keeps_its_local_time_when_clocks_change() -> None:
    assert fired("cron(0 7 * * ? *)", datetime(2028, 3, 25, tzinfo=UTC), 3) == ["03-25 07:00", "03-26 07:00", "03-27 07:00"]
    (first, second) = islice(times("cron(0 7 * * ? *)", AMSTERDAM, datetime(2028, 3, 25, 12, tzinfo=UTC)), 2)
    assert second - first == timedelta(hours=24)
    (before, after) = islice(times("cron(0 7 * * ? *)", AMSTERDAM, datetime(2028, 3, 25, tzinfo=UTC)), 2)
    assert after - before == timedelta(hours=23)


def test_an_hour_that_is_skipped_fires_nothing_and_one_that_comes_twice_fires_once() -> None:
    """As EventBridge Scheduler documents it."""
    half_past_two = "cron(30 2 * * ? *)"
    assert fired(half_past_two, datetime(2028, 3, 25, tzinfo=UTC), 3) == ["03-25 02:30", "03-27 02:30", "03-28 02:30"]
    assert fired(half_past_two, datetime(2028, 10, 28, tzinfo=UTC), 3) == ["10-28 02:30", "10-29 02:30", "10-30 02:30"]


def test_a_rate_counts_hours_whatever_clocks_show() -> None:
    begin = datetime(2028, 3, 26, tzinfo=UTC)
    assert fired("rate(15 minutes)", begin, 3) == ["03-26 01:00", "03-26 01:15", "03-26 01:30"]
    assert fired("rate(15 minutes)", begin, 3, at_least=timedelta(hours=1)) == ["03-26 01:00", "03-26 03:00", "03-26 04:00"]


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ("0 5 1 * ? *", "0 5 1 * *"),
        ("0 3 ? * SUN *", "0 3 * * SUN"),
        ("0 3 ? * 1 *", "0 3 * * 0"),
        ("0 3 ? * 2-6 *", "0 3 * * 1-5"),
        ("0 3 ? * 6#3 *", "0 3 * * 5#3"),
        ("0 3 L * ? *", "0 3 L * *"),
    ],
)
def test_weekdays_begin_with_sunday_as_one(fields: str, meant: str) -> None:
    assert crontab(*fields.split()) == meant


@pytest.mark.parametrize("expression", ["cron(0 5 1 * ? 2028)", "cron(0 5 ? * 5L *)", "at(2028-01-01T00:00:00)", "rate(1 week)"])
def test_an_expression_that_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"not known|neither"):
        next(times(expression, AMSTERDAM, datetime(2028, 1, 1, tzinfo=UTC)))


def test_every_schedule_of_the_template_has_a_next_time() -> None:
    for trigger in triggers():
        assert next(times(trigger.expression, AMSTERDAM, datetime(2028, 1, 1, tzinfo=UTC))), trigger


# The year


def test_O3_the_same_seed_is_the_same_calendar(spring: tuple[Year, list[str]]) -> None:
    again, lines = year(**SPRING)
    assert lines == spring[1]
    assert again.table() == spring[0].table()
    assert year(2, **SPRING)[1] != lines


def test_the_calendar_names_days_on_which_calendars_are_difficult(spring: tuple[Year, list[str]]) -> None:
    _, lines = spring
    assert "2028-02-29 Tue         the leap day" in lines
    assert "2028-03-12 Sun         this day has 23 hours in America/New_York" in lines
    assert "2028-03-26 Sun         this day has 23 hours in Europe/Amsterdam" in lines
    assert any(line.strip().startswith("---- 2028-02: ") for line in lines)
    _, lines = year(**AUTUMN)
    assert "2028-10-29 Sun         this day has 25 hours in Europe/Amsterdam" in lines
    assert "2028-11-05 Sun         this day has 25 hours in America/New_York" in lines


def test_D7_who_does_not_pay_hears_each_tier_once_at_seven_whatever_clocks_do(spring: tuple[Year, list[str]]) -> None:
    assert happened(spring, "Silent Ltd: e-mail dunning_") == ["03-07 07:00 tier_1", "03-14 07:00 tier_2", "03-30 07:00 tier_3"]


def test_D4_reminders_come_three_days_before_and_after_a_part_is_due(spring: tuple[Year, list[str]]) -> None:
    """The one before to who has a term, the one after to who has not paid by then."""
    assert happened(spring, "Silent Ltd: e-mail reminder_")[:1] == ["03-03 07:00 overdue"]
    assert happened(spring, "Harbour Café: e-mail reminder_") == ["03-11 07:00 upcoming"]
    forgetful = [told for told in happened(spring, "Forgetful & Sons: e-mail reminder_") if told.endswith("upcoming")]
    assert forgetful == ["03-09 07:00 upcoming", "03-16 07:00 upcoming"]


def test_D9_being_late_costs_a_fee_once_and_interest_for_each_day(spring: tuple[Year, list[str]]) -> None:
    """EUR 666.59 at 10.40 % a year, for 7, 7 and 16 days; the fee with the second tier. The policy of an account of its own
    charges 1 %, at least EUR 5.00, with its first."""
    (number,) = {line.partition(" for ")[2].partition(":")[0] for line in spring[1] if "Silent Ltd: late charge" in line}
    charges = [told.partition(f" for {number}: ") for told in happened(spring, "Silent Ltd: late charge issued")]
    assert [(told[:11], about) for told, _, about in charges] == [
        ("03-07 07:00", "interest EUR 1.33 through 03-07"),
        ("03-14 07:00", "late fee EUR 40.00, interest EUR 1.33 through 03-14"),
        ("03-30 07:00", "interest EUR 3.04 through 03-30"),
    ]
    (forgetful,) = happened(spring, "Forgetful & Sons: late charge issued")
    assert forgetful.startswith("03-26 07:00 EUR 5.00")
    assert forgetful.endswith(": late fee EUR 5.00")


def test_S1_who_subscribed_on_the_31st_is_billed_on_the_last_day_of_each_month_where_they_are(
    spring: tuple[Year, list[str]],
) -> None:
    """S1, S2, S3: across the leap day and a change of clocks; who pauses is not, who takes more pays for it at once."""
    assert [told[:11] for told in happened(spring, "Daily Plant: invoice issued")] == ["02-01 00:00", "02-29 00:00"]
    assert happened(spring, "Daily Plant: subscription ") == ["02-01 00:00 started", "03-10 09:00 paused"]
    assert [told[:11] for told in happened(spring, "Short Stay: invoice issued")] == ["02-01 00:00", "02-29 06:00", "03-31 06:00"]
    grown = [told[:11] for told in happened(spring, "Growing Goods: invoice issued")]
    assert grown == ["02-01 00:00", "02-29 00:00", "03-16 09:00", "03-31 00:00"]
    assert len(happened(spring, "Growing Goods: payment received")) == len(grown)
    assert len(happened(spring, "Growing Goods: credit note issued")) == 1


def test_S4_a_card_that_is_declined_is_tried_again_by_the_policy_and_one_that_is_lost_is_not(
    spring: tuple[Year, list[str]],
) -> None:
    charges = happened(spring, "Short Stay: charge of EUR 59.29 failed: insufficient_")
    assert [told[:5] for told in charges] == ["02-01", "02-04", "02-29", "03-03", "03-31"]
    assert [told[:5] for told in happened(spring, "Short Stay: payment received")] == ["02-06", "03-05"]
    lost = happened(spring, "Bygone Books: charge of EUR 59.29 failed: lost_")
    assert [told[:5] for told in lost] == ["02-01", "02-29", "03-31"]


def test_D3_summaries_come_once_a_slot_in_their_own_time_zone_also_in_the_hour_that_is_skipped(
    spring: tuple[Year, list[str]],
) -> None:
    """At 02:30 on Sundays, which the next run of the schedule tells; and at nine in New York, an hour earlier here in between the
    two changes of clocks."""
    weekly = happened(spring, "Weekly Bread: e-mail account_summary_")
    assert weekly == [f"{day} 03:00 transactions" for day in ("02-13", "02-20", "02-27", "03-05", "03-12", "03-19", "03-26")]
    monthly = [told[:11] for told in happened(spring, "Bygone Books: e-mail account_summary_open")]
    assert monthly == ["02-01 15:00", "03-01 15:00"]


def assert_interest_is_right(run: Year) -> None:
    """What was overdue of an invoice that is paid by now bears interest for each day, if it was late enough; nothing else does,
    and each charge is rounded once."""
    for invoice, late in late_charges(run).items():
        assert abs(late.interest_minor - late.worth) <= Fraction(late.roundings, 2), invoice
        assert late.days <= late.late, invoice
        if late.is_paid:
            assert late.days == (late.late if late.counts else set()), invoice


def test_D7_schedules_that_miss_repeat_and_die_bring_about_the_same(spring: tuple[Year, list[str]]) -> None:
    """D4, D7, D9, P3: nothing is billed, charged or sent twice, and nothing is left out but a notice or reminder to somebody who
    has paid since. A late charge may come with a later run; in the end the same fees and days are charged for."""
    calm, _ = spring
    for seed in (1, 2):
        expected = calm if seed == 1 else year(seed, **SPRING)[0]
        wild, _ = year(seed, mischief=True, **SPRING)
        assert min(wild.fired["missed"], wild.fired["twice"]) > 100
        assert wild.fired["dies"] > 2
        assert documents(wild) == documents(expected)
        assert mail(wild) == mail(expected)
        assert unexplained(expected, wild) == []
        assert len(dunning(wild).heard) > 15
        sent = [message.message_id for message in wild.world.mailer.sent]
        assert len(sent) == len(set(sent))
        for run in (expected, wild):
            assert_interest_is_right(run)
        calmly, wildly = late_charges(expected), late_charges(wild)
        assert {id: late.fees for id, late in wildly.items()} == {id: late.fees for id, late in calmly.items()}
        both_paid = [id for id, late in calmly.items() if late.is_paid and wildly[id].is_paid]
        assert len(both_paid) > 3
        assert all(wildly[id].days == calmly[id].days for id in both_paid)


def test_a_breach_names_its_day_and_seed() -> None:
    run = Year(5, begin=date(2028, 2, 28), end=date(2028, 3, 2), say=lambda _line: None)

    def account_id() -> str:
        return next(iter(run.accounts))

    run.later(1, lambda: run.office.invoice(account_id()))
    run.later(1, lambda: run.world.books.overwrite(replace(run.office.balance(account_id()), receivable_minor=1)))
    with pytest.raises(InvariantError) as fault:
        run.run()
    told = failure(run, fault.value)
    assert told.startswith("Seed 5, 2028-02-2")
    assert "Again: make simulate-year SEED=5" in told


def fails(*_: object) -> None:
    raise ValueError("a bug")


def loses_the_answer(_intent: Intent) -> None:
    raise TransientError("gateway_failed", "The answer was lost.")


def test_what_a_machine_keeps_aside_ends_the_year() -> None:
    run = Year(1, begin=date(2028, 3, 4), end=date(2028, 3, 6), say=lambda _line: None)
    run.gateway.script = fails
    with pytest.raises(InvariantError, match=r"nothing is given up on: .*RecurringPaymentsDeadLetters"):
        run.run()


def test_what_is_due_and_fails_ends_the_year() -> None:
    """A function that logs a failure and goes on is seen all the same."""
    run = Year(1, begin=date(2028, 3, 4), end=date(2028, 3, 6), say=lambda _line: None)
    run.gateway.script = loses_the_answer
    run.gateway.look_up = fails  # type: ignore[assignment, method-assign]
    with pytest.raises(InvariantError, match="nothing that is due fails: AgendaFunction"):
        run.run()
