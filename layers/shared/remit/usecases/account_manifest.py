"""The list of all accounts in parts, which a distributed map reads; and JSON Lines, in which parts write what they found."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from remit.usecases.export_files import FileStore, Folder
from remit.usecases.ports import Journal

ACCOUNTS_PER_PART = 50

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, slots=True)
class Listed:
    """A manifest: its key in the store, and how many accounts it names in how many parts."""

    manifest: str
    accounts: int
    parts: int


def write_manifest(prefix: str, journal: Journal, store: FileStore) -> Listed:
    """Stream the ids of all accounts into `<prefix>manifest.jsonl`, a line per part: `{"part": 0, "account_ids": [...]}`."""
    accounts = parts = 0
    with Folder(store, prefix) as folder:
        manifest = folder.create(MANIFEST)
        for account_ids in batched(journal.account_ids(), ACCOUNTS_PER_PART, strict=False):
            manifest.record(line({"part": parts, "account_ids": account_ids}))
            accounts, parts = accounts + len(account_ids), parts + 1
        folder.close()
    return Listed(prefix + MANIFEST, accounts, parts)


def part_name(part: int) -> str:
    """The file in which a part writes what it found."""
    return f"parts/{part:06d}.jsonl"


def lines_of_parts(prefix: str, parts: int, store: FileStore) -> Iterator[dict[str, Any]]:
    """The lines of all parts, in order; `NotFoundError` when one is missing."""
    for part in range(parts):
        yield from lines(store.read(prefix + part_name(part)))


def lines(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    rest = b""
    for chunk in chunks:
        *found, rest = (rest + chunk).split(b"\n")
        yield from map(json.loads, found)


def line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
