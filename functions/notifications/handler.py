"""Event bus → e-mail: new invoices and receipts, once each (D2).

The bus delivers at least once and retries what fails; what it gives up on rests in the dead-letter queue.
"""

from typing import Any

from aws_lambda_powertools import Logger

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.ses import deployed_mailer
from remit.adapters.links import payment_links
from remit.usecases.notify import send_invoice, send_receipt

logger = Logger()
books = DynamoBooks()


def handler(event: dict[str, Any], context: Any) -> None:
    """Tell the customer of one event; events that nobody is told of are not subscribed to."""
    detail = event["detail"]
    firm = fresh_firm(books)
    letters = JinjaLetters(payment_links())
    mailer = deployed_mailer(firm)
    account_id, clock = detail["account_id"], deployed_clock()
    if event["detail-type"] == "InvoiceIssued":
        message = send_invoice(account_id, detail["documents"]["invoice"][0], firm, books, letters, mailer, clock)
    elif event["detail-type"] == "PaymentReceived":
        message = send_receipt(account_id, detail["documents"]["payment"][0], firm, books, letters, mailer, clock)
    else:
        raise ValueError(f"nobody is told of {event['detail-type']}")
    logger.info("notified", extra={"event_id": detail["id"], "message_id": message.id if message else None})
