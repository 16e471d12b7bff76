"""Payments: reports in any order, and allocations (P2, P4, P5, G3)."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError, RuleError
from remit.domain.open_items import DiscountOffer, OpenItem
from remit.domain.orders import Discount
from remit.domain.payments import (
    MAX_ALLOCATIONS,
    STATE,
    Allocation,
    Dispute,
    DisputeStatus,
    Ending,
    Fee,
    GatewayReport,
    Payment,
    PaymentStatus,
    Transaction,
    check_allocations,
    latest_first,
    oldest_first,
    within_open,
)
from tests.support import strategies
from tests.support.builders import NOW, TODAY, attempt, open_item, report_on

PENDING, PROCESSING, FAILED = PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.FAILED
CANCELED, SUCCEEDED = PaymentStatus.CANCELED, PaymentStatus.SUCCEEDED


def merged(payment: Payment, reports: list[GatewayReport]) -> Payment:
    for report in reports:
        payment = payment.with_report(report)
    return payment


def transaction(id: str) -> Transaction:
    """A gateway's transaction: its id decides all that it says."""
    return Transaction(NOW + timedelta(seconds=len(id)), "capture", id, 12100)


reports = st.builds(
    lambda status, seconds, failure, charge, ids: report_on(
        attempt(),
        status,
        seconds,
        failure=failure if status is FAILED else None,
        transaction=transaction(charge) if charge else None,
        gateway_ids=ids,
    ),
    st.none() | st.sampled_from([PROCESSING, FAILED, CANCELED, SUCCEEDED]),
    st.integers(0, 5),
    st.none() | st.sampled_from(["card_declined", "expired_card"]),
    st.none() | st.sampled_from(["ch_1", "ch_22", "ch_333"]),
    st.lists(st.sampled_from(["pi_1", "cs_1", "ch_1"]), max_size=2),
)


@given(st.lists(reports, min_size=1, max_size=6), st.data())
def test_G3_every_order_and_repetition_of_the_reports_gives_one_payment(said: list[GatewayReport], data: st.DataObject) -> None:
    repeated = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said), max_size=4))))
    assert merged(attempt(), repeated) == merged(attempt(), said)


@given(st.lists(reports, max_size=5), st.sampled_from([why for why in Ending if why is not Ending.NOT_CHARGED]), st.data())
def test_G3_why_we_ended_an_attempt_stays_whenever_the_gateway_says_that_it_is_over(
    said: list[GatewayReport], why: Ending, data: st.DataObject
) -> None:
    """We end only what waits: money on its way, or here, is the gateway's to tell of alone."""
    before = merged(attempt(), said[: data.draw(st.integers(0, len(said)))])
    assume(before.status is not PROCESSING)
    closed = report_on(attempt(), CANCELED, 9, failure="gateways_own_reason", gateway_ids=["cs_1"])
    told_first, told_later = before.with_report(closed).end(why), before.end(why).with_report(closed)
    assert told_first == told_later
    ended = (SUCCEEDED, None) if before.status is SUCCEEDED else (CANCELED, str(why))
    assert (told_later.status, told_later.failure) == ended


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_P4_a_page_that_we_closed_stays_closed_whatever_is_heard_late(order: tuple[int, ...]) -> None:
    """The card that was declined on it, its end, and our own reason: six orders, one end, and nobody waits for it again."""
    steps = [
        lambda payment: payment.with_report(report_on(attempt(), FAILED, 1, failure="card_declined")),
        lambda payment: payment.with_report(report_on(attempt(), CANCELED, 2)),
        lambda payment: payment.end(Ending.SUPERSEDED),
    ]
    payment = attempt()
    for step in order:
        payment = steps[step](payment)
    assert (payment.status, payment.failure, payment.is_hard_failure) == (CANCELED, "superseded", False)
    assert not payment.is_under_way


def test_P4_money_that_comes_all_the_same_is_taken_in() -> None:
    for why in Ending:
        payment = attempt().end(why).with_report(report_on(attempt(), SUCCEEDED, 1))
        assert (payment.status, payment.failure) == (SUCCEEDED, None)
        assert payment.end(why) == payment


