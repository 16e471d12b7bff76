"""Goodwill and its three tax options (C1, C2)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.credits import TaxOption, goodwill, goodwill_amounts
from remit.domain.errors import InvalidError
from remit.domain.money import MAX_MINOR, Money
from remit.domain.tax import TaxCode, TaxKind, tax_on
from tests.support.builders import NOW, REVERSE, TODAY, VAT21, ZERO
from tests.support.strategies import amounts, tax_codes


@given(amounts, tax_codes)
def test_C2_included_means_that_the_amount_is_gross(amount: int, code: TaxCode) -> None:
    gross, tax = goodwill_amounts(amount, TaxOption.INCLUDED, code)
    assert gross == amount
    assert 0 <= tax < gross or (tax, gross) == (0, amount) or code.rate == 100
    exact = Decimal(amount) * code.rate / (100 + code.rate)
    assert abs(tax - exact) <= Decimal("0.5")


@given(amounts, tax_codes)
def test_C2_not_included_means_that_the_amount_is_net(amount: int, code: TaxCode) -> None:
    assert goodwill_amounts(amount, TaxOption.NOT_INCLUDED, code) == (amount + tax_on(amount, code), tax_on(amount, code))


@given(amounts)
def test_C2_waived_reverses_no_tax(amount: int) -> None:
    assert goodwill_amounts(amount, TaxOption.WAIVED, None) == (amount, 0)


@pytest.mark.parametrize("option", TaxOption)
@given(amount=amounts)
def test_C2_a_rate_of_zero_is_the_same_whatever_the_option(option: TaxOption, amount: int) -> None:
    assert goodwill_amounts(amount, option, None if option is TaxOption.WAIVED else ZERO) == (amount, 0)


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
        goodwill_amounts(amount, option, code)


def test_C1_tax_on_top_must_not_carry_a_credit_over_the_limit() -> None:
    with pytest.raises(InvalidError, match="amount_too_large"):
        goodwill("crd_1", "acc_1", Money(MAX_MINOR, "EUR"), TaxOption.NOT_INCLUDED, VAT21, "sorry", TODAY, NOW)


@given(amounts, st.sampled_from([VAT21, ZERO, REVERSE, TaxCode("HALF", TaxKind.STANDARD, Decimal("0.5"))]))
def test_C3_a_new_credit_is_wholly_unused(amount: int, code: TaxCode) -> None:
    credit = goodwill("crd_1", "acc_1", Money(amount, "EUR"), TaxOption.INCLUDED, code, "sorry", TODAY, NOW)
    assert credit.open_minor == credit.gross_minor == amount
    assert (credit.tax_code is not None) == (code.kind is TaxKind.STANDARD)
