"""The DynamoDB adapters on a real engine: the promises of the ports, and what only the table can show."""

import json
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pynamodb.attributes import Attribute
from pynamodb.indexes import GlobalSecondaryIndex

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal, connection
from remit.adapters.dynamodb.deflate import deflate, inflate
from remit.adapters.dynamodb.export_source import DynamoExportSource
from remit.adapters.dynamodb.mapping import to_record
from remit.adapters.dynamodb.records import AgendaIndex, GuardRecord, ListingIndex, OpenIndex, Record
from remit.domain.errors import ConflictError, InvalidError, RuleError, TransientError
from remit.domain.exports import Export
from remit.domain.journal import Balance, EntryDraft, EntryKind, Posting, Side
from remit.domain.orders import LineRequest
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases.guards import AlreadyExistsError, Guard, GuardTakenError
from remit.usecases.ports import (
    AgendaKind,
    Books,
    DueThing,
    account_ref,
    balance_ref,
    export_ref,
    guard_ref,
    invoice_ref,
    order_ref,
    series_ref,
)
from tests.integration import faults
from tests.integration.faults import Attempt, watched
from tests.integration.ledger import TABLE
from tests.integration.office import CLERK, MONDAY, TEN_LINES, Office, report
from tests.integration.state import all_items, faults_of, things_of, write_all
from tests.integration.table import table_properties
from tests.support.books_contract import BooksContract, Store
from tests.support.builders import account, firm, issued, order

INDEXES: tuple[type[GlobalSecondaryIndex[Any]], ...] = (AgendaIndex, OpenIndex, ListingIndex)


class TestOnTheEngine(BooksContract):
    @pytest.fixture
    def store(self, client: Any) -> Store:
        return Store(DynamoBooks(), DynamoJournal(), DynamoAgenda())


# ---- The table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.Meta.index_name)
def test_the_template_gives_each_index_the_keys_and_projection_that_the_records_expect(index: Any) -> None:
    definitions = {each["IndexName"]: each for each in table_properties()["GlobalSecondaryIndexes"]}
    definition = definitions[index.Meta.index_name]
    attributes = [each for each in vars(index).values() if isinstance(each, Attribute)]
    assert {key["KeyType"]: key["AttributeName"] for key in definition["KeySchema"]} == {
        "HASH": next(each.attr_name for each in attributes if each.is_hash_key),
        "RANGE": next(each.attr_name for each in attributes if each.is_range_key),
    }
    projection = index.Meta.projection
    assert definition["Projection"]["ProjectionType"] == projection.projection_type
    assert sorted(definition["Projection"]["NonKeyAttributes"]) == sorted(projection.non_key_attributes)


def test_the_template_has_the_records_indexes_and_no_others() -> None:
    names = [each["IndexName"] for each in table_properties()["GlobalSecondaryIndexes"]]
    assert sorted(names) == sorted(index.Meta.index_name for index in INDEXES)


def test_the_template_has_the_records_keys_and_time_to_live() -> None:
    properties = table_properties()
    assert [key["AttributeName"] for key in properties["KeySchema"]] == [Record.pk.attr_name, Record.sk.attr_name]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": GuardRecord.expires_at.attr_name, "Enabled": True}


def test_all_record_classes_share_one_client(client: Any) -> None:
    classes: list[type[Record]] = [Record, *Record.__subclasses__()]
    clients = {id(each._get_connection().connection.client) for each in classes}
    assert clients == {id(client)} == {id(connection().connection.client)}


# ---- Round trips ----------------------------------------------------------------------------------------------------


