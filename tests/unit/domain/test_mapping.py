"""Everything that is stored comes back as it was, and fits where the budgets want it (L4, I5)."""

import zlib
from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from pprint import pformat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.dynamodb import deflate as packing
from remit.adapters.dynamodb import keys, mapping
from remit.adapters.dynamodb.mapping import from_record, key_of, to_record
from remit.adapters.dynamodb.records import ListingIndex, OpenIndex, Record
from remit.domain import posting_rules
from remit.domain.accounts import Account, AccountChange, Note
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.dunning import PolicyRevision
from remit.domain.dunning_trials import PolicyTrial
from remit.domain.errors import RuleError
from remit.domain.exports import Export
from remit.domain.firm import Firm
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber
from remit.domain.journal import Balance, JournalEntry
from remit.domain.mail_templates import MailTemplate
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import LineRequest, Order, price
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.plans import Plan, PlanVersion
from remit.domain.posting_rules import Circumstances
from remit.domain.refunds import Refund, RefundStatus
from remit.domain.subscriptions import Subscription, SubscriptionEvent, When
from remit.domain.summaries import SummaryEnrolment, SummarySchedule
from remit.domain.totals import ChainMark, Totals, TotalsGenerations
from remit.domain.wallet import WalletCharge
from remit.usecases import ports
from remit.usecases.guards import Guard
from tests.fakes import item_bytes
from tests.support import strategies, subscribing
from tests.support.builders import CLERK, NOW, STRIPE, TODAY, attempt, firm, issued, open_item

KILOBYTE = 1024

STORED: dict[type, st.SearchStrategy[Any]] = {
    Account: strategies.accounts,
    AccountChange: strategies.changes,
    Balance: strategies.balances(),
    JournalEntry: strategies.entries(),
    Order: strategies.orders(),
    Invoice: strategies.invoices().map(lambda made: made[0]),
    OpenItem: strategies.open_items(),
    Payment: strategies.payments,
    Credit: strategies.credits,
    CreditNote: strategies.credit_notes,
    Refund: strategies.refunds,
    WalletCharge: strategies.wallet_charges,
    Note: strategies.notes,
    Message: strategies.messages,
    Plan: strategies.plans,
    PlanVersion: strategies.plan_versions,
    Subscription: strategies.subscribed,
    SubscriptionEvent: strategies.subscription_events,
    MailTemplate: strategies.mail_templates,
    NumberSeries: strategies.series,
    Guard: strategies.guards,
    Firm: strategies.firms,
    PolicyRevision: strategies.policy_revisions,
    Export: strategies.exports,
    PolicyTrial: strategies.policy_trials,
    ChainMark: strategies.chain_marks,
    Totals: strategies.totals(),
    TotalsGenerations: strategies.generations,
    SpoiledNumber: strategies.spoiled_numbers,
    InvoiceBatch: strategies.invoice_batches,
    SummarySchedule: strategies.summary_schedules,
    SummaryEnrolment: strategies.summary_enrolments,
}


def test_every_stored_class_is_among_those_that_are_proved() -> None:
    assert set(STORED) == set(mapping._TO)


def stored(thing: Any) -> dict[str, Any]:
    """The item that DynamoDB is sent."""
    raw: dict[str, Any] = to_record(thing).serialize()
    return raw


def loaded(raw: dict[str, Any]) -> Any:
    return from_record(Record.from_raw_data(raw))


def projected(raw: dict[str, Any], index: type[OpenIndex | ListingIndex]) -> dict[str, Any]:
    """What an index shows of the item: keys and what it projects."""
    names = {"PK", "SK", "list_pk", "list_sk", "open_pk", "open_sk", *index.Meta.projection.non_key_attributes}
    return {name: value for name, value in raw.items() if name in names}


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_is_stored_comes_back_as_it_was_one_version_on(kind: type, data: st.DataObject) -> None:
    thing = data.draw(STORED[kind])
    again = loaded(stored(thing))
    if any(field.name == "version" for field in fields(thing)):
        thing = replace(thing, version=thing.version + 1)
    assert again == thing
    assert pformat(again) == pformat(thing)  # equal is not enough: Decimal(1) == 1, and a list is no tuple


