"""State machines over the fakes, with nothing logged and nothing waited for."""

from collections.abc import Iterator

import pytest

from simulation import deployment


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    with deployment.environment():
        yield
