"""Stripe's events in the words of the domain: the whole table (G3, P5)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from remit.adapters.stripe.events import HANDLED_TYPES, report_of
from remit.domain.errors import InvalidError
from remit.domain.payments import PaymentStatus, Transaction

AT = 1772442000
METADATA = {"remit_payment_id": "pay_1", "remit_account_id": "acc_1", "remit_invoice_ids": "inv_1,inv_2"}

INTENT = {"id": "pi_1", "amount": 12100, "amount_received": 12000, "currency": "eur", "metadata": METADATA}
DECLINED = INTENT | {"last_payment_error": {"code": "card_declined", "message": "Your card was declined."}}
CHARGE = {"id": "ch_1", "amount": 12100, "currency": "eur", "created": AT - 5, "status": "succeeded", "payment_intent": "pi_1",
          "failure_code": None, "metadata": METADATA}  # fmt: skip
FAILED_CHARGE = CHARGE | {"id": "ch_2", "status": "failed", "failure_code": "insufficient_funds"}
SESSION = {"id": "cs_1", "amount_total": 12100, "currency": "jpy", "payment_intent": "pi_1", "metadata": METADATA}

CAPTURE = Transaction(datetime.fromtimestamp(AT - 5, UTC), "capture", "ch_1", 12100, None)
FAILURE = Transaction(datetime.fromtimestamp(AT - 5, UTC), "failure", "ch_2", 12100, "insufficient_funds")

TABLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
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
    assert set(TABLE) == HANDLED_TYPES


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
    for name in set(thing) - {"metadata", "amount_received", "payment_intent", "failure_code", "last_payment_error"}:
        if name == "amount" and type == "payment_intent.succeeded":
            continue
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
