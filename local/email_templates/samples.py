"""Sample firms, customers and documents, made by the domain's own rules: for previews and for tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from remit.adapters.email import models
from remit.domain.accounts import Account, Address, PaymentSettings, SavedMethod, TaxId
from remit.domain.actor import Actor, Channel
from remit.domain.credit_notes import CreditNote, CreditNoteLine
from remit.domain.credits import Credit, CreditKind, TaxOption
from remit.domain.dunning import DueReminder, DunningPolicy, Notice, OpenPart, Reminder, Situation, decide
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice, NumberSeries, issue
from remit.domain.journal import Balance, EntryKind
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest, Order, on_terms, price
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.refunds import Refund, RefundStatus
from remit.domain.summaries import OpenInvoices, RecentTransactions, Statement, Transaction, open_invoices
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, Method, Part, PaymentTerm
from remit.usecases.ports import RetryPlan

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
PAY_LINK = "https://pay.example.test/pay/acc_01jdxsample.inv_01jdxsample.69a5b3c8.q8W1nYxkP0m2TzR7uVb4Kg"
NET_30 = PaymentTerm.single("net30", "Net 30", Due(DueRule.NET_DAYS, 30))
ON_RECEIPT = PaymentTerm.single("receipt", "Due on receipt", Due(DueRule.ON_RECEIPT))
BANK_ONLY = PaymentTerm.single("bank30", "Net 30, by bank", Due(DueRule.NET_DAYS, 30), (Method.BANK_TRANSFER,))
TAX_CODES = (
    TaxCode("VAT21", TaxKind.STANDARD, Decimal(21)),
    TaxCode("VAT9", TaxKind.STANDARD, Decimal(9)),
    TaxCode("RC", TaxKind.REVERSE_CHARGE, reason="VAT is due by the recipient, article 196 of directive 2006/112/EC."),
    TaxCode("ZERO", TaxKind.ZERO),
)
LINES = (
    LineRequest("Managed PostgreSQL, February 2026", Decimal(1), 74_900, "VAT21"),
    LineRequest("Support, hours", Decimal("2.5"), 9_500, "VAT21"),
    LineRequest("Handbook “Running Ledgers”, printed", Decimal(3), 2_450, "VAT9"),
)


def firm(**changes: Any) -> Firm:
    """A firm in Amsterdam that bills in euro."""
    fields: dict[str, Any] = {
        "name": "Northwind Cloud B.V.",
        "email": "billing@northwind.example",
        "address": Address("Keizersgracht 123", "Amsterdam", "NL", postal_code="1015 CJ"),
        "time_zone": "Europe/Amsterdam",
        "default_currency": "EUR",
        "tax_ids": (TaxId("eu_vat", "NL123456782B01"),),
        "tax_codes": {code.code: code for code in TAX_CODES},
        "terms": {term.id: term for term in (NET_30, ON_RECEIPT, BANK_ONLY)},
    }
    return Firm(**fields | changes)


def account(**changes: Any) -> Account:
    """A customer."""
    fields: dict[str, Any] = {
        "id": "acc_01jdxsample",
        "name": "Blue Harbour Trading GmbH",
        "email": "ap@blueharbour.example",
        "default_currency": "EUR",
        "created_at": NOW,
    }
    return Account(**fields | changes)


def invoice(
    lines: Sequence[LineRequest] = LINES,
    currency: str = "EUR",
    *,
    buyer: Account | None = None,
    seller: Firm | None = None,
    term: PaymentTerm = NET_30,
    reference: str | None = "PO-7781",
    prices_include_tax: bool = False,
    last_number: int = 481,
) -> tuple[Invoice, OpenItem]:
    """An invoice issued on 31 January 2026, with its open item."""
    seller, buyer = seller or firm(), buyer or account()
    priced = on_terms(price(lines, currency, seller, prices_include_tax=prices_include_tax), term)
    order = Order("ord_01jdxsample", buyer.id, priced, term, NOW, reference, methods=term.methods)
    issued, item, _ = issue(order, buyer, seller, NumberSeries("INV-2026", last_number), NOW)
    return issued, item


def payment(item: OpenItem, allocated_minor: int, amount_minor: int | None = None, **changes: Any) -> Payment:
    """A payment received on 9 February 2026, part of which went to `item`'s invoice."""
    amount = allocated_minor if amount_minor is None else amount_minor
    fields: dict[str, Any] = {
        "id": "pay_01jdxsample",
        "account_id": item.account_id,
        "currency": item.currency,
        "amount_minor": amount,
        "method": Method.CARD,
        "cash_account": "stripe",
        "status": PaymentStatus.SUCCEEDED,
        "created_at": NOW,
        "value_date": date(2026, 2, 9),
        "unapplied_minor": amount - allocated_minor,
        "allocations": (Allocation(item.invoice_id, allocated_minor),),
    }
    return Payment(**fields | changes)


