"""Event bus → e-mail: what happened to a customer's account, once each (D2, N3).

The bus delivers at least once and retries what fails; what it gives up on rests in the dead-letter queue.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from aws_lambda_powertools import Logger

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.ses import deployed_mailer
from remit.adapters.links import payment_links
from remit.domain.messages import Message
from remit.usecases import notify
from remit.usecases.ports import RetryPlan

logger = Logger()
books = DynamoBooks()

type Detail = Mapping[str, Any]
type Tell = Callable[..., Message | None]


def _document(detail: Detail, role: str) -> str:
    return str(detail["documents"][role][0])


def _recorded(detail: Detail) -> datetime:
    return datetime.fromisoformat(detail["recorded_at"])


def _plan(detail: Detail) -> RetryPlan:
    next_on = detail.get("next_attempt_on")
    return RetryPlan(date.fromisoformat(next_on) if next_on else None, bool(detail.get("payer_must_act")))


TOLD: Mapping[str, tuple[Tell, Callable[[Detail], tuple[Any, ...]]]] = {
    "InvoiceIssued": (notify.send_invoice, lambda detail: (_document(detail, "invoice"),)),
    "PaymentReceived": (notify.send_receipt, lambda detail: (_document(detail, "payment"),)),
    "WalletToppedUp": (notify.send_receipt, lambda detail: (_document(detail, "payment"),)),
    "PaymentFailed": (notify.send_payment_failed, lambda detail: (detail["payment_id"], _plan(detail))),
    "PaymentReverted": (notify.send_payment_failed, lambda detail: (_document(detail, "payment"), RetryPlan())),
    "CardExpiring": (notify.send_card_expiring, lambda detail: (detail["method_id"], detail["expires"])),
    "RefundSucceeded": (notify.send_refund_made, lambda detail: (_document(detail, "refund"), _recorded(detail))),
    "CreditIssued": (notify.send_credit_issued, lambda detail: (_document(detail, "credit"), _recorded(detail))),
    "CreditNoteIssued": (notify.send_credit_note, lambda detail: (_document(detail, "credit_note"), _recorded(detail))),
}
"""Event → who tells of it, and what of the event they need to know beside the account."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Tell the customer of one event; events that nobody is told of are not subscribed to."""
    if event["detail-type"] not in TOLD:
        raise ValueError(f"nobody is told of {event['detail-type']}")
    tell, facts = TOLD[event["detail-type"]]
    detail = event["detail"]
    firm = fresh_firm(books)
    letters = JinjaLetters(payment_links(), books)
    message = tell(detail["account_id"], *facts(detail), firm, books, letters, deployed_mailer(firm), deployed_clock())
    logger.info("notified", extra={"event_id": detail["id"], "message_id": message.id if message else None})
