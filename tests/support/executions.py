"""What each state machine is run over in the tests that kill it, and what must come of it however often it was killed.

A new state machine is a row of `SCENARIOS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from remit.domain.accounts import Account
from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy
from remit.domain.dunning_trials import PolicyTrial, TrialTerms
from remit.domain.invoices import Invoice
from remit.domain.journal import JournalEntry
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.plans import Interval, Unit
from remit.domain.subscriptions import Subscription, When
from remit.domain.totals import ChainMark, Totals, TotalsGenerations
from remit.usecases.idempotency import Request
from remit.usecases.project_entries import generations_of
from remit.usecases.summary_enrolments import plan_enrolments
from remit.usecases.try_policy_on_all import request_trial
from simulation.deployment import Deployment, state_machines
from simulation.state_machines.language import StatesError
from simulation.state_machines.machine import Execution, Tasks
from tests.fakes import FakeClock, FakeIds, MachineDiedError, thing_of
from tests.support import collection, subscribing, summaries
from tests.support.builders import LONG_AGO, NOW, ON_RECEIPT, TODAY, Office, firm, plain
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
    wait: dict[str, Any] = {"wait": lambda seconds: clock.advance(seconds=seconds)}
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
    return Deployment(office)


def dunned(stack: Deployment) -> Any:
    told = {(mail.to, mail.subject) for mail in stack.office.mailer.sent}
    statuses = {message.id: message.status for message in stack.office.books.all(Message)}
    return told, statuses, facts(stack)


# ---- Account summaries

EIGHT = datetime(2026, 3, 3, 7, tzinfo=UTC)
"""The morning after `NOW` in Amsterdam."""


def told_at_eight() -> Deployment:
    """Five customers with an invoice at eight in the morning: three get what is open, of whom one owes nothing more, two what
    was posted lately, one both, one nothing any more. The first schedule was made to run earlier since; pages of two."""
    office = summaries.summary_office()
    everything = summaries.create(office, summaries.wish("0 9 * * *"))
    lately = summaries.create(office, summaries.wish("0 8 * * *", summaries.RECENT))
    customers = [office.open_account(email=f"{n}@customer.example") for n in range(5)]
    for account_id in customers:
        office.invoice(account_id)
    for account_id, schedules in zip(
        customers, ([everything], [everything], [everything, lately], [lately], [lately]), strict=True
    ):
        for schedule_id in schedules:
            summaries.enrol(office, account_id, schedule_id)
    summaries.withdraw(office, customers[4], lately)
    office.receive(customers[1], 12100, oldest_first=True)
    office.receive(customers[3], 100, oldest_first=True)
    office.clock.advance(seconds=60)
    summaries.change(office, everything, summaries.wish("0 8 * * *"))
    office.invoice(customers[2], 700, currency="USD")
    office.clock.set(EIGHT)
    stack = Deployment(office)
    stack.module("summaries").PAGE = 2
    stack.module("summaries").plan_enrolments = partial(plan_enrolments, limit=2)
    return stack


def summarised(stack: Deployment) -> Any:
    told = {(mail.to, mail.subject) for mail in stack.office.mailer.sent}
    statuses = {message.id: message.status for message in stack.office.books.all(Message)}
    return told, statuses, facts(stack)


# ---- Subscriptions and collection

CARDS = {"pm_soft": collection.SOFT, "pm_hard": collection.HARD}
"""Saved method → how the bank declines it; any other brings the money."""


def subscribers() -> Deployment:
    """On 2 March, what began on 31 January and was not looked at since: subscriptions by the month, and one by two days, which
    is further behind than is billed at a time; one is paused, one canceled, one refused, since its plan's term is gone. Cards are
    good, declined for now, declined for good, or there are none. An older invoice is due as well; pages of two."""
    office = Office(clock=FakeClock(NOW - timedelta(days=30)))
    office.gateway.outcomes |= CARDS
    monthly = subscribing.plan(office, "monthly", term_id="on_receipt")
    often = subscribing.plan(office, "often", 500, Interval(2, Unit.DAY), term_id="on_receipt")
    refused = subscribing.plan(office, "refused", term_id="no_cards")
    good, soft, hard = (collection.collecting(office, method) for method in ("pm_good", "pm_soft", "pm_hard"))
    paused, canceled, behind = (office.open_account() for _ in range(3))
    office.invoice(good, 700, term="on_receipt")
    for account_id in (good, soft, hard):
        subscribing.subscribe(office, account_id, monthly)
    on_hold = subscribing.subscribe(office, paused, monthly)
    ending = subscribing.subscribe(office, canceled, monthly)
    subscribing.subscribe(office, behind, often, periods=14)
    subscribing.subscribe(office, good, refused)
    subscribing.pause(office, paused, on_hold)
    subscribing.cancel(office, canceled, ending, When.PERIOD_END)
    office.firm = firm(terms={"on_receipt": ON_RECEIPT})
    office.clock.set(NOW)
    stack = Deployment(office)
    stack.module("recurring_payments").PAGE = 2
    return stack


def renewed_and_charged(stack: Deployment) -> Any:
    """What is billed and owed, what each invoice was charged and with which result, and every entry of it; S4 holds.

    Ten days later, on each of which the schedules ran: a charge of which nobody knows whether the gateway was asked is cleared up
    by the agenda, and made the next day if it was not. It uses up no try, and its id is its own: the ids of payments are left
    out, and how often a card was declined for now.
    """
    office, books = stack.office, stack.office.books
    for day in range(1, 11):
        office.clock.set(NOW + timedelta(days=day))
        stack.call("AgendaFunction", {})
        execute(stack, "RecurringPayments", f"day-{day}")
    payments = [payment for payment in books.all(Payment) if payment.status is not PaymentStatus.CANCELED]
    for item in books.all(OpenItem):
        collection.keeps_its_promises(office, item.invoice_id)
    return (
        sorted(invoice.number for invoice in books.all(Invoice)),
        sorted((each.id, each.total_minor) for each in books.all(Invoice)),
        sorted((each.invoice_id, each.open_minor, each.status, str(each.subscription)) for each in books.all(OpenItem)),
        sorted({(each.intended[0].invoice_id, each.amount_minor, each.status) for each in payments}),
        sorted(office.gateway.charged) == sorted(each.id for each in payments),
        sorted((e.draft.account_id, e.draft.kind, *_moved(e)) for e in books.all(JournalEntry)),
        sorted((each.id, each.next_period, plain(each.phases)) for each in books.all(Subscription)),
        [office.differences(account.id) for account in books.all(Account)],
    )


def _moved(entry: JournalEntry) -> list[tuple[str, str, int]]:
    return [(posting.account, posting.side, posting.amount_minor) for posting in entry.draft.postings]


# ---- Trials of dunning policies

TRIAL_ID = FakeIds().new("ptr")


def asked_to_try() -> Deployment:
    """Five debtors, whose past a policy is to be tried on."""
    stack = debtors()
    office = stack.office
    ask: Request[PolicyTrial] = office.request("trial")
    terms = TrialTerms(DunningPolicy(id="proposed"), TODAY, office.firm.today(office.clock.now()))
    request_trial(terms, ask, office.firm, office.books, office.clock, FakeIds())
    return stack


def tried(stack: Deployment) -> Any:
    return stack.files.files, facts(stack)


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


SCENARIOS: Mapping[str, Scenario] = {
    "Dunning": Scenario({}, debtors, dunned),
    "AccountSummaries": Scenario({}, told_at_eight, summarised),
    "RecurringPayments": Scenario({}, subscribers, renewed_and_charged),
    "PolicyTrial": Scenario({"trial_id": TRIAL_ID}, asked_to_try, tried),
    "AccountingExport": Scenario({"period": "previous"}, busy, exported),
    "Auditor": Scenario({}, busy, audited),
    "TotalsRebuild": Scenario({"replace": True}, busy, rebuilt),
}
"""The template's machine → what it is run over."""
