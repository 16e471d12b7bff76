"""Move what a payment has paid to other invoices (P2, L2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remit.domain import posting_rules
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.journal import EntryKind, JournalEntry, Side
from remit.domain.operation import Operation
from remit.domain.payments import Allocation, Payment, check_allocations
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, entry_ref, open_item_ref, payment_ref
from remit.usecases.receive_payment import chosen_items, within_discount

ALLOCATING = (EntryKind.PAYMENT_RECEIVED, EntryKind.PAYMENT_ALLOCATED, EntryKind.WALLET_TOPPED_UP)


@dataclass(frozen=True, slots=True)
class Reallocation:
    """What to take back of invoices, and what to pay instead; what is not paid with is unapplied again. `currency` is the
    payment's, named by the caller so that nothing is moved between currencies by mistake."""

    account_id: str
    payment_id: str
    currency: str
    taken: Sequence[Allocation]
    made: Sequence[Allocation]


def reallocate_payment(wish: Reallocation, request: Request[Payment], firm: Firm, books: Books, clock: Clock) -> Answer:
    """Take allocations back and make others, in one write: a reversing entry per entry that had made them, which it names,
    then one that allocates anew.

    `RuleError`: `allocation_not_found` for more than the payment has on an invoice, `payment_disputed` while its money is
    withheld, `allocation_exceeds_payment` or `allocation_exceeds_open` for what is made.
    """
    now = clock.now()
    if not wish.taken:
        raise InvalidError("no_allocations", "Name at least one invoice to take back from.")

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        named = dict.fromkeys(allocation.invoice_id for allocation in (*wish.taken, *wish.made))
        loaded = books.load(
            payment_ref(wish.account_id, wish.payment_id),
            balance_ref(wish.account_id, wish.currency),
            *(open_item_ref(wish.account_id, invoice_id) for invoice_id in named),
        )
        payment = need(loaded, payment_ref(wish.account_id, wish.payment_id))
        if payment.currency != wish.currency:
            raise InvalidError("currency_mismatch", f"The payment is in {payment.currency}, not {wish.currency}.")
        payment.require_undisputed()
        back = sum(allocation.amount_minor for allocation in wish.taken)
        check_allocations(wish.taken, payment.allocated_minor)
        check_allocations(wish.made, payment.unapplied_minor + back)
        items = {id: need(loaded, open_item_ref(wish.account_id, id)) for id in named}
        chosen_items(loaded, payment, wish.made)
        operation = Operation(
            balance_or_new(loaded, wish.account_id, wish.currency), Circumstances(firm.today(now), now, request.actor)
        )
        operation.hold(payment, *items.values())
        _take_back(operation, payment, wish.taken, books)
        _allocate(operation, payment, wish.made)
        return operation.changes(), operation.get(Payment, payment.id)

    return once(books, request, now, decide)


def _take_back(operation: Operation, payment: Payment, taken: Sequence[Allocation], books: Books) -> None:
    """One reversing entry for each that had allocated: the latest one, where several had for an invoice."""
    by_invoice = _made_by(payment, books)
    by_entry: dict[int | None, list[Allocation]] = {}
    for allocation in taken:
        by_entry.setdefault(by_invoice.get(allocation.invoice_id), []).append(allocation)
    for number, allocations in by_entry.items():
        operation.unallocate(payment.id, allocations)
        operation.post(posting_rules.allocation_reversed, payment, number)


def _made_by(payment: Payment, books: Books) -> Mapping[str, int]:
    """Invoice → the number of the last entry that allocated this payment to it."""
    loaded = books.load(*(entry_ref(payment.account_id, payment.currency, sequence) for sequence in payment.entries))
    found: dict[str, int] = {}
    for sequence in payment.entries:
        entry = need(loaded, entry_ref(payment.account_id, payment.currency, sequence))
        found |= dict.fromkeys(_paid_by(entry), sequence)
    return found


def _paid_by(entry: JournalEntry) -> set[str]:
    if entry.draft.kind not in ALLOCATING:
        return set()
    paid = [p for p in entry.draft.postings if p.account in ("receivable", "bad_debt") and p.side is Side.CREDIT]
    return {posting.document_id for posting in paid if posting.document_id}


def _allocate(operation: Operation, payment: Payment, made: Sequence[Allocation]) -> None:
    if not made:
        return
    items = {allocation.invoice_id: operation.item(allocation.invoice_id) for allocation in made}
    value_date = payment.value_date or operation.why.effective_on
    operation.pay_from(payment.id, within_discount(made, items, value_date), value_date)
    operation.post(posting_rules.payment_allocated, payment)
