"""Take the money of an authorisation, wholly or partly; the rest is released (P7)."""

from remit.domain.errors import RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases.apply_gateway_report import note_answer
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.payment_attempts import LOOK_UP_AFTER
from remit.usecases.ports import Books, Changes, Clock, PaymentGateway, payment_ref
from remit.usecases.resolve_outcome import ask_about, capture_given_up


def capture_payment(
    account_id: str,
    payment_id: str,
    amount_minor: int | None,
    request: Request[Payment],
    firm: Firm,
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
) -> tuple[Payment, Answer]:
    """Capture `amount_minor` (None: all) and answer with the payment as it then stands.

    What is to be captured is stored before the gateway is called. When the answer is lost the payment stays authorised, with
    `capture_minor`, and the agenda asks for the outcome. `RuleError`: `payment_not_authorized`,
    `capture_exceeds_authorized`, `capture_under_way`, and the gateway's own refusal, such as of an expired authorisation.
    """
    now = clock.now()
    ref = payment_ref(account_id, payment_id)

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        wanted = need(books.load(ref), ref).capture(amount_minor, now + LOOK_UP_AFTER)
        return [wanted], wanted

    answer = once(books, request, now, decide)
    payment = need(books.load(ref), ref)
    if payment.status is PaymentStatus.AUTHORIZED and payment.capture_minor is not None:
        try:
            payment = note_answer(gateway.capture(payment, now), request.actor, firm, books, clock)
        except TransientError:
            return payment, answer
        except RuleError:
            capture_given_up(payment, books)
            ask_about(need(books.load(ref), ref), firm, books, gateway, clock)  # it may have expired or been released
            raise
    return payment, answer
