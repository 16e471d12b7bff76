"""Refunds as Remit makes them, through the real SDK (R2, R4, R6)."""

from dataclasses import replace
from typing import Any

import pytest
import stripe

from local.stripe_double.server import Double
from remit.adapters.stripe.gateway import StripeGateway
from remit.domain.actor import Actor, Channel
from remit.domain.errors import RuleError
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.refunds import Refund, RefundStatus
from remit.domain.terms import Method
from tests.support.builders import NOW, TODAY, attempt

METADATA = {"remit_payment_id": "pay_1", "remit_account_id": "acc_1", "remit_invoice_ids": "inv_1,inv_2"}


def paid(client: stripe.StripeClient, card: str = "pm_card_visa") -> Payment:
    params: Any = {
        "amount": 12_100,
        "currency": "eur",
        "payment_method": card,
        "payment_method_types": ["card"],
        "confirm": True,
        "metadata": METADATA,
    }
    intent = client.v1.payment_intents.create(params)
    return attempt(status=PaymentStatus.SUCCEEDED, gateway_ids=(intent.id,))


def refund(minor: int = 2_100, id: str = "ref_1") -> Refund:
    return Refund(
        id=id,
        account_id="acc_1",
        currency="EUR",
        amount_minor=minor,
        method=Method.CARD,
        cash_account="stripe",
        sources=(),
        status=RefundStatus.PENDING,
        requested_on=TODAY,
        requested_at=NOW,
        requested_by=Actor("clerk-1", Channel.API),
        reason="complaint",
        payment_id="pay_1",
    )


def test_R4_money_goes_back_to_the_card_once_however_often_it_is_asked_for(client: stripe.StripeClient) -> None:
    gateway, payment = StripeGateway(client), paid(client)
    first = gateway.refund(refund(), payment, asked_before=False)
    assert (first.refund_id, first.payment_id, first.status, first.amount_minor, first.currency) == (
        "ref_1",
        "pay_1",
        RefundStatus.SUCCEEDED,
        2_100,
        "EUR",
    )
    assert gateway.refund(refund(), payment, asked_before=False) == first
    assert gateway.refund(refund(), payment, asked_before=True) == first
    assert len(client.v1.refunds.list({"payment_intent": payment.gateway_ids[0]}).data) == 1


def test_R6_one_that_was_never_made_is_made_when_asked_again(client: stripe.StripeClient) -> None:
    gateway, payment = StripeGateway(client), paid(client)
    gateway.refund(refund(100, "ref_other"), payment, asked_before=False)
    assert gateway.refund(refund(), payment, asked_before=True).amount_minor == 2_100


def test_R6_a_refund_may_be_pending_first(client: stripe.StripeClient, double: Double) -> None:
    payment = paid(client, "pm_card_pendingRefund")
    assert StripeGateway(client).refund(refund(), payment, asked_before=False).status is RefundStatus.PENDING


def test_R2_the_gateway_refuses_more_than_it_has(client: stripe.StripeClient) -> None:
    with pytest.raises(RuleError, match="gateway_refused"):
        StripeGateway(client).refund(refund(12_101), paid(client), asked_before=False)


def test_a_payment_that_the_gateway_does_not_know_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(RuleError, match="payment_not_at_gateway"):
        StripeGateway(client).refund(refund(), replace(paid(client), gateway_ids=("cs_1",)), asked_before=False)


def test_R8_a_payment_intent_says_whose_payment_it_is(client: stripe.StripeClient) -> None:
    gateway = StripeGateway(client)
    name = gateway.payment_of(paid(client).gateway_ids[0])
    assert name is not None
    assert (name.payment_id, name.account_id, name.invoice_ids) == ("pay_1", "acc_1", ("inv_1", "inv_2"))
    other: Any = {"amount": 100, "currency": "eur"}
    assert gateway.payment_of(client.v1.payment_intents.create(other).id) is None
