"""The firm's totals on a real engine: what a busy stream makes of them is what a rebuild makes of them (guarantee 6)."""

from random import Random
from typing import Any

import pytest

from remit.adapters.dynamodb.totals import DynamoTotals
from remit.domain.errors import ConflictError, TransientError
from remit.domain.journal import Balance, JournalEntry
from remit.domain.totals import TotalsKey, TotalsKind
from remit.usecases.project_entries import Projector
from remit.usecases.read_totals import ageing, month_totals, status_counts
from remit.usecases.rebuild_totals import Rebuild, begin, compare, everything, finish, rebuild_page
from tests.integration import faults
from tests.integration.faults import Crash, watched
from tests.integration.office import Office
from tests.integration.state import all_items, things_of
from tests.support.totals import counted

STRUCK = (
    faults.throttled,
    faults.conflicting,
    faults.internal_error_after_commit,
    faults.reply_lost,
    faults.reply_lost_once,
    faults.crash_before,
    faults.crash_after,
)


def without_waiting(office: Office) -> Projector:
    return Projector(office.books, office.journal, DynamoTotals(), wait=lambda _: None)


def a_past(office: Office, dynamodb: Any) -> list[JournalEntry]:
    """Entries of six customers, in two currencies."""
    for number in range(6):
        account = office.account()
        invoice = office.invoice(account)
        office.invoice(account, currency="USD", term="on_receipt")
        office.receive(account, 5_000 + number, {invoice: 5_000 + number})
        office.credit(account)
    return [thing for thing in things_of(all_items(dynamodb)) if isinstance(thing, JournalEntry)]


def deliver(office: Office, batch: list[JournalEntry], tries: int = 6) -> None:
    for _ in range(tries):
        try:
            without_waiting(office).project(batch)
        except (Crash, ConflictError, TransientError):
            continue
        return


def figures(generation: int) -> dict[TotalsKey, dict[str, int]]:
    return {key: dict(totals.amounts) for key, totals in everything(generation, DynamoTotals()).items()}


def rebuild(office: Office) -> Rebuild:
    made = begin(office.books, DynamoTotals())
    cursor: str | None = None
    accounts = 0
    while accounts < 6:
        count, cursor = rebuild_page(cursor, 4, office.books, office.journal, without_waiting(office))
        accounts += count
    return made


@pytest.mark.parametrize("seed", range(3))
def test_L4_any_delivery_with_any_faults_gives_exactly_the_rebuilds_totals(
    office: Office, client: Any, dynamodb: Any, seed: int
) -> None:
    """Batches split, repeated and out of order; throttles, conflicts, lost replies and crashes at any call."""
    chance, entries = Random(seed), a_past(office, dynamodb)  # noqa: S311
    with watched(client) as calls:
        for _ in range(12):
            some = chance.sample(entries, chance.randint(1, len(entries)))
            struck = chance.randint(0, 6)
            calls.disturb(chance.choice(STRUCK), struck, struck)
            deliver(office, some)
        calls.leave_alone()
        deliver(office, entries)
    made = rebuild(office)
    assert figures(made.read) == figures(made.built) == counted(entries)
    assert compare(made, DynamoTotals()) == ()
    finish(made, office.books, DynamoTotals(), replace=True)
    assert (figures(made.read), figures(made.built)) == ({}, counted(entries))


def test_Q1_V4_what_is_read_is_what_the_ledger_says(office: Office, dynamodb: Any) -> None:
    entries = a_past(office, dynamodb)
    deliver(office, entries)
    balances = [thing for thing in things_of(all_items(dynamodb)) if isinstance(thing, Balance)]
    for found in ageing(office.today, None, office.books, DynamoTotals()):
        assert found.receivable_minor == sum(each.receivable_minor for each in balances if each.currency == found.currency) > 0
    assert {each.currency: dict(each.statuses) for each in status_counts(office.books, DynamoTotals())} == {
        "EUR": {"part_paid": 6},
        "USD": {"issued": 6},
    }
    march = month_totals("2026-03", "EUR", office.books, DynamoTotals()).accounts
    assert march["revenue:services"] == (0, 60_000)
    assert march["receivable"] == (6 * 12_100, sum(5_000 + number for number in range(6)))
    assert {key.kind for key in figures(1)} == set(TotalsKind)
