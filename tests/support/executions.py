"""What each state machine is run over in the tests that kill it, and what must come of it however often it was killed.

A new state machine is a row of `SCENARIOS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy, Tier
from remit.domain.dunning_trials import PolicyTrial, TrialTerms
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.domain.subscriptions import Subscription
from remit.domain.totals import ChainMark, Totals, TotalsGenerations
from remit.usecases.project_entries import generations_of
from simulation.deployment import Deployment, state_machines
from simulation.state_machines.language import StatesError
from simulation.state_machines.machine import Execution, Tasks
from tests.fakes import MachineDiedError, thing_of
from tests.support import collection, summaries
from tests.support import subscribing as sub
from tests.support.builders import CLERK, LONG_AGO, TODAY, Office, firm, plain
from tests.support.totals import stored

PASSING = ("requested_at", "claimed_at", "sent_at", "finished_at", "provider_id", "version")
"""What a thing may have otherwise when the work was done in two attempts: when, and how often it was written."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An office in which the machine has something to do, its input, and all that its work is to bring about."""

    given: dict[str, Any]
    deployed: Callable[[], Deployment]
    outcome: Callable[[Deployment], Any]


def execute(stack: Deployment, machine: str, name: str = "first", tasks: Tasks | None = None, **how: Any) -> Execution:
    """Run the machine's scenario; what waits moves the office's clock."""
    given, clock = SCENARIOS[machine].given, stack.office.clock
    wait = {"wait": lambda seconds: clock.advance(seconds=seconds)}
    return state_machines()[machine].execute(given, tasks or stack.tasks(machine), name=name, **wait, **how)


def mortal(tasks: Tasks) -> Tasks:
    """The tasks, of which Step Functions hears that they died, and no more than that."""

    def reported(task: Callable[..., Any]) -> Callable[..., Any]:
        def call(payload: Any) -> Any:
            try:
                return task(payload)
            except MachineDiedError:
                raise StatesError("Lambda.Unknown", "The function was killed.") from None

        return call

    return {name: reported(task) for name, task in tasks.items()}


def facts(stack: Deployment, *, but: tuple[type, ...] = ()) -> dict[tuple[str, str], Any]:
    """Everything stored, but for `PASSING`, and for things of some classes."""
    things = {key: thing_of(raw) for key, raw in stack.office.books.state().items()}
    kept = {key: plain(thing) for key, thing in things.items() if not isinstance(thing, but)}
    return {key: {name: value for name, value in thing.items() if name not in PASSING} for key, thing in kept.items()}


# ---- Dunning


def debtors() -> Deployment:
    """Five debtors: of one tier and another, in two currencies, one who has paid, one who is not due; pages of two."""
    office = Office(firm=firm(switches={Automation.DUNNING: LONG_AGO}))
    oldest, paid, both, younger, later = (office.open_account(email=f"{n}@customer.example") for n in range(5))
    office.invoice(oldest, term="on_receipt")
    office.invoice(paid, term="on_receipt")
    office.invoice(both, term="on_receipt")
    office.invoice(both, 500, term="on_receipt", currency="USD")
    office.clock.advance(days=11)
    office.receive(paid, 12100, oldest_first=True)
    office.invoice(younger, term="on_receipt")
    office.invoice(later, term="net30")
    office.clock.advance(days=4)
    stack = Deployment(office)
    stack.module("dunning").PAGE = 2
    return stack


def dunned(stack: Deployment) -> Any:
    told = {(mail.to, mail.subject) for mail in stack.office.mailer.sent}
    statuses = {message.id: message.status for message in stack.office.books.all(Message)}
    return told, statuses, facts(stack)


# ---- The month's export, the audit, the totals


def busy() -> Deployment:
    """A firm with invoices, payments and a credit in the month before, in two currencies."""
    office = Office()
    office.books.commit([office.firm])
    accounts = [office.open_account() for _ in range(3)]
    for account_id in accounts:
        office.invoice(account_id)
        office.invoice(account_id, 700, currency="USD")
        office.receive(account_id, 5000, oldest_first=True)
    office.goodwill(accounts[0], 1210)
    office.clock.advance(days=31)
    stack = Deployment(office)
    stack.module("totals_rebuild").PAGE = 2
    return stack


