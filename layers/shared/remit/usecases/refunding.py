"""What all refunds have in common: reserving money, letting it go, and putting it back (R1, R2, R6).

These work within an operation that holds what a refund consumes; the use cases decide who may ask for what.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from remit.domain import posting_rules
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.payments import Allocation, Payment, Transaction
from remit.domain.refunds import Refund, RefundFrom, RefundSource, RefundStatus
from remit.usecases.loading import need
from remit.usecases.ports import Loaded, Ref, lot_ref, open_item_ref


def request_refund(operation: Operation, refund: Refund, firm: Firm, *, of_total_minor: int) -> Refund:
    """Reserve what the refund gives back, and let it go as far as nobody has to approve it (R10).

    The limit goes by `of_total_minor`, all that is refunded by one request, so that splitting it does not help.
    """
    waits = firm.needs_second_person(of_total_minor, refund.currency)
    reserve(operation, replace(refund, status=RefundStatus.AWAITING_APPROVAL if waits else RefundStatus.ON_HOLD))
    if not waits:
        release(operation, refund.id, firm)
    return operation.get(Refund, refund.id)


def reserve(operation: Operation, refund: Refund, *, is_made: bool = False) -> None:
    """Take the refund's sources from where they lie, count it on its payments, and post it as requested.

    `RuleError` when a payment has less left (R2); not for one that somebody made already without us.
    """
    for source in refund.sources:
        _take(operation, refund, source)
    for payment_id, amount in refund.counts_on.items():
        payment = operation.get(Payment, payment_id)
        made = replace(payment, refunded_minor=payment.refunded_minor + amount) if is_made else payment.refund(amount)
        operation.change(made)
    operation.create(refund)
    operation.post(posting_rules.refund_requested, refund)


def _take(operation: Operation, refund: Refund, source: RefundSource) -> None:
    if source.account is RefundFrom.CREDIT:
        operation.change(operation.lot(source.document_id).take(source.amount_minor))
    elif source.account is RefundFrom.RECEIVABLE and refund.payment_id:
        opened = [Allocation(source.document_id, source.amount_minor)]
        operation.reopen(refund.payment_id, opened, keeps_discount=True)
    elif source.account is RefundFrom.WALLET and refund.payment_id:
        payment = operation.get(Payment, refund.payment_id)
        operation.change(replace(payment, wallet_minor=payment.wallet_minor - source.amount_minor))


def release(operation: Operation, refund_id: str, firm: Firm) -> None:
    """Let a reserved refund go: one through a gateway waits for the end of its day (R7), one by hand is made at once."""
    refund = operation.get(Refund, refund_id)
    now = operation.why.recorded_at
    if refund.is_at_gateway:
        operation.change(replace(refund, submit_at=firm.refunds_held_until(now)))
    else:
        operation.change(replace(refund, status=RefundStatus.SUCCEEDED, reported_at=now))
        succeed(operation, refund_id)


def succeed(operation: Operation, refund_id: str) -> None:
    """The money has gone."""
    refund = operation.get(Refund, refund_id)
    note_transaction(operation, refund)
    operation.change(refund)
    operation.post_plain(posting_rules.refund_succeeded, refund)


def give_back(operation: Operation, refund_id: str, *, had_succeeded: bool) -> None:
    """It came to nothing: what it had consumed is back, an invoice that it had opened is paid again as far as it is open.

    What an invoice had asked back is the customer's in any case: it pays that invoice, or they have paid it before.
    """
    refund = operation.get(Refund, refund_id)
    reversal = operation.item(refund.reversed_by).open_minor if refund.reversed_by else 0
    returned = refund.returns_to(reversal)
    sources = returned if refund.reversed_by else as_kept(returned, refund, operation)
    back: dict[str, int] = {}
    for source in sources:
        for lot, amount in _put_back(operation, refund, source).items():
            back[lot] = back.get(lot, 0) + amount
    for payment_id, amount in refund.counts_on.items():
        operation.change(operation.get(Payment, payment_id).unrefund(amount))
    note_transaction(operation, refund)
    operation.change(refund)
    operation.post(posting_rules.refund_returned, replace(refund, sources=sources), had_succeeded, back)


def as_kept(sources: Iterable[RefundSource], refund: Refund, operation: Operation) -> tuple[RefundSource, ...]:
    """Where its money goes when it is back: to what it had consumed, as far as the payment may have it again. What was taken
    of that meanwhile, by a return or a lost dispute, makes good the loss that was posted then (P8, P9)."""
    kept: list[RefundSource] = []
    regained: Counter[str] = Counter()
    for source in sources:
        payment_id = _money_of(source, refund)
        if payment_id is None:
            kept.append(source)
            continue
        payment, before = operation.get(Payment, payment_id), regained[payment_id]
        regained[payment_id] = payment.regains(before + source.amount_minor)
        again = regained[payment_id] - before
        kept.append(replace(source, amount_minor=again))
        kept.append(RefundSource(RefundFrom.LOSS, payment_id, source.amount_minor - again))
    return tuple(source for source in kept if source.amount_minor)


def _money_of(source: RefundSource, refund: Refund) -> str | None:
    """The payment whose money the source is; none for what was a loss already, and for a credit, which is the firm's own word."""
    if source.account is RefundFrom.LOSS:
        return None
    if source.account is RefundFrom.CREDIT:
        return source.document_id if source.document_id in refund.counts_on else None
    return refund.payment_id


