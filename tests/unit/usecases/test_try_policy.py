"""A proposed policy tried on what really happened to an account (O4)."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from remit.domain.accounts import AccountChange, PaymentMode
from remit.domain.automations import Automation
from remit.domain.dunning import (
    DunningPolicy,
    DunningState,
    OpenPart,
    Promise,
    Reminder,
    Situation,
    Tier,
    decide,
    said_after,
)
from remit.domain.dunning_trials import TrialTerms, Wrong
from remit.domain.errors import InvalidError, NotFoundError, RemitError, RuleError
from remit.domain.firm import Firm
from remit.domain.journal import JournalEntry
from remit.domain.late_charges import LateChargeRules
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, DisputeStatus, GatewayReport, Payment
from remit.usecases.idempotency import Request
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.payment_attempts import Pick
from remit.usecases.postpone_due_date import postpone_due_date
from remit.usecases.try_policy import AccountTrial, try_policy
from remit.usecases.write_off_invoice import write_off_invoice
from tests.support.builders import LONG_AGO, NOW, TODAY, Office, firm
from tests.support.dunning import ends_pause, pauses, promises, sends_notice, withdraws
from tests.support.late import FORTY, by_hand, charging
from tests.support.payments import charge, dispute_on, proves, reverse, saves
from tests.support.refusals import refused

STRICT = DunningPolicy(tiers=(Tier(1, 1, "dunning_tier_1"), Tier(2, 7, "dunning_tier_2")))
ZONE = ZoneInfo("Europe/Amsterdam")
RUN = time(18)
"""In these stories people work in the morning, and the run of the day comes in the evening."""


def dunning_firm() -> Firm:
    return firm(switches={Automation.DUNNING: LONG_AGO})


@pytest.fixture
def office() -> Office:
    return Office(firm=dunning_firm())


def day(number: int) -> date:
    """The n-th day after everything begins; 0 is the day on which an invoice on receipt is due."""
    return TODAY + timedelta(days=number)


def terms(policy: DunningPolicy = STRICT, first: int = 0, last: int = 40) -> TrialTerms:
    return TrialTerms(policy, day(first), day(last), RUN)


def tried(office: Office, account_id: str, of: TrialTerms | None = None) -> AccountTrial:
    return try_policy(account_id, of or terms(), office.firm, office.books, office.books)


def told(trial: AccountTrial) -> dict[int, tuple[str, tuple[Wrong, ...]]]:
    """Day → which step, and what was wrong with it."""
    return {(letter.on - TODAY).days: (letter.step, letter.wrong) for letter in trial.letters}


def morning(number: int) -> datetime:
    """Of the n-th day."""
    return NOW + timedelta(days=number)


def at(office: Office, number: int) -> None:
    office.clock.set(morning(number))


# What was known then, and what really was so


def test_O4_who_never_pays_would_have_heard_of_each_tier(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    at(office, 40)
    trial = tried(office, account_id)
    assert told(trial) == {1: ("tier 1", ()), 7: ("tier 2", ())}
    assert [letter.asked_minor for letter in trial.letters] == [{"EUR": 12100}] * 2
    assert [letter.numbers for letter in trial.letters] == [("INV-2026-000001",)] * 2
    assert trial.wrong == 0


def test_O4_a_payment_recorded_late_makes_letters_wrong_from_its_value_date_on(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    at(office, 10)
    office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)], value_date=day(5))
    trial = tried(office, account_id)
    assert told(trial) == {1: ("tier 1", ()), 7: ("tier 2", (Wrong.ALREADY_PAID,))}
    assert (trial.letters[1].asked_minor, trial.letters[1].overstated_minor) == ({"EUR": 12100}, {"EUR": 12100})
    assert trial.wrong == 1


@pytest.mark.parametrize("unapplied", [True, False])
def test_O4_a_part_payment_recorded_late_leaves_less_to_ask_for(office: Office, *, unapplied: bool) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    at(office, 10)
    allocations = [] if unapplied else [Allocation(invoice_id, 10000)]
    office.receive(account_id, 10000, allocations=allocations, value_date=day(5))
    last = tried(office, account_id).letters[-1]
    assert (last.wrong, last.overstated_minor) == ((Wrong.OVERSTATED,), {"EUR": 10000})


def test_O4_a_payment_of_the_same_day_that_came_after_the_run_makes_its_letter_wrong(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.set(datetime.combine(day(1), time(19), ZONE))
    office.receive(account_id, 12100, oldest_first=True)
    assert told(tried(office, account_id)) == {1: ("tier 1", (Wrong.ALREADY_PAID,))}


def test_O4_a_dispute_heard_of_late_makes_letters_about_its_invoice_wrong(office: Office) -> None:
    account_id = office.open_account()
    saves(office, account_id)
    invoice_id = office.invoice(account_id, term="on_receipt")
    payment = charge(office, account_id, Pick(invoice_id, 5000))
    at(office, 10)
    office.gateway_says(disputed(payment, DisputeStatus.OPEN, opened_at=morning(3), heard_at=morning(9)), "evt_1")
    trial = tried(office, account_id)
    assert told(trial) == {1: ("tier 1", ()), 7: ("tier 2", (Wrong.DISPUTED,))}
    assert trial.letters[1].asked_minor == {"EUR": 7100}
    assert trial.letters[1].overstated_minor == {}


def test_O4_what_is_known_to_be_disputed_is_left_alone_until_the_dispute_is_decided(office: Office) -> None:
    account_id = office.open_account()
    saves(office, account_id)
    invoice_id = office.invoice(account_id, term="on_receipt")
    payment = charge(office, account_id, Pick(invoice_id, 5000))
    office.gateway_says(disputed(payment, DisputeStatus.OPEN, opened_at=morning(0), heard_at=morning(0)), "evt_1")
    assert told(tried(office, account_id)) == {}
    at(office, 5)
    office.gateway_says(disputed(payment, DisputeStatus.LOST, opened_at=morning(0), heard_at=morning(5)), "evt_2")
    trial = tried(office, account_id)
    assert told(trial) == {5: ("tier 1", ()), 7: ("tier 2", ())}
    assert trial.letters[0].asked_minor == {"EUR": 12100}
    proves(office, account_id)


def test_O4_a_dispute_that_was_won_before_it_was_heard_of_is_over(office: Office) -> None:
    account_id = office.open_account()
    saves(office, account_id)
    invoice_id = office.invoice(account_id, term="on_receipt")
    payment = charge(office, account_id, Pick(invoice_id, 5000))
    at(office, 10)
    office.gateway_says(disputed(payment, DisputeStatus.WON, opened_at=morning(0), heard_at=morning(4)), "evt_1")
    assert told(tried(office, account_id)) == {1: ("tier 1", (Wrong.DISPUTED,)), 7: ("tier 2", ())}


def test_O4_a_pause_agreed_on_the_day_after_its_run_makes_that_letter_wrong_and_later_ones_unsaid(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.set(datetime.combine(day(1), time(19), ZONE))
    office.change_account(account_id, dunning_paused_until=day(20))
    at(office, 40)
    assert told(tried(office, account_id)) == {1: ("tier 1", (Wrong.PAUSED,)), 21: ("tier 2", ())}


def test_O4_a_promise_given_on_the_day_after_its_run_makes_that_letter_wrong(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.set(datetime.combine(day(1), time(19), ZONE))
    office.change_account(account_id, promises={"EUR": Promise(12100, day(10), day(1), 12100)})
    at(office, 40)
    assert told(tried(office, account_id)) == {1: ("tier 1", (Wrong.PROMISED,)), 11: ("tier 2", ())}


def test_O4_a_due_date_moved_on_the_day_after_its_run_asks_for_what_was_not_due(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    office.clock.set(datetime.combine(day(1), time(19), ZONE))
    postpone(office, account_id, invoice_id, day(20))
    at(office, 40)
    trial = tried(office, account_id)
    assert told(trial) == {1: ("tier 1", (Wrong.OVERSTATED,)), 21: ("tier 1", ()), 27: ("tier 2", ())}
    assert trial.letters[0].overstated_minor == {"EUR": 12100}


def test_O4_money_that_came_before_its_invoice_makes_a_letter_about_another_one_right(office: Office) -> None:
    """What was paid ahead is the customer's credit until its invoice is issued, and covers others meanwhile."""
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    at(office, 10)
    later = office.invoice(account_id, term="on_receipt")
    at(office, 20)
    office.receive(account_id, 12100, allocations=[Allocation(later, 12100)], value_date=day(2))
    wrong = told(tried(office, account_id))
    assert wrong[7] == ("tier 2", (Wrong.ALREADY_PAID,))


