"""Names of ledger accounts."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.adapters.accounting.chart import component, ledger_name
from remit.domain.errors import LedgerBrokenError
from remit.usecases.export_figures import LedgerAccount

BEANCOUNT_COMPONENT = re.compile(r"[A-Z0-9][A-Za-z0-9-]*")


@given(st.text(min_size=1))
@example("-")
@example("_")
@example("😀")
@example("a__b")
def test_any_text_becomes_a_valid_component(text: str) -> None:
    assert BEANCOUNT_COMPONENT.fullmatch(component(text))


@given(st.lists(st.text(alphabet="aAbB1_- ", min_size=1, max_size=4), unique=True))
@example(["v1", "V1", "vat", "Vat", "VAT", "a_b", "a-b", "A_B", "a b", "1"])
def test_two_accounts_never_share_a_name(texts: list[str]) -> None:
    assert len({component(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("account", "owner", "name"),
    [
        ("receivable", "acc_01jdx", "Assets:Receivable:Acc-01jdx"),
        ("credit", "acc_01jdx", "Liabilities:Credit:Acc-01jdx"),
        ("cash:bank_transfer", "", "Assets:Cash:Bank-transfer"),
        ("revenue:services", "", "Income:Services"),
        ("tax:VAT21", "", "Liabilities:Tax:VAT21"),
        ("goodwill", "", "Expenses:Goodwill"),
        ("granted", "acc_01jdx", "Liabilities:Granted:Acc-01jdx"),
        ("deposits", "", "Liabilities:Deposits"),
        ("top_ups", "", "Liabilities:Top-ups"),
        ("refunds_in_transit", "", "Liabilities:Refunds-in-transit"),
        ("disputes", "", "Assets:Disputes"),
        ("discounts", "", "Expenses:Discounts"),
        ("bad_debt", "", "Expenses:Bad-debt"),
        ("gateway_fees", "", "Expenses:Gateway-fees"),
    ],
)
def test_the_chart(account: str, owner: str, name: str) -> None:
    assert ledger_name(LedgerAccount("EUR", account, owner)) == name


def test_an_account_that_is_not_mapped_is_not_guessed() -> None:
    with pytest.raises(LedgerBrokenError, match="unmapped_account"):
        ledger_name(LedgerAccount("EUR", "suspense", ""))
