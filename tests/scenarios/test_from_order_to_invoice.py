"""Steps 1 and 2 of the main job: an account, a quote, an order, an invoice, and the e-mail that brings it."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.scenarios.world import PROFILE, Clock, Customer, Firm, Mailbox, PaymentPage, World, at_once, line

type ACustomer = Callable[..., Customer]

ORDER = (
    line("Photography, half a day", 48_000, category="services"),
    line("Prints", 1_250, quantity="12", category="goods"),
    line("Photo book", 3_950, "VAT9", category="goods"),
)


def test_nothing_is_billed_in_nobodys_name(world: World) -> None:
    """I4, I5: without the firm's profile there is no seller, no tax and no term."""
    if not world.before_the_firm_was_set_up:
        pytest.skip("this stack was used before")
    assert [(answer.status, answer.code) for answer in world.before_the_firm_was_set_up] == [(409, "firm_not_set_up")] * 2


class TestAccounts:
    def test_an_account_is_opened_read_and_listed(self, world: World, a_customer: ACustomer) -> None:
        """A1"""
        details: dict[str, Any] = {
            "contacts": [{"name": "Zwaluwstaart jr.", "email": "jr@zwaluwstaart.example", "phone": None, "role": "owner"}],
            "tax_ids": [{"type": "eu_vat", "value": "NL999999990B01"}],
            "language": "nl",
            "time_zone": "Europe/Brussels",
            "default_currency": "USD",
            "default_term_id": "net30",
            "tags": ["vip"],
            "notes": "Knows Zwaluwstaart sr.",
        }
        customer = a_customer(**details)
        read = world.api.get(customer.path)
        assert read == customer.account
        assert {name: read[name] for name in details if name != "contacts"} == {
            k: v for k, v in details.items() if k != "contacts"
        }
        assert read["contacts"][0]["role"] == "owner"
        listed, cursor = [], None
        while True:
            page = world.api.get("/accounts", limit=40, **({"cursor": cursor} if cursor else {}))
            listed += page["accounts"]
            if not (cursor := page["cursor"]):
                break
        assert customer.account in listed
        assert len({account["id"] for account in listed}) == len(listed), "no page repeats another"

    def test_a_change_names_its_author_and_what_was_before(self, world: World, a_customer: ACustomer) -> None:
        """A1: history of changes with actor."""
        customer = a_customer(notes="Zwaluwstaart, first")
        opened = customer.account
        customer.changes(name="Zwaluwstaart Holding", notes=None)
        customer.changes(name="Zwaluwstaart Holding")  # says nothing new, and so is no change
        assert world.api.get(customer.path)["name"] == "Zwaluwstaart Holding"
        history = world.api.get(f"{customer.path}/history")["changes"]
        assert [change["number"] for change in history] == [2, 1]
        assert history[0]["before"] == {"name": opened["name"], "notes": "Zwaluwstaart, first"}
        assert history[0]["after"] == {"name": "Zwaluwstaart Holding", "notes": None}
        assert history[1]["before"] == {}, "the first line is its opening"
        assert history[1]["after"]["name"] == opened["name"]
        assert [change["actor"] for change in history] == [{"id": world.stack.outputs["OperatorClientId"], "channel": "api"}] * 2


