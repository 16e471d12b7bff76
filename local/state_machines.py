"""``python -m local.state_machines``: docs/state_machines.md, a picture of every state machine, made from its definition.

The pictures are Mermaid's state diagrams, which GitHub draws. ``--check`` only compares with the file.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.stack import ROOT
from simulation.state_machines.machine import StateMachine

FILE = ROOT / "docs" / "state_machines.md"
DEFINITIONS = ROOT / "statemachines"

INTRODUCTION = """# The state machines

<!-- Written by `make docs` from statemachines/*.asl.yaml. Change those, not this. -->

What runs for long, or over many accounts, is a state machine of Step Functions. None of them waits for days: what is due when
stands in the table, and each execution does what is due by then. A definition says what comes next and what is tried again;
what is decided and written is in the functions that it calls. `tests/unit/state_machines` kills each machine at every step.
"""

_OPERATORS = {
    "Equals": "=",
    "GreaterThan": ">",
    "GreaterThanEquals": "≥",
    "LessThan": "<",
    "LessThanEquals": "≤",
}


def page(machines: list[StateMachine]) -> str:
    return "\n".join([INTRODUCTION, *(section(machine) for machine in machines)])


def section(machine: StateMachine) -> str:
    """One machine: what it is for, its picture, and a table of its states."""
    lines = [
        f"## [`{machine.name}`](../statemachines/{machine.name}.asl.yaml)",
        _text(machine.definition),
        "",
        "```mermaid",
        "stateDiagram-v2",
        *picture(machine.definition, "    "),
        "```",
        "",
        "| state | what it is | what for |",
        "|---|---|---|",
        *(f"| {name} | {_kind(state)} | {_text(state)} |" for name, state in machine.states()),
        "",
    ]
    return "\n".join(lines)


def picture(flow: Mapping[str, Any], indent: str) -> Iterator[str]:
    """The lines of a diagram; a map is drawn around what it does with each of its parts."""
    yield f"{indent}[*] --> {flow['StartAt']}"
    for name, state in flow["States"].items():
        if state["Type"] == "Map":
            yield f"{indent}state {name} {{"
            yield from picture(state["ItemProcessor"], f"{indent}    ")
            yield f"{indent}}}"
        for target, why in _ways(state):
            yield f"{indent}{name} --> {target}" + (f" : {why}" if why else "")


def _ways(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a state leads, and when."""
    for rule in state.get("Choices", []):
        yield rule["Next"], _condition(rule)
    if "Default" in state:
        yield state["Default"], "otherwise"
    if "Next" in state:
        yield state["Next"], ""
    if state.get("End") or state["Type"] in ("Succeed", "Fail"):
        yield "[*]", "fails" if state["Type"] == "Fail" else ""
    for catch in state.get("Catch", []):
        yield catch["Next"], "any error" if "States.ALL" in catch["ErrorEquals"] else " or ".join(catch["ErrorEquals"])


def _condition(rule: Mapping[str, Any]) -> str:
    """`{"Variable": "$.parts", "NumericGreaterThan": 0}` → `parts > 0`."""
    for word in ("And", "Or"):
        if word in rule:
            return f" {word.lower()} ".join(map(_condition, rule[word]))
    if "Not" in rule:
        return f"not ({_condition(rule['Not'])})"
    variable = rule["Variable"].removeprefix("$.")
    ((name, wanted),) = [(name, value) for name, value in rule.items() if name not in ("Variable", "Next", "Comment")]
    if name.startswith("Is"):
        return f"{variable} is {'' if wanted else 'not '}{name.removeprefix('Is').lower()}"
    if isinstance(wanted, bool):
        wanted = "true" if wanted else "false"
    operator = next(sign for word, sign in _OPERATORS.items() if name.removesuffix("Path").endswith(word))
    return f"{variable} {operator} {wanted}"


def _kind(state: Mapping[str, Any]) -> str:
    """What a state is, and what it calls or goes through."""
    match state["Type"]:
        case "Task":
            parameters = state["Parameters"]
            called = parameters.get("FunctionName") or parameters.get("QueueUrl")
            return f"calls `{called.strip('${}')}`"
        case "Map":
            processor = state["ItemProcessor"].get("ProcessorConfig", {})
            size = state.get("ItemBatcher", {}).get("MaxItemsPerBatch")
            each = f"for each {size} items" if size else "for each item"
            where = ", an execution of its own" if processor.get("Mode") == "DISTRIBUTED" else ""
            most = (
                f"`{state['MaxConcurrencyPath']}`" if "MaxConcurrencyPath" in state else state.get("MaxConcurrency", "any number")
            )
            return f"{each}{where}, {most} at once"
        case type:
            return str(type).lower()


def _text(of: Mapping[str, Any]) -> str:
    return " ".join(of.get("Comment", "").split()).replace("|", "\\|").replace("<", "\\<")


def definitions() -> list[StateMachine]:
    return [StateMachine.read(path) for path in sorted(DEFINITIONS.glob("*.asl.yaml"))]


def main(arguments: list[str], file: Path = FILE) -> int:
    text = page(definitions())
    if "--check" in arguments:
        same = file.exists() and file.read_text() == text
        print(
            f"{file.name} is what the definitions say" if same else f"{file.name} differs from the definitions: run 'make docs'"
        )
        return 0 if same else 1
    file.write_text(text)
    print(f"{file.name}: {len(definitions())} state machines")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