@given(st.lists(reports, max_size=5), st.data())
def test_G3_that_the_gateway_never_heard_of_a_charge_is_taken_back_by_whatever_it_says(
    said: list[GatewayReport], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(said)))
    ended = merged(merged(attempt(), said[:at]).end(Ending.NOT_CHARGED), said[at:])
    if any(report.status not in (None, PENDING) for report in said):
        assert ended == merged(attempt(), said)
    elif all(report.status is None for report in said):
        assert (ended.status, ended.failure) == (CANCELED, "not_charged")


def test_P4_a_charge_that_the_gateway_did_not_know_may_still_be_heard_of() -> None:
    late = attempt().end(Ending.NOT_CHARGED).with_report(report_on(attempt(), PROCESSING, 1))
    assert (late.status, late.failure) == (PROCESSING, None)


def test_G3_every_order_of_a_cards_whole_story_gives_one_payment() -> None:
    """A declined card, a second one that works, and a session that expires late: 720 orders, one end."""
    story = [
        report_on(attempt(), None, 1, transaction=transaction("ch_1"), gateway_ids=["ch_1", "pi_1"]),
        report_on(attempt(), FAILED, 1, failure="card_declined", gateway_ids=["pi_1"]),
        report_on(attempt(), PROCESSING, 2, gateway_ids=["pi_1"]),
        report_on(attempt(), SUCCEEDED, 3, gateway_ids=["pi_1"]),
        report_on(attempt(), None, 3, transaction=transaction("ch_22"), gateway_ids=["ch_22", "pi_1"]),
        report_on(attempt(), CANCELED, 9, gateway_ids=["cs_1"]),
    ]
    ends = {repr(merged(attempt(), list(order))) for order in permutations(story)}
    assert len(ends) == 1
    end = merged(attempt(), story)
    assert end.status is SUCCEEDED
    assert end.failure is None
    assert [each.id for each in end.transactions] == ["ch_1", "ch_22"]
    assert end.gateway_ids == ("ch_1", "ch_22", "cs_1", "pi_1")


@given(st.lists(reports, max_size=5), st.lists(reports, max_size=5))
def test_P4_success_is_never_undone(before: list[GatewayReport], after: list[GatewayReport]) -> None:
    assert merged(attempt(), [*before, report_on(attempt(), SUCCEEDED, 1), *after]).status is SUCCEEDED


@given(st.lists(reports, max_size=5))
def test_P4_what_arrived_is_no_matter_of_reports(said: list[GatewayReport]) -> None:
    """Amounts and allocations change with the posting of the money only, in the use case."""
    end = merged(attempt(), said)
    assert (end.amount_minor, end.unapplied_minor, end.allocations, end.entries) == (12100, 0, (), ())


def test_G3_of_two_failures_the_later_speaks() -> None:
    first = report_on(attempt(), FAILED, 1, failure="card_declined")
    second = report_on(attempt(), FAILED, 2, failure="expired_card")
    assert merged(attempt(), [second, first]).failure == "expired_card"


def test_G3_a_canceled_attempt_outranks_what_led_to_it() -> None:
    assert merged(attempt(), [report_on(attempt(), CANCELED, 1), report_on(attempt(), FAILED, 2)]).status is CANCELED


@pytest.mark.parametrize("expires_in", [None, 60, 0, -60])
@pytest.mark.parametrize(
    ("status", "under_way"),
    [
        (PENDING, True),
        (FAILED, True),  # the page lets the payer try another card
        (PROCESSING, True),  # the bank has it; no page is needed any more
        (CANCELED, False),
        (SUCCEEDED, False),
    ],
)
def test_P4_only_the_gateways_word_ends_an_attempt_and_never_our_clock(
    status: PaymentStatus, expires_in: int | None, under_way: bool
) -> None:
    """The payer may have paid in the last minute of a page, whose event is late."""
    expires_at = None if expires_in is None else NOW + timedelta(seconds=expires_in)
    assert attempt(status=status, expires_at=expires_at).is_under_way is under_way


