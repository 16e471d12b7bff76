"""A customer's billing account: who it is, how it pays, up to what (A1, A3–A6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from remit.domain.actor import Actor
from remit.domain.automations import Automation
from remit.domain.dunning import Promise
from remit.domain.errors import InvalidError, RuleError
from remit.domain.messages import MailProblem
from remit.domain.terms import Method


class PaymentMode(StrEnum):
    """`POSTPAID`: invoices are paid by their terms. `PREPAID`: charges are taken from the wallet (A4)."""

    PREPAID = "prepaid"
    POSTPAID = "postpaid"


@dataclass(frozen=True, slots=True)
class ModeChange:
    """From the start of `effective_on` on, in the firm's zone, the account is in this mode; until the next change."""

    effective_on: date
    mode: PaymentMode


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A payment method that the gateway keeps for the account; nothing here could pay anywhere else (G5).

    `id` is the gateway's own; `label` is what the customer knows it by, such as `visa 4242`; `expires` is `YYYY-MM`, its last
    month. `expiry_told`: the expiry that the customer was told of.
    """

    id: str
    gateway: str
    method: Method
    label: str
    saved_at: datetime
    expires: str | None = None
    expiry_told: str | None = None

    @property
    def tell_expiry_on(self) -> date | None:
        """The first day of its last month, on which the customer is told that it expires; None when there is nothing to tell."""
        if self.expires is None or self.expires == self.expiry_told:
            return None
        return date.fromisoformat(f"{self.expires}-01")


@dataclass(frozen=True, slots=True)
class AutoTopUp:
    """Buy prepaid balance when the wallet is at `threshold_minor` or below, in whole multiples of `amount_minor` (W2).

    At most `daily_cap_minor` is asked for on one day.
    """

    currency: str
    amount_minor: int
    threshold_minor: int
    daily_cap_minor: int

    def __post_init__(self) -> None:
        if self.amount_minor <= 0 or self.threshold_minor < 0 or self.daily_cap_minor < self.amount_minor:
            raise InvalidError("bad_auto_top_up", "An automatic top-up has an amount above 0, within its daily cap.")


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """How an account pays (A3). `default_method` is the id of one of `saved_methods`; `customer_id` the gateway's."""

    saved_methods: tuple[SavedMethod, ...] = ()
    default_method: str | None = None
    customer_id: str | None = None
    collect_automatically: bool = False
    auto_top_up: AutoTopUp | None = None

    def method(self, method_id: str | None = None) -> SavedMethod:
        """The saved method of that id, or the default; `RuleError` when there is none to charge."""
        wanted = method_id or self.default_method
        for saved in self.saved_methods:
            if saved.id == wanted:
                return saved
        raise RuleError(
            "no_saved_method",
            "The account has no such saved payment method.",
            saved_methods=[saved.id for saved in self.saved_methods],
        )

    @property
    def default_saved(self) -> SavedMethod | None:
        return next((saved for saved in self.saved_methods if saved.id == self.default_method), None)

    @property
    def tell_expiry_on(self) -> date | None:
        """When the customer is told that the default method expires (P3)."""
        return self.default_saved.tell_expiry_on if self.default_saved else None

    def with_method(self, saved: SavedMethod) -> "PaymentSettings":
        """Saved once, however often it is told; the first one becomes the default."""
        others = tuple(other for other in self.saved_methods if other.id != saved.id)
        return replace(self, saved_methods=(*others, saved), default_method=self.default_method or saved.id)

    def without_method(self, method_id: str) -> "PaymentSettings":
        others = tuple(other for other in self.saved_methods if other.id != method_id)
        default = self.default_method if self.default_method != method_id else next((other.id for other in others), None)
        return replace(self, saved_methods=others, default_method=default)


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

    `language` is a BCP 47 tag, `time_zone` an IANA name or None for the firm's own. `switches` are
    this account's say in the firm's automations (D1): since when it was turned on again, None for off; what is not named
    has been on since the account was opened. `dunning_policy_id`: None for the firm's standard one. `dunning_paused_until`:
    silent through that day (D6), for `dunning_pause_reason`. `promises`: currency → the last promise to pay (D8).

    `methods`: how this customer may pay, whatever the terms would allow. `mode_changes` are the account's payment modes
    in order of time, postpaid before the first. `credit_limits`: currency → minor units; postpaid without one has no
    limit, prepaid without one has none to draw on (A5). `apply_credits`: credits pay new invoices by themselves (C3).
    `mail_problem`: the address that could not be written to, which may have been changed since.
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
    switches: Mapping[Automation, datetime | None] = field(default_factory=dict)
    dunning_policy_id: str | None = None
    dunning_paused_until: date | None = None
    dunning_pause_reason: str | None = None
    promises: Mapping[str, Promise] = field(default_factory=dict)
    methods: tuple[Method, ...] = tuple(Method)
    mode_changes: tuple[ModeChange, ...] = ()
    credit_limits: Mapping[str, int] = field(default_factory=dict)
    apply_credits: bool = False
    payment: PaymentSettings = field(default_factory=PaymentSettings)
    mail_problem: MailProblem | None = None
    version: int = 0

    @property
    def unreachable(self) -> MailProblem | None:
        """Why nothing is sent to the account's address by itself; None when that is no problem, or not this address's."""
        return self.mail_problem if self.mail_problem and self.mail_problem.address == self.email else None

    def switch(self, automation: Automation) -> datetime | None:
        """Since when the account wants the automation; None while it does not."""
        return self.switches.get(automation, self.created_at)

    def mode_on(self, day: date) -> PaymentMode:
        """The payment mode on a day, which new charges of that day get; what is open keeps its own (A4)."""
        begun = [change for change in self.mode_changes if change.effective_on <= day]
        return max(begun, key=lambda change: change.effective_on).mode if begun else PaymentMode.POSTPAID

    def mode_since(self, day: date) -> date | None:
        """Since when the mode of a day applies without a break; None: since the account was opened."""
        mode, since = PaymentMode.POSTPAID, None
        for change in sorted(self.mode_changes, key=lambda change: change.effective_on):
            if change.effective_on <= day and change.mode is not mode:
                mode, since = change.mode, change.effective_on
        return since

    def change_mode(self, change: ModeChange, today: date) -> "Account":
        """Change the mode from a day on; a change planned for that day or later is replaced. Naming the mode of that day
        once more is how a change planned after it is called off.

        `RuleError` for a day that has passed: what happened in a mode stays so. And for a mode that applies from that day on
        as it is: there is nothing to change.
        """
        if change.effective_on < today:
            raise RuleError("mode_change_in_past", "A payment mode changes today or later.", earliest=today.isoformat())
        later = [planned for planned in self.mode_changes if planned.effective_on > change.effective_on]
        if {self.mode_on(change.effective_on), *(planned.mode for planned in later)} == {change.mode}:
            since = self.mode_since(change.effective_on)
            text = f"The account is {change.mode} on {change.effective_on} already, since {since or 'it was opened'}."
            raise RuleError("mode_already_applies", text, mode=str(change.mode), since=since and since.isoformat())
        kept = tuple(earlier for earlier in self.mode_changes if earlier.effective_on < change.effective_on)
        return replace(self, mode_changes=(*kept, change))


