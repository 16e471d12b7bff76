"""Automatic collection with retries (S4, S5, P3, P8), and cards that expire (P3, N3)."""

import contextlib
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.domain.accounts import SavedMethod
from remit.domain.collection import Outcome, RetryPolicy
from remit.domain.collection_attempts import outcome_of
from remit.domain.errors import ConflictError, RemitError
from remit.domain.open_items import CollectionResult
from remit.domain.payments import Allocation, DisputeStatus, Payment, PaymentStatus
from remit.usecases.ports import AgendaKind
from remit.usecases.read_timeline import read_timeline
from remit.usecases.tell_card_expiry import tell_card_expiry
from tests.fakes import Fault, MachineDiedError
from tests.support import collection as col
from tests.support import payments as pay
from tests.support.builders import Office, report_on

DUE = date(2026, 4, 1)


@pytest.fixture
def office() -> Office:
    return col.an_office()


@pytest.fixture
def account_id(office: Office) -> str:
    return col.collecting(office, "pm_visa")


@pytest.fixture
def invoice_id(office: Office, account_id: str) -> str:
    """Due on 1 April: today."""
    invoice_id = office.invoice(account_id)
    office.clock.advance(days=30)
    return invoice_id


def charged_on(office: Office, invoice_id: str) -> list[date]:
    return [office.firm.today(each.created_at) for each in col.attempts(office, invoice_id)]


def test_S4_a_declined_charge_is_tried_again_on_the_policys_days_and_then_given_up(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    for _ in range(30):
        col.run(office, account_id)
        col.run(office, account_id)
        office.clock.advance(days=1)
    assert charged_on(office, invoice_id) == [DUE.replace(day=day) for day in (1, 4, 6, 8)]
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.next_on, standing.why) == (None, "retries_exhausted")
    assert [(each.number, each.method_label, each.outcome, each.reason) for each in standing.attempts] == [
        (number, "visa 4242", Outcome.DECLINED, "insufficient_funds") for number in (1, 2, 3, 4)
    ]
    assert [each.retry_on and each.retry_on.day for each in standing.attempts] == [4, 6, 8, None]
    pay.proves(office, account_id)


def test_S4_the_next_attempt_is_known_and_a_success_ends_it(office: Office, account_id: str, invoice_id: str) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    col.run(office, account_id)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.next_on, standing.why) == (DUE.replace(day=4), "retry_later")
    office.gateway.outcomes["pm_visa"] = col.SUCCESS
    office.clock.advance(days=3)
    col.run(office, account_id)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.next_on, standing.why, len(standing.attempts)) == (None, "settled", 2)
    assert (office.item(account_id, invoice_id).open_minor, pay.due(office, AgendaKind.COLLECTION)) == (0, [])
    pay.proves(office, account_id)


def test_S4_a_schedule_that_stood_still_makes_up_for_nothing(office: Office, account_id: str, invoice_id: str) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    office.clock.advance(days=19)
    for _ in range(5):
        col.run(office, account_id)
    assert charged_on(office, invoice_id) == [DUE.replace(day=20)]
    office.clock.advance(days=2)
    col.run(office, account_id)
    office.clock.advance(days=1)
    col.run(office, account_id)
    assert charged_on(office, invoice_id) == [DUE.replace(day=20), DUE.replace(day=23)]


@pytest.mark.parametrize(
    ("outcome", "why"), [(col.HARD, "hard_decline"), (col.HOLDER, "authentication_required")], ids=["hard decline", "holder"]
)
def test_S4_what_only_the_payer_can_change_stops_until_another_method_is_the_default(
    office: Office, account_id: str, invoice_id: str, outcome: tuple[PaymentStatus, str, bool], why: str
) -> None:
    office.gateway.outcomes["pm_visa"] = outcome
    for _ in range(10):
        col.run(office, account_id)
        office.clock.advance(days=1)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.next_on, standing.why, len(standing.attempts)) == (None, why, 1)
    noted = office.item(account_id, invoice_id).collection
    assert noted is not None
    assert noted.result == why
    pay.saves(office, account_id, "pm_master")
    assert [col.run(office, account_id) for _ in range(2)][1] == [], "the default is the same: looked at, and left"
    pay.chooses(office, account_id, "pm_master")
    pay.chooses(office, account_id, "pm_master")
    for _ in range(3):
        col.run(office, account_id)
    assert [each.saved_method for each in col.attempts(office, invoice_id)] == ["pm_visa", "pm_master"]
    assert office.item(account_id, invoice_id).open_minor == 0
    pay.proves(office, account_id)


