"""Making any text safe for files that other programs read."""

import re
import unicodedata

_UNSAFE_IN_ID = re.compile(r"[^0-9A-Za-z_./-]")
_BLANK = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's control characters, lone surrogates, and line and paragraph separators."""


def one_line(text: str) -> str:
    """The text on one line, without control characters, with single spaces.

    >>> one_line("ACME\\n  Ltd.\\x00")
    'ACME Ltd.'
    """
    if text.isprintable():  # nearly all are, and looking at each character is slow
        return " ".join(text.split())
    visible = "".join(" " if unicodedata.category(char) in _BLANK else char for char in text)
    return " ".join(visible.split())


def plain_id(text: str) -> str:
    """An id reduced to the characters that links and tags may have. Remit's own ids pass unchanged.

    >>> plain_id("acc_01jd.EUR.3"), plain_id("wire: 12, [a]")
    ('acc_01jd.EUR.3', 'wire__12___a_')
    """
    return _UNSAFE_IN_ID.sub("_", text) or "_"


def in_words(name: str) -> str:
    """A kind of entry as a person says it.

    >>> in_words("payment_received")
    'Payment received'
    """
    return name.replace("_", " ").capitalize()