@given(strategies.accounts, strategies.balances(), strategies.open_items(), strategies.payments, strategies.credits)
def test_a_reference_points_to_where_its_thing_is_stored(
    account: Account, balance: Balance, item: OpenItem, payment: Payment, credit: Credit
) -> None:
    for thing, ref in (
        (account, ports.account_ref(account.id)),
        (balance, ports.balance_ref(balance.account_id, balance.currency)),
        (item, ports.open_item_ref(item.account_id, item.invoice_id)),
        (payment, ports.payment_ref(payment.account_id, payment.id)),
        (credit, ports.credit_ref(credit.account_id, credit.id)),
    ):
        record = to_record(thing)
        assert key_of(ref) == (record.pk, record.sk)


@given(strategies.orders(), strategies.messages, strategies.series, strategies.guards, strategies.firms, strategies.exports)
def test_references_of_the_other_things_point_right_too(
    order: Order, message: Message, series: NumberSeries, guard: Guard, firm: Firm, export: Export
) -> None:
    for thing, ref in (
        (order, ports.order_ref(order.account_id, order.id)),
        (message, ports.message_ref(message.account_id, message.id)),
        (series, ports.series_ref(series.name)),
        (guard, ports.guard_ref(guard.kind, guard.value)),
        (firm, ports.firm_ref()),
        (export, ports.export_ref(export.id)),
    ):
        record = to_record(thing)
        assert key_of(ref) == (record.pk, record.sk)


@given(strategies.mail_templates)
def test_N4_a_reference_to_a_template_points_to_where_its_version_is_stored(template: MailTemplate) -> None:
    record = to_record(template)
    assert key_of(ports.mail_template_ref(template.key, template.id)) == (record.pk, record.sk)


@given(strategies.credit_notes, strategies.refunds, strategies.wallet_charges, strategies.notes)
def test_references_of_notes_refunds_and_charges_point_right_too(
    credit_note: CreditNote, refund: Refund, charge: WalletCharge, note: Note
) -> None:
    for thing, ref in (
        (credit_note, ports.credit_note_ref(credit_note.account_id, credit_note.id)),
        (refund, ports.refund_ref(refund.account_id, refund.id)),
        (charge, ports.wallet_charge_ref(charge.account_id, charge.id)),
        (note, ports.note_ref(note.account_id, note.id)),
    ):
        record = to_record(thing)
        assert key_of(ref) == (record.pk, record.sk)


# What the indexes show


@given(strategies.open_items())
def test_the_open_index_shows_what_is_owed_and_nothing_settled(item: OpenItem) -> None:
    raw = stored(item)
    assert ("open_pk" in raw) == (item.open_minor > 0)
    seen = loaded(projected(raw, OpenIndex))
    assert (seen.open_minor, seen.parts, seen.number) == (item.open_minor, item.parts, item.number)
    assert (seen.entries, seen.payment_attempt, seen.version) == ((), None, 0)


@given(strategies.entries())
def test_L7_the_listing_index_shows_entries_with_their_hashes(entry: JournalEntry) -> None:
    assert loaded(projected(stored(entry), ListingIndex)) == entry


@given(strategies.invoices())
def test_the_listing_index_shows_whole_invoices(made: tuple[Any, ...]) -> None:
    assert loaded(projected(stored(made[0]), ListingIndex)) == made[0]


@given(strategies.payments, st.integers(0, 10**9), st.integers(1, 9))
def test_drawing_on_a_payment_writes_nothing_to_its_index(payment: Payment, left: int, sequence: int) -> None:
    """What an index projects is paid for when it changes: the facts of a payment do not, its state does."""
    drawn = replace(payment, unapplied_minor=left, entries=(*payment.entries, sequence), version=payment.version + 1)
    assert projected(stored(drawn), ListingIndex) == projected(stored(payment), ListingIndex)


@given(strategies.credits, st.integers(0, 10**9), st.integers(1, 9))
def test_drawing_on_a_credit_writes_nothing_to_its_index(credit: Credit, left: int, sequence: int) -> None:
    drawn = replace(credit, open_minor=left, entries=(*credit.entries, sequence), version=credit.version + 1)
    assert projected(stored(drawn), ListingIndex) == projected(stored(credit), ListingIndex)


@given(strategies.refunds, st.sampled_from(RefundStatus))
def test_the_fate_of_a_refund_writes_nothing_to_its_listing(refund: Refund, status: RefundStatus) -> None:
    moved = replace(refund, status=status, failure="x", entries=(*refund.entries, 7), version=refund.version + 1)
    assert projected(stored(moved), ListingIndex) == projected(stored(refund), ListingIndex)


