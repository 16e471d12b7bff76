"""The HTTP edge: one way through, problems for every family of errors, and nothing of what was sent in an answer."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from remit.adapters.http.api import Api
from remit.adapters.http.problems import CONTENT_TYPE, STATUS, problem_of
from remit.domain import errors
from remit.domain.errors import IdempotencyKeyReusedError, RemitError
from remit.usecases.guards import AlreadyExistsError
from tests.support.builders import Office, firm
from tests.support.handlers import CONTEXT, answered, http_event

type Call = Callable[..., tuple[int, Any]]

HAIR = "5555-SECRET-INPUT-4242"
"""Stands for somebody's data in a place where it does not belong."""


@pytest.fixture
def call(deployed: Callable[[str], Any]) -> Call:
    """`call("payments", "POST", path, body, key=…)` → (status, body)."""
    modules: dict[str, Any] = {}

    def to(function: str, *event: Any, **how: Any) -> tuple[int, Any]:
        module = modules.get(function) or modules.setdefault(function, deployed(function))
        return answered(module.handler(http_event(*event, **how), CONTEXT))

    return to


ACCOUNT = {"name": "Blooming Ltd", "email": "ap@blooming.example", "default_term_id": "net30"}
LINES = [{"description": "Consulting", "quantity": "1.5", "unit_price_minor": 10000, "tax_code": "VAT21", "category": "services"}]


# One way through


def test_an_order_becomes_a_paid_invoice_over_http(call: Call, office: Office) -> None:
    status, account = call("accounts", "POST", "/accounts", ACCOUNT, key="a")
    assert status == 201
    home = f"/accounts/{account['id']}"
    status, quote = call("invoicing", "POST", f"{home}/quotes", {"lines": LINES})
    assert (status, quote["totals"]["gross_minor"]) == (200, 18150)
    status, order = call("invoicing", "POST", f"{home}/orders", {"lines": LINES, "term_id": "net30"}, key="o")
    assert (status, order["term"]["id"]) == (201, "net30")
    status, invoice = call("invoicing", "POST", f"{home}/invoices", {"order_id": order["id"]}, key="i")
    assert (status, invoice["number"], invoice["open_minor"]) == (201, "INV-2026-000001", 18150)
    body = {"amount_minor": 20000, "currency": "EUR", "method": "cash", "value_date": "2026-03-02", "allocations": "oldest_first"}
    status, payment = call("payments", "POST", f"{home}/payments", body, key="p")
    assert (status, payment["unapplied_minor"]) == (201, 1850)
    status, why = call("accounts", "GET", f"{home}/balances/EUR/explanation")
    assert (status, why["amount_minor"], len(why["entries"])) == (200, -1850, 2)
    status, proof = call("accounts", "GET", f"{home}/replay")
    assert (status, proof["differences"]) == (200, [])
    status, series = call("invoicing", "GET", "/number-series/INV-2026")
    assert (status, series["count"], series["gaps"]) == (200, 1, [])


def test_a_checkout_over_http_sends_the_customer_to_the_gateway(call: Call, office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    status, page = call("payments", "POST", f"/accounts/{account_id}/invoices/{invoice_id}/checkout", {}, key="c")
    assert (status, page["checkout_url"]) == (201, f"https://pay.example/{page['payment_id']}")


def test_a_credit_over_http(call: Call, office: Office) -> None:
    account_id = office.open_account()
    body = {"amount_minor": 1210, "currency": "EUR", "tax_option": "included", "tax_code": "VAT21", "reason": "sorry"}
    status, credit = call("credits", "POST", f"/accounts/{account_id}/credits", body, key="c")
    assert (status, credit["tax_minor"]) == (201, 210)
    assert call("credits", "GET", f"/accounts/{account_id}/credits")[1]["credits"] == [credit]


def test_a_repeat_is_answered_as_the_first_and_says_so(deployed: Callable[[str], Any]) -> None:
    accounts = deployed("accounts")
    first = accounts.handler(http_event("POST", "/accounts", ACCOUNT, key="same"), CONTEXT)
    again = accounts.handler(http_event("POST", "/accounts", dict(reversed(ACCOUNT.items())), key="same"), CONTEXT)
    assert json.loads(again["body"]) == json.loads(first["body"])
    assert "Idempotent-Replayed" not in first["headers"]
    assert again["headers"]["Idempotent-Replayed"] == "true"


def test_a_key_with_another_body_or_another_path_is_refused(call: Call) -> None:
    _, account = call("accounts", "POST", "/accounts", ACCOUNT, key="same")
    assert call("accounts", "POST", "/accounts", ACCOUNT | {"name": "Other"}, key="same")[1]["code"] == "idempotency_key_reused"
    lines = {"lines": LINES}
    status, problem = call("invoicing", "POST", f"/accounts/{account['id']}/orders", lines, key="same")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


def test_an_invoice_shows_its_own_frozen_facts(call: Call, office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    office.change_account(account_id, name="Renamed")
    office.firm = replace(firm(), name="Other BV")
    _, shown = call("invoicing", "GET", f"/accounts/{account_id}/invoices/{invoice_id}")
    assert (shown["buyer"]["name"], shown["seller"]["name"]) == ("Blooming Ltd", "Remit BV")


# Problems


def every_error() -> list[RemitError]:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, RemitError)]
    usual = [each("some_code", "A sentence.", open_minor=4200) for each in classes if each is not IdempotencyKeyReusedError]
    return [*usual, IdempotencyKeyReusedError("key-1"), AlreadyExistsError("Account", "acc_1")]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_has_its_status_and_its_problem(error: RemitError) -> None:
    assert error.family in STATUS
    api = Api("Test")

    @api.app.get("/it")
    def fails() -> dict[str, str]:
        raise error

    answer = api.handle(http_event("GET", "/it"), CONTEXT)
    status, problem = answered(answer)
    assert status == problem["status"] == STATUS[error.family][0]
    assert answer["headers"]["Content-Type"] == CONTENT_TYPE
    assert problem["correlation_id"] == "correlation-1"
    assert problem["type"] == f"urn:remit:problem:{problem['code']}"
    assert {"title", "detail"} <= set(problem)
    assert answer["headers"].get("Retry-After") == ("2" if status == 503 else None)


