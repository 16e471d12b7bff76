"""Dun one account: decide, send what is due, and say when to look again (D4, D5, D7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from remit.domain.accounts import Account
from remit.domain.dunning import Decision, DueReminder, DunningPolicy, DunningState, Notice, OpenPart, decide, said_after
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.messages import Message
from remit.usecases.charge_late import charge_late
from remit.usecases.dunning_situation import find_situation, last_said
from remit.usecases.idempotency import persist
from remit.usecases.ports import Books, Changes, Clock, Journal, Letters, Mailer, balance_ref
from remit.usecases.send_message import send_once

NO_DAY_KNOWN = date.max
"""The place in the agenda of who owes something, but whom no day calls for: a change of the policy must find everybody."""


@dataclass(frozen=True, slots=True)
class DunningOutcome:
    """What came of looking at one account. `why` is the decision's word; `message_id` is the notice's."""

    account_id: str
    why: str
    tier: int | None = None
    message_id: str | None = None
    reminder_ids: tuple[str, ...] = ()


def dun_account(
    account_id: str,
    firm: Firm,
    books: Books,
    journal: Journal,
    letters: Letters,
    mailer: Mailer,
    clock: Clock,
    *,
    charged: bool = False,
) -> DunningOutcome:
    """Read what is owed now, decide, send, then move the account on in the agenda; safe to run again at any point.

    Letters are sent before the agenda moves, each under an id of its own: a crash in between finds what was sent, sends the
    rest and moves on. `charged`: what is late was charged for a moment ago. `TransientError` while the index is behind the
    ledger, which is seen by its sum.
    """
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    today = firm.today(clock.now())
    situation = find_situation(account, balances, firm, journal).situation
    policy = firm.dunning_policy(account)
    decision = decide(situation, policy, today)
    post = _Post(firm, account, policy, books, letters, mailer, clock)
    notice = decision.notice
    if notice and not charged:
        charges = charge_late(account_id, notice, policy, firm, books, clock)
        if not {part.invoice_id for part in situation.parts}.issuperset(charges):
            # What is owed has changed, by this run or by one beside it: decide again, so that the notice lists the charge.
            return dun_account(account_id, firm, books, journal, letters, mailer, clock, charged=True)
    message = post.notice(notice) if notice else None
    reminders = [post.reminder(due) for due in decision.reminders]
    said = said_after(situation, decision, policy, today)
    state = replace(said, charges_interest=firm.charges_interest(account))
    for balance in balances:
        _move_on(balance, decision, state, today, books)
    return DunningOutcome(
        account_id,
        decision.why,
        notice.tier.number if notice else None,
        message.id if message else None,
        tuple(reminder.id for reminder in reminders),
    )


@dataclass(frozen=True, slots=True)
class _Post:
    """Sends an account's letters, each once: a letter's id says which it is."""

    firm: Firm
    account: Account
    policy: DunningPolicy
    books: Books
    letters: Letters
    mailer: Mailer
    clock: Clock

    def notice(self, notice: Notice) -> Message:
        """A tier of an episode, and once more after each silence."""
        oldest = notice.parts[0]
        silence = f"_after{notice.after_silence.isoformat()}" if notice.after_silence else ""
        message_id = f"msg_dunning_{oldest.invoice_id}_{oldest.due_date.isoformat()}_tier{notice.tier.number}{silence}"
        return send_once(
            message_id,
            self.account,
            lambda: self.letters.dunning(self.firm, self.account, notice, self.clock.now()),
            self.books,
            self.mailer,
            self.clock,
            about=invoices_of(notice.parts),
            policy=self.policy,
        )

    def reminder(self, due: DueReminder) -> Message:
        """An offset of the first part that the letter lists."""
        first = due.parts[0]
        message_id = f"msg_reminder_{first.invoice_id}_{first.due_date.isoformat()}_{due.reminder.offset_days}"
        return send_once(
            message_id,
            self.account,
            lambda: self.letters.reminder(self.firm, self.account, due, self.clock.now()),
            self.books,
            self.mailer,
            self.clock,
            about=invoices_of(due.parts),
            policy=self.policy,
        )


def invoices_of(parts: Sequence[OpenPart]) -> tuple[str, ...]:
    """The ids of the invoices that a letter lists, each once."""
    return tuple(dict.fromkeys(part.invoice_id for part in parts))


def _move_on(balance: Balance, decision: Decision, said: DunningState, today: date, books: Books) -> None:
    """Store when to look again, and what was said.

    Something may be posted meanwhile, or somebody wake the account: its balance stands, what was said is put on top, and
    since the decision did not know of it, the account is looked at again tomorrow. A conflict after which the balance is as
    it was wanted was our own lost reply.
    """
    ref = balance_ref(balance.account_id, balance.currency)

    known: Balance | None = balance  # as it was read when it was decided; after a lost race as it is

    def move() -> tuple[Changes, None]:
        nonlocal known
        current = known or books.load(ref).get(ref) or balance
        known = None
        state = replace(last_said([said, current.dunning]), first_look_days=said.first_look_days)
        moved = _placed(replace(current, dunning=state), decision.look_again_on or NO_DAY_KNOWN)
        if moved != current and current.version != balance.version:
            moved = _placed(moved, today + timedelta(days=1))
        return ([] if moved == current else [moved]), None

    persist(books, move)


def _placed(balance: Balance, next_look: date) -> Balance:
    """Who owes nothing has no place in the agenda."""
    return replace(balance, look_again_on=next_look if balance.receivable_minor else None)
