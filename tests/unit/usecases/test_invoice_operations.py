"""What happens to an invoice after it was issued: void, write-off, moved due dates, deliveries, deposits, discounts
(I5, I6, I9, I10, P6, T2, T5). The document itself never changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.journal import Balance, EntryKind, JournalEntry, Side
from remit.domain.open_items import MAX_DELIVERIES, InvoiceStatus
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation, PaymentStatus, Transaction
from remit.domain.terms import LAST_DUE_DATE, DiscountTax, EarlyDiscount, PartStatus, PaymentTerm
from remit.usecases.idempotency import Answer
from remit.usecases.ports import open_item_ref
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import ALL_ON, NOW, TODAY, Office, line, report_on
from tests.support.invoicing import (
    ON_DELIVERY,
    THIRDS,
    TWO_TEN,
    assert_sound,
    deliver,
    invoice,
    order,
    postpone,
    void,
    wish,
    with_terms,
    write_off,
)
from tests.support.refusals import refused


def postings(entry: JournalEntry) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for posting in entry.draft.postings:
        key = posting.account, str(posting.side)
        found[key] = found.get(key, 0) + posting.amount_minor
    return found


# Void (I6)


def test_I6_a_void_is_the_exact_reverse_of_the_issue_and_names_it(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, line(10000), line(5000, "VAT9", category="books"), term_id="net30"))
    void(office, account_id, invoice_id)
    issued, voided = office.entries(account_id)
    assert (voided.draft.kind, voided.draft.reverses, voided.draft.reason) == (EntryKind.INVOICE_VOIDED, 1, "wrong customer")
    assert voided.draft.documents == issued.draft.documents
    swapped = {(name, "credit" if side == "debit" else "debit"): minor for (name, side), minor in postings(issued).items()}
    assert postings(voided) == swapped
    item = office.item(account_id, invoice_id)
    assert (item.status, item.open_minor, item.number) == (InvoiceStatus.VOID, 0, "INV-2026-000001")
    assert office.balance(account_id).receivable_minor == 0
    assert_sound(office, account_id)


def test_I6_a_postponed_invoice_is_voided_at_the_dates_of_today(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    postpone(office, account_id, invoice_id, TODAY + timedelta(days=90))
    void(office, account_id, invoice_id)
    receivable = [p for p in office.entries(account_id)[-1].draft.postings if p.account == "receivable"]
    assert [(p.side, p.due_date) for p in receivable] == [(Side.CREDIT, TODAY + timedelta(days=90))]
    assert_sound(office, account_id)


def pay_part(office: Office, account_id: str, invoice_id: str) -> None:
    office.receive(account_id, 100, allocations=[Allocation(invoice_id, 100)])


def pay_all(office: Office, account_id: str, invoice_id: str) -> None:
    office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)])


@pytest.mark.parametrize(
    ("before", "status", "paid"),
    [
        (pay_part, "part_paid", 100),
        (pay_all, "paid", 12100),
        (write_off, "uncollectible", 0),
        (void, "void", 0),
    ],
)
def test_I6_only_an_issued_invoice_with_nothing_paid_is_voided(
    office: Office, before: Callable[[Office, str, str], object], status: str, paid: int
) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    before(office, account_id, invoice_id)
    with pytest.raises(RuleError) as refusal:
        void(office, account_id, invoice_id)
    assert refusal.value.code == "invoice_not_voidable"
    assert (refusal.value.facts["status"], refusal.value.facts["paid_minor"]) == (status, paid)
    assert refusal.value.facts["creditable_minor"] == 12100
    assert_sound(office, account_id)


def test_I6_an_invoice_that_takes_a_credit_back_is_not_voided(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    office.books.overwrite(replace(office.item(account_id, invoice_id), kind=OrderKind.CREDIT_REVERSAL))
    with refused(office.books, "invoice_not_voidable", RuleError):
        void(office, account_id, invoice_id)


@pytest.mark.parametrize("status", [None, PaymentStatus.PROCESSING, PaymentStatus.FAILED])
def test_P4_an_invoice_is_not_voided_while_a_payment_is_under_way(office: Office, status: PaymentStatus | None) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    attempt, _ = office.checkout(account_id, invoice_id)
    if status:
        office.gateway_says(report_on(attempt, status, 5), "evt_1")
    with pytest.raises(RuleError) as refusal:
        void(office, account_id, invoice_id)
    assert (refusal.value.code, refusal.value.facts["payment_id"]) == ("payment_under_way", attempt.id)


def test_P4_money_for_a_voided_invoice_is_credit(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    attempt, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(attempt, PaymentStatus.CANCELED, 90), "evt_0")  # the page has expired
    void(office, account_id, invoice_id)
    office.gateway_says(report_on(attempt, PaymentStatus.SUCCEEDED, 100), "evt_1")
    assert office.balance(account_id).credit_minor == 12100
    assert office.item(account_id, invoice_id).status is InvoiceStatus.VOID
    with pytest.raises(RuleError) as refusal:
        office.allocate(account_id, attempt.id, Allocation(invoice_id, 100))
    assert refusal.value.code == "invoice_void"
    assert_sound(office, account_id)


def test_I6_a_payment_that_begins_while_an_invoice_is_voided_stops_one_of_the_two(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    office.trouble.meanwhile(lambda: office.checkout(account_id, invoice_id))
    with pytest.raises(RuleError) as refusal:
        void(office, account_id, invoice_id)
    assert refusal.value.code == "payment_under_way"


# Write-off and recovery (I9)


def test_I9_what_is_written_off_is_a_loss_and_a_later_payment_recovers_it(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    pay_part(office, account_id, invoice_id)
    write_off(office, account_id, invoice_id)
    item = office.item(account_id, invoice_id)
    assert (item.status, item.written_off_minor) == (InvoiceStatus.UNCOLLECTIBLE, 12000)
    entry = office.entries(account_id)[-1]
    assert postings(entry) == {("bad_debt", "debit"): 12000, ("receivable", "credit"): 12000}
    assert entry.draft.reason == "insolvent"
    with pytest.raises(RuleError) as refusal:
        office.receive(account_id, 20000, allocations=[Allocation(invoice_id, 12001)])
    assert refusal.value.facts["recoverable_minor"] == 12000
    office.receive(account_id, 5000, allocations=[Allocation(invoice_id, 5000)])
    assert postings(office.entries(account_id)[-1]) == {("cash:bank_transfer", "debit"): 5000, ("bad_debt", "credit"): 5000}
    unapplied = office.receive(account_id, 7000).body["id"]
    office.allocate(account_id, unapplied, Allocation(invoice_id, 7000))
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    assert office.balance(account_id).receivable_minor == 0
    assert_sound(office, account_id)


@pytest.mark.parametrize(
    ("before", "code"), [(pay_all, "invoice_settled"), (write_off, "invoice_settled"), (void, "invoice_void")]
)
def test_I9_what_is_not_owed_is_not_written_off(office: Office, before: Callable[[Office, str, str], object], code: str) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    before(office, account_id, invoice_id)
    with refused(office.books, code, RuleError):
        write_off(office, account_id, invoice_id)


# Moved due dates (P6)


def test_P6_a_due_date_is_moved_with_its_history_and_an_entry(office: Office) -> None:
    with_terms(office, TWO_TEN)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="two_ten"))
    new = TODAY + timedelta(days=45)
    postpone(office, account_id, invoice_id, new)
    item = office.item(account_id, invoice_id)
    (history,) = item.postponements
    assert (history.part, history.old_due_date, history.new_due_date) == (1, TODAY + timedelta(days=30), new)
    assert (history.actor.id, history.reason) == ("clerk-1", "agreed by phone")
    assert item.discount is not None
    assert item.discount.until == TODAY + timedelta(days=10), "the discount's date does not move"
    entry = office.entries(account_id)[-1]
    assert entry.draft.kind is EntryKind.DUE_DATE_MOVED
    assert {(p.side, p.due_date): p.amount_minor for p in entry.draft.postings} == {
        (Side.DEBIT, new): 12100,
        (Side.CREDIT, TODAY + timedelta(days=30)): 12100,
    }
    assert_sound(office, account_id)


def test_P6_dunning_looks_again_when_what_was_overdue_is_postponed(office: Office) -> None:
    """The younger invoice is the oldest now, with a tier of its own."""
    office.firm = replace(office.firm, switches=ALL_ON)
    account_id = office.open_account()
    old = office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=20)
    office.invoice(account_id, term="on_receipt")
    office.clock.advance(days=20)
    assert office.dun(account_id).tier is not None
    today = office.firm.today(office.clock.now())
    postpone(office, account_id, old, today + timedelta(days=30))
    assert office.balance(account_id).look_again_on == today
    office.clock.advance(days=1)
    (outcome,) = office.run_dunning()
    assert outcome.why in ("notice", "already_notified")
    postponed = office.item(account_id, old)
    assert not postponed.is_overdue(today)


@pytest.mark.parametrize(
    ("part", "until", "code"),
    [
        (2, TODAY + timedelta(days=60), "no_such_part"),
        (1, TODAY - timedelta(days=1), "bad_due_date"),
        (1, TODAY + timedelta(days=30), "bad_due_date"),  # as it is
        (1, LAST_DUE_DATE + timedelta(days=1), "bad_due_date"),
    ],
)
def test_P6_a_due_date_that_makes_no_sense_is_refused(office: Office, part: int, until: date, code: str) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    with refused(office.books, code, RuleError):
        postpone(office, account_id, invoice_id, until, part)


def test_P6_a_settled_or_unscheduled_part_has_no_due_date_to_move(office: Office) -> None:
    with_terms(office, THIRDS)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="thirds"))
    office.receive(account_id, 3630, oldest_first=True)
    for part in (1, 2):
        with refused(office.books, "part_not_due", RuleError):
            postpone(office, account_id, invoice_id, TODAY + timedelta(days=9), part)


# Deliveries (T2)


def test_T2_each_partial_delivery_makes_its_share_due(office: Office) -> None:
    with_terms(office, THIRDS)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="thirds"))
    item = office.item(account_id, invoice_id)
    assert [part.status(TODAY + timedelta(days=999)) for part in item.parts] == [
        PartStatus.OVERDUE,
        PartStatus.UNSCHEDULED,
        PartStatus.OVERDUE,
    ]
    deliver(office, account_id, invoice_id, 25, TODAY)
    item = office.item(account_id, invoice_id)
    assert [(part.due_date, part.amount_minor) for part in item.parts] == [
        (TODAY, 3630),
        (TODAY + timedelta(days=14), 1210),
        (None, 3630),
        (TODAY + timedelta(days=60), 3630),
    ]
    assert office.entries(account_id)[-1].draft.kind is EntryKind.DUE_DATE_MOVED
    office.clock.advance(days=10)
    with pytest.raises(RuleError) as refusal:
        deliver(office, account_id, invoice_id, "75.01", TODAY)
    assert (refusal.value.code, refusal.value.facts["open_percent"]) == ("delivery_exceeds_order", "75")
    deliver(office, account_id, invoice_id, 75, TODAY + timedelta(days=10))
    item = office.item(account_id, invoice_id)
    assert item.delivered_percent == 100
    assert sum(part.amount_minor for part in item.parts) == item.total_minor
    assert all(part.due_date for part in item.parts)
    with refused(office.books, "nothing_awaits_delivery", RuleError):
        deliver(office, account_id, invoice_id, 1, TODAY)
    assert_sound(office, account_id)


def test_T2_what_was_paid_ahead_is_scheduled_without_an_entry(office: Office) -> None:
    with_terms(office, ON_DELIVERY)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="on_delivery"))
    pay_all(office, account_id, invoice_id)
    deliver(office, account_id, invoice_id, 100, TODAY)
    assert len(office.entries(account_id)) == 2
    assert office.item(account_id, invoice_id).parts[0].due_date == TODAY + timedelta(days=14)
    assert_sound(office, account_id)


def test_T2_a_delivery_before_the_invoice_is_due_no_earlier_than_it_was_issued(office: Office) -> None:
    with_terms(office, ON_DELIVERY)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="on_delivery"))
    deliver(office, account_id, invoice_id, 100, TODAY - timedelta(days=100))
    assert office.item(account_id, invoice_id).next_due == TODAY
    assert office.balance(account_id).look_again_on == TODAY + timedelta(days=1)


def test_T2_a_delivery_of_tomorrow_cannot_be_reported_and_not_without_end(office: Office) -> None:
    with_terms(office, ON_DELIVERY)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="on_delivery"))
    with refused(office.books, "delivered_in_future", InvalidError):
        deliver(office, account_id, invoice_id, 1, TODAY + timedelta(days=1))
    for _ in range(MAX_DELIVERIES - 1):
        deliver(office, account_id, invoice_id, "0.5", TODAY)
    with refused(office.books, "too_many_deliveries", RuleError):
        deliver(office, account_id, invoice_id, "0.5", TODAY)
    deliver(office, account_id, invoice_id, "50.5", TODAY)
    assert office.item(account_id, invoice_id).delivered_percent == 100


# Deposits (I10)


def paid_deposit(office: Office, account_id: str, minor: int = 3000) -> str:
    deposit = invoice(office, wish(account_id, line(minor), kind=OrderKind.DEPOSIT))
    total = office.item(account_id, deposit).open_minor
    office.receive(account_id, total, allocations=[Allocation(deposit, total)])
    return deposit


def test_I10_a_deposit_is_deducted_on_the_final_invoice_with_its_tax(office: Office) -> None:
    account_id = office.open_account()
    deposit = paid_deposit(office, account_id)
    assert postings(office.entries(account_id)[0]) == {
        ("receivable", "debit"): 3630,
        ("deposits", "credit"): 3000,
        ("tax:VAT21", "credit"): 630,
    }
    final = invoice(office, wish(account_id, line(10000), deposits=[deposit]))
    assert office.item(account_id, final).total_minor == 8470
    assert postings(office.entries(account_id)[-1]) == {
        ("receivable", "debit"): 8470,
        ("deposits", "debit"): 3000,
        ("revenue:services", "credit"): 10000,
        ("tax:VAT21", "credit"): 1470,
    }
    assert office.item(account_id, deposit).deducted_on == final
    assert_sound(office, account_id)


def test_I10_a_deposit_for_all_of_it_leaves_nothing_to_pay(office: Office) -> None:
    account_id = office.open_account()
    deposit = paid_deposit(office, account_id, 10000)
    final = invoice(office, wish(account_id, line(10000), deposits=[deposit]))
    item = office.item(account_id, final)
    assert (item.total_minor, item.open_minor, item.status, item.next_due) == (0, 0, InvoiceStatus.PAID, None)
    assert postings(office.entries(account_id)[-1]) == {
        ("deposits", "debit"): 10000,
        ("revenue:services", "credit"): 10000,
    }
    assert_sound(office, account_id)


def test_I10_voiding_the_final_invoice_frees_its_deposit(office: Office) -> None:
    account_id = office.open_account()
    deposit = paid_deposit(office, account_id)
    final = invoice(office, wish(account_id, line(10000), deposits=[deposit]))
    void(office, account_id, final)
    assert office.item(account_id, deposit).deducted_on is None
    again = invoice(office, wish(account_id, line(10000), deposits=[deposit]))
    assert office.item(account_id, deposit).deducted_on == again
    assert_sound(office, account_id)


def test_I10_a_deposit_is_deducted_once(office: Office) -> None:
    account_id = office.open_account()
    deposit = paid_deposit(office, account_id)
    first, second = (order(office, wish(account_id, line(10000), deposits=[deposit])) for _ in range(2))
    office.trouble.meanwhile(lambda: office.issue(account_id, first))
    with pytest.raises(RuleError) as refusal:
        office.issue(account_id, second)
    assert refusal.value.code == "deposit_deducted"
    with refused(office.books, "deposit_deducted", RuleError):
        order(office, wish(account_id, line(10000), deposits=[deposit]))
    assert_sound(office, account_id)


def test_I10_a_deposit_that_is_not_paid_any_more_is_not_deducted(office: Office) -> None:
    """It was when the order was placed; the debit that paid it came back since."""
    account_id = office.open_account()
    deposit = invoice(office, wish(account_id, line(3000), kind=OrderKind.DEPOSIT))
    attempt, _ = office.checkout(account_id, deposit)
    captured, returned = (Transaction(NOW, kind, "ch_1", attempt.amount_minor) for kind in ("capture", "failure"))
    office.gateway_says(report_on(attempt, PaymentStatus.SUCCEEDED, 5, transaction=captured), "evt_1")
    final = order(office, wish(account_id, line(10000), deposits=[deposit]))
    office.gateway_says(report_on(attempt, None, 9, transaction=returned), "evt_2")
    with pytest.raises(RuleError) as refusal:
        office.issue(account_id, final)
    assert (refusal.value.code, refusal.value.facts["open_minor"]) == ("deposit_not_paid", 3630)
    assert_sound(office, account_id)


def test_I10_what_is_no_paid_deposit_is_refused(office: Office) -> None:
    account_id, other = office.open_account(), office.open_account()
    sale, unpaid = office.invoice(account_id), invoice(office, wish(account_id, line(1), kind=OrderKind.DEPOSIT))
    deposit, elsewhere = paid_deposit(office, account_id), paid_deposit(office, other)
    for deposits, code, error in (
        ([sale], "not_a_deposit", RuleError),
        ([unpaid], "deposit_not_paid", RuleError),
        ([elsewhere], "invoice_not_found", NotFoundError),
        ([deposit, deposit], "duplicate_deposit", InvalidError),
    ):
        with refused(office.books, code, error):
            order(office, wish(account_id, line(10000), deposits=deposits))
    with refused(office.books, "deposit_exceeds_order", RuleError):
        order(office, wish(account_id, line(2999), deposits=[deposit]))
    with refused(office.books, "currency_mismatch", InvalidError):
        order(office, wish(account_id, line(10000), currency="USD", deposits=[deposit]))
    with refused(office.books, "bad_order_kind", InvalidError):
        order(office, wish(account_id, line(10000), kind=OrderKind.DEPOSIT, deposits=[deposit]))


# Early-payment discount (T5)


@pytest.mark.parametrize(
    ("mode", "early", "late"),
    [(DiscountTax.ALWAYS, 11858, 12058), (DiscountTax.ON_EARLY_PAYMENT, 11858, 12100), (DiscountTax.NEVER, 11900, 12100)],
)
@pytest.mark.parametrize("days", [10, 11])
def test_T5_the_discount_is_taken_in_time_and_one_day_late_is_the_full_price(
    office: Office, mode: DiscountTax, early: int, late: int, days: int
) -> None:
    term: PaymentTerm = replace(TWO_TEN, discount=EarlyDiscount(Decimal(2), 10, mode))
    with_terms(office, term)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="two_ten"))
    assert office.item(account_id, invoice_id).total_minor == late
    office.clock.advance(days=days)
    office.receive(account_id, early, allocations=[Allocation(invoice_id, early)])
    item = office.item(account_id, invoice_id)
    assert item.open_minor == (0 if days == 10 else late - early)
    assert_sound(office, account_id)


# The document (I5) and the guard (L4)

type Act = Callable[[Office, str, str, str], Answer]
ACTS: dict[str, Act] = {
    "void": void,
    "write off": write_off,
    "postpone": lambda office, account, invoice, key: postpone(office, account, invoice, TODAY + timedelta(days=40), key=key),
    "deliver": lambda office, account, invoice, key: deliver(office, account, invoice, 40, TODAY, key),
    "pay": lambda office, account, invoice, key: office.receive(account, 5000, allocations=[Allocation(invoice, 5000)], key=key),
}
every_act = pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))


@every_act
def test_I5_the_document_stays_as_it_was_issued_byte_by_byte(office: Office, act: Act) -> None:
    with_terms(office, THIRDS)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="thirds"))
    before = {key: raw for key, raw in office.books.state().items() if key[1].startswith("I#")}
    act(office, account_id, invoice_id, "k")
    office.firm = replace(office.firm, name="Renamed BV", tax_codes={})
    office.change_account(account_id, name="Renamed Ltd")
    assert {key: raw for key, raw in office.books.state().items() if key[1].startswith("I#")} == before


@every_act
@pytest.mark.parametrize("fault", Fault)
def test_L4_it_is_done_once_whatever_fails(office: Office, act: Act, fault: Fault) -> None:
    with_terms(office, THIRDS)
    account_id = office.open_account()
    invoice_id = invoice(office, wish(account_id, term_id="thirds"))
    office.trouble.strike(fault, on="commit")
    try:
        first = act(office, account_id, invoice_id, "same")
    except MachineDiedError:
        first = act(office, account_id, invoice_id, "same")
    assert office.trouble.pending == 0
    assert len(office.entries(account_id)) == 2
    office.clock.advance(hours=1)
    assert act(office, account_id, invoice_id, "same").body == first.body
    assert len(office.entries(account_id)) == 2
    assert_sound(office, account_id)


@every_act
def test_an_unknown_invoice_is_not_found(office: Office, act: Act) -> None:
    account_id, other = office.open_account(), office.open_account()
    foreign = office.invoice(other)
    for invoice_id in ("inv_none", foreign):
        with refused(office.books, "invoice_not_found", NotFoundError):
            act(office, account_id, invoice_id, f"k-{invoice_id}")


def test_W2_a_voided_top_up_is_no_longer_waited_for(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    balance: Balance = office.balance(account_id)
    office.books.overwrite(replace(balance, top_up=replace(balance.top_up, pending_invoice=invoice_id)))
    void(office, account_id, invoice_id)
    assert office.balance(account_id).top_up.pending_invoice is None
    assert office.books.load(open_item_ref(account_id, invoice_id)).get(open_item_ref(account_id, invoice_id)) is not None
