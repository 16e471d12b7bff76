"""``python -m local.postings``: docs/postings.md, every rule of posting with worked numbers.

The words are the docstrings of ``domain/posting_rules.py``; the numbers come from the domain itself, run on small
examples. ``--check`` only compares with the file and says what differs.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.stack import ROOT
from remit.domain import posting_rules
from remit.domain.accounts import Account, Address, ModeChange, PaymentMode
from remit.domain.actor import Actor, Channel
from remit.domain.arrears import DUE_AT_ONCE, NO_CONSIDERATION
from remit.domain.credit_notes import CreditNote, CreditNoteTerms, LineCredit, credit_lines, new_credit_note
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption, new_credit
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.journal import CUSTOMER_ACCOUNTS, Balance, EntryDraft, JournalEntry, Posting, Side
from remit.domain.money import Money, decimal_text
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import (
    NOT_A_SUPPLY,
    Deduction,
    Line,
    LineRequest,
    Order,
    OrderKind,
    PricedLines,
    deducting,
    on_terms,
    price,
    priced_lines,
)
from remit.domain.payments import Allocation, Dispute, DisputeStatus, Fee, Payment, PaymentStatus
from remit.domain.posting_rules import Circumstances, Reversible
from remit.domain.refunds import Refund, RefundFrom, RefundSource, RefundStatus
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, EarlyDiscount, Method, PaymentTerm
from remit.domain.wallet import WalletCharge, draw
from remit.usecases.apply_gateway_report import post_disputes, post_reversal
from remit.usecases.issue_invoice import bill

FILE = ROOT / "docs" / "postings.md"
CURRENCY = "EUR"

VAT21 = TaxCode("VAT21", TaxKind.STANDARD, Decimal(21))
NET30 = PaymentTerm.single("net30", "Net 30", Due(DueRule.NET_DAYS, 30))
TWO_TEN_NET_30 = replace(NET30, id="2_10_net30", discount=EarlyDiscount(Decimal(2), 10))
FIRM = Firm(
    name="Northwind B.V.",
    email="billing@northwind.example",
    address=Address("Keizersgracht 123", "Amsterdam", "NL", postal_code="1015 CJ"),
    time_zone="Europe/Amsterdam",
    default_currency=CURRENCY,
    tax_codes={VAT21.code: VAT21},
    terms={term.id: term for term in (NET30, TWO_TEN_NET_30)},
)
FIRST_DAY = date(2026, 3, 2)
CUSTOMER = Account("acc_1", "Blue Harbour GmbH", "ap@blueharbour.example", CURRENCY, datetime(2026, 1, 5, 9, tzinfo=UTC))
CLERK = Actor("clerk", Channel.API)


@dataclass(frozen=True)
class Shown:
    """An entry, the rule that made it, and the customer's balance before and after it."""

    rule: str
    entry: JournalEntry
    before: Balance
    after: Balance


class _Watched(Operation):
    """An operation that remembers which rule made which entry."""

    def __init__(self, story: "Story", day: date) -> None:
        super().__init__(story.balance, Circumstances(day, datetime.combine(day, time(11), UTC), CLERK, "an example"))
        self._shown = story.shown

    def post(self, rule: Callable[..., EntryDraft], *about: Any, why: Circumstances | None = None) -> JournalEntry:
        return self._watch(rule, super().post, about, why)

    def post_plain(self, rule: Callable[..., EntryDraft], *about: Any, why: Circumstances | None = None) -> JournalEntry:
        return self._watch(rule, super().post_plain, about, why)

    def _watch(self, rule: Callable[..., EntryDraft], post: Callable[..., JournalEntry], about: Any, why: Any) -> JournalEntry:
        before = self.balance
        entry = post(rule, *about, why=why)
        self._shown.append(Shown(rule.__name__, entry, before, self.balance))
        return entry


