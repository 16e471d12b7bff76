"""Stripe's test cards and what each one does (https://docs.stripe.com/testing).

A card is named by its test payment method (``pm_card_visa``), its test token (``tok_visa``) or its
number. Numbers that are not test numbers are refused, so that no real card is ever typed in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from local.stripe_double.errors import card_error


class Authentication(StrEnum):
    """When the issuer asks for 3-D Secure."""

    NEVER = "never"
    ALWAYS = "always"
    UNLESS_SET_UP = "unless_set_up"
    """Until a setup (or a payment with future usage) was authenticated; then free off-session."""
    ON_SESSION_ONLY = "on_session_only"
    """Already set up: free off-session, asked for when the customer is present."""


class RefundBehaviour(StrEnum):
    """How a refund to the card ends (https://docs.stripe.com/testing#refunds)."""

    SUCCEEDS = "succeeds"
    PENDING_FIRST = "pending_first"
    FAILS_LATER = "fails_later"


@dataclass(frozen=True, slots=True)
class Decline:
    """A refusal by the issuer or by Stripe.

    ``code`` is the error's code, ``decline_code`` the issuer's reason
    (https://docs.stripe.com/declines/codes), ``advice_code`` whether another try is of use.
    """

    code: str
    decline_code: str
    message: str
    advice_code: str | None = None
    network_decline_code: str | None = None
    blocked_by_stripe: bool = False


@dataclass(frozen=True, slots=True)
class PlannedDispute:
    """A dispute that follows a payment by itself (https://docs.stripe.com/testing#disputes)."""

    reason: str
    inquiry: bool = False


_DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", _DECLINED, "try_again_later", "01")
INSUFFICIENT_FUNDS = Decline(
    "card_declined",
    "insufficient_funds",
    "Your card has insufficient funds.",
    "try_again_later",
    "51",
)
LOST_CARD = Decline("card_declined", "lost_card", _DECLINED, "do_not_try_again", "41")
STOLEN_CARD = Decline("card_declined", "stolen_card", _DECLINED, "do_not_try_again", "43")
EXPIRED_CARD = Decline("expired_card", "expired_card", "Your card has expired.", "confirm_card_data", "54")
INCORRECT_CVC = Decline(
    "incorrect_cvc",
    "incorrect_cvc",
    "Your card's security code is incorrect.",
    "confirm_card_data",
    "N7",
)
PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
    "try_again_later",
    "96",
)
VELOCITY_EXCEEDED = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    "try_again_later",
    "61",
)
FRAUDULENT = Decline("card_declined", "fraudulent", _DECLINED, blocked_by_stripe=True)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    None,
    "65",
)

DO_NOT_HONOR = Decline("card_declined", "do_not_honor", _DECLINED, "try_again_later", "05")
PICKUP_CARD = Decline("card_declined", "pickup_card", _DECLINED, "do_not_try_again", "04")
TRANSACTION_NOT_ALLOWED = Decline("card_declined", "transaction_not_allowed", _DECLINED, "do_not_try_again", "57")
REVOCATION = Decline("card_declined", "revocation_of_authorization", _DECLINED, "do_not_try_again", "R1")
TRY_AGAIN_LATER = Decline("card_declined", "try_again_later", _DECLINED, "try_again_later", "91")

DECLINES: dict[str, Decline] = {
    decline.decline_code: decline
    for decline in (
        GENERIC, INSUFFICIENT_FUNDS, LOST_CARD, STOLEN_CARD, EXPIRED_CARD, INCORRECT_CVC, PROCESSING_ERROR,
        VELOCITY_EXCEEDED, FRAUDULENT, AUTHENTICATION_REQUIRED, DO_NOT_HONOR, PICKUP_CARD, TRANSACTION_NOT_ALLOWED,
        REVOCATION, TRY_AGAIN_LATER,
    )
}  # fmt: skip
"""Declines by their decline code: those of test cards, and those that Stripe has no test card for."""


@dataclass(frozen=True, slots=True)
class TestCard:
    """One test card: what it looks like and how it behaves."""

    __test__ = False

    name: str
    number: str
    label: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: Decline | None = None
    attachable: bool = True
    authentication: Authentication = Authentication.NEVER
    refund: RefundBehaviour = RefundBehaviour.SUCCEEDS
    dispute: PlannedDispute | None = None

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declining(name: str, number: str, label: str, decline: Decline) -> TestCard:
    # Stripe's declining cards can't be saved to a customer either; "chargeCustomerFail" is the one that can.
    return TestCard(name, number, label, decline=decline, attachable=False)


