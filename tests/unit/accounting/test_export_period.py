"""Exports of generated and of hostile months, through the real accounting programs (Q4, X2)."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.accounting.formats import FORMATS
from remit.domain.errors import LedgerBrokenError
from remit.domain.exports import Export
from remit.domain.journal import JournalEntry
from remit.domain.payments import Payment
from remit.usecases.export_period import MANIFEST, Written, publish, require_export, write_files
from tests.unit.accounting.programs import bean_check, beancount_total, hledger, hledger_check, hledger_total
from tests.unit.accounting.world import FixedClock, MemoryBooks, MemoryStore, World, export_of, line, renamed

OCTOBER, NOVEMBER, DECEMBER = "2026-10", "2026-11", "2026-12"
FILES = {
    "allocations.csv", "balances.csv", "control_totals.json", "credit_note_lines.csv", "credit_notes.csv", "credits.csv",
    "invoice_lines.csv", "invoice_taxes.csv", "invoices.csv", "journal.beancount", "journal.hledger", "payments.csv",
    "refunds.csv", "transactions.csv",
}  # fmt: skip
HOSTILE = 'Evil; "Corp" \\ | =cmd, date:2020 [2020-01-01]\n2026-11-09 * x\n\tA  1 EUR\x00 \u2028 😀 ünï'


def november() -> World:
    """Three currencies, two customers, something brought forward from October, a hostile name, something in December."""
    world = World(names={"acc_1": HOSTILE, "acc_2": "株式会社"})
    world.invoice("acc_1", "EUR", [line(10_000)], date(2026, 10, 5))
    world.pay("acc_1", "EUR", 2_000, date(2026, 10, 31))
    world.invoice("acc_1", "EUR", [line(33_333, "VAT9"), line(1, "VAT21", description="=1+1")], date(2026, 11, 2))
    world.invoice("acc_2", "JPY", [line(1_205, "REVERSE", category="Gift cards; 5 €")], date(2026, 11, 2))
    world.invoice("acc_2", "KWD", [line(1_005, "vat9")], date(2026, 11, 3))
    world.pay("acc_1", "EUR", 50_000, date(2026, 11, 10))
    late = world.pay("acc_2", "JPY", 1_000, date(2026, 11, 11), allocate=False)
    world.goodwill("acc_1", "EUR", 1_210, date(2026, 11, 12), HOSTILE)
    world.allocate(late.id, date(2026, 11, 30))
    world.pay("acc_2", "KWD", 100, date(2026, 12, 1))
    return world


def run(world: World, period: str, export: Export | None = None) -> tuple[Written, dict[str, bytes]]:
    store = MemoryStore()
    export = export or export_of(period)
    written = write_files(export, world, store, FORMATS)
    return written, {key.rpartition("/")[2]: data for key, data in store.files.items()}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def closing(totals: Mapping[str, Any], account: str) -> dict[str, str]:
    """Currency → closing balance, without zeros: what accounting programs list."""
    found = {c: t["accounts"].get(account, {}).get("closing", "0") for c, t in totals["currencies"].items()}
    return {currency: amount for currency, amount in found.items() if amount.strip("-0.")}


def prove(files: Mapping[str, bytes], totals: Mapping[str, Any], directory: Path) -> None:
    """Both programs accept their journal and agree with the control totals, and so do the CSV files."""
    for name in ("journal.hledger", "journal.beancount"):
        (directory / name).write_bytes(files[name])
    hledger_check(directory / "journal.hledger")
    for account, ledger in (
        ("receivable", "Assets:Receivable"),
        ("credit", "Liabilities:Credit"),
        ("cash:bank_transfer", "Assets:Cash"),
        ("refunds_in_transit", "Liabilities:Refunds-in-transit"),
        ("deposits", "Liabilities:Deposits"),
    ):
        expected = closing(totals, account)
        assert hledger_total(directory / "journal.hledger", f"^{ledger}") == expected
        assert beancount_total(directory / "journal.beancount", ledger) == expected
    postings = rows(files["transactions.csv"])
    for currency, figures in totals["currencies"].items():
        ours = [posting for posting in postings if posting["currency"] == currency]
        assert _sum(posting["debit"] for posting in ours) == _sum([figures["debits"]])
        assert _sum(posting["credit"] for posting in ours) == _sum([figures["credits"]])
        assert len({posting["entry_id"] for posting in ours}) == figures["entries"]
        for role in ("invoice", "payment", "credit", "credit_note", "refund"):
            count = f"{role}s"
            documents = [row for row in rows(files[f"{count}.csv"]) if row["currency"] == currency]
            amounts = [row.get("payable") or row.get("gross") or row["amount"] for row in documents]
            assert len(documents) == figures["documents"][role]["count"]
            assert _sum(amounts) == _sum([figures["documents"][role]["total"]])


def _sum(amounts: Any) -> int:
    return sum(int(amount.replace(".", "")) for amount in amounts if amount)


def test_the_real_programs_accept_a_hostile_month_in_three_currencies(tmp_path: Path) -> None:
    written, files = run(november(), NOVEMBER)
    assert set(files) == FILES
    prove(files, written.control_totals, tmp_path)
    bean_check(tmp_path / "journal.beancount")
    assert closing(written.control_totals, "receivable") == {"JPY": "205", "KWD": "1.100"}
    assert closing(written.control_totals, "credit") == {"EUR": "-77.76"}


def test_a_hostile_name_is_a_payee_and_nothing_else(tmp_path: Path) -> None:
    _, files = run(november(), NOVEMBER)
    (tmp_path / "journal.hledger").write_bytes(files["journal.hledger"])
    payees = hledger(tmp_path / "journal.hledger", "payees").splitlines()
    evil = 'Evil, "Corp" \\ / =cmd, date:2020 [2020-01-01] 2026-11-09 * x A 1 EUR 😀 ünï'
    assert sorted(payees) == sorted(["Opening balances", "Closing balances", evil, "株式会社"])
    assert hledger(tmp_path / "journal.hledger", "print", "date:2026-11-09") == ""


def unapplied(world: World, account_id: str) -> list[Payment]:
    return [each for each in world.all_payments.values() if each.unapplied_minor and each.account_id == account_id]


def credit_all(world: World, account_id: str, _currency: str, _minor: int, day: date) -> None:
    for invoice in world.all_invoices:
        if invoice.account_id == account_id and not world.open[invoice.id].credited:
            world.credit_note(invoice, 1, day)


def write_all_off(world: World, account_id: str, _currency: str, _minor: int, day: date) -> None:
    for invoice in world.all_invoices:
        if invoice.account_id == account_id and world.open[invoice.id].open_minor:
            world.write_off(invoice, day)


def refund_all(world: World, account_id: str, _currency: str, minor: int, day: date) -> None:
    for payment in unapplied(world, account_id):
        world.refund(payment.id, payment.unapplied_minor, day, day - timedelta(days=minor % 2))


def allocate_all(world: World, account_id: str, _currency: str, _minor: int, day: date) -> None:
    for payment in unapplied(world, account_id):
        world.allocate(payment.id, day)


VERBS: dict[str, Callable[[World, str, str, int, date], object]] = {
    "pay": World.pay,
    "pay_unapplied": lambda world, *payment: world.pay(*payment, allocate=False),
    "allocate": allocate_all,
    "goodwill": World.goodwill,
    "credit": credit_all,
    "refund": refund_all,
    "write_off": write_all_off,
}
"""What may happen to an account beside an invoice; each takes (account, currency, amount, day)."""


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_all_formats_agree_with_the_control_totals(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    world = World(names={f"acc_{n}": data.draw(st.text(max_size=20), label="name") for n in range(3)})
    amount = st.integers(1, 10**7)
    steps = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 60), st.integers(0, 2), st.sampled_from(["EUR", "JPY", "KWD"]),
                st.sampled_from(["invoice", *VERBS]),
                st.lists(st.tuples(amount, st.sampled_from(["VAT21", "VAT9", "vat9", "REVERSE"])), min_size=1, max_size=3),
            ),
            max_size=25,
        )
    )  # fmt: skip
    for offset, customer, currency, verb, amounts in sorted(steps, key=lambda step: step[0]):
        day = date(2026, 10, 10) + timedelta(days=offset)
        if verb == "invoice":
            world.invoice(f"acc_{customer}", currency, [line(minor, code) for minor, code in amounts], day)
        else:
            VERBS[verb](world, f"acc_{customer}", currency, amounts[0][0], day)
    written, files = run(world, NOVEMBER)
    prove(files, written.control_totals, tmp_path_factory.mktemp("export"))


def test_exporting_again_is_byte_identical() -> None:
    first = run(november(), NOVEMBER)
    again = run(november(), NOVEMBER, export_of(NOVEMBER, id="exp_2", requested_at=datetime(2029, 1, 1, tzinfo=UTC)))
    assert first == again


def test_what_happens_later_does_not_change_a_closed_month() -> None:
    world = november()
    before = run(world, NOVEMBER)
    world.pay("acc_2", "JPY", 205, date(2026, 12, 24))
    world.pay("acc_2", "KWD", 5_000, date(2026, 12, 24))
    world.invoice("acc_3", "EUR", [line(500)], date(2027, 1, 1))
    assert run(world, NOVEMBER) == before


def test_an_entry_recorded_after_the_request_is_left_for_the_next_export() -> None:
    world = november()
    request = export_of(NOVEMBER, requested_at=datetime(2026, 11, 11, 13, tzinfo=UTC))
    written, files = run(world, NOVEMBER, request)
    assert written.control_totals["currencies"]["EUR"]["documents"]["credit"]["count"] == 0
    assert rows(files["credits.csv"]) == []


def test_a_month_opens_with_what_the_one_before_closed_with() -> None:
    world = november()
    before, after = (run(world, period)[0].control_totals["currencies"] for period in (OCTOBER, NOVEMBER))
    for account, figures in before["EUR"]["accounts"].items():
        assert after["EUR"]["accounts"][account]["opening"] == figures["closing"]


def test_opening_balances_stand_against_equity(tmp_path: Path) -> None:
    _, files = run(november(), NOVEMBER)
    (tmp_path / "journal.hledger").write_bytes(files["journal.hledger"])
    # Net EUR 100.00 were earned in October; 121.00 were owed, of which 20.00 were paid.
    assert hledger_total(tmp_path / "journal.hledger", "^Equity") == {"EUR": "-100.00"}
    assert "Opening balances" not in run(november(), OCTOBER)[1]["journal.hledger"].decode()


def test_an_empty_month_is_a_valid_export(tmp_path: Path) -> None:
    written, files = run(World(), NOVEMBER)
    assert written.control_totals == {"period": NOVEMBER, "currencies": {}}
    assert files["invoices.csv"].startswith(b"invoice_id,number,")
    (tmp_path / "journal.hledger").write_bytes(files["journal.hledger"])
    (tmp_path / "journal.beancount").write_bytes(files["journal.beancount"])
    hledger_check(tmp_path / "journal.hledger")
    bean_check(tmp_path / "journal.beancount")


def _followed() -> list[str]:
    """The entries that another one follows in their chain."""
    world = november()
    last = {f"{account_id}.{currency}.{balance.sequence}" for (account_id, currency), balance in world.balances.items()}
    return [entry.id for entry in world.journal if entry.id not in last]


@pytest.mark.parametrize("entry_id", _followed())
def test_a_dropped_entry_is_found(entry_id: str) -> None:
    world = november()
    world.lag.add(entry_id)
    with pytest.raises(LedgerBrokenError, match="control_totals_differ"):
        run(world, NOVEMBER)


@pytest.mark.parametrize("verb", ["invoice", "pay"])
def test_a_dropped_last_entry_that_touches_a_receivable_is_found(verb: str) -> None:
    world = november()
    if verb == "invoice":
        world.invoice("acc_1", "EUR", [line(100)], date(2026, 11, 29))
    else:
        world.invoice("acc_1", "EUR", [line(100)], date(2026, 10, 29))
        world.pay("acc_1", "EUR", 50, date(2026, 11, 29))
    world.lag.add(world.journal[-1].id)
    with pytest.raises(LedgerBrokenError, match="control_totals_differ"):
        run(world, NOVEMBER)


def test_a_missing_document_is_found() -> None:
    world = november()
    world.all_invoices.pop()
    with pytest.raises(LedgerBrokenError, match="1 documents are missing"):
        run(world, NOVEMBER)


def test_nothing_is_kept_of_an_export_that_does_not_tie() -> None:
    world, store = november(), MemoryStore()
    world.all_invoices.pop()
    with pytest.raises(LedgerBrokenError):
        write_files(export_of(NOVEMBER), world, store, FORMATS)
    assert store.files == {}


def test_an_account_that_is_paid_while_the_export_runs_does_not_fail_it() -> None:
    class Busy(World):
        def open_amounts(self, currencies):  # type: ignore[no-untyped-def]
            self.pay("acc_2", "JPY", 205, date(2026, 12, 31))  # after all entries were read
            return super().open_amounts(currencies)

    quiet, busy = november(), Busy(**vars(november()))
    assert run(busy, NOVEMBER)[1] == run(quiet, NOVEMBER)[1]


def test_each_entry_is_read_once_for_all_formats() -> None:
    class Counting(World):
        reads = 0

        def entries(self, month: str):  # type: ignore[no-untyped-def]
            for entry in super().entries(month):
                Counting.reads += 1
                yield entry

    world = Counting(**vars(november()))
    run(world, NOVEMBER)
    assert Counting.reads == len(world.journal)


def test_no_cell_is_a_formula() -> None:
    world = november()
    for name in ("=1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"):
        world = renamed(world, "acc_2", name)
        _, files = run(world, NOVEMBER)
        for file, data in files.items():
            if file.endswith(".csv"):
                for row in rows(data):
                    risky = {column: cell for column, cell in row.items() if cell.startswith(("=", "+", "@", "\t", "\r", "＝"))}
                    assert risky == {}
                    assert all(cell.lstrip("-").replace(".", "").isdigit() for cell in row.values() if cell.startswith("-"))
        assert f"'{name}" in [row["account_name"] for row in rows(files["payments.csv"])]


def test_csv_rows_carry_the_documents_facts() -> None:
    _, files = run(november(), NOVEMBER)
    invoice = next(row for row in rows(files["invoices.csv"]) if row["currency"] == "KWD")
    assert (invoice["number"], invoice["issued_on"], invoice["due_on"]) == ("INV-2026-000004", "2026-11-03", "2026-12-03")
    assert (invoice["net"], invoice["tax"], invoice["gross"], invoice["reference"]) == ("1.005", "0.095", "1.100", "'=PO+1")
    allocation = next(row for row in rows(files["allocations.csv"]) if row["currency"] == "JPY")
    assert (allocation["payment_id"], allocation["invoice_id"], allocation["amount"]) == ("pay_0002", "inv_0002", "1000")
    assert [row["tax_code"] for row in rows(files["invoice_taxes.csv"])] == ["VAT21", "VAT9", "REVERSE", "vat9"]
    assert files["invoices.csv"].count(b"\r\n") == 1 + len(rows(files["invoices.csv"]))


def test_publishing_reads_the_files_back_and_lists_them() -> None:
    store, books = MemoryStore(), MemoryBooks()
    books.commit([export_of(NOVEMBER)])
    export = require_export("exp_1", books)
    written = write_files(export, november(), store, FORMATS)
    done = publish(export, written, books, store, FixedClock(export.requested_at))
    assert publish(done, written, books, store, FixedClock(export.requested_at)) == done
    manifest = json.loads(store.text(f"exports/{NOVEMBER}/exp_1/{MANIFEST}"))
    assert {file["name"] for file in manifest["files"]} == FILES
    assert set(done.files or {}) == {*FILES, MANIFEST}
    for file in manifest["files"]:
        data = store.files[f"exports/{NOVEMBER}/exp_1/{file['name']}"]
        assert (file["size_bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_file_that_is_stored_otherwise_is_not_published() -> None:
    store, books, export = MemoryStore(), MemoryBooks(), export_of(NOVEMBER)
    written = write_files(export, november(), store, FORMATS)
    store.files[f"exports/{NOVEMBER}/exp_1/credits.csv"] += b"x"
    with pytest.raises(LedgerBrokenError, match="stored_file_differs"):
        publish(export, written, books, store, FixedClock(export.requested_at))
    assert f"exports/{NOVEMBER}/exp_1/{MANIFEST}" not in store.files


def test_a_changed_amount_is_found() -> None:
    world = november()
    tampered = world.journal[2]
    doubled = tuple(replace(p, amount_minor=p.amount_minor * 2) for p in tampered.draft.postings)
    world.journal[2] = JournalEntry(
        replace(tampered.draft, postings=doubled), tampered.sequence, tampered.previous_hash, tampered.hash
    )
    with pytest.raises(LedgerBrokenError, match="control_totals_differ"):
        run(world, NOVEMBER)


def test_I10_R3_credit_notes_and_refunds_have_files_of_their_own_and_tie(tmp_path: Path) -> None:
    """An invoice paid, half of it credited, the rest of the money given back on another day of the gateway's calendar."""
    world = World()
    invoice = world.invoice("acc_1", "EUR", [line(10_000)], date(2026, 11, 2))
    assert invoice is not None
    payment = world.pay("acc_1", "EUR", 20_000, date(2026, 11, 3))
    note = world.credit_note(invoice, 1, date(2026, 11, 4), 6_050)
    refund = world.refund(payment.id, 7_900, date(2026, 11, 30), requested_on=date(2026, 12, 1))
    world.refund_arrives(refund, date(2026, 12, 3))
    written, files = run(world, NOVEMBER)
    prove(files, written.control_totals, tmp_path)
    bean_check(tmp_path / "journal.beancount")
    (row,) = rows(files["credit_notes.csv"])
    assert (row["number"], row["invoice_number"], row["net"], row["tax"], row["gross"], row["applied"], row["reason"]) == (
        note.number, invoice.number, "50.00", "10.50", "60.50", "0.00", "'=returned",
    )  # fmt: skip
    assert [(row["tax_code"], row["net"]) for row in rows(files["credit_note_lines.csv"])] == [("VAT21", "50.00")]
    assert rows(files["credits.csv"]) == []
    (row,) = rows(files["refunds.csv"])
    assert (row["refund_id"], row["payment_id"], row["amount"], row["requested_on"]) == (
        refund.id,
        payment.id,
        "79.00",
        "2026-12-01",
    )
    documents = written.control_totals["currencies"]["EUR"]["documents"]
    assert documents["credit_note"] == {"count": 1, "total": "60.50"}
    assert documents["refund"] == {"count": 1, "total": "79.00"}
    assert closing(written.control_totals, "refunds_in_transit") == {"EUR": "-79.00"}
    december, files = run(world, DECEMBER)
    assert (rows(files["refunds.csv"]), closing(december.control_totals, "refunds_in_transit")) == ([], {})


