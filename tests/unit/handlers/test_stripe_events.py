"""Stripe's events in the words of the domain: the whole table (G3, P5)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from remit.adapters.stripe.events import DISPUTE_TYPES, HANDLED_TYPES, dispute_report_of, is_of_interest, method_of, report_of
from remit.domain.errors import InvalidError
from remit.domain.payments import DisputeStatus, PaymentStatus, Transaction
from remit.usecases.ports import PaymentName
from remit.usecases.saved_methods import MethodReport

AT = 1772442000
METADATA = {"remit_payment_id": "pay_1", "remit_account_id": "acc_1", "remit_invoice_ids": "inv_1,inv_2"}

INTENT = {"id": "pi_1", "amount": 12100, "amount_received": 12000, "currency": "eur", "metadata": METADATA}
DECLINED = INTENT | {"last_payment_error": {"code": "card_declined", "message": "Your card was declined."}}
CHARGE = {"id": "ch_1", "amount": 12100, "amount_captured": 12100, "captured": True, "currency": "eur", "created": AT - 5,
          "payment_intent": "pi_1", "failure_code": None, "metadata": METADATA}  # fmt: skip
AUTHORIZED_CHARGE = CHARGE | {
    "captured": False, "amount_captured": 0, "payment_method_details": {"card": {"capture_before": AT + 600}}
}  # fmt: skip
PARTLY_CAPTURED = CHARGE | {"amount_captured": 9000}
FAILED_CHARGE = CHARGE | {"id": "ch_2", "captured": False, "failure_code": "insufficient_funds"}
DISPUTE = {"id": "du_1", "amount": 12100, "currency": "eur", "created": AT - 9, "status": "needs_response",
           "reason": "fraudulent", "payment_intent": "pi_1",
           "balance_transactions": [{"amount": -12100, "fee": 1500, "currency": "eur"}]}  # fmt: skip
SETUP = {"id": "seti_1", "payment_method": "pm_1", "customer": "cus_1", "metadata": {"remit_account_id": "acc_1"}}
SESSION = {"id": "cs_1", "amount_total": 12100, "currency": "jpy", "payment_intent": "pi_1", "metadata": METADATA}

NOW = datetime.fromtimestamp(AT, UTC)
CAPTURE = Transaction(NOW, "capture", "ch_1", 12100, None)
AUTHORIZATION = Transaction(NOW - timedelta(seconds=5), "authorization", "ch_1", 12100, None)
FAILURE = Transaction(NOW, "failure", "ch_2", 12100, "insufficient_funds")

TABLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "payment_intent.requires_action": (INTENT, {"status": PaymentStatus.REQUIRES_ACTION, "amount_minor": 12100}),
    "payment_intent.amount_capturable_updated": (INTENT, {"status": PaymentStatus.AUTHORIZED, "amount_minor": 12100}),
    "payment_intent.processing": (
        INTENT,
        {"status": PaymentStatus.PROCESSING, "amount_minor": 12100, "gateway_ids": ("pi_1",)},
    ),
    "payment_intent.payment_failed": (
        DECLINED,
        {"status": PaymentStatus.FAILED, "amount_minor": 12100, "gateway_ids": ("pi_1",), "failure": "card_declined"},
    ),
    "payment_intent.canceled": (DECLINED, {"status": PaymentStatus.CANCELED, "gateway_ids": ("pi_1",), "failure": None}),
    "payment_intent.succeeded": (
        DECLINED,  # a first card was declined, and Stripe keeps saying so
        {"status": PaymentStatus.SUCCEEDED, "amount_minor": 12000, "gateway_ids": ("pi_1",), "failure": None},
    ),
    "charge.succeeded": (
        CHARGE,
        {"status": None, "amount_minor": 12100, "gateway_ids": ("ch_1", "pi_1"), "transaction": CAPTURE},
    ),
    "charge.captured": (
        PARTLY_CAPTURED,
        {"status": None, "amount_minor": 9000, "transaction": Transaction(NOW, "capture", "ch_1", 9000, None)},
    ),
    "charge.failed": (FAILED_CHARGE, {"status": None, "gateway_ids": ("ch_2", "pi_1"), "transaction": FAILURE}),
    "checkout.session.completed": (
        SESSION,
        {"status": None, "amount_minor": 12100, "currency": "JPY", "gateway_ids": ("cs_1", "pi_1")},
    ),
    "checkout.session.expired": (
        SESSION | {"payment_intent": None},
        {"status": PaymentStatus.CANCELED, "gateway_ids": ("cs_1",), "currency": "JPY"},
    ),
}


def event(type: str, thing: Any) -> dict[str, Any]:
    return {"id": "evt_1", "type": type, "created": AT, "data": {"object": thing}}


def test_the_table_is_complete() -> None:
    assert set(TABLE) == HANDLED_TYPES - DISPUTE_TYPES - {"setup_intent.succeeded"}


@pytest.mark.parametrize("type", TABLE)
def test_G3_an_event_becomes_a_report(type: str) -> None:
    thing, expected = TABLE[type]
    report = report_of(event(type, thing))
    assert report is not None
    assert (report.payment_id, report.account_id, report.invoice_ids) == ("pay_1", "acc_1", ("inv_1", "inv_2"))
    assert report.occurred_at == datetime.fromtimestamp(AT, UTC)
    assert {name: getattr(report, name) for name in expected} == expected


def test_G3_only_the_intent_and_an_expired_session_have_a_say_in_how_a_payment_stands() -> None:
    reports = {type: report_of(event(type, thing)) for type, (thing, _) in TABLE.items()}
    speak = {type for type, report in reports.items() if report and report.status}
    assert speak == {type for type in TABLE if type.startswith("payment_intent.")} | {"checkout.session.expired"}


@pytest.mark.parametrize("type", TABLE)
@pytest.mark.parametrize("metadata", [None, {}, {"order": "42"}])
def test_what_is_none_of_ours_is_no_report(type: str, metadata: Any) -> None:
    assert report_of(event(type, TABLE[type][0] | {"metadata": metadata})) is None


@pytest.mark.parametrize("type", ["payment_intent.created", "charge.refunded", "invoice.paid", ""])
def test_what_we_do_not_book_is_no_report(type: str) -> None:
    assert report_of(event(type, INTENT)) is None


@pytest.mark.parametrize("type", TABLE)
def test_an_event_of_ours_that_lacks_what_its_type_has_is_unreadable(type: str) -> None:
    thing = TABLE[type][0]
    optional = {"metadata", "amount_received", "payment_intent", "failure_code", "last_payment_error"}
    unread = {
        "payment_intent.succeeded": {"amount"},
        "charge.failed": {"captured", "amount_captured", "created"},
        "charge.succeeded": {"amount", "created"},
        "charge.captured": {"amount", "created"},
    }
    for name in set(thing) - optional - unread.get(type, set()):
        broken = {key: value for key, value in thing.items() if key != name}
        with pytest.raises(InvalidError, match="unreadable_event"):
            report_of(event(type, broken))
    with pytest.raises(InvalidError, match="unreadable_event"):
        report_of(event(type, thing | {"metadata": {"remit_payment_id": "pay_1"}}))


def test_a_payment_for_no_invoice_has_none() -> None:
    metadata = {"remit_payment_id": "pay_1", "remit_account_id": "acc_1"}
    report = report_of(event("payment_intent.succeeded", INTENT | {"metadata": metadata}))
    assert report is not None
    assert report.invoice_ids == ()


def test_P7_a_charge_that_is_not_captured_is_an_authorisation_with_its_end() -> None:
    report = report_of(event("charge.succeeded", AUTHORIZED_CHARGE))
    assert report is not None
    assert (report.transaction, report.authorized_until) == (AUTHORIZATION, NOW + timedelta(seconds=600))


@pytest.mark.parametrize(
    ("error", "failure", "hard"),
    [
        ({"code": "card_declined", "decline_code": "insufficient_funds"}, "insufficient_funds", False),
        ({"code": "card_declined", "decline_code": "lost_card"}, "lost_card", True),
        (
            {"code": "card_declined", "decline_code": "generic_decline", "advice_code": "do_not_try_again"},
            "generic_decline",
            True,
        ),
        (
            {"code": "card_declined", "decline_code": "generic_decline", "advice_code": "try_again_later"},
            "generic_decline",
            False,
        ),
        (
            {"code": "card_declined", "decline_code": "generic_decline", "advice_code": "confirm_card_data"},
            "generic_decline",
            True,
        ),
        ({"code": "card_declined", "decline_code": "do_not_honor"}, "do_not_honor", False),
        ({"code": "card_declined", "decline_code": "fraudulent"}, "fraudulent", True),
        ({"code": "authentication_required", "decline_code": "authentication_required"}, "authentication_required", True),
        ({"code": "payment_intent_payment_attempt_failed"}, "payment_intent_payment_attempt_failed", False),
    ],
)
def test_S4_a_failure_says_whether_another_try_is_pointless(error: dict[str, Any], failure: str, hard: bool) -> None:
    report = report_of(event("payment_intent.payment_failed", INTENT | {"last_payment_error": error}))
    assert report is not None
    assert (report.failure, report.is_hard_failure) == (failure, hard)


@pytest.mark.parametrize(
    ("status", "withdrawn", "expected"),
    [
        ("warning_needs_response", False, DisputeStatus.INQUIRY),
        ("warning_under_review", False, DisputeStatus.INQUIRY),
        ("warning_closed", False, DisputeStatus.INQUIRY_CLOSED),
        ("needs_response", False, DisputeStatus.INQUIRY),  # no money has moved yet
        ("needs_response", True, DisputeStatus.OPEN),
        ("under_review", True, DisputeStatus.OPEN),
        ("won", True, DisputeStatus.WON),
        ("lost", True, DisputeStatus.LOST),
    ],
)
@pytest.mark.parametrize("type", sorted(DISPUTE_TYPES))
def test_P9_a_dispute_counts_when_money_was_withdrawn(type: str, status: str, withdrawn: bool, expected: DisputeStatus) -> None:
    thing = DISPUTE | {"status": status} | ({} if withdrawn else {"balance_transactions": []})
    said = dispute_report_of(event(type, thing))
    assert said is not None
    assert said.intent_id == "pi_1"
    report = said.report(PaymentName("pay_1", "acc_1", ("inv_1",)))
    dispute = report.dispute
    assert dispute is not None
    assert (dispute.status, dispute.amount_minor, dispute.fee_minor) == (expected, 12100, 1500 if withdrawn else 0)
    assert (report.status, report.payment_id, report.currency, report.invoice_ids) == (None, "pay_1", "EUR", ("inv_1",))
    assert report.transaction == Transaction(NOW - timedelta(seconds=9), "dispute", "du_1", 12100, "fraudulent")


def test_L8_a_dispute_fee_in_another_currency_is_not_added() -> None:
    booked = [{"amount": -13000, "fee": 1500, "currency": "usd"}]
    said = dispute_report_of(event("charge.dispute.created", DISPUTE | {"balance_transactions": booked}))
    assert said is not None
    dispute = said.report(PaymentName("pay_1", "acc_1", ())).dispute
    assert dispute is not None
    assert (dispute.status, dispute.amount_minor, dispute.fee_minor) == (DisputeStatus.OPEN, 12100, 0)


def test_A3_a_method_is_saved_on_its_page_or_while_paying() -> None:
    said = method_of(event("setup_intent.succeeded", SETUP))
    assert said == MethodReport("acc_1", "pm_1", "cus_1", NOW)
    agreed = INTENT | {"setup_future_usage": "off_session", "payment_method": "pm_1", "customer": "cus_1"}
    assert method_of(event("payment_intent.succeeded", agreed)) == said
    assert method_of(event("payment_intent.succeeded", INTENT)) is None
    assert method_of(event("setup_intent.succeeded", SETUP | {"metadata": {}})) is None


def test_what_tells_us_anything_is_of_interest() -> None:
    assert is_of_interest(event("setup_intent.succeeded", SETUP))
    assert is_of_interest(event("charge.dispute.closed", DISPUTE))
    assert is_of_interest(event("charge.succeeded", CHARGE))
    assert not is_of_interest(event("charge.dispute.closed", DISPUTE | {"payment_intent": None}))
    assert not is_of_interest(event("customer.created", SETUP))
    with pytest.raises(InvalidError, match="unreadable_event"):
        is_of_interest(event("setup_intent.succeeded", {"metadata": {"remit_account_id": "acc_1"}}))


@pytest.mark.parametrize(("code", "hard"), [("insufficient_funds", False), ("account_closed", True), (None, False)])
def test_S4_P8_a_charge_that_fails_says_whether_another_try_is_pointless(code: str | None, hard: bool) -> None:
    report = report_of(event("charge.failed", FAILED_CHARGE | {"failure_code": code}))
    assert report is not None
    assert report.transaction is not None
    assert (report.transaction.note, report.transaction.is_hard) == (code, hard)
