"""A payment attempt at the gateway: what is asked for, beside what it must not be made, and how it is ended (P3, P4, T4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from remit.domain.actor import Actor
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.payments import Allocation, Ending, Fee, Payment, PaymentStatus, check_allocations
from remit.domain.tax import tax_on
from remit.domain.terms import Method
from remit.usecases.apply_gateway_report import note_answer
from remit.usecases.idempotency import Request, persist
from remit.usecases.loading import need
from remit.usecases.ports import (
    Books,
    Changes,
    Clock,
    Loaded,
    PaymentGateway,
    Ref,
    account_ref,
    invoice_ref,
    open_item_ref,
    payment_ref,
)

LOOK_UP_AFTER = timedelta(minutes=2)
"""An answer that did not come by then is asked for: the call itself gives up within half a minute."""


@dataclass(frozen=True, slots=True)
class Pick:
    """An invoice to pay, and how much of it; None: all that settles it today."""

    invoice_id: str
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Payable:
    """What an attempt would ask for: the invoices with their shares, a card fee, and both together."""

    currency: str
    items: tuple[OpenItem, ...]
    intended: tuple[Allocation, ...]
    fee: Fee | None

    @property
    def amount_minor(self) -> int:
        return sum(share.amount_minor for share in self.intended) + (self.fee.gross_minor if self.fee else 0)

    def is_asked_by(self, attempt: Payment) -> bool:
        """Whether an attempt asks for exactly this."""
        return (attempt.amount_minor, attempt.intended) == (self.amount_minor, self.intended)


def refs_of(account_id: str, picks: Sequence[Pick]) -> list[Ref[Any]]:
    """What has to be loaded to know what is payable: invoices with their terms, open items, and the account."""
    refs: list[Ref[Any]] = [account_ref(account_id)]
    for pick in picks:
        refs += [open_item_ref(account_id, pick.invoice_id), invoice_ref(account_id, pick.invoice_id)]
    return refs


def payable(account_id: str, picks: Sequence[Pick], method: Method, loaded: Loaded, firm: Firm, today: date) -> Payable:
    """What paying these invoices by `method` takes today: less within a discount's time (T5), more by a card fee (T4).

    `NotFoundError` for an unknown invoice, `InvalidError` for invoices in several currencies, `RuleError` for one that is
    settled, void or in dispute, whose term refuses the method, or that has less open than was picked.
    """
    items = [need(loaded, open_item_ref(account_id, pick.invoice_id)) for pick in picks]
    invoices = [need(loaded, invoice_ref(account_id, pick.invoice_id)) for pick in picks]
    if not picks:
        raise InvalidError("no_invoices", "Name at least one invoice.")
    currency = items[0].currency
    shares: list[Allocation] = []
    for pick, item in zip(picks, items, strict=True):
        if item.currency != currency:
            raise InvalidError("currency_mismatch", f"Invoice {item.number} is in {item.currency}, not {currency}.")
        shares.append(_share(pick, item, method, today))
    check_allocations(shares, sum(share.amount_minor for share in shares))
    fee = _fee(invoices, shares, firm) if method is Method.CARD else None
    return Payable(currency, tuple(items), tuple(shares), fee)


def _share(pick: Pick, item: OpenItem, method: Method, today: date) -> Allocation:
    item.require_open()
    item.require_undisputed()
    item.require_method(method)
    settles = item.payable_on(today)
    wanted = settles if pick.amount_minor is None else pick.amount_minor
    if wanted > settles:
        raise RuleError(
            "allocation_exceeds_open",
            f"Invoice {item.number} is settled by {settles} today; {wanted} is too much.",
            invoice_id=item.invoice_id,
            open_minor=item.open_minor,
            payable_minor=settles,
        )
    return Allocation(item.invoice_id, wanted)


def _fee(invoices: Sequence[Invoice], shares: Sequence[Allocation], firm: Firm) -> Fee | None:
    """The card fees that the invoices' terms ask for, each on its own share. One tax code taxes them all: an attempt whose
    terms disagree about it takes each term's fee in a payment of its own."""
    net, tax, codes = 0, 0, set()
    for invoice, share in zip(invoices, shares, strict=True):
        wanted = invoice.term.card_fee
        if wanted is None:
            continue
        own = wanted.net_minor(share.amount_minor)
        net, tax = net + own, tax + tax_on(own, firm.tax_code(wanted.tax_code))
        codes.add(wanted.tax_code)
    if len(codes) > 1:
        raise RuleError(
            "card_fees_differ",
            "These invoices have card fees of different tax codes. Pay them one by one.",
            tax_codes=sorted(codes),
        )
    return Fee(net, tax, codes.pop()) if net else None