def _put_back(operation: Operation, refund: Refund, source: RefundSource) -> dict[str, int]:
    """Lot → amount that is credit again."""
    amount = source.amount_minor
    if source.account is RefundFrom.CREDIT:
        operation.change(operation.lot(source.document_id).put_back(amount))
        return {source.document_id: amount}
    if source.account is RefundFrom.RECEIVABLE:
        return _pay_again(operation, refund, source)
    if source.account is RefundFrom.WALLET and refund.payment_id:
        payment = operation.get(Payment, refund.payment_id)
        operation.change(replace(payment, wallet_minor=payment.wallet_minor + amount))
    return {}


def _pay_again(operation: Operation, refund: Refund, source: RefundSource) -> dict[str, int]:
    item = operation.item(source.document_id)
    paid = min(source.amount_minor, item.open_minor or item.recoverable_minor)
    allocations = [Allocation(item.invoice_id, paid)] if paid else []
    payer = refund.payment_id if item.invoice_id != refund.reversed_by else None
    operation.settle(payer or refund.id, allocations, operation.why.effective_on, earns_discount=False)
    if payer is None:
        return {}
    payment = operation.get(Payment, payer)
    operation.change(payment.put_back(source.amount_minor).draw(allocations))
    return {payer: source.amount_minor - paid}


def note_transaction(operation: Operation, refund: Refund) -> None:
    """Show the refund among the transactions of its payment (P5): once, as it stands now."""
    if refund.payment_id is None or refund.reported_at is None:
        return
    payment = operation.get(Payment, refund.payment_id)
    shown = Transaction(refund.reported_at, "refund", refund.gateway_id or refund.id, refund.amount_minor, _words(refund))
    others = (each for each in payment.transactions if each.id != shown.id)
    operation.change(replace(payment, transactions=tuple(sorted((*others, shown)))))


def _words(refund: Refund) -> str | None:
    return None if refund.status is RefundStatus.SUCCEEDED else refund.failure or str(refund.status)


def refs_of(refund: Refund) -> list[Ref[Any]]:
    """Everything that a refund took from or counts on, and the invoice that reversed it."""
    ids = {
        *(source.document_id for source in refund.sources if source.account in (RefundFrom.CREDIT, RefundFrom.RECEIVABLE)),
        *refund.counts_on,
        *([refund.reversed_by] if refund.reversed_by else []),
    }
    return [_ref(refund.account_id, id) for id in sorted(ids)]


def _ref(account_id: str, id: str) -> Ref[Any]:
    return open_item_ref(account_id, id) if id.startswith("inv_") else lot_ref(account_id, id)


def hold_all(operation: Operation, loaded: Loaded, refs: Iterable[Ref[Any]]) -> None:
    """Take in everything that the references name; it must be there."""
    operation.hold(*(need(loaded, ref) for ref in dict.fromkeys(refs)))
