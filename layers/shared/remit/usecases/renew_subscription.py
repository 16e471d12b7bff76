"""Bill the periods of a subscription whose time has come (S2)."""

from dataclasses import dataclass
from datetime import datetime

from remit.domain.actor import Actor, Channel
from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.subscriptions import Refusal, Subscription, SubscriptionEvent, SubscriptionEventKind
from remit.usecases.drafts import forgotten
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, Ids
from remit.usecases.subscribing import (
    Subscribed,
    bill_next_period,
    load_subscribed,
    pay_with_own_credits,
)

RENEWALS = Actor("renewals", Channel.SCHEDULE)

SLICE = 12
"""Periods that are billed at a time at most; a subscription that is further behind goes on when it is asked again."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The invoices issued now, oldest period first; `refusal`: why the next period could not be billed; `more`: whether another
    period is due."""

    subscription: Subscription
    invoices: tuple[str, ...] = ()
    refusal: Refusal | None = None
    more: bool = False


def renew_subscription(account_id: str, subscription_id: str, firm: Firm, books: Books, clock: Clock, ids: Ids) -> Renewed:
    """Bill what is due, oldest period first: order, invoice, entry and the subscription moved on in one transaction each.

    Whatever runs twice, late or side by side, a period is billed once: its order's id derives from it, and the subscription's
    version from before it is a condition of the write. Missed periods are dated today, and name their days. A period that a rule
    refuses is noted on the subscription and tried again the next day; none after it is billed before.
    """
    invoices: list[str] = []
    for _ in range(SLICE):
        step = persist(books, lambda: _step(account_id, subscription_id, firm, books, clock, ids))
        invoices += step.invoices
        if not step.more:
            return Renewed(step.subscription, tuple(invoices), step.refusal)
    return Renewed(step.subscription, tuple(invoices), more=True)


def _step(account_id: str, subscription_id: str, firm: Firm, books: Books, clock: Clock, ids: Ids) -> tuple[Changes, Renewed]:
    """Bill the next period, if it is due; `more` says that the one after it is, too."""
    case, now = load_subscribed(account_id, subscription_id, firm, books, clock), clock.now()
    if not _is_due(case.subscription, now):
        return [], Renewed(case.subscription)
    try:
        return _billing(case, firm, books, now)
    except (RuleError, InvalidError) as error:
        return _refusal(case.subscription, error, now, ids)


def _is_due(subscription: Subscription, now: datetime) -> bool:
    return subscription.due_on is not None and subscription.due_on <= subscription.day_of(now)


def _billing(case: Subscribed, firm: Firm, books: Books, now: datetime) -> tuple[Changes, Renewed]:
    operation = Operation(forgotten(case.balance, now), Circumstances(firm.today(now), now, RENEWALS))
    billed = bill_next_period(operation, case, firm, books)
    more = _is_due(billed.subscription, now)
    if billed.invoice is None:
        return billed.changes, Renewed(billed.subscription, more=more)
    pay_with_own_credits(operation, billed.invoice, case.account, firm, books)
    return [*operation.changes(), *billed.changes], Renewed(billed.subscription, (billed.invoice.id,), more=more)


def _refusal(subscription: Subscription, error: RuleError | InvalidError, now: datetime, ids: Ids) -> tuple[Changes, Renewed]:
    """Noted each time; told in the account's timeline once, as long as nothing changes."""
    refused = subscription.refused(error, now)
    before, refusal = subscription.last_refusal, refused.last_refusal
    known = before and refusal and (before.period, before.code) == (refusal.period, refusal.code)
    facts = {"period": subscription.next_period, "code": error.code, "detail": error.detail}
    event = SubscriptionEvent(
        ids.new("sev"), subscription.account_id, subscription.id, SubscriptionEventKind.REFUSED, now, RENEWALS, facts
    )
    return [refused] if known else [refused, event], Renewed(refused, refusal=refusal)
