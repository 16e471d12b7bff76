"""The CSV set: one table a file, for spreadsheets and for programs without an import of their own.

RFC 4180: UTF-8, a heading, CRLF, quotes where needed. Dates are ISO 8601, instants UTC, amounts have a dot and the
digits of their currency. Only frozen facts are exported, none that a later payment would change.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from remit.domain.credit_notes import CreditNote, CreditNoteLine
from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.journal import EntryKind, JournalEntry, Posting, Side
from remit.domain.money import decimal_text
from remit.domain.orders import Line, LineShare
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.domain.tax import TaxSubtotal
from remit.usecases.export_figures import LedgerAccount, Movement
from remit.usecases.export_files import Folder, Renderer, TextFile

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV injection), full-width forms included."""

type Columns[T] = Mapping[str, Callable[[T], Any]]
"""Heading → the cell of a row. The order is the file's; new columns go to the end."""


class _Figure(str):
    """Text that is a number of ours: a leading minus is no formula."""

    __slots__ = ()


def _amount(amount_minor: int, currency: str) -> _Figure:
    return _Figure(decimal_text(amount_minor, currency))


def cell(value: Any) -> str:
    """One value as text. Text from people that a spreadsheet would run is prefixed with an apostrophe.

    >>> cell('=HYPERLINK("http://evil.example")'), cell(Decimal("1.50")), cell(None), cell(True)
    ('\\'=HYPERLINK("http://evil.example")', '1.50', '', 'true')
    """
    if isinstance(value, str) and not isinstance(value, _Figure):
        clean = value.replace("\0", "")
        return f"'{clean}" if clean.startswith(_FORMULA_STARTS) else clean
    return _PLAIN[type(value)](value)


_PLAIN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    _Figure: str,
    bool: lambda flag: "true" if flag else "false",
    int: str,
    Decimal: lambda number: format(number, "f"),
    date: date.isoformat,
    datetime: lambda instant: instant.astimezone(UTC).isoformat(),
}


class _LineRow(NamedTuple):
    invoice: Invoice
    number: int
    line: Line
    share: LineShare


class _TaxRow(NamedTuple):
    """A tax category of an invoice, or (`sign` −1) what a deposit that it deducts had of it."""

    invoice: Invoice
    subtotal: TaxSubtotal
    sign: int = 1
    deposit_id: str | None = None


class _PaymentRow(NamedTuple):
    payment: Payment
    account_name: str


class _CreditRow(NamedTuple):
    credit: Credit
    account_name: str


class _CreditNoteRow(NamedTuple):
    note: CreditNote
    line: CreditNoteLine


class _RefundRow(NamedTuple):
    refund: Refund
    account_name: str


class _AllocationRow(NamedTuple):
    """What an entry settled of one invoice; below zero when it was opened again."""

    entry: JournalEntry
    invoice_id: str
    amount_minor: int
    discount_minor: int


class _PostingRow(NamedTuple):
    entry: JournalEntry
    account_name: str
    number: int
    posting: Posting


class _BalanceRow(NamedTuple):
    account: LedgerAccount
    movement: Movement


INVOICES: Columns[Invoice] = {
    "invoice_id": lambda i: i.id,
    "number": lambda i: i.number,
    "issued_on": lambda i: i.issued_on,
    "due_on": lambda i: max((part.due_date for part in i.parts if part.due_date), default=None),
    "account_id": lambda i: i.account_id,
    "buyer_name": lambda i: i.buyer.name,
    "buyer_country": lambda i: i.buyer.address.country if i.buyer.address else None,
    "buyer_tax_ids": lambda i: " ".join(tax_id.value for tax_id in i.buyer.tax_ids),
    "order_id": lambda i: i.order_id,
    "reference": lambda i: i.reference,
    "term_id": lambda i: i.term.id,
    "currency": lambda i: i.currency,
    "net": lambda i: _amount(i.priced.totals.net_minor, i.currency),
    "tax": lambda i: _amount(i.priced.totals.tax_minor, i.currency),
    "gross": lambda i: _amount(i.priced.totals.gross_minor, i.currency),
    "kind": lambda i: str(i.kind),
    "deducted": lambda i: _amount(i.priced.totals.gross_minor - i.total_minor, i.currency),
    "payable": lambda i: _amount(i.total_minor, i.currency),
    "discount_until": lambda i: i.discount_until,
    "discount": lambda i: _amount(i.priced.discount.gross_minor if i.priced.discount else 0, i.currency),
    "reverses": lambda i: i.reverses,
}
"""`net` + `tax` = `gross`, of the lines; less the deposits `deducted` it is `payable`. `discount` is what an early payment saves.
`due_on` is the last date; empty while everything waits for its delivery."""

