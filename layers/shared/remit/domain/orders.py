"""What a customer wants to buy, priced, taxed and given terms (T4–T6, I4, I7, I10).

The chosen term is frozen on the order with its lines, rates and totals: whatever happens to the firm's settings
later, the order stays as it was agreed. An order is the draft of its one invoice: until that is issued it can be
revised or canceled (I1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import Firm
from remit.domain.late_charges import LateCharge
from remit.domain.money import MAX_MINOR, exponent, round_half_up, split
from remit.domain.tax import TaxCode, TaxedAmount, TaxedTotals, TaxKind, TaxSubtotal, tax_on, taxed_totals
from remit.domain.terms import ChargeKind, DiscountTax, Method, Occasion, Part, PaymentTerm, schedule

MAX_LINES = 10_000
MAX_DEPOSITS = 20
"""Deposits that one invoice deducts: each is written with it, in one transaction."""


class OrderKind(StrEnum):
    """What is billed, which decides the template of its invoice (I7) and how it posts.

    `DEPOSIT` is money asked for ahead of a sale, `TOP_UP` of a wallet. The two reversals, and `LATE_CHARGE` for what was paid
    late (D9), are made by the system alone.
    """

    PRODUCTS = "products"
    SERVICES = "services"
    SUBSCRIPTION = "subscription"
    DEPOSIT = "deposit"
    TOP_UP = "top_up"
    CREDIT_REVERSAL = "credit_reversal"
    REFUND_REVERSAL = "refund_reversal"
    LATE_CHARGE = "late_charge"


class OrderStatus(StrEnum):
    """How an order stands (I1). Computed: an order is invoiced when its invoice is there."""

    DRAFT = "draft"
    INVOICED = "invoiced"
    CANCELED = "canceled"


NOT_A_SUPPLY = TaxCode(
    "OUTSIDE_SCOPE",
    TaxKind.OUTSIDE_SCOPE,
    reason="Payment in advance for supplies whose tax is not known yet, or of money returned",
)
"""Top-ups and returned money are no supply: a multi-purpose voucher is taxed when it is used (Directive 2006/112/EC,
article 30b)."""


@dataclass(frozen=True, slots=True)
class LineRequest:
    """A line as asked for. `unit_price_minor` in minor units of the order's currency, `quantity` above 0; `charge`
    for shipping and other extra charges, which are collected as the term says (T4)."""

    description: str
    quantity: Decimal
    unit_price_minor: int
    tax_code: str
    category: str = "sales"
    charge: ChargeKind | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A priced line: `amount_minor = round half up(quantity × unit_price_minor)`, tax included or not as the order says."""

    description: str
    quantity: Decimal
    unit_price_minor: int
    amount_minor: int
    tax_code: TaxCode
    category: str
    charge: ChargeKind | None = None


@dataclass(frozen=True, slots=True)
class LineShare:
    """What one line contributes to the totals: `net + tax = gross`, and all lines sum to the totals exactly."""

    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor


@dataclass(frozen=True, slots=True)
class Deduction:
    """A deposit invoice that a final invoice deducts, together with its tax per code (I10)."""

    invoice_id: str
    number: str
    subtotals: tuple[TaxSubtotal, ...]

    @property
    def net_minor(self) -> int:
        return sum(subtotal.taxable_minor for subtotal in self.subtotals)

    @property
    def gross_minor(self) -> int:
        return sum(subtotal.taxable_minor + subtotal.tax_minor for subtotal in self.subtotals)


@dataclass(frozen=True, slots=True)
class Discount:
    """What an early payment saves (T5): `net_minor` and, per tax code, the tax that falls with it."""

    net_minor: int
    taxes: tuple[tuple[str, int], ...] = ()

    @property
    def gross_minor(self) -> int:
        return self.net_minor + sum(tax for _, tax in self.taxes)

    def reversed(self) -> "Discount":
        """What is posted when the discount is lost again."""
        return Discount(-self.net_minor, tuple((code, -tax) for code, tax in self.taxes))

    def scaled(self, part_minor: int, whole_minor: int) -> "Discount":
        """The discount on a part of the invoice, when the rest was credited."""
        if part_minor == whole_minor:
            return self
        share = Decimal(part_minor) / whole_minor
        return Discount(
            round_half_up(self.net_minor * share), tuple((code, round_half_up(tax * share)) for code, tax in self.taxes)
        )


