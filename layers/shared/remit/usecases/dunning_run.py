"""One dunning run, a page of accounts at a time: who is next, how fast, and what came of it (D5, D7).

The run keeps its own state between pages (a state machine carries it), but none that matters: a run that is stopped or killed
leaves the rest due, and the next one finds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from remit.domain.firm import DUNNING_SWITCHES, Firm
from remit.domain.pacing import pace, rest_s
from remit.usecases.idempotency import persist
from remit.usecases.loading import need
from remit.usecases.ports import Agenda, AgendaKind, Books, Changes, Clock, firm_ref


class RunProgress(StrEnum):
    """How a run stands. What it has not dealt with is still due, however it ended."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DunningRun:
    """A run as its state machine knows it."""

    id: str
    state: RunProgress
    started_at: datetime
    ended_at: datetime | None


SETTLED = timedelta(minutes=2)
"""A change of the firm's is known everywhere by then: warm functions keep the profile for a minute."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at one account."""

    notices: int = 0
    reminders: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RunCounts:
    """`looked_at`: accounts, those that failed among them; `notices` and `reminders`: messages."""

    looked_at: int = 0
    notices: int = 0
    reminders: int = 0
    failed: int = 0

    def after(self, page: Sequence[Looked]) -> "RunCounts":
        return RunCounts(
            self.looked_at + len(page),
            self.notices + sum(each.notices for each in page),
            self.reminders + sum(each.reminders for each in page),
            self.failed + sum(each.failed for each in page),
        )


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands between two pages.

    `rate`: messages per second, None for the firm's own. `accounts`: those to look at now, `lanes` at the same time, after a
    rest of `rest_s` seconds. `sweep`: it looks at everybody who owes anything, whatever the agenda's date, for the firm's changes
    up to this one. `done`: there is nobody left.
    """

    rate: int | None = None
    started: bool = False
    cursor: str | None = None
    sweep: int | None = None
    accounts: tuple[str, ...] = ()
    lanes: int = 1
    rest_s: int = 0
    done: bool = False
    counts: RunCounts = field(default_factory=RunCounts)


def next_page(state: RunState, looked: Sequence[Looked], firm: Firm, books: Books, agenda: Agenda, clock: Clock) -> RunState:
    """The run's next page, given what came of the last one.

    With dunning and reminders switched off nobody is found, and nobody is forgotten either. After a change of a policy or a
    switch the run sweeps: it looks at everybody once, and when it has come to the end without a failure, says so in the
    firm's profile. A sweep that was cut short is begun again by the next run; looking once too often is harmless.
    """
    counts = state.counts.after(looked)
    now = clock.now()
    if not DUNNING_SWITCHES & firm.switches.keys():
        return replace(state, accounts=(), done=True, counts=counts)
    rate = state.rate or firm.mail_rate
    if state.started and state.cursor is None:
        if state.sweep is not None and not counts.failed:
            _mark_swept(state.sweep, books)
        return replace(state, accounts=(), done=True, counts=counts)
    sweep = state.sweep if state.started else _wanted_sweep(firm, now)
    until = date.max if sweep is not None else firm.today(now)
    going = pace(rate)
    due, cursor = agenda.due(AgendaKind.DUNNING, until.isoformat(), state.cursor, going.accounts)
    return replace(
        state,
        started=True,
        cursor=cursor,
        sweep=sweep,
        accounts=tuple(dict.fromkeys(thing.account_id for thing in due)),
        lanes=going.lanes,
        rest_s=rest_s(sum(each.notices + each.reminders for each in looked), rate),
        counts=counts,
    )


def _wanted_sweep(firm: Firm, now: datetime) -> int | None:
    """The change up to which a sweep that starts now may be noted: the last one, once everybody knows of it. Before that it
    sweeps all the same, but an invoice may still be issued by the old profile behind its back, so the next run does too."""
    changes = firm.dunning_changes
    if not changes.pending:
        return None
    return changes.count if changes.changed_at is None or now >= changes.changed_at + SETTLED else changes.swept


def _mark_swept(sweep: int, books: Books) -> None:
    """Note that everybody was looked at since the change number `sweep`."""

    def decide() -> tuple[Changes, None]:
        firm = need(books.load(firm_ref()), firm_ref())
        changes = firm.dunning_changes
        return ([replace(firm, dunning_changes=replace(changes, swept=sweep))] if changes.swept < sweep else []), None

    persist(books, decide)
