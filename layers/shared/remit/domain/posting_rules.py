"""Every debit and credit of Remit, in one file that an accountant can review.

One function per operation; each returns a balanced `EntryDraft`. Nothing else in the system makes postings.
Customer accounts (`receivable`, `credit`, `wallet`, `granted`, `held`) are kept per customer; the others are the
firm's: `revenue:<category>`, `tax:<code>`, `cash:<method or gateway>`, `refunds_in_transit`, `discounts`, `goodwill`,
`gateway_fees`, `disputes`, `bad_debt`, `deposits`, `top_ups`, `late_fees`. `docs/postings.md` shows every rule with worked
numbers.

| operation | debit | credit |
|---|---|---|
| invoice issued | receivable (payable); deposits (net deducted) | revenue per category, tax per code |
| … of a deposit | receivable | deposits (net), tax |
| … of a top-up | receivable | top_ups |
| … of a late charge | receivable | late_fees |
| … that reverses a credit | receivable | what the credit had debited |
| … that reverses a refund | receivable | credit (the lot it had consumed) |
| invoice voided | exact reverse of the issue | |
| invoice written off | bad_debt | receivable |
| due date moved | receivable (new date) | receivable (old date) |
| payment received | cash:<method> | receivable per allocation, or bad_debt (recovery); fee; credit or wallet (the rest) |
| … with early-payment discount | also discounts, tax (by the term's mode) | also receivable |
| … of a top-up invoice | also top_ups | also wallet |
| payment allocated later | credit | receivable |
| allocation reversed | receivable | credit |
| payment reverted | receivable (open again), credit, held, wallet, its fee; bad_debt (what is nowhere left) | cash, disputes |
| dispute opened | disputes, gateway_fees; credit (unapplied part) | cash; held |
| dispute won | cash; held | disputes; credit |
| dispute lost | receivable (open again), held, wallet, the fee; bad_debt (what is nowhere left) | disputes |
| credit issued | goodwill (net), tax (by option) | credit (gross) |
| credit note issued | revenue, tax (or deposits) | receivable (its invoice's open amount first), else credit |
| credit applied | credit | receivable |
| credit expired | credit | goodwill, tax |
| refund requested | credit, or receivable (invoice open again), or wallet | refunds_in_transit |
| refund succeeded | refunds_in_transit | cash |
| refund failed or canceled | refunds_in_transit (or cash, when it had succeeded) | back where it came from |
| wallet topped up by a payment | cash | wallet |
| wallet charged (usage) | granted, wallet | revenue, tax |
| prepaid invoice paid from the wallet | granted, wallet | receivable |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from remit.domain.actor import Actor
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.errors import LedgerBrokenError
from remit.domain.invoices import Invoice
from remit.domain.journal import EntryDraft, EntryKind, Posting, Side
from remit.domain.money import split
from remit.domain.open_items import Movement, OpenItem
from remit.domain.orders import Discount, OrderKind
from remit.domain.payments import Dispute, Payment, PaymentStatus
from remit.domain.refunds import Refund, RefundFrom
from remit.domain.wallet import Draw, WalletCharge


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What every entry says beside its amounts (L3): business date, instant of writing, actor, reason."""

    effective_on: date
    recorded_at: datetime
    actor: Actor
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TopUpRelease:
    """`amount_minor` of a top-up invoice reaches `account` (`wallet` or `granted`), or below zero is taken back."""

    invoice_id: str
    account: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Effects:
    """What an operation did to invoices, as their open items moved (`Operation` gathers it; nobody else makes one up).

    `recovered` and the rest name invoice ids with amounts in minor units; below zero, a recovery was returned or a discount
    lost.
    """

    movements: tuple[Movement, ...] = ()
    discounts: tuple[tuple[str, Discount], ...] = ()
    recovered: tuple[tuple[str, int], ...] = ()
    releases: tuple[TopUpRelease, ...] = ()

    @property
    def invoice_ids(self) -> tuple[str, ...]:
        touched = [m.invoice_id for m in self.movements] + [invoice_id for invoice_id, _ in self.recovered]
        return tuple(dict.fromkeys(touched))

    def postings(self) -> list[Posting]:
        """The sides of invoices: receivable by part, and what goes with it."""
        return [
            *(_signed("receivable", -m.amount_minor, m.invoice_id, m.due_date) for m in self.movements),
            *(_signed("discounts", -discount.net_minor, invoice_id) for invoice_id, discount in self.discounts),
            *(
                _signed(f"tax:{code}", -tax_minor, invoice_id)
                for invoice_id, discount in self.discounts
                for code, tax_minor in discount.taxes
            ),
            *(_signed("bad_debt", amount, invoice_id) for invoice_id, amount in self.recovered),
            *(_signed("top_ups", -release.amount_minor, release.invoice_id) for release in self.releases),
            *(_signed(release.account, release.amount_minor, release.invoice_id) for release in self.releases),
        ]

    @property
    def paid_minor(self) -> int:
        """What paying these invoices consumed; below zero for what was opened again."""
        return sum(p.amount_minor if p.side is Side.CREDIT else -p.amount_minor for p in self.postings())


