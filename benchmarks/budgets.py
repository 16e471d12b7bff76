"""What every operation costs, measured on the local engine and held to the budgets: `python -m benchmarks.budgets`.

Write and read request units come from the store's own `ReturnConsumedCapacity`, and are computed a second time from the
items by AWS's rules; where the two differ, the run fails. The exit status is 1 when an operation is above its budget.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from random import Random
from string import ascii_letters, digits
from typing import Any
from uuid import uuid4

from benchmarks import month
from benchmarks.metering import Cost, metered
from benchmarks.month import USD_PER_MILLION_RRU, USD_PER_MILLION_WRU
from benchmarks.past import Customer, customer
from local.stack import Stack, running_engine
from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import DynamoBooks
from remit.adapters.dynamodb.export_source import DynamoExportSource
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.dynamodb.mapping import to_record
from remit.adapters.dynamodb.totals import DynamoTotals
from remit.adapters.email.catalogue import asking_letters
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.ids import UlidIds
from remit.adapters.payment_links import PaymentLinks
from remit.domain.accounts import Address, Contact, TaxId
from remit.domain.dunning import DunningPolicy, Reminder, Tier
from remit.domain.journal import JournalEntry
from remit.domain.late_charges import InterestRule, LateChargeRules, LateFee, Rate
from remit.domain.messages import DeliveryEvent, DeliveryKind
from remit.domain.payments import PaymentStatus
from remit.domain.summaries import SummaryContent
from remit.domain.totals import Totals, TotalsKey, TotalsKind, added, quarter
from remit.usecases.collect_invoice import collect_invoice
from remit.usecases.notify import send_invoice, send_receipt
from remit.usecases.ports import AgendaKind, CheckoutPage, guard_ref
from remit.usecases.project_entries import Projector
from remit.usecases.read_totals import ageing
from remit.usecases.replay_account import replay_account
from remit.usecases.report_mail import MailReport, report_mail
from remit.usecases.saved_methods import MethodReport, save_method
from remit.usecases.set_dunning_policy import set_dunning_policy
from tests.fakes import FakeGateway
from tests.integration.ledger import TABLE, adapters_on
from tests.integration.office import CLERK, MONDAY, ONE_LINE, TEN_LINES, Office, SettableClock, report
from tests.integration.state import write_all
from tests.integration.table import recreate_table, table_properties

HISTORY = 1_000
CHECKOUT_ID = "cs_live_a1" + "".join(Random(1).choices(ascii_letters + digits, k=58))  # noqa: S311 - no secret
CHECKOUT_URL = f"https://checkout.stripe.com/c/pay/{CHECKOUT_ID}#fidnandhYHdWcXxpYCc%2FJ2FgY2RwaXEn" + "".join(
    Random(2).choices(ascii_letters + digits, k=330)  # noqa: S311 - no secret
)
"""As long as the gateway's own, and as little to be deflated."""


CARD_ID = "pm_1QxB2pLkdIwHu7ixTz4V0mGc"
LINKS = PaymentLinks([b"k" * 32], "https://pay.northwind.example")


@dataclass(frozen=True)
class Budget:
    """The most that one operation may cost. None: nothing is promised, and the figure is shown for information."""

    wru: float | None = None
    rru: float | None = None
    calls: int | None = None


