"""Words that the whole API shares. Bodies refuse unknown fields; views are read off the domain's objects."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from remit.domain.money import EXPONENTS, MAX_MINOR


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("not an ISO 4217 currency")
    return code


Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"]), AfterValidator(_known_currency)]
PositiveMinor = Annotated[
    int, Field(strict=True, gt=0, le=MAX_MINOR, description="Minor units of the currency (cents for EUR)", examples=[12100])
]
AmountMinor = Annotated[int, Field(strict=True, ge=0, le=MAX_MINOR, description="Minor units of the currency", examples=[10000])]
Flag = Annotated[bool, Field(strict=True)]
"""True or false; pydantic alone would also take 0, "off" and "yes"."""
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Email = Annotated[
    str,
    Field(
        pattern=r"^[^@\s<>,;:\"]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=254, examples=["billing@customer.example"]
    ),
]


def _calendar_day(value: Any) -> Any:
    """A date is written as one: pydantic alone would also take a number, as seconds since 1970."""
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError("not a date like 2026-11-23")
    return value


Day = Annotated[date, BeforeValidator(_calendar_day)]
"""A date that a caller names."""
Id = Annotated[str, Field(pattern=r"^[a-z]{3}_[0-9a-z]{26}$")]
SubscriptionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["sub_42"])]
"""The id of a subscription, which may be another system's."""


class Body(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """What a caller is shown."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    @classmethod
    def plain(cls, thing: Any) -> Any:
        """The view of `thing` as JSON data."""
        return cls.model_validate(thing).model_dump(mode="json")


class Page(View):
    """One page of a list; ask again with `cursor` for the next, until it is null."""

    cursor: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable; further members say what would have been allowed."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:remit:problem:allocation_exceeds_open"])
    title: str = Field(examples=["Rule broken"])
    status: int = Field(examples=[409])
    code: str = Field(examples=["allocation_exceeds_open"])
    detail: str
    correlation_id: str


class ActorView(View):
    id: str
    channel: str


class ChangeView(View):
    """A line of an account's history."""

    number: int
    changed_at: datetime
    actor: ActorView
    before: dict[str, Any]
    after: dict[str, Any]
    note: str | None
