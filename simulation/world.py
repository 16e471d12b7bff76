"""The simulated world: the books, the clock, the gateway, the mail, and what an attempt at something is."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

from remit.domain.actor import Actor, Channel
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.journal import canonical
from remit.domain.payments import Payment
from remit.domain.terms import (
    CardFee,
    ChargeKind,
    Collect,
    DiscountTax,
    Due,
    DueRule,
    EarlyDiscount,
    Method,
    PaymentTerm,
    TermPart,
)
from remit.usecases.idempotency import Answer, Request
from remit.usecases.ports import Changes
from simulation.gateway import SimulatedGateway
from simulation.model import Customer, Model, Transaction, Write
from tests.fakes import FakeBooks, FakeClock, FakeIds, FakeLetters, FakeMailer, Trouble, thing_of
from tests.support.builders import firm, plain

BEGINNING = datetime(2027, 11, 1, 8, 0, tzinfo=UTC)
"""Before a year end and a leap year, so that short runs meet both."""

CLERK = Actor("clerk", Channel.API)
CUSTOMER = Actor("customer", Channel.PAYMENT_PAGE)
GATEWAY = Actor("stripe", Channel.GATEWAY)
SCHEDULE = Actor("schedule", Channel.SCHEDULE)

REFUSED = "nobody@customer.example"
"""An address that the mail provider refuses for good."""

ACTIVE_CUSTOMERS = 24
"""So many customers do business at a time; who leaves stays in the books. It keeps histories as long as real ones."""


_ON_RECEIPT, _NET30 = Due(DueRule.ON_RECEIPT), Due(DueRule.NET_DAYS, 30)
_EARLY = {
    f"early_{tax}": PaymentTerm(f"early_{tax}", "2/10 net 30", (TermPart(_NET30),), discount=EarlyDiscount(Decimal(2), 10, tax))
    for tax in DiscountTax
}
_IN_PARTS = {
    "thirds": PaymentTerm(
        "thirds",
        "30 % now, 30 % by the middle of next month, the rest later",
        (
            TermPart(_ON_RECEIPT, Decimal(30)),
            TermPart(Due(DueRule.END_OF_MONTH, 15), Decimal(30)),
            TermPart(Due(DueRule.NET_DAYS, 60)),
        ),
        collect={ChargeKind.SHIPPING: Collect.PRO_RATA, ChargeKind.OTHER: Collect.LAST},
    ),
    "delivery": PaymentTerm(
        "delivery",
        "A fifth now, the rest two weeks after delivery",
        (TermPart(_ON_RECEIPT, Decimal(20)), TermPart(Due(DueRule.AFTER_DELIVERY, 14))),
        collect={ChargeKind.SHIPPING: Collect.ON_DELIVERY},
    ),
    "fixed": PaymentTerm(
        "fixed",
        "50.00 now, the rest in a month",
        (TermPart(_ON_RECEIPT, fixed_minor=5000), TermPart(_NET30)),
        currency="EUR",
    ),
    "after_sale": PaymentTerm.single("after_sale", "A week after the sale", Due(DueRule.AFTER_SALE, 7), (Method.CARD,)),
}
_FEES = {
    "fee": PaymentTerm("fee", "Cards cost", (TermPart(_NET30),), currency="EUR", card_fee=CardFee("VAT21", Decimal("1.5"), 25)),
    "fee9": PaymentTerm("fee9", "Cards cost little", (TermPart(_NET30),), card_fee=CardFee("VAT9", Decimal(1))),
}


def our_firm() -> Firm:
    """A firm with a term of every kind."""
    known = firm()
    return firm(terms={**known.terms, **_EARLY, **_IN_PARTS, **_FEES})


class InvariantError(Exception):
    """Something that must always hold does not: `invariant` is its name, `detail` what was found."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody wants something of Remit: what an operation of the table chooses.

    `says`: the wish in business words. `call`: the use case, under the request that it is given. `body`: what is asked,
    as the idempotency fingerprint sees it. `may_refuse`: the codes with which Remit may answer no; any other refusal is
    a fault. `note`: looks at the answer, and raises `InvariantError` if it is not what was asked for.

    `kind` and `key` name the guard: by default a new Idempotency-Key; `kind` None is for what needs no guard, because a
    repeat is harmless. `posts_bare`: it may post without a guard, since something else that it writes is there once.
    """

    says: str
    call: Callable[[Request[Any]], Any]
    body: Any = None
    may_refuse: frozenset[str] = frozenset()
    note: Callable[[Any], None] = lambda _answer: None
    by: Actor = CLERK
    kind: str | None = "idempotency"
    key: str = ""
    posts_bare: bool = False
    made_at: datetime = BEGINNING

    def request(self, body: Any = None) -> Request[Any]:
        """The request, or one with the same key and another body."""
        asked = plain(self.body if body is None else body)
        fingerprint = hashlib.sha256(canonical(asked).encode()).hexdigest()
        lifetime = {} if self.kind == "idempotency" else {"lifetime": None}
        return Request(self.by, self.kind or "", self.key, fingerprint, summary, **lifetime)


_TOLD = (
    "id", "account_id", "number", "status", "currency", "amount_minor", "unapplied_minor", "gross_minor", "open_minor", "version",
)  # fmt: skip


def summary(result: Any) -> Any:
    """What a caller is told of any result, and what its guard stores: the figures of the thing, as JSON data."""
    thing = getattr(result, "invoice", result)
    told = {name: plain(getattr(thing, name)) for name in _TOLD if hasattr(thing, name)}
    return told | ({"open_minor": result.open_item.open_minor} if hasattr(result, "open_item") else {})


def answer_in(result: Any) -> Any:
    """The `Answer` in what a use case returns, which may come with more; else the result itself."""
    if isinstance(result, tuple):
        return next((each for each in result if isinstance(each, Answer)), result)
    return result


class ObservedBooks(FakeBooks):
    """Books that show every commit to an observer, as it was stored and as soon as it was, also when the reply is lost.

    Who sets `on_stream` gets what was written as the table's stream would bring it, too.
    """

    def __init__(self, trouble: Trouble, observer: Callable[[Transaction], None]) -> None:
        super().__init__(trouble)
        self._observer = observer
        self.on_stream: Callable[[list[dict[str, Any]]], None] | None = None
        self.writes = 0
        """How many items were written so far."""

    def commit(self, changes: Changes) -> None:
        try:
            super().commit(changes)
        finally:
            if self._stream:
                if self.on_stream:
                    self.on_stream(self.stream_records())
                writes = tuple(Write(thing_of(new), old is None) for _, new, old in self._stream)
                self._stream.clear()
                self.writes += len(writes)
                self._observer(Transaction(writes))


@dataclass
class World:
    """Everything that a run consists of. All chance comes from `random`, all time from `clock`."""

    random: Random
    observer: Callable[[Transaction], None]
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGINNING))
    ids: FakeIds = field(default_factory=FakeIds)
    letters: FakeLetters = field(default_factory=FakeLetters)
    trouble: Trouble = field(default_factory=Trouble)
    model: Model = field(default_factory=Model)
    firm: Firm = field(default_factory=our_firm)
    active: list[str] = field(default_factory=list)
    unproved: dict[str, None] = field(default_factory=dict)
    """Customers with entries since they were last proved."""
    claims: Counter[str] = field(default_factory=Counter)
    """How often each message was claimed for sending."""
    chosen: str | None = None
    """The customer whom the operation that was chosen last is about."""
    asking: list[Attempt] = field(default_factory=list)
    """The attempt that is made just now, and those that it interrupts."""
    attempts: int = 0
    """How many were made."""
    focus: str | None = None
    """The customer whom somebody else is busy with just now: who comes in between mostly wants the same one."""

    def __post_init__(self) -> None:
        self.books = ObservedBooks(self.trouble, self.observer)
        self.mailer = FakeMailer(self.trouble, refused={REFUSED: RuleError("address_refused", "No mail goes there.")})
        self.gateway = SimulatedGateway(self.clock, self.trouble, random=self.random, booked=self._booked)

    def _booked(self, payment: Payment) -> Payment | None:
        return self.model.customer(payment.account_id).get(Payment, payment.id)

    @property
    def today(self) -> date:
        return self.firm.today(self.clock.now())

    def customer(self, account_id: str | None = None) -> Customer | None:
        """Somebody to do business with, or the one named; None while there is nobody yet."""
        if account_id is None and self.focus and self.sometimes(0.8):
            account_id = self.focus
        self.chosen = account_id or (self.random.choice(self.active) if self.active else None)
        return self.model.customers[self.chosen] if self.chosen else None

    def pick[T](self, of: Sequence[T]) -> T | None:
        """Any of these, the newest as often as all others together; None of nothing."""
        if not of:
            return None
        return of[-1] if self.random.random() < 0.5 else self.random.choice(of)

    def sometimes(self, share: float) -> bool:
        return self.random.random() < share

    def amount(self, up_to: int) -> int:
        """From 1 to `up_to` minor units: all of it, a part, or a single one."""
        return self.random.choice((up_to, max(1, up_to // 2), self.random.randint(1, up_to), 1))
