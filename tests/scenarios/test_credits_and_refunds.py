"""Credits, credit notes, canceled purchases and money given back, as the firm's people do it."""

from collections.abc import Callable
from typing import Any

from tests.scenarios.world import Answer, Customer, Firm, Invoice, TheGateway, World, at_once, eventually, line

type ACustomer = Callable[..., Customer]


def ask(customer: Customer, path: str, body: Any) -> Answer:
    return customer.world.api.request("POST", f"{customer.path}/{path}", body)


def does(customer: Customer, path: str, body: Any) -> Any:
    answer = ask(customer, path, body)
    assert answer.status == 201, answer.text
    return answer.json


def pays_with_credit(customer: Customer, credit_id: str, invoice: Invoice, amount_minor: int) -> Answer:
    allocations = [{"invoice_id": invoice.id, "amount_minor": amount_minor}]
    return ask(customer, f"credits/{credit_id}/allocations", {"currency": "EUR", "allocations": allocations})


def cancels(customer: Customer, invoice: Invoice, refund: Any = "suggested", items: Any = "all", **more: Any) -> Any:
    body = {"items": items, "refund": refund, "reason": "Changed their mind"} | more
    return does(customer, f"invoices/{invoice.id}/cancellation", body)


def card_paid(customer: Customer) -> tuple[Invoice, Any]:
    checkout = customer.is_invoiced().pays_by_card()
    checkout.invoice.becomes_paid()
    return checkout.invoice, checkout


class TestCredits:
    def test_goodwill_pays_a_later_order_when_chosen(self, a_customer: ACustomer, world: World) -> None:
        """C1, C3, C5"""
        customer = a_customer()
        before = customer.is_invoiced()
        credit = customer.gets_goodwill(5_000)
        refused = pays_with_credit(customer, credit["id"], before, 5_000)
        assert (refused.status, refused.code) == (409, "credit_not_for_this_invoice")
        after = customer.is_invoiced()
        assert after.open_minor == 12_100
        assert pays_with_credit(customer, credit["id"], after, 5_000).json["open_minor"] == 0
        assert after.open_minor == 7_100
        assert world.api.get(f"{customer.path}/credits", open="true")["credits"] == []
        assert len(world.api.get(f"{customer.path}/credits", open="false", kind="goodwill")["credits"]) == 1
        customer.proves()

    def test_a_credit_is_never_canceled_but_reversed_by_an_invoice(self, a_customer: ACustomer, world: World) -> None:
        """C4"""
        customer = a_customer()
        credit = customer.gets_goodwill(1_210, "included", "VAT21")
        refused = world.api.request("DELETE", f"{customer.path}/credits/{credit['id']}")
        assert (refused.status, refused.code) == (409, "credit_not_cancelable")
        invoice = does(customer, f"credits/{credit['id']}/reversal", {"note": "Given to the wrong customer"})
        assert (invoice["totals"]["gross_minor"], invoice["totals"]["tax_minor"]) == (1_210, 210)
        assert world.api.get(f"{customer.path}/credits/{credit['id']}")["reversed_by"] == invoice["id"]
        assert customer.balance() == 0
        again = ask(customer, f"credits/{credit['id']}/reversal", {"note": "Twice"})
        assert (again.status, again.code) == (409, "credit_reversed")
        customer.proves()


