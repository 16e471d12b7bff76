"""SQS: the gateway's verified events, one ledger operation each.

A message that fails is left on the queue and comes again; after five times it rests in the dead-letter
queue, where an operator sees it (an alarm says so) and sends it back with `make redrive`.
"""

import json
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.stripe.events import report_of
from remit.adapters.stripe.refunds import is_of_refund, refund_report_of
from remit.domain.actor import Actor, Channel
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.usecases.apply_gateway_report import apply_gateway_report
from remit.usecases.apply_refund_report import apply_refund_report
from remit.usecases.idempotency import Request
from remit.usecases.ports import PaymentName

logger = Logger()
books = DynamoBooks()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def _present(payment: Payment) -> dict[str, str]:
    return {"payment_id": payment.id, "status": str(payment.status)}


def process(record: SQSRecord) -> None:
    """Apply one event; an exception leaves it on the queue."""
    event = json.loads(record.body)
    if is_of_refund(event):
        process_refund(event)
        return
    report = report_of(event)
    if report is None:
        return
    request = Request(Actor("stripe", Channel.GATEWAY), "event", event["id"], event["type"], _present, lifetime=None)
    try:
        answer = apply_gateway_report(report, request, current_firm(books), books, deployed_clock())
    except Exception:
        logger.exception("event not applied", extra={"event_id": event["id"], "event_type": event["type"]})
        raise
    logger.info("event applied", extra={"event_id": event["id"], "replayed": answer.replayed, **answer.body})


def process_refund(event: dict[str, Any]) -> None:
    """Apply one event of a refund."""
    report = refund_report_of(event, _payment_of)
    if report is None:
        return
    request = Request(Actor("stripe", Channel.GATEWAY), "event", event["id"], event["type"], _present_refund, lifetime=None)
    try:
        answer = apply_refund_report(report, request, current_firm(books), books, deployed_clock())
    except Exception:
        logger.exception("event not applied", extra={"event_id": event["id"], "event_type": event["type"]})
        raise
    logger.info("event applied", extra={"event_id": event["id"], "replayed": answer.replayed, **answer.body})


def _present_refund(refund: Refund) -> dict[str, str]:
    return {"refund_id": refund.id, "status": str(refund.status)}


def _payment_of(intent: str) -> PaymentName | None:
    """Ask the gateway: few events need it, and the others do without its SDK."""
    from remit.adapters.stripe.gateway import stripe_gateway

    return stripe_gateway(os.environ["GATEWAY_API_BASE"]).payment_of(intent)


def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event, record_handler=process, processor=processor, context=context)
