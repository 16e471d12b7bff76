"""Issue the invoices of many orders with one block of numbers (I2, I3, L4).

Three steps, each of which may be the last before the machine dies:

1. **Check** every order, cheaply: what cannot be invoiced is answered with its refusal and gets no number.
2. **Reserve**: counter, batch and guard in one write. From here on the numbers are the batch's.
3. **Finish**: one transaction per order. `finish_batch` does it for whoever comes: the request itself, its repeat, or
   the schedule that looks after batches left behind.

An order may be canceled, revised or invoiced by somebody else between 1 and 3. What cannot be invoiced then leaves its
number *spoiled*: a record in the series that says so. Invoice and spoiled number exclude each other, though written by
machines that know nothing of each other, because both write the balance as they read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import batched

from remit.domain.accounts import Account
from remit.domain.errors import ConflictError, InvalidError, LedgerBrokenError, NotFoundError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.invoice_batches import MAX_BATCH, BatchLine, InvoiceBatch, reserve
from remit.domain.invoices import NumberSeries, SpoiledNumber, invoice_id_for, number_text, series_name
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import Order
from remit.domain.posting_rules import Circumstances
from remit.usecases.apply_credit import apply_lots
from remit.usecases.drafts import forgotten, is_latest, require_latest
from remit.usecases.idempotency import ATTEMPTS, Answer, Request, once, pause
from remit.usecases.issue_invoice import bill, require_something_to_bill, unbilled
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Ids,
    Journal,
    account_ref,
    balance_ref,
    batch_ref,
    invoice_ref,
    open_item_ref,
    order_ref,
    series_ref,
    spoiled_number_ref,
)

_ORDERS_PER_READ = 100


@dataclass(slots=True)
class Checked:
    """Orders as they were checked, with what billing them needs: order id → account and order, and the balances, which move
    on with every invoice."""

    orders: dict[str, tuple[Account, Order]] = field(default_factory=dict)
    balances: dict[tuple[str, str], Balance] = field(default_factory=dict)


def issue_batch(
    orders: Sequence[tuple[str, str]],
    request: Request[InvoiceBatch],
    firm: Firm,
    books: Books,
    journal: Journal,
    clock: Clock,
    ids: Ids,
) -> tuple[InvoiceBatch, Answer]:
    """Invoice `orders` (pairs of account and order id), in this order, all with the same date.

    The answer to the request is stored when the numbers are taken; a repeat goes on with what is not finished, and gives
    the same batch. `InvalidError` for no order, more than `MAX_BATCH`, or one named twice. `TransientError` or
    `ConflictError` when something is left to finish.
    """
    if not 0 < len(orders) <= MAX_BATCH:
        raise InvalidError("bad_batch_size", f"A batch has 1 to {MAX_BATCH} orders.", max=MAX_BATCH)
    if len({order_id for _, order_id in orders}) != len(orders):
        raise InvalidError("duplicate_order", "Each order is named once.")
    now = clock.now()
    batch_id = ids.new("bat")
    series_at = series_ref(series_name(firm.invoice_prefix, firm.today(now)))
    checked: list[tuple[tuple[BatchLine, ...], Checked]] = []

    def decide(consistent: bool) -> tuple[Changes, InvoiceBatch]:
        if not checked:
            checked.append(_check(orders, books, journal))
        series = books.load(series_at, consistent=consistent).get(series_at) or NumberSeries(series_at.id)
        batch, advanced = reserve(batch_id, checked[0][0], series, firm.today(now), now, request.actor)
        return [batch, *([advanced] if batch.numbers else [])], batch

    answer = once(books, request, now, decide, guess=True)
    fresh = answer.body["id"] == batch_id
    return finish_batch(answer.body["id"], firm, books, clock, checked[0][1] if fresh else None), answer


def finish_batch(batch_id: str, firm: Firm, books: Books, clock: Clock, checked: Checked | None = None) -> InvoiceBatch:
    """Settle every number that the batch took, and say so in the batch; one that is finished is only read.

    `checked`: the orders as they were read just before the numbers were taken. Without it, and wherever one turns out to have
    changed, everything is read anew. Safe to run twice, also at the same time.
    """
    batch = need(books.load(batch_ref(batch_id)), batch_ref(batch_id))
    if batch.finished_at is not None:
        return batch
    now = clock.now()
    lines = tuple(line if line.is_settled else _settle(batch, line, checked, firm, books, now) for line in batch.lines)
    for attempt in range(ATTEMPTS):
        finished = replace(batch, lines=lines, finished_at=now)
        try:
            books.commit([finished])
        except (ConflictError, TransientError):
            if attempt == ATTEMPTS - 1:
                raise
            pause(attempt)
            batch = need(books.load(batch_ref(batch_id)), batch_ref(batch_id))
            if batch.finished_at is not None:  # by somebody else, or by us with a lost reply
                return batch
        else:
            return replace(finished, version=finished.version + 1)
    raise AssertionError("unreachable: the last attempt returns or raises")


# ---- Checking -------------------------------------------------------------------------------------------------------


def _check(orders: Sequence[tuple[str, str]], books: Books, journal: Journal) -> tuple[tuple[BatchLine, ...], Checked]:
    """The lines, each with a refusal, with the number of the invoice that it has already, or ready to be numbered.

    Reads without consistency, at half the price: the writes prove it. A refusal is believed only when read consistently.
    """
    found = _read_orders(orders, books)
    accounts: dict[str, Account | None] = {}
    checked = Checked()
    unbilled_minor: dict[tuple[str, str], int] = {}
    lines: list[BatchLine] = []
    for account_id, order_id in orders:
        line, order = BatchLine(account_id, order_id), found[order_id]
        if account_id not in accounts:
            accounts[account_id], balances = journal.account_with_balances(account_id, consistent=False)
            checked.balances |= {(account_id, balance.currency): balance for balance in balances}
            unbilled_minor |= {(account_id, balance.currency): balance.unbilled_minor for balance in balances}
        account = accounts[account_id]
        chain = account_id, order.priced.currency if order else ""
        left = unbilled_minor.get(chain, 0)
        if account and order and _looks_billable(order, checked.balances.get(chain), left):
            checked.orders[order_id] = account, order
            unbilled_minor[chain] = left - order.priced.payable_minor
        else:
            line = _looked_at_closely(line, books)
        lines.append(line)
    return tuple(lines), checked


def _read_orders(orders: Sequence[tuple[str, str]], books: Books) -> dict[str, Order | None]:
    found: dict[str, Order | None] = {}
    for chunk in batched(orders, _ORDERS_PER_READ, strict=False):
        refs = {order_id: order_ref(account_id, order_id) for account_id, order_id in chunk}
        loaded = books.load(*refs.values(), consistent=False)
        found |= {order_id: loaded.get(ref) for order_id, ref in refs.items()}
    return found


def _looks_billable(order: Order, balance: Balance | None, unbilled_minor: int) -> bool:
    """Whether the order can be numbered without a closer look.

    Whether it was invoiced before is not read, which would cost half as much again: its amount must be among what the
    account has as unbilled, and what was invoiced is not.
    """
    if balance is None or not is_latest(order, balance) or order.canceled_at or order.priced.deductions:
        return False
    return 0 < order.priced.payable_minor <= unbilled_minor


def _looked_at_closely(line: BatchLine, books: Books) -> BatchLine:
    """The line after a consistent look: refused, invoiced before, or to be numbered after all."""
    item_at = open_item_ref(line.account_id, invoice_id_for(line.order_id))
    order_at = order_ref(line.account_id, line.order_id)
    loaded = books.load(account_ref(line.account_id), order_at, item_at)
    try:
        need_account(loaded, line.account_id)
        order = need(loaded, order_at)
        if item := loaded.get(item_at):
            return line.invoiced(item.number)
        order.require_draft()
        require_something_to_bill(order)
        for deposit in _deposits(order, books):
            deposit.require_deductible()
    except (NotFoundError, RuleError) as refusal:
        return line.refused(refusal.code, refusal.detail)
    return line


def _deposits(order: Order, books: Books) -> list[OpenItem]:
    """The open items of the deposits that the order deducts."""
    refs = [open_item_ref(order.account_id, deduction.invoice_id) for deduction in order.priced.deductions]
    loaded = books.load(*refs) if refs else None
    return [need(loaded, ref) for ref in refs] if loaded else []


# ---- Finishing ------------------------------------------------------------------------------------------------------


def _settle(batch: InvoiceBatch, line: BatchLine, checked: Checked | None, firm: Firm, books: Books, now: datetime) -> BatchLine:
    """Write the line's invoice, or find what became of its number."""
    if checked and line.order_id in checked.orders and _billed_as_checked(batch, line, checked, firm, books, now):
        return line.invoiced(_number(batch, line))
    for attempt in range(ATTEMPTS):
        try:
            return _settle_anew(batch, line, firm, books, now)
        except (ConflictError, TransientError):
            if attempt == ATTEMPTS - 1:
                raise
            pause(attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _billed_as_checked(batch: InvoiceBatch, line: BatchLine, checked: Checked, firm: Firm, books: Books, now: datetime) -> bool:
    """Whether the invoice could be written with what was read before the number was taken.

    The balance proves it: whatever happened since to the order, or to the number, would have moved that.
    """
    account, order = checked.orders[line.order_id]
    chain = line.account_id, order.priced.currency
    try:
        changes = _billing(batch, line, account, order, checked.balances[chain], firm, books, now)
        books.commit(changes)
    except (ConflictError, InvalidError, LedgerBrokenError, RuleError, TransientError):
        return False  # reads of different moments may even contradict each other: all is read anew
    moved = next(change for change in changes if isinstance(change, Balance))
    checked.balances[chain] = replace(moved, version=moved.version + 1)
    return True


def _settle_anew(batch: InvoiceBatch, line: BatchLine, firm: Firm, books: Books, now: datetime) -> BatchLine:
    """Read everything consistently, and either bill the order, or spoil its number, or find that one of them was done.

    The order is read before the balance, which knows its changes; what may have become of the number is read after it: then
    the write's condition on the balance proves that nothing became of it since.
    """
    order_at, account_at = order_ref(line.account_id, line.order_id), account_ref(line.account_id)
    loaded = books.load(order_at, account_at)
    order, account = need(loaded, order_at), need(loaded, account_at)
    balance = balance_or_new(
        books.load(balance_ref(line.account_id, order.priced.currency)), line.account_id, order.priced.currency
    )
    number = _number(batch, line)
    invoice_at, spoiled_at = invoice_ref(line.account_id, invoice_id_for(line.order_id)), spoiled_number_ref(number)
    loaded = books.load(invoice_at, spoiled_at)
    invoice, spoiled = loaded.get(invoice_at), loaded.get(spoiled_at)
    if invoice is not None:
        if invoice.number != number and spoiled is None:
            books.commit([_spoiled(batch, line, "order_invoiced", now), balance])
        return line.invoiced(invoice.number)
    if spoiled is not None:
        return line.refused(spoiled.reason, "The order could not be invoiced any more when its turn came.")
    try:
        books.commit(_billing(batch, line, account, order, balance, firm, books, now))
    except (InvalidError, RuleError) as refusal:
        books.commit([_spoiled(batch, line, refusal.code, now), balance])
        return line.refused(refusal.code, refusal.detail)
    return line.invoiced(number)


def _billing(
    batch: InvoiceBatch,
    line: BatchLine,
    account: Account,
    order: Order,
    balance: Balance,
    firm: Firm,
    books: Books,
    now: datetime,
) -> Changes:
    """The invoice with the line's number, its open item, entry and balance. The invoice's id guards it: no other is needed."""
    order.require_draft()
    require_something_to_bill(order)
    require_latest(order, balance)
    why = Circumstances(batch.issued_on, now, batch.actor)
    operation = Operation(unbilled(forgotten(balance, now), -order.priced.payable_minor), why)
    operation.hold(*_deposits(order, books))
    invoice, _ = bill(operation, order, account, firm, batch.number_of(line), None)
    if account.apply_credits:
        apply_lots(operation, account.id, invoice.id, firm, books, consistent=True)
    return [*operation.changes(), invoice]


def _number(batch: InvoiceBatch, line: BatchLine) -> str:
    return number_text(batch.series, batch.number_of(line).number)


def _spoiled(batch: InvoiceBatch, line: BatchLine, reason: str, now: datetime) -> SpoiledNumber:
    number = batch.number_of(line).number
    return SpoiledNumber(batch.series, number, batch.issued_on, line.account_id, line.order_id, batch.id, reason, now)
