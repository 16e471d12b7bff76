"""One business operation while it is decided: what it moves, and the entries that explain it (L1, L4).

A use case loads what it needs, makes an `Operation` over the balance, settles invoices or opens them again, and posts.
The operation compares every open item with how it last stood in the journal, and the posting rule gets just that
difference: so an entry says what happened to the documents by construction, and nothing moves without one.

    operation = Operation(balance, why)
    operation.hold(item, payment)
    operation.settle(payment.id, [Allocation(item.invoice_id, 12100)], value_date)
    operation.post(posting_rules.payment_allocated, payment.id)
    return operation.changes()
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from remit.domain.credits import Credit
from remit.domain.errors import LedgerBrokenError
from remit.domain.journal import Balance, EntryDraft, JournalEntry
from remit.domain.open_items import Movement, OpenItem, movements
from remit.domain.orders import Discount, OrderKind
from remit.domain.payments import Allocation, Payment
from remit.domain.posting_rules import Circumstances, Effects, TopUpRelease

type Lot = Payment | Credit
"""What can pay an invoice without money coming in: an unapplied payment, or a credit."""


@dataclass(slots=True)
class _Held:
    """A thing as it is now, as it was loaded, and as the journal last knew it (None: not at all)."""

    now: Any
    loaded: Any
    posted: Any
    changed: bool = False
    fresh: bool = False


class Operation:
    """The unit of one decision. Everything in it is one account's and of one currency."""

    def __init__(self, balance: Balance, why: Circumstances) -> None:
        self.balance = balance
        self.why = why
        self._credit_before = balance.credit_minor
        self.entries: list[JournalEntry] = []
        self._held: dict[tuple[str, str], _Held] = {}
        self._discounts: list[tuple[str, Discount]] = []
        self._recovered: list[tuple[str, int]] = []
        self._releases: list[TopUpRelease] = []

    # What it is about

    def hold(self, *things: Any) -> None:
        """Take in what was loaded; it is written only if it changes."""
        for thing in things:
            self._held[_key(thing)] = _Held(thing, thing, thing)

    def create(self, *things: Any) -> None:
        """Take in what is new; it is written."""
        for thing in things:
            self._held[_key(thing)] = _Held(thing, None, None, changed=True, fresh=True)

    def change(self, thing: Any) -> None:
        """`thing` is how what was held or created is now."""
        held = self._held[_key(thing)]
        held.changed = held.changed or thing != held.now
        held.fresh = True
        held.now = thing

    def item(self, invoice_id: str) -> OpenItem:
        found: OpenItem = self._held["OpenItem", invoice_id].now
        return found

    def lot(self, id: str) -> Lot:
        found: Lot = (self._held.get(("Payment", id)) or self._held["Credit", id]).now
        return found

    def holds(self, type_: type[Any], id: str) -> bool:
        return (type_.__name__, id) in self._held

    def get[T](self, type_: type[T], id: str) -> T:
        found: T = self._held[type_.__name__, id].now
        return found

    # What it does to invoices

    def settle(
        self,
        source_id: str,
        allocations: Sequence[Allocation],
        value_date: date,
        *,
        granted: bool = False,
        earns_discount: bool = True,
    ) -> None:
        """Pay invoices from a source that the caller accounts for: a lot, the wallet, a credit note.

        An allocation that covers what settles the invoice within its discount's time takes the discount (T5), unless it is
        no payment (`earns_discount`); one for a written-off invoice recovers it (I9). `granted`: a top-up that is paid so
        becomes balance that was given.
        """
        for allocation in allocations:
            item = self.item(allocation.invoice_id)
            if item.open_minor == 0 and item.recoverable_minor:
                self.change(item.recover(allocation.amount_minor, source_id))
                self._recovered.append((item.invoice_id, allocation.amount_minor))
                continue
            settled = item.settle(allocation.amount_minor, source_id)
            discount = item.discount_on(value_date) if earns_discount else None
            if discount and allocation.amount_minor == item.payable_on(value_date):
                settled = settled.take_discount(discount, source_id)
                self._discounts.append((item.invoice_id, discount))
            self.change(self._released(settled, "granted" if granted else "wallet"))

    def pay_from(self, lot_id: str, allocations: Sequence[Allocation], value_date: date) -> None:
        """Pay invoices out of a lot's unapplied amount."""
        lot = self.lot(lot_id)
        granted = isinstance(lot, Credit) and not lot.is_refundable
        self.settle(lot_id, allocations, value_date, granted=granted)
        self.change(_drawn(lot, allocations))

    def reopen(self, payment_id: str, allocations: Sequence[Allocation], *, keeps_discount: bool = False) -> None:
        """Take back what a payment had settled; the payment keeps nothing of it (its money went, or goes, elsewhere).

        A discount that it had earned is lost, unless the firm gives the money back of its own will (a refund).
        """
        payment = self.get(Payment, payment_id)
        payment = payment.undraw(allocations).take(sum(allocation.amount_minor for allocation in allocations))
        self.change(payment)
        for allocation in allocations:
            self._take_back(payment_id, allocation, keeps_discount=keeps_discount)

    def unallocate(self, payment_id: str, allocations: Sequence[Allocation]) -> None:
        """Take back what a payment had settled; the amount is unapplied again (P2)."""
        self.change(self.get(Payment, payment_id).undraw(allocations))
        for allocation in allocations:
            self._take_back(payment_id, allocation, keeps_discount=False)

    def _take_back(self, source_id: str, allocation: Allocation, *, keeps_discount: bool) -> None:
        item = self.item(allocation.invoice_id)
        recovered = min(item.recovered_minor, allocation.amount_minor)
        if recovered:
            item = item.unrecover(recovered, source_id)
            self._recovered.append((item.invoice_id, -recovered))
        if opened := allocation.amount_minor - recovered:
            item = self._taken_from_wallet(item.reopen(opened, source_id), opened)
        taken = item.taken_discount
        if taken and taken.source_id == source_id and not keeps_discount:
            item = item.lose_discount(source_id)
            self._discounts.append((item.invoice_id, taken.discount.reversed()))
        if not self.get(Payment, source_id).allocated_to(item.invoice_id):  # its disputes are this invoice's no more (P9)
            item = replace(item, disputed_by=tuple(each for each in item.disputed_by if each != source_id))
        self.change(item)

    def _released(self, item: OpenItem, account: str) -> OpenItem:
        """What of a paid top-up reaches the wallet now: all that is paid, but first what an earlier, returned payment had
        let be used already."""
        release = max(0, item.top_up_minor - item.open_minor)
        if not release:
            return item
        self._releases.append(TopUpRelease(item.invoice_id, account, release))
        return replace(item, top_up_minor=item.top_up_minor - release)

    def _taken_from_wallet(self, item: OpenItem, amount_minor: int) -> OpenItem:
        """A returned top-up leaves the wallet again, as far as it is still there."""
        if item.kind is not OrderKind.TOP_UP:
            return item
        released = sum(release.amount_minor for release in self._releases if release.account == "wallet")
        in_wallet = self.balance.wallet_minor + released
        taken = min(amount_minor, max(0, in_wallet))
        if taken:
            self._releases.append(TopUpRelease(item.invoice_id, "wallet", -taken))
        return replace(item, top_up_minor=item.top_up_minor + taken)

    # The entries

    @property
    def effects(self) -> Effects:
        """What has happened to invoices since the last entry."""
        moved: list[Movement] = []
        for held in self._held.values():
            if isinstance(held.now, OpenItem):
                moved += movements(held.posted, held.now)
        return Effects(tuple(moved), tuple(self._discounts), tuple(self._recovered), tuple(self._releases))

    def post(self, rule: Callable[..., EntryDraft], *about: Any, why: Circumstances | None = None) -> JournalEntry:
        """Post the entry that `rule` makes of `about` and of what happened to invoices since the last one."""
        effects = self.effects
        return self._post(rule(*about, effects, why or self.why))

    def post_plain(self, rule: Callable[..., EntryDraft], *about: Any, why: Circumstances | None = None) -> JournalEntry:
        """Post the entry of an operation that touches no invoice."""
        if self.effects != Effects():
            raise LedgerBrokenError("unposted_movement", "Something happened to an invoice that no entry explains.")
        return self._post(rule(*about, why or self.why))

    def _post(self, draft: EntryDraft) -> JournalEntry:
        statuses = {
            held.now.invoice_id: (str(held.posted.status) if held.posted else "", str(held.now.status))
            for held in self._held.values()
            if isinstance(held.now, OpenItem) and (held.posted is None or held.posted.status is not held.now.status)
        }
        entry, self.balance = self.balance.post(replace(draft, statuses=statuses))
        self.entries.append(entry)
        for held in self._held.values():
            if held.fresh:
                held.now = _touched(held.now, entry.sequence)
                held.changed = held.changed or held.now != held.loaded
                held.posted, held.fresh = held.now, False
        self._discounts, self._recovered, self._releases = [], [], []
        return entry

    def changes(self) -> list[Any]:
        """Everything to write, the balance with its lots and its place in the agenda."""
        if self.effects != Effects():
            raise LedgerBrokenError("unposted_movement", "Something happened to an invoice that no entry explains.")
        today = self.why.recorded_at.date()
        changed = [held for held in self._held.values() if held.changed]
        if self.balance.dunning.charges_interest:
            for held in changed:
                held.now = _bears_interest(held.now, held.loaded, today)
        lots = _open_lots(self.balance.lots, [held.now for held in changed])
        look_again = _look_again(self.balance, changed, self._credit_before, today)
        balance = replace(self.balance, lots=lots, look_again_on=look_again)
        return [*(held.now for held in changed), *self.entries, balance]


