"""Record a payment received by hand, and allocate it (P1, P2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from remit.domain import posting_rules
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.invoices import OpenItem
from remit.domain.journal import Balance, EntryDraft
from remit.domain.money import Money
from remit.domain.payments import MAX_ALLOCATIONS, Allocation, Payment, PaymentStatus, check_allocations, oldest_first
from remit.domain.posting_rules import Circumstances
from remit.domain.terms import Method
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, Journal, Loaded, account_ref, balance_ref, open_item_ref

OLDEST_VALUE_DATE = timedelta(days=366)
"""How far back a value date may lie: books older than a year are closed."""


@dataclass(frozen=True, slots=True)
class ReceivedPayment:
    """What came in. `value_date` is the day the money counts; `allocations` None means oldest due first, an
    empty sequence leaves all of it unapplied."""

    account_id: str
    amount: Money
    method: Method
    value_date: date
    reference: str | None = None
    allocations: Sequence[Allocation] | None = ()


def receive_payment(
    received: ReceivedPayment, request: Request[Payment], firm: Firm, books: Books, journal: Journal, clock: Clock, ids: Ids
) -> Answer:
    """Post the payment, settle the invoices chosen, and keep the rest as unapplied credit: one entry.

    `NotFoundError` for an unknown account or invoice, `InvalidError` for amounts that make no sense or a
    value date in the future, `RuleError` for more than is open or a method that an invoice's term refuses.
    """
    now = clock.now()
    payment_id = ids.new("pay")
    account_id, amount = received.account_id, received.amount
    if amount.amount_minor <= 0:
        raise InvalidError("amount_not_positive", "A payment is above zero.")
    if received.value_date > firm.today(now):
        raise InvalidError("value_date_in_future", "Money that has not come yet cannot be recorded as received.")

    if received.value_date < firm.today(now - OLDEST_VALUE_DATE):
        raise InvalidError(
            "value_date_too_old",
            "A payment is recorded within a year of its value date.",
            oldest=firm.today(now - OLDEST_VALUE_DATE),
        )

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        if received.allocations is None:
            candidates = [item.invoice_id for item in journal.open_items(account_id, amount.currency, limit=MAX_ALLOCATIONS)]
        else:
            check_allocations(received.allocations, amount.amount_minor)
            candidates = [allocation.invoice_id for allocation in received.allocations]
        refs = [open_item_ref(account_id, invoice_id) for invoice_id in candidates]
        loaded = books.load(account_ref(account_id), balance_ref(account_id, amount.currency), *refs)
        need_account(loaded, account_id)
        allocations = received.allocations
        if allocations is None:
            # The index proposed; what was read now decides.
            payable = [item for ref in refs if (item := loaded.get(ref)) and received.method in item.methods]
            allocations = oldest_first(payable, amount.amount_minor)
        payment = Payment(
            id=payment_id,
            account_id=account_id,
            currency=amount.currency,
            amount_minor=amount.amount_minor,
            method=received.method,
            cash_account=str(received.method),
            status=PaymentStatus.SUCCEEDED,
            created_at=now,
            value_date=received.value_date,
            reference=received.reference,
            unapplied_minor=amount.amount_minor,
        )
        why = Circumstances(received.value_date, now, request.actor)
        draft = posting_rules.payment_received(payment, allocations, why)
        balance = balance_or_new(loaded, account_id, amount.currency)
        items = chosen_items(loaded, payment, allocations)
        changes, payment = settle(items, balance, payment, allocations, draft)
        return [payment, *changes], payment

    return once(books, request, now, decide)


def chosen_items(loaded: Loaded, payment: Payment, allocations: Sequence[Allocation]) -> dict[str, OpenItem]:
    """The open items that a person chose to pay, by invoice id.

    `NotFoundError` for an invoice of another account, `InvalidError` for one in another currency, `RuleError`
    for one whose term refuses the payment's method (T3).
    """
    items: dict[str, OpenItem] = {}
    for allocation in allocations:
        item = need(loaded, open_item_ref(payment.account_id, allocation.invoice_id))
        if item.currency != payment.currency:
            raise InvalidError("currency_mismatch", f"Invoice {item.number} is in {item.currency}, not {payment.currency}.")
        item.require_method(payment.method)
        items[item.invoice_id] = item
    return items


def settle(
    items: Mapping[str, OpenItem], balance: Balance, payment: Payment, allocations: Sequence[Allocation], draft: EntryDraft
) -> tuple[Changes, Payment]:
    """Post `draft` and carry its allocations out: the entry, the balance, every open item; and the drawn payment.

    `RuleError` for more than is open on an invoice or left of the payment; that is asked before posting, which would
    take a receivable below zero for a broken ledger.
    """
    sequence = balance.sequence + 1
    settled = [items[allocation.invoice_id].settle(allocation.amount_minor, sequence) for allocation in allocations]
    drawn = payment.draw(allocations, sequence)
    entry, balance = balance.post(draft)
    return [entry, _look_again(balance, items, settled, draft.recorded_at.date()), *settled], drawn


def _look_again(balance: Balance, before: Mapping[str, OpenItem], after: Sequence[OpenItem], today: date) -> Balance:
    """Dunning looks at the account anew when an overdue invoice was settled: a younger one, perhaps of another currency,
    may now be the oldest, with a tier of its own (D5)."""
    settled_late = any(item.open_minor == 0 and (before[item.invoice_id].next_due or today) < today for item in after)
    return replace(balance, look_again_on=min(balance.look_again_on or today, today)) if settled_late else balance
