"""`python -m simulation.year`, which is `make simulate-year`."""

import argparse
import gc
import sys
import time

from simulation.world import InvariantError
from simulation.year.year import Year


def main() -> int:
    """Run one seed; 0 if everything held, 1 with the day on which it did not."""
    parser = argparse.ArgumentParser(prog="python -m simulation.year", description="Thirteen months of the sample firm.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mischief", action="store_true", help="schedules miss, fire twice, and executions die")
    chosen = parser.parse_args()
    gc.set_threshold(100_000, 50, 1_000)
    year, began = Year(chosen.seed, mischief=chosen.mischief), time.perf_counter()
    try:
        year.run()
    except InvariantError as fault:
        print(failure(year, fault))
        return 1
    print(year.table())
    print(f"Everything held at the end of every day. {year.world.model.entries} entries, seed {year.seed}.")
    print(f"{time.perf_counter() - began:.1f} s", file=sys.stderr)
    return 0


def failure(year: Year, fault: InvariantError) -> str:
    """What an engineer needs to see it happen again."""
    lines = [
        f"Seed {year.seed}, {year.clock.now():%Y-%m-%d %H:%M} UTC: violated: {fault.invariant}",
        f"  {fault.detail}",
        "The day:",
    ]
    lines += [f"  {at:%H:%M} UTC  {text}" for at, text in year.happenings]
    again = " MISCHIEF=1" if year.mischief else ""
    return "\n".join([*lines, f"Again: make simulate-year SEED={year.seed}{again}"])


if __name__ == "__main__":
    sys.exit(main())
