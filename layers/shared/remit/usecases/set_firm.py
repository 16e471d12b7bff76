"""Set the firm's profile, taxes, terms and switches."""

from dataclasses import replace

from remit.domain.firm import DUNNING_SWITCHES, DunningChanges, Firm, require_consistent
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, firm_ref


def set_firm(wanted: Firm, books: Books, clock: Clock) -> Firm:
    """Replace the profile by `wanted`; the same again writes nothing. Its version and instants of switching on do not count, nor
    do its mail templates and dunning policies, which have ways of their own.

    What is switched on is on from now, so that nothing is sent for the past (D1). When dunning or reminders are, the next run
    looks at every account. `InvalidError` for a profile that names what it does not have.
    """
    require_consistent(wanted)

    def decide() -> tuple[Changes, Firm]:
        current = books.load(firm_ref()).get(firm_ref())
        now = clock.now()
        before = current.switches if current else {}
        switches = {automation: before.get(automation, now) for automation in wanted.switches}
        changes = current.dunning_changes if current else DunningChanges()
        if DUNNING_SWITCHES & (switches.keys() - before.keys()):
            changes = changes.changed(now)
        firm = replace(
            wanted,
            switches=switches,
            mail_templates=current.mail_templates if current else {},
            dunning_policies=current.dunning_policies if current else {},
            dunning_changes=changes,
            version=current.version if current else 0,
        )
        return ([] if firm == current else [firm]), firm

    return persist(books, decide)
