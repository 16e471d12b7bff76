"""The prepaid wallet: top-ups, usage, withdrawals, and the limit that holds whatever happens at once (W1, W3, A4, A5)."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.domain.accounts import PaymentMode
from remit.domain.errors import ConflictError, InvalidError, RemitError, RuleError
from remit.domain.firm import MoneyRules
from remit.domain.journal import EntryKind
from remit.domain.orders import OrderKind
from remit.domain.payments import Allocation
from remit.domain.refunds import Refund, RefundStatus
from remit.domain.terms import Method
from remit.domain.wallet import WalletCharge
from remit.usecases.idempotency import Answer
from remit.usecases.ports import refund_ref, wallet_charge_ref
from remit.usecases.read_wallet import read_wallet
from remit.usecases.replay_account import replay_account
from tests.fakes import Fault, MachineDiedError
from tests.support import refunding, wallet
from tests.support.builders import Office, firm, line
from tests.support.refusals import refused


def postings(office: Office, account_id: str, number: int = -1) -> dict[tuple[str, str], int]:
    draft = office.entries(account_id)[number].draft
    return {(posting.account, str(posting.side)): posting.amount_minor for posting in draft.postings}


# Top-ups


def test_W1_a_top_up_invoice_fills_the_wallet_when_it_is_paid_and_not_before(office: Office) -> None:
    account_id = wallet.prepaid_account(office)
    invoice_id = wallet.top_up(office, account_id, 5000).body["invoice"]["id"]
    item = office.item(account_id, invoice_id)
    assert (item.kind, item.open_minor, wallet.prepaid(office, account_id)) == (OrderKind.TOP_UP, 5000, 0)
    assert postings(office, account_id) == {("receivable", "debit"): 5000, ("top_ups", "credit"): 5000}
    office.receive(account_id, 2000, allocations=[Allocation(invoice_id, 2000)])
    assert office.balance(account_id).wallet_minor == 2000
    office.receive(account_id, 3000, allocations=[Allocation(invoice_id, 3000)])
    assert office.balance(account_id).wallet_minor == 5000
    wallet.proves(office, account_id)


def test_W1_a_top_up_is_outside_the_scope_of_tax_and_due_at_once(office: Office) -> None:
    account_id = wallet.prepaid_account(office)
    invoice = office.document(account_id, wallet.top_up(office, account_id, 5000).body["invoice"]["id"])
    assert invoice.priced.totals.tax_minor == 0
    assert [str(tax.tax_code.kind) for tax in invoice.priced.totals.subtotals] == ["outside_scope"]
    assert [part.due_date for part in invoice.parts] == [invoice.issued_on]


def test_A4_a_top_up_of_a_prepaid_account_is_not_paid_from_the_wallet_it_fills(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=9000)
    invoice_id = wallet.top_up(office, account_id, 5000).body["invoice"]["id"]
    assert office.item(account_id, invoice_id).open_minor == 5000
    assert wallet.prepaid(office, account_id) == 9000


def test_W1_a_payment_tops_up_with_what_it_is_not_allocated(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id, 10000)
    wallet.pay_in(office, account_id, 15000, allocations=(Allocation(invoice_id, 12100),))
    balance = office.balance(account_id)
    assert (balance.wallet_minor, balance.credit_minor, balance.receivable_minor) == (2900, 0, 0)
    assert office.entries(account_id)[-1].draft.kind is EntryKind.WALLET_TOPPED_UP
    wallet.proves(office, account_id)


def test_W1_what_is_in_the_wallet_and_on_its_way_is_told(office: Office) -> None:
    account_id = wallet.prepaid_account(office, limit=300, paid=1000, given=500)
    wallet.top_up(office, account_id, 4000)
    found = read_wallet(account_id, None, office.firm, office.books, office.books)
    assert (found.balance.wallet_minor, found.balance.granted_minor, found.pending_minor) == (1000, 500, 4000)


# Usage


def test_W1_usage_takes_what_was_given_first_and_posts_revenue_and_tax(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=10000, given=500)
    charge_id = wallet.charge(office, account_id, 1000, code="VAT21").body["id"]
    assert postings(office, account_id) == {
        ("granted", "debit"): 500,
        ("wallet", "debit"): 710,
        ("revenue:calls", "credit"): 1000,
        ("tax:VAT21", "credit"): 210,
    }
    stored: WalletCharge = office.books.read(wallet_charge_ref(account_id, charge_id))
    assert (stored.amount_minor, stored.entries) == (1210, (len(office.entries(account_id)),))
    wallet.proves(office, account_id)


@pytest.mark.parametrize(("limit", "most"), [(0, 1000), (300, 1300)])
def test_A5_usage_goes_down_to_the_limit_and_the_refusal_says_how_far(office: Office, limit: int, most: int) -> None:
    account_id = wallet.prepaid_account(office, limit=limit, paid=1000)
    with refused(office.books, "wallet_too_low", RuleError):
        wallet.charge(office, account_id, most + 1)
    with pytest.raises(RuleError) as refusal:
        wallet.charge(office, account_id, most + 1)
    assert refusal.value.facts == {"available_minor": most, "wallet_minor": 1000, "limit_minor": limit}
    wallet.charge(office, account_id, most)
    assert wallet.prepaid(office, account_id) == -limit
    with pytest.raises(RuleError) as refusal:
        wallet.charge(office, account_id, 1)
    assert refusal.value.facts["available_minor"] == 0


def test_A5_the_limit_of_a_postpaid_account_is_not_the_wallets(office: Office) -> None:
    account_id = office.open_account(credit_limits={"EUR": 100_000})
    wallet.pay_in(office, account_id, 1000)
    with refused(office.books, "wallet_too_low"):
        wallet.charge(office, account_id, 1001)
    wallet.charge(office, account_id, 1000)


def test_usage_of_nothing_is_refused(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=1000)
    with refused(office.books, "nothing_to_charge", RuleError):
        wallet.charge(office, account_id, 0)


# At once


def both(office: Office, first: Callable[[], object], second: Callable[[], object]) -> list[str]:
    """`second` happens just before the first one's commit. What was refused, by code."""
    codes: list[str] = []

    def tried(action: Callable[[], object]) -> None:
        try:
            action()
        except RemitError as refusal:
            codes.append(refusal.code)

    office.trouble.meanwhile(lambda: tried(second))
    tried(first)
    assert office.trouble.pending == 0
    return codes


