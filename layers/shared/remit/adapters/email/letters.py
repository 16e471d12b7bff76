"""The letters that the use cases ask for, written with the Jinja2 templates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.email import models
from remit.adapters.email.own_templates import BadTemplateError, render_own
from remit.adapters.email.rendering import Rendered, render, template_folder
from remit.adapters.payment_links import PaymentLinks
from remit.domain.accounts import Account, SavedMethod
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.dunning import DueReminder, Notice
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.mail_templates import MailTemplate, template_key
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.domain.refunds import Refund
from remit.domain.summaries import OpenInvoices, RecentTransactions
from remit.usecases.ports import Books, Letter, RetryPlan, mail_template_ref

logger = Logger()

_kept: dict[tuple[str, str], MailTemplate] = {}
"""The firm's own templates that were used in this process, by key and id: a version never changes (N4)."""


@dataclass(frozen=True, slots=True)
class JinjaLetters:
    """The `Letters` of Remit, in the account's language where there is a template in it, else in English.

    A template of the firm's own that is in use goes before the built-in one. When it fails, the built-in one is sent: the
    customer is told all the same, and the failure is kept with the message, logged and counted. With a `draft`, that very
    template is used whatever is in use, and its failure raises `BadTemplateError`: a preview.
    """

    links: PaymentLinks
    books: Books
    draft: MailTemplate | None = None

    def invoice(self, firm: Firm, account: Account, invoice: Invoice, item: OpenItem, now: datetime) -> Letter:
        """The e-mail that brings an invoice, with a link to pay what is open of it."""
        link = self.links.link(account.id, invoice.id, now)
        model = models.invoice_issued(firm, account, invoice, item, firm.today(now), link)
        return self.written("invoice_issued", model, firm, account)

    def receipt(self, firm: Firm, account: Account, payment: Payment, invoices: Sequence[OpenItem], now: datetime) -> Letter:
        """The receipt of a payment; `invoices` are the open items it was allocated to, as they are now."""
        links = self._links_to(account, (item.invoice_id for item in invoices), now)
        return self.written("payment_received", models.payment_received(firm, account, payment, invoices, links), firm, account)

    def dunning(self, firm: Firm, account: Account, notice: Notice, now: datetime) -> Letter:
        """The letter of the notice's tier, with a link to pay each invoice in it."""
        links = self._links_to(account, (item.invoice_id for item in notice.parts), now)
        model = models.dunning_notice(firm, account, notice, firm.today(now), links)
        return self.written(notice.tier.template, model, firm, account)

    def payment_failed(
        self, firm: Firm, account: Account, payment: Payment, items: Sequence[OpenItem], plan: RetryPlan, now: datetime
    ) -> Letter:
        """What a payment that failed or was returned leaves open, with a link to pay each of it."""
        links = self._links_to(account, (item.invoice_id for item in items), now)
        model = models.payment_failed(firm, account, payment, items, links, plan)
        return self.written("payment_failed", model, firm, account)

    def card_expiring(self, firm: Firm, account: Account, method: SavedMethod) -> Letter:
        """A saved card that can soon not be charged any more."""
        return self.written("card_expiring", models.card_expiring(firm, account, method), firm, account)

    def refund_made(self, firm: Firm, account: Account, refund: Refund, made_on: date) -> Letter:
        """Money that was given back."""
        return self.written("refund_made", models.refund_made(firm, account, refund, made_on), firm, account)

    def credit_issued(self, firm: Firm, account: Account, credit: Credit) -> Letter:
        """A credit that the firm gave."""
        return self.written("credit_issued", models.credit_issued(firm, account, credit), firm, account)

    def credit_note_issued(self, firm: Firm, account: Account, note: CreditNote) -> Letter:
        """A credit note: the letter of a credit, with its number."""
        return self.written("credit_issued", models.credit_note_issued(firm, account, note), firm, account)

    def summary(self, firm: Firm, account: Account, summary: OpenInvoices | RecentTransactions, now: datetime) -> Letter:
        """The summary of what is owed, with a link to pay each invoice in it, or of what happened."""
        if isinstance(summary, RecentTransactions):
            return self.written("account_summary_transactions", models.recent_transactions(firm, account, summary), firm, account)
        links = self._links_to(account, (row.invoice_id for row in summary.rows), now)
        return self.written("account_summary_open", models.open_invoices(firm, account, summary, links), firm, account)

    def reminder(self, firm: Firm, account: Account, due: DueReminder, now: datetime) -> Letter:
        """The letter of the policy's reminder, with a link to pay each invoice in it."""
        links = self._links_to(account, (item.invoice_id for item in due.parts), now)
        return self.written(due.reminder.template, models.reminder(firm, account, due, firm.today(now), links), firm, account)

    def _links_to(self, account: Account, invoice_ids: Iterable[str], now: datetime) -> dict[str, str]:
        return {invoice_id: self.links.link(account.id, invoice_id, now) for invoice_id in invoice_ids}

    def written(self, template: str, model: models.Model, firm: Firm, account: Account) -> Letter:
        """The letter of a template and a model, its links masked."""
        failure = None
        try:
            rendered = self._own(template, model, firm, account.language) or render(template, model, account.language)
        except BadTemplateError as error:
            if self.draft:
                raise
            failure = error.detail
            _report(error)
            rendered = render(template, model, account.language)
        masked = self.links.masked
        version, html, text = rendered.template_version, masked(rendered.html), masked(rendered.text)
        return Letter(template, version, rendered.subject, html, text, model, failure)

    def _own(self, template: str, model: models.Model, firm: Firm, language: str) -> Rendered | None:
        """The letter by the firm's own template, if one is in use for the language that the built-in one would have."""
        if self.draft:
            return render_own(self.draft, model)
        key = template_key(template, template_folder(template, language))
        used = firm.mail_templates.get(key)
        return render_own(self._version(key, used), model) if used else None

    def _version(self, key: str, id: str) -> MailTemplate:
        if (key, id) not in _kept:
            found = self.books.load(mail_template_ref(key, id), consistent=False).get(mail_template_ref(key, id))
            if found is None:
                raise BadTemplateError("template_missing", "The template that is in use is not there.", template=key, id=id)
            _kept[key, id] = found
        return _kept[key, id]


def _report(error: BadTemplateError) -> None:
    """A template that failed is no customer's data: which one, and why."""
    logger.error("a template failed", extra={"code": error.code, **{name: str(fact) for name, fact in error.facts.items()}})
    with single_metric(name="MailTemplateFailures", unit=MetricUnit.Count, value=1):
        pass
