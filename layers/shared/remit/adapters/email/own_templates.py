"""Templates that a firm writes itself: what they may contain, and how they are filled (N4).

They are Jinja2 of a small language: text, `{{ figures }}`, `{% if %}` and `{% for %}` over the lists of the model, a few filters.
There is no arithmetic, no assignment, no call, no import and no loop over anything but what the model holds, so that what a
template can cost is bounded by its own length and the model's, without a clock. Jinja2's sandbox stands behind that.
"""

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from remit.adapters.email.formatting import isolate
from remit.adapters.email.rendering import PARTS, TEMPLATES, Rendered, as_email, template_folder
from remit.domain.errors import InvalidError, NotFoundError
from remit.domain.mail_templates import MailTemplate

MAX_OUTPUT = 262_144
"""Characters that one part of a letter may come to; SES takes far more, and no reader."""
MAX_DEPTH = 24
MAX_LOOPS = 2

ASKS_FOR_MONEY = ("invoice_issued", "payment_failed", "dunning_", "reminder")
"""What the names of letters start with that must carry a link to pay, wherever the model has one."""

_FILTERS = ("isolate", "e", "escape", "length", "upper", "lower", "trim", "first", "last")
_TESTS = ("defined", "none")
_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Const, nodes.Slice, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Filter,
    nodes.Test,
)  # fmt: skip
_INCLUDE = re.compile(r'\{% include "(\w+/_\w+\.txt)" %\}\n?')
_NOTE = re.compile(r"\A\{#.*?#\}\n")
"""What the compiler says to those who keep the built-in templates."""
_FAILURES = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What filling a template can raise: all of it the template's fault, for the models are ours."""


class BadTemplateError(InvalidError):
    """A firm's own template that is not fit to be used. `facts` say in which part, on which line, and why."""


def built_in(name: str, language: str) -> dict[str, str]:
    """The source of a built-in template by part, complete, for a firm to start from; `NotFoundError` for an unknown one."""
    if (name, language) not in names():
        known = sorted(f"{name}/{language}" for name, language in names())
        raise NotFoundError("unknown_template", "There is no such template.", known=known)
    folder = template_folder(name, language)

    def included(found: re.Match[str]) -> str:
        return (TEMPLATES / found[1]).read_text(encoding="utf-8")

    sources = {part: (TEMPLATES / folder / f"{name}.{part}").read_text(encoding="utf-8") for part in PARTS}
    return {part: _NOTE.sub("", _INCLUDE.sub(included, source)) for part, source in sources.items()}


@cache
def names() -> frozenset[tuple[str, str]]:
    """(name, language) of every built-in template."""
    return frozenset((path.stem, path.parent.name) for path in TEMPLATES.glob("*/*.html"))


@cache
def _samples() -> dict[str, dict[str, list[Any]]]:
    found: dict[str, dict[str, list[Any]]] = json.loads((TEMPLATES / "samples.json").read_text(encoding="utf-8"))
    return found


def samples(name: str, language: str) -> dict[str, dict[str, Any]]:
    """Models of a letter with made-up data, by their names: with and without all that may be missing."""
    return {sample: model for sample, (template, model) in _samples().get(language, {}).items() if template == name}


def check(template: MailTemplate) -> None:
    """`BadTemplateError` unless every part can be read, uses only what the letter's model has, comes out with every sample of
    it, and asks for money with a link to pay it. `NotFoundError` for a letter that does not exist."""
    built_in(template.name, template.language)
    for part, source in _sources(template).items():
        _check_source(template, part, source)
    for name, model in samples(template.name, template.language).items():
        rendered = render_own(template, model)
        links = set(_pay_links(model))
        if links and template.name.startswith(ASKS_FOR_MONEY):
            for part, text in (("html", rendered.html), ("text", rendered.text)):
                if not any(link in text for link in links):
                    raise _bad(template, part, "the letter asks for money and has no link to pay it", sample=name)


def render_own(template: MailTemplate, model: dict[str, Any]) -> Rendered:
    """Fill a firm's own template; `BadTemplateError` for whatever goes wrong."""
    parts = {part: _filled(template, part, source, model) for part, source in _sources(template).items()}
    return as_email(parts["subject"], parts["html"], parts["text"], template.id)


