"""Money is neither made nor lost, whatever is done in whatever order (L1, L6, R2, R6)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from remit.domain.credits import Credit
from remit.domain.errors import InvalidError, RuleError
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Payment
from remit.domain.refunds import Refund, RefundStatus
from remit.usecases.cancel_purchase import RefundChoice
from tests.support.builders import TODAY, Office
from tests.support.refunding import (
    apply,
    approve,
    call_off,
    cancel,
    card_paid,
    chart,
    credit_note,
    dashboard_refund,
    expire_all,
    gateway_says,
    give,
    lines,
    next_day,
    proved,
    refund_available,
    refund_receipt,
    reverse,
    submit_due,
    with_money_rules,
)


class Scene:
    """An office with one customer. `one` picks a thing of a class by a number, so that a drawn plan always means something."""

    def __init__(self) -> None:
        self.office = Office()
        with_money_rules(self.office, refund_limits={"EUR": 9000})
        self.account_id = self.office.open_account()
        self.events = 0

    def one[T](self, type_: type[T], number: int) -> T:
        found: Sequence[T] = self.office.books.all(type_)
        if not found:
            raise RuleError("nothing_there", "There is none yet.")
        return found[number % len(found)]

    def event(self) -> str:
        self.events += 1
        return f"evt_{self.events}"


def _invoice(at: Scene, n: int, minor: int) -> None:
    at.office.invoice(at.account_id, minor)


def _pay_by_card(at: Scene, n: int, minor: int) -> None:
    card_paid(at.office, at.account_id, at.one(OpenItem, n).invoice_id)


def _pay_by_bank(at: Scene, n: int, minor: int) -> None:
    at.office.receive(at.account_id, minor, oldest_first=True)


def _give(at: Scene, n: int, minor: int) -> None:
    give(at.office, at.account_id, minor, is_refundable=n % 2 == 0, expires_on=TODAY + timedelta(days=n) if n % 3 else None)


def _apply(at: Scene, n: int, minor: int) -> None:
    chosen = Allocation(at.one(OpenItem, minor).invoice_id, minor)
    apply(at.office, at.account_id, at.one(Credit, n).id, chosen)


def _credit_note(at: Scene, n: int, minor: int) -> None:
    credit_note(at.office, at.account_id, at.one(OpenItem, n).invoice_id, (1, minor))


def _cancel(at: Scene, n: int, minor: int) -> None:
    how = (RefundChoice.SUGGESTED, RefundChoice.NONE, minor // 2 or 1)[n % 3]
    cancel(at.office, at.account_id, at.one(OpenItem, n).invoice_id, how, items=lines((1, minor)))


def _transfer(at: Scene, n: int, minor: int) -> None:
    target = at.one(OpenItem, n + 1).invoice_id
    cancel(at.office, at.account_id, at.one(OpenItem, n).invoice_id, RefundChoice.NONE, transfer_to=target)


def _refund_receipt(at: Scene, n: int, minor: int) -> None:
    refund_receipt(at.office, at.account_id, at.one(Payment, n).id, minor)


def _refund_available(at: Scene, n: int, minor: int) -> None:
    refund_available(at.office, at.account_id, minor)


def _dashboard(at: Scene, n: int, minor: int) -> None:
    """The gateway gives back no more than it has: what our own submitted refunds left."""
    payment = at.one(Payment, n)
    made = at.office.books.all(Refund)
    gone = sum(r.amount_minor for r in made if r.payment_id == payment.id and not r.has_returned)
    left = payment.captured_minor - gone
    if left and payment.cash_account == "stripe":
        dashboard_refund(at.office, payment, min(left, minor), RefundStatus.SUCCEEDED, at.event(), f"re_{at.event()}")


def _gateway_says(at: Scene, n: int, minor: int) -> None:
    made = at.one(Refund, n)
    if made.gateway_id:
        gateway_says(at.office, made, list(RefundStatus)[2 + minor % 3], at.event(), n, gateway_id=made.gateway_id)


def _call_off(at: Scene, n: int, minor: int) -> None:
    call_off(at.office, at.account_id, at.one(Refund, n).id)


def _approve(at: Scene, n: int, minor: int) -> None:
    approve(at.office, at.account_id, at.one(Refund, n).id)


def _reverse(at: Scene, n: int, minor: int) -> None:
    things: list[Credit | Refund] = [*at.office.books.all(Credit), *at.office.books.all(Refund)]
    if things:
        reverse(at.office, at.account_id, things[n % len(things)].id)


def _a_day_passes(at: Scene, n: int, minor: int) -> None:
    at.office.gateway.refunds_are = [RefundStatus.SUCCEEDED, RefundStatus.PENDING][n % 2]
    next_day(at.office)
    submit_due(at.office)
    expire_all(at.office)


type Act = Callable[[Scene, int, int], None]

ACTS: list[Act] = [
    _invoice, _pay_by_card, _pay_by_bank, _give, _apply, _credit_note, _cancel, _transfer, _refund_receipt,
    _refund_available, _dashboard, _gateway_says, _call_off, _approve, _reverse, _a_day_passes,
]  # fmt: skip

plans = st.lists(
    st.tuples(st.sampled_from(ACTS), st.integers(0, 12), st.sampled_from([1, 100, 6050, 12100, 20000])), min_size=4, max_size=24
)


@given(plans)
def test_L6_R2_no_sequence_of_credits_and_refunds_makes_or_loses_money(plan: list[tuple[Act, int, int]]) -> None:
    at = Scene()
    _invoice(at, 0, 10000)
    _pay_by_card(at, 0, 0)
    for act, number, minor in plan:
        with suppress(RuleError, InvalidError):  # what the rules forbid must leave no trace
            act(at, number, minor)
        proved(at.office, at.account_id)
        assert sum(chart(at.office, at.account_id).values()) == 0
    in_transit = sum(
        refund.amount_minor
        for refund in at.office.books.all(Refund)
        if refund.status in (RefundStatus.AWAITING_APPROVAL, RefundStatus.ON_HOLD, RefundStatus.PENDING)
    )
    gone = sum(refund.amount_minor for refund in at.office.books.all(Refund) if refund.status is RefundStatus.SUCCEEDED)
    came = sum(payment.captured_minor for payment in at.office.books.all(Payment))
    totals = chart(at.office, at.account_id)
    assert -totals.get("refunds_in_transit", 0) == in_transit
    assert sum(minor for name, minor in totals.items() if name.startswith("cash:")) == came - gone
