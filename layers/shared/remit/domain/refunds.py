"""Refunds: real money given back, which consumes credit (R1–R10).

A refund reserves what it gives back when it is requested: the credit it consumes, or the part of an invoice that it
opens again, moves to *refunds in transit*. When the money has gone it moves on to cash; when it failed or was canceled, it goes
back to where it came from.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from remit.domain.actor import Actor
from remit.domain.credits import Credit
from remit.domain.errors import RuleError
from remit.domain.payments import Payment
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
    """What a refund consumes: a lot of credit, an invoice that its payment no longer pays, or the wallet's paid balance.
    `LOSS`: what somebody gave back in the gateway's own dashboard and the customer had nowhere any more."""

    CREDIT = "credit"
    RECEIVABLE = "receivable"
    WALLET = "wallet"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class RefundSource:
    """`amount_minor` taken from `document_id` (a lot, an invoice, or for the wallet and a loss the refund itself); goes back
    there if the refund fails."""

    account: RefundFrom
    document_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What a gateway says of a refund. `occurred_at` is the gateway's time: reports come late, twice and in any order.

    `gateway_id` None: the gateway refused to make it. `is_ours` False: somebody made it in the gateway's own dashboard.
    """

    refund_id: str
    account_id: str
    payment_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    occurred_at: datetime
    gateway_id: str | None
    failure: str | None = None
    is_ours: bool = True


_FINALITY = {RefundStatus.SUCCEEDED: 1, RefundStatus.CANCELED: 2, RefundStatus.FAILED: 3}
_STEP = {status: step for step, status in enumerate(RefundStatus)}


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund. Amounts in minor units of `currency`.

    `payment_id`: the payment whose money goes back, whose captured amount bounds all its refunds (R2); None for one from
    available credit or the wallet, paid out by `method`. `requested_on` and `approved_on` are days in the gateway's zone.
    `submit_at`: when a held one is given to the processor, or one with an unknown outcome asked about again. `reversed_by`:
    the invoice that asks a processed one back (R7).
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
    approved_on: date | None = None
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
    def cancelable_on(self) -> date:
        """The one day, in the gateway's zone, on which it can be canceled while it is on hold (R7)."""
        return self.approved_on or self.requested_on

    @property
    def is_at_gateway(self) -> bool:
        """Whether the gateway pays it out; else somebody does by hand."""
        return self.cash_account != str(self.method)

    @property
    def counts_on(self) -> dict[str, int]:
        """Payment → how much of its captured amount this gives back (R2)."""
        if self.payment_id is not None:
            return {self.payment_id: self.amount_minor}
        lots = [source for source in self.sources if source.account is RefundFrom.CREDIT]
        return {lot.document_id: lot.amount_minor for lot in lots if lot.document_id.startswith("pay_")}

    def returns_to(self, reversal_open_minor: int) -> tuple[RefundSource, ...]:
        """Where its amount goes back when it fails or is canceled: to what it consumed. One that an invoice had reversed has put
        that back already, so its money pays that invoice, as far as `reversal_open_minor` of it is still open."""
        if self.reversed_by is None:
            return self.sources
        pays = RefundSource(RefundFrom.RECEIVABLE, self.reversed_by, min(reversal_open_minor, self.amount_minor))
        rest = _cut(self.sources, self.amount_minor - pays.amount_minor)
        return (pays, *rest) if pays.amount_minor else rest

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
            gateway_id=report.gateway_id or self.gateway_id,
            failure=report.failure,
            submit_at=None if theirs else self.submit_at,
        )

    def _is_older_than(self, report: RefundReport) -> bool:
        if self.reported_at is None:
            return True
        ours = self.reported_at, _STEP[self.status], self.failure or ""
        return (report.occurred_at, _STEP[report.status], report.failure or "") > ours

    def approve(self, actor: Actor, today: date, submit_at: datetime | None) -> "Refund":
        """The second person's word (R10). `RuleError` for the first person's, or when none is waited for."""
        if self.status is not RefundStatus.AWAITING_APPROVAL:
            raise RuleError(
                "refund_not_waiting", f"The refund is {self.status}; nobody has to approve it.", status=str(self.status)
            )
        if actor.id == self.requested_by.id:
            raise RuleError(
                "second_person_required", "A refund above the limit is approved by somebody else than who asked for it."
            )
        return replace(self, status=RefundStatus.ON_HOLD, approved_by=actor, approved_on=today, submit_at=submit_at)

    def submit(self, ask_again_at: datetime) -> "Refund":
        """Hand it to the processor: from now on only the processor can say what becomes of it (R6). While its word is missing,
        it is asked again at `ask_again_at`."""
        return replace(self, status=RefundStatus.PENDING, submit_at=ask_again_at)

    def reverse(self, invoice_id: str) -> "Refund":
        """Note the invoice that asks a processed refund back (R7).

        `RuleError` for one that the processor does not confirm, that was reversed before, or that opened an invoice again,
        which asks for the money already.
        """
        if self.status is not RefundStatus.SUCCEEDED:
            raise RuleError(
                "refund_not_processed",
                f"The refund is {self.status}; an invoice reverses one that succeeded.",
                status=str(self.status),
            )
        if self.reversed_by is not None:
            raise RuleError("refund_reversed", "The refund was reversed already.", invoice_id=self.reversed_by)
        opened = [source.document_id for source in self.sources if source.account is RefundFrom.RECEIVABLE]
        if opened:
            raise RuleError(
                "refund_opened_invoice",
                "The refund opened what it had paid again, and that asks for the money already.",
                invoice_ids=opened,
            )
        return replace(self, reversed_by=invoice_id)

    def cancel(self, today: date) -> "Refund":
        """Take it back before the processor has it; on hold only on its day, `today` in the gateway's zone (R7).

        `RuleError` `refund_not_cancelable` otherwise: a processed one is reversed by an invoice.
        """
        waiting = self.status is RefundStatus.AWAITING_APPROVAL
        on_hold_today = self.status is RefundStatus.ON_HOLD and today == self.cancelable_on
        if not (waiting or on_hold_today):
            raise RuleError(
                "refund_not_cancelable",
                f"The refund is {self.status}. It can be canceled on its day while the processor has not taken it; "
                "a processed one is reversed by an invoice.",
                status=str(self.status),
                cancelable_on=self.cancelable_on.isoformat(),
            )
        return replace(self, status=RefundStatus.CANCELED, submit_at=None)


