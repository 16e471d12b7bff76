"""Payment terms: when a total is due, and how it may be paid (T1, T3, T6, T7).

A term is data. `due` names a rule and its figures; `DUE_RULES` has one function per rule, so a new kind of
term is a new entry there. A schedule's parts always sum to the total exactly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from remit.domain.errors import InvalidError


class Method(StrEnum):
    """How money reaches the firm."""

    CARD = "card"
    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    CHECK = "check"
    CARD_TERMINAL = "card_terminal"
    OTHER = "other"


class DueRule(StrEnum):
    """The rules that a term's `due` may name."""

    ON_RECEIPT = "on_receipt"
    NET_DAYS = "net_days"


@dataclass(frozen=True, slots=True)
class PaymentTerm:
    """One of the firm's payment terms.

    `days` belongs to `NET_DAYS` (1 to 365). `methods` are those that a payment of such an invoice may use.
    """

    id: str
    name: str
    due: DueRule
    days: int = 0
    methods: tuple[Method, ...] = field(default=tuple(Method))

    def __post_init__(self) -> None:
        if self.due is DueRule.NET_DAYS and not 1 <= self.days <= 365:
            raise InvalidError("bad_payment_term", f"Term {self.id}: net terms run from 1 to 365 days.")
        if self.due is DueRule.ON_RECEIPT and self.days:
            raise InvalidError("bad_payment_term", f"Term {self.id}: due on receipt has no days.")
        if not self.methods:
            raise InvalidError("bad_payment_term", f"Term {self.id} allows no payment method.")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an invoice that falls due on `due_date` (local to the firm): `open_minor` ≤ `amount_minor`.

    Overdue is computed, never stored: a part is overdue from the day *after* its due date (T7).
    """

    due_date: date
    amount_minor: int
    open_minor: int

    def is_overdue(self, today: date) -> bool:
        return self.open_minor > 0 and today > self.due_date

    def days_overdue(self, today: date) -> int:
        """Days since the due date; 0 when not overdue.

        >>> Part(date(2026, 1, 31), 100, 100).days_overdue(date(2026, 2, 1))
        1
        """
        return (today - self.due_date).days if self.is_overdue(today) else 0


def _on_receipt(_term: PaymentTerm, issued_on: date) -> date:
    return issued_on


def _net_days(term: PaymentTerm, issued_on: date) -> date:
    return issued_on + timedelta(days=term.days)


DUE_RULES: Mapping[DueRule, Callable[[PaymentTerm, date], date]] = {
    DueRule.ON_RECEIPT: _on_receipt,
    DueRule.NET_DAYS: _net_days,
}


def schedule(term: PaymentTerm, total_minor: int, issued_on: date) -> tuple[Part, ...]:
    """The parts in which `total_minor` falls due under `term`, if issued on that local date.

    >>> net30 = PaymentTerm("net30", "Net 30", DueRule.NET_DAYS, 30)
    >>> schedule(net30, 12100, date(2026, 1, 31))
    (Part(due_date=datetime.date(2026, 3, 2), amount_minor=12100, open_minor=12100),)
    """
    return (Part(DUE_RULES[term.due](term, issued_on), total_minor, total_minor),)
