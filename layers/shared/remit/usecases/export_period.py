"""Export one calendar month for the accountants (Q4, X2): files written, tied to the ledger, then published.

Four verbs, one a step of the state machine, each safe to repeat: `prepare`, `write_files`, `publish`, and
`record_failure`. What makes an export deterministic: it holds the entries that were recorded until the export was
requested, documents by their frozen facts only, and nothing about the run itself. So a closed month exported
again, or by a retried step, gives the same bytes.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import batched
from operator import itemgetter
from typing import Any, Protocol

from remit.domain.actor import Actor
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.errors import InvalidError, LedgerBrokenError, NotFoundError, RuleError
from remit.domain.exports import Export, ExportStatus
from remit.domain.firm import require_firm
from remit.domain.invoices import Invoice
from remit.domain.journal import JournalEntry
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.usecases.export_figures import Movement, Period, Tally, control_totals, differ
from remit.usecases.export_files import ExportStore, Folder, Renderer, RendererFactory, Several, WrittenFile, folder_of
from remit.usecases.guards import AlreadyExistsError
from remit.usecases.ports import Books, Clock, Ref, firm_ref

CONTROL_TOTALS = "control_totals.json"
MANIFEST = "manifest.json"
PREVIOUS = "previous"
"""As a period: the month before the current one, in the firm's time zone. What the monthly schedule asks for."""

NAMES_AT_ONCE = 100
"""Accounts whose names are looked up together: one batch read of the store."""

MAX_ACCOUNTS_TO_RECHECK = 500
"""Accounts that are read again because they moved while the export ran. More than that is no coincidence."""

_EXPORT_ID = re.compile(r"exp_[0-9A-Za-z_-]{1,64}")


