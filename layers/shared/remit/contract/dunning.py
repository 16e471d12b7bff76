"""Dunning policies, and how an account's dunning stands, as the API speaks of them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from remit.contract.common import ActorView, Body, Currency, Day, LongText, Page, PositiveMinor, View
from remit.domain.automations import Automation
from remit.domain.dunning import (
    LAST_DAY,
    MAX_REMINDERS,
    MAX_TIERS,
    DunningPolicy,
    OpenPart,
    PolicyRevision,
    PromiseState,
    Reminder,
    Tier,
)
from remit.domain.late_charges import (
    MAX_GRACE_DAYS,
    MAX_PERCENT,
    MAX_RATES,
    DayCount,
    InterestRule,
    LateChargeRules,
    LateFee,
    Rate,
)
from remit.domain.pacing import MAX_RATE
from remit.usecases.dunning_run import RunProgress
from remit.usecases.promise_to_pay import GivenPromise, PromiseWish
from remit.usecases.read_dunning import DunningStanding

TemplateName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$", examples=["dunning_tier_1"])]
MessagesPerSecond = Annotated[int, Field(strict=True, ge=1, le=MAX_RATE, examples=[14])]

_LETTERS = {tier.number: tier.template for tier in DunningPolicy().tiers}
"""Number of a tier → its letter unless one is named; tiers beyond have the last one's."""
_BEFORE, _AFTER = "reminder_upcoming", "reminder_overdue"


class TierBody(Body):
    """A step of dunning: from this many days past due on. `template` is its letter; the usual one of its place unless named."""

    from_days: Annotated[int, Field(strict=True, ge=1, le=LAST_DAY, examples=[3])]
    template: TemplateName | None = None


class ReminderBody(Body):
    """A reminder so many days after a due date, before it if negative. `template` is its letter; `reminder_upcoming` up to the
    due date and `reminder_overdue` after it unless named."""

    offset_days: Annotated[int, Field(strict=True, ge=-LAST_DAY, le=LAST_DAY, examples=[-7])]
    template: TemplateName | None = None


class RateBody(Body):
    """`annual_percent` holds from the day `since` on, until a later rate does."""

    since: Day
    annual_percent: Annotated[Decimal, Field(ge=0, le=MAX_PERCENT, max_digits=8, decimal_places=4, examples=["10.15"])]


class InterestBody(Body):
    """Simple interest from the day after the due date, or `grace_days` later. Less than `minimum` (by currency) waits for more
    days or a late fee, and is let go when the invoice is paid."""

    rates: Annotated[list[RateBody], Field(min_length=1, max_length=MAX_RATES)]
    day_count: DayCount = DayCount.ACTUAL_365
    grace_days: Annotated[int, Field(strict=True, ge=0, le=MAX_GRACE_DAYS)] = 0
    minimum: dict[Currency, PositiveMinor] = Field({}, examples=[{"EUR": 500}])


class LateFeeBody(Body):
    """Amounts by currency: `fixed`, and `percent` of what is overdue with its `minimum`."""

    fixed: dict[Currency, PositiveMinor] = Field({}, examples=[{"EUR": 4000}])
    percent: Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4)] = Decimal(0)
    minimum: dict[Currency, PositiveMinor] = {}


TierNumber = Annotated[int, Field(strict=True, ge=1, le=10)]


class LateChargesBody(Body):
    """What being late costs, from which tier on: a fee once for each late part, interest, or both. Charged only while
    `switches.late_charges` is on."""

    fee: LateFeeBody | None = None
    interest: InterestBody | None = None
    fee_from_tier: TierNumber = 1
    interest_from_tier: TierNumber = 1

    def to_domain(self) -> LateChargeRules:
        interest = self.interest
        rates = tuple(Rate(rate.since, rate.annual_percent) for rate in interest.rates) if interest else ()
        return LateChargeRules(
            LateFee(**self.fee.model_dump()) if self.fee else None,
            InterestRule(rates, interest.day_count, interest.grace_days, interest.minimum) if interest else None,
            self.fee_from_tier,
            self.interest_from_tier,
        )