def test_an_error_says_what_would_have_been_allowed() -> None:
    problem = problem_of(errors.RuleError("allocation_exceeds_open", "Too much.", open_minor=4200, status=999), "c")
    assert (problem["status"], problem["code"], problem["open_minor"]) == (409, "allocation_exceeds_open", 4200)


@pytest.mark.parametrize(
    "error", [errors.LedgerBrokenError("negative_balance", HAIR, x=HAIR), ZeroDivisionError(HAIR), KeyError(HAIR)]
)
def test_what_is_broken_inside_is_not_told(error: Exception) -> None:
    api = Api("Test")

    @api.app.get("/it")
    def fails() -> dict[str, str]:
        raise error

    status, problem = answered(api.handle(http_event("GET", "/it"), CONTEXT))
    assert (status, problem["code"]) == (500, "internal_error")
    assert HAIR not in json.dumps(problem)


def test_an_address_that_leads_nowhere_and_a_token_that_names_nobody(call: Call) -> None:
    assert call("accounts", "GET", "/nothing/here")[0] == 404
    status, problem = call("accounts", "POST", "/accounts", ACCOUNT, key="k", subject=None)
    assert (status, problem["code"]) == (403, "no_identity")


# What is sent


def bodies(valid: dict[str, Any]) -> list[tuple[str, Any]]:
    """The valid body with one thing wrong each: every field of the wrong type, too long, and one that nobody asked for."""
    wrong = [(name, valid | {name: value}) for name in valid for value in ({"x": HAIR}, [HAIR], HAIR * 200, -1, 1.5, None, True)]
    return [
        *wrong,
        ("unknown", valid | {"unknown": HAIR}),
        *((name, {k: v for k, v in valid.items() if k != name}) for name in valid),
    ]


ID = "acc_" + "0" * 26
TARGETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "account": ("accounts", "/accounts", ACCOUNT | {"default_currency": "EUR", "language": "en", "time_zone": "Europe/Paris",
                "address": {"line1": "a", "city": "b", "country": "NL"}, "tags": ["a"], "contacts": [{"name": "n"}]}),
    "order": ("invoicing", f"/accounts/{ID}/orders", {"lines": LINES, "currency": "EUR", "prices_include_tax": False,
              "term_id": "net30", "reference": "PO"}),
    "invoice": ("invoicing", f"/accounts/{ID}/invoices", {"order_id": "ord_" + "0" * 26}),
    "payment": ("payments", f"/accounts/{ID}/payments", {"amount_minor": 100, "currency": "EUR", "method": "cash",
                "value_date": "2026-03-02", "reference": "r", "allocations": []}),
    "allocation": ("payments", f"/accounts/{ID}/payments/pay_{'0' * 26}/allocations",
                   {"currency": "EUR", "allocations": [{"invoice_id": "inv_" + "0" * 26, "amount_minor": 1}]}),
    "credit": ("credits", f"/accounts/{ID}/credits", {"amount_minor": 100, "currency": "EUR", "tax_option": "included",
               "tax_code": "VAT21", "reason": "r"}),
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_whatever_is_wrong_with_a_body_is_said_without_repeating_it(call: Call, office: Office, target: str) -> None:
    function, path, valid = TARGETS[target]
    refusals = 0
    for name, body in bodies(valid):
        before = office.books.state()
        status, answer = call(function, "POST", path, body, key="k")
        if status in (201, 404):  # the field may be so, or be left out
            office.books.expire_guards(office.clock.advance(days=31))
            continue
        refusals += 1
        assert status in (400, 409, 422), (name, body, answer)
        assert HAIR not in json.dumps(answer), (name, answer)
        assert office.books.state() == before
    assert refusals > len(valid)


