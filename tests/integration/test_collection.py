"""Automatic collection on a real engine: one attempt for each time it is due, whoever runs at once or dies (S4, P4)."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from remit.domain.actor import Actor, Channel
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases.collect_invoice import Collected, collect_invoice
from remit.usecases.ports import AgendaKind, PaymentGateway
from remit.usecases.resolve_outcome import resolve_outcome
from remit.usecases.saved_methods import MethodReport, choose_default_method, save_method
from remit.usecases.tell_card_expiry import tell_card_expiry
from tests.fakes import FakeGateway, Fault, MachineDiedError
from tests.integration.office import Office
from tests.integration.state import faults_of
from tests.integration.test_races import THREADS, at_once

CLERK = Actor("clerk-1", Channel.API)
SOFT = (PaymentStatus.FAILED, "insufficient_funds", False)
HARD = (PaymentStatus.FAILED, "lost_card", True)


class Collecting:
    """An account that is charged by itself, and its invoice, which is due."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.gateway = FakeGateway(office.clock)  # type: ignore[arg-type]
        self.account = office.account()
        self.saves("pm_visa")
        office.change(self.account, collect_automatically=True)
        self.invoice = office.invoice(self.account)
        office.clock.advance(timedelta(days=31))

    def saves(self, method_id: str) -> None:
        office = self.office
        report = MethodReport(self.account, method_id, f"cus_{self.account}", office.clock.now())
        save_method(report, CLERK, office.firm, office.books, office.journal, self.gateway, office.clock)

    def chooses(self, method_id: str) -> Any:
        office = self.office
        return choose_default_method(self.account, method_id, CLERK, office.firm, office.books, office.journal, office.clock)

    def collect(self) -> Collected:
        office, gateway = self.office, self.gateway
        asked: PaymentGateway = gateway
        return collect_invoice(self.account, self.invoice, office.firm, office.books, asked, office.clock, office.ids)

    def due(self, kind: AgendaKind = AgendaKind.COLLECTION) -> list[str]:
        return [thing.account_id for thing in self.office.agenda.due(kind, self.office.today.isoformat(), None, 100)[0]]

    @property
    def attempts(self) -> list[Payment]:
        found, _ = self.office.journal.newest(Payment, self.account, None, 50)
        return found[::-1]

    def resolve(self) -> None:
        office = self.office
        for attempt in self.attempts:
            resolve_outcome(self.account, attempt.id, office.firm, office.books, self.gateway, office.clock)


@pytest.fixture
def collecting(office: Office) -> Collecting:
    return Collecting(office)


def test_S4_eight_runs_at_once_make_one_attempt_each_time_it_is_due(collecting: Collecting) -> None:
    office = collecting.office
    collecting.gateway.outcomes["pm_visa"] = SOFT
    for made in (1, 2, 3):
        assert collecting.due() == [collecting.account]
        at_once([collecting.collect] * THREADS)
        assert [attempt.collected and attempt.collected.number for attempt in collecting.attempts] == list(range(1, made + 1))
        assert len(collecting.gateway.charged) == made
        office.clock.advance(timedelta(days=3))
    collecting.gateway.outcomes["pm_visa"] = (PaymentStatus.SUCCEEDED, None, False)
    at_once([collecting.collect] * THREADS)
    assert (office.open_item(collecting.account, collecting.invoice).open_minor, collecting.due()) == (0, [])
    assert faults_of(office, [collecting.account]) == []


def test_S4_a_new_default_method_chosen_while_runs_give_up_is_charged_once(collecting: Collecting) -> None:
    collecting.gateway.outcomes["pm_visa"] = HARD
    collecting.saves("pm_master")
    collecting.collect()
    collecting.office.clock.advance(timedelta(days=3))
    runs: list[Callable[[], Any]] = [*[collecting.collect] * (THREADS - 2), *[lambda: collecting.chooses("pm_master")] * 2]
    at_once(runs)
    collecting.collect()
    assert [attempt.saved_method for attempt in collecting.attempts] == ["pm_visa", "pm_master"]
    assert collecting.office.open_item(collecting.account, collecting.invoice).open_minor == 0
    assert faults_of(collecting.office, [collecting.account]) == []


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST_REPLY])
def test_S4_P4_a_machine_that_dies_at_the_gateway_leaves_one_attempt(collecting: Collecting, fault: Fault) -> None:
    collecting.gateway.outcomes["pm_visa"] = SOFT
    collecting.gateway.trouble.strike(fault, on="charge")
    with contextlib.suppress(MachineDiedError):
        collecting.collect()
    collecting.collect()
    collecting.office.clock.advance(timedelta(minutes=5))
    collecting.resolve()
    collecting.collect()
    (attempt,) = collecting.attempts
    assert (attempt.status, attempt.failure, len(collecting.gateway.charged)) == (PaymentStatus.FAILED, "insufficient_funds", 1)
    collecting.office.clock.advance(timedelta(days=4))
    collecting.collect()
    assert len(collecting.attempts) == 2
    assert faults_of(collecting.office, [collecting.account]) == []


def test_P3_a_card_is_told_of_once_by_eight_runs_at_once(collecting: Collecting) -> None:
    office = collecting.office
    office.clock.advance(timedelta(days=1500))
    assert collecting.due(AgendaKind.CARD_EXPIRY) == [collecting.account]
    at_once([lambda: tell_card_expiry(collecting.account, office.firm, office.books, office.clock)] * THREADS)
    account, _ = office.journal.account_with_balances(collecting.account)
    assert account is not None
    assert [saved.expiry_told for saved in account.payment.saved_methods] == ["2030-01"]
    assert collecting.due(AgendaKind.CARD_EXPIRY) == []
    assert faults_of(office, [collecting.account]) == []