class DunningPolicyBody(Body):
    """The whole policy: tiers and reminders, each in rising order of days, and what being late costs."""

    tiers: Annotated[list[TierBody], Field(min_length=1, max_length=MAX_TIERS)]
    reminders: Annotated[list[ReminderBody], Field(max_length=MAX_REMINDERS)] = []
    late_charges: LateChargesBody | None = None

    def to_domain(self, policy_id: str) -> DunningPolicy:
        """Raises `InvalidError` for steps that do not rise."""
        last = max(_LETTERS)
        tiers = [
            Tier(number, tier.from_days, tier.template or _LETTERS[min(number, last)])
            for number, tier in enumerate(self.tiers, 1)
        ]
        reminders = [
            Reminder(each.offset_days, each.template or (_AFTER if each.offset_days > 0 else _BEFORE)) for each in self.reminders
        ]
        late_charges = self.late_charges.to_domain() if self.late_charges else None
        return DunningPolicy(tuple(tiers), tuple(reminders), policy_id, late_charges=late_charges)


class TierView(View):
    number: int
    from_days: int
    template: str


class ReminderView(View):
    offset_days: int
    template: str


class RateView(View):
    since: date
    annual_percent: Decimal


class InterestView(View):
    rates: list[RateView]
    day_count: DayCount
    grace_days: int
    minimum: dict[str, int]


class LateFeeView(View):
    fixed: dict[str, int]
    percent: Decimal
    minimum: dict[str, int]


class LateChargesView(View):
    fee: LateFeeView | None
    interest: InterestView | None
    fee_from_tier: int
    interest_from_tier: int


class DunningPolicyView(View):
    """`revision` counts the changes; 0 is the policy that Remit comes with."""

    id: str
    revision: int
    tiers: list[TierView]
    reminders: list[ReminderView]
    late_charges: LateChargesView | None


class DunningPoliciesView(View):
    policies: list[DunningPolicyView]


class PolicyRevisionView(View):
    """The policy as it was from `set_at` on."""

    policy: DunningPolicyView
    actor: ActorView
    set_at: datetime


class PolicyRevisionsPage(Page):
    revisions: list[PolicyRevisionView]

    @classmethod
    def of(cls, revisions: list[PolicyRevision], cursor: str | None) -> "PolicyRevisionsPage":
        return cls(revisions=[PolicyRevisionView.model_validate(revision) for revision in revisions], cursor=cursor)


class DunningPauseBody(Body):
    """Silent through `until`, in the firm's time zone."""

    until: Day
    reason: LongText


class PromiseBody(Body):
    """The customer promises `amount_minor` of what is overdue, by the end of `by`."""

    amount_minor: PositiveMinor
    by: Day
    currency: Currency | None = Field(None, description="The account's own unless named")
    note: LongText | None = None

    def to_wish(self, account_id: str) -> PromiseWish:
        return PromiseWish(account_id, self.amount_minor, self.by, self.currency, self.note)


class PromiseWithdrawalBody(Body):
    """Why the promise no longer counts."""

    note: LongText | None = None


class PromiseView(View):
    """`overdue_minor`: what was overdue when it was given. Kept once that has fallen by the amount, broken the day after `by`."""

    currency: str
    amount_minor: int
    by: date
    made_on: date
    overdue_minor: int
    state: PromiseState

    @classmethod
    def of(cls, given: GivenPromise) -> "PromiseView":
        facts = {name: getattr(given.promise, name) for name in ("amount_minor", "by", "made_on", "overdue_minor")}
        return cls(currency=given.currency, state=given.state, **facts)

    @classmethod
    def plain(cls, thing: Any) -> Any:
        return cls.of(thing).model_dump(mode="json")