# ---- Invoices -------------------------------------------------------------------------------------------------------


type Reversible = Credit | CreditNote | Refund
"""What an invoice can take back (C4, R7)."""


def invoice_issued(invoice: Invoice, reversed_thing: Reversible | None, effects: Effects, why: Circumstances) -> EntryDraft:
    """The customer owes what the invoice asks for; the firm has earned the net and owes the tax.

    EUR 100.00 services + 21 %: receivable 12100 Dr; revenue:services 10000 Cr, tax:VAT21 2100 Cr. With a deposit of
    30.00 + 6.30 deducted: receivable 8470 Dr, deposits 3000 Dr; revenue 10000 Cr, tax 1470 Cr. An invoice of nothing
    posts nothing and so cannot be issued.
    """
    return _draft(
        EntryKind.INVOICE_ISSUED,
        invoice.account_id,
        invoice.currency,
        why,
        [*effects.postings(), *_earned(invoice, reversed_thing)],
        documents={"invoice": (invoice.id,), **_reversed_documents(invoice, reversed_thing)},
        order_id=invoice.order_id,
    )


def _earned(invoice: Invoice, reversed_thing: Reversible | None) -> list[Posting]:
    """The credit side of an invoice, by its kind."""
    priced = invoice.priced
    taxes = [_credit(f"tax:{code}", tax, invoice.id) for code, tax in priced.taxes_due().items()]
    if invoice.kind is OrderKind.TOP_UP:
        return [_credit("top_ups", invoice.total_minor, invoice.id)]
    if isinstance(reversed_thing, Refund):
        return _consumed(reversed_thing, Side.CREDIT)
    if isinstance(reversed_thing, Credit):
        return [_credit("goodwill", priced.totals.net_minor, invoice.id), *taxes]
    kind = reversed_thing.invoice_kind if isinstance(reversed_thing, CreditNote) else invoice.kind
    return [
        *(_debit("deposits", deduction.net_minor, deduction.invoice_id) for deduction in priced.deductions),
        *(_credit(_earns(kind, category), net, invoice.id) for category, net in priced.totals.net_by_category.items()),
        *taxes,
    ]


def _earns(kind: OrderKind, category: str) -> str:
    """The account that a net amount is booked to: a deposit is earned only when the final invoice deducts it (I10), and what
    being late costs is no revenue of a sale (D9)."""
    return _EARNS.get(kind, f"revenue:{category}")


_EARNS: Mapping[OrderKind, str] = {OrderKind.DEPOSIT: "deposits", OrderKind.LATE_CHARGE: "late_fees"}


def _reversed_documents(invoice: Invoice, thing: Reversible | None) -> dict[str, tuple[str, ...]]:
    if thing is None:
        if invoice.late_charge:
            return {"late_invoice": (invoice.late_charge.invoice_id,)}
        deposits = tuple(deduction.invoice_id for deduction in invoice.priced.deductions)
        return {"deposit": deposits} if deposits else {}
    role = {Credit: "credit", CreditNote: "credit_note", Refund: "refund"}[type(thing)]
    return {role: (thing.id,)}


def invoice_voided(invoice: Invoice, issued: EntryDraft, number: int, effects: Effects, why: Circumstances) -> EntryDraft:
    """The exact reverse of the entry that issued it (`issued`, entry `number`), at the due dates of today (I6)."""
    back = [
        _signed(p.account, p.amount_minor if p.side is Side.DEBIT else -p.amount_minor, p.document_id)
        for p in issued.postings
        if p.account != "receivable"
    ]
    return _draft(
        EntryKind.INVOICE_VOIDED,
        invoice.account_id,
        invoice.currency,
        why,
        [*effects.postings(), *back],
        documents=issued.documents,
        order_id=issued.order_id,
        reverses=number,
    )


