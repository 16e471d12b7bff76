"""What an office does with accounts' modes and wallets, as functions over an `Office`."""

from dataclasses import replace
from typing import Any

from remit.domain import posting_rules
from remit.domain.accounts import AutoTopUp, PaymentMode, PaymentSettings, SavedMethod
from remit.domain.journal import Balance
from remit.domain.money import Money
from remit.domain.operation import Operation
from remit.domain.orders import LineRequest
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund
from remit.domain.terms import Method
from remit.domain.wallet import WalletCharge
from remit.usecases.apply_gateway_report import post_reversal
from remit.usecases.change_payment_mode import change_payment_mode
from remit.usecases.charge_wallet import Usage, charge_wallet
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.top_up_automatically import TopUpOutcome, WalletEvent, restart_top_up, top_up_automatically
from remit.usecases.top_up_wallet import top_up_wallet
from remit.usecases.withdraw_from_wallet import WithdrawalWish, withdraw_from_wallet
from tests.support.builders import CLERK, NOW, Office, attempt, line, plain

CARD = SavedMethod("pm_1", "stripe", Method.CARD, "visa 4242", NOW)
TWENTIES = AutoTopUp("EUR", amount_minor=2000, threshold_minor=1000, daily_cap_minor=6000)


def prepaid_account(office: Office, *, limit: int = 0, paid: int = 0, given: int = 0, **fields: Any) -> str:
    """A prepaid customer with so much paid and so much given in the wallet."""
    chosen = {"name": "Blooming Ltd", "email": "ap@blooming.example", "default_term_id": "net30"} | fields
    if limit:
        chosen["credit_limits"] = {"EUR": limit}
    wish = NewAccount(chosen, PaymentMode.PREPAID)
    asked = office.request(None, plain(chosen))
    account_id = str(open_account(wish, asked, office.firm, office.books, office.clock, office.ids).body["id"])
    if given:
        give(office, account_id, given)
    if paid:
        pay_in(office, account_id, paid)
    return account_id


def give(office: Office, account_id: str, minor: int) -> None:
    """Prepaid balance that was given: a top-up invoice paid by a credit that cannot be given back as money."""
    invoice_id = top_up(office, account_id, minor).body["invoice"]["id"]
    credit_id = office.goodwill(account_id, minor, code="VAT21").body["id"]
    settle_with_credit(office, account_id, credit_id, invoice_id, minor)


def settle_with_credit(office: Office, account_id: str, credit_id: str, invoice_id: str, minor: int) -> None:
    today = office.firm.today(office.clock.now())
    operation = Operation(office.balance(account_id), Circumstances(today, office.clock.now(), CLERK))
    operation.hold(office.item(account_id, invoice_id), office.credit(account_id, credit_id))
    operation.pay_from(credit_id, [Allocation(invoice_id, minor)], today)
    operation.post(posting_rules.credit_applied, office.credit(account_id, credit_id))
    office.books.commit(operation.changes())


def pay_in(
    office: Office, account_id: str, minor: int, *, allocations: tuple[Allocation, ...] = (), key: str | None = None
) -> Answer:
    """A payment whose rest goes into the wallet."""
    today = office.firm.today(office.clock.now())
    received = ReceivedPayment(account_id, Money(minor, "EUR"), Method.BANK_TRANSFER, today, None, allocations, to_wallet=True)
    ask: Request[Payment] = office.request(key, plain(received))
    return receive_payment(received, ask, office.firm, office.books, office.books, office.clock, office.ids)


def top_up(office: Office, account_id: str, minor: int, key: str | None = None) -> Answer:
    ask: Request[IssuedInvoice] = office.request(key, minor)
    return top_up_wallet(account_id, Money(minor, "EUR"), ask, office.firm, office.books, office.clock, office.ids)


def charge(office: Office, account_id: str, minor: int, key: str | None = None, code: str = "ZERO") -> Answer:
    """Usage of `minor` net; untaxed unless a code says otherwise, so that figures are easy to follow."""
    lines: list[LineRequest] = [line(minor, code, category="calls")]
    usage = Usage(account_id, "Calls", lines)
    ask: Request[WalletCharge] = office.request(key, plain(usage))
    return charge_wallet(usage, ask, office.firm, office.books, office.clock, office.ids)


def withdraw(
    office: Office, account_id: str, minor: int, method: Method = Method.BANK_TRANSFER, key: str | None = None
) -> Answer:
    wish = WithdrawalWish(account_id, Money(minor, "EUR"), method, "Closes the account")
    ask: Request[Refund] = office.request(key, plain(wish))
    return withdraw_from_wallet(wish, ask, office.firm, office.books, office.clock, office.ids)


def look(office: Office, account_id: str, payment_id: str | None = None) -> TopUpOutcome:
    """One event of the bus about this wallet."""
    event = WalletEvent(account_id, "EUR", payment_id)
    return top_up_automatically(event, office.firm, office.books, office.books, office.clock, office.ids)


def restart(office: Office, account_id: str, key: str | None = None) -> Answer:
    ask: Request[Balance] = office.request(key, "EUR")
    return restart_top_up(account_id, "EUR", ask, office.firm, office.books, office.clock)


def change_mode(office: Office, account_id: str, mode: PaymentMode, on: Any = None, key: str | None = None) -> Answer:
    return change_payment_mode(
        account_id, mode, on, office.request(key, plain([mode, on])), office.firm, office.books, office.clock
    )


def tops_up_by_card(office: Office, account_id: str, wanted: AutoTopUp = TWENTIES, *, card: bool = True) -> None:
    """Turn the automatic top-up on, with a saved card or without."""
    office.change_account(account_id, auto_top_up=wanted)
    if card:
        account = office.account(account_id)
        settings: PaymentSettings = account.payment.with_method(CARD)
        office.books.commit([replace(account, payment=settings)])


def prepaid(office: Office, account_id: str) -> int:
    return office.balance(account_id).prepaid_minor


def proves(office: Office, account_id: str) -> None:
    """The books explain themselves, and each figure is the sum of its documents (L6)."""
    assert office.differences(account_id) == ()
    balance = office.balance(account_id)
    assert sum(item.open_minor for item in office.books.open_items(account_id, "EUR")) == balance.receivable_minor
    lots = [office.payment(account_id, lot) if lot.startswith("pay_") else office.credit(account_id, lot) for lot in balance.lots]
    assert sum(lot.available_minor for lot in lots) == balance.credit_minor


def bounces(office: Office, account_id: str, payment_id: str) -> None:
    """The bank takes a payment back whole (P8)."""
    payment = office.payment(account_id, payment_id)
    now = office.clock.now()
    operation = Operation(office.balance(account_id), Circumstances(office.firm.today(now), now, CLERK))
    operation.hold(payment, *(office.item(account_id, allocation.invoice_id) for allocation in payment.allocations))
    operation.change(replace(payment, status=PaymentStatus.REVERTED))
    post_reversal(operation, payment_id)
    office.books.commit(operation.changes())


def nothing(account_id: str) -> TopUpOutcome:
    """Nothing came of looking at the wallet."""
    return TopUpOutcome(account_id, "EUR")


def fails(office: Office, account_id: str, invoice_id: str, saved_method: str | None = CARD.id) -> str:
    """A payment of the invoice that the gateway refused, by the saved method or by the customer's own hand."""
    minor = office.item(account_id, invoice_id).open_minor
    failed = attempt(
        minor,
        account_id=account_id,
        status=PaymentStatus.FAILED,
        intended=(Allocation(invoice_id, minor),),
        saved_method=saved_method,
    )
    office.books.commit([failed])
    return failed.id
