"""A customer's billing account (A1)."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from remit.domain.actor import Actor


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: str
    city: str
    country: str
    line2: str | None = None
    postal_code: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class TaxId:
    """A tax registration, such as (`eu_vat`, `NL123456782B01`)."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at the customer; `role` is free text (`billing`, `owner`)."""

    name: str
    email: str | None = None
    phone: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One customer's account. `email` is where documents go.

    `language` is a BCP 47 tag, `time_zone` an IANA name or None for the firm's own. The two switches are
    this account's say in the firm's automations (D1): an automation runs only if both say so, and
    `*_since` keeps it from reaching back to before it was switched on.
    """

    id: str
    name: str
    email: str
    default_currency: str
    created_at: datetime
    language: str = "en"
    time_zone: str | None = None
    default_term_id: str | None = None
    address: Address | None = None
    contacts: tuple[Contact, ...] = ()
    tax_ids: tuple[TaxId, ...] = ()
    tags: tuple[str, ...] = ()
    notes: str | None = None
    send_invoices: bool = True
    send_invoices_since: datetime | None = None
    dunning: bool = True
    dunning_since: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class AccountChange:
    """One line of an account's history: its number 1, 2, 3…, what changed, from what to what, who did it."""

    account_id: str
    number: int
    changed_at: datetime
    actor: Actor
    before: dict[str, Any]
    after: dict[str, Any]


def change(account: Account, changes: dict[str, Any], now: datetime) -> tuple[Account, dict[str, Any]]:
    """Apply `changes` (field → new value) and return the changed account with the old values of what really changed.

    Switching an automation on stamps its `*_since`, so that nothing is sent for the past (D1).
    """
    known = {field.name for field in fields(Account)} - {"id", "created_at", "version"}
    unknown = set(changes) - known
    if unknown:
        raise ValueError(f"not fields of an account: {sorted(unknown)}")
    effective = {name: value for name, value in changes.items() if getattr(account, name) != value}
    if not effective:
        return account, {}
    for switch in ("send_invoices", "dunning"):
        if effective.get(switch) is True:
            effective[f"{switch}_since"] = now
    before = {name: getattr(account, name) for name in effective}
    return replace(account, **effective), before