# What the policy asks for


def test_O4_reminders_are_tried_too(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id)  # net 30
    at(office, 60)
    office.receive(account_id, 12100, oldest_first=True, value_date=day(25))
    policy = replace(STRICT, reminders=(Reminder(-7, "reminder_upcoming"), Reminder(0, "reminder_today")))
    trial = tried(office, account_id, terms(policy, last=50))
    assert told(trial) == {
        23: ("reminder -7", ()),
        30: ("reminder +0", (Wrong.ALREADY_PAID,)),
        31: ("tier 1", (Wrong.ALREADY_PAID,)),
        37: ("tier 2", (Wrong.ALREADY_PAID,)),
    }


def test_O4_nothing_is_said_of_tiers_reached_before_the_period(office: Office) -> None:
    """D1: a policy that is switched on sends nothing for the past."""
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    at(office, 40)
    assert told(tried(office, account_id, terms(first=3))) == {7: ("tier 2", ())}
    assert told(tried(office, account_id, terms(first=8))) == {}


def test_O4_an_account_that_wants_no_notices_gets_none(office: Office) -> None:
    account_id = office.open_account(dunning=False)
    office.invoice(account_id, term="on_receipt")
    at(office, 5)
    office.change_account(account_id, dunning=True)
    at(office, 40)
    assert told(tried(office, account_id)) == {7: ("tier 2", ())}


