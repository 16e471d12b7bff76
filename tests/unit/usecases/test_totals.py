"""The firm's totals count each entry exactly once, whatever happens to the stream (guarantee 6, L4, L6, Q1, V4)."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.domain.errors import ConflictError, LedgerBrokenError, RuleError, TransientError
from remit.domain.journal import Balance, JournalEntry, Posting, Side
from remit.domain.totals import ChainMark, Totals, TotalsGenerations
from remit.usecases.idempotency import ATTEMPTS
from remit.usecases.ports import chain_mark_ref
from remit.usecases.project_entries import MAX_ENTRIES
from remit.usecases.read_totals import ageing, month_totals, status_counts
from remit.usecases.rebuild_totals import begin, compare, finish, rebuild_page
from tests.fakes import FakeBooks, Fault, MachineDiedError
from tests.support.builders import TODAY, Office
from tests.support.totals import FakeTotals, busy_firm, counted, projector, stored, tampered

FAULTS = (*Fault, None)


PAST = busy_firm()


def rebuilt(books: FakeBooks) -> dict[Any, Any]:
    """What a rebuild from the entries alone makes of the totals."""
    rebuild = begin(books, FakeTotals(books))
    cursor: str | None = None
    while True:
        _, cursor = rebuild_page(cursor, 3, books, books, projector(books))
        if cursor is None:
            return stored(books, rebuild.built)


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[JournalEntry]]:
    """The stream's batches as they may come: split anywhere, repeated, overtaking each other, and some of them never."""
    order = draw(st.permutations(PAST.entries)) if draw(st.booleans()) else PAST.entries
    cuts = sorted({0, len(order), *draw(st.lists(st.integers(0, len(order)), max_size=8))})
    batches = [list(order[first:last]) for first, last in pairwise(cuts)]
    repeated = draw(st.lists(st.sampled_from(batches), max_size=4))
    lost = draw(st.sets(st.integers(0, len(batches) - 1), max_size=2))
    kept = [batch for number, batch in enumerate(batches) if number not in lost]
    return draw(st.permutations([*kept, *repeated]))


def deliver(books: FakeBooks, batch: list[JournalEntry]) -> None:
    """A batch until it is done: what failed, or died, is delivered again, in halves."""
    try:
        projector(books).project(batch)
    except (MachineDiedError, TransientError, ConflictError):
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]) if middle else (batch,):
            deliver(books, half)


@settings(max_examples=60, deadline=None)
@given(deliveries(), st.lists(st.sampled_from(FAULTS), max_size=12))
def test_L4_L6_any_delivery_with_any_faults_gives_exactly_the_rebuilds_totals(
    batches: list[list[JournalEntry]], faults: list[Fault | None]
) -> None:
    """Interleaved, split, repeated, late and lost batches; conflicts, throttles, lost replies and crashes at any commit."""
    books = PAST.ledger_alone()
    for number, fault in enumerate(faults, 1):
        if fault:
            books.trouble.strike(fault, on="commit", at=number)
    for batch in batches:
        deliver(books, batch)
    books.trouble.clear()
    newest = {(entry.draft.account_id, entry.draft.currency): entry for entry in PAST.entries}
    deliver(books, list(newest.values()))
    assert stored(books) == counted(PAST.entries)
    assert rebuilt(books) == stored(books)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", range(1, 6))
def test_L4_whatever_strikes_at_a_commit_counts_nothing_twice_and_loses_nothing(fault: Fault, at: int) -> None:
    books = PAST.ledger_alone()
    books.trouble.strike(fault, on="commit", at=at)
    deliver(books, PAST.entries[:40])
    assert stored(books) == counted(
        entry
        for entry in PAST.entries
        if entry.sequence <= books.read(chain_mark_ref(entry.draft.account_id, entry.draft.currency)).last(1).sequence
    )
    deliver(books, PAST.entries)
    assert stored(books) == counted(PAST.entries)


def test_two_at_once_count_each_entry_once() -> None:
    books = PAST.ledger_alone()
    books.trouble.meanwhile(lambda: projector(books).project(PAST.entries))
    projector(books).project(PAST.entries)
    assert books.trouble.pending == 0
    assert stored(books) == counted(PAST.entries)


