"""Eight threads on one engine: nothing is doubled, lost or skipped (L4, L7, I2, I3, P2, R2, C6, W1, G3)."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from remit.adapters.dynamodb.firm import fresh_firm
from remit.domain.accounts import AccountChange
from remit.domain.dunning import DunningPolicy, Reminder
from remit.domain.errors import RemitError
from remit.domain.firm import STANDARD_POLICY
from remit.domain.journal import EntryKind
from remit.domain.late_charges import InterestRule, LateChargeRules, LateFee, Rate
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases import idempotency
from remit.usecases.charge_late import charge_paid_late
from remit.usecases.dunning_run import Looked, RunState, next_page
from remit.usecases.idempotency import Answer
from remit.usecases.ports import balance_ref, series_ref, subscription_ref
from remit.usecases.prove_numbers import prove_numbers
from remit.usecases.set_dunning_policy import set_dunning_policy
from tests.integration.office import CLERK, Office, report, until_done
from tests.integration.state import faults_of

THREADS = 8


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between optimistic attempts keep their shape, at a twentieth of their length."""
    monkeypatch.setattr(idempotency, "time", SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 2)))


@dataclass(frozen=True)
class Refused:
    """What a thread got instead of an answer."""

    code: str


def at_once[T](actions: Sequence[Callable[[], T]]) -> list[T | Refused]:
    """Run the actions in eight threads that start together; conflicts are answered by asking again, as clients do."""
    barrier = Barrier(min(THREADS, len(actions)))

    def run(number: int) -> T | Refused:
        if number < THREADS:
            barrier.wait()
        try:
            return until_done(actions[number])
        except RemitError as error:
            return Refused(error.code)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(len(actions))))


def entries_of(office: Office, account: str, kind: EntryKind) -> int:
    return sum(entry.draft.kind is kind for entry in office.journal.entries(account, "EUR"))


def test_invoices_of_many_accounts_share_one_series_without_gap_or_duplicate(office: Office) -> None:
    accounts = [office.account() for _ in range(26)]
    orders = [(account, office.order(account)) for _ in range(THREADS) for account in accounts]

    answers = at_once([lambda each=each: office.issue(*each) for each in orders])

    numbers = sorted(answer.body["number"] for answer in answers)
    assert numbers == [f"INV-2026-{number:06d}" for number in range(1, len(orders) + 1)]
    proof = prove_numbers("INV-2026", office.books, office.journal)
    assert (proof.last, proof.count, proof.gaps) == (208, 208, ())
    assert faults_of(office, accounts) == []


def test_one_key_sent_by_eight_threads_gives_one_invoice_and_one_answer(office: Office) -> None:
    account = office.account()
    order = office.order(account)

    answers = at_once([lambda: office.issue(account, order, "the-key")] * THREADS)

    assert all(answer.body == answers[0].body for answer in answers)
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: THREADS - 1}
    assert office.stored(series_ref("INV-2026")).last == 1
    assert faults_of(office, [account]) == []


def test_one_key_sent_by_eight_threads_gives_one_account(office: Office) -> None:
    answers = at_once([lambda: office.account("the-key")] * THREADS)

    accounts, _ = office.journal.accounts(None, 10)
    assert set(answers) == {account.id for account in accounts}
    assert len(accounts) == 1


def test_one_order_invoiced_under_eight_keys_gives_one_invoice(office: Office) -> None:
    account = office.account()
    order = office.order(account)

    answers = at_once([lambda key=f"key-{n}": office.issue(account, order, key) for n in range(THREADS)])

    assert {answer.body["number"] for answer in answers} == {"INV-2026-000001"}
    assert prove_numbers("INV-2026", office.books, office.journal).last == 1
    assert office.stored(balance_ref(account, "EUR")).receivable_minor == 12_100
    assert faults_of(office, [account]) == []


def test_eight_allocations_of_one_payment_never_exceed_it(office: Office) -> None:
    account = office.account()
    payment = office.receive(account, 30_000).body["id"]
    invoices = [office.invoice(account) for _ in range(THREADS)]

    answers = at_once([lambda invoice=invoice: office.allocate(account, payment, {invoice: 7_000}) for invoice in invoices])

    assert Counter(type(answer) for answer in answers) == {Answer: 4, Refused: 4}
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"allocation_exceeds_payment"}
    stored = office.payment(account, payment)
    assert sum(allocation.amount_minor for allocation in stored.allocations) == 28_000
    assert stored.unapplied_minor == 2_000
    assert faults_of(office, [account]) == []


