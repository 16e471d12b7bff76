"""The facts of a journal entry as they are stored: each document's id once.

Nearly every posting names a document that the entry lists anyway. What is stored is the place in that list (its roles in
alphabetical order), so that the entry of an invoice with ten lines stays within one kilobyte: one write unit. The hash
is of the full facts. Standard library only: the outbox reads entries from the stream with this.
"""

from typing import Any

type Facts = dict[str, Any]

_ABOUT = 3
"""Where a posting's document stands: [account, side, amount, document, due date if any]."""


def pack(facts: Facts) -> Facts:
    """`facts` (`journal.draft_facts`) for storing.

    >>> facts = {"documents": {"invoice": ["inv_1"]}, "postings": [["receivable", "d", 121, "inv_1"]]}
    >>> pack(facts)["postings"]
    [['receivable', 'd', 121, 0]]
    >>> unpack(pack(facts)) == facts
    True
    """
    places = {id: place for place, id in enumerate(_listed(facts))}
    packed = [
        [*posting[:_ABOUT], places.get(posting[_ABOUT], posting[_ABOUT]), *posting[_ABOUT + 1 :]] for posting in facts["postings"]
    ]
    statuses = [[places.get(id, id), *change] for id, change in facts.get("statuses", {}).items()]
    return facts | {"postings": packed} | ({"statuses": statuses} if statuses else {})


def unpack(facts: Facts) -> Facts:
    """The facts as they were before `pack`."""
    listed = _listed(facts)
    named = [
        [*posting[:_ABOUT], listed[about] if isinstance(about := posting[_ABOUT], int) else about, *posting[_ABOUT + 1 :]]
        for posting in facts["postings"]
    ]
    statuses = {listed[about] if isinstance(about, int) else about: change for about, *change in facts.get("statuses", ())}
    return facts | {"postings": named} | ({"statuses": statuses} if statuses else {})


def _listed(facts: Facts) -> list[str]:
    return [id for role in sorted(facts["documents"]) for id in facts["documents"][role]]
