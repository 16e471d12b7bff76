"""Handlers in this process, with the environment of a deployed function and no way to AWS."""

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from simulation.deployment import Deployment
from tests.fakes import no_waiting
from tests.support.builders import Office
from tests.support.handlers import ENVIRONMENT


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with no_waiting():
        yield


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def deployed(office: Office) -> Callable[[str], ModuleType]:
    """Loads a function over the office's books, clock, ids and gateway instead of AWS."""

    return Deployment(office).module
