"""openapi.json against the running stack: schemathesis makes up requests and compares the answers with what is promised.

Deterministic: the same requests each time. Runs after the other scenarios, for it also sets the firm's profile.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from local.openapi import describe
from tests.scenarios.world import World, line

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8"))

CHECKED = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]
"""Left out: `ignored_auth`, which test_access.py does for every route; `unsupported_method`, since API Gateway answers
404 and not 405; `positive_data_acceptance`, since what is
well-formed may still break a rule of billing (an unknown tax code is 422)."""

WELL_FORMED = re.compile(r"[a-z]{3}_[0-9a-z]{26}|[A-Z]{3}|[A-Z0-9]{1,10}-[0-9]{4}")
"""Ids, currencies and series that could exist; the others are sent as they are."""


@pytest.fixture(scope="module")
def something_of_each(world: World) -> dict[str, str]:
    """Ids that exist, so that requests get behind the first look-up."""
    world.firm.is_set_up()
    customer = world.a_customer()
    invoice = customer.is_invoiced()
    api, payment = world.api, customer.pays_by_bank(1_000)
    in_cash = {"method": "cash", "amount_minor": 100, "currency": "EUR", "reason": "Asked for it"}
    plan = {"id": "described", "name": "Hosting", "currency": "EUR", "interval": {"unit": "month"}, "lines": [line("x", 100)]}
    api.request("POST", "/plans", plan)
    batch = {"orders": [{"account_id": customer.id, "order_id": customer.orders().id}]}
    api.post(f"{customer.path}/payments", customer.bank_transfer(20_000) | {"to_wallet": True})
    usage = {"description": "Usage", "lines": [line("Calls", 100)]}
    monthly = {"name": "Monthly", "cron": "0 8 1 * *", "time_zone": "UTC", "content": "open_invoices"}
    returned = {"lines": [{"line": 1, "amount_minor": 100}], "reason": "Broken bulb"}
    return {
        "account_id": customer.id,
        "invoice_id": invoice.id,
        "order_id": invoice.facts["order_id"],
        "payment_id": payment.id,
        "credit_id": customer.gets_goodwill(1_000)["id"],
        "credit_note_id": api.post(f"{invoice.path}/credit-notes", returned)["id"],
        "refund_id": api.post(f"{customer.path}/refunds", in_cash)["id"],
        "charge_id": api.post(f"{customer.path}/wallet/charges", usage)["id"],
        "batch_id": api.post("/invoice-batches", batch)["id"],
        "schedule_id": api.post("/summary-schedules", monthly)["id"],
        "plan_id": "described",
        "subscription_id": api.post(f"{customer.path}/subscriptions", {"plan_id": "described"})["id"],
        "name": invoice.facts["series"],
        "currency": "EUR",
    }


@pytest.fixture(autouse=True, scope="module")
def the_firm_is_as_it_was(world: World) -> Iterator[None]:
    yield
    world.firm.may_have_been_changed()


schema = schemathesis.openapi.from_dict(describe())
# Moving the clock by any number of years would leave no time for anything else.
described = schema.exclude(path="/clock", method="PUT")


@described.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_answers_are_as_described(case: schemathesis.Case, world: World, something_of_each: dict[str, str]) -> None:
    """L8, I5 at the edge: no 5xx; statuses, types and bodies as described; requests that break the description refused."""
    known = {parameter.name for parameter in case.operation.query}
    if case.query.keys() - known or any(value in ([], {}) for value in case.query.values()):
        return  # what is not known in a query is ignored, as is usual, and what is empty not sent; in a body it is refused
    for name, value in case.path_parameters.items():
        if name in something_of_each and WELL_FORMED.fullmatch(str(value)):
            case.path_parameters[name] = something_of_each[name]
    headers: dict[str, Any] = {"Authorization": f"Bearer {world.token}"}
    case.call_and_validate(
        base_url=world.stack.api_url, headers=headers, checks=[CHECKS.get_one(name) for name in CHECKED], timeout=60
    )
