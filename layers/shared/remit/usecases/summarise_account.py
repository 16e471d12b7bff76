"""Tell one account how it stands, for the slot that has come (D3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from remit.domain.accounts import Account
from remit.domain.automations import Automation
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.summaries import (
    OpenInvoices,
    RecentTransactions,
    Saying,
    Statement,
    SummaryContent,
    SummaryEnrolment,
    SummarySchedule,
    Told,
    message_id,
    open_invoices,
    statement,
    told_now,
    turn_of,
)
from remit.usecases.idempotency import persist
from remit.usecases.loading import proved_open_items
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Cron,
    Journal,
    Letters,
    Loaded,
    Mailer,
    Ref,
    credit_note_ref,
    open_item_ref,
    payment_ref,
    summary_enrolment_ref,
    summary_schedule_ref,
)
from remit.usecases.send_message import send_once
from remit.usecases.summary_enrolments import plan_enrolment
from remit.usecases.summary_slots import last_slot, next_slot


@dataclass(frozen=True, slots=True)
class SummaryOutcome:
    """What came of looking at one enrolment. `why`: the turn's word, `planned_anew`, `nothing_to_say`, or how
    the message stands."""

    account_id: str
    schedule_id: str
    why: str
    slot: datetime | None = None
    message_id: str | None = None


def summarise_account(
    account_id: str,
    schedule_id: str,
    firm: Firm,
    books: Books,
    journal: Journal,
    cron: Cron,
    letters: Letters,
    mailer: Mailer,
    clock: Clock,
) -> SummaryOutcome:
    """Read how the account stands now, send, then move the enrolment on in the agenda; safe to run again at any point.

    The mail is sent before the agenda moves: a crash in between finds the message sent and only moves on. `TransientError`
    while the index is behind the ledger, which is seen by its sum.
    """
    loaded = books.load(summary_schedule_ref(schedule_id), summary_enrolment_ref(account_id, schedule_id))
    schedule = loaded.get(summary_schedule_ref(schedule_id))
    enrolment = loaded.get(summary_enrolment_ref(account_id, schedule_id))
    account, balances = journal.account_with_balances(account_id)
    if schedule is None or enrolment is None or account is None:
        raise NotFoundError("summary_enrolment_not_found", "The account is not enrolled in it.", id=schedule_id)
    if enrolment.plan != schedule.plan and enrolment.withdrawn_at is None:
        plan_enrolment(account_id, schedule, books, cron)
        return SummaryOutcome(account_id, schedule_id, "planned_anew")
    now = clock.now()
    turn = turn_of(enrolment, last_slot(schedule, cron, now), firm.switched_on(Automation.SUMMARIES, account), now)
    if turn.slot is None:
        return SummaryOutcome(account_id, schedule_id, turn.why)
    scene = _Scene(schedule, enrolment, turn.slot, account, balances, firm, books, journal, letters, mailer, clock)
    outcome = scene.tell() if turn.is_told else replace(scene.silent, why=turn.why)
    scene.move_on(next_slot(schedule, cron, turn.slot))
    return outcome


@dataclass(slots=True)
class _Scene:
    """One account's turn: what was read, and what it takes to tell it."""

    schedule: SummarySchedule
    enrolment: SummaryEnrolment
    slot: datetime
    account: Account
    balances: Sequence[Balance]
    firm: Firm
    books: Books
    journal: Journal
    letters: Letters
    mailer: Mailer
    clock: Clock

    @property
    def silent(self) -> SummaryOutcome:
        return SummaryOutcome(self.account.id, self.schedule.id, "nothing_to_say", self.slot)

    @property
    def up_to(self) -> dict[str, Told]:
        """What this slot covers: all that was posted when it was read, or what a first attempt at it had read."""
        return {**self.enrolment.saying.up_to} if self.enrolment.saying else told_now(self.balances)

    def tell(self) -> SummaryOutcome:
        content = _CONTENTS[self.schedule.content](self)
        if content is None:
            return self.silent
        summary, about = content
        sent = send_once(
            message_id(self.enrolment, self.slot),
            self.account,
            lambda: self.letters.summary(self.firm, self.account, summary, self.clock.now()),
            self.books,
            self.mailer,
            self.clock,
            about=about,
        )
        return replace(self.silent, why=str(sent.status), message_id=sent.id)

    def open_invoices(self) -> "_Content | None":
        items: list[OpenItem] = []
        for balance in self.balances:
            items += proved_open_items(balance, self.journal)
        summary = open_invoices(items, self.balances, self.firm.today(self.clock.now()))
        return (summary, tuple(dict.fromkeys(row.invoice_id for row in summary.rows))) if summary else None

    def recent_transactions(self) -> "_Content | None":
        statements = [found for currency in sorted(self.up_to) if (found := self._statement(currency))]
        if not statements:
            return None
        self._keep_what_is_said()
        numbers = self._numbers(statements)
        told = [row for each in statements for row in each.transactions]
        invoices = dict.fromkeys(id for row in told for id in row.documents.get("invoice", ()))
        return RecentTransactions(self.firm.today(self.clock.now()), tuple(statements), numbers), tuple(invoices)

    def _statement(self, currency: str) -> Statement | None:
        before, up_to = self.enrolment.told_of(currency), self.up_to[currency]
        entries = self.journal.entries(self.account.id, currency, after=before.sequence, before=up_to.sequence + 1)
        return statement(currency, before, up_to, entries)

    def _numbers(self, statements: Sequence[Statement]) -> dict[str, str]:
        """What the customer knows the documents by: a number, or the reference that came with a payment."""
        refs: list[Ref[object]] = [
            ref(self.account.id, id)
            for each in statements
            for row in each.transactions
            for role, ref in _KNOWN_BY
            for id in row.documents.get(role, ())[:1]
        ]
        loaded = self.books.load(*dict.fromkeys(refs)) if refs else Loaded({})
        found = {ref.id: loaded.get(ref) for ref in refs}
        names = {id: getattr(thing, "number", None) or getattr(thing, "reference", None) for id, thing in found.items()}
        return {id: name for id, name in names.items() if name}

    def _keep_what_is_said(self) -> None:
        """Before the mail goes out: how far it tells, so that a repeat says the same, and the next one goes on behind it."""
        if self.enrolment.saying:
            return
        kept = replace(self.enrolment, saying=Saying(self.slot, self.up_to))
        self.books.commit([kept])
        self.enrolment = replace(kept, version=kept.version + 1)

    def move_on(self, following: datetime | None) -> None:
        """The next slot, and how far the account has been told; a withdrawal or a new plan meanwhile stands."""
        place = summary_enrolment_ref(self.account.id, self.schedule.id)
        known: SummaryEnrolment | None = self.enrolment  # as it was read when it was decided; after a lost race as it is

        def move() -> tuple[Changes, None]:
            nonlocal known
            current = known or self.books.load(place).get(place) or self.enrolment
            known = None
            moved = current.moved_on(self.enrolment, self.slot, self.up_to, following)
            return ([] if moved == current else [moved]), None

        persist(self.books, move)


type _Content = tuple[OpenInvoices | RecentTransactions, tuple[str, ...]]
"""What is said, and the invoices that it is about."""

_CONTENTS = {
    SummaryContent.OPEN_INVOICES: _Scene.open_invoices,
    SummaryContent.RECENT_TRANSACTIONS: _Scene.recent_transactions,
}

_KNOWN_BY = (("invoice", open_item_ref), ("credit_note", credit_note_ref), ("payment", payment_ref))
"""Roles of an entry's documents that have a number or a reference of the customer's, with where it is kept."""
