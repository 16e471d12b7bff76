"""Charge a payment method that the account saved, without the payer being there (P3, P4, P7, T4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from remit.domain.accounts import SavedMethod
from remit.domain.actor import Actor
from remit.domain.errors import InvalidError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.open_items import Collection, CollectionResult, OpenItem
from remit.domain.payments import Collected, GatewayReport, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.apply_gateway_report import note_answer
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need, need_account
from remit.usecases.payment_attempts import (
    LOOK_UP_AFTER,
    Payable,
    Pick,
    close_superseded,
    description_of,
    new_attempt,
    payable,
    refs_of,
    require_no_page,
    waiting_on_pages,
    with_attempt,
)
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Ids,
    PaymentGateway,
    account_ref,
    invoice_ref,
    payment_ref,
)

NOT_FOR_LATER = (Method.BANK_DEBIT,)
"""Methods that are not authorised first and captured later."""


@dataclass(frozen=True, slots=True)
class PlannedAttempt:
    """An attempt that a schedule makes: number `number` for the due date `due_on`, decided on `item_version` of the invoice's
    open item. `declined`: the methods that were declined for good by then; `not_charged`: how many of the attempts for that
    due date never reached the gateway."""

    due_on: date
    number: int
    item_version: int
    declined: tuple[str, ...] = ()
    not_charged: int = 0


@dataclass(frozen=True, slots=True)
class ChargeWish:
    """Which invoices to charge to which saved method; None: the default one. `capture_later` only authorises (P7), one
    invoice by card. `collection`: the attempt that it is, of one invoice, when nobody asks for it."""

    account_id: str
    picks: Sequence[Pick]
    method_id: str | None = None
    capture_later: bool = False
    collection: PlannedAttempt | None = None


def charge_saved_method(
    wish: ChargeWish,
    request: Request[Payment],
    firm: Firm,
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
    ids: Ids,
) -> tuple[Payment, Answer]:
    """Ask the gateway for the money now, and answer with the payment as it then stands.

    The attempt is stored before the gateway is called (P4), its id is the gateway's idempotency key. *Succeeded*,
    *processing* (a bank debit takes days), *authorized* and *failed* are answers; a failure tells its code, and
    `authentication_required` means that the customer has to pay by the invoice's pay link. *Pending* is none: the answer
    was lost, and until it is known, which the agenda sees to, no other payment of these invoices is started.

    `RuleError` before anything is stored: `no_saved_method`, `method_not_allowed`, `invoice_settled`, `invoice_void`,
    `invoice_disputed`, `payment_under_way`; `collection_overtaken` when a collection was decided on what is not so any more.
    """
    now = clock.now()
    attempt_id = ids.new("pay")

    def may_go_on(attempt: Payment, wanted: Payable) -> bool:
        return False  # what is charged now is not paid on a page beside it

    close_superseded(lambda: _payable(wish, firm, books, now)[0], may_go_on, request, firm, books, gateway, clock)

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        wanted, saved = _payable(wish, firm, books, now)
        require_no_page(waiting_on_pages(wanted.items, books))
        attempt = replace(
            new_attempt(attempt_id, wish.account_id, wanted, saved.method, gateway.name, now),
            saved_method=saved.id,
            capture_later=wish.capture_later,
            look_up_at=now + LOOK_UP_AFTER,
        )
        items = with_attempt(wanted.items, attempt)
        if wish.collection:
            attempt, item = _collected(attempt, items[0], wish.collection, saved, firm, now)
            items = [item]
        return [attempt, *items], attempt

    answer = once(books, request, now, decide)
    payment = need(books.load(payment_ref(wish.account_id, answer.body["id"])), payment_ref(wish.account_id, answer.body["id"]))
    if payment.is_outcome_unknown and not payment.gateway_ids:
        payment = ask_gateway(payment, request.actor, firm, books, gateway, clock)
    return payment, answer


def _collected(
    attempt: Payment, item: OpenItem, planned: PlannedAttempt, saved: SavedMethod, firm: Firm, now: datetime
) -> tuple[Payment, OpenItem]:
    """The attempt and its invoice, each with the other noted. The invoice is looked at again when a retry would be due, or the
    next part is: what the attempt comes to is found then."""
    if item.version != planned.item_version:
        raise RuleError("collection_overtaken", f"Invoice {item.number} changed while it was collected.")
    today = firm.today(now)
    next_due_on = item.next_due_after(today)
    collected = Collected(planned.due_on, planned.number, saved.label, next_due_on, not_charged=planned.not_charged)
    wait = firm.collection_retries.wait_after(collected.tries)
    days = [day for day in (next_due_on, today + wait if wait else None) if day]
    note = Collection(
        now, CollectionResult.STARTED, attempt.id, planned.due_on, planned.number, planned.declined, planned.not_charged
    )
    return replace(attempt, collected=collected), replace(item, collect_on=min(days, default=None), collection=note)


def ask_gateway(payment: Payment, actor: Actor, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock) -> Payment:
    """Give a stored attempt to the gateway, under the attempt's id, and take in what it answers.

    An answer that is lost changes nothing: the attempt waits to be looked up. A refusal is final, and nothing was charged.
    """
    account = need_account(books.load(account_ref(payment.account_id)), payment.account_id)
    loaded = books.load(*(invoice_ref(payment.account_id, allocation.invoice_id) for allocation in payment.intended))
    invoices = [need(loaded, invoice_ref(payment.account_id, share.invoice_id)) for share in payment.intended]
    now = clock.now()
    try:
        report = gateway.charge(payment, account.payment.customer_id or "", description_of(invoices), now)
    except TransientError:
        return payment
    except RuleError as refusal:
        report = refused(payment, refusal.code, now)
    return note_answer(report, actor, firm, books, clock)


def refused(payment: Payment, failure: str, now: datetime) -> GatewayReport:
    """The gateway would not even try: a method that is gone, an amount below its least."""
    return GatewayReport(
        payment_id=payment.id,
        account_id=payment.account_id,
        status=PaymentStatus.FAILED,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        occurred_at=now,
        failure=failure,
        is_hard_failure=True,
    )


def _payable(wish: ChargeWish, firm: Firm, books: Books, now: datetime) -> tuple[Payable, SavedMethod]:
    loaded = books.load(*refs_of(wish.account_id, wish.picks))
    saved = need_account(loaded, wish.account_id).payment.method(wish.method_id)
    if wish.capture_later and (saved.method in NOT_FOR_LATER or len(wish.picks) > 1):
        raise InvalidError("cannot_capture_later", "An authorisation is for one invoice, by card.")
    return payable(wish.account_id, wish.picks, saved.method, loaded, firm, firm.today(now)), saved