ISSUE = Budget(16, 2, 2)
ISSUE_IN_A_BATCH = Budget(12, 1)
BATCH, BATCH_CUSTOMERS = 60, 50
"""Invoices in the batch that is measured, and their customers: some have more than one order, as in any month."""
ISSUE_AND_MOVE = Budget(17, 2, 2)
"""An invoice due before all that are open moves the account in the agenda: a moved index key costs two units, where a
first entry costs one and an unchanged one nothing. That is one unit above the budget of issuing, for few invoices."""
WEBHOOK = Budget(16, 4, 3)
WEBHOOK_AGAIN = Budget(0, 1, 1)
CREDIT = Budget(10, 2, 2)
DUNNING = Budget(6, 2)
MAIL, REPORT = Budget(5, 4, 6), Budget(2, 2, 2)
"""A mail is claimed and marked, as a notice is, and reported once; with ten lines in it, it is of two kilobytes."""
SES_ID = "0100018f2c5d7a3e-4b1d9c62-8e0f-4a37-b5d6-2f91c7e08a54-000000"
FORTY_EUROS, TEN_PERCENT = LateFee({"EUR": 4000}), InterestRule((Rate(date(2020, 1, 1), Decimal(10)),))
SUMMARY, TRANSACTIONS, NOTHING_TO_SAY = Budget(6, 4), Budget(7, 6), Budget(3, 4)
"""A mail is claimed and marked, and a slot moved in the agenda; of transactions it is kept first how far it goes."""
RENEWAL = Budget(20, 7, 4)
"""Issuing, with the order, which is a write of its own otherwise, and the subscription moved on in place of the guard."""
COLLECTION, DECLINED = Budget(22, 15, 10), Budget(11, 18, 13)
"""The attempt is stored before the gateway is asked; what it answers is a second write, as a webhook's is."""
ACCOUNT_PAGE = Budget(0, 8, 3)
EXPORT = Budget(0, 110)
AUDIT = Budget(0, 16, 1)
AGEING_IN_DETAIL = Budget(0, 40)
AGEING_TOTALS = Budget(0, 3)
PROJECTION = Budget()
"""Counting entries in the firm's totals, which no operation waits for: nothing is promised, the price is shown."""
FREE = Budget(0)
"""A read for which nothing else is promised."""


def allocation(invoices: int) -> Budget:
    return Budget(8 + 4 * invoices, 2 + invoices, 3)


def dunning_and_charging(invoices: int) -> Budget:
    """What is owed is read twice, for the notice lists the charges, and a letter of many rows is two kilobytes. Each charge is
    an invoice issued, with its order for the guard, and the note on the late one."""
    return Budget(8 + 17 * invoices, 4 + 5 * invoices, 8 + 3 * invoices)


@dataclass(frozen=True)
class Figure:
    """What an operation cost: as the store reports it, as AWS's rules have it, and what is allowed."""

    operation: str
    reported: Cost
    computed: Cost
    budget: Budget

    @property
    def usd_per_million(self) -> float:
        return self.reported.wru * USD_PER_MILLION_WRU + self.reported.rru * USD_PER_MILLION_RRU

    @property
    def excesses(self) -> list[str]:
        spent = {"WRU": self.reported.wru, "RRU": self.reported.rru, "calls": self.reported.calls}
        allowed = {"WRU": self.budget.wru, "RRU": self.budget.rru, "calls": self.budget.calls}
        return [
            f"{self.operation}: {amount:g} {unit}, allowed are {allowed[unit]:g}"
            for unit, amount in spent.items()
            if allowed[unit] is not None and amount > allowed[unit]
        ]

    @property
    def disagreement(self) -> str | None:
        theirs, ours = (self.reported.wru, self.reported.rru), (self.computed.wru, self.computed.rru)
        return f"{self.operation}: the store reports {theirs} WRU and RRU, AWS's rules say {ours}" if theirs != ours else None


DETAILS: dict[str, Any] = {
    "address": Address("Am Sandtorkai 27", "Hamburg", "DE", line2="Haus B, 4. Etage", postal_code="20457"),
    "tax_ids": (TaxId("eu_vat", "DE287654321"),),
    "contacts": (Contact("Maria Petersen", "m.petersen@blueharbour.example", "+49 40 5550123", "billing"),),
}


class UuidKeys:
    """Idempotency-Keys as most callers make them."""

    def new(self, _prefix: str) -> str:
        return str(uuid4())


class StripesPages:
    """A gateway that gives out addresses as long as Stripe's."""

    name = "stripe"

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def start_checkout(self, *_: Any) -> CheckoutPage:
        return CheckoutPage(CHECKOUT_URL, CHECKOUT_ID, self._clock.now() + timedelta(hours=24))