CHOICES_OF_PAYMENT = ("collect_automatically", "auto_top_up")
"""Settings of `PaymentSettings` that a person chooses like the account's own; its methods come from the gateway."""


SWITCHES = frozenset(Automation)
"""Settings that turn an automation on or off."""


def setting(account: Account, name: str) -> Any:
    """A setting of the account by its name, wherever it is kept; an automation's is whether it is on."""
    if name in SWITCHES:
        return account.switch(Automation(name)) is not None
    return getattr(account.payment if name in CHOICES_OF_PAYMENT else account, name)


@dataclass(frozen=True, slots=True)
class Note:
    """A note on an account, written once, with who wrote it (A6)."""

    id: str
    account_id: str
    text: str
    actor: Actor
    written_at: datetime


@dataclass(frozen=True, slots=True)
class AccountChange:
    """One line of an account's history: its number 1, 2, 3…, what changed, from what to what, who did it, and why, where it
    was asked."""

    account_id: str
    number: int
    changed_at: datetime
    actor: Actor
    before: dict[str, Any]
    after: dict[str, Any]
    note: str | None = None


def change(account: Account, changes: dict[str, Any], now: datetime) -> tuple[Account, dict[str, Any]]:
    """Apply `changes` (setting → new value) and return the changed account with the old values of what really changed.

    An automation that is turned on is on from `now`, so that nothing is sent for the past (D1).
    """
    known = {field.name for field in fields(Account)} - {"id", "created_at", "version", "payment", "switches"}
    known |= SWITCHES.union(CHOICES_OF_PAYMENT)
    unknown = set(changes) - known
    if unknown:
        raise ValueError(f"not settings of an account: {sorted(unknown)}")
    effective = {name: value for name, value in changes.items() if setting(account, name) != value}
    if not effective:
        return account, {}
    before = {name: setting(account, name) for name in effective}
    switches = {Automation(name): now if on else None for name, on in effective.items() if name in SWITCHES}
    own = {name: value for name, value in effective.items() if name not in SWITCHES.union(CHOICES_OF_PAYMENT)}
    of_payment = {name: value for name, value in effective.items() if name in CHOICES_OF_PAYMENT}
    return replace(
        account, **own, switches={**account.switches, **switches}, payment=replace(account.payment, **of_payment)
    ), before
