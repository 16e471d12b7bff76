"""Totals are sums over entries, whatever their order; and what is owed has its age (guarantee 6, Q1, T7, L8)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import LedgerBrokenError
from remit.domain.journal import EntryDraft, EntryKind, JournalEntry, Posting, Side
from remit.domain.totals import (
    ChainMark,
    Totals,
    TotalsGenerations,
    TotalsKey,
    TotalsKind,
    accounts_of,
    added,
    age,
    moves,
    quarter,
    quarters_by_day,
    statuses_of,
)
from tests.support import strategies
from tests.support.builders import CLERK, NOW
from tests.support.totals import counted

MARCH = date(2026, 3, 31)
PAID = EntryDraft(
    EntryKind.PAYMENT_RECEIVED,
    "acc_1",
    "EUR",
    MARCH,
    NOW,
    CLERK,
    (Posting("cash:bank_transfer", Side.DEBIT, 5), Posting("credit", Side.CREDIT, 5)),
)


def dues(amounts: dict[date | None, int]) -> tuple[dict[str, int], list[Totals]]:
    """Standing figures, and the totals by day, of receivable that is due on these days."""
    standing: dict[str, int] = {}
    by_quarter: dict[str, dict[str, int]] = {}
    for due, amount in amounts.items():
        name = f"quarter:{quarter(due)}" if due else "unscheduled"
        standing = added(standing, {name: amount})
        if due:
            by_quarter[quarter(due)] = added(by_quarter.get(quarter(due), {}), {f"{due:%m-%d}": amount})
    keys = {period: TotalsKey(TotalsKind.DUE, "EUR", period, 0) for period in by_quarter}
    return standing, [Totals(1, keys[period], figures) for period, figures in by_quarter.items()]


@given(strategies.drafts(currency="EUR"))
def test_L1_the_ledgers_totals_of_an_entry_balance(draft) -> None:
    (ledger,) = [figures for key, figures in moves(draft, 0).items() if key.kind is TotalsKind.LEDGER]
    accounts = accounts_of(ledger)
    assert sum(debits for debits, _ in accounts.values()) == sum(credits for _, credits in accounts.values()) > 0


@given(strategies.drafts())
def test_L8_an_entry_moves_totals_of_its_own_currency_and_month_only(draft) -> None:
    found = moves(draft, 3)
    assert {(key.currency, key.shard) for key in found} == {(draft.currency, 3)}
    assert {key.period for key in found if key.kind is TotalsKind.LEDGER} == {f"{draft.effective_on:%Y-%m}"}


@given(st.lists(strategies.entries(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(entries: list[JournalEntry], chance) -> None:
    shuffled = entries[:]
    chance.shuffle(shuffled)
    assert counted(shuffled) == counted(entries)


@given(strategies.drafts(currency="EUR"), st.none() | strategies.dates)
def test_Q1_receivable_by_quarter_is_receivable_by_day_plus_what_is_unscheduled(draft, due) -> None:
    draft = replace(
        draft,
        postings=(*draft.postings, Posting("receivable", Side.DEBIT, 5, "inv_1", due), Posting("credit", Side.CREDIT, 5)),
    )
    owed = sum(
        posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
        for posting in draft.postings
        if posting.account == "receivable"
    )
    found = moves(draft, 0)
    standing = next(figures for key, figures in found.items() if key.kind is TotalsKind.STANDING)
    by_quarter = sum(amount for name, amount in standing.items() if name.startswith("quarter:"))
    by_day = sum(sum(figures.values()) for key, figures in found.items() if key.kind is TotalsKind.DUE)
    assert by_quarter + standing.get("unscheduled", 0) == owed
    assert by_day == by_quarter


def test_a_status_leaves_one_count_and_joins_another() -> None:
    draft = replace(PAID, statuses={"inv_1": ("issued", "paid"), "inv_2": ("", "issued")})
    standing = next(figures for key, figures in moves(draft, 0).items() if key.kind is TotalsKind.STANDING)
    assert added({}, standing) == {"entries": 1, "status:paid": 1}
    assert statuses_of({"entries": 7, "status:paid": 2, "quarter:2026Q1": 5}) == {"paid": 2}


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(-1, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (4000, 4), (-4000, 0)],
)
def test_Q1_T7_a_part_is_in_the_bucket_of_its_days_overdue(days: int, bucket: int) -> None:
    """Overdue from the day after its due date."""
    standing, due = dues({MARCH - timedelta(days=days): 12100})
    first, last = quarters_by_day(MARCH)
    found = age("EUR", MARCH, standing, [each for each in due if first <= each.key.period <= last])
    assert (found.current_minor, *found.overdue_minor) == tuple(12100 if each == bucket else 0 for each in range(5))


@given(
    st.dictionaries(st.none() | st.dates(date(2020, 1, 1), date(2032, 1, 1)), st.integers(1, 10**9), max_size=12),
    st.dates(date(2021, 1, 1), date(2031, 1, 1)),
)
def test_Q1_the_buckets_add_up_to_the_receivable_on_any_day(amounts: dict[date | None, int], as_of: date) -> None:
    standing, due = dues(amounts)
    first, last = quarters_by_day(as_of)
    found = age("EUR", as_of, standing, [each for each in due if first <= each.key.period <= last])
    older = sum(amount for day, amount in amounts.items() if day and (as_of - day).days > 90)
    assert found.receivable_minor == sum(amounts.values())
    assert found.overdue_minor[3] == older
    assert found.unscheduled_minor == amounts.get(None, 0)


@given(st.dates(date(2020, 1, 1), date(2100, 1, 1)))
def test_the_quarters_read_by_day_are_two_at_most(as_of: date) -> None:
    first, last = quarters_by_day(as_of)
    between = {quarter(as_of - timedelta(days=days)) for days in range(91)}
    assert between == {first, last}


@given(strategies.chains())
def test_L7_a_mark_takes_the_next_entry_of_its_chain_and_no_other(made) -> None:
    _, entries = made
    now = TotalsGenerations()
    mark = ChainMark("acc_1", "EUR").reach(1, entries[0], now)
    assert mark.last(1).sequence == 1
    for wrong in (entries[0], replace(entries[1], previous_hash="f" * 64), replace(entries[1], sequence=3)):
        with pytest.raises(LedgerBrokenError) as refused:
            mark.reach(1, wrong, now)
        assert refused.value.code == "chain_broken"
    both = mark.reach(1, entries[1], now).reach(2, entries[0], now.begin())
    assert (both.last(1).sequence, both.last(2).sequence) == (2, 1)
    adopted, dropped = now.begin().finish(adopt=True), now.begin().finish(adopt=False)
    assert both.reach(2, entries[1], adopted).last(1).sequence == 0
    third = replace(entries[1], sequence=3, previous_hash=entries[1].hash)
    assert both.reach(1, third, now).last(2).sequence == 1, "begun after these generations were read"
    assert both.reach(1, third, dropped).last(2).sequence == 0, "of a check that is over"


def test_a_generation_is_never_used_twice() -> None:
    first = TotalsGenerations().begin()
    assert (first.live, first.finish(adopt=True).live, first.finish(adopt=False).live) == ((1, 2), (2,), (1,))
    assert first.finish(adopt=False).begin().building == 3
    assert first.begin().building == 3
