"""Postal addresses and billing details, in the full shape that Stripe answers with."""

from __future__ import annotations

from typing import Any

from local.stripe_double.parameters import Either, Nested, Text, fields

_MEMBERS = ("city", "country", "line1", "line2", "postal_code", "state")

ADDRESS = Either(Nested({name: Text(unset=True) for name in _MEMBERS}), Text(unset=True))
BILLING_DETAILS = fields(address=ADDRESS, email=Text(unset=True), name=Text(unset=True), phone=Text(unset=True))


def full_address(given: dict[str, Any] | None) -> dict[str, Any]:
    """All members of an address, ``None`` where nothing is known."""
    return dict.fromkeys(_MEMBERS) | (given or {})


def billing_details(given: dict[str, Any] | None = None) -> dict[str, Any]:
    """Billing details with all members."""
    given = given or {}
    return {
        "address": full_address(given.get("address")),
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": None,
    }
