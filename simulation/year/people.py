"""The sample firm's customers: what they are billed and when, and how they pay. A new customer is a row of `PEOPLE`.

What somebody does follows from the day and from a seed of the fact itself (the invoice, the day), never from what was drawn
before. So whatever schedules miss or repeat, people do the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Protocol

from remit.domain.dunning import DunningPolicy, Reminder, Tier
from remit.domain.firm import STANDARD_POLICY
from remit.domain.late_charges import DayCount, InterestRule, LateChargeRules, LateFee, Rate
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, DisputeStatus
from remit.domain.subscriptions import When
from remit.domain.summaries import SummaryContent
from remit.domain.terms import Method
from remit.usecases.summary_schedules import ScheduleWish
from simulation.gateway import Intent, SimulatedGateway
from tests.support import invoicing, refunding, subscribing
from tests.support.builders import Office


class Town(Protocol):
    """What people see of the world around them."""

    @property
    def office(self) -> Office: ...

    @property
    def gateway(self) -> SimulatedGateway: ...

    def today_of(self, account_id: str) -> date:
        """The customer's own date."""
        ...

    def chance(self, *fact: object) -> Random:
        """What is left to chance about a fact: the same whenever it is asked."""
        ...

    def later(self, days: int, act: Callable[[], object]) -> None:
        """Do something in so many days, at this time of day in UTC."""
        ...


type Bills = Callable[[date], bool]
type Pays = Callable[[Town, OpenItem], object]
type Act = Callable[[Town, str, str], object]
"""What a subscriber does, by the ids of the account and its subscription."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer in `zone`. `pays` is asked every noon there about each invoice that is open, `pays_charges` about each late
    charge; `method` is saved and charged by itself, and `charged` says what the gateway makes of a charge. `policy`: the
    dunning policy, unless it is the firm's. `subscribed`: takes the monthly plan as of `ANCHOR`, and does each of its `acts` at
    nine on its day. `summaries`: the names of the schedules of summaries that the customer is on."""

    zone: str
    term: str
    bills: Bills
    pays: Pays
    says: str
    method: Method | None = None
    charged: Callable[[Town, Intent], object] | None = None
    minor: int = 10_000
    wallet: bool = False
    subscribed: bool = False
    acts: Mapping[date, Act] = field(default_factory=dict)
    summaries: tuple[str, ...] = ()
    policy: str | None = None
    pays_charges: Pays = lambda town, item: in_ten_days(town, item)


# ---- When they are billed


def monthly(day: int) -> Bills:
    """On that day of the month, or on its last one when it has no such day."""
    return lambda today: today.day == min(day, _last_day(today))


def weekly(weekday: int) -> Bills:
    return lambda today: today.weekday() == weekday


def on(*days: tuple[int, int]) -> Bills:
    """On these days (month, day) of any year."""
    return lambda today: (today.month, today.day) in days


