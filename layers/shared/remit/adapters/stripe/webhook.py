"""The signature of a Stripe webhook, on its raw bytes (G2)."""

from collections.abc import Sequence

import stripe

from remit.domain.errors import ForbiddenError

TOLERANCE_S = 300


def verify(payload: bytes, signature_header: str | None, secrets: Sequence[str]) -> None:
    """`ForbiddenError` unless one of the `secrets` signed exactly these bytes, at most five minutes ago.

    Two secrets are valid while one is being rotated. Stripe's own code checks the signature and its age.
    """
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(payload.decode(), signature_header or "", secret, TOLERANCE_S)
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError, TypeError):  # TypeError: not ASCII
            continue
        return
    raise ForbiddenError("bad_signature", "The signature does not match, or is too old.")