def invoice_written_off(item: OpenItem, effects: Effects, why: Circumstances) -> EntryDraft:
    """What will not be paid is a loss: bad_debt Dr; receivable Cr (I9)."""
    written_off = -sum(movement.amount_minor for movement in effects.movements)
    return _about_invoice(
        EntryKind.INVOICE_WRITTEN_OFF, item, [_debit("bad_debt", written_off, item.invoice_id), *effects.postings()], why
    )


def due_date_moved(item: OpenItem, effects: Effects, why: Circumstances) -> EntryDraft:
    """A part is owed on another day (P6), or from a known day on (T2): receivable Dr at the new date, Cr at the old."""
    return _about_invoice(EntryKind.DUE_DATE_MOVED, item, effects.postings(), why)


# ---- Payments -------------------------------------------------------------------------------------------------------


def payment_received(payment: Payment, effects: Effects, why: Circumstances) -> EntryDraft:
    """Money has come in; what is not allocated to an invoice stays the customer's, as credit (or in the wallet).

    EUR 150.00 by bank, 121.00 of it for one invoice: cash:bank_transfer 15000 Dr; receivable 12100 Cr,
    credit 2900 Cr. A card fee of 2.07 + 0.43 tax in it: revenue:card_fees 207 Cr, tax:VAT21 43 Cr. Within the time of a
    2 % discount, 118.58 settles 121.00: cash 11858 Dr, discounts 200 Dr, tax:VAT21 42 Dr; receivable 12100 Cr.
    """
    fee = payment.fee
    rest = payment.amount_minor - effects.paid_minor - (fee.gross_minor if fee else 0)
    documents = _touched({"payment": (payment.id,)}, effects)
    if payment.gateway_ids:
        documents["gateway"] = payment.gateway_ids
    return _draft(
        EntryKind.PAYMENT_RECEIVED if not payment.to_wallet else EntryKind.WALLET_TOPPED_UP,
        payment.account_id,
        payment.currency,
        why,
        [
            _debit(f"cash:{payment.cash_account}", payment.amount_minor, payment.id),
            *effects.postings(),
            *([_credit("revenue:card_fees", fee.net_minor, payment.id)] if fee else []),
            *([_credit(f"tax:{fee.tax_code}", fee.tax_minor, payment.id)] if fee else []),
            _credit("wallet" if payment.to_wallet else "credit", rest, payment.id),
        ],
        documents=documents,
    )


def payment_allocated(payment: Payment, effects: Effects, why: Circumstances) -> EntryDraft:
    """Credit that a payment left behind now pays invoices: credit Dr; receivable Cr."""
    return _lot_used(EntryKind.PAYMENT_ALLOCATED, payment, {"payment": (payment.id,)}, effects, why)


def allocation_reversed(payment: Payment, number: int | None, effects: Effects, why: Circumstances) -> EntryDraft:
    """An allocation is taken back (P2): receivable Dr; credit Cr. `number` is the entry that had made it."""
    return _lot_used(EntryKind.ALLOCATION_REVERSED, payment, {"payment": (payment.id,)}, effects, why, reverses=number)


def payment_reverted(payment: Payment, unapplied_minor: int, effects: Effects, why: Circumstances) -> EntryDraft:
    """The money went back: a returned debit, a bounced check (P8).

    Invoices are open again, at their full price where the payment had earned a discount: receivable Dr, credit Dr (what
    was unapplied), wallet Dr (what it had topped up), its card fee Dr; cash Cr, discounts Cr, tax Cr. What is nowhere left
    of it (it was refunded) is a loss: bad_debt Dr. What open disputes withhold has left cash already: disputes Cr, held Dr.
    """
    withheld = payment.withheld_minor
    taken = [
        _debit("credit", unapplied_minor, payment.id),
        _debit("held", payment.held_minor, payment.id),
        _debit("wallet", payment.wallet_minor, payment.id),
        *_fee_back(payment),
    ]
    gone_from = [
        _credit("disputes", withheld, payment.id),
        _credit(f"cash:{payment.cash_account}", payment.amount_minor - withheld, payment.id),
    ]
    return _money_back(EntryKind.PAYMENT_REVERTED, payment, gone_from, taken, effects, why)


