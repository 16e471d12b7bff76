"""A payment gateway with customers and banks around it: pages, saved methods, refunds, disputes; and what it tells of them.

The truth is here: an intent is `PAID` when the gateway has the money, whatever Remit knows of it yet. Its events travel
badly: late, in any order, more than once, and some not at all until they are sent again. Its calls fail like all others:
before or after they were carried out. `cash` is what the gateway owes the firm.

What else a gateway does to a payment is a new function in `MOVES` or `TAKEN_BACK`, which changes an intent and calls `_tell`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from remit.domain.accounts import Account, SavedMethod
from remit.domain.errors import RuleError
from remit.domain.payments import Dispute, DisputeStatus, GatewayReport, Payment, PaymentStatus, Transaction
from remit.domain.refunds import Refund, RefundReport, RefundStatus
from remit.domain.terms import Method
from remit.usecases.ports import CheckoutPage, Payer
from remit.usecases.saved_methods import MethodReport
from tests.fakes import FakeClock, FakeGateway, Trouble

LOST_OF_100 = 4
"""Of a hundred events so many do not come until everything is delivered again."""

REPEATED_OF_100 = 15
"""Of a hundred events so many come again after they were taken."""

AUTHORIZED_FOR = timedelta(days=7)

KEY_KNOWN = timedelta(days=1)

DISPUTE_FEE = 1500

DISPUTES_MAX = 4
"""So many inquiries and disputes there are of one payment, decided ones included."""

MADE_ELSEWHERE = "ref_gateway_"
"""How ids of refunds begin that somebody made in the gateway's own dashboard."""

DECLINES = (("card_declined", False), ("insufficient_funds", False), ("stolen_card", True), ("authentication_required", True))
"""Failure codes, and whether trying again is pointless."""


class State(StrEnum):
    OPEN = "open"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    PAID = "paid"
    RETURNED = "returned"
    FAILED = "failed"
    CANCELED = "canceled"


REPORTED = {
    State.OPEN: PaymentStatus.PENDING,
    State.PROCESSING: PaymentStatus.PROCESSING,
    State.AUTHORIZED: PaymentStatus.AUTHORIZED,
    State.PAID: PaymentStatus.SUCCEEDED,
    State.RETURNED: PaymentStatus.SUCCEEDED,
    State.FAILED: PaymentStatus.FAILED,
    State.CANCELED: PaymentStatus.CANCELED,
}
"""How an intent stands when it is looked up. That a debit came back is told by an event alone."""


@dataclass(slots=True)
class Intent:
    """What the gateway knows of one payment: a hosted page, or the charge of a saved method (`expires_at` None).

    `beside`: the intents that could charge one of the same invoices by then, or had as the gateway had told, when this one
    was opened.
    """

    payment: Payment
    opened_at: datetime
    expires_at: datetime | None = None
    state: State = State.OPEN
    told: int = 0
    beside: tuple[str, ...] = ()
    captured_minor: int = 0
    refunded_minor: int = 0
    by_debit: bool = False
    failure: str | None = None
    is_hard_failure: bool = False
    authorized_until: datetime | None = None
    disputes: dict[str, Dispute] = field(default_factory=dict)

    @property
    def invoice_ids(self) -> tuple[str, ...]:
        return tuple(allocation.invoice_id for allocation in self.payment.intended)

    @property
    def charge_id(self) -> str:
        return f"ch_{self.payment.id}"

    @property
    def disputed_minor(self) -> int:
        """What disputes withhold or took for good."""
        withheld = (DisputeStatus.OPEN, DisputeStatus.LOST)
        return sum(dispute.amount_minor for dispute in self.disputes.values() if dispute.status in withheld)

    @property
    def left_minor(self) -> int:
        """What may still be refunded or disputed."""
        return self.captured_minor - self.refunded_minor - self.disputed_minor


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it travels; `id` is the gateway's, the same for every delivery of it."""

    id: str
    report: GatewayReport | RefundReport | MethodReport


