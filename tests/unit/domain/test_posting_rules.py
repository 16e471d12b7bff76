"""Every debit and credit: balanced, above zero, and the customer's accounts move as the table says (L1, L3, L8)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remit.domain import posting_rules
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption, new_credit
from remit.domain.errors import LedgerBrokenError
from remit.domain.invoices import Invoice, NumberSeries
from remit.domain.journal import CUSTOMER_ACCOUNTS, EntryDraft, EntryKind, Posting, Side, effect
from remit.domain.money import Money
from remit.domain.open_items import Movement, OpenItem, movements
from remit.domain.orders import Deduction, Discount, LineRequest, OrderKind, deducting, price
from remit.domain.payments import Dispute, DisputeStatus, Fee, Payment
from remit.domain.posting_rules import Circumstances, Effects, TopUpRelease
from remit.domain.refunds import Refund, RefundFrom, RefundSource, RefundStatus
from remit.domain.tax import TaxCode, TaxSubtotal
from remit.domain.terms import Method
from remit.domain.wallet import Draw, WalletCharge
from tests.support import strategies
from tests.support.builders import CLERK, NOW, TODAY, VAT21, attempt, firm, issued, line, open_item, order

WHY = Circumstances(TODAY, NOW, CLERK, "because")
FIRMS = (
    "revenue:", "tax:", "cash:", "refunds_in_transit", "discounts", "goodwill", "gateway_fees", "disputes", "bad_debt",
    "deposits", "top_ups", "late_fees",
)  # fmt: skip
"""The firm's accounts of the chart, by what their names start with."""

small = st.integers(0, 10**6)
positive = st.integers(1, 10**6)


def side(draft: EntryDraft, wanted: Side) -> dict[str, int]:
    """What one side of the entry says, by account."""
    found: dict[str, int] = {}
    for posting in draft.postings:
        if posting.side is wanted:
            found[posting.account] = found.get(posting.account, 0) + posting.amount_minor
    return found


def assert_sound(draft: EntryDraft, **moves: int) -> None:
    """Balanced, nothing empty, only accounts of the chart, the customer's with documents; and they move by `moves`."""
    debits, credits = side(draft, Side.DEBIT), side(draft, Side.CREDIT)
    assert sum(debits.values()) == sum(credits.values())
    assert all(posting.amount_minor > 0 for posting in draft.postings)
    assert all(p.account in CUSTOMER_ACCOUNTS or p.account.startswith(FIRMS) for p in draft.postings)
    assert (draft.effective_on, draft.recorded_at, draft.actor, draft.reason) == (TODAY, NOW, CLERK, "because")
    # What is the customer's names the document it is about, without which no replay could explain a document (L6).
    assert all(posting.document_id for posting in draft.postings if posting.account in CUSTOMER_ACCOUNTS)
    assert all(posting.due_date is None for posting in draft.postings if posting.account != "receivable")
    moved = {account: amount for account, amount in effect(draft).items() if amount}
    assert moved == {account: amount for account, amount in moves.items() if amount}


