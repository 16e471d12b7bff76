"""Saving a firm's own templates, trying them with real data, and putting them in use (N4)."""

from collections.abc import Callable
from typing import Any

import pytest

from remit.adapters.email import own_templates
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.payment_links import PaymentLinks
from remit.domain.errors import InvalidError, NotFoundError, RuleError
from remit.domain.firm import Firm
from remit.domain.mail_templates import MailTemplate
from remit.usecases.edit_templates import TemplateSource, save_template, use_template
from remit.usecases.ports import firm_ref
from remit.usecases.preview_letter import PreviewOf, preview_letter
from remit.usecases.set_firm import set_firm
from tests.fakes import Fault, MachineDiedError
from tests.support.builders import Office, firm, plain
from tests.support.refusals import refused

LINKS = PaymentLinks([b"s" * 32], "https://pay.example.test")
GOOD = TemplateSource("Hi: {{ invoice.number }}", "<p>{{ pay_url or '' }}</p>", "{{ pay_url or '' }}")
BAD = TemplateSource("Hi", "{{ nobody }}", "-")


@pytest.fixture
def office() -> Office:
    office = Office()
    set_firm(office.firm, office.books, office.clock)
    return office


def save(office: Office, source: TemplateSource = GOOD, key: str = "k", name: str = "invoice_issued") -> Any:
    ask = office.request(key, plain(source))
    return save_template(name, "en", source, ask, own_templates.check, office.books, office.clock, office.ids)


def use(office: Office, version: str | None, check: Callable[[MailTemplate], None] = own_templates.check) -> Firm:
    return use_template("invoice_issued", "en", version, check, office.books)


def in_use(office: Office) -> dict[str, str]:
    return dict(office.books.read(firm_ref()).mail_templates)


def test_N4_a_version_is_kept_once_and_is_not_in_use_yet(office: Office) -> None:
    first, again = save(office), save(office)
    assert again.replayed
    assert first.body == again.body
    (template,) = office.books.all(MailTemplate)
    assert (template.id, template.subject, template.key) == (first.body["id"], GOOD.subject, "invoice_issued/en")
    assert in_use(office) == {}


@pytest.mark.parametrize("fault", [Fault.CRASH_AFTER, Fault.CRASH_BEFORE])
def test_N4_a_crash_while_saving_leaves_one_version_after_the_repeat(office: Office, fault: Fault) -> None:
    office.trouble.strike(fault, on="commit")
    with pytest.raises(MachineDiedError):
        save(office)
    save(office)
    assert len(office.books.all(MailTemplate)) == 1


def test_N4_a_bad_template_is_refused_and_nothing_is_kept(office: Office) -> None:
    before = office.books.state()
    with pytest.raises(InvalidError) as caught:
        save(office, BAD)
    assert office.books.state() == before
    assert (caught.value.facts["part"], caught.value.facts["reason"]) == ("html", "this letter knows no nobody")


def test_N4_versions_are_listed_newest_first_in_pages(office: Office) -> None:
    ids = [save(office, key=f"k{number}").body["id"] for number in range(3)]
    page, cursor = office.books.versions("invoice_issued/en", None, 2)
    rest, end = office.books.versions("invoice_issued/en", cursor, 2)
    assert [template.id for template in (*page, *rest)] == ids[::-1]
    assert end is None
    assert office.books.versions("invoice_issued/de", None, 2) == ([], None)


def test_N4_a_version_is_put_in_use_and_the_built_in_one_again(office: Office) -> None:
    version = save(office).body["id"]
    use(office, version)
    before = office.books.state()
    use(office, version)
    assert office.books.state() == before, "the same again writes nothing"
    assert in_use(office) == {"invoice_issued/en": version}
    use(office, None)
    assert in_use(office) == {}


def test_N4_setting_the_profile_leaves_the_templates_in_use(office: Office) -> None:
    version = save(office).body["id"]
    use(office, version)
    set_firm(firm(name="Another BV"), office.books, office.clock)
    assert in_use(office) == {"invoice_issued/en": version}


def test_N4_only_a_version_of_that_letter_is_put_in_use(office: Office) -> None:
    version = save(office, TemplateSource("x", "y", "z"), name="credit_issued").body["id"]
    for unknown in (version, "tpl_none"):
        with refused(office.books, "template_version_not_found", NotFoundError):
            use(office, unknown)


def test_N4_what_letters_no_longer_hold_is_found_when_it_is_put_in_use(office: Office) -> None:
    version = save(office).body["id"]

    def check(template: MailTemplate) -> None:
        raise InvalidError("bad_template", "It has aged.", id=template.id)

    with refused(office.books, "bad_template", InvalidError):
        use(office, version, check)


# Previews


def preview(office: Office, name: str, account_id: str, document_id: str | None = None, language: str = "de") -> Any:
    letters = JinjaLetters(LINKS, office.books)
    of = PreviewOf(account_id, document_id)
    return preview_letter(name, language, of, office.firm, office.books, office.books, letters, office.clock)


def test_N4_a_letter_is_seen_with_real_data_and_nothing_is_stored_or_sent(office: Office) -> None:
    account_id = office.open_account()
    invoice_id = office.invoice(account_id)
    before = office.books.state()
    letter = preview(office, "invoice_issued", account_id, invoice_id)
    assert "INV-2026-000001" in letter.subject
    assert letter.template_version.startswith("de-")
    assert "masked-" in letter.text
    assert LINKS.unmasked(letter.text) != letter.text
    assert office.books.state() == before
    assert office.mailer.sent == []


def test_N4_each_letter_is_seen_with_the_document_that_it_is_about(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id)
    payment_id = office.receive(account_id, 500, oldest_first=True).body["id"]
    credit_id = office.goodwill(account_id, 700).body["id"]
    assert "5,00" in preview(office, "payment_received", account_id, payment_id).text
    assert "7,00" in preview(office, "credit_issued", account_id, credit_id).text
    assert "5,00" in preview(office, "payment_failed", account_id, payment_id).text


def test_N4_a_notice_is_seen_with_what_is_overdue_whatever_its_age(office: Office) -> None:
    account_id = office.open_account()
    office.invoice(account_id, term="on_receipt")
    with refused(office.books, "nothing_overdue", RuleError):
        preview(office, "dunning_tier_3", account_id)
    office.clock.advance(days=1)
    assert "121,00" in preview(office, "dunning_tier_3", account_id).text


def test_N4_what_a_preview_needs_is_said(office: Office) -> None:
    account_id = office.open_account()
    with pytest.raises(InvalidError) as caught:
        preview(office, "statement", account_id, "x")
    assert caught.value.code == "no_real_data"
    assert "invoice_issued" in caught.value.facts["known"]
    with refused(office.books, "document_needed", InvalidError):
        preview(office, "invoice_issued", account_id)
    with refused(office.books, "invoice_not_found", NotFoundError):
        preview(office, "invoice_issued", account_id, "inv_none")
    with refused(office.books, "account_not_found", NotFoundError):
        preview(office, "invoice_issued", "acc_none", "inv_none")
