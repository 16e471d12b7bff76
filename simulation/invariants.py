"""What must always hold, one rule each, in three tables by when it is looked at.

`TRANSACTION`: at every commit, before the model takes it in: the writes as they were stored, against the model before.
`SUBLEDGER`: after it, for each account and currency that was written to.
`STEP`: after every step, of the world around the books.
`WHOLE`: at intervals and at the end, when every event of the gateway has arrived and no index lags.

A rule is a generator of sentences, one for each thing that is wrong; none is how it should be. To add one, write it under
its decorator. Rules trust nothing of the product but the stored forms' way back, `journal.entry_hash` and `effect`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from remit.domain.accounts import AccountChange
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import Invoice, SpoiledNumber
from remit.domain.journal import CUSTOMER_ACCOUNTS, Balance, EntryKind, JournalEntry, Side, effect, entry_hash
from remit.domain.late_charges import SubPeriod
from remit.domain.messages import Message, MessageStatus
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import DisputeStatus, Payment, PaymentStatus
from remit.domain.refunds import Refund
from remit.usecases.guards import Guard
from simulation.gateway import MADE_ELSEWHERE, State
from simulation.model import HOLDINGS, SUMMED, Customer, Model, Series, Subledger, Transaction, open_items, touched
from simulation.world import InvariantError, World

type TransactionRule = Callable[[Model, Transaction], Iterator[str]]
type SubledgerRule = Callable[[Customer, Subledger], Iterator[str]]
type WorldRule = Callable[[World], Iterator[str]]

TRANSACTION: dict[str, TransactionRule] = {}
SUBLEDGER: dict[str, SubledgerRule] = {}
STEP: dict[str, WorldRule] = {}
WHOLE: dict[str, WorldRule] = {}


def rule[R](table: dict[str, R], name: str) -> Callable[[R], R]:
    def register(check: R) -> R:
        table[name] = check
        return check

    return register


def check_transaction(model: Model, transaction: Transaction) -> None:
    """Every rule about one commit; then the model takes it in, and every rule about what it touched."""
    for name, check in TRANSACTION.items():
        _demand(name, check(model, transaction))
    model.apply(transaction)
    for account_id, currency in touched(transaction):
        check_subledger(model.customers[account_id], currency)


def check_subledger(customer: Customer, currency: str) -> None:
    if currency not in customer.subledgers:
        return
    for name, check in SUBLEDGER.items():
        _demand(name, check(customer, customer.subledgers[currency]))


def check_step(world: World) -> None:
    for name, check in STEP.items():
        _demand(name, check(world))


def check_whole(world: World) -> None:
    for name, check in WHOLE.items():
        _demand(name, check(world))


def _demand(name: str, faults: Iterator[str]) -> None:
    fault = next(faults, None)
    if fault is not None:
        raise InvariantError(name, fault)


# ---- Of one commit -----------------------------------------------------------------------------------------------------

WRITTEN_ONCE = (JournalEntry, Invoice, Guard, AccountChange)


@rule(TRANSACTION, "what is written once never changes")
def written_once(_model: Model, transaction: Transaction) -> Iterator[str]:
    for write in transaction.writes:
        if isinstance(write.thing, WRITTEN_ONCE) and not write.created:
            yield f"{type(write.thing).__name__} was overwritten by {write.thing}"


@rule(TRANSACTION, "entries balance")
def entries_balance(_model: Model, transaction: Transaction) -> Iterator[str]:
    """Debits and credits of one entry are equal, in whole minor units above zero; one entry is in one currency (L1, L8)."""
    for entry in transaction.all(JournalEntry):
        sides = {Side.DEBIT: 0, Side.CREDIT: 0}
        for posting in entry.draft.postings:
            sides[posting.side] += posting.amount_minor
            if type(posting.amount_minor) is not int or posting.amount_minor <= 0:
                yield f"{entry.id} posts {posting.amount_minor} to {posting.account}"
        if sides[Side.DEBIT] != sides[Side.CREDIT] or not entry.draft.postings:
            yield f"{entry.id} debits {sides[Side.DEBIT]} and credits {sides[Side.CREDIT]}"


@rule(TRANSACTION, "the chain of entries has no break")
def chained(model: Model, transaction: Transaction) -> Iterator[str]:
    ends: dict[tuple[str, str], tuple[int, str]] = {}
    for entry in transaction.all(JournalEntry):
        chain = entry.draft.account_id, entry.draft.currency
        before = model.customer(chain[0]).subledger(chain[1])
        sequence, last_hash = ends.get(chain, (before.sequence, before.last_hash))
        if entry.sequence != sequence + 1:
            yield f"{entry.id} comes after number {sequence}"
        if entry.previous_hash != last_hash:
            yield f"{entry.id} does not name the entry before it"
        if entry.hash != entry_hash(entry.draft, entry.sequence, entry.previous_hash):
            yield f"{entry.id} has another hash than its facts"
        ends[chain] = entry.sequence, entry.hash


@rule(TRANSACTION, "all of an operation or nothing")
def complete(_model: Model, transaction: Transaction) -> Iterator[str]:
    """An entry comes with the balance after it and with what guards it from happening twice (L4)."""
    balances = {(balance.account_id, balance.currency): balance for balance in transaction.all(Balance)}
    for entry in transaction.all(JournalEntry):
        balance = balances.get((entry.draft.account_id, entry.draft.currency))
        if balance is None or balance.sequence < entry.sequence:
            yield f"{entry.id} was written without its balance"
        if len(transaction.all(Guard)) != 1 and (transaction.needs_guard or transaction.all(Guard)):
            yield f"{entry.id} was written with {len(transaction.all(Guard))} guards"


@rule(TRANSACTION, "one effect per idempotency key")
def once_per_key(model: Model, transaction: Transaction) -> Iterator[str]:
    for guard in transaction.all(Guard):
        if (guard.kind, guard.value) in model.guards:
            yield f"{guard.kind} {guard.value} was carried out a second time"


@rule(TRANSACTION, "numbers are gapless and chronological")
def numbered(model: Model, transaction: Transaction) -> Iterator[str]:
    """A document has the next number of its series, or one that a batch took for it; a batch takes the next ones (I3)."""
    documents: list[Invoice | CreditNote] = [*transaction.all(Invoice), *transaction.all(CreditNote)]
    for document in documents:
        series = model.series.get(document.series, Series(0, document.issued_on))
        number = int(document.number.rpartition("-")[2])
        if document.number != f"{document.series}-{number:06d}" or (number != series.last + 1 and number not in series.reserved):
            yield f"{document.number} was issued after number {series.last}"
        if document.issued_on != series.reserved.get(number, document.issued_on):
            yield f"{document.number} of {document.issued_on} was taken for {series.reserved[number]}"
        if number not in series.reserved and document.issued_on < series.last_issued_on:
            yield f"{document.number} of {document.issued_on} follows one of {series.last_issued_on}"
    for spoiled in transaction.all(SpoiledNumber):
        if spoiled.number not in model.series[spoiled.series].reserved:
            yield f"{spoiled.series}-{spoiled.number:06d} is spoiled and was never reserved"
    for batch in transaction.all(InvoiceBatch):
        series = model.series.get(batch.series, Series(0, batch.issued_on))
        if batch.id not in model.batches and batch.numbers and batch.numbers[0] != series.last + 1:
            yield f"{batch.id} took {batch.numbers} after number {series.last}"
        if batch.id not in model.batches and batch.numbers and batch.issued_on < series.last_issued_on:
            yield f"{batch.id} of {batch.issued_on} follows {series.last_issued_on}"


@rule(TRANSACTION, "one invoice per order")
def one_invoice_per_order(model: Model, transaction: Transaction) -> Iterator[str]:
    for invoice in transaction.all(Invoice):
        if invoice.order_id in model.invoiced_orders:
            yield f"{invoice.order_id} has {model.invoiced_orders[invoice.order_id]} and now {invoice.id}"
        made = next((order for order in transaction.all(Order) if order.id == invoice.order_id), None)
        order = made or model.customer(invoice.account_id).get(Order, invoice.order_id)
        if order is None or order.priced != invoice.priced or order.term != invoice.term:
            yield f"{invoice.number} is not what {invoice.order_id} asked for"


@rule(TRANSACTION, "a wallet is charged within its limit")
def charged_within_limit(model: Model, transaction: Transaction) -> Iterator[str]:
    """After each charge the prepaid balance is at −limit or above (W1, A5). What is taken back may lower it further."""
    for entry in transaction.all(JournalEntry):
        if entry.draft.kind is not EntryKind.WALLET_CHARGED:
            continue
        customer, currency = model.customer(entry.draft.account_id), entry.draft.currency
        after = sum(customer.subledger(currency).figure(account) for account in ("wallet", "granted"))
        for each in transaction.all(JournalEntry):
            if (each.draft.account_id, each.draft.currency) == (customer.id, currency) and each.sequence <= entry.sequence:
                after += sum(effect(each.draft).get(account, 0) for account in ("wallet", "granted"))
        limit = customer.account.credit_limits.get(currency, 0)
        if after < -limit:
            yield f"{entry.id} leaves {after} {currency} in the wallet of {customer.id}, whose limit is {limit}"


@rule(TRANSACTION, "being late is charged for once")
def charged_late_once(model: Model, transaction: Transaction) -> Iterator[str]:
    """No day of an invoice bears interest twice, and no part of it a fee, also after a charge was taken back (D9)."""
    for invoice in transaction.all(Invoice):
        if (charge := invoice.late_charge) is None:
            continue
        known = [each.late_charge for each in model.customer(invoice.account_id).all(Invoice) if each.late_charge]
        earlier = [each for each in known if each.invoice_id == charge.invoice_id]
        days = Counter(day for each in (charge, *earlier) for period in each.periods for day in _days(period))
        fees = Counter(fee.due_date for each in (charge, *earlier) for fee in each.fees)
        for what, counted in (("interest", days), ("a fee for the part due", fees)):
            if twice := [day for day, times in counted.items() if times > 1]:
                yield f"{invoice.number} charges {charge.number} {what} on {min(twice)} again"


@rule(TRANSACTION, "interest is on what was overdue")
def interest_on_overdue(model: Model, transaction: Transaction) -> Iterator[str]:
    """Day by day, on what the entries known by then leave overdue, rounded once (D9)."""
    for invoice in transaction.all(Invoice):
        if (charge := invoice.late_charge) is None:
            continue
        customer, exact = model.customer(invoice.account_id), Fraction(0)
        for period in charge.periods:
            base = sum(customer.overdue_minor(charge.invoice_id, charge.currency, day) for day in _days(period))
            exact += Fraction(base, 100 * period.year_days) * Fraction(period.annual_percent)
        charged = sum(period.share_minor for period in charge.periods)
        if charged > exact + Fraction(1, 2):
            yield f"{invoice.number} charges {charged} {charge.currency} on {charge.number}, which is worth {float(exact):.2f}"
        if charge.through and charge.through > invoice.issued_on:
            yield f"{invoice.number} of {invoice.issued_on} charges days through {charge.through}"


def _days(period: SubPeriod) -> Iterator[date]:
    return (period.first + timedelta(days=n) for n in range(period.days))


@rule(TRANSACTION, "what was sent is not sent again")
def sent_once(model: Model, transaction: Transaction) -> Iterator[str]:
    for message in transaction.all(Message):
        known = model.customer(message.account_id).get(Message, message.id)
        if known is not None and known.status is not MessageStatus.SENDING:
            yield f"{message.id} was {known.status} and is now {message.status}"


@rule(TRANSACTION, "a payment that arrived stays")
def arrived_stays(model: Model, transaction: Transaction) -> Iterator[str]:
    for payment in transaction.all(Payment):
        known = model.customer(payment.account_id).get(Payment, payment.id)
        stays = (PaymentStatus.SUCCEEDED, PaymentStatus.REVERTED)
        if known and known.status is PaymentStatus.SUCCEEDED and payment.status not in stays:
            yield f"{payment.id} had succeeded and is now {payment.status}"
        if known and known.status is PaymentStatus.REVERTED and payment.status is not PaymentStatus.REVERTED:
            yield f"{payment.id} was reverted and is now {payment.status}"


# ---- Of an account in one currency -------------------------------------------------------------------------------------

FIGURES = tuple(CUSTOMER_ACCOUNTS)


@rule(SUBLEDGER, "the balance is the sum of its entries")
def balance_of_entries(customer: Customer, subledger: Subledger) -> Iterator[str]:
    balance = customer.balances[subledger.currency]
    stored = {figure: getattr(balance, f"{figure}_minor") for figure in FIGURES}
    summed = {figure: subledger.figure(figure) for figure in FIGURES}
    if stored != summed:
        yield f"{customer.id} in {subledger.currency} has {stored}, its entries say {summed}"
    if (balance.sequence, balance.last_hash) != (subledger.sequence, subledger.last_hash):
        yield f"{customer.id} in {subledger.currency} stands at {balance.sequence}, its entries at {subledger.sequence}"
    if any(amount < 0 for figure, amount in stored.items() if figure != "wallet"):
        yield f"{customer.id} in {subledger.currency} is below zero: {stored}"


@rule(SUBLEDGER, "open items and lots add up to the balance")
def lots_add_up(customer: Customer, subledger: Subledger) -> Iterator[str]:
    """Σ open = receivable, Σ unapplied and open credits = credit, Σ held of payments in dispute = held."""
    sums: Counter[str] = Counter()
    for holding, _, amount in customer.holdings(subledger.currency):
        sums[holding.account] += amount
    for account in SUMMED:
        if sums[account] != subledger.figure(account):
            figure = f"{account} is {subledger.figure(account)} {subledger.currency}"
            yield f"{customer.id}: {figure}, its parts sum up to {sums[account]}"


@rule(SUBLEDGER, "the balance names its lots")
def lots_named(customer: Customer, subledger: Subledger) -> Iterator[str]:
    lots: list[tuple[str, Payment | Credit]] = [
        *customer.of(Payment, subledger.currency),
        *customer.of(Credit, subledger.currency),
    ]
    available = [id for id, lot in lots if lot.available_minor]
    named = customer.balances[subledger.currency].lots
    if sorted(named) != sorted(available):
        yield f"{customer.id} in {subledger.currency} names {named}, there is something left of {available}"


@rule(SUBLEDGER, "what is ordered and not invoiced is counted")
def unbilled_counted(customer: Customer, subledger: Subledger) -> Iterator[str]:
    """Σ payable of the orders that are neither invoiced nor canceled (A5)."""
    invoiced = {invoice.order_id for _, invoice in customer.of(Invoice, subledger.currency)}
    waiting = [
        order.priced.payable_minor
        for order in customer.all(Order)
        if order.priced.currency == subledger.currency and order.id not in invoiced and not order.canceled_at
    ]
    counted = customer.balances[subledger.currency].unbilled_minor
    if counted != sum(waiting):
        yield f"{customer.id} has {counted} {subledger.currency} unbilled, {len(waiting)} orders ask for {sum(waiting)}"


@rule(SUBLEDGER, "no document disagrees with its entries")
def documents_agree(customer: Customer, subledger: Subledger) -> Iterator[str]:
    for holding, document, amount in customer.holdings(subledger.currency):
        expected = subledger.held_by(document, holding)
        if amount != expected:
            yield f"{document} of {customer.id} has {holding.field} {amount}, its entries say {expected}"
        if amount < 0 and holding.account != "cash":  # a dispute's fee is lost even when its amount comes back
            yield f"{document} of {customer.id} has {holding.field} {amount}"


@rule(SUBLEDGER, "an open item is the sum of its parts")
def parts_add_up(customer: Customer, subledger: Subledger) -> Iterator[str]:
    for item in open_items(customer, subledger.currency):
        if sum(part.open_minor for part in item.parts) != item.open_minor or item.open_minor > item.total_minor:
            yield f"{item.number} of {item.total_minor} has {item.open_minor} open, its parts {item.parts}"
        if any(not 0 <= part.open_minor <= part.amount_minor for part in item.parts):
            yield f"{item.number} has parts {item.parts}"


@rule(SUBLEDGER, "what is owed by date follows from the entries")
def ageing_agrees(customer: Customer, subledger: Subledger) -> Iterator[str]:
    """The postings on receivable by invoice and due date are the open parts: ageing needs nothing but entries (T7)."""
    for id, item in customer.of(OpenItem, subledger.currency):
        parts: Counter[date | None] = Counter()
        for part in item.parts:
            parts[part.due_date] += part.open_minor
        posted = {due: amount for due, amount in subledger.due.get(id, {}).items() if amount}
        if posted != {due: amount for due, amount in parts.items() if amount}:
            yield f"{item.number} is owed {dict(parts)}, its entries say {posted}"


@rule(SUBLEDGER, "entries say how invoices stand")
def statuses_agree(customer: Customer, subledger: Subledger) -> Iterator[str]:
    for id, item in customer.of(OpenItem, subledger.currency):
        if subledger.statuses.get(id) != item.status:
            yield f"{item.number} is {item.status}, its entries say {subledger.statuses.get(id)}"


@rule(SUBLEDGER, "allocations are within the payment")
def allocations_within(customer: Customer, subledger: Subledger) -> Iterator[str]:
    """What a payment was allocated and what is left of it are what came in; nothing was posted before it came in. A refund that
    an invoice had asked back, and that then came to nothing, puts back once more what that invoice had put back already (R7)."""
    put_back: Counter[str] = Counter()
    for _, refund in customer.of(Refund, subledger.currency):
        if refund.reversed_by and refund.has_returned:
            put_back.update(refund.counts_on)
    settled: Counter[str] = Counter()
    for _, item in customer.of(OpenItem, subledger.currency):
        for settlement in item.settlements:
            settled[settlement.source_id] += settlement.amount_minor
    for id, payment in customer.of(Payment, subledger.currency):
        allocated = sum(allocation.amount_minor for allocation in payment.allocations)
        if allocated != settled[id]:
            yield f"{id} says that it paid {allocated}, invoices say {settled[id]}"
        arrived = payment.amount_minor if payment.status is PaymentStatus.SUCCEEDED else 0
        there = allocated + payment.unapplied_minor + payment.wallet_minor + payment.held_minor
        if there > max(0, arrived - _disputed_away(payment)) + put_back[id]:
            yield f"{id} of {arrived}: {allocated} allocated, {payment.unapplied_minor} left, {there} in all"
        if payment.status is not PaymentStatus.SUCCEEDED:
            continue
        fee = payment.fee.gross_minor if payment.fee else 0
        gone = fee + payment.wallet_minor + payment.held_minor + _disputed_away(payment) + payment.refunded_minor
        if allocated + payment.unapplied_minor + gone < arrived:
            yield f"{id} of {arrived}: {allocated} allocated, {payment.unapplied_minor} left, {gone} accounted for otherwise"


def _disputed_away(payment: Payment) -> int:
    return sum(dispute.amount_minor for dispute in payment.disputes if dispute.posted is DisputeStatus.LOST)


def _given_back(refund: Refund) -> dict[str, int]:
    """Payment → what this refund gives back of it: of the one that it names, or of the lots that it consumes."""
    if refund.payment_id:
        return {refund.payment_id: refund.amount_minor}
    lots = (source for source in refund.sources if source.document_id.startswith("pay_"))
    return {source.document_id: source.amount_minor for source in lots}


@rule(SUBLEDGER, "refunds are within what was captured")
def refunds_within(customer: Customer, subledger: Subledger) -> Iterator[str]:
    """Σ refunds of a payment that did not come to nothing ≤ what it captured (R2). What somebody gave back in the gateway's
    dashboard is a fact beside it, and whether there was enough left for that is the gateway's to know."""
    counted: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for _, refund in customer.of(Refund, subledger.currency):
        if refund.has_returned:
            continue
        counted.update(_given_back(refund))
        if not refund.id.startswith(MADE_ELSEWHERE):
            ours.update(_given_back(refund))
    for id, payment in customer.of(Payment, subledger.currency):
        if ours[id] > payment.captured_minor:
            yield f"{id} captured {payment.captured_minor}, and {ours[id]} was refunded of it"
        if counted[id] != payment.refunded_minor:
            yield f"{id} counts {payment.refunded_minor} refunded, there are refunds of {counted[id]}"


