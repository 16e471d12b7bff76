"""Everything that anybody does, one row of the table `OPERATIONS` each.

An operation is one function from the world to an `Attempt`, or to None when there is nothing to do it with. It chooses
by `world.random` alone, from what `world.model` knows. To add one, write the function under `@operation`, with how often
it happens and the codes with which Remit may refuse it; crashes, repeats, races and invariants come by themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from remit.domain.accounts import Account
from remit.domain.credits import CreditKind, CreditTerms, TaxOption
from remit.domain.dunning import DunningPolicy, Tier
from remit.domain.figures import Figure
from remit.domain.firm import Switches
from remit.domain.invoices import invoice_id_for
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest, Order
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.terms import Due, DueRule, Method, PaymentTerm
from remit.usecases.allocate_payment import allocate_payment
from remit.usecases.apply_gateway_report import apply_gateway_report
from remit.usecases.change_account import change_account
from remit.usecases.dun_account import dun_account
from remit.usecases.explain_balance import explain_balance
from remit.usecases.issue_credit import CreditWish, issue_credit
from remit.usecases.issue_invoice import issue_invoice
from remit.usecases.notify import send_invoice, send_receipt
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.place_order import OrderWish, place_order, quote_order
from remit.usecases.ports import AgendaKind
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.replay_account import replay_account
from remit.usecases.set_firm import set_firm
from remit.usecases.start_checkout import start_checkout
from simulation.gateway import Event
from simulation.model import Customer, open_items
from simulation.world import ACTIVE_CUSTOMERS, CUSTOMER, GATEWAY, REFUSED, SCHEDULE, Attempt, InvariantError, World

type Choose = Callable[[World], Attempt | None]


@dataclass(frozen=True, slots=True)
class Operation:
    """A row: what it is called, how often it is chosen among the others, and how it chooses."""

    name: str
    weight: int
    choose: Choose


OPERATIONS: list[Operation] = []


def operation(name: str, weight: int) -> Callable[[Choose], Choose]:
    def register(choose: Choose) -> Choose:
        OPERATIONS.append(Operation(name, weight, choose))
        return choose

    return register


CURRENCIES = ("EUR", "EUR", "EUR", "USD", "JPY", "KWD")
PRICES = (1, 99, 1000, 9999, 12345, 250_000)
TAX_CODES = ("VAT21", "VAT21", "VAT9", "ZERO", "REVERSE", "EXEMPT")
TERMS = ("on_receipt", "net30", "no_cards", "net7")
MAIL_MAY_WAIT = frozenset({"message_being_sent"})

# ---- Accounts and the firm ---------------------------------------------------------------------------------------------


@operation("open an account", 3)
def opens_account(world: World) -> Attempt:
    chosen = {
        "name": f"Customer {world.ids.made}",
        "email": world.random.choice(("ap@customer.example", "ap@customer.example", REFUSED)),
        "default_currency": world.random.choice(CURRENCIES),
        "default_term_id": world.random.choice((*TERMS[:2], None)),
        "dunning": world.sometimes(0.8),
    }
    wish = NewAccount(chosen)

    def note(answer: Any) -> None:
        if answer.body["id"] in world.active:
            return
        if len(world.active) >= ACTIVE_CUSTOMERS:
            world.active.remove(world.random.choice(world.active))
        world.active.append(answer.body["id"])

    return Attempt(
        says=f"open an account in {chosen['default_currency']}",
        call=lambda request: open_account(wish, request, world.firm, world.books, world.clock, world.ids),
        body=chosen,
        note=note,
    )


@operation("change an account", 2)
def changes_account(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    name = world.random.choice(("dunning", "send_invoices", "notes"))
    value = world.random.choice(("one note", "another") if name == "notes" else (True, False))

    def note(account: Account) -> None:
        expect("an account is as it was asked to be", getattr(account, name) == value, f"{name} of {account.id}")

    firm = world.firm
    return Attempt(
        says=f"set {name} of {customer.id} to {value}",
        call=lambda request: change_account(customer.id, {name: value}, request.actor, firm, world.books, world.clock),
        note=note,
        kind=None,
    )


@operation("set the firm", 1)
def sets_firm(world: World) -> Attempt:
    """Switches, dunning tiers, terms, prefix and time zone, all of them while business goes on."""
    on = world.random.choice
    first = on((1, 3, 7))
    wanted = replace(
        world.firm,
        switches=Switches(send_invoices=on((True, False)), send_receipts=on((True, False)), dunning=on((True, True, False))),
        dunning_policy=DunningPolicy((Tier(1, first, "dunning_tier_1"), Tier(2, first + on((7, 20)), "dunning_tier_2"))),
        terms={**world.firm.terms, "net7": PaymentTerm.single("net7", "Net 7", Due(DueRule.NET_DAYS, on((7, 8))))},
        invoice_prefix=on(("INV", "INV", "INV", "RE")),
        time_zone=on(("Europe/Amsterdam", "Europe/Amsterdam", "America/New_York", "Pacific/Auckland")),
    )

    def note(firm: Any) -> None:
        world.firm = firm

    return Attempt("set the firm's profile", lambda _request: set_firm(wanted, world.books, world.clock), note=note, kind=None)


# ---- From quote to invoice ---------------------------------------------------------------------------------------------


def wish_of(world: World, customer: Customer) -> OrderWish:
    lines = [
        LineRequest(
            description="work",
            quantity=Decimal(world.random.choice(("1", "2.5", "0.333", "12"))),
            unit_price_minor=world.random.choice(PRICES),
            tax_code="LUXURY" if world.sometimes(0.01) else world.random.choice(TAX_CODES),
            category=world.random.choice(("services", "products")),
        )
        for _ in range(world.random.randint(1, 4))
    ]
    currency = world.random.choice(CURRENCIES) if world.sometimes(0.1) else None
    term = world.random.choice(TERMS) if world.sometimes(0.5) else None
    return OrderWish(customer.id, lines, currency, world.sometimes(0.3), term, f"PO-{world.ids.made}")


ORDER_REFUSALS = frozenset({"unknown_tax_code", "unknown_payment_term", "no_payment_term"})


@operation("quote an order", 1)
def quotes_order(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    wish = wish_of(world, customer)

    def note(quote: Any) -> None:
        gross = quote.priced.totals.gross_minor
        sums = {offer.term.id: sum(part.amount_minor for part in offer.parts) for offer in quote.offers}
        expect("parts sum exactly to the total", set(sums.values()) == {gross}, f"{sums} of {gross}")

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
        may_refuse=frozenset({"nothing_to_bill"}),
        note=note,
    )


# ---- Money in ----------------------------------------------------------------------------------------------------------

ALLOCATION_REFUSALS = frozenset(
    {"allocation_exceeds_open", "allocation_exceeds_payment", "method_not_allowed", "currency_mismatch", "value_date_in_future"}
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
            expect("what was chosen is what was paid", payment.allocations[: len(allocations)] == tuple(allocations), payment.id)

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


@operation("give goodwill", 4)
def gives_goodwill(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    option = world.random.choice(tuple(TaxOption))
    code = None if option is TaxOption.WAIVED else world.random.choice(TAX_CODES)
    amount = Money(world.random.choice(PRICES), customer.account.default_currency)
    terms = CreditTerms(CreditKind.GOODWILL, "sorry for the delay")
    wish = CreditWish(customer.id, amount, option, terms, code)
    firm = world.firm

    def note(answer: Any) -> None:
        enough = answer.body["gross_minor"] >= amount.amount_minor
        expect("a customer gains what was promised", enough, f"{answer.body} for {amount}, tax {option}")

    return Attempt(
        says=f"give {customer.id} {money(amount.amount_minor, amount.currency)}, tax {option}",
        call=lambda request: issue_credit(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        note=note,
    )


# ---- Card payments -----------------------------------------------------------------------------------------------------


@operation("open the payment page", 9)
def starts_checkout(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    item = world.pick(open_items(customer)) or world.pick(customer.all(OpenItem))
    if item is None:
        return None
    return Attempt(
        says=f"pay {item.number} of {customer.id} by card, {money(item.open_minor, item.currency)} open",
        call=lambda request: start_checkout(
            customer.id,
            item.invoice_id,
            request,
            lambda payment: f"https://firm.example/pay/{payment.id}",
            world.books,
            world.gateway,
            world.clock,
            world.ids,
        ),
        body=item.invoice_id,
        may_refuse=frozenset({"invoice_settled", "payment_under_way", "method_not_allowed", "attempt_canceled"}),
        by=CUSTOMER,
    )


@operation("a customer at the gateway's page", 8)
def acts_at_the_gateway(world: World) -> Attempt | None:
    said = world.gateway.someone_at_a_page()
    return Attempt(said, lambda _request: None, by=CUSTOMER, kind=None) if said else None


@operation("the gateway tells of a payment", 18)
def delivers_event(world: World) -> Attempt | None:
    event = world.gateway.next_event()
    return delivery(world, event) if event else None


def delivery(world: World, event: Event) -> Attempt:
    report, firm = event.report, world.firm
    world.customer(report.account_id)

    def note(_answer: Any) -> None:
        world.gateway.taken(event)
        payment = world.model.customers[report.account_id].get(Payment, report.payment_id)
        arrived = payment is not None and payment.status is PaymentStatus.SUCCEEDED
        told = report.status is PaymentStatus.SUCCEEDED
        expect("money that arrived is in the books", arrived or not told, f"{event.id} said succeeded, the payment is {payment}")

    return Attempt(
        says=f"{event.id}: {report.payment_id} is {report.status or 'as it was'}",
        call=lambda request: apply_gateway_report(report, request, firm, world.books, world.clock),
        body=["payment_intent", event.id],
        note=note,
        by=GATEWAY,
        kind="event",
        key=event.id,
    )


# ---- Schedules ---------------------------------------------------------------------------------------------------------


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


# ---- Proofs ------------------------------------------------------------------------------------------------------------


@operation("replay an account", 1)
def replays_account(world: World) -> Attempt | None:
    customer = world.customer()
    return replay_of(world, customer) if customer else None


def replay_of(world: World, customer: Customer) -> Attempt:
    def note(replay: Any) -> None:
        expect("replay is identical", not replay.differences, f"{customer.id}: {replay.differences}")

    return Attempt(
        says=f"replay {customer.id}",
        call=lambda _request: replay_account(customer.id, world.books),
        note=note,
        by=SCHEDULE,
        kind=None,
    )


@operation("explain a figure", 1)
def explains_figure(world: World) -> Attempt | None:
    """As of now or of any day in the past, against our own sum of the entries."""
    customer = world.customer()
    subledger = world.pick(list(customer.subledgers.values())) if customer else None
    if customer is None or subledger is None:
        return None
    figure = world.random.choice((Figure.RECEIVABLE, Figure.CREDIT))
    days = [day for day, _ in subledger.moves]
    as_of = world.random.choice([None, *days])

    def note(explanation: Any) -> None:
        expected = sum(moved.get(figure.value, 0) for day, moved in subledger.moves if as_of is None or day <= as_of)
        told = explanation.amount_minor
        expect("a figure is the sum of its entries", told == expected, f"{figure} of {customer.id} is {told}, not {expected}")

    return Attempt(
        says=f"explain the {figure} of {customer.id} in {subledger.currency} as of {as_of or 'now'}",
        call=lambda _request: explain_balance(customer.id, subledger.currency, figure, world.books, as_of=as_of),
        note=note,
        kind=None,
    )


@operation("prove a number series", 1)
def proves_numbers(world: World) -> Attempt | None:
    name = world.pick(list(world.model.series))
    return proof_of(world, name) if name else None


def proof_of(world: World, name: str) -> Attempt:
    """Also while the listing is behind the counter: that is no gap."""

    def note(proof: Any) -> None:
        expect("numbers are gapless", not proof.gaps, f"{name}: {proof.gaps}")

    return Attempt(
        says=f"prove {name}",
        call=lambda _request: prove_numbers(name, world.books, world.books),
        note=note,
        by=SCHEDULE,
        kind=None,
    )


# ---- Words -------------------------------------------------------------------------------------------------------------


def expect(invariant: str, holds: bool, detail: str) -> None:
    if not holds:
        raise InvariantError(invariant, detail)


def money(amount_minor: int, currency: str) -> str:
    return f"{currency} {amount_minor} minor"
