"""HTTP: how an account's dunning stands; its pauses, promises to pay, and notices by hand."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.ses import deployed_mailer
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, CurrencyOfPath
from remit.adapters.links import payment_links
from remit.contract.accounts import AccountView
from remit.contract.dunning import DunningPauseBody, DunningView, PromiseBody, PromiseView, PromiseWithdrawalBody
from remit.contract.ledger import MessageView
from remit.usecases.pause_dunning import end_pause, pause_dunning
from remit.usecases.promise_to_pay import promise_to_pay, withdraw_promise
from remit.usecases.read_dunning import read_dunning
from remit.usecases.send_notice import send_notice

api = Api("Dunning")
books = DynamoBooks()
journal = DynamoJournal()


def _standing(account_id: str) -> DunningView:
    return DunningView.of(read_dunning(account_id, fresh_firm(books), journal, deployed_clock()))


@api.app.get(
    "/accounts/<account_id>/dunning",
    summary="How the account's dunning stands",
    description="Its policy, switches, pause and promises, what was said last, when a run looks next, and what it would send if "
    "it looked today: by the very decision that it takes.",
    tags=[api.tag],
    responses=responses(200, "As of today"),
)
def read(account_id: AccountId) -> DunningView:
    return _standing(account_id)


@api.app.put(
    "/accounts/<account_id>/dunning-pause",
    summary="Pause reminders and notices through a day",
    description="The day after, one notice at the tier of that day. Replaces the pause that there is.",
    tags=[api.tag],
    responses=responses(200, "How it stands now"),
)
def pause(account_id: AccountId, body: Annotated[DunningPauseBody, Body()]) -> DunningView:
    pause_dunning(account_id, body.until, body.reason, api.actor, fresh_firm(books), books, journal, deployed_clock())
    return _standing(account_id)


@api.app.delete(
    "/accounts/<account_id>/dunning-pause",
    summary="End the pause early",
    description="As if there had been none: the next run says what it kept silent. Without a pause it changes nothing.",
    tags=[api.tag],
    responses=responses(200, "How it stands now"),
)
def unpause(account_id: AccountId) -> DunningView:
    end_pause(account_id, api.actor, fresh_firm(books), books, journal, deployed_clock())
    return _standing(account_id)


@api.app.post(
    "/accounts/<account_id>/promises",
    summary="Keep a promise to pay",
    description="Nothing is said about its currency until it is kept or broken; the day after it was broken, one notice at the "
    "tier of that day. Replaces an earlier one in the same currency.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The promise"),
)
def promise(
    account_id: AccountId, body: Annotated[PromiseBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PromiseView]:
    request = api.request(idempotency_key, PromiseView.plain)
    return api.created(promise_to_pay(body.to_wish(account_id), request, fresh_firm(books), books, journal, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/promises/<currency>/withdrawal",
    summary="Withdraw a promise to pay",
    description="As if it had not been given: the next run looks at the account.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The account"),
)
def withdraw(
    account_id: AccountId,
    currency: CurrencyOfPath,
    body: Annotated[PromiseWithdrawalBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[AccountView]:
    request = api.request(idempotency_key, AccountView.plain)
    clock = deployed_clock()
    return api.created(withdraw_promise(account_id, currency, body.note, request, fresh_firm(books), books, journal, clock))


@api.app.post(
    "/accounts/<account_id>/dunning-notices",
    summary="Send the past-due notice now",
    description="The notice of the tier that fits today, whether or not it was said before; it counts as that step. It goes "
    "also while dunning is switched off, paused or waits for a promise: a person asked for it.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The message, and what became of it"),
)
def send(account_id: AccountId, idempotency_key: IdempotencyKey) -> Response[MessageView]:
    firm, clock = fresh_firm(books), deployed_clock()
    base_url = f"https://{api.app.current_event.request_context.domain_name}"
    letters, mailer = JinjaLetters(payment_links(base_url), books), deployed_mailer(firm)
    request = api.request(idempotency_key, MessageView.plain)
    return api.created(send_notice(account_id, request, firm, books, journal, letters, mailer, clock))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