def _key(thing: Any) -> tuple[str, str]:
    return type(thing).__name__, thing.invoice_id if isinstance(thing, OpenItem) else thing.id


def _touched(thing: Any, sequence: int) -> Any:
    """The thing with the entry noted, where it keeps a list of those that touched it."""
    return replace(thing, entries=(*thing.entries, sequence)) if hasattr(thing, "entries") else thing


def _drawn(lot: Lot, allocations: Sequence[Allocation]) -> Lot:
    if isinstance(lot, Payment):
        return lot.draw(allocations)
    return lot.take(sum(allocation.amount_minor for allocation in allocations))


def _open_lots(known: Sequence[str], changed: Sequence[Any]) -> tuple[str, ...]:
    """The lots with something unapplied, oldest first."""
    available = {thing.id: thing.available_minor for thing in changed if isinstance(thing, Payment | Credit)}
    kept = [lot for lot in known if available.get(lot, 1)]
    return (*kept, *(lot for lot, amount in available.items() if amount and lot not in known))


def _bears_interest(now: Any, loaded: Any, today: date) -> Any:
    """The open item, marked when something of it is paid that was overdue: once all is, the rest of the interest is charged,
    on the next day at the earliest, when the day's payments are in (D9)."""
    if not isinstance(now, OpenItem) or loaded is None or now.late_interest_on or not now.can_be_charged_late:
        return now
    paid_late = now.overdue_minor(today) < loaded.overdue_minor(today)
    return replace(now, late_interest_on=today + timedelta(days=1)) if paid_late else now


def _look_again(balance: Balance, changed: Sequence[_Held], credit_before: int, today: date) -> date | None:
    """When dunning has to look at the account: earlier than planned when something falls due earlier than before or is open
    again, and now when what was overdue is settled or postponed, since something younger may now be the oldest, with a tier
    of its own (D5, P6). A dispute takes an invoice out and its decision puts it back, whatever that does to its amounts; credit
    that comes in, or money beside it, may cover what was the oldest in one currency, so that another's is (D7)."""
    days = [balance.look_again_on] if balance.look_again_on else []
    if days and balance.credit_minor > credit_before and balance.dunning.oldest_due:
        days.append(today)
    for held in changed:
        if not isinstance(held.now, OpenItem):
            continue
        before = held.loaded.next_due if held.loaded else None
        after = held.now.next_due
        first_look = after + timedelta(days=balance.dunning.first_look_days) if after else None
        if after and first_look and (before is None or after < before):
            days.append(max(first_look, min(today, after + timedelta(days=1))))
        if before and before < today and (after is None or after > before or balance.credit_minor):
            days.append(today)
        if held.loaded and first_look and bool(held.now.disputed_by) != bool(held.loaded.disputed_by):
            days.append(max(today, first_look))
    return min(days, default=None)