@dataclass(frozen=True, slots=True)
class PricedLines:
    """Lines with their totals: what a quote and an order have in common.

    `totals` are those of the lines; `payable_minor` is what the invoice asks for, after `deductions`.
    """

    currency: str
    prices_include_tax: bool
    lines: tuple[Line, ...]
    totals: TaxedTotals
    deductions: tuple[Deduction, ...] = ()
    discount: Discount | None = None

    @property
    def payable_minor(self) -> int:
        return self.totals.gross_minor - sum(deduction.gross_minor for deduction in self.deductions)

    def taxes_due(self) -> dict[str, int]:
        """Tax per code that this invoice adds, the deposits' own already taken off (I10)."""
        due = {subtotal.tax_code.code: subtotal.tax_minor for subtotal in self.totals.subtotals}
        for deduction in self.deductions:
            for subtotal in deduction.subtotals:
                due[subtotal.tax_code.code] = due.get(subtotal.tax_code.code, 0) - subtotal.tax_minor
        return due

    def charges(self) -> dict[ChargeKind, int]:
        """Extra charges by kind, gross: the lines' exact shares of the totals."""
        found: dict[ChargeKind, int] = {}
        for line, share in zip(self.lines, self.shares(), strict=True):
            if line.charge is not None:
                found[line.charge] = found.get(line.charge, 0) + share.gross_minor
        return found

    def shares(self) -> tuple[LineShare, ...]:
        """Net and tax of every line, spread from its tax category by largest remainder.

        Three lines of 3.33 at 21 % have 2.10 of tax: 0.70 each, as the category was rounded once.
        """
        nets, taxes = [0] * len(self.lines), [0] * len(self.lines)
        for subtotal in self.totals.subtotals:
            places = [place for place, line in enumerate(self.lines) if line.tax_code == subtotal.tax_code]
            amounts = [self.lines[place].amount_minor for place in places]
            if not sum(amounts):
                continue
            if self.prices_include_tax:
                parts = split(subtotal.tax_minor, amounts)
                found = [(amount - tax, tax) for amount, tax in zip(amounts, parts, strict=True)]
            else:
                found = list(zip(amounts, split(subtotal.tax_minor, amounts), strict=True))
            for place, (net, tax) in zip(places, found, strict=True):
                nets[place], taxes[place] = net, tax
        return tuple(LineShare(net, tax) for net, tax in zip(nets, taxes, strict=True))


