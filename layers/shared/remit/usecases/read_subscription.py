"""A subscription with what was billed of it and what is to come (S1, I11)."""

from dataclasses import dataclass
from datetime import date

from remit.domain.open_items import OpenItem
from remit.domain.subscriptions import Period, Phase, Subscription, SubscriptionStatus
from remit.usecases.loading import need
from remit.usecases.ports import Books, Clock, open_item_ref, subscription_ref
from remit.usecases.subscribing import invoice_id_of

UPCOMING = 12
INVOICES = 24


@dataclass(frozen=True, slots=True)
class StandingSubscription:
    """A subscription as it is on a day. `planned`: the change that waits for the end of the period; `upcoming`: the next periods
    to be billed; `invoices`: those of the last periods billed, newest first."""

    subscription: Subscription
    status: SubscriptionStatus
    under_way: Period | None
    planned: Phase | None
    upcoming: tuple[Period, ...] = ()
    invoices: tuple[OpenItem, ...] = ()


def standing(subscription: Subscription, today: date) -> StandingSubscription:
    """How it stands, without its lists."""
    status, under_way = subscription.status_on(today), subscription.under_way(today)
    return StandingSubscription(subscription, status, under_way, subscription.planned(today))


def read_subscription(account_id: str, subscription_id: str, books: Books, clock: Clock) -> StandingSubscription:
    """Its invoices are found by their ids, which derive from the periods: no list is searched."""
    at = subscription_ref(account_id, subscription_id)
    subscription = need(books.load(at), at)
    found = standing(subscription, subscription.day_of(clock.now()))
    first = max(1, subscription.next_period - INVOICES)
    periods = [subscription.counted(number) for number in range(subscription.next_period - 1, first - 1, -1)]
    refs = [open_item_ref(account_id, invoice_id_of(subscription, period)) for period in periods]
    loaded = books.load(*refs) if refs else None
    items = tuple(item for ref in refs if loaded and (item := loaded.get(ref)))
    return StandingSubscription(
        subscription, found.status, found.under_way, found.planned, subscription.upcoming(UPCOMING), items
    )
