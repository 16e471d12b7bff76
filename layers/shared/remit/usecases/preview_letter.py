"""Write a letter about real documents without sending it (N4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from remit.domain.accounts import Account
from remit.domain.dunning import DunningPolicy, Notice, OpenPart, Tier
from remit.domain.errors import InvalidError, RuleError
from remit.domain.firm import Firm
from remit.usecases.loading import need, need_account
from remit.usecases.ports import (
    Books,
    Clock,
    Journal,
    Letter,
    Letters,
    RetryPlan,
    account_ref,
    credit_ref,
    invoice_ref,
    open_item_ref,
    payment_ref,
    refund_ref,
)


@dataclass(frozen=True, slots=True)
class PreviewOf:
    """Whom and what a letter is about: an account, and the document that the letter needs (for a notice: none)."""

    account_id: str
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a letter is written with."""

    firm: Firm
    books: Books
    journal: Journal
    letters: Letters
    clock: Clock


type _Write = Callable[[Account, str, _Desk], Letter]


def preview_letter(
    name: str, language: str, of: PreviewOf, firm: Firm, books: Books, journal: Journal, letters: Letters, clock: Clock
) -> Letter:
    """The letter as it would be sent now, in the language asked for. Nothing is stored or sent.

    `InvalidError` `no_real_data` for a letter that can be seen with samples only, `document_needed` when none is named, and
    whatever is wrong with the template.
    """
    account = replace(need_account(books.load(account_ref(of.account_id)), of.account_id), language=language)
    desk = _Desk(firm, books, journal, letters, clock)
    if name in (tier.template for tier in _tiers(firm)):
        return _notice(account, name, desk)
    if name not in _WRITERS:
        known = sorted(_WRITERS)
        raise InvalidError("no_real_data", "This letter can be seen with its samples only.", name=name, known=known)
    if of.document_id is None:
        raise InvalidError("document_needed", "Name the document that the letter is about.", name=name)
    return _WRITERS[name](account, of.document_id, desk)


def _invoice(account: Account, id: str, desk: _Desk) -> Letter:
    refs = invoice_ref(account.id, id), open_item_ref(account.id, id)
    loaded = desk.books.load(*refs)
    return desk.letters.invoice(desk.firm, account, need(loaded, refs[0]), need(loaded, refs[1]), desk.clock.now())


def _receipt(account: Account, id: str, desk: _Desk) -> Letter:
    payment = need(desk.books.load(payment_ref(account.id, id)), payment_ref(account.id, id))
    refs = [open_item_ref(account.id, allocation.invoice_id) for allocation in payment.allocations]
    loaded = desk.books.load(*refs) if refs else None
    items = [need(loaded, ref) for ref in refs] if loaded else []
    return desk.letters.receipt(desk.firm, account, payment, items, desk.clock.now())


def _payment_failed(account: Account, id: str, desk: _Desk) -> Letter:
    payment = need(desk.books.load(payment_ref(account.id, id)), payment_ref(account.id, id))
    refs = [open_item_ref(account.id, allocation.invoice_id) for allocation in payment.intended]
    loaded = desk.books.load(*refs) if refs else None
    items = [need(loaded, ref) for ref in refs] if loaded else []
    return desk.letters.payment_failed(desk.firm, account, payment, items, RetryPlan(), desk.clock.now())


def _card_expiring(account: Account, id: str, desk: _Desk) -> Letter:
    return desk.letters.card_expiring(desk.firm, account, account.payment.method(id))


def _refund(account: Account, id: str, desk: _Desk) -> Letter:
    refund = need(desk.books.load(refund_ref(account.id, id)), refund_ref(account.id, id))
    return desk.letters.refund_made(desk.firm, account, refund, desk.firm.today(desk.clock.now()))


def _credit(account: Account, id: str, desk: _Desk) -> Letter:
    ref = credit_ref(account.id, id)
    return desk.letters.credit_issued(desk.firm, account, need(desk.books.load(ref), ref))


_WRITERS: Mapping[str, _Write] = {
    "invoice_issued": _invoice,
    "payment_received": _receipt,
    "payment_failed": _payment_failed,
    "card_expiring": _card_expiring,
    "refund_made": _refund,
    "credit_issued": _credit,
}


def _notice(account: Account, template: str, desk: _Desk) -> Letter:
    """A past-due notice of all that is overdue today, whatever its age: its tier is the one that is looked at."""
    today = desk.firm.today(desk.clock.now())
    parts = tuple(
        OpenPart(item.invoice_id, item.number, item.currency, item.issued_on, part)
        for item in desk.journal.open_items(account.id)
        for part in item.parts
        if part.open_minor and part.days_overdue(today)
    )
    if not parts:
        raise RuleError("nothing_overdue", "A notice needs an account with something overdue.", account_id=account.id)
    tier = next(tier for tier in _tiers(desk.firm) if tier.template == template)
    net: dict[str, int] = {}
    for each in parts:
        net[each.currency] = net.get(each.currency, 0) + each.part.open_minor
    notice = Notice(tier, tuple(sorted(parts, key=lambda each: each.due_date)), net)
    return desk.letters.dunning(desk.firm, account, notice, desk.clock.now())


def _tiers(firm: Firm) -> list[Tier]:
    """Of all policies, and the default ones: whatever letter may ever be sent for a tier."""
    return [tier for policy in (*firm.dunning_policies.values(), DunningPolicy()) for tier in policy.tiers]
