"""D9 over HTTP: the policy's rules, the preview, the charge with its links, and the agenda that charges the rest."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from remit.domain.automations import Automation
from remit.usecases.ports import firm_ref
from tests.support.builders import LONG_AGO, Office
from tests.support.handlers import CONTEXT, answered, http_event
from tests.support.late import charging

RULES = {
    "fee": {"fixed": {"EUR": 4000}, "percent": "0", "minimum": {}},
    "interest": {
        "rates": [{"since": "2026-01-01", "annual_percent": "10.15"}, {"since": "2026-07-01", "annual_percent": "9.9"}],
        "day_count": "actual_360",
        "grace_days": 0,
        "minimum": {"EUR": 500},
    },
    "fee_from_tier": 2,
    "interest_from_tier": 3,
}

type Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def office() -> Office:
    return charging()


@pytest.fixture
def call(deployed: Callable[[str], Any]) -> Call:
    modules: dict[str, Any] = {}
    keys = iter(range(10**6))

    def to(method: str, path: str, body: Any = None, *, function: str = "invoicing", **how: Any) -> tuple[int, Any]:
        module = modules.get(function) or modules.setdefault(function, deployed(function))
        key = f"http-{next(keys)}" if method == "POST" else None
        return answered(module.handler(http_event(method, path, body, key=key, **how), CONTEXT))

    return to


def test_D9_the_rules_are_set_with_a_dunning_policy_and_read_back(call: Call, office: Office) -> None:
    office.books.commit([office.firm])
    path = "/dunning-policies/strict"
    body = {"tiers": [{"from_days": 3}, {"from_days": 14}, {"from_days": 30}], "late_charges": RULES}
    status, policy = call("PUT", path, body, function="firm")
    assert (status, policy["late_charges"], policy["revision"]) == (200, RULES, 1)
    office.firm = office.books.read(firm_ref())
    assert call("GET", path, function="firm")[1] == policy
    assert call("PUT", path, body, function="firm")[1] == policy, "the same again is no new revision"
    _, without = call("PUT", path, body | {"late_charges": None}, function="firm")
    assert (without["late_charges"], without["revision"]) == (None, 2)
    office.firm = office.books.read(firm_ref())
    status, refusal = call("PUT", path, body | {"late_charges": RULES | {"fee_from_tier": 4}}, function="firm")
    assert (status, refusal["code"], refusal["tiers"]) == (422, "bad_dunning_policy", 3)
    revisions = call("GET", f"{path}/revisions", function="firm")[1]["revisions"]
    assert [each["policy"]["late_charges"] for each in revisions] == [None, RULES]


def test_D9_I11_preview_charge_and_links(call: Call, office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    home = f"/accounts/{account_id}/invoices"
    office.clock.advance(days=46)
    status, seen = call("GET", f"{home}/{invoice_id}/late-charges")
    assert status == 200
    assert seen["late_charges"] == []
    (period,) = seen["charge"]["periods"]
    assert period == {
        "first": "2026-03-03", "through": "2026-04-17", "days": 46, "base_minor": 12100, "annual_percent": "10.15",
        "year_days": 365, "share_minor": 155,
    }  # fmt: skip
    assert (seen["charge"]["interest_minor"], seen["charge"]["fee_minor"], seen["charge"]["total_minor"]) == (155, 4000, 4155)
    status, charge = call("POST", f"{home}/{invoice_id}/late-charges", {})
    assert (status, charge["kind"], charge["total_minor"]) == (201, "late_charge", 4155)
    assert charge["late_charge"] == seen["charge"]
    assert [part["due_date"] for part in charge["parts"]] == ["2026-04-17"], "due at once"
    assert call("GET", f"{home}/{invoice_id}")[1]["late_charges"] == [charge["id"]]
    events = call("GET", f"{home}/{invoice_id}/timeline")[1]["past"]
    assert charge["id"] in events[-1]["documents"]
    listed = call("GET", home)[1]["invoices"]
    assert {each["invoice_id"] for each in listed} == {invoice_id, charge["id"]}
    status, again = call("POST", f"{home}/{invoice_id}/late-charges", {})
    assert (status, again["code"], again["late_charges"]) == (409, "nothing_to_charge", [charge["id"]])
    status, waived = call("POST", f"{home}/{charge['id']}/void", {"reason": "a good customer"})
    assert (status, waived["status"]) == (201, "void")


def test_D9_refusals_say_what_is_allowed(call: Call, office: Office) -> None:
    account_id = office.open_account()
    path = f"/accounts/{account_id}/invoices/{office.invoice(account_id, term='on_receipt')}/late-charges"
    status, refusal = call("POST", path, {"through": "2026-03-03"})
    assert (status, refusal["code"], refusal["latest"]) == (422, "through_in_future", "2026-03-02")
    office.firm = replace(office.firm, switches={Automation.DUNNING: LONG_AGO})
    for method, body in (("GET", None), ("POST", {})):
        status, refusal = call(method, path, body)
        assert (status, refusal["code"]) == (409, "late_charges_off")
    assert call("POST", path, {"until": "2026-03-03"})[0] == 422


def test_D9_the_agenda_charges_the_rest_of_what_was_paid_late_once(deployed: Callable[[str], Any], office: Office) -> None:
    agenda = deployed("agenda")
    names = {"function_name": "agenda", "memory_limit_in_mb": 512, "invoked_function_arn": "arn:aws:x", "aws_request_id": "1"}
    context = SimpleNamespace(**names, get_remaining_time_in_millis=lambda: 600_000)
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=46)
    office.receive(account_id, 12100, oldest_first=True)
    office.clock.advance(days=1)
    assert agenda.handler({}, context) == {"done": {"late_interest": 1}, "failed": 0, "all": True}
    assert agenda.handler({}, context) == {"done": {}, "failed": 0, "all": True}
    (charge_id,) = office.item(account_id, invoice_id).late_charges
    assert office.document(account_id, charge_id).total_minor == 155
    assert office.differences(account_id) == ()
