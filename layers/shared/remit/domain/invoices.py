"""Invoices: the document that never changes, and the open item that does (I1–I5).

`Invoice` is frozen when it is issued and is written once. `OpenItem` is its small mutable half: what is
still owed, part by part. *Overdue* is computed from the parts and a date, never stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from remit.domain.accounts import Account, Address, TaxId
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.orders import Order, PricedLines
from remit.domain.terms import Method, Part, PaymentTerm, schedule

TEMPLATE_VERSION = "invoice-1"


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

    @property
    def version(self) -> int:
        """The counter as it was loaded, one step back: every step is a new version of it."""
        return self.last - 1

    def next(self, today: date) -> tuple["NumberSeries", str, date]:
        """The advanced counter, the document number, and the issue date to use."""
        issued_on = max(today, self.last_issued_on or today)
        advanced = NumberSeries(self.name, self.last + 1, issued_on)
        return advanced, f"{self.name}-{advanced.last:06d}", issued_on


def series_name(firm: Firm, today: date) -> str:
    """The series that numbers invoices issued `today`: one a year."""
    return f"{firm.invoice_prefix}-{today.year}"


@dataclass(frozen=True, slots=True)
class Invoice:
    """An issued invoice: everything on it, frozen (I5). Amounts in minor units of `priced.currency`."""

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
    template_version: str = TEMPLATE_VERSION

    @property
    def currency(self) -> str:
        return self.priced.currency

    @property
    def total_minor(self) -> int:
        return self.priced.totals.gross_minor


class InvoiceStatus(StrEnum):
    ISSUED = "issued"
    PART_PAID = "part_paid"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What is still owed on one invoice.

    Invariant: `open_minor = Σ part.open_minor`, and 0 ≤ open ≤ total. `entries` are the sequence numbers of
    the journal entries that touched it, so that its timeline is found without a search. `payment_attempt` is
    the gateway payment now under way for it, if any: a second one is not started beside it (P4).
    """

    account_id: str
    invoice_id: str
    number: str
    currency: str
    issued_on: date
    total_minor: int
    open_minor: int
    parts: tuple[Part, ...]
    methods: tuple[Method, ...]
    entries: tuple[int, ...] = ()
    payment_attempt: str | None = None
    version: int = 0

    @property
    def status(self) -> InvoiceStatus:
        if self.open_minor == 0:
            return InvoiceStatus.PAID
        return InvoiceStatus.ISSUED if self.open_minor == self.total_minor else InvoiceStatus.PART_PAID

    @property
    def next_due(self) -> date | None:
        """Due date of the earliest part still open; None when nothing is."""
        return min((part.due_date for part in self.parts if part.open_minor), default=None)

    def require_method(self, method: Method) -> None:
        """`RuleError` unless the invoice's term accepts `method`; checked when the payment is made (T3)."""
        if method not in self.methods:
            raise RuleError(
                "method_not_allowed",
                f"Invoice {self.number} may not be paid by {method}.",
                invoice_id=self.invoice_id,
                allowed_methods=[str(allowed) for allowed in self.methods],
            )

    def settle(self, amount_minor: int, entry_sequence: int) -> "OpenItem":
        """Allocate `amount_minor` (> 0) to the parts, oldest due first.

        `RuleError` if that is more than is open: Σ allocations ≤ open (P2).
        """
        if not 0 < amount_minor <= self.open_minor:
            raise RuleError(
                "allocation_exceeds_open",
                f"Invoice {self.number} has {self.open_minor} open; {amount_minor} cannot be allocated to it.",
                invoice_id=self.invoice_id,
                open_minor=self.open_minor,
            )
        return replace(
            self,
            open_minor=self.open_minor - amount_minor,
            parts=_pay_parts(self.parts, amount_minor),
            entries=(*self.entries, entry_sequence),
        )


def _pay_parts(parts: Sequence[Part], amount_minor: int) -> tuple[Part, ...]:
    left = amount_minor
    paid: dict[int, Part] = {}
    for index in sorted(range(len(parts)), key=lambda i: (parts[i].due_date, i)):
        share = min(left, parts[index].open_minor)
        left -= share
        paid[index] = replace(parts[index], open_minor=parts[index].open_minor - share)
    return tuple(paid[index] for index in range(len(parts)))


def invoice_id_for(order_id: str) -> str:
    """The id of the one invoice of an order: derived, so that writing it twice is impossible (I2)."""
    return "inv_" + order_id.removeprefix("ord_")


def issue(
    order: Order, account: Account, firm: Firm, series: NumberSeries, now: datetime
) -> tuple[Invoice, OpenItem, NumberSeries]:
    """Turn an order into a numbered invoice, dated in the firm's time zone.

    The open item carries no entry yet: `posting_rules.invoice_issued` and the balance assign it.
    """
    advanced, number, issued_on = series.next(firm.today(now))
    parts = schedule(order.term, order.priced.totals.gross_minor, issued_on)
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
        methods=order.term.methods,
    )
    return invoice, item, advanced
