"""What customers and banks do at the gateway, what it tells, and what Remit asks it for."""

from collections.abc import Sequence
from typing import Any

from remit.domain.open_items import OpenItem
from remit.domain.payments import GatewayReport, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.apply_gateway_report import apply_gateway_report
from remit.usecases.cancel_payment import cancel_payment, release_authorization
from remit.usecases.capture_payment import capture_payment
from remit.usecases.change_account import change_account
from remit.usecases.charge_saved_method import ChargeWish, charge_saved_method
from remit.usecases.collect_invoice import collect_invoice
from remit.usecases.payment_attempts import Pick
from remit.usecases.ports import AgendaKind
from remit.usecases.resolve_outcome import resolve_outcome
from remit.usecases.saved_methods import MethodReport, choose_default_method, forget_method, save_method, start_setup
from remit.usecases.start_checkout import CheckoutWish, start_checkout
from simulation.gateway import Event
from simulation.model import Customer, open_items
from simulation.operations.table import expect, money, operation
from simulation.world import CUSTOMER, GATEWAY, SCHEDULE, Attempt, World

PAYING_REFUSALS = frozenset(
    """
    invoice_settled invoice_void invoice_disputed payment_under_way method_not_allowed attempt_canceled allocation_exceeds_open
    currency_mismatch card_fees_differ no_saved_method gateway_refused gateway_failed
    """.split()
)


def choose_picks(world: World, items: Sequence[OpenItem]) -> list[Pick]:
    """One invoice mostly, whole mostly; now and then several of one currency, or a part."""
    first = world.pick(items)
    if first is None:
        return []
    same = [item for item in items if item.currency == first.currency and item is not first]
    others = world.random.sample(same, min(len(same), 2)) if world.sometimes(0.2) else []
    return [
        Pick(item.invoice_id, world.amount(item.open_minor) if world.sometimes(0.15) and item.open_minor else None)
        for item in (first, *others)
    ]


@operation("open the payment page", 9)
def starts_checkout(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    picks = choose_picks(world, open_items(customer) or customer.all(OpenItem))
    if not picks:
        return None
    later = len(picks) == 1 and world.sometimes(0.1)
    wish, firm = CheckoutWish(customer.id, picks, save_method=world.sometimes(0.1), capture_later=later), world.firm
    return Attempt(
        says=f"pay {named(picks)} of {customer.id} by card{', to be captured later' if later else ''}",
        call=lambda request: start_checkout(
            wish,
            request,
            lambda payment: f"https://firm.example/pay/{payment.id}",
            firm,
            world.books,
            world.gateway,
            world.clock,
            world.ids,
        ),
        body=wish,
        may_refuse=PAYING_REFUSALS,
        by=CUSTOMER,
        posts_bare=True,
    )


def named(picks: Sequence[Pick]) -> str:
    return ", ".join(pick.invoice_id + (f" ({pick.amount_minor})" if pick.amount_minor else "") for pick in picks)


@operation("something at the gateway", 9)
def acts_at_the_gateway(world: World) -> Attempt | None:
    said = world.gateway.something_happens()
    return Attempt(said, lambda _request: None, by=CUSTOMER, kind=None) if said else None


@operation("a bank takes money back", 6)
def takes_money_back(world: World) -> Attempt | None:
    said = world.gateway.a_bank_takes_money_back()
    return Attempt(said, lambda _request: None, by=CUSTOMER, kind=None) if said else None


@operation("a refund moves on at the gateway", 3)
def moves_refund(world: World) -> Attempt | None:
    said = world.gateway.a_refund_moves_on()
    return Attempt(said, lambda _request: None, by=CUSTOMER, kind=None) if said else None


def payment_delivery(world: World, event: Event, report: GatewayReport) -> Attempt:
    firm = world.firm
    world.customer(report.account_id)

    def note(_answer: Any) -> None:
        world.gateway.taken(event)
        payment = world.model.customers[report.account_id].get(Payment, report.payment_id)
        arrived = payment is not None and payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.REVERTED)
        told = report.status is PaymentStatus.SUCCEEDED
        expect("money that arrived is in the books", arrived or not told, f"{event.id} said succeeded, the payment is {payment}")

    dispute = f", its dispute {report.dispute.status}" if report.dispute else ""
    return Attempt(
        says=f"{event.id}: {report.payment_id} is {report.status or 'as it was'}{dispute}",
        call=lambda request: apply_gateway_report(report, request, firm, world.books, world.clock),
        body=["payment_intent", event.id],
        note=note,
        by=GATEWAY,
        kind="event",
        key=event.id,
    )


# ---- Saved methods -----------------------------------------------------------------------------------------------------


