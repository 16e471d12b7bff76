"""An account as dunning finds it: what is owed, what was said, what silences it (D5–D8, D10)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from remit.domain.accounts import Account, PaymentMode
from remit.domain.automations import Automation
from remit.domain.dunning import DunningState, OpenPart, Situation
from remit.domain.firm import Firm
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.orders import OrderKind
from remit.usecases.loading import proved_open_items
from remit.usecases.ports import Journal


@dataclass(frozen=True, slots=True)
class Found:
    """The situation, and which invoices it leaves out: those in dispute (D7), and those of prepaid charges (D10)."""

    situation: Situation
    disputed: tuple[OpenItem, ...]
    prepaid: tuple[OpenItem, ...]


def find_situation(account: Account, balances: Sequence[Balance], firm: Firm, journal: Journal) -> Found:
    """Everything that decides about the account's reminders beside its policy and the date.

    `TransientError` while the index of open items is behind the ledger.
    """
    items = [item for balance in balances for item in proved_open_items(balance, journal)]
    situation = Situation(
        parts=[
            OpenPart(item.invoice_id, item.number, item.currency, item.issued_on, part, item.kind is OrderKind.LATE_CHARGE)
            for item in items
            if item.mode is PaymentMode.POSTPAID and not item.disputed_by
            for part in item.parts
            if part.open_minor
        ],
        said=last_said(balance.dunning for balance in balances),
        available_credit={balance.currency: balance.credit_minor + max(0, balance.prepaid_minor) for balance in balances},
        notices_since=_since(Automation.DUNNING, account, firm),
        reminders_since=_since(Automation.REMINDERS, account, firm),
        paused_until=account.dunning_paused_until,
        promises=account.promises,
    )
    return Found(
        situation,
        disputed=tuple(item for item in items if item.disputed_by),
        prepaid=tuple(item for item in items if item.mode is PaymentMode.PREPAID),
    )


def last_said(states: Iterable[DunningState]) -> DunningState:
    """One letter covers all currencies, so what was said last, and looked after last, counts for all."""
    states = tuple(states)
    newest = max(states, key=lambda said: said.notified_on or date.min, default=DunningState())
    through = max((said.reminded_through for said in states if said.reminded_through), default=None)
    return replace(newest, reminded_through=through)


def _since(automation: Automation, account: Account, firm: Firm) -> date | None:
    since = firm.switched_on(automation, account)
    return firm.today(since) if since else None
