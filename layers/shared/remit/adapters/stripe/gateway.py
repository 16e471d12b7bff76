"""Stripe behind the `PaymentGateway` port."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import stripe

from remit.adapters.secrets import secret
from remit.adapters.stripe.objects import (
    DEBIT_OF_CURRENCY,
    MAX_INVOICES_NAMED,
    METHOD_OF_TYPE,
    StripeObject,
    instant,
    intent_report,
    intent_status,
    names,
)
from remit.adapters.stripe.refunds import make_refund
from remit.domain.accounts import Account, SavedMethod
from remit.domain.errors import GatewayFailedError, NotFoundError, RuleError, TransientError
from remit.domain.payments import GatewayReport, Payment, PaymentStatus
from remit.domain.refunds import Refund, RefundReport
from remit.domain.terms import Method
from remit.usecases.ports import CheckoutPage, Payer, PaymentName

_CHARGE = ["latest_charge"]
"""What is told with an intent."""


class StripeGateway:
    """Hosted pages: the customer types the card on Stripe's page, never on ours (G5, PCI DSS SAQ A).

    See `usecases.ports.PaymentGateway` for the promises. Ids of ours are Stripe's idempotency keys.
    """

    name = "stripe"

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    def start_checkout(self, payment: Payment, description: str, payer: Payer, return_url: str) -> CheckoutPage:
        metadata = _metadata(payment)
        intent: stripe.params.checkout.SessionCreateParamsPaymentIntentData = {"metadata": metadata, "description": description}
        if payment.method_saved_for_later:
            intent["setup_future_usage"] = "off_session"
        if payment.capture_later:
            intent["capture_method"] = "manual"
        line: stripe.params.checkout.SessionCreateParamsLineItem = {
            "quantity": 1,
            "price_data": {
                "currency": payment.currency.lower(),
                "unit_amount": payment.amount_minor,
                "product_data": {"name": description},
            },
        }
        page: stripe.params.checkout.SessionCreateParams = {
            "mode": "payment",
            "payment_method_types": ["card"],
            "client_reference_id": payment.id,
            "line_items": [line],
            "metadata": metadata,
            "payment_intent_data": intent,
            "success_url": f"{return_url}?returned=paid",
            "cancel_url": return_url,
        }
        if payer.customer_id:
            page["customer"] = payer.customer_id
        else:
            page["customer_email"] = payer.email
        with _translated():
            session = self._client.v1.checkout.sessions.create(page, {"idempotency_key": payment.id})
        return CheckoutPage(session.url or "", session.id, instant(session.expires_at))

    def expire_checkout(self, payment: Payment) -> bool:
        session_id = _id_of(payment, "cs_")
        if session_id is None:
            return True
        with _translated():
            try:
                self._client.v1.checkout.sessions.expire(session_id)
            except stripe.InvalidRequestError:  # it is not open any more
                return self._client.v1.checkout.sessions.retrieve(session_id).status == "expired"
        return True

    def create_customer(self, account: Account) -> str:
        """The account's version is in the key: what has changed since a lost answer may be told otherwise."""
        with _translated():
            customer = self._client.v1.customers.create(
                {"name": account.name, "email": account.email, "metadata": {"remit_account_id": account.id}},
                {"idempotency_key": f"{account.id}-customer-{account.version}"},
            )
        return customer.id

    def start_setup(self, setup_id: str, account_id: str, customer_id: str, currency: str, return_url: str) -> CheckoutPage:
        metadata = {"remit_account_id": account_id, "remit_setup_id": setup_id}
        types: list[Any] = ["card", *([DEBIT_OF_CURRENCY[currency]] if currency in DEBIT_OF_CURRENCY else [])]
        with _translated():
            session = self._client.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "payment_method_types": types,
                    "customer": customer_id,
                    "metadata": metadata,
                    "setup_intent_data": {"metadata": metadata},
                    "success_url": return_url,
                    "cancel_url": return_url,
                },
                {"idempotency_key": setup_id},
            )
        return CheckoutPage(session.url or "", session.id, instant(session.expires_at))

    def saved_method(self, method_id: str, saved_at: datetime) -> SavedMethod | None:
        with _translated():
            found = self._client.v1.payment_methods.retrieve(method_id).to_dict()
        method = METHOD_OF_TYPE.get(found["type"])
        if method is None or not found.get("customer"):
            return None
        details = found[found["type"]]
        brand = details.get("brand") or details.get("bank_name") or found["type"].replace("_", " ")
        expires = f"{details['exp_year']}-{details['exp_month']:02d}" if details.get("exp_year") else None
        return SavedMethod(found["id"], self.name, method, f"{brand} {details['last4']}", saved_at, expires)

    def forget_method(self, method_id: str) -> None:
        with _translated():
            try:
                self._client.v1.payment_methods.detach(method_id)
            except stripe.InvalidRequestError:  # it is attached to nobody any more
                if self._client.v1.payment_methods.retrieve(method_id).customer is not None:
                    raise

    def charge(self, payment: Payment, customer_id: str, description: str, now: datetime) -> GatewayReport:
        debit = DEBIT_OF_CURRENCY.get(payment.currency, "sepa_debit")
        with _translated():
            try:
                intent = self._client.v1.payment_intents.create(
                    {
                        "amount": payment.amount_minor,
                        "currency": payment.currency.lower(),
                        "customer": customer_id,
                        "payment_method": payment.saved_method or "",
                        "payment_method_types": ["card" if payment.method is Method.CARD else debit],
                        "capture_method": "manual" if payment.capture_later else "automatic_async",
                        "confirm": True,
                        "off_session": True,
                        "description": description,
                        "metadata": _metadata(payment),
                        "expand": _CHARGE,
                    },
                    {"idempotency_key": payment.id},
                )
            except stripe.CardError as declined:
                return _declined(declined, now)
        return _answered(intent, now)

    def look_up(self, payment: Payment, now: datetime) -> GatewayReport | None:
        intent = self._intent(payment)
        return None if intent is None else _answered(intent, now)

    def capture(self, payment: Payment, now: datetime) -> GatewayReport:
        amount = payment.amount_minor if payment.capture_minor is None else payment.capture_minor
        with _translated():
            intent = self._client.v1.payment_intents.capture(
                self._intent_id(payment),
                {"amount_to_capture": amount, "expand": _CHARGE},
                {"idempotency_key": f"{payment.id}-capture-{amount}"},
            )
        return _answered(intent, now)

    def cancel(self, payment: Payment, now: datetime) -> GatewayReport:
        with _translated():
            intent = self._client.v1.payment_intents.cancel(self._intent_id(payment))
        return _answered(intent, now)

    def refund(self, refund: Refund, payment: Payment, *, asked_before: bool) -> RefundReport:
        with _translated():
            return make_refund(self._client, refund, payment, asked_before=asked_before)

    def payment_of(self, transaction_id: str) -> PaymentName | None:
        with _translated():
            intent = self._client.v1.payment_intents.retrieve(transaction_id)
        metadata = intent.to_dict()["metadata"]
        return names(metadata) if "remit_payment_id" in metadata else None

    def _intent_id(self, payment: Payment) -> str:
        intent = _id_of(payment, "pi_")
        if intent is not None:
            return intent
        found = self._intent(payment)
        if found is None:
            raise NotFoundError("payment_not_at_gateway", "The gateway knows no such payment.", id=payment.id)
        return found.id

    def _intent(self, payment: Payment) -> stripe.PaymentIntent | None:
        """By its id where an event told it; else by our id in its metadata, which Stripe's search finds within a minute."""
        intent_id = _id_of(payment, "pi_")
        with _translated():
            if intent_id is not None:
                return self._client.v1.payment_intents.retrieve(intent_id, {"expand": _CHARGE})
            found = self._client.v1.payment_intents.search({"query": f"metadata['remit_payment_id']:'{payment.id}'"})
            return next(iter(found.data), None)


