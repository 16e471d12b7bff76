"""The auditor: every account and every number series, in parts that may come in any order and twice (L6, L7, I3)."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import ConflictError, LedgerBrokenError, NotFoundError, TransientError
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.payments import Allocation
from remit.usecases import audit_ledger
from remit.usecases.account_manifest import ACCOUNTS_PER_PART, Listed
from remit.usecases.audit_ledger import Totals
from tests.support.builders import NOW, TODAY, Office
from tests.unit.accounting.world import MemoryStore

AUDIT = "nightly-1"
FOLDER = f"audits/{AUDIT}/"


class Audit:
    """An audit of an office's books, step by step."""

    def __init__(self, office: Office) -> None:
        self.office, self.store = office, MemoryStore()

    def lists(self) -> Listed:
        return audit_ledger.list_accounts(AUDIT, self.office.books, self.store)

    @property
    def parts(self) -> list[dict[str, Any]]:
        return self.lines("manifest.jsonl")

    def proves(self, part: dict[str, Any]) -> Totals:
        return audit_ledger.audit_part(AUDIT, part["part"], part["account_ids"], self.office.books, self.store)

    def reports(self, listed: Listed) -> dict[str, Any]:
        return audit_ledger.write_report(AUDIT, listed, self.office.books, self.office.books, self.store, NOW)

    def runs(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """All steps: the report, and the differences."""
        listed = self.lists()
        for part in self.parts:
            self.proves(part)
        return self.reports(listed), self.lines("differences.jsonl")

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.store.text(FOLDER + name).splitlines()]


@pytest.fixture
def audit(office: Office) -> Audit:
    return Audit(office)


def customers(office: Office, count: int) -> list[str]:
    """Accounts with an invoice of EUR 121.00 each, of which half is paid."""
    accounts = [office.open_account() for _ in range(count)]
    for account_id in accounts:
        invoice_id = office.invoice(account_id, 10000)
        office.receive(account_id, 6050, allocations=[Allocation(invoice_id, 6050)])
    return accounts


def test_L6_I3_an_audit_proves_every_account_and_every_series(audit: Audit) -> None:
    customers(audit.office, 3)
    report, differences = audit.runs()
    assert differences == []
    assert {name: report[name] for name in ("accounts", "entries", "documents", "differences", "differences_by_kind")} == {
        "accounts": 3,
        "entries": 6,
        "documents": 6,
        "differences": 0,
        "differences_by_kind": {},
    }
    assert report["series"] == [{"series": "INV-2026", "last": 3, "count": 3}]
    assert json.loads(audit.store.text(FOLDER + "report.json")) == report


def test_L6_books_without_any_account_are_proved(audit: Audit) -> None:
    report, differences = audit.runs()
    assert (report["accounts"], report["series"], differences) == (0, [], [])


@pytest.mark.parametrize("count", [1, ACCOUNTS_PER_PART, ACCOUNTS_PER_PART + 1, 3 * ACCOUNTS_PER_PART])
def test_L6_every_account_is_in_exactly_one_part(audit: Audit, count: int) -> None:
    accounts = [audit.office.open_account() for _ in range(count)]
    listed = audit.lists()
    assert [account_id for part in audit.parts for account_id in part["account_ids"]] == accounts
    assert [part["part"] for part in audit.parts] == list(range(listed.parts))
    assert listed.accounts == count
    assert max(len(part["account_ids"]) for part in audit.parts) <= ACCOUNTS_PER_PART


