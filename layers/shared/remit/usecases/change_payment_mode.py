"""Change how an account pays from a day on (A4)."""

from datetime import date

from remit.domain.accounts import Account, AccountChange, ModeChange, PaymentMode
from remit.domain.firm import Firm
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Changes, Clock, account_ref


def change_payment_mode(
    account_id: str,
    mode: PaymentMode,
    effective_on: date | None,
    request: Request[Account],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """The account is in `mode` from the start of `effective_on` on, in the firm's time zone (None: today), and a change
    planned for later is replaced. What is open finishes in the mode in which it was issued.

    `NotFoundError` for an unknown account, `RuleError` `mode_change_in_past` for a day that has passed and
    `mode_already_applies` for what is so anyway.
    """
    now = clock.now()
    today = firm.today(now)

    def decide(consistent: bool) -> tuple[Changes, Account]:
        account = need_account(books.load(account_ref(account_id)), account_id)
        changed = account.change_mode(ModeChange(effective_on or today, mode), today)
        before, after = {"mode_changes": account.mode_changes}, {"mode_changes": changed.mode_changes}
        return [changed, AccountChange(account_id, changed.version + 1, now, request.actor, before, after)], changed

    return once(books, request, now, decide)
