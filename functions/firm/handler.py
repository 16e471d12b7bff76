"""HTTP: the firm's profile and rules, its dunning policies among them."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.catalogue import asking_letters
from remit.adapters.http.api import Api, responses
from remit.adapters.http.parameters import Cursor, Limit
from remit.contract.accounts import PolicyId
from remit.contract.dunning import DunningPoliciesView, DunningPolicyBody, DunningPolicyView, PolicyRevisionsPage
from remit.contract.firm import FirmBody, FirmView
from remit.usecases.set_dunning_policy import need_policy, policy_history, set_dunning_policy
from remit.usecases.set_firm import set_firm

api = Api("Firm")
books = DynamoBooks()

NamedPolicy = Annotated[PolicyId, Path()]


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


@api.app.get(
    "/dunning-policies",
    summary="Dunning policies",
    tags=[api.tag],
    responses=responses(200, "Those in force, in order of their ids; `standard` is everybody's who has none of their own"),
)
def policies() -> DunningPoliciesView:
    found = sorted(fresh_firm(books).policies.values(), key=lambda policy: policy.id)
    return DunningPoliciesView(policies=[DunningPolicyView.model_validate(policy) for policy in found])


@api.app.get(
    "/dunning-policies/<policy_id>",
    summary="Read a dunning policy",
    tags=[api.tag],
    responses=responses(200, "The policy in force"),
)
def read_policy(policy_id: NamedPolicy) -> DunningPolicyView:
    return DunningPolicyView.model_validate(need_policy(fresh_firm(books), policy_id))


@api.app.put(
    "/dunning-policies/<policy_id>",
    summary="Set a dunning policy",
    description="A new one or a new revision; the same again changes nothing. The next run looks at all its accounts by it. A "
    "policy is never deleted: messages name its revisions, and accounts may use it.",
    tags=[api.tag],
    responses=responses(200, "The policy as it is in force now"),
)
def write_policy(policy_id: NamedPolicy, body: Annotated[DunningPolicyBody, Body()]) -> DunningPolicyView:
    wanted = body.to_domain(policy_id)
    return DunningPolicyView.model_validate(set_dunning_policy(wanted, asking_letters(), api.actor, books, deployed_clock()))


@api.app.get(
    "/dunning-policies/<policy_id>/revisions",
    summary="Who changed a dunning policy",
    tags=[api.tag],
    responses=responses(200, "Its revisions, newest first; the policy that Remit comes with is none"),
)
def policy_revisions(policy_id: NamedPolicy, cursor: Cursor = None, limit: Limit = 50) -> PolicyRevisionsPage:
    history = policy_history(policy_id, fresh_firm(books), books, cursor, limit)
    return PolicyRevisionsPage.of(list(history.revisions), history.cursor)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
