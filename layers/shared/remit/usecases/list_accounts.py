"""Find accounts (A1)."""

from dataclasses import dataclass
from datetime import date

from remit.domain.accounts import Account, PaymentMode
from remit.usecases.ports import Journal

PAGE = 100
MAX_PAGES = 5
"""How far one request looks for accounts that fit: 500. It then answers what it has found, and where to go on."""


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts are wanted: with a tag, in a payment mode, with a name that starts so (in any case of letters).

    The listing is by age, so all three are compared after reading.
    """

    tag: str | None = None
    mode: PaymentMode | None = None
    name_prefix: str | None = None

    def fits(self, account: Account, today: date) -> bool:
        return (
            (self.tag is None or self.tag in account.tags)
            and (self.mode is None or account.mode_on(today) is self.mode)
            and (self.name_prefix is None or account.name.casefold().startswith(self.name_prefix.casefold()))
        )


def list_accounts(
    wanted: AccountFilter, journal: Journal, today: date, cursor: str | None, limit: int
) -> tuple[list[Account], str | None]:
    """Up to `limit` accounts that fit, oldest first, and where to go on. A page may be short, or empty, with more to come:
    the list ends where the cursor is None."""
    found: list[Account] = []
    if wanted == AccountFilter():
        return journal.accounts(cursor, limit)
    for _ in range(MAX_PAGES):
        page, cursor = journal.accounts(cursor, PAGE)
        for account in page:
            if not wanted.fits(account, today):
                continue
            found.append(account)
            if len(found) == limit:
                is_last = cursor is None and account is page[-1]
                return found, None if is_last else account.id
        if cursor is None:
            break
    return found, cursor
