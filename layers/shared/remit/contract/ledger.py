"""Balances, entries, proofs and messages as the API speaks of them."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from remit.contract.accounts import AccountView, NoteView
from remit.contract.common import ActorView, ChangeView, Page, View
from remit.contract.invoices import CollectionAttemptView, OpenItemView
from remit.domain.accounts import AccountChange, Note
from remit.domain.figures import Figure
from remit.domain.journal import EntryKind, JournalEntry, Side
from remit.domain.messages import DeliveryKind, Message, MessageStatus
from remit.domain.payments import Payment
from remit.domain.subscriptions import SubscriptionEvent, SubscriptionEventKind
from remit.usecases.explain_balance import ExplainedEntry, Explanation
from remit.usecases.read_collection import attempt_of
from remit.usecases.read_timeline import TimelineRow


class BalanceView(View):
    """`balance_minor` = receivable − credit − wallet − granted; below zero it is available credit."""

    currency: str
    balance_minor: int
    receivable_minor: int
    credit_minor: int
    wallet_minor: int = Field(description="Prepaid balance that was paid for")
    granted_minor: int = Field(description="Prepaid balance that was given")
    held_minor: int = Field(description="The customer's money that a dispute withholds")
    unbilled_minor: int = Field(description="Ordered and not invoiced yet")
    sequence: int = Field(description="Number of the last entry")


class BalancesView(View):
    balances: list[BalanceView]


class PostingView(View):
    account: str
    side: Side
    amount_minor: int
    document_id: str | None


class EntryView(View):
    id: str
    sequence: int
    kind: EntryKind
    currency: str
    effective_on: date
    recorded_at: datetime
    actor: ActorView
    reason: str | None
    order_id: str | None
    documents: dict[str, list[str]]
    postings: list[PostingView]
    hash: str

    @classmethod
    def of(cls, entry: JournalEntry) -> "EntryView":
        draft = entry.draft
        plain = {name: getattr(draft, name) for name in cls.model_fields if hasattr(draft, name)}
        documents = {role: list(ids) for role, ids in draft.documents.items()}
        return cls.model_validate(
            plain | {"id": entry.id, "sequence": entry.sequence, "hash": entry.hash, "documents": documents}
        )


class EntriesPage(View):
    """`next_after`: pass it as `after` for the entries that follow; null at the end."""

    entries: list[EntryView]
    next_after: int | None


class ExplainedEntryView(View):
    """One entry's part of the figure, and the figure after it."""

    change_minor: int
    running_minor: int
    entry: EntryView


class ExplanationView(View):
    """Why this figure? Its entries sum to it. With `document_id`, the figure of that document alone."""

    currency: str
    figure: Figure
    as_of: date | None
    document_id: str | None
    amount_minor: int
    entries: list[ExplainedEntryView]
    next_after: int | None

    @classmethod
    def of(
        cls, currency: str, figure: Figure, as_of: date | None, document_id: str | None, explanation: Explanation
    ) -> "ExplanationView":
        return cls(
            currency=currency,
            figure=figure,
            as_of=as_of,
            document_id=document_id,
            amount_minor=explanation.amount_minor,
            entries=[
                ExplainedEntryView(
                    change_minor=line.change_minor, running_minor=line.running_minor, entry=EntryView.of(line.entry)
                )
                for line in explanation.entries
            ],
            next_after=explanation.next_after,
        )


class MovementView(View):
    """One entry's part of a figure, and the figure after it. `documents` link to what it is about, by role."""

    entry_id: str
    kind: EntryKind
    effective_on: date
    recorded_at: datetime
    actor: ActorView
    reason: str | None
    documents: dict[str, list[str]]
    order_id: str | None
    amount_minor: int
    running_minor: int


class MovementsPage(Page):
    """What moved a figure in a period, in the order of the journal: from `opening_minor`, what it was before `from`, to
    `closing_minor`, what it was at the end of `to`."""

    currency: str
    figure: Figure
    opening_minor: int
    closing_minor: int
    movements: list[MovementView]

    @classmethod
    def of(cls, currency: str, figure: Figure, explanation: Explanation) -> "MovementsPage":
        return cls(
            currency=currency,
            figure=figure,
            opening_minor=explanation.opening_minor,
            closing_minor=explanation.amount_minor,
            movements=[_movement(line) for line in explanation.entries],
            cursor=str(explanation.next_after) if explanation.next_after else None,
        )


