"""A firm's own templates: save a version, put one in use (N4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from remit.domain.firm import Firm, require_firm
from remit.domain.mail_templates import MailTemplate, template_key
from remit.usecases.idempotency import Answer, Request, once, persist
from remit.usecases.loading import need
from remit.usecases.ports import Books, Changes, Clock, Ids, firm_ref, mail_template_ref

type Check = Callable[[MailTemplate], None]
"""Raises what is wrong with a template: whether it can be read, what it uses, how it comes out with samples."""


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """What a firm writes: subject, HTML and plain text as Jinja2."""

    subject: str
    html: str
    text: str

    def version(self, id: str, name: str, language: str, request: Request[MailTemplate], clock: Clock) -> MailTemplate:
        return MailTemplate(id, name, language, self.subject, self.html, self.text, clock.now(), request.actor)


def save_template(
    name: str,
    language: str,
    source: TemplateSource,
    request: Request[MailTemplate],
    check: Check,
    books: Books,
    clock: Clock,
    ids: Ids,
) -> Answer:
    """Keep a new version of a template, which is not in use yet; what `check` raises keeps nothing."""
    template = source.version(ids.new("tpl"), name, language, request, clock)

    def decide(consistent: bool) -> tuple[Changes, MailTemplate]:
        check(template)
        return [template], template

    return once(books, request, clock.now(), decide)


def use_template(name: str, language: str, version: str | None, check: Check, books: Books) -> Firm:
    """Put a version of a template in use, or the built-in one (None); the same again writes nothing.

    `NotFoundError` for a version that is not there. It is checked again: what letters hold may have changed since it was saved.
    """
    key = template_key(name, language)

    def decide() -> tuple[Changes, Firm]:
        ref = mail_template_ref(key, version or "")
        loaded = books.load(firm_ref(), ref) if version else books.load(firm_ref())
        firm = require_firm(loaded.get(firm_ref()))
        if version:
            check(need(loaded, ref))
        others = {each: used for each, used in firm.mail_templates.items() if each != key}
        changed = replace(firm, mail_templates=others | {key: version} if version else others)
        return ([] if changed == firm else [changed]), changed

    return persist(books, decide)
