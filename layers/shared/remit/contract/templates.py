"""Mail templates as the API speaks of them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from remit.contract.common import ActorView, Body, Id, Page, View
from remit.domain.mail_templates import MAX_HTML, MAX_SUBJECT, MAX_TEXT
from remit.usecases.edit_templates import TemplateSource
from remit.usecases.preview_letter import PreviewOf

TemplateName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$", examples=["invoice_issued"])]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$", examples=["de"])]


class TemplateSourceBody(Body):
    """The three parts of a letter as Jinja2: text, figures, `if` and `for` over the lists of the model, nothing else."""

    subject: Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT)]
    html: Annotated[str, Field(min_length=1, max_length=MAX_HTML)]
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]

    def to_domain(self) -> TemplateSource:
        return TemplateSource(self.subject, self.html, self.text)


class PreviewOfBody(Body):
    """Real data: an account, and the invoice, payment, refund, credit or saved method that the letter is about."""

    account_id: Id
    document_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,100}$")] | None = None

    def to_domain(self) -> PreviewOf:
        return PreviewOf(self.account_id, self.document_id)


class TemplatePreviewBody(Body):
    """A saved `version`, a `source` that is not saved, or neither: the template that is in use. `of`: real data, or a sample."""

    version: Id | None = None
    source: TemplateSourceBody | None = None
    of: PreviewOfBody | None = None
    sample: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")] | None = None


class InUseBody(Body):
    version: Id | None = Field(description="The version to use from now on; null for the built-in template")


class TemplateView(View):
    """A letter in a language, and what is in use for it."""

    name: str
    language: str
    in_use: str | None = Field(description="The version of the firm's own; null: the built-in template")


class TemplatesView(View):
    templates: list[TemplateView]


class BuiltInView(TemplateView):
    """With the built-in template to start from, and samples of what it is filled with."""

    subject: str
    html: str
    text: str
    samples: dict[str, dict[str, object]]


class TemplateVersionView(View):
    id: str
    name: str
    language: str
    subject: str
    html: str
    text: str
    saved_at: datetime
    actor: ActorView


class TemplateVersionsPage(Page):
    versions: list[TemplateVersionView]


class LetterView(View):
    """A letter as it would be sent; the secrets of its links are masked."""

    template_version: str
    subject: str
    html: str
    text: str
    template_failure: str | None = None
