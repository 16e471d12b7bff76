"""Quotes, orders and invoices as the API speaks of them."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from remit.contract.accounts import AddressView, TaxIdView, TermId
from remit.contract.common import (
    ActorView,
    AmountMinor,
    Body,
    Currency,
    Day,
    Flag,
    Id,
    LongText,
    Page,
    ShortText,
    SubscriptionId,
    View,
)
from remit.contract.firm import Percent, TaxCodeName, TaxCodeView, TermView
from remit.domain.accounts import PaymentMode
from remit.domain.collection import Outcome
from remit.domain.invoice_batches import MAX_BATCH, BatchLine, InvoiceBatch
from remit.domain.invoices import invoice_id_for
from remit.domain.late_charges import LateCharge
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.orders import (
    MAX_DEPOSITS,
    MAX_LINES,
    Deduction,
    Discount,
    LineRequest,
    Order,
    OrderKind,
    OrderStatus,
    PricedLines,
    Quote,
    SubscriptionPeriod,
    TermOffer,
)
from remit.domain.terms import ChargeKind, Method, Part, PartStatus
from remit.usecases.find_orders import StandingOrder, standing
from remit.usecases.invoice_timeline import EventKind
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.place_order import OrderWish
from remit.usecases.read_collection import CollectionStanding


class LineBody(Body):
    """`category` names the revenue account that the line is booked to."""

    description: Annotated[ShortText, Field(max_length=1000)]
    quantity: Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6, examples=["1"])] = Decimal(1)
    unit_price_minor: AmountMinor
    tax_code: TaxCodeName
    category: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["services"])] = "sales"
    charge: ChargeKind | None = Field(None, description="For shipping and other extra charges, collected as the term says")


class SubscriptionPeriodBody(Body):
    """Which period of which subscription is billed; the first and the final one have credits of their own."""

    subscription_id: SubscriptionId
    period: Annotated[int, Field(strict=True, ge=0, le=100_000)]
    is_first: Flag = False
    is_final: Flag = False


OrderedKind = Literal[OrderKind.PRODUCTS, OrderKind.SERVICES, OrderKind.SUBSCRIPTION, OrderKind.DEPOSIT]
"""What can be ordered. Top-ups and reversals are made by requests of their own."""


class QuoteBody(Body):
    """`deposits`: paid deposit invoices to deduct, with their tax. A `deposit` asks for money ahead of a sale."""

    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MAX_LINES)]
    currency: Currency | None = Field(None, description="The account's default currency, unless named")
    prices_include_tax: Flag = False
    kind: OrderedKind = OrderKind.PRODUCTS
    deposits: Annotated[list[Id], Field(max_length=MAX_DEPOSITS)] = []

    def to_wish(self, account_id: str) -> OrderWish:
        lines = [LineRequest(**line.model_dump()) for line in self.lines]
        return OrderWish(account_id, lines, self.currency, self.prices_include_tax, kind=self.kind, deposits=self.deposits)


class OrderBody(QuoteBody):
    """`term_id`: the account's default term, unless named. `reference` is the buyer's own, and printed on the invoice like
    `note`."""

    term_id: TermId | None = None
    reference: ShortText | None = None
    subscription: SubscriptionPeriodBody | None = None
    note: LongText | None = None

    def to_wish(self, account_id: str) -> OrderWish:
        period = SubscriptionPeriod(**self.subscription.model_dump()) if self.subscription else None
        quoted = super().to_wish(account_id)
        return replace(quoted, term_id=self.term_id, reference=self.reference, subscription=period, note=self.note)


class RevisedOrderBody(OrderBody):
    """The whole order as it shall be. `version` is the one that you read."""

    version: Annotated[int, Field(strict=True, ge=1)]


class CancelOrderBody(Body):
    """Nothing to choose: an order that is not invoiced is given up as a whole."""


class NewInvoiceBody(Body):
    order_id: Id


class ReasonBody(Body):
    """Why; it is kept with the entry."""

    reason: ShortText


class PostponementBody(Body):
    """Part number `part`, from 1, is owed on `due_date`. The early-payment discount keeps its date."""

    part: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    due_date: Day
    reason: ShortText


class DeliveryBody(Body):
    """`percent` of the whole order was delivered."""

    percent: Percent
    delivered_on: Day


class LateChargeBody(Body):
    """Interest is charged for the days up to `through`: today unless named."""

    through: Day | None = None


class BatchOrderBody(Body):
    account_id: Id
    order_id: Id


class InvoiceBatchBody(Body):
    """Orders to invoice, in this order."""

    orders: Annotated[list[BatchOrderBody], Field(min_length=1, max_length=MAX_BATCH)]


class LineView(View):
    description: str
    quantity: Decimal
    unit_price_minor: int
    amount_minor: int
    tax_code: str
    category: str
    charge: ChargeKind | None


class TaxSubtotalView(View):
    tax_code: TaxCodeView
    taxable_minor: int
    tax_minor: int


class DeductionView(View):
    """A deposit that is deducted, with its tax per code."""

    invoice_id: Id
    number: str
    net_minor: int
    gross_minor: int
    taxes: list[TaxSubtotalView]

    @classmethod
    def of(cls, deduction: Deduction) -> "DeductionView":
        taxes = [TaxSubtotalView.model_validate(subtotal) for subtotal in deduction.subtotals]
        plain = {name: getattr(deduction, name) for name in ("invoice_id", "number", "net_minor", "gross_minor")}
        return cls(**plain, taxes=taxes)


class TotalsView(View):
    """Totals of the lines. `payable_minor` is what is asked for: gross less deposits."""

    currency: str
    prices_include_tax: bool
    net_minor: int
    tax_minor: int
    gross_minor: int
    payable_minor: int
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
            payable_minor=priced.payable_minor,
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
            charge=line.charge,
        )
        for line in priced.lines
    ]


class PartView(View):
    due_date: date | None = Field(description="Null while the part waits for its delivery")
    amount_minor: int
    open_minor: int


class StandingPartView(PartView):
    """A part with how it stands today."""

    status: PartStatus
    days_overdue: int

    @classmethod
    def on(cls, part: Part, today: date) -> "StandingPartView":
        plain = {name: getattr(part, name) for name in PartView.model_fields}
        return cls(**plain, status=part.status(today), days_overdue=part.days_overdue(today))


class DiscountView(View):
    """Paid with a value date up to `until`, `payable_minor` settles it in full: `saved_minor` less, of which
    `tax_saved_minor` is tax."""

    until: date
    payable_minor: int
    saved_minor: int
    tax_saved_minor: int

    @classmethod
    def of(cls, discount: Discount, open_minor: int, until: date) -> "DiscountView":
        saved = discount.gross_minor
        return cls(until=until, payable_minor=open_minor - saved, saved_minor=saved, tax_saved_minor=saved - discount.net_minor)


class OfferView(View):
    """One allowed term, with its methods and the exact schedule if the invoice were issued today."""

    term: TermView
    methods: list[Method]
    totals: TotalsView
    parts: list[PartView]
    discount: DiscountView | None

    @classmethod
    def of(cls, offer: TermOffer, today: date) -> "OfferView":
        term, priced = offer.term, offer.priced
        discount = None
        if term.discount and priced.discount:
            until = today + timedelta(days=term.discount.days)
            discount = DiscountView.of(priced.discount, priced.payable_minor, until)
        return cls(
            term=TermView.model_validate(term),
            methods=list(offer.methods),
            totals=TotalsView.of(priced),
            parts=[PartView.model_validate(part) for part in offer.parts],
            discount=discount,
        )


class QuoteView(View):
    totals: TotalsView
    lines: list[LineView]
    deposits: list[DeductionView]
    offers: list[OfferView]

    @classmethod
    def of(cls, quote: Quote, today: date) -> "QuoteView":
        offers = [OfferView.of(offer, today) for offer in quote.offers]
        deposits = [DeductionView.of(deduction) for deduction in quote.priced.deductions]
        return cls(totals=TotalsView.of(quote.priced), lines=lines_of(quote.priced), deposits=deposits, offers=offers)


class SubscriptionPeriodView(View):
    subscription_id: str
    period: int
    is_first: bool
    is_final: bool


class OrderView(View):
    """`version` counts the revisions; name it to revise the order. `invoice_id` leads to its invoice once it is issued."""

    id: Id
    account_id: Id
    status: OrderStatus
    version: int
    placed_at: datetime
    revised_at: datetime | None
    canceled_at: datetime | None
    kind: OrderKind
    reference: str | None
    note: str | None
    subscription: SubscriptionPeriodView | None
    term: TermView
    methods: list[Method]
    totals: TotalsView
    lines: list[LineView]
    deposits: list[DeductionView]
    invoice_id: Id | None

    @classmethod
    def of(cls, found: StandingOrder) -> "OrderView":
        order = found.order
        plain = {name: getattr(order, name) for name in cls.model_fields if hasattr(order, name)}
        return cls.model_validate(
            plain
            | {
                "status": found.status,
                "version": max(1, order.version),
                "totals": TotalsView.of(order.priced),
                "lines": lines_of(order.priced),
                "deposits": [DeductionView.of(deduction) for deduction in order.priced.deductions],
                "invoice_id": found.invoice_id,
            }
        )

    @classmethod
    def written(cls, order: Order) -> Any:
        """An order that was just written and is not invoiced, as JSON data."""
        return cls.of(standing(order, None)).model_dump(mode="json")


class OrdersPage(Page):
    orders: list[OrderView]


class OpenItemView(View):
    """An invoice in a list: what is owed on it."""

    invoice_id: Id
    number: str
    currency: str
    kind: OrderKind
    issued_on: date
    total_minor: int
    open_minor: int
    status: InvoiceStatus
    parts: list[PartView]
    overdue: bool = Field(description="Computed for the firm's today: something is open past its due date")

    @classmethod
    def of(cls, item: OpenItem, today: date) -> "OpenItemView":
        plain = {name: getattr(item, name) for name in cls.model_fields if name != "overdue"}
        return cls.model_validate(plain | {"overdue": item.is_overdue(today)})


class PartyView(View):
    name: str
    email: str
    address: AddressView | None
    tax_ids: list[TaxIdView]


class SettlementView(View):
    """How much a payment, a credit or the wallet (`source_id`) has settled."""

    source_id: str
    amount_minor: int


class PostponementView(View):
    """A due date that was moved: which part, from when, to when, by whom and why."""

    part: int
    old_due_date: date
    new_due_date: date
    actor: ActorView
    reason: str
    moved_at: datetime


class DeliveryView(View):
    percent: Decimal
    delivered_on: date
    actor: ActorView
    reported_at: datetime


class CollectionAttemptView(View):
    """An automatic charge of the saved method: attempt `number` for the due date `due_on`, a payment like any other."""

    payment_id: Id
    number: int
    due_on: date
    made_at: datetime
    method_label: str = Field(description="What the customer knows the method by, such as `visa 4242`")
    amount_minor: int
    outcome: Outcome = Field(
        description="`not_charged`: it never reached the gateway, is made again the next day, and is none of `collection_retries`"
    )
    reason: str | None = Field(description="Why it failed, in the gateway's words")
    retry_on: date | None = Field(description="When what failed is tried again; null: not by itself")


class CollectionView(View):
    """How automatic collection stands."""

    next_on: date | None = Field(description="When the saved method is charged next; null: not any more by itself")
    why: str = Field(description="Why then, or why not any more")
    attempts: list[CollectionAttemptView]


class SubPeriodView(View):
    """Days with one base and one rate: base × percent / 100 × days / year_days."""

    first: date
    through: date
    days: int
    base_minor: int
    annual_percent: Decimal
    year_days: int
    share_minor: int


class PartFeeView(View):
    due_date: date
    amount_minor: int


class LateChargeView(View):
    """What being late costs: interest by sub-periods, whose shares less `less_minor` sum to `interest_minor`, and fees by the
    part that is late. `less_minor`: what earlier charges had asked too much."""

    invoice_id: Id = Field(description="The invoice that is late")
    number: str
    currency: str
    periods: list[SubPeriodView]
    fees: list[PartFeeView]
    less_minor: int
    interest_minor: int
    fee_minor: int
    total_minor: int


class LateChargePreview(View):
    """What would be charged now, and the invoices that charged for it before."""

    charge: LateChargeView
    late_charges: list[Id]

    @classmethod
    def of(cls, charge: LateCharge, item: OpenItem) -> "LateChargePreview":
        return cls(charge=LateChargeView.model_validate(charge), late_charges=list(item.late_charges))


class InvoiceView(View):
    """An invoice. While its order is not invoiced yet it is a `draft`: as it would be if it were issued today, without a
    number. Its links lead to order, subscription, deposits, what paid it, and what credits or reverses it."""

    id: Id
    number: str | None
    series: str | None
    account_id: Id
    order_id: Id
    kind: OrderKind
    mode: PaymentMode
    issued_on: date | None
    status: InvoiceStatus
    overdue: bool
    total_minor: int
    open_minor: int
    written_off_minor: int
    recovered_minor: int
    reference: str | None
    note: str | None
    template_version: str
    seller: PartyView
    buyer: PartyView
    term: TermView
    totals: TotalsView
    lines: list[LineView]
    deposits: list[DeductionView]
    discount: DiscountView | None = Field(description="While paying early still saves something")
    parts: list[StandingPartView]
    methods: list[Method]
    subscription: SubscriptionPeriodView | None
    reverses: str | None = Field(description="The credit or refund that it takes back")
    deducted_on: str | None = Field(description="The final invoice that deducts this deposit")
    late_charge: LateChargeView | None = Field(description="Of a late charge: which invoice was late, and how it was reckoned")
    late_charges: list[str] = Field(description="The invoices that charge for this one's being late")
    credit_notes: list[str]
    settlements: list[SettlementView]
    postponements: list[PostponementView]
    deliveries: list[DeliveryView]
    delivered_percent: Decimal
    disputed_by: list[str] = Field(description="Payments in dispute that paid it")
    collect_on: date | None = Field(description="When automatic collection looks at it next")
    collection: CollectionView | None = Field(None, description="When it is read, and collected by itself: every attempt")
    entries: list[str] = Field(description="Ids of the journal entries that touched it")

    @classmethod
    def of(cls, issued: IssuedInvoice, today: date, collection: CollectionStanding | None = None) -> "InvoiceView":
        invoice, item = issued.invoice, issued.open_item
        plain = {name: getattr(invoice, name) for name in cls.model_fields if hasattr(invoice, name)}
        plain |= {name: getattr(item, name) for name in _OF_ITEM}
        discount = item.discount_on(today)
        offered = DiscountView.of(discount, item.open_minor, item.discount.until) if discount and item.discount else None
        return cls.model_validate(
            plain
            | {
                "overdue": item.is_overdue(today),
                "collect_on": item.collect_on if item.open_minor else None,
                "collection": collection,
                "totals": TotalsView.of(invoice.priced),
                "lines": lines_of(invoice.priced),
                "deposits": [DeductionView.of(deduction) for deduction in invoice.priced.deductions],
                "discount": offered,
                "parts": [StandingPartView.on(part, today) for part in item.parts],
                "entries": [f"{invoice.account_id}.{invoice.currency}.{sequence}" for sequence in item.entries],
            }
        )

    @classmethod
    def of_draft(cls, preview: IssuedInvoice, today: date) -> "InvoiceView":
        """The invoice that an order would become today; nothing is owed on it yet."""
        nothing = {"number": None, "series": None, "issued_on": None, "status": InvoiceStatus.DRAFT, "open_minor": 0}
        return cls.of(preview, today).model_copy(update=nothing)


_OF_ITEM = (
    "status", "open_minor", "total_minor", "written_off_minor", "recovered_minor", "methods", "deducted_on", "credit_notes",
    "settlements", "postponements", "deliveries", "delivered_percent", "disputed_by",
    "late_charges",
)  # fmt: skip
"""What of an `InvoiceView` may change after the issue."""


class OpenItemsPage(Page):
    invoices: list[OpenItemView]


class PastEventView(View):
    """`amount_minor`: how far an entry changed what is open, or the amount of a transaction."""

    occurred_at: datetime
    kind: EventKind
    what: str
    document_id: str
    amount_minor: int | None
    actor: ActorView | None
    note: str | None
    documents: list[str]


class PlannedEventView(View):
    on: date | None = Field(description="Null for what waits for a delivery")
    kind: EventKind
    amount_minor: int


class TimelineView(View):
    """The past, oldest first; what is to come, next first."""

    past: list[PastEventView]
    future: list[PlannedEventView]


class BatchLineView(View):
    """`invoice_id` with `number`, or `refusal` with why there is none. `spoiled_number`: the number that was taken for it and
    never used."""

    account_id: Id
    order_id: Id
    invoice_id: Id | None
    number: str | None
    refusal: str | None
    detail: str | None
    spoiled_number: str | None

    @classmethod
    def of(cls, batch: InvoiceBatch, line: BatchLine) -> "BatchLineView":
        plain = {name: getattr(line, name) for name in cls.model_fields if hasattr(line, name)}
        invoice_id = invoice_id_for(line.order_id) if line.number else None
        return cls(**plain, invoice_id=invoice_id, spoiled_number=batch.spoiled_number(line))


class InvoiceBatchView(View):
    """Every order with its invoice, in the order asked for. `first` and `last`: the block of numbers that was taken."""

    id: Id
    series: str
    issued_on: date
    first: int | None
    last: int | None
    finished_at: datetime | None
    lines: list[BatchLineView]

    @classmethod
    def of(cls, batch: InvoiceBatch) -> "InvoiceBatchView":
        numbers = batch.numbers
        return cls(
            id=batch.id,
            series=batch.series,
            issued_on=batch.issued_on,
            first=numbers[0] if numbers else None,
            last=numbers[-1] if numbers else None,
            finished_at=batch.finished_at,
            lines=[BatchLineView.of(batch, line) for line in batch.lines],
        )


class NumberSeriesView(View):
    """The proof that a number series has no gap: `gaps` is empty. `pending` numbers are being written by a batch."""

    series: str
    last: int
    count: int
    pending: int
    gaps: list[str]