def test_S4_a_method_that_was_declined_for_good_is_not_charged_again_when_it_is_the_default_again(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.gateway.outcomes |= {"pm_visa": col.HARD, "pm_master": col.SOFT}
    col.run(office, account_id)
    pay.saves(office, account_id, "pm_master")
    for method_id in ("pm_master", "pm_visa", "pm_master"):
        pay.chooses(office, account_id, method_id)
        col.run(office, account_id)
        office.clock.advance(days=5)
    assert [each.saved_method for each in col.attempts(office, invoice_id)] == ["pm_visa", "pm_master", "pm_master"]


def test_S4_without_a_method_nothing_is_charged_until_one_is_saved(office: Office, account_id: str, invoice_id: str) -> None:
    pay.forgets(office, account_id, "pm_visa")
    (skipped,) = col.run(office, account_id)
    assert (skipped.result, pay.due(office, AgendaKind.COLLECTION)) == (CollectionResult.NO_METHOD, [])
    pay.saves(office, account_id, "pm_master")
    col.run(office, account_id)
    assert office.item(account_id, invoice_id).open_minor == 0


def test_S4_switched_off_nothing_is_charged_and_on_again_one_invoice_a_day(office: Office, account_id: str) -> None:
    invoices = [office.invoice(account_id) for _ in range(3)]
    pay.collects_automatically(office, account_id, False)
    office.clock.advance(days=60)
    assert {each.result for each in col.run(office, account_id)} == {CollectionResult.SWITCHED_OFF}
    assert (col.run(office, account_id), office.gateway.charged) == ([], {})
    standing = col.standing(office, account_id, invoices[0])
    assert standing is not None
    assert (standing.next_on, standing.why) == (None, "switched_off")
    pay.collects_automatically(office, account_id)
    pay.collects_automatically(office, account_id)
    made = []
    for _ in range(4):
        col.run(office, account_id)
        made.append(len(office.gateway.charged))
        office.clock.advance(days=1)
    assert made == [1, 2, 3, 3]
    pay.proves(office, account_id)


def test_S4_switching_on_again_goes_on_with_the_attempts_that_were_made(office: Office, account_id: str, invoice_id: str) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    col.run(office, account_id)
    pay.collects_automatically(office, account_id, False)
    office.clock.advance(days=20)
    col.run(office, account_id)
    pay.collects_automatically(office, account_id)
    col.run(office, account_id)
    col.run(office, account_id)
    assert charged_on(office, invoice_id) == [DUE, DUE.replace(day=21)]
    assert [each.collected and each.collected.number for each in col.attempts(office, invoice_id)] == [1, 2]


def test_S4_P4_while_an_outcome_is_unknown_nothing_else_is_charged(office: Office, account_id: str, invoice_id: str) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    office.trouble.strike(Fault.LOST_REPLY, on="charge")
    col.run(office, account_id)
    for _ in range(5):
        office.clock.advance(days=1)
        col.run(office, account_id)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.why, len(office.gateway.charged)) == ("payment_under_way", 1)
    assert office.item(account_id, invoice_id).collect_on == DUE.replace(day=7), "looked at once a day"
    pay.resolve(office, col.attempts(office, invoice_id)[0])
    for _ in range(4):
        office.clock.advance(days=1)
        col.run(office, account_id)
    assert charged_on(office, invoice_id) == [DUE, DUE.replace(day=9)], "three days after the failure was known"


def goes_unheard(office: Office, account_id: str, invoice_id: str) -> Payment:
    """Today's charge does not reach the gateway, which says two hours later that it knows of none."""
    office.trouble.strike(Fault.THROTTLE, on="charge")
    col.run(office, account_id)
    office.clock.advance(hours=2)
    return pay.resolve(office, col.attempts(office, invoice_id)[-1]).payment


