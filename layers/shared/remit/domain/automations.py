"""Everything that Remit may do by itself, each with a switch of the firm and one of every account (D1, N3).

A firm's switch is off until somebody turns it on; an account's own is on until somebody turns it off. An automation runs for
an account only if both say so, and never for what happened before the later of the two was turned on.
"""

from enum import StrEnum


class Automation(StrEnum):
    """The switches by their names in the API."""

    SEND_INVOICES = "send_invoices"
    SEND_RECEIPTS = "send_receipts"
    REMINDERS = "reminders"  # before and after the due date, by day offset (D4)
    DUNNING = "dunning"  # past-due notices in tiers (D5)
    LATE_CHARGES = "late_charges"  # late fees and interest (D9)
    SUMMARIES = "summaries"  # account summaries by schedule (D3)
    TELL_PAYMENT_FAILED = "tell_payment_failed"
    TELL_CARD_EXPIRING = "tell_card_expiring"
    TELL_REFUND = "tell_refund"
    TELL_CREDIT = "tell_credit"
