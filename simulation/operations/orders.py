"""From quote to invoice, one by one and in batches."""

from decimal import Decimal
from typing import Any

from remit.domain.invoices import invoice_id_for
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.orders import LineRequest, Order, OrderKind, SubscriptionPeriod
from remit.domain.terms import ChargeKind
from remit.usecases.cancel_order import cancel_order
from remit.usecases.issue_batch import finish_batch, issue_batch
from remit.usecases.issue_invoice import issue_invoice
from remit.usecases.place_order import OrderWish, place_order, quote_order
from remit.usecases.revise_order import revise_order
from simulation.model import Customer
from simulation.operations.table import CURRENCIES, EARLY_TERMS, PRICES, TAX_CODES, TERMS, expect, money, operation
from simulation.world import CUSTOMER, SCHEDULE, Attempt, World

KINDS = (*[OrderKind.PRODUCTS] * 4, OrderKind.SERVICES, OrderKind.SUBSCRIPTION, OrderKind.DEPOSIT)


def wish_of(world: World, customer: Customer, currency: str | None = None) -> OrderWish:
    on = world.random.choice
    lines = [
        LineRequest(
            description="work",
            quantity=Decimal(on(("1", "2.5", "0.333", "12"))),
            unit_price_minor=on(PRICES),
            tax_code="LUXURY" if world.sometimes(0.01) else on(TAX_CODES),
            category=on(("services", "products")),
        )
        for _ in range(world.random.randint(1, 4))
    ]
    if world.sometimes(0.15):
        lines.append(LineRequest("shipping", Decimal(1), on((495, 1250)), "VAT21", "shipping", on(tuple(ChargeKind))))
    currency = currency or (on(CURRENCIES) if world.sometimes(0.1) else None)
    term = on((*TERMS, *EARLY_TERMS)) if world.sometimes(0.5) else None
    kind = on(KINDS)
    period = None
    if kind is OrderKind.SUBSCRIPTION:
        period = SubscriptionPeriod(f"sub_{customer.id}", 1, is_first=world.sometimes(0.3), is_final=world.sometimes(0.3))
    deposit = world.pick(deposits_of(customer, currency or customer.account.default_currency))
    deducts = deposit is not None and kind is OrderKind.PRODUCTS and world.sometimes(0.5)
    return OrderWish(
        account_id=customer.id,
        lines=lines,
        currency=currency,
        prices_include_tax=world.sometimes(0.3),
        term_id=term,
        reference=f"PO-{world.ids.made}",
        kind=kind,
        subscription=period,
        deposits=(deposit.invoice_id,) if deposit and deducts else (),
    )


def deposits_of(customer: Customer, currency: str) -> list[OpenItem]:
    """What looks as if it could be deducted: now and then it cannot any more."""
    paid = (item for _, item in customer.of(OpenItem, currency) if item.status is InvoiceStatus.PAID)
    return [item for item in paid if item.kind is OrderKind.DEPOSIT]


ORDER_REFUSALS = frozenset(
    """
    unknown_tax_code unknown_payment_term no_payment_term term_not_allowed term_does_not_fit discount_with_deposit
    deposit_exceeds_order deposit_not_paid deposit_deducted credit_limit_exceeded wallet_too_low
    """.split()
)


