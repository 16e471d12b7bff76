"""The payment links of this stack."""

import os

from remit.adapters.payment_links import PaymentLinks
from remit.adapters.secrets import secrets


def payment_links(base_url: str | None = None) -> PaymentLinks:
    """Links signed with the stack's secret, under `base_url` or the address that customers reach it by.

    Functions behind the API cannot be told its address at deployment (each would need the other first), so
    they pass the one that the request came by.
    """
    keys = [key.encode() for key in secrets("LINK_SECRET_ARN", "current", "previous")]
    return PaymentLinks(keys, os.environ.get("PUBLIC_URL") or base_url or "")
