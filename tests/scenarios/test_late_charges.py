"""What paying late costs: a fee and interest with the notice of the second tier, and the rest when the money is there."""

from collections.abc import Callable
from datetime import timedelta

from tests.scenarios.test_saved_methods_and_disputes import agenda_runs
from tests.scenarios.world import Clock, Customer, Dunning, Firm, Mailbox, World, line

LATE_CHARGES = {
    "fee": {"fixed": {"EUR": 4000}},
    "interest": {"rates": [{"since": "2020-01-01", "annual_percent": "10.15"}]},
    "fee_from_tier": 2,
    "interest_from_tier": 2,
}
SALE = line("Server", 100_000, tax_code="ZERO")
"""EUR 1,000.00 without tax."""


def test_D9_a_late_invoice_is_charged_by_tier_2_then_paid_in_parts_and_charged_the_rest_once(
    firm: Firm, a_customer: Callable[..., Customer], clock: Clock, dunning: Dunning, mailbox: Mailbox, world: World
) -> None:
    """D9, D1, I11: overdue, tier 2 charges fee and interest, its notice lists them, a part payment, settled, the rest."""
    firm.switches_on("dunning", "late_charges")
    dunning.policy_is("late", late_charges=LATE_CHARGES)
    firm.forgets_its_settings_in("InvoicingFunction")
    try:
        customer = a_customer(switches={"dunning": True, "late_charges": True}, dunning_policy_id="late")
        invoice = customer.is_invoiced(SALE, term="on_receipt")
        path = f"{invoice.path}/late-charges"
        clock.moves_to(invoice.due_date + timedelta(days=5))
        dunning.runs()
        assert invoice.now()["late_charges"] == [], "tier 1 charges nothing"

        clock.moves_to(invoice.due_date + timedelta(days=14))
        assert world.api.get(path)["charge"]["total_minor"] == 4_389, "a preview: 14 days are EUR 3.89"
        dunning.runs_at_once(2)
        (charge_id,) = invoice.now()["late_charges"]
        charge = world.api.get(f"{customer.path}/invoices/{charge_id}")
        assert (charge["kind"], charge["total_minor"], charge["late_charge"]["invoice_id"]) == ("late_charge", 4_389, invoice.id)
        (mail,) = (mail for mail in mailbox.of(customer) if charge["number"] in mail.text)
        assert invoice.number in mail.text
        assert "EUR 1,043.89" in mail.text
        world.told.update(mail.pay_link.rpartition("/")[2] for mail in mailbox.of(customer))

        clock.moves_to(invoice.due_date + timedelta(days=19))
        customer.pays_by_bank(50_000, {invoice: 50_000})
        clock.moves_to(invoice.due_date + timedelta(days=46))
        rest = world.api.get(path)["charge"]
        assert [(period["days"], period["base_minor"]) for period in rest["periods"]] == [(5, 100_000), (27, 50_000)]
        customer.pays_by_bank(50_000, {invoice: 50_000})
        assert invoice.status == "paid"

        clock.moves_by(days=1)
        for _ in range(2):
            agenda_runs(world)
        charges = [world.api.get(f"{customer.path}/invoices/{each}") for each in invoice.now()["late_charges"]]
        assert [each["total_minor"] for each in charges] == [4_389, 514]
        assert customer.balance("receivable") == 4_389 + 514
        waived = world.api.post(f"{customer.path}/invoices/{charge_id}/void", {"reason": "A good customer"})
        assert waived["status"] == "void"
        dunning.runs()
        assert dunning.notices_of(customer) == ["dunning_tier_2", "dunning_tier_1"], "a charge brings about no notice"
        customer.proves()
    finally:
        firm.is_set_up()
        firm.forgets_its_settings_in("InvoicingFunction")
