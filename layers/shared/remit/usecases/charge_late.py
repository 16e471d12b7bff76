"""Charge what being late costs: a fee and interest, as an invoice of its own linked with the late one (D9).

Three occasions, one way: a notice of dunning whose tier has charges, a late invoice that was paid, and a person. Each is one
transaction that writes the charge's invoice and notes it on the late invoice's open item. What was charged is read from the
charges themselves, and the id of a charge derives from its occasion, so that whatever runs twice finds it made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from remit.domain.accounts import Account
from remit.domain.actor import Actor, Channel
from remit.domain.arrears import (
    DAY,
    Earlier,
    LateInvoice,
    allocated_payments,
    assess,
    late_charge_order,
    late_charge_order_id,
    moves_of,
)
from remit.domain.dunning import DunningPolicy, Notice
from remit.domain.errors import InvalidError, RemitError, RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, invoice_id_for, series_name
from remit.domain.journal import Balance
from remit.domain.late_charges import LateCharge, LateChargeRules
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.issue_invoice import IssuedInvoice, bill
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Loaded,
    Ref,
    account_ref,
    balance_ref,
    entry_ref,
    invoice_ref,
    open_item_ref,
    payment_ref,
    series_ref,
)

SCHEDULE = Actor("late-charges", Channel.SCHEDULE)

WAIT_WHILE_DISPUTED = timedelta(days=7)
"""How long the rest of the interest waits before it looks again whether a dispute is decided."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A late invoice with what is needed to charge it, for days from `since` on. `rules`: None while nothing is charged (D1)."""

    account: Account
    item: OpenItem
    balance: Balance
    series: NumberSeries
    rules: LateChargeRules | None
    since: date

    def refusal(self, today: date) -> RuleError | None:
        """Why nothing may be charged on that day, with the day from which it may, if that is known."""
        item, account = self.item, self.account
        if self.rules is None:
            return RuleError("late_charges_off", "Late charges are off for this account, or its dunning policy has none.")
        if not item.can_be_charged_late:
            return RuleError(
                "not_chargeable",
                f"Invoice {item.number} is {item.kind}, {item.mode} and {item.status}; being late costs nothing on it.",
                kind=str(item.kind),
                mode=str(item.mode),
                status=str(item.status),
            )
        if item.disputed_by:
            return RuleError(
                "invoice_disputed", f"A payment of invoice {item.number} is in dispute.", payments=list(item.disputed_by)
            )
        quiet = [account.dunning_paused_until, *(p.by for currency, p in account.promises.items() if currency == item.currency)]
        until = max((day for day in quiet if day and day >= today), default=None)
        if until:
            return RuleError(
                "dunning_paused",
                f"Dunning of the account rests through {until}, by a pause or a promise to pay, and so do late charges.",
                paused_until=until.isoformat(),
            )
        return None


def charge_late(
    account_id: str, notice: Notice, policy: DunningPolicy, firm: Firm, books: Books, clock: Clock
) -> tuple[str, ...]:
    """Charge the invoices that a notice is about to list, each once for the tier and the part that is oldest; the ids of all
    charges that these invoices bear then, whoever made them.

    An invoice is charged when it is itself as late as the tier from which the policy charges begins. A machine that dies
    between two invoices leaves the rest for the next run, which makes the same ids.
    """
    rules = policy.late_charges
    if rules is None:
        return ()
    key = f"tier{notice.tier.number}/{notice.parts[0].invoice_id}/{notice.oldest_due}"
    today, from_days = firm.today(clock.now()), policy.tiers[rules.first_tier - 1].from_days
    parts = [part for part in notice.parts if not part.is_late_charge and part.part.days_overdue(today) >= from_days]
    late = dict.fromkeys(part.invoice_id for part in parts)
    return tuple(
        charge for invoice_id in late for charge in _charge_for_tier(account_id, invoice_id, key, policy, firm, books, clock)
    )


