"""End a payment that has not brought money: release an authorisation, close a payment page, call a debit back (P7, P4)."""

from datetime import datetime

from remit.domain.actor import Actor
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.payments import Ending, Payment, PaymentStatus
from remit.usecases.apply_gateway_report import note_answer
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.payment_attempts import end_attempt
from remit.usecases.ports import Books, Changes, Clock, PaymentGateway, payment_ref
from remit.usecases.resolve_outcome import ask_about

AT_GATEWAY = (PaymentStatus.AUTHORIZED, PaymentStatus.PROCESSING)
ON_PAGE = (PaymentStatus.PENDING, PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED)


def cancel_payment(
    account_id: str,
    payment_id: str,
    request: Request[Payment],
    firm: Firm,
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
) -> tuple[Payment, Answer]:
    """End the payment at the gateway first, then note that it is over; ending what is over is no error.

    `RuleError`: `payment_not_cancelable` when the money is here already (refund it), when a capture is under way or the payer
    has just completed the page; `outcome_unknown` while the gateway does not say what became of a charge, and
    `gateway_refused` for a debit that the bank has already. `TransientError` when the gateway does not answer.
    """
    now = clock.now()
    ref = payment_ref(account_id, payment_id)
    payment = need(books.load(ref), ref)
    if request.first(books) is None:
        payment = _ended(payment, request.actor, firm, books, gateway, clock)

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        return [], need(books.load(ref), ref)

    return payment, once(books, request, now, decide)


def _ended(payment: Payment, actor: Actor, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock) -> Payment:
    now = clock.now()
    if payment.status is PaymentStatus.CANCELED:
        return payment
    if payment.capture_minor is not None and payment.status is PaymentStatus.AUTHORIZED:
        raise _too_late(payment)
    if payment.status in AT_GATEWAY:
        return note_answer(gateway.cancel(payment, now), actor, firm, books, clock)
    if payment.is_outcome_unknown:
        return _known(payment, firm, books, gateway, clock)
    if payment.status not in ON_PAGE or (payment.checkout_url and not gateway.expire_checkout(payment)):
        raise _too_late(payment)
    return end_attempt(payment, Ending.CANCELED, books)


def _known(payment: Payment, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock) -> Payment:
    """A charge whose outcome is unknown cannot be called off: it can only become known."""
    known = ask_about(payment, firm, books, gateway, clock)
    if known.is_outcome_unknown:
        raise RuleError("outcome_unknown", "The gateway does not know the payment yet. Ask again later.", payment_id=known.id)
    return known


def _too_late(payment: Payment) -> RuleError:
    return RuleError(
        "payment_not_cancelable",
        f"Payment {payment.id} is {payment.status}. Only what has not brought money is canceled; money is refunded.",
        status=str(payment.status),
        refundable_minor=payment.refundable_minor,
    )


def release_authorization(
    account_id: str, payment_id: str, actor: Actor, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock
) -> Payment:
    """An authorisation whose time is over is released, whether or not the gateway's event of it came (P7)."""
    ref = payment_ref(account_id, payment_id)
    payment = need(books.load(ref), ref)
    if not _is_over(payment, clock.now()):
        return payment
    report = gateway.look_up(payment, clock.now())
    if report is None or report.status is PaymentStatus.AUTHORIZED:
        report = gateway.cancel(payment, clock.now())
    return note_answer(report, actor, firm, books, clock)


def _is_over(payment: Payment, now: datetime) -> bool:
    expired = payment.authorized_until is not None and payment.authorized_until <= now
    return expired and payment.status is PaymentStatus.AUTHORIZED and payment.capture_minor is None
