"""Bring back what automatic collection has stopped at (S4)."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import batched

from remit.domain.accounts import Account
from remit.domain.firm import Firm
from remit.domain.open_items import OpenItem
from remit.usecases.idempotency import persist
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Journal, open_item_ref

LOADED_AT_ONCE = 50


def resume_collection(account: Account, firm: Firm, books: Books, journal: Journal, clock: Clock, *, days_apart: int = 0) -> None:
    """Let the next run look at the account's invoices that are due and were collected before: what stopped them may be gone.

    It only looks: whether it charges is `next_step`'s to say, so doing this twice, or for nothing, charges nobody; so what a
    machine that died left is done with the next change. The first
    invoice by due date is looked at today, each further one `days_apart` days after the one before.
    """
    if not account.payment.collect_automatically or not account.payment.saved_methods:
        return
    account_id, today = account.id, firm.today(clock.now())
    due = [item for item in journal.open_items(account_id) if item.last_due_by(today)]
    looked_at = 0
    for some in batched(due, LOADED_AT_ONCE, strict=False):
        refs = [open_item_ref(account_id, item.invoice_id) for item in some]
        loaded = books.load(*refs)
        for ref in refs:
            if need(loaded, ref).collection is not None:
                _look_on(account_id, ref.id, today + timedelta(days=looked_at * days_apart), books)
                looked_at += 1


def _look_on(account_id: str, invoice_id: str, on: date, books: Books) -> None:
    """Written also when the day stays the same: a run that is at the invoice must see that it has to look again."""

    def decide() -> tuple[Changes, OpenItem]:
        ref = open_item_ref(account_id, invoice_id)
        item = need(books.load(ref), ref)
        if item.collection is None or item.is_void or not item.open_minor:
            return [], item
        moved = replace(item, collect_on=min(on, item.collect_on or on))
        return [moved], moved

    persist(books, decide)