def description_of(invoices: Sequence[Invoice]) -> str:
    """What the payer reads on the page and on the statement."""
    numbers = [invoice.number for invoice in invoices]
    return f"Invoice {numbers[0]}" if len(numbers) == 1 else f"Invoices {', '.join(numbers)}"[:500]


def new_attempt(attempt_id: str, account_id: str, wanted: Payable, method: Method, gateway_name: str, now: datetime) -> Payment:
    """An attempt for what is payable, as it is stored before the gateway hears of it (P4): it has brought nothing yet."""
    return Payment(
        id=attempt_id,
        account_id=account_id,
        currency=wanted.currency,
        amount_minor=wanted.amount_minor,
        method=method,
        cash_account=gateway_name,
        status=PaymentStatus.PENDING,
        created_at=now,
        reference=", ".join(item.number for item in wanted.items),
        intended=wanted.intended,
        fee=wanted.fee,
    )


def with_attempt(items: Sequence[OpenItem], attempt: Payment) -> list[OpenItem]:
    """The open items, naming the attempt that is under way for them."""
    return [replace(item, payment_attempt=attempt.id) for item in items]


def waiting_on_pages(items: Sequence[OpenItem], books: Books) -> list[Payment]:
    """The attempts for these invoices whose payers may still be on the gateway's page.

    `RuleError` `payment_under_way` when money may be on its way already: a second payment beside it could take it twice (P4).
    """
    refs = dict.fromkeys(payment_ref(item.account_id, item.payment_attempt) for item in items if item.payment_attempt)
    if not refs:
        return []
    loaded = books.load(*refs)
    attempts = [attempt for ref in refs if (attempt := loaded.get(ref)) and attempt.is_under_way]
    sent = (PaymentStatus.PROCESSING, PaymentStatus.AUTHORIZED)
    for attempt in attempts:
        if attempt.status in sent or attempt.is_outcome_unknown:
            raise RuleError(
                "payment_under_way",
                "A payment is being processed, or its outcome is not known yet.",
                payment_id=attempt.id,
                status=str(attempt.status),
                look_up_at=attempt.look_up_at and attempt.look_up_at.isoformat(),
            )
    return attempts


def require_no_page(attempts: Sequence[Payment]) -> None:
    """`RuleError` for an attempt whose page was opened since `close_superseded`."""
    if attempts:
        raise RuleError("payment_under_way", "The customer is on a payment page.", payment_id=attempts[0].id)


def close_superseded(
    payable_now: Callable[[], Payable],
    may_go_on: Callable[[Payment, Payable], bool],
    request: Request[Payment],
    firm: Firm,
    books: Books,
    gateway: PaymentGateway,
    clock: Clock,
) -> None:
    """Close the hosted pages of attempts that this request takes the place of, so that nobody pays there any more; not if it
    was answered before, nor if the decision that follows is going to refuse it.

    `RuleError` `payment_under_way` when a payer was faster; what the gateway knows of that is taken in. A page that nobody
    was sent to yet needs no closing.
    """
    try:
        wanted = payable_now()
        attempts = waiting_on_pages(wanted.items, books)
    except (InvalidError, NotFoundError, RuleError):
        return
    superseded = [attempt for attempt in attempts if not may_go_on(attempt, wanted)]
    if not superseded or request.first(books) is not None:
        return
    for attempt in superseded:
        ended = close_page(attempt, Ending.SUPERSEDED, request.actor, firm, books, gateway, clock)
        if ended.status is not PaymentStatus.CANCELED:
            raise RuleError("payment_under_way", "A payment of this invoice is being processed.", payment_id=attempt.id)


def close_page(
    attempt: Payment, why: Ending, actor: Actor, firm: Firm, books: Books, gateway: PaymentGateway, clock: Clock
) -> Payment:
    """The attempt, ended by the gateway's word (P4): canceled if its page could be closed, or as the payer has left it."""
    if attempt.checkout_url is None or gateway.expire_checkout(attempt):
        return end_attempt(attempt, why, books)
    report = gateway.look_up(attempt, clock.now())
    if report is None or report.status is PaymentStatus.PENDING:
        return attempt
    return note_answer(report, actor, firm, books, clock)


def end_attempt(attempt: Payment, why: Ending, books: Books) -> Payment:
    """Note that an attempt can bring nothing any more; what the gateway says meanwhile stands."""

    def decide() -> tuple[Changes, Payment]:
        ref = payment_ref(attempt.account_id, attempt.id)
        known = need(books.load(ref), ref)
        ended = known.end(why)
        return ([ended] if ended != known else []), ended

    return persist(books, decide)
