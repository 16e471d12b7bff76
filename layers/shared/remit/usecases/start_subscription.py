"""Subscribe an account to a plan (S1)."""

from dataclasses import dataclass
from datetime import date

from remit.domain.firm import Firm
from remit.domain.subscriptions import Agreed, Subscription, SubscriptionEvent, SubscriptionEventKind, new_subscription
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref, plan_ref


@dataclass(frozen=True, slots=True)
class SubscriptionWish:
    """`anchor` None: today where the customer is. `periods` None: until it is canceled."""

    account_id: str
    plan_id: str
    quantity: int = 1
    anchor: date | None = None
    periods: int | None = None


def start_subscription(
    wish: SubscriptionWish, request: Request[Subscription], firm: Firm, books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Store the subscription at the newest version of its plan. Its periods are billed by the runs, the first one too: so there
    is time to give the credit that shall pay it (C1). `InvalidError` for an anchor, quantity or number that cannot be."""
    now = clock.now()
    subscription_id = ids.new("sub")

    def decide(consistent: bool) -> tuple[Changes, Subscription]:
        loaded = books.load(account_ref(wish.account_id), plan_ref(wish.plan_id))
        account, plan = need_account(loaded, wish.account_id), need(loaded, plan_ref(wish.plan_id))
        agreed = Agreed(plan.id, plan.newest, wish.quantity, plan.interval, plan.billing)
        zone = account.time_zone or firm.time_zone
        started = new_subscription(subscription_id, account.id, plan.currency, zone, agreed, wish.anchor, wish.periods, now)
        facts = {"plan_id": plan.id, "quantity": wish.quantity, "anchor": started.phases[0].anchor.isoformat()}
        event = SubscriptionEvent(
            ids.new("sev"), account.id, started.id, SubscriptionEventKind.STARTED, now, request.actor, facts
        )
        return [started, event], started

    return once(books, request, now, decide)
