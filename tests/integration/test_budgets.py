"""Every operation stays within its budget of request units and calls (docs: the budgets of the ledger)."""

import pytest

from benchmarks.budgets import HISTORY, Figure, costs_of, measured_on, table_of
from benchmarks.metering import item_bytes, number_bytes
from benchmarks.month import page
from local.stack import ROOT, Stack


@pytest.fixture(scope="module")
def figures(ledger_engine: Stack) -> list[Figure]:
    return measured_on(ledger_engine)


def test_every_operation_is_within_its_budget(figures: list[Figure]) -> None:
    assert [excess for figure in figures for excess in figure.excesses] == [], "\n" + table_of(figures)


def test_the_stores_figures_are_those_of_awss_rules(figures: list[Figure]) -> None:
    assert [figure.disagreement for figure in figures if figure.disagreement] == []


def test_history_costs_nothing(figures: list[Figure]) -> None:
    """The same operation costs the same, with 1,000 invoices behind it as without."""
    cost = {figure.operation: (figure.reported.wru, figure.reported.rru, figure.reported.calls) for figure in figures}
    behind = "… with 1000 paid and 60 open ones behind it"
    webhooks = [figure.reported for figure in figures if "webhook to posted" in figure.operation or figure.operation == behind]
    assert webhooks[-1] == webhooks[-2]
    assert cost["dunning run, per account due: one overdue invoice"] == cost["… with 1000 invoices behind it"]


def test_an_invoice_due_before_all_that_are_open_costs_17_write_units(figures: list[Figure]) -> None:
    """One above the budget of issuing, and none can be saved: six items and their place in the indexes at the least that each
    can cost (a kilobyte; twice that in a transaction). The account's place in the agenda moves to the earlier day, and DynamoDB
    charges a moved index key as a delete and a put. To leave it where it was would let dunning come too late."""
    figure = next(each for each in figures if each.operation == "… due earlier than all that are open")
    items = dict.fromkeys(("invoice", "open_item", "entry", "balance", "series", "guard"), 2)
    indexes = {"index agenda": 2, "index listing": 2, "index open": 1}
    assert figure.computed.parts == items | indexes
    assert figure.reported.wru == 17


def test_readme_tells_what_a_month_costs_by_the_measured_figures(figures: list[Figure]) -> None:
    assert page(costs_of(figures)) in (ROOT / "README.md").read_text()


def test_D9_a_notice_that_charges_costs_17_write_units_more_for_each_invoice(figures: list[Figure]) -> None:
    """An invoice costs 13 without a guard; its order is written with it, as is the note on the late invoice. The balance's
    place in the agenda moves once, with the notice."""
    by_name = {figure.operation: figure for figure in figures}
    one, behind, three = (
        by_name[name].reported
        for name in (
            "dunning run, per account charged a late fee and interest",
            f"… with {HISTORY} invoices behind it, and charged",
            "… for three overdue invoices",
        )
    )
    assert (one.wru, one.rru, one.calls) == (behind.wru, behind.rru, behind.calls) == (23, 8.5, 11)
    longer_letter = 2
    assert (three.wru, three.rru, three.calls) == (23 + 2 * 17 + longer_letter, 8.5 + 2 * 5, 11 + 2 * 3)
    items = {"invoice": 2, "entry": 2, "order": 2, "series": 2, "open_item": 4, "balance": 3, "message": 2}
    indexes = {"index agenda": 2, "index listing": 3, "index open": 1}
    assert by_name["dunning run, per account charged a late fee and interest"].computed.parts == items | indexes


@pytest.mark.parametrize(
    ("number", "size"), [("0", 1), ("7", 2), ("12", 2), ("123", 3), ("12100", 3), ("-12100", 4), ("1000000", 2), ("1234567", 5)]
)
def test_the_size_of_a_number_goes_by_its_significant_digits(number: str, size: int) -> None:
    assert number_bytes(number) == size


def test_the_size_of_an_item_is_that_of_its_names_and_values() -> None:
    assert item_bytes({"PK": {"S": "é"}, "n": {"N": "7"}, "b": {"B": b"123"}}) == (2 + 2) + (1 + 2) + (1 + 3)
