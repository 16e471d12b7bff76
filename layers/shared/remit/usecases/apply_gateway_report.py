"""Take in what the gateway says of a payment (G3, G4, P4, P8, P9)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime

from remit.domain import posting_rules
from remit.domain.actor import Actor
from remit.domain.collection_attempts import ended_at, with_retry
from remit.domain.errors import LedgerBrokenError
from remit.domain.firm import Firm, LostDispute
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.payments import (
    Dispute,
    DisputeStatus,
    GatewayReport,
    Payment,
    PaymentStatus,
    latest_first,
    within_open,
)
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, Loaded, balance_ref, open_item_ref, payment_ref


def apply_gateway_report(report: GatewayReport, request: Request[Payment], firm: Firm, books: Books, clock: Clock) -> Answer:
    """Merge the report into its payment, and post what follows from all that is known by then.

    Reports may come twice, late and in any order: `request` guards against the same event, the merge against
    their order. What is posted depends on the facts and on what was posted before, so the last report leads to the same
    books whichever it is. What is gone takes unapplied credit first, held or not, then what it left in the wallet, then what
    it paid, the latest allocation first. Money that arrives is never refused: what its invoice no longer needs becomes unapplied
    credit. `NotFoundError` when the payment is not known (yet).
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        return _taken_in(report, request.actor, firm, books, now)

    return once(books, request, now, decide)


def note_answer(report: GatewayReport, actor: Actor, firm: Firm, books: Books, clock: Clock) -> Payment:
    """The same for what the gateway answered when it was asked: taking it in twice changes nothing, so it needs no guard,
    and the events that tell it too post nothing more."""
    now = clock.now()
    return persist(books, lambda: _taken_in(report, actor, firm, books, now))


def _taken_in(report: GatewayReport, actor: Actor, firm: Firm, books: Books, now: datetime) -> tuple[Changes, Payment]:
    loaded = books.load(
        payment_ref(report.account_id, report.payment_id),
        balance_ref(report.account_id, report.currency),
        *(open_item_ref(report.account_id, invoice_id) for invoice_id in report.invoice_ids),
    )
    known = need(loaded, payment_ref(report.account_id, report.payment_id))
    merged = known.with_report(report)
    payment = with_retry(merged, firm.collection_retries, firm.today(ended_at(merged)))
    arrived = payment.status is PaymentStatus.SUCCEEDED and known.status is not PaymentStatus.SUCCEEDED
    returned = payment.returned_at if payment.status is PaymentStatus.SUCCEEDED else None
    if not (arrived or returned or unposted_disputes(payment)):
        return ([payment] if payment != known else []), payment
    if report.currency != known.currency:
        raise LedgerBrokenError("gateway_currency_differs", f"The gateway reports {report.currency} for {known.id}.")

    value_date = firm.today(report.occurred_at)
    operation = Operation(balance_or_new(loaded, report.account_id, report.currency), Circumstances(value_date, now, actor))
    operation.hold(known, *touched_items(payment, loaded, books).values())
    operation.change(payment)
    if arrived:
        post_arrival(operation, payment, report, value_date)
    post_disputes(operation, payment.id, firm)
    if returned:
        operation.why = replace(operation.why, effective_on=firm.today(returned))
        post_reversal(operation, payment.id)
    _collect_again(operation, payment)
    return operation.changes(), operation.get(Payment, payment.id)


def _collect_again(operation: Operation, returned: Payment) -> None:
    """Let collection look again at what a debit had paid that came back, when it is to be tried again (S4)."""
    retry_on = returned.collected.retry_on if returned.collected else None
    for share in returned.intended:
        item = operation.item(share.invoice_id) if operation.holds(OpenItem, share.invoice_id) else None
        if retry_on and item and item.open_minor:
            operation.change(item.collected_by(retry_on))


