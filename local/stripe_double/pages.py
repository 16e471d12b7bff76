"""The pages that a customer sees: hosted Checkout and the issuer's authentication.

Plain HTML without scripts, so that a browser, a screen reader and ``curl`` can all pay. There are no card fields: a
test card is chosen by what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from string import Template
from urllib.parse import parse_qs, quote, urlencode

from local.stripe_double import checkout_sessions, customer_actions
from local.stripe_double.bank_accounts import ACCOUNTS
from local.stripe_double.currencies import major_units
from local.stripe_double.engine import Engine
from local.stripe_double.errors import ApiError
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject
from local.stripe_double.test_cards import CARDS

type Form = dict[str, str]

_OFFERED = (
    "visa",
    "chargeDeclined",
    "chargeDeclinedInsufficientFunds",
    "authenticationRequired",
    "mastercard",
    "chargeDeclinedExpiredCard",
    "chargeDeclinedIncorrectCvc",
    "refundFail",
)

_OFFERED_COUNTRIES = ("DE", "US")
_THANKS = {
    "payment": ("Payment received", "You have paid"),
    "setup": ("Saved", "Your payment method is saved for"),
}

_LAYOUT = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$title</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1f36; background: #fff; max-width: 32rem;
  margin: 2rem auto; padding: 0 1rem }
.note { background: #fff4d6; border-left: .25rem solid #8a5a00; padding: .5rem 1rem }
.error { background: #fdeaea; border-left: .25rem solid #a8071a; padding: .5rem 1rem }
.total { font-size: 1.75rem; font-weight: 600 }
table { width: 100%; border-collapse: collapse }
th, td { text-align: left; padding: .25rem 0 } td.amount, th.amount { text-align: right }
label { display: block; margin-top: 1rem; font-weight: 600 }
select, input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box }
button { font: inherit; margin-top: 1.5rem; padding: .75rem 1.5rem; color: #fff; background: #3f3ad0;
  border: 0; border-radius: .375rem; cursor: pointer }
button.secondary { color: #1a1f36; background: #e3e8ee }
:focus-visible { outline: .1875rem solid #3f3ad0; outline-offset: .125rem }
</style>
</head>
<body>
<main>
<p class="note">Test page: no money moves, and no card details are asked for.</p>
$content
</main>
</body>
</html>
""")

_CHECKOUT = Template("""<h1>$title</h1>
$error
$due
<form method="post">
<label for="card">$method_label</label>
<select id="card" name="card" required>
$methods
</select>
<label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="email" value="$email" required>
<label for="name">$name_label</label>
<input id="name" name="name" autocomplete="$name_autocomplete">
<button type="submit">$action</button>
</form>
$cancel
""")

_DUE = Template("""<p class="total">$total</p>
<table>
<caption>What you pay for</caption>
<thead><tr><th scope="col">Item</th><th scope="col">Quantity</th><th scope="col" class="amount">Amount</th></tr></thead>
<tbody>
$items
</tbody>
</table>
""")

_AUTHENTICATE = Template("""<h1>Confirm your payment</h1>
<p>Your bank asks whether it is you who pays <strong>$firm</strong>$amount.</p>
<form method="post">
<button type="submit" name="outcome" value="succeed">Yes, complete authentication</button>
<button type="submit" name="outcome" value="fail" class="secondary">No, fail authentication</button>
</form>
""")


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML answer, or a redirect when there is a ``Location``."""

    status: int
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Pages:
    """Serves the customer's pages on an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def serve(self, method: str, path: str, body: str) -> Page:
        form = {name: values[-1] for name, values in parse_qs(body).items()}
        for (step_method, prefix), step in _STEPS.items():
            if method == step_method and path.startswith(prefix):
                with self._engine.transaction() as sandbox:
                    return step(sandbox, path.removeprefix(prefix), form)
        return _message(404, "Page not found", "There is nothing at this address.")


def _show_session(sandbox: Sandbox, session_id: str, _: Form, status: int = 200) -> Page:
    session = sandbox.store.of_kind("checkout.session").get(session_id)
    if session is None:
        return _message(404, "Page not found", "There is nothing to pay or to save here.")
    if session["status"] == "complete":
        title, text = _THANKS[session["mode"]]
        return _message(200, title, f"{text} {sandbox.business_name}. Thank you.")
    if session["status"] == "expired":
        return _message(410, "This link has expired", f"Please ask {sandbox.business_name} for a new one.")
    return Page(status, _checkout_page(sandbox, session))


def _submit_session(sandbox: Sandbox, session_id: str, form: Form) -> Page:
    session = sandbox.store.of_kind("checkout.session").get(session_id)
    if session is None or session["status"] != "open":
        return _show_session(sandbox, session_id, form)
    try:
        intent = customer_actions.submit_session(
            sandbox,
            session_id,
            _test_name(form.get("card", "")),
            email=form.get("email"),
            name=form.get("name"),
        )
    except ApiError as error:
        # Declines are shown from the intent; anything else is a form that this page did not make.
        status = error.status if error.status == 402 else 400
        return _show_session(sandbox, session_id, form, status)
    if intent["status"] == "requires_action":
        return _redirect(f"/authenticate/{intent['id']}")
    return _redirect(success_url(session))


def _test_name(chosen: str) -> str:
    """The test payment method of an option: cards are listed without their prefix."""
    return chosen if chosen in ACCOUNTS else f"pm_card_{chosen}"


