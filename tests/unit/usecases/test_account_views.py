"""Income and cashflow, explanations of one document, modes, notes, the timeline and the list of accounts (A1–A6, L5)."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.domain.accounts import Account, AccountChange, AutoTopUp, ModeChange, Note, PaymentMode
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.figures import Figure
from remit.domain.journal import JournalEntry
from remit.domain.messages import Message
from remit.domain.payments import Allocation
from remit.usecases.add_note import add_note
from remit.usecases.explain_balance import Explanation, explain_balance
from remit.usecases.idempotency import Request
from remit.usecases.list_accounts import MAX_PAGES, PAGE, AccountFilter, list_accounts
from remit.usecases.ports import note_ref
from remit.usecases.read_timeline import TimelineRow, read_timeline
from tests.fakes import Fault, MachineDiedError
from tests.support import wallet
from tests.support.builders import ALL_ON, CLERK, NOW, TODAY, Office, account, firm, line
from tests.support.refusals import refused

# Income and cashflow

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["invoice", "pay", "pay_oldest", "goodwill", "top_up", "pay_in", "charge", "withdraw", "bounce", "later"]
        ),
        st.integers(1, 5000),
    ),
    min_size=1,
    max_size=10,
)


def lived_through(todo: list[tuple[str, int]]) -> tuple[Office, str]:
    """An account with a random past; what the rules refuse did not happen."""
    office = Office()
    account_id = office.open_account()
    paid: list[str] = []

    def bounce(_minor: int) -> None:
        if paid:
            wallet.bounces(office, account_id, paid.pop())

    actions: dict[str, Callable[[int], Any]] = {
        "invoice": lambda minor: office.invoice(account_id, minor),
        "pay": lambda minor: paid.append(office.receive(account_id, minor).body["id"]),
        "pay_oldest": lambda minor: paid.append(office.receive(account_id, minor, oldest_first=True).body["id"]),
        "goodwill": lambda minor: office.goodwill(account_id, minor),
        "top_up": lambda minor: wallet.top_up(office, account_id, minor),
        "pay_in": lambda minor: wallet.pay_in(office, account_id, minor),
        "charge": lambda minor: wallet.charge(office, account_id, minor, code="VAT21"),
        "withdraw": lambda minor: wallet.withdraw(office, account_id, minor),
        "bounce": bounce,
        "later": lambda minor: office.clock.advance(days=minor % 40),
    }
    for what, minor in todo:
        try:
            actions[what](minor)
        except RuleError as refusal:
            assert refusal.code in ("wallet_too_low", "withdrawal_exceeds_paid_balance")  # noqa: PT017
    return office, account_id


def figure(office: Office, account_id: str, of: Figure, **how: Any) -> Explanation:
    return explain_balance(account_id, "EUR", of, office.books, limit=10**6, **how)


@settings(max_examples=60, deadline=None)
@given(todo=steps, days=st.integers(-1, 200))
def test_A2_balance_is_income_less_cashflow_on_any_day_of_any_history(todo: list[tuple[str, int]], days: int) -> None:
    office, account_id = lived_through(todo)
    for as_of in (None, TODAY + timedelta(days=days)):
        income = figure(office, account_id, Figure.INCOME, as_of=as_of).amount_minor
        cashflow = figure(office, account_id, Figure.CASHFLOW, as_of=as_of).amount_minor
        assert figure(office, account_id, Figure.BALANCE, as_of=as_of).amount_minor == income - cashflow
    balances = office.books.account_with_balances(account_id)[1]
    income, cashflow = (figure(office, account_id, each).amount_minor for each in (Figure.INCOME, Figure.CASHFLOW))
    assert sum(balance.balance_minor for balance in balances) == income - cashflow


@settings(max_examples=40, deadline=None)
@given(todo=steps, first=st.integers(0, 100), length=st.integers(0, 100))
def test_A2_a_period_leads_from_its_opening_to_its_closing_amount(todo: list[tuple[str, int]], first: int, length: int) -> None:
    office, account_id = lived_through(todo)
    since = TODAY + timedelta(days=first)
    until = since + timedelta(days=length)
    for of in (Figure.INCOME, Figure.CASHFLOW):
        found = figure(office, account_id, of, since=since, as_of=until)
        assert found.opening_minor == figure(office, account_id, of, as_of=since - timedelta(days=1)).amount_minor
        assert found.amount_minor == figure(office, account_id, of, as_of=until).amount_minor
        assert found.opening_minor + sum(row.change_minor for row in found.entries) == found.amount_minor
        assert all(since <= row.entry.draft.effective_on <= until for row in found.entries)


def test_A2_income_is_what_was_billed_and_cashflow_is_money(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, 10000)
    office.goodwill(account_id, 1210)
    office.receive(account_id, 5000, oldest_first=True)
    income, cashflow = figure(office, account_id, Figure.INCOME), figure(office, account_id, Figure.CASHFLOW)
    assert [(row.change_minor, row.running_minor) for row in income.entries] == [(12100, 12100), (-1210, 10890)]
    assert [(row.change_minor, row.running_minor) for row in cashflow.entries] == [(5000, 5000)]
    assert office.balance(account_id).balance_minor == 10890 - 5000


def test_A2_a_period_the_wrong_way_round_is_refused(office: Office) -> None:
    account_id = office.open_account()
    with refused(office.books, "bad_period", InvalidError):
        figure(office, account_id, Figure.INCOME, since=TODAY, as_of=TODAY - timedelta(days=1))


# Why is this invoice open?


def test_L5_the_open_amount_of_an_invoice_is_explained_by_its_entries(office: Office) -> None:
    account_id = office.open_account()
    invoice_id, other = office.invoice(account_id, 10000), office.invoice(account_id, 7000)
    payment = office.receive(account_id, 5000, allocations=[Allocation(invoice_id, 3630), Allocation(other, 370)]).body["id"]
    why = figure(office, account_id, Figure.RECEIVABLE, document_id=invoice_id)
    assert why.amount_minor == office.item(account_id, invoice_id).open_minor == 8470
    assert [row.change_minor for row in why.entries] == [12100, -3630]
    assert figure(office, account_id, Figure.CREDIT, document_id=payment).amount_minor == 1000
    assert figure(office, account_id, Figure.RECEIVABLE, document_id="inv_none").amount_minor == 0


@settings(max_examples=40, deadline=None)
@given(todo=steps)
def test_L5_every_open_item_is_what_its_entries_say(todo: list[tuple[str, int]]) -> None:
    office, account_id = lived_through(todo)
    for item in office.books.open_items(account_id):
        assert figure(office, account_id, Figure.RECEIVABLE, document_id=item.invoice_id).amount_minor == item.open_minor


# Settings


def test_A1_every_setting_is_changed_with_history(office: Office) -> None:
    account_id = office.open_account()
    buy = AutoTopUp("EUR", 2000, 1000, 6000)
    changed = office.change_account(
        account_id, credit_limits={"EUR": 5000}, apply_credits=True, collect_automatically=True, auto_top_up=buy
    )
    assert (changed.credit_limits, changed.apply_credits) == ({"EUR": 5000}, True)
    assert (changed.payment.collect_automatically, changed.payment.auto_top_up) == (True, buy)
    newest = office.books.newest(AccountChange, account_id, None, 1)[0][0]
    assert newest.before == {"credit_limits": {}, "apply_credits": False, "collect_automatically": False, "auto_top_up": None}
    assert newest.after["auto_top_up"]["amount_minor"] == 2000
    assert newest.actor == CLERK


def test_A1_an_account_is_opened_with_the_same_settings(office: Office) -> None:
    account_id = wallet.prepaid_account(office, limit=700, collect_automatically=True, methods=("cash",))
    stored = office.account(account_id)
    assert (stored.payment.collect_automatically, stored.credit_limits, stored.methods) == (True, {"EUR": 700}, ("cash",))
    assert stored.mode_on(TODAY) is PaymentMode.PREPAID


@pytest.mark.parametrize(
    "settings_of", [{"credit_limits": {"EURO": 1}}, {"auto_top_up": AutoTopUp("XXY", 1, 0, 1)}, {"default_currency": "E"}]
)
def test_A1_a_currency_that_does_not_exist_is_refused_in_any_setting(office: Office, settings_of: dict[str, Any]) -> None:
    account_id = office.open_account()
    with refused(office.books, "unknown_currency", InvalidError):
        office.change_account(account_id, **settings_of)


def many(office: Office, count: int) -> list[Account]:
    """Accounts of which every hundredth is tagged."""
    made = [
        account(f"acc_{n:026d}", name=f"{'Aa' if n % 2 else 'AB'} {n}", tags=("rare",) if n % 100 == 7 else ())
        for n in range(count)
    ]
    for each in made:
        office.books.commit([each])
    return made


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (AccountFilter(tag="rare"), 7),
        (AccountFilter(name_prefix="aa"), 325),
        (AccountFilter(name_prefix="AB", tag="rare"), 0),
        (AccountFilter(mode=PaymentMode.PREPAID), 0),
        (AccountFilter(mode=PaymentMode.POSTPAID), 650),
        (AccountFilter(), 650),
    ],
)
@pytest.mark.parametrize("limit", [30, 100])
def test_A1_accounts_that_fit_are_all_found_once_page_by_page(wanted: AccountFilter, count: int, limit: int) -> None:
    office = Office()
    made = many(office, 650)
    found: list[Account] = []
    cursor: str | None = None
    for _ in range(1000):
        page, cursor = list_accounts(wanted, office.books, TODAY, cursor, limit)
        assert len(page) <= limit
        found += page
        if cursor is None:
            break
    assert cursor is None
    assert [each.id for each in found] == [each.id for each in made if wanted.fits(each, TODAY)]
    assert len(found) == count


def test_A1_one_request_looks_no_further_than_it_says(office: Office) -> None:
    many(office, PAGE * MAX_PAGES + 1)
    found, cursor = list_accounts(AccountFilter(tag="none"), office.books, TODAY, None, 10)
    assert (found, cursor) == ([], f"acc_{PAGE * MAX_PAGES - 1:026d}")


# Modes


def test_A4_a_mode_counts_from_its_day_and_open_items_finish_in_theirs(office: Office) -> None:
    account_id = office.open_account()
    before = office.invoice(account_id, 1000)
    wallet.pay_in(office, account_id, 5000)
    wallet.change_mode(office, account_id, PaymentMode.PREPAID, TODAY + timedelta(days=2))
    office.clock.advance(days=1)
    day_before = office.invoice(account_id, 1000)
    office.clock.advance(days=1)
    day_of = office.invoice(account_id, 1000)
    modes = [office.item(account_id, each).mode for each in (before, day_before, day_of)]
    assert modes == [PaymentMode.POSTPAID, PaymentMode.POSTPAID, PaymentMode.PREPAID]
    assert [office.item(account_id, each).open_minor for each in (before, day_before, day_of)] == [1210, 1210, 0]
    wallet.proves(office, account_id)


def test_A4_a_change_is_history_and_a_planned_one_may_be_replaced(office: Office) -> None:
    account_id = office.open_account()
    planned = ModeChange(TODAY + timedelta(days=30), PaymentMode.PREPAID)
    wallet.change_mode(office, account_id, planned.mode, planned.effective_on)
    wallet.change_mode(office, account_id, PaymentMode.POSTPAID)
    assert office.account(account_id).mode_changes == (ModeChange(TODAY, PaymentMode.POSTPAID),)
    newest = office.books.newest(AccountChange, account_id, None, 1)[0][0]
    assert (newest.number, newest.actor) == (3, CLERK)
    assert newest.before == {"mode_changes": [{"effective_on": "2026-04-01", "mode": "prepaid"}]}


def test_A4_the_past_keeps_its_mode(office: Office) -> None:
    account_id = office.open_account()
    with refused(office.books, "mode_change_in_past", RuleError):
        wallet.change_mode(office, account_id, PaymentMode.PREPAID, TODAY - timedelta(days=1))
    with refused(office.books, "account_not_found", NotFoundError):
        wallet.change_mode(office, "acc_none", PaymentMode.PREPAID)


def test_A4_a_mode_that_applies_already_is_refused_and_says_since_when(office: Office) -> None:
    account_id = office.open_account()
    in_a_week, in_a_month = TODAY + timedelta(days=7), TODAY + timedelta(days=30)
    with refused(office.books, "mode_already_applies", RuleError) as opened:
        wallet.change_mode(office, account_id, PaymentMode.POSTPAID, in_a_month)
    assert opened == {"mode": "postpaid", "since": None}
    wallet.change_mode(office, account_id, PaymentMode.PREPAID, in_a_week, key="first")
    for day in (in_a_week, in_a_month):
        with refused(office.books, "mode_already_applies", RuleError) as planned:
            wallet.change_mode(office, account_id, PaymentMode.PREPAID, day)
        assert planned == {"mode": "prepaid", "since": in_a_week.isoformat()}
    assert wallet.change_mode(office, account_id, PaymentMode.PREPAID, in_a_week, key="first").replayed


def test_A4_the_mode_of_a_day_named_once_more_calls_off_what_was_planned_after_it(office: Office) -> None:
    account_id = office.open_account()
    wallet.change_mode(office, account_id, PaymentMode.PREPAID, TODAY + timedelta(days=30))
    wallet.change_mode(office, account_id, PaymentMode.POSTPAID, TODAY + timedelta(days=7))
    with refused(office.books, "mode_already_applies", RuleError) as still:
        wallet.change_mode(office, account_id, PaymentMode.POSTPAID, TODAY + timedelta(days=30))
    assert still["since"] is None


ZONES = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Tokyo"]


@settings(max_examples=120, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    effective_on=st.dates(date(2026, 1, 2), date(2027, 12, 30)),
    seconds=st.integers(-90_000, 90_000),
)
def test_A4_a_mode_begins_at_midnight_of_the_firm_also_when_clocks_change(zone: str, effective_on: date, seconds: int) -> None:
    """In Santiago and Cairo clocks change at midnight itself: that day begins at one o'clock."""
    office = Office(firm(time_zone=zone))
    office.clock.set(datetime(2026, 1, 1, 12, tzinfo=UTC))
    account_id = office.open_account()
    wallet.pay_in(office, account_id, 10000)
    wallet.change_mode(office, account_id, PaymentMode.PREPAID, effective_on)
    around = datetime(effective_on.year, effective_on.month, effective_on.day, tzinfo=UTC) + timedelta(seconds=seconds)
    office.clock.set(max(around, office.clock.now()))
    item = office.item(account_id, office.invoice(account_id, 1000))
    midnight = datetime(effective_on.year, effective_on.month, effective_on.day, tzinfo=ZoneInfo(zone))
    begun = office.clock.now() >= midnight.astimezone(UTC)
    assert item.mode is (PaymentMode.PREPAID if begun else PaymentMode.POSTPAID)
    assert (item.open_minor == 0) is begun