@dataclass(frozen=True, slots=True)
class TermOffer:
    """One way to pay, as a quote lists it: the term, the methods, and the exact parts if the invoice were issued today.

    `priced` may differ between terms: a discount that always lowers the tax does so from the start (T5).
    """

    term: PaymentTerm
    priced: PricedLines
    methods: tuple[Method, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """The priced lines and every term allowed for them. Nothing is stored for a quote."""

    priced: PricedLines
    offers: tuple[TermOffer, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionPeriod:
    """Which period of which subscription an order bills: the first and the final one have credits of their own (C1)."""

    subscription_id: str
    period: int
    is_first: bool = False
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order. `reference` is the buyer's own (EN 16931 BT-13), shown on the invoice.

    `methods`: how it may be paid, by the term and the account (T3). `reverses`: the credit or refund that a reversal
    takes back, with `note`. `late_charge`: what a late charge is made of.
    """

    id: str
    account_id: str
    priced: PricedLines
    term: PaymentTerm
    placed_at: datetime
    reference: str | None = None
    kind: OrderKind = OrderKind.PRODUCTS
    methods: tuple[Method, ...] = tuple(Method)
    subscription: SubscriptionPeriod | None = None
    reverses: str | None = None
    note: str | None = None
    revised_at: datetime | None = None
    canceled_at: datetime | None = None
    late_charge: LateCharge | None = None
    version: int = 0

    def require_draft(self) -> None:
        """`RuleError` once the order was canceled. (Whether it was invoiced is the invoice's to know.)"""
        if self.canceled_at is not None:
            raise RuleError("order_canceled", "The order was canceled. Place a new one.", order_id=self.id)


def price(requests: Sequence[LineRequest], currency: str, firm: Firm, *, prices_include_tax: bool) -> PricedLines:
    """Price and tax the lines with the firm's codes; `InvalidError` for what cannot be billed."""
    exponent(currency)
    if not requests:
        raise InvalidError("no_lines", "An order has at least one line.")
    if len(requests) > MAX_LINES:
        raise InvalidError("too_many_lines", f"An order has at most {MAX_LINES} lines.", max_lines=MAX_LINES)
    return priced_lines([_price_line(request, firm) for request in requests], currency, prices_include_tax=prices_include_tax)


def priced_lines(lines: Sequence[Line], currency: str, *, prices_include_tax: bool) -> PricedLines:
    """The lines with their totals; `InvalidError` for more than an amount may be."""
    totals = taxed_totals(_taxed(lines), prices_include_tax=prices_include_tax)
    if totals.gross_minor > MAX_MINOR:
        raise InvalidError("amount_too_large", f"Amounts go up to {MAX_MINOR} minor units.", max_minor=MAX_MINOR)
    return PricedLines(currency, prices_include_tax, tuple(lines), totals)


def on_terms(priced: PricedLines, term: PaymentTerm) -> PricedLines:
    """The lines as billed under `term`: with what an early payment saves, and the tax on the lower base where the
    discount always lowers it (T5).

    EUR 100 + 21 %, 2 %: `ALWAYS` bills 120.58 and saves 2.00; `ON_EARLY_PAYMENT` bills 121.00 and saves 2.42; `NEVER`
    bills 121.00 and saves 2.00.
    """
    if term.discount is None:
        return priced
    if priced.deductions:
        raise RuleError("discount_with_deposit", f"Term {term.id} has a discount, which does not go with deducted deposits.")
    percent, mode = term.discount.percent, term.discount.tax
    if mode is DiscountTax.ALWAYS:
        totals = taxed_totals(_taxed(priced.lines), prices_include_tax=priced.prices_include_tax, base_percent=100 - percent)
        priced = replace(priced, totals=totals)
    net, taxes = 0, []
    for subtotal in priced.totals.subtotals:
        saved = round_half_up(Decimal(subtotal.taxable_minor) * percent / 100)
        net += saved
        if mode is DiscountTax.ON_EARLY_PAYMENT:
            tax = subtotal.tax_minor - min(subtotal.tax_minor, tax_on(subtotal.taxable_minor - saved, subtotal.tax_code))
            taxes.append((subtotal.tax_code.code, tax))
    return replace(priced, discount=Discount(net, tuple((code, tax) for code, tax in taxes if tax)))


def deducting(priced: PricedLines, deductions: Sequence[Deduction]) -> PricedLines:
    """The lines with deposits deducted (I10).

    `RuleError` `deposit_exceeds_order` when a deposit has more of a tax category than the order.
    """
    left = {subtotal.tax_code.code: (subtotal.taxable_minor, subtotal.tax_minor) for subtotal in priced.totals.subtotals}
    for deduction in deductions:
        for subtotal in deduction.subtotals:
            base, tax = left.get(subtotal.tax_code.code, (0, 0))
            if subtotal.taxable_minor > base or subtotal.tax_minor > tax:
                raise RuleError(
                    "deposit_exceeds_order",
                    f"Deposit {deduction.number} has more at {subtotal.tax_code.code} than the order it is deducted from.",
                    invoice_id=deduction.invoice_id,
                    tax_code=subtotal.tax_code.code,
                    available_minor=base,
                )
            left[subtotal.tax_code.code] = base - subtotal.taxable_minor, tax - subtotal.tax_minor
    return replace(priced, deductions=tuple(deductions))


def quote(priced: PricedLines, firm: Firm, today: date, methods: Sequence[Method] = tuple(Method)) -> Quote:
    """All of the firm's terms that fit, with the schedule each would give if the invoice were issued `today`.

    `methods` are those that the account may use; a term that leaves none of them is not offered (T6).
    """
    offers: list[TermOffer] = []
    for term in firm.terms.values():
        allowed = tuple(method for method in term.methods if method in methods)
        if not allowed or not term.fits(priced.currency):
            continue
        try:
            billed = on_terms(priced, term)
            parts = parts_of(billed, term, Occasion(today, today))
        except RuleError:  # the term does not fit this order, so it is not offered
            continue
        offers.append(TermOffer(term, billed, allowed, parts))
    return Quote(priced, tuple(offers))


def parts_of(priced: PricedLines, term: PaymentTerm, occasion: Occasion) -> tuple[Part, ...]:
    """The schedule of an invoice for these lines. Deposits are deducted from the goods, so charges keep their place."""
    charges = priced.charges()
    if priced.payable_minor < sum(charges.values()):
        charges = {}
    return schedule(term, priced.payable_minor, occasion, charges)


def _taxed(lines: Sequence[Line]) -> Iterator[TaxedAmount]:
    return (TaxedAmount(line.amount_minor, line.tax_code, line.category) for line in lines)


def _price_line(request: LineRequest, firm: Firm) -> Line:
    if request.quantity <= 0 or request.unit_price_minor < 0:
        raise InvalidError("bad_line", "A line needs a quantity above 0 and a price that is not negative.")
    amount = round_half_up(request.quantity * request.unit_price_minor)
    if amount > MAX_MINOR:
        raise InvalidError("amount_too_large", f"Amounts go up to {MAX_MINOR} minor units.", max_minor=MAX_MINOR)
    code = firm.tax_code(request.tax_code)
    return Line(request.description, request.quantity, request.unit_price_minor, amount, code, request.category, request.charge)


def revenue_by_category(lines: Sequence[Line], shares: Mapping[int, int]) -> dict[str, int]:
    """Net per revenue category, for amounts (net, by line number from 0) taken off those lines."""
    found: dict[str, int] = {}
    for place, net in shares.items():
        found[lines[place].category] = found.get(lines[place].category, 0) + net
    return found
