"""Balance transactions: what a charge, refund or dispute moves on the account's balance, net of fees.

Sources: https://docs.stripe.com/api/balance_transactions, https://docs.stripe.com/reports/balance-transaction-types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local.stripe_double.clock import DAY_SECONDS
from local.stripe_double.currencies import DECIMALS
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import Text, list_fields, object_fields
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject


@dataclass(frozen=True, slots=True)
class Price:
    """What Stripe takes of a payment: a share, a fixed part and at most ``fee_max``; hundredths of the currency's unit."""

    basis_points: int = 0
    fixed_hundredths: int = 0
    fee_max_hundredths: int | None = None
    dispute_hundredths: int = 1_500


PRICES: Mapping[str, Price] = {
    "card": Price(290, 30),
    "sepa_debit": Price(fixed_hundredths=35, dispute_hundredths=750),
    "us_bank_account": Price(80, fee_max_hundredths=500),
}
"""List prices by type of payment method, the same in every currency: enough for books that must show a fee.

The real ones differ by country (https://stripe.com/pricing, https://stripe.com/pricing/local-payment-methods).
"""

_CATEGORIES = {
    "charge": ("charge", "charge"),
    "payment": ("payment", "charge"),
    "payment_failure_refund": ("payment_failure_refund", "charge_failure"),
    "refund": ("refund", "refund"),
    "payment_refund": ("payment_refund", "refund"),
    "refund_failure": ("refund_failure", "refund_failure"),
    "dispute": ("adjustment", "dispute"),
    "dispute_reversal": ("adjustment", "dispute_reversal"),
}
"""Type and reporting category of each kind of movement."""

AVAILABLE_AFTER_SECONDS = 2 * DAY_SECONDS


def processing_fee(amount: int, currency: str, method_type: str = "card") -> int:
    """What Stripe takes of a payment, rounded half up, in minor units.

    >>> processing_fee(10_000, "usd")  # 2.9 % + 0.30
    320
    >>> processing_fee(100_000, "usd", "us_bank_account")  # 0.8 %, at most 5.00
    500
    """
    price = PRICES[method_type]
    fee = (amount * price.basis_points + 5_000) // 10_000 + _minor_units(price.fixed_hundredths, currency)
    if price.fee_max_hundredths is not None:
        fee = min(fee, _minor_units(price.fee_max_hundredths, currency))
    return min(amount, fee)


def dispute_fee(currency: str, method_type: str) -> int:
    """What Stripe takes for a dispute, whatever its outcome, in minor units.

    >>> dispute_fee("usd", "card")
    1500
    """
    return _minor_units(PRICES[method_type].dispute_hundredths, currency)


def _minor_units(hundredths: int, currency: str) -> int:
    minor_units: int = 10 ** DECIMALS[currency]
    return hundredths * minor_units // 100


def add_transaction(
    sandbox: Sandbox,
    source: StripeObject,
    kind: str,
    amount: int,
    fee: int = 0,
    description: str | None = None,
    available_on: int | None = None,
) -> StripeObject:
    """Add a transaction; ``amount`` is signed, as on Stripe: refunds and disputes lower the balance.

    ``kind`` is a key of the categories above; a negative ``fee`` is given back.
    """
    transaction_type, category = _CATEGORIES[kind]
    fees = [
        {
            "amount": fee,
            "application": None,
            "currency": source["currency"],
            "description": "Dispute fee" if kind == "dispute" else "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    return sandbox.add(
        {
            "id": sandbox.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": available_on or sandbox.now() + AVAILABLE_AFTER_SECONDS,
            "balance_type": "payments",
            "created": sandbox.now(),
            "currency": source["currency"],
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fees if fee else [],
            "net": amount - fee,
            "reporting_category": category,
            "source": source["id"],
            "status": "pending",
            "type": transaction_type,
        }
    )


def _as_of_now(sandbox: Sandbox, transaction: StripeObject) -> StripeObject:
    available = sandbox.now() >= transaction["available_on"]
    return transaction | {"status": "available" if available else "pending"}


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return _as_of_now(sandbox, sandbox.find("balance_transaction", call.path["id"], "id", in_path=True))


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    wanted = call.given("currency", "source", "type")
    found = [
        _as_of_now(sandbox, transaction)
        for transaction in sandbox.store.newest_first("balance_transaction")
        if wanted.items() <= transaction.items()
    ]
    return page(found, call.params, "/v1/balance_transactions")


OPERATIONS = (
    Operation(
        "GET",
        "/v1/balance_transactions",
        list_fields(currency=Text(), source=Text(), type=Text()),
        list_all,
    ),
    Operation("GET", "/v1/balance_transactions/{id}", object_fields(), retrieve),
)
