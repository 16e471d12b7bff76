"""Hand a refund to the gateway when its time has come (R6, R7)."""

from datetime import timedelta

from remit.domain.actor import Actor, Channel
from remit.domain.errors import ConflictError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.payments import Payment
from remit.domain.refunds import Refund, RefundReport, RefundStatus
from remit.usecases.apply_refund_report import apply_refund_report
from remit.usecases.idempotency import Request
from remit.usecases.loading import need
from remit.usecases.ports import Books, Clock, PaymentGateway, payment_ref, refund_ref

ASK_AGAIN = timedelta(minutes=10)
"""When to ask about a refund whose outcome is unknown."""

LOOK_AGAIN = timedelta(days=1)
"""When to ask about one that the gateway has and does not tell of: its event may have been lost."""

REFUNDS = Actor("refunds", Channel.SCHEDULE)


def submit_refund(account_id: str, refund_id: str, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock) -> Refund:
    """Give the refund to the processor, or ask again what became of it; the refund as it is then.

    It is stored as pending before the gateway is called, and its id is the gateway's idempotency key: whatever crashes in
    between, the agenda finds it again, and asking again never refunds twice. One that is not due, or no longer on hold,
    is left alone, so calling this twice is harmless. A refused one has failed, and what it had reserved is back.
    """
    now = clock.now()
    refund = need(books.load(refund_ref(account_id, refund_id)), refund_ref(account_id, refund_id))
    is_due = refund.submit_at is not None and refund.submit_at <= now
    if not is_due or refund.status not in (RefundStatus.ON_HOLD, RefundStatus.PENDING) or refund.payment_id is None:
        return refund
    asked_before = refund.status is RefundStatus.PENDING
    try:
        books.commit([refund.submit(now + (LOOK_AGAIN if refund.gateway_id else ASK_AGAIN))])
    except ConflictError:  # canceled, or somebody else submits it: the agenda tells when it is still due
        return need(books.load(refund_ref(account_id, refund_id)), refund_ref(account_id, refund_id))
    payment = need(books.load(payment_ref(account_id, refund.payment_id)), payment_ref(account_id, refund.payment_id))
    try:
        report = gateway.refund(refund, payment, asked_before=asked_before)
    except TransientError:
        return need(books.load(refund_ref(account_id, refund_id)), refund_ref(account_id, refund_id))
    except RuleError as refusal:
        report = _refused(refund, payment, refusal, clock)
    value = f"{report.gateway_id or refund.id}.{report.status}.{int(report.occurred_at.timestamp())}"
    request: Request[Refund] = Request(REFUNDS, "refund", value, refund.id, lambda done: {"id": done.id})
    apply_refund_report(report, request, firm, books, clock)
    return need(books.load(refund_ref(account_id, refund_id)), refund_ref(account_id, refund_id))


def _refused(refund: Refund, payment: Payment, refusal: RuleError, clock: Clock) -> RefundReport:
    return RefundReport(
        refund_id=refund.id,
        account_id=refund.account_id,
        payment_id=payment.id,
        status=RefundStatus.FAILED,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        occurred_at=clock.now(),
        gateway_id=None,
        failure=refusal.code,
    )
