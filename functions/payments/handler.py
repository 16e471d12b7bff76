"""HTTP: payments by hand and through the gateway, their allocation, and saved payment methods."""

import os
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, Cursor, InvoiceId, Limit, PaymentId
from remit.adapters.ids import UlidIds
from remit.adapters.links import payment_links
from remit.adapters.stripe.gateway import stripe_gateway
from remit.contract.payments import (
    AllocateBody,
    CaptureBody,
    ChargeBody,
    CheckoutBody,
    CheckoutView,
    ExpandedPaymentView,
    MethodId,
    NewPaymentBody,
    NoBody,
    PaymentMethodsView,
    PaymentReversalBody,
    PaymentsPage,
    PaymentView,
    ReallocationBody,
    SetupBody,
    SetupView,
    SeveralCheckoutBody,
)
from remit.domain.payments import Payment, PaymentState, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.allocate_payment import allocate_payment
from remit.usecases.cancel_payment import cancel_payment
from remit.usecases.capture_payment import capture_payment
from remit.usecases.charge_saved_method import charge_saved_method
from remit.usecases.find_payments import PaymentFilter, find_payments, invoices_of
from remit.usecases.idempotency import Answer
from remit.usecases.loading import need, need_account
from remit.usecases.ports import PaymentGateway, account_ref, payment_ref
from remit.usecases.reallocate_payment import reallocate_payment
from remit.usecases.receive_payment import receive_payment
from remit.usecases.reverse_payment import Reversal, reverse_payment
from remit.usecases.saved_methods import Setup, choose_default_method, forget_method, start_setup
from remit.usecases.start_checkout import CheckoutWish, start_checkout

api = Api("Payments")
books = DynamoBooks()
journal = DynamoJournal()

ChosenMethod = Annotated[MethodId, Path()]


def present(payment: Payment) -> Any:
    return PaymentView.of(payment).model_dump(mode="json")


def gateway() -> PaymentGateway:
    return stripe_gateway(os.environ["GATEWAY_API_BASE"])


def as_it_stands(payment: Payment, answer: Answer) -> Response[PaymentView]:
    """The payment after the gateway was asked, which a repeat sees as it is by then."""
    return api.created(Answer(present(payment), answer.replayed))


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


