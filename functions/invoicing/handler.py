"""HTTP: quotes, orders, invoices and their numbers."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.ids import UlidIds
from remit.contract.common import Currency, Id
from remit.contract.invoices import (
    InvoiceView,
    NewInvoiceBody,
    OpenItemsPage,
    OpenItemView,
    OrderBody,
    OrderView,
    QuoteBody,
    QuoteView,
    SeriesView,
)
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.usecases.issue_invoice import IssuedInvoice, issue_invoice
from remit.usecases.loading import need, need_account
from remit.usecases.place_order import place_order, quote_order
from remit.usecases.ports import account_ref, invoice_ref, open_item_ref, order_ref
from remit.usecases.prove_numbers import prove_numbers

api = Api("Invoicing")
books = DynamoBooks()
journal = DynamoJournal()

AccountId = Annotated[Id, Path()]


@api.app.post(
    "/accounts/<account_id>/quotes",
    summary="Quote an order",
    description="Prices and taxes the lines and lists every allowed term with its exact schedule. Stores nothing.",
    tags=[api.tag],
    responses=responses(200, "The quote"),
)
def quote(account_id: AccountId, body: Annotated[QuoteBody, Body()], idempotency_key: IdempotencyKey | None = None) -> QuoteView:
    return QuoteView.of(quote_order(body.to_wish(account_id), current_firm(books), books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/orders",
    summary="Place an order",
    description="Freezes lines, taxes and the chosen term.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The order"),
)
def order(account_id: AccountId, body: Annotated[OrderBody, Body()], idempotency_key: IdempotencyKey) -> Response[OrderView]:
    def present(order: Order) -> Any:
        return OrderView.of(order).model_dump(mode="json")

    clock = deployed_clock()
    request = api.request(idempotency_key, present)
    return api.created(place_order(body.to_wish(account_id), request, current_firm(books), books, clock, UlidIds(clock)))


@api.app.get(
    "/accounts/<account_id>/orders/<order_id>", summary="Read an order", tags=[api.tag], responses=responses(200, "The order")
)
def read_order(account_id: AccountId, order_id: Annotated[Id, Path()]) -> OrderView:
    ref = order_ref(account_id, order_id)
    return OrderView.of(need(books.load(ref), ref))


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
    clock = deployed_clock()
    firm = current_firm(books)

    def present(issued: IssuedInvoice) -> Any:
        return InvoiceView.of(issued, firm.today(clock.now())).model_dump(mode="json")

    request = api.request(idempotency_key, present)
    return api.created(issue_invoice(account_id, body.order_id, request, firm, books, clock))


@api.app.get(
    "/accounts/<account_id>/invoices",
    summary="List an account's invoices",
    description="`open`: what is owed in one currency, oldest due first. `all`: every invoice, newest first.",
    tags=[api.tag],
    responses=responses(200, "Invoices"),
)
def index(
    account_id: AccountId,
    show: Annotated[Literal["open", "all"], Query()] = "all",
    currency: Annotated[Currency | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=60, pattern=r"^[a-z0-9_]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> OpenItemsPage:
    need_account(books.load(account_ref(account_id)), account_id)
    today = current_firm(books).today(deployed_clock().now())
    if show == "open":
        items, more = list(journal.open_items(account_id, currency)), None
    else:
        items, more = journal.newest(OpenItem, account_id, cursor, limit)
    return OpenItemsPage(invoices=[OpenItemView.of(item, today) for item in items], cursor=more)


@api.app.get(
    "/accounts/<account_id>/invoices/<invoice_id>",
    summary="Read an invoice",
    tags=[api.tag],
    responses=responses(200, "The invoice"),
)
def read(account_id: AccountId, invoice_id: Annotated[Id, Path()]) -> InvoiceView:
    invoice, item = invoice_ref(account_id, invoice_id), open_item_ref(account_id, invoice_id)
    loaded = books.load(invoice, item)
    issued = IssuedInvoice(need(loaded, invoice), need(loaded, item))
    return InvoiceView.of(issued, current_firm(books).today(deployed_clock().now()))


@api.app.get(
    "/invoice-series/<series>",
    summary="Prove that a number series has no gap",
    tags=[api.tag],
    responses=responses(200, "The proof"),
)
def series(series: Annotated[str, Path(pattern=r"^[A-Z0-9]{1,10}-[0-9]{4}$")]) -> SeriesView:
    return SeriesView.model_validate(prove_numbers(series, books, journal))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
