"""The CSV set: one table a file, for spreadsheets and for programs without an import of their own.

RFC 4180: UTF-8, a heading, CRLF, quotes where needed. Dates are ISO 8601, instants UTC, amounts have a dot and the
digits of their currency. Only frozen facts are exported, none that a later payment would change.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.journal import JournalEntry, Posting, Side
from remit.domain.money import decimal_text
from remit.domain.orders import Line
from remit.domain.payments import Payment
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


class _TaxRow(NamedTuple):
    invoice: Invoice
    subtotal: TaxSubtotal


class _PaymentRow(NamedTuple):
    payment: Payment
    account_name: str


class _CreditRow(NamedTuple):
    credit: Credit
    account_name: str


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
    "due_on": lambda i: max(part.due_date for part in i.parts),
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
    "gross": lambda i: _amount(i.total_minor, i.currency),
}

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
}

INVOICE_TAXES: Columns[_TaxRow] = {
    "invoice_id": lambda r: r.invoice.id,
    "invoice_number": lambda r: r.invoice.number,
    "tax_code": lambda r: r.subtotal.tax_code.code,
    "tax_kind": lambda r: str(r.subtotal.tax_code.kind),
    "tax_rate_percent": lambda r: r.subtotal.tax_code.rate,
    "reason": lambda r: r.subtotal.tax_code.reason,
    "currency": lambda r: r.invoice.currency,
    "taxable": lambda r: _amount(r.subtotal.taxable_minor, r.invoice.currency),
    "tax": lambda r: _amount(r.subtotal.tax_minor, r.invoice.currency),
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
}

ALLOCATIONS: Columns[_PostingRow] = {
    "entry_id": lambda r: r.entry.id,
    "allocated_on": lambda r: r.entry.draft.effective_on,
    "account_id": lambda r: r.entry.draft.account_id,
    "payment_id": lambda r: r.entry.draft.documents["payment"][0],
    "invoice_id": lambda r: r.posting.document_id,
    "currency": lambda r: r.entry.draft.currency,
    "amount": lambda r: _amount(r.posting.amount_minor, r.entry.draft.currency),
}

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
}

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


def _documents(row: _PostingRow, role: str) -> str:
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
        self._transactions = _Table(folder, "transactions", TRANSACTIONS)
        self._balances = _Table(folder, "balances", BALANCES)

    def entry(self, entry: JournalEntry, account_name: str) -> None:
        for number, posting in enumerate(entry.draft.postings, 1):
            self._transactions.add(_PostingRow(entry, account_name, number, posting))
        for row in _allocations(entry, account_name):
            self._allocations.add(row)

    def invoice(self, invoice: Invoice) -> None:
        self._invoices.add(invoice)
        for number, line in enumerate(invoice.priced.lines, 1):
            self._lines.add(_LineRow(invoice, number, line))
        for subtotal in invoice.priced.totals.subtotals:
            self._taxes.add(_TaxRow(invoice, subtotal))

    def payment(self, payment: Payment, account_name: str) -> None:
        self._payments.add(_PaymentRow(payment, account_name))

    def credit(self, credit: Credit, account_name: str) -> None:
        self._credits.add(_CreditRow(credit, account_name))

    def end(self, movements: Mapping[LedgerAccount, Movement]) -> None:
        for account, movement in movements.items():
            self._balances.add(_BalanceRow(account, movement))


def _allocations(entry: JournalEntry, account_name: str) -> Iterator[_PostingRow]:
    """What the entry takes off invoices for a payment. From the entry, since a payment's own list grows later."""
    if "payment" in entry.draft.documents:
        for number, posting in enumerate(entry.draft.postings, 1):
            if posting.account == "receivable" and posting.side is Side.CREDIT:
                yield _PostingRow(entry, account_name, number, posting)