class TestQuotes:
    def test_a_quote_lists_every_term_with_its_exact_schedule_and_methods(self, a_customer: ACustomer, clock: Clock) -> None:
        """T1 due on receipt and net N, T6, T7"""
        quote = a_customer().ask_for_a_quote(*ORDER)
        today = clock.today
        schedules = {
            offer["term"]["id"]: [(part["due_date"], part["amount_minor"]) for part in offer["parts"]]
            for offer in quote["offers"]
        }
        assert schedules == {
            "on_receipt": [(today.isoformat(), 80_536)],
            "net30": [((today + timedelta(days=30)).isoformat(), 80_536)],
            "bank_only": [((today + timedelta(days=14)).isoformat(), 80_536)],
        }
        methods = {offer["term"]["id"]: offer["term"]["methods"] for offer in quote["offers"]}
        assert methods["bank_only"] == ["bank_transfer"]
        assert "card" in methods["net30"]

    def test_a_quote_stores_nothing(self, world: World, a_customer: ACustomer) -> None:
        """T6"""
        customer = a_customer()
        before = world.rows_of(customer)
        customer.ask_for_a_quote(*ORDER)
        assert world.rows_of(customer) == before

    def test_the_chosen_term_is_frozen_though_the_firm_edits_it(
        self, world: World, firm: Firm, a_customer: ACustomer, clock: Clock
    ) -> None:
        """T6: later edits of the term do not change an order that was placed."""
        customer = a_customer()
        order = customer.orders(*ORDER, term="net30")
        net60 = {"due": {"rule": "net_days", "days": 60}}
        other_terms = [
            term if term["id"] != "net30" else term | {"name": "Net 60", "parts": [net60]} for term in PROFILE["terms"]
        ]
        firm.is_set_up(terms=other_terms)
        firm.forgets_its_settings_in("InvoicingFunction")
        try:
            offered = customer.ask_for_a_quote(*ORDER)["offers"]
            assert [offer["term"]["parts"][0]["due"]["days"] for offer in offered if offer["term"]["id"] == "net30"] == [60], (
                "the edit has arrived"
            )
            invoice = order.issue_invoice()
        finally:
            firm.is_set_up()
            firm.forgets_its_settings_in("InvoicingFunction")
        assert invoice.facts["term"] == order.facts["term"]
        assert invoice.facts["term"]["name"] == "Net 30"
        assert invoice.due_date == clock.today + timedelta(days=30)

    def test_the_accounts_own_term_counts_where_none_is_chosen(self, world: World, a_customer: ACustomer) -> None:
        """T6, A1: default payment term."""
        customer = a_customer(default_term_id="on_receipt")
        order = world.api.post(f"{customer.path}/orders", {"lines": [ORDER[0]]})
        assert order["term"]["id"] == "on_receipt"


