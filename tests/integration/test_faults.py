"""Faults at every call of every operation: a repeat of the request leads to the state of a run without faults.

Each operation is run once in peace. Then it is run again and again, from the same start, with each fault at its first
call to the store, at its second, and so on; after the fault the request is repeated, as a client, a queue or a state
machine does. Nothing may be lost, done twice or half done (L4, G4, P4, D7), and callers may see only errors that tell
them to repeat.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from local.stack import Stack
from remit.adapters.dynamodb.clock import stored_offset
from remit.adapters.dynamodb.export_source import DynamoExportSource
from remit.adapters.dynamodb.firm import fresh_firm
from remit.domain.automations import Automation
from remit.domain.errors import ConflictError, TransientError
from remit.domain.messages import Message
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.summaries import SummaryContent
from remit.usecases import idempotency
from remit.usecases.notify import send_invoice, send_receipt
from remit.usecases.ports import AgendaKind, account_ref, open_item_ref
from remit.usecases.send_message import LEASE
from tests.integration import faults
from tests.integration.faults import Attempt, Calls, Crash, Fault, Trouble, watched
from tests.integration.ledger import TABLE, adapters_on
from tests.integration.office import TEN_LINES, Office, report
from tests.integration.state import accounts_in, all_items, canonical, faults_of, put_back, things_of
from tests.integration.table import recreate_table

type Act = Callable[[], Any]


@dataclass(frozen=True)
class Kind:
    """A fault, how many calls in a row meet it, and whether only writes can tell it from another of the list."""

    fault: Fault
    calls: int = 1
    writes_only: bool = False


FOREVER = 10**9
FAULTS = {
    "throttled": Kind(faults.throttled),
    "internal error": Kind(faults.internal_error),
    "internal error after commit": Kind(faults.internal_error_after_commit, writes_only=True),
    "conflict": Kind(faults.conflicting, writes_only=True),
    "reply lost once": Kind(faults.reply_lost_once, writes_only=True),
    "reply lost": Kind(faults.reply_lost, writes_only=True),
    "last reply lost": Kind(faults.last_reply_lost, writes_only=True),
    "outage": Kind(faults.cut_off, FOREVER),
    "replies lost from here on": Kind(faults.reply_lost, FOREVER, writes_only=True),
    "crash before": Kind(faults.crash_before),
    "crash after": Kind(faults.crash_after, writes_only=True),
}
WRITES = ("PutItem", "TransactWriteItems")
REPEATS_MAX = 4


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once: botocore's, and those of the use cases."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda _self, _context: 0)
    monkeypatch.setattr(idempotency, "time", SimpleNamespace(sleep=lambda _seconds: None))


# ---- The operations: each prepares its start, and returns the request --------------------------------------------------


def opening_an_account(office: Office) -> Act:
    return lambda: office.account(key="the-key", tags=("retail",))


def changing_an_account(office: Office) -> Act:
    account = office.account()
    return lambda: office.change(account, name="Blue Harbour AG", tags=("wholesale",)).name


def setting_the_firm(office: Office) -> Act:
    def act() -> Any:
        office.settle_in()
        return Automation.DUNNING in office.firm.switches

    return act


def placing_an_order(office: Office) -> Act:
    account = office.account()
    return lambda: office.order(account, TEN_LINES, key="the-key")


def issuing_the_first_invoice(office: Office) -> Act:
    account = office.account()
    order = office.order(account, TEN_LINES)
    return lambda: office.issue(account, order, "the-key").body


def issuing_another_invoice(office: Office) -> Act:
    account = office.account()
    office.invoice(account)
    order = office.order(account, term="net14")
    return lambda: office.issue(account, order, "the-key").body


def receiving_a_payment_for_an_invoice(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)
    return lambda: office.receive(account, 15_000, {invoice: 12_100}, key="the-key").body


def receiving_a_payment_oldest_first(office: Office) -> Act:
    account = office.account()
    for _ in range(3):
        office.invoice(account)
    return lambda: office.receive(account, 25_000, oldest_first=True, key="the-key").body


def allocating_a_payment(office: Office) -> Act:
    account = office.account()
    payment = office.receive(account, 30_000).body["id"]
    invoices = [office.invoice(account) for _ in range(2)]
    return lambda: office.allocate(account, payment, {invoices[0]: 12_100, invoices[1]: 5_000}, "the-key").body


def giving_a_credit(office: Office) -> Act:
    account = office.account()
    return lambda: office.credit(account, key="the-key").body


def issuing_a_batch(office: Office) -> Act:
    accounts = [office.account() for _ in range(2)]
    orders = [(account, office.order(account)) for account in (*accounts, accounts[0])]
    return lambda: [line.number for line in office.issue_batch(orders, "the-key").lines]


def crediting_a_line(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)
    return lambda: office.credit_note(account, invoice, "the-key").body


def refunding_a_receipt(office: Office) -> Act:
    account = office.account()
    payment = office.receive(account, 12_100, {office.invoice(account): 12_100}).body["id"]
    return lambda: office.refund(account, payment, 5_000, "the-key").body


def canceling_a_paid_purchase(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)
    office.receive(account, 12_100, {invoice: 12_100})
    return lambda: office.cancel_purchase(account, invoice, "the-key").body


def charging_a_wallet(office: Office) -> Act:
    account = office.account()
    office.fill_wallet(account, 20_000)
    return lambda: office.charge_wallet(account, "the-key").body


def starting_a_checkout(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)

    def act() -> Any:
        payment, _ = office.checkout(account, invoice, "the-key")
        return [payment.id, payment.checkout_url, payment.amount_minor]

    return act


def starting_a_checkout_after_an_expired_one(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)
    office.checkout(account, invoice)
    office.clock.advance(timedelta(days=2))

    def act() -> Any:
        payment, _ = office.checkout(account, invoice, "the-key")
        return [payment.id, payment.checkout_url, payment.amount_minor]

    return act


def taking_in_that_a_payment_arrived(office: Office) -> Act:
    account = office.account()
    payment, _ = office.checkout(account, office.invoice(account))
    said = report(payment, PaymentStatus.SUCCEEDED, office.clock.now())
    return lambda: office.event(said, "evt_1").body


def taking_in_that_a_payment_failed(office: Office) -> Act:
    account = office.account()
    payment, _ = office.checkout(account, office.invoice(account))
    said = report(payment, PaymentStatus.FAILED, office.clock.now())
    return lambda: office.event(said, "evt_1").body


def dunning_an_account(office: Office) -> Act:
    account = office.account()
    office.invoice(account, term="on_receipt")
    office.clock.advance(timedelta(days=5))
    return lambda: _dunned(office, account)


def dunning_an_account_of_two_currencies(office: Office) -> Act:
    account = office.account()
    office.invoice(account, term="on_receipt")
    office.invoice(account, term="on_receipt", currency="USD")
    office.clock.advance(timedelta(days=5))
    return lambda: _dunned(office, account)


def _dunned(office: Office, account: str) -> Any:
    office.dun(account)
    return "dunned"  # a repeat rightly says that it was done before


def telling_an_account_what_is_open(office: Office) -> Act:
    return _summary(office, SummaryContent.OPEN_INVOICES)


def telling_an_account_what_happened(office: Office) -> Act:
    return _summary(office, SummaryContent.RECENT_TRANSACTIONS)


def _summary(office: Office, content: SummaryContent) -> Act:
    account = office.account()
    schedule = office.enrol(account, content)
    office.invoice(account)
    office.clock.advance(timedelta(days=1))
    return lambda: _told(office, account, schedule)


def _told(office: Office, account: str, schedule: str) -> Any:
    office.summarise(account, schedule)
    return "told"  # a repeat rightly says that it was done before


def sending_an_invoice(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)
    return lambda: _status(
        send_invoice(account, invoice, office.firm, office.books, office.letters, office.postbox, office.clock)
    )


def sending_a_receipt(office: Office) -> Act:
    account = office.account()
    invoice = office.invoice(account)
    payment = office.receive(account, 12_100, {invoice: 12_100}).body["id"]
    return lambda: _status(
        send_receipt(account, payment, office.firm, office.books, office.letters, office.postbox, office.clock)
    )


def _status(message: Message | None) -> str:
    assert message is not None
    return str(message.status)


OPERATIONS = {
    each.__name__.replace("_", " "): each
    for each in (
        opening_an_account,
        changing_an_account,
        setting_the_firm,
        placing_an_order,
        issuing_the_first_invoice,
        issuing_another_invoice,
        receiving_a_payment_for_an_invoice,
        receiving_a_payment_oldest_first,
        allocating_a_payment,
        giving_a_credit,
        issuing_a_batch,
        crediting_a_line,
        refunding_a_receipt,
        canceling_a_paid_purchase,
        charging_a_wallet,
        starting_a_checkout,
        starting_a_checkout_after_an_expired_one,
        taking_in_that_a_payment_arrived,
        taking_in_that_a_payment_failed,
        dunning_an_account,
        dunning_an_account_of_two_currencies,
        telling_an_account_what_is_open,
        telling_an_account_what_happened,
        sending_an_invoice,
        sending_a_receipt,
    )
}


# ---- The runs -------------------------------------------------------------------------------------------------------


class Stage:
    """An operation that can be run again and again from the same start."""

    def __init__(self, operation: Callable[[Office], Act], dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        recreate_table(dynamodb, TABLE)
        self.office = Office()
        if operation is not setting_the_firm:
            self.office.settle_in()
        self.act = operation(self.office)
        self._start = self._items = all_items(dynamodb)
        self._firm, self._now = self.office.firm, self.office.clock.now()

    def rewind(self) -> None:
        put_back(self._dynamodb, self._items, self._start)
        self.office.firm = self._firm
        self.office.clock.advance(self._now - self.office.clock.now())
        self.office.postbox.sent.clear()

    def look(self) -> tuple[str, list[str]]:
        """The state as it is now, and what the ledger's proofs find wrong in it."""
        self._items = all_items(self._dynamodb)
        things = things_of(self._items)
        return canonical(*things), faults_of(self.office, accounts_in(things))

    def insist(self, calls: Calls) -> Any:
        """Make the request, meet the fault, and repeat the request until it is answered.

        Repeats come after a message's lease has run out, as a state machine's or a schedule's later ones do.
        """
        try:
            return self.act()
        except (ConflictError, TransientError, Crash):
            calls.leave_alone()
        for _ in range(REPEATS_MAX):
            self.office.clock.advance(LEASE)
            try:
                return self.act()
            except (ConflictError, TransientError) as refusal:
                last = refusal
        raise last


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_repeat_after_a_fault_at_any_call_leads_to_the_same_state(operation: str, ledger_engine: Stack, dynamodb: Any) -> None:
    with adapters_on(ledger_engine) as client, watched(client) as calls:
        stage = Stage(OPERATIONS[operation], dynamodb)
        calls.leave_alone()
        answer = canonical(stage.act())
        made = list(calls.made)
        state, faults_in_peace = stage.look()
        sent = list(stage.office.postbox.sent)
    assert faults_in_peace == []
    assert set(made) & set(WRITES)

    for (name, kind), (index, call) in product(FAULTS.items(), enumerate(made)):
        if kind.writes_only and call not in WRITES:
            continue
        at = f"{name} at call {index} ({call})"
        stage.rewind()
        with adapters_on(ledger_engine) as client, watched(client) as calls:
            calls.disturb(kind.fault, index, index + kind.calls - 1)
            answered = stage.insist(calls)
            calls.leave_alone()
            found, wrong = stage.look()
        assert canonical(answered) == answer, at
        assert found == state, at
        assert wrong == [], at
        # Mail has no idempotency: a fault between handing over and marking may send it again, and none loses it.
        assert sorted(set(stage.office.postbox.sent)) == sent, at
        assert len(stage.office.postbox.sent) <= len(sent) + 1, at


