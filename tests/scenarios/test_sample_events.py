"""Every file of events/ through its handler, as `make invoke FUNCTION=… EVENT=…` does it, and what comes of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local.invoke import PLACEHOLDER, handler_for
from local.stack import ROOT
from tests.scenarios.template import functions
from tests.scenarios.world import World

EVENTS = sorted(str(path.relative_to(ROOT / "events").with_suffix("")) for path in (ROOT / "events").glob("*/*.json"))


@dataclass(frozen=True)
class Outcome:
    """What a handler answered, or the error that it ended with."""

    answer: Any
    error: str

    @property
    def status(self) -> int:
        assert self.answer is not None, self.error
        return int(self.answer["statusCode"])

    @property
    def body(self) -> Any:
        return json.loads(self.answer["body"])

    @property
    def code(self) -> str:
        return str(self.body["code"])


type Check = Callable[[Outcome], bool]


def answers(status: int, code: str | None = None) -> Check:
    return lambda found: found.status == status and (code is None or found.code == code)


def returns(**members: Any) -> Check:
    return lambda found: {name: found.answer[name] for name in members} == members


def returns_nothing(found: Outcome) -> bool:
    return (found.answer, found.error) == (None, "")


def fails_with(error: str) -> Check:
    return lambda found: error in found.error


def shows(status: int, text: str) -> Check:
    return lambda found: found.status == status and text in found.answer["body"]


EXPECTED: dict[str, Check] = {
    "accounting_export/prepare": returns(period="2026-11", export_id="exp_01kaq7m2w5"),
    "accounting_export/prepare_bad_period": fails_with("InvalidError"),
    "accounting_export/prepare_scheduled": lambda found: found.answer["export_id"].startswith("exp_scheduled_20"),
    "accounting_export/record_failure": returns(export_id="exp_01kaq7m2w5"),
    "accounting_export/write_files": lambda found: {"journal.hledger"} < {file["name"] for file in found.answer["files"]},
    "account_dunning/end_pause": lambda found: (found.status, found.body["paused_until"]) == (200, None),
    "account_dunning/pause": answers(409, "pause_out_of_range"),
    "account_dunning/promise_nothing_overdue": answers(409, "nothing_overdue"),
    "account_dunning/read": lambda found: (found.status, found.body["today"]["why"]) == (200, "not_overdue"),
    "account_dunning/send_notice_nothing_overdue": answers(409, "nothing_overdue"),
    "account_dunning/withdraw_unknown_promise": answers(404, "promise_not_found"),
    "accounts/cashflow": lambda found: (found.status, found.body["closing_minor"]) == (200, 0),
    "accounts/change": answers(200),
    "accounts/change_mode": lambda found: (found.status, found.body["mode_changes"][-1]["mode"]) == (201, "prepaid"),
    "accounts/create": answers(201),
    "accounts/create_with_unknown_field": answers(422, "invalid_request"),
    "accounts/income": lambda found: (found.status, found.body["closing_minor"]) == (200, 12_100),
    "accounts/list": answers(200),
    "accounts/notes": answers(200),
    "accounts/overview": answers(200),
    "accounts/read": answers(200),
    "accounts/replay": lambda found: found.body["differences"] == [],
    "accounts/timeline": lambda found: {row["type"] for row in found.body["events"]} == {"entry", "change"},
    "accounts/why_is_this_invoice_open": lambda found: (found.status, found.body["amount_minor"]) == (200, 12_100),
    "accounts/why_this_balance": lambda found: len(found.body["entries"]) >= 1,
    "auditor/audit_accounts": returns(accounts=1, differences=0),
    "auditor/list_accounts": lambda found: found.answer["accounts"] >= 1 and found.answer["parts"] >= 1,
    "auditor/report": lambda found: found.answer["accounts"] >= 1 and found.answer["differences"] == 0,
    "accounts/write_note": answers(201),
    "auto_top_up/payment_failed": lambda found: (found.answer, found.error) == (None, ""),
    "auto_top_up/wallet_charged": lambda found: (found.answer, found.error) == (None, ""),
    "agenda/run": lambda found: found.answer["all"] is True,
    "clock/move_back": answers(409, "clock_moves_forward"),
    "clock/read": answers(200),
    "credits/allocate_unknown": answers(404, "credit_not_found"),
    "credits/cancel_unknown": answers(404, "credit_not_found"),
    "credits/credit_note": lambda found: (
        (found.status, found.body["number"][:3], found.body["applied_minor"]) == (201, "CN-", 1210)
    ),
    "credits/goodwill": lambda found: (found.status, found.body["tax_minor"]) == (201, 420),
    "credits/list": answers(200),
    "credits/list_credit_notes": answers(200),
    "credits/list_open": answers(200),
    "credits/read_unknown": answers(404, "credit_not_found"),
    "credits/read_unknown_credit_note": answers(404, "credit_note_not_found"),
    "credits/reverse_unknown": answers(404, "credit_not_found"),
    "dunning/dun": returns(why="not_overdue", tier=None, notices=0, reminders=0),
    "dunning/dun_unknown_account": fails_with("NotFoundError"),
    "dunning/find_due": lambda found: (
        (run := found.answer["run"])["rate"] == 14
        and run["done"] != bool(run["accounts"])  # whoever is due in this stack by now
        and set(run["counts"].values()) == {0}
    ),
    "firm/dunning_policy_revisions": answers(200),
    "firm/list_dunning_policies": lambda found: "standard" in {policy["id"] for policy in found.body["policies"]},
    "dunning_trials/create": lambda found: (found.status, found.body["status"]) == (202, "running"),
    "dunning_trials/read_unknown": answers(404, "policy_trial_not_found"),
    "dunning_trials/try_on_account": lambda found: (found.status, found.body["letters"]) == (200, []),
    "firm/read": answers(200),
    "firm/read_dunning_policy": lambda found: (found.status, found.body["id"]) == (200, "standard"),
    "firm/set": answers(200),
    "firm/set_dunning_policy": lambda found: [each["offset_days"] for each in found.body["reminders"]] == [-7, 0, 3],
    "firm/set_without_name": answers(422, "invalid_request"),
    "health/ok": answers(200),
    "invoice_batches/finish": returns(finished=[]),
    "invoicing/batch_of_nobody": lambda found: (found.status, found.body["lines"][0]["refusal"]) == (201, "order_not_found"),
    "invoicing/cancel_order_of_nobody": answers(404, "order_not_found"),
    "invoicing/charge_late_switched_off": answers(409, "late_charges_off"),
    "invoicing/deliver_nothing_waits": answers(409, "nothing_awaits_delivery"),
    "invoicing/issue": lambda found: (found.status, found.body["number"][:4]) == (201, "INV-"),
    "invoicing/list_open": answers(200),
    "invoicing/list_orders": answers(200),
    "invoicing/order": lambda found: (found.status, found.body["totals"]["gross_minor"]) == (201, 66_691),
    "invoicing/postpone": lambda found: (found.status, found.body["parts"][0]["due_date"]) == (201, "2099-01-31"),
    "invoicing/preview_late_charge_switched_off": answers(409, "late_charges_off"),
    "invoicing/prove_numbers": lambda found: found.body["gaps"] == [],
    "invoicing/quote": lambda found: {offer["term"]["id"] for offer in found.body["offers"]} >= {"on_receipt", "net30"},
    "invoicing/read": answers(200),
    "invoicing/read_unknown_batch": answers(404, "batch_not_found"),
    "invoicing/revise_order_of_nobody": answers(404, "order_not_found"),
    "invoicing/timeline": lambda found: found.status == 200 and len(found.body["past"]) >= 1,
    "invoicing/void_unknown": answers(404, "invoice_not_found"),
    "invoicing/write_off_unknown": answers(404, "invoice_not_found"),
    "accounts/clear_mail_problem": lambda found: (found.status, found.body["mail_problem"]) == (200, None),
    "accounts/read_unknown_message": answers(404, "message_not_found"),
    "mail_events/bounced": returns_nothing,
    "mail_events/bounced_softly": returns_nothing,
    "mail_events/complained": returns_nothing,
    "mail_events/delayed": returns_nothing,
    "mail_events/delivered": returns_nothing,
    "mail_events/none_of_ours": returns_nothing,
    "mail_events/rejected": returns_nothing,
    "notifications/card_expiring": returns_nothing,
    "notifications/credit_issued_unknown": fails_with("credit_not_found"),
    "notifications/payment_failed_unknown": fails_with("payment_not_found"),
    "notifications/refund_succeeded_unknown": fails_with("refund_not_found"),
    "templates/list": lambda found: {each["language"] for each in found.body["templates"]} == {"de", "en"},
    "templates/preview_real": lambda found: (found.status, "121,00" in found.body["text"]) == (200, True),
    "templates/preview_sample": lambda found: (found.status, found.body["template_version"]) == (200, "tpl_draft"),
    "templates/read": lambda found: (found.status, "invoice_issued" in found.body["samples"]) == (200, True),
    "templates/read_unknown": answers(404, "unknown_template"),
    "templates/read_unknown_version": answers(404, "template_version_not_found"),
    "templates/save": answers(201),
    "templates/save_bad": answers(422, "bad_template"),
    "templates/use_built_in": lambda found: (found.status, found.body["in_use"]) == (200, None),
    "templates/use_unknown": answers(404, "template_version_not_found"),
    "templates/versions": answers(200),
    "notifications/invoice_issued": lambda found: (found.answer, found.error) == (None, ""),
    "notifications/not_subscribed": fails_with("ValueError"),
    "notifications/payment_received": lambda found: (found.answer, found.error) == (None, ""),
    "operations/export": answers(202),
    "operations/list_dunning_runs": answers(200),
    "operations/read_unknown_dunning_run": answers(404, "dunning_run_not_found"),
    "operations/read_unknown_export": answers(404, "export_not_found"),
    "operations/run_dunning": answers(202),
    "operations/run_recurring_payments": answers(202),
    "operations/stop_unknown_dunning_run": answers(404, "dunning_run_not_found"),
    "outbox/entry": lambda found: (found.answer, found.error) == (None, ""),
    "outbox/nothing_to_tell": lambda found: (found.answer, found.error) == (None, ""),
    "outbox/payment_failed": lambda found: (found.answer, found.error) == (None, ""),
    "payment_events/none_of_ours": returns(batchItemFailures=[]),
    "payment_events/succeeded": returns(batchItemFailures=[]),
    "payment_events/unknown_payment": returns(batchItemFailures=[{"itemIdentifier": "00000000-0000-4000-8000-000000000001"}]),
    "payment_page/come_back": shows(200, "INV-"),
    "payment_page/pay": answers(303),
    "payment_page/show": shows(200, "INV-"),
    "payment_page/show_forged": lambda found: found.status in (403, 404),
    "payment_webhooks/stale": answers(400, "bad_signature"),
    "payment_webhooks/stale_in_base64": answers(400, "bad_signature"),
    "payment_webhooks/unsigned": answers(400, "bad_signature"),
    "payments/cancel": lambda found: (found.status, found.body["status"]) == (201, "canceled"),
    "payments/capture_not_authorized": answers(409, "payment_not_authorized"),
    "payments/charge_without_method": answers(409, "no_saved_method"),
    "payments/checkout_several": answers(201),
    "payments/default_method_unknown": answers(404, "payment_method_not_found"),
    "payments/forget_method_unknown": answers(404, "payment_method_not_found"),
    "payments/methods": lambda found: found.body["methods"] == [],
    "payments/read_with_invoices": lambda found: [paid["number"][:4] for paid in found.body["invoices"]] == ["INV-"],
    "payments/reallocate_too_much": answers(409),
    "payments/reverse_card_payment": answers(409, "reversed_by_gateway"),
    "payments/set_up_method": lambda found: (found.status, "/c/" in found.body["setup_url"]) == (201, True),
    "payments/checkout": lambda found: (found.status, "/c/pay/" in found.body["checkout_url"]) == (201, True),
    "payments/list": answers(200),
    "payments/record": lambda found: (found.status, found.body["unapplied_minor"]) == (201, 60_000 - 12_100),
    "payments/record_negative": answers(422, "invalid_request"),
    "wallet/charge_too_much": answers(409, "wallet_too_low"),
    "wallet/charges": answers(200),
    "wallet/movements": answers(200),
    "wallet/read": lambda found: (found.status, found.body["available_minor"]) == (200, 0),
    "wallet/restart_top_up": answers(201),
    "wallet/top_up": lambda found: (found.status, found.body["open_minor"]) == (201, 5_000),
    "wallet/withdraw_too_much": answers(409, "withdrawal_exceeds_paid_balance"),
    "summaries/find_changed": lambda found: isinstance(found.answer["schedules"], list),
    "summaries/find_due": lambda found: found.answer["cursor"] is None,
    "summaries/plan_unknown_schedule": fails_with("NotFoundError"),
    "summaries/tell_not_enrolled": fails_with("NotFoundError"),
    "summary_schedules/change_unknown": answers(404, "summary_schedule_not_found"),
    "summary_schedules/create": lambda found: (found.status, len(found.body["next_runs"])) == (201, 10),
    "summary_schedules/create_thirtieth_of_february": answers(422, "cron_never_comes"),
    "summary_schedules/enrol_unknown_schedule": answers(404, "summary_schedule_not_found"),
    "summary_schedules/list": answers(200),
    "summary_schedules/list_enrolments": lambda found: (found.status, found.body["enrolments"]) == (200, []),
    "summary_schedules/preview": lambda found: (found.status, len(found.body["next_runs"])) == (200, 10),
    "summary_schedules/read_unknown": answers(404, "summary_schedule_not_found"),
    "summary_schedules/remove_unknown": answers(404, "summary_schedule_not_found"),
    "summary_schedules/withdraw_not_enrolled": answers(404, "summary_enrolment_not_found"),
    "policy_trial/list_accounts_unknown": fails_with("NotFoundError"),
    "policy_trial/record_failure_unknown": fails_with("NotFoundError"),
    "policy_trial/summarize_unknown": fails_with("NotFoundError"),
    "policy_trial/try_accounts_unknown": fails_with("NotFoundError"),
    "projections/broken_chain": fails_with("LedgerBrokenError"),
    "projections/nothing_to_count": lambda found: (found.answer, found.error) == (None, ""),
    "totals/ageing": lambda found: found.body["as_of"] == "2026-12-31",
    "totals/bad_month": answers(422, "invalid_request"),
    "totals/month": lambda found: (found.status, found.body["month"]) == (200, "2026-11"),
    "totals/statuses": answers(200),
    "recurring_payments/collect": returns(result=None),
    "recurring_payments/find_due_collections": lambda found: found.answer["cursor"] is None,
    "recurring_payments/find_due_subscriptions": lambda found: found.answer["cursor"] is None,
    "recurring_payments/renew_unknown": fails_with("NotFoundError"),
    "subscriptions/cancel_unknown": answers(404, "subscription_not_found"),
    "subscriptions/change_unknown": answers(404, "subscription_not_found"),
    "subscriptions/define_plan": lambda found: (found.status, found.body["newest"]) == (201, 1),
    "subscriptions/list": answers(200),
    "subscriptions/list_plans": lambda found: "sample-monthly" in {plan["id"] for plan in found.body["plans"]},
    "subscriptions/pause_unknown": answers(404, "subscription_not_found"),
    "subscriptions/quote_unknown": answers(404, "subscription_not_found"),
    "subscriptions/read_plan": lambda found: (found.status, found.body["currency"]) == (200, "EUR"),
    "subscriptions/read_unknown": answers(404, "subscription_not_found"),
    "subscriptions/resume_unknown": answers(404, "subscription_not_found"),
    "subscriptions/revise_plan": lambda found: (found.status, found.body["applies_to"]) == (201, "renewals"),
    "subscriptions/subscribe": lambda found: (found.status, found.body["status"]) == (201, "active"),
    "totals_rebuild/check": returns(step="count", replace=False, accounts=0),
    "refunds/approve_unknown": answers(404, "refund_not_found"),
    "refunds/available_credit_at_zero": answers(409, "no_available_credit"),
    "refunds/cancel_purchase": lambda found: (
        (found.status, found.body["refunds"], found.body["invoice"]["open_minor"]) == (201, [], 0)
    ),
    "refunds/cancel_unknown": answers(404, "refund_not_found"),
    "refunds/list": answers(200),
    "refunds/read_unknown": answers(404, "refund_not_found"),
    "refunds/receipt_not_received": answers(409, "refund_exceeds_captured"),
    "refunds/reverse_unknown": answers(404, "refund_not_found"),
}
"""Event → what its handler is to make of it."""

IN_ORDER = (
    "define_plan",
    "prepare_bad_period",
    "prepare",
    "write_files",
    "record_failure",
    "list_accounts",
    "audit_accounts",
    "report",
)
"""A plan before what is done with it; the steps of one export and of one audit, of which each needs the one before, the export's
first after one that names a month which there is not."""


ENDS = "----- the end of this event"

INVOKE_EACH = f"""
import json, os, sys
from local.invoke import main
for arguments, values in json.load(sys.stdin):
    os.environ.update(values)
    try:
        failed = main(arguments)
    except Exception as error:
        failed = 1
        print("raised", type(error).__name__, error)
    print("{ENDS}", failed, flush=True)
