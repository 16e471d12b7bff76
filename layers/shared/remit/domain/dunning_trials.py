"""A proposed dunning policy tried on the past of one account: who would have been written to, and wrongly so (O4).

The past is a list of facts, each with two dates: when it was *recorded*, and from which day on it is *effective*. Two views
follow from them. What was **known then**, on the day of a run, are the facts recorded before the instant of the run: on them
the policy decides, as a real run would have. What **really was so** on that day are all facts known by now that were effective
by its end: a payment recorded a week late counts from its value date, a dispute from the day on which the bank opened it. A
letter is judged by the second view.

Facts come from the journal and from the account's history alone: postings on `receivable` name invoice and due date, a
postponement moves them by an entry, entries of a dispute say from when to when a payment was disputed. Nothing here is
stored or sent.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from remit.domain.accounts import AccountChange
from remit.domain.actor import Actor
from remit.domain.automations import Automation
from remit.domain.dunning import (
    DueReminder,
    DunningPolicy,
    DunningState,
    Notice,
    OpenPart,
    Promise,
    Situation,
    decide,
    overdue_minor,
    owing,
    said_after,
)
from remit.domain.errors import InvalidError, RuleError
from remit.domain.journal import EntryDraft, EntryKind, Side
from remit.domain.terms import Part

MAX_DAYS = 366
"""The longest period of a trial, in days."""

USUAL_RUN = time(7)
"""When a day's run starts unless a trial says otherwise, in the firm's time zone."""


@dataclass(frozen=True, slots=True)
class TrialTerms:
    """`policy` is tried on the days from `first` to `last`, both included, as if it had been switched on on the first one with
    nothing said before. `runs_at`: the time of day at which each run looks, in the firm's time zone.

    `InvalidError` for a period that ends before it begins, or is longer than `MAX_DAYS`.
    """

    policy: DunningPolicy
    first: date
    last: date
    runs_at: time = USUAL_RUN

    def __post_init__(self) -> None:
        if not 0 <= (self.last - self.first).days < MAX_DAYS:
            raise InvalidError(
                "bad_period", f"A trial is of 1 to {MAX_DAYS} days, from its first to its last.", max_days=MAX_DAYS
            )

    def require_past(self, today: date) -> None:
        """`RuleError` for days that are still to come: nobody knows their facts."""
        if self.last > today:
            raise RuleError("trial_in_future", "A policy is tried on days that have come.", latest=today.isoformat())

    def run_on(self, day: date, zone: tzinfo) -> datetime:
        """The instant of a day's run."""
        return datetime.combine(day, self.runs_at, zone)


# What a trial says


class Wrong(StrEnum):
    """Why a letter would have been wrong, as things really stood on its day."""

    ALREADY_PAID = "already_paid"  # nothing was left of all it asks for, net of credit: paid, credited, voided or written off
    DISPUTED = "disputed"  # it lists an invoice of which a payment was in dispute
    PAUSED = "paused"  # the account's reminders were paused
    PROMISED = "promised"  # it asks in a currency with an open promise to pay
    OVERSTATED = "overstated"  # less was due than it asks for, but not nothing


