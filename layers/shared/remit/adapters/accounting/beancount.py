"""The journal for beancount 3 (https://beancount.github.io/docs/beancount_language_syntax.html)."""

from collections.abc import Mapping
from datetime import date

from remit.adapters.accounting.chart import closing_lines, ledger_name, opening_lines
from remit.adapters.accounting.text import in_words, one_line, plain_id
from remit.domain.journal import JournalEntry, Side
from remit.domain.money import decimal_text
from remit.usecases.export_figures import LedgerAccount, Movement, Period, ledger_account
from remit.usecases.export_files import Folder, Renderer


def quoted(text: str) -> str:
    """A string literal on one line.

    >>> print(quoted('ACME "Fine\\\\Dine"'))
    "ACME \\"Fine\\\\Dine\\""
    """
    return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Beancount(Renderer):
    """One transaction an entry, the documents as links; accounts are opened where they first appear.

    A ledger of its own, or imported into another: the transaction tagged `#opening-balances` is then left out.
    """

    def __init__(self, folder: Folder) -> None:
        self._file = folder.create("journal.beancount")
        self._opened: set[str] = set()

    def begin(self, period: Period, opening: Mapping[LedgerAccount, Movement]) -> None:
        self._period = period
        self._file.write(f'option "title" "Remit {period}"\n\n')
        lines = list(opening_lines(opening))
        for name, _, _ in lines:
            self._open(name)
        if lines:
            postings = "".join(_posting(name, currency, amount_minor) for name, currency, amount_minor in lines)
            self._file.record(f'\n{period.first_day.isoformat()} * "Opening balances" #opening-balances\n{postings}')

    def entry(self, entry: JournalEntry, account_name: str) -> None:
        draft = entry.draft
        postings = []
        for posting in draft.postings:
            name = ledger_name(ledger_account(entry, posting.account))
            self._open(name)
            signed_minor = posting.amount_minor if posting.side is Side.DEBIT else -posting.amount_minor
            postings.append(_posting(name, draft.currency, signed_minor))
            if posting.document_id:
                postings.append(f"    document: {quoted(posting.document_id)}\n")
        ids = [id for _, ids in sorted(draft.documents.items()) for id in ids]
        links = "".join(f" ^{plain_id(id)}" for id in dict.fromkeys(ids))
        facts = {"entry": entry.id, "order": draft.order_id, "reason": draft.reason}
        metadata = "".join(f"  {key}: {quoted(value)}\n" for key, value in facts.items() if value)
        heading = f"{quoted(account_name)} {quoted(in_words(draft.kind))} #{draft.kind.replace('_', '-')}{links}"
        self._file.record(f"\n{draft.effective_on.isoformat()} * {heading}\n{metadata}{''.join(postings)}")

    def end(self, movements: Mapping[LedgerAccount, Movement]) -> None:
        self._file.write("\n")
        for name, currency, amount_minor in closing_lines(movements):
            self._file.write(_balance(self._period.day_after, name, currency, amount_minor))

    def _open(self, name: str) -> None:
        if name not in self._opened:
            self._opened.add(name)
            self._file.write(f"{self._period.first_day.isoformat()} open {name}\n")


def _posting(name: str, currency: str, amount_minor: int) -> str:
    return f"  {name}  {decimal_text(amount_minor, currency)} {currency}\n"


def _balance(on: date, name: str, currency: str, amount_minor: int) -> str:
    # A balance holds at the beginning of its day, hence the day after the period. Beancount tolerates two units of
    # the last digit unless told otherwise; a cent is a cent here.
    return f"{on.isoformat()} balance {name}  {decimal_text(amount_minor, currency)} ~ 0 {currency}\n"
