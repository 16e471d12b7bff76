"""Plans and subscriptions as the API speaks of them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from remit.contract.accounts import TermId
from remit.contract.common import ActorView, AmountMinor, Body, Currency, Day, Flag, Id, Page, ShortText, View
from remit.contract.credits import CreditNoteLineView, CreditNoteView
from remit.contract.firm import TaxCodeName
from remit.contract.invoices import LineView, OpenItemView, TotalsView, lines_of
from remit.domain.orders import LineRequest
from remit.domain.plans import MAX_PLAN_LINES, AppliesTo, Billing, Interval, Offer, Plan, PlanVersion, Unit
from remit.domain.subscriptions import MAX_QUANTITY, Agreed, Period, Subscription, SubscriptionStatus, When
from remit.usecases.cancel_subscription import CanceledSubscription, CancellationOfSubscription
from remit.usecases.change_subscription import ChangedSubscription, ChangeOfSubscription
from remit.usecases.define_plan import DefinedPlan, NewPlan
from remit.usecases.read_subscription import StandingSubscription, standing
from remit.usecases.start_subscription import SubscriptionWish

PlanId = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["basic-monthly"])]
Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]


class IntervalBody(Body):
    """`count` days, weeks, months or years, counted from the subscription's anchor."""

    count: Annotated[int, Field(strict=True, ge=1, le=366)] = 1
    unit: Unit


class PlanLineBody(Body):
    """A line of one period for a quantity of one."""

    description: Annotated[ShortText, Field(max_length=900)]
    quantity: Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6, examples=["1"])] = Decimal(1)
    unit_price_minor: AmountMinor
    tax_code: TaxCodeName
    category: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["subscriptions"])] = "sales"


class OfferBody(Body):
    """What the plan is called, what a period costs, and on which term (the account's default, unless named)."""

    name: ShortText
    lines: Annotated[list[PlanLineBody], Field(min_length=1, max_length=MAX_PLAN_LINES)]
    prices_include_tax: Flag = False
    term_id: TermId | None = None

    def to_offer(self) -> Offer:
        lines = tuple(LineRequest(**line.model_dump()) for line in self.lines)
        return Offer(self.name, lines, self.prices_include_tax, self.term_id)


class NewPlanBody(OfferBody):
    """`id` is the firm's own. Currency, interval and billing stay as they are for good."""

    id: PlanId
    currency: Currency
    interval: IntervalBody
    billing: Billing = Billing.IN_ADVANCE

    def to_wish(self) -> NewPlan:
        interval = Interval(self.interval.count, self.interval.unit)
        return NewPlan(self.id, self.currency, interval, self.billing, self.to_offer())


class NewPlanVersionBody(OfferBody):
    """`applies_to`: `new` subscriptions only, or `renewals` too, each from its next period on."""

    applies_to: AppliesTo


class NewSubscriptionBody(Body):
    """`anchor`: the first day, and that from which all periods are counted; today unless named, and all periods since are billed.
    `periods`: how many there are; until it is canceled, unless named."""

    plan_id: PlanId
    quantity: Quantity = 1
    anchor: Day | None = None
    periods: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None

    def to_wish(self, account_id: str) -> SubscriptionWish:
        return SubscriptionWish(account_id, self.plan_id, self.quantity, self.anchor, self.periods)


class ChangeSubscriptionBody(Body):
    """Another plan, another quantity, or both."""

    plan_id: PlanId | None = None
    quantity: Quantity | None = None
    when: When = When.NOW

    def to_wish(self, account_id: str, subscription_id: str) -> ChangeOfSubscription:
        return ChangeOfSubscription(account_id, subscription_id, self.plan_id, self.quantity, self.when)


class PauseSubscriptionBody(Body):
    """Periods that begin on `from_on` (today, unless named) or later are not billed."""

    from_on: Day | None = None


class ResumeBody(Body):
    """Nothing to choose: a subscription is resumed today."""


