"""How amounts, dates and names are written in e-mails and on pages, in one place.

A customer never sees minor units, and never a date that reads differently on two continents.
"""

import unicodedata
from datetime import date
from decimal import Decimal
from typing import Any

from remit.domain.money import decimal_text

MINUS = "\N{MINUS SIGN}"
_MONTHS = (
    "January February March April May June July August September October November December"
).split()  # not strftime("%B"): its names follow the process's locale

_FIRST_STRONG_ISOLATE = "\N{FIRST STRONG ISOLATE}"
_POP_ISOLATE = "\N{POP DIRECTIONAL ISOLATE}"


def money_text(amount_minor: int, currency: str) -> str:
    """The amount with its currency code, digits grouped by three.

    >>> money_text(121000, "EUR"), money_text(-1234567, "JPY"), money_text(1234567, "KWD")
    ('EUR 1,210.00', 'JPY −1,234,567', 'KWD 1,234.567')
    """
    whole, dot, digits = decimal_text(abs(amount_minor), currency).partition(".")
    sign = MINUS if amount_minor < 0 else ""
    return f"{currency} {sign}{int(whole):,}{dot}{digits}"


def date_text(day: date) -> str:
    """The date with its month in letters.

    >>> date_text(date(2026, 3, 2))
    '2 March 2026'
    """
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def number_text(number: Decimal) -> str:
    """A quantity or a rate without idle zeros, digits grouped by three.

    >>> number_text(Decimal("2.50")), number_text(Decimal("1E+3"))
    ('2.5', '1,000')
    """
    return f"{number.normalize():,f}"


def money(amount_minor: int, currency: str) -> dict[str, Any]:
    """An amount for a view model: raw for tests and later readers, formatted for the template."""
    return {"minor": amount_minor, "currency": currency, "text": money_text(amount_minor, currency)}


def day(value: date) -> dict[str, str]:
    """A date for a view model: ISO 8601 and formatted."""
    return {"iso": value.isoformat(), "text": date_text(value)}


def listed(parts: list[str]) -> str:
    """Join as English does.

    >>> listed(["EUR 1.00"]), listed(["EUR 1.00", "USD 2.00"]), listed(["a", "b", "c"])
    ('EUR 1.00', 'EUR 1.00 and USD 2.00', 'a, b and c')
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def counted(number: int, noun: str) -> str:
    """A count with its noun in the right number.

    >>> counted(1, "day"), counted(12, "line")
    ('1 day', '12 lines')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clean(text: str) -> str:
    """One line of text from outside: no control characters, no runs of spaces, no direction overrides.

    A name with a line break could forge lines in the plain-text part, and one with U+202E (right-to-left
    override) could make the amount after it read backwards. Emoji keep their joiners and variation selectors.

    >>> clean("  Ann" + chr(10) + "Bcc:   x" + chr(0x202E))
    'Ann Bcc: x'
    """
    spaced = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    kept = "".join(char for char in spaced if unicodedata.bidirectional(char) not in _DIRECTION_CONTROLS)
    return " ".join(kept.split())


_DIRECTION_CONTROLS = frozenset("LRE RLE LRO RLO PDF LRI RLI FSI PDI".split())


def isolate(text: str) -> str:
    """Fence right-to-left text so that what follows keeps its order (Unicode Standard Annex #9, isolates).

    HTML has `<bdi>` for it; plain text and subjects have the invisible isolate characters.
    """
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text
