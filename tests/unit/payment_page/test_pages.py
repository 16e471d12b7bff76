"""The payment page's answers, without a browser (tests/e2e/test_payment_page.py has one)."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from functions.payment_page import pages
from local.email_templates import samples
from remit.domain.orders import LineRequest
from remit.domain.terms import Due, DueRule, EarlyDiscount, Method, PaymentTerm

TODAY = date(2026, 2, 1)
ISSUED, ITEM = samples.invoice()
VIEW = pages.invoice_view(samples.firm(), ISSUED, ITEM, TODAY)
ALL = {
    "invoice": pages.invoice_page(VIEW),
    "paid": pages.paid_page(VIEW),
    "closed": pages.closed_page(VIEW),
    "processing": pages.processing_page(VIEW),
    "expired": pages.link_expired_page(samples.firm()),
    "expired, firm unknown": pages.link_expired_page(),
    "invalid": pages.link_invalid_page(samples.firm()),
    "invalid, firm unknown": pages.link_invalid_page(),
    "unavailable": pages.unavailable_page(samples.firm()),
}
HOSTILE = "<script>alert(1)</script> {{7*7}} \u202eשלום 🎉"


def body(page: pages.Page) -> str:
    return page.html.partition("</style>")[2]


@pytest.mark.parametrize("name", ALL)
def test_every_page_is_closed_to_the_world(name: str) -> None:
    page = ALL[name]
    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script|<img|<iframe|https?://|\son\w+=|\sstyle=", body(page))


@pytest.mark.parametrize("name", ALL)
def test_the_policy_allows_the_very_styles_of_the_page(name: str) -> None:
    page = ALL[name]
    found = re.search(r"<style>(.*?)</style>", page.html, re.DOTALL)
    assert found
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]


def test_pico_is_the_published_file() -> None:
    static = Path(pages.__file__).parent / "static"
    digest = hashlib.sha256((static / "pico.classless.min.css").read_bytes()).hexdigest()
    assert digest == "61207a40ffc02a42d1e50143651c121beab70ed413c934c1ff84fa263ba436b0"
    assert "MIT License" in (static / "pico-LICENSE.md").read_text()


def test_only_the_invoice_page_has_a_form_and_it_may_lead_to_the_checkout() -> None:
    for name, page in ALL.items():
        assert ("<form" in body(page)) == (name == "invoice")
        expected = "form-action 'self' https://checkout.stripe.com" if name == "invoice" else "form-action 'none'"
        assert expected in page.headers["Content-Security-Policy"]
    local = pages.invoice_page(VIEW, "http://127.0.0.1:12111")
    assert "form-action 'self' http://127.0.0.1:12111;" in local.headers["Content-Security-Policy"]


def test_statuses_say_what_happened() -> None:
    assert {name: page.status for name, page in ALL.items()} == {
        "invoice": 200,
        "paid": 200,
        "closed": 200,
        "processing": 200,
        "expired": 410,
        "expired, firm unknown": 410,
        "invalid": 404,
        "invalid, firm unknown": 404,
        "unavailable": 503,
    }
    assert ALL["unavailable"].headers["Retry-After"] == "60"


def test_the_invoice_page_shows_all_that_the_payer_needs() -> None:
    page = pages.invoice_page(pages.invoice_view(samples.firm(), ISSUED, ITEM.settle(27_379, "pay_1"), TODAY))
    for fact in (
        "Northwind Cloud B.V.",
        "Blue Harbour Trading GmbH",
        "INV-2026-000482",
        "PO-7781",
        "31 January 2026",
        "due on <strong>2 March 2026</strong>",
        "Managed PostgreSQL, February 2026",
        "2.5 × EUR 95.00",
        "VAT21: 21% of EUR 986.50",
        "EUR 207.17",
        "EUR 1,273.79",
        "Paid or credited so far",
        "EUR 273.79",
        "Pay EUR 1,000.00 by card",
        "Paying by bank transfer?",
        "billing@northwind.example",
    ):
        assert fact in body(page)
    assert '<form method="post">' in page.html
    assert "overdue" not in body(page)


def test_an_overdue_invoice_says_since_when() -> None:
    page = pages.invoice_page(pages.invoice_view(samples.firm(), ISSUED, ITEM, date(2026, 3, 19)))
    assert "17 days overdue" in body(page)
    assert "was due on <strong>2 March 2026</strong>" in body(page)


@pytest.mark.parametrize(("currency", "due"), [("JPY", "JPY 1,234,567"), ("KWD", "KWD 1,234.567")])
def test_the_button_names_the_amount_in_its_currency(currency: str, due: str) -> None:
    issued, item = samples.invoice([LineRequest("Freight", Decimal(1), 1_234_567, "ZERO")], currency)
    assert f"Pay {due} by card" in body(pages.invoice_page(pages.invoice_view(samples.firm(), issued, item, TODAY)))


@pytest.mark.parametrize(
    ("methods", "button", "bank"),
    [((Method.BANK_TRANSFER,), False, True), ((Method.CARD,), True, False), ((Method.CASH,), False, False)],
)
def test_only_methods_of_the_term_are_offered(methods: tuple[Method, ...], button: bool, bank: bool) -> None:
    issued, item = samples.invoice(term=PaymentTerm.single("t", "Term", samples.NET_30.parts[0].due, methods))
    page = body(pages.invoice_page(pages.invoice_view(samples.firm(), issued, item, TODAY)))
    assert ("<form" in page) == button
    assert ("bank transfer" in page) == bank
    assert ("cannot be paid online" in page) == (not button and not bank)


def test_a_long_invoice_is_cut_and_says_so() -> None:
    lines = [LineRequest(f"Seat no. {number}.", Decimal(1), 100, "VAT21") for number in range(1, 61)]
    issued, item = samples.invoice(lines)
    page = body(pages.invoice_page(pages.invoice_view(samples.firm(), issued, item, TODAY)))
    assert "Seat no. 50." in page
    assert "Seat no. 51." not in page
    assert "and 10 more lines" in page


def test_the_paid_page_asks_for_nothing() -> None:
    page = ALL["paid"]
    assert "INV-2026-000482" in body(page)
    assert "nothing left to pay" in body(page)


def test_pages_without_a_valid_link_tell_nothing_about_invoices() -> None:
    for name in ("expired", "expired, firm unknown", "invalid", "invalid, firm unknown", "unavailable"):
        assert not re.search(r"INV-|EUR|Blue Harbour", body(ALL[name]))


def test_hostile_names_are_inert() -> None:
    firm, buyer = samples.firm(name=HOSTILE), samples.account(name=HOSTILE)
    issued, item = samples.invoice([LineRequest(HOSTILE, Decimal(1), 100, "VAT21")], seller=firm, buyer=buyer, reference=HOSTILE)
    view = pages.invoice_view(firm, issued, item, TODAY)
    for page in (pages.invoice_page(view), pages.paid_page(view), pages.processing_page(view), pages.link_invalid_page(firm)):
        assert "<script" not in page.html
        assert "{{7*7}}" in page.html
        assert "\u202e" not in page.html


def test_T5_the_page_offers_what_an_early_payment_saves() -> None:
    term = replace(samples.NET_30, discount=EarlyDiscount(Decimal(2), 10))
    issued, item = samples.invoice([LineRequest("Consulting", Decimal(1), 10000, "VAT21")], term=term)
    page = body(pages.invoice_page(pages.invoice_view(samples.firm(), issued, item, date(2026, 2, 10))))
    assert "Pay EUR 118.58 by card" in page
    late = body(pages.invoice_page(pages.invoice_view(samples.firm(), issued, item, date(2026, 2, 11))))
    assert "Pay EUR 121.00 by card" in late


def test_T2_the_page_of_what_waits_for_its_delivery_names_no_date() -> None:
    issued, item = samples.invoice(term=PaymentTerm.single("d", "On delivery", Due(DueRule.AFTER_DELIVERY, 14)))
    assert "due after delivery" in body(pages.invoice_page(pages.invoice_view(samples.firm(), issued, item, TODAY)))


@pytest.mark.parametrize(("closed", "says"), [("void", "was withdrawn"), ("write_off", "is closed")])
def test_I6_I9_a_void_or_uncollectible_invoice_is_not_payable(closed: str, says: str) -> None:
    issued, item = samples.invoice()
    page = body(pages.closed_page(pages.invoice_view(samples.firm(), issued, getattr(item, closed)(), TODAY)))
    assert says in page
    assert "<form" not in page