def _movement(line: ExplainedEntry) -> MovementView:
    draft = line.entry.draft
    facts = {name: getattr(draft, name) for name in MovementView.model_fields if hasattr(draft, name)}
    documents = {role: list(ids) for role, ids in draft.documents.items()}
    amounts = {"amount_minor": line.change_minor, "running_minor": line.running_minor}
    return MovementView.model_validate(facts | amounts | {"entry_id": line.entry.id, "documents": documents})


class OverviewView(View):
    """The account page: who, how much in this currency, the 20 oldest open invoices, the 20 latest entries."""

    account: AccountView
    balances: list[BalanceView]
    open_invoices: list[OpenItemView]
    latest_entries: list[EntryView]


class DifferenceView(View):
    """One thing that is stored and does not follow from the entries, or follows and is not stored."""

    account_id: str
    currency: str | None
    what: str = Field(description="What is wrong, such as `entries_missing`, or the name of the figure that differs")
    id: str = Field(description="The entry, document, order or balance")
    stored: int | str | None
    expected: int | str | None
    sentence: str = Field(description="The same for a person")


class ReplayView(View):
    """What replaying the entries proved; `differences` is empty when they explain everything."""

    account_id: str
    entries: int
    documents: int
    differences: list[DifferenceView]


class MessageView(View):
    """A message that was sent, and what became of it."""

    id: str
    template: str
    template_version: str
    to: str
    subject: str
    status: MessageStatus
    actor: ActorView
    claimed_at: datetime
    sent_at: datetime | None
    failure: str | None
    about: list[str] = Field(description="Ids of the documents that it tells of")
    policy_id: str | None = Field(description="The dunning policy by which it was sent, if by one")
    policy_revision: int | None
    delivery: DeliveryKind | None = Field(description="What counts of all that the mail provider said of it")
    template_failure: str | None = Field(description="Why the firm's own template was not used")


class DeliveryEventView(View):
    kind: DeliveryKind
    at: datetime
    reason: str | None


class SentMessageView(MessageView):
    """With the letter as it was sent, but for the secrets of its links, and all that became of it."""

    html: str
    text: str
    deliveries: list[DeliveryEventView]


class MessagesPage(Page):
    messages: list[MessageView]


class SubscriptionEventView(View):
    """Something that happened to a subscription; `facts` as they were then."""

    id: str
    subscription_id: str
    kind: SubscriptionEventKind
    facts: dict[str, Any]


class TimelineRowView(View):
    """One event on the account; the member that `type` names tells of it. Documents and money are entries; an automatic
    charge is a `collection_attempt`, whatever it came to."""

    type: Literal["entry", "change", "note", "message", "collection_attempt", "subscription"]
    at: datetime
    actor: ActorView
    entry: EntryView | None = None
    change: ChangeView | None = None
    note: NoteView | None = None
    message: MessageView | None = None
    collection_attempt: CollectionAttemptView | None = None
    subscription: SubscriptionEventView | None = None

    @classmethod
    def of(cls, row: TimelineRow) -> "TimelineRowView":
        actor = ActorView.model_validate(row.actor)
        match row.event:
            case JournalEntry():
                return cls(type="entry", at=row.at, actor=actor, entry=EntryView.of(row.event))
            case AccountChange():
                return cls(type="change", at=row.at, actor=actor, change=ChangeView.model_validate(row.event))
            case Note():
                return cls(type="note", at=row.at, actor=actor, note=NoteView.model_validate(row.event))
            case Message():
                return cls(type="message", at=row.at, actor=actor, message=MessageView.model_validate(row.event))
            case Payment():
                attempt = CollectionAttemptView.model_validate(attempt_of(row.event))
                return cls(type="collection_attempt", at=row.at, actor=actor, collection_attempt=attempt)
            case SubscriptionEvent():
                told = SubscriptionEventView.model_validate(row.event)
                return cls(type="subscription", at=row.at, actor=actor, subscription=told)


class TimelinePage(Page):
    events: list[TimelineRowView]
