"""Before a stricter policy is switched on: what it would have done to those who were here all along (O4)."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import httpx

from tests.scenarios.test_saved_methods_and_disputes import charged, saves
from tests.scenarios.world import Clock, Customer, Invoice, Mailbox, TheGateway, World, eventually

type ACustomer = Callable[..., Customer]

STRICTER = {"tiers": [{"from_days": 1}, {"from_days": 7}]}


def policy_trial(first: date, last: date) -> dict[str, Any]:
    return {"policy": STRICTER, "from": first.isoformat(), "to": last.isoformat(), "runs_at": "07:00"}


def told(letters: list[dict[str, Any]], invoice: Invoice) -> dict[int, tuple[int, list[str]]]:
    """Days past due → which tier, and what was wrong with it."""
    found = [letter for letter in letters if invoice.number in letter["invoices"]]
    return {(date.fromisoformat(each["on"]) - invoice.due_date).days: (each["tier"], each["wrong"]) for each in found}


def test_a_stricter_policy_is_tried_before_it_is_switched_on(
    a_customer: ACustomer, clock: Clock, the_gateway: TheGateway, mailbox: Mailbox, world: World
) -> None:
    """O4: a transfer booked late and a dispute heard of late make letters wrong that looked right then; nothing is sent or
    changed."""
    late, disputing = a_customer(), a_customer()
    saves(disputing)
    transferred, charged_in_part = late.is_invoiced(term="on_receipt"), disputing.is_invoiced(term="on_receipt")
    first = transferred.due_date
    payment = charged(charged_in_part, amount_minor=5_000)
    the_gateway.has_delivered_everything()
    (charge_id,) = [each["id"] for each in eventually(lambda: payment.now().facts["transactions"], "its transaction")]

    clock.moves_to(first + timedelta(days=3))
    the_gateway.holds_deliveries()
    the_gateway.control(f"charges/{charge_id}/dispute", {})
    clock.moves_to(first + timedelta(days=10))
    the_gateway.behaves()
    eventually(lambda: payment.now().facts["disputed_minor"] == 5_000, "the dispute")
    late.pays_by_bank(12_100, {transferred: 12_100}, value_date=first + timedelta(days=5))
    clock.moves_to(first + timedelta(days=11))
    before = {customer.id: (customer.entries(), customer.messages) for customer in (late, disputing)}

    body = policy_trial(first, clock.today)
    of_late = world.api.post(f"{late.path}/dunning-policy-trials", body, expect=200)
    of_disputing = world.api.post(f"{disputing.path}/dunning-policy-trials", body, expect=200)
    assert told(of_late["letters"], transferred) == {1: (1, []), 7: (2, ["already_paid"])}
    assert told(of_disputing["letters"], charged_in_part) == {1: (1, []), 7: (2, ["disputed"])}
    assert of_disputing["letters"][1]["asked_minor"] == {"EUR": 7_100}
    assert (of_late["wrong"], of_late["really_sent"]) == (1, {})

    key = f"trial-{late.id}"
    started = [world.api.post("/dunning-policy-trials", body, expect=202, key=key) for _ in range(2)]
    assert started[0] == started[1]
    path = f"/dunning-policy-trials/{started[0]['id']}"
    done = eventually(lambda: found if (found := world.api.get(path))["status"] != "running" else None, "the trial", 120)
    assert done is not None
    assert (done["status"], done["failure"]) == ("done", None)
    summary = done["summary"]
    assert summary["accounts"] >= 2
    assert summary["wrong_by_reason"]["already_paid"] >= 1
    assert summary["wrong_by_reason"]["disputed"] >= 1
    files = {name: httpx.get(url, timeout=30).text for name, url in done["urls"].items()}
    letters = [json.loads(text) for text in files["letters.jsonl"].splitlines()]
    assert len(letters) == summary["letters"] == len(list(csv.DictReader(io.StringIO(files["letters.csv"]))))
    for customer, invoice, alone in ((late, transferred, of_late), (disputing, charged_in_part, of_disputing)):
        own = [letter for letter in letters if letter["account_id"] == customer.id]
        assert told(own, invoice) == told(alone["letters"], invoice)

    assert before == {customer.id: (customer.entries(), customer.messages) for customer in (late, disputing)}
    assert mailbox.of(late) == mailbox.of(disputing) == []
