"""Refunds: what a processor says in any order, who approves, what can be canceled (R6, R7, R10, G3)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.actor import Actor, Channel
from remit.domain.errors import RuleError
from remit.domain.refunds import Refund, RefundFrom, RefundReport, RefundSource, RefundStatus
from remit.domain.terms import Method
from tests.support.builders import CLERK, NOW, TODAY

PENDING, SUCCEEDED, FAILED, CANCELED = (
    RefundStatus.PENDING,
    RefundStatus.SUCCEEDED,
    RefundStatus.FAILED,
    RefundStatus.CANCELED,
)
SECOND = Actor("clerk-2", Channel.API)


def refund(**changes: Any) -> Refund:
    """A card refund of 50.00 out of a payment's credit, given to the processor."""
    made = Refund(
        id="rfd_1",
        account_id="acc_1",
        currency="EUR",
        amount_minor=5_000,
        method=Method.CARD,
        cash_account="stripe",
        sources=(RefundSource(RefundFrom.CREDIT, "pay_1", 5_000),),
        status=PENDING,
        requested_on=TODAY,
        requested_at=NOW,
        requested_by=CLERK,
        reason="returned goods",
        payment_id="pay_1",
    )
    return replace(made, **changes)


def said(status: RefundStatus, seconds: int = 0, failure: str | None = None) -> RefundReport:
    return RefundReport("rfd_1", "acc_1", "pay_1", status, 5_000, "EUR", NOW + timedelta(seconds=seconds), "re_1", failure)


def merged(start: Refund, reports: list[RefundReport]) -> Refund:
    for report in reports:
        start = start.with_report(report)
    return start


reports = st.builds(
    lambda status, seconds, failure: said(status, seconds, failure if status is FAILED else None),
    st.sampled_from([PENDING, SUCCEEDED, FAILED, CANCELED]),
    st.integers(0, 2),
    st.none() | st.sampled_from(["expired_card", "lost_card"]),
)


@given(st.lists(reports, min_size=1, max_size=6), st.data())
def test_G3_R6_every_order_and_repetition_of_the_reports_gives_one_refund(heard: list[RefundReport], data: st.DataObject) -> None:
    again = data.draw(st.permutations(heard + data.draw(st.lists(st.sampled_from(heard), max_size=3))))
    assert merged(refund(), again) == merged(refund(), heard)


def test_G3_of_two_failures_at_one_moment_one_and_the_same_is_kept() -> None:
    both = [said(FAILED, 1, "expired_card"), said(FAILED, 1, "lost_card")]
    assert merged(refund(), both) == merged(refund(), both[::-1])


@given(st.lists(reports, max_size=5))
def test_R6_a_failure_after_success_stands_whatever_comes_late(heard: list[RefundReport]) -> None:
    end = merged(refund(), [said(SUCCEEDED, 1), said(FAILED, 0, "expired_card"), *heard])
    assert end.status is FAILED
    assert end.has_returned


def test_R4_a_card_refund_goes_through_the_gateway_and_the_others_by_hand() -> None:
    assert refund().is_at_gateway
    assert not refund(method=Method.BANK_TRANSFER, cash_account="bank_transfer").is_at_gateway


def test_R10_a_second_person_approves() -> None:
    waiting = refund(status=RefundStatus.AWAITING_APPROVAL)
    approved = waiting.approve(SECOND, TODAY, NOW + timedelta(hours=1))
    assert (approved.status, approved.approved_by, approved.submit_at) == (
        RefundStatus.ON_HOLD,
        SECOND,
        NOW + timedelta(hours=1),
    )
    with pytest.raises(RuleError, match="second_person_required"):
        waiting.approve(CLERK, TODAY, NOW)
    with pytest.raises(RuleError, match="second_person_required"):
        waiting.approve(Actor(CLERK.id, Channel.GATEWAY), TODAY, NOW)


@pytest.mark.parametrize("status", sorted(set(RefundStatus) - {RefundStatus.AWAITING_APPROVAL}))
def test_R10_nobody_approves_what_waits_for_nobody(status: RefundStatus) -> None:
    with pytest.raises(RuleError) as refusal:
        refund(status=status).approve(SECOND, TODAY, NOW)
    assert refusal.value.facts == {"status": str(status)}


@pytest.mark.parametrize("status", RefundStatus)
@pytest.mark.parametrize("days", [0, 1])
def test_R7_a_refund_is_canceled_on_its_day_while_it_is_held(status: RefundStatus, days: int) -> None:
    made = refund(status=status, submit_at=NOW)
    waiting = status is RefundStatus.AWAITING_APPROVAL
    if waiting or (status is RefundStatus.ON_HOLD and days == 0):
        canceled = made.cancel(TODAY + timedelta(days=days))
        assert (canceled.status, canceled.submit_at) == (CANCELED, None)
    else:
        with pytest.raises(RuleError) as refusal:
            made.cancel(TODAY + timedelta(days=days))
        assert refusal.value.facts == {"status": str(status), "cancelable_on": TODAY.isoformat()}
