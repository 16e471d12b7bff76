"""The people of the scenarios, on the one stack of the test session (see `tests/conftest.py`)."""

from collections.abc import Callable, Iterator

import pytest

from tests.scenarios.world import Clock, Customer, Dunning, Firm, Mailbox, RecurringPayments, TheGateway, World


@pytest.fixture(autouse=True)
def a_quiet_start(world: World) -> Iterator[None]:
    """Each test begins with the usual firm, its automations off (D1), and a gateway that works."""
    world.firm.is_set_up()
    yield
    world.the_gateway.behaves()


@pytest.fixture
def firm(world: World) -> Firm:
    return world.firm


@pytest.fixture
def clock(world: World) -> Clock:
    return world.clock


@pytest.fixture
def mailbox(world: World) -> Mailbox:
    return world.mailbox


@pytest.fixture
def the_gateway(world: World) -> TheGateway:
    return world.the_gateway


@pytest.fixture
def dunning(world: World) -> Dunning:
    return world.dunning


@pytest.fixture
def recurring_payments(world: World) -> RecurringPayments:
    return world.recurring_payments


@pytest.fixture
def a_customer(world: World) -> Callable[..., Customer]:
    return world.a_customer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at the traces of the whole session comes last, and just before it what sends all sorts of things."""
    last = ("test_api_description.py", "test_logs.py")
    items.sort(key=lambda item: last.index(item.path.name) + 1 if item.path.name in last else 0)
