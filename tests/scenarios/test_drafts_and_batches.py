"""Orders as drafts, what may happen to an invoice afterwards, and many invoices at once."""

from collections.abc import Callable

from tests.scenarios.world import Clock, Customer, World, at_once, line

type ACustomer = Callable[..., Customer]


class TestDrafts:
    def test_a_draft_is_revised_canceled_and_never_billed_twice(self, a_customer: ACustomer, world: World) -> None:
        """I1, A5"""
        customer = a_customer()
        order = customer.orders(line("Lamp", 10_000))
        at = f"{customer.path}/orders/{order.id}"
        revised = world.api.put(at, {"lines": [line("Lamp", 20_000)], "term_id": "net30", "version": 1})
        assert (revised["status"], revised["version"], revised["totals"]["gross_minor"]) == ("draft", 2, 24_200)
        invoice = order.issue_invoice()
        assert invoice.total_minor == 24_200
        refusal = world.api.request("POST", f"{at}/cancellation", {})
        assert (refusal.status, refusal.code, refusal.json["invoice_id"]) == (409, "order_invoiced", invoice.id)
        other = customer.orders(line("Chair", 5_000))
        world.api.post(f"{customer.path}/orders/{other.id}/cancellation", {})
        assert other.ask_for_invoice().code == "order_canceled"
        listed = world.api.get(f"{customer.path}/orders", status="canceled")["orders"]
        assert [each["id"] for each in listed] == [other.id]
        customer.proves()


class TestAfterwards:
    def test_void_write_off_and_recovery(self, a_customer: ACustomer, world: World) -> None:
        """I6, I9"""
        customer = a_customer()
        voided, lost = customer.is_invoiced(), customer.is_invoiced()
        world.api.post(f"{voided.path}/void", {"reason": "Wrong customer"})
        assert (voided.status, voided.open_minor) == ("void", 0)
        world.api.post(f"{lost.path}/write-off", {"reason": "Insolvent"})
        assert lost.status == "uncollectible"
        customer.pays_by_bank(12_100, {lost: 12_100})
        assert lost.status == "paid"
        assert customer.balance() == 0
        customer.proves()

    def test_a_due_date_is_moved_and_stands_in_the_timeline(self, a_customer: ACustomer, world: World, clock: Clock) -> None:
        """P6, I8"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        old = invoice.due_date.isoformat()
        moved = world.api.post(f"{invoice.path}/postponements", {"due_date": "2098-01-31", "reason": "Agreed"})
        assert moved["postponements"][0]["old_due_date"] == old
        timeline = world.api.get(f"{invoice.path}/timeline")
        assert [event["what"] for event in timeline["past"] if event["kind"] == "entry"] == ["invoice_issued", "due_date_moved"]
        assert [(event["on"], event["amount_minor"]) for event in timeline["future"]] == [("2098-01-31", 12_100)]
        customer.proves()


class TestBatches:
    def test_batches_at_once_with_single_invoices_leave_no_gap(self, a_customer: ACustomer, world: World) -> None:
        """I2, I3: two batches, the same one twice, and single invoices, all at the same moment."""
        customers = [a_customer() for _ in range(4)]
        orders = [customer.orders() for customer in customers for _ in range(3)]
        wanted = [{"account_id": order.facts["account_id"], "order_id": order.id} for order in orders]

        def send(part: list[dict[str, str]], key: str) -> Callable[[], object]:
            return lambda: world.api.request("POST", "/invoice-batches", {"orders": part}, key=f"{key}-{orders[0].id}")

        at_once(
            send(wanted[:5], "first"),
            send(wanted[:5], "first"),
            send(wanted[5:], "second"),
            *(o.ask_for_invoice for o in orders[:2]),
        )
        again = world.api.request("POST", "/invoice-batches", {"orders": wanted[:5]}, key=f"first-{orders[0].id}")
        assert (again.status, again.replayed) == (201, True)
        assert all(each["number"] for each in again.json["lines"])
        proof = world.api.get(f"/number-series/{again.json['series']}")
        assert (proof["gaps"], proof["pending"]) == ([], 0)
        for customer in customers:
            assert customer.balance("receivable") > 0
            customer.proves()