def dashboard_refund_id(gateway_id: str) -> str:
    """Our id of a refund that the gateway made up: derived from its own, so that it is booked once."""
    number = int.from_bytes(hashlib.sha256(gateway_id.encode()).digest())
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    return "ref_" + "".join(digits[number >> 5 * place & 31] for place in range(26))


MANUAL_METHODS = (Method.BANK_TRANSFER, Method.CASH, Method.CHECK, Method.OTHER)
"""How money is paid out by hand."""

_SAME_WAY_BACK = (Method.CARD, Method.CARD_TERMINAL, Method.BANK_DEBIT)


def method_back(payment: Payment, wanted: Method | None) -> Method:
    """How money of a payment goes back: what came from a card or by debit goes back the same way (R4); for other money one may
    choose. `RuleError` `method_not_allowed` with what is."""
    allowed = (payment.method,) if payment.method in _SAME_WAY_BACK else MANUAL_METHODS
    method = wanted or payment.method
    if method not in allowed:
        raise _method_refused(f"A payment by {payment.method} is not refunded by {method}.", allowed)
    return method


def require_manual(method: Method) -> None:
    """Available credit is never paid out to a card (R4)."""
    if method not in MANUAL_METHODS:
        raise _method_refused(f"Available credit is not refunded by {method}.", MANUAL_METHODS)


def _method_refused(detail: str, allowed: Sequence[Method]) -> RuleError:
    return RuleError("method_not_allowed", detail, allowed_methods=[str(method) for method in allowed])