def test_O4_prepaid_charges_are_never_asked_for(office: Office) -> None:
    """D10"""
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    office.books.overwrite(replace(office.item(account_id, invoice_id), mode=PaymentMode.PREPAID))
    at(office, 40)
    assert told(tried(office, account_id)) == {}


def charging_office() -> Office:
    return charging(LateChargeRules(FORTY, None))


def test_O4_D9_a_late_charge_that_stays_unpaid_brings_about_no_letter_of_its_own() -> None:
    office = charging_office()
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    at(office, 3)
    office.run_dunning()
    assert office.item(account_id, invoice_id).late_charges
    at(office, 5)
    office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)])
    at(office, 40)
    assert told(tried(office, account_id)) == {1: ("tier 1", ())}


def test_O4_D9_a_notice_asks_for_a_late_charge_from_the_day_of_its_issue_and_is_not_wrong_for_that() -> None:
    office = charging_office()
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, term="on_receipt")
    at(office, 7)
    by_hand(office, account_id, invoice_id)
    at(office, 40)
    trial = tried(office, account_id)
    assert told(trial) == {1: ("tier 1", ()), 7: ("tier 2", ())}
    last = trial.letters[-1]
    assert (last.asked_minor, last.overstated_minor) == ({"EUR": 12100 + 4000}, {})
    assert last.numbers == ("INV-2026-000001", "INV-2026-000002")