INVOICE_LINES: Columns[_LineRow] = {
    "invoice_id": lambda r: r.invoice.id,
    "invoice_number": lambda r: r.invoice.number,
    "line": lambda r: r.number,
    "description": lambda r: r.line.description,
    "category": lambda r: r.line.category,
    "quantity": lambda r: r.line.quantity,
    "currency": lambda r: r.invoice.currency,
    "unit_price": lambda r: _amount(r.line.unit_price_minor, r.invoice.currency),
    "amount": lambda r: _amount(r.line.amount_minor, r.invoice.currency),
    "includes_tax": lambda r: r.invoice.priced.prices_include_tax,
    "tax_code": lambda r: r.line.tax_code.code,
    "tax_rate_percent": lambda r: r.line.tax_code.rate,
    "charge": lambda r: str(r.line.charge) if r.line.charge else None,
    "net": lambda r: _amount(r.share.net_minor, r.invoice.currency),
    "tax": lambda r: _amount(r.share.tax_minor, r.invoice.currency),
}

INVOICE_TAXES: Columns[_TaxRow] = {
    "invoice_id": lambda r: r.invoice.id,
    "invoice_number": lambda r: r.invoice.number,
    "tax_code": lambda r: r.subtotal.tax_code.code,
    "tax_kind": lambda r: str(r.subtotal.tax_code.kind),
    "tax_rate_percent": lambda r: r.subtotal.tax_code.rate,
    "reason": lambda r: r.subtotal.tax_code.reason,
    "currency": lambda r: r.invoice.currency,
    "taxable": lambda r: _amount(r.sign * r.subtotal.taxable_minor, r.invoice.currency),
    "tax": lambda r: _amount(r.sign * r.subtotal.tax_minor, r.invoice.currency),
    "deposit_invoice_id": lambda r: r.deposit_id,
}

PAYMENTS: Columns[_PaymentRow] = {
    "payment_id": lambda r: r.payment.id,
    "value_date": lambda r: r.payment.value_date,
    "account_id": lambda r: r.payment.account_id,
    "account_name": lambda r: r.account_name,
    "method": lambda r: str(r.payment.method),
    "cash_account": lambda r: r.payment.cash_account,
    "reference": lambda r: r.payment.reference,
    "currency": lambda r: r.payment.currency,
    "amount": lambda r: _amount(r.payment.amount_minor, r.payment.currency),
    "card_fee": lambda r: _amount(r.payment.fee.gross_minor if r.payment.fee else 0, r.payment.currency),
}

ALLOCATIONS: Columns[_AllocationRow] = {
    "entry_id": lambda r: r.entry.id,
    "allocated_on": lambda r: r.entry.draft.effective_on,
    "account_id": lambda r: r.entry.draft.account_id,
    "payment_id": lambda r: _documents(r, "payment"),
    "invoice_id": lambda r: r.invoice_id,
    "currency": lambda r: r.entry.draft.currency,
    "amount": lambda r: _amount(r.amount_minor, r.entry.draft.currency),
    "kind": lambda r: str(r.entry.draft.kind),
    "credit_id": lambda r: _documents(r, "credit"),
    "discount": lambda r: _amount(r.discount_minor, r.entry.draft.currency),
}
"""`amount` is what the invoice no longer asks for, a `discount` taken included; below zero when it asks for it again."""

CREDITS: Columns[_CreditRow] = {
    "credit_id": lambda r: r.credit.id,
    "issued_on": lambda r: r.credit.issued_on,
    "account_id": lambda r: r.credit.account_id,
    "account_name": lambda r: r.account_name,
    "kind": lambda r: str(r.credit.kind),
    "tax_option": lambda r: str(r.credit.tax_option),
    "tax_code": lambda r: r.credit.tax_code,
    "reason": lambda r: r.credit.reason,
    "currency": lambda r: r.credit.currency,
    "net": lambda r: _amount(r.credit.gross_minor - r.credit.tax_minor, r.credit.currency),
    "tax": lambda r: _amount(r.credit.tax_minor, r.credit.currency),
    "gross": lambda r: _amount(r.credit.gross_minor, r.credit.currency),
    "subscription_id": lambda r: r.credit.subscription_id,
    "expires_on": lambda r: r.credit.expires_on,
    "refundable": lambda r: r.credit.is_refundable,
}
"""Credits given outside any invoice; what a credit note leaves is in its own file."""

