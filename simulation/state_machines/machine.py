"""A state machine of `statemachines/`, and its executions in this process: one thread, one order, no clock of its own.

A `StateMachine` knows its definition, and refuses one that it does not understand as a whole. `execute` runs it over tasks
that are plain functions, under the names of the template's `DefinitionSubstitutions`:

- a function of Lambda takes the payload and returns the answer; what it raises is an error of its class's name, as Lambda
  reports it;
- a queue takes the message's body;
- a bucket takes an object's key and returns its text.

What parts of a map do side by side on AWS is done here one after the other: one of the orders that are possible there.
Time-outs are not simulated. A retry or a `Wait` waits by the function that is given; jitter is taken as its longest.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from simulation.state_machines.language import (
    Json,
    NotKnownError,
    StatesError,
    at,
    compact,
    filled,
    holds,
    placed,
    require_path,
    require_rule,
    require_template,
)

MAX_BYTES = 256 * 1024
"""What a state may take or give (States.DataLimitExceeded)."""

type Task = Callable[..., Any]
type Tasks = Mapping[str, Task]

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


# ---- What may be called ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Integration:
    """A service that a task calls: which parameter names the thing called, which one it is given, and what comes back."""

    target: str
    takes: str
    answer: Callable[[Any], Json]


INTEGRATIONS: Mapping[str, Integration] = {
    "arn:aws:states:::lambda:invoke": Integration(
        "FunctionName", "Payload", lambda result: {"ExecutedVersion": "$LATEST", "Payload": result, "StatusCode": 200}
    ),
    "arn:aws:states:::sqs:sendMessage": Integration("QueueUrl", "MessageBody", lambda _result: {"MessageId": "message"}),
}

READERS: Mapping[str, Callable[[str], list[Json]]] = {
    "JSON": json.loads,
    "JSONL": lambda text: [json.loads(line) for line in text.splitlines() if line],
}
"""`ReaderConfig.InputType` → the items in an object of S3."""

READER = "arn:aws:states:::s3:getObject"


# ---- What a definition may say -----------------------------------------------------------------------------------------

_ANY = {"Type", "Comment"}
_FLOW = {"Next", "End", "InputPath", "OutputPath"}
_SHAPE = {"Parameters", "ResultSelector", "ResultPath"}
_FAULTS = {"Retry", "Catch", "TimeoutSeconds"}

FIELDS: Mapping[str, set[str]] = {
    "Pass": _ANY | _FLOW | {"Parameters", "Result", "ResultPath"},
    "Task": _ANY | _FLOW | _SHAPE | _FAULTS | {"Resource"},
    "Choice": _ANY | {"InputPath", "OutputPath", "Choices", "Default"},
    "Wait": _ANY | _FLOW | {"Seconds", "SecondsPath"},
    "Succeed": _ANY | {"InputPath", "OutputPath"},
    "Fail": _ANY | {"Error", "ErrorPath", "Cause", "CausePath"},
    "Map": _ANY
    | _FLOW
    | (_SHAPE - {"Parameters"})
    | (_FAULTS - {"TimeoutSeconds"})
    | {"ItemProcessor", "ItemsPath", "ItemReader", "ItemBatcher", "ItemSelector", "Label"}
    | {"MaxConcurrency", "MaxConcurrencyPath", "ToleratedFailurePercentage"},
}
"""Type of a state → the fields that are understood."""

_MACHINE = {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds"}
_PATHS = {"InputPath", "OutputPath", "ResultPath", "ItemsPath", "SecondsPath", "ErrorPath", "CausePath", "MaxConcurrencyPath"}
_TEMPLATES = {"Parameters", "ResultSelector", "ItemSelector"}
_RETRY = {"Comment", "ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds", "JitterStrategy"}
_CATCH = {"Comment", "ErrorEquals", "ResultPath", "Next"}


def _only(known: set[str], found: Mapping[str, Json], where: str) -> None:
    if strange := set(found) - known:
        raise NotKnownError(f"{where} has {sorted(strange)}")


def _require_flow(flow: Mapping[str, Json], where: str) -> None:
    for name in (flow["StartAt"], *(target for state in flow["States"].values() for target in targets(state))):
        if name not in flow["States"]:
            raise NotKnownError(f"{where} goes to {name!r}, which is not there")
    for name, state in flow["States"].items():
        _require_state(state, f"{where}.{name}")


def _require_state(state: Mapping[str, Json], where: str) -> None:
    if state["Type"] not in FIELDS:
        raise NotKnownError(f"{where} is a {state['Type']}")
    _only(FIELDS[state["Type"]], state, where)
    for name in _PATHS & set(state):
        if state[name] is not None:
            require_path(state[name])
    for name in _TEMPLATES & set(state):
        require_template(state[name])
    for retry in state.get("Retry", []):
        _only(_RETRY, retry, where)
    for catch in state.get("Catch", []):
        _only(_CATCH, catch, where)
    for rule in state.get("Choices", []):
        require_rule(rule)
    if state["Type"] == "Task":
        _require_task(state, where)
    if state["Type"] == "Map":
        _require_map(state, where)


def _require_task(state: Mapping[str, Json], where: str) -> None:
    integration = INTEGRATIONS.get(state["Resource"])
    if integration is None:
        raise NotKnownError(f"{where} calls {state['Resource']}: a row of INTEGRATIONS would make it known")
    names = {name.removesuffix(".$") for name in state["Parameters"]}
    if names != {integration.target, integration.takes}:
        raise NotKnownError(f"{where} calls {state['Resource']} with {sorted(names)}")
    _substitution(state["Parameters"][integration.target])


def _require_map(state: Mapping[str, Json], where: str) -> None:
    processor = state["ItemProcessor"]
    _only({"ProcessorConfig", "StartAt", "States", "Comment"}, processor, where)
    if processor.get("ProcessorConfig", {}).get("Mode", "INLINE") not in ("INLINE", "DISTRIBUTED"):
        raise NotKnownError(f"{where} is processed {processor['ProcessorConfig']}")
    if reader := state.get("ItemReader"):
        _only({"Resource", "ReaderConfig", "Parameters"}, reader, where)
        if reader["Resource"] != READER or reader["ReaderConfig"].get("InputType") not in READERS:
            raise NotKnownError(f"{where} reads {reader}")
        _substitution(reader["Parameters"]["Bucket"])
    if batcher := state.get("ItemBatcher"):
        _only({"MaxItemsPerBatch", "BatchInput"}, batcher, where)
    _require_flow(processor, where)


def _substitution(text: str) -> str:
    """`${DunFunctionArn}` → the name in it."""
    found = _SUBSTITUTION.fullmatch(text)
    if found is None:
        raise NotKnownError(f"{text!r} where a substitution is expected")
    return found[1]


def targets(state: Mapping[str, Json]) -> Iterator[str]:
    """The states that may come next."""
    for place in (state, *state.get("Choices", []), *state.get("Catch", [])):
        if "Next" in place:
            yield place["Next"]
    if "Default" in state:
        yield state["Default"]


# ---- The machine -------------------------------------------------------------------------------------------------------


class Moment(StrEnum):
    """When a watcher is told of a step: before it has done anything, or after its effect, of which the execution knows
    nothing yet."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Step:
    """The `attempt`-th entry into a state of an execution; `number` counts all of a run, those of a map's parts included."""

    number: int
    execution: str
    state: str
    type: str
    attempt: int = 1


