"""What came of a year, in words that do not depend on the hour at which schedules came to it: two runs of one seed compare by it.

Late charges stand apart from all else. One that is asked for a day later is of another amount, and has another number and other
payments; what it may not change is which days bear interest in the end, what they bear, and what the year is otherwise.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.messages import Message, MessageStatus
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.orders import OrderKind
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from simulation.year.year import Year

DAY = timedelta(days=1)


def documents(year: Year) -> dict[str, list[Any]]:
    """All documents but late charges, and what became of them, without times, numbers, and ids that count tries."""
    charges = _charges(year)
    payments = [p for p in year.all(Payment) if charges.isdisjoint(_paid_by(p))]
    return {
        "invoices": sorted((i.account_id, str(i.issued_on), i.total_minor) for i in year.all(Invoice) if i.id not in charges),
        "standing": sorted((*_named(i), i.open_minor, i.status) for i in year.all(OpenItem) if i.invoice_id not in charges),
        "payments": sorted((p.account_id, str(p.value_date), p.amount_minor, p.status, p.unapplied_minor) for p in payments),
        "credits": sorted((c.account_id, c.gross_minor, c.open_minor) for c in year.all(Credit)),
        "refunds": sorted((r.account_id, r.amount_minor, r.status) for r in year.all(Refund)),
    }


def mail(year: Year) -> Counter[tuple[str, ...]]:
    """What was sent of all but dunning and late charges: to whom, the template, and what it is about."""
    charges, payments = _charges(year), {payment.id: payment for payment in year.all(Payment)}
    named = {item.invoice_id: "/".join(_named(item)) for item in year.all(OpenItem)}
    named |= {payment.id: str(payment.amount_minor) for payment in payments.values()}
    told: Counter[tuple[str, ...]] = Counter()
    for message in _sent(year):
        names = [named.get(id, id) for id in message.about]
        paid = {invoice_id for id in message.about if id in payments for invoice_id in _paid_by(payments[id])}
        if not message.id.startswith(DUNNING) and charges.isdisjoint({*message.about, *paid}):
            told[message.account_id, message.template, *names] += 1
    return told


DUNNING = ("msg_dunning_", "msg_reminder_")


@dataclass(frozen=True, slots=True)
class Heard:
    """That an account was told about a part of an invoice: by the notice of a tier of which it is the oldest, or by the
    reminder `offset_days` from the day when it is due."""

    account_id: str
    invoice: tuple[str, ...]
    due_date: date
    tier: str = ""
    offset_days: int = 0


@dataclass(slots=True)
class Dunning:
    """When each thing was said, and which invoices the notices of each day listed."""

    heard: dict[Heard, datetime] = field(default_factory=dict)
    listed: set[tuple[date, tuple[str, ...]]] = field(default_factory=set)


def dunning(year: Year) -> Dunning:
    """All notices and reminders that were sent of what is not a late charge."""
    found = Dunning()
    items = {item.invoice_id: item for item in year.all(OpenItem) if item.kind is not OrderKind.LATE_CHARGE}
    for message in _sent(year):
        if message.id.startswith(DUNNING):
            day = year.world.firm.today(message.claimed_at)
            about = [items[id] for id in message.about if id in items]
            _, kind, _, _, due, step = message.id.split("_")
            if kind == "dunning":
                heard = [Heard(message.account_id, _named(about[0]), date.fromisoformat(due), tier=step)]
                found.listed.update((day, _named(item)) for item in about)
            else:
                heard = [_reminded(item, int(step), day) for item in about]
            found.heard |= dict.fromkeys(heard, message.claimed_at)
    return found


def _reminded(item: OpenItem, offset_days: int, day: date) -> Heard:
    """A reminder tells of the part whose day came last."""
    days = [part.due_date for part in item.parts if part.due_date]
    due = max(each for each in days if each + offset_days * DAY <= day)
    return Heard(item.account_id, _named(item), due, offset_days=offset_days)


def unexplained(calm: Year, wild: Year) -> list[Heard]:
    """What one year heard and the other did not, and should have. A run that is missed is made up for by the next one, which says
    what is so then: nothing to who has paid since, nothing of what is due once it is overdue, and a reminder not of what
    its notice lists."""
    ours, theirs = dunning(calm), dunning(wild)
    named = {_named(item): item for item in wild.all(OpenItem)}
    found = [heard for heard in theirs.heard if heard not in ours.heard and (_day_of(heard), heard.invoice) not in ours.listed]
    for heard, at in ours.heard.items():
        later = next((run for run in wild.runs["Dunning"] if run >= at), None)
        if heard in theirs.heard or later is None:
            continue
        day = wild.world.firm.today(later)
        is_listed = not heard.tier and (day, heard.invoice) in theirs.listed
        is_past = not heard.tier and heard.offset_days <= 0 and heard.due_date < day
        if _open_minor(wild, named[heard.invoice], day - DAY) and not is_listed and not is_past:
            found.append(heard)
    return found


def _day_of(heard: Heard) -> date | None:
    """The day on which a reminder is due."""
    return None if heard.tier else heard.due_date + heard.offset_days * DAY


def _open_minor(year: Year, item: OpenItem, by: date) -> int:
    """What was open of an invoice at the end of a day, by its entries."""
    owed = year.world.model.customers[item.account_id].subledger(item.currency).owed[item.invoice_id]
    return sum(each.amount_minor for each in owed if each.effective_on <= by)


# Late charges


@dataclass(slots=True)
class Charged:
    """What being late cost on an invoice: its fees by due date, the days that bore interest, and how much, in how many charges.
    `worth` is what simple interest for these days is by the entries, before rounding; `late`: the days that it was overdue, days
    of grace not among them; `counts`: whether it was late enough for its policy."""

    account_id: str
    fees: dict[date, int] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    interest_minor: int = 0
    roundings: int = 0
    worth: Fraction = Fraction(0)
    late: set[date] = field(default_factory=set)
    counts: bool = False
    is_paid: bool = False


def late_charges(year: Year) -> dict[tuple[str, ...], Charged]:
    """Each invoice that was overdue. `is_paid`: it is, and every charge for it was made by the end of the year."""
    charges = [invoice.late_charge for invoice in year.all(Invoice) if invoice.late_charge]
    found: dict[tuple[str, ...], Charged] = {}
    for item in year.all(OpenItem):
        charged = _overdue(year, item)
        if not item.can_be_charged_late or not charged.late:
            continue
        found[_named(item)] = charged
        for charge in (each for each in charges if each.invoice_id == item.invoice_id):
            charged.fees |= {fee.due_date: fee.amount_minor for fee in charge.fees}
            charged.interest_minor += charge.interest_minor
            charged.roundings += bool(charge.periods)
            charged.counts = True
            for period in charge.periods:
                days = {period.first + n * DAY for n in range(period.days)}
                charged.days |= days
                charged.worth += sum((_interest(year, item, day) for day in days), Fraction(0))
    return found


def _overdue(year: Year, item: OpenItem) -> Charged:
    customer = year.world.model.customers[item.account_id]
    policy = year.world.firm.dunning_policy(customer.account)
    rules = policy.late_charges
    if rules is None or rules.interest is None:
        return Charged(item.account_id)
    span = [item.issued_on + n * DAY for n in range((year.world.today - item.issued_on).days + 1)]
    grace = rules.interest.grace_days
    missed = [day for day in span if customer.overdue_minor(item.invoice_id, item.currency, day)]
    late = {day for day in missed if customer.overdue_minor(item.invoice_id, item.currency, day, grace)}
    enough = policy.tiers[rules.interest_from_tier - 1].from_days
    counts = bool(missed) and (missed[-1] - missed[0]).days + 1 >= enough
    is_settled = item.status is InvoiceStatus.PAID and item.late_interest_on is None
    return Charged(item.account_id, late=late, counts=counts, is_paid=is_settled)


def _interest(year: Year, item: OpenItem, day: date) -> Fraction:
    """A day's interest by the policy that the account has."""
    customer = year.world.model.customers[item.account_id]
    rules = year.world.firm.dunning_policy(customer.account).late_charges
    if rules is None or rules.interest is None:
        return Fraction(0)
    percent = next(rate.annual_percent for rate in reversed(rules.interest.rates) if rate.since <= day)
    base = customer.overdue_minor(item.invoice_id, item.currency, day, rules.interest.grace_days)
    return Fraction(base, 100 * rules.interest.day_count.year_days(day.year)) * Fraction(percent)


# Reading


def _named(item: OpenItem) -> tuple[str, ...]:
    """An invoice without what counts the others: there are no two alike."""
    return item.account_id, str(item.issued_on), str(item.total_minor)


def _charges(year: Year) -> set[str]:
    return {item.invoice_id for item in year.all(OpenItem) if item.kind is OrderKind.LATE_CHARGE}


def _paid_by(payment: Payment) -> set[str]:
    """The invoices that a payment was for."""
    return {allocation.invoice_id for allocation in (*payment.intended, *payment.allocations)}


def _sent(year: Year) -> Iterator[Message]:
    return (message for message in year.all(Message) if message.status is MessageStatus.SENT)
