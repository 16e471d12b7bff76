"""Prove the whole ledger: every account, then every number series, into one report (L6, L7, I3).

Three steps, which the auditor's state machine runs: `list_accounts` writes the manifest, a line per part of at most
`ACCOUNTS_PER_PART` accounts; `audit_part` proves the accounts of one line, as many at once as one likes; `write_report`
puts all together. Each writes files under `audits/<audit id>/` and nothing else, and writes the same ones when it is
repeated.

| file | holds |
|---|---|
| `manifest.jsonl` | `{"part": 0, "account_ids": [...]}` a line |
| `parts/000000.jsonl` | a line per difference, then one with the part's totals |
| `differences.jsonl` | all differences, a line each |
| `report.json` | what was proved, and how much of it differs |
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from remit.domain.audit import Difference, What
from remit.domain.errors import LedgerBrokenError, NotFoundError
from remit.usecases.account_manifest import Listed, line, lines, lines_of_parts, part_name, write_manifest
from remit.usecases.export_files import FileStore, Folder, TextFile
from remit.usecases.ports import Books, Journal
from remit.usecases.prove_numbers import NumberProof, prove_numbers
from remit.usecases.replay_account import Replay, replay_account

REPORT = "report.json"
DIFFERENCES = "differences.jsonl"


@dataclass(frozen=True, slots=True)
class Totals:
    """What was proved; `series` are the number series that the invoices seen belong to."""

    accounts: int = 0
    entries: int = 0
    documents: int = 0
    differences: int = 0
    series: tuple[str, ...] = ()

    def plus(self, other: "Totals") -> "Totals":
        return Totals(
            self.accounts + other.accounts,
            self.entries + other.entries,
            self.documents + other.documents,
            self.differences + other.differences,
            tuple(sorted({*self.series, *other.series})),
        )


def folder_of(audit_id: str) -> str:
    """The key prefix of an audit: an audit that is repeated under its id replaces its own files."""
    return f"audits/{audit_id}/"


def list_accounts(audit_id: str, journal: Journal, store: FileStore) -> Listed:
    """Stream the ids of all accounts into the manifest. An account opened meanwhile waits for the next audit."""
    return write_manifest(folder_of(audit_id), journal, store)


def audit_part(audit_id: str, part: int, account_ids: Sequence[str], journal: Journal, store: FileStore) -> Totals:
    """Prove the accounts of one line of the manifest and write down what differs.

    `ConflictError` when an account never came to rest: then the part is to be tried again.
    """
    totals = Totals()
    with Folder(store, folder_of(audit_id)) as folder:
        file = folder.create(part_name(part))
        for account_id in account_ids:
            replay = _replayed(account_id, journal)
            for difference in replay.differences:
                file.record(line({"difference": asdict(difference)}))
            totals = totals.plus(_of_one(replay))
        file.write(line({"totals": asdict(totals)}))
        folder.close()
    return totals


def write_report(
    audit_id: str, listed: Listed, books: Books, journal: Journal, store: FileStore, now: datetime
) -> dict[str, Any]:
    """Put all parts together, prove what was not listed and the number series, and return the report, which is stored.

    `NotFoundError` when a part is missing, `LedgerBrokenError` when the parts hold other accounts than were listed: an
    audit that left somebody out proves nothing.
    """
    totals, by_what = Totals(), Counter[str]()
    with Folder(store, folder_of(audit_id)) as folder:
        file = folder.create(DIFFERENCES)
        for found in lines_of_parts(folder_of(audit_id), listed.parts, store):
            if "totals" in found:
                totals = totals.plus(Totals(**found["totals"]))
            else:
                _note(found["difference"], file, by_what)
        if totals.accounts != listed.accounts:
            raise LedgerBrokenError("audit_incomplete", f"{totals.accounts} of {listed.accounts} accounts were proved.")
        names = sorted({*totals.series, *journal.series()})
        for replay in _unlisted(listed, names, journal, store):
            totals = totals.plus(_of_one(replay))
            for difference in replay.differences:
                _note(asdict(difference), file, by_what)
        proofs = [prove_numbers(series, books, journal) for series in names]
        for proof in proofs:
            for gap in proof.gaps:
                _note(asdict(_gap(proof, gap)), file, by_what)
        report = {
            "audit_id": audit_id,
            "finished_at": now.isoformat(),
            "accounts": totals.accounts,
            "entries": totals.entries,
            "documents": totals.documents,
            "series": [{"series": proof.series, "last": proof.last, "count": proof.count} for proof in proofs],
            "differences": by_what.total(),
            "differences_by_kind": dict(sorted(by_what.items())),
            "files": {DIFFERENCES: folder_of(audit_id) + DIFFERENCES},
        }
        folder.create(REPORT).write(json.dumps(report, indent=2) + "\n")
        folder.close()
    return report


def _replayed(account_id: str, journal: Journal) -> Replay:
    try:
        return replay_account(account_id, journal)
    except NotFoundError:  # it was listed a moment ago, and accounts are never deleted
        text = f"The account {account_id} is listed, and nothing of it is stored."
        gone = Difference(account_id, None, What.ACCOUNT_MISSING, account_id, None, account_id, text)
        return Replay(account_id, 0, 0, (gone,), ())


def _of_one(replay: Replay) -> Totals:
    return Totals(1, replay.entries, replay.documents, len(replay.differences), replay.series)


def _unlisted(listed: Listed, series: Sequence[str], journal: Journal, store: FileStore) -> Iterator[Replay]:
    """Accounts that have invoices and were not listed: opened since, or gone while what they owe is still there."""
    known = {account_id for part in lines(store.read(listed.manifest)) for account_id in part["account_ids"]}
    invoiced = {account_id for name in series for account_id in journal.invoiced_accounts(name)}
    return (_replayed(account_id, journal) for account_id in sorted(invoiced - known))


def _gap(proof: NumberProof, gap: str) -> Difference:
    return Difference(None, None, What.NUMBERS, proof.series, proof.count, proof.last, f"{proof.series}: {gap}.")


def _note(difference: dict[str, Any], file: TextFile, by_what: Counter[str]) -> None:
    by_what[difference["what"]] += 1
    file.record(line(difference))
