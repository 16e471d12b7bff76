"""Step 6 of the main job: a month for the accountants, in files that accounting programs take."""

import csv
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from remit.domain.money import decimal_text
from tests.scenarios.world import Clock, Customer, Export, StateMachine, World, line
from tests.unit.accounting.programs import bean_check, beancount_total, hledger_check, hledger_total

type ACustomer = Callable[..., Customer]


NONE = {"closing": "0"}


def first_of_next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def balances_of_all(world: World) -> dict[str, dict[str, int]]:
    """Figure → currency → the sum over all accounts, as the API tells it."""
    found: dict[str, Counter[str]] = {"receivable": Counter(), "credit": Counter()}
    for account in all_accounts(world):
        for balance in world.api.get(f"/accounts/{account}/balances")["balances"]:
            for figure, sums in found.items():
                sums[balance["currency"]] += balance[f"{figure}_minor"]
    return {figure: {currency: amount for currency, amount in sums.items() if amount} for figure, sums in found.items()}


def all_accounts(world: World) -> Iterator[str]:
    cursor = None
    while True:
        page = world.api.get("/accounts", limit=100, **({"cursor": cursor} if cursor else {}))
        yield from (account["id"] for account in page["accounts"])
        if not (cursor := page["cursor"]):
            return


@dataclass(frozen=True)
class Month:
    """A month that is over, and what all accounts together owed and held at its end."""

    period: str
    balances: dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def month(world: World) -> Month:
    """A month of business of every kind, in three currencies, that is over now."""
    world.firm.is_set_up()
    world.clock.moves_to(first_of_next_month(world.clock.today))
    customer, other = world.a_customer(name='Zwaluwstaart "Öffnungs" GmbH; & Cø, §'), world.a_customer()
    by_card = customer.is_invoiced(line("Lamp, “bright”; 2 × 60 W", 10_000, category="goods"), line("Book", 1_005, "VAT9"))
    by_card.pays_by_card().invoice.becomes_paid()
    partly = other.is_invoiced(line("Course", 25_000, "EXEMPT", category="training"))
    other.pays_by_bank(30_000, {partly: 20_000})
    other.gets_goodwill(1_210, "included", "VAT21")
    customer.is_invoiced(line("灯", 1_500), currency="JPY")
    customer.is_invoiced(line("مصباح", 1_234), currency="KWD")
    month = Month(f"{world.clock.today:%Y-%m}", balances_of_all(world))
    world.clock.moves_to(first_of_next_month(world.clock.today))
    return month


@pytest.fixture(scope="module")
def export(world: World, month: Month) -> Export:
    return world.exports(month.period)


@pytest.fixture
def folder(export: Export, tmp_path: Path) -> Path:
    for name, content in export.files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_the_files_are_fetched_by_anyone_who_was_given_their_addresses(export: Export) -> None:
    """Q4, X2: pre-signed, no token; the manifest names size and hash of each."""
    manifest = json.loads(export.files["manifest.json"])
    assert {file["name"] for file in manifest["files"]} == export.files.keys() - {"manifest.json"}
    for file in manifest["files"]:
        content = export.files[file["name"]]
        assert (file["size_bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert {"journal.beancount", "journal.hledger", "control_totals.json"} <= export.files.keys()
    assert json.loads(export.files["control_totals.json"]) == export.facts["control_totals"]


def test_the_accounting_programs_accept_the_journals(folder: Path, export: Export, world: World) -> None:
    """X2: `bean-check` and `hledger check --strict`, and their totals are the ledger's."""
    assert shutil.which("hledger"), "hledger is needed to prove the journal: on Debian or Ubuntu, 'apt install hledger'"
    bean_check(folder / "journal.beancount")
    hledger_check(folder / "journal.hledger")
    for figure, root in (("receivable", "Assets:Receivable"), ("credit", "Liabilities:Credit")):
        closing = {
            currency: Decimal(totals["accounts"].get(figure, NONE)["closing"]) for currency, totals in export.totals.items()
        }
        expected = {currency: amount for currency, amount in closing.items() if amount}
        for found in (
            hledger_total(folder / "journal.hledger", root),
            beancount_total(folder / "journal.beancount", root),
        ):
            assert {currency: Decimal(amount) for currency, amount in found.items()} == expected


def test_the_control_totals_are_the_balances_of_the_accounts(export: Export, month: Month) -> None:
    """Q4, L8: to the cent, per currency, never summed across."""
    assert set(export.totals) >= {"EUR", "JPY", "KWD"}
    for figure, sign in (("receivable", 1), ("credit", -1)):
        said = {currency: totals["accounts"].get(figure, NONE)["closing"] for currency, totals in export.totals.items()}
        assert {currency: amount for currency, amount in said.items() if Decimal(amount)} == {
            currency: decimal_text(sign * amount, currency) for currency, amount in month.balances[figure].items()
        }
    for totals in export.totals.values():
        assert totals["debits"] == totals["credits"]


def test_a_closed_month_exported_again_is_the_same_to_the_byte(
    world: World, export: Export, month: Month, a_customer: ACustomer
) -> None:
    """Q4: whatever happened since."""
    customer = a_customer()
    customer.is_invoiced()
    again = world.exports(month.period)
    assert again.facts["id"] != export.facts["id"]
    assert {name: again.files[name] == content for name, content in export.files.items()} == dict.fromkeys(export.files, True)


def test_the_schedule_exports_the_month_before_once(world: World, month: Month, clock: Clock) -> None:
    """Q4: `previous`, by the stack's clock in the firm's time zone; a schedule that fires twice makes one export."""
    previous = f"{clock.today.replace(day=1) - timedelta(days=1):%Y-%m}"
    machine = StateMachine(world, "AccountingExportArn")
    for _ in range(2):
        done = machine.runs({"period": "previous"})
        assert done["status"] == "SUCCEEDED", done
        assert json.loads(done["output"])["export_id"] == f"exp_scheduled_{previous}"
    assert world.export_named(f"exp_scheduled_{previous}").files == world.exports(previous).files


def test_every_file_of_the_csv_set_holds_what_it_says(export: Export) -> None:
    """X2, Q4"""
    tables = {name: rows(content) for name, content in export.files.items() if name.endswith(".csv")}
    assert tables
    for name, found in tables.items():
        assert found, name
        assert len({len(row) for row in found}) == 1, name
    text = "\n".join(content.decode("utf-8-sig") for name, content in export.files.items() if name.endswith(".csv"))
    assert "Öffnungs" in text


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_month_that_has_not_begun_is_refused(world: World, clock: Clock) -> None:
    """Q4"""
    later = first_of_next_month(clock.today)
    key = f"too-early-{later}"
    answer = world.api.request("POST", "/exports", {"period": f"{later:%Y-%m}"}, key=key)
    assert (answer.status, answer.code) == (409, "period_in_future")
    assert not world.key_was_used(key)


def test_a_failed_export_says_why(world: World) -> None:
    """Q4, O1: visible on the execution."""
    failed = StateMachine(world, "AccountingExportArn").runs({"period": "2026-13"})
    assert (failed["status"], failed["error"]) == ("FAILED", "InvalidError")


def test_the_same_request_makes_one_export(world: World, month: Month) -> None:
    """I2 for exports: the execution has the export's name."""
    key = f"export-{month.period}-{world.clock.now.isoformat()}"
    answers: list[Any] = [world.api.request("POST", "/exports", {"period": month.period}, key=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].json["id"] == answers[1].json["id"]
    assert answers[1].replayed
    world.export_named(answers[0].json["id"])
