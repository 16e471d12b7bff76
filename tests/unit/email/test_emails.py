"""What the e-mails say (D2, D5, D7, D11, N3)."""

import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from local.email_templates import samples
from local.email_templates.compiler import sources, stale_templates
from remit.adapters.email import models
from remit.adapters.email.catalogue import asking_letters
from remit.adapters.email.formatting import LANGUAGES
from remit.adapters.email.rendering import Rendered, render
from remit.domain.dunning import DunningPolicy
from remit.domain.errors import NotFoundError
from remit.domain.journal import EntryKind
from remit.domain.orders import LineRequest
from remit.domain.summaries import RecentTransactions, Statement, Transaction, open_invoices
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, EarlyDiscount, Method, PaymentTerm

EMAILS, GERMAN_EMAILS = samples.emails(), samples.emails("de")
HOSTILE = "<script>alert(1)</script> {{7*7}} {% raw %} \"quoted\" 'n\u202eame' שלום 🎉\r\nBcc: everyone@example.test"
TODAY = date(2026, 2, 1)


def invoice_email(**changes: Any) -> Rendered:
    issued, item = samples.invoice(**changes)
    model = models.invoice_issued(samples.firm(), samples.account(), issued, item, TODAY, samples.PAY_LINK)
    return render("invoice_issued", model)


def shown(html: str) -> str:
    """The text of an HTML part as a reader sees it, without styles, comments and extra spaces."""
    body = re.sub(r"<!--.*?-->|<style.*?</style>", " ", html, flags=re.DOTALL)
    inline = re.sub(r"</?(a|bdi|span|strong)\b[^>]*>", "", body)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inline)).split())


def assert_both_say(rendered: Rendered, *facts: str) -> None:
    text = " ".join(rendered.text.split())
    for fact in (" ".join(fact.split()) for fact in facts):
        assert fact in shown(rendered.html)
        assert fact in text