# ---- Crashes around what is not the store ---------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_gateways_call_leaves_one_attempt_with_one_page(office: Office, moment: str) -> None:
    account = office.account()
    invoice = office.invoice(account)
    office.gateway.trouble = Trouble(moment)

    with pytest.raises(Crash):
        office.checkout(account, invoice, "the-key")
    payment, answer = office.checkout(account, invoice, "the-key")
    another_tab, _ = office.checkout(account, invoice, "another-key")

    assert answer.replayed
    assert payment.checkout_url == another_tab.checkout_url
    assert set(office.gateway.asked) == {payment.id}
    assert office.journal.newest(Payment, account, None, 10)[0] == [office.payment(account, payment.id)]


@pytest.mark.parametrize(("moment", "mails"), [("before", 1), ("after", 2)])
def test_a_crash_around_the_hand_over_of_a_notice_never_loses_it(office: Office, moment: str, mails: int) -> None:
    account = office.account()
    office.invoice(account, term="on_receipt")
    office.clock.advance(timedelta(days=5))
    office.postbox.trouble = Trouble(moment)

    with pytest.raises(Crash):
        office.dun(account)
    with pytest.raises(TransientError, match="message_being_sent"):  # the dead machine's claim still holds
        office.dun(account)
    office.clock.advance(LEASE)
    outcome = office.dun(account)

    assert (outcome.why, outcome.tier) == ("notice", 1)
    assert len(office.postbox.sent) == mails
    assert office.dun(account).why == "already_notified"
    assert len(office.postbox.sent) == mails


