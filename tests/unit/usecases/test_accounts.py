"""Opening and changing accounts, and the firm's own profile (A1, D1)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from remit.domain.accounts import AccountChange, Address
from remit.domain.automations import Automation
from remit.domain.errors import ConflictError, InvalidError, NotFoundError
from remit.domain.firm import MoneyRules
from remit.domain.invoices import series_name
from remit.domain.terms import CardFee
from remit.usecases.idempotency import ATTEMPTS
from remit.usecases.ports import firm_ref
from remit.usecases.set_firm import set_firm
from tests.fakes import Fault
from tests.support.builders import CLERK, LONG_AGO, NET30, NOW, Office, firm
from tests.support.refusals import refused


def test_A1_an_account_takes_the_firms_currency_unless_it_names_its_own(office: Office) -> None:
    assert office.account(office.open_account()).default_currency == "EUR"
    assert office.account(office.open_account(default_currency="JPY")).default_currency == "JPY"


def test_A1_opening_is_the_first_line_of_the_history(office: Office) -> None:
    account_id = office.open_account(address=Address("1 High Street", "Dublin", "IE"))
    (first,), _ = office.books.newest(AccountChange, account_id, None, 9)
    assert (first.number, first.actor, first.changed_at, first.before) == (1, CLERK, NOW, {})
    assert first.after["address"]["city"] == "Dublin"


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"default_currency": "EURO"}, "unknown_currency"), ({"default_term_id": "net999"}, "unknown_payment_term")],
)
def test_A1_an_account_with_a_currency_or_term_that_does_not_exist_is_refused(
    office: Office, fields: dict[str, str], code: str
) -> None:
    with refused(office.books, code, InvalidError):
        office.open_account(**fields)
    account_id = office.open_account()
    with refused(office.books, code, InvalidError):
        office.change_account(account_id, **fields)


def test_A1_a_change_is_written_with_what_was_before_and_who_did_it(office: Office) -> None:
    account_id = office.open_account()
    office.clock.advance(days=1)
    changed = office.change_account(account_id, name="Bloom & Sons", tags=("vip",))
    assert (changed.name, changed.tags) == ("Bloom & Sons", ("vip",))
    newest = office.books.newest(AccountChange, account_id, None, 9)[0][0]
    assert (newest.number, newest.actor, newest.changed_at) == (2, CLERK, office.clock.now())
    assert newest.before == {"name": "Blooming Ltd", "tags": []}
    assert newest.after == {"name": "Bloom & Sons", "tags": ["vip"]}


def test_A1_setting_what_is_so_already_writes_nothing(office: Office) -> None:
    account_id = office.open_account()
    before = office.books.state()
    office.change_account(account_id, name="Blooming Ltd", email="ap@blooming.example")
    assert office.books.state() == before


def test_A1_an_unknown_account_is_not_changed(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        office.change_account("acc_none", name="X")


def test_A1_two_changes_at_once_both_stand_and_history_has_both(office: Office) -> None:
    account_id = office.open_account()
    office.trouble.meanwhile(lambda: office.change_account(account_id, notes="the other's"))
    office.change_account(account_id, name="Mine")
    stored = office.account(account_id)
    assert (stored.name, stored.notes) == ("Mine", "the other's")
    assert [change.number for change in office.books.newest(AccountChange, account_id, None, 9)[0]] == [3, 2, 1]


def test_A1_a_change_gives_up_after_bounded_conflicts(office: Office, pauses: list[float]) -> None:
    account_id = office.open_account()
    for n in range(1, ATTEMPTS + 1):
        office.trouble.strike(Fault.CONFLICT, on="commit", at=n)
    with refused(office.books, "changed_meanwhile", ConflictError):
        office.change_account(account_id, name="X")
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.THROTTLE])
def test_A1_a_change_whose_reply_was_lost_is_made_once(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    office.trouble.strike(fault, on="commit")
    office.change_account(account_id, name="X")
    assert office.account(account_id).name == "X"
    assert [change.number for change in office.books.newest(AccountChange, account_id, None, 9)[0]] == [2, 1]


# The firm's profile


def test_the_firms_profile_is_set_and_the_same_again_writes_nothing(office: Office) -> None:
    set_firm(firm(), office.books, office.clock)
    before = office.books.state()
    office.clock.advance(days=1)
    again = set_firm(replace(firm(), version=77), office.books, office.clock)
    assert office.books.state() == before
    assert again == office.books.read(firm_ref())


@pytest.mark.parametrize("automation", Automation)
def test_D1_a_switch_of_the_firm_counts_from_the_moment_it_goes_on_and_from_nothing_the_caller_says(
    office: Office, automation: Automation
) -> None:
    def switched(on: bool) -> object:
        wanted = firm(switches={automation: NOW - timedelta(days=999)} if on else {})
        set_firm(wanted, office.books, office.clock)
        return office.books.read(firm_ref()).switches.get(automation)

    assert switched(True) == NOW
    office.clock.advance(days=1)
    assert switched(True) == NOW
    assert switched(False) is None
    office.clock.advance(days=1)
    assert switched(True) == NOW + timedelta(days=2)


def test_two_who_set_the_profile_at_once_do_not_lose_a_switchs_time(office: Office) -> None:
    wanted = firm(switches={Automation.DUNNING: LONG_AGO})
    office.trouble.meanwhile(lambda: set_firm(wanted, office.books, office.clock))
    set_firm(replace(wanted, name="Other"), office.books, office.clock)
    stored = office.books.read(firm_ref())
    assert (stored.name, stored.switches[Automation.DUNNING], stored.version) == ("Other", NOW, 2)


def test_I3_a_new_prefix_starts_a_new_series(office: Office) -> None:
    set_firm(firm(invoice_prefix="F"), office.books, office.clock)
    assert series_name(office.books.read(firm_ref()).invoice_prefix, NOW.date()) == "F-2026"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"templates": {"products": "fancy"}}, "unknown_template"),
        ({"terms": {"c": replace(NET30, card_fee=CardFee("VAT99", Decimal(1)))}}, "unknown_tax_code"),
        ({"default_currency": "XXX"}, "unknown_currency"),
        ({"terms": {"c": replace(NET30, currency="XXX")}}, "unknown_currency"),
        ({"money": MoneyRules(refund_limits={"XXX": 1})}, "unknown_currency"),
    ],
)
def test_I7_T4_a_profile_that_names_what_it_does_not_have_is_refused(office: Office, changes: dict[str, Any], code: str) -> None:
    with refused(office.books, code, InvalidError):
        set_firm(firm(**changes), office.books, office.clock)
    set_firm(firm(templates={"products": "invoice"}), office.books, office.clock)
