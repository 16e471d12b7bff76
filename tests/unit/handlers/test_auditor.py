"""The auditor's three tasks, as its state machine calls them (L6, I3, O1)."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.support.builders import Office
from tests.support.handlers import CONTEXT, ROOT
from tests.unit.accounting.world import MemoryStore


def sample(name: str, **values: str) -> dict[str, Any]:
    text = Path(ROOT / "events/auditor" / f"{name}.json").read_text()
    for placeholder, value in values.items():
        text = text.replace(f"${{{placeholder}}}", value)
    event: dict[str, Any] = json.loads(text)
    return event


@pytest.fixture
def files() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def auditor(deployed: Callable[[str], ModuleType], files: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = deployed("auditor")
    monkeypatch.setattr(module, "store", lambda: files)
    return module


def run(auditor: Any, files: MemoryStore) -> dict[str, Any]:
    """The whole audit, one batch of all parts."""
    event = sample("list_accounts")
    listed = auditor.list_accounts(event, CONTEXT)
    items = [json.loads(line) for line in files.text(listed["manifest"]).splitlines()]
    auditor.audit_accounts({"BatchInput": event, "Items": items}, CONTEXT)
    answer: dict[str, Any] = auditor.report(listed, CONTEXT)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def metrics_in(text: str) -> dict[str, Any]:
    """The last line in CloudWatch's embedded metric format."""
    return [json.loads(line) for line in text.splitlines() if '"_aws"' in line][-1]


def test_an_audit_answers_where_its_report_is(auditor: Any, office: Office, files: MemoryStore) -> None:
    office.invoice(office.open_account(), 10000)
    office.open_account()
    assert run(auditor, files) == {
        "audit_id": "sample-2026-11-23",
        "accounts": 2,
        "entries": 1,
        "documents": 1,
        "differences": 0,
        "report": "audits/sample-2026-11-23/report.json",
        "cause": "0 differences, listed in audits/sample-2026-11-23/differences.jsonl",
    }


def test_O1_the_metrics_are_counted_also_when_nothing_differs(
    auditor: Any, office: Office, files: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = office.open_account()
    office.invoice(account_id, 10000)
    run(auditor, files)
    counted = metrics_in(capsys.readouterr().out)
    assert (counted["LedgerDifferences"], counted["AccountsAudited"]) == ([0], [1])
    office.books.overwrite(replace(office.balance(account_id), receivable_minor=0, held_minor=5))
    assert run(auditor, files)["differences"] == 2
    assert metrics_in(capsys.readouterr().out)["LedgerDifferences"] == [2]


def test_what_is_logged_of_differences_names_kinds_and_no_customer(
    auditor: Any, office: Office, files: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    account_id = office.open_account()
    office.invoice(account_id, 10000)
    office.books.overwrite(replace(office.balance(account_id), receivable_minor=0))
    run(auditor, files)
    (error,) = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
    assert error["differences"] == {"receivable_minor": 1}
    assert office.account(account_id).name not in str(error)


def test_the_samples_are_one_audit_of_one_account(auditor: Any, office: Office) -> None:
    account_id = office.open_account()
    listed = auditor.list_accounts(sample("list_accounts"), CONTEXT)
    assert auditor.audit_accounts(sample("audit_accounts", ACCOUNT_ID=account_id), CONTEXT) == {"accounts": 1, "differences": 0}
    assert listed == sample("report")
    assert auditor.report(sample("report"), CONTEXT)["accounts"] == 1


def test_the_state_machine_tolerates_no_failed_batch_and_passes_on_what_the_handlers_read() -> None:
    """L6: an audit that left somebody out proves nothing."""
    states = yaml.safe_load((ROOT / "statemachines/auditor.asl.yaml").read_text())["States"]
    batch = states["EachBatch"]
    assert batch["ToleratedFailurePercentage"] == 0
    assert batch["ItemBatcher"]["BatchInput"] == {"audit_id.$": "$.audit_id"}
    assert batch["ItemReader"]["Parameters"]["Key.$"] == "$.manifest"
    assert states["Broken"]["Error"] == "LedgerBrokenError"
