"""``expand[]``: ids in an answer replaced by their objects (https://docs.stripe.com/api/expanding_objects)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from local.stripe_double.errors import invalid_request
from local.stripe_double.lists import page
from local.stripe_double.store import Store, StripeObject

_DEPTH_MAX = 4

REFERENCES: Mapping[str, Mapping[str, str]] = {
    "balance_transaction": {"source": "*"},
    "charge": {
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    "checkout.session": {"customer": "customer", "payment_intent": "payment_intent", "setup_intent": "setup_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "mandate": {"payment_method": "payment_method"},
    "payment_intent": {
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
    },
    "payment_method": {"customer": "customer"},
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    "setup_attempt": {
        "customer": "customer",
        "payment_method": "payment_method",
        "setup_intent": "setup_intent",
    },
    "setup_intent": {
        "customer": "customer",
        "latest_attempt": "setup_attempt",
        "mandate": "mandate",
        "payment_method": "payment_method",
    },
}
"""Fields that hold an id, and the kind of object that it names (``*``: any kind)."""


def _line_items(store: Store, session: StripeObject) -> StripeObject:
    items = store.hidden[session["id"]]["line_items"]
    return page(items, {}, f"/v1/checkout/sessions/{session['id']}/line_items")


def _refunds(store: Store, charge: StripeObject) -> StripeObject:
    refunds = [item for item in store.newest_first("refund") if item["charge"] == charge["id"]]
    return page(refunds, {}, f"/v1/charges/{charge['id']}/refunds")


INCLUDED: Mapping[tuple[str, str], Callable[[Store, StripeObject], StripeObject]] = {
    ("checkout.session", "line_items"): _line_items,
    ("charge", "refunds"): _refunds,
}
"""Lists that an object carries only when they are asked for."""


def expanded(answer: StripeObject, paths: list[str], store: Store) -> StripeObject:
    """A copy of an answer with the asked fields expanded."""
    result: StripeObject = copy.deepcopy(answer)
    for path in paths:
        steps = path.split(".")
        if len(steps) - (steps[0] == "data") > _DEPTH_MAX:
            raise invalid_request(
                f"You cannot expand more than {_DEPTH_MAX} levels of a property. Property: {path}",
                param="expand",
            )
        _expand(result, steps, path, store)
    return result


def _expand(node: Any, steps: list[str], path: str, store: Store) -> None:
    if not isinstance(node, dict) or not steps:
        return
    field, rest = steps[0], steps[1:]
    kind = node.get("object", "")
    if kind in ("list", "search_result") and field == "data":
        for item in node["data"]:
            _expand(item, rest, path, store)
        return
    if (kind, field) in INCLUDED:
        if field not in node:
            node[field] = copy.deepcopy(INCLUDED[kind, field](store, node))
    elif field in REFERENCES.get(kind, {}):
        if isinstance(node.get(field), str):
            node[field] = copy.deepcopy(_referred(REFERENCES[kind][field], node[field], store))
    elif not (rest and isinstance(node.get(field), dict)):
        raise invalid_request(f"This property cannot be expanded ({path}).", param="expand")
    _expand(node[field], rest, path, store)


def _referred(kind: str, object_id: str, store: Store) -> StripeObject | str:
    kinds = list(store.objects) if kind == "*" else [kind]
    for candidate in kinds:
        if item := store.objects.get(candidate, {}).get(object_id):
            return item
    return object_id