class ExportSource(Protocol):
    """What the export reads: the ledger, month by month. The reads may follow the writes by a moment, except `chain`."""

    def months_before(self, month: str) -> Sequence[str]:
        """The months earlier than `month` that have entries, oldest first."""
        ...

    def months_after(self, month: str) -> Sequence[str]:
        """The months later than `month` that have entries, oldest first."""
        ...

    def entries(self, month: str) -> Iterator[JournalEntry]:
        """All entries effective in `month`, sorted by (effective_on, account_id, currency, sequence)."""
        ...

    def chain(self, account_id: str, currency: str) -> Iterator[JournalEntry]:
        """All entries of one account and currency in sequence, strongly consistent (`Journal.entries`)."""
        ...

    def open_amounts(self, currencies: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """(account_id, currency, open_minor) of every open item of these currencies now, in any order."""
        ...

    def invoices(self, month: str) -> Iterator[Invoice]:
        """The invoices issued in `month`, sorted by (issued_on, number)."""
        ...

    def payments(self, month: str) -> Iterator[Payment]:
        """The payments received with a value date in `month`, sorted by (value_date, account_id, id)."""
        ...

    def credits(self, month: str) -> Iterator[Credit]:
        """The credits issued in `month`, sorted by (issued_on, account_id, id). Those of credit notes may be among them."""
        ...

    def credit_notes(self, month: str) -> Iterator[CreditNote]:
        """The credit notes issued in `month`, sorted by (issued_on, number)."""
        ...

    def refunds(self, month: str) -> Iterator[Refund]:
        """The refunds asked for in `month`, sorted by (requested_on, account_id, id). A refund goes by the gateway's calendar
        and its entry by the firm's, so those of the day before and of the day after are among them."""
        ...

    def account_names(self, account_ids: Sequence[str], on: date) -> Mapping[str, str]:
        """The name that each of these (≤ `NAMES_AT_ONCE`) accounts had at the end of the day `on`, or its first
        one if it was opened later."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_files` made: the files, and the figures that tie them to the ledger."""

    files: tuple[WrittenFile, ...]
    control_totals: dict[str, Any]


def resolve_period(wish: str, today: date) -> Period:
    """The month meant by `2026-11` or `previous`; `RuleError` for one that has not begun."""
    current = Period.of(today)
    period = current.previous if wish == PREVIOUS else Period.parse(wish)
    if period > current:
        raise RuleError("period_in_future", f"{period} has not begun.", current_period=str(current))
    return period


def export_ref(export_id: str) -> Ref[Export]:
    return Ref(Export, "", export_id)


def prepare(wish: str, export_id: str | None, actor: Actor, books: Books, clock: Clock) -> Export:
    """Find or create the export that is to be made; the same one however often this is repeated.

    Without an id (the schedule has none) it is `exp_scheduled_<period>`: a schedule that fires twice makes one
    export. `InvalidError` for a bad id or period, `RuleError` for a month that has not begun.
    """
    now = clock.now()
    if export_id is not None and not _EXPORT_ID.fullmatch(export_id):
        raise InvalidError("bad_export_id", "An export's id is exp_ and up to 64 letters, digits, - and _.")
    export = find_export(export_id, books) if export_id else None
    if export is None:
        firm = require_firm(books.load(firm_ref()).get(firm_ref()))
        period = resolve_period(wish, firm.today(now))
        export_id = export_id or f"exp_scheduled_{period}"
        export = find_export(export_id, books) or _create(Export(export_id, str(period), actor, now), books)
    if export.status is ExportStatus.FAILED:
        export = replace(export, status=ExportStatus.RUNNING, failure=None, finished_at=None)
        books.commit([export])
    return export


def _create(export: Export, books: Books) -> Export:
    try:
        books.commit([export])
    except AlreadyExistsError:  # another execution for the same export was a moment faster
        return require_export(export.id, books)
    return export


def write_files(export: Export, source: ExportSource, store: ExportStore, formats: Sequence[RendererFactory]) -> Written:
    """Write all files of the export in one pass over the month, and tie them to the ledger.

    Reads every entry once, whatever the number of formats. `LedgerBrokenError` (`control_totals_differ`) when the
    figures do not tie; the indexes follow the writes by a moment, so repeating the step may mend that. Files of a
    failed attempt are dropped or overwritten, and are never published.
    """
    period = Period.parse(export.period)
    tally = Tally(period, export.requested_at)
    for month in source.months_before(export.period):
        for entry in source.entries(month):
            tally.add_before(entry)
    with Folder(store, folder_of(export.period, export.id)) as folder:
        _render(source, tally, Several([make(folder) for make in formats]))
        for month in source.months_after(export.period):
            for entry in source.entries(month):
                tally.add_after(entry)
        tally.require_all_documents()
        check_against_ledger(tally, source)
        totals = control_totals(tally)
        folder.create(CONTROL_TOTALS).record(_json(totals))
        return Written(folder.close(), totals)


def _render(source: ExportSource, tally: Tally, renderer: Renderer) -> None:
    month = str(tally.period)
    opening = {key: Movement(moved.opening_minor) for key, moved in sorted(tally.movements.items(), key=itemgetter(0))}
    renderer.begin(tally.period, opening)
    del opening
    names = _Names(source, tally.period.last_day)
    entries = filter(tally.add, source.entries(month))
    for entry, name in names.beside(entries, lambda entry: entry.draft.account_id):
        renderer.entry(entry, name)
    _render_documents(source, tally, renderer, names)
    renderer.end(dict(sorted(tally.movements.items(), key=itemgetter(0))))


def _render_documents(source: ExportSource, tally: Tally, renderer: Renderer, names: "_Names") -> None:
    """The documents whose entries are in this export."""
    month = str(tally.period)
    for invoice in _exported(tally, "invoice", source.invoices(month), lambda invoice: invoice.total_minor):
        renderer.invoice(invoice)
    payments = _exported(tally, "payment", source.payments(month), lambda payment: payment.amount_minor)
    for payment, name in names.beside(payments, lambda payment: payment.account_id):
        renderer.payment(payment, name)
    credits = _exported(tally, "credit", source.credits(month), lambda credit: credit.gross_minor)
    for credit, name in names.beside(credits, lambda credit: credit.account_id):
        renderer.credit(credit, name)
    for note in _exported(tally, "credit_note", source.credit_notes(month), lambda note: note.gross_minor):
        renderer.credit_note(note)
    refunds = _exported(tally, "refund", source.refunds(month), lambda refund: refund.amount_minor)
    for refund, name in names.beside(refunds, lambda refund: refund.account_id):
        renderer.refund(refund, name)


class _Document(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def currency(self) -> str: ...


def _exported[D: _Document](tally: Tally, role: str, documents: Iterable[D], amount_minor: Callable[[D], int]) -> Iterator[D]:
    """Those of `documents` whose entry is in this export."""
    return (each for each in documents if tally.add_document(role, each.id, each.currency, amount_minor(each)))


def check_against_ledger(tally: Tally, source: ExportSource) -> None:
    """Tie the export to what is open now (Q4): closing receivable + later movements = Σ open items, and no gap.

    This is done account by account, which is stricter than a total (differences cannot cancel out) and holds while
    the firm works on: an account that moved during the export is read again, and must say the same of the time up
    to the period's end as the files do. `LedgerBrokenError` otherwise.
    """
    open_minor: dict[tuple[str, str], int] = {}
    for account_id, currency, amount_minor in source.open_amounts(tally.currencies):
        open_minor[(account_id, currency)] = open_minor.get((account_id, currency), 0) + amount_minor
    doubtful = tally.unexplained(open_minor)
    if len(doubtful) > MAX_ACCOUNTS_TO_RECHECK:
        raise differ(f"{len(doubtful)} accounts do not tie to the ledger", accounts=[id for id, _ in doubtful[:10]])
    wrong = [key for key in doubtful if not tally.agrees_with(*key, source.chain(*key))]
    if wrong:
        raise differ(f"{len(wrong)} accounts do not tie to the ledger", accounts=[id for id, _ in wrong[:10]])


class _Names:
    """The accounts' names, looked up in batches as they come by, each once.

    A name is the one that the account had at the end of the period, so that renaming a customer does not change a
    month that is closed.
    """

    def __init__(self, source: ExportSource, on: date) -> None:
        self._source, self._on = source, on
        self._known: dict[str, str] = {}

    def beside[T](self, things: Iterable[T], account_id: Callable[[T], str]) -> Iterator[tuple[T, str]]:
        """Each of `things` with the name of its account; the id stands in for an account without one."""
        for batch in batched(things, NAMES_AT_ONCE, strict=False):
            unknown = sorted({account_id(thing) for thing in batch} - self._known.keys())
            if unknown:
                self._known |= {id: id for id in unknown} | dict(self._source.account_names(unknown, self._on))
            for thing in batch:
                yield thing, self._known[account_id(thing)]


def publish(export: Export, written: Written, books: Books, store: ExportStore, clock: Clock) -> Export:
    """Read every file back, and only if each is what was written, add the manifest and mark the export as done.

    `LedgerBrokenError` (`stored_file_differs`) when size or hash of a stored file are not those of what was written.
    """
    if export.status is ExportStatus.DONE:
        return export
    folder = folder_of(export.period, export.id)
    for file in written.files:
        size_bytes, digest = 0, hashlib.sha256()
        for chunk in store.read(folder + file.name):
            size_bytes += len(chunk)
            digest.update(chunk)
        if (size_bytes, digest.hexdigest()) != (file.size_bytes, file.sha256):
            raise LedgerBrokenError("stored_file_differs", f"{file.name} is not stored as it was written.", file=file.name)
    with Folder(store, folder) as manifest:
        manifest.create(MANIFEST).record(_json({"period": export.period, "files": [file.facts() for file in written.files]}))
        manifest.close()
    names = [*(file.name for file in written.files), MANIFEST]
    done = replace(
        export,
        status=ExportStatus.DONE,
        finished_at=clock.now(),
        files={name: folder + name for name in sorted(names)},
        control_totals=written.control_totals,
        failure=None,
    )
    books.commit([done])
    return done


def record_failure(export_id: str, failure: str, books: Books, clock: Clock) -> None:
    """Say on the export why it failed. Nothing to do when it was never created, or is done after all."""
    export = find_export(export_id, books)
    if export is not None and export.status is ExportStatus.RUNNING:
        failed = replace(export, status=ExportStatus.FAILED, finished_at=clock.now(), failure=failure)
        books.commit([failed])


def find_export(export_id: str, books: Books) -> Export | None:
    """The export as it is stored."""
    return books.load(export_ref(export_id)).get(export_ref(export_id))


def require_export(export_id: str, books: Books) -> Export:
    """The export as it is stored; `NotFoundError` if there is none."""
    export = find_export(export_id, books)
    if export is None:
        raise NotFoundError("export_not_found", f"There is no export {export_id}.")
    return export


def download_links(export: Export, store: ExportStore) -> dict[str, str]:
    """File name → URL that works for an hour. Empty until the export is done."""
    return {name: store.presign(key) for name, key in (export.files or {}).items()}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
