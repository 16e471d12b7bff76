"""HTTP: the firm's own wording of its letters."""

from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.dynamodb.mail_templates import DynamoMailTemplates
from remit.adapters.email import own_templates
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.rendering import Rendered, render
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import Cursor, Limit
from remit.adapters.ids import UlidIds
from remit.adapters.links import payment_links
from remit.contract.common import Id
from remit.contract.templates import (
    BuiltInView,
    InUseBody,
    Language,
    LetterView,
    TemplateName,
    TemplatePreviewBody,
    TemplateSourceBody,
    TemplatesView,
    TemplateVersionsPage,
    TemplateVersionView,
    TemplateView,
)
from remit.domain.errors import InvalidError, NotFoundError
from remit.domain.firm import Firm
from remit.domain.mail_templates import MailTemplate, template_key
from remit.usecases.edit_templates import save_template, use_template
from remit.usecases.loading import need
from remit.usecases.ports import mail_template_ref
from remit.usecases.preview_letter import preview_letter

api = Api("Templates")
books = DynamoBooks()
journal = DynamoJournal()
templates = DynamoMailTemplates()

Name = Annotated[TemplateName, Path()]
InLanguage = Annotated[Language, Path()]
Version = Annotated[Id, Path()]

DRAFT = "tpl_draft"


def _view(name: str, language: str, firm: Firm) -> TemplateView:
    return TemplateView(name=name, language=language, in_use=firm.mail_templates.get(template_key(name, language)))


@api.app.get(
    "/templates",
    summary="All letters in all languages",
    tags=[api.tag],
    responses=responses(200, "The letters, and which version of each is in use"),
)
def index() -> TemplatesView:
    firm = fresh_firm(books)
    return TemplatesView(templates=[_view(name, language, firm) for name, language in sorted(own_templates.names())])


@api.app.get(
    "/templates/<name>/<language>",
    summary="A letter's built-in template",
    description="To start from: its whole source, and samples of the data that fill it.",
    tags=[api.tag],
    responses=responses(200, "The built-in template"),
)
def read(name: Name, language: InLanguage) -> BuiltInView:
    source = own_templates.built_in(name, language)
    parts = {"subject": source["subject.txt"].strip(), "html": source["html"], "text": source["txt"]}
    facts = _view(name, language, fresh_firm(books)).model_dump()
    return BuiltInView.model_validate(facts | parts | {"samples": own_templates.samples(name, language)})


@api.app.post(
    "/templates/<name>/<language>/versions",
    summary="Save a version of a letter",
    description="It is tried with every sample of the letter's data, and is not in use yet. A version never changes.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The version"),
)
def save(
    name: Name, language: InLanguage, body: Annotated[TemplateSourceBody, Body()], idempotency_key: IdempotencyKey
) -> Response[TemplateVersionView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, TemplateVersionView.plain)
    source = body.to_domain()
    return api.created(save_template(name, language, source, request, own_templates.check, books, clock, UlidIds(clock)))


@api.app.get(
    "/templates/<name>/<language>/versions",
    summary="Versions of a letter",
    tags=[api.tag],
    responses=responses(200, "Newest first"),
)
def versions(name: Name, language: InLanguage, cursor: Cursor = None, limit: Limit = 20) -> TemplateVersionsPage:
    own_templates.built_in(name, language)
    found, more = templates.versions(template_key(name, language), cursor, limit)
    return TemplateVersionsPage(versions=[TemplateVersionView.model_validate(each) for each in found], cursor=more)


@api.app.get(
    "/templates/<name>/<language>/versions/<version>",
    summary="A version of a letter",
    tags=[api.tag],
    responses=responses(200, "The version"),
)
def read_version(name: Name, language: InLanguage, version: Version) -> TemplateVersionView:
    return TemplateVersionView.model_validate(_saved(name, language, version))


def _saved(name: str, language: str, version: str) -> MailTemplate:
    ref = mail_template_ref(template_key(name, language), version)
    return need(books.load(ref), ref)


@api.app.post(
    "/templates/<name>/<language>/previews",
    summary="See a letter before it is used",
    description="With real data, or with a sample. Nothing is stored or sent.",
    tags=[api.tag],
    responses=responses(200, "The letter"),
)
def preview(
    name: Name, language: InLanguage, body: Annotated[TemplatePreviewBody, Body()], idempotency_key: IdempotencyKey | None = None
) -> LetterView:
    now = deployed_clock().now()
    own_templates.built_in(name, language)
    draft = _draft(name, language, body, now)
    if body.of is None:
        return LetterView.model_validate(_of_sample(name, language, body.sample, draft))
    base_url = f"https://{api.app.current_event.request_context.domain_name}"
    letters = JinjaLetters(payment_links(base_url), books, draft)
    firm, of = fresh_firm(books), body.of.to_domain()
    return LetterView.model_validate(preview_letter(name, language, of, firm, books, journal, letters, deployed_clock()))


def _draft(name: str, language: str, body: TemplatePreviewBody, now: datetime) -> MailTemplate | None:
    """The template to look at; None for the one in use."""
    if body.source and body.version:
        raise InvalidError("one_template", "Preview a version or a source, not both.")
    if body.version:
        return _saved(name, language, body.version)
    if body.source is None:
        return None
    source = body.source
    draft = MailTemplate(DRAFT, name, language, source.subject, source.html, source.text, now, api.actor)
    own_templates.check(draft)
    return draft


def _of_sample(name: str, language: str, sample: str | None, draft: MailTemplate | None) -> Rendered:
    models = own_templates.samples(name, language)
    chosen = sample or next(iter(models))
    if chosen not in models:
        raise NotFoundError("no_such_sample", "The letter has no such sample.", known=sorted(models))
    version = fresh_firm(books).mail_templates.get(template_key(name, language))
    template = draft or (_saved(name, language, version) if version else None)
    return own_templates.render_own(template, models[chosen]) if template else render(name, models[chosen], language)


@api.app.put(
    "/templates/<name>/<language>/in-use",
    summary="Put a version in use",
    description="Letters that are written from now on use it; null goes back to the built-in template.",
    tags=[api.tag],
    responses=responses(200, "What is in use"),
)
def use(name: Name, language: InLanguage, body: Annotated[InUseBody, Body()]) -> TemplateView:
    own_templates.built_in(name, language)
    return _view(name, language, use_template(name, language, body.version, own_templates.check, books))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