def _metadata(payment: Payment) -> dict[str, str]:
    invoices = [allocation.invoice_id for allocation in payment.intended[:MAX_INVOICES_NAMED]]
    return {
        "remit_payment_id": payment.id,
        "remit_account_id": payment.account_id,
        "remit_invoice_ids": ",".join(invoices),
    }


def _id_of(payment: Payment, prefix: str) -> str | None:
    return next((id for id in payment.gateway_ids if id.startswith(prefix)), None)


def _answered(intent: stripe.PaymentIntent, now: datetime) -> GatewayReport:
    plain: StripeObject = intent.to_dict()
    return intent_report(plain, intent_status(plain), now)


def _declined(error: stripe.CardError, now: datetime) -> GatewayReport:
    """The answer to a charge that the issuer declined: the intent is in the error."""
    told: Any = error.json_body
    return intent_report(told["error"]["payment_intent"], PaymentStatus.FAILED, now)


@contextmanager
def _translated() -> Iterator[None]:
    """Stripe's errors as ours. A wrong API key stays what it is: nothing a caller could do about it.

    Stripe keeps a 500 under its idempotency key and answers it again for a day, and so it does the refusal of
    a key that came with other parameters: https://docs.stripe.com/api/idempotent_requests
    """
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise TransientError("gateway_unavailable", "The payment gateway did not answer. Try again.") from error
    except stripe.IdempotencyError as error:
        raise GatewayFailedError("gateway_failed", "The payment gateway failed. Try again.") from error
    except stripe.InvalidRequestError as error:
        raise RuleError("gateway_refused", f"The payment gateway refused: {error.user_message or error.code}.") from error
    except (stripe.AuthenticationError, stripe.PermissionError):
        raise
    except stripe.APIError as error:
        if error.http_status == HTTPStatus.CONFLICT:  # the first request with this key still runs
            raise TransientError("gateway_unavailable", "The payment gateway is busy. Try again.") from error
        raise GatewayFailedError("gateway_failed", "The payment gateway failed. Try again.") from error


@cache
def stripe_gateway(api_base: str) -> StripeGateway:
    """The gateway of this stack, its key from Secrets Manager. The SDK repeats what got no answer, twice."""
    client = stripe.StripeClient(
        secret("GATEWAY_SECRET_ARN", "api_key"),
        base_addresses={"api": api_base},
        max_network_retries=2,
        http_client=stripe.RequestsClient(timeout=8),
    )
    return StripeGateway(client)
