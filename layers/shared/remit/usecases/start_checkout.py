"""Let the customer pay invoices on the gateway's own page (P3 click-to-pay, P4, P7, T4, G5)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from remit.domain.errors import ConflictError, GatewayFailedError, InvalidError, RuleError
from remit.domain.firm import Firm
from remit.domain.payments import Ending, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.idempotency import Answer, Request, once, persist
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
    CheckoutPage,
    Clock,
    Ids,
    Payer,
    PaymentGateway,
    invoice_ref,
    open_item_ref,
    payment_ref,
)
from remit.usecases.saved_methods import customer_of


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """Which invoices to pay by card. `save_method`: the payer agrees to be charged later; `capture_later` only authorises
    (P7), for one invoice."""

    account_id: str
    picks: Sequence[Pick]
    save_method: bool = False
    capture_later: bool = False


def start_checkout(
    wish: CheckoutWish,
    request: Request[Payment],
    return_url: Callable[[Payment], str],
    firm: Firm,
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
    ids: Ids,
) -> tuple[Payment, Answer]:
    """A payment attempt for what settles the invoices today, with the URL of the gateway's page.

    The attempt is stored before the gateway is called, and its id is the gateway's idempotency key: whatever
    crashes in between, asking again finds the same attempt and the same page. While an attempt for the same
    amounts is under way, everybody who asks is sent to that one, so two open browser tabs cannot pay twice; the page of an
    attempt for other amounts is closed first. `return_url` must give the same address for the same attempt: the gateway
    compares repeated requests.

    `RuleError`: `invoice_settled`, `invoice_disputed`, `payment_under_way` (money is already on its way),
    `method_not_allowed`. `TransientError` when the gateway did not answer; the attempt stays and is found again.
    `GatewayFailedError` when it never will answer this one; the attempt is canceled, and asking again makes a new one.
    """
    now = clock.now()
    attempt_id = ids.new("pay")
    if wish.capture_later and len(wish.picks) > 1:
        raise InvalidError("capture_later_needs_one_invoice", "An authorisation is for one invoice.")

    def may_go_on(attempt: Payment, wanted: Payable) -> bool:
        return wanted.is_asked_by(attempt) and not attempt.is_page_over(now)

    close_superseded(lambda: _payable(wish, firm, books, now), may_go_on, request, firm, books, gateway, clock)

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        wanted = _payable(wish, firm, books, now)
        others = waiting_on_pages(wanted.items, books)
        if same := next((attempt for attempt in others if may_go_on(attempt, wanted)), None):
            return [], same
        require_no_page(others)
        attempt = replace(
            new_attempt(attempt_id, wish.account_id, wanted, Method.CARD, gateway.name, now),
            method_saved_for_later=wish.save_method,
            capture_later=wish.capture_later,
        )
        return [attempt, *with_attempt(wanted.items, attempt)], attempt

    answer = once(books, request, now, decide)
    return _open_page(wish.account_id, answer.body["id"], return_url, books, gateway), answer


def _payable(wish: CheckoutWish, firm: Firm, books: Books, now: datetime) -> Payable:
    loaded = books.load(*refs_of(wish.account_id, wish.picks))
    return payable(wish.account_id, wish.picks, Method.CARD, loaded, firm, firm.today(now))


def _open_page(
    account_id: str, payment_id: str, return_url: Callable[[Payment], str], books: Books, gateway: PaymentGateway
) -> Payment:
    """Ask the gateway for the page of this attempt, unless it was asked before, and remember it."""
    payment = need(books.load(payment_ref(account_id, payment_id)), payment_ref(account_id, payment_id))
    if payment.checkout_url:
        return payment
    picks = [Pick(allocation.invoice_id) for allocation in payment.intended]
    loaded = books.load(*refs_of(account_id, picks))
    for pick in picks:
        need(loaded, open_item_ref(account_id, pick.invoice_id)).require_open()  # settled otherwise since it was stored
    if payment.status is PaymentStatus.CANCELED:
        raise _given_up(payment)
    invoices = [need(loaded, invoice_ref(account_id, pick.invoice_id)) for pick in picks]
    account = need_account(loaded, account_id)
    customer = customer_of(account, books, gateway, payment.created_at) if payment.method_saved_for_later else None
    payer = Payer(invoices[0].buyer.email, customer)
    try:
        page = gateway.start_checkout(payment, description_of(invoices), payer, return_url(payment))
    except GatewayFailedError:
        # Nobody was given its page, so nobody can pay it: whoever asks next gets another attempt, under another key.
        with suppress(ConflictError):
            books.commit([payment.end(Ending.GATEWAY_FAILED)])
        raise
    opened = _with_page(payment, page)
    try:
        books.commit([opened])
    except ConflictError:
        opened = persist(books, lambda: _remember(page, payment, books))
        if opened.status is PaymentStatus.CANCELED:  # given up before anybody was sent to its page
            gateway.expire_checkout(opened)
            raise _given_up(payment) from None
    return opened


def _with_page(payment: Payment, page: CheckoutPage) -> Payment:
    return replace(
        payment,
        checkout_url=page.url,
        expires_at=page.expires_at,
        look_up_at=page.expires_at + LOOK_UP_AFTER,
        gateway_ids=tuple(sorted({*payment.gateway_ids, page.id})),
    )


def _remember(page: CheckoutPage, attempt: Payment, books: Books) -> tuple[Changes, Payment]:
    """Note the page on the attempt as it is by now. Nobody is sent to a page that is not noted: it could not be closed when
    another attempt takes the place of this one, and both would be paid (P4)."""
    ref = payment_ref(attempt.account_id, attempt.id)
    known = need(books.load(ref), ref)
    opened = _with_page(known, page)
    return ([opened], opened) if known.checkout_url is None and opened.is_on_page else ([], opened)


def _given_up(payment: Payment) -> RuleError:
    return RuleError("attempt_canceled", "This attempt was given up. Ask again for a new one.", payment_id=payment.id)
