"""Balances, entries, proofs and messages as the API speaks of them."""

from datetime import date, datetime

from pydantic import Field

from remit.contract.accounts import AccountView
from remit.contract.common import ActorView, Page, View
from remit.contract.invoices import OpenItemView
from remit.domain.journal import EntryKind, JournalEntry, Side
from remit.domain.messages import MessageStatus
from remit.usecases.explain_balance import Explanation, Figure


class BalanceView(View):
    """`balance_minor` = receivable − credit − wallet; below zero it is available credit."""

    currency: str
    balance_minor: int
    receivable_minor: int
    credit_minor: int
    wallet_minor: int
    held_minor: int
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
    """Why this figure? Its entries sum to it."""

    currency: str
    figure: Figure
    as_of: date | None
    amount_minor: int
    entries: list[ExplainedEntryView]
    next_after: int | None

    @classmethod
    def of(cls, currency: str, figure: Figure, as_of: date | None, explanation: Explanation) -> "ExplanationView":
        return cls(
            currency=currency,
            figure=figure,
            as_of=as_of,
            amount_minor=explanation.amount_minor,
            entries=[
                ExplainedEntryView(
                    change_minor=line.change_minor, running_minor=line.running_minor, entry=EntryView.of(line.entry)
                )
                for line in explanation.entries
            ],
            next_after=explanation.next_after,
        )


class OverviewView(View):
    """The account page: who, how much in this currency, the 20 oldest open invoices, the 20 latest entries."""

    account: AccountView
    balances: list[BalanceView]
    open_invoices: list[OpenItemView]
    latest_entries: list[EntryView]


class ReplayView(View):
    """What replaying the entries proved; `differences` is empty when they explain everything."""

    account_id: str
    entries: int
    documents: int
    differences: list[str]


class MessageView(View):
    """A message that was sent, and what became of it."""

    id: str
    template: str
    template_version: str
    to: str
    subject: str
    status: MessageStatus
    claimed_at: datetime
    sent_at: datetime | None
    failure: str | None
    about: list[str] = Field(description="Ids of the documents that it tells of")


class MessagesPage(Page):
    messages: list[MessageView]
