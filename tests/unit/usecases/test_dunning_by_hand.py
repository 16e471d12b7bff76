"""What people decide about an account's dunning: pauses, promises, policies of its own, notices by hand (D1, D6, D8)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from remit.domain.accounts import AccountChange, PaymentMode
from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy, PromiseState
from remit.domain.errors import IdempotencyKeyReusedError, InvalidError, NotFoundError, RuleError, TransientError
from remit.domain.messages import MessageStatus
from remit.domain.payments import Allocation
from remit.usecases.send_message import LEASE
from tests.fakes import Fault, MachineDiedError
from tests.support import dunning as dun
from tests.support.builders import CLERK, TODAY, Office
from tests.support.refusals import refused

ONE, TWO, THREE = ["dunning_tier_1"], ["dunning_tier_2"], ["dunning_tier_3"]


@pytest.fixture
def office() -> Office:
    return dun.open_office()


@pytest.fixture
def debtor(office: Office) -> str:
    """Owes EUR 121.00 since day 0."""
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    return account_id


def day(count: int) -> date:
    return TODAY + timedelta(days=count)


def changes_of(office: Office, account_id: str) -> list[AccountChange]:
    return office.books.newest(AccountChange, account_id, None, 10)[0]


# Pauses


def test_D6_silent_through_that_day_and_the_day_after_one_notice_at_the_tier_of_that_day(office: Office, debtor: str) -> None:
    assert dun.run_days(office, 5) == {3: ONE}
    dun.pauses(office, debtor, day(20))
    assert dun.run_days(office, 40) == {21: TWO, 30: THREE}
    assert office.differences(debtor) == ()


def test_D6_after_a_pause_a_tier_that_was_said_before_is_said_again(office: Office, debtor: str) -> None:
    assert dun.run_days(office, 5) == {3: ONE}
    dun.pauses(office, debtor, day(8))
    assert dun.run_days(office, 8) == {9: ONE}
    assert len({message.id for message in dun.messages(office)}) == 2


def test_D6_a_pause_that_is_ended_early_is_as_if_it_had_not_been_and_wakes_the_account(office: Office, debtor: str) -> None:
    dun.run_days(office, 5)
    dun.pauses(office, debtor, day(300))
    assert dun.run_days(office, 15) == {}
    assert office.balance(debtor).look_again_on == day(301)
    dun.ends_pause(office, debtor)
    assert office.balance(debtor).look_again_on == day(20)
    assert dun.run_days(office, 15) == {20: TWO, 30: THREE}


def test_D6_a_pause_that_is_ended_before_anything_was_kept_silent_repeats_nothing(office: Office, debtor: str) -> None:
    dun.run_days(office, 5)
    dun.pauses(office, debtor, day(30))
    dun.runs(office)
    dun.ends_pause(office, debtor)
    assert dun.run_days(office, 10) == {14: TWO}


def test_D6_another_pause_replaces_the_one_there_is(office: Office, debtor: str) -> None:
    dun.at(office, 3)
    for until in (30, 40, 10):
        dun.pauses(office, debtor, day(until))
        look = office.balance(debtor).look_again_on
        assert look is not None
        assert look <= day(3), "looked at again, to find its new place"
        dun.runs(office)
        assert office.balance(debtor).look_again_on == day(until + 1)
    assert dun.run_days(office, 10) == {11: ONE}


def test_D6_the_history_says_who_paused_until_when_and_why(office: Office, debtor: str) -> None:
    dun.pauses(office, debtor, day(10), "on leave")
    dun.pauses(office, debtor, day(10), "on leave")
    dun.ends_pause(office, debtor)
    dun.ends_pause(office, debtor)
    ended, paused, *_ = changes_of(office, debtor)
    assert len(changes_of(office, debtor)) == 3, "a repeat writes nothing"
    assert (paused.actor, paused.after, paused.note) == (CLERK, {"dunning_paused_until": day(10).isoformat()}, "on leave")
    assert (ended.before, ended.after) == (paused.after, {"dunning_paused_until": None})


@pytest.mark.parametrize("until", [-1, 3651, 5_000])
def test_D6_a_pause_ends_today_or_later_within_ten_years(office: Office, debtor: str, until: int) -> None:
    with refused(office.books, "pause_out_of_range", RuleError) as facts:
        dun.pauses(office, debtor, day(until))
    assert facts == {"earliest": day(0).isoformat(), "latest": day(3650).isoformat()}


def test_D6_nobody_is_not_paused(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        dun.pauses(office, "acc_none", day(1))


# Promises


def test_D8_silent_until_it_is_broken_then_one_notice_the_day_after(office: Office, debtor: str) -> None:
    dun.run_days(office, 5)
    given = dun.promises(office, debtor, 12100, day(20)).body
    assert (given["currency"], given["state"], given["promise"]["overdue_minor"]) == ("EUR", "open", 12100)
    assert dun.run_days(office, 30) == {21: TWO, 30: THREE}
    assert [each.state for each in dun.standing(office, debtor).promises] == [PromiseState.BROKEN]


def test_D8_a_promise_that_is_kept_ends_it_and_the_rest_is_dunned_as_ever(office: Office, debtor: str) -> None:
    invoice = office.books.open_items(debtor, "EUR")[0].invoice_id
    dun.run_days(office, 5)
    dun.promises(office, debtor, 5000, day(20))
    office.receive(debtor, 5000, allocations=[Allocation(invoice, 5000)])
    assert [each.state for each in dun.standing(office, debtor).promises] == [PromiseState.KEPT]
    dun.run_days(office, 16)
    assert dun.templates(office) == ["dunning_tier_1", "dunning_tier_2"], "what is left, on its own day or the next look"


def test_D8_a_promise_that_is_withdrawn_is_as_if_it_had_not_been_given(office: Office, debtor: str) -> None:
    dun.run_days(office, 5)
    dun.promises(office, debtor, 12100, day(60))
    assert dun.run_days(office, 11) == {}
    dun.withdraws(office, debtor)
    assert dun.run_days(office, 3) == {16: TWO}
    withdrawn, given, *_ = changes_of(office, debtor)
    assert (given.note, withdrawn.note) == ("by phone", "a mistake")
    assert (withdrawn.before["promises"].keys(), withdrawn.after["promises"]) == ({"EUR"}, {})
    with refused(office.books, "promise_not_found", NotFoundError):
        dun.withdraws(office, debtor)


@pytest.mark.parametrize(
    ("amount", "by", "code", "facts"),
    [
        (12101, 5, "promise_exceeds_overdue", {"currency": "EUR", "overdue_minor": 12100}),
        (100, 91 + 4, "promise_out_of_range", {"earliest": day(4).isoformat(), "latest": day(94).isoformat()}),
        (100, 3, "promise_out_of_range", {"earliest": day(4).isoformat(), "latest": day(94).isoformat()}),
    ],
)
def test_D8_what_cannot_be_promised_says_what_can(
    office: Office, debtor: str, amount: int, by: int, code: str, facts: dict[str, object]
) -> None:
    dun.at(office, 4)
    with refused(office.books, code, RuleError) as refused_with:
        dun.promises(office, debtor, amount, day(by))
    assert refused_with == facts


def test_D8_nothing_overdue_nothing_to_promise_also_when_credit_covers_it(office: Office, debtor: str) -> None:
    with refused(office.books, "nothing_overdue", RuleError):
        dun.promises(office, debtor, 100, day(5))
    dun.at(office, 4)
    with refused(office.books, "nothing_overdue", RuleError):
        dun.promises(office, debtor, 100, day(5), currency="USD")
    office.receive(debtor, 12100)
    with refused(office.books, "nothing_overdue", RuleError):
        dun.promises(office, debtor, 100, day(5))


def test_D8_an_index_that_has_not_caught_up_is_not_believed_about_a_promise(office: Office, debtor: str) -> None:
    dun.at(office, 4)
    with office.books.lagging():
        office.receive(debtor, 12000, oldest_first=True)
        with refused(office.books, "index_behind", TransientError):
            dun.promises(office, debtor, 12100, day(5))


# Its own policy and its own switches


def test_D5_an_account_may_have_a_policy_of_its_own_and_the_change_wakes_it(office: Office, debtor: str) -> None:
    dun.run_days(office, 5)
    assert office.balance(debtor).look_again_on == day(14)
    dun.sets_policy(office, dun.reminding(tiers=(1, 4), id="strict"))
    office.change_account(debtor, dunning_policy_id="strict")
    assert office.balance(debtor).look_again_on == day(5)
    dun.runs(office)
    last = dun.messages(office)[-1]
    assert (last.template, last.policy_id, last.policy_revision) == ("dunning_tier_2", "strict", 1)
    office.change_account(debtor, dunning_policy_id=None)
    assert dun.standing(office, debtor).policy.id == "standard"


def test_D5_a_policy_that_does_not_exist_is_refused_and_the_known_ones_named(office: Office, debtor: str) -> None:
    dun.sets_policy(office, dun.reminding(id="strict"))
    with refused(office.books, "unknown_dunning_policy", InvalidError) as facts:
        office.change_account(debtor, dunning_policy_id="lenient")
    assert facts == {"known": ["standard", "strict"]}


def test_D1_switching_reminders_on_wakes_the_account_and_sends_nothing_for_the_past() -> None:
    office = dun.open_office(-7, 0)
    account_id = office.open_account(reminders=False)
    office.invoice(account_id, term="net30")
    assert office.balance(account_id).look_again_on == day(31)
    dun.at(office, 24)
    office.change_account(account_id, reminders=True)
    assert office.balance(account_id).look_again_on == day(24)
    assert dun.run_days(office, 8) == {30: [dun.UPCOMING]}


@pytest.mark.parametrize("planned", [4, 5, 20])
def test_what_wakes_an_account_while_a_run_has_read_it_is_not_lost(office: Office, debtor: str, planned: int) -> None:
    """The run decides without the new policy; the account is looked at again the next day."""
    dun.run_days(office, 5)
    dun.sets_policy(office, dun.reminding(tiers=(1, 4), id="strict"))
    office.books.overwrite(replace(office.balance(debtor), look_again_on=day(planned)))
    office.trouble.meanwhile(lambda: office.change_account(debtor, dunning_policy_id="strict"), on="commit", at=1)
    office.dun(debtor)
    assert office.trouble.pending == 0
    assert office.balance(debtor).look_again_on == day(6)


# By hand


def test_D8_a_notice_by_hand_is_said_again_and_counts_as_the_step(office: Office, debtor: str) -> None:
    dun.run_days(office, 5)
    sent = dun.sends_notice(office, debtor).body
    assert (sent["template"], sent["status"], sent["actor"]["id"]) == ("dunning_tier_1", "sent", CLERK.id)
    assert (sent["policy_id"], sent["policy_revision"]) == ("standard", 0)
    assert office.balance(debtor).dunning.notified_on == day(5)
    dun.at(office, 14)
    dun.sends_notice(office, debtor)
    assert dun.run_days(office, 10) == {}, "the tier was said by hand"
    assert office.differences(debtor) == ()


@pytest.mark.parametrize("silence", ["switch", "own switch", "pause", "promise"])
def test_D8_a_person_asked_so_it_goes_also_while_dunning_is_silent(office: Office, debtor: str, silence: str) -> None:
    dun.at(office, 14)
    silences: dict[str, Callable[[], object]] = {
        "switch": lambda: dun.switches(office),
        "own switch": lambda: office.change_account(debtor, dunning=False),
        "pause": lambda: dun.pauses(office, debtor, day(60)),
        "promise": lambda: dun.promises(office, debtor, 12100, day(60)),
    }
    silences[silence]()
    assert dun.sends_notice(office, debtor).body["template"] == "dunning_tier_2"
    assert dun.run_days(office, 10) == {}


def test_D8_once_for_a_key(office: Office, debtor: str) -> None:
    dun.at(office, 5)
    first, again = (dun.sends_notice(office, debtor, key="k") for _ in range(2))
    assert (first.body, again.replayed, len(office.mailer.sent)) == (again.body, True, 1)
    office.receive(debtor, 12100, oldest_first=True)
    assert dun.sends_notice(office, debtor, key="k").body == first.body, "also when there would be none any more"
    other = office.open_account()
    with pytest.raises(IdempotencyKeyReusedError):
        dun.promises(office, other, 100, day(9), key="k")


def test_D8_below_the_first_tier_it_says_when(office: Office, debtor: str) -> None:
    dun.at(office, 2)
    with refused(office.books, "below_first_tier", RuleError) as facts:
        dun.sends_notice(office, debtor)
    assert facts == {"first_tier_on": day(3).isoformat()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"disputed_by": ("pay_1",)}, "only_disputed"),
        ({"mode": PaymentMode.PREPAID}, "prepaid_not_reminded"),
    ],
)
def test_D7_D10_what_is_left_out_of_dunning_is_not_sent_by_hand_either(
    office: Office, debtor: str, change: dict[str, object], code: str
) -> None:
    item = office.books.open_items(debtor, "EUR")[0]
    office.books.overwrite(replace(item, **change))  # type: ignore[arg-type]
    dun.at(office, 20)
    with refused(office.books, code, RuleError) as facts:
        dun.sends_notice(office, debtor)
    assert facts == {"invoices": [item.number]}
    left_out = dun.standing(office, debtor)
    assert [*left_out.disputed, *left_out.prepaid] == [item.number]


def test_D7_who_owes_nothing_net_of_credit_gets_none(office: Office, debtor: str) -> None:
    office.receive(debtor, 12100)
    dun.at(office, 20)
    with refused(office.books, "nothing_overdue", RuleError):
        dun.sends_notice(office, debtor)


STEPS = ["commit", "send", "commit", "commit"]  # claim, hand over, mark; then what was said, with the answer


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
def test_D8_whatever_fails_wherever_asking_again_sends_it_once(step: int, fault: Fault) -> None:
    office = dun.open_office()
    debtor = office.open_account()
    office.invoice(debtor, term="on_receipt")
    dun.at(office, 5)
    office.trouble.strike(fault, at=step)
    for _ in range(10):
        try:
            answer = dun.sends_notice(office, debtor, key="k")
        except (MachineDiedError, TransientError):
            office.clock.advance(seconds=LEASE.total_seconds())
        else:
            break
    handed_over_unmarked = STEPS[step - 1] == "send" and fault in (Fault.CRASH_AFTER, Fault.LOST_REPLY)
    died_before_mark = step > 1 and STEPS[step - 2] == "send" and fault is Fault.CRASH_BEFORE
    assert len(office.mailer.sent) == 1 + (handed_over_unmarked or died_before_mark)
    assert answer.body["status"] == MessageStatus.SENT
    assert office.balance(debtor).dunning.tier == 1
    assert office.differences(debtor) == ()


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
@pytest.mark.parametrize("deed", ["promise", "pause", "withdraw", "end pause"])
def test_a_lost_race_or_reply_changes_nothing_twice(office: Office, debtor: str, deed: str, fault: Fault) -> None:
    dun.at(office, 5)
    if deed == "withdraw":
        dun.promises(office, debtor, 12100, day(20))
    if deed == "end pause":
        dun.pauses(office, debtor, day(20))
    before = len(changes_of(office, debtor))
    office.trouble.strike(fault, on="commit", at=1)
    deeds: dict[str, Callable[[], object]] = {
        "promise": lambda: dun.promises(office, debtor, 12100, day(20)),
        "pause": lambda: dun.pauses(office, debtor, day(20)),
        "withdraw": lambda: dun.withdraws(office, debtor),
        "end pause": lambda: dun.ends_pause(office, debtor),
    }
    deeds[deed]()
    assert office.trouble.pending == 0
    assert len(changes_of(office, debtor)) == before + 1


# How it stands


def test_D6_D8_how_it_stands_says_what_a_run_would_send_today() -> None:
    office = dun.open_office(-7, 0, 3)
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    office.invoice(account_id, 20000, term="net30")
    dun.run_days(office, 14)
    standing = dun.standing(office, account_id)
    assert (standing.policy, standing.said.tier, standing.next_look_on) == (office.firm.policy("standard"), 1, day(14))
    notice = standing.today.notice
    assert notice is not None
    assert (standing.today.why, notice.tier.number, standing.today.look_again_on) == ("notice", 2, day(23))
    before = office.books.state()
    dun.standing(office, account_id)
    assert office.books.state() == before
    outcome = office.dun(account_id)
    assert (outcome.why, outcome.tier) == (standing.today.why, notice.tier.number)
    assert standing.switched_on.keys() == {Automation.DUNNING, Automation.REMINDERS}


def test_an_unknown_account_has_no_standing(office: Office) -> None:
    with refused(office.books, "account_not_found", NotFoundError):
        dun.standing(office, "acc_none")


def test_the_standard_policy_is_the_one_that_remit_comes_with(office: Office, debtor: str) -> None:
    assert dun.standing(office, debtor).policy == DunningPolicy()
