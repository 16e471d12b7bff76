"""What each e-mail says, as plain data: the view models of the templates, built from the domain.

A model is JSON through and through, so that samples of it can be kept beside the templates. Amounts and dates are there twice,
raw and formatted in the account's language; templates print the formatted and compute nothing. Text that came from outside goes
through `clean` here, once.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from remit.adapters.email.formatting import ENGLISH, Words, clean, counted, date_text, day, listed, money, number_text, words_of
from remit.domain.accounts import Account, Address, SavedMethod, TaxId
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.dunning import DueReminder, Notice, OpenPart
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.journal import EntryKind
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.refunds import Refund
from remit.domain.summaries import OpenInvoices, OpenRow, OpenTotal, RecentTransactions, Statement, Transaction
from remit.domain.tax import TaxKind, TaxSubtotal
from remit.domain.terms import Method, Part
from remit.usecases.ports import RetryPlan

type Model = dict[str, Any]

MAX_LINES = 10
"""Lines of an invoice that an e-mail shows before "and N more"."""

_METHOD_NAMES: Mapping[Method, str] = {
    Method.CARD: "card",
    Method.BANK_DEBIT: "bank debit",
    Method.BANK_TRANSFER: "bank transfer",
    Method.CASH: "cash",
    Method.CHECK: "check",
    Method.CARD_TERMINAL: "card terminal",
    Method.OTHER: "other means",
}
_TAX_NAMES: Mapping[TaxKind, str] = {
    TaxKind.ZERO: "zero rate",
    TaxKind.EXEMPT: "exempt",
    TaxKind.REVERSE_CHARGE: "reverse charge",
    TaxKind.OUTSIDE_SCOPE: "outside the scope of tax",
}
_TRANSACTION_NAMES: Mapping[EntryKind, str] = {
    EntryKind.INVOICE_ISSUED: "Invoice",
    EntryKind.INVOICE_VOIDED: "Invoice withdrawn",
    EntryKind.INVOICE_WRITTEN_OFF: "Invoice waived",
    EntryKind.PAYMENT_RECEIVED: "Payment",
    EntryKind.PAYMENT_REVERTED: "Payment returned",
    EntryKind.DISPUTE_OPENED: "Payment in dispute",
    EntryKind.DISPUTE_WON: "Dispute settled",
    EntryKind.DISPUTE_LOST: "Dispute settled",
    EntryKind.CREDIT_ISSUED: "Credit",
    EntryKind.CREDIT_NOTE_ISSUED: "Credit note",
    EntryKind.CREDIT_EXPIRED: "Credit expired",
    EntryKind.REFUND_REQUESTED: "Refund",
    EntryKind.REFUND_SUCCEEDED: "Refund",
    EntryKind.REFUND_RETURNED: "Refund returned",
    EntryKind.WALLET_TOPPED_UP: "Top-up",
    EntryKind.WALLET_CHARGED: "Usage",
    EntryKind.PAYMENT_ALLOCATED: "Adjustment",
    EntryKind.ALLOCATION_REVERSED: "Adjustment",
    EntryKind.CREDIT_APPLIED: "Adjustment",
    EntryKind.DUE_DATE_MOVED: "Adjustment",
}


def invoice_issued(firm: Firm, account: Account, invoice: Invoice, item: OpenItem, today: date, pay_link: str | None) -> Model:
    """The e-mail that brings an invoice (D2). `pay_link` shows the button, if anything is open and a card is accepted."""
    return {
        **_parties(firm, account),
        "invoice": invoice_figures(invoice, item, today, MAX_LINES, words_of(account.language)),
        "pay_url": pay_link if _payable_by_card(item) else None,
        "bank_transfer": item.open_minor > 0 and Method.BANK_TRANSFER in item.methods,
    }


def payment_received(
    firm: Firm, account: Account, payment: Payment, items: Sequence[OpenItem], pay_links: Mapping[str, str] | None = None
) -> Model:
    """The receipt of a payment: what arrived, which invoices it went to, what each still needs, what is left as credit.

    `items` are the open items of the invoices the payment was allocated to, after it; `pay_links` (invoice id →
    URL) adds a link to those that are not yet settled.
    """
    words = words_of(account.language)
    by_id = {item.invoice_id: item for item in items}
    paid: dict[str, int] = {}
    for allocation in payment.allocations:
        paid[allocation.invoice_id] = paid.get(allocation.invoice_id, 0) + allocation.amount_minor
    return {
        **_parties(firm, account),
        "payment": {
            "id": payment.id,
            "amount": money(payment.amount_minor, payment.currency, words),
            "method": words.term(_METHOD_NAMES[payment.method]),
            "received_on": day(payment.value_date or firm.today(payment.created_at), words),
            "reference": clean(payment.reference) if payment.reference else None,
        },
        "invoices": [
            _settled(by_id[invoice_id], amount, (pay_links or {}).get(invoice_id), words) for invoice_id, amount in paid.items()
        ],
        "unapplied": money(payment.unapplied_minor, payment.currency, words) if payment.unapplied_minor else None,
        "prepaid": money(payment.wallet_minor, payment.currency, words) if payment.wallet_minor else None,
    }


def dunning_notice(firm: Firm, account: Account, notice: Notice, today: date, pay_links: Mapping[str, str]) -> Model:
    """A past-due notice of any tier (D5, D7): all that is overdue, per currency net of credit.

    `pay_links` (invoice id → URL) puts a link beside each invoice it names; the button pays the oldest of them.
    """
    asked = _asked_for(firm, account, notice.parts, notice.net_minor, today, pay_links)
    return asked | {"tier": notice.tier.number}


def reminder(firm: Firm, account: Account, due: DueReminder, today: date, pay_links: Mapping[str, str]) -> Model:
    """A reminder of parts of invoices whose day it is, before or after their due date (D4).

    It asks for what is open of them; credit that is not applied yet may go to other invoices.
    """
    open_minor: dict[str, int] = {}
    for item in due.parts:
        open_minor[item.currency] = open_minor.get(item.currency, 0) + item.part.open_minor
    return _asked_for(firm, account, due.parts, open_minor, today, pay_links) | {"offset_days": due.reminder.offset_days}


def _asked_for(
    firm: Firm,
    account: Account,
    parts: Sequence[OpenPart],
    asked_minor: Mapping[str, int],
    today: date,
    pay_links: Mapping[str, str],
) -> Model:
    """What every letter says that asks to be paid: what for, how much per currency, and where. A policy may name any of these
    letters for a tier or a reminder, so each finds here what it prints."""
    words = words_of(account.language)
    invoices = [_overdue(item, today, pay_links.get(item.invoice_id), words) for item in parts]
    totals = [_overdue_total(currency, net, parts, words) for currency, net in sorted(asked_minor.items())]
    return {
        **_parties(firm, account),
        "as_of": day(today, words),
        "oldest_due": day(parts[0].due_date, words),
        "oldest_days": counted(parts[0].part.days_overdue(today), "day", words),
        "invoices": invoices,
        "invoice_count": len({item.invoice_id for item in parts}),
        "totals": totals,
        "to_pay": listed([total["net"]["text"] for total in totals], words),
        "first_to_pay": next((invoice for invoice in invoices if invoice["pay_url"]), None),
    }


def open_invoices(firm: Firm, account: Account, summary: OpenInvoices, pay_links: Mapping[str, str]) -> Model:
    """The summary of what is owed (D3). What is disputed is listed and has no link: it is not asked for."""
    words = words_of(account.language)
    return {
        **_parties(firm, account),
        "as_of": day(summary.as_of, words),
        "invoices": [_open_row(row, summary.as_of, pay_links.get(row.invoice_id), words) for row in summary.rows],
        "more": counted(summary.more, "more open amount", words) if summary.more else None,
        "totals": [_open_total(total, words) for total in summary.totals],
        "owed": listed(
            [money(total.open_minor, total.currency, words)["text"] for total in summary.totals if total.open_minor], words
        ),
    }


def recent_transactions(firm: Firm, account: Account, summary: RecentTransactions) -> Model:
    """The summary of what happened (D3): for each currency, from the opening to the closing balance."""
    words = words_of(account.language)
    return {
        **_parties(firm, account),
        "as_of": day(summary.as_of, words),
        "statements": [_statement(each, summary.numbers, words) for each in summary.statements],
        "closing": listed([money(each.closing_minor, each.currency, words)["text"] for each in summary.statements], words),
    }


def payment_failed(
    firm: Firm,
    account: Account,
    payment: Payment,
    items: Sequence[OpenItem],
    pay_links: Mapping[str, str],
    plan: RetryPlan,
) -> Model:
    """A payment that did not go through, or was returned: what is still open of what it was for, and what happens next."""
    words = words_of(account.language)
    invoices = [
        {
            "id": item.invoice_id,
            "number": item.number,
            "open": money(item.open_minor, item.currency, words),
            "pay_url": pay_links.get(item.invoice_id) if _payable_by_card(item) else None,
        }
        for item in items
    ]
    return {
        **_parties(firm, account),
        "payment": {
            "id": payment.id,
            "amount": money(payment.amount_minor, payment.currency, words),
            "method": words.term(_METHOD_NAMES[payment.method]),
            "attempted_on": day(firm.today(payment.created_at), words),
        },
        "returned": payment.status is PaymentStatus.REVERTED,
        "invoices": invoices,
        "first_to_pay": next((invoice for invoice in invoices if invoice["pay_url"]), None),
        "next_attempt_on": day(plan.next_attempt_on, words) if plan.next_attempt_on else None,
        "must_act": plan.must_act,
    }


def card_expiring(firm: Firm, account: Account, method: SavedMethod) -> Model:
    """A saved card whose last month is near. `InvalidError` for a method that never expires."""
    if method.expires is None:
        raise InvalidError("method_never_expires", "This payment method has no date of expiry.", id=method.id)
    year, month = map(int, method.expires.split("-"))
    last_day = date(year, month, monthrange(year, month)[1])
    return {
        **_parties(firm, account),
        "card": {
            "label": clean(method.label),
            "expires": f"{month:02d}/{year}",
            "last_day": day(last_day, words_of(account.language)),
        },
        "automatic": account.payment.collect_automatically and account.payment.default_method == method.id,
    }


def refund_made(firm: Firm, account: Account, refund: Refund, made_on: date) -> Model:
    """Money that was given back, to the card it came from or in another way."""
    words = words_of(account.language)
    return {
        **_parties(firm, account),
        "refund": {
            "id": refund.id,
            "amount": money(refund.amount_minor, refund.currency, words),
            "method": words.term(_METHOD_NAMES[refund.method]),
            "to_card": refund.is_at_gateway and refund.method is Method.CARD,
            "made_on": day(made_on, words),
            "payment_id": refund.payment_id,
        },
    }


def credit_issued(firm: Firm, account: Account, credit: Credit) -> Model:
    """A credit that the firm gave. Its reason is the firm's own note and is not printed."""
    return _credited(
        firm, account, credit.currency, credit.gross_minor, credit.tax_minor, credit.issued_on, expires_on=credit.expires_on
    )


