"""The letters that the use cases ask for, written with the Jinja2 templates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from remit.adapters.email import models
from remit.adapters.email.rendering import render
from remit.adapters.payment_links import PaymentLinks
from remit.domain.accounts import Account
from remit.domain.dunning import DueReminder, Notice
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment
from remit.usecases.ports import Letter


@dataclass(frozen=True, slots=True)
class JinjaLetters:
    """The `Letters` of Remit, in the account's language where there is a template in it, else in English."""

    links: PaymentLinks

    def invoice(self, firm: Firm, account: Account, invoice: Invoice, item: OpenItem, now: datetime) -> Letter:
        """The e-mail that brings an invoice, with a link to pay what is open of it."""
        link = self.links.link(account.id, invoice.id, now)
        return _letter("invoice_issued", models.invoice_issued(firm, account, invoice, item, firm.today(now), link), account)

    def receipt(self, firm: Firm, account: Account, payment: Payment, invoices: Sequence[OpenItem], now: datetime) -> Letter:
        """The receipt of a payment; `invoices` are the open items it was allocated to, as they are now."""
        links = self._links_to(account, (item.invoice_id for item in invoices), now)
        return _letter("payment_received", models.payment_received(firm, account, payment, invoices, links), account)

    def dunning(self, firm: Firm, account: Account, notice: Notice, now: datetime) -> Letter:
        """The letter of the notice's tier, with a link to pay each invoice in it."""
        links = self._links_to(account, (item.invoice_id for item in notice.parts), now)
        return _letter(notice.tier.template, models.dunning_notice(firm, account, notice, firm.today(now), links), account)

    def reminder(self, firm: Firm, account: Account, due: DueReminder, now: datetime) -> Letter:
        """The letter of the policy's reminder, with a link to pay each invoice in it."""
        links = self._links_to(account, (item.invoice_id for item in due.parts), now)
        return _letter(due.reminder.template, models.reminder(firm, account, due, firm.today(now), links), account)

    def _links_to(self, account: Account, invoice_ids: Iterable[str], now: datetime) -> dict[str, str]:
        return {invoice_id: self.links.link(account.id, invoice_id, now) for invoice_id in invoice_ids}


def _letter(template: str, model: models.Model, account: Account) -> Letter:
    rendered = render(template, model, account.language)
    return Letter(template, rendered.template_version, rendered.subject, rendered.html, rendered.text, _kept(model))


def _kept(model: Any) -> Any:
    """The model as it may be stored: without its pay links, which would open the pages to whoever reads messages."""
    if isinstance(model, dict):
        return {name: None if name == "pay_url" else _kept(value) for name, value in model.items()}
    return [_kept(value) for value in model] if isinstance(model, list) else model