def test_S4_a_charge_that_never_reached_the_gateway_is_made_again_the_next_day(
    office: Office, account_id: str, invoice_id: str
) -> None:
    goes_unheard(office, account_id, invoice_id)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.next_on, standing.why) == (DUE.replace(day=2), "retry_later")
    (told,) = standing.attempts
    assert (told.outcome, told.reason, told.retry_on) == (Outcome.NOT_CHARGED, "not_charged", DUE.replace(day=2))
    col.run(office, account_id)
    assert len(col.attempts(office, invoice_id)) == 1
    office.clock.advance(days=1)
    col.run(office, account_id)
    first, second = col.attempts(office, invoice_id)
    assert (office.gateway.calls, len({first.id, second.id})) == ([first.id, second.id], 2)
    assert office.item(account_id, invoice_id).open_minor == 0
    pay.proves(office, account_id)


def test_S4_what_never_reached_the_gateway_uses_up_no_try(office: Office, account_id: str, invoice_id: str) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    unheard = {2, 3, 6}
    for number in range(1, 8):
        if number in unheard:
            office.trouble.strike(Fault.THROTTLE, on="charge")
        while len(col.attempts(office, invoice_id)) < number:
            col.run(office, account_id)
            office.clock.advance(days=1)
        pay.resolve(office, col.attempts(office, invoice_id)[-1])
    made = col.attempts(office, invoice_id)
    assert [each.collected and each.collected.number for each in made] == [1, 2, 3, 4, 5, 6, 7]
    assert [number for number, each in enumerate(made, 1) if outcome_of(each) is Outcome.NOT_CHARGED] == sorted(unheard)
    office.clock.advance(days=20)
    col.run(office, account_id)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.why, len(standing.attempts)) == ("retries_exhausted", 7)
    col.keeps_its_promises(office, invoice_id)


@pytest.mark.parametrize("when", ["before the next charge", "after it"])
def test_S4_P4_money_of_a_charge_that_was_thought_unheard_of_is_taken_in(
    office: Office, account_id: str, invoice_id: str, when: str
) -> None:
    """Before the next charge nothing else is charged; after it, it is the customer's credit, and nothing is lost."""
    first = goes_unheard(office, account_id, invoice_id)
    late = replace(report_on(first, PaymentStatus.SUCCEEDED), occurred_at=office.clock.now())
    if when == "before the next charge":
        office.gateway_says(late, "evt_late")
    office.clock.advance(days=1)
    col.run(office, account_id)
    if when == "after it":
        office.gateway_says(late, "evt_late")
    charges = 1 if when == "before the next charge" else 2
    assert len(col.attempts(office, invoice_id)) == charges
    assert (office.item(account_id, invoice_id).open_minor, office.balance(account_id).credit_minor) == (0, 12100 * (charges - 1))
    pay.proves(office, account_id)


@pytest.mark.parametrize("outcome", [col.SUCCESS, col.SOFT, col.HARD, col.PROCESSING])
def test_S4_P4_the_gateway_is_asked_once_more_before_another_charge(
    office: Office, account_id: str, invoice_id: str, outcome: Any
) -> None:
    """It knew of the charge after all, and its webhook did not come: that decides, and no second one is made."""
    first = goes_unheard(office, account_id, invoice_id)
    office.gateway.charged[first.id], *failure = outcome
    office.gateway.failures[first.id] = tuple(failure)
    office.clock.advance(days=1)
    for _ in range(2):
        col.run(office, account_id)
    (known,) = col.attempts(office, invoice_id)
    assert (known.status, office.gateway.calls) == (outcome[0], [first.id])
    col.keeps_its_promises(office, invoice_id)
    pay.proves(office, account_id)


def test_S4_while_the_gateway_does_not_answer_nothing_is_charged_beside_what_it_may_know(
    office: Office, account_id: str, invoice_id: str
) -> None:
    goes_unheard(office, account_id, invoice_id)
    for _ in range(3):
        office.clock.advance(days=1)
        office.trouble.strike(Fault.THROTTLE, on="look_up")
        col.run(office, account_id)
    assert len(col.attempts(office, invoice_id)) == 1
    office.clock.advance(days=1)
    col.run(office, account_id)
    assert office.item(account_id, invoice_id).open_minor == 0
    assert charged_on(office, invoice_id) == [DUE, DUE.replace(day=5)]