def test_P4_a_charge_without_the_payer_ends_when_it_failed() -> None:
    assert attempt(status=PENDING, saved_method="pm_1").is_under_way
    assert not attempt(status=FAILED, saved_method="pm_1").is_under_way


# Allocation


@given(st.lists(strategies.open_items(), max_size=8), strategies.amounts)
def test_P2_oldest_first_allocates_no_more_than_the_payment_nor_than_is_open(items: list[OpenItem], amount: int) -> None:
    items = [replace(item, invoice_id=f"inv_{n}") for n, item in enumerate(items)]
    allocations = oldest_first(items, amount, TODAY)
    open_minor = {item.invoice_id: item.payable_on(TODAY) for item in items}
    assert all(0 < each.amount_minor <= open_minor[each.invoice_id] for each in allocations)
    assert sum(each.amount_minor for each in allocations) == min(amount, sum(open_minor.values()))


@given(st.lists(strategies.open_items(), max_size=8), strategies.amounts)
def test_P2_oldest_first_leaves_nothing_older_open_beside_what_it_pays(items: list[OpenItem], amount: int) -> None:
    items = [replace(item, invoice_id=f"inv_{n}", number=f"INV-{n:03d}") for n, item in enumerate(items)]
    queue = sorted((i for i in items if i.open_minor), key=lambda item: (item.next_due or date.max, item.number))
    paid = {each.invoice_id: each.amount_minor for each in oldest_first(items, amount, TODAY)}
    started = [item for item in queue if item.invoice_id in paid]
    assert started == queue[: len(started)]
    assert all(paid[item.invoice_id] == item.payable_on(TODAY) for item in started[:-1])


def test_P2_150_over_two_invoices_pays_the_first_and_part_of_the_second() -> None:
    items = [open_item("inv_2", 6050, date(2026, 5, 9)), open_item("inv_1", 12100, date(2026, 5, 1))]
    assert oldest_first(items, 15000, TODAY) == (Allocation("inv_1", 12100), Allocation("inv_2", 2900))


def test_P2_invoices_due_on_the_same_day_are_paid_in_the_order_of_their_numbers() -> None:
    items = [open_item(f"inv_{n}", 100) for n in (3, 1, 2)]
    assert [each.invoice_id for each in oldest_first(items, 250, TODAY)] == ["inv_1", "inv_2", "inv_3"]


def test_P2_no_more_than_40_invoices_are_paid_in_one_write() -> None:
    items = [open_item(f"inv_{n:03d}", 100) for n in range(50)]
    assert len(oldest_first(items, 5000, TODAY)) == MAX_ALLOCATIONS == 40


@given(
    st.lists(st.tuples(st.integers(0, 9), strategies.amounts), max_size=6, unique_by=lambda pair: pair[0]),
    st.lists(st.integers(0, 10**12), min_size=5, max_size=5),
    strategies.amounts,
)
def test_P4_money_that_arrives_is_cut_to_what_is_open_and_to_what_there_is(
    wishes: list[tuple[int, int]], open_minor: list[int], amount: int
) -> None:
    """Invoices 5 to 9 are not known: their share is not lost but left unapplied."""
    items = {f"inv_{n}": replace(open_item(f"inv_{n}", 1), open_minor=left) for n, left in enumerate(open_minor)}
    intended = [Allocation(f"inv_{n}", wish) for n, wish in wishes]
    allocations = within_open(intended, items, amount, TODAY)
    wanted = {wish.invoice_id: wish.amount_minor for wish in intended}
    assert sum(each.amount_minor for each in allocations) <= amount
    assert all(0 < each.amount_minor <= min(items[each.invoice_id].open_minor, wanted[each.invoice_id]) for each in allocations)