class Story:
    """What happens between the firm and one customer, step by step, through the domain. The last entry is what is shown."""

    def __init__(self) -> None:
        self.balance = Balance(CUSTOMER.id, CURRENCY)
        self.shown: list[Shown] = []
        self.account = CUSTOMER
        self._things: dict[tuple[str, str], Any] = {}
        self._numbers: dict[str, int] = {}
        self._series = NumberSeries("INV-2026")

    # ---- Steps ------------------------------------------------------------------------------------------------------

    def invoice(
        self,
        net_minor: int = 100_00,
        *,
        kind: OrderKind = OrderKind.SERVICES,
        term: PaymentTerm = NET30,
        deposits: Sequence[Invoice] = (),
        reverses: Reversible | None = None,
        code: TaxCode = VAT21,
    ) -> Invoice:
        """Order and bill one line of services."""
        priced = _priced(net_minor, code)
        if deposits:
            priced = deducting(priced, [Deduction(each.id, each.number, each.priced.totals.subtotals) for each in deposits])
        placed_at = datetime.combine(FIRST_DAY, time(9), UTC)
        order = Order(self._id("ord"), CUSTOMER.id, on_terms(priced, term), term, placed_at, kind=kind)
        operation = self._operation()
        if isinstance(reverses, Refund):
            for source in reverses.sources:
                operation.change(operation.lot(source.document_id).put_back(source.amount_minor))
        invoice, self._series = bill(operation, order, self.account, FIRM, self._series, reverses)
        self._close(operation)
        return invoice

    def pay(
        self,
        amount_minor: int,
        allocations: Sequence[Allocation] = (),
        *,
        method: Method = Method.BANK_TRANSFER,
        fee: Fee | None = None,
        to_wallet: bool = False,
    ) -> Payment:
        """Money comes in, on the first day."""
        cash = "stripe" if method is Method.CARD else str(method)
        payment = Payment(
            self._id("pay"),
            CUSTOMER.id,
            CURRENCY,
            amount_minor,
            method,
            cash,
            PaymentStatus.SUCCEEDED,
            datetime.combine(FIRST_DAY, time(10), UTC),
            value_date=FIRST_DAY,
            unapplied_minor=amount_minor - (fee.gross_minor if fee else 0),
            fee=fee,
            to_wallet=to_wallet,
        )
        operation = self._operation()
        operation.create(payment)
        operation.pay_from(payment.id, allocations, FIRST_DAY)
        if to_wallet:
            rest = operation.get(Payment, payment.id)
            operation.change(replace(rest, unapplied_minor=0, wallet_minor=rest.unapplied_minor))
        operation.post(posting_rules.payment_received, payment)
        return self._close(operation, payment)

    def credit(self, amount_minor: int, option: TaxOption = TaxOption.INCLUDED) -> Credit:
        """Goodwill."""
        code = None if option is TaxOption.WAIVED else VAT21
        terms = CreditTerms(CreditKind.GOODWILL, "late delivery")
        now = datetime.combine(FIRST_DAY, time(10), UTC)
        credit = new_credit(self._id("crd"), CUSTOMER.id, Money(amount_minor, CURRENCY), option, code, terms, FIRST_DAY, now)
        operation = self._operation()
        operation.create(credit)
        operation.post_plain(posting_rules.credit_issued, credit)
        return self._close(operation, credit)

    def credit_note(self, invoice: Invoice, net_minor: int) -> CreditNote:
        """Part of an invoice's only line is taken back."""
        operation = self._operation()
        item = operation.item(invoice.id)
        lines = credit_lines(invoice, item, [LineCredit(1, net_minor)], TaxOption.NOT_INCLUDED)
        note, credit, marked, _ = new_credit_note(
            self._id("cnt"), invoice, item, lines, CreditNoteTerms("returned"), NumberSeries("CN-2026"), FIRST_DAY,
            operation.why.recorded_at, apply=True,
        )  # fmt: skip
        operation.change(marked)
        operation.create(replace(credit, open_minor=credit.gross_minor - note.applied_minor))
        if note.applied_minor:
            operation.settle(note.id, [Allocation(invoice.id, note.applied_minor)], FIRST_DAY)
        operation.post(posting_rules.credit_note_issued, note)
        self._close(operation)
        return note

    def use(self, lot: Payment | Credit, invoice: Invoice, amount_minor: int) -> None:
        """What a payment or a credit left pays an invoice now."""
        rule = posting_rules.payment_allocated if isinstance(lot, Payment) else posting_rules.credit_applied
        operation = self._operation()
        operation.pay_from(lot.id, [Allocation(invoice.id, amount_minor)], FIRST_DAY)
        operation.post(rule, lot)
        self._close(operation)

    def take_back(self, payment: Payment, invoice: Invoice, amount_minor: int) -> None:
        """An allocation is reversed."""
        operation = self._operation()
        operation.unallocate(payment.id, [Allocation(invoice.id, amount_minor)])
        operation.post(posting_rules.allocation_reversed, payment, self.shown[-1].entry.sequence)
        self._close(operation)

    def revert(self, payment: Payment) -> None:
        operation = self._operation()
        post_reversal(operation, payment.id)
        self._close(operation)

    def dispute(self, payment: Payment, amount_minor: int, status: DisputeStatus) -> None:
        """The payer's bank takes the money back, or decides about it."""
        operation = self._operation()
        now = operation.get(Payment, payment.id)
        known = now.disputes[0] if now.disputes else Dispute("dp_1", status, amount_minor, 15_00, now.created_at)
        operation.change(replace(now, disputes=(replace(known, status=status),)))
        post_disputes(operation, payment.id, FIRM)
        self._close(operation)

    def refund(self, source: RefundSource, payment: Payment | None = None) -> Refund:
        """Money is on its way back: out of a lot, the wallet, or an invoice that is open again."""
        operation = self._operation()
        id = self._id("ref")
        if source.account is RefundFrom.WALLET:
            source = replace(source, document_id=id)
        refund = Refund(
            id, CUSTOMER.id, CURRENCY, source.amount_minor, Method.BANK_TRANSFER, "bank_transfer", (source,),
            RefundStatus.PENDING, FIRST_DAY, operation.why.recorded_at, CLERK, "asked for", payment.id if payment else None,
        )  # fmt: skip
        operation.create(refund)
        if source.account is RefundFrom.CREDIT:
            operation.change(operation.lot(source.document_id).take(source.amount_minor))
        elif source.account is RefundFrom.RECEIVABLE and payment:
            operation.reopen(payment.id, [Allocation(source.document_id, source.amount_minor)])
        if payment:
            operation.change(operation.get(Payment, payment.id).refund(source.amount_minor))
        operation.post(posting_rules.refund_requested, refund)
        return self._close(operation, refund)

    def refund_succeeds(self, refund: Refund) -> None:
        operation = self._operation()
        operation.change(replace(refund, status=RefundStatus.SUCCEEDED))
        operation.post_plain(posting_rules.refund_succeeded, refund)
        self._close(operation)

    def refund_returns(self, refund: Refund, *, had_succeeded: bool = False) -> None:
        """It failed: the lot has its credit again."""
        operation = self._operation()
        (source,) = refund.sources
        operation.change(operation.lot(source.document_id).put_back(source.amount_minor))
        operation.post(posting_rules.refund_returned, refund, had_succeeded, {source.document_id: source.amount_minor})
        self._close(operation)

    def expire(self, credit: Credit) -> None:
        operation = self._operation()
        left = operation.lot(credit.id).available_minor
        operation.change(operation.get(Credit, credit.id).take(left))
        operation.post_plain(posting_rules.credit_expired, credit, left)
        self._close(operation)

    def void(self, invoice: Invoice) -> None:
        issued = self.shown[-1].entry
        operation = self._operation()
        operation.change(operation.item(invoice.id).void())
        operation.post(posting_rules.invoice_voided, invoice, issued.draft, issued.sequence)
        self._close(operation)

    def write_off(self, invoice: Invoice) -> None:
        operation = self._operation()
        operation.change(operation.item(invoice.id).write_off())
        operation.post(posting_rules.invoice_written_off, operation.item(invoice.id))
        self._close(operation)

    def postpone(self, invoice: Invoice, until: date) -> None:
        operation = self._operation()
        item = operation.item(invoice.id)
        operation.change(item.postpone(1, until, CLERK, "agreed", operation.why.recorded_at, FIRST_DAY))
        operation.post(posting_rules.due_date_moved, operation.item(invoice.id))
        self._close(operation)

    def charge(self, net_minor: int) -> None:
        """Usage, taken from the wallet."""
        operation = self._operation()
        charge = WalletCharge(
            self._id("wch"), CUSTOMER.id, _priced(net_minor, VAT21), FIRST_DAY, operation.why.recorded_at, "usage"
        )
        operation.create(charge)
        operation.post_plain(posting_rules.wallet_charged, charge, draw(operation.balance, charge.amount_minor, 0))
        self._close(operation)

    # ---- Means ------------------------------------------------------------------------------------------------------

    def _operation(self) -> _Watched:
        operation = _Watched(self, FIRST_DAY)
        operation.hold(*self._things.values())
        return operation

    def _close(self, operation: Operation, thing: Any = None) -> Any:
        """Keep what changed; returns `thing` as it is now."""
        for changed in operation.changes():
            if isinstance(changed, Balance):
                self.balance = changed
            elif not isinstance(changed, JournalEntry):
                self._things[_key(changed)] = changed
        return self._things[_key(thing)] if thing is not None else None

    def _id(self, prefix: str) -> str:
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}_{self._numbers[prefix]}"


