"""Cancel a purchase or part of it: a credit note, and what goes back or on to another purchase (R3, R9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import Firm
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.payments import Allocation, Payment
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund, RefundFrom, RefundSource, Share, method_back, spread
from remit.domain.terms import Method
from remit.usecases.apply_credit import pay_with_credit
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.issue_credit_note import Case, CreditNoteWish, load_case, post_credit_note
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Ids, open_item_ref
from remit.usecases.refund_payment import refund_through
from remit.usecases.refunding import request_refund


class RefundChoice(StrEnum):
    """How much money to give back, unless an amount is named: none, or exactly the credit as far as payments allow."""

    NONE = "none"
    SUGGESTED = "suggested"


@dataclass(frozen=True, slots=True)
class CancellationWish:
    """What to credit, how much of it to give back, and by which method where one may choose. `transfer_to`: the invoice of
    the new purchase that the credit pays (R9)."""

    credit: CreditNoteWish
    refund: RefundChoice | int = RefundChoice.NONE
    method: Method | None = None
    transfer_to: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What came of it. `transferred_to` is the new purchase's open item, where the credit went on to one."""

    note: CreditNote
    credit: Credit
    refunds: tuple[Refund, ...]
    open_item: OpenItem
    transferred_to: OpenItem | None


def cancel_purchase(
    wish: CancellationWish, request: Request[Cancellation], firm: Firm, books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Credit the chosen items and refund in one transaction.

    The suggested refund is exactly the credit, limited by what the payments of that invoice captured and have left (R2); it
    goes back over those payments, the latest first. `RuleError` `refund_exceeds_refundable` with what is refundable when more
    is asked for. With `transfer_to` nothing is refunded, and the credit pays that invoice.
    """
    now = clock.now()
    note_id = ids.new("crn")
    if wish.transfer_to and wish.refund != RefundChoice.NONE:
        raise InvalidError("transfer_without_refund", "A transfer refunds nothing: the credit pays the new purchase.")
    if wish.transfer_to == wish.credit.invoice_id:
        raise InvalidError("transfer_to_itself", "The credit of a purchase pays another one.")

    def decide(consistent: bool) -> tuple[Changes, Cancellation]:
        case = load_case(wish.credit, firm, books, clock)
        operation = Operation(case.balance, Circumstances(firm.today(now), now, request.actor, wish.credit.terms.reason))
        operation.hold(*case.sources.values())
        note, series = post_credit_note(operation, note_id, case, wish.credit, firm)
        shares = _shares(wish, case, operation.get(Credit, note.credit_id))
        refunds = tuple(_refund(share, wish, note, shares, operation, firm, ids) for share in shares)
        target = _transfer(wish, operation, note.credit_id, firm, books)
        done = Cancellation(
            note,
            operation.get(Credit, note.credit_id),
            refunds,
            operation.item(case.item.invoice_id),
            operation.item(target) if target else None,
        )
        return [*operation.changes(), series], done

    return once(books, request, now, decide)


def _shares(wish: CancellationWish, case: Case, credit: Credit) -> Sequence[Share]:
    """What goes back by which payment."""
    if wish.refund == RefundChoice.NONE:
        return ()
    paid = [(source, case.item.settled_by(source.id)) for source in case.sources.values() if isinstance(source, Payment)]
    suggested = spread(paid, credit.open_minor)
    if wish.refund == RefundChoice.SUGGESTED:
        return suggested
    refundable = sum(share.amount_minor for share in suggested)
    if wish.refund > refundable:
        raise RuleError(
            "refund_exceeds_refundable",
            f"Of this cancellation, {refundable} can be refunded, not {wish.refund}.",
            refundable_minor=refundable,
            credit_minor=credit.open_minor,
            captured_left_minor=sum(payment.refundable_minor for payment, _ in paid),
        )
    return spread(paid, int(wish.refund))


def _refund(
    share: Share, wish: CancellationWish, note: CreditNote, shares: Sequence[Share], operation: Operation, firm: Firm, ids: Ids
) -> Refund:
    method = method_back(share.payment, wish.method)
    source = RefundSource(RefundFrom.CREDIT, note.credit_id, share.amount_minor)
    refund = refund_through(
        ids.new("ref"), share.payment, method, share.amount_minor, (source,), operation, firm, credit_note_id=note.id
    )
    return request_refund(operation, refund, firm, of_total_minor=sum(each.amount_minor for each in shares))


def _transfer(wish: CancellationWish, operation: Operation, credit_id: str, firm: Firm, books: Books) -> str | None:
    """Let the credit pay the new purchase, as far as both go."""
    if wish.transfer_to is None:
        return None
    ref = open_item_ref(wish.credit.account_id, wish.transfer_to)
    item = need(books.load(ref), ref)
    item.require_open()
    credit = operation.get(Credit, credit_id)
    amount = min(credit.open_minor, item.payable_on(operation.why.effective_on))
    if amount == 0:
        raise RuleError(
            "nothing_to_transfer",
            "The invoice itself took all of the credit, so nothing is left for another purchase.",
            credit_minor=credit.open_minor,
        )
    operation.hold(item)
    pay_with_credit(operation, credit, [Allocation(item.invoice_id, amount)], firm)
    return item.invoice_id
