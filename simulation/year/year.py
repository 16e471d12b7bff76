"""Thirteen months of the sample firm, by the clock of template.yaml: its functions and state machines, and its customers.

Nothing happens here but by a schedule's own time, a customer's noon, or what follows from these at once: the gateway's events,
the table's stream, the event bus. At the end of every day of the firm everything that changed is proved.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from remit.adapters.email.formatting import money_text
from remit.domain.accounts import AutoTopUp, SavedMethod
from remit.domain.errors import RemitError
from remit.domain.invoices import Invoice
from remit.domain.journal import EntryKind, JournalEntry, Side
from remit.domain.late_charges import LateCharge
from remit.domain.messages import Message, MessageStatus
from remit.domain.open_items import OpenItem
from remit.domain.orders import OrderKind
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.subscriptions import SubscriptionEvent
from remit.usecases.saved_methods import MethodReport
from remit.usecases.send_message import LEASE
from simulation.deployment import Deployment, Trigger, environment, state_machines, streams, triggers
from simulation.gateway import Intent, SimulatedGateway
from simulation.invariants import check_step, check_subledger, check_transaction, check_whole
from simulation.model import Transaction
from simulation.operations.events import delivery
from simulation.state_machines.machine import Moment, Status, Step
from simulation.world import InvariantError, World, our_firm
from simulation.year.people import ANCHOR, PEOPLE, POLICIES, SUMMARIES, Person
from simulation.year.schedules import times
from tests.fakes import FakeIds
from tests.support import payments, subscribing, summaries, wallet
from tests.support.builders import ALL_ON, Office
from tests.support.totals import counted, stored

BEGIN, END = date(2027, 12, 1), date(2028, 12, 31)
HOUR = timedelta(hours=1)
PARAMETERS = {"cron(0 3 * * ? *)": "cron(0 3 ? * SUN *)"}
"""The firm has its books audited on Sundays: each night would be most of the time that a simulated year takes. Every change is
proved on its day all the same."""

EVERYDAY = frozenset({EntryKind.PAYMENT_ALLOCATED})
"""Entries that the calendar leaves out."""


class KilledError(BaseException):
    """An execution is gone: somebody pulled the plug."""


class Steady(Random):
    """Chance for those who leave nothing to it: always the middle."""

    def random(self) -> float:
        return 0.5


@dataclass
class IdsByKind(FakeIds):
    """Ids that count up in each kind: one payment more leaves orders and what they are named after as they are."""

    counted: Counter[str] = field(default_factory=Counter)

    def new(self, prefix: str) -> str:
        self.counted[prefix] += 1
        return f"{prefix}_{self.counted[prefix]:026d}"


class ScriptedGateway(SimulatedGateway):
    """The gateway, at which charges go as their customers' script says."""

    script: Callable[[Intent], object]

    def _try(self, intent: Intent) -> None:
        self.script(intent)


