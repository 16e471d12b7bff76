"""The table of everything that anybody does.

An operation is one function from the world to an `Attempt`, or to None when there is nothing to do it with. It chooses
by `world.random` alone, from what `world.model` knows. To add one, write the function under `@operation` in the module of its
kind, with how often it happens and the codes with which Remit may refuse it; crashes, repeats, races and invariants come by
themselves.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

from simulation.world import Attempt, InvariantError, World

type Choose = Callable[[World], Attempt | None]


@dataclass(frozen=True, slots=True)
class Operation:
    """A row: what it is called, how often it is chosen among the others, and how it chooses."""

    name: str
    weight: int
    choose: Choose


OPERATIONS: list[Operation] = []
"""By name, so that a seed is the same run whichever module was imported first."""


def operation(name: str, weight: int) -> Callable[[Choose], Choose]:
    def register(choose: Choose) -> Choose:
        insort(OPERATIONS, Operation(name, weight, choose), key=lambda known: known.name)
        return choose

    return register


CURRENCIES = ("EUR", "EUR", "EUR", "USD", "JPY", "KWD")
PRICES = (1, 99, 1000, 9999, 12345, 250_000)
TAX_CODES = ("VAT21", "VAT21", "VAT9", "ZERO", "REVERSE", "EXEMPT")
TERMS = ("on_receipt", "net30", "no_cards", "net7", "after_sale", "fee", "fee9", "thirds", "thirds", "delivery", "fixed")
EARLY_TERMS = ("early_always", "early_on_early_payment", "early_never")
MAIL_MAY_WAIT = frozenset({"message_being_sent"})


def expect(invariant: str, holds: bool, detail: str) -> None:
    if not holds:
        raise InvariantError(invariant, detail)


def money(amount_minor: int, currency: str) -> str:
    return f"{currency} {amount_minor} minor"