class ListedPartView(View):
    """A part of an invoice in a letter."""

    invoice_id: str
    number: str
    currency: str
    due_date: date
    open_minor: int

    @classmethod
    def of(cls, listed: OpenPart) -> "ListedPartView":
        return cls(
            invoice_id=listed.invoice_id,
            number=listed.number,
            currency=listed.currency,
            due_date=listed.due_date,
            open_minor=listed.part.open_minor,
        )


class NoticeView(View):
    """`net_minor`: what it asks for, per currency net of credit."""

    tier: int
    template: str
    net_minor: dict[str, int]
    parts: list[ListedPartView]


class DueReminderView(View):
    offset_days: int
    template: str
    parts: list[ListedPartView]


class WouldSendView(View):
    """What a run would do now; `why`: one word for what the notice comes to. `look_again_on`: its next look after that."""

    why: str
    notice: NoticeView | None
    reminders: list[DueReminderView]
    look_again_on: date | None


class SaidView(View):
    """What was said last: the notice's tier, about which due date, and when; up to which day reminders were looked after."""

    tier: int
    oldest_due: date | None
    notified_on: date | None
    reminded_through: date | None


class DunningView(View):
    """`switched_on`: since when the firm and the account want it; null while one of them does not. `next_look_on`: the day of the
    next run that looks at the account; null while no day calls for one. `today`: what it would do if it did so today."""

    policy: DunningPolicyView
    switched_on: dict[Automation, datetime | None]
    paused_until: date | None
    pause_reason: str | None
    promises: list[PromiseView]
    said: SaidView
    next_look_on: date | None
    today: WouldSendView
    disputed: list[str] = Field(description="Numbers of invoices left out because they are in dispute")
    prepaid: list[str] = Field(description="Numbers of invoices left out because they are prepaid charges")

    @classmethod
    def of(cls, standing: DunningStanding) -> "DunningView":
        decision, account = standing.today, standing.account
        notice = decision.notice
        return cls(
            policy=DunningPolicyView.model_validate(standing.policy),
            switched_on=dict(standing.switched_on),
            paused_until=account.dunning_paused_until,
            pause_reason=account.dunning_pause_reason,
            promises=[PromiseView.of(given) for given in standing.promises],
            said=SaidView.model_validate(standing.said),
            next_look_on=standing.next_look_on,
            today=WouldSendView(
                why=decision.why,
                notice=NoticeView(
                    tier=notice.tier.number,
                    template=notice.tier.template,
                    net_minor=notice.net_minor,
                    parts=[ListedPartView.of(part) for part in notice.parts],
                )
                if notice
                else None,
                reminders=[
                    DueReminderView(
                        offset_days=due.reminder.offset_days,
                        template=due.reminder.template,
                        parts=[ListedPartView.of(part) for part in due.parts],
                    )
                    for due in decision.reminders
                ],
                look_again_on=decision.look_again_on,
            ),
            disputed=list(standing.disputed),
            prepaid=list(standing.prepaid),
        )


class DunningRunBody(Body):
    """How fast the run may send; the firm's `mail_rate` unless named."""

    messages_per_second: MessagesPerSecond | None = None


class RunCountsView(View):
    """Accounts looked at, those that failed among them, and messages. Those that failed rest with the dead letters."""

    looked_at: int
    notices: int
    reminders: int
    failed: int


class StartedRunView(View):
    """A run that was started; `id` names the execution."""

    id: str


class DunningRunView(View):
    """A run, started by hand or by its schedule. What one that was stopped or failed has not dealt with is still due."""

    id: str
    state: RunProgress
    started_at: datetime
    ended_at: datetime | None


class DunningRunCountsView(DunningRunView):
    """`counts`: of the accounts dealt with so far; null before the first are."""

    counts: RunCountsView | None


class DunningRunsView(View):
    runs: list[DunningRunView]
