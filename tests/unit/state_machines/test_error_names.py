"""What the machines retry and catch by name is what Lambda reports: the name of the error's class, and no parent's (D7)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from remit.domain import errors
from remit.domain.errors import ConflictError, LedgerBrokenError, RemitError, TransientError
from remit.usecases import guards
from simulation.state_machines.language import StatesError
from simulation.state_machines.machine import StateMachine, names
from tests.support.handlers import ROOT

OURS: dict[str, type[Exception]] = {
    error.__name__: error
    for module in (errors, guards)
    for error in vars(module).values()
    if isinstance(error, type) and issubclass(error, Exception) and error.__module__ == module.__name__
}

AWS = {
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
}
"""Names that AWS documents: Step Functions Developer Guide, "Handling errors in Step Functions workflows"."""

PASSES_BY_ITSELF = (
    "TransientError",
    "ConflictError",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
"""What every function may meet and a second attempt may not: the first two are raised by any use case that reads or writes; AWS
asks for retries on the others ("Best practices: handle transient Lambda service exceptions")."""

RETRIED_ALSO = {("accounting_export", "WriteFiles", "LedgerBrokenError")}
"""(machine, state, error): the export's index reads may be a moment behind what it ties them to."""

MACHINES = [StateMachine.read(path) for path in sorted(Path(ROOT / "statemachines").glob("*.asl.yaml"))]
FUNCTIONS = [
    pytest.param(machine, name, state, id=f"{machine.name}-{name}")
    for machine in MACHINES
    for name, state in machine.states()
    if state.get("Resource") == "arn:aws:states:::lambda:invoke"
]


def named(state: Mapping[str, Any]) -> Iterator[str]:
    for handler in (*state.get("Retry", []), *state.get("Catch", [])):
        yield from handler["ErrorEquals"]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_error_that_is_named_is_a_class_of_ours_or_documented_by_aws(machine: StateMachine) -> None:
    for state_name, state in machine.states():
        unknown = set(named(state)) - set(OURS) - AWS
        assert not unknown, f"{state_name}: {unknown}"


def lone(machine: StateMachine, name: str, state: Mapping[str, Any]) -> StateMachine:
    """The state alone, with whatever it goes to as an end."""
    following = {target: {"Type": "Succeed"} for target, _ in machine.states() if target != name}
    return StateMachine(machine.name, {"StartAt": name, "States": {name: state, **following}})


def attempts(machine: StateMachine, name: str, state: Mapping[str, Any], error: Callable[[], Exception]) -> int:
    """How often the state calls its function when that always fails so."""
    calls = []

    def fails(payload: Any) -> None:
        calls.append(payload)
        raise error()

    tasks = dict.fromkeys(machine.substitutions(), fails)
    lone(machine, name, state).execute({"error": {"Error": "X", "Cause": "Y"}}, tasks)
    return len(calls)


@pytest.mark.parametrize(("machine", "name", "state"), FUNCTIONS)
def test_every_function_is_tried_again_after_what_passes_by_itself(
    machine: StateMachine, name: str, state: Mapping[str, Any]
) -> None:
    for error in PASSES_BY_ITSELF:
        times = attempts(machine, name, state, lambda error=error: raised(error))
        assert 3 <= times <= 10, f"{error}: {times} attempts"


@pytest.mark.parametrize(("machine", "name", "state"), FUNCTIONS)
def test_no_function_is_tried_again_after_what_will_not_pass(machine: StateMachine, name: str, state: Mapping[str, Any]) -> None:
    """A rule, a bad request, a broken ledger, a bug: and `GatewayFailedError`, which will fail the same way again."""
    for error in {*OURS, "KeyError"} - {"TransientError", "ConflictError"}:
        expected = 1 if (machine.name, name, error) not in RETRIED_ALSO else 4
        assert attempts(machine, name, state, lambda error=error: raised(error)) == expected, error


@pytest.mark.parametrize(("machine", "name", "state"), FUNCTIONS)
def test_retries_back_off_with_jitter_up_to_a_limit(machine: StateMachine, name: str, state: Mapping[str, Any]) -> None:
    for retry in state["Retry"]:
        if "TransientError" in retry["ErrorEquals"]:
            assert retry["BackoffRate"] > 1
            assert retry["JitterStrategy"] == "FULL"
            assert retry["IntervalSeconds"] <= retry["MaxDelaySeconds"] <= 300


def test_a_parents_name_does_not_mean_its_children() -> None:
    assert not names(["TransientError"], errors.GatewayFailedError.__name__)
    assert issubclass(errors.GatewayFailedError, TransientError)


def test_our_error_names_are_unique_and_those_that_lambda_reports() -> None:
    families = {TransientError, ConflictError, LedgerBrokenError, RemitError}
    assert families <= set(OURS.values())
    assert all(name == error.__name__ == error.__qualname__ for name, error in OURS.items())


def raised(name: str) -> Exception:
    """An error that Lambda reports by that name."""
    if name.startswith("Lambda."):
        return StatesError(name, "of the service")
    return type(name, (Exception,), {})("of the function")
