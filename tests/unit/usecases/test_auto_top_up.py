"""The automatic top-up: one at a time, in whole multiples, up to a cap, and loud when it stops (W2)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from remit.domain.accounts import AutoTopUp, PaymentMode
from remit.domain.errors import TransientError
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation
from remit.usecases.ports import AgendaKind
from tests.fakes import Fault, MachineDiedError
from tests.support import wallet
from tests.support.builders import TODAY, Office


@pytest.fixture
def account_id(office: Office) -> str:
    """25.00 in the wallet; 20.00 are bought at 10.00 or below, up to 60.00 a day, by card."""
    customer = wallet.prepaid_account(office, paid=2500, limit=5000)
    wallet.tops_up_by_card(office, customer)
    return customer


def pay(office: Office, account_id: str, invoice_id: str) -> str:
    minor = office.item(account_id, invoice_id).open_minor
    return str(office.receive(account_id, minor, allocations=[Allocation(invoice_id, minor)]).body["id"])


def top_ups(office: Office, account_id: str) -> list[int]:
    """What the top-up invoices of the account asked for."""
    return [item.total_minor for item in office.books.newest(OpenItem, account_id, None, 99)[0] if item.kind is OrderKind.TOP_UP]


def stopped(office: Office, account_id: str) -> str | None:
    return office.balance(account_id).top_up.stopped


@pytest.mark.parametrize(("used", "asked"), [(1499, []), (1500, [2000]), (2500, [2000]), (4500, [4000]), (5500, [6000])])
def test_W2_at_the_threshold_whole_multiples_are_asked_for(office: Office, account_id: str, used: int, asked: list[int]) -> None:
    wallet.charge(office, account_id, used)
    wallet.look(office, account_id)
    assert top_ups(office, account_id) == asked
    wallet.proves(office, account_id)


def test_W2_the_saved_method_is_charged_for_it_today(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    invoice_id = wallet.look(office, account_id).invoice_id
    assert invoice_id is not None
    assert office.item(account_id, invoice_id).collect_on == TODAY
    due, _ = office.books.due(AgendaKind.COLLECTION, TODAY.isoformat(), None, 9)
    assert [thing.id for thing in due] == [invoice_id]


def test_W2_one_is_pending_at_a_time_however_often_the_event_comes(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    first = wallet.look(office, account_id)
    before = office.books.state()
    assert wallet.look(office, account_id).invoice_id is None
    assert office.books.state() == before
    wallet.charge(office, account_id, 3000)
    wallet.look(office, account_id)
    assert top_ups(office, account_id) == [2000]
    assert first.invoice_id is not None
    pay(office, account_id, first.invoice_id)
    wallet.look(office, account_id)
    assert top_ups(office, account_id) == [2000, 2000]


def test_W2_two_events_at_once_ask_once(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    office.trouble.meanwhile(lambda: wallet.look(office, account_id))
    assert wallet.look(office, account_id).invoice_id is None
    assert top_ups(office, account_id) == [2000]
    wallet.proves(office, account_id)


@pytest.mark.parametrize("fault", list(Fault))
def test_W2_a_fault_while_asking_leaves_one_invoice_when_the_event_comes_again(
    office: Office, account_id: str, fault: Fault
) -> None:
    wallet.charge(office, account_id, 2000)
    office.trouble.strike(fault, on="commit")
    try:
        wallet.look(office, account_id)
    except (TransientError, MachineDiedError):
        wallet.look(office, account_id)
    assert office.trouble.pending == 0
    assert top_ups(office, account_id) == [2000]
    wallet.proves(office, account_id)


def test_W2_a_top_up_asked_for_by_hand_counts_as_pending(office: Office, account_id: str) -> None:
    wallet.top_up(office, account_id, 500)
    wallet.charge(office, account_id, 1600)
    wallet.look(office, account_id)  # 9.00 in it and 5.00 on its way
    assert top_ups(office, account_id) == [500]
    wallet.charge(office, account_id, 400)
    wallet.look(office, account_id)
    assert sorted(top_ups(office, account_id)) == [500, 2000]


def test_W2_what_is_pending_is_believed_only_when_the_index_has_caught_up(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    with office.books.lagging():
        wallet.top_up(office, account_id, 5000)
        with pytest.raises(TransientError, match="index_behind"):
            wallet.look(office, account_id)
    wallet.look(office, account_id)
    assert top_ups(office, account_id) == [5000]


def test_W2_the_cap_of_the_day_stops_it_until_somebody_turns_it_on_again(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 4500)
    asked = wallet.look(office, account_id).invoice_id
    assert asked is not None
    pay(office, account_id, asked)  # 40.00 of 60.00 are used up; the wallet has 20.00
    wallet.charge(office, account_id, 4000)
    assert wallet.look(office, account_id).stopped == "top_up_cap_reached"
    assert wallet.look(office, account_id).stopped == "top_up_cap_reached", "told as long as it is so"
    office.clock.advance(days=1)
    assert wallet.look(office, account_id).invoice_id is None, "another day does not start it again"
    wallet.restart(office, account_id)
    assert wallet.look(office, account_id).invoice_id is not None
    assert sorted(top_ups(office, account_id)) == [4000, 4000]


def test_W2_the_cap_counts_anew_each_day_of_the_firm(office: Office, account_id: str) -> None:
    for _ in range(3):
        wallet.charge(office, account_id, 4500)
        asked = wallet.look(office, account_id).invoice_id
        assert asked is not None
        pay(office, account_id, asked)
        wallet.pay_in(office, account_id, 500)
        office.clock.advance(days=1)
    assert top_ups(office, account_id) == [4000, 4000, 4000]


def test_W2_without_a_saved_method_the_customer_is_asked_and_it_stops(office: Office) -> None:
    customer = wallet.prepaid_account(office, paid=500)
    wallet.tops_up_by_card(office, customer, card=False)
    outcome = wallet.look(office, customer)
    assert outcome.invoice_id is not None
    assert (outcome.stopped, stopped(office, customer)) == ("no_saved_method", "no_saved_method")
    assert office.item(customer, outcome.invoice_id).collect_on is None


def test_W2_a_charge_of_the_saved_method_that_failed_stops_it(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    pending = wallet.look(office, account_id).invoice_id
    assert pending is not None
    payment_id = wallet.fails(office, account_id, pending)
    assert wallet.look(office, account_id, payment_id).stopped == "top_up_failed"
    assert stopped(office, account_id) == "top_up_failed"


def test_W2_a_customers_own_try_that_failed_does_not_stop_it(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    pending = wallet.look(office, account_id).invoice_id
    assert pending is not None
    payment_id = wallet.fails(office, account_id, pending, saved_method=None)
    assert wallet.look(office, account_id, payment_id).stopped is None


@pytest.mark.parametrize(
    ("ended", "why"), [({"is_void": True}, "top_up_voided"), ({"written_off_minor": 2000}, "top_up_written_off")]
)
def test_W2_a_pending_invoice_that_came_to_nothing_stops_it_and_a_person_starts_anew(
    office: Office, account_id: str, ended: dict[str, object], why: str
) -> None:
    wallet.charge(office, account_id, 2000)
    pending = wallet.look(office, account_id).invoice_id
    assert pending is not None
    pay(office, account_id, pending)  # so that nothing is open on it, whatever the reason
    wallet.charge(office, account_id, 2000)
    office.books.overwrite(replace(office.item(account_id, pending), **ended))  # type: ignore[arg-type]
    assert wallet.look(office, account_id).stopped == why
    wallet.restart(office, account_id)
    assert office.balance(account_id).top_up.pending_invoice is None
    assert wallet.look(office, account_id).invoice_id is not None


@pytest.mark.parametrize(
    "turn_off",
    [
        lambda office, account_id: office.change_account(account_id, auto_top_up=None),
        lambda office, account_id: office.change_account(account_id, auto_top_up=AutoTopUp("USD", 100, 0, 100)),
        lambda office, account_id: wallet.change_mode(office, account_id, PaymentMode.POSTPAID),
    ],
    ids=["turned off", "for another currency", "postpaid"],
)
def test_W2_nothing_is_asked_for_when_it_is_not_wanted(
    office: Office, account_id: str, turn_off: Callable[[Office, str], object]
) -> None:
    wallet.charge(office, account_id, 2000)
    turn_off(office, account_id)
    before = office.books.state()
    assert wallet.look(office, account_id) == wallet.nothing(account_id)
    assert office.books.state() == before


def test_W2_a_restart_of_what_never_stopped_changes_nothing(office: Office, account_id: str) -> None:
    wallet.charge(office, account_id, 2000)
    wallet.look(office, account_id)
    before: Balance = office.balance(account_id)
    wallet.restart(office, account_id)
    assert office.balance(account_id) == before
