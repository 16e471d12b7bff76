"""Stripe's refund events in the words of the domain (R6, R8, G3)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from remit.adapters.stripe.refunds import HANDLED_TYPES, is_of_refund, refund_report_of
from remit.domain.errors import InvalidError
from remit.domain.refunds import RefundReport, RefundStatus, dashboard_refund_id
from remit.usecases.ports import PaymentName

AT = 1772442000
OURS = {"remit_refund_id": "ref_1", "remit_payment_id": "pay_1", "remit_account_id": "acc_1"}
REFUND = {"id": "re_1", "amount": 12100, "currency": "eur", "payment_intent": "pi_1", "metadata": OURS, "status": "succeeded"}


def event(thing: Any, type: str = "refund.updated") -> dict[str, Any]:
    return {"id": "evt_1", "type": type, "created": AT, "data": {"object": thing}}


def nobody(_intent: str) -> PaymentName | None:
    return None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pending", RefundStatus.PENDING),
        ("requires_action", RefundStatus.PENDING),
        ("succeeded", RefundStatus.SUCCEEDED),
        ("failed", RefundStatus.FAILED),
        ("canceled", RefundStatus.CANCELED),
    ],
)
def test_R6_a_refund_of_ours_says_whose_it_is(theirs: str, ours: RefundStatus) -> None:
    said = refund_report_of(event(REFUND | {"status": theirs, "failure_reason": "lost_or_stolen_card"}), nobody)
    at = datetime.fromtimestamp(AT, UTC)
    assert said == RefundReport("ref_1", "acc_1", "pay_1", ours, 12100, "EUR", at, "re_1", "lost_or_stolen_card")


def test_R8_a_refund_of_the_dashboard_is_found_by_its_payment_and_named_after_stripes() -> None:
    asked: list[str] = []

    def payment_of(intent: str) -> PaymentName:
        asked.append(intent)
        return PaymentName("pay_1", "acc_1", ())

    said = refund_report_of(event(REFUND | {"metadata": {}}), payment_of)
    assert said is not None
    assert (said.refund_id, said.payment_id, said.is_ours) == (dashboard_refund_id("re_1"), "pay_1", False)
    assert asked == ["pi_1"]
    assert refund_report_of(event(REFUND | {"metadata": {}}), nobody) is None
    assert refund_report_of(event(REFUND | {"metadata": {}, "payment_intent": None}), payment_of) is None


def test_the_id_of_a_dashboard_refund_has_the_shape_of_ours_and_is_always_the_same() -> None:
    ids = {dashboard_refund_id(f"re_{n}") for n in range(1000)}
    assert len(ids) == 1000
    assert all(len(id) == 30 and id.startswith("ref_") for id in ids)
    assert dashboard_refund_id("re_1") == dashboard_refund_id("re_1")


def test_G3_what_a_charge_says_of_its_refunds_is_told_by_theirs() -> None:
    assert {"refund.created", "refund.updated", "refund.failed"} == HANDLED_TYPES
    assert not is_of_refund(event(REFUND, "charge.refunded"))


@pytest.mark.parametrize("missing", ["id", "amount", "currency", "status"])
def test_an_event_that_lacks_what_every_one_has_is_refused(missing: str) -> None:
    with pytest.raises(InvalidError, match="unreadable_event"):
        refund_report_of(event({name: value for name, value in REFUND.items() if name != missing}), nobody)