def dispute_opened(payment: Payment, dispute: Dispute, why: Circumstances) -> EntryDraft:
    """The gateway withholds the money and takes a fee; the customer's unapplied part is held (P9).

    A dispute of 121.00 with a fee of 15.00, of which 21.00 was unapplied: disputes 12100 Dr, gateway_fees 1500 Dr, credit 2100
    Dr; cash:stripe 13600 Cr, held 2100 Cr. When the payment has gone back whole before, only the fee is left to take.
    """
    withheld = 0 if payment.status is PaymentStatus.REVERTED else dispute.amount_minor
    return _draft(
        EntryKind.DISPUTE_OPENED,
        payment.account_id,
        payment.currency,
        why,
        [
            _debit("disputes", withheld, payment.id),
            _debit("gateway_fees", dispute.fee_minor, payment.id),
            _debit("credit", dispute.held_minor, payment.id),
            _credit(f"cash:{payment.cash_account}", withheld + dispute.fee_minor, payment.id),
            _credit("held", dispute.held_minor, payment.id),
        ],
        documents={"payment": (payment.id,), "gateway": (dispute.id,)},
    )


def dispute_won(payment: Payment, dispute: Dispute, why: Circumstances) -> EntryDraft:
    """The money is back, and so is what was held: cash Dr, held Dr; disputes Cr, credit Cr. The fee stays paid."""
    return _draft(
        EntryKind.DISPUTE_WON,
        payment.account_id,
        payment.currency,
        why,
        [
            _debit(f"cash:{payment.cash_account}", dispute.amount_minor, payment.id),
            _debit("held", dispute.held_minor, payment.id),
            _credit("disputes", dispute.amount_minor, payment.id),
            _credit("credit", dispute.held_minor, payment.id),
        ],
        documents={"payment": (payment.id,), "gateway": (dispute.id,)},
    )


def dispute_lost(payment: Payment, dispute: Dispute, unapplied_minor: int, effects: Effects, why: Circumstances) -> EntryDraft:
    """The money is gone: what it had paid is open again. receivable Dr, held Dr, credit Dr (what is unapplied since a refund of
    it failed), wallet Dr; disputes Cr. With the whole payment its card fee goes too. What is nowhere left of it (it was
    refunded) is a loss: bad_debt Dr."""
    taken = [
        _debit("credit", unapplied_minor, payment.id),
        _debit("held", dispute.held_minor, payment.id),
        _debit("wallet", dispute.wallet_minor, payment.id),
        *(_fee_back(payment) if dispute.amount_minor == payment.amount_minor else ()),
    ]
    gone_from = [_credit("disputes", dispute.amount_minor, payment.id)]
    return _money_back(EntryKind.DISPUTE_LOST, payment, gone_from, taken, effects, why, gateway=dispute.id)


def _fee_back(payment: Payment) -> list[Posting]:
    """A card fee on money that went back is not earned, and its tax is not owed."""
    fee = payment.fee
    if fee is None:
        return []
    return [
        _debit("revenue:card_fees", fee.net_minor, payment.id),
        _debit(f"tax:{fee.tax_code}", fee.tax_minor, payment.id),
    ]


def _money_back(
    kind: EntryKind,
    payment: Payment,
    gone_from: Sequence[Posting],
    taken: Sequence[Posting],
    effects: Effects,
    why: Circumstances,
    gateway: str | None = None,
) -> EntryDraft:
    amount_minor = sum(posting.amount_minor for posting in gone_from)
    reopened = -effects.paid_minor
    lost = amount_minor - reopened - sum(posting.amount_minor for posting in taken)
    if lost < 0:
        raise LedgerBrokenError("more_reopened_than_returned", f"{kind} of {amount_minor} would open {reopened} again.")
    documents = _touched({"payment": (payment.id,)}, effects)
    return _draft(
        kind,
        payment.account_id,
        payment.currency,
        why,
        [*effects.postings(), *taken, _debit("bad_debt", lost, payment.id), *gone_from],
        documents=documents | ({"gateway": (gateway,)} if gateway else {}),
    )


# ---- Credits --------------------------------------------------------------------------------------------------------


def credit_issued(credit: Credit, why: Circumstances) -> EntryDraft:
    """A credit outside any invoice: the firm gives up the net (and the tax on it, unless waived); the customer gains the gross.

    EUR 12.10 with tax included at 21 %: goodwill 1000 Dr, tax:VAT21 210 Dr; credit 1210 Cr.
    """
    return _draft(
        EntryKind.CREDIT_ISSUED,
        credit.account_id,
        credit.currency,
        why,
        [
            _debit("goodwill", credit.gross_minor - credit.tax_minor, credit.id),
            *([_debit(f"tax:{credit.tax_code}", credit.tax_minor, credit.id)] if credit.tax_code else []),
            _credit("credit", credit.gross_minor, credit.id),
        ],
        documents={"credit": (credit.id,)},
    )


