"""Payment terms: in which parts a total falls due, and how it may be paid (T1–T7).

A term is data, and a firm writes its own: parts with a share and a due rule each, the methods allowed, when extra
charges are collected, a discount for early payment, a fee for paying by card. `DUE_RULES` has one function per due
rule, so a new kind of rule is a new entry there. The parts of a schedule always sum to the total exactly.
"""

import calendar
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from remit.domain.errors import InvalidError, RuleError
from remit.domain.money import round_half_up, split

MAX_PARTS = 24
LAST_DUE_DATE = date(2999, 12, 31)
"""No due date lies after this one: a slip of the keyboard, and counting days from it must still give a date."""


class Method(StrEnum):
    """How money reaches the firm."""

    CARD = "card"
    BANK_DEBIT = "bank_debit"
    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    CHECK = "check"
    CARD_TERMINAL = "card_terminal"
    OTHER = "other"


class DueRule(StrEnum):
    """From what a part's due date is counted."""

    ON_RECEIPT = "on_receipt"  # the issue date itself
    NET_DAYS = "net_days"  # the issue date + days
    END_OF_MONTH = "end_of_month"  # the last day of the month of issue + days
    FIXED_DATE = "fixed_date"  # `on`
    AFTER_SALE = "after_sale"  # the day on which the order was placed + days
    AFTER_DELIVERY = "after_delivery"  # the day of delivery + days; unscheduled until that is known


@dataclass(frozen=True, slots=True)
class Due:
    """A due rule with its figures: `days` (0 to 730) where the rule counts, `on` for `FIXED_DATE` alone."""

    rule: DueRule
    days: int = 0
    on: date | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.days <= 730:
            raise InvalidError("bad_payment_term", "Due dates are counted over 0 to 730 days.")
        if self.days and self.rule in (DueRule.ON_RECEIPT, DueRule.FIXED_DATE):
            raise InvalidError("bad_payment_term", f"{self.rule} has no days.")
        if self.rule is DueRule.NET_DAYS and not self.days:
            raise InvalidError("bad_payment_term", "Net terms have at least one day; on_receipt has none.")
        if (self.on is not None) != (self.rule is DueRule.FIXED_DATE):
            raise InvalidError("bad_payment_term", "A fixed date, and nothing else, says `on` which date.")
        if self.on and self.on > LAST_DUE_DATE:
            raise InvalidError("bad_payment_term", f"A due date is {LAST_DUE_DATE} at the latest.")


@dataclass(frozen=True, slots=True)
class TermPart:
    """A share of the total and when it falls due.

    `percent` of the goods (above 0, up to 100), or `fixed_minor` (above 0, in the term's currency), or neither: the
    rest. One part of a term at most is the rest.
    """

    due: Due
    percent: Decimal | None = None
    fixed_minor: int | None = None

    def __post_init__(self) -> None:
        if self.percent is not None and self.fixed_minor is not None:
            raise InvalidError("bad_payment_term", "A part is a percentage, a fixed amount, or the rest.")
        if self.percent is not None and not 0 < self.percent <= 100:
            raise InvalidError("bad_payment_term", "A part's percentage is above 0 and up to 100.")
        if self.fixed_minor is not None and self.fixed_minor <= 0:
            raise InvalidError("bad_payment_term", "A part's fixed amount is above 0.")

    @property
    def is_rest(self) -> bool:
        return self.percent is None and self.fixed_minor is None


class DiscountTax(StrEnum):
    """What an early-payment discount does to the tax (T5).

    EUR 100 + 21 %, 2 % discount. `ALWAYS`: the tax is always on the discounted base, 118.58 early and 120.58 late.
    `ON_EARLY_PAYMENT`: the tax falls when the discount is taken, 118.58 and 121.00. `NEVER`: the tax stays, 119.00 and
    121.00.
    """

    ALWAYS = "always"
    ON_EARLY_PAYMENT = "on_early_payment"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class EarlyDiscount:
    """`percent` off the net for payment with a value date up to `days` after the issue date: 2/10 is (2, 10)."""

    percent: Decimal
    days: int
    tax: DiscountTax = DiscountTax.ON_EARLY_PAYMENT

    def __post_init__(self) -> None:
        if not 0 < self.percent < 100 or not 0 <= self.days <= 365:
            raise InvalidError("bad_payment_term", "A discount is above 0 and below 100 percent, within 0 to 365 days.")