@pytest.mark.parametrize("body", ["{", '{"name": ', "\x00", "[" * 100_000, '{"a": NaN}', '{"name": "' + HAIR])
def test_what_is_no_json_is_refused(call: Call, office: Office, body: str) -> None:
    status, problem = call("accounts", "POST", "/accounts", body, key="k")
    assert status in (400, 422)
    assert HAIR not in json.dumps(problem)
    assert office.books.state() == {}


@pytest.mark.parametrize("minor", [-1, 0, 1.0, 1.5, "100", 10**15 + 1, True, None, 1e3])
def test_an_amount_is_a_whole_positive_number_of_minor_units(call: Call, office: Office, minor: Any) -> None:
    function, path, valid = TARGETS["payment"]
    status, problem = call(function, "POST", path, valid | {"amount_minor": minor}, key="k")
    assert (status, problem["code"]) == (422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/body/amount_minor"


def test_10001_lines_are_refused(call: Call, office: Office) -> None:
    account_id = office.open_account()
    before = office.books.state()
    status, problem = call("invoicing", "POST", f"/accounts/{account_id}/orders", {"lines": LINES * 10_001}, key="k")
    assert (status, problem["code"]) == (422, "invalid_request")
    assert office.books.state() == before


def test_an_order_that_no_item_can_hold_is_refused(call: Call, office: Office) -> None:
    account_id = office.open_account()
    noise = Random(1)  # noqa: S311 - what does not deflate
    lines = [LINES[0] | {"description": noise.randbytes(500).hex()} for _ in range(1500)]
    before = office.books.state()
    status, problem = call("invoicing", "POST", f"/accounts/{account_id}/orders", {"lines": lines, "term_id": "net30"}, key="k")
    assert (status, problem["code"]) == (422, "document_too_large")
    assert office.books.state() == before


@pytest.mark.parametrize("key", [None, "", "with space", "ü", "x" * 256])
def test_a_post_needs_a_good_key(call: Call, office: Office, key: str | None) -> None:
    headers = {} if key is None else {"idempotency-key": key}
    assert call("accounts", "POST", "/accounts", ACCOUNT, headers=headers)[0] == 422
    assert office.books.state() == {}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_body_of_another_type_is_refused(call: Call, office: Office, content_type: str) -> None:
    status, problem = call("accounts", "POST", "/accounts", f"name={HAIR}", key="k", headers={"content-type": content_type})
    assert (status, problem["code"]) == (415, "not_json")
    assert HAIR not in json.dumps(problem)


@pytest.mark.parametrize(
    ("function", "path"),
    [
        ("accounts", "/accounts/{id}"),
        ("accounts", "/accounts/{id}/overview"),
        ("accounts", "/accounts/{id}/history"),
        ("accounts", "/accounts/{id}/messages"),
        ("accounts", "/accounts/{id}/balances"),
        ("accounts", "/accounts/{id}/balances/EUR/explanation"),
        ("accounts", "/accounts/{id}/replay"),
        ("invoicing", "/accounts/{id}/invoices"),
        ("invoicing", "/accounts/{id}/invoices/inv_00000000000000000000000000"),
        ("invoicing", "/accounts/{id}/orders/ord_00000000000000000000000000"),
        ("payments", "/accounts/{id}/payments"),
        ("payments", "/accounts/{id}/payments/pay_00000000000000000000000000"),
        ("credits", "/accounts/{id}/credits"),
        ("credits", "/accounts/{id}/credits/crd_00000000000000000000000000"),
    ],
)
def test_what_is_not_there_is_not_found_and_an_id_that_is_none_is_invalid(call: Call, function: str, path: str) -> None:
    assert call(function, "GET", path.format(id="acc_" + "9" * 26))[0] == 404
    status, problem = call(function, "GET", path.format(id=HAIR))
    assert status == 422
    assert HAIR not in json.dumps(problem)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=%27", "after=-1&currency=EUR", "currency=EURO"])
def test_a_query_out_of_range_is_refused(call: Call, office: Office, query: str) -> None:
    account_id = office.open_account()
    assert call("accounts", "GET", f"/accounts/{account_id}/entries", query=query)[0] == 422
