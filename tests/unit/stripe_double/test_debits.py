"""Bank debits: days of processing, then paid, failed, or taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double.bank_accounts import ACCOUNTS, SCHEMES, Outcome
from local.stripe_double.server import Double
from tests.unit.stripe_double.receiver import Receiver

DAY = 86_400
MANDATE: Any = {"customer_acceptance": {"type": "online", "online": {"ip_address": "127.0.0.1", "user_agent": "test"}}}


def debit(client: stripe.StripeClient, account: str, **other: Any) -> Any:
    scheme = ACCOUNTS[account].scheme
    params: Any = {
        "amount": 20_000,
        "currency": scheme.currency,
        "confirm": True,
        "mandate_data": MANDATE,
        "payment_method": account,
        "payment_method_types": [scheme.kind],
    }
    return client.v1.payment_intents.create({**params, **other})


@pytest.mark.parametrize(("account", "fee"), [("pm_success_de", 35), ("pm_usBankAccount_success", 160)])
def test_a_debit_is_processing_for_days_and_then_paid(
    client: stripe.StripeClient, double: Double, receiver: Receiver, account: str, fee: int
) -> None:
    intent = debit(client, account, expand=["latest_charge.balance_transaction"])
    charge = intent.latest_charge
    assert (intent.status, intent.amount_received) == ("processing", 0)
    assert (charge.status, charge.paid, charge.id[:3]) == ("pending", False, "py_")
    assert (charge.balance_transaction.type, charge.balance_transaction.fee) == ("payment", fee)
    days = ACCOUNTS[account].settles_after_days

    double.control.advance_clock(days * DAY - 60)
    assert client.v1.payment_intents.retrieve(intent.id).status == "processing"
    double.control.advance_clock(60)

    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received, paid.latest_charge.paid) == ("succeeded", 20_000, True)
    assert client.v1.balance_transactions.list({"source": charge.id}).data[0].status == "available"
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("pm_failed_de", "incorrect_account_holder_name"),
        ("pm_failedDelayed_fr", "incorrect_account_holder_name"),
        ("pm_insufficientFunds_at", "insufficient_funds"),
        ("pm_exceedsWeeklyVolumeLimit_be", "charge_exceeds_source_limit"),
        ("pm_usBankAccount_accountClosed", "account_closed"),
        ("pm_usBankAccount_noAccount", "no_account"),
        ("pm_usBankAccount_insufficientFunds", "insufficient_funds"),
        ("pm_usBankAccount_debitNotAuthorized", "debit_not_authorized"),
    ],
)
def test_a_failed_debit_opens_the_intent_again_and_leaves_nothing_on_the_balance(
    client: stripe.StripeClient, double: Double, receiver: Receiver, account: str, code: str
) -> None:
    intent = debit(client, account)
    double.control.advance_clock(ACCOUNTS[account].settles_after_days * DAY)

    failed = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (failed.status, failed.payment_method, failed.amount_received) == ("requires_payment_method", None, 0)
    assert failed.last_payment_error.code == "payment_intent_payment_attempt_failed"
    assert (failed.latest_charge.status, failed.latest_charge.failure_code) == ("failed", code)
    moved = client.v1.balance_transactions.list().data
    assert [item.type for item in moved] == ["payment_failure_refund", "payment"]
    assert sum(item.net for item in moved) == 0
    assert double.control.flush()
    assert receiver.types[-2:] == ["charge.failed", "payment_intent.payment_failed"]


@pytest.mark.parametrize(("account", "fee"), [("pm_disputed_de", 750), ("pm_usBankAccount_dispute", 1_500)])
def test_a_returned_debit_is_a_lost_dispute(
    client: stripe.StripeClient, double: Double, receiver: Receiver, account: str, fee: int
) -> None:
    intent = debit(client, account)
    double.control.advance_clock(ACCOUNTS[account].settles_after_days * DAY)

    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    dispute = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.amount, dispute.is_charge_refundable) == ("lost", 20_000, False)
    assert dispute.reason == ACCOUNTS[account].scheme.dispute_reason
    assert dispute.evidence_details.due_by is None
    assert [(item.amount, item.fee) for item in dispute.balance_transactions] == [(-20_000, fee)]
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.close(dispute.id)
    assert double.control.flush()
    assert receiver.types[5:8] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]


def test_a_debit_can_be_returned_weeks_after_it_was_paid(client: stripe.StripeClient, double: Double) -> None:
    intent = debit(client, "pm_success_de")
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        client.v1.refunds.create({"payment_intent": intent.id})
    double.control.advance_clock(30 * DAY)
    dispute = double.control.open_dispute(intent.latest_charge, reason="insufficient_funds")
    assert (dispute["status"], dispute["reason"]) == ("lost", "insufficient_funds")


def test_without_a_mandate_a_debit_is_refused_and_can_be_confirmed_with_one(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="requires a mandate") as caught:
        debit(client, "pm_success_de", mandate_data=None)
    intent_id = caught.value.error.payment_intent.id
    assert client.v1.payment_intents.retrieve(intent_id).status == "requires_confirmation"
    confirmed = client.v1.payment_intents.confirm(intent_id, {"mandate_data": MANDATE, "expand": ["latest_charge"]})
    assert confirmed.status == "processing"
    mandate_id = confirmed.latest_charge.payment_method_details.sepa_debit.mandate
    assert client.v1.mandates.retrieve(mandate_id).status == "active"


def test_a_bank_account_is_set_up_under_a_mandate_only(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    params: Any = {"customer": customer.id, "payment_method_types": ["sepa_debit"], "payment_method": "pm_success_de"}
    with pytest.raises(stripe.InvalidRequestError, match="SetupIntent requires a mandate") as caught:
        client.v1.setup_intents.create({**params, "confirm": True})
    waiting = caught.value.error.setup_intent
    assert waiting.status == "requires_confirmation"
    saved = client.v1.setup_intents.confirm(waiting.id, {"mandate_data": MANDATE, "expand": ["mandate"]})
    assert (saved.status, saved.mandate.status) == ("succeeded", "active")
    assert client.v1.customers.payment_methods.list(customer.id, {"type": "sepa_debit"}).data[0].id == saved.payment_method


def test_an_ach_dispute_ends_the_mandate_of_a_saved_account(client: stripe.StripeClient, double: Double) -> None:
    customer = client.v1.customers.create({})
    first = debit(client, "pm_usBankAccount_success", customer=customer.id, setup_future_usage="off_session")
    again: Any = {"customer": customer.id, "payment_method": first.payment_method, "off_session": True, "mandate_data": None}
    assert debit(client, "pm_usBankAccount_success", **again).status == "processing"
    double.control.advance_clock(4 * DAY)
    double.control.open_dispute(first.latest_charge, reason="debit_not_authorized")
    with pytest.raises(stripe.InvalidRequestError, match="requires a mandate"):
        debit(client, "pm_usBankAccount_success", **again)


def test_only_the_debit_that_stays_processing_can_be_canceled(client: stripe.StripeClient, double: Double) -> None:
    sent = debit(client, "pm_usBankAccount_success")
    with pytest.raises(stripe.InvalidRequestError, match="status of processing"):
        client.v1.payment_intents.cancel(sent.id)
    stuck = debit(client, "pm_usBankAccount_processing")
    double.control.advance_clock(60 * DAY)
    assert client.v1.payment_intents.retrieve(stuck.id).status == "processing"
    assert client.v1.payment_intents.cancel(stuck.id).status == "canceled"
    assert client.v1.charges.retrieve(stuck.latest_charge).status == "failed"


@pytest.mark.parametrize(
    "other",
    [{"currency": "chf"}, {"capture_method": "manual"}, {"payment_method_types": ["card"]}],
    ids=["other currency", "manual capture", "cards only"],
)
def test_debits_are_in_their_currency_captured_at_once_and_offered(client: stripe.StripeClient, other: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        debit(client, "pm_success_de", **other)
    assert client.v1.payment_intents.list().data == []


def test_a_session_that_authorises_offers_no_debits(new_session: Callable[..., Any]) -> None:
    manual: Any = {"payment_intent_data": {"capture_method": "manual"}}
    assert new_session(**manual).payment_method_types == ["card"]
    with pytest.raises(stripe.InvalidRequestError, match="manual capture"):
        new_session(payment_method_types=["sepa_debit"], **manual)


def test_a_refund_of_a_debit_is_pending_for_days(client: stripe.StripeClient, double: Double, receiver: Receiver) -> None:
    intent = debit(client, "pm_success_de")
    double.control.advance_clock(5 * DAY)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500, "expand": ["balance_transaction"]})
    assert (refund.status, refund.pending_reason, refund.balance_transaction.type) == ("pending", "processing", "payment_refund")
    double.control.advance_clock(4 * DAY)
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert double.control.flush()
    assert receiver.types[-2:] == ["refund.updated", "charge.refund.updated"]


def test_a_pending_refund_fails_when_the_bank_takes_the_payment_back(client: stripe.StripeClient, double: Double) -> None:
    intent = debit(client, "pm_success_de")
    double.control.advance_clock(5 * DAY)
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    double.control.open_dispute(intent.latest_charge, reason="customer_initiated")
    double.control.advance_clock(4 * DAY)
    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "charge_for_pending_refund_disputed")


@pytest.mark.parametrize(
    ("account", "outcome"), [("pm_success_de", "async_payment_succeeded"), ("pm_failed_de", "async_payment_failed")]
)
def test_a_session_paid_by_debit_is_complete_at_once_and_settled_later(
    client: stripe.StripeClient,
    double: Double,
    receiver: Receiver,
    new_session: Callable[..., Any],
    account: str,
    outcome: str,
) -> None:
    session = new_session(payment_method_types=["card", "sepa_debit"], metadata={"invoice": "7"})
    assert double.control.pay_session(session.id, account)["outcome"] == "processing"
    session = client.v1.checkout.sessions.retrieve(session.id)
    assert (session.status, session.payment_status) == ("complete", "unpaid")

    double.control.advance_clock(5 * DAY)

    paid = outcome == "async_payment_succeeded"
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == ("paid" if paid else "unpaid")
    assert double.control.flush()
    assert receiver.types == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "checkout.session.completed",
        "charge.succeeded" if paid else "charge.failed",
        "payment_intent.succeeded" if paid else "payment_intent.payment_failed",
        f"checkout.session.{outcome}",
    ]
    assert receiver.events[-1]["data"]["object"]["metadata"] == {"invoice": "7"}


def test_bank_accounts_are_made_from_test_numbers_only(client: stripe.StripeClient) -> None:
    owner: Any = {"name": "Ada Example", "email": "ada@example.com"}

    def create(billing: Any = owner, **member: Any) -> Any:
        return client.v1.payment_methods.create({"type": next(iter(member)), "billing_details": billing, **member})  # type: ignore[misc]

    account = {"account_number": "000123456789", "routing_number": "110000000", "account_holder_type": "company"}
    assert create(sepa_debit={"iban": "AT611904300234573201"}).sepa_debit.country == "AT"
    assert create(us_bank_account=account).us_bank_account.account_holder_type == "company"
    for refused in (
        lambda: create(sepa_debit={"iban": "DE75512108001245126199"}),
        lambda: create({"name": "Ada Example"}, sepa_debit={"iban": "AT611904300234573201"}),
        lambda: create(us_bank_account=account | {"routing_number": "021000021"}),
        lambda: client.v1.payment_methods.create({"type": "sepa_debit"}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            refused()


def test_every_account_has_its_own_number_and_fails_for_a_reason() -> None:
    assert len({account.number for account in ACCOUNTS.values()}) == len(ACCOUNTS)
    assert {account.scheme for account in ACCOUNTS.values()} == set(SCHEMES.values())
    for account in ACCOUNTS.values():
        assert (account.failure is not None) == (account.outcome is Outcome.FAILS), account.token