# ---- Reads ----------------------------------------------------------------------------------------------------------


def test_what_a_batch_read_leaves_out_is_asked_for_again(office: Office, client: Any) -> None:
    """A throttled BatchGetItem answers with some of the items and the keys of the others."""
    account = office.account()
    invoice = office.invoice(account)

    def half(attempt: Attempt) -> Any:
        (keys,) = (request["Keys"] for request in attempt.body["RequestItems"].values())
        unprocessed = {TABLE: {"Keys": keys, "ConsistentRead": True}}
        return faults.response(attempt, 200, {"Responses": {TABLE: []}, "UnprocessedKeys": unprocessed})

    with watched(client) as calls:
        calls.disturb(half, 0, 0)
        loaded = office.books.load(account_ref(account), open_item_ref(account, invoice))

    assert calls.made == ["BatchGetItem", "BatchGetItem"]
    assert loaded.get(account_ref(account)).id == account
    assert loaded.get(open_item_ref(account, invoice)).invoice_id == invoice


@pytest.mark.parametrize("fault", [faults.throttled, faults.internal_error, faults.cut_off, faults.reply_lost])
def test_every_read_says_that_it_may_be_repeated(office: Office, client: Any, fault: Fault) -> None:
    account = office.account()
    journal, source = office.journal, DynamoExportSource(office.clock)
    reads: list[Act] = [
        lambda: office.books.load(account_ref(account)),
        lambda: journal.open_items(account),
        lambda: list(journal.entries(account, "EUR")),
        lambda: journal.account_with_balances(account),
        lambda: journal.accounts(None, 10),
        lambda: journal.newest(Payment, account, None, 10),
        journal.series,
        lambda: list(journal.document_numbers("INV-2026")),
        lambda: office.agenda.due(AgendaKind.DUNNING, office.today.isoformat(), None, 10),
        lambda: list(source.entries("2026-03")),
        lambda: list(source.open_amounts(["EUR"])),
        lambda: list(source.invoices("2026-03")),
        lambda: source.account_names([account], office.today),
        lambda: fresh_firm(office.books),
        stored_offset,
    ]
    with watched(client) as calls:
        for read in reads:
            calls.disturb(fault, 0)
            with pytest.raises(TransientError):
                read()
