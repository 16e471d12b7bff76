"""Handlers in this process, with the environment of a deployed function and no way to AWS."""

from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.fakes import no_waiting
from tests.support.builders import Office
from tests.support.handlers import ENVIRONMENT, load


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
def deployed(office: Office, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Loads a function over the office's books, clock, ids and gateway instead of AWS."""

    def load_over_fakes(function: str) -> ModuleType:
        module = load(function)
        fakes: dict[str, Any] = {
            "books": office.books,
            "journal": office.books,
            "DynamoAgenda": lambda: office.books,
            "current_firm": lambda _books: office.firm,
            "fresh_firm": lambda _books: office.firm,
            "deployed_clock": lambda: office.clock,
            "UlidIds": lambda _clock: office.ids,
            "stripe_gateway": lambda _api_base: office.gateway,
            "gateway": lambda: office.gateway,
            "payment_links": lambda *_base_url: SimpleNamespace(link=lambda *_ids: "https://firm.example/pay/token"),
            "JinjaLetters": lambda *_: office.letters,
            "deployed_mailer": lambda _firm: office.mailer,
        }
        for name, fake in fakes.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, fake)
        return module

    return load_over_fakes
