"""Record a payment received by hand, and allocate it (P1, P2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from remit.domain import posting_rules
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
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
    empty sequence leaves all of it unapplied. `to_wallet`: what is not allocated tops the wallet up (W1)."""

    account_id: str
    amount: Money
    method: Method
    value_date: date
    reference: str | None = None
    allocations: Sequence[Allocation] | None = ()
    to_wallet: bool = False


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
            loaded, allocations = _oldest_first(received, books, journal)
        else:
            check_allocations(received.allocations, amount.amount_minor)
            allocations = tuple(received.allocations)
            loaded = _load(received, [allocation.invoice_id for allocation in allocations], books)
        need_account(loaded, account_id)
        payment = _payment(payment_id, received, now)
        why = Circumstances(received.value_date, now, request.actor)
        operation = Operation(balance_or_new(loaded, account_id, amount.currency), why)
        operation.create(payment)
        items = chosen_items(loaded, payment, allocations)
        operation.hold(*items.values())
        operation.pay_from(payment_id, within_discount(allocations, items, received.value_date), received.value_date)
        if received.to_wallet:
            rest = operation.get(Payment, payment_id)
            operation.change(replace(rest, unapplied_minor=0, wallet_minor=rest.unapplied_minor))
        operation.post(posting_rules.payment_received, payment)
        return operation.changes(), operation.get(Payment, payment_id)

    return once(books, request, now, decide)


def _load(received: ReceivedPayment, invoice_ids: Sequence[str], books: Books) -> Loaded:
    refs = [open_item_ref(received.account_id, invoice_id) for invoice_id in invoice_ids]
    return books.load(account_ref(received.account_id), balance_ref(received.account_id, received.amount.currency), *refs)


def _oldest_first(received: ReceivedPayment, books: Books, journal: Journal) -> tuple[Loaded, tuple[Allocation, ...]]:
    """Which invoices the money pays, and all that was read to say so.

    The index proposes, and only what the amount needs of it is read; what was read decides. Should some of that be paid by
    now, which the index shows a moment later, all it proposed is read.
    """
    account_id, amount = received.account_id, received.amount

    def spread(items: Sequence[OpenItem]) -> tuple[Allocation, ...]:
        payable = [item for item in items if received.method in item.methods]
        return oldest_first(payable, amount.amount_minor, received.value_date)

    proposed = journal.open_items(account_id, amount.currency, limit=MAX_ALLOCATIONS)
    for wanted in ([share.invoice_id for share in spread(proposed)], [item.invoice_id for item in proposed]):
        loaded = _load(received, wanted, books)
        found = [item for id in wanted if (item := loaded.get(open_item_ref(account_id, id)))]
        allocations = spread(found)
        if sum(share.amount_minor for share in allocations) == amount.amount_minor or len(wanted) == len(proposed):
            break
    return loaded, allocations


def _payment(payment_id: str, received: ReceivedPayment, now: datetime) -> Payment:
    amount = received.amount
    return Payment(
        id=payment_id,
        account_id=received.account_id,
        currency=amount.currency,
        amount_minor=amount.amount_minor,
        method=received.method,
        cash_account=str(received.method),
        status=PaymentStatus.SUCCEEDED,
        created_at=now,
        value_date=received.value_date,
        reference=received.reference,
        unapplied_minor=amount.amount_minor,
        to_wallet=received.to_wallet,
    )


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


def within_discount(allocations: Sequence[Allocation], items: Mapping[str, OpenItem], value_date: date) -> tuple[Allocation, ...]:
    """The allocations, none above what settles its invoice that day: what a payer gave beyond the discounted amount stays
    unapplied credit (T5). More than is open is left as it is, to be refused."""

    def cut(allocation: Allocation) -> Allocation:
        item = items[allocation.invoice_id]
        enough = item.payable_on(value_date)
        return Allocation(item.invoice_id, enough) if enough < allocation.amount_minor <= item.open_minor else allocation

    return tuple(cut(allocation) for allocation in allocations)
