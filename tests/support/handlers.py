"""Calling a function's handler in this process: its module, its events, its context."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = SimpleNamespace(
    function_name="test",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:test",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 600_000,
)

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "TABLE_NAME": "remit",
    "BUS_NAME": "remit-test",
    "BUCKET_NAME": "bucket",
    "GATEWAY_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:0:secret:gateway",
    "LINK_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:0:secret:link",
    "GATEWAY_EVENTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/0/gateway-events",
    "GATEWAY_API_BASE": "https://stripe.example",
    "CHECKOUT_ORIGIN": "https://checkout.example",
    "DUNNING_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:0:stateMachine:dunning",
    "RECURRING_PAYMENTS_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:0:stateMachine:recurring-payments",
    "EXPORT_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:0:stateMachine:export",
    "POLICY_TRIAL_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:0:stateMachine:policy-trial",
    "MAIL_SENDER": "billing@remit.example",
    "POWERTOOLS_METRICS_NAMESPACE": "Remit",
    "POWERTOOLS_SERVICE_NAME": "remit",
    "RELEASE": "1",
    "STAGE": "test",
}
"""What a deployed function finds in its environment; nothing of it leads anywhere."""


def load(function: str) -> ModuleType:
    """A fresh copy of `functions/<function>/handler.py`, in which a test may replace what it likes."""
    source = ROOT / "functions" / function / "handler.py"
    spec = importlib.util.spec_from_file_location(f"{function}_handler_under_test", source)
    if spec is None or spec.loader is None:
        raise LookupError(source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def http_event(
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
    query: str = "",
    headers: dict[str, str] | None = None,
    subject: str | None = "user-1",
) -> dict[str, Any]:
    """An event of API Gateway's HTTP API, payload version 2.0. A `body` that is a string is sent as it is."""
    sent = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {}) | (headers or {})
    claims = {"sub": subject} if subject else {}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": sent,
        "requestContext": {
            "requestId": "correlation-1",
            "stage": "$default",
            "domainName": "api.example",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "authorizer": {"jwt": {"claims": claims, "scopes": []}},
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(pair.split("=", 1) for pair in query.split("&"))
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


def answered(answer: dict[str, Any]) -> tuple[int, Any]:
    """(status, body) of a handler's answer."""
    return answer["statusCode"], json.loads(answer["body"])