def test_what_an_office_stores_is_read_back_as_it_was(office: Office, dynamodb: Any) -> None:
    """Everything that a busy week writes goes through record, store and back without loss."""
    customer = office.account(tags=("retail", "é"), notes="Call first")
    invoice = office.invoice(customer, TEN_LINES)
    payment, _ = office.checkout(customer, office.invoice(customer))
    office.event(report(payment, PaymentStatus.SUCCEEDED, office.clock.now()), "evt_1")
    office.event(report(payment, None, office.clock.now()), "evt_2")
    office.receive(customer, 20_000, {invoice: 12_345})
    office.credit(customer)
    office.change(customer, name="Blue Harbour AG")
    office.clock.advance(timedelta(days=50))
    office.dun(customer)
    office.books.commit([Export("exp_1", "2026-02", CLERK, office.clock.now(), control_totals={"EUR": {"debit": 1}})])

    for item, thing in zip(all_items(dynamodb).values(), things_of(all_items(dynamodb)), strict=True):
        again = thing
        if hasattr(thing, "version"):
            again = replace(thing, version=thing.version - 1) if type(thing).__name__ != "NumberSeries" else thing
        written = {name: value for name, value in to_record(again).serialize().items() if name not in ("version",)}
        stored = {name: value for name, value in item.items() if name not in ("version",)}
        if type(thing).__name__ == "Guard":  # its times were text inside the body, and are written in another form again
            del written["deflated"], stored["deflated"]
        assert written == stored, type(thing).__name__


def test_an_amount_of_a_float_is_never_stored(client: Any) -> None:
    for amount in (12.0, "12", True):
        record: Any = to_record(Balance("acc_1", "EUR"))
        record.receivable_minor = amount
        with pytest.raises(TypeError, match="whole number"):
            record.save()


@pytest.mark.parametrize("text", ["", "{}", "x" * 5_000, "é" * 300, json.dumps({"lines": list(range(999))})])
def test_what_is_deflated_is_inflated_again_also_without_our_dictionary(text: str) -> None:
    assert inflate(deflate(text.encode())).decode() == text
    assert inflate(zlib.compress(text.encode(), 9)).decode() == text


def test_an_entry_names_its_documents_once_in_the_table_and_in_full_to_its_readers(office: Office, dynamodb: Any) -> None:
    customer = office.account()
    invoice = office.invoice(customer, TEN_LINES)

    (item,) = (item for item in all_items(dynamodb).values() if item["type"]["S"] == "entry")
    (entry,) = office.journal.entries(customer, "EUR")

    assert item["body"]["S"].count(invoice) == 1
    assert {posting.document_id for posting in entry.draft.postings} == {invoice}
    assert faults_of(office, [customer]) == []


# ---- Reads ----------------------------------------------------------------------------------------------------------


