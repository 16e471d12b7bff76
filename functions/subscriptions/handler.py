"""HTTP: plans and their versions; subscriptions, their changes, pauses and cancellations."""

from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, Cursor, Limit
from remit.adapters.ids import UlidIds
from remit.contract.common import Id
from remit.contract.subscriptions import (
    CanceledSubscriptionView,
    CancelSubscriptionBody,
    ChangedSubscriptionView,
    ChangeSubscriptionBody,
    DefinedPlanView,
    NewPlanBody,
    NewPlanVersionBody,
    NewSubscriptionBody,
    PauseSubscriptionBody,
    PlanId,
    PlansPage,
    PlanVersionView,
    PlanView,
    ResumeBody,
    SubscriptionDetailView,
    SubscriptionQuoteView,
    SubscriptionsPage,
    SubscriptionView,
)
from remit.domain.subscriptions import Subscription, SubscriptionStatus
from remit.usecases.cancel_subscription import CanceledSubscription, cancel_subscription
from remit.usecases.change_subscription import ChangedSubscription, change_subscription, preview_change
from remit.usecases.define_plan import create_plan, read_plan, revise_plan
from remit.usecases.idempotency import Request
from remit.usecases.loading import need_account
from remit.usecases.paging import newest_matching
from remit.usecases.pause_subscription import pause_subscription, resume_subscription
from remit.usecases.ports import account_ref
from remit.usecases.read_subscription import read_subscription
from remit.usecases.start_subscription import start_subscription

api = Api("Subscriptions")
books = DynamoBooks()
journal = DynamoJournal()

PlanOfPath = Annotated[PlanId, Path()]
SubscriptionOfPath = Annotated[Id, Path()]


def request_of_subscription(key: str, now: datetime) -> Request[Subscription]:
    """A request that answers with the subscription as it is then."""

    def present(subscription: Subscription) -> Any:
        return SubscriptionView.on(subscription, now).model_dump(mode="json")

    return api.request(key, present)


# ---- Plans


@api.app.get("/plans", summary="List plans", tags=[api.tag], responses=responses(200, "By id"))
def list_plans(cursor: Cursor = None, limit: Limit = 50) -> PlansPage:
    found, more = journal.plans(cursor, limit)
    return PlansPage(plans=[PlanView.of(plan) for plan in found], cursor=more)


@api.app.post(
    "/plans",
    summary="Define a plan",
    description="Its interval, currency and time of billing are its own for good; name, prices and term are its version 1.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The plan"),
)
def define(body: Annotated[NewPlanBody, Body()], idempotency_key: IdempotencyKey) -> Response[DefinedPlanView]:
    request = api.request(idempotency_key, DefinedPlanView.written)
    return api.created(create_plan(body.to_wish(), request, current_firm(books), books, deployed_clock()))


@api.app.get("/plans/<plan_id>", summary="Read a plan", tags=[api.tag], responses=responses(200, "With its versions"))
def show_plan(plan_id: PlanOfPath) -> DefinedPlanView:
    return DefinedPlanView.defined(read_plan(plan_id, books))


@api.app.post(
    "/plans/<plan_id>/versions",
    summary="Give a plan another version",
    description="What is billed already stays as it is. The version says for whom it is: new subscriptions, or renewals too.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The version"),
)
def revise(
    plan_id: PlanOfPath, body: Annotated[NewPlanVersionBody, Body()], idempotency_key: IdempotencyKey
) -> Response[PlanVersionView]:
    request, firm = api.request(idempotency_key, PlanVersionView.written), current_firm(books)
    return api.created(revise_plan(plan_id, body.to_offer(), body.applies_to, request, firm, books, deployed_clock()))


# ---- Subscriptions


@api.app.post(
    "/accounts/<account_id>/subscriptions",
    summary="Subscribe to a plan",
    description="Its periods are billed by the recurring payment runs, the first one too.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The subscription"),
)
def subscribe(
    account_id: AccountId, body: Annotated[NewSubscriptionBody, Body()], idempotency_key: IdempotencyKey
) -> Response[SubscriptionView]:
    clock, firm = deployed_clock(), current_firm(books)
    request = request_of_subscription(idempotency_key, clock.now())
    return api.created(start_subscription(body.to_wish(account_id), request, firm, books, clock, UlidIds(clock)))


