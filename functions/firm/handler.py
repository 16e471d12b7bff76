"""HTTP: the firm's profile and rules."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.http.api import Api, responses
from remit.contract.firm import FirmBody, FirmView
from remit.usecases.set_firm import set_firm

api = Api("Firm")
books = DynamoBooks()


@api.app.get("/firm", summary="Read the firm's profile", tags=[api.tag], responses=responses(200, "The profile"))
def read() -> FirmView:
    return FirmView.of(fresh_firm(books))


@api.app.put(
    "/firm",
    summary="Set the firm's profile",
    description="Replaces the whole profile; the same again changes nothing. Other functions see it within a minute.",
    tags=[api.tag],
    responses=responses(200, "The profile as it is now"),
)
def write(body: Annotated[FirmBody, Body()]) -> FirmView:
    return FirmView.of(set_firm(body.to_domain(), books, deployed_clock()))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