class ChargeKind(StrEnum):
    """Extra charges on an order beside its goods."""

    SHIPPING = "shipping"
    OTHER = "other"


class Collect(StrEnum):
    """With which part an extra charge is collected (T4)."""

    FIRST = "first"
    LAST = "last"
    PRO_RATA = "pro_rata"
    ON_DELIVERY = "on_delivery"


@dataclass(frozen=True, slots=True)
class CardFee:
    """What paying by card costs the payer on top, net: `percent` of what is paid by card plus `fixed_minor` (T4).

    It is asked for with the card payment, so it applies only to what is really paid by card. `tax_code` names the
    firm's code that taxes the fee.
    """

    tax_code: str
    percent: Decimal = Decimal(0)
    fixed_minor: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 20 or self.fixed_minor < 0 or not (self.percent or self.fixed_minor):
            raise InvalidError("bad_payment_term", "A card fee is up to 20 percent, a fixed amount, or both.")

    def net_minor(self, paid_minor: int) -> int:
        """The fee on `paid_minor`, half up.

        >>> CardFee("VAT21", Decimal("1.5"), 25).net_minor(12100)
        207
        """
        return round_half_up(Decimal(paid_minor) * self.percent / 100) + self.fixed_minor


@dataclass(frozen=True, slots=True)
class PaymentTerm:
    """One of the firm's payment terms.

    `currency` is needed where amounts are fixed, and then the term fits orders in it alone. `methods` are those that
    a payment of such an invoice may use. `collect` says for each kind of extra charge with which part it comes; with
    the first one unless named. A discount goes with a single part only (T5).
    """

    id: str
    name: str
    parts: tuple[TermPart, ...]
    methods: tuple[Method, ...] = field(default=tuple(Method))
    currency: str | None = None
    discount: EarlyDiscount | None = None
    collect: Mapping[ChargeKind, Collect] = field(default_factory=dict)
    card_fee: CardFee | None = None

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise InvalidError("bad_payment_term", f"Term {self.id} {problem}.")

    def _problem(self) -> str | None:
        percents = sum((part.percent for part in self.parts if part.percent is not None), Decimal(0))
        rests = len([part for part in self.parts if part.is_rest])
        has_fixed = any(part.fixed_minor is not None for part in self.parts) or bool(self.card_fee and self.card_fee.fixed_minor)
        rules = {
            f"has 1 to {MAX_PARTS} parts": 1 <= len(self.parts) <= MAX_PARTS,
            "has one part at most that is the rest": rests <= 1,
            "covers the total: its percentages sum to 100, or one part is the rest": percents == 100
            if not rests
            else percents < 100,
            "has fixed amounts beside a rest only": bool(rests) or not any(part.fixed_minor for part in self.parts),
            "names the currency of its fixed amounts": not has_fixed or self.currency is not None,
            "allows a payment method": bool(self.methods),
            "has an early-payment discount, and so a single part that does not wait for delivery": self.discount is None
            or (len(self.parts) == 1 and self.parts[0].due.rule is not DueRule.AFTER_DELIVERY),
        }
        broken = next((rule for rule, holds in rules.items() if not holds), None)
        return f"is wrong: a term {broken}" if broken else None

    @classmethod
    def single(cls, id: str, name: str, due: Due, methods: tuple[Method, ...] = tuple(Method)) -> "PaymentTerm":
        """A term with the whole total due at once."""
        return cls(id, name, (TermPart(due),), methods)

    @property
    def is_in_instalments(self) -> bool:
        return len(self.parts) > 1

    def fits(self, currency: str) -> bool:
        """Whether an order in `currency` can have this term."""
        return self.currency is None or self.currency == currency


