"""What of an invoice was overdue on each day, by the ledger, and what that costs (D9).

The journal knows what was open, by due date, as of every day (`Posting.due_date`), so that nothing else has to be kept for
interest. An entry counts from its effective date, the value date of a payment, whenever it was recorded. Two kinds count from
an earlier day:

- an allocation, or the reversal of one, from the value date of its payment: the firm had the money since then;
- a credit note on its own invoice from the beginning: what is credited was never owed.

A day is charged for with what was open at the end of the day before. So the day of payment still counts, a part payment
lowers the base from the day after its value date, and what is open again after a returned debit counts from the day after.
A due date that is moved counts from the day after the move; what was late until then stays late.
"""

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from remit.domain.accounts import Account
from remit.domain.journal import EntryKind, JournalEntry, Side
from remit.domain.late_charges import (
    Interest,
    InterestRule,
    LateCharge,
    LateFee,
    PartFee,
    Stretch,
    SubPeriod,
    half_up,
    interest,
)
from remit.domain.money import Money
from remit.domain.open_items import OpenItem
from remit.domain.orders import Line, Order, OrderKind, priced_lines
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, Part, PaymentTerm

DAY = timedelta(days=1)
DUE_AT_ONCE = PaymentTerm.single("late_charge", "Due on receipt", Due(DueRule.ON_RECEIPT))
NO_CONSIDERATION = TaxCode(
    "LATE_CHARGE",
    TaxKind.OUTSIDE_SCOPE,
    reason="Compensation for late payment, which is no consideration for a supply",
)
"""Interest for being late and compensation bear no tax: Court of Justice, case 222/81, BAZ Bausystem."""

_COUNT_FROM_VALUE_DATE = (EntryKind.PAYMENT_ALLOCATED, EntryKind.ALLOCATION_REVERSED)


@dataclass(frozen=True, slots=True)
class Move:
    """What is open of the parts due on `due_date` changed by `amount_minor` on the day `on`."""

    on: date
    due_date: date | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """A charge made before, and what of it was taken back, line by line: by a void all of it."""

    charge: LateCharge
    is_void: bool = False
    credited: Mapping[int, int] | None = None

    @property
    def credited_interest_minor(self) -> int:
        """What credit notes took off the lines of interest, which come first."""
        lines = self.credited or {}
        return sum(amount for line, amount in lines.items() if line <= len(self.charge.periods))


@dataclass(frozen=True, slots=True)
class LateInvoice:
    """An invoice with everything that bears on what its being late costs. Nothing is charged for days before `since`."""

    item: OpenItem
    moves: tuple[Move, ...]
    since: date
    earlier: tuple[Earlier, ...] = ()

    @property
    def charged_through(self) -> date:
        """The last day that interest was charged for; none is charged for twice."""
        return max((earlier.charge.through or date.min for earlier in self.earlier), default=date.min)

    def base_minor(self, day: date, grace_days: int = 0) -> int:
        """What counts as overdue on a day. Never more than was open of the whole invoice: money may have settled a part under
        a due date that it got later.
        """
        known = [move for move in self.moves if move.on < day]
        late = sum(move.amount_minor for move in known if move.due_date and (day - move.due_date).days > grace_days)
        return max(0, min(late, sum(move.amount_minor for move in known)))

    def stretches(self, first: date, through: date, grace_days: int = 0) -> Iterator[Stretch]:
        """The days from `first` on, in order, on which anything was overdue, as long as it was the same."""
        turns = {move.on + DAY for move in self.moves}
        turns |= {move.due_date + (grace_days + 1) * DAY for move in self.moves if move.due_date}
        starts = [first, *sorted(day for day in turns if first < day <= through)] if first <= through else []
        ends = [*(start - DAY for start in starts[1:]), through]
        run: Stretch | None = None
        for start, end in zip(starts, ends, strict=False):
            base = self.base_minor(start, grace_days)
            if run and run.base_minor == base:
                run = Stretch(run.first, end, base)
                continue
            if run and run.base_minor:
                yield run
            run = Stretch(start, end, base)
        if run and run.base_minor:
            yield run

    def days_late(self, through: date) -> int:
        """How late it was when it was paid last, in days after the earliest due date that was missed; 0 if none was."""
        stretches = list(self.stretches(date.min, through))
        return (stretches[-1].through - stretches[0].first).days + 1 if stretches else 0


def moves_of(invoice_id: str, entries: Iterable[JournalEntry], value_dates: Mapping[str, date]) -> tuple[Move, ...]:
    """How the entries moved what was open on the invoice. `value_dates`: of the payments that they allocate, by id."""
    return tuple(
        Move(
            _counts_from(entry, value_dates),
            posting.due_date,
            posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor,
        )
        for entry in entries
        for posting in entry.draft.postings
        if posting.account == "receivable" and posting.document_id == invoice_id
    )


def allocated_payments(entries: Iterable[JournalEntry]) -> tuple[str, ...]:
    """The payments whose value dates `moves_of` has to know."""
    found = (id for e in entries if e.draft.kind in _COUNT_FROM_VALUE_DATE for id in e.draft.documents.get("payment", ()))
    return tuple(dict.fromkeys(found))


def _counts_from(entry: JournalEntry, value_dates: Mapping[str, date]) -> date:
    draft = entry.draft
    if draft.kind is EntryKind.CREDIT_NOTE_ISSUED:
        return date.min
    if draft.kind in _COUNT_FROM_VALUE_DATE:
        return min(value_dates.get(id, draft.effective_on) for id in draft.documents["payment"])
    return draft.effective_on


