"""Accounts as the API speaks of them."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from remit.contract.common import Body, ChangeView, Currency, Email, Id, LongText, Page, ShortText, View
from remit.domain.accounts import Address, Contact, TaxId


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not an IANA time zone")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Amsterdam"]), AfterValidator(_known_zone)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2", examples=["NL"])]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, examples=["en"])]
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


class ChangeAccountBody(Body):
    """Only the fields named are changed; null clears a field that may be empty."""

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
    send_invoices: bool | None = None
    dunning: bool | None = None

    def to_fields(self) -> dict[str, Any]:
        """The fields that were named, as the domain holds them. A null for one that cannot be empty is left out."""
        nullable = {"time_zone", "default_term_id", "address", "notes"}
        given: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if value is None and name not in nullable:
                continue
            given[name] = _to_domain(name, value)
        return given


class NewAccountBody(ChangeAccountBody):
    name: ShortText
    email: Email


def _to_domain(name: str, value: Any) -> Any:
    if name == "address" and value is not None:
        return value.to_domain()
    if name == "contacts":
        return tuple(Contact(**contact.model_dump()) for contact in value)
    if name == "tax_ids":
        return tuple(TaxId(**tax_id.model_dump()) for tax_id in value)
    return tuple(value) if name == "tags" else value


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
    send_invoices: bool
    dunning: bool


class AccountsPage(Page):
    accounts: list[AccountView]


class HistoryPage(Page):
    changes: list[ChangeView]
