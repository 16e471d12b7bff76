"""The HTTP routes of trials and the tasks of their state machine, as they are called (O4)."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from remit.domain.dunning_trials import PolicyTrial
from tests.support.builders import NOW, TODAY, Office
from tests.support.handlers import CONTEXT, ROOT, answered, http_event
from tests.unit.accounting.world import MemoryStore

POLICY = {"tiers": [{"from_days": 1}, {"from_days": 7}, {"from_days": 20}, {"from_days": 30}], "reminders": [{"offset_days": -3}]}
BODY = {"policy": POLICY, "from": TODAY.isoformat(), "to": (TODAY + timedelta(days=10)).isoformat()}


class StateMachines:
    """As much of Step Functions as starting an execution takes."""

    class ExistsError(Exception):
        """An execution of that name was started before."""

    def __init__(self) -> None:
        self.started: dict[str, str] = {}
        self.exceptions = type("Exceptions", (), {"ExecutionAlreadyExists": self.ExistsError})

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: N803
        assert stateMachineArn
        if name in self.started:
            raise self.ExistsError
        self.started[name] = input


@pytest.fixture
def files() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def http(deployed: Callable[[str], ModuleType], files: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = deployed("dunning_trials")
    monkeypatch.setattr(module, "store", lambda: files)
    monkeypatch.setattr(module, "state_machines", StateMachines())
    return module


@pytest.fixture
def tasks(deployed: Callable[[str], ModuleType], files: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = deployed("policy_trial")
    monkeypatch.setattr(module, "store", lambda: files)
    return module


@pytest.fixture
def debtor(office: Office) -> str:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.set(NOW + timedelta(days=20))
    return account_id


def call(http: Any, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    return answered(http.handler(http_event(method, path, body, **more), CONTEXT))


def test_O4_a_trial_of_one_account_answers_at_once(http: Any, debtor: str) -> None:
    status, trial = call(http, "POST", f"/accounts/{debtor}/dunning-policy-trials", BODY)
    assert (status, trial["account_id"], trial["wrong"], trial["really_sent"]) == (200, debtor, 0, {})
    assert trial["letters"] == [
        {
            "on": (TODAY + timedelta(days=day)).isoformat(),
            "tier": tier,
            "offset_days": None,
            "template": f"dunning_tier_{tier}",
            "invoices": ["INV-2026-000001"],
            "asked_minor": {"EUR": 12100},
            "wrong": [],
            "overstated_minor": {},
        }
        for day, tier in ((1, 1), (7, 2))
    ]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"to": "2026-01-01"}, 422, "bad_period"),
        ({"to": "2027-01-01"}, 409, "trial_in_future"),
        ({"policy": {"tiers": [{"from_days": 7}, {"from_days": 1}]}}, 422, "bad_dunning_policy"),
        ({"policy": {"tiers": []}}, 422, "invalid_request"),
        ({"runs_at": "25:00"}, 422, "invalid_request"),
    ],
)
@pytest.mark.parametrize("all_accounts", [True, False])
def test_O4_what_cannot_be_tried_is_refused(
    http: Any, debtor: str, changes: dict[str, Any], status: int, code: str, *, all_accounts: bool
) -> None:
    path = "/dunning-policy-trials" if all_accounts else f"/accounts/{debtor}/dunning-policy-trials"
    answer, problem = call(http, "POST", path, BODY | changes, key="trial-1")
    assert (answer, problem["code"]) == (status, code)
    assert http.state_machines.started == {}


def test_O4_a_trial_of_all_accounts_is_started_once_and_read_until_it_is_done(
    http: Any, tasks: Any, office: Office, debtor: str, files: MemoryStore
) -> None:
    status, trial = call(http, "POST", "/dunning-policy-trials", BODY, key="trial-1")
    assert (status, trial["status"], trial["from"], trial["to"]) == (202, "running", BODY["from"], BODY["to"])
    again = call(http, "POST", "/dunning-policy-trials", BODY, key="trial-1")
    assert again == (status, trial)
    assert {name: json.loads(work) for name, work in http.state_machines.started.items()} == {
        trial["id"]: {"trial_id": trial["id"]}
    }

    listed = tasks.list_accounts({"trial_id": trial["id"]}, CONTEXT)
    parts = [json.loads(line) for line in files.text(listed["manifest"]).splitlines()]
    batch = {"BatchInput": {"trial_id": trial["id"]}, "Items": parts}
    assert tasks.try_accounts(batch, CONTEXT) == {"letters": 2}
    counts = {"trial_id": trial["id"], "accounts": 1, "accounts_failed": 0, "letters": 2, "wrong": 0}
    assert tasks.summarize(listed, CONTEXT) == counts

    status, done = call(http, "GET", f"/dunning-policy-trials/{trial['id']}")
    assert (status, done["status"], done["summary"]["letters"]) == (200, "done", 2)
    assert (done["from"], done["to"], done["runs_at"]) == (BODY["from"], BODY["to"], "07:00")
    assert [tier["template"] for tier in done["policy"]["tiers"]] == [
        "dunning_tier_1", "dunning_tier_2", "dunning_tier_3", "dunning_tier_3",
    ]  # fmt: skip
    assert set(done["urls"]) == {"letters.jsonl", "letters.csv", "failed_accounts.jsonl", "summary.json"}
    assert office.mailer.sent == []


def test_an_unknown_trial_is_not_found(http: Any) -> None:
    status, problem = call(http, "GET", "/dunning-policy-trials/ptr_01jd")
    assert (status, problem["code"]) == (404, "policy_trial_not_found")


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout"),
        (
            {"Error": "LedgerBrokenError", "Cause": json.dumps({"errorMessage": "trial_incomplete: 1 of 2"})},
            "trial_incomplete: 1 of 2",
        ),
        ({"Error": "LedgerBrokenError", "Cause": "no JSON"}, "LedgerBrokenError"),
    ],
)
def test_O4_a_trial_that_failed_says_why(
    http: Any, tasks: Any, office: Office, debtor: str, error: dict[str, str], failure: str
) -> None:
    call(http, "POST", "/dunning-policy-trials", BODY, key="trial-1")
    (trial,) = office.books.all(PolicyTrial)
    event = {"trial_id": trial.id, "error": error}
    assert tasks.record_failure(event, CONTEXT) == event
    _, read = call(http, "GET", f"/dunning-policy-trials/{trial.id}")
    assert (read["status"], read["failure"], read["urls"]) == ("failed", failure, {})


def test_O4_the_state_machine_leaves_nobody_out_and_passes_on_what_the_handlers_read() -> None:
    states = yaml.safe_load(Path(ROOT / "statemachines/policy_trial.asl.yaml").read_text())["States"]
    batch = states["EachBatch"]
    assert batch["ToleratedFailurePercentage"] == 0
    assert batch["ItemBatcher"]["BatchInput"] == {"trial_id.$": "$.trial_id"}
    assert batch["ItemReader"]["Parameters"]["Key.$"] == "$.manifest"
    for name in ("ListAccounts", "EachBatch", "Summarize"):
        assert states[name]["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "RecordFailure"}]
