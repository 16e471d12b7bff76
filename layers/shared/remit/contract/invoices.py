"""Quotes, orders and invoices as the API speaks of them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from remit.contract.accounts import AddressView, TaxIdView, TermId
from remit.contract.common import AmountMinor, Body, Currency, Id, Page, ShortText, View
from remit.contract.firm import TaxCodeName, TaxCodeView, TermView
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.orders import MAX_LINES, LineRequest, Order, PricedLines, Quote, TermOffer
from remit.domain.terms import ChargeKind, Method
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.place_order import OrderWish


class LineBody(Body):
    """`category` names the revenue account that the line is booked to."""

    description: Annotated[ShortText, Field(max_length=1000)]
    quantity: Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6, examples=["1"])] = Decimal(1)
    unit_price_minor: AmountMinor
    tax_code: TaxCodeName
    category: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["services"])] = "sales"
    charge: ChargeKind | None = Field(None, description="For shipping and other extra charges, collected as the term says")


class QuoteBody(Body):
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MAX_LINES)]
    currency: Currency | None = Field(None, description="The account's default currency, unless named")
    prices_include_tax: bool = False

    def to_wish(self, account_id: str) -> OrderWish:
        lines = [LineRequest(**line.model_dump()) for line in self.lines]
        return OrderWish(account_id, lines, self.currency, self.prices_include_tax)


class OrderBody(QuoteBody):
    """`term_id`: the account's default term, unless named. `reference` is the buyer's own and is printed on the invoice."""

    term_id: TermId | None = None
    reference: ShortText | None = None

    def to_wish(self, account_id: str) -> OrderWish:
        lines = [LineRequest(**line.model_dump()) for line in self.lines]
        return OrderWish(account_id, lines, self.currency, self.prices_include_tax, self.term_id, self.reference)


class NewInvoiceBody(Body):
    order_id: Id


class LineView(View):
    description: str
    quantity: Decimal
    unit_price_minor: int
    amount_minor: int
    tax_code: str
    category: str


class TaxSubtotalView(View):
    tax_code: TaxCodeView
    taxable_minor: int
    tax_minor: int


class TotalsView(View):
    currency: str
    prices_include_tax: bool
    net_minor: int
    tax_minor: int
    gross_minor: int
    taxes: list[TaxSubtotalView]

    @classmethod
    def of(cls, priced: PricedLines) -> "TotalsView":
        totals = priced.totals
        return cls(
            currency=priced.currency,
            prices_include_tax=priced.prices_include_tax,
            net_minor=totals.net_minor,
            tax_minor=totals.tax_minor,
            gross_minor=totals.gross_minor,
            taxes=[TaxSubtotalView.model_validate(subtotal) for subtotal in totals.subtotals],
        )


def lines_of(priced: PricedLines) -> list[LineView]:
    return [
        LineView(
            description=line.description,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            amount_minor=line.amount_minor,
            tax_code=line.tax_code.code,
            category=line.category,
        )
        for line in priced.lines
    ]


class PartView(View):
    due_date: date | None = Field(description="Null while the part waits for its delivery")
    amount_minor: int
    open_minor: int


class OfferView(View):
    """One allowed term, with its methods and the exact schedule if the invoice were issued today."""

    term: TermView
    methods: list[Method]
    totals: TotalsView
    parts: list[PartView]

    @classmethod
    def of(cls, offer: TermOffer) -> "OfferView":
        return cls(
            term=TermView.model_validate(offer.term),
            methods=list(offer.methods),
            totals=TotalsView.of(offer.priced),
            parts=[PartView.model_validate(part) for part in offer.parts],
        )


class QuoteView(View):
    totals: TotalsView
    lines: list[LineView]
    offers: list[OfferView]

    @classmethod
    def of(cls, quote: Quote) -> "QuoteView":
        offers = [OfferView.of(offer) for offer in quote.offers]
        return cls(totals=TotalsView.of(quote.priced), lines=lines_of(quote.priced), offers=offers)


class OrderView(View):
    id: Id
    account_id: Id
    placed_at: datetime
    reference: str | None
    term: TermView
    totals: TotalsView
    lines: list[LineView]

    @classmethod
    def of(cls, order: Order) -> "OrderView":
        return cls(
            id=order.id,
            account_id=order.account_id,
            placed_at=order.placed_at,
            reference=order.reference,
            term=TermView.model_validate(order.term),
            totals=TotalsView.of(order.priced),
            lines=lines_of(order.priced),
        )


class OpenItemView(View):
    """An invoice in a list: what is owed on it."""

    invoice_id: Id
    number: str
    currency: str
    issued_on: date
    total_minor: int
    open_minor: int
    status: InvoiceStatus
    parts: list[PartView]
    overdue: bool = Field(description="Computed for the firm's today: something is open past its due date")

    @classmethod
    def of(cls, item: OpenItem, today: date) -> "OpenItemView":
        plain = {name: getattr(item, name) for name in cls.model_fields if name != "overdue"}
        return cls.model_validate(plain | {"overdue": any(part.is_overdue(today) for part in item.parts)})


class PartyView(View):
    name: str
    email: str
    address: AddressView | None
    tax_ids: list[TaxIdView]


class InvoiceView(View):
    id: Id
    number: str
    series: str
    account_id: Id
    order_id: Id
    issued_on: date
    status: InvoiceStatus
    overdue: bool
    open_minor: int
    reference: str | None
    seller: PartyView
    buyer: PartyView
    term: TermView
    totals: TotalsView
    lines: list[LineView]
    parts: list[PartView]
    methods: list[Method]
    entries: list[str] = Field(description="Ids of the journal entries that touched it")

    @classmethod
    def of(cls, issued: IssuedInvoice, today: date) -> "InvoiceView":
        invoice, item = issued.invoice, issued.open_item
        return cls(
            id=invoice.id,
            number=invoice.number,
            series=invoice.series,
            account_id=invoice.account_id,
            order_id=invoice.order_id,
            issued_on=invoice.issued_on,
            status=item.status,
            overdue=any(part.is_overdue(today) for part in item.parts),
            open_minor=item.open_minor,
            reference=invoice.reference,
            seller=PartyView.model_validate(invoice.seller),
            buyer=PartyView.model_validate(invoice.buyer),
            term=TermView.model_validate(invoice.term),
            totals=TotalsView.of(invoice.priced),
            lines=lines_of(invoice.priced),
            parts=[PartView.model_validate(part) for part in item.parts],
            methods=list(item.methods),
            entries=[f"{invoice.account_id}.{invoice.currency}.{sequence}" for sequence in item.entries],
        )


class OpenItemsPage(Page):
    invoices: list[OpenItemView]


class SeriesView(View):
    """The proof that a number series has no gap: `gaps` is empty."""

    series: str
    last: int
    count: int
    gaps: list[str]
