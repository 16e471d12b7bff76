"""A proposed policy tried on all accounts, in the steps of its state machine (O4)."""

import csv
import json
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import Any

import pytest

from remit.adapters.dynamodb.readable import DAMAGED
from remit.domain.dunning import DunningPolicy, Tier
from remit.domain.dunning_trials import PolicyTrial, TrialStatus, TrialTerms
from remit.domain.errors import ConflictError, LedgerBrokenError, NotFoundError, RuleError, TransientError
from remit.usecases.account_manifest import Listed
from remit.usecases.ports import policy_trial_ref
from remit.usecases.try_policy_on_all import (
    download_links,
    folder_of,
    list_accounts,
    need_trial,
    record_failure,
    request_trial,
    try_part,
    write_summary,
)
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import NOW, TODAY, Office
from tests.support.refusals import refused
from tests.unit.accounting.world import MemoryStore

STRICT = DunningPolicy(tiers=(Tier(1, 1, "dunning_tier_1"), Tier(2, 7, "dunning_tier_2")), id="proposed")


def terms(last: int = 40) -> TrialTerms:
    return TrialTerms(STRICT, TODAY, TODAY + timedelta(days=last), time(18))


@dataclass
class Trials:
    """An office whose policies are tried on all accounts, over files in memory."""

    office: Office
    files: MemoryStore

    def ask(self, key: str | None = None, of: TrialTerms | None = None) -> str:
        office = self.office
        request = office.request(key)
        return str(request_trial(of or terms(), request, office.firm, office.books, office.clock, office.ids).body["id"])

    def list_all(self, trial_id: str) -> Listed:
        return list_accounts(trial_id, self.office.books, self.files)

    def try_parts(self, trial_id: str, listed: Listed) -> int:
        trial = need_trial(trial_id, self.office.books)
        parts = [json.loads(line) for line in self.files.text(listed.manifest).splitlines()]
        office = self.office
        return sum(
            try_part(trial, part["part"], part["account_ids"], office.firm, office.books, office.books, self.files, DAMAGED)
            for part in parts
        )

    def sum_up(self, trial_id: str, listed: Listed) -> dict[str, Any]:
        return write_summary(trial_id, listed, self.office.books, self.files, self.office.clock)

    def run(self, trial_id: str) -> dict[str, Any]:
        listed = self.list_all(trial_id)
        self.try_parts(trial_id, listed)
        return self.sum_up(trial_id, listed)

    def trial(self, trial_id: str) -> PolicyTrial:
        found: PolicyTrial = self.office.books.read(policy_trial_ref(trial_id))
        return found

    def lines(self, trial_id: str, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files.text(folder_of(trial_id) + name).splitlines()]


@pytest.fixture
def trials() -> Trials:
    return Trials(Office(), MemoryStore())


@pytest.fixture
def accounts(trials: Trials) -> list[str]:
    """One who never pays, one whose money came on the fifth day and was recorded on the tenth, one who owes nothing."""
    office = trials.office
    found = [office.open_account(email=f"c{n}@x.example") for n in range(3)]
    for account_id in found[:2]:
        office.invoice(account_id, term="on_receipt")
    office.clock.set(NOW + timedelta(days=10))
    office.receive(found[1], 12100, oldest_first=True, value_date=TODAY + timedelta(days=5))
    office.clock.set(NOW + timedelta(days=40))
    return found


def test_O4_the_summary_says_who_would_have_been_written_to_when_and_how_many_wrongly(
    trials: Trials, accounts: list[str]
) -> None:
    summary = trials.run(trials.ask())
    assert summary == {
        "accounts": 3,
        "accounts_written_to": 2,
        "accounts_failed": 0,
        "letters": 4,
        "wrong": 1,
        "wrong_by_reason": {"already_paid": 1},
        "by_month": [
            {"month": "2026-03", "step": "tier 1", "letters": 2, "wrong": 0},
            {"month": "2026-03", "step": "tier 2", "letters": 2, "wrong": 1},
        ],
        "asked_minor": {"EUR": 4 * 12100},
        "overstated_minor": {"EUR": 12100},
        "really_sent": {},
        "failed_accounts": [],
    }


def test_O4_every_letter_is_a_line_of_json_and_of_csv(trials: Trials, accounts: list[str]) -> None:
    trial_id = trials.ask()
    trials.run(trial_id)
    letters = trials.lines(trial_id, "letters.jsonl")
    assert letters[-1] == {
        "account_id": accounts[1],
        "on": "2026-03-09",
        "step": "tier 2",
        "tier": 2,
        "offset_days": None,
        "template": "dunning_tier_2",
        "invoices": ["INV-2026-000002"],
        "asked_minor": {"EUR": 12100},
        "wrong": ["already_paid"],
        "overstated_minor": {"EUR": 12100},
    }
    rows = list(csv.DictReader(trials.files.text(folder_of(trial_id) + "letters.csv").splitlines()))
    assert [(row["on"], row["account_id"], row["step"]) for row in rows] == [
        (letter["on"], letter["account_id"], letter["step"]) for letter in letters
    ]
    assert (rows[-1]["asked_minor"], rows[-1]["wrong"]) == ("EUR 12100", "already_paid")


def test_O4_the_trial_shows_when_it_is_done_and_hands_out_its_files(trials: Trials, accounts: list[str]) -> None:
    trial_id = trials.ask()
    running = trials.trial(trial_id)
    assert (running.status, running.summary, download_links(running, trials.files)) == (TrialStatus.RUNNING, None, {})
    summary = trials.run(trial_id)
    done = trials.trial(trial_id)
    assert (done.status, done.summary, done.finished_at) == (TrialStatus.DONE, summary, trials.office.clock.now())
    links = download_links(done, trials.files)
    assert set(links) == {"letters.jsonl", "letters.csv", "failed_accounts.jsonl", "summary.json"}
    assert links["letters.csv"].endswith(f"policy-trials/{trial_id}/letters.csv")


