"""Set a dunning policy, keeping every revision of it (D4, D5)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from remit.domain.actor import Actor
from remit.domain.dunning import DunningPolicy, PolicyRevision
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.firm import MAX_POLICIES, Firm, require_firm
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, firm_ref, policy_revision_ref


def set_dunning_policy(
    wanted: DunningPolicy, templates: Collection[str], actor: Actor, books: Books, clock: Clock
) -> DunningPolicy:
    """Put `wanted`, whose revision does not count, into force under its id; the same again writes nothing.

    A revision is never changed. The one in force lies in the firm's profile, so that a run reads nothing more; the next run
    looks at every account once more. `InvalidError` for a letter that is not among `templates`, `RuleError` for one policy
    too many. There is no way to delete a policy: accounts and messages name it.
    """
    named = {tier.template for tier in wanted.tiers} | {reminder.template for reminder in wanted.reminders}
    if unknown := sorted(named - set(templates)):
        known = sorted(templates)
        raise InvalidError("unknown_template", f"There is no letter {unknown[0]!r} to remind with.", unknown=unknown, known=known)

    def decide() -> tuple[Changes, DunningPolicy]:
        firm = require_firm(books.load(firm_ref()).get(firm_ref()))
        current = firm.policies.get(wanted.id)
        if current and replace(wanted, revision=current.revision) == current:
            return [], current
        if current is None and len(firm.policies) >= MAX_POLICIES:
            raise RuleError("too_many_policies", f"A firm has at most {MAX_POLICIES} dunning policies.", most=MAX_POLICIES)
        now = clock.now()
        policy = replace(wanted, revision=current.revision + 1 if current else 1)
        changed = replace(
            firm,
            dunning_policies={**firm.dunning_policies, policy.id: policy},
            dunning_changes=firm.dunning_changes.changed(now),
        )
        return [changed, PolicyRevision(policy, actor, now)], policy

    return persist(books, decide)


@dataclass(frozen=True, slots=True)
class PolicyHistory:
    """Revisions of a policy, newest first, and the number of the next older one."""

    revisions: Sequence[PolicyRevision]
    cursor: str | None


def need_policy(firm: Firm, policy_id: str) -> DunningPolicy:
    """The policy in force; `NotFoundError` if there is none of that id."""
    if policy_id not in firm.policies:
        raise NotFoundError("dunning_policy_not_found", "There is no such dunning policy.", id=policy_id)
    return firm.policies[policy_id]


def policy_history(policy_id: str, firm: Firm, books: Books, cursor: str | None, limit: int) -> PolicyHistory:
    """The revisions from number `cursor` down (None: from the one in force). `NotFoundError` for an unknown policy,
    `InvalidError` for a cursor that no page had."""
    newest = need_policy(firm, policy_id).revision
    if cursor is not None and not (cursor.isdecimal() and int(cursor) <= newest):
        raise InvalidError("bad_cursor", "Pass the cursor that the page before had, or none.")
    last = newest if cursor is None else int(cursor)
    refs = [policy_revision_ref(policy_id, number) for number in range(last, max(0, last - limit), -1)]
    loaded = books.load(*refs) if refs else None
    found = [revision for ref in refs if loaded and (revision := loaded.get(ref))]
    more = last - limit
    return PolicyHistory(found, str(more) if more > 0 else None)