def touched_items(payment: Payment, loaded: Loaded, books: Books) -> dict[str, OpenItem]:
    """The open items of the invoices that the payer chose and of those that the payment paid. The report names the first, so
    that they come with the first request; should it not, the attempt knows them."""
    wanted = [allocation.invoice_id for allocation in (*payment.intended, *payment.allocations)]
    refs = {invoice_id: open_item_ref(payment.account_id, invoice_id) for invoice_id in wanted}
    found = {invoice_id: loaded.get(ref) for invoice_id, ref in refs.items()}
    if unread := [refs[invoice_id] for invoice_id, item in found.items() if item is None]:
        more = books.load(*unread)
        found = {invoice_id: item or more.get(refs[invoice_id]) for invoice_id, item in found.items()}
    return {invoice_id: item for invoice_id, item in found.items() if item and item.currency == payment.currency}


def post_arrival(operation: Operation, payment: Payment, report: GatewayReport, value_date: date) -> None:
    """The money is here: allocate it to what was intended, as far as that is still open."""
    fee = payment.fee.scaled(report.amount_minor, payment.amount_minor) if payment.fee else None
    free = report.amount_minor - (fee.gross_minor if fee else 0)
    arrived = replace(
        payment,
        fee=fee,
        amount_minor=report.amount_minor,
        unapplied_minor=free,
        value_date=value_date,
        look_up_at=None,
        authorized_until=None,
    )
    operation.change(arrived)
    wanted = [allocation.invoice_id for allocation in payment.intended]
    items = {invoice_id: operation.item(invoice_id) for invoice_id in wanted if operation.holds(OpenItem, invoice_id)}
    operation.pay_from(payment.id, within_open(payment.intended, items, free, value_date), value_date)
    if payment.to_wallet:
        rest = operation.get(Payment, payment.id)
        operation.change(replace(rest, unapplied_minor=0, wallet_minor=rest.unapplied_minor))
    # The entry names what this report names: what other events told before must not make a difference to the books.
    operation.post(posting_rules.payment_received, replace(arrived, gateway_ids=report.gateway_ids))


def post_reversal(operation: Operation, payment_id: str) -> None:
    """The money went back whole: what it paid is open again, what was unapplied, held or in the wallet is gone (P8).

    What lost disputes have taken before is gone already, and is not taken twice. What open ones withhold goes back with the rest,
    and nothing is left for them to decide. What is unapplied beyond all that is none of this money: the customer has paid it for
    an invoice that asked a refund back, which then came to nothing.
    """
    payment = operation.get(Payment, payment_id)
    left = payment.amount_minor - payment.lost_minor
    unapplied = min(payment.unapplied_minor, left - payment.held_minor)
    wallet = min(payment.wallet_minor, left - payment.held_minor - unapplied)
    paid = left - payment.held_minor - unapplied - wallet
    fee = payment.fee if payment.fee and payment.fee.gross_minor <= paid else None
    reopened = latest_first(payment.allocations, paid - (fee.gross_minor if fee else 0))
    operation.reopen(payment_id, reopened)
    emptied = operation.get(Payment, payment_id).holding(0).take(unapplied)
    operation.change(replace(emptied, status=PaymentStatus.REVERTED, wallet_minor=0))
    if left:
        reverted = replace(payment, amount_minor=left, wallet_minor=wallet, fee=fee)
        operation.post(posting_rules.payment_reverted, reverted, unapplied)


MOVED = (DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST)
"""How a dispute stands for which money was withdrawn."""


def unposted_disputes(payment: Payment) -> list[Dispute]:
    """Disputes that moved money and that the journal does not know as they are. None before the payment itself is posted; of
    money that went back whole, only those whose fee is not known."""
    moved = [dispute for dispute in payment.disputes if dispute.status in MOVED]
    if payment.status is PaymentStatus.REVERTED:
        return [dispute for dispute in moved if dispute.posted is None and dispute.fee_minor]
    if payment.status is not PaymentStatus.SUCCEEDED:
        return []
    return [dispute for dispute in moved if dispute.posted is not dispute.status]


def post_disputes(operation: Operation, payment_id: str, firm: Firm) -> None:
    """Post every dispute up to where it stands: opened first, whatever was heard first (P9). One that was won and is lost after
    all withholds its money a second time."""
    for dispute in unposted_disputes(operation.get(Payment, payment_id)):
        if dispute.posted is None or dispute.posted is DisputeStatus.WON:
            began = (dispute.opened_at if dispute.posted is None else None) or dispute.reported_at
            operation.why = replace(operation.why, effective_on=firm.today(began))
            _open_dispute(operation, payment_id, dispute)
        decide = _DECIDED.get(dispute.status)
        if decide and operation.get(Payment, payment_id).status is PaymentStatus.SUCCEEDED:
            operation.why = replace(operation.why, effective_on=firm.today(dispute.reported_at))
            decide(operation, payment_id, dispute, firm)