CREDIT_NOTES: Columns[CreditNote] = {
    "credit_note_id": lambda n: n.id,
    "number": lambda n: n.number,
    "issued_on": lambda n: n.issued_on,
    "account_id": lambda n: n.account_id,
    "buyer_name": lambda n: n.buyer.name,
    "buyer_country": lambda n: n.buyer.address.country if n.buyer.address else None,
    "buyer_tax_ids": lambda n: " ".join(tax_id.value for tax_id in n.buyer.tax_ids),
    "invoice_id": lambda n: n.invoice_id,
    "invoice_number": lambda n: n.invoice_number,
    "invoice_issued_on": lambda n: n.invoice_issued_on,
    "order_id": lambda n: n.order_id,
    "rma": lambda n: n.rma,
    "tax_option": lambda n: str(n.tax_option),
    "reason": lambda n: n.reason,
    "currency": lambda n: n.currency,
    "net": lambda n: _amount(n.net_minor, n.currency),
    "tax": lambda n: _amount(n.tax_minor, n.currency),
    "gross": lambda n: _amount(n.gross_minor, n.currency),
    "applied": lambda n: _amount(n.applied_minor, n.currency),
    "credit_id": lambda n: n.credit_id,
}
"""`applied` of the gross was taken off its invoice at once; the rest is the credit `credit_id`."""

CREDIT_NOTE_LINES: Columns[_CreditNoteRow] = {
    "credit_note_id": lambda r: r.note.id,
    "credit_note_number": lambda r: r.note.number,
    "invoice_line": lambda r: r.line.line,
    "description": lambda r: r.line.description,
    "category": lambda r: r.line.category,
    "currency": lambda r: r.note.currency,
    "net": lambda r: _amount(r.line.net_minor, r.note.currency),
    "tax": lambda r: _amount(r.line.tax_minor, r.note.currency),
    "tax_code": lambda r: r.line.tax_code.code,
    "tax_rate_percent": lambda r: r.line.tax_code.rate,
}

REFUNDS: Columns[_RefundRow] = {
    "refund_id": lambda r: r.refund.id,
    "requested_on": lambda r: r.refund.requested_on,
    "account_id": lambda r: r.refund.account_id,
    "account_name": lambda r: r.account_name,
    "method": lambda r: str(r.refund.method),
    "cash_account": lambda r: r.refund.cash_account,
    "payment_id": lambda r: r.refund.payment_id,
    "credit_note_id": lambda r: r.refund.credit_note_id,
    "reason": lambda r: r.refund.reason,
    "currency": lambda r: r.refund.currency,
    "amount": lambda r: _amount(r.refund.amount_minor, r.refund.currency),
}
"""What was asked for in the month; how it ended is an entry of its own, of whichever month."""

TRANSACTIONS: Columns[_PostingRow] = {
    "entry_id": lambda r: r.entry.id,
    "line": lambda r: r.number,
    "effective_on": lambda r: r.entry.draft.effective_on,
    "recorded_at": lambda r: r.entry.draft.recorded_at,
    "kind": lambda r: str(r.entry.draft.kind),
    "account_id": lambda r: r.entry.draft.account_id,
    "account_name": lambda r: r.account_name,
    "ledger_account": lambda r: r.posting.account,
    "currency": lambda r: r.entry.draft.currency,
    "debit": lambda r: _side(r, Side.DEBIT),
    "credit": lambda r: _side(r, Side.CREDIT),
    "document_id": lambda r: r.posting.document_id,
    "invoice_ids": lambda r: _documents(r, "invoice"),
    "payment_ids": lambda r: _documents(r, "payment"),
    "credit_ids": lambda r: _documents(r, "credit"),
    "gateway_ids": lambda r: _documents(r, "gateway"),
    "order_id": lambda r: r.entry.draft.order_id,
    "reason": lambda r: r.entry.draft.reason,
    "actor_id": lambda r: r.entry.draft.actor.id,
    "channel": lambda r: str(r.entry.draft.actor.channel),
    "hash": lambda r: r.entry.hash,
    "credit_note_ids": lambda r: _documents(r, "credit_note"),
    "refund_ids": lambda r: _documents(r, "refund"),
    "due_date": lambda r: r.posting.due_date,
    "reverses": lambda r: r.entry.draft.reverses,
}

BALANCES: Columns[_BalanceRow] = {
    "currency": lambda r: r.account.currency,
    "ledger_account": lambda r: r.account.account,
    "account_id": lambda r: r.account.owner,
    "opening": lambda r: _amount(r.movement.opening_minor, r.account.currency),
    "debits": lambda r: _amount(r.movement.debits_minor, r.account.currency),
    "credits": lambda r: _amount(r.movement.credits_minor, r.account.currency),
    "closing": lambda r: _amount(r.movement.closing_minor, r.account.currency),
}
"""The trial balance, debit positive, per customer where the account is kept per customer."""


