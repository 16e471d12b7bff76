"""Cancel a subscription, now or at the end of its period (S3)."""

from dataclasses import dataclass, replace
from datetime import datetime

from remit.domain.actor import Actor
from remit.domain.credit_notes import CreditNote
from remit.domain.firm import Firm
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.plans import Billing
from remit.domain.posting_rules import Circumstances
from remit.domain.subscriptions import Period, Subscription, SubscriptionEvent, SubscriptionEventKind, When
from remit.usecases.apply_credit import apply_lots, is_for_one_period
from remit.usecases.drafts import forgotten
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Ids, open_item_ref
from remit.usecases.renew_subscription import renew_subscription
from remit.usecases.subscribing import Subscribed, credit_unused, invoice_id_of, load_subscribed


@dataclass(frozen=True, slots=True)
class CancellationOfSubscription:
    """`credit_unused`: whether what was billed in advance for the days to come is credited; only what ends now leaves any."""

    account_id: str
    subscription_id: str
    when: When = When.PERIOD_END
    credit_unused: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CanceledSubscription:
    """The subscription, and the credit note for what was not used of it."""

    subscription: Subscription
    credit_note: CreditNote | None = None


def cancel_subscription(
    wish: CancellationOfSubscription,
    request: Request[CanceledSubscription],
    firm: Firm,
    books: Books,
    clock: Clock,
    ids: Ids,
) -> Answer:
    """End it with the period under way, or now. The last invoice is the subscription's final one from then on, also if it is
    issued already: the credits for the last payment pay it (C1).

    Now: what is due is billed first, where no rule refuses it; a period in advance that was never billed is given up. In arrears
    the days up to now are billed by the next run. `RuleError` `subscription_over` once it has ended.
    """
    now = clock.now()
    note_id = ids.new("crn")
    if wish.when is When.NOW and request.first(books) is None:  # a repeat bills nothing more
        renew_subscription(wish.account_id, wish.subscription_id, firm, books, clock, ids)

    def decide(consistent: bool) -> tuple[Changes, CanceledSubscription]:
        case = load_subscribed(wish.account_id, wish.subscription_id, firm, books, clock)
        subscription, today = case.subscription, case.subscription.day_of(now)
        canceled = subscription.cancel(wish.when, request.actor, wish.reason, today, now)
        why = Circumstances(firm.today(now), now, request.actor, wish.reason or "Subscription canceled")
        operation = Operation(forgotten(case.balance, now), why)
        note, more = _credit(operation, note_id, wish, case, firm, books, clock)
        is_marked = _mark_final(operation, canceled, case, firm, books)
        posted = operation.changes() if operation.entries or is_marked else []
        event = _event(canceled, note, now, request.actor, ids)
        return [*posted, *more, canceled, event], CanceledSubscription(canceled, note)

    return once(books, request, now, decide)


def _credit(
    operation: Operation,
    note_id: str,
    wish: CancellationOfSubscription,
    case: Subscribed,
    firm: Firm,
    books: Books,
    clock: Clock,
) -> tuple[CreditNote | None, Changes]:
    """Credit what was billed in advance for today and later, if that is wished."""
    subscription, today = case.subscription, case.subscription.day_of(clock.now())
    current = subscription.under_way(today)
    if not wish.credit_unused or wish.when is not When.NOW or current is None:
        return None, []
    if current.agreed.billing is not Billing.IN_ADVANCE:
        return None, []
    reason = operation.why.reason or ""
    credited = credit_unused(operation, note_id, subscription, current, today, reason, firm, books, clock)
    return (credited[0], [credited[1]]) if credited else (None, [])


def _mark_final(operation: Operation, canceled: Subscription, case: Subscribed, firm: Firm, books: Books) -> bool:
    """Make the last invoice the final one, if it is issued, and let the credits that wait for it pay it."""
    last = _last_billed(canceled, case.subscription)
    if last is None:
        return False
    account_id, invoice_id = case.account.id, invoice_id_of(case.subscription, last)
    if not operation.holds(OpenItem, invoice_id):
        item = books.load(open_item_ref(account_id, invoice_id)).get(open_item_ref(account_id, invoice_id))
        if item is None or item.is_void:
            return False
        operation.hold(item)
    item = operation.item(invoice_id)
    operation.change(replace(item, subscription=canceled.named(last.number)))
    apply_lots(operation, account_id, invoice_id, firm, books, consistent=True, wanted=is_for_one_period)
    return True


def _last_billed(canceled: Subscription, before: Subscription) -> Period | None:
    """The last period, if it was billed already."""
    number = (canceled.stop_before or 1) - 1
    return before.counted(number) if 1 <= number < before.next_period else None


def _event(canceled: Subscription, note: CreditNote | None, now: datetime, actor: Actor, ids: Ids) -> SubscriptionEvent:
    cancellation = canceled.cancellation
    facts = {
        "effective_on": cancellation.effective_on.isoformat() if cancellation else None,
        "reason": cancellation.reason if cancellation else None,
        "credit_note_id": note.id if note else None,
    }
    kind = SubscriptionEventKind.CANCELED
    return SubscriptionEvent(ids.new("sev"), canceled.account_id, canceled.id, kind, now, actor, facts)
