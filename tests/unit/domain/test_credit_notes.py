"""Credit notes: a line given back bit by bit is exactly the line (C2, C6, R3)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.credit_notes import (
    CreditNoteTerms,
    LineCredit,
    credit_lines,
    credit_of_line,
    issue_credit_note,
    left_on_line,
    require_creditable,
)
from remit.domain.credits import CreditKind, TaxOption
from remit.domain.errors import InvalidError, RuleError
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.open_items import CreditedLine, OpenItem
from remit.domain.orders import LineShare, OrderKind
from tests.support import strategies
from tests.support.builders import NOW, TODAY, issued, line, order

INCLUDED, NET, WAIVED = TaxOption.INCLUDED, TaxOption.NOT_INCLUDED, TaxOption.WAIVED
SERIES = NumberSeries("CN-2026")
shares = st.builds(LineShare, st.integers(0, 10_000), st.integers(0, 10_000)).filter(lambda share: share.gross_minor > 0)


@given(shares, st.data())
def test_C6_a_line_credited_gross_in_any_pieces_gives_back_exactly_its_net_and_tax(share: LineShare, data: st.DataObject) -> None:
    net = tax = 0
    while net + tax < share.gross_minor:
        left = left_on_line(share, CreditedLine(1, net, tax))
        wish = data.draw(st.none() | st.integers(1, left.gross_minor))
        piece = credit_of_line(share, left, wish, INCLUDED)
        assert piece.gross_minor == (left.gross_minor if wish is None else wish)
        assert 0 <= piece.net_minor <= left.net_minor
        assert 0 <= piece.tax_minor <= left.tax_minor
        net, tax = net + piece.net_minor, tax + piece.tax_minor
    assert LineShare(net, tax) == share


@given(shares.filter(lambda share: share.net_minor > 0), st.data())
def test_C6_a_line_credited_net_in_any_pieces_gives_back_exactly_its_net_and_tax(share: LineShare, data: st.DataObject) -> None:
    net = tax = 0
    while net < share.net_minor:
        left = left_on_line(share, CreditedLine(1, net, tax))
        wish = data.draw(st.integers(1, left.net_minor))
        piece = credit_of_line(share, left, wish, NET)
        assert piece.net_minor == wish
        assert 0 <= piece.tax_minor <= left.tax_minor
        net, tax = net + piece.net_minor, tax + piece.tax_minor
    assert LineShare(net, tax) == share


@given(strategies.invoices(), st.data())
def test_C6_all_lines_together_give_back_exactly_the_invoices_net_and_tax(
    made: tuple[Invoice, OpenItem, NumberSeries], data: st.DataObject
) -> None:
    invoice, item, _ = made
    worth = [number for number, share in enumerate(invoice.priced.shares(), 1) if share.gross_minor]
    net = tax = 0
    for number in data.draw(st.permutations(worth)):
        (credited,) = credit_lines(invoice, item, [LineCredit(number)], INCLUDED)
        net, tax = net + credited.net_minor, tax + credited.tax_minor
    assert (net, tax) == (invoice.priced.totals.net_minor, invoice.priced.totals.tax_minor)


@given(strategies.invoices())
def test_I4_the_shares_of_the_lines_are_the_totals_exactly(made: tuple[Invoice, OpenItem, NumberSeries]) -> None:
    priced = made[0].priced
    assert sum(share.net_minor for share in priced.shares()) == priced.totals.net_minor
    assert sum(share.tax_minor for share in priced.shares()) == priced.totals.tax_minor
    by_category: dict[str, int] = {}
    for line_, share in zip(priced.lines, priced.shares(), strict=True):
        by_category[line_.category] = by_category.get(line_.category, 0) + share.net_minor
    assert by_category == dict(priced.totals.net_by_category)


def test_C2_half_a_line_by_every_option() -> None:
    share = LineShare(10_000, 2_100)
    assert credit_of_line(share, share, 6_050, INCLUDED) == LineShare(5_000, 1_050)
    assert credit_of_line(share, share, 5_000, NET) == LineShare(5_000, 1_050)
    assert credit_of_line(share, share, 5_000, WAIVED) == LineShare(5_000, 0)
    assert credit_of_line(share, share, None, WAIVED) == LineShare(10_000, 0)


@pytest.mark.parametrize(("option", "cap"), [(INCLUDED, 12_100), (NET, 10_000), (WAIVED, 10_000)])
def test_C6_no_more_than_a_line_has_left_is_credited_and_the_refusal_says_how_much(option: TaxOption, cap: int) -> None:
    invoice, item, _ = issued(order(line(10_000)))
    credit_lines(invoice, item, [LineCredit(1, cap)], option)
    with pytest.raises(RuleError) as refusal:
        credit_lines(invoice, item, [LineCredit(1, cap + 1)], option)
    assert refusal.value.code == "credit_exceeds_line"
    assert refusal.value.facts == {"line": 1, "creditable_minor": 12_100, "creditable_net_minor": 10_000}


def test_C6_a_line_that_is_credited_has_nothing_left() -> None:
    invoice, item, _ = issued(order(line(10_000)))
    item = replace(item, credited=(CreditedLine(1, 10_000, 2_100),))
    for wish in (None, 1):
        with pytest.raises(RuleError, match="credit_exceeds_line"):
            credit_lines(invoice, item, [LineCredit(1, wish)], INCLUDED)


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ([], "no_lines"),
        ([LineCredit(1), LineCredit(1)], "duplicate_line"),
        ([LineCredit(0)], "no_such_line"),
        ([LineCredit(3)], "no_such_line"),
        ([LineCredit(1, 0)], "amount_not_positive"),
        ([LineCredit(1, -1)], "amount_not_positive"),
    ],
)
def test_C6_wishes_that_make_no_sense_are_refused(wishes: list[LineCredit], code: str) -> None:
    invoice, item, _ = issued(order(line(), line()))
    with pytest.raises(InvalidError) as refusal:
        credit_lines(invoice, item, wishes, INCLUDED)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (OrderKind.TOP_UP, "top_up_not_creditable"),
        (OrderKind.CREDIT_REVERSAL, "reversal_not_creditable"),
        (OrderKind.REFUND_REVERSAL, "reversal_not_creditable"),
    ],
)
def test_C6_what_is_no_sale_is_not_credited(kind: OrderKind, code: str) -> None:
    with pytest.raises(RuleError, match=code):
        require_creditable(replace(issued()[1], kind=kind))


def test_C6_void_and_deducted_invoices_are_not_credited() -> None:
    item = issued()[1]
    require_creditable(item)
    with pytest.raises(RuleError, match="invoice_void"):
        require_creditable(item.void())
    with pytest.raises(RuleError, match="deposit_deducted") as refusal:
        require_creditable(replace(item, deducted_on="inv_9"))
    assert refusal.value.facts == {"invoice_id": "inv_9"}


@pytest.mark.parametrize(("paid", "apply", "applied"), [(0, True, 6_050), (8_100, True, 4_000), (12_100, True, 0), (0, False, 0)])
def test_C1_a_note_lowers_its_invoice_first_and_the_rest_is_a_refundable_memo(paid: int, apply: bool, applied: int) -> None:
    invoice, item, _ = issued(order(line(10_000)))
    item = item.settle(paid, "pay_1") if paid else item
    lines = credit_lines(invoice, item, [LineCredit(1, 6_050)], INCLUDED)
    note, credit, marked, series = issue_credit_note(
        "cn_1", invoice, item, lines, CreditNoteTerms("returned", rma="RMA-7"), SERIES, TODAY, NOW, apply=apply
    )
    assert (note.number, note.net_minor, note.tax_minor, note.applied_minor) == ("CN-2026-000001", 5_000, 1_050, applied)
    assert (note.invoice_number, note.invoice_issued_on, note.rma) == (invoice.number, invoice.issued_on, "RMA-7")
    assert (credit.kind, credit.gross_minor, credit.is_refundable) == (CreditKind.CREDIT_MEMO, 6_050, True)
    assert (marked.credited, marked.credit_notes) == ((CreditedLine(1, 5_000, 1_050),), ("cn_1",))
    assert marked.open_minor == item.open_minor, "what the note takes off is for the operation to post"
    assert series.last == 1