@rule(SUBLEDGER, "documents name the entries that touched them")
def documents_name_entries(customer: Customer, subledger: Subledger) -> Iterator[str]:
    """At least every entry with a posting about them, in order; others changed them without moving money."""
    for kind in HOLDINGS:
        for id, thing in customer.of(kind, subledger.currency):
            posted = subledger.touched_by.get(id, [])
            ascending = list(thing.entries) == sorted(set(thing.entries)) and max(thing.entries, default=0) <= subledger.sequence
            if not ascending or not set(posted) <= set(thing.entries):
                yield f"{id} names entries {thing.entries}, but {posted} name it"


# ---- Of a step ---------------------------------------------------------------------------------------------------------


@rule(STEP, "nobody is charged twice")
def charged_once(world: World) -> Iterator[str]:
    """Of two intents for one invoice, the second opened while the first could still charge or had done so unknown to us, not
    both are paid (P4)."""
    for first, second in world.gateway.charged_twice:
        yield f"{first} and {second} both charged the same invoice"


# ---- Of everything -----------------------------------------------------------------------------------------------------


@rule(WHOLE, "the gateway and the ledger agree")
def gateway_agrees(world: World) -> Iterator[str]:
    """Once all events have arrived: what the gateway has taken is what the books received through it, and nothing else."""
    for id, intent in world.gateway.opened.items():
        payment = world.model.customers[intent.payment.account_id].get(Payment, id)
        expected = ARRIVED.get(intent.state)
        if payment is None or (expected or payment.status) is not payment.status:
            yield f"{id} is {intent.state} at the gateway, in the books {payment.status if payment else 'nothing'}"
        elif expected is None and payment.status in ARRIVED.values():
            yield f"{id} is {payment.status} in the books, at the gateway {intent.state}"
        elif expected and payment.amount_minor != intent.captured_minor:
            yield f"{id} is {intent.captured_minor} at the gateway, in the books {payment.amount_minor}"
    for customer in world.model.customers.values():
        for payment in customer.all(Payment):
            by_gateway = payment.cash_account == world.gateway.name and payment.status is PaymentStatus.SUCCEEDED
            if by_gateway and payment.id not in world.gateway.opened:
                yield f"{payment.id} arrived through the gateway, which does not know it"


