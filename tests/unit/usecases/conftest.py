"""Fixtures of the use cases' tests."""

from types import SimpleNamespace

import pytest

from remit.usecases import idempotency
from tests.support.builders import Office


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, in seconds: noted instead of waited for."""
    noted: list[float] = []
    monkeypatch.setattr(idempotency, "time", SimpleNamespace(sleep=noted.append))
    return noted


@pytest.fixture
def office() -> Office:
    return Office()