def test_A5_of_two_charges_at_once_that_together_pass_the_limit_one_is_refused(office: Office) -> None:
    account_id = wallet.prepaid_account(office, limit=300, paid=1000)
    codes = both(office, lambda: wallet.charge(office, account_id, 700), lambda: wallet.charge(office, account_id, 700))
    assert codes == ["wallet_too_low"]
    assert wallet.prepaid(office, account_id) == 300
    wallet.proves(office, account_id)


def test_W3_a_charge_and_a_withdrawal_at_once_do_not_take_the_same_money(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=1000)
    codes = both(office, lambda: wallet.withdraw(office, account_id, 1000), lambda: wallet.charge(office, account_id, 1))
    assert codes == ["withdrawal_exceeds_paid_balance"]
    assert wallet.prepaid(office, account_id) == 999
    wallet.proves(office, account_id)


def test_A5_of_two_orders_at_once_that_together_pass_a_postpaid_limit_one_is_refused(office: Office) -> None:
    account_id = office.open_account(credit_limits={"EUR": 20000})
    place = lambda: office.place_order(account_id, line(10000))  # noqa: E731
    assert both(office, place, place) == ["credit_limit_exceeded"]
    assert office.balance(account_id).unbilled_minor == 12100


def test_A5_an_order_and_an_invoice_of_an_earlier_one_at_once_count_once(office: Office) -> None:
    account_id = office.open_account(credit_limits={"EUR": 24200})
    earlier = office.place_order(account_id, line(10000))
    codes = both(office, lambda: office.place_order(account_id, line(10000)), lambda: office.issue(account_id, earlier))
    assert codes == []
    balance = office.balance(account_id)
    assert (balance.receivable_minor, balance.unbilled_minor) == (12100, 12100)
    with pytest.raises(RuleError) as refusal:
        office.place_order(account_id, line(1))
    assert refusal.value.facts == {"limit_minor": 24200, "owed_minor": 24200, "available_minor": 0}


def test_A5_a_postpaid_account_without_a_limit_has_none(office: Office) -> None:
    account_id = office.open_account()
    for _ in range(3):
        office.place_order(account_id, line(10**9))


def test_A5_orders_of_a_prepaid_account_count_among_each_other(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=20000)
    office.place_order(account_id, line(10000))
    with refused(office.books, "wallet_too_low", RuleError):
        office.place_order(account_id, line(10000))
    with pytest.raises(RuleError) as refusal:
        office.place_order(account_id, line(10000))
    assert refusal.value.facts == {
        "available_minor": 7900,
        "wallet_minor": 20000,
        "limit_minor": 0,
        "unbilled_minor": 12100,
    }


def test_A5_usage_does_not_wait_for_an_order_and_then_the_invoice_does(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=12100)
    order_id = office.place_order(account_id, line(10000))
    wallet.charge(office, account_id, 100)
    with refused(office.books, "wallet_too_low"):
        office.issue(account_id, order_id)
    wallet.pay_in(office, account_id, 100)
    office.issue(account_id, order_id)
    assert wallet.prepaid(office, account_id) == 0
    wallet.proves(office, account_id)


