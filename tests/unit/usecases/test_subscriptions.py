"""Subscriptions are billed once a period, and changed to the day (S1–S3, C1, C6, I11)."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.accounts import ModeChange, PaymentMode
from remit.domain.actor import Actor
from remit.domain.credits import CreditKind
from remit.domain.errors import InvalidError, NotFoundError, RemitError, RuleError
from remit.domain.journal import EntryKind
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation
from remit.domain.plans import AppliesTo, Billing
from remit.domain.subscriptions import SubscriptionEventKind, SubscriptionStatus, When
from remit.usecases.idempotency import Answer
from remit.usecases.read_subscription import read_subscription
from remit.usecases.read_timeline import read_timeline
from remit.usecases.renew_subscription import SLICE
from remit.usecases.void_invoice import void_invoice
from tests.fakes import Fault, MachineDiedError, no_waiting
from tests.support import subscribing as sub
from tests.support.builders import Office, line, plain
from tests.support.refusals import refused

FEBRUARY_10 = "2027-02-10"


@pytest.fixture
def office() -> Office:
    """On January 31, 2027, with a plan of 100.00 a month."""
    return opened()


def opened(**how: Any) -> Office:
    office = Office()
    sub.moves_to(office, "2027-01-31")
    sub.plan(office, **how)
    return office


def subscribed(office: Office, **wish: Any) -> tuple[str, str]:
    """A customer with a subscription whose first period is billed."""
    account_id = office.open_account()
    subscription_id = sub.subscribe(office, account_id, **wish)
    sub.run(office)
    return account_id, subscription_id


def pay_all(office: Office, account_id: str) -> None:
    office.receive(account_id, office.balance(account_id).receivable_minor, oldest_first=True)


# Plans


def test_S1_a_plan_is_defined_once_and_revised_in_versions(office: Office) -> None:
    with refused(office.books, "plan_exists", RuleError):
        sub.plan(office)
    sub.revise(office, "basic", 12000, AppliesTo.NEW)
    first, _ = office.books.plans(None, 1)
    assert [(plan.id, plan.newest, plan.for_renewals) for plan in first] == [("basic", 2, 1)]
    with refused(office.books, "plan_not_found", NotFoundError):
        sub.revise(office, "other", 1, AppliesTo.NEW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": [line(1, "VAT99")]}, "unknown_tax_code"),
        ({"term_id": "net99"}, "unknown_payment_term"),
        ({"currency": "XXX"}, "unknown_currency"),
    ],
)
def test_S1_what_could_not_be_billed_is_no_plan(office: Office, changes: dict[str, Any], code: str) -> None:
    with refused(office.books, code, InvalidError):
        sub.plan(office, "other", **changes)


def test_S1_renewals_take_the_version_that_is_for_them_and_the_price_of_a_period_stays(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.revise(office, "basic", 15000, AppliesTo.NEW)
    sub.moves_to(office, "2027-02-28")
    sub.run(office)
    sub.revise(office, "basic", 20000, AppliesTo.RENEWALS)
    newcomer = sub.subscribe(office, account_id)
    sub.moves_to(office, "2027-03-31")
    sub.run(office)
    known = [sub.invoice_of(office, account_id, subscription_id, n).priced.totals.net_minor for n in (1, 2, 3)]
    assert known == [10000, 10000, 20000]
    assert sub.stored(office, account_id, newcomer).phases[0].agreed.plan_version == 3


def test_S1_in_arrears_a_version_for_renewals_is_for_periods_that_begin_after_it() -> None:
    office = opened(billing=Billing.IN_ARREARS)
    account_id, _ = subscribed(office)
    assert sub.invoices(office, account_id) == []
    sub.revise(office, "basic", 20000, AppliesTo.RENEWALS)
    sub.moves_to(office, "2027-03-31")
    sub.run(office)
    assert [invoice.priced.totals.net_minor for invoice in sub.invoices(office, account_id)] == [10000, 20000]


# Renewals


def test_S1_S2_a_year_from_january_31_has_twelve_invoices_that_name_their_periods(office: Office) -> None:
    account_id, subscription_id = subscribed(office, quantity=2)
    for month in range(2, 13):
        sub.moves_to(office, date(2027, month, 28))
        sub.run(office)
    sub.moves_to(office, "2027-12-31")
    sub.run(office)
    found = sub.invoices(office, account_id)
    assert len(found) == 12
    assert [invoice.subscription and invoice.subscription.period for invoice in found] == list(range(1, 13))
    assert {(invoice.kind, invoice.total_minor) for invoice in found} == {(OrderKind.SUBSCRIPTION, 24200)}
    assert found[1].priced.lines[0].description == "services at 10000, 2027-02-28 to 2027-03-30"
    assert sub.stored(office, account_id, subscription_id).due_on == date(2028, 1, 31)
    sub.proves(office, account_id)


def test_S2_missed_runs_catch_up_in_order_dated_today(office: Office) -> None:
    account_id, _ = subscribed(office)
    sub.moves_to(office, "2027-04-30")
    (renewed,) = sub.run(office)
    assert len(renewed.invoices) == 3
    found = sub.invoices(office, account_id)
    assert [invoice.subscription and invoice.subscription.period for invoice in found] == [1, 2, 3, 4]
    assert [invoice.issued_on.isoformat() for invoice in found] == ["2027-01-31"] + ["2027-04-30"] * 3
    assert found[1].priced.lines[0].description.endswith("2027-02-28 to 2027-03-30")
    sub.proves(office, account_id)


def test_S2_one_far_behind_goes_on_in_slices() -> None:
    office = opened(interval=sub.Interval(1, sub.Unit.DAY))
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, "2027-03-05")
    first = sub.renew(office, account_id, subscription_id)
    assert (len(first.invoices), first.more) == (SLICE, True)
    second, third = sub.renew(office, account_id, subscription_id), sub.renew(office, account_id, subscription_id)
    assert (second.more, len(third.invoices), third.more) == (True, 33 - 2 * SLICE, False)
    assert len(sub.invoices(office, account_id)) == 34


def test_S2_a_run_again_or_too_early_changes_nothing(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    before = office.books.state()
    assert sub.renew(office, account_id, subscription_id).invoices == ()
    sub.moves_to(office, "2027-02-27")
    assert sub.due(office) == []
    assert sub.renew(office, account_id, subscription_id).invoices == ()
    assert office.books.state() == before


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("at", [1, 2, 3])
def test_S2_whatever_goes_wrong_at_a_commit_each_period_has_one_invoice(fault: Fault, at: int) -> None:
    office = opened()
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, "2027-04-30")
    office.trouble.strike(fault, on="commit", at=at)
    try:
        sub.renew(office, account_id, subscription_id)
    except MachineDiedError:
        sub.renew(office, account_id, subscription_id)
    assert office.trouble.pending == 0
    found = sub.invoices(office, account_id)
    assert [invoice.subscription and invoice.subscription.period for invoice in found] == [1, 2, 3, 4]
    assert [invoice.number for invoice in found] == [f"INV-2027-{n:06d}" for n in (1, 2, 3, 4)]
    sub.proves(office, account_id)


def test_S2_two_runs_at_once_give_one_invoice_a_period(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, "2027-03-31")
    office.trouble.meanwhile(lambda: sub.renew(office, account_id, subscription_id))
    assert sub.renew(office, account_id, subscription_id).invoices == ()
    assert len(sub.invoices(office, account_id)) == 3
    sub.proves(office, account_id)


def test_S2_a_period_that_costs_nothing_is_passed_without_an_invoice() -> None:
    office = opened(minor=0)
    account_id, subscription_id = subscribed(office)
    assert sub.stored(office, account_id, subscription_id).next_period == 2
    assert sub.invoices(office, account_id) == []


# Refusals


def limited(office: Office, account_id: str) -> None:
    office.change_account(account_id, credit_limits={"EUR": 12100})


def unpaid_for(office: Office, account_id: str) -> None:
    office.change_account(account_id, default_term_id=None)


def prepaid(office: Office, account_id: str) -> None:
    account = office.account(account_id)
    office.books.commit([account.change_mode(ModeChange(date(2027, 2, 28), PaymentMode.PREPAID), date(2027, 1, 31))])


@pytest.mark.parametrize(
    ("forbid", "code"),
    [(limited, "credit_limit_exceeded"), (unpaid_for, "no_payment_term"), (prepaid, "wallet_too_low")],
)
def test_S2_a_renewal_that_a_rule_refuses_is_noted_told_and_tried_again_the_next_day(
    office: Office, forbid: Any, code: str
) -> None:
    account_id, subscription_id = subscribed(office)
    other, _ = subscribed(office)
    forbid(office, account_id)
    sub.moves_to(office, "2027-02-28")
    sub.run(office)
    known = sub.stored(office, account_id, subscription_id)
    assert known.last_refusal is not None
    assert (known.last_refusal.period, known.last_refusal.code, known.due_on) == (2, code, date(2027, 3, 1))
    assert len(sub.invoices(office, other)) == 2
    sub.moves_to(office, "2027-03-01")
    sub.run(office)
    told = [event for event in sub.events(office, account_id) if event.kind is SubscriptionEventKind.REFUSED]
    assert [(event.facts["period"], event.facts["code"]) for event in told] == [(2, code)]
    rows, _ = read_timeline(account_id, office.books, None, 100)
    assert told[0] in [row.event for row in rows]
    sub.proves(office, account_id)


def test_S2_what_was_refused_is_billed_in_order_once_it_may(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    limited(office, account_id)
    sub.moves_to(office, "2027-04-01")
    sub.run(office)
    assert len(sub.invoices(office, account_id)) == 1
    office.change_account(account_id, credit_limits={})
    sub.moves_to(office, "2027-04-02")
    sub.run(office)
    found = sub.invoices(office, account_id)
    assert [invoice.subscription and invoice.subscription.period for invoice in found] == [1, 2, 3]
    assert sub.stored(office, account_id, subscription_id).last_refusal is None


# Credits for the first and the last payment


def test_C1_the_first_payment_credit_pays_the_first_invoice_and_the_last_the_final_one(office: Office) -> None:
    account_id = office.open_account()
    subscription_id = sub.subscribe(office, account_id, periods=3)
    last = sub.give(office, account_id, 500, CreditKind.LAST_PAYMENT, subscription_id)
    first = sub.give(office, account_id, 2100, CreditKind.FIRST_PAYMENT, subscription_id)
    sub.give(office, account_id, 900, CreditKind.FIRST_PAYMENT, "sub_of_another")
    office.goodwill(account_id, 1000)
    for day in ("2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"):
        sub.moves_to(office, day)
        sub.run(office)
    opens = [sub.item_of(office, account_id, subscription_id, n).open_minor for n in (1, 2, 3)]
    assert opens == [10000, 12100, 11600]
    assert [office.credit(account_id, id).open_minor for id in (first, last)] == [0, 0]
    assert sub.stored(office, account_id, subscription_id).status_on(date(2027, 4, 30)) is SubscriptionStatus.ENDED
    sub.proves(office, account_id)


def test_C1_an_invoice_that_becomes_the_final_one_by_a_cancellation_is_paid_by_the_last_payment_credit(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    last = sub.give(office, account_id, 500, CreditKind.LAST_PAYMENT, subscription_id)
    sub.moves_to(office, FEBRUARY_10)
    sub.cancel(office, account_id, subscription_id, When.PERIOD_END)
    item = sub.item_of(office, account_id, subscription_id, 1)
    assert item.subscription is not None
    assert (item.subscription.is_final, item.open_minor) == (True, 11600)
    assert office.credit(account_id, last).open_minor == 0
    sub.proves(office, account_id)


def test_C3_where_the_account_says_so_all_credits_pay_renewals(office: Office) -> None:
    account_id = office.open_account(apply_credits=True)
    office.goodwill(account_id, 1000)
    subscription_id = sub.subscribe(office, account_id)
    sub.run(office)
    assert sub.item_of(office, account_id, subscription_id, 1).open_minor == 11100


# Changes


def test_S3_an_upgrade_now_credits_the_rest_and_bills_it_anew(office: Office) -> None:
    """February 10: 18 of 28 days are left of 121.00, and the new plan costs 200.00 net a month."""
    account_id, subscription_id = subscribed(office)
    pay_all(office, account_id)
    sub.plan(office, "pro", 20000)
    sub.moves_to(office, FEBRUARY_10)
    told = sub.preview(office, account_id, subscription_id, plan_id="pro")
    answer = sub.change(office, account_id, subscription_id, plan_id="pro")
    note, invoice = answer.body["credit_note"], answer.body["invoice"]
    assert sum(line["net_minor"] + line["tax_minor"] for line in note["lines"]) == 7779
    assert note["lines"][0]["tax_minor"] == 1350
    assert note["invoice_id"] == sub.invoice_of(office, account_id, subscription_id, 1).id
    assert invoice["priced"]["totals"]["net_minor"] == 12857
    assert invoice["priced"]["totals"]["gross_minor"] == 15557
    assert (answer.body["open_minor"], answer.body["credit_minor"]) == (15557 - 7779, 0)
    assert (told.open_minor, told.credit_minor, told.effective_on) == (7778, 0, date(2027, 2, 10))
    sub.moves_to(office, "2027-02-28")
    sub.run(office)
    assert sub.invoice_of(office, account_id, subscription_id, 3).total_minor == 24200
    sub.proves(office, account_id)


def test_S3_a_preview_stores_nothing(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    before = office.books.state()
    sub.preview(office, account_id, subscription_id, quantity=3)
    sub.preview(office, account_id, subscription_id, When.PERIOD_END, quantity=3)
    assert office.books.state() == before


def test_S3_a_downgrade_leaves_the_rest_as_credit(office: Office) -> None:
    account_id, subscription_id = subscribed(office, quantity=4)
    pay_all(office, account_id)
    sub.moves_to(office, FEBRUARY_10)
    answer = sub.change(office, account_id, subscription_id, quantity=1)
    billed = answer.body["invoice"]["priced"]["totals"]["gross_minor"]
    credited = sum(line["net_minor"] + line["tax_minor"] for line in answer.body["credit_note"]["lines"])
    assert (answer.body["open_minor"], answer.body["credit_minor"]) == (0, credited - billed)
    assert office.balance(account_id).credit_minor == credited - billed
    sub.proves(office, account_id)


def test_S3_an_unpaid_invoice_is_lowered_by_what_is_credited(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    sub.change(office, account_id, subscription_id, quantity=2)
    assert sub.item_of(office, account_id, subscription_id, 1).open_minor == 12100 - 7779
    assert office.balance(account_id).receivable_minor == 12100 - 7779 + 15557
    sub.proves(office, account_id)


def test_S3_in_arrears_the_days_up_to_the_change_are_billed_and_the_rest_at_the_end() -> None:
    office = opened(billing=Billing.IN_ARREARS)
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    answer = sub.change(office, account_id, subscription_id, quantity=2)
    assert answer.body["credit_note"] is None
    assert answer.body["invoice"]["priced"]["totals"]["net_minor"] == 3571  # 10 of 28 days of 100.00
    sub.moves_to(office, "2027-02-28")
    sub.run(office)
    assert sub.invoice_of(office, account_id, subscription_id, 2).priced.totals.net_minor == 12857  # 18 of 28 of 200.00
    sub.proves(office, account_id)


def test_S3_a_change_at_the_periods_end_bills_nothing_today(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.plan(office, "yearly", 100000, sub.YEARLY)
    sub.moves_to(office, FEBRUARY_10)
    answer = sub.change(office, account_id, subscription_id, When.PERIOD_END, plan_id="yearly")
    assert (answer.body["invoice"], answer.body["effective_on"]) == (None, "2027-02-28")
    assert len(sub.invoices(office, account_id)) == 1
    sub.moves_to(office, "2027-02-28")
    sub.run(office)
    second = sub.invoice_of(office, account_id, subscription_id, 2)
    assert second.priced.lines[0].description.endswith("2027-02-28 to 2028-02-27")
    assert sub.stored(office, account_id, subscription_id).due_on == date(2028, 2, 28)


def test_S3_what_was_missed_is_billed_before_a_change(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, "2027-03-05")
    sub.change(office, account_id, subscription_id, quantity=2)
    assert [invoice.subscription and invoice.subscription.period for invoice in sub.invoices(office, account_id)] == [1, 2, 3]
    sub.proves(office, account_id)


def test_S3_refused_changes_leave_no_trace(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.plan(office, "dollars", currency="USD")
    sub.plan(office, "late", billing=Billing.IN_ARREARS)
    limited(office, account_id)
    sub.moves_to(office, FEBRUARY_10)
    for wish, code in (
        ({"plan_id": "dollars"}, "currency_mismatch"),
        ({"plan_id": "late"}, "billing_differs"),
        ({"plan_id": "none"}, "plan_not_found"),
        ({"quantity": 1}, "nothing_changes"),
        ({"quantity": 5}, "credit_limit_exceeded"),
    ):
        with refused(office.books, code, RemitError):
            sub.change(office, account_id, subscription_id, **wish)
    with refused(office.books, "subscription_not_found", NotFoundError):
        sub.change(office, account_id, "sub_of_nobody", quantity=2)
    sub.moves_to(office, "2027-02-28")
    sub.run(office)
    with refused(office.books, "subscription_behind", RuleError):
        sub.change(office, account_id, subscription_id, quantity=2)


@given(
    st.lists(st.tuples(st.integers(0, 27), st.integers(1, 6), st.sampled_from(["basic", "pro", "gross"])), max_size=4),
    st.booleans(),
)
def test_S3_C6_however_often_it_is_changed_in_a_period_used_and_credited_are_what_was_billed(
    steps: list[tuple[int, int, str]], is_paid: bool
) -> None:
    """Up, down, on the first day and on the last: of no invoice is more credited than billed, and the books explain it all."""
    with no_waiting():
        office = opened(minor=3333)
        sub.plan(office, "pro", 10001)
        sub.plan(office, "gross", 9999, prices_include_tax=True)
        account_id, subscription_id = subscribed(office, quantity=3)
        for day, quantity, plan_id in sorted(steps, key=lambda step: step[0]):
            if is_paid:
                pay_or_nothing(office, account_id)
            sub.moves_to(office, date.fromordinal(date(2027, 1, 31).toordinal() + day))
            agreed = sub.stored(office, account_id, subscription_id).phases[-1].agreed
            if (agreed.plan_id, agreed.quantity) != (plan_id, quantity):
                sub.change(office, account_id, subscription_id, quantity=quantity, plan_id=plan_id)
        known = sub.stored(office, account_id, subscription_id)
        for number in range(1, known.next_period):
            invoice, item = (read(office, account_id, subscription_id, number) for read in (sub.invoice_of, sub.item_of))
            period = known.counted(number)
            assert item.credited_minor <= invoice.total_minor
            if number == known.next_period - 1:
                assert item.credited_minor == 0
            elif period.days == 0:
                assert item.credited_minor == invoice.total_minor
        assert sum(known.counted(number).days for number in range(1, known.next_period)) == 28
        sub.proves(office, account_id)


def pay_or_nothing(office: Office, account_id: str) -> None:
    if office.balance(account_id).receivable_minor:
        pay_all(office, account_id)


# Pauses and cancellations


def test_S3_nothing_is_billed_in_a_pause_and_it_begins_anew_after_it(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    sub.pause(office, account_id, subscription_id)
    sub.moves_to(office, "2027-05-05")
    assert sub.run(office) == []
    sub.resume(office, account_id, subscription_id)
    sub.run(office)
    assert len(sub.invoices(office, account_id)) == 2
    second = sub.invoice_of(office, account_id, subscription_id, 2)
    assert second.priced.lines[0].description.endswith("2027-05-05 to 2027-06-04")
    kinds = [event.kind for event in sub.events(office, account_id)]
    assert kinds == [SubscriptionEventKind.STARTED, SubscriptionEventKind.PAUSED, SubscriptionEventKind.RESUMED]
    assert sub.events(office, account_id)[1].facts == {"from_on": "2027-02-28", "period": 2}


@pytest.mark.parametrize(("credit", "left"), [(True, 12100 - 7779), (False, 12100)])
def test_S3_canceled_now_it_is_billed_no_more_and_credited_if_that_is_wished(office: Office, credit: bool, left: int) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    answer = sub.cancel(office, account_id, subscription_id, When.NOW, credit=credit)
    assert (answer.body["credit_note"] is not None) is credit
    assert sub.item_of(office, account_id, subscription_id, 1).open_minor == left
    sub.moves_to(office, "2027-12-31")
    assert sub.run(office) == []
    with refused(office.books, "subscription_over", RuleError):
        sub.cancel(office, account_id, subscription_id, When.NOW)
    sub.proves(office, account_id)


def test_S3_in_arrears_a_cancellation_leaves_the_days_used_to_the_next_run() -> None:
    office = opened(billing=Billing.IN_ARREARS)
    account_id, subscription_id = subscribed(office)
    sub.give(office, account_id, 100, CreditKind.LAST_PAYMENT, subscription_id)
    sub.moves_to(office, FEBRUARY_10)
    sub.cancel(office, account_id, subscription_id, When.NOW, credit=True)
    sub.run(office)
    (only,) = sub.invoices(office, account_id)
    assert only.priced.totals.net_minor == 3571
    assert sub.item_of(office, account_id, subscription_id, 1).open_minor == only.total_minor - 100


@pytest.mark.parametrize("ask", [partial(sub.cancel, when=When.NOW), partial(sub.change, quantity=2)], ids=["cancel", "change"])
def test_S3_a_repeated_request_bills_nothing_that_has_fallen_due_since(ask: Callable[..., Answer]) -> None:
    office = opened(billing=Billing.IN_ARREARS)
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    first = ask(office, account_id, subscription_id, key="once")
    before = office.books.state()
    sub.moves_to(office, "2027-04-10")
    again = ask(office, account_id, subscription_id, key="once")
    assert (again.replayed, again.body) == (True, first.body)
    assert office.books.state() == before
    assert sub.run(office), "the next run bills it"


def test_S3_who_cannot_be_billed_can_still_be_canceled(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    limited(office, account_id)
    sub.moves_to(office, "2027-03-05")
    sub.cancel(office, account_id, subscription_id, When.NOW, credit=True)
    assert len(sub.invoices(office, account_id)) == 1
    assert sub.due(office) == []
    sub.proves(office, account_id)


def test_S3_a_voided_invoice_is_not_credited(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    invoice_id = sub.invoice_of(office, account_id, subscription_id, 1).id
    void_invoice(account_id, invoice_id, "wrong", office.request(), office.firm, office.books, office.clock)
    sub.moves_to(office, FEBRUARY_10)
    answer = sub.change(office, account_id, subscription_id, quantity=2)
    assert answer.body["credit_note"] is None
    sub.proves(office, account_id)


# Once

type Operation = Callable[[Office, str, str, str], Answer]

OPERATIONS: dict[str, Operation] = {
    "change": lambda office, a, s, key: sub.change(office, a, s, quantity=2, key=key),
    "change at the end": lambda office, a, s, key: sub.change(office, a, s, When.PERIOD_END, quantity=2, key=key),
    "cancel": lambda office, a, s, key: sub.cancel(office, a, s, When.NOW, credit=True, key=key),
    "cancel at the end": lambda office, a, s, key: sub.cancel(office, a, s, When.PERIOD_END, key=key),
    "pause": lambda office, a, s, key: sub.pause(office, a, s, key=key),
}


@pytest.mark.parametrize("do", OPERATIONS.values(), ids=list(OPERATIONS))
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("missed", [False, True])
def test_S3_whatever_goes_wrong_a_change_is_made_once_and_a_repeat_is_told_so(do: Operation, fault: Fault, missed: bool) -> None:
    """A crash, a throttle, a lost reply at each commit: of the change, and of the period that was missed before it."""
    calm, office = opened(), opened()
    results = []
    for each in (calm, office):
        account_id, subscription_id = subscribed(each)
        sub.moves_to(each, "2027-03-05" if missed else FEBRUARY_10)
        if each is office:
            for at in (1, 2) if missed else (1,):
                each.trouble.strike(fault, on="commit", at=at)
        try:
            first = do(each, account_id, subscription_id, "same")
        except MachineDiedError:
            each.trouble.clear()
            first = do(each, account_id, subscription_id, "same")
        each.trouble.clear()
        before = each.books.state()
        again = do(each, account_id, subscription_id, "same")
        assert (again.body, again.replayed) == (first.body, True)
        assert each.books.state() == before
        sub.run(each)
        sub.proves(each, account_id)
        results.append([entry.draft.kind for entry in each.entries(account_id)])
    assert results[0] == results[1]


def test_S3_two_changes_at_once_are_made_one_after_the_other(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    office.trouble.meanwhile(lambda: sub.change(office, account_id, subscription_id, quantity=2))
    sub.change(office, account_id, subscription_id, quantity=3)
    kinds = [entry.draft.kind for entry in office.entries(account_id)]
    assert kinds.count(EntryKind.CREDIT_NOTE_ISSUED) == 2
    assert kinds.count(EntryKind.INVOICE_ISSUED) == 3
    sub.proves(office, account_id)


# Reading


def test_I11_a_subscription_leads_to_its_invoices_and_an_invoice_to_its_subscription(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    sub.change(office, account_id, subscription_id, quantity=2)
    found = read_subscription(account_id, subscription_id, office.books, office.clock)
    invoices = sub.invoices(office, account_id)
    assert [item.invoice_id for item in found.invoices] == [invoice.id for invoice in reversed(invoices)]
    assert {invoice.subscription and invoice.subscription.subscription_id for invoice in invoices} == {subscription_id}
    assert found.under_way is not None
    assert (found.under_way.number, found.status) == (2, SubscriptionStatus.ACTIVE)
    assert [period.starts_on.isoformat() for period in found.upcoming[:2]] == ["2027-02-28", "2027-03-31"]


def test_A6_the_timeline_tells_who_did_what_to_a_subscription(office: Office) -> None:
    account_id, subscription_id = subscribed(office)
    sub.moves_to(office, FEBRUARY_10)
    sub.change(office, account_id, subscription_id, When.PERIOD_END, quantity=2)
    sub.cancel(office, account_id, subscription_id, When.PERIOD_END)
    rows, cursor = [], None
    while True:
        page, cursor = read_timeline(account_id, office.books, cursor, 2)
        rows += page
        if cursor is None:
            break
    told = sub.events(office, account_id)
    assert [row.event for row in rows if row.event in told] == told[::-1]
    assert all(isinstance(row.actor, Actor) for row in rows)
    assert [event.kind for event in told] == [
        SubscriptionEventKind.STARTED,
        SubscriptionEventKind.CHANGE_PLANNED,
        SubscriptionEventKind.CANCELED,
    ]
    assert plain(told[1].facts)["effective_on"] == "2027-02-28"


def test_S4_a_renewal_of_who_pays_automatically_is_collected_when_it_is_due(office: Office) -> None:
    account_id = office.open_account(collect_automatically=True)
    subscription_id = sub.subscribe(office, account_id)
    sub.run(office)
    item = sub.item_of(office, account_id, subscription_id, 1)
    assert item.collect_on == item.next_due
    office.receive(account_id, 12100, allocations=[Allocation(item.invoice_id, 12100)])
    assert sub.item_of(office, account_id, subscription_id, 1).status is InvoiceStatus.PAID