def from_receipt(payment: Payment, amount_minor: int, wallet_minor: int) -> tuple[RefundSource, ...]:
    """What a refund of a receipt consumes: what is unapplied of it, what it topped the wallet up with and is still there, then
    the invoices that it paid, the latest first, which are open again (R8).

    `wallet_minor` is what the wallet holds. The sources cover at most `amount_minor`; less when the payment has less left.
    """
    candidates = [
        RefundSource(RefundFrom.CREDIT, payment.id, payment.unapplied_minor),
        RefundSource(RefundFrom.WALLET, payment.id, min(payment.wallet_minor, max(0, wallet_minor))),
        *(RefundSource(RefundFrom.RECEIVABLE, each.invoice_id, each.amount_minor) for each in reversed(payment.allocations)),
    ]
    return _cut(candidates, amount_minor)


def refundable_of_receipt(payment: Payment, wallet_minor: int) -> int:
    """What a receipt can give back: never more than was captured and is left (R2), nor than it still pays for."""
    sources = from_receipt(payment, payment.captured_minor, wallet_minor)
    return min(payment.refundable_minor, sum(source.amount_minor for source in sources))


def pays_out_through(payment: Payment, method: Method) -> str:
    """The cash account that a refund of the payment leaves: the gateway's that took it, or the method's."""
    return payment.cash_account if method is payment.method else str(method)


def from_lots(lots: Sequence[Payment | Credit], amount_minor: int, today: date) -> tuple[RefundSource, ...]:
    """What a refund of available credit consumes, oldest lots first: credits that are refundable, and unapplied payments as far
    as they may be refunded at all (R2, R4)."""
    return _cut([RefundSource(RefundFrom.CREDIT, lot.id, refundable_of_lot(lot, today)) for lot in lots], amount_minor)


def refundable_of_lot(lot: Payment | Credit, today: date) -> int:
    """What money may be given back for a lot of credit: goodwill is for future orders unless it says otherwise (C1)."""
    if isinstance(lot, Payment):
        return min(lot.unapplied_minor, lot.refundable_minor)
    return lot.open_minor if lot.is_refundable and not lot.has_expired(today) else 0


def require_available_credit(amount_minor: int, balance_minor: int, refundable_minor: int) -> None:
    """`RuleError` unless available credit covers the refund: at a balance of 0 or more there is none (R5), and never more than
    −balance (R4)."""
    if balance_minor >= 0:
        raise RuleError(
            "no_available_credit",
            "The balance is not below zero, so there is nothing to give back. Add a credit first.",
            balance_minor=balance_minor,
            refundable_minor=0,
        )
    allowed = min(-balance_minor, refundable_minor)
    if amount_minor > allowed:
        raise RuleError(
            "refund_exceeds_credit",
            f"Of the available credit, {allowed} can be refunded, not {amount_minor}.",
            balance_minor=balance_minor,
            refundable_minor=allowed,
        )


@dataclass(frozen=True, slots=True)
class Share:
    """`amount_minor` of a refund that goes back by `payment`."""

    payment: Payment
    amount_minor: int


def spread(paid: Sequence[tuple[Payment, int]], amount_minor: int) -> tuple[Share, ...]:
    """A canceled purchase's refund over the payments that settled its invoice, the latest first.

    `paid`: each payment with what it paid there, in the order of time. None gives back more than it paid there, nor than
    it captured and has left (R2). The shares cover at most `amount_minor`.
    """
    shares: list[Share] = []
    left = amount_minor
    for payment, settled in reversed(paid):
        share = min(left, settled, payment.refundable_minor)
        if share > 0:
            shares.append(Share(payment, share))
            left -= share
    return tuple(shares)


def _cut(candidates: Sequence[RefundSource], amount_minor: int) -> tuple[RefundSource, ...]:
    found: list[RefundSource] = []
    left = amount_minor
    for candidate in candidates:
        taken = min(left, candidate.amount_minor)
        if taken > 0:
            found.append(replace(candidate, amount_minor=taken))
            left -= taken
    return tuple(found)