def test_A4_an_invoice_of_a_prepaid_account_is_paid_from_its_wallet_as_it_is_issued(office: Office) -> None:
    account_id = wallet.prepaid_account(office, paid=20000, given=100)
    item = office.item(account_id, office.invoice(account_id, 10000))
    assert (item.mode, str(item.status)) == (PaymentMode.PREPAID, "paid")
    balance = office.balance(account_id)
    assert (balance.receivable_minor, balance.granted_minor, balance.wallet_minor) == (0, 0, 8000)
    wallet.proves(office, account_id)


# Withdrawals


def test_W3_what_was_paid_is_withdrawn_and_neither_what_was_given_nor_the_limit(office: Office) -> None:
    account_id = wallet.prepaid_account(office, limit=10000, paid=1200, given=500)
    with refused(office.books, "withdrawal_exceeds_paid_balance", RuleError):
        wallet.withdraw(office, account_id, 1201)
    with pytest.raises(RuleError) as refusal:
        wallet.withdraw(office, account_id, 1201)
    assert refusal.value.facts == {"withdrawable_minor": 1200, "given_minor": 500}
    refund: Refund = office.books.read(refund_ref(account_id, wallet.withdraw(office, account_id, 1200).body["id"]))
    assert (refund.status, refund.reason, refund.method) == (
        RefundStatus.SUCCEEDED,
        "Closes the account",
        Method.BANK_TRANSFER,
    )
    assert [entry.draft.kind for entry in office.entries(account_id)[-2:]] == [
        EntryKind.REFUND_REQUESTED,
        EntryKind.REFUND_SUCCEEDED,
    ]
    assert postings(office, account_id)[("cash:bank_transfer", "credit")] == 1200
    balance = office.balance(account_id)
    assert (balance.wallet_minor, balance.granted_minor) == (0, 500)
    wallet.proves(office, account_id)


def test_W3_nothing_can_be_withdrawn_from_a_wallet_that_drew_on_its_limit(office: Office) -> None:
    account_id = wallet.prepaid_account(office, limit=1000)
    wallet.charge(office, account_id, 400)
    with pytest.raises(RuleError) as refusal:
        wallet.withdraw(office, account_id, 1)
    assert refusal.value.facts["withdrawable_minor"] == 0


@pytest.mark.parametrize("method", [Method.CARD, Method.BANK_DEBIT, Method.CARD_TERMINAL])
def test_R4_a_withdrawal_never_goes_to_a_card(office: Office, method: Method) -> None:
    account_id = wallet.prepaid_account(office, paid=1000)
    with refused(office.books, "method_not_manual", InvalidError):
        wallet.withdraw(office, account_id, 100, method)


@pytest.mark.parametrize("approves", [True, False])
def test_R10_a_withdrawal_above_the_firms_limit_waits_for_a_second_person_with_its_money_reserved(approves: bool) -> None:
    office = Office(firm(money=MoneyRules(refund_limits={"EUR": 500})))
    account_id = wallet.prepaid_account(office, paid=1000)
    withdrawn = wallet.withdraw(office, account_id, 501).body
    assert withdrawn["status"] == "awaiting_approval"
    assert office.balance(account_id).wallet_minor == 499
    with refused(office.books, "withdrawal_exceeds_paid_balance", RuleError):
        wallet.withdraw(office, account_id, 500)
    if approves:
        assert refunding.approve(office, account_id, withdrawn["id"]).status is RefundStatus.SUCCEEDED
    else:
        assert refunding.call_off(office, account_id, withdrawn["id"]).status is RefundStatus.CANCELED
    assert office.balance(account_id).wallet_minor == (499 if approves else 1000)
    assert office.differences(account_id) == ()


def test_R10_what_one_person_may_withdraw_goes_at_once() -> None:
    office = Office(firm(money=MoneyRules(refund_limits={"EUR": 500})))
    account_id = wallet.prepaid_account(office, paid=1000)
    assert wallet.withdraw(office, account_id, 500).body["status"] == "succeeded"


# Once, whatever is repeated, lost or interrupted