ARRIVED = {State.PAID: PaymentStatus.SUCCEEDED, State.RETURNED: PaymentStatus.REVERTED}


@rule(WHOLE, "the gateway owes what the ledger says")
def gateway_owes(world: World) -> Iterator[str]:
    """Its captures less refunds, returns, disputes and their fees are the ledger's cash at the gateway, in each currency."""
    posted = {currency: amount for (account, currency), amount in world.model.firm_accounts.items() if account == "cash:stripe"}
    for currency in sorted({*posted, *world.gateway.cash}):
        if posted.get(currency, 0) != world.gateway.cash[currency]:
            yield f"the gateway holds {world.gateway.cash[currency]} {currency}, the ledger says {posted.get(currency, 0)}"


@rule(WHOLE, "what customers saved can be charged")
def methods_known(world: World) -> Iterator[str]:
    """A method that the gateway can charge is on its customer's account, once, and the gateway's customer is known there (A3)."""
    for method_id, saved in world.gateway.saved.items():
        payment = world.model.customers[saved.account_id].account.payment
        listed = [each.id for each in payment.saved_methods]
        if method_id in world.gateway.methods and listed.count(method_id) != 1:
            yield f"{method_id} of {saved.account_id} can be charged, its account knows {listed}"
        if payment.customer_id != saved.customer_id or (payment.default_method or method_id) not in (*listed, method_id):
            yield f"{saved.account_id} is {payment.customer_id} at the gateway and charges {payment.default_method} first"