"""
"""`make invoke` for one event after the other in one process, which saves the imports."""


def invoke(world: World, function: str, events: list[str], values: dict[str, dict[str, str]]) -> dict[str, Outcome]:
    """Run sample events of one function, in this order."""
    work = [([function, event, "--stack", world.stack.name], values[f"{function}/{event}"]) for event in events]
    done = subprocess.run(
        [sys.executable, "-c", INVOKE_EACH], cwd=ROOT, input=json.dumps(work), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Outcome] = {}
    said: list[str] = []
    for text in done.stdout.splitlines():
        if not text.startswith(ENDS):
            if not text.startswith(('{"level"', '{"_aws"')):  # what the handler logs
                said.append(text)
            continue
        answer = "\n".join(said)
        failed = text != f"{ENDS} 0"
        found[f"{function}/{events[len(found)]}"] = Outcome(None, answer) if failed else Outcome(json.loads(answer), "")
        said = []
    return found


@pytest.fixture(scope="module")
def outcomes(world: World) -> dict[str, Outcome]:
    """All events, those about a customer each about its own, who owes EUR 121.00."""
    world.firm.is_set_up()
    if world.clock.today < date(2026, 12, 1):
        world.clock.moves_to("2026-12-01")  # the month of the sample export is over
    names: dict[str, list[str]] = {}
    for event in EVENTS:
        function, _, name = event.partition("/")
        names.setdefault(function, []).append(name)
    for function in names:
        names[function].sort(key=lambda name: IN_ORDER.index(name) if name in IN_ORDER else len(IN_ORDER))
    world.firm.switches_on("dunning")  # with dunning off, its tasks look at nobody
    values = {event: _values(world, event) for event in EVENTS}
    found: dict[str, Outcome] = {}
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda function: invoke(world, function, names[function], values), names):
            found |= done
    world.firm.may_have_been_changed()
    return found


def _values(world: World, event: str) -> dict[str, str]:
    """What the event's placeholders stand for."""
    needed = set(PLACEHOLDER.findall((ROOT / "events" / f"{event}.json").read_text()))
    if not needed:
        return {}
    customer = world.a_customer()
    invoice = customer.is_invoiced()
    return {
        "ACCOUNT_ID": customer.id,
        "ORDER_ID": str(invoice.facts["order_id"]),
        "INVOICE_ID": invoice.id,
        "PAYMENT_ID": invoice.start_checkout().payment_id if "PAYMENT_ID" in needed else "",
        "PAY_TOKEN": world.signed_link(invoice).rpartition("/")[2] if "PAY_TOKEN" in needed else "",
        "TODAY": world.clock.today.isoformat(),
    }