OPERATIONS: dict[str, Callable[[Office, str, str], Answer]] = {
    "top up": lambda office, account_id, key: wallet.top_up(office, account_id, 700, key),
    "charge": lambda office, account_id, key: wallet.charge(office, account_id, 700, key),
    "withdraw": lambda office, account_id, key: wallet.withdraw(office, account_id, 700, key=key),
    "pay in": lambda office, account_id, key: wallet.pay_in(office, account_id, 700, key=key),
    "change mode": lambda office, account_id, key: wallet.change_mode(office, account_id, PaymentMode.POSTPAID, key=key),
    "restart": lambda office, account_id, key: wallet.restart(office, account_id, key),
}
every_operation = pytest.mark.parametrize("do", OPERATIONS.values(), ids=list(OPERATIONS))


@every_operation
def test_the_same_request_again_gives_the_first_answer_and_changes_nothing(office: Office, do: Callable[..., Answer]) -> None:
    account_id = wallet.prepaid_account(office, paid=1000)
    first = do(office, account_id, "same")
    before = office.books.state()
    again = do(office, account_id, "same")
    assert (again.body, again.replayed) == (first.body, True)
    assert office.books.state() == before


@every_operation
@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_at_the_commit_leaves_it_done_once(office: Office, do: Callable[..., Answer], fault: Fault) -> None:
    account_id = wallet.prepaid_account(office, paid=1000)
    calm = Office()
    do(calm, wallet.prepaid_account(calm, paid=1000), "same")
    office.trouble.strike(fault, on="commit")
    try:
        do(office, account_id, "same")
    except MachineDiedError:
        do(office, account_id, "same")
    assert office.trouble.pending == 0
    assert [entry.draft.kind for entry in office.entries(account_id)] == [entry.draft.kind for entry in calm.entries(account_id)]
    assert office.balance(account_id).balance_minor == calm.balance(account_id).balance_minor
    wallet.proves(office, account_id)


def test_a_race_that_is_always_lost_is_given_up(office: Office, pauses: list[float]) -> None:
    account_id = wallet.prepaid_account(office, paid=1000)
    for n in range(1, 13):
        office.trouble.strike(Fault.CONFLICT, on="commit", at=n)
    with refused(office.books, "changed_meanwhile", ConflictError):
        wallet.charge(office, account_id, 1)
    assert len(pauses) == 11


# Never below −limit

steps = st.lists(
    st.tuples(st.sampled_from(["charge", "top_up_paid", "pay_in", "withdraw", "order", "return", "give"]), st.integers(1, 3000)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(limit=st.sampled_from([0, 500, 2500]), todo=steps)
def test_W1_the_wallet_is_never_below_its_limit_whatever_happens(limit: int, todo: list[tuple[str, int]]) -> None:
    """Also when top-ups that were used already are returned: what is no longer there cannot be taken back out."""
    office = Office()
    account_id = wallet.prepaid_account(office, limit=limit)
    paid: list[str] = []
    for what, minor in todo:
        try:
            _step(office, account_id, what, minor, paid)
        except RuleError as refusal:
            assert refusal.code in ("wallet_too_low", "withdrawal_exceeds_paid_balance")  # noqa: PT017
        balance = office.books.account_with_balances(account_id)[1]
        for each in balance:
            assert each.prepaid_minor >= -limit
            assert each.granted_minor >= 0
    assert replay_account(account_id, office.books).differences == ()


def _step(office: Office, account_id: str, what: str, minor: int, paid: list[str]) -> None:
    if what == "charge":
        wallet.charge(office, account_id, minor)
    elif what == "order":
        office.invoice(account_id, minor)
    elif what == "top_up_paid":
        invoice_id = wallet.top_up(office, account_id, minor).body["invoice"]["id"]
        paid.append(office.receive(account_id, minor, allocations=[Allocation(invoice_id, minor)]).body["id"])
    elif what == "pay_in":
        wallet.pay_in(office, account_id, minor)
    elif what == "give":
        wallet.give(office, account_id, minor)
    elif what == "withdraw":
        wallet.withdraw(office, account_id, minor)
    elif paid:
        wallet.bounces(office, account_id, paid.pop())


def test_W1_a_returned_top_up_leaves_the_wallet_as_far_as_it_is_still_there(office: Office) -> None:
    account_id = wallet.prepaid_account(office, limit=1000)
    invoice_id = wallet.top_up(office, account_id, 2000).body["invoice"]["id"]
    payment_id = office.receive(account_id, 2000, allocations=[Allocation(invoice_id, 2000)]).body["id"]
    wallet.charge(office, account_id, 1500)
    wallet.bounces(office, account_id, payment_id)
    assert (wallet.prepaid(office, account_id), office.item(account_id, invoice_id).open_minor) == (0, 2000)
    # What is paid of it now first makes good for what was used: the rest is what reaches the wallet.
    office.receive(account_id, 2000, allocations=[Allocation(invoice_id, 2000)])
    assert wallet.prepaid(office, account_id) == 500
    wallet.proves(office, account_id)