@given(strategies.credit_notes)
def test_the_listing_index_shows_whole_credit_notes(note: CreditNote) -> None:
    assert loaded(projected(stored(note), ListingIndex)) == note


@given(strategies.payments)
def test_a_payment_is_listed_from_the_day_on_which_the_money_is_there(payment: Payment) -> None:
    raw = stored(payment)
    came = payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.REVERTED)
    assert ("list_pk" in raw) == (came and payment.value_date is not None)


@given(strategies.balances())
def test_a_balance_is_on_the_agenda_while_there_is_a_day_to_look_at_it(balance: Balance) -> None:
    raw = stored(balance)
    assert ("agenda_pk" in raw) == ("agenda_at" in raw) == (balance.look_again_on is not None)


@given(st.lists(st.tuples(strategies.dates, st.integers(1, 999_999)), min_size=2, max_size=6, unique_by=lambda pair: pair[1]))
def test_I3_invoices_are_listed_in_the_order_of_their_numbers(numbered: list[tuple[date, int]]) -> None:
    days = sorted(day for day, _ in numbered)
    numbers = sorted(number for _, number in numbered)
    listed = [keys.document_listing("INV-2026", day, f"INV-2026-{n:06d}") for day, n in zip(days, numbers, strict=True)]
    assert listed == sorted(listed)


@given(ids := st.integers(1, 10**9), ids)
def test_entries_sort_by_their_sequence(first: int, second: int) -> None:
    assert (keys.entry("acc_1", "EUR", first) < keys.entry("acc_1", "EUR", second)) == (first < second)


def test_a_guards_expiry_is_the_tables_time_to_live_in_seconds() -> None:
    guard = Guard("idempotency", "k", "f", None, NOW, NOW + timedelta(days=30))
    assert stored(guard)["expires_at"] == {"N": str(int(NOW.timestamp()) + 30 * 86400)}
    assert "expires_at" not in stored(replace(guard, expires_at=None))


@pytest.mark.parametrize("amount", [12.5, Decimal(12), True, "12"])
def test_an_amount_that_is_no_whole_number_is_never_written(amount: Any) -> None:
    with pytest.raises(TypeError, match="whole number"):
        stored(Balance("acc_1", "EUR", receivable_minor=amount))


def test_what_is_no_part_of_the_ledger_is_not_stored() -> None:
    with pytest.raises(KeyError):
        to_record(object())


@pytest.mark.parametrize("dictionary", packing._DICTIONARIES.values())
def test_what_was_written_with_an_older_dictionary_is_still_read(dictionary: bytes) -> None:
    compressor = zlib.compressobj(9, zdict=dictionary)
    assert packing.inflate(compressor.compress(b'{"id":"inv_1"}') + compressor.flush()) == b'{"id":"inv_1"}'


# Sizes: a write unit is a kilobyte


def order_of(*wares: tuple[str, str, int, str, str]) -> Order:
    lines = [LineRequest(text, Decimal(quantity), minor, code, category) for text, quantity, minor, code, category in wares]
    priced = price(lines, "EUR", firm(), prices_include_tax=False)
    id = "ord_01jdxq3z8k5m9n2p4r6t8v0w1y"
    return Order(id, "acc_01jdxq3z8k5m9n2p4r6t8v0w1x", priced, firm().term("net30"), NOW, "PO 2026-4711")


USUAL = order_of(
    ("Consulting, senior engineer", "7.5", 12500, "VAT21", "services"),
    ("Consulting, architect", "4", 14500, "VAT21", "services"),
    ("Travel expenses", "4", 1780, "VAT9", "services"),
    ("Managed database, March", "1", 48900, "VAT21", "products"),
    ("Extra storage, GB", "250", 12, "VAT21", "products"),
    ("Support Gold, March", "1", 35000, "VAT21", "services"),
    ("Handbook, paperback", "3", 2995, "VAT9", "products"),
    ("Shipping", "1", 895, "VAT21", "products"),
    ("Licence, 25 seats", "25", 4900, "VAT21", "products"),
    ("Training voucher", "2", 19900, "VAT21", "services"),
)
"""Ten lines as most firms write them."""

