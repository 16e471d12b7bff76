"""The firm's profile and rules as the API speaks of them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from remit.contract.accounts import AddressBody, AddressView, TaxIdBody, TaxIdView, TermId, TimeZone
from remit.contract.common import AmountMinor, Body, Currency, Day, Email, Flag, PositiveMinor, ShortText, View
from remit.domain.accounts import TaxId
from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy, Tier
from remit.domain.firm import STANDARD_POLICY, Firm, LostDispute, MoneyRules
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
from remit.domain.orders import OrderKind
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import (
    MAX_PARTS,
    CardFee,
    ChargeKind,
    Collect,
    DiscountTax,
    Due,
    DueRule,
    EarlyDiscount,
    Method,
    PaymentTerm,
    TermPart,
)

NEVER = datetime.min.replace(tzinfo=UTC)
"""Stands for the instant of switching on, which the use case knows."""

TaxCodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,20}$", examples=["VAT21"])]


class TaxCodeBody(Body):
    """`rate` in percent, only with kind `standard`; `reason` is required for `exempt` and `reverse_charge`."""

    code: TaxCodeName
    kind: TaxKind
    rate: Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4, examples=["21"])] = Decimal(0)
    reason: ShortText | None = None


Percent = Annotated[Decimal, Field(gt=0, le=100, max_digits=7, decimal_places=4, examples=["30"])]
"""A percentage, written as text or number."""


class DueBody(Body):
    """When a part falls due. `days` with the rules that count; `on` with `fixed_date` alone."""

    rule: DueRule
    days: Annotated[int, Field(strict=True, ge=0, le=730)] = 0
    on: Day | None = None


class TermPartBody(Body):
    """A `percent` of the goods, a fixed amount in the term's currency, or (neither) the rest."""

    due: DueBody
    percent: Percent | None = None
    fixed_minor: PositiveMinor | None = None

    def to_domain(self) -> TermPart:
        return TermPart(Due(self.due.rule, self.due.days, self.due.on), self.percent, self.fixed_minor)


class EarlyDiscountBody(Body):
    """`percent` off the net for payment within `days` of the issue date; `tax` says what becomes of the tax."""

    percent: Annotated[Decimal, Field(gt=0, lt=100, max_digits=7, decimal_places=4, examples=["2"])]
    days: Annotated[int, Field(strict=True, ge=0, le=365, examples=[10])]
    tax: DiscountTax = DiscountTax.ON_EARLY_PAYMENT


class CardFeeBody(Body):
    """What paying by card costs the payer on top, net; taxed with the firm's `tax_code`."""

    tax_code: TaxCodeName
    percent: Annotated[Decimal, Field(ge=0, le=20, max_digits=7, decimal_places=4, examples=["1.5"])] = Decimal(0)
    fixed_minor: AmountMinor = 0


class TermBody(Body):
    """Parts of the total, each with its due date. All methods are allowed unless some are named."""

    id: TermId
    name: ShortText
    parts: Annotated[
        list[TermPartBody],
        Field(min_length=1, max_length=MAX_PARTS, examples=[[{"due": {"rule": "net_days", "days": 30}}]]),
    ]
    methods: Annotated[list[Method], Field(min_length=1, max_length=10)] = Field(default_factory=lambda: list(Method))
    currency: Currency | None = Field(None, description="Needed where amounts are fixed; the term is then for it alone")
    discount: EarlyDiscountBody | None = None
    collect: dict[ChargeKind, Collect] = Field({}, description="With which part each extra charge comes; the first unless named")
    card_fee: CardFeeBody | None = None

    def to_domain(self) -> PaymentTerm:
        discount, fee = self.discount, self.card_fee
        return PaymentTerm(
            id=self.id,
            name=self.name,
            parts=tuple(part.to_domain() for part in self.parts),
            methods=tuple(self.methods),
            currency=self.currency,
            discount=EarlyDiscount(discount.percent, discount.days, discount.tax) if discount else None,
            collect=self.collect,
            card_fee=CardFee(fee.tax_code, fee.percent, fee.fixed_minor) if fee else None,
        )


class MoneyRulesBody(Body):
    """What the firm decides about credits, refunds and lost disputes."""

    credits_pay_instalments: Flag = False
    refund_limits: dict[Currency, AmountMinor] = Field({}, description="The largest refund that one person may make alone")
    hold_refunds: Flag = Field(True, description="Card refunds wait for the end of the gateway's day, and can be canceled")
    gateway_time_zone: TimeZone = "UTC"
    lost_dispute: LostDispute = LostDispute.REOPEN


class TierBody(Body):
    """A step of dunning: from this many days past due on."""

    from_days: Annotated[int, Field(strict=True, ge=1, le=3650)]


class RateBody(Body):
    """`annual_percent` holds from the day `since` on, until a later rate does."""

    since: Day
    annual_percent: Annotated[Decimal, Field(ge=0, le=MAX_PERCENT, max_digits=8, decimal_places=4, examples=["10.15"])]


class InterestBody(Body):
    """Simple interest from the day after the due date, or `grace_days` later."""

    rates: Annotated[list[RateBody], Field(min_length=1, max_length=MAX_RATES)]
    day_count: DayCount = DayCount.ACTUAL_365
    grace_days: Annotated[int, Field(strict=True, ge=0, le=MAX_GRACE_DAYS)] = 0


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
            InterestRule(rates, interest.day_count, interest.grace_days) if interest else None,
            self.fee_from_tier,
            self.interest_from_tier,
        )


