"""What the use cases need from the world, as small protocols; the adapters and the tests' fakes keep them.

`Books` is the ledger's store. It has one way to read what decides (`load`: strongly consistent unless told
otherwise, one request) and one way to write (`commit`: all or nothing). Everything else that reads
proposes only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Protocol

from remit.domain.accounts import Account, AccountChange, Note, SavedMethod
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.dunning import DueReminder, Notice, PolicyRevision
from remit.domain.dunning_trials import PolicyTrial
from remit.domain.exports import Export
from remit.domain.firm import Firm
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber
from remit.domain.journal import Balance, JournalEntry
from remit.domain.mail_templates import MailTemplate
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import GatewayReport, Payment
from remit.domain.plans import Plan, PlanVersion
from remit.domain.refunds import Refund, RefundReport
from remit.domain.subscriptions import Subscription, SubscriptionEvent
from remit.domain.summaries import OpenInvoices, RecentTransactions, SummaryEnrolment, SummarySchedule
from remit.domain.totals import ChainMark, Totals, TotalsGenerations, TotalsKey, TotalsKind
from remit.domain.wallet import WalletCharge
from remit.usecases.guards import Guard


@dataclass(frozen=True, slots=True)
class Ref[T]:
    """Points to one stored thing: its class, the account it belongs to (or "" for the firm's), and its id."""

    type: type[T]
    owner: str
    id: str = ""


def account_ref(account_id: str) -> Ref[Account]:
    return Ref(Account, account_id)


def balance_ref(account_id: str, currency: str) -> Ref[Balance]:
    return Ref(Balance, account_id, currency)


def order_ref(account_id: str, order_id: str) -> Ref[Order]:
    return Ref(Order, account_id, order_id)


def invoice_ref(account_id: str, invoice_id: str) -> Ref[Invoice]:
    return Ref(Invoice, account_id, invoice_id)


def open_item_ref(account_id: str, invoice_id: str) -> Ref[OpenItem]:
    return Ref(OpenItem, account_id, invoice_id)


def payment_ref(account_id: str, payment_id: str) -> Ref[Payment]:
    return Ref(Payment, account_id, payment_id)


def credit_ref(account_id: str, credit_id: str) -> Ref[Credit]:
    return Ref(Credit, account_id, credit_id)


def credit_note_ref(account_id: str, credit_note_id: str) -> Ref[CreditNote]:
    return Ref(CreditNote, account_id, credit_note_id)


def refund_ref(account_id: str, refund_id: str) -> Ref[Refund]:
    return Ref(Refund, account_id, refund_id)


def wallet_charge_ref(account_id: str, charge_id: str) -> Ref[WalletCharge]:
    return Ref(WalletCharge, account_id, charge_id)


def plan_ref(plan_id: str) -> Ref[Plan]:
    return Ref(Plan, plan_id)


def plan_version_ref(plan_id: str, number: int) -> Ref[PlanVersion]:
    return Ref(PlanVersion, plan_id, f"{number:08d}")


def subscription_ref(account_id: str, subscription_id: str) -> Ref[Subscription]:
    return Ref(Subscription, account_id, subscription_id)


def note_ref(account_id: str, note_id: str) -> Ref[Note]:
    return Ref(Note, account_id, note_id)


def entry_ref(account_id: str, currency: str, sequence: int) -> Ref[JournalEntry]:
    return Ref(JournalEntry, account_id, f"{currency}#{sequence:010d}")


def lot_ref(account_id: str, lot_id: str) -> Ref[Payment | Credit]:
    """A lot of credit is a payment or a credit; its id says which."""
    return Ref(Payment if lot_id.startswith("pay_") else Credit, account_id, lot_id)


def series_ref(name: str) -> Ref[NumberSeries]:
    return Ref(NumberSeries, "", name)


def spoiled_number_ref(number: str) -> Ref[SpoiledNumber]:
    return Ref(SpoiledNumber, "", number)


def batch_ref(batch_id: str) -> Ref[InvoiceBatch]:
    return Ref(InvoiceBatch, "", batch_id)


def message_ref(account_id: str, message_id: str) -> Ref[Message]:
    return Ref(Message, account_id, message_id)


def mail_template_ref(key: str, id: str) -> Ref[MailTemplate]:
    return Ref(MailTemplate, key, id)


def export_ref(export_id: str) -> Ref[Export]:
    return Ref(Export, "", export_id)


def policy_trial_ref(trial_id: str) -> Ref[PolicyTrial]:
    return Ref(PolicyTrial, "", trial_id)


def guard_ref(kind: str, value: str) -> Ref[Guard]:
    return Ref(Guard, kind, value)


def chain_mark_ref(account_id: str, currency: str) -> Ref[ChainMark]:
    return Ref(ChainMark, account_id, currency)


def totals_ref(generation: int, key: TotalsKey) -> Ref[Totals]:
    return Ref(Totals, str(generation), f"{key.kind}/{key.currency}/{key.period}/{key.shard}")


def totals_key_of(ref: Ref[Totals]) -> TotalsKey:
    """The key that `totals_ref` wrote into a reference."""
    kind, currency, period, shard = ref.id.split("/")
    return TotalsKey(TotalsKind(kind), currency, period, int(shard))


def totals_generations_ref() -> Ref[TotalsGenerations]:
    return Ref(TotalsGenerations, "")


def summary_schedule_ref(schedule_id: str) -> Ref[SummarySchedule]:
    return Ref(SummarySchedule, "", schedule_id)


def summary_enrolment_ref(account_id: str, schedule_id: str) -> Ref[SummaryEnrolment]:
    return Ref(SummaryEnrolment, account_id, schedule_id)


def policy_revision_ref(policy_id: str, revision: int) -> Ref[PolicyRevision]:
    return Ref(PolicyRevision, policy_id, str(revision))


def firm_ref() -> Ref[Firm]:
    return Ref(Firm, "")


def place_of(thing: AccountChange | Note | Message | SubscriptionEvent) -> str:
    """The cursor with which `Journal.newest` goes on behind this thing."""
    if isinstance(thing, AccountChange):
        return f"{thing.number:08d}"
    if isinstance(thing, Message):
        return f"{thing.claimed_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}~{thing.id}"
    return thing.id


class Loaded:
    """What `Books.load` found, by reference."""

    def __init__(self, found: Mapping[Ref[Any], Any]) -> None:
        self._found = found

    def get[T](self, ref: Ref[T]) -> T | None:
        found: T | None = self._found.get(ref)
        return found


type Changes = list[Any]
"""What one operation writes: domain objects. `version` is the one that was loaded, and must still be the store's;
0, or having none (what is written once), means that it must not exist yet. The store counts versions, nobody else."""


class Books(Protocol):
    """The ledger's store."""

    def load(self, *refs: Ref[Any], consistent: bool = True) -> Loaded:
        """Read the things named, in one request. What does not exist is absent from the result."""
        ...

    def commit(self, changes: Changes) -> None:
        """Write all of `changes` or nothing, in one transaction (one alone: as a plain conditional write, at half the price).

        Raises `GuardTakenError` (with the guard) when a guard in it exists, `AlreadyExistsError` when another
        thing to create does, `ConflictError` when a version moved on, `TransientError` when the store was busy
        or its answer was lost. After a lost answer the changes may have been written.
        """
        ...


class Journal(Protocol):
    """Reads over many entries and documents. They follow the writes with a moment's delay unless said otherwise."""

    def open_items(self, account_id: str, currency: str | None = None, *, limit: int | None = None) -> Sequence[OpenItem]:
        """Open items of an account, oldest due first (from the index: they propose, they do not decide)."""
        ...

    def entries(
        self,
        account_id: str,
        currency: str,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[JournalEntry]:
        """An account's entries in one currency in sequence, those between two numbers, strongly consistent."""
        ...

    def account_with_balances(self, account_id: str, *, consistent: bool = True) -> tuple[Account | None, Sequence[Balance]]:
        """The account and its balances, one per currency it ever used: one read, strongly consistent unless told otherwise."""
        ...

    def accounts(self, cursor: str | None, limit: int) -> tuple[list[Account], str | None]:
        """All accounts, oldest first, `limit` at a time, and where to go on."""
        ...

    def account_ids(self) -> Iterator[str]:
        """The ids of all accounts, oldest first."""
        ...

    def plans(self, cursor: str | None, limit: int) -> tuple[list[Plan], str | None]:
        """All plans by id, `limit` at a time, and where to go on."""
        ...

    def everything(self, account_id: str) -> Iterator[Any]:
        """Everything stored of an account in the order of its keys, strongly consistent, page by page.

        The account and its balances come first, and balances before entries; entries by currency in sequence. What
        cannot be read comes as `domain.audit.Unreadable`.
        """
        ...

    def newest[T](self, type: type[T], account_id: str, cursor: str | None, limit: int) -> tuple[list[T], str | None]:
        """An account's things of one class (open items, payments, credits, messages, changes), newest first.

        Messages by an index, a moment behind; all others strongly consistent.
        """
        ...

    def series(self) -> Sequence[str]:
        """The names of all number series ever used."""
        ...

    def document_numbers(self, series: str) -> Iterator[str]:
        """The numbers of all invoices or credit notes of a series, spoiled ones among them, in their order."""
        ...

    def unfinished_batches(self) -> Sequence[str]:
        """The ids of the invoice batches that have taken numbers and not settled all of them."""
        ...

    def invoiced_accounts(self, series: str) -> Iterator[str]:
        """The account of each invoice of a series, in the order of numbers; a spoiled number is nobody's."""
        ...

    def summary_schedules(self) -> Sequence[SummarySchedule]:
        """The schedules of account summaries that were not removed, oldest first."""
        ...

    def enrolled_accounts(self, schedule_id: str, cursor: str | None, limit: int) -> tuple[list[str], str | None]:
        """The accounts that get the summaries of a schedule, `limit` at a time, and where to go on."""
        ...


class AgendaKind(StrEnum):
    """What can be due, one partition of the agenda each."""

    DUNNING = "dunning"  # a balance, by date
    COLLECTION = "collection"  # an open item whose saved method is charged, by date
    OUTCOME = "outcome"  # a payment whose outcome the gateway is asked for, by instant
    AUTHORIZATION = "authorization"  # an authorised payment that expires, by instant
    REFUND = "refund"  # a refund on hold that is given to the processor, by instant
    CARD_EXPIRY = "card_expiry"  # an account whose default card expires, by date
    LATE_INTEREST = "late_interest"  # an open item that was paid late, by date
    CREDIT_EXPIRY = "credit_expiry"  # a credit that can no longer be used, by date
    SUMMARY = "summary"  # an account's enrolment in a schedule of summaries, by the instant of its next slot
    SUMMARY_SCHEDULE = "summary_schedule"  # a schedule whose enrolments are to be planned anew, by instant
    SUBSCRIPTION = "subscription"  # a subscription whose next period is billed, by instant
    INVOICE_BATCH = "invoice_batch"  # a batch with numbers that are not settled, by the instant at which it took them


@dataclass(frozen=True, slots=True)
class DueThing:
    """Something whose time has come: the account ("" for the firm's own), and the id of the balance's currency, open item,
    payment, refund, credit or schedule; empty for the account itself."""

    account_id: str
    id: str


class Agenda(Protocol):
    """What is due by date: found by an index that holds nothing else."""

    def due(self, kind: AgendaKind, until: str, cursor: str | None, limit: int) -> tuple[list[DueThing], str | None]:
        """Things of a kind due at `until` (ISO date or instant) or before, at most `limit`, and where to go on.

        Going on is safe while things move: those that stay are found once, one that moves behind the cursor again.
        """
        ...


class TotalsStore(Protocol):
    """The firm's totals, many at a time. Reads follow the writes with a moment's delay."""

    def shard_of(self, account_id: str) -> int:
        """The shard whose totals the account's entries are counted in: for ever the same."""
        ...

    def standing(self, generation: int, currency: str | None = None) -> Sequence[Totals]:
        """How things stand, of one currency or of all, a thing per shard."""
        ...

    def of_periods(self, generation: int, kind: TotalsKind, currency: str, first: str, last: str) -> Sequence[Totals]:
        """Totals of a kind and currency in the periods from `first` to `last`, both included, a thing per period and shard."""
        ...

    def drop(self, generation: int) -> None:
        """Delete all totals of a generation that is no longer read. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail ready to send, with what it was made of. The secrets of its links are masked: the `Mailer` puts them in.

    `template_failure`: why the firm's own template was not used, though it is in use; the built-in one was instead (N4).
    """

    template: str
    template_version: str
    subject: str
    html: str
    text: str
    model: dict[str, Any]
    template_failure: str | None = None


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What follows a failed payment: when it is tried again, or that only the payer can do something. Neither: unknown."""

    next_attempt_on: date | None = None
    must_act: bool = False


class Letters(Protocol):
    """Writes the e-mails, in the account's language."""

    def invoice(self, firm: Firm, account: Account, invoice: Invoice, item: OpenItem, now: datetime) -> Letter: ...

    def receipt(self, firm: Firm, account: Account, payment: Payment, invoices: Sequence[OpenItem], now: datetime) -> Letter: ...

    def dunning(self, firm: Firm, account: Account, notice: Notice, now: datetime) -> Letter: ...

    def reminder(self, firm: Firm, account: Account, due: DueReminder, now: datetime) -> Letter: ...

    def summary(self, firm: Firm, account: Account, summary: OpenInvoices | RecentTransactions, now: datetime) -> Letter: ...

    def payment_failed(
        self, firm: Firm, account: Account, payment: Payment, items: Sequence[OpenItem], plan: RetryPlan, now: datetime
    ) -> Letter: ...

    def card_expiring(self, firm: Firm, account: Account, method: SavedMethod) -> Letter: ...

    def refund_made(self, firm: Firm, account: Account, refund: Refund, made_on: date) -> Letter: ...

    def credit_issued(self, firm: Firm, account: Account, credit: Credit) -> Letter: ...

    def credit_note_issued(self, firm: Firm, account: Account, note: CreditNote) -> Letter: ...


class Cron(Protocol):
    """Reads cron expressions of five fields as times on a clock on the wall: without a zone, and without daylight saving."""

    def require(self, expression: str) -> None:
        """`InvalidError`: `bad_cron_expression`, `cron_too_frequent` (more than once an hour), or `cron_never_comes` (30
        February)."""
        ...

    def after(self, expression: str, wall: datetime) -> Iterator[datetime]:
        """The times later than `wall`, in their order."""
        ...

    def before(self, expression: str, wall: datetime) -> Iterator[datetime]:
        """The times earlier than `wall`, latest first."""
        ...


class MailTemplates(Protocol):
    """The firm's own templates (N4)."""

    def versions(self, key: str, cursor: str | None, limit: int) -> tuple[list[MailTemplate], str | None]:
        """Versions of a template, newest first, and where to go on."""
        ...


class Clock(Protocol):
    """The one clock of the whole system (O3)."""

    def now(self) -> datetime:
        """The current instant, with time zone UTC."""
        ...


class Ids(Protocol):
    """Makes ids that are unique and sort by time."""

    def new(self, prefix: str) -> str:
        """A new id such as `ord_01jdx…`."""
        ...


@dataclass(frozen=True, slots=True)
class CheckoutPage:
    """A payment page that the gateway hosts."""

    url: str
    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays on a hosted page: an e-mail address, or the gateway's own customer when a method is to be saved."""

    email: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentName:
    """Which of our payments a gateway's object belongs to."""

    payment_id: str
    account_id: str
    invoice_ids: tuple[str, ...]


class PaymentGateway(Protocol):
    """A payment gateway with hosted pages: card data never passes through Remit (G5).

    Every call may raise `TransientError` (the outcome is unknown; the same call again is safe: ids of ours are its
    idempotency keys), `GatewayFailedError` (the same call will never be answered otherwise) and `RuleError` (refused for good,
    nothing was done). `now` is the instant at which an answer counts as told.
    """

    name: str

    def start_checkout(self, payment: Payment, description: str, payer: Payer, return_url: str) -> CheckoutPage:
        """Open (or find again, by `payment.id`) a hosted checkout of `payment.amount_minor`.

        `return_url` is where the payer comes back to, paid or not.
        """
        ...

    def expire_checkout(self, payment: Payment) -> bool:
        """Close the payment's hosted page. False when it is too late: the payer has completed it."""
        ...

    def create_customer(self, account: Account) -> str:
        """The id of the gateway's customer who keeps the account's methods."""
        ...

    def start_setup(self, setup_id: str, account_id: str, customer_id: str, currency: str, return_url: str) -> CheckoutPage:
        """Open (or find again, by `setup_id`) a hosted page on which the customer saves a payment method."""
        ...

    def saved_method(self, method_id: str, saved_at: datetime) -> SavedMethod | None:
        """What the customer knows the method by; None when it is of a kind that is not charged later, or was given up again."""
        ...

    def forget_method(self, method_id: str) -> None:
        """Give a saved method up; one that is gone already is no error."""
        ...

    def charge(self, payment: Payment, customer_id: str, description: str, now: datetime) -> GatewayReport:
        """Charge `payment.saved_method` without the payer: what came of it, a decline included (P3, P4)."""
        ...

    def look_up(self, payment: Payment, now: datetime) -> GatewayReport | None:
        """How the payment stands at the gateway; None when the gateway knows no such payment (yet)."""
        ...

    def capture(self, payment: Payment, now: datetime) -> GatewayReport:
        """Take `payment.capture_minor` of what is authorised and release the rest (P7)."""
        ...

    def cancel(self, payment: Payment, now: datetime) -> GatewayReport:
        """Release an authorisation, or call back what was not sent yet."""
        ...

    def refund(self, refund: Refund, payment: Payment, *, asked_before: bool) -> RefundReport:
        """Give money of `payment` back (or find again, by `refund.id`), and say how that stands.

        `asked_before`: an earlier call may have done it, however long ago. Raises `TransientError` when the outcome is
        unknown (calling again with `asked_before` is safe), `RuleError` when the gateway refuses: nothing was given back.
        """
        ...

    def payment_of(self, transaction_id: str) -> PaymentName | None:
        """Which of our payments a transaction of the gateway is about, for events that do not say it; None for none."""
        ...


class Mailer(Protocol):
    """Sends one rendered e-mail, after putting the secrets of its links in."""

    def send(self, to: str, subject: str, html: str, text: str, message_id: str, account_id: str) -> str:
        """Hand the message over and return the provider's id of it; `TransientError` when it may go later.

        What becomes of it is reported under both ids.
        """
        ...
