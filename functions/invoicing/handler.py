"""HTTP: quotes, orders, invoices and their numbers."""

from dataclasses import replace
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, Cursor, InvoiceId, Limit
from remit.adapters.ids import UlidIds
from remit.contract.common import Currency, Day, Id, SubscriptionId
from remit.contract.invoices import (
    CancelOrderBody,
    DeliveryBody,
    InvoiceBatchBody,
    InvoiceBatchView,
    InvoiceView,
    LateChargeBody,
    LateChargePreview,
    NewInvoiceBody,
    NumberSeriesView,
    OpenItemsPage,
    OpenItemView,
    OrderBody,
    OrdersPage,
    OrderView,
    PostponementBody,
    QuoteBody,
    QuoteView,
    ReasonBody,
    RevisedOrderBody,
    TimelineView,
)
from remit.domain.firm import Firm
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import OrderKind, OrderStatus
from remit.usecases.cancel_order import cancel_order
from remit.usecases.charge_late import charge_late_by_hand, preview_late_charge
from remit.usecases.find_invoices import InvoiceFilter, Show, find_invoices, preview_invoice, read_invoice
from remit.usecases.find_orders import find_orders, read_order, standing
from remit.usecases.idempotency import Request
from remit.usecases.invoice_timeline import invoice_timeline
from remit.usecases.issue_batch import issue_batch
from remit.usecases.issue_invoice import IssuedInvoice, issue_invoice
from remit.usecases.loading import need, need_account
from remit.usecases.place_order import place_order, quote_order
from remit.usecases.ports import account_ref, batch_ref
from remit.usecases.postpone_due_date import postpone_due_date
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.read_collection import read_collection
from remit.usecases.report_delivery import report_delivery
from remit.usecases.revise_order import revise_order
from remit.usecases.void_invoice import void_invoice
from remit.usecases.write_off_invoice import write_off_invoice

api = Api("Invoicing")
books = DynamoBooks()
journal = DynamoJournal()

OrderId = Annotated[Id, Path()]


def invoice_request(key: str, firm: Firm) -> Request[IssuedInvoice]:
    """A call that is answered with the invoice as it is after it."""
    today = firm.today(deployed_clock().now())
    return api.request(key, lambda issued: InvoiceView.of(issued, today).model_dump(mode="json"))


@api.app.post(
    "/accounts/<account_id>/quotes",
    summary="Quote an order",
    description="Prices and taxes the lines and lists every allowed term with its exact schedule. Stores nothing.",
    tags=[api.tag],
    responses=responses(200, "The quote"),
)
def quote(account_id: AccountId, body: Annotated[QuoteBody, Body()], idempotency_key: IdempotencyKey | None = None) -> QuoteView:
    firm, clock = current_firm(books), deployed_clock()
    return QuoteView.of(quote_order(body.to_wish(account_id), firm, books, clock), firm.today(clock.now()))


@api.app.post(
    "/accounts/<account_id>/orders",
    summary="Place an order",
    description="Freezes lines, taxes and the chosen term. Until it is invoiced it is a draft: revise or cancel it.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The order"),
)
def order(account_id: AccountId, body: Annotated[OrderBody, Body()], idempotency_key: IdempotencyKey) -> Response[OrderView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, OrderView.written)
    return api.created(place_order(body.to_wish(account_id), request, current_firm(books), books, clock, UlidIds(clock)))


