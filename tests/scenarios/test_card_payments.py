"""Step 3 of the main job: the customer pays by card, and whatever the gateway's messages do, the ledger is right."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.scenarios.world import (
    Checkout,
    Clock,
    Customer,
    Firm,
    Invoice,
    Mailbox,
    PaymentPage,
    TheGateway,
    World,
    at_once,
    eventually,
)

type ACustomer = Callable[..., Customer]


def the_ledger_of(customer: Customer) -> list[Any]:
    """What the entries say, but for ids, times and hashes."""
    return [
        (
            entry["kind"],
            entry["actor"]["channel"],
            tuple(sorted((p["account"], p["side"], p["amount_minor"]) for p in entry["postings"])),
        )
        for entry in customer.entries()
    ]


def paid_once(checkout: Checkout) -> None:
    """The whole invoice, by this one payment, in one entry."""
    invoice, customer = checkout.invoice, checkout.invoice.customer
    payment = checkout.payment
    assert (payment.status, payment.unapplied_minor) == ("succeeded", 0)
    assert payment.facts["allocations"] == [{"invoice_id": invoice.id, "amount_minor": invoice.total_minor}]
    assert len(payment.facts["entries"]) == 1
    assert [entry["kind"] for entry in customer.entries()] == ["invoice_issued", "payment_received"]
    assert customer.balance() == 0
    customer.proves()


@pytest.fixture
def link_of(world: World, firm: Firm, mailbox: Mailbox) -> Callable[[Invoice], str]:
    """The link in the invoice's e-mail; the firm must send invoices when the invoice is issued."""

    def find(invoice: Invoice) -> str:
        mails = mailbox.awaits(invoice.customer, "invoice_issued")
        link = next(mail.pay_link for mail in mails if invoice.number in mail.subject)
        world.told.add(link.rpartition("/")[2])
        return link

    firm.switches_on("send_invoices", "send_receipts")
    return find


