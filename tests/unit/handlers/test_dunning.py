"""Dunning over HTTP and in its state machine: policies, pauses, promises, notices by hand, runs (D1, D4–D8)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support import dunning as dun
from tests.support.builders import NOW, TODAY, Office
from tests.support.handlers import CONTEXT, answered, http_event

type Call = Callable[..., tuple[int, Any]]
type Deployed = Callable[[str], ModuleType]


@pytest.fixture
def office() -> Office:
    return dun.open_office()


@pytest.fixture
def call(deployed: Deployed, office: Office, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`call("firm", "GET", path, body, key=…)` → (status, body), with the profile as it is stored."""
    modules: dict[str, ModuleType] = {}

    def load(function: str) -> ModuleType:
        module = deployed(function)
        monkeypatch.setattr(module, "fresh_firm", lambda _books: office.firm)
        return module

    def to(function: str, *event: Any, **how: Any) -> tuple[int, Any]:
        module = modules.get(function) or modules.setdefault(function, load(function))
        status, body = answered(module.handler(http_event(*event, **how), CONTEXT))
        dun.refresh(office)
        return status, body

    return to


def test_D4_D5_a_policy_is_set_read_listed_and_its_revisions_shown(call: Call) -> None:
    body = {"tiers": [{"from_days": 2}, {"from_days": 9, "template": "dunning_tier_3"}], "reminders": [{"offset_days": -7}]}
    body["reminders"] += [{"offset_days": 3}, {"offset_days": 5, "template": "dunning_tier_1"}]
    status, policy = call("firm", "PUT", "/dunning-policies/patient", body)
    assert (status, policy["id"], policy["revision"]) == (200, "patient", 1)
    assert [(tier["number"], tier["template"]) for tier in policy["tiers"]] == [(1, "dunning_tier_1"), (2, "dunning_tier_3")]
    assert [each["template"] for each in policy["reminders"]] == ["reminder_upcoming", "reminder_overdue", "dunning_tier_1"]
    assert call("firm", "GET", "/dunning-policies/patient") == (200, policy)
    status, found = call("firm", "GET", "/dunning-policies")
    assert [(each["id"], each["revision"]) for each in found["policies"]] == [("patient", 1), ("standard", 0)]
    status, history = call("firm", "GET", "/dunning-policies/patient/revisions")
    assert [(each["policy"], each["actor"]["id"]) for each in history["revisions"]] == [(policy, "user-1")]
    assert call("firm", "GET", "/dunning-policies/standard/revisions")[1] == {"revisions": [], "cursor": None}


def test_D5_more_tiers_than_letters_end_with_the_last_letter(call: Call) -> None:
    _, policy = call("firm", "PUT", "/dunning-policies/long", {"tiers": [{"from_days": day} for day in (1, 2, 3, 4, 5)]})
    assert [tier["template"] for tier in policy["tiers"]] == [f"dunning_tier_{n}" for n in (1, 2, 3, 3, 3)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"tiers": []}, "invalid_request"),
        ({"tiers": [{"from_days": 0}]}, "invalid_request"),
        ({"tiers": [{"from_days": 9}, {"from_days": 3}]}, "bad_dunning_policy"),
        ({"tiers": [{"from_days": 3}], "reminders": [{"offset_days": 3}, {"offset_days": -3}]}, "bad_dunning_policy"),
        ({"tiers": [{"from_days": 3, "template": "invoice_issued"}]}, "unknown_template"),
        ({"tiers": [{"from_days": 3}], "days": 3}, "invalid_request"),
    ],
    ids=str,
)
def test_D5_a_policy_that_makes_no_sense_is_refused(call: Call, body: dict[str, Any], code: str) -> None:
    status, problem = call("firm", "PUT", "/dunning-policies/standard", body)
    assert (status, problem["code"]) == (422, code)


def test_an_unknown_policy_is_not_found(call: Call) -> None:
    for path in ("/dunning-policies/nope", "/dunning-policies/nope/revisions"):
        status, problem = call("firm", "GET", path)
        assert (status, problem["code"]) == (404, "dunning_policy_not_found")


