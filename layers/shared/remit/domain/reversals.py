"""Invoices that take a credit or a refund back (C4, R7): orders that nobody places, made by the system.

Such an invoice asks for exactly what the customer was given, with the same tax. It is due on receipt, linked to what it
reverses, and carries a note that says why.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from remit.domain.accounts import Account
from remit.domain.credits import Credit, TaxOption
from remit.domain.firm import Firm
from remit.domain.invoices import invoice_id_for
from remit.domain.orders import NOT_A_SUPPLY, Line, Order, OrderKind, PricedLines
from remit.domain.posting_rules import Reversible
from remit.domain.refunds import Refund
from remit.domain.tax import TaxCode, TaxedTotals, TaxKind, TaxSubtotal
from remit.domain.terms import Due, DueRule, PaymentTerm

DUE_ON_RECEIPT = PaymentTerm.single("reversal", "Due on receipt", Due(DueRule.ON_RECEIPT))
NO_TAX_REVERSED = TaxCode("NO_TAX_REVERSED", TaxKind.OUTSIDE_SCOPE, reason="The credit that is taken back reversed no tax")


def reversal_order_id(thing_id: str) -> str:
    """The id of the one order that reverses a thing: derived, so that reversing it twice is impossible."""
    return "ord_" + thing_id.partition("_")[2]


def reversal_invoice_id(thing_id: str) -> str:
    return invoice_id_for(reversal_order_id(thing_id))


def reversal_order(thing: Reversible, reversed_id: str, note: str, account: Account, firm: Firm, now: datetime) -> Order:
    """The order whose invoice takes `thing` back; `reversed_id` is the credit's or the refund's id.

    A credit memo is mirrored line by line from its credit note. `InvalidError` when the firm has no longer the tax code of
    a credit.
    """
    kind = OrderKind.REFUND_REVERSAL if isinstance(thing, Refund) else OrderKind.CREDIT_REVERSAL
    return Order(
        id=reversal_order_id(reversed_id),
        account_id=account.id,
        priced=_mirrored(thing, firm),
        term=DUE_ON_RECEIPT,
        placed_at=now,
        kind=kind,
        methods=account.methods,
        reverses=reversed_id,
        note=note,
    )


def _mirrored(thing: Reversible, firm: Firm) -> PricedLines:
    """Lines with the very net and tax of what they take back, never computed anew: a rate applied to other roundings could
    come out a cent apart."""
    if isinstance(thing, Refund):
        line = _line("Refund taken back", thing.amount_minor, NOT_A_SUPPLY, "refunds")
        return _priced(thing.currency, [(line, 0)])
    if isinstance(thing, Credit):
        code = firm.tax_code(thing.tax_code) if thing.tax_code else NO_TAX_REVERSED
        line = _line("Credit taken back", thing.gross_minor - thing.tax_minor, code, "goodwill")
        return _priced(thing.currency, [(line, thing.tax_minor)])
    waived = thing.tax_option is TaxOption.WAIVED
    return _priced(
        thing.currency,
        [
            (_line(each.description, each.net_minor, NO_TAX_REVERSED if waived else each.tax_code, each.category), each.tax_minor)
            for each in thing.lines
        ],
    )


def _line(description: str, net_minor: int, code: TaxCode, category: str) -> Line:
    return Line(description, Decimal(1), net_minor, net_minor, code, category)


def _priced(currency: str, lines: Sequence[tuple[Line, int]]) -> PricedLines:
    """Net lines with the tax given for each."""
    codes = sorted({line.tax_code for line, _ in lines}, key=lambda code: code.code)
    subtotals = tuple(
        TaxSubtotal(
            code,
            sum(line.amount_minor for line, _ in lines if line.tax_code == code),
            sum(tax for line, tax in lines if line.tax_code == code),
        )
        for code in codes
    )
    net = sum(line.amount_minor for line, _ in lines)
    tax = sum(tax for _, tax in lines)
    by_category: dict[str, int] = {}
    for line, _ in lines:
        by_category[line.category] = by_category.get(line.category, 0) + line.amount_minor
    totals = TaxedTotals(net, tax, net + tax, subtotals, dict(sorted(by_category.items())))
    return PricedLines(currency, False, tuple(line for line, _ in lines), totals)