@pytest.mark.parametrize(
    ("allocations", "error", "code"),
    [
        ([Allocation("inv_1", 0)], InvalidError, "amount_not_positive"),
        ([Allocation("inv_1", -5)], InvalidError, "amount_not_positive"),
        ([Allocation("inv_1", 1), Allocation("inv_1", 1)], InvalidError, "duplicate_allocation"),
        ([Allocation("inv_1", 60), Allocation("inv_2", 41)], RuleError, "allocation_exceeds_payment"),
        ([Allocation(f"inv_{n}", 1) for n in range(41)], InvalidError, "too_many_allocations"),
    ],
)
def test_P2_allocations_that_make_no_sense_are_refused(allocations: list[Allocation], error: type[Exception], code: str) -> None:
    with pytest.raises(error, match=code):
        check_allocations(allocations, 100)


def test_P2_allocations_up_to_the_payment_and_to_40_invoices_are_accepted() -> None:
    check_allocations([Allocation(f"inv_{n}", 1) for n in range(40)], 40)
    check_allocations([], 0)


@given(strategies.payments, st.integers(1, 10**12))
def test_P2_a_payment_gives_no_more_than_is_unapplied(payment: Payment, wish: int) -> None:
    if wish > payment.unapplied_minor:
        with pytest.raises(RuleError, match="allocation_exceeds_payment"):
            payment.draw([Allocation("inv_1", wish)])
    else:
        drawn = payment.draw([Allocation("inv_1", wish)])
        assert payment.unapplied_minor - drawn.unapplied_minor == wish
        assert drawn.allocated_to("inv_1") == payment.allocated_to("inv_1") + wish


@given(st.lists(st.tuples(st.sampled_from(["inv_1", "inv_2"]), st.integers(1, 50)), max_size=6))
def test_P2_what_is_allocated_and_what_is_unapplied_are_always_the_payment(steps: list[tuple[str, int]]) -> None:
    payment = attempt(300, unapplied_minor=300)
    for invoice_id, amount in steps:
        payment = payment.draw([Allocation(invoice_id, amount)])
        assert payment.allocated_minor + payment.unapplied_minor == 300
        assert len({allocation.invoice_id for allocation in payment.allocations}) == len(payment.allocations)
    for invoice_id, amount in steps:
        payment = payment.undraw([Allocation(invoice_id, amount)])
    assert (payment.unapplied_minor, payment.allocations) == (300, ())


def test_P2_no_more_is_taken_back_than_was_allocated() -> None:
    payment = attempt(300, unapplied_minor=300).draw([Allocation("inv_1", 100)])
    with pytest.raises(RuleError) as refusal:
        payment.undraw([Allocation("inv_1", 101)])
    assert refusal.value.facts == {"invoice_id": "inv_1", "allocated_minor": 100}


def test_T5_oldest_first_gives_each_invoice_what_settles_it_that_day() -> None:
    offer = DiscountOffer(TODAY, Discount(200, (("VAT21", 42),)))
    items = [replace(open_item("inv_1"), discount=offer), open_item("inv_2")]
    assert oldest_first(items, 24_000, TODAY) == (Allocation("inv_1", 11_858), Allocation("inv_2", 12_100))
    assert oldest_first(items, 24_000, TODAY + timedelta(days=1)) == (Allocation("inv_1", 12_100), Allocation("inv_2", 11_900))


def test_I9_money_for_a_written_off_invoice_recovers_it() -> None:
    items = {"inv_1": open_item("inv_1", 500).write_off()}
    assert within_open([Allocation("inv_1", 800)], items, 800, TODAY) == (Allocation("inv_1", 500),)


# Refunds and disputes of a payment


@given(st.lists(st.integers(1, 6_000), max_size=6), st.integers(0, 12_100))
def test_R2_refunds_never_exceed_what_was_captured_and_is_not_disputed(wishes: list[int], disputed: int) -> None:
    dispute = Dispute("dp_1", DisputeStatus.OPEN, disputed, 0, NOW)
    payment = attempt(status=SUCCEEDED, disputes=(dispute,) if disputed else ())
    for wish in wishes:
        if wish > payment.refundable_minor:
            with pytest.raises(RuleError) as refusal:
                payment.refund(wish)
            assert refusal.value.facts["refundable_minor"] == payment.refundable_minor
        else:
            payment = payment.refund(wish)
        assert payment.refunded_minor + disputed <= 12_100


