"""When a collection is charged, tried again and given up (S4, S5, P3)."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.collection import (
    MAX_DAYS,
    MAX_RETRIES,
    Action,
    Attempts,
    MethodStanding,
    Outcome,
    RetryPolicy,
    Step,
    Why,
    next_step,
)
from remit.domain.collection_attempts import (
    attempts_so_far,
    counted_for,
    declined_for_good,
    not_charged_for,
    outcome_of,
    reason_of,
    with_retry,
)
from remit.domain.errors import InvalidError
from remit.domain.open_items import Collection, CollectionResult
from remit.domain.payments import Collected, Dispute, DisputeStatus, Ending, Payment, PaymentStatus, Transaction
from remit.domain.terms import Method
from tests.support.builders import CLERK, NOW, attempt, open_item, report_on

APRIL = date(2026, 4, 1)
POLICY = RetryPolicy((3, 5, 7))
OTHER, DECLINED = MethodStanding.OTHER, MethodStanding.DECLINED


def april(day: int) -> date:
    return date(2026, 4, day)


DECLINE, HARD, HOLDER = Outcome.DECLINED, Outcome.HARD_DECLINE, Outcome.AUTHENTICATION_REQUIRED
NOT_CHARGED = Outcome.NOT_CHARGED

EXAMPLES: list[tuple[str, Attempts, date]] = [
    ("none", Attempts(), date(2026, 3, 31)),
    ("none", Attempts(), april(1)),
    ("none, the schedule stood still", Attempts(), april(20)),
    ("1, declined on 1 April", Attempts(1, DECLINE, april(1)), april(1)),
    ("1, declined on 1 April", Attempts(1, DECLINE, april(1)), april(4)),
    ("2, declined on 4 April", Attempts(2, DECLINE, april(4)), april(5)),
    ("1, made late and declined on 20 April", Attempts(1, DECLINE, april(20)), april(20)),
    ("1, a debit that came back on 9 April", Attempts(1, DECLINE, april(9)), april(9)),
    ("4, declined on 8 April", Attempts(4, DECLINE, april(8)), april(30)),
    ("1, of unknown outcome or being processed", Attempts(1, Outcome.UNDER_WAY, april(1)), april(4)),
    ("1, hard decline", Attempts(1, HARD, april(1), DECLINED), april(4)),
    ("1, hard decline; the default is another method now", Attempts(1, HARD, april(1), OTHER), april(2)),
    ("4, hard decline; the default is another method now", Attempts(4, HARD, april(8), OTHER), april(9)),
    ("none for this due date, hard decline for the one before", Attempts(0, HARD, date(2026, 3, 1), DECLINED), april(1)),
    (
        "2, declined; the default is the one again that had a hard decline",
        Attempts(2, DECLINE, april(4), DECLINED),
        april(9),
    ),
    ("1, authentication required", Attempts(1, HOLDER, april(1)), april(4)),
    ("1, authentication required; the default is another method now", Attempts(1, HOLDER, april(1), OTHER), april(2)),
    ("none for this due date, authentication required for the one before", Attempts(0, HOLDER, date(2026, 3, 1)), april(1)),
    ("1, succeeded, and the amount is open again", Attempts(1, Outcome.SUCCEEDED, april(1)), april(4)),
    ("1, canceled by somebody", Attempts(1, Outcome.CANCELED, april(1)), april(4)),
    ("none; a charge of 1 April never reached the gateway", Attempts(0, NOT_CHARGED, april(1)), april(1)),
    ("none; a charge of 1 April never reached the gateway", Attempts(0, NOT_CHARGED, april(1)), april(2)),
    ("3, declined; a charge of 8 April never reached the gateway", Attempts(3, NOT_CHARGED, april(8)), april(9)),
    (
        "1, hard decline; a charge of 2 April to another method never reached the gateway",
        Attempts(1, NOT_CHARGED, april(2)),
        april(3),
    ),
]


def row(said: str, so_far: Attempts, today: date) -> str:
    """The example as a line of the table, with the step that is really taken."""
    step = next_step(so_far, POLICY, APRIL, today)
    until = f" until {step.on.day} {step.on:%B}" if step.on else ""
    return f"| {said} | {today.day} {today:%B} | {step.action}{until}: {step.why.replace('_', ' ')} |"


def test_S4_the_documented_table_is_what_happens() -> None:
    documented = [line.strip() for line in (next_step.__doc__ or "").splitlines() if line.strip().startswith("| ")]
    assert documented[1:] == [row(*example) for example in EXAMPLES]


@pytest.mark.parametrize("days", [(0,), (3, 3), (5, 3), (-1, 2), tuple(range(1, MAX_RETRIES + 2)), (MAX_DAYS + 1,)])
def test_S4_a_policys_days_rise_and_are_bounded(days: tuple[int, ...]) -> None:
    with pytest.raises(InvalidError, match="bad_collection_retries") as refusal:
        RetryPolicy(days)
    assert refusal.value.facts == {"max_retries": MAX_RETRIES, "max_days": MAX_DAYS}


policies = st.builds(lambda days: RetryPolicy(tuple(sorted(days))), st.sets(st.integers(1, MAX_DAYS), max_size=MAX_RETRIES))
soft_ends = st.lists(st.integers(0, 90), max_size=40)


@given(policies, st.integers(0, 30), soft_ends)
def test_S4_declines_are_tried_again_as_often_as_the_policy_says_and_never_closer(
    policy: RetryPolicy, late: int, pauses: list[int]
) -> None:
    """Whatever days the schedule runs on: each run charges once at most, and waits as long after a failure as the policy."""
    today, tried = APRIL + timedelta(days=late), Attempts()
    days: list[date] = []
    for pause in [0, *pauses]:
        today += timedelta(days=pause)
        step = next_step(tried, policy, APRIL, today)
        if step.action is Action.CHARGE:
            days.append(today)
            tried = Attempts(tried.number + 1, Outcome.DECLINED, today)
        elif step.action is Action.WAIT:
            assert step.on is not None
            assert today < step.on <= today + timedelta(days=MAX_DAYS)
        else:
            assert tried.number == len(policy.after_days) + 1
    assert len(days) <= len(policy.after_days) + 1
    distances = [policy.wait_after(number) for number in range(1, len(days))]
    assert all(
        later - earlier >= (wait or timedelta.max) for earlier, later, wait in zip(days, days[1:], distances, strict=False)
    )


@given(policies, st.lists(st.sampled_from([DECLINE, NOT_CHARGED]), min_size=1, max_size=30))
def test_S4_what_never_reached_the_gateway_takes_no_try_and_is_charged_the_next_day(
    policy: RetryPolicy, fates: list[Outcome]
) -> None:
    """The schedule runs every day, and gives up only after as many declines as the policy allows."""
    today, tried, outages, charges = APRIL, Attempts(), 0, 0
    for fate in fates:
        while (step := next_step(tried, policy, APRIL, today)).action is Action.WAIT:
            assert tried.last is not NOT_CHARGED or tried.ended_on == today
            today += timedelta(days=1)
        if step.action is Action.STOP:
            break
        charges, outages = charges + 1, outages + (fate is NOT_CHARGED)
        tried = Attempts(charges - outages, fate, today)
    assert charges - outages <= len(policy.after_days) + 1
    stopped = next_step(tried, policy, APRIL, today).action is Action.STOP
    assert stopped == (charges - outages == len(policy.after_days) + 1 and tried.last is DECLINE)


@given(policies, st.integers(0, 9), st.sampled_from(Outcome), st.integers(0, 200))
def test_S4_a_method_that_was_declined_for_good_is_never_charged(
    policy: RetryPolicy, number: int, last: Outcome, days: int
) -> None:
    step = next_step(Attempts(number, last, APRIL, DECLINED), policy, APRIL, APRIL + timedelta(days=days))
    assert step.action is not Action.CHARGE


@given(policies, st.integers(0, 9), st.sampled_from(MethodStanding), st.integers(0, 200))
def test_S4_nothing_is_charged_beside_what_is_under_way(
    policy: RetryPolicy, number: int, method: MethodStanding, days: int
) -> None:
    today = APRIL + timedelta(days=days)
    step = next_step(Attempts(number, Outcome.UNDER_WAY, APRIL, method), policy, APRIL, today)
    assert step == Step(Action.WAIT, Why.UNDER_WAY, today + timedelta(days=1))


# What an attempt came to

CAPTURED = Transaction(NOW, "capture", "py_1", 12100)


def came_back(reason: str, *, is_hard: bool) -> Payment:
    back = Transaction(NOW + timedelta(days=5), "failure", "py_1", 12100, reason, is_hard)
    return replace(attempt(), status=PaymentStatus.REVERTED, transactions=(CAPTURED, back), reported_at=NOW)


def never_arrived(reason: str, *, is_hard: bool) -> Payment:
    """A debit that the bank refused: its charge tells why, the payment only that it failed."""
    told = Transaction(NOW, "failure", "py_1", 12100, reason, is_hard)
    failure = "payment_intent_payment_attempt_failed"
    return attempt(status=PaymentStatus.FAILED, method=Method.BANK_DEBIT, failure=failure, transactions=(told,))


def lost(reason: str, method: Method) -> Payment:
    """Stripe's way to tell that a debit came back; of a card it is its holder's objection."""
    is_soft = reason == "insufficient_funds"
    dispute = Dispute("du_1", DisputeStatus.LOST, 12100, 0, NOW, reason, is_soft=is_soft)
    return attempt(status=PaymentStatus.SUCCEEDED, method=method, disputes=(dispute,))


@pytest.mark.parametrize(
    ("payment", "outcome", "reason"),
    [
        (attempt(), Outcome.UNDER_WAY, None),
        (attempt(status=PaymentStatus.PROCESSING), Outcome.UNDER_WAY, None),
        (attempt(status=PaymentStatus.FAILED, failure="do_not_honor"), Outcome.DECLINED, "do_not_honor"),
        (attempt(status=PaymentStatus.FAILED, failure="stolen_card", is_hard_failure=True), Outcome.HARD_DECLINE, "stolen_card"),
        (
            attempt(status=PaymentStatus.FAILED, failure="authentication_required", is_hard_failure=True),
            Outcome.AUTHENTICATION_REQUIRED,
            "authentication_required",
        ),
        (attempt(status=PaymentStatus.REQUIRES_ACTION), Outcome.AUTHENTICATION_REQUIRED, None),
        (attempt(status=PaymentStatus.CANCELED, failure="not_charged"), Outcome.NOT_CHARGED, "not_charged"),
        (
            replace(never_arrived("insufficient_funds", is_hard=False), status=PaymentStatus.CANCELED, failure="not_charged"),
            Outcome.DECLINED,
            "insufficient_funds",
        ),
        (attempt(status=PaymentStatus.CANCELED, failure="canceled"), Outcome.CANCELED, "canceled"),
        (attempt(status=PaymentStatus.SUCCEEDED), Outcome.SUCCEEDED, None),
        (never_arrived("insufficient_funds", is_hard=False), Outcome.DECLINED, "insufficient_funds"),
        (never_arrived("account_closed", is_hard=True), Outcome.HARD_DECLINE, "account_closed"),
        (came_back("insufficient_funds", is_hard=False), Outcome.DECLINED, "insufficient_funds"),
        (came_back("account_closed", is_hard=True), Outcome.HARD_DECLINE, "account_closed"),
        (lost("insufficient_funds", Method.BANK_DEBIT), Outcome.DECLINED, "insufficient_funds"),
        (lost("debit_not_authorized", Method.BANK_DEBIT), Outcome.HARD_DECLINE, "debit_not_authorized"),
        (lost("fraudulent", Method.CARD), Outcome.SUCCEEDED, None),
    ],
)
def test_S4_P8_an_attempts_outcome_is_read_off_its_payment(payment: Payment, outcome: Outcome, reason: str | None) -> None:
    assert (outcome_of(payment), reason_of(payment)) == (outcome, reason)


def failed(
    failure: str = "insufficient_funds", *, hard: bool = False, number: int = 1, next_due_on: date | None = None
) -> Payment:
    return attempt(
        status=PaymentStatus.FAILED,
        failure=failure,
        is_hard_failure=hard,
        saved_method="pm_visa",
        reported_at=datetime.combine(APRIL, time(9), UTC),
        collected=Collected(APRIL, number, "visa 4242", next_due_on),
    )


@pytest.mark.parametrize(
    ("payment", "retry_on", "must_act"),
    [
        (failed(), april(4), None),
        (failed(number=3), april(3), None),
        (failed(number=4), None, None),
        (failed(number=4, next_due_on=april(20)), april(20), None),
        (failed(next_due_on=april(2)), april(2), None),
        (failed("lost_card", hard=True, next_due_on=april(20)), None, Outcome.HARD_DECLINE),
        (failed("authentication_required", hard=True), None, Outcome.AUTHENTICATION_REQUIRED),
        (replace(failed(), status=PaymentStatus.SUCCEEDED), None, None),
        (replace(failed(), status=PaymentStatus.CANCELED, failure="not_charged"), april(2), None),
        (replace(failed(number=4), status=PaymentStatus.CANCELED, failure="not_charged"), april(2), None),
        (replace(failed(), collected=Collected(APRIL, 5, "visa 4242", not_charged=2)), april(3), None),
    ],
)
def test_S4_a_failed_attempt_says_when_it_is_tried_again_and_who_must_act(
    payment: Payment, retry_on: date | None, must_act: Outcome | None
) -> None:
    told = with_retry(payment, POLICY, APRIL).collected
    assert told is not None
    assert (told.retry_on, told.payer_must_act) == (retry_on, must_act)


def test_S4_what_was_not_collected_by_itself_has_no_retry() -> None:
    by_hand = replace(failed(), collected=None)
    assert with_retry(by_hand, POLICY, APRIL) == by_hand


@given(st.permutations([PaymentStatus.PROCESSING, PaymentStatus.FAILED, PaymentStatus.SUCCEEDED]))
def test_S4_G3_the_retry_does_not_depend_on_the_order_of_reports(order: list[PaymentStatus]) -> None:
    known = attempt(saved_method="pm_visa", collected=Collected(APRIL, 1, "visa 4242"))
    for status in order:
        merged = known.with_report(report_on(known, status, list(PaymentStatus).index(status), failure=None))
        known = with_retry(merged, POLICY, APRIL)
    assert known.collected == Collected(APRIL, 1, "visa 4242")


def test_S5_attempts_count_for_the_latest_due_date_that_has_come() -> None:
    item = replace(open_item(), collection=Collection(NOW, CollectionResult.STARTED, "pay_1", due_on=april(10), attempts=2))
    assert [counted_for(item, april(day)) for day in (1, 10, 11)] == [(april(10), 2), (april(10), 2), (april(11), 0)]
    assert attempts_so_far(item, None, None, APRIL, "pm_visa") == Attempts()


def test_S4_what_never_reached_the_gateway_is_counted_over_later_attempts() -> None:
    noted = Collection(NOW, CollectionResult.STARTED, "pay_4", due_on=APRIL, attempts=4, not_charged=1)
    item = replace(open_item(), collection=noted)
    unheard = replace(failed(number=4), status=PaymentStatus.CANCELED, failure="not_charged")
    assert [not_charged_for(item, last, APRIL) for last in (failed(number=4), unheard)] == [1, 2]
    assert attempts_so_far(item, failed(number=4), APRIL, APRIL, "pm_visa").number == 3
    assert attempts_so_far(item, unheard, APRIL, APRIL, "pm_visa") == Attempts(2, NOT_CHARGED, APRIL)
    assert not_charged_for(item, unheard, april(20)) == 0, "each due date has its own tries"


@given(st.permutations(["silence", PaymentStatus.FAILED, PaymentStatus.CANCELED]), st.booleans())
def test_S4_G3_a_word_of_the_gateway_replaces_its_silence_in_any_order(order: list[str], hard: bool) -> None:
    def heard(payment: Payment, fact: str) -> Payment:
        if fact == "silence":
            told = payment.end(Ending.NOT_CHARGED)
        else:
            at = list(PaymentStatus).index(PaymentStatus(fact))
            report = replace(report_on(payment, PaymentStatus(fact), at, failure=f"is {fact}"), is_hard_failure=hard)
            told = payment.with_report(report)
        return with_retry(told, POLICY, APRIL)

    first = attempt(saved_method="pm_visa", collected=Collected(APRIL, 1, "visa 4242"))
    ends = {repr(reduce(heard, facts, first)) for facts in (order, [fact for fact in order if fact != "silence"])}
    assert len(ends) == 1


def test_S4_declined_methods_are_remembered_over_later_attempts() -> None:
    item = replace(
        open_item(), collection=Collection(NOW, CollectionResult.STARTED, "pay_2", due_on=APRIL, attempts=2, declined=("pm_a",))
    )
    soft, hard = replace(failed(), saved_method="pm_b"), replace(failed("lost_card", hard=True), saved_method="pm_b")
    assert (declined_for_good(item, soft), declined_for_good(item, hard)) == (("pm_a",), ("pm_a", "pm_b"))
    standings = [attempts_so_far(item, soft, APRIL, APRIL, method).method for method in ("pm_a", "pm_b", "pm_c")]
    assert standings == [DECLINED, MethodStanding.SAME, OTHER]


def test_P6_a_postponed_part_is_collected_on_its_new_date_though_it_was_given_up() -> None:
    given_up = replace(open_item(), collect_on=None, collection=Collection(NOW, CollectionResult.RETRIES_EXHAUSTED))
    moved = given_up.postpone(1, april(20), CLERK, "agreed", NOW, april(9))
    assert moved.collect_on == april(20)
    never = replace(given_up, collection=None).postpone(1, april(20), CLERK, "agreed", NOW, april(9))
    assert never.collect_on is None


def test_S4_a_policy_may_have_no_retries() -> None:
    step = next_step(Attempts(1, Outcome.DECLINED, APRIL), RetryPolicy(()), APRIL, april(9))
    assert step == Step(Action.STOP, Why.RETRIES_EXHAUSTED)
