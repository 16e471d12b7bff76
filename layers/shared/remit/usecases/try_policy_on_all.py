"""Try a proposed dunning policy on the past of all accounts (O4), in steps that a state machine runs.

`request_trial` records what is wanted. Then `list_accounts` writes the manifest, a line per part of some accounts;
`try_part` tries the accounts of one line, as many at once as one likes; `write_summary` puts all together. Each writes files
under `policy-trials/<trial id>/` and the same ones when it is repeated; of what is stored only the trial itself ever changes.

| file | holds |
|---|---|
| `manifest.jsonl` | `{"part": 0, "account_ids": [...]}` a line |
| `parts/000000.jsonl` | a line per letter and per account that could not be tried, then one with the part's totals |
| `letters.jsonl`, `letters.csv` | all letters, a line each |
| `failed_accounts.jsonl` | the accounts that could not be tried, and why |
| `summary.json` | counts by step and month, by what was wrong, and what was asked for |
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from remit.domain.dunning_trials import PolicyTrial, TrialLetter, TrialStatus, TrialTerms
from remit.domain.errors import ConflictError, LedgerBrokenError, RemitError, TransientError
from remit.domain.firm import Firm
from remit.usecases.account_manifest import Listed, line, lines_of_parts, part_name, write_manifest
from remit.usecases.export_files import ExportStore, FileStore, Folder, TextFile
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Ids, Journal, policy_trial_ref
from remit.usecases.try_policy import try_policy

FAILED_SHOWN = 100
"""How many accounts that could not be tried the summary itself names."""

LETTERS, LETTERS_CSV, FAILED, SUMMARY = "letters.jsonl", "letters.csv", "failed_accounts.jsonl", "summary.json"

COLUMNS = ("on", "account_id", "step", "template", "invoices", "asked_minor", "wrong", "overstated_minor")


def request_trial(terms: TrialTerms, request: Request[PolicyTrial], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Record that a policy is to be tried on all accounts; the state machine does it.

    `RuleError` `trial_in_future` for days that are still to come.
    """
    now = clock.now()
    terms.require_past(firm.today(now))
    trial = PolicyTrial(ids.new("ptr"), terms, request.actor, now)

    def decide(consistent: bool) -> tuple[Changes, PolicyTrial]:
        return [trial], trial

    return once(books, request, now, decide)


def need_trial(trial_id: str, books: Books) -> PolicyTrial:
    """The trial; `NotFoundError` for an unknown one."""
    ref = policy_trial_ref(trial_id)
    return need(books.load(ref), ref)


def folder_of(trial_id: str) -> str:
    """The key prefix of a trial's files."""
    return f"policy-trials/{trial_id}/"


def list_accounts(trial_id: str, journal: Journal, store: FileStore) -> Listed:
    """Stream the ids of all accounts into the manifest."""
    return write_manifest(folder_of(trial_id), journal, store)


def try_part(
    trial: PolicyTrial,
    part: int,
    account_ids: Sequence[str],
    firm: Firm,
    books: Books,
    journal: Journal,
    store: FileStore,
    damage: tuple[type[Exception], ...],
) -> int:
    """Try the policy on the accounts of one line of the manifest; how many letters that makes.

    An account that cannot be tried stops no other: it is written down with why. `damage`: what reading a damaged thing of the
    store raises. `TransientError` and `ConflictError` mean that the part is to be tried again.
    """
    letters, really_sent = 0, Counter[str]()
    with Folder(store, folder_of(trial.id)) as folder:
        file = folder.create(part_name(part))
        for account_id in account_ids:
            try:
                tried = try_policy(account_id, trial.terms, firm, books, journal)
            except (TransientError, ConflictError):
                raise
            except RemitError as error:
                file.record(_failed(account_id, error.code))
                continue
            except damage as error:
                file.record(_failed(account_id, type(error).__name__))
                continue
            for letter in tried.letters:
                file.record(line({"letter": {"account_id": account_id, **_plain(letter)}}))
            letters += len(tried.letters)
            really_sent.update(tried.really_sent)
        file.write(line({"totals": {"accounts": len(account_ids), "really_sent": really_sent}}))
        folder.close()
    return letters


def _failed(account_id: str, why: str) -> str:
    return line({"failed": {"account_id": account_id, "why": why}})


def _plain(letter: TrialLetter) -> dict[str, Any]:
    """A letter as plain data, with the invoices that it lists by their numbers."""
    return {
        "on": letter.on.isoformat(),
        "step": letter.step,
        "tier": letter.tier,
        "offset_days": letter.offset_days,
        "template": letter.template,
        "invoices": list(letter.numbers),
        "asked_minor": dict(letter.asked_minor),
        "wrong": [str(reason) for reason in letter.wrong],
        "overstated_minor": dict(letter.overstated_minor),
    }