WORDY = order_of(
    ("Consulting, architecture review of the booking system, on site in Utrecht", "7.5", 12500, "VAT21", "services"),
    ("Consulting, workshop with the operations team", "4", 12500, "VAT21", "services"),
    ("Travel expenses Amsterdam - Utrecht, second class, 4 tickets", "4", 1780, "VAT9", "travel"),
    ("Managed database, 3 nodes, March 2026", "1", 48900, "VAT21", "hosting"),
    ("Managed database, additional storage per GB", "250", 12, "VAT21", "hosting"),
    ("Support contract Gold, March 2026", "1", 35000, "VAT21", "support"),
    ("Handbook 'Receivables for small firms', paperback", "3", 2995, "VAT9", "books"),
    ("Shipping and handling, registered mail", "1", 895, "VAT21", "shipping"),
    ("Licence key, annual, up to 25 seats", "25", 4900, "VAT21", "licences"),
    ("Training voucher, exempt from tax", "2", 19900, "EXEMPT", "training"),
)
"""Ten lines that say all there is to say, in eight revenue categories and three tax codes."""


def test_an_invoice_of_ten_usual_lines_deflates_to_a_kilobyte() -> None:
    assert len(stored(issued(USUAL)[0])["deflated"]["B"]) <= KILOBYTE
    assert len(stored(USUAL)["deflated"]["B"]) <= KILOBYTE


def test_an_invoice_of_ten_wordy_lines_takes_two_kilobytes_at_most() -> None:
    assert item_bytes(stored(issued(WORDY)[0])) <= 2 * KILOBYTE


def issuing(order: Order) -> JournalEntry:
    """The entry of the order's invoice."""
    invoice, item, _ = issued(order)
    operation = Operation(Balance(invoice.account_id, invoice.currency, sequence=999), Circumstances(TODAY, NOW, CLERK))
    operation.create(item)
    return operation.post(posting_rules.invoice_issued, invoice, None)


def test_an_entry_takes_a_kilobyte_at_most() -> None:
    payment = attempt(
        14500,
        id="pay_01jdxq3z8k5m9n2p4r6t8v0w1z",
        account_id="acc_01jdxq3z8k5m9n2p4r6t8v0w1x",
        gateway_ids=("ch_3PqRstUvWxYz012345678901", "pi_3PqRstUvWxYz012345678901"),
        unapplied_minor=14500,
    )
    item = replace(open_item("inv_01jdxq3z8k5m9n2p4r6t8v0w1y"), account_id=payment.account_id)
    balance = Balance(payment.account_id, "EUR", receivable_minor=10**9, sequence=999)
    operation = Operation(balance, Circumstances(TODAY, NOW, STRIPE))
    operation.hold(item)
    operation.create(payment)
    operation.pay_from(payment.id, [Allocation(item.invoice_id, 12000)], TODAY)
    assert item_bytes(stored(operation.post(posting_rules.payment_received, payment))) <= KILOBYTE
    assert item_bytes(stored(issuing(USUAL))) <= KILOBYTE


def test_the_entry_of_an_invoice_in_many_categories_takes_two_kilobytes_at_most() -> None:
    entry = issuing(WORDY)
    assert len(entry.draft.postings) == 11
    assert item_bytes(stored(entry)) <= 2 * KILOBYTE


def test_what_a_payment_rewrites_is_small() -> None:
    invoice, item, series = issued(WORDY)
    item = replace(item, entries=(1, 2, 3), payment_attempt="pay_01jdxq3z8k5m9n2p4r6t8v0w1z")
    assert item_bytes(stored(item)) <= KILOBYTE
    balance = Balance(invoice.account_id, "EUR", 10**9, 10**9, sequence=999, last_hash="f" * 64, look_again_on=TODAY)
    assert item_bytes(stored(balance)) <= KILOBYTE
    assert item_bytes(stored(series)) <= KILOBYTE


def test_S2_a_subscription_that_was_changed_and_refused_fits_into_a_kilobyte() -> None:
    """Each renewal writes it."""
    made = subscribing.subscription(TODAY, subscribing.agreed(plan_id="hosting-business-monthly"))
    for quantity in (2, 3):
        made = replace(made, next_period=quantity).change(subscribing.agreed(quantity), When.NOW, TODAY)
    refused = made.refused(
        RuleError("credit_limit_exceeded", "The account may owe 12100 and owes 12100; 24200 is too much."), NOW
    )
    assert item_bytes(stored(refused)) <= KILOBYTE