def credit_note_issued(firm: Firm, account: Account, note: CreditNote) -> Model:
    """A credit note for an invoice: the same letter, with its number and what it took off the invoice."""
    return _credited(
        firm,
        account,
        note.currency,
        note.gross_minor,
        note.tax_minor,
        note.issued_on,
        applied_minor=note.applied_minor,
        number=note.number,
        invoice=note.invoice_number,
    )


def _credited(
    firm: Firm,
    account: Account,
    currency: str,
    gross_minor: int,
    tax_minor: int,
    issued_on: date,
    *,
    applied_minor: int = 0,
    number: str | None = None,
    invoice: str | None = None,
    expires_on: date | None = None,
) -> Model:
    words = words_of(account.language)
    return {
        **_parties(firm, account),
        "credit": {
            "amount": money(gross_minor, currency, words),
            "tax": money(tax_minor, currency, words) if tax_minor else None,
            "applied": money(applied_minor, currency, words) if applied_minor else None,
            "issued_on": day(issued_on, words),
            "note": number,
            "invoice": invoice,
            "expires_on": day(expires_on, words) if expires_on else None,
        },
    }


def invoice_figures(invoice: Invoice, item: OpenItem, today: date, max_lines: int, words: Words = ENGLISH) -> Model:
    """The figures of one invoice, for an e-mail or a page: frozen lines and taxes, and what is open now.

    `due_on` is None when nothing is due on a known day: all that is open waits for its delivery. `early`: what settles the
    invoice until when, while paying early still saves something (T5).
    """
    currency, priced = invoice.currency, invoice.priced
    open_parts = [part for part in item.parts if part.open_minor]
    overdue_days = max((part.days_overdue(today) for part in open_parts), default=0)
    return {
        "id": invoice.id,
        "number": invoice.number,
        "reference": clean(invoice.reference) if invoice.reference else None,
        "issued_on": day(invoice.issued_on, words),
        "status": str(item.status),
        "due_on": _due_on(invoice, item, words),
        "early": _early(item, today, words),
        "days_overdue": overdue_days,
        "overdue_text": counted(overdue_days, "day", words) if overdue_days else None,
        "prices_include_tax": priced.prices_include_tax,
        "lines": [
            {
                "description": clean(line.description),
                "quantity": number_text(line.quantity, words),
                "unit_price": money(line.unit_price_minor, currency, words),
                "amount": money(line.amount_minor, currency, words),
            }
            for line in priced.lines[:max_lines]
        ],
        "more_lines": counted(len(priced.lines) - max_lines, "more line", words) if len(priced.lines) > max_lines else None,
        "net": money(priced.totals.net_minor, currency, words),
        "taxes": [_tax(subtotal, currency, words) for subtotal in priced.totals.subtotals],
        "deposits": [
            {"number": deduction.number, "amount": money(-deduction.gross_minor, currency, words)}
            for deduction in priced.deductions
        ],
        "total": money(invoice.total_minor, currency, words),
        "settled": money(invoice.total_minor - item.open_minor, currency, words),
        "due": money(item.open_minor, currency, words),
        "parts": [{"due": _due(part, words), "open": money(part.open_minor, currency, words)} for part in open_parts],
    }


