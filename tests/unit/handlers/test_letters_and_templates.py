"""Functions about letters: what the bus tells, what SES says, and a firm's own templates (N3, N4, D11)."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from local.stack import ROOT
from remit.domain.messages import DeliveryKind, Message, MessageStatus
from remit.usecases.ports import Letter, message_ref
from remit.usecases.send_message import send_once
from remit.usecases.set_firm import set_firm
from tests.scenarios.template import functions
from tests.support import collection as col
from tests.support.builders import ALL_ON, Office, firm
from tests.support.handlers import CONTEXT, answered, http_event

type Deployed = Callable[[str], ModuleType]

INVOICE_DE = "/templates/invoice_issued/de"
SOURCE = {"subject": "Rechnung {{ invoice.number }}", "html": "<p>{{ pay_url or 1 }}</p>", "text": "{{ pay_url or 1 }}"}


def sample(name: str, **values: str) -> Any:
    text = (ROOT / "events" / f"{name}.json").read_text()
    for placeholder, value in values.items():
        text = text.replace(f"${{{placeholder}}}", value)
    return json.loads(text)


# What the bus tells


def test_N3_every_event_that_is_subscribed_to_is_told_and_no_other(deployed: Deployed) -> None:
    subscribed = set(functions()["NotificationsFunction"]["Events"]["Happened"]["Properties"]["Pattern"]["detail-type"])
    assert set(deployed("notifications").TOLD) == subscribed


def test_N3_events_of_the_ledger_become_letters(office: Office, deployed: Deployed) -> None:
    """As the outbox makes them of what was written; none of them twice, however often they come."""
    office.firm = firm(switches=ALL_ON)
    account_id = office.open_account()
    office.invoice(account_id)
    office.receive(account_id, 12100, oldest_first=True)
    office.goodwill(account_id, 500)
    outbox, notifications = deployed("outbox"), deployed("notifications")
    for _ in range(2):
        for record in office.books.stream_records():
            if (entry := outbox.event_of(record)) and entry["DetailType"] in notifications.TOLD:
                event = {"detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
                notifications.handler(event, CONTEXT)
    templates = [mail.subject.partition(":")[0] for mail in office.mailer.sent]
    assert templates == ["invoice_issued", "payment_received", "credit_issued"]


def test_S4_what_follows_a_failure_is_taken_from_its_event_where_it_says_so(office: Office, deployed: Deployed) -> None:
    module = deployed("notifications")
    told = sample("notifications/payment_failed_unknown")["detail"]
    assert module._plan(told).next_attempt_on.isoformat() == "2026-02-03"
    assert module._plan({"payment_id": "pay_1"}) == module.RetryPlan()
    assert module._plan({"payer_must_act": "hard_decline"}).must_act


def test_S4_the_letter_of_a_charge_that_cannot_help_any_more_asks_the_payer_to_act(office: Office, deployed: Deployed) -> None:
    """From the gateway's answer to the letter: what the outbox publishes is what the notifications read."""
    outbox, notifications = deployed("outbox"), deployed("notifications")
    account_id = col.collecting(office, "pm_visa")
    office.invoice(account_id)
    office.clock.advance(days=30)
    office.gateway.outcomes["pm_visa"] = col.HARD
    col.run(office, account_id)
    told = [entry for record in office.books.stream_records() if (entry := outbox.event_of(record))]
    (failed,) = [json.loads(entry["Detail"]) for entry in told if entry["DetailType"] == "PaymentFailed"]
    assert notifications._plan(failed) == notifications.RetryPlan(None, must_act=True)


# What SES says


def sent(office: Office) -> str:
    """An account with a message, as the sample events name it."""
    account_id = office.open_account()
    letter = Letter("test", "1", "s", "<p>h</p>", "t", {})
    message_id = "msg_invoice_inv_01jdsample0sample0sample000"
    send_once(message_id, office.account(account_id), lambda: letter, office.books, office.mailer, office.clock)
    return account_id


def message_of(office: Office, account_id: str) -> Message:
    (message,) = office.books.newest(Message, account_id, None, 1)[0]
    return message


@pytest.mark.parametrize(
    ("event", "kind", "reason", "problems"),
    [
        ("delivered", DeliveryKind.DELIVERED, None, 0),
        ("delayed", DeliveryKind.DELAYED, "TransientCommunicationFailure", 0),
        ("bounced", DeliveryKind.HARD_BOUNCE, "General", 1),
        ("bounced_softly", DeliveryKind.SOFT_BOUNCE, "MailboxFull", 0),
        ("complained", DeliveryKind.COMPLAINED, "abuse", 1),
        ("rejected", DeliveryKind.REJECTED, "Bad content", 0),
    ],
)
def test_D11_each_event_of_ses_is_understood_counted_and_kept_out_of_the_logs(
    office: Office,
    deployed: Deployed,
    capsys: pytest.CaptureFixture[str],
    event: str,
    kind: DeliveryKind,
    reason: str | None,
    problems: int,
) -> None:
    account_id = sent(office)
    for _ in range(2):
        deployed("mail_events").handler(sample(f"mail_events/{event}", ACCOUNT_ID=account_id), CONTEXT)
    message = message_of(office, account_id)
    assert (message.status, message.delivery, message.deliveries[0].reason) == (MessageStatus.SENT, kind, reason)
    assert bool(office.account(account_id).unreachable) == bool(problems)
    out = capsys.readouterr().out
    assert f'"MailProblems":[{problems}.0]' in out
    assert "example.com" not in out
    assert "blooming" not in out