def _key(thing: Any) -> tuple[str, str]:
    return type(thing).__name__, thing.invoice_id if isinstance(thing, OpenItem) else thing.id


def _priced(net_minor: int, code: TaxCode) -> PricedLines:
    if code is VAT21:
        request = LineRequest("Services", Decimal(1), net_minor, VAT21.code, "services")
        return price([request], CURRENCY, FIRM, prices_include_tax=False)
    line = Line("As agreed", Decimal(1), net_minor, net_minor, code, "services")
    return priced_lines([line], CURRENCY, prices_include_tax=False)


# ---- The examples, in the order of an invoice's life ------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """`words` say what happens; `happens` makes it happen."""

    words: str
    happens: Callable[[Story], object]


@dataclass(frozen=True)
class Section:
    """One rule (its function's name), or a case of it that has a place of its own."""

    title: str
    rule: str
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Chapter:
    title: str
    sections: tuple[Section, ...]


def _all(story: Story) -> Invoice:
    """An invoice of 121.00 and the payment that settles it; the invoice."""
    invoice = story.invoice()
    story.pay(121_00, [Allocation(invoice.id, 121_00)])
    return invoice


def _after_deposit(story: Story) -> None:
    deposit = story.invoice(30_00, kind=OrderKind.DEPOSIT)
    story.pay(36_30, [Allocation(deposit.id, 36_30)])
    story.invoice(100_00, deposits=[deposit])