def open_summary(invoices: int = 3) -> OpenInvoices:
    """What is open on 9 March 2026: of two currencies, one part overdue and one in dispute."""
    _, first = invoice()
    dollars = replace(invoice(LINES[:1], "USD", last_number=496)[1], invoice_id="inv_497", disputed_by=("pay_01jdxsample",))
    more = [replace(invoice(LINES[1:], last_number=n)[1], invoice_id=f"inv_{n + 1}") for n in range(500, 498 + invoices)]
    balances = [Balance("acc_01jdxsample", "EUR", credit_minor=5_000), Balance("acc_01jdxsample", "USD")]
    summary = open_invoices([first, dollars, *more], balances, date(2026, 3, 9))
    if summary is None:
        raise ValueError("this sample has something open")
    return summary


def transactions(earlier: int = 0) -> RecentTransactions:
    """An invoice, its payment and a credit note in euro; usage in yen."""
    rows = (
        Transaction(EntryKind.INVOICE_ISSUED, date(2026, 1, 31), 127_379, {"invoice": ("inv_01jdxsample",)}),
        Transaction(EntryKind.PAYMENT_RECEIVED, date(2026, 2, 9), -120_000, {"payment": ("pay_01jdxsample",)}),
        Transaction(
            EntryKind.CREDIT_NOTE_ISSUED,
            date(2026, 2, 12),
            -7_379,
            {"credit_note": ("crn_01jdxsample",), "invoice": ("inv_01jdxsample",)},
        ),
    )
    usage = Transaction(EntryKind.WALLET_CHARGED, date(2026, 2, 20), 1_200, {"wallet_charge": ("chg_01jdxsample",)})
    numbers = {"inv_01jdxsample": "INV-2026-000482", "crn_01jdxsample": "CN-2026-000017", "pay_01jdxsample": "PO-7781"}
    euro = Statement("EUR", 5_000, rows, 5_000 + 300 * earlier, earlier, 300 * earlier)
    return RecentTransactions(date(2026, 3, 1), (euro, Statement("JPY", -48_000, (usage,), -46_800)), numbers)


def overdue(number: int, currency: str, open_minor: int, due: date) -> OpenPart:
    """An open part of the invoice `INV-2026-<number>`."""
    return OpenPart(
        f"inv_{number}", f"INV-2026-{number:06d}", currency, due - timedelta(days=14), Part(due, open_minor, open_minor)
    )


def notice(parts: Sequence[OpenPart], today: date, credit: dict[str, int] | None = None) -> Notice:
    """The notice that the default policy sends `today`."""
    found = decide(Situation(parts, available_credit=credit or {}, notices_since=date.min), DunningPolicy(), today).notice
    if found is None:
        raise ValueError("these parts give no notice on that day")
    return found


def pay_links(sent: Notice | DueReminder) -> dict[str, str]:
    """A link for each invoice of a letter."""
    base = "https://pay.example.test/pay/acc_01jdxsample"
    return {item.invoice_id: f"{base}.{item.invoice_id}.69a5b3c8.sample" for item in sent.parts}


def emails(language: str = "en") -> dict[str, tuple[str, dict[str, Any]]]:
    """Name of the sample → template and model, each template at least once, with and without what may be missing."""
    buyer = account(language=language)
    issued, item = invoice()
    today = issued.issued_on
    many = [LineRequest(f"Seat {number}, February 2026", Decimal(1), 1_250, "RC") for number in range(1, 14)]
    long_invoice, long_item = invoice(many, term=ON_RECEIPT, reference=None)
    partly = payment(item, 50_000, 65_000, method=Method.BANK_TRANSFER, reference="INV-2026-000482 / Blue Harbour")
    prepaid = payment(item, 0, 50_000, to_wallet=True, unapplied_minor=0, wallet_minor=50_000, allocations=())
    samples = {
        "invoice_issued": ("invoice_issued", models.invoice_issued(firm(), buyer, issued, item, today, PAY_LINK)),
        "invoice_issued_many_lines": (
            "invoice_issued",
            models.invoice_issued(firm(), buyer, long_invoice, long_item.settle(5_000, "pay_1"), date(2026, 2, 3), PAY_LINK),
        ),
        "payment_received": (
            "payment_received",
            models.payment_received(firm(), buyer, payment(item, item.total_minor), [item.settle(item.total_minor, "pay_1")]),
        ),
        "payment_received_partly": (
            "payment_received",
            models.payment_received(firm(), buyer, partly, [item.settle(50_000, "pay_1")], {item.invoice_id: PAY_LINK}),
        ),
        "payment_received_prepaid": ("payment_received", models.payment_received(firm(), buyer, prepaid, [])),
        **_of_payments(buyer, item),
        **_of_credits(buyer),
    }
    one = [overdue(482, "EUR", 127_371, date(2026, 3, 2))]
    several = [*one, overdue(497, "EUR", 60_500, date(2026, 3, 16)), overdue(501, "JPY", 48_000, date(2026, 3, 20))]
    for days, items, credit in ((6, one, {}), (17, several, {"EUR": 15_000}), (36, several, {})):
        today = date.fromordinal(date(2026, 3, 2).toordinal() + days)
        sent = notice(items, today, credit)
        samples[sent.tier.template] = (
            sent.tier.template,
            models.dunning_notice(firm(), buyer, sent, today, pay_links(sent)),
        )
    for name, summary in {"account_summary_open": open_summary(), "account_summary_open_long": open_summary(30)}.items():
        links = {row.invoice_id: PAY_LINK for row in summary.rows}
        samples[name] = ("account_summary_open", models.open_invoices(firm(), buyer, summary, links))
    for name, told in {
        "account_summary_transactions": transactions(),
        "account_summary_transactions_long": transactions(7),
    }.items():
        samples[name] = ("account_summary_transactions", models.recent_transactions(firm(), buyer, told))
    for days, template in ((-7, "reminder_upcoming"), (3, "reminder_overdue")):
        due = DueReminder(
            Reminder(days, template), tuple([*one, overdue(498, "EUR", 60_500, date(2026, 3, 2))] if days > 0 else one)
        )
        samples[template] = (
            template,
            models.reminder(firm(), buyer, due, date(2026, 3, 2) + timedelta(days=days), pay_links(due)),
        )
    return samples


