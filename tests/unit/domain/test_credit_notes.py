"""Credit notes, for any lines and any sequence of them (C2, C6)."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from remit.domain.credit_notes import (
    CreditNoteTerms,
    LineCredit,
    all_lines,
    credit_lines,
    creditable_shares,
    new_credit_note,
)
from remit.domain.credits import TaxOption
from remit.domain.errors import RuleError
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.open_items import DiscountOffer, OpenItem, TakenDiscount
from remit.domain.orders import Discount, LineRequest, LineShare, price
from tests.support.builders import NOW, TODAY, account, firm, issued, order

line_requests = st.builds(
    LineRequest,
    st.just("a thing"),
    st.decimals(Decimal("0.01"), Decimal(50), places=2),
    st.integers(1, 10**6),
    st.sampled_from(["VAT21", "VAT9", "ZERO", "REVERSE"]),
    st.sampled_from(["goods", "services"]),
)


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Invoice, OpenItem]:
    requests = draw(st.lists(line_requests, min_size=1, max_size=5))
    priced = price(requests, "EUR", firm(), prices_include_tax=draw(st.booleans()))
    invoice, item, _ = issued(replace(order(), priced=priced))
    return invoice, item


wishes = st.lists(
    st.tuples(
        st.integers(1, 5), st.none() | st.integers(1, 10**6), st.sampled_from([TaxOption.INCLUDED, TaxOption.NOT_INCLUDED])
    ),
    max_size=8,
)


def credit(invoice: Invoice, item: OpenItem, option: TaxOption, *lines: LineCredit) -> tuple[OpenItem, int]:
    """The item with a credit note more on it, and the note's gross."""
    priced = credit_lines(invoice, item, lines, option)
    terms = CreditNoteTerms("returned", option)
    note, lot, marked, _ = new_credit_note(
        "crn_1", invoice, item, priced, terms, NumberSeries("CN-2026"), TODAY, NOW, apply=False
    )
    assert note.gross_minor == note.net_minor + note.tax_minor == lot.gross_minor
    assert sum(s.taxable_minor + s.tax_minor for s in note.subtotals()) == note.gross_minor
    assert sum(note.net_by_category().values()) == note.net_minor
    return marked, note.gross_minor


def tried(invoice: Invoice, item: OpenItem, option: TaxOption, *lines: LineCredit) -> tuple[OpenItem, RuleError | None]:
    """The item after the credit note, or as it was with the refusal."""
    try:
        return credit(invoice, item, option, *lines)[0], None
    except RuleError as refusal:
        return item, refusal


@given(invoices(), wishes)
def test_C6_no_sequence_of_credit_notes_credits_a_line_above_it_and_the_last_gives_back_exactly_its_tax(
    billed: tuple[Invoice, OpenItem], asked: list[tuple[int, int | None, TaxOption]]
) -> None:
    invoice, item = billed
    shares = creditable_shares(invoice, item)
    for number, amount, option in asked:
        if number > len(shares):
            continue
        before = item
        item, refusal = tried(invoice, item, option, LineCredit(number, amount))
        if refusal:
            left = shares[number - 1].gross_minor - sum(c.gross_minor for c in before.credited if c.line == number)
            assert (refusal.code, refusal.facts["creditable_minor"]) == ("credit_exceeds_line", left)
        for each in item.credited:
            share = shares[each.line - 1]
            assert 0 <= each.net_minor <= share.net_minor
            assert 0 <= each.tax_minor <= share.tax_minor
    if item.credited_minor < invoice.priced.totals.gross_minor:
        item, _ = credit(invoice, item, TaxOption.INCLUDED, *all_lines(invoice, item))
    credited = {each.line: (each.net_minor, each.tax_minor) for each in item.credited}
    assert credited == {n: (s.net_minor, s.tax_minor) for n, s in enumerate(shares, 1) if s.gross_minor}
    assert sum(net + tax for net, tax in credited.values()) == invoice.priced.totals.gross_minor


@given(invoices(), st.integers(1, 10**6))
def test_C2_waived_credits_reverse_no_tax_and_never_more_than_the_net(billed: tuple[Invoice, OpenItem], amount: int) -> None:
    invoice, item = billed
    share = creditable_shares(invoice, item)[0]
    item, refusal = tried(invoice, item, TaxOption.WAIVED, LineCredit(1, amount))
    assert (refusal is None) == (amount <= share.net_minor)
    assert [(each.net_minor, each.tax_minor) for each in item.credited] == ([] if refusal else [(amount, 0)])


def test_C6_a_note_names_its_invoice_by_id_number_and_date() -> None:
    invoice, item, _ = issued()
    priced = credit_lines(invoice, item, [LineCredit(1)], TaxOption.INCLUDED)
    terms = CreditNoteTerms("returned", rma="RMA-1")
    note, lot, marked, series = new_credit_note(
        "crn_1", invoice, item, priced, terms, NumberSeries("CN-2026", 6), TODAY, NOW, apply=True
    )
    assert (note.number, series.last) == ("CN-2026-000007", 7)
    assert (note.invoice_id, note.invoice_number, note.invoice_issued_on) == (invoice.id, invoice.number, invoice.issued_on)
    assert (note.buyer.name, note.applied_minor, lot.open_minor) == (account().name, 12100, 0)
    assert marked.credit_notes == ("crn_1",)


def test_C6_what_was_credited_before_a_discount_was_taken_stays_credited() -> None:
    """Two lines of 100.00, one of them credited, then 2.00 of discount: 98.00 is left to credit, all of it on the other."""
    priced = price([LineRequest("a thing", Decimal(1), 10000, "ZERO")] * 2, "EUR", firm(), prices_include_tax=False)
    invoice, item, _ = issued(replace(order(), priced=priced))
    marked, _ = credit(invoice, item, TaxOption.INCLUDED, LineCredit(1))
    offer = DiscountOffer(TODAY, Discount(200, ()))
    early = replace(marked, discount=offer, taken_discount=TakenDiscount("pay_1", offer.discount))
    assert creditable_shares(invoice, early) == (LineShare(10000, 0), LineShare(9800, 0))
    assert all_lines(invoice, early) == (LineCredit(2),)
