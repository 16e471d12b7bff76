"""Credit notes: what is taken back of an issued invoice, line by line with its tax (C1, C2, C6, R3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from remit.domain.credits import Credit, CreditKind, TaxOption
from remit.domain.errors import InvalidError, RuleError
from remit.domain.invoices import Invoice, NumberSeries, Party
from remit.domain.money import round_half_up, split
from remit.domain.open_items import CreditedLine, OpenItem
from remit.domain.orders import LineShare, OrderKind
from remit.domain.tax import TaxCode, TaxSubtotal


@dataclass(frozen=True, slots=True)
class LineCredit:
    """A line (by number, from 1) and how much of it to credit: an amount that means what the tax option says, or None
    for all that is left of it."""

    line: int
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class CreditNoteLine:
    """What a credit note takes off one line of its invoice."""

    line: int
    description: str
    category: str
    tax_code: TaxCode
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor


@dataclass(frozen=True, slots=True)
class CreditNote:
    """An issued credit note, frozen like the invoice that it names unambiguously: by id, number and date.

    `applied_minor` of its gross was taken off what was open on that invoice; the rest is the credit `credit_id`.
    `rma` is the firm's own number of the return that led to it (I11).
    """

    id: str
    number: str
    series: str
    account_id: str
    currency: str
    invoice_id: str
    invoice_number: str
    invoice_issued_on: date
    order_id: str
    issued_on: date
    issued_at: datetime
    seller: Party
    buyer: Party
    lines: tuple[CreditNoteLine, ...]
    tax_option: TaxOption
    reason: str
    applied_minor: int
    credit_id: str
    rma: str | None = None
    invoice_kind: OrderKind = OrderKind.PRODUCTS

    @property
    def net_minor(self) -> int:
        return sum(line.net_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        return sum(line.tax_minor for line in self.lines)

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor

    def subtotals(self) -> tuple[TaxSubtotal, ...]:
        """Base and tax taken back, per tax code."""
        found: dict[str, TaxSubtotal] = {}
        for line in self.lines:
            so_far = found.get(line.tax_code.code, TaxSubtotal(line.tax_code, 0, 0))
            found[line.tax_code.code] = TaxSubtotal(
                line.tax_code, so_far.taxable_minor + line.net_minor, so_far.tax_minor + line.tax_minor
            )
        return tuple(found[code] for code in sorted(found))

    def net_by_category(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.category] = found.get(line.category, 0) + line.net_minor
        return dict(sorted(found.items()))


def creditable_shares(invoice: Invoice, item: OpenItem) -> tuple[LineShare, ...]:
    """What may be credited of each line in all (C6): its amount, less its share of an early-payment discount that was taken,
    which the customer never paid.

    100.00 + 21 % paid with 2.42 of discount (2.00 + 0.42 tax): 98.00 + 20.58. What was credited of a line before the discount
    was taken stays credited, so the other lines bear its share.
    """
    shares = invoice.priced.shares()
    taken = item.discount_taken_minor
    if not taken or item.discount is None:
        return shares
    offered = item.discount.discount
    nets, taxes = [share.net_minor for share in shares], [share.tax_minor for share in shares]
    net_saved = taken
    for code, tax in offered.taxes:
        tax_saved = round_half_up(Decimal(tax) * taken / offered.gross_minor)
        net_saved -= tax_saved
        of_code = [n if line.tax_code.code == code else 0 for n, line in zip(taxes, invoice.priced.lines, strict=True)]
        taxes = [n - saved for n, saved in zip(taxes, split(tax_saved, of_code), strict=True)]
    nets = [n - saved for n, saved in zip(nets, split(net_saved, nets), strict=True)]
    credited = {line.line: line for line in item.credited}
    nothing = CreditedLine(0, 0, 0)
    before = [credited.get(number, nothing) for number in range(1, len(shares) + 1)]
    nets = _not_below(nets, [line.net_minor for line in before])
    taxes = _not_below(taxes, [line.tax_minor for line in before])
    return tuple(LineShare(net, tax) for net, tax in zip(nets, taxes, strict=True))


def _not_below(amounts: Sequence[int], least: Sequence[int]) -> list[int]:
    """The amounts with none below its least; what that adds is taken off the others, which keeps the sum.

    >>> _not_below([98, 98], [100, 0])
    [100, 96]
    """
    lifted = [max(pair) for pair in zip(amounts, least, strict=True)]
    room = [amount - low for amount, low in zip(lifted, least, strict=True)]
    added = min(sum(lifted) - sum(amounts), sum(room))
    return [amount - cut for amount, cut in zip(lifted, split(added, room), strict=True)] if added else lifted


def left_on_line(share: LineShare, credited: CreditedLine | None) -> LineShare:
    """What earlier credit notes have left of a line."""
    if credited is None:
        return share
    return LineShare(share.net_minor - credited.net_minor, share.tax_minor - credited.tax_minor)


def credit_of_line(share: LineShare, left: LineShare, amount_minor: int | None, option: TaxOption) -> LineShare:
    """Net and tax of crediting `amount_minor` of a line of which `left` is uncredited.

    The tax is the amount's share of the line's own tax, half up; the last credit takes what is left, so that a line
    credited bit by bit gives back exactly its net and its tax. A line of 100.00 + 21.00, half of it included: 50.00 +
    10.50.
    """
    if amount_minor is None:
        return LineShare(left.net_minor, 0) if option is TaxOption.WAIVED else left
    if option is TaxOption.WAIVED:
        return LineShare(amount_minor, 0)
    if option is TaxOption.NOT_INCLUDED:
        tax = round_half_up(Decimal(amount_minor) * share.tax_minor / share.net_minor) if share.net_minor else 0
        all_net = amount_minor == left.net_minor
        return LineShare(amount_minor, left.tax_minor if all_net else min(tax, left.tax_minor))
    tax = round_half_up(Decimal(amount_minor) * share.tax_minor / share.gross_minor) if share.gross_minor else 0
    tax = min(max(tax, amount_minor - left.net_minor), left.tax_minor)
    return LineShare(amount_minor - tax, tax)


def all_lines(invoice: Invoice, item: OpenItem) -> tuple[LineCredit, ...]:
    """Every line with something left to credit, in full (R3); `RuleError` when nothing is."""
    credited = {line.line: line for line in item.credited}
    shares = enumerate(creditable_shares(invoice, item), start=1)
    left = tuple(LineCredit(n) for n, share in shares if left_on_line(share, credited.get(n)).gross_minor > 0)
    if not left:
        raise RuleError(
            "nothing_to_credit", f"Invoice {invoice.number} is credited in full.", invoice_id=invoice.id, creditable_minor=0
        )
    return left


def credit_lines(invoice: Invoice, item: OpenItem, wishes: Sequence[LineCredit], option: TaxOption) -> tuple[CreditNoteLine, ...]:
    """The lines of a credit note.

    `RuleError` `credit_exceeds_line` with what is creditable when a line has less left (C6); `InvalidError` for a line
    that is not there or is named twice.
    """
    if not wishes:
        raise InvalidError("no_lines", "A credit note names at least one line.")
    if len({wish.line for wish in wishes}) != len(wishes):
        raise InvalidError("duplicate_line", "Each line is named once.")
    credited = {line.line: line for line in item.credited}
    shares = creditable_shares(invoice, item)
    lines: list[CreditNoteLine] = []
    for wish in wishes:
        if not 1 <= wish.line <= len(shares):
            raise InvalidError("no_such_line", f"Invoice {invoice.number} has lines 1 to {len(shares)}.", lines=len(shares))
        if wish.amount_minor is not None and wish.amount_minor <= 0:
            raise InvalidError("amount_not_positive", "A credit is above zero.")
        share, line = shares[wish.line - 1], invoice.priced.lines[wish.line - 1]
        left = left_on_line(share, credited.get(wish.line))
        taken = credit_of_line(share, left, wish.amount_minor, option)
        if taken.net_minor > left.net_minor or taken.tax_minor > left.tax_minor or taken.gross_minor <= 0:
            raise RuleError(
                "credit_exceeds_line",
                f"Line {wish.line} of invoice {invoice.number} has {left.gross_minor} left to credit ({left.net_minor} net).",
                line=wish.line,
                creditable_minor=left.gross_minor,
                creditable_net_minor=left.net_minor,
            )
        lines.append(CreditNoteLine(wish.line, line.description, line.category, line.tax_code, taken.net_minor, taken.tax_minor))
    return tuple(lines)


def require_creditable(item: OpenItem) -> None:
    """`RuleError` for invoices that a credit note cannot correct, each with the way that can."""
    if item.is_void:
        raise RuleError("invoice_void", f"Invoice {item.number} is void.", invoice_id=item.invoice_id)
    if item.kind is OrderKind.TOP_UP:
        raise RuleError(
            "top_up_not_creditable", "A top-up is given back by a withdrawal from the wallet.", invoice_id=item.invoice_id
        )
    if item.kind in (OrderKind.CREDIT_REVERSAL, OrderKind.REFUND_REVERSAL):
        raise RuleError(
            "reversal_not_creditable", "A reversal is not a sale; give a new credit instead.", invoice_id=item.invoice_id
        )
    if item.deducted_on is not None:
        raise RuleError(
            "deposit_deducted",
            f"Deposit {item.number} is deducted on another invoice; credit that one.",
            invoice_id=item.deducted_on,
        )


@dataclass(frozen=True, slots=True)
class CreditNoteTerms:
    """What is said about a credit note beside its lines."""

    reason: str
    option: TaxOption = TaxOption.INCLUDED
    rma: str | None = None


def new_credit_note(
    credit_note_id: str,
    invoice: Invoice,
    item: OpenItem,
    lines: Sequence[CreditNoteLine],
    terms: CreditNoteTerms,
    series: NumberSeries,
    today: date,
    now: datetime,
    *,
    apply: bool,
    is_refundable: bool = True,
) -> tuple[CreditNote, Credit, OpenItem, NumberSeries]:
    """The numbered note, its credit lot, the item with the lines marked, and the advanced counter.

    With `apply`, the note lowers what its invoice still asks for first, then what of it was written off (that is for the
    caller to settle and post: `note.applied_minor`); the rest is the lot's to keep. `is_refundable`: whether money may be
    given back for the lot (R4).
    """
    require_creditable(item)
    advanced, number, issued_on = series.next(today)
    gross = sum(line.gross_minor for line in lines)
    applied = min(gross, item.open_minor + item.recoverable_minor) if apply else 0
    credit_id = "crd_" + credit_note_id.partition("_")[2]
    note = CreditNote(
        id=credit_note_id,
        number=number,
        series=series.name,
        account_id=invoice.account_id,
        currency=invoice.currency,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        invoice_issued_on=invoice.issued_on,
        order_id=invoice.order_id,
        issued_on=issued_on,
        issued_at=now,
        seller=invoice.seller,
        buyer=invoice.buyer,
        lines=tuple(lines),
        tax_option=terms.option,
        reason=terms.reason,
        applied_minor=applied,
        credit_id=credit_id,
        rma=terms.rma,
        invoice_kind=invoice.kind,
    )
    credit = Credit(
        id=credit_id,
        account_id=invoice.account_id,
        currency=invoice.currency,
        kind=CreditKind.CREDIT_MEMO,
        tax_option=terms.option,
        gross_minor=gross,
        tax_minor=note.tax_minor,
        open_minor=gross - applied,
        issued_on=issued_on,
        issued_at=now,
        reason=terms.reason,
        is_refundable=is_refundable,
        credit_note_id=note.id,
        invoice_id=invoice.id,
    )
    marked = replace(item, credited=_marked(item.credited, lines), credit_notes=(*item.credit_notes, note.id))
    return note, credit, marked, advanced


def _marked(credited: Sequence[CreditedLine], lines: Sequence[CreditNoteLine]) -> tuple[CreditedLine, ...]:
    by_line = {line.line: line for line in credited}
    for line in lines:
        before = by_line.get(line.line, CreditedLine(line.line, 0, 0))
        by_line[line.line] = CreditedLine(line.line, before.net_minor + line.net_minor, before.tax_minor + line.tax_minor)
    return tuple(by_line[number] for number in sorted(by_line))
