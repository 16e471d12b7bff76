"""Why this balance? And the proofs: replay of an account, and numbers without gaps (L5–L7, I3)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import NotFoundError
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber
from remit.domain.journal import JournalEntry, entry_hash
from remit.domain.payments import Allocation
from remit.usecases.explain_balance import Figure, explain_balance
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.replay_account import replay_account
from tests.support.builders import NOW, TODAY, Office
from tests.support.refusals import refused


def story(office: Office) -> tuple[str, str, str, str]:
    """A week of business: account, invoice, payment and credit ids. Entries 1–5: invoice 121.00 and payment 100.00 with
    20.00 of it allocated today, credit 12.10 two days later, 30.00 allocated and another invoice two days after that."""
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, 10000)
    payment_id = office.receive(account_id, 10000, allocations=[Allocation(invoice_id, 2000)]).body["id"]
    office.clock.advance(days=2)
    credit_id = office.goodwill(account_id, 1210).body["id"]
    office.clock.advance(days=2)
    office.allocate(account_id, payment_id, Allocation(invoice_id, 3000))
    office.invoice(account_id, 5000)
    return account_id, invoice_id, payment_id, credit_id


# Why this balance?


@pytest.mark.parametrize(
    ("figure", "days", "amount", "sequences"),
    [
        (Figure.RECEIVABLE, None, 13150, [1, 2, 4, 5]),
        (Figure.RECEIVABLE, 0, 10100, [1, 2]),
        (Figure.RECEIVABLE, 2, 10100, [1, 2]),
        (Figure.RECEIVABLE, 4, 13150, [1, 2, 4, 5]),
        (Figure.RECEIVABLE, -1, 0, []),
        (Figure.CREDIT, None, 6210, [2, 3, 4]),
        (Figure.CREDIT, 0, 8000, [2]),
        (Figure.BALANCE, None, 6940, [1, 2, 3, 5]),  # allocating moves nothing on the whole
        (Figure.BALANCE, 3, 890, [1, 2, 3]),
        (Figure.WALLET, None, 0, []),
    ],
)
def test_L5_a_figure_is_the_sum_of_the_entries_listed_as_of_any_day(
    office: Office, figure: Figure, days: int | None, amount: int, sequences: list[int]
) -> None:
    account_id, *_ = story(office)
    as_of = None if days is None else TODAY + timedelta(days=days)
    why = explain_balance(account_id, "EUR", figure, office.books, as_of=as_of)
    assert why.amount_minor == amount == sum(line.change_minor for line in why.entries)
    assert [line.entry.sequence for line in why.entries] == sequences
    assert [line.running_minor for line in why.entries][-1:] == ([amount] if sequences else [])


def test_L5_as_of_goes_by_the_effective_date_and_not_by_when_it_was_written(office: Office) -> None:
    account_id = office.open_account()
    office.clock.advance(days=10)
    office.receive(account_id, 500, value_date=TODAY + timedelta(days=3))
    assert explain_balance(account_id, "EUR", Figure.CREDIT, office.books, as_of=TODAY + timedelta(days=2)).amount_minor == 0
    assert explain_balance(account_id, "EUR", Figure.CREDIT, office.books, as_of=TODAY + timedelta(days=3)).amount_minor == 500


@given(limit=st.integers(1, 7))
def test_L5_a_long_list_comes_in_pages_and_the_amount_is_always_the_whole(limit: int) -> None:
    office = Office()
    account_id, *_ = story(office)
    after, seen, running = 0, [], []
    while True:
        page = explain_balance(account_id, "EUR", Figure.RECEIVABLE, office.books, after=after, limit=limit)
        assert page.amount_minor == 13150
        assert len(page.entries) <= limit
        seen += [line.entry.sequence for line in page.entries]
        running += [line.running_minor for line in page.entries]
        if page.next_after is None:
            break
        after = page.next_after
    assert (seen, running) == ([1, 2, 4, 5], [12100, 10100, 7100, 13150])


def test_L5_every_figure_of_the_balance_is_explained(office: Office) -> None:
    account_id, *_ = story(office)
    balance = office.balance(account_id)
    for figure in Figure:
        assert explain_balance(account_id, "EUR", figure, office.books).amount_minor == getattr(balance, f"{figure}_minor")


def test_L8_currencies_are_explained_apart(office: Office) -> None:
    account_id, *_ = story(office)
    office.invoice(account_id, 10000, currency="USD")
    assert explain_balance(account_id, "USD", Figure.RECEIVABLE, office.books).amount_minor == 12100
    assert explain_balance(account_id, "JPY", Figure.RECEIVABLE, office.books).amount_minor == 0


# Replay


def test_L6_a_replay_proves_every_balance_and_document(office: Office) -> None:
    account_id, *_ = story(office)
    office.invoice(account_id, 10000, currency="USD")
    proof = replay_account(account_id, office.books, office.books)
    assert (proof.entries, proof.documents, proof.differences) == (6, 5, ())


def test_L6_an_account_without_entries_is_proved_too(office: Office) -> None:
    assert replay_account(office.open_account(), office.books, office.books).differences == ()


def test_L6_an_unknown_account_is_not_found(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        replay_account("acc_none", office.books, office.books)


def rewritten(entry: JournalEntry, **changes: Any) -> JournalEntry:
    """An entry forged with care: its own hash fits."""
    draft = replace(entry.draft, **changes)
    return replace(entry, draft=draft, hash=entry_hash(draft, entry.sequence, entry.previous_hash))


def doubled(entry: JournalEntry) -> dict[str, Any]:
    return {"postings": tuple(replace(posting, amount_minor=2 * posting.amount_minor) for posting in entry.draft.postings)}


type Forgery = Callable[[Office, str, str, str, str], None]


def entry(office: Office, account_id: str, sequence: int) -> JournalEntry:
    return office.entries(account_id)[sequence - 1]


def swap(office: Office, account_id: str) -> None:
    first, second = entry(office, account_id, 1), entry(office, account_id, 2)
    office.books.overwrite(replace(first, sequence=2))
    office.books.overwrite(replace(second, sequence=1))


FORGERIES: dict[str, Forgery] = {
    "an amount in an entry": lambda o, a, i, p, c: o.books.overwrite(
        replace(entry(o, a, 2), draft=replace(entry(o, a, 2).draft, **doubled(entry(o, a, 2))))
    ),
    "an amount, with a hash that fits": lambda o, a, i, p, c: o.books.overwrite(
        rewritten(entry(o, a, 2), **doubled(entry(o, a, 2)))
    ),
    "an amount in the last entry, with a hash that fits": lambda o, a, i, p, c: o.books.overwrite(
        rewritten(entry(o, a, 5), **doubled(entry(o, a, 5)))
    ),
    "an entry's date": lambda o, a, i, p, c: o.books.overwrite(
        replace(entry(o, a, 3), draft=replace(entry(o, a, 3).draft, effective_on=TODAY + timedelta(days=9)))
    ),
    "the reason of the last entry, with a hash that fits": lambda o, a, i, p, c: o.books.overwrite(
        rewritten(entry(o, a, 5), reason="forged")
    ),
    "an entry is gone": lambda o, a, i, p, c: o.books.erase(entry(o, a, 3)),
    "the first entry is gone": lambda o, a, i, p, c: o.books.erase(entry(o, a, 1)),
    "the last entry is gone": lambda o, a, i, p, c: o.books.erase(entry(o, a, 5)),
    "two entries changed places": lambda o, a, i, p, c: swap(o, a),
    "the receivable": lambda o, a, i, p, c: o.books.overwrite(replace(o.balance(a), receivable_minor=0)),
    "the credit": lambda o, a, i, p, c: o.books.overwrite(replace(o.balance(a), credit_minor=10**9)),
    "the wallet": lambda o, a, i, p, c: o.books.overwrite(replace(o.balance(a), wallet_minor=1)),
    "the money held": lambda o, a, i, p, c: o.books.overwrite(replace(o.balance(a), held_minor=1)),
    "the balance's last hash": lambda o, a, i, p, c: o.books.overwrite(replace(o.balance(a), last_hash="0" * 64)),
    "the open amount of an invoice": lambda o, a, i, p, c: o.books.overwrite(replace(o.item(a, i), open_minor=0)),
    "an open item is gone": lambda o, a, i, p, c: o.books.erase(o.item(a, i)),
    "what a payment has left": lambda o, a, i, p, c: o.books.overwrite(replace(o.payment(a, p), unapplied_minor=10000)),
    "a payment is gone": lambda o, a, i, p, c: o.books.erase(o.payment(a, p)),
    "what a credit has left": lambda o, a, i, p, c: o.books.overwrite(replace(o.credit(a, c), open_minor=99999)),
    "a credit is gone": lambda o, a, i, p, c: o.books.erase(o.credit(a, c)),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=list(FORGERIES))
def test_L6_L7_whatever_is_tampered_with_a_replay_finds_it(office: Office, forgery: Forgery) -> None:
    account_id, invoice_id, payment_id, credit_id = story(office)
    assert office.differences(account_id) == ()
    forgery(office, account_id, invoice_id, payment_id, credit_id)
    assert office.differences(account_id) != ()


def test_L6_a_difference_says_what_is_wrong_and_by_how_much(office: Office) -> None:
    account_id, invoice_id, *_ = story(office)
    office.books.overwrite(replace(office.item(account_id, invoice_id), open_minor=1))
    assert office.differences(account_id) == (f"EUR: {invoice_id} has 1 open, its entries say 7100",)


def test_L6_what_is_posted_while_a_replay_runs_is_no_difference(office: Office) -> None:
    """The balance is read first; then a payment changes the documents before they are read."""
    account_id, invoice_id, *_ = story(office)
    office.trouble.meanwhile(lambda: office.receive(account_id, 100, allocations=[Allocation(invoice_id, 100)]), on="load")
    proof = replay_account(account_id, office.books, office.books)
    assert office.trouble.pending == 0
    assert (proof.entries, proof.differences) == (5, ())


def test_L6_more_documents_than_one_read_holds_are_all_compared(office: Office) -> None:
    account_id = office.open_account()
    invoices = [office.invoice(account_id, 100) for _ in range(120)]
    office.books.overwrite(replace(office.item(account_id, invoices[-1]), open_minor=0))
    proof = replay_account(account_id, office.books, office.books)
    assert proof.documents == 120
    assert len(proof.differences) == 1


# Numbers


def issue_many(office: Office, count: int) -> list[Invoice]:
    account_id = office.open_account()
    for _ in range(count):
        office.invoice(account_id)
        office.clock.advance(hours=7)
    return sorted(office.books.all(Invoice), key=lambda invoice: invoice.number)


def test_I3_a_complete_series_is_proved(office: Office) -> None:
    issue_many(office, 7)
    proof = prove_numbers("INV-2026", office.books, office.books)
    assert (proof.last, proof.count, proof.gaps) == (7, 7, ())


def test_I3_a_series_that_was_never_used_has_no_gap(office: Office) -> None:
    assert prove_numbers("INV-1999", office.books, office.books).gaps == ()


@pytest.mark.parametrize("missing", range(7))
def test_I3_a_missing_invoice_is_found_wherever_it_is(office: Office, missing: int) -> None:
    invoices = issue_many(office, 7)
    office.books.erase(invoices[missing])
    proof = prove_numbers("INV-2026", office.books, office.books)
    assert (proof.count, len(proof.gaps)) == (6, 1)
    assert f"without {invoices[missing].number}" in proof.gaps[0]


def test_I3_credit_notes_have_a_proof_of_their_own(office: Office) -> None:
    """Whatever stands in a series, the same walk proves it."""
    office.books.commit([NumberSeries("CN-2026", 2, TODAY)])
    assert prove_numbers("CN-2026", office.books, office.books).gaps != ()
    for number in (1, 2):
        office.books.commit([spoiled("CN-2026", number)])
    proof = prove_numbers("CN-2026", office.books, office.books)
    assert (proof.last, proof.count, proof.gaps) == (2, 2, ())


def spoiled(series: str, number: int) -> SpoiledNumber:
    return SpoiledNumber(series, number, TODAY, "acc_1", "ord_1", "bat_1", "order_canceled", NOW)


def test_I3_a_number_given_twice_is_found(office: Office) -> None:
    invoices = issue_many(office, 3)
    office.books.overwrite(replace(invoices[0], id="inv_twin", issued_on=invoices[2].issued_on))
    assert prove_numbers("INV-2026", office.books, office.books).gaps != ()


def test_I3_a_number_out_of_the_order_of_dates_is_found(office: Office) -> None:
    invoices = issue_many(office, 7)
    office.books.erase(invoices[0])
    office.books.overwrite(replace(invoices[0], issued_on=invoices[6].issued_on + timedelta(days=1)))
    assert prove_numbers("INV-2026", office.books, office.books).gaps != ()


def test_I3_a_counter_ahead_of_its_invoices_is_found(office: Office) -> None:
    issue_many(office, 3)
    office.books.overwrite(NumberSeries("INV-2026", 5, TODAY))
    gaps = prove_numbers("INV-2026", office.books, office.books).gaps
    assert gaps == ("the counter at 5 follows INV-2026-000003, without 2 from INV-2026-000004 to INV-2026-000005",)


def test_I3_an_invoice_issued_while_the_proof_runs_is_no_gap(office: Office) -> None:
    issue_many(office, 3)
    counter_at_3 = NumberSeries("INV-2026", 3, TODAY)
    issue_many(office, 1)
    office.books.overwrite(counter_at_3)
    assert prove_numbers("INV-2026", office.books, office.books).gaps == ()
