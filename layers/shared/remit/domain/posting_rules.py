"""Every debit and credit of Remit, in one file that an accountant can review.

One function per operation; each returns a balanced `EntryDraft`. Nothing else in the system makes postings.
Customer accounts (`receivable`, `credit`) are kept per customer; the others are the firm's:
`revenue:<category>`, `tax:<code>`, `cash:<method or gateway>`, `goodwill`.

| operation | debit | credit |
|---|---|---|
| invoice issued | receivable (gross) | revenue per category (net), tax per code |
| payment received | cash:<method> | receivable per allocation; credit (the rest) |
| payment allocated later | credit | receivable per allocation |
| goodwill credit issued | goodwill (net), tax (by option) | credit (gross) |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from remit.domain.actor import Actor
from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.journal import EntryDraft, EntryKind, Posting, Side
from remit.domain.payments import Allocation, Payment


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What every entry says beside its amounts (L3): business date, instant of writing, actor, reason."""

    effective_on: date
    recorded_at: datetime
    actor: Actor
    reason: str | None = None


def invoice_issued(invoice: Invoice, why: Circumstances) -> EntryDraft:
    """The customer owes the gross; the firm has earned the net and owes the tax.

    EUR 100.00 services + 21 %: receivable 12100 Dr; revenue:services 10000 Cr, tax:VAT21 2100 Cr. An invoice
    of nothing posts nothing and so cannot be issued.
    """
    totals = invoice.priced.totals
    return _draft(
        EntryKind.INVOICE_ISSUED,
        invoice.account_id,
        invoice.currency,
        why,
        [
            _debit("receivable", totals.gross_minor, invoice.id),
            *(_credit(f"revenue:{category}", net, invoice.id) for category, net in totals.net_by_category.items()),
            *(_credit(f"tax:{tax.tax_code.code}", tax.tax_minor, invoice.id) for tax in totals.subtotals),
        ],
        documents={"invoice": (invoice.id,)},
        order_id=invoice.order_id,
    )


def payment_received(payment: Payment, allocations: Sequence[Allocation], why: Circumstances) -> EntryDraft:
    """Money has come in; what is not allocated to an invoice stays the customer's, as credit.

    EUR 150.00 by bank, 121.00 of it for one invoice: cash:bank_transfer 15000 Dr; receivable 12100 Cr,
    credit 2900 Cr.
    """
    rest = payment.amount_minor - sum(allocation.amount_minor for allocation in allocations)
    documents = _payment_documents(payment, allocations)
    if payment.gateway_ids:
        documents["gateway"] = payment.gateway_ids
    return _draft(
        EntryKind.PAYMENT_RECEIVED,
        payment.account_id,
        payment.currency,
        why,
        [
            _debit(f"cash:{payment.cash_account}", payment.amount_minor, payment.id),
            *(_credit("receivable", allocation.amount_minor, allocation.invoice_id) for allocation in allocations),
            _credit("credit", rest, payment.id),
        ],
        documents=documents,
    )


def payment_allocated(payment: Payment, allocations: Sequence[Allocation], why: Circumstances) -> EntryDraft:
    """Credit that a payment left behind now pays invoices: credit Dr; receivable Cr."""
    return _draft(
        EntryKind.PAYMENT_ALLOCATED,
        payment.account_id,
        payment.currency,
        why,
        [
            _debit("credit", sum(allocation.amount_minor for allocation in allocations), payment.id),
            *(_credit("receivable", allocation.amount_minor, allocation.invoice_id) for allocation in allocations),
        ],
        documents=_payment_documents(payment, allocations),
    )


def credit_issued(credit: Credit, why: Circumstances) -> EntryDraft:
    """A goodwill credit: the firm gives up the net (and the tax on it, unless waived); the customer gains the gross.

    EUR 12.10 with tax included at 21 %: goodwill 1000 Dr, tax:VAT21 210 Dr; credit 1210 Cr.
    """
    tax = [_debit(f"tax:{credit.tax_code}", credit.tax_minor, credit.id)] if credit.tax_code else []
    return _draft(
        EntryKind.CREDIT_ISSUED,
        credit.account_id,
        credit.currency,
        why,
        [
            _debit("goodwill", credit.gross_minor - credit.tax_minor, credit.id),
            *tax,
            _credit("credit", credit.gross_minor, credit.id),
        ],
        documents={"credit": (credit.id,)},
    )


def _payment_documents(payment: Payment, allocations: Sequence[Allocation]) -> dict[str, tuple[str, ...]]:
    documents: dict[str, tuple[str, ...]] = {"payment": (payment.id,)}
    if allocations:
        documents["invoice"] = tuple(allocation.invoice_id for allocation in allocations)
    return documents


def _debit(account: str, amount_minor: int, document_id: str) -> Posting:
    return Posting(account, Side.DEBIT, amount_minor, document_id)


def _credit(account: str, amount_minor: int, document_id: str) -> Posting:
    return Posting(account, Side.CREDIT, amount_minor, document_id)


def _draft(
    kind: EntryKind,
    account_id: str,
    currency: str,
    why: Circumstances,
    postings: Sequence[Posting],
    *,
    documents: dict[str, tuple[str, ...]],
    order_id: str | None = None,
) -> EntryDraft:
    """Postings of zero (a zero rate's tax, no rest) are left out: they explain nothing."""
    return EntryDraft(
        kind=kind,
        account_id=account_id,
        currency=currency,
        effective_on=why.effective_on,
        recorded_at=why.recorded_at,
        actor=why.actor,
        postings=tuple(posting for posting in postings if posting.amount_minor != 0),
        documents=documents,
        order_id=order_id,
        reason=why.reason,
    )
