"""The functions and state machines of template.yaml in this process, over the fakes: what is deployed, without AWS.

Everything is read from the template: which handler a function is, what a state machine's substitutions stand for, what a
schedule starts, and who hears of what happens. So a new machine or function takes part by being in the template; an adapter
that no function used before is a row of `DOUBLES`.
"""

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from remit.domain.firm import Firm
from simulation.state_machines.machine import Execution, StateMachine
from tests.fakes import FakeClock, FakeGateway, FakeIds, FakeLetters, FakeMailer, no_waiting
from tests.scenarios.template import functions, resources, template
from tests.support.exports import FakeExportSource
from tests.support.handlers import CONTEXT, ENVIRONMENT, ROOT, load
from tests.support.totals import FakeTotals, projector
from tests.unit.accounting.world import MemoryStore


class Office(Protocol):
    """What the functions work on: `tests.support.builders.Office`, or the simulated world."""

    books: Any
    clock: FakeClock
    ids: FakeIds
    letters: FakeLetters
    mailer: FakeMailer
    firm: Firm

    @property
    def gateway(self) -> FakeGateway: ...


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a function or a state machine by the clock: its schedule as written, and what it is given."""

    name: str
    """The function or machine."""
    expression: str
    in_firms_zone: bool
    given: dict[str, Any]


@contextmanager
def environment() -> Iterator[None]:
    """What deployed functions find around them. They log nothing, count nothing, and pause for nobody."""
    silent = patch.object(AmazonCloudWatchEMFProvider, "add_metric")
    with patch.dict(os.environ, ENVIRONMENT), no_waiting(), silent, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No application metrics to publish", UserWarning)
        disabled = logging.root.manager.disable
        logging.disable()  # all of it: a level would stay with the loggers that are made meanwhile
        try:
            yield
        finally:
            logging.disable(disabled)


@cache
def state_machines() -> dict[str, StateMachine]:
    """The template's machines by logical id."""
    found = resources("AWS::Serverless::StateMachine")
    return {name: StateMachine.read(ROOT / properties["DefinitionUri"]) for name, properties in found.items()}


def triggers() -> Iterator[Trigger]:
    """Every schedule of the template, with its parameters at their defaults."""
    for name, properties in (functions() | resources("AWS::Serverless::StateMachine")).items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "ScheduleV2":
                schedule = event["Properties"]
                given = json.loads(schedule.get("Input", "{}"))
                yield Trigger(name, _text(schedule["ScheduleExpression"]), "ScheduleExpressionTimezone" in schedule, given)


def _text(value: str | dict[str, str]) -> str:
    return value if isinstance(value, str) else str(template()["Parameters"][value["Ref"]]["Default"])


def listeners() -> Iterator[tuple[str, frozenset[str]]]:
    """Each function on the bus, with the names of the events it wants."""
    for name, properties in functions().items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "EventBridgeRule":
                yield name, frozenset(event["Properties"]["Pattern"]["detail-type"])


def streams() -> Iterator[tuple[str, frozenset[str]]]:
    """Each function on the table's stream, with the types of items that its filter lets through."""
    for name, properties in functions().items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "DynamoDB":
                (only,) = event["Properties"]["FilterCriteria"]["Filters"]
                yield name, frozenset(json.loads(only["Pattern"])["dynamodb"]["NewImage"]["type"]["S"])


