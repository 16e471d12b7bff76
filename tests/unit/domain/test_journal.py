"""The chain of entries, and the balance after it (L1, L2, L6, L7)."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.dynamodb.mapping import draft_from_facts
from remit.domain.errors import LedgerBrokenError
from remit.domain.journal import (
    CUSTOMER_ACCOUNTS,
    GENESIS,
    Balance,
    EntryDraft,
    EntryKind,
    JournalEntry,
    Posting,
    Side,
    canonical,
    draft_facts,
    effect,
    entry_hash,
)
from tests.support.builders import CLERK, NOW, TODAY
from tests.support.ledger import amounts_by_document
from tests.support.strategies import chains, drafts

type Chain = tuple[Balance, list[JournalEntry]]


def draft(*postings: Posting, account_id: str = "acc_1", currency: str = "EUR") -> EntryDraft:
    return EntryDraft(EntryKind.INVOICE_ISSUED, account_id, currency, TODAY, NOW, CLERK, postings)


@given(chains())
def test_L6_what_is_open_on_the_documents_sums_to_the_receivable(chain: Chain) -> None:
    balance, entries = chain
    assert sum(amounts_by_document(entries).values()) == balance.receivable_minor


@given(chains())
def test_L7_entries_are_numbered_from_one_and_each_points_to_the_one_before(chain: Chain) -> None:
    _, entries = chain
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.previous_hash for entry in entries] == [GENESIS, *(entry.hash for entry in entries[:-1])]


@given(drafts())
def test_the_stored_facts_of_an_entry_are_the_entry(made: EntryDraft) -> None:
    assert draft_from_facts(made.account_id, made.currency, draft_facts(made)) == made


@given(drafts(), st.integers(1, 10**9))
def test_L7_the_hash_follows_from_the_facts_as_they_are_stored(made: EntryDraft, sequence: int) -> None:
    again = draft_from_facts(made.account_id, made.currency, draft_facts(made))
    assert entry_hash(again, sequence, GENESIS) == entry_hash(made, sequence, GENESIS)


def test_L7_the_hash_is_the_same_for_ever() -> None:
    """Stored hashes must stay provable: whoever changes what is hashed breaks every ledger there is."""
    made = draft(Posting("receivable", Side.DEBIT, 12100, "inv_1"), Posting("revenue:sales", Side.CREDIT, 12100, "inv_1"))
    text = (
        '["acc_1","EUR",1,"' + "0" * 64 + '",{"actor":["clerk-1","api"],"documents":{},"effective_on":"2026-03-02",'
        '"kind":"invoice_issued","order_id":null,"postings":[["receivable","d",12100,"inv_1"],'
        '["revenue:sales","c",12100,"inv_1"]],"reason":null,"recorded_at":"2026-03-02T09:00:00+00:00"}]'
    )
    assert entry_hash(made, 1, GENESIS) == hashlib.sha256(text.encode()).hexdigest()


def test_canonical_text_has_one_spelling() -> None:
    assert canonical({"b": 1, "a": ["é"]}) == canonical({"a": ["é"], "b": 1}) == '{"a":["é"],"b":1}'


def test_L8_an_entry_of_another_account_or_currency_does_not_post() -> None:
    postings = (Posting("receivable", Side.DEBIT, 1, "inv_1"), Posting("revenue:sales", Side.CREDIT, 1, "inv_1"))
    for other in (draft(*postings, account_id="acc_2"), draft(*postings, currency="USD")):
        with pytest.raises(LedgerBrokenError) as broken:
            Balance("acc_1", "EUR").post(other)
        assert broken.value.code == "wrong_chain"


@pytest.mark.parametrize(
    ("account", "side"), [("receivable", Side.CREDIT), ("credit", Side.DEBIT), ("granted", Side.DEBIT), ("held", Side.DEBIT)]
)
def test_L1_no_customer_account_goes_below_zero(account: str, side: Side) -> None:
    other = Side.DEBIT if side is Side.CREDIT else Side.CREDIT
    with pytest.raises(LedgerBrokenError) as broken:
        Balance("acc_1", "EUR").post(draft(Posting(account, side, 1, "x"), Posting("cash:cash", other, 1)))
    assert broken.value.code == "negative_balance"


def test_W1_the_wallet_alone_may_go_below_zero_and_its_limit_is_checked_before_posting() -> None:
    charged = draft(Posting("wallet", Side.DEBIT, 1, "wch_1"), Posting("revenue:usage", Side.CREDIT, 1, "wch_1"))
    assert Balance("acc_1", "EUR").post(charged)[1].wallet_minor == -1


def test_A2_the_balance_is_receivable_less_credit_and_wallet() -> None:
    assert Balance("acc_1", "EUR", receivable_minor=100, credit_minor=150, wallet_minor=10).balance_minor == -60


@given(drafts())
def test_A2_the_effect_of_an_entry_is_signed_by_the_side_on_which_each_account_grows(made: EntryDraft) -> None:
    moved = effect(made)
    firms = sum(
        posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
        for posting in made.postings
        if posting.account not in CUSTOMER_ACCOUNTS
    )
    assets = moved.get("receivable", 0)
    liabilities = sum(amount for account, amount in moved.items() if account != "receivable")
    assert assets - liabilities + firms == 0