def _side(row: _PostingRow, side: Side) -> _Figure | None:
    return _amount(row.posting.amount_minor, row.entry.draft.currency) if row.posting.side is side else None


def _documents(row: _PostingRow | _AllocationRow, role: str) -> str:
    return " ".join(row.entry.draft.documents.get(role, ()))


class _Table[T]:
    """One CSV file."""

    def __init__(self, folder: Folder, name: str, columns: Columns[T]) -> None:
        self._cells = tuple(columns.values())
        file = folder.create(f"{name}.csv")
        csv.writer(_Headings(file)).writerow(columns)
        self._writer = csv.writer(_Rows(file))

    def add(self, row: T) -> None:
        self._writer.writerow([cell(of(row)) for of in self._cells])


class _Headings:
    def __init__(self, file: TextFile) -> None:
        self.write = file.write


class _Rows:
    def __init__(self, file: TextFile) -> None:
        self.write = file.record


class CsvSet(Renderer):
    """All tables at once."""

    def __init__(self, folder: Folder) -> None:
        self._invoices = _Table(folder, "invoices", INVOICES)
        self._lines = _Table(folder, "invoice_lines", INVOICE_LINES)
        self._taxes = _Table(folder, "invoice_taxes", INVOICE_TAXES)
        self._payments = _Table(folder, "payments", PAYMENTS)
        self._allocations = _Table(folder, "allocations", ALLOCATIONS)
        self._credits = _Table(folder, "credits", CREDITS)
        self._credit_notes = _Table(folder, "credit_notes", CREDIT_NOTES)
        self._credit_note_lines = _Table(folder, "credit_note_lines", CREDIT_NOTE_LINES)
        self._refunds = _Table(folder, "refunds", REFUNDS)
        self._transactions = _Table(folder, "transactions", TRANSACTIONS)
        self._balances = _Table(folder, "balances", BALANCES)

    def entry(self, entry: JournalEntry, account_name: str) -> None:
        for number, posting in enumerate(entry.draft.postings, 1):
            self._transactions.add(_PostingRow(entry, account_name, number, posting))
        for row in _allocations(entry):
            self._allocations.add(row)

    def invoice(self, invoice: Invoice) -> None:
        self._invoices.add(invoice)
        for number, (line, share) in enumerate(zip(invoice.priced.lines, invoice.priced.shares(), strict=True), 1):
            self._lines.add(_LineRow(invoice, number, line, share))
        for subtotal in invoice.priced.totals.subtotals:
            self._taxes.add(_TaxRow(invoice, subtotal))
        for deduction in invoice.priced.deductions:
            for subtotal in deduction.subtotals:
                self._taxes.add(_TaxRow(invoice, subtotal, -1, deduction.invoice_id))

    def payment(self, payment: Payment, account_name: str) -> None:
        self._payments.add(_PaymentRow(payment, account_name))

    def credit(self, credit: Credit, account_name: str) -> None:
        self._credits.add(_CreditRow(credit, account_name))

    def credit_note(self, note: CreditNote) -> None:
        self._credit_notes.add(note)
        for line in note.lines:
            self._credit_note_lines.add(_CreditNoteRow(note, line))

    def refund(self, refund: Refund, account_name: str) -> None:
        self._refunds.add(_RefundRow(refund, account_name))

    def end(self, movements: Mapping[LedgerAccount, Movement]) -> None:
        for account, movement in movements.items():
            self._balances.add(_BalanceRow(account, movement))


_NO_ALLOCATION = frozenset(
    {EntryKind.INVOICE_ISSUED, EntryKind.INVOICE_VOIDED, EntryKind.INVOICE_WRITTEN_OFF, EntryKind.DUE_DATE_MOVED}
)
"""The entries that move what is owed without paying it."""


def _allocations(entry: JournalEntry) -> Iterator[_AllocationRow]:
    """What the entry settled of each invoice, by whatever paid it; from the entry, since a payment's own list changes later.

    What was written off and is paid after all is no receivable any more, and counts as well.
    """
    if entry.draft.kind in _NO_ALLOCATION:
        return
    for invoice_id in entry.draft.documents.get("invoice", ()):
        about = [posting for posting in entry.draft.postings if posting.document_id == invoice_id]
        settled = [posting for posting in about if posting.account in ("receivable", "bad_debt")]
        saved = [posting for posting in about if posting.account == "discounts" or posting.account.startswith("tax:")]
        amount_minor = sum(p.amount_minor if p.side is Side.CREDIT else -p.amount_minor for p in settled)
        if amount_minor:
            yield _AllocationRow(entry, invoice_id, amount_minor, sum(posting.amount_minor for posting in saved))
