"""Dunning runs are executions of their state machine: started, stopped and read there, for it alone knows how they stand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remit.domain.errors import NotFoundError, RuleError
from remit.usecases.dunning_run import DunningRun, RunCounts, RunProgress

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_PROGRESS: Mapping[str, RunProgress] = {
    "RUNNING": RunProgress.RUNNING,
    "PENDING_REDRIVE": RunProgress.RUNNING,
    "SUCCEEDED": RunProgress.DONE,
    "ABORTED": RunProgress.STOPPED,
    "FAILED": RunProgress.FAILED,
    "TIMED_OUT": RunProgress.FAILED,
}
_COUNTING_STATE = "FindDue"
_HISTORY = 100
"""Events of a run's history that are read from its end; between two pages of accounts there are about fifteen."""


@dataclass(frozen=True, slots=True)
class DunningRuns:
    """The runs of the state machine `machine_arn`."""

    client: "SFNClient"
    machine_arn: str

    def start(self, run_id: str, messages_per_second: int | None) -> None:
        """Start the run of that name, once however often it is asked for."""
        given = {} if messages_per_second is None else {"messages_per_second": messages_per_second}
        try:
            self.client.start_execution(stateMachineArn=self.machine_arn, name=run_id, input=json.dumps(given))
        except self.client.exceptions.ExecutionAlreadyExists:
            return

    def latest(self, limit: int) -> list[DunningRun]:
        """The last `limit` runs, newest first, those of the schedule among them."""
        found = self.client.list_executions(stateMachineArn=self.machine_arn, maxResults=limit)["executions"]
        return [_run(execution) for execution in found]

    def read(self, run_id: str) -> DunningRun:
        """`NotFoundError` for a run that nobody started, or of months ago."""
        try:
            return _run(self.client.describe_execution(executionArn=self._arn(run_id)))
        except self.client.exceptions.ExecutionDoesNotExist:
            raise NotFoundError("dunning_run_not_found", "There is no such dunning run.", id=run_id) from None

    def counts(self, run_id: str) -> RunCounts | None:
        """What came of the accounts that it has dealt with, as it counted them last; None before the first are."""
        history = self.client.get_execution_history(
            executionArn=self._arn(run_id), reverseOrder=True, maxResults=_HISTORY, includeExecutionData=True
        )
        for event in history["events"]:
            exited = event.get("stateExitedEventDetails", {})
            if exited.get("name") == _COUNTING_STATE:
                return RunCounts(**json.loads(exited["output"])["run"]["counts"])
        return None

    def stop(self, run_id: str) -> DunningRun:
        """Stop it where it is; one that is stopped already stays so. `RuleError` for one that has ended by itself."""
        run = self.read(run_id)
        if run.state not in (RunProgress.RUNNING, RunProgress.STOPPED):
            raise RuleError("dunning_run_ended", "The run has ended already.", state=str(run.state))
        if run.state is RunProgress.RUNNING:
            self.client.stop_execution(executionArn=self._arn(run_id), cause="stopped by hand")
        return self.read(run_id)

    def _arn(self, run_id: str) -> str:
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{run_id}"


def _run(execution: Any) -> DunningRun:
    return DunningRun(execution["name"], _PROGRESS[execution["status"]], execution["startDate"], execution.get("stopDate"))
