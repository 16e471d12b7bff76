"""A payment gateway with customers in front of it: pages that are paid, declined, abandoned; and what it tells of them.

The truth is here: a page is `PAID` when the gateway has the money, whatever Remit knows of it yet. Its events travel
badly: late, in any order, more than once, and some not at all until they are sent again.

What else a gateway does to a payment (a refund, a dispute, a debit that bounces) is a new function beside `PAGE_MOVES`
that changes a page and calls `_tell`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from remit.domain.payments import GatewayReport, Payment, PaymentStatus, Transaction
from remit.usecases.ports import CheckoutPage
from tests.fakes import FakeClock, FakeGateway, Trouble

LOST_OF_100 = 4
"""Of a hundred events so many do not come until everything is delivered again."""

REPEATED_OF_100 = 15
"""Of a hundred events so many come again after they were taken."""


class PageState(StrEnum):
    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(slots=True)
class Page:
    """One hosted checkout.

    `beside`: the pages on which the very same debt could be paid by then, or was paid as the gateway had told, when this
    one was opened. `unknown`: those that had passed their time by the clock, and whose outcome nobody had told yet.
    """

    payment: Payment
    opened_at: datetime
    expires_at: datetime
    state: PageState = PageState.OPEN
    told: int = 0
    acknowledged: bool = False
    """Whether Remit has answered to the event that the money is here."""
    beside: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def invoice_ids(self) -> tuple[str, ...]:
        return tuple(allocation.invoice_id for allocation in self.payment.intended)

    @property
    def debt(self) -> tuple[tuple[str, ...], int]:
        return self.invoice_ids, self.payment.amount_minor

    @property
    def may_charge(self) -> bool:
        """Whether it has taken money, or still may, without Remit knowing."""
        return self.state in (PageState.OPEN, PageState.PROCESSING) or (self.state is PageState.PAID and not self.acknowledged)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it travels; `id` is the gateway's, the same for every delivery of it."""

    id: str
    report: GatewayReport


