"""Change a customer's account, keeping its history (A1, A3, A5)."""

from collections.abc import Mapping
from typing import Any

from remit.domain.accounts import Account, AccountChange, change, setting
from remit.domain.actor import Actor
from remit.domain.firm import DUNNING_SWITCHES, Firm
from remit.domain.money import exponent
from remit.usecases.idempotency import persist
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Changes, Clock, Journal, account_ref
from remit.usecases.resume_collection import resume_collection
from remit.usecases.wake_account import read_to_wake, woken


def change_account(
    account_id: str, changes: dict[str, Any], actor: Actor, firm: Firm, books: Books, journal: Journal, clock: Clock
) -> Account:
    """Set the settings named in `changes`; setting what is already so writes nothing, so a repeat is harmless.

    Switching automatic collection on goes on with the invoices that were stopped, one a day, oldest first, and makes up for no
    attempt that was missed (S4); those that are open keep what was said when they were issued. Another dunning policy, or
    dunning or reminders turned on, wake the account: the next run looks at it.

    `NotFoundError` for an unknown account, `InvalidError` for a currency, term or policy that does not exist.
    """
    require_known(changes, firm)

    def decide() -> tuple[Changes, Account]:
        account = need_account(books.load(account_ref(account_id)), account_id)
        now = clock.now()
        changed, before = change(account, changes, now)
        if not before:
            return [], account
        after = {name: setting(changed, name) for name in before}
        wakes = any(_wakes(name, value) for name, value in after.items())
        balances = woken(read_to_wake(account_id, journal)[1], firm.today(now)) if wakes else []
        return [changed, AccountChange(account_id, changed.version + 1, now, actor, before, after), *balances], changed

    changed = persist(books, decide)
    if changes.get("collect_automatically"):
        resume_collection(changed, firm, books, journal, clock, days_apart=1)
    return changed


def _wakes(name: str, value: Any) -> bool:
    return name == "dunning_policy_id" or (name in DUNNING_SWITCHES and value)


def require_known(settings: Mapping[str, Any], firm: Firm) -> None:
    """`InvalidError` for a currency, payment term or dunning policy among the settings that does not exist."""
    currencies = [settings["default_currency"]] if "default_currency" in settings else []
    currencies += settings.get("credit_limits", ())
    if auto_top_up := settings.get("auto_top_up"):
        currencies.append(auto_top_up.currency)
    for currency in currencies:
        exponent(currency)
    if settings.get("default_term_id"):
        firm.term(settings["default_term_id"])
    if settings.get("dunning_policy_id"):
        firm.policy(settings["dunning_policy_id"])
