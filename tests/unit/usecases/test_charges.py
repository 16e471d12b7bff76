"""Saved methods, charges of them, unknown outcomes, collection on due dates (A3, P3, P4, S5, T4, T5)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from remit.domain.errors import GatewayFailedError, NotFoundError, RuleError, TransientError
from remit.domain.open_items import CollectionResult
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.terms import CardFee, Due, DueRule, EarlyDiscount, Method, PaymentTerm, TermPart
from remit.usecases.payment_attempts import LOOK_UP_AFTER, Pick
from remit.usecases.ports import AgendaKind
from remit.usecases.resolve_outcome import Outcome
from remit.usecases.saved_methods import start_setup
from tests.fakes import Fault, MachineDiedError
from tests.support import payments as pay
from tests.support.builders import NET30, Office, firm, report_on
from tests.support.refusals import refused

PENDING, PROCESSING, FAILED = PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.FAILED
CANCELED, SUCCEEDED, AUTHORIZED = PaymentStatus.CANCELED, PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED


@pytest.fixture
def account_id(office: Office) -> str:
    account_id = office.open_account()
    pay.saves(office, account_id)
    return account_id


@pytest.fixture
def invoice_id(office: Office, account_id: str) -> str:
    return office.invoice(account_id, 10000)


# Saved methods


def test_A3_a_method_is_saved_once_and_the_first_is_the_default(office: Office, account_id: str) -> None:
    office.clock.advance(hours=1)
    pay.saves(office, account_id)
    pay.saves(office, account_id, "pm_debit")
    settings = office.account(account_id).payment
    assert [saved.id for saved in settings.saved_methods] == ["pm_visa", "pm_debit"]
    assert (settings.default_method, settings.customer_id) == ("pm_visa", f"cus_{account_id}")
    assert settings.method("pm_debit").method is Method.BANK_DEBIT
    assert office.account(account_id).version == 3, "what was told twice changed nothing"


def test_A3_another_default_is_chosen_and_a_method_is_given_up_at_the_gateway_too(office: Office, account_id: str) -> None:
    pay.saves(office, account_id, "pm_debit")
    pay.chooses(office, account_id, "pm_debit")
    pay.forgets(office, account_id, "pm_debit")
    settings = office.account(account_id).payment
    assert ([saved.id for saved in settings.saved_methods], settings.default_method) == (["pm_visa"], "pm_visa")
    assert office.gateway.forgotten == {"pm_debit"}
    assert pay.saves(office, account_id, "pm_debit") is None, "a late event does not bring it back"
    with refused(office.books, "payment_method_not_found", NotFoundError):
        pay.forgets(office, account_id, "pm_debit")
    with refused(office.books, "payment_method_not_found", NotFoundError):
        pay.chooses(office, account_id, "pm_none")


def test_A3_a_setup_page_is_found_again_by_its_key_and_makes_one_customer(office: Office) -> None:
    account_id = office.open_account()

    def page() -> str:
        ask = office.request("same", "setup")
        books, gateway = office.books, office.gateway
        return start_setup(account_id, "https://x.example", ask, books, gateway, office.clock, office.ids)[0].url

    assert page() == page()
    assert office.account(account_id).payment.customer_id == f"cus_{account_id}"
    assert office.trouble.steps.count("customer") == 1


# Charges


def test_P3_a_saved_method_is_charged_and_the_invoice_is_paid(office: Office, account_id: str, invoice_id: str) -> None:
    payment = pay.charge(office, account_id, invoice_id)
    assert (payment.status, payment.saved_method, payment.look_up_at) == (SUCCEEDED, "pm_visa", None)
    assert office.item(account_id, invoice_id).open_minor == 0
    assert payment.gateway_ids == (f"pi_{payment.id}",)
    pay.proves(office, account_id)


def test_P3_the_event_of_a_charge_that_was_answered_posts_nothing_more(office: Office, account_id: str, invoice_id: str) -> None:
    payment = pay.charge(office, account_id, invoice_id)
    office.gateway_says(report_on(payment, SUCCEEDED, 5, gateway_ids=["pi_1"]), "evt_1")
    assert len(office.entries(account_id)) == 2
    pay.proves(office, account_id)


def test_P4_the_attempt_is_stored_before_the_gateway_is_called(office: Office, account_id: str, invoice_id: str) -> None:
    seen: list[Payment] = []
    office.trouble.meanwhile(lambda: seen.extend(office.books.all(Payment)), on="charge")
    payment = pay.charge(office, account_id, invoice_id)
    assert [(attempt.id, attempt.status, attempt.look_up_at is not None) for attempt in seen] == [(payment.id, PENDING, True)]


@pytest.mark.parametrize(("code", "hard"), [("insufficient_funds", False), ("lost_card", True)])
def test_S4_a_decline_says_why_and_whether_another_try_is_pointless(
    office: Office, account_id: str, invoice_id: str, code: str, hard: bool
) -> None:
    office.gateway.outcomes["pm_visa"] = (FAILED, code, hard)
    payment = pay.charge(office, account_id, invoice_id)
    assert (payment.status, payment.failure, payment.is_hard_failure) == (FAILED, code, hard)
    assert office.item(account_id, invoice_id).open_minor == 12100
    assert office.checkout(account_id, invoice_id)[0].checkout_url, "the customer can pay by the link"


def test_P3_a_card_that_wants_its_holder_leaves_the_invoice_payable_by_its_link(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.gateway.outcomes["pm_visa"] = (FAILED, "authentication_required", True)
    assert pay.charge(office, account_id, invoice_id).failure == "authentication_required"
    page, _ = office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(page, SUCCEEDED, 60), "evt_1")
    assert office.item(account_id, invoice_id).open_minor == 0


def test_P3_what_the_gateway_will_not_even_try_is_a_hard_failure(office: Office, account_id: str, invoice_id: str) -> None:
    office.trouble.strike(RuleError("gateway_refused", "No such payment method."), on="charge")
    payment = pay.charge(office, account_id, invoice_id)
    assert (payment.status, payment.failure, payment.is_hard_failure) == (FAILED, "gateway_refused", True)


def test_P3_a_bank_debit_is_processing_for_days_and_then_paid(office: Office, account_id: str, invoice_id: str) -> None:
    pay.saves(office, account_id, "pm_debit")
    office.gateway.outcomes["pm_debit"] = (PROCESSING, None, False)
    payment = pay.charge(office, account_id, invoice_id, method_id="pm_debit")
    assert (payment.status, payment.method) == (PROCESSING, Method.BANK_DEBIT)
    with refused(office.books, "payment_under_way", RuleError):
        pay.charge(office, account_id, invoice_id)
    with refused(office.books, "payment_under_way", RuleError):
        office.checkout(account_id, invoice_id)
    office.gateway_says(report_on(payment, SUCCEEDED, 5 * 86400), "evt_1")
    assert office.item(account_id, invoice_id).open_minor == 0
    pay.proves(office, account_id)


def test_P3_what_cannot_be_charged_is_refused_before_anything_is_stored(office: Office, account_id: str) -> None:
    invoice_id = office.invoice(account_id, 10000)
    bare = office.open_account()
    transfer_only = office.invoice(account_id, 10000, term="no_cards")
    theirs = office.invoice(bare)
    with refused(office.books, "no_saved_method", RuleError):
        pay.charge(office, bare, theirs)
    with refused(office.books, "no_saved_method", RuleError):
        pay.charge(office, account_id, invoice_id, method_id="pm_other")
    with refused(office.books, "method_not_allowed", RuleError):
        pay.charge(office, account_id, transfer_only)
    with pytest.raises(RuleError, match="allocation_exceeds_open") as refusal:
        pay.charge(office, account_id, Pick(invoice_id, 12101))
    assert refusal.value.facts["payable_minor"] == 12100
    office.receive(account_id, 12100, allocations=[Allocation(invoice_id, 12100)])
    with refused(office.books, "invoice_settled", RuleError):
        pay.charge(office, account_id, invoice_id)
    assert office.gateway.calls == []


def test_P4_a_charge_closes_the_customers_page_first_and_yields_to_a_payer_who_was_faster(
    office: Office, account_id: str, invoice_id: str
) -> None:
    page, _ = office.checkout(account_id, invoice_id)
    office.gateway.completed.add(page.id)
    with pytest.raises(RuleError, match="payment_under_way"):
        pay.charge(office, account_id, invoice_id)
    office.gateway.completed.clear()
    assert pay.charge(office, account_id, invoice_id).status is SUCCEEDED
    assert office.gateway.closed == [page.id]
    assert office.payment(account_id, page.id).status is CANCELED


# Unknown outcomes

LOST = [Fault.THROTTLE, Fault.LOST_REPLY, GatewayFailedError("gateway_failed", "500")]


@pytest.mark.parametrize("fault", LOST, ids=["not done", "done, reply lost", "failed for good"])
def test_P4_an_unknown_outcome_blocks_a_second_charge_until_it_is_known(
    office: Office, account_id: str, invoice_id: str, fault: Fault | Exception
) -> None:
    office.trouble.strike(fault, on="charge")
    payment = pay.charge(office, account_id, invoice_id)
    assert (payment.status, payment.look_up_at) == (PENDING, office.clock.now() + LOOK_UP_AFTER)
    with refused(office.books, "payment_under_way", RuleError):
        pay.charge(office, account_id, invoice_id)
    with refused(office.books, "payment_under_way", RuleError):
        office.checkout(account_id, invoice_id)
    assert pay.due(office, AgendaKind.OUTCOME) == []
    office.clock.advance(minutes=2)
    assert pay.due(office, AgendaKind.OUTCOME) == [payment.id]
    assert pay.resolve(office, payment).outcome is Outcome.KNOWN
    assert office.payment(account_id, payment.id).status is SUCCEEDED
    assert (pay.due(office, AgendaKind.OUTCOME), len(office.gateway.charged)) == ([], 1)
    pay.proves(office, account_id)


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("then", ["asked again", "agenda"])
def test_P4_whatever_dies_on_the_way_the_customer_is_charged_once(
    office: Office, account_id: str, invoice_id: str, fault: Fault, step: int, then: str
) -> None:
    """The steps are: the attempt is stored, the gateway is called, its answer is taken in."""
    office.trouble.strike(fault, at=step)
    with pytest.raises(MachineDiedError):
        pay.charge(office, account_id, invoice_id, key="same")
    office.clock.advance(minutes=3)
    if then == "agenda":
        for attempt in office.books.all(Payment):
            pay.resolve(office, attempt)
    payment = pay.charge(office, account_id, invoice_id, key="same")
    assert (payment.status, len(office.books.all(Payment)), len(office.gateway.charged)) == (SUCCEEDED, 1, 1)
    assert len(office.entries(account_id)) == 2
    pay.proves(office, account_id)


def test_P4_nobody_is_charged_late_for_what_was_paid_otherwise(office: Office, account_id: str, invoice_id: str) -> None:
    office.trouble.strike(Fault.THROTTLE, on="charge")
    payment = pay.charge(office, account_id, invoice_id)
    office.receive(account_id, 12100, oldest_first=True)
    for _ in range(7):
        office.clock.advance(minutes=10)
        resolution = pay.resolve(office, payment)
    assert office.gateway.charged == {}
    assert resolution.outcome is Outcome.KNOWN
    assert (resolution.payment.status, resolution.payment.failure) == (CANCELED, "not_charged")
    pay.proves(office, account_id)


def test_P4_a_late_success_on_a_settled_invoice_is_unapplied_credit(office: Office, account_id: str, invoice_id: str) -> None:
    office.trouble.strike(Fault.LOST_REPLY, on="charge")
    payment = pay.charge(office, account_id, invoice_id)
    office.receive(account_id, 12100, oldest_first=True)
    office.clock.advance(minutes=3)
    pay.resolve(office, payment)
    assert office.payment(account_id, payment.id).unapplied_minor == 12100
    pay.proves(office, account_id)


def test_P4_a_gateway_that_stays_silent_is_asked_less_and_less_and_then_a_person_is(
    office: Office, account_id: str, invoice_id: str
) -> None:
    office.trouble.strike(Fault.LOST_REPLY, on="charge")
    payment = pay.charge(office, account_id, invoice_id)
    asked = 0
    for _ in range(30):
        office.clock.set(office.payment(account_id, payment.id).look_up_at or office.clock.now())
        office.trouble.strike(TransientError("gateway_unavailable", "down"), on="look_up")
        asked += 1
        resolution = pay.resolve(office, payment)
        if resolution.outcome is not Outcome.ASK_LATER:
            break
    assert (resolution.outcome, asked < 20) == (Outcome.UNKNOWN, True)
    assert office.clock.now() - payment.created_at <= timedelta(hours=32)
    with refused(office.books, "payment_under_way", RuleError):
        pay.charge(office, account_id, invoice_id)
    office.trouble.clear()
    assert pay.cancel(office, payment).status is SUCCEEDED, "who looks finds that it was paid"
    pay.proves(office, account_id)


# Fees and discounts

FEE = replace(NET30, id="fee", card_fee=CardFee("VAT21", Decimal("1.5"), 25), currency="EUR")
EARLY = PaymentTerm("early", "2/10 net 30", (TermPart(Due(DueRule.NET_DAYS, 30)),), discount=EarlyDiscount(Decimal(2), 10))


@pytest.fixture
def shop() -> Office:
    return Office(firm=firm(terms={term.id: term for term in (NET30, FEE, EARLY)}))


def test_T4_a_card_fee_is_asked_for_with_the_card_and_posted_with_its_tax(shop: Office) -> None:
    account_id = shop.open_account()
    pay.saves(shop, account_id)
    pay.saves(shop, account_id, "pm_debit")
    by_card, by_debit, by_page = (shop.invoice(account_id, 10000, term="fee") for _ in range(3))
    assert pay.charge(shop, account_id, by_debit, method_id="pm_debit").amount_minor == 12100
    payment = pay.charge(shop, account_id, by_card)
    assert (payment.amount_minor, payment.fee and payment.fee.gross_minor) == (12100 + 207 + 43, 250)
    assert {p.account: p.amount_minor for p in shop.entries(account_id)[-1].draft.postings} == {
        "cash:stripe": 12350, "receivable": 12100, "revenue:card_fees": 207, "tax:VAT21": 43,
    }  # fmt: skip
    page = pay.checkout(shop, account_id, Pick(by_page))
    assert page.amount_minor == 12350
    shop.gateway_says(report_on(page, SUCCEEDED, 60), "evt_1")
    assert shop.item(account_id, by_page).open_minor == 0
    pay.proves(shop, account_id)


def test_T5_within_the_discounts_time_less_is_charged_and_settles_in_full(shop: Office) -> None:
    account_id = shop.open_account()
    pay.saves(shop, account_id)
    early, late = shop.invoice(account_id, 10000, term="early"), shop.invoice(account_id, 10000, term="early")
    assert pay.charge(shop, account_id, early).amount_minor == 11858
    assert shop.item(account_id, early).open_minor == 0
    shop.clock.advance(days=11)
    assert pay.charge(shop, account_id, late).amount_minor == 12100
    pay.proves(shop, account_id)


def test_P3_several_invoices_are_paid_on_one_page(office: Office, account_id: str) -> None:
    first, second = office.invoice(account_id, 10000), office.invoice(account_id, 20000)
    page = pay.checkout(office, account_id, Pick(first), Pick(second, 5000))
    assert (page.amount_minor, page.reference) == (17100, "INV-2026-000001, INV-2026-000002")
    assert pay.checkout(office, account_id, Pick(first), Pick(second, 5000)).id == page.id
    office.gateway_says(report_on(page, SUCCEEDED, 60), "evt_1")
    assert (office.item(account_id, first).open_minor, office.item(account_id, second).open_minor) == (0, 19200)
    pay.proves(office, account_id)


def test_P4_the_page_of_another_amount_is_closed_before_a_new_one_is_opened(
    office: Office, account_id: str, invoice_id: str
) -> None:
    first, _ = office.checkout(account_id, invoice_id)
    office.receive(account_id, 2100, oldest_first=True)
    office.gateway.completed.add(first.id)
    with pytest.raises(RuleError, match="payment_under_way"):
        office.checkout(account_id, invoice_id)
    office.gateway.completed.clear()
    second, _ = office.checkout(account_id, invoice_id)
    assert (second.amount_minor, office.gateway.closed) == (10000, [first.id])
    assert office.payment(account_id, first.id).failure == "superseded"


@pytest.mark.parametrize("heard", ["before", "after"])
def test_G3_why_a_page_was_closed_stays_whenever_the_gateway_says_that_it_is(
    office: Office, account_id: str, invoice_id: str, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the page makes the gateway tell so: its event may overtake what asked for it."""
    page, _ = office.checkout(account_id, invoice_id)
    expired = report_on(page, CANCELED, 60)
    close = office.gateway.expire_checkout

    def tells_at_once(payment: Payment) -> bool:
        closed = close(payment)
        office.gateway_says(expired, "evt_expired")
        return closed

    if heard == "before":
        monkeypatch.setattr(office.gateway, "expire_checkout", tells_at_once)
    pay.cancel(office, page)
    if heard == "after":
        office.gateway_says(expired, "evt_expired")
    known = office.payment(account_id, page.id)
    assert (known.status, known.failure, known.reported_at) == (CANCELED, "canceled", expired.occurred_at)
    assert office.differences(account_id) == ()


