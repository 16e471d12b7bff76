"""Automatic collection over an `Office`: what the schedule does, what banks answer, and what must always hold."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from remit.domain.collection import Outcome
from remit.domain.collection_attempts import outcome_of
from remit.domain.payments import Payment, PaymentStatus, Transaction
from remit.domain.terms import Due, DueRule, PaymentTerm, TermPart
from remit.usecases.collect_invoice import Collected
from remit.usecases.ports import AgendaKind
from remit.usecases.read_collection import CollectionStanding, read_collection
from tests.support import payments as pay
from tests.support.builders import NET30, Office, firm, report_on

HALVES = PaymentTerm("halves", "Two halves", tuple(TermPart(Due(DueRule.NET_DAYS, days), Decimal(50)) for days in (10, 14)))

SOFT = (PaymentStatus.FAILED, "insufficient_funds", False)
HARD = (PaymentStatus.FAILED, "lost_card", True)
HOLDER = (PaymentStatus.FAILED, "authentication_required", True)
PROCESSING = (PaymentStatus.PROCESSING, None, False)
SUCCESS = (PaymentStatus.SUCCEEDED, None, False)


def an_office() -> Office:
    return Office(firm=firm(terms={"net30": NET30, "halves": HALVES}))


def collecting(office: Office, *methods: str) -> str:
    """An account whose first method is charged by itself."""
    account_id = office.open_account()
    for method_id in methods or ("pm_visa",):
        pay.saves(office, account_id, method_id)
    pay.collects_automatically(office, account_id)
    return account_id


def run(office: Office, account_id: str) -> list[Collected]:
    """What the schedule does: everything that the agenda has."""
    return [pay.collect(office, account_id, invoice_id) for invoice_id in pay.due(office, AgendaKind.COLLECTION)]


def attempts(office: Office, invoice_id: str) -> list[Payment]:
    """The automatic charges of an invoice, oldest first."""
    made = [payment for payment in office.books.all(Payment) if payment.collected]
    return sorted((each for each in made if each.intended[0].invoice_id == invoice_id), key=lambda each: each.id)


def standing(office: Office, account_id: str, invoice_id: str) -> CollectionStanding | None:
    return read_collection(office.item(account_id, invoice_id), office.firm, office.books, office.books, office.clock)


def comes_back(office: Office, payment: Payment, reason: str = "insufficient_funds", *, is_hard: bool = False) -> None:
    """A debit that had brought the money is returned by the bank, now."""
    now = office.clock.now()
    captured = Transaction(payment.created_at, "capture", f"py_{payment.id}", payment.amount_minor)
    back = Transaction(now, "failure", f"py_{payment.id}", payment.amount_minor, reason, is_hard)
    for number, transaction in enumerate((captured, back)):
        report = replace(report_on(payment, None, transaction=transaction), occurred_at=now)
        office.gateway_says(report, f"evt_{payment.id}_{number}")


def decides(office: Office, payment: Payment, status: PaymentStatus, failure: str | None = None) -> None:
    """The bank's word about a debit that was being processed."""
    office.gateway.charged[payment.id] = status
    office.gateway.failures[payment.id] = (failure, False)
    report = replace(report_on(payment, status, failure=failure), occurred_at=office.clock.now())
    office.gateway_says(report, f"evt_{payment.id}_{status}_{office.clock.now().isoformat()}")


def keeps_its_promises(office: Office, invoice_id: str) -> None:
    """S4: one charge at a time, none from a method that was declined for good, not more than the policy allows."""
    made = attempts(office, invoice_id)
    assert sum(outcome_of(each) is Outcome.UNDER_WAY for each in made) <= 1
    declined: set[str | None] = set()
    for each in made:
        assert each.saved_method not in declined
        if outcome_of(each) is Outcome.HARD_DECLINE and not each.is_returned:
            declined.add(each.saved_method)
    replaced = {each.saved_method for each in made if outcome_of(each) in (Outcome.HARD_DECLINE, Outcome.AUTHENTICATION_REQUIRED)}
    allowed = len(office.firm.collection_retries.after_days) + 1 + len(replaced)
    tried = [each for each in made if outcome_of(each) is not Outcome.NOT_CHARGED]
    counted = Counter(each.collected.due_on for each in tried if each.collected)
    assert all(count <= allowed for count in counted.values())
    numbers = [(each.collected.due_on, each.collected.number) for each in made if each.collected]
    assert len(set(numbers)) == len(numbers)


def next_day(office: Office, days: int = 1) -> None:
    office.clock.advance(seconds=timedelta(days=days).total_seconds())
