"""HTTP: the firm's totals, from the projections of its journal."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.dynamodb.totals import DynamoTotals
from remit.adapters.http.api import Api, responses
from remit.contract.common import Currency, Day
from remit.contract.exports import Period
from remit.contract.totals import AgeingTotalsView, MonthTotalsView, StatusTotalsView
from remit.usecases.read_totals import ageing, month_totals, status_counts

api = Api("Totals")
books = DynamoBooks()
totals = DynamoTotals()


@api.app.get(
    "/totals",
    summary="Read the ledger's totals of a month",
    description="Debits and credits of every account of the chart, of all entries effective in the month.",
    tags=[api.tag],
    responses=responses(200, "The totals, a moment behind the ledger"),
)
def read_month(month: Annotated[Period, Query()], currency: Annotated[Currency, Query()]) -> MonthTotalsView:
    return MonthTotalsView.of(month_totals(month, currency, books, totals))


@api.app.get(
    "/totals/statuses",
    summary="Count invoices by status",
    tags=[api.tag],
    responses=responses(200, "How many are in each status now, by currency"),
)
def read_statuses() -> StatusTotalsView:
    return StatusTotalsView.model_validate({"currencies": status_counts(books, totals)})


@api.app.get(
    "/totals/ageing",
    summary="Read what is owed by its age",
    description="What is open now, aged on `as_of` (today by default), for one currency or for each.",
    tags=[api.tag],
    responses=responses(200, "The totals by currency"),
)
def read_ageing(
    as_of: Annotated[Day | None, Query()] = None, currency: Annotated[Currency | None, Query()] = None
) -> AgeingTotalsView:
    day = as_of or current_firm(books).today(deployed_clock().now())
    return AgeingTotalsView.of(day, ageing(day, currency, books, totals))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