@api.app.get(
    "/accounts/<account_id>/subscriptions",
    summary="List subscriptions",
    tags=[api.tag],
    responses=responses(200, "Newest first"),
)
def index(
    account_id: AccountId,
    status: Annotated[SubscriptionStatus | None, Query()] = None,
    plan_id: Annotated[PlanId | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SubscriptionsPage:
    now = deployed_clock().now()

    def wanted(subscription: Subscription) -> bool:
        view = SubscriptionView.on(subscription, now)
        return status in (None, view.status) and plan_id in (None, view.agreed.plan_id)

    need_account(books.load(account_ref(account_id)), account_id)
    found, more = newest_matching(journal, Subscription, account_id, wanted, cursor, limit)
    return SubscriptionsPage(subscriptions=[SubscriptionView.on(each, now) for each in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/subscriptions/<subscription_id>",
    summary="Read a subscription",
    tags=[api.tag],
    responses=responses(200, "With the periods to come and the last invoices"),
)
def read(account_id: AccountId, subscription_id: SubscriptionOfPath) -> SubscriptionDetailView:
    clock = deployed_clock()
    found = read_subscription(account_id, subscription_id, books, clock)
    return SubscriptionDetailView.detailed(found, current_firm(books).today(clock.now()))


@api.app.post(
    "/accounts/<account_id>/subscriptions/<subscription_id>/quotes",
    summary="What a change would credit and bill",
    description="Stores nothing.",
    tags=[api.tag],
    responses=responses(200, "The figures, if it were changed now"),
)
def quote(
    account_id: AccountId,
    subscription_id: SubscriptionOfPath,
    body: Annotated[ChangeSubscriptionBody, Body()],
    idempotency_key: IdempotencyKey | None = None,
) -> SubscriptionQuoteView:
    wish = body.to_wish(account_id, subscription_id)
    return SubscriptionQuoteView.of(preview_change(wish, api.actor, current_firm(books), books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/subscriptions/<subscription_id>/changes",
    summary="Change plan or quantity",
    description="Now: the rest of the period is credited and billed anew, to the day. At the period's end: from the next one on.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The subscription, with what was credited and billed"),
)
def change(
    account_id: AccountId,
    subscription_id: SubscriptionOfPath,
    body: Annotated[ChangeSubscriptionBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[ChangedSubscriptionView]:
    clock, firm = deployed_clock(), current_firm(books)

    def present(changed: ChangedSubscription) -> Any:
        return ChangedSubscriptionView.made(changed, clock.now()).model_dump(mode="json")

    request = api.request(idempotency_key, present)
    wish = body.to_wish(account_id, subscription_id)
    return api.created(change_subscription(wish, request, firm, books, clock, UlidIds(clock)))


@api.app.post(
    "/accounts/<account_id>/subscriptions/<subscription_id>/pause",
    summary="Pause a subscription",
    description="No period that begins from then on is billed; one that has begun is served to its end.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The subscription as it is now"),
)
def pause(
    account_id: AccountId,
    subscription_id: SubscriptionOfPath,
    body: Annotated[PauseSubscriptionBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[SubscriptionView]:
    clock = deployed_clock()
    request = request_of_subscription(idempotency_key, clock.now())
    return api.created(pause_subscription(account_id, subscription_id, body.from_on, request, books, clock, UlidIds(clock)))


@api.app.post(
    "/accounts/<account_id>/subscriptions/<subscription_id>/resumption",
    summary="Resume a subscription",
    description="Where a period was left out, the next begins today and is the new anchor. The pause itself costs nothing.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The subscription as it is now"),
)
def resume(
    account_id: AccountId,
    subscription_id: SubscriptionOfPath,
    body: Annotated[ResumeBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[SubscriptionView]:
    clock = deployed_clock()
    request = request_of_subscription(idempotency_key, clock.now())
    return api.created(resume_subscription(account_id, subscription_id, request, books, clock, UlidIds(clock)))


@api.app.post(
    "/accounts/<account_id>/subscriptions/<subscription_id>/cancellation",
    summary="Cancel a subscription",
    description="At the end of the period under way, or now; then with or without a credit for the days that are left.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The subscription as it is now, with the credit note"),
)
def cancel(
    account_id: AccountId,
    subscription_id: SubscriptionOfPath,
    body: Annotated[CancelSubscriptionBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[CanceledSubscriptionView]:
    clock, firm = deployed_clock(), current_firm(books)

    def present(canceled: CanceledSubscription) -> Any:
        return CanceledSubscriptionView.of(canceled, clock.now()).model_dump(mode="json")

    request = api.request(idempotency_key, present)
    wish = body.to_wish(account_id, subscription_id)
    return api.created(cancel_subscription(wish, request, firm, books, clock, UlidIds(clock)))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