def test_what_a_credit_note_takes_off_its_invoice_is_an_allocation() -> None:
    world = World()
    invoice = world.invoice("acc_1", "EUR", [line(10_000)], date(2026, 11, 2))
    assert invoice is not None
    world.credit_note(invoice, 1, date(2026, 11, 4), 6_050)
    world.write_off(invoice, date(2026, 11, 5))
    _, files = run(world, NOVEMBER)
    assert [(row["kind"], row["amount"], row["payment_id"], row["credit_id"]) for row in rows(files["allocations.csv"])] == [
        ("credit_note_issued", "60.50", "", "crd_0000")
    ]


@pytest.mark.parametrize("documents", ["all_credit_notes", "all_refunds"])
def test_a_missing_credit_note_or_refund_is_found(documents: str) -> None:
    world = World()
    invoice = world.invoice("acc_1", "EUR", [line(10_000)], date(2026, 11, 2))
    assert invoice is not None
    world.credit_note(invoice, 1, date(2026, 11, 4), 6_050)
    world.refund(world.pay("acc_1", "EUR", 9_000, date(2026, 11, 5)).id, 100, date(2026, 11, 6))
    getattr(world, documents).clear()
    with pytest.raises(LedgerBrokenError, match="1 documents are missing"):
        run(world, NOVEMBER)


def test_T2_an_invoice_that_waits_for_its_delivery_has_no_due_date_yet() -> None:
    world = World()
    invoice = world.invoice("acc_1", "EUR", [line(10_000)], date(2026, 11, 2))
    assert invoice is not None
    waiting = tuple(replace(part, due_date=None, days_after_delivery=14) for part in invoice.parts)
    world.all_invoices[0] = replace(invoice, parts=waiting)
    assert rows(run(world, NOVEMBER)[1]["invoices.csv"])[0]["due_on"] == ""
