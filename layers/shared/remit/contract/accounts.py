"""Accounts as the API speaks of them."""

from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from remit.contract.common import (
    ActorView,
    AmountMinor,
    Body,
    ChangeView,
    Currency,
    Day,
    Email,
    Flag,
    Id,
    LongText,
    Page,
    PositiveMinor,
    ShortText,
    View,
)
from remit.domain.accounts import Account, Address, AutoTopUp, Contact, PaymentMode, TaxId
from remit.domain.automations import Automation
from remit.domain.messages import DeliveryKind
from remit.domain.terms import Method


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not an IANA time zone")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Amsterdam"]), AfterValidator(_known_zone)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2", examples=["NL"])]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, examples=["en"])]
PolicyId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["standard"])]
TermId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["net30"])]


class AddressBody(Body):
    line1: ShortText
    line2: ShortText | None = None
    postal_code: Annotated[ShortText, Field(max_length=20)] | None = None
    city: ShortText
    region: ShortText | None = None
    country: Country

    def to_domain(self) -> Address:
        return Address(**self.model_dump())


class ContactBody(Body):
    name: ShortText
    email: Email | None = None
    phone: Annotated[ShortText, Field(max_length=40)] | None = None
    role: ShortText | None = None


class TaxIdBody(Body):
    type: Annotated[str, Field(pattern=r"^[a-z_]{2,20}$", examples=["eu_vat"])]
    value: Annotated[ShortText, Field(max_length=40, examples=["NL123456782B01"])]


class AutoTopUpBody(Body):
    """Buy prepaid balance when the wallet is at `threshold_minor` or below, in whole multiples of `amount_minor`, for at most
    `daily_cap_minor` a day."""

    currency: Currency
    amount_minor: PositiveMinor
    threshold_minor: AmountMinor = 0
    daily_cap_minor: PositiveMinor

    def to_domain(self) -> AutoTopUp:
        return AutoTopUp(**self.model_dump())


class ChangeAccountBody(Body):
    """Only the fields named are changed; null clears a field that may be empty. Lists and limits are replaced as a whole."""

    name: ShortText | None = None
    email: Email | None = None
    default_currency: Currency | None = None
    language: Language | None = None
    time_zone: TimeZone | None = None
    default_term_id: TermId | None = None
    address: AddressBody | None = None
    contacts: Annotated[list[ContactBody], Field(max_length=20)] | None = None
    tax_ids: Annotated[list[TaxIdBody], Field(max_length=10)] | None = None
    tags: Annotated[list[ShortText], Field(max_length=20)] | None = None
    notes: LongText | None = None
    switches: dict[Automation, Flag] | None = Field(
        None, description="What is done by itself for this account, if the firm wants it too; those not named stay as they are"
    )
    dunning_policy_id: PolicyId | None = Field(None, description="By which policy it is reminded; null for the standard one")
    methods: Annotated[list[Method], Field(min_length=1)] | None = Field(
        None, description="How this customer may pay, whatever the terms would allow"
    )
    credit_limits: dict[Currency, AmountMinor] | None = Field(
        None,
        description="Per currency. Postpaid: what may be open and unbilled, without limit if not named. Prepaid: how far below "
        "zero the wallet may be charged, not at all if not named",
    )
    apply_credits: Flag | None = Field(None, description="Whether credits pay new invoices by themselves")
    collect_automatically: Flag | None = Field(
        None,
        description="Whether invoices issued from now on are charged to the default saved method on their due dates; switched "
        "off it stops all",
    )
    auto_top_up: AutoTopUpBody | None = Field(None, description="Null turns it off")

    def to_fields(self) -> dict[str, Any]:
        """The fields that were named, as the domain holds them. A null for one that cannot be empty is left out."""
        nullable = {"time_zone", "default_term_id", "address", "notes", "auto_top_up", "dunning_policy_id"}
        given: dict[str, Any] = {}
        for name in self.model_fields_set - {"mode"}:
            value = getattr(self, name)
            if value is None and name not in nullable:
                continue
            given |= {str(switch): on for switch, on in value.items()} if name == "switches" else {name: _to_domain(name, value)}
        return given


class NewAccountBody(ChangeAccountBody):
    name: ShortText
    email: Email
    mode: PaymentMode = Field(PaymentMode.POSTPAID, description="How it pays from its first day on; changed by a mode change")


class ModeChangeBody(Body):
    """From the start of `effective_on` on, in the firm's time zone; today unless named."""

    mode: PaymentMode
    effective_on: Day | None = None


class NoteBody(Body):
    text: LongText


def _to_domain(name: str, value: Any) -> Any:
    if name in ("address", "auto_top_up") and value is not None:
        return value.to_domain()
    if name == "contacts":
        return tuple(Contact(**contact.model_dump()) for contact in value)
    if name == "tax_ids":
        return tuple(TaxId(**tax_id.model_dump()) for tax_id in value)
    if name in ("tags", "methods"):
        return tuple(dict.fromkeys(value))
    return value


class AddressView(View):
    line1: str
    line2: str | None
    postal_code: str | None
    city: str
    region: str | None
    country: str


class ContactView(View):
    name: str
    email: str | None
    phone: str | None
    role: str | None


class TaxIdView(View):
    type: str
    value: str


class ModeChangeView(View):
    effective_on: date
    mode: PaymentMode


class SavedMethodView(View):
    """A payment method that the gateway keeps; `label` is what the customer knows it by."""

    id: str
    gateway: str
    method: Method
    label: str
    saved_at: datetime
    expires: str | None


class AutoTopUpView(View):
    currency: str
    amount_minor: int
    threshold_minor: int
    daily_cap_minor: int


class MailProblemView(View):
    """The account's address bounced for good, or complained about a message."""

    address: str
    kind: DeliveryKind
    at: datetime
    message_id: str


class AccountView(View):
    id: Id
    name: str
    email: str
    default_currency: str
    created_at: datetime
    language: str
    time_zone: str | None
    default_term_id: str | None
    address: AddressView | None
    contacts: list[ContactView]
    tax_ids: list[TaxIdView]
    tags: list[str]
    notes: str | None
    switches: dict[Automation, bool]
    dunning_policy_id: str | None
    methods: list[Method]
    mode_changes: list[ModeChangeView] = Field(description="In order of time; postpaid before the first")
    credit_limits: dict[str, int]
    apply_credits: bool
    collect_automatically: bool
    auto_top_up: AutoTopUpView | None
    saved_methods: list[SavedMethodView]
    default_method: str | None = Field(description="Id of the saved method that is charged unless another is named")
    mail_problem: MailProblemView | None = Field(description="While it stands, nothing is sent to the address by itself")

    @classmethod
    def of(cls, account: Account) -> "AccountView":
        """What the account keeps about payment is shown beside the rest."""
        settings = {name: getattr(account if hasattr(account, name) else account.payment, name) for name in cls.model_fields}
        switches = {automation: account.switch(automation) is not None for automation in Automation}
        return cls.model_validate(settings | {"switches": switches, "mail_problem": account.unreachable})

    @classmethod
    def plain(cls, thing: Any) -> Any:
        return cls.of(thing).model_dump(mode="json")


class AccountsPage(Page):
    accounts: list[AccountView]


class HistoryPage(Page):
    changes: list[ChangeView]


class NoteView(View):
    id: Id
    text: str
    actor: ActorView
    written_at: datetime


class NotesPage(Page):
    notes: list[NoteView]
