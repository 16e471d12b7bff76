"""A customer's promise to pay: dunning is silent about that currency until it is kept or broken (D8)."""

from dataclasses import dataclass, replace
from datetime import date

from remit.domain.accounts import Account, AccountChange
from remit.domain.dunning import Promise, PromiseState, make_promise, promise_state
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.usecases.dunning_situation import find_situation
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Journal
from remit.usecases.wake_account import read_to_wake, woken


@dataclass(frozen=True, slots=True)
class PromiseWish:
    """`amount_minor` of what is overdue in `currency` (None: the account's own), by the end of `by`; `note`: how one knows."""

    account_id: str
    amount_minor: int
    by: date
    currency: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class GivenPromise:
    """A promise with its currency, and what has become of it."""

    currency: str
    promise: Promise
    state: PromiseState


def promise_to_pay(
    wish: PromiseWish, request: Request[GivenPromise], firm: Firm, books: Books, journal: Journal, clock: Clock
) -> Answer:
    """Keep the promise on the account, in place of an earlier one in the same currency, and in its history. The next run looks at
    the account, to find its new place in the agenda.

    `NotFoundError` for an unknown account; `RuleError` for a promise when nothing is overdue, of more than is, or for a day too
    far; `TransientError` while the index of open items is behind.
    """
    now = clock.now()
    today = firm.today(now)

    def decide(consistent: bool) -> tuple[Changes, GivenPromise]:
        account, balances = read_to_wake(wish.account_id, journal)
        currency = wish.currency or account.default_currency
        situation = find_situation(account, balances, firm, journal).situation
        promise = make_promise(situation, currency, wish.amount_minor, wish.by, today)
        changed = replace(account, promises={**account.promises, currency: promise})
        history = _history(account, changed, request, wish.note, clock)
        given = GivenPromise(currency, promise, promise_state(promise, currency, situation, today))
        return [changed, history, *woken(balances, today)], given

    return once(books, request, now, decide)


def withdraw_promise(
    account_id: str, currency: str, note: str | None, request: Request[Account], firm: Firm, books: Books, journal: Journal,
    clock: Clock,
) -> Answer:  # fmt: skip
    """As if it had not been given; the next run looks at the account. `NotFoundError` for an unknown account or no promise."""
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Account]:
        account, balances = read_to_wake(account_id, journal)
        if currency not in account.promises:
            detail = "There is no promise in that currency."
            raise NotFoundError("promise_not_found", detail, currency=currency, promised=sorted(account.promises))
        kept = {each: promise for each, promise in account.promises.items() if each != currency}
        changed = replace(account, promises=kept)
        history = _history(account, changed, request, note, clock)
        return [changed, history, *woken(balances, firm.today(now))], changed

    return once(books, request, now, decide)


def _history[T](account: Account, changed: Account, request: Request[T], note: str | None, clock: Clock) -> AccountChange:
    before, after = {"promises": account.promises}, {"promises": changed.promises}
    return AccountChange(account.id, account.version + 1, clock.now(), request.actor, before, after, note)
