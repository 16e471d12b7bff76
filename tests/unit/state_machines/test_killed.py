"""Killed at any step and started again, every state machine does what one undisturbed run does: nothing twice, nobody left out.

Two ways to die: the execution stops before or after a step of the machine (O3); or a function dies in the middle of its work,
before or after a write or a mail, with its execution or alone. What follows is what an operator or the next schedule does: the
machine is started again with the same input.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import RemitError, TransientError
from remit.domain.exports import Export, ExportStatus
from remit.usecases.send_message import LEASE
from simulation.deployment import Deployment, environment, state_machines
from simulation.state_machines.machine import Moment, Status, Step, Watcher
from tests.fakes import Fault, MachineDiedError
from tests.support.executions import SCENARIOS, execute, mortal

MACHINES = sorted(SCENARIOS)
MODULES = {"RecurringPayments": "recurring_payments", "AccountSummaries": "summaries"}
DEATHS = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)


class KilledError(BaseException):
    """The execution is gone."""


def at(number: int, moment: Moment) -> Watcher:
    def kill(step: Step, now: Moment) -> None:
        if (step.number, now) == (number, moment):
            raise KilledError(step)

    return kill


def steps_of(machine: str) -> int:
    """How many steps an undisturbed run takes."""
    ended = execute(SCENARIOS[machine].deployed(), machine)
    assert ended.status is Status.SUCCEEDED, ended
    return len(ended.steps)


def undisturbed(machine: str) -> Deployment:
    stack = SCENARIOS[machine].deployed()
    execute(stack, machine)
    return stack


def start_again(stack: Deployment, machine: str) -> None:
    """Some time later: what a dead machine had claimed is free again."""
    stack.office.clock.set(stack.office.clock.now() + LEASE)
    assert execute(stack, machine, "second").status is Status.SUCCEEDED


def mails(stack: Deployment) -> Counter[str]:
    return Counter(mail.message_id for mail in stack.office.mailer.sent)


def test_every_state_machine_of_the_template_is_killed_here() -> None:
    assert set(SCENARIOS) == set(state_machines())


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("machine", MACHINES)
def test_D7_killed_at_any_step_and_started_again_is_as_never_killed(machine: str, moment: Moment) -> None:
    """D7, Q4, L6: counted over all steps, those of the parts of maps included."""
    outcome = SCENARIOS[machine].outcome
    expected = outcome(undisturbed(machine))
    for number in range(1, steps_of(machine) + 1):
        stack = SCENARIOS[machine].deployed()
        with pytest.raises(KilledError):
            execute(stack, machine, watch=at(number, moment))
        start_again(stack, machine)
        assert outcome(stack) == expected, f"killed {moment} step {number}"
        assert set(mails(stack).values()) <= {1}, f"killed {moment} step {number}"
        assert stack.dead_letters == {}


@given(deaths=st.lists(st.tuples(st.integers(1, 24), st.sampled_from(Moment)), max_size=5))
def test_D7_killed_again_and_again_nobody_hears_twice(deaths: list[tuple[int, Moment]]) -> None:
    with environment():
        stack = SCENARIOS["Dunning"].deployed()
        for number, moment in deaths:
            try:
                execute(stack, "Dunning", watch=at(number, moment))
            except KilledError:
                stack.office.clock.set(stack.office.clock.now() + LEASE)
        start_again(stack, "Dunning")
        assert SCENARIOS["Dunning"].outcome(stack) == SCENARIOS["Dunning"].outcome(undisturbed("Dunning"))
        assert set(mails(stack).values()) == {1}


def acts_of(machine: str) -> list[str]:
    """What the functions of an undisturbed run do to the world, in order: `commit`, `send`."""
    stack = SCENARIOS[machine].deployed()
    stack.office.trouble.steps.clear()
    execute(stack, machine)
    return [step for step in stack.office.trouble.steps if step != "load"]


def between_sending_and_marking(acts: list[str], number: int, death: Fault) -> bool:
    """Whether the mail provider has the mail and the table does not know yet: the one window in which a mail goes out again."""
    last_done = number - 1 if death is Fault.CRASH_AFTER else number - 2
    return last_done >= 0 and acts[last_done] == "send"


@pytest.mark.parametrize("reported", [False, True], ids=["with_its_execution", "alone"])
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("machine", MACHINES)
def test_D7_a_function_that_dies_at_any_write_or_mail_is_made_up_for(machine: str, death: Fault, reported: bool) -> None:
    """D7: and a mail is repeated only if it died after the provider took it and before that was written down."""
    outcome = SCENARIOS[machine].outcome
    expected, acts = outcome(undisturbed(machine)), acts_of(machine)
    for number in range(1, len(acts) + 1):
        where = f"died {death} {acts[number - 1]} {number}"
        stack = SCENARIOS[machine].deployed()
        stack.office.trouble.strike(death, at=number)
        if reported:
            execute(stack, machine, tasks=mortal(stack.tasks(machine)))
        else:
            with pytest.raises(MachineDiedError):
                execute(stack, machine)
        assert stack.office.trouble.pending == 0, where
        start_again(stack, machine)
        assert outcome(stack) == expected, where
        twice = [times for times in mails(stack).values() if times != 1]
        assert twice == ([2] if between_sending_and_marking(acts, number, death) else []), where


# One that always fails


ERRORS = [
    TransientError("mail_busy", "Try again."),
    ValueError("a bug"),
    RemitError("letter_broken", "This template has a fault."),
]
every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


def attempts_at(error: Exception) -> int:
    """How often a step is made that always ends so."""
    return 9 if isinstance(error, TransientError) else 1


@every_error
@pytest.mark.parametrize(
    ("machine", "task", "told"),
    [
        ("Dunning", "dunning", {"0@customer.example", "3@customer.example"}),
        ("AccountSummaries", "account_summary", {"0@customer.example", "3@customer.example"}),
    ],
)
def test_D5_one_account_that_always_fails_stops_no_other_and_is_kept_aside(
    machine: str, task: str, told: set[str], error: Exception
) -> None:
    """D3, D5."""
    stack = SCENARIOS[machine].deployed()
    stack.office.mailer.refused["2@customer.example"] = error  # type: ignore[assignment]
    ended = execute(stack, machine)
    assert ended.status is Status.SUCCEEDED
    assert {mail.to for mail in stack.office.mailer.sent} == told
    (kept,) = stack.dead_letters.values()
    assert {(letter["task"], letter["error"]) for letter in kept} == {(task, type(error).__name__)}
    assert {stack.office.account(letter["account_id"]).email for letter in kept} == {"2@customer.example"}
    assert max(step.attempt for step in ended.steps) == attempts_at(error)
    # It stays in the agenda: once its trouble is over, the next run finds it.
    stack.office.mailer.refused.clear()
    start_again(stack, machine)
    assert SCENARIOS[machine].outcome(stack) == SCENARIOS[machine].outcome(undisturbed(machine))
    assert set(mails(stack).values()) == {1}


@every_error
@pytest.mark.parametrize(
    ("machine", "function", "task"),
    [
        ("RecurringPayments", "renew_subscription", "renew"),
        ("RecurringPayments", "collect_invoice", "collect"),
        ("AccountSummaries", "plan_enrolments", "plan_summaries"),
    ],
)
def test_S2_one_that_always_fails_stops_no_other_and_is_kept_aside(
    machine: str, function: str, task: str, error: Exception
) -> None:
    """D3, P3, S2: a subscription, an invoice or a schedule. The next run finds it, and nothing was lost by then."""
    stack = SCENARIOS[machine].deployed()
    module = stack.module(MODULES[machine])
    works = getattr(module, function)
    bad: list[Any] = []

    def fails_for_one(*about: Any, **more: Any) -> Any:
        if not bad:
            bad.append(about[:2])
        if about[:2] == bad[0]:
            raise error
        return works(*about, **more)

    setattr(module, function, fails_for_one)
    ended = execute(stack, machine)
    assert ended.status is Status.SUCCEEDED
    ((letter,),) = stack.dead_letters.values()
    assert (letter["task"], letter["error"]) == (task, type(error).__name__)
    assert max(step.attempt for step in ended.steps) == attempts_at(error)
    setattr(module, function, works)
    start_again(stack, machine)
    assert SCENARIOS[machine].outcome(stack) == SCENARIOS[machine].outcome(undisturbed(machine))


def test_D5_a_provider_that_is_busy_for_a_while_delays_and_loses_nothing() -> None:
    stack = SCENARIOS["Dunning"].deployed()
    for at_ in range(1, 9):
        stack.office.trouble.strike(Fault.THROTTLE, on="send", at=at_)
    assert execute(stack, "Dunning").status is Status.SUCCEEDED
    assert SCENARIOS["Dunning"].outcome(stack) == SCENARIOS["Dunning"].outcome(undisturbed("Dunning"))
    assert stack.dead_letters == {}


def test_L6_a_part_that_cannot_be_proved_fails_the_audit() -> None:
    stack = SCENARIOS["Auditor"].deployed()
    stack.module("auditor").audit_accounts = _always_fails
    ended = execute(stack, "Auditor")
    assert (ended.status, ended.error) == (Status.FAILED, "States.ExceedToleratedFailureThreshold")
    assert not any(key.endswith("report.json") for key in stack.files.files)


def test_Q4_an_export_that_fails_says_why_also_if_it_dies_while_saying_so() -> None:
    for moment in Moment:
        stack = SCENARIOS["AccountingExport"].deployed()
        stack.module("accounting_export").write_files = _always_fails
        attempts = [step.state for step in execute(SCENARIOS["AccountingExport"].deployed(), "AccountingExport").steps]
        assert attempts == ["Prepare", "WriteFiles", "Publish", "Done"]
        with pytest.raises(KilledError):
            execute(stack, "AccountingExport", watch=_in("RecordFailure", moment))
        ended = execute(stack, "AccountingExport", "second")
        assert (ended.status, ended.error) == (Status.FAILED, "TransientError")
        (export,) = stack.office.books.all(Export)
        assert (export.status, export.failure) == (ExportStatus.FAILED, "always: This never works.")


def _in(state: str, moment: Moment) -> Watcher:
    def kill(step: Step, now: Moment) -> None:
        if (step.state, now) == (state, moment):
            raise KilledError(step)

    return kill


def _always_fails(*_: object) -> None:
    raise TransientError("always", "This never works.")
