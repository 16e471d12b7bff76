"""The simulator keeps its word: seeds hold, runs repeat, and a failure says how to see it again."""

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from remit.domain.invoices import NumberSeries
from simulation.__main__ import failure
from simulation.calendar import MOMENTS, daylight_saving, jump, leap_day
from simulation.operations.table import OPERATIONS
from simulation.simulator import Simulation
from simulation.world import InvariantError

ROOT = Path(__file__).resolve().parents[2]
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


SELDOM = {"finish a batch", "go on topping up"}
"""Need what happens once in ten thousand steps: a batch whose machine died in the middle and that nobody asked for again, and an
automatic top-up that has stopped."""


def test_everything_holds_against_the_adversary() -> None:
    """L1–L8, I2, I3, P2, P4, R2, W1, G3: every invariant, at every step and at the end; and every operation takes part."""
    used: set[str] = set()
    for seed in (1, 2, 3, 4, 20):
        simulation = Simulation(seed)
        simulation.run(3_000)
        used |= set(simulation.counts)
        assert simulation.world.model.entries > 600
        assert {"refused", "no answer", "the same answer again"} <= set(simulation.counts)
    assert {operation.name for operation in OPERATIONS} - used <= SELDOM


def digest_in_a_new_process(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}/layers/shared"}
    command = [sys.executable, "-m", "simulation", "--seed", "7", "--steps", "500"]
    report = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Digest of all entries: ([0-9a-f]{64})", report)
    assert found, report
    return found[1]


def test_one_seed_is_one_run_whatever_order_sets_have() -> None:
    here = Simulation(7)
    here.run(500)
    assert digest_in_a_new_process("1") == digest_in_a_new_process("31415") == here.digest.hexdigest()


def test_another_seed_is_another_run() -> None:
    runs = [Simulation(seed) for seed in (7, 8)]
    for run in runs:
        run.run(200)
    assert runs[0].digest.hexdigest() != runs[1].digest.hexdigest()


def test_a_longer_run_begins_as_the_shorter_one() -> None:
    """So that the command in a report leads to the same failure."""
    lines: list[list[str]] = [[], []]
    for steps, heard in zip((150, 300), lines, strict=True):
        Simulation(9, trace=heard.append).run(steps)
    common = [line for line in lines[0] if int(line.split()[0]) < 150]
    assert lines[1][: len(common)] == common


def test_a_failure_says_what_happened_and_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def skips(self: NumberSeries, today: date) -> tuple[NumberSeries, str, date]:
        advanced = NumberSeries(self.name, self.last + 1, today)
        return advanced, f"{self.name}-{self.last + 2:06d}", today

    monkeypatch.setattr(NumberSeries, "next", skips)
    simulation = Simulation(5)
    with pytest.raises(InvariantError) as caught:
        simulation.run(1_000)
    report = failure(simulation, caught.value)
    assert f"Seed 5, step {simulation.step}: violated: numbers are gapless and chronological" in report
    assert f"make simulate SEED=5 STEPS={simulation.step}" in report
    assert re.search(rf"\n +{simulation.step} \w+: .+ → while this was done:", report)

    again = Simulation(5)
    with pytest.raises(InvariantError) as repeated:
        again.run(simulation.step)
    assert (again.step, str(repeated.value), list(again.story)) == (simulation.step, str(caught.value), list(simulation.story))


def test_the_clock_never_jumps_backwards_and_meets_every_difficult_moment() -> None:
    random, now = Random(1), datetime(2027, 11, 1, tzinfo=UTC)
    met = set()
    for _ in range(400):
        later = jump(random, now, "Europe/Amsterdam")
        assert later >= now
        now = later + timedelta(days=random.randrange(3))
        nearest = (later.astimezone(AMSTERDAM) + timedelta(seconds=3)).replace(minute=0, second=0, microsecond=0)
        met.add((nearest.day, nearest.month, nearest.hour))
    assert {(1, 1, 0), (29, 2, 0), (1, 3, 0), (1, 12, 0)} <= met
    assert any(hour == 3 and month in (3, 10) for _, month, hour in met)


def test_moments_are_where_the_calendar_has_them() -> None:
    after = datetime(2027, 11, 1, 12, tzinfo=AMSTERDAM)
    assert leap_day(after) == datetime(2028, 2, 29, tzinfo=AMSTERDAM)
    assert daylight_saving(after) == datetime(2028, 3, 26, 3, tzinfo=AMSTERDAM)
    assert daylight_saving(after.astimezone(ZoneInfo("Asia/Kolkata"))) is None
    assert all((moment := find(after)) is None or moment > after for find in MOMENTS)
