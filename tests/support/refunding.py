"""Credits, credit notes, cancellations and refunds in an office: what a test does in one line."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from remit.domain.actor import Actor, Channel
from remit.domain.credit_notes import CreditNote, CreditNoteTerms, LineCredit
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption
from remit.domain.journal import Side
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.refunds import Refund, RefundReport, RefundStatus, dashboard_refund_id
from remit.domain.terms import Method
from remit.usecases.apply_credit import apply_credit
from remit.usecases.apply_refund_report import apply_refund_report
from remit.usecases.approve_refund import approve_refund
from remit.usecases.cancel_purchase import Cancellation, CancellationWish, RefundChoice, cancel_purchase
from remit.usecases.cancel_refund import cancel_refund
from remit.usecases.expire_credit import expire_credit
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_credit import CreditWish, issue_credit
from remit.usecases.issue_credit_note import CreditNoteWish, IssuedCreditNote, issue_credit_note
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.ports import AgendaKind, credit_note_ref, refund_ref
from remit.usecases.refund_credit import CreditRefundWish, refund_credit
from remit.usecases.refund_payment import RefundWish, refund_payment
from remit.usecases.reverse import reverse_credit, reverse_refund
from remit.usecases.submit_refund import submit_refund
from tests.support.builders import STRIPE, Office, plain, report_on, request

MANAGER = Actor("manager-1", Channel.API)
"""A second person."""


def with_money_rules(office: Office, **rules: Any) -> None:
    office.firm = replace(office.firm, money=replace(office.firm.money, **rules))


def card_paid(office: Office, account_id: str, invoice_id: str) -> str:
    """The id of a card payment of all that is open, arrived."""
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, PaymentStatus.SUCCEEDED, 5, gateway_ids=[f"pi_{payment.id}"]), f"evt_{payment.id}")
    return payment.id


def give(
    office: Office,
    account_id: str,
    minor: int,
    kind: CreditKind = CreditKind.GOODWILL,
    option: TaxOption = TaxOption.WAIVED,
    code: str | None = None,
    key: str | None = None,
    **terms: Any,
) -> Credit:
    """A credit outside any invoice; untaxed unless said otherwise."""
    wish = CreditWish(account_id, Money(minor, "EUR"), option, CreditTerms(kind, "sorry", **terms), code)
    ask: Request[Credit] = office.request(key, plain(wish))
    answer = issue_credit(wish, ask, office.firm, office.books, office.clock, office.ids)
    return office.credit(account_id, answer.body["id"])


def apply(
    office: Office, account_id: str, credit_id: str, *allocations: Allocation, currency: str = "EUR", key: str | None = None
) -> Answer:
    ask: Request[Credit] = office.request(key, plain(allocations))
    return apply_credit(account_id, credit_id, currency, allocations, ask, office.firm, office.books, office.clock)


def expire_all(office: Office) -> list[Credit]:
    """What the schedule does: every credit whose time is over, found by the agenda."""
    today = office.firm.today(office.clock.now()).isoformat()
    due, _ = office.books.due(AgendaKind.CREDIT_EXPIRY, today, None, 10**6)
    return [expire_credit(thing.account_id, thing.id, office.firm, office.books, office.clock) for thing in due]


def reverse(office: Office, account_id: str, id: str, note: str = "given by mistake", key: str | None = None) -> Answer:
    """Take a credit or a refund back by an invoice."""
    ask: Request[IssuedInvoice] = office.request(key, [id, note])
    verb = reverse_refund if id.startswith("ref_") else reverse_credit
    return verb(account_id, id, note, ask, office.firm, office.books, office.clock)


def lines(*wishes: int | tuple[int, int]) -> list[LineCredit]:
    """Line numbers, each in full or with an amount."""
    return [LineCredit(*wish) if isinstance(wish, tuple) else LineCredit(wish) for wish in wishes]


def credit_note(
    office: Office,
    account_id: str,
    invoice_id: str,
    *wishes: int | tuple[int, int],
    option: TaxOption = TaxOption.INCLUDED,
    rma: str | None = None,
    key: str | None = None,
) -> CreditNote:
    wish = CreditNoteWish(account_id, invoice_id, lines(*wishes) or None, CreditNoteTerms("returned", option, rma))
    ask: Request[IssuedCreditNote] = office.request(key, plain(wish))
    answer = issue_credit_note(wish, ask, office.firm, office.books, office.clock, office.ids)
    return office.books.read(credit_note_ref(account_id, answer.body["note"]["id"]))


def cancel(
    office: Office,
    account_id: str,
    invoice_id: str,
    refund: RefundChoice | int = RefundChoice.SUGGESTED,
    *,
    items: Sequence[LineCredit] | None = None,
    option: TaxOption = TaxOption.INCLUDED,
    transfer_to: str | None = None,
    method: Method | None = None,
    key: str | None = None,
) -> Answer:
    credit = CreditNoteWish(account_id, invoice_id, items, CreditNoteTerms("changed my mind", option))
    wish = CancellationWish(credit, refund, method, transfer_to)
    ask: Request[Cancellation] = office.request(key, plain(wish))
    return cancel_purchase(wish, ask, office.firm, office.books, office.clock, office.ids)


def refund_receipt(
    office: Office,
    account_id: str,
    payment_id: str,
    minor: int,
    *,
    method: Method | None = None,
    key: str | None = None,
) -> Refund:
    wish = RefundWish(account_id, payment_id, minor, "complaint", method)
    ask: Request[Refund] = office.request(key, plain(wish))
    answer = refund_payment(wish, ask, office.firm, office.books, office.clock, office.ids)
    return refund(office, account_id, answer.body["id"])


def refund_available(
    office: Office, account_id: str, minor: int, method: Method = Method.BANK_TRANSFER, key: str | None = None
) -> Refund:
    wish = CreditRefundWish(account_id, Money(minor, "EUR"), method, "asked for it")
    ask: Request[Refund] = office.request(key, plain(wish))
    answer = refund_credit(wish, ask, office.firm, office.books, office.clock, office.ids)
    return refund(office, account_id, answer.body["id"])


def approve(office: Office, account_id: str, refund_id: str, actor: Actor = MANAGER, key: str | None = None) -> Refund:
    office.keys += 1
    ask: Request[Refund] = request(key or f"key-{office.keys}", refund_id, actor=actor)
    approve_refund(account_id, refund_id, ask, office.firm, office.books, office.clock)
    return refund(office, account_id, refund_id)


def call_off(office: Office, account_id: str, refund_id: str, key: str | None = None) -> Refund:
    ask: Request[Refund] = office.request(key, refund_id)
    cancel_refund(account_id, refund_id, None, ask, office.firm, office.books, office.clock)
    return refund(office, account_id, refund_id)


def submit_due(office: Office) -> list[Refund]:
    """What the schedule does: every refund whose time has come, found by the agenda."""
    due, _ = office.books.due(AgendaKind.REFUND, office.clock.now().isoformat(), None, 10**6)
    return [submit_refund(thing.account_id, thing.id, office.firm, office.books, office.gateway, office.clock) for thing in due]


def next_day(office: Office) -> None:
    office.clock.advance(days=1)


def gateway_says(
    office: Office, about: Refund, status: RefundStatus, event_id: str, seconds: int = 0, *, gateway_id: str | None = None
) -> Answer:
    """One of the gateway's events about a refund."""
    report = RefundReport(
        refund_id=about.id,
        account_id=about.account_id,
        payment_id=about.payment_id or "",
        status=status,
        amount_minor=about.amount_minor,
        currency=about.currency,
        occurred_at=office.clock.now() + timedelta(seconds=seconds),
        gateway_id=gateway_id or f"re_{about.id}",
        failure="expired_or_canceled_card" if status is RefundStatus.FAILED else None,
    )
    return apply_report(office, report, event_id)