def credit_note_issued(note: CreditNote, effects: Effects, why: Circumstances) -> EntryDraft:
    """Part of a sale is taken back, with its tax: revenue Dr, tax Dr; receivable Cr (what its invoice still asks for), credit Cr
    (the rest).

    Half of 100.00 + 21 % when 20.00 is still open: revenue 5000 Dr, tax:VAT21 1050 Dr; receivable 2000 Cr, credit 4050 Cr.
    """
    return _draft(
        EntryKind.CREDIT_NOTE_ISSUED,
        note.account_id,
        note.currency,
        why,
        [
            *(_debit(_earns(note.invoice_kind, category), net, note.id) for category, net in note.net_by_category().items()),
            *(_debit(f"tax:{subtotal.tax_code.code}", subtotal.tax_minor, note.id) for subtotal in note.subtotals()),
            *effects.postings(),
            _credit("credit", note.gross_minor - effects.paid_minor, note.credit_id),
        ],
        documents={"credit": (note.credit_id,), "credit_note": (note.id,), "invoice": (note.invoice_id,)},
        order_id=note.order_id,
    )


def credit_applied(credit: Credit, effects: Effects, why: Circumstances) -> EntryDraft:
    """A credit pays invoices: credit Dr; receivable Cr."""
    return _lot_used(EntryKind.CREDIT_APPLIED, credit, {"credit": (credit.id,)}, effects, why)


def credit_expired(credit: Credit, amount_minor: int, why: Circumstances) -> EntryDraft:
    """What was not used in time is the firm's again, with its tax: credit Dr; goodwill Cr, tax Cr (C7).

    Of a credit of 12.10 (2.10 tax) 6.05 is unused: credit 605 Dr; goodwill 500 Cr, tax:VAT21 105 Cr.
    """
    tax = split(amount_minor, [credit.tax_minor, credit.gross_minor - credit.tax_minor])[0] if credit.tax_code else 0
    return _draft(
        EntryKind.CREDIT_EXPIRED,
        credit.account_id,
        credit.currency,
        why,
        [
            _debit("credit", amount_minor, credit.id),
            _credit("goodwill", amount_minor - tax, credit.id),
            _credit(f"tax:{credit.tax_code}", tax, credit.id),
        ],
        documents={"credit": (credit.id,)},
    )


# ---- Refunds --------------------------------------------------------------------------------------------------------

_REFUND_ACCOUNTS: Mapping[RefundFrom, str] = {
    RefundFrom.CREDIT: "credit",
    RefundFrom.WALLET: "wallet",
    RefundFrom.LOSS: "bad_debt",
}


def refund_requested(refund: Refund, effects: Effects, why: Circumstances) -> EntryDraft:
    """Money is on its way back: credit Dr (or wallet, or receivable where an invoice opens again); refunds_in_transit Cr.
    What was given back in the gateway's dashboard beyond all that is a loss: bad_debt Dr."""
    return _refund(
        EntryKind.REFUND_REQUESTED,
        refund,
        [*effects.postings(), *_consumed(refund, Side.DEBIT), _credit("refunds_in_transit", refund.amount_minor, refund.id)],
        effects,
        why,
    )


def refund_succeeded(refund: Refund, why: Circumstances) -> EntryDraft:
    """The money has gone: refunds_in_transit Dr; cash Cr."""
    return _refund(
        EntryKind.REFUND_SUCCEEDED,
        refund,
        [
            _debit("refunds_in_transit", refund.amount_minor, refund.id),
            _credit(f"cash:{refund.cash_account}", refund.amount_minor, refund.id),
        ],
        Effects(),
        why,
    )


def refund_returned(
    refund: Refund, had_succeeded: bool, back: Mapping[str, int], effects: Effects, why: Circumstances
) -> EntryDraft:
    """It failed or was canceled: refunds_in_transit Dr (cash, when it had succeeded); back where it came from Cr.

    `back`: lot → amount that is credit again. An invoice that it had opened is paid again as far as it is still open; what
    is not becomes unapplied credit of the payment. What came from the wallet is in the wallet again.
    """
    elsewhere = (RefundFrom.WALLET, RefundFrom.LOSS)
    return _refund(
        EntryKind.REFUND_RETURNED,
        refund,
        [
            _debit(f"cash:{refund.cash_account}" if had_succeeded else "refunds_in_transit", refund.amount_minor, refund.id),
            *effects.postings(),
            *(_credit("credit", amount, lot) for lot, amount in back.items()),
            *(
                _credit(_REFUND_ACCOUNTS[source.account], source.amount_minor, source.document_id)
                for source in refund.sources
                if source.account in elsewhere
            ),
        ],
        effects,
        why,
    )