def _reverses_credit(story: Story) -> None:
    credit = story.credit(12_10)
    story.invoice(10_00, kind=OrderKind.CREDIT_REVERSAL, reverses=credit)


def _reverses_note(story: Story) -> None:
    note = story.credit_note(_all(story), 50_00)
    story.invoice(50_00, kind=OrderKind.CREDIT_REVERSAL, reverses=note)


def _reverses_refund(story: Story) -> None:
    payment = story.pay(29_00)
    refund = story.refund(RefundSource(RefundFrom.CREDIT, payment.id, 29_00), payment)
    story.refund_succeeds(refund)
    story.invoice(29_00, kind=OrderKind.REFUND_REVERSAL, reverses=refund, code=NOT_A_SUPPLY)


def _overpaid(story: Story) -> None:
    invoice = story.invoice()
    story.pay(150_00, [Allocation(invoice.id, 121_00)])


def _early(story: Story) -> None:
    invoice = story.invoice(term=TWO_TEN_NET_30)
    story.pay(118_58, [Allocation(invoice.id, 118_58)])


def _by_card(story: Story) -> None:
    invoice = story.invoice()
    story.pay(123_50, [Allocation(invoice.id, 121_00)], method=Method.CARD, fee=Fee(2_07, 43, VAT21.code))


