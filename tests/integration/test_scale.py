"""The store in memory that counts says of a dunning run what the engine says of it, so that its figures for large firms hold."""

from benchmarks.scale import in_memory, on_engine
from local.stack import Stack
from simulation.deployment import environment


def test_a_run_costs_in_memory_what_it_costs_on_the_engine(ledger_engine: Stack) -> None:
    with environment():
        lived, counted = on_engine(ledger_engine, 60, 3), in_memory(60, 3)
    assert (lived.cost.wru, lived.cost.rru, lived.cost.calls) == (counted.cost.wru, counted.cost.rru, counted.cost.calls)
    assert lived.transitions == counted.transitions