def _due(part: Part, words: Words) -> str:
    """`2 March 2026`, or `14 days after delivery` for what waits for it."""
    if part.due_date:
        return date_text(part.due_date, words)
    days = part.days_after_delivery
    if not days:
        return words.term("on delivery")
    return words.term("1 day after delivery" if days == 1 else "{days} days after delivery").format(days=days)


def _due_on(invoice: Invoice, item: OpenItem, words: Words) -> Model | None:
    """When the next open part is due, or once all is settled, when the last one was."""
    if item.open_minor:
        return day(item.next_due, words) if item.next_due else None
    dates = [part.due_date for part in item.parts if part.due_date]
    return day(max(dates, default=invoice.issued_on), words)


def _early(item: OpenItem, today: date, words: Words) -> Model | None:
    discount = item.discount_on(today)
    if not discount or not item.discount:
        return None
    return {
        "until": day(item.discount.until, words),
        "pay": money(item.payable_on(today), item.currency, words),
        "saves": money(discount.gross_minor, item.currency, words),
    }


def firm_details(firm: Firm, words: Words = ENGLISH) -> Model:
    """Who sends this and how to reach them."""
    return {
        "name": clean(firm.name),
        "email": clean(firm.email),
        "address": _address_lines(firm.address),
        "tax_ids": [_tax_id(tax_id, words) for tax_id in firm.tax_ids],
    }


