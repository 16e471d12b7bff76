"""What the firm's customer does outside the API: submit a hosted page, pass or fail 3-D Secure.

Both the hosted pages and the control calls go through here, so a script plays the very same customer.
"""

from __future__ import annotations

from local.stripe_double import (
    checkout_sessions,
    payment_methods,
    payments,
    setup_intents,
)
from local.stripe_double.errors import ApiError
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject


def submit_session(
    sandbox: Sandbox,
    session_id: str,
    method_name: str,
    *,
    email: str | None = None,
    name: str | None = None,
) -> StripeObject:
    """Submit a test card or bank account on a session's page; answers the session's intent, or raises the card error."""
    session = sandbox.find("checkout.session", session_id, "session", in_path=True)
    checkout_sessions.check_open(session, "completed")
    method = payment_methods.new_by_name(sandbox, method_name, {"email": email, "name": name}, cvc="123")
    return checkout_sessions.submit(sandbox, session, method)


def authenticate(sandbox: Sandbox, intent_id: str, *, succeeds: bool) -> StripeObject:
    """Answer the issuer's challenge for a payment or setup intent.

    Answers the intent as it is afterwards. A failed challenge, or a decline that follows it, is no error
    here: on Stripe it happens between the customer and the issuer, and the firm learns it by webhook.
    """
    kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
    intent = sandbox.find(kind, intent_id, "intent", in_path=True)
    step = setup_intents.authenticate if kind == "setup_intent" else payments.authenticate
    waiting = intent["status"] == "requires_action"
    try:
        step(sandbox, intent, succeeds=succeeds)
    except ApiError:
        if not waiting:
            raise
        return intent
    if session := session_of(sandbox, intent):
        checkout_sessions.complete(sandbox, session)
    return intent


def session_of(sandbox: Sandbox, intent: StripeObject) -> StripeObject | None:
    """The Checkout session that an intent belongs to."""
    session_id = sandbox.store.hidden.get(intent["id"], {}).get("session")
    return sandbox.store.of_kind("checkout.session")[session_id] if session_id else None