def _top_up_paid(story: Story) -> None:
    invoice = story.invoice(50_00, kind=OrderKind.TOP_UP, code=NOT_A_SUPPLY)
    story.pay(50_00, [Allocation(invoice.id, 50_00)])


def _top_up_given(story: Story) -> None:
    credit = story.credit(20_00, TaxOption.WAIVED)
    story.use(credit, story.invoice(20_00, kind=OrderKind.TOP_UP, code=NOT_A_SUPPLY), 20_00)


def _recovered(story: Story) -> None:
    invoice = story.invoice()
    story.write_off(invoice)
    story.pay(121_00, [Allocation(invoice.id, 121_00)])


def _allocated_later(story: Story) -> None:
    invoice, payment = story.invoice(), story.pay(150_00)
    story.use(payment, invoice, 121_00)


def _allocation_reversed(story: Story) -> None:
    invoice, payment = story.invoice(), story.pay(150_00)
    story.use(payment, invoice, 121_00)
    story.take_back(payment, invoice, 121_00)


def _reverted(story: Story) -> None:
    invoice = story.invoice()
    story.revert(story.pay(150_00, [Allocation(invoice.id, 121_00)]))


def _reverted_after_refund(story: Story) -> None:
    invoice = story.invoice()
    payment = story.pay(150_00, [Allocation(invoice.id, 121_00)])
    story.refund(RefundSource(RefundFrom.CREDIT, payment.id, 29_00), payment)
    story.revert(payment)


def _reverted_in_dispute(story: Story) -> None:
    invoice = story.invoice()
    payment = story.pay(150_00, [Allocation(invoice.id, 121_00)])
    story.dispute(payment, 50_00, DisputeStatus.OPEN)
    story.revert(payment)


def _disputed(*path: DisputeStatus) -> Callable[[Story], object]:
    def happens(story: Story) -> None:
        invoice = story.invoice()
        payment = story.pay(142_00, [Allocation(invoice.id, 121_00)], method=Method.CARD)
        for status in path:
            story.dispute(payment, 142_00, status)

    return happens


def _credit_applied(story: Story) -> None:
    credit = story.credit(12_10)
    story.use(credit, story.invoice(), 12_10)


def _credit_expired(story: Story) -> None:
    credit = story.credit(12_10)
    story.use(credit, story.invoice(), 6_05)
    story.expire(credit)


def _note_on_deposit(story: Story) -> None:
    story.credit_note(story.invoice(30_00, kind=OrderKind.DEPOSIT), 30_00)


def _note_when_part_is_open(story: Story) -> None:
    invoice = story.invoice()
    story.pay(101_00, [Allocation(invoice.id, 101_00)])
    story.credit_note(invoice, 50_00)


def _refund_of_credit(story: Story) -> Refund:
    payment = story.pay(29_00)
    return story.refund(RefundSource(RefundFrom.CREDIT, payment.id, 29_00), payment)


def _refund_of_receipt(story: Story) -> None:
    invoice = story.invoice()
    payment = story.pay(121_00, [Allocation(invoice.id, 121_00)])
    story.refund(RefundSource(RefundFrom.RECEIVABLE, invoice.id, 121_00), payment)


def _withdrawal(story: Story) -> None:
    story.pay(50_00, to_wallet=True)
    story.refund(RefundSource(RefundFrom.WALLET, "", 20_00))


