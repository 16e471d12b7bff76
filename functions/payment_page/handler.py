"""HTTP: the page behind the link in an e-mail. GET shows the invoice and changes nothing; POST starts the payment.

The signed token is the only credential: it opens one invoice of one account until it expires.
"""

import os
from typing import Any

import pages
from aws_lambda_powertools import Logger

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.ids import UlidIds
from remit.adapters.links import payment_links
from remit.adapters.payment_links import PaymentLink
from remit.adapters.stripe.gateway import stripe_gateway
from remit.domain.actor import Actor, Channel
from remit.domain.errors import ForbiddenError, RuleError, TransientError
from remit.domain.firm import Firm
from remit.domain.open_items import InvoiceStatus
from remit.domain.payments import Payment
from remit.usecases.idempotency import Request
from remit.usecases.loading import need
from remit.usecases.payment_attempts import Pick
from remit.usecases.ports import invoice_ref, open_item_ref
from remit.usecases.start_checkout import CheckoutWish, start_checkout

logger = Logger()
books = DynamoBooks()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer in HTML whatever happens: who follows a link is a person."""
    logger.set_correlation_id(event["requestContext"]["requestId"])
    base_url = f"https://{event['requestContext']['domainName']}"
    firm: Firm | None = None
    try:
        link = payment_links(base_url).open(event["pathParameters"]["token"], deployed_clock().now())
        firm = current_firm(books)
        if event["requestContext"]["http"]["method"] == "POST":
            return _pay(link, base_url, firm)
        return _show(link, firm, returned="returned" in (event.get("queryStringParameters") or {}))
    except ForbiddenError as refusal:
        expired = refusal.code == "payment_link_expired"
        return _html(pages.link_expired_page(firm) if expired else pages.link_invalid_page(firm))
    except TransientError:
        logger.exception("payment page unavailable")
        return _html(pages.unavailable_page(firm))
    except Exception:
        logger.exception("payment page failed")
        return _html(pages.unavailable_page(firm))


def _show(link: PaymentLink, firm: Firm, *, returned: bool) -> dict[str, Any]:
    invoice, item = invoice_ref(link.account_id, link.invoice_id), open_item_ref(link.account_id, link.invoice_id)
    loaded = books.load(invoice, item)
    found = need(loaded, item)
    view = pages.invoice_view(firm, need(loaded, invoice), found, firm.today(deployed_clock().now()))
    if found.status is InvoiceStatus.PAID:
        return _html(pages.paid_page(view))
    if found.status in (InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE):
        return _html(pages.closed_page(view))
    return _html(pages.processing_page(view) if returned else pages.invoice_page(view, os.environ["CHECKOUT_ORIGIN"]))


def _pay(link: PaymentLink, base_url: str, firm: Firm) -> dict[str, Any]:
    """Redirect to the gateway's page, or show why there is nothing to pay there."""
    clock = deployed_clock()
    ids = UlidIds(clock)
    actor = Actor(link.account_id, Channel.PAYMENT_PAGE)
    request: Request[Payment] = Request(actor, "payment_page", ids.new("req"), "", lambda payment: {"id": payment.id})

    def return_url(payment: Payment) -> str:
        return payment_links(base_url).link(link.account_id, link.invoice_id, payment.created_at)

    gateway = stripe_gateway(os.environ["GATEWAY_API_BASE"])
    try:
        wish = CheckoutWish(link.account_id, [Pick(link.invoice_id)])
        payment, _ = start_checkout(wish, request, return_url, firm, books, gateway, clock, ids)
    except RuleError as refusal:
        logger.info("checkout refused", extra={"code": refusal.code})
        return _show(link, firm, returned=refusal.code == "payment_under_way")
    return {"statusCode": 303, "headers": {"Location": payment.checkout_url or "", "Cache-Control": "no-store"}, "body": ""}


def _html(page: pages.Page) -> dict[str, Any]:
    return {"statusCode": page.status, "headers": page.headers, "body": page.html}
