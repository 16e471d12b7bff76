"""The promises of `Books`, `Journal` and `Agenda`, kept by the fake and by the adapter on a table of moto.

moto is no proof where threads race (the integration tests have a real engine for that); conditions, limits, indexes
and paging it does as DynamoDB does, and so it shows that the fake and the adapter do not differ.
"""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal, connection
from remit.adapters.dynamodb.records import Record
from tests.fakes import FakeBooks, Fault, Trouble
from tests.support.books_contract import BooksContract, Store
from tests.support.builders import account


class TestFakeBooks(BooksContract):
    @pytest.fixture
    def store(self) -> Store:
        books = FakeBooks()
        return Store(books, books, books)


@pytest.fixture(scope="module")
def table() -> Iterator[type[Record]]:
    access = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in access.items():
            patch.setenv(name, value)
        patch.setattr(Record, "_connection", None)
        patch.setattr(Record.Meta, "billing_mode", "PAY_PER_REQUEST", raising=False)
        connection()
        Record.create_table()
        yield Record


class TestDynamoBooks(BooksContract):
    @pytest.fixture
    def store(self, table: type[Record]) -> Iterator[Store]:
        yield Store(DynamoBooks(), DynamoJournal(), DynamoAgenda())
        with Record.batch_write() as batch:
            for record in list(Record.scan()):
                batch.delete(record)


# What the fake can do beyond the contract


def test_trouble_strikes_at_the_step_it_was_planned_for_and_once() -> None:
    trouble = Trouble()
    books = FakeBooks(trouble)
    trouble.strike(Fault.THROTTLE, on="commit", at=2)
    books.commit([account("acc_1")])
    with pytest.raises(Exception, match="store_busy"):
        books.commit([account("acc_2")])
    books.commit([account("acc_2")])
    assert [found.id for found in books.accounts(None, 9)[0]] == ["acc_1", "acc_2"]
    assert trouble.pending == 0


def test_a_lost_reply_has_written_and_a_throttle_has_not() -> None:
    trouble = Trouble()
    books = FakeBooks(trouble)
    for fault, id, written in ((Fault.THROTTLE, "acc_1", False), (Fault.LOST_REPLY, "acc_2", True)):
        trouble.strike(fault)
        with pytest.raises(Exception, match="store_busy"):
            books.commit([account(id)])
        assert (id in [found.id for found in books.accounts(None, 9)[0]]) is written


def test_indexes_lag_while_they_are_told_to_and_what_decides_does_not() -> None:
    books = FakeBooks()
    books.commit([account("acc_1")])
    with books.lagging():
        books.commit([account("acc_2")])
        assert len(books.accounts(None, 9)[0]) == 1
        assert books.account_with_balances("acc_2")[0] is not None
    assert len(books.accounts(None, 9)[0]) == 2