def sent_by(client: Any, read: Any) -> list[tuple[str, dict[str, Any]]]:
    """The requests that a read makes."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def look(attempt: Attempt) -> None:
        seen.append((attempt.operation, attempt.body))

    with watched(client) as calls:
        calls.disturb(look, 0)
        read()
    return seen


@pytest.mark.parametrize("consistent", [True, False])
def test_a_load_is_one_request_as_consistent_as_asked_for(client: Any, consistent: bool) -> None:
    refs = (account_ref("acc_1"), balance_ref("acc_1", "EUR"), series_ref("INV-2026"))
    ((operation, body),) = sent_by(client, lambda: DynamoBooks().load(*refs, consistent=consistent))
    assert operation == "BatchGetItem"
    assert body["RequestItems"][TABLE].get("ConsistentRead", False) is consistent
    assert len(body["RequestItems"][TABLE]["Keys"]) == 3


def test_reads_that_decide_are_consistent_and_reads_of_an_index_cannot_be(client: Any) -> None:
    journal = DynamoJournal()
    decide = [
        lambda: journal.account_with_balances("acc_1"),
        lambda: list(journal.entries("acc_1", "EUR")),
        lambda: journal.newest(Payment, "acc_1", None, 5),
    ]
    for read in decide:
        ((_, body),) = sent_by(client, read)
        assert body["ConsistentRead"] is True
    ((_, body),) = sent_by(client, lambda: journal.open_items("acc_1", "EUR"))
    assert body["IndexName"] == "open"
    assert not body.get("ConsistentRead")


def test_more_than_a_page_of_entries_is_read_to_its_end(client: Any, dynamodb: Any) -> None:
    """A query answers with at most a megabyte."""
    balance, entries = Balance("acc_1", "EUR"), []
    for _ in range(120):
        posting = Posting("credit", Side.CREDIT, 1, "crd_1")
        long = EntryDraft(
            EntryKind.CREDIT_ISSUED, "acc_1", "EUR", date(2026, 3, 2), MONDAY, CLERK,
            (Posting("goodwill", Side.DEBIT, 1, "crd_1"), posting), {"credit": ("crd_1",)}, reason="x" * 10_000,
        )  # fmt: skip
        entry, balance = balance.post(long)
        entries.append(entry)
    write_all(dynamodb, [{"PutRequest": {"Item": to_record(entry).serialize()}} for entry in entries])

    with watched(client) as calls:
        assert list(DynamoJournal().entries("acc_1", "EUR")) == entries
    assert calls.made == ["Query", "Query"]


def test_a_limit_asks_the_store_for_no_more(office: Office, client: Any) -> None:
    customer = office.account()
    for _ in range(3):
        office.invoice(customer)
    (_, body), *more = sent_by(client, lambda: list(office.journal.entries(customer, "EUR", newest_first=True, limit=2)))
    assert (body["Limit"], body["ScanIndexForward"], more) == (2, False, [])


# ---- Indexes: who is in them ----------------------------------------------------------------------------------------


def in_index(dynamodb: Any, name: str) -> list[str]:
    """The sort keys of the items in an index."""
    return sorted(item["SK"]["S"] for item in dynamodb.scan(TableName=TABLE, IndexName=name)["Items"])


def test_an_invoice_is_in_the_open_index_while_it_is_open(office: Office, dynamodb: Any) -> None:
    customer = office.account()
    invoice = office.invoice(customer)
    assert in_index(dynamodb, "open") == [f"O#{invoice}"]
    office.receive(customer, 12_000, {invoice: 12_000})
    assert in_index(dynamodb, "open") == [f"O#{invoice}"]
    office.receive(customer, 100, {invoice: 100})
    assert in_index(dynamodb, "open") == []


def test_an_account_is_in_the_agenda_while_dunning_has_to_look_at_it(office: Office, dynamodb: Any) -> None:
    customer = office.account()
    assert in_index(dynamodb, "agenda") == []
    invoice = office.invoice(customer)
    assert in_index(dynamodb, "agenda") == ["B#EUR"]
    assert office.agenda.due(AgendaKind.DUNNING, (date(2026, 4, 1)).isoformat(), None, 10) == ([], None)  # due on 1 April
    assert office.agenda.due(AgendaKind.DUNNING, (date(2026, 4, 2)).isoformat(), None, 10) == ([DueThing(customer, "EUR")], None)
    office.receive(customer, 12_100, {invoice: 12_100})
    office.clock.advance(timedelta(days=31))
    office.dun(customer)
    assert in_index(dynamodb, "agenda") == []


def test_an_earlier_due_date_moves_an_account_forward_in_the_agenda_and_a_later_one_does_not(office: Office) -> None:
    customer = office.account()
    for term, due_from in (("net30", date(2026, 4, 2)), ("on_receipt", date(2026, 3, 3)), ("net14", date(2026, 3, 3))):
        office.invoice(customer, term=term)
        assert office.stored(balance_ref(customer, "EUR")).look_again_on == due_from


def test_the_listing_holds_what_is_exported_and_no_payment_before_it_arrived(office: Office, dynamodb: Any) -> None:
    customer = office.account()
    invoice = office.invoice(customer)
    payment, _ = office.checkout(customer, invoice)
    document = f"I#{invoice}"
    assert in_index(dynamodb, "listing") == sorted(["A", document, "J#EUR#0000000001", "S"])
    office.event(report(payment, PaymentStatus.SUCCEEDED, office.clock.now()), "evt_1")
    assert in_index(dynamodb, "listing") == sorted(
        ["A", document, "J#EUR#0000000001", "J#EUR#0000000002", f"P#{payment.id}", "S"]
    )


# ---- Writes ---------------------------------------------------------------------------------------------------------


def test_one_change_is_a_plain_put_and_several_are_one_transaction(client: Any) -> None:
    books = DynamoBooks()
    with watched(client) as calls:
        books.commit([account()])
        books.commit([account("acc_2"), account("acc_3")])
    assert calls.made == ["PutItem", "TransactWriteItems"]


def test_a_guard_speaks_first_wherever_it_stands_among_the_changes(client: Any) -> None:
    books, guard = DynamoBooks(), Guard("idempotency", "k", "f", {"id": 1}, MONDAY, MONDAY + timedelta(days=30))
    books.commit([account(), guard])
    for changes in ([guard, account()], [account(), guard], [account(), replace(account("acc_9"), version=4), guard]):
        with pytest.raises(GuardTakenError) as taken:
            books.commit(changes)
        assert taken.value.guard == guard


def test_something_that_exists_is_told_from_a_version_that_moved_on(client: Any) -> None:
    books = DynamoBooks()
    books.commit([account()])
    with pytest.raises(AlreadyExistsError) as exists:
        books.commit([account(), account("acc_2")])
    assert (exists.value.code, exists.value.what, exists.value.id) == ("already_exists", "Account", "acc_1")
    with pytest.raises(ConflictError) as moved:
        books.commit([replace(account(), version=7), account("acc_2")])
    assert moved.value.code == "changed_meanwhile"
    assert not isinstance(moved.value, AlreadyExistsError)


@pytest.mark.parametrize("reason", ["Item size has exceeded the maximum allowed size", "Item too large"])
def test_a_document_found_too_large_within_a_transaction_is_refused_as_such(client: Any, reason: str) -> None:
    """DynamoDB may find this only while it prepares the transaction, and says so in a cancellation reason."""

    def cancelled(attempt: Attempt) -> Any:
        reasons = [{"Code": "None"}, {"Code": "ValidationError", "Message": reason}]
        return faults._refusal(attempt, 400, "TransactionCanceledException", "Transaction cancelled", CancellationReasons=reasons)

    with watched(client) as calls:
        calls.disturb(cancelled, 0)
        with pytest.raises(InvalidError, match="document_too_large"):
            DynamoBooks().commit([account(), account("acc_2")])


def test_an_invoice_too_large_to_store_is_refused_and_uses_no_number(office: Office) -> None:
    customer = office.account()
    noise = Random(0)  # noqa: S311 - it only has to resist compression
    lines = [LineRequest(noise.randbytes(100).hex(), Decimal(1), 100, "VAT21") for _ in range(5_000)]
    with pytest.raises(InvalidError, match="document_too_large"):
        office.order(customer, lines)
    assert office.journal.series() == []


def test_one_payment_is_allocated_over_40_invoices_in_one_write_and_not_over_41(office: Office, client: Any) -> None:
    customer = office.account()
    payment = office.receive(customer, 41 * 12_100).body["id"]
    invoices = [office.invoice(customer) for _ in range(41)]
    with pytest.raises(InvalidError, match="too_many_allocations"):
        office.allocate(customer, payment, dict.fromkeys(invoices, 12_100))

    with watched(client) as calls:
        office.allocate(customer, payment, dict.fromkeys(invoices[:40], 12_100))

    assert calls.made == ["BatchGetItem", "TransactWriteItems"]
    assert [item.invoice_id for item in office.journal.open_items(customer, "EUR")] == invoices[40:]
    assert office.payment(customer, payment).unapplied_minor == 12_100
    assert faults_of(office, [customer]) == []


def test_more_than_is_open_is_refused_as_the_callers_mistake(office: Office) -> None:
    """Also when the account owes less than the payment brings: that is no broken ledger."""
    customer = office.account()
    invoice = office.invoice(customer)
    with pytest.raises(RuleError, match="allocation_exceeds_open"):
        office.receive(customer, 20_000, {invoice: 20_000})


def test_a_guard_that_expired_between_condition_and_look_is_a_conflict(client: Any) -> None:
    """The condition fails on a guard that is gone when it is read: the operation is tried again."""

    def failed(attempt: Attempt) -> Any:
        return faults._refusal(attempt, 400, "ConditionalCheckFailedException", "The conditional request failed")

    guard = Guard("idempotency", "k", "f", None, MONDAY)
    with watched(client) as calls:
        calls.disturb(failed, 0, 0)
        with pytest.raises(ConflictError):
            DynamoBooks().commit([guard])


def test_a_guard_is_read_back_when_the_store_does_not_return_it(client: Any) -> None:
    books, guard = DynamoBooks(), Guard("event", "evt_1", "f", {"id": 1}, MONDAY)
    books.commit([guard])
    with watched(client) as calls, pytest.raises(GuardTakenError) as taken:
        books.commit([guard])
    assert taken.value.guard == guard
    assert calls.made == ["PutItem", "BatchGetItem"]
    with watched(client) as calls:
        calls.disturb(faults.cut_off, 1)
        with pytest.raises(TransientError):
            books.commit([guard])


def test_an_export_is_kept_with_its_figures(client: Any) -> None:
    books: Books = DynamoBooks()
    export = Export("exp_1", "2026-02", CLERK, datetime(2026, 3, 1, tzinfo=UTC))
    books.commit([export])
    books.commit([replace(export, version=1, files={"a.csv": "k/a.csv"}, control_totals={"EUR": {"debit": 10**15}})])
    stored = books.load(export_ref("exp_1")).get(export_ref("exp_1"))
    assert stored == replace(export, version=2, files={"a.csv": "k/a.csv"}, control_totals={"EUR": {"debit": 10**15}})


# ---- The export's reads ---------------------------------------------------------------------------------------------


def test_a_months_documents_come_sorted_from_all_shards(office: Office) -> None:
    customers = [office.account() for _ in range(6)]
    assert len({keys.shard(customer) for customer in customers}) > 1
    for day in range(3):
        for customer in customers:
            invoice = office.invoice(customer)
            office.receive(customer, 12_100, {invoice: 12_100})
            office.credit(customer)
        office.clock.advance(timedelta(days=20 if day else 1))
    source = DynamoExportSource(office.clock)

    for month, days in (("2026-03", 2 + 1), ("2026-04", 0)):
        entries = list(source.entries(month))
        positions = [(e.draft.effective_on, e.draft.account_id, e.draft.currency, e.sequence) for e in entries]
        assert positions == sorted(positions)
        assert len(entries) == days * 6 * 3
        invoices = [(invoice.issued_on, invoice.number) for invoice in source.invoices(month)]
        assert invoices == sorted(invoices)
        assert len(invoices) == days * 6
        payments = [(payment.value_date, payment.account_id, payment.id) for payment in source.payments(month)]
        assert payments == sorted(payments)
        assert len(payments) == days * 6
        assert len(list(source.credits(month))) == days * 6


def test_open_amounts_are_those_of_the_currencies_asked_for(office: Office) -> None:
    first, second = office.account(), office.account()
    office.invoice(first)
    office.invoice(second, currency="USD")
    source = DynamoExportSource(office.clock)
    assert list(source.open_amounts(["EUR"])) == [(first, "EUR", 12_100)]
    assert sorted(source.open_amounts(["EUR", "USD"])) == sorted([(first, "EUR", 12_100), (second, "USD", 12_100)])


def test_an_account_is_named_as_it_was_on_the_day(office: Office) -> None:
    customer = office.account(name="Before")
    office.clock.advance(timedelta(days=10))
    office.change(customer, name="After")
    source = DynamoExportSource(office.clock)
    for on, name in ((date(2026, 3, 2), "Before"), (date(2026, 3, 11), "Before"), (date(2026, 3, 12), "After")):
        assert source.account_names([customer], on) == {customer: name}
    assert source.account_names([customer], date(2025, 1, 1)) == {customer: "Before"}


def test_months_are_probed_from_the_first_account_on(office: Office) -> None:
    customer = office.account()
    office.invoice(customer)
    office.clock.advance(timedelta(days=62))
    office.invoice(customer)
    source = DynamoExportSource(office.clock)
    assert list(source.months_before("2026-05")) == ["2026-03"]
    assert list(source.months_after("2026-03")) == ["2026-05"]
    assert list(source.months_before("2026-03")) == []


def test_documents_of_the_domain_alone_are_read_back(client: Any) -> None:
    """The builders' samples, which other tests start from, go through the table as well."""
    books = DynamoBooks()
    invoice, item, series = issued()
    books.commit([order(), invoice, item, series, firm()])
    loaded = books.load(order_ref("acc_1", "ord_1"), invoice_ref("acc_1", invoice.id), guard_ref("idempotency", "none"))
    assert loaded.get(order_ref("acc_1", "ord_1")) == replace(order(), version=1)
    assert loaded.get(invoice_ref("acc_1", invoice.id)) == invoice
    assert loaded.get(guard_ref("idempotency", "none")) is None
