"""Templates that a firm writes itself: what is refused when it is saved, and that a bad one stops nothing (N4)."""

from dataclasses import replace
from typing import Any

import pytest

from local.email_templates import samples
from remit.adapters.email import letters as letters_module
from remit.adapters.email.formatting import LANGUAGES
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.own_templates import MAX_OUTPUT, BadTemplateError, built_in, check, names, render_own
from remit.adapters.email.rendering import render
from remit.adapters.payment_links import PaymentLinks
from remit.domain.actor import Actor, Channel
from remit.domain.errors import InvalidError, NotFoundError
from remit.domain.mail_templates import MAX_HTML, MailTemplate
from remit.usecases.ports import Letter
from tests.fakes import FakeBooks

LINKS = PaymentLinks([b"s" * 32], "https://pay.example.test")
PAY = "{% if pay_url %}{{ pay_url }}{% endif %}"


def own(subject: str = "Invoice {{ invoice.number }}", html: str = "", text: str = "", **changes: Any) -> MailTemplate:
    """A firm's own letter of an invoice, with a link in both parts."""
    fields: dict[str, Any] = {
        "id": "tpl_1",
        "name": "invoice_issued",
        "language": "en",
        "subject": subject,
        "html": f"<p>Dear {{{{ account.name }}}}</p>{html}{PAY}",
        "text": f"Dear {{{{ account.name }}}}{text} {PAY}",
        "saved_at": samples.NOW,
        "actor": Actor("clerk", Channel.API),
    }
    return MailTemplate(**fields | changes)


def refused(template: MailTemplate) -> BadTemplateError:
    with pytest.raises(BadTemplateError) as caught:
        check(template)
    assert caught.value.code == "bad_template"
    return caught.value


@pytest.mark.parametrize(("name", "language"), sorted(names()))
def test_N4_a_firm_can_start_from_every_built_in_template(name: str, language: str) -> None:
    """The whole source, which passes the checks and makes the very letter that the built-in one makes."""
    parts = built_in(name, language)
    copy = own(parts["subject.txt"], name=name, language=language)
    copy = replace(copy, html=parts["html"], text=parts["txt"])
    check(copy)
    for template, model in samples.emails(language).values():
        if template == name:
            theirs, ours = render_own(copy, model), render(name, model, language)
            assert (theirs.subject, theirs.html, theirs.text) == (ours.subject, ours.html, ours.text)


def test_N4_an_unknown_letter_or_language_is_named_as_such() -> None:
    for changes in ({"name": "nope"}, {"language": "xx"}, {"name": "../en/invoice_issued"}):
        with pytest.raises(NotFoundError) as caught:
            check(own(**changes))
        assert caught.value.code == "unknown_template"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ invoice.number", "end of"),
        ("{% if %}", "Expected an expression"),
        ("{{ nobody }}", "this letter knows no nobody"),
        ("{{ invoice.nothing }}", "has no attribute 'nothing'"),
        ("{% set a = 1 %}", "assign is not available"),
        ("{% macro a() %}{% endmacro %}", "macro is not available"),
        ("{% include 'en/_footer.txt' %}", "include is not available"),
        ("{% import 'x' as x %}", "import is not available"),
        ("{% extends 'x' %}", "extends is not available"),
        ("{{ invoice.number.format() }}", "call is not available"),
        ("{{ range(10) }}", "call is not available"),
        ("{{ 'a' * 1000000000 }}", "mul is not available"),
        ("{{ 9 ** 9 ** 9 }}", "pow is not available"),
        ("{{ 'a' ~ 'b' }}", "concat is not available"),
        ("{{ '%s' % 1 }}", "mod is not available"),
        ("{{ [1] }}", "list is not available"),
        ("{{ invoice.number|safe }}", "safe"),
        ("{{ invoice.number|center(100000) }}", "center"),
        ("{{ invoice.number|upper(1) }}", "upper"),
        ("{% for a in 'abc' %}{% endfor %}", "a loop goes over a list"),
        ("{% for a, b in invoice.lines %}{% endfor %}", "a loop goes over a list"),
        ("{% for a in invoice.lines %}{% for b in invoice.lines %}{% endfor %}{% endfor %}", "a loop inside another"),
        ("{% filter upper %}a{% endfilter %}", "filterblock is not available"),
        ("{% autoescape false %}a{% endautoescape %}", "not available"),
        ("{{ " + "(" * 60 + "pay_url" + ")" * 60 + " }}", None),
        ("{{ " + "not " * 60 + "pay_url }}", "it nests too deep"),
        ("{% if pay_url %}" * 40 + "{% endif %}" * 40, "it nests too deep"),
        ("{{ account.__class__ }}", "unsafe"),
        ("{{ invoice.lines[99].amount.text }}", "no element 99"),
        ("a\0b", "control characters"),
    ],
)
def test_N4_what_a_letter_cannot_do_is_refused_with_its_reason(source: str, reason: str | None) -> None:
    if reason is None:
        check(own(text=source))
    else:
        error = refused(own(text=source))
        assert reason in error.facts["reason"]
        assert error.facts["part"] == "text"


@pytest.mark.parametrize("source", ["<script>alert(1)</script>", "<SCRIPT src=x>", "<a href='javascript:x'>x</a>"])
def test_N4_a_letter_runs_no_script(source: str) -> None:
    assert refused(own(html=source)).facts["part"] == "html"
    check(own(text=source.replace("javascript:", "")))  # in plain text it is text


