"""Why this balance? And the proofs: replay of an account, and numbers without gaps (L5–L7, I3)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import Account
from remit.domain.audit import Difference, What
from remit.domain.credits import Credit
from remit.domain.errors import ConflictError, NotFoundError
from remit.domain.figures import Figure
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber
from remit.domain.journal import Balance, JournalEntry, entry_hash
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.usecases.explain_balance import explain_balance
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
    explained = {figure: explain_balance(account_id, "EUR", figure, office.books).amount_minor for figure in Figure}
    assert balance.balance_minor == explained.pop(Figure.INCOME) - explained.pop(Figure.CASHFLOW)
    assert explained == {figure: getattr(balance, f"{figure}_minor") for figure in explained}


def test_L8_currencies_are_explained_apart(office: Office) -> None:
    account_id, *_ = story(office)
    office.invoice(account_id, 10000, currency="USD")
    assert explain_balance(account_id, "USD", Figure.RECEIVABLE, office.books).amount_minor == 12100
    assert explain_balance(account_id, "JPY", Figure.RECEIVABLE, office.books).amount_minor == 0


# Replay


def test_L6_a_replay_proves_every_balance_and_document(office: Office) -> None:
    account_id, *_ = story(office)
    office.invoice(account_id, 10000, currency="USD")
    proof = replay_account(account_id, office.books)
    assert (proof.entries, proof.documents, proof.differences) == (6, 5, ())
    assert proof.series == ("INV-2026",)


def test_L6_an_account_without_entries_is_proved_too(office: Office) -> None:
    assert replay_account(office.open_account(), office.books).differences == ()


def test_L6_a_payment_that_has_not_come_in_needs_no_entry(office: Office) -> None:
    account_id, _, payment_id, _ = story(office)
    paid = office.payment(account_id, payment_id)
    office.books.overwrite(replace(paid, id="pay_waiting", status=PaymentStatus.PENDING, unapplied_minor=0))
    assert office.differences(account_id) == ()


def test_L6_an_unknown_account_is_not_found(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        replay_account("acc_none", office.books)


class Forger:
    """`story`, and a hand that changes what is stored against all rules."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.account, self.first, self.payment, self.credit = story(office)
        (self.second,) = (each.id for each in office.books.all(Invoice) if each.id != self.first)
        self.order = self.invoice().order_id

    def put(self, thing: Any, **changes: Any) -> None:
        self.office.books.overwrite(replace(thing, **changes))

    def erase(self, *things: Any) -> None:
        for thing in things:
            self.office.books.erase(thing)

    def balance(self) -> Balance:
        return self.office.balance(self.account)

    def entry(self, sequence: int) -> JournalEntry:
        return self.office.entries(self.account)[sequence - 1]

    def invoice(self) -> Invoice:
        return self.office.document(self.account, self.first)

    def item(self) -> OpenItem:
        return self.office.item(self.account, self.first)

    def paid(self) -> Payment:
        return self.office.payment(self.account, self.payment)

    def lot(self) -> Credit:
        return self.office.credit(self.account, self.credit)

    def placed(self) -> Order:
        return self.office.order(self.account, self.order)

    def rewrite(self, sequence: int, *, hashed: bool, **changes: Any) -> None:
        """Change an entry; `hashed`: with care, so that its own hash fits."""
        entry = self.entry(sequence)
        draft = replace(entry.draft, **changes)
        self.put(entry, draft=draft, hash=entry_hash(draft, sequence, entry.previous_hash) if hashed else entry.hash)

    def double(self, sequence: int, *, hashed: bool = False) -> None:
        postings = self.entry(sequence).draft.postings
        twice = tuple(replace(posting, amount_minor=2 * posting.amount_minor) for posting in postings)
        self.rewrite(sequence, hashed=hashed, postings=twice)

    def swap(self) -> None:
        first, second = self.entry(1), self.entry(2)
        self.put(first, sequence=2)
        self.put(second, sequence=1)

    def append(self, sequence: int = 5) -> None:
        """An entry more than the balance knows of, well chained: that of `sequence` once again."""
        entry, _ = self.balance().post(self.entry(sequence).draft)
        self.put(entry)

    def second_documents(self) -> list[Any]:
        return [self.office.item(self.account, self.second), self.office.document(self.account, self.second)]

    def found(self) -> list[tuple[Any, ...]]:
        """(what, id, stored, expected) of each difference, with short names for ids and hashes."""
        names = {self.first: "first", self.second: "second", self.payment: "payment", self.credit: "credit"}
        names |= {self.order: "order", self.account: "account", f"{self.account}.EUR": "EUR"}
        names |= {f"{self.account}.EUR.{n}": str(n) for n in range(1, 10)}
        differences = self.office.differences(self.account)
        assert {each.account_id for each in differences} <= {self.account}
        assert {each.currency for each in differences if each.id not in (self.account, self.order)} <= {"EUR", "USD"}
        return sorted(
            (str(each.what), *("hash" if _is_hash(value) else names.get(str(value), value) for value in _values(each)))
            for each in differences
        )


