"""What the whole session left in the logs. Runs last (see conftest.py)."""

import json
import re
from collections.abc import Callable

from tests.scenarios.world import Customer, Firm, Mailbox, World

CARD_NUMBERS = ("4242424242424242", "4000000000000002", "4000000000009995", "5555555555554444", "4000002500003155")


def test_nobodys_data_is_in_the_logs(world: World, firm: Firm, a_customer: Callable[..., Customer], mailbox: Mailbox) -> None:
    """G5, L3: no name, address, e-mail, link, token, key or card of anybody, whatever went well or wrong before."""
    firm.switches_on("send_invoices", "send_receipts")
    customer = a_customer()
    checkout = customer.is_invoiced().pays_by_card("pm_card_visa")
    checkout.invoice.becomes_paid()
    mailbox.awaits(customer, "payment_received")
    for mail in mailbox.of(customer):
        for link in re.findall(r"/pay/([\w.\-]+)", mail.text):
            world.told.add(link)
    lines = list(world.log_lines())
    assert any(checkout.payment_id in line for line in lines), "these are the logs of this stack"
    private = {*world.told, *CARD_NUMBERS, world.keys.api_key, world.keys.webhook_secret}
    private |= {json.dumps(text)[1:-1] for text in private}  # as it looks inside a JSON log line
    found = {text: line[:500] for text in private for line in lines if text in line}
    assert found == {}


def test_what_functions_log_is_json_with_a_correlation_id(world: World) -> None:
    """O1: one can follow a request."""
    world.api.request("POST", "/accounts", {})
    logged = [json.loads(line) for line in world.log_lines() if line.startswith('{"level"')]
    refused = [line for line in logged if line.get("message") == "refused"]
    assert refused
    assert all(line["correlation_id"] for line in refused)
    assert {line["service"] for line in logged} == {"remit-local"}


def test_no_card_number_is_in_the_table(world: World) -> None:
    """G5: it never came here."""
    rows = world.dynamodb.get_paginator("scan").paginate(TableName=world.stack.outputs["TableName"])
    text = "\n".join(repr(page["Items"]) for page in rows)
    assert not [number for number in CARD_NUMBERS if number in text]
