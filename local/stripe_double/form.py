"""Form bodies and query strings as the Stripe libraries send them.

``a[b][c]=1`` nests, ``a[0][b]=1`` and ``a[]=1`` are lists
(https://docs.stripe.com/api, "accepts form-encoded request bodies"). Lists stay mappings of index to
value here; the declared shape of the parameter decides what is a list.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from local.stripe_double.errors import invalid_parameter

type Raw = str | dict[str, Raw]

_DEPTH_MAX = 12
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def parse_form(encoded: str) -> dict[str, Raw]:
    """Nested parameters of a form body or query string.

    >>> parse_form("amount=500&metadata[order]=7&expand[]=a&expand[]=b")
    {'amount': '500', 'metadata': {'order': '7'}, 'expand': {'0': 'a', '1': 'b'}}
    """
    root: dict[str, Raw] = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        _place(root, _path(key), value, key)
    return root


def _path(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    if match is None:
        raise invalid_parameter(f"Invalid parameter name: {key}", key)
    path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    if len(path) > _DEPTH_MAX:
        raise invalid_parameter(f"Parameter is nested too deeply: {key}", key)
    return path


def _place(root: dict[str, Raw], path: list[str], value: str, key: str) -> None:
    node = root
    for part in path[:-1]:
        child = node.setdefault(part or str(len(node)), {})
        if not isinstance(child, dict):
            raise invalid_parameter(f"Invalid parameter: {key} is given twice", key)
        node = child
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid_parameter(f"Invalid parameter: {key} is given twice", key)
    node[last] = value
