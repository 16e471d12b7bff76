"""Fill an e-mail's templates: subject, HTML and plain text, from one view model.

The templates of a language lie together in `templates/<language>/`: `<name>.html` (compiled from
`<name>.mjml` by `python -m local.email_templates`), `<name>.txt` and `<name>.subject.txt`. A model is data
and never becomes template source. What a firm writes itself is in `own_templates.py`.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from remit.adapters.email.catalogue import DEFAULT_LANGUAGE, TEMPLATES
from remit.adapters.email.formatting import clean, isolate
from remit.domain.errors import NotFoundError

PARTS = ("subject.txt", "html", "txt")
"""The files of a template, by what follows its name."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One e-mail, ready to send. `template_version` names the exact templates that made it."""

    subject: str
    html: str
    text: str
    template_version: str


def render(template: str, model: dict[str, Any], language: str = DEFAULT_LANGUAGE) -> Rendered:
    """Fill `template` (`invoice_issued`, `dunning_tier_1`, …) with `model`, in the nearest language there is.

    `language` is a BCP 47 tag: `nl-BE` takes `nl-BE`, else `nl`, else English. `NotFoundError` for a template
    that does not exist; a figure missing from the model raises instead of leaving a hole in a letter about money.
    """
    folder = template_folder(template, language)
    subject, html, text = (_environment(part).get_template(f"{folder}/{template}.{part}").render(model) for part in PARTS)
    return as_email(subject, html, text, _version(folder, template))


def as_email(subject: str, html: str, text: str, template_version: str) -> Rendered:
    """What came out of the templates, with a subject of one line and a text without gaps."""
    return Rendered(" ".join(subject.split()), html, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", template_version)


def template_folder(template: str, language: str) -> str:
    """The nearest language that a template exists in."""
    if re.fullmatch(r"[a-z0-9_]+", template):
        for tag in (language, language.partition("-")[0], DEFAULT_LANGUAGE):
            # fullmatch keeps path separators out: an account's language is a customer's choice.
            if re.fullmatch(r"[A-Za-z0-9-]+", tag) and all((TEMPLATES / tag / f"{template}.{part}").is_file() for part in PARTS):
                return tag
    raise NotFoundError("unknown_template", f"There is no e-mail template {clean(template)!r}.")


@cache
def _environment(part: str) -> ImmutableSandboxedEnvironment:
    """HTML is escaped; a subject and plain text have no markup to escape, and only fence right-to-left names."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=part == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["isolate"] = isolate
    return environment


@cache
def _version(folder: str, template: str) -> str:
    """A hash of what the e-mail was made from, so that no one can forget to count it up: `en-3f9a1c0b7d42`."""
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update((TEMPLATES / folder / f"{template}.{part}").read_bytes() + b"\0")
    for shared in sorted((TEMPLATES / folder).glob("_*.txt")):
        digest.update(shared.read_bytes() + b"\0")
    return f"{folder}-{digest.hexdigest()[:12]}"
