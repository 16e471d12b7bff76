"""HTTP: the prepaid wallet: what is in it, topping it up, charging usage to it, and paying out of it."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, Cursor, EntryCursor, FirstDay, LastDay, Limit
from remit.adapters.ids import UlidIds
from remit.contract.common import Currency, Id
from remit.contract.invoices import InvoiceView
from remit.contract.ledger import MovementsPage
from remit.contract.wallet import (
    AutomaticTopUpBody,
    AutomaticTopUpStateView,
    TopUpBody,
    UsageBody,
    WalletChargesPage,
    WalletChargeView,
    WalletView,
    WithdrawalBody,
    WithdrawalView,
)
from remit.domain.figures import Figure
from remit.domain.journal import Balance
from remit.domain.wallet import WalletCharge
from remit.usecases.charge_wallet import charge_wallet
from remit.usecases.explain_balance import explain_balance
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import need, need_account
from remit.usecases.ports import account_ref, wallet_charge_ref
from remit.usecases.read_wallet import read_wallet
from remit.usecases.top_up_automatically import WalletEvent, restart_top_up, top_up_automatically
from remit.usecases.top_up_wallet import top_up_wallet
from remit.usecases.withdraw_from_wallet import withdraw_from_wallet

api = Api("Wallet")
books = DynamoBooks()
journal = DynamoJournal()


@api.app.get("/accounts/<account_id>/wallet", summary="Read the wallet", tags=[api.tag], responses=responses(200, "The wallet"))
def read(account_id: AccountId, currency: Annotated[Currency | None, Query()] = None) -> WalletView:
    firm = current_firm(books)
    wallet = read_wallet(account_id, currency, firm, books, journal)
    return WalletView.of(wallet.account, wallet.balance, wallet.pending_minor, firm.today(deployed_clock().now()))


@api.app.get(
    "/accounts/<account_id>/wallet/movements",
    summary="What moved the wallet",
    description="Top-ups, charges, prepaid invoices, withdrawals and returns, in a period of effective dates.",
    tags=[api.tag],
    responses=responses(200, "In the order of the journal"),
)
def movements(
    account_id: AccountId,
    currency: Annotated[Currency, Query()],
    first: FirstDay = None,
    last: LastDay = None,
    cursor: EntryCursor = None,
    limit: Limit = 50,
) -> MovementsPage:
    need_account(books.load(account_ref(account_id)), account_id)
    after = int(cursor or 0)
    found = explain_balance(account_id, currency, Figure.PREPAID, journal, since=first, as_of=last, after=after, limit=limit)
    return MovementsPage.of(currency, Figure.PREPAID, found)


@api.app.post(
    "/accounts/<account_id>/wallet/top-ups",
    summary="Ask for a top-up",
    description="An invoice outside the scope of tax, due at once. The wallet grows when it is paid.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The top-up invoice"),
)
def top_up(account_id: AccountId, body: Annotated[TopUpBody, Body()], idempotency_key: IdempotencyKey) -> Response[InvoiceView]:
    clock, firm = deployed_clock(), current_firm(books)

    def present(issued: IssuedInvoice) -> Any:
        return InvoiceView.of(issued, firm.today(clock.now())).model_dump(mode="json")

    request = api.request(idempotency_key, present)
    return api.created(top_up_wallet(account_id, body.to_domain(), request, firm, books, clock, UlidIds(clock)))


@api.app.post(
    "/accounts/<account_id>/wallet/automatic-top-ups",
    summary="Turn the automatic top-up on again, and look at the wallet now",
    description="Needed after it stopped, and useful after it was first set for a wallet that is already low.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "Where it stood before it looked"),
)
def restart(
    account_id: AccountId, body: Annotated[AutomaticTopUpBody, Body()], idempotency_key: IdempotencyKey
) -> Response[AutomaticTopUpStateView]:
    clock, firm = deployed_clock(), current_firm(books)

    def present(balance: Balance) -> Any:
        return AutomaticTopUpStateView.of(balance).model_dump(mode="json")

    request = api.request(idempotency_key, present)
    answer = restart_top_up(account_id, body.currency, request, firm, books, clock)
    top_up_automatically(WalletEvent(account_id, body.currency), firm, books, journal, clock, UlidIds(clock))
    return api.created(answer)


@api.app.post(
    "/accounts/<account_id>/wallet/charges",
    summary="Charge usage",
    description="Taken from balance that was given first, then from what was paid; never further than the limit below zero.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The charge"),
)
def charge(
    account_id: AccountId, body: Annotated[UsageBody, Body()], idempotency_key: IdempotencyKey
) -> Response[WalletChargeView]:
    clock = deployed_clock()

    def present(charged: WalletCharge) -> Any:
        return WalletChargeView.of(charged).model_dump(mode="json")

    request = api.request(idempotency_key, present)
    usage = body.to_domain(account_id)
    return api.created(charge_wallet(usage, request, current_firm(books), books, clock, UlidIds(clock)))


@api.app.get("/accounts/<account_id>/wallet/charges", summary="Usage", tags=[api.tag], responses=responses(200, "Newest first"))
def charges(account_id: AccountId, cursor: Cursor = None, limit: Limit = 50) -> WalletChargesPage:
    need_account(books.load(account_ref(account_id)), account_id)
    found, more = journal.newest(WalletCharge, account_id, cursor, limit)
    return WalletChargesPage(charges=[WalletChargeView.of(each) for each in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/wallet/charges/<charge_id>",
    summary="Read a charge",
    tags=[api.tag],
    responses=responses(200, "The charge"),
)
def read_charge(account_id: AccountId, charge_id: Annotated[Id, Path()]) -> WalletChargeView:
    ref = wallet_charge_ref(account_id, charge_id)
    return WalletChargeView.of(need(books.load(ref), ref))


@api.app.post(
    "/accounts/<account_id>/wallet/withdrawals",
    summary="Pay balance out",
    description="What was paid for, and no more: not what was given, and not the limit. By a manual method, with its reason.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The withdrawal"),
)
def withdraw(
    account_id: AccountId, body: Annotated[WithdrawalBody, Body()], idempotency_key: IdempotencyKey
) -> Response[WithdrawalView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, WithdrawalView.plain)
    wish = body.to_domain(account_id)
    return api.created(withdraw_from_wallet(wish, request, current_firm(books), books, clock, UlidIds(clock)))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
