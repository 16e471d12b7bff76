"""What an `Office` does about what is paid late: one line a deed."""

from datetime import date
from decimal import Decimal
from typing import Any

from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy
from remit.domain.firm import STANDARD_POLICY
from remit.domain.invoices import Invoice
from remit.domain.late_charges import InterestRule, LateCharge, LateChargeRules, LateFee, Rate
from remit.domain.open_items import OpenItem
from remit.domain.orders import OrderKind
from remit.domain.payments import Payment
from remit.usecases.charge_late import charge_late_by_hand, charge_paid_late, preview_late_charge
from remit.usecases.idempotency import Answer
from remit.usecases.ports import AgendaKind
from remit.usecases.reverse_payment import Reversal, reverse_payment
from tests.support.builders import LONG_AGO, Office, firm, line

FORTY = LateFee({"EUR": 4000})
TEN_FIFTEEN = InterestRule((Rate(date(2020, 1, 1), Decimal("10.15")),))
BOTH = LateChargeRules(FORTY, TEN_FIFTEEN, fee_from_tier=2, interest_from_tier=2)


def charging(rules: LateChargeRules = BOTH, **changes: Any) -> Office:
    """The office of a firm that duns, and charges by these rules."""
    switches = {Automation.DUNNING: LONG_AGO, Automation.LATE_CHARGES: LONG_AGO} | changes.pop("switches", {})
    policies = {STANDARD_POLICY: DunningPolicy(late_charges=rules)}
    return Office(firm=firm(switches=switches, dunning_policies=policies, **changes))


def bill(office: Office, account_id: str, minor: int = 100_000, currency: str = "EUR", term: str = "on_receipt") -> str:
    """An invoice of exactly so much, without tax."""
    order_id = office.place_order(account_id, line(minor, "ZERO"), term=term, currency=currency)
    return str(office.issue(account_id, order_id).body["invoice"]["id"])


def by_hand(office: Office, account_id: str, invoice_id: str, through: date | None = None, key: str | None = None) -> Answer:
    ask = office.request(key, [invoice_id, str(through)])
    return charge_late_by_hand(account_id, invoice_id, through, ask, office.firm, office.books, office.clock)


def preview(office: Office, account_id: str, invoice_id: str, through: date | None = None) -> LateCharge:
    return preview_late_charge(account_id, invoice_id, through, office.firm, office.books, office.clock)[0]


def run_agenda(office: Office) -> list[str]:
    """Charge the rest of what was paid late, as the schedule does; the charges."""
    today = office.firm.today(office.clock.now()).isoformat()
    due, _ = office.books.due(AgendaKind.LATE_INTEREST, today, None, 10**6)
    found = [charge_paid_late(each.account_id, each.id, office.firm, office.books, office.clock) for each in due]
    return [invoice_id for invoice_id in found if invoice_id]


def waits(office: Office) -> list[str]:
    """The invoices that the agenda will look at for interest."""
    return [due.id for due in office.books.due(AgendaKind.LATE_INTEREST, "9999", None, 10**6)[0]]


def charges(office: Office, account_id: str) -> list[Invoice]:
    """Every late charge of the account, in the order of their numbers."""
    items, _ = office.books.newest(OpenItem, account_id, None, 10**6)
    made = [office.document(account_id, item.invoice_id) for item in items if item.kind is OrderKind.LATE_CHARGE]
    return sorted(made, key=lambda invoice: invoice.number)


def amounts(office: Office, account_id: str) -> list[tuple[int, int]]:
    """Interest and fee of each charge."""
    made = [invoice.late_charge for invoice in charges(office, account_id)]
    return [(charge.interest_minor, charge.fee_minor) for charge in made if charge]


def bounces(office: Office, account_id: str, payment_id: str, on: date) -> Answer:
    ask = office.request(None, payment_id)
    return reverse_payment(Reversal(account_id, payment_id, on, "bounced"), ask, office.firm, office.books, office.clock)


def unapplied(office: Office, account_id: str) -> int:
    """Σ of what payments have unapplied."""
    payments, _ = office.books.newest(Payment, account_id, None, 10**6)
    return sum(payment.unapplied_minor for payment in payments)
