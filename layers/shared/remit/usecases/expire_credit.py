"""Take back what of a credit was not used in time (C7)."""

from remit.domain import posting_rules
from remit.domain.actor import Actor, Channel
from remit.domain.credits import Credit
from remit.domain.firm import Firm
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import persist
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, balance_ref, credit_ref

EXPIRY = Actor("credit-expiry", Channel.SCHEDULE)


def expire_credit(account_id: str, credit_id: str, firm: Firm, books: Books, clock: Clock) -> Credit:
    """Post the expiry of what is left of the credit; the credit as it is then.

    One that may still be used, or has nothing left, is left alone, so calling this twice is harmless.
    """

    def decide() -> tuple[Changes, Credit]:
        now = clock.now()
        today = firm.today(now)
        credit = need(books.load(credit_ref(account_id, credit_id)), credit_ref(account_id, credit_id))
        if not credit.has_expired(today) or credit.open_minor == 0:
            return [], credit
        loaded = books.load(balance_ref(account_id, credit.currency))
        why = Circumstances(today, now, EXPIRY, f"Could be used until {credit.expires_on}")
        operation = Operation(balance_or_new(loaded, account_id, credit.currency), why)
        operation.hold(credit)
        operation.change(credit.expire())
        operation.post_plain(posting_rules.credit_expired, credit, credit.open_minor)
        return operation.changes(), operation.get(Credit, credit_id)

    return persist(books, decide)