def test_D10_no_reminder_for_what_a_prepaid_account_owes(office: Office) -> None:
    """A top-up that is not paid is no debt of the mode that reminders are for; what was open before the change still is."""
    office.firm = firm(switches=ALL_ON)
    account_id = wallet.prepaid_account(office, limit=50000)
    invoice_id = office.invoice(account_id, 10000)
    paid = office.item(account_id, invoice_id)
    assert paid.open_minor == 0
    wallet.change_mode(office, account_id, PaymentMode.POSTPAID)
    postpaid = office.invoice(account_id, 500, term="on_receipt")
    wallet.change_mode(office, account_id, PaymentMode.PREPAID)
    office.clock.advance(days=40)
    assert office.dun(account_id).message_id is not None
    (message,) = office.books.all(Message)
    assert json.loads(message.text)["overdue"] == [office.item(account_id, postpaid).number]


# Notes


def note(office: Office, account_id: str, text: str, key: str | None = None) -> str:
    ask: Request[Note] = office.request(key, text)
    return str(add_note(account_id, text, ask, office.books, office.clock, office.ids).body["id"])


def test_A6_a_note_says_who_wrote_it_and_when(office: Office) -> None:
    account_id = office.open_account()
    note_id = note(office, account_id, "Prefers e-mail")
    assert office.books.read(note_ref(account_id, note_id)) == Note(note_id, account_id, "Prefers e-mail", CLERK, NOW)
    with refused(office.books, "account_not_found", NotFoundError):
        note(office, "acc_none", "x")


