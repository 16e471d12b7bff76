"""Let the customer pay an invoice on the gateway's own page (P3 click-to-pay, P4, G5)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from remit.domain.errors import ConflictError, GatewayFailedError, RuleError
from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Ids, PaymentGateway, invoice_ref, open_item_ref, payment_ref


def start_checkout(
    account_id: str,
    invoice_id: str,
    request: Request[Payment],
    return_url: Callable[[Payment], str],
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
    ids: Ids,
) -> tuple[Payment, Answer]:
    """A payment attempt for all that is open on the invoice, with the URL of the gateway's page.

    The attempt is stored before the gateway is called, and its id is the gateway's idempotency key: whatever
    crashes in between, asking again finds the same attempt and the same page. While an attempt for the same
    amount is under way, everybody who asks is sent to that one, so two open browser tabs cannot pay twice.
    `return_url` must give the same address for the same attempt: the gateway compares repeated requests.

    `RuleError`: `invoice_settled`, `payment_under_way` (money is already on its way), `method_not_allowed`.
    `TransientError` when the gateway did not answer; the attempt stays and is found again. `GatewayFailedError` when
    it never will answer this one; the attempt is canceled, and asking again makes a new one.
    """
    now = clock.now()
    attempt_id = ids.new("pay")

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        item = need(books.load(open_item_ref(account_id, invoice_id)), open_item_ref(account_id, invoice_id))
        item.require_open()
        item.require_method(Method.CARD)
        if current := _attempt_under_way(books, item, now):
            return [], current
        attempt = Payment(
            id=attempt_id,
            account_id=account_id,
            currency=item.currency,
            amount_minor=item.open_minor,
            method=Method.CARD,
            cash_account=gateway.name,
            status=PaymentStatus.PENDING,
            created_at=now,
            reference=item.number,
            intended=(Allocation(invoice_id, item.open_minor),),
        )
        return [attempt, replace(item, payment_attempt=attempt.id)], attempt

    answer = once(books, request, now, decide)
    return _open_page(account_id, invoice_id, answer.body["id"], return_url, books, gateway), answer


def _attempt_under_way(books: Books, item: OpenItem, now: datetime) -> Payment | None:
    """The attempt that must not be doubled, if there is one."""
    if item.payment_attempt is None:
        return None
    attempt = books.load(payment_ref(item.account_id, item.payment_attempt)).get(
        payment_ref(item.account_id, item.payment_attempt)
    )
    if attempt is None or not attempt.is_under_way(now):
        return None
    if attempt.status is PaymentStatus.PROCESSING:
        raise RuleError("payment_under_way", "A payment of this invoice is being processed.", payment_id=attempt.id)
    return attempt if attempt.amount_minor == item.open_minor else None


def _open_page(
    account_id: str, invoice_id: str, payment_id: str, return_url: Callable[[Payment], str], books: Books, gateway: PaymentGateway
) -> Payment:
    """Ask the gateway for the page of this attempt, unless it was asked before, and remember it."""
    loaded = books.load(
        payment_ref(account_id, payment_id), invoice_ref(account_id, invoice_id), open_item_ref(account_id, invoice_id)
    )
    payment = need(loaded, payment_ref(account_id, payment_id))
    if payment.checkout_url:
        return payment
    item = need(loaded, open_item_ref(account_id, invoice_id))
    if item.open_minor == 0:  # settled otherwise since the attempt was stored
        raise RuleError("invoice_settled", f"Invoice {item.number} has nothing left to pay.", open_minor=0)
    invoice: Invoice = need(loaded, invoice_ref(account_id, invoice_id))
    if payment.status is PaymentStatus.CANCELED:
        raise RuleError("attempt_canceled", "This attempt was given up. Ask again for a new one.", payment_id=payment.id)
    try:
        page = gateway.start_checkout(payment, f"Invoice {invoice.number}", invoice.buyer.email, return_url(payment))
    except GatewayFailedError:
        # Nobody was given its page, so nobody can pay it: whoever asks next gets another attempt, under another key.
        with suppress(ConflictError):
            books.commit([replace(payment, status=PaymentStatus.CANCELED, failure="gateway_failed")])
        raise
    opened = replace(
        payment,
        checkout_url=page.url,
        expires_at=page.expires_at,
        gateway_ids=tuple(sorted({*payment.gateway_ids, page.id})),
    )
    try:
        books.commit([opened])
    except ConflictError:
        # The gateway's event, or another tab, was faster: what it stored stands, and the page is the same one.
        return replace(opened, version=payment.version)
    return opened