def _values(difference: Difference) -> tuple[Any, ...]:
    return difference.id, difference.stored, difference.expected


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64


type Forgery = tuple[Callable[[Forger], Any], set[tuple[Any, ...]]]

FORGERIES: dict[str, Forgery] = {
    # Entries
    "an amount in an entry": (
        lambda f: f.double(3),
        {("entry_changed", "3", "hash", "hash"), ("credit_minor", "EUR", 6210, 7420), ("open_minor", "credit", 1210, 2420)},
    ),
    "an amount in an entry, with a hash that fits": (
        lambda f: f.double(3, hashed=True),
        {("entry_unlinked", "4", "hash", "hash"), ("credit_minor", "EUR", 6210, 7420), ("open_minor", "credit", 1210, 2420)},
    ),
    "an amount in the last entry, with a hash that fits": (
        lambda f: f.double(5, hashed=True),
        {
            ("last_hash", "EUR", "hash", "hash"),
            ("receivable_minor", "EUR", 13150, 19200),
            ("open_minor", "second", 6050, 12100),
        },
    ),
    "an entry's date": (
        lambda f: f.rewrite(3, hashed=False, effective_on=TODAY + timedelta(days=9)),
        {("entry_changed", "3", "hash", "hash")},
    ),
    "the reason of an entry, with a hash that fits": (
        lambda f: f.rewrite(2, hashed=True, reason="forged"),
        {("entry_unlinked", "3", "hash", "hash")},
    ),
    "the reason of the last entry, with a hash that fits": (
        lambda f: f.rewrite(5, hashed=True, reason="forged"),
        {("last_hash", "EUR", "hash", "hash")},
    ),
    "an entry is gone": (
        lambda f: f.erase(f.entry(3)),
        {
            ("entries_missing", "3", 0, 1),
            ("credit_minor", "EUR", 6210, 5000),
            ("document_unexplained", "credit", 1210, None),
        },
    ),
    "the first entry is gone": (
        lambda f: f.erase(f.entry(1)),
        {
            ("entries_missing", "1", 0, 1),
            ("receivable_minor", "EUR", 13150, 1050),
            ("open_minor", "first", 7100, -5000),
        },
    ),
    "the last two entries are gone": (
        lambda f: f.erase(f.entry(4), f.entry(5)),
        {
            ("entries_missing", "4", 0, 2),
            ("receivable_minor", "EUR", 13150, 10100),
            ("credit_minor", "EUR", 6210, 9210),
            ("open_minor", "first", 7100, 10100),
            ("unapplied_minor", "payment", 5000, 8000),
            ("document_unexplained", "second", 6050, None),
        },
    ),
    "two entries changed places": (
        lambda f: f.swap(),
        {
            ("entry_changed", "1", "hash", "hash"),
            ("entry_changed", "2", "hash", "hash"),
            ("entry_unlinked", "3", "hash", "hash"),
        },
    ),
    "an entry more than the balance knows of": (lambda f: f.append(), {("entries_extra", "6", 1, 0)}),
    # Balances
    "the receivable": (lambda f: f.put(f.balance(), receivable_minor=0), {("receivable_minor", "EUR", 0, 13150)}),
    "the credit": (lambda f: f.put(f.balance(), credit_minor=10**9), {("credit_minor", "EUR", 10**9, 6210)}),
    "the wallet": (lambda f: f.put(f.balance(), wallet_minor=1), {("wallet_minor", "EUR", 1, 0)}),
    "the money held": (lambda f: f.put(f.balance(), held_minor=1), {("held_minor", "EUR", 1, 0)}),
    "the balance's last hash": (
        lambda f: f.put(f.balance(), last_hash="0" * 64),
        {("last_hash", "EUR", "hash", "hash")},
    ),
    "the balance's number, forwards": (lambda f: f.put(f.balance(), sequence=9), {("sequence", "EUR", 9, 5)}),
    "the balance's number, backwards": (lambda f: f.put(f.balance(), sequence=3), {("sequence", "EUR", 3, 5)}),
    "a balance is gone": (lambda f: f.erase(f.balance()), {("balance_missing", "EUR", None, 5)}),
    "all entries are gone, and what they were about": (
        lambda f: f.erase(*f.office.entries(f.account), *everything_else(f)),
        {("balance_unexplained", "EUR", 5, 0)},
    ),
    # Documents
    "the open amount of an invoice": (
        lambda f: f.put(f.item(), open_minor=0),
        {("open_minor", "first", 0, 7100), ("parts", "first", 7100, 0)},
    ),
    "the parts of an open item": (
        lambda f: f.put(f.item(), parts=(replace(f.item().parts[0], open_minor=1),)),
        {("parts", "first", 1, 7100)},
    ),
    "the total of an open item": (lambda f: f.put(f.item(), total_minor=1), {("total_minor", "first", 1, 12100)}),
    "the number on an open item": (
        lambda f: f.put(f.item(), number="INV-2026-000009"),
        {("number", "first", "INV-2026-000009", "INV-2026-000001")},
    ),
    "an open item is gone": (
        lambda f: f.erase(f.item()),
        {("document_missing", "first", None, 7100), ("open_item_missing", "first", None, 12100)},
    ),
    "an open item that nothing explains": (
        lambda f: f.put(f.item(), invoice_id="inv_forged"),
        {
            ("document_unexplained", "inv_forged", 7100, None),
            ("invoice_missing", "inv_forged", None, "INV-2026-000001"),
        },
    ),
    "an invoice is gone": (lambda f: f.erase(f.invoice()), {("invoice_missing", "first", None, "INV-2026-000001")}),
    "an invoice that nothing explains": (
        lambda f: f.put(f.invoice(), id="inv_forged", number="INV-2026-000009"),
        {("open_item_missing", "inv_forged", None, 12100)},
    ),
    "an order is gone": (lambda f: f.erase(f.placed()), {("order_missing", "order", None, "first")}),
    "what a payment has left": (
        lambda f: f.put(f.paid(), unapplied_minor=10000),
        {("unapplied_minor", "payment", 10000, 5000)},
    ),
    "the amount of a payment": (lambda f: f.put(f.paid(), amount_minor=1), {("cash_minor", "payment", 1, 10000)}),
    "a payment that came in has not": (
        lambda f: f.put(f.paid(), status=PaymentStatus.FAILED),
        {("status", "payment", "failed", "succeeded")},
    ),
    "a payment is gone": (lambda f: f.erase(f.paid()), {("document_missing", "payment", None, 5000)}),
    "a payment that nothing explains": (
        lambda f: f.put(f.paid(), id="pay_forged"),
        {("document_unexplained", "pay_forged", 5000, None)},
    ),
    "a payment that has not come in has something left": (
        lambda f: f.put(f.paid(), id="pay_forged", status=PaymentStatus.PENDING, unapplied_minor=7),
        {("unapplied_minor", "pay_forged", 7, 0)},
    ),
    "what a credit has left": (lambda f: f.put(f.lot(), open_minor=99999), {("open_minor", "credit", 99999, 1210)}),
    "a credit is gone": (lambda f: f.erase(f.lot()), {("document_missing", "credit", None, 1210)}),
    "a credit that nothing explains": (
        lambda f: f.put(f.lot(), id="crd_forged"),
        {("document_unexplained", "crd_forged", 1210, None)},
    ),
    "the currency of a credit": (
        lambda f: f.put(f.lot(), currency="USD"),
        {("document_missing", "credit", None, 1210), ("document_unexplained", "credit", 1210, None)},
    ),
    "the account is gone": (
        lambda f: f.erase(f.office.account(f.account)),
        {("account_missing", "account", None, "account")},
    ),
    "an entry and the amounts that it explains": (
        lambda f: (f.erase(f.entry(5), *f.second_documents()), f.put(f.balance(), receivable_minor=7100)),
        {("entries_missing", "5", 0, 1)},
    ),
}
"""What is forged → all that a replay says of it, and it says nothing else."""


