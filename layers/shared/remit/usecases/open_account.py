"""Open a customer's account (A1)."""

from dataclasses import dataclass, replace
from typing import Any

from remit.domain.accounts import Account, AccountChange
from remit.domain.firm import Firm
from remit.domain.money import exponent
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Ids


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What the caller chose, by the field names of `Account`; the rest takes the firm's and the product's defaults."""

    fields: dict[str, Any]


def open_account(wish: NewAccount, request: Request[Account], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Create the account and the first line of its history.

    `InvalidError` for a currency or payment term that does not exist.
    """
    now = clock.now()
    account_id = ids.new("acc")

    def decide(consistent: bool) -> tuple[Changes, Account]:
        chosen = {"default_currency": firm.default_currency} | wish.fields
        exponent(chosen["default_currency"])
        if chosen.get("default_term_id"):
            firm.term(chosen["default_term_id"])
        account = Account(id=account_id, created_at=now, **chosen)
        account = replace(account, send_invoices_since=now, dunning_since=now)
        history = AccountChange(account_id, 1, now, request.actor, before={}, after=wish.fields)
        return [account, history], account

    return once(books, request, now, decide)
