"""Tasks of statemachines/recurring_payments.asl.yaml: renew the subscriptions that are due, then collect the invoices that are.

The gateway's library is loaded by the task that needs it: renewing needs no gateway.
"""

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.ids import UlidIds
from remit.usecases.collect_invoice import collect_invoice
from remit.usecases.ports import AgendaKind
from remit.usecases.renew_subscription import renew_subscription

PAGE = 500  # things per map run: their ids stay far below the 256 KB that a state may hold

logger = Logger()
metrics = Metrics()
books = DynamoBooks()


def gateway() -> Any:
    from remit.adapters.stripe.gateway import stripe_gateway

    return stripe_gateway(os.environ["GATEWAY_API_BASE"])


def find_due_subscriptions(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"cursor"?} → {"items": [{"account_id", "id"}], "cursor"}: those with a period to bill, a page at a time."""
    return _page(AgendaKind.SUBSCRIPTION, deployed_clock().now().isoformat(), event)


@metrics.log_metrics
def renew(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"account_id", "id"} → what came of it, and whether more periods are due. Raises `TransientError` or `ConflictError` for
    what may be tried again."""
    clock = deployed_clock()
    renewed = renew_subscription(event["account_id"], event["id"], fresh_firm(books), books, clock, UlidIds(clock))
    refusal = renewed.refusal.code if renewed.refusal else None
    if renewed.invoices:
        metrics.add_metric("SubscriptionsRenewed", MetricUnit.Count, len(renewed.invoices))
    if refusal:
        metrics.add_metric("RenewalsRefused", MetricUnit.Count, 1)
    done = {"account_id": event["account_id"], "id": event["id"], "invoices": len(renewed.invoices), "refusal": refusal}
    logger.info("subscription looked at", extra=done)
    return done | {"more": renewed.more}


def find_due_collections(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"cursor"?} → {"items": [{"account_id", "id"}], "cursor"}: the invoices whose saved method is charged today or before."""
    today = fresh_firm(books).today(deployed_clock().now())
    return _page(AgendaKind.COLLECTION, today.isoformat(), event)


@metrics.log_metrics
def collect(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"account_id", "id"} → what came of it. Raises `TransientError` or `ConflictError` for what may be tried again."""
    clock = deployed_clock()
    collected = collect_invoice(event["account_id"], event["id"], fresh_firm(books), books, gateway(), clock, UlidIds(clock))
    if collected.payment is not None:
        metrics.add_metric("InvoicesCollected", MetricUnit.Count, 1)
    done = {"account_id": event["account_id"], "id": event["id"], "result": collected.result and str(collected.result)}
    logger.info("invoice looked at", extra=done)
    return done


def _page(kind: AgendaKind, until: str, event: dict[str, Any]) -> dict[str, Any]:
    due, cursor = DynamoAgenda().due(kind, until, event.get("cursor"), PAGE)
    logger.info("due", extra={"kind": kind, "count": len(due), "until": until})
    return {"items": [{"account_id": thing.account_id, "id": thing.id} for thing in due], "cursor": cursor}
