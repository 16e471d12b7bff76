"""One engine per test process with an empty table per test, and the use cases over the real adapters."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack, running_engine
from tests.integration.ledger import TABLE, adapters_on
from tests.integration.office import Office
from tests.integration.table import recreate_table


@pytest.fixture(scope="session")
def ledger_engine() -> Iterator[Stack]:
    """The engine of this test process; under xdist every worker has its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with running_engine(name=f"test-ledger-{worker}-{os.getpid()}", say=lambda _: None) as engine:
        yield engine


@pytest.fixture(scope="session")
def dynamodb(ledger_engine: Stack) -> Any:
    """A client of the engine beside the adapters' own, which no fault and no count touches."""
    return ledger_engine.client("dynamodb")


@pytest.fixture
def client(ledger_engine: Stack, dynamodb: Any) -> Iterator[Any]:
    """The adapters' shared client, on an empty table."""
    recreate_table(dynamodb, TABLE)
    with adapters_on(ledger_engine) as client:
        yield client


@pytest.fixture
def office(client: Any) -> Office:
    """A firm that is set up, with no customer yet."""
    office = Office()
    office.settle_in()
    return office
