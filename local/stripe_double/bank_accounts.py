"""Stripe's test bank accounts and how a debit of each one ends.

Sources: https://docs.stripe.com/testing#non-card-payments, https://docs.stripe.com/payments/sepa-debit,
https://docs.stripe.com/payments/ach-direct-debit. Stripe's test mode settles within minutes; here a debit takes the days
that it takes in life, on the double's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from local.stripe_double.errors import ApiError, invalid_request


@dataclass(frozen=True, slots=True)
class Scheme:
    """A direct debit scheme, named by its type of payment method.

    ``settles_after_days`` is how long a debit is ``processing``, ``refund_after_days`` how long its refund is ``pending``.
    Disputes of bank debits are final: ``dispute_reason`` is what the test accounts give.
    """

    kind: str
    label: str
    currency: str
    settles_after_days: int
    refund_after_days: int
    dispute_reason: str
    dispute_ends_mandate: bool


SEPA = Scheme("sepa_debit", "SEPA Direct Debit", "eur", 5, 4, "customer_initiated", dispute_ends_mandate=False)
ACH = Scheme("us_bank_account", "ACH Direct Debit", "usd", 4, 3, "debit_not_authorized", dispute_ends_mandate=True)
SCHEMES: dict[str, Scheme] = {scheme.kind: scheme for scheme in (SEPA, ACH)}
"""The schemes by type of payment method."""


class Outcome(StrEnum):
    """How a debit ends."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    IS_DISPUTED = "is_disputed"
    """Succeeds, and is disputed right after: the bank returns it."""
    STAYS_PROCESSING = "stays_processing"


@dataclass(frozen=True, slots=True)
class BankFailure:
    """Why the bank did not pay: the charge's ``failure_code`` and ``failure_message``."""

    code: str
    message: str


_ACCOUNT_CLOSED = BankFailure("account_closed", "The customer's bank account has been closed.")
_DEBIT_NOT_AUTHORIZED = BankFailure(
    "debit_not_authorized", "The customer has notified their bank that this payment was unauthorized."
)
_INSUFFICIENT_FUNDS = BankFailure("insufficient_funds", "The customer's account has insufficient funds to cover this payment.")
_INVALID_CURRENCY = BankFailure("invalid_currency", "The bank was unable to process this payment because of its currency.")
_NO_ACCOUNT = BankFailure("no_account", "The customer's bank account could not be located.")
_WRONG_HOLDER = BankFailure("incorrect_account_holder_name", "The customer's account information is missing or incorrect.")
_WEEKLY_LIMIT = BankFailure("charge_exceeds_weekly_limit", "This payment exceeds the weekly number of payments of the account.")
_WEEKLY_VOLUME = BankFailure("charge_exceeds_source_limit", "This payment exceeds the weekly payment volume of the account.")


@dataclass(frozen=True, slots=True)
class TestBankAccount:
    """One test account: its token (``pm_success_de``), its IBAN or account number, and how a debit of it ends."""

    __test__ = False

    token: str
    scheme: Scheme
    number: str
    label: str
    country: str
    outcome: Outcome = Outcome.SUCCEEDS
    failure: BankFailure | None = None
    extra_days: int = 0

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def settles_after_days(self) -> int:
        return self.scheme.settles_after_days + self.extra_days


_SLOW = 9
"""Days on top for the ``…Delayed`` accounts: SEPA debits take up to 14 days in all."""

