"""Fixtures of the use cases' tests."""

from collections.abc import Iterator

import pytest

from tests.fakes import no_waiting
from tests.support.builders import Office


@pytest.fixture(autouse=True)
def pauses() -> Iterator[list[float]]:
    """The pauses between attempts, in seconds: noted instead of waited for."""
    with no_waiting() as noted:
        yield noted


@pytest.fixture
def office() -> Office:
    return Office()
