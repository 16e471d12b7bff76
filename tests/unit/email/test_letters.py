"""The letters of the use cases: the right template, links that open when they are sent and not before (D11, N3, N4)."""

import re
from datetime import date, timedelta

import pytest

from local.email_templates import samples
from remit.adapters.email import ses
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.rendering import render
from remit.adapters.payment_links import PaymentLink, PaymentLinks
from remit.domain.accounts import SavedMethod
from remit.domain.errors import ForbiddenError, InvalidError
from remit.domain.terms import Method
from remit.usecases.ports import Letter, Letters, Mailer, RetryPlan
from tests.fakes import FakeBooks

LINKS = PaymentLinks([b"s" * 32], "https://pay.example.test")
LETTERS: Letters = JinjaLetters(LINKS, FakeBooks())
LATER = samples.NOW + timedelta(days=48)


def opened(letter: Letter) -> list[PaymentLink]:
    """What the links in the letter give access to once it is sent; both parts carry the same ones, and opened nothing before."""
    html, text = LINKS.unmasked(letter.html), LINKS.unmasked(letter.text)
    tokens = list(dict.fromkeys(re.findall(r"https://pay\.example\.test/pay/(\S+)", text)))
    assert all(f"https://pay.example.test/pay/{token}" in html for token in tokens)
    assert not any(token in letter.html + letter.text for token in tokens)
    return [LINKS.open(token, LATER) for token in tokens]


def test_an_invoice_letter_links_to_its_invoice() -> None:
    issued, item = samples.invoice()
    letter = LETTERS.invoice(samples.firm(), samples.account(), issued, item, samples.NOW)
    assert letter.template == "invoice_issued"
    assert opened(letter) == [PaymentLink(issued.account_id, issued.id)]


def test_a_receipt_links_to_what_is_still_open_only() -> None:
    _, item = samples.invoice()
    firm, account = samples.firm(), samples.account()
    part = LETTERS.receipt(firm, account, samples.payment(item, 100), [item.settle(100, "pay_1")], samples.NOW)
    full = LETTERS.receipt(
        firm, account, samples.payment(item, item.total_minor), [item.settle(item.total_minor, "pay_1")], samples.NOW
    )
    assert (part.template, full.template) == ("payment_received", "payment_received")
    assert opened(part) == [PaymentLink(account.id, item.invoice_id)]
    assert opened(full) == []


def test_a_notice_uses_the_letter_of_its_tier_and_links_to_each_invoice() -> None:
    items = [samples.overdue(482, "EUR", 127_371, date(2026, 3, 2)), samples.overdue(497, "EUR", 60_500, date(2026, 3, 16))]
    account = samples.account()
    letter = LETTERS.dunning(samples.firm(), account, samples.notice(items, date(2026, 3, 20)), LATER)
    assert letter.template == "dunning_tier_2"
    assert opened(letter) == [PaymentLink(account.id, "inv_482"), PaymentLink(account.id, "inv_497")]


def test_D3_a_summary_links_to_each_invoice_that_is_asked_for() -> None:
    """Not to one that is in dispute."""
    firm, account = samples.firm(), samples.account()
    letter = LETTERS.summary(firm, account, samples.open_summary(), LATER)
    assert letter.template == "account_summary_open"
    assert opened(letter) == [PaymentLink(account.id, "inv_01jdxsample"), PaymentLink(account.id, "inv_501")]
    told = LETTERS.summary(firm, account, samples.transactions(), LATER)
    assert (told.template, opened(told)) == ("account_summary_transactions", [])


def test_D11_a_letter_as_it_is_kept_opens_nothing_and_as_it_is_sent_is_the_same_to_the_byte() -> None:
    issued, item = samples.invoice()
    letter = LETTERS.invoice(samples.firm(), samples.account(language="nl-BE"), issued, item, samples.NOW)
    sent = render("invoice_issued", letter.model)
    assert (LINKS.unmasked(letter.html), LINKS.unmasked(letter.text)) == (sent.html, sent.text)
    assert (letter.subject, letter.template_version) == (sent.subject, sent.template_version)
    (masked,) = set(re.findall(r"/pay/(\S+)", letter.text))
    with pytest.raises(ForbiddenError):
        LINKS.open(masked, samples.NOW)


def test_N3_every_letter_is_written_in_the_accounts_language() -> None:
    firm, account = samples.firm(), samples.account(language="de-AT")
    _, item = samples.invoice(buyer=account)
    failed = samples.payment(item, 0, item.total_minor, saved_method="pm_1")
    letter = LETTERS.payment_failed(firm, account, failed, [item], RetryPlan(date(2026, 3, 5)), samples.NOW)
    assert letter.template_version.startswith("de-")
    assert letter.subject == ("Zahlung fehlgeschlagen: 1.273,79 € an Northwind Cloud B.V., nächster Versuch am 5. März 2026")
    assert opened(letter) == [PaymentLink(account.id, item.invoice_id)]


def test_a_method_that_never_expires_is_not_written_about() -> None:
    method = SavedMethod("pm_1", "stripe", Method.BANK_DEBIT, "sepa 3000", samples.NOW)
    with pytest.raises(InvalidError) as caught:
        LETTERS.card_expiring(samples.firm(), samples.account(), method)
    assert caught.value.code == "method_never_expires"


def test_the_deployed_mailer_speaks_for_the_firm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("MAIL_SENDER", "remit@billing.example")
    monkeypatch.setenv("MAIL_CONFIGURATION_SET", "")
    monkeypatch.setattr(ses, "payment_links", lambda: LINKS)
    mailer = ses.deployed_mailer(samples.firm())
    port: Mailer = mailer
    assert port is mailer
    assert mailer.sender == '"Northwind Cloud B.V." <remit@billing.example>'
    assert mailer.reply_to == "billing@northwind.example"
    assert mailer.configuration_set is None
    assert mailer.links is LINKS
    assert ses.deployed_mailer(samples.firm()).client is mailer.client, "one client per process"
