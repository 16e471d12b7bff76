"""Many invoices with one block of numbers: no gap, no duplicate, no date before a lower number's, whatever fails (I2, I3)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import IdempotencyKeyReusedError, InvalidError, TransientError
from remit.domain.invoice_batches import MAX_BATCH, InvoiceBatch
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber, invoice_id_for
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation
from remit.usecases.ports import AgendaKind, series_ref
from remit.usecases.prove_numbers import prove_numbers
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import TODAY, Office, line
from tests.support.invoicing import assert_sound, batch, cancel, finish, invoice, order, revise, void, wish
from tests.support.refusals import refused

SERIES = "INV-2026"


def customers(office: Office, count: int) -> list[tuple[str, str]]:
    """So many customers with an order each."""
    accounts = [office.open_account() for _ in range(count)]
    return [(account_id, order(office, wish(account_id))) for account_id in accounts]


def assert_complete(office: Office, last: int) -> None:
    """Every number from 1 on is there once, as an invoice or spoiled, in the order of dates; and all books are sound."""
    proof = prove_numbers(SERIES, office.books, office.books)
    assert (proof.last, proof.count, proof.pending, proof.gaps) == (last, last, 0, ())
    documents: list[Invoice | SpoiledNumber] = [*office.books.all(Invoice), *office.books.all(SpoiledNumber)]
    numbers = sorted((each.number if isinstance(each, Invoice) else each.id, each.issued_on) for each in documents)
    assert len({number for number, _ in numbers}) == last
    assert [day for _, day in numbers] == sorted(day for _, day in numbers)
    orders = [each.order_id for each in office.books.all(Invoice)]
    assert len(set(orders)) == len(orders)
    for account_id in {each.account_id for each in documents}:
        assert_sound(office, account_id)


def test_I3_a_batch_takes_its_numbers_in_one_write_and_gives_them_in_order(office: Office) -> None:
    orders = customers(office, 5)
    office.trouble.steps.clear()
    done = batch(office, orders)
    assert office.trouble.steps.count("commit") == 1 + 5 + 1  # the block, five invoices, the end
    assert [line.number for line in done.lines] == [f"INV-2026-{n:06d}" for n in range(1, 6)]
    assert [line.order_id for line in done.lines] == [order_id for _, order_id in orders]
    assert office.books.read(series_ref(SERIES)) == NumberSeries(SERIES, 5, TODAY)
    assert office.books.unfinished_batches() == []
    for account_id, order_id in orders:
        assert office.item(account_id, invoice_id_for(order_id)).open_minor == 12100
        assert office.balance(account_id).unbilled_minor == 0
    assert_complete(office, 5)


def test_I2_the_same_batch_again_gives_the_same_answer_and_no_second_invoice(office: Office) -> None:
    orders = customers(office, 3)
    first = batch(office, orders, "same")
    before = office.books.state()
    office.clock.advance(days=3)
    assert batch(office, orders, "same") == first
    assert office.books.state() == before
    with refused(office.books, "idempotency_key_reused", IdempotencyKeyReusedError):
        batch(office, orders[:2], "same")


def test_I2_orders_that_are_invoiced_already_take_no_number_whatever_the_key(office: Office) -> None:
    orders = customers(office, 3)
    first = batch(office, orders)
    again = batch(office, orders)
    assert [line.number for line in again.lines] == [line.number for line in first.lines]
    assert [line.reserved for line in again.lines] == [None] * 3
    assert not again.numbers
    assert_complete(office, 3)


def test_I3_what_cannot_be_invoiced_takes_no_number_and_says_why(office: Office) -> None:
    (good_account, good), (bad_account, canceled) = customers(office, 2)
    cancel(office, bad_account, canceled)
    nothing = order(office, wish(bad_account, line(0)))
    done = batch(
        office,
        [(bad_account, canceled), (good_account, good), ("acc_none", "ord_x"), (bad_account, nothing), (bad_account, "ord_none")],
    )
    assert [(line.number, line.refusal) for line in done.lines] == [
        (None, "order_canceled"),
        ("INV-2026-000001", None),
        (None, "account_not_found"),
        (None, "nothing_to_bill"),
        (None, "order_not_found"),
    ]
    assert_complete(office, 1)


def test_I3_several_orders_of_one_account_are_billed_one_after_the_other(office: Office) -> None:
    account_id = office.open_account()
    orders = [(account_id, order(office, wish(account_id))) for _ in range(4)]
    dollars = account_id, order(office, wish(account_id, currency="USD"))
    office.trouble.steps.clear()
    batch(office, [*orders, dollars])
    assert office.trouble.steps.count("commit") == 1 + 5 + 1
    assert [entry.sequence for entry in office.entries(account_id)] == [1, 2, 3, 4]
    assert_sound(office, account_id, "USD")
    assert_complete(office, 5)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", range(1, 7))
def test_I3_whatever_fails_at_any_write_all_of_it_is_finished(office: Office, fault: Fault, at: int) -> None:
    orders = customers(office, 4)
    office.trouble.strike(fault, on="commit", at=at)
    try:
        batch(office, orders, "same")
    except MachineDiedError:
        batch(office, orders, "same")
    assert office.trouble.pending == 0
    assert len(office.books.all(InvoiceBatch)) == 1
    assert_complete(office, 4)
    assert [line.refusal for line in batch(office, orders, "same").lines] == [None] * 4


@given(st.integers(1, 6), st.integers(0, 20))
def test_I3_a_batch_left_behind_is_finished_by_the_schedule_with_its_own_date(at: int, days: int) -> None:
    office = Office()
    orders = customers(office, 4)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=at)
    with pytest.raises(MachineDiedError):
        batch(office, orders)
    office.clock.advance(days=days)
    other, later = customers(office, 1)[0]
    office.issue(other, later)  # numbered after the block, and not dated before it
    proof = prove_numbers(SERIES, office.books, office.books)
    assert proof.gaps == ()
    assert proof.pending == max(0, 4 - (at - 1))
    for left in office.books.unfinished_batches():
        finish(office, left)
    assert_complete(office, 5)


def test_the_schedule_finds_a_batch_by_the_moment_at_which_it_took_its_numbers(office: Office) -> None:
    orders = customers(office, 2)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=1)
    with pytest.raises(MachineDiedError):
        batch(office, orders)
    (left,) = office.books.all(InvoiceBatch)
    earlier = office.books.due(AgendaKind.INVOICE_BATCH, "2026-03-02T08:59:59+00:00", None, 10)[0]
    (due,) = office.books.due(AgendaKind.INVOICE_BATCH, office.clock.now().isoformat(), None, 10)[0]
    assert earlier == []
    assert (due.account_id, due.id) == ("", left.id)


# What happens between the reservation and the invoice


def after_reservation(office: Office, orders: list[tuple[str, str]], act: Callable[[], object]) -> InvoiceBatch:
    """Do something at the moment at which the block is taken and nothing is written yet."""
    office.trouble.meanwhile(act, at=2)
    return batch(office, orders)


def test_I3_an_order_canceled_after_its_number_was_taken_leaves_it_spoiled(office: Office) -> None:
    (first, one), (second, two), third = customers(office, 3)
    done = after_reservation(office, [(first, one), (second, two), third], lambda: cancel(office, second, two))
    assert [(line.number, line.refusal) for line in done.lines] == [
        ("INV-2026-000001", None),
        (None, "order_canceled"),
        ("INV-2026-000003", None),
    ]
    (spoiled,) = office.books.all(SpoiledNumber)
    assert (spoiled.id, spoiled.reason, spoiled.order_id, spoiled.issued_on) == (
        "INV-2026-000002",
        "order_canceled",
        two,
        TODAY,
    )
    assert done.spoiled_number(done.lines[1]) == "INV-2026-000002"
    assert_complete(office, 3)


def test_I3_an_order_invoiced_singly_meanwhile_keeps_that_number_and_spoils_the_other(office: Office) -> None:
    (first, one), (second, two) = customers(office, 2)
    done = after_reservation(office, [(first, one), (second, two)], lambda: office.issue(second, two))
    assert [line.number for line in done.lines] == ["INV-2026-000001", "INV-2026-000003"]
    assert done.spoiled_number(done.lines[1]) == "INV-2026-000002"
    assert_complete(office, 3)


def test_I1_an_order_revised_meanwhile_is_billed_as_revised(office: Office) -> None:
    ((account_id, order_id),) = customers(office, 1)
    after_reservation(office, [(account_id, order_id)], lambda: revise(office, order_id, wish(account_id, line(20000))))
    assert office.item(account_id, invoice_id_for(order_id)).total_minor == 24200
    assert_complete(office, 1)


def test_I10_deposits_are_deducted_in_a_batch_too(office: Office) -> None:
    account_id = office.open_account()
    deposit = invoice(office, wish(account_id, line(3000), kind=OrderKind.DEPOSIT))
    office.receive(account_id, 3630, allocations=[Allocation(deposit, 3630)])
    final, rival = (order(office, wish(account_id, line(10000), deposits=[deposit])) for _ in range(2))
    done = batch(office, [(account_id, final), (account_id, rival)])
    assert [line.refusal for line in done.lines] == [None, "deposit_deducted"]
    assert office.item(account_id, invoice_id_for(final)).total_minor == 8470
    assert_complete(office, 3)


def test_I2_two_machines_that_finish_the_same_batch_write_each_invoice_once(office: Office) -> None:
    orders = customers(office, 4)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=2)
    with pytest.raises(MachineDiedError):
        batch(office, orders)
    (left,) = office.books.unfinished_batches()
    office.trouble.meanwhile(lambda: finish(office, left), at=2)
    finish(office, left)
    assert_complete(office, 4)


def test_I3_invoice_and_spoiled_number_exclude_each_other(office: Office) -> None:
    """One machine finds the wallet too low and is about to spoil the number; the other finds it filled."""
    ((account_id, order_id),) = customers(office, 1)
    office.trouble.strike(Fault.CRASH_AFTER, on="commit", at=1)
    with pytest.raises(MachineDiedError):
        batch(office, [(account_id, order_id)])
    (left,) = office.books.unfinished_batches()
    good = office.order(account_id, order_id)

    def other_machine() -> None:
        office.books.overwrite(good)
        finish(office, left)

    office.books.overwrite(replace(good, canceled_at=office.clock.now()))
    office.trouble.meanwhile(other_machine, at=1)
    done = finish(office, left)
    assert done.lines[0].number == "INV-2026-000001"
    assert office.books.all(SpoiledNumber) == []
    assert_complete(office, 1)


def test_what_is_busy_is_finished_later_and_not_given_up(office: Office, pauses: list[float]) -> None:
    orders = customers(office, 2)
    for at in range(3, 40):
        office.trouble.strike(Fault.THROTTLE, on="commit", at=at)
    with pytest.raises(TransientError):
        batch(office, orders, "same")
    office.trouble.clear()
    assert prove_numbers(SERIES, office.books, office.books).pending == 1
    batch(office, orders, "same")
    assert_complete(office, 2)


def test_I3_a_batch_that_is_behind_midnight_is_not_dated_before_its_series(office: Office) -> None:
    orders = customers(office, 2)
    office.books.commit([NumberSeries(SERIES, 1, date(2026, 3, 5))])
    done = batch(office, orders)
    assert done.issued_on == date(2026, 3, 5)
    assert {document.issued_on for document in office.books.all(Invoice)} == {date(2026, 3, 5)}


def test_I3_a_reader_that_is_behind_costs_a_look_and_no_number(office: Office, pauses: list[float]) -> None:
    with office.books.lagging():
        orders = customers(office, 3)
        batch(office, orders)
        batch(office, orders)
    assert_complete(office, 3)


def test_a_batch_has_a_size_and_names_an_order_once(office: Office) -> None:
    ((account_id, order_id),) = customers(office, 1)
    for orders, code in (
        ([], "bad_batch_size"),
        ([(account_id, f"ord_{n}") for n in range(MAX_BATCH + 1)], "bad_batch_size"),
        ([(account_id, order_id), (account_id, order_id)], "duplicate_order"),
    ):
        with refused(office.books, code, InvalidError):
            batch(office, orders)


def test_I3_a_voided_number_stays_in_the_proof(office: Office) -> None:
    ((account_id, order_id),) = customers(office, 1)
    batch(office, [(account_id, order_id)])
    void(office, account_id, invoice_id_for(order_id))
    assert_complete(office, 1)


def test_C3_a_batch_lets_credits_pay_where_the_account_wants_it(office: Office) -> None:
    (wants, first), (not_, second) = customers(office, 2)
    office.change_account(wants, apply_credits=True)
    for account_id in (wants, not_):
        office.receive(account_id, 5000)
    batch(office, [(wants, first), (not_, second)])
    assert office.item(wants, invoice_id_for(first)).open_minor == 7100
    assert office.item(not_, invoice_id_for(second)).open_minor == 12100
    assert_complete(office, 2)
