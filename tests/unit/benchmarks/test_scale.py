"""What a dunning run costs follows who is due, never how many accounts there are (D5)."""

from collections.abc import Iterator

import pytest

from benchmarks.scale import Run, in_memory
from simulation.deployment import environment


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with environment():
        yield


def figures(run: Run) -> tuple[object, ...]:
    return run.cost, run.transitions


@pytest.fixture(scope="module")
def few() -> Run:
    with environment():
        return in_memory(100, 5)


def test_ten_times_the_accounts_cost_the_same_read_for_read_and_write_for_write(few: Run) -> None:
    assert figures(in_memory(1_000, 5)) == figures(few)


def test_who_is_not_due_costs_nothing(few: Run) -> None:
    """0 reads and 0 writes: the same as if they did not exist."""
    assert figures(in_memory(5, 5)) == figures(few)
    nobody = in_memory(200, 0)
    assert nobody.cost == in_memory(0, 0).cost
    assert nobody.cost.wru == 0


def test_each_account_that_is_due_costs_the_same(few: Run) -> None:
    none, some, more = in_memory(100, 0), few, in_memory(100, 10)
    assert some.cost.wru - none.cost.wru == more.cost.wru - some.cost.wru == 30
    assert some.cost.calls - none.cost.calls == more.cost.calls - some.cost.calls == 30
    assert some.transitions - none.transitions == more.transitions - some.transitions == 5
