"""Account summaries over HTTP, and the tasks of their state machine (D3)."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.support import summaries as s
from tests.support.builders import Office
from tests.support.handlers import CONTEXT, answered, http_event

BODY = {"name": "Open invoices", "cron": "30 2 * * *", "time_zone": "Europe/Amsterdam", "content": "open_invoices"}


@pytest.fixture
def office() -> Office:
    return s.summary_office()


@pytest.fixture
def http(deployed: Callable[[str], ModuleType]) -> Callable[..., tuple[int, Any]]:
    module = deployed("summary_schedules")

    def ask(method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return answered(module.handler(http_event(method, path, body, **more), CONTEXT))

    return ask


@pytest.fixture
def tasks(deployed: Callable[[str], ModuleType]) -> ModuleType:
    return deployed("summaries")


def test_D3_a_schedule_shows_its_next_ten_runs(http: Callable[..., tuple[int, Any]]) -> None:
    status, created = http("POST", "/summary-schedules", BODY, key="k")
    assert (status, created["id"][:4], len(created["next_runs"])) == (201, "sch_", 10)
    assert created["next_runs"][0] == {"at": "2026-03-03T01:30:00Z", "local": "2026-03-03T02:30:00+01:00"}
    assert http("POST", "/summary-schedules", BODY, key="k")[1] == created
    path = f"/summary-schedules/{created['id']}"
    assert http("GET", path) == (200, created)
    preview = {name: BODY[name] for name in ("cron", "time_zone")}
    assert http("POST", "/summary-schedules/previews", preview) == (200, {"next_runs": created["next_runs"]})
    assert [each["id"] for each in http("GET", "/summary-schedules")[1]["schedules"]] == [created["id"]]


def test_D3_a_schedule_is_changed_and_removed(http: Callable[..., tuple[int, Any]]) -> None:
    path = f"/summary-schedules/{http('POST', '/summary-schedules', BODY, key='k')[1]['id']}"
    status, changed = http("PUT", path, BODY | {"enabled": False})
    assert (status, changed["enabled"], changed["next_runs"], changed["is_being_planned"]) == (200, False, [], True)
    status, removed = http("DELETE", path)
    assert (status, removed["removed_at"]) == (200, "2026-03-02T09:00:00Z")
    assert http("DELETE", path) == (200, removed), "again it changes nothing"
    assert http("GET", path)[1]["code"] == http("PUT", path, BODY)[1]["code"] == "summary_schedule_not_found"
    assert http("GET", "/summary-schedules") == (200, {"schedules": []})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cron": "0 8 30 2 *"}, "cron_never_comes"),
        ({"cron": "*/30 * * * *"}, "cron_too_frequent"),
        ({"cron": "every morning"}, "bad_cron_expression"),
        ({"cron": ""}, "invalid_request"),
        ({"time_zone": "Europe/Utrecht"}, "invalid_request"),
        ({"content": "everything"}, "invalid_request"),
    ],
)
def test_D3_what_is_no_schedule_is_refused(http: Callable[..., tuple[int, Any]], change: dict[str, str], code: str) -> None:
    status, problem = http("POST", "/summary-schedules", BODY | change, key="k")
    assert (status, problem["code"]) == (422, code)


def test_D3_accounts_are_enrolled_and_withdrawn(http: Callable[..., tuple[int, Any]], office: Office) -> None:
    office.ids.made = 10**25  # ids as long as real ones
    account_id = office.open_account()
    schedule_id = http("POST", "/summary-schedules", BODY, key="k")[1]["id"]
    path = f"/accounts/{account_id}/summary-schedules"
    status, enrolled = http("PUT", f"{path}/{schedule_id}")
    assert (status, enrolled["schedule_id"], enrolled["next_slot"]) == (200, schedule_id, "2026-03-03T01:30:00Z")
    assert http("GET", path) == (200, {"enrolments": [enrolled]})
    status, ended = http("DELETE", f"{path}/{schedule_id}")
    assert (status, ended["next_slot"], ended["withdrawn_at"]) == (200, None, "2026-03-02T09:00:00Z")
    assert http("GET", path) == (200, {"enrolments": []})
    assert http("DELETE", f"{path}/{schedule_id}") == (200, ended), "again it changes nothing"
    assert http("DELETE", f"{path}/sch_{'0' * 26}")[1]["code"] == "summary_enrolment_not_found"


def test_D3_the_tasks_find_plan_and_tell(tasks: ModuleType, office: Office) -> None:
    account_id, schedule_id = office.open_account(), s.create(office)
    office.invoice(account_id)
    s.enrol(office, account_id, schedule_id)
    s.change(office, schedule_id, s.wish("0 12 * * *"))
    assert tasks.find_changed({}, CONTEXT) == {"schedules": []}
    office.clock.advance(hours=3)
    (changed,) = tasks.find_changed({}, CONTEXT)["schedules"]
    assert tasks.plan(changed, CONTEXT) == {"schedule_id": schedule_id, "plan": 2, "cursor": None}
    assert tasks.find_changed({}, CONTEXT) == {"schedules": []}
    found = tasks.find_due({"cursor": None}, CONTEXT)
    assert found == {"enrolments": [{"account_id": account_id, "schedule_id": schedule_id}], "cursor": None}
    assert tasks.tell(found["enrolments"][0], CONTEXT)["why"] == "sent"
    assert tasks.find_due({}, CONTEXT)["enrolments"] == []
    assert [mail.to for mail in office.mailer.sent] == ["ap@blooming.example"]


def test_D1_nobody_is_found_while_the_firms_switch_is_off(tasks: ModuleType, office: Office) -> None:
    account_id, schedule_id = office.open_account(), s.create(office)
    office.invoice(account_id)
    s.enrol(office, account_id, schedule_id)
    office.clock.advance(days=1)
    office.firm = Office().firm
    assert tasks.find_due({}, CONTEXT) == {"enrolments": [], "cursor": None}
