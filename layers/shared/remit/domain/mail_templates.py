"""A firm's own wording of a letter: versions that never change, and which of them is in use (N4)."""

from dataclasses import dataclass
from datetime import datetime

from remit.domain.actor import Actor
from remit.domain.errors import InvalidError

MAX_SUBJECT, MAX_HTML, MAX_TEXT = 300, 65_536, 32_768
"""How long the parts of a template may be, in characters."""


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """One version of the template `name` (`invoice_issued`) in `language` (`de`): subject, HTML and plain text as Jinja2.

    Written once. `id` sorts by time; which version is in use is said in the firm's profile.
    """

    id: str
    name: str
    language: str
    subject: str
    html: str
    text: str
    saved_at: datetime
    actor: Actor

    def __post_init__(self) -> None:
        for part, limit in (("subject", MAX_SUBJECT), ("html", MAX_HTML), ("text", MAX_TEXT)):
            length = len(getattr(self, part))
            if not 0 < length <= limit:
                raise InvalidError(
                    "bad_template", f"The {part} has 1 to {limit} characters.", part=part, longest=limit, length=length
                )

    @property
    def key(self) -> str:
        return template_key(self.name, self.language)


def template_key(name: str, language: str) -> str:
    """What names a template in the firm's profile: `invoice_issued/de`."""
    return f"{name}/{language}"
