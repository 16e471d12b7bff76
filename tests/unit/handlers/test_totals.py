"""The functions around the firm's totals: what the stream brings, what a rebuild walks through, and what callers are shown."""

import json
from contextlib import nullcontext
from typing import Any

import pytest

from remit.domain.errors import LedgerBrokenError
from tests.fakes import FakeBooks
from tests.support.handlers import CONTEXT, ROOT, http_event, load
from tests.support.totals import FakeTotals, busy_firm, counted, projector, stored


def test_the_function_counts_what_the_stream_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of a firm at work: entries among everything else, as Lambda hands them over."""
    past = busy_firm()
    function = load("projections")
    monkeypatch.setattr(function, "projector", projector(past.books))
    event = json.loads(json.dumps({"Records": past.books.stream_records()}))
    function.handler(event, CONTEXT)
    function.handler(event, CONTEXT)
    assert stored(past.books) == counted(past.entries)


@pytest.mark.parametrize(("event", "error"), [("nothing_to_count", None), ("broken_chain", LedgerBrokenError)])
def test_a_sample_of_the_stream_does_what_it_shows(
    event: str, error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = FakeBooks()
    function = load("projections")
    monkeypatch.setattr(function, "projector", projector(books))
    sample = json.loads((ROOT / "events" / "projections" / f"{event}.json").read_text())
    with pytest.raises(error) if error else nullcontext():
        function.handler(sample, CONTEXT)
    assert books.state() == {}


def test_the_rebuilds_function_walks_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    past = busy_firm()
    function = load("totals_rebuild")
    for name, double in {
        "books": past.books,
        "journal": past.books,
        "totals": FakeTotals(past.books),
        "projector": projector(past.books),
        "PAGE": 3,
    }.items():
        monkeypatch.setattr(function, name, double)
    event: dict[str, Any] = {"replace": True}
    steps = []
    while event.get("step") != "done":
        event = json.loads(json.dumps(function.handler(event, CONTEXT)))
        steps.append(event["step"])
    assert steps == ["count", "count", "count", "compare", "finish", "done"]
    assert (event["accounts"], event["differences"]) == (len(past.accounts), 0)
    assert stored(past.books, event["built"]) == counted(past.entries)


@pytest.fixture
def totals(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API's function over a firm whose entries are all counted."""
    past = busy_firm()
    projector(past.books).project(past.entries)
    function = load("totals")
    monkeypatch.setattr(function, "books", past.books)
    monkeypatch.setattr(function, "totals", FakeTotals(past.books))
    return function


def ask(function: Any, path: str, query: str = "") -> tuple[int, Any]:
    answer = function.handler(http_event("GET", path, query=query), CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])


def test_V4_a_months_totals_are_shown_by_account(totals: Any) -> None:
    status, body = ask(totals, "/totals", "month=2026-03&currency=EUR")
    assert (status, body["month"], body["currency"]) == (200, "2026-03", "EUR")
    accounts = {each["account"]: (each["debit_minor"], each["credit_minor"]) for each in body["accounts"]}
    assert sum(debit for debit, _ in accounts.values()) == sum(credit for _, credit in accounts.values())
    assert accounts["revenue:services"][1] > 0


@pytest.mark.parametrize("query", ["", "month=2026-13&currency=EUR", "month=2026-03&currency=XXX", "month=2026-03"])
def test_a_month_and_a_currency_are_needed(totals: Any, query: str) -> None:
    status, body = ask(totals, "/totals", query)
    assert (status, body["code"]) == (422, "invalid_request")


def test_V4_invoices_are_counted_by_status_and_currency(totals: Any) -> None:
    status, body = ask(totals, "/totals/statuses")
    assert status == 200
    assert body["currencies"][1] == {"currency": "USD", "statuses": {"issued": 7}}


def test_Q1_ageing_is_shown_for_a_day_and_a_currency(totals: Any) -> None:
    status, body = ask(totals, "/totals/ageing", "as_of=2027-12-31&currency=USD")
    (usd,) = body["currencies"]
    assert (status, body["as_of"], usd["currency"]) == (200, "2027-12-31", "USD")
    assert usd["overdue_91_plus_minor"] == usd["receivable_minor"] == 7 * 847
    assert ask(totals, "/totals/ageing", "as_of=soon")[0] == 422