def test_S4_P8_a_debit_that_comes_back_is_a_failed_attempt_with_its_reason(office: Office) -> None:
    account_id = col.collecting(office, "pm_debit")
    invoice_id = office.invoice(account_id)
    office.gateway.outcomes["pm_debit"] = col.PROCESSING
    office.clock.advance(days=30)
    col.run(office, account_id)
    (first,) = col.attempts(office, invoice_id)
    office.clock.advance(days=2)
    col.decides(office, first, PaymentStatus.SUCCEEDED)
    assert office.item(account_id, invoice_id).open_minor == 0
    office.clock.advance(days=6)
    col.comes_back(office, first)
    assert office.item(account_id, invoice_id).open_minor == 12100
    (told,) = col.attempts(office, invoice_id)
    assert told.collected is not None
    assert (told.status, told.collected.retry_on) == (PaymentStatus.REVERTED, DUE.replace(day=12))
    for _ in range(5):
        col.run(office, account_id)
        office.clock.advance(days=1)
    assert charged_on(office, invoice_id) == [DUE, DUE.replace(day=12)]
    pay.proves(office, account_id)


def test_S4_P8_a_debit_from_a_closed_account_comes_back_for_good(office: Office) -> None:
    account_id = col.collecting(office, "pm_debit")
    invoice_id = office.invoice(account_id)
    office.clock.advance(days=30)
    col.run(office, account_id)
    (first,) = col.attempts(office, invoice_id)
    office.clock.advance(days=4)
    col.comes_back(office, first, "account_closed", is_hard=True)
    for _ in range(10):
        col.run(office, account_id)
        office.clock.advance(days=1)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.why, standing.next_on) == ("hard_decline", None)
    assert [(each.outcome, each.reason) for each in standing.attempts] == [(Outcome.HARD_DECLINE, "account_closed")]


@pytest.mark.parametrize("is_soft", [True, False])
def test_S4_P8_P9_a_debit_that_is_lost_at_once_is_a_failed_attempt(office: Office, is_soft: bool) -> None:
    """So Stripe tells that a debit came back: as a dispute that nobody can win."""
    account_id = col.collecting(office, "pm_debit")
    invoice_id = office.invoice(account_id)
    office.clock.advance(days=30)
    col.run(office, account_id)
    (first,) = col.attempts(office, invoice_id)
    office.clock.advance(days=5)
    report = pay.dispute_on(first, DisputeStatus.LOST, 5 * 86400)
    assert report.dispute is not None
    office.gateway_says(replace(report, dispute=replace(report.dispute, is_soft=is_soft)), "evt_1")
    for _ in range(5):
        col.run(office, account_id)
        office.clock.advance(days=1)
    assert charged_on(office, invoice_id) == ([DUE, DUE.replace(day=9)] if is_soft else [DUE])
    pay.proves(office, account_id)


def test_S4_P9_a_disputed_invoice_is_left_alone(office: Office, account_id: str, invoice_id: str) -> None:
    office.books.commit([replace(office.item(account_id, invoice_id), disputed_by=("pay_x",))])
    (skipped,) = col.run(office, account_id)
    assert (skipped.result, skipped.look_again_on) == (CollectionResult.DISPUTED, DUE.replace(day=8))
    assert office.gateway.charged == {}


def test_S4_what_was_paid_and_given_back_is_not_charged_again(office: Office, account_id: str, invoice_id: str) -> None:
    col.run(office, account_id)
    (paid,) = col.attempts(office, invoice_id)
    taken = [Allocation(invoice_id, 12100)]
    pay.reallocate(office, account_id, paid.id, taken, [])
    for _ in range(10):
        col.run(office, account_id)
        office.clock.advance(days=1)
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert (standing.why, len(col.attempts(office, invoice_id))) == ("paid_before", 1)


# Instalments


def test_S5_a_part_that_is_due_is_charged_with_what_was_declined_before(office: Office, account_id: str) -> None:
    """60.50 due on 12 March, 60.50 on the 16th; the first is declined twice before the second is due."""
    invoice_id = office.invoice(account_id, term="halves")
    office.gateway.outcomes["pm_visa"] = col.SOFT
    for _ in range(30):
        office.clock.advance(days=1)
        col.run(office, account_id)
    seen = col.attempts(office, invoice_id)
    made = [(each.created_at.day, each.amount_minor, each.collected and each.collected.number) for each in seen]
    assert made == [(12, 6050, 1), (15, 6050, 2), (16, 12100, 1), (19, 12100, 2), (21, 12100, 3), (23, 12100, 4)]
    standing = col.standing(office, account_id, invoice_id)
    assert standing is not None
    assert standing.attempts[1].retry_on == date(2026, 3, 16), "not the 17th: it goes with the next part"


