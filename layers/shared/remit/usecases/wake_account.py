"""Have dunning look at an account in its next run, whatever day its agenda names (D1, D6, D8)."""

from dataclasses import replace
from datetime import date

from remit.domain.accounts import Account
from remit.domain.errors import NotFoundError
from remit.domain.journal import Balance
from remit.usecases.ports import Changes, Journal


def read_to_wake(account_id: str, journal: Journal) -> tuple[Account, list[Balance]]:
    """The account with its balances, consistently; `NotFoundError` if there is none."""
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    return account, list(balances)


def woken(balances: list[Balance], today: date) -> Changes:
    """The balances that have a place in the agenda, today's or an earlier one: written in the transaction of what wakes them, so
    that no change is ever without its look. Written also where they are due already: a run that has read them before the
    change sees by it that it must look again."""
    return [replace(balance, look_again_on=min(balance.look_again_on, today)) for balance in balances if balance.look_again_on]