@dataclass(slots=True)
class MadeRefund:
    """A refund as the gateway has it; the first id is Remit's where Remit asked for it."""

    id: str
    intent: Intent
    amount_minor: int
    made_at: datetime
    status: RefundStatus = RefundStatus.PENDING
    is_ours: bool = True
    told: int = 0


@dataclass(frozen=True, slots=True)
class SetupPage:
    """A page on which a customer saves a method, until it expires."""

    account_id: str
    customer_id: str
    expires_at: datetime


@dataclass
class SimulatedGateway(FakeGateway):
    """`PaymentGateway` as the use cases call it, the customers at its pages, and the post between it and Remit."""

    clock: FakeClock
    trouble: Trouble = field(default_factory=Trouble)
    random: Random = field(default_factory=Random)
    booked: Callable[[Payment], Payment | None] = lambda payment: payment
    """The payment as the books have it."""
    opened: dict[str, Intent] = field(default_factory=dict)
    live: list[str] = field(default_factory=list)
    """Payments whose intents move on by themselves."""
    paid: list[str] = field(default_factory=list)
    """Payments whose money is here."""
    contested: list[str] = field(default_factory=list)
    """Payments with a dispute or an inquiry that is not decided."""
    by_invoice: dict[str, list[Intent]] = field(default_factory=dict)
    charged_twice: list[tuple[str, str]] = field(default_factory=list)
    """Payments of one invoice that both charged it, the second one opened beside the first."""
    cash: Counter[str] = field(default_factory=Counter)
    made: dict[str, MadeRefund] = field(default_factory=dict)
    methods: dict[str, SavedMethod] = field(default_factory=dict)
    """What can be charged; what was given up is not among it."""
    saved: dict[str, MethodReport] = field(default_factory=dict)
    """Every method that was ever saved, and by whom."""
    setups: dict[str, SetupPage] = field(default_factory=dict)
    """Set-up pages that nobody completed yet."""
    travelling: list[Event] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    events: int = 0

    # What Remit asks for

    def start_checkout(self, payment: Payment, description: str, payer: Payer, return_url: str) -> CheckoutPage:
        try:
            return super().start_checkout(payment, description, payer, return_url)
        finally:  # the page may exist though the answer was lost
            if payment.id in self.pages and payment.id not in self.opened:
                self._open(payment, self.pages[payment.id].expires_at)

    def expire_checkout(self, payment: Payment) -> bool:
        with self.trouble.step("expire"):
            intent = self.opened.get(payment.id)
            if intent and intent.state is State.OPEN:
                self.cancel_intent(intent)
            return intent is None or intent.state is State.CANCELED

    def create_customer(self, account: Account) -> str:
        with self.trouble.step("customer"):
            return f"cus_{account.id}"

    def start_setup(self, setup_id: str, account_id: str, customer_id: str, currency: str, return_url: str) -> CheckoutPage:
        known = setup_id in self.pages
        try:
            return super().start_setup(setup_id, account_id, customer_id, currency, return_url)
        finally:  # as above
            if setup_id in self.pages and not known:
                self.setups[setup_id] = SetupPage(account_id, customer_id, self.pages[setup_id].expires_at)

    def saved_method(self, method_id: str, saved_at: datetime) -> SavedMethod | None:
        with self.trouble.step("method"):
            found = self.methods.get(method_id)
            return replace(found, saved_at=saved_at) if found else None

    def forget_method(self, method_id: str) -> None:
        with self.trouble.step("forget"):
            self.methods.pop(method_id, None)

    def charge(self, payment: Payment, customer_id: str, _description: str, now: datetime) -> GatewayReport:
        with self.trouble.step("charge"):
            if payment.id not in self.opened:
                if payment.saved_method not in self.methods:
                    raise RuleError("gateway_refused", "There is no such payment method.")
                if self.saved[payment.saved_method].customer_id != customer_id:
                    raise ValueError(f"{payment.saved_method} is not one of {customer_id}'s.")
                self._try(self._open(payment, None))
            return self._answer(self.opened[payment.id], now)

    def look_up(self, payment: Payment, now: datetime) -> GatewayReport | None:
        with self.trouble.step("look_up"):
            intent = self.opened.get(payment.id)
            return self._answer(intent, now) if intent else None

    def capture(self, payment: Payment, now: datetime) -> GatewayReport:
        with self.trouble.step("capture"):
            intent = self.opened[payment.id]
            self._expire(intent)
            if intent.state is State.AUTHORIZED:
                self.pay(intent, payment.capture_minor)
            if intent.state is not State.PAID:
                raise RuleError("gateway_refused", f"The payment is {intent.state}.")
            return self._answer(intent, now)

    def cancel(self, payment: Payment, now: datetime) -> GatewayReport:
        with self.trouble.step("cancel"):
            intent = self.opened[payment.id]
            sent = intent.state is State.PROCESSING and self.random.random() < 0.5
            if intent.state in (State.AUTHORIZED, State.OPEN) or sent:
                self.cancel_intent(intent)
            if intent.state is not State.CANCELED:
                raise RuleError("gateway_refused", f"The payment is {intent.state}.")
            return self._answer(intent, now)

    def refund(self, refund: Refund, payment: Payment, *, asked_before: bool) -> RefundReport:
        with self.trouble.step("refund"):
            now, made = self.clock.now(), self.made.get(refund.id)
            # Its key is known for a day; whoever says that he asked before finds it later too.
            if made is None or (now - made.made_at > KEY_KNOWN and not asked_before):
                intent = self.opened[payment.id]
                if intent.state is not State.PAID or refund.amount_minor > intent.left_minor or self.random.random() < 0.05:
                    raise RuleError("gateway_refused", f"The payment is {intent.state} and has {intent.left_minor} left.")
                self._make_refund(MadeRefund(refund.id, intent, refund.amount_minor, now))
            return self._refund_report(self.made[refund.id], now)

    def _make_refund(self, made: MadeRefund) -> None:
        self.made[made.id] = made
        made.intent.refunded_minor += made.amount_minor
        if self.random.random() < 0.7:
            self._refund_is(made, RefundStatus.SUCCEEDED)
        else:
            self._tell_refund(made)

    def _refund_is(self, made: MadeRefund, status: RefundStatus) -> None:
        currency = made.intent.payment.currency
        if status is RefundStatus.SUCCEEDED:
            self.cash[currency] -= made.amount_minor
        else:
            made.intent.refunded_minor -= made.amount_minor
            self.cash[currency] += made.amount_minor if made.status is RefundStatus.SUCCEEDED else 0
        made.status = status
        self._tell_refund(made)

    def _tell_refund(self, made: MadeRefund) -> None:
        self.events += 1
        made.told += 1
        happened_at = self.clock.now().replace(microsecond=0) + timedelta(seconds=made.told)
        self._post(Event(f"evt_{self.events:08d}", self._refund_report(made, happened_at)))

    def _refund_report(self, made: MadeRefund, at: datetime) -> RefundReport:
        payment = made.intent.payment
        return RefundReport(
            refund_id=made.id,
            account_id=payment.account_id,
            payment_id=payment.id,
            status=made.status,
            amount_minor=made.amount_minor,
            currency=payment.currency,
            occurred_at=at,
            gateway_id=f"re_{made.id}",
            failure="account_closed" if made.status is RefundStatus.FAILED else None,
            is_ours=made.is_ours,
        )

    def _open(self, payment: Payment, expires_at: datetime | None) -> Intent:
        rivals: dict[str, None] = {}
        opened = Intent(payment, self.clock.now(), expires_at)
        for invoice_id in opened.invoice_ids:
            others = self.by_invoice.setdefault(invoice_id, [])
            rivals |= {other.payment.id: None for other in others if self._may_charge(other)}
            others.append(opened)
        opened.beside = tuple(rivals)
        self.opened[payment.id] = opened
        self.live.append(payment.id)
        return opened

    def _may_charge(self, intent: Intent) -> bool:
        """Whether it has taken money, or still may, without Remit knowing."""
        self._expire(intent)
        if intent.state is State.PAID:
            known = self.booked(intent.payment)
            return known is None or known.status is not PaymentStatus.SUCCEEDED
        return intent.state in (State.OPEN, State.PROCESSING, State.AUTHORIZED)

    def _try(self, intent: Intent) -> None:
        """A saved method is charged: most cards pay, some decline, and a bank takes days."""
        method = self.methods[intent.payment.saved_method or ""]
        if method.method is Method.BANK_DEBIT:
            self.begin_debit(intent)
        elif self.random.random() < 0.7:
            self.pay_by_card(intent)
        else:
            intent.state = State.FAILED
            intent.failure, intent.is_hard_failure = self.random.choice(DECLINES)
            self._tell(intent, PaymentStatus.FAILED, failure=intent.failure)

    def _answer(self, intent: Intent, now: datetime) -> GatewayReport:
        payment = intent.payment
        return GatewayReport(
            payment_id=payment.id,
            account_id=payment.account_id,
            status=REPORTED[intent.state],
            amount_minor=intent.captured_minor or payment.amount_minor,
            currency=payment.currency,
            occurred_at=now,
            invoice_ids=intent.invoice_ids,
            gateway_ids=(f"pi_{payment.id}",),
            failure=intent.failure,
            is_hard_failure=intent.is_hard_failure,
            authorized_until=intent.authorized_until,
        )

    # What happens by itself

    def something_happens(self) -> str | None:
        """Let one of the live intents move on, as its customer or the bank does; says what happened in words."""
        if not self.live:
            return None
        intent = self.opened[self.random.choice(self.live)]
        self._expire(intent)
        if moves := MOVES.get(intent.state):
            self.random.choice(moves)(self, intent)
        if intent.state not in MOVES:
            self.live.remove(intent.payment.id)
        return f"{intent.payment.id} at the gateway is {intent.state}"

    def a_setup_moves_on(self) -> str | None:
        """A customer completes a set-up page, leaves it for now, or comes too late."""
        if not self.setups:
            return None
        id = self.random.choice(list(self.setups))
        setup = self.setups[id]
        if self.clock.now() >= setup.expires_at:
            del self.setups[id]
            return f"{id} has expired"
        if self.random.random() < 0.4:
            return f"{setup.account_id} leaves {id}"
        del self.setups[id]
        kind = self.random.choice((Method.CARD, Method.CARD, Method.BANK_DEBIT))
        return f"{setup.account_id} saves {self._save(setup.account_id, setup.customer_id, kind)} on {id}"

    def _save(self, account_id: str, customer_id: str, kind: Method) -> str:
        self.events += 1
        now, id = self.clock.now().replace(microsecond=0), f"pm_{self.events:08d}"
        self.methods[id] = SavedMethod(id, self.name, kind, f"{kind} {self.events % 10_000:04d}", now)
        self.saved[id] = MethodReport(account_id, id, customer_id, now)
        self._post(Event(f"evt_{self.events:08d}", self.saved[id]))
        return id

    def _save_while_paying(self, intent: Intent, kind: Method) -> None:
        """The payer of a page agreed to be charged again."""
        payment = intent.payment
        if payment.method_saved_for_later:
            self._save(payment.account_id, f"cus_{payment.account_id}", kind)

    def a_bank_takes_money_back(self) -> str | None:
        """One of the newer payments, mostly one in dispute, is disputed, its disputes decided, or its debit returned."""
        if not self.paid:
            return None
        among = self.contested if self.contested and self.random.random() < 0.6 else self.paid
        intent = self.opened[self.random.choice(among[-40:])]
        if moves := TAKEN_BACK.get(intent.state):
            self.random.choice(moves)(self, intent)
        disputes = ", ".join(dispute.status for dispute in intent.disputes.values())
        return f"{intent.payment.id} at the gateway is {intent.state}, its disputes {disputes or 'none'}"

    def a_refund_moves_on(self) -> str | None:
        """A pending one succeeds or fails; one that had succeeded fails days later; or somebody makes one in the dashboard."""
        random = self.random
        if self.paid and random.random() < 0.15:
            intent = self.opened[random.choice(self.paid[-40:])]
            if intent.state is State.PAID and intent.left_minor > 0:
                amount = random.choice((intent.left_minor, max(1, intent.left_minor // 2)))
                self._make_refund(
                    MadeRefund(f"{MADE_ELSEWHERE}{len(self.made)}", intent, amount, self.clock.now(), is_ours=False)
                )
                return f"{amount} of {intent.payment.id} is refunded in the gateway's dashboard"
        if not self.made:
            return None
        made = self.made[random.choice(list(self.made)[-40:])]
        if made.status is RefundStatus.PENDING:
            self._refund_is(made, random.choice((RefundStatus.SUCCEEDED, RefundStatus.SUCCEEDED, RefundStatus.FAILED)))
        elif made.status is RefundStatus.SUCCEEDED and made.intent.state is State.PAID and random.random() < 0.2:
            self._refund_is(made, RefundStatus.FAILED)
        return f"{made.id} at the gateway is {made.status}"

    def _expire(self, intent: Intent) -> None:
        now = self.clock.now()
        over = intent.expires_at if intent.state is State.OPEN else intent.authorized_until
        if over and now >= over and intent.state in (State.OPEN, State.AUTHORIZED):
            self.cancel_intent(intent)

    def cancel_intent(self, intent: Intent) -> None:
        intent.state = State.CANCELED
        self._tell(intent, PaymentStatus.CANCELED)

    def decline(self, intent: Intent) -> None:
        """A card is refused; the page stays open for another one."""
        self._tell(intent, PaymentStatus.FAILED, failure="card_declined")
        failed = Transaction(self._instant(intent), "failure", f"{intent.charge_id}_{intent.told}", intent.payment.amount_minor)
        self._tell(intent, None, transaction=failed)

    def refuse(self, intent: Intent, failure: str, is_hard: bool) -> None:
        """A charge is declined, at once and for good or for now."""
        intent.state, intent.failure, intent.is_hard_failure = State.FAILED, failure, is_hard
        self._tell(intent, PaymentStatus.FAILED, failure=failure)

    def pay_by_card(self, intent: Intent) -> None:
        self._save_while_paying(intent, Method.CARD)
        if intent.payment.capture_later:
            intent.state = State.AUTHORIZED
            intent.authorized_until = self.clock.now().replace(microsecond=0) + AUTHORIZED_FOR
            self._tell(intent, PaymentStatus.AUTHORIZED)
        else:
            self.pay(intent)

    def pay(self, intent: Intent, amount_minor: int | None = None) -> None:
        intent.state = State.PAID
        intent.captured_minor = amount_minor or intent.payment.amount_minor
        self.cash[intent.payment.currency] += intent.captured_minor
        self.paid.append(intent.payment.id)
        self.charged_twice += self._paid_too(intent, intent.beside)
        captured = Transaction(self._instant(intent), "capture", intent.charge_id, intent.captured_minor)
        self._tell(intent, None, transaction=captured)
        self._tell(intent, PaymentStatus.SUCCEEDED)
        self._tell(intent, None)

    def _paid_too(self, intent: Intent, others: Iterable[str]) -> list[tuple[str, str]]:
        return [(other, intent.payment.id) for other in others if self.opened[other].state is State.PAID]

    def begin_debit(self, intent: Intent) -> None:
        """A bank debit takes days, and succeeds or fails in the end."""
        self._save_while_paying(intent, Method.BANK_DEBIT)
        intent.state, intent.by_debit = State.PROCESSING, True
        self._tell(intent, PaymentStatus.PROCESSING)

    def fail_debit(self, intent: Intent) -> None:
        intent.state = State.FAILED
        self._tell(intent, PaymentStatus.FAILED, failure="debit_refused")

    def return_debit(self, intent: Intent) -> None:
        """A debit that had succeeded comes back whole: what disputes withhold or took is back at the bank already."""
        if not intent.by_debit:
            return
        intent.state = State.RETURNED
        self.cash[intent.payment.currency] -= intent.captured_minor - intent.disputed_minor
        returned = Transaction(self._instant(intent), "failure", intent.charge_id, intent.captured_minor, "debit_returned")
        self._tell(intent, None, transaction=returned)

    def open_dispute(self, intent: Intent) -> None:
        """A bank asks, or takes the money at once: all that is left of it or a part, beside what it disputes already."""
        if intent.left_minor <= 0 or len(intent.disputes) >= DISPUTES_MAX:
            return
        at, payment_id = self._instant(intent), intent.payment.id
        amount = self.random.choice((intent.left_minor, max(1, intent.left_minor // 3), max(1, intent.left_minor // 2)))
        asked = Dispute(
            f"dp_{len(intent.disputes)}_{payment_id}", DisputeStatus.INQUIRY, amount, 0, at, "fraudulent", opened_at=at
        )
        self._dispute(intent, asked)
        if self.random.random() < 0.6:
            self._withdraw(intent, asked)
        self.contested.append(payment_id)

    def _withdraw(self, intent: Intent, asked: Dispute) -> None:
        """A bank that only asked takes the money."""
        self._dispute(intent, replace(asked, status=DisputeStatus.OPEN, fee_minor=DISPUTE_FEE))
        self.cash[intent.payment.currency] -= asked.amount_minor + DISPUTE_FEE

    def decide_dispute(self, intent: Intent, decision: DisputeStatus | None = None) -> None:
        """Each inquiry or dispute that is undecided moves on, or stays; with a `decision`, each dispute ends so. What came back
        whole has nothing left to return."""
        for dispute in list(intent.disputes.values()):
            if dispute.status is DisputeStatus.INQUIRY:
                self._answer_inquiry(intent, dispute)
            elif dispute.status is DisputeStatus.OPEN and (decision or self.random.random() < 0.7):
                status = decision or self.random.choice((DisputeStatus.WON, DisputeStatus.LOST))
                self._dispute(intent, replace(dispute, status=status))
                returned = status is DisputeStatus.WON and intent.state is State.PAID
                self.cash[intent.payment.currency] += dispute.amount_minor if returned else 0
        if not any(each.status in (DisputeStatus.INQUIRY, DisputeStatus.OPEN) for each in intent.disputes.values()):
            self.contested = [each for each in self.contested if each != intent.payment.id]

    def _answer_inquiry(self, intent: Intent, asked: Dispute) -> None:
        """A bank is content with the answer, or takes the money after all, if so much is left of it."""
        if self.random.random() < 0.5:
            self._dispute(intent, replace(asked, status=DisputeStatus.INQUIRY_CLOSED))
        elif intent.state is State.PAID and asked.amount_minor <= intent.left_minor:
            self._withdraw(intent, asked)

    def _dispute(self, intent: Intent, dispute: Dispute) -> None:
        said = replace(dispute, reported_at=self._instant(intent))
        intent.disputes[said.id] = said
        opened_at = said.opened_at or said.reported_at
        shown = Transaction(opened_at, "dispute", said.id, said.amount_minor, said.reason)
        self._tell(intent, None, dispute=said, transaction=shown)

    # How its events travel

    def _instant(self, intent: Intent) -> datetime:
        """The gateway's clock tells whole seconds, and no two of a payment's events the same one."""
        return self.clock.now().replace(microsecond=0) + timedelta(seconds=intent.told + 1)

    def _tell(
        self,
        intent: Intent,
        status: PaymentStatus | None,
        *,
        transaction: Transaction | None = None,
        dispute: Dispute | None = None,
        failure: str | None = None,
    ) -> None:
        payment, happened_at = intent.payment, self._instant(intent)
        self.events += 1
        intent.told += 1
        report = GatewayReport(
            payment_id=payment.id,
            account_id=payment.account_id,
            status=status,
            amount_minor=dispute.amount_minor if dispute else intent.captured_minor or payment.amount_minor,
            currency=payment.currency,
            occurred_at=happened_at,
            invoice_ids=intent.invoice_ids if self.random.random() < 0.8 else (),
            gateway_ids=(intent.charge_id, f"pi_{payment.id}") if transaction else (f"pi_{payment.id}",),
            transaction=transaction,
            failure=failure,
            is_hard_failure=intent.is_hard_failure,
            authorized_until=intent.authorized_until,
            dispute=dispute,
        )
        self._post(Event(f"evt_{self.events:08d}", report))

    def _post(self, event: Event) -> None:
        (self.lost if self.random.randrange(100) < LOST_OF_100 else self.travelling).append(event)

    def next_event(self) -> Event | None:
        """Any of the events on their way, mostly one of the older; it stays on its way until it is `taken`."""
        if not self.travelling:
            return None
        reach = len(self.travelling) if self.random.random() < 0.3 else min(4, len(self.travelling))
        return self.travelling[self.random.randrange(reach)]

    def deliver_now(self) -> Iterator[Event]:
        """What is on its way, in the order in which it was told, each once."""
        events, self.travelling = self.travelling, []
        yield from events

    def taken(self, event: Event) -> None:
        """Remit has answered; now and then the gateway does not hear it, and sends the event again later."""
        if event in self.travelling:
            self.travelling.remove(event)
            if self.random.randrange(100) < REPEATED_OF_100:
                self.travelling.append(event)

    def deliver_all(self) -> Iterator[Event]:
        """Everything that is on its way or was lost, oldest first, each once; what is past its time expires before."""
        for payment_id in list(self.live):
            self._expire(self.opened[payment_id])
        for made in self.made.values():
            if made.status is RefundStatus.PENDING:
                self._refund_is(made, RefundStatus.SUCCEEDED)
        events = sorted({event.id: event for event in (*self.travelling, *self.lost)}.items())
        self.travelling.clear()
        self.lost.clear()
        for _, event in events:
            yield event


MOVES: dict[State, tuple[Callable[[SimulatedGateway, Intent], None], ...]] = {
    State.OPEN: (
        SimulatedGateway.pay_by_card,
        SimulatedGateway.pay_by_card,
        SimulatedGateway.decline,
        SimulatedGateway.begin_debit,
    ),
    State.PROCESSING: (SimulatedGateway.pay, SimulatedGateway.pay, SimulatedGateway.fail_debit),
    State.AUTHORIZED: (lambda _gateway, _intent: None,),
}
"""What may happen by itself in each state, the likelier the more often it is named. A state that is not here is final."""

TAKEN_BACK: dict[State, tuple[Callable[[SimulatedGateway, Intent], None], ...]] = {
    State.PAID: (
        SimulatedGateway.return_debit,
        SimulatedGateway.open_dispute,
        SimulatedGateway.open_dispute,
        SimulatedGateway.decide_dispute,
        SimulatedGateway.decide_dispute,
    ),
    State.RETURNED: (SimulatedGateway.decide_dispute,),
}
"""What banks do to money that is here, and to disputes of money that came back."""
