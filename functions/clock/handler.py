"""HTTP: the clock of a test stack. Deployed only with ClockMode=test (O3)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from remit.adapters.dynamodb.clock import move_to, stored_offset
from remit.adapters.http.api import Api, responses
from remit.contract.exports import ClockView, MoveClockBody

api = Api("Clock")


def _view(offset: timedelta) -> ClockView:
    return ClockView(now=datetime.now(UTC) + offset, offset_seconds=int(offset.total_seconds()))


@api.app.get("/clock", summary="Read the stack's clock", tags=[api.tag], responses=responses(200, "The time"))
def read() -> ClockView:
    return _view(stored_offset())


@api.app.put(
    "/clock",
    summary="Move the stack's clock forward",
    description="Exists only on a stack that was deployed for tests. All functions and state machines follow.",
    tags=[api.tag],
    responses=responses(200, "The time now"),
)
def move(body: Annotated[MoveClockBody, Body()]) -> ClockView:
    offset = timedelta(seconds=round((body.now - datetime.now(UTC)).total_seconds()))
    move_to(offset)
    return _view(offset)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
