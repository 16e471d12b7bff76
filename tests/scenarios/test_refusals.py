"""What is refused over HTTP: each a clear problem with a stable code, nothing written, and never our fault (no 5xx)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest

from remit.domain.money import MAX_MINOR
from tests.scenarios.template import Route, routes
from tests.scenarios.world import A_LAMP, Answer, Customer, Invoice, World, line

type ACustomer = Callable[..., Customer]

POSTS = [route for route in routes() if route.method == "POST" and route.scope]
A_TRIAL: dict[str, Any] = {"policy": {"tiers": [{"from_days": 1}]}, "from": "2026-01-01", "to": "2026-01-31"}
ASK_ONLY = ("/quotes", "/previews", "/accounts/{account_id}/dunning-policy-trials")
"""How POSTs end that store nothing, and so need no key."""


@dataclass
class Desk:
    """A customer with something of each kind, and a look at whether a request changed anything of it."""

    customer: Customer
    invoice: Invoice
    payment_id: str

    @property
    def world(self) -> World:
        return self.customer.world

    def path(self, route: Route) -> str:
        return route.filled(account_id=self.customer.id, invoice_id=self.invoice.id, payment_id=self.payment_id)

    def body(self, route: Route) -> dict[str, Any]:
        """A body that this route would take."""
        at, account = "/accounts/{account_id}", route.path.removeprefix("/accounts/{account_id}")
        return self.bodies_of_accounts[account] if route.path.startswith(at) else self.other_bodies[route.path]

    @cached_property
    def bodies_of_accounts(self) -> dict[str, dict[str, Any]]:
        """By what follows an account in the path."""
        picks = {"currency": "EUR", "allocations": [{"invoice_id": self.invoice.id, "amount_minor": 1}]}
        given_back = {"amount_minor": 1, "currency": "EUR", "method": "bank_transfer", "reason": "x"}
        today = self.world.clock.today.isoformat()
        return {
            "/checkout": {"invoices": [{"invoice_id": self.invoice.id}]},
            "/credits": {"amount_minor": 1, "currency": "EUR", "tax_option": "waived", "reason": "x"},
            "/credits/{credit_id}/allocations": picks,
            "/credits/{credit_id}/reversal": {"note": "x"},
            "/dunning-notices": {},
            "/dunning-policy-trials": A_TRIAL,
            "/invoices": {"order_id": self.invoice.facts["order_id"]},
            "/invoices/{invoice_id}/cancellation": {"items": "all", "reason": "x"},
            "/invoices/{invoice_id}/charges": {},
            "/invoices/{invoice_id}/checkout": {},
            "/invoices/{invoice_id}/credit-notes": {"lines": [{"line": 1}], "reason": "x"},
            "/invoices/{invoice_id}/deliveries": {"percent": "40", "delivered_on": today},
            "/invoices/{invoice_id}/late-charges": {},
            "/invoices/{invoice_id}/postponements": {"due_date": "2099-01-31", "reason": "x"},
            "/invoices/{invoice_id}/void": {"reason": "x"},
            "/invoices/{invoice_id}/write-off": {"reason": "x"},
            "/mode-changes": {"mode": "prepaid"},
            "/notes": {"text": "x"},
            "/orders": {"lines": [A_LAMP], "term_id": "net30"},
            "/orders/{order_id}/cancellation": {},
            "/payment-methods/setup": {"return_url": "https://shop.example/account"},
            "/payments": self.customer.bank_transfer(100),
            "/payments/{payment_id}/allocations": picks,
            "/payments/{payment_id}/cancellation": {},
            "/payments/{payment_id}/captures": {},
            "/payments/{payment_id}/reallocations": {"currency": "EUR", "from": picks["allocations"]},
            "/payments/{payment_id}/refunds": {"amount_minor": 1, "reason": "x"},
            "/payments/{payment_id}/reversal": {"on": today, "reason": "x"},
            "/promises": {"amount_minor": 1, "by": today},
            "/promises/{currency}/withdrawal": {},
            "/quotes": {"lines": [A_LAMP]},
            "/refunds": given_back,
            "/refunds/{refund_id}/approval": {},
            "/refunds/{refund_id}/cancellation": {},
            "/refunds/{refund_id}/reversal": {"note": "x"},
            "/subscriptions": {"plan_id": "none"},
            "/subscriptions/{subscription_id}/cancellation": {},
            "/subscriptions/{subscription_id}/changes": {"quantity": 2},
            "/subscriptions/{subscription_id}/pause": {},
            "/subscriptions/{subscription_id}/quotes": {"quantity": 2},
            "/subscriptions/{subscription_id}/resumption": {},
            "/wallet/automatic-top-ups": {"currency": "EUR"},
            "/wallet/charges": {"description": "x", "lines": [A_LAMP]},
            "/wallet/top-ups": {"amount_minor": 1, "currency": "EUR"},
            "/wallet/withdrawals": given_back,
        }

    @cached_property
    def other_bodies(self) -> dict[str, dict[str, Any]]:
        times = {"cron": "0 8 1 * *", "time_zone": "UTC"}
        a_plan = {"name": "Refused", "lines": [line("Hosting", 1)]}
        return {
            "/accounts": {"name": "Nobody", "email": "nobody@customer.example"},
            "/dunning-policy-trials": A_TRIAL,
            "/dunning-runs": {},
            "/exports": {"period": "2026-01"},
            "/plans": a_plan | {"id": "refused", "currency": "EUR", "interval": {"unit": "month"}},
            "/plans/{plan_id}/versions": a_plan | {"applies_to": "new"},
            "/recurring-payment-runs": {},
            "/invoice-batches": {"orders": [{"account_id": self.customer.id, "order_id": self.invoice.facts["order_id"]}]},
            "/summary-schedules": {"name": "x", "content": "open_invoices"} | times,
            "/summary-schedules/previews": times,
            "/templates/{name}/{language}/previews": {},
            "/templates/{name}/{language}/versions": {"subject": "x", "html": "x", "text": "x"},
        }

    @cached_property
    def changes(self) -> dict[str, dict[str, Any]]:
        """Bodies of what is not a POST, by path."""
        return {
            "/accounts/{account_id}/dunning-pause": {"until": self.world.clock.today.isoformat(), "reason": "x"},
            "/accounts/{account_id}": {"name": "x"},
            "/accounts/{account_id}/orders/{order_id}": {"lines": [A_LAMP], "version": 1},
        }

    def is_refused(self, route: Route, status: int, code: str, *, key: str = "", **request: Any) -> Answer:
        """The request is refused as said, and wrote nothing: neither to the customer nor under its key."""
        before, overview = self.world.rows_of(self.customer), self.world.api.get(f"{self.customer.path}/overview")
        key = key or uuid4().hex
        answer = self.world.api.request(route.method, self.path(route), key=key, **request)
        assert (answer.status, answer.code) == (status, code), answer.text
        assert self.world.rows_of(self.customer) == before
        assert self.world.api.get(f"{self.customer.path}/overview") == overview
        assert not self.world.key_was_used(key)
        return answer


@pytest.fixture(scope="module")
def desk(world: World) -> Desk:
    world.firm.is_set_up()
    customer = world.a_customer()
    return Desk(customer, customer.is_invoiced(), customer.pays_by_bank(5_000).id)


def route(path: str, method: str = "POST") -> Route:
    return next(found for found in routes() if (found.method, found.path) == (method, path))


ORDERS, CREDITS = "/accounts/{account_id}/orders", "/accounts/{account_id}/credits"
PAYMENTS, ALLOCATIONS = "/accounts/{account_id}/payments", "/accounts/{account_id}/payments/{payment_id}/allocations"

WITHOUT_BODY = ("/recurring-payment-runs", "/dunning-notices")


class TestBodies:
    @pytest.mark.parametrize("each", [route for route in POSTS if not route.path.endswith(WITHOUT_BODY)], ids=str)
    def test_malformed_json_unknown_fields_and_other_shapes(self, desk: Desk, each: Route) -> None:
        desk.is_refused(each, 400, "malformed_json", content=b'{"lines": [')
        desk.is_refused(each, 422, "invalid_request", content=json.dumps([desk.body(each)]))
        answer = desk.is_refused(each, 422, "invalid_request", body=desk.body(each) | {"amuont_minor": 1})
        assert [error["pointer"] for error in answer.json["errors"]] == ["/body/amuont_minor"]

    @pytest.mark.parametrize("content", ["{'a': 1}", "\ufeff{}", "[" * 100_000], ids=["quotes", "mark", "deep"])
    def test_what_only_looks_like_json(self, desk: Desk, content: str) -> None:
        desk.is_refused(route(ORDERS), 400, "malformed_json", content=content.encode())

    @pytest.mark.parametrize("other", [[], "text", 1, None])
    def test_json_that_is_no_object(self, desk: Desk, other: Any) -> None:
        desk.is_refused(route(ORDERS), 422, "invalid_request", content=json.dumps(other))

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
    def test_another_content_type(self, desk: Desk, content_type: str) -> None:
        content = "amount_minor=1" if "form" in content_type else json.dumps(desk.body(route(CREDITS)))
        desk.is_refused(route(CREDITS), 415, "not_json", content=content, headers={"Content-Type": content_type})

    @pytest.mark.parametrize("amount", [-1, 0, 1.5, 1e3, True, "100", None, MAX_MINOR + 1, 10**40, "1e3", [], {}])
    @pytest.mark.parametrize("path", [CREDITS, PAYMENTS])
    def test_amounts_that_are_no_whole_positive_number_of_minor_units(self, desk: Desk, path: str, amount: Any) -> None:
        body = desk.body(route(path)) | {"amount_minor": amount}
        answer = desk.is_refused(route(path), 422, "invalid_request", body=body)
        assert answer.json["errors"][0]["pointer"] == "/body/amount_minor"
        assert str(amount) not in answer.json["errors"][0]["fault"] or amount in (0, 1), "what was sent is not said back"

    @pytest.mark.parametrize("amount", ["NaN", "Infinity", "-0.0", "1.0"])
    def test_numbers_that_json_does_not_know_or_that_are_not_whole(self, desk: Desk, amount: str) -> None:
        content = json.dumps(desk.body(route(CREDITS))).replace('"amount_minor": 1', f'"amount_minor": {amount}')
        assert amount in content
        desk.is_refused(route(CREDITS), 422, "invalid_request", content=content)

    @pytest.mark.parametrize("flag", [0, 1, "true", "yes", "", None])
    def test_flags_that_are_neither_true_nor_false(self, desk: Desk, flag: Any) -> None:
        body = desk.body(route(ORDERS)) | {"prices_include_tax": flag}
        desk.is_refused(route(ORDERS), 422, "invalid_request", body=body)

    @pytest.mark.parametrize("day", [0, 1_795_398_346, "1795398346", "23-11-2026", "2026-02-30", "2026-11-23T00:00:00Z", None])
    def test_days_that_are_none(self, desk: Desk, day: Any) -> None:
        body = desk.body(route(PAYMENTS)) | {"value_date": day}
        desk.is_refused(route(PAYMENTS), 422, "invalid_request", body=body)

    @pytest.mark.parametrize("price", [-1, 1.5, True, "1", MAX_MINOR + 1])
    def test_prices_too(self, desk: Desk, price: Any) -> None:
        body = {"lines": [line("x", price)], "term_id": "net30"}
        desk.is_refused(route(ORDERS), 422, "invalid_request", body=body)

    def test_a_total_beyond_what_is_exact(self, desk: Desk) -> None:
        body = {"lines": [line("x", MAX_MINOR, quantity="2")], "term_id": "net30"}
        desk.is_refused(route(ORDERS), 422, "amount_too_large", body=body)

    @pytest.mark.parametrize("currency", ["XXX", "eur", "EURO", "", "XAU", 978, None])
    def test_unknown_currencies(self, desk: Desk, currency: Any) -> None:
        """L8"""
        for path in (CREDITS, PAYMENTS):
            desk.is_refused(route(path), 422, "invalid_request", body=desk.body(route(path)) | {"currency": currency})
        if currency is not None:
            desk.is_refused(route(ORDERS), 422, "invalid_request", body=desk.body(route(ORDERS)) | {"currency": currency})

    def test_an_order_of_10_001_lines(self, desk: Desk) -> None:
        body = desk.body(route(ORDERS)) | {"lines": [line("x", 1)] * 10_001}
        desk.is_refused(route(ORDERS), 422, "invalid_request", body=body)

    def test_a_document_beyond_what_the_table_holds(self, desk: Desk) -> None:
        """400 KB, also after it was packed: what does not repeat cannot be packed."""
        lines = [line("".join(uuid4().hex for _ in range(30)), 1) for _ in range(900)]
        answer = desk.is_refused(route(ORDERS), 422, "document_too_large", body=desk.body(route(ORDERS)) | {"lines": lines})
        assert "400" in answer.json["detail"] or "large" in answer.json["detail"]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"lines": [], "term_id": "net30"}, "invalid_request"),
            ({"lines": [line("x", 1, "NOPE")], "term_id": "net30"}, "unknown_tax_code"),
            ({"lines": [line("x", 1)], "term_id": "nope"}, "unknown_payment_term"),
            ({"lines": [line("x", 1)]}, "no_payment_term"),
            ({"lines": [line("x", 1, quantity="0")], "term_id": "net30"}, "invalid_request"),
            ({"lines": [line("x", 1, quantity="-1")], "term_id": "net30"}, "invalid_request"),
            ({"lines": [line("", 1)], "term_id": "net30"}, "invalid_request"),
            ({"lines": [line("x" * 1_001, 1)], "term_id": "net30"}, "invalid_request"),
        ],
    )
    def test_orders_that_cannot_be_billed(self, desk: Desk, body: dict[str, Any], code: str) -> None:
        """I4, T6"""
        desk.is_refused(route(ORDERS), 422, code, body=body)

    def test_an_order_of_nothing_is_no_invoice(self, desk: Desk) -> None:
        """L1: an entry of nothing explains nothing."""
        order = desk.customer.orders(line("Free", 0))
        desk.is_refused(route("/accounts/{account_id}/invoices"), 409, "nothing_to_bill", body={"order_id": order.id})

    @pytest.mark.parametrize(
        "fields",
        [
            {"email": "nobody"},
            {"email": "a@b@c.example"},
            {"email": "a\nBcc: x@y.example"},
            {"name": ""},
            {"name": "x" * 201},
            {"default_currency": "XXX"},
            {"time_zone": "Mars/Olympus"},
            {"language": "English"},
            {"address": {"line1": "x", "city": "y", "country": "Netherlands"}},
            {"contacts": [{"name": "x"}] * 21},
            {"dunning": "maybe"},
        ],
        ids=str,
    )
    def test_accounts_that_make_no_sense(self, desk: Desk, fields: dict[str, Any]) -> None:
        """A1: when opened and when changed."""
        body = desk.body(route("/accounts")) | fields
        desk.is_refused(route("/accounts"), 422, "invalid_request", body=body)
        desk.is_refused(route("/accounts/{account_id}", "PATCH"), 422, "invalid_request", body=fields)

    def test_allocations_that_make_no_sense(self, desk: Desk) -> None:
        """P2"""
        one = {"invoice_id": desk.invoice.id, "amount_minor": 1}
        body = desk.body(route(ALLOCATIONS))
        desk.is_refused(route(ALLOCATIONS), 422, "duplicate_allocation", body=body | {"allocations": [one, one]})
        desk.is_refused(route(ALLOCATIONS), 422, "invalid_request", body=body | {"allocations": []})
        desk.is_refused(route(ALLOCATIONS), 422, "invalid_request", body=body | {"allocations": [one] * 41})

    def test_the_clock_does_not_go_back(self, desk: Desk) -> None:
        """O3"""
        desk.is_refused(route("/clock", "PUT"), 409, "clock_moves_forward", body={"now": "2020-01-01T00:00:00Z"})
        desk.is_refused(route("/clock", "PUT"), 422, "invalid_request", body={"now": "tomorrow"})


class TestKeys:
    @pytest.mark.parametrize("each", [route for route in POSTS if not route.path.endswith(ASK_ONLY)], ids=str)
    def test_every_post_needs_a_key_of_a_sensible_length(self, desk: Desk, each: Route) -> None:
        path, body = desk.path(each), desk.body(each)
        for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 256}, {"Idempotency-Key": "two words"}):
            answer = desk.world.api.request("POST", path, body, key=None, headers=headers)
            assert (answer.status, answer.code) == (422, "invalid_request")
            assert "idempotency-key" in answer.text.lower()

    def test_a_key_stands_for_one_request(self, desk: Desk, a_customer: ACustomer) -> None:
        """The same key and body answers as the first time; with another body, path or account it is refused."""
        key, body, path = uuid4().hex, desk.body(route(CREDITS)), desk.path(route(CREDITS))
        api, other = desk.world.api, a_customer()
        first = api.request("POST", path, body, key=key)
        again = api.request("POST", path, body, key=key)
        assert (first.status, again.status) == (201, 201)
        assert again.json == first.json
        assert (first.replayed, again.replayed) == (False, True)
        before = desk.world.rows_of(desk.customer)
        reordered = dict(reversed(body.items()))
        assert api.request("POST", path, reordered, key=key).json == first.json, "the order of fields does not count"
        for other_path, other_body in (
            (path, body | {"amount_minor": 2}),
            (desk.path(route(ORDERS)), desk.body(route(ORDERS))),
            (f"{other.path}/credits", body),
        ):
            answer = api.request("POST", other_path, other_body, key=key)
            assert (answer.status, answer.code) == (422, "idempotency_key_reused")
        assert desk.world.rows_of(desk.customer) == before
        assert other.entries() == []


class TestAddresses:
    def test_unknown_addresses_and_methods(self, desk: Desk) -> None:
        api = desk.world.api
        for method, path in (
            ("GET", "/nothing"),
            ("DELETE", desk.customer.path),
            ("PUT", desk.customer.path),
            ("POST", f"{desk.customer.path}/balances"),
            ("PATCH", desk.invoice.path),
            ("DELETE", desk.invoice.path),
            ("GET", "/webhooks/stripe"),
            ("GET", "/accounts/x/y/z"),
        ):
            answer = api.request(method, path)
            assert answer.status in (404, 405), f"{method} {path}: {answer.status}"

    @pytest.mark.parametrize("id_", ["acc_x", "nobody", "..%2f..", "acc_01jdzzzzzzzzzzzzzzzzzzzzz%00", "%F0%9F%92%A3", "a" * 500])
    def test_ids_that_are_none(self, desk: Desk, id_: str) -> None:
        answer = desk.world.api.request("GET", f"/accounts/{id_}")
        assert answer.status in (404, 422), answer.text

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "limit=x", "cursor=%00", "cursor=" + "x" * 1001, "limit=1&limit=2", "limit="]
    )
    def test_queries_out_of_range(self, desk: Desk, query: str) -> None:
        answer = desk.world.api.request("GET", f"/accounts?{query}")
        assert answer.status in (200, 422)
        assert answer.status == 422 or query == "limit=1&limit=2"

    @pytest.mark.parametrize(
        "query",
        ["as_of=2026-02-30", "as_of=0", "as_of=1795398346", "as_of=yesterday", "figure=all", "after=-1", "after=x", "limit=101"],
    )
    def test_explanations_of_nothing(self, desk: Desk, query: str) -> None:
        """L5"""
        answer = desk.world.api.request("GET", f"{desk.customer.path}/balances/EUR/explanation?{query}")
        assert (answer.status, answer.code) == (422, "invalid_request")

    @pytest.mark.parametrize("each", [route for route in routes() if "{account_id}" in route.path], ids=str)
    def test_an_account_that_is_not_there(self, desk: Desk, each: Route) -> None:
        key = uuid4().hex
        body = desk.body(each) if each.method == "POST" else desk.changes.get(each.path)
        answer = desk.world.api.request(each.method, f"{each.filled()}?currency=EUR", body, key=key)
        assert answer.status == 404, answer.text
        assert answer.code.endswith("_not_found")
        assert not desk.world.key_was_used(key)


class TestSomebodyElses:
    def test_what_belongs_to_one_account_is_not_found_under_another(self, desk: Desk, a_customer: ACustomer) -> None:
        """A1, P2: invoices, orders, payments and credits."""
        world, mine = desk.world, a_customer()
        my_invoice, my_payment = mine.is_invoiced(), mine.pays_by_bank(1_000)
        credit = desk.customer.gets_goodwill(100)
        before, theirs_before = world.rows_of(mine), world.rows_of(desk.customer)
        for path in (
            f"/invoices/{desk.invoice.id}",
            f"/orders/{desk.invoice.facts['order_id']}",
            f"/payments/{desk.payment_id}",
            f"/credits/{credit['id']}",
        ):
            answer = world.api.request("GET", mine.path + path)
            assert (answer.status, answer.code.endswith("_not_found")) == (404, True), path
        take_theirs = [{"invoice_id": desk.invoice.id, "amount_minor": 1}]
        attempts: list[tuple[str, dict[str, Any]]] = [
            ("/invoices", {"order_id": desk.invoice.facts["order_id"]}),
            ("/payments", mine.bank_transfer(100) | {"allocations": take_theirs}),
            (f"/payments/{my_payment.id}/allocations", {"currency": "EUR", "allocations": take_theirs}),
            (
                f"/payments/{desk.payment_id}/allocations",
                {"currency": "EUR", "allocations": [{"invoice_id": my_invoice.id, "amount_minor": 1}]},
            ),
            (f"/invoices/{desk.invoice.id}/checkout", {}),
        ]
        for path, body in attempts:
            answer = world.api.request("POST", mine.path + path, body)
            assert (answer.status, answer.code.endswith("_not_found")) == (404, True), (path, answer.text)
        assert (world.rows_of(mine), world.rows_of(desk.customer)) == (before, theirs_before)
