"""The gateway's webhook: believed when signed, kept when accepted, cheap when known (G2, G3, G4, G5)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from remit.domain.errors import TransientError
from remit.usecases.ports import PaymentName
from tests.fakes import Fault
from tests.support.builders import Office, report_on
from tests.support.handlers import CONTEXT, answered, http_event

SECRET, PREVIOUS = "whsec_current", "whsec_previous"


class Queue:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.down = False

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        assert QueueUrl.endswith("/gateway-events")
        if self.down:
            raise ConnectionError("SQS is down")
        self.messages.append(json.loads(MessageBody))


@pytest.fixture
def webhooks(deployed: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = deployed("payment_webhooks")
    monkeypatch.setattr(module, "queue", Queue())
    monkeypatch.setattr(module, "secrets", lambda _arn, *names: [SECRET, PREVIOUS][: len(names)])
    return module


def stripe_event(payment: Any = None, id: str = "evt_1", type: str = "payment_intent.succeeded") -> dict[str, Any]:
    metadata = {"remit_payment_id": "pay_1", "remit_account_id": "acc_1", "remit_invoice_ids": "inv_1"}
    if payment is not None:
        invoices = ",".join(allocation.invoice_id for allocation in payment.intended)
        metadata = {"remit_payment_id": payment.id, "remit_account_id": payment.account_id, "remit_invoice_ids": invoices}
    intent = {"id": "pi_1", "amount": 12100, "amount_received": 12100, "currency": "eur", "metadata": metadata}
    return {"id": id, "type": type, "created": 1772442000, "data": {"object": intent}}


def signature(payload: str, secret: str = SECRET, age_s: int = 0) -> str:
    at = int(time.time()) - age_s
    digest = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def send(module: ModuleType, payload: Any, header: str | None = "sign") -> tuple[int, Any]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    signed = signature(text) if header == "sign" else header
    event = http_event("POST", "/webhooks/stripe", text, headers={"stripe-signature": signed} if signed else {}, subject=None)
    return answered(module.handler(event, CONTEXT))


def untouched(module: ModuleType, office: Office) -> bool:
    return module.queue.messages == [] and office.books.state() == {}


def test_G4_a_signed_event_is_queued_as_it_came_and_answered_at_once(webhooks: ModuleType, office: Office) -> None:
    event = stripe_event()
    assert send(webhooks, event) == (200, {"status": "accepted"})
    assert webhooks.queue.messages == [event]
    assert office.books.state() == {}, "the ledger is not written here"


def test_G2_the_bytes_are_verified_as_they_came_also_when_they_came_in_base64(webhooks: ModuleType) -> None:
    payload = json.dumps(stripe_event(), indent=3) + "\n"
    event = http_event("POST", "/webhooks/stripe", headers={"stripe-signature": signature(payload)})
    event |= {"body": base64.b64encode(payload.encode()).decode(), "isBase64Encoded": True}
    assert answered(webhooks.handler(event, CONTEXT)) == (200, {"status": "accepted"})


def test_G2_the_secret_being_rotated_out_is_still_good(webhooks: ModuleType) -> None:
    payload = json.dumps(stripe_event())
    assert send(webhooks, payload, signature(payload, PREVIOUS))[0] == 200


@pytest.mark.parametrize(
    "forge",
    [
        lambda payload: None,
        lambda payload: "",
        lambda payload: "nonsense",
        lambda payload: signature(payload, "whsec_stolen"),
        lambda payload: signature(payload + " "),
        lambda payload: signature(payload, age_s=301),
        lambda payload: signature(payload).replace("v1=", "v0="),
        lambda payload: f"t={int(time.time())},v1=",
        lambda payload: f"t={int(time.time())},v1=é",
        lambda payload: "t=soon,v1=00",
    ],
    ids=["none", "empty", "nonsense", "other secret", "other bytes", "stale", "old scheme", "no digest", "not ASCII", "no time"],
)
def test_G2_a_forged_or_stale_signature_changes_nothing(
    webhooks: ModuleType, office: Office, forge: Callable[[str], str | None]
) -> None:
    payload = json.dumps(stripe_event())
    status, problem = send(webhooks, payload, forge(payload))
    assert (status, problem["code"]) == (400, "bad_signature")
    assert "pay_1" not in json.dumps(problem)
    assert untouched(webhooks, office)


def test_G2_a_signature_is_asked_for_before_anything_is_read(webhooks: ModuleType, office: Office) -> None:
    for payload in ("not json", "[]", "\x00"):
        assert send(webhooks, payload, "t=1,v1=00")[1]["code"] == "bad_signature"
    assert untouched(webhooks, office)


def test_an_event_that_is_too_large_is_refused_before_it_is_hashed(webhooks: ModuleType, office: Office) -> None:
    status, problem = send(webhooks, json.dumps({"x": "y" * 250_000}))
    assert (status, problem["code"]) == (413, "event_too_large")
    assert untouched(webhooks, office)


@pytest.mark.parametrize(
    "payload",
    ["not json", "", "[]", "null", '"text"', '{"type": "payment_intent.succeeded", "data": null}', '{"data": {"object": null}}'],
)
def test_what_is_signed_but_no_event_is_refused(webhooks: ModuleType, office: Office, payload: str) -> None:
    status, problem = send(webhooks, payload)
    assert (status, problem["code"]) == (400, "unreadable_event")
    assert untouched(webhooks, office)


@pytest.mark.parametrize("lost", ["amount_received", "currency", "id"])
def test_an_event_of_ours_that_lacks_what_it_must_have_is_refused(webhooks: ModuleType, office: Office, lost: str) -> None:
    event = stripe_event()
    del event["data"]["object"][lost]
    assert send(webhooks, event)[1]["code"] == "unreadable_event"
    assert untouched(webhooks, office)


@pytest.mark.parametrize("type", ["customer.created", "charge.refunded", "payment_intent.created", "something.new"])
def test_G3_an_unknown_type_is_answered_and_forgotten(webhooks: ModuleType, office: Office, type: str) -> None:
    assert send(webhooks, stripe_event(type=type)) == (200, {"status": "ignored"})
    assert untouched(webhooks, office)


def test_an_event_of_another_system_of_the_firm_is_answered_and_forgotten(webhooks: ModuleType, office: Office) -> None:
    event = stripe_event()
    event["data"]["object"]["metadata"] = {}
    assert send(webhooks, event) == (200, {"status": "ignored"})
    assert untouched(webhooks, office)


def test_G3_an_event_that_was_dealt_with_costs_one_read_and_nothing_else(webhooks: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    payment, _ = office.checkout(account_id, office.invoice(account_id))
    office.gateway_says(report_on(payment, None, 1), "evt_1")
    before = office.books.state()
    office.trouble.steps.clear()
    assert send(webhooks, stripe_event(payment)) == (200, {"status": "known"})
    assert office.trouble.steps == ["load"]
    assert (webhooks.queue.messages, office.books.state()) == ([], before)


def test_G4_an_event_that_cannot_be_kept_is_not_accepted_so_that_it_comes_again(webhooks: ModuleType) -> None:
    webhooks.queue.down = True
    status, problem = send(webhooks, stripe_event())
    assert (status, problem["code"]) == (500, "internal_error")
    assert "SQS" not in json.dumps(problem)
    webhooks.queue.down = False
    assert send(webhooks, stripe_event()) == (200, {"status": "accepted"})


def test_G4_a_ledger_that_cannot_be_read_does_not_lose_an_event(webhooks: ModuleType, office: Office) -> None:
    office.trouble.strike(Fault.THROTTLE, on="load")
    assert send(webhooks, stripe_event())[0] >= 500
    assert webhooks.queue.messages == []


# payment_events: the worker behind the queue


def sqs(*events: dict[str, Any]) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"m{n}",
                "receiptHandle": "r",
                "body": json.dumps(event),
                "attributes": {},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:0:gateway-events",
                "awsRegion": "us-east-1",
            }
            for n, event in enumerate(events)
        ]
    }


def test_G4_a_message_that_fails_stays_on_the_queue_and_stops_no_other(
    deployed: Callable[[str], ModuleType], office: Office
) -> None:
    worker = deployed("payment_events")
    account_id = office.open_account()
    payment, _ = office.checkout(account_id, office.invoice(account_id))
    strange = stripe_event(id="evt_0")  # a payment that is not known
    answer = worker.handler(sqs(strange, stripe_event(payment), stripe_event(payment)), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert office.balance(account_id).receivable_minor == 0
    assert len(office.entries(account_id)) == 2
    assert office.differences(account_id) == ()


def test_G4_when_all_of_a_batch_fails_all_of_it_stays(deployed: Callable[[str], ModuleType], office: Office) -> None:
    worker = deployed("payment_events")
    office.trouble.strike(TransientError("store_busy", "busy"), on="load")
    answer = worker.handler(sqs(stripe_event()), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_what_the_worker_has_no_use_for_is_taken_off_the_queue(deployed: Callable[[str], ModuleType], office: Office) -> None:
    worker = deployed("payment_events")
    assert worker.handler(sqs(stripe_event(type="customer.created")), CONTEXT) == {"batchItemFailures": []}


def test_P9_a_dispute_finds_its_payment_through_the_gateway(deployed: Callable[[str], ModuleType], office: Office) -> None:
    worker = deployed("payment_events")
    account_id = office.open_account()
    payment, _ = office.checkout(account_id, office.invoice(account_id))
    worker.handler(sqs(stripe_event(payment)), CONTEXT)
    booked = [{"amount": -12100, "fee": 1500, "currency": "eur"}]
    dispute = {"id": "du_1", "amount": 12100, "currency": "eur", "created": 1772442000, "status": "lost", "reason": "fraudulent",
               "payment_intent": "pi_1", "metadata": {}, "balance_transactions": booked}  # fmt: skip
    event = {"id": "evt_d", "type": "charge.dispute.closed", "created": 1772442100, "data": {"object": dispute}}
    assert worker.handler(sqs(event), CONTEXT) == {"batchItemFailures": []}
    assert len(office.entries(account_id)) == 2, "a payment of another system of the firm"
    office.gateway.names["pi_1"] = PaymentName(payment.id, account_id, ())
    assert worker.handler(sqs(event, event), CONTEXT) == {"batchItemFailures": []}
    assert (len(office.entries(account_id)), office.balance(account_id).receivable_minor) == (4, 12100)
    assert office.differences(account_id) == ()


def test_A3_a_method_saved_on_its_page_is_kept(deployed: Callable[[str], ModuleType], office: Office) -> None:
    worker = deployed("payment_events")
    account_id = office.open_account()
    setup = {"id": "seti_1", "payment_method": "pm_1", "customer": "cus_1", "metadata": {"remit_account_id": account_id}}
    event = {"id": "evt_s", "type": "setup_intent.succeeded", "created": 1772442000, "data": {"object": setup}}
    assert worker.handler(sqs(event, event), CONTEXT) == {"batchItemFailures": []}
    assert [saved.id for saved in office.account(account_id).payment.saved_methods] == ["pm_1"]


def test_G4_a_dispute_is_queued_though_it_names_no_payment_of_ours(webhooks: ModuleType) -> None:
    thing = {"payment_intent": "pi_1", "created": 1772442000, "id": "du_1", "amount": 1, "currency": "eur", "status": "lost"}
    event = {"id": "evt_d", "type": "charge.dispute.created", "created": 1772442100, "data": {"object": thing}}
    assert send(webhooks, event) == (200, {"status": "accepted"})


@pytest.mark.parametrize("metadata", [{}, {"remit_refund_id": "ref_1"}], ids=["of the dashboard", "of ours"])
def test_R8_G4_a_refund_is_queued_whoever_made_it(webhooks: ModuleType, metadata: dict[str, str]) -> None:
    """Only the ledger can say whether a refund that names nobody gives back a payment of ours."""
    refund = {"id": "re_1", "amount": 100, "currency": "eur", "payment_intent": "pi_1", "metadata": metadata}
    event = {"id": "evt_1", "type": "refund.created", "created": 1772442000, "data": {"object": refund}}
    assert send(webhooks, event) == (200, {"status": "accepted"})
    assert webhooks.queue.messages == [event]