def _last_day(today: date) -> int:
    return ((today.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day


# ---- How they pay


def _known_by(item: OpenItem) -> tuple[object, ...]:
    """What an invoice is, whatever numbers and ids others have taken before it."""
    return item.account_id, item.issued_on, item.total_minor


def never(_town: Town, _item: OpenItem) -> None:
    """What is charged by itself needs nobody."""


def _transfer(town: Town, item: OpenItem, minor: int) -> None:
    """Money for that invoice: a late charge that is older, or that has come a day later, leaves it what it is."""
    chosen = [Allocation(item.invoice_id, minor)]
    town.office.receive(item.account_id, minor, allocations=chosen, currency=item.currency)


def early(town: Town, item: OpenItem) -> None:
    """A few days after the invoice: with an early-payment discount less than what is open."""
    if town.today_of(item.account_id) >= item.issued_on + timedelta(days=town.chance(*_known_by(item)).randint(3, 8)):
        minor = item.payable_on(town.office.firm.today(town.office.clock.now()))
        town.office.receive(item.account_id, minor, oldest_first=True, currency=item.currency)


def when_due(town: Town, item: OpenItem) -> None:
    """Each part on its day."""
    due = item.due_on(town.today_of(item.account_id))
    if due:
        town.office.receive(item.account_id, due, oldest_first=True, currency=item.currency)


def late(town: Town, item: OpenItem) -> None:
    """One to five weeks after the day."""
    if item.next_due and town.today_of(item.account_id) >= item.next_due + timedelta(
        days=town.chance(*_known_by(item)).randint(7, 35)
    ):
        _transfer(town, item, item.open_minor)


def in_ten_days(town: Town, item: OpenItem) -> None:
    """Ten days after the invoice."""
    if town.today_of(item.account_id) >= item.issued_on + timedelta(days=10):
        _transfer(town, item, item.open_minor)


def not_at_all(town: Town, item: OpenItem) -> None:
    """After a hundred days the firm writes it off."""
    if town.today_of(item.account_id) >= (item.next_due or item.issued_on) + timedelta(days=100):
        invoicing.write_off(town.office, item.account_id, item.invoice_id)


def on_the_page(town: Town, item: OpenItem) -> Intent | None:
    """By card on the hosted page, two days before it is due if there is time; a third of the cards are declined first."""
    if not item.next_due or town.today_of(item.account_id) != max(item.issued_on, item.next_due - timedelta(days=2)):
        return None
    payment, _ = town.office.checkout(item.account_id, item.invoice_id)
    intent = town.gateway.opened[payment.id]
    if town.chance(*_known_by(item)).random() < 0.3:
        town.gateway.decline(intent)
    town.gateway.pay_by_card(intent)
    return intent


def and_complains(town: Town, item: OpenItem) -> None:
    """Like `on_the_page`; some payments are disputed three weeks later and decided after six, some purchases canceled."""
    paid = on_the_page(town, item)
    chance = town.chance(*_known_by(item), "complains")
    kind = chance.choice(("disputes", "cancels", "is content"))
    if paid and kind == "disputes":
        decision = chance.choice((DisputeStatus.WON, DisputeStatus.LOST))
        town.later(21, lambda: town.gateway.open_dispute(paid))
        town.later(42, lambda: town.gateway.decide_dispute(paid, decision))
    elif paid and kind == "cancels":
        town.later(5, lambda: refunding.cancel(town.office, item.account_id, item.invoice_id))
    not_at_all(town, item)


def after_a_decline(town: Town, item: OpenItem) -> None:
    """What is still due twelve days after it was to be charged, by transfer."""
    today = town.today_of(item.account_id)
    if item.next_due and today >= item.next_due + timedelta(days=12):
        _transfer(town, item, item.due_on(today))


# ---- What the gateway makes of a charge


def good_card(town: Town, intent: Intent) -> None:
    town.gateway.pay_by_card(intent)


def _charged(town: Town, intent: Intent) -> Iterator[object]:
    """The invoices that a charge is for."""
    for invoice_id in intent.invoice_ids:
        yield from _known_by(town.office.item(intent.payment.account_id, invoice_id))


def _tried(intent: Intent) -> int:
    """Which try at the invoice it is, from 1."""
    return intent.payment.collected.number if intent.payment.collected else 1


def doubtful_card(town: Town, intent: Intent) -> None:
    """Every other charge is declined, some for good."""
    chance = town.chance(*_charged(town, intent), intent.payment.amount_minor, _tried(intent))
    if chance.random() < 0.5:
        town.gateway.pay_by_card(intent)
    else:
        town.gateway.refuse(intent, *chance.choice((("insufficient_funds", False), ("stolen_card", True))))


def short_of_money(town: Town, intent: Intent) -> None:
    """Each invoice is declined once or twice before there is enough on the account."""
    if _tried(intent) <= town.chance(*_charged(town, intent), "balance").randint(1, 2):
        town.gateway.refuse(intent, "insufficient_funds", is_hard=False)
    else:
        town.gateway.pay_by_card(intent)


def lost_card(town: Town, intent: Intent) -> None:
    """Never charged again for the same invoice."""
    town.gateway.refuse(intent, "lost_card", is_hard=True)


def debit(town: Town, intent: Intent) -> None:
    """A bank takes four days; one debit of five fails then, one comes back after ten more."""
    chance = town.chance(*_charged(town, intent), intent.payment.amount_minor)
    fate = chance.choice(("good", "good", "good", "fails", "returned"))
    town.gateway.begin_debit(intent)
    town.later(4, lambda: town.gateway.fail_debit(intent) if fate == "fails" else town.gateway.pay(intent))
    if fate == "returned":
        town.later(14, lambda: town.gateway.return_debit(intent))


# ---- What subscribers do

ANCHOR = date(2028, 1, 31)
"""The first day of every subscription, on which no later month begins that has fewer days."""


def pauses(town: Town, account_id: str, subscription_id: str) -> None:
    subscribing.pause(town.office, account_id, subscription_id)


def resumes(town: Town, account_id: str, subscription_id: str) -> None:
    subscribing.resume(town.office, account_id, subscription_id)


def takes_three(town: Town, account_id: str, subscription_id: str) -> None:
    """From now on, in the middle of a period: what is left of it is credited and billed anew."""
    subscribing.change(town.office, account_id, subscription_id, quantity=3)


def leaves(town: Town, account_id: str, subscription_id: str) -> None:
    """At the end of the period that is paid for."""
    subscribing.cancel(town.office, account_id, subscription_id, When.PERIOD_END)


AMSTERDAM, NEW_YORK = "Europe/Amsterdam", "America/New_York"

PEOPLE: Mapping[str, Person] = {
    "Windmill Books": Person(AMSTERDAM, "net30", monthly(1), early, "pays early"),
    "Harbour Café": Person(AMSTERDAM, "no_cards", monthly(31), when_due, "pays when it is due", minor=4_250),
    "Forgetful & Sons": Person(AMSTERDAM, "net30", monthly(15), late, "pays late, by a policy of its own", policy="patient"),
    "Silent Ltd": Person(
        AMSTERDAM,
        "on_receipt",
        on((12, 20), (2, 29), (7, 1)),
        not_at_all,
        "does not pay",
        minor=55_000,
        pays_charges=not_at_all,
    ),
    "Brooklyn Records": Person(
        NEW_YORK, "net30", monthly(12), never, "card, charged when due", Method.CARD, good_card, minor=19_900
    ),
    "Hudson Design": Person(
        NEW_YORK, "on_receipt", monthly(5), after_a_decline, "card that is often declined", Method.CARD, doubtful_card
    ),
    "Polder Machines": Person(
        AMSTERDAM,
        "thirds",
        on((1, 31), (5, 31), (8, 31)),
        after_a_decline,
        "three parts by debit",
        Method.BANK_DEBIT,
        debit,
        minor=900_000,
    ),
    "Canal Tours": Person(AMSTERDAM, "net30", monthly(20), and_complains, "by card on the page, then disputes", minor=32_000),
    "Quarter & Co": Person(NEW_YORK, "early_always", monthly(28), early, "takes the discount", minor=80_000),
    "Weekly Bread": Person(
        AMSTERDAM, "on_receipt", weekly(6), on_the_page, "weekly, on Sundays", minor=1_295, summaries=("weekly",)
    ),
    "Parcel Post": Person(
        AMSTERDAM, "net30", weekly(2), never, "prepaid, topped up by itself", Method.CARD, good_card, minor=1_700, wallet=True
    ),
    "Daily Plant": Person(
        AMSTERDAM,
        "on_receipt",
        on(),
        when_due,
        "subscribed, pauses",
        subscribed=True,
        acts={date(2028, 3, 10): pauses, date(2028, 5, 5): resumes},
        summaries=("weekly",),
    ),
    "Growing Goods": Person(
        AMSTERDAM,
        "on_receipt",
        on(),
        never,
        "subscribed, takes more",
        Method.CARD,
        good_card,
        subscribed=True,
        acts={date(2028, 3, 16): takes_three},
        summaries=("weekly",),
    ),
    "Short Stay": Person(
        NEW_YORK,
        "on_receipt",
        on(),
        never,
        "subscribed, short of money, leaves",
        Method.CARD,
        short_of_money,
        subscribed=True,
        acts={date(2028, 5, 20): leaves},
        summaries=("weekly", "monthly"),
    ),
    "Bygone Books": Person(
        NEW_YORK,
        "on_receipt",
        on(),
        after_a_decline,
        "subscribed, with a lost card",
        Method.CARD,
        lost_card,
        subscribed=True,
        summaries=("monthly",),
    ),
}
"""Name → who that is. With the firm in Amsterdam, noon in New York is 18:00, or 17:00 while only one of the two has changed its
clocks."""

POLICIES: Mapping[str, DunningPolicy] = {
    STANDARD_POLICY: DunningPolicy(
        (Tier(1, 7, "dunning_tier_1"), Tier(2, 14, "dunning_tier_2"), Tier(3, 30, "dunning_tier_3")),
        (Reminder(-3, "reminder_upcoming"), Reminder(3, "reminder_overdue")),
        late_charges=LateChargeRules(
            LateFee({"EUR": 4_000}),
            InterestRule(
                (
                    Rate(date(2027, 7, 1), Decimal("10.15")),
                    Rate(date(2028, 1, 1), Decimal("10.40")),
                    Rate(date(2028, 7, 1), Decimal("9.90")),
                )
            ),
            fee_from_tier=2,
        ),
    ),
    "patient": DunningPolicy(
        (Tier(1, 10, "dunning_tier_1"), Tier(2, 20, "dunning_tier_2")),
        (Reminder(-7, "reminder_upcoming"), Reminder(0, "reminder_upcoming"), Reminder(5, "reminder_overdue")),
        "patient",
        late_charges=LateChargeRules(
            LateFee(percent=Decimal(1), minimum={"EUR": 500}),
            InterestRule((Rate(date(2027, 7, 1), Decimal(8)),), DayCount.ACTUAL_360, grace_days=5),
            interest_from_tier=2,
        ),
    ),
}
"""The firm's dunning policy, and a milder one of an account: reminders before and after each due date, a late fee, and interest,
the firm's at a rate that changes on 1 January and 1 July."""

SUMMARIES: Mapping[str, ScheduleWish] = {
    "weekly": ScheduleWish("weekly", "30 2 * * 0", AMSTERDAM, SummaryContent.RECENT_TRANSACTIONS),
    "monthly": ScheduleWish("monthly", "0 9 1 * *", NEW_YORK, SummaryContent.OPEN_INVOICES),
}
"""Schedules of summaries by name: one at an hour that is skipped on a Sunday in March and comes twice on one in October."""
