"""Allocate what a payment left unapplied to invoices, later (P2)."""

from collections.abc import Sequence

from remit.domain import posting_rules
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.payments import Allocation, Payment, check_allocations
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, open_item_ref, payment_ref
from remit.usecases.receive_payment import chosen_items, within_discount


def allocate_payment(
    account_id: str,
    payment_id: str,
    currency: str,
    allocations: Sequence[Allocation],
    request: Request[Payment],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """Move unapplied credit of the payment onto up to 40 invoices of the same account, in one write.

    `currency` is the payment's, named by the caller so that nothing is moved between currencies by mistake.
    `RuleError` for more than is unapplied or open.
    """
    now = clock.now()
    if not allocations:
        raise InvalidError("no_allocations", "Name at least one invoice.")

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        loaded = books.load(
            payment_ref(account_id, payment_id),
            balance_ref(account_id, currency),
            *(open_item_ref(account_id, allocation.invoice_id) for allocation in allocations),
        )
        payment = need(loaded, payment_ref(account_id, payment_id))
        if payment.currency != currency:
            raise InvalidError("currency_mismatch", f"The payment is in {payment.currency}, not {currency}.")
        check_allocations(allocations, payment.unapplied_minor)
        why = Circumstances(firm.today(now), now, request.actor)
        items = chosen_items(loaded, payment, allocations)
        operation = Operation(balance_or_new(loaded, account_id, currency), why)
        operation.hold(payment, *items.values())
        # A discount is earned by the day on which the money came, not by the day on which somebody allocates it.
        value_date = payment.value_date or why.effective_on
        operation.pay_from(payment_id, within_discount(allocations, items, value_date), value_date)
        operation.post(posting_rules.payment_allocated, payment)
        return operation.changes(), operation.get(Payment, payment_id)

    return once(books, request, now, decide)
