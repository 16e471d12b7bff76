"""The journal for hledger 1.25 and later (https://hledger.org/hledger.html#journal), strict mode included."""

from collections.abc import Mapping

from remit.adapters.accounting.chart import closing_lines, ledger_name, opening_lines
from remit.adapters.accounting.text import in_words, one_line, plain_id
from remit.domain.journal import JournalEntry, Side
from remit.domain.money import decimal_text, exponent
from remit.usecases.export_figures import LedgerAccount, Movement, Period, ledger_account
from remit.usecases.export_files import Folder, Renderer


def description(text: str) -> str:
    """Text for a payee or a note. hledger has no escapes: `;` would begin a comment and `|` end the payee.

    >>> description("Fish; Chips | Co")
    'Fish, Chips / Co'
    """
    return one_line(text).replace(";", ",").replace("|", "/")


class Hledger(Renderer):
    """One transaction an entry, the documents as tags; accounts and currencies are declared where they first appear.

    Free text goes into descriptions only: in a comment hledger would look for tags and dates in it.
    """

    def __init__(self, folder: Folder) -> None:
        self._file = folder.create("journal.hledger")
        self._declared: set[str] = set()

    def begin(self, period: Period, opening: Mapping[LedgerAccount, Movement]) -> None:
        self._period = period
        self._file.write(f"; Remit {period}\ndecimal-mark .\n\n")
        lines = list(opening_lines(opening))
        for name, currency, _ in lines:
            self._declare(name, currency)
        if lines:
            postings = "".join(_posting(name, currency, amount_minor) for name, currency, amount_minor in lines)
            self._file.record(f"\n{period.first_day.isoformat()} * Opening balances  ; opening-balances:\n{postings}")

    def entry(self, entry: JournalEntry, account_name: str) -> None:
        draft = entry.draft
        postings = []
        for posting in draft.postings:
            name = ledger_name(ledger_account(entry, posting.account))
            self._declare(name, draft.currency)
            signed_minor = posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
            about = f"  ; document:{plain_id(posting.document_id)}" if posting.document_id else ""
            postings.append(_posting(name, draft.currency, signed_minor, about))
        tags = [("kind", str(draft.kind)), *(("order", id) for id in [draft.order_id] if id)]
        tags += [(role, id) for role, ids in sorted(draft.documents.items()) for id in ids]
        comment = ", ".join(f"{name}:{plain_id(value)}" for name, value in tags)
        note = in_words(draft.kind) + (f": {draft.reason}" if draft.reason else "")
        heading = f"({plain_id(entry.id)}) {description(account_name)} | {description(note)}  ; {comment}"
        self._file.record(f"\n{draft.effective_on.isoformat()} * {heading}\n{''.join(postings)}")

    def end(self, movements: Mapping[LedgerAccount, Movement]) -> None:
        heading = f"\n{self._period.last_day.isoformat()} * Closing balances  ; assertions:\n"
        for name, currency, amount_minor in closing_lines(movements):
            zero, closing = decimal_text(0, currency), decimal_text(amount_minor, currency)
            self._file.write(f"{heading}    {name}  {zero} {currency} = {closing} {currency}\n")
            heading = ""

    def _declare(self, name: str, currency: str) -> None:
        if currency not in self._declared:
            self._declared.add(currency)
            # hledger wants a decimal mark here even where no digits follow it.
            self._file.write(f"commodity 1000.{'0' * exponent(currency)} {currency}\n")
        if name not in self._declared:
            self._declared.add(name)
            self._file.write(f"account {name}\n")


def _posting(name: str, currency: str, amount_minor: int, comment: str = "") -> str:
    return f"    {name}  {decimal_text(amount_minor, currency)} {currency}{comment}\n"
