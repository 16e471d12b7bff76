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
from remit.domain.terms import LAST_DUE_DATE, Method, Part, deliver

MAX_DELIVERIES = 100
"""Each delivery may add a part to every part that waits, and all are stored with the open item."""

REVERSALS = (OrderKind.CREDIT_REVERSAL, OrderKind.REFUND_REVERSAL)


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
class Delivery:
    """A delivery that was reported (T2): `percent` of the whole order, on which day, by whom."""

    percent: Decimal
    delivered_on: date
    actor: Actor
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class DiscountOffer:
    """An early-payment discount as the invoice offers it: until the end of `until`, which postponing does not move."""

    until: date
    discount: Discount


@dataclass(frozen=True, slots=True)
class TakenDiscount:
    """The discount that a payment (`source_id`) earned by settling the rest in time; gone when that payment is taken back."""

    source_id: str
    discount: Discount


class CollectionResult(StrEnum):
    """What came of the last look at an invoice that is collected (P3, S4). `STARTED`: the payment says how it went on. The
    others say why nothing was charged: for now, or not any more."""

    STARTED = "started"
    NO_METHOD = "no_saved_method"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    DISPUTED = "invoice_disputed"
    UNDER_WAY = "payment_under_way"
    SWITCHED_OFF = "switched_off"
    HARD_DECLINE = "hard_decline"
    AUTHENTICATION_REQUIRED = "authentication_required"
    RETRIES_EXHAUSTED = "retries_exhausted"
    PAID_BEFORE = "paid_before"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Collection:
    """The last look at an invoice that is collected: when, and what came of it.

    `payment_id` is the last attempt, number `attempts` of those for the due date `due_on`. `declined`: the methods that an
    earlier attempt has shown to be declined for good; `not_charged`: how many of the earlier attempts for that due date never
    reached the gateway. All attempts are payments that say so themselves (`Collected`).
    """

    at: datetime
    result: CollectionResult
    payment_id: str | None = None
    due_on: date | None = None
    attempts: int = 0
    declined: tuple[str, ...] = ()
    not_charged: int = 0


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
    deposit (I10). `credit_notes`: those that name it (I11). `collect_on`: when collection looks at it next (P3), and
    `collection` what came of it last. `deliveries`: what was delivered, in the order of the reports (T2). `late_charges`: the
    invoices that charge for its being late (D9), and `late_interest_on`: when to charge the rest of the interest, once all is
    paid.
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
    taken_discount: TakenDiscount | None = None
    entries: tuple[int, ...] = ()
    payment_attempt: str | None = None
    settlements: tuple[Settlement, ...] = ()
    credited: tuple[CreditedLine, ...] = ()
    credit_notes: tuple[str, ...] = ()
    written_off_minor: int = 0
    recovered_minor: int = 0
    top_up_minor: int = 0
    postponements: tuple[Postponement, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    disputed_by: tuple[str, ...] = ()
    deducted_on: str | None = None
    collect_on: date | None = None
    collection: Collection | None = None
    late_charges: tuple[str, ...] = ()
    late_interest_on: date | None = None
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
    def delivered_percent(self) -> Decimal:
        return sum((delivery.percent for delivery in self.deliveries), Decimal(0))

    @property
    def credited_minor(self) -> int:
        return sum(line.gross_minor for line in self.credited)

    @property
    def discount_taken_minor(self) -> int:
        """What an early payment saved."""
        return self.taken_discount.discount.gross_minor if self.taken_discount else 0

    def settled_by(self, source_id: str) -> int:
        return sum(settlement.amount_minor for settlement in self.settlements if settlement.source_id == source_id)

    def is_overdue(self, today: date) -> bool:
        return any(part.is_overdue(today) for part in self.parts)

    def overdue_minor(self, today: date) -> int:
        """What is open of the parts that are overdue."""
        return sum(part.open_minor for part in self.parts if part.is_overdue(today))

    @property
    def can_be_charged_late(self) -> bool:
        """Whether being late may cost something (D9): not on what is prepaid, nor on a late charge, which bears no interest."""
        kinds = (OrderKind.LATE_CHARGE, OrderKind.TOP_UP)
        return self.mode is PaymentMode.POSTPAID and self.kind not in kinds and not self.is_void

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
        self._require_not_void()
        if self.open_minor == 0:
            raise RuleError("invoice_settled", f"Invoice {self.number} has nothing left to pay.", open_minor=0)

    def _require_not_void(self) -> None:
        if self.is_void:
            raise RuleError("invoice_void", f"Invoice {self.number} is void.", invoice_id=self.invoice_id)

    def require_undisputed(self) -> None:
        """`RuleError` while a payment of this invoice is in dispute: nobody is asked for it meanwhile (P9)."""
        if self.disputed_by:
            raise RuleError(
                "invoice_disputed",
                f"A payment of invoice {self.number} is in dispute.",
                invoice_id=self.invoice_id,
                payments=list(self.disputed_by),
            )

    def due_on(self, day: date) -> int:
        """What is due by that day: the open amount of the parts whose date has come (S5)."""
        return sum(part.open_minor for part in self.parts if part.due_date and part.due_date <= day)

    def collected_by(self, day: date) -> "OpenItem":
        """To be looked at by collection on `day` at the latest."""
        return replace(self, collect_on=min(day, self.collect_on or day))

    def last_due_by(self, day: date) -> date | None:
        """The latest due date of an open part that has come by `day`."""
        dates = [part.due_date for part in self.parts if part.open_minor and part.due_date and part.due_date <= day]
        return max(dates, default=None)

    def next_due_after(self, day: date) -> date | None:
        """The earliest due date after `day` of a part that is open."""
        dates = [part.due_date for part in self.parts if part.open_minor and part.due_date and part.due_date > day]
        return min(dates, default=None)

    def discount_on(self, value_date: date) -> Discount | None:
        """What a payment with that value date saves if it settles the rest; None when nothing. The discount on what was
        credited meanwhile is gone with it."""
        if self.discount is None or self.taken_discount or value_date > self.discount.until or not self.open_minor:
            return None
        found = self.discount.discount.scaled(self.total_minor - self.credited_minor, self.total_minor)
        return found if 0 < found.gross_minor < self.open_minor else None

    def payable_on(self, value_date: date) -> int:
        """What settles the invoice in full on that day: less than is open within the discount's time (T5)."""
        discount = self.discount_on(value_date)
        return self.open_minor - (discount.gross_minor if discount else 0)

    def settle(self, amount_minor: int, source_id: str | None) -> "OpenItem":
        """Allocate `amount_minor` (> 0) of a payment or credit to the parts, oldest due first.

        `RuleError` if that is more than is open: Σ allocations ≤ open (P2), or if the invoice is void.
        """
        self._require_not_void()
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

    def take_discount(self, discount: Discount, source_id: str) -> "OpenItem":
        """Let the rest go: the payment came in time and covers what is left without it (T5)."""
        return replace(self.settle(discount.gross_minor, None), taken_discount=TakenDiscount(source_id, discount))

    def lose_discount(self, source_id: str) -> "OpenItem":
        """The payment that had earned the discount came to nothing, so its invoice asks for the full price again."""
        if self.taken_discount is None or self.taken_discount.source_id != source_id:
            return self
        return replace(self.reopen(self.taken_discount.discount.gross_minor, None), taken_discount=None)

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
        """Only an issued invoice with nothing paid, credited or written off may be voided (I6).

        Not one that took a credit or a refund back: that has happened, and is not undone by a document (C4, R7). Not a top-up
        that was paid and used before its payment came back: what was used is owed (W1).
        """
        was_used = self.kind is OrderKind.TOP_UP and self.top_up_minor != self.total_minor
        touched = self.credit_notes or self.settlements or self.deducted_on or self.written_off_minor or was_used
        if self.status is not InvoiceStatus.ISSUED or touched or self.kind in REVERSALS:
            raise RuleError(
                "invoice_not_voidable",
                f"Invoice {self.number} is a {self.kind} invoice and {self.status}; only an issued one of a sale, with nothing "
                "paid or credited, can be voided. Credit what is wrong instead.",
                invoice_id=self.invoice_id,
                kind=str(self.kind),
                status=str(self.status),
                paid_minor=sum(settlement.amount_minor for settlement in self.settlements),
                credited_minor=self.credited_minor,
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
        if not today <= new_due_date <= LAST_DUE_DATE or new_due_date == old.due_date:
            raise RuleError(
                "bad_due_date",
                "A due date is moved to another day, today or later.",
                due_date=old.due_date.isoformat(),
                earliest=today.isoformat(),
                latest=LAST_DUE_DATE.isoformat(),
            )
        moved = replace(old, due_date=new_due_date)
        history = Postponement(part, old.due_date, new_due_date, actor, reason, now)
        postponed = replace(
            self,
            parts=(*self.parts[: part - 1], moved, *self.parts[part:]),
            postponements=(*self.postponements, history),
        )
        # What is collected by itself is collected on the due date, wherever that is now (P3).
        is_collected = self.collect_on is not None or self.collection is not None
        return replace(postponed, collect_on=postponed.next_due) if is_collected else postponed

    def deliver(self, delivery: Delivery) -> "OpenItem":
        """Schedule the share of the parts that waited for this delivery (T2).

        `RuleError` `nothing_awaits_delivery` when no part does, `delivery_exceeds_order` for more than is still to come,
        `too_many_deliveries` after `MAX_DELIVERIES`.
        """
        self._require_not_void()
        if all(part.due_date is not None for part in self.parts):
            raise RuleError(
                "nothing_awaits_delivery",
                f"No part of invoice {self.number} waits for a delivery.",
                delivered_percent=str(self.delivered_percent),
            )
        parts = deliver(self.parts, delivery.percent, self.delivered_percent, delivery.delivered_on, self.issued_on)
        still_waits = any(part.due_date is None for part in parts)
        if still_waits and len(self.deliveries) + 1 >= MAX_DELIVERIES:
            open_percent = Decimal(100) - self.delivered_percent
            raise RuleError(
                "too_many_deliveries",
                f"An invoice has at most {MAX_DELIVERIES} deliveries; report the rest as one.",
                max=MAX_DELIVERIES,
                open_percent=str(open_percent),
            )
        return replace(self, parts=parts, deliveries=(*self.deliveries, delivery))

    def require_deductible(self) -> None:
        """`RuleError` unless this is a deposit, paid in full, not credited, and not deducted yet (I10)."""
        if self.kind is not OrderKind.DEPOSIT:
            raise RuleError("not_a_deposit", f"Invoice {self.number} is no deposit.", invoice_id=self.invoice_id)
        if self.deducted_on is not None:
            raise RuleError(
                "deposit_deducted",
                f"Deposit {self.number} is deducted already.",
                invoice_id=self.invoice_id,
                deducted_on=self.deducted_on,
            )
        if self.status is not InvoiceStatus.PAID or self.credited or self.written_off_minor:
            raise RuleError(
                "deposit_not_paid",
                f"Deposit {self.number} is {self.status}; only one that is paid in full and not credited is deducted.",
                invoice_id=self.invoice_id,
                status=str(self.status),
                open_minor=self.open_minor,
                credited_minor=self.credited_minor,
            )

    def deduct(self, final_invoice_id: str) -> "OpenItem":
        """This deposit is deducted on that final invoice, and on no other (I10)."""
        self.require_deductible()
        return replace(self, deducted_on=final_invoice_id)


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
