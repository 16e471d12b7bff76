"""What renewing, changing and canceling a subscription have in common: its next period billed, and what was billed for too
long credited, within an operation that may do more."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from remit.domain.accounts import Account
from remit.domain.credit_notes import CreditNote, CreditNoteTerms
from remit.domain.errors import RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, invoice_id_for, series_name
from remit.domain.journal import Balance
from remit.domain.money import round_half_up
from remit.domain.operation import Operation
from remit.domain.orders import Order, OrderKind
from remit.domain.plans import Plan, PlanVersion
from remit.domain.subscriptions import Agreed, Period, Subscription, order_id_of
from remit.domain.wallet import require_credit
from remit.usecases.apply_credit import apply_lots, is_for_one_period
from remit.usecases.issue_credit_note import CreditNoteWish, load_case, post_credit_note
from remit.usecases.issue_invoice import bill
from remit.usecases.loading import balance_or_new, need, need_account
from remit.usecases.place_order import OrderWish, agreed
from remit.usecases.ports import (
    Books,
    Clock,
    account_ref,
    balance_ref,
    invoice_ref,
    plan_ref,
    plan_version_ref,
    series_ref,
    subscription_ref,
)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription with what billing it needs."""

    account: Account
    subscription: Subscription
    balance: Balance
    series: NumberSeries


def load_subscribed(account_id: str, subscription_id: str, firm: Firm, books: Books, clock: Clock) -> Subscribed:
    """All of it in one request, but for a subscription in another currency than the firm's."""
    series = series_ref(series_name(firm.invoice_prefix, firm.today(clock.now())))
    guess = balance_ref(account_id, firm.default_currency)
    loaded = books.load(account_ref(account_id), subscription_ref(account_id, subscription_id), guess, series)
    account = need_account(loaded, account_id)
    subscription = need(loaded, subscription_ref(account_id, subscription_id))
    if subscription.currency != firm.default_currency:
        balance = balance_or_new(books.load(balance_ref(account_id, subscription.currency)), account_id, subscription.currency)
    else:
        balance = balance_or_new(loaded, account_id, subscription.currency)
    return Subscribed(account, subscription, balance, loaded.get(series) or NumberSeries(series.id))


def plan_to_bill(known: Agreed, books: Books) -> tuple[Plan, PlanVersion]:
    """The plan, and the version of it that the next period is billed at: the one it has, or a newer one for renewals."""
    at, guess = plan_ref(known.plan_id), plan_version_ref(known.plan_id, known.plan_version)
    loaded = books.load(at, guess)
    plan = need(loaded, at)
    wanted = plan_version_ref(known.plan_id, known.billed_at(plan))
    return plan, need(loaded if wanted == guess else books.load(wanted), wanted)


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """The subscription after it, and its documents; none where the period costs nothing."""

    subscription: Subscription
    order: Order | None = None
    invoice: Invoice | None = None
    series: NumberSeries | None = None

    @property
    def changes(self) -> list[Any]:
        """What to write beside what the operation changes."""
        return [each for each in (self.subscription, self.order, self.invoice, self.series) if each is not None]


def bill_next_period(operation: Operation, case: Subscribed, firm: Firm, books: Books) -> BilledPeriod:
    """Order and invoice the next period of `case.subscription` at the price of its plan (S2).

    `RuleError` and `InvalidError` as placing an order and issuing its invoice refuse: `credit_limit_exceeded`,
    `wallet_too_low`, `no_payment_term`…
    """
    account, subscription, now = case.account, case.subscription, operation.why.recorded_at
    period = subscription.period(subscription.next_period)
    if period is None:
        raise RuleError("subscription_over", "There is no period to bill.")
    plan, version = plan_to_bill(period.agreed, books)
    moved, lines = subscription.billed(plan), period.lines(version.offer)
    if not any(round_half_up(line.quantity * line.unit_price_minor) for line in lines):
        return BilledPeriod(moved)
    named, offer = subscription.named(period.number), version.offer
    wish = OrderWish(
        account.id, lines, subscription.currency, offer.prices_include_tax, offer.term_id, None, OrderKind.SUBSCRIPTION, named
    )
    priced, term, methods = agreed(wish, account, firm, books, now)
    require_credit(account, operation.balance, priced.payable_minor, firm.today(now))
    order_id = order_id_of(subscription.id, period)
    order = Order(order_id, account.id, priced, term, now, kind=wish.kind, methods=methods, subscription=named)
    invoice, advanced = bill(operation, order, account, firm, case.series, None)
    return BilledPeriod(moved, order, invoice, advanced)


def pay_with_own_credits(operation: Operation, invoice: Invoice, account: Account, firm: Firm, books: Books) -> None:
    """Let credits pay the invoice: all that may where the account says so (C3), and always those for the subscription's first
    or final invoice (C1)."""
    period = invoice.subscription
    if account.apply_credits:
        apply_lots(operation, account.id, invoice.id, firm, books, consistent=True)
    elif period and (period.is_first or period.is_final):
        apply_lots(operation, account.id, invoice.id, firm, books, consistent=True, wanted=is_for_one_period)


def invoice_id_of(subscription: Subscription, period: Period) -> str:
    """The id that the invoice of a period has, if it has one."""
    return invoice_id_for(order_id_of(subscription.id, period))


def credit_unused(
    operation: Operation,
    note_id: str,
    subscription: Subscription,
    period: Period,
    today: date,
    reason: str,
    firm: Firm,
    books: Books,
    clock: Clock,
) -> tuple[CreditNote, NumberSeries] | None:
    """Credit the rest of a billed period within the operation; the note, and the counter to write. None where nothing was
    billed, or nothing is left of it.

    What is credited is decided by the very item that is written: what somebody else credited meanwhile is a lost race, and no
    refusal.
    """
    account_id, invoice_id = subscription.account_id, invoice_id_of(subscription, period)
    if books.load(invoice_ref(account_id, invoice_id)).get(invoice_ref(account_id, invoice_id)) is None:
        return None
    wish = CreditNoteWish(account_id, invoice_id, (), CreditNoteTerms(reason))
    case = load_case(wish, firm, books, clock)
    lines = () if case.item.is_void else period.unused(case.invoice, case.item, today)
    return post_credit_note(operation, note_id, case, replace(wish, lines=lines), firm) if lines else None