def test_N4_a_letter_that_asks_for_money_needs_its_link_in_both_parts() -> None:
    for part in ("html", "text"):
        change: dict[str, Any] = {part: "Please pay {{ invoice.due.text }}."}
        error = refused(replace(own(), **change))
        assert (error.facts["part"], error.facts["reason"]) == (
            part,
            "the letter asks for money and has no link to pay it",
        )
    receipt = own("Thanks", name="payment_received")
    check(replace(receipt, html="Thank you for {{ payment.amount.text }}.", text="Thank you."))


def test_N4_what_may_be_missing_is_tried_missing() -> None:
    """The bare sample of the invoice has no reference; a letter that needs one would fail for some customers."""
    assert "has no attribute" in refused(own(text="{{ invoice.early.pay.text }}")).facts["reason"]


def test_N4_a_letter_is_bounded_in_source_and_result() -> None:
    with pytest.raises(InvalidError) as caught:
        own(html="x" * MAX_HTML)
    assert caught.value.facts["longest"] == MAX_HTML
    model = samples.emails()["invoice_issued"][1]
    many = model | {"invoice": model["invoice"] | {"lines": model["invoice"]["lines"] * 1_000}}
    endless = own(text="{% for line in invoice.lines %}" + "x" * 1_000 + "{% endfor %}")
    with pytest.raises(BadTemplateError, match=str(MAX_OUTPUT)):
        render_own(endless, many)


def test_N4_what_customers_write_is_data_in_a_firms_own_template_too() -> None:
    buyer = samples.account(name="<b>{{ 7*7 }}</b>")
    issued, item = samples.invoice(buyer=buyer)
    letter = letters_with(own()).invoice(firm_with(own()), buyer, issued, item, samples.NOW)
    assert "&lt;b&gt;{{ 7*7 }}&lt;/b&gt;" in letter.html


# In use


def letters_with(*templates: MailTemplate) -> JinjaLetters:
    books = FakeBooks()
    for template in templates:
        books.commit([template])
    return JinjaLetters(LINKS, books)


def firm_with(template: MailTemplate) -> Any:
    return samples.firm(mail_templates={template.key: template.id})


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters_module, "_kept", {})
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Remit")


def invoice_letter(letters: JinjaLetters, firm: Any, language: str = "en") -> Letter:
    buyer = samples.account(language=language)
    issued, item = samples.invoice(buyer=buyer)
    return letters.invoice(firm, buyer, issued, item, samples.NOW)


def test_N4_the_firms_own_template_goes_before_the_built_in_one_in_its_language() -> None:
    template = own("Mine: {{ invoice.number }}")
    letters, firm = letters_with(template), firm_with(template)
    assert (invoice_letter(letters, firm).subject, invoice_letter(letters, firm).template_version) == (
        "Mine: INV-2026-000482",
        "tpl_1",
    )
    assert invoice_letter(letters, firm, "en-GB").template_version == "tpl_1"
    assert invoice_letter(letters, firm, "nl").template_version == "tpl_1"
    assert invoice_letter(letters, firm, "de-AT").template_version.startswith("de-")


def test_N4_a_version_is_read_once_in_a_process() -> None:
    template = own()
    letters, firm = letters_with(template), firm_with(template)
    invoice_letter(letters, firm)
    assert isinstance(letters.books, FakeBooks)
    letters.books.erase(template)
    assert invoice_letter(letters, firm).template_version == "tpl_1"


@pytest.mark.parametrize("broken", ["{{ invoice.nothing }}", "{{ invoice.lines[99].amount }}", "{% if %}"])
def test_N4_a_template_that_fails_is_replaced_by_the_built_in_one_and_said_so(
    broken: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    template = own(text=broken)
    letter = invoice_letter(letters_with(template), firm_with(template))
    assert letter.template_version.startswith("en-")
    assert letter.template_failure is not None
    assert letter.template_failure.startswith("The text of the template cannot be used")
    assert "MailTemplateFailures" in capsys.readouterr().out
    (logged,) = caplog.records
    assert (logged.levelname, vars(logged)["template"], vars(logged)["id"]) == ("ERROR", "invoice_issued/en", "tpl_1")
    assert "Blue Harbour" not in str(vars(logged))


def test_N4_a_template_that_is_not_there_is_a_failure_and_not_a_letter_less() -> None:
    letter = invoice_letter(letters_with(), firm_with(own()))
    assert letter.template_failure == "The template that is in use is not there."


def test_N4_a_draft_is_shown_as_it_is_with_its_failure() -> None:
    books = FakeBooks()
    firm = samples.firm(mail_templates={"invoice_issued/en": "tpl_other"})
    assert invoice_letter(JinjaLetters(LINKS, books, draft=own("Draft")), firm).subject == "Draft"
    with pytest.raises(BadTemplateError):
        invoice_letter(JinjaLetters(LINKS, books, draft=own(text="{{ invoice.nothing }}")), firm)


def test_N3_every_language_has_the_same_letters_with_the_same_models() -> None:
    """Named in the failure: what a language lacks."""
    by_language = {language: {name for name, each in names() if each == language} for language in LANGUAGES}
    every = set().union(*by_language.values())
    missing = {language: sorted(every - found) for language, found in by_language.items() if every - found}
    assert missing == {}, f"letters that are not translated: {missing}"
    shapes = {
        language: {name: (template, shape(model)) for name, (template, model) in samples.emails(language).items()}
        for language in LANGUAGES
    }
    assert all(found == shapes["en"] for found in shapes.values())


def shape(model: Any) -> Any:
    """A model with its texts taken out."""
    if isinstance(model, dict):
        return {name: shape(value) for name, value in model.items()}
    return [shape(value) for value in model] if isinstance(model, list) else type(model)


def test_N3_every_letter_has_a_sample() -> None:
    assert {template for template, _ in samples.emails().values()} == {name for name, _ in names()}