def _open_dispute(operation: Operation, payment_id: str, dispute: Dispute) -> None:
    """Withhold the money, hold the customer's unapplied part, and flag the invoices that the payment paid. Of money that went
    back whole nothing is left to withhold: only the fee is posted."""
    payment = operation.get(Payment, payment_id)
    held = min(payment.unapplied_minor, dispute.amount_minor)  # what is in the wallet is used up before it is lost
    opened = replace(dispute, posted=DisputeStatus.OPEN)
    if payment.status is PaymentStatus.SUCCEEDED:
        operation.change(payment.take(held).holding(payment.held_minor + held, opened))
    else:
        operation.change(payment.holding(0, opened))
    _flag(operation, payment_id)
    fee = dispute.fee_minor if dispute.posted is None else 0
    operation.post_plain(posting_rules.dispute_opened, payment, replace(opened, fee_minor=fee, held_minor=held))


def _flag(operation: Operation, payment_id: str) -> None:
    """The invoices that the payment pays are flagged while one of its disputes is open, and free after the last one."""
    payment = operation.get(Payment, payment_id)
    for allocation in payment.allocations:
        item = operation.item(allocation.invoice_id)
        others = tuple(each for each in item.disputed_by if each != payment_id)
        operation.change(replace(item, disputed_by=(*others, payment_id) if payment.withheld_minor else others))


def _win_dispute(operation: Operation, payment_id: str, dispute: Dispute, _firm: Firm) -> None:
    payment = operation.get(Payment, payment_id)
    still_held = min(payment.held_minor, payment.withheld_minor - dispute.amount_minor)
    released = payment.held_minor - still_held
    won = replace(dispute, posted=DisputeStatus.WON)
    operation.change(payment.put_back(released).holding(still_held, won))
    _flag(operation, payment_id)
    operation.post_plain(posting_rules.dispute_won, payment, replace(won, held_minor=released))


def _lose_dispute(operation: Operation, payment_id: str, dispute: Dispute, firm: Firm) -> None:
    """What the money had paid is open again, latest allocation first; or it is written off, as the firm decides. Before that
    goes what is held, what is unapplied since a refund failed meanwhile, and what it had left in the wallet."""
    disputed = operation.get(Payment, payment_id)
    held = min(disputed.held_minor, dispute.amount_minor)
    whole = dispute.amount_minor == disputed.amount_minor
    fee = disputed.fee.gross_minor if disputed.fee and whole else 0
    unapplied = min(disputed.unapplied_minor, dispute.amount_minor - held - fee)
    wallet = min(disputed.wallet_minor, dispute.amount_minor - held - fee - unapplied)
    reopened = latest_first(disputed.allocations, dispute.amount_minor - held - fee - unapplied - wallet)
    operation.reopen(payment_id, reopened)
    lost = replace(dispute, posted=DisputeStatus.LOST, wallet_minor=wallet)
    left = replace(operation.get(Payment, payment_id).take(unapplied), wallet_minor=disputed.wallet_minor - wallet)
    operation.change(left.holding(disputed.held_minor - held, lost))
    _flag(operation, payment_id)
    operation.post(posting_rules.dispute_lost, left, replace(lost, held_minor=held), unapplied)
    if firm.money.lost_dispute is LostDispute.WRITE_OFF:
        for allocation in reopened:
            item = operation.item(allocation.invoice_id)
            if item.open_minor:
                operation.change(item.write_off())
                operation.post(posting_rules.invoice_written_off, operation.item(item.invoice_id))


_DECIDED: Mapping[DisputeStatus, Callable[[Operation, str, Dispute, Firm], None]] = {
    DisputeStatus.WON: _win_dispute,
    DisputeStatus.LOST: _lose_dispute,
}
