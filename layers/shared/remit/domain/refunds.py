"""Refunds: real money given back, which consumes credit (R1–R10).

A refund reserves what it gives back when it is requested: the credit it consumes, or the part of an invoice that it
opens again, moves to *refunds in transit*. When the money has gone it moves on to cash; when it failed or was canceled, it goes
back to where it came from.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from remit.domain.actor import Actor
from remit.domain.errors import RuleError
from remit.domain.terms import Method


class RefundStatus(StrEnum):
    """`AWAITING_APPROVAL`: above the firm's limit, until a second person approves (R10). `ON_HOLD`: not yet given to the
    processor, so it can be canceled (R7). `PENDING`: the processor has it (R6). `FAILED` may follow `SUCCEEDED` days later."""

    AWAITING_APPROVAL = "awaiting_approval"
    ON_HOLD = "on_hold"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundFrom(StrEnum):
    """What a refund consumes: a lot of credit, an invoice that its payment no longer pays, or the wallet's paid balance."""

    CREDIT = "credit"
    RECEIVABLE = "receivable"
    WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class RefundSource:
    """`amount_minor` taken from `document_id` (a lot, an invoice, or for the wallet the refund itself); goes back there if the
    refund fails."""

    account: RefundFrom
    document_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What a gateway says of a refund. `occurred_at` is the gateway's time: reports come late, twice and in any order."""

    refund_id: str
    account_id: str
    payment_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    occurred_at: datetime
    gateway_id: str
    failure: str | None = None


_FINALITY = {RefundStatus.SUCCEEDED: 1, RefundStatus.CANCELED: 2, RefundStatus.FAILED: 3}
_STEP = {status: step for step, status in enumerate(RefundStatus)}


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund. Amounts in minor units of `currency`.

    `payment_id`: the payment whose money goes back, whose captured amount bounds all its refunds (R2); None for one from
    available credit or the wallet, paid out by `method`. `requested_on` is the day in the gateway's zone. `submit_at`: when a
    held one is given to the processor. `reversed_by`: the invoice that asks a processed one back (R7).
    """

    id: str
    account_id: str
    currency: str
    amount_minor: int
    method: Method
    cash_account: str
    sources: tuple[RefundSource, ...]
    status: RefundStatus
    requested_on: date
    requested_at: datetime
    requested_by: Actor
    reason: str
    payment_id: str | None = None
    credit_note_id: str | None = None
    submit_at: datetime | None = None
    approved_by: Actor | None = None
    gateway_id: str | None = None
    reported_at: datetime | None = None
    failure: str | None = None
    reversed_by: str | None = None
    entries: tuple[int, ...] = ()
    version: int = 0

    @property
    def in_transit_minor(self) -> int:
        """What is reserved and has neither gone nor come back."""
        return 0 if self.has_returned or self.status is RefundStatus.SUCCEEDED else self.amount_minor

    @property
    def is_at_gateway(self) -> bool:
        """Whether the processor has had it, so that only the processor can say what becomes of it."""
        return self.gateway_id is not None or self.status in (RefundStatus.PENDING, RefundStatus.SUCCEEDED)

    @property
    def has_returned(self) -> bool:
        """Whether it came to nothing, and what it had reserved is back."""
        return self.status in (RefundStatus.FAILED, RefundStatus.CANCELED)

    def with_report(self, report: RefundReport) -> "Refund":
        """Merge what the gateway says: failed outranks canceled outranks succeeded outranks what led to it (R6, G3).

        Of two words of one rank the later counts, and of two at one moment the same one in every order.
        """
        theirs, ours = _FINALITY.get(report.status, 0), _FINALITY.get(self.status, 0)
        newer = theirs > ours or (theirs == ours and self._is_older_than(report))
        if not newer:
            return replace(self, gateway_id=self.gateway_id or report.gateway_id)
        return replace(
            self,
            status=report.status,
            reported_at=report.occurred_at,
            gateway_id=report.gateway_id,
            failure=report.failure,
            submit_at=None,
        )

    def _is_older_than(self, report: RefundReport) -> bool:
        if self.reported_at is None:
            return True
        ours = self.reported_at, _STEP[self.status], self.failure or ""
        return (report.occurred_at, _STEP[report.status], report.failure or "") > ours

    def approve(self, actor: Actor, submit_at: datetime | None) -> "Refund":
        """The second person's word (R10). `RuleError` for the first person's, or when none is waited for."""
        if self.status is not RefundStatus.AWAITING_APPROVAL:
            raise RuleError(
                "refund_not_waiting", f"The refund is {self.status}; nobody has to approve it.", status=str(self.status)
            )
        if actor.id == self.requested_by.id:
            raise RuleError(
                "second_person_required", "A refund above the limit is approved by somebody else than who asked for it."
            )
        return replace(self, status=RefundStatus.ON_HOLD, approved_by=actor, submit_at=submit_at)

    def cancel(self, today: date) -> "Refund":
        """Take it back before the processor has it; on hold only on the day of the request (R7).

        `RuleError` `refund_not_cancelable` otherwise: a processed one is reversed by an invoice.
        """
        waiting = self.status is RefundStatus.AWAITING_APPROVAL
        on_hold_today = self.status is RefundStatus.ON_HOLD and today == self.requested_on
        if not (waiting or on_hold_today):
            raise RuleError(
                "refund_not_cancelable",
                f"The refund is {self.status}. It can be canceled on its day while the processor has not taken it; "
                "a processed one is reversed by an invoice.",
                status=str(self.status),
                cancelable_on=self.requested_on.isoformat(),
            )
        return replace(self, status=RefundStatus.CANCELED, submit_at=None)
