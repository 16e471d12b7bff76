"""D9: what was overdue on each day, from moves alone, and what is charged of it."""

import itertools
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from remit.domain.arrears import (
    Earlier,
    LateInvoice,
    Move,
    assess,
    late_charge_order,
    late_charge_order_id,
)
from remit.domain.late_charges import InterestRule, LateCharge, PartFee, Rate, SubPeriod
from tests.support.builders import NOW, account, open_item

DAY = timedelta(days=1)
START = date(2026, 1, 1)
RULE = InterestRule((Rate(date(2020, 1, 1), Decimal(9)), Rate(date(2026, 3, 1), Decimal(11))))

days = st.integers(0, 200).map(lambda count: START + count * DAY)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Move, ...]:
    """Parts that are owed from the first day on, and money or returns that move them on any day."""
    dues = draw(st.lists(days, min_size=1, max_size=3))
    owed = [Move(START, due, draw(st.integers(1, 10**6))) for due in dues]
    moves = st.builds(Move, days, st.sampled_from(dues), st.integers(-(10**6), 10**6))
    return (*owed, *draw(st.lists(moves, max_size=6)))


def late(moves: tuple[Move, ...], *earlier: Earlier, since: date = date.min) -> LateInvoice:
    return LateInvoice(open_item("inv_1", 100_000, START), moves, since, tuple(earlier))


@given(histories(), days, days, st.integers(0, 10))
def test_D9_stretches_hold_each_day_that_bears_interest_once_with_its_base(
    moves: tuple[Move, ...], first: date, through: date, grace: int
) -> None:
    invoice = late(moves)
    found = {
        each.first + count * DAY: each.base_minor
        for each in invoice.stretches(first, through, grace)
        for count in range((each.through - each.first).days + 1)
    }
    every = [first + count * DAY for count in range((through - first).days + 1)]
    assert found == {day: base for day in every if (base := invoice.base_minor(day, grace))}
    stretches = list(invoice.stretches(first, through, grace))
    assert all(a.through < b.first for a, b in itertools.pairwise(stretches))


@given(histories(), days)
def test_D9_nothing_is_overdue_before_the_day_after_a_due_date_nor_more_than_is_open(moves: tuple[Move, ...], day: date) -> None:
    base = late(moves).base_minor(day)
    first_due = min(move.due_date for move in moves if move.due_date)
    assert base >= 0
    assert base == 0 or day > first_due
    assert base <= max(0, sum(move.amount_minor for move in moves if move.on < day))


@given(histories(), st.lists(days, max_size=5))
def test_D9_charging_again_and_again_comes_to_charging_once(moves: tuple[Move, ...], cuts: list[date]) -> None:
    last = START + 220 * DAY
    whole = assess(late(moves), None, RULE, last, last)
    earlier: list[Earlier] = []
    for through in [*sorted(cuts), last]:
        charge = assess(late(moves, *earlier), None, RULE, through, through)
        assert charge.less_minor == 0
        if charge.total_minor:
            earlier.append(Earlier(charge))
    charged = [period for each in earlier for period in each.charge.periods]
    assert abs(sum(each.charge.total_minor for each in earlier) - whole.total_minor) <= len(cuts) + 1
    assert all(a.through < b.first for a, b in itertools.pairwise(charged)), "no day twice"


@given(histories(), st.lists(days, min_size=1, max_size=3), days, st.integers(1, 10**6))
def test_D9_money_of_an_earlier_day_never_makes_a_charge_negative_and_comes_off_in_the_end(
    moves: tuple[Move, ...], cuts: list[date], value_date: date, amount: int
) -> None:
    earlier: list[Earlier] = []
    for through in sorted(cuts):
        charge = assess(late(moves, *earlier), None, RULE, through, through)
        earlier += [Earlier(charge)] if charge.total_minor else []
    paid = (*moves, Move(value_date, moves[0].due_date, -amount))
    last = START + 500 * DAY
    for through in (START + 300 * DAY, last):
        charge = assess(late(paid, *earlier), None, RULE, through, through)
        assert charge.interest_minor >= 0
        assert charge.less_minor <= sum(period.share_minor for period in charge.periods)
        earlier += [Earlier(charge)] if charge.total_minor else []
    fair = assess(late(paid), None, RULE, last, last).total_minor
    assert sum(each.charge.total_minor for each in earlier) >= fair - len(earlier) - 1


def test_D9_unscheduled_parts_are_never_late() -> None:
    invoice = late((Move(START, None, 100),))
    assert list(invoice.stretches(START, START + 999 * DAY)) == []
    assert invoice.days_late(START + 999 * DAY) == 0


def test_D9_the_id_of_a_charge_derives_from_invoice_and_key_and_stands_beside_the_invoice() -> None:
    late_id = "inv_01jdx000000000000000000000"
    one = late_charge_order_id(late_id, "tier2/x")
    assert one == late_charge_order_id(late_id, "tier2/x")
    assert len({one, late_charge_order_id(late_id, "tier3/x"), late_charge_order_id(late_id[:-1] + "1", "tier2/x")}) == 3
    assert one.startswith("ord_01jdx00000")
    assert len(one) == 30


def test_D9_lines_tell_days_base_and_rate_and_sum_to_the_charge() -> None:
    period = SubPeriod(START, START + 9 * DAY, 100_000, Decimal("10.1500"), 365, 278)
    charge = LateCharge("inv_1", "INV-1", "EUR", (period, replace(period, share_minor=300)), (PartFee(START, 4000),), 350)
    order = late_charge_order("ord_1", charge, account(), NOW)
    assert [line.amount_minor for line in order.priced.lines] == [228, 0, 4000]
    assert order.priced.payable_minor == charge.total_minor == 4228
    assert order.priced.lines[0].description == (
        "Interest on invoice INV-1, 2026-01-01 to 2026-01-10: 10 days, EUR 1000.00 at 10.15 % a year of 365 days, "
        "less EUR 0.50 charged too much before"
    )
    assert order.priced.lines[2].description == "Late fee for invoice INV-1, due on 2026-01-01"
