"""What schedules do, and mail."""

from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases.dun_account import dun_account
from remit.usecases.notify import send_invoice, send_receipt
from remit.usecases.ports import AgendaKind
from simulation.operations.table import MAIL_MAY_WAIT, operation
from simulation.world import SCHEDULE, Attempt, World


@operation("dun an account", 8)
def duns_account(world: World) -> Attempt | None:
    """One that is due by the agenda, or any: looking at an account too often must be harmless."""
    due, _ = world.books.due(AgendaKind.DUNNING, world.today.isoformat(), None, 1)
    account_id = world.random.choice(due).account_id if due and world.sometimes(0.8) else None
    customer = world.customer(account_id)
    if customer is None:
        return None
    return Attempt(
        says=f"dun {customer.id}",
        call=lambda _request: dun_account(
            customer.id, world.firm, world.books, world.books, world.letters, world.mailer, world.clock
        ),
        may_refuse=MAIL_MAY_WAIT,
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


@operation("send an invoice", 2)
def sends_invoice(world: World) -> Attempt | None:
    customer = world.customer()
    invoice = world.pick(customer.all(OpenItem)) if customer else None
    if customer is None or invoice is None:
        return None
    return Attempt(
        says=f"send {invoice.number} to {customer.id}",
        call=lambda _request: send_invoice(
            customer.id, invoice.invoice_id, world.firm, world.books, world.letters, world.mailer, world.clock
        ),
        may_refuse=MAIL_MAY_WAIT,
        by=SCHEDULE,
        kind=None,
    )


@operation("send a receipt", 2)
def sends_receipt(world: World) -> Attempt | None:
    customer = world.customer()
    arrived = [each for each in customer.all(Payment) if each.status is PaymentStatus.SUCCEEDED] if customer else []
    payment = world.pick(arrived)
    if customer is None or payment is None:
        return None
    return Attempt(
        says=f"send {customer.id} a receipt of {payment.id}",
        call=lambda _request: send_receipt(
            customer.id, payment.id, world.firm, world.books, world.letters, world.mailer, world.clock
        ),
        may_refuse=MAIL_MAY_WAIT,
        by=SCHEDULE,
        kind=None,
    )
