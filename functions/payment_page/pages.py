"""The pages of the payment link: pure functions from a view to status, headers and HTML.

A page is one response: styles are inside it, and it has no script and asks no one for anything. Only the
form's POST starts a payment; a GET changes nothing, so a mail scanner that follows the link spends nothing (V2).
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from remit.adapters.email.formatting import clean
from remit.adapters.email.models import firm_details, invoice_figures
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.open_items import OpenItem
from remit.domain.terms import Method

type View = dict[str, Any]

MAX_LINES = 50
"""Lines of an invoice that the page shows before "and N more"."""

STRIPE_CHECKOUT = "https://checkout.stripe.com"
_HERE = Path(__file__).parent


class Page(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: dict[str, str]
    html: str


def invoice_view(firm: Firm, invoice: Invoice, item: OpenItem, today: date) -> View:
    """What the pages of one invoice show; `today` is the firm's local date."""
    return {
        "firm": firm_details(firm),
        "buyer": clean(invoice.buyer.name),
        "invoice": invoice_figures(invoice, item, today, MAX_LINES),
        "card": item.open_minor > 0 and Method.CARD in item.methods,
        "bank_transfer": item.open_minor > 0 and Method.BANK_TRANSFER in item.methods,
    }


def invoice_page(view: View, checkout_origin: str = STRIPE_CHECKOUT) -> Page:
    """The invoice with its Pay button. `checkout_origin`: where the POST's answer may redirect, and nowhere else."""
    return _page(200, "invoice.html", view, form_action=f"'self' {checkout_origin}")


def paid_page(view: View) -> Page:
    """Nothing is left to pay."""
    return _page(200, "paid.html", view)


def closed_page(view: View) -> Page:
    """The invoice was voided, or written off: it is not payable here."""
    return _page(200, "closed.html", view)


def processing_page(view: View) -> Page:
    """The payer came back from checkout before the gateway's word did."""
    return _page(200, "processing.html", view)


def link_expired_page(firm: Firm | None = None) -> Page:
    """410: the link was ours and its time is over. `firm` adds whom to ask."""
    return _page(410, "link_expired.html", _firm_view(firm))


def link_invalid_page(firm: Firm | None = None) -> Page:
    """404: not a link of ours. It says nothing about which invoices exist."""
    return _page(404, "link_invalid.html", _firm_view(firm))


def unavailable_page(firm: Firm | None = None) -> Page:
    """503: the gateway could not be reached when the payer pressed Pay, and nothing was charged."""
    page = _page(503, "unavailable.html", _firm_view(firm))
    return page._replace(headers=page.headers | {"Retry-After": "60"})


def _firm_view(firm: Firm | None) -> View:
    return {"firm": firm_details(firm) if firm else None}


def _page(status: int, template: str, view: Mapping[str, Any], form_action: str = "'none'") -> Page:
    html = _environment().get_template(template).render(view, stylesheet=_stylesheet())
    return Page(status, _headers(form_action), html)


def _headers(form_action: str) -> dict[str, str]:
    """Headers of every page.

    The token in the URL opens the invoice, so it goes into no referrer, cache or index. `form-action` names the
    checkout too, because browsers also hold the redirect that answers a form to it.
    """
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{_stylesheet_hash()}'",
        "img-src": "data:",
        "form-action": form_action,
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _stylesheet() -> str:
    return "\n".join((_HERE / "static" / name).read_text(encoding="utf-8") for name in ("pico.classless.min.css", "page.css"))


@cache
def _stylesheet_hash() -> str:
    return base64.b64encode(hashlib.sha256(_stylesheet().encode()).digest()).decode()