def _parties(firm: Firm, account: Account) -> Model:
    return {"firm": firm_details(firm, words_of(account.language)), "account": {"id": account.id, "name": clean(account.name)}}


def _address_lines(address: Address) -> list[str]:
    town = " ".join(part for part in (address.postal_code, address.city, address.region) if part)
    return [clean(line) for line in (address.line1, address.line2, town, address.country) if line]


def _tax_id(tax_id: TaxId, words: Words) -> str:
    """`VAT NL123456782B01` for an `eu_vat`; other kinds by their own name."""
    kind = clean(tax_id.type).replace("_", " ").upper()
    return f"{words.term('VAT') if kind == 'EU VAT' else kind} {clean(tax_id.value)}"


def _tax(subtotal: TaxSubtotal, currency: str, words: Words) -> Model:
    code = subtotal.tax_code
    taxable = money(subtotal.taxable_minor, currency, words)
    is_standard = code.kind is TaxKind.STANDARD
    rate = words.term("{rate}%").format(rate=number_text(code.rate, words)) if is_standard else words.term(_TAX_NAMES[code.kind])
    taxed = words.term("{rate} of {taxable}").format(rate=rate, taxable=taxable["text"]) if code.rate else rate
    return {
        "code": clean(code.code),
        "label": f"{clean(code.code)}: {taxed}",
        "reason": clean(code.reason) if code.reason else None,
        "taxable": taxable,
        "amount": money(subtotal.tax_minor, currency, words),
    }


