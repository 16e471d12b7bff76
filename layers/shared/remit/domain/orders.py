"""What a customer wants to buy, priced, taxed and given terms (T6).

An order is frozen when it is placed: lines, tax rates, the chosen term and its totals never change after,
whatever happens to the firm's settings. One order becomes one invoice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.money import MAX_MINOR, exponent, round_half_up
from remit.domain.tax import TaxCode, TaxedAmount, TaxedTotals, taxed_totals
from remit.domain.terms import Part, PaymentTerm, schedule

MAX_LINES = 10_000


@dataclass(frozen=True, slots=True)
class LineRequest:
    """A line as asked for. `unit_price_minor` in minor units of the order's currency, `quantity` above 0."""

    description: str
    quantity: Decimal
    unit_price_minor: int
    tax_code: str
    category: str = "sales"


@dataclass(frozen=True, slots=True)
class Line:
    """A priced line: `amount_minor = round half up(quantity × unit_price_minor)`, tax included or not as the order says."""

    description: str
    quantity: Decimal
    unit_price_minor: int
    amount_minor: int
    tax_code: TaxCode
    category: str


@dataclass(frozen=True, slots=True)
class PricedLines:
    """Lines with their totals: what a quote and an order have in common."""

    currency: str
    prices_include_tax: bool
    lines: tuple[Line, ...]
    totals: TaxedTotals


@dataclass(frozen=True, slots=True)
class TermOffer:
    """One way to pay, as a quote lists it: the term and the exact parts if the invoice were issued today."""

    term: PaymentTerm
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """The priced lines and every term allowed for them. Nothing is stored for a quote."""

    priced: PricedLines
    offers: tuple[TermOffer, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order, immutable. `reference` is the buyer's own (EN 16931 BT-13), shown on the invoice."""

    id: str
    account_id: str
    priced: PricedLines
    term: PaymentTerm
    placed_at: datetime
    reference: str | None = None


def price(requests: Sequence[LineRequest], currency: str, firm: Firm, *, prices_include_tax: bool) -> PricedLines:
    """Price and tax the lines with the firm's codes; `InvalidError` for what cannot be billed."""
    exponent(currency)
    if not requests:
        raise InvalidError("no_lines", "An order has at least one line.")
    if len(requests) > MAX_LINES:
        raise InvalidError("too_many_lines", f"An order has at most {MAX_LINES} lines.", max_lines=MAX_LINES)
    lines = tuple(_price_line(request, firm) for request in requests)
    totals = taxed_totals(
        (TaxedAmount(line.amount_minor, line.tax_code, line.category) for line in lines),
        prices_include_tax=prices_include_tax,
    )
    if totals.gross_minor > MAX_MINOR:
        raise InvalidError("amount_too_large", f"Amounts go up to {MAX_MINOR} minor units.", max_minor=MAX_MINOR)
    return PricedLines(currency, prices_include_tax, lines, totals)


def quote(priced: PricedLines, firm: Firm, today: date) -> Quote:
    """All of the firm's terms with the schedule each would give if the invoice were issued `today`."""
    offers = tuple(TermOffer(term, schedule(term, priced.totals.gross_minor, today)) for term in firm.terms.values())
    return Quote(priced, offers)


def _price_line(request: LineRequest, firm: Firm) -> Line:
    if request.quantity <= 0 or request.unit_price_minor < 0:
        raise InvalidError("bad_line", "A line needs a quantity above 0 and a price that is not negative.")
    amount = round_half_up(request.quantity * request.unit_price_minor)
    if amount > MAX_MINOR:
        raise InvalidError("amount_too_large", f"Amounts go up to {MAX_MINOR} minor units.", max_minor=MAX_MINOR)
    code = firm.tax_code(request.tax_code)
    return Line(request.description, request.quantity, request.unit_price_minor, amount, code, request.category)
