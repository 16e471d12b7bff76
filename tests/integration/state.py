"""All that the table holds, in a form in which two histories that differ only in ids and times are equal."""

import re
from collections.abc import Iterable
from itertools import batched
from typing import Any

import msgspec

from remit.adapters.dynamodb.mapping import from_record
from remit.adapters.dynamodb.records import Record
from remit.domain.accounts import Account
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.replay_account import replay_account
from tests.integration.ledger import TABLE
from tests.integration.office import Office

_ID = re.compile(r"\d{26}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)")
_OF_ONE_HISTORY = {"hash", "previous_hash", "last_hash", "version"}
"""Hashes cover ids and times; an extra version means that something was written twice over, which is allowed."""


type Items = dict[tuple[str, str], dict[str, Any]]


def all_items(dynamodb: Any) -> Items:
    """The table's raw items by key."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    return {(item["PK"]["S"], item["SK"]["S"]): item for page in pages for item in page["Items"]}


def put_back(dynamodb: Any, now: Items, wanted: Items) -> None:
    """Turn the table, which holds `now`, into `wanted`."""
    requests: list[dict[str, Any]] = [
        {"DeleteRequest": {"Key": {"PK": {"S": pk}, "SK": {"S": sk}}}} for pk, sk in now.keys() - wanted.keys()
    ]
    requests += [{"PutRequest": {"Item": item}} for key, item in wanted.items() if now.get(key) != item]
    write_all(dynamodb, requests)


def write_all(dynamodb: Any, requests: list[dict[str, Any]]) -> None:
    for batch in batched(requests, 25, strict=False):
        dynamodb.batch_write_item(RequestItems={TABLE: list(batch)})


def things_of(items: Items) -> list[Any]:
    """The domain objects of raw items."""
    return [from_record(Record.from_raw_data(item)) for item in items.values()]


def canonical(*values: Any) -> str:
    """Text of `values` without hashes, times and versions, and with ids by their rank."""
    lines = sorted(_line(value) for value in values)
    ids = sorted({id for line in lines for id in _ID.findall(line)})
    rank = {id: f"#{number}" for number, id in enumerate(ids, start=1)}
    return "\n".join(sorted(_ID.sub(lambda found: rank[found.group()], _TIME.sub("<time>", line)) for line in lines))


def _line(value: Any) -> str:
    return f"{type(value).__name__} {msgspec.json.encode(_without(msgspec.to_builtins(value)), order='deterministic').decode()}"


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items() if name not in _OF_ONE_HISTORY}
    return [_without(each) for each in value] if isinstance(value, list) else value


def faults_of(office: Office, accounts: Iterable[str]) -> list[str]:
    """What the ledger's own proofs find wrong: of each of these accounts, and of every number series."""
    found = [each.sentence for account in accounts for each in replay_account(account, office.journal).differences]
    return found + [gap for series in office.journal.series() for gap in prove_numbers(series, office.books, office.journal).gaps]


def accounts_in(things: Iterable[Any]) -> list[str]:
    return [thing.id for thing in things if isinstance(thing, Account)]
