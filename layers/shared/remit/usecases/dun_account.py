"""Dun one account: decide, send at most one notice, and say when to look again (D5, D7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from remit.domain.accounts import Account, PaymentMode
from remit.domain.automations import Automation
from remit.domain.dunning import Decision, DunningState, Notice, OpenPart, Situation, decide, said_after
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.messages import Message
from remit.usecases.idempotency import persist
from remit.usecases.loading import proved_open_items
from remit.usecases.ports import Books, Changes, Clock, Journal, Letters, Mailer, balance_ref
from remit.usecases.send_message import send_once


@dataclass(frozen=True, slots=True)
class DunningOutcome:
    """What came of looking at one account. `why` is the decision's word."""

    account_id: str
    why: str
    tier: int | None = None
    message_id: str | None = None


def dun_account(
    account_id: str, firm: Firm, books: Books, journal: Journal, letters: Letters, mailer: Mailer, clock: Clock
) -> DunningOutcome:
    """Read what is owed now, decide, send, then move the account on in the agenda; safe to run again at any point.

    The notice is sent before the agenda moves: a crash in between finds the message sent and only moves on.
    `TransientError` while the index is behind the ledger, which is seen by its sum.
    """
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    today = firm.today(clock.now())
    since = firm.switched_on(Automation.DUNNING, account)
    situation = Situation(
        parts=_open_parts(balances, journal),
        said=_last_said(balance.dunning for balance in balances),
        available_credit={balance.currency: balance.credit_minor + max(0, balance.prepaid_minor) for balance in balances},
        notices_since=firm.today(since) if since else None,
        paused_until=account.dunning_paused_until,
        promises=account.promises,
    )
    policy = firm.dunning_policy(account)
    decision = decide(situation, policy, today)
    notice = decision.notice
    message = _send(notice, firm, account, books, letters, mailer, clock) if notice else None
    state = said_after(situation, decision, policy, today)
    for balance in balances:
        _move_on(balance, decision, state, today, books)
    return DunningOutcome(account_id, decision.why, notice.tier.number if notice else None, message.id if message else None)


def _open_parts(balances: Sequence[Balance], journal: Journal) -> list[OpenPart]:
    """Every open part, from the index, proved current by the ledger: Σ open = receivable (L6).

    What is in dispute is left out (D7), and so is what a prepaid account owes (D10).
    """
    found: list[OpenPart] = []
    for balance in balances:
        found += [
            OpenPart(item.invoice_id, item.number, item.currency, item.issued_on, part)
            for item in proved_open_items(balance, journal)
            if item.mode is PaymentMode.POSTPAID and not item.disputed_by
            for part in item.parts
            if part.open_minor
        ]
    return found


def _last_said(states: Iterable[DunningState]) -> DunningState:
    """One notice covers all currencies, so the last one said counts for all."""
    return max(states, key=lambda said: said.notified_on or date.min, default=DunningState())


def _send(notice: Notice, firm: Firm, account: Account, books: Books, letters: Letters, mailer: Mailer, clock: Clock) -> Message:
    oldest = notice.parts[0]
    message_id = f"msg_dunning_{oldest.invoice_id}_{oldest.due_date.isoformat()}_tier{notice.tier.number}"
    invoices = tuple(dict.fromkeys(item.invoice_id for item in notice.parts))
    return send_once(
        message_id, account, lambda: letters.dunning(firm, account, notice, clock.now()), books, mailer, clock, about=invoices
    )


def _move_on(balance: Balance, decision: Decision, said: DunningState, today: date, books: Books) -> None:
    """Store when to look again, and what was said.

    Something may be posted meanwhile: its balance stands, what was said is put on top, and since the decision did not
    know of it, the account is looked at again tomorrow. A conflict with no new entry was our own lost reply.
    """
    decided_at = balance.sequence
    ref = balance_ref(balance.account_id, balance.currency)

    known: Balance | None = balance  # as it was read when it was decided; after a lost race as it is

    def move() -> tuple[Changes, None]:
        nonlocal known
        current = known or books.load(ref).get(ref) or balance
        known = None
        state = _last_said([said, current.dunning])
        next_look = decision.look_again_on if current.sequence == decided_at else today + timedelta(days=1)
        moved = replace(current, dunning=state, look_again_on=next_look if current.receivable_minor else None)
        return ([] if moved == current else [moved]), None

    persist(books, move)
