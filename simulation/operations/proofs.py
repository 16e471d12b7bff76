"""Proofs that anybody may ask for."""

from typing import Any

from remit.domain.figures import Figure
from remit.usecases.explain_balance import explain_balance
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.replay_account import replay_account
from simulation.model import Customer
from simulation.operations.table import expect, operation
from simulation.world import SCHEDULE, Attempt, World


@operation("replay an account", 1)
def replays_account(world: World) -> Attempt | None:
    customer = world.customer()
    return replay_of(world, customer) if customer else None


def replay_of(world: World, customer: Customer) -> Attempt:
    def note(replay: Any) -> None:
        expect("replay is identical", not replay.differences, f"{customer.id}: {replay.differences}")

    return Attempt(
        says=f"replay {customer.id}",
        call=lambda _request: replay_account(customer.id, world.books),
        note=note,
        by=SCHEDULE,
        kind=None,
    )


@operation("explain a figure", 1)
def explains_figure(world: World) -> Attempt | None:
    """As of now or of any day in the past, against our own sum of the entries."""
    customer = world.customer()
    subledger = world.pick(list(customer.subledgers.values())) if customer else None
    if customer is None or subledger is None:
        return None
    figure = world.random.choice((Figure.RECEIVABLE, Figure.CREDIT))
    days = [day for day, _ in subledger.moves]
    as_of = world.random.choice([None, *days])

    def note(explanation: Any) -> None:
        expected = sum(moved.get(figure.value, 0) for day, moved in subledger.moves if as_of is None or day <= as_of)
        told = explanation.amount_minor
        expect("a figure is the sum of its entries", told == expected, f"{figure} of {customer.id} is {told}, not {expected}")

    return Attempt(
        says=f"explain the {figure} of {customer.id} in {subledger.currency} as of {as_of or 'now'}",
        call=lambda _request: explain_balance(customer.id, subledger.currency, figure, world.books, as_of=as_of),
        note=note,
        kind=None,
    )


@operation("prove a number series", 1)
def proves_numbers(world: World) -> Attempt | None:
    name = world.pick(list(world.model.series))
    return proof_of(world, name) if name else None


def proof_of(world: World, name: str) -> Attempt:
    """Also while the listing is behind the counter: that is no gap."""

    def note(proof: Any) -> None:
        expect("numbers are gapless", not proof.gaps, f"{name}: {proof.gaps}")

    return Attempt(
        says=f"prove {name}",
        call=lambda _request: prove_numbers(name, world.books, world.books),
        note=note,
        by=SCHEDULE,
        kind=None,
    )
