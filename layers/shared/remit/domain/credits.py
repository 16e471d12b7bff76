"""Credits that the firm gives a customer, and what each may pay (C1–C3, C5, C7)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NoReturn

from remit.domain.errors import InvalidError, RuleError
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.orders import OrderKind
from remit.domain.tax import TaxCode, TaxKind, net_of, tax_on


class CreditKind(StrEnum):
    """What a credit is for (C1). An unapplied payment is a credit too, and is its payment's to keep.

    `GOODWILL` pays future orders only; `CREDIT_MEMO` comes from a credit note; `FIRST_PAYMENT` and `LAST_PAYMENT` pay
    the first or the final invoice of one subscription. Only a memo is refundable unless the credit says otherwise.
    """

    GOODWILL = "goodwill"
    CREDIT_MEMO = "credit_memo"
    FIRST_PAYMENT = "first_payment"
    LAST_PAYMENT = "last_payment"


class TaxOption(StrEnum):
    """What the amount given means (C2): gross, net, or an amount on which no tax is reversed."""

    INCLUDED = "included"
    NOT_INCLUDED = "not_included"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit lot. `gross_minor` is what the customer gains, `tax_minor` the tax reversed in it, `open_minor` what is
    still unused (C3: it stays until it is chosen to pay something).

    `subscription_id` for the kinds that need one. `expires_on`: the last day on which it can be used (C7).
    `is_refundable`: whether money may be given back for it (R4). `credit_note_id`, `invoice_id`: where a memo comes from.
    `reversed_by`: the invoice that took it back (C4). `expired_minor`: what nobody used in time (C7).
    """

    id: str
    account_id: str
    currency: str
    kind: CreditKind
    tax_option: TaxOption
    gross_minor: int
    tax_minor: int
    open_minor: int
    issued_on: date
    issued_at: datetime
    reason: str
    tax_code: str | None = None
    subscription_id: str | None = None
    expires_on: date | None = None
    is_refundable: bool = False
    credit_note_id: str | None = None
    invoice_id: str | None = None
    reversed_by: str | None = None
    expired_minor: int = 0
    entries: tuple[int, ...] = ()
    version: int = 0

    @property
    def available_minor(self) -> int:
        """What this lot can still pay."""
        return self.open_minor

    def take(self, amount_minor: int) -> "Credit":
        """Use `amount_minor` of what is open; `RuleError` if that is more than is there."""
        if amount_minor > self.open_minor:
            raise RuleError(
                "allocation_exceeds_credit",
                f"Credit {self.id} has {self.open_minor} left; {amount_minor} cannot be used.",
                credit_id=self.id,
                open_minor=self.open_minor,
            )
        return replace(self, open_minor=self.open_minor - amount_minor)

    def put_back(self, amount_minor: int) -> "Credit":
        return replace(self, open_minor=self.open_minor + amount_minor)

    def has_expired(self, today: date) -> bool:
        return self.expires_on is not None and today > self.expires_on

    def expire(self) -> "Credit":
        """What is unused is the firm's again (C7)."""
        return replace(self, open_minor=0, expired_minor=self.expired_minor + self.open_minor)

    def cancel(self) -> NoReturn:
        """A credit is never canceled (C4): `RuleError` that says what to do instead."""
        raise RuleError(
            "credit_not_cancelable",
            "A credit cannot be canceled. Reverse it: that makes an invoice of the same amount, with a note.",
            credit_id=self.id,
            reversed_by=self.reversed_by,
        )

    def reverse(self, invoice_id: str) -> "Credit":
        """Note the invoice that takes it back (C4). `RuleError` when one does, or when part of it expired: that part is the
        firm's already."""
        if self.reversed_by is not None:
            raise RuleError("credit_reversed", "The credit was reversed already.", invoice_id=self.reversed_by)
        if self.expired_minor:
            raise RuleError(
                "credit_expired",
                f"Of credit {self.id}, {self.expired_minor} has expired and is the firm's again; it cannot be reversed whole.",
                credit_id=self.id,
                expired_minor=self.expired_minor,
            )
        return replace(self, reversed_by=invoice_id)

    def require_usable(self, item: OpenItem, today: date, *, pays_instalments: bool) -> None:
        """`RuleError` unless this credit may pay that invoice (C1, C5, C7).

        `pays_instalments`: the firm's setting that credits may pay invoices in instalments, off by default.
        """
        if refusal := self.why_unusable(item, today, pays_instalments=pays_instalments):
            raise refusal

    def why_unusable(self, item: OpenItem, today: date, *, pays_instalments: bool) -> RuleError | None:
        """The refusal of paying that invoice with this credit; None when it may. A credit may always pay the invoice that
        reverses it."""
        if self.has_expired(today):
            return RuleError("credit_expired", f"Credit {self.id} could be used until {self.expires_on}.", credit_id=self.id)
        if item.is_in_instalments and not pays_instalments:
            return RuleError(
                "invoice_in_instalments",
                f"Invoice {item.number} is paid in instalments, and credits do not pay those unless the firm says so.",
                invoice_id=item.invoice_id,
                setting="credits_pay_instalments",
            )
        if item.kind is OrderKind.REFUND_REVERSAL:
            return RuleError(
                "invoice_needs_money",
                f"Invoice {item.number} asks for refunded money back; a credit cannot pay it.",
                invoice_id=item.invoice_id,
            )
        usable, what = _USABLE[self.kind]
        if usable(self, item) or item.invoice_id == self.reversed_by:
            return None
        return RuleError("credit_not_for_this_invoice", f"A {self.kind} credit pays {what} only.", credit_id=self.id, pays=what)


