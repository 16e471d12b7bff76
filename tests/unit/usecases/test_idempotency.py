"""Doing a thing once, whatever is repeated, lost or interrupted (L4, and Idempotency-Key on every POST).

The same rules hold for every use case that is asked with a key, so they are proved for each of them.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from remit.domain.accounts import Account
from remit.domain.audit import Difference
from remit.domain.errors import ConflictError, IdempotencyKeyReusedError, RemitError, TransientError
from remit.domain.journal import JournalEntry
from remit.domain.payments import Allocation
from remit.domain.subscriptions import When
from remit.usecases.idempotency import ATTEMPTS, KEY_LIFETIME, Answer, Request, once
from remit.usecases.ports import Changes, guard_ref
from tests.fakes import FakeBooks, Fault, MachineDiedError
from tests.support import dunning, invoicing, late, refunding, summaries, wallet
from tests.support import payments as pay
from tests.support import subscribing as sub
from tests.support.builders import NOW, Office, account, line, plain, request
from tests.support.refusals import refused

LATER = NOW + timedelta(days=40)
TODAY = LATER.date()

type Operation = Callable[[Office, dict[str, str], str], Answer]
"""Does one thing in an office with the key given. The dict names what was prepared."""


def prepared(office: Office) -> dict[str, str]:
    """A customer with an order, an overdue invoice, money not allocated yet, a credit, a subscription and one that is paused; and
    another one who prepaid. The firm charges for being late."""
    office.firm = late.charging().firm
    account_id = office.open_account()
    credit_id = office.goodwill(account_id, 1210).body["id"]
    invoice_id = office.invoice(account_id, 10000)
    office.clock.set(LATER)
    unapplied = office.receive(account_id, 5000).body["id"]
    sub.plan(office)
    subscription, paused = (sub.subscribe(office, account_id) for _ in range(2))
    sub.renew(office, account_id, subscription)
    sub.pause(office, account_id, paused)
    return {
        "account": account_id,
        "order": office.place_order(account_id),
        "invoice": invoice_id,
        "payment": unapplied,
        "credit": credit_id,
        "subscription": subscription,
        "paused": paused,
        "prepaid": wallet.prepaid_account(office, paid=20000),
    }


def open_account(office: Office, at: dict[str, str], key: str) -> Answer:
    office.open_account(key)
    return replay_of(office, key)


def place_order(office: Office, at: dict[str, str], key: str) -> Answer:
    office.place_order(at["account"], key=key)
    return replay_of(office, key)


def define_plan(office: Office, at: dict[str, str], key: str) -> Answer:
    sub.plan(office, "other", key=key)
    return replay_of(office, key)


def subscribe(office: Office, at: dict[str, str], key: str) -> Answer:
    sub.subscribe(office, at["account"], key=key)
    return replay_of(office, key)


def schedule_summaries(office: Office, at: dict[str, str], key: str) -> Answer:
    summaries.create(office, key=key)
    return replay_of(office, key)


def credit_a_line(office: Office, at: dict[str, str], key: str) -> Answer:
    refunding.credit_note(office, at["account"], at["invoice"], (1, 1210), key=key)
    return replay_of(office, key)


def refund_what_is_unapplied(office: Office, at: dict[str, str], key: str) -> Answer:
    refunding.refund_receipt(office, at["account"], at["payment"], 1000, key=key)
    return replay_of(office, key)


def replay_of(office: Office, key: str) -> Answer:
    """The answer that was stored under the key."""
    return Answer(office.books.read(guard_ref("idempotency", key)).answer)


OPERATIONS: dict[str, Operation] = {
    "open account": open_account,
    "place order": place_order,
    "issue invoice": lambda office, at, key: office.issue(at["account"], at["order"], key),
    "receive payment": lambda office, at, key: office.receive(
        at["account"], 15000, allocations=[Allocation(at["invoice"], 12100)], key=key
    ),
    "receive oldest first": lambda office, at, key: office.receive(at["account"], 15000, oldest_first=True, key=key),
    "allocate payment": lambda office, at, key: office.allocate(
        at["account"], at["payment"], Allocation(at["invoice"], 5000), key=key
    ),
    "reverse payment": lambda office, at, key: pay.reverse(office, at["account"], at["payment"], key=key),
    "issue credit": lambda office, at, key: office.goodwill(at["account"], 1210, key=key),
    "start checkout": lambda office, at, key: office.checkout(at["account"], at["invoice"], key)[1],
    "apply credit": lambda office, at, key: refunding.apply(
        office, at["account"], at["credit"], Allocation(at["invoice"], 1000), key=key
    ),
    "issue credit note": credit_a_line,
    "reverse credit": lambda office, at, key: refunding.reverse(office, at["account"], at["credit"], key=key),
    "refund payment": refund_what_is_unapplied,
    "void invoice": lambda office, at, key: invoicing.void(office, at["account"], at["invoice"], key),
    "write off invoice": lambda office, at, key: invoicing.write_off(office, at["account"], at["invoice"], key),
    "postpone due date": lambda office, at, key: invoicing.postpone(
        office, at["account"], at["invoice"], TODAY + timedelta(days=60), key=key
    ),
    "cancel order": lambda office, at, key: invoicing.cancel(office, at["account"], at["order"], key),
    "define plan": define_plan,
    "subscribe": subscribe,
    "change subscription": lambda office, at, key: sub.change(office, at["account"], at["subscription"], key=key, quantity=2),
    "pause subscription": lambda office, at, key: sub.pause(office, at["account"], at["subscription"], key=key),
    "resume subscription": lambda office, at, key: sub.resume(office, at["account"], at["paused"], key),
    "cancel subscription": lambda office, at, key: sub.cancel(office, at["account"], at["subscription"], When.NOW, key=key),
    "promise to pay": lambda office, at, key: dunning.promises(office, at["account"], 5000, TODAY + timedelta(days=9), key=key),
    "charge late": lambda office, at, key: late.by_hand(office, at["account"], at["invoice"], TODAY, key=key),
    "schedule summaries": schedule_summaries,
    "top up wallet": lambda office, at, key: wallet.top_up(office, at["prepaid"], 5000, key),
    "charge wallet": lambda office, at, key: wallet.charge(office, at["prepaid"], 5000, key),
    "withdraw from wallet": lambda office, at, key: wallet.withdraw(office, at["prepaid"], 5000, key=key),
}


def posted(office: Office) -> list[JournalEntry]:
    """Every entry of every account."""
    return office.books.all(JournalEntry)


def unexplained(office: Office) -> list[Difference]:
    """What a replay of the accounts cannot explain."""
    return [each for account in office.books.all(Account) for each in office.differences(account.id)]


every_operation = pytest.mark.parametrize("do", OPERATIONS.values(), ids=list(OPERATIONS))


@every_operation
def test_the_same_request_again_gives_the_first_answer_and_changes_nothing(office: Office, do: Operation) -> None:
    at = prepared(office)
    first = do(office, at, "same")
    before = office.books.state()
    office.clock.advance(hours=5)
    again = do(office, at, "same")
    assert again.body == first.body
    assert office.books.state() == before


@every_operation
def test_the_first_answer_is_given_though_the_world_has_changed(office: Office, do: Operation) -> None:
    """The invoice that a repeated payment wants to pay is paid, because of the first."""
    at = prepared(office)
    first = do(office, at, "same")
    office.change_account(at["account"], name="Renamed")
    office.receive(at["account"], 50000, oldest_first=True)
    before = office.books.state()
    assert do(office, at, "same").body == first.body
    assert {key: raw for key, raw in office.books.state().items() if key not in before} == {}


@every_operation
@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.LOST_REPLY])
@pytest.mark.parametrize("times", [1, 2])
def test_what_is_transient_is_tried_again_and_done_once(office: Office, do: Operation, fault: Fault, times: int) -> None:
    calm = Office()
    expected = do(calm, prepared(calm), "same")
    at = prepared(office)
    for at_step in range(1, times + 1):
        office.trouble.strike(fault, on="commit", at=at_step)
    answer = do(office, at, "same")
    assert answer.body == expected.body
    office.trouble.clear()
    assert unexplained(office) == []
    assert len(posted(office)) == len(posted(calm))


@every_operation
def test_a_reply_lost_on_the_last_attempt_is_told_on_the_next_request(office: Office, do: Operation) -> None:
    calm = Office()
    expected = do(calm, prepared(calm), "same")
    at = prepared(office)
    for n in range(1, ATTEMPTS):
        office.trouble.strike(Fault.THROTTLE, on="commit", at=n)
    office.trouble.strike(Fault.LOST_REPLY, on="commit", at=ATTEMPTS)
    with pytest.raises(TransientError):
        do(office, at, "same")
    before = office.books.state()
    assert do(office, at, "same").body == expected.body
    assert len(office.books.state()) == len(before)
    assert unexplained(office) == []


@every_operation
def test_a_machine_that_dies_after_its_commit_has_done_it_once(office: Office, do: Operation) -> None:
    at = prepared(office)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit")
    with pytest.raises(MachineDiedError):
        do(office, at, "same")
    after_crash = posted(office)
    do(office, at, "same")
    assert posted(office) == after_crash
    assert unexplained(office) == []


@every_operation
def test_a_machine_that_dies_before_its_commit_has_done_nothing(office: Office, do: Operation) -> None:
    at = prepared(office)
    before = office.books.state()
    office.trouble.strike(Fault.CRASH_BEFORE, on="commit")
    with pytest.raises(MachineDiedError):
        do(office, at, "same")
    assert office.books.state() == before
    assert not do(office, at, "same").replayed


def test_a_key_with_another_body_is_refused(office: Office) -> None:
    at = prepared(office)
    office.receive(at["account"], 100, key="same")
    with refused(office.books, "idempotency_key_reused", IdempotencyKeyReusedError):
        office.receive(at["account"], 101, key="same")


def test_a_key_used_for_another_operation_is_refused(office: Office) -> None:
    at = prepared(office)
    office.receive(at["account"], 100, key="same")
    with refused(office.books, "idempotency_key_reused"):
        office.goodwill(at["account"], 100, key="same")


def test_a_key_with_another_body_is_refused_though_that_would_break_a_rule_as_well(office: Office) -> None:
    at = prepared(office)
    office.receive(at["account"], 12100, allocations=[Allocation(at["invoice"], 12100)], key="same")
    with refused(office.books, "idempotency_key_reused"):
        office.receive(at["account"], 12100, allocations=[Allocation(at["invoice"], 1)], key="same")


def test_a_refusal_is_not_stored_so_the_same_request_may_succeed_later(office: Office) -> None:
    at = prepared(office)

    def pay_second() -> Answer:
        return office.receive(at["account"], 1, allocations=[Allocation("inv_00000000000000000000000000", 1)], key="same")

    with refused(office.books, "invoice_not_found"):
        pay_second()
    office.ids.made = -1
    office.issue(at["account"], office.place_order(at["account"], line(1)))
    office.ids.made = 100
    assert not pay_second().replayed


def test_a_replay_is_marked_as_one(office: Office) -> None:
    at = prepared(office)
    assert not office.receive(at["account"], 100, key="same").replayed
    assert office.receive(at["account"], 100, key="same").replayed


def test_a_guard_is_recognised_for_30_days_and_a_gateways_event_for_ever() -> None:
    asked: Request[Any] = request("k")
    assert asked.guard({}, NOW).expires_at == NOW + KEY_LIFETIME == NOW + timedelta(days=30)
    assert Request(asked.actor, "event", "evt_1", "", plain, lifetime=None).guard({}, NOW).expires_at is None


def test_contention_is_given_up_after_a_bounded_number_of_attempts(pauses: list[float]) -> None:
    books, tries = FakeBooks(), 0

    def decide(consistent: bool) -> tuple[Changes, Any]:
        nonlocal tries
        tries += 1
        raise ConflictError("changed_meanwhile", "again")

    with pytest.raises(ConflictError):
        once(books, request("k"), NOW, decide)
    assert tries == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1
    assert all(0 <= pause <= 4 for pause in pauses)
    assert books.state() == {}


def test_a_guess_is_believed_when_it_commits_and_its_refusal_is_not(pauses: list[float]) -> None:
    """The first read may be stale. What it wants is proved by the write's conditions; what it refuses is asked again."""
    asked: list[bool] = []

    def decide(consistent: bool) -> tuple[Changes, Any]:
        asked.append(consistent)
        if not consistent:
            raise RemitError("stale", "This was read without consistency.")
        return [account()], {"ok": True}

    assert once(FakeBooks(), request("k"), NOW, decide, guess=True).body == {"ok": True}
    assert asked == [False, True]
    assert pauses == []


def test_a_bug_is_no_refusal_and_is_not_tried_again() -> None:
    tries = 0

    def decide(consistent: bool) -> tuple[Changes, Any]:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(FakeBooks(), request("k"), NOW, decide)
    assert tries == 1
