"""Credits: the three tax options, what each kind may pay, and until when (C1, C2, C3, C5, C7)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption, credit_amounts, new_credit
from remit.domain.errors import InvalidError, RuleError
from remit.domain.money import MAX_MINOR, Money
from remit.domain.orders import OrderKind, SubscriptionPeriod
from remit.domain.tax import TaxCode, TaxKind, tax_on
from tests.support.builders import NOW, REVERSE, TODAY, VAT21, ZERO, open_item
from tests.support.strategies import amounts, tax_codes


@given(amounts, tax_codes)
def test_C2_included_means_that_the_amount_is_gross(amount: int, code: TaxCode) -> None:
    gross, tax = credit_amounts(amount, TaxOption.INCLUDED, code)
    assert gross == amount
    assert 0 <= tax < gross or (tax, gross) == (0, amount) or code.rate == 100
    exact = Decimal(amount) * code.rate / (100 + code.rate)
    assert abs(tax - exact) <= Decimal("0.5")


@given(amounts, tax_codes)
def test_C2_not_included_means_that_the_amount_is_net(amount: int, code: TaxCode) -> None:
    assert credit_amounts(amount, TaxOption.NOT_INCLUDED, code) == (amount + tax_on(amount, code), tax_on(amount, code))


@given(amounts)
def test_C2_waived_reverses_no_tax(amount: int) -> None:
    assert credit_amounts(amount, TaxOption.WAIVED, None) == (amount, 0)


@pytest.mark.parametrize("option", TaxOption)
@given(amount=amounts)
def test_C2_a_rate_of_zero_is_the_same_whatever_the_option(option: TaxOption, amount: int) -> None:
    assert credit_amounts(amount, option, None if option is TaxOption.WAIVED else ZERO) == (amount, 0)


@pytest.mark.parametrize(
    ("amount", "option", "code", "refusal"),
    [
        (0, TaxOption.INCLUDED, VAT21, "amount_not_positive"),
        (-100, TaxOption.WAIVED, None, "amount_not_positive"),
        (100, TaxOption.WAIVED, VAT21, "tax_code_not_wanted"),
        (100, TaxOption.INCLUDED, None, "tax_code_missing"),
        (100, TaxOption.NOT_INCLUDED, None, "tax_code_missing"),
    ],
)
def test_C2_options_that_contradict_themselves_are_refused(
    amount: int, option: TaxOption, code: TaxCode | None, refusal: str
) -> None:
    with pytest.raises(InvalidError, match=refusal):
        credit_amounts(amount, option, code)


def credit(amount: int = 1210, option: TaxOption = TaxOption.INCLUDED, code: TaxCode | None = VAT21, **terms: Any) -> Credit:
    """A new credit of today."""
    agreed = CreditTerms(**{"kind": CreditKind.GOODWILL, "reason": "sorry"} | terms)
    return new_credit("crd_1", "acc_1", Money(amount, "EUR"), option, code, agreed, TODAY, NOW)


def test_C1_tax_on_top_must_not_carry_a_credit_over_the_limit() -> None:
    with pytest.raises(InvalidError, match="amount_too_large"):
        credit(MAX_MINOR, TaxOption.NOT_INCLUDED)


@given(amounts, st.sampled_from([VAT21, ZERO, REVERSE, TaxCode("HALF", TaxKind.STANDARD, Decimal("0.5"))]))
def test_C3_a_new_credit_is_wholly_unused(amount: int, code: TaxCode) -> None:
    made = credit(amount, code=code)
    assert made.open_minor == made.gross_minor == amount
    assert (made.tax_code is not None) == (code.kind is TaxKind.STANDARD)


@given(st.integers(1, 10_000), st.integers(1, 20_000))
def test_C3_no_more_is_taken_than_is_left(amount: int, wish: int) -> None:
    made = credit(amount)
    if wish > amount:
        with pytest.raises(RuleError) as refusal:
            made.take(wish)
        assert (refusal.value.code, refusal.value.facts["open_minor"]) == ("allocation_exceeds_credit", amount)
    else:
        assert made.take(wish).available_minor == amount - wish
        assert made.take(wish).put_back(wish) == made


FIRST, LAST = SubscriptionPeriod("sub_1", 1, is_first=True), SubscriptionPeriod("sub_1", 9, is_final=True)
MIDDLE, OTHER = SubscriptionPeriod("sub_1", 5), SubscriptionPeriod("sub_2", 1, is_first=True, is_final=True)


@pytest.mark.parametrize(
    ("kind", "payable"),
    [(CreditKind.FIRST_PAYMENT, [FIRST]), (CreditKind.LAST_PAYMENT, [LAST])],
)
def test_C1_a_first_or_last_payment_credit_pays_that_invoice_of_its_subscription_only(
    kind: CreditKind, payable: list[SubscriptionPeriod]
) -> None:
    made = credit(kind=kind, subscription_id="sub_1")
    for period in (FIRST, LAST, MIDDLE, OTHER, None):
        item = replace(open_item(), subscription=period, ordered_at=NOW)
        if period in payable:
            made.require_usable(item, TODAY, pays_instalments=False)
        else:
            with pytest.raises(RuleError, match="credit_not_for_this_invoice"):
                made.require_usable(item, TODAY, pays_instalments=False)


@pytest.mark.parametrize(("hours", "usable"), [(-1, False), (0, True), (1, True), (None, False)])
def test_C1_goodwill_pays_orders_placed_after_it_was_given_only(hours: int | None, usable: bool) -> None:
    ordered_at = None if hours is None else NOW + timedelta(hours=hours)
    item = replace(open_item(), ordered_at=ordered_at)
    if usable:
        credit().require_usable(item, TODAY, pays_instalments=False)
    else:
        with pytest.raises(RuleError) as refusal:
            credit().require_usable(item, TODAY, pays_instalments=False)
        assert refusal.value.facts["pays"] == "orders placed after it was given"


@pytest.mark.parametrize(("days", "usable"), [(-1, True), (0, True), (1, False)])
def test_C7_a_credit_can_be_used_up_to_the_end_of_its_last_day(days: int, usable: bool) -> None:
    made, item = credit(expires_on=TODAY), replace(open_item(), ordered_at=NOW)
    if usable:
        made.require_usable(item, TODAY + timedelta(days=days), pays_instalments=False)
    else:
        with pytest.raises(RuleError, match="credit_expired"):
            made.require_usable(item, TODAY + timedelta(days=days), pays_instalments=False)


def test_C5_instalments_are_paid_by_credits_only_if_the_firm_says_so() -> None:
    part = open_item().parts[0]
    item = replace(open_item(), ordered_at=NOW, parts=(part, part))
    credit().require_usable(item, TODAY, pays_instalments=True)
    with pytest.raises(RuleError) as refusal:
        credit().require_usable(item, TODAY, pays_instalments=False)
    assert (refusal.value.code, refusal.value.facts["setting"]) == ("invoice_in_instalments", "credits_pay_instalments")


def test_R7_refunded_money_is_not_paid_back_with_a_credit() -> None:
    item = replace(open_item(), ordered_at=NOW, kind=OrderKind.REFUND_REVERSAL)
    with pytest.raises(RuleError, match="invoice_needs_money"):
        credit().require_usable(item, TODAY, pays_instalments=True)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"kind": CreditKind.CREDIT_MEMO}, "credit_needs_invoice"),
        ({"kind": CreditKind.FIRST_PAYMENT}, "subscription_mismatch"),
        ({"kind": CreditKind.LAST_PAYMENT}, "subscription_mismatch"),
        ({"subscription_id": "sub_1"}, "subscription_mismatch"),
        ({"expires_on": TODAY - timedelta(days=1)}, "expiry_in_past"),
    ],
)
def test_C1_terms_that_contradict_themselves_are_refused(terms: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        credit(**terms)
    assert refusal.value.code == code
