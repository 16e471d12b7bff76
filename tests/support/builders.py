"""A small firm, its customers and their orders, and the whole office that bills them, for tests to start from."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from remit.domain.accounts import Account, Address, TaxId
from remit.domain.actor import Actor, Channel
from remit.domain.audit import Difference
from remit.domain.automations import Automation
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, invoice_id_for, issue
from remit.domain.journal import Balance, JournalEntry, canonical
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest, Order, price
from remit.domain.payments import Allocation, GatewayReport, Payment, PaymentStatus, Transaction
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, Method, Part, PaymentTerm
from remit.usecases.allocate_payment import allocate_payment
from remit.usecases.apply_gateway_report import apply_gateway_report
from remit.usecases.change_account import change_account
from remit.usecases.dun_account import DunningOutcome, dun_account
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_credit import CreditWish, issue_credit
from remit.usecases.issue_invoice import issue_invoice
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.payment_attempts import Pick
from remit.usecases.place_order import OrderWish, place_order
from remit.usecases.ports import (
    AgendaKind,
    account_ref,
    balance_ref,
    credit_ref,
    invoice_ref,
    open_item_ref,
    order_ref,
    payment_ref,
)
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.replay_account import replay_account
from remit.usecases.start_checkout import CheckoutWish, start_checkout
from tests.fakes import FakeBooks, FakeClock, FakeGateway, FakeIds, FakeLetters, FakeMailer, Trouble

CLERK = Actor("clerk-1", Channel.API)
STRIPE = Actor("stripe", Channel.GATEWAY)

VAT21 = TaxCode("VAT21", TaxKind.STANDARD, Decimal(21))
VAT9 = TaxCode("VAT9", TaxKind.STANDARD, Decimal(9))
ZERO = TaxCode("ZERO", TaxKind.ZERO)
REVERSE = TaxCode("REVERSE", TaxKind.REVERSE_CHARGE, reason="Article 196 of Directive 2006/112/EC")
EXEMPT = TaxCode("EXEMPT", TaxKind.EXEMPT, reason="Article 132")

ON_RECEIPT = PaymentTerm.single("on_receipt", "Due on receipt", Due(DueRule.ON_RECEIPT))
NET30 = PaymentTerm.single("net30", "Net 30", Due(DueRule.NET_DAYS, 30))
NO_CARDS = PaymentTerm.single("no_cards", "Net 14, no cards", Due(DueRule.NET_DAYS, 14), (Method.BANK_TRANSFER,))

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ALL_ON = dict.fromkeys(Automation, LONG_AGO)


def firm(**changes: Any) -> Firm:
    """A firm in Utrecht that bills in euro. Its automations are off, as every firm's at first (D1)."""
    profile = Firm(
        name="Remit BV",
        email="billing@remit.example",
        address=Address("Kade 1", "Utrecht", "NL", postal_code="3511 AA"),
        time_zone="Europe/Amsterdam",
        default_currency="EUR",
        tax_ids=(TaxId("eu_vat", "NL123456782B01"),),
        tax_codes={code.code: code for code in (VAT21, VAT9, ZERO, REVERSE, EXEMPT)},
        terms={term.id: term for term in (ON_RECEIPT, NET30, NO_CARDS)},
    )
    return replace(profile, **changes)


def account(id: str = "acc_1", **changes: Any) -> Account:
    customer = Account(
        id=id,
        name="Blooming Ltd",
        email="ap@blooming.example",
        default_currency="EUR",
        created_at=NOW,
        default_term_id="net30",
        address=Address("1 High Street", "Dublin", "IE"),
    )
    return replace(customer, **changes)


def line(minor: int = 10000, code: str = "VAT21", quantity: str = "1", category: str = "services") -> LineRequest:
    return LineRequest(f"{category} at {minor}", Decimal(quantity), minor, code, category)


def order(
    *lines: LineRequest, id: str = "ord_1", account_id: str = "acc_1", currency: str = "EUR", term: PaymentTerm = NET30
) -> Order:
    priced = price(lines or (line(),), currency, firm(), prices_include_tax=False)
    return Order(id, account_id, priced, term, NOW, methods=term.methods)


def issued(of: Order | None = None, now: datetime = NOW, last: int = 0) -> tuple[Invoice, OpenItem, NumberSeries]:
    """An invoice as the domain issues it, with its open item and the counter after it."""
    return issue(of or order(), account(), firm(), NumberSeries(f"INV-{now.year}", last), now)


