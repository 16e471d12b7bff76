"""Set the firm's profile, taxes, terms, dunning policy and switches."""

from dataclasses import fields, replace
from typing import Any

from remit.domain.firm import Firm, Switches, require_consistent
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, firm_ref


def set_firm(wanted: Firm, books: Books, clock: Clock) -> Firm:
    """Replace the profile by `wanted`, whose version and `*_since` do not count; the same again writes nothing.

    A switch that goes on is stamped with the time, so that nothing is sent for the past (D1). `InvalidError` for a
    profile that names what it does not have.
    """
    require_consistent(wanted)

    def decide() -> tuple[Changes, Firm]:
        current = books.load(firm_ref()).get(firm_ref())
        now = clock.now()
        before = current.switches if current else Switches()
        stamps: dict[str, Any] = {}
        for name in (field.name for field in fields(Switches) if not field.name.endswith("_since")):
            already_on = getattr(before, name) and getattr(wanted.switches, name)
            since = getattr(before, f"{name}_since") if already_on else now
            stamps[f"{name}_since"] = since if getattr(wanted.switches, name) else None
        firm = replace(wanted, switches=replace(wanted.switches, **stamps), version=current.version if current else 0)
        return ([] if firm == current else [firm]), firm

    return persist(books, decide)
