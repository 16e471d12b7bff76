"""Define a plan, and give it another version (S1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.orders import price
from remit.domain.plans import AppliesTo, Billing, Interval, Offer, Plan, PlanVersion
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, plan_ref, plan_version_ref

MAX_VERSIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan as it is asked for; its id is the firm's own."""

    id: str
    currency: str
    interval: Interval
    billing: Billing
    offer: Offer


@dataclass(frozen=True, slots=True)
class DefinedPlan:
    """A plan, and its versions, newest first."""

    plan: Plan
    versions: Sequence[PlanVersion]


def create_plan(wish: NewPlan, request: Request[DefinedPlan], firm: Firm, books: Books, clock: Clock) -> Answer:
    """Store the plan with its version 1. `RuleError` `plan_exists`; `InvalidError` for what could not be billed: an unknown tax
    code, payment term or currency."""
    now = clock.now()
    require_billable(wish.offer, wish.currency, firm)

    def decide(consistent: bool) -> tuple[Changes, DefinedPlan]:
        if books.load(plan_ref(wish.id)).get(plan_ref(wish.id)):
            raise RuleError("plan_exists", "There is a plan of this id. Give it another version.", plan_id=wish.id)
        plan = Plan(wish.id, wish.offer.name, wish.currency, wish.interval, wish.billing, now)
        first = PlanVersion(wish.id, 1, wish.offer, AppliesTo.RENEWALS, now, request.actor)
        return [plan, first], DefinedPlan(plan, [first])

    return once(books, request, now, decide)


def revise_plan(
    plan_id: str, offer: Offer, applies_to: AppliesTo, request: Request[PlanVersion], firm: Firm, books: Books, clock: Clock
) -> Answer:
    """Add a version; those before stay as they are, and so does every period that was billed."""
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, PlanVersion]:
        plan = need(books.load(plan_ref(plan_id)), plan_ref(plan_id))
        require_billable(offer, plan.currency, firm)
        revised, version = plan.revise(offer, applies_to, request.actor, now)
        return [revised, version], version

    return once(books, request, now, decide)


def read_plan(plan_id: str, books: Books) -> DefinedPlan:
    """The plan with its newest versions."""
    plan = need(books.load(plan_ref(plan_id)), plan_ref(plan_id))
    refs = [plan_version_ref(plan_id, number) for number in range(plan.newest, max(0, plan.newest - MAX_VERSIONS_SHOWN), -1)]
    loaded = books.load(*refs)
    return DefinedPlan(plan, [need(loaded, ref) for ref in refs])


def require_billable(offer: Offer, currency: str, firm: Firm) -> None:
    price(offer.lines, currency, firm, prices_include_tax=offer.prices_include_tax)
    if offer.term_id is not None:
        firm.term(offer.term_id)
