"""What people do about dunning, in one line each, over the office."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from remit.adapters.email.catalogue import asking_letters
from remit.domain.accounts import Account
from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy, Reminder, Tier
from remit.domain.firm import STANDARD_POLICY
from remit.domain.messages import Message
from remit.usecases.dun_account import DunningOutcome
from remit.usecases.dunning_run import Looked, RunState, next_page
from remit.usecases.idempotency import Answer, Request
from remit.usecases.pause_dunning import end_pause, pause_dunning
from remit.usecases.ports import firm_ref
from remit.usecases.promise_to_pay import GivenPromise, PromiseWish, promise_to_pay, withdraw_promise
from remit.usecases.read_dunning import DunningStanding, read_dunning
from remit.usecases.send_notice import send_notice
from remit.usecases.set_dunning_policy import set_dunning_policy
from remit.usecases.set_firm import set_firm
from tests.support.builders import CLERK, LONG_AGO, NOW, Office, firm

UPCOMING, OVERDUE = "reminder_upcoming", "reminder_overdue"
BOTH = {Automation.DUNNING: LONG_AGO, Automation.REMINDERS: LONG_AGO}


def reminding(*offsets: int, tiers: Sequence[int] = (3, 14, 30), id: str = STANDARD_POLICY) -> DunningPolicy:
    """A policy with reminders on these days, and tiers with the usual letters."""
    reminders = tuple(Reminder(offset, OVERDUE if offset > 0 else UPCOMING) for offset in offsets)
    return DunningPolicy(tuple(Tier(n, day, f"dunning_tier_{n}") for n, day in enumerate(tiers, 1)), reminders, id)


def open_office(*offsets: int) -> Office:
    """An office whose firm is stored, wants notices and reminders, and has reminders on these days. Nothing is left to sweep."""
    office = Office(firm=firm(switches=BOTH))
    office.books.commit([office.firm])
    refresh(office)
    if offsets:
        sets_policy(office, reminding(*offsets))
        office.clock.advance(minutes=5)
        runs(office)
        office.clock.set(NOW)
    return office


def refresh(office: Office) -> None:
    """Work with the profile as it is stored."""
    office.firm = office.books.read(firm_ref())


def sets_policy(office: Office, policy: DunningPolicy) -> DunningPolicy:
    stored = set_dunning_policy(policy, asking_letters(), CLERK, office.books, office.clock)
    refresh(office)
    return stored


def switches(office: Office, *on: Automation) -> None:
    set_firm(replace(office.firm, switches=dict.fromkeys(on, NOW)), office.books, office.clock)
    refresh(office)


def pauses(office: Office, account_id: str, until: date, reason: str = "on leave") -> Account:
    return pause_dunning(account_id, until, reason, CLERK, office.firm, office.books, office.books, office.clock)


def ends_pause(office: Office, account_id: str) -> Account:
    return end_pause(account_id, CLERK, office.firm, office.books, office.books, office.clock)


def promises(
    office: Office, account_id: str, amount_minor: int, by: date, *, currency: str | None = None, key: str | None = None
) -> Answer:
    wish = PromiseWish(account_id, amount_minor, by, currency, "by phone")
    ask: Request[GivenPromise] = office.request(key, [amount_minor, by.isoformat(), currency])
    return promise_to_pay(wish, ask, office.firm, office.books, office.books, office.clock)


def withdraws(office: Office, account_id: str, currency: str = "EUR", key: str | None = None) -> Answer:
    ask: Request[Account] = office.request(key, currency)
    return withdraw_promise(account_id, currency, "a mistake", ask, office.firm, office.books, office.books, office.clock)


def sends_notice(office: Office, account_id: str, key: str | None = None) -> Answer:
    ask: Request[Message] = office.request(key)
    return send_notice(account_id, ask, office.firm, office.books, office.books, office.letters, office.mailer, office.clock)


def standing(office: Office, account_id: str) -> DunningStanding:
    return read_dunning(account_id, office.firm, office.books, office.clock)


def runs(office: Office, rate: int | None = None, pages: int = 10_000) -> RunState:
    """One run, as its state machine goes through it: page after page, each account alone. Killed after so many pages."""
    state, looked = RunState(rate=rate), list[Looked]()
    for _ in range(pages):
        state = next_page(state, looked, office.books.read(firm_ref()), office.books, office.books, office.clock)
        if state.done:
            break
        looked = [came_of(office.dun(account_id)) for account_id in state.accounts]
    refresh(office)
    return state


def came_of(outcome: DunningOutcome) -> Looked:
    return Looked(notices=int(outcome.message_id is not None), reminders=len(outcome.reminder_ids))


def run_days(office: Office, count: int) -> dict[int, list[str]]:
    """A run a day at nine: day → the templates sent on it. Day 0 is the first."""
    sent: dict[int, list[str]] = {}
    for _ in range(count):
        before = len(office.mailer.sent)
        runs(office)
        if new := templates(office, before):
            sent[(office.clock.now() - NOW).days] = new
        office.clock.advance(days=1)
    return sent


def templates(office: Office, after: int = 0) -> list[str]:
    """The templates of what was handed over after so many mails."""
    return [mail.subject.partition(":")[0] for mail in office.mailer.sent[after:]]


def at(office: Office, day: int) -> datetime:
    """Nine o'clock of that many days after the first."""
    office.clock.set(NOW)
    return office.clock.advance(days=day)


def messages(office: Office) -> list[Any]:
    return sorted(office.books.all(Message), key=lambda message: message.claimed_at)
