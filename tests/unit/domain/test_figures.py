"""Figures are sums over postings, and the two views of an account explain its balance (A2, L5)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain import posting_rules
from remit.domain.figures import Figure, change_of
from remit.domain.journal import CASH_SIDE, CUSTOMER_ACCOUNTS, EntryDraft, EntryKind, Posting, Side
from remit.domain.payments import Dispute, DisputeStatus
from remit.domain.posting_rules import Circumstances
from tests.support.builders import CLERK, NOW, attempt

CHART = [
    *CUSTOMER_ACCOUNTS,
    "revenue:services",
    "tax:VAT21",
    "cash:stripe",
    "cash:bank_transfer",
    "refunds_in_transit",
    "discounts",
    "goodwill",
    "gateway_fees",
    "disputes",
    "bad_debt",
    "deposits",
    "top_ups",
]
"""Every kind of account that the posting rules name."""


@st.composite
def balanced(draw: st.DrawFn) -> EntryDraft:
    """Any entry at all: amounts from account to account."""
    moves = draw(
        st.lists(st.tuples(st.sampled_from(CHART), st.sampled_from(CHART), st.integers(1, 10**9)), min_size=1, max_size=6)
    )
    documents = st.sampled_from(["inv_1", "pay_1", None])
    postings = [
        posting
        for debit, credit, amount in moves
        for posting in (
            Posting(debit, Side.DEBIT, amount, draw(documents)),
            Posting(credit, Side.CREDIT, amount, draw(documents)),
        )
    ]
    return EntryDraft(EntryKind.PAYMENT_RECEIVED, "acc_1", "EUR", date(2026, 3, 2), NOW, CLERK, tuple(postings))


@given(balanced())
def test_A2_whatever_is_posted_the_balance_moves_by_income_less_cashflow(draft: EntryDraft) -> None:
    moved = {figure: change_of(draft, figure) for figure in Figure}
    assert moved[Figure.BALANCE] == moved[Figure.INCOME] - moved[Figure.CASHFLOW]
    assert moved[Figure.BALANCE] == moved[Figure.RECEIVABLE] - moved[Figure.CREDIT] - moved[Figure.PREPAID]
    assert moved[Figure.PREPAID] == moved[Figure.WALLET] + moved[Figure.GRANTED]


@given(balanced(), st.sampled_from(Figure))
def test_L5_the_documents_parts_of_a_figure_are_the_whole(draft: EntryDraft, figure: Figure) -> None:
    documents = {posting.document_id for posting in draft.postings} - {None}
    of_none = tuple(posting for posting in draft.postings if posting.document_id is None)
    rest = change_of(draft, figure) - sum(change_of(draft, figure, document) for document in documents)
    assert (rest != 0) <= bool(of_none)


@pytest.mark.parametrize("account", CHART)
def test_A2_every_account_of_the_chart_is_the_customers_own_or_in_one_of_the_views(account: str) -> None:
    draft = EntryDraft(
        EntryKind.PAYMENT_RECEIVED,
        "acc_1",
        "EUR",
        date(2026, 3, 2),
        NOW,
        CLERK,
        (Posting(account, Side.DEBIT, 100), Posting("suspense", Side.CREDIT, 100)),
    )
    views = {figure: change_of(draft, figure) for figure in (Figure.BALANCE, Figure.INCOME, Figure.CASHFLOW)}
    own = account in CUSTOMER_ACCOUNTS and account != "held"
    assert (views[Figure.BALANCE] != 0) is own
    assert (views[Figure.CASHFLOW] != 0) is account.startswith(CASH_SIDE)


def test_A2_a_dispute_withholds_cash_and_its_fee_is_cash() -> None:
    """121.00 disputed with a fee of 15.00, of which 21.00 was unapplied: that credit is gone from the balance, and so is the
    cash; the rest is the gateway's to give back, and the invoice stays paid."""
    payment = attempt(12100)
    dispute = Dispute("dp_1", DisputeStatus.OPEN, 12100, 1500, NOW, held_minor=2100)
    draft = posting_rules.dispute_opened(payment, dispute, Circumstances(date(2026, 3, 2), NOW, CLERK))
    assert change_of(draft, Figure.CASHFLOW) == -2100
    assert change_of(draft, Figure.INCOME) == 0
    assert change_of(draft, Figure.BALANCE) == 2100
    assert change_of(draft, Figure.HELD) == 2100