def dashboard_refund(
    office: Office, payment: Payment, minor: int, status: RefundStatus, event_id: str, gateway_id: str = "re_dashboard"
) -> Refund:
    """Somebody refunded in the gateway's own dashboard, and an event says how that stands."""
    report = RefundReport(
        refund_id=dashboard_refund_id(gateway_id),
        account_id=payment.account_id,
        payment_id=payment.id,
        status=status,
        amount_minor=minor,
        currency=payment.currency,
        occurred_at=office.clock.now(),
        gateway_id=gateway_id,
        is_ours=False,
    )
    apply_report(office, report, event_id)
    return refund(office, payment.account_id, report.refund_id)


def apply_report(office: Office, report: RefundReport, event_id: str) -> Answer:
    ask: Request[Refund] = Request(STRIPE, "event", event_id, "refund", plain, lifetime=None)
    return apply_refund_report(report, ask, office.firm, office.books, office.clock)


# What is in the books


def refund(office: Office, account_id: str, refund_id: str) -> Refund:
    return office.books.read(refund_ref(account_id, refund_id))


def chart(office: Office, account_id: str) -> dict[str, int]:
    """Every account of the chart with its sum over all entries, debits above zero; those at zero left out."""
    sums: dict[str, int] = {}
    for entry in office.entries(account_id):
        for posting in entry.draft.postings:
            sign = 1 if posting.side is Side.DEBIT else -1
            sums[posting.account] = sums.get(posting.account, 0) + sign * posting.amount_minor
    return {account: amount for account, amount in sorted(sums.items()) if amount}


def last_postings(office: Office, account_id: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for posting in office.entries(account_id)[-1].draft.postings:
        key = (posting.account, str(posting.side))
        found[key] = found.get(key, 0) + posting.amount_minor
    return found


def proved(office: Office, account_id: str) -> None:
    """The entries explain everything; Σ open is what is owed, Σ lots is the credit, no payment gave back more than it got."""
    assert office.differences(account_id) == ()
    balance = office.balance(account_id)
    things = [thing for thing in office.books.all(object) if getattr(thing, "account_id", None) == account_id]
    items = [thing for thing in things if isinstance(thing, OpenItem)]
    payments = [thing for thing in things if isinstance(thing, Payment)]
    credits = [thing for thing in things if isinstance(thing, Credit)]
    assert sum(item.open_minor for item in items) == balance.receivable_minor
    lots: list[Payment | Credit] = [*payments, *credits]
    assert sum(lot.available_minor for lot in lots) == balance.credit_minor
    assert set(balance.lots) == {lot.id for lot in lots if lot.available_minor}
    for item in items:
        assert 0 <= sum(part.open_minor for part in item.parts) == item.open_minor <= item.total_minor
    for payment in payments:
        assert 0 <= payment.refunded_minor <= payment.captured_minor