def test_O4_nothing_but_the_trial_itself_is_written_and_nothing_is_sent(trials: Trials, accounts: list[str]) -> None:
    trial_id = trials.ask()
    books = trials.office.books
    before = books.state()
    trials.run(trial_id)
    after = books.state()
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == {(f"E#{trial_id}", "T")}
    assert trials.office.mailer.sent == []


def test_O4_one_bad_account_stops_no_other_and_is_listed(trials: Trials, accounts: list[str]) -> None:
    books = trials.office.books
    entry = next(iter(books.entries(accounts[0], "EUR")))
    books.overwrite_body(entry, "{")
    trial_id = trials.ask()
    summary = trials.run(trial_id)
    assert (summary["accounts"], summary["accounts_failed"], summary["letters"]) == (3, 1, 2)
    assert [failed["account_id"] for failed in summary["failed_accounts"]] == [accounts[0]]
    assert trials.lines(trial_id, "failed_accounts.jsonl") == summary["failed_accounts"]


def test_O4_an_account_that_is_gone_is_listed_by_the_code_of_its_error(trials: Trials, accounts: list[str]) -> None:
    trial_id = trials.ask()
    trial, office = trials.trial(trial_id), trials.office
    listed = trials.list_all(trial_id)
    try_part(trial, 0, [*accounts[:2], "acc_none"], office.firm, office.books, office.books, trials.files, DAMAGED)
    summary = trials.sum_up(trial_id, listed)
    assert summary["failed_accounts"] == [{"account_id": "acc_none", "why": "account_not_found"}]


@pytest.mark.parametrize("error", [TransientError, ConflictError])
def test_O4_what_may_be_tried_again_is_not_taken_for_a_bad_account(
    trials: Trials, accounts: list[str], error: type[TransientError | ConflictError]
) -> None:
    trial_id = trials.ask()
    listed = trials.list_all(trial_id)
    trials.office.trouble.strike(error("busy", "Try again."), on="load", at=2)
    with pytest.raises(error):
        trials.try_parts(trial_id, listed)
    assert trials.try_parts(trial_id, listed) == 4
    assert trials.sum_up(trial_id, listed)["accounts_failed"] == 0


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST_REPLY, Fault.CONFLICT])
def test_O4_a_step_that_dies_and_is_repeated_makes_the_same_files(trials: Trials, accounts: list[str], fault: Fault) -> None:
    trial_id = trials.ask()
    first = trials.run(trial_id)
    files = dict(trials.files.files)
    again = trials.ask()
    listed = trials.list_all(again)
    trials.try_parts(again, listed)
    trials.try_parts(again, listed)
    trials.office.trouble.strike(fault, on="commit")
    try:
        trials.sum_up(again, listed)
    except MachineDiedError:
        trials.sum_up(again, listed)
    assert trials.trial(again).status is TrialStatus.DONE
    assert trials.trial(again).summary == first
    for name in ("letters.jsonl", "letters.csv", "summary.json"):
        assert trials.files.files[folder_of(again) + name] == files[folder_of(trial_id) + name]


def test_O4_a_summary_that_leaves_somebody_out_is_none(trials: Trials, accounts: list[str]) -> None:
    trial_id = trials.ask()
    listed = trials.list_all(trial_id)
    with pytest.raises(NotFoundError):
        trials.sum_up(trial_id, listed)
    trials.try_parts(trial_id, listed)
    with pytest.raises(LedgerBrokenError, match="trial_incomplete"):
        trials.sum_up(trial_id, replace(listed, accounts=4))
    assert trials.trial(trial_id).status is TrialStatus.RUNNING


def test_a_failure_is_told_to_the_one_who_asked(trials: Trials) -> None:
    trial_id = trials.ask(of=terms(last=0))
    record_failure(trial_id, "States.Timeout", trials.office.books, trials.office.clock)
    failed = trials.trial(trial_id)
    assert (failed.status, failed.failure, failed.summary) == (TrialStatus.FAILED, "States.Timeout", None)


def test_a_trial_asked_for_twice_with_one_key_is_one(trials: Trials) -> None:
    assert trials.ask("key", terms(last=0)) == trials.ask("key", terms(last=0))
    assert len(trials.office.books.all(PolicyTrial)) == 1


def test_days_to_come_are_refused_with_the_last_day_that_is_allowed(trials: Trials) -> None:
    with refused(trials.office.books, "trial_in_future", RuleError):
        trials.ask()


def test_no_account_at_all_is_an_empty_trial(trials: Trials) -> None:
    summary = trials.run(trials.ask(of=terms(last=0)))
    assert (summary["accounts"], summary["letters"], summary["by_month"]) == (0, 0, [])


def test_an_unknown_trial_is_not_found(trials: Trials) -> None:
    with refused(trials.office.books, "policy_trial_not_found", NotFoundError):
        need_trial("ptr_none", trials.office.books)


def test_the_day_of_a_letter_is_the_firms(trials: Trials, accounts: list[str]) -> None:
    trial_id = trials.ask()
    trials.run(trial_id)
    assert {date.fromisoformat(letter["on"]) for letter in trials.lines(trial_id, "letters.jsonl")} == {
        TODAY + timedelta(days=1),
        TODAY + timedelta(days=7),
    }
