"""Payments: received by hand or through a gateway, allocated to invoices (P1, P2, P4, P5, G3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import IntEnum, StrEnum

from remit.domain.errors import InvalidError, RuleError
from remit.domain.invoices import OpenItem
from remit.domain.terms import Method

MAX_ALLOCATIONS = 40
"""Invoices that one payment may be allocated to in one atomic write."""


class PaymentStatus(StrEnum):
    """`PENDING`: stored before the gateway was asked (P4). `SUCCEEDED` alone has entries in the journal."""

    PENDING = "pending"
    PROCESSING = "processing"
    FAILED = "failed"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"


class _Finality(IntEnum):
    """Money that arrived outranks everything; a canceled attempt outranks what led to it; else the latest word counts."""

    OPEN = 0
    CANCELED = 1
    SUCCEEDED = 2


_FINALITY = {PaymentStatus.CANCELED: _Finality.CANCELED, PaymentStatus.SUCCEEDED: _Finality.SUCCEEDED}
_STEP = {status: step for step, status in enumerate(PaymentStatus)}


def _rank(status: PaymentStatus, reported_at: datetime, failure: str | None) -> tuple[_Finality, datetime, int, str]:
    return _FINALITY.get(status, _Finality.OPEN), reported_at, _STEP[status], failure or ""


@dataclass(frozen=True, slots=True)
class Allocation:
    """`amount_minor` (> 0) of a payment for one invoice."""

    invoice_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True, order=True)
class Transaction:
    """Something that happened to a payment at its gateway (P5). `amount_minor` in the payment's currency.

    `type` is `capture` or `failure`; `id` is the gateway's own.
    """

    occurred_at: datetime
    type: str
    id: str
    amount_minor: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What a gateway says about a payment: the domain's form of an event, whoever sent it.

    `status` None: the event only adds ids or a transaction, and has no say in how the payment stands.
    `occurred_at` is the gateway's time of the event: reports may come in any order and more than once.
    """

    payment_id: str
    account_id: str
    status: PaymentStatus | None
    amount_minor: int
    currency: str
    occurred_at: datetime
    invoice_ids: tuple[str, ...] = ()
    gateway_ids: tuple[str, ...] = ()
    transaction: Transaction | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment and what is known of it.

    `unapplied_minor` is the rest not allocated to invoices: the customer's credit, with this payment as its
    lot. `intended` is what the payer chose to pay when the attempt was made; what is really open decides
    when the money arrives. `cash_account` names where it went: the method, or the gateway.
    """

    id: str
    account_id: str
    currency: str
    amount_minor: int
    method: Method
    cash_account: str
    status: PaymentStatus
    created_at: datetime
    value_date: date | None = None
    reference: str | None = None
    unapplied_minor: int = 0
    intended: tuple[Allocation, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    gateway_ids: tuple[str, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    reported_at: datetime | None = None
    failure: str | None = None
    checkout_url: str | None = None
    expires_at: datetime | None = None
    entries: tuple[int, ...] = ()
    version: int = 0

    def is_under_way(self, now: datetime) -> bool:
        """Whether the payer may still complete this attempt, so that a second must not be started beside it.

        A failed card does not end an attempt: the hosted page lets the payer try another one.
        """
        unfinished = self.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.FAILED)
        expired = self.expires_at is not None and now >= self.expires_at and self.status is not PaymentStatus.PROCESSING
        return unfinished and not expired

    def with_report(self, report: GatewayReport) -> "Payment":
        """Merge what the gateway says into what is known, giving one result for every order of reports (G3).

        The status kept is the greatest by (finality, time of the event, step, text): success is never undone
        by a late failure, and of two failures the later one speaks. Ids and transactions are sets.
        """
        status, reported_at, failure = self.status, self.reported_at, self.failure
        if report.status is not None:
            theirs = _rank(report.status, report.occurred_at, report.failure)
            if reported_at is None or theirs > _rank(status, reported_at, failure):
                status, reported_at, failure = report.status, report.occurred_at, report.failure
        transactions = {t.id: t for t in self.transactions}
        if report.transaction:
            transactions[report.transaction.id] = report.transaction
        return replace(
            self,
            status=status,
            reported_at=reported_at,
            failure=failure,
            gateway_ids=tuple(sorted({*self.gateway_ids, *report.gateway_ids})),
            transactions=tuple(sorted(transactions.values())),
        )

    def draw(self, allocations: Sequence[Allocation], entry_sequence: int) -> "Payment":
        """Take `allocations` out of what is unapplied; `RuleError` if that is more than is there (P2)."""
        total = sum(allocation.amount_minor for allocation in allocations)
        if total > self.unapplied_minor:
            raise RuleError(
                "allocation_exceeds_payment",
                f"Payment {self.id} has {self.unapplied_minor} unapplied; {total} cannot be allocated.",
                payment_id=self.id,
                unapplied_minor=self.unapplied_minor,
            )
        return replace(
            self,
            unapplied_minor=self.unapplied_minor - total,
            allocations=(*self.allocations, *allocations),
            entries=(*self.entries, entry_sequence),
        )


def check_allocations(allocations: Sequence[Allocation], amount_minor: int) -> None:
    """The request's own sense: positive amounts, each invoice once, not more than the payment, not too many."""
    if len(allocations) > MAX_ALLOCATIONS:
        raise InvalidError(
            "too_many_allocations",
            f"One payment is allocated to at most {MAX_ALLOCATIONS} invoices at a time.",
            max=MAX_ALLOCATIONS,
        )
    if any(allocation.amount_minor <= 0 for allocation in allocations):
        raise InvalidError("amount_not_positive", "An allocation is above zero.")
    if len({allocation.invoice_id for allocation in allocations}) != len(allocations):
        raise InvalidError("duplicate_allocation", "Each invoice is named once.")
    total = sum(allocation.amount_minor for allocation in allocations)
    if total > amount_minor:
        raise RuleError(
            "allocation_exceeds_payment",
            f"{total} is allocated out of a payment of {amount_minor}.",
            available_minor=amount_minor,
        )


def oldest_first(items: Sequence[OpenItem], amount_minor: int) -> tuple[Allocation, ...]:
    """Spread `amount_minor` over open invoices, oldest due date first, then by number (P2).

    150.00 over invoices of 121.00 (due 1 May) and 60.50 (due 9 May): 121.00 and 29.00.
    """
    allocations: list[Allocation] = []
    left = amount_minor
    for item in sorted(items, key=lambda item: (item.next_due or date.max, item.number)):
        share = min(left, item.open_minor)
        if share > 0 and len(allocations) < MAX_ALLOCATIONS:
            allocations.append(Allocation(item.invoice_id, share))
            left -= share
    return tuple(allocations)


def within_open(intended: Sequence[Allocation], items: dict[str, OpenItem], amount_minor: int) -> tuple[Allocation, ...]:
    """What of the `intended` allocations can still be made, now that the money is here.

    The payer's choice was made earlier; meanwhile another payment may have settled the invoice. Each is cut
    to what is open and to what is left of the amount; the rest becomes unapplied credit, never a lost payment (P4).
    """
    allocations: list[Allocation] = []
    left = amount_minor
    for wish in intended:
        item = items.get(wish.invoice_id)
        share = min(wish.amount_minor, item.open_minor if item else 0, left)
        if share > 0:
            allocations.append(Allocation(wish.invoice_id, share))
            left -= share
    return tuple(allocations)
