"""What every store of the books promises, as tests: `usecases/ports.py` word for word.

A test module makes it run by a subclass with a fixture `store` that gives an empty store. The fakes are held to the same
promises as the table, so what is proved on them holds in production.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest

from remit.domain.accounts import Account, AccountChange
from remit.domain.errors import ConflictError, InvalidError
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber
from remit.domain.journal import Balance, EntryDraft, EntryKind, JournalEntry, Posting, Side
from remit.domain.messages import Message, MessageStatus
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import Payment
from remit.domain.summaries import SummaryContent, SummaryEnrolment, SummarySchedule
from remit.usecases.guards import AlreadyExistsError, Guard, GuardTakenError
from remit.usecases.ports import (
    Agenda,
    AgendaKind,
    Books,
    DueThing,
    Journal,
    account_ref,
    balance_ref,
    firm_ref,
    guard_ref,
    invoice_ref,
    open_item_ref,
    order_ref,
    payment_ref,
    series_ref,
)
from tests.support.builders import CLERK, NOW, TODAY, account, attempt, firm, issued, open_item, order

SCHEDULE = SummarySchedule("sch_1", "Monthly", "0 8 1 * *", "UTC", SummaryContent.OPEN_INVOICES, NOW, planned_at=NOW)


@dataclass(frozen=True)
class Store:
    """The three ports of one store."""

    books: Books
    journal: Journal
    agenda: Agenda


def guard(value: str = "k1", answer: Any = None, fingerprint: str = "f1") -> Guard:
    return Guard("idempotency", value, fingerprint, answer, NOW, NOW + timedelta(days=30))


def posted(balance: Balance, count: int) -> tuple[list[JournalEntry], Balance]:
    entries = []
    for n in range(count):
        draft = EntryDraft(
            EntryKind.INVOICE_ISSUED,
            balance.account_id,
            balance.currency,
            TODAY,
            NOW,
            CLERK,
            (Posting("receivable", Side.DEBIT, 100, f"inv_{n}"), Posting("revenue:sales", Side.CREDIT, 100, f"inv_{n}")),
        )
        entry, balance = balance.post(draft)
        entries.append(entry)
    return entries, balance


class BooksContract:
    # load

    def test_what_does_not_exist_is_absent(self, store: Store) -> None:
        loaded = store.books.load(account_ref("acc_1"), firm_ref(), guard_ref("idempotency", "k1"), series_ref("INV-2026"))
        for ref in (account_ref("acc_1"), firm_ref(), guard_ref("idempotency", "k1"), series_ref("INV-2026")):
            assert loaded.get(ref) is None

    @pytest.mark.parametrize("consistent", [True, False])
    def test_many_things_are_read_in_one_request(self, store: Store, consistent: bool) -> None:
        invoice, item, series = issued()
        store.books.commit([account(), order(), invoice, item, series, firm(), guard(answer={"a": [1, None]})])
        refs: list[Any] = [
            account_ref("acc_1"),
            order_ref("acc_1", "ord_1"),
            invoice_ref("acc_1", invoice.id),
            open_item_ref("acc_1", invoice.id),
            series_ref("INV-2026"),
            firm_ref(),
            guard_ref("idempotency", "k1"),
        ]
        loaded = store.books.load(*refs, account_ref("acc_9"), consistent=consistent)
        assert [type(loaded.get(ref)).__name__ for ref in refs] == [
            "Account", "Order", "Invoice", "OpenItem", "NumberSeries", "Firm", "Guard",
        ]  # fmt: skip
        assert loaded.get(refs[2]) == invoice
        assert loaded.get(refs[6]) == guard(answer={"a": [1, None]})

    def test_the_same_thing_named_twice_is_read_once(self, store: Store) -> None:
        store.books.commit([account()])
        assert store.books.load(account_ref("acc_1"), account_ref("acc_1")).get(account_ref("acc_1")) is not None

    def test_another_accounts_thing_is_not_found(self, store: Store) -> None:
        store.books.commit([account(), account("acc_2"), attempt()])
        assert store.books.load(payment_ref("acc_2", "pay_1")).get(payment_ref("acc_2", "pay_1")) is None

    # Versions

    def test_the_store_counts_versions(self, store: Store) -> None:
        store.books.commit([account()])
        first = store.books.load(account_ref("acc_1")).get(account_ref("acc_1"))
        assert first == replace(account(), version=1)
        store.books.commit([replace(first, name="Other")])
        second = store.books.load(account_ref("acc_1")).get(account_ref("acc_1"))
        assert second == replace(account(), name="Other", version=2)

    def test_a_version_that_moved_on_is_a_conflict_and_changes_nothing(self, store: Store) -> None:
        store.books.commit([account()])
        first = replace(account(), version=1)
        store.books.commit([replace(first, name="Faster")])
        for changes in ([replace(first, name="Slower")], [replace(first, name="Slower"), guard()]):
            with pytest.raises(ConflictError) as conflict:
                store.books.commit(changes)
            assert not isinstance(conflict.value, AlreadyExistsError)
        loaded = store.books.load(account_ref("acc_1"), guard_ref("idempotency", "k1"))
        stored = loaded.get(account_ref("acc_1"))
        assert stored is not None
        assert (stored.name, stored.version) == ("Faster", 2)
        assert loaded.get(guard_ref("idempotency", "k1")) is None

    def test_a_later_version_of_what_is_not_there_is_a_conflict(self, store: Store) -> None:
        with pytest.raises(ConflictError):
            store.books.commit([replace(account(), version=3)])

    def test_a_number_counter_follows_the_version_that_was_loaded(self, store: Store) -> None:
        """A block of numbers is one step, however many numbers it has."""
        store.books.commit([NumberSeries("INV-2026", 1, TODAY)])
        store.books.commit([NumberSeries("INV-2026", 41, TODAY, version=1)])
        for version in (1, 3):
            with pytest.raises(ConflictError):
                store.books.commit([NumberSeries("INV-2026", 42, TODAY, version=version)])
        with pytest.raises(AlreadyExistsError):
            store.books.commit([NumberSeries("INV-2026", 1, TODAY)])
        loaded = store.books.load(series_ref("INV-2026")).get(series_ref("INV-2026"))
        assert (loaded, loaded and loaded.version) == (NumberSeries("INV-2026", 41, TODAY), 2)

    # What is written once

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_first_version_must_not_exist_yet(self, store: Store, alone: bool) -> None:
        store.books.commit([account()])
        with pytest.raises(AlreadyExistsError) as refusal:
            store.books.commit([account(name="Other")] + ([] if alone else [account("acc_2")]))
        assert (refusal.value.what, refusal.value.id) == ("Account", "acc_1")
        assert store.journal.accounts(None, 9)[0][0].name == "Blooming Ltd"
        assert len(store.journal.accounts(None, 9)[0]) == 1

    def test_a_document_and_an_entry_are_written_once(self, store: Store) -> None:
        invoice, _, _ = issued()
        (entry,), _ = posted(Balance("acc_1", "EUR"), 1)
        store.books.commit([invoice, entry])
        for again in (invoice, entry):
            with pytest.raises(AlreadyExistsError):
                store.books.commit([again])
            with pytest.raises(AlreadyExistsError):
                store.books.commit([again, account("acc_3")])

    # Guards

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_guard_that_is_taken_comes_back_with_its_answer(self, store: Store, alone: bool) -> None:
        first = guard(answer={"id": "pay_1", "amount_minor": 10**15, "none": None, "list": ["é"]})
        store.books.commit([account(), first])
        with pytest.raises(GuardTakenError) as taken:
            store.books.commit([guard(answer="another", fingerprint="f2")] + ([] if alone else [account("acc_2")]))
        assert taken.value.guard == first
        assert store.books.load(account_ref("acc_2")).get(account_ref("acc_2")) is None

    def test_the_guard_speaks_before_all_else_that_failed(self, store: Store) -> None:
        store.books.commit([account(), guard()])
        with pytest.raises(GuardTakenError):
            store.books.commit([account(), replace(account("acc_9"), version=4), guard()])

    def test_guards_of_different_kinds_and_values_do_not_meet(self, store: Store) -> None:
        store.books.commit([guard("a"), guard("b"), replace(guard("a"), kind="event", expires_at=None)])
        assert store.books.load(guard_ref("event", "a")).get(guard_ref("event", "a")) == replace(
            guard("a"), kind="event", expires_at=None
        )

    # Limits

    def test_one_operation_writes_at_most_100_things(self, store: Store) -> None:
        store.books.commit([account(f"acc_{n:03d}") for n in range(100)])
        with pytest.raises(InvalidError, match="too_much_at_once"):
            store.books.commit([account(f"acc_{n:03d}") for n in range(100, 201)])
        assert len(store.journal.accounts(None, 500)[0]) == 100

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_thing_above_400_kilobytes_is_refused(self, store: Store, alone: bool) -> None:
        with pytest.raises(InvalidError, match="document_too_large"):
            store.books.commit([account(notes="x" * 420_000)] + ([] if alone else [account("acc_2")]))
        assert store.journal.accounts(None, 9)[0] == []

    # Nothing is shared

    def test_what_was_written_does_not_change_with_its_writer(self, store: Store) -> None:
        answer: dict[str, Any] = {"lines": [1]}
        after: dict[str, Any] = {"tags": ["a"]}
        store.books.commit([guard(answer=answer), AccountChange("acc_1", 1, NOW, CLERK, {}, after)])
        answer["lines"].append(2)
        after["tags"].append("b")
        stored = store.books.load(guard_ref("idempotency", "k1")).get(guard_ref("idempotency", "k1"))
        assert stored is not None
        assert stored.answer == {"lines": [1]}
        stored.answer["lines"].append(3)
        again = store.books.load(guard_ref("idempotency", "k1")).get(guard_ref("idempotency", "k1"))
        assert again is not None
        assert again.answer == {"lines": [1]}
        assert store.journal.newest(AccountChange, "acc_1", None, 9)[0][0].after == {"tags": ["a"]}

    # Journal

    def test_entries_come_in_sequence_by_account_and_currency(self, store: Store) -> None:
        entries, _ = posted(Balance("acc_1", "EUR"), 12)
        store.books.commit([*entries, *posted(Balance("acc_1", "USD"), 2)[0], *posted(Balance("acc_2", "EUR"), 2)[0]])

        def sequences(**how: Any) -> list[int]:
            return [entry.sequence for entry in store.journal.entries("acc_1", "EUR", **how)]

        assert list(store.journal.entries("acc_1", "EUR")) == entries
        assert sequences(after=9) == [10, 11, 12]
        assert sequences(after=3, limit=2) == [4, 5]
        assert sequences(newest_first=True, limit=3) == [12, 11, 10]
        assert sequences(after=12) == []
        assert list(store.journal.entries("acc_9", "EUR")) == []

    def test_an_account_comes_with_its_balances(self, store: Store) -> None:
        invoice, item, _ = issued()
        store.books.commit([account(), Balance("acc_1", "USD", 5), Balance("acc_1", "EUR", 7), invoice, item, attempt()])
        found, balances = store.journal.account_with_balances("acc_1")
        assert found == replace(account(), version=1)
        assert [(balance.currency, balance.receivable_minor) for balance in balances] == [("EUR", 7), ("USD", 5)]
        assert store.journal.account_with_balances("acc_9") == (None, [])

    def test_open_items_come_oldest_due_first_and_without_the_settled(self, store: Store) -> None:
        items = [
            open_item("inv_3", due=date(2026, 4, 3)),
            open_item("inv_1", due=date(2026, 4, 1)),
            open_item("inv_2", due=date(2026, 4, 1)),
            open_item("inv_4", due=date(2026, 3, 1)).settle(12100, "pay_1"),
            open_item("inv_5", due=date(2026, 4, 2), currency="USD"),
            replace(open_item("inv_6"), account_id="acc_11"),
        ]
        store.books.commit([*items, Balance("acc_1", "EUR"), Balance("acc_1", "USD")])

        def ids(currency: str | None, limit: int | None = None) -> list[str]:
            return [item.invoice_id for item in store.journal.open_items("acc_1", currency, limit=limit)]

        assert ids("EUR") == ["inv_1", "inv_2", "inv_3"]
        assert ids("EUR", 2) == ["inv_1", "inv_2"]
        assert ids(None) == ["inv_1", "inv_2", "inv_5", "inv_3"]
        assert ids("JPY") == []

    def test_a_settled_item_leaves_the_open_items_and_a_re_opened_one_comes_back(self, store: Store) -> None:
        store.books.commit([open_item("inv_1", 100)])
        item = store.books.load(open_item_ref("acc_1", "inv_1")).get(open_item_ref("acc_1", "inv_1"))
        assert item is not None
        store.books.commit([item.settle(100, "pay_1")])
        assert store.journal.open_items("acc_1", "EUR") == []
        store.books.commit([replace(item, version=2)])
        assert [found.open_minor for found in store.journal.open_items("acc_1", "EUR")] == [100]

    def test_accounts_are_listed_in_pages_oldest_first(self, store: Store) -> None:
        store.books.commit([account(f"acc_{n}") for n in range(5)])
        first, cursor = store.journal.accounts(None, 2)
        second, cursor = store.journal.accounts(cursor, 2)
        third, end = store.journal.accounts(cursor, 2)
        assert [found.id for found in (*first, *second, *third)] == [f"acc_{n}" for n in range(5)]
        assert end is None
        assert list(store.journal.account_ids()) == [f"acc_{n}" for n in range(5)]

    def test_everything_of_an_account_comes_in_the_order_of_keys_balances_before_entries(self, store: Store) -> None:
        invoice, item, series = issued()
        entries, balance = posted(Balance("acc_1", "EUR"), 11)
        payments = [attempt(id=f"pay_{n}") for n in range(3)]
        others = [account("acc_2"), attempt(id="pay_9", account_id="acc_2"), series]
        store.books.commit([account(), order(), invoice, item, balance, *reversed(entries), *payments, *others])
        found = list(store.journal.everything("acc_1"))
        kinds = [Account, Balance, Invoice, *[JournalEntry] * 11, OpenItem, *[Payment] * 3, Order]
        assert [type(thing) for thing in found] == kinds
        assert found[3:14] == entries
        assert list(store.journal.everything("acc_9")) == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
    def test_an_accounts_things_are_listed_newest_first_in_pages(self, store: Store, limit: int) -> None:
        things: list[Any] = [attempt(id=f"pay_{n}") for n in range(5)]
        message = Message("msg_1", "acc_1", "t", "v", "a@b", "s", MessageStatus.SENT, NOW)
        store.books.commit([*things, attempt(id="pay_9", account_id="acc_2"), message, *self.changes(3)])
        assert self.walk(store, Payment, limit) == [f"pay_{n}" for n in (4, 3, 2, 1, 0)]
        assert self.walk(store, Message, limit) == ["msg_1"]
        assert self.walk(store, AccountChange, limit) == [3, 2, 1]
        assert self.walk(store, OpenItem, limit) == []

    def changes(self, count: int) -> list[AccountChange]:
        return [AccountChange("acc_1", n, NOW, CLERK, {}, {}) for n in range(1, count + 1)]

    def walk(self, store: Store, type: type[Any], limit: int) -> list[Any]:
        def pages() -> Iterator[Any]:
            cursor = None
            while True:
                found, cursor = store.journal.newest(type, "acc_1", cursor, limit)
                assert len(found) <= limit
                yield from found
                if cursor is None:
                    return

        return [getattr(thing, "id", None) or thing.number for thing in pages()]

    def test_numbers_are_listed_by_series_in_their_order(self, store: Store) -> None:
        series, documents = NumberSeries("INV-2026"), []
        for n in range(12):
            invoice, _, series = issued(order(id=f"ord_{n}"), NOW + timedelta(days=n // 3), series.last)
            documents.append(invoice)
        other = replace(documents[0], id="inv_other", series="INV-2025", number="INV-2025-000001")
        store.books.commit([*reversed(documents), other, NumberSeries("INV-2026", 1), NumberSeries("INV-2025", 1)])
        assert list(store.journal.document_numbers("INV-2026")) == [f"INV-2026-{n:06d}" for n in range(1, 13)]
        assert list(store.journal.series()) == ["INV-2025", "INV-2026"]
        assert list(store.journal.document_numbers("INV-1999")) == []
        assert list(store.journal.invoiced_accounts("INV-2026")) == ["acc_1"] * 12

    def test_I3_a_spoiled_number_has_its_place_in_the_series_and_is_no_accounts_invoice(self, store: Store) -> None:
        invoice, _, _ = issued(order(), NOW, 0)
        spoiled = SpoiledNumber(invoice.series, 2, invoice.issued_on, "acc_1", "ord_2", "bat_1", "order_canceled", NOW)
        store.books.commit([invoice, spoiled, NumberSeries(invoice.series, 2)])
        assert list(store.journal.document_numbers(invoice.series)) == [invoice.number, spoiled.id]
        assert list(store.journal.invoiced_accounts(invoice.series)) == [invoice.account_id]

    def test_schedules_of_summaries_are_listed_until_they_are_removed(self, store: Store) -> None:
        schedules = [replace(SCHEDULE, id=f"sch_{n}", name=f"{n}") for n in range(3)]
        store.books.commit([*schedules])
        store.books.commit([replace(schedules[1], version=1, removed_at=NOW)])
        assert [each.name for each in store.journal.summary_schedules()] == ["0", "2"]

    @pytest.mark.parametrize("page", [1, 2, 5, 9])
    def test_the_accounts_of_a_schedule_are_listed_in_pages(self, store: Store, page: int) -> None:
        enrolled = [SummaryEnrolment(f"acc_{n}", "sch_1", NOW, 1, NOW) for n in range(5)]
        withdrawn = SummaryEnrolment("acc_w", "sch_1", NOW, 1, None, withdrawn_at=NOW)
        store.books.commit([*enrolled, withdrawn, SummaryEnrolment("acc_o", "sch_2", NOW, 1, NOW)])
        found: list[str] = []
        cursor: str | None = None
        for _ in range(9):
            accounts, cursor = store.journal.enrolled_accounts("sch_1", cursor, page)
            assert len(accounts) <= page
            found += accounts
            if cursor is None:
                break
        assert found == [f"acc_{n}" for n in range(5)]

    # Agenda

    def test_a_thing_of_the_firms_own_is_due_under_no_account(self, store: Store) -> None:
        waiting = replace(SCHEDULE, replan_at=NOW)
        store.books.commit([waiting, SummaryEnrolment("acc_1", "sch_1", NOW, 1, NOW)])
        assert store.agenda.due(AgendaKind.SUMMARY_SCHEDULE, NOW.isoformat(), None, 9) == ([DueThing("", "sch_1")], None)
        assert store.agenda.due(AgendaKind.SUMMARY, NOW.isoformat(), None, 9) == ([DueThing("acc_1", "sch_1")], None)
        store.books.commit([replace(waiting, replan_at=None, version=1)])
        assert store.agenda.due(AgendaKind.SUMMARY_SCHEDULE, NOW.isoformat(), None, 9) == ([], None)

    def test_things_are_due_once_their_day_has_come(self, store: Store) -> None:
        on = [Balance(f"acc_{n}", "EUR", 1, look_again_on=TODAY + timedelta(days=n)) for n in range(-3, 3)]
        twice = [Balance("acc_t", currency, 1, look_again_on=TODAY) for currency in ("EUR", "USD")]
        store.books.commit([*on, *twice, Balance("acc_never", "EUR", 1)])
        due, more = store.agenda.due(AgendaKind.DUNNING, TODAY.isoformat(), None, 100)
        expected = [DueThing(f"acc_{n}", "EUR") for n in range(-3, 1)] + [DueThing("acc_t", "EUR"), DueThing("acc_t", "USD")]
        assert sorted(due, key=str) == sorted(expected, key=str)
        assert more is None
        assert store.agenda.due(AgendaKind.DUNNING, (TODAY - timedelta(days=9)).isoformat(), None, 100) == ([], None)

    @pytest.mark.parametrize("page", [1, 2, 7, 100])
    def test_the_agenda_is_read_in_pages_without_losing_anybody(self, store: Store, page: int) -> None:
        everybody = [Balance(f"acc_{n:02d}", "EUR", 1, look_again_on=TODAY) for n in range(20)]
        store.books.commit(everybody)
        found: list[str] = []
        cursor: str | None = None
        for _ in range(50):
            due, cursor = store.agenda.due(AgendaKind.DUNNING, TODAY.isoformat(), cursor, page)
            found += [thing.account_id for thing in due]
            if cursor is None:
                break
        assert sorted(found) == [balance.account_id for balance in everybody]

    def test_who_was_moved_on_is_no_longer_due(self, store: Store) -> None:
        store.books.commit([Balance("acc_1", "EUR", 1, look_again_on=TODAY)])
        balance = store.books.load(balance_ref("acc_1", "EUR")).get(balance_ref("acc_1", "EUR"))
        assert balance is not None
        store.books.commit([replace(balance, look_again_on=TODAY + timedelta(days=1))])
        assert store.agenda.due(AgendaKind.DUNNING, TODAY.isoformat(), None, 9) == ([], None)
        store.books.commit([replace(balance, look_again_on=None, version=2)])
        assert store.agenda.due(AgendaKind.DUNNING, (TODAY + timedelta(days=999)).isoformat(), None, 9) == ([], None)
