"""What happens to issued invoices beside being paid."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.usecases.postpone_due_date import postpone_due_date
from remit.usecases.report_delivery import report_delivery
from remit.usecases.void_invoice import void_invoice
from remit.usecases.write_off_invoice import write_off_invoice
from simulation.model import Customer, open_items
from simulation.operations.table import expect, operation
from simulation.world import Attempt, World

type Choice = Callable[[OpenItem], bool]


def chosen_item(world: World, fits: Choice) -> tuple[Customer, OpenItem] | None:
    """A customer's invoice that fits; now and then one that does not."""
    customer = world.customer()
    if customer is None:
        return None
    items = customer.all(OpenItem)
    item = world.pick(items if world.sometimes(0.05) else [item for item in items if fits(item)])
    return (customer, item) if item else None


def stands(world: World, item: OpenItem, *statuses: InvoiceStatus) -> Callable[[Any], None]:
    """The invoice is in one of these statuses, or went on since from there."""

    def note(_answer: Any) -> None:
        now = world.model.customers[item.account_id].get(OpenItem, item.invoice_id)
        expect("an invoice stands as it was asked to", now is not None and now.status in statuses, f"{item.number}: {now}")

    return note


@operation("void an invoice", 2)
def voids(world: World) -> Attempt | None:
    found = chosen_item(world, lambda item: item.status is InvoiceStatus.ISSUED)
    if found is None:
        return None
    (customer, item), firm = found, world.firm
    return Attempt(
        says=f"void {item.number} of {customer.id}",
        call=lambda request: void_invoice(customer.id, item.invoice_id, "a mistake", request, firm, world.books, world.clock),
        body=item.invoice_id,
        may_refuse=frozenset({"invoice_not_voidable", "payment_under_way", "invoice_void"}),
        note=stands(world, item, InvoiceStatus.VOID),
    )


@operation("write an invoice off", 2)
def writes_off(world: World) -> Attempt | None:
    found = chosen_item(world, lambda item: item.open_minor > 0)
    if found is None:
        return None
    (customer, item), firm = found, world.firm
    return Attempt(
        says=f"write off {item.number} of {customer.id}",
        call=lambda request: write_off_invoice(customer.id, item.invoice_id, "bankrupt", request, firm, world.books, world.clock),
        body=item.invoice_id,
        may_refuse=frozenset({"invoice_settled", "invoice_void"}),
    )


@operation("postpone a due date", 3)
def postpones(world: World) -> Attempt | None:
    customer = world.customer()
    item = world.pick(open_items(customer)) if customer else None
    if customer is None or item is None:
        return None
    part = world.random.randint(1, len(item.parts))
    day, firm = world.today + timedelta(days=world.random.choice((-1, 0, 1, 14, 60))), world.firm
    return Attempt(
        says=f"postpone part {part} of {item.number} of {customer.id} to {day}",
        call=lambda request: postpone_due_date(
            customer.id, item.invoice_id, part, day, "asked for it", request, firm, world.books, world.clock
        ),
        body=[item.invoice_id, part, day],
        may_refuse=frozenset({"part_not_due", "bad_due_date", "invoice_void", "no_such_part"}),
    )


@operation("report a delivery", 3)
def delivers(world: World) -> Attempt | None:
    found = chosen_item(world, lambda item: any(part.due_date is None for part in item.parts))
    if found is None:
        return None
    (customer, item), firm = found, world.firm
    percent = Decimal(world.random.choice(("10", "33.33", "50", "100")))
    if world.sometimes(0.4):
        percent = max(Decimal(1), Decimal(100) - item.delivered_percent)
    day = world.today - timedelta(days=world.random.choice((0, 0, 1, 30)))
    return Attempt(
        says=f"{percent} % of {item.number} of {customer.id} was delivered on {day}",
        call=lambda request: report_delivery(customer.id, item.invoice_id, percent, day, request, firm, world.books, world.clock),
        body=[item.invoice_id, percent, day],
        may_refuse=frozenset({"nothing_awaits_delivery", "delivery_exceeds_order", "invoice_void", "delivered_in_future"}),
    )
