"""What the firm decides once for all its accounts: identity, taxes, terms, automations (data, not code)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from remit.domain.accounts import Account, Address, TaxId
from remit.domain.automations import Automation
from remit.domain.collection import RetryPolicy
from remit.domain.dunning import DunningPolicy
from remit.domain.errors import InvalidError, RuleError
from remit.domain.late_charges import LateChargeRules
from remit.domain.money import exponent
from remit.domain.tax import TaxCode
from remit.domain.terms import PaymentTerm

INVOICE_TEMPLATES = ("invoice",)
"""The templates that invoices may have; each kind of order has one of them (I7)."""


STANDARD_POLICY = "standard"
"""The dunning policy of accounts that have none of their own."""

MAX_POLICIES = 50

DUNNING_SWITCHES = frozenset({Automation.DUNNING, Automation.REMINDERS})
"""What a dunning run does; with all of them off it looks at nobody."""


class LostDispute(StrEnum):
    """What becomes of an invoice whose payment was lost in a dispute (P9)."""

    REOPEN = "reopen"
    WRITE_OFF = "write_off"


@dataclass(frozen=True, slots=True)
class MoneyRules:
    """What the firm decides about credits and refunds.

    `credits_pay_instalments`: credits may pay invoices in instalments, which is off by default (C5).
    `refund_limits`: currency → the largest refund that one person may make alone; unnamed currencies have none (R10).
    `hold_refunds`: card refunds wait until the gateway's day is over, so that they can be canceled (R7), in
    `gateway_time_zone`.
    """

    credits_pay_instalments: bool = False
    refund_limits: Mapping[str, int] = field(default_factory=dict)
    hold_refunds: bool = True
    gateway_time_zone: str = "UTC"
    lost_dispute: LostDispute = LostDispute.REOPEN


@dataclass(frozen=True, slots=True)
class DunningChanges:
    """How often a policy or a switch of dunning was changed, and up to which of these changes a run has looked at every account
    that owes anything since: the accounts are woken by the run, not by the request."""

    count: int = 0
    swept: int = 0
    changed_at: datetime | None = None

    @property
    def pending(self) -> bool:
        return self.swept < self.count

    def changed(self, now: datetime) -> "DunningChanges":
        return replace(self, count=self.count + 1, changed_at=now)


@dataclass(frozen=True, slots=True)
class Firm:
    """The firm's profile and rules.

    `invoice_prefix` and `credit_note_prefix` start the yearly number series: `INV` → `INV-2026-000001`. `templates`:
    kind of order → the template of its invoices (I7), `invoice` unless named. `switches`: what the firm wants done by itself,
    and since when (D1). `dunning_policies` by id; the default policy stands for a `standard` one that is not there.
    `collection_retries`: when a declined collection is tried again (S4). `mail_templates`: `invoice_issued/de` → the version of
    the firm's own template that is in use (N4); the built-in one unless named. `mail_rate`: how many messages a second a
    dunning run sends at most; None: as fast as it can.
    """

    name: str
    email: str
    address: Address
    time_zone: str
    default_currency: str
    tax_ids: tuple[TaxId, ...] = ()
    invoice_prefix: str = "INV"
    credit_note_prefix: str = "CN"
    templates: Mapping[str, str] = field(default_factory=dict)
    tax_codes: Mapping[str, TaxCode] = field(default_factory=dict)
    terms: Mapping[str, PaymentTerm] = field(default_factory=dict)
    dunning_policies: Mapping[str, DunningPolicy] = field(default_factory=dict)
    switches: Mapping[Automation, datetime] = field(default_factory=dict)
    money: MoneyRules = field(default_factory=MoneyRules)
    collection_retries: RetryPolicy = field(default_factory=RetryPolicy)
    mail_templates: Mapping[str, str] = field(default_factory=dict)
    mail_rate: int | None = None
    dunning_changes: DunningChanges = field(default_factory=DunningChanges)
    version: int = 0

    def __post_init__(self) -> None:
        if self.invoice_prefix == self.credit_note_prefix:
            raise InvalidError("same_number_series", "Invoices and credit notes have number series of their own.")

    def tax_code(self, code: str) -> TaxCode:
        try:
            return self.tax_codes[code]
        except KeyError:
            raise InvalidError("unknown_tax_code", f"The firm has no tax code {code!r}.", known=sorted(self.tax_codes)) from None

    def term(self, term_id: str) -> PaymentTerm:
        try:
            return self.terms[term_id]
        except KeyError:
            raise InvalidError(
                "unknown_payment_term", f"The firm has no payment term {term_id!r}.", known=sorted(self.terms)
            ) from None

    def gateway_day(self, now: datetime) -> date:
        """The payment gateway's calendar date at instant `now`, which refunds go by (R7)."""
        return now.astimezone(ZoneInfo(self.money.gateway_time_zone)).date()

    def refunds_held_until(self, now: datetime) -> datetime:
        """When a refund asked for at `now` is given to the processor: at the end of the gateway's day, or at once (R7)."""
        if not self.money.hold_refunds:
            return now
        zone = ZoneInfo(self.money.gateway_time_zone)
        return datetime.combine(self.gateway_day(now) + timedelta(days=1), time.min, zone).astimezone(UTC)

    def dunning_policy(self, account: Account) -> DunningPolicy:
        """The account's own policy, or else the standard one."""
        return self.policies.get(account.dunning_policy_id or STANDARD_POLICY, DunningPolicy())

    @property
    def policies(self) -> Mapping[str, DunningPolicy]:
        """The dunning policies by id, the standard one among them."""
        return {STANDARD_POLICY: DunningPolicy(), **self.dunning_policies}

    def policy(self, policy_id: str) -> DunningPolicy:
        try:
            return self.policies[policy_id]
        except KeyError:
            known = sorted(self.policies)
            raise InvalidError("unknown_dunning_policy", f"The firm has no dunning policy {policy_id!r}.", known=known) from None

    def first_look_days(self, account: Account) -> int:
        """When a new due date of the account deserves attention first: that day plus so many (D4)."""
        wants_reminders = self.switched_on(Automation.REMINDERS, account)
        return self.dunning_policy(account).first_look_days if wants_reminders else 1

    def late_charges(self, account: Account) -> tuple[LateChargeRules, datetime] | None:
        """What being late costs the account, and since when; None while nothing is charged (D1, D9)."""
        rules, since = self.dunning_policy(account).late_charges, self.switched_on(Automation.LATE_CHARGES, account)
        return (rules, since) if rules and since else None

    def charges_interest(self, account: Account) -> bool:
        charged = self.late_charges(account)
        return charged is not None and charged[0].interest is not None

    def switched_on(self, automation: Automation, account: Account) -> datetime | None:
        """Since when both the firm and the account want it, or None: nothing is done for the time before (D1)."""
        firm, own = self.switches.get(automation), account.switch(automation)
        return max(firm, own) if firm and own else None

    def needs_second_person(self, amount_minor: int, currency: str) -> bool:
        """Whether a refund of that amount waits for somebody else's approval (R10)."""
        limit = self.money.refund_limits.get(currency)
        return limit is not None and amount_minor > limit

    def today(self, now: datetime) -> date:
        """The firm's calendar date at instant `now`: what invoices and due dates mean by a day."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()


def require_consistent(firm: Firm) -> None:
    """`InvalidError` when the profile names what it does not have: a template, the tax code of a card fee, a currency."""
    for kind, template in firm.templates.items():
        if template not in INVOICE_TEMPLATES:
            known = list(INVOICE_TEMPLATES)
            raise InvalidError("unknown_template", f"There is no template {template!r} for {kind}.", kind=str(kind), known=known)
    for term in firm.terms.values():
        if term.card_fee:
            firm.tax_code(term.card_fee.tax_code)
    named = [term.currency for term in firm.terms.values() if term.currency]
    for currency in (firm.default_currency, *named, *firm.money.refund_limits):
        exponent(currency)


def require_firm(firm: Firm | None) -> Firm:
    """`RuleError` until the firm's profile has been set: nothing can be billed in nobody's name."""
    if firm is None:
        raise RuleError("firm_not_set_up", "Set the firm's profile first: PUT /firm.")
    return firm
