"""``make openapi``: the API's OpenAPI 3.1 description, from the code that serves it.

Routes, bodies and answers come from the handlers (Powertools' own merge of their schemas), the scopes from
template.yaml, where API Gateway takes them from. ``--check`` only compares with openapi.json and says what differs.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import yaml
from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

from local.invoke import PLACEHOLDER
from local.stack import ROOT
from remit.adapters.http.api import PROBLEMS

FILE = ROOT / "openapi.json"
HTTP_FUNCTIONS = (
    "firm",
    "accounts",
    "invoicing",
    "payments",
    "credits",
    "refunds",
    "subscriptions",
    "account_dunning",
    "dunning_trials",
    "operations",
    "totals",
    "wallet",
    "summary_schedules",
    "templates",
    "clock",
)
_ULID = "01jdxexample0000000000000x"
EXAMPLE_VALUES = {
    f"{name}_ID": f"{prefix}_{_ULID}"
    for name, prefix in {
        "ACCOUNT": "acc", "ORDER": "ord", "INVOICE": "inv", "PAYMENT": "pay", "CREDIT": "crd", "CREDIT_NOTE": "crn",
        "REFUND": "ref",
    }.items()
} | {"TODAY": "2026-11-23"}  # fmt: skip
"""What the placeholders of sample events stand for in the description."""
METHODS = ("get", "put", "post", "patch", "delete")

DESCRIPTION = """Serverless billing and accounts receivable on one double-entry ledger.

Amounts are whole numbers in the currency's minor unit (cents for EUR). Dates are local to the firm. Every POST carries an
`Idempotency-Key`: sent again with the same body it answers as the first time (`Idempotent-Replayed: true`), with another
body it is refused. Errors are problem details (RFC 9457) with a stable `code`. Lists are paged by `cursor`.
"""


def _page(summary: str, operation_id: str, responses: dict[str, str]) -> dict[str, Any]:
    html = {"text/html": {"schema": {"type": "string"}}}
    return {
        "summary": summary,
        "tags": ["Payment page"],
        "operationId": operation_id,
        "security": [],
        "parameters": [{"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {
            status: {"description": text} | ({} if status == "303" else {"content": html}) for status, text in responses.items()
        },
    }


_LINK_REFUSED = {"404": "Not a link of ours", "410": "The link has expired", "503": "Nothing was charged; try again"}

PAGES: dict[str, Any] = {
    "/pay/{token}": {
        "get": _page(
            "The page behind the link in an e-mail; changes nothing", "show_payment_page", {"200": "The invoice"} | _LINK_REFUSED
        ),
        "post": _page(
            "Start paying by card",
            "start_payment",
            {"200": "There is nothing to pay", "303": "To the gateway's page"} | _LINK_REFUSED,
        ),
    },
    "/health": {
        "get": {
            "summary": "Whether the API is up",
            "tags": ["Operations"],
            "operationId": "health",
            "security": [],
            "responses": {
                "200": {"description": "Name, version and stage", "content": {"application/json": {"schema": {"type": "object"}}}}
            },
        }
    },
    "/webhooks/stripe": {
        "post": {
            "summary": "The payment gateway's webhook",
            "description": "Open, but nothing is believed before the signature of the raw bytes is checked.",
            "tags": ["Payments"],
            "operationId": "receive_webhook",
            "security": [],
            "parameters": [{"name": "Stripe-Signature", "in": "header", "required": True, "schema": {"type": "string"}}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {
                "200": {
                    "description": "Accepted, known already, or of no interest",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
            },
        }
    },
}


def load(function: str) -> ModuleType:
    """The handler module of a function, under a name of its own."""
    path = ROOT / "functions" / function / "handler.py"
    spec = importlib.util.spec_from_file_location(f"handler_of_{function}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def describe() -> dict[str, Any]:
    """The whole description."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Remit")
    merge = OpenAPIMerge(title="Remit", version="0.1.0", openapi_version="3.1.0", description=DESCRIPTION, on_conflict="error")
    described = [json.loads(load(function).api.app.get_openapi_json_schema()) for function in HTTP_FUNCTIONS]
    require_one_meaning(described)
    for schema in described:
        merge.add_schema(schema)
    document: dict[str, Any] = json.loads(merge.get_openapi_json_schema())
    document["paths"] = dict(sorted((document["paths"] | _with_problems(PAGES)).items()))
    document["servers"] = [{"url": "/"}]
    scopes = _scopes()
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item and (path, method) in scopes:
                _finish(item[method], scopes[(path, method)])
    schemas = document["components"]["schemas"]
    _add_examples(document)
    for unused in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        schemas.pop(unused, None)
    every = sorted({scope for scope in scopes.values() if scope})
    document["components"]["securitySchemes"] = {
        "oauth2": {
            "type": "oauth2",
            "description": "Access tokens of the stack's user pool; the output TokenUrl says where.",
            "flows": {
                "clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": {scope: scope.partition("/")[2] for scope in every}}
            },
        }
    }
    return document


