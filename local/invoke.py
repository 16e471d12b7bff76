"""Call a function's handler in this process with a sample event: ``python -m local.invoke <function> <event>``.

``<function>`` is a folder of ``functions/`` and ``<event>`` the name of a file of ``events/<function>/``, or a path.
The handler sees the environment variables that its deployed counterpart has, and reaches the running local stack
(``run``, or another one by ``--stack``) with the rights of its root account. Needs no Docker; ``sam local invoke``
takes the same event files and needs it.

A folder with several handlers, such as ``dunning``, names its events after them: ``dun.json``, ``find_due.json``,
``prepare_scheduled.json``. Where an event is about something that only a running stack has, it says ``${ACCOUNT_ID}``
and the like, which is filled from the environment variable of that name: ``ACCOUNT_ID=acc_… make invoke …``.
"""

import argparse
import importlib.util
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.stack import ROOT, Stack, StackError

LAYER = ROOT / "layers" / "shared"
PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")


@dataclass
class Context:
    """What a handler may ask of Lambda's context object."""

    function_name: str
    timeout_s: float = 15.0
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.timeout_s - (time.monotonic() - self.started)) * 1000))


def load_handler(function: str, name: str = "handler") -> Callable[[Any, Any], Any]:
    """A handler of ``functions/<function>/handler.py``, imported as on Lambda: its folder first, then the layer."""
    folder = ROOT / "functions" / function
    source = folder / "handler.py"
    if not source.is_file():
        known = sorted(path.parent.name for path in folder.parent.glob("*/handler.py"))
        raise StackError(f"There is no function {function!r}; there are: {', '.join(known)}")
    sys.path[:0] = [str(folder), str(LAYER)]
    # Its own name for each, so that the handlers of several functions can be loaded in one process.
    spec = importlib.util.spec_from_file_location(f"{function}_handler", source)
    if spec is None or spec.loader is None:
        raise StackError(f"{source} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    handler: Callable[[Any, Any], Any] = getattr(module, name)
    return handler


def load_event(function: str, event: str, values: Mapping[str, str] | None = None) -> Any:
    """The sample event, its ``${NAMES}`` filled with `values`."""
    path = event_file(function, event)
    text, values = path.read_text(), values or {}
    missing = sorted(set(PLACEHOLDER.findall(text)) - set(values))
    if missing:
        raise StackError(f"{path.name} is about something of the running stack: set {', '.join(missing)} in the environment")
    return json.loads(PLACEHOLDER.sub(lambda found: values[found[1]], text))


def values_of(stack: Stack) -> dict[str, str]:
    """What placeholders stand for: the environment, and where it is silent the customer of the walkthrough, today."""
    walked_with = stack.state().get("walked_with")
    return {"TODAY": date.today().isoformat()} | ({"ACCOUNT_ID": walked_with} if walked_with else {}) | dict(os.environ)  # noqa: DTZ011


def event_file(function: str, event: str) -> Path:
    for path in (Path(event), ROOT / "events" / function / event, ROOT / "events" / function / f"{event}.json"):
        if path.is_file():
            return path
    known = sorted(path.stem for path in (ROOT / "events" / function).glob("*.json"))
    raise StackError(f"{function!r} has no sample event {event!r}; there are: {', '.join(known) or 'none'}")


def handler_for(function: str, event: str) -> str:
    """Which handler of ``functions/<function>`` an event is for: the one that its name begins with, or the only one."""
    stem = Path(event).stem
    named = [name for name in _handlers(function) if stem == name or stem.startswith(f"{name}_")]
    return max(named, key=len, default="handler")


def logical_id(function: str, handler: str = "handler") -> str:
    """The template's resource whose code is ``functions/<function>`` and whose handler this is."""
    try:
        return _handlers(function)[handler]
    except KeyError:
        raise StackError(f"No function of the template has the handler {handler!r} of functions/{function}") from None


def _handlers(function: str) -> dict[str, str]:
    """Handler → logical id, of the functions whose code is ``functions/<function>``."""
    return {
        str(found["Properties"].get("Handler", "handler.handler")).removeprefix("handler."): str(name)
        for name, found in _resources().items()
        if found.get("Properties", {}).get("CodeUri") == f"functions/{function}"
    }


@cache
def _resources() -> dict[str, Any]:
    text = (ROOT / "template.yaml").read_text()
    # Every short intrinsic function (!Ref, !Sub ...) may stand for its argument here: only plain texts are looked at.
    # C's parser is ten times as fast, and as safe.
    parsed = yaml.load(re.sub(r"!\w+", "", text), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    resources: dict[str, Any] = parsed["Resources"]
    return resources


def deployed_environment(stack: Stack, function: str, handler: str = "handler") -> Mapping[str, str]:
    name = stack.physical_id(logical_id(function, handler))
    configuration = stack.client("lambda").get_function_configuration(FunctionName=name)
    return {**configuration.get("Environment", {}).get("Variables", {}), "AWS_LAMBDA_FUNCTION_NAME": name}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description="Call a handler with a sample event")
    parser.add_argument("function", help="a folder of functions/")
    parser.add_argument("event", help="a file of events/<function>/, without .json, or a path")
    parser.add_argument("--stack", default="run", help="which local stack it reaches (default: run)")
    options = parser.parse_args(arguments)
    stack = Stack(name=options.stack)
    try:
        if not stack.running:
            raise StackError("The local stack does not run: start it with 'make run'")
        event, handler = (
            load_event(options.function, options.event, values_of(stack)),
            handler_for(options.function, options.event),
        )
        os.environ.update(stack.environment, POWERTOOLS_TRACE_DISABLED="1")
        os.environ.update(deployed_environment(stack, options.function, handler))
        answer = load_handler(options.function, handler)(event, Context(options.function))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
