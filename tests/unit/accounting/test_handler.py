"""The state machine and its steps, with the sample events of `events/accounting_export`."""

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from remit.domain import errors
from remit.domain.errors import InvalidError, LedgerBrokenError, RuleError
from remit.domain.exports import ExportStatus
from remit.usecases.export_period import require_export
from tests.unit.accounting.test_export_period import november
from tests.unit.accounting.world import FixedClock, MemoryBooks, MemoryStore, World

ROOT = Path(__file__).resolve().parents[3]
CONTEXT = SimpleNamespace(function_name="export", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="1")


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events/accounting_export" / f"{name}.json").read_text())
    return event


class Deployed:
    """The handler module with a firm's ledger behind it, on New Year's Eve 2026 at noon in Utrecht."""

    def __init__(self, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module, self.books, self.store, self.world = module, MemoryBooks(), MemoryStore(), november()
        self.clock = FixedClock(datetime(2026, 12, 31, 11, tzinfo=UTC))
        for name in ("books", "store"):
            monkeypatch.setattr(module, name, lambda name=name: getattr(self, name))
        monkeypatch.setattr(module, "source", lambda: self.world)
        monkeypatch.setattr(module, "deployed_clock", lambda: self.clock)

    def step(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        output: dict[str, Any] = getattr(self.module, name)(event, CONTEXT)
        assert json.loads(json.dumps(output)) == output
        return output


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Remit")
    spec = importlib.util.spec_from_file_location("accounting_export_handler", ROOT / "functions/accounting_export/handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Deployed(module, monkeypatch)


def test_an_export_runs_through_its_steps(deployed: Deployed) -> None:
    event = sample("prepare")
    for step in ("prepare", "write_files", "publish"):
        event = deployed.step(step, event)
    assert event["manifest"] == "exports/2026-11/exp_01kaq7m2w5/manifest.json"
    done = require_export("exp_01kaq7m2w5", deployed.books)
    assert done.status is ExportStatus.DONE
    assert done.control_totals == event["control_totals"]


def test_every_step_may_be_repeated(deployed: Deployed) -> None:
    event = sample("prepare")
    for step in ("prepare", "write_files", "publish"):
        once, again = deployed.step(step, event), deployed.step(step, event)
        assert once == again
        event = once


def test_the_schedule_exports_the_month_before_in_the_firms_zone(deployed: Deployed) -> None:
    assert deployed.step("prepare", sample("prepare_scheduled"))["period"] == "2026-11"
    deployed.clock.instant = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # already 2027 in Utrecht
    prepared = deployed.step("prepare", sample("prepare_scheduled"))
    assert (prepared["period"], prepared["export_id"]) == ("2026-12", "exp_scheduled_2026-12")
    assert prepared["requested_by"] == {"id": "monthly-export", "channel": "schedule"}


def test_the_sample_event_of_writing_needs_a_prepared_export(deployed: Deployed) -> None:
    deployed.step("prepare", sample("prepare"))
    assert deployed.step("write_files", sample("write_files"))["control_totals"]["period"] == "2026-11"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"period": "2026-13"}, InvalidError),
        ({"period": "2027-01"}, RuleError),
        ({"period": 202611}, InvalidError),
        ({"export_id": "../exp_1"}, InvalidError),
        ({"requested_by": {"id": "user-1", "channel": "fax"}}, InvalidError),
    ],
)
def test_a_bad_request_is_refused(deployed: Deployed, change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        deployed.step("prepare", sample("prepare") | change)
    with pytest.raises(InvalidError):
        deployed.step("prepare", sample("prepare_bad_period"))


def test_a_failure_is_recorded_and_tried_again(deployed: Deployed) -> None:
    event = deployed.step("prepare", sample("prepare"))
    deployed.world.all_invoices.pop()
    with pytest.raises(LedgerBrokenError):
        deployed.step("write_files", event)
    deployed.step("record_failure", sample("record_failure"))
    failed = require_export(event["export_id"], deployed.books)
    assert failed.status is ExportStatus.FAILED
    assert failed.failure
    assert failed.failure.startswith("control_totals_differ")
    assert deployed.step("prepare", sample("prepare")) == event
    assert require_export(event["export_id"], deployed.books).status is ExportStatus.RUNNING


def test_the_text_of_an_unknown_error_is_not_kept(deployed: Deployed) -> None:
    event = deployed.step("prepare", sample("prepare"))
    deployed.step("record_failure", event | {"error": {"Error": "KeyError", "Cause": '{"errorMessage": "secret"}'}})
    assert require_export(event["export_id"], deployed.books).failure == "KeyError"


def test_a_failure_before_the_export_exists_is_no_second_failure(deployed: Deployed) -> None:
    deployed.step("record_failure", {"period": "x", "error": {"Error": "InvalidError", "Cause": "not json"}})


def test_no_names_are_logged(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    event = sample("prepare")
    for step in ("prepare", "write_files", "publish"):
        event = deployed.step(step, event)
    assert "株式会社" not in capsys.readouterr().out.encode().decode("unicode-escape")


def test_the_state_machine_names_steps_and_errors_that_exist(deployed: Deployed) -> None:
    machine = yaml.safe_load((ROOT / "statemachines/accounting_export.asl.yaml").read_text())
    states = machine["States"]
    assert all(state["Comment"] for state in states.values())
    for state in states.values():
        if state["Type"] != "Task":
            continue
        function = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("FunctionArn}")
        assert hasattr(deployed.module, "".join(f"_{c.lower()}" if c.isupper() else c for c in function).strip("_"))
        assert state["TimeoutSeconds"]
        assert state["Catch"][0]["Next"] in states
        for name in (name for retry in state["Retry"] for name in retry["ErrorEquals"]):
            assert name.startswith("Lambda.") or hasattr(errors, name)


def test_an_empty_firm_has_an_empty_export(deployed: Deployed) -> None:
    deployed.world = World()
    event = deployed.step("write_files", deployed.step("prepare", sample("prepare")))
    assert event["control_totals"]["currencies"] == {}
