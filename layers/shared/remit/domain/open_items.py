"""What is still owed on an invoice: its small mutable half (I1, I6, I8, I9, P2, P6, C6, T2, T5).

The invoice itself never changes. An open item moves only inside an `Operation`, which posts exactly what moved:
so no open amount exists that the journal does not explain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from remit.domain.accounts import PaymentMode
from remit.domain.actor import Actor
from remit.domain.errors import LedgerBrokenError, RuleError
from remit.domain.orders import Discount, OrderKind, SubscriptionPeriod
from remit.domain.terms import Method, Part


class InvoiceStatus(StrEnum):
    """How an invoice stands (I1). *Overdue* is not a status: it is computed from parts and a date."""

    DRAFT = "draft"
    ISSUED = "issued"
    PART_PAID = "part_paid"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class Settlement:
    """How much of an invoice a payment or credit (`source_id`) has settled, net of what was taken back."""

    source_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """What credit notes have taken off a line (by number, from 1): net and tax (C6)."""

    line: int
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor


@dataclass(frozen=True, slots=True)
class Postponement:
    """A due date that was moved (P6): of which part, from when, to when, by whom and why."""

    part: int
    old_due_date: date
    new_due_date: date
    actor: Actor
    reason: str
    moved_at: datetime


@dataclass(frozen=True, slots=True)
class DiscountOffer:
    """An early-payment discount as the invoice offers it: until the end of `until`, which postponing does not move."""

    until: date
    discount: Discount


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of what is open in one part: above zero it rises. The entry's postings on `receivable` are made of these."""

    invoice_id: str
    due_date: date | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What is still owed on one invoice.

    Invariant: `open_minor = Σ part.open_minor`, and 0 ≤ open ≤ total. `entries` are the sequence numbers of
    the journal entries that touched it, so that its timeline is found without a search. `payment_attempt` is
    the gateway payment now under way for it, if any: a second one is not started beside it (P4).

    `mode` is the account's payment mode when it was issued, in which it finishes (A4). `discount` is what an early
    payment saves. `top_up_minor`: what of a top-up invoice is still to reach the wallet when it is paid (W1).
    `disputed_by` are the payments in dispute that paid it (P9). `deducted_on`: the final invoice that deducts this
    deposit (I10). `credit_notes`: those that name it (I11). `collect_on`: when the saved method is charged next (P3).
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
    kind: OrderKind = OrderKind.PRODUCTS
    mode: PaymentMode = PaymentMode.POSTPAID
    ordered_at: datetime | None = None
    subscription: SubscriptionPeriod | None = None
    discount: DiscountOffer | None = None
    entries: tuple[int, ...] = ()
    payment_attempt: str | None = None
    settlements: tuple[Settlement, ...] = ()
    credited: tuple[CreditedLine, ...] = ()
    credit_notes: tuple[str, ...] = ()
    written_off_minor: int = 0
    recovered_minor: int = 0
    top_up_minor: int = 0
    postponements: tuple[Postponement, ...] = ()
    delivered_percent: Decimal = Decimal(0)
    disputed_by: tuple[str, ...] = ()
    deducted_on: str | None = None
    collect_on: date | None = None
    is_void: bool = False
    version: int = 0

    @property
    def status(self) -> InvoiceStatus:
        if self.is_void:
            return InvoiceStatus.VOID
        if self.open_minor == 0:
            return InvoiceStatus.UNCOLLECTIBLE if self.written_off_minor > self.recovered_minor else InvoiceStatus.PAID
        return InvoiceStatus.ISSUED if self.open_minor == self.total_minor else InvoiceStatus.PART_PAID

    @property
    def next_due(self) -> date | None:
        """Due date of the earliest scheduled part still open; None when nothing is."""
        return min((part.due_date for part in self.parts if part.open_minor and part.due_date), default=None)

    @property
    def is_in_instalments(self) -> bool:
        return len(self.parts) > 1

    @property
    def credited_minor(self) -> int:
        return sum(line.gross_minor for line in self.credited)

    @property
    def discount_taken_minor(self) -> int:
        """What an early payment saved: the part of a settled invoice that neither money, credit nor a loss explains."""
        if self.is_void:
            return 0
        settled = sum(settlement.amount_minor for settlement in self.settlements)
        return self.total_minor - self.open_minor - settled - self.recoverable_minor

    def settled_by(self, source_id: str) -> int:
        return sum(settlement.amount_minor for settlement in self.settlements if settlement.source_id == source_id)

    def is_overdue(self, today: date) -> bool:
        return any(part.is_overdue(today) for part in self.parts)

    def require_method(self, method: Method) -> None:
        """`RuleError` unless the invoice's term accepts `method`; checked when the payment is made (T3)."""
        if method not in self.methods:
            raise RuleError(
                "method_not_allowed",
                f"Invoice {self.number} may not be paid by {method}.",
                invoice_id=self.invoice_id,
                allowed_methods=[str(allowed) for allowed in self.methods],
            )

    def require_open(self) -> None:
        """`RuleError` `invoice_settled` when there is nothing left to pay, `invoice_void` when there never will be."""
        if self.is_void:
            raise RuleError("invoice_void", f"Invoice {self.number} is void.", invoice_id=self.invoice_id)
        if self.open_minor == 0:
            raise RuleError("invoice_settled", f"Invoice {self.number} has nothing left to pay.", open_minor=0)

    def discount_on(self, value_date: date) -> Discount | None:
        """What a payment with that value date saves if it settles the rest; None when nothing. The discount on what was
        credited meanwhile is gone with it."""
        if self.discount is None or value_date > self.discount.until or not self.open_minor:
            return None
        found = self.discount.discount.scaled(self.total_minor - self.credited_minor, self.total_minor)
        return found if 0 < found.gross_minor < self.open_minor else None

    def payable_on(self, value_date: date) -> int:
        """What settles the invoice in full on that day: less than is open within the discount's time (T5)."""
        discount = self.discount_on(value_date)
        return self.open_minor - (discount.gross_minor if discount else 0)

    def settle(self, amount_minor: int, source_id: str | None) -> "OpenItem":
        """Allocate `amount_minor` (> 0) of a payment or credit to the parts, oldest due first.

        `RuleError` if that is more than is open: Σ allocations ≤ open (P2).
        """
        if not 0 < amount_minor <= self.open_minor:
            raise RuleError(
                "allocation_exceeds_open",
                f"Invoice {self.number} has {self.open_minor} open; {amount_minor} cannot be allocated to it.",
                invoice_id=self.invoice_id,
                open_minor=self.open_minor,
            )
        settlements = _added(self.settlements, source_id, amount_minor) if source_id else self.settlements
        return replace(
            self,
            open_minor=self.open_minor - amount_minor,
            parts=_lowered(self.parts, amount_minor),
            settlements=settlements,
        )

    def reopen(self, amount_minor: int, source_id: str | None) -> "OpenItem":
        """Take back what `source_id` had settled: the part paid last opens first."""
        settlements = _added(self.settlements, source_id, -amount_minor) if source_id else self.settlements
        return replace(
            self,
            open_minor=self.open_minor + amount_minor,
            parts=_raised(self.parts, amount_minor),
            settlements=settlements,
        )

    def write_off(self) -> "OpenItem":
        """Give up what is open (I9)."""
        self.require_open()
        return replace(
            self.settle(self.open_minor, None), written_off_minor=self.written_off_minor + self.open_minor, collect_on=None
        )

    @property
    def recoverable_minor(self) -> int:
        """What was written off and not recovered since."""
        return self.written_off_minor - self.recovered_minor

    def recover(self, amount_minor: int, source_id: str) -> "OpenItem":
        """Money for what was written off (I9); nothing becomes open again."""
        if not 0 < amount_minor <= self.recoverable_minor:
            raise RuleError(
                "allocation_exceeds_written_off",
                f"Of invoice {self.number}, {self.recoverable_minor} is written off; {amount_minor} cannot be recovered.",
                invoice_id=self.invoice_id,
                recoverable_minor=self.recoverable_minor,
            )
        return replace(
            self,
            recovered_minor=self.recovered_minor + amount_minor,
            settlements=_added(self.settlements, source_id, amount_minor),
        )

    def unrecover(self, amount_minor: int, source_id: str) -> "OpenItem":
        """A recovery that was returned."""
        return replace(
            self,
            recovered_minor=self.recovered_minor - amount_minor,
            settlements=_added(self.settlements, source_id, -amount_minor),
        )

    def void(self) -> "OpenItem":
        """Only an issued invoice with nothing paid, credited or written off may be voided (I6)."""
        if self.status is not InvoiceStatus.ISSUED or self.credit_notes or self.settlements or self.deducted_on:
            raise RuleError(
                "invoice_not_voidable",
                f"Invoice {self.number} is {self.status}; only an issued one with nothing paid or credited can be voided. "
                "Credit what is wrong instead.",
                invoice_id=self.invoice_id,
                status=str(self.status),
                creditable_minor=self.total_minor - self.credited_minor,
            )
        return replace(self.settle(self.open_minor, None), is_void=True, top_up_minor=0, collect_on=None)

    def postpone(self, part: int, new_due_date: date, actor: Actor, reason: str, now: datetime, today: date) -> "OpenItem":
        """Move the due date of part number `part` (from 1); the discount's date stays (P6).

        `RuleError` for a part that is settled or waits for delivery, or a date that has passed.
        """
        if not 1 <= part <= len(self.parts):
            raise RuleError("no_such_part", f"Invoice {self.number} has {len(self.parts)} parts.", parts=len(self.parts))
        old = self.parts[part - 1]
        if not old.open_minor or old.due_date is None:
            raise RuleError(
                "part_not_due", f"Part {part} of invoice {self.number} has nothing open that is due on a date.", part=part
            )
        if new_due_date < today:
            raise RuleError("due_date_in_past", "A due date is moved to today or later.", earliest=today.isoformat())
        moved = replace(old, due_date=new_due_date)
        history = Postponement(part, old.due_date, new_due_date, actor, reason, now)
        return replace(
            self,
            parts=(*self.parts[: part - 1], moved, *self.parts[part:]),
            postponements=(*self.postponements, history),
        )


