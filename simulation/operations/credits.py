"""Credits that the firm gives, and what becomes of them."""

from datetime import timedelta
from typing import Any

from remit.domain.credits import CreditKind, CreditTerms, TaxOption
from remit.domain.money import Money
from remit.usecases.issue_credit import CreditWish, issue_credit
from simulation.operations.table import PRICES, TAX_CODES, expect, money, operation
from simulation.world import Attempt, World

KINDS = (CreditKind.GOODWILL, CreditKind.GOODWILL, CreditKind.FIRST_PAYMENT, CreditKind.LAST_PAYMENT)


@operation("give a credit", 4)
def gives_credit(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    on = world.random.choice
    option, kind = on(tuple(TaxOption)), on(KINDS)
    code = None if option is TaxOption.WAIVED else on(TAX_CODES)
    amount = Money(on(PRICES), customer.account.default_currency)
    terms = CreditTerms(
        kind,
        "sorry for the delay",
        None if kind is CreditKind.GOODWILL else f"sub_{customer.id}",
        world.today + timedelta(days=on((0, 10, 90))) if world.sometimes(0.3) else None,
        world.sometimes(0.3),
    )
    wish = CreditWish(customer.id, amount, option, terms, code)
    firm = world.firm

    def note(answer: Any) -> None:
        enough = answer.body["gross_minor"] >= amount.amount_minor
        expect("a customer gains what was promised", enough, f"{answer.body} for {amount}, tax {option}")

    return Attempt(
        says=f"give {customer.id} {money(amount.amount_minor, amount.currency)}, {kind}, tax {option}",
        call=lambda request: issue_credit(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        note=note,
        may_refuse=frozenset({"expiry_in_past"}),
    )