def _charge_for_tier(
    account_id: str, invoice_id: str, key: str, policy: DunningPolicy, firm: Firm, books: Books, clock: Clock
) -> tuple[str, ...]:
    def decide() -> tuple[Changes, tuple[str, ...]]:
        now = clock.now()
        today = firm.today(now)
        case = _load(account_id, invoice_id, firm, books, now)
        known = case.item.late_charges
        if case.rules is None or case.refusal(today):
            return [], known
        rules, tiers = case.rules, policy.tiers
        days = max((part.days_overdue(today) for part in case.item.parts), default=0)
        interest = rules.interest if days >= tiers[rules.interest_from_tier - 1].from_days else None
        charge = assess(_late(case, books), rules.fee, interest, today, today, tiers[rules.fee_from_tier - 1].from_days)
        changes, made = _made(_bill(case, charge, key, SCHEDULE, firm, now))
        return changes, (*known, made) if made else known

    return persist(books, decide)


def charge_paid_late(account_id: str, invoice_id: str, firm: Firm, books: Books, clock: Clock) -> str | None:
    """Charge the rest of the interest of an invoice that was paid late, if it was late enough for its policy or had been
    charged before; the id of the charge, if one was due. What is disputed or paused waits."""

    def decide() -> tuple[Changes, str | None]:
        now = clock.now()
        today = firm.today(now)
        case = _load(account_id, invoice_id, firm, books, now)
        item = case.item
        if item.open_minor or item.late_interest_on is None or item.late_interest_on > today:
            return [], None
        refusal = case.refusal(today)
        if refusal and (again := _again(refusal, today)):
            return [replace(item, late_interest_on=again)], None
        done = replace(item, late_interest_on=None)
        if refusal or case.rules is None or item.status is not InvoiceStatus.PAID:
            return [done], None
        rules, case = case.rules, replace(case, item=done)
        late = _late(case, books)
        tier = firm.dunning_policy(case.account).tiers[rules.interest_from_tier - 1]
        counts = bool(item.late_charges) or late.days_late(today) >= tier.from_days
        charge = assess(late, None, rules.interest if counts else None, today, today)
        changes, made = _made(_bill(case, charge, f"through/{charge.through}", SCHEDULE, firm, now))
        return changes or [done], made

    return persist(books, decide)


def _again(refusal: RuleError, today: date) -> date | None:
    """When what may not be charged now may be."""
    if refusal.code == "dunning_paused":
        return date.fromisoformat(refusal.facts["paused_until"]) + DAY
    return today + WAIT_WHILE_DISPUTED if refusal.code == "invoice_disputed" else None


