"""Everything that happened to an invoice and what is still to come, on one line of time (I8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from remit.domain.actor import Actor
from remit.domain.firm import Firm
from remit.domain.journal import JournalEntry, effect
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.usecases.collect_invoice import AGENDA as COLLECTION
from remit.usecases.loading import need
from remit.usecases.ports import Books, Clock, Journal, entry_ref, open_item_ref, payment_ref
from remit.usecases.read_collection import CollectionAttempt, CollectionStanding, read_collection


class EventKind(StrEnum):
    """What stands on the line: an entry of the journal, an automatic charge and what it came to, a transaction at the gateway, a
    message to the customer, a due date that was moved, a delivery; and ahead: a part that falls due, the end of a discount, a
    planned collection."""

    ENTRY = "entry"
    COLLECTION_ATTEMPT = "collection_attempt"
    TRANSACTION = "transaction"
    MESSAGE = "message"
    POSTPONEMENT = "postponement"
    DELIVERY = "delivery"
    PART_DUE = "part_due"
    AWAITING_DELIVERY = "awaiting_delivery"
    DISCOUNT_ENDS = "discount_ends"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class PastEvent:
    """`what`: the entry's kind, the attempt's number and outcome, the transaction's type, the message's template.
    `amount_minor`: how far the entry changed what is open on this invoice, or the amount of an attempt or transaction.
    `document_id` leads to the thing itself; `note` says why."""

    occurred_at: datetime
    kind: EventKind
    what: str
    document_id: str
    amount_minor: int | None = None
    actor: Actor | None = None
    note: str | None = None
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """`on` is None for what waits for a delivery. `amount_minor`: what is open then, or what settles the invoice."""

    on: date | None
    kind: EventKind
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The past, oldest first, and the future, next first, what has no date yet at the end."""

    past: tuple[PastEvent, ...]
    future: tuple[PlannedEvent, ...]


def invoice_timeline(account_id: str, invoice_id: str, firm: Firm, books: Books, journal: Journal, clock: Clock) -> Timeline:
    """`NotFoundError` for an unknown invoice."""
    item = need(books.load(open_item_ref(account_id, invoice_id)), open_item_ref(account_id, invoice_id))
    entries = _entries(item, books)
    collection = read_collection(item, firm, books, journal, clock)
    attempts = collection.attempts if collection else ()
    past = [
        *(_posted(entry, invoice_id) for entry in entries),
        *(_attempted(attempt) for attempt in attempts),
        *_transactions(_payments(item, entries, attempts, books)),
        *(_sent(message) for message in _messages(account_id, invoice_id, journal)),
        *_moved(item),
    ]
    future = sorted(
        _planned(item, collection, firm.today(clock.now())), key=lambda event: (event.on is None, event.on or date.max)
    )
    return Timeline(tuple(sorted(past, key=lambda event: event.occurred_at)), tuple(future))


def _entries(item: OpenItem, books: Books) -> list[JournalEntry]:
    """The open item names the entries that touched it, so none is searched for."""
    refs = [entry_ref(item.account_id, item.currency, sequence) for sequence in item.entries]
    loaded = books.load(*refs) if refs else None
    return [need(loaded, ref) for ref in refs] if loaded else []


def _payments(
    item: OpenItem, entries: Sequence[JournalEntry], attempts: Sequence[CollectionAttempt], books: Books
) -> list[Payment]:
    """All payments that ever had to do with the invoice, also those that were taken back or never arrived."""
    named = [id for entry in entries for id in entry.draft.documents.get("payment", ())]
    tried = [attempt.payment_id for attempt in attempts] + ([item.payment_attempt] if item.payment_attempt else [])
    refs = [payment_ref(item.account_id, payment_id) for payment_id in dict.fromkeys([*named, *tried])]
    loaded = books.load(*refs) if refs else None
    return [payment for ref in refs if loaded and (payment := loaded.get(ref))]


def _messages(account_id: str, invoice_id: str, journal: Journal) -> Iterator[Message]:
    """Messages do not sort by time, so all of the account are looked through."""
    cursor: str | None = None
    while True:
        messages, cursor = journal.newest(Message, account_id, cursor, 100)
        yield from (message for message in messages if invoice_id in message.about)
        if cursor is None:
            return


def _posted(entry: JournalEntry, invoice_id: str) -> PastEvent:
    draft = entry.draft
    documents = tuple(id for ids in draft.documents.values() for id in ids if id != invoice_id)
    changed = effect(draft, invoice_id).get("receivable", 0)
    return PastEvent(draft.recorded_at, EventKind.ENTRY, str(draft.kind), entry.id, changed, draft.actor, draft.reason, documents)


def _attempted(attempt: CollectionAttempt) -> PastEvent:
    return PastEvent(
        attempt.made_at,
        EventKind.COLLECTION_ATTEMPT,
        f"attempt {attempt.number} from {attempt.method_label}: {attempt.outcome}",
        attempt.payment_id,
        attempt.amount_minor,
        actor=COLLECTION,
        note=attempt.reason,
    )


def _transactions(payments: Sequence[Payment]) -> Iterator[PastEvent]:
    for payment in payments:
        for each in payment.transactions:
            yield PastEvent(
                each.occurred_at,
                EventKind.TRANSACTION,
                each.type,
                each.id,
                each.amount_minor,
                note=each.note,
                documents=(payment.id,),
            )


def _sent(message: Message) -> PastEvent:
    return PastEvent(
        message.sent_at or message.claimed_at,
        EventKind.MESSAGE,
        message.template,
        message.id,
        note=str(message.delivery or message.status),
    )


def _moved(item: OpenItem) -> Iterator[PastEvent]:
    for each in item.postponements:
        what = f"part {each.part}: {each.old_due_date} to {each.new_due_date}"
        yield PastEvent(each.moved_at, EventKind.POSTPONEMENT, what, item.invoice_id, actor=each.actor, note=each.reason)
    for delivery in item.deliveries:
        what = f"{delivery.percent} % on {delivery.delivered_on}"
        yield PastEvent(delivery.reported_at, EventKind.DELIVERY, what, item.invoice_id, actor=delivery.actor)


def _planned(item: OpenItem, collection: CollectionStanding | None, today: date) -> Iterator[PlannedEvent]:
    for part in item.parts:
        if part.open_minor and part.due_date is None:
            yield PlannedEvent(None, EventKind.AWAITING_DELIVERY, part.open_minor)
        elif part.open_minor and not part.is_overdue(today):
            yield PlannedEvent(part.due_date, EventKind.PART_DUE, part.open_minor)
    if item.discount and item.discount_on(today):
        yield PlannedEvent(item.discount.until, EventKind.DISCOUNT_ENDS, item.payable_on(today))
    if collection and collection.next_on:
        yield PlannedEvent(collection.next_on, EventKind.COLLECTION, item.due_on(collection.next_on))
