"""HTTP: refunds, their approval and cancellation, and canceling a purchase."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, Cursor, InvoiceId, Limit, PaymentId
from remit.adapters.ids import UlidIds
from remit.contract.common import Id
from remit.contract.credits import ReversalBody
from remit.contract.invoices import InvoiceView
from remit.contract.refunds import (
    ApproveRefundBody,
    CancellationView,
    CancelPurchaseBody,
    CancelRefundBody,
    RefundCreditBody,
    RefundPaymentBody,
    RefundsPage,
    RefundView,
)
from remit.domain.refunds import Refund, RefundStatus
from remit.usecases.approve_refund import approve_refund
from remit.usecases.cancel_purchase import Cancellation, cancel_purchase
from remit.usecases.cancel_refund import cancel_refund
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import need, need_account
from remit.usecases.paging import newest_matching
from remit.usecases.ports import account_ref, refund_ref
from remit.usecases.refund_credit import refund_credit
from remit.usecases.refund_payment import refund_payment
from remit.usecases.reverse import reverse_refund

api = Api("Refunds")
books = DynamoBooks()
journal = DynamoJournal()

RefundId = Annotated[Id, Path()]


def present(refund: Refund) -> Any:
    return RefundView.of(refund).model_dump(mode="json")


def present_cancellation(done: Cancellation) -> Any:
    return CancellationView.of(done).model_dump(mode="json")


@api.app.post(
    "/accounts/<account_id>/payments/<payment_id>/refunds",
    summary="Refund a receipt",
    description="What is unapplied of it goes first; then what it had paid is open again. A card payment goes to its card.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The refund"),
)
def refund_receipt(
    account_id: AccountId,
    payment_id: PaymentId,
    body: Annotated[RefundPaymentBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[RefundView]:
    clock = deployed_clock()
    request, firm = api.request(idempotency_key, present), current_firm(books)
    return api.created(refund_payment(body.to_wish(account_id, payment_id), request, firm, books, clock, UlidIds(clock)))


@api.app.post(
    "/accounts/<account_id>/refunds",
    summary="Refund available credit",
    description="By hand, up to what the balance is below zero; never to a card.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The refund"),
)
def refund_available_credit(
    account_id: AccountId, body: Annotated[RefundCreditBody, Body()], idempotency_key: IdempotencyKey
) -> Response[RefundView]:
    clock = deployed_clock()
    request, firm = api.request(idempotency_key, present), current_firm(books)
    return api.created(refund_credit(body.to_wish(account_id), request, firm, books, clock, UlidIds(clock)))


@api.app.get("/accounts/<account_id>/refunds", summary="List refunds", tags=[api.tag], responses=responses(200, "Newest first"))
def index(
    account_id: AccountId,
    status: Annotated[RefundStatus | None, Query()] = None,
    payment_id: Annotated[Id | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RefundsPage:
    def wanted(refund: Refund) -> bool:
        return status in (None, refund.status) and payment_id in (None, refund.payment_id)

    need_account(books.load(account_ref(account_id)), account_id)
    found, more = newest_matching(journal, Refund, account_id, wanted, cursor, limit)
    return RefundsPage(refunds=[RefundView.of(refund) for refund in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/refunds/<refund_id>", summary="Read a refund", tags=[api.tag], responses=responses(200, "The refund")
)
def read(account_id: AccountId, refund_id: RefundId) -> RefundView:
    ref = refund_ref(account_id, refund_id)
    return RefundView.of(need(books.load(ref), ref))


@api.app.post(
    "/accounts/<account_id>/refunds/<refund_id>/approval",
    summary="Approve a refund above the firm's limit",
    description="By somebody else than who asked for it. Rejecting it is canceling it.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The refund as it is now"),
)
def approve(
    account_id: AccountId, refund_id: RefundId, body: Annotated[ApproveRefundBody, Body()], idempotency_key: IdempotencyKey
) -> Response[RefundView]:
    request = api.request(idempotency_key, present)
    return api.created(approve_refund(account_id, refund_id, request, current_firm(books), books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/refunds/<refund_id>/cancellation",
    summary="Cancel a refund",
    description="While it waits for approval, or on its day in the gateway's time zone while it is on hold.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The refund as it is now"),
)
def cancel(
    account_id: AccountId, refund_id: RefundId, body: Annotated[CancelRefundBody, Body()], idempotency_key: IdempotencyKey
) -> Response[RefundView]:
    request, firm = api.request(idempotency_key, present), current_firm(books)
    return api.created(cancel_refund(account_id, refund_id, body.reason, request, firm, books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/refunds/<refund_id>/reversal",
    summary="Ask a processed refund back by an invoice",
    description="The credit that it had consumed is there again. The invoice asks for money: credit does not pay it.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice"),
)
def reverse(
    account_id: AccountId, refund_id: RefundId, body: Annotated[ReversalBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    clock, firm = deployed_clock(), current_firm(books)

    def present_invoice(issued: IssuedInvoice) -> Any:
        return InvoiceView.of(issued, firm.today(clock.now())).model_dump(mode="json")

    request = api.request(idempotency_key, present_invoice)
    return api.created(reverse_refund(account_id, refund_id, body.note, request, firm, books, clock))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/cancellation",
    summary="Cancel a purchase or part of it",
    description="A credit note, and with it no refund, an amount, or exactly the credit; or the credit pays a new purchase.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The credit note and what came of it"),
)
def cancel_invoiced(
    account_id: AccountId,
    invoice_id: InvoiceId,
    body: Annotated[CancelPurchaseBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[CancellationView]:
    clock = deployed_clock()
    request, firm = api.request(idempotency_key, present_cancellation), current_firm(books)
    return api.created(cancel_purchase(body.to_wish(account_id, invoice_id), request, firm, books, clock, UlidIds(clock)))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
