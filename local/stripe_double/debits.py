"""Bank debits: an intent is ``processing`` for days, then paid or failed.

Sources: https://docs.stripe.com/payments/sepa-debit, https://docs.stripe.com/payments/ach-direct-debit.
"""

from __future__ import annotations

from local.stripe_double import balance_transactions, charges, disputes, mandates, payment_methods
from local.stripe_double.bank_accounts import BankFailure, Outcome, TestBankAccount
from local.stripe_double.clock import DAY_SECONDS
from local.stripe_double.errors import invalid_request
from local.stripe_double.sandbox import Sandbox, snapshot
from local.stripe_double.store import StripeObject

SETTLE = "debit.settle"

_CANCELED = BankFailure("payment_canceled", "The payment was canceled before it was sent to the bank.")


def start(sandbox: Sandbox, intent: StripeObject, method: StripeObject) -> None:
    """Send a debit to the bank. Without a mandate it is refused and the intent waits for another confirmation."""
    mandate = mandates.require(sandbox, intent, method)
    payment_methods.save_or_use_up(sandbox, intent, method)
    account = payment_methods.account_of(sandbox, method)
    settles_at = sandbox.now() + account.settles_after_days * DAY_SECONDS
    charge = charges.add_charge(sandbox, intent, method, captured=True, mandate_id=mandate["id"])
    # Stripe books a debit as if it will succeed, and takes it back if it fails.
    charges.settle(sandbox, charge, available_on=settles_at)
    intent |= {"latest_charge": charge["id"], "last_payment_error": None, "status": "processing"}
    sandbox.emit("charge.pending", charge)
    sandbox.emit("payment_intent.processing", intent)
    if account.outcome is not Outcome.STAYS_PROCESSING:
        sandbox.schedule(settles_at, SETTLE, intent["id"])


def settle(sandbox: Sandbox, intent: StripeObject) -> None:
    """The bank answers: the debit of an intent in ``processing`` is paid or fails."""
    charge = sandbox.find("charge", intent["latest_charge"], "charge")
    account = _account(sandbox, charge)
    sandbox.changes += 1
    if account.failure is not None:
        _fail(sandbox, intent, charge, account.failure)
        return
    charge |= {"status": "succeeded", "paid": True}
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    sandbox.emit("charge.succeeded", charge)
    sandbox.emit("payment_intent.succeeded", intent)
    if account.outcome is Outcome.IS_DISPUTED:
        sandbox.defer(lambda: disputes.open_on(sandbox, charge, account.scheme.dispute_reason))


def can_cancel(sandbox: Sandbox, intent: StripeObject) -> bool:
    """Whether a debit can still be called back: only that of the test account that Stripe made for trying it."""
    if intent["status"] != "processing":
        return False
    charge = sandbox.find("charge", intent["latest_charge"], "charge")
    return _account(sandbox, charge).outcome is Outcome.STAYS_PROCESSING


def cancel(sandbox: Sandbox, intent: StripeObject) -> None:
    """Call back a debit that the bank has not got yet."""
    _fail_charge(sandbox, sandbox.find("charge", intent["latest_charge"], "charge"), _CANCELED)


def _account(sandbox: Sandbox, charge: StripeObject) -> TestBankAccount:
    method = sandbox.find("payment_method", charge["payment_method"], "payment_method")
    return payment_methods.account_of(sandbox, method)


def _fail(sandbox: Sandbox, intent: StripeObject, charge: StripeObject, failure: BankFailure) -> None:
    """The charge tells the bank's reason; the intent only that its attempt failed."""
    _fail_charge(sandbox, charge, failure)
    method = sandbox.find("payment_method", charge["payment_method"], "payment_method")
    error = invalid_request(
        failure.message,
        code="payment_intent_payment_attempt_failed",
        charge=charge["id"],
        payment_method=snapshot(method),
    )
    charges.attempt_failed(sandbox, intent, error)


def _fail_charge(sandbox: Sandbox, charge: StripeObject, failure: BankFailure) -> None:
    booked = sandbox.find("balance_transaction", charge["balance_transaction"], "balance_transaction")
    returned = balance_transactions.add_transaction(
        sandbox, charge, "payment_failure_refund", -booked["amount"], -booked["fee"], description="Payment failure refund"
    )
    charge |= {
        "status": "failed",
        "failure_balance_transaction": returned["id"],
        "failure_code": failure.code,
        "failure_message": failure.message,
    }
    sandbox.emit("charge.failed", charge)
