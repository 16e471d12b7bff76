"""HTTP: customers' accounts, their balances, and why these are what they are."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.ids import UlidIds
from remit.contract.accounts import AccountsPage, AccountView, ChangeAccountBody, HistoryPage, NewAccountBody
from remit.contract.common import ChangeView, Currency, Day, Id
from remit.contract.invoices import OpenItemView
from remit.contract.ledger import (
    BalancesView,
    BalanceView,
    EntriesPage,
    EntryView,
    ExplanationView,
    MessagesPage,
    MessageView,
    OverviewView,
    ReplayView,
)
from remit.domain.accounts import Account, AccountChange
from remit.domain.errors import NotFoundError
from remit.domain.journal import Balance
from remit.domain.messages import Message
from remit.usecases.change_account import change_account
from remit.usecases.explain_balance import Figure, explain_balance
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.replay_account import replay_account

api = Api("Accounts")
books = DynamoBooks()
journal = DynamoJournal()

AccountId = Annotated[Id, Path()]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=60, pattern=r"^[a-z0-9_-]+$")]


def _account(account_id: str) -> tuple[Account, list[Balance]]:
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    return account, list(balances)


@api.app.post(
    "/accounts", summary="Open an account", tags=[api.tag], status_code=201, responses=responses(201, "The new account")
)
def create(body: Annotated[NewAccountBody, Body()], idempotency_key: IdempotencyKey) -> Response[AccountView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, AccountView.plain)
    wish = NewAccount(body.to_fields())
    return api.created(open_account(wish, request, current_firm(books), books, clock, UlidIds(clock)))


@api.app.get("/accounts", summary="List accounts", tags=[api.tag], responses=responses(200, "Oldest first"))
def index(cursor: Cursor = None, limit: Limit = 50) -> AccountsPage:
    accounts, more = journal.accounts(cursor, limit)
    return AccountsPage(accounts=[AccountView.model_validate(account) for account in accounts], cursor=more)


@api.app.get("/accounts/<account_id>", summary="Read an account", tags=[api.tag], responses=responses(200, "The account"))
def read(account_id: AccountId) -> AccountView:
    return AccountView.model_validate(_account(account_id)[0])


@api.app.patch(
    "/accounts/<account_id>",
    summary="Change an account",
    tags=[api.tag],
    responses=responses(200, "The account as it is now"),
)
def update(account_id: AccountId, body: Annotated[ChangeAccountBody, Body()]) -> AccountView:
    changed = change_account(account_id, body.to_fields(), api.actor, current_firm(books), books, deployed_clock())
    return AccountView.model_validate(changed)


@api.app.get(
    "/accounts/<account_id>/history",
    summary="Who changed what",
    tags=[api.tag],
    responses=responses(200, "Changes, newest first"),
)
def history(account_id: AccountId, cursor: Cursor = None, limit: Limit = 50) -> HistoryPage:
    _account(account_id)
    changes, more = journal.newest(AccountChange, account_id, cursor, limit)
    return HistoryPage(changes=[ChangeView.model_validate(change) for change in changes], cursor=more)


@api.app.get(
    "/accounts/<account_id>/messages",
    summary="Messages sent to the customer",
    tags=[api.tag],
    responses=responses(200, "Messages"),
)
def messages(account_id: AccountId, cursor: Cursor = None, limit: Limit = 50) -> MessagesPage:
    _account(account_id)
    found, more = journal.newest(Message, account_id, cursor, limit)
    return MessagesPage(messages=[MessageView.model_validate(message) for message in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/overview",
    summary="The account page",
    description="The account, its balances, the 20 oldest open invoices and the 20 latest entries in one currency.",
    tags=[api.tag],
    responses=responses(200, "The page"),
)
def overview(account_id: AccountId, currency: Annotated[Currency | None, Query()] = None) -> OverviewView:
    account, balances = _account(account_id)
    chosen = currency or account.default_currency
    today = current_firm(books).today(deployed_clock().now())
    return OverviewView(
        account=AccountView.model_validate(account),
        balances=[BalanceView.model_validate(balance) for balance in balances],
        open_invoices=[OpenItemView.of(item, today) for item in journal.open_items(account_id, chosen, limit=20)],
        latest_entries=[EntryView.of(e) for e in journal.entries(account_id, chosen, newest_first=True, limit=20)],
    )


@api.app.get(
    "/accounts/<account_id>/balances",
    summary="What the customer owes and holds, per currency",
    tags=[api.tag],
    responses=responses(200, "One balance per currency"),
)
def balances(account_id: AccountId) -> BalancesView:
    return BalancesView(balances=[BalanceView.model_validate(balance) for balance in _account(account_id)[1]])


@api.app.get(
    "/accounts/<account_id>/balances/<currency>/explanation",
    summary="Why this balance?",
    description="The entries that a figure is made of, as of the end of any day (by effective date).",
    tags=[api.tag],
    responses=responses(200, "The figure and its entries"),
)
def explanation(
    account_id: AccountId,
    currency: Annotated[Currency, Path()],
    figure: Annotated[Figure, Query()] = Figure.BALANCE,
    as_of: Annotated[Day | None, Query()] = None,
    after: Annotated[int, Query(ge=0, lt=10**10)] = 0,
    limit: Limit = 100,
) -> ExplanationView:
    _account(account_id)
    found = explain_balance(account_id, currency, figure, journal, as_of=as_of, after=after, limit=limit)
    return ExplanationView.of(currency, figure, as_of, found)


@api.app.get("/accounts/<account_id>/entries", summary="Journal entries", tags=[api.tag], responses=responses(200, "In sequence"))
def entries(
    account_id: AccountId,
    currency: Annotated[Currency, Query()],
    after: Annotated[int, Query(ge=0, lt=10**10)] = 0,
    limit: Limit = 50,
) -> EntriesPage:
    _account(account_id)
    found = list(journal.entries(account_id, currency, after=after, limit=limit + 1))
    more = found[limit - 1].sequence if len(found) > limit else None
    return EntriesPage(entries=[EntryView.of(entry) for entry in found[:limit]], next_after=more)


@api.app.get(
    "/accounts/<account_id>/replay",
    summary="Prove the account from its entries",
    description="Recomputes every balance, every document's open amount and the hash chain, and says what differs.",
    tags=[api.tag],
    responses=responses(200, "The proof"),
)
def replay(account_id: AccountId) -> ReplayView:
    return ReplayView.model_validate(replay_account(account_id, journal))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