def test_D11_mail_that_is_none_of_ours_is_let_alone(office: Office, deployed: Deployed) -> None:
    before = office.books.state()
    deployed("mail_events").handler(sample("mail_events/none_of_ours"), CONTEXT)
    assert office.books.state() == before


def test_D11_a_message_is_shown_as_it_was_sent_with_what_became_of_it(office: Office, deployed: Deployed) -> None:
    account_id = sent(office)
    deployed("mail_events").handler(sample("mail_events/bounced", ACCOUNT_ID=account_id), CONTEXT)
    accounts = deployed("accounts")
    id = message_of(office, account_id).id
    status, shown = answered(accounts.handler(http_event("GET", f"/accounts/{account_id}/messages/{id}"), CONTEXT))
    assert (status, shown["html"], shown["delivery"]) == (200, "<p>h</p>", "hard_bounce")
    assert shown["deliveries"] == [{"kind": "hard_bounce", "at": "2017-08-05T00:41:02.669000Z", "reason": "General"}]
    status, account = answered(accounts.handler(http_event("GET", f"/accounts/{account_id}"), CONTEXT))
    assert account["mail_problem"]["kind"] == "hard_bounce"
    status, account = answered(accounts.handler(http_event("DELETE", f"/accounts/{account_id}/mail-problem"), CONTEXT))
    assert (status, account["mail_problem"]) == (200, None)
    assert office.books.read(message_ref(account_id, id)).delivery is DeliveryKind.HARD_BOUNCE


# Templates


@pytest.fixture
def templates(office: Office, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Any]]:
    set_firm(office.firm, office.books, office.clock)
    module = deployed("templates")
    monkeypatch.setattr(module, "templates", office.books)
    return lambda *event, **more: answered(module.handler(http_event(*event, **more), CONTEXT))


def test_N4_a_template_is_written_seen_and_then_used(office: Office, templates: Callable[..., tuple[int, Any]]) -> None:
    status, built_in = templates("GET", INVOICE_DE)
    assert (status, built_in["in_use"]) == (200, None)
    assert "Rechnung" in built_in["subject"]
    status, version = templates("POST", f"{INVOICE_DE}/versions", SOURCE, key="k")
    assert (status, version["actor"]["id"]) == (201, "user-1")
    assert templates("GET", f"{INVOICE_DE}/versions/{version['id']}")[1] == version
    assert templates("GET", f"{INVOICE_DE}/versions")[1]["versions"] == [version]
    status, letter = templates("POST", f"{INVOICE_DE}/previews", {"version": version["id"]})
    assert (status, letter["subject"], letter["template_version"]) == (200, "Rechnung INV-2026-000482", version["id"])
    status, used = templates("PUT", f"{INVOICE_DE}/in-use", {"version": version["id"]})
    assert (status, used["in_use"]) == (200, version["id"])


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/templates/nothing/de", None, "unknown_template"),
        ("GET", "/templates/invoice_issued/xx", None, "unknown_template"),
        ("POST", f"{INVOICE_DE}/versions", SOURCE | {"text": "{{ x }}"}, "bad_template"),
        ("POST", f"{INVOICE_DE}/previews", {"source": SOURCE | {"text": "{{ x }}"}}, "bad_template"),
        ("POST", f"{INVOICE_DE}/previews", {"source": SOURCE, "version": "tpl_" + "0" * 26}, "one_template"),
        ("POST", f"{INVOICE_DE}/previews", {"version": "tpl_" + "0" * 26}, "template_version_not_found"),
        ("POST", f"{INVOICE_DE}/previews", {"sample": "nothing"}, "no_such_sample"),
        ("PUT", f"{INVOICE_DE}/in-use", {"version": "tpl_" + "0" * 26}, "template_version_not_found"),
    ],
)
def test_N4_what_cannot_be_done_is_refused_with_a_code(
    templates: Callable[..., tuple[int, Any]], method: str, path: str, body: Any, code: str
) -> None:
    status, problem = templates(method, path, body, key="k")
    assert 400 <= status < 500
    assert problem["code"] == code


def test_N4_real_data_is_seen_without_being_sent(office: Office, templates: Callable[..., tuple[int, Any]]) -> None:
    account_id = office.open_account()
    of = {"account_id": account_id, "document_id": office.invoice(account_id)}
    status, letter = templates("POST", f"{INVOICE_DE}/previews", {"of": of})
    assert status == 200
    assert "INV-2026-000001" in letter["subject"]
    assert office.mailer.sent == []