def _sources(template: MailTemplate) -> dict[str, str]:
    return {"subject": template.subject, "html": template.html, "text": template.text}


def _filled(template: MailTemplate, part: str, source: str, model: dict[str, Any]) -> str:
    chunks: list[str] = []
    length = 0
    try:
        for chunk in _compiled(part, source).generate(model):
            chunks.append(chunk)
            length += len(chunk)
            if length > MAX_OUTPUT:
                raise _bad(template, part, f"it comes to more than {MAX_OUTPUT} characters")
    except BadTemplateError:
        raise
    except _FAILURES as error:
        raise _bad(template, part, str(error) or type(error).__name__) from error
    return "".join(chunks)


@lru_cache(maxsize=128)
def _compiled(part: str, source: str) -> Template:
    return _environment(part).from_string(source)


@cache
def _environment(part: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=part == "html", undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters["isolate"] = isolate
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


def _check_source(template: MailTemplate, part: str, source: str) -> None:
    if "\0" in source or (part == "html" and re.search(r"<\s*script|javascript:", source, re.IGNORECASE)):
        raise _bad(template, part, "scripts and control characters do not belong into a letter")
    try:
        tree = _environment(part).parse(source)
    except TemplateSyntaxError as error:
        raise _bad(template, part, error.message or "it cannot be read", line=error.lineno) from error
    except RecursionError as error:
        raise _bad(template, part, "it nests too deep") from error
    for node, depth, loops in _walk(tree):
        if not isinstance(node, _ALLOWED):
            raise _bad(template, part, f"{type(node).__name__.lower()} is not available in a letter", line=node.lineno)
        if depth > MAX_DEPTH or len(loops) > MAX_LOOPS:
            raise _bad(template, part, "it nests too deep", line=node.lineno)
        if reason := _objection(node, loops):
            raise _bad(template, part, reason, line=node.lineno)
    known = set().union(*samples(template.name, template.language).values())
    if unknown := sorted(meta.find_undeclared_variables(tree) - known):
        raise _bad(template, part, f"this letter knows no {', '.join(unknown)}", known=sorted(known))


def _walk(node: nodes.Node, depth: int = 0, loops: tuple[str, ...] = ()) -> Iterator[tuple[nodes.Node, int, tuple[str, ...]]]:
    """Every node, how deep it lies, and the variables of the loops around it; never deeper than it may be."""
    yield node, depth, loops
    if depth > MAX_DEPTH:
        return
    for child in node.iter_child_nodes():
        inside = isinstance(node, nodes.For) and child is not node.iter
        yield from _walk(child, depth + 1, (*loops, _target(node)) if inside and isinstance(node, nodes.For) else loops)


def _target(loop: nodes.For) -> str:
    return loop.target.name if isinstance(loop.target, nodes.Name) else ""


def _objection(node: nodes.Node, loops: tuple[str, ...]) -> str | None:
    """What is wrong with a node of a kind that may be there."""
    if isinstance(node, nodes.Filter) and (node.name not in _FILTERS or node.args or node.kwargs):
        return f"there is no filter {node.name}"
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        return f"there is no test {node.name}"
    if isinstance(node, nodes.For):
        root = _root(node.iter)
        if node.recursive or root is None or not isinstance(node.target, nodes.Name):
            return "a loop goes over a list of the letter's model"
        if loops and root != loops[-1]:
            return "a loop inside another goes over what the outer one has in its hand"
    return None


def _root(node: nodes.Node) -> str | None:
    """`total` in `total.parts[1:]`; None for what is no path of that kind."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None


def _pay_links(model: Any) -> Iterator[str]:
    if isinstance(model, dict):
        for name, value in model.items():
            if name == "pay_url" and value:
                yield value
            else:
                yield from _pay_links(value)
    elif isinstance(model, list):
        for value in model:
            yield from _pay_links(value)


def _bad(template: MailTemplate, part: str, reason: str, **facts: Any) -> BadTemplateError:
    about = {"template": template.key, "id": template.id, "part": part, "reason": reason}
    return BadTemplateError("bad_template", f"The {part} of the template cannot be used: {reason}.", **about, **facts)