_USABLE: Mapping[CreditKind, tuple[Callable[[Credit, OpenItem], bool], str]] = {
    CreditKind.GOODWILL: (
        lambda credit, item: item.ordered_at is not None and item.ordered_at >= credit.issued_at,
        "orders placed after it was given",
    ),
    CreditKind.CREDIT_MEMO: (lambda _credit, _item: True, "any invoice"),
    CreditKind.FIRST_PAYMENT: (
        lambda credit, item: bool(
            item.subscription and item.subscription.is_first and item.subscription.subscription_id == credit.subscription_id
        ),
        "the first invoice of its subscription",
    ),
    CreditKind.LAST_PAYMENT: (
        lambda credit, item: bool(
            item.subscription and item.subscription.is_final and item.subscription.subscription_id == credit.subscription_id
        ),
        "the final invoice of its subscription",
    ),
}


def credit_amounts(amount_minor: int, option: TaxOption, code: TaxCode | None) -> tuple[int, int]:
    """(gross, tax) of a credit of `amount_minor` (> 0), given outside any invoice.

    >>> from decimal import Decimal
    >>> vat21 = TaxCode("VAT21", TaxKind.STANDARD, Decimal(21))
    >>> credit_amounts(1210, TaxOption.INCLUDED, vat21)
    (1210, 210)
    >>> credit_amounts(1000, TaxOption.NOT_INCLUDED, vat21)
    (1210, 210)
    >>> credit_amounts(1000, TaxOption.WAIVED, None)
    (1000, 0)
    """
    if amount_minor <= 0:
        raise InvalidError("amount_not_positive", "A credit is above zero.")
    if option is TaxOption.WAIVED:
        if code is not None:
            raise InvalidError("tax_code_not_wanted", "A credit with tax waived has no tax code.")
        return amount_minor, 0
    if code is None:
        raise InvalidError("tax_code_missing", f"Tax option {option} needs the tax code that the credit reverses.")
    if option is TaxOption.INCLUDED:
        return amount_minor, amount_minor - net_of(amount_minor, code)
    tax = tax_on(amount_minor, code)
    return amount_minor + tax, tax


@dataclass(frozen=True, slots=True)
class CreditTerms:
    """What is agreed about a credit beside its amount."""

    kind: CreditKind
    reason: str
    subscription_id: str | None = None
    expires_on: date | None = None
    is_refundable: bool = False

    def __post_init__(self) -> None:
        if self.kind is CreditKind.CREDIT_MEMO:
            raise InvalidError(
                "credit_needs_invoice", "A credit memo names the invoice lines that it corrects: issue a credit note."
            )
        needs_subscription = self.kind in (CreditKind.FIRST_PAYMENT, CreditKind.LAST_PAYMENT)
        if needs_subscription != (self.subscription_id is not None):
            raise InvalidError("subscription_mismatch", "First and last payment credits, and no others, name their subscription.")


def new_credit(
    credit_id: str,
    account_id: str,
    amount: Money,
    option: TaxOption,
    code: TaxCode | None,
    terms: CreditTerms,
    today: date,
    now: datetime,
) -> Credit:
    """A new credit given outside any invoice; `amount` means what `option` says."""
    gross, tax = credit_amounts(amount.amount_minor, option, code)
    Money(gross, amount.currency)  # the tax on top must not carry it over the limit
    if terms.expires_on is not None and terms.expires_on < today:
        raise InvalidError("expiry_in_past", "A credit expires today at the earliest.")
    return Credit(
        id=credit_id,
        account_id=account_id,
        currency=amount.currency,
        kind=terms.kind,
        tax_option=option,
        gross_minor=gross,
        tax_minor=tax,
        open_minor=gross,
        issued_on=today,
        issued_at=now,
        reason=terms.reason,
        tax_code=code.code if code is not None and code.kind is TaxKind.STANDARD else None,
        subscription_id=terms.subscription_id,
        expires_on=terms.expires_on,
        is_refundable=terms.is_refundable,
    )
