"""What the wallet gives, and when it is topped up (A5, W1–W3)."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import AutoTopUp, ModeChange, PaymentMode
from remit.domain.errors import RuleError
from remit.domain.journal import Balance, TopUpState
from remit.domain.wallet import draw, require_credit, top_up_due, wallet_limit, withdrawable
from tests.support.builders import TODAY, account

amounts = st.integers(0, 10**9)


def wallet(paid: int, given: int = 0, **more: Any) -> Balance:
    return Balance("acc_1", "EUR", wallet_minor=paid, granted_minor=given, **more)


@given(paid=st.integers(-(10**9), 10**9), given_=amounts, amount=st.integers(1, 10**9), limit=amounts)
def test_W1_a_charge_is_drawn_in_full_or_refused_and_never_below_the_limit(
    paid: int, given_: int, amount: int, limit: int
) -> None:
    balance = wallet(paid, given_)
    fits = amount <= paid + given_ + limit
    if not fits:
        with pytest.raises(RuleError) as refusal:
            draw(balance, amount, limit)
        assert refusal.value.facts["available_minor"] == max(0, paid + given_ + limit)
        return
    drawn = draw(balance, amount, limit)
    assert drawn.granted_minor + drawn.wallet_minor == amount
    assert 0 <= drawn.granted_minor <= given_
    assert drawn.wallet_minor >= 0
    assert (paid - drawn.wallet_minor) + (given_ - drawn.granted_minor) >= -limit


@given(paid=st.integers(-(10**9), 10**9), given_=amounts)
def test_W3_only_what_was_paid_is_withdrawable(paid: int, given_: int) -> None:
    assert withdrawable(wallet(paid, given_)) == max(0, paid)


@pytest.mark.parametrize(("day", "limit"), [(-1, 0), (0, 700), (1, 700)])
def test_A5_the_limit_is_the_wallets_while_the_account_is_prepaid(day: int, limit: int) -> None:
    customer = account(credit_limits={"EUR": 700}, mode_changes=(ModeChange(TODAY, PaymentMode.PREPAID),))
    assert wallet_limit(customer, "EUR", TODAY.replace(day=TODAY.day + day)) == limit
    assert wallet_limit(customer, "USD", TODAY) == 0


@given(open_=amounts, unbilled=amounts, limit=amounts, amount=st.integers(1, 10**9))
def test_A5_a_postpaid_account_owes_no_more_than_its_limit(open_: int, unbilled: int, limit: int, amount: int) -> None:
    balance = wallet(0, receivable_minor=open_, unbilled_minor=unbilled)
    customer = account(credit_limits={"EUR": limit})
    if open_ + unbilled + amount <= limit:
        require_credit(customer, balance, amount, TODAY)
        return
    with pytest.raises(RuleError) as refusal:
        require_credit(customer, balance, amount, TODAY)
    available = refusal.value.facts["available_minor"]
    assert available == max(0, limit - open_ - unbilled) < amount
    if available:
        require_credit(customer, balance, available, TODAY)


@given(paid=st.integers(-(10**6), 10**6), unbilled=amounts, limit=amounts, amount=st.integers(1, 10**9))
def test_A5_what_a_refusal_calls_available_can_be_ordered(paid: int, unbilled: int, limit: int, amount: int) -> None:
    customer = account(credit_limits={"EUR": limit}, mode_changes=(ModeChange(TODAY, PaymentMode.PREPAID),))
    balance = wallet(paid, unbilled_minor=unbilled)
    try:
        require_credit(customer, balance, amount, TODAY)
        assert amount + unbilled <= paid + limit
    except RuleError as refusal:
        assert amount + unbilled > paid + limit
        if available := refusal.facts["available_minor"]:
            require_credit(customer, balance, available, TODAY)


@given(
    covered=st.integers(-(10**6), 10**6),
    pending=st.integers(0, 10**5),
    amount=st.integers(1, 10**5),
    threshold=st.integers(0, 10**5),
    so_far=st.integers(0, 10**5),
    extra=st.integers(0, 10**6),
)
def test_W2_a_top_up_is_the_fewest_multiples_that_lift_the_wallet_above_the_threshold(
    covered: int, pending: int, amount: int, threshold: int, so_far: int, extra: int
) -> None:
    wanted = AutoTopUp("EUR", amount, threshold, amount + extra)
    balance = replace(wallet(covered), top_up=TopUpState(None, TODAY, so_far))
    missing = max(0, threshold + 1 - covered - pending)
    fewest = math.ceil(Fraction(missing, amount)) * amount
    if fewest and so_far + fewest > wanted.daily_cap_minor:
        with pytest.raises(RuleError, match="top_up_cap_reached") as refusal:
            top_up_due(balance, wanted, pending, TODAY)
        assert refusal.value.facts == {"daily_cap_minor": wanted.daily_cap_minor, "topped_up_minor": so_far}
        return
    assert top_up_due(balance, wanted, pending, TODAY) == fewest
