"""Take part of an issued invoice back, line by line with its tax (C1, C2, C6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from remit.domain import posting_rules
from remit.domain.credit_notes import (
    CreditNote,
    CreditNoteTerms,
    LineCredit,
    all_lines,
    credit_lines,
    new_credit_note,
    require_creditable,
)
from remit.domain.credits import Credit
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, series_name
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.payments import Allocation, Payment
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Ids,
    Loaded,
    Ref,
    balance_ref,
    invoice_ref,
    lot_ref,
    open_item_ref,
    series_ref,
)


@dataclass(frozen=True, slots=True)
class CreditNoteWish:
    """`lines` None: all that is left of the invoice."""

    account_id: str
    invoice_id: str
    lines: Sequence[LineCredit] | None
    terms: CreditNoteTerms


@dataclass(frozen=True, slots=True)
class IssuedCreditNote:
    """The document, and the lot with what its invoice did not take."""

    note: CreditNote
    credit: Credit


def issue_credit_note(
    wish: CreditNoteWish, request: Request[IssuedCreditNote], firm: Firm, books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Number the credit note and post it: it lowers what its own invoice asks for first, and the rest stays as credit.

    An invoice in instalments is not lowered unless the firm's setting says so (C5): all of it stays as credit. `RuleError`
    `credit_exceeds_line` with what is creditable (C6), and for invoices that are corrected in another way.
    """
    now = clock.now()
    note_id = ids.new("crn")

    def decide(consistent: bool) -> tuple[Changes, IssuedCreditNote]:
        case = load_case(wish, firm, books, clock)
        operation = Operation(case.balance, Circumstances(firm.today(now), now, request.actor, wish.terms.reason))
        note, series = post_credit_note(operation, note_id, case, wish, firm)
        return [*operation.changes(), series], IssuedCreditNote(note, operation.get(Credit, note.credit_id))

    return once(books, request, now, decide)


@dataclass(frozen=True, slots=True)
class Case:
    """An invoice to credit, with everything that bears on it. `sources` are the payments and credits that settled it."""

    invoice: Invoice
    item: OpenItem
    balance: Balance
    series: NumberSeries
    sources: dict[str, Payment | Credit]


def load_case(wish: CreditNoteWish, firm: Firm, books: Books, clock: Clock) -> Case:
    """Read the invoice and what goes with it, and in a second request what settled it, where anything did."""
    account_id, invoice_id = wish.account_id, wish.invoice_id
    series = series_ref(series_name(firm.credit_note_prefix, firm.today(clock.now())))
    loaded = books.load(
        invoice_ref(account_id, invoice_id),
        open_item_ref(account_id, invoice_id),
        balance_ref(account_id, firm.default_currency),
        series,
    )
    invoice, item = need(loaded, invoice_ref(account_id, invoice_id)), need(loaded, open_item_ref(account_id, invoice_id))
    settled_by = [s.source_id for s in item.settlements if s.source_id.startswith(("pay_", "crd_"))]
    refs: list[Ref[Any]] = [lot_ref(account_id, source) for source in settled_by]
    own_balance = balance_ref(account_id, invoice.currency)
    foreign = [own_balance] if invoice.currency != firm.default_currency else []
    rest = books.load(*refs, *foreign) if refs or foreign else Loaded({})
    sources = {ref.id: need(rest, ref) for ref in refs}
    balance = balance_or_new(rest if foreign else loaded, account_id, invoice.currency)
    return Case(invoice, item, balance, loaded.get(series) or NumberSeries(series.id), sources)


def post_credit_note(
    operation: Operation, note_id: str, case: Case, wish: CreditNoteWish, firm: Firm
) -> tuple[CreditNote, NumberSeries]:
    """Issue the note within an operation that may do more; it holds the open item, the note and its lot afterwards.

    A lot from an invoice that a non-refundable credit had paid is not refundable either: goodwill does not become money by
    way of a purchase that is canceled.
    """
    invoice, item = case.invoice, case.item
    require_creditable(item)
    wishes = all_lines(invoice, item) if wish.lines is None else wish.lines
    lines = credit_lines(invoice, item, wishes, wish.terms.option)
    why = operation.why
    note, credit, marked, series = new_credit_note(
        note_id,
        invoice,
        item,
        lines,
        wish.terms,
        case.series,
        firm.today(why.recorded_at),
        why.recorded_at,
        apply=not item.is_in_instalments or firm.money.credits_pay_instalments,
        is_refundable=all(isinstance(source, Payment) or source.is_refundable for source in case.sources.values()),
    )
    operation.hold(item)
    operation.create(note, credit)
    operation.change(marked)
    operation.settle(credit.id, _taken_off(item, note.applied_minor), note.issued_on, earns_discount=False)
    operation.post(posting_rules.credit_note_issued, note, why=replace(why, effective_on=note.issued_on))
    return note, series


def _taken_off(item: OpenItem, amount_minor: int) -> list[Allocation]:
    """What is open first, then what was written off."""
    opened = min(amount_minor, item.open_minor)
    amounts = (opened, amount_minor - opened)
    return [Allocation(item.invoice_id, amount) for amount in amounts if amount]