def open_item(
    id: str = "inv_1", open_minor: int = 12100, due: date = date(2026, 4, 1), currency: str = "EUR", number: str | None = None
) -> OpenItem:
    parts = (Part(due, open_minor, open_minor),)
    number = number or f"INV-2026-{id.removeprefix('inv_'):0>6}"
    return OpenItem("acc_1", id, number, currency, TODAY, open_minor, open_minor, parts, tuple(Method))


def attempt(amount_minor: int = 12100, **changes: Any) -> Payment:
    """A card payment before the gateway has said anything."""
    pending = Payment(
        id="pay_1",
        account_id="acc_1",
        currency="EUR",
        amount_minor=amount_minor,
        method=Method.CARD,
        cash_account="stripe",
        status=PaymentStatus.PENDING,
        created_at=NOW,
        intended=(Allocation("inv_1", amount_minor),),
    )
    return replace(pending, **changes)


def report_on(
    payment: Payment,
    status: PaymentStatus | None,
    seconds: int = 0,
    *,
    transaction: Transaction | None = None,
    failure: str | None = None,
    gateway_ids: Sequence[str] = (),
    amount_minor: int | None = None,
) -> GatewayReport:
    """What the gateway says of the payment, so many seconds after its attempt was stored."""
    return GatewayReport(
        payment_id=payment.id,
        account_id=payment.account_id,
        status=status,
        amount_minor=payment.amount_minor if amount_minor is None else amount_minor,
        currency=payment.currency,
        occurred_at=payment.created_at + timedelta(seconds=seconds),
        invoice_ids=tuple(allocation.invoice_id for allocation in payment.intended),
        gateway_ids=tuple(gateway_ids),
        transaction=transaction,
        failure=failure,
    )


def plain(thing: Any) -> Any:
    """Any result as JSON data: what these tests answer their callers."""
    return msgspec.json.decode(msgspec.json.encode(thing))


def request(key: str, body: Any = None, present: Callable[[Any], Any] = plain, actor: Actor = CLERK) -> Request[Any]:
    """A call with an Idempotency-Key and a body."""
    return Request(actor, "idempotency", key, hashlib.sha256(canonical(body).encode()).hexdigest(), present)