@dataclass
class Deployment[O: Office]:
    """One stack. `dead_letters`: what each queue was sent; `sent_events`: what the bus was given and nobody heard yet."""

    office: O
    dead_letters: dict[str, list[Any]] = field(default_factory=dict)
    sent_events: list[dict[str, Any]] = field(default_factory=list)
    files: MemoryStore = field(default_factory=MemoryStore)

    _modules: dict[str, ModuleType] = field(default_factory=dict)

    def execute(self, machine: str, given: Any, **how: Any) -> Execution:
        """Run a machine once; `how` as for `StateMachine.execute`."""
        return state_machines()[machine].execute(given, self.tasks(machine), **how)

    def tasks(self, machine: str) -> dict[str, Callable[..., Any]]:
        """What the machine's substitutions stand for."""
        named = resources("AWS::Serverless::StateMachine")[machine]["DefinitionSubstitutions"]
        return {name: self._task(_resource(value)) for name, value in named.items()}

    def call(self, function: str, event: Any) -> Any:
        """Invoke a function by its logical id."""
        properties = functions()[function]
        handler = properties.get("Handler", "handler.handler").removeprefix("handler.")
        return getattr(self.module(properties["CodeUri"].removeprefix("functions/")), handler)(event, CONTEXT)

    def deliver_events(self) -> None:
        """Let every listener hear what the bus was given, until nothing new comes of it."""
        while self.sent_events:
            entry = self.sent_events.pop(0)
            event = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
            for name, wanted in listeners():
                if entry["DetailType"] in wanted:
                    self.call(name, event)

    def _task(self, resource: str) -> Callable[..., Any]:
        return TASKS[template()["Resources"][resource]["Type"]](self, resource)

    def module(self, folder: str) -> Any:
        """The function's code, in which every adapter is replaced that leads to AWS or to the gateway."""
        if folder not in self._modules:
            module = self._modules[folder] = load(folder)
            for name, double in DOUBLES.items():
                if hasattr(module, name):
                    setattr(module, name, _in_place_of(getattr(module, name), double, self))
        return self._modules[folder]


def _resource(value: dict[str, str]) -> str:
    """`!GetAtt DunFunction.Arn` and `!Ref Bucket` name a resource."""
    return value.get("Fn::GetAtt", value.get("Ref", "")).split(".")[0]


def _in_place_of(original: Any, double: Callable[[Deployment], Any], deployment: Deployment) -> Any:
    """What a module calls is replaced by something to call, what it keeps by the thing itself."""
    return (lambda *_: double(deployment)) if callable(original) else double(deployment)


TASKS: Mapping[str, Callable[[Deployment, str], Callable[..., Any]]] = {
    "AWS::Serverless::Function": lambda stack, name: lambda payload: stack.call(name, payload),
    "AWS::SQS::Queue": lambda stack, name: lambda body: stack.dead_letters.setdefault(name, []).append(body),
    "AWS::S3::Bucket": lambda stack, _name: lambda key: stack.files.text(key),
}
"""Type of the resource behind a substitution → what it does when a state machine calls it."""

DOUBLES: Mapping[str, Callable[[Deployment], Any]] = {
    "books": lambda stack: stack.office.books,
    "journal": lambda stack: stack.office.books,
    "DynamoAgenda": lambda stack: stack.office.books,
    "fresh_firm": lambda stack: stack.office.firm,
    "current_firm": lambda stack: stack.office.firm,
    "deployed_clock": lambda stack: stack.office.clock,
    "UlidIds": lambda stack: stack.office.ids,
    "gateway": lambda stack: stack.office.gateway,
    "JinjaLetters": lambda stack: stack.office.letters,
    "deployed_mailer": lambda stack: stack.office.mailer,
    "payment_links": lambda _stack: SimpleNamespace(link=lambda *_ids: "https://firm.example/pay/token"),
    "totals": lambda stack: FakeTotals(stack.office.books),
    "projector": lambda stack: projector(stack.office.books),
    "source": lambda stack: FakeExportSource(stack.office.books, stack.office.firm),
    "store": lambda stack: stack.files,
    "events": lambda stack: SimpleNamespace(put_events=lambda Entries: _published(stack, Entries)),  # noqa: N803
}
"""What a handler's module calls its adapters → what stands in their place."""


def _published(stack: Deployment, entries: list[dict[str, Any]]) -> dict[str, Any]:
    stack.sent_events += entries
    return {"FailedEntryCount": 0, "Entries": [{"EventId": "event"} for _ in entries]}