def _show_authentication(sandbox: Sandbox, intent_id: str, _: Form) -> Page:
    intent = _intent(sandbox, intent_id)
    if intent is None or intent["status"] != "requires_action":
        return _message(404, "Nothing to confirm", "Your bank does not ask for anything here.")
    amount = f" <strong>{_money(intent)}</strong>" if "amount" in intent else ""
    content = _AUTHENTICATE.substitute(firm=escape(sandbox.business_name), amount=amount)
    return Page(200, _page("Confirm your payment", content))


def _authenticate(sandbox: Sandbox, intent_id: str, form: Form) -> Page:
    intent = _intent(sandbox, intent_id)
    if intent is None or intent["status"] != "requires_action":
        return _show_authentication(sandbox, intent_id, form)
    action = intent["next_action"].get("redirect_to_url", {})
    customer_actions.authenticate(sandbox, intent_id, succeeds=form.get("outcome") == "succeed")
    paid = intent["status"] in ("succeeded", "requires_capture", "processing")
    if session := customer_actions.session_of(sandbox, intent):
        return _redirect(success_url(session) if paid else f"/c/pay/{session['id']}")
    if return_url := action.get("return_url"):
        return _redirect(_with_outcome(return_url, intent, paid))
    return _message(200, "Thank you", "You can close this page.")


_STEPS: Mapping[tuple[str, str], Callable[[Sandbox, str, Form], Page]] = {
    ("GET", "/c/pay/"): _show_session,
    ("POST", "/c/pay/"): _submit_session,
    ("GET", "/authenticate/"): _show_authentication,
    ("POST", "/authenticate/"): _authenticate,
}


def success_url(session: StripeObject) -> str:
    """Where the customer goes after paying, with the session's id in place of its template variable.

    Source: https://docs.stripe.com/payments/checkout/custom-success-page.
    """
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _with_outcome(return_url: str, intent: StripeObject, paid: bool) -> str:
    kind = intent["object"]
    query = urlencode(
        {
            kind: intent["id"],
            f"{kind}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if paid else "failed",
        }
    )
    return f"{return_url}{'&' if '?' in return_url else '?'}{query}"


def _intent(sandbox: Sandbox, intent_id: str) -> StripeObject | None:
    for kind in ("payment_intent", "setup_intent"):
        if intent := sandbox.store.of_kind(kind).get(intent_id):
            return intent
    return None


def _checkout_page(sandbox: Sandbox, session: StripeObject) -> str:
    saves, firm = session["mode"] == "setup", escape(sandbox.business_name)
    only_cards = session["payment_method_types"] == ["card"]
    total = "" if saves else _amount(session["amount_total"], session["currency"])
    title = f"Save a payment method for {firm}" if saves else f"Pay {firm}"
    cancel_url = session["cancel_url"]
    content = _CHECKOUT.substitute(
        title=title,
        error=_last_error(sandbox, session),
        due="" if saves else _due(sandbox, session, total),
        method_label="Test card" if only_cards else "Test card or bank account",
        methods=_methods(session["payment_method_types"]),
        email=escape(session["customer_email"] or ""),
        name_label="Name on card" if only_cards else "Name on card or account",
        name_autocomplete="cc-name" if only_cards else "name",
        action=f"Pay {total}" if not saves else "Save" if only_cards else "Save and accept the mandate",
        cancel=f'<p><a href="{escape(cancel_url)}">Back to {firm}</a></p>' if cancel_url else "",
    )
    return _page(f"{'Save a payment method for' if saves else 'Pay'} {sandbox.business_name}", content)


def _due(sandbox: Sandbox, session: StripeObject, total: str) -> str:
    items = sandbox.hidden(session["id"])["line_items"]
    rows = "\n".join(
        f"<tr><td>{escape(item['description'])}</td><td>{item['quantity']}</td>"
        f'<td class="amount">{_amount(item["amount_total"], item["currency"])}</td></tr>'
        for item in items
    )
    return _DUE.substitute(total=total, items=rows)


def _methods(types: list[str]) -> str:
    """The test cards and bank accounts to choose from, by what they do."""
    offered = [(name, f"{CARDS[name].label} (…{CARDS[name].last4})") for name in _OFFERED if "card" in types]
    offered += [
        (token, f"{account.label} (…{account.last4})")
        for token, account in ACCOUNTS.items()
        if account.scheme.kind in types and account.country in _OFFERED_COUNTRIES
    ]
    return "\n".join(f'<option value="{value}">{escape(label)}</option>' for value, label in offered)


def _last_error(sandbox: Sandbox, session: StripeObject) -> str:
    intent = checkout_sessions.intent_of(sandbox, session)
    error = intent and intent.get("last_payment_error", intent.get("last_setup_error"))
    if not error:
        return ""
    return f'<p class="error" role="alert">{escape(error["message"])} Please try another one.</p>'


def _money(item: StripeObject) -> str:
    return _amount(item["amount"], item["currency"])


def _amount(amount: int, currency: str) -> str:
    return f"{major_units(amount, currency)} {currency.upper()}"


def _message(status: int, title: str, text: str) -> Page:
    return Page(status, _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>"))


def _page(title: str, content: str) -> str:
    return _LAYOUT.substitute(title=escape(title), content=content)


def _redirect(url: str) -> Page:
    return Page(303, headers={"Location": quote(url, safe=":/?#[]@!$&'()*+,;=%~")})
