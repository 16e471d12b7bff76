"""D9: late fees and interest from the ledger: what was overdue on which day, charged once, by an invoice of its own."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from remit.domain.accounts import ModeChange, PaymentMode
from remit.domain.automations import Automation
from remit.domain.credit_notes import CreditNoteTerms, LineCredit
from remit.domain.dunning import Promise
from remit.domain.errors import ConflictError, InvalidError, NotFoundError, RuleError, TransientError
from remit.domain.journal import EntryKind
from remit.domain.late_charges import DayCount, InterestRule, LateChargeRules, LateFee, Rate
from remit.domain.messages import Message
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation
from remit.domain.terms import Due, DueRule, PaymentTerm, TermPart
from remit.usecases.issue_credit_note import CreditNoteWish, issue_credit_note
from tests.fakes import Fault, MachineDiedError
from tests.support import late
from tests.support.builders import LONG_AGO, NOW, Office
from tests.support.invoicing import assert_sound, postpone, void, with_terms, write_off
from tests.support.late import FORTY, TEN_FIFTEEN, bill, charging
from tests.support.payments import reallocate
from tests.support.refusals import refused

ZERO = "ZERO"
DUE = date(2026, 3, 2)
"""The invoices here are issued on it and due on receipt."""

INTEREST = LateChargeRules(None, TEN_FIFTEEN)


@pytest.fixture
def office() -> Office:
    return charging()


def late_by(office: Office, days: int) -> None:
    office.clock.set(NOW + timedelta(days=days))


def pay(office: Office, account_id: str, invoice_id: str, minor: int, on: date | None = None, **how: Any) -> str:
    answer = office.receive(account_id, minor, allocations=[Allocation(invoice_id, minor)], value_date=on, **how)
    return str(answer.body["id"])


def run_days(office: Office, first: int, last: int) -> None:
    """Both schedules, once a day."""
    for day in range(first, last + 1):
        late_by(office, day)
        office.run_dunning()
        late.run_agenda(office)


# The reference figures, through the ledger


@pytest.mark.parametrize(("day_count", "expected"), [(DayCount.ACTUAL_365, 1279), (DayCount.ACTUAL_360, 1297)])
def test_D9_1000_at_10_15_percent_paid_46_days_late(day_count: DayCount, expected: int) -> None:
    office = charging(LateChargeRules(None, replace(TEN_FIFTEEN, day_count=day_count)))
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 46)
    pay(office, account_id, invoice_id, 100_000)
    assert late.waits(office) == [invoice_id]
    assert late.run_agenda(office) == [], "on the next day, when the day's payments are in"
    late_by(office, 47)
    (charge_id,) = late.run_agenda(office)
    charge = office.document(account_id, charge_id)
    assert (charge.total_minor, charge.kind, charge.priced.totals.tax_minor) == (expected, OrderKind.LATE_CHARGE, 0)
    (period,) = charge.late_charge.periods  # type: ignore[union-attr]
    assert (period.first, period.through, period.days) == (DUE + timedelta(days=1), DUE + timedelta(days=46), 46)
    (text,) = (each.description for each in charge.priced.lines)
    assert all(word in text for word in ("INV-2026-000001", "46 days", "EUR 1000.00", "10.15 %"))
    assert (late.waits(office), late.run_agenda(office)) == ([], [])
    assert_sound(office, account_id)


@pytest.mark.parametrize(("currency", "minor", "expected"), [("JPY", 100_000, 1279), ("KWD", 1_000_000, 12_792)])
def test_D9_in_currencies_without_and_with_three_decimals(currency: str, minor: int, expected: int) -> None:
    office = charging(INTEREST)
    account_id = office.open_account()
    invoice_id = bill(office, account_id, minor, currency)
    late_by(office, 46)
    pay(office, account_id, invoice_id, minor, currency=currency)
    late_by(office, 47)
    late.run_agenda(office)
    assert late.amounts(office, account_id) == [(expected, 0)]
    assert_sound(office, account_id, currency)


def test_D9_the_charge_is_posted_to_late_fees_and_linked_both_ways(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 14)
    office.run_dunning()
    (charge,) = late.charges(office, account_id)
    assert office.item(account_id, invoice_id).late_charges == (charge.id,)
    assert charge.late_charge
    assert charge.late_charge.invoice_id == invoice_id
    entry = office.entries(account_id)[-1].draft
    assert entry.kind is EntryKind.INVOICE_ISSUED
    assert entry.documents == {"invoice": (charge.id,), "late_invoice": (invoice_id,)}
    assert [(p.account, p.amount_minor) for p in entry.postings] == [("receivable", 4389), ("late_fees", 4389)]
    assert charge.number == "INV-2026-000002", "from the series of all invoices"
    assert office.item(account_id, charge.id).parts[0].due_date == office.firm.today(office.clock.now())
    assert_sound(office, account_id)


# What was overdue on which day


def test_D9_part_payments_split_the_period(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 19)
    pay(office, account_id, invoice_id, 50_000)
    late_by(office, 46)
    found = late.preview(office, account_id, invoice_id)
    assert [(p.days, p.base_minor, p.share_minor) for p in found.periods] == [(19, 100_000, 528), (27, 50_000, 376)]
    assert found.interest_minor == 904


def test_D9_a_payment_counts_from_its_value_date_whenever_it_is_recorded(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 40)
    pay(office, account_id, invoice_id, 50_000, on=DUE + timedelta(days=19))
    assert [(p.days, p.base_minor) for p in late.preview(office, account_id, invoice_id).periods] == [(19, 100_000), (21, 50_000)]


def test_D9_money_that_lay_unapplied_counts_from_its_value_date(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    payment_id = office.receive(account_id, 100_000).body["id"]
    late_by(office, 30)
    office.allocate(account_id, payment_id, Allocation(invoice_id, 100_000))
    assert [(p.days, p.base_minor) for p in late.preview(office, account_id, invoice_id).periods] == [(10, 100_000)]


def test_D9_money_that_was_meant_for_another_invoice_never_paid_this_one(office: Office) -> None:
    account_id = office.open_account()
    mistaken, meant = bill(office, account_id), bill(office, account_id)
    late_by(office, 10)
    payment_id = pay(office, account_id, mistaken, 100_000)
    late_by(office, 30)
    reallocate(office, account_id, payment_id, [Allocation(mistaken, 100_000)], [Allocation(meant, 100_000)])
    assert [p.days for p in late.preview(office, account_id, mistaken).periods] == [30]
    assert [p.days for p in late.preview(office, account_id, meant).periods] == [10]
    assert_sound(office, account_id)


def test_D9_after_a_returned_debit_the_invoice_bears_interest_again(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    payment_id = pay(office, account_id, invoice_id, 100_000)
    late_by(office, 20)
    late.bounces(office, account_id, payment_id, DUE + timedelta(days=15))
    found = late.preview(office, account_id, invoice_id)
    assert [(p.first - DUE, p.days) for p in found.periods] == [(timedelta(days=1), 10), (timedelta(days=16), 5)]


def test_D9_what_is_credited_was_never_owed(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 30)
    credit(office, account_id, invoice_id, 40_000)
    assert [(p.days, p.base_minor) for p in late.preview(office, account_id, invoice_id).periods] == [(30, 60_000)]
    credit(office, account_id, invoice_id, 60_000)
    assert late.preview(office, account_id, invoice_id).interest_minor == 0
    late_by(office, 31)
    assert late.run_agenda(office) == []


def credit(office: Office, account_id: str, invoice_id: str, minor: int) -> None:
    wish = CreditNoteWish(account_id, invoice_id, [LineCredit(1, minor)], CreditNoteTerms("not delivered"))
    ask: Any = office.request(None, [invoice_id, minor])
    issue_credit_note(wish, ask, office.firm, office.books, office.clock, office.ids)


def test_D9_P6_a_postponed_part_stays_late_for_the_days_before_and_is_late_again_from_the_new_date(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    postpone(office, account_id, invoice_id, DUE + timedelta(days=30))
    late_by(office, 40)
    found = late.preview(office, account_id, invoice_id)
    assert [(p.first - DUE, p.days) for p in found.periods] == [(timedelta(days=1), 10), (timedelta(days=31), 10)]


def test_D9_money_of_an_earlier_day_settles_what_was_postponed_since(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 20)
    postpone(office, account_id, invoice_id, DUE + timedelta(days=60))
    late_by(office, 30)
    pay(office, account_id, invoice_id, 100_000, on=DUE + timedelta(days=5))
    assert [p.days for p in late.preview(office, account_id, invoice_id).periods] == [5]


def test_D9_each_part_is_late_from_its_own_date(office: Office) -> None:
    halves = (TermPart(Due(DueRule.ON_RECEIPT), percent=Decimal(50)), TermPart(Due(DueRule.NET_DAYS, 20)))
    with_terms(office, PaymentTerm("halves", "Halves", halves))
    account_id = office.open_account()
    invoice_id = bill(office, account_id, term="halves")
    late_by(office, 30)
    found = late.preview(office, account_id, invoice_id)
    assert [(p.days, p.base_minor) for p in found.periods] == [(20, 50_000), (10, 100_000)]
    assert [(fee.due_date - DUE, fee.amount_minor) for fee in found.fees] == [
        (timedelta(0), 4000),
        (timedelta(days=20), 4000),
    ]


def test_D9_days_of_grace_bear_nothing() -> None:
    office = charging(LateChargeRules(None, replace(TEN_FIFTEEN, grace_days=5)))
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 5)
    assert late.preview(office, account_id, invoice_id).periods == ()
    late_by(office, 7)
    assert [p.days for p in late.preview(office, account_id, invoice_id).periods] == [2]


def with_a_minimum(fee: LateFee | None = None) -> Office:
    """Of EUR 5.00, which EUR 1,000.00 bear in 18 days."""
    return charging(LateChargeRules(fee, replace(TEN_FIFTEEN, minimum={"EUR": 500})))


def test_D9_interest_below_the_minimum_waits_and_is_let_go_with_the_payment() -> None:
    """Tiers at 3, 14 and 30 days: the third is the first that finds enough, and it charges all the days. Then ten more."""
    office = with_a_minimum()
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    run_days(office, 1, 29)
    assert late.amounts(office, account_id) == []
    run_days(office, 30, 40)
    assert late.amounts(office, account_id) == [(834, 0)]
    pay(office, account_id, invoice_id, 100_000)
    run_days(office, 41, 43)
    assert late.amounts(office, account_id) == [(834, 0)], "EUR 2.78 are let go"
    assert late.waits(office) == []
    assert_sound(office, account_id)


def test_D9_the_rest_is_charged_with_the_payment_if_it_has_come_to_the_minimum() -> None:
    office = with_a_minimum()
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    run_days(office, 1, 18)
    pay(office, account_id, invoice_id, 100_000)
    run_days(office, 19, 20)
    assert late.amounts(office, account_id) == [(501, 0)]


def test_D9_interest_below_the_minimum_goes_with_a_fee() -> None:
    office = with_a_minimum(FORTY)
    account_id = office.open_account()
    bill(office, account_id)
    run_days(office, 1, 29)
    assert late.amounts(office, account_id) == [(83, 4000)], "three days' interest, with the fee"


def test_D9_who_charges_by_hand_gets_what_is_below_the_minimum() -> None:
    office = with_a_minimum()
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 5)
    assert late.preview(office, account_id, invoice_id).total_minor == 139
    late.by_hand(office, account_id, invoice_id)
    assert late.amounts(office, account_id) == [(139, 0)]


def test_D9_a_rate_that_changes_on_1_july_is_in_the_lines() -> None:
    rates = (Rate(date(2026, 1, 1), Decimal("10.15")), Rate(date(2026, 7, 1), Decimal("9.9")))
    office = charging(LateChargeRules(None, InterestRule(rates)))
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    office.clock.set(datetime(2026, 7, 31, 9, tzinfo=UTC))
    late.by_hand(office, account_id, invoice_id)
    (charge,) = late.charges(office, account_id)
    assert [each.amount_minor for each in charge.priced.lines] == [3337, 841]
    assert "10.15 %" in charge.priced.lines[0].description
    assert "9.9 %" in charge.priced.lines[1].description


# Once


def test_D9_no_day_is_charged_twice_and_the_rest_follows(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    late.by_hand(office, account_id, invoice_id)
    with refused(office.books, "nothing_to_charge", RuleError):
        late.by_hand(office, account_id, invoice_id)
    late_by(office, 46)
    late.by_hand(office, account_id, invoice_id, DUE + timedelta(days=30))
    pay(office, account_id, invoice_id, 100_000)
    late_by(office, 47)
    late.run_agenda(office)
    assert late.amounts(office, account_id) == [(278, 4000), (556, 0), (445, 0)]
    assert sum(interest for interest, _ in late.amounts(office, account_id)) == 1279
    assert_sound(office, account_id)


def test_D9_one_key_is_one_charge(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    first = late.by_hand(office, account_id, invoice_id, key="k")
    late_by(office, 12)
    again = late.by_hand(office, account_id, invoice_id, key="k")
    assert (again.body, again.replayed) == (first.body, True)
    assert len(late.charges(office, account_id)) == 1


def test_D9_what_was_charged_too_much_is_taken_off_the_next_charge_and_never_below_zero(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 30)
    late.by_hand(office, account_id, invoice_id)
    assert late.amounts(office, account_id) == [(834, 4000)]
    late_by(office, 40)
    pay(office, account_id, invoice_id, 60_000, on=DUE + timedelta(days=10))
    # 10 days of 1000.00 and 20 of 400.00 are 5.01, so 3.33 was too much. Ten days more of 400.00 are 1.11.
    with refused(office.books, "nothing_to_charge", RuleError):
        late.by_hand(office, account_id, invoice_id)
    late_by(office, 80)
    late.by_hand(office, account_id, invoice_id)
    charge = late.charges(office, account_id)[-1]
    assert charge.late_charge
    assert (charge.late_charge.less_minor, charge.total_minor) == (333, 556 - 333)
    assert "less EUR 3.33 charged too much before" in charge.priced.lines[-1].description
    late_by(office, 90)
    late.by_hand(office, account_id, invoice_id)
    assert late.charges(office, account_id)[-1].late_charge.less_minor == 0  # type: ignore[union-attr]
    total = sum(interest for interest, _ in late.amounts(office, account_id))
    assert total == 1168, "10 days of 1000.00 and 80 of 400.00"
    assert_sound(office, account_id)


def test_D9_a_waived_charge_stays_waived(office: Office) -> None:
    """Voided or credited: neither asked for again, nor set off against what comes."""
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 30)
    late.by_hand(office, account_id, invoice_id)
    (charge,) = late.charges(office, account_id)
    void(office, account_id, charge.id)
    pay(office, account_id, invoice_id, 50_000, on=DUE + timedelta(days=10))
    late_by(office, 60)
    late.by_hand(office, account_id, invoice_id)
    assert late.amounts(office, account_id)[1:] == [(417, 0)], "30 days of 500.00, nothing off for what was waived, no new fee"
    second = late.charges(office, account_id)[-1]
    credit(office, account_id, second.id, 417)
    assert office.item(account_id, second.id).status is InvoiceStatus.PAID
    reversed_ = office.entries(account_id)[-1].draft.postings
    assert [(p.account, p.amount_minor) for p in reversed_] == [("late_fees", 417), ("receivable", 417)]
    assert_sound(office, account_id)


# In the dunning run


def test_D9_tier_2_charges_and_its_notice_lists_the_charge(office: Office) -> None:
    account_id = office.open_account()
    bill(office, account_id)
    run_days(office, 0, 60)
    # 14 days, and 16 more until tier 3
    assert late.amounts(office, account_id) == [(389, 4000), (445, 0)]
    notices = sorted(office.books.all(Message), key=lambda message: message.claimed_at)
    assert [json.loads(message.text) for message in notices] == [
        {"overdue": ["INV-2026-000001"], "net_minor": {"EUR": 100_000}},
        {"overdue": ["INV-2026-000001", "INV-2026-000002"], "net_minor": {"EUR": 104_389}},
        {"overdue": ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003"], "net_minor": {"EUR": 104_834}},
    ]
    assert_sound(office, account_id)


def test_D9_a_late_charge_is_never_charged_and_brings_no_notice_of_its_own(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    run_days(office, 0, 20)
    pay(office, account_id, invoice_id, 100_000)
    before = len(office.mailer.sent)
    run_days(office, 21, 100)
    assert len(office.mailer.sent) == before, "only the charges are open"
    charged = late.charges(office, account_id)
    assert late.amounts(office, account_id) == [(389, 4000), (167, 0)]
    with refused(office.books, "not_chargeable", RuleError):
        late.by_hand(office, account_id, charged[0].id)
    younger = bill(office, account_id)
    run_days(office, 101, 104)
    newest = max(office.books.all(Message), key=lambda message: message.claimed_at)
    assert newest.template == "dunning_tier_1", "the age of the charge does not count"
    numbers = [office.document(account_id, younger).number, *(invoice.number for invoice in charged)]
    assert json.loads(newest.text)["overdue"] == numbers


def test_D9_an_invoice_is_charged_when_it_is_itself_as_late_as_the_tier(office: Office) -> None:
    account_id = office.open_account()
    old = bill(office, account_id)
    late_by(office, 10)
    young = bill(office, account_id)
    run_days(office, 11, 14)
    assert office.item(account_id, old).late_charges
    assert not office.item(account_id, young).late_charges
    run_days(office, 15, 30)
    assert office.item(account_id, young).late_charges


def test_D9_who_pays_before_the_tier_that_charges_pays_nothing_more(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    run_days(office, 0, 13)
    pay(office, account_id, invoice_id, 100_000)
    assert late.waits(office) == [invoice_id]
    run_days(office, 14, 20)
    assert (late.charges(office, account_id), late.waits(office)) == ([], [])


def test_D9_a_fee_is_charged_once_for_a_part_whatever_its_due_date_becomes(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    run_days(office, 0, 15)
    postpone(office, account_id, invoice_id, DUE + timedelta(days=30))
    run_days(office, 16, 70)
    assert [fee for _, fee in late.amounts(office, account_id)] == [4000, 0, 0]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(1, 6))
def test_D9_whatever_fails_wherever_tier_2_charges_once_and_the_notice_lists_it(step: int, fault: Fault) -> None:
    office = charging()
    account_id = office.open_account()
    bill(office, account_id)
    bill(office, account_id)
    run_days(office, 0, 13)
    late_by(office, 14)
    office.trouble.strike(fault, on="commit", at=step)
    for _ in range(10):
        try:
            office.run_dunning()
        except (MachineDiedError, TransientError, ConflictError):
            office.clock.advance(minutes=20)
        else:
            break
    assert late.amounts(office, account_id) == [(389, 4000)] * 2
    newest = max(office.books.all(Message), key=lambda message: message.claimed_at)
    assert (newest.template, json.loads(newest.text)["net_minor"]) == ("dunning_tier_2", {"EUR": 208_778})
    office.clock.advance(days=1)
    office.run_dunning()
    assert len(late.charges(office, account_id)) == 2
    assert_sound(office, account_id)


def test_D9_a_run_that_dies_between_charge_and_notice_is_not_charged_again_on_the_next_day(office: Office) -> None:
    account_id = office.open_account()
    bill(office, account_id)
    run_days(office, 0, 13)
    late_by(office, 14)
    office.trouble.strike(Fault.CRASH_BEFORE, on="commit", at=2)
    with pytest.raises(MachineDiedError):
        office.run_dunning()
    late_by(office, 15)
    office.run_dunning()
    assert late.amounts(office, account_id) == [(389, 4000)]
    newest = max(office.books.all(Message), key=lambda message: message.claimed_at)
    assert json.loads(newest.text)["net_minor"] == {"EUR": 104_389}


# Paid late


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", [1, 2])
def test_D9_the_rest_is_charged_once_whatever_fails(step: int, fault: Fault, office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 46)
    pay(office, account_id, invoice_id, 100_000)
    late_by(office, 47)
    office.trouble.strike(fault, on="commit" if step == 1 else "load", at=step)
    for _ in range(5):
        try:
            late.run_agenda(office)
        except (MachineDiedError, TransientError, ConflictError):
            continue
    assert late.amounts(office, account_id) == [(1279, 0)]
    assert late.waits(office) == []
    assert_sound(office, account_id)


def test_D9_an_instalment_that_was_paid_late_is_charged_when_the_last_one_is_paid(office: Office) -> None:
    halves = (TermPart(Due(DueRule.ON_RECEIPT), percent=Decimal(50)), TermPart(Due(DueRule.NET_DAYS, 60)))
    with_terms(office, PaymentTerm("halves", "Halves", halves))
    account_id = office.open_account()
    invoice_id = bill(office, account_id, term="halves")
    late_by(office, 20)
    pay(office, account_id, invoice_id, 50_000)
    assert late.waits(office) == []
    late_by(office, 40)
    pay(office, account_id, invoice_id, 50_000)
    late_by(office, 41)
    late.run_agenda(office)
    assert late.amounts(office, account_id) == [(278, 0)], "20 days of 500.00; the second part was early"


def test_D9_what_is_paid_in_time_costs_the_agenda_nothing(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    pay(office, account_id, invoice_id, 100_000)
    assert (office.item(account_id, invoice_id).late_interest_on, late.waits(office)) == (None, [])


def test_D9_a_firm_that_charges_no_interest_has_no_place_in_the_agenda() -> None:
    switched_off = charging()
    switched_off.firm = replace(switched_off.firm, switches={Automation.DUNNING: LONG_AGO})
    for office in (charging(LateChargeRules(FORTY)), switched_off, Office()):
        account_id = office.open_account()
        invoice_id = bill(office, account_id)
        late_by(office, 46)
        pay(office, account_id, invoice_id, 100_000)
        assert late.waits(office) == []


def test_D9_what_is_written_off_bears_no_interest(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 30)
    pay(office, account_id, invoice_id, 50_000)
    write_off(office, account_id, invoice_id)
    late_by(office, 31)
    assert (late.run_agenda(office), late.waits(office)) == ([], [])


# Who is not charged


def test_D1_D9_nothing_is_charged_for_the_time_before_it_was_switched_on(office: Office) -> None:
    account_id = office.open_account(late_charges=False)
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    with refused(office.books, "late_charges_off", RuleError):
        late.preview(office, account_id, invoice_id)
    office.change_account(account_id, late_charges=True)
    late_by(office, 19)
    found = late.preview(office, account_id, invoice_id)
    assert [(p.first - DUE, p.days) for p in found.periods] == [(timedelta(days=10), 10)]
    assert found.fees == (), "it was late before"


def test_D1_D9_a_firm_that_has_not_switched_it_on_charges_nothing() -> None:
    office = charging()
    office.firm = replace(office.firm, switches={Automation.DUNNING: LONG_AGO})
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    run_days(office, 0, 40)
    assert late.charges(office, account_id) == []
    with refused(office.books, "late_charges_off", RuleError):
        late.by_hand(office, account_id, invoice_id)


def test_D9_whose_dunning_rests_is_charged_when_it_goes_on(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 20)
    office.change_account(account_id, dunning_paused_until=DUE + timedelta(days=60))
    with pytest.raises(RuleError) as refusal:
        late.by_hand(office, account_id, invoice_id)
    assert (refusal.value.code, refusal.value.facts["paused_until"]) == ("dunning_paused", "2026-05-01")
    late_by(office, 46)
    pay(office, account_id, invoice_id, 100_000)
    run_days(office, 47, 60)
    assert late.charges(office, account_id) == []
    run_days(office, 61, 61)
    assert late.amounts(office, account_id) == [(1279, 0)]


def test_D8_D9_who_promised_to_pay_is_not_charged_meanwhile(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 20)
    promise = Promise(100_000, DUE + timedelta(days=30), DUE + timedelta(days=20), 100_000)
    office.change_account(account_id, promises={"EUR": promise})
    with refused(office.books, "dunning_paused", RuleError):
        late.by_hand(office, account_id, invoice_id)


def test_D9_a_disputed_invoice_waits_until_it_is_decided(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 46)
    pay(office, account_id, invoice_id, 100_000)
    office.books.overwrite(replace(office.item(account_id, invoice_id), disputed_by=("pay_1",)))
    late_by(office, 47)
    with refused(office.books, "invoice_disputed", RuleError):
        late.by_hand(office, account_id, invoice_id)
    assert late.run_agenda(office) == []
    office.books.overwrite(replace(office.item(account_id, invoice_id), disputed_by=()))
    late_by(office, 54)
    late.run_agenda(office)
    assert late.amounts(office, account_id) == [(1279, 0)]


def test_D9_D10_what_is_prepaid_or_void_is_not_charged(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 20)
    void(office, account_id, invoice_id)
    with pytest.raises(RuleError) as refusal:
        late.by_hand(office, account_id, invoice_id)
    assert (refusal.value.code, refusal.value.facts["status"]) == ("not_chargeable", "void")
    prepaid = bill(office, account_id)
    office.books.overwrite(replace(office.item(account_id, prepaid), mode=PaymentMode.PREPAID))
    with refused(office.books, "not_chargeable", RuleError):
        late.preview(office, account_id, prepaid)


def test_D9_A4_a_charge_finishes_postpaid_whatever_the_account_has_become(office: Office) -> None:
    account_id = office.open_account()
    bill(office, account_id)
    late_by(office, 10)
    account = office.account(account_id)
    today = office.firm.today(office.clock.now())
    office.books.overwrite(account.change_mode(ModeChange(today, PaymentMode.PREPAID), today))
    run_days(office, 11, 14)
    (charge,) = late.charges(office, account_id)
    assert (charge.mode, office.item(account_id, charge.id).open_minor) == (PaymentMode.POSTPAID, 4389)


def test_D9_days_to_come_and_unknown_invoices_are_refused(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    late_by(office, 10)
    with refused(office.books, "through_in_future", InvalidError):
        late.by_hand(office, account_id, invoice_id, DUE + timedelta(days=11))
    with refused(office.books, "invoice_not_found", NotFoundError):
        late.preview(office, account_id, "inv_none")


def test_D9_a_preview_stores_nothing_and_tells_the_charge(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = bill(office, account_id)
    assert late.preview(office, account_id, invoice_id).total_minor == 0, "it is not late yet"
    late_by(office, 46)
    before = office.books.state()
    found = late.preview(office, account_id, invoice_id)
    assert office.books.state() == before
    late.by_hand(office, account_id, invoice_id)
    assert late.charges(office, account_id)[0].late_charge == found


def test_D9_a_fee_in_percent_is_of_what_is_overdue(office: Office) -> None:
    office = charging(LateChargeRules(LateFee(percent=Decimal(2), minimum={"EUR": 500})))
    account_id = office.open_account()
    large, small = bill(office, account_id), bill(office, account_id, 1000)
    late_by(office, 3)
    pay(office, account_id, large, 40_000)
    assert [late.preview(office, account_id, each).fee_minor for each in (large, small)] == [1200, 500]