@pytest.mark.parametrize("fault", list(Fault))
def test_A6_a_note_is_written_once_whatever_fails(office: Office, fault: Fault) -> None:
    account_id = office.open_account()
    office.trouble.strike(fault, on="commit")
    try:
        note(office, account_id, "once", key="same")
    except MachineDiedError:
        note(office, account_id, "once", key="same")
    note(office, account_id, "once", key="same")
    assert [each.text for each in office.books.newest(Note, account_id, None, 9)[0]] == ["once"]


# Timeline


def eventful(office: Office) -> str:
    """A life in two currencies: entries, changes, notes and messages, an hour apart each."""
    office.firm = firm(switches=ALL_ON)
    account_id = office.open_account()
    for n in range(3):
        office.clock.advance(hours=1)
        office.invoice(account_id, 1000 + n, term="on_receipt")
        office.clock.advance(hours=1)
        office.invoice(account_id, 1000, currency="USD")
        office.clock.advance(hours=1)
        note(office, account_id, f"note {n}")
        office.clock.advance(hours=1)
        office.change_account(account_id, name=f"Name {n}")
        office.clock.advance(days=10)
        office.dun(account_id)
    return account_id


def told(rows: list[TimelineRow]) -> list[tuple[datetime, str]]:
    names = {JournalEntry: "entry", AccountChange: "change", Note: "note", Message: "message"}
    return [(row.at, names[type(row.event)]) for row in rows]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_A6_all_that_happened_is_told_once_newest_first_in_pages(office: Office, limit: int) -> None:
    account_id = eventful(office)
    rows: list[TimelineRow] = []
    cursor: str | None = None
    while True:
        page, cursor = read_timeline(account_id, office.books, cursor, limit)
        assert len(page) == limit or cursor is None
        rows += page
        if cursor is None:
            break
    kinds = [kind for _, kind in told(rows)]
    messages = len(office.books.all(Message))
    assert {kind: kinds.count(kind) for kind in kinds} == {"entry": 6, "change": 4, "note": 3, "message": messages}
    assert messages >= 2
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)
    assert all(row.actor.id for row in rows)


