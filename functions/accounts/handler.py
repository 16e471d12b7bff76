"""HTTP: customers' accounts, their balances, and why these are what they are."""

from datetime import date
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm, fresh_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, After, CurrencyOfPath, Cursor, EntryCursor, FirstDay, LastDay, Limit
from remit.adapters.ids import UlidIds
from remit.contract.accounts import (
    AccountsPage,
    AccountView,
    ChangeAccountBody,
    HistoryPage,
    ModeChangeBody,
    NewAccountBody,
    NoteBody,
    NotesPage,
    NoteView,
)
from remit.contract.common import ChangeView, Currency, Day, Id, ShortText
from remit.contract.invoices import OpenItemView
from remit.contract.ledger import (
    BalancesView,
    BalanceView,
    EntriesPage,
    EntryView,
    ExplanationView,
    MessagesPage,
    MessageView,
    MovementsPage,
    OverviewView,
    ReplayView,
    SentMessageView,
    TimelinePage,
    TimelineRowView,
)
from remit.domain.accounts import Account, AccountChange, Note, PaymentMode
from remit.domain.errors import NotFoundError
from remit.domain.figures import Figure
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.messages import Message
from remit.usecases.add_note import add_note
from remit.usecases.change_account import change_account
from remit.usecases.change_payment_mode import change_payment_mode
from remit.usecases.explain_balance import explain_balance
from remit.usecases.list_accounts import AccountFilter, list_accounts
from remit.usecases.loading import need
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.ports import message_ref
from remit.usecases.read_timeline import read_timeline
from remit.usecases.replay_account import replay_account

api = Api("Accounts")
books = DynamoBooks()
journal = DynamoJournal()

MessageId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,200}$")]


def _account(account_id: str) -> tuple[Account, list[Balance]]:
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    return account, list(balances)


def _firm_for(body: ChangeAccountBody) -> Firm:
    """The firm's settings; as they are now where a dunning policy is named, which may just have been made."""
    return fresh_firm(books) if body.dunning_policy_id else current_firm(books)


@api.app.post(
    "/accounts", summary="Open an account", tags=[api.tag], status_code=201, responses=responses(201, "The new account")
)
def create(body: Annotated[NewAccountBody, Body()], idempotency_key: IdempotencyKey) -> Response[AccountView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, AccountView.plain)
    wish = NewAccount(body.to_fields(), body.mode)
    return api.created(open_account(wish, request, _firm_for(body), books, clock, UlidIds(clock)))


@api.app.get(
    "/accounts",
    summary="List accounts",
    description="Accounts are listed by age; `tag`, `mode` (today's) and `name` (how it starts, in any case of letters) are "
    "compared after reading, up to 500 accounts at a time. So a page may be short or empty and still have a `cursor`: go on "
    "until that is null.",
    tags=[api.tag],
    responses=responses(200, "Oldest first"),
)
def index(
    cursor: Cursor = None,
    limit: Limit = 50,
    tag: Annotated[ShortText | None, Query()] = None,
    mode: Annotated[PaymentMode | None, Query()] = None,
    name: Annotated[ShortText | None, Query()] = None,
) -> AccountsPage:
    today = current_firm(books).today(deployed_clock().now())
    accounts, more = list_accounts(AccountFilter(tag, mode, name), journal, today, cursor, limit)
    return AccountsPage(accounts=[AccountView.of(account) for account in accounts], cursor=more)


@api.app.get("/accounts/<account_id>", summary="Read an account", tags=[api.tag], responses=responses(200, "The account"))
def read(account_id: AccountId) -> AccountView:
    return AccountView.of(_account(account_id)[0])


@api.app.patch(
    "/accounts/<account_id>",
    summary="Change an account",
    tags=[api.tag],
    responses=responses(200, "The account as it is now"),
)
def update(account_id: AccountId, body: Annotated[ChangeAccountBody, Body()]) -> AccountView:
    changed = change_account(account_id, body.to_fields(), api.actor, _firm_for(body), books, journal, deployed_clock())
    return AccountView.of(changed)


@api.app.post(
    "/accounts/<account_id>/mode-changes",
    summary="Change the payment mode from a day on",
    description="What is open finishes in the mode in which it was issued. A change planned for that day or later is replaced, "
    "so naming the mode of that day once more calls it off.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The account with its modes in order of time"),
)
def change_mode(
    account_id: AccountId, body: Annotated[ModeChangeBody, Body()], idempotency_key: IdempotencyKey
) -> Response[AccountView]:
    request = api.request(idempotency_key, AccountView.plain)
    firm, clock = current_firm(books), deployed_clock()
    return api.created(change_payment_mode(account_id, body.mode, body.effective_on, request, firm, books, clock))


