"""What an audit of the ledger can find, and what the entries must explain of each class of documents (L6, L7)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit
from remit.domain.journal import Side
from remit.domain.open_items import OpenItem
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.refunds import Refund
from remit.domain.wallet import WalletCharge


class What(StrEnum):
    """What is wrong, where it is not a figure: a figure that differs is named by its field, such as `open_minor`."""

    ACCOUNT_MISSING = "account_missing"
    UNREADABLE = "unreadable"
    ENTRIES_MISSING = "entries_missing"
    ENTRIES_EXTRA = "entries_extra"
    ENTRY_CHANGED = "entry_changed"
    ENTRY_UNLINKED = "entry_unlinked"
    BALANCE_MISSING = "balance_missing"
    BALANCE_UNEXPLAINED = "balance_unexplained"
    DOCUMENT_MISSING = "document_missing"
    DOCUMENT_UNEXPLAINED = "document_unexplained"
    INVOICE_MISSING = "invoice_missing"
    OPEN_ITEM_MISSING = "open_item_missing"
    ORDER_MISSING = "order_missing"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is stored and does not follow from the entries, or follows and is not stored.

    `what` is a `What` or the name of a figure; `id` that of the entry, document, balance (`acc_1.EUR`), order or
    number series. `account_id` and `currency` are None where there is none. Amounts are in minor units.
    """

    account_id: str | None
    currency: str | None
    what: str
    id: str
    stored: int | str | None
    expected: int | str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored thing that cannot be read: it is damaged, or an entry whose debits and credits differ."""

    currency: str | None
    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Explained:
    """`figure` of a document is what its entries post about it to `account`: the side on which it grows, less the other.

    `account` is a name of the chart up to its colon: `cash` is money of every kind.
    """

    figure: str
    account: str
    grows_on: Side


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the entries must explain of a class of documents.

    `id` is the field that postings name it by. `posted_when` is the field and the values without which no entry may be
    about it, and with which one must; None: an entry is always there. `unless_zero`: one that holds nothing needs none, as
    the lot of a credit note that its invoice took all of, or a refund that failed before it was heard of. The first of
    `figures` is a customer's own amount, and zero as long as nothing is posted.
    """

    id: str
    figures: tuple[Explained, ...]
    posted_when: tuple[str, tuple[Any, ...]] | None = None
    unless_zero: bool = False


EXPECTATIONS: dict[type, Expectation] = {
    OpenItem: Expectation(
        "invoice_id",
        (
            Explained("open_minor", "receivable", Side.DEBIT),
            Explained("recoverable_minor", "bad_debt", Side.DEBIT),
            Explained("top_up_minor", "top_ups", Side.CREDIT),
        ),
    ),
    Payment: Expectation(
        "id",
        (
            Explained("unapplied_minor", "credit", Side.CREDIT),
            Explained("cash_minor", "cash", Side.DEBIT),
            Explained("held_minor", "held", Side.CREDIT),
            Explained("wallet_minor", "wallet", Side.CREDIT),
        ),
        posted_when=("status", (PaymentStatus.SUCCEEDED, PaymentStatus.REVERTED)),
    ),
    Credit: Expectation("id", (Explained("open_minor", "credit", Side.CREDIT),), unless_zero=True),
    CreditNote: Expectation("id", (Explained("tax_minor", "tax", Side.DEBIT),)),
    Refund: Expectation("id", (Explained("in_transit_minor", "refunds_in_transit", Side.CREDIT),), unless_zero=True),
    WalletCharge: Expectation("id", (Explained("net_minor", "revenue", Side.CREDIT),)),
}
"""Every class of documents that postings can be about. One that is not here is reported as missing."""
