"""HTTP: payments received by hand, their allocation, and checkout at the gateway."""

import os
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.ids import UlidIds
from remit.adapters.links import payment_links
from remit.adapters.stripe.gateway import stripe_gateway
from remit.contract.common import Id
from remit.contract.payments import (
    AllocateBody,
    CheckoutBody,
    CheckoutView,
    NewPaymentBody,
    PaymentsPage,
    PaymentView,
)
from remit.domain.payments import Payment
from remit.usecases.allocate_payment import allocate_payment
from remit.usecases.loading import need, need_account
from remit.usecases.ports import account_ref, payment_ref
from remit.usecases.receive_payment import receive_payment
from remit.usecases.start_checkout import start_checkout

api = Api("Payments")
books = DynamoBooks()
journal = DynamoJournal()

AccountId = Annotated[Id, Path()]
PaymentId = Annotated[Id, Path()]


def present(payment: Payment) -> Any:
    return PaymentView.of(payment).model_dump(mode="json")


@api.app.post(
    "/accounts/<account_id>/payments",
    summary="Record a payment received",
    description="With its value date. What is not allocated stays the account's credit.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment"),
)
def create(
    account_id: AccountId, body: Annotated[NewPaymentBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, present)
    received = body.to_domain(account_id)
    return api.created(receive_payment(received, request, current_firm(books), books, journal, clock, UlidIds(clock)))


@api.app.get("/accounts/<account_id>/payments", summary="List payments", tags=[api.tag], responses=responses(200, "Newest first"))
def index(
    account_id: AccountId,
    cursor: Annotated[str | None, Query(max_length=60, pattern=r"^[a-z0-9_]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> PaymentsPage:
    need_account(books.load(account_ref(account_id)), account_id)
    found, more = journal.newest(Payment, account_id, cursor, limit)
    return PaymentsPage(payments=[PaymentView.of(payment) for payment in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/payments/<payment_id>",
    summary="Read a payment and all its transactions",
    tags=[api.tag],
    responses=responses(200, "The payment"),
)
def read(account_id: AccountId, payment_id: PaymentId) -> PaymentView:
    ref = payment_ref(account_id, payment_id)
    return PaymentView.of(need(books.load(ref), ref))


@api.app.post(
    "/accounts/<account_id>/payments/<payment_id>/allocations",
    summary="Allocate what a payment left unapplied",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment as it is now"),
)
def allocate(
    account_id: AccountId, payment_id: PaymentId, body: Annotated[AllocateBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    chosen = [allocation.to_domain() for allocation in body.allocations]
    request = api.request(idempotency_key, present)
    firm = current_firm(books)
    return api.created(allocate_payment(account_id, payment_id, body.currency, chosen, request, firm, books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/checkout",
    summary="Start a card payment on the gateway's page",
    description="For all that is open. While one is under way, everybody who asks is sent to the same page.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "Where to send the customer"),
)
def checkout(
    account_id: AccountId,
    invoice_id: Annotated[Id, Path()],
    body: Annotated[CheckoutBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[CheckoutView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, present)
    base_url = f"https://{api.app.current_event.request_context.domain_name}"

    def return_url(payment: Payment) -> str:
        return payment_links(base_url).link(account_id, invoice_id, payment.created_at)

    gateway = stripe_gateway(os.environ["GATEWAY_API_BASE"])
    payment, answer = start_checkout(account_id, invoice_id, request, return_url, books, gateway, clock, UlidIds(clock))
    view = CheckoutView(payment_id=payment.id, checkout_url=payment.checkout_url or "", expires_at=payment.expires_at)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return Response(201, "application/json", view, headers)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