@dataclass(slots=True)
class _Summary:
    """Counts what the parts say. Amounts asked for are sums over letters: two letters about one debt ask for it twice."""

    accounts: int = 0
    written_to: set[str] = field(default_factory=set)
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    overstated: Counter[str] = field(default_factory=Counter)
    really_sent: Counter[str] = field(default_factory=Counter)
    failed: list[dict[str, str]] = field(default_factory=list)
    failures: int = 0

    def count_letter(self, letter: Mapping[str, Any]) -> None:
        place = (letter["on"][:7], letter["step"])
        self.written_to.add(letter["account_id"])
        self.letters[place] += 1
        self.wrong[place] += bool(letter["wrong"])
        self.reasons.update(letter["wrong"])
        self.asked.update(letter["asked_minor"])
        self.overstated.update(letter["overstated_minor"])

    def count_failure(self, failure: dict[str, str]) -> None:
        self.failures += 1
        if len(self.failed) < FAILED_SHOWN:
            self.failed.append(failure)

    def count_part(self, totals: Mapping[str, Any]) -> None:
        self.accounts += totals["accounts"]
        self.really_sent.update(totals["really_sent"])

    def plain(self) -> dict[str, Any]:
        by_month = [
            {"month": month, "step": step, "letters": count, "wrong": self.wrong[month, step]}
            for (month, step), count in sorted(self.letters.items())
        ]
        return {
            "accounts": self.accounts,
            "accounts_written_to": len(self.written_to),
            "accounts_failed": self.failures,
            "letters": self.letters.total(),
            "wrong": self.wrong.total(),
            "wrong_by_reason": dict(sorted(self.reasons.items())),
            "by_month": by_month,
            "asked_minor": dict(sorted(self.asked.items())),
            "overstated_minor": dict(sorted(self.overstated.items())),
            "really_sent": dict(sorted(self.really_sent.items())),
            "failed_accounts": self.failed,
        }


def write_summary(trial_id: str, listed: Listed, books: Books, store: FileStore, clock: Clock) -> dict[str, Any]:
    """Put all parts together, store the summary with the trial, and return it.

    `NotFoundError` when a part is missing, `LedgerBrokenError` when the parts hold fewer accounts than were listed: a trial
    that left somebody out would promise too much.
    """
    summary = _Summary()
    with Folder(store, folder_of(trial_id)) as folder:
        letters, table, failed = folder.create(LETTERS), folder.create(LETTERS_CSV), folder.create(FAILED)
        table.write(_row(COLUMNS))
        for found in lines_of_parts(folder_of(trial_id), listed.parts, store):
            if "letter" in found:
                summary.count_letter(found["letter"])
                _record(found["letter"], letters, table)
            elif "failed" in found:
                summary.count_failure(found["failed"])
                failed.record(line(found["failed"]))
            else:
                summary.count_part(found["totals"])
        if summary.accounts != listed.accounts:
            raise LedgerBrokenError("trial_incomplete", f"{summary.accounts} of {listed.accounts} accounts were tried.")
        plain = summary.plain()
        folder.create(SUMMARY).write(json.dumps(plain, indent=2) + "\n")
        folder.close()
    files = {name: folder_of(trial_id) + name for name in (LETTERS, LETTERS_CSV, FAILED, SUMMARY)}
    _finish(trial_id, books, clock, status=TrialStatus.DONE, files=files, summary=plain, failure=None)
    return plain


def record_failure(trial_id: str, failure: str, books: Books, clock: Clock) -> None:
    """Say on the trial why it came to nothing."""
    _finish(trial_id, books, clock, status=TrialStatus.FAILED, failure=failure)


def _finish(trial_id: str, books: Books, clock: Clock, **how: Any) -> None:
    def decide() -> tuple[Changes, None]:
        return [replace(need_trial(trial_id, books), finished_at=clock.now(), **how)], None

    persist(books, decide)


def download_links(trial: PolicyTrial, store: ExportStore) -> dict[str, str]:
    """File name → URL that works for an hour. Empty until the trial is done."""
    return {name: store.presign(key) for name, key in (trial.files or {}).items()}


def _record(letter: Mapping[str, Any], lines: TextFile, table: TextFile) -> None:
    lines.record(line(letter))
    amounts = {name: _amounts(letter[name]) for name in ("asked_minor", "overstated_minor")}
    lists = {name: " ".join(letter[name]) for name in ("invoices", "wrong")}
    cells = {**letter, **amounts, **lists}
    table.record(_row([cells[column] for column in COLUMNS]))


def _amounts(amounts: Mapping[str, int]) -> str:
    """`EUR 12100; USD 500`, in minor units."""
    return "; ".join(f"{currency} {amount}" for currency, amount in sorted(amounts.items()))


def _row(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