def test_D6_D8_pause_promise_and_notice_over_http(call: Call, office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    dun.at(office, 4)
    home = f"/accounts/{account_id}"
    until = (TODAY + timedelta(days=9)).isoformat()
    status, stands = call("account_dunning", "PUT", f"{home}/dunning-pause", {"until": until, "reason": "On leave"})
    assert (status, stands["paused_until"], stands["pause_reason"], stands["today"]["why"]) == (200, until, "On leave", "paused")
    status, stands = call("account_dunning", "DELETE", f"{home}/dunning-pause")
    assert (status, stands["paused_until"], stands["pause_reason"]) == (200, None, None)
    assert (stands["today"]["why"], stands["today"]["notice"]["net_minor"]) == ("notice", {"EUR": 12100})

    status, promise = call("account_dunning", "POST", f"{home}/promises", {"amount_minor": 100, "by": until}, key="p")
    assert (status, promise["state"], promise["currency"]) == (201, "open", "EUR")
    assert call("account_dunning", "GET", f"{home}/dunning")[1]["promises"] == [promise]
    status, account = call("account_dunning", "POST", f"{home}/promises/EUR/withdrawal", {"note": "wrong"}, key="w")
    assert (status, account["id"]) == (201, account_id)
    assert call("account_dunning", "GET", f"{home}/dunning")[1]["promises"] == []

    status, message = call("account_dunning", "POST", f"{home}/dunning-notices", key="n")
    assert (status, message["status"], message["actor"]["id"]) == (201, "sent", "user-1")
    said = call("account_dunning", "GET", f"{home}/dunning")[1]["said"]
    assert (said["tier"], said["notified_on"]) == (1, "2026-03-06")


def test_D8_nobody_has_no_dunning(call: Call) -> None:
    nobody = "/accounts/acc_00000000000000000000000009"
    for method, path, body in (
        ("GET", "dunning", None),
        ("PUT", "dunning-pause", {"until": "2027-01-01", "reason": "x"}),
        ("DELETE", "dunning-pause", None),
        ("POST", "promises", {"amount_minor": 1, "by": "2026-03-03"}),
        ("POST", "promises/EUR/withdrawal", {}),
        ("POST", "dunning-notices", None),
    ):
        status, problem = call("account_dunning", method, f"{nobody}/{path}", body, key=f"{method}{path}")
        assert (status, problem["code"]) == (404, "account_not_found"), path


# The state machine's tasks


@pytest.fixture
def tasks(deployed: Deployed) -> ModuleType:
    return deployed("dunning")


def test_D5_D7_a_run_goes_page_by_page_and_its_last_answer_has_the_counts(tasks: ModuleType, office: Office) -> None:
    for n in range(12):
        office.invoice(office.open_account(email=f"c{n}@x.example"), term="on_receipt")
    dun.at(office, 3)
    answer: dict[str, Any] = tasks.find_due({"messages_per_second": 1}, CONTEXT)
    pages = []
    while not answer["run"]["done"]:
        json.dumps(answer)  # what a state machine carries is JSON
        pages.append((len(answer["run"]["accounts"]), answer["run"]["rest_s"], answer["run"]["lanes"]))
        looked = [tasks.dun({"account_id": account_id}, CONTEXT) for account_id in answer["run"]["accounts"]]
        looked[-1] = {"failed": 1}
        answer = tasks.find_due(answer | {"looked": looked}, CONTEXT)
    assert pages == [(10, 0, 1), (2, 9, 1)]
    assert answer["run"]["counts"] == {"looked_at": 12, "notices": 10, "reminders": 0, "failed": 2}


def test_D1_the_firms_switch_stops_a_run_between_two_accounts(tasks: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    dun.at(office, 3)
    dun.switches(office)
    before = office.books.state()
    assert tasks.dun({"account_id": account_id}, CONTEXT)["why"] == "stopped"
    assert office.books.state() == before
    assert office.mailer.sent == []


# Runs


class Executions:
    """Step Functions, as far as runs go: executions by name, each with its history."""

    class ExistsError(Exception):
        pass

    class UnknownError(Exception):
        pass

    exceptions = SimpleNamespace(ExecutionAlreadyExists=ExistsError, ExecutionDoesNotExist=UnknownError)

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.given: dict[str, Any] = {}
        self.stops = 0

    def start_execution(self, *, name: str, input: str, **_machine: str) -> None:
        if name in self.known:
            raise self.ExistsError
        self.given[name] = json.loads(input)
        self.known[name] = {"name": name, "status": "RUNNING", "startDate": NOW, "events": []}

    def counts(self, name: str, **counts: int) -> None:
        exited = {"name": "FindDue", "output": json.dumps({"run": {"counts": counts}})}
        self.known[name]["events"] += [
            {"type": "TaskStateExited", "stateExitedEventDetails": exited},
            {"type": "WaitStateEntered"},
        ]

    def describe_execution(self, **named: Any) -> dict[str, Any]:
        name = named["executionArn"].removeprefix("arn:aws:states:us-east-1:0:execution:dunning:")
        if name not in self.known:
            raise self.UnknownError
        return self.known[name]

    def get_execution_history(self, **named: Any) -> dict[str, Any]:
        assert named["reverseOrder"]
        return {"events": self.describe_execution(**named)["events"][::-1]}

    def list_executions(self, **named: Any) -> dict[str, Any]:
        return {"executions": list(self.known.values())[::-1][: named["maxResults"]]}

    def stop_execution(self, **named: Any) -> None:
        self.stops += 1
        self.describe_execution(**named).update(status="ABORTED", stopDate=datetime(2026, 3, 2, 9, 5, tzinfo=UTC))


@pytest.fixture
def executions(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> tuple[Executions, Call]:
    module, machine = deployed("operations"), Executions()
    monkeypatch.setattr(module, "state_machines", machine)
    return machine, lambda *event, **how: answered(module.handler(http_event(*event, **how), CONTEXT))


def test_D7_a_run_is_started_with_its_pace_once_for_a_key(executions: tuple[Executions, Call]) -> None:
    machine, call = executions
    status, run = call("POST", "/dunning-runs", {"messages_per_second": 14}, key="a")
    assert status == 202
    assert call("POST", "/dunning-runs", {"messages_per_second": 14}, key="a") == (202, run)
    _, other = call("POST", "/dunning-runs", key="b")
    assert machine.given == {run["id"]: {"messages_per_second": 14}, other["id"]: {}}
    for wrong in (0, -1, 501, "1", 1.5):
        status, problem = call("POST", "/dunning-runs", {"messages_per_second": wrong}, key=f"w{wrong}")
        assert (status, problem["code"]) == (422, "invalid_request")
    status, problem = call("POST", "/dunning-runs", {"per_second": 1}, key="x")
    assert (status, problem["errors"][0]["pointer"]) == (422, "/body/per_second")
    assert call("POST", "/dunning-runs", "{", key="y")[1]["code"] == "malformed_json"


def test_D7_a_run_shows_its_state_and_what_came_of_it(executions: tuple[Executions, Call]) -> None:
    machine, call = executions
    run_id = call("POST", "/dunning-runs", key="a")[1]["id"]
    status, run = call("GET", f"/dunning-runs/{run_id}")
    assert (status, run["state"], run["counts"], run["ended_at"]) == (200, "running", None, None)
    machine.counts(run_id, looked_at=0, notices=0, reminders=0, failed=0)
    machine.counts(run_id, looked_at=5, notices=2, reminders=1, failed=1)
    for said, shown in {"SUCCEEDED": "done", "TIMED_OUT": "failed", "FAILED": "failed", "ABORTED": "stopped"}.items():
        machine.known[run_id]["status"] = said
        run = call("GET", f"/dunning-runs/{run_id}")[1]
        assert (run["state"], run["counts"]) == (shown, {"looked_at": 5, "notices": 2, "reminders": 1, "failed": 1})
    newer = call("POST", "/dunning-runs", key="b")[1]["id"]
    listed = call("GET", "/dunning-runs", query="limit=1")[1]["runs"]
    assert [(run["id"], run["state"]) for run in listed] == [(newer, "running")]


def test_D7_a_run_is_stopped_once_and_one_that_has_ended_is_not(executions: tuple[Executions, Call]) -> None:
    machine, call = executions
    run_id = call("POST", "/dunning-runs", key="a")[1]["id"]
    answers = [call("DELETE", f"/dunning-runs/{run_id}") for _ in range(2)]
    assert [(status, run["state"]) for status, run in answers] == [(200, "stopped")] * 2
    assert machine.stops == 1
    machine.known[run_id]["status"] = "SUCCEEDED"
    status, problem = call("DELETE", f"/dunning-runs/{run_id}")
    assert (status, problem["code"], problem["state"]) == (409, "dunning_run_ended", "done")
    for method in ("GET", "DELETE"):
        status, problem = call(method, "/dunning-runs/dun_none")
        assert (status, problem["code"]) == (404, "dunning_run_not_found")
