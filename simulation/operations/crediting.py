"""Credits that the firm gives, and what becomes of them."""

from datetime import timedelta
from typing import Any

from remit.domain.credit_notes import CreditNoteTerms, LineCredit
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption
from remit.domain.invoices import Invoice
from remit.domain.money import Money
from remit.domain.terms import Method
from remit.usecases.apply_credit import apply_credit
from remit.usecases.cancel_purchase import CancellationWish, RefundChoice, cancel_purchase
from remit.usecases.expire_credit import expire_credit
from remit.usecases.issue_credit import CreditWish, issue_credit
from remit.usecases.issue_credit_note import CreditNoteWish, issue_credit_note
from remit.usecases.ports import AgendaKind
from remit.usecases.reverse import reverse_credit
from simulation.model import Customer, open_items
from simulation.operations.gateway import due_now
from simulation.operations.payments import choose_allocations
from simulation.operations.table import PRICES, TAX_CODES, expect, money, operation
from simulation.world import SCHEDULE, Attempt, World

KINDS = (CreditKind.GOODWILL, CreditKind.GOODWILL, CreditKind.FIRST_PAYMENT, CreditKind.LAST_PAYMENT)


@operation("give a credit", 4)
def gives_credit(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    on = world.random.choice
    option, kind = on(tuple(TaxOption)), on(KINDS)
    code = None if option is TaxOption.WAIVED else on(TAX_CODES)
    amount = Money(on(PRICES), customer.account.default_currency)
    terms = CreditTerms(
        kind,
        "sorry for the delay",
        None if kind is CreditKind.GOODWILL else f"sub_{customer.id}",
        world.today + timedelta(days=on((0, 10, 90))) if world.sometimes(0.3) else None,
        world.sometimes(0.3),
    )
    wish = CreditWish(customer.id, amount, option, terms, code)
    firm = world.firm

    def note(answer: Any) -> None:
        enough = answer.body["gross_minor"] >= amount.amount_minor
        expect("a customer gains what was promised", enough, f"{answer.body} for {amount}, tax {option}")

    return Attempt(
        says=f"give {customer.id} {money(amount.amount_minor, amount.currency)}, {kind}, tax {option}",
        call=lambda request: issue_credit(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        note=note,
        may_refuse=frozenset({"expiry_in_past"}),
    )


APPLYING_REFUSALS = frozenset(
    """
    allocation_exceeds_open allocation_exceeds_credit allocation_exceeds_payment allocation_exceeds_written_off credit_expired
    invoice_in_instalments invoice_needs_money credit_not_for_this_invoice currency_mismatch invoice_void
    """.split()
)


@operation("apply a credit", 6)
def applies_credit(world: World) -> Attempt | None:
    customer = world.customer()
    credit = world.pick([each for each in customer.all(Credit) if each.open_minor]) if customer else None
    if customer is None or credit is None:
        return None
    up_to = credit.open_minor * (2 if world.sometimes(0.1) else 1)
    allocations = choose_allocations(world, open_items(customer, credit.currency), up_to)
    if not allocations:
        return None
    firm = world.firm
    return Attempt(
        says=f"pay {len(allocations)} invoices with {credit.id} of {customer.id}",
        call=lambda request: apply_credit(
            customer.id, credit.id, credit.currency, allocations, request, firm, world.books, world.clock
        ),
        body=[credit.id, allocations],
        may_refuse=APPLYING_REFUSALS,
    )


@operation("expire a credit", 2)
def expires_credit(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.CREDIT_EXPIRY)
    if found is None:
        return None
    customer, credit_id = found
    return Attempt(
        says=f"expire {credit_id} of {customer.id}",
        call=lambda _request: expire_credit(customer.id, credit_id, world.firm, world.books, world.clock),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


NOTE_REFUSALS = frozenset(
    """
    nothing_to_credit credit_exceeds_line deposit_deducted invoice_void top_up_not_creditable reversal_not_creditable
    invoice_settled no_lines
    """.split()
)


def note_wish(world: World, customer: Customer) -> CreditNoteWish | None:
    """All of an invoice, or some lines, whole or in part."""
    invoice = world.pick(customer.all(Invoice))
    if invoice is None:
        return None
    lines: list[LineCredit] | None = None
    if world.sometimes(0.7):
        worth = dict(enumerate((max(1, line.amount_minor) for line in invoice.priced.lines), 1))
        numbers = world.random.sample(list(worth), world.random.randint(1, len(worth)))
        lines = [LineCredit(number, world.amount(worth[number]) if world.sometimes(0.6) else None) for number in numbers]
    option = world.random.choice((TaxOption.INCLUDED, TaxOption.INCLUDED, TaxOption.NOT_INCLUDED, TaxOption.WAIVED))
    return CreditNoteWish(customer.id, invoice.id, lines, CreditNoteTerms("returned", option))


@operation("issue a credit note", 4)
def issues_note(world: World) -> Attempt | None:
    customer = world.customer()
    wish = note_wish(world, customer) if customer else None
    if customer is None or wish is None:
        return None
    firm = world.firm
    return Attempt(
        says=f"credit {'all' if wish.lines is None else len(wish.lines)} lines of {wish.invoice_id} of {customer.id}",
        call=lambda request: issue_credit_note(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=NOTE_REFUSALS,
    )


@operation("cancel a purchase", 4)
def cancels_purchase(world: World) -> Attempt | None:
    customer = world.customer()
    credited = note_wish(world, customer) if customer else None
    if customer is None or credited is None:
        return None
    choice: RefundChoice | int = world.random.choice((RefundChoice.NONE, RefundChoice.SUGGESTED, RefundChoice.SUGGESTED))
    invoice = customer.get(Invoice, credited.invoice_id)
    if invoice and world.sometimes(0.2):
        choice = world.amount(max(1, invoice.total_minor))
    target = world.pick(open_items(customer)) if choice == RefundChoice.NONE and world.sometimes(0.5) else None
    method = world.random.choice((None, None, Method.BANK_TRANSFER))
    wish = CancellationWish(credited, choice, method, target.invoice_id if target else None)
    firm = world.firm
    return Attempt(
        says=f"cancel {credited.invoice_id} of {customer.id}, refund {choice}, {'a transfer' if target else 'no transfer'}",
        call=lambda request: cancel_purchase(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=NOTE_REFUSALS | APPLYING_REFUSALS | CANCELING_REFUSALS,
    )


CANCELING_REFUSALS = frozenset(
    "refund_exceeds_refundable transfer_to_itself nothing_to_transfer refund_exceeds_captured method_not_allowed".split()
)


@operation("reverse a credit", 1)
def reverses_credit(world: World) -> Attempt | None:
    customer = world.customer()
    credit = world.pick(customer.all(Credit)) if customer else None
    if customer is None or credit is None:
        return None
    firm = world.firm
    return Attempt(
        says=f"reverse {credit.id} of {customer.id}",
        call=lambda request: reverse_credit(customer.id, credit.id, "a mistake", request, firm, world.books, world.clock),
        body=credit.id,
        may_refuse=frozenset({"credit_reversed", "credit_expired", "nothing_to_bill"}),
    )