# Collection


@pytest.fixture
def collected_id(office: Office, account_id: str) -> str:
    pay.collects_automatically(office, account_id)
    return office.invoice(account_id, 10000)


def test_P3_an_invoice_is_collected_once_on_its_due_date(office: Office, account_id: str, collected_id: str) -> None:
    office.clock.advance(days=29)
    assert pay.due(office, AgendaKind.COLLECTION) == []
    assert pay.collect(office, account_id, collected_id).result is None
    office.clock.advance(days=1)
    assert pay.due(office, AgendaKind.COLLECTION) == [collected_id]
    collected = pay.collect(office, account_id, collected_id)
    assert collected.result is CollectionResult.STARTED
    assert collected.payment is not None
    assert collected.payment.status is SUCCEEDED
    assert pay.collect(office, account_id, collected_id).result is None
    assert (pay.due(office, AgendaKind.COLLECTION), len(office.gateway.charged)) == ([], 1)
    pay.proves(office, account_id)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_P3_a_collection_that_dies_on_the_way_charges_once(office: Office, account_id: str, collected_id: str, step: int) -> None:
    office.clock.advance(days=30)
    office.trouble.strike(Fault.CRASH_AFTER, at=step)
    with pytest.raises(MachineDiedError):
        pay.collect(office, account_id, collected_id)
    pay.collect(office, account_id, collected_id)
    office.clock.advance(minutes=5)
    for attempt in office.books.all(Payment):
        pay.resolve(office, attempt)
    assert (len(office.books.all(Payment)), len(office.gateway.charged)) == (1, 1)
    assert office.item(account_id, collected_id).open_minor == 0
    pay.proves(office, account_id)


