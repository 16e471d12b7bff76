"""Money that goes back."""

from typing import Any

from remit.domain.actor import Actor, Channel
from remit.domain.money import Money
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.refunds import Refund, RefundReport, RefundStatus
from remit.domain.terms import Method
from remit.usecases.apply_refund_report import apply_refund_report
from remit.usecases.approve_refund import approve_refund
from remit.usecases.cancel_refund import cancel_refund
from remit.usecases.ports import AgendaKind
from remit.usecases.refund_credit import CreditRefundWish, refund_credit
from remit.usecases.refund_payment import RefundWish, refund_payment
from remit.usecases.reverse import reverse_refund
from remit.usecases.submit_refund import submit_refund
from simulation.gateway import Event
from simulation.model import Customer
from simulation.operations.gateway import due_now
from simulation.operations.table import expect, money, operation
from simulation.world import GATEWAY, SCHEDULE, Attempt, World

SECOND = Actor("second clerk", Channel.API)


@operation("refund a payment", 5)
def refunds_payment(world: World) -> Attempt | None:
    customer = world.customer()
    arrived = [each for each in customer.all(Payment) if each.status is PaymentStatus.SUCCEEDED] if customer else []
    payment = world.pick(arrived)
    if customer is None or payment is None:
        return None
    amount = world.amount(max(1, payment.refundable_minor)) + world.sometimes(0.05)
    wish = RefundWish(customer.id, payment.id, amount, "too much", world.random.choice((None, None, Method.BANK_TRANSFER)))
    firm = world.firm
    return Attempt(
        says=f"refund {money(amount, payment.currency)} of {payment.id} of {customer.id}",
        call=lambda request: refund_payment(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=frozenset({"refund_exceeds_captured", "method_not_allowed"}),
    )


@operation("refund available credit", 4)
def refunds_credit(world: World) -> Attempt | None:
    customer = world.customer()
    balance = world.pick(list(customer.balances.values())) if customer else None
    if customer is None or balance is None or not balance.lots:
        return None
    available = max(1, -balance.balance_minor)
    amount = world.amount(available) + world.sometimes(0.05)
    method = world.random.choice((Method.BANK_TRANSFER, Method.CASH, Method.CARD))
    wish = CreditRefundWish(customer.id, Money(amount, balance.currency), method, "asked for it")
    firm = world.firm

    def note(_answer: Any) -> None:
        ours = balance.balance_minor < 0
        expect("nobody is paid out what he does not have", ours or world.trouble.steps != [], f"{customer.id}: {balance}")

    return Attempt(
        says=f"pay {money(amount, balance.currency)} of credit out to {customer.id} by {method}",
        call=lambda request: refund_credit(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=frozenset({"no_available_credit", "refund_exceeds_credit", "method_not_allowed"}),
        note=note,
    )


def chosen_refund(world: World, *statuses: RefundStatus) -> tuple[Customer, Refund] | None:
    customer = world.customer()
    if customer is None:
        return None
    refunds = customer.all(Refund)
    refund = world.pick(refunds if world.sometimes(0.05) else [each for each in refunds if each.status in statuses])
    return (customer, refund) if refund else None


@operation("cancel a refund", 3)
def cancels_refund(world: World) -> Attempt | None:
    found = chosen_refund(world, RefundStatus.ON_HOLD, RefundStatus.AWAITING_APPROVAL)
    if found is None:
        return None
    (customer, refund), firm = found, world.firm
    return Attempt(
        says=f"cancel {refund.id} of {customer.id}",
        call=lambda request: cancel_refund(customer.id, refund.id, "a mistake", request, firm, world.books, world.clock),
        body=refund.id,
        may_refuse=frozenset({"refund_not_cancelable"}),
    )


@operation("approve a refund", 3)
def approves_refund(world: World) -> Attempt | None:
    found = chosen_refund(world, RefundStatus.AWAITING_APPROVAL)
    if found is None:
        return None
    (customer, refund), firm = found, world.firm
    by = SECOND if world.sometimes(0.9) else refund.requested_by
    return Attempt(
        says=f"approve {refund.id} of {customer.id}",
        call=lambda request: approve_refund(customer.id, refund.id, request, firm, world.books, world.clock),
        body=refund.id,
        may_refuse=frozenset({"second_person_required", "refund_not_waiting"}),
        by=by,
    )


@operation("submit a refund", 6)
def submits_refund(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.REFUND)
    return submission(world, *found) if found else None


def submission(world: World, customer: Customer, refund_id: str) -> Attempt:
    return Attempt(
        says=f"submit {refund_id} of {customer.id}",
        call=lambda _request: submit_refund(customer.id, refund_id, world.firm, world.books, world.gateway, world.clock),
        by=SCHEDULE,
        kind=None,
    )


@operation("reverse a refund", 1)
def reverses_refund(world: World) -> Attempt | None:
    found = chosen_refund(world, RefundStatus.SUCCEEDED)
    if found is None:
        return None
    (customer, refund), firm = found, world.firm
    return Attempt(
        says=f"ask {refund.id} of {customer.id} back",
        call=lambda request: reverse_refund(customer.id, refund.id, "a mistake", request, firm, world.books, world.clock),
        body=refund.id,
        may_refuse=frozenset({"refund_not_processed", "refund_reversed", "refund_opened_invoice"}),
    )


def refund_delivery(world: World, event: Event, report: RefundReport) -> Attempt:
    firm = world.firm
    world.customer(report.account_id)

    def note(_answer: Any) -> None:
        world.gateway.taken(event)

    return Attempt(
        says=f"{event.id}: {report.refund_id} of {report.payment_id} is {report.status}{'' if report.is_ours else ', not ours'}",
        call=lambda request: apply_refund_report(report, request, firm, world.books, world.clock),
        body=["refund", event.id],
        may_refuse=frozenset({"payment_not_arrived"}),
        note=note,
        by=GATEWAY,
        kind="event",
        key=event.id,
    )