@st.composite
def paid_effects(draw: st.DrawFn) -> Effects:
    """Invoices that are paid: parts go down, some with a discount, some recovered, top-ups released."""
    invoice_ids = [f"inv_{n}" for n in range(draw(st.integers(1, 4)))]
    moved, saved, recovered, released = [], [], [], []
    for invoice_id in invoice_ids:
        amount = draw(st.integers(10, 10**6))
        match draw(st.sampled_from(["paid", "discounted", "recovered", "top-up"])):
            case "recovered":
                recovered.append((invoice_id, amount))
                continue
            case "discounted":
                net = draw(st.integers(1, amount // 4))
                taxes = (("VAT21", draw(st.integers(1, amount // 4))),)
                saved.append((invoice_id, Discount(net, draw(st.sampled_from([(), taxes])))))
            case "top-up":
                released.append(TopUpRelease(invoice_id, draw(st.sampled_from(["wallet", "granted"])), amount))
        due_first = draw(st.integers(0, amount))
        parts = [(TODAY, due_first), (None, amount - due_first)]
        moved += [Movement(invoice_id, due, -share) for due, share in parts if share]
    return Effects(tuple(moved), tuple(saved), tuple(recovered), tuple(released))


def reversed_effects(effects: Effects) -> Effects:
    """The same invoices opened again. A discount that was taken stays taken."""
    return Effects(
        tuple(replace(m, amount_minor=-m.amount_minor) for m in effects.movements),
        (),
        tuple((invoice_id, -amount) for invoice_id, amount in effects.recovered),
        tuple(replace(r, amount_minor=-r.amount_minor) for r in effects.releases),
    )


def moves_of(effects: Effects) -> dict[str, int]:
    """What effects mean for the customer's own accounts."""
    found = {"receivable": sum(movement.amount_minor for movement in effects.movements)}
    for release in effects.releases:
        found[release.account] = found.get(release.account, 0) + release.amount_minor
    return found


def plus(moves: dict[str, int], **more: int) -> dict[str, int]:
    return {account: moves.get(account, 0) + more.get(account, 0) for account in {*moves, *more}}


@given(paid_effects())
def test_what_paying_consumes_is_what_went_down_less_what_was_saved(effects: Effects) -> None:
    down = -sum(movement.amount_minor for movement in effects.movements)
    saved = sum(discount.gross_minor for _, discount in effects.discounts)
    assert effects.paid_minor == down - saved + sum(amount for _, amount in effects.recovered)
    assert set(effects.invoice_ids) == {m.invoice_id for m in effects.movements} | {id for id, _ in effects.recovered}


# Invoices


def opened(item: OpenItem) -> Effects:
    return Effects(movements(None, item))


@given(strategies.invoices())
def test_L1_an_issued_invoice_is_balanced_and_what_it_asks_for_is_owed(made: tuple[Invoice, OpenItem, NumberSeries]) -> None:
    invoice, item, _ = made
    assume(invoice.priced.totals.gross_minor > 0)
    draft = posting_rules.invoice_issued(invoice, None, opened(item), WHY)
    assert_sound(draft, receivable=invoice.total_minor)
    assert (draft.currency, draft.order_id, draft.documents["invoice"]) == (invoice.currency, invoice.order_id, (invoice.id,))
    due = {part.due_date for part in invoice.parts if part.amount_minor}
    assert {posting.due_date for posting in draft.postings if posting.account == "receivable"} == due
    credits = side(draft, Side.CREDIT)
    if invoice.kind is OrderKind.TOP_UP:
        assert set(credits) <= {"top_ups"}
        return
    tax = sum(amount for name, amount in credits.items() if name.startswith("tax:"))
    deducted = sum(deduction.net_minor for deduction in invoice.priced.deductions)
    assert tax == invoice.priced.totals.tax_minor - sum(d.gross_minor - d.net_minor for d in invoice.priced.deductions)
    assert side(draft, Side.DEBIT).get("deposits", 0) == deducted
    earned = sum(amount for name, amount in credits.items() if name.startswith(("revenue:", "deposits", "late_fees")))
    assert earned == invoice.priced.totals.net_minor
    assert ("deposits" in credits) == (invoice.kind is OrderKind.DEPOSIT and earned > 0)
    assert ("late_fees" in credits) == (invoice.kind is OrderKind.LATE_CHARGE and earned > 0)


def test_I10_a_deposit_is_deducted_with_its_tax_as_the_docstring_says() -> None:
    of = order(line(10_000))
    deposit = Deduction("inv_dep", "INV-2026-000001", (TaxSubtotal(VAT21, 3_000, 630),))
    invoice, item, _ = issued(replace(of, priced=deducting(of.priced, [deposit])))
    draft = posting_rules.invoice_issued(invoice, None, opened(item), WHY)
    assert side(draft, Side.DEBIT) == {"receivable": 8_470, "deposits": 3_000}
    assert side(draft, Side.CREDIT) == {"revenue:services": 10_000, "tax:VAT21": 1_470}
    assert draft.documents == {"invoice": (invoice.id,), "deposit": ("inv_dep",)}


def test_C4_an_invoice_that_reverses_a_credit_takes_back_what_the_credit_had_debited() -> None:
    given_ = credit(12_100)
    invoice, item, _ = issued(replace(order(line(10_000)), kind=OrderKind.CREDIT_REVERSAL))
    draft = posting_rules.invoice_issued(invoice, given_, opened(item), WHY)
    assert_sound(draft, receivable=12_100)
    assert side(draft, Side.CREDIT) == side(posting_rules.credit_issued(given_, WHY), Side.DEBIT)
    assert draft.documents["credit"] == ("crd_1",)


def test_R7_an_invoice_that_reverses_a_refund_gives_back_the_lot_that_it_had_consumed() -> None:
    refund = refund_of((RefundFrom.CREDIT, "pay_9", 12_100))
    invoice, item, _ = issued(replace(order(line(12_100, "ZERO")), kind=OrderKind.REFUND_REVERSAL))
    draft = posting_rules.invoice_issued(invoice, refund, opened(item), WHY)
    assert_sound(draft, receivable=12_100, credit=12_100)
    assert draft.documents["refund"] == ("rfd_1",)


@given(strategies.invoices())
def test_I6_a_void_is_the_exact_reverse(made: tuple[Invoice, OpenItem, NumberSeries]) -> None:
    invoice, item, _ = made
    assume(invoice.total_minor > 0)
    assume(invoice.kind not in (OrderKind.CREDIT_REVERSAL, OrderKind.REFUND_REVERSAL))
    draft = posting_rules.invoice_issued(invoice, None, opened(item), WHY)
    void = posting_rules.invoice_voided(invoice, draft, 7, Effects(movements(item, item.void())), WHY)
    assert_sound(void, receivable=-invoice.total_minor)
    assert side(void, Side.DEBIT) == side(draft, Side.CREDIT)
    assert side(void, Side.CREDIT) == side(draft, Side.DEBIT)
    assert (void.reverses, void.documents, void.order_id) == (7, draft.documents, draft.order_id)


@given(strategies.open_items().filter(lambda item: item.open_minor > 0))
def test_I9_what_is_written_off_is_a_loss(item: OpenItem) -> None:
    draft = posting_rules.invoice_written_off(item, Effects(movements(item, item.write_off())), WHY)
    assert_sound(draft, receivable=-item.open_minor)
    assert side(draft, Side.DEBIT) == {"bad_debt": item.open_minor}


def test_P6_a_moved_due_date_moves_the_receivable_to_another_day() -> None:
    item = open_item("inv_1", 100)
    later = item.postpone(1, item.parts[0].due_date.replace(year=2027), CLERK, "asked", NOW, TODAY)  # type: ignore[union-attr]
    draft = posting_rules.due_date_moved(item, Effects(movements(item, later)), WHY)
    assert_sound(draft)
    assert {(p.side, p.due_date) for p in draft.postings} == {
        (Side.CREDIT, item.parts[0].due_date),
        (Side.DEBIT, later.parts[0].due_date),
    }


# Payments


@given(paid_effects(), small, st.none() | st.builds(Fee, positive, small, st.just("VAT21")), st.booleans())
def test_L1_all_of_a_payment_is_the_customers_but_the_fee(effects: Effects, rest: int, fee: Fee | None, to_wallet: bool) -> None:
    amount = effects.paid_minor + rest + (fee.gross_minor if fee else 0)
    payment = attempt(amount, fee=fee, to_wallet=to_wallet, gateway_ids=("ch_1", "pi_1"))
    draft = posting_rules.payment_received(payment, effects, WHY)
    assert_sound(draft, **plus(moves_of(effects), **{"wallet" if to_wallet else "credit": rest}))
    debits = side(draft, Side.DEBIT)
    assert debits["cash:stripe"] == amount
    assert debits.get("discounts", 0) == sum(discount.net_minor for _, discount in effects.discounts)
    assert side(draft, Side.CREDIT).get("bad_debt", 0) == sum(recovered for _, recovered in effects.recovered)
    assert draft.kind is (EntryKind.WALLET_TOPPED_UP if to_wallet else EntryKind.PAYMENT_RECEIVED)
    assert draft.documents == {"payment": ("pay_1",), "gateway": ("ch_1", "pi_1"), "invoice": effects.invoice_ids}


@given(paid_effects())
def test_L1_a_later_allocation_moves_credit_to_invoices_and_no_money(effects: Effects) -> None:
    draft = posting_rules.payment_allocated(attempt(), effects, WHY)
    assert_sound(draft, **plus(moves_of(effects), credit=-effects.paid_minor))
    assert not any(posting.account.startswith("cash:") for posting in draft.postings)


@given(paid_effects())
def test_P2_a_reversed_allocation_gives_the_credit_back(effects: Effects) -> None:
    back = reversed_effects(effects)
    draft = posting_rules.allocation_reversed(attempt(), 3, back, WHY)
    assert_sound(draft, **plus(moves_of(back), credit=-back.paid_minor))
    assert draft.reverses == 3


@given(paid_effects(), small, small)
def test_P8_a_payment_that_went_back_opens_what_it_had_paid_and_the_rest_is_a_loss(
    effects: Effects, unapplied: int, lost: int
) -> None:
    back = reversed_effects(effects)
    payment = attempt(-back.paid_minor + unapplied + lost)
    draft = posting_rules.payment_reverted(payment, unapplied, back, WHY)
    assert_sound(draft, **plus(moves_of(back), credit=-unapplied))
    assert side(draft, Side.CREDIT)["cash:stripe"] == payment.amount_minor
    about_payment = [p for p in draft.postings if p.account == "bad_debt" and p.document_id == payment.id]
    assert sum(posting.amount_minor for posting in about_payment) == lost


def test_P8_no_more_is_opened_again_than_went_back() -> None:
    with pytest.raises(LedgerBrokenError, match="more_reopened_than_returned"):
        posting_rules.payment_reverted(attempt(100), 0, Effects((Movement("inv_1", TODAY, 101),)), WHY)


# Disputes


@given(positive, small, st.data())
def test_P9_an_open_dispute_holds_the_customers_unapplied_part(amount: int, fee: int, data: st.DataObject) -> None:
    held = data.draw(st.integers(0, amount))
    dispute = Dispute("dp_1", DisputeStatus.OPEN, amount, fee, NOW, held_minor=held)
    begun = posting_rules.dispute_opened(attempt(), dispute, WHY)
    assert_sound(begun, credit=-held, held=held)
    assert side(begun, Side.CREDIT)["cash:stripe"] == amount + fee
    won = posting_rules.dispute_won(attempt(), dispute, WHY)
    assert_sound(won, credit=held, held=-held)
    assert side(won, Side.DEBIT)["cash:stripe"] == amount
    assert begun.documents == won.documents == {"payment": ("pay_1",), "gateway": ("dp_1",)}


@given(paid_effects(), small, small)
def test_P9_a_lost_dispute_opens_what_the_money_had_paid(effects: Effects, held: int, lost: int) -> None:
    back = reversed_effects(effects)
    dispute = Dispute("dp_1", DisputeStatus.LOST, -back.paid_minor + held + lost, 0, NOW, held_minor=held)
    draft = posting_rules.dispute_lost(attempt(), dispute, 0, back, WHY)
    assert_sound(draft, **plus(moves_of(back), held=-held))
    assert side(draft, Side.CREDIT)["disputes"] == dispute.amount_minor


# Credits and credit notes


def credit(amount: int, option: TaxOption = TaxOption.INCLUDED, code: TaxCode | None = VAT21) -> Credit:
    terms = CreditTerms(CreditKind.GOODWILL, "sorry")
    return new_credit("crd_1", "acc_1", Money(amount, "EUR"), option, code, terms, TODAY, NOW)


@given(strategies.amounts, st.sampled_from(TaxOption), strategies.tax_codes)
def test_L1_the_customer_gains_the_gross_of_a_credit(amount: int, option: TaxOption, code: TaxCode) -> None:
    made = credit(amount, option, None if option is TaxOption.WAIVED else code)
    draft = posting_rules.credit_issued(made, WHY)
    assert_sound(draft, credit=made.gross_minor)
    assert side(draft, Side.DEBIT).get("goodwill", 0) == made.gross_minor - made.tax_minor


@given(strategies.amounts, strategies.tax_codes, st.data())
def test_C7_an_expired_credit_is_the_firms_again_with_its_share_of_the_tax(
    amount: int, code: TaxCode, data: st.DataObject
) -> None:
    made = credit(amount, code=code)
    unused = data.draw(st.integers(1, amount) | st.just(amount))
    draft = posting_rules.credit_expired(made, unused, WHY)
    assert_sound(draft, credit=-unused)
    tax = sum(value for name, value in side(draft, Side.CREDIT).items() if name.startswith("tax:"))
    assert abs(tax - Decimal(unused) * made.tax_minor / made.gross_minor) < 1
    if unused == amount:
        assert side(draft, Side.CREDIT) == side(posting_rules.credit_issued(made, WHY), Side.DEBIT)


@given(paid_effects())
def test_C3_an_applied_credit_is_used_up_by_what_it_pays(effects: Effects) -> None:
    draft = posting_rules.credit_applied(credit(100), effects, WHY)
    assert_sound(draft, **plus(moves_of(effects), credit=-effects.paid_minor))
    assert draft.documents["credit"] == ("crd_1",)


@given(strategies.credit_notes, st.data())
def test_C6_a_credit_note_lowers_its_invoice_and_the_rest_is_credit(note: CreditNote, data: st.DataObject) -> None:
    assume(note.gross_minor > 0)
    applied = data.draw(st.integers(0, note.gross_minor))
    effects = Effects((Movement(note.invoice_id, TODAY, -applied),) if applied else ())
    draft = posting_rules.credit_note_issued(note, effects, WHY)
    assert_sound(draft, receivable=-applied, credit=note.gross_minor - applied)
    debits = side(draft, Side.DEBIT)
    earned = {OrderKind.DEPOSIT: "deposits", OrderKind.LATE_CHARGE: "late_fees"}.get(note.invoice_kind, "revenue:")
    assert sum(amount for name, amount in debits.items() if name.startswith(earned)) == note.net_minor
    assert sum(amount for name, amount in debits.items() if name.startswith("tax:")) == note.tax_minor
    assert draft.documents == {"credit": (note.credit_id,), "credit_note": (note.id,), "invoice": (note.invoice_id,)}


# Refunds


def refund_of(*sources: tuple[RefundFrom, str, int]) -> Refund:
    return Refund(
        id="rfd_1",
        account_id="acc_1",
        currency="EUR",
        amount_minor=sum(amount for _, _, amount in sources),
        method=Method.CARD,
        cash_account="stripe",
        sources=tuple(RefundSource(*source) for source in sources),
        status=RefundStatus.PENDING,
        requested_on=TODAY,
        requested_at=NOW,
        requested_by=CLERK,
        reason="returned goods",
        gateway_id="re_1",
    )


@given(small, small, small)
def test_R1_a_refund_consumes_what_it_gives_back_and_a_failed_one_gives_it_back(credit: int, reopened: int, wallet: int) -> None:
    assume(credit + reopened + wallet > 0)
    wanted = (
        (RefundFrom.CREDIT, "pay_1", credit),
        (RefundFrom.RECEIVABLE, "inv_1", reopened),
        (RefundFrom.WALLET, "rfd_1", wallet),
    )
    refund = refund_of(*(source for source in wanted if source[2]))
    effects = Effects((Movement("inv_1", TODAY, reopened),) if reopened else ())
    asked = posting_rules.refund_requested(refund, effects, WHY)
    assert_sound(asked, credit=-credit, receivable=reopened, wallet=-wallet)
    assert side(asked, Side.CREDIT) == {"refunds_in_transit": refund.amount_minor}

    gone = posting_rules.refund_succeeded(refund, WHY)
    assert_sound(gone)
    assert side(gone, Side.CREDIT) == {"cash:stripe": refund.amount_minor}

    paid_again = Effects((Movement("inv_1", TODAY, -reopened),) if reopened else ())
    for had_succeeded in (False, True):
        returned = posting_rules.refund_returned(refund, had_succeeded, {"pay_1": credit}, paid_again, WHY)
        assert_sound(returned, credit=credit, receivable=-reopened, wallet=wallet)
        source = "cash:stripe" if had_succeeded else "refunds_in_transit"
        assert side(returned, Side.DEBIT) == {source: refund.amount_minor}
    for draft in (asked, gone, returned):
        assert (draft.documents["refund"], draft.documents["gateway"]) == (("rfd_1",), ("re_1",))


# Wallet


@given(st.lists(strategies.lines, min_size=1, max_size=4), st.data())
def test_W1_usage_is_paid_from_what_was_given_and_then_from_what_was_paid(lines: list[LineRequest], data: st.DataObject) -> None:
    priced = price(lines, "EUR", firm(), prices_include_tax=True)
    charge = WalletCharge("wch_1", "acc_1", priced, TODAY, NOW, "usage")
    assume(charge.amount_minor > 0)
    granted = data.draw(st.integers(0, charge.amount_minor))
    draft = posting_rules.wallet_charged(charge, Draw(granted, charge.amount_minor - granted), WHY)
    assert_sound(draft, granted=-granted, wallet=granted - charge.amount_minor)


@given(small, positive)
def test_A4_a_prepaid_invoice_is_paid_from_the_wallet(granted: int, wallet: int) -> None:
    item = open_item("inv_1", granted + wallet)
    effects = Effects(movements(item, item.settle(item.open_minor, "wallet")))
    draft = posting_rules.invoice_paid_from_wallet(item, Draw(granted, wallet), effects, WHY)
    assert_sound(draft, receivable=-granted - wallet, granted=-granted, wallet=-wallet)


# Worked examples, and what no entry may be


def test_the_worked_examples_of_the_rules() -> None:
    """The amounts that the docstrings of `posting_rules` name."""
    invoice, item, _ = issued(order(line(10000, category="services")))
    draft = posting_rules.invoice_issued(invoice, None, opened(item), WHY)
    assert side(draft, Side.DEBIT) == {"receivable": 12100}
    assert side(draft, Side.CREDIT) == {"revenue:services": 10000, "tax:VAT21": 2100}

    paid = Effects((Movement("inv_1", TODAY, -12100),))
    got = posting_rules.payment_received(attempt(15000, cash_account="bank_transfer"), paid, WHY)
    assert side(got, Side.DEBIT) == {"cash:bank_transfer": 15000}
    assert side(got, Side.CREDIT) == {"receivable": 12100, "credit": 2900}

    early = replace(paid, discounts=(("inv_1", Discount(200, (("VAT21", 42),))),))
    got = posting_rules.payment_received(attempt(11858), early, WHY)
    assert side(got, Side.DEBIT) == {"cash:stripe": 11858, "discounts": 200, "tax:VAT21": 42}
    assert side(got, Side.CREDIT) == {"receivable": 12100}

    got = posting_rules.payment_received(attempt(12350, fee=Fee(207, 43, "VAT21")), paid, WHY)
    assert side(got, Side.CREDIT) == {"receivable": 12100, "revenue:card_fees": 207, "tax:VAT21": 43}

    dispute = Dispute("dp_1", DisputeStatus.OPEN, 12100, 1500, NOW, held_minor=2100)
    begun = posting_rules.dispute_opened(attempt(), dispute, WHY)
    assert side(begun, Side.DEBIT) == {"disputes": 12100, "gateway_fees": 1500, "credit": 2100}
    assert side(begun, Side.CREDIT) == {"cash:stripe": 13600, "held": 2100}

    made = credit(1210)
    given_back = posting_rules.credit_issued(made, WHY)
    assert side(given_back, Side.DEBIT) == {"goodwill": 1000, "tax:VAT21": 210}
    assert side(given_back, Side.CREDIT) == {"credit": 1210}
    expired = posting_rules.credit_expired(made, 605, WHY)
    assert side(expired, Side.CREDIT) == {"goodwill": 500, "tax:VAT21": 105}


DEAD_ENDS: dict[str, Callable[[Payment], EntryDraft]] = {
    "an invoice of nothing": lambda _: posting_rules.invoice_issued(issued(order(line(0)))[0], None, Effects(), WHY),
    "an allocation of nothing": lambda payment: posting_rules.payment_allocated(payment, Effects(), WHY),
}


@pytest.mark.parametrize("what", DEAD_ENDS)
def test_L1_nothing_is_posted_about_nothing(what: str) -> None:
    with pytest.raises(LedgerBrokenError, match="bad_posting"):
        DEAD_ENDS[what](attempt())


@pytest.mark.parametrize(
    "postings",
    [
        [],
        [Posting("receivable", Side.DEBIT, 100)],
        [Posting("receivable", Side.DEBIT, 100), Posting("revenue:sales", Side.CREDIT, 99)],
        [Posting("receivable", Side.DEBIT, 0), Posting("revenue:sales", Side.CREDIT, 0)],
        [Posting("receivable", Side.DEBIT, -1), Posting("revenue:sales", Side.CREDIT, -1)],
    ],
)
def test_L1_no_entry_is_unbalanced_empty_or_negative(postings: Sequence[Posting]) -> None:
    with pytest.raises(LedgerBrokenError):
        EntryDraft(EntryKind.INVOICE_ISSUED, "acc_1", "EUR", TODAY, NOW, CLERK, tuple(postings))