@dataclass
class Office:
    """The whole of billing over fakes: what a test does in one line. Each call has its own key unless one is named."""

    firm: Firm = field(default_factory=firm)
    trouble: Trouble = field(default_factory=Trouble)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    ids: FakeIds = field(default_factory=FakeIds)
    letters: FakeLetters = field(default_factory=FakeLetters)
    keys: int = 0

    def __post_init__(self) -> None:
        self.books = FakeBooks(self.trouble)
        self.mailer = FakeMailer(self.trouble)
        self.gateway = FakeGateway(self.clock, self.trouble)

    # What the firm does

    def request(self, key: str | None = None, body: Any = None, present: Callable[[Any], Any] = plain) -> Request[Any]:
        self.keys += 1
        return request(key or f"key-{self.keys}", body, present)

    def open_account(self, key: str | None = None, **fields: Any) -> str:
        chosen = {"name": "Blooming Ltd", "email": "ap@blooming.example", "default_term_id": "net30"} | fields
        answer = open_account(NewAccount(chosen), self.request(key, plain(chosen)), self.firm, self.books, self.clock, self.ids)
        return str(answer.body["id"])

    def change_account(self, account_id: str, **changes: Any) -> Account:
        return change_account(account_id, changes, CLERK, self.firm, self.books, self.books, self.clock)

    def place_order(
        self, account_id: str, *lines: LineRequest, term: str | None = None, currency: str | None = None, key: str | None = None
    ) -> str:
        wish = OrderWish(account_id, lines or (line(),), currency, term_id=term)
        answer = place_order(wish, self.request(key, plain(wish)), self.firm, self.books, self.clock, self.ids)
        return str(answer.body["id"])

    def issue(self, account_id: str, order_id: str, key: str | None = None) -> Answer:
        return issue_invoice(account_id, order_id, self.request(key, order_id), self.firm, self.books, self.clock)

    def invoice(self, account_id: str, minor: int = 10000, *, term: str | None = None, currency: str | None = None) -> str:
        """The id of a new invoice of one line at 21 %: 10000 net is 12100 gross."""
        order_id = self.place_order(account_id, line(minor), term=term, currency=currency)
        self.issue(account_id, order_id)
        return invoice_id_for(order_id)

    def receive(
        self,
        account_id: str,
        minor: int,
        *,
        oldest_first: bool = False,
        allocations: Sequence[Allocation] = (),
        currency: str = "EUR",
        method: Method = Method.BANK_TRANSFER,
        value_date: date | None = None,
        key: str | None = None,
    ) -> Answer:
        chosen = None if oldest_first else tuple(allocations)
        value_date = value_date or self.firm.today(self.clock.now())
        received = ReceivedPayment(account_id, Money(minor, currency), method, value_date, None, chosen)
        ask: Request[Payment] = self.request(key, plain(received))
        return receive_payment(received, ask, self.firm, self.books, self.books, self.clock, self.ids)

    def allocate(
        self, account_id: str, payment_id: str, *allocations: Allocation, currency: str = "EUR", key: str | None = None
    ) -> Answer:
        ask: Request[Payment] = self.request(key, plain(allocations))
        return allocate_payment(account_id, payment_id, currency, allocations, ask, self.firm, self.books, self.clock)

    def goodwill(
        self,
        account_id: str,
        minor: int,
        option: TaxOption = TaxOption.INCLUDED,
        code: str | None = "VAT21",
        currency: str = "EUR",
        key: str | None = None,
    ) -> Answer:
        terms = CreditTerms(CreditKind.GOODWILL, "sorry for the delay")
        wish = CreditWish(account_id, Money(minor, currency), option, terms, code)
        ask: Request[Credit] = self.request(key, plain(wish))
        return issue_credit(wish, ask, self.firm, self.books, self.clock, self.ids)

    def checkout(self, account_id: str, invoice_id: str, key: str | None = None) -> tuple[Payment, Answer]:
        def return_url(payment: Payment) -> str:
            return f"https://firm.example/pay/{payment.id}"

        ask: Request[Payment] = self.request(key, invoice_id)
        wish = CheckoutWish(account_id, [Pick(invoice_id)])
        return start_checkout(wish, ask, return_url, self.firm, self.books, self.gateway, self.clock, self.ids)

    def gateway_says(self, report: GatewayReport, event_id: str) -> Answer:
        """One of the gateway's events; the same id again is the same event."""
        ask: Request[Payment] = Request(STRIPE, "event", event_id, "payment_intent", plain, lifetime=None)
        return apply_gateway_report(report, ask, self.firm, self.books, self.clock)

    def dun(self, account_id: str) -> DunningOutcome:
        return dun_account(account_id, self.firm, self.books, self.books, self.letters, self.mailer, self.clock)

    def run_dunning(self) -> list[DunningOutcome]:
        """What the schedule does once a day: every account that is due, found by the agenda."""
        due, _ = self.books.due(AgendaKind.DUNNING, self.firm.today(self.clock.now()).isoformat(), None, 10**6)
        return [self.dun(account_id) for account_id in dict.fromkeys(thing.account_id for thing in due)]

    # What is in the books

    def account(self, account_id: str) -> Account:
        return self.books.read(account_ref(account_id))

    def balance(self, account_id: str, currency: str = "EUR") -> Balance:
        return self.books.read(balance_ref(account_id, currency))

    def order(self, account_id: str, order_id: str) -> Order:
        return self.books.read(order_ref(account_id, order_id))

    def document(self, account_id: str, invoice_id: str) -> Invoice:
        return self.books.read(invoice_ref(account_id, invoice_id))

    def item(self, account_id: str, invoice_id: str) -> OpenItem:
        return self.books.read(open_item_ref(account_id, invoice_id))

    def payment(self, account_id: str, payment_id: str) -> Payment:
        return self.books.read(payment_ref(account_id, payment_id))

    def credit(self, account_id: str, credit_id: str) -> Credit:
        return self.books.read(credit_ref(account_id, credit_id))

    def entries(self, account_id: str, currency: str = "EUR") -> list[JournalEntry]:
        return list(self.books.entries(account_id, currency))

    def differences(self, account_id: str) -> tuple[Difference, ...]:
        """What a replay of the account cannot explain; nothing, if all is well (L6)."""
        return replay_account(account_id, self.books).differences
