"""A small firm whose ledger is kept in memory by the domain's own rules, and a file store beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from remit.domain import posting_rules
from remit.domain.accounts import Account, Address
from remit.domain.actor import Actor, Channel
from remit.domain.credit_notes import CreditNote, CreditNoteTerms, LineCredit, credit_lines, new_credit_note
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption, new_credit
from remit.domain.errors import NotFoundError
from remit.domain.exports import Export
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, issue
from remit.domain.journal import Balance, JournalEntry
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import LineRequest, Order, price
from remit.domain.payments import Allocation, Payment, PaymentStatus, oldest_first
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund, RefundFrom, RefundSource, RefundStatus
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, Method, PaymentTerm
from remit.usecases.export_figures import Period
from remit.usecases.guards import AlreadyExistsError
from remit.usecases.ports import Changes, Loaded, Ref, firm_ref

CLERK = Actor("user-1", Channel.API)
TAX_CODES = {
    "VAT21": TaxCode("VAT21", TaxKind.STANDARD, Decimal(21)),
    "VAT9": TaxCode("VAT9", TaxKind.STANDARD, Decimal(9)),
    "vat9": TaxCode("vat9", TaxKind.STANDARD, Decimal("9.5")),
    "REVERSE": TaxCode("REVERSE", TaxKind.REVERSE_CHARGE, reason="Article 196"),
}
FIRM = Firm(
    "Remit BV", "billing@remit.example", Address("Kade 1", "Utrecht", "NL"), "Europe/Amsterdam", "EUR", tax_codes=TAX_CODES
)  # fmt: skip
NET30 = PaymentTerm.single("net30", "Net 30", Due(DueRule.NET_DAYS, 30))


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


@dataclass
class World:
    """An `ExportSource`. `lag` names entries that the indexes do not show yet."""

    names: dict[str, str] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    balances: dict[tuple[str, str], Balance] = field(default_factory=dict)
    open: dict[str, OpenItem] = field(default_factory=dict)
    all_invoices: list[Invoice] = field(default_factory=list)
    all_payments: dict[str, Payment] = field(default_factory=dict)
    all_credits: list[Credit] = field(default_factory=list)
    all_credit_notes: list[CreditNote] = field(default_factory=list)
    all_refunds: list[Refund] = field(default_factory=list)
    note_series: NumberSeries = field(default_factory=lambda: NumberSeries("CN-2026"))
    series: NumberSeries = field(default_factory=lambda: NumberSeries("INV-2026"))
    lag: set[str] = field(default_factory=set)

    # What the firm does

    def invoice(self, account_id: str, currency: str, lines: Sequence[LineRequest], on: date) -> Invoice | None:
        priced = price(lines, currency, FIRM, prices_include_tax=len(lines) % 2 == 0)
        if priced.totals.gross_minor == 0:
            return None
        account = Account(account_id, self.names.setdefault(account_id, account_id), "a@b.example", currency, noon(on))
        order = Order(f"ord_{len(self.all_invoices):04d}", account_id, priced, NET30, noon(on), reference="=PO+1")
        invoice, item, self.series = issue(order, account, FIRM, self.series, noon(on))
        operation = self._begin(account_id, currency, on)
        operation.create(item)
        operation.post(posting_rules.invoice_issued, invoice, None)
        self.all_invoices.append(invoice)
        self._finish(operation)
        return invoice

    def pay(self, account_id: str, currency: str, amount_minor: int, on: date, *, allocate: bool = True) -> Payment:
        payment = Payment(
            id=f"pay_{len(self.all_payments):04d}",
            account_id=account_id,
            currency=currency,
            amount_minor=amount_minor,
            method=Method.BANK_TRANSFER,
            cash_account="bank_transfer",
            status=PaymentStatus.SUCCEEDED,
            created_at=noon(on),
            value_date=on,
            reference="-1+1|cmd",
            unapplied_minor=amount_minor,
        )
        allocations = oldest_first(self._open_of(account_id, currency), amount_minor, on) if allocate else ()
        operation = self._begin(account_id, currency, on)
        operation.create(payment)
        self._pay_from(operation, payment, allocations, on)
        operation.post(posting_rules.payment_received, payment)
        self._finish(operation)
        return payment

    def allocate(self, payment_id: str, on: date) -> None:
        payment = self.all_payments[payment_id]
        open_ = self._open_of(payment.account_id, payment.currency)
        allocations = oldest_first(open_, payment.unapplied_minor, on)
        if allocations:
            operation = self._begin(payment.account_id, payment.currency, on)
            operation.hold(payment)
            self._pay_from(operation, payment, allocations, on)
            operation.post(posting_rules.payment_allocated, payment)
            self._finish(operation)

    def credit_note(self, invoice: Invoice, line: int, on: date, amount_minor: int | None = None) -> CreditNote:
        item = self.open[invoice.id]
        lines = credit_lines(invoice, item, [LineCredit(line, amount_minor)], TaxOption.INCLUDED)
        id, terms = f"cn_{len(self.all_credit_notes):04d}", CreditNoteTerms("=returned", rma="RMA-1")
        note, credit, marked, self.note_series = new_credit_note(
            id, invoice, item, lines, terms, self.note_series, on, noon(on), apply=True
        )
        operation = self._begin(invoice.account_id, invoice.currency, on)
        operation.hold(item)
        operation.change(marked)
        operation.create(credit)
        if note.applied_minor:
            operation.settle(credit.id, [Allocation(invoice.id, note.applied_minor)], on)
        operation.post(posting_rules.credit_note_issued, note)
        self.all_credit_notes.append(note)
        self.all_credits.append(operation.get(Credit, credit.id))
        self._finish(operation)
        return note

    def refund(self, payment_id: str, amount_minor: int, on: date, requested_on: date | None = None) -> Refund:
        """Give back what is unapplied of a payment; the gateway's calendar may say another day."""
        payment = self.all_payments[payment_id]
        sources = (RefundSource(RefundFrom.CREDIT, payment_id, amount_minor),)
        refund = Refund(
            f"rfd_{len(self.all_refunds):04d}", payment.account_id, payment.currency, amount_minor, payment.method,
            payment.cash_account, sources, RefundStatus.PENDING, requested_on or on, noon(on), CLERK, "@sorry", payment_id,
        )  # fmt: skip
        operation = self._begin(payment.account_id, payment.currency, on)
        operation.hold(payment)
        operation.create(refund)
        operation.change(payment.take(amount_minor).refund(amount_minor))
        operation.post(posting_rules.refund_requested, refund)
        self.all_refunds.append(refund)
        self._finish(operation)
        return refund

    def refund_arrives(self, refund: Refund, on: date) -> None:
        operation = self._begin(refund.account_id, refund.currency, on)
        operation.post_plain(posting_rules.refund_succeeded, refund)
        self._finish(operation)

    def write_off(self, invoice: Invoice, on: date) -> None:
        operation = self._begin(invoice.account_id, invoice.currency, on)
        operation.hold(self.open[invoice.id])
        operation.change(operation.item(invoice.id).write_off())
        operation.post(posting_rules.invoice_written_off, operation.item(invoice.id))
        self._finish(operation)

    def goodwill(self, account_id: str, currency: str, amount_minor: int, on: date, reason: str = "sorry") -> Credit:
        credit = new_credit(
            f"crd_{len(self.all_credits):04d}", account_id, Money(amount_minor, currency), TaxOption.INCLUDED,
            TAX_CODES["VAT21"], CreditTerms(CreditKind.GOODWILL, reason), on, noon(on),
        )  # fmt: skip
        operation = self._begin(account_id, currency, on, reason)
        operation.create(credit)
        operation.post_plain(posting_rules.credit_issued, credit)
        self.all_credits.append(credit)
        self._finish(operation)
        return credit

    def _begin(self, account_id: str, currency: str, on: date, reason: str | None = None) -> Operation:
        self.names.setdefault(account_id, account_id)
        balance = self.balances.get((account_id, currency), Balance(account_id, currency))
        return Operation(balance, Circumstances(on, noon(on), CLERK, reason))

    def _pay_from(self, operation: Operation, payment: Payment, allocations: Sequence[Allocation], on: date) -> None:
        operation.hold(*(self.open[allocation.invoice_id] for allocation in allocations))
        operation.pay_from(payment.id, allocations, on)

    def _finish(self, operation: Operation) -> None:
        for change in operation.changes():
            match change:
                case OpenItem():
                    self.open[change.invoice_id] = change
                case Payment():
                    self.all_payments[change.id] = change
                case JournalEntry():
                    self.journal.append(change)
                case Balance():
                    self.balances[(change.account_id, change.currency)] = change

    def _open_of(self, account_id: str, currency: str) -> list[OpenItem]:
        return [item for item in self.open.values() if (item.account_id, item.currency) == (account_id, currency)]

    # What the export reads

    def _months(self) -> list[str]:
        return sorted({f"{entry.draft.effective_on:%Y-%m}" for entry in self.journal})

    def months_before(self, month: str) -> Sequence[str]:
        return [each for each in self._months() if each < month]

    def months_after(self, month: str) -> Sequence[str]:
        return [each for each in self._months() if each > month]

    def entries(self, month: str) -> Iterator[JournalEntry]:
        def place(entry: JournalEntry) -> tuple[date, str, str, int]:
            return entry.draft.effective_on, entry.draft.account_id, entry.draft.currency, entry.sequence

        for entry in sorted(self.journal, key=place):
            if f"{entry.draft.effective_on:%Y-%m}" == month and entry.id not in self.lag:
                yield entry

    def chain(self, account_id: str, currency: str) -> Iterator[JournalEntry]:
        return (e for e in self.journal if (e.draft.account_id, e.draft.currency) == (account_id, currency))

    def open_amounts(self, currencies: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        items = [item for item in self.open.values() if item.open_minor and item.currency in currencies]
        return ((item.account_id, item.currency, item.open_minor) for item in items)

    def invoices(self, month: str) -> Iterator[Invoice]:
        return (invoice for invoice in self.all_invoices if f"{invoice.issued_on:%Y-%m}" == month)

    def payments(self, month: str) -> Iterator[Payment]:
        found = [payment for payment in self.all_payments.values() if f"{payment.value_date:%Y-%m}" == month]
        return iter(sorted(found, key=lambda payment: (payment.value_date, payment.account_id, payment.id)))

    def credits(self, month: str) -> Iterator[Credit]:
        found = [credit for credit in self.all_credits if f"{credit.issued_on:%Y-%m}" == month]
        return iter(sorted(found, key=lambda credit: (credit.issued_on, credit.account_id, credit.id)))

    def credit_notes(self, month: str) -> Iterator[CreditNote]:
        return (note for note in self.all_credit_notes if f"{note.issued_on:%Y-%m}" == month)

    def refunds(self, month: str) -> Iterator[Refund]:
        period = Period.parse(month)
        first, last = period.first_day - timedelta(days=1), period.day_after
        found = [refund for refund in self.all_refunds if first <= refund.requested_on <= last]
        return iter(sorted(found, key=lambda refund: (refund.requested_on, refund.account_id, refund.id)))

    def account_names(self, account_ids: Sequence[str], on: date) -> Mapping[str, str]:
        return {account_id: self.names[account_id] for account_id in account_ids}


class MemoryFile:
    def __init__(self, files: dict[str, bytes], key: str) -> None:
        self._files, self._key, self._data = files, key, bytearray()

    def write(self, data: bytes) -> None:
        self._data += data

    def close(self) -> None:
        self._files[self._key] = bytes(self._data)

    def abort(self) -> None:
        self._data.clear()


class MemoryStore:
    """An `ExportStore`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def create(self, key: str, content_type: str) -> MemoryFile:
        assert content_type
        return MemoryFile(self.files, key)

    def read(self, key: str) -> Iterator[bytes]:
        if key not in self.files:
            raise NotFoundError("file_not_found", "The export has no such file.")
        yield self.files[key]

    def presign(self, key: str) -> str:
        return f"https://files.example/{key}"

    def text(self, key: str) -> str:
        return self.files[key].decode()


class MemoryBooks:
    """As much of `Books` as exports use."""

    def __init__(self, firm: Firm | None = FIRM) -> None:
        self.things: dict[Ref[Any], Any] = {firm_ref(): firm} if firm else {}

    def load(self, *refs: Ref[Any], consistent: bool = True) -> Loaded:
        return Loaded({ref: self.things[ref] for ref in refs if ref in self.things})

    def commit(self, changes: Changes) -> None:
        for change in changes:
            ref = Ref(type(change), "", change.id)
            stored = self.things.get(ref)
            if stored is not None and change.version == 0:
                raise AlreadyExistsError(type(change).__name__, change.id)
            assert change.version == (stored.version if stored else 0)
            self.things[ref] = replace(change, version=change.version + 1)


@dataclass
class FixedClock:
    instant: datetime

    def now(self) -> datetime:
        return self.instant


def export_of(period: str, *, id: str = "exp_1", requested_at: datetime | None = None) -> Export:
    """An export requested a long time after everything that the tests do."""
    return Export(id, period, CLERK, requested_at or datetime(2028, 1, 1, tzinfo=UTC))


def line(minor: int, code: str = "VAT21", *, description: str = "Work", category: str = "services") -> LineRequest:
    return LineRequest(description, Decimal(1), minor, code, category)


def renamed(world: World, account_id: str, name: str) -> World:
    return replace(world, names=world.names | {account_id: name})
