"""What the office does about payments through the gateway, as functions over an `Office`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from remit.domain.accounts import Account
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Dispute, DisputeStatus, GatewayReport, Payment, Transaction
from remit.usecases.cancel_payment import cancel_payment, release_authorization
from remit.usecases.capture_payment import capture_payment
from remit.usecases.charge_saved_method import ChargeWish, charge_saved_method
from remit.usecases.collect_invoice import Collected, collect_invoice
from remit.usecases.idempotency import Answer
from remit.usecases.payment_attempts import Pick
from remit.usecases.ports import AgendaKind
from remit.usecases.reallocate_payment import Reallocation, reallocate_payment
from remit.usecases.resolve_outcome import Resolution, resolve_outcome
from remit.usecases.reverse_payment import Reversal, reverse_payment
from remit.usecases.saved_methods import MethodReport, choose_default_method, forget_method, save_method
from remit.usecases.start_checkout import CheckoutWish, start_checkout
from tests.support.builders import CLERK, STRIPE, Office, report_on


def saves(office: Office, account_id: str, method_id: str = "pm_visa") -> Account | None:
    report = MethodReport(account_id, method_id, f"cus_{account_id}", office.clock.now())
    return save_method(report, STRIPE, office.firm, office.books, office.books, office.gateway, office.clock)


def collects_automatically(office: Office, account_id: str, wanted: bool = True) -> Account:
    return office.change_account(account_id, collect_automatically=wanted)


def chooses(office: Office, account_id: str, method_id: str) -> Account:
    return choose_default_method(account_id, method_id, CLERK, office.firm, office.books, office.books, office.clock)


def forgets(office: Office, account_id: str, method_id: str) -> Account:
    books = office.books
    return forget_method(account_id, method_id, CLERK, office.firm, books, books, office.gateway, office.clock)


def charge(office: Office, account_id: str, *invoices: str | Pick, key: str | None = None, **more: Any) -> Payment:
    picks = [invoice if isinstance(invoice, Pick) else Pick(invoice) for invoice in invoices]
    wish = ChargeWish(account_id, picks, **more)
    ask = office.request(key, repr(wish))
    return charge_saved_method(wish, ask, office.firm, office.books, office.gateway, office.clock, office.ids)[0]


def checkout(office: Office, account_id: str, *picks: Pick, key: str | None = None, **more: Any) -> Payment:
    wish = CheckoutWish(account_id, picks, **more)
    ask = office.request(key, repr(wish))

    def return_url(payment: Payment) -> str:
        return f"https://firm.example/pay/{payment.id}"

    return start_checkout(wish, ask, return_url, office.firm, office.books, office.gateway, office.clock, office.ids)[0]


def capture(office: Office, payment: Payment, amount_minor: int | None = None, key: str | None = None) -> Payment:
    ask = office.request(key, amount_minor)
    firm, books = office.firm, office.books
    return capture_payment(payment.account_id, payment.id, amount_minor, ask, firm, books, office.gateway, office.clock)[0]


def cancel(office: Office, payment: Payment, key: str | None = None) -> Payment:
    ask = office.request(key)
    return cancel_payment(payment.account_id, payment.id, ask, office.firm, office.books, office.gateway, office.clock)[0]


def release(office: Office, payment: Payment) -> Payment:
    return release_authorization(payment.account_id, payment.id, CLERK, office.firm, office.books, office.gateway, office.clock)


def resolve(office: Office, payment: Payment) -> Resolution:
    return resolve_outcome(payment.account_id, payment.id, office.firm, office.books, office.gateway, office.clock)


def collect(office: Office, account_id: str, invoice_id: str) -> Collected:
    return collect_invoice(account_id, invoice_id, office.firm, office.books, office.gateway, office.clock, office.ids)


def due(office: Office, kind: AgendaKind) -> list[str]:
    """The ids of what the agenda has of a kind by now."""
    now = office.clock.now()
    by_date = kind in (AgendaKind.COLLECTION, AgendaKind.CARD_EXPIRY, AgendaKind.CREDIT_EXPIRY)
    until = office.firm.today(now).isoformat() if by_date else now.isoformat()
    return [thing.id for thing in office.books.due(kind, until, None, 10**6)[0]]


def reverse(office: Office, account_id: str, payment_id: str, on: date | None = None, key: str | None = None) -> Answer:
    on = on or office.firm.today(office.clock.now())
    wish = Reversal(account_id, payment_id, on, "check bounced")
    return reverse_payment(wish, office.request(key, repr(wish)), office.firm, office.books, office.clock)


def reallocate(
    office: Office,
    account_id: str,
    payment_id: str,
    taken: Sequence[Allocation],
    made: Sequence[Allocation],
    key: str | None = None,
    currency: str = "EUR",
) -> Answer:
    wish = Reallocation(account_id, payment_id, currency, taken, made)
    return reallocate_payment(wish, office.request(key, repr(wish)), office.firm, office.books, office.clock)


def dispute_on(
    payment: Payment,
    status: DisputeStatus,
    seconds: int = 60,
    *,
    amount_minor: int | None = None,
    fee_minor: int = 1500,
    id: str = "du_1",
) -> GatewayReport:
    """What the gateway says of a dispute, so many seconds after the attempt."""
    amount = payment.amount_minor if amount_minor is None else amount_minor
    opened = payment.created_at + timedelta(seconds=50)
    said_at = payment.created_at + timedelta(seconds=seconds)
    moved = status not in (DisputeStatus.INQUIRY, DisputeStatus.INQUIRY_CLOSED)
    dispute = Dispute(id, status, amount, fee_minor if moved else 0, said_at, "fraudulent", opened_at=opened)
    report = report_on(payment, None, seconds, transaction=Transaction(opened, "dispute", id, amount, "fraudulent"))
    return replace(report, dispute=dispute)


def proves(office: Office, account_id: str, currency: str = "EUR") -> None:
    """The books explain themselves: replay, Σ open = receivable, Σ lots = credit."""
    assert office.differences(account_id) == (), office.differences(account_id)
    balance = office.balance(account_id, currency)
    items = [item for item in office.books.all(OpenItem) if (item.account_id, item.currency) == (account_id, currency)]
    assert sum(item.open_minor for item in items) == balance.receivable_minor
    payments = [each for each in office.books.all(Payment) if (each.account_id, each.currency) == (account_id, currency)]
    assert sum(payment.unapplied_minor for payment in payments) == balance.credit_minor
    held = sum(dispute.held_minor for payment in payments for dispute in payment.disputes)
    assert held == balance.held_minor
