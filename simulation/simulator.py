"""The run: step after step, somebody does something, and somebody else or the machinery comes in between.

One seed is one run, to the last entry's hash: all chance is the world's `Random`, all time its clock. The adversary is
`arm` and `unrest`; how an attempt may end, and what its caller does then, is `perform`.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from remit.domain.errors import (
    ConflictError,
    GatewayFailedError,
    IdempotencyKeyReusedError,
    LedgerBrokenError,
    RemitError,
    TransientError,
)
from remit.domain.journal import JournalEntry
from remit.domain.messages import Message, MessageStatus
from remit.usecases.idempotency import ATTEMPTS, Answer
from simulation.calendar import jump
from simulation.invariants import check_step, check_subledger, check_transaction, check_whole
from simulation.model import Transaction
from simulation.operations import (
    accounts,
    crediting,
    dunning,
    events,
    gateway,
    invoices,
    late_charges,
    orders,
    payments,
    proofs,
    refunds,
    schedules,
    subscriptions,
    wallet,
)
from simulation.operations.events import delivery
from simulation.operations.proofs import proof_of, replay_of
from simulation.operations.table import OPERATIONS, expect
from simulation.world import Attempt, InvariantError, World, answer_in
from tests.fakes import Fault, MachineDiedError, no_waiting

KEY_KEPT = timedelta(days=29)
"""Callers repeat a request for less than the 30 days that its key is kept."""

FULL_CHECK_EVERY = 1_000
PROVED_AT_ONCE = 100
"""How many customers are replayed in one full check, those first that have waited longest; so a step costs the same however many
there are. In the end all of them are."""
KINDS = (
    accounts, crediting, dunning, events, gateway, invoices, late_charges, orders, payments, proofs, refunds, schedules,
    subscriptions, wallet,
)  # fmt: skip
"""The modules that fill the table of operations."""

LINES_KEPT = 40
ANSWERS_KEPT = 300


@dataclass(frozen=True, slots=True)
class Answered:
    attempt: Attempt
    answer: Any


@dataclass
class Simulation:
    """One run of one seed. `story` has the last lines of what happened; `trace` gets every line, and `progress` the count of
    steps at intervals."""

    seed: int
    trace: Callable[[str], None] | None = None
    progress: Callable[[int], None] = lambda _: None
    story: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    counts: Counter[str] = field(default_factory=Counter)
    step: int = 0

    def __post_init__(self) -> None:
        self.world = World(Random(self.seed), self._committed)
        self.digest = hashlib.sha256()
        self._unanswered: deque[Attempt] = deque()
        self._answered: deque[Answered] = deque(maxlen=ANSWERS_KEPT)
        self._keys = 0
        self._proved: dict[str, int] = {}
        self._lag = ExitStack()
        self._lags_until = 0
        self._lag_pauses = 0
        self._quiet = False
        self._weights = [operation.weight for operation in OPERATIONS]

    # ---- The run

    def run(self, steps: int) -> None:
        """Take so many steps, and check everything at intervals and at the end. `InvariantError` at the first fault."""
        with no_waiting(self._pause):
            while self.step < steps:
                self.step += 1
                self._unrest()
                self._take_step()
                check_step(self.world)
                if self.step % FULL_CHECK_EVERY == 0:
                    self.check_everything()
                    self.progress(self.step)
            self.check_everything(all_customers=True)

    def _take_step(self) -> None:
        if self._unanswered and self.world.sometimes(0.2):
            self._ask_again(disturbed=self.world.sometimes(0.3))
        elif self._answered and self.world.sometimes(0.06):
            self._repeat()
        else:
            self._perform(self._choose(), disturbed=self.world.sometimes(0.3))

    def _choose(self) -> Attempt:
        """Any operation that there is something to do for; opening an account always is one."""
        while True:
            (operation,) = self.world.random.choices(OPERATIONS, self._weights)
            self.world.chosen = None
            attempt = operation.choose(self.world)
            if attempt:
                self.counts[operation.name] += 1
                return self._named(attempt)

    def _named(self, attempt: Attempt) -> Attempt:
        """With its key, a new one unless the world has named it."""
        self._keys += 1
        return replace(attempt, key=attempt.key or f"key-{self._keys}", made_at=self.world.clock.now())

    # ---- One attempt

    def _perform(self, attempt: Attempt, *, disturbed: bool = False, again: str = "") -> None:
        """Ask Remit for it, and see how that ends. An end without an answer is no end: the caller asks again later."""
        world = self.world
        before = (attempt.kind, attempt.key) in world.model.guards
        with self._trouble(disturbed) as troubled, self._asking(attempt):
            try:
                answer = answer_in(attempt.call(attempt.request()))
            except (MachineDiedError, TransientError, ConflictError) as failure:
                self._tell(attempt, again, f"no answer: {_word(failure)}")
                self._expect_legal(attempt, failure, troubled)
                if attempt.kind == "idempotency":
                    self._unanswered.append(attempt)
                return
            except LedgerBrokenError as broken:
                self._tell(attempt, again, "while this was done:")
                raise InvariantError("the ledger is never broken", str(broken)) from broken
            except RemitError as refusal:
                self._tell(attempt, again, f"refused: {refusal.code}")
                self._check_refusal(attempt, refusal)
                return
            except InvariantError:
                self._tell(attempt, again, "while this was done:")
                raise
            except Exception as error:
                self._tell(attempt, again, f"{type(error).__name__}")
                raise InvariantError("only errors on purpose", f"{type(error).__name__}: {error}") from error
        self._tell(attempt, again, "the same answer again" if isinstance(answer, Answer) and answer.replayed else "done")
        if isinstance(answer, Answer) and attempt.kind:
            self._check_answer(attempt, answer, before)
        attempt.note(answer)

    @contextmanager
    def _asking(self, attempt: Attempt) -> Iterator[None]:
        self.world.asking.append(attempt)
        self.world.attempts += 1
        try:
            yield
        finally:
            self.world.asking.pop()

    def _check_answer(self, attempt: Attempt, answer: Answer, known_before: bool) -> None:
        known = (attempt.kind, attempt.key) in self.world.model.guards
        expect("what was answered was done", known, f"{attempt.says}: the answer is {answer.body}, but nothing was stored")
        if known_before:
            expect("one effect per idempotency key", answer.replayed, f"{attempt.says} was done again")
        self._answered.append(Answered(attempt, answer.body))

    def _check_refusal(self, attempt: Attempt, refusal: RemitError) -> None:
        expect("a refusal is one that the operation may give", refusal.code in attempt.may_refuse, f"{attempt.says}: {refusal}")
        done = (attempt.kind, attempt.key) in self.world.model.guards and refusal.code not in CHECKED_AFTER_THE_DEED
        expect("what was refused was not done", not done, f"{attempt.says}: {refusal}, yet it was done")

    def _expect_legal(self, attempt: Attempt, failure: BaseException, troubled: bool) -> None:
        excused = troubled or (isinstance(failure, RemitError) and failure.code in attempt.may_refuse)
        expect("no failure without a cause", excused, f"{attempt.says}: {_word(failure)}, and nothing was in its way")

    # ---- What callers do again

    def _ask_again(self, *, disturbed: bool) -> None:
        """A request that nobody has answered yet: the same key, the same body."""
        attempt = self._unanswered.popleft()
        self.world.chosen = None
        if self.world.clock.now() - attempt.made_at < KEY_KEPT:
            self._perform(attempt, disturbed=disturbed, again="asked again: ")

    def _repeat(self) -> None:
        """A request that was answered: the same again gets the same answer, the same key with another body is refused."""
        known = self.world.random.choice(self._answered)
        attempt = known.attempt
        if attempt.kind == "idempotency" and self.world.clock.now() - attempt.made_at >= KEY_KEPT:
            return
        other_body = self.world.sometimes(0.3)
        request = attempt.request({"another": "body"} if other_body else None)
        entries = self.world.model.entries
        try:
            with self._asking(attempt):
                answer = answer_in(attempt.call(request))
        except IdempotencyKeyReusedError as refusal:
            self._tell(attempt, "same key, other body: " if other_body else "repeated: ", f"refused: {refusal.code}")
            expect("the same request gets the same answer", other_body, f"{attempt.says}: {refusal}")
        except RemitError as refusal:
            self._tell(attempt, "repeated: ", f"refused: {refusal.code}")
            expect("the same request gets the same answer", refusal.code in CHECKED_AFTER_THE_DEED, f"{attempt.says}: {refusal}")
        else:
            self._tell(attempt, "repeated: ", "the same answer again")
            expect("a key with another body is refused", not other_body, attempt.says)
            same = answer.replayed and answer.body == known.answer
            expect("the same request gets the same answer", same, f"{attempt.says}: {known.answer}, then {answer.body}")
        expect("one effect per idempotency key", self.world.model.entries == entries, f"{attempt.says} was posted again")

    # ---- The adversary

    @contextmanager
    def _trouble(self, disturbed: bool) -> Iterator[bool]:
        """Inside, what may go wrong with one attempt goes wrong; whether anything was planned is given."""
        world = self.world
        if not disturbed:
            yield world.books.is_lagging
            return
        about = world.chosen
        world.trouble.steps.clear()
        right_time = world.clock.now()
        world.random.choice(MISCHIEF)(self, about)
        try:
            yield True
        finally:
            world.trouble.clear()
            world.clock.set(max(right_time, world.clock.now()))

    def fault(self, _about: str | None) -> None:
        """The machinery fails at one of the next steps, or at two of them."""
        random = self.world.random
        for _ in range(random.choice((1, 1, 2))):
            fault = random.choice(tuple(Fault))
            at = random.choice((1, 1, 1, 2, 3))
            self.world.trouble.strike(fault, at=at)
            self._line(f"    trouble ahead: {fault.value} at step {at}")

    def storm(self, _about: str | None) -> None:
        """The store is busy for longer than anybody tries."""
        for at in range(1, ATTEMPTS + 1):
            self.world.trouble.strike(Fault.THROTTLE, on="commit", at=at)
        self._line("    trouble ahead: the store is busy for long")

    def gateway_fails(self, _about: str | None) -> None:
        self.world.trouble.strike(GatewayFailedError("gateway_failed", "The payment gateway failed. Try again."), on="checkout")

    def somebody_else(self, about: str | None) -> None:
        """Another machine does something, mostly with the same customer, just before this one reads or writes."""
        random = self.world.random

        def meanwhile() -> None:
            self.world.focus = about
            try:
                attempt = self._choose()
                self._line("    meanwhile:")
                self._perform(attempt)
            finally:
                self.world.focus = None

        for _ in range(random.choice((1, 1, 2))):
            step = random.choice(("load", "commit", "commit", "commit", "checkout", "send"))
            self.world.trouble.meanwhile(meanwhile, on=step, at=random.choice((1, 1, 2)))

    def clock_is_off(self, _about: str | None) -> None:
        """This machine's clock is some seconds slow or fast."""
        self.world.clock.advance(seconds=self.world.random.uniform(-5, 0))

    def _unrest(self) -> None:
        """Between steps: time passes, and jumps to where calendars are difficult; indexes fall behind and catch up."""
        world = self.world
        if world.books.is_lagging and self.step >= self._lags_until:
            self._lag.close()
        if not world.books.is_lagging and world.sometimes(0.02):
            self._lag.enter_context(world.books.lagging())
            self._lags_until = self.step + world.random.randint(1, 12)
            self._lag_pauses = world.random.randint(1, 3)
            self._line("    the indexes fall behind")
        month = world.today.month
        if world.sometimes(0.003):
            world.clock.set(jump(world.random, world.clock.now(), world.firm.time_zone))
            self._line(f"    the clock jumps to {world.clock.now():%Y-%m-%d %H:%M:%S} UTC")
        else:
            world.clock.advance(seconds=world.random.uniform(0, 600))
        if world.today.month != month:
            world.books.expire_guards(world.clock.now())
            world.model.forget_expired(world.clock.now())

    def _pause(self) -> None:
        """Somebody waits before trying again: an index that is behind catches up meanwhile, if not with the first pause."""
        self._lag_pauses -= 1
        if self.world.books.is_lagging and self._lag_pauses <= 0:
            self._lag.close()

    # ---- Watching

    def _committed(self, transaction: Transaction) -> None:
        asking = self.world.asking[-1] if self.world.asking else None
        transaction = replace(transaction, needs_guard=asking is None or not asking.posts_bare)
        check_transaction(self.world.model, transaction)
        for entry in transaction.all(JournalEntry):
            self.digest.update(f"{entry.id} {entry.hash}\n".encode())
            self.world.unproved[entry.draft.account_id] = None
        for message in transaction.all(Message):
            self.world.claims[message.id] += message.status is MessageStatus.SENDING

    def check_everything(self, *, all_customers: bool = False) -> None:
        """Let every event arrive, every index catch up, and the schedule finish what was left behind; then prove some of what
        changed, or everything at all."""
        self._lag.close()
        while self._unanswered:
            self._ask_again(disturbed=False)
        for batch in orders.unfinished(self.world):
            self._perform(self._named(orders.finishing(self.world, batch)))
        for event in self.world.gateway.deliver_all():
            self._perform(self._named(delivery(self.world, event)))
        if all_customers:
            self.world.unproved.update(dict.fromkeys(self.world.model.customers))
        waiting = list(self.world.unproved)
        proved_now = len(waiting) if all_customers else PROVED_AT_ONCE
        self.world.unproved = dict.fromkeys(waiting[:proved_now])
        self._quiet = True  # hundreds of proofs that hold would push what happened out of the story
        for customer_id in self.world.unproved:
            customer = self.world.model.customers[customer_id]
            for currency in customer.subledgers:
                check_subledger(customer, currency)
            self._perform(replay_of(self.world, customer))
        for name, series in list(self.world.model.series.items()):
            if all_customers or series.last != self._proved.get(name):
                self._perform(proof_of(self.world, name))
                self._proved[name] = series.last
        self._quiet = False
        check_whole(self.world)
        self.world.unproved = dict.fromkeys(waiting[proved_now:])

    def _tell(self, attempt: Attempt, again: str, outcome: str) -> None:
        self.counts[outcome.partition(":")[0]] += 1
        self._line(f"{attempt.by.id}: {again}{attempt.says} → {outcome}")

    def _line(self, text: str) -> None:
        if self._quiet:
            return
        line = f"{self.step:>7} {text}"
        self.story.append(line)
        if self.trace:
            self.trace(line)


CHECKED_AFTER_THE_DEED = frozenset({"invoice_settled", "invoice_void", "attempt_canceled", "gateway_refused"})
"""Refusals of what follows a stored attempt: the page of a payment that is no longer to be made, a capture that came too
late."""

MISCHIEF: tuple[Callable[[Simulation, str | None], None], ...] = (
    *[Simulation.fault] * 6,
    *[Simulation.somebody_else] * 6,
    Simulation.clock_is_off,
    Simulation.gateway_fails,
    Simulation.storm,
)
"""What may be planned against one attempt, the likelier the more often it is named."""


def _word(failure: BaseException) -> str:
    return failure.code if isinstance(failure, RemitError) else "the machine died"
