"""Balance transactions: what a charge or refund moves on the account's balance, net of fees.

Sources: https://docs.stripe.com/api/balance_transactions, https://docs.stripe.com/reports/balance-transaction-types.
"""

from __future__ import annotations

from local.stripe_double.currencies import DECIMALS
from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import Text, list_fields, object_fields
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject

FEE_BASIS_POINTS = 290
FEE_FIXED_HUNDREDTHS = 30
AVAILABLE_AFTER_SECONDS = 2 * 86_400


def processing_fee(amount: int, currency: str) -> int:
    """Stripe's list price for cards, 2.9 % + 0.30, rounded half up, in minor units.

    The fixed part is 30 hundredths of the currency's unit for every currency, which is enough for
    books that must show a fee; the real one differs by country (https://stripe.com/pricing).

    >>> processing_fee(10_000, "usd")
    320
    """
    variable = (amount * FEE_BASIS_POINTS + 5_000) // 10_000
    minor_units: int = 10 ** DECIMALS[currency]
    fixed = FEE_FIXED_HUNDREDTHS * minor_units // 100
    return min(amount, variable + fixed)


def add_transaction(
    sandbox: Sandbox,
    source: StripeObject,
    kind: str,
    amount: int,
    fee: int = 0,
    description: str | None = None,
) -> StripeObject:
    """Add a transaction; ``amount`` is signed, as on Stripe: refunds and their fees lower the balance."""
    fees = [
        {
            "amount": fee,
            "application": None,
            "currency": source["currency"],
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    return sandbox.add(
        {
            "id": sandbox.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": sandbox.now() + AVAILABLE_AFTER_SECONDS,
            "balance_type": "payments",
            "created": sandbox.now(),
            "currency": source["currency"],
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fees if fee else [],
            "net": amount - fee,
            "reporting_category": kind,
            "source": source["id"],
            "status": "pending",
            "type": kind,
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