def everything_else(f: Forger) -> list[Any]:
    """All documents of the account; its orders stay, which may wait for their invoice for ever."""
    kinds = (Invoice, OpenItem, Payment, Credit)
    return [thing for kind in kinds for thing in f.office.books.all(kind)]


@pytest.mark.parametrize(("forge", "expected"), FORGERIES.values(), ids=list(FORGERIES))
def test_L6_L7_what_is_tampered_with_is_named_exactly_and_nothing_else(
    office: Office, forge: Callable[[Forger], Any], expected: set[tuple[Any, ...]]
) -> None:
    forger = Forger(office)
    assert forger.found() == []
    forge(forger)
    found = forger.found()
    assert set(found) == expected
    assert len(found) == len(expected)


@given(sequence=st.integers(1, 5), place=st.integers(0, 2), by=st.integers(-(10**6), 10**6).filter(bool))
def test_L7_any_amount_changed_in_any_entry_is_found_at_that_entry(sequence: int, place: int, by: int) -> None:
    """Also one that leaves debits and credits unequal, which no reader of entries would accept."""
    forger = Forger(Office())
    entry = forger.entry(sequence)
    body = forger.office.books.body_of(entry)
    body["postings"][place % len(body["postings"])][2] += by
    forger.office.books.overwrite_body(entry, body)
    (found,) = [each for each in forger.office.differences(forger.account) if each.id == f"{forger.account}.EUR.{sequence}"]
    assert found.what == What.UNREADABLE