def _consumed(refund: Refund, side: Side) -> list[Posting]:
    return [
        Posting(_REFUND_ACCOUNTS[source.account], side, source.amount_minor, source.document_id)
        for source in refund.sources
        if source.account in _REFUND_ACCOUNTS
    ]


def _refund(kind: EntryKind, refund: Refund, postings: Sequence[Posting], effects: Effects, why: Circumstances) -> EntryDraft:
    documents: dict[str, tuple[str, ...]] = {"refund": (refund.id,)}
    if refund.payment_id:
        documents["payment"] = (refund.payment_id,)
    if refund.credit_note_id:
        documents["credit_note"] = (refund.credit_note_id,)
    if refund.gateway_id:
        documents["gateway"] = (refund.gateway_id,)
    return _draft(kind, refund.account_id, refund.currency, why, postings, documents=_touched(documents, effects))


# ---- Wallet ---------------------------------------------------------------------------------------------------------


def wallet_charged(charge: WalletCharge, drawn: Draw, why: Circumstances) -> EntryDraft:
    """Prepaid usage: balance that was given is used first, then what was paid. granted Dr, wallet Dr; revenue Cr, tax Cr."""
    totals = charge.priced.totals
    return _draft(
        EntryKind.WALLET_CHARGED,
        charge.account_id,
        charge.priced.currency,
        why,
        [
            _debit("granted", drawn.granted_minor, charge.id),
            _debit("wallet", drawn.wallet_minor, charge.id),
            *(_credit(f"revenue:{category}", net, charge.id) for category, net in totals.net_by_category.items()),
            *(_credit(f"tax:{tax.tax_code.code}", tax.tax_minor, charge.id) for tax in totals.subtotals),
        ],
        documents={"wallet_charge": (charge.id,)},
    )


def invoice_paid_from_wallet(item: OpenItem, drawn: Draw, effects: Effects, why: Circumstances) -> EntryDraft:
    """A prepaid account's invoice is paid as it is issued: granted Dr, wallet Dr; receivable Cr (A4)."""
    paid = [_debit("granted", drawn.granted_minor, item.invoice_id), _debit("wallet", drawn.wallet_minor, item.invoice_id)]
    return _about_invoice(EntryKind.WALLET_CHARGED, item, [*paid, *effects.postings()], why)


# ---- Shared ---------------------------------------------------------------------------------------------------------


def _lot_used(
    kind: EntryKind,
    lot: Payment | Credit,
    documents: dict[str, tuple[str, ...]],
    effects: Effects,
    why: Circumstances,
    reverses: int | None = None,
) -> EntryDraft:
    """Credit of a lot moves onto invoices, or back."""
    return _draft(
        kind,
        lot.account_id,
        lot.currency,
        why,
        [_signed("credit", -effects.paid_minor, lot.id), *effects.postings()],
        documents=_touched(documents, effects),
        reverses=reverses,
    )


def _about_invoice(kind: EntryKind, item: OpenItem, postings: Sequence[Posting], why: Circumstances) -> EntryDraft:
    return _draft(kind, item.account_id, item.currency, why, postings, documents={"invoice": (item.invoice_id,)})


def _touched(documents: dict[str, tuple[str, ...]], effects: Effects) -> dict[str, tuple[str, ...]]:
    return documents | {"invoice": effects.invoice_ids} if effects.invoice_ids else documents


def _debit(account: str, amount_minor: int, document_id: str, due_date: date | None = None) -> Posting:
    return Posting(account, Side.DEBIT, amount_minor, document_id, due_date)


def _credit(account: str, amount_minor: int, document_id: str, due_date: date | None = None) -> Posting:
    return Posting(account, Side.CREDIT, amount_minor, document_id, due_date)


def _signed(account: str, credit_minor: int, document_id: str | None, due_date: date | None = None) -> Posting:
    """A credit, or below zero a debit."""
    side = Side.CREDIT if credit_minor >= 0 else Side.DEBIT
    return Posting(account, side, abs(credit_minor), document_id, due_date)


def _draft(
    kind: EntryKind,
    account_id: str,
    currency: str,
    why: Circumstances,
    postings: Sequence[Posting],
    *,
    documents: dict[str, tuple[str, ...]],
    order_id: str | None = None,
    reverses: int | None = None,
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
        reverses=reverses,
    )