@api.app.post(
    "/accounts/<account_id>/notes",
    summary="Write a note",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The note"),
)
def write_note(account_id: AccountId, body: Annotated[NoteBody, Body()], idempotency_key: IdempotencyKey) -> Response[NoteView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, NoteView.plain)
    return api.created(add_note(account_id, body.text, request, books, clock, UlidIds(clock)))


@api.app.get("/accounts/<account_id>/notes", summary="Notes", tags=[api.tag], responses=responses(200, "Newest first"))
def notes(account_id: AccountId, cursor: Cursor = None, limit: Limit = 50) -> NotesPage:
    _account(account_id)
    found, more = journal.newest(Note, account_id, cursor, limit)
    return NotesPage(notes=[NoteView.model_validate(note) for note in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/timeline",
    summary="All that happened on the account",
    description="Documents and money (journal entries), changes, notes, and messages sent, each with who did it.",
    tags=[api.tag],
    responses=responses(200, "Newest first"),
)
def timeline(account_id: AccountId, cursor: Cursor = None, limit: Limit = 50) -> TimelinePage:
    rows, more = read_timeline(account_id, journal, cursor, limit)
    return TimelinePage(events=[TimelineRowView.of(row) for row in rows], cursor=more)


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
    "/accounts/<account_id>/messages/<message_id>",
    summary="A message as it was sent",
    description="The letter, the secrets of its links masked, and what the mail provider said of it.",
    tags=[api.tag],
    responses=responses(200, "The message"),
)
def message(account_id: AccountId, message_id: MessageId) -> SentMessageView:
    ref = message_ref(account_id, message_id)
    return SentMessageView.model_validate(need(books.load(ref), ref))


@api.app.delete(
    "/accounts/<account_id>/mail-problem",
    summary="Send to the account's address again",
    description="After a hard bounce or a complaint, when somebody knows that the address is good. A changed address needs none.",
    tags=[api.tag],
    responses=responses(200, "The account as it is now"),
)
def clear_mail_problem(account_id: AccountId) -> AccountView:
    cleared = {"mail_problem": None}
    return AccountView.of(change_account(account_id, cleared, api.actor, current_firm(books), books, journal, deployed_clock()))


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
        account=AccountView.of(account),
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
    description="The entries that a figure is made of, as of the end of any day (by effective date). With `document_id` the "
    "figure of one document: `receivable` of an invoice is what is open on it, `credit` of a payment what is unapplied.",
    tags=[api.tag],
    responses=responses(200, "The figure and its entries"),
)
def explanation(
    account_id: AccountId,
    currency: CurrencyOfPath,
    figure: Annotated[Figure, Query()] = Figure.BALANCE,
    as_of: Annotated[Day | None, Query()] = None,
    document_id: Annotated[Id | None, Query()] = None,
    after: After = 0,
    limit: Limit = 100,
) -> ExplanationView:
    _account(account_id)
    found = explain_balance(account_id, currency, figure, journal, as_of=as_of, document_id=document_id, after=after, limit=limit)
    return ExplanationView.of(currency, figure, as_of, document_id, found)


@api.app.get(
    "/accounts/<account_id>/income",
    summary="What was billed and taken back",
    description="Invoices, fees, credit memos and rebates, in a period of effective dates: no money moves. At any date, "
    "balance = income − cashflow.",
    tags=[api.tag],
    responses=responses(200, "In the order of the journal"),
)
def income(
    account_id: AccountId,
    currency: Annotated[Currency, Query()],
    first: FirstDay = None,
    last: LastDay = None,
    cursor: EntryCursor = None,
    limit: Limit = 50,
) -> MovementsPage:
    return _movements(account_id, currency, Figure.INCOME, first, last, cursor, limit)


@api.app.get(
    "/accounts/<account_id>/cashflow",
    summary="What was paid, given back and withheld",
    description="Payments, refunds and disputes, in a period of effective dates. At any date, balance = income − cashflow.",
    tags=[api.tag],
    responses=responses(200, "In the order of the journal"),
)
def cashflow(
    account_id: AccountId,
    currency: Annotated[Currency, Query()],
    first: FirstDay = None,
    last: LastDay = None,
    cursor: EntryCursor = None,
    limit: Limit = 50,
) -> MovementsPage:
    return _movements(account_id, currency, Figure.CASHFLOW, first, last, cursor, limit)


def _movements(
    account_id: str, currency: str, figure: Figure, first: date | None, last: date | None, cursor: str | None, limit: int
) -> MovementsPage:
    _account(account_id)
    after = int(cursor or 0)
    found = explain_balance(account_id, currency, figure, journal, since=first, as_of=last, after=after, limit=limit)
    return MovementsPage.of(currency, figure, found)


@api.app.get("/accounts/<account_id>/entries", summary="Journal entries", tags=[api.tag], responses=responses(200, "In sequence"))
def entries(
    account_id: AccountId,
    currency: Annotated[Currency, Query()],
    after: After = 0,
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
