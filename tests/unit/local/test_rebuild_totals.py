"""`make rebuild-totals` waits for the end and says what came of it."""

import json
from typing import Any

import pytest

from local.rebuild_totals import rebuild

DONE = {"accounts": 3, "differences": 1, "first": ["ledger EUR 2026-03 shard 2: debit:receivable is 2, its entries say 1"]}


class Machines:
    """Step Functions, for which an execution takes two looks."""

    def __init__(self, end: dict[str, Any]) -> None:
        self.given: dict[str, Any] = {}
        self._looks = iter([{"status": "RUNNING"}, end])

    def start_execution(self, **asked: str) -> dict[str, str]:
        self.given = json.loads(asked["input"])
        return {"executionArn": f"{asked['stateMachineArn']}:1"}

    def describe_execution(self, **asked: str) -> dict[str, Any]:
        assert asked == {"executionArn": "arn:1"}
        return next(self._looks)


@pytest.mark.parametrize(
    ("replace", "says"), [(True, "The new totals are read from now on"), (False, "The totals are what the entries say")]
)
def test_a_run_that_succeeds_says_what_differed(replace: bool, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"status": "SUCCEEDED", "output": json.dumps(DONE)})
    assert rebuild(machines, "arn", replace=replace, pause_s=0) == 0
    printed = capsys.readouterr().out
    assert machines.given == {"replace": replace}
    assert "3 accounts counted, 1 figures differed" in printed
    assert "its entries say 1" in printed
    assert says in printed


def test_a_check_that_finds_a_difference_fails_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"status": "FAILED", "error": "LedgerBrokenError", "cause": "Start again to replace them."})
    assert rebuild(machines, "arn", replace=False, pause_s=0) == 1
    assert "LedgerBrokenError: Start again to replace them." in capsys.readouterr().err
