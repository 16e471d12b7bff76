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
_MASK_PURPOSE = b"remit payment link mask 1\0"
_SIGNATURE_LETTERS = 22
_MASK_LETTERS = 8
_SCOPE = r"/pay/(?P<scope>[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.[0-9a-f]{1,12})\."
_LINK = re.compile(_SCOPE + r"(?P<signature>[A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])", re.ASCII)
_MASKED_LINK = re.compile(_SCOPE + r"(?P<mask>masked-[A-Za-z0-9_-]{8})(?![A-Za-z0-9_-])", re.ASCII)


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

    def masked(self, text: str) -> str:
        """`text` with the signature of each of our links replaced by a mask: it opens nothing, and `unmasked` undoes it.

        What is kept of an e-mail is kept so. A mask is bound to its link by a secret too, so nobody can have a link signed
        by writing a masked one into a name.
        """

        def mask(found: re.Match[str]) -> str:
            scope = found["scope"]
            signer = next((secret for secret in self._secrets if _same(_signature(secret, scope), found["signature"])), None)
            return f"/pay/{scope}.{_mask(signer, scope)}" if signer else found[0]

        return _LINK.sub(mask, text)

    def unmasked(self, text: str) -> str:
        """`text` with the links as they were, to the byte, while the secret that signed them is still known."""

        def sign(found: re.Match[str]) -> str:
            scope = found["scope"]
            signer = next((secret for secret in self._secrets if _same(_mask(secret, scope), found["mask"])), None)
            return f"/pay/{scope}.{_signature(signer, scope)}" if signer else found[0]

        return _MASKED_LINK.sub(sign, text)

    def _is_signed(self, scope: str, signature: str) -> bool:
        # The texts are compared, not the decoded bytes: base64 has several spellings of the same bytes.
        return any(_same(_signature(secret, scope), signature) for secret in self._secrets)


def _signature(secret: bytes, scope: str) -> str:
    return _code(secret, _PURPOSE, scope)[:_SIGNATURE_LETTERS]


def _mask(secret: bytes, scope: str) -> str:
    return f"masked-{_code(secret, _MASK_PURPOSE, scope)[:_MASK_LETTERS]}"


def _code(secret: bytes, purpose: bytes, scope: str) -> str:
    digest = hmac.new(secret, purpose + scope.encode("ascii"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=").decode("ascii")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one, other)