class PartStatus(StrEnum):
    """How a part of an invoice stands on a day (T2). Computed, never stored."""

    UNSCHEDULED = "unscheduled"
    OPEN = "open"
    OVERDUE = "overdue"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an invoice that falls due on `due_date` (local to the firm): `open_minor` ≤ `amount_minor`.

    A part that waits for its delivery date is *unscheduled*: `due_date` is None, it is never due and never overdue,
    and `days_after_delivery` says when it will be (T2). Overdue is computed, never stored: a part is overdue from the
    day *after* its due date (T7).
    """

    due_date: date | None
    amount_minor: int
    open_minor: int
    days_after_delivery: int | None = None

    def is_overdue(self, today: date) -> bool:
        return self.open_minor > 0 and self.due_date is not None and today > self.due_date

    def days_overdue(self, today: date) -> int:
        """Days since the due date; 0 when not overdue.

        >>> Part(date(2026, 1, 31), 100, 100).days_overdue(date(2026, 2, 1))
        1
        """
        return (today - self.due_date).days if self.due_date and self.is_overdue(today) else 0

    def status(self, today: date) -> PartStatus:
        if not self.open_minor:
            return PartStatus.SETTLED
        if self.due_date is None:
            return PartStatus.UNSCHEDULED
        return PartStatus.OVERDUE if self.is_overdue(today) else PartStatus.OPEN

    @property
    def position(self) -> tuple[bool, date]:
        """Where the part stands among others, oldest due first; what is unscheduled comes last."""
        return self.due_date is None, self.due_date or date.max


@dataclass(frozen=True, slots=True)
class Occasion:
    """The days that due rules count from, local to the firm."""

    issued_on: date
    sold_on: date


def _end_of_month(due: Due, occasion: Occasion) -> date:
    issued = occasion.issued_on
    last_day = calendar.monthrange(issued.year, issued.month)[1]
    return issued.replace(day=last_day) + timedelta(days=due.days)


DUE_RULES: Mapping[DueRule, Callable[[Due, Occasion], date | None]] = {
    DueRule.ON_RECEIPT: lambda _due, occasion: occasion.issued_on,
    DueRule.NET_DAYS: lambda due, occasion: occasion.issued_on + timedelta(days=due.days),
    DueRule.END_OF_MONTH: _end_of_month,
    DueRule.FIXED_DATE: lambda due, _occasion: due.on,
    DueRule.AFTER_SALE: lambda due, occasion: occasion.sold_on + timedelta(days=due.days),
    DueRule.AFTER_DELIVERY: lambda _due, _occasion: None,
}


def due_date(due: Due, occasion: Occasion) -> date | None:
    """The date, never before the invoice was issued; None while it waits for a delivery.

    >>> due_date(Due(DueRule.END_OF_MONTH, 15), Occasion(date(2028, 2, 3), date(2028, 2, 1)))
    datetime.date(2028, 3, 15)
    """
    on = DUE_RULES[due.rule](due, occasion)
    return max(on, occasion.issued_on) if on else None


def schedule(
    term: PaymentTerm, total_minor: int, occasion: Occasion, charges: Mapping[ChargeKind, int] | None = None
) -> tuple[Part, ...]:
    """The parts in which `total_minor` falls due under `term`; `charges` (gross, by kind) are included in the total.

    Goods are split by the parts' shares, largest remainder, ties to the earlier part; then each charge is added as the
    term's `collect` says. The parts sum to the total exactly (T2). A part of nothing is left out.

    >>> net30 = PaymentTerm.single("net30", "Net 30", Due(DueRule.NET_DAYS, 30))
    >>> schedule(net30, 12100, Occasion(date(2026, 1, 31), date(2026, 1, 31)))[0].due_date
    datetime.date(2026, 3, 2)

    30 % now and the rest in a month, of 100.01, with 5.00 shipping in the first part: 35.00 and 70.01.

    `RuleError` `term_does_not_fit` when the fixed amounts exceed the total.
    """
    extra = {kind: amount for kind, amount in (charges or {}).items() if amount}
    goods = total_minor - sum(extra.values())
    amounts = list(_shares(term, goods))
    dues = [part.due for part in term.parts]
    for kind, amount in extra.items():
        _add_charge(amounts, dues, amount, term.collect.get(kind, Collect.FIRST))
    parts = [
        Part(due_date(due, occasion), amount, amount, due.days if due.rule is DueRule.AFTER_DELIVERY else None)
        for due, amount in zip(dues, amounts, strict=True)
    ]
    return tuple(part for part in parts if part.amount_minor) or (replace(parts[0]),)


def _shares(term: PaymentTerm, goods_minor: int) -> Sequence[int]:
    """What each part takes of the goods. Fixed amounts are taken out of the rest."""
    percents = [part.percent for part in term.parts if part.percent is not None]
    rest = next((index for index, part in enumerate(term.parts) if part.is_rest), None)
    left = Decimal(100) - sum(percents, Decimal(0))
    weights = [left if part.is_rest else part.percent or Decimal(0) for part in term.parts]
    amounts = list(split(goods_minor, weights))
    for index, part in enumerate(term.parts):
        if part.fixed_minor is not None and rest is not None:
            amounts[index] = part.fixed_minor
            amounts[rest] -= part.fixed_minor
    if min(amounts) < 0:
        raise RuleError(
            "term_does_not_fit",
            f"The fixed amounts of term {term.id} exceed the total of {goods_minor}.",
            term_id=term.id,
            total_minor=goods_minor,
        )
    return amounts


def _add_charge(amounts: list[int], dues: list[Due], charge_minor: int, collect: Collect) -> None:
    """Add a charge to the part(s) that it is collected with; on delivery may need a part of its own."""
    if collect is Collect.PRO_RATA and any(amounts):
        for index, share in enumerate(split(charge_minor, amounts)):
            amounts[index] += share
        return
    if collect is Collect.ON_DELIVERY:
        waiting = [index for index, due in enumerate(dues) if due.rule is DueRule.AFTER_DELIVERY]
        if not waiting:
            dues.append(Due(DueRule.AFTER_DELIVERY))
            amounts.append(0)
            waiting = [len(dues) - 1]
        amounts[waiting[0]] += charge_minor
        return
    amounts[-1 if collect is Collect.LAST else 0] += charge_minor


def deliver(
    parts: Sequence[Part], percent: Decimal, already_percent: Decimal, delivered_on: date, issued_on: date = date.min
) -> tuple[Part, ...]:
    """Schedule the share of every unscheduled part that a delivery triggers (T2).

    `percent` of the whole order was delivered, after `already_percent` before. The delivered share of a part is split
    off with its due date; what is still to come stays unscheduled. The last delivery (100 % reached) takes the rest, so
    nothing is lost to rounding. No due date lies before the invoice was issued.

    >>> parts = deliver([Part(None, 100, 100, 14)], Decimal(40), Decimal(0), date(2026, 5, 1))
    >>> [(part.due_date, part.open_minor) for part in parts]
    [(datetime.date(2026, 5, 15), 40), (None, 60)]
    """
    to_come = Decimal(100) - already_percent
    if not 0 < percent <= to_come:
        raise RuleError(
            "delivery_exceeds_order",
            f"{already_percent} percent is delivered; {percent} more cannot be.",
            open_percent=str(to_come),
        )
    result: list[Part] = []
    for part in parts:
        if part.due_date is not None or part.days_after_delivery is None:
            result.append(part)
            continue
        due = max(delivered_on + timedelta(days=part.days_after_delivery), issued_on)
        share = split(part.amount_minor, [percent, to_come - percent])[0]
        # Money paid ahead lies on what is delivered first.
        paid = min(part.amount_minor - part.open_minor, share)
        rest_paid = part.amount_minor - part.open_minor - paid
        rest = part.amount_minor - share
        pieces = (replace(part, due_date=due, amount_minor=share, open_minor=share - paid),
                  replace(part, amount_minor=rest, open_minor=rest - rest_paid))  # fmt: skip
        result += [piece for piece in pieces if piece.amount_minor]
    return tuple(result)