@pytest.mark.parametrize("status", sorted(set(PaymentStatus) - {SUCCEEDED}))
def test_R2_money_that_has_not_come_or_went_back_is_not_refunded(status: PaymentStatus) -> None:
    assert attempt(status=status).refundable_minor == 0


dispute_reports = st.builds(
    lambda dispute_id, status, seconds, amount, fee, reason: replace(
        report_on(attempt(), None, seconds),
        dispute=Dispute(dispute_id, status, amount, fee, NOW + timedelta(seconds=seconds), reason),
    ),
    st.sampled_from(["dp_1", "dp_2"]),
    st.sampled_from(DisputeStatus),
    st.integers(0, 2),
    st.sampled_from([100, 200]),
    st.sampled_from([0, 1500]),
    st.none() | st.sampled_from(["fraudulent", "duplicate"]),
)


@given(st.lists(dispute_reports, min_size=1, max_size=6), st.data())
def test_G3_P9_disputes_merge_to_one_truth_in_every_order(said: list[GatewayReport], data: st.DataObject) -> None:
    again = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said), max_size=3))))
    assert merged(attempt(), again) == merged(attempt(), said)


@given(st.lists(dispute_reports, max_size=5))
def test_P9_a_decision_is_not_undone_by_what_led_to_it(said: list[GatewayReport]) -> None:
    lost = replace(report_on(attempt(), None), dispute=Dispute("dp_1", DisputeStatus.LOST, 100, 0, NOW))
    end = merged(attempt(), [lost, *said])
    assert next(dispute for dispute in end.disputes if dispute.id == "dp_1").status is DisputeStatus.LOST


def test_P9_what_was_posted_of_a_dispute_is_not_the_gateways_to_say() -> None:
    known = Dispute("dp_1", DisputeStatus.OPEN, 100, 15, NOW, posted=DisputeStatus.OPEN, held_minor=40)
    said = Dispute("dp_1", DisputeStatus.WON, 100, 0, NOW)
    both = known.merged(said)
    assert (both.status, both.posted, both.held_minor, both.fee_minor) == (DisputeStatus.WON, DisputeStatus.OPEN, 40, 15)


def test_P5_every_status_is_summed_up_to_a_state() -> None:
    assert set(STATE) == set(PaymentStatus)


@given(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(1, 10**9), st.data())
def test_T4_the_fee_on_a_part_is_never_more_than_that_part(net: int, tax: int, rest: int, data: st.DataObject) -> None:
    fee, asked = Fee(net, tax, "VAT21"), net + tax + rest
    captured = data.draw(st.integers(0, asked))
    part = fee.scaled(captured, asked)
    assert 0 <= part.gross_minor <= captured
    assert part.net_minor <= net
    assert part.tax_minor <= tax
    assert fee.scaled(asked, asked) == fee


@given(st.lists(st.integers(1, 1000), max_size=6), st.integers(0, 7000))
def test_P9_what_is_gone_takes_back_the_latest_allocations_first(amounts: list[int], gone: int) -> None:
    made = [Allocation(f"inv_{n}", amount) for n, amount in enumerate(amounts)]
    taken = latest_first(made, gone)
    assert sum(each.amount_minor for each in taken) == min(gone, sum(amounts))
    assert [each.invoice_id for each in taken] == [each.invoice_id for each in reversed(made)][: len(taken)]


def test_P8_a_charge_that_captured_and_failed_came_back_and_one_that_only_failed_did_not() -> None:
    failed, captured = Transaction(NOW, "failure", "ch_1", 100), Transaction(NOW, "capture", "ch_1", 100)
    assert attempt(transactions=(captured, failed)).is_returned
    assert not attempt(transactions=(failed, replace(captured, id="ch_2"))).is_returned