def _payable_by_card(item: OpenItem) -> bool:
    return item.open_minor > 0 and Method.CARD in item.methods


def _settled(item: OpenItem, amount_minor: int, pay_link: str | None, words: Words) -> Model:
    return {
        "id": item.invoice_id,
        "number": item.number,
        "amount": money(amount_minor, item.currency, words),
        "open": money(item.open_minor, item.currency, words),
        "pay_url": pay_link if _payable_by_card(item) else None,
    }


def _overdue(item: OpenPart, today: date, pay_link: str | None, words: Words) -> Model:
    return {
        "id": item.invoice_id,
        "number": item.number,
        "due_on": day(item.due_date, words),
        "days_overdue": item.part.days_overdue(today),
        "overdue_text": counted(item.part.days_overdue(today), "day", words),
        "when": _when(item, today, words),
        "open": money(item.part.open_minor, item.currency, words),
        "pay_url": pay_link,
    }


def _when(item: OpenPart, today: date, words: Words) -> str:
    """`due in 7 days`, `due today`, `3 days overdue`; of a late charge on the day of its issue `due now` (D9)."""
    days = (item.due_date - today).days
    if days == 0:
        return words.term("due now" if item.is_late_charge else "due today")
    pattern = words.term("due in {days}" if days > 0 else "{days} overdue")
    return pattern.format(days=counted(abs(days), "day", words))


def _overdue_total(currency: str, net_minor: int, items: Sequence[OpenPart], words: Words) -> Model:
    """Overdue less credit is what is asked for; the notice was decided on these very figures (D7)."""
    overdue_minor = sum(item.part.open_minor for item in items if item.currency == currency)
    credit_minor = overdue_minor - net_minor
    return {
        "currency": currency,
        "overdue": money(overdue_minor, currency, words),
        "credit": money(-credit_minor, currency, words) if credit_minor else None,
        "net": money(net_minor, currency, words),
    }


def _open_row(row: OpenRow, today: date, pay_link: str | None, words: Words) -> Model:
    return {
        "id": row.invoice_id,
        "number": row.number,
        "due": _due(row.part, words),
        "due_on": day(row.part.due_date, words) if row.part.due_date else None,
        "overdue_text": counted(row.part.days_overdue(today), "day", words) if row.overdue else None,
        "disputed": row.disputed,
        "open": money(row.part.open_minor, row.currency, words),
        "pay_url": None if row.disputed else pay_link,
    }


def _open_total(total: OpenTotal, words: Words) -> Model:
    currency = total.currency
    return {
        "currency": currency,
        "open": money(total.open_minor, currency, words),
        "overdue": money(total.overdue_minor, currency, words) if total.overdue_minor else None,
        "disputed": money(total.disputed_minor, currency, words) if total.disputed_minor else None,
        "credit": money(total.credit_minor, currency, words) if total.credit_minor else None,
    }


def _statement(statement: Statement, numbers: Mapping[str, str], words: Words) -> Model:
    currency = statement.currency
    return {
        "currency": currency,
        "opening": money(statement.opening_minor, currency, words),
        "earlier": counted(statement.earlier, "earlier transaction", words) if statement.earlier else None,
        "earlier_amount": money(statement.earlier_minor, currency, words),
        "transactions": [_transaction(row, currency, numbers, words) for row in statement.transactions],
        "closing": money(statement.closing_minor, currency, words),
    }


_NAMED_BY: Sequence[str] = ("credit_note", "payment", "invoice")
"""Whose number a transaction goes by: that of a credit note, not of the invoice that it corrects."""


def _transaction(row: Transaction, currency: str, numbers: Mapping[str, str], words: Words) -> Model:
    ids = [id for role in _NAMED_BY for id in row.documents.get(role, ())[:1]]
    number = next((numbers[id] for id in ids if id in numbers), None)
    return {
        "kind": str(row.kind),
        "name": words.term(_TRANSACTION_NAMES[row.kind]),
        "on": day(row.on, words),
        "number": clean(number) if number else None,
        "amount": money(row.amount_minor, currency, words),
    }
