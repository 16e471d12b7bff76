"""Changes of an account, their history, and the firm's rules that accounts go by (A1, D1)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import Account, change
from remit.domain.automations import Automation
from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import require_firm
from tests.support import strategies
from tests.support.builders import NOW, account, firm

CHANGEABLE = ("name", "email", "language", "notes", "tags", "address", "contacts", "tax_ids", "default_currency")


@given(strategies.accounts, strategies.accounts, st.sets(st.sampled_from(CHANGEABLE)))
def test_A1_history_tells_what_really_changed_and_from_what(before: Account, after: Account, names: set[str]) -> None:
    wanted = {name: getattr(after, name) for name in names}
    changed, old = change(before, wanted, NOW)
    assert all(getattr(changed, name) == value for name, value in wanted.items())
    assert old == {name: getattr(before, name) for name in names if getattr(before, name) != wanted[name]}
    untouched = set(CHANGEABLE) - names
    assert all(getattr(changed, name) == getattr(before, name) for name in untouched)


def test_A1_what_is_so_already_changes_nothing() -> None:
    customer = account()
    assert change(customer, {"name": customer.name, "dunning": True}, NOW) == (customer, {})


@pytest.mark.parametrize("name", ["id", "version", "created_at", "balance"])
def test_A1_what_is_not_the_callers_to_change_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        change(account(), {name: "x"}, NOW)


@pytest.mark.parametrize("automation", Automation)
def test_D1_switching_an_automation_on_counts_from_now(automation: Automation) -> None:
    opened = account()
    assert opened.switch(automation) == opened.created_at
    off, old = change(opened, {automation: False}, NOW)
    assert (off.switch(automation), old) == (None, {automation: True})
    later = NOW + timedelta(days=9)
    on, _ = change(off, {automation: True}, later)
    assert on.switch(automation) == later


@pytest.mark.parametrize("automation", Automation)
def test_D1_every_automation_of_a_firm_is_off_until_somebody_turns_it_on(automation: Automation) -> None:
    assert firm().switched_on(automation, account()) is None


def test_D1_an_automation_runs_only_if_firm_and_account_want_it_and_from_the_later_of_both() -> None:
    customer, on = account(), firm(switches={Automation.DUNNING: NOW})
    assert on.switched_on(Automation.DUNNING, customer) == max(NOW, customer.created_at)
    off, _ = change(customer, {"dunning": False}, NOW)
    assert on.switched_on(Automation.DUNNING, off) is None
    again, _ = change(off, {"dunning": True}, NOW + timedelta(days=1))
    assert on.switched_on(Automation.DUNNING, again) == NOW + timedelta(days=1)
    assert on.switched_on(Automation.REMINDERS, again) is None


def test_a_firm_knows_its_codes_and_terms_and_names_them_when_asked_for_others() -> None:
    with pytest.raises(InvalidError) as refusal:
        firm().tax_code("VAT99")
    assert refusal.value.facts["known"] == ["EXEMPT", "REVERSE", "VAT21", "VAT9", "ZERO"]
    with pytest.raises(InvalidError, match="unknown_payment_term"):
        firm().term("net90")


def test_nothing_is_billed_in_nobodys_name() -> None:
    with pytest.raises(RuleError, match="firm_not_set_up"):
        require_firm(None)
    assert require_firm(firm()) == firm()