_CARDS = (
    TestCard("visa", "4242424242424242", "Succeeds (Visa)"),
    TestCard("visa_debit", "4000056655665556", "Succeeds (Visa debit)", funding="debit"),
    TestCard("mastercard", "5555555555554444", "Succeeds (Mastercard)", brand="mastercard"),
    TestCard("mastercard_debit", "5200828282828210", "Succeeds (Mastercard debit)", "mastercard", funding="debit"),
    TestCard("amex", "378282246310005", "Succeeds (American Express)", brand="amex"),
    TestCard("discover", "6011111111111117", "Succeeds (Discover)", brand="discover"),
    TestCard("jcb", "3566002020360505", "Succeeds (JCB)", brand="jcb", country="JP"),
    TestCard("de", "4000002760000016", "Succeeds (Germany)", country="DE"),
    TestCard("fr", "4000002500000003", "Succeeds (France)", country="FR"),
    TestCard("nl", "4000005280000002", "Succeeds (Netherlands)", country="NL"),
    TestCard("gb", "4000008260000000", "Succeeds (United Kingdom)", country="GB"),
    _declining("chargeDeclined", "4000000000000002", "Is declined", GENERIC),
    _declining("chargeDeclinedInsufficientFunds", "4000000000009995", "Has insufficient funds", INSUFFICIENT_FUNDS),
    _declining("chargeDeclinedLostCard", "4000000000009987", "Was lost", LOST_CARD),
    _declining("chargeDeclinedStolenCard", "4000000000009979", "Was stolen", STOLEN_CARD),
    _declining("chargeDeclinedExpiredCard", "4000000000000069", "Has expired", EXPIRED_CARD),
    _declining("chargeDeclinedIncorrectCvc", "4000000000000127", "Has an incorrect security code", INCORRECT_CVC),
    _declining("chargeDeclinedProcessingError", "4000000000000119", "Meets a processing error", PROCESSING_ERROR),
    _declining("chargeDeclinedVelocityLimitExceeded", "4000000000006975", "Exceeds its limit", VELOCITY_EXCEEDED),
    _declining("chargeDeclinedFraudulent", "4100000000000019", "Is blocked as fraudulent", FRAUDULENT),
    TestCard("chargeCustomerFail", "4000000000000341", "Can be saved, is declined later", decline=GENERIC),
    TestCard("authenticationRequired", "4000002760003184", "Needs authentication every time",
             country="DE", authentication=Authentication.ALWAYS),
    TestCard("authenticationRequiredOnSetup", "4000002500003155", "Needs authentication once",
             country="FR", authentication=Authentication.UNLESS_SET_UP),
    TestCard("authenticationRequiredSetupForOffSession", "4000003800000446", "Needs authentication on-session",
             country="HR", authentication=Authentication.ON_SESSION_ONLY),
    TestCard("authenticationRequiredChargeDeclinedInsufficientFunds", "4000008260003178",
             "Needs authentication, then has insufficient funds", country="GB",
             decline=INSUFFICIENT_FUNDS, authentication=Authentication.ALWAYS),
    TestCard("threeDSecure2Required", "4000000000003220", "Needs 3-D Secure 2", authentication=Authentication.ALWAYS),
    TestCard("pendingRefund", "4000000000007726", "Succeeds; refunds are pending first",
             refund=RefundBehaviour.PENDING_FIRST),
    TestCard("refundFail", "4000000000005126", "Succeeds; refunds fail later",
             refund=RefundBehaviour.FAILS_LATER),
    TestCard("createDispute", "4000000000000259", "Succeeds; is disputed as fraudulent",
             dispute=PlannedDispute("fraudulent")),
    TestCard("createDisputeProductNotReceived", "4000000000002685", "Succeeds; is disputed as not received",
             dispute=PlannedDispute("product_not_received")),
    TestCard("createDisputeInquiry", "4000000000001976", "Succeeds; the bank inquires",
             dispute=PlannedDispute("fraudulent", inquiry=True)),
)  # fmt: skip

CARDS: dict[str, TestCard] = {card.name: card for card in _CARDS}
_BY_NUMBER: dict[str, TestCard] = {card.number: card for card in _CARDS}


def card_named(name: str) -> TestCard | None:
    """The card of ``pm_card_…`` or ``tok_…``; both of Stripe's spellings for declining Visa cards work."""
    for prefix in ("pm_card_visa_", "pm_card_", "tok_visa_", "tok_"):
        if name.startswith(prefix) and (card := CARDS.get(name.removeprefix(prefix))):
            return card
    return None


def card_numbered(number: str) -> TestCard:
    """The test card with a number, or Stripe's refusal of any other number in test mode."""
    digits = number.replace(" ", "").replace("-", "")
    if card := _BY_NUMBER.get(digits):
        return card
    if not digits.isdigit() or not _passes_luhn(digits):
        raise card_error("Your card number is incorrect.", "incorrect_number", param="number")
    raise card_error(
        "Your card was declined. Your request was in test mode, but used a non test (live) card. For a list of "
        "valid test cards, visit: https://stripe.com/docs/testing.",
        "card_declined",
        decline_code="test_mode_live_card",
    )


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
