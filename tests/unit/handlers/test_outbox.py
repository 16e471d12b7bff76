"""Outbox: what was written becomes events, in order, and nothing that is nobody's business (L3, X1)."""

import json
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from remit.domain.errors import TransientError
from remit.domain.payments import Allocation, PaymentStatus
from remit.usecases.tell_card_expiry import tell_card_expiry
from tests.fakes import Fault
from tests.support import collection as col
from tests.support import payments as pay
from tests.support.builders import NOW, Office, firm, report_on
from tests.support.handlers import CONTEXT, load


class Bus:
    """EventBridge: takes ten entries at a time, and refuses those it is told to."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.refuse: set[int] = set()

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.sizes.append(len(Entries))
        results = [{"ErrorCode": "ThrottlingException"} if n in self.refuse else {"EventId": str(n)} for n in range(len(Entries))]
        self.taken += [entry for n, entry in enumerate(Entries) if n not in self.refuse]
        return {"FailedEntryCount": len(self.refuse), "Entries": results}


@pytest.fixture
def outbox(environment: None) -> ModuleType:
    module = load("outbox")
    module.events = Bus()  # type: ignore[attr-defined]
    return module


def published(outbox: ModuleType, office: Office, after: int = 0) -> list[tuple[str, dict[str, Any]]]:
    events = [outbox.event_of(record) for record in office.books.stream_records(after)]
    return [(event["DetailType"], json.loads(event["Detail"])) for event in events if event]


def test_every_entry_becomes_an_event_named_after_its_operation(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, 10000)
    payment_id = office.receive(account_id, 15000).body["id"]
    office.goodwill(account_id, 1210)
    item = office.books.open_items(account_id, "EUR")[0]
    office.allocate(account_id, payment_id, Allocation(item.invoice_id, 100))
    events = published(outbox, office)
    assert [name for name, _ in events] == ["InvoiceIssued", "PaymentReceived", "CreditIssued", "PaymentAllocated"]
    assert [detail["id"] for _, detail in events] == [f"{account_id}.EUR.{n}" for n in (1, 2, 3, 4)]


def test_an_event_says_what_was_posted_and_about_which_documents(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, 10000)
    ((name, detail),) = published(outbox, office)
    assert name == "InvoiceIssued"
    assert detail == {
        "id": f"{account_id}.EUR.1",
        "account_id": account_id,
        "currency": "EUR",
        "sequence": 1,
        "effective_on": "2026-03-02",
        "recorded_at": NOW.isoformat(),
        "documents": {"invoice": [invoice_id]},
        "order_id": invoice_id.replace("inv_", "ord_"),
        "postings": [
            ["receivable", "d", 12100, invoice_id, "2026-04-01"],
            ["revenue:services", "c", 10000, invoice_id],
            ["tax:VAT21", "c", 2100, invoice_id],
        ],
    }


def test_events_carry_no_names_and_no_free_text(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account(name="SECRET NAME", email="secret@mail.example", notes="SECRET NOTE")
    office.invoice(account_id)
    office.goodwill(account_id, 100)  # its reason is free text
    text = json.dumps(published(outbox, office)).lower()
    assert "secret" not in text
    assert "sorry" not in text
    assert "clerk" not in text


def test_a_payment_that_turns_to_failed_is_an_event_and_only_then(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    payment, _ = office.checkout(account_id, invoice_id)
    before = len(office.books.stream_records())
    for n, status in enumerate([PaymentStatus.FAILED, PaymentStatus.FAILED, PaymentStatus.PROCESSING, PaymentStatus.FAILED]):
        office.gateway_says(report_on(payment, status, n, failure="card_declined"), f"evt_{n}")
    events = published(outbox, office, before)
    assert [name for name, _ in events] == ["PaymentFailed", "PaymentFailed"]
    assert events[0][1] == {
        "id": f"{payment.id}.failed",
        "account_id": account_id,
        "payment_id": payment.id,
        "currency": "EUR",
        "amount_minor": 12100,
        "invoice_ids": [invoice_id],
        "attempt": None,
        "next_attempt_on": None,
        "payer_must_act": None,
    }


@pytest.mark.parametrize(
    ("outcome", "next_attempt_on", "payer_must_act"),
    [(col.SOFT, "2026-04-04", None), (col.HARD, None, "hard_decline"), (col.HOLDER, None, "authentication_required")],
    ids=["declined", "hard decline", "authentication required"],
)
def test_S4_a_failed_attempt_tells_what_the_letter_needs_once(
    outbox: ModuleType,
    office: Office,
    outcome: tuple[PaymentStatus, str, bool],
    next_attempt_on: str | None,
    payer_must_act: str | None,
) -> None:
    account_id = col.collecting(office, "pm_visa")
    invoice_id = office.invoice(account_id)
    office.clock.advance(days=30)
    office.gateway.outcomes["pm_visa"] = outcome
    before = len(office.books.stream_records())
    for _ in range(3):
        col.run(office, account_id)
    (payment,) = col.attempts(office, invoice_id)
    office.gateway_says(replace(report_on(payment, PaymentStatus.FAILED, 9, failure=outcome[1]), is_hard_failure=outcome[2]), "e")
    assert published(outbox, office, before) == [
        (
            "PaymentFailed",
            {
                "id": f"{payment.id}.failed",
                "account_id": account_id,
                "payment_id": payment.id,
                "currency": "EUR",
                "amount_minor": 12100,
                "invoice_ids": [invoice_id],
                "attempt": 1,
                "next_attempt_on": next_attempt_on,
                "payer_must_act": payer_must_act,
            },
        )
    ]


def test_S4_a_charge_that_never_reached_the_gateway_is_no_failed_payment(outbox: ModuleType, office: Office) -> None:
    """An outage is none of the customer's doing: nobody is told until the charge that takes its place is declined."""
    account_id = col.collecting(office, "pm_visa")
    invoice_id = office.invoice(account_id)
    office.clock.advance(days=30)
    office.gateway.outcomes["pm_visa"] = col.SOFT
    before = len(office.books.stream_records())
    office.trouble.strike(Fault.THROTTLE, on="charge")
    col.run(office, account_id)
    office.clock.advance(hours=2)
    unheard = pay.resolve(office, col.attempts(office, invoice_id)[0]).payment
    assert (unheard.failure, published(outbox, office, before)) == ("not_charged", [])
    office.clock.advance(days=1)
    col.run(office, account_id)
    ((name, detail),) = published(outbox, office, before)
    assert (name, detail["attempt"], detail["next_attempt_on"]) == ("PaymentFailed", 2, "2026-04-05")


