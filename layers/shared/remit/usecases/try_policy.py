"""Try a proposed dunning policy on the past of one account (O4). Reads, and changes and sends nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from zoneinfo import ZoneInfo

from remit.domain import dunning_trials
from remit.domain.accounts import Account, AccountChange, PaymentMode
from remit.domain.dunning_trials import (
    ChainReader,
    PostpaidInvoice,
    TrialLetter,
    TrialTerms,
    facts_of_change,
    invoices_at_stake,
)
from remit.domain.errors import NotFoundError
from remit.domain.firm import Firm
from remit.domain.messages import Message, MessageStatus
from remit.domain.orders import OrderKind
from remit.usecases.ports import Books, Journal, open_item_ref

PAGE = 100

LETTERS_OF_DUNNING = ("msg_dunning_", "msg_reminder_", "msg_notice_")
"""What the ids of notices, reminders and notices by hand start with."""


@dataclass(frozen=True, slots=True)
class AccountTrial:
    """The letters that the policy would have sent to an account, and how many letters of each template it really got from
    dunning in that time."""

    account_id: str
    letters: tuple[TrialLetter, ...]
    really_sent: dict[str, int]

    @property
    def wrong(self) -> int:
        """How many of the letters would have been wrong."""
        return sum(bool(letter.wrong) for letter in self.letters)


def try_policy(account_id: str, terms: TrialTerms, firm: Firm, books: Books, journal: Journal) -> AccountTrial:
    """What the policy would have sent to the account, judged by all that is known by now.

    The journal is read once from its beginning, since what is recorded today may be effective then; of documents only the
    open items that matter in the period. `NotFoundError` for an unknown account.
    """
    account, balances = journal.account_with_balances(account_id)
    if account is None:
        raise NotFoundError("account_not_found", "There is no such account.", id=account_id)
    zone = ZoneInfo(firm.time_zone)
    facts = [fact for change in _history(account_id, journal) for fact in facts_of_change(change, zone)]
    for balance in balances:
        chain = ChainReader()
        facts += [fact for entry in journal.entries(account_id, balance.currency) for fact in chain.read(entry.draft)]
    at_stake = invoices_at_stake(facts, since=terms.run_on(terms.first, zone))
    letters = dunning_trials.try_policy(facts, _postpaid(account_id, at_stake, books), terms, zone)
    return AccountTrial(account_id, letters, _really_sent(account, terms, firm, journal))


def _history(account_id: str, journal: Journal) -> list[AccountChange]:
    """The account's changes, oldest first."""
    found: list[AccountChange] = []
    cursor: str | None = None
    while True:
        page, cursor = journal.newest(AccountChange, account_id, cursor, PAGE)
        found += page
        if cursor is None:
            return found[::-1]


def _postpaid(account_id: str, invoice_ids: set[str], books: Books) -> dict[str, PostpaidInvoice]:
    """What never changes of these invoices; those in prepaid mode are left out (D10)."""
    found: dict[str, PostpaidInvoice] = {}
    for ids in batched(sorted(invoice_ids), PAGE, strict=False):
        loaded = books.load(*(open_item_ref(account_id, id) for id in ids))
        items = [item for id in ids if (item := loaded.get(open_item_ref(account_id, id)))]
        found |= {
            item.invoice_id: PostpaidInvoice(item.number, item.issued_on, item.kind is OrderKind.LATE_CHARGE)
            for item in items
            if item.mode is PaymentMode.POSTPAID
        }
    return found


def _really_sent(account: Account, terms: TrialTerms, firm: Firm, journal: Journal) -> dict[str, int]:
    """Template → how many notices and reminders went out on the trial's days."""
    sent = Counter(
        message.template
        for message in _messages(account.id, terms, firm, journal)
        if message.status is MessageStatus.SENT and message.id.startswith(LETTERS_OF_DUNNING)
    )
    return dict(sorted(sent.items()))


def _messages(account_id: str, terms: TrialTerms, firm: Firm, journal: Journal) -> Iterator[Message]:
    """The account's messages of the trial's days; older ones are not read, but for the rest of a page."""
    cursor: str | None = None
    while True:
        page, cursor = journal.newest(Message, account_id, cursor, PAGE)
        days = [firm.today(message.claimed_at) for message in page]
        yield from (message for message, day in zip(page, days, strict=True) if terms.first <= day <= terms.last)
        if cursor is None or (days and days[-1] < terms.first):
            return
