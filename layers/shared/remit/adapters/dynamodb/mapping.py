"""Domain objects ↔ records, both ways, one pair of functions per class.

Bodies are encoded by msgspec, which reads and writes dataclasses with dates, decimals and enums by their type
hints and refuses what does not fit; it imports in a few milliseconds where pydantic needs 200.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb import records as r
from remit.adapters.dynamodb.deflate import deflate, inflate
from remit.adapters.dynamodb.entry_facts import pack, unpack
from remit.domain.accounts import Account, AccountChange
from remit.domain.actor import Actor, Channel
from remit.domain.credits import Credit
from remit.domain.dunning import DunningState
from remit.domain.exports import Export
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, OpenItem
from remit.domain.journal import Balance, EntryDraft, EntryKind, JournalEntry, Posting, Side, canonical, draft_facts
from remit.domain.messages import Message
from remit.domain.orders import Order
from remit.domain.payments import Payment, PaymentStatus
from remit.usecases.guards import Guard
from remit.usecases.ports import Ref

_PAYMENT_FACTS = (
    "id", "account_id", "currency", "amount_minor", "method", "cash_account", "created_at", "value_date",
    "reference", "intended", "gateway_ids", "status",
)  # fmt: skip
_OPEN_ITEM_FACTS = ("account_id", "invoice_id", "number", "currency", "issued_on", "total_minor", "methods")
_CREDIT_STATE = ("open_minor", "entries")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _deflate(value: Any) -> bytes:
    return deflate(msgspec.json.encode(value))


def _inflate[T](data: bytes, type_: type[T]) -> T:
    return msgspec.json.decode(inflate(data), type=type_)


def _split(value: Any, fact_names: tuple[str, ...]) -> tuple[str, str]:
    """(facts, state): the named fields and all the others, each as JSON."""
    plain = msgspec.to_builtins(value)
    plain.pop("version")
    facts = {name: plain.pop(name) for name in fact_names}
    return _json(facts), _json(plain)


def _merge[T](type_: type[T], *parts: str | None) -> T:
    """The object whose fields are spread over JSON `parts`; a part that an index does not project is None."""
    plain: dict[str, Any] = {}
    for part in parts:
        if part is not None:
            plain |= msgspec.json.decode(part)
    return msgspec.convert(plain, type_)


def _account_to(account: Account) -> r.Record:
    pk, sk = keys.account(account.id)
    list_pk, list_sk = keys.account_listing(account.id)
    return r.AccountRecord(pk, sk, body=_json(account), list_pk=list_pk, list_sk=list_sk)


def _change_to(change: AccountChange) -> r.Record:
    pk, sk = keys.account_change(change.account_id, change.number)
    return r.AccountChangeRecord(pk, sk, body=_json(change))


def _balance_to(balance: Balance) -> r.Record:
    pk, sk = keys.balance(balance.account_id, balance.currency)
    due = balance.look_again_on
    return r.BalanceRecord(
        pk,
        sk,
        currency=balance.currency,
        receivable_minor=balance.receivable_minor,
        credit_minor=balance.credit_minor,
        wallet_minor=balance.wallet_minor,
        held_minor=balance.held_minor,
        sequence=balance.sequence,
        last_hash=balance.last_hash,
        dunning=_json(balance.dunning),
        agenda_pk=keys.dunning_agenda(keys.shard(balance.account_id)) if due else None,
        agenda_at=due.isoformat() if due else None,
    )


def _balance_from(record: r.BalanceRecord) -> Balance:
    return Balance(
        account_id=keys.account_id_of(record.pk),
        currency=record.currency,
        receivable_minor=record.receivable_minor,
        credit_minor=record.credit_minor,
        wallet_minor=record.wallet_minor,
        held_minor=record.held_minor,
        sequence=record.sequence,
        last_hash=record.last_hash,
        look_again_on=date.fromisoformat(record.agenda_at) if record.agenda_at else None,
        dunning=msgspec.json.decode(record.dunning, type=DunningState),
    )


def _entry_to(entry: JournalEntry) -> r.Record:
    draft = entry.draft
    pk, sk = keys.entry(draft.account_id, draft.currency, entry.sequence)
    list_pk, list_sk = keys.dated_listing(
        "entry", draft.effective_on, draft.account_id, f"{draft.currency}#{entry.sequence:010d}"
    )
    return r.EntryRecord(
        pk,
        sk,
        currency=draft.currency,
        body=canonical(pack(draft_facts(draft))),
        sequence=entry.sequence,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        list_pk=list_pk,
        list_sk=list_sk,
    )


def _entry_from(record: r.EntryRecord) -> JournalEntry:
    draft = draft_from_facts(keys.account_id_of(record.pk), record.currency, unpack(msgspec.json.decode(record.body)))
    return JournalEntry(draft, record.sequence, record.previous_hash, record.hash)


def draft_from_facts(account_id: str, currency: str, facts: dict[str, Any]) -> EntryDraft:
    """The inverse of `journal.draft_facts`."""
    sides = {side.value[0]: side for side in Side}
    return EntryDraft(
        kind=EntryKind(facts["kind"]),
        account_id=account_id,
        currency=currency,
        effective_on=date.fromisoformat(facts["effective_on"]),
        recorded_at=datetime.fromisoformat(facts["recorded_at"]),
        actor=Actor(facts["actor"][0], Channel(facts["actor"][1])),
        postings=tuple(Posting(account, sides[side], amount, about) for account, side, amount, about in facts["postings"]),
        documents={role: tuple(ids) for role, ids in facts["documents"].items()},
        order_id=facts["order_id"],
        reason=facts["reason"],
    )


def _order_to(order: Order) -> r.Record:
    pk, sk = keys.order(order.account_id, order.id)
    return r.OrderRecord(pk, sk, currency=order.priced.currency, deflated=_deflate(order))


def _invoice_to(invoice: Invoice) -> r.Record:
    pk, sk = keys.invoice(invoice.account_id, invoice.id)
    list_pk, list_sk = keys.invoice_listing(invoice.series, invoice.issued_on, invoice.number)
    return r.InvoiceRecord(pk, sk, currency=invoice.currency, deflated=_deflate(invoice), list_pk=list_pk, list_sk=list_sk)


def _open_item_to(item: OpenItem) -> r.Record:
    pk, sk = keys.open_item(item.account_id, item.invoice_id)
    facts, _ = _split(item, _OPEN_ITEM_FACTS)
    due = item.next_due
    open_pk, open_sk = keys.open_position(item.account_id, item.currency, due, item.invoice_id) if due else (None, None)
    return r.OpenItemRecord(
        pk,
        sk,
        currency=item.currency,
        body=facts,
        open_minor=item.open_minor,
        parts=_json([[part.due_date, part.amount_minor, part.open_minor] for part in item.parts]),
        state=_json({"entries": item.entries, "payment_attempt": item.payment_attempt}),
        open_pk=open_pk,
        open_sk=open_sk,
    )


def _open_item_from(record: r.OpenItemRecord) -> OpenItem:
    parts = [
        {"due_date": due, "amount_minor": amount, "open_minor": open_} for due, amount, open_ in msgspec.json.decode(record.parts)
    ]
    figures = _json({"open_minor": record.open_minor, "parts": parts})
    return _merge(OpenItem, record.body, figures, record.state)


def _payment_to(payment: Payment) -> r.Record:
    pk, sk = keys.payment(payment.account_id, payment.id)
    facts, state = _split(payment, _PAYMENT_FACTS)
    received = payment.value_date if payment.status is PaymentStatus.SUCCEEDED else None
    list_pk, list_sk = keys.dated_listing("payment", received, payment.account_id, payment.id) if received else (None, None)
    return r.PaymentRecord(
        pk,
        sk,
        currency=payment.currency,
        body=facts,
        state=state,
        list_pk=list_pk,
        list_sk=list_sk,
    )


def _credit_to(credit: Credit) -> r.Record:
    pk, sk = keys.credit(credit.account_id, credit.id)
    plain = msgspec.to_builtins(credit)
    plain.pop("version")
    state = {name: plain.pop(name) for name in _CREDIT_STATE}
    plain["open_minor"] = credit.gross_minor  # what a reader of the index sees, which does not project the state
    list_pk, list_sk = keys.dated_listing("credit", credit.issued_on, credit.account_id, credit.id)
    return r.CreditRecord(
        pk,
        sk,
        currency=credit.currency,
        body=_json(plain),
        state=_json(state),
        list_pk=list_pk,
        list_sk=list_sk,
    )


def _message_to(message: Message) -> r.Record:
    pk, sk = keys.message(message.account_id, message.id)
    return r.MessageRecord(pk, sk, deflated=_deflate(message))


def _series_to(series: NumberSeries) -> r.Record:
    pk, sk = keys.series(series.name)
    list_pk, list_sk = keys.series_listing(series.name)
    last = series.last_issued_on
    return r.SeriesRecord(
        pk,
        sk,
        last_issued_on=last.isoformat() if last else None,
        list_pk=list_pk,
        list_sk=list_sk,
    )


def _series_from(record: r.SeriesRecord) -> NumberSeries:
    last = record.last_issued_on
    return NumberSeries(keys.series_name_of(record.pk), record.version, date.fromisoformat(last) if last else None)


def _guard_to(guard: Guard) -> r.Record:
    pk, sk = keys.guard(guard.kind, guard.value)
    facts = {"kind": guard.kind, "value": guard.value, "answer": guard.answer, "recorded_at": guard.recorded_at}
    return r.GuardRecord(
        pk,
        sk,
        fingerprint=guard.fingerprint,
        deflated=_deflate(facts),
        expires_at=int(guard.expires_at.timestamp()) if guard.expires_at else None,
    )


def _guard_from(record: r.GuardRecord) -> Guard:
    facts = msgspec.json.decode(inflate(record.deflated))
    return Guard(
        kind=facts["kind"],
        value=facts["value"],
        fingerprint=record.fingerprint,
        answer=facts["answer"],
        recorded_at=datetime.fromisoformat(facts["recorded_at"]),
        expires_at=datetime.fromtimestamp(record.expires_at, UTC) if record.expires_at else None,
    )


def _firm_to(firm: Firm) -> r.Record:
    return r.FirmRecord(*keys.FIRM, body=_json(firm))


def _export_to(export: Export) -> r.Record:
    pk, sk = keys.export(export.id)
    return r.ExportRecord(pk, sk, body=_json(export))


_TO: dict[type, Callable[[Any], r.Record]] = {
    Account: _account_to,
    AccountChange: _change_to,
    Balance: _balance_to,
    JournalEntry: _entry_to,
    Order: _order_to,
    Invoice: _invoice_to,
    OpenItem: _open_item_to,
    Payment: _payment_to,
    Credit: _credit_to,
    Message: _message_to,
    NumberSeries: _series_to,
    Guard: _guard_to,
    Firm: _firm_to,
    Export: _export_to,
}

_FROM: dict[type[r.Record], Callable[[Any], Any]] = {
    r.AccountRecord: lambda record: _merge(Account, record.body),
    r.AccountChangeRecord: lambda record: _merge(AccountChange, record.body),
    r.BalanceRecord: _balance_from,
    r.EntryRecord: _entry_from,
    r.OrderRecord: lambda record: _inflate(record.deflated, Order),
    r.InvoiceRecord: lambda record: _inflate(record.deflated, Invoice),
    r.OpenItemRecord: _open_item_from,
    r.PaymentRecord: lambda record: _merge(Payment, record.body, record.state),
    r.CreditRecord: lambda record: _merge(Credit, record.body, record.state),
    r.MessageRecord: lambda record: _inflate(record.deflated, Message),
    r.SeriesRecord: _series_from,
    r.GuardRecord: _guard_from,
    r.FirmRecord: lambda record: _merge(Firm, record.body),
    r.ExportRecord: lambda record: _merge(Export, record.body),
}

_KEY: dict[type, Callable[[Ref[Any]], tuple[str, str]]] = {
    Account: lambda ref: keys.account(ref.owner),
    Balance: lambda ref: keys.balance(ref.owner, ref.id),
    Order: lambda ref: keys.order(ref.owner, ref.id),
    Invoice: lambda ref: keys.invoice(ref.owner, ref.id),
    OpenItem: lambda ref: keys.open_item(ref.owner, ref.id),
    Payment: lambda ref: keys.payment(ref.owner, ref.id),
    Credit: lambda ref: keys.credit(ref.owner, ref.id),
    Message: lambda ref: keys.message(ref.owner, ref.id),
    NumberSeries: lambda ref: keys.series(ref.id),
    Guard: lambda ref: keys.guard(ref.owner, ref.id),
    Firm: lambda _ref: keys.FIRM,
    Export: lambda ref: keys.export(ref.id),
}


def to_record(thing: Any) -> r.Record:
    """The record of a domain object; `KeyError` for a class that is not stored."""
    record = _TO[type(thing)](thing)
    if hasattr(thing, "version"):
        record.version = thing.version + 1
    return record


def from_record(record: r.Record) -> Any:
    """The domain object of a record, carrying the record's version where it has one."""
    thing = _FROM[type(record)](record)
    if record.version is None or not any(field.name == "version" for field in fields(thing)):
        return thing
    return replace(thing, version=record.version)


def key_of(ref: Ref[Any]) -> tuple[str, str]:
    """Where in the table a reference points."""
    return _KEY[ref.type](ref)
