"""Links to the payment page that an e-mail can carry: scoped to one invoice, expiring, tamper-proof (V2).

A token is `<account>.<invoice>.<expiry>.<signature>`: ids, the expiry in hexadecimal Unix seconds, and
128 bits of HMAC-SHA256 in base64url. It names no amount, so that it can ask for nothing but what is open.

Plain HMAC instead of itsdangerous or a JWT: their expiry reads the system clock, and this system has one
clock that tests can move (O3); the ids are URL-safe already, so the token needs no encoding and stays under
110 characters; and with one fixed algorithm there is none to negotiate.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from remit.domain.errors import ForbiddenError

DEFAULT_LIFETIME = timedelta(days=90)
MIN_SECRET_BYTES = 32
_SIGNATURE_BYTES = 16
_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,80})\.([A-Za-z0-9_-]{1,80})\.([0-9a-f]{1,12})\.([A-Za-z0-9_-]{22})", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
# Another use of the same secret can never yield a valid payment link.
_PURPOSE = b"remit payment link 1\0"


@dataclass(frozen=True, slots=True)
class PaymentLink:
    """What a link gives access to: this invoice of this account, and nothing else."""

    account_id: str
    invoice_id: str


class PaymentLinks:
    """Makes and opens payment links.

    `secrets`: the first signs, all verify. To rotate, put a new one first and drop the old one after `lifetime`;
    to revoke all links at once, drop it now. The time comes from the caller, never from the system clock.
    """

    def __init__(self, secrets: Sequence[bytes], base_url: str, lifetime: timedelta = DEFAULT_LIFETIME) -> None:
        if not secrets or any(len(secret) < MIN_SECRET_BYTES for secret in secrets):
            raise ValueError(f"payment links need at least one secret, each of {MIN_SECRET_BYTES} bytes or more")
        if lifetime <= timedelta(0):
            raise ValueError("payment links need a lifetime above zero")
        self._secrets = tuple(secrets)
        self._base_url = base_url.rstrip("/")
        self._lifetime = lifetime

    def link(self, account_id: str, invoice_id: str, now: datetime) -> str:
        """The URL of the payment page of one invoice, valid for the lifetime from `now`."""
        if not (_ID.fullmatch(account_id) and _ID.fullmatch(invoice_id)):
            raise ValueError("ids in a payment link are 1 to 80 letters, digits, _ or -")
        expires_at = int((now + self._lifetime).timestamp())
        scope = f"{account_id}.{invoice_id}.{expires_at:x}"
        return f"{self._base_url}/pay/{scope}.{_signature(self._secrets[0], scope)}"

    def open(self, token: str, now: datetime) -> PaymentLink:
        """What `token` gives access to; `ForbiddenError` `payment_link_invalid` or `payment_link_expired`.

        Only a token that we signed is ever called expired: a forger learns nothing.
        """
        match = _TOKEN.fullmatch(token)
        if match is None or not self._is_signed(token.rpartition(".")[0], match[4]):
            raise ForbiddenError("payment_link_invalid", "This payment link is not valid.")
        if now.timestamp() >= int(match[3], 16):
            raise ForbiddenError("payment_link_expired", "This payment link has expired.")
        return PaymentLink(match[1], match[2])

    def _is_signed(self, scope: str, signature: str) -> bool:
        # The texts are compared, not the decoded bytes: base64 has several spellings of the same bytes.
        return any(hmac.compare_digest(_signature(secret, scope), signature) for secret in self._secrets)


def _signature(secret: bytes, scope: str) -> str:
    digest = hmac.new(secret, _PURPOSE + scope.encode("ascii"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=").decode("ascii")