def _of_payments(buyer: Account, item: OpenItem) -> dict[str, tuple[str, dict[str, Any]]]:
    links = {item.invoice_id: PAY_LINK}
    failed = payment(item, 0, item.total_minor, status=PaymentStatus.FAILED, allocations=(), value_date=None)
    returned = replace(failed, status=PaymentStatus.REVERTED, method=Method.BANK_DEBIT)
    card = SavedMethod("pm_01sample", "stripe", Method.CARD, "visa 4242", NOW, "2026-03")
    automatic = replace(buyer, payment=PaymentSettings((card,), card.id, collect_automatically=True))
    again, act = RetryPlan(next_attempt_on=date(2026, 2, 3)), RetryPlan(must_act=True)
    refund = Refund(
        "ref_01jdxsample", buyer.id, "EUR", 12_100, Method.CARD, "stripe", (), RefundStatus.SUCCEEDED, date(2026, 2, 10), NOW,
        Actor("clerk", Channel.API), "returned goods", payment_id="pay_01jdxsample",
    )  # fmt: skip
    by_bank = replace(refund, method=Method.BANK_TRANSFER, cash_account="bank_transfer", payment_id=None)
    made_on = date(2026, 2, 11)
    return {
        "payment_failed": ("payment_failed", models.payment_failed(firm(), buyer, failed, [item], links, again)),
        "payment_failed_for_good": ("payment_failed", models.payment_failed(firm(), buyer, failed, [item], links, act)),
        "payment_returned": ("payment_failed", models.payment_failed(firm(), buyer, returned, [item], {}, RetryPlan())),
        "card_expiring": ("card_expiring", models.card_expiring(firm(), automatic, card)),
        "card_expiring_not_collected": ("card_expiring", models.card_expiring(firm(), buyer, card)),
        "refund_made": ("refund_made", models.refund_made(firm(), buyer, refund, made_on)),
        "refund_made_by_bank": ("refund_made", models.refund_made(firm(), buyer, by_bank, made_on)),
    }


def _of_credits(buyer: Account) -> dict[str, tuple[str, dict[str, Any]]]:
    goodwill = Credit(
        "crd_01jdxsample", buyer.id, "EUR", CreditKind.GOODWILL, TaxOption.INCLUDED, 5_000, 868, 5_000, date(2026, 2, 10), NOW,
        "sorry for the delay", "VAT21", expires_on=date(2026, 12, 31),
    )  # fmt: skip
    issued, _ = invoice(buyer=buyer)
    line = CreditNoteLine(1, "Support, hours", "services", TAX_CODES[0], 23_750, 4_988)
    note = CreditNote(
        "crn_01jdxsample", "CN-2026-000012", "CN-2026", buyer.id, "EUR", issued.id, issued.number, issued.issued_on,
        issued.order_id or "", date(2026, 2, 10), NOW, issued.seller, issued.buyer, (line,), TaxOption.INCLUDED, "returned",
        applied_minor=20_000, credit_id="crd_01jdxsample",
    )  # fmt: skip
    return {
        "credit_issued": ("credit_issued", models.credit_issued(firm(), buyer, goodwill)),
        "credit_note_issued": ("credit_issued", models.credit_note_issued(firm(), buyer, note)),
    }
