"""Payments: received by hand or through a gateway, allocated to invoices (P1–P9, R2, G3).

What a gateway says arrives late, twice and in any order. So a payment merges *facts* (`with_report`), and what is
posted follows from the facts and from what was posted before (`apply_gateway_report`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum

from remit.domain.collection import PAYER_MUST_ACT, Outcome
from remit.domain.errors import InvalidError, RuleError
from remit.domain.money import split
from remit.domain.open_items import OpenItem
from remit.domain.terms import Method

MAX_ALLOCATIONS = 40
"""Invoices that one payment may be allocated to in one atomic write."""


AUTHENTICATION_REQUIRED = "authentication_required"
"""The failure of a charge that the bank wants its holder to confirm: nobody but the payer can go on (S4)."""


class PaymentStatus(StrEnum):
    """`PENDING`: stored before the gateway was asked (P4), so its outcome may be unknown. `REQUIRES_ACTION`: the payer must
    authenticate. `AUTHORIZED`: the money is reserved, not taken (P7). `SUCCEEDED` alone brings money into the journal;
    `REVERTED`: it was taken back whole (P8)."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    FAILED = "failed"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    REVERTED = "reverted"


class _Finality(IntEnum):
    """Money that arrived outranks everything but its return; a canceled attempt outranks what
    led to it; else the latest word counts."""

    OPEN = 0
    CANCELED = 1
    SUCCEEDED = 2
    REVERTED = 3


_FINALITY = {
    PaymentStatus.CANCELED: _Finality.CANCELED,
    PaymentStatus.SUCCEEDED: _Finality.SUCCEEDED,
    PaymentStatus.REVERTED: _Finality.REVERTED,
}
_STEP = {status: step for step, status in enumerate(PaymentStatus)}


class PaymentState(StrEnum):
    """Where a payment stands for somebody who looks for money (P5): still to come, come, or not coming (any more)."""

    OUTSTANDING = "outstanding"
    CLEARED = "cleared"
    FAILED = "failed"


STATE: Mapping[PaymentStatus, PaymentState] = {
    PaymentStatus.PENDING: PaymentState.OUTSTANDING,
    PaymentStatus.REQUIRES_ACTION: PaymentState.OUTSTANDING,
    PaymentStatus.PROCESSING: PaymentState.OUTSTANDING,
    PaymentStatus.AUTHORIZED: PaymentState.OUTSTANDING,
    PaymentStatus.FAILED: PaymentState.FAILED,
    PaymentStatus.CANCELED: PaymentState.FAILED,
    PaymentStatus.SUCCEEDED: PaymentState.CLEARED,
    PaymentStatus.REVERTED: PaymentState.FAILED,
}


class Ending(StrEnum):
    """Why we ended an attempt that brought no money; kept as its `failure`.

    `SUPERSEDED`: another one takes its place. `CANCELED`: somebody asked for it. `EXPIRED`: the time of its page is over.
    `GATEWAY_FAILED`: the gateway made no page. `NOT_CHARGED`: the gateway never heard of the charge, as far as is known.
    """

    SUPERSEDED = "superseded"
    CANCELED = "canceled"
    EXPIRED = "expired"
    GATEWAY_FAILED = "gateway_failed"
    NOT_CHARGED = "not_charged"


_FINAL = frozenset(str(ending) for ending in Ending if ending is not Ending.NOT_CHARGED)
"""Endings that no word of the gateway replaces, unless there is money. That it never heard of a charge is taken back by
whatever it says of it."""
_BEFORE_ALL_REPORTS = datetime.min.replace(tzinfo=UTC)


def _rank(status: PaymentStatus, reported_at: datetime, failure: str | None) -> tuple[_Finality, datetime, int, str]:
    return _FINALITY.get(status, _Finality.OPEN), reported_at, _STEP[status], failure or ""


@dataclass(frozen=True, slots=True)
class Allocation:
    """`amount_minor` (> 0) of a payment or credit for one invoice."""

    invoice_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True, order=True)
class Transaction:
    """Something that happened to a payment (P5). `amount_minor` in the payment's currency.

    `type` is `authorization`, `capture`, `failure`, `refund`, `dispute` or `reversal`; `id` is the gateway's own. One charge
    may be authorised and later captured: two transactions of one id. `note` is the reason of a failure or dispute;
    `is_hard`: after this failure, trying the method again is pointless (S4).
    """

    occurred_at: datetime
    type: str
    id: str
    amount_minor: int
    note: str | None = None
    is_hard: bool = False