@operation("open the set-up page", 3)
def starts_setup(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    return Attempt(
        says=f"{customer.id} goes to save a method",
        call=lambda request: start_setup(
            customer.id, "https://firm.example/account", request, world.books, world.gateway, world.clock, world.ids
        ),
        body=customer.id,
        by=CUSTOMER,
    )


@operation("something at a set-up page", 4)
def acts_at_a_setup_page(world: World) -> Attempt | None:
    said = world.gateway.a_setup_moves_on()
    return Attempt(said, lambda _request: None, by=CUSTOMER, kind=None) if said else None


def method_delivery(world: World, event: Event, report: MethodReport) -> Attempt:
    world.customer(report.account_id)
    was_chargeable = report.method_id in world.gateway.methods

    def note(_answer: Any) -> None:
        world.gateway.taken(event)
        listed = [saved.id for saved in world.model.customers[report.account_id].account.payment.saved_methods]
        times = listed.count(report.method_id)
        wanted = times == 1 if report.method_id in world.gateway.methods else times == 0 or was_chargeable
        expect("a method is saved once, and not after it was given up", wanted, f"{event.id}: {report.method_id} in {listed}")

    return Attempt(
        says=f"{event.id}: {report.account_id} saved {report.method_id}",
        call=lambda request: save_method(report, request.actor, world.firm, world.books, world.books, world.gateway, world.clock),
        note=note,
        by=GATEWAY,
        kind=None,
    )


@operation("change how an account pays", 2)
def changes_settings(world: World) -> Attempt | None:
    customer = world.customer()
    saved = world.pick(customer.account.payment.saved_methods) if customer else None
    if customer is None or saved is None:
        return None
    settings = {"collect_automatically": world.sometimes(0.8)}
    firm = world.firm
    changes = {
        "collect by itself" if settings["collect_automatically"] else "not collect": lambda actor: change_account(
            customer.id, settings, actor, firm, world.books, world.books, world.clock
        ),
        "charge first": lambda actor: choose_default_method(
            customer.id, saved.id, actor, firm, world.books, world.books, world.clock
        ),
        "forget": lambda actor: forget_method(
            customer.id, saved.id, actor, firm, world.books, world.books, world.gateway, world.clock
        ),
    }
    said = world.random.choice(list(changes))
    return Attempt(
        says=f"{said} {saved.id} of {customer.id}",
        call=lambda request: changes[said](request.actor),
        may_refuse=frozenset({"payment_method_not_found"}),
        kind=None,
    )


@operation("charge a saved method", 6)
def charges(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None or not (customer.account.payment.saved_methods or world.sometimes(0.02)):
        return None
    picks = choose_picks(world, open_items(customer))
    if not picks:
        return None
    method = world.pick(customer.account.payment.saved_methods)
    later = method is not None and method.method is Method.CARD and len(picks) == 1 and world.sometimes(0.2)
    wish = ChargeWish(customer.id, picks, method.id if method and world.sometimes(0.5) else None, capture_later=later)
    firm = world.firm
    return Attempt(
        says=f"charge {named(picks)} of {customer.id} to its method{', to be captured later' if later else ''}",
        call=lambda request: charge_saved_method(wish, request, firm, world.books, world.gateway, world.clock, world.ids),
        body=wish,
        may_refuse=PAYING_REFUSALS | {"cannot_capture_later"},
        posts_bare=True,
    )


def payments(customer: Customer, *statuses: PaymentStatus) -> list[Payment]:
    return [payment for payment in customer.all(Payment) if payment.status in statuses]


@operation("capture what was authorised", 3)
def captures(world: World) -> Attempt | None:
    customer = world.customer()
    payment = world.pick(payments(customer, PaymentStatus.AUTHORIZED)) if customer else None
    if customer is None or payment is None:
        return None
    amount = world.amount(payment.amount_minor) + world.sometimes(0.05) if world.sometimes(0.6) else None
    firm = world.firm
    return Attempt(
        says=f"capture {amount or 'all'} of {payment.id} of {customer.id}, {money(payment.amount_minor, payment.currency)}",
        call=lambda request: capture_payment(
            customer.id, payment.id, amount, request, firm, world.books, world.gateway, world.clock
        ),
        body=[payment.id, amount],
        may_refuse=frozenset({"payment_not_authorized", "capture_exceeds_authorized", "capture_under_way", "gateway_refused"}),
        posts_bare=True,
    )


@operation("cancel a payment", 2)
def cancels(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    waiting = payments(customer, PaymentStatus.PENDING, PaymentStatus.FAILED, PaymentStatus.PROCESSING, PaymentStatus.AUTHORIZED)
    payment = world.pick(customer.all(Payment) if world.sometimes(0.05) else waiting)
    if payment is None or payment.cash_account != world.gateway.name:
        return None
    firm = world.firm
    return Attempt(
        says=f"cancel {payment.id} of {customer.id}",
        call=lambda request: cancel_payment(customer.id, payment.id, request, firm, world.books, world.gateway, world.clock),
        body=payment.id,
        may_refuse=frozenset({"payment_not_cancelable", "outcome_unknown", "gateway_refused"}),
        posts_bare=True,
    )


def due_now(world: World, kind: AgendaKind) -> tuple[Customer, str] | None:
    """Something whose time has come, by the agenda."""
    by_date = kind in (AgendaKind.COLLECTION, AgendaKind.CREDIT_EXPIRY, AgendaKind.LATE_INTEREST)
    until = (world.today if by_date else world.clock.now()).isoformat()
    due, _ = world.books.due(kind, until, None, 5)
    thing = world.pick(due)
    customer = world.customer(thing.account_id) if thing else None
    return (customer, thing.id) if customer and thing else None


@operation("collect an invoice", 5)
def collects(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.COLLECTION)
    if found is None:
        return None
    customer, invoice_id = found
    return Attempt(
        says=f"collect {invoice_id} of {customer.id}",
        call=lambda _request: collect_invoice(
            customer.id, invoice_id, world.firm, world.books, world.gateway, world.clock, world.ids
        ),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


@operation("ask for an outcome", 5)
def asks_for_outcome(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.OUTCOME)
    return asking(world, *found) if found else None


def asking(world: World, customer: Customer, payment_id: str) -> Attempt:
    return Attempt(
        says=f"ask what became of {payment_id} of {customer.id}",
        call=lambda _request: resolve_outcome(customer.id, payment_id, world.firm, world.books, world.gateway, world.clock),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


@operation("release an authorisation", 2)
def releases(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.AUTHORIZATION)
    if found is None:
        return None
    customer, payment_id = found
    return Attempt(
        says=f"release {payment_id} of {customer.id}, whose time is over",
        call=lambda request: release_authorization(
            customer.id, payment_id, request.actor, world.firm, world.books, world.gateway, world.clock
        ),
        may_refuse=frozenset({"gateway_refused"}),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )
