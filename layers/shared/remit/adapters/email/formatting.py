"""How amounts, dates and names are written in e-mails and on pages, in one place, by language.

A customer never sees minor units, and never a date that reads differently on two continents.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from remit.domain.money import decimal_text

MINUS = "\N{MINUS SIGN}"
_NO_BREAK = "\N{NO-BREAK SPACE}"
_FIRST_STRONG_ISOLATE = "\N{FIRST STRONG ISOLATE}"
_POP_ISOLATE = "\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True, slots=True)
class Words:
    """How one language writes figures, and the few words that a model needs; all other text stands in its templates.

    `nouns`: English singular → singular and plural, in the case in which the templates use them. `terms`: the English
    expression → this language's. What is not named is written as in English.
    """

    language: str
    months: tuple[str, ...]
    date: str
    money: str
    point: str
    group: str
    conjunction: str
    symbols: Mapping[str, str] = field(default_factory=dict)
    nouns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)

    def term(self, english: str) -> str:
        return self.terms.get(english, english)


# Months are spelled out: the names of strftime("%B") follow the process's locale.
ENGLISH = Words(
    language="en",
    months=tuple("January February March April May June July August September October November December".split()),
    date="{day} {month} {year}",
    money="{currency} {amount}",
    point=".",
    group=",",
    conjunction="and",
)
GERMAN = Words(
    language="de",
    months=tuple("Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()),
    date="{day}. {month} {year}",
    money="{amount}" + _NO_BREAK + "{currency}",
    point=",",
    group=".",
    conjunction="und",
    symbols={"EUR": "€"},
    nouns={
        "day": ("Tag", "Tagen"),
        "more line": ("weitere Position", "weitere Positionen"),
        "more open amount": ("weiterer offener Betrag", "weitere offene Beträge"),
        "earlier transaction": ("früherer Vorgang", "frühere Vorgänge"),
    },
    terms={
        "card": "Karte",
        "bank debit": "Lastschrift",
        "bank transfer": "Überweisung",
        "cash": "Barzahlung",
        "check": "Scheck",
        "card terminal": "Kartenterminal",
        "other means": "sonstiger Zahlungsart",
        "zero rate": "Nullsatz",
        "exempt": "steuerfrei",
        "reverse charge": "Steuerschuldnerschaft des Leistungsempfängers",
        "outside the scope of tax": "nicht steuerbar",
        "{rate}%": "{rate}" + _NO_BREAK + "%",
        "{rate} of {taxable}": "{rate} auf {taxable}",
        "VAT": "USt-IdNr.",
        "on delivery": "bei Lieferung",
        "1 day after delivery": "1 Tag nach Lieferung",
        "{days} days after delivery": "{days} Tage nach Lieferung",
        "due now": "jetzt fällig",
        "due today": "heute fällig",
        "due in {days}": "fällig in {days}",
        "{days} overdue": "seit {days} überfällig",
        "Invoice": "Rechnung",
        "Invoice withdrawn": "Stornierte Rechnung",
        "Invoice waived": "Erlassene Rechnung",
        "Payment": "Zahlung",
        "Payment returned": "Zurückgebuchte Zahlung",
        "Payment in dispute": "Beanstandete Zahlung",
        "Dispute settled": "Beanstandung erledigt",
        "Credit": "Gutschrift",
        "Credit note": "Gutschrift",
        "Credit expired": "Verfallenes Guthaben",
        "Refund": "Erstattung",
        "Refund returned": "Zurückgebuchte Erstattung",
        "Top-up": "Aufladung",
        "Usage": "Verbrauch",
        "Adjustment": "Umbuchung",
    },
)
LANGUAGES: Mapping[str, Words] = {words.language: words for words in (ENGLISH, GERMAN)}
"""The languages that letters are written in."""


def words_of(language: str) -> Words:
    """The nearest language to a BCP 47 tag: `de-AT` takes German, what is unknown English."""
    return LANGUAGES.get(language.partition("-")[0].lower(), ENGLISH)


def money_text(amount_minor: int, currency: str, words: Words = ENGLISH) -> str:
    """The amount with its currency, digits grouped by three.

    >>> money_text(121000, "EUR"), money_text(-1234567, "JPY"), money_text(1234567, "KWD")
    ('EUR 1,210.00', 'JPY −1,234,567', 'KWD 1,234.567')
    >>> money_text(123456, "EUR", GERMAN), money_text(-1234567, "JPY", GERMAN)
    ('1.234,56\\xa0€', '−1.234.567\\xa0JPY')
    """
    whole, dot, digits = decimal_text(abs(amount_minor), currency).partition(".")
    sign = MINUS if amount_minor < 0 else ""
    amount = f"{sign}{_grouped(whole, words)}{words.point if dot else ''}{digits}"
    return words.money.format(amount=amount, currency=words.symbols.get(currency, currency))


def _grouped(whole: str, words: Words) -> str:
    return f"{int(whole):,}".replace(",", words.group)


def date_text(day: date, words: Words = ENGLISH) -> str:
    """The date with its month in letters.

    >>> date_text(date(2026, 3, 2)), date_text(date(2026, 3, 2), GERMAN)
    ('2 March 2026', '2. März 2026')
    """
    return words.date.format(day=day.day, month=words.months[day.month - 1], year=day.year)


def number_text(number: Decimal, words: Words = ENGLISH) -> str:
    """A quantity or a rate without idle zeros, digits grouped by three.

    >>> number_text(Decimal("2.50")), number_text(Decimal("1E+3")), number_text(Decimal("1234.5"), GERMAN)
    ('2.5', '1,000', '1.234,5')
    """
    whole, dot, digits = f"{number.normalize():f}".partition(".")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{_grouped(whole, words)}{words.point if dot else ''}{digits}"


def money(amount_minor: int, currency: str, words: Words = ENGLISH) -> dict[str, Any]:
    """An amount for a view model: raw for tests and later readers, formatted for the template."""
    return {"minor": amount_minor, "currency": currency, "text": money_text(amount_minor, currency, words)}


def day(value: date, words: Words = ENGLISH) -> dict[str, str]:
    """A date for a view model: ISO 8601 and formatted."""
    return {"iso": value.isoformat(), "text": date_text(value, words)}


def listed(parts: list[str], words: Words = ENGLISH) -> str:
    """Join as the language does.

    >>> listed(["EUR 1.00"]), listed(["EUR 1.00", "USD 2.00"]), listed(["a", "b", "c"], GERMAN)
    ('EUR 1.00', 'EUR 1.00 and USD 2.00', 'a, b und c')
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {words.conjunction} {parts[-1]}"


def counted(number: int, noun: str, words: Words = ENGLISH) -> str:
    """A count with its noun in the right number.

    >>> counted(1, "day"), counted(1200, "line"), counted(12, "day", GERMAN)
    ('1 day', '1,200 lines', '12 Tagen')
    """
    one, many = words.nouns.get(noun, (noun, f"{noun}s"))
    return f"{_grouped(str(number), words)} {one if number == 1 else many}"


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