@operation("quote an order", 1)
def quotes_order(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    wish = wish_of(world, customer)

    def note(quote: Any) -> None:
        sums = {offer.term.id: sum(part.amount_minor for part in offer.parts) for offer in quote.offers}
        asked = {offer.term.id: offer.priced.payable_minor for offer in quote.offers}
        expect("parts sum exactly to the total", sums == asked, f"{sums} of {asked}")

    return Attempt(
        says=f"quote an order of {len(wish.lines)} lines for {customer.id}",
        call=lambda _request: quote_order(wish, world.firm, world.books, world.clock),
        may_refuse=ORDER_REFUSALS,
        note=note,
        by=CUSTOMER,
        kind=None,
    )


@operation("place an order", 14)
def places_order(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    wish = wish_of(world, customer)
    return Attempt(
        says=f"order {len(wish.lines)} lines for {customer.id}",
        call=lambda request: place_order(wish, request, world.firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=ORDER_REFUSALS,
        by=CUSTOMER,
    )


@operation("revise an order", 3)
def revises_order(world: World) -> Attempt | None:
    """Mostly a draft, as it is now; now and then one that changed since, or is no draft any more."""
    customer = world.customer()
    if customer is None:
        return None
    waiting = world.model.orders_to_invoice(customer)
    order = world.pick(customer.all(Order) if world.sometimes(0.1) else waiting)
    if order is None:
        return None
    wish, version = wish_of(world, customer, order.priced.currency), order.version - world.sometimes(0.1)

    def note(revised: Order) -> None:
        expect("an order is as it was revised to be", revised.reference == wish.reference, f"{revised.id}: {wish.reference}")

    firm = world.firm
    return Attempt(
        says=f"revise {order.id} of {customer.id} as of version {version}",
        call=lambda _request: revise_order(order.id, version, wish, firm, world.books, world.clock),
        may_refuse=ORDER_REFUSALS | {"order_changed", "order_canceled", "order_invoiced"},
        note=note,
        kind=None,
    )


@operation("cancel an order", 2)
def cancels_order(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    waiting = world.model.orders_to_invoice(customer)
    order = world.pick(customer.all(Order) if world.sometimes(0.1) else waiting)
    if order is None:
        return None
    return Attempt(
        says=f"cancel {order.id} of {customer.id}",
        call=lambda request: cancel_order(customer.id, order.id, request, world.books, world.clock),
        body=order.id,
        may_refuse=frozenset({"order_canceled", "order_invoiced"}),
    )


BILLING_REFUSALS = frozenset({"nothing_to_bill", "order_canceled", "deposit_deducted", "deposit_not_paid", "wallet_too_low"})


@operation("issue an invoice", 14)
def issues_invoice(world: World) -> Attempt | None:
    """Of a new order mostly; of one that was invoiced before now and then, which must give the same invoice."""
    customer = world.customer()
    if customer is None:
        return None
    waiting = world.model.orders_to_invoice(customer)
    order: Order | None = world.pick(customer.all(Order) if world.sometimes(0.05) else waiting)
    if order is None:
        return None

    def note(answer: Any) -> None:
        ours = (answer.body["id"], answer.body["account_id"]) == (invoice_id_for(order.id), customer.id)
        expect("one invoice per order", ours, f"{order.id} was answered with {answer.body}")

    firm = world.firm
    return Attempt(
        says=f"invoice {order.id} of {customer.id}, {money(order.priced.totals.gross_minor, order.priced.currency)}",
        call=lambda request: issue_invoice(customer.id, order.id, request, firm, world.books, world.clock),
        body=order.id,
        may_refuse=BILLING_REFUSALS,
        note=note,
    )


@operation("issue a batch of invoices", 2)
def issues_batch(world: World) -> Attempt | None:
    """Drafts of several customers, and now and then one that is invoiced or canceled."""
    some = world.random.sample(world.active, min(len(world.active), 4))
    customers = [world.model.customers[id] for id in some]
    chosen: list[tuple[str, str]] = []
    for customer in customers:
        orders = customer.all(Order) if world.sometimes(0.1) else world.model.orders_to_invoice(customer)
        chosen += [(customer.id, order.id) for order in world.random.sample(orders, min(len(orders), 3))]
    if not chosen:
        return None

    def note(answer: Any) -> None:
        batch = world.model.batches[answer.body["id"]]
        settled = all(line.is_settled for line in batch.lines)
        expect("a batch answered is a batch finished", settled and batch.finished_at is not None, batch.id)

    firm = world.firm
    return Attempt(
        says=f"invoice {len(chosen)} orders of {', '.join(some)}",
        call=lambda request: issue_batch(chosen, request, firm, world.books, world.books, world.clock, world.ids),
        body=chosen,
        may_refuse=frozenset({"batch_contended"}),
        note=note,
        posts_bare=True,
    )


@operation("finish a batch", 1)
def finishes_batch(world: World) -> Attempt | None:
    batch_id = world.pick(unfinished(world))
    return finishing(world, batch_id) if batch_id else None


def unfinished(world: World) -> list[str]:
    """The batches whose machine died, and that nobody has asked for again yet."""
    return [batch.id for batch in world.model.batches.values() if batch.finished_at is None]


def finishing(world: World, batch_id: str) -> Attempt:
    return Attempt(
        says=f"finish {batch_id}",
        call=lambda _request: finish_batch(batch_id, world.firm, world.books, world.clock),
        may_refuse=frozenset({"batch_contended"}),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )
