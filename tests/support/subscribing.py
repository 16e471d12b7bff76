"""Plans and subscriptions, for tests: what a firm and its customers do with them in one line."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption
from remit.domain.invoices import Invoice
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest
from remit.domain.plans import AppliesTo, Billing, Interval, Offer, PlanVersion, Unit
from remit.domain.subscriptions import Agreed, Period, Subscription, SubscriptionEvent, When, new_subscription
from remit.usecases.cancel_subscription import CanceledSubscription, CancellationOfSubscription, cancel_subscription
from remit.usecases.change_subscription import ChangedSubscription, ChangeOfSubscription, change_subscription, preview_change
from remit.usecases.define_plan import DefinedPlan, NewPlan, create_plan, revise_plan
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_credit import CreditWish, issue_credit
from remit.usecases.pause_subscription import pause_subscription, resume_subscription
from remit.usecases.ports import AgendaKind, invoice_ref, open_item_ref, subscription_ref
from remit.usecases.renew_subscription import Renewed, renew_subscription
from remit.usecases.start_subscription import SubscriptionWish, start_subscription
from remit.usecases.subscribing import invoice_id_of
from tests.support.builders import CLERK, Office, line

MONTHLY = Interval(1, Unit.MONTH)
YEARLY = Interval(1, Unit.YEAR)


def agreed(
    quantity: int = 1, interval: Interval = MONTHLY, billing: Billing = Billing.IN_ADVANCE, plan_id: str = "basic"
) -> Agreed:
    return Agreed(plan_id, 1, quantity, interval, billing)


def subscription(anchor: date, what: Agreed | None = None, periods: int | None = None, **changes: Any) -> Subscription:
    """A subscription as it is on the day of its anchor."""
    what = what or agreed()
    now = datetime.combine(anchor, time(9), ZoneInfo("Europe/Amsterdam"))
    made = new_subscription("sub_1", "acc_1", "EUR", "Europe/Amsterdam", what, anchor, periods, now)
    return replace(made, **changes)


def days(period: Period) -> tuple[str, str]:
    """First day, and the day after the last."""
    return period.starts_on.isoformat(), period.ends_before.isoformat()


def offer(minor: int = 10000, name: str = "Basic", **changes: Any) -> Offer:
    lines: Sequence[LineRequest] = changes.pop("lines", None) or (line(minor),)
    return Offer(name, tuple(lines), **changes)


def plan(
    office: Office,
    id: str = "basic",
    minor: int = 10000,
    interval: Interval = MONTHLY,
    billing: Billing = Billing.IN_ADVANCE,
    currency: str = "EUR",
    key: str | None = None,
    **changes: Any,
) -> str:
    """A plan of one line at 21 %: 10000 net is 12100 gross a period."""
    wish = NewPlan(id, currency, interval, billing, offer(minor, id.title(), **changes))
    ask: Request[DefinedPlan] = office.request(key, id)
    create_plan(wish, ask, office.firm, office.books, office.clock)
    return id


def revise(office: Office, plan_id: str, minor: int, applies_to: AppliesTo) -> Answer:
    ask: Request[PlanVersion] = office.request(None, minor)
    return revise_plan(plan_id, offer(minor), applies_to, ask, office.firm, office.books, office.clock)


def subscribe(office: Office, account_id: str, plan_id: str = "basic", key: str | None = None, **wish: Any) -> str:
    ask: Request[Subscription] = office.request(key, plan_id)
    wanted = SubscriptionWish(account_id, plan_id, **wish)
    answer = start_subscription(wanted, ask, office.firm, office.books, office.clock, office.ids)
    return str(answer.body["id"])


def renew(office: Office, account_id: str, subscription_id: str) -> Renewed:
    return renew_subscription(account_id, subscription_id, office.firm, office.books, office.clock, office.ids)


def due(office: Office) -> list[tuple[str, str]]:
    """What the agenda has to renew by now."""
    now = office.clock.now().isoformat()
    found, _ = office.books.due(AgendaKind.SUBSCRIPTION, now, None, 10**6)
    return [(thing.account_id, thing.id) for thing in found]


def run(office: Office) -> list[Renewed]:
    """What the schedule does: every subscription that is due, until none is."""
    done = []
    while waiting := due(office):
        done += [renew(office, *each) for each in waiting]
    return done


def change(
    office: Office,
    account_id: str,
    subscription_id: str,
    when: When = When.NOW,
    key: str | None = None,
    **wish: Any,
) -> Answer:
    wanted = ChangeOfSubscription(account_id, subscription_id, when=when, **wish)
    ask: Request[ChangedSubscription] = office.request(key, str(wanted))
    return change_subscription(wanted, ask, office.firm, office.books, office.clock, office.ids)


def preview(office: Office, account_id: str, subscription_id: str, when: When = When.NOW, **wish: Any) -> ChangedSubscription:
    wanted = ChangeOfSubscription(account_id, subscription_id, when=when, **wish)
    return preview_change(wanted, CLERK, office.firm, office.books, office.clock)


def cancel(
    office: Office, account_id: str, subscription_id: str, when: When, *, credit: bool = False, key: str | None = None
) -> Answer:
    wanted = CancellationOfSubscription(account_id, subscription_id, when, credit, "moved away")
    ask: Request[CanceledSubscription] = office.request(key, str(wanted))
    return cancel_subscription(wanted, ask, office.firm, office.books, office.clock, office.ids)


def pause(office: Office, account_id: str, subscription_id: str, on: date | None = None, key: str | None = None) -> Answer:
    ask: Request[Subscription] = office.request(key, str(on))
    return pause_subscription(account_id, subscription_id, on, ask, office.books, office.clock, office.ids)


def resume(office: Office, account_id: str, subscription_id: str, key: str | None = None) -> Answer:
    ask: Request[Subscription] = office.request(key, "resume")
    return resume_subscription(account_id, subscription_id, ask, office.books, office.clock, office.ids)


def stored(office: Office, account_id: str, subscription_id: str) -> Subscription:
    return office.books.read(subscription_ref(account_id, subscription_id))


def invoice_of(office: Office, account_id: str, subscription_id: str, number: int) -> Invoice:
    known = stored(office, account_id, subscription_id)
    return office.books.read(invoice_ref(account_id, invoice_id_of(known, known.counted(number))))


def item_of(office: Office, account_id: str, subscription_id: str, number: int) -> OpenItem:
    known = stored(office, account_id, subscription_id)
    return office.books.read(open_item_ref(account_id, invoice_id_of(known, known.counted(number))))


def invoices(office: Office, account_id: str) -> list[Invoice]:
    """All invoices of the account in the order of their numbers."""
    items, _ = office.books.newest(OpenItem, account_id, None, 10**6)
    found = [office.document(account_id, item.invoice_id) for item in items]
    return sorted(found, key=lambda invoice: invoice.number)


def events(office: Office, account_id: str) -> list[SubscriptionEvent]:
    """What the timeline tells of the account's subscriptions, oldest first."""
    found, _ = office.books.newest(SubscriptionEvent, account_id, None, 10**6)
    return found[::-1]