def test_S5_after_a_hard_decline_the_next_part_is_not_charged_to_that_method(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, term="halves")
    office.gateway.outcomes["pm_visa"] = col.HARD
    for _ in range(30):
        office.clock.advance(days=1)
        col.run(office, account_id)
    assert [each.amount_minor for each in col.attempts(office, invoice_id)] == [6050]
    pay.saves(office, account_id, "pm_master")
    pay.chooses(office, account_id, "pm_master")
    col.run(office, account_id)
    assert office.item(account_id, invoice_id).open_minor == 0
    assert [each.amount_minor for each in col.attempts(office, invoice_id)] == [6050, 12100]


def test_S5_a_returned_first_part_does_not_wait_for_the_second(office: Office) -> None:
    office.firm = replace(office.firm, collection_retries=RetryPolicy((1, 2)))
    account_id = col.collecting(office, "pm_debit")
    invoice_id = office.invoice(account_id, term="halves")
    office.clock.advance(days=10)
    col.run(office, account_id)
    office.clock.advance(days=2)
    col.run(office, account_id)
    (first,) = col.attempts(office, invoice_id)
    col.comes_back(office, first)
    office.clock.advance(days=1)
    col.run(office, account_id)
    assert [each.created_at.day for each in col.attempts(office, invoice_id)] == [12, 15]
    office.clock.advance(days=1)
    col.run(office, account_id)
    assert office.item(account_id, invoice_id).open_minor == 0
    pay.proves(office, account_id)


# Once, whatever happens


def test_S4_a_payment_at_the_same_moment_is_not_charged_for_again(office: Office, account_id: str) -> None:
    """What is due is decided on one version of the invoice: the part that is not due yet is not taken in its place."""
    invoice_id = office.invoice(account_id, term="halves")
    office.clock.advance(days=10)

    def pays() -> None:
        office.receive(account_id, 6050, allocations=[Allocation(invoice_id, 6050)])

    office.trouble.meanwhile(pays, on="load", at=2)
    (overtaken,) = col.run(office, account_id)
    assert (overtaken.result, office.gateway.charged) == (None, {})
    col.run(office, account_id)
    assert (office.gateway.charged, office.item(account_id, invoice_id).collect_on) == ({}, date(2026, 3, 16))


STEPS = range(1, 8)


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST_REPLY, Fault.CONFLICT, Fault.THROTTLE])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("attempt", [1, 2])
def test_S4_an_attempt_that_dies_at_any_step_is_one_attempt(
    office: Office, account_id: str, invoice_id: str, fault: Fault, step: int, attempt: int
) -> None:
    """Between storing the attempt, asking the gateway, taking in the answer and moving on."""
    office.gateway.outcomes["pm_visa"] = col.SOFT
    if attempt == 2:
        col.run(office, account_id)
        office.clock.advance(days=3)
    office.trouble.strike(fault, at=step)
    with contextlib.suppress(MachineDiedError, RemitError):
        col.run(office, account_id)
    office.trouble.clear()
    for _ in range(2):
        col.run(office, account_id)
        office.clock.advance(minutes=10)
        for payment in col.attempts(office, invoice_id):
            pay.resolve(office, payment)
    made = col.attempts(office, invoice_id)
    assert [each.collected and each.collected.number for each in made] == list(range(1, attempt + 1))
    assert [outcome_of(each) for each in made] == [Outcome.DECLINED] * attempt
    assert len(office.gateway.charged) == attempt
    col.keeps_its_promises(office, invoice_id)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_S4_two_runs_at_once_make_one_attempt(office: Office, account_id: str, invoice_id: str, at: int) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    office.trouble.meanwhile(lambda: pay.collect(office, account_id, invoice_id), on="load", at=at)
    pay.collect(office, account_id, invoice_id)
    assert len(col.attempts(office, invoice_id)) == len(office.gateway.charged) == 1


