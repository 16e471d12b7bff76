"""Pause a subscription, and resume it (S3)."""

from collections.abc import Callable
from datetime import date
from typing import Any

from remit.domain.subscriptions import Subscription, SubscriptionEvent, SubscriptionEventKind
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Ids, subscription_ref


def pause_subscription(
    account_id: str,
    subscription_id: str,
    from_on: date | None,
    request: Request[Subscription],
    books: Books,
    clock: Clock,
    ids: Ids,
) -> Answer:
    """Bill no period that begins on `from_on` (today unless named) or later, until it is resumed. Refusals as
    `Subscription.pause` has them."""

    def pause(subscription: Subscription, today: date) -> tuple[Subscription, dict[str, Any]]:
        paused = subscription.pause(from_on or today, today)
        held = paused.counted(paused.held_from or paused.next_period)
        return paused, {"from_on": held.starts_on.isoformat(), "period": held.number}

    return _do(account_id, subscription_id, SubscriptionEventKind.PAUSED, pause, request, books, clock, ids)


def resume_subscription(
    account_id: str, subscription_id: str, request: Request[Subscription], books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Bill its periods again, from today or, where none was left out, as if nothing had been."""

    def resume(subscription: Subscription, today: date) -> tuple[Subscription, dict[str, Any]]:
        resumed = subscription.resume(today)
        begins = resumed.counted(subscription.held_from or resumed.next_period)
        return resumed, {"from_on": begins.starts_on.isoformat(), "period": begins.number}

    return _do(account_id, subscription_id, SubscriptionEventKind.RESUMED, resume, request, books, clock, ids)


def _do(
    account_id: str,
    subscription_id: str,
    kind: SubscriptionEventKind,
    change: Callable[[Subscription, date], tuple[Subscription, dict[str, Any]]],
    request: Request[Subscription],
    books: Books,
    clock: Clock,
    ids: Ids,
) -> Answer:
    now, at = clock.now(), subscription_ref(account_id, subscription_id)

    def decide(consistent: bool) -> tuple[Changes, Subscription]:
        subscription = need(books.load(at), at)
        changed, facts = change(subscription, subscription.day_of(now))
        return [changed, SubscriptionEvent(ids.new("sev"), account_id, subscription_id, kind, now, request.actor, facts)], changed

    return once(books, request, now, decide)
