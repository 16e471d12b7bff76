"""Late fees and interest, beside those that a notice of dunning brings: the rest of what was paid late, and charges by hand."""

from datetime import date, timedelta
from decimal import Decimal

from remit.domain.late_charges import DayCount, InterestRule, LateChargeRules, LateFee, Rate
from remit.domain.open_items import OpenItem
from remit.usecases.charge_late import charge_late_by_hand, charge_paid_late
from remit.usecases.ports import AgendaKind
from simulation.operations.gateway import due_now
from simulation.operations.invoices import chosen_item
from simulation.operations.table import operation
from simulation.world import SCHEDULE, Attempt, World

_RATES = (
    Rate(date(2027, 7, 1), Decimal("10.15")),
    Rate(date(2028, 1, 1), Decimal("10.4")),
    Rate(date(2028, 7, 1), Decimal("9.9")),
)
_FIXED, _SHARE = LateFee({"EUR": 4_000, "USD": 4_500, "JPY": 6_000}), LateFee(percent=Decimal("1.5"), minimum={"EUR": 500})
RULES = (
    None,
    LateChargeRules(_FIXED, InterestRule(_RATES)),
    LateChargeRules(_SHARE, InterestRule(_RATES, DayCount.ACTUAL_360), fee_from_tier=2),
    LateChargeRules(None, InterestRule(_RATES, DayCount.ACTUAL_ACTUAL, grace_days=5), interest_from_tier=2),
    LateChargeRules(_FIXED),
)
"""What a dunning policy may charge, of two tiers."""


@operation("charge the rest of the interest", 6)
def charges_rest(world: World) -> Attempt | None:
    found = due_now(world, AgendaKind.LATE_INTEREST)
    if found is None:
        return None
    customer, invoice_id = found
    return Attempt(
        says=f"charge {customer.id} the rest of the interest on {invoice_id}",
        call=lambda _request: charge_paid_late(customer.id, invoice_id, world.firm, world.books, world.clock),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


def _late(world: World, item: OpenItem) -> bool:
    return item.can_be_charged_late and item.is_overdue(world.today)


@operation("charge a late invoice by hand", 3)
def charges_by_hand(world: World) -> Attempt | None:
    found = chosen_item(world, lambda item: _late(world, item))
    if found is None:
        return None
    (customer, item), firm = found, world.firm
    through = world.random.choice((None, None, world.today, world.today - timedelta(days=3)))
    return Attempt(
        says=f"charge {customer.id} for being late with {item.number}, through {through or 'today'}",
        call=lambda request: charge_late_by_hand(customer.id, item.invoice_id, through, request, firm, world.books, world.clock),
        body=[item.invoice_id, str(through)],
        may_refuse=frozenset(
            {
                "late_charges_off",
                "not_chargeable",
                "invoice_disputed",
                "dunning_paused",
                "nothing_to_charge",
                "through_in_future",
            }
        ),
    )