def test_A6_what_is_written_between_two_pages_neither_repeats_nor_hides_a_row(office: Office) -> None:
    account_id = eventful(office)
    whole = told(read_timeline(account_id, office.books, None, 100)[0])
    first, cursor = read_timeline(account_id, office.books, None, 8)
    office.invoice(account_id, 5)
    note(office, account_id, "meanwhile")
    rest, _ = read_timeline(account_id, office.books, cursor, 100)
    assert told(first) + told(rest) == whole


def test_A6_a_page_reads_no_more_of_a_stream_than_it_can_show(office: Office) -> None:
    account_id = eventful(office)
    asked: list[tuple[type[Any], int]] = []
    newest = office.books.newest

    def counting(type_: Any, account_id: str, cursor: str | None, limit: int) -> Any:
        asked.append((type_, limit))
        return newest(type_, account_id, cursor, limit)

    office.books.newest = counting  # type: ignore[method-assign]
    read_timeline(account_id, office.books, None, 4)
    assert {limit for _, limit in asked} == {5}
    assert len(asked) == len({type_ for type_, _ in asked}) > 0


@pytest.mark.parametrize("cursor", ["x", "e30", "bnVsbA", "WzFd", "eyJFVVIiOiJ4In0", "eyJFVVIiOjF9", "____"])
def test_A6_a_cursor_that_no_page_had_is_refused_or_means_the_start(office: Office, cursor: str) -> None:
    """`e30` is {}, which is no place in any stream."""
    account_id = office.open_account()
    try:
        assert len(read_timeline(account_id, office.books, cursor, 5)[0]) == 1
    except InvalidError as refusal:
        assert refusal.code == "bad_cursor"  # noqa: PT017


def test_A6_the_timeline_of_nobody_is_not_found(office: Office) -> None:
    with pytest.raises(NotFoundError, match="account_not_found"):
        read_timeline("acc_none", office.books, None, 5)


def test_D11_messages_are_listed_by_when_they_were_written_though_their_ids_are_not(office: Office) -> None:
    account_id = eventful(office)
    everything = office.books.newest(Message, account_id, None, 9)[0]
    assert [each.claimed_at for each in everything] == sorted((each.claimed_at for each in everything), reverse=True)
    page, cursor = office.books.newest(Message, account_id, None, 1)
    assert page + office.books.newest(Message, account_id, cursor, 9)[0] == everything


def test_A5_limits_hold_for_orders_of_several_lines(office: Office) -> None:
    account_id = office.open_account(credit_limits={"EUR": 24199})
    with refused(office.books, "credit_limit_exceeded", RuleError):
        office.place_order(account_id, line(10000), line(10000))