def test_eight_payments_onto_one_invoice_never_exceed_what_is_open(office: Office) -> None:
    account = office.account()
    invoice = office.invoice(account)

    answers = at_once([lambda: office.receive(account, 5_000, {invoice: 5_000})] * THREADS)

    assert Counter(type(answer) for answer in answers) == {Answer: 2, Refused: 6}
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"allocation_exceeds_open"}
    assert office.open_item(account, invoice).open_minor == 2_100
    assert faults_of(office, [account]) == []


def test_eight_payments_oldest_first_leave_their_rest_unapplied(office: Office) -> None:
    account = office.account()
    invoice = office.invoice(account)

    answers = at_once([lambda: office.receive(account, 5_000, oldest_first=True)] * THREADS)

    assert all(isinstance(answer, Answer) for answer in answers)
    assert office.open_item(account, invoice).status is InvoiceStatus.PAID
    balance = office.stored(balance_ref(account, "EUR"))
    assert (balance.receivable_minor, balance.credit_minor) == (0, 8 * 5_000 - 12_100)
    assert faults_of(office, [account]) == []


def test_R2_eight_refunds_of_one_payment_never_exceed_what_was_captured(office: Office) -> None:
    account = office.account()
    invoice = office.invoice(account)
    payment = office.receive(account, 20_000, {invoice: 12_100}).body["id"]

    answers = at_once([lambda: office.refund(account, payment, 6_000)] * THREADS)

    assert Counter(type(answer) for answer in answers) == {Answer: 3, Refused: 5}
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"refund_exceeds_captured"}
    assert office.payment(account, payment).refunded_minor == 18_000
    assert office.open_item(account, invoice).open_minor == 10_100
    assert faults_of(office, [account]) == []


def test_C6_a_line_credited_eight_times_at_once_is_credited_once(office: Office) -> None:
    account = office.account()
    invoice = office.invoice(account)

    answers = at_once([lambda: office.credit_note(account, invoice)] * THREADS)

    assert Counter(type(answer) for answer in answers) == {Answer: 1, Refused: THREADS - 1}
    (credited,) = office.open_item(account, invoice).credited
    assert (credited.net_minor, credited.tax_minor) == (10_000, 2_100)
    assert entries_of(office, account, EntryKind.CREDIT_NOTE_ISSUED) == 1
    assert prove_numbers("CN-2026", office.books, office.journal).last == 1
    assert faults_of(office, [account]) == []


def test_W1_eight_charges_never_take_a_wallet_below_its_limit(office: Office) -> None:
    account = office.account()
    office.fill_wallet(account, 40_000)

    answers = at_once([lambda: office.charge_wallet(account)] * THREADS)

    assert Counter(type(answer) for answer in answers) == {Answer: 3, Refused: 5}
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"wallet_too_low"}
    assert office.stored(balance_ref(account, "EUR")).wallet_minor == 40_000 - 3 * 12_100
    assert faults_of(office, [account]) == []


def test_I2_I3_one_order_in_eight_batches_gets_one_invoice_and_no_number_is_lost(office: Office) -> None:
    accounts = [office.account() for _ in range(3)]
    orders = [(account, office.order(account)) for account in accounts]

    batches = at_once([lambda: office.issue_batch(orders)] * THREADS)

    assert not [batch for batch in batches if isinstance(batch, Refused)]
    proof = prove_numbers("INV-2026", office.books, office.journal)
    assert (proof.last - proof.count, proof.gaps) == (0, ())
    for account in accounts:
        assert entries_of(office, account, EntryKind.INVOICE_ISSUED) == 1
        assert office.stored(balance_ref(account, "EUR")).receivable_minor == 12_100
    assert faults_of(office, accounts) == []


def test_one_event_delivered_eight_times_posts_once(office: Office) -> None:
    account = office.account()
    payment, _ = office.checkout(account, office.invoice(account))
    said = report(payment, PaymentStatus.SUCCEEDED, office.clock.now())

    answers = at_once([lambda: office.event(said, "evt_1")] * THREADS)

    assert Counter(answer.replayed for answer in answers) == {False: 1, True: THREADS - 1}
    assert entries_of(office, account, EntryKind.PAYMENT_RECEIVED) == 1
    assert faults_of(office, [account]) == []