class TestThePaymentPage:
    def test_a_mail_scanner_that_follows_the_link_spends_nothing(
        self, world: World, a_customer: ACustomer, link_of: Callable[[Invoice], str], the_gateway: TheGateway
    ) -> None:
        """V2: GET changes nothing, however often and with whatever query."""
        customer = a_customer()
        invoice = customer.is_invoiced()
        page = PaymentPage(link_of(invoice))
        before = world.rows_of(customer)
        answers = [page.get(), page.get(), page.get(returned=True), httpx.head(page.link)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        assert world.rows_of(customer) == before
        assert invoice.status == "issued"

    def test_the_button_leads_to_the_gateways_own_page(
        self, world: World, a_customer: ACustomer, link_of: Callable[[Invoice], str]
    ) -> None:
        """P3 click-to-pay, G5: no card data comes near us."""
        invoice = a_customer().is_invoiced()
        page = PaymentPage(link_of(invoice))
        shown = page.get()
        assert 'method="post"' in shown.text.lower()
        assert not {"number", "cvc", "card"} & {name.lower() for name in _input_names(shown.text)}
        policy = shown.headers["content-security-policy"]
        assert f"form-action 'self' {world.gateway_url}" in policy
        assert shown.headers["referrer-policy"] == "no-referrer"
        pressed = page.press_pay()
        assert pressed.status_code == 303
        assert pressed.headers["location"].startswith(f"{world.gateway_url}/c/pay/")
        assert "no-store" in pressed.headers["cache-control"]

    def test_declined_then_paid_and_a_receipt_is_sent(
        self, a_customer: ACustomer, link_of: Callable[[Invoice], str], mailbox: Mailbox, the_gateway: TheGateway
    ) -> None:
        """P3, P5: the payment shows all its transactions; a declined card does not end the attempt."""
        customer = a_customer()
        invoice = customer.is_invoiced()
        page = PaymentPage(link_of(invoice))
        location = page.press_pay().headers["location"]
        checkout = Checkout(invoice, customer.payments[0].id, location)
        assert checkout.pays_with("pm_card_chargeDeclined") == "declined"
        the_gateway.has_delivered_everything()
        failed = eventually(lambda: (found := checkout.payment).status == "failed" and found, "the decline")
        assert failed.facts["failure"] == "generic_decline"
        assert page.press_pay().headers["location"] == location, "the same page takes another card"
        assert checkout.pays_with("pm_card_visa") == "succeeded"
        assert "being confirmed" in page.get(returned=True).text or invoice.status == "paid"
        invoice.becomes_paid()
        transactions = eventually(lambda: len(t := checkout.payment.facts["transactions"]) == 2 and t, "both transactions")
        assert sorted((t["type"], t["amount_minor"]) for t in transactions) == [("capture", 12_100), ("failure", 12_100)]
        paid_once(checkout)
        (receipt,) = [mail for mail in mailbox.awaits(customer, "payment_received") if "received" in mail.subject.lower()]
        assert "EUR 121.00" in receipt.text
        assert invoice.number in receipt.text
        assert "paid" in page.get().text.lower()
        again = page.press_pay()
        assert (again.status_code, "location" in again.headers) == (200, False), "nothing left to pay"

    def test_a_link_that_was_tampered_with_or_has_expired_opens_nothing(
        self, world: World, a_customer: ACustomer, link_of: Callable[[Invoice], str], clock: Clock
    ) -> None:
        """V2: scoped, expiring."""
        customer, other = a_customer(), a_customer()
        link = link_of(customer.is_invoiced())
        base, _, token = link.rpartition("/")
        account, invoice, expiry, signature = token.split(".")
        swapped = signature[::-1] if signature[::-1] != signature else signature.swapcase()
        for bad in (
            f"{other.id}.{invoice}.{expiry}.{signature}",
            f"{account}.{invoice}.{int(expiry, 16) + 86_400:x}.{signature}",
            f"{account}.{invoice}.{expiry}.{swapped}",
            token[:-1],
            "x",
        ):
            for answer in (PaymentPage(f"{base}/{bad}").get(), PaymentPage(f"{base}/{bad}").press_pay()):
                assert answer.status_code in (403, 404), bad
                assert customer.account["name"] not in answer.text
                assert "text/html" in answer.headers["content-type"]
        clock.moves_by(days=91)
        before = world.rows_of(customer)
        for answer in (PaymentPage(link).get(), PaymentPage(link).press_pay()):
            assert answer.status_code in (403, 410)
            assert "expired" in answer.text.lower()
        assert world.rows_of(customer) == before


def _input_names(page: str) -> set[str]:
    return {part.partition('"')[0] for part in page.split('name="')[1:]}


class TestTheGatewaysMessages:
    """G3, G4: one payment of one declined and one good card; its events in every way that they may come."""

    ISSUED = (("receivable", "debit", 12_100), ("revenue:goods", "credit", 10_000), ("tax:VAT21", "credit", 2_100))
    RECEIVED = (("cash:stripe", "debit", 12_100), ("receivable", "credit", 12_100))

    @pytest.mark.parametrize(
        ("order", "seed"), [("created", 0), ("reversed", 0), ("shuffled", 1), ("shuffled", 2), ("shuffled", 3), ("shuffled", 4)]
    )
    def test_twice_and_in_any_order(self, a_customer: ACustomer, the_gateway: TheGateway, order: str, seed: int) -> None:
        """G3: every order of the events of one payment gives one result."""
        customer = a_customer()
        checkout = customer.is_invoiced().start_checkout()
        the_gateway.holds_deliveries()
        the_gateway.delivers_twice()
        checkout.pays_with("pm_card_chargeDeclined")
        checkout.pays_with("pm_card_visa")
        released = the_gateway.releases_deliveries(order, seed)
        assert len(released) == 2 * len(set(released)) >= 8
        the_gateway.has_delivered_everything()
        checkout.invoice.becomes_paid()
        eventually(lambda: len(checkout.payment.facts["transactions"]) == 2, "both transactions")
        eventually(lambda: len(checkout.payment.facts["gateway_ids"]) == 4, "all ids")
        paid_once(checkout)
        assert the_ledger_of(customer) == [("invoice_issued", "api", self.ISSUED), ("payment_received", "gateway", self.RECEIVED)]
        assert checkout.payment.facts["failure"] is None

    def test_what_was_lost_is_delivered_again(self, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """G3 missing events"""
        checkout = a_customer().is_invoiced().start_checkout()
        the_gateway.loses_deliveries(50)
        checkout.pays_with("pm_card_visa")
        the_gateway.behaves()
        the_gateway.has_delivered_everything()
        assert checkout.payment.status == "pending"
        (success,) = [e for e in the_gateway.events_of(checkout.payment_id) if e["type"] == "payment_intent.succeeded"]
        the_gateway.delivers_again(success["id"])
        checkout.invoice.becomes_paid()
        paid_once(checkout)

    def test_an_event_that_was_dealt_with_costs_no_work(
        self, world: World, a_customer: ACustomer, the_gateway: TheGateway
    ) -> None:
        """G3, G4: answered at the door."""
        customer = a_customer()
        checkout = customer.is_invoiced().pays_by_card()
        checkout.invoice.becomes_paid()
        the_gateway.has_delivered_everything()
        eventually(lambda: len(checkout.payment.facts["gateway_ids"]) == 3, "all events being dealt with")
        before = world.rows_of(customer)
        for event in the_gateway.events_of(checkout.payment_id):
            if event["type"] == "payment_intent.succeeded":
                answer = world.posts_webhook(event)
                assert (answer.status, answer.json) == (200, {"status": "known"})
        assert world.rows_of(customer) == before

    def test_an_event_that_the_ledger_cannot_take_is_kept_and_replayed(
        self, world: World, a_customer: ACustomer, the_gateway: TheGateway
    ) -> None:
        """G4: retried, then kept where an operator sees it, who replays it."""
        queue, kept = world.queue("GatewayEventsUrl"), world.queue("GatewayEventDeadLettersUrl")
        checkout = a_customer().is_invoiced().start_checkout()
        kept.is_emptied()
        with queue.impatient(), world.without(f"A#{checkout.invoice.customer.id}", f"P#{checkout.payment_id}"):
            checkout.pays_with("pm_card_visa")
            the_gateway.has_delivered_everything()
            waiting = [json.loads(body) for body in kept.receives()]
            while "payment_intent.succeeded" not in {event["type"] for event in waiting}:
                waiting += [json.loads(body) for body in kept.receives()]
        assert checkout.payment.status == "pending"
        for event in waiting:
            queue.put(json.dumps(event))
        checkout.invoice.becomes_paid()
        paid_once(checkout)


class TestMoneyIsNeverLostNorTakenTwice:
    def test_a_success_after_the_invoice_was_paid_by_bank_becomes_credit(
        self, a_customer: ACustomer, the_gateway: TheGateway
    ) -> None:
        """P4: a late success becomes unapplied credit."""
        customer = a_customer()
        invoice = customer.is_invoiced()
        checkout = invoice.start_checkout()
        the_gateway.holds_deliveries()
        checkout.pays_with("pm_card_visa")
        customer.pays_by_bank(invoice.total_minor, {invoice: invoice.total_minor})
        assert invoice.status == "paid"
        the_gateway.releases_deliveries()
        payment = eventually(lambda: (found := checkout.payment).status == "succeeded" and found, "the card payment")
        assert (payment.unapplied_minor, payment.facts["allocations"]) == (12_100, [])
        assert (customer.balance(), customer.balance("credit"), customer.balance("receivable")) == (-12_100, 12_100, 0)
        customer.proves()

    def test_two_tabs_lead_to_one_session(self, world: World, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """P4: an attempt under way is the only one."""
        customer = a_customer()
        invoice = customer.is_invoiced()
        answers = at_once(*[invoice.ask_for_checkout] * 4)
        answers += [invoice.ask_for_checkout()]
        assert {answer.status for answer in answers} == {201}, [answer.text for answer in answers]
        assert len({answer.json["checkout_url"] for answer in answers}) == 1
        (payment,) = customer.payments
        assert len(the_gateway.sessions_of(payment.id, world.keys.api_key)) == 1

    def test_a_part_paid_meanwhile_makes_a_new_attempt_and_the_old_page_takes_no_more_money(self, a_customer: ACustomer) -> None:
        """P4: one invoice is never paid on two pages."""
        customer = a_customer()
        invoice = customer.is_invoiced()
        old = invoice.start_checkout()
        customer.pays_by_bank(2_100, {invoice: 2_100})
        new = invoice.start_checkout()
        assert new.payment_id != old.payment_id
        assert new.payment.facts["amount_minor"] == 10_000
        assert old.payment.status == "canceled"
        with pytest.raises(httpx.HTTPStatusError):
            old.pays_with()
        new.pays_with()
        invoice.becomes_paid()
        assert customer.balance() == 0
        customer.proves()

    @pytest.mark.parametrize(
        "fault", ["reset_before", "reset_after", "server_error", "server_error_after", "rate_limit", "key_in_use"]
    )
    def test_the_gateway_fails_and_asking_again_works(
        self, world: World, a_customer: ACustomer, the_gateway: TheGateway, fault: str
    ) -> None:
        """P4: the attempt is stored before the gateway is called; whatever it answers, the customer can pay once."""
        customer = a_customer()
        invoice = customer.is_invoiced()
        the_gateway.fails(fault, next_requests=3)
        refused = invoice.ask_for_checkout()
        assert (refused.status, refused.code) == (503, "gateway_failed" if fault.startswith("server") else "gateway_unavailable")
        assert refused.headers["retry-after"]
        assert [payment.facts["entries"] for payment in customer.payments] == [[]]
        the_gateway.behaves()
        checkout = invoice.start_checkout()
        assert checkout.pays_with() == "succeeded"
        invoice.becomes_paid()
        paid_once(checkout)
        assert invoice.ask_for_checkout().code == "invoice_settled"

    def test_the_page_says_so_when_the_gateway_is_down_and_the_next_press_works(
        self, a_customer: ACustomer, link_of: Callable[[Invoice], str], the_gateway: TheGateway
    ) -> None:
        """P4, V1"""
        page = PaymentPage(link_of(a_customer().is_invoiced()))
        the_gateway.fails("reset_before", next_requests=3)
        down = page.press_pay()
        assert down.status_code == 503
        assert "text/html" in down.headers["content-type"]
        the_gateway.behaves()
        assert page.press_pay().status_code == 303

    def test_a_hiccup_is_not_even_noticed(self, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """P4: retried with the same key."""
        the_gateway.fails("reset_after", next_requests=1)
        checkout = a_customer().is_invoiced().pays_by_card()
        checkout.invoice.becomes_paid()
        paid_once(checkout)

    @pytest.mark.parametrize("told", [True, False], ids=["the gateway says so", "nobody says so"])
    def test_an_expired_session_gives_way_to_a_new_attempt(
        self, a_customer: ACustomer, clock: Clock, the_gateway: TheGateway, told: bool
    ) -> None:
        """P4"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        old = invoice.start_checkout()
        if not told:
            the_gateway.loses_deliveries(200)
        clock.moves_by(days=2)
        the_gateway.behaves()
        if told:
            eventually(lambda: old.payment.status == "canceled", "the expiry")
        new = invoice.start_checkout()
        assert new.payment_id != old.payment_id
        new.pays_with()
        invoice.becomes_paid()
        paid_once(new)

    def test_a_bank_asks_for_authentication_first(self, a_customer: ACustomer, the_gateway: TheGateway) -> None:
        """P3: 3-D Secure, failed and then passed."""
        checkout = a_customer().is_invoiced().start_checkout()
        assert checkout.pays_with("pm_card_authenticationRequired") == "requires_action"
        found = the_gateway.sessions_of(checkout.payment_id, checkout.invoice.customer.world.keys.api_key)[0]
        the_gateway.control(f"payment_intents/{found['payment_intent']}/authenticate", {"succeeds": False})
        eventually(lambda: checkout.payment.status == "failed", "the failure")
        assert checkout.pays_with("pm_card_authenticationRequired") == "requires_action"
        the_gateway.control(f"payment_intents/{found['payment_intent']}/authenticate", {"succeeds": True})
        checkout.invoice.becomes_paid()
        paid_once(checkout)

    def test_a_term_without_cards_is_enforced_at_the_checkout(
        self, world: World, firm: Firm, a_customer: ACustomer, mailbox: Mailbox
    ) -> None:
        """T3: when the payment is made, and not only in a form."""
        firm.switches_on("send_invoices")
        customer = a_customer()
        invoice = customer.is_invoiced(term="bank_only")
        (mail,) = mailbox.awaits(customer, "invoice_issued")
        assert "/pay/" not in mail.text
        page = PaymentPage(world.signed_link(invoice))
        assert "<button" not in page.get().text
        before = world.rows_of(customer)
        assert page.press_pay().status_code == 200
        answer = invoice.ask_for_checkout()
        assert (answer.status, answer.code) == (409, "method_not_allowed")
        assert answer.json["allowed_methods"] == ["bank_transfer"]
        assert world.rows_of(customer) == before


def test_every_payment_is_known_outside_through_the_bus(world: World, a_customer: ACustomer) -> None:
    """O1, L4: the outbox feeds the bus from the table's stream, with ids and amounts and no names."""
    with world.listens_to_the_bus() as heard:
        customer = a_customer()
        checkout = customer.is_invoiced().start_checkout()
        checkout.pays_with("pm_card_chargeDeclined")
        eventually(lambda: checkout.payment.status == "failed", "the decline")
        checkout.pays_with()
        checkout.invoice.becomes_paid()
        customer.gets_goodwill(500)
        expected = {
            "InvoiceIssued": checkout.invoice.entry_id,
            "PaymentFailed": f"{checkout.payment_id}.failed",
            "PaymentReceived": f"{customer.id}.EUR.2",
            "CreditIssued": f"{customer.id}.EUR.3",
        }
        events = eventually(
            lambda: (found := heard.about(customer.id)) and expected.keys() <= {e["detail-type"] for e in found} and found,
            "all events",
        )
    ids = {event["detail-type"]: event["detail"]["id"] for event in events}
    assert ids == expected
    text = json.dumps(events)
    assert customer.account["name"] not in text
    assert customer.email not in text
    received = next(event["detail"] for event in events if event["detail-type"] == "PaymentReceived")
    assert received["documents"]["invoice"] == [checkout.invoice.id]
