"""DynamoDB stream → event bus: what was written becomes known, with no second write that could be lost.

Every journal entry becomes an event named after its operation. A payment that turns to failed becomes `PaymentFailed`, and so
does an automatic collection whose debit comes back; an expiry that an account was noted to be told of becomes `CardExpiring`.
Delivery is at least once; the `id` in the detail is the same each time. Events carry ids and amounts, no names and no free text.
"""

import base64
import json
import os
from itertools import batched
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from boto3.dynamodb.types import TypeDeserializer

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.deflate import inflate
from remit.adapters.dynamodb.entry_facts import unpack
from remit.domain.collection import PAYER_MUST_ACT
from remit.domain.errors import TransientError

SOURCE = "remit"
BATCH = 10  # the most that PutEvents takes at once

logger = Logger()
events = boto3.client("events")
_plain = TypeDeserializer().deserialize


def handler(event: dict[str, Any], context: Any) -> None:
    """Publish in order. Raises what the bus does not take: the stream then delivers the batch again, in halves,
    so that at last only a bad record is given up on, and what was published twice has the same `id`."""
    pending: list[Any] = [entry for record in event["Records"] if (entry := event_of(record))]
    for batch in batched(pending, BATCH, strict=False):
        answer = events.put_events(Entries=list(batch))
        if answer["FailedEntryCount"]:
            codes = sorted({result["ErrorCode"] for result in answer["Entries"] if result.get("ErrorCode")})
            raise TransientError("bus_refused", f"The event bus refused {answer['FailedEntryCount']} events: {codes}.")
    logger.info("events published", extra={"count": len(pending)})


def event_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """The bus entry for a stream record, or None if nothing happened that others need to know."""
    image = record["dynamodb"].get("NewImage")
    if image is None:
        return None
    item = {name: _plain(image[name]) for name in ("PK", "type", "currency", "body", "sequence") if name in image}
    account_id = keys.account_id_of(item["PK"])
    if item["type"] == "entry" and record["eventName"] == "INSERT":
        return _entry_event(account_id, item)
    if item["type"] == "payment":
        return _payment_event(account_id, image, record["dynamodb"].get("OldImage"))
    if item["type"] == "account":
        return _card_event(account_id, image, record["dynamodb"].get("OldImage"))
    return None


def _entry_event(account_id: str, item: dict[str, Any]) -> dict[str, Any]:
    facts = unpack(json.loads(item["body"]))
    sequence = int(item["sequence"])
    detail = {
        "id": f"{account_id}.{item['currency']}.{sequence}",
        "account_id": account_id,
        "currency": item["currency"],
        "sequence": sequence,
        "effective_on": facts["effective_on"],
        "recorded_at": facts["recorded_at"],
        "documents": facts["documents"],
        "order_id": facts["order_id"],
        "postings": facts["postings"],
    }
    return _entry("".join(word.capitalize() for word in facts["kind"].split("_")), detail)


def _payment_event(account_id: str, image: dict[str, Any], old_image: dict[str, Any] | None) -> dict[str, Any] | None:
    """`attempt` is its number among the automatic attempts for one due date, None for a payment that somebody made;
    `next_attempt_on` when it is tried again by itself; `payer_must_act` what stands in the way of that."""
    payment = _payment_facts(image)
    before = _payment_facts(old_image) if old_image else None
    if not _has_failed(payment) or (before and _has_failed(before)):
        return None
    collected = payment.get("collected") or {}
    detail = {
        "id": f"{payment['id']}.failed",
        "account_id": account_id,
        "payment_id": payment["id"],
        "currency": payment["currency"],
        "amount_minor": payment["amount_minor"],
        "invoice_ids": [share["invoice_id"] for share in payment.get("intended", ())],
        "attempt": collected.get("number"),
        "next_attempt_on": collected.get("retry_on"),
        "payer_must_act": collected.get("failed_as") if collected.get("failed_as") in PAYER_MUST_ACT else None,
    }
    return _entry("PaymentFailed", detail)


def _has_failed(payment: dict[str, Any]) -> bool:
    """An attempt of ours says so itself, also when it is a debit that came back after it had brought the money."""
    return payment["status"] == "failed" or "failed_as" in payment.get("collected", {})


def _payment_facts(image: dict[str, Any]) -> dict[str, Any]:
    """What a payment keeps deflated, in two streams; Lambda hands binary values over in base64."""
    facts: dict[str, Any] = {}
    for stream in ("deflated", "content"):
        if stream in image:
            facts |= json.loads(inflate(base64.b64decode(image[stream]["B"])))
    return facts


def _card_event(account_id: str, image: dict[str, Any], old_image: dict[str, Any] | None) -> dict[str, Any] | None:
    """The card whose expiry the account was just noted to be told of."""
    known = _expiries_told(old_image) if old_image else set()
    told = next(iter(_expiries_told(image) - known), None)
    if told is None:
        return None
    method_id, expires = told
    detail = {
        "id": f"{account_id}.{method_id}.{expires}",
        "account_id": account_id,
        "method_id": method_id,
        "expires": expires,
    }
    return _entry("CardExpiring", detail)


def _expiries_told(image: dict[str, Any]) -> set[tuple[str, str]]:
    account = json.loads(_plain(image["body"]))
    methods = account.get("payment", {}).get("saved_methods", ())
    return {(saved["id"], saved["expiry_told"]) for saved in methods if saved.get("expiry_told")}


def _entry(detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "Source": SOURCE,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "EventBusName": os.environ["BUS_NAME"],
    }