def test_different_events_of_one_payment_at_once_post_once_and_lose_no_transaction(office: Office) -> None:
    account = office.account()
    invoice = office.invoice(account)
    payment, _ = office.checkout(account, invoice)
    now = office.clock.now()
    arrived = report(payment, PaymentStatus.SUCCEEDED, now + timedelta(seconds=3))
    events = [
        (report(payment, PaymentStatus.PROCESSING, now + timedelta(seconds=1)), "evt_processing"),
        (report(payment, PaymentStatus.FAILED, now + timedelta(seconds=2)), "evt_failed"),
        (arrived, "evt_succeeded"),
        (arrived, "evt_succeeded"),
        (arrived, "evt_succeeded_again"),
        (report(payment, None, now), "evt_charge"),
        (report(payment, None, now), "evt_charge"),
        (report(payment, PaymentStatus.CANCELED, now + timedelta(seconds=4)), "evt_canceled"),
    ]
    random.shuffle(events)

    answers = at_once([lambda event=event: office.event(*event) for event in events])

    assert all(isinstance(answer, Answer) for answer in answers)
    stored = office.payment(account, payment.id)
    assert (stored.status, stored.unapplied_minor) == (PaymentStatus.SUCCEEDED, 0)
    assert [transaction.type for transaction in stored.transactions] == ["capture"]
    assert entries_of(office, account, EntryKind.PAYMENT_RECEIVED) == 1
    assert office.open_item(account, invoice).status is InvoiceStatus.PAID
    assert faults_of(office, [account]) == []


def test_eight_checkouts_of_one_invoice_lead_to_one_page(office: Office) -> None:
    account = office.account()
    invoice = office.invoice(account)

    answers = at_once([lambda key=f"key-{n}": office.checkout(account, invoice, key)[0] for n in range(THREADS)])

    assert len({payment.id for payment in answers}) == 1
    assert len({payment.checkout_url for payment in answers}) == 1
    assert len(office.journal.newest(Payment, account, None, 10)[0]) == 1


def test_the_chain_of_an_account_stays_whole_in_a_storm_of_operations(office: Office) -> None:
    account = office.account()
    invoices = [office.invoice(account) for _ in range(4)]
    payment = office.receive(account, 20_000).body["id"]
    checkout, _ = office.checkout(account, invoices[0])
    arrived = report(checkout, PaymentStatus.SUCCEEDED, office.clock.now())
    orders = [office.order(account) for _ in range(8)]
    storm: list[Callable[[], Any]] = [
        *(lambda order=order: office.issue(account, order) for order in orders),
        *(lambda invoice=invoice: office.receive(account, 9_000, {invoice: 4_000}) for invoice in invoices),
        *(lambda invoice=invoice: office.allocate(account, payment, {invoice: 6_000}) for invoice in invoices),
        *(lambda: office.receive(account, 3_000, oldest_first=True) for _ in range(4)),
        *(lambda: office.credit(account) for _ in range(4)),
        *(lambda: office.event(arrived, "evt_1") for _ in range(4)),
        *(lambda: office.dun(account) for _ in range(2)),
        *(lambda n=n: office.change(account, notes=f"note {n}") for n in range(4)),
    ]
    random.shuffle(storm)

    answers = at_once(storm)

    # Two of the payments' and allocations' choices can come too late; whatever came in is booked all the same.
    late = {"allocation_exceeds_open", "allocation_exceeds_payment"}
    assert {answer.code for answer in answers if isinstance(answer, Refused)} <= late
    assert entries_of(office, account, EntryKind.INVOICE_ISSUED) == 12
    assert entries_of(office, account, EntryKind.CREDIT_ISSUED) == 4
    assert office.payment(account, checkout.id).status is PaymentStatus.SUCCEEDED
    assert faults_of(office, [account]) == []


def test_changes_of_one_account_at_once_are_all_kept(office: Office) -> None:
    account = office.account(tags=())
    fields = ("name", "email", "language", "time_zone", "notes", "default_term_id", "tags", "apply_credits")
    values = ("New AG", "new@example.com", "de", "Europe/Berlin", "Call first", "net14", ("vip",), True)

    at_once([lambda change=change: office.change(account, **dict([change])) for change in zip(fields, values, strict=True)])

    stored, _ = office.journal.account_with_balances(account)
    assert tuple(getattr(stored, field) for field in fields) == values
    history, _ = office.journal.newest(AccountChange, account, None, 20)
    assert [change.number for change in history] == list(range(9, 0, -1))
    assert sorted(name for change in history[:-1] for name in change.after) == sorted(fields)


def test_a_notice_is_sent_once_by_eight_runs_at_once(office: Office) -> None:
    account = office.account()
    office.invoice(account, term="on_receipt")
    office.clock.advance(timedelta(days=5))

    at_once([lambda: office.dun(account)] * THREADS)

    assert len(office.postbox.sent) == 1
    assert office.dun(account).why == "already_notified"