def test_a_store_that_stays_busy_is_given_up_on_after_a_bounded_number_of_attempts() -> None:
    books = PAST.ledger_alone()
    for at in range(1, ATTEMPTS + 1):
        books.trouble.strike(Fault.THROTTLE, on="commit", at=at)
    with pytest.raises(TransientError):
        projector(books).project(PAST.entries[:1])
    assert books.trouble.steps.count("commit") == ATTEMPTS


def test_a_repeat_writes_nothing() -> None:
    books = PAST.ledger_alone()
    projector(books).project(PAST.entries)
    before = books.state()
    projector(books).project(PAST.entries)
    assert books.state() == before


def test_a_long_chain_that_was_never_counted_is_counted_in_portions() -> None:
    """The first entry that the stream brings of an old account."""
    books, balance = Office().books, Balance("acc_1", "EUR")
    draft = PAST.entries[0].draft
    entries = []
    for _ in range(MAX_ENTRIES * 2 + 1):
        entry, balance = balance.post(replace(draft, account_id="acc_1"))
        books.overwrite(entry)
        entries.append(entry)
    projector(books).project(entries[-1:])
    assert books.trouble.steps.count("commit") == 3
    assert stored(books) == counted(entries)


def test_totals_of_many_months_fit_into_transactions_of_a_hundred_items() -> None:
    books, balance = Office().books, Balance("acc_1", "EUR")
    draft = PAST.entries[0].draft
    entries = []
    for number in range(150):
        day = TODAY + timedelta(days=31 * number)
        parts = (Posting("receivable", Side.DEBIT, 12100, "inv_1", day), Posting("revenue:x", Side.CREDIT, 12100))
        entry, balance = balance.post(replace(draft, account_id="acc_1", effective_on=day, postings=parts))
        books.overwrite(entry)
        entries.append(entry)
    projector(books).project(entries)
    assert stored(books) == counted(entries)


def test_L7_a_chain_with_a_missing_or_changed_entry_is_not_counted_past_it() -> None:
    books = PAST.ledger_alone()
    chain = PAST.office.entries(PAST.accounts[0])
    books.erase(chain[1])
    with pytest.raises(LedgerBrokenError) as refused:
        projector(books).project(chain[2:])
    assert refused.value.code == "chain_broken"
    for entry in chain:
        books.erase(entry)
    with pytest.raises(LedgerBrokenError) as refused:
        projector(books).catch_up([PAST.office.balance(PAST.accounts[0])])
    assert refused.value.code == "entry_missing"
    assert stored(books) == {}


# Rebuild


def test_L6_a_rebuild_replaces_totals_that_are_wrong() -> None:
    books = PAST.ledger_alone()
    store = FakeTotals(books)
    projector(books).project(PAST.entries)
    tampered(books, "debit:receivable", by=1)
    rebuild = begin(books, store)
    cursor: str | None = None
    accounts = 0
    while accounts < len(PAST.accounts):
        count, cursor = rebuild_page(cursor, 2, books, books, projector(books))
        accounts += count
    (difference,) = compare(rebuild, store, wait=lambda _: None)
    assert (difference.name, difference.read - difference.rebuilt) == ("debit:receivable", 1)
    assert "its entries say" in str(difference)
    finish(rebuild, books, store, replace=True)
    finish(rebuild, books, store, replace=True)  # after a lost answer
    assert stored(books, rebuild.built) == counted(PAST.entries)
    assert stored(books, rebuild.read) == {}, "the totals that were wrong are gone"


def test_a_check_changes_nothing_that_is_read() -> None:
    books = PAST.ledger_alone()
    store = FakeTotals(books)
    projector(books).project(PAST.entries)
    before = books.all(Totals)
    rebuild = begin(books, store)
    rebuild_page(None, 100, books, books, projector(books))
    assert compare(rebuild, store) == ()
    finish(rebuild, books, store, replace=False)
    assert books.all(Totals) == before
    projector(books).project(PAST.entries)
    assert books.all(Totals) == before


