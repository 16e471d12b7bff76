"""Compile the e-mails' MJML sources to the Jinja2 HTML that is deployed.

The compiled files are kept in the repository, so that a deployment needs no compiler and a review sees
what customers will.

Jinja2 statements stand in HTML comments in the sources (`<!--{% if … %}-->`). An HTML parser moves bare text
out of a table, which would silently tear a loop from its rows; comments stay where they are. They are
unwrapped again at the end.
"""

import re
from collections import Counter
from pathlib import Path

import css_inline
from mjml import mjml2html

TEMPLATES = Path(__file__).resolve().parents[2] / "layers/shared/remit/adapters/email/templates"

_INCLUDE = re.compile(r'<mj-include path="(_\w+\.mjml)" />')
_WRAPPED_STATEMENT = re.compile(r"<!--(\{%.*?%\})-->", re.DOTALL)
_JINJA = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def stale_templates() -> dict[Path, str]:
    """Compiled file → what it should hold, for each that holds something else."""
    wanted = {source.with_suffix(".html"): compiled(source) for source in sources()}
    return {target: html for target, html in wanted.items() if not target.is_file() or target.read_text(encoding="utf-8") != html}


def sources() -> list[Path]:
    """The MJML files that are e-mails; those that start with `_` are shared parts."""
    return sorted(path for path in TEMPLATES.glob("*/*.mjml") if not path.name.startswith("_"))


def compiled(source: Path) -> str:
    """One source as Jinja2 HTML: MJML expanded, styles inlined, media queries kept for phones and dark mode."""
    # Includes are expanded here: the compiler lays an included section out by itself, without the page's width.
    mjml = _INCLUDE.sub(lambda match: (source.parent / match[1]).read_text(encoding="utf-8"), source.read_text(encoding="utf-8"))
    # No `fonts`: otherwise a font's name makes every reader's mail program call Google's servers.
    expanded = mjml2html(mjml, fonts={})
    inlined = css_inline.inline(expanded, keep_at_rules=True, load_remote_stylesheets=False)
    html = _WRAPPED_STATEMENT.sub(r"\1", inlined)
    # A count, for MJML repeats the title as a label.
    if Counter(_JINJA.findall(mjml)) - Counter(_JINJA.findall(html)):
        raise ValueError(f"{source.name}: compiling lost or escaped some Jinja2; write it without <, >, & and double quotes")
    note = f"{{# Compiled from {source.name} by python -m local.email_templates: change that one. -#}}\n"
    return f"{note}{html}\n"
