"""The letters of the use cases: the right template, links that open, all that a message keeps (D11)."""

import json
import re
from datetime import date, timedelta

import pytest

from local.email_templates import samples
from remit.adapters.email import ses
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.rendering import render
from remit.adapters.payment_links import PaymentLink, PaymentLinks
from remit.usecases.ports import Letter, Letters, Mailer

LINKS = PaymentLinks([b"s" * 32], "https://pay.example.test")
LETTERS: Letters = JinjaLetters(LINKS)
LATER = samples.NOW + timedelta(days=48)


def opened(letter: Letter) -> list[PaymentLink]:
    """What the links in the letter give access to; both parts carry the same ones."""
    tokens = list(dict.fromkeys(re.findall(r"https://pay\.example\.test/pay/(\S+)", letter.text)))
    assert all(f"https://pay.example.test/pay/{token}" in letter.html for token in tokens)
    return [LINKS.open(token, LATER) for token in tokens]


def test_an_invoice_letter_links_to_its_invoice() -> None:
    issued, item = samples.invoice()
    letter = LETTERS.invoice(samples.firm(), samples.account(), issued, item, samples.NOW)
    assert letter.template == "invoice_issued"
    assert opened(letter) == [PaymentLink(issued.account_id, issued.id)]


def test_a_receipt_links_to_what_is_still_open_only() -> None:
    _, item = samples.invoice()
    firm, account = samples.firm(), samples.account()
    part = LETTERS.receipt(firm, account, samples.payment(item, 100), [item.settle(100, 2)], samples.NOW)
    full = LETTERS.receipt(
        firm, account, samples.payment(item, item.total_minor), [item.settle(item.total_minor, 2)], samples.NOW
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
    assert "/pay/" not in json.dumps(letter.model)
    told = LETTERS.summary(firm, account, samples.transactions(), LATER)
    assert (told.template, opened(told)) == ("account_summary_transactions", [])


def test_what_is_kept_reproduces_the_letter_but_opens_nothing() -> None:
    issued, item = samples.invoice()
    letter = LETTERS.invoice(samples.firm(), samples.account(language="nl-BE"), issued, item, samples.NOW)
    assert "/pay/" not in json.dumps(letter.model)
    link = LINKS.link(issued.account_id, issued.id, samples.NOW)
    again = render(letter.template, letter.model | {"pay_url": link})
    assert (letter.subject, letter.html, letter.text) == (again.subject, again.html, again.text)
    assert letter.template_version == again.template_version


def test_no_link_of_a_notice_is_kept() -> None:
    items = [samples.overdue(482, "EUR", 127_371, date(2026, 3, 2)), samples.overdue(497, "EUR", 60_500, date(2026, 3, 16))]
    letter = LETTERS.dunning(samples.firm(), samples.account(), samples.notice(items, date(2026, 3, 20)), LATER)
    assert "/pay/" in letter.text
    assert "/pay/" not in json.dumps(letter.model)


def test_the_deployed_mailer_speaks_for_the_firm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("MAIL_SENDER", "remit@billing.example")
    monkeypatch.setenv("MAIL_CONFIGURATION_SET", "")
    mailer = ses.deployed_mailer(samples.firm())
    port: Mailer = mailer
    assert port is mailer
    assert mailer.sender == '"Northwind Cloud B.V." <remit@billing.example>'
    assert mailer.reply_to == "billing@northwind.example"
    assert mailer.configuration_set is None
    assert ses.deployed_mailer(samples.firm()).client is mailer.client, "one client per process"