# What it costs


def assess(
    late: LateInvoice, fee: LateFee | None, rule: InterestRule | None, through: date, today: date, fee_after_days: int = 1
) -> LateCharge:
    """What is charged now: interest for the days up to `through` that none was charged for, and a fee for each part that is
    overdue for `fee_after_days` at least and had none. Interest below the rule's minimum waits, unless there is a fee. It may
    come to nothing."""
    fees = _fees(late, fee, today, fee_after_days) if fee else ()
    due = _interest(late, rule, through) if rule else Interest(0, ())
    less = _too_much(late)
    least = rule.minimum.get(late.item.currency, 0) if rule and not fees else 0
    if due.amount_minor <= less or due.amount_minor - less < least:
        due, less = Interest(0, ()), 0
    return LateCharge(late.item.invoice_id, late.item.number, late.item.currency, due.periods, fees, less)


def _interest(late: LateInvoice, rule: InterestRule, through: date) -> Interest:
    first = max(late.since, late.charged_through + DAY)
    return interest(late.stretches(first, through, rule.grace_days), rule)


def _too_much(late: LateInvoice) -> int:
    """What earlier charges asked beyond what was overdue on their days as the ledger knows it now, less what later ones took
    off for that. At the rates then charged: a new rate changes nothing that was charged. Too little stays too little."""
    standing = [earlier for earlier in late.earlier if not earlier.is_void]
    over = sum(max(0, _charged(earlier) - _owed_now(late, earlier.charge)) for earlier in standing)
    return max(0, over - sum(earlier.charge.less_minor for earlier in standing))


def _charged(earlier: Earlier) -> int:
    return sum(period.share_minor for period in earlier.charge.periods) - earlier.credited_interest_minor


def _owed_now(late: LateInvoice, charge: LateCharge) -> int:
    exact = Fraction(0)
    for period in charge.periods:
        stretches = list(late.stretches(period.first, period.through))
        for each in stretches:
            base = min(each.base_minor, period.base_minor)
            exact += period.exact_on(base, (each.through - each.first).days + 1)
    return half_up(exact)


def _fees(late: LateInvoice, fee: LateFee, today: date, after_days: int) -> tuple[PartFee, ...]:
    """One for each due date that was missed: moving it on does not make a part late twice."""
    charged = {each.due_date for earlier in late.earlier for each in earlier.charge.fees}
    overdue: dict[date, int] = {}
    for number, part in enumerate(late.item.parts, 1):
        if part.due_date and part.days_overdue(today) >= after_days and not charged & _due_dates(late.item, number, part):
            overdue[part.due_date] = overdue.get(part.due_date, 0) + part.open_minor
    missed = [(due, amount) for due, amount in sorted(overdue.items()) if due + DAY >= late.since]
    fees = (PartFee(due, fee.of(amount, late.item.currency)) for due, amount in missed)
    return tuple(each for each in fees if each.amount_minor)


def _due_dates(item: OpenItem, number: int, part: Part) -> set[date | None]:
    """All due dates that a part ever had."""
    return {part.due_date, *(moved.old_due_date for moved in item.postponements if moved.part == number)}


# The order of its invoice


def late_charge_order_id(invoice_id: str, key: str) -> str:
    """The id of the one order that charges an invoice for a `key`: derived, so that charging twice is impossible. It begins
    like the invoice's own, and so stands beside it in lists by time."""
    own = invoice_id.partition("_")[2]
    digest = b32encode(hashlib.sha256(f"{invoice_id}/{key}".encode()).digest()).decode().lower()
    return "ord_" + (own[:10] + digest)[:26]


def late_charge_order(order_id: str, charge: LateCharge, account: Account, now: datetime) -> Order:
    """The order that the invoice of the charge is of: a line for each sub-period of the interest, then one for each fee.

    What earlier charges asked too much is taken off the last sub-periods, each of which says so.
    """
    lines = [*_interest_lines(charge), *(_line(_about_fee(charge, fee), fee.amount_minor) for fee in charge.fees)]
    return Order(
        id=order_id,
        account_id=account.id,
        priced=priced_lines(lines, charge.currency, prices_include_tax=False),
        term=DUE_AT_ONCE,
        placed_at=now,
        kind=OrderKind.LATE_CHARGE,
        methods=account.methods,
        late_charge=charge,
    )


def _interest_lines(charge: LateCharge) -> Sequence[Line]:
    left = charge.less_minor
    lines: list[Line] = []
    for period in reversed(charge.periods):
        less = min(left, period.share_minor)
        left -= less
        text = _about_interest(charge, period)
        if less:
            text += f", less {Money(less, charge.currency)} charged too much before"
        lines.append(_line(text, period.share_minor - less))
    return lines[::-1]


def _about_interest(charge: LateCharge, period: SubPeriod) -> str:
    base = Money(period.base_minor, charge.currency)
    return (
        f"Interest on invoice {charge.number}, {period.first} to {period.through}: {period.days} days, {base} "
        f"at {period.annual_percent.normalize():f} % a year of {period.year_days} days"
    )


def _about_fee(charge: LateCharge, fee: PartFee) -> str:
    return f"Late fee for invoice {charge.number}, due on {fee.due_date}"


def _line(description: str, amount_minor: int) -> Line:
    return Line(description, Decimal(1), amount_minor, amount_minor, NO_CONSIDERATION, "late_fees")