type Watcher = Callable[[Step, Moment], None]
"""Looks on, and may raise: an error that is no `Exception` ends everything at once, like a power cut."""


class Status(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Execution:
    """How an execution ended. `error` and `cause` of one that failed."""

    status: Status
    output: Json
    steps: tuple[Step, ...]
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A definition that is understood as a whole."""

    name: str
    definition: Mapping[str, Json]

    def __post_init__(self) -> None:
        _only(_MACHINE, self.definition, self.name)
        if self.definition.get("QueryLanguage", "JSONPath") != "JSONPath":
            raise NotKnownError(f"{self.name} is written in {self.definition['QueryLanguage']}")
        _require_flow(self.definition, self.name)

    @classmethod
    def read(cls, path: Path) -> "StateMachine":
        return cls(path.name.removesuffix(".asl.yaml"), yaml.safe_load(path.read_text()))

    def states(self) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """Every state by name, those of a map's parts behind it."""
        return _states(self.definition)

    def substitutions(self) -> set[str]:
        """The names of what the definition calls and reads."""
        return set(_SUBSTITUTION.findall(compact(self.definition)))

    def execute(
        self,
        given: Json,
        tasks: Tasks,
        *,
        name: str = "execution",
        watch: Watcher = lambda _step, _moment: None,
        wait: Callable[[float], object] = lambda _seconds: None,
    ) -> Execution:
        """Run once with the input `given`, as the execution `name`, to its end."""
        run = _Run(self.name, tasks, watch, wait)
        try:
            output = run.flow(self.definition, given, run.context(name, given))
        except StatesError as failure:
            return Execution(Status.FAILED, None, tuple(run.steps), failure.error, failure.cause)
        return Execution(Status.SUCCEEDED, output, tuple(run.steps))


def _states(flow: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    for name, state in flow["States"].items():
        yield name, state
        if state["Type"] == "Map":
            yield from _states(state["ItemProcessor"])


# ---- An execution ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Run:
    machine: str
    tasks: Tasks
    watch: Watcher
    wait: Callable[[float], object]
    steps: list[Step] = field(default_factory=list)

    def context(self, execution: str, given: Json) -> dict[str, Json]:
        """The context object of an execution (`$$`)."""
        arn = f"arn:aws:states:::execution:{self.machine}:{execution}"
        return {"Execution": {"Name": execution, "Id": arn, "Input": given}, "StateMachine": {"Name": self.machine}}

    def flow(self, flow: Mapping[str, Json], given: Json, context: dict[str, Json]) -> Json:
        """From a flow's first state to its last one: the output of that."""
        data, name = given, flow["StartAt"]
        while name is not None:
            state = flow["States"][name]
            visit = _Visit(self, name, state, {**context, "State": {"Name": name}})
            data, name = visit.visit(data)
        return data


@dataclass(slots=True)
class _Visit:
    """One state of one execution, once."""

    run: _Run
    name: str
    state: Mapping[str, Json]
    context: dict[str, Json]

    def visit(self, raw: Json) -> tuple[Json, str | None]:
        """(what the state gives, the state that comes next)."""
        used = [0] * len(self.state.get("Retry", []))
        attempt = 1
        while True:
            try:
                return self._attempt(raw, attempt)
            except StatesError as failure:
                seconds = self._delay(failure, used)
                if seconds is None:
                    return self._caught(raw, failure)
                self.run.wait(seconds)
                attempt += 1

    def _attempt(self, raw: Json, attempt: int) -> tuple[Json, str | None]:
        step = Step(len(self.run.steps) + 1, self.context["Execution"]["Name"], self.name, self.state["Type"], attempt)
        self.run.steps.append(step)
        self.run.watch(step, Moment.BEFORE)
        done = self._do(self._shown("InputPath", raw), raw)
        self.run.watch(step, Moment.AFTER)
        return done

    def _do(self, given: Json, raw: Json) -> tuple[Json, str | None]:
        following = self.state.get("Next")
        match self.state["Type"]:
            case "Choice":
                return self._shown("OutputPath", given), self._chosen(given)
            case "Succeed":
                return self._shown("OutputPath", given), None
            case "Fail":
                raise StatesError(self._said("Error", given), self._said("Cause", given))
            case "Wait":
                self.run.wait(at(self.state["SecondsPath"], given) if "SecondsPath" in self.state else self.state["Seconds"])
                return self._shown("OutputPath", given), following
            case "Pass":
                result = self.state["Result"] if "Result" in self.state else self._parameters(given)
            case "Map":
                result = self._selected(self._mapped(given))
            case _:
                result = self._selected(self._called(given))
        return self._shown("OutputPath", placed(raw, self.state.get("ResultPath", "$"), result)), following

    # How data goes through

    def _shown(self, field: str, data: Json) -> Json:
        path = self.state.get(field, "$")
        return {} if path is None else at(path, data, self.context)

    def _parameters(self, given: Json) -> Json:
        return filled(self.state["Parameters"], given, self.context) if "Parameters" in self.state else given

    def _selected(self, result: Json) -> Json:
        return filled(self.state["ResultSelector"], result, self.context) if "ResultSelector" in self.state else result

    def _said(self, field: str, given: Json) -> str:
        path = self.state.get(f"{field}Path")
        return str(at(path, given, self.context) if path else self.state.get(field, ""))

    def _chosen(self, given: Json) -> str:
        chosen = next((rule["Next"] for rule in self.state["Choices"] if holds(rule, given, self.context)), None)
        following: str | None = chosen or self.state.get("Default")
        if following is None:
            raise StatesError("States.NoChoiceMatched", f"no choice of {self.name} holds")
        return following

    # What is called

    def _called(self, given: Json) -> Json:
        integration = INTEGRATIONS[self.state["Resource"]]
        parameters = self._parameters(given)
        task = self.run.tasks[_substitution(parameters[integration.target])]
        try:
            result = task(_transported(parameters[integration.takes]))
        except StatesError:
            raise
        except Exception as error:  # whatever a function raises, Lambda reports it by the name of its class
            facts = {"errorMessage": str(error), "errorType": type(error).__name__}
            raise StatesError(type(error).__name__, compact(facts)) from error
        return integration.answer(_transported(result))

    # Maps

    def _mapped(self, given: Json) -> Json:
        processor = self.state["ItemProcessor"]
        distributed = processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        parts = self._parts(self._items(given), given)
        results, failures = [], []
        child = f"{self.context['Execution']['Name']}/{self.state.get('Label', self.name)}"
        for index, part in enumerate(parts):
            inline = {**self.context, "Map": {"Item": {"Index": index, "Value": part}}}
            context = self.run.context(f"{child}:{index}", part) if distributed else inline
            try:
                results.append(self.run.flow(processor, part, context))
            except StatesError as failure:
                failures.append(failure)
                self._tolerate(failures, len(parts), distributed=distributed)
        return _transported(results)

    def _tolerate(self, failures: Sequence[StatesError], parts: int, *, distributed: bool) -> None:
        tolerated = self.state.get("ToleratedFailurePercentage", 0)
        if 100 * len(failures) > tolerated * parts:
            if not distributed:
                raise failures[-1]
            first = f"{failures[0].error}: {failures[0].cause}"
            raise StatesError("States.ExceedToleratedFailureThreshold", f"{len(failures)} of {parts} failed, the first: {first}")
        if self.state.get("ResultPath", "$") is not None:
            raise NotKnownError(f"{self.name} tolerates a failure and keeps the results: what stands in its place is not known")

    def _items(self, given: Json) -> list[Json]:
        if reader := self.state.get("ItemReader"):
            parameters = filled(reader["Parameters"], given, self.context)
            try:
                text = self.run.tasks[_substitution(parameters["Bucket"])](parameters["Key"])
            except LookupError as missing:
                raise StatesError("States.ItemReaderFailed", str(missing)) from missing
            return READERS[reader["ReaderConfig"]["InputType"]](text)
        items = at(self.state.get("ItemsPath", "$"), given, self.context)
        if not isinstance(items, list):
            raise StatesError("States.Runtime", f"{self.name} has no array to go through")
        return items

    def _parts(self, items: Sequence[Json], given: Json) -> list[Json]:
        """What each part of the map is given: an item, what is selected of it, or a batch of them."""
        if "ItemSelector" in self.state:
            contexts = ({**self.context, "Map": {"Item": {"Index": i, "Value": item}}} for i, item in enumerate(items))
            items = [filled(self.state["ItemSelector"], given, context) for context in contexts]
        batcher = self.state.get("ItemBatcher")
        if not batcher:
            return list(items)
        size = batcher["MaxItemsPerBatch"]
        shared = {"BatchInput": filled(batcher["BatchInput"], given, self.context)} if "BatchInput" in batcher else {}
        return [{**shared, "Items": list(items[n : n + size])} for n in range(0, len(items), size)]

    # When something fails

    def _delay(self, failure: StatesError, used: list[int]) -> float | None:
        """How long to wait before the next attempt, by the first retrier that names the error; None to give up."""
        for n, retry in enumerate(self.state.get("Retry", [])):
            if names(retry["ErrorEquals"], failure.error):
                if used[n] >= retry.get("MaxAttempts", 3):
                    return None
                seconds: float = retry.get("IntervalSeconds", 1) * retry.get("BackoffRate", 2) ** used[n]
                used[n] += 1
                return min(seconds, retry.get("MaxDelaySeconds", seconds))
        return None

    def _caught(self, raw: Json, failure: StatesError) -> tuple[Json, str]:
        for catch in self.state.get("Catch", []):
            if names(catch["ErrorEquals"], failure.error):
                return placed(raw, catch.get("ResultPath", "$"), failure.facts()), catch["Next"]
        raise failure


TERMINAL = {"States.Runtime", "States.DataLimitExceeded"}
"""Errors that `States.ALL` does not mean."""


def names(wanted: Sequence[str], error: str) -> bool:
    """Whether an `ErrorEquals` means the error: by its name, or as `States.TaskFailed` (a task's own) or `States.ALL`."""
    if error in wanted:
        return True
    own = not error.startswith("States.")
    return ("States.ALL" in wanted and error not in TERMINAL) or ("States.TaskFailed" in wanted and own)


def _transported(value: Json) -> Json:
    """The value as it arrives elsewhere: JSON, of limited size, and nothing of it shared."""
    text = compact(value)
    if len(text.encode()) > MAX_BYTES:
        raise StatesError("States.DataLimitExceeded", f"{len(text.encode())} bytes are more than {MAX_BYTES}")
    return json.loads(text)
