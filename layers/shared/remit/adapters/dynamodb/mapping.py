"""Domain objects ↔ records, both ways, one pair of functions per class.

Bodies are encoded by msgspec, which reads and writes dataclasses with dates, decimals and enums by their type
hints and refuses what does not fit; it imports in a few milliseconds where pydantic needs 200. Fields at their default
are left out: every kilobyte is paid for with each write, and a field added later costs those nothing that do not use it.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypedDict

import msgspec

from remit.adapters.dynamodb import keys
from remit.adapters.dynamodb import records as r
from remit.adapters.dynamodb.deflate import deflate, deflate_mail, inflate
from remit.adapters.dynamodb.entry_facts import pack, unpack
from remit.domain.accounts import Account, AccountChange, Note
from remit.domain.actor import Actor, Channel
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.dunning import DunningState, PolicyRevision
from remit.domain.dunning_trials import PolicyTrial
from remit.domain.exports import Export
from remit.domain.firm import Firm
from remit.domain.invoice_batches import InvoiceBatch
from remit.domain.invoices import Invoice, NumberSeries, SpoiledNumber
from remit.domain.journal import (
    Balance,
    DraftChange,
    EntryDraft,
    EntryKind,
    JournalEntry,
    Posting,
    Side,
    TopUpState,
    canonical,
    draft_facts,
)
from remit.domain.mail_templates import MailTemplate
from remit.domain.messages import Message
from remit.domain.open_items import OpenItem
from remit.domain.orders import Order
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.plans import Plan, PlanVersion
from remit.domain.refunds import Refund, RefundStatus
from remit.domain.subscriptions import Subscription, SubscriptionEvent
from remit.domain.summaries import SummaryEnrolment, SummarySchedule
from remit.domain.terms import Part
from remit.domain.totals import ChainMark, Reached, Totals, TotalsGenerations, TotalsKey, TotalsKind
from remit.domain.wallet import WalletCharge
from remit.usecases.guards import Guard
from remit.usecases.ports import AgendaKind, Ref, place_of, plan_version_ref, totals_key_of

_PAYMENT_FACTS = (
    "id", "account_id", "currency", "amount_minor", "method", "cash_account", "created_at", "value_date",
    "reference", "intended", "gateway_ids", "status",
)  # fmt: skip
_OPEN_ITEM_KEY = ("account_id", "invoice_id", "currency")
"""What stands beside the facts already: in the keys, and as an attribute."""
_OPEN_ITEM_FACTS = (
    "number", "issued_on", "total_minor", "methods", "kind", "mode", "ordered_at",
    "subscription", "discount", "disputed_by",
)  # fmt: skip
_SEPARATOR = b"\0"
"""Between the facts of a message, its text and its HTML: JSON and letters have no such character."""
_CREDIT_STATE = ("open_minor", "reversed_by", "expired_minor", "entries")
_REFUND_STATE = (
    "status", "submit_at", "approved_by", "approved_on", "gateway_id", "reported_at", "failure", "reversed_by", "entries",
)  # fmt: skip


@cache
def _defaults(type_: type) -> dict[str, Any]:
    """Field → default, for the fields of a dataclass that have one."""
    found = {field.name: field.default for field in fields(type_) if field.default is not MISSING}
    made = {field.name: field.default_factory() for field in fields(type_) if field.default_factory is not MISSING}
    return found | made


def _sparse(value: Any) -> Any:
    """`value` as plain data, without fields that stand at their default."""
    if is_dataclass(value) and not isinstance(value, type):
        defaults = _defaults(type(value))
        named = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _sparse(each) for name, each in named if name not in defaults or defaults[name] != each}
    if isinstance(value, tuple | list):
        return [_sparse(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _sparse(each) for key, each in value.items()}
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(_sparse(value)).decode()


def _deflate(value: Any) -> bytes:
    return deflate(msgspec.json.encode(_sparse(value)))


def _inflate[T](data: bytes, type_: type[T]) -> T:
    return msgspec.json.decode(inflate(data), type=type_)


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
    return r.AccountRecord(
        pk,
        sk,
        body=_json(account),
        list_pk=list_pk,
        list_sk=list_sk,
        **_agenda(AgendaKind.CARD_EXPIRY, account.id, account.payment.tell_expiry_on),
    )


def _change_to(change: AccountChange) -> r.Record:
    pk, sk = keys.account_change(change.account_id, place_of(change))
    return r.AccountChangeRecord(pk, sk, body=_json(change))


def _balance_to(balance: Balance) -> r.Record:
    pk, sk = keys.balance(balance.account_id, balance.currency)
    any_state = any(_balance_state(balance).values())
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
        state=_json({name: value for name, value in _balance_state(balance).items() if value}) if any_state else None,
        **_agenda(AgendaKind.DUNNING, balance.account_id, balance.look_again_on),
    )


def _balance_state(balance: Balance) -> dict[str, Any]:
    """What few balances have, by field name."""
    return {
        "granted_minor": balance.granted_minor,
        "unbilled_minor": balance.unbilled_minor,
        "lots": balance.lots,
        "top_up": _sparse(balance.top_up),
        "draft_changes": _sparse(balance.draft_changes),
    }


class _AgendaPlace(TypedDict):
    agenda_pk: str | None
    agenda_at: str | None


def _agenda(kind: AgendaKind | None, account_id: str, at: date | datetime | None) -> _AgendaPlace:
    """The attributes that put an item into the agenda, or keep it out."""
    if kind is None or at is None:
        return {"agenda_pk": None, "agenda_at": None}
    return {"agenda_pk": keys.agenda(kind, keys.shard(account_id)), "agenda_at": at.isoformat()}


def _balance_from(record: r.BalanceRecord) -> Balance:
    state = msgspec.json.decode(record.state) if record.state else {}
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
        granted_minor=state.get("granted_minor", 0),
        unbilled_minor=state.get("unbilled_minor", 0),
        lots=tuple(state.get("lots", ())),
        top_up=msgspec.convert(state.get("top_up", {}), TopUpState),
        draft_changes=msgspec.convert(state.get("draft_changes", ()), tuple[DraftChange, ...]),
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
        postings=tuple(
            Posting(account, sides[side], amount, about, date.fromisoformat(due[0]) if due else None)
            for account, side, amount, about, *due in facts["postings"]
        ),
        documents={role: tuple(ids) for role, ids in facts["documents"].items()},
        order_id=facts["order_id"],
        reason=facts["reason"],
        reverses=facts.get("reverses"),
        statuses={id: (before, after) for id, (before, after) in facts.get("statuses", {}).items()},
    )


def _order_to(order: Order) -> r.Record:
    pk, sk = keys.order(order.account_id, order.id)
    return r.OrderRecord(pk, sk, currency=order.priced.currency, deflated=_deflate(order))


def _invoice_to(invoice: Invoice) -> r.Record:
    pk, sk = keys.invoice(invoice.account_id, invoice.id)
    list_pk, list_sk = keys.document_listing(invoice.series, invoice.issued_on, invoice.number)
    return r.InvoiceRecord(pk, sk, currency=invoice.currency, deflated=_deflate(invoice), list_pk=list_pk, list_sk=list_sk)


def _open_item_to(item: OpenItem) -> r.Record:
    pk, sk = keys.open_item(item.account_id, item.invoice_id)
    plain = _sparse(item)
    facts = {name: plain.pop(name) for name in _OPEN_ITEM_FACTS if name in plain}
    beside = {*_OPEN_ITEM_KEY, "open_minor", "parts", "version"}
    state = {name: value for name, value in plain.items() if name not in beside}
    due = item.next_due or date.max  # what waits for a delivery is open and owed all the same
    open_pk, open_sk = (
        keys.open_position(item.account_id, item.currency, due, item.invoice_id) if item.open_minor else (None, None)
    )
    return r.OpenItemRecord(
        pk,
        sk,
        currency=item.currency,
        deflated=_deflate(facts),
        open_minor=item.open_minor,
        parts=_json([_part_to(part) for part in item.parts]),
        state=_json(state),
        open_pk=open_pk,
        open_sk=open_sk,
        **_open_item_agenda(item),
    )


def _open_item_agenda(item: OpenItem) -> _AgendaPlace:
    """What is open may be collected; what was paid late may bear interest."""
    if item.open_minor:
        return _agenda(AgendaKind.COLLECTION, item.account_id, item.collect_on)
    return _agenda(AgendaKind.LATE_INTEREST, item.account_id, item.late_interest_on)


def _part_to(part: Part) -> list[Any]:
    facts = [part.due_date, part.amount_minor, part.open_minor]
    return facts if part.days_after_delivery is None else [*facts, part.days_after_delivery]


def _open_item_from(record: r.OpenItemRecord) -> OpenItem:
    parts = [
        {"due_date": due, "amount_minor": amount, "open_minor": open_, "days_after_delivery": days[0] if days else None}
        for due, amount, open_, *days in msgspec.json.decode(record.parts)
    ]
    key = (keys.account_id_of(record.pk), keys.id_of(record.sk), record.currency)
    figures = _json(dict(zip(_OPEN_ITEM_KEY, key, strict=True)) | {"open_minor": record.open_minor, "parts": parts})
    return _merge(OpenItem, inflate(record.deflated).decode(), figures, record.state)


def _payment_to(payment: Payment) -> r.Record:
    pk, sk = keys.payment(payment.account_id, payment.id)
    plain = _sparse(payment)
    plain.pop("version", None)
    facts = {name: plain.pop(name) for name in _PAYMENT_FACTS if name in plain}
    received = payment.value_date if payment.captured_minor else None
    list_pk, list_sk = keys.dated_listing("payment", received, payment.account_id, payment.id) if received else (None, None)
    return r.PaymentRecord(
        pk,
        sk,
        currency=payment.currency,
        deflated=_deflate(facts),
        content=_deflate(plain),
        list_pk=list_pk,
        list_sk=list_sk,
        **_payment_agenda(payment),
    )


def _payment_from(record: r.PaymentRecord) -> Payment:
    streams = (record.deflated, record.content)
    return _merge(Payment, *(inflate(stream).decode() if stream is not None else None for stream in streams))


def _payment_agenda(payment: Payment) -> _AgendaPlace:
    """An outcome to ask for, or an authorisation that will expire."""
    if payment.status is PaymentStatus.AUTHORIZED and payment.look_up_at is None:
        return _agenda(AgendaKind.AUTHORIZATION, payment.account_id, payment.authorized_until)
    return _agenda(AgendaKind.OUTCOME, payment.account_id, payment.look_up_at)


def _credit_to(credit: Credit) -> r.Record:
    pk, sk = keys.credit(credit.account_id, credit.id)
    plain = _sparse(credit)
    plain.pop("version", None)
    state = {name: plain.pop(name) for name in _CREDIT_STATE if name in plain}
    plain["open_minor"] = credit.gross_minor  # what a reader of the index sees, which does not project the state
    list_pk, list_sk = keys.dated_listing("credit", credit.issued_on, credit.account_id, credit.id)
    # Found on the first day on which it can no longer be used.
    last = credit.expires_on if credit.open_minor else None
    expires = last + timedelta(days=1) if last and last < date.max else None
    return r.CreditRecord(
        pk,
        sk,
        currency=credit.currency,
        body=_json(plain),
        state=_json(state),
        list_pk=list_pk,
        list_sk=list_sk,
        **_agenda(AgendaKind.CREDIT_EXPIRY, credit.account_id, expires),
    )


def _credit_note_to(note: CreditNote) -> r.Record:
    pk, sk = keys.credit_note(note.account_id, note.id)
    list_pk, list_sk = keys.document_listing(note.series, note.issued_on, note.number)
    return r.CreditNoteRecord(pk, sk, currency=note.currency, deflated=_deflate(note), list_pk=list_pk, list_sk=list_sk)


def _refund_to(refund: Refund) -> r.Record:
    pk, sk = keys.refund(refund.account_id, refund.id)
    plain = _sparse(refund)
    plain.pop("version", None)
    state = {name: plain.pop(name) for name in _REFUND_STATE if name in plain}
    list_pk, list_sk = keys.dated_listing("refund", refund.requested_on, refund.account_id, refund.id)
    on_hold = refund.submit_at if refund.status in (RefundStatus.ON_HOLD, RefundStatus.PENDING) else None
    return r.RefundRecord(
        pk,
        sk,
        currency=refund.currency,
        body=_json(plain | {"status": RefundStatus.ON_HOLD}),  # what a reader of the index sees; the state says how it is
        state=_json(state),
        list_pk=list_pk,
        list_sk=list_sk,
        **_agenda(AgendaKind.REFUND, refund.account_id, on_hold),
    )


def _wallet_charge_to(charge: WalletCharge) -> r.Record:
    pk, sk = keys.wallet_charge(charge.account_id, charge.id)
    return r.WalletChargeRecord(pk, sk, currency=charge.priced.currency, deflated=_deflate(charge))


def _note_to(note: Note) -> r.Record:
    pk, sk = keys.note(note.account_id, note.id)
    return r.NoteRecord(pk, sk, body=_json(note))


def _subscription_to(subscription: Subscription) -> r.Record:
    pk, sk = keys.subscription(subscription.account_id, subscription.id)
    due = _agenda(AgendaKind.SUBSCRIPTION, subscription.account_id, subscription.due_at)
    return r.SubscriptionRecord(pk, sk, currency=subscription.currency, deflated=_deflate(subscription), **due)


def _subscription_event_to(event: SubscriptionEvent) -> r.Record:
    pk, sk = keys.subscription_event(event.account_id, event.id)
    return r.SubscriptionEventRecord(pk, sk, body=_json(event))


def _plan_to(plan: Plan) -> r.Record:
    pk, sk = keys.plan(plan.id)
    list_pk, list_sk = keys.plan_listing(plan.id)
    return r.PlanRecord(pk, sk, currency=plan.currency, body=_json(plan), list_pk=list_pk, list_sk=list_sk)


def _plan_version_to(version: PlanVersion) -> r.Record:
    pk, sk = keys.plan_version(version.plan_id, plan_version_ref(version.plan_id, version.number).id)
    return r.PlanVersionRecord(pk, sk, deflated=_deflate(version))


def _message_to(message: Message) -> r.Record:
    pk, sk = keys.message(message.account_id, message.id)
    list_pk = keys.message_partition(message.account_id)
    facts = replace(message, id="", account_id="", html="", text="")
    parts = (msgspec.json.encode(_sparse(facts)), message.text.encode(), message.html.encode())
    content = deflate_mail(_SEPARATOR.join(parts))
    return r.MessageRecord(pk, sk, content=content, list_pk=list_pk, list_sk=place_of(message))


def _message_from(record: r.MessageRecord) -> Message:
    facts, *letter = inflate(record.content).split(_SEPARATOR, 2)
    text, html = (part.decode() for part in letter or (b"", b""))
    named = {"id": keys.id_of(record.sk), "account_id": keys.account_id_of(record.pk)}
    plain = msgspec.json.decode(facts) | named | {"html": html, "text": text}
    return msgspec.convert(plain, Message)


def _mail_template_to(template: MailTemplate) -> r.Record:
    pk, sk = keys.mail_template(template.key, template.id)
    return r.MailTemplateRecord(pk, sk, deflated=_deflate(template))


def _summary_schedule_to(schedule: SummarySchedule) -> r.Record:
    pk, sk = keys.summary_schedule(schedule.id)
    list_pk, list_sk = (None, None) if schedule.removed_at else keys.summary_schedule_listing(schedule.id)
    to_plan = _agenda(AgendaKind.SUMMARY_SCHEDULE, "", schedule.replan_at)
    return r.SummaryScheduleRecord(pk, sk, body=_json(schedule), list_pk=list_pk, list_sk=list_sk, **to_plan)


def _summary_enrolment_to(enrolment: SummaryEnrolment) -> r.Record:
    pk, sk = keys.summary_enrolment(enrolment.account_id, enrolment.schedule_id)
    is_listed = enrolment.withdrawn_at is None
    return r.SummaryEnrolmentRecord(
        pk,
        sk,
        state=_json(enrolment),
        list_pk=keys.enrolled_in(enrolment.schedule_id) if is_listed else None,
        list_sk=enrolment.account_id if is_listed else None,
        **_agenda(AgendaKind.SUMMARY, enrolment.account_id, enrolment.next_slot),
    )


def _series_to(series: NumberSeries) -> r.Record:
    pk, sk = keys.series(series.name)
    list_pk, list_sk = keys.series_listing(series.name)
    last = series.last_issued_on
    return r.SeriesRecord(
        pk,
        sk,
        last=series.last,
        last_issued_on=last.isoformat() if last else None,
        list_pk=list_pk,
        list_sk=list_sk,
    )


def _series_from(record: r.SeriesRecord) -> NumberSeries:
    last = record.last_issued_on
    return NumberSeries(keys.series_name_of(record.pk), record.last, date.fromisoformat(last) if last else None)


def _spoiled_number_to(spoiled: SpoiledNumber) -> r.Record:
    pk, sk = keys.spoiled_number(spoiled.id)
    list_pk, list_sk = keys.document_listing(spoiled.series, spoiled.issued_on, spoiled.id)
    return r.SpoiledNumberRecord(pk, sk, body=_json(spoiled), list_pk=list_pk, list_sk=list_sk)


def _invoice_batch_to(batch: InvoiceBatch) -> r.Record:
    pk, sk = keys.invoice_batch(batch.id)
    waiting_since = None if batch.finished_at else batch.reserved_at
    return r.InvoiceBatchRecord(pk, sk, deflated=_deflate(batch), **_agenda(AgendaKind.INVOICE_BATCH, "", waiting_since))


def _guard_to(guard: Guard) -> r.Record:
    pk, sk = keys.guard(guard.kind, guard.value)
    facts = {"fingerprint": guard.fingerprint, "answer": guard.answer, "recorded_at": guard.recorded_at}
    return r.GuardRecord(
        pk,
        sk,
        deflated=_deflate(facts),
        expires_at=int(guard.expires_at.timestamp()) if guard.expires_at else None,
    )


def _guard_from(record: r.GuardRecord) -> Guard:
    facts = msgspec.json.decode(inflate(record.deflated))
    kind, value = keys.guarded_fact(record.pk)
    return Guard(
        kind=kind,
        value=value,
        fingerprint=facts["fingerprint"],
        answer=facts["answer"],
        recorded_at=datetime.fromisoformat(facts["recorded_at"]),
        expires_at=datetime.fromtimestamp(record.expires_at, UTC) if record.expires_at else None,
    )


def _firm_to(firm: Firm) -> r.Record:
    return r.FirmRecord(*keys.FIRM, body=_json(firm))


def _policy_revision_to(revision: PolicyRevision) -> r.Record:
    pk, sk = keys.policy_revision(revision.policy.id, revision.policy.revision)
    return r.PolicyRevisionRecord(pk, sk, body=_json(revision))


def _export_to(export: Export) -> r.Record:
    pk, sk = keys.export(export.id)
    return r.ExportRecord(pk, sk, body=_json(export))


def _policy_trial_to(trial: PolicyTrial) -> r.Record:
    pk, sk = keys.policy_trial(trial.id)
    return r.PolicyTrialRecord(pk, sk, body=_json(trial))


def _chain_mark_to(mark: ChainMark) -> r.Record:
    pk, sk = keys.chain_mark(mark.account_id, mark.currency)
    reached = [[each.generation, each.sequence, each.hash] for each in mark.reached]
    return r.ChainMarkRecord(pk, sk, currency=mark.currency, body=_json(reached))


def _chain_mark_from(record: r.ChainMarkRecord) -> ChainMark:
    reached = tuple(Reached(*each) for each in msgspec.json.decode(record.body))
    return ChainMark(keys.marked_account(record.pk), record.currency, reached)


def _totals_to(totals: Totals) -> r.Record:
    pk, sk = _totals_key(totals.generation, totals.key)
    facts = [totals.generation, totals.key.kind, totals.key.currency, totals.key.period, totals.key.shard]
    return r.TotalsRecord(pk, sk, body=_json(facts), deflated=_deflate(dict(sorted(totals.amounts.items()))))


def _totals_from(record: r.TotalsRecord) -> Totals:
    generation, kind, currency, period, shard = msgspec.json.decode(record.body)
    key = TotalsKey(TotalsKind(kind), currency, period, shard)
    return Totals(generation, key, msgspec.json.decode(inflate(record.deflated)))


def _totals_key(generation: int, key: TotalsKey) -> tuple[str, str]:
    if key.kind is TotalsKind.STANDING:
        return keys.standing(generation, key.currency, key.shard)
    return keys.period_totals(generation, key.kind, key.currency, key.period, key.shard)


def _generations_to(generations: TotalsGenerations) -> r.Record:
    return r.TotalsGenerationsRecord(*keys.TOTALS_GENERATIONS, body=_json(generations))


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
    CreditNote: _credit_note_to,
    Refund: _refund_to,
    WalletCharge: _wallet_charge_to,
    Note: _note_to,
    Subscription: _subscription_to,
    SubscriptionEvent: _subscription_event_to,
    Plan: _plan_to,
    PlanVersion: _plan_version_to,
    Message: _message_to,
    SummarySchedule: _summary_schedule_to,
    SummaryEnrolment: _summary_enrolment_to,
    MailTemplate: _mail_template_to,
    NumberSeries: _series_to,
    SpoiledNumber: _spoiled_number_to,
    InvoiceBatch: _invoice_batch_to,
    Guard: _guard_to,
    Firm: _firm_to,
    PolicyRevision: _policy_revision_to,
    Export: _export_to,
    PolicyTrial: _policy_trial_to,
    ChainMark: _chain_mark_to,
    Totals: _totals_to,
    TotalsGenerations: _generations_to,
}

_FROM: dict[type[r.Record], Callable[[Any], Any]] = {
    r.AccountRecord: lambda record: _merge(Account, record.body),
    r.AccountChangeRecord: lambda record: _merge(AccountChange, record.body),
    r.BalanceRecord: _balance_from,
    r.EntryRecord: _entry_from,
    r.OrderRecord: lambda record: _inflate(record.deflated, Order),
    r.InvoiceRecord: lambda record: _inflate(record.deflated, Invoice),
    r.OpenItemRecord: _open_item_from,
    r.PaymentRecord: _payment_from,
    r.CreditRecord: lambda record: _merge(Credit, record.body, record.state),
    r.CreditNoteRecord: lambda record: _inflate(record.deflated, CreditNote),
    r.RefundRecord: lambda record: _merge(Refund, record.body, record.state),
    r.WalletChargeRecord: lambda record: _inflate(record.deflated, WalletCharge),
    r.NoteRecord: lambda record: _merge(Note, record.body),
    r.SubscriptionRecord: lambda record: _inflate(record.deflated, Subscription),
    r.SubscriptionEventRecord: lambda record: _merge(SubscriptionEvent, record.body),
    r.PlanRecord: lambda record: _merge(Plan, record.body),
    r.PlanVersionRecord: lambda record: _inflate(record.deflated, PlanVersion),
    r.MessageRecord: _message_from,
    r.MailTemplateRecord: lambda record: _inflate(record.deflated, MailTemplate),
    r.SummaryScheduleRecord: lambda record: _merge(SummarySchedule, record.body),
    r.SummaryEnrolmentRecord: lambda record: _merge(SummaryEnrolment, record.state),
    r.SeriesRecord: _series_from,
    r.SpoiledNumberRecord: lambda record: _merge(SpoiledNumber, record.body),
    r.InvoiceBatchRecord: lambda record: _inflate(record.deflated, InvoiceBatch),
    r.GuardRecord: _guard_from,
    r.FirmRecord: lambda record: _merge(Firm, record.body),
    r.PolicyRevisionRecord: lambda record: _merge(PolicyRevision, record.body),
    r.ExportRecord: lambda record: _merge(Export, record.body),
    r.PolicyTrialRecord: lambda record: _merge(PolicyTrial, record.body),
    r.ChainMarkRecord: _chain_mark_from,
    r.TotalsRecord: _totals_from,
    r.TotalsGenerationsRecord: lambda record: _merge(TotalsGenerations, record.body),
}

_KEY: dict[type, Callable[[Ref[Any]], tuple[str, str]]] = {
    Account: lambda ref: keys.account(ref.owner),
    Balance: lambda ref: keys.balance(ref.owner, ref.id),
    Order: lambda ref: keys.order(ref.owner, ref.id),
    Invoice: lambda ref: keys.invoice(ref.owner, ref.id),
    OpenItem: lambda ref: keys.open_item(ref.owner, ref.id),
    Payment: lambda ref: keys.payment(ref.owner, ref.id),
    Credit: lambda ref: keys.credit(ref.owner, ref.id),
    CreditNote: lambda ref: keys.credit_note(ref.owner, ref.id),
    Refund: lambda ref: keys.refund(ref.owner, ref.id),
    WalletCharge: lambda ref: keys.wallet_charge(ref.owner, ref.id),
    Note: lambda ref: keys.note(ref.owner, ref.id),
    JournalEntry: lambda ref: keys.entry_named(ref.owner, ref.id),
    Subscription: lambda ref: keys.subscription(ref.owner, ref.id),
    SubscriptionEvent: lambda ref: keys.subscription_event(ref.owner, ref.id),
    Plan: lambda ref: keys.plan(ref.owner),
    PlanVersion: lambda ref: keys.plan_version(ref.owner, ref.id),
    Message: lambda ref: keys.message(ref.owner, ref.id),
    SummarySchedule: lambda ref: keys.summary_schedule(ref.id),
    SummaryEnrolment: lambda ref: keys.summary_enrolment(ref.owner, ref.id),
    MailTemplate: lambda ref: keys.mail_template(ref.owner, ref.id),
    NumberSeries: lambda ref: keys.series(ref.id),
    SpoiledNumber: lambda ref: keys.spoiled_number(ref.id),
    InvoiceBatch: lambda ref: keys.invoice_batch(ref.id),
    Guard: lambda ref: keys.guard(ref.owner, ref.id),
    Firm: lambda _ref: keys.FIRM,
    PolicyRevision: lambda ref: keys.policy_revision(ref.owner, int(ref.id)),
    Export: lambda ref: keys.export(ref.id),
    PolicyTrial: lambda ref: keys.policy_trial(ref.id),
    ChainMark: lambda ref: keys.chain_mark(ref.owner, ref.id),
    Totals: lambda ref: _totals_key(int(ref.owner), totals_key_of(ref)),
    TotalsGenerations: lambda _ref: keys.TOTALS_GENERATIONS,
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
