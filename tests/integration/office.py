"""A firm at work over the real adapters: each method is one request as a handler makes it, with its guard and its answer."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from threading import Lock
from typing import Any

from remit.adapters.cron import CronsimCron
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal
from remit.contract.accounts import AccountView
from remit.contract.credits import CreditView, IssuedCreditNoteView
from remit.contract.invoices import InvoiceView, OrderView
from remit.contract.payments import PaymentView
from remit.contract.refunds import CancellationView, RefundView
from remit.domain.accounts import Account, Address, TaxId
from remit.domain.actor import Actor, Channel
from remit.domain.automations import Automation
from remit.domain.credit_notes import CreditNoteTerms, LineCredit
from remit.domain.credits import CreditKind, CreditTerms, TaxOption
from remit.domain.dunning import DueReminder, Notice
from remit.domain.errors import ConflictError, TransientError
from remit.domain.firm import Firm
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import Invoice
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest
from remit.domain.payments import Allocation, GatewayReport, Payment, PaymentStatus, Transaction
from remit.domain.plans import Billing, Interval, Offer, Unit
from remit.domain.summaries import OpenInvoices, RecentTransactions, SummaryContent
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, Method, PaymentTerm
from remit.usecases.allocate_payment import allocate_payment
from remit.usecases.apply_gateway_report import apply_gateway_report
from remit.usecases.cancel_purchase import CancellationWish, RefundChoice, cancel_purchase
from remit.usecases.change_account import change_account
from remit.usecases.change_subscription import ChangeOfSubscription, change_subscription
from remit.usecases.charge_wallet import Usage, charge_wallet
from remit.usecases.define_plan import NewPlan, create_plan
from remit.usecases.dun_account import DunningOutcome, dun_account
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_batch import issue_batch
from remit.usecases.issue_credit import CreditWish, issue_credit
from remit.usecases.issue_credit_note import CreditNoteWish, issue_credit_note
from remit.usecases.issue_invoice import issue_invoice
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.payment_attempts import Pick
from remit.usecases.place_order import OrderWish, place_order
from remit.usecases.ports import CheckoutPage, Letter, Payer, Ref, open_item_ref, payment_ref, plan_ref
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.refund_payment import RefundWish, refund_payment
from remit.usecases.renew_subscription import Renewed, renew_subscription
from remit.usecases.set_firm import set_firm
from remit.usecases.start_checkout import CheckoutWish, start_checkout
from remit.usecases.start_subscription import SubscriptionWish, start_subscription
from remit.usecases.summarise_account import SummaryOutcome, summarise_account
from remit.usecases.summary_enrolments import enrol_account
from remit.usecases.summary_schedules import ScheduleWish, create_summary_schedule

CLERK = Actor("9f1b7f5e-5f0c-4d53-a0b5-3f1f9a1f2c11", Channel.API)
GATEWAY = Actor("stripe", Channel.GATEWAY)
TAX_CODES = {
    code.code: code
    for code in (
        TaxCode("VAT21", TaxKind.STANDARD, Decimal(21)),
        TaxCode("VAT9", TaxKind.STANDARD, Decimal(9)),
        TaxCode("RC", TaxKind.REVERSE_CHARGE, reason="VAT is due by the recipient, article 196 of directive 2006/112/EC."),
    )
}
TERMS = {
    term.id: term
    for term in (
        PaymentTerm.single("net30", "Net 30", Due(DueRule.NET_DAYS, 30)),
        PaymentTerm.single("net14", "Net 14", Due(DueRule.NET_DAYS, 14)),
        PaymentTerm.single("on_receipt", "Due on receipt", Due(DueRule.ON_RECEIPT)),
    )
}
FIRM = Firm(
    name="Northwind Cloud B.V.",
    email="billing@northwind.example",
    address=Address("Keizersgracht 123", "Amsterdam", "NL", postal_code="1015 CJ"),
    time_zone="Europe/Amsterdam",
    default_currency="EUR",
    tax_ids=(TaxId("eu_vat", "NL123456782B01"),),
    tax_codes=TAX_CODES,
    terms=TERMS,
    switches=dict.fromkeys(Automation, datetime(2020, 1, 1, tzinfo=UTC)),
)
CRON = CronsimCron()
ONE_LINE = (LineRequest("Consulting, one day", Decimal(1), 10_000, "VAT21", "services"),)
"""One line of 121.00 with its tax."""

TEN_LINES = tuple(
    LineRequest(description, Decimal(quantity), unit_price_minor, tax_code, category)
    for description, quantity, unit_price_minor, tax_code, category in (
        ("Managed PostgreSQL, 3 nodes of 8 vCPU and 32 GB, February 2026", "1", 74_900, "VAT21", "hosting"),
        ("Object storage, TB-months in eu-west", "12.75", 2_150, "VAT21", "hosting"),
        ("Outgoing traffic, TB", "3.2", 850, "VAT21", "hosting"),
        ("Support plan Business, response within 4 hours", "1", 29_900, "VAT21", "support"),
        ("Consulting: migration of the billing cluster, hours", "16.5", 13_500, "VAT21", "services"),
        ("On-site workshop “Running Ledgers”, days", "2", 145_000, "VAT21", "services"),
        ("Travel and lodging, Amsterdam to Groningen", "1", 31_240, "VAT21", "expenses"),
        ("Handbook “Running Ledgers”, printed, second edition", "15", 2_450, "VAT9", "books"),
        ("Licence of the reporting module, seats for one year", "25", 4_800, "VAT21", "licences"),
        ("Set-up of single sign-on with the customer's directory", "1", 95_000, "VAT21", "services"),
    )
)
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class SettableClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class CountingIds:
    """Ids in the shape of ULIDs that count up, so that they sort in the order of their making."""

    def __init__(self, first: int = 1) -> None:
        self._numbers = count(first)
        self._lock = Lock()

    def new(self, prefix: str) -> str:
        with self._lock:
            return f"{prefix}_{next(self._numbers):026d}"


@dataclass
class PaperLetters:
    """Letters of one sentence."""

    def invoice(self, firm: Firm, account: Account, invoice: Invoice, item: OpenItem, now: datetime) -> Letter:
        return self._letter("invoice_issued", {"number": invoice.number})

    def receipt(self, firm: Firm, account: Account, payment: Payment, invoices: Sequence[OpenItem], now: datetime) -> Letter:
        return self._letter("payment_received", {"amount_minor": payment.amount_minor})

    def dunning(self, firm: Firm, account: Account, notice: Notice, now: datetime) -> Letter:
        return self._letter(notice.tier.template, {"net_minor": notice.net_minor})

    def reminder(self, firm: Firm, account: Account, due: DueReminder, now: datetime) -> Letter:
        return self._letter(due.reminder.template, {"offset_days": due.reminder.offset_days})

    def summary(self, firm: Firm, account: Account, summary: OpenInvoices | RecentTransactions, now: datetime) -> Letter:
        return self._letter("account_summary", {"as_of": summary.as_of.isoformat()})

    @staticmethod
    def _letter(template: str, model: dict[str, Any]) -> Letter:
        return Letter(template, "1", template, f"<p>{template}</p>", template, model)


@dataclass
class Postbox:
    """A mailer that keeps what it was handed. `trouble` is called before and after each hand-over and may raise."""

    sent: list[str] = field(default_factory=list)
    trouble: Callable[[str], None] = lambda _moment: None

    def send(self, to: str, subject: str, html: str, text: str, message_id: str, account_id: str) -> str:
        self.trouble("before")
        self.sent.append(message_id)
        self.trouble("after")
        return "mail-1"


@dataclass
class PaymentPages:
    """A gateway that opens one page per payment, however often it is asked. `trouble` as for `Postbox`."""

    clock: SettableClock
    name: str = "stripe"
    pages: dict[str, CheckoutPage] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    trouble: Callable[[str], None] = lambda _moment: None

    def start_checkout(self, payment: Payment, description: str, payer: Payer, return_url: str) -> CheckoutPage:
        self.trouble("before")
        self.asked.append(payment.id)
        expires = self.clock.now() + timedelta(hours=24)
        page = self.pages.setdefault(
            payment.id, CheckoutPage(f"https://pay.example/{payment.id}", f"cs_test_{payment.id[4:]}", expires)
        )
        self.trouble("after")
        return page

    def expire_checkout(self, payment: Payment) -> bool:
        """A page is closed as soon as somebody asks for it."""
        return True


@dataclass
class Office:
    """The firm's use cases by the names of what people want. A key is made up where none is given."""

    firm: Firm = FIRM
    clock: SettableClock = field(default_factory=SettableClock)
    ids: CountingIds = field(default_factory=CountingIds)
    books: DynamoBooks = field(default_factory=DynamoBooks)
    journal: DynamoJournal = field(default_factory=DynamoJournal)
    agenda: DynamoAgenda = field(default_factory=DynamoAgenda)
    letters: Any = field(default_factory=PaperLetters)
    postbox: Postbox = field(default_factory=Postbox)
    keys: CountingIds = field(default_factory=lambda: CountingIds(10**20))

    def __post_init__(self) -> None:
        self.gateway: Any = PaymentPages(self.clock)

    def settle_in(self) -> None:
        """Store the firm's profile, and work with it as it is stored."""
        self.firm = set_firm(self.firm, self.books, self.clock)

    @property
    def today(self) -> date:
        return self.firm.today(self.clock.now())

    # ---- Requests ---------------------------------------------------------------------------------------------------

    def account(self, key: str | None = None, **fields: Any) -> str:
        wish = NewAccount({"name": "Blue Harbour Trading GmbH", "email": "ap@blueharbour.example"} | fields)
        request = self._request(key, wish, AccountView.plain)
        return self._id(open_account(wish, request, self.firm, self.books, self.clock, self.ids))

    def change(self, account_id: str, **changes: Any) -> Account:
        return change_account(account_id, changes, CLERK, self.firm, self.books, self.journal, self.clock)

    def order(
        self,
        account_id: str,
        lines: Sequence[LineRequest] = ONE_LINE,
        *,
        term: str = "net30",
        currency: str | None = None,
        key: str | None = None,
    ) -> str:
        wish = OrderWish(account_id, lines, currency, term_id=term, reference="PO-7781")
        request = self._request(key, (account_id, lines, term), OrderView.written)
        return self._id(place_order(wish, request, self.firm, self.books, self.clock, self.ids))

    def issue(self, account_id: str, order_id: str, key: str | None = None) -> Answer:
        request = self._request(
            key, (account_id, order_id), lambda issued: InvoiceView.of(issued, self.today).model_dump(mode="json")
        )
        return issue_invoice(account_id, order_id, request, self.firm, self.books, self.clock)

    def invoice(self, account_id: str, lines: Sequence[LineRequest] = ONE_LINE, **order: Any) -> str:
        """An order and its invoice; the invoice's id."""
        return self._id(self.issue(account_id, self.order(account_id, lines, **order)))

    def issue_batch(self, orders: Sequence[tuple[str, str]], key: str | None = None) -> InvoiceBatch:
        request = self._request(key, orders, lambda batch: {"id": batch.id})
        return issue_batch(orders, request, self.firm, self.books, self.journal, self.clock, self.ids)[0]

    def receive(
        self,
        account_id: str,
        amount_minor: int,
        allocations: Mapping[str, int] | None = None,
        *,
        oldest_first: bool = False,
        key: str | None = None,
    ) -> Answer:
        chosen = None if oldest_first else [Allocation(*pair) for pair in (allocations or {}).items()]
        received = ReceivedPayment(
            account_id, Money(amount_minor, "EUR"), Method.BANK_TRANSFER, self.today, "NL91ABNA0417164300 INV", chosen
        )
        request = self._request(key, (account_id, amount_minor, chosen), present_payment)
        return receive_payment(received, request, self.firm, self.books, self.journal, self.clock, self.ids)

    def allocate(self, account_id: str, payment_id: str, allocations: Mapping[str, int], key: str | None = None) -> Answer:
        chosen = [Allocation(*pair) for pair in allocations.items()]
        request = self._request(key, (account_id, payment_id, chosen), present_payment)
        return allocate_payment(account_id, payment_id, "EUR", chosen, request, self.firm, self.books, self.clock)

    def credit(self, account_id: str, amount_minor: int = 1_210, key: str | None = None) -> Answer:
        terms = CreditTerms(CreditKind.GOODWILL, "Outage on 14 February")
        wish = CreditWish(account_id, Money(amount_minor, "EUR"), TaxOption.INCLUDED, terms, "VAT21")
        request = self._request(key, wish, lambda credit: CreditView.of(credit).model_dump(mode="json"))
        return issue_credit(wish, request, self.firm, self.books, self.clock, self.ids)

    def credit_note(self, account_id: str, invoice_id: str, key: str | None = None) -> Answer:
        """For the first line of the invoice."""
        wish = CreditNoteWish(account_id, invoice_id, [LineCredit(1)], CreditNoteTerms("Returned", rma="RMA-2026-0017"))
        request = self._request(key, wish, lambda issued: IssuedCreditNoteView.issued(issued).model_dump(mode="json"))
        return issue_credit_note(wish, request, self.firm, self.books, self.clock, self.ids)

    def cancel_purchase(self, account_id: str, invoice_id: str, key: str | None = None) -> Answer:
        """Wholly, with the suggested refund."""
        credit = CreditNoteWish(account_id, invoice_id, None, CreditNoteTerms("Changed their mind"))
        wish = CancellationWish(credit, RefundChoice.SUGGESTED)
        request = self._request(key, wish, lambda done: CancellationView.of(done).model_dump(mode="json"))
        return cancel_purchase(wish, request, self.firm, self.books, self.clock, self.ids)

    def refund(self, account_id: str, payment_id: str, amount_minor: int, key: str | None = None) -> Answer:
        wish = RefundWish(account_id, payment_id, amount_minor, "Complaint")
        request = self._request(key, wish, lambda refund: RefundView.of(refund).model_dump(mode="json"))
        return refund_payment(wish, request, self.firm, self.books, self.clock, self.ids)

    def fill_wallet(self, account_id: str, amount_minor: int) -> None:
        """A payment that tops the wallet up."""
        received = ReceivedPayment(
            account_id, Money(amount_minor, "EUR"), Method.BANK_TRANSFER, self.today, None, (), to_wallet=True
        )
        request = self._request(None, received, present_payment)
        receive_payment(received, request, self.firm, self.books, self.journal, self.clock, self.ids)

    def charge_wallet(self, account_id: str, key: str | None = None) -> Answer:
        """One line of usage: 121.00."""
        usage = Usage(account_id, "Usage in March", ONE_LINE)
        request = self._request(key, usage, lambda charge: {"id": charge.id, "amount_minor": charge.amount_minor})
        return charge_wallet(usage, request, self.firm, self.books, self.clock, self.ids)

    def checkout(self, account_id: str, invoice_id: str, key: str | None = None) -> tuple[Payment, Answer]:
        request = self._request(key, (account_id, invoice_id), present_payment)
        return start_checkout(
            CheckoutWish(account_id, [Pick(invoice_id)]), request, lambda payment: f"https://us.example/{payment.id}",
            self.firm, self.books, self.gateway, self.clock, self.ids,
        )  # fmt: skip

    def event(self, report: GatewayReport, event_id: str) -> Answer:
        """A verified event of the gateway, as the queue delivers it."""
        request: Request[Payment] = Request(GATEWAY, "event", event_id, "event", present_applied, lifetime=None)
        return apply_gateway_report(report, request, self.firm, self.books, self.clock)

    def subscribe(self, account_id: str) -> str:
        """To a plan of 121.00 a day, which is defined when it is first needed."""
        if self.books.load(plan_ref("daily")).get(plan_ref("daily")) is None:
            offer = Offer("Daily", ONE_LINE, term_id="net30")
            plan = NewPlan("daily", "EUR", Interval(1, Unit.DAY), Billing.IN_ADVANCE, offer)
            request = self._request(None, plan, lambda defined: {"id": defined.plan.id})
            create_plan(plan, request, self.firm, self.books, self.clock)
        wish = SubscriptionWish(account_id, "daily")
        request = self._request(None, wish, lambda subscription: {"id": subscription.id})
        return self._id(start_subscription(wish, request, self.firm, self.books, self.clock, self.ids))

    def renew(self, account_id: str, subscription_id: str) -> Renewed:
        return renew_subscription(account_id, subscription_id, self.firm, self.books, self.clock, self.ids)

    def change_subscription(self, account_id: str, subscription_id: str, quantity: int) -> Answer:
        wish = ChangeOfSubscription(account_id, subscription_id, quantity=quantity)
        request = self._request(None, wish, lambda changed: {"id": changed.subscription.id})
        return change_subscription(wish, request, self.firm, self.books, self.clock, self.ids)

    def dun(self, account_id: str) -> DunningOutcome:
        return dun_account(account_id, self.firm, self.books, self.journal, self.letters, self.postbox, self.clock)

    def enrol(self, account_id: str, content: SummaryContent) -> str:
        """Enrol the account in a new schedule of every morning at eight; the schedule's id."""
        wish = ScheduleWish("Daily", "0 8 * * *", "Europe/Amsterdam", content)
        request = self._request(None, wish.name, lambda schedule: {"id": schedule.id})
        schedule_id = self._id(create_summary_schedule(wish, request, self.books, CRON, self.clock, self.ids))
        enrol_account(account_id, schedule_id, self.books, self.journal, CRON, self.clock)
        return schedule_id

    def summarise(self, account_id: str, schedule_id: str) -> SummaryOutcome:
        return summarise_account(
            account_id, schedule_id, self.firm, self.books, self.journal, CRON, self.letters, self.postbox, self.clock
        )

    def _request(self, key: str | None, wish: Any, present: Callable[[Any], Any]) -> Request[Any]:
        fingerprint = hashlib.sha256(repr(wish).encode()).hexdigest()
        return Request(CLERK, "idempotency", key or self.keys.new("key"), fingerprint, present)

    @staticmethod
    def _id(answer: Answer) -> str:
        return str(answer.body["id"])

    # ---- What is there ----------------------------------------------------------------------------------------------

    def stored[T](self, ref: Ref[T]) -> T:
        found = self.books.load(ref).get(ref)
        assert found is not None, ref
        return found

    def open_item(self, account_id: str, invoice_id: str) -> OpenItem:
        return self.stored(open_item_ref(account_id, invoice_id))

    def payment(self, account_id: str, payment_id: str) -> Payment:
        return self.stored(payment_ref(account_id, payment_id))


