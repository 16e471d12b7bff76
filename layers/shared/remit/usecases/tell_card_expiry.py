"""Note that the customer is to be told of an expiring card, once (P3, N3)."""

from dataclasses import replace
from datetime import date

from remit.domain.accounts import PaymentSettings, SavedMethod
from remit.domain.actor import Actor, Channel
from remit.domain.firm import Firm
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Clock, account_ref
from remit.usecases.saved_methods import change_settings

AGENDA = Actor("card_expiry", Channel.SCHEDULE)


def tell_card_expiry(account_id: str, firm: Firm, books: Books, clock: Clock) -> SavedMethod | None:
    """The default card whose last month has begun and that is now noted as told of; None when there is none (any more).

    The note on the account is the fact that becomes the event `CardExpiring`: it is written once for each card and expiry. A
    card that was replaced meanwhile is left alone.
    """
    now = clock.now()
    today = firm.today(now)
    before = need_account(books.load(account_ref(account_id)), account_id).payment

    def tell(settings: PaymentSettings) -> PaymentSettings:
        saved = settings.default_saved
        if saved is None or not _is_due(settings, today):
            return settings
        told = tuple(replace(each, expiry_told=each.expires) if each.id == saved.id else each for each in settings.saved_methods)
        return replace(settings, saved_methods=told)

    if not _is_due(before, today):
        return None
    return change_settings(account_id, tell, AGENDA, now, books).payment.default_saved


def _is_due(settings: PaymentSettings, today: date) -> bool:
    return settings.tell_expiry_on is not None and settings.tell_expiry_on <= today
