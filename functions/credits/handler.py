"""HTTP: credits given to customers."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.ids import UlidIds
from remit.contract.common import Id
from remit.contract.payments import CreditsPage, CreditView, NewCreditBody
from remit.domain.credits import Credit
from remit.usecases.issue_credit import issue_credit
from remit.usecases.loading import need, need_account
from remit.usecases.ports import account_ref, credit_ref

api = Api("Credits")
books = DynamoBooks()
journal = DynamoJournal()

AccountId = Annotated[Id, Path()]


@api.app.post(
    "/accounts/<account_id>/credits",
    summary="Give a credit",
    description="Lowers the balance and stays for later; it is applied to nothing by itself.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The credit"),
)
def create(
    account_id: AccountId, body: Annotated[NewCreditBody, Body()], idempotency_key: IdempotencyKey
) -> Response[CreditView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, CreditView.plain)
    return api.created(issue_credit(body.to_wish(account_id), request, current_firm(books), books, clock, UlidIds(clock)))


@api.app.get("/accounts/<account_id>/credits", summary="List credits", tags=[api.tag], responses=responses(200, "Newest first"))
def index(
    account_id: AccountId,
    cursor: Annotated[str | None, Query(max_length=60, pattern=r"^[a-z0-9_]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> CreditsPage:
    need_account(books.load(account_ref(account_id)), account_id)
    found, more = journal.newest(Credit, account_id, cursor, limit)
    return CreditsPage(credits=[CreditView.model_validate(credit) for credit in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/credits/<credit_id>",
    summary="Read a credit",
    tags=[api.tag],
    responses=responses(200, "The credit"),
)
def read(account_id: AccountId, credit_id: Annotated[Id, Path()]) -> CreditView:
    ref = credit_ref(account_id, credit_id)
    return CreditView.model_validate(need(books.load(ref), ref))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
