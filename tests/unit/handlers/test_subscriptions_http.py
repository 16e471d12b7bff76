"""Plans and subscriptions over HTTP, in this process: bodies, answers and refusals (S1–S3, I11)."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.support import subscribing as sub
from tests.support.builders import Office
from tests.support.handlers import CONTEXT, answered, http_event

HOSTING = {"description": "Hosting", "unit_price_minor": 10_000, "tax_code": "VAT21", "category": "subscriptions"}
MONTHLY = {"id": "monthly", "name": "Hosting", "currency": "EUR", "interval": {"unit": "month"}, "lines": [HOSTING]}

type Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(deployed: Callable[[str], ModuleType], office: Office) -> Call:
    sub.moves_to(office, "2027-01-31")
    handler = deployed("subscriptions").handler
    keys = iter(range(1000))

    def call(method: str, path: str, body: Any = None, query: str = "") -> tuple[int, Any]:
        key = f"call-{next(keys)}" if method == "POST" else None
        return answered(handler(http_event(method, path, body, key=key, query=query), CONTEXT))

    return call


@pytest.fixture
def account_id(office: Office) -> str:
    return office.open_account()


@pytest.fixture
def subscription(call: Call, office: Office, account_id: str) -> str:
    """The path of a subscription whose first period is billed."""
    call("POST", "/plans", MONTHLY)
    status, made = call("POST", f"/accounts/{account_id}/subscriptions", {"plan_id": "monthly"})
    assert (status, made["status"], made["next_bill_on"]) == (201, "active", "2027-01-31")
    sub.run(office)
    return f"/accounts/{account_id}/subscriptions/{made['id']}"


def test_S1_a_plan_has_versions_and_is_listed(call: Call) -> None:
    assert call("POST", "/plans", MONTHLY)[0] == 201
    assert call("POST", "/plans", MONTHLY)[1]["code"] == "plan_exists"
    status, version = call(
        "POST", "/plans/monthly/versions", {"name": "More", "lines": [HOSTING], "applies_to": "new", "term_id": "net30"}
    )
    assert (status, version["number"], version["created_by"]["id"]) == (201, 2, "user-1")
    status, found = call("GET", "/plans/monthly")
    assert (status, found["newest"], found["for_renewals"]) == (200, 2, 1)
    assert [each["name"] for each in found["versions"]] == ["More", "Hosting"]
    assert [plan["id"] for plan in call("GET", "/plans")[1]["plans"]] == ["monthly"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/plans", MONTHLY | {"interval": {"unit": "year", "count": 11}}, 422, "bad_interval"),
        ("/plans", MONTHLY | {"interval": {"unit": "decade"}}, 422, "invalid_request"),
        ("/plans", MONTHLY | {"id": "No Spaces"}, 422, "invalid_request"),
        ("/plans", MONTHLY | {"lines": []}, 422, "invalid_request"),
        ("/plans/none/versions", {"name": "x", "lines": [HOSTING], "applies_to": "new"}, 404, "plan_not_found"),
        ("/plans/none/versions", {"name": "x", "lines": [HOSTING]}, 422, "invalid_request"),
    ],
)
def test_S1_plans_that_cannot_be_are_refused(call: Call, path: str, body: Any, status: int, code: str) -> None:
    found, problem = call("POST", path, body)
    assert (found, problem["code"]) == (status, code)


def test_S3_a_quote_says_what_the_change_then_does(call: Call, office: Office, subscription: str) -> None:
    sub.moves_to(office, "2027-02-10")
    status, quote = call("POST", f"{subscription}/quotes", {"quantity": 2})
    assert (status, quote["credited_minor"], quote["billed"]["gross_minor"]) == (200, 7_779, 15_557)
    status, done = call("POST", f"{subscription}/changes", {"quantity": 2})
    assert status == 201
    assert {name: done[name] for name in quote} == quote
    assert (done["invoice_number"], done["credit_note_number"]) == ("INV-2027-000002", "CN-2027-000001")
    assert (done["subscription"]["agreed"]["quantity"], done["subscription"]["under_way"]["days"]) == (2, 18)


def test_S3_a_change_at_the_end_a_pause_and_what_is_to_come_are_shown(call: Call, office: Office, subscription: str) -> None:
    sub.moves_to(office, "2027-02-10")
    planned = call("POST", f"{subscription}/changes", {"quantity": 2, "when": "period_end"})[1]["subscription"]["planned"]
    assert (planned["starts_on"], planned["agreed"]["quantity"]) == ("2027-02-28", 2)
    shown = call("GET", subscription)[1]
    assert [(period["number"], period["last_day"]) for period in shown["upcoming"][:2]] == [(2, "2027-03-30"), (3, "2027-04-29")]
    assert [item["number"] for item in shown["invoices"]] == ["INV-2027-000001"]
    assert call("POST", f"{subscription}/pause", {"from_on": "2027-02-28"})[1]["next_bill_on"] is None
    sub.moves_to(office, "2027-03-15")
    assert call("GET", subscription)[1]["status"] == "paused"
    resumed = call("POST", f"{subscription}/resumption", {})[1]
    assert (resumed["status"], resumed["anchor"], resumed["agreed"]["quantity"]) == ("active", "2027-03-15", 2)


def test_S3_a_cancellation_answers_with_its_credit_note(call: Call, office: Office, account_id: str, subscription: str) -> None:
    sub.moves_to(office, "2027-02-10")
    status, done = call("POST", f"{subscription}/cancellation", {"when": "now", "credit_unused": True, "reason": "Moved"})
    assert (status, done["subscription"]["status"], done["credit_note"]["gross_minor"]) == (201, "canceled", 7_779)
    path = f"/accounts/{account_id}/subscriptions"
    assert len(call("GET", path, query="status=canceled")[1]["subscriptions"]) == 1
    assert call("GET", path, query="status=active")[1]["subscriptions"] == []
    assert call("GET", path, query="plan_id=monthly")[1]["subscriptions"][0]["cancellation"]["reason"] == "Moved"
    assert call("POST", f"{subscription}/changes", {"quantity": 2})[1]["code"] == "subscription_over"


def test_A6_the_timeline_shows_what_subscriptions_do(
    call: Call, deployed: Callable[[str], ModuleType], account_id: str, subscription: str
) -> None:
    accounts = deployed("accounts").handler
    _, page = answered(accounts(http_event("GET", f"/accounts/{account_id}/timeline"), CONTEXT))
    told = [row["subscription"] for row in page["events"] if row["type"] == "subscription"]
    assert [(event["kind"], event["facts"]["plan_id"]) for event in told] == [("subscription_started", "monthly")]
