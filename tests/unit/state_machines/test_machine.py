"""The interpreter does what the States Language says, one step after the other, and refuses what it does not know (O3)."""

from collections.abc import Callable
from typing import Any

import pytest

from remit.domain.errors import ConflictError, TransientError
from simulation.state_machines.language import NotKnownError, StatesError, at, filled, holds, placed
from simulation.state_machines.machine import Execution, Moment, StateMachine, Status, Step, names


def machine(**states: Any) -> StateMachine:
    return StateMachine("test", {"StartAt": next(iter(states)), "States": states})


def task(**more: Any) -> dict[str, Any]:
    call = {"FunctionName": "${Work}", "Payload.$": "$"}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": call, "OutputPath": "$.Payload"} | more


def run(states: StateMachine, given: Any, work: Callable[[Any], Any] = lambda payload: payload, **how: Any) -> Execution:
    return states.execute(given, {"Work": work}, **how)


class Failing:
    """Fails so many times, then answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.left, self.calls = error, times, 0

    def __call__(self, _payload: Any) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


TRANSIENT = TransientError("store_busy", "This could not be taken now.")


# Data


@pytest.mark.parametrize(
    ("path", "found"),
    [("$", {"a": {"b": [1, 2]}}), ("$.a.b[1]", 2), ("$$.Execution.Name", "run-1")],
)
def test_a_path_leads_into_the_data_or_the_context(path: str, found: Any) -> None:
    assert at(path, {"a": {"b": [1, 2]}}, {"Execution": {"Name": "run-1"}}) == found


def test_what_is_not_there_is_an_error_of_the_machine() -> None:
    with pytest.raises(StatesError, match=r"States.Runtime: there is nothing at \$.b"):
        at("$.b", {"a": 1})


@pytest.mark.parametrize(
    ("path", "result"),
    [("$", 5), (None, {"a": 1}), ("$.b", {"a": 1, "b": 5}), ("$.b.c", {"a": 1, "b": {"c": 5}}), ("$.a", {"a": 5})],
)
def test_a_result_is_put_where_its_path_says(path: str | None, result: Any) -> None:
    assert placed({"a": 1}, path, 5) == result


def test_a_template_takes_paths_and_functions_and_leaves_the_rest() -> None:
    template = {"kept": "$.a", "list": [{"of.$": "$.a"}], "text.$": "States.Format('{} of {}', $.a, 'b')", "n.$": "$$.n"}
    assert filled(template, {"a": 1}, {"n": 2}) == {"kept": "$.a", "list": [{"of": 1}], "text": "1 of b", "n": 2}


@pytest.mark.parametrize(
    ("rule", "data", "result"),
    [
        ({"Variable": "$.n", "NumericGreaterThan": 0}, {"n": 1}, True),
        ({"Variable": "$.n", "NumericGreaterThan": 0}, {"n": "1"}, False),
        ({"Variable": "$.n", "NumericEquals": 1}, {"n": True}, False),
        ({"Variable": "$.n", "NumericLessThanEqualsPath": "$.m"}, {"n": 1, "m": 1}, True),
        ({"Variable": "$.n", "IsNull": False}, {"n": None}, False),
        ({"Variable": "$.n", "IsPresent": False}, {}, True),
        ({"Not": {"Variable": "$.s", "StringEquals": "done"}}, {"s": "begin"}, True),
        ({"And": [{"Variable": "$.b", "BooleanEquals": True}, {"Variable": "$.b", "IsBoolean": False}]}, {"b": True}, False),
        ({"Or": [{"Variable": "$.b", "BooleanEquals": True}, {"Variable": "$.x", "IsPresent": True}]}, {"b": True}, True),
    ],
)
def test_a_choice_compares_what_is_of_the_same_type(rule: dict[str, Any], data: Any, result: bool) -> None:
    assert holds(rule, data, {}) is result


# What is refused


@pytest.mark.parametrize(
    "states",
    [
        {"A": {"Type": "Parallel", "Branches": [], "End": True}},
        {"A": {"Type": "Pass", "Assign": {"x": 1}, "End": True}},
        {"A": {"Type": "Pass", "Next": "B"}},
        {"A": {"Type": "Pass", "Parameters": {"x.$": "$..x"}, "End": True}},
        {"A": {"Type": "Pass", "Parameters": {"x.$": "States.UUID()"}, "End": True}},
        {"A": {"Type": "Pass", "Parameters": {"x.$": "States.Format('{}', States.UUID())"}, "End": True}},
        {"A": task(Resource="arn:aws:states:::events:putEvents", End=True)},
        {"A": task(Parameters={"FunctionName": "arn:aws:lambda:x", "Payload": {}}, End=True)},
        {"A": task(Retry=[{"ErrorEquals": ["X"], "Forever": True}], End=True)},
        {"A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "StringMatches": "a*", "Next": "A"}]}},
        {"A": {"Type": "Wait", "TimestampPath": "$.at", "End": True}},
    ],
)
def test_a_definition_with_anything_unknown_is_refused_before_it_runs(states: dict[str, Any]) -> None:
    with pytest.raises(NotKnownError):
        machine(**states)


def test_another_query_language_is_refused() -> None:
    with pytest.raises(NotKnownError, match="JSONata"):
        StateMachine("test", {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}})


# Errors


def test_a_function_fails_with_the_name_of_its_errors_class_as_lambda_reports_it() -> None:
    ended = run(machine(A=task(End=True)), {}, Failing(TRANSIENT, 1))
    assert (ended.status, ended.error) == (Status.FAILED, "TransientError")
    assert ended.cause == '{"errorMessage":"store_busy: This could not be taken now.","errorType":"TransientError"}'


def test_each_retrier_waits_longer_each_time_up_to_its_limit_and_counts_for_itself() -> None:
    retry = [
        {"ErrorEquals": ["TransientError"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 4, "MaxDelaySeconds": 20},
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1},
    ]
    waited: list[float] = []
    flaky = Failing(TRANSIENT, 4)
    ended = run(machine(A=task(Retry=retry, End=True)), {}, flaky, wait=waited.append)
    assert (ended.output, waited) == ("done", [2, 6, 18, 20])
    assert [step.attempt for step in ended.steps] == [1, 2, 3, 4, 5]
    assert run(machine(A=task(Retry=retry, End=True)), {}, Failing(TRANSIENT, 5)).error == "TransientError"
    assert run(machine(A=task(Retry=retry, End=True)), {}, Failing(ValueError("bug"), 1)).output == "done"


def test_what_is_caught_goes_on_with_the_states_own_input() -> None:
    caught = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "B"}]
    ended = run(machine(A=task(Catch=caught, End=True), B={"Type": "Succeed"}), {"id": 7}, Failing(KeyError("x"), 9))
    assert ended.output["id"] == 7
    assert ended.output["error"]["Error"] == "KeyError"


def test_a_fail_state_says_what_was_caught() -> None:
    fail = {"Type": "Fail", "ErrorPath": "$.error.Error", "Cause": "no luck"}
    ended = run(machine(A=fail), {"error": {"Error": "RuleError"}})
    assert (ended.status, ended.error, ended.cause) == (Status.FAILED, "RuleError", "no luck")


@pytest.mark.parametrize(
    ("wanted", "error", "meant"),
    [
        (["ConflictError"], "ConflictError", True),
        (["ConflictError"], "TransientError", False),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.TaskFailed"], "ConflictError", True),
        (["States.TaskFailed"], "States.Timeout", False),
    ],
)
def test_an_error_is_meant_by_its_name_or_by_a_general_one(wanted: list[str], error: str, meant: bool) -> None:
    assert names(wanted, error) is meant


def test_an_answer_that_is_too_large_fails_and_nothing_catches_that() -> None:
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
    big = run(machine(A=task(Catch=caught, End=True), B={"Type": "Succeed"}), {}, lambda _: "x" * 300_000)
    assert (big.status, big.error) == (Status.FAILED, "States.DataLimitExceeded")


def test_a_task_shares_nothing_with_its_caller() -> None:
    def changes(payload: Any) -> Any:
        payload["list"].append(3)
        return payload

    given = {"list": [1, 2]}
    assert run(machine(A=task(End=True)), given, changes).output == {"list": [1, 2, 3]}
    assert given == {"list": [1, 2]}


# Maps


def each(mode: str, part: dict[str, Any], **more: Any) -> StateMachine:
    processor = {"ProcessorConfig": {"Mode": mode}, "StartAt": "P", "States": {"P": part}}
    return machine(M={"Type": "Map", "ItemProcessor": processor, "End": True} | more)


def test_a_map_gives_its_results_in_the_order_of_its_items() -> None:
    for mode in ("INLINE", "DISTRIBUTED"):
        ended = run(each(mode, task(End=True), ItemsPath="$.items"), {"items": [1, 2, 3]}, lambda n: n * 10)
        assert ended.output == [10, 20, 30]


def test_what_each_part_is_given_can_be_selected_or_batched() -> None:
    selector = {"n.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index", "of.$": "$.all"}
    ended = run(each("INLINE", task(End=True), ItemsPath="$.l", ItemSelector=selector), {"l": [5], "all": "x"})
    assert ended.output == [{"n": 5, "at": 0, "of": "x"}]
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"of.$": "$.all"}}
    ended = run(each("DISTRIBUTED", task(End=True), ItemsPath="$.l", ItemBatcher=batcher), {"l": [1, 2, 3], "all": "x"})
    assert ended.output == [{"BatchInput": {"of": "x"}, "Items": [1, 2]}, {"BatchInput": {"of": "x"}, "Items": [3]}]


def test_items_can_come_from_a_bucket_line_by_line() -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSONL"},
        "Parameters": {"Bucket": "${Bucket}", "Key.$": "$.key"},
    }
    files = {"a/b.jsonl": '{"n":1}\n{"n":2}\n'}
    reading = each("DISTRIBUTED", {"Type": "Pass", "End": True}, ItemReader=reader)
    assert reading.execute({"key": "a/b.jsonl"}, {"Bucket": files.__getitem__}).output == [{"n": 1}, {"n": 2}]
    assert reading.execute({"key": "gone"}, {"Bucket": files.__getitem__}).error == "States.ItemReaderFailed"


def test_parts_of_a_distributed_map_are_executions_of_their_own() -> None:
    ended = run(each("DISTRIBUTED", {"Type": "Pass", "End": True}, Label="Each"), [1, 2], name="run-1")
    assert [step.execution for step in ended.steps] == ["run-1", "run-1/Each:0", "run-1/Each:1"]


def test_more_failures_than_are_tolerated_fail_the_map() -> None:
    def odd_fail(n: int) -> int:
        if n % 2:
            raise ConflictError("changed_meanwhile", "Read it again.")
        return n

    strict = run(each("DISTRIBUTED", task(End=True)), [1, 2], odd_fail)
    assert strict.error == "States.ExceedToleratedFailureThreshold"
    half = run(each("DISTRIBUTED", task(End=True), ToleratedFailurePercentage=50, ResultPath=None), [1, 2], odd_fail)
    assert half.status is Status.SUCCEEDED
    most = run(each("DISTRIBUTED", task(End=True), ToleratedFailurePercentage=50, ResultPath=None), [1, 2, 3], odd_fail)
    assert most.status is Status.FAILED
    assert run(each("INLINE", task(End=True)), [1, 2], odd_fail).error == "ConflictError"


def test_a_tolerated_failure_among_results_that_are_kept_is_not_known() -> None:
    with pytest.raises(NotKnownError):
        run(each("DISTRIBUTED", task(End=True), ToleratedFailurePercentage=100), [1], Failing(TRANSIENT, 9))


# Time, and watching


def test_a_wait_waits_by_the_clock_that_is_given() -> None:
    waited: list[float] = []
    flow = machine(A={"Type": "Wait", "Seconds": 30, "Next": "B"}, B={"Type": "Wait", "SecondsPath": "$.s", "End": True})
    assert run(flow, {"s": 7}, wait=waited.append).output == {"s": 7}
    assert waited == [30, 7]


class KilledError(BaseException):
    pass


def test_an_execution_can_be_killed_before_and_after_the_effect_of_a_step() -> None:
    for moment, effects in ((Moment.BEFORE, []), (Moment.AFTER, [1])):
        done: list[int] = []

        def kill(step: Step, now: Moment, moment: Moment = moment) -> None:
            if now is moment:
                raise KilledError(step.state)

        with pytest.raises(KilledError):
            run(machine(A=task(End=True)), 1, done.append, watch=kill)
        assert done == effects