@api.app.get(
    "/accounts/<account_id>/payments",
    summary="List payments",
    description="A page may be short while there is more: go on until `cursor` is null.",
    tags=[api.tag],
    responses=responses(200, "Newest first"),
)
def index(
    account_id: AccountId,
    status: Annotated[PaymentStatus | None, Query()] = None,
    state: Annotated[PaymentState | None, Query(description="Sums the status up")] = None,
    method: Annotated[Method | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PaymentsPage:
    found, more = find_payments(account_id, PaymentFilter(status, state, method), cursor, limit, books, journal)
    return PaymentsPage(payments=[PaymentView.of(payment) for payment in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/payments/<payment_id>",
    summary="Read a payment and all its transactions",
    tags=[api.tag],
    responses=responses(200, "The payment"),
)
def read(
    account_id: AccountId, payment_id: PaymentId, expand: Annotated[Literal["invoices"] | None, Query()] = None
) -> ExpandedPaymentView:
    ref = payment_ref(account_id, payment_id)
    payment = need(books.load(ref), ref)
    return ExpandedPaymentView.expanded(payment, invoices_of(payment, books) if expand else None)


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
    "/accounts/<account_id>/payments/<payment_id>/reallocations",
    summary="Move what a payment has paid to other invoices",
    description="One write: entries that reverse the allocations taken back, and one that allocates anew.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment as it is now"),
)
def reallocate(
    account_id: AccountId, payment_id: PaymentId, body: Annotated[ReallocationBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    wish = body.to_wish(account_id, payment_id)
    request = api.request(idempotency_key, present)
    return api.created(reallocate_payment(wish, request, current_firm(books), books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/payments/<payment_id>/reversal",
    summary="Revert a payment that came to nothing",
    description="A bounced check, a transfer called back: what it had paid is open again.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment as it is now"),
)
def reverse(
    account_id: AccountId, payment_id: PaymentId, body: Annotated[PaymentReversalBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    wish = Reversal(account_id, payment_id, body.on, body.reason)
    request = api.request(idempotency_key, present)
    return api.created(reverse_payment(wish, request, current_firm(books), books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/payments/<payment_id>/captures",
    summary="Capture an authorisation, wholly or partly",
    description="What is not captured is released. When the gateway's answer is lost, `look_up_at` says when it is asked for.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment as it is now"),
)
def capture(
    account_id: AccountId, payment_id: PaymentId, body: Annotated[CaptureBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    request = api.request(idempotency_key, present)
    firm, clock = current_firm(books), deployed_clock()
    return as_it_stands(*capture_payment(account_id, payment_id, body.amount_minor, request, firm, books, gateway(), clock))


@api.app.post(
    "/accounts/<account_id>/payments/<payment_id>/cancellation",
    summary="End a payment that has not brought money",
    description="Releases an authorisation, closes a payment page, or calls a debit back.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment as it is now"),
)
def cancel(
    account_id: AccountId, payment_id: PaymentId, body: Annotated[NoBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    request = api.request(idempotency_key, present)
    firm, clock = current_firm(books), deployed_clock()
    return as_it_stands(*cancel_payment(account_id, payment_id, request, firm, books, gateway(), clock))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/charges",
    summary="Charge a saved method now",
    description="Answers with the payment as it stands: `succeeded`, `processing`, `authorized`, `failed`, or `pending` when "
    "the gateway's answer was lost; then nothing else is charged for the invoice until the outcome is known.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The payment"),
)
def charge(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[ChargeBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PaymentView]:
    wish = body.to_wish(account_id, invoice_id)
    request = api.request(idempotency_key, present)
    firm, clock = current_firm(books), deployed_clock()
    return as_it_stands(*charge_saved_method(wish, request, firm, books, gateway(), clock, UlidIds(clock)))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/checkout",
    summary="Start a card payment on the gateway's page",
    description="For what settles the invoice today. While one is under way, everybody who asks is sent to the same page.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "Where to send the customer"),
)
def checkout(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[CheckoutBody, Body()], idempotency_key: IdempotencyKey
) -> Response[CheckoutView]:
    return _checkout(body.to_wish(account_id, invoice_id), idempotency_key)


@api.app.post(
    "/accounts/<account_id>/checkout",
    summary="Start a card payment of several invoices",
    description="The customer comes back to the page of the first one.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "Where to send the customer"),
)
def checkout_several(
    account_id: AccountId, body: Annotated[SeveralCheckoutBody, Body()], idempotency_key: IdempotencyKey
) -> Response[CheckoutView]:
    return _checkout(body.to_wish(account_id), idempotency_key)


def _checkout(wish: CheckoutWish, idempotency_key: str) -> Response[CheckoutView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, present)
    base_url = f"https://{api.app.current_event.request_context.domain_name}"

    def return_url(payment: Payment) -> str:
        return payment_links(base_url).link(wish.account_id, wish.picks[0].invoice_id, payment.created_at)

    payment, answer = start_checkout(wish, request, return_url, current_firm(books), books, gateway(), clock, UlidIds(clock))
    view = CheckoutView(payment_id=payment.id, checkout_url=payment.checkout_url or "", expires_at=payment.expires_at)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return Response(201, "application/json", view, headers)


@api.app.get(
    "/accounts/<account_id>/payment-methods",
    summary="List saved payment methods",
    tags=[api.tag],
    responses=responses(200, "How the account pays"),
)
def methods(account_id: AccountId) -> PaymentMethodsView:
    return PaymentMethodsView.of(need_account(books.load(account_ref(account_id)), account_id))


@api.app.post(
    "/accounts/<account_id>/payment-methods/setup",
    summary="Start saving a payment method on the gateway's page",
    description="The method is saved when the gateway says so, a moment after the customer came back.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "Where to send the customer"),
)
def setup(account_id: AccountId, body: Annotated[SetupBody, Body()], idempotency_key: IdempotencyKey) -> Response[SetupView]:
    clock = deployed_clock()

    def started(setup: Setup) -> Any:
        return {"id": setup.id}

    request = api.request(idempotency_key, started)
    page, answer = start_setup(account_id, body.return_url, request, books, gateway(), clock, UlidIds(clock))
    view = SetupView(setup_url=page.url, expires_at=page.expires_at)
    return api.created(Answer(view.model_dump(mode="json"), answer.replayed))


@api.app.put(
    "/accounts/<account_id>/payment-methods/<method_id>/default",
    summary="Choose the default payment method",
    tags=[api.tag],
    responses=responses(200, "How the account pays"),
)
def make_default(account_id: AccountId, method_id: ChosenMethod) -> PaymentMethodsView:
    firm, clock = current_firm(books), deployed_clock()
    return PaymentMethodsView.of(choose_default_method(account_id, method_id, api.actor, firm, books, journal, clock))


@api.app.delete(
    "/accounts/<account_id>/payment-methods/<method_id>",
    summary="Give a saved payment method up",
    description="At the gateway too: nobody can charge it any more.",
    tags=[api.tag],
    responses=responses(200, "How the account pays"),
)
def forget(account_id: AccountId, method_id: ChosenMethod) -> PaymentMethodsView:
    firm, clock = current_firm(books), deployed_clock()
    return PaymentMethodsView.of(forget_method(account_id, method_id, api.actor, firm, books, journal, gateway(), clock))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
