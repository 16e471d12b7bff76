"""Every order and repetition of what a gateway tells of one payment ends in the same books (G3, P8, P9): several disputes,
inquiries, a debit that comes back, and money of the customer that no invoice has used yet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.domain.firm import LostDispute, MoneyRules
from remit.domain.journal import Side
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, DisputeStatus, GatewayReport, Payment, PaymentStatus, Transaction
from remit.domain.terms import Method
from remit.usecases.payment_attempts import Pick
from tests.support import payments as pay
from tests.support.builders import Office, firm, report_on

INQUIRY, CLOSED = DisputeStatus.INQUIRY, DisputeStatus.INQUIRY_CLOSED
OPEN, WON, LOST = DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST

PAID = 24200
"""Two invoices of 121.00 are chosen; what was paid of them before the money arrives becomes the payment's unapplied part."""

PATHS: dict[str, tuple[DisputeStatus, ...]] = {
    "asked": (INQUIRY,),
    "asked in vain": (INQUIRY, CLOSED),
    "open": (OPEN,),
    "escalated": (INQUIRY, OPEN),
    "escalated after all": (INQUIRY, CLOSED, OPEN, LOST),
    "won": (OPEN, WON),
    "lost": (OPEN, LOST),
    "escalated and won": (INQUIRY, OPEN, WON),
    "escalated and lost": (INQUIRY, OPEN, LOST),
    "won, then lost": (OPEN, WON, LOST),
}


@dataclass(frozen=True, slots=True)
class Story:
    """What happened: each dispute's amount and path; whether the debit came back; what had been paid by other means."""

    disputes: tuple[tuple[int, tuple[DisputeStatus, ...]], ...]
    comes_back: bool
    paid_before_minor: int
    lost_dispute: LostDispute = LostDispute.REOPEN


def told(story: Story, payment: Payment) -> list[GatewayReport]:
    """The events of the story in the order of time."""

    def transaction(type: str, seconds: int) -> GatewayReport:
        at = payment.created_at + timedelta(seconds=seconds)
        return report_on(payment, None, seconds, transaction=Transaction(at, type, "ch_1", PAID), gateway_ids=["ch_1"])

    said = [transaction("capture", 30), report_on(payment, PaymentStatus.SUCCEEDED, 30, gateway_ids=["pi_1"])]
    for n, (amount, path) in enumerate(story.disputes):
        said += [
            pay.dispute_on(payment, word, 60 + 10 * n + step, amount_minor=amount, id=f"du_{n}") for step, word in enumerate(path)
        ]
    return [*said, transaction("failure", 200)] if story.comes_back else said


def books_after(story: Story, order: Sequence[int]) -> dict[str, Any]:
    """Everything that must not depend on the order: figures of the customer and the firm, invoices, and the payment."""
    office = Office(firm=firm(money=MoneyRules(lost_dispute=story.lost_dispute)))
    account_id = office.open_account()
    chosen = [office.invoice(account_id) for _ in range(2)]
    payment = pay.checkout(office, account_id, *map(Pick, chosen))
    if story.paid_before_minor:
        office.receive(account_id, story.paid_before_minor, allocations=[Allocation(chosen[0], story.paid_before_minor)])
    office.clock.advance(days=1)
    events = told(story, payment)
    for n in order:
        office.gateway_says(events[n], f"evt_{n}")
        pay.proves(office, account_id)
    chart: Counter[str] = Counter()
    for entry in office.entries(account_id):
        for posting in entry.draft.postings:
            chart[posting.account] += posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
    end = office.payment(account_id, payment.id)
    disputes = tuple(replace(each, posted=None, wallet_minor=0) for each in end.disputes)
    return {
        "chart": {account: amount for account, amount in chart.items() if amount},
        "invoices": [_as_it_stands(office.item(account_id, invoice_id)) for invoice_id in chosen],
        "payment": replace(end, disputes=disputes, entries=(), version=0),
        "cash": end.cash_minor,
        "lots": office.balance(account_id).lots,
    }


def _as_it_stands(item: OpenItem) -> OpenItem:
    return replace(item, entries=(), version=0)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Up to three disputes at a time, together never more than was paid."""
    count = draw(st.integers(1, 3))
    amounts = [draw(st.sampled_from([1, 3000, 8000, PAID // count])) for _ in range(count)]
    disputes = tuple((amount, draw(st.sampled_from(list(PATHS.values())))) for amount in amounts)
    comes_back = draw(st.booleans())
    # What a lost dispute wrote off stays so when the rest comes back as well: who hears of the return first writes nothing off.
    lost_dispute = LostDispute.REOPEN if comes_back else draw(st.sampled_from(LostDispute))
    return Story(disputes, comes_back, draw(st.sampled_from([0, 5000, 12100])), lost_dispute)


def held_and_unapplied(story: Story, order: Sequence[int]) -> tuple[int, int]:
    payment: Payment = books_after(story, order)["payment"]
    return payment.held_minor, payment.unapplied_minor


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (0, 1, 4, 2, 3, 5), (0, 1, 4, 5, 2, 3), (5, 3, 1, 0, 2, 4)])
def test_G3_P9_what_is_held_does_not_go_by_which_dispute_was_heard_first(order: Sequence[int]) -> None:
    """50.00 unapplied; a dispute of 30.00 is lost and one of 40.00 is won: the lost one takes 30.00 of it, and 20.00 is free."""
    story = Story(((3000, PATHS["lost"]), (4000, PATHS["won"])), comes_back=False, paid_before_minor=5000)
    assert held_and_unapplied(story, order) == (0, 2000)
    assert [item.open_minor for item in books_after(story, order)["invoices"]] == [0, 0]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 1, 4, 2, 3), (4, 3, 2, 1, 0), (0, 1, 2, 4, 3)])
def test_G3_P8_P9_a_debit_in_dispute_that_comes_back_leaves_nothing_to_decide(order: Sequence[int]) -> None:
    """Only the gateway's fee is lost beside it, whether the bank decided for the firm or has yet to, before or after."""
    story = Story(((8000, PATHS["won"]),), comes_back=True, paid_before_minor=5000)
    books = books_after(story, order)
    assert {account: books["chart"][account] for account in ("cash:stripe", "gateway_fees")} == {
        "cash:stripe": -1500,
        "gateway_fees": 1500,
    }
    assert {"disputes", "held", "credit"}.isdisjoint(books["chart"])
    assert [item.disputed_by for item in books["invoices"]] == [(), ()]


def test_P9_an_invoice_that_a_lost_dispute_took_all_of_is_asked_for_while_another_is_open() -> None:
    story = Story(((12100, PATHS["lost"]), (3000, PATHS["open"])), comes_back=False, paid_before_minor=0)
    first, second = books_after(story, range(5))["invoices"]
    assert (second.open_minor, second.disputed_by) == (12100, ())
    assert (first.open_minor, len(first.disputed_by)) == (0, 1)


@given(stories(), st.data())
def test_G3_P9_every_order_of_several_disputes_and_a_return_ends_in_the_same_books(story: Story, data: st.DataObject) -> None:
    count = len(told(story, Payment("p", "a", "EUR", PAID, *_ANY)))
    in_order = list(range(count))
    order = data.draw(st.permutations(in_order + data.draw(st.lists(st.sampled_from(in_order), max_size=4))))
    assert books_after(story, order) == books_after(story, in_order)


_ANY = (Method.CARD, "stripe", PaymentStatus.PENDING, Office().clock.now())