def test_S4_P8_a_debit_that_comes_back_is_told_of_as_a_failed_attempt(outbox: ModuleType, office: Office) -> None:
    account_id = col.collecting(office, "pm_debit")
    invoice_id = office.invoice(account_id)
    office.clock.advance(days=30)
    col.run(office, account_id)
    before = len(office.books.stream_records())
    (payment,) = col.attempts(office, invoice_id)
    col.comes_back(office, payment)
    events = dict(published(outbox, office, before))
    assert list(events) == ["PaymentFailed", "PaymentReverted"] or list(events) == ["PaymentReverted", "PaymentFailed"]
    assert (events["PaymentFailed"]["attempt"], events["PaymentFailed"]["next_attempt_on"]) == (1, "2026-04-04")


def test_P3_an_expiring_card_is_an_event_once(outbox: ModuleType, office: Office) -> None:
    account_id = col.collecting(office, "pm_visa")
    office.clock.advance(days=1500)
    before = len(office.books.stream_records())
    for _ in range(2):
        tell_card_expiry(account_id, office.firm, office.books, office.clock)
    office.change_account(account_id, name="Other")
    detail = {"id": f"{account_id}.pm_visa.2030-01", "account_id": account_id, "method_id": "pm_visa", "expires": "2030-01"}
    assert published(outbox, office, before) == [("CardExpiring", detail)]


def test_what_is_nobodys_business_is_no_event(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    office.change_account(account_id, name="Other")
    office.place_order(account_id)
    office.books.commit([firm()])
    assert published(outbox, office) == []


def test_a_deleted_item_and_a_rewritten_entry_are_no_events(outbox: ModuleType, office: Office) -> None:
    office.invoice(office.open_account())
    (entry,) = [each for each in office.books.stream_records() if each["dynamodb"]["NewImage"]["type"] == {"S": "entry"}]
    assert outbox.event_of({"eventName": "REMOVE", "dynamodb": {"OldImage": entry["dynamodb"]["NewImage"]}}) is None
    assert outbox.event_of(entry | {"eventName": "MODIFY"}) is None


def test_a_batch_is_published_in_order_ten_at_a_time(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    for _ in range(23):
        office.receive(account_id, 100)
    outbox.handler({"Records": office.books.stream_records()}, CONTEXT)
    assert outbox.events.sizes == [10, 10, 3]
    sequences = [json.loads(entry["Detail"])["sequence"] for entry in outbox.events.taken]
    assert sequences == list(range(1, 24))
    assert {(entry["Source"], entry["EventBusName"]) for entry in outbox.events.taken} == {("remit", "remit-test")}


def test_what_the_bus_does_not_take_fails_the_batch_so_that_it_comes_again(outbox: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    for _ in range(12):
        office.receive(account_id, 100)
    outbox.events.refuse = {3}
    with pytest.raises(TransientError, match="bus_refused"):
        outbox.handler({"Records": office.books.stream_records()}, CONTEXT)
    outbox.events.refuse = set()
    outbox.handler({"Records": office.books.stream_records()}, CONTEXT)
    ids = {json.loads(entry["Detail"])["id"] for entry in outbox.events.taken}
    assert ids == {f"{account_id}.EUR.{n}" for n in range(1, 13)}


def test_the_event_of_a_repeated_record_has_the_same_id(outbox: ModuleType, office: Office) -> None:
    office.invoice(office.open_account())
    assert published(outbox, office) == published(outbox, office)