@dataclass(frozen=True, slots=True)
class TrialLetter:
    """A letter that would have been sent on a day: a notice of a `tier`, or a reminder at `offset_days` from a due date.

    `parts` are listed and `asked_minor` is asked for, per currency, as known then; a notice asks for what is overdue net of
    credit, a reminder for what is open of its parts. `overstated_minor`: how much less was really due, per currency.
    """

    on: date
    template: str
    parts: tuple[OpenPart, ...]
    asked_minor: Mapping[str, int]
    tier: int | None = None
    offset_days: int | None = None
    wrong: tuple[Wrong, ...] = ()
    overstated_minor: Mapping[str, int] = field(default_factory=dict)

    @property
    def step(self) -> str:
        """`tier 2`, or `reminder -7`."""
        return f"tier {self.tier}" if self.tier else f"reminder {self.offset_days:+d}"

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of the invoices listed, each once."""
        return tuple(dict.fromkeys(part.number for part in self.parts))


class TrialStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """A trial over all accounts. Once it is done, `files` maps name → key in the bucket and `summary` holds its counts."""

    id: str
    terms: TrialTerms
    requested_by: Actor
    requested_at: datetime
    status: TrialStatus = TrialStatus.RUNNING
    finished_at: datetime | None = None
    files: Mapping[str, str] | None = None
    summary: Mapping[str, Any] | None = None
    failure: str | None = None
    version: int = 0


# Facts


@dataclass(frozen=True, slots=True)
class Opened:
    """What is open of an invoice at a due date (None: unscheduled) has risen, or below zero fallen."""

    invoice_id: str
    currency: str
    due_date: date | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Credited:
    """Unapplied credit, or what the wallet holds (`is_prepaid`), has risen, or below zero fallen."""

    currency: str
    amount_minor: int
    is_prepaid: bool = False


@dataclass(frozen=True, slots=True)
class Disputed:
    """From now on a payment that paid the invoice is in dispute, or no longer (`begins` false)."""

    invoice_id: str
    payment_id: str
    begins: bool


@dataclass(frozen=True, slots=True)
class Paused:
    """Reminders are paused through a day; None: they are not."""

    until: date | None


@dataclass(frozen=True, slots=True)
class Promised:
    """All promises to pay that stand, by currency."""

    promises: Mapping[str, Promise]


@dataclass(frozen=True, slots=True)
class Switched:
    """The account turned reminders or notices on, or off."""

    automation: Automation
    on: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """What came to be known at `recorded_at`, and is so from `effective_on` (the firm's date) on."""

    recorded_at: datetime
    effective_on: date
    what: Opened | Credited | Disputed | Paused | Promised | Switched


class ChainReader:
    """Reads the entries of one account and currency as facts, in the order of their numbers.

    Which invoices a dispute is about is what its payment had paid when the dispute was recorded, as for the open items.
    """

    def __init__(self) -> None:
        self._paid: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._disputes: defaultdict[str, set[str]] = defaultdict(set)
        self._flagged: defaultdict[str, set[str]] = defaultdict(set)

    def read(self, draft: EntryDraft) -> Iterator[Fact]:
        """The facts of the chain's next entry."""
        for what in (*_moved(draft), *self._disputed(draft)):
            yield Fact(draft.recorded_at, draft.effective_on, what)

    def _disputed(self, draft: EntryDraft) -> Iterator[Disputed]:
        for payment_id in draft.documents.get("payment", ()):
            for invoice_id in draft.documents.get("invoice", ()):
                self._paid[payment_id][invoice_id] += _paid_minor(draft, invoice_id)
            if draft.kind is EntryKind.DISPUTE_OPENED:
                yield from self._begin(payment_id, draft)
            elif draft.kind in (EntryKind.DISPUTE_WON, EntryKind.DISPUTE_LOST):
                yield from self._end(payment_id, draft)

    def _begin(self, payment_id: str, draft: EntryDraft) -> Iterator[Disputed]:
        self._disputes[payment_id].update(draft.documents["gateway"])
        paid = {invoice_id for invoice_id, amount in self._paid[payment_id].items() if amount}
        for invoice_id in sorted(paid - self._flagged[payment_id]):
            self._flagged[payment_id].add(invoice_id)
            yield Disputed(invoice_id, payment_id, begins=True)

    def _end(self, payment_id: str, draft: EntryDraft) -> Iterator[Disputed]:
        """Invoices are free again when the last dispute of the payment is decided."""
        self._disputes[payment_id].difference_update(draft.documents["gateway"])
        if self._disputes[payment_id]:
            return
        for invoice_id in sorted(self._flagged.pop(payment_id, ())):
            yield Disputed(invoice_id, payment_id, begins=False)


def _moved(draft: EntryDraft) -> Iterator[Opened | Credited]:
    for posting in draft.postings:
        if posting.account == "receivable" and posting.document_id:
            sign = 1 if posting.side is Side.DEBIT else -1
            yield Opened(posting.document_id, draft.currency, posting.due_date, sign * posting.amount_minor)
        elif posting.account in ("credit", "wallet", "granted"):
            sign = 1 if posting.side is Side.CREDIT else -1
            yield Credited(draft.currency, sign * posting.amount_minor, is_prepaid=posting.account != "credit")


def _paid_minor(draft: EntryDraft, invoice_id: str) -> int:
    """What of the entry's payment went to the invoice: less than it settled where a discount was taken; below zero: came back."""
    about = [posting for posting in draft.postings if posting.document_id == invoice_id]
    return sum(posting.amount_minor if posting.side is Side.CREDIT else -posting.amount_minor for posting in about)


def facts_of_change(change: AccountChange, zone: tzinfo) -> Iterator[Fact]:
    """What a line of the account's history, as it is stored, says of its pause, promises and switches."""
    settings = change.after
    effective_on = change.changed_at.astimezone(zone).date()
    found: list[Paused | Promised | Switched] = []
    if "dunning_paused_until" in settings:
        until = settings["dunning_paused_until"]
        found.append(Paused(date.fromisoformat(until) if until else None))
    if "promises" in settings:
        found.append(Promised({currency: _promise(plain) for currency, plain in settings["promises"].items()}))
    found += [Switched(each, settings[each]) for each in (Automation.DUNNING, Automation.REMINDERS) if each in settings]
    for what in found:
        yield Fact(change.changed_at, effective_on, what)


def _promise(plain: Mapping[str, Any]) -> Promise:
    by, made_on = date.fromisoformat(plain["by"]), date.fromisoformat(plain["made_on"])
    return Promise(plain["amount_minor"], by, made_on, plain["overdue_minor"])


def invoices_at_stake(facts: Iterable[Fact], since: datetime) -> set[str]:
    """The invoices of which something was open at that instant, or moved later: no others can matter from then on."""
    open_then: Counter[str] = Counter()
    moved_later: set[str] = set()
    for fact in facts:
        if not isinstance(fact.what, Opened):
            continue
        if fact.recorded_at < since:
            open_then[fact.what.invoice_id] += fact.what.amount_minor
        else:
            moved_later.add(fact.what.invoice_id)
    return moved_later.union(invoice_id for invoice_id, amount in open_then.items() if amount)


# Views


@dataclass(frozen=True, slots=True)
class PostpaidInvoice:
    """What a letter says of an invoice beside its parts. Prepaid ones are never asked for (D10); a late charge decides no tier
    (D9)."""

    number: str
    issued_on: date
    is_late_charge: bool = False


class _View:
    """What the facts taken in so far add up to."""

    def __init__(self, invoices: Mapping[str, PostpaidInvoice], since: date) -> None:
        self._invoices = invoices
        self._since = since
        self._open: Counter[tuple[str, str, date | None]] = Counter()
        self._credit: Counter[str] = Counter()
        self._prepaid: Counter[str] = Counter()
        self._disputes: defaultdict[str, set[str]] = defaultdict(set)
        self._on_since: dict[Automation, date | None] = {}
        self.paused_until: date | None = None
        self.promises: Mapping[str, Promise] = {}

    def take(self, fact: Fact) -> None:
        match fact.what:
            case Opened(invoice_id, currency, due_date, amount_minor):
                self._open[invoice_id, currency, due_date] += amount_minor
            case Credited(currency, amount_minor, is_prepaid):
                (self._prepaid if is_prepaid else self._credit)[currency] += amount_minor
            case Disputed(invoice_id, payment_id, begins):
                (self._disputes[invoice_id].add if begins else self._disputes[invoice_id].discard)(payment_id)
            case Paused(until):
                self.paused_until = until
            case Promised(promises):
                self.promises = promises
            case Switched(automation, on):
                self._on_since[automation] = fact.effective_on if on else None

    def is_disputed(self, invoice_id: str) -> bool:
        return bool(self._disputes.get(invoice_id))

    def parts(self) -> list[OpenPart]:
        """All open parts of postpaid invoices, those in dispute among them."""
        found: list[OpenPart] = []
        for (invoice_id, currency, due_date), amount in self._open.items():
            if amount > 0 and (invoice := self._invoices.get(invoice_id)):
                part = Part(due_date, amount, amount)
                found.append(OpenPart(invoice_id, invoice.number, currency, invoice.issued_on, part, invoice.is_late_charge))
        return found

    def undisputed(self) -> list[OpenPart]:
        return [part for part in self.parts() if not self.is_disputed(part.invoice_id)]

    def credit(self) -> dict[str, int]:
        """Per currency. Money whose value date lies before the issue of what it paid is the customer's until then."""
        found = Counter(self._credit)
        found.update({currency: max(0, amount) for currency, amount in self._prepaid.items()})
        for (invoice_id, currency, _), amount in self._open.items():
            if amount < 0 and invoice_id in self._invoices:
                found[currency] -= amount
        return dict(found)

    def situation(self, said: DunningState) -> Situation:
        return Situation(
            self.undisputed(),
            said,
            self.credit(),
            notices_since=self._wanted_since(Automation.DUNNING),
            reminders_since=self._wanted_since(Automation.REMINDERS),
            paused_until=self.paused_until,
            promises=self.promises,
        )

    def _wanted_since(self, automation: Automation) -> date | None:
        """The trial's first day, or the later one on which the account turned it on; None while it is off."""
        on_since = self._on_since.get(automation, date.min)
        return max(self._since, on_since) if on_since else None


class _Pending[Time: (date, datetime)]:
    """Facts in order of one of their dates, as far as a view has not taken them in."""

    def __init__(self, facts: Iterable[Fact], time_of: Callable[[Fact], Time]) -> None:
        self._facts = sorted(facts, key=time_of)
        self._time_of: Callable[[Fact], Time] = time_of
        self._next = 0

    def take_into(self, view: _View, before: Time) -> bool:
        """Let the view take what is dated before that; whether there was anything."""
        first = self._next
        while self._next < len(self._facts) and self._time_of(self._facts[self._next]) < before:
            view.take(self._facts[self._next])
            self._next += 1
        return self._next > first


# The trial


def try_policy(
    facts: Sequence[Fact], invoices: Mapping[str, PostpaidInvoice], terms: TrialTerms, zone: tzinfo
) -> tuple[TrialLetter, ...]:
    """The letters that runs by the policy would have sent, in order, each judged by what is known by now.

    `facts` in the order of their chains; `invoices` are the postpaid ones `at_stake`. A day is looked at when a decision
    asked for it or something came to be known since the last one. A letter about the same step of the same part goes out once,
    however often it is decided on, as in a real run.
    """
    known, real = _View(invoices, terms.first), _View(invoices, terms.first)
    unheard = _Pending(facts, lambda fact: fact.recorded_at)
    to_come = _Pending(facts, lambda fact: fact.effective_on)
    said = DunningState()
    look_on: date | None = terms.first
    letters: dict[_LetterKey, TrialLetter] = {}
    for day in (terms.first + timedelta(days=n) for n in range((terms.last - terms.first).days + 1)):
        is_news = unheard.take_into(known, before=terms.run_on(day, zone))
        to_come.take_into(real, before=day + timedelta(days=1))
        if not is_news and not (look_on and look_on <= day):
            continue
        situation = known.situation(said)
        decision = decide(situation, terms.policy, day)
        if decision.notice:
            letters.setdefault(_key(decision.notice), _judged_notice(decision.notice, real, day))
        for reminder in decision.reminders:
            letters.setdefault(_key(reminder), _judged_reminder(reminder, real, day))
        said = said_after(situation, decision, terms.policy, day)
        look_on = decision.look_again_on
    return tuple(letters.values())


type _LetterKey = tuple[int, int, str, date, date | None]


def _key(letter: Notice | DueReminder) -> _LetterKey:
    """What makes a letter another one: its step, the first part that it lists, and the silence before it."""
    first = letter.parts[0]
    if isinstance(letter, Notice):
        return letter.tier.number, 0, first.invoice_id, first.due_date, letter.after_silence
    return 0, letter.reminder.offset_days, first.invoice_id, first.due_date, None


def _judged_notice(notice: Notice, real: _View, day: date) -> TrialLetter:
    letter = TrialLetter(day, notice.tier.template, notice.parts, dict(notice.net_minor), tier=notice.tier.number)
    _, due = owing(real.parts(), real.credit(), day)
    return _judged(letter, due, real, day)


def _judged_reminder(due_reminder: DueReminder, real: _View, day: date) -> TrialLetter:
    """A reminder asks for its parts as they are; credit matters when it covers all that is open in a currency (D7)."""
    parts, reminder = due_reminder.parts, due_reminder.reminder
    asked = _sums((part.currency, part.part.open_minor) for part in parts)
    letter = TrialLetter(day, reminder.template, parts, asked, offset_days=reminder.offset_days)
    credit = real.credit()
    open_in = _sums((part.currency, part.part.open_minor) for part in real.undisputed())
    open_of = {(part.invoice_id, part.part.due_date): part.part.open_minor for part in real.parts()}
    due = _sums(
        (part.currency, min(part.part.open_minor, open_of.get((part.invoice_id, part.part.due_date), 0)))
        for part in parts
        if credit.get(part.currency, 0) < open_in.get(part.currency, 0)
    )
    return _judged(letter, due, real, day)


def _judged(letter: TrialLetter, due: Mapping[str, int], real: _View, day: date) -> TrialLetter:
    """The letter with what was wrong about it. `due`: what it should have asked for at most, per currency."""
    asked = letter.asked_minor
    overstated = {currency: asked[currency] - due.get(currency, 0) for currency in asked}
    overstated = {currency: amount for currency, amount in overstated.items() if amount > 0}
    listed = {part.invoice_id for part in letter.parts}
    left = _sums((part.currency, part.part.open_minor) for part in real.parts() if part.invoice_id in listed)
    credit = real.credit()
    is_paid = all(not due.get(currency) and left.get(currency, 0) <= credit.get(currency, 0) for currency in asked)
    found = {
        Wrong.ALREADY_PAID: is_paid,
        Wrong.DISPUTED: any(real.is_disputed(invoice_id) for invoice_id in listed),
        Wrong.PAUSED: real.paused_until is not None and day <= real.paused_until,
        Wrong.PROMISED: any(_is_promised(currency, real, day) for currency in asked),
        Wrong.OVERSTATED: bool(overstated) and not is_paid,
    }
    return replace(letter, wrong=tuple(reason for reason, is_so in found.items() if is_so), overstated_minor=overstated)


def _is_promised(currency: str, real: _View, day: date) -> bool:
    """Whether a promise in that currency was open: neither kept nor broken."""
    promise = real.promises.get(currency)
    if promise is None or day > promise.by:
        return False
    return not promise.is_kept(overdue_minor(real.undisputed(), real.credit(), currency, promise.made_on))


def _sums(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Per currency."""
    found: dict[str, int] = {}
    for currency, amount in amounts:
        found[currency] = found.get(currency, 0) + amount
    return found
