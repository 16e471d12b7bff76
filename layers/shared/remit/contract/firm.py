"""The firm's profile and rules as the API speaks of them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from remit.contract.accounts import AddressBody, AddressView, TaxIdBody, TaxIdView, TermId, TimeZone
from remit.contract.common import AmountMinor, Body, Currency, Day, Email, Flag, PositiveMinor, ShortText, View
from remit.domain.accounts import TaxId
from remit.domain.automations import Automation
from remit.domain.collection import MAX_DAYS, MAX_RETRIES, RetryPolicy
from remit.domain.firm import Firm, LostDispute, MoneyRules
from remit.domain.orders import OrderKind
from remit.domain.pacing import MAX_RATE
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
    refund_limits: dict[Currency, AmountMinor] = Field(
        default={}, description="The largest refund that one person may make alone"
    )
    hold_refunds: Flag = Field(
        default=True, description="Card refunds wait for the end of the gateway's day, and can be canceled"
    )
    gateway_time_zone: TimeZone = "UTC"
    lost_dispute: LostDispute = LostDispute.REOPEN


RetryDay = Annotated[int, Field(strict=True, ge=1, le=MAX_DAYS)]


class FirmBody(Body):
    """The whole profile; what is not named goes back to its default. The dunning policies have a way of their own."""

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
    switches: dict[Automation, Flag] = Field({}, description="What the firm wants done by itself; off unless named")
    money: MoneyRulesBody = MoneyRulesBody()
    collection_retries: Annotated[list[RetryDay], Field(max_length=MAX_RETRIES)] = Field(
        list(RetryPolicy().after_days),
        description="Days after the due date, rising, on which a declined automatic charge is tried again; none: never",
        examples=[[3, 5, 7]],
    )
    mail_rate: Annotated[int, Field(strict=True, ge=1, le=MAX_RATE)] | None = Field(
        None, description="How many messages a second a dunning run sends at most; as fast as it can unless named"
    )

    def to_domain(self) -> Firm:
        """Raises `InvalidError` for codes or terms that contradict themselves."""
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
            switches={automation: NEVER for automation, on in self.switches.items() if on},
            money=MoneyRules(**self.money.model_dump()),
            collection_retries=RetryPolicy(tuple(self.collection_retries)),
            mail_rate=self.mail_rate,
        )


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
    switches: dict[Automation, SwitchView]
    money: MoneyRulesView
    collection_retries: list[int]
    mail_templates: dict[str, str] = Field(description="`invoice_issued/de` → the version in use; set by itself")
    mail_rate: int | None

    @classmethod
    def of(cls, firm: Firm) -> "FirmView":
        plain = {name: getattr(firm, name) for name in cls.model_fields if hasattr(firm, name)}
        return cls.model_validate(
            plain
            | {
                "tax_codes": list(firm.tax_codes.values()),
                "terms": list(firm.terms.values()),
                "switches": {
                    automation: {"on": automation in firm.switches, "since": firm.switches.get(automation)}
                    for automation in Automation
                },
                "collection_retries": list(firm.collection_retries.after_days),
            }
        )