def movements(before: OpenItem | None, after: OpenItem) -> tuple[Movement, ...]:
    """What is open after and was not before, by due date, and the other way round: what an entry has to post."""
    open_by_due: dict[date | None, int] = {}
    for item, sign in ((before, -1), (after, 1)):
        for part in item.parts if item else ():
            open_by_due[part.due_date] = open_by_due.get(part.due_date, 0) + sign * part.open_minor
    ordered = sorted(open_by_due.items(), key=lambda pair: (pair[0] is None, pair[0] or date.max))
    return tuple(Movement(after.invoice_id, due, amount) for due, amount in ordered if amount)


def _added(settlements: Sequence[Settlement], source_id: str, amount_minor: int) -> tuple[Settlement, ...]:
    by_source = {settlement.source_id: settlement.amount_minor for settlement in settlements}
    by_source[source_id] = by_source.get(source_id, 0) + amount_minor
    if by_source[source_id] < 0:
        raise LedgerBrokenError("settlement_below_zero", f"{source_id} would take back more than it settled.")
    return tuple(Settlement(id, amount) for id, amount in by_source.items() if amount)


def _lowered(parts: Sequence[Part], amount_minor: int) -> tuple[Part, ...]:
    left = amount_minor
    changed: dict[int, Part] = {}
    for index in sorted(range(len(parts)), key=lambda i: (parts[i].position, i)):
        share = min(left, parts[index].open_minor)
        left -= share
        changed[index] = replace(parts[index], open_minor=parts[index].open_minor - share)
    return tuple(changed[index] for index in range(len(parts)))


def _raised(parts: Sequence[Part], amount_minor: int) -> tuple[Part, ...]:
    left = amount_minor
    changed: dict[int, Part] = {}
    for index in sorted(range(len(parts)), key=lambda i: (parts[i].position, i), reverse=True):
        share = min(left, parts[index].amount_minor - parts[index].open_minor)
        left -= share
        changed[index] = replace(parts[index], open_minor=parts[index].open_minor + share)
    if left:
        raise LedgerBrokenError("reopened_above_total", f"{amount_minor} cannot be open again: more than was ever asked for.")
    return tuple(changed[index] for index in range(len(parts)))
