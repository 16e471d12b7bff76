"""Policies with their revisions, and runs: paced, counted, swept, stopped (D1, D4, D5, D7)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.automations import Automation
from remit.domain.dunning import DunningPolicy
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.firm import MAX_POLICIES
from remit.domain.pacing import MAX_RATE, PER_LANE, pace, rest_s
from remit.usecases.dunning_run import Looked, RunCounts, RunState, next_page
from remit.usecases.ports import firm_ref, policy_revision_ref
from remit.usecases.set_dunning_policy import need_policy, policy_history
from remit.usecases.set_firm import set_firm
from tests.fakes import Fault, MachineDiedError
from tests.support import dunning as dun
from tests.support.builders import CLERK, NOW, TODAY, Office
from tests.support.refusals import refused


@pytest.fixture
def office() -> Office:
    return dun.open_office()


# Policies


def test_D5_every_change_of_a_policy_is_a_revision_that_stays(office: Office) -> None:
    first = dun.sets_policy(office, dun.reminding(tiers=(2, 9)))
    office.clock.advance(days=1)
    second = dun.sets_policy(office, dun.reminding(-7, tiers=(2, 9)))
    assert (first.revision, second.revision, office.firm.policy("standard")) == (1, 2, second)
    history = policy_history("standard", office.firm, office.books, None, 10)
    assert [(each.policy, each.actor, each.set_at) for each in history.revisions] == [
        (second, CLERK, NOW + timedelta(days=1)),
        (first, CLERK, NOW),
    ]
    assert office.books.read(policy_revision_ref("standard", 1)).policy == first


def test_D5_the_same_again_is_no_revision_and_writes_nothing(office: Office) -> None:
    dun.sets_policy(office, dun.reminding(-7))
    before = office.books.state()
    assert dun.sets_policy(office, dun.reminding(-7)).revision == 1
    assert office.books.state() == before
    dun.sets_policy(office, replace(DunningPolicy(), id="standard"))
    assert office.firm.policy("standard").revision == 2


def test_D5_setting_what_remit_comes_with_is_no_revision(office: Office) -> None:
    before = office.books.state()
    assert dun.sets_policy(office, DunningPolicy()).revision == 0
    assert office.books.state() == before


def test_D5_the_history_is_read_in_pages(office: Office) -> None:
    for count in range(1, 6):
        dun.sets_policy(office, dun.reminding(tiers=(count, 20)))
    found, cursor = [], None
    for _ in range(9):
        page = policy_history("standard", office.firm, office.books, cursor, 2)
        found += [each.policy.revision for each in page.revisions]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [5, 4, 3, 2, 1]
    for bad in ("6", "x", "-1"):
        with pytest.raises(InvalidError, match="bad_cursor"):
            policy_history("standard", office.firm, office.books, bad, 2)
    assert policy_history("standard", dun.open_office().firm, office.books, None, 2).revisions == []


def test_D5_a_policy_that_names_no_letter_is_refused(office: Office) -> None:
    tiers = tuple(replace(tier, template="love_letter") for tier in DunningPolicy().tiers)
    with refused(office.books, "unknown_template", InvalidError) as facts:
        dun.sets_policy(office, replace(DunningPolicy(), tiers=tiers))
    assert facts["unknown"] == ["love_letter"]
    assert "reminder_upcoming" in facts["known"]


def test_D5_a_firm_has_so_many_policies_at_most(office: Office) -> None:
    for number in range(1, MAX_POLICIES):
        dun.sets_policy(office, dun.reminding(id=f"p{number}"))
    with refused(office.books, "too_many_policies", RuleError):
        dun.sets_policy(office, dun.reminding(id="one_more"))
    assert dun.sets_policy(office, dun.reminding(-7, id="p1")).revision == 2


def test_D5_the_firms_profile_keeps_its_policies_when_it_is_set(office: Office) -> None:
    policy = dun.sets_policy(office, dun.reminding(-7))
    pending = office.firm.dunning_changes
    set_firm(replace(office.firm, name="Other BV", dunning_policies={}), office.books, office.clock)
    dun.refresh(office)
    assert (office.firm.name, office.firm.policy("standard")) == ("Other BV", policy)
    assert office.firm.dunning_changes == pending


def test_an_unknown_policy_is_not_found(office: Office) -> None:
    with pytest.raises(NotFoundError, match="dunning_policy_not_found"):
        need_policy(office.firm, "nope")


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
def test_D5_a_lost_race_or_reply_makes_one_revision(office: Office, fault: Fault) -> None:
    office.trouble.strike(fault, on="commit")
    assert dun.sets_policy(office, dun.reminding(-7)).revision == 1
    assert office.trouble.pending == 0


# Pacing


@given(st.integers(1, MAX_RATE), st.lists(st.integers(0, 2000), max_size=50))
def test_D7_a_run_never_sends_more_than_its_rate_times_its_rests(rate: int, pages: list[int]) -> None:
    assert sum(pages) <= rate * sum(rest_s(messages, rate) for messages in pages)


@given(st.integers(1, MAX_RATE))
def test_D7_no_more_lanes_than_the_rate_allows_and_always_one(rate: int) -> None:
    going = pace(rate)
    assert 1 <= going.lanes <= max(1, rate // PER_LANE)
    assert going.accounts >= 1


def test_D7_nothing_limits_a_run_that_is_told_no_rate() -> None:
    assert (pace(None).accounts, pace(None).lanes, rest_s(10**6, None)) == (500, 10, 0)


def debtors(office: Office, count: int) -> list[str]:
    accounts = [office.open_account(email=f"c{n}@x.example") for n in range(count)]
    for account_id in accounts:
        office.invoice(account_id, term="on_receipt")
    return accounts


def test_D7_a_paced_run_takes_some_accounts_at_a_time_and_rests_for_what_they_were_sent(office: Office) -> None:
    debtors(office, 25)
    dun.at(office, 3)
    rested, state, looked = [], RunState(rate=1), list[Looked]()
    while not (state := next_page(state, looked, office.firm, office.books, office.books, office.clock)).done:
        rested.append((len(state.accounts), state.rest_s, state.lanes))
        looked = [dun.came_of(office.dun(account_id)) for account_id in state.accounts]
    assert rested == [(10, 0, 1), (10, 10, 1), (5, 10, 1)]
    assert state.counts == RunCounts(looked_at=25, notices=25)


def test_D7_the_firms_own_rate_counts_unless_the_run_has_one(office: Office) -> None:
    firm = replace(office.firm, mail_rate=3)
    first = next_page(RunState(), [], firm, office.books, office.books, office.clock)
    named = next_page(RunState(rate=20), [], firm, office.books, office.books, office.clock)
    assert (first.lanes, named.lanes) == (1, 4)


# Runs


def test_D5_a_run_counts_what_it_did_and_who_failed(office: Office) -> None:
    debtors(office, 3)
    dun.at(office, 3)
    state = next_page(RunState(), [], office.firm, office.books, office.books, office.clock)
    state = next_page(state, [Looked(1), Looked(1, 2), Looked(failed=1)], office.firm, office.books, office.books, office.clock)
    assert (state.done, state.counts) == (True, RunCounts(looked_at=3, notices=2, reminders=2, failed=1))


def test_D1_with_dunning_and_reminders_off_nobody_is_found_and_nobody_forgotten(office: Office) -> None:
    debtors(office, 3)
    dun.at(office, 3)
    dun.switches(office)
    assert dun.runs(office).counts.looked_at == 0
    dun.switches(office, Automation.DUNNING)
    assert dun.runs(office).counts.looked_at == 3


@pytest.mark.parametrize("pages", range(5))
def test_D7_a_run_that_is_stopped_or_killed_leaves_the_rest_due(office: Office, pages: int) -> None:
    debtors(office, 25)
    dun.at(office, 3)
    dun.runs(office, rate=1, pages=pages)
    dun.runs(office)
    assert sorted(mail.to for mail in office.mailer.sent) == sorted(f"c{n}@x.example" for n in range(25))


def test_D1_a_switch_that_is_turned_off_ends_a_run_at_its_next_page(office: Office) -> None:
    debtors(office, 25)
    dun.at(office, 3)
    state = next_page(RunState(rate=1), [], office.firm, office.books, office.books, office.clock)
    dun.switches(office)
    assert next_page(state, [Looked()] * 10, office.firm, office.books, office.books, office.clock).done


# Sweeps


def overdue_and_said(office: Office, count: int = 5) -> list[str]:
    """Accounts that have heard the first tier and would next be looked at on day 14."""
    accounts = debtors(office, count)
    dun.at(office, 3)
    dun.runs(office)
    dun.at(office, 6)
    return accounts


def swept(office: Office) -> bool:
    return not office.books.read(firm_ref()).dunning_changes.pending


def test_D5_a_change_of_the_policy_is_swept_by_the_run_after_it_and_no_more(office: Office) -> None:
    overdue_and_said(office)
    dun.sets_policy(office, dun.reminding(tiers=(3, 5, 30)))
    office.clock.advance(minutes=3)
    assert dun.runs(office).counts == RunCounts(looked_at=5, notices=5)
    assert swept(office)
    assert dun.runs(office).counts.looked_at == 0


def test_D5_a_sweep_so_soon_that_somebody_may_not_know_of_the_change_is_made_again(office: Office) -> None:
    overdue_and_said(office)
    dun.sets_policy(office, dun.reminding(tiers=(3, 5, 30)))
    assert dun.runs(office).counts.notices == 5
    assert not swept(office)
    office.clock.advance(minutes=3)
    assert dun.runs(office).counts.notices == 0
    assert swept(office)


@pytest.mark.parametrize("pages", range(4))
def test_D7_a_sweep_that_is_cut_short_is_begun_again_and_sends_nothing_twice(office: Office, pages: int) -> None:
    overdue_and_said(office, 25)
    dun.sets_policy(office, dun.reminding(tiers=(3, 5, 30)))
    office.clock.advance(minutes=3)
    dun.runs(office, rate=1, pages=pages)
    assert not swept(office)
    dun.runs(office)
    assert swept(office)
    assert dun.templates(office).count("dunning_tier_2") == 25


def test_D7_a_sweep_in_which_somebody_failed_is_made_again(office: Office) -> None:
    overdue_and_said(office)
    dun.sets_policy(office, dun.reminding(tiers=(3, 5, 30)))
    office.clock.advance(minutes=3)
    state, failed = RunState(), [Looked(failed=1)] * 5
    state = next_page(state, [], office.firm, office.books, office.books, office.clock)
    assert next_page(state, failed, office.firm, office.books, office.books, office.clock).done
    assert not swept(office)
    assert dun.runs(office).counts.notices == 5
    assert swept(office)


def test_D7_a_policy_that_is_changed_during_a_sweep_is_swept_by_the_next_run(office: Office) -> None:
    overdue_and_said(office)
    dun.sets_policy(office, dun.reminding(tiers=(3, 5, 30)))
    office.clock.advance(minutes=3)
    state = next_page(RunState(), [], office.firm, office.books, office.books, office.clock)
    dun.sets_policy(office, dun.reminding(tiers=(1, 2, 6)))
    assert next_page(state, [Looked()] * 5, office.firm, office.books, office.books, office.clock).done
    assert not swept(office)
    office.clock.advance(minutes=3)
    assert dun.runs(office).counts.notices == 5
    assert dun.templates(office)[-5:] == ["dunning_tier_3"] * 5


def test_D1_D4_reminders_that_the_firm_switches_on_reach_invoices_that_are_open_already() -> None:
    office = dun.open_office(-7)
    dun.switches(office, Automation.DUNNING)
    account_id = office.open_account()
    office.invoice(account_id, term="net30")
    assert office.balance(account_id).look_again_on == TODAY + timedelta(days=31)
    dun.at(office, 5)
    set_firm(replace(office.firm, switches=dict.fromkeys(dun.BOTH, NOW)), office.books, office.clock)
    dun.refresh(office)
    assert dun.run_days(office, 20) == {23: [dun.UPCOMING]}


@pytest.mark.parametrize("fault", Fault)
def test_D7_whatever_fails_when_a_sweep_is_noted_is_mended_by_the_next_run(office: Office, fault: Fault) -> None:
    overdue_and_said(office, 1)
    dun.sets_policy(office, dun.reminding(tiers=(3, 4, 30)))
    office.clock.advance(minutes=3)
    office.trouble.strike(fault, on="commit", at=4)  # claim, mark, move on; then the note
    crashed = fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
    if crashed:
        with pytest.raises(MachineDiedError):
            dun.runs(office)
    dun.runs(office)
    assert office.trouble.pending == 0
    assert swept(office)
    assert dun.templates(office).count("dunning_tier_2") == 1


def test_D7_two_runs_at_once_sweep_and_send_once(office: Office) -> None:
    accounts: Sequence[str] = overdue_and_said(office, 12)
    dun.sets_policy(office, dun.reminding(tiers=(3, 5, 30)))
    office.clock.advance(minutes=3)
    office.trouble.meanwhile(lambda: dun.runs(office), on="commit", at=10)
    dun.runs(office)
    assert dun.templates(office).count("dunning_tier_2") == len(accounts)
    assert swept(office)
