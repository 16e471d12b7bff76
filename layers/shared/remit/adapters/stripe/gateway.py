"""Stripe Checkout behind the `PaymentGateway` port."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus

import stripe

from remit.adapters.secrets import secret
from remit.adapters.stripe.refunds import make_refund
from remit.domain.errors import GatewayFailedError, RuleError, TransientError
from remit.domain.payments import Payment
from remit.domain.refunds import Refund, RefundReport
from remit.usecases.ports import CheckoutPage, PaymentName


class StripeGateway:
    """Hosted Checkout: the customer types the card on Stripe's page, never on ours (G5, PCI DSS SAQ A)."""

    name = "stripe"

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    def start_checkout(self, payment: Payment, description: str, email: str, return_url: str) -> CheckoutPage:
        """See `usecases.ports.PaymentGateway`. The payment's id is the idempotency key."""
        metadata = {
            "remit_payment_id": payment.id,
            "remit_account_id": payment.account_id,
            "remit_invoice_ids": ",".join(allocation.invoice_id for allocation in payment.intended),
        }
        with _translated():
            session = self._client.v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "payment_method_types": ["card"],
                    "client_reference_id": payment.id,
                    "customer_email": email,
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": payment.currency.lower(),
                                "unit_amount": payment.amount_minor,
                                "product_data": {"name": description},
                            },
                        }
                    ],
                    "metadata": metadata,
                    "payment_intent_data": {"metadata": metadata, "description": description},
                    "success_url": f"{return_url}?returned=paid",
                    "cancel_url": return_url,
                },
                {"idempotency_key": payment.id},
            )
        return CheckoutPage(session.url or "", session.id, datetime.fromtimestamp(session.expires_at, UTC))

    def refund(self, refund: Refund, payment: Payment, *, asked_before: bool) -> RefundReport:
        """See `usecases.ports.PaymentGateway`. The refund's id is the idempotency key."""
        with _translated():
            return make_refund(self._client, refund, payment, asked_before=asked_before)

    def payment_of(self, transaction_id: str) -> PaymentName | None:
        """See `usecases.ports.PaymentGateway`. A payment intent's metadata says whose it is."""
        with _translated():
            metadata = self._client.v1.payment_intents.retrieve(transaction_id).to_dict()["metadata"] or {}
        if "remit_payment_id" not in metadata:
            return None
        invoice_ids = tuple(filter(None, metadata.get("remit_invoice_ids", "").split(",")))
        return PaymentName(metadata["remit_payment_id"], metadata["remit_account_id"], invoice_ids)


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
