"""The files of an export or audit: where they are kept, how they are written, and what a format must be able to do."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.invoices import Invoice
from remit.domain.journal import JournalEntry
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.usecases.export_figures import LedgerAccount, Movement, Period


class BinaryFile(Protocol):
    """A file being written to the store. It exists there only once it is closed."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None:
        """Forget what was written; nothing happens if the file is closed already."""
        ...


class FileStore(Protocol):
    """Where files are kept, under keys such as `exports/2026-11/exp_1/invoices.csv`."""

    def create(self, key: str, content_type: str) -> BinaryFile:
        """Begin a file; closing it replaces what was under that key."""
        ...

    def read(self, key: str) -> Iterator[bytes]:
        """The file's content, chunk by chunk; `NotFoundError` if there is none."""
        ...


class ExportStore(FileStore, Protocol):
    """A store whose files can be handed out."""

    def presign(self, key: str) -> str:
        """A URL under which anyone who has it can download the file for an hour."""
        ...


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A finished file. `records` counts its rows or transactions, without headings."""

    name: str
    size_bytes: int
    sha256: str
    records: int

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "size_bytes": self.size_bytes, "sha256": self.sha256, "records": self.records}


class TextFile:
    """A UTF-8 file being written, with its size and hash: what was meant to be stored, whatever the store does."""

    def __init__(self, name: str, file: BinaryFile) -> None:
        self._name, self._file = name, file
        self._hash = hashlib.sha256()
        self._size_bytes = self._records = 0

    def write(self, text: str) -> None:
        """Append what is no record: a heading, a declaration."""
        # A lone surrogate cannot be encoded; it becomes "?" instead of stopping the month's export.
        data = text.encode("utf-8", "replace")
        self._hash.update(data)
        self._size_bytes += len(data)
        self._file.write(data)

    def record(self, text: str) -> None:
        """Append one record."""
        self._records += 1
        self.write(text)

    def close(self) -> WrittenFile:
        self._file.close()
        return WrittenFile(self._name, self._size_bytes, self._hash.hexdigest(), self._records)

    def abort(self) -> None:
        self._file.abort()


def folder_of(period: str, export_id: str) -> str:
    """The key prefix of an export. Deterministic, so that a repeated step overwrites its own files."""
    return f"exports/{period}/{export_id}/"


_CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json", "jsonl": "application/x-ndjson"}


class Folder(AbstractContextManager["Folder"]):
    """The files of one export or audit being written, all at once in one pass. An error drops them all."""

    def __init__(self, store: FileStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix
        self._files: dict[str, TextFile] = {}

    def create(self, name: str) -> TextFile:
        content_type = _CONTENT_TYPES.get(name.rpartition(".")[2], "text/plain; charset=utf-8")
        self._files[name] = file = TextFile(name, self._store.create(self._prefix + name, content_type))
        return file

    def close(self) -> tuple[WrittenFile, ...]:
        """Finish all files; sorted by name."""
        return tuple(file.close() for _, file in sorted(self._files.items()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            for file in self._files.values():
                file.abort()


class Renderer:
    """One format of the export. The month is shown to all renderers in one pass; each overrides what it needs.

    Renderers format and never compute: sums come from entries and documents, or with `begin` and `end`.
    """

    def begin(self, period: Period, opening: Mapping[LedgerAccount, Movement]) -> None:
        """The opening balances, sorted by key. Comes first."""

    def entry(self, entry: JournalEntry, account_name: str) -> None:
        """The period's entries, by effective date."""

    def invoice(self, invoice: Invoice) -> None:
        """Then its invoices, by date and number."""

    def payment(self, payment: Payment, account_name: str) -> None:
        """Then its payments."""

    def credit(self, credit: Credit, account_name: str) -> None:
        """Then its credits."""

    def credit_note(self, note: CreditNote) -> None:
        """Then its credit notes, by date and number."""

    def refund(self, refund: Refund, account_name: str) -> None:
        """Then the refunds that were asked for in it."""

    def end(self, movements: Mapping[LedgerAccount, Movement]) -> None:
        """The period's movements and closing balances, sorted by key. Comes last."""


class Several(Renderer):
    """Shows the month to all of `renderers`."""

    def __init__(self, renderers: Sequence[Renderer]) -> None:
        self._renderers = renderers

    def begin(self, period: Period, opening: Mapping[LedgerAccount, Movement]) -> None:
        for renderer in self._renderers:
            renderer.begin(period, opening)

    def entry(self, entry: JournalEntry, account_name: str) -> None:
        for renderer in self._renderers:
            renderer.entry(entry, account_name)

    def invoice(self, invoice: Invoice) -> None:
        for renderer in self._renderers:
            renderer.invoice(invoice)

    def payment(self, payment: Payment, account_name: str) -> None:
        for renderer in self._renderers:
            renderer.payment(payment, account_name)

    def credit(self, credit: Credit, account_name: str) -> None:
        for renderer in self._renderers:
            renderer.credit(credit, account_name)

    def credit_note(self, note: CreditNote) -> None:
        for renderer in self._renderers:
            renderer.credit_note(note)

    def refund(self, refund: Refund, account_name: str) -> None:
        for renderer in self._renderers:
            renderer.refund(refund, account_name)

    def end(self, movements: Mapping[LedgerAccount, Movement]) -> None:
        for renderer in self._renderers:
            renderer.end(movements)


type RendererFactory = Callable[[Folder], Renderer]
