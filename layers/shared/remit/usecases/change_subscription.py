"""Change the plan or the quantity of a subscription, now or at the end of its period (S3)."""

from dataclasses import dataclass
from datetime import date, datetime

from remit.domain.actor import Actor
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.operation import Operation
from remit.domain.plans import Billing
from remit.domain.posting_rules import Circumstances
from remit.domain.subscriptions import (
    Agreed,
    Period,
    Subscription,
    SubscriptionEvent,
    SubscriptionEventKind,
    When,
)
from remit.usecases.apply_credit import pay_as_far_as_it_may
from remit.usecases.drafts import forgotten
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Ids, plan_ref
from remit.usecases.renew_subscription import renew_subscription
from remit.usecases.subscribing import (
    Subscribed,
    bill_next_period,
    credit_unused,
    load_subscribed,
    pay_with_own_credits,
)


@dataclass(frozen=True, slots=True)
class ChangeOfSubscription:
    """Another plan, another quantity, or both; None: as it is."""

    account_id: str
    subscription_id: str
    plan_id: str | None = None
    quantity: int | None = None
    when: When = When.NOW


@dataclass(frozen=True, slots=True)
class ChangedSubscription:
    """The subscription after the change. `credit_note` takes back what was billed for the days to come, `invoice` bills them
    anew; `open_minor` is left to pay of it, `credit_minor` is left of the credit."""

    subscription: Subscription
    effective_on: date
    credit_note: CreditNote | None = None
    invoice: Invoice | None = None
    open_minor: int = 0
    credit_minor: int = 0


def change_subscription(
    wish: ChangeOfSubscription, request: Request[ChangedSubscription], firm: Firm, books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Change it, and with it credit and bill what that means, in one transaction.

    Now: the rest of the period, billed in advance, is credited on its invoice, line by line with its tax, and the rest is billed
    as a period of its own; the credit pays that invoice as far as it goes and may. In arrears, the days up to now are billed.
    What is due is billed before. Refusals as `Subscription.change` and as billing has them; in another currency
    `currency_mismatch`.
    """
    now = clock.now()
    note_id = ids.new("crn")
    if wish.when is When.NOW and request.first(books) is None:  # a repeat bills nothing more
        renew_subscription(wish.account_id, wish.subscription_id, firm, books, clock, ids)

    def decide(consistent: bool) -> tuple[Changes, ChangedSubscription]:
        changes, done = _decide(wish, note_id, request.actor, firm, books, clock)
        return [*changes, _event(done, now, request.actor, ids)], done

    return once(books, request, now, decide)


def preview_change(wish: ChangeOfSubscription, actor: Actor, firm: Firm, books: Books, clock: Clock) -> ChangedSubscription:
    """What the change would credit and bill if it were made now. Nothing is stored, and what is due is not billed before: then
    it is `subscription_behind`."""
    return _decide(wish, "crn_preview", actor, firm, books, clock)[1]


def _decide(
    wish: ChangeOfSubscription, note_id: str, actor: Actor, firm: Firm, books: Books, clock: Clock
) -> tuple[Changes, ChangedSubscription]:
    case = load_subscribed(wish.account_id, wish.subscription_id, firm, books, clock)
    subscription, today = case.subscription, case.subscription.day_of(clock.now())
    current = subscription.under_way(today)
    changed = subscription.change(_agreed(wish, subscription, current, books), wish.when, today)
    if current is None or changed.under_way(today) == current:
        effective = changed.planned(today)
        return [changed], ChangedSubscription(changed, effective.starts_on if effective else today)
    why = Circumstances(firm.today(clock.now()), clock.now(), actor, f"Subscription changed on {today.isoformat()}")
    operation = Operation(forgotten(case.balance, clock.now()), why)
    return _settled(operation, note_id, case, current, changed, today, firm, books, clock)


def _agreed(wish: ChangeOfSubscription, subscription: Subscription, current: Period | None, books: Books) -> Agreed:
    """What shall be subscribed to. Another plan is taken at its newest version, the same one as at a renewal."""
    known = current.agreed if current else subscription.phases[-1].agreed
    at = plan_ref(wish.plan_id or known.plan_id)
    plan = need(books.load(at), at)
    if plan.currency != subscription.currency:
        raise InvalidError(
            "currency_mismatch", f"The subscription is in {subscription.currency}, not {plan.currency}. Subscribe anew."
        )
    version = plan.version_after(known.plan_version) if plan.id == known.plan_id else plan.newest
    return Agreed(plan.id, version, wish.quantity or known.quantity, plan.interval, plan.billing)


def _settled(
    operation: Operation,
    note_id: str,
    case: Subscribed,
    current: Period,
    changed: Subscription,
    today: date,
    firm: Firm,
    books: Books,
    clock: Clock,
) -> tuple[Changes, ChangedSubscription]:
    """Credit the rest of the period under way, where it was billed, and bill what is due by the change."""
    note: CreditNote | None = None
    changes: Changes = []
    if current.agreed.billing is Billing.IN_ADVANCE:
        reason = operation.why.reason or ""
        credited = credit_unused(operation, note_id, case.subscription, current, today, reason, firm, books, clock)
        if credited:
            note, counter = credited
            changes.append(counter)
    at = Subscribed(case.account, changed, case.balance, case.series)
    billed = bill_next_period(operation, at, firm, books)
    if billed.invoice and note:
        pay_as_far_as_it_may(operation, operation.get(Credit, note.credit_id), billed.invoice.id, firm)
    if billed.invoice:
        pay_with_own_credits(operation, billed.invoice, case.account, firm, books)
    posted = operation.changes() if operation.entries else []
    return [*posted, *billed.changes, *changes], ChangedSubscription(
        billed.subscription,
        today,
        note,
        billed.invoice,
        operation.item(billed.invoice.id).open_minor if billed.invoice else 0,
        operation.get(Credit, note.credit_id).open_minor if note else 0,
    )


def _event(done: ChangedSubscription, now: datetime, actor: Actor, ids: Ids) -> SubscriptionEvent:
    subscription = done.subscription
    is_planned = done.effective_on > subscription.day_of(now)
    agreed = subscription.phases[-1].agreed
    facts = {
        "plan_id": agreed.plan_id,
        "quantity": agreed.quantity,
        "effective_on": done.effective_on.isoformat(),
        "credit_note_id": done.credit_note.id if done.credit_note else None,
        "invoice_id": done.invoice.id if done.invoice else None,
    }
    kind = SubscriptionEventKind.CHANGE_PLANNED if is_planned else SubscriptionEventKind.CHANGED
    return SubscriptionEvent(ids.new("sev"), subscription.account_id, subscription.id, kind, now, actor, facts)