@pytest.mark.parametrize("at", range(1, 6))
def test_S4_a_new_method_saved_while_a_run_gives_up_is_not_lost(
    office: Office, account_id: str, invoice_id: str, at: int
) -> None:
    office.gateway.outcomes["pm_visa"] = col.HARD
    pay.saves(office, account_id, "pm_master")
    col.run(office, account_id)
    office.clock.advance(days=3)
    office.trouble.meanwhile(lambda: pay.chooses(office, account_id, "pm_master"), on="load", at=at)
    pay.collect(office, account_id, invoice_id)
    if office.trouble.pending:
        office.trouble.clear()
        pay.chooses(office, account_id, "pm_master")
    col.run(office, account_id)
    assert office.item(account_id, invoice_id).open_minor == 0


@pytest.mark.parametrize("step", [1, 2])
def test_S4_a_change_of_method_that_dies_on_the_way_is_finished_by_its_repeat(
    office: Office, account_id: str, invoice_id: str, step: int
) -> None:
    office.gateway.outcomes["pm_visa"] = col.HARD
    pay.saves(office, account_id, "pm_master")
    col.run(office, account_id)
    office.clock.advance(days=9)
    col.run(office, account_id)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=step)
    with pytest.raises(MachineDiedError):
        pay.chooses(office, account_id, "pm_master")
    pay.chooses(office, account_id, "pm_master")
    col.run(office, account_id)
    assert office.item(account_id, invoice_id).open_minor == 0


BANK = {"soft": col.SOFT, "hard": col.HARD, "holder": col.HOLDER, "processing": col.PROCESSING, "success": col.SUCCESS}
MOVES = st.one_of(
    st.tuples(st.just("bank says"), st.sampled_from(sorted(BANK))),
    st.tuples(st.just("days pass"), st.integers(0, 9)),
    st.tuples(st.just("answer is lost"), st.sampled_from([Fault.LOST_REPLY, Fault.THROTTLE])),
    st.tuples(st.just("machine dies"), st.integers(1, 4)),
    st.tuples(st.just("debit is decided"), st.booleans()),
    st.tuples(st.just("debit comes back"), st.booleans()),
    st.tuples(st.just("default is"), st.sampled_from(["pm_visa", "pm_master", "pm_debit"])),
    st.tuples(st.just("customer pays"), st.integers(1, 7000)),
    st.tuples(st.just("switch is"), st.booleans()),
    st.tuples(st.just("run"), st.integers(1, 2)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(MOVES, min_size=5, max_size=30))
def test_S4_S5_whatever_banks_clocks_and_customers_do_nobody_is_charged_too_much_or_too_often(moves: list) -> None:
    office = col.an_office()
    account_id = col.collecting(office, "pm_visa", "pm_master", "pm_debit")
    invoice_id = office.invoice(account_id, term="halves")
    office.clock.advance(days=9)
    for move, what in moves:
        _moves(office, account_id, invoice_id, move, what)
        _runs(office, account_id, invoice_id)
        col.keeps_its_promises(office, invoice_id)
    office.trouble.clear()
    pay.proves(office, account_id)


def _runs(office: Office, account_id: str, invoice_id: str) -> None:
    """The schedule; what it charges is open and due, beside what is under way already."""
    before = office.item(account_id, invoice_id)
    known = {each.id for each in col.attempts(office, invoice_id)}
    with contextlib.suppress(MachineDiedError, RemitError):
        col.run(office, account_id)
    made = [each for each in col.attempts(office, invoice_id) if each.id not in known]
    assert sum(each.amount_minor for each in made) <= before.due_on(office.firm.today(office.clock.now()))
    for each in col.attempts(office, invoice_id):
        with contextlib.suppress(MachineDiedError, RemitError):
            pay.resolve(office, each)


def _moves(office: Office, account_id: str, invoice_id: str, move: str, what: object) -> None:
    made = col.attempts(office, invoice_id)
    waiting = [each for each in made if each.status is PaymentStatus.PROCESSING]
    arrived = [each for each in made if each.status is PaymentStatus.SUCCEEDED]
    open_minor = office.item(account_id, invoice_id).open_minor
    match move, what:
        case "bank says", str(outcome):
            office.gateway.outcomes = dict.fromkeys(("pm_visa", "pm_master", "pm_debit"), BANK[outcome])
        case "days pass", int(days):
            office.clock.advance(days=days)
        case "answer is lost", Fault() as fault:
            office.trouble.strike(fault, on="charge")
        case "machine dies", int(step):
            office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=step)
        case "debit is decided", bool(good) if waiting:
            office.trouble.clear()
            col.decides(
                office, waiting[0], PaymentStatus.SUCCEEDED if good else PaymentStatus.FAILED, None if good else "no_funds"
            )
        case "debit comes back", bool(hard) if arrived:
            office.trouble.clear()
            col.comes_back(office, arrived[-1], "no_account" if hard else "no_funds", is_hard=hard)
        case "default is", str(method_id):
            office.trouble.clear()
            pay.chooses(office, account_id, method_id)
        case "customer pays", int(minor) if minor <= open_minor:
            office.trouble.clear()
            office.receive(account_id, minor, allocations=[Allocation(invoice_id, minor)])
        case "switch is", bool(on):
            office.trouble.clear()
            pay.collects_automatically(office, account_id, on)
        case _:
            pass