class Structure(HTMLParser):
    """Collects tags with their attributes, for checks of structure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_compiled_templates_are_what_their_sources_give() -> None:
    assert not stale_templates(), "run python -m local.email_templates"


def test_every_template_of_the_default_dunning_policy_exists() -> None:
    assert {tier.template for tier in DunningPolicy().tiers} <= {source.stem for source in sources()}


def test_D4_every_letter_that_asks_to_be_paid_can_be_a_tiers_or_a_reminders() -> None:
    """A policy names any of them, so all are filled with the same figures."""
    models = [EMAILS[name][1] for name in ("dunning_tier_1", "dunning_tier_3", "reminder_upcoming", "reminder_overdue")]
    for template in asking_letters():
        for model in models:
            assert model["invoices"][0]["number"] in render(template, model).text
    assert asking_letters() == {"dunning_tier_1", "dunning_tier_2", "dunning_tier_3", "reminder_upcoming", "reminder_overdue"}


def test_D4_a_reminder_says_what_is_due_when_and_where_to_pay() -> None:
    upcoming, overdue = (render(*EMAILS[name]) for name in ("reminder_upcoming", "reminder_overdue"))
    assert_both_say(upcoming, "INV-2026-000482", "EUR 1,273.71", "due in 7 days")
    assert upcoming.subject == "Coming up: invoice INV-2026-000482 of Northwind Cloud B.V., due in 7 days (EUR 1,273.71)"
    assert_both_say(overdue, "INV-2026-000482", "INV-2026-000498", "EUR 1,878.71", "3 days overdue")
    for letter, invoice in ((upcoming, "inv_482"), (overdue, "inv_498")):
        assert all(f"/pay/acc_01jdxsample.{invoice}." in body for body in (letter.html, letter.text))


@pytest.mark.parametrize("name", EMAILS)
def test_every_email_says_who_sends_it_to_whom_and_why(name: str) -> None:
    rendered = render(*EMAILS[name])
    assert_both_say(
        rendered,
        "Hello Blue Harbour Trading GmbH",
        "because it concerns their billing account",
        "Sent by Northwind Cloud B.V.",
        "Keizersgracht 123",
        "1015 CJ Amsterdam",
        "VAT NL123456782B01",
        "billing@northwind.example",
    )


@pytest.mark.parametrize("name", EMAILS)
def test_every_email_is_accessible_and_asks_nobody_for_anything(name: str) -> None:
    """Checked in a browser by hand with axe-core; this holds what that relies on."""
    rendered = render(*EMAILS[name])
    page = Structure(rendered.html)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == 1
    assert len(page.all("h1")) == 1
    assert not page.all("img") + page.all("script") + page.all("link")
    assert "url(" not in rendered.html
    assert "@import" not in rendered.html
    layout = [table for table in page.all("table") if table.get("role") == "presentation"]
    data = [table for table in page.all("table") if table.get("role") != "presentation"]
    assert layout
    assert data
    assert all(cell.get("scope") for cell in page.all("th"))
    assert "prefers-color-scheme: dark" in rendered.html


@pytest.mark.parametrize("name", GERMAN_EMAILS)
def test_N3_every_german_email_is_german_throughout_and_as_accessible(name: str) -> None:
    rendered = render(*GERMAN_EMAILS[name], "de")
    page = Structure(rendered.html)
    assert rendered.template_version.startswith("de-")
    assert page.all("html")[0]["lang"] == "de"
    assert len(page.all("h1")) == len(page.all("title")) == 1
    assert all(cell.get("scope") for cell in page.all("th"))
    assert_both_say(
        rendered, "Guten Tag Blue Harbour Trading GmbH", "Gesendet von Northwind Cloud B.V.", "USt-IdNr. NL123456782B01"
    )
    texts = rendered.subject + shown(rendered.html) + rendered.text
    english = set("your you pay invoice and paid amount total open from with until".split())
    assert not english & set(re.findall(r"\w+", re.sub(r"https?://\S+", "", texts).lower()))
    assert re.search(r"\d,\d\d\s€", texts) or "card" in name
    assert not re.search(r"\d\.\d\d\b", texts)


def test_N3_german_letters_call_things_by_their_names() -> None:
    subjects = {name: render(*GERMAN_EMAILS[name], "de").subject for name in GERMAN_EMAILS}
    assert subjects["invoice_issued"] == ("Rechnung INV-2026-000482 von Northwind Cloud B.V.: 1.273,79 €, fällig am 2. März 2026")
    assert subjects["payment_received"].startswith("Zahlungseingang: 1.273,79 €")
    assert subjects["dunning_tier_1"].startswith("Zahlungserinnerung: Rechnung INV-2026-000482")
    assert subjects["dunning_tier_2"].startswith("1. Mahnung: 2 Rechnungen")
    assert subjects["dunning_tier_3"].startswith("2. Mahnung: 3 Rechnungen")
    assert subjects["credit_note_issued"].startswith("Gutschrift von 287,38 €")
    assert subjects["refund_made"].startswith("Erstattung von 121,00 €")


@pytest.mark.parametrize(
    ("name", "plan", "not_said"),
    [
        ("payment_failed", "try again on 3 February 2026", "will not try again"),
        ("payment_failed_for_good", "We will not try again", "try again on"),
        ("payment_returned", "Please pay now", "try again"),
    ],
)
def test_S4_a_failed_payment_says_what_happens_next(name: str, plan: str, not_said: str) -> None:
    rendered = render(*EMAILS[name])
    assert_both_say(rendered, plan, "INV-2026-000482", "EUR 1,273.79")
    assert not_said not in shown(rendered.html)
    assert not_said not in rendered.text


def test_N3_refunds_and_credits_say_how_much_and_whence() -> None:
    assert_both_say(render(*EMAILS["refund_made"]), "EUR 121.00", "11 February 2026", "refunded your card", "pay_01jdxsample")
    assert_both_say(render(*EMAILS["refund_made_by_bank"]), "paid your money back by bank transfer")
    assert_both_say(render(*EMAILS["credit_issued"]), "EUR 50.00", "Can be used until", "31 December 2026")
    note = render(*EMAILS["credit_note_issued"])
    assert_both_say(note, "CN-2026-000012", "INV-2026-000482", "EUR 287.38", "Used for the invoice", "EUR 200.00")
    assert "sorry for the delay" not in render(*EMAILS["credit_issued"]).text  # the firm's own note
    assert_both_say(render(*EMAILS["card_expiring"]), "visa 4242", "31 March 2026", "03/2026", "collected from it")


@pytest.mark.parametrize("name", EMAILS)
def test_models_are_plain_json_and_reproduce_the_email(name: str) -> None:
    """Template, version and model together say what was sent (D11)."""
    template, model = EMAILS[name]
    kept = json.loads(json.dumps(model))
    assert kept == model
    assert render(template, kept) == render(template, model)


def test_an_invoice_email_says_what_is_due_when_and_how_to_pay() -> None:
    rendered = invoice_email()
    assert rendered.subject == "Invoice INV-2026-000482 from Northwind Cloud B.V.: EUR 1,273.79 due on 2 March 2026"
    assert_both_say(
        rendered,
        "INV-2026-000482",
        "invoice of 31 January 2026",
        "your reference PO-7781",
        "EUR 1,273.79",
        "2 March 2026",
        "Managed PostgreSQL, February 2026",
        "2.5 × EUR 95.00",
        "EUR 237.50",
        "Total before tax",
        "VAT21: 21% of EUR 986.50",
        "EUR 207.17",
        "VAT9: 9% of EUR 73.50",
        "Give INV-2026-000482 as the reference",
    )
    assert samples.PAY_LINK in rendered.text
    assert samples.PAY_LINK in [link.get("href") for link in Structure(rendered.html).all("a")]
    assert not re.search(r"127379|1273\.79", rendered.text + shown(rendered.html))


@pytest.mark.parametrize(("currency", "due"), [("JPY", "JPY 1,234,567"), ("KWD", "KWD 1,234.567"), ("EUR", "EUR 12,345.67")])
def test_amounts_are_written_with_the_digits_of_the_currency(currency: str, due: str) -> None:
    rendered = invoice_email(lines=[LineRequest("Freight", Decimal(1), 1_234_567, "ZERO")], currency=currency)
    assert due in rendered.subject
    assert_both_say(rendered, due, "ZERO: zero rate")


def test_a_long_invoice_shows_ten_lines_and_counts_the_rest() -> None:
    lines = [LineRequest(f"Seat no. {number}.", Decimal(1), 1_000, "VAT21") for number in range(1, 24)]
    rendered = invoice_email(lines=lines)
    assert_both_say(rendered, "Seat no. 10.", "and 13 more lines")
    assert "Seat no. 11." not in rendered.html + rendered.text
    assert "more line" not in invoice_email(lines=lines[:10]).text
    assert "and 1 more line\n" in invoice_email(lines=lines[:11]).text


def test_an_exemption_gives_its_reason() -> None:
    rendered = invoice_email(lines=[LineRequest("Consulting", Decimal(1), 100_000, "RC")])
    assert_both_say(rendered, "RC: reverse charge", "EUR 0.00", "article 196 of directive 2006/112/EC")


def test_what_was_paid_is_subtracted_and_a_settled_invoice_asks_for_nothing() -> None:
    issued, item = samples.invoice()
    part_paid = models.invoice_issued(
        samples.firm(), samples.account(), issued, item.settle(27_379, "pay_1"), TODAY, samples.PAY_LINK
    )
    assert_both_say(render("invoice_issued", part_paid), "Paid or credited so far", "EUR 273.79", "EUR 1,000.00")

    paid = models.invoice_issued(
        samples.firm(), samples.account(), issued, item.settle(item.open_minor, "pay_1"), TODAY, samples.PAY_LINK
    )
    settled = render("invoice_issued", paid)
    assert settled.subject == "Invoice INV-2026-000482 from Northwind Cloud B.V."
    assert_both_say(settled, "Nothing is due")
    assert samples.PAY_LINK not in settled.html + settled.text


def test_the_pay_button_needs_a_term_that_allows_cards() -> None:
    rendered = invoice_email(term=samples.BANK_ONLY)
    assert samples.PAY_LINK not in rendered.html + rendered.text
    assert_both_say(rendered, "Paying by bank transfer?")


def test_an_invoice_sent_late_says_so() -> None:
    issued, item = samples.invoice(term=samples.ON_RECEIPT)
    late = models.invoice_issued(samples.firm(), samples.account(), issued, item, date(2026, 2, 3), samples.PAY_LINK)
    assert_both_say(render("invoice_issued", late), "was due on 31 January 2026, 3 days ago")


def test_a_receipt_says_what_arrived_where_it_went_and_what_is_left() -> None:
    _, item = samples.invoice()
    payment = samples.payment(item, 50_000, 65_000, method=Method.BANK_TRANSFER, reference="BH/4711")
    model = models.payment_received(
        samples.firm(), samples.account(), payment, [item.settle(50_000, payment.id)], {item.invoice_id: samples.PAY_LINK}
    )
    rendered = render("payment_received", model)
    assert rendered.subject == "Receipt: EUR 650.00 received, thank you (Northwind Cloud B.V.)"
    assert_both_say(
        rendered,
        "by bank transfer with the reference BH/4711",
        "EUR 650.00",
        "9 February 2026",
        "INV-2026-000482",
        "EUR 500.00",
        "EUR 773.79 remains to be paid",
        "Credit on your account",
        "EUR 150.00",
        "pay_01jdxsample",
    )
    assert samples.PAY_LINK in rendered.text
    assert samples.PAY_LINK in rendered.html


def test_a_receipt_of_a_full_payment_asks_for_nothing_more() -> None:
    rendered = render(*EMAILS["payment_received"])
    assert_both_say(rendered, "payment by card", "paid in full")
    assert "remains" not in rendered.text
    assert "Credit on your account" not in rendered.text


def overdue_items() -> list[Any]:
    return [
        samples.overdue(482, "EUR", 127_371, date(2026, 3, 2)),
        samples.overdue(497, "EUR", 60_500, date(2026, 3, 16)),
        samples.overdue(501, "JPY", 48_000, date(2026, 3, 18)),
    ]


def test_a_notice_lists_all_that_is_overdue_net_of_credit_per_currency() -> None:
    today = date(2026, 3, 20)
    sent = samples.notice(overdue_items(), today, {"EUR": 15_000})
    links = samples.pay_links(sent)
    rendered = render(sent.tier.template, models.dunning_notice(samples.firm(), samples.account(), sent, today, links))
    assert rendered.subject == "Payment overdue: 3 invoices at Northwind Cloud B.V. (EUR 1,728.71 and JPY 48,000)"
    for number, amount, due, days in (
        ("INV-2026-000482", "EUR 1,273.71", "2 March 2026", "18 days overdue"),
        ("INV-2026-000497", "EUR 605.00", "16 March 2026", "4 days overdue"),
        ("INV-2026-000501", "JPY 48,000", "18 March 2026", "2 days overdue"),
    ):
        assert_both_say(rendered, number, amount, f"due on {due}", days)
    assert_both_say(rendered, "EUR 1,878.71", "Your available credit", "EUR −150.00", "EUR 1,728.71", "To be paid in JPY")
    hrefs = [link.get("href") for link in Structure(rendered.html).all("a")]
    assert all(link in hrefs and link in rendered.text for link in links.values())


def test_an_invoice_with_two_overdue_parts_is_one_invoice() -> None:
    items = [samples.overdue(482, "EUR", 100, date(2026, 3, day)) for day in (2, 4)]
    today = date(2026, 3, 8)
    model = models.dunning_notice(samples.firm(), samples.account(), samples.notice(items, today), today, {})
    assert model["invoice_count"] == 1
    assert len(model["invoices"]) == 2
    assert render("dunning_tier_1", model).subject.startswith("Reminder: invoice INV-2026-000482 overdue")


@pytest.mark.parametrize(
    ("language", "late", "fresh"), [("en", "5 days overdue", "due now"), ("de", "seit 5 Tagen überfällig", "jetzt fällig")]
)
def test_D9_a_notice_says_of_a_late_charge_of_its_day_that_it_is_due_now(language: str, late: str, fresh: str) -> None:
    today = date(2026, 3, 7)
    charge = replace(samples.overdue(483, "EUR", 4_000, today), is_late_charge=True)
    sent = samples.notice([samples.overdue(482, "EUR", 100, date(2026, 3, 2)), charge], today)
    account = replace(samples.account(), language=language)
    rendered = render("dunning_tier_2", models.dunning_notice(samples.firm(), account, sent, today, {}), language)
    assert_both_say(rendered, late, fresh)
    assert not any(f"0 {unit}" in rendered.text for unit in ("days overdue", "Tagen"))


def test_a_notice_without_links_has_no_button() -> None:
    today = date(2026, 4, 7)
    sent = samples.notice(overdue_items(), today)
    rendered = render(sent.tier.template, models.dunning_notice(samples.firm(), samples.account(), sent, today, {}))
    assert [link["href"] for link in Structure(rendered.html).all("a")] == ["mailto:billing@northwind.example"]


def test_the_tone_rises_with_the_tier() -> None:
    subjects = {name: render(*EMAILS[name]).subject.partition(":")[0] for name in EMAILS if name.startswith("dunning")}
    assert subjects == {"dunning_tier_1": "Reminder", "dunning_tier_2": "Payment overdue", "dunning_tier_3": "Final notice"}
    assert "slipped through" in render(*EMAILS["dunning_tier_1"]).text
    assert "last notice" in render(*EMAILS["dunning_tier_3"]).text


def test_D3_open_invoices_are_summed_by_currency_and_marked() -> None:
    """L8: never across currencies."""
    rendered = render(*EMAILS["account_summary_open"])
    assert rendered.subject == "Your open invoices at Northwind Cloud B.V.: EUR 1,641.29 and USD 906.29"
    assert_both_say(rendered, "due on 2 March 2026, 7 days overdue", "due on 2 March 2026, in dispute")
    assert_both_say(rendered, "Open in EUR", "EUR 1,641.29", "Your credit, not used yet", "EUR 50.00", "of it in dispute")
    assert_both_say(render(*EMAILS["account_summary_open_long"]), "and 5 more open amounts")


def test_D3_recent_transactions_lead_from_one_balance_to_the_next() -> None:
    rendered = render(*EMAILS["account_summary_transactions"])
    assert_both_say(rendered, "Balance before, in EUR", "EUR 50.00", "Invoice INV-2026-000482", "EUR 1,273.79", "31 January 2026")
    assert_both_say(rendered, "Payment PO-7781", "EUR −1,200.00", "Credit note CN-2026-000017", "Usage", "JPY −46,800")
    assert_both_say(render(*EMAILS["account_summary_transactions_long"]), "7 earlier transactions", "EUR 21.00", "EUR 71.00")


def test_N3_german_summaries_count_and_mark_as_the_english_ones_do() -> None:
    of_open = render(*GERMAN_EMAILS["account_summary_open"], "de")
    assert of_open.subject == "Ihre offenen Rechnungen bei Northwind Cloud B.V.: 1.641,29 € und 906,29 USD"
    assert_both_say(of_open, "fällig am 2. März 2026, seit 7 Tagen überfällig", "fällig am 2. März 2026, beanstandet")
    assert_both_say(of_open, "davon überfällig", "davon beanstandet", "Ihr Guthaben, noch nicht verwendet", "Offen in USD")
    assert_both_say(render(*GERMAN_EMAILS["account_summary_open_long"], "de"), "und 5 weitere offene Beträge")
    told = render(*GERMAN_EMAILS["account_summary_transactions"], "de")
    assert_both_say(told, "Bisheriger Saldo in EUR", "Rechnung INV-2026-000482", "31. Januar 2026", "Gutschrift CN-2026-000017")
    assert_both_say(told, "Zahlung PO-7781", "Verbrauch", "Neuer Saldo in JPY")
    assert_both_say(render(*GERMAN_EMAILS["account_summary_transactions_long"], "de"), "7 frühere Vorgänge")


def test_D3_what_waits_for_its_delivery_names_no_date_in_a_summary() -> None:
    _, item = samples.invoice(term=ON_DELIVERY)
    summary = open_invoices([item], [], TODAY)
    assert summary is not None
    for language, due in {"en": "due 14 days after delivery", "de": "fällig 14 Tage nach Lieferung"}.items():
        model = models.open_invoices(samples.firm(), samples.account(language=language), summary, {})
        assert_both_say(render("account_summary_open", model, language), due)


@pytest.mark.parametrize("kind", EntryKind)
def test_D3_every_kind_of_entry_has_a_name_for_the_customer(kind: EntryKind) -> None:
    """N3: in each language; no language's name is another's."""
    told = RecentTransactions(TODAY, (Statement("EUR", 0, (Transaction(kind, TODAY, 5, {}),), 5),))
    names = {}
    for language in LANGUAGES:
        model = models.recent_transactions(samples.firm(), samples.account(language=language), told)
        (row,) = model["statements"][0]["transactions"]
        assert_both_say(render("account_summary_transactions", model, language), row["name"], row["amount"]["text"])
        names[language] = row["name"]
    assert len(set(names.values())) == len(LANGUAGES)


def test_hostile_names_are_inert() -> None:
    firm = samples.firm(name=HOSTILE)
    account = samples.account(name=HOSTILE)
    issued, item = samples.invoice(
        [LineRequest(HOSTILE, Decimal(1), 100, "VAT21")], seller=firm, buyer=account, reference=HOSTILE
    )
    payment = samples.payment(item, item.total_minor, reference=HOSTILE)
    today = date(2026, 3, 20)
    sent = samples.notice(overdue_items(), today)
    for template, model in (
        ("invoice_issued", models.invoice_issued(firm, account, issued, item, TODAY, samples.PAY_LINK)),
        ("payment_received", models.payment_received(firm, account, payment, [item.settle(item.total_minor, "pay_1")])),
        ("dunning_tier_2", models.dunning_notice(firm, account, sent, today, {})),
        ("account_summary_open", models.open_invoices(firm, account, samples.open_summary(), {})),
        (
            "account_summary_transactions",
            models.recent_transactions(firm, account, replace(samples.transactions(), numbers={"pay_01jdxsample": HOSTILE})),
        ),
    ):
        rendered = render(template, model)
        assert "<script" not in rendered.html
        assert not Structure(rendered.html).all("script")
        assert "&lt;script&gt;" in rendered.html
        assert_both_say(rendered, "{{7*7}}", "{% raw %}", "🎉")
        assert "\u202e" not in rendered.html + rendered.text + rendered.subject
        assert len(rendered.subject.splitlines()) == 1
        assert not any(line.startswith("Bcc:") for line in rendered.text.splitlines())
        assert "\u2068" in rendered.text, "a right-to-left name is fenced"


def test_a_missing_figure_raises_instead_of_leaving_a_hole() -> None:
    template, model = EMAILS["invoice_issued"]
    with pytest.raises(UndefinedError):
        render(template, {name: value for name, value in model.items() if name != "invoice"})


def test_a_language_falls_back_to_its_base_and_then_to_english() -> None:
    template, model = EMAILS["invoice_issued"]
    english = render(template, model)
    for language in ("en", "en-GB", "nl", "xx-Latn", "", "../en", "/etc"):
        assert render(template, model, language) == english
    assert render(template, model, "de-AT") == render(template, model, "de") != english


@pytest.mark.parametrize("name", ["", "nope", "../en/invoice_issued", "_head", "invoice_issued.html", "INVOICE_ISSUED"])
def test_an_unknown_template_is_named_as_such(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        render(name, {})
    assert caught.value.code == "unknown_template"


def test_the_version_names_language_and_content() -> None:
    versions = {template: render(template, model).template_version for template, model in EMAILS.values()}
    assert len(set(versions.values())) == len(versions) == len({template for template, _ in EMAILS.values()})
    assert all(re.fullmatch(r"en-[0-9a-f]{12}", version) for version in versions.values())


# Parts without a date, discounts, closed invoices (T2, T5, I6, I9)

ON_DELIVERY = PaymentTerm.single("d", "On delivery", Due(DueRule.AFTER_DELIVERY, 14))
TWO_TEN = replace(samples.NET_30, discount=EarlyDiscount(Decimal(2), 10))


def test_T2_an_invoice_that_waits_for_its_delivery_names_no_date() -> None:
    assert_both_say(invoice_email(term=ON_DELIVERY), "after delivery")


def test_T5_an_early_payment_is_offered_with_amount_and_day() -> None:
    lines = [LineRequest("Consulting", Decimal(1), 10000, "VAT21")]
    assert_both_say(invoice_email(lines=lines, term=TWO_TEN), "EUR 118.58 by 10 February 2026", "save EUR 2.42")


def test_T5_a_discount_that_is_over_is_not_offered() -> None:
    issued, item = samples.invoice(term=TWO_TEN)
    model = models.invoice_issued(samples.firm(), samples.account(), issued, item, date(2026, 2, 11), None)
    assert model["invoice"]["early"] is None
    assert "and save" not in render("invoice_issued", model).text


@pytest.mark.parametrize("kind", TaxKind)
def test_I4_every_kind_of_tax_and_every_method_has_a_name(kind: TaxKind) -> None:
    code = TaxCode("X", kind, Decimal(21) if kind is TaxKind.STANDARD else Decimal(0), reason="Article 1")
    seller = replace(samples.firm(), tax_codes={"X": code})
    email = invoice_email(lines=[LineRequest("A", Decimal(1), 10000, "X")], seller=seller)
    assert_both_say(email, "Article 1")
    assert {Method(method) for method in models._METHOD_NAMES} == set(Method)
