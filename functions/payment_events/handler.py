"""SQS: the gateway's verified events, one ledger operation each.

A message that fails is left on the queue and comes again; after five times it rests in the dead-letter
queue, where an operator sees it (an alarm says so) and sends it back with `make redrive`.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.stripe.events import DisputeReport, dispute_report_of, method_of, report_of
from remit.adapters.stripe.refunds import is_of_refund, refund_report_of
from remit.domain.actor import Actor, Channel
from remit.domain.payments import GatewayReport, Payment
from remit.domain.refunds import Refund
from remit.usecases.apply_gateway_report import apply_gateway_report
from remit.usecases.apply_refund_report import apply_refund_report
from remit.usecases.idempotency import Request
from remit.usecases.ports import PaymentGateway
from remit.usecases.saved_methods import MethodReport, save_method

ACTOR = Actor("stripe", Channel.GATEWAY)

logger = Logger()
books = DynamoBooks()
journal = DynamoJournal()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def gateway() -> PaymentGateway:
    """For the few events that do not tell all: most never need the SDK, which takes long to load."""
    from remit.adapters.stripe.gateway import stripe_gateway

    return stripe_gateway(os.environ["GATEWAY_API_BASE"])


def _present(payment: Payment) -> dict[str, str]:
    return {"payment_id": payment.id, "status": str(payment.status)}


def _apply(report: GatewayReport, event: dict[str, Any]) -> None:
    request = Request(ACTOR, "event", event["id"], event["type"], _present, lifetime=None)
    answer = apply_gateway_report(report, request, current_firm(books), books, deployed_clock())
    logger.info("event applied", extra={"event_id": event["id"], "replayed": answer.replayed, **answer.body})


def _apply_dispute(dispute: DisputeReport, event: dict[str, Any]) -> None:
    """A dispute names the gateway's payment, and that one names ours."""
    name = gateway().payment_of(dispute.intent_id)
    if name is None:
        logger.info("dispute of another system", extra={"event_id": event["id"]})
        return
    _apply(dispute.report(name), event)


def _save(report: MethodReport, event: dict[str, Any]) -> None:
    saved = save_method(report, ACTOR, current_firm(books), books, journal, gateway(), deployed_clock())
    logger.info("method saved", extra={"event_id": event["id"], "account_id": report.account_id, "kept": saved is not None})


def _refund_event(event: dict[str, Any]) -> dict[str, Any] | None:
    return event if is_of_refund(event) else None


def _apply_refund(event: dict[str, Any], _again: dict[str, Any]) -> None:
    """A refund names the gateway's payment, and that one names ours, unless it was made here."""
    report = refund_report_of(event, lambda intent: gateway().payment_of(intent))
    if report is None:
        return
    request = Request(ACTOR, "event", event["id"], event["type"], _present_refund, lifetime=None)
    answer = apply_refund_report(report, request, current_firm(books), books, deployed_clock())
    logger.info("event applied", extra={"event_id": event["id"], "replayed": answer.replayed, **answer.body})


def _present_refund(refund: Refund) -> dict[str, str]:
    return {"refund_id": refund.id, "status": str(refund.status)}


READERS: tuple[tuple[Callable[[dict[str, Any]], Any], Callable[[Any, dict[str, Any]], None]], ...] = (
    (method_of, _save),
    (dispute_report_of, _apply_dispute),
    (_refund_event, _apply_refund),
    (report_of, _apply),
)
"""How an event is read → what is done with what it says. One event may say several things; the guard comes last."""


def process(record: SQSRecord) -> None:
    """Apply one event; an exception leaves it on the queue."""
    event = json.loads(record.body)
    try:
        for read, apply in READERS:
            if (said := read(event)) is not None:
                apply(said, event)
    except Exception:
        logger.exception("event not applied", extra={"event_id": event["id"], "event_type": event["type"]})
        raise


def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event, record_handler=process, processor=processor, context=context)