def require_one_meaning(described: Sequence[dict[str, Any]]) -> None:
    """`ValueError` when two functions mean different things by one name: merging would keep only one of the two."""
    known: dict[str, Any] = {}
    for schema in described:
        for name, shape in schema["components"]["schemas"].items():
            if known.setdefault(name, shape) != shape:
                raise ValueError(f"two functions describe {name} differently")


def _add_examples(document: dict[str, Any]) -> None:
    """The bodies of the sample events, which the tests send, as examples of their operations.

    A sample that shows a refused body is none: the operation's own schema tells them apart.
    """
    for file in sorted((ROOT / "events").glob("*/*.json")):
        event = json.loads(PLACEHOLDER.sub(lambda name: EXAMPLE_VALUES.get(name[1], name[0]), file.read_text()))
        method, _, path = event.get("routeKey", "").partition(" ")
        content = document["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
        if not event.get("body") or event.get("isBase64Encoded") or "application/json" not in content or path in PAGES:
            continue
        shape = {"components": document["components"]} | content["application/json"]["schema"]
        value = json.loads(event["body"])
        if jsonschema.Draft202012Validator(shape).is_valid(value):
            name = file.stem
            content["application/json"].setdefault("examples", {})[name] = {"summary": name.replace("_", " "), "value": value}


def _finish(operation: dict[str, Any], scope: str | None) -> None:
    """Add who may call it, and what API Gateway answers before the function is asked."""
    operation["security"] = [{"oauth2": [scope]}] if scope else []
    if scope:
        gateway = {"application/json": {"schema": {"type": "object", "properties": {"message": {"type": "string"}}}}}
        operation["responses"]["401"] = {"description": "No valid token", "content": gateway}
        operation["responses"]["403"] = {"description": "The token lacks the scope", "content": gateway}
        operation["responses"] = dict(sorted(operation["responses"].items()))


def _with_problems(paths: dict[str, Any]) -> dict[str, Any]:
    refused = {
        str(status): {
            "description": PROBLEMS[status]["description"],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (400, 500)
    }
    paths["/webhooks/stripe"]["post"]["responses"] |= refused
    return paths


class _Template(yaml.SafeLoader):
    """Reads a CloudFormation template; its functions (`!Ref`) are of no interest here."""


_Template.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _scopes() -> dict[tuple[str, str], str | None]:
    """(path, method) → scope, of every route in template.yaml; None where no token is asked for."""
    template = yaml.load((ROOT / "template.yaml").read_text(), _Template)  # noqa: S506
    found: dict[tuple[str, str], str | None] = {}
    for resource in template["Resources"].values():
        for event in (resource.get("Properties") or {}).get("Events", {}).values():
            if event["Type"] == "HttpApi":
                route = event["Properties"]
                scopes = route["Auth"].get("AuthorizationScopes")
                found[(route["Path"], route["Method"].lower())] = scopes[0] if scopes else None
    return found


def text_of(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str], file: Path = FILE) -> int:
    text = text_of(describe())
    if "--check" in arguments:
        same = file.exists() and file.read_text() == text
        print(f"{file.name} is what the code says" if same else f"{file.name} differs from the code: run 'make openapi'")
        return 0 if same else 1
    file.write_text(text)
    print(f"{file.name}: {len(json.loads(text)['paths'])} paths")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
