"""Silence an account's reminders and notices through a day, and let them speak again (D6)."""

from dataclasses import replace
from datetime import date, timedelta

from remit.domain.accounts import Account, AccountChange
from remit.domain.actor import Actor
from remit.domain.dunning import LAST_DAY
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, Journal
from remit.usecases.wake_account import read_to_wake, woken


def pause_dunning(
    account_id: str, until: date, reason: str, actor: Actor, firm: Firm, books: Books, journal: Journal, clock: Clock
) -> Account:
    """Silent through `until`; the day after, one notice at the tier of that day. Another pause replaces the one there is.
    The next run looks at the account, to find its new place in the agenda.

    `NotFoundError` for an unknown account, `RuleError` `pause_out_of_range` for a day that has passed or is years ahead.
    """
    today = firm.today(clock.now())
    latest = today + timedelta(days=LAST_DAY)
    if not today <= until <= latest:
        facts = {"earliest": today.isoformat(), "latest": latest.isoformat()}
        raise RuleError("pause_out_of_range", "A pause lasts through today or a later day, within ten years.", **facts)
    return _set(account_id, until, reason, actor, firm, books, journal, clock)


def end_pause(account_id: str, actor: Actor, firm: Firm, books: Books, journal: Journal, clock: Clock) -> Account:
    """As if there had been no pause: a tier that it kept silent is said by the next run, one said before it is not repeated.
    Without a pause it does nothing. `NotFoundError` for an unknown account.
    """
    return _set(account_id, None, None, actor, firm, books, journal, clock)


def _set(
    account_id: str,
    until: date | None,
    reason: str | None,
    actor: Actor,
    firm: Firm,
    books: Books,
    journal: Journal,
    clock: Clock,
) -> Account:
    def decide() -> tuple[Changes, Account]:
        account, balances = read_to_wake(account_id, journal)
        changed = replace(account, dunning_paused_until=until, dunning_pause_reason=reason)
        if changed == account:
            return [], account
        now = clock.now()
        before, after = ({"dunning_paused_until": each.dunning_paused_until} for each in (account, changed))
        history = AccountChange(account_id, account.version + 1, now, actor, before, after, reason)
        return [changed, history, *woken(balances, firm.today(now))], changed

    return persist(books, decide)