class TestCreditNotes:
    def test_a_return_lowers_its_invoice_and_no_line_goes_below_zero(self, a_customer: ACustomer, world: World) -> None:
        """C1, C6"""
        customer = a_customer()
        invoice = customer.is_invoiced(line("Desk lamp", 10_000), line("Bulb", 1_000))
        body = {"lines": [{"line": 2}], "reason": "Broken bulb", "rma": "RMA-2026-9"}
        note = does(customer, f"invoices/{invoice.id}/credit-notes", body)
        assert (note["number"][:3], note["gross_minor"], note["applied_minor"]) == ("CN-", 1_210, 1_210)
        assert (note["invoice_number"], note["credit"]["open_minor"]) == (invoice.number, 0)
        assert invoice.open_minor == 12_100
        again = ask(customer, f"invoices/{invoice.id}/credit-notes", body)
        assert (again.status, again.code, again.json["creditable_minor"]) == (409, "credit_exceeds_line", 0)
        listed = world.api.get(f"{customer.path}/credit-notes", rma="RMA-2026-9")["credit_notes"]
        assert [each["id"] for each in listed] == [note["id"]]
        assert world.api.get(f"{customer.path}/credit-notes", rma="another")["credit_notes"] == []
        assert world.api.get(f"/number-series/{note['number'][:-7]}")["gaps"] == []
        customer.proves()


class TestCancelingAPurchase:
    def test_the_credit_goes_back_the_way_the_money_came(self, a_customer: ACustomer) -> None:
        """R3, R1"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        customer.pays_by_bank(12_100, {invoice: 12_100})
        done = cancels(customer, invoice)
        (refund,) = done["refunds"]
        assert (refund["amount_minor"], refund["method"], refund["status"]) == (12_100, "bank_transfer", "succeeded")
        assert (customer.balance(), invoice.open_minor, done["credit"]["open_minor"]) == (0, 0, 0)
        customer.proves()

    def test_a_card_refund_waits_and_is_called_off_on_its_day(self, a_customer: ACustomer) -> None:
        """R3, R7"""
        customer = a_customer()
        invoice, _ = card_paid(customer)
        (refund,) = cancels(customer, invoice)["refunds"]
        assert (refund["status"], refund["method"]) == ("on_hold", "card")
        called_off = does(customer, f"refunds/{refund['id']}/cancellation", {})
        assert called_off["status"] == "canceled"
        assert customer.balance() == -12_100
        too_late = ask(customer, f"refunds/{refund['id']}/cancellation", {})
        assert (too_late.status, too_late.code) == (409, "refund_not_cancelable")
        customer.proves()

    def test_the_credit_moves_on_to_another_purchase(self, a_customer: ACustomer) -> None:
        """R9"""
        customer = a_customer()
        old = customer.is_invoiced()
        customer.pays_by_bank(12_100, {old: 12_100})
        new = customer.is_invoiced(line("Chair", 20_000))
        done = cancels(customer, old, "none", transfer_to=new.id)
        assert (done["transferred_to"]["open_minor"], done["refunds"]) == (12_100, [])
        assert (new.open_minor, customer.balance()) == (12_100, 12_100)
        customer.proves()

    def test_more_than_was_paid_is_refused_with_what_is_refundable(self, a_customer: ACustomer, world: World) -> None:
        """R2, R3"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        customer.pays_by_bank(5_000, {invoice: 5_000})
        before = world.rows_of(customer)
        body = {"items": "all", "refund": 5_001, "reason": "x"}
        refused = ask(customer, f"invoices/{invoice.id}/cancellation", body)
        assert (refused.status, refused.code) == (409, "refund_exceeds_refundable")
        assert refused.json["refundable_minor"] == 5_000
        assert world.rows_of(customer) == before