@dataclass
class Year:
    """One run. The same seed is the same calendar; with `mischief`, schedules miss, fire twice, and their executions die."""

    seed: int
    begin: date = BEGIN
    end: date = END
    mischief: bool = False
    say: Callable[[str], object] = print
    happenings: list[tuple[datetime, str]] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    runs: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """When each function or machine that a schedule started was done."""

    def __post_init__(self) -> None:
        firm = replace(our_firm(), switches=ALL_ON, dunning_policies=POLICIES)
        self.world = World(Random(self.seed), self._committed, ids=IdsByKind(), firm=firm)
        self.zone = ZoneInfo(firm.time_zone)
        self.clock = self.world.clock
        self.clock.set(self._instant(self.begin, time(0)))
        self._last = self._instant(self.end + timedelta(days=1), time(0))
        self.gateway = ScriptedGateway(self.clock, self.world.trouble, random=Steady(), booked=self.world.gateway.booked)
        self.gateway.script = self._charged
        self.world.gateway = self.gateway
        self.office = Office(firm, self.world.trouble, self.clock, self.world.ids, self.world.letters)
        self.office.books, self.office.mailer, self.office.gateway = self.world.books, self.world.mailer, self.gateway
        self.world.books.on_stream = lambda records: self._records.extend(records)
        self.stack = Deployment(self.world)
        self.accounts: dict[str, str] = {}
        self.subscriptions: dict[str, str] = {}
        self._schedules: dict[str, str] = {}
        self._records: list[dict[str, Any]] = []
        self._agenda: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()
        self._asked = False
        self._failed: set[str] = set()
        self._months: dict[str, Counter[str]] = defaultdict(Counter)

    # ---- The run

    def run(self) -> None:
        """From the first midnight to the last. `InvariantError` at the first thing that does not hold."""
        with environment():
            self.world.books.commit([self.world.firm])
            self._person(self._prepares)
            for name, person in PEOPLE.items():
                self._person(partial(self._opens, name, person))
            self._plan_all()
            while self._agenda:
                at, _, act = heapq.heappop(self._agenda)
                self.clock.set(max(at, self.clock.now()))
                self._do(act)
            self._check_totals()

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except RemitError as refusal:
            raise InvariantError("nobody is refused what the script says", str(refusal)) from refusal

    def _plan_all(self) -> None:
        for trigger in triggers():
            zone = self.zone if trigger.in_firms_zone else ZoneInfo("UTC")
            expression = PARAMETERS.get(trigger.expression, trigger.expression)
            self._plan(times(expression, zone, self.clock.now(), at_least=HOUR), partial(self._fire, trigger))
        self._plan(self._daily(self.zone, time(9)), lambda: self._person(self._bills))
        for name in sorted({person.zone for person in PEOPLE.values()}):
            self._plan(self._daily(ZoneInfo(name), time(12)), partial(self._person, partial(self._noon, name)))
        self._plan(self._daily(self.zone, time(23, 59)), self._ends_day)

    def _plan(self, moments: Iterator[datetime], act: Callable[[], object]) -> None:
        """Do it at the next of these moments, and plan the one after that."""

        def act_and_plan() -> None:
            act()
            self._plan(moments, act)

        self._at(next(moments), act_and_plan)

    def _at(self, at: datetime, act: Callable[[], object]) -> None:
        """Do it then, unless that is after the end."""
        if at < self._last:
            heapq.heappush(self._agenda, (at, next(self._order), act))

    def _daily(self, zone: ZoneInfo, at: time) -> Iterator[datetime]:
        return times(f"cron({at.minute} {at.hour} * * ? *)", zone, self.clock.now())

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    # ---- Machinery

    def _fire(self, trigger: Trigger) -> None:
        """What the schedule starts; with mischief sometimes not, sometimes twice, and sometimes it dies on the way."""
        fate = self._fate(trigger)
        self.fired[fate] += 1
        if fate == "dies":
            self._dies(trigger)
        for _ in range({"missed": 0, "twice": 2}.get(fate, 1)):
            self._starts(trigger)

    def _fate(self, trigger: Trigger) -> str:
        if not self.mischief:
            return "fires"
        roll = self.chance("fate", trigger.name, self.clock.now().isoformat()).random()
        if roll < 0.1 and trigger.name != "AccountingExport":  # a month that is not exported is asked for by hand
            return "missed"
        return "twice" if roll < 0.2 else "dies" if roll < 0.3 and trigger.name in state_machines() else "fires"

    def _starts(self, trigger: Trigger, **how: Any) -> None:
        if trigger.name in state_machines():
            name = f"{trigger.name}-{self.clock.now():%Y%m%dT%H%M}-{next(self._order)}"
            ended = self.stack.execute(trigger.name, trigger.given, name=name, wait=self._wait, **how)
            if ended.status is Status.FAILED:
                raise InvariantError("every execution succeeds", f"{name}: {ended.error}: {ended.cause}")
        else:
            answer = self.stack.call(trigger.name, trigger.given)
            if answer.get("failed"):
                raise InvariantError("nothing that is due fails", f"{trigger.name}: {answer}")
        self.runs[trigger.name].append(self.clock.now())
        self._settle()

    def _dies(self, trigger: Trigger) -> None:
        """The execution stops after one of its first steps; somebody starts another when its claims are over."""
        last = self.chance("dies", trigger.name, self.clock.now().isoformat()).randint(1, 8)

        def kill(step: Step, moment: Moment) -> None:
            if step.number == last and moment is Moment.AFTER:
                raise KilledError

        try:
            self._starts(trigger, watch=kill)
        except KilledError:
            self._settle()
        self.clock.set(self.clock.now() + LEASE)

    def _wait(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def _settle(self) -> None:
        """The gateway's events arrive, the stream is read, the bus delivers, until nothing new comes of it."""
        while self.gateway.travelling or self._records:
            for event in self.gateway.deliver_now():
                attempt = delivery(self.world, event)
                attempt.call(attempt.request())
            records, self._records = self._records, []
            for function, types in streams():
                wanted = [record for record in records if record["dynamodb"]["NewImage"]["type"]["S"] in types]
                if wanted:
                    self.stack.call(function, {"Records": wanted})
            self.stack.deliver_events()

    # ---- People

    def today_of(self, account_id: str) -> date:
        return self.clock.now().astimezone(ZoneInfo(self._of(account_id).zone)).date()

    def chance(self, *fact: object) -> Random:
        return Random("/".join(map(str, (self.seed, *fact))))

    def later(self, days: int, act: Callable[[], object]) -> None:
        self._at(self.clock.now() + timedelta(days=days), lambda: self._person(act))

    def _person(self, act: Callable[[], object]) -> None:
        """Somebody asks for something, so that each entry that comes of it has its guard."""
        self._asked = True
        act()
        self._asked = False
        self._settle()

    def _of(self, account_id: str) -> Person:
        return PEOPLE[self.accounts[account_id]]

    def _prepares(self) -> None:
        """What the firm has set up before its first customer."""
        subscribing.plan(self.office, "monthly", 4_900)
        self._schedules = {name: summaries.create(self.office, wish) for name, wish in SUMMARIES.items()}

    def _opens(self, name: str, person: Person) -> None:
        opens: Callable[..., str] = wallet.prepaid_account if person.wallet else Office.open_account
        about = {"name": name, "email": "ap@customer.example", "default_term_id": person.term, "time_zone": person.zone}
        account_id = opens(self.office, **about)
        self.accounts[account_id] = name
        if person.policy:
            self.office.change_account(account_id, dunning_policy_id=person.policy)
        if person.method:
            method = f"pm_{len(self.accounts)}"
            self.gateway.methods[method] = SavedMethod(method, "stripe", person.method, "4242", self.clock.now(), "2031-01")
            self.gateway.saved[method] = MethodReport(account_id, method, f"cus_{account_id}", self.clock.now())
            payments.saves(self.office, account_id, method)
            payments.collects_automatically(self.office, account_id)
        if person.wallet:
            self.office.change_account(account_id, auto_top_up=AutoTopUp("EUR", 5_000, 2_500, 20_000))
            wallet.pay_in(self.office, account_id, 5_000)
        if person.subscribed:
            self.subscriptions[account_id] = subscribing.subscribe(self.office, account_id, "monthly", anchor=ANCHOR)
        for schedule in person.summaries:
            summaries.enrol(self.office, account_id, self._schedules[schedule])

    def _bills(self) -> None:
        today = self.world.today
        for account_id, name in self.accounts.items():
            person = PEOPLE[name]
            if person.bills(today):
                minor = person.minor + self.chance(name, today).randrange(0, 500, 5)
                if person.wallet:
                    wallet.charge(self.office, account_id, minor)
                else:
                    self.office.invoice(account_id, minor, term=person.term)
            if act := person.acts.get(today):
                act(self, account_id, self.subscriptions[account_id])

    def _noon(self, zone: str) -> None:
        for account_id in [each for each in self.accounts if self._of(each).zone == zone]:
            person = self._of(account_id)
            for item in self.world.books.open_items(account_id):
                (person.pays_charges if item.kind is OrderKind.LATE_CHARGE else person.pays)(self, item)

    def _charged(self, intent: Intent) -> None:
        charged = self._of(intent.payment.account_id).charged
        if charged is None:
            raise InvariantError("who is charged has agreed to it", f"{intent.payment.id} charges {intent.payment.account_id}")
        charged(self, intent)

    # ---- Watching

    def _committed(self, transaction: Transaction) -> None:
        check_transaction(self.world.model, replace(transaction, needs_guard=self._asked))
        for thing in (write.thing for write in transaction.writes):
            if isinstance(thing, JournalEntry):
                self.world.unproved[thing.draft.account_id] = None
                self._entry(thing)
            elif isinstance(thing, Message):
                self.world.claims[thing.id] += thing.status is MessageStatus.SENDING
                if thing.status is not MessageStatus.SENDING:
                    self._note(thing.account_id, f"e-mail {thing.template}{' refused' if thing.failure else ''}", "e-mails")
            elif isinstance(thing, SubscriptionEvent):
                words = str(thing.kind).replace("_", " ")
                self._note(thing.account_id, words, words)
            elif isinstance(thing, Payment) and thing.status is PaymentStatus.FAILED and thing.id not in self._failed:
                self._failed.add(thing.id)
                amount = money_text(thing.amount_minor, thing.currency)
                self._note(thing.account_id, f"charge of {amount} failed: {thing.failure}", "failed charges")

    def _entry(self, entry: JournalEntry) -> None:
        draft = entry.draft
        if draft.kind in EVERYDAY:
            return
        debits: Counter[str] = Counter()
        for posting in draft.postings:
            debits[posting.account] += posting.amount_minor if posting.side is Side.DEBIT else 0
        amount = max(debits.values())  # one thing seen from two sides is not twice the money
        known = self.world.model.customer(draft.account_id).things.get(Invoice, {})
        invoices = [known[id] for id in draft.documents.get("invoice", ()) if id in known]
        charge = invoices[0].late_charge if draft.kind is EntryKind.INVOICE_ISSUED else None
        words = "late charge issued" if charge else str(draft.kind).replace("_", " ")
        told = [words, money_text(amount, draft.currency), *(invoice.number for invoice in invoices)]
        self._note(draft.account_id, " ".join([*told, _about(charge)] if charge else told), words, amount)

    def _note(self, account_id: str, text: str, what: str, amount_minor: int = 0) -> None:
        self.happenings.append((self.clock.now(), f"{self.accounts.get(account_id, 'a new customer')}: {text}"))
        month = self._months[f"{self.world.today:%Y-%m}"]
        month[what] += 1
        month[f"{what}, minor"] += amount_minor

    def _ends_day(self) -> None:
        """Prove what changed today, and tell of the day."""
        for account_id in self.world.unproved:
            for currency in self.world.model.customers[account_id].subledgers:
                check_subledger(self.world.model.customers[account_id], currency)
            differences = self.office.differences(account_id)
            if differences:
                raise InvariantError("the books explain themselves", str(differences[0]))
        check_step(self.world)
        check_whole(self.world)
        if self.stack.dead_letters:
            raise InvariantError("nothing is given up on", str(self.stack.dead_letters))
        self.world.unproved.clear()
        for line in self._calendar():
            self.say(line)
        if (self.world.today + timedelta(days=1)).day == 1:
            self.world.books.expire_guards(self.clock.now())
            self.world.model.forget_expired(self.clock.now())
            self.say(self._month())

    def _check_totals(self) -> None:
        entries = self.world.books.all(JournalEntry)
        if stored(self.world.books) != counted(entries):
            raise InvariantError("the firm's totals are the sum of its entries", f"after {len(entries)} entries")

    # ---- Telling

    def _calendar(self) -> Iterator[str]:
        """`2028-02-29 Tue  09:00  Silent Ltd: invoice issued EUR 665.50 INV-2028-000031`, once for each thing of the day."""
        lines = [f"       {text}" for text in self._of_the_day()]
        lines += [f"{at.astimezone(self.zone):%H:%M}  {text}{self._elsewhere(at, text)}" for at, text in self.happenings]
        self.happenings.clear()
        for n, line in enumerate(lines):
            yield (f"{self.world.today:%Y-%m-%d %a}  " if n == 0 else " " * 16) + line

    def _elsewhere(self, at: datetime, text: str) -> str:
        person = PEOPLE.get(text.partition(":")[0])
        other = ZoneInfo(person.zone) if person else self.zone
        return (
            "" if other == self.zone else f"  ({at.astimezone(other):%H:%M} in {other.key.partition('/')[2].replace('_', ' ')})"
        )

    def _of_the_day(self) -> Iterator[str]:
        if (self.world.today.month, self.world.today.day) == (2, 29):
            yield "the leap day"
        for name in sorted({person.zone for person in PEOPLE.values()}):
            zone = ZoneInfo(name)
            midnights = [datetime.combine(self.world.today + timedelta(days=n), time(0), zone).astimezone(UTC) for n in (0, 1)]
            hours = round((midnights[1] - midnights[0]) / HOUR)
            if hours != 24:
                yield f"this day has {hours} hours in {name}"

    def _month(self) -> str:
        month = f"{self.world.today:%Y-%m}"
        figures = self._months[month]
        told = [
            f"{name} {figures[name]}"
            + (f" ({money_text(figures[f'{name}, minor'], 'EUR')})" if figures[f"{name}, minor"] else "")
            for name in sorted(figures)
            if not name.endswith(", minor")
        ]
        owed = sum(item.open_minor for item in self.all(OpenItem))
        return f"---- {month}: {'; '.join(told)}; open at the end {money_text(owed, 'EUR')}\n"

    def table(self) -> str:
        """What came of it, by customer."""
        figures = (
            f"{'invoiced':>14} {'late charges':>13} {'open':>14} {'credit':>12} {'invoices':>8} {'e-mails':>8} {'failed':>6}"
        )
        head = f"{'customer':<18} {'':<36} {figures}"
        return "\n".join([head, *(self._row(account_id, name) for account_id, name in self.accounts.items())])

    def _row(self, account_id: str, name: str) -> str:
        customer = self.world.model.customers[account_id]
        items, balance = customer.all(OpenItem), customer.balances.get("EUR")
        charges = [item for item in items if item.kind is OrderKind.LATE_CHARGE]
        charged = sum(item.total_minor for item in charges)
        invoiced = money_text(sum(item.total_minor for item in items) - charged, "EUR")
        late, count = money_text(charged, "EUR"), len(items) - len(charges)
        owed = money_text(balance.receivable_minor if balance else 0, "EUR")
        credit = money_text(balance.credit_minor + balance.prepaid_minor if balance else 0, "EUR")
        mails = sum(message.status is MessageStatus.SENT for message in customer.all(Message))
        failed = sum(payment.status is PaymentStatus.FAILED for payment in customer.all(Payment))
        says = f"{PEOPLE[name].says}"
        return f"{name:<18} {says:<36} {invoiced:>14} {late:>13} {owed:>14} {credit:>12} {count:>8} {mails:>8} {failed:>6}"

    def all[T](self, type: type[T]) -> list[T]:
        """Everything of a class, of all customers."""
        return [thing for customer in self.world.model.customers.values() for thing in customer.all(type)]


def _about(charge: LateCharge) -> str:
    """`for INV-2028-000031: late fee EUR 40.00, interest EUR 2.65 through 03-14`."""
    told = [f"late fee {money_text(charge.fee_minor, charge.currency)}"] if charge.fees else []
    if charge.periods:
        told.append(f"interest {money_text(charge.interest_minor, charge.currency)} through {charge.through:%m-%d}")
    return f"for {charge.number}: {', '.join(told)}"