_SEPA_BEHAVIOURS: tuple[tuple[str, str, Outcome, BankFailure | None, int], ...] = (
    ("success", "Succeeds", Outcome.SUCCEEDS, None, 0),
    ("successDelayed", "Succeeds late", Outcome.SUCCEEDS, None, _SLOW),
    ("failed", "Fails", Outcome.FAILS, _WRONG_HOLDER, 0),
    ("failedDelayed", "Fails late", Outcome.FAILS, _WRONG_HOLDER, _SLOW),
    ("disputed", "Succeeds, then is disputed", Outcome.IS_DISPUTED, None, 0),
    ("exceedsWeeklyVolumeLimit", "Exceeds its weekly volume", Outcome.FAILS, _WEEKLY_VOLUME, 0),
    ("exceedsWeeklyTransactionLimit", "Exceeds its weekly number of payments", Outcome.FAILS, _WEEKLY_LIMIT, 0),
    ("insufficientFunds", "Has insufficient funds", Outcome.FAILS, _INSUFFICIENT_FUNDS, 0),
)
_IBANS = {
    "AT": "AT611904300234573201 AT321904300235473204 AT861904300235473202 AT051904300235473205 "
          "AT591904300235473203 AT981904300000343434 AT601904300000121212 AT981904300002222227",
    "BE": "BE62510007547061 BE78510007547064 BE68539007547034 BE51510007547065 "
          "BE08510007547063 BE90510000343434 BE52510000121212 BE90510002222227",
    "DE": "DE89370400440532013000 DE08370400440532013003 DE62370400440532013001 DE78370400440532013004 "
          "DE35370400440532013002 DE65370400440000343434 DE27370400440000121212 DE65370400440002222227",
    "FR": "FR1420041010050500013M02606 FR3020041010050500013M02609 FR8420041010050500013M02607 "
          "FR7920041010050500013M02600 FR5720041010050500013M02608 FR9720041010050000000343434 "
          "FR5920041010050000000121212 FR9720041010050000002222227",
}  # fmt: skip
"""IBANs of each country in the order of the behaviours."""


def _sepa_accounts() -> Iterator[TestBankAccount]:
    for country, ibans in _IBANS.items():
        for (name, label, outcome, failure, extra), iban in zip(_SEPA_BEHAVIOURS, ibans.split(), strict=True):
            token = f"pm_{name}_{country.lower()}"
            yield TestBankAccount(token, SEPA, iban, f"{label} ({SEPA.label}, {country})", country, outcome, failure, extra)


def _ach(
    name: str,
    number: str,
    label: str,
    outcome: Outcome = Outcome.FAILS,
    failure: BankFailure | None = None,
) -> TestBankAccount:
    return TestBankAccount(f"pm_usBankAccount_{name}", ACH, number, f"{label} ({ACH.label})", "US", outcome, failure)


ACH_ROUTING_NUMBER = "110000000"
_ACH_ACCOUNTS = (
    _ach("success", "000123456789", "Succeeds", Outcome.SUCCEEDS),
    _ach("accountClosed", "000111111113", "Is closed", failure=_ACCOUNT_CLOSED),
    _ach("noAccount", "000111111116", "Is not found", failure=_NO_ACCOUNT),
    _ach("insufficientFunds", "000222222227", "Has insufficient funds", failure=_INSUFFICIENT_FUNDS),
    _ach("debitNotAuthorized", "000333333335", "Does not authorise debits", failure=_DEBIT_NOT_AUTHORIZED),
    _ach("invalidCurrency", "000444444440", "Has another currency", failure=_INVALID_CURRENCY),
    _ach("dispute", "000555555559", "Succeeds, then is disputed", Outcome.IS_DISPUTED),
    _ach("processing", "000000000009", "Stays in processing", Outcome.STAYS_PROCESSING),
    _ach("weeklyLimitExceeded", "000777777771", "Exceeds its weekly volume", failure=_WEEKLY_VOLUME),
)

ACCOUNTS: dict[str, TestBankAccount] = {account.token: account for account in (*_sepa_accounts(), *_ACH_ACCOUNTS)}
_BY_NUMBER = {account.number: account for account in ACCOUNTS.values()}


def account_numbered(number: str, param: str) -> TestBankAccount:
    """The test account of an IBAN or account number; others are refused, so that no real account is ever used."""
    account = _BY_NUMBER.get(number.replace(" ", ""))
    if account is None:
        raise invalid_account(param)
    return account


def invalid_account(param: str) -> ApiError:
    return invalid_request("You must use a test bank account number in test mode.", param=param, code="account_number_invalid")
