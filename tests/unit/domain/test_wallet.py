"""The prepaid wallet and limits (A4, A5, W1, W2, W3)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import AutoTopUp, ModeChange, PaymentMode
from remit.domain.errors import InvalidError, RuleError
from remit.domain.journal import Balance, TopUpState
from remit.domain.wallet import Draw, draw, require_credit, top_up_due, withdrawable
from tests.support.builders import TODAY, account

amounts = st.integers(0, 5_000)
PREPAID = (ModeChange(date(2020, 1, 1), PaymentMode.PREPAID),)


def wallet(paid: int, given_minor: int = 0, **more: object) -> Balance:
    return Balance("acc_1", "EUR", wallet_minor=paid, granted_minor=given_minor, **more)  # type: ignore[arg-type]


@given(st.integers(-2_000, 5_000), amounts, st.integers(1, 9_000), st.integers(0, 2_000))
def test_W1_a_charge_takes_what_was_given_first_and_never_goes_below_the_limit(
    paid: int, given_minor: int, charge: int, limit: int
) -> None:
    if charge > paid + given_minor + limit:
        with pytest.raises(RuleError) as refusal:
            draw(wallet(paid, given_minor), charge, limit)
        assert refusal.value.facts["available_minor"] == max(0, paid + given_minor + limit)
        return
    drawn = draw(wallet(paid, given_minor), charge, limit)
    assert drawn.granted_minor + drawn.wallet_minor == charge
    assert 0 <= drawn.granted_minor == min(given_minor, charge)
    assert paid + given_minor - charge >= -limit


def test_W1_the_docstrings_example() -> None:
    assert draw(wallet(1_000, 500), 1_700, 300) == Draw(500, 1_200)
    with pytest.raises(RuleError, match="wallet_too_low"):
        draw(wallet(1_000, 500), 1_801, 300)


@given(st.integers(-2_000, 5_000), amounts)
def test_W3_only_what_was_paid_can_be_taken_back(paid: int, given_minor: int) -> None:
    assert withdrawable(wallet(paid, given_minor)) == max(0, paid)


@given(amounts, amounts, amounts, amounts)
def test_A5_a_postpaid_account_owes_no_more_than_its_limit(limit: int, owed: int, unbilled: int, charge: int) -> None:
    balance = wallet(0, receivable_minor=owed, unbilled_minor=unbilled)
    customer = account(credit_limits={"EUR": limit})
    if owed + unbilled + charge > limit:
        with pytest.raises(RuleError) as refusal:
            require_credit(customer, balance, charge, TODAY)
        assert refusal.value.facts == {
            "limit_minor": limit,
            "owed_minor": owed + unbilled,
            "available_minor": max(0, limit - owed - unbilled),
        }
    else:
        require_credit(customer, balance, charge, TODAY)


def test_A5_postpaid_without_a_limit_has_none_and_prepaid_without_one_has_nothing_to_draw_on() -> None:
    require_credit(account(credit_limits={"USD": 0}), wallet(0), 10**12, TODAY)
    require_credit(account(mode_changes=PREPAID), wallet(100), 100, TODAY)
    with pytest.raises(RuleError, match="wallet_too_low"):
        require_credit(account(mode_changes=PREPAID), wallet(100), 101, TODAY)
    require_credit(account(mode_changes=PREPAID, credit_limits={"EUR": 1}), wallet(100), 101, TODAY)


def test_A4_the_mode_of_the_day_decides() -> None:
    later = (ModeChange(TODAY + timedelta(days=1), PaymentMode.PREPAID),)
    require_credit(account(mode_changes=later), wallet(0), 1, TODAY)
    with pytest.raises(RuleError):
        require_credit(account(mode_changes=later), wallet(0), 1, TODAY + timedelta(days=1))


# Automatic top-up


@given(st.integers(-5_000, 5_000), st.integers(1, 2_000), st.integers(0, 3_000), amounts)
def test_W2_a_top_up_lifts_the_wallet_above_its_threshold_by_the_fewest_multiples(
    paid: int, amount: int, threshold: int, pending: int
) -> None:
    due = top_up_due(wallet(paid), AutoTopUp("EUR", amount, threshold, 10**9), pending, TODAY)
    assert due % amount == 0
    assert (due == 0) == (paid + pending > threshold)
    if due:
        assert paid + pending + due > threshold >= paid + pending + due - amount


def test_W2_the_docstrings_example() -> None:
    assert top_up_due(wallet(-3_500), AutoTopUp("EUR", 2_000, 1_000, 10_000), 0, TODAY) == 6_000


@pytest.mark.parametrize(("day", "allowed"), [(TODAY, False), (TODAY - timedelta(days=1), True), (None, True)])
def test_W2_the_cap_is_that_of_one_day(day: date | None, allowed: bool) -> None:
    balance = wallet(0, top_up=TopUpState(day=day, day_minor=2_000))
    wanted = AutoTopUp("EUR", 2_000, 0, 3_999)
    if allowed:
        assert top_up_due(balance, wanted, 0, TODAY) == 2_000
    else:
        with pytest.raises(RuleError) as refusal:
            top_up_due(balance, wanted, 0, TODAY)
        assert refusal.value.facts == {"daily_cap_minor": 3_999, "topped_up_minor": 2_000}


@pytest.mark.parametrize(("amount", "threshold", "cap"), [(0, 0, 1), (1, -1, 1), (2, 0, 1)])
def test_W2_a_top_up_that_makes_no_sense_is_refused(amount: int, threshold: int, cap: int) -> None:
    with pytest.raises(InvalidError, match="bad_auto_top_up"):
        AutoTopUp("EUR", amount, threshold, cap)