# Seen


def test_S4_A6_attempts_stand_on_the_timelines_of_invoice_and_account(office: Office, account_id: str, invoice_id: str) -> None:
    office.gateway.outcomes["pm_visa"] = col.SOFT
    col.run(office, account_id)
    for _ in range(7):
        office.receive(account_id, 100)
    office.clock.advance(days=3)
    office.gateway.outcomes["pm_visa"] = col.SUCCESS
    col.run(office, account_id)
    rows, _ = read_timeline(account_id, office.books, None, 100)
    told = [row.event for row in rows if row.event in col.attempts(office, invoice_id)]
    assert told == col.attempts(office, invoice_id)[::-1]
    pages, cursor = read_timeline(account_id, office.books, None, 2)
    while cursor:
        more, cursor = read_timeline(account_id, office.books, cursor, 2)
        pages += more
    assert [row.event for row in pages] == [row.event for row in rows]


# Cards that expire


def test_P3_a_default_card_is_told_of_once_from_the_first_day_of_its_last_month(office: Office, account_id: str) -> None:
    """The fake's cards expire in January 2030."""
    office.clock.advance(days=(date(2029, 12, 31) - office.firm.today(office.clock.now())).days)
    assert pay.due(office, AgendaKind.CARD_EXPIRY) == []
    office.clock.advance(days=1)
    assert pay.due(office, AgendaKind.CARD_EXPIRY) == [""]
    told = _tells(office, account_id)
    assert told is not None
    assert (told.id, told.expires, told.expiry_told) == ("pm_visa", "2030-01", "2030-01")
    assert (pay.due(office, AgendaKind.CARD_EXPIRY), _tells(office, account_id)) == ([], None)
    pay.saves(office, account_id)
    assert pay.due(office, AgendaKind.CARD_EXPIRY) == [], "told of again by the gateway it is the same card"


def test_P3_a_card_that_was_replaced_is_not_told_of(office: Office, account_id: str) -> None:
    office.clock.advance(days=1500)
    pay.saves(office, account_id, "pm_new")
    account = office.account(account_id)
    newer = tuple(replace(saved, expires="2035-05") if saved.id == "pm_new" else saved for saved in account.payment.saved_methods)
    office.books.commit([replace(account, payment=replace(account.payment, saved_methods=newer))])
    pay.chooses(office, account_id, "pm_new")
    assert (pay.due(office, AgendaKind.CARD_EXPIRY), _tells(office, account_id)) == ([], None)


def test_P3_who_has_no_card_has_no_place_in_the_agenda(office: Office) -> None:
    office.open_account()
    office.clock.advance(days=3000)
    assert pay.due(office, AgendaKind.CARD_EXPIRY) == []


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.CONFLICT])
def test_P3_an_expiry_is_told_once_when_the_store_stumbles(office: Office, account_id: str, fault: Fault) -> None:
    office.clock.advance(days=1500)
    office.trouble.strike(fault, on="commit")
    told = _tells(office, account_id)
    assert told is not None
    assert office.account(account_id).payment.default_saved == told
    assert pay.due(office, AgendaKind.CARD_EXPIRY) == []


def _tells(office: Office, account_id: str) -> SavedMethod | None:
    return tell_card_expiry(account_id, office.firm, office.books, office.clock)


def test_S4_a_version_that_moved_on_is_a_conflict_for_the_store_too(office: Office, account_id: str, invoice_id: str) -> None:
    item = office.item(account_id, invoice_id)
    col.run(office, account_id)
    with pytest.raises(ConflictError):
        office.books.commit([item])