@dataclass
class Bench:
    """A firm, the client that is metered, and the figures so far."""

    office: Office
    client: Any
    store: Any
    figures: list[Figure] = field(default_factory=list)

    def measure(self, operation: str, budget: Budget, act: Callable[[], Any]) -> Figure:
        with metered(self.client, self.store, TABLE, table_properties()) as meter:
            act()
        figure = Figure(operation, meter.reported, meter.computed, budget)
        self.figures.append(figure)
        return figure

    # ---- The operations ---------------------------------------------------------------------------------------------

    def issuing(self) -> None:
        office, old = self.office, self.old.account_id
        new, settled = office.account(**DETAILS), self.customer(paid=1).account_id
        for operation, account, term, budget in (
            ("issue an invoice of 10 lines: an account's first", new, "net30", ISSUE),
            ("… when all before it are paid", settled, "net30", ISSUE),
            (f"… with {HISTORY} paid and 60 open ones behind it", old, "net30", ISSUE),
            ("… due earlier than all that are open", old, "on_receipt", ISSUE_AND_MOVE),
        ):
            order = office.order(account, TEN_LINES, term=term)
            self.measure(operation, budget, lambda account=account, order=order: office.issue(account, order))
        self.measure("place an order of 10 lines", Budget(), lambda: office.order(new, TEN_LINES))
        order = office.order(new, TEN_LINES, currency="USD")
        self.measure("… in a currency that is not the firm's", Budget(16), lambda: office.issue(new, order))

    def issuing_in_batches(self) -> None:
        """Everything that a batch costs, by invoice: reading, the block of numbers, the invoices, the batch itself."""
        office = self.office
        accounts = [office.account(**DETAILS) for _ in range(BATCH_CUSTOMERS)]
        orders = [(account, office.order(account, TEN_LINES)) for account in (*accounts, *accounts[: BATCH - BATCH_CUSTOMERS])]
        with metered(self.client, self.store, TABLE, table_properties()) as meter:
            batch = office.issue_batch(orders)
        expect(len(batch.numbers) == BATCH and not any(line.refusal for line in batch.lines))
        operation = f"issue in a batch of {BATCH} for {BATCH_CUSTOMERS} customers, each"
        each = shared(meter.reported, BATCH), shared(meter.computed, BATCH)
        self.figures.append(Figure(operation, *each, ISSUE_IN_A_BATCH))

    def webhooks(self) -> None:
        office = self.office
        for operation, account in (
            ("payment webhook to posted and allocated", office.account(**DETAILS)),
            (f"… with {HISTORY} paid and 60 open ones behind it", self.old.account_id),
        ):
            payment, _ = office.checkout(account, office.invoice(account, TEN_LINES))
            said = report(payment, PaymentStatus.SUCCEEDED, office.clock.now())
            event = f"evt_1Qx{account[-20:]}"
            self.measure(operation, WEBHOOK, lambda event=event, said=said: self._webhook(event, said))
        invoice = office.invoice(account, TEN_LINES)
        self.measure("start a card payment", Budget(), lambda: office.checkout(account, invoice))
        for operation, overdue in (("… of an overdue invoice, the only one", 1), ("… of an overdue invoice, one of two", 2)):
            late = office.account(**DETAILS)
            payment, _ = next(iter([office.checkout(late, office.invoice(late, TEN_LINES)) for _ in range(overdue)]))
            office.clock.advance(timedelta(days=40))
            self._dun(late)
            said = report(payment, PaymentStatus.SUCCEEDED, office.clock.now())
            event = f"evt_1Qx{late[-20:]}"
            self.measure(operation, WEBHOOK, lambda event=event, said=said: self._webhook(event, said))
        self.measure("the same webhook again", WEBHOOK_AGAIN, lambda: self._webhook(event, said))
        charge = report(payment, None, office.clock.now())
        self.measure("another event of the same payment", WEBHOOK, lambda: self._webhook("evt_2", charge))

    def _webhook(self, event: str, said: Any) -> None:
        """What payment_webhooks does, and payment_events after it."""
        guard = guard_ref("event", event)
        if not self.office.books.load(guard).get(guard):
            self.office.event(said, event)

    def payments_and_credits(self) -> None:
        office = self.office
        account, open_items = self.old.account_id, iter(self.old.open_items)
        item = next(open_items)
        self.measure(
            "payment by hand, allocated to one invoice",
            WEBHOOK,
            lambda: office.receive(account, item.total_minor, {item.invoice_id: item.total_minor}),
        )
        for count in (1, 10, 40):
            chosen = {(item := next(open_items)).invoice_id: item.open_minor for _ in range(count)}
            payment = office.receive(account, sum(chosen.values())).body["id"]
            self.measure(
                f"allocate one payment over {count} invoice{'s' if count > 1 else ''}",
                allocation(count),
                lambda payment=payment, chosen=chosen: office.allocate(account, payment, chosen),
            )
        self.measure("payment by hand, oldest of the open ones first", Budget(WEBHOOK.wru), lambda: self._oldest_first(account))
        self.measure("issue a credit", CREDIT, lambda: office.credit(account))

    def mailing(self) -> None:
        """What notifications does about an event, and mail_events about what SES says then; with an invoice and its payment."""
        office = self.office
        account = office.account(**DETAILS)
        invoice = office.invoice(account, TEN_LINES)
        payment = self._paid(account, invoice)
        tell: Any
        for operation, tell, document in (
            ("e-mail an invoice", send_invoice, invoice),
            ("e-mail a receipt", send_receipt, payment),
        ):
            self.measure(operation, MAIL, lambda tell=tell, document=document: self._tell(tell, account, document))
        delivered = DeliveryEvent(DeliveryKind.DELIVERED, office.clock.now())
        said = MailReport(account, f"msg_invoice_{invoice}", delivered, SES_ID, office.clock.now())
        self.measure("the report that a mail was delivered", REPORT, lambda: report_mail(said, office.books, office.clock))

    def _tell(self, tell: Any, account: str, document: str) -> None:
        office = self.office
        firm = fresh_firm(office.books)
        expect(tell(account, document, firm, office.books, office.letters, office.postbox, office.clock).sent_at is not None)

    def money_back(self) -> None:
        """For information: nothing is promised of these."""
        office, account = self.office, self.old.account_id
        unpaid, paid, canceled = (office.invoice(account, TEN_LINES) for _ in range(3))
        self.measure("credit note of an open invoice, one line", Budget(), lambda: office.credit_note(account, unpaid))
        payment = self._paid(account, paid)
        self.measure("refund of a receipt, paid out by hand", Budget(), lambda: office.refund(account, payment, 1_000))
        self._paid(account, canceled)
        self.measure(
            "cancel a paid purchase of 10 lines and refund it", Budget(), lambda: office.cancel_purchase(account, canceled)
        )

    def _paid(self, account: str, invoice_id: str) -> str:
        total = next(item.open_minor for item in self.office.journal.open_items(account, "EUR") if item.invoice_id == invoice_id)
        return str(self.office.receive(account, total, {invoice_id: total}).body["id"])

    def _oldest_first(self, account: str) -> None:
        self.office.receive(account, 1_000, oldest_first=True)

    def dunning(self) -> None:
        office = self.office
        month_ago = office.clock.now() - timedelta(days=40)
        debtors = {
            "dunning run, per account due: one overdue invoice": self.customer(paid=0, unpaid=1, until=month_ago),
            f"… with {HISTORY} invoices behind it": self.customer(paid=HISTORY, unpaid=1, until=month_ago),
        }
        for operation, debtor in debtors.items():
            self.measure(operation, DUNNING, lambda debtor=debtor: self._dun(debtor.account_id))
        several = self.customer(paid=0, unpaid=3, until=month_ago)
        office.change(several.account_id, language="de")
        self.measure("… three overdue invoices, in German", DUNNING, lambda: self._dun(several.account_id))
        reminded = self.customer(paid=0, unpaid=1, until=month_ago)
        self._remind_on(3)
        self.measure("… for whom a reminder is due instead", DUNNING, lambda: self._remind(reminded.account_id))
        self._remind_on()
        paid_meanwhile = self.customer(paid=0, unpaid=1, until=month_ago)
        owed = paid_meanwhile.open_items[0]
        office.receive(paid_meanwhile.account_id, owed.open_minor, {owed.invoice_id: owed.open_minor})
        self.measure("… of an account that paid meanwhile", DUNNING, lambda: self._dun(paid_meanwhile.account_id))

    def dunning_with_late_charges(self) -> None:
        """The notice that charges, which lists what it charged: of invoices due 40 days ago, a fee and interest of each."""
        month_ago = self.office.clock.now() - timedelta(days=40)
        pasts = {
            "dunning run, per account charged a late fee and interest": self._overdue(month_ago),
            f"… with {HISTORY} invoices behind it, and charged": self._overdue(month_ago, paid=HISTORY),
            "… for three overdue invoices": self._overdue(month_ago, unpaid=3),
        }
        self._set_policy(DunningPolicy(late_charges=LateChargeRules(FORTY_EUROS, TEN_PERCENT)))
        for operation, debtor in pasts.items():
            late = len(debtor.open_items)
            self.measure(operation, dunning_and_charging(late), lambda debtor=debtor: self._dun(debtor.account_id))
            expect(len(self.office.journal.open_items(debtor.account_id, "EUR")) == 2 * late)

    def _overdue(self, due: datetime, *, paid: int = 0, unpaid: int = 1) -> Customer:
        return self.customer(paid=paid, unpaid=unpaid, until=due, term="on_receipt")

    def _remind_on(self, *offsets: int) -> None:
        """The firm reminds on these days, and its first tier is far away; none: the policy that Remit comes with."""
        policy = DunningPolicy()
        if offsets:
            reminders = tuple(Reminder(days, "reminder_overdue") for days in offsets)
            policy = DunningPolicy((Tier(1, 300, "dunning_tier_1"),), reminders)
        self._set_policy(policy)

    def _set_policy(self, policy: DunningPolicy) -> None:
        set_dunning_policy(policy, asking_letters(), CLERK, self.office.books, self.office.clock)

    def finding_the_due(self) -> None:
        """The only one to fill the agenda of its table."""
        nobody = self.measure("dunning run, when nobody is due", FREE, lambda: self._find(0))
        for _ in range(100):
            self.customer(paid=0, unpaid=1, lines=ONE_LINE)
        still = self.measure("… with 100 accounts not due", FREE, lambda: self._find(0))
        reported, computed = less(still.reported, nobody.reported), less(still.computed, nobody.computed)
        self.figures.append(Figure("dunning run, per account not due", reported, computed, Budget(0, 0, 0)))
        self.office.clock.advance(timedelta(days=60))
        self.measure("… with all 100 due: finding them", FREE, lambda: self._find(100))

    def summarising(self) -> None:
        """The only one to fill the agenda of its table."""
        office = self.office
        nobody = self.measure("summaries, when nobody is due", FREE, lambda: self._find_summaries(0))
        for _ in range(100):
            office.enrol(office.account(), SummaryContent.OPEN_INVOICES)
        still = self.measure("… with 100 enrolments not due", FREE, lambda: self._find_summaries(0))
        reported, computed = less(still.reported, nobody.reported), less(still.computed, nobody.computed)
        self.figures.append(Figure("summaries, per account not due", reported, computed, Budget(0, 0, 0)))
        owing = self.customer(paid=12, unpaid=1, lines=ONE_LINE).account_id
        owed, told = (office.enrol(owing, content) for content in SummaryContent)
        office.invoice(owing, ONE_LINE)
        office.clock.advance(timedelta(days=1))
        self.measure("summary of open invoices, per account due: two open", SUMMARY, lambda: self._summarise(owing, owed, "sent"))
        self.measure("summary of transactions, per account due: one", TRANSACTIONS, lambda: self._summarise(owing, told, "sent"))
        office.clock.advance(timedelta(days=1))
        self.measure("… when nothing happened", NOTHING_TO_SAY, lambda: self._summarise(owing, told, "nothing_to_say"))

    def _find_summaries(self, expected: int) -> None:
        due, _ = self.office.agenda.due(AgendaKind.SUMMARY, self.office.clock.now().isoformat(), None, 500)
        expect(len(due) == expected)

    def _summarise(self, account: str, schedule: str, outcome: str) -> None:
        """What the task `tell` of the state machine does for one account."""
        self.office.firm = fresh_firm(self.office.books)
        expect(self.office.summarise(account, schedule).why == outcome)

    def recurring(self) -> None:
        """The only one to fill the agenda of its table: customers with a card and a subscription of one line a day, by
        30 days' term."""
        office = self.office
        gateway = FakeGateway(office.clock)  # type: ignore[arg-type]
        nobody = self.measure("recurring payments, when nothing is due", FREE, lambda: self._find_recurring(0))
        customers = [self._subscriber(gateway) for _ in range(100)]
        still = self.measure("… with 100 subscriptions and 100 invoices not due", FREE, lambda: self._find_recurring(0))
        reported, computed = less(still.reported, nobody.reported), less(still.computed, nobody.computed)
        self.figures.append(Figure("recurring payments, per account not due", reported, computed, Budget(0, 0, 0)))
        (account, subscription, invoice), (declined, _, refused), *_ = customers
        office.clock.advance(timedelta(days=1))
        self.measure("renew a subscription: order, invoice and entry", RENEWAL, lambda: self._renew(account, subscription))
        office.clock.advance(timedelta(days=29))
        brings = "collect a due invoice from a saved card: paid"
        self.measure(brings, COLLECTION, lambda: self._collect(account, invoice, gateway, PaymentStatus.SUCCEEDED))
        gateway.outcomes[CARD_ID] = (PaymentStatus.FAILED, "insufficient_funds", False)
        for operation in ("… declined", "… declined again, three days later"):
            self.measure(operation, DECLINED, lambda: self._collect(declined, refused, gateway, PaymentStatus.FAILED))
            office.clock.advance(timedelta(days=3))

    def _subscriber(self, gateway: FakeGateway) -> tuple[str, str, str]:
        """A new account that is charged by itself, its subscription and the invoice of the first period."""
        office = self.office
        account = office.account(**DETAILS)
        saved = MethodReport(account, CARD_ID, "cus_QkY7dUuF2h3mXz", office.clock.now())
        save_method(saved, CLERK, office.firm, office.books, office.journal, gateway, office.clock)
        office.change(account, collect_automatically=True)
        subscription = office.subscribe(account)
        (invoice,) = office.renew(account, subscription).invoices
        return account, subscription, invoice

    def _find_recurring(self, expected: int) -> None:
        """What the tasks of the state machine read to find what is due."""
        for kind, until in (
            (AgendaKind.SUBSCRIPTION, self.office.clock.now().isoformat()),
            (AgendaKind.COLLECTION, self.office.today.isoformat()),
        ):
            due, _ = self.office.agenda.due(kind, until, None, 500)
            expect(len(due) == expected)

    def _renew(self, account: str, subscription: str) -> None:
        """What the task `renew` of the state machine does for one subscription."""
        self.office.firm = fresh_firm(self.office.books)
        expect(len(self.office.renew(account, subscription).invoices) == 1)

    def _collect(self, account: str, invoice: str, gateway: FakeGateway, status: PaymentStatus) -> None:
        """What the task `collect` of the state machine does for one invoice."""
        office = self.office
        office.firm = fresh_firm(office.books)
        collected = collect_invoice(account, invoice, office.firm, office.books, gateway, office.clock, office.ids)
        expect(collected.payment is not None and collected.payment.status is status)

    def _find(self, expected: int) -> None:
        due, _ = self.office.agenda.due(AgendaKind.DUNNING, self.office.today.isoformat(), None, 500)
        expect(len(due) == expected)

    def _remind(self, account: str) -> None:
        self.office.firm = fresh_firm(self.office.books)
        expect(len(self.office.dun(account).reminder_ids) == 1)

    def _dun(self, account: str) -> None:
        """What the task `dun` of the state machine does for one account."""
        self.office.firm = fresh_firm(self.office.books)
        self.office.dun(account)

    def reading(self) -> None:
        page = "account page: balance, 20 open items, 20 entries"
        self.measure(page, ACCOUNT_PAGE, lambda: self._account_page(self.old.account_id))

    def _account_page(self, account: str) -> None:
        """What `GET /accounts/{id}/overview` reads."""
        journal = self.office.journal
        journal.account_with_balances(account)
        expect(len(journal.open_items(account, "EUR", limit=20)) == 20)
        expect(len(list(journal.entries(account, "EUR", newest_first=True, limit=20))) == 20)

    def projecting(self) -> None:
        """Entries as the stream brings them, each of another customer, into totals of which a year exists already."""
        entries = [self._first_entry() for _ in range(201)]
        projector = Projector(self.office.books, self.office.journal, DynamoTotals())
        projector.project(entries[:100])
        write_all(self.store, [{"PutRequest": {"Item": to_record(each).serialize()}} for each in years_of_totals()])
        self.measure("count an entry in the totals: alone", PROJECTION, lambda: projector.project(entries[100:101]))
        batch = self.measure("… a batch of 100 of different customers", PROJECTION, lambda: projector.project(entries[101:]))
        self.figures.append(Figure("… each of such a batch", share(batch.reported, 100), share(batch.computed, 100), PROJECTION))
        self.measure("… a batch that was counted before", PROJECTION, lambda: projector.project(entries[101:]))
        self.measure("aged receivables, totals only: 3 years of due dates", AGEING_TOTALS, self._ageing)

    def _first_entry(self) -> JournalEntry:
        """Of a new customer: an invoice of ten lines."""
        account = self.office.account()
        self.office.invoice(account, TEN_LINES)
        return next(iter(self.office.journal.entries(account, "EUR")))

    def _ageing(self) -> None:
        (euro,) = ageing(self.office.today, "EUR", self.office.books, DynamoTotals())
        expect(euro.overdue_minor[-1] > 0 < euro.current_minor)

    def exporting(self) -> None:
        """A month of 1,000 entries: 500 invoices of 10 lines and their payments, by 20 accounts. Alone in its month."""
        month = datetime(2025, 11, 20, tzinfo=UTC)
        for _ in range(20):
            self.customer(paid=25, until=month)
        source = DynamoExportSource(self.office.clock)

        def documents() -> None:
            expect(sum(1 for _ in source.invoices("2025-11")) == 500)
            expect(sum(1 for _ in source.payments("2025-11")) == 500)
            expect(not list(source.credits("2025-11")))

        def entries() -> None:
            expect(sum(1 for _ in source.entries("2025-11")) == 1_000)

        self.measure("export, per 1,000 entries: the entries", EXPORT, entries)
        self.measure("… and their 500 invoices and 500 payments", FREE, documents)

    def ageing_in_detail(self) -> None:
        """Every open item with its parts and due dates, from the open index: of the firm's customers, and of a single one."""
        for _ in range(50):
            self.customer(paid=1, unpaid=20)
        source = DynamoExportSource(self.office.clock)

        def all_customers() -> None:
            expect(sum(1 for _ in source.open_amounts(["EUR"])) == 1_000)

        self.measure("aged receivables in detail, per 1,000 open items", AGEING_IN_DETAIL, all_customers)
        debtor = self.customer(paid=1, unpaid=1_000).account_id

        def one_customer() -> None:
            expect(len(self.office.journal.open_items(debtor, "EUR")) == 1_000)

        self.measure("… all of one customer", AGEING_IN_DETAIL, one_customer)

    def auditing(self) -> None:
        """An account with a year behind it, read and proved as the auditor does."""
        account = self.customer(paid=12).account_id

        def prove() -> None:
            proof = replay_account(account, self.office.journal)
            expect((proof.entries, proof.documents, proof.differences) == (24, 24, ()))

        self.measure("audit, per account: 12 invoices of 10 lines and their payments", AUDIT, prove)

    @cached_property
    def old(self) -> Customer:
        """An account with a long history and much that is open."""
        return self.customer(paid=HISTORY, unpaid=60)

    def customer(self, **past: Any) -> Customer:
        return customer(self.office, self.store, **past)


