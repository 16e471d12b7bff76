"""Pay invoices with credit: one that was chosen (C5), or by themselves where the account says so (C3)."""

from collections.abc import Callable, Sequence
from datetime import date

from remit.domain import posting_rules
from remit.domain.credits import Credit, CreditKind
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.open_items import OpenItem
from remit.domain.operation import Lot, Operation
from remit.domain.payments import MAX_ALLOCATIONS, Allocation, check_allocations
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, credit_ref, lot_ref, open_item_ref
from remit.usecases.receive_payment import within_discount


def apply_credit(
    account_id: str,
    credit_id: str,
    currency: str,
    allocations: Sequence[Allocation],
    request: Request[Credit],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """Pay up to 40 invoices of the account with the credit, in one write; `currency` is the credit's, named by the caller.

    `RuleError` for an invoice that this credit may not pay (`Credit.require_usable`), and for more than is left or open.
    """
    now = clock.now()
    if not allocations:
        raise InvalidError("no_allocations", "Name at least one invoice.")

    def decide(consistent: bool) -> tuple[Changes, Credit]:
        refs = [open_item_ref(account_id, allocation.invoice_id) for allocation in allocations]
        loaded = books.load(credit_ref(account_id, credit_id), balance_ref(account_id, currency), *refs)
        credit = need(loaded, credit_ref(account_id, credit_id))
        if credit.currency != currency:
            raise InvalidError("currency_mismatch", f"The credit is in {credit.currency}, not {currency}.")
        check_allocations(allocations, credit.open_minor)
        why = Circumstances(firm.today(now), now, request.actor)
        operation = Operation(balance_or_new(loaded, account_id, currency), why)
        operation.hold(credit, *(need(loaded, ref) for ref in refs))
        pay_with_credit(operation, credit, allocations, firm)
        return operation.changes(), operation.get(Credit, credit_id)

    return once(books, request, now, decide)


def pay_with_credit(operation: Operation, credit: Credit, allocations: Sequence[Allocation], firm: Firm) -> None:
    """Pay invoices with the credit, within an operation that may do more."""
    today = operation.why.effective_on
    items = {allocation.invoice_id: operation.item(allocation.invoice_id) for allocation in allocations}
    for item in items.values():
        if item.currency != credit.currency:
            raise InvalidError("currency_mismatch", f"Invoice {item.number} is in {item.currency}, not {credit.currency}.")
        credit.require_usable(item, today, pays_instalments=firm.money.credits_pay_instalments)
    operation.pay_from(credit.id, within_discount(allocations, items, today), today)
    operation.post(posting_rules.credit_applied, credit)


def is_for_one_period(lot: Lot) -> bool:
    """Whether this is a credit for the first or the final invoice of a subscription, which it pays whatever the account says
    of other credits: that is what it was given for (C1)."""
    return isinstance(lot, Credit) and lot.kind in (CreditKind.FIRST_PAYMENT, CreditKind.LAST_PAYMENT)


def apply_lots(
    operation: Operation,
    account_id: str,
    invoice_id: str,
    firm: Firm,
    books: Books,
    *,
    consistent: bool,
    wanted: Callable[[Lot], bool] = lambda _lot: True,
) -> None:
    """Let the account's credits and unapplied payments pay a new invoice, oldest first and only those that may (C3).

    An account without any costs nothing; at most 40 lots take part, of those that are `wanted`.
    """
    lots = operation.balance.lots[:MAX_ALLOCATIONS]
    if not lots or operation.item(invoice_id).open_minor == 0:
        return
    refs = [lot_ref(account_id, lot) for lot in lots]
    loaded = books.load(*refs, consistent=consistent)
    for ref in refs:
        lot: Lot = need(loaded, ref)
        if wanted(lot):
            operation.hold(lot)
            pay_as_far_as_it_may(operation, lot, invoice_id, firm)


def pay_as_far_as_it_may(operation: Operation, lot: Lot, invoice_id: str, firm: Firm) -> None:
    """Pay the invoice out of a lot that the operation holds: what both have left, or nothing where the lot is not for it."""
    item, today = operation.item(invoice_id), operation.why.effective_on
    value_date = today if isinstance(lot, Credit) else lot.value_date or today
    amount = min(lot.available_minor, item.payable_on(value_date))
    if not amount or not _may_pay(lot, item, today, firm):
        return
    operation.pay_from(lot.id, [Allocation(invoice_id, amount)], value_date)
    rule = posting_rules.credit_applied if isinstance(lot, Credit) else posting_rules.payment_allocated
    operation.post(rule, lot)


def _may_pay(lot: Lot, item: OpenItem, today: date, firm: Firm) -> bool:
    if isinstance(lot, Credit):
        return lot.why_unusable(item, today, pays_instalments=firm.money.credits_pay_instalments) is None
    return lot.method in item.methods
