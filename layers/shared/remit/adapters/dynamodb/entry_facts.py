"""The facts of a journal entry as they are stored: each document's id once.

Nearly every posting names a document that the entry lists anyway. What is stored is the place in that list (its roles in
alphabetical order), so that the entry of an invoice with ten lines stays within one kilobyte: one write unit. The hash
is of the full facts. Standard library only: the outbox reads entries from the stream with this.
"""

from typing import Any

type Facts = dict[str, Any]


def pack(facts: Facts) -> Facts:
    """`facts` (`journal.draft_facts`) for storing.

    >>> facts = {"documents": {"invoice": ["inv_1"]}, "postings": [["receivable", "d", 121, "inv_1"]]}
    >>> pack(facts)["postings"]
    [['receivable', 'd', 121, 0]]
    >>> unpack(pack(facts)) == facts
    True
    """
    places = {id: place for place, id in enumerate(_listed(facts))}
    return facts | {"postings": [[*posting, places.get(about, about)] for *posting, about in facts["postings"]]}


def unpack(facts: Facts) -> Facts:
    """The facts as they were before `pack`."""
    listed = _listed(facts)
    named = [[*posting, listed[about] if isinstance(about, int) else about] for *posting, about in facts["postings"]]
    return facts | {"postings": named}


def _listed(facts: Facts) -> list[str]:
    return [id for role in sorted(facts["documents"]) for id in facts["documents"][role]]
