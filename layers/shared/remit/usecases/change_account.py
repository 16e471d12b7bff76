"""Change a customer's account, keeping its history (A1)."""

from typing import Any

from remit.domain.accounts import Account, AccountChange, change
from remit.domain.actor import Actor
from remit.domain.errors import ConflictError
from remit.domain.firm import Firm
from remit.domain.money import exponent
from remit.usecases.idempotency import ATTEMPTS, pause
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Clock, account_ref


def change_account(account_id: str, changes: dict[str, Any], actor: Actor, firm: Firm, books: Books, clock: Clock) -> Account:
    """Set the fields named in `changes`; setting what is already so writes nothing, so a repeat is harmless.

    `NotFoundError` for an unknown account, `InvalidError` for a currency or term that does not exist.
    """
    if "default_currency" in changes:
        exponent(changes["default_currency"])
    if changes.get("default_term_id"):
        firm.term(changes["default_term_id"])
    for attempt in range(ATTEMPTS):
        account = need_account(books.load(account_ref(account_id)), account_id)
        now = clock.now()
        changed, before = change(account, changes, now)
        if not before:
            return account
        after = {name: getattr(changed, name) for name in before}
        try:
            books.commit([changed, AccountChange(account_id, changed.version + 1, now, actor, before, after)])
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
            pause(attempt)
        else:
            return changed
    raise AssertionError("unreachable: the last attempt returns or raises")