@api.app.get(
    "/accounts/<account_id>/orders", summary="List an account's orders", tags=[api.tag], responses=responses(200, "Newest first")
)
def index_orders(
    account_id: AccountId,
    status: Annotated[OrderStatus | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> OrdersPage:
    need_account(books.load(account_ref(account_id)), account_id)
    found, more = find_orders(account_id, status, cursor, limit, books, journal)
    return OrdersPage(orders=[OrderView.of(each) for each in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/orders/<order_id>", summary="Read an order", tags=[api.tag], responses=responses(200, "The order")
)
def show_order(account_id: AccountId, order_id: OrderId) -> OrderView:
    return OrderView.of(read_order(account_id, order_id, books))


@api.app.put(
    "/accounts/<account_id>/orders/<order_id>",
    summary="Revise an order that is not invoiced yet",
    description="Replaces it: priced, taxed and given terms anew. Sent again it changes nothing.",
    tags=[api.tag],
    responses=responses(200, "The order as it is now"),
)
def revise(account_id: AccountId, order_id: OrderId, body: Annotated[RevisedOrderBody, Body()]) -> OrderView:
    wish = body.to_wish(account_id)
    revised = revise_order(order_id, body.version, wish, current_firm(books), books, deployed_clock())
    return OrderView.of(standing(revised, None))


@api.app.post(
    "/accounts/<account_id>/orders/<order_id>/cancellation",
    summary="Cancel an order that is not invoiced yet",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The canceled order"),
)
def cancel(
    account_id: AccountId,
    order_id: OrderId,
    body: Annotated[CancelOrderBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[OrderView]:
    request = api.request(idempotency_key, OrderView.written)
    return api.created(cancel_order(account_id, order_id, request, books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/invoices",
    summary="Issue the invoice of an order",
    description="One order has one invoice: asking again, with whatever key, answers with it.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice"),
)
def issue(
    account_id: AccountId, body: Annotated[NewInvoiceBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    firm = current_firm(books)
    request = invoice_request(idempotency_key, firm)
    return api.created(issue_invoice(account_id, body.order_id, request, firm, books, deployed_clock()))


@api.app.get(
    "/accounts/<account_id>/invoices",
    summary="List an account's invoices",
    description="`open` and `overdue`: what is owed, oldest due first. `all`: every invoice, newest first.",
    tags=[api.tag],
    responses=responses(200, "Invoices"),
)
def index(
    account_id: AccountId,
    show: Annotated[Show, Query()] = Show.ALL,
    status: Annotated[InvoiceStatus | None, Query()] = None,
    currency: Annotated[Currency | None, Query()] = None,
    subscription_id: Annotated[SubscriptionId | None, Query()] = None,
    kind: Annotated[OrderKind | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> OpenItemsPage:
    today = current_firm(books).today(deployed_clock().now())
    wanted = InvoiceFilter(status, currency, subscription_id, kind)
    items, more = find_invoices(account_id, show, wanted, cursor, limit, today, books, journal)
    return OpenItemsPage(invoices=[OpenItemView.of(item, today) for item in items], cursor=more)


@api.app.get(
    "/accounts/<account_id>/invoices/<invoice_id>",
    summary="Read an invoice",
    description="Of an order that is not invoiced yet: its draft, without a number.",
    tags=[api.tag],
    responses=responses(200, "The invoice"),
)
def read(account_id: AccountId, invoice_id: InvoiceId) -> InvoiceView:
    firm, clock = current_firm(books), deployed_clock()
    today = firm.today(clock.now())
    issued = read_invoice(account_id, invoice_id, books)
    if issued is None:
        return InvoiceView.of_draft(preview_invoice(account_id, invoice_id, firm, books, clock), today)
    return InvoiceView.of(issued, today, read_collection(issued.open_item, firm, books, journal, clock))


@api.app.get(
    "/accounts/<account_id>/invoices/<invoice_id>/timeline",
    summary="What happened to an invoice, and what is to come",
    description="Entries, automatic charges, transactions at the gateway, messages, moved due dates, deliveries; ahead: due "
    "dates, the end of a discount, planned collections.",
    tags=[api.tag],
    responses=responses(200, "The timeline"),
)
def timeline(account_id: AccountId, invoice_id: InvoiceId) -> TimelineView:
    found = invoice_timeline(account_id, invoice_id, current_firm(books), books, journal, deployed_clock())
    return TimelineView.model_validate(found)


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/void",
    summary="Void an invoice that nothing was paid or credited on",
    description="By the exact reverse of its entry. The number stays.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice as it is now"),
)
def void(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[ReasonBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    firm = current_firm(books)
    request = invoice_request(idempotency_key, firm)
    return api.created(void_invoice(account_id, invoice_id, body.reason, request, firm, books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/write-off",
    summary="Write off what will not be paid",
    description="A payment for it later recovers the loss.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice as it is now"),
)
def write_off(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[ReasonBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    firm = current_firm(books)
    request = invoice_request(idempotency_key, firm)
    return api.created(write_off_invoice(account_id, invoice_id, body.reason, request, firm, books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/postponements",
    summary="Move the due date of a part",
    description="The old date, who moved it and why are kept; the discount's date does not move.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice as it is now"),
)
def postpone(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[PostponementBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    firm, clock = current_firm(books), deployed_clock()
    request = invoice_request(idempotency_key, firm)
    return api.created(
        postpone_due_date(account_id, invoice_id, body.part, body.due_date, body.reason, request, firm, books, clock)
    )


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/deliveries",
    summary="Report a delivery",
    description="Its share of what waited for delivery falls due.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice as it is now"),
)
def deliver(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[DeliveryBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    firm, clock = current_firm(books), deployed_clock()
    request = invoice_request(idempotency_key, firm)
    return api.created(report_delivery(account_id, invoice_id, body.percent, body.delivered_on, request, firm, books, clock))


@api.app.get(
    "/accounts/<account_id>/invoices/<invoice_id>/late-charges",
    summary="Preview what being late costs on an invoice",
    description="What would be charged if it were charged now, with its sub-periods. Stores nothing.",
    tags=[api.tag],
    responses=responses(200, "The charge as it would be"),
)
def preview_late(
    account_id: AccountId, invoice_id: InvoiceId, through: Annotated[Day | None, Query()] = None
) -> LateChargePreview:
    charge, item = preview_late_charge(account_id, invoice_id, through, current_firm(books), books, deployed_clock())
    return LateChargePreview.of(charge, item)


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/late-charges",
    summary="Charge a late invoice",
    description="By an invoice of its own: interest for the days that none was charged for, and the fee if there was none. "
    "Waived by voiding that invoice, or crediting it.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice that charges it"),
)
def charge_late(
    account_id: AccountId, invoice_id: InvoiceId, body: Annotated[LateChargeBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    firm = current_firm(books)
    request = invoice_request(idempotency_key, firm)
    return api.created(charge_late_by_hand(account_id, invoice_id, body.through, request, firm, books, deployed_clock()))


@api.app.post(
    "/invoice-batches",
    summary="Issue the invoices of many orders",
    description="Takes one block of numbers for all that can be invoiced; each of the others says why not. Sent again it goes "
    "on where it was interrupted, and answers as the first time. For more orders send more batches, also at once.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The batch, finished"),
)
def create_batch(body: Annotated[InvoiceBatchBody, Body()], idempotency_key: IdempotencyKey) -> Response[InvoiceBatchView]:
    clock = deployed_clock()
    orders = [(each.account_id, each.order_id) for each in body.orders]
    request: Request[InvoiceBatch] = api.request(idempotency_key, lambda batch: {"id": batch.id})
    batch, answer = issue_batch(orders, request, current_firm(books), books, journal, clock, UlidIds(clock))
    return api.created(replace(answer, body=InvoiceBatchView.of(batch).model_dump(mode="json")))


@api.app.get(
    "/invoice-batches/<batch_id>", summary="Read a batch of invoices", tags=[api.tag], responses=responses(200, "The batch")
)
def read_batch(batch_id: Annotated[Id, Path()]) -> InvoiceBatchView:
    return InvoiceBatchView.of(need(books.load(batch_ref(batch_id)), batch_ref(batch_id)))


@api.app.get(
    "/number-series/<name>",
    summary="Prove that a number series has no gap",
    description="Of invoices or of credit notes: `INV-2026`, `CN-2026`.",
    tags=[api.tag],
    responses=responses(200, "The proof"),
)
def number_series(name: Annotated[str, Path(pattern=r"^[A-Z0-9]{1,10}-[0-9]{4}$")]) -> NumberSeriesView:
    return NumberSeriesView.model_validate(prove_numbers(name, books, journal))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
