"""The adapters' one shared client, turned to an engine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.stack import REGION, Stack
from remit.adapters.dynamodb.books import connection
from remit.adapters.dynamodb.records import Record

TABLE = str(Record.Meta.table_name)


@contextmanager
def adapters_on(engine: Stack) -> Iterator[Any]:
    """All adapters work on `engine` inside; yields the botocore client that they share.

    The client is new, so that hooks and retry quotas of one use do not reach the next.
    """
    shared = connection().connection
    region, client = shared.region, shared._client
    shared.region, shared._client = REGION, None
    try:
        with _environment(engine.environment):
            fresh = shared.client
        yield fresh
    finally:
        shared.region, shared._client = region, client


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