def expect(done: bool) -> None:
    """A measurement is worth nothing when the operation did not do its work."""
    if not done:
        raise AssertionError("the measured operation did something else")


def years_of_totals() -> Iterator[Totals]:
    """What a large firm is owed: something on each day of three years, in every shard."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(3 * 365)]
    for shard in range(keys.SHARDS):
        standing: dict[str, int] = {}
        by_quarter: dict[str, dict[str, int]] = {}
        for number, day in enumerate(days):
            owed = 123_456 + 7_919 * (number + shard) % 999_983
            standing = added(standing, {f"quarter:{quarter(day)}": owed, "entries": 100})
            by_quarter.setdefault(quarter(day), {})[f"{day:%m-%d}"] = owed
        statuses = {"status:issued": 10_001 + shard, "status:part_paid": 301, "status:paid": 90_017}
        yield Totals(1, TotalsKey(TotalsKind.STANDING, "EUR", "", shard), standing | statuses, 1)
        for period, amounts in by_quarter.items():
            yield Totals(1, TotalsKey(TotalsKind.DUE, "EUR", period, shard), amounts, 1)


def share(cost: Cost, of: int) -> Cost:
    return Cost(cost.wru / of, cost.rru / of, cost.calls // of)


def less(whole: Cost, part: Cost) -> Cost:
    return Cost(whole.wru - part.wru, whole.rru - part.rru, whole.calls - part.calls)


def shared(whole: Cost, by: int) -> Cost:
    return Cost(whole.wru / by, whole.rru / by, round(whole.calls / by))


@contextmanager
def bench_on(engine: Stack) -> Iterator[Bench]:
    """An empty table with a firm that is set up."""
    store = engine.client("dynamodb")
    recreate_table(store, TABLE)
    with adapters_on(engine) as client:
        clock = SettableClock(datetime(2025, 1, 7, 9, tzinfo=UTC))
        office = Office(clock=clock, ids=UlidIds(clock), keys=UuidKeys(), letters=JinjaLetters(LINKS, DynamoBooks()))
        office.gateway = StripesPages(clock)
        office.settle_in()  # long ago, so that nothing is older than its switches
        clock.advance(MONDAY - clock.now())
        yield Bench(office, client, store)


def measured_on(engine: Stack) -> list[Figure]:
    """The figures of all operations, each group from an empty table: a number series knows no past before its last date."""
    groups: list[tuple[Callable[[Bench], None], ...]] = [
        (Bench.issuing, Bench.webhooks, Bench.reading, Bench.payments_and_credits, Bench.money_back),
        (Bench.issuing_in_batches,),
        (Bench.mailing,),
        (Bench.dunning,),
        (Bench.dunning_with_late_charges,),
        (Bench.finding_the_due,),
        (Bench.summarising,),
        (Bench.recurring,),
        (Bench.exporting,),
        (Bench.ageing_in_detail,),
        (Bench.auditing,),
        (Bench.projecting,),
    ]
    figures: list[Figure] = []
    for group in groups:
        with bench_on(engine) as bench:
            for measure in group:
                measure(bench)
            figures += bench.figures
    return figures


def table_of(figures: list[Figure]) -> str:
    """The figures as text: one line an operation."""
    lines = [f"{'operation':<62} {'WRU':>7} {'≤':>5} {'RRU':>7} {'≤':>5} {'calls':>6} {'≤':>4} {'USD/million':>12}"]
    for figure in figures:
        spent, budget = figure.reported, figure.budget
        lines.append(
            f"{figure.operation:<62} {spent.wru:>7g} {_limit(budget.wru):>5} {spent.rru:>7g} {_limit(budget.rru):>5} "
            f"{spent.calls:>6} {_limit(budget.calls):>4} {figure.usd_per_million:>12.2f}"
        )
    return "\n".join(lines)


def costs_of(figures: list[Figure]) -> dict[str, Cost]:
    """What the store reports of each operation, by its name."""
    return {figure.operation: figure.reported for figure in figures}


def _limit(amount: float | None) -> str:
    return "" if amount is None else f"{amount:g}"


def parts_of(figures: list[Figure]) -> str:
    """Where the write units go, item by item."""
    return "\n".join(
        f"{figure.operation}: " + ", ".join(f"{part} {units:g}" for part, units in sorted(figure.computed.parts.items()))
        for figure in figures
        if figure.computed.parts
    )


def main() -> int:
    with running_engine(name=f"budgets-{os.getpid()}", say=lambda _: None) as engine:
        figures = measured_on(engine)
    print(table_of(figures))
    print(f"\nWhat {month.INVOICES:,} invoices a month cost, as README has it:\n\n{month.page(costs_of(figures))}")
    if "--parts" in sys.argv:
        print("\nWhere the write units go:\n" + parts_of(figures))
    wrong = [each for figure in figures for each in [*figure.excesses, figure.disagreement] if each]
    for each in wrong:
        print(f"ABOVE BUDGET  {each}" if "allowed" in each else f"DISAGREEMENT  {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