def test_O4_D8_a_notice_that_somebody_sent_by_hand_counts_as_really_sent(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    at(office, 5)
    sends_notice(office, account_id)
    assert tried(office, account_id, terms(last=5)).really_sent == {"dunning_tier_1": 1}


def test_O4_the_time_of_day_of_the_run_decides_what_it_knows(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.clock.set(datetime.combine(day(1), time(12), ZONE))
    office.receive(account_id, 12100, oldest_first=True)
    assert told(tried(office, account_id, replace(terms(), runs_at=time(13)))) == {}
    assert told(tried(office, account_id, replace(terms(), runs_at=time(7)))) == {1: ("tier 1", (Wrong.ALREADY_PAID,))}


def test_O4_what_was_really_sent_is_counted_for_comparison(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    for number in range(40):
        at(office, number)
        office.run_dunning()
    assert tried(office, account_id).really_sent == {"dunning_tier_1": 1, "dunning_tier_2": 1, "dunning_tier_3": 1}
    assert tried(office, account_id, terms(first=5, last=20)).really_sent == {"dunning_tier_2": 1}


def test_O4_a_trial_changes_and_sends_nothing(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    at(office, 40)
    before, steps = office.books.state(), len(office.trouble.steps)
    assert tried(office, account_id).letters
    assert office.books.state() == before
    assert office.mailer.sent == []
    assert set(office.trouble.steps[steps:]) == {"load"}


def test_O4_of_documents_only_what_matters_in_the_period_is_read(office: Office) -> None:
    account_id = office.open_account()
    for _ in range(5):
        office.invoice(account_id, term="on_receipt")
    office.receive(account_id, 5 * 12100, oldest_first=True)
    at(office, 30)
    steps = len(office.trouble.steps)
    assert tried(office, account_id, terms(first=5, last=30)).letters == ()
    assert office.trouble.steps[steps:] == [], "not one open item"


# Refusals


def test_an_account_that_there_is_not_is_refused(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        tried(office, "acc_none")


@pytest.mark.parametrize(("first", "last"), [(1, 0), (0, 366)])
def test_a_period_has_an_end_after_its_beginning_and_a_limit(first: int, last: int) -> None:
    with pytest.raises(InvalidError) as refusal:
        terms(first=first, last=last)
    assert (refusal.value.code, refusal.value.facts) == ("bad_period", {"max_days": 366})


def test_days_to_come_cannot_be_tried() -> None:
    terms(last=3).require_past(day(3))
    with pytest.raises(RuleError) as refusal:
        terms(last=4).require_past(day(3))
    assert (refusal.value.code, refusal.value.facts) == ("trial_in_future", {"latest": day(3).isoformat()})


# The trial against the real thing


def disputed(payment: Payment, status: DisputeStatus, *, opened_at: datetime, heard_at: datetime) -> GatewayReport:
    """The gateway's word that a dispute of all of the payment, begun at one instant, stands so at another."""
    report = dispute_on(payment, status)
    assert report.dispute is not None
    dispute = replace(report.dispute, opened_at=opened_at, reported_at=heard_at)
    return replace(report, occurred_at=heard_at, dispute=dispute)


def postpone(office: Office, account_id: str, invoice_id: str, until: date) -> None:
    ask: Request[IssuedInvoice] = office.request(body=until.isoformat())
    postpone_due_date(account_id, invoice_id, 1, until, "asked for", ask, office.firm, office.books, office.clock)


class NothingToChooseError(Exception):
    """A morning's deed needs something that is not there."""


type StoryLetter = tuple[date, str, Counter[tuple[str, date]], dict[str, int]]
"""When, which template, what it lists, what it asks for."""


@dataclass(repr=False)
class Story:
    """One account over some weeks: what happens in the mornings is drawn, and a run looks at it each evening.

    With `late`, some facts are heard of days after they took effect. What the office refuses does not happen.
    """

    draw: st.DrawFn
    policy: DunningPolicy
    late: bool

    def __post_init__(self) -> None:
        switches = {Automation.DUNNING: LONG_AGO, Automation.REMINDERS: LONG_AGO}
        self.office = Office(firm=firm(switches=switches, dunning_policies={"standard": self.policy}))
        self.account_id = self.office.open_account()
        saves(self.office, self.account_id)
        self.deeds: list[tuple[int, str]] = []
        self.events = self.recorded = 0
        self.look_on: date | None = TODAY
        self.said = DunningState()
        self.written: dict[tuple[str, str, date, date | None], StoryLetter] = {}

    @property
    def today(self) -> date:
        return self.office.firm.today(self.office.clock.now())

    def one_of[T](self, things: Sequence[T]) -> T:
        if not things:
            raise NothingToChooseError
        return self.draw(st.sampled_from(things))

    def day_before(self) -> date:
        return self.today - timedelta(days=self.draw(st.integers(0, 9))) if self.late else self.today

    def __repr__(self) -> str:
        return f"{self.policy}, late={self.late}: {self.deeds}"

    # Mornings

    def invoice(self) -> None:
        term = self.draw(st.sampled_from(["on_receipt", "on_receipt", "net30"]))
        self.office.invoice(
            self.account_id, self.draw(st.integers(1, 3)) * 10000, term=term, currency=self.draw(st.sampled_from(["EUR", "USD"]))
        )

    def money(self) -> None:
        amount = self.draw(st.sampled_from([5000, 12100, 24200, 30000]))
        currency, oldest_first = self.draw(st.sampled_from(["EUR", "USD"])), self.draw(st.booleans())
        value_date = self.day_before()
        self.office.receive(self.account_id, amount, oldest_first=oldest_first, currency=currency, value_date=value_date)

    def goodwill(self) -> None:
        self.office.goodwill(self.account_id, self.draw(st.sampled_from([1210, 12100])))

    def allocation(self) -> None:
        lots = [each for each in self.office.books.all(Payment) if each.unapplied_minor]
        payment, item = self.one_of(lots), self.one_of(self.open_items())
        share = Allocation(item.invoice_id, min(payment.unapplied_minor, item.open_minor))
        self.office.allocate(self.account_id, payment.id, share, currency=payment.currency)

    def reversal(self) -> None:
        payment = self.one_of(self.office.books.all(Payment))
        reverse(self.office, self.account_id, payment.id, self.day_before())

    def postponement(self) -> None:
        item = self.one_of(self.open_items())
        postpone(self.office, self.account_id, item.invoice_id, self.today + timedelta(days=self.draw(st.integers(0, 10))))

    def write_off(self) -> None:
        office, item = self.office, self.one_of(self.open_items())
        ask: Request[IssuedInvoice] = office.request()
        write_off_invoice(self.account_id, item.invoice_id, "gone", ask, office.firm, office.books, office.clock)

    def card(self) -> None:
        item = self.one_of(self.open_items())
        charge(self.office, self.account_id, Pick(item.invoice_id, self.draw(st.sampled_from([1000, 5000, item.open_minor]))))

    def dispute(self) -> None:
        cards = [each for each in self.office.books.all(Payment) if each.cash_account == "stripe"]
        payment = self.one_of([each for each in cards if not any(dispute.status in DECIDED for dispute in each.disputes)])
        begun = next((each.opened_at for each in payment.disputes if each.opened_at), None)
        begun = begun or datetime.combine(max(self.day_before(), payment.value_date or self.today), time(9), ZONE)
        heard = max(datetime.combine(self.day_before(), time(9, 30), ZONE), begun)
        self.events += 1
        report = disputed(payment, self.draw(st.sampled_from(OPEN_OR_DECIDED)), opened_at=begun, heard_at=heard)
        self.office.gateway_says(report, f"evt_{self.events}")

    def pause(self) -> None:
        until = self.today + timedelta(days=self.draw(st.integers(0, 10)))
        standing = self.office.account(self.account_id).dunning_paused_until
        pauses(self.office, self.account_id, max(until, standing or until))

    def end_of_pause(self) -> None:
        ends_pause(self.office, self.account_id)

    def promise(self) -> None:
        amount = self.draw(st.sampled_from([1000, 5000, 12100]))
        promises(self.office, self.account_id, amount, self.today + timedelta(days=self.draw(st.integers(0, 10))))

    def withdrawal(self) -> None:
        withdraws(self.office, self.account_id)

    def switch(self) -> None:
        self.office.change_account(self.account_id, dunning=self.draw(st.booleans()))

    def open_items(self) -> list[OpenItem]:
        return list(self.office.books.open_items(self.account_id))

    # Evenings

    def situation(self) -> Situation:
        """The account as it stands, read from its open items."""
        account, balances = self.office.books.account_with_balances(self.account_id)
        assert account is not None
        since = {each: self.office.firm.switched_on(each, account) for each in (Automation.DUNNING, Automation.REMINDERS)}
        days = {each: self.office.firm.today(instant) if instant else None for each, instant in since.items()}
        return Situation(
            [
                OpenPart(item.invoice_id, item.number, item.currency, item.issued_on, part)
                for item in self.open_items()
                if not item.disputed_by
                for part in item.parts
            ],
            self.said,
            {balance.currency: balance.credit_minor for balance in balances},
            days[Automation.DUNNING],
            days[Automation.REMINDERS],
            account.dunning_paused_until,
            account.promises,
        )

    def evening(self) -> None:
        """What the policy decides on the account as it stands, on days on which something was recorded or the last decision
        wanted to look; then the real run, which looks at whom the agenda names."""
        self.office.clock.set(datetime.combine(self.today, RUN, ZONE))
        self.decide()
        self.office.run_dunning()

    def decide(self) -> None:
        recorded = len(self.office.books.all(JournalEntry)) + len(self.office.books.all(AccountChange))
        if recorded == self.recorded and not (self.look_on and self.look_on <= self.today):
            return
        self.recorded = recorded
        situation = self.situation()
        decision = decide(situation, self.policy, self.today)
        if notice := decision.notice:
            step = (f"tier{notice.tier.number}", notice.after_silence)
            self.write((self.today, notice.tier.template, listed(notice.parts), notice.net_minor), notice.parts[0], *step)
        for due in decision.reminders:
            reminder: StoryLetter = (self.today, due.reminder.template, listed(due.parts), {})
            self.write(reminder, due.parts[0], due.reminder.template, None)
        self.said = said_after(situation, decision, self.policy, self.today)
        self.look_on = decision.look_again_on

    def write(self, letter: StoryLetter, first: OpenPart, step: str, silence: date | None) -> None:
        """The same step about the same part is written once."""
        self.written.setdefault((step, first.invoice_id, first.due_date, silence), letter)

    def notices_sent(self) -> list[tuple[date, str, dict[str, int]]]:
        messages = sorted(self.office.books.all(Message), key=lambda message: message.claimed_at)
        notices = [message for message in messages if message.id.startswith("msg_dunning_")]
        return [(self.office.firm.today(each.claimed_at), each.template, json.loads(each.text)["net_minor"]) for each in notices]

    def tried(self) -> AccountTrial:
        return tried(self.office, self.account_id, TrialTerms(self.policy, TODAY, self.today, RUN))


DECIDED = (DisputeStatus.WON, DisputeStatus.LOST)
OPEN_OR_DECIDED = (DisputeStatus.OPEN, *DECIDED)
DEEDS = (
    "invoice", "invoice", "invoice", "money", "money", "goodwill", "allocation", "reversal", "postponement", "write_off",
    "card", "card", "dispute", "dispute", "pause", "end_of_pause", "promise", "withdrawal", "switch",
)  # fmt: skip
POLICIES = (
    STRICT,
    DunningPolicy(),
    replace(STRICT, reminders=(Reminder(-3, "reminder_upcoming"), Reminder(0, "reminder_today"), Reminder(4, "reminder_late"))),
)


def listed(parts: Sequence[OpenPart]) -> Counter[tuple[str, date]]:
    """What a letter lists: per invoice and due date."""
    found: Counter[tuple[str, date]] = Counter()
    for part in parts:
        found[part.number, part.due_date] += part.part.open_minor
    return found


@st.composite
def stories(draw: st.DrawFn, *, late: bool, days: int = 25) -> Story:
    story = Story(draw, draw(st.sampled_from(POLICIES)), late)
    story.invoice()
    for number in range(days):
        story.office.clock.set(NOW + timedelta(days=number))
        for deed in draw(st.lists(st.sampled_from(DEEDS), max_size=2)):
            with suppress(RemitError, NothingToChooseError):
                getattr(story, deed)()
                story.deeds.append((number, deed))
            story.office.clock.advance(minutes=1)
        story.evening()
    return story


SLOWLY = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""A story that fails is not made shorter: each attempt takes an office through weeks."""


@SLOWLY
@given(stories(late=True))
def test_O4_the_trial_of_the_very_policy_that_ran_names_the_letters_that_were_sent(story: Story) -> None:
    letters = story.tried().letters
    told_of = [(each.on, each.template, listed(each.parts), each.asked_minor if each.tier else {}) for each in letters]
    assert told_of == list(story.written.values())
    assert [(each.on, each.template, each.asked_minor) for each in letters if each.tier] == story.notices_sent()
    assert story.office.differences(story.account_id) == ()


@SLOWLY
@given(stories(late=False))
def test_O4_where_all_is_recorded_on_its_day_before_the_run_no_letter_is_wrong(story: Story) -> None:
    assert [(each.on, each.step, each.wrong, each.overstated_minor) for each in story.tried().letters if each.wrong] == []
