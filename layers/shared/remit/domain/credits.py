"""Credits that the firm gives a customer (C1 goodwill, C2, C3)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from remit.domain.errors import InvalidError
from remit.domain.money import Money
from remit.domain.tax import TaxCode, TaxKind, net_of, tax_on


class CreditKind(StrEnum):
    """`GOODWILL` pays future invoices only and is not refundable."""

    GOODWILL = "goodwill"


class TaxOption(StrEnum):
    """What the amount given means (C2): gross, net, or an amount on which no tax is reversed."""

    INCLUDED = "included"
    NOT_INCLUDED = "not_included"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit lot. `gross_minor` is what the customer gains, `tax_minor` the tax reversed in it,
    `open_minor` what is still unused (C3: it stays until it is chosen to pay something)."""

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
    entries: tuple[int, ...] = ()
    version: int = 0


def goodwill_amounts(amount_minor: int, option: TaxOption, code: TaxCode | None) -> tuple[int, int]:
    """(gross, tax) of a goodwill credit of `amount_minor` (> 0).

    >>> from decimal import Decimal
    >>> vat21 = TaxCode("VAT21", TaxKind.STANDARD, Decimal(21))
    >>> goodwill_amounts(1210, TaxOption.INCLUDED, vat21)
    (1210, 210)
    >>> goodwill_amounts(1000, TaxOption.NOT_INCLUDED, vat21)
    (1210, 210)
    >>> goodwill_amounts(1000, TaxOption.WAIVED, None)
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


def goodwill(
    credit_id: str,
    account_id: str,
    amount: Money,
    option: TaxOption,
    code: TaxCode | None,
    reason: str,
    today: date,
    now: datetime,
) -> Credit:
    """A new goodwill credit; `amount` means what `option` says."""
    gross, tax = goodwill_amounts(amount.amount_minor, option, code)
    Money(gross, amount.currency)  # the tax on top must not carry it over the limit
    return Credit(
        id=credit_id,
        account_id=account_id,
        currency=amount.currency,
        kind=CreditKind.GOODWILL,
        tax_option=option,
        gross_minor=gross,
        tax_minor=tax,
        open_minor=gross,
        issued_on=today,
        issued_at=now,
        reason=reason,
        tax_code=code.code if code is not None and code.kind is TaxKind.STANDARD else None,
    )