class TestInvoices:
    def test_tax_is_rounded_once_per_category(self, a_customer: ACustomer) -> None:
        """I4: three lines of 3.32 at 21 % are 9.96 + 2.09; rounded line by line they would be 2.10."""
        invoice = a_customer().is_invoiced(
            *[line("Screws", 332, "VAT21")] * 3, line("Book", 1_005, "VAT9"), line("Course", 500, "EXEMPT")
        )
        taxes = {tax["tax_code"]["code"]: (tax["taxable_minor"], tax["tax_minor"]) for tax in invoice.facts["totals"]["taxes"]}
        assert taxes == {"VAT21": (996, 209), "VAT9": (1_005, 90), "EXEMPT": (500, 0)}
        assert invoice.facts["totals"]["net_minor"] == 2_501
        assert invoice.total_minor == 2_800

    @pytest.mark.parametrize("include_tax", [False, True])
    def test_totals_add_up_exactly_for_awkward_prices(self, a_customer: ACustomer, include_tax: bool) -> None:
        """I4: per category, half up; inclusive and exclusive prices; L8 for three currencies' digits."""
        customer = a_customer()
        for currency, prices in {"EUR": (333, 999, 1), "JPY": (105, 7, 3), "KWD": (1_005, 3_333, 2)}.items():
            lines = [
                line("a", prices[0], "VAT21", quantity="3"),
                line("b", prices[1], "VAT9", quantity="0.5"),
                line("c", prices[2]),
            ]
            totals = customer.is_invoiced(*lines, currency=currency, prices_include_tax=include_tax).facts["totals"]
            for tax in totals["taxes"]:
                exact = Decimal(tax["taxable_minor"]) * Decimal(tax["tax_code"]["rate"]) / 100
                tolerance = 1 if include_tax else 0  # a gross price is kept to the cent, and the tax is what remains
                assert abs(tax["tax_minor"] - int(exact.quantize(Decimal(1), ROUND_HALF_UP))) <= tolerance
            assert totals["net_minor"] == sum(tax["taxable_minor"] for tax in totals["taxes"])
            assert totals["tax_minor"] == sum(tax["tax_minor"] for tax in totals["taxes"])
            assert totals["gross_minor"] == totals["net_minor"] + totals["tax_minor"]
        assert set(customer.balances) == {"EUR", "JPY", "KWD"}, "currencies stand side by side"
        customer.proves()

    def test_a_rate_of_zero_carries_its_reason(self, a_customer: ACustomer) -> None:
        """I4: exempt, reverse charge and zero rate carry their reason."""
        invoice = a_customer().is_invoiced(line("a", 100, "ZERO"), line("b", 100, "EXEMPT"), line("c", 100, "RC"))
        found = {tax["tax_code"]["kind"]: tax["tax_code"]["reason"] for tax in invoice.facts["totals"]["taxes"]}
        assert found["exempt"].startswith("Education")
        assert found["reverse_charge"].startswith("Article 196")
        assert invoice.total_minor == 300

    def test_issuing_posts_one_balanced_entry_that_says_all(self, a_customer: ACustomer, world: World, clock: Clock) -> None:
        """L1, L3, L4"""
        customer = a_customer()
        invoice = customer.is_invoiced(*ORDER)
        (entry,) = customer.entries()
        postings = {(p["account"], p["side"]): p["amount_minor"] for p in entry["postings"]}
        assert postings == {
            ("receivable", "debit"): 80_536,
            ("revenue:goods", "credit"): 18_950,
            ("revenue:services", "credit"): 48_000,
            ("tax:VAT21", "credit"): 13_230,
            ("tax:VAT9", "credit"): 356,
        }
        assert entry["id"] == invoice.entry_id
        assert entry["kind"] == "invoice_issued"
        assert entry["effective_on"] == clock.today.isoformat() == invoice.facts["issued_on"]
        assert entry["actor"] == {"id": world.stack.outputs["OperatorClientId"], "channel": "api"}
        assert entry["order_id"] == invoice.facts["order_id"]
        assert entry["documents"] == {"invoice": [invoice.id]}
        assert customer.balance() == customer.balance("receivable") == 80_536
        customer.proves()

    def test_numbers_are_consecutive_though_many_are_issued_at_once(self, world: World, a_customer: ACustomer) -> None:
        """I3: chronological and gapless also under concurrency, and one query proves it."""
        orders = [a_customer().orders() for _ in range(6)]
        issued = at_once(*[order.issue_invoice for order in orders])
        numbers = sorted(int(invoice.number.rpartition("-")[2]) for invoice in issued)
        assert numbers == list(range(numbers[0], numbers[0] + 6))
        proof = world.api.get(f"/number-series/{issued[0].facts['series']}")
        assert (proof["gaps"], proof["last"], proof["count"]) == ([], numbers[-1], numbers[-1])

    def test_one_order_has_one_invoice_whoever_asks_and_however_often(self, a_customer: ACustomer) -> None:
        """I2: the same key, other keys, and all at once."""
        customer = a_customer()
        order = customer.orders()
        answers = at_once(*[lambda: order.ask_for_invoice("the-same-" + order.id)] * 2, *[order.ask_for_invoice] * 2)
        answers.append(order.ask_for_invoice("the-same-" + order.id))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["number"] for answer in answers}) == 1
        assert answers[-1].replayed
        assert len(customer.entries()) == 1
        customer.proves()

    def test_an_issued_invoice_does_not_change_with_its_customer(self, a_customer: ACustomer) -> None:
        """I5: parties are frozen."""
        customer = a_customer(name="Zwaluwstaart before")
        invoice = customer.is_invoiced()
        customer.changes(name="Zwaluwstaart after", address={"line1": "Elsewhere 1", "city": "Breda", "country": "NL"})
        assert invoice.now()["buyer"] == invoice.facts["buyer"]
        assert invoice.facts["buyer"]["name"] == "Zwaluwstaart before"
        assert invoice.facts["seller"]["name"] == PROFILE["name"]

    def test_overdue_begins_the_day_after_the_due_date(self, a_customer: ACustomer, clock: Clock) -> None:
        """T7, I1: computed, not stored."""
        customer = a_customer()
        invoice = customer.is_invoiced(term="net30")
        clock.moves_to(invoice.due_date)
        assert not invoice.now()["overdue"]
        clock.moves_by(days=1)
        assert invoice.now()["overdue"]
        (listed,) = customer.world.api.get(f"{customer.path}/invoices", show="open", currency="EUR")["invoices"]
        assert (listed["number"], listed["overdue"]) == (invoice.number, True)