def test_L6_a_hundred_thousand_accounts_are_listed_as_they_come(audit: Audit) -> None:
    ids = (f"acc_{n:06d}" for n in range(100_000))
    listed = audit_ledger.list_accounts(AUDIT, SimpleNamespace(account_ids=lambda: ids), audit.store)  # type: ignore[arg-type]
    assert (listed.accounts, listed.parts) == (100_000, 100_000 // ACCOUNTS_PER_PART)
    assert audit.parts[-1]["account_ids"][-1] == "acc_099999"


def test_L6_a_difference_is_reported_with_its_account_figure_and_both_amounts(audit: Audit) -> None:
    _, account_id, _ = customers(audit.office, 3)
    audit.office.books.overwrite(replace(audit.office.balance(account_id), credit_minor=7))
    report, (difference,) = audit.runs()
    assert difference == {
        "account_id": account_id,
        "currency": "EUR",
        "what": "credit_minor",
        "id": f"{account_id}.EUR",
        "stored": 7,
        "expected": 0,
        "sentence": "The balance has credit_minor 7, its entries say 0.",
    }
    assert (report["differences"], report["differences_by_kind"]) == (1, {"credit_minor": 1})


@given(tampered=st.sets(st.integers(0, 7)), order=st.randoms(), repeated=st.integers(0, 3))
def test_L6_parts_in_any_order_and_some_of_them_twice_make_the_same_report(tampered: set[int], order: Any, repeated: int) -> None:
    """A failed batch is tried again, and batches run side by side."""
    audit = Audit(Office())
    accounts = customers(audit.office, 8)
    for place in tampered:
        audit.office.books.overwrite(replace(audit.office.balance(accounts[place]), held_minor=1))
    listed = audit.lists()
    ids = audit.parts[0]["account_ids"]
    parts = [{"part": n, "account_ids": ids[2 * n : 2 * n + 2]} for n in range(4)]
    shuffled = order.sample(parts, 4) + parts[:repeated]
    for part in shuffled:
        audit.proves(part)
    report = audit.reports(replace(listed, parts=4))
    assert (report["accounts"], report["differences"]) == (8, len(tampered))
    assert [line["account_id"] for line in audit.lines("differences.jsonl")] == [accounts[n] for n in sorted(tampered)]
    assert audit.reports(replace(listed, parts=4)) == report


def test_L6_a_report_is_not_made_of_parts_that_are_missing(audit: Audit) -> None:
    customers(audit.office, 2)
    listed = audit.lists()
    with pytest.raises(NotFoundError):
        audit.reports(listed)
    assert FOLDER + "report.json" not in audit.store.files
    assert FOLDER + "differences.jsonl" not in audit.store.files


def test_L6_a_report_that_left_somebody_out_is_refused(audit: Audit) -> None:
    customers(audit.office, 2)
    listed = audit.lists()
    part = audit.parts[0]
    audit.proves(part | {"account_ids": part["account_ids"][:1]})
    with pytest.raises(LedgerBrokenError, match="audit_incomplete"):
        audit.reports(listed)


def test_L6_a_listed_account_of_which_nothing_is_left_is_a_difference(audit: Audit) -> None:
    account_id = audit.office.open_account()
    audit.lists()
    part = audit.parts[0]
    audit.office.books.erase(audit.office.account(account_id))
    assert audit.proves(part).differences == 1
    assert audit.lines("parts/000000.jsonl")[0]["difference"]["what"] == "account_missing"


def test_L6_an_account_that_is_gone_with_its_debts_left_is_found_by_its_invoices(audit: Audit) -> None:
    account_id, _ = customers(audit.office, 2)
    audit.office.books.erase(audit.office.account(account_id))
    report, (difference,) = audit.runs()
    assert (difference["what"], difference["id"]) == ("account_missing", account_id)
    assert (report["accounts"], report["entries"]) == (2, 4)


def test_L6_an_account_opened_during_an_audit_is_no_difference(audit: Audit) -> None:
    customers(audit.office, 1)
    listed = audit.lists()
    audit.proves(audit.parts[0])
    customers(audit.office, 1)
    report = audit.reports(listed)
    assert (report["accounts"], report["differences"]) == (2, 0)


def test_L6_a_part_that_could_not_be_read_leaves_no_file_and_is_tried_again(audit: Audit) -> None:
    customers(audit.office, 2)
    audit.lists()
    part = audit.parts[0]
    audit.office.trouble.strike(TransientError("store_busy", "busy"), on="load", at=3)
    with pytest.raises(TransientError):
        audit.proves(part)
    assert FOLDER + "parts/000000.jsonl" not in audit.store.files
    assert asdict(audit.proves(part)) == asdict(Totals(2, 4, 4, 0, ("INV-2026",)))


def test_L6_an_account_that_is_posted_to_all_the_while_is_tried_again_and_no_difference(audit: Audit) -> None:
    (account_id,) = customers(audit.office, 1)
    audit.lists()
    for step in range(2, 100, 2):
        audit.office.trouble.meanwhile(lambda: audit.office.goodwill(account_id, 1), on="load", at=step)
    with pytest.raises(ConflictError):
        audit.proves(audit.parts[0])


NUMBERS: dict[str, Callable[[Office], None]] = {
    "the first invoice is gone": lambda o: o.books.erase(o.books.all(Invoice)[0]),
    "the last invoice is gone": lambda o: o.books.erase(o.books.all(Invoice)[-1]),
    "the counter is ahead": lambda o: o.books.overwrite(NumberSeries("INV-2026", 9, TODAY)),
    "the counter is gone": lambda o: o.books.erase(o.books.all(NumberSeries)[0]),
}


@pytest.mark.parametrize("tamper", NUMBERS.values(), ids=list(NUMBERS))
def test_I3_what_is_wrong_with_a_series_is_in_the_report(audit: Audit, tamper: Callable[[Office], None]) -> None:
    customers(audit.office, 3)
    tamper(audit.office)
    _, differences = audit.runs()
    (found,) = [each for each in differences if each["what"] == "numbers"]
    assert (found["account_id"], found["currency"], found["id"]) == (None, None, "INV-2026")
    assert found["sentence"].startswith("INV-2026: ")


def test_I3_an_index_that_is_a_moment_behind_is_no_gap(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter is read from the table, the invoices from an index that follows it; the second look sees them."""
    customers(audit.office, 2)
    listed = audit.lists()
    audit.proves(audit.parts[0])
    books = audit.office.books
    numbers, looks = books.document_numbers, iter([1])

    def behind(series: str) -> Any:
        return iter(list(numbers(series))[: next(looks, 99)])

    monkeypatch.setattr(books, "document_numbers", behind)
    assert audit.reports(listed)["differences"] == 0


def test_I3_series_of_several_years_are_all_proved(audit: Audit) -> None:
    customers(audit.office, 1)
    audit.office.clock.advance(days=366)
    customers(audit.office, 2)
    report, differences = audit.runs()
    assert differences == []
    assert [(each["series"], each["last"]) for each in report["series"]] == [("INV-2026", 1), ("INV-2027", 2)]
    assert report["finished_at"] == NOW.isoformat()