def run_of_dunning(office: Office) -> RunState:
    """One run over the real agenda, a page after the other, as its state machine goes through it."""
    state, looked = RunState(), list[Looked]()
    while not (state := next_page(state, looked, fresh_firm(office.books), office.books, office.agenda, office.clock)).done:
        outcomes = [until_done(lambda account=account: office.dun(account)) for account in state.accounts]
        looked = [Looked(int(outcome.message_id is not None), len(outcome.reminder_ids)) for outcome in outcomes]
    return state


def test_D4_D7_runs_side_by_side_sweep_a_changed_policy_and_send_each_reminder_once(office: Office) -> None:
    accounts = [office.account(name=f"Customer {number}") for number in range(12)]
    for account in accounts:
        office.invoice(account)
    office.clock.advance(timedelta(days=5))
    policy = replace(DunningPolicy(), reminders=(Reminder(-26, "reminder_upcoming"),))
    set_dunning_policy(
        policy, {"reminder_upcoming", *(tier.template for tier in policy.tiers)}, CLERK, office.books, office.clock
    )
    office.clock.advance(timedelta(minutes=5))
    office.firm = fresh_firm(office.books)
    runs = at_once([lambda: run_of_dunning(office)] * 4)
    assert all(isinstance(run, RunState) and run.counts.looked_at >= len(accounts) for run in runs)
    assert len(office.postbox.sent) == len(set(office.postbox.sent)) == len(accounts)
    assert not fresh_firm(office.books).dunning_changes.pending
    assert run_of_dunning(office).counts.looked_at == 0
    assert faults_of(office, [account]) == []


def test_S2_eight_runs_at_once_bill_each_period_of_each_subscription_once(office: Office) -> None:
    accounts = [office.account() for _ in range(3)]
    subscriptions = [(account, office.subscribe(account)) for account in accounts]
    office.clock.advance(timedelta(days=4))

    at_once([lambda each=each: office.renew(*each) for _ in range(THREADS) for each in subscriptions])

    for account, subscription in subscriptions:
        stored = office.stored(subscription_ref(account, subscription))
        assert stored.next_period == 6
        items, _ = office.journal.newest(OpenItem, account, None, 100)
        assert sorted(item.subscription.period for item in items if item.subscription) == [1, 2, 3, 4, 5]
    proof = prove_numbers("INV-2026", office.books, office.journal)
    assert (proof.last, proof.count, proof.gaps) == (15, 15, ())
    assert faults_of(office, accounts) == []


def test_S3_eight_changes_at_once_are_made_one_after_the_other(office: Office) -> None:
    account = office.account()
    subscription = office.subscribe(account)
    office.renew(account, subscription)

    answers = at_once(
        [lambda quantity=quantity: office.change_subscription(account, subscription, quantity) for quantity in range(2, 10)]
    )

    assert {type(answer) for answer in answers} == {Answer}
    items, _ = office.journal.newest(OpenItem, account, None, 100)
    by_period = {item.subscription.period: item for item in items if item.subscription}
    assert sorted(by_period) == list(range(1, 10))
    assert [by_period[number].open_minor == 0 for number in range(1, 10)] == [True] * 8 + [False]
    assert entries_of(office, account, EntryKind.CREDIT_NOTE_ISSUED) == 8
    assert faults_of(office, [account]) == []


def test_D9_a_late_invoice_is_charged_once_by_eight_runs_at_once(office: Office) -> None:
    """Of dunning, whose notice lists the charge, and then of the agenda, for the rest of the interest."""
    interest = InterestRule((Rate(date(2020, 1, 1), Decimal("10.15")),))
    rules = LateChargeRules(LateFee({"EUR": 4_000}), interest)
    office.firm = replace(office.firm, dunning_policies={STANDARD_POLICY: DunningPolicy(late_charges=rules)})
    account = office.account()
    invoice = office.invoice(account, term="on_receipt")
    office.clock.advance(timedelta(days=10))

    at_once([lambda: office.dun(account)] * THREADS)

    (charge,) = office.open_item(account, invoice).late_charges
    assert office.open_item(account, charge).open_minor == 4_034
    assert len(office.postbox.sent) == 1
    office.clock.advance(timedelta(days=4))
    office.receive(account, 12_100, {invoice: 12_100})
    office.clock.advance(timedelta(days=1))
    at_once([lambda: charge_paid_late(account, invoice, office.firm, office.books, office.clock)] * THREADS)
    first, rest = office.open_item(account, invoice).late_charges
    assert (first, office.open_item(account, rest).open_minor) == (charge, 13)
    assert entries_of(office, account, EntryKind.INVOICE_ISSUED) == 3
    assert prove_numbers("INV-2026", office.books, office.journal).last == 3
    assert faults_of(office, [account]) == []
