"""Parameters of paths and queries that many routes share."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from remit.contract.common import Currency, Id

AccountId = Annotated[Id, Path()]
CurrencyOfPath = Annotated[Currency, Path()]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]
Cursor = Annotated[
    str | None, Query(max_length=400, pattern=r"^[A-Za-z0-9_.~-]+$", description="The `cursor` of the page before")
]
After = Annotated[int, Query(ge=0, lt=10**10, description="The `next_after` of the page before")]
