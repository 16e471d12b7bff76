"""The proof of a chain of entries and its balance, whatever was posted (L6, L7). Of documents see `test_proofs.py`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain.actor import Actor, Channel
from remit.domain.audit import What
from remit.domain.journal import Balance, JournalEntry, entry_hash
from remit.usecases.account_proof import AccountProof
from tests.support.strategies import chains

type Chain = tuple[Balance, list[JournalEntry]]

OF_DOCUMENTS = {What.ACCOUNT_MISSING, What.DOCUMENT_MISSING}
"""Chains are made without the account and the documents that they are about."""


def found(balance: Balance, entries: Iterable[JournalEntry]) -> list[tuple[str, int | None]]:
    """What is wrong with the chain, and at which entry, if it is at one."""
    proof = AccountProof("acc_1")
    for thing in (balance, *entries):
        proof.add(thing)
    differences = [each for each in proof.differences() if each.what not in OF_DOCUMENTS]
    return [(each.what, int(at) if (at := each.id.rpartition(".")[2]).isdigit() else None) for each in differences]


@given(chains())
def test_L6_the_entries_reproduce_the_balance_exactly(chain: Chain) -> None:
    assert found(*chain) == []


def tampered(entry: JournalEntry, how: str) -> JournalEntry:
    old = entry.draft
    postings = tuple(replace(posting, amount_minor=posting.amount_minor + 1) for posting in old.postings)
    about = (replace(old.postings[0], document_id="inv_other"), *old.postings[1:])
    changed = {
        "amounts": replace(old, postings=postings),
        "document": replace(old, postings=about),
        "date": replace(old, effective_on=old.effective_on.replace(year=old.effective_on.year + 1, day=1)),
        "recorded": replace(old, recorded_at=old.recorded_at.replace(microsecond=1)),
        "actor": replace(old, actor=Actor("somebody", Channel.API)),
        "reason": replace(old, reason="another"),
        "order": replace(old, order_id="ord_other"),
        "documents": replace(old, documents={"invoice": ("inv_other",)}),
        "account": replace(old, account_id="acc_other"),
        "currency": replace(old, currency="USD"),
        "due date": replace(old, postings=(replace(old.postings[0], due_date=date(2001, 1, 1)), *old.postings[1:])),
        "reverses": replace(old, reverses=4711),
        "statuses": replace(old, statuses={"inv_other": ("issued", "paid")}),
    }
    return replace(entry, draft=changed[how])


@pytest.mark.parametrize(
    "how",
    [
        "amounts",
        "document",
        "date",
        "recorded",
        "actor",
        "reason",
        "order",
        "documents",
        "account",
        "currency",
        "due date",
        "reverses",
        "statuses",
    ],
)
@given(chain=chains(), data=st.data())
def test_L7_a_changed_entry_is_found_whatever_was_changed(how: str, chain: Chain, data: st.DataObject) -> None:
    balance, entries = chain
    index = data.draw(st.integers(0, len(entries) - 1))
    forged = [*entries[:index], tampered(entries[index], how), *entries[index + 1 :]]
    assert (What.ENTRY_CHANGED, index + 1) in found(balance, forged)


@given(chains(), st.data())
def test_L7_an_entry_rewritten_with_a_fitting_hash_breaks_the_chain_after_it(chain: Chain, data: st.DataObject) -> None:
    balance, entries = chain
    index = data.draw(st.integers(0, len(entries) - 2))
    forged = tampered(entries[index], "amounts")
    forged = replace(forged, hash=entry_hash(forged.draft, forged.sequence, forged.previous_hash))
    assert (What.ENTRY_UNLINKED, index + 2) in found(balance, [*entries[:index], forged, *entries[index + 1 :]])


@given(chains(), st.data())
def test_L7_entries_that_changed_places_are_found(chain: Chain, data: st.DataObject) -> None:
    balance, entries = chain
    order = data.draw(st.permutations(range(len(entries))))
    assume(order != sorted(order))
    moved = [replace(entries[index], sequence=place) for place, index in enumerate(order, 1)]
    first = next(place for place, index in enumerate(order, 1) if index != place - 1)
    assert (What.ENTRY_CHANGED, first) in found(balance, moved)


@given(chains(), st.data())
def test_L7_an_entry_copied_to_the_end_is_found(chain: Chain, data: st.DataObject) -> None:
    balance, entries = chain
    copied = replace(data.draw(st.sampled_from(entries)), sequence=balance.sequence + 1)
    assert (What.ENTRY_CHANGED, copied.sequence) in found(balance, [*entries, copied])
