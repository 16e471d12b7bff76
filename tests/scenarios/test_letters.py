"""Letters in the customer's language and the firm's own words, and what becomes of them (N3, N4, D11, D1)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.world import Answer, Customer, Firm, Mailbox, World, eventually

type ACustomer = Callable[..., Customer]

GERMAN_INVOICE = "/templates/invoice_issued/de"


@pytest.fixture(autouse=True)
def everything_is_told(firm: Firm) -> None:
    firm.switches_on("send_invoices", "tell_credit", "tell_payment_failed", "tell_refund")


def the_provider_says(world: World, message: dict[str, Any], customer: Customer, detail_type: str, **part: Any) -> None:
    """An event of SES as the default bus hands it over: the local SES makes none, and nobody else may speak for AWS there."""
    mail = {
        "timestamp": "2026-11-23T09:00:00.000Z",
        "messageId": "0100-provider",
        "destination": [customer.email],
        "tags": {
            "ses:configuration-set": [world.stack.physical_id("MailEvents")],
            "message_id": [message["id"].replace("-", "--")],
            "account_id": [customer.id],
        },
    }
    event = {"source": "aws.ses", "detail-type": detail_type, "detail": {"mail": mail, **part}}
    function = world.stack.physical_id("MailEventsFunction")
    answer = world.stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()


def message_about(customer: Customer, template: str) -> dict[str, Any]:
    (found,) = [message for message in customer.messages if message["template"] == template]
    return found


def test_N3_a_german_customer_is_written_to_in_german(a_customer: ACustomer, mailbox: Mailbox) -> None:
    customer = a_customer(language="de-AT")
    customer.is_invoiced()
    (mail,) = mailbox.awaits(customer, "invoice_issued")
    assert mail.subject.startswith("Rechnung INV-")
    assert "121,00 €" in mail.subject
    assert "Guten Tag" in mail.text
    assert mail.pay_link


def test_N3_a_credit_is_told_of_once(a_customer: ACustomer, mailbox: Mailbox) -> None:
    customer = a_customer()
    customer.gets_goodwill(5_000)
    (mail,) = mailbox.awaits(customer, "credit_issued")
    assert "EUR 50.00" in mail.subject


def test_N4_the_firm_writes_its_own_letter_sees_it_and_then_uses_it(
    world: World, a_customer: ACustomer, mailbox: Mailbox
) -> None:
    source = {
        "subject": "Unsere Rechnung {{ invoice.number }}",
        "html": "<p>Liebe Kundschaft,</p>{% if pay_url %}<a href='{{ pay_url }}'>bezahlen</a>{% endif %}",
        "text": "Liebe Kundschaft,\n{% if pay_url %}{{ pay_url }}{% endif %}",
    }
    refused: Answer = world.api.request("POST", f"{GERMAN_INVOICE}/versions", source | {"text": "{{ nobody }}"}, key="bad")
    assert (refused.status, refused.code) == (422, "bad_template")
    version = world.api.post(f"{GERMAN_INVOICE}/versions", source)["id"]

    assert world.api.get(f"{GERMAN_INVOICE}/versions")["versions"][0]["id"] == version
    customer = a_customer(language="de")
    invoice = customer.is_invoiced()
    mailbox.awaits(customer, "invoice_issued")
    of = {"account_id": customer.id, "document_id": invoice.id}
    seen = world.api.post(f"{GERMAN_INVOICE}/previews", {"version": version, "of": of}, expect=200)
    assert seen["subject"] == f"Unsere Rechnung {invoice.number}"
    assert "masked-" in seen["text"]

    world.api.put(f"{GERMAN_INVOICE}/in-use", {"version": version})
    try:
        another = a_customer(language="de")
        another.is_invoiced()
        (mail,) = mailbox.awaits(another, "invoice_issued")
        assert mail.subject.startswith("Unsere Rechnung INV-")
        assert mail.pay_link
    finally:
        world.api.put(f"{GERMAN_INVOICE}/in-use", {"version": None})


def test_D11_a_message_is_kept_as_it_was_sent_and_a_bounce_closes_the_address(
    world: World, a_customer: ACustomer, mailbox: Mailbox
) -> None:
    customer = a_customer()
    customer.is_invoiced()
    (mail,) = mailbox.awaits(customer, "invoice_issued")
    message = message_about(customer, "invoice_issued")
    kept = world.api.get(f"{customer.path}/messages/{message['id']}")
    assert kept["subject"] == mail.subject
    assert mail.pay_link not in kept["text"]
    assert "masked-" in kept["text"]

    bounce = {"bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2026-11-23T09:00:05.000Z"}
    the_provider_says(world, message, customer, "Email Bounced", bounce=bounce)
    eventually(lambda: world.api.get(customer.path)["mail_problem"], "the bounce")
    customer.gets_goodwill(100)
    suppressed = eventually(
        lambda: [each for each in customer.messages if each["status"] == "suppressed"], "the letter that is not sent"
    )
    assert suppressed[0]["failure"] == "address: hard_bounce"
    assert len(mailbox.of(customer)) == 1

    assert world.api.request("DELETE", f"{customer.path}/mail-problem").status == 200
    customer.is_invoiced()
    mailbox.awaits(customer, "invoice_issued", 2)