class TestTheInvoicesMail:
    def test_the_customer_gets_the_invoice_with_a_link_to_pay(
        self, firm: Firm, a_customer: ACustomer, mailbox: Mailbox, world: World
    ) -> None:
        """D2, D11, V2"""
        firm.switches_on("send_invoices")
        customer = a_customer()
        invoice = customer.is_invoiced(*ORDER)
        (mail,) = mailbox.awaits(customer, "invoice_issued")
        world.told.add(mail.pay_link.rpartition("/")[2])
        for body in (mail.text, html.unescape(mail.html)):
            assert invoice.number in body
            assert "EUR 805.36" in body
            assert customer.account["name"] in body
        assert mail.html.lower().startswith("<!doctype html>")
        assert not re.search(r"<script|<img[^>]+src=.http", mail.html), "it loads nothing from elsewhere"
        page = PaymentPage(mail.pay_link).get()
        assert page.status_code == 200
        assert invoice.number in page.text
        (message,) = customer.messages
        assert (message["to"], message["subject"], message["status"]) == (customer.email, mail.subject, "sent")
        assert message["template_version"]

    def test_it_is_sent_once_though_its_event_comes_again(
        self, firm: Firm, a_customer: ACustomer, mailbox: Mailbox, world: World
    ) -> None:
        """D2: once each; the bus delivers at least once."""
        firm.switches_on("send_invoices")
        customer = a_customer()
        invoice = customer.is_invoiced()
        mailbox.awaits(customer, "invoice_issued")
        detail = {"id": f"{invoice.entry_id}-again", "account_id": customer.id, "documents": {"invoice": [invoice.id]}}
        event = {"Source": "remit", "DetailType": "InvoiceIssued", "EventBusName": world.stack.outputs["BusName"]}
        world.publishes(event, detail)
        world.has_told_the_customer_of(f"{invoice.entry_id}-again")
        assert len(mailbox.of(customer)) == 1

    def test_nothing_is_sent_until_the_firm_switches_it_on_and_then_nothing_for_the_past(
        self, firm: Firm, a_customer: ACustomer, mailbox: Mailbox, world: World
    ) -> None:
        """D1: off by default; enabling later sends nothing for the past."""
        assert set(PROFILE["switches"].values()) == {False}
        assert world.api.get("/firm")["switches"]["send_invoices"] == {"on": False, "since": None}
        customer = a_customer()
        past = customer.is_invoiced()
        world.has_told_the_customer_of(past.entry_id)
        firm.switches_on("send_invoices")
        invoice = customer.is_invoiced()
        mails = mailbox.awaits(customer, "invoice_issued")
        assert [invoice.number in mail.subject for mail in mails] == [True]
        assert past.number not in mails[0].text

    def test_an_account_that_wants_none_gets_none(
        self, firm: Firm, a_customer: ACustomer, mailbox: Mailbox, world: World
    ) -> None:
        """D1: the per-account switch, and nothing for the past when it goes on."""
        firm.switches_on("send_invoices")
        customer = a_customer(switches={"send_invoices": False})
        silent = customer.is_invoiced()
        world.has_told_the_customer_of(silent.entry_id)
        customer.changes(switches={"send_invoices": True})
        invoice = customer.is_invoiced()
        (mail,) = mailbox.awaits(customer, "invoice_issued")
        assert invoice.number in mail.subject