@pytest.mark.parametrize("event", EVENTS)
def test_a_sample_event_does_what_it_shows(outcomes: dict[str, Outcome], event: str) -> None:
    assert EXPECTED[event](outcomes[event]), outcomes[event]


def test_every_function_has_a_sample_event(world: World, outcomes: dict[str, Outcome]) -> None:
    """Of each handler in template.yaml; `publish` takes what `write_files` answers, hashes and all, which no file can hold."""
    shown = {(event.partition("/")[0], handler_for(*event.split("/"))) for event in EVENTS}
    deployed = {
        (Path(properties["CodeUri"]).name, properties.get("Handler", "handler.handler").removeprefix("handler."))
        for properties in functions().values()
    }
    assert deployed - shown <= {("accounting_export", "publish")}
    assert {event.partition("/")[0] for event in EVENTS} == {folder for folder, _ in deployed}


def test_an_event_about_something_unknown_says_what_to_name(world: World) -> None:
    """`make invoke` without the values that an event needs."""
    environment = {name: value for name, value in os.environ.items() if name != "INVOICE_ID"}
    command = [sys.executable, "-m", "local.invoke", "invoicing", "read", "--stack", world.stack.name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "INVOICE_ID" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_samples_of_money_that_arrived_are_in_the_books(world: World, outcomes: dict[str, Outcome]) -> None:
    """What handlers did in this process is in the deployed stack's ledger: it is one and the same."""
    recorded = outcomes["payments/record"].body
    proof = world.api.get(f"/accounts/{recorded['account_id']}/replay")
    assert proof["differences"] == []
    assert world.api.get(f"/accounts/{recorded['account_id']}/payments/{recorded['id']}")["allocations"]