def exported(stack: Deployment) -> Any:
    return stack.files.files, facts(stack)


def proposed() -> Deployment:
    """The same firm, with a stricter policy to be tried on that month."""
    stack = busy()
    policy = DunningPolicy((Tier(1, 1, "dunning_tier_1"),), id="strict")
    terms = TrialTerms(policy, TODAY, TODAY + timedelta(days=31), time(18))
    stack.office.books.commit([PolicyTrial("ptr_1", terms, CLERK, stack.office.clock.now())])
    return stack


def audited(stack: Deployment) -> Any:
    """The files of the newest audit, and the ledger, which it leaves alone."""
    newest = max(key.split("/")[1] for key in stack.files.files)
    own = {key: text for key, text in stack.files.files.items() if key.startswith(f"audits/{newest}/")}
    clock = f'"{stack.office.clock.now().isoformat()}"'
    same = {key.replace(newest, "X"): text.decode().replace(newest, "X").replace(clock, '"T"') for key, text in own.items()}
    return same, stack.office.books.state()


def rebuilt(stack: Deployment) -> Any:
    """The figures that are read, that no other generation is left, and the ledger beside them."""
    books = stack.office.books
    generations = generations_of(books)
    kept = {totals.generation for totals in books.all(Totals)}
    ledger = facts(stack, but=(Totals, TotalsGenerations, ChainMark))
    return stored(books, generations.current), kept == {generations.current}, generations.building, ledger


# ---- Summaries


def enrolled() -> Deployment:
    """Three accounts in a schedule whose slot has come: one owes, one owes nothing, one is asked to be planned anew."""
    office = summaries.summary_office()
    office.books.commit([office.firm])
    owing, nothing, other = (office.open_account(email=f"{n}@customer.example") for n in range(3))
    office.invoice(owing)
    office.invoice(other)
    daily, moved = (summaries.create(office) for _ in range(2))
    summaries.enrol(office, owing, daily)
    summaries.enrol(office, nothing, daily)
    summaries.enrol(office, other, moved)
    summaries.change(office, moved, summaries.wish("30 9 * * *"))
    office.clock.advance(days=1, hours=2)
    return Deployment(office)


def summarised(stack: Deployment) -> Any:
    return {(mail.to, mail.subject) for mail in stack.office.mailer.sent}, facts(stack)


# ---- Renewals and collections


def recurring() -> Deployment:
    """Two customers with a card whose first periods are due, one of them behind by two, and an invoice to collect."""
    office = Office()
    sub.plan(office)
    behind, new = (collection.collecting(office) for _ in range(2))
    office.invoice(behind)
    sub.subscribe(office, behind)
    office.clock.advance(days=31)
    sub.subscribe(office, new)
    return Deployment(office)


def recurred(stack: Deployment) -> Any:
    """What is billed to whom, what is left of it, and which attempts were made: once each, at the gateway too. An attempt whose
    answer was lost is cleared up by the agenda, as always."""
    stack.office.clock.advance(minutes=5)
    stack.call("AgendaFunction", {})
    books, gateway = stack.office.books, stack.office.gateway
    owed = {item.invoice_id: item.open_minor for item in books.all(OpenItem)}
    numbers = sorted(item.number for item in books.all(OpenItem))  # who comes first has the first
    billed = {each.id: (each.next_period, each.due_on) for each in books.all(Subscription)}
    paid = sorted((each.intended, each.amount_minor, each.status, each.collected) for each in books.all(Payment))
    return owed, numbers, billed, paid, len(gateway.charged)


SCENARIOS: Mapping[str, Scenario] = {
    "Dunning": Scenario({}, debtors, dunned),
    "AccountingExport": Scenario({"period": "previous"}, busy, exported),
    "Auditor": Scenario({}, busy, audited),
    "AccountSummaries": Scenario({}, enrolled, summarised),
    "PolicyTrial": Scenario({"trial_id": "ptr_1"}, proposed, exported),
    "RecurringPayments": Scenario({}, recurring, recurred),
    "TotalsRebuild": Scenario({"replace": True}, busy, rebuilt),
}
"""The template's machine → what it is run over."""