def _refund_succeeds(story: Story) -> None:
    story.refund_succeeds(_refund_of_credit(story))


def _refund_fails(story: Story) -> None:
    story.refund_returns(_refund_of_credit(story))


def _refund_fails_late(story: Story) -> None:
    refund = _refund_of_credit(story)
    story.refund_succeeds(refund)
    story.refund_returns(refund, had_succeeded=True)


def _charged(story: Story) -> None:
    _top_up_given(story)
    story.pay(50_00, to_wallet=True)
    story.charge(30_00)


def _paid_from_wallet(story: Story) -> None:
    story.pay(200_00, to_wallet=True)
    story.account = CUSTOMER.change_mode(ModeChange(FIRST_DAY, PaymentMode.PREPAID), FIRST_DAY)
    story.invoice()


CHAPTERS = (
    Chapter(
        "An invoice is issued",
        (
            Section(
                "Invoice issued",
                "invoice_issued",
                (
                    Example("Services of 100.00 with 21 % tax, due in 30 days.", Story.invoice),
                    Example(
                        "A deposit of 30.00 with its tax. It is earned later, by the final invoice.",
                        lambda story: story.invoice(30_00, kind=OrderKind.DEPOSIT),
                    ),
                    Example("The final invoice of 100.00. It deducts the paid deposit with its tax.", _after_deposit),
                    Example(
                        "A top-up of the wallet by 50.00. It is no supply, so it has no tax.",
                        lambda story: story.invoice(50_00, kind=OrderKind.TOP_UP, code=NOT_A_SUPPLY),
                    ),
                    Example(
                        "A late charge: a fee of 40.00 and interest of 12.79. It is no supply, so it has no tax.",
                        lambda story: story.invoice(52_79, kind=OrderKind.LATE_CHARGE, term=DUE_AT_ONCE, code=NO_CONSIDERATION),
                    ),
                    Example("A goodwill credit of 12.10 is reversed by an invoice.", _reverses_credit),
                    Example("A credit note of 60.50 is reversed by an invoice.", _reverses_note),
                    Example("A refund of 29.00 that was paid out is asked back.", _reverses_refund),
                ),
            ),
            Section(
                "Due date moved",
                "due_date_moved",
                (
                    Example(
                        "An invoice of 121.00 is postponed by a month.",
                        lambda story: story.postpone(story.invoice(), date(2026, 5, 1)),
                    ),
                ),
            ),
            Section(
                "Invoice voided",
                "invoice_voided",
                (Example("An invoice of 121.00 was a mistake.", lambda story: story.void(story.invoice())),),
            ),
        ),
    ),
    Chapter(
        "It is paid",
        (
            Section(
                "Payment received",
                "payment_received",
                (
                    Example("A bank transfer settles an invoice of 121.00.", _all),
                    Example("A bank transfer of 150.00. The rest is the customer's credit.", _overpaid),
                    Example("A discount of 2 % within 10 days: 118.58 settles 121.00. The tax falls with it.", _early),
                    Example("By card, with a card fee of 2.50 tax included.", _by_card),
                    Example("A top-up invoice of 50.00 is paid. The wallet has it now.", _top_up_paid),
                ),
            ),
            Section(
                "Payment allocated later",
                "payment_allocated",
                (Example("150.00 came in before. 121.00 of it pays an invoice now.", _allocated_later),),
            ),
            Section(
                "Allocation reversed",
                "allocation_reversed",
                (Example("The 121.00 were meant for another invoice.", _allocation_reversed),),
            ),
        ),
    ),
    Chapter(
        "The money goes back",
        (
            Section(
                "Payment reverted",
                "payment_reverted",
                (
                    Example("A debit of 150.00 is returned. 121.00 of it had paid an invoice.", _reverted),
                    Example("The same, when 29.00 of it had been refunded already.", _reverted_after_refund),
                    Example("The same, while 50.00 of it was in dispute.", _reverted_in_dispute),
                ),
            ),
            Section(
                "Dispute opened",
                "dispute_opened",
                (Example("A card payment of 142.00 is disputed; 21.00 was not applied.", _disputed(DisputeStatus.OPEN)),),
            ),
            Section(
                "Dispute won",
                "dispute_won",
                (Example("The firm wins it.", _disputed(DisputeStatus.OPEN, DisputeStatus.WON)),),
            ),
            Section(
                "Dispute lost",
                "dispute_lost",
                (Example("The firm loses it.", _disputed(DisputeStatus.OPEN, DisputeStatus.LOST)),),
            ),
        ),
    ),
    Chapter(
        "Credits",
        (
            Section(
                "Credit issued",
                "credit_issued",
                (
                    Example("Goodwill of 12.10, tax included.", lambda story: story.credit(12_10)),
                    Example("Goodwill of 10.00, tax on top.", lambda story: story.credit(10_00, TaxOption.NOT_INCLUDED)),
                    Example("Goodwill of 10.00, tax waived.", lambda story: story.credit(10_00, TaxOption.WAIVED)),
                ),
            ),
            Section(
                "Credit applied",
                "credit_applied",
                (
                    Example("The credit of 12.10 pays part of an invoice.", _credit_applied),
                    Example("Goodwill of 20.00 pays a top-up. The wallet has it as balance that was given.", _top_up_given),
                ),
            ),
            Section(
                "Credit expired", "credit_expired", (Example("Of a credit of 12.10, 6.05 was never used.", _credit_expired),)
            ),
            Section(
                "Credit note issued",
                "credit_note_issued",
                (
                    Example(
                        "Half of an open invoice of 121.00 is taken back.",
                        lambda story: story.credit_note(story.invoice(), 50_00),
                    ),
                    Example("The same, when only 20.00 is still open.", _note_when_part_is_open),
                    Example("The same, when all of it is paid.", lambda story: story.credit_note(_all(story), 50_00)),
                    Example("A deposit of 36.30 is taken back.", _note_on_deposit),
                ),
            ),
        ),
    ),
    Chapter(
        "Refunds",
        (
            Section(
                "Refund requested",
                "refund_requested",
                (
                    Example("29.00 of available credit is given back.", _refund_of_credit),
                    Example("A receipt of 121.00 is refunded. Its invoice is open again.", _refund_of_receipt),
                    Example("20.00 is withdrawn from the wallet.", _withdrawal),
                ),
            ),
            Section("Refund succeeded", "refund_succeeded", (Example("The money has left the bank.", _refund_succeeds),)),
            Section(
                "Refund returned",
                "refund_returned",
                (
                    Example("The bank refuses it.", _refund_fails),
                    Example("The money comes back after it had left.", _refund_fails_late),
                ),
            ),
        ),
    ),
    Chapter(
        "The prepaid wallet",
        (
            Section(
                "Wallet topped up by a payment",
                "payment_received",
                (Example("A bank transfer of 50.00 for the wallet.", lambda story: story.pay(50_00, to_wallet=True)),),
            ),
            Section(
                "Wallet charged",
                "wallet_charged",
                (Example("Usage of 30.00 with its tax. 20.00 of the wallet was given, and is used first.", _charged),),
            ),
            Section(
                "Invoice paid from the wallet",
                "invoice_paid_from_wallet",
                (Example("A prepaid customer's invoice of 121.00.", _paid_from_wallet),),
            ),
        ),
    ),
    Chapter(
        "It is never paid",
        (
            Section(
                "Invoice written off",
                "invoice_written_off",
                (Example("121.00 will not be paid.", lambda story: story.write_off(story.invoice())),),
            ),
            Section("Recovery", "payment_received", (Example("It is paid after all. Nothing is open again.", _recovered),)),
        ),
    ),
)


