"""Which e-mails there are, without loading what fills them."""

from functools import cache
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_LANGUAGE = "en"

ASKING = ("dunning_", "reminder_")
"""How the names of letters begin that ask to be paid: any of them can be a tier's or a reminder's, for all are filled with the
same figures."""


@cache
def asking_letters() -> frozenset[str]:
    """The names of the letters that a dunning policy may use."""
    names = (path.name.removesuffix(".subject.txt") for path in (TEMPLATES / DEFAULT_LANGUAGE).glob("*.subject.txt"))
    return frozenset(name for name in names if name.startswith(ASKING))
