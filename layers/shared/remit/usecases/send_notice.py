"""Send an account's past-due notice by hand (D8)."""

import hashlib
from dataclasses import replace
from datetime import date

from remit.domain.accounts import PaymentMode
from remit.domain.dunning import DunningPolicy, DunningState, Notice, notice_by_hand, said_by
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.messages import Message
from remit.usecases.dun_account import invoices_of
from remit.usecases.dunning_situation import Found, find_situation
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.ports import Books, Changes, Clock, Journal, Letters, Mailer
from remit.usecases.send_message import send_once
from remit.usecases.wake_account import read_to_wake


def send_notice(
    account_id: str,
    request: Request[Message],
    firm: Firm,
    books: Books,
    journal: Journal,
    letters: Letters,
    mailer: Mailer,
    clock: Clock,
) -> Answer:
    """Send the notice of the tier that fits today, whether or not it was said before; it counts as that step.

    A person asks for it, so neither a switch, a pause nor a promise holds it back. The message's id is made of the request's
    key: it leaves once, and a repeat after a crash finds it sent and notes what it stands for.

    `RuleError` when nothing is overdue net of credit (`nothing_overdue`), but invoices in dispute (`only_disputed`) or of
    prepaid charges (`prepaid_not_reminded`), or below the first tier (`below_first_tier`).
    """
    if first := request.first(books):
        return request.answer_again(first)
    now = clock.now()
    today = firm.today(now)
    message_id = f"msg_notice_{hashlib.sha256(request.value.encode()).hexdigest()[:32]}"

    def decide(consistent: bool) -> tuple[Changes, Message]:
        account, balances = read_to_wake(account_id, journal)
        found = find_situation(account, balances, firm, journal)
        policy = firm.dunning_policy(account)
        notice = _notice(found, account.mode_on(today), policy, today)
        message = send_once(
            message_id,
            account,
            lambda: letters.dunning(firm, account, notice, now),
            books,
            mailer,
            clock,
            about=invoices_of(notice.parts),
            policy=policy,
            actor=request.actor,
        )
        said = said_by(notice, found.situation.said, today)
        return [replace(balance, dunning=_as_said(said, balance.dunning)) for balance in balances], message

    return once(books, request, now, decide)


def _as_said(said: DunningState, known: DunningState) -> DunningState:
    """What was said is the account's; when it looks first stays the balance's own."""
    return replace(said, first_look_days=known.first_look_days)


def _notice(found: Found, mode: PaymentMode, policy: DunningPolicy, today: date) -> Notice:
    """The notice, or the refusal that says best why there is none."""
    try:
        return notice_by_hand(found.situation, policy, today)
    except RuleError as refusal:
        if refusal.code != "nothing_overdue":
            raise
        left_out = {"only_disputed": found.disputed, "prepaid_not_reminded": found.prepaid}
        reasons = {
            "only_disputed": "All that is overdue is in dispute, and waits for its decision.",
            "prepaid_not_reminded": "Prepaid charges are not reminded of.",
        }
        for code, items in left_out.items():
            if overdue := [item.number for item in items if any(part.is_overdue(today) for part in item.parts)]:
                raise RuleError(code, reasons[code], invoices=overdue) from refusal
        if mode is PaymentMode.PREPAID:
            raise RuleError("prepaid_not_reminded", reasons["prepaid_not_reminded"], invoices=[]) from refusal
        raise
