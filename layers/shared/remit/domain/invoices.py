"""Invoices: the document that never changes (I1–I5, I7, I10). What is still owed on it is its open item's to know."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from remit.domain.accounts import Account, Address, PaymentMode, TaxId
from remit.domain.firm import Firm
from remit.domain.late_charges import LateCharge
from remit.domain.open_items import DiscountOffer, OpenItem
from remit.domain.orders import Order, OrderKind, PricedLines, SubscriptionPeriod, parts_of
from remit.domain.terms import Occasion, Part, PaymentTerm

NO_SALE = (OrderKind.TOP_UP, OrderKind.CREDIT_REVERSAL, OrderKind.REFUND_REVERSAL, OrderKind.LATE_CHARGE)
"""Invoices that sell nothing, and so are not paid from a wallet by themselves."""

TEMPLATE_VERSION = 1
"""Version of the built-in templates; an invoice keeps the one it was issued with."""


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or buyer as printed on the invoice on the day it was issued."""

    name: str
    email: str
    address: Address | None
    tax_ids: tuple[TaxId, ...]


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """Counter of one gapless series, such as `INV-2026`. `last` is the last number used, 0 before the first.

    `last_issued_on` keeps numbers chronological even when two machines disagree about midnight: a document
    is never dated before the one numbered ahead of it.
    """

    name: str
    last: int = 0
    last_issued_on: date | None = None
    version: int = field(default=0, compare=False)

    def next(self, today: date) -> tuple["NumberSeries", str, date]:
        """The advanced counter, the document number, and the issue date to use."""
        advanced = self.advanced(1, today)
        return advanced, number_text(self.name, advanced.last), advanced.last_issued_on or today

    def advanced(self, count: int, today: date) -> "NumberSeries":
        """The counter with a block of `count` numbers taken, all for documents dated its `last_issued_on`."""
        return replace(self, last=self.last + count, last_issued_on=max(today, self.last_issued_on or today))


@dataclass(frozen=True, slots=True)
class ReservedNumber:
    """A number that was taken from its series earlier, with the date that its document must bear: numbers after it may be
    in use, and none of them is dated before it (I3)."""

    name: str
    number: int
    issued_on: date

    def next(self, _today: date) -> tuple["ReservedNumber", str, date]:
        """As a series gives a number; there is no other after it."""
        return self, number_text(self.name, self.number), self.issued_on


@dataclass(frozen=True, slots=True)
class SpoiledNumber:
    """A number that was taken for an order which could not be invoiced any more: no invoice, and never used again.

    It stands in the series at its place, with what it was taken for and why that came to nothing (`reason`, a code), as a
    spoiled form would in a numbered pad: so the series has no gap, and nobody wonders (I3).
    """

    series: str
    number: int
    issued_on: date
    account_id: str
    order_id: str
    batch_id: str
    reason: str
    recorded_at: datetime

    @property
    def id(self) -> str:
        return number_text(self.series, self.number)


def number_text(series: str, number: int) -> str:
    """The number as printed: `INV-2026-000042`."""
    return f"{series}-{number:06d}"


def series_name(prefix: str, today: date) -> str:
    """The series that numbers documents issued `today`: one a year."""
    return f"{prefix}-{today.year}"


@dataclass(frozen=True, slots=True)
class Invoice:
    """An issued invoice: everything on it, frozen (I5). Amounts in minor units of `priced.currency`.

    `reverses` is the credit or refund that this invoice takes back (C4, R7), with `note`. `mode`: the account's payment
    mode on the day (A4). `discount_until`: the last day for the discount in `priced.discount` (T5). `late_charge`: of a late
    charge, the invoice that was late and how the amount was reckoned (D9).
    """

    id: str
    number: str
    series: str
    account_id: str
    order_id: str
    issued_on: date
    issued_at: datetime
    seller: Party
    buyer: Party
    priced: PricedLines
    term: PaymentTerm
    parts: tuple[Part, ...]
    reference: str | None = None
    template_version: str = f"invoice-{TEMPLATE_VERSION}"
    kind: OrderKind = OrderKind.PRODUCTS
    mode: PaymentMode = PaymentMode.POSTPAID
    sold_on: date | None = None
    discount_until: date | None = None
    subscription: SubscriptionPeriod | None = None
    reverses: str | None = None
    note: str | None = None
    late_charge: LateCharge | None = None

    @property
    def currency(self) -> str:
        return self.priced.currency

    @property
    def total_minor(self) -> int:
        """What the invoice asks for, deposits deducted."""
        return self.priced.payable_minor


def invoice_id_for(order_id: str) -> str:
    """The id of the one invoice of an order: derived, so that writing it twice is impossible (I2)."""
    return "inv_" + order_id.removeprefix("ord_")


def order_id_for(invoice_id: str) -> str:
    """The order that an invoice is of: the inverse of `invoice_id_for`."""
    return "ord_" + invoice_id.removeprefix("inv_")


def issue[S: (NumberSeries, ReservedNumber)](
    order: Order, account: Account, firm: Firm, series: S, now: datetime
) -> tuple[Invoice, OpenItem, S]:
    """Turn an order into a numbered invoice, dated in the firm's time zone.

    The open item carries no entry yet: posting it assigns the number. A reversal or a late charge finishes
    postpaid, whatever the account's mode: what it asks for is no sale.
    """
    advanced, number, issued_on = series.next(firm.today(now))
    sold_on = firm.today(order.placed_at)
    parts = parts_of(order.priced, order.term, Occasion(issued_on, sold_on))
    mode = account.mode_on(issued_on) if order.kind not in NO_SALE else PaymentMode.POSTPAID
    discount = order.term.discount
    until = issued_on + timedelta(days=discount.days) if discount else None
    invoice = Invoice(
        id=invoice_id_for(order.id),
        number=number,
        series=series.name,
        account_id=account.id,
        order_id=order.id,
        issued_on=issued_on,
        issued_at=now,
        seller=Party(firm.name, firm.email, firm.address, firm.tax_ids),
        buyer=Party(account.name, account.email, account.address, account.tax_ids),
        priced=order.priced,
        term=order.term,
        parts=parts,
        reference=order.reference,
        template_version=f"{firm.templates.get(order.kind, 'invoice')}-{TEMPLATE_VERSION}",
        kind=order.kind,
        mode=mode,
        sold_on=sold_on,
        discount_until=until,
        subscription=order.subscription,
        reverses=order.reverses,
        note=order.note,
        late_charge=order.late_charge,
    )
    item = OpenItem(
        account_id=account.id,
        invoice_id=invoice.id,
        number=number,
        currency=invoice.currency,
        issued_on=issued_on,
        total_minor=invoice.total_minor,
        open_minor=invoice.total_minor,
        parts=parts,
        methods=order.methods,
        kind=order.kind,
        mode=mode,
        ordered_at=order.placed_at,
        subscription=order.subscription,
        discount=DiscountOffer(until, order.priced.discount) if until and order.priced.discount else None,
        top_up_minor=invoice.total_minor if order.kind is OrderKind.TOP_UP else 0,
    )
    return invoice, item, advanced
