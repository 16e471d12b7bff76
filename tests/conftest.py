"""Settings of all tests, and the deployed stack that scenarios and end-to-end tests share."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.scenarios.world import World

# Machines differ in speed, and a slow one must not make a true property fail. HYPOTHESIS_EXAMPLES=5000 searches longer.
settings.register_profile("remit", deadline=None, max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "25")))
settings.load_profile("remit")


@pytest.fixture(scope="session")
def world() -> "Iterator[World]":
    """One deployed stack for the whole session, with IAM enforced, and everybody around it.

    REMIT_TEST_STACK names one that runs already, to write tests without waiting for its start. Under xdist use
    `--dist loadgroup`, which keeps all that needs the stack in one worker; otherwise each worker starts its own.
    """
    from tests.scenarios.world import running_world  # unit tests need nothing of it

    if running := os.environ.get("REMIT_TEST_STACK"):
        name, reuse = running, True
    else:
        name, reuse = f"test-scenarios-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{os.getpid()}", False
    with running_world(name, reuse) as world:
        yield world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "world" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("stack"))
