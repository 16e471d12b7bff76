"""The firm's settings, kept in a warm function for a minute."""

import time

from remit.domain.firm import Firm, require_firm
from remit.usecases.ports import Books, firm_ref

LIFETIME_S = 60
_kept: tuple[float, Firm] | None = None


def current_firm(books: Books) -> Firm:
    """The settings, at most a minute old: they change a few times a year and every operation needs them.

    What sends or charges by itself must not use this but `fresh_firm`: a switch turned off is off at once.
    """
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > LIFETIME_S:
        _kept = (time.monotonic(), fresh_firm(books))
    return _kept[1]


def fresh_firm(books: Books) -> Firm:
    """The settings as they are now; `RuleError` while there are none.

    The read may miss a change of the last second: no more than a run that was under way would have missed, at half the price.
    """
    return require_firm(books.load(firm_ref(), consistent=False).get(firm_ref()))