class TestRefunds:
    def test_a_receipt_is_refunded_and_its_invoice_asks_again(self, a_customer: ACustomer) -> None:
        """R8, R2 under a race"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        payment = customer.pays_by_bank(12_100, {invoice: 12_100})
        body = {"amount_minor": 5_000, "reason": "Complaint"}
        answers = at_once(*[lambda: ask(customer, f"payments/{payment.id}/refunds", body)] * 4)
        assert sorted(answer.status for answer in answers) == [201, 201, 409, 409]
        refused = next(answer for answer in answers if answer.status == 409)
        assert (refused.code, refused.json["refundable_minor"]) == ("refund_exceeds_captured", 2_100)
        assert (invoice.open_minor, invoice.status) == (10_000, "part_paid")
        customer.proves()

    def test_available_credit_is_paid_out_but_never_to_a_card_nor_at_zero(self, a_customer: ACustomer) -> None:
        """R4, R5, C1"""
        customer = a_customer()
        body = {"amount_minor": 100, "currency": "EUR", "method": "bank_transfer", "reason": "Asked for it"}
        nothing = ask(customer, "refunds", body)
        assert (nothing.status, nothing.code, nothing.json["refundable_minor"]) == (409, "no_available_credit", 0)
        customer.pays_by_bank(100)
        to_card = ask(customer, "refunds", body | {"method": "card"})
        assert (to_card.status, to_card.code) == (409, "method_not_allowed")
        assert does(customer, "refunds", body)["status"] == "succeeded"
        customer.gets_goodwill(100)
        goodwill = ask(customer, "refunds", body)
        assert (goodwill.status, goodwill.code, goodwill.json["refundable_minor"]) == (409, "refund_exceeds_credit", 0)
        customer.proves()

    def test_a_large_refund_waits_for_a_second_person(self, a_customer: ACustomer, world: World, firm: Firm) -> None:
        """R10"""
        firm.is_set_up(money={"refund_limits": {"EUR": 10_000}})
        firm.forgets_its_settings_in("RefundsFunction")
        customer = a_customer()
        customer.pays_by_bank(20_000)
        body = {"amount_minor": 10_001, "currency": "EUR", "method": "bank_transfer", "reason": "Asked for it"}
        refund = does(customer, "refunds", body)
        assert refund["status"] == "awaiting_approval"
        path = f"{customer.path}/refunds/{refund['id']}/approval"
        alone = world.api.request("POST", path, {})
        assert (alone.status, alone.code) == (409, "second_person_required")
        approved = world.second_person.post(path, {})
        assert (approved["status"], approved["approved_by"]["id"]) == ("succeeded", world.stack.outputs["ApproverClientId"])
        assert world.second_person.request("POST", f"{customer.path}/refunds", body).status == 403
        assert customer.balance() == -9_999
        firm.is_set_up()
        firm.forgets_its_settings_in("RefundsFunction")
        customer.proves()

    def test_a_processed_refund_is_asked_back_by_an_invoice(self, a_customer: ACustomer) -> None:
        """R7"""
        customer = a_customer()
        customer.pays_by_bank(3_000)
        body = {"amount_minor": 3_000, "currency": "EUR", "method": "cash", "reason": "Asked for it"}
        refund = does(customer, "refunds", body)
        invoice = does(customer, f"refunds/{refund['id']}/reversal", {"note": "Paid to the wrong person"})
        assert (invoice["totals"]["gross_minor"], invoice["totals"]["tax_minor"]) == (3_000, 0)
        assert (customer.balance("receivable"), customer.balance("credit")) == (3_000, 3_000)
        credit = customer.gets_goodwill(3_000)
        refused = pays_with_credit(customer, credit["id"], Invoice(customer, invoice), 3_000)
        assert (refused.status, refused.code) == (409, "invoice_needs_money")
        customer.proves()

    def test_what_is_refunded_in_the_gateways_dashboard_is_booked(
        self, a_customer: ACustomer, world: World, the_gateway: TheGateway
    ) -> None:
        """R8, G3"""
        customer = a_customer()
        invoice, checkout = card_paid(customer)
        gateway_id = the_gateway.refunds_in_the_dashboard(checkout.session_id, 2_100, world.keys.api_key)
        eventually(lambda: invoice.open_minor == 2_100, "the refund being booked")
        (refund,) = world.api.get(f"{customer.path}/refunds", payment_id=checkout.payment_id)["refunds"]
        assert (refund["gateway_id"], refund["status"], refund["amount_minor"]) == (gateway_id, "succeeded", 2_100)
        the_gateway.control(f"refunds/{gateway_id}/fail")
        eventually(lambda: invoice.open_minor == 0, "the refund coming back")
        customer.proves()
