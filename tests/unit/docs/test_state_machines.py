"""docs/state_machines.md draws every state machine as it is defined, completely."""

import re
from pathlib import Path

import pytest

from local.state_machines import FILE, definitions, main, page, picture, section
from simulation.state_machines.machine import StateMachine

MACHINES = definitions()


def test_the_page_is_what_the_definitions_say() -> None:
    assert FILE.read_text() == page(MACHINES)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_drawn_and_can_be_reached_and_left(machine: StateMachine) -> None:
    arrows = re.findall(r"^\s*(\S+) --> (\S+)", "\n".join(picture(machine.definition, "")), re.MULTILINE)
    states = [name for name, _ in machine.states()]
    assert len(states) == len(set(states)), "a name within a map is also one outside: a diagram would draw them as one"
    assert {source for source, _ in arrows} == {target for _, target in arrows} == {*states, "[*]"}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_has_a_row_and_every_decision_in_it_a_comment(machine: StateMachine) -> None:
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (.*) \|$", section(machine), re.MULTILINE)
    assert [name for name, *_ in rows[1:]] == [name for name, _ in machine.states()]
    calls = {name: comment for name, kind, comment in rows if kind.startswith(("calls", "for each"))}
    assert all(calls.values()), calls


def test_conditions_and_errors_are_written_at_the_arrows() -> None:
    states = {
        "A": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [{"Variable": "$.n", "NumericGreaterThan": 0}, {"Variable": "$.ok", "BooleanEquals": False}],
                    "Next": "B",
                },
                {"Not": {"Variable": "$.cursor", "IsNull": True}, "Next": "A"},
            ],
            "Default": "C",
        },
        "B": {"Type": "Fail"},
        "C": {"Type": "Succeed"},
    }
    assert list(picture({"StartAt": "A", "States": states}, "")) == [
        "[*] --> A",
        "A --> B : n > 0 and ok = false",
        "A --> A : not (cursor is null)",
        "A --> C : otherwise",
        "B --> [*] : fails",
        "C --> [*]",
    ]


def test_a_check_notices_a_page_that_is_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "state_machines.md"
    assert main(["--check"], file) == 1
    assert main([], file) == 0
    assert main(["--check"], file) == 0
    file.write_text(file.read_text().replace("Dun", "Done"))
    assert main(["--check"], file) == 1
    assert "run 'make docs'" in capsys.readouterr().out
