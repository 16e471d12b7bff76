"""Compile the e-mails' MJML sources to the Jinja2 HTML that is deployed.

The compiled files are kept in the repository, so that a deployment needs no compiler and a review sees
what customers will.

Jinja2 statements stand in HTML comments in the sources (`<!--{% if … %}-->`). An HTML parser moves bare text
out of a table, which would silently tear a loop from its rows; comments stay where they are. They are
unwrapped again at the end.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import css_inline
from mjml import mjml2html

TEMPLATES = Path(__file__).resolve().parents[2] / "layers/shared/remit/adapters/email/templates"
SAMPLES = TEMPLATES / "samples.json"

_INCLUDE = re.compile(r'<mj-include path="(_\w+\.mjml)" />')
_WRAPPED_STATEMENT = re.compile(r"<!--(\{%.*?%\})-->", re.DOTALL)
_JINJA = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def stale_templates() -> dict[Path, str]:
    """Generated file → what it should hold, for each that holds something else."""
    # Here, for the layer is not installed: what runs this has put it on the path.
    from local.email_templates.samples import emails
    from remit.adapters.email.formatting import LANGUAGES

    wanted = {source.with_suffix(".html"): compiled(source) for source in sources()}
    wanted[SAMPLES] = sample_models(emails, LANGUAGES)
    return {target: html for target, html in wanted.items() if not target.is_file() or target.read_text(encoding="utf-8") != html}


def sample_models(emails: Callable[[str], dict[str, Any]], languages: Iterable[str]) -> str:
    """The sample models of all languages as the file that is deployed: what a firm's own templates are tried with."""
    found = {language: emails(language) for language in languages}
    return json.dumps(found, ensure_ascii=False, indent=0, separators=(",", ":")) + "\n"


def sources() -> list[Path]:
    """The MJML files that are e-mails; those that start with `_` are shared parts."""
    return sorted(path for path in TEMPLATES.glob("*/*.mjml") if not path.name.startswith("_"))


def _included(folder: Path, name: str) -> str:
    """A shared part of the language, or of all languages: how letters look is the same in each."""
    own = folder / name
    return (own if own.is_file() else folder.parent / name).read_text(encoding="utf-8")


def compiled(source: Path) -> str:
    """One source as Jinja2 HTML: MJML expanded, styles inlined, media queries kept for phones and dark mode."""
    # Includes are expanded here: the compiler lays an included section out by itself, without the page's width.
    mjml = _INCLUDE.sub(lambda match: _included(source.parent, match[1]), source.read_text(encoding="utf-8"))
    # No `fonts`: otherwise a font's name makes every reader's mail program call Google's servers.
    expanded = mjml2html(mjml, fonts={})
    inlined = css_inline.inline(expanded, keep_at_rules=True, load_remote_stylesheets=False)
    html = _WRAPPED_STATEMENT.sub(r"\1", inlined)
    # A count, for MJML repeats the title as a label.
    if Counter(_JINJA.findall(mjml)) - Counter(_JINJA.findall(html)):
        raise ValueError(f"{source.name}: compiling lost or escaped some Jinja2; write it without <, >, & and double quotes")
    note = f"{{# Compiled from {source.name} by python -m local.email_templates: change that one. -#}}\n"
    return f"{note}{html}\n"