def charge_late_by_hand(
    account_id: str,
    invoice_id: str,
    through: date | None,
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """Charge an invoice now, whatever tier it has reached: interest for the days up to `through` (today unless named), however
    little, and the fee if there was none.

    `InvalidError` for days to come; `RuleError`: `late_charges_off`, `not_chargeable`, `invoice_disputed`, `dunning_paused`,
    and `nothing_to_charge` with what was charged before.
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, IssuedInvoice]:
        case = _load(account_id, invoice_id, firm, books, now)
        charge = _preview(case, through, firm.today(now), books)
        key = f"through/{charge.through or firm.today(now)}"
        changes, issued = _bill(case, charge, key, request.actor, firm, now)
        if issued is None:
            raise RuleError(
                "nothing_to_charge",
                f"Being late costs nothing more on invoice {case.item.number} so far.",
                invoice_id=invoice_id,
                late_charges=list(case.item.late_charges),
            )
        return changes, issued

    return once(books, request, now, decide)


def preview_late_charge(
    account_id: str, invoice_id: str, through: date | None, firm: Firm, books: Books, clock: Clock
) -> tuple[LateCharge, OpenItem]:
    """What `charge_late_by_hand` would charge, with the late invoice's open item; stores nothing. Refused for the same reasons,
    but for `nothing_to_charge`."""
    now = clock.now()
    case = _load(account_id, invoice_id, firm, books, now)
    return _preview(case, through, firm.today(now), books), case.item


def _preview(case: _Case, through: date | None, today: date, books: Books) -> LateCharge:
    through = through or today
    if through > today:
        raise InvalidError("through_in_future", "Interest is charged for days that have come.", latest=today.isoformat())
    refusal: RemitError | None = case.refusal(today)
    if refusal or case.rules is None:
        raise refusal or RuleError("late_charges_off", "Late charges are off for this account.")
    interest = replace(case.rules.interest, minimum={}) if case.rules.interest else None
    return assess(_late(case, books), case.rules.fee, interest, through, today)


# Reading and writing


def _load(account_id: str, invoice_id: str, firm: Firm, books: Books, now: datetime) -> _Case:
    series = series_ref(series_name(firm.invoice_prefix, firm.today(now)))
    own = balance_ref(account_id, firm.default_currency)
    loaded = books.load(account_ref(account_id), open_item_ref(account_id, invoice_id), own, series)
    account, item = need_account(loaded, account_id), need(loaded, open_item_ref(account_id, invoice_id))
    if item.currency != firm.default_currency:
        balance = balance_or_new(books.load(balance_ref(account_id, item.currency)), account_id, item.currency)
    else:
        balance = balance_or_new(loaded, account_id, item.currency)
    rules, since = firm.late_charges(account) or (None, now)
    return _Case(account, item, balance, loaded.get(series) or NumberSeries(series.id), rules, firm.today(since))


def _late(case: _Case, books: Books) -> LateInvoice:
    """The invoice with the entries that touched it, which its open item names, and the charges made before."""
    item = case.item
    entries = [entry_ref(item.account_id, item.currency, sequence) for sequence in item.entries]
    charges: list[Ref[Any]] = [invoice_ref(item.account_id, id) for id in item.late_charges]
    standing: list[Ref[Any]] = [open_item_ref(item.account_id, id) for id in item.late_charges]
    loaded = books.load(*entries, *charges, *standing)
    found = [need(loaded, ref) for ref in entries]
    payments = [payment_ref(item.account_id, id) for id in allocated_payments(found)]
    paid = books.load(*payments) if payments else Loaded({})
    value_dates = {ref.id: day for ref in payments if (day := need(paid, ref).value_date)}
    return LateInvoice(
        item,
        moves_of(item.invoice_id, found, value_dates),
        case.since,
        tuple(_earlier(id, case, loaded) for id in item.late_charges),
    )


def _earlier(invoice_id: str, case: _Case, loaded: Loaded) -> Earlier:
    invoice = need(loaded, invoice_ref(case.item.account_id, invoice_id))
    item = need(loaded, open_item_ref(case.item.account_id, invoice_id))
    charge = invoice.late_charge or LateCharge(case.item.invoice_id, case.item.number, case.item.currency)
    return Earlier(charge, item.is_void, {line.line: line.net_minor for line in item.credited})


def _bill(
    case: _Case, charge: LateCharge, key: str, actor: Actor, firm: Firm, now: datetime
) -> tuple[Changes, IssuedInvoice | None]:
    """The invoice of the charge and the note on the late one; nothing when the charge is of nothing, or was made, as the note
    says, which is written with it and never taken off."""
    order_id = late_charge_order_id(case.item.invoice_id, key)
    charge_id = invoice_id_for(order_id)
    if charge.total_minor == 0 or charge_id in case.item.late_charges:
        return [], None
    operation = Operation(case.balance, Circumstances(firm.today(now), now, actor, f"Late payment of {case.item.number}"))
    operation.hold(case.item)
    operation.change(replace(case.item, late_charges=(*case.item.late_charges, charge_id)))
    order = late_charge_order(order_id, charge, case.account, now)
    invoice, advanced = bill(operation, order, case.account, firm, case.series, None)
    changes: Sequence[Any] = (*operation.changes(), order, invoice, advanced)
    return list(changes), IssuedInvoice(invoice, operation.item(invoice.id))


def _made(billed: tuple[Changes, IssuedInvoice | None]) -> tuple[Changes, str | None]:
    changes, issued = billed
    invoice: Invoice | None = issued.invoice if issued else None
    return changes, invoice.id if invoice else None