class FirmBody(Body):
    """The whole profile; what is not named goes back to its default."""

    name: ShortText
    email: Email
    address: AddressBody
    time_zone: TimeZone
    default_currency: Currency
    tax_ids: Annotated[list[TaxIdBody], Field(max_length=10)] = []
    invoice_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,10}$", examples=["INV"])] = "INV"
    credit_note_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,10}$", examples=["CN"])] = "CN"
    templates: dict[OrderKind, Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]] = Field(
        {}, description="Kind of order → template of its invoices; `invoice` unless named"
    )
    tax_codes: Annotated[list[TaxCodeBody], Field(max_length=50)] = []
    terms: Annotated[list[TermBody], Field(max_length=50)] = []
    dunning_tiers: Annotated[list[TierBody], Field(min_length=3, max_length=3)] | None = None
    late_charges: LateChargesBody | None = None
    switches: dict[Automation, Flag] = Field({}, description="What the firm wants done by itself; off unless named")
    money: MoneyRulesBody = MoneyRulesBody()

    def to_domain(self) -> Firm:
        """Raises `InvalidError` for codes, terms or tiers that contradict themselves."""
        codes = [TaxCode(code.code, code.kind, code.rate, code.reason) for code in self.tax_codes]
        terms = [term.to_domain() for term in self.terms]
        return Firm(
            name=self.name,
            email=self.email,
            address=self.address.to_domain(),
            time_zone=self.time_zone,
            default_currency=self.default_currency,
            tax_ids=tuple(TaxId(**tax_id.model_dump()) for tax_id in self.tax_ids),
            invoice_prefix=self.invoice_prefix,
            credit_note_prefix=self.credit_note_prefix,
            templates={str(kind): template for kind, template in self.templates.items()},
            tax_codes={code.code: code for code in codes},
            terms={term.id: term for term in terms},
            dunning_policies={STANDARD_POLICY: self._policy()} if self.dunning_tiers or self.late_charges else {},
            switches={automation: NEVER for automation, on in self.switches.items() if on},
            money=MoneyRules(**self.money.model_dump()),
        )

    def _policy(self) -> DunningPolicy:
        tiers = tuple(Tier(n, tier.from_days, f"dunning_tier_{n}") for n, tier in enumerate(self.dunning_tiers or (), 1))
        charges = self.late_charges.to_domain() if self.late_charges else None
        return DunningPolicy(tiers or DunningPolicy().tiers, late_charges=charges)


class TaxCodeView(View):
    code: str
    kind: TaxKind
    rate: Decimal
    reason: str | None


class DueView(View):
    rule: DueRule
    days: int
    on: date | None


class TermPartView(View):
    due: DueView
    percent: Decimal | None
    fixed_minor: int | None


class EarlyDiscountView(View):
    percent: Decimal
    days: int
    tax: DiscountTax


class CardFeeView(View):
    tax_code: str
    percent: Decimal
    fixed_minor: int


class TermView(View):
    id: str
    name: str
    parts: list[TermPartView]
    methods: list[Method]
    currency: str | None
    discount: EarlyDiscountView | None
    collect: dict[ChargeKind, Collect]
    card_fee: CardFeeView | None


class MoneyRulesView(View):
    credits_pay_instalments: bool
    refund_limits: dict[str, int]
    hold_refunds: bool
    gateway_time_zone: str
    lost_dispute: LostDispute


class TierView(View):
    number: int
    from_days: int


class RateView(View):
    since: date
    annual_percent: Decimal


class InterestView(View):
    rates: list[RateView]
    day_count: DayCount
    grace_days: int


class LateFeeView(View):
    fixed: dict[str, int]
    percent: Decimal
    minimum: dict[str, int]


class LateChargesView(View):
    fee: LateFeeView | None
    interest: InterestView | None
    fee_from_tier: int
    interest_from_tier: int


class SwitchView(View):
    """Whether an automation is on, and since when; nothing is done for the time before."""

    on: bool
    since: datetime | None


class FirmView(View):
    name: str
    email: str
    address: AddressView
    time_zone: str
    default_currency: str
    tax_ids: list[TaxIdView]
    invoice_prefix: str
    credit_note_prefix: str
    templates: dict[str, str]
    tax_codes: list[TaxCodeView]
    terms: list[TermView]
    dunning_tiers: list[TierView]
    late_charges: LateChargesView | None
    switches: dict[Automation, SwitchView]
    money: MoneyRulesView

    @classmethod
    def of(cls, firm: Firm) -> "FirmView":
        plain = {name: getattr(firm, name) for name in cls.model_fields if hasattr(firm, name)}
        policy = firm.dunning_policies.get(STANDARD_POLICY, DunningPolicy())
        return cls.model_validate(
            plain
            | {
                "tax_codes": list(firm.tax_codes.values()),
                "terms": list(firm.terms.values()),
                "dunning_tiers": list(policy.tiers),
                "late_charges": policy.late_charges,
                "switches": {
                    automation: {"on": automation in firm.switches, "since": firm.switches.get(automation)}
                    for automation in Automation
                },
            }
        )
