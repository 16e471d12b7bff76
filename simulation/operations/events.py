"""What the gateway tells, whatever it is about."""

from remit.domain.refunds import RefundReport
from remit.usecases.saved_methods import MethodReport
from simulation.gateway import Event
from simulation.operations.gateway import method_delivery, payment_delivery
from simulation.operations.refunds import refund_delivery
from simulation.operations.table import operation
from simulation.world import Attempt, World


@operation("the gateway tells", 26)
def delivers_event(world: World) -> Attempt | None:
    event = world.gateway.next_event()
    return delivery(world, event) if event else None


def delivery(world: World, event: Event) -> Attempt:
    if isinstance(event.report, RefundReport):
        return refund_delivery(world, event, event.report)
    if isinstance(event.report, MethodReport):
        return method_delivery(world, event, event.report)
    return payment_delivery(world, event, event.report)
