"""Plans and subscriptions: subscribed to, renewed, changed, paused, canceled."""

from decimal import Decimal

from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest
from remit.domain.plans import AppliesTo, Billing, Interval, Offer, Unit
from remit.domain.subscriptions import Subscription, When
from remit.usecases.cancel_subscription import CancellationOfSubscription, cancel_subscription
from remit.usecases.change_subscription import ChangeOfSubscription, change_subscription
from remit.usecases.define_plan import NewPlan, create_plan, revise_plan
from remit.usecases.pause_subscription import pause_subscription, resume_subscription
from remit.usecases.ports import AgendaKind
from remit.usecases.renew_subscription import Renewed, renew_subscription
from remit.usecases.start_subscription import SubscriptionWish, start_subscription
from simulation.model import Customer
from simulation.operations.gateway import due_now
from simulation.operations.orders import ORDER_REFUSALS
from simulation.operations.table import CURRENCIES, PRICES, TAX_CODES, TERMS, expect, operation
from simulation.world import CUSTOMER, SCHEDULE, Attempt, World

MOST_PLANS = 8
INTERVALS = (
    Interval(1, Unit.MONTH),
    Interval(1, Unit.MONTH),
    Interval(2, Unit.WEEK),
    Interval(10, Unit.DAY),
    Interval(1, Unit.YEAR),
)
NOT_NOW = frozenset(
    "subscription_over subscription_paused subscription_behind subscription_ending nothing_changes billing_differs".split()
)


def offer_of(world: World) -> Offer:
    on = world.random.choice
    lines = tuple(
        LineRequest("seat", Decimal(on(("1", "2.5"))), on((0, *PRICES)), on(TAX_CODES), "services")
        for _ in range(world.random.randint(1, 3))
    )
    return Offer(f"Plan {world.ids.made}", lines, world.sometimes(0.3), on((None, *TERMS[:3])))


@operation("define a plan", 1)
def defines_plan(world: World) -> Attempt:
    """A new one, as long as there are few, or another version."""
    plans, _ = world.books.plans(None, MOST_PLANS)
    offer, firm = offer_of(world), world.firm
    if len(plans) == MOST_PLANS:
        plan, applies_to = world.random.choice(plans), world.random.choice(tuple(AppliesTo))
        return Attempt(
            says=f"version {plan.newest + 1} of {plan.id} for {applies_to}",
            call=lambda request: revise_plan(plan.id, offer, applies_to, request, firm, world.books, world.clock),
            body=offer,
        )
    billing = world.random.choice(tuple(Billing))
    currency, interval = world.random.choice(CURRENCIES), world.random.choice(INTERVALS)
    wish = NewPlan(f"plan-{world.random.randrange(10**9)}", currency, interval, billing, offer)
    return Attempt(
        says=f"plan {wish.id} in {currency}, {billing}",
        call=lambda request: create_plan(wish, request, firm, world.books, world.clock),
        body=wish,
    )


@operation("subscribe", 2)
def subscribes(world: World) -> Attempt | None:
    customer, plan = world.customer(), world.pick(world.books.plans(None, MOST_PLANS)[0])
    if customer is None or plan is None:
        return None
    # Without an end only now and then: who has left would be billed for ever, and histories would grow without bound.
    periods = None if world.sometimes(0.05) else world.random.randint(1, 8)
    wish = SubscriptionWish(customer.id, plan.id, world.random.randint(1, 5), None, periods)
    return Attempt(
        says=f"{customer.id} subscribes to {plan.id}",
        call=lambda request: start_subscription(wish, request, world.firm, world.books, world.clock, world.ids),
        body=wish,
        by=CUSTOMER,
    )


@operation("renew a subscription", 8)
def renews(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.SUBSCRIPTION)
    if found is None:
        return None
    customer, subscription_id = found

    def note(renewed: Renewed) -> None:
        told = [item.subscription for item in customer.all(OpenItem) if item.subscription]
        billed = [period.period for period in told if period.subscription_id == subscription_id]
        expect("one invoice a period", len(billed) == len(set(billed)), f"{subscription_id} has {sorted(billed)}")
        behind = any(number >= renewed.subscription.next_period for number in billed)
        expect("what is billed is behind it", not behind, f"{subscription_id} has {sorted(billed)}")

    return Attempt(
        says=f"renew {subscription_id} of {customer.id}",
        call=lambda _request: renew_subscription(customer.id, subscription_id, world.firm, world.books, world.clock, world.ids),
        note=note,
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


def _one(world: World) -> tuple[Customer, Subscription] | None:
    customer = world.customer()
    subscription = world.pick(customer.all(Subscription)) if customer else None
    return (customer, subscription) if customer and subscription else None


@operation("change a subscription", 3)
def changes(world: World) -> Attempt | None:
    found = _one(world)
    if found is None:
        return None
    customer, subscription = found
    plans = [plan for plan in world.books.plans(None, MOST_PLANS)[0] if plan.currency == subscription.currency]
    plan = world.pick(plans) if world.sometimes(0.6) else None
    quantity = world.random.randint(1, 5) if world.sometimes(0.7) else None
    when = world.random.choice((When.NOW, When.NOW, When.PERIOD_END))
    wish = ChangeOfSubscription(customer.id, subscription.id, plan.id if plan else None, quantity, when)
    return Attempt(
        says=f"change {subscription.id} of {customer.id} {when}",
        call=lambda request: change_subscription(wish, request, world.firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=NOT_NOW | ORDER_REFUSALS,
        posts_bare=True,
    )


@operation("pause a subscription", 2)
def pauses(world: World) -> Attempt | None:
    found = _one(world)
    if found is None:
        return None
    customer, subscription = found
    return Attempt(
        says=f"pause {subscription.id} of {customer.id}",
        call=lambda request: pause_subscription(customer.id, subscription.id, None, request, world.books, world.clock, world.ids),
        body=subscription.id,
        may_refuse=NOT_NOW,
    )


@operation("resume a subscription", 2)
def resumes(world: World) -> Attempt | None:
    customer = world.customer()
    held = [each for each in customer.all(Subscription) if each.held_from] if customer else []
    subscription = world.pick(held)
    if customer is None or subscription is None:
        return None
    return Attempt(
        says=f"resume {subscription.id} of {customer.id}",
        call=lambda request: resume_subscription(customer.id, subscription.id, request, world.books, world.clock, world.ids),
        body=subscription.id,
        may_refuse=NOT_NOW | {"subscription_not_paused"},
    )


@operation("cancel a subscription", 1)
def cancels(world: World) -> Attempt | None:
    found = _one(world)
    if found is None:
        return None
    customer, subscription = found
    when = world.random.choice(tuple(When))
    wish = CancellationOfSubscription(customer.id, subscription.id, when, world.sometimes(0.5))
    return Attempt(
        says=f"cancel {subscription.id} of {customer.id} {when}",
        call=lambda request: cancel_subscription(wish, request, world.firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=NOT_NOW,
        posts_bare=True,
    )