# ---- The page ---------------------------------------------------------------------------------------------------------

INTRODUCTION = """# What every operation posts

<!-- Written by `make docs` from layers/shared/remit/domain/posting_rules.py. Change the rules there, not here. -->

Each operation makes one entry, and in every entry debits equal credits. Below is each rule in words, with numbers that
the program itself computed. The customer's own accounts are `receivable` (what is owed), `credit` (what was not applied),
`wallet` (prepaid), `granted` (prepaid balance that was given) and `held` (in dispute). All others are the firm's.

The *balance* is what the customer owes on the whole: receivable less credit, wallet and granted. Below zero it is
available credit. The sample customer's tax is 21 %.
"""


def examples() -> list[tuple[Section, Example, Shown]]:
    """Every example with its entry, in the order of the page."""
    return [
        (section, example, _run(section, example))
        for chapter in CHAPTERS
        for section in chapter.sections
        for example in section.examples
    ]


def _run(section: Section, example: Example) -> Shown:
    story = Story()
    example.happens(story)
    shown = story.shown[-1]
    if shown.rule != section.rule:
        raise ValueError(f"{section.title!r} is about {section.rule}, but {example.words!r} posts by {shown.rule}")
    return shown


def page() -> str:
    """The whole page."""
    run = {(section.title, example.words): shown for section, example, shown in examples()}
    parts = [INTRODUCTION]
    for chapter in CHAPTERS:
        parts.append(f"## {chapter.title}\n")
        for section in chapter.sections:
            parts.append(f"### {section.title}\n\n{_words_of(section.rule)}\n")
            parts += [f"{example.words}\n\n{_table(run[section.title, example.words])}\n" for example in section.examples]
    return "\n".join(parts)