@given(gone=st.sets(st.integers(1, 5), min_size=1, max_size=4))
def test_L7_whichever_entries_are_gone_their_numbers_are_named(gone: set[int]) -> None:
    forger = Forger(Office())
    forger.erase(*(forger.entry(n) for n in gone))
    missing = [each for each in forger.office.differences(forger.account) if each.what == What.ENTRIES_MISSING]
    named = {int(each.id.rpartition(".")[2]) + step for each in missing for step in range(int(each.expected or 0))}
    assert named == gone


def test_L6_a_difference_says_what_is_wrong_and_by_how_much(office: Office) -> None:
    account_id, invoice_id, *_ = story(office)
    item = office.item(account_id, invoice_id)
    office.books.overwrite(replace(item, open_minor=1, parts=(replace(item.parts[0], open_minor=1),)))
    sentence = f"{invoice_id} has open_minor 1, its entries say 7100."
    assert office.differences(account_id) == (Difference(account_id, "EUR", "open_minor", invoice_id, 1, 7100, sentence),)


def test_L6_L8_each_currency_is_proved_apart(office: Office) -> None:
    account_id, *_ = story(office)
    office.invoice(account_id, 10000, currency="USD")
    office.books.overwrite(replace(office.balance(account_id, "USD"), credit_minor=1))
    (found,) = office.differences(account_id)
    assert (found.currency, found.what, found.id) == ("USD", "credit_minor", f"{account_id}.USD")


