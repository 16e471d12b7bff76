"""Money that comes in, and what it pays."""

from collections.abc import Sequence
from typing import Any

from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.allocate_payment import allocate_payment
from remit.usecases.reallocate_payment import Reallocation, reallocate_payment
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.reverse_payment import Reversal, reverse_payment
from simulation.model import Customer, open_items
from simulation.operations.table import PRICES, expect, money, operation
from simulation.world import Attempt, World

ALLOCATION_REFUSALS = frozenset(
    {
        "allocation_exceeds_open",
        "allocation_exceeds_payment",
        "allocation_exceeds_written_off",
        "method_not_allowed",
        "currency_mismatch",
        "value_date_in_future",
        "invoice_void",
    }
)


def choose_allocations(world: World, items: Sequence[OpenItem], up_to: int) -> tuple[Allocation, ...]:
    """Up to three invoices and a sensible share for each; now and then more than there is."""
    chosen: list[Allocation] = []
    left = up_to
    for item in world.random.sample(items, min(len(items), world.random.randint(1, 3))):
        share = item.open_minor + 1 if world.sometimes(0.03) else min(left, world.amount(item.open_minor))
        if share > 0:
            chosen.append(Allocation(item.invoice_id, share))
            left -= share
    return tuple(chosen)


@operation("record a payment for chosen invoices", 7)
def records_payment(world: World) -> Attempt | None:
    customer = world.customer()
    item = world.pick(open_items(customer)) if customer else None
    if customer is None or item is None:
        return None
    amount = world.amount(item.open_minor * 2)
    up_to = amount * (2 if world.sometimes(0.1) else 1)
    allocations = choose_allocations(world, open_items(customer, item.currency), up_to)
    return payment_attempt(world, customer, Money(amount, item.currency), allocations)


@operation("record a payment, oldest invoice first", 7)
def records_payment_oldest_first(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    item = world.pick(open_items(customer))
    owed = item.open_minor if item else world.random.choice(PRICES)
    currency = item.currency if item else customer.account.default_currency
    return payment_attempt(world, customer, Money(world.amount(owed * 3), currency), None)


def payment_attempt(world: World, customer: Customer, amount: Money, allocations: Sequence[Allocation] | None) -> Attempt:
    method = world.random.choice((Method.BANK_TRANSFER, Method.BANK_TRANSFER, Method.CASH))
    received = ReceivedPayment(customer.id, amount, method, world.today, None, allocations)

    def note(answer: Any) -> None:
        payment = world.model.customers[customer.id].get(Payment, answer.body["id"])
        expect("a payment answered is a payment stored", payment is not None, str(answer.body))
        if payment and allocations is not None:
            paid = {each.invoice_id: each.amount_minor for each in payment.allocations}
            # An early payment settles an invoice with less than was chosen, never with more.
            kept = all(0 < paid.get(each.invoice_id, 0) <= each.amount_minor for each in allocations)
            expect("what was chosen is what was paid", kept or payment.version > 1, payment.id)

    firm = world.firm
    where = f"for {len(allocations)} chosen invoices" if allocations is not None else "oldest first"
    return Attempt(
        says=f"record {money(amount.amount_minor, amount.currency)} by {method} of {customer.id}, {where}",
        call=lambda request: receive_payment(received, request, firm, world.books, world.books, world.clock, world.ids),
        body=received,
        may_refuse=ALLOCATION_REFUSALS,
        note=note,
    )


@operation("allocate what a payment left", 7)
def allocates_later(world: World) -> Attempt | None:
    customer = world.customer()
    payment = world.pick([each for each in customer.all(Payment) if each.unapplied_minor]) if customer else None
    if customer is None or payment is None:
        return None
    up_to = payment.unapplied_minor * (2 if world.sometimes(0.1) else 1)
    allocations = choose_allocations(world, open_items(customer, payment.currency), up_to)
    if not allocations:
        return None
    total, firm = sum(allocation.amount_minor for allocation in allocations), world.firm
    return Attempt(
        says=f"allocate {money(total, payment.currency)} of {payment.id} of {customer.id}",
        call=lambda request: allocate_payment(
            customer.id, payment.id, payment.currency, allocations, request, firm, world.books, world.clock
        ),
        body=[payment.id, allocations],
        may_refuse=ALLOCATION_REFUSALS,
    )


@operation("reallocate a payment", 3)
def reallocates(world: World) -> Attempt | None:
    customer = world.customer()
    payment = world.pick([each for each in customer.all(Payment) if each.allocations]) if customer else None
    if customer is None or payment is None:
        return None
    taken = tuple(
        Allocation(each.invoice_id, world.amount(each.amount_minor) + world.sometimes(0.03))
        for each in world.random.sample(payment.allocations, world.random.randint(1, len(payment.allocations)))
    )
    back = sum(each.amount_minor for each in taken)
    left = payment.unapplied_minor + back
    made = choose_allocations(world, open_items(customer, payment.currency), left) if world.sometimes(0.6) else ()
    wish, firm = Reallocation(customer.id, payment.id, payment.currency, taken, made), world.firm
    return Attempt(
        says=f"take {back} of {payment.id} of {customer.id} back from {len(taken)} invoices, for {len(made)} others",
        call=lambda request: reallocate_payment(wish, request, firm, world.books, world.clock),
        body=wish,
        may_refuse=ALLOCATION_REFUSALS | {"allocation_not_found", "payment_disputed", "invoice_void"},
    )


@operation("revert a payment made by hand", 2)
def reverts(world: World) -> Attempt | None:
    customer = world.customer()
    payments = [each for each in customer.all(Payment) if each.status is PaymentStatus.SUCCEEDED] if customer else []
    payment = world.pick(payments)
    if customer is None or payment is None:
        return None
    wish, firm = Reversal(customer.id, payment.id, world.today, "the check bounced"), world.firm

    def note(_answer: Any) -> None:
        now = world.model.customers[customer.id].get(Payment, payment.id)
        expect("a payment reverted is reverted", now is not None and now.status is PaymentStatus.REVERTED, payment.id)

    return Attempt(
        says=f"{payment.id} of {customer.id} bounced",
        call=lambda request: reverse_payment(wish, request, firm, world.books, world.clock),
        body=wish,
        may_refuse=frozenset({"payment_not_reversible", "reversed_by_gateway", "bad_reversal_date"}),
        note=note,
    )
