"""The ``Stripe-Signature`` header (https://docs.stripe.com/webhooks#verify-manually)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def signature_header(payload: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """``t=…,v1=…``: the HMAC-SHA256 of ``t.payload`` under each secret.

    While a secret is rolled Stripe signs with both for up to 24 hours, so there can be two ``v1``.
    """
    signed = f"{timestamp}.".encode() + payload
    parts = [f"t={timestamp}"]
    for secret in secrets:
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        parts.append(f"v1={digest}")
    return ",".join(parts)