@pytest.mark.parametrize("page", range(1, 9))
def test_L6_what_is_posted_while_a_replay_runs_is_no_difference(office: Office, page: int) -> None:
    """Whenever it comes: after the balance was read and before the documents, or between entries."""
    account_id, invoice_id, *_ = story(office)
    office.trouble.meanwhile(
        lambda: office.receive(account_id, 100, allocations=[Allocation(invoice_id, 100)]), on="load", at=page
    )
    proof = replay_account(account_id, office.books)
    assert proof.differences == ()
    assert proof.entries in (5, 6)


def test_L6_what_is_tampered_with_is_found_while_others_post(office: Office) -> None:
    account_id, _, _, credit_id = story(office)
    office.books.overwrite(replace(office.credit(account_id, credit_id), open_minor=1))
    office.trouble.meanwhile(lambda: office.receive(account_id, 100), on="load", at=3)
    (found,) = replay_account(account_id, office.books).differences
    assert (found.what, found.id) == ("open_minor", credit_id)


def test_L6_an_account_that_never_comes_to_rest_is_a_conflict_and_no_difference(office: Office) -> None:
    account_id, *_ = story(office)
    for page in range(2, 200, 2):
        office.trouble.meanwhile(lambda: office.receive(account_id, 100), on="load", at=page)
    with pytest.raises(ConflictError, match="account_busy"):
        replay_account(account_id, office.books)


def test_L6_many_documents_are_all_compared(office: Office) -> None:
    account_id = office.open_account()
    invoices = [office.invoice(account_id, 100) for _ in range(120)]
    office.books.overwrite(replace(office.item(account_id, invoices[-1]), total_minor=0))
    proof = replay_account(account_id, office.books)
    assert proof.documents == 120
    assert [each.id for each in proof.differences] == [invoices[-1]]


@pytest.mark.parametrize("type", [Invoice, OpenItem, Payment, Credit, Order, Balance, JournalEntry, Account])
def test_L6_what_cannot_be_read_is_named_and_the_rest_is_still_proved(office: Office, type: type) -> None:
    forger = Forger(office)
    broken = office.books.all(type)[0]
    office.books.damage(broken)
    found = office.differences(forger.account)
    assert found[0].what == What.UNREADABLE
    assert [each.what for each in found].count(What.UNREADABLE) == 1
    assert found[0].id in str((broken, f"{forger.account}.EUR", f"{forger.account}.EUR.1"))


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


def test_I3_an_index_that_has_not_caught_up_with_the_counter_is_no_gap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    issue_many(office, 3)
    listed, looks = office.books.document_numbers, iter((0, 1, 2))
    monkeypatch.setattr(office.books, "document_numbers", lambda series: islice(listed(series), next(looks, None)))
    proof = prove_numbers("INV-2026", office.books, office.books)
    assert (proof.last, proof.count, proof.gaps) == (3, 3, ())


def test_I3_an_index_that_never_catches_up_is_a_gap(office: Office) -> None:
    issue_many(office, 3)
    with office.books.lagging():
        issue_many(office, 2)
        proof = prove_numbers("INV-2026", office.books, office.books)
    assert proof.gaps == ("the counter at 5 follows INV-2026-000003, without 2 from INV-2026-000004 to INV-2026-000005",)


def test_I3_an_invoice_issued_while_the_proof_runs_is_no_gap(office: Office) -> None:
    issue_many(office, 3)
    counter_at_3 = NumberSeries("INV-2026", 3, TODAY)
    issue_many(office, 1)
    office.books.overwrite(counter_at_3)
    assert prove_numbers("INV-2026", office.books, office.books).gaps == ()
