"""`python -m simulation`, which is `make simulate`."""

import argparse
import gc
import sys
import time

from simulation.simulator import Simulation
from simulation.world import InvariantError


def main() -> int:
    """Run one seed; 0 if everything held, 1 with a report on what did not."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description="All of billing, against an adversary.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--trace", action="store_true", help="print every step")
    chosen = parser.parse_args()
    # Nearly all that a run makes stays: full collections would take a fifth of its time and find nothing.
    gc.set_threshold(100_000, 50, 1_000)
    began = time.perf_counter()

    def tell(step: int) -> None:
        if step % 10_000 == 0:
            print(f"  {step:>8}  of {chosen.steps} steps held, {time.perf_counter() - began:.0f} s", flush=True)

    simulation = Simulation(chosen.seed, trace=print if chosen.trace else None, progress=tell)
    try:
        simulation.run(chosen.steps)
    except InvariantError as fault:
        print(failure(simulation, fault))
        return 1
    print(success(simulation, time.perf_counter() - began))
    return 0


def failure(simulation: Simulation, fault: InvariantError) -> str:
    """What an engineer needs to see it happen again."""
    return "\n".join(
        [
            f"Seed {simulation.seed}, step {simulation.step}: violated: {fault.invariant}",
            f"  {fault.detail}",
            "The last operations:",
            *simulation.story,
            f"Again: make simulate SEED={simulation.seed} STEPS={simulation.step}",
            "Every step of it: the same with TRACE=1",
        ]
    )


def success(simulation: Simulation, seconds: float) -> str:
    world = simulation.world
    counts = "\n".join(f"  {count:>8}  {name}" for name, count in simulation.counts.most_common())
    return "\n".join(
        [
            f"Seed {simulation.seed}: {simulation.step} steps, until {world.clock.now():%Y-%m-%d}, everything held.",
            counts,
            f"  {world.model.entries:>8}  entries of {len(world.model.customers)} customers",
            f"Digest of all entries: {simulation.digest.hexdigest()}",
            f"{seconds:.1f} s, {simulation.step / seconds:.0f} steps a second",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