def test_entries_that_come_in_during_a_rebuild_are_in_both() -> None:
    """Whether their account was counted already or not."""
    past = busy_firm()
    books, store = past.books, FakeTotals(past.books)
    rebuild = begin(books, store)
    _, cursor = rebuild_page(None, 3, books, books, projector(books))
    for account in past.accounts:
        past.office.receive(account, 77)
        projector(books).project([past.office.entries(account)[-1]])
    while cursor:
        _, cursor = rebuild_page(cursor, 3, books, books, projector(books))
    assert compare(rebuild, store) == ()
    finish(rebuild, books, store, replace=True)
    assert stored(books, rebuild.built) == counted(
        entry for account in past.accounts for currency in ("EUR", "USD") for entry in past.office.entries(account, currency)
    )
    assert {mark.last(rebuild.read).sequence for mark in books.all(ChainMark)} != {0}
    past.office.receive(past.accounts[0], 1)
    projector(books).project([past.office.entries(past.accounts[0])[-1]])
    assert past.books.read(chain_mark_ref(past.accounts[0], "EUR")).last(rebuild.read).sequence == 0


def test_a_difference_between_two_reads_is_none() -> None:
    """An entry is counted in one generation a moment before the other."""
    books = PAST.ledger_alone()
    store = FakeTotals(books)
    projector(books).project(PAST.entries)
    rebuild = begin(books, store)
    rebuild_page(None, 100, books, books, projector(books))
    tampered(books, "entries", by=1)
    assert compare(rebuild, store, wait=lambda look: tampered(books, "entries", by=-1 if look == 0 else 0)) == ()


def test_a_rebuild_that_was_given_up_leaves_nothing_behind_and_cannot_end_another() -> None:
    books = PAST.ledger_alone()
    store = FakeTotals(books)
    first = begin(books, store)
    rebuild_page(None, 100, books, books, projector(books))
    second = begin(books, store)
    assert stored(books, first.built) == {}
    with pytest.raises(RuleError) as refused:
        finish(first, books, store, replace=True)
    assert refused.value.code == "rebuild_superseded"
    (generations,) = books.all(TotalsGenerations)
    assert generations.live == (1, second.built)


# What is read


def test_Q1_the_ages_add_up_to_what_all_balances_say() -> None:
    books = PAST.ledger_alone()
    projector(books).project(PAST.entries)
    balances = books.all(Balance)
    for as_of in (TODAY, TODAY + timedelta(days=200), TODAY - timedelta(days=400)):
        found = {each.currency: each.receivable_minor for each in ageing(as_of, None, books, FakeTotals(books))}
        for currency in ("EUR", "USD"):
            assert found[currency] == sum(each.receivable_minor for each in balances if each.currency == currency)
    (usd,) = ageing(TODAY, "USD", books, FakeTotals(books))
    assert (usd.currency, usd.receivable_minor) == ("USD", found["USD"])


def test_I1_V4_the_counts_by_status_are_those_of_the_open_items() -> None:
    books = PAST.ledger_alone()
    projector(books).project(PAST.entries)
    for counts in status_counts(books, FakeTotals(books)):
        wanted: dict[str, int] = {}
        for item in PAST.items(counts.currency):
            wanted[item.status] = wanted.get(item.status, 0) + 1
        assert counts.statuses == wanted


def test_L1_V4_debits_are_credits_in_every_month_and_currency() -> None:
    books = PAST.ledger_alone()
    projector(books).project(PAST.entries)
    months = {(f"{entry.draft.effective_on:%Y-%m}", entry.draft.currency) for entry in PAST.entries}
    for month, currency in months:
        accounts = month_totals(month, currency, books, FakeTotals(books)).accounts
        assert sum(debits for debits, _ in accounts.values()) == sum(credits for _, credits in accounts.values()) > 0
        assert accounts["receivable"][0] == sum(
            posting.amount_minor
            for entry in PAST.entries
            for posting in entry.draft.postings
            if (posting.account, posting.side, entry.draft.currency) == ("receivable", Side.DEBIT, currency)
            and f"{entry.draft.effective_on:%Y-%m}" == month
        )
    assert month_totals("1999-01", "EUR", books, FakeTotals(books)).accounts == {}