class CancelSubscriptionBody(Body):
    """`credit_unused`: whether what was billed for the days after a cancellation `now` is credited."""

    when: When = When.PERIOD_END
    credit_unused: Flag = False
    reason: ShortText | None = None

    def to_wish(self, account_id: str, subscription_id: str) -> CancellationOfSubscription:
        return CancellationOfSubscription(account_id, subscription_id, self.when, self.credit_unused, self.reason)


class IntervalView(View):
    count: int
    unit: Unit


class PlanLineView(View):
    description: str
    quantity: Decimal
    unit_price_minor: int
    tax_code: str
    category: str


class PlanVersionView(View):
    number: int
    name: str
    lines: list[PlanLineView]
    prices_include_tax: bool
    term_id: str | None
    applies_to: AppliesTo
    created_at: datetime
    created_by: ActorView

    @classmethod
    def of(cls, version: PlanVersion) -> "PlanVersionView":
        plain = {name: getattr(version if hasattr(version, name) else version.offer, name) for name in cls.model_fields}
        return cls.model_validate(plain)

    @classmethod
    def written(cls, version: PlanVersion) -> Any:
        return cls.of(version).model_dump(mode="json")


class PlanView(View):
    """`newest`: the version that new subscriptions take; `for_renewals`: that which all others move up to."""

    id: str
    name: str
    currency: str
    interval: IntervalView
    billing: Billing
    created_at: datetime
    newest: int
    for_renewals: int

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        return cls.model_validate(plan)


class DefinedPlanView(PlanView):
    """The plan with its versions, newest first."""

    versions: list[PlanVersionView]

    @classmethod
    def defined(cls, found: DefinedPlan) -> "DefinedPlanView":
        plain = PlanView.of(found.plan).model_dump()
        return cls.model_validate(plain | {"versions": [PlanVersionView.of(each) for each in found.versions]})

    @classmethod
    def written(cls, found: DefinedPlan) -> Any:
        return cls.defined(found).model_dump(mode="json")


class PlansPage(Page):
    plans: list[PlanView]


class AgreedView(View):
    """What is subscribed to."""

    plan_id: str
    plan_version: int = Field(description="The version that it has now; a renewal may move it up")
    quantity: int
    interval: IntervalView
    billing: Billing


class PeriodView(View):
    """A period of `days`, of `whole_days` where a change or a cancellation has cut it."""

    number: int
    starts_on: date
    last_day: date
    bill_on: date
    days: int
    whole_days: int
    agreed: AgreedView

    @classmethod
    def of(cls, period: Period) -> "PeriodView":
        last_day = date.fromordinal(period.ends_before.toordinal() - 1)
        plain = {name: getattr(period, name) for name in cls.model_fields if name != "last_day"}
        return cls.model_validate(plain | {"last_day": last_day})


class PlannedChangeView(View):
    """What is subscribed to from the period that begins on `starts_on`."""

    starts_on: date
    agreed: AgreedView


class RefusalView(View):
    """Why the next period could not be billed. It is tried again each day."""

    period: int
    code: str
    detail: str
    refused_at: datetime


class CancellationOfSubscriptionView(View):
    effective_on: date = Field(description="The first day without it")
    canceled_at: datetime
    actor: ActorView
    reason: str | None


class SubscriptionView(View):
    """`next_bill_on`: when its next period is billed, or tried again; null when there is none to come."""

    id: Id
    account_id: Id
    currency: str
    time_zone: str
    created_at: datetime
    status: SubscriptionStatus
    agreed: AgreedView
    anchor: date
    under_way: PeriodView | None = Field(description="The period that today lies in")
    planned: PlannedChangeView | None = Field(description="The change that waits for the end of the period")
    next_bill_on: date | None
    periods_left: int | None = Field(description="How many are still to be billed; null where it goes on until it is canceled")
    cancellation: CancellationOfSubscriptionView | None
    last_refusal: RefusalView | None

    @classmethod
    def of(cls, found: StandingSubscription) -> "SubscriptionView":
        return cls.model_validate(_plain(found))

    @classmethod
    def on(cls, subscription: Subscription, now: datetime) -> "SubscriptionView":
        return cls.of(standing(subscription, subscription.day_of(now)))


