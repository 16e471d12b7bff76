"""The auditor proves the whole ledger by itself, and says exactly what is wrong with it (L6, L7, I3)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local import audit
from remit.adapters.dynamodb.deflate import deflate, inflate
from tests.scenarios.world import Customer, StateMachine, World


def report_of(world: World, execution: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report of an audit and its differences, as they lie in the bucket."""
    s3, bucket, name = world.stack.client("s3"), world.stack.outputs["BucketName"], execution["name"]

    def text(file: str) -> str:
        return str(s3.get_object(Bucket=bucket, Key=f"audits/{name}/{file}")["Body"].read().decode())

    return json.loads(text("report.json")), [json.loads(line) for line in text("differences.jsonl").splitlines()]


def receivable_of_nothing(balance: dict[str, Any]) -> dict[str, Any]:
    return balance | {"receivable_minor": {"N": "0"}}


def paid_twice(payment: dict[str, Any]) -> dict[str, Any]:
    facts = json.loads(inflate(payment["deflated"]["B"]))
    return payment | {"deflated": {"B": deflate(json.dumps(facts | {"amount_minor": 2 * facts["amount_minor"]}).encode())}}


def test_the_books_prove_themselves(world: World, a_customer: Callable[[], Customer], capsys: pytest.CaptureFixture[str]) -> None:
    """One audit finds every kind of tampering with accounts and numbers, names each, and fails; the next one proves all."""
    one, two, three, four = (a_customer() for _ in range(4))
    payment = one.is_invoiced().pays_by_card()
    payment.invoice.becomes_paid()
    first = two.is_invoiced()
    two.is_invoiced()
    three.is_invoiced()
    gone = four.is_invoiced()
    auditor, name = StateMachine(world, "AuditorArn"), f"tampered-{one.id}"

    with (
        world.with_a_changed(f"A#{one.id}", f"P#{payment.payment_id}", paid_twice),
        world.with_a_changed(f"A#{three.id}", "B#EUR", receivable_of_nothing),
        world.without(f"A#{two.id}", "J#EUR#0000000001"),
        world.without(f"A#{four.id}", f"I#{gone.id}"),
    ):
        assert audit.main(["--stack", world.stack.name, "--name", name]) == 1
    failed = auditor.ends(auditor.execution(name))
    assert (failed["status"], failed["error"]) == ("FAILED", "LedgerBrokenError"), failed
    report, differences = report_of(world, failed)
    assert f"audits/{failed['name']}/differences.jsonl" in failed["cause"]
    found = {(each["account_id"], each["currency"], each["what"], each["id"]) for each in differences}
    assert found >= {
        (one.id, "EUR", "cash_minor", payment.payment_id),
        (two.id, "EUR", "entries_missing", f"{two.id}.EUR.1"),
        (two.id, "EUR", "document_unexplained", first.id),
        (two.id, "EUR", "receivable_minor", f"{two.id}.EUR"),
        (three.id, "EUR", "receivable_minor", f"{three.id}.EUR"),
        (four.id, "EUR", "invoice_missing", gone.id),
    }
    assert {account for account, *_ in found} == {one.id, two.id, three.id, four.id, None}
    assert [what for account, _, what, _ in found if account is None] == ["numbers"]
    assert report["differences"] == len(differences) == 7

    said = capsys.readouterr().out
    assert [each["sentence"] for each in differences if each["sentence"] not in said] == []
    assert f"audits/{name}/report.json" in said
    assert audit.main(["--stack", world.stack.name]) == 0
    assert f"differences  {0:>10}" in capsys.readouterr().out


def test_an_audit_counts_what_it_proved_and_differences_of_nothing_too(world: World) -> None:
    """O1: silence in the metric would look like an audit that never ran."""
    done = StateMachine(world, "AuditorArn").runs()
    assert done["status"] == "SUCCEEDED", done
    proved = json.loads(done["output"])
    report, differences = report_of(world, done)
    assert (proved["differences"], differences) == (0, [])
    assert proved["accounts"] == report["accounts"] >= 1
    assert report["entries"] > 0
    counted = [json.loads(text) for text in world.log_lines() if '"LedgerDifferences"' in text and '"_aws"' in text]
    assert [0.0] in [metric["LedgerDifferences"] for metric in counted]
    assert [float(proved["accounts"])] in [metric["AccountsAudited"] for metric in counted]
