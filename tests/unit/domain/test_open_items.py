"""Open items: what is owed and what has become of it (I1, I6, I8, I9, P2, P6, T2, T3, T5)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain.errors import LedgerBrokenError, RuleError
from remit.domain.open_items import CreditedLine, DiscountOffer, InvoiceStatus, OpenItem, Settlement, movements
from remit.domain.orders import Discount, OrderKind
from remit.domain.terms import Method, Part
from tests.support import strategies
from tests.support.builders import CLERK, NOW, TODAY, open_item

open_ones = strategies.open_items().filter(lambda item: item.open_minor > 0)
SAVES_242 = DiscountOffer(TODAY + timedelta(days=10), Discount(200, (("VAT21", 42),)))


def sums_up(item: OpenItem) -> bool:
    return item.open_minor == sum(part.open_minor for part in item.parts) and all(
        0 <= part.open_minor <= part.amount_minor for part in item.parts
    )


# Settling


@given(open_ones, st.data())
def test_P2_settling_pays_the_parts_oldest_first_and_keeps_the_sum(item: OpenItem, data: st.DataObject) -> None:
    amount = data.draw(st.integers(1, item.open_minor))
    settled = item.settle(amount, "pay_new")
    assert settled.open_minor == item.open_minor - amount
    assert sums_up(settled)
    assert settled.settled_by("pay_new") == amount
    by_date = sorted(zip(item.parts, settled.parts, strict=True), key=lambda pair: pair[0].position)
    left = [after.open_minor for _, after in by_date]
    started = [before.open_minor != after.open_minor for before, after in by_date]
    assert all(not open_ for open_, younger in zip(left, started[1:], strict=False) if younger), "a younger part was paid first"


@given(open_ones, st.data())
def test_P2_what_is_taken_back_is_open_again_as_before(item: OpenItem, data: st.DataObject) -> None:
    amount = data.draw(st.integers(1, item.open_minor))
    back = item.settle(amount, "pay_new").reopen(amount, "pay_new")
    assert sums_up(back)
    assert (back.open_minor, back.settlements) == (item.open_minor, item.settlements)
    if all(part.open_minor == part.amount_minor for part in item.parts):
        assert back == item


@given(strategies.open_items())
def test_T2_money_lies_on_what_is_due_first_and_opens_what_is_due_last(item: OpenItem) -> None:
    unpaid = replace(item, parts=tuple(replace(part, open_minor=part.amount_minor) for part in item.parts))
    unpaid = replace(unpaid, open_minor=item.total_minor, settlements=(), is_void=False)
    reopened = unpaid.settle(item.total_minor, "pay_1").reopen(1, "pay_1")
    last = max(range(len(item.parts)), key=lambda index: (item.parts[index].position, index))
    assert [part.open_minor for part in reopened.parts] == [int(index == last) for index in range(len(item.parts))]


@pytest.mark.parametrize("amount", [0, -1, 12101])
def test_P2_an_invoice_takes_no_more_than_is_open_and_nothing_below_one(amount: int) -> None:
    with pytest.raises(RuleError) as refusal:
        open_item("inv_1", 12100).settle(amount, "pay_1")
    assert refusal.value.code == "allocation_exceeds_open"
    assert refusal.value.facts["open_minor"] == 12100


def test_P2_nobody_takes_back_what_another_has_paid() -> None:
    item = open_item("inv_1", 12100).settle(100, "pay_1").settle(100, "pay_2")
    with pytest.raises(LedgerBrokenError, match="settlement_below_zero"):
        item.reopen(101, "pay_1")
    with pytest.raises(LedgerBrokenError, match="reopened_above_total"):
        open_item("inv_1", 12100).reopen(1, None)


def test_I1_an_invoice_goes_from_issued_over_part_paid_to_paid() -> None:
    item = open_item("inv_1", 12100)
    assert item.status is InvoiceStatus.ISSUED
    item = item.settle(100, "pay_1")
    assert item.status is InvoiceStatus.PART_PAID
    item = item.settle(12000, "pay_1")
    assert (item.status, item.next_due, item.settlements) == (InvoiceStatus.PAID, None, (Settlement("pay_1", 12100),))


def test_the_next_due_date_is_that_of_the_earliest_part_still_open() -> None:
    parts = (
        Part(None, 50, 50, 14),
        Part(TODAY, 50, 0),
        Part(TODAY + timedelta(days=9), 50, 50),
        Part(TODAY + timedelta(days=5), 50, 1),
    )
    item = replace(open_item("inv_1", 51), parts=parts, total_minor=200)
    assert item.next_due == TODAY + timedelta(days=5)
    assert replace(item, parts=parts[:2]).next_due is None


def test_T3_a_method_that_the_term_does_not_allow_is_refused() -> None:
    item = replace(open_item(), methods=(Method.CASH,))
    item.require_method(Method.CASH)
    with pytest.raises(RuleError) as refusal:
        item.require_method(Method.CARD)
    assert refusal.value.facts["allowed_methods"] == ["cash"]


# Movements: what an entry posts


@given(open_ones, st.data())
def test_L1_movements_are_exactly_what_became_of_the_open_amount(item: OpenItem, data: st.DataObject) -> None:
    settled = item.settle(data.draw(st.integers(1, item.open_minor)), "pay_1")
    down, up = movements(item, settled), movements(settled, item)
    assert sum(movement.amount_minor for movement in down) == settled.open_minor - item.open_minor
    assert [(m.due_date, -m.amount_minor) for m in down] == [(m.due_date, m.amount_minor) for m in up]
    assert all(movement.amount_minor for movement in down)
    assert movements(item, item) == ()
    assert sum(movement.amount_minor for movement in movements(None, item)) == item.open_minor


def test_P6_a_moved_due_date_is_a_movement_from_one_day_to_the_other() -> None:
    old, new = date(2026, 4, 1), date(2026, 5, 1)
    before = open_item("inv_1", 100, old)
    after = before.postpone(1, new, CLERK, "asked for it", NOW, TODAY)
    assert [(m.due_date, m.amount_minor) for m in movements(before, after)] == [(old, -100), (new, 100)]


# Early payment


@pytest.mark.parametrize(("days", "payable"), [(0, 11_858), (10, 11_858), (11, 12_100)])
def test_T5_an_early_payment_settles_with_less_up_to_the_last_day(days: int, payable: int) -> None:
    item = replace(open_item("inv_1", 12_100), discount=SAVES_242)
    assert item.payable_on(TODAY + timedelta(days=days)) == payable


def test_T5_half_credited_half_saved() -> None:
    item = replace(open_item("inv_1", 12_100), discount=SAVES_242, credited=(CreditedLine(1, 5_000, 1_050),))
    item = item.settle(6_050, None)
    assert item.discount_on(TODAY) == Discount(100, (("VAT21", 21),))
    assert item.payable_on(TODAY) == 5_929


def test_T5_nothing_is_saved_on_what_is_settled_or_on_less_than_the_discount() -> None:
    item = replace(open_item("inv_1", 12_100), discount=SAVES_242)
    assert item.settle(12_100, "pay_1").discount_on(TODAY) is None
    assert item.settle(12_100 - 242, "pay_1").payable_on(TODAY) == 242


def test_P6_postponing_does_not_move_the_discounts_date() -> None:
    item = replace(open_item("inv_1", 12_100), discount=SAVES_242)
    assert item.postpone(1, date(2027, 1, 1), CLERK, "why", NOW, TODAY).payable_on(TODAY + timedelta(days=11)) == 12_100


# Postponing, writing off, voiding


@pytest.mark.parametrize(
    ("part", "day", "code"),
    [
        (0, TODAY, "no_such_part"),
        (4, TODAY, "no_such_part"),
        (1, TODAY, "part_not_due"),  # settled
        (2, TODAY, "part_not_due"),  # waits for its delivery
        (3, TODAY - timedelta(days=1), "bad_due_date"),
    ],
)
def test_P6_what_cannot_be_postponed(part: int, day: date, code: str) -> None:
    parts = (Part(TODAY, 50, 0), Part(None, 50, 50, 14), Part(TODAY, 50, 50))
    item = replace(open_item("inv_1", 100), parts=parts, total_minor=150)
    with pytest.raises(RuleError) as refusal:
        item.postpone(part, day, CLERK, "why", NOW, TODAY)
    assert refusal.value.code == code


def test_P6_every_postponement_is_kept_with_who_and_why() -> None:
    item = open_item("inv_1", 100, date(2026, 4, 1))
    for day in (date(2026, 5, 1), date(2026, 6, 1)):
        item = item.postpone(1, day, CLERK, "asked", NOW, TODAY)
    assert [(p.old_due_date, p.new_due_date, p.actor, p.reason) for p in item.postponements] == [
        (date(2026, 4, 1), date(2026, 5, 1), CLERK, "asked"),
        (date(2026, 5, 1), date(2026, 6, 1), CLERK, "asked"),
    ]
    assert item.next_due == date(2026, 6, 1)


@given(open_ones, st.data())
def test_I9_a_recovery_is_at_most_what_was_written_off_and_opens_nothing(item: OpenItem, data: st.DataObject) -> None:
    item = replace(item, is_void=False, written_off_minor=0, recovered_minor=0)
    lost = item.write_off()
    assert (lost.open_minor, lost.status, lost.recoverable_minor) == (0, InvoiceStatus.UNCOLLECTIBLE, item.open_minor)
    amount = data.draw(st.integers(1, item.open_minor))
    found = lost.recover(amount, "pay_1")
    assert (found.open_minor, found.recoverable_minor) == (0, item.open_minor - amount)
    assert found.unrecover(amount, "pay_1") == lost
    with pytest.raises(RuleError) as refusal:
        found.recover(found.recoverable_minor + 1, "pay_1")
    assert refusal.value.facts["recoverable_minor"] == found.recoverable_minor
    assert (found.status is InvoiceStatus.PAID) == (amount == item.open_minor)


def test_I6_an_untouched_invoice_can_be_voided_and_then_owes_nothing() -> None:
    void = replace(open_item("inv_1", 100), kind=OrderKind.TOP_UP, top_up_minor=100, collect_on=TODAY).void()
    assert (void.status, void.open_minor, void.top_up_minor, void.collect_on) == (InvoiceStatus.VOID, 0, 0, None)
    with pytest.raises(RuleError, match="invoice_void"):
        void.require_open()


TOUCHES: dict[str, Callable[[OpenItem], OpenItem]] = {
    "paid": lambda item: item.settle(100, "pay_1"),
    "part paid": lambda item: item.settle(1, "pay_1"),
    "paid and taken back by another": lambda item: replace(item, settlements=(Settlement("pay_1", 1),)),
    "credited": lambda item: replace(item, credit_notes=("cn_1",)),
    "written off": lambda item: item.write_off(),
    "void": lambda item: item.void(),
    "deducted": lambda item: replace(item, deducted_on="inv_2"),
}


@pytest.mark.parametrize("how", TOUCHES)
def test_I6_a_touched_invoice_cannot_be_voided_and_the_refusal_says_what_can_be_credited(how: str) -> None:
    with pytest.raises(RuleError) as refusal:
        TOUCHES[how](open_item("inv_1", 100)).void()
    assert (refusal.value.code, refusal.value.facts["creditable_minor"]) == ("invoice_not_voidable", 100)


@given(strategies.open_items())
def test_I1_every_state_has_one_status(item: OpenItem) -> None:
    assume(item.total_minor > 0)
    expected = {
        InvoiceStatus.VOID: item.is_void,
        InvoiceStatus.ISSUED: not item.is_void and item.open_minor == item.total_minor,
        InvoiceStatus.PART_PAID: not item.is_void and 0 < item.open_minor < item.total_minor,
    }
    closed = not any(expected.values())
    expected[InvoiceStatus.UNCOLLECTIBLE] = closed and item.written_off_minor > item.recovered_minor
    expected[InvoiceStatus.PAID] = closed and not expected[InvoiceStatus.UNCOLLECTIBLE]
    assert [status for status, holds in expected.items() if holds] == [item.status]


@pytest.mark.parametrize("used", [0, 1, 12_100])
def test_I6_W1_a_top_up_whose_balance_was_used_is_not_voided(used: int) -> None:
    """Its payment came back after the wallet was charged: what was used is owed, and only the rest was never bought."""
    top_up = replace(open_item(), kind=OrderKind.TOP_UP, top_up_minor=12_100 - used)
    if used:
        with pytest.raises(RuleError, match="invoice_not_voidable"):
            top_up.void()
    else:
        assert top_up.void().status is InvoiceStatus.VOID
