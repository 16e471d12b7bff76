"""Tax per category of an order, exact to the minor unit (I4).

A *tax code* is the firm's data: a rate and a kind. All lines with one code form one category, and tax is
computed once per category on its summed base, rounded half up: EN 16931-1 rules BR-CO-17 and BR-S-08.
Rounding line by line instead would drift by a cent every few lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from remit.domain.errors import InvalidError
from remit.domain.money import round_half_up, split


class TaxKind(StrEnum):
    """Why a rate applies; the letters in comments are the UNCL 5305 codes of an e-invoice."""

    STANDARD = "standard"  # S
    ZERO = "zero"  # Z
    EXEMPT = "exempt"  # E, needs a reason
    REVERSE_CHARGE = "reverse_charge"  # AE, needs a reason
    OUTSIDE_SCOPE = "outside_scope"  # O, needs a reason: not a supply at all, such as a top-up of a wallet


@dataclass(frozen=True, slots=True)
class TaxCode:
    """One of the firm's tax codes. `rate` is in percent (`Decimal("21")`); only `STANDARD` has one above 0."""

    code: str
    kind: TaxKind
    rate: Decimal = Decimal(0)
    reason: str | None = None

    def __post_init__(self) -> None:
        taxed = self.kind is TaxKind.STANDARD
        if taxed and not 0 < self.rate <= 100:
            raise InvalidError("bad_tax_code", f"Tax code {self.code} needs a rate above 0 and up to 100 percent.")
        if not taxed and self.rate != 0:
            raise InvalidError("bad_tax_code", f"Tax code {self.code} is {self.kind} and so has no rate.")
        if self.kind in (TaxKind.EXEMPT, TaxKind.REVERSE_CHARGE, TaxKind.OUTSIDE_SCOPE) and not self.reason:
            raise InvalidError("bad_tax_code", f"Tax code {self.code} is {self.kind} and must say why.")


@dataclass(frozen=True, slots=True)
class TaxSubtotal:
    """The tax of one category: base and tax in minor units, with the code as it was that day."""

    tax_code: TaxCode
    taxable_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class TaxedAmount:
    """What one line brings to the computation: its amount as priced, its tax code, its revenue category."""

    amount_minor: int
    tax_code: TaxCode
    category: str


@dataclass(frozen=True, slots=True)
class TaxedTotals:
    """Totals of an order: `net + tax = gross`; `net_by_category` sums to `net` exactly."""

    net_minor: int
    tax_minor: int
    gross_minor: int
    subtotals: tuple[TaxSubtotal, ...]
    net_by_category: Mapping[str, int]


def tax_on(net_minor: int, code: TaxCode) -> int:
    """Tax on a net base, half up.

    >>> tax_on(10000, TaxCode("VAT21", TaxKind.STANDARD, Decimal(21)))
    2100
    """
    return round_half_up(Decimal(net_minor) * code.rate / 100)


def net_of(gross_minor: int, code: TaxCode) -> int:
    """The net inside a gross amount, half up; the tax is the rest, so that gross never changes.

    EUR 2.99 at 4 % inclusive is 2.88 + 0.11:

    >>> net_of(299, TaxCode("VAT4", TaxKind.STANDARD, Decimal(4)))
    288
    """
    return round_half_up(Decimal(gross_minor) * 100 / (100 + code.rate))


def taxed_totals(
    amounts: Iterable[TaxedAmount], *, prices_include_tax: bool, base_percent: Decimal = Decimal(100)
) -> TaxedTotals:
    """Totals of the lines, tax computed per category on the summed base.

    `base_percent` below 100: the tax is on that share of the base only, as where an early-payment discount always
    lowers the tax (T5): EUR 100 at 21 % with 98 percent is 20.58 of tax.

    With prices that include tax, the tax of a category is spread over its lines by largest remainder, and what is left
    of each line is its revenue: so revenue sums to the taxable base exactly, and any line can be credited alone.

    Example: three lines of 3.33 at 21 %, exclusive: base 9.99, tax 2.0979 → 2.10, gross 12.09 (per-line
    rounding would say 2.10 by luck here, and be a cent off at 3.32).
    """
    groups: dict[TaxCode, list[TaxedAmount]] = {}
    for amount in amounts:
        groups.setdefault(amount.tax_code, []).append(amount)

    subtotals: list[TaxSubtotal] = []
    net_by_category: dict[str, int] = {}
    for code in sorted(groups, key=lambda code: code.code):
        priced = [amount.amount_minor for amount in groups[code]]
        total = sum(priced)
        taxable = net_of(total, replace(code, rate=code.rate * base_percent / 100)) if prices_include_tax else total
        tax = total - taxable if prices_include_tax else tax_on(round_half_up(Decimal(taxable) * base_percent / 100), code)
        subtotals.append(TaxSubtotal(code, taxable, tax))
        inside = split(tax, priced) if prices_include_tax and total else (0,) * len(priced)
        for amount, share in zip(groups[code], inside, strict=True):
            net_by_category[amount.category] = net_by_category.get(amount.category, 0) + amount.amount_minor - share

    net = sum(subtotal.taxable_minor for subtotal in subtotals)
    tax = sum(subtotal.tax_minor for subtotal in subtotals)
    return TaxedTotals(net, tax, net + tax, tuple(subtotals), dict(sorted(net_by_category.items())))