@rule(WHOLE, "numbers are gapless")
def series_complete(world: World) -> Iterator[str]:
    known = sorted(world.model.series)
    for name, series in world.model.series.items():
        if series.reserved:
            yield f"numbers {sorted(series.reserved)} of {name} were taken and never used"
    if sorted(world.books.series()) != known:
        yield f"the books list the series {world.books.series()}, invoices were issued in {known}"


@rule(WHOLE, "what is stored is what was written")
def stored_as_written(world: World) -> Iterator[str]:
    """Nothing changed but by commits: the newest versions are the store's, and the index of open items has them all."""
    for customer in world.model.customers.values():
        if customer.id not in world.unproved:
            continue
        account, balances = world.books.account_with_balances(customer.id)
        if account != customer.account or {each.currency: each for each in balances} != customer.balances:
            yield f"{customer.id} is not stored as it was written"
        listed = {item.invoice_id: item.open_minor for item in world.books.open_items(customer.id)}
        ours = {item.invoice_id: item.open_minor for item in open_items(customer)}
        if listed != ours:
            yield f"the index lists {len(listed)} open items of {customer.id}, there are {len(ours)}"


@rule(WHOLE, "nobody is sent more mail than was meant")
def mail_claimed(world: World) -> Iterator[str]:
    handed_over: Counter[Any] = Counter(mail.message_id for mail in world.mailer.sent)
    for message_id, times in handed_over.items():
        if times > world.claims[message_id]:
            yield f"{message_id} was handed over {times} times, claimed {world.claims[message_id]} times"