def present_payment(payment: Payment) -> Any:
    return PaymentView.of(payment).model_dump(mode="json")


def present_applied(payment: Payment) -> dict[str, str]:
    return {"payment_id": payment.id, "status": str(payment.status)}


def report(payment: Payment, status: PaymentStatus | None, occurred_at: datetime, **changes: Any) -> GatewayReport:
    """What the gateway's event says of `payment`: of its intent if there is a `status`, of a charge otherwise."""
    intent = f"pi_{payment.id[4:]}"
    said = GatewayReport(
        payment_id=payment.id,
        account_id=payment.account_id,
        status=status,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        occurred_at=occurred_at,
        invoice_ids=tuple(allocation.invoice_id for allocation in payment.intended),
        gateway_ids=(intent,),
        failure="card_declined" if status is PaymentStatus.FAILED else None,
    )
    if status is None:
        charge = f"ch_{payment.id[4:]}"
        capture = Transaction(occurred_at, "capture", charge, payment.amount_minor)
        said = replace(said, gateway_ids=(charge, intent), transaction=capture)
    return replace(said, **changes)


def until_done[T](ask: Callable[[], T], limit: int = 50) -> T:
    """Ask again, as a client does, while the answer is that it did not work out this time."""
    for _ in range(limit - 1):
        try:
            return ask()
        except (ConflictError, TransientError):
            continue
    return ask()
