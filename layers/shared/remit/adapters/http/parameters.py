"""Parameters of paths and queries that many routes share."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from remit.contract.common import Currency, Day, Id

AccountId = Annotated[Id, Path()]
InvoiceId = Annotated[Id, Path()]
PaymentId = Annotated[Id, Path()]
CurrencyOfPath = Annotated[Currency, Path()]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]
Cursor = Annotated[
    str | None, Query(max_length=1000, pattern=r"^[A-Za-z0-9_.~-]+$", description="The `cursor` of the page before")
]
After = Annotated[int, Query(ge=0, lt=10**10, description="The `next_after` of the page before")]
FirstDay = Annotated[Day | None, Query(alias="from", description="First effective date; of all unless named")]
LastDay = Annotated[Day | None, Query(alias="to", description="Last effective date; up to now unless named")]
EntryCursor = Annotated[
    str | None, Query(alias="cursor", pattern=r"^[0-9]{1,10}$", description="The `cursor` of the page before")
]
