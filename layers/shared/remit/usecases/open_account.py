"""Open a customer's account (A1)."""

from dataclasses import dataclass, replace
from typing import Any

from remit.domain.accounts import Account, AccountChange, ModeChange, PaymentMode, change
from remit.domain.firm import Firm
from remit.usecases.change_account import require_known
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Ids


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What the caller chose, by the names of an account's settings; the rest takes the firm's and the product's defaults.

    `mode`: how it pays from its first day on (A4)."""

    fields: dict[str, Any]
    mode: PaymentMode = PaymentMode.POSTPAID


def open_account(wish: NewAccount, request: Request[Account], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Create the account and the first line of its history.

    `InvalidError` for a currency or payment term that does not exist.
    """
    now = clock.now()
    account_id = ids.new("acc")

    def decide(consistent: bool) -> tuple[Changes, Account]:
        chosen = {"default_currency": firm.default_currency} | wish.fields
        require_known(chosen, firm)
        needed = {name: chosen.pop(name) for name in ("name", "email", "default_currency")}
        account, _ = change(Account(id=account_id, created_at=now, **needed), chosen, now)
        after = dict(wish.fields)
        if wish.mode is not PaymentMode.POSTPAID:
            account = replace(account, mode_changes=(ModeChange(firm.today(now), wish.mode),))
            after["mode_changes"] = account.mode_changes
        history = AccountChange(account_id, 1, now, request.actor, before={}, after=after)
        return [account, history], account

    return once(books, request, now, decide)