def test_P3_who_cannot_be_charged_is_skipped_and_the_invoice_says_why(office: Office, account_id: str) -> None:
    pay.collects_automatically(office, account_id)
    no_method, off, under_way, paid = (office.invoice(account_id, 10000) for _ in range(4))
    office.receive(account_id, 12100, allocations=[Allocation(paid, 12100)])
    pay.saves(office, account_id, "pm_debit")
    office.gateway.outcomes["pm_debit"] = (PROCESSING, None, False)
    pay.charge(office, account_id, under_way, method_id="pm_debit")
    office.clock.advance(days=30)
    assert pay.collect(office, account_id, under_way).result is CollectionResult.UNDER_WAY
    assert pay.collect(office, account_id, paid).result is None
    for method_id in ("pm_visa", "pm_debit"):
        pay.forgets(office, account_id, method_id)
    assert pay.collect(office, account_id, no_method).result is CollectionResult.NO_METHOD
    pay.collects_automatically(office, account_id, False)
    assert pay.collect(office, account_id, off).result is CollectionResult.SWITCHED_OFF
    assert pay.due(office, AgendaKind.COLLECTION) == [under_way], "the default method changed: it is looked at again"
    assert [note and note.result for note in (office.item(account_id, id).collection for id in (no_method, off))] == [
        CollectionResult.NO_METHOD,
        CollectionResult.SWITCHED_OFF,
    ]
    assert office.gateway.charged.keys() == {office.item(account_id, under_way).payment_attempt}


def test_S5_each_part_is_collected_on_its_own_date() -> None:
    halves = PaymentTerm("halves", "Two halves", tuple(TermPart(Due(DueRule.NET_DAYS, days), Decimal(50)) for days in (10, 40)))
    office = Office(firm=firm(terms={"net30": NET30, "halves": halves}))
    account_id = office.open_account()
    pay.saves(office, account_id)
    pay.collects_automatically(office, account_id)
    invoice_id = office.invoice(account_id, 10000, term="halves")
    for days, open_minor in ((10, 6050), (30, 0)):
        office.clock.advance(days=days)
        pay.collect(office, account_id, invoice_id)
        assert office.item(account_id, invoice_id).open_minor == open_minor
    assert len(office.gateway.charged) == 2
    pay.proves(office, account_id)