class DisputeStatus(StrEnum):
    """`INQUIRY`: the bank asks, and no money moves yet. An inquiry may become a dispute, or be closed."""

    INQUIRY = "inquiry"
    INQUIRY_CLOSED = "inquiry_closed"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


_DISPUTE_STEP = {status: step for step, status in enumerate(DisputeStatus)}


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's bank takes money back, for good or until the dispute is decided (P9).

    `amount_minor` was withdrawn, and `fee_minor` is the gateway's fee for it. `posted` is what the journal knows of it,
    `held_minor` its share of the customer's own credit that is held meanwhile (`Payment.holding`). `wallet_minor`: what a lost
    one took out of the wallet. `opened_at`: when the payer's bank began it; `reported_at`: when the gateway last said
    something of it. `is_soft`: the payer's bank could not pay, nobody objects: a debit may be tried again (S4).
    """

    id: str
    status: DisputeStatus
    amount_minor: int
    fee_minor: int
    reported_at: datetime
    reason: str | None = None
    posted: DisputeStatus | None = None
    held_minor: int = 0
    wallet_minor: int = 0
    opened_at: datetime | None = None
    is_soft: bool = False

    def merged(self, other: "Dispute") -> "Dispute":
        """The later word about the same dispute: a decision outranks what led to it, whatever came first (G3). Of two words
        of one moment the same one counts in every order."""

        def rank(dispute: Dispute) -> tuple[int, datetime, int, str]:
            return _DISPUTE_STEP[dispute.status], dispute.reported_at, dispute.amount_minor, dispute.reason or ""

        latest = max(self, other, key=rank)
        return replace(
            latest,
            fee_minor=max(self.fee_minor, other.fee_minor),
            posted=self.posted,
            held_minor=self.held_minor,
            wallet_minor=self.wallet_minor,
            opened_at=min(filter(None, (self.opened_at, other.opened_at)), default=None),
        )


@dataclass(frozen=True, slots=True)
class Fee:
    """A card fee asked for with the payment (T4), frozen when the attempt was made."""

    net_minor: int
    tax_minor: int
    tax_code: str

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor

    def scaled(self, captured_minor: int, asked_minor: int) -> "Fee":
        """The fee on what was captured of what was asked for: it applies only to what is really paid by card (T4)."""
        if captured_minor >= asked_minor:
            return self
        net, tax, _ = split(captured_minor, [self.net_minor, self.tax_minor, asked_minor - self.gross_minor])
        return Fee(net, tax, self.tax_code)


@dataclass(frozen=True, slots=True)
class Collected:
    """That a payment was asked for by automatic collection (S4): as attempt `number` (from 1) for the due date `due_on`,
    from the method that the customer knows by `method_label`. `next_due_on`: when the next part falls due. `not_charged`: how
    many of the attempts before it never reached the gateway.

    Once it has failed, `failed_as` says how, and `retry_on` when it is tried again; None: not by itself.
    """

    due_on: date
    number: int
    method_label: str
    next_due_on: date | None = None
    retry_on: date | None = None
    failed_as: Outcome | None = None
    not_charged: int = 0

    @property
    def tries(self) -> int:
        """Which of the retry policy's tries it is."""
        return self.number - self.not_charged

    @property
    def payer_must_act(self) -> Outcome | None:
        """What the payer has to see to before another try can help."""
        return self.failed_as if self.failed_as in PAYER_MUST_ACT else None


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What a gateway says about a payment: the domain's form of an event, whoever sent it.

    `status` None: the event only adds ids, a transaction or a dispute, and has no say in how the payment stands.
    `occurred_at` is the gateway's time of the event: reports may come in any order and more than once.
    `authorized_until`: when an authorisation expires. `is_hard_failure`: trying this method again is pointless (S4).
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
    is_hard_failure: bool = False
    authorized_until: datetime | None = None
    dispute: Dispute | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment and what is known of it. Amounts in minor units of `currency`.

    `amount_minor` is what was asked for, and once succeeded what was captured. `unapplied_minor` is the rest not
    allocated to invoices: the customer's credit, with this payment as its lot. `refunded_minor` is what was given
    back of it, refunds on their way included (R2). `intended` is what the payer chose to pay when the attempt was made;
    what is really open decides when the money arrives. `allocations` are net of what was taken back. `cash_account`
    names where the money went: the method, or the gateway. `to_wallet`: what is not allocated tops the wallet up (W1), and
    `wallet_minor` is how much did.
    `saved_method` is the gateway's id of the method charged without the payer being there; `capture_later` only
    authorises (P7), and `capture_minor` is what was then asked to be captured. `method_saved_for_later`: the payer agreed
    to be charged again. `look_up_at`: when to ask the gateway for an outcome that is still unknown. `collected`: which
    attempt of an automatic collection it is, if of any.
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
    refunded_minor: int = 0
    intended: tuple[Allocation, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    gateway_ids: tuple[str, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reported_at: datetime | None = None
    failure: str | None = None
    is_hard_failure: bool = False
    checkout_url: str | None = None
    expires_at: datetime | None = None
    fee: Fee | None = None
    to_wallet: bool = False
    wallet_minor: int = 0
    saved_method: str | None = None
    method_saved_for_later: bool = False
    capture_later: bool = False
    capture_minor: int | None = None
    authorized_until: datetime | None = None
    look_up_at: datetime | None = None
    collected: Collected | None = None
    entries: tuple[int, ...] = ()
    version: int = 0

    @property
    def available_minor(self) -> int:
        """What this lot can still pay."""
        return self.unapplied_minor

    @property
    def captured_minor(self) -> int:
        """The money that came in: 0 until the payment succeeded."""
        return self.amount_minor if self.status in (PaymentStatus.SUCCEEDED, PaymentStatus.REVERTED) else 0

    @property
    def cash_minor(self) -> int:
        """What the journal says is in the firm's cash of it, before refunds: less what disputes took, their fees included. Of
        money that went back whole, the fees alone are missing."""
        fees = sum(dispute.fee_minor for dispute in self.disputes if dispute.posted is not None)
        if self.status is not PaymentStatus.SUCCEEDED:
            return -fees
        return self.amount_minor - self.withheld_minor - self.lost_minor - fees

    @property
    def withheld_minor(self) -> int:
        """What disputes withhold by the journal."""
        return sum(dispute.amount_minor for dispute in self.disputes if dispute.posted is DisputeStatus.OPEN)

    @property
    def lost_minor(self) -> int:
        """What lost disputes took by the journal."""
        return sum(dispute.amount_minor for dispute in self.disputes if dispute.posted is DisputeStatus.LOST)

    @property
    def held_minor(self) -> int:
        """The customer's own credit that open disputes hold."""
        return sum(dispute.held_minor for dispute in self.disputes)

    @property
    def state(self) -> PaymentState:
        return STATE[self.status]

    @property
    def is_returned(self) -> bool:
        """Whether a charge that had brought the money failed afterwards: a bank debit that came back (P8). A charge that is
        declined never captures, so the two together say so in whatever order they are heard (G3)."""
        return self.returned_at is not None

    @property
    def returned_at(self) -> datetime | None:
        return self.returned_by.occurred_at if self.returned_by else None

    @property
    def returned_by(self) -> Transaction | None:
        """The failure with which a charge that had brought the money came back."""
        captured = {transaction.id for transaction in self.transactions if transaction.type == "capture"}
        return max((each for each in self.transactions if each.type == "failure" and each.id in captured), default=None)

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the gateway was, or is being, asked to charge a saved method and has not been heard yet (P4)."""
        return self.status is PaymentStatus.PENDING and self.saved_method is not None

    @property
    def disputed_minor(self) -> int:
        """What open disputes withhold, and what lost ones took."""
        return sum(
            dispute.amount_minor for dispute in self.disputes if dispute.status in (DisputeStatus.OPEN, DisputeStatus.LOST)
        )

    @property
    def refundable_minor(self) -> int:
        """What may still be given back of it (R2)."""
        if self.status is not PaymentStatus.SUCCEEDED:
            return 0
        return max(0, self.captured_minor - self.refunded_minor - self.disputed_minor)

    @property
    def allocated_minor(self) -> int:
        return sum(allocation.amount_minor for allocation in self.allocations)

    def allocated_to(self, invoice_id: str) -> int:
        return sum(allocation.amount_minor for allocation in self.allocations if allocation.invoice_id == invoice_id)

    @property
    def is_under_way(self) -> bool:
        """Whether this attempt may still bring money, so that a second must not be started beside it (P4).

        A failed card does not end an attempt on a hosted page: the payer may try another one. It ends one that was
        charged without the payer (`saved_method`). Neither does our clock: the payer may have paid in the last minute of a
        page, and only the gateway knows.
        """
        if self.saved_method is not None and self.status is PaymentStatus.FAILED:
            return False
        return self.status not in (PaymentStatus.CANCELED, PaymentStatus.SUCCEEDED, PaymentStatus.REVERTED)

    def is_page_over(self, now: datetime) -> bool:
        """Whether nobody new can be sent to its page. What became of it is the gateway's to say."""
        return self.expires_at is not None and now >= self.expires_at

    @property
    def is_ended_by_us(self) -> bool:
        """Whether the attempt is over because we ended it, and not by the gateway's word, or silence, alone."""
        return self.status is PaymentStatus.CANCELED and self.failure in _FINAL

    @property
    def is_on_page(self) -> bool:
        """Whether nothing is known yet but that the payer was sent to a page."""
        waiting = (PaymentStatus.PENDING, PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED)
        return self.checkout_url is not None and self.status in waiting

    def with_report(self, report: GatewayReport) -> "Payment":
        """Merge what the gateway says into what is known, giving one result for every order of reports (G3).

        The status kept is the greatest by (finality, time of the event, step, text): success is never undone
        by a late failure, and of two failures the later one speaks. Why we ended an attempt stays, whatever reason the
        gateway gives for the same. Ids, transactions and disputes are sets.
        """
        merged = self
        if report.status is not None and self._gives_way_to(report.status, report):
            ours = self.is_ended_by_us and report.status is PaymentStatus.CANCELED
            merged = replace(
                self,
                status=report.status,
                reported_at=report.occurred_at,
                failure=self.failure if ours else report.failure,
                is_hard_failure=report.is_hard_failure and not ours,
                look_up_at=self._look_up_after(report.status),
            )
        transactions = {(t.type, t.id): t for t in self.transactions}
        if new := report.transaction:
            same = transactions.get((new.type, new.id), new)
            transactions[new.type, new.id] = max(same, new, key=repr)
        disputes = {dispute.id: dispute for dispute in self.disputes}
        if heard := report.dispute:
            disputes[heard.id] = disputes[heard.id].merged(heard) if heard.id in disputes else heard
        return replace(
            merged,
            authorized_until=max(filter(None, (self.authorized_until, report.authorized_until)), default=None),
            gateway_ids=tuple(sorted({*self.gateway_ids, *report.gateway_ids})),
            transactions=tuple(sorted(transactions.values())),
            disputes=tuple(sorted(disputes.values(), key=lambda dispute: dispute.id)),
        )

    def _gives_way_to(self, status: PaymentStatus, report: GatewayReport) -> bool:
        """Before the first report anything does, but a page that we closed: nobody can have paid on it, or failed to, since."""
        if self.reported_at is None and not self.is_ended_by_us:
            return True
        mine = _rank(self.status, self.reported_at or _BEFORE_ALL_REPORTS, self.failure)
        return _rank(status, report.occurred_at, report.failure) > mine

    def end(self, why: Ending) -> "Payment":
        """Note that the attempt can bring nothing any more, and why we ended it. The gateway's word that it is over may come
        before or after, and does not replace the reason; money that came, or is on its way, stands. Of a charge that it never
        heard of, any word of it stands."""
        waiting = (PaymentStatus.PENDING, PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED, PaymentStatus.CANCELED)
        was_heard_of = why is Ending.NOT_CHARGED and self.status is not PaymentStatus.PENDING
        if self.status not in waiting or self.is_ended_by_us or was_heard_of:
            return self
        return replace(self, status=PaymentStatus.CANCELED, failure=str(why), is_hard_failure=False, look_up_at=None)

    def _look_up_after(self, status: PaymentStatus) -> datetime | None:
        """An answer ends the asking, but that money is authorised is no answer to whether it was captured, and that a card
        was declined none to what becomes of the page."""
        capturing = status is PaymentStatus.AUTHORIZED and self.capture_minor is not None
        still_on_page = self.checkout_url is not None and status in (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)
        return self.look_up_at if capturing or still_on_page else None

    def capture(self, amount_minor: int | None, look_up_at: datetime) -> "Payment":
        """Note that `amount_minor` (None: all) of an authorisation is to be captured, before the gateway is asked (P7).

        The rest is released. `RuleError` unless it is authorised, for more than that, or when another amount is being captured.
        """
        if self.status is not PaymentStatus.AUTHORIZED:
            raise RuleError(
                "payment_not_authorized",
                f"Payment {self.id} is {self.status}; only an authorised one is captured.",
                status=str(self.status),
            )
        wanted = self.amount_minor if amount_minor is None else amount_minor
        if wanted > self.amount_minor:
            raise RuleError(
                "capture_exceeds_authorized",
                f"{self.amount_minor} is authorised; {wanted} cannot be captured.",
                authorized_minor=self.amount_minor,
            )
        if self.capture_minor not in (None, wanted):
            raise RuleError(
                "capture_under_way",
                f"{self.capture_minor} of payment {self.id} is being captured.",
                capture_minor=self.capture_minor,
            )
        return replace(self, capture_minor=wanted, look_up_at=look_up_at)

    def holding(self, held_minor: int, changed: Dispute | None = None) -> "Payment":
        """With `changed` as it stands now, and `held_minor` of its own credit held for all open disputes together.

        What is held belongs to no single dispute, so that it follows from the facts and not from which one was heard first
        (G3): an open dispute holds what is unapplied as far as it goes, a lost one takes of what is held, a won one lets go of
        what the others do not need. Of 50.00 unapplied, disputes of 30.00 and 40.00 hold all; when the first is lost, 20.00
        stays held, and when the second is won as well, 20.00 is unapplied again. The shares shown go by the disputes' ids.
        """
        left, disputes = held_minor, []
        for each in self.disputes:
            dispute = changed if changed and each.id == changed.id else each
            share = min(left, dispute.amount_minor) if dispute.posted is DisputeStatus.OPEN else 0
            left -= share
            disputes.append(replace(dispute, held_minor=share))
        return replace(self, disputes=tuple(disputes))

    def require_undisputed(self) -> None:
        """`RuleError` while the payer's bank withholds money of this payment: what becomes of it is open (P9)."""
        if any(dispute.status is DisputeStatus.OPEN for dispute in self.disputes):
            raise RuleError(
                "payment_disputed",
                f"Payment {self.id} is in dispute.",
                disputed_minor=self.disputed_minor,
                unapplied_minor=self.unapplied_minor,
            )

    def draw(self, allocations: Sequence[Allocation]) -> "Payment":
        """Take `allocations` out of what is unapplied; `RuleError` if that is more than is there (P2)."""
        total = sum(allocation.amount_minor for allocation in allocations)
        return replace(self.take(total), allocations=_net(self.allocations, allocations, 1))

    def undraw(self, allocations: Sequence[Allocation]) -> "Payment":
        """Take allocations back: their amount is unapplied again. `RuleError` for more than is allocated there."""
        for allocation in allocations:
            there = self.allocated_to(allocation.invoice_id)
            if allocation.amount_minor > there:
                raise RuleError(
                    "allocation_not_found",
                    f"Payment {self.id} has {there} on invoice {allocation.invoice_id}; not {allocation.amount_minor}.",
                    invoice_id=allocation.invoice_id,
                    allocated_minor=there,
                )
        total = sum(allocation.amount_minor for allocation in allocations)
        return replace(self.put_back(total), allocations=_net(self.allocations, allocations, -1))

    def take(self, amount_minor: int) -> "Payment":
        """Use `amount_minor` of what is unapplied."""
        if amount_minor > self.unapplied_minor:
            raise RuleError(
                "allocation_exceeds_payment",
                f"Payment {self.id} has {self.unapplied_minor} unapplied; {amount_minor} cannot be allocated.",
                payment_id=self.id,
                unapplied_minor=self.unapplied_minor,
                disputed_minor=self.disputed_minor,
            )
        return replace(self, unapplied_minor=self.unapplied_minor - amount_minor)

    def put_back(self, amount_minor: int) -> "Payment":
        return replace(self, unapplied_minor=self.unapplied_minor + amount_minor)

    def regains(self, amount_minor: int) -> int:
        """How much of its own money that comes back, such as a refund that failed, is the customer's again: no more than
        disputes and a return have left it. The rest is not new money, and makes good what was lost.

        A payment of 100.00, 30.00 of it refunded, was lost in a dispute: 70.00 were opened again, 30.00 were a loss. When the
        refund fails, its 30.00 are nobody's credit.
        """
        if self.status is PaymentStatus.REVERTED:
            return 0
        if not self.lost_minor:
            return amount_minor
        fee = self.fee.gross_minor if self.fee else 0
        in_use = self.allocated_minor + self.unapplied_minor + self.wallet_minor + self.held_minor + fee
        return max(0, min(amount_minor, self.amount_minor - self.lost_minor - in_use))

    def refund(self, amount_minor: int) -> "Payment":
        """Count a refund; `RuleError` with the refundable amount when it exceeds what was captured and is left (R2)."""
        if amount_minor > self.refundable_minor:
            raise RuleError(
                "refund_exceeds_captured",
                f"Of payment {self.id}, {self.refundable_minor} can still be refunded, not {amount_minor}.",
                payment_id=self.id,
                refundable_minor=self.refundable_minor,
            )
        return replace(self, refunded_minor=self.refunded_minor + amount_minor)

    def unrefund(self, amount_minor: int) -> "Payment":
        """A refund failed or was canceled."""
        return replace(self, refunded_minor=self.refunded_minor - amount_minor)


def _net(kept: Sequence[Allocation], more: Sequence[Allocation], sign: int) -> tuple[Allocation, ...]:
    """One allocation per invoice, what is back at nothing left out."""
    by_invoice = {allocation.invoice_id: allocation.amount_minor for allocation in kept}
    for allocation in more:
        by_invoice[allocation.invoice_id] = by_invoice.get(allocation.invoice_id, 0) + sign * allocation.amount_minor
    return tuple(Allocation(invoice_id, amount) for invoice_id, amount in by_invoice.items() if amount)


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


def oldest_first(items: Sequence[OpenItem], amount_minor: int, value_date: date) -> tuple[Allocation, ...]:
    """Spread `amount_minor` over open invoices, oldest due date first, then by number (P2). An invoice takes what settles
    it on `value_date`: less than is open within the time of an early-payment discount (T5).

    150.00 over invoices of 121.00 (due 1 May) and 60.50 (due 9 May): 121.00 and 29.00.
    """
    allocations: list[Allocation] = []
    left = amount_minor
    for item in sorted(items, key=lambda item: (item.next_due or date.max, item.number)):
        share = min(left, item.payable_on(value_date))
        if share > 0 and len(allocations) < MAX_ALLOCATIONS:
            allocations.append(Allocation(item.invoice_id, share))
            left -= share
    return tuple(allocations)


def within_open(
    intended: Sequence[Allocation], items: Mapping[str, OpenItem], amount_minor: int, value_date: date
) -> tuple[Allocation, ...]:
    """What of the `intended` allocations can still be made, now that the money is here.

    The payer's choice was made earlier; meanwhile another payment may have settled the invoice. Each is cut
    to what settles the invoice and to what is left of the amount; the rest becomes unapplied credit, never a lost
    payment (P4). What was written off meanwhile is recovered (I9).
    """
    allocations: list[Allocation] = []
    left = amount_minor
    for wish in intended:
        item = items.get(wish.invoice_id)
        wanted = (item.payable_on(value_date) or item.recoverable_minor) if item else 0
        share = min(wish.amount_minor, wanted, left)
        if share > 0:
            allocations.append(Allocation(wish.invoice_id, share))
            left -= share
    return tuple(allocations)


def latest_first(allocations: Sequence[Allocation], amount_minor: int) -> tuple[Allocation, ...]:
    """What `amount_minor` that is gone takes back of `allocations`: the one made last first.

    30.00 out of 100.00 for A and then 20.00 for B: 20.00 of B and 10.00 of A.
    """
    taken: list[Allocation] = []
    left = amount_minor
    for allocation in reversed(allocations):
        share = min(left, allocation.amount_minor)
        if share > 0:
            taken.append(Allocation(allocation.invoice_id, share))
            left -= share
    return tuple(taken)
