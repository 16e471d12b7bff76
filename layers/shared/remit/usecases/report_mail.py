"""Take in what became of a message at the mail provider (D11)."""

from dataclasses import dataclass
from datetime import datetime

from remit.domain.accounts import AccountChange, change, setting
from remit.domain.messages import MAIL_PROVIDER, UNREACHABLE, DeliveryEvent, MailProblem, Message
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, account_ref, message_ref


@dataclass(frozen=True, slots=True)
class MailReport:
    """What the provider says of a message: `provider_id` is its own id of it, `sent_at` when it took it."""

    account_id: str
    message_id: str
    event: DeliveryEvent
    provider_id: str
    sent_at: datetime


def report_mail(report: MailReport, books: Books, clock: Clock) -> Message | None:
    """Merge a report into its message, in any order and however often it comes; None for a message that is not there.

    A hard bounce or a complaint closes the account's address to what is sent by itself, with a line in the account's history, in
    the same transaction: a report that comes again later changes nothing, also when somebody has opened the address again.
    """

    def decide() -> tuple[Changes, Message | None]:
        ref, owner = message_ref(report.account_id, report.message_id), account_ref(report.account_id)
        loaded = books.load(ref, owner)
        known, account = loaded.get(ref), loaded.get(owner)
        if known is None or account is None:
            return [], None
        told = known.with_delivery(report.event, report.provider_id, report.sent_at)
        if told == known:
            return [], known
        if report.event.kind not in UNREACHABLE or known.to != account.email or account.unreachable:
            return [told], told
        problem = MailProblem(known.to, report.event.kind, report.event.at, known.id)
        now = clock.now()
        closed, before = change(account, {"mail_problem": problem}, now)
        after = {name: setting(closed, name) for name in before}
        return [told, closed, AccountChange(account.id, closed.version + 1, now, MAIL_PROVIDER, before, after)], told

    return persist(books, decide)
