"""What each e-mail says, as plain data: the view models of the templates, built from the domain.

A model is JSON through and through and is kept with the message, so that template, version and model
reproduce what was sent (D11). Amounts and dates are there twice, raw and formatted; templates print the
formatted and compute nothing. Text that came from outside goes through `clean` here, once.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from remit.adapters.email.formatting import clean, counted, date_text, day, listed, money, number_text
from remit.domain.accounts import Account, Address, TaxId
from remit.domain.dunning import DueReminder, Notice, OpenPart
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.domain.tax import TaxKind, TaxSubtotal
from remit.domain.terms import Method, Part

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


def invoice_issued(firm: Firm, account: Account, invoice: Invoice, item: OpenItem, today: date, pay_link: str | None) -> Model:
    """The e-mail that brings an invoice (D2). `pay_link` shows the button, if anything is open and a card is accepted."""
    return {
        **_parties(firm, account),
        "invoice": invoice_figures(invoice, item, today, MAX_LINES),
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
    by_id = {item.invoice_id: item for item in items}
    paid: dict[str, int] = {}
    for allocation in payment.allocations:
        paid[allocation.invoice_id] = paid.get(allocation.invoice_id, 0) + allocation.amount_minor
    return {
        **_parties(firm, account),
        "payment": {
            "id": payment.id,
            "amount": money(payment.amount_minor, payment.currency),
            "method": _METHOD_NAMES[payment.method],
            "received_on": day(payment.value_date or firm.today(payment.created_at)),
            "reference": clean(payment.reference) if payment.reference else None,
        },
        "invoices": [
            _settled(by_id[invoice_id], amount, (pay_links or {}).get(invoice_id)) for invoice_id, amount in paid.items()
        ],
        "unapplied": money(payment.unapplied_minor, payment.currency) if payment.unapplied_minor else None,
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
    invoices = [_overdue(item, today, pay_links.get(item.invoice_id)) for item in parts]
    totals = [_overdue_total(currency, net, parts) for currency, net in sorted(asked_minor.items())]
    return {
        **_parties(firm, account),
        "as_of": day(today),
        "oldest_due": day(parts[0].due_date),
        "oldest_days": counted(parts[0].part.days_overdue(today), "day"),
        "invoices": invoices,
        "invoice_count": len({item.invoice_id for item in parts}),
        "totals": totals,
        "to_pay": listed([total["net"]["text"] for total in totals]),
        "first_to_pay": next((invoice for invoice in invoices if invoice["pay_url"]), None),
    }


def invoice_figures(invoice: Invoice, item: OpenItem, today: date, max_lines: int) -> Model:
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
        "issued_on": day(invoice.issued_on),
        "status": str(item.status),
        "due_on": _due_on(invoice, item),
        "early": _early(item, today),
        "days_overdue": overdue_days,
        "overdue_text": counted(overdue_days, "day") if overdue_days else None,
        "prices_include_tax": priced.prices_include_tax,
        "lines": [
            {
                "description": clean(line.description),
                "quantity": number_text(line.quantity),
                "unit_price": money(line.unit_price_minor, currency),
                "amount": money(line.amount_minor, currency),
            }
            for line in priced.lines[:max_lines]
        ],
        "more_lines": counted(len(priced.lines) - max_lines, "more line") if len(priced.lines) > max_lines else None,
        "net": money(priced.totals.net_minor, currency),
        "taxes": [_tax(subtotal, currency) for subtotal in priced.totals.subtotals],
        "deposits": [
            {"number": deduction.number, "amount": money(-deduction.gross_minor, currency)} for deduction in priced.deductions
        ],
        "total": money(invoice.total_minor, currency),
        "settled": money(invoice.total_minor - item.open_minor, currency),
        "due": money(item.open_minor, currency),
        "parts": [{"due": _due(part), "open": money(part.open_minor, currency)} for part in open_parts],
    }


def _due(part: Part) -> str:
    """`2 March 2026`, or `14 days after delivery` for what waits for it."""
    if part.due_date:
        return date_text(part.due_date)
    return f"{counted(part.days_after_delivery, 'day')} after delivery" if part.days_after_delivery else "on delivery"


def _due_on(invoice: Invoice, item: OpenItem) -> Model | None:
    """When the next open part is due, or once all is settled, when the last one was."""
    if item.open_minor:
        return day(item.next_due) if item.next_due else None
    dates = [part.due_date for part in item.parts if part.due_date]
    return day(max(dates, default=invoice.issued_on))


def _early(item: OpenItem, today: date) -> Model | None:
    discount = item.discount_on(today)
    if not discount or not item.discount:
        return None
    return {
        "until": day(item.discount.until),
        "pay": money(item.payable_on(today), item.currency),
        "saves": money(discount.gross_minor, item.currency),
    }


def firm_details(firm: Firm) -> Model:
    """Who sends this and how to reach them."""
    return {
        "name": clean(firm.name),
        "email": clean(firm.email),
        "address": _address_lines(firm.address),
        "tax_ids": [_tax_id(tax_id) for tax_id in firm.tax_ids],
    }


def _parties(firm: Firm, account: Account) -> Model:
    return {"firm": firm_details(firm), "account": {"id": account.id, "name": clean(account.name)}}


def _address_lines(address: Address) -> list[str]:
    town = " ".join(part for part in (address.postal_code, address.city, address.region) if part)
    return [clean(line) for line in (address.line1, address.line2, town, address.country) if line]


def _tax_id(tax_id: TaxId) -> str:
    """`VAT NL123456782B01` for an `eu_vat`; other kinds by their own name."""
    kind = clean(tax_id.type).replace("_", " ").upper()
    return f"{'VAT' if kind == 'EU VAT' else kind} {clean(tax_id.value)}"


def _tax(subtotal: TaxSubtotal, currency: str) -> Model:
    code = subtotal.tax_code
    taxable = money(subtotal.taxable_minor, currency)
    rate = f"{number_text(code.rate)}%" if code.kind is TaxKind.STANDARD else _TAX_NAMES[code.kind]
    return {
        "code": clean(code.code),
        "label": f"{clean(code.code)}: {rate} of {taxable['text']}" if code.rate else f"{clean(code.code)}: {rate}",
        "reason": clean(code.reason) if code.reason else None,
        "taxable": taxable,
        "amount": money(subtotal.tax_minor, currency),
    }


def _payable_by_card(item: OpenItem) -> bool:
    return item.open_minor > 0 and Method.CARD in item.methods


def _settled(item: OpenItem, amount_minor: int, pay_link: str | None) -> Model:
    return {
        "id": item.invoice_id,
        "number": item.number,
        "amount": money(amount_minor, item.currency),
        "open": money(item.open_minor, item.currency),
        "pay_url": pay_link if _payable_by_card(item) else None,
    }


def _overdue(item: OpenPart, today: date, pay_link: str | None) -> Model:
    return {
        "id": item.invoice_id,
        "number": item.number,
        "due_on": day(item.part.due_date),
        "days_overdue": item.part.days_overdue(today),
        "overdue_text": counted(item.part.days_overdue(today), "day"),
        "when": _when(item, today),
        "open": money(item.part.open_minor, item.currency),
        "pay_url": pay_link,
    }


def _when(item: OpenPart, today: date) -> str:
    """`due in 7 days`, `due today`, `3 days overdue`."""
    days = (item.due_date - today).days
    if days == 0:
        return "due today"
    return f"due in {counted(days, 'day')}" if days > 0 else f"{counted(-days, 'day')} overdue"


def _overdue_total(currency: str, net_minor: int, items: Sequence[OpenPart]) -> Model:
    """Overdue less credit is what is asked for; the notice was decided on these very figures (D7)."""
    overdue_minor = sum(item.part.open_minor for item in items if item.currency == currency)
    credit_minor = overdue_minor - net_minor
    return {
        "currency": currency,
        "overdue": money(overdue_minor, currency),
        "credit": money(-credit_minor, currency) if credit_minor else None,
        "net": money(net_minor, currency),
    }
