"""Authorisations, reversals, disputes and reallocations, in any order (P2, P7, P8, P9, G3)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import LostDispute, MoneyRules
from remit.domain.journal import EntryKind
from remit.domain.money import Money
from remit.domain.open_items import InvoiceStatus
from remit.domain.payments import Allocation, DisputeStatus, GatewayReport, Payment, PaymentStatus, Transaction
from remit.domain.terms import CardFee, Due, DueRule, EarlyDiscount, Method, PaymentTerm, TermPart
from remit.usecases.ports import AgendaKind
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.resolve_outcome import Outcome
from tests.fakes import Fault, MachineDiedError
from tests.support import payments as pay
from tests.support.builders import NET30, TODAY, Office, firm, report_on
from tests.support.refusals import refused

PROCESSING, FAILED, CANCELED = PaymentStatus.PROCESSING, PaymentStatus.FAILED, PaymentStatus.CANCELED
SUCCEEDED, AUTHORIZED, REVERTED = PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED, PaymentStatus.REVERTED
INQUIRY, OPEN, WON, LOST = DisputeStatus.INQUIRY, DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST


@pytest.fixture
def account_id(office: Office) -> str:
    account_id = office.open_account()
    pay.saves(office, account_id)
    return account_id


@pytest.fixture
def invoice_id(office: Office, account_id: str) -> str:
    return office.invoice(account_id, 10000)


def paid_by_card(office: Office, account_id: str, invoice_id: str) -> Payment:
    payment, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, SUCCEEDED, 30, gateway_ids=["pi_1"]), f"evt_{payment.id}")
    return office.payment(account_id, payment.id)


def kinds(office: Office, account_id: str) -> list[EntryKind]:
    return [entry.draft.kind for entry in office.entries(account_id)]


def last(office: Office, account_id: str) -> dict[tuple[str, str], int]:
    """The postings of the last entry."""
    return {(p.account, p.side.value): p.amount_minor for p in office.entries(account_id)[-1].draft.postings}


# Authorise and capture


@pytest.mark.parametrize(("amount", "open_minor"), [(None, 0), (12100, 0), (9000, 3100)])
def test_P7_an_authorisation_is_captured_wholly_or_partly(
    office: Office, account_id: str, invoice_id: str, amount: int | None, open_minor: int
) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    assert (payment.status, payment.captured_minor, len(office.entries(account_id))) == (AUTHORIZED, 0, 1)
    captured = pay.capture(office, payment, amount)
    assert (captured.status, captured.captured_minor) == (SUCCEEDED, 12100 - open_minor)
    assert office.item(account_id, invoice_id).open_minor == open_minor
    pay.proves(office, account_id)


def test_P7_what_cannot_be_captured_is_refused(office: Office, account_id: str, invoice_id: str) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    with pytest.raises(RuleError, match="capture_exceeds_authorized") as refusal:
        pay.capture(office, payment, 12101)
    assert refusal.value.facts["authorized_minor"] == 12100
    office.trouble.strike(Fault.THROTTLE, on="capture")
    pay.capture(office, payment, 9000)
    with refused(office.books, "capture_under_way", RuleError):
        pay.capture(office, payment, 8000)
    with refused(office.books, "payment_not_cancelable", RuleError):
        pay.cancel(office, payment)
    pay.capture(office, payment, 9000)
    with refused(office.books, "payment_not_authorized", RuleError):
        pay.capture(office, payment)


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_P7_a_capture_that_dies_on_the_way_takes_what_was_asked_once(
    office: Office, account_id: str, invoice_id: str, step: int, fault: Fault
) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    office.trouble.strike(fault, at=step)
    with pytest.raises(MachineDiedError):
        pay.capture(office, payment, 9000, key="same")
    office.clock.advance(minutes=3)
    for due in pay.due(office, AgendaKind.OUTCOME):
        assert pay.resolve(office, office.payment(account_id, due)).outcome is Outcome.KNOWN
    assert pay.capture(office, payment, 9000, key="same").captured_minor == 9000
    assert office.item(account_id, invoice_id).open_minor == 3100
    pay.proves(office, account_id)


def test_P7_a_word_of_the_authorisation_does_not_end_the_asking_for_a_capture(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    office.trouble.strike(Fault.LOST_REPLY, on="capture")
    pay.capture(office, payment)
    office.gateway_says(report_on(payment, AUTHORIZED, 60), "evt_late")
    office.clock.advance(minutes=3)
    assert pay.due(office, AgendaKind.OUTCOME) == [payment.id]


def test_P7_an_authorisation_is_released_on_request_and_the_invoice_is_free_again(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    with refused(office.books, "payment_under_way", RuleError):
        office.checkout(account_id, invoice_id)
    assert pay.cancel(office, payment, key="same").status is CANCELED
    assert pay.cancel(office, payment, key="same").status is CANCELED
    assert office.trouble.steps.count("cancel") == 1
    assert office.checkout(account_id, invoice_id)[0].checkout_url
    assert len(office.entries(account_id)) == 1


@pytest.mark.parametrize("known", [True, False], ids=["the gateway let it go", "the gateway holds it still"])
def test_P7_an_authorisation_whose_time_is_over_is_released(
    office: Office, account_id: str, invoice_id: str, known: bool
) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    assert pay.due(office, AgendaKind.AUTHORIZATION) == []
    assert pay.release(office, payment).status is AUTHORIZED
    office.clock.advance(days=7)
    assert pay.due(office, AgendaKind.AUTHORIZATION) == [payment.id]
    if known:
        office.gateway.charged[payment.id] = CANCELED
    assert pay.release(office, payment).status is CANCELED
    assert (pay.due(office, AgendaKind.AUTHORIZATION), office.trouble.steps.count("cancel")) == ([], 0 if known else 1)


def test_P7_a_capture_that_comes_too_late_is_refused_and_the_payment_knows(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment = pay.charge(office, account_id, invoice_id, capture_later=True)
    office.gateway.charged[payment.id] = CANCELED
    with pytest.raises(RuleError, match="gateway_refused"):
        pay.capture(office, payment)
    office.gateway_says(report_on(payment, CANCELED, 60), "evt_1")
    found = office.payment(account_id, payment.id)
    assert (found.status, found.look_up_at) == (CANCELED, None)


def test_P4_a_page_is_closed_on_request_unless_the_payer_was_faster(office: Office, account_id: str, invoice_id: str) -> None:
    page, _ = office.checkout(account_id, invoice_id)
    office.gateway.completed.add(page.id)
    with refused(office.books, "payment_not_cancelable", RuleError):
        pay.cancel(office, page)
    office.gateway.completed.clear()
    assert pay.cancel(office, page).status is CANCELED
    paid = paid_by_card(office, account_id, invoice_id)
    with pytest.raises(RuleError, match="payment_not_cancelable") as refusal:
        pay.cancel(office, paid)
    assert refusal.value.facts["refundable_minor"] == 12100


def test_T4_a_part_that_is_captured_bears_its_part_of_the_card_fee() -> None:
    fee = replace(NET30, id="fee", card_fee=CardFee("VAT21", Decimal(10)))
    office = Office(firm=firm(terms={"net30": NET30, "fee": fee}))
    account_id = office.open_account()
    pay.saves(office, account_id)
    payment = pay.charge(office, account_id, office.invoice(account_id, 10000, term="fee"), capture_later=True)
    assert payment.amount_minor == 12100 + 1210 + 254
    pay.capture(office, payment, payment.amount_minor // 2)
    assert last(office, account_id)["revenue:card_fees", "credit"] == 605
    pay.proves(office, account_id)


# Reversals


def test_P8_a_bounced_check_opens_its_invoices_again(office: Office, account_id: str, invoice_id: str) -> None:
    chosen = [Allocation(invoice_id, 12100)]
    payment_id = office.receive(account_id, 15000, allocations=chosen, method=Method.CHECK).body["id"]
    assert pay.reverse(office, account_id, payment_id, key="same").body["status"] == "reverted"
    assert pay.reverse(office, account_id, payment_id, key="same").replayed
    assert office.item(account_id, invoice_id).open_minor == 12100
    balance = office.balance(account_id)
    assert (balance.receivable_minor, balance.credit_minor, balance.lots) == (12100, 0, ())
    entry = office.entries(account_id)[-1].draft
    assert (entry.kind, entry.reason) == (EntryKind.PAYMENT_REVERTED, "check bounced")
    assert office.payment(account_id, payment_id).transactions[-1].type == "reversal"
    pay.proves(office, account_id)


def test_P8_what_cannot_be_reverted_is_refused(office: Office, account_id: str, invoice_id: str) -> None:
    check = office.receive(account_id, 100, method=Method.CHECK).body["id"]
    with refused(office.books, "bad_reversal_date", InvalidError):
        pay.reverse(office, account_id, check, on=TODAY - timedelta(days=1))
    with refused(office.books, "bad_reversal_date", InvalidError):
        pay.reverse(office, account_id, check, on=TODAY + timedelta(days=1))
    pay.reverse(office, account_id, check)
    with refused(office.books, "payment_not_reversible", RuleError):
        pay.reverse(office, account_id, check)
    card = paid_by_card(office, account_id, invoice_id)
    with refused(office.books, "reversed_by_gateway", RuleError):
        pay.reverse(office, account_id, card.id)


def test_P8_money_that_went_to_the_wallet_is_taken_out_of_it_again(office: Office, account_id: str) -> None:
    received = ReceivedPayment(account_id, Money(5000, "EUR"), Method.CHECK, TODAY, to_wallet=True)
    ask: Any = office.request()
    payment = receive_payment(received, ask, office.firm, office.books, office.books, office.clock, office.ids).body
    assert office.balance(account_id).wallet_minor == 5000
    pay.reverse(office, account_id, payment["id"])
    assert office.balance(account_id).wallet_minor == 0
    assert last(office, account_id) == {("wallet", "debit"): 5000, ("cash:check", "credit"): 5000}
    pay.proves(office, account_id)


def test_T5_a_discount_earned_with_money_that_went_back_is_not_earned() -> None:
    single = (TermPart(Due(DueRule.NET_DAYS, 30)),)
    early = PaymentTerm("early", "2/10 net 30", single, discount=EarlyDiscount(Decimal(2), 10))
    office = Office(firm=firm(terms={"net30": NET30, "early": early}))
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, 10000, term="early")
    payment_id = office.receive(account_id, 11858, oldest_first=True, method=Method.CHECK).body["id"]
    assert office.item(account_id, invoice_id).open_minor == 0
    pay.reverse(office, account_id, payment_id)
    assert office.item(account_id, invoice_id).open_minor == 12100
    assert last(office, account_id) == {
        ("receivable", "debit"): 12100, ("cash:check", "credit"): 11858, ("discounts", "credit"): 200,
        ("tax:VAT21", "credit"): 42,
    }  # fmt: skip
    pay.proves(office, account_id)


def returned(payment: Payment) -> list[GatewayReport]:
    """A debit that was paid and then came back: the same charge captured, then failed."""
    paid_at, back_at = payment.created_at + timedelta(days=5), payment.created_at + timedelta(days=9)
    capture = Transaction(paid_at, "capture", "ch_1", payment.amount_minor)
    failure = Transaction(back_at, "failure", "ch_1", payment.amount_minor, "insufficient_funds")
    return [
        report_on(payment, PROCESSING, 5, gateway_ids=["pi_1"]),
        report_on(payment, None, 5 * 86400, transaction=capture),
        report_on(payment, SUCCEEDED, 5 * 86400, gateway_ids=["pi_1"]),
        report_on(payment, None, 9 * 86400, transaction=failure),
    ]


@given(st.data())
def test_P8_G3_a_debit_that_came_back_is_reverted_in_every_order_of_its_events(data: st.DataObject) -> None:
    office = Office()
    account_id = office.open_account()
    payment, _ = office.checkout(account_id, office.invoice(account_id))
    told = list(enumerate(returned(payment)))
    office.clock.advance(days=10)
    for n, report in data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=3)))):
        office.gateway_says(report, f"evt_{n}")
    assert office.payment(account_id, payment.id).status is REVERTED
    assert office.balance(account_id).receivable_minor == 12100
    assert kinds(office, account_id)[1:] == [EntryKind.PAYMENT_RECEIVED, EntryKind.PAYMENT_REVERTED]
    dates = [entry.draft.effective_on for entry in office.entries(account_id)]
    assert dates == [TODAY, TODAY + timedelta(days=5), TODAY + timedelta(days=9)]
    pay.proves(office, account_id)


# Disputes


def test_P9_a_dispute_withholds_the_money_and_flags_the_invoice(office: Office, account_id: str, invoice_id: str) -> None:
    payment = paid_by_card(office, account_id, invoice_id)
    office.gateway_says(pay.dispute_on(payment, INQUIRY, 55), "evt_i")
    assert kinds(office, account_id) == [EntryKind.INVOICE_ISSUED, EntryKind.PAYMENT_RECEIVED], "an inquiry moves no money"
    office.gateway_says(pay.dispute_on(payment, OPEN, 60), "evt_o")
    assert last(office, account_id) == {
        ("disputes", "debit"): 12100, ("gateway_fees", "debit"): 1500, ("cash:stripe", "credit"): 13600,
    }  # fmt: skip
    item, disputed = office.item(account_id, invoice_id), office.payment(account_id, payment.id)
    assert (item.disputed_by, item.open_minor) == ((payment.id,), 0)
    assert (disputed.disputed_minor, disputed.refundable_minor) == (12100, 0)
    office.gateway_says(pay.dispute_on(payment, WON, 90), "evt_w")
    assert office.item(account_id, invoice_id).disputed_by == ()
    assert office.payment(account_id, payment.id).refundable_minor == 12100
    pay.proves(office, account_id)


@pytest.mark.parametrize(
    ("rule", "status"),
    [(LostDispute.REOPEN, InvoiceStatus.ISSUED), (LostDispute.WRITE_OFF, InvoiceStatus.UNCOLLECTIBLE)],
)
def test_P9_a_lost_dispute_opens_the_invoice_again_or_writes_it_off(rule: LostDispute, status: InvoiceStatus) -> None:
    office = Office(firm=firm(money=MoneyRules(lost_dispute=rule)))
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    payment = paid_by_card(office, account_id, invoice_id)
    office.gateway_says(pay.dispute_on(payment, LOST, 60), "evt_1")
    item = office.item(account_id, invoice_id)
    assert (item.status, item.disputed_by) == (status, ())
    assert kinds(office, account_id)[2:4] == [EntryKind.DISPUTE_OPENED, EntryKind.DISPUTE_LOST]
    pay.proves(office, account_id)


def test_P9_a_disputed_invoice_is_not_asked_for_and_its_money_is_not_moved(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment, _ = office.checkout(account_id, invoice_id)
    half = replace(report_on(payment, SUCCEEDED, 30), amount_minor=6000)
    office.gateway_says(half, "evt_1")
    office.gateway_says(pay.dispute_on(payment, OPEN, 60, amount_minor=6000), "evt_2")
    other = office.invoice(account_id)
    with refused(office.books, "invoice_disputed", RuleError):
        office.checkout(account_id, invoice_id)
    with refused(office.books, "invoice_disputed", RuleError):
        pay.charge(office, account_id, invoice_id)
    with refused(office.books, "payment_disputed", RuleError):
        pay.reallocate(office, account_id, payment.id, [Allocation(invoice_id, 6000)], [Allocation(other, 6000)])
    (seen,) = [item for item in office.books.open_items(account_id, "EUR") if item.invoice_id == invoice_id]
    assert seen.disputed_by == (payment.id,), "dunning reads the index, which must show it"


def test_P9_unapplied_money_in_dispute_cannot_be_allocated(office: Office, account_id: str, invoice_id: str) -> None:
    page, _ = office.checkout(account_id, invoice_id)
    office.receive(account_id, 12100, oldest_first=True)
    office.gateway_says(report_on(page, SUCCEEDED, 30), "evt_1")
    office.gateway_says(pay.dispute_on(page, OPEN, 60, amount_minor=10000), "evt_2")
    other = office.invoice(account_id)
    with refused(office.books, "allocation_exceeds_payment", RuleError):
        office.allocate(account_id, page.id, Allocation(other, 2101))
    office.allocate(account_id, page.id, Allocation(other, 2100))
    assert office.balance(account_id).held_minor == 10000
    pay.proves(office, account_id)


def test_P9_two_partial_disputes_keep_the_flag_until_the_last_is_decided(
    office: Office, account_id: str, invoice_id: str
) -> None:
    payment = paid_by_card(office, account_id, invoice_id)
    office.gateway_says(pay.dispute_on(payment, OPEN, 60, amount_minor=3000, id="du_1"), "evt_1")
    office.gateway_says(pay.dispute_on(payment, OPEN, 61, amount_minor=4000, id="du_2"), "evt_2")
    assert office.payment(account_id, payment.id).refundable_minor == 5100
    office.gateway_says(pay.dispute_on(payment, WON, 70, amount_minor=3000, id="du_1"), "evt_3")
    assert office.item(account_id, invoice_id).disputed_by == (payment.id,)
    office.gateway_says(pay.dispute_on(payment, LOST, 80, amount_minor=4000, id="du_2"), "evt_4")
    item = office.item(account_id, invoice_id)
    assert (item.disputed_by, item.open_minor) == ((), 4000)
    assert office.payment(account_id, payment.id).refundable_minor == 8100
    pay.proves(office, account_id)


type Story = Callable[[Payment], list[GatewayReport]]


def _transaction(type: str, payment: Payment, seconds: int, amount_minor: int = 12100) -> GatewayReport:
    at = payment.created_at + timedelta(seconds=seconds)
    return report_on(payment, None, seconds, transaction=Transaction(at, type, "ch_1", amount_minor), gateway_ids=["ch_1"])


def captured_in_part(payment: Payment) -> list[GatewayReport]:
    return [
        report_on(payment, FAILED, 1, failure="card_declined", gateway_ids=["pi_1"]),
        report_on(payment, AUTHORIZED, 2, gateway_ids=["pi_1"]),
        _transaction("authorization", payment, 2),
        _transaction("capture", payment, 30, 9000),
        report_on(payment, SUCCEEDED, 30, gateway_ids=["pi_1"], amount_minor=9000),
    ]


def released(payment: Payment) -> list[GatewayReport]:
    return [*captured_in_part(payment)[:3], report_on(payment, CANCELED, 40, gateway_ids=["pi_1"])]


def disputed(*decided: DisputeStatus) -> Story:
    def story(payment: Payment) -> list[GatewayReport]:
        words = [INQUIRY, OPEN, OPEN, *decided]
        said = [pay.dispute_on(payment, word, 60 + n, amount_minor=9000) for n, word in enumerate(words)]
        return [*captured_in_part(payment)[1:], *said]

    return story


STORIES: dict[str, Story] = {
    "captured": captured_in_part,
    "released": released,
    "in dispute": disputed(),
    "dispute won": disputed(WON, WON),
    "dispute lost": disputed(LOST),
    "debit returned": returned,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
@given(data=st.data())
def test_G3_every_order_and_repetition_of_a_payments_events_gives_one_ledger(story: Story, data: st.DataObject) -> None:
    def ledger(order: list[int]) -> Any:
        office = Office()
        account_id = office.open_account()
        invoice_id = office.invoice(account_id)
        payment, _ = office.checkout(account_id, invoice_id)
        told = story(payment)
        office.clock.advance(days=10)
        for n in order:
            office.gateway_says(told[n], f"evt_{n}")
        pay.proves(office, account_id)
        entries = Counter(
            (entry.draft.kind, entry.draft.effective_on, entry.draft.postings, str(entry.draft.documents))
            for entry in office.entries(account_id)
        )
        item, end = office.item(account_id, invoice_id), office.payment(account_id, payment.id)
        figures = replace(office.balance(account_id), version=0, last_hash="")
        return entries, figures, replace(item, version=0), replace(end, version=0)

    count = len(story(Payment("p", "a", "EUR", 12100, Method.CARD, "stripe", PROCESSING, Office().clock.now())))
    in_order = list(range(count))
    repeated = data.draw(st.permutations(in_order + data.draw(st.lists(st.sampled_from(in_order), max_size=3))))
    assert ledger(repeated) == ledger(in_order)


# Oldest first


def test_P2_oldest_first_reads_only_what_the_amount_needs(office: Office, account_id: str) -> None:
    invoices = [office.invoice(account_id) for _ in range(12)]
    seen: list[int] = []
    load = office.books.load
    office.books.load = lambda *refs, **how: seen.append(len(refs)) or load(*refs, **how)  # type: ignore[method-assign,func-returns-value]
    office.receive(account_id, 15000, oldest_first=True)
    assert seen == [4], "the account, its balance, and two invoices"
    office.books.load = load  # type: ignore[method-assign]
    assert [office.item(account_id, id).open_minor for id in invoices[:3]] == [0, 9200, 12100]
    pay.proves(office, account_id)


def test_P2_oldest_first_goes_on_when_the_index_is_behind(office: Office, account_id: str) -> None:
    first, second = office.invoice(account_id), office.invoice(account_id)
    with office.books.lagging():
        office.receive(account_id, 12100, allocations=[Allocation(first, 12100)])
        office.receive(account_id, 12100, oldest_first=True)
    assert office.item(account_id, second).open_minor == 0
    pay.proves(office, account_id)


# Reallocation


def test_P2_an_allocation_is_moved_by_an_entry_that_names_the_one_it_reverses(office: Office, account_id: str) -> None:
    wrong, right = office.invoice(account_id), office.invoice(account_id)
    payment_id = office.receive(account_id, 12100, allocations=[Allocation(wrong, 12100)]).body["id"]
    moved = [Allocation(wrong, 12100)], [Allocation(right, 12100)]
    answer = pay.reallocate(office, account_id, payment_id, *moved, key="same")
    assert answer.body["allocations"] == [{"invoice_id": right, "amount_minor": 12100}]
    assert pay.reallocate(office, account_id, payment_id, *moved, key="same").replayed
    assert (office.item(account_id, wrong).open_minor, office.item(account_id, right).open_minor) == (12100, 0)
    reversing, anew = office.entries(account_id)[-2:]
    assert (reversing.draft.kind, reversing.draft.reverses) == (EntryKind.ALLOCATION_REVERSED, 3)
    assert anew.draft.kind is EntryKind.PAYMENT_ALLOCATED
    pay.proves(office, account_id)


def test_P2_what_is_taken_back_and_not_used_is_unapplied_again(office: Office, account_id: str) -> None:
    first, second, third = (office.invoice(account_id) for _ in range(3))
    payment_id = office.receive(account_id, 24200, allocations=[Allocation(first, 12100)]).body["id"]
    office.allocate(account_id, payment_id, Allocation(second, 12100))
    taken = [Allocation(first, 12100), Allocation(second, 100)]
    pay.reallocate(office, account_id, payment_id, taken, [Allocation(third, 2200)])
    assert office.payment(account_id, payment_id).unapplied_minor == 10000
    assert [entry.draft.reverses for entry in office.entries(account_id)[-3:]] == [4, 5, None]
    pay.proves(office, account_id)


def test_P2_what_cannot_be_moved_is_refused(office: Office, account_id: str) -> None:
    first, second = office.invoice(account_id), office.invoice(account_id)
    payment_id = office.receive(account_id, 12100, allocations=[Allocation(first, 12100)]).body["id"]
    with refused(office.books, "allocation_not_found", RuleError):
        pay.reallocate(office, account_id, payment_id, [Allocation(second, 100)], [])
    with refused(office.books, "allocation_exceeds_payment", RuleError):
        pay.reallocate(office, account_id, payment_id, [Allocation(first, 100)], [Allocation(second, 101)])
    with refused(office.books, "no_allocations", InvalidError):
        pay.reallocate(office, account_id, payment_id, [], [Allocation(second, 1)])
    with refused(office.books, "currency_mismatch", InvalidError):
        pay.reallocate(office, account_id, payment_id, [Allocation(first, 1)], [], currency="USD")
    office.allocate(account_id, office.receive(account_id, 12000).body["id"], Allocation(second, 12000))
    with refused(office.books, "allocation_exceeds_open", RuleError):
        pay.reallocate(office, account_id, payment_id, [Allocation(first, 101)], [Allocation(second, 101)])