def _plain(found: StandingSubscription) -> dict[str, Any]:
    subscription = found.subscription
    phase = subscription.phase_of(found.under_way.number if found.under_way else subscription.next_period)
    agreed: Agreed = found.under_way.agreed if found.under_way else phase.agreed
    stop = subscription.stop_before
    names = ("id", "account_id", "currency", "time_zone", "created_at", "cancellation", "last_refusal")
    return {name: getattr(subscription, name) for name in names} | {
        "status": found.status,
        "agreed": agreed,
        "anchor": phase.anchor,
        "under_way": PeriodView.of(found.under_way) if found.under_way else None,
        "planned": found.planned,
        "next_bill_on": subscription.due_on,
        "periods_left": max(0, stop - subscription.next_period) if stop is not None else None,
    }


class SubscriptionDetailView(SubscriptionView):
    """With the periods that are to be billed next, and the invoices of the last ones billed, newest first."""

    upcoming: list[PeriodView]
    invoices: list[OpenItemView]

    @classmethod
    def detailed(cls, found: StandingSubscription, today: date) -> "SubscriptionDetailView":
        lists = {
            "upcoming": [PeriodView.of(period) for period in found.upcoming],
            "invoices": [OpenItemView.of(item, today) for item in found.invoices],
        }
        return cls.model_validate(_plain(found) | lists)


class SubscriptionsPage(Page):
    subscriptions: list[SubscriptionView]


class SubscriptionQuoteView(View):
    """What a change means: `credited` takes back what was billed for the days from `effective_on` on, `billed` bills them (or, in
    arrears, those before) anew. The credit pays that invoice: `open_minor` is left to pay of it, `credit_minor` of the credit."""

    effective_on: date
    credited: list[CreditNoteLineView]
    credited_minor: int
    billed: TotalsView | None
    billed_lines: list[LineView]
    open_minor: int
    credit_minor: int

    @classmethod
    def of(cls, change: ChangedSubscription) -> "SubscriptionQuoteView":
        note, invoice = change.credit_note, change.invoice
        return cls(
            effective_on=change.effective_on,
            credited=[CreditNoteLineView.of(line) for line in note.lines] if note else [],
            credited_minor=note.gross_minor if note else 0,
            billed=TotalsView.of(invoice.priced) if invoice else None,
            billed_lines=lines_of(invoice.priced) if invoice else [],
            open_minor=change.open_minor,
            credit_minor=change.credit_minor,
        )


class ChangedSubscriptionView(SubscriptionQuoteView):
    """The change as it was made, with its documents."""

    subscription: SubscriptionView
    credit_note_id: Id | None
    credit_note_number: str | None
    invoice_id: Id | None
    invoice_number: str | None

    @classmethod
    def made(cls, change: ChangedSubscription, now: datetime) -> "ChangedSubscriptionView":
        note, invoice = change.credit_note, change.invoice
        documents = {
            "subscription": SubscriptionView.on(change.subscription, now),
            "credit_note_id": note.id if note else None,
            "credit_note_number": note.number if note else None,
            "invoice_id": invoice.id if invoice else None,
            "invoice_number": invoice.number if invoice else None,
        }
        return cls.model_validate(SubscriptionQuoteView.of(change).model_dump() | documents)


class CanceledSubscriptionView(View):
    subscription: SubscriptionView
    credit_note: CreditNoteView | None

    @classmethod
    def of(cls, canceled: CanceledSubscription, now: datetime) -> "CanceledSubscriptionView":
        note = canceled.credit_note
        return cls(
            subscription=SubscriptionView.on(canceled.subscription, now), credit_note=CreditNoteView.of(note) if note else None
        )