def give(office: Office, account_id: str, minor: int, kind: CreditKind, subscription_id: str) -> str:
    """A credit for the first or the last payment of a subscription."""
    terms = CreditTerms(kind, "welcome", subscription_id)
    wish = CreditWish(account_id, Money(minor, "EUR"), TaxOption.WAIVED, terms, None)
    ask: Request[Credit] = office.request(None, minor)
    return str(issue_credit(wish, ask, office.firm, office.books, office.clock, office.ids).body["id"])


def moves_to(office: Office, day: date | str) -> None:
    """Nine in the morning of that day where the firm is."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    moment = datetime.combine(day, time(9), ZoneInfo(office.firm.time_zone))
    office.clock.advance(seconds=(moment - office.clock.now()).total_seconds())


def proves(office: Office, account_id: str, currency: str = "EUR") -> None:
    """Replay explains everything; what is open is what is owed, and the lots are the credit (L6)."""
    assert office.differences(account_id) == ()
    items, _ = office.books.newest(OpenItem, account_id, None, 10**6)
    assert sum(item.open_minor for item in items) == office.balance(account_id, currency).receivable_minor
    credits, _ = office.books.newest(Credit, account_id, None, 10**6)
    lots = sum(credit.open_minor for credit in credits)
    assert lots <= office.balance(account_id, currency).credit_minor
