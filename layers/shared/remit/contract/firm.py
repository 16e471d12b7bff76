"""The firm's profile and rules as the API speaks of them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from remit.contract.accounts import AddressBody, AddressView, TaxIdBody, TaxIdView, TermId, TimeZone
from remit.contract.common import Body, Currency, Email, ShortText, View
from remit.domain.accounts import TaxId
from remit.domain.dunning import DunningPolicy, Tier
from remit.domain.firm import Firm, Switches
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import DueRule, Method, PaymentTerm

TaxCodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,20}$", examples=["VAT21"])]


class TaxCodeBody(Body):
    """`rate` in percent, only with kind `standard`; `reason` is required for `exempt` and `reverse_charge`."""

    code: TaxCodeName
    kind: TaxKind
    rate: Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4, examples=["21"])] = Decimal(0)
    reason: ShortText | None = None


class TermBody(Body):
    """`days` only with due `net_days`. All methods are allowed unless some are named."""

    id: TermId
    name: ShortText
    due: DueRule
    days: Annotated[int, Field(strict=True, ge=0, le=365)] = 0
    methods: Annotated[list[Method], Field(min_length=1, max_length=10)] = Field(default_factory=lambda: list(Method))


class TierBody(Body):
    """A step of dunning: from this many days past due on."""

    from_days: Annotated[int, Field(strict=True, ge=1, le=3650)]


class SwitchesBody(Body):
    """The automations, all off unless turned on."""

    send_invoices: bool = False
    send_receipts: bool = False
    dunning: bool = False


class FirmBody(Body):
    """The whole profile; what is not named goes back to its default."""

    name: ShortText
    email: Email
    address: AddressBody
    time_zone: TimeZone
    default_currency: Currency
    tax_ids: Annotated[list[TaxIdBody], Field(max_length=10)] = []
    invoice_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,10}$", examples=["INV"])] = "INV"
    tax_codes: Annotated[list[TaxCodeBody], Field(max_length=50)] = []
    terms: Annotated[list[TermBody], Field(max_length=50)] = []
    dunning_tiers: Annotated[list[TierBody], Field(min_length=3, max_length=3)] | None = None
    switches: SwitchesBody = SwitchesBody()

    def to_domain(self) -> Firm:
        """Raises `InvalidError` for codes, terms or tiers that contradict themselves."""
        codes = [TaxCode(code.code, code.kind, code.rate, code.reason) for code in self.tax_codes]
        terms = [PaymentTerm(term.id, term.name, term.due, term.days, tuple(term.methods)) for term in self.terms]
        tiers = self.dunning_tiers
        policy = (
            DunningPolicy(tuple(Tier(n, tier.from_days, f"dunning_tier_{n}") for n, tier in enumerate(tiers, 1)))
            if tiers
            else DunningPolicy()
        )
        return Firm(
            name=self.name,
            email=self.email,
            address=self.address.to_domain(),
            time_zone=self.time_zone,
            default_currency=self.default_currency,
            tax_ids=tuple(TaxId(**tax_id.model_dump()) for tax_id in self.tax_ids),
            invoice_prefix=self.invoice_prefix,
            tax_codes={code.code: code for code in codes},
            terms={term.id: term for term in terms},
            dunning_policy=policy,
            switches=Switches(**self.switches.model_dump()),
        )


class TaxCodeView(View):
    code: str
    kind: TaxKind
    rate: Decimal
    reason: str | None


class TermView(View):
    id: str
    name: str
    due: DueRule
    days: int
    methods: list[Method]


class TierView(View):
    number: int
    from_days: int


class SwitchesView(View):
    """With the moment since when each is on; nothing is sent for the time before."""

    send_invoices: bool
    send_receipts: bool
    dunning: bool
    send_invoices_since: datetime | None
    send_receipts_since: datetime | None
    dunning_since: datetime | None


class FirmView(View):
    name: str
    email: str
    address: AddressView
    time_zone: str
    default_currency: str
    tax_ids: list[TaxIdView]
    invoice_prefix: str
    tax_codes: list[TaxCodeView]
    terms: list[TermView]
    dunning_tiers: list[TierView]
    switches: SwitchesView

    @classmethod
    def of(cls, firm: Firm) -> "FirmView":
        plain = {name: getattr(firm, name) for name in cls.model_fields if hasattr(firm, name)}
        return cls.model_validate(
            plain
            | {
                "tax_codes": list(firm.tax_codes.values()),
                "terms": list(firm.terms.values()),
                "dunning_tiers": list(firm.dunning_policy.tiers),
            }
        )
