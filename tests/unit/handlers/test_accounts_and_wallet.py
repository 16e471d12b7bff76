"""Accounts and wallets over HTTP, and the function that tops wallets up (A1–A6, L5, W1–W3)."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.support import wallet
from tests.support.builders import Office
from tests.support.handlers import CONTEXT, answered, http_event

type Call = Callable[..., tuple[int, Any]]
type Deployed = Callable[[str], ModuleType]

ACCOUNT = {"name": "Blooming Ltd", "email": "ap@blooming.example", "default_term_id": "net30"}
CALLS = [{"description": "Calls", "quantity": "100", "unit_price_minor": 10, "tax_code": "VAT21", "category": "calls"}]


@pytest.fixture
def call(deployed: Deployed) -> Call:
    """`call("wallet", "POST", path, body, key=…)` → (status, body)."""
    modules: dict[str, ModuleType] = {}

    def to(function: str, *event: Any, **how: Any) -> tuple[int, Any]:
        module = modules.get(function) or modules.setdefault(function, deployed(function))
        return answered(module.handler(http_event(*event, **how), CONTEXT))

    return to


def test_A1_every_setting_is_set_and_shown_over_http(call: Call) -> None:
    body = ACCOUNT | {
        "mode": "prepaid",
        "methods": ["card", "bank_transfer", "card"],
        "credit_limits": {"EUR": 5000},
        "apply_credits": True,
        "collect_automatically": True,
        "auto_top_up": {"currency": "EUR", "amount_minor": 2000, "threshold_minor": 1000, "daily_cap_minor": 6000},
        "language": "nl",
        "time_zone": "Asia/Tokyo",
        "tags": ["vip"],
    }
    status, account = call("accounts", "POST", "/accounts", body, key="a")
    assert status == 201, account
    assert {name: account[name] for name in body if name not in ("mode", "methods")} == {
        name: value for name, value in body.items() if name not in ("mode", "methods")
    }
    assert account["methods"] == ["card", "bank_transfer"]
    assert account["mode_changes"] == [{"effective_on": "2026-03-02", "mode": "prepaid"}]
    assert (account["saved_methods"], account["default_method"]) == ([], None)
    change = {"auto_top_up": None, "credit_limits": {}, "collect_automatically": False}
    status, changed = call("accounts", "PATCH", f"/accounts/{account['id']}", change)
    assert (status, {name: changed[name] for name in change}) == (200, change)
    status, methods = call("payments", "GET", f"/accounts/{account['id']}/payment-methods")
    assert (status, methods) == (200, {"methods": [], "collect_automatically": False})
    status, history = call("accounts", "GET", f"/accounts/{account['id']}/history")
    assert sorted(history["changes"][0]["after"]) == sorted(change)


@pytest.mark.parametrize(
    "wrong",
    [
        {"credit_limits": {"XXY": 1}},
        {"credit_limits": {"EUR": -1}},
        {"methods": []},
        {"methods": ["barter"]},
        {"time_zone": "Mars/Olympus"},
        {"mode": "sometimes"},
        {"auto_top_up": {"currency": "EUR", "amount_minor": 2000, "daily_cap_minor": 1999}},
        {"auto_top_up": {"currency": "EUR", "amount_minor": 0, "daily_cap_minor": 1}},
    ],
    ids=str,
)
def test_A1_a_setting_that_makes_no_sense_is_refused(call: Call, office: Office, wrong: dict[str, Any]) -> None:
    assert call("accounts", "POST", "/accounts", ACCOUNT | wrong, key="a")[0] == 422
    assert office.books.state() == {}


def test_A1_accounts_are_found_by_tag_mode_and_name(call: Call) -> None:
    for n, more in enumerate([{"tags": ["vip"]}, {"mode": "prepaid"}, {"name": "Other"}]):
        call("accounts", "POST", "/accounts", ACCOUNT | more, key=f"a{n}")
    found = {
        query: [account["name"] for account in call("accounts", "GET", "/accounts", query=query)[1]["accounts"]]
        for query in ("tag=vip", "mode=prepaid", "name=oth", "tag=none", "limit=9")
    }
    assert found == {
        "tag=vip": ["Blooming Ltd"],
        "mode=prepaid": ["Blooming Ltd"],
        "name=oth": ["Other"],
        "tag=none": [],
        "limit=9": ["Blooming Ltd", "Blooming Ltd", "Other"],
    }


def test_A4_a_mode_change_over_http(call: Call, office: Office) -> None:
    home = f"/accounts/{office.open_account()}"
    status, account = call("accounts", "POST", f"{home}/mode-changes", {"mode": "prepaid", "effective_on": "2026-04-01"}, key="m")
    assert (status, account["mode_changes"]) == (201, [{"effective_on": "2026-04-01", "mode": "prepaid"}])
    status, problem = call("accounts", "POST", f"{home}/mode-changes", {"mode": "prepaid", "effective_on": "2026-03-01"}, key="p")
    assert (status, problem["code"], problem["earliest"]) == (409, "mode_change_in_past", "2026-03-02")
    status, problem = call("accounts", "POST", f"{home}/mode-changes", {"mode": "prepaid", "effective_on": "2026-04-02"}, key="q")
    assert (status, problem["code"], problem["since"]) == (409, "mode_already_applies", "2026-04-01")


def test_A2_A6_L5_the_views_of_an_account(call: Call, office: Office) -> None:
    account_id = office.open_account()
    home = f"/accounts/{account_id}"
    invoice_id = office.invoice(account_id, 10000)
    office.receive(account_id, 3630, oldest_first=True)
    status, note = call("accounts", "POST", f"{home}/notes", {"text": "Prefers e-mail"}, key="n")
    assert (status, note["actor"]) == (201, {"id": "user-1", "channel": "api"})
    assert call("accounts", "GET", f"{home}/notes")[1]["notes"] == [note]
    status, income = call("accounts", "GET", f"{home}/income", query="currency=EUR")
    assert (status, income["closing_minor"], income["movements"][0]["documents"]) == (200, 12100, {"invoice": [invoice_id]})
    status, cashflow = call("accounts", "GET", f"{home}/cashflow", query="currency=EUR&from=2026-03-02&to=2026-03-02")
    assert (status, cashflow["opening_minor"], cashflow["closing_minor"]) == (200, 0, 3630)
    status, why = call("accounts", "GET", f"{home}/balances/EUR/explanation", query=f"figure=receivable&document_id={invoice_id}")
    assert (status, why["amount_minor"], [line["change_minor"] for line in why["entries"]]) == (200, 8470, [12100, -3630])
    status, page = call("accounts", "GET", f"{home}/timeline", query="limit=2")
    assert (status, len(page["events"])) == (200, 2)
    status, rest = call("accounts", "GET", f"{home}/timeline", query=f"cursor={page['cursor']}")
    events = page["events"] + rest["events"]
    assert sorted(event["type"] for event in events) == ["change", "entry", "entry", "note"]
    assert all(event[event["type"]] and event["actor"]["id"] for event in events)


def test_A2_income_comes_in_pages(call: Call, office: Office) -> None:
    account_id = office.open_account()
    for _ in range(3):
        office.invoice(account_id, 1000)
    query = "currency=EUR&limit=2"
    first = call("accounts", "GET", f"/accounts/{account_id}/income", query=query)[1]
    second = call("accounts", "GET", f"/accounts/{account_id}/income", query=f"{query}&cursor={first['cursor']}")[1]
    rows = first["movements"] + second["movements"]
    assert [row["running_minor"] for row in rows] == [1210, 2420, 3630]
    assert second["cursor"] is None


def test_W1_W3_a_wallet_over_http(call: Call, office: Office) -> None:
    home = f"/accounts/{wallet.prepaid_account(office, limit=500)}"
    status, invoice = call("wallet", "POST", f"{home}/wallet/top-ups", {"amount_minor": 3000, "currency": "EUR"}, key="t")
    assert (status, invoice["open_minor"], invoice["totals"]["tax_minor"]) == (201, 3000, 0)
    assert call("wallet", "GET", f"{home}/wallet")[1]["pending_minor"] == 3000
    body = {"amount_minor": 4000, "currency": "EUR", "method": "cash", "value_date": "2026-03-02", "to_wallet": True}
    status, _ = call("payments", "POST", f"{home}/payments", body | {"allocations": "oldest_first"}, key="p")
    assert status == 201
    status, charge = call("wallet", "POST", f"{home}/wallet/charges", {"description": "Calls", "lines": CALLS}, key="c")
    assert (status, charge["totals"]["gross_minor"]) == (201, 1210)
    assert call("wallet", "GET", f"{home}/wallet/charges")[1]["charges"] == [charge]
    assert call("wallet", "GET", f"{home}/wallet/charges/{charge['id']}")[1] == charge
    body = {"amount_minor": 9000, "currency": "EUR", "method": "bank_transfer", "reason": "Closes"}
    status, problem = call("wallet", "POST", f"{home}/wallet/withdrawals", body, key="w")
    assert (status, problem["code"], problem["withdrawable_minor"]) == (409, "withdrawal_exceeds_paid_balance", 2790)
    status, withdrawal = call("wallet", "POST", f"{home}/wallet/withdrawals", body | {"amount_minor": 790}, key="w2")
    assert (status, withdrawal["status"]) == (201, "succeeded")
    shown = call("wallet", "GET", f"{home}/wallet", query="currency=EUR")[1]
    assert (shown["paid_minor"], shown["limit_minor"], shown["available_minor"]) == (2000, 500, 2500)
    moved = call("wallet", "GET", f"{home}/wallet/movements", query="currency=EUR")[1]
    assert [row["amount_minor"] for row in moved["movements"]] == [4000, -1210, -790]
    assert moved["closing_minor"] == 2000


def test_a_wallet_of_nobody_is_not_found(call: Call) -> None:
    nobody = "/accounts/acc_00000000000000000000000000"
    for path in (f"{nobody}/wallet", f"{nobody}/wallet/charges", f"{nobody}/timeline", f"{nobody}/notes"):
        status, problem = call("accounts" if "wallet" not in path else "wallet", "GET", path)
        assert (status, problem["code"]) == (404, "account_not_found")


# The function that tops wallets up


def bus_event(kind: str, account_id: str, **detail: Any) -> dict[str, Any]:
    plain = {"id": f"{account_id}.EUR.9", "account_id": account_id, "currency": "EUR", "documents": {}} | detail
    return {"detail-type": kind, "detail": plain}


def test_W2_usage_asks_for_a_top_up_once_though_the_event_comes_twice(deployed: Deployed, office: Office, call: Call) -> None:
    account_id = wallet.prepaid_account(office, paid=500)
    wallet.tops_up_by_card(office, account_id)
    auto = deployed("auto_top_up")
    event = bus_event("WalletCharged", account_id, documents={"wallet_charge": ["chg_1"]})
    for _ in range(2):
        auto.handler(event, CONTEXT)
    shown = call("wallet", "GET", f"/accounts/{account_id}/wallet")[1]
    assert (shown["pending_minor"], shown["automatic_top_up"]["stopped"]) == (2000, None)
    assert shown["automatic_top_up"]["day_minor"] == 2000


def test_W2_an_alarm_sounds_as_long_as_it_stands_stopped_and_a_person_starts_it(
    deployed: Deployed, office: Office, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = wallet.prepaid_account(office, paid=500)
    wallet.tops_up_by_card(office, account_id)
    pending = wallet.look(office, account_id).invoice_id
    assert pending is not None
    auto = deployed("auto_top_up")
    payment = wallet.fails(office, account_id, pending)
    failed = {"id": f"{payment}.failed", "account_id": account_id, "payment_id": payment, "currency": "EUR"}
    auto.handler({"detail-type": "PaymentFailed", "detail": failed}, CONTEXT)
    assert '"AutoTopUpStopped":[1.0]' in capsys.readouterr().out.replace(" ", "")
    auto.handler(bus_event("WalletCharged", account_id), CONTEXT)
    assert '"AutoTopUpStopped":[1.0]' in capsys.readouterr().out.replace(" ", "")
    status, state = call("wallet", "POST", f"/accounts/{account_id}/wallet/automatic-top-ups", {"currency": "EUR"}, key="r")
    assert (status, state["stopped"]) == (201, None)
    auto.handler(bus_event("WalletCharged", account_id), CONTEXT)
    assert '"AutoTopUpStopped":[0.0]' in capsys.readouterr().out.replace(" ", "")
