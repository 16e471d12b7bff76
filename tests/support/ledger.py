"""What the entries alone say, reckoned beside the product's own proofs."""

from collections import Counter
from collections.abc import Iterable

from remit.domain.journal import CUSTOMER_ACCOUNTS, JournalEntry


def amounts_by_document(entries: Iterable[JournalEntry]) -> dict[tuple[str, str], int]:
    """What is open on every document that these entries mention, from their postings alone (L6).

    Keys are (customer account, document id): `("receivable", "inv_…")` is what an invoice still asks for,
    `("credit", "pay_…")` what a payment left unapplied.
    """
    amounts: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for posting in entry.draft.postings:
            grows_on = CUSTOMER_ACCOUNTS.get(posting.account)
            if grows_on is not None and posting.document_id:
                sign = 1 if posting.side is grows_on else -1
                amounts[posting.account, posting.document_id] += sign * posting.amount_minor
    return dict(amounts)
