"""HTTP: the gateway's webhook. Verify, store, answer; the work is done by payment_events.

Nothing is believed before the signature of the raw bytes is checked (G2). A new event goes to a queue that
keeps it for two weeks whatever happens to the ledger (G4); one that was dealt with costs a single read.
"""

import base64
import json
import os
from http import HTTPStatus
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.http.problems import CONTENT_TYPE, internal_problem, problem
from remit.adapters.secrets import secrets
from remit.adapters.stripe.events import is_of_interest
from remit.adapters.stripe.refunds import is_of_refund
from remit.adapters.stripe.webhook import verify
from remit.domain.errors import ForbiddenError, InvalidError
from remit.usecases.ports import guard_ref

MAX_BYTES = 250_000

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
queue = boto3.client("sqs")


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer 200 for what is accepted, known or of no interest; anything else makes the gateway send it again."""
    correlation_id = event["requestContext"]["requestId"]
    logger.set_correlation_id(correlation_id)
    try:
        return _receive(event, correlation_id)
    except Exception:
        logger.exception("webhook failed")
        metrics.add_metric("WebhookFailures", MetricUnit.Count, 1)
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, internal_problem(correlation_id))


def _receive(event: dict[str, Any], correlation_id: str) -> dict[str, Any]:
    body = event.get("body") or ""
    payload = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if len(payload) > MAX_BYTES:
        return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "event_too_large", "No event is that large.", correlation_id)
    try:
        verify(
            payload,
            event["headers"].get("stripe-signature"),
            secrets("GATEWAY_SECRET_ARN", "webhook_secret", "webhook_secret_previous"),
        )
        message = json.loads(payload)
        wanted = is_of_interest(message) or is_of_refund(message)
    except ForbiddenError as forged:
        return _refuse(HTTPStatus.BAD_REQUEST, forged.code, forged.detail, correlation_id)
    except (InvalidError, ValueError, AttributeError, RecursionError):
        return _refuse(HTTPStatus.BAD_REQUEST, "unreadable_event", "The event cannot be read.", correlation_id)

    if not wanted:
        logger.info("event ignored", extra={"event_type": message.get("type")})
        return _answer(HTTPStatus.OK, {"status": "ignored"})
    guard = guard_ref("event", message["id"])
    if books.load(guard).get(guard):
        return _answer(HTTPStatus.OK, {"status": "known"})
    queue.send_message(QueueUrl=os.environ["GATEWAY_EVENTS_QUEUE_URL"], MessageBody=payload.decode())
    logger.info("event accepted", extra={"event_id": message["id"], "event_type": message["type"]})
    return _answer(HTTPStatus.OK, {"status": "accepted"})


def _refuse(status: HTTPStatus, code: str, detail: str, correlation_id: str) -> dict[str, Any]:
    logger.warning("webhook refused", extra={"code": code})
    metrics.add_metric("WebhooksRefused", MetricUnit.Count, 1)
    return _answer(status, problem(status, code, "Webhook refused", detail, correlation_id))


def _answer(status: HTTPStatus, body: dict[str, Any]) -> dict[str, Any]:
    content_type = "application/json" if status is HTTPStatus.OK else CONTENT_TYPE
    return {"statusCode": int(status), "headers": {"Content-Type": content_type}, "body": json.dumps(body)}