def rules() -> dict[str, Callable[..., EntryDraft]]:
    """The rules of posting, by name."""
    found = vars(posting_rules).items()
    own = {name: each for name, each in found if inspect.isfunction(each) and each.__module__ == posting_rules.__name__}
    return {name: each for name, each in own.items() if not name.startswith("_")}


def _words_of(rule: str) -> str:
    """The first paragraph of the rule's docstring; the others work numbers, which the page has as tables."""
    return " ".join((inspect.getdoc(rules()[rule]) or "").partition("\n\n")[0].split())


def _table(shown: Shown) -> str:
    draft = shown.entry.draft
    rows = [*sorted(draft.postings, key=lambda posting: posting.side is Side.CREDIT)]
    lines = ["| account | debit | credit |", "|---|---:|---:|", *map(_row, rows)]
    return "\n".join([*lines, "", _balance(shown)])


def _row(posting: Posting) -> str:
    amount = _money(posting.amount_minor)
    account = f"`{posting.account}`" + (f", due {posting.due_date}" if posting.due_date else "")
    return f"| {account} | {amount} | |" if posting.side is Side.DEBIT else f"| {account} | | {amount} |"


def _balance(shown: Shown) -> str:
    """What the entry does to the customer's accounts, and to the balance."""
    moved = [
        f"{account} {_step(getattr(shown.before, f'{account}_minor'), getattr(shown.after, f'{account}_minor'))}"
        for account in CUSTOMER_ACCOUNTS
        if getattr(shown.before, f"{account}_minor") != getattr(shown.after, f"{account}_minor")
    ]
    before, after = shown.before.balance_minor, shown.after.balance_minor
    balance = f"balance {_step(before, after)}" if before != after else f"balance stays {_money(after)}"
    return f"Customer: {', '.join([*moved, balance])}."


def _step(before: int, after: int) -> str:
    return f"{_money(before)} → {_money(after)}"


def _money(amount_minor: int) -> str:
    return f"{CURRENCY} {decimal_text(amount_minor, CURRENCY)}"


def main(arguments: list[str], file: Path = FILE) -> int:
    text = page()
    if "--check" in arguments:
        same = file.exists() and file.read_text() == text
        print(f"{file.name} is what the rules post" if same else f"{file.name} differs from the rules: run 'make docs'")
        return 0 if same else 1
    file.write_text(text)
    print(f"{file.name}: {len(examples())} examples")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
