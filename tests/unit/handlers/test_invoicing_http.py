"""Orders and invoices over HTTP: figures that must come out exactly, views with their links, refusals with their facts."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from remit.domain.invoices import invoice_id_for
from remit.domain.payments import Payment
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import DiscountTax, EarlyDiscount
from tests.support import collection as col
from tests.support.builders import Office
from tests.support.handlers import CONTEXT, answered, http_event
from tests.support.invoicing import THIRDS, TWO_TEN, with_terms

type Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(deployed: Callable[[str], Any], office: Office) -> Call:
    """`call("POST", path, body)` → (status, body), each call with a key of its own."""
    modules: dict[str, Any] = {}
    keys = iter(range(10**6))

    def to(method: str, path: str, body: Any = None, *, function: str = "invoicing", **how: Any) -> tuple[int, Any]:
        module = modules.get(function) or modules.setdefault(function, deployed(function))
        key = how.pop("key", f"http-{next(keys)}") if method == "POST" else None
        return answered(module.handler(http_event(method, path, body, key=key, **how), CONTEXT))

    return to


def a_line(minor: int = 10000, code: str = "VAT21", **more: Any) -> dict[str, Any]:
    return {"description": "Consulting", "unit_price_minor": minor, "tax_code": code, "category": "services"} | more


def an_invoice(call: Call, home: str, *lines: Any, **order: Any) -> Any:
    status, placed = call("POST", f"{home}/orders", {"lines": list(lines) or [a_line()], "term_id": "net30"} | order)
    assert status == 201, placed
    status, invoice = call("POST", f"{home}/invoices", {"order_id": placed["id"]})
    assert status == 201, invoice
    return invoice


@pytest.mark.parametrize(
    ("mode", "early", "late"),
    [(DiscountTax.ALWAYS, 11858, 12058), (DiscountTax.ON_EARLY_PAYMENT, 11858, 12100), (DiscountTax.NEVER, 11900, 12100)],
)
def test_T5_the_reference_figures_of_a_discount_come_out_exactly(
    call: Call, office: Office, mode: DiscountTax, early: int, late: int
) -> None:
    with_terms(office, replace(TWO_TEN, discount=EarlyDiscount(Decimal(2), 10, mode)))
    home = f"/accounts/{office.open_account()}"
    _, quote = call("POST", f"{home}/quotes", {"lines": [a_line()]})
    offer = next(offer for offer in quote["offers"] if offer["term"]["id"] == "two_ten")
    assert (offer["discount"]["payable_minor"], offer["totals"]["payable_minor"]) == (early, late)
    invoice = an_invoice(call, home, term_id="two_ten")
    assert (invoice["open_minor"], invoice["discount"]["payable_minor"]) == (late, early)
    assert invoice["discount"]["until"] == "2026-03-12"
    office.clock.advance(days=11)
    assert call("GET", f"{home}/invoices/{invoice['id']}")[1]["discount"] is None


def test_I4_2_99_at_4_percent_inclusive_is_2_88_and_0_11(call: Call, office: Office) -> None:
    vat4 = TaxCode("VAT4", TaxKind.STANDARD, Decimal(4))
    scope = TaxCode("OUT", TaxKind.OUTSIDE_SCOPE, reason="Not a supply")
    office.firm = replace(office.firm, tax_codes=dict(office.firm.tax_codes) | {"VAT4": vat4, "OUT": scope})
    home = f"/accounts/{office.open_account()}"
    totals = an_invoice(call, home, a_line(299, "VAT4"), prices_include_tax=True)["totals"]
    assert (totals["net_minor"], totals["tax_minor"], totals["gross_minor"]) == (288, 11, 299)
    for code, reason in (("EXEMPT", "Article 132"), ("REVERSE", "Article 196 of Directive 2006/112/EC"), ("OUT", "Not a supply")):
        (tax,) = an_invoice(call, home, a_line(code=code))["totals"]["taxes"]
        assert (tax["tax_minor"], tax["tax_code"]["reason"]) == (0, reason)


def test_I1_a_draft_is_read_revised_canceled_and_listed(call: Call, office: Office) -> None:
    home = f"/accounts/{office.open_account()}"
    _, placed = call("POST", f"{home}/orders", {"lines": [a_line()], "note": "Thanks", "kind": "services"})
    assert (placed["status"], placed["version"], placed["kind"], placed["note"]) == ("draft", 1, "services", "Thanks")
    at = f"{home}/orders/{placed['id']}"
    status, draft = call("GET", f"{home}/invoices/{invoice_id_for(placed['id'])}")
    assert (status, draft["status"], draft["number"], draft["open_minor"], draft["total_minor"]) == (200, "draft", None, 0, 12100)
    status, revised = call("PUT", at, {"lines": [a_line(20000)], "version": 1})
    assert (status, revised["version"], revised["totals"]["gross_minor"]) == (200, 2, 24200)
    status, refusal = call("PUT", at, {"lines": [a_line(1)], "version": 1})
    assert (status, refusal["code"], refusal["version"]) == (409, "order_changed", 2)
    assert call("GET", f"{home}/orders", query="status=draft")[1]["orders"] == [revised]
    status, canceled = call("POST", f"{at}/cancellation", {})
    assert (status, canceled["status"]) == (201, "canceled")
    assert call("GET", at)[1] == canceled
    assert call("GET", f"{home}/invoices/{invoice_id_for(placed['id'])}")[1]["code"] == "invoice_not_found"


def test_I6_I9_P6_T2_acts_answer_with_the_invoice_as_it_is(call: Call, office: Office) -> None:
    with_terms(office, THIRDS)
    home = f"/accounts/{office.open_account()}"
    invoice = an_invoice(call, home, term_id="thirds")
    at = f"{home}/invoices/{invoice['id']}"
    assert [part["status"] for part in invoice["parts"]] == ["open", "unscheduled", "open"]
    status, delivered = call("POST", f"{at}/deliveries", {"percent": "50", "delivered_on": "2026-03-02"})
    assert (status, delivered["delivered_percent"]) == (201, "50")
    status, moved = call("POST", f"{at}/postponements", {"part": 1, "due_date": "2026-04-01", "reason": "agreed"})
    assert (status, moved["postponements"][0]["old_due_date"], moved["parts"][0]["due_date"]) == (201, "2026-03-02", "2026-04-01")
    status, timeline = call("GET", f"{at}/timeline")
    assert (status, len(timeline["past"]), len(timeline["future"])) == (200, 5, 4)
    status, voided = call("POST", f"{at}/void", {"reason": "wrong customer"})
    assert (status, voided["status"], voided["number"]) == (201, "void", "INV-2026-000001")
    status, refusal = call("POST", f"{at}/write-off", {"reason": "insolvent"})
    assert (status, refusal["code"]) == (409, "invoice_void")
    other = an_invoice(call, home)
    status, lost = call("POST", f"{home}/invoices/{other['id']}/write-off", {"reason": "insolvent"})
    assert (status, lost["status"], lost["written_off_minor"]) == (201, "uncollectible", 12100)
    listed = call("GET", f"{home}/invoices", query="status=uncollectible")[1]["invoices"]
    assert [each["invoice_id"] for each in listed] == [other["id"]]


def test_I10_I11_a_final_invoice_links_to_its_deposit_and_back(call: Call, office: Office) -> None:
    account_id = office.open_account()
    home = f"/accounts/{account_id}"
    deposit = an_invoice(call, home, a_line(3000), kind="deposit")
    office.receive(account_id, 3630, oldest_first=True)
    period = {"subscription_id": "sub_1", "period": 2}
    final = an_invoice(call, home, deposits=[deposit["id"]], subscription=period)
    assert (final["deposits"][0]["invoice_id"], final["totals"]["payable_minor"]) == (deposit["id"], 8470)
    assert final["subscription"]["period"] == 2
    now = call("GET", f"{home}/invoices/{deposit['id']}")[1]
    assert now["deducted_on"] == final["id"]
    assert now["settlements"][0]["source_id"].startswith("pay_")
    assert call("GET", f"{home}/orders/{final['order_id']}")[1]["invoice_id"] == final["id"]


def test_I3_a_batch_over_http_answers_the_same_again(call: Call, office: Office) -> None:
    orders = []
    for _ in range(3):
        account_id = office.open_account()
        placed = call("POST", f"/accounts/{account_id}/orders", {"lines": [a_line()]})[1]
        orders.append({"account_id": account_id, "order_id": placed["id"]})
    status, batch = call("POST", "/invoice-batches", {"orders": orders}, key="b")
    assert (status, batch["first"], batch["last"], batch["finished_at"] is None) == (201, 1, 3, False)
    assert [line["number"] for line in batch["lines"]] == [f"INV-2026-{n:06d}" for n in (1, 2, 3)]
    assert call("POST", "/invoice-batches", {"orders": orders}, key="b") == (201, batch)
    assert call("GET", f"/invoice-batches/{batch['id']}") == (200, batch)
    status, proof = call("GET", "/number-series/INV-2026")
    assert (status, proof["count"], proof["pending"], proof["gaps"]) == (200, 3, 0, [])


def test_S4_an_invoice_shows_every_attempt_and_when_the_next_is(call: Call, office: Office) -> None:
    account_id = col.collecting(office, "pm_visa")
    at = f"/accounts/{account_id}/invoices/{office.invoice(account_id)}"
    assert call("GET", at)[1]["collection"] == {"next_on": "2026-04-01", "why": "not_due", "attempts": []}
    office.gateway.outcomes["pm_visa"] = col.SOFT
    office.clock.advance(days=30)
    col.run(office, account_id)
    (payment,) = office.books.all(Payment)
    collection = call("GET", at)[1]["collection"]
    assert collection == {
        "next_on": "2026-04-04",
        "why": "retry_later",
        "attempts": [
            {
                "payment_id": payment.id,
                "number": 1,
                "due_on": "2026-04-01",
                "made_at": payment.created_at.isoformat().replace("+00:00", "Z"),
                "method_label": "visa 4242",
                "amount_minor": 12100,
                "outcome": "declined",
                "reason": "insufficient_funds",
                "retry_on": "2026-04-04",
            }
        ],
    }
    timeline = call("GET", f"{at}/timeline")[1]
    seen = [(each["kind"], each["what"], each["note"]) for each in timeline["past"]][1:]
    assert seen == [("collection_attempt", "attempt 1 from visa 4242: declined", "insufficient_funds")]
    assert timeline["future"][-1] == {"on": "2026-04-04", "kind": "collection", "amount_minor": 12100}


def test_S4_an_invoice_that_is_not_collected_by_itself_says_nothing_of_it(call: Call, office: Office) -> None:
    account_id = office.open_account()
    assert call("GET", f"/accounts/{account_id}/invoices/{office.invoice(account_id)}")[1]["collection"] is None
