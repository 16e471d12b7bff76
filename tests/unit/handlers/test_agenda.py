"""The agenda: what is due is done a thing at a time, and one that fails stops no other (P3, P4, P7)."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import pytest

from remit.domain.payments import PaymentStatus
from remit.usecases.ports import AgendaKind
from tests.fakes import Fault
from tests.support import payments as pay
from tests.support.builders import Office


def context(left_ms: int = 600_000) -> SimpleNamespace:
    names = {"function_name": "agenda", "memory_limit_in_mb": 512, "invoked_function_arn": "arn:aws:x", "aws_request_id": "1"}
    return SimpleNamespace(**names, get_remaining_time_in_millis=lambda: left_ms)


@pytest.fixture
def agenda(deployed: Callable[[str], ModuleType]) -> ModuleType:
    return deployed("agenda")


def started(office: Office) -> tuple[str, str, str]:
    """An account with a charge of unknown outcome and an authorisation: the account and their ids."""
    account_id = office.open_account()
    pay.saves(office, account_id)
    lost, held = office.invoice(account_id), office.invoice(account_id)
    office.trouble.strike(Fault.LOST_REPLY, on="charge")
    unknown = pay.charge(office, account_id, lost)
    authorized = pay.charge(office, account_id, held, capture_later=True)
    office.clock.advance(days=30)
    return account_id, unknown.id, authorized.id


def test_each_kind_is_worked_off_and_nothing_is_left(agenda: ModuleType, office: Office) -> None:
    account_id, unknown, authorized = started(office)
    done = agenda.handler({}, context())
    assert done == {"done": {"outcome": 1, "authorization": 1}, "failed": 0, "all": True}
    assert office.payment(account_id, unknown).status is PaymentStatus.SUCCEEDED
    assert office.payment(account_id, authorized).status is PaymentStatus.CANCELED
    assert office.balance(account_id).receivable_minor == 12100  # what was authorised is owed again
    assert agenda.handler({}, context()) == {"done": {}, "failed": 0, "all": True}
    pay.proves(office, account_id)


def test_what_fails_is_found_again_and_stops_no_other(agenda: ModuleType, office: Office) -> None:
    account_id, _, authorized = started(office)
    office.trouble.strike(ValueError("a bug"), on="look_up", at=2)
    first = agenda.handler({}, context())
    assert (first["failed"], first["done"].get("outcome")) == (1, 1)
    assert agenda.handler({}, context())["failed"] == 0
    assert office.payment(account_id, authorized).status is PaymentStatus.CANCELED
    pay.proves(office, account_id)


def test_a_run_ends_in_time_and_the_next_goes_on(agenda: ModuleType, office: Office) -> None:
    account_id, unknown, _ = started(office)
    assert agenda.handler({}, context(59_999)) == {"done": {}, "failed": 0, "all": False}
    assert office.payment(account_id, unknown).status is PaymentStatus.PENDING
    assert agenda.handler({}, context())["all"]
    assert office.payment(account_id, unknown).status is PaymentStatus.SUCCEEDED


def test_P4_an_outcome_that_stays_unknown_is_told_by_a_metric(
    agenda: ModuleType, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = office.open_account()
    pay.saves(office, account_id)
    office.trouble.strike(Fault.LOST_REPLY, on="charge")
    pay.charge(office, account_id, office.invoice(account_id))
    office.clock.advance(hours=25)
    office.trouble.strike(Fault.THROTTLE, on="look_up")
    assert agenda.handler({}, context())["done"] == {"outcome": 1}
    assert '"OutcomesUnknown":[1.0]' in capsys.readouterr().out.replace(" ", "")
    assert pay.due(office, AgendaKind.OUTCOME) == []


def test_P3_a_card_whose_last_month_has_begun_is_told_of_once(agenda: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    pay.saves(office, account_id)
    office.clock.advance(days=1500)
    assert agenda.handler({}, context())["done"] == {"card_expiry": 1}
    assert agenda.handler({}, context())["done"] == {}
    card = office.account(account_id).payment.default_saved
    assert card is not None
    assert card.expiry_told == card.expires == "2030-01"
