"""The payment methods that the gateway keeps for an account, and which of them is charged (A3, G5)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from remit.domain.accounts import Account, AccountChange, PaymentSettings
from remit.domain.actor import Actor, Channel
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Changes, CheckoutPage, Clock, Ids, Journal, PaymentGateway, account_ref
from remit.usecases.resume_collection import resume_collection

REMIT = Actor("payments", Channel.GATEWAY)
"""Who notes what the gateway was asked for on the way to something else."""


@dataclass(frozen=True, slots=True)
class MethodReport:
    """The gateway says that a customer saved a method, or agreed while paying that it may be charged again."""

    account_id: str
    method_id: str
    customer_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Setup:
    """A hosted page on which a method is saved, by the id that the gateway was asked with."""

    id: str
    account_id: str


def start_setup(
    account_id: str,
    return_url: str,
    request: Request[Setup],
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
    ids: Ids,
) -> tuple[CheckoutPage, Answer]:
    """A hosted page on which the customer saves a card or bank account for later (A3).

    Nothing is saved before the gateway says so by an event. The same request again finds the same page, while the gateway
    keeps it (a day).
    """
    now = clock.now()
    setup_id = ids.new("set")

    def decide(consistent: bool) -> tuple[Changes, Setup]:
        need_account(books.load(account_ref(account_id)), account_id)
        return [], Setup(setup_id, account_id)

    answer = once(books, request, now, decide)
    account = need_account(books.load(account_ref(account_id)), account_id)
    customer = customer_of(account, books, gateway, now)
    page = gateway.start_setup(answer.body["id"], account_id, customer, account.default_currency, return_url)
    return page, answer


def customer_of(account: Account, books: Books, gateway: PaymentGateway, now: datetime) -> str:
    """The gateway's customer of this account; made, and noted on the account, when there is none yet."""
    if known := account.payment.customer_id:
        return known
    made = gateway.create_customer(account)

    def note(settings: PaymentSettings) -> PaymentSettings:
        return settings if settings.customer_id else replace(settings, customer_id=made)

    noted = change_settings(account.id, note, REMIT, now, books)
    return noted.payment.customer_id or made


def save_method(
    report: MethodReport, actor: Actor, firm: Firm, books: Books, journal: Journal, gateway: PaymentGateway, clock: Clock
) -> Account | None:
    """Keep a method that the customer saved, with a label and an expiry that the customer knows it by (A3).

    The first one becomes the default, and what could not be collected is looked at again. Told twice it is kept once; one that
    was given up meanwhile is not kept. None when the gateway has nothing to charge under that id.
    """
    saved = gateway.saved_method(report.method_id, report.occurred_at)
    if saved is None:
        return None

    def keep(settings: PaymentSettings) -> PaymentSettings:
        known = next((each for each in settings.saved_methods if each.id == saved.id), None)
        as_first_told = replace(saved, saved_at=known.saved_at, expiry_told=known.expiry_told) if known else saved
        settings = settings if known == as_first_told else settings.with_method(as_first_told)
        return settings if settings.customer_id else replace(settings, customer_id=report.customer_id)

    account = change_settings(report.account_id, keep, actor, clock.now(), books)
    resume_collection(account, firm, books, journal, clock)
    return account


def forget_method(
    account_id: str,
    method_id: str,
    actor: Actor,
    firm: Firm,
    books: Books,
    journal: Journal,
    gateway: PaymentGateway,
    clock: Clock,
) -> Account:
    """Give a saved method up, at the gateway first: what is off the list must not be chargeable any more.

    The next one, if any, becomes the default, as by `choose_default_method`. `NotFoundError` when the account has no such method.
    """
    _require_method(need_account(books.load(account_ref(account_id)), account_id), method_id)
    gateway.forget_method(method_id)
    account = change_settings(account_id, lambda settings: settings.without_method(method_id), actor, clock.now(), books)
    resume_collection(account, firm, books, journal, clock)
    return account


def choose_default_method(
    account_id: str, method_id: str, actor: Actor, firm: Firm, books: Books, journal: Journal, clock: Clock
) -> Account:
    """Which saved method is charged when none is named. What could not be collected from the one before is due again (S4)."""

    def choose(settings: PaymentSettings) -> PaymentSettings:
        return replace(settings, default_method=method_id)

    _require_method(need_account(books.load(account_ref(account_id)), account_id), method_id)
    account = change_settings(account_id, choose, actor, clock.now(), books)
    resume_collection(account, firm, books, journal, clock)
    return account


def _require_method(account: Account, method_id: str) -> None:
    if method_id not in [saved.id for saved in account.payment.saved_methods]:
        raise NotFoundError("payment_method_not_found", "There is no such saved payment method.", id=method_id)


def change_settings(
    account_id: str, to: Callable[[PaymentSettings], PaymentSettings], actor: Actor, now: datetime, books: Books
) -> Account:
    """Change how the account pays, with a line in its history; what is so already writes nothing."""

    def decide() -> tuple[Changes, Account]:
        account = need_account(books.load(account_ref(account_id)), account_id)
        changed = replace(account, payment=to(account.payment))
        if changed == account:
            return [], account
        before, after = {"payment": account.payment}, {"payment": changed.payment}
        return [changed, AccountChange(account_id, changed.version + 1, now, actor, before, after)], changed

    return persist(books, decide)