@dataclass
class SimulatedGateway(FakeGateway):
    """`PaymentGateway` as the use cases call it, the customers at its pages, and the post between it and Remit."""

    clock: FakeClock
    trouble: Trouble = field(default_factory=Trouble)
    random: Random = field(default_factory=Random)
    opened: dict[str, Page] = field(default_factory=dict)
    live: list[str] = field(default_factory=list)
    """Payments whose pages can still change."""
    by_debt: dict[tuple[tuple[str, ...], int], list[Page]] = field(default_factory=dict)
    charged_twice: list[tuple[str, str]] = field(default_factory=list)
    """Payments of one debt that both charged it, the second page opened beside the first."""
    charged_unknown: list[tuple[str, str]] = field(default_factory=list)
    """The same, but the second page was opened when the first's time was over by the clock and its outcome unknown."""
    travelling: list[Event] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    events: int = 0

    def start_checkout(self, payment: Payment, description: str, email: str, return_url: str) -> CheckoutPage:
        try:
            return super().start_checkout(payment, description, email, return_url)
        finally:  # the page may exist though the answer was lost
            if payment.id in self.pages and payment.id not in self.opened:
                self._open(payment, self.pages[payment.id])

    def _open(self, payment: Payment, page: CheckoutPage) -> None:
        now = self.clock.now()
        opened = Page(payment, now, page.expires_at)
        rivals = [other for other in self.by_debt.setdefault(opened.debt, []) if other.may_charge]
        opened.beside = tuple(other.payment.id for other in rivals if now < other.expires_at)
        opened.unknown = tuple(other.payment.id for other in rivals if now >= other.expires_at)
        self.by_debt[opened.debt].append(opened)
        self.opened[payment.id] = opened
        self.live.append(payment.id)

    # What happens at the pages

    def someone_at_a_page(self) -> str | None:
        """Let one of the live pages move on, as its customer or the bank does; says what happened in words."""
        if not self.live:
            return None
        page = self.opened[self.random.choice(self.live)]
        self._expire(page)
        moves = PAGE_MOVES.get(page.state)
        if moves:
            move = self.random.choice(moves)
            move(self, page)
        if page.state not in PAGE_MOVES:
            self.live.remove(page.payment.id)
        return f"{page.payment.id} at the gateway is {page.state}"

    def _expire(self, page: Page) -> None:
        if page.state is PageState.OPEN and self.clock.now() >= page.expires_at:
            page.state = PageState.EXPIRED
            self._tell(page, PaymentStatus.CANCELED)

    def decline(self, page: Page) -> None:
        """A card is refused; the page stays open for another one."""
        self._tell(page, PaymentStatus.FAILED, failure="card_declined")
        self._tell(page, None, transaction="failure")

    def pay(self, page: Page) -> None:
        page.state = PageState.PAID
        self.charged_twice += self._paid_too(page, page.beside)
        self.charged_unknown += self._paid_too(page, page.unknown)
        self._tell(page, None, transaction="capture")
        self._tell(page, PaymentStatus.SUCCEEDED)
        self._tell(page, None)

    def _paid_too(self, page: Page, others: Iterable[str]) -> list[tuple[str, str]]:
        return [(other, page.payment.id) for other in others if self.opened[other].state is PageState.PAID]

    def begin_debit(self, page: Page) -> None:
        """A bank debit takes days, and succeeds or fails in the end."""
        page.state = PageState.PROCESSING
        self._tell(page, PaymentStatus.PROCESSING)

    def fail_debit(self, page: Page) -> None:
        page.state = PageState.FAILED
        self._tell(page, PaymentStatus.FAILED, failure="debit_refused")

    def _tell(
        self, page: Page, status: PaymentStatus | None, *, transaction: str | None = None, failure: str | None = None
    ) -> None:
        """Send an event. The gateway's clock tells whole seconds, and no two of a payment's events the same one."""
        payment = page.payment
        self.events += 1
        page.told += 1
        number = f"{self.events:08d}"
        happened_at = self.clock.now().replace(microsecond=0) + timedelta(seconds=page.told)
        about = Transaction(happened_at, transaction, f"ch_{number}", payment.amount_minor, failure) if transaction else None
        ids = (f"ch_{number}", f"pi_{payment.id}") if transaction else (f"pi_{payment.id}",)
        report = GatewayReport(
            payment_id=payment.id,
            account_id=payment.account_id,
            status=status,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            occurred_at=happened_at,
            invoice_ids=page.invoice_ids if self.random.random() < 0.8 else (),
            gateway_ids=ids,
            transaction=about,
            failure=failure,
        )
        lost = self.random.randrange(100) < LOST_OF_100
        (self.lost if lost else self.travelling).append(Event(f"evt_{number}", report))

    # How its events travel

    def next_event(self) -> Event | None:
        """Any of the events on their way, mostly one of the older; it stays on its way until it is `taken`."""
        if not self.travelling:
            return None
        reach = len(self.travelling) if self.random.random() < 0.3 else min(4, len(self.travelling))
        return self.travelling[self.random.randrange(reach)]

    def taken(self, event: Event) -> None:
        """Remit has answered; now and then the gateway does not hear it, and sends the event again later."""
        if event.report.status is PaymentStatus.SUCCEEDED:
            self.opened[event.report.payment_id].acknowledged = True
        if event in self.travelling:
            self.travelling.remove(event)
            if self.random.randrange(100) < REPEATED_OF_100:
                self.travelling.append(event)

    def deliver_all(self) -> Iterator[Event]:
        """Everything that is on its way or was lost, oldest first, each once; pages past their time expire before."""
        for payment_id in list(self.live):
            self._expire(self.opened[payment_id])
        events = sorted({event.id: event for event in (*self.travelling, *self.lost)}.items())
        self.travelling.clear()
        self.lost.clear()
        for _, event in events:
            yield event


PAGE_MOVES: dict[PageState, tuple[Callable[[SimulatedGateway, Page], None], ...]] = {
    PageState.OPEN: (
        SimulatedGateway.pay,
        SimulatedGateway.pay,
        SimulatedGateway.decline,
        SimulatedGateway.begin_debit,
    ),
    PageState.PROCESSING: (SimulatedGateway.pay, SimulatedGateway.pay, SimulatedGateway.fail_debit),
}
"""What may happen to a page in each state, the likelier the more often it is named. A state that is not here is final."""
