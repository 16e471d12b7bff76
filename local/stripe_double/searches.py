"""Stripe's search query language, as far as payment intents need it (https://docs.stripe.com/search).

``status:'succeeded' AND metadata['remit_payment_id']:'p_1'``; clauses are joined by ``AND`` or by ``OR``, never by both.
Stripe's index is up to a minute behind; the double's is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import Any

from local.stripe_double.errors import ApiError, invalid_request
from local.stripe_double.store import StripeObject

_WORDS = ("currency", "customer", "status")
_NUMBERS = ("amount", "created")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {":": eq, ">": gt, ">=": ge, "<": lt, "<=": le}
_JOINER = re.compile(r"""(?<=["'\dl])\s+(AND|OR)\s+(?=-?(?:metadata\[|\w+[:<>]))""")
_CLAUSE = re.compile(
    r"""(?P<minus>-?)(?:metadata\[(?P<q>["'])(?P<key>.+?)(?P=q)\]|(?P<field>\w+))"""
    r"""(?P<compare>[:<>]=?)(?:(?P<quote>["'])(?P<text>.*?)(?P=quote)|(?P<number>\d+)|(?P<null>null))"""
)


@dataclass(frozen=True, slots=True)
class _Clause:
    name: str
    is_metadata: bool
    compare: Callable[[Any, Any], bool]
    value: str | int | None
    negated: bool

    def matches(self, item: StripeObject) -> bool:
        actual = item["metadata"].get(self.name) if self.is_metadata else item[self.name]
        return (actual is not None or self.value is None) and self.compare(actual, self.value) != self.negated


def search(items: list[StripeObject], query: str) -> list[StripeObject]:
    """The items that a query finds, in their order."""
    joiners = set(_JOINER.findall(query))
    if len(joiners) > 1:
        raise invalid_request("You can't combine AND and OR in one search query.", param="query")
    clauses = [_clause(part) for part in _JOINER.split(query)[::2]]
    combine = any if joiners == {"OR"} else all
    return [item for item in items if combine(clause.matches(item) for clause in clauses)]


def _clause(text: str) -> _Clause:
    match = _CLAUSE.fullmatch(text.strip())
    if match is None:
        raise _unreadable(text)
    name, is_metadata = match["key"] or match["field"], match["key"] is not None
    if not is_metadata and name not in (*_WORDS, *_NUMBERS):
        raise invalid_request(f"Field `{name}` is an unsupported search field for resource `payment_intents`.", param="query")
    is_number = not is_metadata and name in _NUMBERS
    if (match["number"] is not None) != is_number or match["compare"] not in (_COMPARE if is_number else (":",)):
        raise _unreadable(text)
    value = int(match["number"]) if is_number else match["text"]
    return _Clause(name, is_metadata, _COMPARE[match["compare"]], value, bool(match["minus"]))


def _unreadable(text: str) -> ApiError:
    return invalid_request(f"We were unable to parse your search query near `{text[:60]}`.", param="query")
